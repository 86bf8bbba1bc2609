/* SPDX-License-Identifier: MIT */
/*
 * The fenced lock, between processes: this program starts itself as "holder", which does what it
 * is told on stdin, one command per line, and answers with one line each: "ok" or the error.
 */
#include "core/ledger/lock.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"
#include "tests/support/tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

#define STALE_MS 300 /* of locks that are to become stale in a test */

static struct err e;

static void pause_ms(int64_t ms)
{
	struct err ignored;

	(void)!wait_fds(NULL, 0, clock_mono_ms() + ms, NULL, &ignored);
}

/* --- The other process ------------------------------------------------------------------------- */

static struct dsn dsn_at(const char *path)
{
	return (struct dsn){ .engine = "sqlite", .path = path, .shown = path };
}

/* What every change of an environment does: fence first. */
static int fenced_write(struct db *db, struct lock *l)
{
	if (db_begin(db, &e) != 0)
		return -1;
	if (lock_fence(l, db, &e) == 0 &&
	    db_exec(db, "INSERT INTO t VALUES (1)", NULL, 0, NULL, NULL, &e) == 0 &&
	    db_commit(db, &e) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

static int obey(const struct dsn *dsn, struct db *db, struct lock **l, const char *command)
{
	char word[32] = "", run[32] = "";
	int number = 0;
	struct lock_request req = { .who = "bob", .host = "far", .run = run };

	sscanf(command, "%31s %d %31s", word, &number, run);
	req.stale_ms = number;
	if (strcmp(word, "take") == 0)
		return lock_take(dsn, db, &req, l, NULL, &e);
	if (strcmp(word, "takeover") == 0)
		return lock_takeover(dsn, db, &req, l, NULL, &e);
	if (strcmp(word, "beat") == 0)
		return lock_beat(*l, &e);
	if (strcmp(word, "lease") == 0)
		return lock_lease(*l, &e);
	if (strcmp(word, "write") == 0)
		return fenced_write(db, *l);
	if (strcmp(word, "begin") == 0)
		return db_begin(db, &e);
	if (strcmp(word, "release") == 0) {
		lock_release(*l, db);
		*l = NULL;
		return 0;
	}
	return err_set(&e, ERR_USAGE, "what is %s", word);
}

static int holder(const char *path)
{
	struct dsn dsn = dsn_at(path);
	struct db_options opt = { .lock_timeout_ms = 20000 };
	struct lock *l = NULL;
	struct db *db = NULL;
	char line[128];

	if (db_open(&dsn, 0, &opt, NULL, &db, &e) != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		int delay = 0;

		/* "later 100 release": answers first, so that the other side can begin to wait. */
		if (sscanf(line, "later %d", &delay) == 1) {
			puts("ok");
			fflush(stdout);
			pause_ms(delay);
			if (strstr(line, "die") != NULL)
				raise(SIGKILL);
			(void)obey(&dsn, db, &l, strrchr(line, ' ') + 1);
			continue;
		}
		if (obey(&dsn, db, &l, line) == 0)
			puts("ok");
		else
			printf("%s\n", err_code_name(e.code));
		fflush(stdout);
	}
	return 0;
}

/* --- Ours -------------------------------------------------------------------------------------- */

struct other {
	pid_t pid;
	int to, from;
};

#define OTHERS_MAX 8

static char *dir;
static char *path, *sidecar;
static struct dsn dsn;
static struct db *db;
static struct other others[OTHERS_MAX];
static size_t n_others;
static const struct lock_request ann = { .who = "ann", .host = "near", .run = "r9" };
static const struct lock_request ann_soon = {
	.who = "ann", .host = "near", .run = "r9", .stale_ms = STALE_MS
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

static struct other *other_start(void)
{
	struct other *o = &others[n_others++];
	char exe[] = "/proc/self/exe", role[] = "holder";
	char *argv[] = { exe, role, path, NULL };
	posix_spawn_file_actions_t actions;
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	assert_int_equal(posix_spawn(&o->pid, exe, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	o->to = to[1];
	o->from = from[0];
	return o;
}

static void tell(struct other *o, const char *command)
{
	assert_int_equal(write(o->to, command, strlen(command)), strlen(command));
	assert_int_equal(write(o->to, "\n", 1), 1);
}

/* One line of its answer, or "" when none comes. */
static const char *answer(struct other *o, char line[64])
{
	size_t n = 0;

	while (n < 63) {
		struct pollfd pfd = { .fd = o->from, .events = POLLIN };
		char c;

		if (wait_fds(&pfd, 1, clock_mono_ms() + 30000, NULL, &e) != 1 ||
		    read(o->from, &c, 1) != 1 || c == '\n')
			break;
		line[n++] = c;
	}
	line[n] = '\0';
	return line;
}

static void says(struct other *o, const char *command, const char *expected)
{
	char line[64];

	tell(o, command);
	answer(o, line);
	if (strcmp(line, expected) != 0)
		fail_msg("%s: expected %s, got %s", command, expected, line);
}

static void other_end(struct other *o, int signal_number)
{
	if (o->pid <= 0)
		return;
	kill(o->pid, signal_number);
	waitpid(o->pid, NULL, 0);
	close(o->to);
	close(o->from);
	o->pid = 0;
}

static int setup(void **state)
{
	struct db_options opt = { .lock_timeout_ms = 300 };

	(void)state;
	err_clear(&e);
	n_others = 0;
	dir = tmp_make();
	path = tmp_path(dir, "shop.db");
	sidecar = tmp_path(dir, "shop.db.bascule-lock");
	dsn = dsn_at(path);
	must(db_open(&dsn, DB_CREATE, &opt, NULL, &db, &e));
	must(db_script(db, "CREATE TABLE t (x INTEGER)", &e));
	must(ledger_ensure(db, &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_others; i++)
		other_end(&others[i], SIGKILL);
	db_close(db);
	db = NULL;
	mem_free(path);
	mem_free(sidecar);
	tmp_remove(dir);
	return 0;
}

static struct lock_holder look(void)
{
	struct lock_holder h;

	must(lock_read(&dsn, db, STALE_MS, &h, &e));
	return h;
}

static int64_t number(const char *sql)
{
	int64_t n;

	must(db_int(db, sql, NULL, 0, -1, &n, &e));
	return n;
}

#define ROWS() number("SELECT count(*) FROM t")

static void fence_says(const struct lock *l, int result)
{
	int got;

	must(db_begin(db, &e));
	got = lock_fence(l, db, &e);
	db_rollback(db);
	assert_int_equal(got, result);
	if (result != 0)
		assert_int_equal(e.code, ERR_FENCED);
}

/* A process stopped by a signal shows it a moment later. */
static void stop_and_wait(struct other *o)
{
	int status = 0;

	assert_int_equal(kill(o->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(o->pid, &status, WUNTRACED), o->pid);
	assert_true(WIFSTOPPED(status));
}

/* As if the last beat had been ten minutes ago. */
static void grow_old(void)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = time(NULL) - 600 } };

	assert_int_equal(utimensat(AT_FDCWD, sidecar, t, 0), 0);
}

/* --- Taking and releasing ---------------------------------------------------------------------- */

static void take__counts_epochs_up__each_time(void **state)
{
	struct lock *l = NULL;

	(void)state;
	assert_false(look().held);
	assert_false(look().stale);
	for (int64_t epoch = 1; epoch <= 3; epoch++) {
		struct lock_holder h;

		must(lock_take(&dsn, db, &ann, &l, NULL, &e));
		assert_int_equal(lock_epoch(l), epoch);
		fence_says(l, 0);
		must(lock_fence_file(l, &e));
		h = look();
		assert_true(h.held && h.alive);
		assert_false(h.stale || h.stopped || h.rebooted);
		assert_string_equal(h.who, "ann");
		assert_string_equal(h.host, "near");
		assert_string_equal(h.run, "r9");
		assert_int_equal(h.pid, getpid());
		assert_int_equal(h.epoch, epoch);
		assert_true(clock_utc_ms() - h.since_utc_ms < 60000);
		lock_release(l, db);
		h = look();
		assert_false(h.held || h.stale);
		assert_string_equal(h.run, "");
		assert_int_equal(h.epoch, epoch);
	}
	lock_release(NULL, db);
}

static void take__is_refused__while_another_process_holds_it(void **state)
{
	struct other *bob = other_start();
	struct lock_holder h;
	struct lock *l = NULL;
	char pid[32];

	(void)state;
	says(bob, "take 0 r1", "ok");
	fails(lock_take(&dsn, db, &ann, &l, &h, &e), ERR_LOCKED);
	assert_null(l);
	assert_non_null(strstr(e.msg, "bob holds it"));
	assert_non_null(strstr(e.detail, "bob from far since 20"));
	assert_non_null(strstr(e.detail, "run r1"));
	snprintf(pid, sizeof(pid), "pid %d", (int)bob->pid);
	assert_non_null(strstr(e.detail, pid));
	assert_string_not_equal(e.hint, "");
	assert_true(h.held && h.alive);
	assert_int_equal(h.pid, bob->pid);
	assert_string_equal(h.run, "r1");
	assert_int_equal(h.epoch, 1);
	says(bob, "release", "ok");
	must(lock_take(&dsn, db, &ann, &l, &h, &e));
	assert_int_equal(lock_epoch(l), 2);
	assert_string_equal(h.run, "");
	says(bob, "take 0 r1", "locked");
	lock_release(l, db);
}

static void take__is_refused__twice_in_one_process(void **state)
{
	struct lock *first = NULL, *second = NULL;

	(void)state;
	must(lock_take(&dsn, db, &ann, &first, NULL, &e));
	fails(lock_take(&dsn, db, &ann, &second, NULL, &e), ERR_LOCKED);
	/* Looking and being refused has not lost it: closing a file drops no OFD lock. */
	assert_true(look().held);
	lock_release(first, db);
}

static void take__has_one_winner__of_many(void **state)
{
	char line[64];

	(void)state;
	for (int i = 0; i < 5; i++)
		other_start();
	for (int round = 1; round <= 10; round++) {
		int winner = -1;

		for (int i = 0; i < 5; i++)
			tell(&others[i], "take 0 r1");
		for (int i = 0; i < 5; i++) {
			answer(&others[i], line);
			if (strcmp(line, "ok") == 0) {
				assert_int_equal(winner, -1);
				winner = i;
			} else {
				assert_string_equal(line, "locked");
			}
		}
		assert_true(winner >= 0);
		assert_int_equal(look().epoch, round);
		says(&others[winner], "write", "ok");
		says(&others[winner], "release", "ok");
	}
	assert_int_equal(ROWS(), 10);
}

static void take__goes_through_links__to_the_same_lock(void **state)
{
	char *name = tmp_path(dir, "link.db");
	struct dsn linked = dsn_at(name);
	struct lock *first = NULL, *second = NULL;

	(void)state;
	assert_int_equal(symlink("shop.db", name), 0);
	must(lock_take(&dsn, db, &ann, &first, NULL, &e));
	fails(lock_take(&linked, db, &ann, &second, NULL, &e), ERR_LOCKED);
	lock_release(first, db);
	mem_free(name);
}

static void sidecar__may_be_used__by_all_who_may_write_the_database(void **state)
{
	struct lock *l = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(chmod(path, 0660), 0);
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	assert_int_equal(stat(sidecar, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	lock_release(l, db);
}

static void sidecar__is_refused__when_it_is_a_link(void **state)
{
	struct lock *l = NULL;

	(void)state;
	tmp_write(dir, "victim", "precious");
	assert_int_equal(symlink("victim", sidecar), 0);
	fails(lock_take(&dsn, db, &ann, &l, NULL, &e), ERR_SYSTEM);
	assert_string_equal(e.sys, "ELOOP");
}

static void lock__is_not_inherited__by_children(void **state)
{
	struct lock *l = NULL;
	struct other *bob;

	(void)state;
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	bob = other_start();
	lock_release(l, db);
	says(bob, "take 0 r1", "ok");
}

/* --- Holders that are gone --------------------------------------------------------------------- */

static void sigkill__frees_the_lock__and_the_row_still_names_the_run(void **state)
{
	struct other *bob = other_start();
	struct lock_holder h;
	struct lock *l = NULL;

	(void)state;
	says(bob, "take 0 r1", "ok");
	other_end(bob, SIGKILL);
	h = look();
	assert_false(h.held || h.alive || h.rebooted);
	assert_true(h.stale);
	assert_string_equal(h.run, "r1");
	assert_string_equal(h.who, "bob");
	/* Also without the database: from the sidecar alone. */
	must(lock_read(&dsn, NULL, 0, &h, &e));
	assert_false(h.held);
	assert_string_equal(h.run, "r1");
	must(lock_take(&dsn, db, &ann, &l, &h, &e));
	assert_int_equal(lock_epoch(l), 2);
	assert_string_equal(h.run, "r1");
	assert_true(h.stale);
	lock_release(l, db);
}

static void reboot__is_seen__by_the_boot_id(void **state)
{
	struct lock_holder h;
	struct lock *l = NULL;

	(void)state;
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	lock_release(l, NULL); /* the row still names us: a living process */
	h = look();
	assert_true(h.alive && h.stale);
	assert_false(h.rebooted);
	must(db_script(db, "UPDATE bascule_lock SET boot = '00000000-0000-0000-0000-000000000000'",
		       &e));
	h = look();
	assert_true(h.rebooted && h.stale);
	assert_false(h.alive || h.held);
	must(lock_takeover(&dsn, db, &ann, &l, &h, &e));
	assert_true(h.rebooted);
	assert_int_equal(lock_epoch(l), 2);
	lock_release(l, db);
}

static void process__is_not_taken_for_another__with_the_same_number(void **state)
{
	struct lock *l = NULL;

	(void)state;
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	lock_release(l, NULL);
	assert_true(look().alive);
	must(db_script(db, "UPDATE bascule_lock SET pid_start = pid_start - 1", &e));
	assert_false(look().alive);
}

static void clear_dead__empties_the_row__of_that_run_only(void **state)
{
	struct other *bob = other_start();

	(void)state;
	says(bob, "take 0 r1", "ok");
	fails(lock_clear_dead(&dsn, db, "r1", "ann", "near", &e), ERR_LOCKED);
	other_end(bob, SIGKILL);
	fails(lock_clear_dead(&dsn, db, "r2", "ann", "near", &e), ERR_LOCKED);
	assert_string_equal(look().run, "r1");
	must(lock_clear_dead(&dsn, db, "r1", "ann", "near", &e));
	assert_string_equal(look().run, "");
	assert_false(look().held || look().stale);
	assert_int_equal(look().epoch, 2);
	must(lock_clear_dead(&dsn, db, "r1", "ann", "near", &e)); /* nothing to do */
}

/* --- Taking over ------------------------------------------------------------------------------- */

static void takeover__is_refused__while_the_holder_beats(void **state)
{
	struct other *bob = other_start();
	struct lock *l = NULL;

	(void)state;
	says(bob, "take 0 r1", "ok");
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	grow_old();
	assert_true(look().stale);
	says(bob, "beat", "ok");
	assert_false(look().stale);
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	assert_null(l);
	says(bob, "lease", "ok");
	says(bob, "write", "ok");
}

/* The promise of the whole thing: stopped for longer than its lease, taken over, continued, the
 * old holder can write nothing any more, and disturbs nobody. */
static void sigstop__then_takeover__fences_the_old_holder(void **state)
{
	struct other *bob = other_start();
	struct lock_holder h, old;
	struct lock *l = NULL;

	(void)state;
	says(bob, "take 300 r1", "ok");
	says(bob, "write", "ok");
	stop_and_wait(bob);
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	pause_ms(STALE_MS + 50); /* its own lease ends */
	grow_old();
	h = look();
	assert_true(h.held && h.stale && h.stopped && h.alive);
	fails(lock_take(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	assert_non_null(strstr(e.detail, "(stopped)"));
	assert_non_null(strstr(e.hint, "takeover"));
	must(lock_takeover(&dsn, db, &ann, &l, &old, &e));
	assert_int_equal(old.pid, bob->pid);
	assert_int_equal(old.epoch, 1);
	assert_int_equal(lock_epoch(l), 2);
	kill(bob->pid, SIGCONT);
	says(bob, "write", "fenced");
	says(bob, "beat", "fenced");
	says(bob, "lease", "fenced");
	assert_int_equal(ROWS(), 1);
	says(bob, "release", "ok");
	/* Its release was not ours. */
	h = look();
	assert_true(h.held);
	assert_string_equal(h.who, "ann");
	assert_int_equal(number("SELECT epoch FROM bascule_lock WHERE run = 'r9'"), 2);
	fence_says(l, 0);
	must(lock_beat(l, &e));
	says(bob, "take 0 r2", "locked");
	lock_release(l, db);
	says(bob, "take 0 r2", "ok");
	mem_free(sidecar);
	sidecar = tmp_path(dir, "shop.db.bascule-lock.new");
	assert_false(fs_exists(sidecar));
}

static void takeover__is_busy__while_the_holder_is_inside_a_transaction(void **state)
{
	struct other *bob = other_start();
	struct lock *l = NULL;
	char hint[64];

	(void)state;
	says(bob, "take 0 r1", "ok");
	says(bob, "begin", "ok");
	stop_and_wait(bob);
	grow_old();
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_BUSY);
	snprintf(hint, sizeof(hint), "kill -KILL %d", (int)bob->pid);
	assert_string_equal(e.hint, hint);
	other_end(bob, SIGKILL);
	must(lock_takeover(&dsn, db, &ann, &l, NULL, &e));
	assert_int_equal(lock_epoch(l), 2);
	lock_release(l, db);
}

static void takeover__has_one_winner__of_many(void **state)
{
	struct other *bob = other_start();
	char line[64];
	int winners = 0;

	(void)state;
	says(bob, "take 0 r1", "ok");
	stop_and_wait(bob);
	grow_old();
	for (int i = 0; i < 5; i++)
		other_start();
	for (int i = 1; i <= 5; i++)
		tell(&others[i], "takeover 0 r2");
	for (int i = 1; i <= 5; i++) {
		answer(&others[i], line);
		if (strcmp(line, "ok") == 0)
			winners++;
		else
			assert_string_equal(line, "locked");
	}
	assert_int_equal(winners, 1);
	assert_int_equal(look().epoch, 2);
	kill(bob->pid, SIGCONT);
	says(bob, "write", "fenced");
}

/* A restore puts an old row in place: the number alone would let a holder of that day through. */
static void fence__holds__when_the_row_is_of_an_old_day(void **state)
{
	struct other *bob = other_start();
	struct lock *l = NULL;

	(void)state;
	says(bob, "take 0 r1", "ok");
	stop_and_wait(bob);
	grow_old();
	must(lock_takeover(&dsn, db, &ann, &l, NULL, &e));
	must(db_script(db, "UPDATE bascule_lock SET epoch = 1", &e));
	kill(bob->pid, SIGCONT);
	says(bob, "write", "fenced");
	assert_int_equal(ROWS(), 0);
	fence_says(l, -1); /* the new holder has to put its row back first */
	lock_release(l, db);
}

/* --- Beats and leases -------------------------------------------------------------------------- */

static void lease__ends__without_beats_and_stays_over(void **state)
{
	struct lock *l = NULL;

	(void)state;
	must(lock_take(&dsn, db, &ann_soon, &l, NULL, &e));
	must(lock_lease(l, &e));
	must(lock_beat(l, &e));
	pause_ms(STALE_MS + 20);
	fails(lock_lease(l, &e), ERR_FENCED);
	fails(lock_beat(l, &e), ERR_FENCED);
	fails(lock_lease(l, &e), ERR_FENCED);
	lock_release(l, db);
}

static void beat__is_seen__by_others(void **state)
{
	struct lock *l = NULL;
	int64_t before;

	(void)state;
	must(lock_take(&dsn, db, &ann_soon, &l, NULL, &e));
	before = look().beat_utc_ms;
	pause_ms(50);
	must(lock_beat(l, &e));
	assert_true(look().beat_utc_ms > before);
	pause_ms(STALE_MS + 20);
	assert_true(look().stale);
	lock_release(l, db);
}

static void beat__is_fenced__when_the_file_is_gone(void **state)
{
	struct lock *l = NULL, *other = NULL;

	(void)state;
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	assert_int_equal(unlink(sidecar), 0);
	fails(lock_beat(l, &e), ERR_FENCED);
	fails(lock_fence_file(l, &e), ERR_FENCED);
	fence_says(l, -1);
	must(lock_take(&dsn, db, &ann, &other, NULL, &e));
	fence_says(l, -1);
	fence_says(other, 0);
	lock_release(l, db);
	fence_says(other, 0);
	lock_release(other, db);
}

static void read__falls_back_to_the_row__when_the_text_is_garbage(void **state)
{
	struct lock *l = NULL;
	struct lock_holder h;
	int fd;

	(void)state;
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	fd = open(sidecar, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "{\"who\": 7", 9), 9);
	close(fd);
	h = look();
	assert_true(h.held);
	assert_string_equal(h.who, "ann");
	assert_string_equal(h.run, "r9");
	must(lock_read(&dsn, NULL, 0, &h, &e));
	assert_true(h.held);
	assert_string_equal(h.who, "");
	lock_release(l, db);
}

static void read__says_nobody__before_there_is_a_ledger(void **state)
{
	char *fresh = tmp_path(dir, "fresh.db");
	struct dsn d = dsn_at(fresh);
	struct db *other = NULL;
	struct lock_holder h;

	(void)state;
	must(db_open(&d, DB_CREATE, NULL, NULL, &other, &e));
	must(lock_read(&d, other, 0, &h, &e));
	assert_false(h.held || h.stale || h.alive);
	assert_int_equal(h.epoch, 0);
	db_close(other);
	mem_free(fresh);
}

/* --- Waiting ----------------------------------------------------------------------------------- */

static void wait__returns_at_once__when_it_is_free(void **state)
{
	(void)state;
	must(lock_wait(&dsn, clock_mono_ms(), NULL, &e));
	tmp_write(dir, "shop.db.bascule-lock", "");
	must(lock_wait(&dsn, clock_mono_ms(), NULL, &e));
}

static void wait__gives_up__at_the_deadline(void **state)
{
	struct other *bob = other_start();
	int64_t start = clock_mono_ms();

	(void)state;
	says(bob, "take 0 r1", "ok");
	fails(lock_wait(&dsn, start + 200, NULL, &e), ERR_LOCKED);
	assert_non_null(strstr(e.detail, "bob"));
	assert_true(clock_mono_ms() - start >= 200);
}

/* Well before the bound of one wait: it was told, it did not look again by chance. */
static void wait__wakes__when_the_holder_ends(void **state)
{
	static const char *const ends[] = { "later 100 release", "later 100 die" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct other *bob = other_start();
		int64_t start;

		says(bob, "take 0 r1", "ok");
		says(bob, ends[i], "ok");
		start = clock_mono_ms();
		must(lock_wait(&dsn, start + 20000, NULL, &e));
		assert_true(clock_mono_ms() - start < 800);
		other_end(bob, SIGKILL);
	}
}

static void wait__ends__under_a_cancel(void **state)
{
	struct other *bob = other_start();
	struct cancel c;

	(void)state;
	must(cancel_init(&c, &e));
	says(bob, "take 0 r1", "ok");
	cancel_fire(&c);
	fails(lock_wait(&dsn, WAIT_FOREVER, &c, &e), ERR_CANCELLED);
	cancel_clear(&c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(take__counts_epochs_up__each_time),
		CASE(take__is_refused__while_another_process_holds_it),
		CASE(take__is_refused__twice_in_one_process),
		CASE(take__has_one_winner__of_many),
		CASE(take__goes_through_links__to_the_same_lock),
		CASE(sidecar__may_be_used__by_all_who_may_write_the_database),
		CASE(sidecar__is_refused__when_it_is_a_link),
		CASE(lock__is_not_inherited__by_children),
		CASE(sigkill__frees_the_lock__and_the_row_still_names_the_run),
		CASE(reboot__is_seen__by_the_boot_id),
		CASE(process__is_not_taken_for_another__with_the_same_number),
		CASE(clear_dead__empties_the_row__of_that_run_only),
		CASE(takeover__is_refused__while_the_holder_beats),
		CASE(sigstop__then_takeover__fences_the_old_holder),
		CASE(takeover__is_busy__while_the_holder_is_inside_a_transaction),
		CASE(takeover__has_one_winner__of_many),
		CASE(fence__holds__when_the_row_is_of_an_old_day),
		CASE(lease__ends__without_beats_and_stays_over),
		CASE(beat__is_seen__by_others),
		CASE(beat__is_fenced__when_the_file_is_gone),
		CASE(read__falls_back_to_the_row__when_the_text_is_garbage),
		CASE(read__says_nobody__before_there_is_a_ledger),
		CASE(wait__returns_at_once__when_it_is_free),
		CASE(wait__gives_up__at_the_deadline),
		CASE(wait__wakes__when_the_holder_ends),
		CASE(wait__ends__under_a_cancel),
	};

	if (argc == 3 && strcmp(argv[1], "holder") == 0)
		return holder(argv[2]);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
