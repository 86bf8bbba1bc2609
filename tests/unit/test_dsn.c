/* SPDX-License-Identifier: MIT */
#include "core/db/dsn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct err e;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static const char *path_of(const char *url)
{
	struct dsn dsn;

	if (dsn_parse(&arena, url, "/srv/shop", &dsn, &e) != 0)
		fail_msg("%s: %s", url, e.msg);
	assert_string_equal(dsn.engine, "sqlite");
	assert_string_equal(dsn.shown, arena_printf(&arena, "sqlite:%s", dsn.path));
	return dsn.path;
}

/* Refused as a mistake of the configuration, with word in msg or hint, and *out left alone. */
static void refused(const char *url, const char *word)
{
	struct dsn dsn = { .engine = "kept" };

	assert_int_equal(dsn_parse(&arena, url, "/srv/shop", &dsn, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	if (strstr(e.msg, word) == NULL && strstr(e.hint, word) == NULL)
		fail_msg("%s: no \"%s\" in: %s / %s", url, word, e.msg, e.hint);
	assert_string_not_equal(e.hint, "");
	assert_string_equal(dsn.engine, "kept");
}

static void sqlite__resolves_relative_paths__against_the_base(void **state)
{
	(void)state;
	assert_string_equal(path_of("sqlite:shop.db"), "/srv/shop/shop.db");
	assert_string_equal(path_of("sqlite:./data/shop.db"), "/srv/shop/data/shop.db");
	assert_string_equal(path_of("sqlite:../shop.db"), "/srv/shop/../shop.db");
}

static void sqlite__takes_absolute_paths__in_both_forms(void **state)
{
	(void)state;
	assert_string_equal(path_of("sqlite:/var/lib/shop.db"), "/var/lib/shop.db");
	assert_string_equal(path_of("sqlite:///var/lib/shop.db"), "/var/lib/shop.db");
}

static void sqlite__takes_bytes_as_they_are__in_names(void **state)
{
	(void)state;
	assert_string_equal(path_of("sqlite:my shop%20#1:a.db"), "/srv/shop/my shop%20#1:a.db");
	assert_string_equal(path_of("sqlite:\xC3\xBC.db"), "/srv/shop/\xC3\xBC.db");
}

static void sqlite__refuses__what_is_no_path(void **state)
{
	(void)state;
	refused("sqlite:", "path");
	refused("sqlite:  ", "path");
	refused("sqlite://", "sqlite:PATH");
	refused("sqlite:///", "folder");
	refused("sqlite:data/", "folder");
	refused("sqlite://host/shop.db", "host");
	refused("sqlite::memory:", "memory");
	refused("sqlite:shop.db?mode=ro", "?");
}

static void dsn__names_the_nearest__for_an_unknown_engine(void **state)
{
	(void)state;
	refused("sqlit:shop.db", "sqlite");
	refused("sqlite3:shop.db", "did you mean sqlite");
	refused("oracle:shop", "sqlite:PATH");
	refused("SQLite:shop.db", "sqlite");
}

static void dsn__refuses__a_text_without_an_engine(void **state)
{
	(void)state;
	refused("shop.db", "sqlite:PATH");
	refused("", "sqlite:PATH");
	refused(NULL, "sqlite:PATH");
	refused(":shop.db", "sqlite:PATH");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sqlite__resolves_relative_paths__against_the_base,
						setup, teardown),
		cmocka_unit_test_setup_teardown(sqlite__takes_absolute_paths__in_both_forms, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sqlite__takes_bytes_as_they_are__in_names, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sqlite__refuses__what_is_no_path, setup, teardown),
		cmocka_unit_test_setup_teardown(dsn__names_the_nearest__for_an_unknown_engine,
						setup, teardown),
		cmocka_unit_test_setup_teardown(dsn__refuses__a_text_without_an_engine, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
