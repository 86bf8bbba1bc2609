/* SPDX-License-Identifier: MIT */
#include "tui/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Rows are words; column 0 sorts by the word, column 1 by its length. */
struct words {
	const char **list;
};

static const char *fruit[] = { "plum", "Apple", "fig", "cherry", "apple tart", "date" };
static struct words words;
static struct table_rows rows;
static struct table t;

static void key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	str_copy(out, TABLE_KEY_SIZE, ((const struct words *)ctx)->list[row]);
}

static void text(const void *ctx, size_t row, struct strbuf *out)
{
	strbuf_adds(out, ((const struct words *)ctx)->list[row]);
}

static int compare(const void *ctx, int column, size_t a, size_t b)
{
	const char **list = ((const struct words *)ctx)->list;

	if (column == 0)
		return strcmp(list[a], list[b]);
	return (int)strlen(list[a]) - (int)strlen(list[b]);
}

static bool differs(const void *ctx, size_t row)
{
	return ((const struct words *)ctx)->list[row][0] == 'd';
}

static bool folded(const void *ctx, size_t row)
{
	return ((const struct words *)ctx)->list[row][0] == 'p';
}

static int setup(void **state)
{
	static const char *const columns[] = { "word", "length", NULL };

	(void)state;
	words.list = fruit;
	rows = (struct table_rows){ .ctx = &words,
				    .n = 6,
				    .key = key,
				    .text = text,
				    .compare = compare,
				    .columns = columns,
				    .differs = differs };
	t = (struct table){ 0 };
	table_update(&t, &rows);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	table_clear(&t);
	return 0;
}

static void act(enum action a, const char *arg)
{
	assert_true(table_action(&t, &rows, a, arg));
}

static void assert_shown(const char *expected)
{
	struct strbuf b;

	strbuf_init(&b, 1000);
	for (size_t i = 0; i < t.n; i++)
		strbuf_addf(&b, "%s%s", i > 0 ? "," : "", words.list[table_row(&t, i)]);
	assert_string_equal(strbuf_str(&b), expected);
	strbuf_clear(&b);
}

static const char *selected(void)
{
	size_t row = table_selected(&t);

	return row == TABLE_NO_ROW ? "" : words.list[row];
}

static void move__past_the_ends__stays(void **state)
{
	(void)state;
	act(ACT_UP, NULL);
	assert_string_equal(selected(), "plum");
	act(ACT_LAST, NULL);
	act(ACT_DOWN, NULL);
	assert_string_equal(selected(), "date");
	table_scroll(&t, 4);
	act(ACT_PAGE_UP, NULL);
	assert_string_equal(selected(), "fig");
	act(ACT_PAGE_UP, NULL);
	assert_string_equal(selected(), "plum");
	assert_false(table_action(&t, &rows, ACT_OPEN, NULL));
}

static void update__rows_come_and_go__keeps_the_selected_one(void **state)
{
	static const char *more[] = { "kiwi", "lime", "plum", "Apple", "fig" };

	(void)state;
	act(ACT_DOWN, NULL);
	act(ACT_DOWN, NULL);
	words.list = more;
	rows.n = 5;
	table_update(&t, &rows);
	assert_string_equal(selected(), "fig");
	/* gone: the position stays, as far as there are rows */
	words.list = fruit;
	rows.n = 2;
	table_update(&t, &rows);
	assert_string_equal(selected(), "Apple");
	rows.n = 0;
	table_update(&t, &rows);
	assert_int_equal(table_selected(&t), TABLE_NO_ROW);
	act(ACT_DOWN, NULL);
	act(ACT_FIND, "x");
	act(ACT_MARK, NULL);
	assert_int_equal(t.n_mark, 0);
}

static void action__rows_gone_unheard__asks_for_none_of_them(void **state)
{
	(void)state;
	act(ACT_LAST, NULL);
	rows.n = 2;
	words.list = (const char *[]){ "one", "two" };
	act(ACT_UP, NULL);
	assert_true(table_selected(&t) < 2);
	rows.n = 0;
	words.list = NULL;
	act(ACT_FIRST, NULL);
	act(ACT_FIND, "x");
	act(ACT_MARK, NULL);
	assert_false(table_select(&t, &rows, "one"));
	assert_int_equal(table_selected(&t), TABLE_NO_ROW);
}

static void filter__text__is_smart_about_case(void **state)
{
	(void)state;
	act(ACT_FILTER, "apple");
	assert_shown("Apple,apple tart");
	act(ACT_FILTER, "Apple");
	assert_shown("Apple");
	act(ACT_FILTER, "!e");
	assert_shown("plum,fig");
	act(ACT_FILTER, "differs");
	assert_shown("date");
	act(ACT_FILTER, "!");
	assert_shown("plum,Apple,fig,cherry,apple tart,date");
	act(ACT_FILTER, "zzz");
	assert_shown("");
	act(ACT_BACK, NULL);
	assert_shown("plum,Apple,fig,cherry,apple tart,date");
	assert_false(table_action(&t, &rows, ACT_BACK, NULL));
}

static void filter__set__shows_folded_rows_too(void **state)
{
	(void)state;
	rows.folded = folded;
	table_update(&t, &rows);
	assert_shown("Apple,fig,cherry,apple tart,date");
	act(ACT_FILTER, "l");
	assert_shown("plum,Apple,apple tart");
}

static void find__text__goes_round(void **state)
{
	(void)state;
	act(ACT_FIND, "apple");
	assert_string_equal(selected(), "Apple");
	act(ACT_FIND_NEXT, NULL);
	assert_string_equal(selected(), "apple tart");
	act(ACT_FIND_NEXT, NULL);
	assert_string_equal(selected(), "Apple");
	act(ACT_FIND_PREVIOUS, NULL);
	assert_string_equal(selected(), "apple tart");
	act(ACT_FIND, "nothing");
	assert_string_equal(selected(), "apple tart");
	assert_shown("plum,Apple,fig,cherry,apple tart,date");
}

static void sort__columns_in_turn__ends_in_the_natural_order(void **state)
{
	(void)state;
	act(ACT_SORT, NULL);
	assert_shown("Apple,apple tart,cherry,date,fig,plum");
	act(ACT_SORT, NULL);
	assert_int_equal(table_sort_column(&t), 1);
	assert_shown("fig,plum,date,Apple,cherry,apple tart"); /* plum and date keep their order */
	act(ACT_SORT_REVERSE, NULL);
	assert_shown("apple tart,cherry,Apple,plum,date,fig");
	act(ACT_SORT, NULL);
	assert_int_equal(table_sort_column(&t), -1);
	assert_shown("date,apple tart,cherry,fig,Apple,plum");
	act(ACT_SORT, "length");
	assert_int_equal(table_sort_column(&t), 1);
	act(ACT_SORT, "no such column");
	assert_int_equal(table_sort_column(&t), 1);
	assert_string_equal(selected(), "plum");
}

static void mark__rows__survive_sort_and_refresh(void **state)
{
	(void)state;
	act(ACT_MARK, NULL);
	assert_string_equal(selected(), "Apple"); /* and goes on */
	act(ACT_MARK, NULL);
	act(ACT_SORT, NULL);
	table_update(&t, &rows);
	assert_true(table_marked(&t, "plum"));
	assert_true(table_marked(&t, "Apple"));
	assert_false(table_marked(&t, "fig"));
	assert_true(table_select(&t, &rows, "plum"));
	act(ACT_MARK, NULL);
	assert_false(table_marked(&t, "plum"));
	assert_int_equal(t.n_mark, 1);
	act(ACT_MARK_NONE, NULL);
	assert_int_equal(t.n_mark, 0);
	assert_false(table_select(&t, &rows, "no such key"));
}

static void scroll__selection_outside__moves_just_enough(void **state)
{
	(void)state;
	table_scroll(&t, 3);
	assert_int_equal(t.top, 0);
	act(ACT_LAST, NULL);
	table_scroll(&t, 3);
	assert_int_equal(t.top, 3);
	act(ACT_UP, NULL);
	table_scroll(&t, 3);
	assert_int_equal(t.top, 3);
	table_scroll(&t, 20);
	assert_int_equal(t.top, 0);
	table_scroll(&t, 0); /* no room: still no division or loop */
	assert_int_equal(t.page, 1);
}

static void decorate__selected_marked_and_found__is_painted(void **state)
{
	struct canvas c;

	(void)state;
	canvas_init(&c, 2, 12, true);
	act(ACT_FIND, "pp");
	canvas_puts(&c, 0, 1, 11, ROLE_TEXT, "Apple");
	canvas_puts(&c, 1, 1, 11, ROLE_FAIL, "fig");
	table_decorate(&t, &rows, t.at, &c, 0, 0, 12);
	assert_string_equal(canvas_at(&c, 0, 0)->text, ">");
	assert_int_equal(canvas_at(&c, 0, 2)->role, ROLE_MATCH);
	assert_int_equal(canvas_at(&c, 0, 3)->role, ROLE_MATCH);
	assert_int_equal(canvas_at(&c, 0, 1)->role, ROLE_SELECT);
	assert_true(canvas_at(&c, 0, 11)->reverse);
	act(ACT_DOWN, NULL);
	act(ACT_MARK, NULL);
	table_decorate(&t, &rows, 2, &c, 1, 0, 12);
	assert_string_equal(canvas_at(&c, 1, 0)->text, "+");
	assert_int_equal(canvas_at(&c, 1, 1)->role, ROLE_FAIL);
	canvas_clear(&c);
}

static void facts__filter_find_and_marks__are_said(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 500);
	table_facts(&t, &b);
	assert_string_equal(strbuf_str(&b), "1 of 6");
	act(ACT_FILTER, "e");
	act(ACT_FIND, "ch");
	act(ACT_MARK, NULL);
	strbuf_reset(&b);
	table_facts(&t, &b);
	assert_string_equal(strbuf_str(&b), "3 of 4  filter: e (6 rows)  find: ch  1 marked");
	strbuf_clear(&b);
}

/* Ten thousand rows are an ordinary day; the limit is loose enough for sanitizers and a busy machine, and
 * tight enough to catch a square. */
static void update__ten_thousand_rows__is_not_quadratic(void **state)
{
	size_t n = 10000;
	const char **many = calloc(n, sizeof(*many));
	char *names = malloc(n * 32);
	clock_t begun;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		snprintf(names + i * 32, 32, "%08zu row", (i * 7919) % n);
		many[i] = names + i * 32;
	}
	words.list = many;
	rows.n = n;
	begun = clock(); /* of this process: the machine has other work */
	table_update(&t, &rows);
	act(ACT_LAST, NULL);
	act(ACT_SORT, NULL);
	act(ACT_FILTER, "9");
	act(ACT_FIND, "00009999");
	table_update(&t, &rows);
	assert_true(clock() - begun < 2 * CLOCKS_PER_SEC);
	assert_string_equal(selected(), "00009999 row");
	table_clear(&t);
	free(many);
	free(names);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(move__past_the_ends__stays),
		CASE(update__rows_come_and_go__keeps_the_selected_one),
		CASE(action__rows_gone_unheard__asks_for_none_of_them),
		CASE(filter__text__is_smart_about_case),
		CASE(filter__set__shows_folded_rows_too),
		CASE(find__text__goes_round),
		CASE(sort__columns_in_turn__ends_in_the_natural_order),
		CASE(mark__rows__survive_sort_and_refresh),
		CASE(scroll__selection_outside__moves_just_enough),
		CASE(decorate__selected_marked_and_found__is_painted),
		CASE(facts__filter_find_and_marks__are_said),
		CASE(update__ten_thousand_rows__is_not_quadratic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
