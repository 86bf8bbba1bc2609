/* SPDX-License-Identifier: MIT */
/* needs: servers */
/* The fenced lock of a server's database, on real PostgreSQL and MariaDB, with real other processes. Every
 * case runs on both. */
#include "core/ledger/lock.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"
#include "tests/support/lock_other.h"
#include "tests/support/services.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOON_MS 30000 /* for what comes at once on a machine that is not busy */

/* One engine, and what is said differently to it. */
struct engine {
	enum server_kind kind;
	const char *drop;       /* the ledger and t, as the superuser */
	const char *nap;        /* a statement that takes 3 seconds */
	const char *sleep;      /* … that takes ten minutes */
	const char *asleep;     /* how many do that */
	const char *unlock;     /* gives every advisory lock of the session away */
	const char *older;      /* the last beat was ten minutes ago */
	const char *end_others; /* ends every session but this one */
	struct server s;
};

static struct engine engines[] = {
	{
		.kind = SERVICE_PG,
		.drop = "DROP SCHEMA IF EXISTS bascule CASCADE; DROP TABLE IF EXISTS t; "
			"CREATE TABLE t (n int); ALTER TABLE t OWNER TO app",
		.nap = "behind SELECT pg_sleep(3)",
		.sleep = "behind SELECT pg_sleep(600)",
		.asleep =
			"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(600)%' AND "
			"state = 'active' AND pid <> pg_backend_pid()",
		.unlock = "sql SELECT pg_advisory_unlock_all()",
		.older = "UPDATE bascule.beat SET beaten_at = beaten_at - 600000",
		.end_others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
			      "pid <> pg_backend_pid() AND usename = 'app'",
	},
	{
		.kind = SERVICE_MY,
		.drop = "DROP TABLE IF EXISTS bascule_meta, bascule_history, bascule_run, "
			"bascule_line, bascule_lock, bascule_beat, t; CREATE TABLE t (n int)",
		.nap = "behind SELECT SLEEP(3)",
		.sleep = "behind SELECT SLEEP(600)",
		.asleep = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE "
			  "'%SLEEP(600)%' AND id <> connection_id()",
		.unlock = "sql DO RELEASE_ALL_LOCKS()",
		.older = "UPDATE bascule_beat SET beaten_at = beaten_at - 600000",
		.end_others = "KILL USER app",
	},
};

static struct engine *on;
static struct arena arena;
static struct dsn dsn;
static struct db *db;
static struct lock *l;
static struct lock_other other;
static struct err e;

static const struct lock_request ann = {
	.who = "ann", .host = "near", .run = "r1", .wait_ms = 300
};

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

static void says(const char *text, const char *word)
{
	if (strstr(text, word) == NULL)
		fail_msg("no '%s' in: %s", word, text);
}

static void as_root(const char *sql)
{
	free(services_sql(&on->s, sql));
}

static struct db *connection(int64_t lock_timeout_ms)
{
	const struct db_options opt = { .lock_timeout_ms = lock_timeout_ms };
	struct db *out;

	must(db_open(&dsn, 0, &opt, NULL, &out, &e));
	return out;
}

static struct lock_holder holder(int64_t stale_ms)
{
	struct lock_holder h;

	must(lock_read(&dsn, db, stale_ms, &h, &e));
	return h;
}

static int64_t rows(void)
{
	int64_t n;

	must(db_int(db, "SELECT count(*) FROM t", NULL, 0, -1, &n, &e));
	return n;
}

static void pause_ms(int64_t ms)
{
	struct err ignored;

	(void)!wait_fds(NULL, 0, clock_mono_ms() + ms, NULL, &ignored);
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
	db = connection(500);
	must(ledger_ensure(db, &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (on->s.url == NULL)
		return 0;
	lock_other_end(&other, SIGKILL);
	lock_release(l, NULL);
	l = NULL;
	db_close(db);
	db = NULL;
	arena_clear(&arena);
	return 0;
}

static void other_takes(const char *command)
{
	lock_other_start(&other, on->s.url);
	lock_other_says(&other, command, "ok");
}

/* Until the lock looks silent. */
static void until_stale(int64_t stale_ms)
{
	int64_t deadline_ms = clock_mono_ms() + SOON_MS;

	while (!holder(stale_ms).stale && clock_mono_ms() < deadline_ms)
		pause_ms(20);
	assert_true(holder(stale_ms).stale);
}

/* Until the server runs the other's long statement. */
static void until_asleep(void)
{
	int64_t deadline_ms = clock_mono_ms() + SOON_MS;
	bool seen = false;

	while (!seen && clock_mono_ms() < deadline_ms) {
		char *n = services_sql(&on->s, on->asleep);

		seen = strcmp(n, "1") == 0;
		free(n);
		if (!seen)
			pause_ms(50);
	}
	assert_true(seen);
}

/* Until nobody holds the lock. */
static void until_free(void)
{
	must(lock_wait(&dsn, db, clock_mono_ms() + SOON_MS, NULL, &e));
}

/* --- Taking ------------------------------------------------------------------------------------ */

static void take__bumps_the_epoch__each_time(void **state)
{
	struct lock_holder h;

	(void)state;
	services_need(&on->s);
	for (int64_t epoch = 1; epoch <= 3; epoch++) {
		must(lock_take(&dsn, db, &ann, &l, &h, &e));
		assert_int_equal(lock_epoch(l), epoch);
		assert_string_equal(h.run, "");
		h = holder(0);
		assert_true(h.held && !h.stale);
		assert_string_equal(h.who, "ann");
		assert_string_equal(h.host, "near");
		assert_string_equal(h.run, "r1");
		assert_int_equal(h.epoch, epoch);
		assert_int_not_equal(h.session.id, 0);
		assert_true(llabs(clock_utc_ms() - h.beat_utc_ms) < SOON_MS);
		assert_true(llabs(clock_utc_ms() - h.since_utc_ms) < SOON_MS);
		must(lock_fence_file(l, &e));
		lock_release(l, db);
		l = NULL;
		h = holder(0);
		assert_false(h.held || h.stale);
		assert_string_equal(h.who, "");
		assert_int_equal(h.session.id, 0);
		assert_int_equal(h.epoch, epoch);
	}
}

static void read__knows_nothing__without_a_connection_or_a_ledger(void **state)
{
	struct lock_holder h;

	(void)state;
	services_need(&on->s);
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	must(lock_read(&dsn, NULL, 0, &h, &e));
	assert_false(h.held || h.stale || h.alive);
	lock_release(l, db);
	l = NULL;
	as_root(on->drop);
	h = holder(0);
	assert_false(h.held || h.stale);
	must(db_begin(db, &e));
	h = holder(0);
	assert_false(h.held || h.stale);
	must(db_commit(db, &e));
}

static void take__is_refused__while_another_holds_it(void **state)
{
	struct lock_holder h;
	int64_t start;

	(void)state;
	services_need(&on->s);
	other_takes("take 0 r7");
	fails(lock_take(&dsn, db, &ann, &l, &h, &e), ERR_LOCKED);
	says(e.msg, "bob holds it");
	says(e.detail, "bob from far since 2");
	says(e.detail, "run r7");
	says(e.hint, "--wait");
	assert_string_equal(h.run, "r7");
	assert_true(h.held);
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	fails(lock_clear_dead(&dsn, db, "r7", "ann", "near", &e), ERR_LOCKED);
	start = clock_mono_ms();
	fails(lock_wait(&dsn, db, start + 200, NULL, &e), ERR_LOCKED);
	says(e.msg, "bob holds it");
	assert_true(clock_mono_ms() - start >= 200);
	lock_other_says(&other, "write", "ok");
	lock_other_says(&other, "unit", "ok");
	assert_int_equal(rows(), 2);
	lock_other_says(&other, "later 100 release", "ok");
	until_free();
	must(lock_take(&dsn, db, &ann, &l, &h, &e));
	assert_int_equal(lock_epoch(l), 2);
	assert_string_equal(h.run, "");
}

struct taker {
	pthread_t thread;
	struct db *db;
	struct lock *l;
	struct err e;
	int result;
};

static void *take_it(void *arg)
{
	struct taker *t = arg;

	t->result = lock_take(&dsn, t->db, &ann, &t->l, NULL, &t->e);
	return NULL;
}

static void take__is_won_by_one__of_many_at_once(void **state)
{
	struct taker t[4] = { { .result = -1 } };
	int won = 0;

	(void)state;
	services_need(&on->s);
	for (size_t i = 0; i < 4; i++)
		t[i].db = connection(20000);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i].thread, NULL, take_it, &t[i]), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(t[i].thread, NULL);
	for (size_t i = 0; i < 4; i++) {
		e = t[i].e;
		if (t[i].result != 0)
			fails(-1, ERR_LOCKED);
		won += t[i].result == 0;
		if (t[i].result == 0)
			lock_release(t[i].l, t[i].db);
		db_close(t[i].db);
	}
	assert_int_equal(won, 1);
}

static void take__finds_it_free__when_the_holder_was_killed(void **state)
{
	struct lock_holder h;

	(void)state;
	services_need(&on->s);
	other_takes("take 0 r7");
	lock_other_end(&other, SIGKILL);
	until_free();
	h = holder(0);
	assert_true(h.stale && !h.held);
	must(lock_take(&dsn, db, &ann, &l, &h, &e));
	assert_string_equal(h.run, "r7");
	assert_false(h.held);
	assert_int_equal(lock_epoch(l), 2);
}

static void clear_dead__clears__the_row_of_that_run_only(void **state)
{
	struct lock_holder h;

	(void)state;
	services_need(&on->s);
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	lock_release(l, NULL); /* as a run that did not end */
	l = NULL;
	h = holder(0);
	assert_false(h.held);
	assert_true(h.stale);
	assert_string_equal(h.run, "r1");
	fails(lock_clear_dead(&dsn, db, "r2", "ann", "near", &e), ERR_LOCKED);
	says(e.detail, "run r1, not r2");
	must(lock_clear_dead(&dsn, db, "r1", "ann", "near", &e));
	h = holder(0);
	assert_false(h.held || h.stale);
	assert_string_equal(h.run, "");
}

static void take__waits_for_nobody__whose_transaction_is_open(void **state)
{
	(void)state;
	services_need(&on->s);
	other_takes("take 0 r7");
	lock_other_says(&other, "fenced", "ok");
	lock_other_says(&other, on->unlock, "ok");
	/* The lock is free, but what he has begun is behind his fence and may still be committed. */
	fails(lock_take(&dsn, db, &ann, &l, NULL, &e), ERR_BUSY);
	lock_other_says(&other, "commit", "ok");
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	assert_int_equal(lock_epoch(l), 2);
	lock_other_says(&other, "write", "fenced");
	assert_int_equal(rows(), 0);
}

/* --- The fence --------------------------------------------------------------------------------- */

static void fence__holds__until_the_lock_is_lost(void **state)
{
	struct db *second;

	(void)state;
	services_need(&on->s);
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	must(db_begin(db, &e));
	must(lock_fence(l, db, &e));
	must(db_commit(db, &e));
	/* Another session of ours does not have the lock, whatever the epoch. */
	second = connection(500);
	must(db_begin(second, &e));
	fails(lock_fence(l, second, &e), ERR_FENCED);
	db_rollback(second);
	db_close(second);
	as_root(on->kind == SERVICE_PG
			? "UPDATE bascule.lock SET epoch = 9, who = 'eve', host = 'x'"
			: "UPDATE bascule_lock SET epoch = 9, who = 'eve', host = 'x'");
	must(db_begin(db, &e));
	fails(lock_fence(l, db, &e), ERR_FENCED);
	says(e.detail, "ours is epoch 1; eve from x has taken epoch 9");
	db_rollback(db);
	fails(lock_beat(l, &e), ERR_FENCED);
}

static void fence__stops_the_old_holder__on_the_server(void **state)
{
	(void)state;
	services_need(&on->s);
	other_takes("take 0 r7");
	lock_other_says(&other, on->unlock, "ok");
	/* His session is there and does nothing: it has no lock, and its epoch is over. */
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	lock_other_says(&other, "write", "fenced");
	lock_other_says(&other, "unit", "fenced");
	lock_other_says(&other, "beat", "fenced");
	lock_other_says(&other, "release", "ok");
	assert_int_equal(rows(), 0);
	assert_string_equal(holder(0).who, "ann"); /* his release left our row alone */
	must(db_begin(db, &e));
	must(lock_fence(l, db, &e));
	must(db_commit(db, &e));
}

/* --- Beats ------------------------------------------------------------------------------------- */

static void beat__goes_on__while_a_transaction_holds_the_row(void **state)
{
	(void)state;
	services_need(&on->s);
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	as_root(on->older);
	assert_true(holder(0).stale);
	must(db_begin(db, &e));
	must(lock_fence(l, db, &e));
	must(lock_beat(l, &e));
	must(db_commit(db, &e));
	assert_false(holder(0).stale);
	assert_true(clock_utc_ms() - holder(0).beat_utc_ms < SOON_MS);
}

static void beat__ends__with_the_lease(void **state)
{
	struct lock_request soon = ann;

	(void)state;
	services_need(&on->s);
	soon.stale_ms = 300;
	must(lock_take(&dsn, db, &soon, &l, NULL, &e));
	until_stale(300);
	fails(lock_lease(l, &e), ERR_FENCED);
	fails(lock_beat(l, &e), ERR_FENCED);
}

static void beat__comes_back__after_its_connection_was_ended(void **state)
{
	int64_t deadline_ms = clock_mono_ms() + SOON_MS;
	int rc;

	(void)state;
	services_need(&on->s);
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	as_root(on->end_others);
	while ((rc = lock_beat(l, &e)) != 0 && clock_mono_ms() < deadline_ms) {
		assert_int_not_equal(e.code, ERR_FENCED);
		pause_ms(50);
	}
	must(rc);
	/* The working session went with it: its lock is free, and it knows. */
	assert_int_equal(db_begin(db, &e), -1);
	assert_int_equal(e.code, ERR_LOST);
}

static void beat__is_over_in_seconds__when_the_server_is_mute(void **state)
{
	int64_t start;

	(void)state;
	services_need(&on->s);
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	free(services_tell("freeze", on->s.name, NULL));
	start = clock_mono_ms();
	assert_int_equal(lock_beat(l, &e), -1);
	assert_int_not_equal(e.code, ERR_FENCED);
	assert_int_equal(lock_beat(l, &e), -1); /* with a new connection, too */
	assert_true(clock_mono_ms() - start < 20000);
	free(services_tell("thaw", on->s.name, NULL));
	must(lock_beat(l, &e));
}

/* --- Taking over ------------------------------------------------------------------------------- */

static void say(void *arg, const char *text)
{
	strbuf_addf(arg, "%s\n", text);
}

static void takeover__ends_the_session__only_when_told_to(void **state)
{
	struct lock_request req = ann;
	struct lock_holder h;
	struct strbuf said;

	(void)state;
	services_need(&on->s);
	strbuf_init(&said, STRBUF_NO_LIMIT);
	req.stale_ms = 500;
	req.say = say;
	req.arg = &said;
	other_takes("take 500 r7");
	lock_other_stop(&other);
	until_stale(500);
	fails(lock_take(&dsn, db, &req, &l, &h, &e), ERR_LOCKED);
	says(e.hint, "bascule takeover");
	fails(lock_takeover(&dsn, db, &req, &l, NULL, &e), ERR_BUSY);
	says(e.detail, "of run r7");
	says(e.hint, "bascule takeover r7 --terminate");
	says(strbuf_str(&said), "waiting for session");
	strbuf_reset(&said);
	req.terminate = true;
	req.wait_ms = SOON_MS;
	must(lock_takeover(&dsn, db, &req, &l, &h, &e));
	says(strbuf_str(&said), "ending session");
	assert_int_equal(lock_epoch(l), 2);
	assert_string_equal(h.run, "r7");
	/* He wakes up: whatever he tries, nothing is written. */
	assert_int_equal(kill(other.pid, SIGCONT), 0);
	lock_other_says(&other, "lease", "fenced");
	lock_other_says(&other, "beat", "fenced");
	lock_other_says(&other, "write", "connection-lost");
	assert_int_equal(rows(), 0);
	strbuf_clear(&said);
}

static void takeover__waits__for_a_statement_that_outlives_its_client(void **state)
{
	struct lock_request req = ann;
	struct lock_holder h;

	(void)state;
	services_need(&on->s);
	req.stale_ms = 500;
	other_takes("take 500 r7");
	lock_other_says(&other, on->nap, "ok");
	lock_other_end(&other, SIGKILL);
	until_stale(500);
	h = holder(500);
	if (h.held) { /* it may be over already on a slow machine */
		req.wait_ms = 1;
		if (lock_takeover(&dsn, db, &req, &l, NULL, &e) != 0) {
			assert_int_equal(e.code, ERR_BUSY);
			says(e.detail, on->kind == SERVICE_PG ? "pg_sleep" : "SLEEP");
		}
	}
	req.wait_ms = SOON_MS;
	if (l == NULL)
		must(lock_takeover(&dsn, db, &req, &l, &h, &e));
	assert_int_equal(lock_epoch(l), 2);
}

static void takeover__ends__a_statement_that_goes_on(void **state)
{
	struct lock_request req = ann;

	(void)state;
	services_need(&on->s);
	req.stale_ms = 500;
	other_takes("take 500 r7");
	/* Given away inside of a script, which goes on. */
	lock_other_says(&other, on->unlock, "ok");
	lock_other_says(&other, on->sleep, "ok");
	until_asleep();
	fails(lock_take(&dsn, db, &req, &l, NULL, &e), ERR_BUSY);
	says(e.detail, "600");
	until_stale(500);
	fails(lock_takeover(&dsn, db, &req, &l, NULL, &e), ERR_BUSY);
	req.terminate = true;
	req.wait_ms = SOON_MS;
	must(lock_takeover(&dsn, db, &req, &l, NULL, &e));
	assert_int_equal(lock_epoch(l), 2);
}

static void takeover__takes_at_once__what_nobody_holds(void **state)
{
	struct lock_holder h;

	(void)state;
	services_need(&on->s);
	must(lock_takeover(&dsn, db, &ann, &l, &h, &e));
	assert_int_equal(lock_epoch(l), 1);
	assert_string_equal(h.run, "");
}

/* --- Poolers ----------------------------------------------------------------------------------- */

static void pooler__is_refused__when_it_shares_sessions(void **state)
{
	struct server pool = { 0 };
	struct db *through = NULL;
	struct dsn to;

	(void)state;
	services_need(&on->s);
	if (on->kind != SERVICE_PG || services_try(NULL, "need", "pgbouncer", NULL) != 0)
		skip();
	free(services_tell("pgbouncer", "lockpool", on->s.name, "transaction", NULL));
	services_env("lockpool", &pool);
	must(dsn_parse(&arena, pool.url, "/", &to, &e));
	must(db_open(&to, 0, NULL, NULL, &through, &e));
	fails(lock_take(&to, through, &ann, &l, NULL, &e), ERR_UNSUPPORTED);
	assert_null(l);
	db_close(through);
	services_stop(&pool);
	free(services_tell("pgbouncer", "lockpool2", on->s.name, "session", NULL));
	services_env("lockpool2", &pool);
	must(dsn_parse(&arena, pool.url, "/", &to, &e));
	must(db_open(&to, 0, NULL, NULL, &through, &e));
	must(lock_take(&to, through, &ann, &l, NULL, &e));
	must(lock_beat(l, &e));
	must(db_begin(through, &e));
	must(lock_fence(l, through, &e));
	must(db_commit(through, &e));
	lock_release(l, through);
	l = NULL;
	db_close(through);
	services_stop(&pool);
}

#define CASE(fn, i) \
	{ \
#fn, fn, setup, teardown, &engines[i] \
	}
#define BOTH(fn) CASE(fn, 0), CASE(fn, 1)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH(take__bumps_the_epoch__each_time),
		BOTH(read__knows_nothing__without_a_connection_or_a_ledger),
		BOTH(take__is_refused__while_another_holds_it),
		BOTH(take__is_won_by_one__of_many_at_once),
		BOTH(take__finds_it_free__when_the_holder_was_killed),
		BOTH(clear_dead__clears__the_row_of_that_run_only),
		BOTH(take__waits_for_nobody__whose_transaction_is_open),
		BOTH(fence__holds__until_the_lock_is_lost),
		BOTH(fence__stops_the_old_holder__on_the_server),
		BOTH(beat__goes_on__while_a_transaction_holds_the_row),
		BOTH(beat__ends__with_the_lease),
		BOTH(beat__comes_back__after_its_connection_was_ended),
		BOTH(beat__is_over_in_seconds__when_the_server_is_mute),
		BOTH(takeover__ends_the_session__only_when_told_to),
		BOTH(takeover__waits__for_a_statement_that_outlives_its_client),
		BOTH(takeover__ends__a_statement_that_goes_on),
		BOTH(takeover__takes_at_once__what_nobody_holds),
		CASE(pooler__is_refused__when_it_shares_sessions, 0),
	};
	int failed;

	if (argc == 3 && strcmp(argv[1], LOCK_OTHER_ROLE) == 0)
		return lock_other_main(argv[2]);
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
