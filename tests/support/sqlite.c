/* SPDX-License-Identifier: MIT */
#include "tests/support/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct dsn sqlite_dsn(struct arena *a, const char *dir, const char *name)
{
	const char *path = arena_printf(a, "%s/%s", dir, name);

	return (struct dsn){ .engine = "sqlite", .path = path, .shown = path };
}

static struct db *open_with(const char *dir, const char *name, unsigned flags)
{
	struct arena a;
	struct dsn dsn;
	struct db *db = NULL;
	struct err e;

	arena_init(&a);
	dsn = sqlite_dsn(&a, dir, name);
	if (db_open(&dsn, flags, NULL, NULL, &db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	arena_clear(&a);
	return db;
}

struct db *sqlite_make(const char *dir, const char *name, const char *sql)
{
	struct db *db = open_with(dir, name, DB_CREATE);
	struct err e;

	if (sql != NULL && db_script(db, sql, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	return db;
}

struct db *sqlite_open(const char *dir, const char *name)
{
	return open_with(dir, name, 0);
}

static int first(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	*(int64_t *)arg = col[0].i;
	return 0;
}

int64_t sqlite_int(struct db *db, const char *sql)
{
	int64_t out = -1;
	struct err e;

	if (db_exec(db, sql, NULL, 0, first, &out, &e) != 0)
		return -1;
	return out;
}
