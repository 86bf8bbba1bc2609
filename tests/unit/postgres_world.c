/* SPDX-License-Identifier: MIT */
#include "tests/unit/postgres_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

struct postgres_world pw;

void pw_must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(pw.e.code), pw.e.msg, pw.e.sys,
			 pw.e.detail);
}

void pw_fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (pw.e.code != code)
		fail_msg("expected %s, got %s: %s (%s) %s", err_code_name(code),
			 err_code_name(pw.e.code), pw.e.msg, pw.e.sys, pw.e.detail);
}

int pw_try_open(const char *url, const struct db_options *opt, struct db **out)
{
	struct dsn d;

	pw_must(dsn_parse(&pw.arena, url, "/", &d, &pw.e));
	return db_open(&d, 0, opt, &pw.cancel, out, &pw.e);
}

struct db *pw_open_url(const char *url)
{
	struct db *db = NULL;

	pw_must(pw_try_open(url, NULL, &db));
	return db;
}

const char *pw_url_of(const char *name, const char *way)
{
	char *text = services_tell("url", name, way, pw.database, NULL);
	const char *copy = arena_strdup(&pw.arena, text);

	mem_free(text);
	return copy;
}

struct db *pw_again(void)
{
	return pw_open_url(pw_url_of(pw.pg.name, "socket"));
}

struct db *pw_open_answered(const char *url, const struct db_options *quick)
{
	int64_t until = clock_mono_ms() + 60000, one;
	struct db *db;

	for (;;) {
		db = NULL;
		if (pw_try_open(url, quick, &db) == 0 &&
		    db_int(db, "SELECT 1", NULL, 0, -1, &one, &pw.e) == 0)
			return db;
		db_close(db);
		if (pw.e.code != ERR_TIMEOUT || clock_mono_ms() > until)
			fail_msg("%s: %s", pw.e.msg, pw.e.detail);
	}
}

void pw_foreign(const char *sql)
{
	pw_must(db_foreign(pw.db, sv_of(sql), NULL, &pw.e));
}

int64_t pw_number(struct db *db, const char *sql)
{
	int64_t n;

	pw_must(db_int(db, sql, NULL, 0, -1, &n, &pw.e));
	return n;
}

void pw_super(const char *sql)
{
	char *said = services_tell("sql", pw.pg.name, sql, pw.database, NULL);

	mem_free(said);
}

int pw_group_setup(void **state)
{
	(void)state;
	services_start(SERVICE_PG, &pw.pg);
	return 0;
}

int pw_group_teardown(void **state)
{
	(void)state;
	services_stop(&pw.pg);
	return 0;
}

int pw_setup(void **state)
{
	(void)state;
	services_need(&pw.pg);
	arena_init(&pw.arena);
	err_clear(&pw.e);
	assert_int_equal(cancel_init(&pw.cancel, &pw.e), 0);
	snprintf(pw.database, sizeof(pw.database), "case%d", ++pw.number);
	mem_free(services_tell("newdb", pw.pg.name, pw.database, NULL));
	pw.db = pw_again();
	pw_must(db_script(
		pw.db,
		"CREATE SCHEMA bascule; CREATE TABLE bascule_lock (one integer PRIMARY KEY, "
		"epoch bigint, who text); INSERT INTO bascule_lock VALUES (1, 3, 'alice'); "
		"CREATE TABLE bascule_history (id text PRIMARY KEY)",
		&pw.e));
	return 0;
}

int pw_teardown(void **state)
{
	(void)state;
	db_close(pw.db);
	pw.db = NULL;
	cancel_clear(&pw.cancel);
	arena_clear(&pw.arena);
	return 0;
}

void *pw_stop_later(void *arg)
{
	struct later *l = arg;
	struct err ignored;

	(void)!wait_fds(NULL, 0, clock_mono_ms() + 100, NULL, &ignored);
	l->fired_ms = clock_mono_ms();
	if (l->interrupt != NULL)
		db_interrupt(l->interrupt);
	else
		cancel_fire(&pw.cancel);
	return NULL;
}
