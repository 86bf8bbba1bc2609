/* SPDX-License-Identifier: MIT */
/* The fenced lock, alone and between processes. */
#include "core/ledger/lock.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"
#include "tests/support/lock_other.h"
#include "tests/support/tmp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define STALE_MS 300 /* of locks that are to become stale in a test */
/* A lease that is to end, but not before a busy machine has done what is done under it. */
#define LEASE_MS 1000

static struct err e;

static void pause_ms(int64_t ms)
{
	struct err ignored;

	(void)!wait_fds(NULL, 0, clock_mono_ms() + ms, NULL, &ignored);
}

static struct dsn dsn_at(const char *path)
{
	return (struct dsn){ .engine = "sqlite", .path = path, .shown = path };
}

#define OTHERS_MAX 8

static char *dir;
static char *path, *sidecar;
static struct dsn dsn;
static struct db *db;
static struct lock_other others[OTHERS_MAX];
static size_t n_others;
static const struct lock_request ann = { .who = "ann", .host = "near", .run = "r9" };
static const struct lock_request ann_soon = {
	.who = "ann", .host = "near", .run = "r9", .stale_ms = LEASE_MS
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

static struct lock_other *other_start(void)
{
	struct lock_other *o = &others[n_others++];

	lock_other_start(o, path);
	return o;
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
		lock_other_end(&others[i], SIGKILL);
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
	struct lock_other *bob = other_start();
	struct lock_holder h;
	struct lock *l = NULL;
	char pid[32];

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
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
	lock_other_says(bob, "release", "ok");
	must(lock_take(&dsn, db, &ann, &l, &h, &e));
	assert_int_equal(lock_epoch(l), 2);
	assert_string_equal(h.run, "");
	lock_other_says(bob, "take 0 r1", "locked");
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
			lock_other_tell(&others[i], "take 0 r1");
		for (int i = 0; i < 5; i++) {
			lock_other_answer(&others[i], line);
			if (strcmp(line, "ok") == 0) {
				assert_int_equal(winner, -1);
				winner = i;
			} else {
				assert_string_equal(line, "locked");
			}
		}
		assert_true(winner >= 0);
		assert_int_equal(look().epoch, round);
		lock_other_says(&others[winner], "write", "ok");
		lock_other_says(&others[winner], "release", "ok");
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
	struct lock_other *bob;

	(void)state;
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	bob = other_start();
	lock_release(l, db);
	lock_other_says(bob, "take 0 r1", "ok");
}

/* --- Holders that are gone --------------------------------------------------------------------- */

static void sigkill__frees_the_lock__and_the_row_still_names_the_run(void **state)
{
	struct lock_other *bob = other_start();
	struct lock_holder h;
	struct lock *l = NULL;

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
	lock_other_end(bob, SIGKILL);
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
	struct lock_other *bob = other_start();

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
	fails(lock_clear_dead(&dsn, db, "r1", "ann", "near", &e), ERR_LOCKED);
	lock_other_end(bob, SIGKILL);
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
	struct lock_other *bob = other_start();
	struct lock *l = NULL;

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	grow_old();
	assert_true(look().stale);
	lock_other_says(bob, "beat", "ok");
	assert_false(look().stale);
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	assert_null(l);
	lock_other_says(bob, "lease", "ok");
	lock_other_says(bob, "write", "ok");
}

/* The promise of the whole thing: stopped for longer than its lease, taken over, continued, the
 * old holder can write nothing any more, and disturbs nobody. */
static void sigstop__then_takeover__fences_the_old_holder(void **state)
{
	struct lock_other *bob = other_start();
	struct lock_holder h, old;
	struct lock *l = NULL;

	(void)state;
	lock_other_says(bob, "take 1000 r1", "ok");
	lock_other_says(bob, "write", "ok");
	lock_other_stop(bob);
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_LOCKED);
	pause_ms(LEASE_MS + 50); /* its own lease ends */
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
	lock_other_says(bob, "write", "fenced");
	lock_other_says(bob, "beat", "fenced");
	lock_other_says(bob, "lease", "fenced");
	assert_int_equal(ROWS(), 1);
	lock_other_says(bob, "release", "ok");
	/* Its release was not ours. */
	h = look();
	assert_true(h.held);
	assert_string_equal(h.who, "ann");
	assert_int_equal(number("SELECT epoch FROM bascule_lock WHERE run = 'r9'"), 2);
	fence_says(l, 0);
	must(lock_beat(l, &e));
	lock_other_says(bob, "take 0 r2", "locked");
	lock_release(l, db);
	lock_other_says(bob, "take 0 r2", "ok");
	mem_free(sidecar);
	sidecar = tmp_path(dir, "shop.db.bascule-lock.new");
	assert_false(fs_exists(sidecar));
}

static void takeover__is_busy__while_the_holder_is_inside_a_transaction(void **state)
{
	struct lock_other *bob = other_start();
	struct lock *l = NULL;
	char hint[64];

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
	lock_other_says(bob, "begin", "ok");
	lock_other_stop(bob);
	grow_old();
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_BUSY);
	snprintf(hint, sizeof(hint), "kill -KILL %d", (int)bob->pid);
	assert_string_equal(e.hint, hint);
	lock_other_end(bob, SIGKILL);
	must(lock_takeover(&dsn, db, &ann, &l, NULL, &e));
	assert_int_equal(lock_epoch(l), 2);
	lock_release(l, db);
}

static void takeover__has_one_winner__of_many(void **state)
{
	struct lock_other *bob = other_start();
	char line[64];
	int winners = 0;

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
	lock_other_stop(bob);
	grow_old();
	for (int i = 0; i < 5; i++)
		other_start();
	for (int i = 1; i <= 5; i++)
		lock_other_tell(&others[i], "takeover 0 r2");
	for (int i = 1; i <= 5; i++) {
		lock_other_answer(&others[i], line);
		if (strcmp(line, "ok") == 0)
			winners++;
		else
			assert_string_equal(line, "locked");
	}
	assert_int_equal(winners, 1);
	assert_int_equal(look().epoch, 2);
	kill(bob->pid, SIGCONT);
	lock_other_says(bob, "write", "fenced");
}

/* A restore puts an old row in place: the number alone would let a holder of that day through. */
static void fence__holds__when_the_row_is_of_an_old_day(void **state)
{
	struct lock_other *bob = other_start();
	struct lock *l = NULL;

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
	lock_other_stop(bob);
	grow_old();
	must(lock_takeover(&dsn, db, &ann, &l, NULL, &e));
	must(db_script(db, "UPDATE bascule_lock SET epoch = 1", &e));
	kill(bob->pid, SIGCONT);
	lock_other_says(bob, "write", "fenced");
	assert_int_equal(ROWS(), 0);
	fence_says(l, -1); /* the new holder has to put its row back first */
	lock_release(l, db);
}

/* A taker that was slow between locking the file and writing the row holds a file without a name. */
static void take__is_refused__when_the_file_was_exchanged_meanwhile(void **state)
{
	struct lock_other *bob = other_start();
	char *fresh = tmp_path(dir, "fresh");
	int64_t deadline_ms = clock_mono_ms() + 20000;
	char line[64];

	(void)state;
	must(db_begin(db, &e));
	lock_other_tell(bob, "take 0 r1"); /* gets the kernel lock, waits for our transaction */
	while (!look().held && clock_mono_ms() < deadline_ms)
		pause_ms(5);
	assert_true(look().held);
	tmp_write(dir, "fresh", "");
	assert_int_equal(rename(fresh, sidecar), 0);
	db_rollback(db);
	assert_string_equal(lock_other_answer(bob, line), "locked");
	assert_int_equal(look().epoch, 0);
	assert_false(look().held);
	lock_other_says(bob, "take 0 r1", "ok");
	mem_free(fresh);
}

/* --- Beats and leases -------------------------------------------------------------------------- */

static void lease__ends__without_beats_and_stays_over(void **state)
{
	struct lock *l = NULL;

	(void)state;
	must(lock_take(&dsn, db, &ann_soon, &l, NULL, &e));
	must(lock_lease(l, &e));
	must(lock_beat(l, &e));
	pause_ms(LEASE_MS + 20);
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
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
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

static void read__does_without_the_row__when_readers_are_locked_out(void **state)
{
	struct db_options opt = { .lock_timeout_ms = 300 };
	struct lock *l = NULL;
	struct lock_holder h;
	struct db *other = NULL;

	(void)state;
	must(lock_take(&dsn, db, &ann, &l, NULL, &e));
	must(db_open(&dsn, 0, &opt, NULL, &other, &e));
	must(db_script(other, "BEGIN EXCLUSIVE", &e));
	h = look();
	assert_true(h.held && h.alive);
	assert_string_equal(h.run, "r9");
	assert_int_equal(h.epoch, 1);
	/* A holder that cannot move is in the way of a takeover, and the hint says how to go on. */
	grow_old();
	fails(lock_takeover(&dsn, db, &ann, &l, NULL, &e), ERR_BUSY);
	assert_non_null(strstr(e.hint, "kill -KILL"));
	db_close(other);
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
	must(lock_wait(&dsn, NULL, clock_mono_ms(), NULL, &e));
	tmp_write(dir, "shop.db.bascule-lock", "");
	must(lock_wait(&dsn, NULL, clock_mono_ms(), NULL, &e));
}

static void wait__gives_up__at_the_deadline(void **state)
{
	struct lock_other *bob = other_start();
	int64_t start = clock_mono_ms();

	(void)state;
	lock_other_says(bob, "take 0 r1", "ok");
	fails(lock_wait(&dsn, NULL, start + 200, NULL, &e), ERR_LOCKED);
	assert_non_null(strstr(e.detail, "bob"));
	assert_true(clock_mono_ms() - start >= 200);
}

/* How long a wait took for a holder that ends in that way. */
static int64_t waited_for(const char *end)
{
	struct lock_other *bob = other_start();
	int64_t start;

	lock_other_says(bob, "take 0 r1", "ok");
	lock_other_says(bob, end, "ok");
	start = clock_mono_ms();
	must(lock_wait(&dsn, NULL, start + 60000, NULL, &e));
	start = clock_mono_ms() - start;
	lock_other_end(bob, SIGKILL);
	n_others = 0;
	return start;
}

/* Well before the bound of one wait: it was told, it did not look again by chance. One that looks again takes that
 * long each time; a busy machine does not. */
static void wait__wakes__when_the_holder_ends(void **state)
{
	static const char *const ends[] = { "later 100 release", "later 100 die" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		int tries = 0;

		while (waited_for(ends[i]) >= 800)
			assert_true(++tries < 20);
	}
}

static void wait__ends__under_a_cancel(void **state)
{
	struct lock_other *bob = other_start();
	struct cancel c;

	(void)state;
	must(cancel_init(&c, &e));
	lock_other_says(bob, "take 0 r1", "ok");
	cancel_fire(&c);
	fails(lock_wait(&dsn, NULL, WAIT_FOREVER, &c, &e), ERR_CANCELLED);
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
		CASE(take__is_refused__when_the_file_was_exchanged_meanwhile),
		CASE(lease__ends__without_beats_and_stays_over),
		CASE(beat__is_seen__by_others),
		CASE(beat__is_fenced__when_the_file_is_gone),
		CASE(read__falls_back_to_the_row__when_the_text_is_garbage),
		CASE(read__does_without_the_row__when_readers_are_locked_out),
		CASE(read__says_nobody__before_there_is_a_ledger),
		CASE(wait__returns_at_once__when_it_is_free),
		CASE(wait__gives_up__at_the_deadline),
		CASE(wait__wakes__when_the_holder_ends),
		CASE(wait__ends__under_a_cancel),
	};

	if (argc == 3 && strcmp(argv[1], LOCK_OTHER_ROLE) == 0)
		return lock_other_main(argv[2]);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
