/* SPDX-License-Identifier: MIT */
#include "core/migrate/git_state.h"

#include "core/base/fs.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static struct git_state g;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	arena_init(&g.arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	git_state_clear(&g);
	tmp_remove(dir);
	return 0;
}

/* git in the folder sub of dir. */
static void git(const char *sub, const char *a, const char *b, const char *c, const char *d)
{
	char *at = tmp_path(dir, sub);
	const char *argv[] = { "git",
			       "-c",
			       "user.name=t",
			       "-c",
			       "user.email=t@t",
			       "-c",
			       "init.defaultBranch=main",
			       "-C",
			       at,
			       a,
			       b,
			       c,
			       d,
			       NULL };
	struct tmp_child child;

	tmp_run(&child, dir, (char *const *)(uintptr_t)argv);
	if (child.status != 0)
		fail_msg("git %s: %s", a, child.err);
	tmp_child_clear(&child);
	mem_free(at);
}

static void read_state(const char *sub)
{
	char *at = tmp_path(dir, sub);

	git_state_clear(&g);
	if (git_state_read(at, NULL, &g, &e) != 0)
		fail_msg("%s", e.msg);
	mem_free(at);
}

static void words_are(const char *want)
{
	struct strbuf b;

	strbuf_init(&b, 4096);
	git_state_words(&g, &b);
	if (strstr(strbuf_str(&b), want) == NULL)
		fail_msg("'%s' holds no '%s'", strbuf_str(&b), want);
	strbuf_clear(&b);
}

static void state__is_unknown__outside_of_a_work_tree(void **state)
{
	(void)state;
	tmp_write(dir, "m/1_a.up.sql", "SELECT 1;");
	/* A damaged repository stops the search upwards, so that the test holds below one. */
	tmp_write(dir, ".git", "gitdir: nowhere");
	read_state("m");
	assert_false(g.known);
	words_are("git: git cannot read this repository");
	read_state("no-such-folder");
	assert_false(g.known);
}

static void parse__takes__any_bytes(void **state)
{
	static const char odd[] = "# branch.oid (initial)\0# branch.head (detached)\0"
				  "1 M. short\0\0?\0? \0002 R. a b c d e f X100 new name\0old\0"
				  "u UU N... 1 2 3 4 a b c both\0? tail";

	(void)state;
	assert_false(git_state_parse(SV(""), &g));
	assert_false(g.known);
	assert_true(git_state_parse(sv_n(odd, sizeof(odd) - 1), &g));
	assert_string_equal(g.commit, "");
	assert_string_equal(g.branch, "");
	assert_int_equal(g.n_uncommitted, 3);
	assert_string_equal(g.uncommitted[0], "new name");
	assert_string_equal(g.uncommitted[1], "both");
	assert_string_equal(g.uncommitted[2], "tail");
}

static void state__counts__what_is_not_committed_and_not_pushed(void **state)
{
	(void)state;
	tmp_write(dir, "up/keep", "");
	tmp_write(dir, "w/m/1 a.sql", "SELECT 1;");
	tmp_write(dir, "w/other.txt", "");
	git("up", "init", "--quiet", "--bare", ".");
	git("w", "init", "--quiet", ".", NULL);
	read_state("w/m");
	assert_true(g.known);
	assert_string_equal(g.branch, "main");
	assert_int_equal(g.n_uncommitted, 1);
	assert_string_equal(g.uncommitted[0], "m/1 a.sql");
	words_are("main, no commit yet, 1 file not committed, no upstream branch");
	git("w", "add", "-A", NULL, NULL);
	git("w", "commit", "--quiet", "-m", "one");
	read_state("w/m");
	assert_int_equal(strlen(g.commit), 12);
	assert_int_equal(g.n_uncommitted, 0);
	assert_false(g.has_upstream);
	git("w", "remote", "add", "origin", "../up");
	git("w", "push", "-qu", "origin", "main");
	read_state("w/m");
	assert_true(g.has_upstream);
	words_are("all committed and pushed");
	tmp_write(dir, "w/m/2.sql", "SELECT 2;");
	tmp_write(dir, "w/other.txt", "changed: not of the migrations");
	git("w", "add", "m", NULL, NULL);
	git("w", "commit", "--quiet", "-m", "two");
	git("w", "commit", "--quiet", "-am", "elsewhere");
	tmp_write(dir, "w/m/1 a.sql", "SELECT 3;");
	read_state("w/m");
	assert_int_equal(g.n_unpushed, 1);
	assert_int_equal(g.n_uncommitted, 1);
	words_are("1 file not committed, 1 commit not pushed");
	git("w", "checkout", "--quiet", "--detach", NULL);
	read_state("w/m");
	assert_string_equal(g.branch, "");
	words_are("no branch at ");
}

static void state__stops__when_cancelled(void **state)
{
	struct cancel c;

	(void)state;
	assert_int_equal(cancel_init(&c, &e), 0);
	cancel_fire(&c);
	assert_int_equal(git_state_read(dir, &c, &g, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	cancel_clear(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(state__is_unknown__outside_of_a_work_tree),
		T(parse__takes__any_bytes),
		T(state__counts__what_is_not_committed_and_not_pushed),
		T(state__stops__when_cancelled),
	};

	return cmocka_run_group_tests_name("git_state", tests, NULL, NULL);
}
