/* SPDX-License-Identifier: MIT */
/* What keys and actions do, without engine and terminal. */
#include "tui/tui.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/plan_world.h"
#include "tui/palette.h"

#define NOON 1763726400000
#define ENTER '\r'
#define ESC 27

static struct world w;
static struct tui t;
static struct context ctx;
static struct canvas c;
static struct err e;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_fill(&w, 5, 4, 3, 2);
	ctx = (struct context){ .who = "alice", .host = "laptop" };
	tui_init(&t, &w.project, &ctx);
	model_tick(&t.model, NOON);
	canvas_init(&c, 36, 120, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tui_clear(&t);
	canvas_clear(&c);
	world_clear(&w);
	return 0;
}

static void type(const char *text)
{
	for (; *text; text++)
		prompt_key(&t, (unsigned char)*text);
}

/* The plan of an environment, as an event would bring it. */
static void show_plan(const char *env, const char *towards)
{
	struct event *ev = event_new(EV_PLAN, 0);

	w.request = (struct plan_request){ .environment = env, .towards = towards };
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	ev->u.plan.plan = w.plan;
	w.plan = NULL;
	tui_event(&t, ev);
	tui_show(&t, VIEW_PLAN);
}

static bool screen_has(const char *text)
{
	struct strbuf b;
	bool found;

	tui_draw(&t, &c);
	strbuf_init(&b, 1 << 20);
	canvas_dump(&c, &b);
	found = strstr(strbuf_str(&b), text) != NULL;
	strbuf_clear(&b);
	return found;
}

static void show__views_and_back__goes_the_same_way(void **state)
{
	(void)state;
	tui_action(&t, ACT_VIEW_MIGRATIONS, NULL);
	tui_action(&t, ACT_VIEW_RUNS, NULL);
	tui_action(&t, ACT_VIEW_RUNS, NULL); /* once is enough */
	tui_action(&t, ACT_BACK, NULL);
	assert_int_equal(t.shown, VIEW_MATRIX);
	tui_action(&t, ACT_BACK, NULL);
	assert_int_equal(t.shown, VIEW_ENVS);
	for (int i = 0; i < 100; i++)
		tui_action(&t, i % 2 ? ACT_VIEW_PLAN : ACT_VIEW_AUDIT, NULL);
	assert_true(t.n_back <= sizeof(t.back) / sizeof(t.back[0]));
}

static void back__at_the_first_view__asks_before_it_leaves(void **state)
{
	(void)state;
	tui_action(&t, ACT_BACK, NULL);
	assert_int_equal(t.prompt.kind, PROMPT_YES);
	prompt_key(&t, ENTER);
	assert_false(t.quit);
	tui_action(&t, ACT_LEAVE, NULL);
	prompt_key(&t, 'y');
	assert_true(t.quit);
}

static void start__no_plan__teaches_the_key(void **state)
{
	(void)state;
	tui_action(&t, ACT_VIEW_PLAN, NULL);
	tui_action(&t, ACT_START, NULL);
	assert_non_null(strstr(t.model.news, "p makes one"));
}

static void start__not_armed__teaches_the_key_and_asks_nothing(void **state)
{
	(void)state;
	show_plan("development", NULL);
	tui_action(&t, ACT_START, NULL);
	assert_string_equal(t.model.news,
			    "development is read-only: press A to arm it for five minutes");
	assert_int_equal(t.prompt.kind, PROMPT_NONE);
}

static void start__another_environment_armed__is_refused(void **state)
{
	(void)state;
	tui_action(&t, ACT_ARM, "development");
	show_plan("production", "staging");
	tui_action(&t, ACT_START, NULL);
	assert_non_null(strstr(t.model.news, "production is read-only"));
	assert_int_equal(t.prompt.kind, PROMPT_NONE);
}

static void start__read_only_console__cannot_be_armed(void **state)
{
	(void)state;
	t.model.read_only = true;
	tui_action(&t, ACT_ARM, "development");
	assert_int_equal(t.model.armed_env, -1);
	assert_true(t.model.news_bad);
	show_plan("development", NULL);
	tui_action(&t, ACT_START, NULL);
	assert_non_null(strstr(t.model.news, "--read-only"));
}

static void start__closed_gate__says_rule_and_way_out(void **state)
{
	(void)state;
	tui_action(&t, ACT_ARM, "production");
	show_plan("production", NULL);
	assert_non_null(plan_closed_gate(t.model.plan));
	tui_action(&t, ACT_START, NULL);
	assert_int_equal(t.prompt.kind, PROMPT_NONE);
	assert_true(t.model.news_bad);
	assert_non_null(strstr(t.model.news, "staging"));
}

static void start__protected__wants_the_name_typed(void **state)
{
	(void)state;
	tui_action(&t, ACT_ARM, "production");
	show_plan("production", "staging");
	tui_action(&t, ACT_START, NULL);
	assert_int_equal(t.prompt.kind, PROMPT_CONFIRM);
	assert_true(screen_has("Type the environment name to run"));
	assert_true(screen_has("START ON #PRODUCTION"));
	type("productio");
	prompt_key(&t, ENTER);
	assert_int_equal(t.prompt.kind, PROMPT_CONFIRM);
	type("n");
	prompt_key(&t, ENTER);
	assert_int_equal(t.prompt.kind, PROMPT_NONE);
}

static void confirm__paste__is_dropped_and_said(void **state)
{
	(void)state;
	tui_action(&t, ACT_ARM, "production");
	show_plan("production", "staging");
	tui_action(&t, ACT_START, NULL);
	prompt_key(&t, KEYS_PASTE_BEGIN);
	type("production\r");
	prompt_key(&t, KEYS_PASTE_END);
	assert_int_equal(t.prompt.kind, PROMPT_CONFIRM);
	assert_int_equal(t.prompt.len, 0);
	assert_true(screen_has("A paste was dropped"));
	type("p"); /* single keys are taken */
	assert_int_equal(t.prompt.len, 1);
	prompt_key(&t, ESC);
	assert_string_equal(t.model.news, "not started, nothing was changed");
}

static void paste__no_prompt__runs_no_action(void **state)
{
	(void)state;
	prompt_key(&t, KEYS_PASTE_BEGIN);
	type("2Q!\r");
	prompt_key(&t, KEYS_PASTE_END);
	assert_false(t.quit);
	assert_int_equal(t.shown, VIEW_ENVS);
	assert_false(t.prompt.pasting);
}

static void paste__into_the_palette__is_text_without_enter(void **state)
{
	(void)state;
	tui_action(&t, ACT_PALETTE, NULL);
	prompt_key(&t, KEYS_PASTE_BEGIN);
	type("quit\r\n");
	prompt_key(&t, KEYS_PASTE_END);
	assert_false(t.quit);
	assert_string_equal(t.prompt.text, "quit");
	prompt_key(&t, ENTER);
	assert_true(t.quit);
}

static void watch__run_that_is_not_there_yet__shows_nothing_of_the_plan(void **state)
{
	(void)state;
	show_plan("production", "staging");
	assert_true(screen_has("migrate #production"));
	tui_action(&t, ACT_LAST, NULL);
	tui_watch(&t, "118-abcdef");
	assert_false(screen_has("migrate #production"));
	tui_action(&t, ACT_UP, NULL);
	tui_action(&t, ACT_START, NULL);
	assert_int_equal(t.prompt.kind, PROMPT_NONE);
}

static void events__another_environment__shows_none_of_the_old(void **state)
{
	struct event *ev = event_new(EV_EVENTS, 0);
	struct history *h = mem_calloc(1, sizeof(*h));

	(void)state;
	tui_action(&t, ACT_VIEW_AUDIT, NULL);
	arena_init(&h->arena);
	h->n_event = 30;
	h->event = mem_calloc(h->n_event, sizeof(*h->event));
	for (size_t i = 0; i < h->n_event; i++)
		h->event[i] = (struct history_event){
			.seq = (int64_t)i + 1,
			.id = "0001",
			.title = "old",
			.who = "bob",
			.host = "h",
			.sort_key = "1",
			.ns = "main",
			.run = "",
			.error = "",
			.at_utc_ms = NOON,
		};
	ev->u.events.history = h;
	str_copy(ev->u.events.env, sizeof(ev->u.events.env), t.model.events_env);
	tui_event(&t, ev);
	assert_true(screen_has("bob"));
	tui_action(&t, ACT_LAST, NULL);
	tui_events(&t, strcmp(t.model.events_env, "staging") == 0 ? "production" : "staging");
	tui_action(&t, ACT_UP, NULL);
	assert_false(screen_has("bob"));
}

static void arm__again__disarms(void **state)
{
	(void)state;
	tui_action(&t, ACT_ARM, "staging");
	assert_int_equal(t.model.armed_env, STAGING);
	assert_true(screen_has("ARMED staging 05:00 left"));
	model_tick(&t.model, NOON + 48000);
	assert_true(screen_has("ARMED staging 04:12 left"));
	tui_action(&t, ACT_ARM, "staging");
	assert_int_equal(t.model.armed_env, -1);
	assert_true(screen_has("RO read-only"));
	tui_action(&t, ACT_ARM, "nowhere");
	assert_non_null(strstr(t.model.news, "no environment `nowhere`"));
}

static void find__typed__is_kept_by_enter_and_undone_by_esc(void **state)
{
	(void)state;
	tui_action(&t, ACT_VIEW_MIGRATIONS, NULL);
	tui_action(&t, ACT_FIND, NULL);
	assert_int_equal(t.prompt.kind, PROMPT_FIND);
	type("ab\177c");
	assert_string_equal(t.prompt.text, "ac");
	prompt_key(&t, ENTER);
	assert_string_equal(t.find, "ac");
	tui_action(&t, ACT_FIND, NULL);
	type("zz");
	prompt_key(&t, ESC);
	assert_string_equal(t.find, "ac");
	assert_int_equal(t.prompt.kind, PROMPT_NONE);
}

static void prompt__long_text__stays_within_its_buffer(void **state)
{
	(void)state;
	tui_action(&t, ACT_PALETTE, NULL);
	for (int i = 0; i < 1000; i++)
		prompt_key(&t, i % 3 ? 0xe9 : 0x65e5);
	assert_true(t.prompt.len < sizeof(t.prompt.text));
	assert_true(screen_has(":"));
	for (int i = 0; i < 1000; i++)
		prompt_key(&t, KEYS_BACKSPACE);
	assert_int_equal(t.prompt.kind, PROMPT_NONE); /* one more than there was: closed */
}

static void prompt__keys_that_are_no_text__change_nothing(void **state)
{
	static const int32_t keys[] = { KEYS_F1, KEYS_RESIZE, KEYS_NONE, -5,    1,
					0x200b,  0xd800,      0x110000,  0x202e };

	(void)state;
	tui_action(&t, ACT_PALETTE, NULL);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		prompt_key(&t, keys[i]);
	assert_int_equal(t.prompt.len, 0);
	assert_int_equal(t.prompt.kind, PROMPT_PALETTE);
}

static void palette__history__is_gone_through(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		tui_action(&t, ACT_PALETTE, NULL);
		type(i % 2 ? "audit" : "runs");
		prompt_key(&t, ENTER);
	}
	tui_action(&t, ACT_PALETTE, NULL);
	prompt_key(&t, KEYS_UP);
	assert_string_equal(t.prompt.text, "audit");
	for (int i = 0; i < 30; i++)
		prompt_key(&t, KEYS_UP);
	assert_string_equal(t.prompt.text, "runs");
	for (int i = 0; i < 30; i++)
		prompt_key(&t, KEYS_DOWN);
	assert_string_equal(t.prompt.text, "");
}

static void complete(const char *text, const char *expected)
{
	char line[256];

	str_copy(line, sizeof(line), text);
	palette_extend(&t, line, sizeof(line));
	assert_string_equal(line, expected);
}

static void palette__tab__completes_what_is_certain(void **state)
{
	(void)state;
	complete("envi", "environments");
	complete("sort-", "sort-reverse");
	complete("them", "theme ");
	complete("page", "page-");
	complete("theme hi", "theme high-contrast");
	complete("arm pro", "arm production");
	complete("filter dif", "filter differs");
	complete("nothing-like-it", "nothing-like-it");
	complete("quit extra", "quit extra");
}

static void palette__unknown_and_surplus_words__are_refused(void **state)
{
	(void)state;
	assert_int_equal(palette_run(&t, "  ", &e), 0);
	assert_int_equal(palette_run(&t, "qiut", &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_string_equal(e.detail, "did you mean `quit`?");
	assert_int_equal(palette_run(&t, "quit now", &e), -1);
	assert_false(t.quit);
	/* what has no key must be written out */
	assert_int_equal(palette_run(&t, "abor", &e), -1);
	assert_int_equal(palette_run(&t, "abort", &e), 0);
	assert_int_equal(palette_run(&t, "env", &e), 0);
	assert_int_equal(palette_run(&t, "q", &e), 0);
	assert_true(t.quit);
}

static void theme__unknown__is_refused_and_the_old_stays(void **state)
{
	struct tui_options opt = { 0 };

	(void)state;
	t.opt = &opt;
	t.theme = mem_calloc(1, sizeof(*t.theme));
	assert_int_equal(palette_run(&t, "theme light", &e), 0);
	assert_true(t.new_theme);
	t.new_theme = false;
	assert_int_equal(palette_run(&t, "theme lihgt", &e), 0);
	assert_false(t.new_theme);
	assert_string_equal(t.theme->name, "light");
	assert_non_null(strstr(t.model.news, "lihgt"));
}

static void draw__every_size_down_to_one_cell__is_safe(void **state)
{
	(void)state;
	for (int rows = 0; rows <= 40; rows += 1)
		for (int cols = 0; cols <= 130; cols += rows % 7 + 1) {
			canvas_resize(&c, rows, cols);
			for (int v = 0; v < VIEWS; v++) {
				tui_show(&t, (enum view_id)v);
				tui_draw(&t, &c);
			}
		}
	canvas_resize(&c, 19, 80);
	assert_true(screen_has("bascule needs 80x20, has 80x19"));
	canvas_resize(&c, 20, 80);
	assert_false(screen_has("needs"));
}

static void draw__bottom_row__shows_the_live_keys(void **state)
{
	(void)state;
	assert_true(screen_has("? help"));
	assert_int_equal(keymap_load(t.keys, SV("[keys]\nhelp = Z\n"), "keys.ini", &e), 0);
	assert_true(screen_has("Z help"));
	assert_false(screen_has("? help"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(show__views_and_back__goes_the_same_way),
		CASE(back__at_the_first_view__asks_before_it_leaves),
		CASE(start__no_plan__teaches_the_key),
		CASE(start__not_armed__teaches_the_key_and_asks_nothing),
		CASE(start__another_environment_armed__is_refused),
		CASE(start__read_only_console__cannot_be_armed),
		CASE(start__closed_gate__says_rule_and_way_out),
		CASE(start__protected__wants_the_name_typed),
		CASE(confirm__paste__is_dropped_and_said),
		CASE(paste__no_prompt__runs_no_action),
		CASE(paste__into_the_palette__is_text_without_enter),
		CASE(watch__run_that_is_not_there_yet__shows_nothing_of_the_plan),
		CASE(events__another_environment__shows_none_of_the_old),
		CASE(arm__again__disarms),
		CASE(find__typed__is_kept_by_enter_and_undone_by_esc),
		CASE(prompt__long_text__stays_within_its_buffer),
		CASE(prompt__keys_that_are_no_text__change_nothing),
		CASE(palette__history__is_gone_through),
		CASE(palette__tab__completes_what_is_certain),
		CASE(palette__unknown_and_surplus_words__are_refused),
		CASE(theme__unknown__is_refused_and_the_old_stays),
		CASE(draw__every_size_down_to_one_cell__is_safe),
		CASE(draw__bottom_row__shows_the_live_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
