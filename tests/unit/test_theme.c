/* SPDX-License-Identifier: MIT */
#include "tui/theme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/tmp.h"

static struct theme t;
static struct err e;

static int parse(const char *text)
{
	err_clear(&e);
	return theme_parse(sv_of(text), "x.theme", &t, &e);
}

static void parse__a_role__has_its_colours_and_attributes(void **state)
{
	const struct theme_role *r = &t.role[ROLE_FAIL];

	(void)state;
	assert_int_equal(parse("[theme]\nname = x\n[roles]\nfail = fg=196 bg=default fg16=red bold "
			       "mono=reverse,bold\n"),
			 0);
	assert_string_equal(t.name, "x");
	assert_int_equal(r->fg256, 196);
	assert_int_equal(r->bg256, -1);
	assert_int_equal(r->fg16, 1);
	assert_int_equal(r->bg16, -1);
	assert_int_equal(r->attr, ATTR_BOLD);
	assert_int_equal(r->attr_mono, ATTR_REVERSE | ATTR_BOLD);
	/* what is not named keeps the terminal's default */
	assert_int_equal(t.role[ROLE_OK].fg256, -1);
	assert_int_equal(t.role[ROLE_OK].attr, 0);
}

static void parse__no_colour_of_sixteen__is_given_the_nearest(void **state)
{
	(void)state;
	assert_int_equal(parse("[roles]\nfail = fg=196\nok = fg=46\ndim = fg=244\nadd = fg=3\n"),
			 0);
	assert_int_equal(t.role[ROLE_FAIL].fg16, 1); /* pure red */
	assert_int_equal(t.role[ROLE_OK].fg16, 2);
	assert_int_equal(t.role[ROLE_DIM].fg16, 8);
	assert_int_equal(t.role[ROLE_ADD].fg16, 3);
}

static void parse__mistakes__are_all_said_with_lines(void **state)
{
	(void)state;
	t.name[0] = '!';
	assert_int_equal(parse("[roles]\nfial = bold\nfail = fg=256 shiny mono=loud\nok = "
			       "fg16=16\nok = bold\n[x]\n"),
			 -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "x.theme"));
	assert_non_null(strstr(e.detail, "line 2: unknown role `fial`, did you mean `fail`?"));
	assert_non_null(strstr(e.detail, "line 3: `256` is not a colour"));
	assert_non_null(strstr(e.detail, "unknown word `shiny`"));
	assert_non_null(strstr(e.detail, "unknown attribute `loud`"));
	assert_non_null(strstr(e.detail, "line 4: `16` is not a colour (0 to 15"));
	assert_non_null(strstr(e.detail, "line 5: `ok` stands in line 4 already"));
	assert_non_null(strstr(e.detail, "line 6: unknown section [x]"));
	assert_int_equal(t.name[0], '!'); /* output untouched */
}

static void builtin__every_theme__is_good_and_tells_states_apart_without_colour(void **state)
{
	static const enum role loud[] = { ROLE_WARN, ROLE_FAIL, ROLE_ARMED, ROLE_SELECT,
					  ROLE_PROD };
	static const char *const wanted[] = { "colour-blind-safe", "dark", "high-contrast", "light",
					      "mono" };
	size_t n = sizeof(wanted) / sizeof(wanted[0]);

	(void)state;
	assert_null(theme_name(n));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(theme_name(i), wanted[i]);
		if (theme_load(theme_name(i), NULL, 0, &t, &e) != 0)
			fail_msg("%s: %s", e.msg, e.detail);
		assert_string_equal(t.name, theme_name(i));
		for (size_t k = 0; k < sizeof(loud) / sizeof(loud[0]); k++)
			assert_int_not_equal(t.role[loud[k]].attr_mono, 0);
	}
}

static void load__unknown_name__lists_what_there_is(void **state)
{
	(void)state;
	assert_int_equal(theme_load("drak", NULL, 0, &t, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_non_null(strstr(e.detail, "`dark`"));
	assert_non_null(strstr(e.hint, "high-contrast"));
}

static void load__file_in_a_folder__comes_before_the_built_in_one(void **state)
{
	char *dir = tmp_make(), *path;
	const char *dirs[2] = { NULL, dir };

	(void)state;
	tmp_write(dir, "dark.theme", "[theme]\nname = mine\n");
	assert_int_equal(theme_load("dark", dirs, 2, &t, &e), 0);
	assert_string_equal(t.name, "mine");
	tmp_write(dir, "bad.theme", "[roles]\nnone\n");
	assert_int_equal(theme_load("bad", dirs, 2, &t, &e), -1);
	path = tmp_path(dir, "dark.theme");
	assert_int_equal(theme_load(path, NULL, 0, &t, &e), 0);
	free(path);
	path = tmp_path(dir, "missing.theme");
	assert_int_equal(theme_load(path, NULL, 0, &t, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	free(path);
	tmp_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__a_role__has_its_colours_and_attributes),
		cmocka_unit_test(parse__no_colour_of_sixteen__is_given_the_nearest),
		cmocka_unit_test(parse__mistakes__are_all_said_with_lines),
		cmocka_unit_test(
			builtin__every_theme__is_good_and_tells_states_apart_without_colour),
		cmocka_unit_test(load__unknown_name__lists_what_there_is),
		cmocka_unit_test(load__file_in_a_folder__comes_before_the_built_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
