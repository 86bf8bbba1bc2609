/* SPDX-License-Identifier: MIT */
/*
 * Any keys in any order at any size, while jobs bring news: nothing crashes, nothing is drawn
 * outside, production never loses its mark, and nothing asks to be started on an environment that is
 * not armed. The walk is random and the same each time; under the sanitizers every draw is checked to
 * the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/log_world.h"

#define STEPS 8000

static struct model_world m;
static struct canvas c;
static uint64_t seed;
static bool plans;     /* plans are made again when a key has thrown one away */
static int n_confirms; /* how often the walk came to the typed confirmation */
static bool services;  /* services are seen, logs come, hosts ask */
static struct log_world l;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static int setup(void **state)
{
	(void)state;
	seed = 20261121;
	plans = false;
	services = false;
	n_confirms = 0;
	model_world_init(&m);
	canvas_init(&c, 36, 120, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	canvas_clear(&c);
	model_world_clear(&m);
	if (services)
		log_world_clear(&l);
	return 0;
}

/* What a hand on the keyboard may send: mostly letters, often the keys that open and close. */
static int32_t any_key(void)
{
	static const int32_t often[] = { 27,
					 '\r',
					 '\t',
					 ':',
					 '/',
					 '\\',
					 ' ',
					 '!',
					 KEYS_UP,
					 KEYS_DOWN,
					 KEYS_LEFT,
					 KEYS_RIGHT,
					 KEYS_HOME,
					 KEYS_END,
					 KEYS_PAGE_UP,
					 KEYS_PAGE_DOWN,
					 'p',
					 'b',
					 'A',
					 'D',
					 '1',
					 '2',
					 '5',
					 '9',
					 '8',
					 '4',
					 '0',
					 'L',
					 '?',
					 KEYS_BACKSPACE,
					 0x6570,
					 0x301,
					 KEYS_PASTE_BEGIN,
					 KEYS_PASTE_END };

	return any(3) ? often[any(sizeof(often) / sizeof(often[0]))] : (int32_t)(' ' + any(95));
}

/* As the loop gives a key to the console. */
static void press(int32_t key)
{
	struct tui *t = &m.t;
	enum prompt_kind was = t->prompt.kind;

	if (t->prompt.kind != PROMPT_NONE || t->prompt.pasting || key == KEYS_PASTE_BEGIN)
		prompt_key(t, key);
	else
		tui_action(t, keymap_action(t->keys, key), NULL);
	if (was != PROMPT_CONFIRM && t->prompt.kind == PROMPT_CONFIRM) {
		n_confirms++;
		assert_true(model_armed_left_ms(&t->model, PROD) > 0);
	}
}

static void draw(void)
{
	if (any(20) == 0)
		canvas_resize(&c, 1 + (int)any(60), 1 + (int)any(200));
	c.ascii = any(10) == 0;
	tui_draw(&m.t, &c);
	assert_true(c.cursor_row < c.rows && c.cursor_col < c.cols);
	for (int i = 0; i < c.rows * c.cols; i++)
		assert_true(c.cell[i].role < ROLES);
}

static bool canvas_has(const char *text)
{
	struct strbuf b;
	bool found;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	canvas_dump(&c, &b);
	found = strstr(strbuf_str(&b), text) != NULL;
	strbuf_clear(&b);
	return found;
}

static void services_move(void)
{
	static const char *const lines[] = { "INFO GET / 200",
					     "ERROR \033[2Jbad \342\200\256 thing",
					     "    at nowhere (x.js:1)",
					     "{\"level\":\"warn\",\"msg\":\"\\u001b[2J\",\"n\":1}",
					     "level=debug msg=\"\346\225\260\" a=b",
					     "\377\376 bytes" };
	struct services_seen *seen;
	struct event *ev;

	log_world_line(&l, (int)any(LOG_WORLD_SOURCES), 60000 - any(50000),
		       lines[any(sizeof(lines) / sizeof(lines[0]))]);
	if (any(100) == 0)
		log_world_row(&l, LOG_WORKER, 1000, any(2) ? LOG_GAP : LOG_NOTE, "lost \033[2J");
	if (any(40) == 0)
		tui_event(&m.t, event_new(EV_LOGS, 0));
	if (any(40) == 0) {
		seen = service_world_seen(&m, (int)any(WORLD_ENVS));
		service_world_fail(&seen->services->unit[any((uint32_t)seen->services->n_unit)],
				   137, any(9));
		service_world_post(&m, seen);
	}
	if (any(300) == 0) {
		ev = event_new(EV_QUESTION, 0);
		ev->u.question.kind = any(2) ? HOST_QUESTION_KEY : HOST_QUESTION_PASSPHRASE;
		ev->u.question.id = any(1000);
		snprintf(ev->u.question.host, sizeof(ev->u.question.host), "\033[2Jhost");
		tui_event(&m.t, ev);
	}
}

/* What jobs bring while keys are pressed. */
static void world_moves(void)
{
	uint32_t env = any(WORLD_ENVS);

	if (plans && !m.t.model.plan && any(30) == 0)
		model_world_plan(&m, OP_MIGRATE);
	if (m.w.facts.source && m.w.facts.history[env] && any(60) == 0)
		model_world_events(&m, (int)env, NULL, 0);
	if (services)
		services_move();
	if (any(200) == 0)
		tui_watch(&m.t, NULL);
	if (any(40) == 0)
		(void)model_tick(&m.t.model, m.t.model.now_utc_ms + any(30000));
}

static void walk(void)
{
	for (int i = 0; i < STEPS; i++) {
		world_moves();
		press(any_key());
		draw();
		/* Where the view of environments is all there is to see, production is marked in it. */
		if (m.t.shown == VIEW_ENVS && m.t.prompt.kind == PROMPT_NONE && c.cols >= 80 &&
		    c.rows >= 20 && !canvas_has("#PRODUCTION"))
			fail_msg("step %d: production has no mark", i);
		m.t.quit = m.t.suspend = false;
	}
}

static void walk__with_a_plan__draws_whatever_comes(void **state)
{
	(void)state;
	model_world_open_gate(&m);
	m.w.request = (struct plan_request){ .towards = "staging" };
	model_world_plan(&m, OP_MIGRATE);
	model_world_show(&m, -1);
	plans = true;
	walk();
	assert_true(n_confirms > 0);
}

static void walk__before_anything_was_read__draws_whatever_comes(void **state)
{
	(void)state;
	walk();
}

static void walk__with_trouble__draws_whatever_comes(void **state)
{
	struct run *list[2];

	(void)state;
	m.w.facts.source->list[11].title =
		"\033[2J \342\200\256 \346\225\260\346\215\256 \377 long long long long";
	world_failed(&m.w, DEV, "0012", "t12")->error = "near \"\033[31m\": syntax\nerror\r\n";
	world_remove_file(&m.w, "0003");
	for (int i = 0; i < 2; i++) {
		m.w.request = (struct plan_request){ .environment = "development" };
		list[i] = model_world_run(&m, OP_MIGRATE, 7 + i, i ? RUN_PAUSED : RUN_INTERRUPTED,
					  3);
	}
	model_world_show(&m, STAGING);
	model_world_runs(&m, list, 2);
	m.w.request = (struct plan_request){ .environment = "development" };
	model_world_watch(&m, model_world_run(&m, OP_MIGRATE, 9, RUN_RUNNING, 4));
	walk();
}

static void walk__without_migrations_and_files__draws_whatever_comes(void **state)
{
	(void)state;
	model_world_show_no_source(&m);
	walk();
}

static void walk__with_services_and_logs__draws_whatever_comes(void **state)
{
	(void)state;
	service_world_init(&m);
	log_world_init(&l, &m);
	services = true;
	model_world_show(&m, -1);
	service_world_post_all(&m);
	walk();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(walk__with_a_plan__draws_whatever_comes),
		CASE(walk__before_anything_was_read__draws_whatever_comes),
		CASE(walk__with_trouble__draws_whatever_comes),
		CASE(walk__without_migrations_and_files__draws_whatever_comes),
		CASE(walk__with_services_and_logs__draws_whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
