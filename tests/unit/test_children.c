/* SPDX-License-Identifier: MIT */
#include "core/host/children.h"

#include "core/base/clock.h"
#include "tests/support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 60000
#define MANY 100

static struct err e;

static int64_t soon(void)
{
	return clock_mono_ms() + LONG_MS;
}

static struct children_child *start(struct children *p, const char *script, const char *word,
				    void (*ended)(void *), void *arg)
{
	char *argv[] = { (char *)"sh",
			 (char *)"-c",
			 (char *)(uintptr_t)script,
			 (char *)"sh",
			 (char *)(uintptr_t)word,
			 NULL };
	const struct children_spec s = {
		.argv = argv, .fds = { -1, -1, -1, -1 }, .tie_fd = -1, .ended = ended, .arg = arg
	};
	struct children_child *ch = NULL;

	if (children_start(p, &s, &ch, &e))
		fail_msg("%s: %s", e.msg, e.detail);
	return ch;
}

static void children_wait__tells__how_each_ended(void **state)
{
	struct children *p = children_new();
	struct children_child *list[MANY];
	struct host_result r;
	bool known;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		char script[32];

		snprintf(script, sizeof(script), "exit %d", i);
		list[i] = start(p, script, "x", NULL, NULL);
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(children_wait(list[i], soon(), NULL, &r, &known, &e), 0);
		assert_true(known);
		assert_int_equal(r.status, i);
		assert_string_equal(r.signal, "");
		children_leave(list[i]);
	}
	list[0] = start(p, "kill -SEGV $$", "x", NULL, NULL);
	assert_int_equal(children_wait(list[0], soon(), NULL, &r, &known, &e), 0);
	assert_int_equal(r.status, -1);
	assert_string_equal(r.signal, "SEGV");
	children_leave(list[0]);
	children_leave(NULL);
	children_free(p);
	/* None of them is left to be waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void children_wait__gives_up__at_the_deadline(void **state)
{
	struct children *p = children_new();
	struct children_child *ch = start(p, "sleep 1000", "x", NULL, NULL);
	struct host_result r;
	bool known;

	(void)state;
	assert_int_equal(children_wait(ch, clock_mono_ms() + 20, NULL, &r, &known, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	children_free(p); /* also of those that nobody left */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void count_end(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void children_leave__ends_the_group__and_calls_nobody(void **state)
{
	static const char *const scripts[] = {
		"sleep 1000; :", "trap '' TERM; sleep 1000; sleep 1000",
		"sh -c 'trap \"\" TERM; sleep 1000; :' sh \"$1\" & wait"
	};
	struct children *p = children_new();
	atomic_int ends = 0;
	struct host_result r;
	struct children_child *ch;
	bool known;
	char word[3][32];

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(word[i], sizeof(word[i]), "children-%d-%d", (int)getpid(), i);
		ch = start(p, scripts[i], word[i], count_end, &ends);
		assert_true(process_word_wait(word[i], i == 2 ? 2 : 1));
		children_leave(ch);
	}
	for (int i = 0; i < 3; i++)
		assert_true(process_word_wait(word[i], 0));
	assert_int_equal(atomic_load(&ends), 0);
	/* What ends by itself is told, and what it left behind is killed. */
	ch = start(p, "sh -c 'trap \"\" TERM; sleep 1000; :' sh \"$1\" & exit 3", word[0],
		   count_end, &ends);
	assert_int_equal(children_wait(ch, soon(), NULL, &r, &known, &e), 0);
	assert_int_equal(r.status, 3);
	assert_true(process_word_wait(word[0], 0));
	children_leave(ch);
	children_let_go(start(p, "exit 0", "x", NULL, NULL));
	children_free(p);
	assert_int_equal(atomic_load(&ends), 1);
	children_free(NULL);
}

static void children_start__says_so__when_there_is_no_program(void **state)
{
	char *argv[] = { (char *)"no-such-program-here", NULL };
	int tie[2];
	const struct children_spec none = { .argv = argv, .fds = { -1, -1, -1, -1 }, .tie_fd = -1 };
	struct children_spec tied = none;
	struct children *p = children_new();
	struct children_child *ch = NULL;
	char byte;

	(void)state;
	assert_int_equal(children_start(p, &none, &ch, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	/* The tie is closed then, too. */
	assert_int_equal(pipe2(tie, O_CLOEXEC), 0);
	tied.tie_fd = tie[1];
	assert_int_equal(children_start(p, &tied, &ch, &e), -1);
	assert_int_equal(read(tie[0], &byte, 1), 0);
	close(tie[0]);
	children_free(p);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(children_wait__tells__how_each_ended),
		cmocka_unit_test(children_wait__gives_up__at_the_deadline),
		cmocka_unit_test(children_leave__ends_the_group__and_calls_nobody),
		cmocka_unit_test(children_start__says_so__when_there_is_no_program),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
