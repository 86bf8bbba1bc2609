/* SPDX-License-Identifier: MIT */
/*
 * A source: a folder of migrations in a known layout.
 *
 * A layout is one file (source_*.c) with one struct source_layout, listed in source.c; it is
 * recognised by what is in the folder. Scanning reads and hashes every file once and keeps no
 * text: memory is a few hundred bytes a migration.
 *
 * Folders named after engines (sqlite/, mysql/, postgresql/) hold variants of the same migrations.
 * Each is a source of its own in a layout of its own, in a chain; source_for() picks.
 */
#ifndef MIGRATE_SOURCE_H
#define MIGRATE_SOURCE_H

#include "core/base/cancel.h"
#include "core/migrate/migration.h"

#define SOURCE_FILE_MAX ((size_t)64 << 20) /* bytes of one script */
#define SOURCE_FILES_MAX 200000            /* files in one source */
#define SOURCE_NAME_MAX 255
#define SOURCE_PROBLEMS_MAX 100 /* listed; further ones are counted */

/* Something wrong with the files. An error problem refuses migrate; others are shown by check. */
struct source_problem {
	bool error;
	const char *path; /* "" when it is about the folder */
	const char *msg;  /* "two migrations have the number 9: 009_a.sql and 9_b.sql" */
	const char *hint;
};

struct source {
	struct arena arena; /* owns every string below */
	const char *dir;
	const char *layout; /* "up-down-folders", "flyway" …: as `layout =` says it */
	const char *ns;
	/* Its variant for one engine, in the words of URLs ("postgresql"); NULL: it serves every engine. */
	const char *engine;
	struct source *next_engine; /* owned by the first one; NULL at the end */
	struct migration *list;     /* in the order they run: that of their sort keys */
	size_t n;
	/* What (namespace, id) stands where: places in list plus one, open addressing. NULL in a source
	 * that was not scanned, whose sort keys then follow from the ids. */
	uint32_t *place;
	size_t n_place; /* a power of two */
	bool framework; /* its files are another tool's code, which applies them */
	/* The namespaces of its files, sorted, where a file says its own (Django); else NULL: ns. */
	const char **app;
	size_t n_app;
	/* Files and folders besides those of the list that decided what it holds, below dir. */
	const char **watched;
	size_t n_watched;
	const char *const *head; /* of a graph: the ids nothing else builds on; NULL elsewhere */
	size_t n_head;
	struct source_problem *problem;
	size_t n_problem;
	size_t n_problem_total;
	size_t n_error;
};

struct source_spec {
	const char *dir;
	const char *ns;     /* "main" when NULL */
	const char *layout; /* NULL: recognise */
	/* "sqlite": takes the folder sqlite/ alone when there are engine folders; NULL: takes all */
	const char *engine;
};

/* Reads the folder. *out is to be freed with source_free. A missing or unreadable folder, one
 * without migrations of a known layout and too many files are errors; single files that cannot be
 * used are problems in the result. No migrations in a recognisable empty layout is fine (n = 0). */
int source_scan(const struct source_spec *spec, struct cancel *c, struct source **out,
		struct err *e) MUST_CHECK;
void source_free(struct source *s);
/* The variant for an engine: s itself where it serves all; NULL where there is none. NULL engine:
 * the first. */
const struct source *source_for(const struct source *s, const char *engine);
/* Could a migration of this namespace have a file here? Those of Django's own apps have none. */
bool source_knows(const struct source *s, const char *ns);
/* In the variant s alone. */
/* Hash of a key, for tables like place. */
uint64_t source_key_hash(const char *ns, const char *id);
const struct migration *source_find(const struct source *s, const char *ns, const char *id);

/* The normalised script of one direction, read again from disk; ERR_INPUT when its checksum is not the one
 * of the scan any more ("changed while we looked"). Appended to out. */
int source_script(const struct source *s, const struct migration *m, bool down, struct strbuf *out,
		  struct err *e) MUST_CHECK;

/* Makes the next up/down pair of the source's layout with a title; *up and *down get the paths
 * (malloced). Also for an empty or missing folder (up/ and down/ are made). */
int source_new(const struct source_spec *spec, const char *title, char **up, char **down,
	       struct err *e) MUST_CHECK;

#endif
