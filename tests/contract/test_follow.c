/* SPDX-License-Identifier: MIT */
/*
 * Following log files on this machine: no server is needed. Containers and ssh are test_follow_servers.c.
 *
 * needs: time
 */
#include "tests/support/follow_world.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/host/host_ops.h"
#include "tests/support/tmp.h"

static struct world w;
static char *dir, *log_path, *rotated_path;
static struct runtime_service service;
static long written;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	log_path = tmp_path(dir, "app.log");
	rotated_path = tmp_path(dir, "app.log.1");
	service = (struct runtime_service){ .name = "app",
					    .kind = RUNTIME_PROCESS,
					    .pid_file = "/nonexistent",
					    .log_file = log_path };
	written = 0;
	world_open(&w, NULL, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	free(log_path);
	free(rotated_path);
	tmp_remove(dir);
	return 0;
}

/* Appends n numbered lines. */
static void write_lines(long n)
{
	FILE *f = fopen(log_path, "a");

	assert_non_null(f);
	for (long i = 0; i < n; i++)
		fprintf(f, "line %ld\n", ++written);
	assert_int_equal(fclose(f), 0);
}

static void follow__gives_what_there_is_and_what_comes__of_a_file(void **state)
{
	int s;

	(void)state;
	write_lines(100);
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "line", 100);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	write_lines(50);
	world_wait(&w, LOG_LINE, "line", 150);
	world_expect(&w, s, "line", 1, 150);
	world_expect_no_gap(&w);
}

static void follow__says_that_older_lines_were_left_out__when_tail_cut_them(void **state)
{
	int s;

	(void)state;
	write_lines(100);
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .follow = true, .tail = 10 });
	world_wait(&w, LOG_LINE, "line 100", 1);
	world_expect(&w, s, "line", 91, 100);
	assert_int_equal(w.line[0].kind, LOG_GAP);
	assert_string_equal(w.line[0].text, "older lines not fetched");
	assert_int_equal(w.line[0].utc_ns, w.line[1].utc_ns);
}

static void follow__says_nothing_of_older_lines__when_there_are_as_many_as_asked_for(void **state)
{
	(void)state;
	write_lines(10);
	world_follow(&w, &world_local, &service,
		     (struct follow_spec){ .follow = true, .tail = 10 });
	world_wait(&w, LOG_LINE, "line", 10);
	world_expect_no_gap(&w);
}

static void follow__says_that_older_lines_were_left_out__when_one_came_in_parts(void **state)
{
	FILE *f;
	int s;

	(void)state;
	write_lines(100);
	f = fopen(log_path, "a");
	assert_non_null(f);
	for (long i = 0; i < 5 * 512 * 1024; i++)
		fputc('x', f);
	fputc('\n', f);
	assert_int_equal(fclose(f), 0);
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .tail = 10 });
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	log_merge_flush(w.merge);
	assert_int_equal(w.line[0].kind, LOG_GAP);
	assert_string_equal(w.line[0].text, "older lines not fetched");
	assert_int_equal(world_count(&w, LOG_LINE, "xxx"), 3);
	assert_int_equal(world_count(&w, LOG_LINE, "line 92"), 1);
}

static void on_ended(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
}

static void follow__ends_with_the_log__when_it_is_not_followed(void **state)
{
	atomic_bool ended;
	int64_t limit_ms = clock_mono_ms() + WORLD_LIMIT_MS;
	int s;

	(void)state;
	atomic_init(&ended, false);
	write_lines(3000);
	tmp_write(dir, "half", "");
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .ended = on_ended, .arg = &ended });
	while (!atomic_load(&ended) && clock_mono_ms() < limit_ms)
		world_pause(5);
	assert_true(atomic_load(&ended));
	assert_true(follow_has_ended(w.follower[s]));
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	log_merge_flush(w.merge);
	world_expect(&w, s, "line", 1, 3000);
}

static void follow__is_down_with_a_reason__until_the_file_is_there(void **state)
{
	struct log_source about;
	int s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });

	(void)state;
	world_wait_state(&w, s, LOG_SOURCE_DOWN);
	world_source(&w, s, &about);
	assert_int_equal(about.err.code, ERR_NOT_FOUND);
	write_lines(5);
	world_wait(&w, LOG_LINE, "line", 5);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	world_expect(&w, s, "line", 1, 5);
}

static void follow__goes_on_in_the_new_file__when_the_log_is_renamed(void **state)
{
	int s;

	(void)state;
	write_lines(100);
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "line", 100);
	for (int i = 0; i < 3; i++) {
		write_lines(70);
		assert_int_equal(rename(log_path, rotated_path), 0);
		write_lines(30);
		world_wait(&w, LOG_LINE, "line", (size_t)written);
	}
	world_expect(&w, s, "line", 1, written);
}

static void follow__neither_repeats_nor_stops__when_the_log_is_cut_to_nothing(void **state)
{
	char name[32];
	int s;

	(void)state;
	write_lines(1000);
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "line %ld", written);
		world_wait(&w, LOG_LINE, name, 1);
		assert_int_equal(truncate(log_path, 0), 0);
		write_lines(
			10 -
			3 * i); /* shorter than before: as long as before, nobody could see it */
	}
	snprintf(name, sizeof(name), "line %ld", written);
	world_wait(&w, LOG_LINE, name, 1);
	/* All had been read before each cut: none is missing, none comes twice. */
	world_expect(&w, s, "line", 1, written);
}

/* The children of this process that run sh. */
static size_t kill_scripts(void)
{
	char path[64], text[512];
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(proc);
	while ((entry = readdir(proc)) != NULL) {
		long pid = strtol(entry->d_name, NULL, 10);
		char *behind;
		FILE *f;
		size_t got;

		if (pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		got = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[got] = '\0';
		behind = strrchr(text, ')');
		/* "PID (sh) S PPID" */
		if (behind == NULL || strncmp(strchr(text, '('), "(sh)", 4) != 0 ||
		    strtol(behind + 4, NULL, 10) != (long)getpid())
			continue;
		if (kill((pid_t)-pid, SIGKILL) == 0 || kill((pid_t)pid, SIGKILL) == 0)
			n++;
	}
	closedir(proc);
	return n;
}

static void follow__loses_and_doubles_nothing__when_it_is_cut_again_and_again(void **state)
{
	unsigned seed = 4711;
	size_t cuts = 0;
	int s;

	(void)state;
	write_lines(500);
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "line 500", 1);
	for (int i = 0; i < 6; i++) {
		for (int k = rand_r(&seed) % 20; k >= 0; k--)
			write_lines(1 + rand_r(&seed) % 300);
		if (i % 3 == 1)
			assert_int_equal(rename(log_path, rotated_path), 0);
		world_wait_state(&w, s, LOG_SOURCE_LIVE);
		world_pause(rand_r(&seed) % 60);
		cuts += kill_scripts() > 0;
		write_lines(1 + rand_r(&seed) % 300);
		world_wait(&w, LOG_LINE, "line", (size_t)written);
	}
	world_expect(&w, s, "line", 1, written);
	assert_true(cuts > 0);
	world_wait(&w, LOG_NOTE, "resumed after", 1);
	assert_int_equal(world_count(&w, LOG_NOTE, ", 0 lines lost"),
			 world_count(&w, LOG_NOTE, "resumed after"));
	world_expect_no_gap(&w);
}

static void follow__takes_the_time_of_the_text__and_gives_it_to_what_has_none(void **state)
{
	int s;

	(void)state;
	tmp_write(dir, "app.log",
		  "2026-11-21T14:05:49.114Z ERROR upstream timeout\n"
		  "    at Pool.acquire (pool.js:88)\n"
		  "2026-11-21T14:05:50.000Z INFO fine\n");
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "fine", 1);
	assert_int_equal(w.line[0].utc_ns, INT64_C(1795269949114000000));
	assert_int_equal(w.line[1].utc_ns, w.line[0].utc_ns);
	assert_int_equal(w.line[0].level, LOG_LEVEL_ERROR);
	assert_true(w.line[1].continues);
	assert_int_equal(w.line[2].utc_ns, INT64_C(1795269950000000000));
	(void)s;
}

static void follow__leaves_out_what_is_older__than_since(void **state)
{
	int s;

	(void)state;
	tmp_write(dir, "app.log",
		  "2026-11-21T14:05:49Z line 1\n  trace 1\n"
		  "2026-11-21T14:05:50Z line 2\n  trace 2\n"
		  "2026-11-21T14:05:51Z line 3\n");
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .since_utc_ms = INT64_C(1795269950000) });
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	log_merge_flush(w.merge);
	assert_int_equal(world_count(&w, LOG_LINE, ""), 3);
	assert_int_equal(world_count(&w, LOG_LINE, "trace 1"), 0);
	assert_int_equal(w.line[0].kind, LOG_GAP);
}

static void follow__knows_since__by_the_clock_of_the_host(void **state)
{
	const int64_t hour_us = INT64_C(3600000000);
	int s;

	(void)state;
	/* It is an hour ahead of us: what it wrote at 15:05:50 was at 14:05:50. */
	host_set_clock(hosts_get(w.hosts, &world_local), 1000000, 1000000, 1000000 + hour_us);
	tmp_write(dir, "app.log",
		  "2026-11-21T15:05:49Z line 1\n"
		  "2026-11-21T15:05:50Z line 2\n"
		  "2026-11-21T15:05:51Z line 3\n");
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .since_utc_ms = INT64_C(1795269950000) });
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	log_merge_flush(w.merge);
	assert_int_equal(world_count(&w, LOG_LINE, ""), 2);
	assert_int_equal(world_count(&w, LOG_LINE, "line 1"), 0);
	assert_int_equal(w.line[0].kind, LOG_GAP);
	assert_int_equal(w.line[1].utc_ns, INT64_C(1795269950000000000));
}

static int setup_stored(void **state)
{
	setup(state);
	world_close(&w);
	world_open(&w, NULL, true);
	return 0;
}

static void follow__fetches_what_is_older__page_by_page(void **state)
{
	int s;

	(void)state;
	write_lines(5000);
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .follow = true, .tail = 100 });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	write_lines(50);
	while (world_stored(&w) < 150)
		world_pause(5);
	assert_int_equal(world_fetch_all(&w, s), 3);
	world_expect(&w, s, "line", 1, 5050);
	world_expect_no_gap(&w);
}

static void follow__says_that_they_are_gone__when_the_log_was_rotated(void **state)
{
	int s;

	(void)state;
	write_lines(5000);
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .follow = true, .tail = 100 });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	assert_int_equal(rename(log_path, rotated_path), 0);
	write_lines(50);
	while (world_stored(&w) < 150)
		world_pause(5);
	assert_int_equal(world_fetch_all(&w, s), 1);
	world_expect(&w, s, "line", 4901, 5050);
	assert_int_equal(world_count(&w, LOG_GAP, "older lines are gone"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			follow__gives_what_there_is_and_what_comes__of_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
			follow__says_that_older_lines_were_left_out__when_tail_cut_them, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			follow__says_that_older_lines_were_left_out__when_one_came_in_parts, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			follow__says_nothing_of_older_lines__when_there_are_as_many_as_asked_for,
			setup, teardown),
		cmocka_unit_test_setup_teardown(follow__ends_with_the_log__when_it_is_not_followed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			follow__is_down_with_a_reason__until_the_file_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(
			follow__goes_on_in_the_new_file__when_the_log_is_renamed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			follow__neither_repeats_nor_stops__when_the_log_is_cut_to_nothing, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			follow__loses_and_doubles_nothing__when_it_is_cut_again_and_again, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			follow__takes_the_time_of_the_text__and_gives_it_to_what_has_none, setup,
			teardown),
		cmocka_unit_test_setup_teardown(follow__knows_since__by_the_clock_of_the_host,
						setup, teardown),
		cmocka_unit_test_setup_teardown(follow__leaves_out_what_is_older__than_since, setup,
						teardown),
		cmocka_unit_test_setup_teardown(follow__fetches_what_is_older__page_by_page,
						setup_stored, teardown),
		cmocka_unit_test_setup_teardown(
			follow__says_that_they_are_gone__when_the_log_was_rotated, setup_stored,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
