/* SPDX-License-Identifier: MIT */
#include "tests/contract/driver.h"

#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char *sqlite_url(const char *dir, const char *name)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_addf(&b, "sqlite:%s/%s.db", dir, name);
	return strbuf_detach(&b);
}

static const struct driver drivers[] = {
	{ "sqlite", sqlite_url,
	  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM "
	  "n" },
};

#define N_DRIVERS (sizeof(drivers) / sizeof(drivers[0]))
#define CASES_MAX 100
#define NAME_MAX_BYTES 160

struct driver_world w;
const struct db_options driver_quick = { .lock_timeout_ms = DRIVER_TIMEOUT_MS };

void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(w.e.code), w.e.msg, w.e.sys, w.e.detail);
}

void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (w.e.code != code)
		fail_msg("expected %s, got %s: %s: %s", err_code_name(code),
			 err_code_name(w.e.code), w.e.msg, w.e.detail);
	assert_string_not_equal(w.e.msg, "");
}

struct dsn driver_dsn(const char *name)
{
	char *url = w.driver->url(w.dir, name);
	struct dsn d;

	must(dsn_parse(&w.arena, url, "/", &d, &w.e));
	mem_free(url);
	return d;
}

struct db *driver_open(unsigned flags)
{
	struct db *other = NULL;

	must(db_open(&w.dsn, flags, &driver_quick, &w.cancel, &other, &w.e));
	return other;
}

int64_t driver_count(struct db *on, const char *sql)
{
	int64_t n;

	must(db_int(on, sql, NULL, 0, -1, &n, &w.e));
	return n;
}

void driver_foreign(const char *sql)
{
	must(db_foreign(w.db, sv_of(sql), NULL, &w.e));
}

void driver_fill(int rows)
{
	must(db_begin(w.db, &w.e));
	for (int i = 0; i < rows; i++)
		must(db_exec(w.db, "INSERT INTO t (v) VALUES ('some text to fill pages with')",
			     NULL, 0, NULL, NULL, &w.e));
	must(db_commit(w.db, &w.e));
}

int driver_setup(void **state)
{
	w.driver = *state;
	w.dir = tmp_make();
	arena_init(&w.arena);
	err_clear(&w.e);
	must(cancel_init(&w.cancel, &w.e));
	w.dsn = driver_dsn("shop");
	must(db_open(&w.dsn, DB_CREATE, &driver_quick, &w.cancel, &w.db, &w.e));
	must(db_script(w.db, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", &w.e));
	return 0;
}

int driver_teardown(void **state)
{
	(void)state;
	db_close(w.db);
	w.db = NULL;
	cancel_clear(&w.cancel);
	arena_clear(&w.arena);
	tmp_remove(w.dir);
	return 0;
}

int driver_run(const struct CMUnitTest *cases, size_t n)
{
	static struct CMUnitTest tests[CASES_MAX];
	static char name[CASES_MAX][NAME_MAX_BYTES];
	int failed = 0;

	if (n > CASES_MAX)
		return 1;
	for (size_t d = 0; d < N_DRIVERS; d++) {
		for (size_t i = 0; i < n; i++) {
			snprintf(name[i], sizeof(name[i]), "%s: %s", drivers[d].name,
				 cases[i].name);
			tests[i] = cases[i];
			tests[i].name = name[i];
			tests[i].initial_state = (void *)(uintptr_t)&drivers[d];
		}
		failed += _cmocka_run_group_tests(drivers[d].name, tests, n, NULL, NULL);
	}
	return failed;
}
