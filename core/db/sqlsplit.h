/* SPDX-License-Identifier: MIT */
/*
 * A SQL file to its statements, by the lexical rules of its engine. Pure: no database.
 *
 * Understands comments (-- and block), strings, quoted identifiers, and for SQLite the
 * BEGIN … END body of CREATE TRIGGER with nested CASE … END. A missing last semicolon is fine;
 * empty statements and comments alone are not statements.
 */
#ifndef DB_SQLSPLIT_H
#define DB_SQLSPLIT_H

#include "core/base/mem.h"
#include "core/base/str.h"

enum sql_kind {
	SQL_OTHER,
	SQL_BEGIN,     /* BEGIN [DEFERRED|IMMEDIATE|EXCLUSIVE] [TRANSACTION] */
	SQL_COMMIT,    /* COMMIT or END [TRANSACTION] */
	SQL_ROLLBACK,  /* ROLLBACK [TRANSACTION], not ROLLBACK TO */
	SQL_SAVEPOINT, /* SAVEPOINT, RELEASE, ROLLBACK TO */
	SQL_PRAGMA,
	SQL_ATTACH, /* ATTACH, DETACH */
	SQL_VACUUM, /* cannot run inside a transaction */
};

struct sql_statement {
	/* borrowed from the file's text: without leading blanks and comments, without ; */
	struct sv text;
	enum sql_kind kind;
	int line; /* of its first word, from 1 */
};

struct sql_list {
	struct sql_statement *item; /* in the arena */
	size_t n;
};

#define SQL_STATEMENTS_MAX 200000

/* Splits text (valid as long as out is used). engine "sqlite". ERR_INPUT with the line when a
 * string, comment or trigger body does not end; also on a NUL byte. */
int sqlsplit(struct arena *a, const char *engine, struct sv text, struct sql_list *out,
	     struct err *e) MUST_CHECK;
/* True when text holds no statement: blanks and comments only. */
bool sql_is_empty(struct sv text);
/* True when two texts are equal but for blanks, comments and letter case of keywords is NOT
 * ignored: only blanks and comments. Used to say "only comments changed". */
bool sql_same_but_comments(struct sv a, struct sv b);

#endif
