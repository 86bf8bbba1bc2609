/* SPDX-License-Identifier: MIT */
/*
 * Histories of other migration tools: recognised, read and joined with the files. Never written.
 *
 * Three stages. foreign_read finds the tool's table and keeps its rows as they are; history_resolve
 * (pure) joins them with the files of a source into history.list; foreign_verify compares the
 * checksums that the tool kept, by the tool's own rule.
 */
#ifndef MIGRATE_FOREIGN_H
#define MIGRATE_FOREIGN_H

#include "core/base/cancel.h"
#include "core/migrate/history.h"
#include "core/migrate/source.h"

#define FOREIGN_ROWS_MAX 1000000 /* of one history table */
#define FOREIGN_KEY_MAX 1024     /* bytes of a version, name or revision */
#define FOREIGN_TEXT_MAX 2000    /* bytes kept of a title or an error */

enum foreign_state {
	FOREIGN_APPLIED,
	FOREIGN_FAILED,   /* the tool stopped inside and says so */
	FOREIGN_UNDONE,   /* taken back; an earlier row may say that it was applied */
	FOREIGN_BASELINE, /* it and everything before it counts as applied */
	FOREIGN_UP_TO,    /* golang-migrate: it and everything before it ran */
	FOREIGN_HEAD,     /* Alembic: it and everything it depends on */
};

/* One row of a tool's table. Strings live in the history's arena; NULL: the tool keeps no such thing. */
struct foreign_record {
	const char *key;   /* version, revision or name, as stored */
	const char *group; /* Django: the app; Liquibase: the author; Sqitch: the project */
	const char *title, *file;
	const char *checksum; /* "crc32:-1762725568", "sha384:…", "sha256:…", "sha1:…", "md5:…" */
	const char *previous; /* graphile-migrate: the checksum before it in the chain */
	const char *who, *error;
	enum foreign_state state;
	bool repeatable; /* Flyway: no version, key is the description */
	bool no_zone;
	int64_t at_utc_ms, took_ms; /* 0: not kept */
};

struct foreign_tool;

struct foreign {
	const struct foreign_tool *tool;
	struct foreign_record *rec; /* in the order of application, as far as the tool keeps one */
	size_t n, cap;
	size_t n_odd;    /* rows that we do not understand; the others were read */
	const char *odd; /* the first of them, in words */
	bool lock_table; /* Liquibase, Knex: their lock row is there to be read */
};

/* The names that `history = ` takes besides auto and bascule. NULL behind the last. */
const char *foreign_tool_name(size_t i);

/* Looks for the table of the tool want (NULL or "auto": of any) and reads it into h: tool, table, foreign,
 * note. h->tool stays NULL when there is none; a named tool whose table is not there yet has no
 * rows and a note. ERR_CONFIG for an unknown name. Two round trips. */
int foreign_read(struct db *db, const char *want, struct history *h, struct err *e) MUST_CHECK;
void foreign_free(struct foreign *f);

/* Fills h->list from the raw rows and the files; nothing when h is not another tool's. Pure. May be
 * called again with another source. Cells come out without checksums: foreign_verify puts them in. */
void history_resolve(struct history *h, const struct source *s);
/* Reads the files whose row has a checksum and computes it by the tool's rule: applied->checksum becomes
 * the file's own when they are equal, else what the tool recorded. A file that cannot be read is
 * left out. After history_resolve with the same source. */
int foreign_verify(const struct source *s, struct history *h, struct cancel *c,
		   struct err *e) MUST_CHECK;
/* Both, for callers that have a source. */
int history_join(struct history *h, const struct source *s, struct cancel *c,
		 struct err *e) MUST_CHECK;

/* Flyway's: CRC-32 over the lines without their ends, signed. */
int32_t foreign_flyway_crc(struct sv text);
/* graphile-migrate's: of a committed file behind the one with this checksum (NULL: the first). */
void foreign_graphile_hash(struct sv text, const char *previous, char out[48]);
uint32_t foreign_crc32(uint32_t crc, const void *p, size_t n);

/* Who holds an advisory lock with this key: the tool's name, or NULL. Pure. */
const char *foreign_lock_name(const char *database, const char *schema, const char *table,
			      int64_t key);
/* Is another tool migrating now? h->busy says so in words, or NULL. Needs no right but to read; what
 * cannot be looked up counts as nobody. */
int foreign_busy(struct db *db, struct history *h, struct err *e) MUST_CHECK;

#endif
