/* SPDX-License-Identifier: MIT */
/*
 * Operators and their locks, through the real program: a holder killed, one stopped for longer than
 * its lease and continued, one lost by a reboot, two at once. Each case ends in the result as it
 * is written down in the README; the case fails when it is not what happened.
 * time-limit: 300
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/ledger/lock.h"
#include "tests/support/program.h"
#include "tests/support/workspace.h"

/* Steps of the run: lock, gates, 0001, 0002, state file, release. */
#define FIRST_STEP 3
#define SECOND_STEP 4

#define COUNT(n) \
	"CREATE TABLE slow (n);\n" \
	"INSERT INTO slow WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c " \
	"WHERE x < " n ") SELECT max(x) FROM c;\n"

static char *said;

static int setup(void **state)
{
	*state = mem_alloc(sizeof(struct program));
	return 0;
}

static int teardown(void **state)
{
	program_clear(*state);
	mem_free(*state);
	mem_free(said);
	said = NULL;
	return 0;
}

static void result(const char *text)
{
	print_message("# result: %s\n", text);
}

static int ask(struct program *p, const char *words)
{
	mem_free(said);
	said = NULL;
	return program_run(p, words, &said);
}

static void expect(struct program *p, const char *words, int want)
{
	int got = ask(p, words);

	if (got != want)
		fail_msg("`bascule %s`: exit %d, not %d\n%s", words, got, want, said);
}

static void expect_said(const char *text)
{
	if (!strstr(said, text))
		fail_msg("not said: %s\nbut:\n%s", text, said);
}

static bool step_runs(const struct run *r, int step)
{
	return r->step[step - 1].state == STEP_RUNNING;
}

static bool is_paused(const struct run *r, int step)
{
	(void)step;
	return r->state == RUN_PAUSED;
}

static int64_t applied(struct program *p)
{
	return program_int(p, "SELECT count(*) FROM bascule_history WHERE event = 'applied'");
}

static int64_t epoch(struct program *p)
{
	return program_int(p, "SELECT epoch FROM bascule_lock");
}

/* A run of two migrations whose runner is inside the second one. Its pid. */
/* The intent of a step is written before its transaction begins; the file of the rollback journal
 * says that it has, and has written. */
static void wait_inside(struct program *p)
{
	int64_t until = clock_mono_ms() + 30000;
	struct strbuf journal;

	strbuf_init(&journal, 4096);
	strbuf_addf(&journal, "%s-journal", p->dsn.path);
	while (!fs_exists(strbuf_str(&journal)) && clock_mono_ms() < until)
		poll(NULL, 0, 10);
	assert_true(fs_exists(strbuf_str(&journal)));
	strbuf_clear(&journal);
}

static pid_t start_slow(struct program *p, const char *count)
{
	struct run *r;
	pid_t pid;

	program_init(p, "undo_migrations = never\nlock_stale = 3s\n");
	program_migration(p, "0001", "CREATE TABLE fast (x);\n", "DROP TABLE fast;\n");
	program_migration(p, "0002", count, "DROP TABLE slow;\n");
	pid = program_start(p, "migrate dev");
	program_follow(p, "1", step_runs, SECOND_STEP);
	wait_inside(p);
	r = program_load(p, "1");
	/* The watching command may go; the run goes on. */
	kill(pid, SIGKILL);
	program_reap(pid);
	pid = (pid_t)r->runner_pid;
	run_free(r);
	return pid;
}

static void holder_killed__is_resumed__when_its_runner_got_sigkill(void **state)
{
	struct program *p = *state;
	struct lock_holder h;
	struct run *r;
	struct err e;
	pid_t runner = start_slow(p, COUNT("4000000"));

	kill(runner, SIGKILL);
	assert_int_equal(program_follow(p, "1", NULL, 0), RUN_INTERRUPTED);
	/* The kernel gave the lock back; the row still says whose it was. */
	assert_ok(lock_read(&p->dsn, NULL, 0, &h, &e), &e);
	assert_false(h.held);
	assert_int_equal(applied(p), 1);
	/* The next operator is told, and with what to go on. */
	expect(p, "migrate dev", 3);
	expect_said("interrupted");
	expect_said("bascule resume 1");
	expect(p, "resume 1", 0);
	assert_int_equal(applied(p), 2);
	assert_int_equal(epoch(p), 2);
	r = program_load(p, "1");
	assert_int_equal(r->state, RUN_DONE);
	assert_false(r->chain.broken);
	assert_int_equal(r->chain.evidence, 0);
	run_free(r);
	result("holder killed: the lock is free at once, its transaction is rolled back, the run "
	       "is "
	       "interrupted at its step; migrate is refused (3) with `bascule resume`, which ends "
	       "it; "
	       "epoch 1, then 2");
}

/* A paused run whose runner is stopped for longer than its lease. */
static pid_t start_paused(struct program *p)
{
	struct run *r;
	pid_t pid;

	program_init(p, "on_failure = pause\nundo_migrations = always\nlock_stale = 3s\n");
	program_migration(p, "0001", "CREATE TABLE fast (x);\n", "DROP TABLE fast;\n");
	program_migration(p, "0002", "CREATE TABLE late AS SELECT * FROM gate;\n",
			  "DROP TABLE late;\n");
	expect(p, "migrate dev", 8);
	assert_int_equal(program_follow(p, "1", is_paused, 0), RUN_PAUSED);
	r = program_load(p, "1");
	pid = (pid_t)r->runner_pid;
	run_free(r);
	return pid;
}

static void wait_stale(struct program *p)
{
	int64_t until = clock_mono_ms() + 30000;
	struct lock_holder h;
	struct err e;

	do {
		poll(NULL, 0, 50);
		assert_ok(lock_read(&p->dsn, NULL, 3000, &h, &e), &e);
	} while (!h.stale && clock_mono_ms() < until);
	assert_true(h.stale);
	assert_true(h.held);
	assert_true(h.stopped);
}

/* Not our child: gone when its pid is no more, or a zombie somebody else reaps. */
static void wait_gone(struct program *p, pid_t pid)
{
	int64_t until = clock_mono_ms() + 30000;

	(void)p;
	while (kill(pid, 0) == 0 && clock_mono_ms() < until)
		poll(NULL, 0, 20);
	assert_int_equal(kill(pid, 0), -1);
}

static void holder_stopped__writes_nothing__when_continued_behind_a_takeover(void **state)
{
	struct program *p = *state;
	struct run *r;
	int64_t events;
	pid_t old = start_paused(p);

	expect(p, "takeover 1", 6);
	kill(old, SIGSTOP);
	wait_stale(p);
	expect(p, "resume 1", 6);
	expect_said("bascule takeover 1");
	program_exec(p, "CREATE TABLE gate (x)");
	expect(p, "takeover 1", 0);
	assert_int_equal(applied(p), 2);
	assert_int_equal(epoch(p), 2);
	events = program_int(p, "SELECT count(*) FROM bascule_history");
	/* It wakes up with a decision to make and a lock it believes in. */
	kill(old, SIGCONT);
	wait_gone(p, old);
	assert_int_equal(program_int(p, "SELECT count(*) FROM bascule_history"), events);
	assert_int_equal(epoch(p), 2);
	r = program_load(p, "1");
	assert_int_equal(r->state, RUN_DONE);
	assert_false(r->chain.broken);
	assert_int_equal(r->chain.evidence, 1);
	run_free(r);
	result("holder stopped past its lease: resume is refused (6), takeover bumps the epoch and "
	       "ends the "
	       "run; continued, the old runner finds itself fenced, writes nothing into the "
	       "database, "
	       "leaves one line in the journal as evidence, and is gone");
}

static void holder_stopped_inside__must_be_killed__when_its_transaction_is_open(void **state)
{
	struct program *p = *state;
	pid_t old = start_slow(p, COUNT("400000000"));
	char kill_words[64];

	kill(old, SIGSTOP);
	wait_stale(p);
	assert_int_not_equal(ask(p, "takeover 1"), 0);
	snprintf(kill_words, sizeof(kill_words), "kill -KILL %d", (int)old);
	expect_said(kill_words);
	assert_int_equal(epoch(p), 1);
	kill(old, SIGKILL);
	wait_gone(p, old);
	assert_int_equal(applied(p), 1);
	expect(p, "abort 1", 4);
	assert_int_equal(applied(p), 1);
	result("holder stopped inside a transaction: takeover is refused and names the process to "
	       "kill; "
	       "nothing is half applied");
}

static void holder_rebooted__is_resumed__when_its_boot_is_another(void **state)
{
	struct program *p = *state;
	char preload[512];
	struct lock_holder h;
	struct run *r;
	struct err e;
	struct db *db;
	pid_t runner;

	/* The first runner lives in another boot of this machine: it reads another boot id. */
	snprintf(preload, sizeof(preload), "%s/tests/torture/faults.so", getenv("BASCULE_BUILD"));
	setenv("LD_PRELOAD", preload, 1);
	setenv("FAULTS_BOOT", "11111111-2222-3333-4444-555555555555", 1);
	program_init(p, "undo_migrations = never\n");
	program_migration(p, "0001", "CREATE TABLE fast (x);\n", "DROP TABLE fast;\n");
	program_migration(p, "0002", COUNT("4000000"), "DROP TABLE slow;\n");
	runner = program_start(p, "migrate dev --no-detach");
	unsetenv("LD_PRELOAD");
	unsetenv("FAULTS_BOOT");
	/* Its pid says nothing in our boot, so the run looks interrupted from the first line on. */
	program_follow(p, "1", step_runs, SECOND_STEP);
	do {
		r = program_load(p, "1");
		if (r->step[SECOND_STEP - 1].state == STEP_RUNNING)
			break;
		run_free(r);
		poll(NULL, 0, 5);
	} while (true);
	assert_string_equal(r->runner_boot, "11111111-2222-3333-4444-555555555555");
	kill((pid_t)r->runner_pid, SIGKILL);
	wait_gone(p, (pid_t)r->runner_pid);
	run_free(r);
	program_reap(runner);
	assert_ok(db_open(&p->dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(lock_read(&p->dsn, db, 0, &h, &e), &e);
	db_close(db);
	assert_true(h.rebooted);
	assert_false(h.held);
	assert_false(h.alive);
	expect(p, "migrate dev", 3);
	expect_said("bascule resume 1");
	expect(p, "resume 1", 0);
	assert_int_equal(applied(p), 2);
	assert_int_equal(epoch(p), 2);
	result("holder lost by a reboot: its boot id is not ours, so its pid means nothing; the "
	       "run is "
	       "interrupted, migrate is refused (3), resume ends it; epoch 1, then 2");
}

static void operators__one_is_told_who_and_since_when__when_two_migrate(void **state)
{
	struct program *p = *state;
	pid_t runner = start_slow(p, COUNT("400000000"));
	char pid_text[32];

	expect(p, "migrate dev", 6);
	snprintf(pid_text, sizeof(pid_text), "pid %d", (int)runner);
	expect_said(pid_text);
	expect_said("held by ");
	expect_said(" on ");
	expect_said(" since ");
	expect_said("--wait");
	assert_int_equal(applied(p), 1);
	expect(p, "abort 1", 4);
	assert_int_equal(program_follow(p, "1", NULL, 0), RUN_ABORTED);
	result("two operators at once: the second is refused (6) and told who, from where, since "
	       "when, and "
	       "that --wait waits");
}

static void operators__both_end_well__when_the_second_waits(void **state)
{
	struct program *p = *state;
	pid_t second;

	start_slow(p, COUNT("4000000"));
	second = program_start(p, "migrate dev --wait");
	assert_int_equal(program_follow(p, "1", NULL, 0), RUN_DONE);
	assert_int_equal(program_reap(second), 0);
	/* Applied once: the second found it done. */
	assert_int_equal(applied(p), 2);
	result("two operators, the second with --wait: it gets the lock when the first is done, "
	       "finds its "
	       "migrations applied, and applies nothing twice");
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(holder_killed__is_resumed__when_its_runner_got_sigkill),
		CASE(holder_stopped__writes_nothing__when_continued_behind_a_takeover),
		CASE(holder_stopped_inside__must_be_killed__when_its_transaction_is_open),
		CASE(holder_rebooted__is_resumed__when_its_boot_is_another),
		CASE(operators__one_is_told_who_and_since_when__when_two_migrate),
		CASE(operators__both_end_well__when_the_second_waits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
