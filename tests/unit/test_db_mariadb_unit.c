/* SPDX-License-Identifier: MIT */
/*
 * needs: servers
 *
 * Units of MariaDB: several statements in one packet, where it ends, how it is cancelled, and the fence
 * in it.
 */
#include "core/db/db.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tests/support/services.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)
#define BOUND_MS 20000 /* generous: a loaded machine must not fail a test */

static struct server my;
static struct arena arena;
static struct dsn dsn;
static struct db *db;
static struct cancel cancel;
static struct err e;

static const struct db_options quick = { .lock_timeout_ms = 1000 };

static void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(e.code), e.msg, e.sys, e.detail);
}

static void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (e.code != code)
		fail_msg("expected %s, got %s: %s: (%s) %s", err_code_name(code),
			 err_code_name(e.code), e.msg, e.sys, e.detail);
	assert_string_not_equal(e.msg, "");
}

static struct db *open_another(void)
{
	struct db *other = NULL;

	must(db_open(&dsn, 0, &quick, NULL, &other, &e));
	return other;
}

static void foreign(const char *sql)
{
	must(db_foreign(db, sv_of(sql), NULL, &e));
}

static int64_t number(struct db *on, const char *sql)
{
	int64_t n;

	must(db_int(on, sql, NULL, 0, -1, &n, &e));
	return n;
}

static int setup(void **state)
{
	(void)state;
	services_need(&my);
	mem_free(services_sql(&my, "DROP DATABASE IF EXISTS app; CREATE DATABASE app"));
	arena_init(&arena);
	must(cancel_init(&cancel, &e));
	must(dsn_parse(&arena, my.url, "/", &dsn, &e));
	must(db_open(&dsn, 0, &quick, &cancel, &db, &e));
	must(db_script(
		db,
		"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT, b LONGBLOB); "
		"CREATE TABLE bascule_lock (one INT PRIMARY KEY, epoch BIGINT, who TEXT); "
		"INSERT INTO bascule_lock VALUES (1, 7, 'mila')",
		&e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	db = NULL;
	cancel_clear(&cancel);
	arena_clear(&arena);
	return 0;
}

struct row {
	struct db_value v[8];
	char text[8][64];
	size_t rows;
};

static int keep(void *arg, const struct db_value *col, size_t n, struct err *err)
{
	struct row *r = arg;

	(void)err;
	r->rows++;
	for (size_t i = 0; i < n && i < 8; i++) {
		r->v[i] = col[i];
		if (col[i].type == DB_TEXT || col[i].type == DB_BLOB) {
			assert_true(col[i].s.n < sizeof(r->text[i]));
			memcpy(r->text[i], col[i].s.p, col[i].s.n);
			r->v[i].s.p = r->text[i];
		}
	}
	return 0;
}

static const char *const modes[] = {
	"''",
	"'ANSI_QUOTES'",
	"'NO_BACKSLASH_ESCAPES'",
	"'PIPES_AS_CONCAT'",
	"'EMPTY_STRING_IS_NULL'",
	"'STRICT_ALL_TABLES,NO_ZERO_DATE'",
	"'ANSI,NO_BACKSLASH_ESCAPES,EMPTY_STRING_IS_NULL'",
	"'ORACLE'",
};

/* --- Units ------------------------------------------------------------------------------------- */

#define TEXT(s) \
	{ \
		.text = SV(s) \
	}

static void send_unit(const struct db_item *item, size_t n)
{
	must(db_unit_send(db, item, n, &e));
}

#define SEND(items) send_unit(items, sizeof(items) / sizeof((items)[0]))

static void unit__runs_in_order__ours_and_theirs(void **state)
{
	const struct db_value v = db_v_text("it's");
	struct row r = { .rows = 0 };
	const struct db_item item[] = {
		TEXT("START TRANSACTION"),
		TEXT("INSERT INTO t (v) VALUES ('a') -- a comment; at the end"),
		{ .sql = "INSERT INTO t (v) VALUES (?1)", .param = &v, .n_param = 1 },
		{ .text = SV("SELECT COUNT(*) FROM t"), .fn = keep, .arg = &r },
		TEXT("COMMIT"),
	};
	size_t failed = 99;

	(void)state;
	for (int i = 0; i < 3; i++)
		SEND(item);
	assert_int_equal(db_units_waiting(db), 3);
	for (int i = 0; i < 3; i++) {
		must(db_unit_result(db, &failed, &e));
		assert_int_equal(r.rows, i + 1);
		assert_int_equal(r.v[0].i, 2 * i + 2);
	}
	assert_int_equal(db_units_waiting(db), 0);
	must(db_units_clear(db, &e));
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t WHERE v = 'it\\'s'"), 3);
}

static void unit__stops__at_the_first_failure(void **state)
{
	const struct db_item good[] = {
		TEXT("START TRANSACTION"),
		TEXT("INSERT INTO t (v) VALUES ('good')"),
		TEXT("COMMIT"),
	};
	const struct db_item bad[] = {
		TEXT("START TRANSACTION"),
		TEXT("INSERT INTO t (v) VALUES ('bad')"),
		TEXT("INSERT INTO nowhere VALUES (1)"),
		TEXT("COMMIT"),
	};
	size_t failed = 99;

	(void)state;
	SEND(good);
	SEND(bad);
	SEND(good);
	must(db_unit_result(db, &failed, &e));
	fails(db_unit_result(db, &failed, &e), ERR_DB);
	assert_string_equal(e.sys, "1146");
	assert_int_equal(failed, 2);
	fails(db_unit_result(db, &failed, &e), ERR_INPUT);
	assert_int_equal(failed, 0);
	must(db_units_clear(db, &e));
	assert_false(db_in_transaction(db));
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 1);
	/* And goes on. */
	SEND(good);
	must(db_unit_result(db, &failed, &e));
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 2);
}

static void unit__travels__in_several_packets(void **state)
{
	char *text = mem_alloc(7 * MIB);
	struct db_item big = { .text = { text, 7 * MIB } };
	size_t failed;

	(void)state;
	memset(text, ' ', 7 * MIB);
	memcpy(text, "INSERT INTO t (v) VALUES ('", 27);
	memset(text + 27, 'x', 6 * MIB);
	memcpy(text + 27 + 6 * MIB, "')", 2);
	for (int i = 0; i < 5; i++)
		send_unit(&big, 1);
	for (int i = 0; i < 5; i++)
		must(db_unit_result(db, &failed, &e));
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t WHERE LENGTH(v) = 6291456"), 5);
	/* In the second packet, with the third never sent. */
	for (int i = 0; i < 3; i++)
		send_unit(&big, 1);
	send_unit(&(struct db_item)TEXT("SELECT nowhere"), 1);
	send_unit(&big, 1);
	for (int i = 0; i < 3; i++)
		must(db_unit_result(db, &failed, &e));
	fails(db_unit_result(db, &failed, &e), ERR_DB);
	must(db_units_clear(db, &e));
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 8);
	mem_free(text);
}

static void unit__refuses__what_no_packet_holds(void **state)
{
	char *text = mem_calloc(1, 17 * MIB);
	struct db_item big = { .text = { text, 17 * MIB } };

	(void)state;
	assert_true(db_unit_max_bytes(db) < 16 * MIB);
	assert_true(db_unit_max_bytes(db) > 15 * MIB);
	fails(db_unit_send(db, &big, 1, &e), ERR_LIMIT);
	assert_int_equal(db_units_waiting(db), 0);
	mem_free(text);
}

static void unit__takes_all_results__of_a_call_alone(void **state)
{
	const struct db_item call[] = {
		TEXT("INSERT INTO t (v) VALUES ('before')"),
		{ .text = SV("CALL p()"), .alone = true },
	};
	const struct db_item after[] = { TEXT("INSERT INTO t (v) VALUES ('after')") };
	size_t failed;

	(void)state;
	foreign("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; SELECT seq FROM seq_1_to_9999; END");
	SEND(after);
	SEND(call);
	SEND(after);
	for (int i = 0; i < 3; i++)
		must(db_unit_result(db, &failed, &e));
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 3);
	foreign("DROP PROCEDURE p");
	foreign("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT x FROM nowhere; END");
	SEND(call);
	fails(db_unit_result(db, &failed, &e), ERR_DB);
	assert_int_equal(failed, 1);
	must(db_units_clear(db, &e));
}

/* A wrong split must never make one statement's answer another's. */
static void unit__finds__a_hidden_second_statement(void **state)
{
	struct row r = { .rows = 0 };
	const struct db_item item[] = {
		TEXT("START TRANSACTION"),
		TEXT("SELECT 1; SELECT 2"),
		{ .text = SV("SELECT 3"), .fn = keep, .arg = &r },
	};
	const struct db_item good[] = { TEXT("SELECT 4") };
	const struct db_item none[] = { TEXT("CALL p()") };
	size_t failed;

	(void)state;
	SEND(good);
	SEND(item);
	SEND(good);
	must(db_unit_result(db, &failed, &e));
	fails(db_unit_result(db, &failed, &e), ERR_INPUT);
	assert_int_equal(r.rows, 0);
	must(db_units_clear(db, &e));
	/* A call that was not said to be alone. */
	foreign("CREATE PROCEDURE p() SELECT 1");
	SEND(none);
	fails(db_unit_result(db, &failed, &e), ERR_INPUT);
	must(db_units_clear(db, &e));
	assert_int_equal(number(db, "SELECT 5"), 5);
}

/* 2 GB of rows that nobody wants must not be kept. */
static void unit__drops_rows__it_could_not_hold(void **state)
{
	const struct db_item item[] = {
		TEXT("SELECT REPEAT('x', 1000000) FROM seq_1_to_400"),
		TEXT("INSERT INTO t (v) VALUES ('a')"),
	};
	size_t failed;

	(void)state;
	SEND(item);
	must(db_unit_result(db, &failed, &e));
	foreign("SELECT REPEAT('x', 1000000) FROM seq_1_to_400");
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 1);
}

static void clear__drops__what_was_never_sent_or_read(void **state)
{
	const struct db_item item[] = {
		TEXT("START TRANSACTION"),
		TEXT("INSERT INTO t (v) VALUES ('a')"),
	};
	size_t failed;

	(void)state;
	must(db_units_clear(db, &e)); /* nothing waits */
	SEND(item);
	must(db_units_clear(db, &e));
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 0);
	SEND(item);
	SEND(item);
	must(db_unit_result(db, &failed, &e));
	must(db_units_clear(db, &e));
	assert_int_equal(db_units_waiting(db), 0);
	assert_false(db_in_transaction(db));
	/* The second BEGIN committed the first insert. */
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 1);
}

/* --- The fence -------- ---------------------------------------------------------------------- */

static void fence__lets_pass_or_stops__in_a_packet(void **state)
{
	struct strbuf fence;
	struct db_item item[] = {
		TEXT("START TRANSACTION"),
		{ .sql = NULL },
		TEXT("INSERT INTO t (v) VALUES ('fenced')"),
		TEXT("COMMIT"),
	};
	size_t failed = 99;
	bool got;

	(void)state;
	strbuf_init(&fence, STRBUF_NO_LIMIT);
	db_fence_sql(db, "lock", 7, &fence);
	item[1].text = strbuf_sv(&fence);
	/* The epoch is right, but nobody holds the lock. */
	SEND(item);
	fails(db_unit_result(db, &failed, &e), ERR_DB);
	assert_int_equal(failed, 1);
	assert_true(db_is_fence_error(db, &e));
	must(db_units_clear(db, &e));
	must(db_advisory_lock(db, "lock", &got, &e));
	assert_true(got);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char set[96];

		snprintf(set, sizeof(set), "SET SESSION sql_mode = %s", modes[i]);
		foreign(set);
		SEND(item);
		SEND(item);
		must(db_unit_result(db, &failed, &e));
		must(db_unit_result(db, &failed, &e));
		foreign("UPDATE app.bascule_lock SET epoch = 8, who = 'it''s noor' WHERE one = 1");
		SEND(item);
		fails(db_unit_result(db, &failed, &e), ERR_DB);
		assert_int_equal(failed, 1);
		assert_true(db_is_fence_error(db, &e));
		must(db_units_clear(db, &e));
		foreign("UPDATE app.bascule_lock SET epoch = 7, who = '' WHERE one = 1");
	}
	fails(db_foreign(db, SV("SELECT nowhere"), NULL, &e), ERR_DB);
	assert_false(db_is_fence_error(db, &e));
	strbuf_clear(&fence);
}

static void fence__names__who_has_the_lock_now(void **state)
{
	struct strbuf fence;

	(void)state;
	strbuf_init(&fence, STRBUF_NO_LIMIT);
	db_fence_sql(db, "lock", 3, &fence);
	fails(db_foreign(db, strbuf_sv(&fence), NULL, &e), ERR_DB);
	assert_non_null(strstr(e.detail, "epoch 3"));
	assert_non_null(strstr(e.detail, "now 7 of mila"));
	strbuf_clear(&fence);
}

static void fence__holds_off__a_takeover(void **state)
{
	struct db *other = open_another();
	struct strbuf fence;
	bool got;

	(void)state;
	strbuf_init(&fence, STRBUF_NO_LIMIT);
	must(db_advisory_lock(db, "lock", &got, &e));
	db_fence_sql(db, "lock", 7, &fence);
	must(db_begin(db, &e));
	must(db_foreign(db, strbuf_sv(&fence), NULL, &e));
	fails(db_exec(other, "UPDATE bascule_lock SET epoch = 8 WHERE one = 1", NULL, 0, NULL, NULL,
		      &e),
	      ERR_BUSY);
	must(db_commit(db, &e));
	must(db_exec(other, "UPDATE bascule_lock SET epoch = 8 WHERE one = 1", NULL, 0, NULL, NULL,
		     &e));
	fails(db_foreign(db, strbuf_sv(&fence), NULL, &e), ERR_DB);
	assert_true(db_is_fence_error(db, &e));
	strbuf_clear(&fence);
	db_close(other);
}

/* --- Cancel ------------------------------------------------------------------------------------ */

static void *fire_soon(void *arg)
{
	struct err ignored;

	(void)arg;
	(void)!wait_fds(NULL, 0, clock_mono_ms() + 200, NULL, &ignored);
	cancel_fire(&cancel);
	return NULL;
}

#define ENDLESS "SELECT COUNT(*) FROM seq_1_to_1000000000 a, seq_1_to_1000000000 b"

static void cancel__ends_a_unit__and_clear_mends_it(void **state)
{
	const struct db_item item[] = {
		TEXT("START TRANSACTION"),
		TEXT("INSERT INTO t (v) VALUES ('a')"),
		TEXT(ENDLESS),
		TEXT("COMMIT"),
	};
	int64_t start = clock_mono_ms();
	pthread_t thread;
	size_t failed;

	(void)state;
	SEND(item);
	SEND(item);
	assert_int_equal(pthread_create(&thread, NULL, fire_soon, NULL), 0);
	fails(db_unit_result(db, &failed, &e), ERR_CANCELLED);
	pthread_join(thread, NULL);
	assert_int_equal(failed, 2);
	assert_true(clock_mono_ms() - start < BOUND_MS);
	must(db_units_clear(db, &e));
	db_set_cancel(db, NULL);
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 0);
}

static void clear__ends__what_runs_on_behind_a_cancel(void **state)
{
	const struct db_item quick_one[] = { TEXT("INSERT INTO t (v) VALUES ('a')") };
	const struct db_item slow_one[] = { TEXT("START TRANSACTION"), TEXT(ENDLESS) };
	int64_t start = clock_mono_ms();
	size_t failed;

	(void)state;
	SEND(quick_one);
	SEND(slow_one);
	must(db_unit_result(db, &failed, &e));
	cancel_fire(&cancel);
	fails(db_unit_result(db, &failed, &e), ERR_CANCELLED);
	must(db_units_clear(db, &e));
	assert_true(clock_mono_ms() - start < BOUND_MS);
	db_set_cancel(db, NULL);
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 1);
}

/* ----------------------------------------------------------------------------------------------- */

static int group_setup(void **state)
{
	(void)state;
	(void)services_start(SERVICE_MY, &my);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	if (my.name != NULL)
		services_stop(&my);
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(unit__runs_in_order__ours_and_theirs),
		CASE(unit__stops__at_the_first_failure),
		CASE(unit__travels__in_several_packets),
		CASE(unit__refuses__what_no_packet_holds),
		CASE(unit__takes_all_results__of_a_call_alone),
		CASE(unit__finds__a_hidden_second_statement),
		CASE(unit__drops_rows__it_could_not_hold),
		CASE(clear__drops__what_was_never_sent_or_read),
		CASE(fence__lets_pass_or_stops__in_a_packet),
		CASE(fence__names__who_has_the_lock_now),
		CASE(fence__holds_off__a_takeover),
		CASE(cancel__ends_a_unit__and_clear_mends_it),
		CASE(clear__ends__what_runs_on_behind_a_cancel),
	};

	return cmocka_run_group_tests(cases, group_setup, group_teardown);
}
