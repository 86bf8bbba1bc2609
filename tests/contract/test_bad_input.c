/* SPDX-License-Identifier: MIT */
/*
 * Bad input, and what it gets: a clear error in its three parts, the exit status of bascule(1),
 * nothing lost, nothing half applied. The real program on a copy of the demo.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/support/shop.h"

/* stderr begins with what could not be done and goes on with why. */
static void expect_error(struct shop *s, int status, const char *line, const char *what)
{
	shop_expect(s, status, line);
	if (strncmp(s->child.err, "bascule: ", 9) != 0 || strstr(s->child.err, "\n  ") == NULL)
		fail_msg("`%s` does not say what and why:\n%s", line, s->child.err);
	shop_err_has(s, what);
}

static void applied_is(struct shop *s, const char *env, int n)
{
	char line[100], text[40];

	snprintf(line, sizeof(line), "bascule status %s --json", env);
	snprintf(text, sizeof(text), "\"applied\": %d,", n);
	shop_expect(s, 0, line);
	shop_out_has(s, text);
}

/* As somebody who is not root, since root may do everything; OPEN lets him into the workspace. */
#define OPEN "chmod go+x ../../.. ../.. ..; chmod -R go+rX . && "
#define AS_NOBODY "setpriv --reuid 65534 --regid 65534 --clear-groups "

static void config__with_ten_mistakes__lists_them_all(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	tmp_write(s.dir, "bascule.ini",
		  "stray = 1\n[project]\nnam = shop\nschema_version = x\n[environment a]\n"
		  "databse = sqlite:a\nprotected = maybe\nfreeze = Fri\nbackup = sometimes\n"
		  "pause_limit = 3 moons\n[environment a]\n[servce web]\n  indented = 1\n");
	expect_error(&s, 2, "bascule status", "mistakes in ");
	shop_err_has(&s, "line 1: `stray`");
	shop_err_has(&s, "line 3: unknown key `nam` in [project]\n    did you mean `name`?");
	shop_err_has(&s, "line 4: ");
	shop_err_has(&s, "line 6: unknown key `databse`");
	shop_err_has(&s, "line 7: ");
	shop_err_has(&s, "line 8: `freeze` is not acted on by this version");
	shop_err_has(&s, "line 9: ");
	shop_err_has(&s, "line 10: ");
	shop_err_has(&s, "line 11: [environment a] is there twice: lines 5 and 11");
	shop_err_has(&s, "line 12: unknown section [servce web]");
	shop_err_has(&s, "line 13: an indented line");
	shop_close(&s);
}

static void config__missing_folder_or_unreadable__gets_2(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	expect_error(&s, 2, "bascule -c missing.ini status", "No such file");
	expect_error(&s, 2, "bascule -c migrations status", "folder");
	expect_error(&s, 2, "ln -s loop.ini loop.ini; bascule -c loop.ini status", "loop.ini");
	if (geteuid() == 0) {
		shop_expect(&s, 0, OPEN "chmod 600 bascule.ini");
		expect_error(&s, 2, AS_NOBODY "bascule status", "Permission denied");
	}
	shop_close(&s);
}

static void migrations__missing_or_a_loop__are_said(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "mv migrations m; ln -s migrations migrations");
	expect_error(&s, 1, "bascule matrix", "migrations");
	expect_error(&s, 1, "bascule migrate development", "migrations");
	shop_expect(&s, 0, "rm migrations");
	expect_error(&s, 1, "bascule matrix", "migrations");
	shop_expect(&s, 0,
		    "mv m migrations; ln -s . migrations/up/self; ln -s ../up migrations/up/up");
	expect_error(&s, 3, "bascule migrate development", "loop");
	applied_is(&s, "development", 10);
	shop_close(&s);
}

static void migration__huge_nul_or_foreign__is_refused_before_anything_runs(void **state)
{
	static const struct {
		const char *make, *err;
	} cases[] = {
		{ "truncate -s 1G migrations/up/0013_huge.sql", "larger than 67108864 bytes" },
		{ "head -c 4096 /dev/zero > migrations/up/0013_nul.sql", "NUL" },
		{ "echo 'SELECT 1;' > migrations/up/0013_a.sql; cp migrations/up/0013_a.sql "
		  "migrations/up/013_b.sql",
		  "0013_a.sql" },
		{ "mkfifo migrations/up/0013_pipe.sql", "0013_pipe" },
		{ "ln -s nowhere migrations/up/0013_gone.sql", "0013_gone" },
	};
	struct shop s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shop_open(&s);
		shop_expect(&s, 0, cases[i].make);
		expect_error(&s, 3, "bascule migrate development", cases[i].err);
		applied_is(&s, "development", 10);
		shop_expect(&s, 1, "bascule check");
		shop_out_has(&s, "FAIL");
		shop_close(&s);
	}
}

static void names__of_invalid_utf8__cannot_reach_the_terminal(void **state)
{
	struct shop s;
	const char *c;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "echo 'SELECT 1;' > \"$(printf 'migrations/up/0013_\\377\\033[2J.sql')\"");
	shop_run(&s, "bascule matrix; bascule check; bascule migrate development; bascule history "
		     "development");
	for (c = s.child.out; *c != '\0'; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= ' ');
	for (c = s.child.err; *c != '\0'; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= ' ');
	shop_close(&s);
}

static void statement__that_fails__leaves_the_database_before_it(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "printf 'CREATE TABLE half(n);\\nINSERT INTO nowhere VALUES (1);\\n' > "
		    "migrations/up/0013_half.sql");
	expect_error(&s, 1, "bascule migrate development", "0013_half.sql");
	shop_err_has(&s, "line 2");
	applied_is(&s, "development", 12);
	shop_expect(&s, 0, "bascule history development | grep -A1 failed");
	shop_out_has(&s, "nowhere");
	shop_expect(&s, 3, "bascule migrate development");
	shop_err_has(&s, "gate failed");
	shop_expect(&s, 0,
		    "echo 'CREATE TABLE half(n);' > migrations/up/0013_half.sql; bascule migrate "
		    "development");
	applied_is(&s, "development", 13);
	shop_close(&s);
}

static void database__corrupt_or_something_else__is_refused(void **state)
{
	static const char *const makes[] = {
		"echo 'no database at all, but long enough to be looked at' > "
		"data/development.sqlite",
		"rm data/development.sqlite; mkdir data/development.sqlite",
		"head -c 3000 data/development.sqlite > x; mv x data/development.sqlite",
		"printf 'garbage garbage' | dd of=data/development.sqlite bs=1 seek=100 "
		"conv=notrunc 2>/dev/null",
	};
	struct shop s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		shop_open(&s);
		shop_expect(&s, 0, makes[i]);
		expect_error(&s, 1, "bascule migrate development", "development.sqlite");
		shop_expect(&s, 0, "bascule status");
		shop_out_has(&s, "FAIL");
		shop_expect(&s, 1, "bascule check");
		shop_close(&s);
	}
}

static void database__locked_by_another_program__is_waited_for_and_said(void **state)
{
	struct shop s;
	sqlite3 *db;
	char *path;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "sed -i '/development.sqlite/a lock_timeout = 200ms' bascule.ini");
	path = tmp_path(s.dir, "data/development.sqlite");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	expect_error(&s, 1, "bascule migrate development", "locked");
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	free(path);
	applied_is(&s, "development", 10);
	shop_expect(&s, 0, "bascule migrate development");
	shop_close(&s);
}

static void database__read_only__is_said(void **state)
{
	struct shop s;

	(void)state;
	if (geteuid() != 0)
		skip(); /* written for root, who can become somebody else */
	shop_open(&s);
	shop_expect(&s, 0, OPEN "chmod -R a+rwX .state; chmod 444 data/*; chmod 755 data");
	expect_error(&s, 1, AS_NOBODY "bascule -c \"$PWD/bascule.ini\" migrate development",
		     "development");
	applied_is(&s, "development", 10);
	shop_expect(&s, 1, AS_NOBODY "bascule -c \"$PWD/bascule.ini\" check");
	shop_out_has(&s, "cannot be written");
	shop_close(&s);
}

/* A mount namespace of its own, with a state folder of 64 pages, filled but for what the case leaves. */
#define SMALL_STATE "unshare -m sh -c 'mount -t tmpfs -o size=256k none .state && "

static void disk__full_under_the_journal__stops_before_the_change(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	if (shop_run(&s, SMALL_STATE "true'") != 0) {
		shop_close(&s);
		skip(); /* no right to mount here */
	}
	shop_expect(&s, 0,
		    SMALL_STATE "dd if=/dev/zero of=.state/full bs=4k 2>/dev/null; "
				"bascule migrate development; echo status $?'");
	shop_err_has(&s, "No space left");
	shop_out_has(&s, "status 1");
	applied_is(&s, "development", 10);
	/* Full once the run is under way: whatever is applied is applied whole, and the rest goes on. */
	shop_expect(&s, 0,
		    SMALL_STATE "dd if=/dev/zero of=.state/full bs=4k count=56 2>/dev/null; "
				"bascule migrate development; rm .state/full; bascule resume 1; "
				"bascule migrate development; bascule status development --json'");
	shop_out_has(&s, "\"applied\": 12,");
	shop_close(&s);
}

static void stdout__that_cannot_be_written__is_an_error(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	expect_error(&s, 1, "bascule matrix > /dev/full", "stdout");
	shop_close(&s);
}

static void runs__that_were_damaged__are_said_and_left_out(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "for d in .state/bascule/runs/*; do echo '{' > $d/plan.json; break; done");
	shop_expect(&s, 0, "bascule runs");
	shop_err_has(&s, "cannot be read as runs");
	shop_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config__with_ten_mistakes__lists_them_all),
		cmocka_unit_test(config__missing_folder_or_unreadable__gets_2),
		cmocka_unit_test(migrations__missing_or_a_loop__are_said),
		cmocka_unit_test(migration__huge_nul_or_foreign__is_refused_before_anything_runs),
		cmocka_unit_test(names__of_invalid_utf8__cannot_reach_the_terminal),
		cmocka_unit_test(statement__that_fails__leaves_the_database_before_it),
		cmocka_unit_test(database__corrupt_or_something_else__is_refused),
		cmocka_unit_test(database__locked_by_another_program__is_waited_for_and_said),
		cmocka_unit_test(database__read_only__is_said),
		cmocka_unit_test(disk__full_under_the_journal__stops_before_the_change),
		cmocka_unit_test(stdout__that_cannot_be_written__is_an_error),
		cmocka_unit_test(runs__that_were_damaged__are_said_and_left_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, shop_group_setup, shop_group_teardown);
}
