/* SPDX-License-Identifier: MIT */
#include "core/base/child.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SOON_MS 50
#define LONG_MS 20000

static struct err e;

/* Runs a shell script by child_capture; caller clears out. */
static int run_script(const char *script, struct strbuf *out, int64_t ms, struct cancel *c,
		      int *status)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };

	err_clear(&e);
	return child_capture(argv, out, clock_mono_ms() + ms, c, status, &e);
}

static void child_capture__gives_output_and_status__of_a_child(void **state)
{
	struct strbuf out;
	int status = -1;

	(void)state;
	strbuf_init(&out, 100);
	strbuf_adds(&out, ">");
	assert_int_equal(
		run_script("echo hello; echo lost >&2; exit 3", &out, LONG_MS, NULL, &status), 0);
	assert_string_equal(out.data, ">hello\n");
	assert_int_equal(status, 3);
	assert_int_equal(run_script("kill -TERM $$", &out, LONG_MS, NULL, &status), 0);
	assert_int_equal(status, 128 + SIGTERM);
	strbuf_clear(&out);
}

static void child_capture__reads_all__past_a_pipe_and_the_limit(void **state)
{
	const char *script = "i=0; while [ $i -lt 3000 ]; do "
			     "echo 0123456789012345678901234567890123456789012345678901234567890; "
			     "i=$((i+1)); done";
	struct strbuf out;
	int status = -1;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	assert_int_equal(run_script(script, &out, LONG_MS, NULL, &status), 0);
	assert_int_equal(out.len, 3000 * 62);
	assert_int_equal(status, 0);
	strbuf_clear(&out);
	strbuf_init(&out, 1000);
	assert_int_equal(run_script(script, &out, LONG_MS, NULL, &status), 0);
	assert_int_equal(out.len, 1000);
	assert_false(strbuf_ok(&out));
	assert_int_equal(status, 0);
	strbuf_clear(&out);
}

static void child_capture__says_so__when_there_is_no_program(void **state)
{
	char *argv[] = { (char *)"no-such-program-here", NULL };
	int64_t deadline_ms = clock_mono_ms() + LONG_MS;
	struct strbuf out;
	int status = -1;

	(void)state;
	strbuf_init(&out, 100);
	assert_int_equal(child_capture(argv, &out, deadline_ms, NULL, &status, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "cannot start no-such-program-here");
	assert_int_equal(status, -1);
	assert_int_equal(child_foreground(argv, &status, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

/* The process whose number a script wrote into out, once it is there, is gone or will soon be. */
static void assert_ends(struct strbuf *out)
{
	int64_t pid = 0, end = clock_mono_ms() + LONG_MS;

	assert_true(sv_int(sv_trim(strbuf_sv(out)), 1, INT32_MAX, &pid));
	while (fs_process(pid, NULL, NULL) && clock_mono_ms() < end)
		sched_yield();
	assert_false(fs_process(pid, NULL, NULL));
}

static void child_capture__kills_the_whole_group__at_the_deadline(void **state)
{
	int64_t start = clock_mono_ms();
	struct strbuf out;
	int status = -1;

	(void)state;
	strbuf_init(&out, 100);
	/* A busy machine may not come to the echo in time: then with more of it. */
	for (int64_t ms = SOON_MS; out.len == 0 && ms < LONG_MS; ms *= 2) {
		assert_int_equal(run_script("sleep 100 & echo $!; wait", &out, ms, NULL, &status),
				 -1);
		assert_int_equal(e.code, ERR_TIMEOUT);
		assert_int_equal(status, -1);
	}
	assert_true(clock_mono_ms() - start < 2 * LONG_MS);
	assert_ends(&out);
	strbuf_clear(&out);
}

static void *fire(void *arg)
{
	cancel_fire(arg);
	return NULL;
}

static void child_capture__ends__when_cancelled(void **state)
{
	int64_t start = clock_mono_ms();
	struct cancel c;
	struct strbuf out;
	pthread_t thread;
	int status = -1;

	(void)state;
	assert_int_equal(cancel_init(&c, &e), 0);
	assert_int_equal(pthread_create(&thread, NULL, fire, &c), 0);
	strbuf_init(&out, 100);
	assert_int_equal(run_script("exec sleep 100", &out, 100000, &c, &status), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_true(clock_mono_ms() - start < LONG_MS);
	pthread_join(thread, NULL);
	cancel_clear(&c);
	strbuf_clear(&out);
}

static void child_capture__does_not_wait__for_a_grandchild_with_the_pipe(void **state)
{
	int64_t start = clock_mono_ms(), pid;
	struct strbuf out;
	int status = -1;

	(void)state;
	strbuf_init(&out, 100);
	assert_int_equal(run_script("sleep 60 & echo $!", &out, 50000, NULL, &status), 0);
	assert_int_equal(status, 0);
	assert_true(clock_mono_ms() - start < LONG_MS);
	assert_true(sv_int(sv_trim(strbuf_sv(&out)), 1, INT32_MAX, &pid));
	kill((pid_t)pid, SIGKILL);
	strbuf_clear(&out);
}

static void child_capture__gives_default_signals__to_the_child(void **state)
{
	sigset_t blocked, old;
	struct strbuf out;
	int status = -1;

	(void)state;
	sigfillset(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	signal(SIGPIPE, SIG_IGN);
	strbuf_init(&out, 1000);
	assert_int_equal(run_script("grep ^SigBlk /proc/self/status; cat; kill -PIPE $$", &out,
				    LONG_MS, NULL, &status),
			 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	assert_string_equal(out.data, "SigBlk:\t0000000000000000\n");
	assert_int_equal(status, 128 + SIGPIPE);
	strbuf_clear(&out);
}

/* --- Followed ------------------------------------------------------------------------------- */

static void take_output(void *arg, struct sv bytes)
{
	strbuf_addsv(arg, bytes);
}

static int stream(const char *script, struct strbuf *out, int keep_fd, struct cancel *c,
		  int *status)
{
	static const char *const name[] = { "GIVEN", "HOME" }, *const value[] = { "a b", "/else" };
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
	struct child_stream s = {
		.argv = argv,
		.dir = "/",
		.name = name,
		.value = value,
		.n_var = 2,
		.keep_fd = keep_fd,
		.output = take_output,
		.arg = out,
	};

	err_clear(&e);
	return child_stream(&s, SOON_MS, c, status, &e);
}

static void child_stream__gives_both_outputs__folder_variables_and_status(void **state)
{
	struct strbuf out;
	int status = -1;

	(void)state;
	setenv("HOME", "/home", 1);
	setenv("INHERITED", "yes", 1);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	assert_int_equal(stream("echo $GIVEN; pwd >&2; echo $HOME $INHERITED; exit 3", &out, -1,
				NULL, &status),
			 0);
	assert_string_equal(out.data, "a b\n/\n/else yes\n");
	assert_int_equal(status, 3);
	strbuf_clear(&out);
}

static void child_stream__shares_no_descriptor__but_the_kept_one(void **state)
{
	int plain = open("/dev/null", O_RDONLY), kept = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	const char *script =
		"for f in /proc/self/fd/*; do readlink $f; done | grep -v ^pipe | sort -u";
	struct strbuf out;
	int status = -1;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	assert_true(plain > 2 && fcntl(plain, F_DUPFD, 20) >= 20); /* neither is close-on-exec */
	assert_int_equal(stream(script, &out, kept, NULL, &status), 0);
	assert_non_null(strstr(out.data, "/etc/passwd"));
	strbuf_reset(&out);
	assert_int_equal(stream("ls /proc/$$/fd | tr '\\n' ' '", &out, -1, NULL, &status), 0);
	assert_null(strstr(out.data, "20"));
	strbuf_clear(&out);
	close(plain);
	close(20);
	close(kept);
}

static void child_stream__ends_the_group__when_cancelled(void **state)
{
	int64_t start = clock_mono_ms();
	struct strbuf out;
	struct cancel c;
	int status = -1;

	(void)state;
	assert_int_equal(cancel_init(&c, &e), 0);
	cancel_fire(&c);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	/* Deaf to the first signal, it gets the second. */
	assert_int_equal(stream("trap '' TERM; sleep 100 & sleep 100", &out, -1, &c, &status), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(status, -1);
	assert_true(clock_mono_ms() - start < LONG_MS);
	cancel_clear(&c);
	strbuf_clear(&out);
}

static void child_stream__leaves_nothing_of_the_group__behind_its_end(void **state)
{
	struct strbuf out;
	int status = -1;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	assert_int_equal(stream("sleep 100 & echo $!", &out, -1, NULL, &status), 0);
	assert_int_equal(status, 0);
	assert_ends(&out);
	strbuf_clear(&out);
}

static void child_stream__says_so__when_there_is_no_program(void **state)
{
	char *argv[] = { (char *)"no-such-program-here", NULL };
	struct child_stream s = { .argv = argv, .dir = "/", .keep_fd = -1, .output = take_output };
	int status = -1;

	(void)state;
	assert_int_equal(child_stream(&s, SOON_MS, NULL, &status, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "cannot start no-such-program-here");
}

static void child_foreground__gives_status__and_restores_signals(void **state)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 7", NULL };
	struct sigaction now;
	int status = -1;

	(void)state;
	assert_int_equal(child_foreground(argv, &status, &e), 0);
	assert_int_equal(status, 7);
	sigaction(SIGINT, NULL, &now);
	assert_ptr_equal(now.sa_handler, SIG_DFL);
}

/* Starts a detached shell script with its output to dir/log and waits for its end. */
static void run_detached_with(const char *dir, const char *script, struct sv input)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
	char *log = tmp_path(dir, "log");
	int status;
	pid_t pid;

	assert_int_equal(child_spawn_detached("/bin/sh", argv, log, input, &pid, &e), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	free(log);
}

static void run_detached(const char *dir, const char *script)
{
	run_detached_with(dir, script, SV(""));
}

static void child_spawn_detached__gives_its_input__to_its_end(void **state)
{
	char *dir = tmp_make(), *text, *big = mem_alloc(CHILD_INPUT_MAX);

	(void)state;
	run_detached_with(dir, "readlink /proc/self/fd/0 | cut -c1-5; cat; ls /proc/$$/fd",
			  SV("a secret\n"));
	text = tmp_read(dir, "log");
	assert_string_equal(text, "pipe:\na secret\n0\n1\n2\n");
	free(text);
	memset(big, 'x', CHILD_INPUT_MAX);
	run_detached_with(dir, "wc -c", sv_n(big, CHILD_INPUT_MAX));
	text = tmp_read(dir, "log");
	assert_true(sv_ends(sv_of(text), SV("524288\n")));
	free(text);
	/* One that does not read keeps nobody waiting. */
	run_detached_with(dir, ":", sv_n(big, CHILD_INPUT_MAX));
	mem_free(big);
	tmp_remove(dir);
}

static void child_spawn_detached__refuses_input__that_is_too_long(void **state)
{
	char *argv[] = { (char *)"x", NULL };
	char *dir = tmp_make(), *log = tmp_path(dir, "log"), *big = mem_alloc(CHILD_INPUT_MAX + 1);
	pid_t pid = 0;

	(void)state;
	assert_int_equal(child_spawn_detached("/bin/sh", argv, log, sv_n(big, CHILD_INPUT_MAX + 1),
					      &pid, &e),
			 -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(pid, 0);
	mem_free(big);
	free(log);
	tmp_remove(dir);
}

static void child_spawn_detached__is_on_its_own__in_every_way(void **state)
{
	char *dir = tmp_make(), *log = tmp_path(dir, "log"), *text;
	int leaked = dup(STDERR_FILENO); /* not O_CLOEXEC */
	struct stat st;

	(void)state;
	run_detached(dir, "pwd; readlink /proc/self/fd/0; ls /proc/$$/fd; "
			  "set -- $(cat /proc/$$/stat); [ $1 = $6 ] && echo session; echo err >&2");
	close(leaked);
	text = tmp_read(dir, "log");
	assert_string_equal(text, "/\n/dev/null\n0\n1\n2\nsession\nerr\n");
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(text);
	run_detached(dir, "echo more");
	text = tmp_read(dir, "log");
	assert_true(sv_ends(sv_of(text), SV("err\nmore\n")));
	free(text);
	free(log);
	tmp_remove(dir);
}

static void child_spawn_detached__fails_with_reason__without_program_or_log(void **state)
{
	char *argv[] = { (char *)"x", NULL };
	char *dir = tmp_make(), *log = tmp_path(dir, "log"), *bad = tmp_path(dir, "no/log");
	pid_t pid = 0;

	(void)state;
	assert_int_equal(child_spawn_detached("/nowhere/at/all", argv, log, SV(""), &pid, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "cannot start /nowhere/at/all");
	assert_int_equal(child_spawn_detached("/bin/sh", argv, bad, SV(""), &pid, &e), -1);
	assert_non_null(strstr(e.msg, "cannot open log"));
	free(bad);
	free(log);
	tmp_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_capture__gives_output_and_status__of_a_child),
		cmocka_unit_test(child_capture__reads_all__past_a_pipe_and_the_limit),
		cmocka_unit_test(child_capture__says_so__when_there_is_no_program),
		cmocka_unit_test(child_capture__kills_the_whole_group__at_the_deadline),
		cmocka_unit_test(child_capture__ends__when_cancelled),
		cmocka_unit_test(child_capture__does_not_wait__for_a_grandchild_with_the_pipe),
		cmocka_unit_test(child_capture__gives_default_signals__to_the_child),
		cmocka_unit_test(child_stream__gives_both_outputs__folder_variables_and_status),
		cmocka_unit_test(child_stream__shares_no_descriptor__but_the_kept_one),
		cmocka_unit_test(child_stream__ends_the_group__when_cancelled),
		cmocka_unit_test(child_stream__leaves_nothing_of_the_group__behind_its_end),
		cmocka_unit_test(child_stream__says_so__when_there_is_no_program),
		cmocka_unit_test(child_foreground__gives_status__and_restores_signals),
		cmocka_unit_test(child_spawn_detached__is_on_its_own__in_every_way),
		cmocka_unit_test(child_spawn_detached__gives_its_input__to_its_end),
		cmocka_unit_test(child_spawn_detached__refuses_input__that_is_too_long),
		cmocka_unit_test(child_spawn_detached__fails_with_reason__without_program_or_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
