/* SPDX-License-Identifier: MIT */
/*
 * The runner as a process of its own: killed, stopped, asked, taken over.
 *
 * This program is its own runner: called with "run ID …" it does what `bascule run` does, so that the
 * tests need no other binary. A slow migration counts in SQL; the tests wait for journal lines,
 * never for time.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"
#include "core/ledger/lock.h"
#include "core/release/control_socket.h"
#include "core/release/runner.h"
#include "tests/support/tmp.h"
#include "tests/support/workspace.h"

#define LIMIT_MS 120000
#define SHORT_STALE_MS 1000 /* a lease that a runner on a busy machine can keep */

/* Counts for some seconds; an interrupt or a kill ends it. */
#define SLOW_SQL \
	"CREATE TABLE slow (n);\n" \
	"INSERT INTO slow WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE " \
	"x < 400000000) SELECT max(x) FROM c;\n"

static int setup(void **state)
{
	struct workspace *w = mem_alloc(sizeof(*w));

	workspace_init(w, 1);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	workspace_clear(*state);
	mem_free(*state);
	return 0;
}

/* --- Waiting for a run ---------------------------------------------------------------------- */

struct wait {
	bool (*seen)(const struct run *r, int step);
	int step;
	enum run_state state;
};

static int look(void *arg, const struct run *r)
{
	struct wait *w = arg;

	w->state = r->state;
	return w->seen && w->seen(r, w->step) ? 1 : 0;
}

static void give_up(int sig)
{
	static const char text[] = "Bail out! a run did not get where it should\n";

	(void)sig;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

/* Follows until seen says so, or the run ends. Returns its last state. */
static enum run_state follow(struct workspace *w, const char *id,
			     bool (*seen)(const struct run *, int), int step)
{
	struct wait wait = { .seen = seen, .step = step };
	struct err e;

	signal(SIGALRM, give_up);
	alarm(LIMIT_MS / 1000);
	assert_ok(run_follow(&w->ctx, id, look, &wait, NULL, &e), &e);
	alarm(0);
	return wait.state;
}

static bool step_runs(const struct run *r, int step)
{
	return r->step[step - 1].state == STEP_RUNNING;
}

/* The state a killed runner left behind shows a running step as well. */
static bool step_runs_again(const struct run *r, int step)
{
	return r->epoch > 1 && step_runs(r, step);
}

static bool is_paused(const struct run *r, int step)
{
	(void)step;
	return r->state == RUN_PAUSED;
}

static bool is_waiting(const struct run *r, int step)
{
	(void)step;
	return r->state == RUN_WAITING && r->runner_pid > 0 && r->chain.lines > 1;
}

static pid_t spawn(struct workspace *w, const char *id, const char *mode, int64_t wait_ms)
{
	pid_t pid = -1;
	struct err e;

	assert_ok(run_spawn(&w->ctx, id, mode, wait_ms, &pid, &e), &e);
	return pid;
}

/* The exit status; 128 + signal. */
static int reap(pid_t pid)
{
	int status;

	alarm(LIMIT_MS / 1000);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void ask(struct workspace *w, const char *id, const char *verb, const char *reason)
{
	struct err e;

	assert_ok(run_request(&w->ctx, id, verb, "carol", reason, &e), &e);
}

static bool journal_has(struct workspace *w, const char *id, const char *text)
{
	char *dir = workspace_run_path(w, id, "");
	char *journal = tmp_read(dir, "journal.ndjson");
	bool has = strstr(journal, text) != NULL;

	free(journal);
	mem_free(dir);
	return has;
}

/* One fast migration, then a slow one: steps lock, gates, 0001, 0002, release. */
#define SLOW_STEP 4

static void freeze_slow(struct workspace *w, char id[RUN_ID_SIZE])
{
	workspace_migration(w, "0001", "fast", "CREATE TABLE fast (x);", "DROP TABLE fast;");
	workspace_migration(w, "0002", "slow", SLOW_SQL, "DROP TABLE slow;");
	workspace_run(w, "dev", id);
}

/* --- Life and death ------------------------------------------------------------------------- */

static void runner__finishes_by_itself__when_nobody_watches(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid;

	workspace_tables(w, 3);
	workspace_run(w, "dev", id);
	pid = spawn(w, id, "start", 0);
	assert_int_equal(follow(w, id, NULL, 0), RUN_DONE);
	assert_int_equal(reap(pid), 0);
	assert_true(workspace_has_table(w, "dev", "t3"));
}

static void run__is_interrupted_and_resumable__when_its_runner_is_killed(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	pid_t pid;

	freeze_slow(w, id);
	pid = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	kill(pid, SIGKILL);
	assert_int_equal(follow(w, id, NULL, 0), RUN_INTERRUPTED);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	assert_true(workspace_has_table(w, "dev", "fast"));
	assert_false(workspace_has_table(w, "dev", "slow"));
	r = workspace_load(w, id);
	assert_int_equal(r->current, SLOW_STEP);
	run_free(r);
	/* The next runner goes on where it stopped; it is ended here to save time. */
	pid = spawn(w, id, "resume", 0);
	follow(w, id, step_runs_again, SLOW_STEP);
	ask(w, id, "abort", "enough");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(pid), 4);
	assert_true(journal_has(w, id, "\"kind\":\"adopt\""));
	assert_int_equal(workspace_int(w, "dev", "SELECT count(*) FROM bascule_history"), 1);
}

static void runner__rolls_its_transaction_back__when_aborted(void **state)
{
	struct workspace *w = *state;
	struct lock_holder h;
	char id[RUN_ID_SIZE];
	struct run *r;
	struct err e;
	pid_t pid;

	freeze_slow(w, id);
	pid = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	ask(w, id, "abort", "wrong table");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(pid), 4);
	assert_true(workspace_has_table(w, "dev", "fast"));
	assert_false(workspace_has_table(w, "dev", "slow"));
	assert_true(journal_has(w, id, "wrong table"));
	r = workspace_load(w, id);
	assert_int_equal(r->not_copied, 0);
	assert_non_null(strstr(r->error_detail, "0001 applied"));
	run_free(r);
	assert_ok(lock_read(&w->project->env[0].dsn, NULL, 0, &h, &e), &e);
	assert_false(h.held);
}

static void runner__ends_behind_the_step__when_asked_to_stop(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid;

	freeze_slow(w, id);
	/* Short enough to wait for its end. */
	workspace_migration(w, "0002", "slow",
			    "CREATE TABLE slow (n); INSERT INTO slow WITH RECURSIVE c(x) AS "
			    "(SELECT 1 UNION ALL "
			    "SELECT x + 1 FROM c WHERE x < 4000000) SELECT max(x) FROM c;",
			    "DROP TABLE slow;");
	workspace_migration(w, "0003", "last", "CREATE TABLE last (x);", "DROP TABLE last;");
	workspace_run(w, "dev", id);
	pid = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	kill(pid, SIGTERM);
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(pid), 4);
	assert_true(workspace_has_table(w, "dev", "slow"));
	assert_false(workspace_has_table(w, "dev", "last"));
}

static void runner__says_no__when_the_request_does_not_fit(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct err e;
	pid_t pid;

	freeze_slow(w, id);
	assert_int_equal(run_request(&w->ctx, id, "abort", "carol", "", &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	pid = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	assert_int_equal(run_request(&w->ctx, id, "retry", "carol", "", &e), -1);
	assert_int_equal(e.code, ERR_GATE);
	assert_int_equal(run_request(&w->ctx, id, "dance", "carol", "", &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_int_equal(run_request(&w->ctx, id, "skip", "carol", "", &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	ask(w, id, "abort", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	reap(pid);
}

/* Bytes that are no request must not stop it from beating and answering. */
static void runner__stays_alive__when_rubbish_is_sent(void **state)
{
	static const char *const rubbish[] = {
		"", "\n", "{", "null\n", "[1]\n", "\xff\xfe\n", "{\"verb\":7}\n"
	};
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	char *dir, *big;
	pid_t pid;

	freeze_slow(w, id);
	pid = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	dir = workspace_run_path(w, id, "");
	big = mem_alloc(100000);
	memset(big, 'x', 100000);
	for (size_t i = 0; i <= sizeof(rubbish) / sizeof(rubbish[0]); i++) {
		const char *text = i < sizeof(rubbish) / sizeof(rubbish[0]) ? rubbish[i] : big;
		size_t n = text == big ? 100000 : strlen(text);
		int dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		struct sockaddr_un addr;

		control_address(dir_fd, &addr);
		assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
		(void)!send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		close(dir_fd);
	}
	mem_free(big);
	mem_free(dir);
	ask(w, id, "abort", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(pid), 4);
}

/* --- Pause ---------------------------------------------------------------------------------- */

/* Steps lock, gates, 0001, 0002 (fails until `gate` exists), 0003, release. */
#define PAUSE_STEP 4

static pid_t pause_run(struct workspace *w, char id[RUN_ID_SIZE])
{
	pid_t pid;

	w->project->env[0].on_failure = FAILURE_PAUSE;
	workspace_migration(w, "0001", "a", "CREATE TABLE a (x);", "DROP TABLE a;");
	workspace_migration(w, "0002", "b", "CREATE TABLE b AS SELECT * FROM gate;",
			    "DROP TABLE b;");
	workspace_migration(w, "0003", "c", "CREATE TABLE c (x);", "DROP TABLE c;");
	workspace_run(w, "dev", id);
	pid = spawn(w, id, "start", 0);
	assert_int_equal(follow(w, id, is_paused, 0), RUN_PAUSED);
	return pid;
}

static void runner__tries_again__when_paused_and_asked_to_retry(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid = pause_run(w, id);
	struct run *r = workspace_load(w, id);

	assert_int_equal(r->current, PAUSE_STEP);
	assert_true(r->runner_alive);
	assert_true(r->paused_until_utc_ms > clock_utc_ms());
	run_free(r);
	workspace_exec(w, "dev", "CREATE TABLE gate (x);");
	ask(w, id, "retry", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_DONE);
	assert_int_equal(reap(pid), 0);
	assert_true(workspace_has_table(w, "dev", "b"));
	assert_true(workspace_has_table(w, "dev", "c"));
}

static void runner__goes_on_without__when_paused_and_asked_to_skip(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid = pause_run(w, id);

	ask(w, id, "skip", "b is made by hand");
	assert_int_equal(follow(w, id, NULL, 0), RUN_DONE);
	assert_int_equal(reap(pid), 0);
	assert_false(workspace_has_table(w, "dev", "b"));
	assert_true(workspace_has_table(w, "dev", "c"));
	assert_true(journal_has(w, id, "skipped by carol: b is made by hand"));
}

static void runner__takes_back__when_paused_and_asked_to_roll_back(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid = pause_run(w, id);

	ask(w, id, "roll-back", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ROLLED_BACK);
	assert_int_equal(reap(pid), 5);
	assert_false(workspace_has_table(w, "dev", "a"));
}

static void runner__ends__when_paused_and_aborted(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid = pause_run(w, id);

	ask(w, id, "abort", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(pid), 4);
	assert_true(workspace_has_table(w, "dev", "a"));
}

static void runner__decides_by_policy__when_the_pause_is_over(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid;

	w->project->env[0].pause_limit_ms = 100;
	pid = pause_run(w, id);
	assert_int_equal(follow(w, id, NULL, 0), RUN_ROLLED_BACK);
	assert_int_equal(reap(pid), 5);
	assert_false(workspace_has_table(w, "dev", "a"));
}

static void run__resumes_at_the_failed_step__when_killed_while_paused(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	pid_t pid = pause_run(w, id);

	kill(pid, SIGKILL);
	assert_int_equal(follow(w, id, NULL, 0), RUN_INTERRUPTED);
	reap(pid);
	workspace_exec(w, "dev", "CREATE TABLE gate (x);");
	pid = spawn(w, id, "resume", 0);
	assert_int_equal(follow(w, id, NULL, 0), RUN_DONE);
	assert_int_equal(reap(pid), 0);
	assert_int_equal(
		workspace_int(w, "dev",
			      "SELECT count(*) FROM bascule_history WHERE event = 'applied'"),
		3);
}

/* --- Two at once ---------------------------------------------------------------------------- */

static void runner__waits_for_the_lock__when_told_to(void **state)
{
	struct workspace *w = *state;
	const struct lock_request req = { .who = "bob", .host = "desk", .run = "7-aaaaaa" };
	struct lock *lock;
	struct db *db;
	char id[RUN_ID_SIZE];
	struct err e;
	pid_t pid;

	workspace_tables(w, 1);
	assert_ok(db_open(&w->project->env[0].dsn, 0, NULL, NULL, &db, &e), &e);
	assert_ok(ledger_ensure(db, &e), &e);
	assert_ok(lock_take(&w->project->env[0].dsn, db, &req, &lock, NULL, &e), &e);
	workspace_run(w, "dev", id);
	pid = spawn(w, id, "start", -1);
	follow(w, id, is_waiting, 0);
	assert_false(workspace_has_table(w, "dev", "t1"));
	assert_true(journal_has(w, id, "bob from desk"));
	lock_release(lock, db);
	db_close(db);
	assert_int_equal(follow(w, id, NULL, 0), RUN_DONE);
	assert_int_equal(reap(pid), 0);
	assert_true(workspace_has_table(w, "dev", "t1"));
}

static void runner__gives_up_waiting__when_aborted(void **state)
{
	struct workspace *w = *state;
	const struct lock_request req = { .who = "bob", .host = "desk", .run = "7-aaaaaa" };
	struct lock *lock;
	struct db *db;
	char id[RUN_ID_SIZE];
	struct err e;
	pid_t pid;

	workspace_tables(w, 1);
	assert_ok(db_open(&w->project->env[0].dsn, 0, NULL, NULL, &db, &e), &e);
	assert_ok(ledger_ensure(db, &e), &e);
	assert_ok(lock_take(&w->project->env[0].dsn, db, &req, &lock, NULL, &e), &e);
	workspace_run(w, "dev", id);
	pid = spawn(w, id, "start", -1);
	follow(w, id, is_waiting, 0);
	kill(pid, SIGTERM);
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(pid), 4);
	assert_false(workspace_has_table(w, "dev", "t1"));
	lock_release(lock, db);
	db_close(db);
}

static void runner__is_alone__when_started_twice(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct err e;
	pid_t first, second;

	freeze_slow(w, id);
	first = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	assert_int_equal(run_spawn(&w->ctx, id, "resume", 0, &second, &e), -1);
	assert_int_equal(e.code, ERR_LOCKED);
	/* And so does the runner, should it be started all the same. */
	assert_int_equal(runner_main(&w->ctx, id, RUNNER_RESUME, 0, NULL, &e), 6);
	assert_int_equal(e.code, ERR_LOCKED);
	ask(w, id, "abort", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(first), 4);
}

/* A paused runner is stopped past its lease and taken over; continued, it must write nothing more
 * into the database, and what it wrote into the journal is evidence. */
static void runner__writes_nothing_more__when_it_wakes_behind_a_takeover(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	pid_t old, new;
	int64_t events;

	w->project->env[0].lock_stale_ms = SHORT_STALE_MS;
	old = pause_run(w, id);
	kill(old, SIGSTOP);
	waitpid(old, NULL, WUNTRACED);
	do {
		r = workspace_load(w, id);
		if (r->state == RUN_INTERRUPTED)
			break;
		run_free(r);
		poll(NULL, 0, SHORT_STALE_MS / 8);
	} while (true);
	run_free(r);
	workspace_exec(w, "dev", "CREATE TABLE gate (x);");
	new = spawn(w, id, "takeover", 0);
	assert_int_equal(follow(w, id, NULL, 0), RUN_DONE);
	assert_int_equal(reap(new), 0);
	events = workspace_int(w, "dev", "SELECT count(*) FROM bascule_history");
	kill(old, SIGCONT);
	assert_int_equal(reap(old), 1);
	assert_int_equal(workspace_int(w, "dev", "SELECT count(*) FROM bascule_history"), events);
	assert_int_equal(workspace_int(w, "dev", "SELECT max(epoch) FROM bascule_lock"), 2);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_DONE);
	assert_false(r->chain.broken);
	assert_int_equal(r->chain.evidence, 1);
	run_free(r);
}

static void runner__refuses_a_takeover__while_the_holder_beats(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct err e;
	pid_t first, second;

	freeze_slow(w, id);
	first = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	assert_int_equal(run_spawn(&w->ctx, id, "takeover", 0, &second, &e), -1);
	assert_int_equal(e.code, ERR_LOCKED);
	assert_int_equal(runner_main(&w->ctx, id, RUNNER_TAKEOVER, 0, NULL, &e), 6);
	assert_int_equal(e.code, ERR_LOCKED);
	ask(w, id, "abort", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(first), 4);
}

static void run_abort_dead__ends_the_run__when_its_runner_is_gone(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	struct err e;
	pid_t pid;

	freeze_slow(w, id);
	pid = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	assert_int_equal(run_abort_dead(&w->ctx, id, "carol", "", &e), -1);
	assert_int_equal(e.code, ERR_LOCKED);
	kill(pid, SIGKILL);
	reap(pid);
	assert_ok(run_abort_dead(&w->ctx, id, "carol", "the laptop is gone", &e), &e);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_ABORTED);
	assert_int_equal(r->exit_code, 4);
	assert_false(r->chain.broken);
	run_free(r);
	assert_int_equal(
		workspace_int(w, "dev", "SELECT count(*) FROM bascule_lock WHERE run <> ''"), 0);
	assert_int_equal(run_abort_dead(&w->ctx, id, "carol", "", &e), -1);
	assert_int_equal(e.code, ERR_GATE);
}

/* A socket address has 108 bytes; a state folder may be deeper. */
static void runner__is_asked__when_its_folder_has_a_long_path(void **state)
{
	struct workspace *w = *state;
	struct strbuf deep;
	char id[RUN_ID_SIZE];
	pid_t pid;

	strbuf_init(&deep, 4096);
	strbuf_adds(&deep, w->state_dir);
	for (int i = 0; i < 8; i++)
		strbuf_adds(&deep, "/a-folder-with-a-rather-long-name");
	w->ctx.state_dir = strbuf_str(&deep);
	mem_free(w->runs_dir);
	w->runs_dir = tmp_path(w->ctx.state_dir, "runs");
	w->ctx.runs_dir = w->runs_dir;
	freeze_slow(w, id);
	pid = spawn(w, id, "start", 0);
	follow(w, id, step_runs, SLOW_STEP);
	ask(w, id, "abort", "");
	assert_int_equal(follow(w, id, NULL, 0), RUN_ABORTED);
	assert_int_equal(reap(pid), 4);
	strbuf_clear(&deep);
}

/* --- The runner itself ---------------------------------------------------------------------- */

static struct cancel stop;

static void on_term(int sig)
{
	(void)sig;
	cancel_fire(&stop);
}

/* run ID --state DIR --mode M --wait MS */
static int be_runner(char *argv[])
{
	static const char *const modes[] = { "start", "resume", "takeover" };
	struct context ctx = {
		.who = "alice", .host = "laptop", .state_dir = argv[4], .exe = argv[0]
	};
	enum runner_mode mode = RUNNER_START;
	struct err e;
	int status;

	ctx.runs_dir = path_join(ctx.state_dir, "runs");
	for (int i = 0; i < 3; i++)
		if (!strcmp(argv[6], modes[i]))
			mode = (enum runner_mode)i;
	if (cancel_init(&stop, &e))
		return 1;
	signal(SIGTERM, on_term);
	err_clear(&e);
	status = runner_main(&ctx, argv[2], mode, strtoll(argv[8], NULL, 10), &stop, &e);
	if (status != 0)
		fprintf(stderr, "%s: %s\n", e.msg, e.detail);
	mem_free((char *)ctx.runs_dir);
	return status;
}

int main(int argc, char *argv[])
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(runner__finishes_by_itself__when_nobody_watches),
		CASE(run__is_interrupted_and_resumable__when_its_runner_is_killed),
		CASE(runner__rolls_its_transaction_back__when_aborted),
		CASE(runner__ends_behind_the_step__when_asked_to_stop),
		CASE(runner__says_no__when_the_request_does_not_fit),
		CASE(runner__stays_alive__when_rubbish_is_sent),
		CASE(runner__tries_again__when_paused_and_asked_to_retry),
		CASE(runner__goes_on_without__when_paused_and_asked_to_skip),
		CASE(runner__takes_back__when_paused_and_asked_to_roll_back),
		CASE(runner__ends__when_paused_and_aborted),
		CASE(runner__decides_by_policy__when_the_pause_is_over),
		CASE(run__resumes_at_the_failed_step__when_killed_while_paused),
		CASE(runner__waits_for_the_lock__when_told_to),
		CASE(runner__gives_up_waiting__when_aborted),
		CASE(runner__is_alone__when_started_twice),
		CASE(runner__writes_nothing_more__when_it_wakes_behind_a_takeover),
		CASE(runner__refuses_a_takeover__while_the_holder_beats),
		CASE(run_abort_dead__ends_the_run__when_its_runner_is_gone),
		CASE(runner__is_asked__when_its_folder_has_a_long_path),
	};

	if (argc == 9 && !strcmp(argv[1], "run"))
		return be_runner(argv);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
