/* SPDX-License-Identifier: MIT */
/*
 * The real program on real servers, its runner killed at every journal write.
 * needs: servers
 * time-limit: 1800
 *
 * As test_torture.c, where a database outlives its client: a server may finish what a dead runner had
 * sent. So after each kill the test waits until no session of the program is left, looks (what is in
 * the history is in the database, and on PostgreSQL nothing else is), resumes as an operator does, and
 * looks again: every statement ran once, every event is there once, the lock is free.
 *
 * SAMPLE points a seam, all of them with TORTURE=full. Says how many there were and how many were hit.
 */
#include "tests/torture/faults.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/release/run.h"
#include "tests/support/program.h"
#include "tests/support/services.h"
#include "tests/support/tmp.h"
#include "tests/support/workspace.h"

#define SAMPLE 12
#define MIGRATIONS 6
#define SETTLE_MS 60000

static struct server server[2];
static const enum server_kind kinds[] = { SERVICE_PG, SERVICE_MY };

/* Everything that differs between the two. */
struct engine {
	const char *history, *lock, *sessions, *tables;
	/* Migrations whose table and history disagree. */
	const char *torn;
};

static const struct engine engines[] = {
	{
		"bascule.history",
		"bascule.lock",
		"SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'",
		"SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
		"SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') - "
		"(SELECT coalesce(sum(CASE event WHEN 'applied' THEN 1 WHEN 'rolled-back' THEN -1 ELSE 0 "
		"END), 0) FROM bascule.history)",
	},
	{
		"bascule_history", "bascule_lock",
		"SELECT count(*) FROM information_schema.processlist WHERE user = 'app'",
		"SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND "
		"table_name NOT LIKE 'bascule%'",
		NULL, /* the one that is being run may be anywhere */
	},
};

struct scenario {
	const char *name, *before, *words;
	int in_force;
};

static const struct scenario forward = { "migrate", NULL, "migrate dev --yes", MIGRATIONS };
static const struct scenario back = { "rollback", "migrate dev --yes", "rollback dev last 3 --yes",
				      MIGRATIONS - 3 };

struct box {
	struct program p;
	const struct server *sv;
	const struct engine *en;
	char db[32];
	char *page_path, *said;
	struct faults_page *page;
};

/* --- A workspace ---------------------------------------------------------------------------- */

static int64_t number(const struct box *b, const char *sql)
{
	char *text = services_tell("sql", b->sv->name, sql, b->db, NULL);
	int64_t n = strtoll(text, NULL, 10);

	free(text);
	return n;
}

#define NUMBERF(b, ...) number(b, arena_printf(&(b)->p.arena, __VA_ARGS__))

static void box_files(struct box *b)
{
	char *url = services_tell("url", b->sv->name, "socket", b->db, NULL);

	tmp_write(b->p.dir, "bascule.ini",
		  arena_printf(&b->p.arena,
			       "[project]\nname = shop\nmigrations = sql\npipeline = dev\n"
			       "[environment dev]\nprotected = no\ndatabase = %s\n",
			       url));
	free(url);
	for (int i = 1; i <= MIGRATIONS; i++) {
		char id[8], up[256], down[64];

		snprintf(id, sizeof(id), "%04d", i);
		snprintf(up, sizeof(up),
			 "CREATE TABLE t%d (x int);\nINSERT INTO t%d VALUES (1);\n%s", i, i,
			 i != 5 ? ""
				: "ALTER TABLE t5 ADD COLUMN y int;\n"
				  "INSERT INTO t4 SELECT 2;\n");
		snprintf(down, sizeof(down), "%sDROP TABLE t%d;\n",
			 i != 5 ? "" : "DELETE FROM t4 WHERE x = 2;\n", i);
		program_migration(&b->p, id, up, down);
	}
}

static void box_init(struct box *b, size_t which)
{
	static int n;
	int fd;

	memset(b, 0, sizeof(*b));
	b->sv = &server[which];
	b->en = &engines[which];
	snprintf(b->db, sizeof(b->db), "t%d", ++n);
	free(services_tell("newdb", b->sv->name, b->db, NULL));
	program_init(&b->p, "");
	box_files(b);
	b->page_path = tmp_path(b->p.dir, "faults.page");
	tmp_write_bytes(b->p.dir, "faults.page", (const char[sizeof(struct faults_page)]){ 0 },
			sizeof(struct faults_page));
	fd = open(b->page_path, O_RDWR | O_CLOEXEC);
	b->page = mmap(NULL, sizeof(*b->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(b->page != MAP_FAILED);
}

static void box_clear(struct box *b)
{
	munmap(b->page, sizeof(*b->page));
	mem_free(b->page_path);
	mem_free(b->said);
	program_clear(&b->p);
}

static int ask(struct box *b, const char *words)
{
	mem_free(b->said);
	b->said = NULL;
	return program_run(&b->p, words, &b->said);
}

/* The same with the fault at that passage; 0: only counted. */
static void ask_struck(struct box *b, const char *words, const char *act, uint64_t at)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)at);
	setenv("LD_PRELOAD",
	       arena_printf(&b->p.arena, "%s/tests/torture/faults.so", getenv("BASCULE_BUILD")), 1);
	setenv("FAULTS_PAGE", b->page_path, 1);
	setenv("FAULTS_ROLE", "runner", 1);
	if (at > 0) {
		setenv("FAULTS_SEAM", "journal", 1);
		setenv("FAULTS_AT", text, 1);
		setenv("FAULTS_DO", act, 1);
	}
	(void)ask(b, words);
	unsetenv("LD_PRELOAD");
	unsetenv("FAULTS_PAGE");
	unsetenv("FAULTS_ROLE");
	unsetenv("FAULTS_SEAM");
	unsetenv("FAULTS_AT");
	unsetenv("FAULTS_DO");
}

/* --- Looking -------------------------------------------------------------------------------- */

#define CHECK(cond, ...) \
	do { \
		if (!(cond)) { \
			print_error("%s on %s, %s at %llu\n%s\n", s->name, b->sv->name, act, \
				    (unsigned long long)at, b->said ? b->said : ""); \
			fail_msg(__VA_ARGS__); \
		} \
	} while (0)

static struct run *newest_run(struct box *b)
{
	struct run **list, *newest = NULL;
	size_t n, unreadable;
	struct err e;

	assert_ok(run_list(&b->p.ctx, NULL, NULL, &list, &n, &unreadable, &e), &e);
	assert_int_equal(unreadable, 0);
	for (size_t i = 0; i < n; i++) {
		assert_false(list[i]->chain.broken);
		if (i > 0)
			run_free(list[i]);
		else
			newest = list[i];
	}
	mem_free(list);
	return newest;
}

/* Until the runner is dead and the server has done with what it had sent. */
static bool settled(struct box *b)
{
	int64_t until = clock_mono_ms() + SETTLE_MS;
	struct err e;

	for (;;) {
		struct run *r = newest_run(b);
		bool alive = r && r->runner_alive;

		run_free(r);
		if (!alive && number(b, b->en->sessions) == 0)
			return true;
		if (clock_mono_ms() > until)
			return false;
		(void)!wait_fds(NULL, 0, clock_mono_ms() + 20, NULL, &e);
	}
}

static void look_between(struct box *b, const struct scenario *s, const char *act, uint64_t at)
{
	/* Killed before the ledger was made, there is none. */
	if (b->en->torn &&
	    number(b, "SELECT count(*) FROM pg_tables WHERE schemaname = 'bascule'") > 0)
		CHECK(number(b, b->en->torn) == 0, "tables and history disagree");
}

static void look_at_the_end(struct box *b, const struct scenario *s, const char *act, uint64_t at)
{
	const char *h = b->en->history;
	char rows[512];
	size_t n = 0;

	n += (size_t)snprintf(rows, sizeof(rows), "SELECT 0");
	for (int i = 1; i <= s->in_force; i++)
		n += (size_t)snprintf(rows + n, sizeof(rows) - n, " + (SELECT count(*) FROM t%d)",
				      i);
	CHECK(number(b, b->en->tables) == s->in_force, "not the tables of %d", s->in_force);
	CHECK(number(b, rows) == s->in_force + (s->in_force >= 5 ? 1 : 0),
	      "not the rows of a clean run");
	CHECK(NUMBERF(b, "SELECT count(*) FROM %s WHERE event = 'applied'", h) == MIGRATIONS,
	      "not one applied event each");
	CHECK(NUMBERF(b, "SELECT count(*) FROM %s WHERE event = 'rolled-back'", h) ==
		      MIGRATIONS - s->in_force,
	      "not one rolled-back event each");
	CHECK(NUMBERF(b, "SELECT count(*) FROM %s WHERE event = 'failed'", h) == 0,
	      "a failure is in the history");
	CHECK(NUMBERF(b,
		      "SELECT count(*) FROM (SELECT 1 FROM %s WHERE event <> 'intent' GROUP BY "
		      "namespace, id, generation, event, down, statement HAVING count(*) > 1) AS x",
		      h) == 0,
	      "an event is there twice");
	/* Killed behind its last line, a runner leaves its name there; that must be in nobody's way. */
	if (NUMBERF(b, "SELECT count(*) FROM %s WHERE run <> '' OR session_id <> 0", b->en->lock) ==
	    0)
		return;
	program_migration(&b->p, "0009", "CREATE TABLE t9 (x int);\n", "DROP TABLE t9;\n");
	CHECK(ask(b, "migrate dev --yes") == 0, "the lock is not free");
	CHECK(NUMBERF(b, "SELECT count(*) FROM %s WHERE run <> '' OR session_id <> 0",
		      b->en->lock) == 0,
	      "the lock was not given back");
}

/* --- What an operator does then ------------------------------------------------------------- */

static void mend(struct box *b, const struct scenario *s, int64_t runs_before, const char *act,
		 uint64_t at)
{
	struct run *r = newest_run(b);
	bool made = r && strtoll(r->number, NULL, 10) > runs_before;
	char words[64];

	if (made && run_state_ended(r->state)) {
		CHECK(r->state == RUN_DONE, "run %s is %s", r->number, run_state_name(r->state));
	} else {
		snprintf(words, sizeof(words), "resume %s", made ? r->number : "");
		CHECK(ask(b, made ? words : s->words) == 0, "`%s` failed", made ? words : s->words);
	}
	run_free(r);
}

static void prepare(struct box *b, const struct scenario *s, size_t which)
{
	const char *act = "nothing";
	uint64_t at = 0;

	box_init(b, which);
	if (s->before)
		CHECK(ask(b, s->before) == 0, "`%s` failed", s->before);
}

static bool strike(const struct scenario *s, size_t which, const char *act, uint64_t at)
{
	struct box box, *b = &box;
	bool hit;

	prepare(b, s, which);
	ask_struck(b, s->words, act, at);
	hit = b->page->hits > 0;
	CHECK(settled(b), "sessions of the program stay");
	look_between(b, s, act, at);
	mend(b, s, s->before ? 1 : 0, act, at);
	look_at_the_end(b, s, act, at);
	box_clear(b);
	return hit;
}

static uint64_t count_points(const struct scenario *s, size_t which)
{
	struct box box, *b = &box;
	uint64_t n;

	prepare(b, s, which);
	ask_struck(b, s->words, "nothing", 0);
	look_at_the_end(b, s, "nothing", 0);
	n = b->page->count[SEAM_JOURNAL];
	box_clear(b);
	return n;
}

static void strike_all(const struct scenario *s, size_t which, const char *act)
{
	const char *how = getenv("TORTURE");
	bool full = how && !strcmp(how, "full");
	uint64_t points, n, hit = 0;

	services_need(&server[which]);
	points = count_points(s, which);
	n = !full && points > SAMPLE ? SAMPLE : points;
	assert_true(n > 1);
	for (uint64_t i = 0; i < n; i++)
		hit += strike(s, which, act, 1 + i * (points - 1) / (n - 1));
	print_message("# points: %s on %s, journal, %s: hit %llu of %llu%s\n", s->name,
		      server[which].name, act, (unsigned long long)hit, (unsigned long long)points,
		      n < points ? " (a sample; TORTURE=full hits all)" : "");
	assert_int_equal(hit, n);
}

/* --- Cases ---------------------------------------------------------------------------------- */

static void postgresql__loses_nothing__when_killed_before_a_journal_write(void **state)
{
	(void)state;
	strike_all(&forward, 0, "kill");
}

static void postgresql__loses_nothing__when_killed_behind_a_journal_write(void **state)
{
	(void)state;
	strike_all(&forward, 0, "kill-after");
}

static void postgresql__finishes_a_rollback__when_killed_at_a_journal_write(void **state)
{
	(void)state;
	strike_all(&back, 0, "kill");
}

static void mariadb__loses_nothing__when_killed_before_a_journal_write(void **state)
{
	(void)state;
	strike_all(&forward, 1, "kill");
}

static void mariadb__loses_nothing__when_killed_behind_a_journal_write(void **state)
{
	(void)state;
	strike_all(&forward, 1, "kill-after");
}

static void mariadb__finishes_a_rollback__when_killed_at_a_journal_write(void **state)
{
	(void)state;
	strike_all(&back, 1, "kill");
}

static int servers_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		(void)!services_start(kinds[i], &server[i]);
	return 0;
}

static int servers_stop(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		services_stop(&server[i]);
	return 0;
}

/* A pattern on the command line: only the cases whose names fit. */
int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(postgresql__loses_nothing__when_killed_before_a_journal_write),
		cmocka_unit_test(postgresql__loses_nothing__when_killed_behind_a_journal_write),
		cmocka_unit_test(postgresql__finishes_a_rollback__when_killed_at_a_journal_write),
		cmocka_unit_test(mariadb__loses_nothing__when_killed_before_a_journal_write),
		cmocka_unit_test(mariadb__loses_nothing__when_killed_behind_a_journal_write),
		cmocka_unit_test(mariadb__finishes_a_rollback__when_killed_at_a_journal_write),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, servers_start, servers_stop);
}
