/* SPDX-License-Identifier: MIT */
#include "core/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void err_set__clears_other_parts__when_used_again(void **state)
{
	struct err e;

	(void)state;
	err_sys(&e, ENOSPC, "cannot write %s", "a");
	err_hint(&e, "free some space");
	assert_int_equal(err_set(&e, ERR_GATE, "refused %d", 3), -1);
	assert_int_equal(e.code, ERR_GATE);
	assert_string_equal(e.msg, "refused 3");
	assert_string_equal(e.sys, "");
	assert_string_equal(e.detail, "");
	assert_string_equal(e.hint, "");
}

static void err_set__ends_with_ellipsis__when_too_long(void **state)
{
	char text[600];
	struct err e;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_INPUT, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_string_equal(e.msg + sizeof(e.msg) - 5, "x…");
}

static void err_set__cuts_between_characters__when_too_long(void **state)
{
	char text[600] = "";
	struct err e;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "é", 3);
	err_set(&e, ERR_INPUT, "%s", text);
	/* 255 bytes less the ellipsis are 252: 126 whole characters. */
	assert_string_equal(e.msg + 250, "é…");
	err_set(&e, ERR_INPUT, "x%s", text);
	assert_string_equal(e.msg + 249, "é…");
}

static void err_sys__names_errno__when_given(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_sys(&e, ENOSPC, "cannot write %s", "ledger.db"), -1);
	assert_int_equal(e.code, ERR_SYSTEM);
	assert_string_equal(e.sys, "ENOSPC");
	assert_string_equal(e.msg, "cannot write ledger.db");
	assert_string_equal(e.detail, "No space left on device");
	err_sys(&e, ENOENT, "x");
	assert_int_equal(e.code, ERR_NOT_FOUND);
	err_sys(&e, EEXIST, "x");
	assert_int_equal(e.code, ERR_EXISTS);
}

static void err_sys__still_speaks__when_errno_is_unknown(void **state)
{
	struct err e;

	(void)state;
	err_sys(&e, 99999, "x");
	assert_string_equal(e.sys, "unknown");
	assert_string_equal(e.detail, "error number 99999");
}

static void err_wrap__moves_message_to_detail__when_detail_exists(void **state)
{
	struct err e;

	(void)state;
	err_sys(&e, EACCES, "cannot open a.sql");
	err_hint(&e, "chmod u+r a.sql");
	assert_int_equal(err_wrap(&e, "cannot read source %s", "main"), -1);
	assert_string_equal(e.msg, "cannot read source main");
	assert_string_equal(e.detail, "cannot open a.sql: Permission denied");
	assert_string_equal(e.sys, "EACCES");
	assert_string_equal(e.hint, "chmod u+r a.sql");
	assert_int_equal(e.code, ERR_SYSTEM);
}

static void err_wrap__has_no_stray_colon__when_detail_is_empty(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_INPUT, "no such thing");
	err_wrap(&e, "outer");
	assert_string_equal(e.detail, "no such thing");
	err_wrap(&e, "%s again", e.msg);
	assert_string_equal(e.msg, "outer again");
}

static void err_detail__may_use_itself__as_argument(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_INPUT, "m");
	err_detail(&e, "one");
	err_detail(&e, "%s, two", e.detail);
	assert_string_equal(e.detail, "one, two");
}

static void err_clear__empties__always(void **state)
{
	struct err e;

	(void)state;
	err_sys(&e, EIO, "m");
	err_clear(&e);
	assert_int_equal(e.code, ERR_OK);
	assert_string_equal(e.msg, "");
	assert_string_equal(e.sys, "");
}

static void err_code_name__is_unique__for_every_code(void **state)
{
	(void)state;
	for (int i = ERR_OK; i <= ERR_DIFFERS; i++) {
		const char *name = err_code_name((enum err_code)i);

		assert_non_null(name);
		assert_string_not_equal(name, "unknown");
		for (int j = ERR_OK; j < i; j++)
			assert_string_not_equal(name, err_code_name((enum err_code)j));
	}
	assert_string_equal(err_code_name((enum err_code)1000), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_set__clears_other_parts__when_used_again),
		cmocka_unit_test(err_set__ends_with_ellipsis__when_too_long),
		cmocka_unit_test(err_set__cuts_between_characters__when_too_long),
		cmocka_unit_test(err_sys__names_errno__when_given),
		cmocka_unit_test(err_sys__still_speaks__when_errno_is_unknown),
		cmocka_unit_test(err_wrap__moves_message_to_detail__when_detail_exists),
		cmocka_unit_test(err_wrap__has_no_stray_colon__when_detail_is_empty),
		cmocka_unit_test(err_detail__may_use_itself__as_argument),
		cmocka_unit_test(err_clear__empties__always),
		cmocka_unit_test(err_code_name__is_unique__for_every_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
