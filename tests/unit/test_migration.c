/* SPDX-License-Identifier: MIT */
#include "core/migrate/migration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena a;
static struct err e;

static int setup(void **state)
{
	(void)state;
	arena_init(&a);
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_clear(&a);
	return 0;
}

struct name_case {
	const char *stem, *id, *title; /* id NULL: no version */
};

static void name__splits_id_and_title__for_every_style(void **state)
{
	static const struct name_case cases[] = {
		{ "009_add_users", "009", "add users" },
		{ "9-add-users", "9", "add-users" },
		{ "001 with spaces", "001", "with spaces" },
		{ "20170804200817_x", "20170804200817", "x" },
		{ "2017-09-23-182408_create", "2017-09-23-182408", "create" },
		{ "1.10_x", "1.10", "x" },
		{ "1_2__name", "1_2", "name" },
		{ "009_2024_report", "009", "2024 report" },
		{ "009-2fa_tables", "009", "2fa tables" },
		{ "012_größe", "012", "größe" },
		{ "007", "007", "" },
		{ "12__double", "12", "double" },
		{ "add_users", NULL, NULL },
		{ "", NULL, NULL },
		{ "_1_x", NULL, NULL },
		{ "2fa", NULL, NULL },
		{ "V1_2__name", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct name_case *c = &cases[i];
		const char *id = NULL, *title = NULL, *key = NULL;
		bool ok = migration_name(&a, sv_of(c->stem), &id, &title, &key);

		assert_int_equal(ok, c->id != NULL);
		if (!ok)
			continue;
		assert_string_equal(id, c->id);
		assert_string_equal(title, c->title);
		assert_string_equal(key, migration_sort_key(&a, sv_of(c->id)));
	}
}

static int key_cmp(const char *x, const char *y)
{
	int d = strcmp(migration_sort_key(&a, sv_of(x)), migration_sort_key(&a, sv_of(y)));

	return d < 0 ? -1 : d > 0;
}

static void sort_key__orders_as_numbers__part_by_part(void **state)
{
	(void)state;
	assert_int_equal(key_cmp("9", "10"), -1);
	assert_int_equal(key_cmp("009", "9"), 0);
	assert_int_equal(key_cmp("0", "00"), 0);
	assert_int_equal(key_cmp("0", "1"), -1);
	assert_int_equal(key_cmp("1.9", "1.10"), -1);
	assert_int_equal(key_cmp("1", "1.0"), -1);
	assert_int_equal(key_cmp("1.10", "2"), -1);
	assert_int_equal(key_cmp("1_2", "1.2"), 0);
	assert_int_equal(key_cmp("2017-09-23-182408", "20170923182408"), 0);
	assert_int_equal(key_cmp("20170804200817", "2017-09-23-182408"), -1);
	assert_string_equal(migration_sort_key(&a, SV("abc")), "");
}

static void sort_key__does_not_overflow__for_numbers_of_any_length(void **state)
{
	char x[256], y[256];

	(void)state;
	memset(x, '9', 255);
	x[255] = '\0';
	memcpy(y, x, sizeof(y));
	y[254] = '8';
	assert_int_equal(key_cmp(y, x), -1);
	y[254] = '\0';
	assert_int_equal(key_cmp(y, x), -1);
	assert_int_equal(key_cmp("18446744073709551616", "18446744073709551615"), 1);
}

static void version_cmp__compares_numbers__whatever_surrounds_them(void **state)
{
	(void)state;
	assert_true(version_cmp("1.8.0", "1.009.0") < 0);
	assert_true(version_cmp("1.10.0", "1.9.9") > 0);
	assert_int_equal(version_cmp("1.8", "1.8.0"), 0);
	assert_int_equal(version_cmp("v1.8.0", "1.8.0"), 0);
	assert_true(version_cmp("", "0.1") < 0);
	assert_true(version_cmp("abc", "abd") < 0);
	assert_int_equal(version_cmp("abc", "abc"), 0);
}

static void normalise_is(const char *in, size_t n, const char *want)
{
	char *text = malloc(n + 1);
	size_t got;

	memcpy(text, in, n);
	got = migration_normalise(text, n);
	assert_int_equal(got, strlen(want));
	assert_memory_equal(text, want, got);
	free(text);
}

static void normalise__turns_crlf_to_lf_and_drops_a_bom__only_at_the_start(void **state)
{
	(void)state;
	normalise_is("a\r\nb\r\n", 6, "a\nb\n");
	normalise_is("\xEF\xBB\xBF"
		     "a\n",
		     5, "a\n");
	normalise_is("\xEF\xBB\xBF", 3, "");
	normalise_is("a\xEF\xBB\xBF"
		     "b",
		     5,
		     "a\xEF\xBB\xBF"
		     "b");
	normalise_is("a\rb", 3, "a\rb");
	normalise_is("a\r\r\nb", 5, "a\r\nb");
	normalise_is("\r\n", 2, "\n");
	normalise_is("a\r", 2, "a\r");
	normalise_is("", 0, "");
	normalise_is("\xEF\xBB\xBF\r\nx\r", 7, "\nx\r");
}

static void checksum__is_sha256_with_its_scheme(void **state)
{
	struct digest *d = digest_new();
	char sum[CHECKSUM_SIZE];

	(void)state;
	migration_checksum(d, SV("abc"), sum);
	assert_string_equal(sum,
			    "s1:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	/* The digest is used again. */
	migration_checksum(d, SV(""), sum);
	assert_string_equal(sum,
			    "s1:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_free(d);
}

static void directives__are_read__from_leading_comments_only(void **state)
{
	struct migration_directives d;

	(void)state;
	assert_int_equal(migration_directives(SV("-- add users: all of them\n\n--transaction: no\n"
						 "-- version: 1.8.0\nSELECT 1;\n"),
					      &d, &e),
			 0);
	assert_true(d.no_transaction);
	assert_true(sv_eq_str(d.version, "1.8.0"));
	assert_int_equal(migration_directives(SV("SELECT 1;\n-- transaction: no\n"), &d, &e), 0);
	assert_false(d.no_transaction);
	assert_int_equal(d.version.n, 0);
	assert_int_equal(migration_directives(SV("-- Transaction: NO"), &d, &e), 0);
	assert_true(d.no_transaction);
	assert_int_equal(
		migration_directives(SV("-- migrate:up transaction:false\nVACUUM"), &d, &e), 0);
	assert_true(d.no_transaction);
	assert_int_equal(migration_directives(SV("-- transaction: yes\n"), &d, &e), 0);
	assert_false(d.no_transaction);
	assert_int_equal(migration_directives(SV(""), &d, &e), 0);
}

static void directives__are_refused__when_not_acted_on(void **state)
{
	static const char *const bad[] = {
		"-- a\n-- lock_timeout: 5s\n",   "-- a\n-- allow: drop-table old\n",
		"-- a\n-- transaction: maybe\n", "-- a\n-- version: next\n",
		"-- a\n-- version: 1.8 beta\n",  "-- a\n-- version:\n",
	};
	struct migration_directives d = { .no_transaction = true };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(migration_directives(sv_of(bad[i]), &d, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_non_null(strstr(e.msg, "line 2"));
		assert_true(e.hint[0] != '\0');
		assert_true(d.no_transaction); /* outputs untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name__splits_id_and_title__for_every_style),
		cmocka_unit_test(sort_key__orders_as_numbers__part_by_part),
		cmocka_unit_test(sort_key__does_not_overflow__for_numbers_of_any_length),
		cmocka_unit_test(version_cmp__compares_numbers__whatever_surrounds_them),
		cmocka_unit_test(normalise__turns_crlf_to_lf_and_drops_a_bom__only_at_the_start),
		cmocka_unit_test(checksum__is_sha256_with_its_scheme),
		cmocka_unit_test(directives__are_read__from_leading_comments_only),
		cmocka_unit_test(directives__are_refused__when_not_acted_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("migration", tests, setup, teardown);
}
