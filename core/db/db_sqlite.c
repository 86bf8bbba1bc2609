/* SPDX-License-Identifier: MIT */
/*
 * The SQLite driver: connections, our own statements, transactions, errors.
 *
 * Foreign statements and migrations are in db_sqlite_migration.c, whole databases in
 * db_sqlite_copy.c.
 *
 * The database file is never opened with open(2) here, nor may anybody else in a process that has
 * it open: SQLite's locks are POSIX locks, and closing any descriptor of the file drops all locks
 * the process holds on it. That goes for fs_copy() and digest_file() on a live database too. What
 * must be known about the file comes from stat(2) or is read through SQLite's own descriptor.
 *
 * How long a call can take: sqlite3_step is interrupted by the progress handler (and, for single
 * long instructions of foreign statements, by a cancel hook); waiting for another process's lock
 * happens in the busy handler, in wait_fds; an fsync or a page read of a hanging disk can not be
 * interrupted by anybody.
 *
 * The authorizer is installed once, with a mode in the struct: installing it anew expires every
 * prepared statement of the connection.
 */
#include "core/db/db_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"

#define LOCK_TIMEOUT_DEFAULT_MS 5000
#define PROGRESS_STEPS 2000 /* VM instructions between two looks at the cancel: well below 1 ms */
#define HEADER_BYTES 20     /* of the file's first page: up to the two WAL version bytes */

struct db_sqlite *sqlite_of(struct db *db)
{
	return (struct db_sqlite *)db; /* base is the first member */
}

/* --- Errors ---------------------------------------------------------------------------------- */

/* The engine's code for people: its name, and the extended number when that says more. */
static void code_name(int rc, char out[24])
{
	static const char *const name[] = {
		"OK",       "ERROR",    "INTERNAL",  "PERM",   "ABORT",   "BUSY",       "LOCKED",
		"NOMEM",    "READONLY", "INTERRUPT", "IOERR",  "CORRUPT", "NOTFOUND",   "FULL",
		"CANTOPEN", "PROTOCOL", "EMPTY",     "SCHEMA", "TOOBIG",  "CONSTRAINT", "MISMATCH",
		"MISUSE",   "NOLFS",    "AUTH",      "FORMAT", "RANGE",   "NOTADB",
	};
	int primary = rc & 0xff;
	const char *word = (size_t)primary < sizeof(name) / sizeof(name[0]) ? name[primary]
									    : "CODE";

	if (rc == primary)
		snprintf(out, 24, "SQLITE_%s", word);
	else
		snprintf(out, 24, "SQLITE_%s/%d", word, rc);
}

/* The errno behind a result code, or 0 when it is not the system's fault. */
static int system_errno(struct db_sqlite *s, int rc)
{
	int err = s->conn != NULL ? sqlite3_system_errno(s->conn) : 0;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_PERM:
		return EACCES;
	case SQLITE_CANTOPEN:
		return err != 0 ? err : EACCES;
	case SQLITE_IOERR:
		return err != 0 ? err : EIO;
	case SQLITE_NOLFS:
		return EFBIG;
	default:
		return 0;
	}
}

/* Whether a cancel shows itself by this code: the statement interrupted, or the wait given up. */
static bool stops(int rc)
{
	int primary = rc & 0xff;

	return primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
}

int sqlite_error(struct db_sqlite *s, int rc, struct err *e, const char *what)
{
	const char *words = s->conn != NULL ? sqlite3_errmsg(s->conn) : sqlite3_errstr(rc);
	int errnum = system_errno(s, rc);

	if ((rc & 0xff) == SQLITE_NOMEM)
		mem_oom();
	if (cancel_fired(s->cancel) && stops(rc))
		return err_set(e, ERR_CANCELLED, "stopped: cannot %s %s", what, s->shown);
	if (errnum != 0) {
		err_sys(e, errnum, "cannot %s %s", what, s->shown);
		if ((rc & 0xff) == SQLITE_FULL)
			return err_hint(e, "make room on the file system of %s", s->path);
		return err_detail(e, "%s: %s", err_errno_name(errnum), words);
	}
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err_set(e, ERR_CORRUPT, "cannot %s %s", what, s->shown);
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		err_set(e, ERR_BUSY, "cannot %s %s: another process is using it", what, s->shown);
		err_detail(e, "%s, after %lld ms", words, (long long)s->lock_timeout_ms);
		err_hint(e, "see who has it open: fuser -v %s", s->path);
		goto coded;
	default:
		err_set(e, ERR_DB, "cannot %s %s", what, s->shown);
		break;
	}
	err_detail(e, "%s", words);
coded:
	code_name(rc, e->sys);
	return -1;
}

/* --- Waiting and stopping ---------------------------------------------------------------------- */

/* SQLite calls this each time it finds the file locked: 1 tries again, 0 gives up. */
static int busy(void *arg, int count)
{
	struct db_sqlite *s = arg;
	int64_t now = clock_mono_ms();
	int64_t pause = count < 5 ? 1 + count : count < 20 ? 10 : 50;
	struct err ignored;

	if (count == 0)
		s->busy_deadline_ms = now + s->lock_timeout_ms;
	if (now >= s->busy_deadline_ms)
		return 0;
	if (pause > s->busy_deadline_ms - now)
		pause = s->busy_deadline_ms - now;
	return wait_fds(NULL, 0, now + pause, s->cancel, &ignored) == 0;
}

static int progress(void *arg)
{
	struct db_sqlite *s = arg;

	return cancel_fired(s->cancel);
}

static void interrupt(void *conn)
{
	sqlite3_interrupt(conn);
}

void sqlite_hook(struct db_sqlite *s, bool on)
{
	cancel_hook(s->cancel, on ? interrupt : NULL, s->conn);
}

int sqlite_alive(struct db_sqlite *s, struct err *e)
{
	if (cancel_fired(s->cancel))
		return err_set(e, ERR_CANCELLED, "stopped before using %s", s->shown);
	return 0;
}

static void set_cancel(struct db *db, struct cancel *cancel)
{
	sqlite_of(db)->cancel = cancel;
}

/* --- Opening ----------------------------------------------------------------------------------- */

/* What stat(2) and the file system say, before SQLite touches anything. */
static int check_file(const struct dsn *dsn, unsigned flags, struct err *e)
{
	struct stat st;
	char kind[16];

	if (fs_is_network(dsn->path, kind)) {
		err_set(e, ERR_INPUT, "%s is on a network file system", dsn->shown);
		err_detail(e, "%s: file locks cannot be relied on there", kind);
		return err_hint(e, "move the database to a local disk");
	}
	if (stat(dsn->path, &st) != 0) {
		if (errno == ENOENT && (flags & DB_CREATE) != 0)
			return 0;
		return err_sys(e, errno, "cannot open %s", dsn->shown);
	}
	if ((flags & DB_CREATE) != 0)
		return err_set(e, ERR_EXISTS, "cannot create %s: it is there already", dsn->shown);
	if (S_ISDIR(st.st_mode)) {
		err_set(e, ERR_INPUT, "cannot open %s", dsn->shown);
		return err_detail(e, "it is a folder");
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_INPUT, "cannot open %s", dsn->shown);
		return err_detail(e, "it is not a regular file");
	}
	return 0;
}

/* An empty file is a valid empty database. O_EXCL makes this the only place that can create one.
 * No other connection of this process can have the file open yet, so open(2) is safe here. */
static int create_file(const struct dsn *dsn, struct err *e)
{
	int fd = open(dsn->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", dsn->shown);
	close(fd);
	return 0;
}

/* Percent-encodes what has a meaning in SQLite's file: URLs. Caller frees. */
static char *file_url(const char *path)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, "file:");
	for (; *path != '\0'; path++) {
		if (*path == '%' || *path == '?' || *path == '#')
			strbuf_addf(&b, "%%%02X", (unsigned)*path);
		else
			strbuf_addc(&b, *path);
	}
	strbuf_adds(&b, "?immutable=1");
	return strbuf_detach(&b);
}

static int raw_open(const char *path, int mode, bool immutable, sqlite3 **out)
{
	char *url = immutable ? file_url(path) : NULL;
	int flags = mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(url != NULL ? url : path, out,
				 flags | (immutable ? SQLITE_OPEN_URI : 0), NULL);

	mem_free(url);
	return rc;
}

int sqlite_open_other(const char *path, bool immutable, struct sqlite3 **out, struct err *e)
{
	struct db_sqlite view = { .shown = (char *)path, .path = (char *)path };
	int rc = raw_open(path, SQLITE_OPEN_READONLY, immutable, &view.conn);

	if (rc != SQLITE_OK) {
		sqlite_error(&view, rc, e, "open");
		sqlite3_close(view.conn);
		return -1;
	}
	*out = view.conn;
	return 0;
}

/* Whether the file says it is in WAL mode, read through SQLite's own descriptor and without its
 * locks: asking SQLite the ordinary way would already make the -wal and -shm files. */
static bool header_is_wal(sqlite3 *conn)
{
	unsigned char head[HEADER_BYTES];
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(conn, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    file == NULL || file->pMethods == NULL)
		return false;
	if (file->pMethods->xRead(file, head, sizeof(head), 0) != SQLITE_OK)
		return false;
	return head[18] == 2;
}

static bool has_wal(const char *path)
{
	struct strbuf b;
	struct stat st;
	bool found;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_addf(&b, "%s-wal", path);
	found = stat(strbuf_str(&b), &st) == 0;
	strbuf_clear(&b);
	return found;
}

/* The first read of the file: its header, a journal left by a crash, the WAL. */
static int first_read(sqlite3 *conn)
{
	return sqlite3_exec(conn, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
}

static int install(struct db_sqlite *s)
{
	sqlite3_busy_handler(s->conn, busy, s);
	sqlite3_progress_handler(s->conn, PROGRESS_STEPS, progress, s);
	return sqlite3_set_authorizer(s->conn, sqlite_authorize, s);
}

/* Opens s->conn in one way and reads; the connection is left open for its error text. */
static int try_open(struct db_sqlite *s, int mode, bool immutable)
{
	int rc;

	sqlite3_close(s->conn);
	s->conn = NULL;
	s->immutable = immutable;
	rc = raw_open(s->path, mode, immutable, &s->conn);
	if (rc != SQLITE_OK)
		return rc;
	install(s);
	if (s->read_only && mode == SQLITE_OPEN_READWRITE) {
		rc = sqlite3_exec(s->conn, "PRAGMA query_only = 1", NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return rc;
	}
	return first_read(s->conn);
}

static bool may(const char *path)
{
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

static bool may_write(const char *path)
{
	char *dir = path_dir(path);
	bool yes = may(path) && may(dir);

	mem_free(dir);
	return yes;
}

/*
 * Reading only, leaving nothing behind. A database in WAL mode needs its -wal and -shm even for
 * reading, and a read-only connection that had to make them leaves them there; one that may write
 * removes them when it closes. So where no -wal exists we open for writing with query_only set.
 * Where we may not write, nobody else is writing either as far as we can see: immutable. A
 * transaction that a crash cut off has to be played back before anything can be read: that too
 * needs a writing connection.
 */
static int open_read_only(struct db_sqlite *s)
{
	bool writable = may_write(s->path);
	int rc = raw_open(s->path, SQLITE_OPEN_READONLY, false, &s->conn);

	if (rc != SQLITE_OK)
		return rc;
	if (header_is_wal(s->conn) && !has_wal(s->path))
		return writable ? try_open(s, SQLITE_OPEN_READWRITE, false)
				: try_open(s, SQLITE_OPEN_READONLY, true);
	rc = try_open(s, SQLITE_OPEN_READONLY, false);
	if (((rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_CANTOPEN) && writable)
		rc = try_open(s, SQLITE_OPEN_READWRITE, false);
	return rc;
}

static int open_error(struct db_sqlite *s, int rc, struct err *e)
{
	sqlite_error(s, rc, e, "open");
	if (s->read_only && ((rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_CANTOPEN)) {
		err_detail(e, "%s: a transaction must be recovered first and we may not write here",
			   s->conn != NULL ? sqlite3_errmsg(s->conn) : sqlite3_errstr(rc));
		return err_hint(e, "as the file's owner: sqlite3 %s 'PRAGMA schema_version'",
				s->path);
	}
	if ((rc & 0xff) == SQLITE_NOTADB)
		return err_hint(e, "%s is not an SQLite database (or it is encrypted)", s->path);
	return -1;
}

static int open_any(struct db_sqlite *s, struct err *e)
{
	int rc = s->read_only ? open_read_only(s) : try_open(s, SQLITE_OPEN_READWRITE, false);

	if (rc != SQLITE_OK)
		return open_error(s, rc, e);
	/* SQLite falls back to reading silently; the first write would be too late to learn it. */
	if (!s->read_only && sqlite3_db_readonly(s->conn, "main") == 1) {
		int why = may(s->path) ? EROFS : errno;

		return err_sys(e, why, "cannot open %s for writing", s->shown);
	}
	return 0;
}

static void close_sqlite(struct db *db);

static int open_sqlite(const struct dsn *dsn, unsigned flags, const struct db_options *opt,
		       struct cancel *cancel, struct db **out, struct err *e)
{
	struct db_sqlite *s;

	if (check_file(dsn, flags, e) != 0)
		return -1;
	if ((flags & DB_CREATE) != 0 && create_file(dsn, e) != 0)
		return -1;
	s = mem_calloc(1, sizeof(*s));
	s->base.ops = &db_sqlite_ops;
	s->path = mem_strdup(dsn->path);
	s->shown = mem_strdup(dsn->shown);
	s->cancel = cancel;
	s->lock_timeout_ms = opt != NULL && opt->lock_timeout_ms > 0 ? opt->lock_timeout_ms
								     : LOCK_TIMEOUT_DEFAULT_MS;
	s->read_only = (flags & DB_READ_ONLY) != 0;
	if (open_any(s, e) != 0) {
		close_sqlite(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}

/* Sets the rollback journal's mode when it is `from` now. Not through exec(): it must also work behind
 * a cancel. */
static bool switch_journal(struct db_sqlite *s, const char *from, const char *to_sql)
{
	sqlite3_stmt *stmt = NULL;
	bool is_from = false;

	if (sqlite3_prepare_v2(s->conn, "PRAGMA journal_mode", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		is_from = sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), from) == 0;
	sqlite3_finalize(stmt);
	return is_from && sqlite3_exec(s->conn, to_sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* A journal file made and deleted for each transaction costs two changes of its folder, one of them
 * synced; kept, its blocks are written over. Commit and recovery are the same: a journal whose header
 * is zero is none. */
static void expect_many(struct db *db, bool on)
{
	struct db_sqlite *s = sqlite_of(db);

	if (s->read_only || s->conn == NULL || s->journal_kept == on)
		return;
	if (on)
		s->journal_kept = switch_journal(s, "delete", "PRAGMA journal_mode = PERSIST");
	else
		s->journal_kept = !switch_journal(s, "persist", "PRAGMA journal_mode = DELETE");
}

static void cache_clear(struct db_sqlite *s)
{
	for (size_t i = 0; i < SQLITE_CACHE_SLOTS; i++) {
		sqlite3_finalize(s->cache[i].stmt);
		s->cache[i] = (struct sqlite_cached){ NULL, NULL };
	}
	s->n_cached = 0;
}

static void close_sqlite(struct db *db)
{
	struct db_sqlite *s = sqlite_of(db);

	cache_clear(s);
	expect_many(db, false);
	/* With every statement finalized this closes at once and rolls back what is open. */
	sqlite3_close(s->conn);
	mem_free(s->before.item);
	mem_free(s->path);
	mem_free(s->shown);
	mem_free(s);
}

/* --- Our own statements ------------------------------------------------------------------------ */

/* The slot of a literal: by address, open addressing. NULL when the table is getting full. */
static struct sqlite_cached *cache_slot(struct db_sqlite *s, const char *sql)
{
	size_t at = ((uintptr_t)sql >> 3) * 0x9E3779B1u;

	for (size_t i = 0; i < SQLITE_CACHE_SLOTS; i++) {
		struct sqlite_cached *slot = &s->cache[(at + i) & (SQLITE_CACHE_SLOTS - 1)];

		if (slot->sql == sql)
			return slot;
		if (slot->sql == NULL)
			return s->n_cached < SQLITE_CACHE_SLOTS * 3 / 4 ? slot : NULL;
	}
	return NULL;
}

/* A prepared statement for sql. *own is set when the caller must finalize it: the cache is full,
 * or the cached one is running (the same text used again from its own row callback). */
static int prepare(struct db_sqlite *s, const char *sql, sqlite3_stmt **out, bool *own)
{
	struct sqlite_cached *slot = cache_slot(s, sql);
	int rc;

	*own = false;
	if (slot != NULL && slot->stmt != NULL && !sqlite3_stmt_busy(slot->stmt)) {
		*out = slot->stmt;
		return SQLITE_OK;
	}
	*own = slot == NULL || slot->stmt != NULL;
	rc = sqlite3_prepare_v3(s->conn, sql, -1, *own ? 0 : SQLITE_PREPARE_PERSISTENT, out, NULL);
	if (rc == SQLITE_OK && !*own) {
		*slot = (struct sqlite_cached){ sql, *out };
		s->n_cached++;
	}
	return rc;
}

static int bind(sqlite3_stmt *stmt, const struct db_value *param, size_t n)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		const struct db_value *v = &param[i];
		int at = (int)i + 1;

		switch (v->type) {
		case DB_NULL:
			rc = sqlite3_bind_null(stmt, at);
			break;
		case DB_INT:
			rc = sqlite3_bind_int64(stmt, at, v->i);
			break;
		case DB_REAL:
			rc = sqlite3_bind_double(stmt, at, v->r);
			break;
		case DB_TEXT:
			rc = sqlite3_bind_text64(stmt, at, v->s.p != NULL ? v->s.p : "", v->s.n,
						 SQLITE_STATIC, SQLITE_UTF8);
			break;
		case DB_BLOB:
			/* A NULL pointer would bind null, not an empty blob. */
			rc = sqlite3_bind_blob64(stmt, at, v->s.p != NULL ? v->s.p : "", v->s.n,
						 SQLITE_STATIC);
			break;
		}
	}
	return rc;
}

static struct db_value column(sqlite3_stmt *stmt, int at)
{
	struct db_value v = DB_V_NULL;

	switch (sqlite3_column_type(stmt, at)) {
	case SQLITE_INTEGER:
		v.type = DB_INT;
		v.i = sqlite3_column_int64(stmt, at);
		break;
	case SQLITE_FLOAT:
		v.type = DB_REAL;
		v.r = sqlite3_column_double(stmt, at);
		break;
	case SQLITE_TEXT:
		v.type = DB_TEXT;
		v.s.p = (const char *)sqlite3_column_text(stmt, at);
		v.s.n = (size_t)sqlite3_column_bytes(stmt, at);
		break;
	case SQLITE_BLOB:
		v.type = DB_BLOB;
		v.s.p = sqlite3_column_blob(stmt, at);
		v.s.n = (size_t)sqlite3_column_bytes(stmt, at);
		if (v.s.p == NULL)
			v.s.p = "";
		break;
	default:
		break;
	}
	return v;
}

#define COLUMNS_MAX 64 /* of our own selects */

/* Steps to the end. SQLITE_OK, an error, or SQLITE_DONE when fn stopped it (e is set then). */
static int step_rows(sqlite3_stmt *stmt, db_row_fn fn, void *arg, struct err *e)
{
	struct db_value col[COLUMNS_MAX];
	int n = sqlite3_column_count(stmt);
	int rc;

	if (n > COLUMNS_MAX)
		n = COLUMNS_MAX;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (fn == NULL)
			continue;
		for (int i = 0; i < n; i++)
			col[i] = column(stmt, i);
		if (fn(arg, col, (size_t)n, e) != 0)
			return SQLITE_DONE;
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int exec(struct db *db, const char *sql, const struct db_value *param, size_t n_param,
		db_row_fn fn, void *arg, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);
	sqlite3_stmt *stmt = NULL;
	bool own = false;
	int rc;

	if (sqlite_alive(s, e) != 0)
		return -1;
	rc = prepare(s, sql, &stmt, &own);
	if (rc == SQLITE_OK)
		rc = bind(stmt, param, n_param);
	if (rc == SQLITE_OK)
		rc = step_rows(stmt, fn, arg, e);
	if (rc != SQLITE_OK && rc != SQLITE_DONE) {
		sqlite_error(s, rc, e, "use");
		if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
			e->code = ERR_EXISTS;
	}
	if (own) {
		sqlite3_finalize(stmt);
	} else if (stmt != NULL) {
		/* A statement left in the middle of its rows would keep a read lock. */
		sqlite3_reset(stmt);
		if (n_param > 0)
			sqlite3_clear_bindings(stmt);
	}
	return rc == SQLITE_OK ? 0 : -1;
}

static int script(struct db *db, const char *sql, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);
	int rc;

	if (sqlite_alive(s, e) != 0)
		return -1;
	rc = sqlite3_exec(s->conn, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_error(s, rc, e, "use");
}

static int has_table(struct db *db, const char *name, bool *out, struct err *e)
{
	struct db_value p = db_v_text(name);
	int64_t n;

	if (db_int(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1", &p,
		   1, 0, &n, e) != 0)
		return -1;
	*out = n > 0;
	return 0;
}

/* --- Transactions ------------------------------------------------------------------------------ */

/* IMMEDIATE takes the write lock now: a transaction that begins by reading and upgrades later can
 * be refused without any wait, because waiting could deadlock. */
static int begin(struct db *db, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);

	if (s->read_only)
		return err_sys(e, EROFS, "cannot write %s: opened for reading", s->shown);
	return exec(db, "BEGIN IMMEDIATE", NULL, 0, NULL, NULL, e);
}

static int commit(struct db *db, struct err *e)
{
	return exec(db, "COMMIT", NULL, 0, NULL, NULL, e);
}

static bool in_transaction(const struct db *db)
{
	const struct db_sqlite *s = (const struct db_sqlite *)db;

	return sqlite3_get_autocommit(s->conn) == 0;
}

/* Not through exec(): rolling back must also work, and especially so, after a cancel. Its result
 * says nothing new: when it fails the engine has rolled back by itself already. */
static void rollback(struct db *db)
{
	struct db_sqlite *s = sqlite_of(db);
	struct cancel *cancel = s->cancel;

	if (!in_transaction(db))
		return;
	s->cancel = NULL;
	sqlite3_exec(s->conn, "ROLLBACK", NULL, NULL, NULL);
	s->cancel = cancel;
}

/* --- About the file ---------------------------------------------------------------------------- */

static int keep_text(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	str_copy_sv(arg, 16, col[0].s);
	return 0;
}

static int info(struct db *db, struct db_info *out, struct err *e)
{
	static const char *const level[] = { "off", "normal", "full", "extra" };
	struct db_sqlite *s = sqlite_of(db);
	struct db_info got = { .engine = "sqlite" };
	char journal[16] = "";
	int64_t sync;
	struct stat st;

	if (exec(db, "PRAGMA journal_mode", NULL, 0, keep_text, journal, e) != 0 ||
	    db_int(db, "PRAGMA synchronous", NULL, 0, 2, &sync, e) != 0)
		return -1;
	if (stat(s->path, &st) != 0)
		return err_sys(e, errno, "cannot look at %s", s->shown);
	str_copy(got.version, sizeof(got.version), sqlite3_libversion());
	snprintf(got.durability, sizeof(got.durability), "journal_mode=%s synchronous=%s", journal,
		 sync >= 0 && sync <= 3 ? level[sync] : "unknown");
	got.size_bytes = st.st_size;
	got.inode = (int64_t)st.st_ino;
	*out = got;
	return 0;
}

static void sqlite_interrupt(struct db *db)
{
	sqlite3_interrupt(sqlite_of(db)->conn);
}

const struct db_ops db_sqlite_ops = {
	.interrupt = sqlite_interrupt,
	.scheme = "sqlite",
	.caps = DB_TX_DDL | DB_SERVER_CANCEL | DB_ONLINE_COPY | DB_LOCAL_FILE,
	.open = open_sqlite,
	.close = close_sqlite,
	.set_cancel = set_cancel,
	.expect_many = expect_many,
	.has_table = has_table,
	.info = info,
	.exec = exec,
	.script = script,
	.foreign = sqlite_foreign,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.in_transaction = in_transaction,
	.migration_begin = sqlite_migration_begin,
	.migration_commit = sqlite_migration_commit,
	.migration_rollback = sqlite_migration_rollback,
	.copy_to = sqlite_copy_to,
	.copy_from = sqlite_copy_from,
	.verify = sqlite_verify,
	.tables = sqlite_tables,
	.schema_digest = sqlite_schema_digest,
};
