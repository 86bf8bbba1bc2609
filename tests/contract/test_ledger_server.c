/* SPDX-License-Identifier: MIT */
/* needs: servers */
/* The ledger in a server's database, on real PostgreSQL and MariaDB. Every case runs on both. What is the
 * same on every engine is tested in tests/unit/test_ledger.c. */
#include "core/ledger/ledger.h"

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

#define MANY 10000

struct engine {
	enum server_kind kind;
	const char *drop;  /* the ledger and t, as the superuser */
	const char *guest; /* makes a role that may connect and no more */
	const char *grant; /* what its refusal must name */
	const char *half;  /* takes the ledger's number away */
	struct server s;
};

static struct engine engines[] = {
	{
		.kind = SERVICE_PG,
		.drop = "DROP SCHEMA IF EXISTS bascule CASCADE; DROP TABLE IF EXISTS t",
		.guest =
			"DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN "
			"NULL; END $$",
		.grant = "GRANT CREATE ON DATABASE app TO guest",
		.half = "DELETE FROM bascule.meta",
	},
	{
		.kind = SERVICE_MY,
		.drop = "DROP TABLE IF EXISTS bascule_meta, bascule_history, bascule_run, "
			"bascule_line, bascule_lock, bascule_beat, t",
		.guest = "CREATE USER IF NOT EXISTS guest; GRANT SELECT ON app.* TO guest",
		.grant = "GRANT CREATE, ALTER, SELECT, INSERT, UPDATE ON `app`.* TO 'guest'@'%'",
		.half = "DELETE FROM bascule_meta",
	},
};

static struct engine *on;
static struct arena arena;
static struct dsn dsn;
static struct db *db;
static struct err e;

static void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(e.code), e.msg, e.sys, e.detail);
}

static void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (e.code != code)
		fail_msg("expected %s, got %s: %s: %s", err_code_name(code), err_code_name(e.code),
			 e.msg, e.detail);
}

static void as_root(const char *sql)
{
	free(services_sql(&on->s, sql));
}

static int setup(void **state)
{
	on = *state;
	if (on->s.url == NULL)
		return 0;
	err_clear(&e);
	arena_init(&arena);
	must(dsn_parse(&arena, on->s.url, "/", &dsn, &e));
	as_root(on->drop);
	must(db_open(&dsn, 0, NULL, NULL, &db, &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (on->s.url == NULL)
		return 0;
	db_close(db);
	db = NULL;
	arena_clear(&arena);
	return 0;
}

static struct history_event applied(const char *id, int64_t generation)
{
	return (struct history_event){
		.ns = "shop",
		.id = id,
		.title = "orders",
		.sort_key = "k",
		.kind = EVENT_APPLIED,
		.generation = generation,
		.checksum = "s1:aa",
		.down_checksum = "s1:bb",
		.run = "r1",
		.epoch = 3,
		.who = "ann",
		.host = "near",
		.at_utc_ms = 1795258289133,
		.took_ms = 12,
	};
}

static int add(struct history_event ev)
{
	int result;

	must(db_begin(db, &e));
	result = ledger_add(db, &ev, SV("up"), SV("down"), NULL, &e);
	if (result != 0) {
		db_rollback(db);
		return -1;
	}
	must(db_commit(db, &e));
	return 0;
}

static int list_event(void *arg, const struct history_event *ev, struct err *err)
{
	(void)err;
	strbuf_addf(arg, "%s/%s/%s/%d ", ev->ns, ev->id, event_kind_name(ev->kind),
		    (int)ev->generation);
	return 0;
}

static void history_is(const char *expected)
{
	struct strbuf b;
	int format = -1;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(ledger_events_format(db, &format, list_event, &b, &e));
	assert_string_equal(strbuf_str(&b), expected);
	assert_int_equal(format == 0, expected[0] == '\0');
	strbuf_clear(&b);
}

/* --- The format -------------------------------------------------------------------------------- */

static void format__is_zero__before_the_first_write(void **state)
{
	int format = -1;

	(void)state;
	services_need(&on->s);
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, 0);
	history_is("");
	/* Asking inside of a transaction does not end it. */
	must(db_begin(db, &e));
	must(ledger_format(db, &format, &e));
	history_is("");
	must(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &e));
	must(db_commit(db, &e));
}

static void ensure__makes_the_ledger__once(void **state)
{
	int format = -1;
	int64_t n;

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, LEDGER_FORMAT);
	must(ledger_events_format(db, &format, list_event, NULL, &e));
	assert_int_equal(format, LEDGER_FORMAT); /* without any event, too */
	assert_int_equal(add(applied("1", 1)), 0);
	must(ledger_ensure(db, &e));
	history_is("shop/1/applied/1 ");
	must(db_int(db, "SELECT epoch FROM bascule_lock", NULL, 0, -1, &n, &e));
	assert_int_equal(n, 0);
}

static void ensure__finishes__what_was_left_half_made(void **state)
{
	int format = -1;

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	as_root(on->half);
	if (on->kind == SERVICE_PG) { /* made in one transaction: that is damage */
		fails(ledger_format(db, &format, &e), ERR_CORRUPT);
		return;
	}
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, 0);
	must(ledger_ensure(db, &e));
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, LEDGER_FORMAT);
	assert_int_equal(add(applied("1", 1)), 0);
}

struct maker {
	pthread_t thread;
	struct db *db;
	int result;
	struct err e;
};

static void *first_day(void *arg)
{
	struct maker *o = arg;

	o->result = ledger_ensure(o->db, &o->e);
	return NULL;
}

/* Several operators on their first day, at once. */
static void ensure__works__for_all_who_meet(void **state)
{
	struct maker o[4] = { { .result = -1 } };
	int format = 0;

	(void)state;
	services_need(&on->s);
	for (size_t i = 0; i < 4; i++)
		must(db_open(&dsn, 0, NULL, NULL, &o[i].db, &e));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&o[i].thread, NULL, first_day, &o[i]), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(o[i].thread, NULL);
	for (size_t i = 0; i < 4; i++) {
		e = o[i].e;
		must(o[i].result);
		db_close(o[i].db);
	}
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, LEDGER_FORMAT);
	assert_int_equal(add(applied("1", 1)), 0);
}

static void ensure__names_the_grant__that_is_missing(void **state)
{
	struct db *guest;
	struct dsn as;
	int format = -1;

	(void)state;
	services_need(&on->s);
	as_root(on->guest);
	as = dsn;
	as.user = "guest";
	must(db_open(&as, 0, NULL, NULL, &guest, &e));
	must(ledger_format(guest, &format, &e));
	assert_int_equal(format, 0);
	assert_int_equal(ledger_ensure(guest, &e), -1);
	if (strstr(e.hint, on->grant) == NULL)
		fail_msg("%s: %s: %s", e.msg, e.detail, e.hint);
	if (on->kind == SERVICE_PG) {
		/* It is there, and another role's. */
		must(ledger_ensure(db, &e));
		assert_int_equal(ledger_format(guest, &format, &e), -1);
		assert_non_null(strstr(e.hint, "GRANT USAGE ON SCHEMA bascule TO guest"));
	}
	db_close(guest);
}

static void ensure__refuses__a_newer_format(void **state)
{
	struct db_value nine = db_v_text("99");
	int format = 0;

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	assert_int_equal(add(applied("1", 1)), 0);
	must(db_exec(db, "UPDATE bascule_meta SET value = ?1 WHERE name = 'format'", &nine, 1, NULL,
		     NULL, &e));
	fails(ledger_ensure(db, &e), ERR_UNSUPPORTED);
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, 99);
	history_is("shop/1/applied/1 ");
}

/* --- Events ------------------------------------------------------------------------------------ */

static int compare_event(void *arg, const struct history_event *ev, struct err *err)
{
	const struct history_event *want = arg;

	(void)err;
	assert_string_equal(ev->ns, want->ns);
	assert_string_equal(ev->id, want->id);
	assert_string_equal(ev->title, want->title);
	assert_string_equal(ev->sort_key, want->sort_key);
	assert_int_equal(ev->kind, want->kind);
	assert_int_equal(ev->down, want->down);
	assert_int_equal(ev->generation, want->generation);
	assert_int_equal(ev->attempt, want->attempt);
	assert_int_equal(ev->statement, want->statement);
	assert_string_equal(ev->checksum, want->checksum);
	assert_string_equal(ev->down_checksum, want->down_checksum);
	assert_string_equal(ev->run, want->run);
	assert_int_equal(ev->epoch, want->epoch);
	assert_string_equal(ev->who, want->who);
	assert_string_equal(ev->host, want->host);
	assert_int_equal(ev->at_utc_ms, want->at_utc_ms);
	assert_int_equal(ev->took_ms, want->took_ms);
	assert_string_equal(ev->error, want->error);
	assert_int_equal(ev->statements, want->statements);
	assert_string_equal(ev->hash, want->hash);
	assert_string_equal(ev->objects, want->objects);
	assert_string_equal(ev->session, want->session);
	assert_int_equal(ev->done, want->done);
	return 0;
}

static void event__comes_back__as_it_was_added(void **state)
{
	struct history_event ev = applied("2017-09-23-182408", 2);
	struct strbuf up, down;
	bool has_down = false;
	int64_t seq = 0;

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	ev.kind = EVENT_MARKED;
	ev.down = true;
	ev.attempt = 4;
	ev.statement = 17;
	ev.title = "a 'quoted' \\ \xC3\xA9 ?1 title";
	ev.error = "near \"x\" \xF0\x9F\x98\x80";
	ev.statements = 20;
	ev.hash = "s1:cc";
	ev.objects = "dd";
	ev.session = "7 2026-11-21";
	ev.done = true;
	must(db_begin(db, &e));
	must(ledger_add(db, &ev, sv_n("u\0p'\\", 5), SV("down"), &seq, &e));
	must(db_commit(db, &e));
	must(ledger_events(db, compare_event, &ev, &e));
	strbuf_init(&up, STRBUF_NO_LIMIT);
	strbuf_init(&down, STRBUF_NO_LIMIT);
	must(ledger_scripts(db, seq, &up, &down, &has_down, &e));
	assert_true(has_down);
	assert_true(sv_eq(strbuf_sv(&up), sv_n("u\0p'\\", 5)));
	assert_string_equal(strbuf_str(&down), "down");
	strbuf_clear(&up);
	strbuf_clear(&down);
}

static int check_now(void *arg, const struct history_event *ev, struct err *err)
{
	(void)arg;
	(void)err;
	assert_true(llabs(clock_utc_ms() - ev->at_utc_ms) < 60000);
	assert_string_equal(ev->title, "bad \\xFF");
	return 0;
}

static void event__has_the_servers_time__when_it_names_none(void **state)
{
	struct history_event ev = applied("1", 1);

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	ev.at_utc_ms = 0;
	ev.title = "bad \xFF"; /* not UTF-8: no reason to lose the event */
	assert_int_equal(add(ev), 0);
	must(ledger_events(db, check_now, NULL, &e));
}

static void add__refuses__a_second_application_of_a_generation(void **state)
{
	struct history_event back = applied("1", 1), failed = applied("1", 1);

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	assert_int_equal(add(applied("1", 1)), 0);
	fails(add(applied("1", 1)), ERR_EXISTS);
	back.kind = EVENT_ROLLED_BACK;
	assert_int_equal(add(back), 0);
	assert_int_equal(add(applied("1", 2)), 0);
	assert_int_equal(add(applied("A", 1)), 0);
	assert_int_equal(add(applied("a", 1)), 0);  /* case counts */
	assert_int_equal(add(applied("a ", 1)), 0); /* and so do blanks at the end */
	/* A statement of the up, and one of the down. */
	failed.kind = EVENT_STATEMENT;
	failed.statement = 1;
	assert_int_equal(add(failed), 0);
	fails(add(failed), ERR_EXISTS);
	failed.down = true;
	assert_int_equal(add(failed), 0);
}

static void add__refuses__a_name_that_does_not_fit(void **state)
{
	struct history_event ev = applied("1", 1);
	char name[300];

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	ev.id = name;
	fails(add(ev), ERR_LIMIT);
	name[255] = '\0';
	ev.ns = name;
	assert_int_equal(add(ev), 0);
}

static int count_event(void *arg, const struct history_event *ev, struct err *err)
{
	(void)ev;
	(void)err;
	++*(int *)arg;
	return 0;
}

static void events__are_read__ten_thousand_at_once(void **state)
{
	char id[16];
	int n = 0;

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	must(db_begin(db, &e));
	for (int i = 0; i < MANY; i++) {
		struct history_event ev = applied(id, 1);

		snprintf(id, sizeof(id), "%05d", i);
		must(ledger_add(db, &ev, SV("CREATE TABLE t (x)"), SV("DROP TABLE t"), NULL, &e));
	}
	must(db_commit(db, &e));
	must(ledger_events(db, count_event, &n, &e));
	assert_int_equal(n, MANY);
}

/* --- Runs and lines ---------------------------------------------------------------------------- */

static int list_line(void *arg, int64_t epoch, int64_t seq, struct sv line, struct err *err)
{
	(void)err;
	strbuf_addf(arg, "%d.%d=%.*s ", (int)epoch, (int)seq, (int)line.n, line.p);
	return 0;
}

static void lines__are_kept_once__and_in_order(void **state)
{
	struct strbuf b;
	int64_t epoch, seq;

	(void)state;
	services_need(&on->s);
	must(ledger_last_line(db, "r1", &epoch, &seq, &e));
	assert_int_equal(epoch + seq, 0);
	must(ledger_ensure(db, &e));
	must(db_begin(db, &e));
	must(ledger_put_run(db, "r1", "migrate", "ann", "near", 1, "running", "d", &e));
	must(ledger_put_run(db, "r1", "migrate", "ann", "near", 1, "done", "d", &e));
	must(ledger_put_line(db, "r1", 2, 1, SV("c"), &e));
	must(ledger_put_line(db, "r1", 1, 2, SV("b"), &e));
	must(ledger_put_line(db, "r1", 1, 1, SV("a"), &e));
	must(ledger_put_line(db, "r1", 1, 1, SV("other"), &e));
	must(db_commit(db, &e));
	must(ledger_last_line(db, "r1", &epoch, &seq, &e));
	assert_int_equal(epoch, 2);
	assert_int_equal(seq, 1);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(ledger_lines(db, "r1", list_line, &b, &e));
	assert_string_equal(strbuf_str(&b), "1.1=a 1.2=b 2.1=c ");
	strbuf_clear(&b);
}

/* --- Items ------------------------------------------------------------------------------------- */

static int send(const struct db_item *item, size_t n)
{
	struct err ignored;
	size_t failed;
	int rc = db_unit_send(db, item, n, &e);

	if (rc == 0)
		rc = db_unit_result(db, &failed, &e);
	if (rc != 0)
		(void)!db_units_clear(db, &ignored);
	return rc;
}

static int took_some(void *arg, const struct history_event *ev, struct err *err)
{
	(void)err;
	assert_true(ev->took_ms >= 200 && ev->took_ms < 60000);
	assert_true(llabs(clock_utc_ms() - ev->at_utc_ms) < 60000);
	++*(int *)arg;
	return 0;
}

static void items__write_the_same__inside_a_unit(void **state)
{
	struct history_event ev = applied("1", 1);
	struct db_item item[7] = { { .text = SV("BEGIN") } };
	struct strbuf b;
	int n = 0;

	(void)state;
	services_need(&on->s);
	must(ledger_ensure(db, &e));
	ev.at_utc_ms = 0;
	ev.took_ms = 0;
	must(ledger_event_item(&arena, db, &ev, SV("up"), SV("down"), &item[1], &e));
	item[2].text = on->kind == SERVICE_PG ? SV("SELECT pg_sleep(0.25)")
					      : SV("SELECT SLEEP(0.25)");
	ledger_run_item(&arena, db, "r1", "migrate", "ann", "near", 1, "running", "d", &item[3]);
	ledger_line_item(&arena, db, "r1", 1, 1, SV("a"), &item[4]);
	ledger_took_item(&arena, db, &ev, &item[5]);
	item[6].text = SV("COMMIT");
	must(send(item, 7));
	must(ledger_events(db, took_some, &n, &e));
	assert_int_equal(n, 1);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(ledger_lines(db, "r1", list_line, &b, &e));
	assert_string_equal(strbuf_str(&b), "1.1=a ");
	strbuf_clear(&b);
	/* A second application fails before it has done anything. */
	fails(send(item, 7), ERR_EXISTS);
	history_is("shop/1/applied/1 ");
}

#define CASE(fn, i) \
	{ \
#fn, fn, setup, teardown, &engines[i] \
	}
#define BOTH(fn) CASE(fn, 0), CASE(fn, 1)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(format__is_zero__before_the_first_write),
		BOTH(ensure__makes_the_ledger__once),
		BOTH(ensure__finishes__what_was_left_half_made),
		BOTH(ensure__works__for_all_who_meet),
		BOTH(ensure__names_the_grant__that_is_missing),
		BOTH(ensure__refuses__a_newer_format),
		BOTH(event__comes_back__as_it_was_added),
		BOTH(event__has_the_servers_time__when_it_names_none),
		BOTH(add__refuses__a_second_application_of_a_generation),
		BOTH(add__refuses__a_name_that_does_not_fit),
		BOTH(events__are_read__ten_thousand_at_once),
		BOTH(lines__are_kept_once__and_in_order),
		BOTH(items__write_the_same__inside_a_unit),
	};
	int failed;

	for (size_t i = 0; i < 2; i++)
		if (db_driver(i == 0 ? "postgresql" : "mariadb") == NULL ||
		    services_start(engines[i].kind, &engines[i].s) != 0)
			memset(&engines[i].s, 0, sizeof(engines[i].s));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < 2; i++)
		if (engines[i].s.url != NULL)
			services_stop(&engines[i].s);
	return failed;
}
