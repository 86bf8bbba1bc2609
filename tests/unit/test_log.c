/* SPDX-License-Identifier: MIT */
#include "core/base/log.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/base/utf8.h"
#include "tests/support/tmp.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *dir, *path;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	path = tmp_path(dir, "log");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_close();
	free(path);
	tmp_remove(dir);
	return 0;
}

/* The log without the time and the process of its one line. */
static void assert_line(const char *want)
{
	char *text = tmp_read(dir, "log"), *body = strstr(text, "] ");
	int64_t ms;

	assert_non_null(body);
	text[24] = '\0';
	assert_true(clock_parse_iso(text, &ms));
	assert_string_equal(body + 2, want);
	free(text);
}

static void log_line__is_stamped_and_cleaned__on_one_line(void **state)
{
	(void)state;
	assert_int_equal(log_open(path, &e), 0);
	log_line("%s=%d \x1b[31m\nnext \xff", "n", 5);
	assert_line("n=5 \\x1b[31m\\nnext \\xFF\n");
}

static void log_line__does_nothing__while_closed(void **state)
{
	struct stat st;

	(void)state;
	log_line("lost");
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(log_open(path, &e), 0);
	log_close();
	log_close();
	log_line("lost");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void log_open__appends__to_what_is_there(void **state)
{
	char *text;

	(void)state;
	tmp_write(dir, "log", "before\n");
	assert_int_equal(log_open(path, &e), 0);
	assert_int_equal(log_open(path, &e), 0); /* a second open replaces the first */
	log_line("after");
	text = tmp_read(dir, "log");
	assert_true(strncmp(text, "before\n", 7) == 0);
	assert_non_null(strstr(text, "] after\n"));
	free(text);
}

static void log_open__refuses__what_is_no_file(void **state)
{
	char *fifo = tmp_path(dir, "fifo");

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(log_open(fifo, &e), -1);
	assert_int_equal(log_open(dir, &e), -1);
	assert_string_equal(e.sys, "EISDIR");
	assert_int_equal(log_open("/nowhere/at/all", &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(log_open("/dev/null", &e), 0);
	free(fifo);
}

static void log_line__is_cut_but_ends__when_very_long(void **state)
{
	size_t n = 100000;
	char *large = malloc(n + 1), *text;

	(void)state;
	memset(large, '\x01', n);
	large[n] = '\0';
	assert_int_equal(log_open(path, &e), 0);
	log_line("%s", large);
	log_line("next");
	text = tmp_read(dir, "log");
	assert_true(strchr(text, '\n') - text < 40000);
	assert_non_null(strstr(strchr(text, '\n'), "] next\n"));
	free(text);
	free(large);
}

static void log_err__writes_all_parts__that_are_there(void **state)
{
	struct err bad;

	(void)state;
	assert_int_equal(log_open(path, &e), 0);
	err_sys(&bad, ENOSPC, "cannot write x");
	err_hint(&bad, "free some space");
	log_err(&bad);
	assert_line("error system ENOSPC: cannot write x: No space left on device "
		    "(free some space)\n");
	log_close();
	tmp_write(dir, "log", "");
	assert_int_equal(log_open(path, &e), 0);
	err_set(&bad, ERR_GATE, "refused");
	log_err(&bad);
	assert_line("error gate: refused\n");
}

#define THREADS 4
#define LINES 200

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_line("thread %s line %d end", (const char *)arg, i);
	return NULL;
}

static void log_line__does_not_mix_lines__of_threads(void **state)
{
	static const char *const names[THREADS] = { "a", "b", "c", "d" };
	pthread_t threads[THREADS];
	struct sv rest, line;
	char *text;
	int n = 0;

	(void)state;
	assert_int_equal(log_open(path, &e), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines,
						(void *)(uintptr_t)names[i]),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	text = tmp_read(dir, "log");
	rest = sv_of(text);
	for (; sv_cut(&rest, '\n', &line); n++) {
		assert_true(sv_ends(line, SV(" end")));
		assert_int_equal(line.p[24], ' ');
	}
	assert_int_equal(n, THREADS * LINES);
	free(text);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(log_line__is_stamped_and_cleaned__on_one_line),
		CASE(log_line__does_nothing__while_closed),
		CASE(log_open__appends__to_what_is_there),
		CASE(log_open__refuses__what_is_no_file),
		CASE(log_line__is_cut_but_ends__when_very_long),
		CASE(log_err__writes_all_parts__that_are_there),
		CASE(log_line__does_not_mix_lines__of_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
