/* SPDX-License-Identifier: MIT */
#include "tests/support/plan_world.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void init_env(struct world *w, int i, const char *name)
{
	struct env *env = &w->project.env[i];

	*env = (struct env){
		.name = name,
		.has_db = true,
		.dsn = { .engine = "sqlite" },
		.undo_migrations = UNDO_ALWAYS,
		.pause_limit_ms = 1800000,
		.lock_timeout_ms = 5000,
		.lock_stale_ms = 120000,
	};
	env->dsn.path = arena_printf(&w->arena, "/srv/shop/%s.db", name);
	env->dsn.shown = arena_printf(&w->arena, "sqlite:%s", env->dsn.path);
}

void world_init(struct world *w)
{
	struct env *env;

	memset(w, 0, sizeof(*w));
	arena_init(&w->arena);
	env = arena_alloc(&w->arena, WORLD_ENVS * sizeof(*env));
	w->project = (struct project){
		.name = "shop",
		.config_path = "/srv/shop/bascule.ini",
		.config_dir = "/srv/shop",
		.migrations = "/srv/shop/sql",
		.env = env,
		.n_env = WORLD_ENVS,
	};
	memset(w->project.config_digest, 'c', 64);
	init_env(w, DEV, "development");
	init_env(w, STAGING, "staging");
	init_env(w, PROD, "production");
	env[STAGING].requires = "development";
	env[PROD].requires = "staging";
	env[PROD].is_protected = true;
	env[PROD].confirm = CONFIRM_NAME;
	env[PROD].backup = BACKUP_BEFORE_MIGRATE;
	w->facts.source = mem_calloc(1, sizeof(*w->facts.source));
	w->facts.source->dir = w->project.migrations;
	w->facts.source->layout = "up-down-folders";
	w->facts.source->ns = "main";
	w->facts.n_env = WORLD_ENVS;
	w->facts.history = mem_calloc(WORLD_ENVS, sizeof(struct history *));
	w->facts.history_err = mem_calloc(WORLD_ENVS, sizeof(struct err));
	w->facts.holder = mem_calloc(1, sizeof(*w->facts.holder));
	for (int i = 0; i < WORLD_ENVS; i++) {
		w->facts.history[i] = mem_calloc(1, sizeof(struct history));
		w->facts.history[i]->format = 1;
	}
}

void world_clear(struct world *w)
{
	plan_free(w->plan);
	plan_facts_clear(&w->facts);
	arena_clear(&w->arena);
}

static const char *checksum(struct world *w, const char *text)
{
	return arena_printf(&w->arena, "s1:%s", text);
}

struct migration *world_file(struct world *w, const char *id, const char *title, const char *text)
{
	struct source *s = w->facts.source;
	struct migration *list = arena_alloc(&s->arena, (s->n + 1) * sizeof(*list)), *m;
	const char *key = migration_sort_key(&s->arena, sv_of(id));
	size_t at = 0;

	while (at < s->n && strcmp(s->list[at].sort_key, key) < 0)
		at++;
	if (s->n) {
		memcpy(list, s->list, at * sizeof(*list));
		memcpy(list + at + 1, s->list + at, (s->n - at) * sizeof(*list));
	}
	m = &list[at];
	*m = (struct migration){
		.ns = "main", .id = id, .title = title, .sort_key = key, .down = DOWN_SQL
	};
	m->up_path = arena_printf(&s->arena, "up/%s_%s.sql", id, text);
	m->down_path = arena_printf(&s->arena, "down/%s_%s.sql", id, text);
	snprintf(m->checksum, sizeof(m->checksum), "s1:%s", text);
	snprintf(m->down_checksum, sizeof(m->down_checksum), "s1:down-%s", text);
	s->list = list;
	s->n++;
	return m;
}

void world_remove_file(struct world *w, const char *id)
{
	struct source *s = w->facts.source;

	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->list[i].id, id) != 0)
			continue;
		memmove(s->list + i, s->list + i + 1, (s->n - i - 1) * sizeof(*s->list));
		s->n--;
		return;
	}
	fail_msg("no file %s to remove", id);
}

/* --- Events --------------------------------------------------------------------------------------- */

static struct applied *entry(struct world *w, int env, const char *id)
{
	struct history *h = w->facts.history[env];
	const char *key = migration_sort_key(&h->arena, sv_of(id));
	struct applied *list, *a;
	size_t at = 0;

	while (at < h->n && strcmp(h->list[at].sort_key, key) < 0)
		at++;
	if (at < h->n && strcmp(h->list[at].id, id) == 0)
		return &h->list[at];
	list = arena_alloc(&h->arena, (h->n + 1) * sizeof(*list));
	if (h->n) {
		memcpy(list, h->list, at * sizeof(*list));
		memcpy(list + at + 1, h->list + at, (h->n - at) * sizeof(*list));
	}
	a = &list[at];
	*a = (struct applied){ .ns = "main",
			       .id = arena_strdup(&h->arena, id),
			       .sort_key = key,
			       .title = "",
			       .who = "bob",
			       .host = "ci" };
	h->list = list;
	h->n++;
	return a;
}

static struct applied *in_force(struct world *w, int env, const char *id, const char *text)
{
	struct applied *a = entry(w, env, id);

	w->facts.history[env]->n_applied += !a->applied;
	a->applied = true;
	a->failed = a->failed_down = a->accepted = a->baselined = false;
	a->generation++;
	a->checksum = checksum(w, text);
	a->down_checksum = arena_printf(&w->arena, "s1:down-%s", text);
	a->seq = a->script_seq = ++w->seq;
	return a;
}

struct applied *world_applied(struct world *w, int env, const char *id, const char *text)
{
	struct applied *a = in_force(w, env, id, text);

	a->ran_checksum = a->checksum;
	a->took_ms = 120;
	return a;
}

struct applied *world_baselined(struct world *w, int env, const char *id, const char *text)
{
	struct applied *a = in_force(w, env, id, text);

	a->baselined = true;
	return a;
}

struct applied *world_accepted(struct world *w, int env, const char *id, const char *text)
{
	struct applied *a = entry(w, env, id);

	a->failed = a->failed_down = false;
	a->accepted_attempts++;
	if (a->applied) {
		a->accepted = true;
		a->checksum = text ? checksum(w, text) : NULL;
	}
	return a;
}

struct applied *world_failed(struct world *w, int env, const char *id, const char *text)
{
	struct applied *a = entry(w, env, id);

	a->failed = true;
	a->failed_attempts++;
	a->failed_checksum = checksum(w, text);
	a->failed_run = "41-aaaaaa";
	a->error = "no such table: orders";
	return a;
}

struct applied *world_rolled_back(struct world *w, int env, const char *id)
{
	struct applied *a = entry(w, env, id);

	w->facts.history[env]->n_applied -= a->applied;
	a->applied = a->baselined = a->accepted = false;
	a->checksum = a->down_checksum = NULL;
	a->seq = a->script_seq = 0;
	return a;
}

void world_fill(struct world *w, int files, int dev, int staging, int prod)
{
	int upto[WORLD_ENVS] = { dev, staging, prod };

	for (int i = 1; i <= files; i++) {
		const char *id = arena_printf(&w->arena, "%04d", i);
		const char *text = arena_printf(&w->arena, "t%d", i);

		world_file(w, id, arena_printf(&w->arena, "change %d", i), text);
		for (int env = 0; env < WORLD_ENVS; env++) {
			if (i <= upto[env])
				world_applied(w, env, id, text);
		}
	}
}

/* --- Plans ---------------------------------------------------------------------------------------- */

int world_plan(struct world *w, enum operation op)
{
	struct plan *p = NULL;
	int rc;

	w->request.op = op;
	if (!w->request.environment)
		w->request.environment = "production";
	err_clear(&w->e);
	rc = plan_build(&w->project, &w->facts, &w->request, &p, &w->e);
	plan_free(w->plan);
	w->plan = p;
	assert_true((rc == 0) == (p != NULL));
	return rc;
}

const struct gate *world_gate(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->plan->n_gate; i++) {
		if (strcmp(w->plan->gate[i].name, name) == 0)
			return &w->plan->gate[i];
	}
	return NULL;
}

char *world_steps(const struct world *w)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < w->plan->n_step; i++) {
		const struct step *s = &w->plan->step[i];

		strbuf_addf(&b, "%s%s", i ? " " : "", step_kind_name(s->kind));
		if (s->id)
			strbuf_addf(&b, ":%s", s->id);
	}
	return strbuf_detach(&b);
}

bool world_has_note(const struct world *w, const char *part)
{
	for (size_t i = 0; i < w->plan->n_note; i++) {
		if (strstr(w->plan->note[i], part))
			return true;
	}
	return false;
}
