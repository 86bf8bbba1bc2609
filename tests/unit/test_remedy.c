/* SPDX-License-Identifier: MIT */
/*
 * The promise of every refusal: its command, run as printed, changes it. Here the commands are run
 * on the world of plain data: split as a shell would, turned into requests, planned by the same
 * plan_build, refused by the same gates, and their steps become events. The test of the real program
 * runs them on real databases; this one can try many more situations.
 */
#include "core/release/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/plan_world.h"

#define WORDS_MAX 64

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_clear(&w);
	return 0;
}

/* --- A small shell -------------------------------------------------------------------------------- */

/* Words of a command line: blanks separate, single quotes hold together. */
static size_t split(const char *line, char *word[WORDS_MAX])
{
	size_t n = 0;
	struct strbuf b;
	bool quoted = false, any = false;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (;; line++) {
		if (*line == '\'') {
			quoted = !quoted;
			any = true;
		} else if (!*line || (*line == ' ' && !quoted)) {
			if (any) {
				assert_true(n < WORDS_MAX);
				word[n++] = arena_strdup(&w.arena, strbuf_str(&b));
			}
			strbuf_reset(&b);
			any = false;
		} else {
			strbuf_addc(&b, *line);
			any = true;
		}
		if (!*line)
			break;
	}
	assert_false(quoted);
	strbuf_clear(&b);
	return n;
}

static int env_number(const char *name)
{
	const struct env *env = env_find(&w.project, name);

	assert_non_null(env);
	return (int)env_index(&w.project, env);
}

static bool is_option(const char *word, const char *name)
{
	return strcmp(word, name) == 0;
}

/* Arguments behind the environment of one command, as the command line reads them. */
static void read_arguments(char **word, size_t n, struct plan_request *r, bool *confirmed)
{
	struct plan_override *o = arena_alloc(&w.arena, WORDS_MAX * sizeof(*o));

	r->override = o;
	for (size_t i = 0; i < n; i++) {
		bool more = i + 1 < n;

		if (is_option(word[i], "--to") && more)
			r->to = word[++i];
		else if (is_option(word[i], "--override") && more)
			o[r->n_override++].gate = word[++i];
		else if (is_option(word[i], "--reason") && more && r->n_override)
			o[r->n_override - 1].reason = word[++i];
		else if (is_option(word[i], "--reason") && more)
			r->reason = word[++i];
		else if (is_option(word[i], "--confirm") && more)
			*confirmed = strcmp(word[++i], r->environment) == 0;
		else if (is_option(word[i], "--down=file"))
			r->down_from_file = true;
		else if (is_option(word[i], "last") && more)
			assert_true(sv_int(sv_of(word[++i]), 1, 99, &r->last));
		else if (r->op == OP_ACCEPT && word[i][0] != '-')
			r->only = word[i];
		else
			fail_msg("unexpected word %s", word[i]);
	}
}

/* What the runner would leave in the history. */
static void execute(const struct plan *p, int env)
{
	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];
		const char *text = s->checksum ? s->checksum + 3 : NULL;

		if (s->kind == STEP_UP)
			world_applied(&w, env, s->id, text);
		else if (s->kind == STEP_DOWN)
			world_rolled_back(&w, env, s->id);
		else if (s->kind == STEP_RECORD && s->event == EVENT_BASELINED)
			world_baselined(&w, env, s->id, text);
		else if (s->kind == STEP_RECORD)
			world_accepted(&w, env, s->id, text);
	}
}

static char refused_by[64]; /* gate that refused the last command */

/* One `bascule …`. False when it is refused. */
static bool run_command(char **word, size_t n)
{
	struct plan_request r = { 0 };
	struct plan *p;
	struct err e;
	bool confirmed = false, done;
	int op;

	assert_true(n >= 3);
	assert_string_equal(word[0], "bascule");
	op = operation_of(word[1]);
	assert_true(op >= 0);
	r.op = (enum operation)op;
	r.environment = word[2];
	read_arguments(word + 3, n - 3, &r, &confirmed);
	if (env_find(&w.project, r.environment)->is_protected && !confirmed)
		fail_msg("%s wants --confirm", r.environment);
	if (plan_build(&w.project, &w.facts, &r, &p, &e) < 0)
		fail_msg("%s (%s)", e.msg, e.detail);
	done = !plan_closed_gate(p);
	str_copy(refused_by, sizeof(refused_by), done ? "" : plan_closed_gate(p)->name);
	if (!done)
		print_message("refused by %s: %s\n", plan_closed_gate(p)->name,
			      plan_closed_gate(p)->measured);
	else
		execute(p, env_number(r.environment));
	plan_free(p);
	return done;
}

/* A chain `a && b`. */
static bool run_line(const char *line)
{
	char *word[WORDS_MAX];
	size_t n = split(line, word), from = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && strcmp(word[i], "&&") != 0)
			continue;
		if (!run_command(word + from, i - from))
			return false;
		from = i + 1;
	}
	return true;
}

/* Does what each refusal says until production can be migrated. Every command must run to its end, and change
 * the refusal. */
static void follow_advice(size_t rounds)
{
	while (world_plan(&w, OP_MIGRATE) == 0) {
		const struct gate *g = plan_closed_gate(w.plan);
		char *before, *line, *name;

		if (!g)
			return;
		if (rounds-- == 0)
			fail_msg("gate %s is still closed: %s", g->name, g->measured);
		before = arena_strdup(&w.arena, g->measured);
		name = arena_strdup(&w.arena, g->name);
		line = arena_strdup(&w.arena, g->satisfy);
		if (getenv("VERBOSE"))
			print_message("%s: %s\n  %s\n", name, before, line);
		/* An override passes its own gate; the next one then has advice of its own. */
		if (!run_line(line) &&
		    (!strstr(line, "--override") || strcmp(refused_by, name) == 0))
			fail_msg("refused on the way: %s", line);
		if (strncmp(line, "bascule migrate production", 26) == 0)
			return; /* with an override: done */
		assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
		g = plan_closed_gate(w.plan);
		if (g && strcmp(g->name, name) == 0)
			assert_string_not_equal(g->measured, before);
	}
	fail_msg("%s (%s)", w.e.msg, w.e.detail);
}

static void edit_file(size_t i, const char *text)
{
	snprintf(w.facts.source->list[i].checksum, CHECKSUM_SIZE, "s1:%s", text);
}

static void assert_migrated(const char *id)
{
	const struct applied *a;

	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	if (!plan_closed_gate(w.plan))
		execute(w.plan, PROD);
	a = history_find(w.facts.history[PROD], "main", id);
	assert_non_null(a);
	assert_true(a->applied);
}

/* --- Situations ----------------------------------------------------------------------------------- */

static void remedy__goes_through_every_stage__for_what_ran_nowhere(void **state)
{
	(void)state;
	world_fill(&w, 4, 1, 1, 1);
	follow_advice(1);
	assert_migrated("0004");
}

static void remedy__accepts_stage_by_stage__a_file_changed_everywhere(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 3, 2);
	edit_file(0, "edited");
	edit_file(1, "edited too");
	follow_advice(3);
	assert_migrated("0004");
}

static void remedy__runs_again_in_staging__a_text_edited_after_it_ran(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 2);
	edit_file(2, "edited");
	follow_advice(2);
	assert_migrated("0004");
}

static void remedy__overrides_a_baseline__whose_data_is_not_ours(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 1, 1);
	world_baselined(&w, STAGING, "0002", "t2");
	world_baselined(&w, STAGING, "0003", "t3");
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_null(strstr(plan_closed_gate(w.plan)->satisfy, "rollback"));
	follow_advice(3);
}

static void remedy__gets_past__a_failure_in_staging(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 1, 1);
	world_failed(&w, STAGING, "0002", "t2");
	follow_advice(2);
	assert_migrated("0003");
}

static void remedy__gets_past__failures_here_and_there(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 2, 1);
	world_failed(&w, STAGING, "0003", "t3");
	world_failed(&w, PROD, "0002", "t2");
	follow_advice(3);
	assert_migrated("0003");
}

static void remedy__overrides_what_is_late__in_staging_too(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 4);
	world_rolled_back(&w, DEV, "0002");
	world_rolled_back(&w, STAGING, "0002");
	world_rolled_back(&w, PROD, "0002");
	follow_advice(3);
	assert_migrated("0002");
}

static void remedy__accepts_missing_files__in_every_stage(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 3, 3);
	world_remove_file(&w, "0001");
	world_remove_file(&w, "0002");
	follow_advice(4);
	assert_migrated("0004");
}

static void remedy__overrides__when_too_much_is_in_the_way(void **state)
{
	(void)state;
	world_fill(&w, 9, 9, 8, 8);
	for (size_t i = 0; i < 6; i++)
		edit_file(i, "edited");
	world_file(&w, "0010", "new", "t10");
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_non_null(
		strstr(world_gate(&w, "staging-passed")->satisfy, "--override staging-passed"));
}

static void remedy__of_baseline_and_accept__opens_them(void **state)
{
	(void)state;
	world_fill(&w, 3, 1, 1, 1);
	assert_int_equal(world_plan(&w, OP_BASELINE), 0);
	assert_true(run_line(plan_closed_gate(w.plan)->satisfy));
	assert_int_equal(world_plan(&w, OP_BASELINE), 0);
	assert_null(plan_closed_gate(w.plan));
	edit_file(0, "edited");
	w.request.only = "0001";
	w.request.reason = "why";
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_true(run_line(plan_closed_gate(w.plan)->satisfy));
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_null(plan_closed_gate(w.plan));
}

/* Many worlds from a fixed seed: whatever the mixture, the advice can be followed to its end. */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static void disturb(uint32_t *seed)
{
	size_t files = w.facts.source->n;
	uint32_t n = next_random(seed) % 4;

	for (uint32_t i = 0; i < n; i++) {
		int env = (int)(next_random(seed) % WORLD_ENVS);
		const struct migration *m = &w.facts.source->list[next_random(seed) % files];
		const struct applied *a = history_find(w.facts.history[env], "main", m->id);

		switch (next_random(seed) % 4) {
		case 0:
			snprintf(w.facts.source->list[next_random(seed) % files].checksum,
				 CHECKSUM_SIZE, "s1:edited%u", (unsigned)i);
			break;
		case 1:
			if (a && a->applied)
				world_rolled_back(&w, env, m->id);
			break;
		case 2:
			if (!a || !a->applied)
				world_failed(&w, env, m->id, m->checksum + 3);
			break;
		default:
			if (!a || !a->applied)
				world_baselined(&w, env, m->id, m->checksum + 3);
			break;
		}
	}
}

static void remedy__can_be_followed__in_any_mixture(void **state)
{
	uint32_t seed = 20261121;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		int dev = 1 + (int)(next_random(&seed) % 6),
		    staging = (int)(next_random(&seed) % 6);

		world_clear(&w);
		world_init(&w);
		world_fill(&w, 6, dev, staging, (int)(next_random(&seed) % 5));
		disturb(&seed);
		follow_advice(12);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(remedy__goes_through_every_stage__for_what_ran_nowhere),
		CASE(remedy__accepts_stage_by_stage__a_file_changed_everywhere),
		CASE(remedy__runs_again_in_staging__a_text_edited_after_it_ran),
		CASE(remedy__overrides_a_baseline__whose_data_is_not_ours),
		CASE(remedy__gets_past__a_failure_in_staging),
		CASE(remedy__gets_past__failures_here_and_there),
		CASE(remedy__overrides_what_is_late__in_staging_too),
		CASE(remedy__accepts_missing_files__in_every_stage),
		CASE(remedy__overrides__when_too_much_is_in_the_way),
		CASE(remedy__of_baseline_and_accept__opens_them),
		CASE(remedy__can_be_followed__in_any_mixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
