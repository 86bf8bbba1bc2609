/* SPDX-License-Identifier: MIT */
/*
 * A SQL file to its statements, by the lexical rules of its engine. Pure: no database.
 *
 * sqlite: the BEGIN … END body of CREATE TRIGGER.
 * postgresql: PostgreSQL's own parser where it is installed and takes the text, else a scanner that
 * knows dollar quotes, nested comments, E'' strings, CREATE RULE (a; b) and BEGIN ATOMIC bodies.
 * Commands of psql and COPY from or to the client are refused.
 * mariadb: executable comments are code, DELIMITER lines are obeyed, and without them the bodies of
 * routines, triggers and events are followed.
 *
 * A missing last semicolon is fine; empty statements and comments alone are not statements.
 */
#ifndef DB_SQLSPLIT_H
#define DB_SQLSPLIT_H

#include "core/base/mem.h"
#include "core/base/str.h"

enum sql_kind {
	SQL_OTHER,
	SQL_BEGIN,     /* BEGIN …, START TRANSACTION …; not BEGIN NOT ATOMIC */
	SQL_COMMIT,    /* COMMIT or END [TRANSACTION] */
	SQL_ROLLBACK,  /* ROLLBACK [TRANSACTION] or ABORT, not ROLLBACK TO */
	SQL_SAVEPOINT, /* SAVEPOINT, RELEASE, ROLLBACK TO */
	SQL_PRAGMA,
	SQL_ATTACH,     /* ATTACH, DETACH */
	SQL_VACUUM,     /* cannot run inside a transaction */
	SQL_CHAIN,      /* COMMIT or ROLLBACK that also begins anew or ends the session */
	SQL_TWO_PHASE,  /* PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED, XA */
	SQL_AUTOCOMMIT, /* SET autocommit */
	SQL_LOCK,       /* mariadb: LOCK TABLES, UNLOCK TABLES, FLUSH TABLES … WITH READ LOCK */
	SQL_USE,        /* mariadb: USE */
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
	bool parsed; /* the engine's own parser cut it, so its syntax is right */
};

#define SQL_STATEMENTS_MAX 200000

/* Splits text (valid as long as out is used). engine "sqlite", "postgresql" or
 * "mariadb". ERR_INPUT with the line when a string, comment or body does not end; also on a NUL
 * byte and on commands of a client. */
int sqlsplit(struct arena *a, const char *engine, struct sv text, struct sql_list *out,
	     struct err *e) MUST_CHECK;
/* True when text holds no statement: blanks and comments only, by the rules of SQLite. */
bool sql_is_empty(struct sv text);
/* The same by the rules of one engine: in MariaDB an executable comment is a statement. */
bool sql_is_empty_for(const char *engine, struct sv text);
/* True when two texts are equal but for blanks, comments and letter case of keywords is NOT
 * ignored: only blanks and comments. Used to say "only comments changed". */
bool sql_same_but_comments(struct sv a, struct sv b);

#endif
