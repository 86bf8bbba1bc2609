/* SPDX-License-Identifier: MIT */
#include "core/migrate/source.h"

#include "core/base/fs.h"
#include "tests/support/tmp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *dir;
static struct source *s;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	s = NULL;
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	source_free(s);
	s = NULL;
	tmp_remove(dir);
	return 0;
}

static void scan(void)
{
	struct source_spec spec = { .dir = dir, .engine = "sqlite" };

	source_free(s);
	s = NULL;
	if (source_scan(&spec, NULL, &s, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static int scan_fails(const char *layout)
{
	struct source_spec spec = { .dir = dir, .layout = layout };

	assert_int_equal(source_scan(&spec, NULL, &s, &e), -1);
	assert_null(s);
	assert_true(e.hint[0] != '\0');
	return (int)e.code;
}

/* The problem whose text holds word, which must be there once. */
static const struct source_problem *problem(bool error, const char *word)
{
	const struct source_problem *found = NULL;

	for (size_t i = 0; i < s->n_problem; i++) {
		const struct source_problem *p = &s->problem[i];

		if (strstr(p->msg, word) == NULL && strstr(p->path, word) == NULL)
			continue;
		assert_null(found);
		found = p;
	}
	if (found == NULL) {
		for (size_t i = 0; i < s->n_problem; i++)
			print_message("# %s: %s\n", s->problem[i].path, s->problem[i].msg);
		fail_msg("no problem about '%s' in %zu", word, s->n_problem);
	}
	assert_int_equal(found->error, error);
	assert_true(found->hint[0] != '\0');
	assert_true(found->path[0] != '\0');
	return found;
}

static void no_problems(void)
{
	for (size_t i = 0; i < s->n_problem; i++)
		print_message("# %s: %s\n", s->problem[i].path, s->problem[i].msg);
	assert_int_equal(s->n_problem_total, 0);
	assert_int_equal(s->n_error, 0);
}

/* ---- layouts ---- */

/* The same three migrations in each layout: 9 with a down, 10 without, 11 with an empty one. */
static void is_the_same_three(const char *layout)
{
	assert_string_equal(s->layout, layout);
	assert_int_equal(s->n, 3);
	assert_string_equal(s->list[0].id, "9");
	assert_string_equal(s->list[0].title, "add users");
	assert_int_equal(s->list[0].down, DOWN_SQL);
	assert_string_equal(s->list[1].id, "10");
	assert_int_equal(s->list[1].down, DOWN_NONE);
	assert_null(s->list[1].down_path);
	assert_string_equal(s->list[1].down_checksum, "");
	assert_string_equal(s->list[2].id, "011");
	assert_int_equal(s->list[2].down, DOWN_EMPTY);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(s->list[i].ns, "main");
		assert_true(fs_exists(s->list[i].up_path));
		assert_int_equal(strlen(s->list[i].checksum), 67);
		assert_ptr_equal(source_find(s, "main", s->list[i].id), &s->list[i]);
	}
	assert_null(source_find(s, "main", "009"));
	assert_null(source_find(s, "main", "12"));
	assert_null(source_find(s, "other", "9"));
	no_problems();
}

static void scripts_are(const char *up, const char *down)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	assert_int_equal(source_script(s, &s->list[0], false, &b, &e), 0);
	assert_string_equal(strbuf_str(&b), up);
	strbuf_reset(&b);
	assert_int_equal(source_script(s, &s->list[0], true, &b, &e), 0);
	assert_string_equal(strbuf_str(&b), down);
	assert_int_equal(source_script(s, &s->list[1], true, &b, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	strbuf_clear(&b);
}

static void scan__reads_up_and_down_folders(void **state)
{
	(void)state;
	tmp_write(dir, "up/9_add_users.sql", "CREATE TABLE u (a);\n");
	tmp_write(dir, "up/10_more.sql", "SELECT 1");
	tmp_write(dir, "up/011_empty_down.sql", "SELECT 1;");
	tmp_write(dir, "down/9_add_users.sql", "DROP TABLE u;\n");
	tmp_write(dir, "down/011_empty_down.sql", "-- nothing\n/* at all */\n");
	tmp_write(dir, "README.md", "not a migration");
	tmp_write(dir, "applied/staging.json", "{}");
	scan();
	is_the_same_three("up-down-folders");
	scripts_are("CREATE TABLE u (a);\n", "DROP TABLE u;\n");
}

static void scan__reads_suffixes(void **state)
{
	(void)state;
	tmp_write(dir, "9_add_users.up.sql", "CREATE TABLE u (a);\n");
	tmp_write(dir, "9_add_users.down.sql", "DROP TABLE u;\n");
	tmp_write(dir, "10_more.up.sql", "SELECT 1");
	tmp_write(dir, "011_x.up.sql", "SELECT 1;");
	tmp_write(dir, "011_x.down.sql", "");
	scan();
	is_the_same_three("suffix");
	scripts_are("CREATE TABLE u (a);\n", "DROP TABLE u;\n");
}

static void scan__pairs_suffixes__when_a_stem_lies_between(void **state)
{
	(void)state;
	tmp_write(dir, "9_x.up.sql", "SELECT 1");
	tmp_write(dir, "9_x.down.sql", "SELECT 2");
	tmp_write(dir, "8_x.extra.up.sql", "SELECT 3");
	tmp_write(dir, "9.1_x.extra.up.sql", "SELECT 3");
	scan();
	assert_int_equal(s->n, 3);
	no_problems();
}

static void scan__reads_folders(void **state)
{
	(void)state;
	tmp_write(dir, "9_add_users/up.sql", "CREATE TABLE u (a);\n");
	tmp_write(dir, "9_add_users/down.sql", "DROP TABLE u;\n");
	tmp_write(dir, "10_more/up.sql", "SELECT 1");
	tmp_write(dir, "011_x/up.sql", "SELECT 1;");
	tmp_write(dir, "011_x/down.sql", " \n\t-- later");
	tmp_write(dir, "docs/notes.txt", "x");
	scan();
	is_the_same_three("folders");
	scripts_are("CREATE TABLE u (a);\n", "DROP TABLE u;\n");
}

static void scan__reads_one_file_with_sections(void **state)
{
	(void)state;
	tmp_write(
		dir, "9_add_users.sql",
		"-- users\n\n-- migrate:up\nCREATE TABLE u (a);\n-- migrate:down\nDROP TABLE u;\n");
	tmp_write(dir, "10_more.sql", "-- migrate:up\nSELECT 1");
	tmp_write(dir, "011_x.sql", "--migrate:up \nSELECT 1;\n-- migrate:down");
	scan();
	is_the_same_three("one-file");
	scripts_are("CREATE TABLE u (a);\n", "DROP TABLE u;\n");
	assert_string_equal(s->list[0].down_path, s->list[0].up_path);
}

static void scan__uses_the_engines_folder__when_there_is_nothing_else(void **state)
{
	(void)state;
	tmp_write(dir, "sqlite/up/1_a.sql", "SELECT 1");
	tmp_write(dir, "mysql/up/1_a.sql", "SELECT 2");
	tmp_write(dir, "mysql/up/2_a.sql", "SELECT 2");
	scan();
	assert_int_equal(s->n, 1);
	assert_non_null(strstr(s->list[0].up_path, "/sqlite/up/1_a.sql"));
}

static void scan__takes_the_larger_layout__and_names_the_rest(void **state)
{
	(void)state;
	tmp_write(dir, "1_a.up.sql", "SELECT 1");
	tmp_write(dir, "2_a.up.sql", "SELECT 1");
	tmp_write(dir, "2_a.down.sql", "SELECT 1");
	tmp_write(dir, "3_a.sql", "-- migrate:up\nSELECT 1");
	tmp_write(dir, "4_a/up.sql", "SELECT 1");
	tmp_write(dir, "up/5_a.sql", "SELECT 1");
	tmp_write(dir, "seed.sql", "SELECT 1");
	tmp_write(dir, "6_A.SQL", "SELECT 1");
	scan();
	assert_string_equal(s->layout, "suffix");
	assert_int_equal(s->n, 2);
	assert_int_equal(s->n_error, 0);
	assert_int_equal(s->n_problem, 5);
	problem(false, "3_a.sql");
	problem(false, "4_a");
	problem(false, "1 files in up/");
	problem(false, "seed.sql");
	problem(false, "6_A.SQL");
}

static void scan__is_empty__for_an_empty_up_folder(void **state)
{
	char *up = tmp_path(dir, "up");

	(void)state;
	assert_int_equal(mkdir(up, 0700), 0);
	scan();
	assert_int_equal(s->n, 0);
	assert_string_equal(s->layout, "up-down-folders");
	no_problems();
	free(up);
}

static void scan__fails__without_a_folder_or_migrations(void **state)
{
	struct source_spec spec = { .dir = "/nonexistent/folder" };

	(void)state;
	assert_int_equal(scan_fails(NULL), ERR_NOT_FOUND);
	tmp_write(dir, "schema.sql", "SELECT 1");
	assert_int_equal(scan_fails(NULL), ERR_NOT_FOUND);
	assert_int_equal(source_scan(&spec, NULL, &s, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.sys, "ENOENT");
	tmp_write(dir, "1_a.sql", "-- migrate:up\nSELECT 1");
	assert_int_equal(scan_fails("one-fil"), ERR_CONFIG);
	assert_non_null(strstr(e.hint, "one-file"));
}

/* ---- order, text ---- */

static void scan__orders_mixed_styles__by_number(void **state)
{
	(void)state;
	tmp_write(dir, "up/2017-09-23-182408_b.sql", "SELECT 1");
	tmp_write(dir, "up/20170804200817_a.sql", "SELECT 1");
	tmp_write(dir, "up/20171104200817_c.sql", "SELECT 1");
	tmp_write(dir, "up/9 with blanks.sql", "SELECT 1");
	tmp_write(dir, "up/010_größe.sql", "SELECT 1");
	scan();
	assert_int_equal(s->n, 5);
	assert_string_equal(s->list[0].title, "with blanks");
	assert_string_equal(s->list[1].title, "größe");
	assert_string_equal(s->list[2].title, "a");
	assert_string_equal(s->list[3].id, "2017-09-23-182408");
	assert_string_equal(s->list[4].title, "c");
	no_problems();
}

static void scan__hashes_the_normalised_text(void **state)
{
	char first[CHECKSUM_SIZE];

	(void)state;
	tmp_write(dir, "up/1_a.sql", "SELECT 1;\nSELECT 2;\n");
	scan();
	memcpy(first, s->list[0].checksum, sizeof(first));
	tmp_write(dir, "up/1_a.sql", "\xEF\xBB\xBFSELECT 1;\r\nSELECT 2;\r\n");
	scan();
	assert_string_equal(s->list[0].checksum, first);
	tmp_write(dir, "up/1_a.sql", "SELECT 1;\nSELECT 2; \n");
	scan();
	assert_string_not_equal(s->list[0].checksum, first);
}

static void scan__reads_directives(void **state)
{
	(void)state;
	tmp_write(dir, "up/1_a.sql", "-- version: 1.8.0\n-- transaction: no\nVACUUM;\n");
	tmp_write(dir, "up/2_b.sql", "SELECT 1; -- transaction: no\n");
	scan();
	assert_string_equal(s->list[0].version, "1.8.0");
	assert_true(s->list[0].no_transaction);
	assert_null(s->list[1].version);
	assert_false(s->list[1].no_transaction);
	no_problems();
}

static void scan__refuses_directives_it_does_not_act_on(void **state)
{
	(void)state;
	tmp_write(dir, "up/1_a.sql", "-- lock_timeout: 5s\nSELECT 1;\n");
	scan();
	assert_int_equal(s->n_error, 1);
	problem(true, "lock_timeout");
}

static void script__is_refused__when_the_file_changed_since(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	tmp_write(dir, "up/1_a.sql", "SELECT 1;\n");
	scan();
	tmp_write(dir, "up/1_a.sql", "SELECT 2;\n");
	assert_int_equal(source_script(s, &s->list[0], false, &b, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(b.len, 0);
	strbuf_clear(&b);
}

/* ---- bad input ---- */

/* Two good migrations, so that every test sees that a bad one hides neither. */
static void write_good(void)
{
	tmp_write(dir, "up/1_a.sql", "SELECT 1;\n");
	tmp_write(dir, "down/1_a.sql", "SELECT 1;\n");
	tmp_write(dir, "up/9_z.sql", "SELECT 1;\n");
}

static void good_ones_are_there(void)
{
	assert_non_null(source_find(s, "main", "1"));
	assert_non_null(source_find(s, "main", "9"));
	assert_int_equal(strlen(source_find(s, "main", "9")->checksum), 67);
}

static void scan__reports__two_files_with_one_number(void **state)
{
	(void)state;
	write_good();
	tmp_write(dir, "up/009_other.sql", "SELECT 1;\n");
	tmp_write(dir, "up/1_b.sql", "SELECT 1;\n");
	scan();
	assert_int_equal(s->n_error, 2);
	assert_non_null(strstr(problem(true, "up/9_z.sql")->msg, "up/009_other.sql"));
	assert_non_null(strstr(problem(true, "up/1_b.sql")->msg, "up/1_a.sql"));
	good_ones_are_there();
	/* 9 and 009 are two ids; 1 and 1 are one. */
	assert_int_equal(s->n, 3);
}

static void scan__reports__a_down_without_an_up(void **state)
{
	(void)state;
	write_good();
	tmp_write(dir, "down/9_zz.sql", "SELECT 1;\n");
	tmp_write(dir, "down/0_first.sql", "SELECT 1;\n");
	scan();
	assert_int_equal(s->n_error, 2);
	assert_non_null(strstr(problem(true, "9_zz.sql")->hint, "down/9_z.sql"));
	problem(true, "0_first.sql");
	good_ones_are_there();
}

static void scan__reports__a_down_without_an_up__in_the_other_layouts(void **state)
{
	(void)state;
	tmp_write(dir, "1_a.up.sql", "SELECT 1");
	tmp_write(dir, "2_a.down.sql", "SELECT 1");
	scan();
	assert_int_equal(s->n_error, 1);
	problem(true, "2_a.down.sql");
	tmp_remove(dir);
	dir = tmp_make();
	tmp_write(dir, "1_a/up.sql", "SELECT 1");
	tmp_write(dir, "2_a/down.sql", "SELECT 1");
	tmp_write(dir, "3_a/readme", "x");
	scan();
	assert_int_equal(s->n_error, 2);
	problem(true, "2_a");
	problem(true, "3_a");
	tmp_remove(dir);
	dir = tmp_make();
	tmp_write(dir, "1_a.sql", "-- migrate:up\nSELECT 1");
	tmp_write(dir, "2_a.sql", "-- migrate:down\nSELECT 1");
	scan();
	assert_int_equal(s->n_error, 1);
	assert_non_null(strstr(problem(true, "2_a.sql")->msg, "a down without an up"));
}

static void scan__reports__names_that_are_not_utf8(void **state)
{
	(void)state;
	write_good();
	tmp_write(dir, "up/3_\xff\x1b[31m.sql", "SELECT 1;\n");
	scan();
	assert_int_equal(s->n_error, 1);
	assert_non_null(strstr(problem(true, "UTF-8")->path, "3_\\xFF\\x1b[31m.sql"));
	good_ones_are_there();
}

static void scan__reports__loops_of_links(void **state)
{
	char *loop = tmp_path(dir, "up/3_loop.sql"), *self = tmp_path(dir, "up/4_self.sql");
	char *up = tmp_path(dir, "up/back");

	(void)state;
	write_good();
	assert_int_equal(symlink("..", loop), 0);
	assert_int_equal(symlink("4_self.sql", self), 0);
	assert_int_equal(symlink("../up", up), 0);
	scan();
	assert_int_equal(s->n_error, 3);
	problem(true, "3_loop.sql");
	problem(true, "4_self.sql");
	problem(true, "up/back");
	good_ones_are_there();
	free(loop);
	free(self);
	free(up);
}

static void scan__reports__an_up_folder_that_leads_back(void **state)
{
	char *up = tmp_path(dir, "up");

	(void)state;
	tmp_write(dir, "1_a.up.sql", "SELECT 1");
	assert_int_equal(symlink(".", up), 0);
	scan();
	assert_int_equal(s->n_error, 1);
	problem(true, "loop");
	assert_int_equal(s->n, 1);
	free(up);
}

static void scan__follows_links__to_files_and_folders(void **state)
{
	char *file = tmp_path(dir, "up/1_a.sql"), *down = tmp_path(dir, "down");

	(void)state;
	tmp_write(dir, "real/a.sql", "SELECT 1;\n");
	tmp_write(dir, "realdown/1_a.sql", "SELECT 2;\n");
	tmp_write(dir, "up/2_b.sql", "SELECT 1;\n");
	assert_int_equal(symlink("../real/a.sql", file), 0);
	assert_int_equal(symlink("realdown", down), 0);
	scan();
	no_problems();
	assert_int_equal(s->n, 2);
	assert_int_equal(s->list[0].down, DOWN_SQL);
	free(file);
	free(down);
}

static void scan__reports__what_is_no_file(void **state)
{
	char *folder = tmp_path(dir, "up/3_folder.sql"), *fifo = tmp_path(dir, "up/4_fifo.sql");
	char *dangling = tmp_path(dir, "up/5_dangling.sql");

	(void)state;
	write_good();
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink("nowhere", dangling), 0);
	scan();
	assert_int_equal(s->n_error, 3);
	problem(true, "3_folder.sql");
	problem(true, "4_fifo.sql");
	problem(true, "5_dangling.sql");
	good_ones_are_there();
	/* A file that could not be read has no checksum, so nothing can call it changed. */
	assert_string_equal(source_find(s, "main", "4")->checksum, "");
	free(folder);
	free(fifo);
	free(dangling);
}

/* A file that opens and cannot be read, for root too: reading address 0 of this process. */
static void scan__reports__files_that_cannot_be_read(void **state)
{
	char *path = tmp_path(dir, "up/3_broken.sql");

	(void)state;
	write_good();
	assert_int_equal(symlink("/proc/self/mem", path), 0);
	scan();
	assert_int_equal(s->n_error, 1);
	problem(true, "3_broken.sql");
	good_ones_are_there();
	if (geteuid() != 0) {
		assert_int_equal(unlink(path), 0);
		tmp_write(dir, "up/3_broken.sql", "SELECT 1;\n");
		assert_int_equal(chmod(path, 0), 0);
		scan();
		assert_int_equal(s->n_error, 1);
		assert_non_null(strstr(problem(true, "3_broken.sql")->msg, "ermission"));
		good_ones_are_there();
	}
	free(path);
}

static void scan__reports__nul_bytes(void **state)
{
	(void)state;
	write_good();
	tmp_write_bytes(dir, "up/3_nul.sql", "SELECT\0 1;", 10);
	tmp_write_bytes(dir, "up/4_nul.sql", "\0\0\0\0\0\0\0\0", 8);
	scan();
	assert_int_equal(s->n_error, 2);
	assert_non_null(strstr(problem(true, "3_nul.sql")->msg, "NUL byte at offset 6"));
	problem(true, "4_nul.sql");
	good_ones_are_there();
}

static void make_sparse(const char *name, int64_t bytes)
{
	char *path = tmp_path(dir, name);
	int fd;

	tmp_write(dir, name, "");
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	close(fd);
	free(path);
}

static void scan__refuses_a_large_file__without_reading_it(void **state)
{
	struct rusage before, after;

	(void)state;
	write_good();
	make_sparse("up/3_huge.sql", (int64_t)1 << 30);
	make_sparse("up/4_over.sql", (int64_t)SOURCE_FILE_MAX + 1);
	getrusage(RUSAGE_SELF, &before);
	scan();
	getrusage(RUSAGE_SELF, &after);
	assert_int_equal(s->n_error, 2);
	assert_non_null(strstr(problem(true, "3_huge.sql")->hint, "64 MiB"));
	problem(true, "4_over.sql");
	good_ones_are_there();
	assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024); /* KiB */
}

static void scan__lists_errors__before_a_flood_of_warnings(void **state)
{
	(void)state;
	write_good();
	for (int i = 0; i < SOURCE_PROBLEMS_MAX + 20; i++) {
		char name[40];

		snprintf(name, sizeof(name), "up/stray%d.sql", i);
		tmp_write(dir, name, "SELECT 1");
	}
	tmp_write_bytes(dir, "up/3_nul.sql", "\0", 1);
	scan();
	assert_int_equal(s->n_problem, SOURCE_PROBLEMS_MAX);
	assert_int_equal(s->n_problem_total, SOURCE_PROBLEMS_MAX + 21);
	assert_int_equal(s->n_error, 1);
	assert_true(s->problem[0].error);
}

static void scan__reports_sections__that_cannot_be_told_apart(void **state)
{
	(void)state;
	tmp_write(dir, "1_a.sql", "-- migrate:up\nSELECT 1");
	tmp_write(dir, "2_none.sql", "SELECT 1");
	tmp_write(dir, "3_two.sql", "-- migrate:up\nSELECT 1;\n-- migrate:up\nSELECT 2;");
	tmp_write(dir, "4_order.sql", "-- migrate:down\nSELECT 1;\n-- migrate:up\nSELECT 2;");
	tmp_write(dir, "5_above.sql", "SELECT 1;\n-- migrate:up\nSELECT 2;");
	tmp_write(dir, "6_word.sql", "-- migrate:upwards\nSELECT 2;");
	scan();
	assert_int_equal(s->n_error, 5);
	problem(true, "2_none.sql");
	assert_non_null(strstr(problem(true, "3_two.sql")->msg, "1 and 3"));
	problem(true, "4_order.sql");
	problem(true, "5_above.sql");
	problem(true, "6_word.sql");
}

static void scan__warns__of_an_up_without_a_statement(void **state)
{
	(void)state;
	write_good();
	tmp_write(dir, "up/3_nothing.sql", "-- later\n");
	scan();
	assert_int_equal(s->n_error, 0);
	problem(false, "3_nothing.sql");
}

static void scan__ends__when_cancelled(void **state)
{
	struct source_spec spec = { .dir = dir };
	struct cancel c;

	(void)state;
	write_good();
	assert_int_equal(cancel_init(&c, &e), 0);
	cancel_fire(&c);
	assert_int_equal(source_scan(&spec, &c, &s, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	cancel_clear(&c);
}

/* Enough files for the second thread: everything still in its place. */
static void scan__is_complete__with_two_threads(void **state)
{
	(void)state;
	for (int i = 1; i <= 1500; i++) {
		char name[40], text[80];

		snprintf(name, sizeof(name), "up/%04d_m.sql", i);
		snprintf(text, sizeof(text), "-- version: 1.%d.0\nSELECT %d;\n", i, i);
		if (i % 100 == 0)
			tmp_write_bytes(dir, name, "\0", 1);
		else
			tmp_write(dir, name, text);
	}
	scan();
	assert_int_equal(s->n, 1500);
	assert_int_equal(s->n_error, 15);
	for (int i = 1; i <= 1500; i++) {
		char version[20];

		snprintf(version, sizeof(version), "1.%d.0", i);
		if (i % 100 != 0)
			assert_string_equal(s->list[i - 1].version, version);
		assert_int_equal(strlen(s->list[i - 1].checksum), i % 100 != 0 ? 67 : 0);
	}
	for (size_t i = 1; i < s->n_problem; i++)
		assert_true(strcmp(s->problem[i - 1].path, s->problem[i].path) < 0);
}

/* ---- new ---- */

static void makes(const char *title, const char *up_end, const char *down_end)
{
	struct source_spec spec = { .dir = dir };
	char *up = NULL, *down = NULL;

	if (source_new(&spec, title, &up, &down, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_string_equal(up + strlen(dir) + 1, up_end);
	assert_string_equal(down + strlen(dir) + 1, down_end);
	assert_true(fs_exists(up));
	assert_true(fs_exists(down));
	mem_free(up);
	mem_free(down);
}

static void new__counts_on__in_the_layout_that_is_there(void **state)
{
	(void)state;
	makes("Add users", "up/001_add_users.sql", "down/001_add_users.sql");
	makes("more/../than 'that'", "up/002_more_.._than__that_.sql",
	      "down/002_more_.._than__that_.sql");
	scan();
	assert_int_equal(s->n, 2);
	assert_int_equal(s->n_error, 0);
	tmp_remove(dir);
	dir = tmp_make();
	tmp_write(dir, "0099_a.up.sql", "SELECT 1");
	makes("b", "0100_b.up.sql", "0100_b.down.sql");
	tmp_remove(dir);
	dir = tmp_make();
	tmp_write(dir, "9_a/up.sql", "SELECT 1");
	makes("b", "010_b/up.sql", "010_b/down.sql");
	tmp_remove(dir);
	dir = tmp_make();
	tmp_write(dir, "999_a.sql", "-- migrate:up\nSELECT 1");
	makes("b", "1000_b.sql", "1000_b.sql");
	scan();
	assert_int_equal(s->n, 2);
	assert_int_equal(s->n_error, 0);
}

static void new__uses_a_stamp__after_stamps(void **state)
{
	struct source_spec spec = { .dir = dir };
	char *up = NULL, *down = NULL;

	(void)state;
	tmp_write(dir, "up/2017-09-23-182408_a.sql", "SELECT 1");
	assert_int_equal(source_new(&spec, "b", &up, &down, &e), 0);
	assert_int_equal(strlen(up), strlen(dir) + strlen("/up/2017-09-23-182408_b.sql"));
	assert_true(strcmp(up + strlen(dir) + 4, "2017-09-23-182408_a.sql") > 0);
	mem_free(up);
	mem_free(down);
}

static void new__refuses__a_bad_title(void **state)
{
	struct source_spec spec = { .dir = dir };
	char *up = NULL, *down = NULL;
	char longest[300];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[299] = '\0';
	assert_int_equal(source_new(&spec, " ", &up, &down, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_int_equal(source_new(&spec, "\xff", &up, &down, &e), -1);
	assert_int_equal(source_new(&spec, longest, &up, &down, &e), -1);
	spec.layout = "liquibase";
	assert_int_equal(source_new(&spec, "a", &up, &down, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_null(up);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(scan__reads_up_and_down_folders),
		T(scan__reads_suffixes),
		T(scan__pairs_suffixes__when_a_stem_lies_between),
		T(scan__reads_folders),
		T(scan__reads_one_file_with_sections),
		T(scan__uses_the_engines_folder__when_there_is_nothing_else),
		T(scan__takes_the_larger_layout__and_names_the_rest),
		T(scan__is_empty__for_an_empty_up_folder),
		T(scan__fails__without_a_folder_or_migrations),
		T(scan__orders_mixed_styles__by_number),
		T(scan__hashes_the_normalised_text),
		T(scan__reads_directives),
		T(scan__refuses_directives_it_does_not_act_on),
		T(script__is_refused__when_the_file_changed_since),
		T(scan__reports__two_files_with_one_number),
		T(scan__reports__a_down_without_an_up),
		T(scan__reports__a_down_without_an_up__in_the_other_layouts),
		T(scan__reports__names_that_are_not_utf8),
		T(scan__reports__loops_of_links),
		T(scan__reports__an_up_folder_that_leads_back),
		T(scan__follows_links__to_files_and_folders),
		T(scan__reports__what_is_no_file),
		T(scan__reports__files_that_cannot_be_read),
		T(scan__reports__nul_bytes),
		T(scan__refuses_a_large_file__without_reading_it),
		T(scan__lists_errors__before_a_flood_of_warnings),
		T(scan__reports_sections__that_cannot_be_told_apart),
		T(scan__warns__of_an_up_without_a_statement),
		T(scan__ends__when_cancelled),
		T(scan__is_complete__with_two_threads),
		T(new__counts_on__in_the_layout_that_is_there),
		T(new__uses_a_stamp__after_stamps),
		T(new__refuses__a_bad_title),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
