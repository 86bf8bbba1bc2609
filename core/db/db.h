/* SPDX-License-Identifier: MIT */
/*
 * One connection to one database engine, used by one thread at a time.
 *
 * A driver is one file with one struct db_ops; db_drivers[] in db.c lists them. Everything above
 * this header is written against it and against caps, never against an engine's name. The contract
 * test (tests/contract/test_db.c) runs the same cases against every driver.
 *
 * Time: every call ends when the connection's cancel fires (ERR_CANCELLED). Waiting for a lock of
 * the engine is bounded by lock_timeout_ms (ERR_BUSY). Errors of the engine are ERR_DB with the
 * engine's code in sys (SQLSTATE, error number) and its words in detail; a damaged database is
 * ERR_CORRUPT; a missing one ERR_NOT_FOUND; full disk, read-only and permission are ERR_SYSTEM with
 * sys ENOSPC, EROFS, EACCES where the engine tells them apart. On a server ERR_BUSY also stands for a
 * deadlock: whoever gets it may try again. A connection that broke is ERR_LOST: what was sent last may
 * have been done or not; it only fails from then on and is to be closed. A server that did not
 * answer in time is ERR_TIMEOUT.
 *
 * Our own statements are SQL that all engines know, with parameters ?1 ?2 … and our tables named
 * bascule_NAME; a driver writes both as its engine has them (postgresql: $1, bascule.NAME).
 *
 * A database that is a file (DB_LOCAL_FILE) must not be opened by other means in this process while
 * a connection to it is open: no fs_read, fs_copy or digest_file of it. Closing any descriptor of the
 * file drops every lock the process holds on it. stat(2) is harmless.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/cancel.h"
#include "core/base/str.h"
#include "core/db/dsn.h"

enum db_cap {
	DB_TX_DDL = 1 << 0,        /* DDL rolls back with its transaction */
	DB_SESSION_LOCK = 1 << 1,  /* the engine has advisory locks */
	DB_SERVER_CANCEL = 1 << 2, /* a statement can be cancelled from outside */
	DB_ONLINE_COPY = 1 << 3,   /* db_copy_to and db_copy_from work */
	DB_LOCAL_FILE = 1 << 4,    /* the database is a file of this machine */
	/* behind a socket: sessions, roles, a clock of its own; the section "Servers" below works */
	DB_SERVER = 1 << 5,
	DB_PIPELINE = 1 << 6, /* db_unit_*: statements sent without waiting for each answer */
};

enum db_open_flag {
	DB_READ_ONLY = 1 << 0, /* nothing is written, not even beside the file where avoidable */
	DB_CREATE = 1 << 1, /* make a missing database (only `create` does this); must not exist */
};

enum db_type { DB_NULL, DB_INT, DB_REAL, DB_TEXT, DB_BLOB };

struct db_value {
	enum db_type type;
	int64_t i;
	double r;
	struct sv s; /* text and blob; borrowed until the row callback returns */
};

#define DB_V_NULL ((struct db_value){ .type = DB_NULL })
#define DB_V_INT(x) ((struct db_value){ .type = DB_INT, .i = (x) })
struct db_value db_v_text(const char *s); /* NULL gives null */
struct db_value db_v_blob(struct sv s);

/* A row of a result. Return -1 (with e set) to stop; that becomes the result of the call. */
typedef int (*db_row_fn)(void *arg, const struct db_value *col, size_t n, struct err *e);

struct db_options {
	int64_t lock_timeout_ms;      /* default 5000 when 0 */
	int64_t statement_timeout_ms; /* of a migration's statements, kept by the server; 0: none */
	int64_t connect_timeout_ms;   /* default 10000 when 0; each host of a list anew */
	int64_t answer_timeout_ms;    /* for statements of ours; default 30000 when 0 */
	const char *
		server; /* what db_info names as the server, where the dsn leads to a tunnel; NULL */
};

struct db_info {
	char engine[16];  /* "sqlite" */
	char version[32]; /* "3.40.1" */
	/* sqlite: "journal_mode=delete synchronous=full"; other engines: what durability depends on */
	char durability[64];
	int64_t size_bytes; /* of a file; 0 elsewhere: see db_size */
	int64_t inode;      /* of a file; 0 elsewhere */
	bool read_only;     /* a standby, or a server that takes no writes */
	char role[80];      /* who we are there; "" for a file */
	char zone[64];      /* the session's time zone, as the server names it; "" for a file */
	char server[80];    /* "db1:5432", "/run/postgresql"; "" for a file */
};

struct db; /* one open connection */

/* Opens. cancel may be NULL and must outlive the connection. A sqlite file that does not exist, is
 * a folder, is empty of the SQLite header (and not zero bytes) or lies on a network file system is
 * refused here. */
int db_open(const struct dsn *dsn, unsigned flags, const struct db_options *opt,
	    struct cancel *cancel, struct db **out, struct err *e) MUST_CHECK;
void db_close(struct db *db); /* NULL is fine; an open transaction is rolled back */
/* What the connection stands on and shall go with it: fn(arg) is called once, behind its close. */
void db_on_close(struct db *db, void (*fn)(void *arg), void *arg);
/* Exchanges the cancel (NULL: none). A call made after the old one fired would end at once, so who
 * must still write something down after a stop (a failed event, the lock's row) exchanges it first. */
void db_set_cancel(struct db *db, struct cancel *cancel);
/* Many small transactions of ours follow (on), or are over. The driver may prepare for them where what
 * a commit promises stays the same: sqlite keeps its rollback journal from one to the next instead of
 * making and deleting a file each time. Best effort; closing ends it. */
void db_expect_many(struct db *db, bool on);
unsigned db_caps(const struct db *db);
const char *db_engine(const struct db *db);
int db_info(struct db *db, struct db_info *out, struct err *e) MUST_CHECK;
/* How large the database is. A question of its own, since a server may look at every file or table for it. */
int db_size(struct db *db, int64_t *bytes, struct err *e) MUST_CHECK;

/* One statement of ours with parameters (?1 …); rows go to fn (may be NULL). Prepared statements
 * are cached by the address of sql, which must be a string literal. A violated unique or primary
 * key is ERR_EXISTS here (in db_foreign it is ERR_DB as any other refusal). */
int db_exec(struct db *db, const char *sql, const struct db_value *param, size_t n_param,
	    db_row_fn fn, void *arg, struct err *e) MUST_CHECK;
/* The first column of the first row as an integer; dflt when there is no row or null. */
int db_int(struct db *db, const char *sql, const struct db_value *param, size_t n_param,
	   int64_t dflt, int64_t *out, struct err *e) MUST_CHECK;
/* Whether a table of this name exists in the schema we work in. */
int db_has_table(struct db *db, const char *name, bool *out, struct err *e) MUST_CHECK;
/* Several statements of ours at once, no parameters, no rows (making the ledger). */
int db_script(struct db *db, const char *sql, struct err *e) MUST_CHECK;
/* One statement out of a migration. Rows are dropped. Outside of db_migration_begin … commit it may
 * begin and end transactions, and what it sets in the session stays. *changed (may be NULL) gets the number of
 * rows it changed. Not cached. The guard below applies. */
int db_foreign(struct db *db, struct sv sql, int64_t *changed, struct err *e) MUST_CHECK;

/* A write transaction of ours: takes the write lock at once, so that it cannot fail later for
 * want of it. */
int db_begin(struct db *db, struct err *e) MUST_CHECK;
int db_commit(struct db *db, struct err *e) MUST_CHECK;
void db_rollback(struct db *db); /* nothing when no transaction is open */
bool db_in_transaction(const struct db *db);

/* --- Servers (DB_SERVER) ------------------------------------------------------------------------ */

/* One session of a server, named for ever: its number may be given out again, with started it is not. */
struct db_session {
	int64_t id; /* postgresql: pid of the backend; mariadb: CONNECTION_ID() */
	/* postgresql: backend_start; mariadb: the server's start, since ids only grow until the next */
	char started[40];
};
int db_session(struct db *db, struct db_session *out, struct err *e) MUST_CHECK;
/* Is that session still there? db is another connection to the same server. */
int db_session_alive(struct db *db, const struct db_session *s, bool *alive,
		     struct err *e) MUST_CHECK;
/* Ends it (pg_terminate_backend, KILL). It may take a while to go: ask db_session_alive. */
int db_session_end(struct db *db, const struct db_session *s, struct err *e) MUST_CHECK;
/* Cancels what db's server is executing now (PQcancel, KILL QUERY, sqlite3_interrupt): the statement
 * fails as ERR_DB, the connection stays good. Nothing when nothing runs. Every engine; any thread;
 * blocks for at most the connect timeout. */
void db_interrupt(struct db *db);
/* Puts the session back to what it was at connect, where a migration changed it: role, search path,
 * sql_mode, our timeouts. Locks and the connection stay. No transaction may be open. On every engine. */
int db_session_restore(struct db *db, struct err *e) MUST_CHECK;
/* The advisory lock of this name (DB_SESSION_LOCK), held by the session until it is given back or the
 * session ends. Never waits: *got. Taken twice by one session it is still one lock. */
int db_advisory_lock(struct db *db, const char *name, bool *got, struct err *e) MUST_CHECK;
void db_advisory_unlock(struct db *db, const char *name); /* best effort */
/* Who holds it: *held false when nobody. */
int db_advisory_holder(struct db *db, const char *name, bool *held, struct db_session *out,
		       struct err *e) MUST_CHECK;
/* One statement that fails on the server unless bascule_lock has this epoch and this session holds the
 * advisory lock of this name. It locks the row against a takeover until the transaction ends, and
 * stands first in what is sent ahead. Appended to out, without a semicolon. */
void db_fence_sql(struct db *db, const char *lock_name, int64_t epoch, struct strbuf *out);
/* True when e is what a fence statement says. */
bool db_is_fence_error(const struct db *db, const struct err *e);
/* The server's clock. */
int db_now(struct db *db, int64_t *utc_ms, struct err *e) MUST_CHECK;
/* ERR_UNSUPPORTED when a pooler stands in between that gives each transaction to another session: no
 * lock would hold. Opens a further connection to find out where the first answer leaves a doubt. */
int db_check_pooler(struct db *db, struct err *e) MUST_CHECK;

/*
 * DB_PIPELINE. A unit is a list of statements that the server runs in order; it stops at the first
 * that fails, and then neither the rest of the unit nor any unit sent behind it is run. Units are
 * answered in the order they were sent. postgresql: one pipeline, a sync behind each unit; mariadb:
 * units wait here until somebody asks for an answer and travel together in one packet.
 *
 * A unit may hold START TRANSACTION (a bare BEGIN is a block in one of mariadb's modes) and COMMIT as items. The contract says nothing about what a failed unit leaves
 * behind but this: db_units_clear ends it as ROLLBACK does.
 */
struct db_item {
	struct sv text; /* one statement as it is: of a migration, or BEGIN, COMMIT, a fence */
	/* Or one of ours with parameters, when text is empty. Borrowed until db_unit_send returns. */
	const char *sql;
	const struct db_value *param;
	size_t n_param;
	/* It may give several results (CALL): all of them are its own. Nothing may stand behind it in its
	 * unit, and the next unit is sent only once it is answered. */
	bool alone;
	/* Rows of its result (NULL: dropped). Called from db_unit_result; arg must live until then. */
	db_row_fn fn;
	void *arg;
};
/* Sends (or keeps for sending). ERR_LIMIT when the unit is larger than the server takes. */
int db_unit_send(struct db *db, const struct db_item *item, size_t n, struct err *e) MUST_CHECK;
/* Waits for the answer to the oldest unit. On failure *failed is the index of the item that failed, or the
 * number of items when it was the connection (ERR_LOST, ERR_CANCELLED before an answer). A statement may
 * take as long as it likes: cancel and statement_timeout_ms bound it. */
int db_unit_result(struct db *db, size_t *failed, struct err *e) MUST_CHECK;
size_t db_units_waiting(const struct db *db); /* sent and not answered */
/* Behind a failure or a cancel: takes what answers still come and ends an open transaction. -1 when the
 * connection is not good any more. Nothing when nothing waits and no transaction is open. */
int db_units_clear(struct db *db, struct err *e) MUST_CHECK;
/* The most bytes one unit may have; SIZE_MAX: no limit. */
size_t db_unit_max_bytes(const struct db *db);

/*
 * A migration's transaction. begin: what the engine needs before BEGIN (sqlite: foreign keys off;
 * the hoisted leading PRAGMAs in hoist[0..n)), then BEGIN. While it is open, foreign statements
 * cannot end it, attach files, or write bascule's tables (sqlite: an authorizer). commit: what must
 * hold first (sqlite: no foreign key violation that was not there before: ERR_INPUT naming table,
 * row and parent), then COMMIT, then the session as it was. On any failure the caller calls
 * db_migration_rollback. On engines without DB_TX_DDL these are refused (they have steps of their own).
 */
int db_migration_begin(struct db *db, const struct sv *hoist, size_t n, struct err *e) MUST_CHECK;
int db_migration_commit(struct db *db, struct err *e) MUST_CHECK;
void db_migration_rollback(struct db *db);

/* DB_ONLINE_COPY: writes a consistent copy of the database to a new file path (0600) in one step
 * and fsyncs it; the source stays usable. ERR_EXISTS when path exists; no file is left on failure. */
int db_copy_to(struct db *db, const char *path, struct err *e) MUST_CHECK;
/* Replaces this database's whole content by the file's in one transaction of the engine. fence is
 * called once the write lock is held and before the first page changes; -1 from it leaves
 * everything untouched. No transaction may be open. */
int db_copy_from(struct db *db, const char *path, int (*fence)(void *arg, struct err *e), void *arg,
		 struct err *e) MUST_CHECK;
/* Reads every page and index of the database (sqlite: integrity_check). ERR_CORRUPT with the first
 * finding in detail. */
int db_verify(struct db *db, struct err *e) MUST_CHECK;
struct db_table {
	const char *name;
	int64_t rows;  /* -1: not known (quick only) */
	bool exact;    /* rows were counted; else the engine's estimate */
	int64_t bytes; /* with indexes; -1: not known */
};
typedef int (*db_table_fn)(void *arg, const struct db_table *t, struct err *e);
/* Tables of the user, sorted, with row counts: for manifests and comparisons. quick: for looking at; what
 * would take long to count is estimated, and bytes are asked for where the engine knows them. */
int db_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e) MUST_CHECK;
#define DB_QUICK_BYTES ((int64_t)8 << 20) /* tables up to this size are counted all the same */
/* What else is to be said of a server, for people: name "started", value "2026-11-28 04:55 UTC". Borrowed until
 * the callback returns. No calls for a file. */
typedef int (*db_fact_fn)(void *arg, const char *name, const char *value, struct err *e);
int db_facts(struct db *db, db_fact_fn fn, void *arg, struct err *e) MUST_CHECK;
/* For drivers that ask in one row: its columns, in the order of the names, to fn; NULL values are left out. */
struct db_fact_row {
	const char *const *names;
	size_t n;
	db_fact_fn fn;
	void *arg;
};
int db_fact_row(void *fact_row, const struct db_value *col, size_t n, struct err *e);

enum db_privilege_state { DB_PRIVILEGE_HELD, DB_PRIVILEGE_MISSING, DB_PRIVILEGE_BEYOND };
/* One thing that our role may do here: what operations need and it has or lacks, or what none of them needs. */
struct db_privilege {
	enum db_privilege_state state;
	bool optional;     /* MISSING: something is not shown, nothing fails */
	const char *name;  /* "CREATE on schema public" */
	const char *words; /* what for; of BEYOND: what it allows */
	const char *mend;  /* the statement that gives or takes it; "" */
};
typedef int (*db_privilege_fn)(void *arg, const struct db_privilege *p, struct err *e);
int db_privileges(struct db *db, db_privilege_fn fn, void *arg, struct err *e) MUST_CHECK;

/*
 * What the engine keeps but does not hold to: an index that no query uses, a constraint that was never
 * checked. Strings are borrowed until the callback returns.
 */
struct db_defect {
	/* Names it for ever: "index public.orders_i", "constraint public.orders.orders_fk". */
	const char *object;
	const char *name;  /* "orders_i" */
	const char *words; /* "index orders_i is invalid" */
	const char *mend;  /* a statement or an action */
};
typedef int (*db_defect_fn)(void *arg, const struct db_defect *d, struct err *e);
/* Every defect that the catalogue shows, in one question; indexes that are being built are left out. Nothing
 * on engines whose catalogue has no such mark. */
int db_defects(struct db *db, db_defect_fn fn, void *arg, struct err *e) MUST_CHECK;

/* One foreign key, looked at row by row. */
struct db_reference {
	const char *name, *table, *parent;
	int64_t orphans; /* rows without a parent, counted up to DB_ORPHANS_MAX; -1: not known */
	const char *why; /* … for this reason */
};
#define DB_ORPHANS_MAX 1000
/* Do the rows of a table keep to its foreign keys? Each key for at most limit_ms. name NULL: all of the
 * table. For engines where a key can be made unchecked and nothing tells it later; no calls elsewhere. */
int db_references_check(struct db *db, const char *table, const char *name, int64_t limit_ms,
			int (*fn)(void *arg, const struct db_reference *r, struct err *e),
			void *arg, struct err *e) MUST_CHECK;
/* A digest of the user's schema (bascule's tables left out, order independent, blanks and comments
 * as the engine stored them). */
int db_schema_digest(struct db *db, char hex[65], struct err *e) MUST_CHECK;

/* What a driver provides; every slot is mandatory unless the comment in db.c says otherwise. */
struct db_ops {
	const char *scheme;
	unsigned caps;
	int (*open)(const struct dsn *, unsigned flags, const struct db_options *, struct cancel *,
		    struct db **, struct err *);
	void (*close)(struct db *);
	void (*set_cancel)(struct db *, struct cancel *);
	void (*expect_many)(struct db *, bool on); /* NULL: nothing to prepare */
	int (*has_table)(struct db *, const char *, bool *, struct err *);
	int (*info)(struct db *, struct db_info *, struct err *);
	int (*size)(struct db *, int64_t *, struct err *); /* NULL: info says it */
	int (*exec)(struct db *, const char *, const struct db_value *, size_t, db_row_fn, void *,
		    struct err *);
	int (*script)(struct db *, const char *, struct err *);
	int (*foreign)(struct db *, struct sv, int64_t *, struct err *);
	int (*begin)(struct db *, struct err *);
	int (*commit)(struct db *, struct err *);
	void (*rollback)(struct db *);
	bool (*in_transaction)(const struct db *);
	int (*migration_begin)(struct db *, const struct sv *, size_t, struct err *);
	int (*migration_commit)(struct db *, struct err *);
	void (*migration_rollback)(struct db *);
	int (*copy_to)(struct db *, const char *, struct err *);
	int (*copy_from)(struct db *, const char *, int (*)(void *, struct err *), void *,
			 struct err *);
	int (*verify)(struct db *, struct err *);
	int (*tables)(struct db *, bool, db_table_fn, void *, struct err *);
	int (*facts)(struct db *, db_fact_fn, void *, struct err *);           /* NULL: none */
	int (*privileges)(struct db *, db_privilege_fn, void *, struct err *); /* NULL: no roles */
	int (*schema_digest)(struct db *, char[65], struct err *);
	int (*defects)(struct db *, db_defect_fn, void *, struct err *); /* NULL: has none */
	/* NULL: its foreign keys always hold, or its catalogue says which do not. */
	int (*references_check)(struct db *, const char *, const char *, int64_t,
				int (*)(void *, const struct db_reference *, struct err *), void *,
				struct err *);
	void (*interrupt)(struct db *);
	/* NULL on engines without DB_SERVER. */
	int (*session)(struct db *, struct db_session *, struct err *);
	int (*session_alive)(struct db *, const struct db_session *, bool *, struct err *);
	int (*session_end)(struct db *, const struct db_session *, struct err *);
	int (*session_restore)(struct db *, struct err *);
	int (*advisory_lock)(struct db *, const char *, bool *, struct err *);
	void (*advisory_unlock)(struct db *, const char *);
	int (*advisory_holder)(struct db *, const char *, bool *, struct db_session *,
			       struct err *);
	void (*fence_sql)(struct db *, const char *, int64_t, struct strbuf *);
	bool (*is_fence_error)(const struct db *, const struct err *);
	int (*now)(struct db *, int64_t *, struct err *);
	int (*check_pooler)(struct db *, struct err *); /* NULL: no pooler is known for it */
	/* NULL on engines without DB_PIPELINE. */
	int (*unit_send)(struct db *, const struct db_item *, size_t, struct err *);
	int (*unit_result)(struct db *, size_t *, struct err *);
	size_t (*units_waiting)(const struct db *);
	int (*units_clear)(struct db *, struct err *);
	size_t (*unit_max_bytes)(const struct db *);
};

/* Every driver's struct starts with this. */
struct db {
	const struct db_ops *ops;
	void (*closed)(void *arg); /* db_on_close */
	void *closed_arg;
	char *server; /* of db_options; NULL */
};

extern const struct db_ops db_sqlite_ops, db_postgres_ops, db_mariadb_ops;
/* The driver of a scheme, or NULL. */
const struct db_ops *db_driver(const char *scheme);

#endif
