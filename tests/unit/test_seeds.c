/* SPDX-License-Identifier: MIT */
#include "core/release/seeds.h"

#include "core/base/fs.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static struct seeds *s;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	s = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	seeds_free(s);
	tmp_remove(dir);
	return 0;
}

static void put(const char *name, const char *text)
{
	char *path = path_join(dir, name), *folder = path_dir(path);

	assert_int_equal(fs_mkdirs(folder, 0700, &e), 0);
	assert_int_equal(fs_replace(path, text, strlen(text), 0600, &e), 0);
	mem_free(folder);
	mem_free(path);
}

static void folder__that_is_missing__has_none(void **state)
{
	char *none = path_join(dir, "none");

	(void)state;
	assert_int_equal(seeds_read(none, "dev", &s, &e), 0);
	assert_int_equal(s->n, 0);
	seeds_free(s);
	assert_int_equal(seeds_read(NULL, "dev", &s, &e), 0);
	assert_int_equal(s->n, 0);
	mem_free(none);
}

static void seed__that_cannot_be_read__is_named(void **state)
{
	(void)state;
	put("020_bad.sql", "\xff\xfe");
	assert_int_equal(seeds_read(dir, "dev", &s, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_non_null(strstr(e.msg, "020_bad.sql"));
	put("020_bad.sql", "-- transaction: perhaps\nSELECT 1;\n");
	assert_int_equal(seeds_read(dir, "dev", &s, &e), -1);
	assert_non_null(strstr(e.msg, "020_bad.sql"));
}

static void seeds__are_ordered_by_name__with_those_of_the_environment(void **state)
{
	(void)state;
	put("010_b.sql", "SELECT 1;\n");
	put("dev/010_b.sql", "SELECT 2;\n");
	put("dev/005_a.sql", "-- transaction: no\nSELECT 2;\n");
	put("other/001.sql", "SELECT 3;\n");
	put("notes.txt", "no seed");
	put(".hidden.sql", "no seed");
	put("folder.sql/x.sql", "no seed");
	assert_int_equal(seeds_read(dir, "dev", &s, &e), 0);
	assert_int_equal(s->n, 3);
	assert_string_equal(s->list[0].id, "dev/005_a.sql");
	assert_true(s->list[0].no_transaction);
	assert_string_equal(s->list[1].id, "010_b.sql");
	assert_string_equal(s->list[2].id, "dev/010_b.sql");
	assert_ptr_equal(seeds_find(s, "005_a"), &s->list[0]);
	assert_ptr_equal(seeds_find(s, "dev/010_b.sql"), &s->list[2]);
	assert_ptr_equal(seeds_find(s, "010_b"), &s->list[1]);
	assert_null(seeds_find(s, "010"));
	assert_null(seeds_find(s, ""));
}

static void checksum__does_not_see__ends_of_lines(void **state)
{
	char before[CHECKSUM_SIZE];

	(void)state;
	put("1.sql", "SELECT 1;\nSELECT 2;\n");
	assert_int_equal(seeds_read(dir, "dev", &s, &e), 0);
	memcpy(before, s->list[0].checksum, sizeof(before));
	seeds_free(s);
	put("1.sql", "\xEF\xBB\xBFSELECT 1;\r\nSELECT 2;\r\n");
	assert_int_equal(seeds_read(dir, "dev", &s, &e), 0);
	assert_string_equal(s->list[0].checksum, before);
	seeds_free(s);
	put("1.sql", "");
	assert_int_equal(seeds_read(dir, "dev", &s, &e), 0);
	assert_string_not_equal(s->list[0].checksum, before);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(folder__that_is_missing__has_none),
		CASE(seed__that_cannot_be_read__is_named),
		CASE(seeds__are_ordered_by_name__with_those_of_the_environment),
		CASE(checksum__does_not_see__ends_of_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
