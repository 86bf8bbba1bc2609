/* SPDX-License-Identifier: MIT */
/* What the files of sqlstatement share: a statement's tokens, and steps over them. */
#ifndef DB_SQLSTATEMENT_READ_H
#define DB_SQLSTATEMENT_READ_H

#include "core/db/sqlsplit_lex.h"
#include "core/db/sqlstatement.h"

#define SQL_TOKENS_KEPT \
	4096 /* a longer statement is one with many rows, and its start says it all */

struct sql_reader {
	struct arena *arena;
	bool lower; /* bare names are in lower case */
	enum sql_kind kind;
	struct sql_token *t; /* with an END behind the last */
	size_t n;
	bool cut; /* there were more */
	struct sql_facts *out;
};

/* Whether word i is this one; false past the end. */
bool sql_read_is(const struct sql_reader *r, size_t i, const char *word);
bool sql_read_mark(const struct sql_reader *r, size_t i, const char *mark);
/* The first such word outside of parentheses from i on; n when there is none. */
size_t sql_read_find(const struct sql_reader *r, size_t i, const char *word);
/* Whether such a word is anywhere from i on. */
bool sql_read_has(const struct sql_reader *r, size_t i, const char *word);
/* Goes over IF [NOT] EXISTS; true when it was there. */
bool sql_read_guard(const struct sql_reader *r, size_t *i);
/* Goes over a name, with its schema, and adds it. False, and nothing moved, when none is at *i. */
bool sql_read_object(struct sql_reader *r, size_t *i, enum sql_object_kind kind);
/* A name's or string's bytes without its quotes, in the arena. */
char *sql_read_unquote(const struct sql_reader *r, const struct sql_token *t);

void sql_read_mariadb(struct sql_reader *r);
/* CREATE, ALTER, DROP, RENAME and TRUNCATE of MariaDB, whose verb is word i. */
void sql_read_mariadb_ddl(struct sql_reader *r, size_t i);
void sql_read_postgres(struct sql_reader *r);

#endif
