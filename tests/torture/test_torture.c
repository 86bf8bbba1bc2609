/* SPDX-License-Identifier: MIT */
/*
 * The real program, killed and failed at every point it has.
 * time-limit: 1200
 *
 * A point is the nth passage of a seam (faults.h) in the runner, or in the command that starts it. A
 * clean run counts the points first. Then, for each point, in a fresh workspace:
 * 1. `bascule migrate dev` (or rollback, or restore) with the fault at that point
 * 2. look: every migration is either applied and recorded or neither; every journal's chain is sound
 * 3. do what an operator does: `resume` what is interrupted or never started; where the fault was a
 *    step that failed, follow the refusal's hint and migrate again
 * 4. look again: the database is what the clean run made it, the lock is free
 *
 * Kills at journal writes are all done every time, before and behind each write. Failing calls are
 * sampled evenly (SAMPLE points a seam), all of them with TORTURE=full. The test prints how many
 * points there were and how many were hit, and fails when a point was not hit.
 */
#include "tests/torture/faults.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/backup/backup.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/db.h"
#include "core/ledger/lock.h"
#include "core/migrate/history.h"
#include "core/release/run.h"
#include "tests/support/program.h"
#include "tests/support/tmp.h"
#include "tests/support/workspace.h"

#define SAMPLE 12
#define MIGRATIONS 4 /* 0001 to 0003, and 0004, which fails in the scenario `undo` */

static const char *const seam_names[] = SEAM_NAMES;

/* What is run, and where it must end. */
struct scenario {
	const char *name;
	const char *before; /* run without a fault first, or NULL */
	const char *words;  /* run with the fault */
	bool last_fails;    /* 0004 cannot be applied; the policy takes everything back */
	int exit_code;      /* of a clean run */
	int in_force;       /* migrations afterwards */
};

static const struct scenario forward = { "migrate", NULL, "migrate dev", false, 0, MIGRATIONS };
static const struct scenario undo = { "undo", NULL, "migrate dev", true, 5, 0 };
static const struct scenario rollback = {
	"rollback", "migrate dev", "rollback dev last 3", false, 0, MIGRATIONS - 3,
};
/* The copy that was taken before anything was applied. */
static const struct scenario restore = {
	"restore", "migrate dev", "restore dev latest", false, 0, 0
};

struct point {
	const struct scenario *s;
	const char *role; /* "runner" or "parent" */
	enum seam seam;
	uint64_t at;     /* 0: nothing fails, only count */
	const char *act; /* FAULTS_DO */
	bool sticky;
};

struct box {
	struct program p;
	char *page_path;
	struct faults_page *page;
};

/* --- A workspace ---------------------------------------------------------------------------- */

static void box_page(struct box *b)
{
	int fd;

	tmp_write_bytes(b->p.dir, "faults.page", (const char[sizeof(struct faults_page)]){ 0 },
			sizeof(struct faults_page));
	fd = open(b->page_path, O_RDWR);
	b->page = mmap(NULL, sizeof(*b->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(b->page != MAP_FAILED);
}

static void box_init(struct box *b, const struct scenario *s)
{
	program_init(&b->p,
		     "backup = before-migrate\non_failure = rollback\nundo_migrations = always\n");
	b->page_path = tmp_path(b->p.dir, "faults.page");
	box_page(b);
	for (int i = 1; i <= MIGRATIONS; i++) {
		bool bad = s->last_fails && i == MIGRATIONS;
		char id[8], up[256], down[64];

		snprintf(id, sizeof(id), "%04d", i);
		snprintf(up, sizeof(up), "CREATE TABLE t%d (x);\nINSERT INTO t%d VALUES (1);\n%s",
			 i, i, bad ? "INSERT INTO nowhere VALUES (1);\n" : "");
		snprintf(down, sizeof(down), "DROP TABLE t%d;\n", i);
		program_migration(&b->p, id, up, down);
	}
}

static void box_clear(struct box *b)
{
	munmap(b->page, sizeof(*b->page));
	mem_free(b->page_path);
	program_clear(&b->p);
}

static void faults_on(struct box *b, const struct point *p)
{
	char at[24];

	snprintf(at, sizeof(at), "%llu", (unsigned long long)p->at);
	setenv("LD_PRELOAD",
	       arena_printf(&b->p.arena, "%s/tests/torture/faults.so", getenv("BASCULE_BUILD")), 1);
	setenv("FAULTS_PAGE", b->page_path, 1);
	setenv("FAULTS_ROLE", p->role, 1);
	if (p->at == 0)
		return;
	setenv("FAULTS_SEAM", seam_names[p->seam], 1);
	setenv("FAULTS_AT", at, 1);
	setenv("FAULTS_DO", p->act, 1);
	if (p->sticky)
		setenv("FAULTS_STICKY", "1", 1);
}

static void faults_off(void)
{
	static const char *const names[] = { "LD_PRELOAD",   "FAULTS_PAGE", "FAULTS_ROLE",
					     "FAULTS_SEAM",  "FAULTS_AT",   "FAULTS_DO",
					     "FAULTS_STICKY" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

/* --- Looking -------------------------------------------------------------------------------- */

/* Says which point it was before it fails. */
static const struct point *at_point;
static char *last_said;

#define CHECK(cond, ...) \
	do { \
		if (!(cond)) { \
			print_error("%s: %s %s at %llu, %s%s\n%s\n", at_point->s->name, \
				    at_point->role, seam_names[at_point->seam], \
				    (unsigned long long)at_point->at, at_point->act, \
				    at_point->sticky ? " from there on" : "", \
				    last_said ? last_said : ""); \
			fail_msg(__VA_ARGS__); \
		} \
	} while (0)

static int has_table(void *arg, const struct db_table *t, struct err *e)
{
	int *seen = arg;

	(void)e;
	if (t->name[0] == 't' && t->name[1] >= '1' && t->name[1] <= '0' + MIGRATIONS)
		seen[t->name[1] - '0'] = t->rows == 1 ? 1 : -1;
	return 0;
}

/* Each migration is whole, and the history says the same. Returns how many are in force. */
static int look_at_database(struct box *b)
{
	int table[MIGRATIONS + 1] = { 0 };
	struct history *h;
	struct db *db;
	struct err e;
	int n = 0;

	assert_ok(db_open(&b->p.dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(db_verify(db, &e), &e);
	assert_ok(db_tables(db, false, has_table, table, &e), &e);
	assert_ok(history_read(db, false, &h, &e), &e);
	for (int i = 1; i <= MIGRATIONS; i++) {
		const struct applied *a;
		char id[8];

		snprintf(id, sizeof(id), "%04d", i);
		a = history_find(h, "main", id);
		CHECK(table[i] >= 0, "%s is half applied", id);
		CHECK((table[i] == 1) == (a && a->applied), "%s: table %d, history %s", id,
		      table[i], a && a->applied ? "applied" : "not applied");
		n += table[i];
	}
	history_free(h);
	db_close(db);
	return n;
}

/* The newest run, or NULL when there is none. Every journal must be sound. */
static struct run *look_at_runs(struct box *b)
{
	struct run **list, *newest = NULL;
	size_t n, unreadable;
	struct err e;

	assert_ok(run_list(&b->p.ctx, NULL, NULL, &list, &n, &unreadable, &e), &e);
	CHECK(unreadable == 0, "%zu runs cannot be read", unreadable);
	for (size_t i = 0; i < n; i++)
		CHECK(!list[i]->chain.broken, "run %s: line %lld: %s", list[i]->id,
		      (long long)list[i]->chain.broken_line, list[i]->chain.broken_why);
	if (n > 0)
		newest = list[0];
	for (size_t i = 1; i < n; i++)
		run_free(list[i]);
	mem_free(list);
	return newest;
}

static int64_t run_number(const struct run *r)
{
	return strtoll(r->number, NULL, 10);
}

static int ask(struct box *b, const char *words)
{
	mem_free(last_said);
	last_said = NULL;
	return program_run(&b->p, words, &last_said);
}

/* --- What an operator does then ------------------------------------------------------------- */

/* A fault that was a step's failure is in the history; the refusal says how to go on. */
static void accept_failures(struct box *b)
{
	for (int i = 1; i <= MIGRATIONS; i++) {
		char words[64];

		snprintf(words, sizeof(words), "accept dev %04d --reason torture", i);
		(void)ask(b, words);
	}
}

/* The newest run, once nobody works on it: a command may die and leave its runner at work. */
static struct run *settled_run(struct box *b)
{
	struct run *r = look_at_runs(b);
	char words[64];

	if (!r || run_state_ended(r->state) || !r->runner_alive)
		return r;
	snprintf(words, sizeof(words), "watch %s", r->number);
	(void)ask(b, words);
	run_free(r);
	return look_at_runs(b);
}

static void resume(struct box *b, const struct scenario *s, const struct run *r)
{
	char words[64];
	int got;

	snprintf(words, sizeof(words), "resume %s", r->number);
	got = ask(b, words);
	if (got != s->exit_code) {
		/* Its first runner had not written a line yet when we looked, and is at work. */
		struct run *again = settled_run(b);

		got = again->exit_code;
		run_free(again);
	}
	CHECK(got == s->exit_code, "`%s` of a run that was %s: exit %d", words,
	      run_state_name(r->state), got);
}

/* The oldest backup is what the scenario restores; its own copies are newer. */
static void restore_words(struct box *b, char *words, size_t size)
{
	char *root = tmp_path(b->p.ctx.state_dir, "backups/shop");
	struct backup *list;
	struct err e;
	size_t n;

	assert_ok(backup_list(root, "dev", &list, &n, &e), &e);
	assert_true(n > 0);
	snprintf(words, size, "restore dev %s", list[n - 1].id);
	backup_list_free(list, n);
	mem_free(root);
}

/* The run ended early, or there is none: the same again, as far as it is not done. */
static void once_more(struct box *b, const struct scenario *s)
{
	int left = look_at_database(b) - s->in_force;
	char words[96];
	int got;

	if (s == &rollback) {
		snprintf(words, sizeof(words), "rollback dev last %d", left);
		got = left > 0 ? ask(b, words) : 0;
	} else if (s == &restore) {
		restore_words(b, words, sizeof(words));
		got = ask(b, words);
	} else {
		got = ask(b, s->words);
	}
	if (got == 3) {
		accept_failures(b);
		got = ask(b, s->words);
	}
	/* The fault may have hit before 0004 did: then the second run fails by itself. */
	CHECK(got == s->exit_code || (s->last_fails && got == 1), "`%s` again: exit %d", s->words,
	      got);
	if (s->last_fails && look_at_database(b) > 0) {
		snprintf(words, sizeof(words), "rollback dev last %d", look_at_database(b));
		got = ask(b, words);
		CHECK(got == 0, "rolling back: exit %d", got);
	}
}

static void mend(struct box *b, const struct scenario *s, int64_t runs_before)
{
	struct run *r = settled_run(b);
	bool made = r && run_number(r) > runs_before;

	look_at_database(b);
	if (made && !run_state_ended(r->state))
		resume(b, s, r);
	else if (!made || r->state != (s->last_fails ? RUN_ROLLED_BACK : RUN_DONE))
		once_more(b, s);
	run_free(r);
}

static void look_at_the_end(struct box *b, const struct scenario *s)
{
	struct err e;

	CHECK(look_at_database(b) == s->in_force, "%d in force at the end", look_at_database(b));
	run_free(look_at_runs(b));
	/* A runner whose command died gives it back a moment after its last line. */
	CHECK(lock_wait(&b->p.dsn, NULL, clock_mono_ms() + 10000, NULL, &e) == 0,
	      "the lock is still held");
}

/* Everything up to the command that is struck. Returns the number of the newest run. */
static int64_t prepare(struct box *b, const struct scenario *s)
{
	struct run *r;
	int64_t n;

	box_init(b, s);
	if (!s->before)
		return 0;
	CHECK(ask(b, s->before) == 0, "`%s` failed", s->before);
	r = look_at_runs(b);
	n = run_number(r);
	run_free(r);
	return n;
}

/* One point, start to end. True when the fault struck. */
static bool strike(const struct point *p)
{
	int64_t runs_before;
	struct box b;
	bool hit;

	at_point = p;
	runs_before = prepare(&b, p->s);
	faults_on(&b, p);
	(void)ask(&b, p->s->words);
	faults_off();
	hit = b.page->hits > 0;
	mend(&b, p->s, runs_before);
	look_at_the_end(&b, p->s);
	box_clear(&b);
	mem_free(last_said);
	last_said = NULL;
	return hit;
}

/* --- Counting and striking ------------------------------------------------------------------ */

static void count_points(const struct scenario *s, const char *role, struct faults_page *out)
{
	const struct point p = { .s = s, .role = role, .act = "nothing" };
	struct box b;
	int got;

	at_point = &p;
	prepare(&b, s);
	faults_on(&b, &p);
	got = ask(&b, s->words);
	faults_off();
	CHECK(got == s->exit_code, "a clean run: exit %d", got);
	look_at_the_end(&b, s);
	*out = *b.page;
	box_clear(&b);
}

static bool torture_full(void)
{
	const char *how = getenv("TORTURE");

	return how && !strcmp(how, "full");
}

static void strike_all(const struct scenario *s, const char *role, enum seam seam, const char *act,
		       bool sticky, bool sample)
{
	struct faults_page page;
	uint64_t points, n, hit = 0;

	count_points(s, role, &page);
	/* A command that watches passes its seams as often as the run's journal happens to wake it:
	 * what can be counted, and what freezes the run, is before it starts the runner. */
	points = strcmp(role, "parent") ? page.count[seam] : page.at_spawn[seam];
	n = sample && !torture_full() && points > SAMPLE ? SAMPLE : points;
	assert_true(n > 0);
	for (uint64_t i = 0; i < n; i++) {
		/* Evenly over all of them, the first and the last among them. */
		const struct point p = {
			.s = s,
			.role = role,
			.seam = seam,
			.act = act,
			.sticky = sticky,
			.at = n > 1 ? 1 + i * (points - 1) / (n - 1) : 1,
		};

		hit += strike(&p);
	}
	print_message("# points: %s, %s, %s, %s%s: %llu of %llu hit%s\n", s->name, role,
		      seam_names[seam], act, sticky ? " from there on" : "",
		      (unsigned long long)hit, (unsigned long long)points,
		      n < points ? " (a sample; TORTURE=full hits all)" : "");
	if (hit < n)
		fail_msg("%llu points were not reached", (unsigned long long)(n - hit));
}

/* --- Cases ---------------------------------------------------------------------------------- */

static void runner__loses_nothing__when_killed_before_a_journal_write(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_JOURNAL, "kill", false, false);
}

static void runner__loses_nothing__when_killed_behind_a_journal_write(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_JOURNAL, "kill-after", false, false);
}

static void undo__is_finished__when_killed_before_a_journal_write(void **state)
{
	(void)state;
	strike_all(&undo, "runner", SEAM_JOURNAL, "kill", false, false);
}

static void undo__is_finished__when_killed_behind_a_journal_write(void **state)
{
	(void)state;
	strike_all(&undo, "runner", SEAM_JOURNAL, "kill-after", false, true);
}

static void rollback__is_finished__when_killed_before_a_journal_write(void **state)
{
	(void)state;
	strike_all(&rollback, "runner", SEAM_JOURNAL, "kill", false, false);
}

static void rollback__leaves_before_or_after__when_killed_at_the_database(void **state)
{
	(void)state;
	strike_all(&rollback, "runner", SEAM_DB, "kill", false, true);
}

static void restore__is_finished__when_killed_before_a_journal_write(void **state)
{
	(void)state;
	strike_all(&restore, "runner", SEAM_JOURNAL, "kill", false, false);
}

static void restore__leaves_before_or_after__when_killed_at_the_database(void **state)
{
	(void)state;
	strike_all(&restore, "runner", SEAM_DB, "kill", false, true);
}

static void restore__leaves_before_or_after__when_killed_at_a_write(void **state)
{
	(void)state;
	strike_all(&restore, "runner", SEAM_WRITE, "kill", false, true);
}

static void restore__leaves_before_or_after__when_fsync_fails(void **state)
{
	(void)state;
	strike_all(&restore, "runner", SEAM_FSYNC, "5", false, true);
}

static void runner__stops__when_the_disk_under_the_journal_is_full(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_JOURNAL, "28", false, false);
}

static void runner__stops__when_the_disk_under_the_journal_stays_full(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_JOURNAL, "28", true, true);
}

static void runner__leaves_before_or_after__when_open_fails(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_OPEN, "24", false, true);
}

static void runner__leaves_before_or_after__when_write_fails(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_WRITE, "28", false, true);
}

static void runner__leaves_before_or_after__when_every_write_fails(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_WRITE, "28", true, true);
}

static void runner__leaves_before_or_after__when_fsync_fails(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_FSYNC, "5", false, true);
}

static void runner__leaves_before_or_after__when_killed_at_fsync(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_FSYNC, "kill", false, true);
}

static void runner__leaves_before_or_after__when_rename_fails(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_RENAME, "28", false, true);
}

static void runner__leaves_before_or_after__when_the_database_fails(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_DB, "13", false, true);
}

static void runner__leaves_before_or_after__when_killed_at_the_database(void **state)
{
	(void)state;
	strike_all(&forward, "runner", SEAM_DB, "kill", false, true);
}

static void undo__leaves_before_or_after__when_the_database_fails(void **state)
{
	(void)state;
	strike_all(&undo, "runner", SEAM_DB, "13", false, true);
}

static void command__freezes_a_whole_run_or_none__when_open_fails(void **state)
{
	(void)state;
	strike_all(&forward, "parent", SEAM_OPEN, "24", false, true);
}

static void command__freezes_a_whole_run_or_none__when_write_fails(void **state)
{
	(void)state;
	strike_all(&forward, "parent", SEAM_WRITE, "28", false, true);
}

static void command__freezes_a_whole_run_or_none__when_fsync_fails(void **state)
{
	(void)state;
	strike_all(&forward, "parent", SEAM_FSYNC, "5", false, true);
}

static void command__freezes_a_whole_run_or_none__when_rename_fails(void **state)
{
	(void)state;
	strike_all(&forward, "parent", SEAM_RENAME, "28", false, false);
}

static void command__freezes_a_whole_run_or_none__when_killed_at_rename(void **state)
{
	(void)state;
	strike_all(&forward, "parent", SEAM_RENAME, "kill", false, false);
}

static void command__leaves_a_run_to_resume__when_spawn_fails(void **state)
{
	(void)state;
	strike_all(&forward, "parent", SEAM_SPAWN, "11", false, false);
}

/* Workspaces in memory where there is such a place: thousands of fsyncs are passed here to be counted,
 * not to be waited for. NULL: where tmp_make puts them anyway. */
static char *use_memory(void)
{
	char *dir;

	if (access("/dev/shm", W_OK) != 0)
		return NULL;
	setenv("TMPDIR", "/dev/shm", 1);
	dir = tmp_make();
	setenv("TMPDIR", dir, 1);
	return dir;
}

/* A pattern on the command line: only the cases whose names fit. */
int main(int argc, char *argv[])
{
	char *memory = use_memory();
	int failed;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runner__loses_nothing__when_killed_before_a_journal_write),
		cmocka_unit_test(runner__loses_nothing__when_killed_behind_a_journal_write),
		cmocka_unit_test(undo__is_finished__when_killed_before_a_journal_write),
		cmocka_unit_test(undo__is_finished__when_killed_behind_a_journal_write),
		cmocka_unit_test(rollback__is_finished__when_killed_before_a_journal_write),
		cmocka_unit_test(rollback__leaves_before_or_after__when_killed_at_the_database),
		cmocka_unit_test(restore__is_finished__when_killed_before_a_journal_write),
		cmocka_unit_test(restore__leaves_before_or_after__when_killed_at_the_database),
		cmocka_unit_test(restore__leaves_before_or_after__when_killed_at_a_write),
		cmocka_unit_test(restore__leaves_before_or_after__when_fsync_fails),
		cmocka_unit_test(runner__stops__when_the_disk_under_the_journal_is_full),
		cmocka_unit_test(runner__stops__when_the_disk_under_the_journal_stays_full),
		cmocka_unit_test(runner__leaves_before_or_after__when_open_fails),
		cmocka_unit_test(runner__leaves_before_or_after__when_write_fails),
		cmocka_unit_test(runner__leaves_before_or_after__when_every_write_fails),
		cmocka_unit_test(runner__leaves_before_or_after__when_fsync_fails),
		cmocka_unit_test(runner__leaves_before_or_after__when_killed_at_fsync),
		cmocka_unit_test(runner__leaves_before_or_after__when_rename_fails),
		cmocka_unit_test(runner__leaves_before_or_after__when_the_database_fails),
		cmocka_unit_test(runner__leaves_before_or_after__when_killed_at_the_database),
		cmocka_unit_test(undo__leaves_before_or_after__when_the_database_fails),
		cmocka_unit_test(command__freezes_a_whole_run_or_none__when_open_fails),
		cmocka_unit_test(command__freezes_a_whole_run_or_none__when_write_fails),
		cmocka_unit_test(command__freezes_a_whole_run_or_none__when_fsync_fails),
		cmocka_unit_test(command__freezes_a_whole_run_or_none__when_rename_fails),
		cmocka_unit_test(command__freezes_a_whole_run_or_none__when_killed_at_rename),
		cmocka_unit_test(command__leaves_a_run_to_resume__when_spawn_fails),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (memory)
		tmp_remove(memory);
	return failed;
}
