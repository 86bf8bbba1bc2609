/* SPDX-License-Identifier: MIT */
/*
 * A log file that is followed while it is rotated in every way: the script of runtime_process_scripts.c on this
 * machine, its output read by runtime_log_feed. Nothing waits a fixed time: each step waits for the line that it
 * wrote last.
 *
 * needs: time
 */
#include "core/runtime/runtime.h"

#include <fcntl.h>
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

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/host/host.h"
#include "tests/support/tmp.h"

#define GENEROUS_MS 60000
#define LINES_MAX 20000

static struct hosts *hosts;
static struct host *local;
static char *dir, *path;
static int written; /* lines, numbered from 1 */
static unsigned char given[LINES_MAX];
static int in_order, others;
static struct err e;

static int case_open(void **state)
{
	static struct host_context ctx;
	const struct host_spec spec = { .name = "local", .transport = HOST_LOCAL };

	(void)state;
	dir = tmp_make();
	path = tmp_path(dir, "app.log");
	ctx = (struct host_context){ .home = dir, .login = "nobody", .run_dir = dir };
	hosts = hosts_new(&ctx);
	local = hosts_get(hosts, &spec);
	written = in_order = others = 0;
	memset(given, 0, sizeof(given));
	return 0;
}

static int case_close(void **state)
{
	(void)state;
	hosts_free(hosts);
	free(path);
	tmp_remove(dir);
	return 0;
}

/* --- The service, and its logrotate ------------------------------------------------------------- */

static void write_lines(int n)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	for (int i = 0; i < n; i++)
		fprintf(f, "line %d of a service that says something\n", ++written);
	assert_int_equal(fclose(f), 0);
}

static void name_of(char *out, size_t size, int n)
{
	snprintf(out, size, n == 0 ? "%s" : "%s.%d", path, n);
}

static void shift(int from)
{
	char a[300], b[300];

	for (int i = 8; i >= from; i--) {
		name_of(a, sizeof(a), i);
		name_of(b, sizeof(b), i + 1);
		(void)!rename(a, b);
	}
}

static void rotate_by_name(void)
{
	shift(0);
}

static void rotate_by_copy(void)
{
	char to[300], *text = tmp_read(dir, "app.log");

	shift(1);
	name_of(to, sizeof(to), 1);
	tmp_write(dir, strrchr(to, '/') + 1, text);
	assert_int_equal(truncate(path, 0), 0);
	free(text);
}

/* --- The follower ------------------------------------------------------------------------------- */

struct follower {
	struct host_proc *proc;
	struct runtime_log *log;
	struct arena arena;
};

static void on_line(void *arg, const struct runtime_line *l)
{
	char text[64];
	int n;

	(void)arg;
	str_copy_sv(text, sizeof(text), l->text);
	if (sscanf(text, "line %d of", &n) != 1) {
		others++;
		return;
	}
	assert_true(n > 0 && n < LINES_MAX);
	given[n]++;
	in_order += n == in_order + 1;
}

static void follower_open(struct follower *f, const struct runtime_args *args)
{
	const struct runtime_service s = { .name = "app",
					   .kind = RUNTIME_PROCESS,
					   .log_file = path };
	struct host_command command = { .bulk = true };
	struct runtime_request r;

	arena_init(&f->arena);
	assert_int_equal(
		runtime_ops_of(RUNTIME_PROCESS)->request(RUNTIME_LOGS, &s, args, &f->arena, &r, &e),
		0);
	command.script = r.script;
	command.argv = r.argv;
	f->log = runtime_log_new(RUNTIME_PROCESS, args);
	assert_int_equal(
		host_start(local, &command, clock_mono_ms() + GENEROUS_MS, NULL, &f->proc, &e), 0);
}

static void follower_close(struct follower *f)
{
	host_proc_close(f->proc);
	runtime_log_free(f->log);
	arena_clear(&f->arena);
}

/* Reads until the line of that number came; 0: to the end. */
static void read_to(struct follower *f, int line)
{
	static char buf[65536];
	int64_t deadline_ms = clock_mono_ms() + GENEROUS_MS;

	while (line == 0 || given[line] == 0) {
		struct pollfd fd = { .fd = host_proc_fd(f->proc, HOST_OUT), .events = POLLIN };
		size_t got;

		if (fd.fd < 0) {
			assert_int_equal(line, 0);
			runtime_log_end(f->log, on_line, NULL);
			return;
		}
		if (wait_fds(&fd, 1, deadline_ms, NULL, &e) != 1)
			fail_msg("line %d did not come", line);
		assert_int_equal(host_proc_read(f->proc, HOST_OUT, buf, sizeof(buf), &got, &e), 0);
		if (runtime_log_feed(f->log, sv_n(buf, got), on_line, NULL, &e) != 0)
			fail_msg("%s: %s", e.msg, e.detail);
	}
}

static void expect_all(struct follower *f)
{
	for (int i = 1; i <= written; i++)
		if (given[i] != 1)
			fail_msg("line %d came %d times", i, given[i]);
	assert_int_equal(in_order, written);
	assert_int_equal(others, 0);
	assert_int_equal(runtime_log_lost(f->log), 0);
}

static const struct runtime_args follow = { .tail = -1, .follow = true };

static void rotations__lose_nothing__while_followed(void **state)
{
	struct follower f;

	(void)state;
	write_lines(50);
	follower_open(&f, &follow);
	read_to(&f, written);
	write_lines(20);
	rotate_by_name();
	write_lines(30);
	read_to(&f, written);
	/* The new file is empty for a while, and the old one still written to. */
	rotate_by_name();
	tmp_write(dir, "app.log", "");
	read_to(&f, written);
	write_lines(10);
	read_to(&f, written);
	/* Twice at once. */
	write_lines(5);
	rotate_by_name();
	write_lines(6);
	rotate_by_name();
	write_lines(7);
	read_to(&f, written);
	/* Copied and cut; what was not read yet is in the copy. */
	write_lines(40);
	rotate_by_copy();
	write_lines(3);
	read_to(&f, written);
	/* Many bytes at once. */
	write_lines(5000);
	read_to(&f, written);
	expect_all(&f);
	follower_close(&f);
}

static void a_reconnect__goes_on__through_files_rotated_meanwhile(void **state)
{
	struct runtime_log_point point;
	struct runtime_args args = { .tail = -1, .point = &point };
	struct follower f;

	(void)state;
	write_lines(50);
	follower_open(&f, &follow);
	read_to(&f, written);
	runtime_log_point(f.log, &point);
	follower_close(&f);
	assert_true(point.inode != 0 && point.offset > 0 && point.cursor[0] != '\0');
	write_lines(4);
	rotate_by_name();
	write_lines(20);
	rotate_by_name();
	write_lines(20);
	follower_open(&f, &args);
	read_to(&f, 0);
	expect_all(&f);
	runtime_log_point(f.log, &point);
	follower_close(&f);
	/* Copied and cut. */
	write_lines(11);
	rotate_by_copy();
	write_lines(30);
	follower_open(&f, &args);
	read_to(&f, 0);
	expect_all(&f);
	runtime_log_point(f.log, &point);
	follower_close(&f);
	/* Nothing new. */
	follower_open(&f, &args);
	read_to(&f, 0);
	expect_all(&f);
	follower_close(&f);
}

static void what_is_gone__counts_as_lost__and_the_rest_comes(void **state)
{
	struct runtime_log_point point;
	struct runtime_args args = { .tail = -1, .point = &point };
	struct follower f;
	char old[300];

	(void)state;
	write_lines(50);
	follower_open(&f, &follow);
	read_to(&f, written);
	runtime_log_point(f.log, &point);
	follower_close(&f);
	write_lines(4);
	rotate_by_name();
	name_of(old, sizeof(old), 1);
	assert_int_equal(unlink(old), 0);
	write_lines(20);
	follower_open(&f, &args);
	read_to(&f, 0);
	assert_int_equal(runtime_log_lost(f.log), -1);
	assert_int_equal(given[54], 0);
	for (int i = 55; i <= written; i++)
		assert_int_equal(given[i], 1);
	follower_close(&f);
}

static void a_tail__is_so_many_lines__of_any_file(void **state)
{
	struct runtime_args args = { .tail = 3 };
	struct follower f;

	(void)state;
	write_lines(2);
	follower_open(&f, &args);
	read_to(&f, 0);
	assert_true(given[1] == 1 && given[2] == 1);
	follower_close(&f);
	memset(given, 0, sizeof(given));
	write_lines(998);
	follower_open(&f, &args);
	read_to(&f, 0);
	for (int i = 1; i <= written; i++)
		assert_int_equal(given[i], i > written - 3);
	follower_close(&f);
	args.tail = 0;
	memset(given, 0, sizeof(given));
	follower_open(&f, &args);
	read_to(&f, 0);
	assert_int_equal(given[written], 0);
	follower_close(&f);
}

/* A service that writes while the script looks for the place: here its `tail` is what writes. */
static void a_tail__that_is_not_followed__ends_where_the_file_ended(void **state)
{
	struct runtime_args args = { .tail = 3 };
	struct follower f;
	char *usual = mem_strdup(getenv("PATH")), *tool = tmp_path(dir, "tail"), paths[600];
	char script[900];

	(void)state;
	write_lines(5);
	snprintf(script, sizeof(script),
		 "#!/bin/sh\necho 'line 6 of a service' >>'%s'\nPATH='%s' exec tail \"$@\"\n", path,
		 usual);
	tmp_write(dir, "tail", script);
	assert_int_equal(chmod(tool, 0755), 0);
	snprintf(paths, sizeof(paths), "%s:%s", dir, usual);
	assert_int_equal(setenv("PATH", paths, 1), 0);
	follower_open(&f, &args);
	read_to(&f, 0);
	assert_int_equal(setenv("PATH", usual, 1), 0);
	for (int i = 1; i <= 6; i++)
		assert_int_equal(given[i], i >= 3 && i <= 5);
	follower_close(&f);
	mem_free(usual);
	free(tool);
}

static void a_file__that_is_not_there_yet__is_waited_for(void **state)
{
	struct follower f;

	(void)state;
	follower_open(&f, &follow);
	write_lines(5);
	read_to(&f, written);
	expect_all(&f);
	follower_close(&f);
}

static void binary__passes_as_it_is(void **state)
{
	static const char bytes[] = "nul \0 in it\nend 1\n\0\0\0\nesc \x1b[1m\r\n";
	struct runtime_args args = { .tail = -1 };
	struct follower f;

	(void)state;
	tmp_write_bytes(dir, "app.log", bytes, sizeof(bytes) - 1);
	follower_open(&f, &args);
	read_to(&f, 0);
	assert_int_equal(others, 4);
	follower_close(&f);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, case_open, case_close)
	const struct CMUnitTest tests[] = {
		CASE(rotations__lose_nothing__while_followed),
		CASE(a_reconnect__goes_on__through_files_rotated_meanwhile),
		CASE(what_is_gone__counts_as_lost__and_the_rest_comes),
		CASE(a_tail__is_so_many_lines__of_any_file),
		CASE(a_tail__that_is_not_followed__ends_where_the_file_ended),
		CASE(a_file__that_is_not_there_yet__is_waited_for),
		CASE(binary__passes_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
