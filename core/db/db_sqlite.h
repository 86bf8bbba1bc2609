/* SPDX-License-Identifier: MIT */
/* What the files of the SQLite driver share. Nobody else includes this. */
#ifndef DB_DB_SQLITE_H
#define DB_DB_SQLITE_H

#include "core/db/db.h"

#define SQLITE_CACHE_SLOTS 128 /* power of two; our own SQL has about forty texts */
#define SQLITE_RESTORE_MAX 8   /* settings a migration may change before its BEGIN */

/* What the authorizer lets the statement being prepared do. */
enum sqlite_guard {
	GUARD_OURS,        /* our own SQL: everything */
	GUARD_FREE,        /* foreign, outside a transaction of ours */
	GUARD_LOOK,        /* a leading PRAGMA of a migration, only to learn which one it is */
	GUARD_HOIST,       /* the same, to run it */
	GUARD_TRANSACTION, /* foreign, inside a migration's transaction */
};

struct sqlite_cached {
	const char *sql; /* the literal's address is the key */
	struct sqlite3_stmt *stmt;
};

/* A setting of the session as it was before a hoisted PRAGMA changed it. */
struct sqlite_saved {
	const struct sqlite_pragma *pragma;
	int64_t value;
};

/* Foreign key violations: of (table, row, parent) only a hash, sorted, with how often it occurs
 * (rows of a table without rowid cannot be told apart). */
struct sqlite_violation {
	uint64_t hash;
	uint64_t count;
};

struct sqlite_violations {
	bool known;           /* taken from the database as it is committed now */
	bool uncheckable;     /* a foreign key is declared wrongly: nothing can be compared */
	int64_t data_version; /* of the engine: changes when somebody else commits */
	struct sqlite_violation *item;
	size_t n, cap;
};

struct db_sqlite {
	struct db base;
	struct sqlite3 *conn;
	char *path;
	char *shown;
	struct cancel *cancel;
	int64_t lock_timeout_ms;
	int64_t busy_deadline_ms; /* of the wait that is going on */
	bool read_only;
	bool immutable;
	bool journal_kept; /* db_expect_many: journal_mode is persist, and was delete */
	struct sqlite_cached cache[SQLITE_CACHE_SLOTS];
	size_t n_cached;

	enum sqlite_guard guard;
	const struct sqlite_pragma *pragma; /* the one the statement just prepared names */
	char denied[160];                   /* why the authorizer said no; "" when it did not */

	bool migrating;
	bool fk_before; /* foreign_keys as they were before the migration */
	struct sqlite_saved saved[SQLITE_RESTORE_MAX];
	size_t n_saved;
	struct sqlite_violations before;
};

/* The driver behind a handle. */
struct db_sqlite *sqlite_of(struct db *db);
/* Fills e from an SQLite result code and the connection's words. what: "read", "copy". Returns -1. */
int sqlite_error(struct db_sqlite *s, int rc, struct err *e, const char *what);
/* ERR_CANCELLED when the connection's cancel has fired; asked at the start of every call. */
int sqlite_alive(struct db_sqlite *s, struct err *e) MUST_CHECK;
/* Lets a fired cancel interrupt the statement that runs now. Only around calls of SQLite that call
 * nothing of ours back: a cancel has room for one hook. */
void sqlite_hook(struct db_sqlite *s, bool on);
/* Opens another connection to a file of SQLite's, read-only. immutable: nobody writes it. */
int sqlite_open_other(const char *path, bool immutable, struct sqlite3 **out,
		      struct err *e) MUST_CHECK;

/* db_sqlite_migration.c: foreign statements and a migration's transaction. */
int sqlite_authorize(void *arg, int action, const char *a, const char *b, const char *schema,
		     const char *trigger);
int sqlite_foreign(struct db *db, struct sv sql, int64_t *changed, struct err *e) MUST_CHECK;
int sqlite_migration_begin(struct db *db, const struct sv *hoist, size_t n,
			   struct err *e) MUST_CHECK;
int sqlite_migration_commit(struct db *db, struct err *e) MUST_CHECK;
void sqlite_migration_rollback(struct db *db);

/* db_sqlite_copy.c: whole databases. */
int sqlite_copy_to(struct db *db, const char *path, struct err *e) MUST_CHECK;
int sqlite_copy_from(struct db *db, const char *path, int (*fence)(void *, struct err *), void *arg,
		     struct err *e) MUST_CHECK;
int sqlite_verify(struct db *db, struct err *e) MUST_CHECK;
int sqlite_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e);
int sqlite_schema_digest(struct db *db, char hex[65], struct err *e) MUST_CHECK;

#endif
