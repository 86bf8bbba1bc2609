/* SPDX-License-Identifier: MIT */
/* Golden screens of the view "Logs" over a real store and a real query. See log_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/golden.h"
#include "tests/support/log_world.h"

static struct model_world m;
static struct log_world l;

static int setup(void **state)
{
	(void)state;
	model_world_init(&m);
	service_world_init(&m);
	log_world_init(&l, &m);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_world_clear(&m);
	log_world_clear(&l);
	return 0;
}

/* How many lines a second came is a matter of how fast the test was: "  17/s" becomes "   n/s". */
static void mask_rates(struct canvas *c)
{
	for (int row = 0; row < c->rows; row++)
		for (int col = 5; col < c->cols; col++) {
			struct canvas_cell *cell = &c->cell[row * c->cols + col];

			if (strcmp(cell->text, "s") != 0 || strcmp(cell[-1].text, "/") != 0 ||
			    !strchr("0123456789k-", cell[-2].text[0]))
				continue;
			for (int i = 2; i < 6; i++)
				memcpy(cell[-i].text, i == 2 ? "n" : " ", 2);
		}
}

static void golden(const char *name, int cols, int rows, bool ascii)
{
	struct canvas c;
	struct strbuf b;
	char path[96];

	log_world_settle(&l);
	canvas_init(&c, rows, cols, ascii);
	tui_draw(&m.t, &c);
	mask_rates(&c);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	canvas_dump(&c, &b);
	strbuf_adds(&b, "\nroles:\n");
	canvas_dump_roles(&c, &b);
	snprintf(path, sizeof(path), "screens/%s.txt", name);
	golden_compare(path, strbuf_str(&b));
	strbuf_clear(&b);
	canvas_clear(&c);
}

static void big(const char *name)
{
	golden(name, 120, 36, false);
}

static void small(const char *name)
{
	golden(name, 80, 24, false);
}

/* As the console: each key is followed by a frame, and what a key does may depend on what it showed. */
static void act_at(enum action action, const char *arg, int cols, int rows)
{
	struct canvas c;

	log_world_settle(&l);
	tui_action(&m.t, action, arg);
	log_world_settle(&l);
	canvas_init(&c, rows, cols, false);
	tui_draw(&m.t, &c);
	canvas_clear(&c);
}

static void act(enum action action, const char *arg)
{
	act_at(action, arg, 120, 36);
}

static void times(enum action action, int n)
{
	while (n-- > 0)
		act(action, NULL);
}

static void type(const char *text)
{
	for (; *text; text++) {
		prompt_key(&m.t, *text);
		log_world_settle(&l);
	}
}

/* Production is selected, its logs are followed. */
static void show(void)
{
	model_world_show(&m, -1);
	times(ACT_RIGHT, 2);
	act(ACT_VIEW_LOGS, NULL);
}

static void show_incident(void)
{
	log_world_incident(&l);
	show();
}

static void logs__following__at_every_size(void **state)
{
	(void)state;
	show_incident();
	big("logs-120x36");
	small("logs-80x24");
	golden("logs-80x20", 80, 20, false);
	golden("logs-200x50", 200, 50, false);
	golden("logs-ascii", 120, 36, true);
}

/* Times under the columns are whole, whatever a column is long. */
static void logs__over_hours_and_days__say_the_times(void **state)
{
	static const char line[] = "INFO GET /api/orders/17 200";

	(void)state;
	for (int i = 0; i < 200; i++)
		log_world_line(&l, LOG_WEB_1, (int64_t)(200 - i) * 60000, line);
	log_world_row(&l, LOG_WEB_2, 100 * 60000, LOG_GAP, LOG_GAP_OLDER);
	show();
	big("logs-hours");
	small("logs-hours-80x24");
	log_store_empty(l.store);
	for (int i = 0; i < 200; i++)
		log_world_line(&l, LOG_WEB_1, (int64_t)(200 - i) * 5400000, line);
	big("logs-days");
	small("logs-days-80x24");
}

static void logs__paused__keeps_its_rows_while_more_comes(void **state)
{
	(void)state;
	show_incident();
	times(ACT_UP, 6);
	big("logs-paused");
	for (int i = 0; i < 50; i++)
		log_world_line(&l, LOG_WEB_1, 50000 - i, "INFO new");
	big("logs-paused-more");
	small("logs-paused-80x24");
	act(ACT_LAST, NULL);
	big("logs-resumed");
}

static void logs__page_up_and_down__comes_back_to_following(void **state)
{
	(void)state;
	show_incident();
	times(ACT_PAGE_UP, 3);
	big("logs-page-up");
	times(ACT_PAGE_DOWN, 4);
	big("logs-120x36");
	act(ACT_FIRST, NULL);
	big("logs-first");
}

static void logs__errors__are_gone_through(void **state)
{
	(void)state;
	show_incident();
	times(ACT_PREVIOUS_ERROR, 2);
	big("logs-error");
	times(ACT_NEXT_ERROR, 2);
	assert_string_equal(m.t.model.news, "no error below");
}

static void logs__level_and_filters__narrow(void **state)
{
	(void)state;
	show_incident();
	act(ACT_LEVEL, "warn");
	big("logs-level");
	act(ACT_LEVEL_LOWER, NULL);
	act(ACT_FILTER, "!GET");
	act(ACT_FILTER, "pool|queue");
	big("logs-filters");
	small("logs-filters-80x24");
	act(ACT_FILTER, "-1");
	big("logs-filter-removed");
	act(ACT_FILTER, "no such thing");
	big("logs-filtered-away");
	act(ACT_FILTER, "");
	act(ACT_LEVEL, "trace");
	act(ACT_LEVEL_LOWER, NULL);
	big("logs-120x36");
}

static void logs__filter_typed__works_while_typing_and_esc_undoes(void **state)
{
	(void)state;
	show_incident();
	act(ACT_FILTER, NULL);
	type("pool(");
	big("logs-filter-mistake");
	type("\177");
	big("logs-filter-typing");
	prompt_key(&m.t, 27);
	big("logs-120x36");
	act(ACT_FILTER, NULL);
	type("pool\r");
	big("logs-filter-kept");
}

static void logs__find__goes_to_matches_over_the_whole_buffer(void **state)
{
	(void)state;
	show_incident();
	act(ACT_FIND, NULL);
	type("slow query 9");
	big("logs-find-typing");
	type("\r");
	times(ACT_FIND_PREVIOUS, 1);
	big("logs-find-previous");
	act(ACT_BACK, NULL);
	big("logs-find-ended");
}

static void logs__find__goes_the_other_way_when_there_is_none_on_this_one(void **state)
{
	(void)state;
	show_incident();
	act(ACT_PAUSE, NULL);
	act(ACT_FIND, "slow query 9");
	assert_false(m.t.model.news[0]);
	act(ACT_FIND_NEXT, NULL);
	assert_string_equal(m.t.model.news, "no match below");
}

/* What was typed on the way to the pattern is nobody's question. */
static void logs__find_typed__says_nothing_of_what_is_not_there_yet(void **state)
{
	(void)state;
	show_incident();
	act(ACT_FIND, NULL);
	type("no such thing\r");
	assert_false(m.t.model.news[0]);
}

static void logs__find__says_what_is_wrong_and_keeps_what_was_found(void **state)
{
	(void)state;
	show_incident();
	act(ACT_FIND, "slow query 9");
	act(ACT_FIND, "(");
	assert_string_equal(m.t.model.news,
			    "cannot search for (: missing closing parenthesis, at character 2");
	big("logs-find-mistake");
}

static void logs__find_what_a_record_of_fields_does_not_show__shows_it_raw(void **state)
{
	(void)state;
	show_incident();
	act(ACT_FIND, "\"attempt\":3");
	big("logs-find-raw");
}

static void logs__record_opened(void **state)
{
	(void)state;
	show_incident();
	act(ACT_FIND, "51aa$");
	act(ACT_FIND_NEXT, NULL);
	act(ACT_OPEN, NULL);
	big("logs-record");
	small("logs-record-80x24");
	act(ACT_OPEN, NULL);
	act(ACT_FIND, "job failed");
	act(ACT_OPEN, NULL);
	big("logs-record-json");
	act(ACT_BACK, NULL);
	act(ACT_BACK, NULL);
	assert_int_equal(m.t.shown, VIEW_LOGS);
	act(ACT_BACK, NULL);
	assert_int_equal(m.t.shown, VIEW_ENVS);
}

static void logs__wrapped_unfolded_and_other_times(void **state)
{
	char text[700];

	(void)state;
	log_world_incident(&l);
	memset(text, 'x', sizeof(text) - 1);
	for (size_t i = 9; i + 1 < sizeof(text); i += 10)
		text[i] = ' ';
	text[sizeof(text) - 1] = '\0';
	log_world_line(&l, LOG_WEB_1, 50000, text);
	show();
	small("logs-cut-80x24");
	act_at(ACT_WRAP, NULL, 80, 24);
	small("logs-wrapped-80x24");
	act_at(ACT_WRAP, NULL, 80, 24);
	act(ACT_EXPAND, NULL);
	big("logs-unfolded");
	act(ACT_COLLAPSE, NULL);
	act(ACT_TIME_FORMAT, NULL);
	big("logs-time-date");
	act(ACT_TIME_FORMAT, NULL);
	big("logs-time-ago");
	act(ACT_TIME_FORMAT, NULL);
	big("logs-time-none");
}

static void logs__sources__listed_hidden_and_alone(void **state)
{
	struct err e;

	(void)state;
	show_incident();
	err_set(&e, ERR_LOST, "cannot read the log of worker on prod-1");
	err_detail(&e, "no answer within 10 s");
	log_store_source_state(l.store, LOG_WORKER, LOG_SOURCE_DOWN, &e);
	log_store_source_lost(l.store, LOG_WEB_2, 512);
	act(ACT_PANE, NULL);
	big("logs-sources");
	small("logs-sources-80x24");
	act(ACT_MARK, NULL);
	big("logs-source-hidden");
	act(ACT_DOWN, NULL);
	act(ACT_OPEN, NULL);
	big("logs-source-alone");
}

static void logs__histogram__h_and_l_go_through_time(void **state)
{
	(void)state;
	show_incident();
	times(ACT_LEFT, 2);
	big("logs-left");
	times(ACT_LEFT, 12);
	big("logs-left-more");
	times(ACT_RIGHT, 5);
	big("logs-right");
	times(ACT_RIGHT, 80);
	big("logs-120x36");
}

static void logs__marks_and_gaps__are_gone_through(void **state)
{
	(void)state;
	show_incident();
	times(ACT_UP, 2);
	act(ACT_MARK, NULL);
	times(ACT_PAGE_UP, 2);
	act(ACT_MARK, NULL);
	act(ACT_NEXT_MARK, NULL);
	big("logs-mark-gap");
	act(ACT_NEXT_MARK, NULL);
	big("logs-mark");
	times(ACT_PREVIOUS_MARK, 2);
	big("logs-mark-previous");
	act(ACT_MARK_NONE, NULL);
	act(ACT_NEXT_MARK, NULL);
	act(ACT_OPEN, NULL);
	/* Nobody follows here. */
	assert_string_equal(m.t.model.news, "what is missing there cannot be fetched any more");
}

static void logs__copied__cleaned_for_the_clipboard(void **state)
{
	(void)state;
	log_world_line(&l, LOG_WEB_1, 5000, "ERROR \033[31mred\033[0m\007 alert");
	log_world_line(&l, LOG_WEB_1, 5000, "  at x");
	show();
	act(ACT_COPY, NULL);
	assert_string_equal(m.t.copy, "ERROR \\x1b[31mred\\x1b[0m\\x07 alert");
	act(ACT_COPY_RECORD, NULL);
	assert_string_equal(m.t.copy, "ERROR \\x1b[31mred\\x1b[0m\\x07 alert\n  at x\n");
}

static void logs__foreign_text__is_harmless(void **state)
{
	char *line = mem_alloc(1 << 20);

	(void)state;
	log_world_line(&l, LOG_WEB_1, 9000,
		       "evil \033[2J\033]0;pwned\007 \342\200\256reversed \r x");
	log_world_line(&l, LOG_WEB_1, 8000, "14:05:00.000 #b ERROR >#PRODUCTION is fine");
	log_world_line(&l, LOG_WEB_1, 7000,
		       "\377\376 not UTF-8 \200 \346\225\260\346\215\256 wide");
	log_world_line(&l, LOG_WEB_2, 6000, "{\"msg\":\"\\u001b[2J \\u202e\",\"n\":1}");
	log_world_line(&l, LOG_WEB_2, 5500, "{\"msg\":\"broken");
	memset(line, 'm', 1 << 20);
	memcpy(line, "ERROR a megabyte ", 17);
	log_world_text(&l, LOG_WORKER, 5000, sv_n(line, 1 << 20));
	mem_free(line);
	log_world_row(&l, LOG_WORKER, 4000, LOG_GAP, "\033[2J lost \346\225\260");
	show();
	big("logs-foreign");
	small("logs-foreign-80x24");
	golden("logs-foreign-ascii", 120, 36, true);
	act_at(ACT_WRAP, NULL, 80, 24);
	small("logs-foreign-wrapped-80x24");
	act(ACT_UP, NULL);
	act(ACT_OPEN, NULL);
	big("logs-foreign-record");
}

static void logs__nothing_there(void **state)
{
	(void)state;
	show();
	big("logs-empty");
	log_store_source_state(l.store, LOG_WEB_1, LOG_SOURCE_CONNECTING, NULL);
	big("logs-connecting");
	small("logs-connecting-80x24");
	m.t.model.log_store = NULL;
	m.t.model.log_query = NULL;
	model_world_golden(&m, "logs-none", 120, 36, false);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(logs__following__at_every_size),
		CASE(logs__over_hours_and_days__say_the_times),
		CASE(logs__paused__keeps_its_rows_while_more_comes),
		CASE(logs__page_up_and_down__comes_back_to_following),
		CASE(logs__errors__are_gone_through),
		CASE(logs__level_and_filters__narrow),
		CASE(logs__filter_typed__works_while_typing_and_esc_undoes),
		CASE(logs__find__goes_to_matches_over_the_whole_buffer),
		CASE(logs__find__goes_the_other_way_when_there_is_none_on_this_one),
		CASE(logs__find_typed__says_nothing_of_what_is_not_there_yet),
		CASE(logs__find__says_what_is_wrong_and_keeps_what_was_found),
		CASE(logs__find_what_a_record_of_fields_does_not_show__shows_it_raw),
		CASE(logs__record_opened),
		CASE(logs__wrapped_unfolded_and_other_times),
		CASE(logs__sources__listed_hidden_and_alone),
		CASE(logs__histogram__h_and_l_go_through_time),
		CASE(logs__marks_and_gaps__are_gone_through),
		CASE(logs__copied__cleaned_for_the_clipboard),
		CASE(logs__foreign_text__is_harmless),
		CASE(logs__nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
