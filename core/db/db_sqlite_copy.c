/* SPDX-License-Identifier: MIT */
/*
 * Whole SQLite databases: copies out and in, verification, and what a manifest says of them.
 *
 * Copies go through SQLite's backup interface page by page. It is driven in chunks, so that a
 * cancel is seen, but inside one read transaction (copying out) or one write lock (copying in), so
 * that nobody can change anything in between and the copy never has to start again.
 */
#include "core/db/db_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/fs.h"

#define COPY_PAGES 1024 /* per step: 4 MiB of usual pages, some milliseconds */

/* The user's objects: neither SQLite's own nor bascule's. */
#define USERS_OBJECT \
	"substr(lower(tbl_name), 1, 8) <> 'bascule_' AND " \
	"substr(lower(name), 1, 8) <> 'bascule_' AND substr(name, 1, 7) <> 'sqlite_'"

static int copy_steps(struct db_sqlite *s, sqlite3_backup *copy)
{
	int rc;

	do {
		if (cancel_fired(s->cancel))
			return SQLITE_INTERRUPT;
		rc = sqlite3_backup_step(copy, COPY_PAGES);
	} while (rc == SQLITE_OK);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- Out --------------------------------------------------------------------------------------- */

static int copy_create(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot create copy %s", path);
	close(fd);
	return 0;
}

/* Makes the finished copy durable. No connection has it open any more, so open(2) is safe. */
static int copy_sync(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *dir;
	int result;

	if (fd < 0 || fsync(fd) != 0) {
		err_sys(e, errno, "cannot make copy %s durable", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	dir = path_dir(path);
	result = fs_sync_dir(dir, e);
	mem_free(dir);
	return result;
}

/* Fills the new empty file at path. The copy needs no journal and one fsync at the end: until then
 * it is nothing. */
static int copy_fill(struct db_sqlite *s, const char *path, struct err *e)
{
	struct db_sqlite to = { .path = (char *)path, .shown = (char *)path, .cancel = s->cancel };
	sqlite3_backup *copy;
	int rc = sqlite3_open_v2(
		path, &to.conn, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(to.conn, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
				  NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		copy = sqlite3_backup_init(to.conn, "main", s->conn, "main");
		if (copy != NULL) {
			rc = copy_steps(s, copy);
			sqlite3_backup_finish(copy);
		} else {
			rc = sqlite3_errcode(to.conn);
		}
	}
	if (rc != SQLITE_OK)
		sqlite_error(&to, rc, e, "write copy");
	sqlite3_close(to.conn);
	return rc == SQLITE_OK ? 0 : -1;
}

int sqlite_copy_to(struct db *db, const char *path, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);
	int64_t ignored;
	int rc, result = -1;

	if (sqlite_alive(s, e) != 0)
		return -1;
	/* It would copy changes that may yet be rolled back. */
	if (db_in_transaction(db))
		return err_set(e, ERR_DB, "cannot copy %s inside a transaction", s->shown);
	if (copy_create(path, e) != 0)
		return -1;
	rc = sqlite3_exec(s->conn, "BEGIN", NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		sqlite_error(s, rc, e, "read");
		goto out;
	}
	/* The first read takes the lock (or the WAL snapshot) that the whole copy is made under. */
	if (db_int(db, "SELECT count(*) FROM sqlite_schema", NULL, 0, 0, &ignored, e) == 0 &&
	    copy_fill(s, path, e) == 0 && copy_sync(path, e) == 0)
		result = 0;
	db_rollback(db);
out:
	if (result != 0)
		unlink(path);
	return result;
}

/* --- In ---------------------------------------------------------------------------------------- */

/* A copy that still has a write-ahead log beside it was not made by us and is read as SQLite would
 * read it; ours are read without making files beside them. */
static bool has_log(const char *path)
{
	struct strbuf name;
	struct stat st;
	bool found;

	strbuf_init(&name, STRBUF_NO_LIMIT);
	strbuf_addf(&name, "%s-wal", path);
	found = stat(strbuf_str(&name), &st) == 0 && st.st_size > 0;
	strbuf_clear(&name);
	return found;
}

int sqlite_copy_from(struct db *db, const char *path, int (*fence)(void *arg, struct err *e),
		     void *arg, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);
	sqlite3 *from = NULL;
	sqlite3_backup *copy = NULL;
	struct stat st;
	int rc = SQLITE_OK, result = -1;

	if (sqlite_alive(s, e) != 0)
		return -1;
	if (db_in_transaction(db))
		return err_set(e, ERR_DB, "cannot replace %s inside a transaction", s->shown);
	if (stat(path, &st) != 0)
		return err_sys(e, errno, "cannot read copy %s", path);
	if (sqlite_open_other(path, !has_log(path), &from, e) != 0)
		return -1;
	s->before.known = false;
	copy = sqlite3_backup_init(s->conn, "main", from, "main");
	if (copy == NULL) {
		sqlite_error(s, sqlite3_errcode(s->conn), e, "replace");
		goto out;
	}
	/* A step of no pages takes the exclusive lock on our side and changes nothing yet. */
	rc = sqlite3_backup_step(copy, 0);
	if (rc == SQLITE_OK && fence != NULL && fence(arg, e) != 0)
		goto out;
	if (rc == SQLITE_OK)
		rc = copy_steps(s, copy);
	else if (rc == SQLITE_DONE)
		rc = SQLITE_OK;
	sqlite3_backup_finish(copy);
	copy = NULL;
	if (rc != SQLITE_OK)
		sqlite_error(s, rc, e, "replace");
	else
		result = 0;
out:
	sqlite3_backup_finish(copy); /* rolls back what was not finished */
	sqlite3_close(from);
	return result;
}

/* --- Looking ----------------------------------------------------------------------------------- */

static int keep_finding(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct strbuf *found = arg;

	(void)n;
	(void)e;
	if (found->len == 0)
		strbuf_addsv(found, col[0].s);
	return 0;
}

int sqlite_verify(struct db *db, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);
	struct strbuf found;
	int result;

	strbuf_init(&found, 2000);
	/* One instruction checks a whole table, so the progress handler alone would come too late;
	 * the row callback calls nothing that could want the hook. */
	sqlite_hook(s, true);
	result = db_exec(db, "PRAGMA integrity_check(1)", NULL, 0, keep_finding, &found, e);
	sqlite_hook(s, false);
	if (result == 0 && !sv_eq(strbuf_sv(&found), SV("ok"))) {
		err_set(e, ERR_CORRUPT, "database %s is damaged", s->shown);
		result = err_detail(e, "%s", strbuf_str(&found));
	}
	strbuf_clear(&found);
	return result;
}

struct name_list {
	char **item;
	size_t n, cap;
};

static int keep_name(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct name_list *list = arg;

	(void)n;
	(void)e;
	mem_grow(&list->item, &list->cap, list->n + 1, sizeof(list->item[0]));
	list->item[list->n++] = mem_strndup(col[0].s.p, col[0].s.n);
	return 0;
}

/* Not through db_exec: the text is made here, and its cache is for literals. */
static int count_rows(struct db_sqlite *s, const char *table, int64_t *rows, struct err *e)
{
	char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", table);
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (sql == NULL)
		mem_oom();
	rc = sqlite3_prepare_v2(s->conn, sql, -1, &stmt, NULL);
	sqlite3_free(sql);
	sqlite_hook(s, true);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite_hook(s, false);
	if (rc == SQLITE_ROW)
		*rows = sqlite3_column_int64(stmt, 0);
	else
		sqlite_error(s, rc, e, "count rows of");
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : -1;
}

static int keep_size(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct db_table *t = arg;

	(void)n;
	(void)e;
	if (col[0].type == DB_INT)
		t->bytes = col[0].i;
	return 0;
}

/* Its pages and those of its indexes. A library may have been built without that table. */
static void find_size(struct db *db, struct db_table *t)
{
	const struct db_value v = db_v_text(t->name);
	struct err ignored;

	(void)!db_exec(db,
		       "SELECT sum(d.pgsize) FROM sqlite_schema m JOIN dbstat d ON d.name = m.name "
		       "WHERE m.tbl_name = ?1 AND d.aggregate = 1",
		       &v, 1, keep_size, t, &ignored);
}

int sqlite_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);
	struct name_list list = { NULL, 0, 0 };
	int result;

	/* Virtual tables have no root page; what they hold is in ordinary tables beside them. */
	result = db_exec(db,
			 "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 "
			 "AND " USERS_OBJECT " ORDER BY name",
			 NULL, 0, keep_name, &list, e);
	for (size_t i = 0; i < list.n && result == 0; i++) {
		struct db_table t = { .name = list.item[i], .exact = true, .bytes = -1 };

		result = sqlite_alive(s, e);
		if (result == 0)
			result = count_rows(s, list.item[i], &t.rows, e);
		if (result == 0 && quick)
			find_size(db, &t);
		if (result == 0)
			result = fn(arg, &t, e);
	}
	for (size_t i = 0; i < list.n; i++)
		mem_free(list.item[i]);
	mem_free(list.item);
	return result;
}

/* Lengths between the parts, so that no two schemas give the same bytes. */
static int digest_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct digest *d = arg;

	(void)e;
	for (size_t i = 0; i < n; i++) {
		uint64_t len = col[i].s.n;
		unsigned char bytes[8];

		for (int b = 0; b < 8; b++)
			bytes[b] = (unsigned char)(len >> (8 * b));
		digest_add(d, bytes, sizeof(bytes));
		digest_add(d, col[i].s.p, col[i].s.n);
	}
	return 0;
}

int sqlite_schema_digest(struct db *db, char hex[65], struct err *e)
{
	struct digest *d = digest_new();
	int result;

	digest_begin(d);
	/* Indexes that SQLite made by itself have no text; their table's text has them. */
	result =
		db_exec(db,
			"SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL "
			"AND " USERS_OBJECT " ORDER BY type, name",
			NULL, 0, digest_row, d, e);
	if (result == 0)
		digest_end(d, hex);
	digest_free(d);
	return result;
}
