/* SPDX-License-Identifier: MIT */
/* The table of tools, for foreign.c and foreign_resolve.c only. */
#ifndef MIGRATE_FOREIGN_TOOLS_H
#define MIGRATE_FOREIGN_TOOLS_H

#include "core/db/db.h"
#include "core/migrate/foreign.h"

/* How a row's key and a file find each other. */
enum foreign_key {
	FOREIGN_KEY_TEXT,    /* the id as it is */
	FOREIGN_KEY_NUMBER,  /* one number: 007 is 7 */
	FOREIGN_KEY_VERSION, /* numbers: 1.0 is 1 */
	FOREIGN_KEY_NODASH,  /* the id without its dashes */
	FOREIGN_KEY_STEM,    /* the name of file or folder without suffix */
	FOREIGN_KEY_APP,     /* namespace and name */
	FOREIGN_KEY_FILE,    /* Liquibase: id::author::file, or the file */
};

/* A row being taken in. */
struct foreign_row {
	const struct db_value *col;
	size_t n;
	struct history *h;
	const char *odd; /* set by the row function: why it is not understood */
};

enum foreign_take { FOREIGN_KEEP, FOREIGN_SKIP, FOREIGN_ODD };

struct foreign_tool {
	const char *name;
	const char *schema; /* where it is; NULL: where an unqualified name finds it */
	const char *table;
	const char *columns; /* that must be there, between blanks */
	const char *without; /* that must not, or NULL */
	const char *beside;  /* another table that must be there, or NULL */
	const char *apart;   /* another table that must not, or NULL */
	/* What is read; hex: the same where bytes are turned to hex digits in PostgreSQL's way. Literals:
	 * they are the key of the cache of statements. */
	const char *sql, *hex;
	enum foreign_take (*row)(struct foreign_row *r, struct foreign_record *out);
	enum foreign_key key;
	bool only_known; /* rows of groups without any file are of libraries: counted, not listed */
};

extern const struct foreign_tool foreign_tools[];
extern const size_t foreign_n_tools;

/* "2024-01-31 10:20:30.5+02", or a number of seconds or milliseconds since 1970. False: neither. */
bool foreign_time(const struct db_value *v, int64_t *utc_ms, bool *no_zone);
/* A number as a number or as text. False when it is neither. */
bool foreign_int(const struct db_value *v, int64_t *out);
/* The column as text in the history's arena, cut at max bytes; NULL for null and the empty text. */
const char *foreign_text(struct history *h, const struct db_value *v, size_t max);

#endif
