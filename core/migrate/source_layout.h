/* SPDX-License-Identifier: MIT */
/*
 * What a layout is to the scanner. Used by source.c and source_*.c only.
 *
 * A layout pairs names. Reading, hashing, order and duplicates are the same for all of them and
 * live in source.c and source_read.c. Only a layout whose order or identity is in a text (a plan, a
 * graph) reads that while it pairs.
 */
#ifndef MIGRATE_SOURCE_LAYOUT_H
#define MIGRATE_SOURCE_LAYOUT_H

#include <sys/types.h>

#include "core/migrate/source.h"

/* One name in a folder. */
struct source_name {
	const char *name;
	unsigned char type; /* DT_… of readdir; DT_UNKNOWN and DT_LNK are decided when opened */
};

/* The usable names of one folder in strcmp() order. */
struct source_listing {
	struct source_name *item;
	size_t n, cap;
};

/* One migration by its names. Paths begin with the source's folder. */
struct source_pair {
	struct sv stem;
	const char *up;     /* NULL: there is only a down */
	const char *down;   /* NULL: none */
	bool down_optional; /* down is a guess: its absence is no fault */
	bool verbatim;      /* the layout's check of scripts does not hold for this one */
	/* What is known without reading the script: id, title, sort key, parents …; lives in the
	 * source. NULL: it is in the stem. */
	const struct migration *as;
};

/* A scan in progress. Names live in its arena, what stays in the source's. */
struct source_walk {
	struct source *s;
	struct arena arena;
	int dirfd;
	size_t dir_len; /* path + dir_len is the path inside dirfd */
	const struct source_layout *layout;
	struct source_listing root; /* the folder itself */
	struct source_listing up;   /* the layout's up folder; root when it has none */
	struct source_listing down; /* only when the layout has a down folder */
	struct source_pair *pair;
	size_t n_pair, cap_pair;
	const char **watched; /* s->n_watched of them, until the scan is done */
	size_t cap_watched;
};

/* The two halves of a one-file migration. */
struct source_sections {
	struct sv up, down;
	bool has_down;
	struct sv head; /* what stands above the up marker: comments */
	bool no_transaction;
};

struct source_layout {
	const char *name;
	/* Subfolders the files are in, or NULL for the folder itself. */
	const char *up_dir, *down_dir;
	/* stem + up_suffix, stem + down_suffix: names of a new migration. down_suffix NULL: one file. */
	const char *up_suffix, *down_suffix;
	/* Set when a file holds both directions: cuts it. The sections are parts of text or of scratch. */
	int (*split)(struct sv text, struct strbuf *scratch, struct source_sections *out,
		     struct err *e);
	const char *up_marker, *down_marker; /* lines of a new file of both directions */
	/* Of a new migration's name: before the id, and between id and title ("_" when NULL). */
	const char *up_prefix, *down_prefix, *joint;
	const char *new_hint; /* set: we make no files of this layout, this command does */
	/* Refuses a script that we would not run as its tool does. May be NULL. */
	int (*check)(struct sv text, struct err *e);
	/* Is there an unmistakable sign of this layout? Asked before names are counted. May be NULL. */
	bool (*marked)(struct source_walk *w);
	/* Is this entry of up_dir one of ours, by its name? */
	bool (*claims)(const struct source_name *f);
	/* Adds the pairs and reports names that cannot be paired. */
	void (*pair)(struct source_walk *w);
};

extern const struct source_layout source_updown, source_suffix, source_folders, source_onefile,
	source_flyway, source_goose, source_sqitch, source_alembic, source_django, source_listed;

/* One folder in one layout; ERR_NOT_FOUND when it holds none (source.c). */
int source_scan_folder(const struct source_spec *spec, const char *folder, struct cancel *c,
		       struct source **out, struct err *e) MUST_CHECK;
/* Makes s->place of the final list (source_use.c). */
void source_index(struct source *s);

/* Lists the folder sub (NULL: the source's own) in name order (source_list.c). */
int source_list(struct source_walk *w, const char *sub, struct source_listing *out,
		struct err *e) MUST_CHECK;
void source_listing_clear(struct source_listing *l);
bool source_listing_has(const struct source_listing *l, const char *name);
/* NULL when there is none of that name. */
const struct source_layout *source_layout_find(const char *name);

bool source_is_folder(int dirfd, const char *name);
/* Is there anything of that path below the source's folder? */
bool source_has(const struct source_walk *w, const char *path);

/* For layouts. */
bool source_is_sql(const struct source_name *f);          /* "….sql", not a folder by its type */
bool source_is_numbered_sql(const struct source_name *f); /* and it starts with a version */
struct source_pair *source_pair_add(struct source_walk *w, struct sv stem);
/* dir (may be NULL) and name under the source's folder; lives in the source. */
const char *source_path(struct source_walk *w, const char *dir, const char *name);
/* Adds a problem; path and texts are cleaned and copied. hint may be NULL. */
void source_problem_add(struct source *s, bool error, const char *path, const char *hint,
			const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Splits a one-file migration. Pure; also fuzzed. ERR_INPUT with the line. */
int source_split(struct sv text, struct source_sections *out, struct err *e) MUST_CHECK;
/* The same for goose's annotations; the sections are parts of scratch. */
int source_split_goose(struct sv text, struct strbuf *scratch, struct source_sections *out,
		       struct err *e) MUST_CHECK;
/* Does the text hold a goose annotation for the way up? */
bool source_is_goose(struct sv text);
/* Remembers a file or folder whose change changes the source; path as of source_path. */
void source_watch(struct source_walk *w, const char *path);
/* "g00000017": the sort key of the i-th of a list whose order is not in the ids. */
const char *source_place_key(struct arena *a, size_t i);

/* Reads and hashes every pair into s->list (source_read.c). Threads are used for many files. */
int source_read_all(struct source_walk *w, struct cancel *c, struct err *e) MUST_CHECK;
/* Reads one file below dirfd, normalised, into buf (reset first). NUL bytes are refused. */
int source_read_text(int dirfd, const char *name, const char *path, struct strbuf *buf,
		     struct err *e) MUST_CHECK;

#endif
