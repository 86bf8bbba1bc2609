/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/library.h"

struct table {
	size_t (*length)(const char *);
	int (*other)(void);
};

static const struct library_symbol symbols[] = {
	{ "strlen", offsetof(struct table, length) },
	{ "no_such_function_of_anybody", offsetof(struct table, other) },
};

static void load__fails__for_a_missing_library(void **state)
{
	static const char *const files[] = { "libnobodyhasthis.so.9", "libnorthis.so", NULL };
	const struct library lib = { "libnone", "install: none", files, symbols, 1 };
	struct table t = { NULL, NULL };
	struct err e;

	(void)state;
	assert_int_equal(library_load(&lib, &t, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_string_equal(e.msg, "cannot load libnone");
	assert_non_null(strstr(e.detail, "libn"));
	assert_string_equal(e.hint, "install: none");
	assert_null(t.length);
}

static void load__names__the_missing_symbol(void **state)
{
	static const char *const files[] = { "libc.so.6", NULL };
	const struct library lib = { "libc", "install: libc", files, symbols, 2 };
	struct table t = { NULL, NULL };
	struct err e;

	(void)state;
	assert_int_equal(library_load(&lib, &t, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.detail, "no_such_function_of_anybody"));
}

static void load__fills__the_table(void **state)
{
	static const char *const files[] = { "libnobodyhasthis.so.9", "libc.so.6", NULL };
	const struct library lib = { "libc", "install: libc", files, symbols, 1 };
	struct err e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct table t = { NULL, NULL };

		assert_int_equal(library_load(&lib, &t, &e), 0);
		assert_int_equal(t.length("four"), 4);
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(load__fails__for_a_missing_library),
		cmocka_unit_test(load__names__the_missing_symbol),
		cmocka_unit_test(load__fills__the_table),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
