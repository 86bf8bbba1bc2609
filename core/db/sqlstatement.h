/* SPDX-License-Identifier: MIT */
/*
 * What one statement is and what it names, from its words. Pure: no database.
 *
 * For MariaDB the class says how the statement is recorded and what can be known of it after a
 * crash (there DDL commits by itself); for PostgreSQL the flags say what cannot be in a
 * transaction. All of it is read from words, so it is a best effort with a bias: what cannot be read
 * is SQL_CLASS_OTHER, and a table too many is named rather than one too few.
 */
#ifndef DB_SQLSTATEMENT_H
#define DB_SQLSTATEMENT_H

#include "core/base/digest.h"
#include "core/db/sqlsplit.h"

enum sql_class {
	SQL_CLASS_OTHER, /* CALL, LOAD DATA, GRANT, EXECUTE, FLUSH …, and whatever was not read */
	SQL_CLASS_DML, /* INSERT, UPDATE, DELETE, REPLACE, SELECT, WITH: rolls back where it can */
	SQL_CLASS_DDL, /* CREATE, ALTER, DROP, RENAME, TRUNCATE of objects below */
	/* SET of the session's variables, SELECT … INTO @a, temporary tables: lives in the session, so
	 * a resumed run must do it again; see repeatable */
	SQL_CLASS_SESSION,
	SQL_CLASS_CONTROL, /* transaction control: every kind of sql_kind but SQL_OTHER */
};

enum sql_object_kind {
	SQL_OBJECT_TABLE,
	SQL_OBJECT_VIEW,
	SQL_OBJECT_INDEX,
	SQL_OBJECT_TRIGGER,
	SQL_OBJECT_PROCEDURE,
	SQL_OBJECT_FUNCTION,
	SQL_OBJECT_EVENT,
	SQL_OBJECT_SEQUENCE,
	SQL_OBJECT_DATABASE,
	SQL_OBJECT_PACKAGE,
};

struct sql_object {
	enum sql_object_kind kind;
	const char *schema; /* NULL when the statement names none */
	const char *name;   /* without quotes; in postgresql bare names are in lower case */
};

enum sql_flag {
	SQL_ALONE = 1 << 0, /* postgresql: cannot run inside a transaction */
	/* postgresql: object[0] is the index, object[1] of CREATE its table. An index without a name
	 * has object[0].name "". */
	SQL_CREATE_INDEX_CONCURRENTLY = 1 << 1,
	SQL_DROP_INDEX_CONCURRENTLY = 1 << 2,
	SQL_OURS = 1 << 3,        /* names bascule's own tables and does more than read */
	SQL_UNLOCKS = 1 << 4,     /* frees advisory locks that it did not take: all, or ours */
	SQL_SESSION = 1 << 5,     /* postgresql: changes role, search_path or all settings */
	SQL_TRACELESS = 1 << 6,   /* DDL that SHOW CREATE does not show: TRUNCATE */
	SQL_TEMPORARY = 1 << 7,   /* makes, changes or drops a TEMPORARY table, by its own word */
	SQL_CLIENT_FILE = 1 << 8, /* LOAD DATA LOCAL: reads a file of the client */
};

#define SQL_OBJECTS_MAX 64 /* more are left out, and the class becomes SQL_CLASS_OTHER */

struct sql_facts {
	enum sql_class class;
	/* DDL: IF [NOT] EXISTS and OR REPLACE forms that do nothing more when done again. SESSION: its
	 * value does not depend on data. DML: never. */
	bool repeatable;
	unsigned flags; /* enum sql_flag */
	/* DDL: what is made, changed or dropped; of an index and a trigger also the table it is on; of
	 * a renaming both names. DML: tables that are written, or may be. In the arena. */
	struct sql_object *object;
	size_t n_object;
};

/* Reads one statement of sqlsplit. engine "postgresql" or "mariadb" (of others: class OTHER). */
void sql_facts_read(struct arena *a, const char *engine, const struct sql_statement *s,
		    struct sql_facts *out);
/* "s1:" and the SHA-256 of the statement's text as it was split. */
void sql_statement_checksum(struct sv text, char out[CHECKSUM_SIZE]);

#endif
