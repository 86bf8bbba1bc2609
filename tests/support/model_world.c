/* SPDX-License-Identifier: MIT */
/*
 * The shop as the model sees it. Everything goes through tui_event(), as in the console, so that
 * the views get their calls. The facts are plan_world's; model_world_show() gives them to the
 * snapshot, and what world_clear() would free a second time is taken out of the world at the end.
 */
#include "tests/support/model_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/golden.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static const char *const titles[] = { "customers",     "products",      "orders",
				      "order items",   "order indexes", "payments",
				      "inventory",     "coupons",       "backfill welcome coupon",
				      "stock trigger", "audit",         "order status" };

void model_world_init(struct model_world *m)
{
	*m = (struct model_world){ .ctx = { .who = "dana", .host = "jump" } };
	world_init(&m->w);
	world_fill(&m->w, 12, 10, 8, 6);
	for (size_t i = 0; i < 12; i++)
		m->w.facts.source->list[i].title = titles[i];
	m->w.facts.source->list[8].down = DOWN_NONE;
	m->w.facts.source->list[8].down_checksum[0] = '\0';
	world_rolled_back(&m->w, STAGING, "0008");
	world_applied(&m->w, STAGING, "0008", "4f1c09aa62a7");
	snprintf(m->w.facts.source->list[7].checksum, CHECKSUM_SIZE, "s1:9be2d1c3774e");
	world_rolled_back(&m->w, DEV, "0008");
	world_applied(&m->w, DEV, "0008", "9be2d1c3774e");
	tui_init(&m->t, &m->w.project, &m->ctx);
	model_tick(&m->t.model, MODEL_WORLD_NOW);
}

void model_world_clear(struct model_world *m)
{
	tui_clear(&m->t);
	if (m->shown) {
		m->w.facts.source = NULL;
		memset(m->w.facts.history, 0, WORLD_ENVS * sizeof(*m->w.facts.history));
	}
	world_clear(&m->w);
}

void model_world_date(struct model_world *m)
{
	static const char *const who[WORLD_ENVS] = { "ci", "bob", "alice" };
	static const int64_t ago[WORLD_ENVS] = { 27 * MINUTE_MS, 2 * HOUR_MS, 3 * 24 * HOUR_MS };

	for (int env = 0; env < WORLD_ENVS; env++) {
		struct history *h = m->w.facts.history[env];

		for (size_t i = 0; h && i < h->n; i++) {
			struct applied *a = &h->list[i];

			if (!a->title[0] && i < 12)
				a->title = titles[i];
			if (a->at_utc_ms)
				continue;
			/* The newest batch is as old as ago says, what came before a week older. */
			a->at_utc_ms = MODEL_WORLD_NOW - ago[env] -
				       (i + 3 < h->n ? 7 * 24 * HOUR_MS : 0) + (int64_t)i * 1000;
			a->who = who[env];
			a->host = "laptop";
			a->run = arena_printf(&m->w.arena, "%d-9f3c2a", 110 + env);
			a->took_ms = 120 * (env + 1) + (i == 5 ? 37500 * env : 0);
		}
	}
}

static void env_facts(struct model_world *m, int i, struct env_snapshot *s)
{
	s->has_db = true;
	s->reachable = true;
	s->open_us = 900 + 400 * i;
	s->at_utc_ms = MODEL_WORLD_NOW - 2000;
	snprintf(s->info.engine, sizeof(s->info.engine), "sqlite");
	snprintf(s->info.version, sizeof(s->info.version), "3.40.1");
	s->info.size_bytes = (int64_t)4300000 << (4 * i);
	s->history = m->w.facts.history[i];
	if (i != PROD)
		return;
	s->has_backup = s->backup_verified = true;
	s->backup_utc_ms = MODEL_WORLD_NOW - HOUR_MS;
	s->backup_bytes = INT64_C(1090000000);
	s->holder = *m->w.facts.holder;
}

static void env_unreadable(struct model_world *m, int i, struct env_snapshot *s)
{
	s->reachable = false;
	s->history = NULL;
	err_set(&s->err, ERR_NOT_FOUND, "cannot open the database");
	err_detail(&s->err, "/srv/shop/%s.db: no such file", m->w.project.env[i].name);
	err_hint(&s->err, "bascule create %s", m->w.project.env[i].name);
	m->w.facts.history_err[i] = s->err;
	history_free(m->w.facts.history[i]);
	m->w.facts.history[i] = NULL;
}

static struct plan *next_plan(struct model_world *m, int env)
{
	const struct plan_request kept = m->w.request;
	struct plan *p;

	m->w.request = (struct plan_request){ .environment = m->w.project.env[env].name,
					      .towards = m->w.project.env[env].requires };
	if (env != PROD) { /* the holder in the world is production's */
		struct lock_holder holder = *m->w.facts.holder;

		*m->w.facts.holder = (struct lock_holder){ 0 };
		(void)world_plan(&m->w, OP_MIGRATE);
		*m->w.facts.holder = holder;
	} else {
		(void)world_plan(&m->w, OP_MIGRATE);
	}
	p = m->w.plan;
	m->w.plan = NULL;
	m->w.request = kept;
	return p;
}

static void post_snapshot(struct model_world *m, struct snapshot *snap)
{
	struct event *ev = event_new(EV_SNAPSHOT, 0);

	ev->u.snapshot = snap;
	m->shown = true;
	tui_event(&m->t, ev);
}

static struct snapshot *new_snapshot(struct model_world *m, int unreadable)
{
	struct snapshot *snap = mem_calloc(1, sizeof(*snap));
	struct matrix_column col[WORLD_ENVS];

	model_world_date(m);
	snap->at_utc_ms = MODEL_WORLD_NOW - 2000;
	snap->n_env = WORLD_ENVS;
	snap->env = mem_calloc(WORLD_ENVS, sizeof(*snap->env));
	for (int i = 0; i < WORLD_ENVS; i++) {
		env_facts(m, i, &snap->env[i]);
		if (i == unreadable)
			env_unreadable(m, i, &snap->env[i]);
	}
	for (int i = 0; i < WORLD_ENVS; i++) {
		col[i] = (struct matrix_column){ snap->env[i].history, true, NULL };
		if (snap->env[i].history && m->w.facts.source)
			snap->env[i].next = next_plan(m, i);
	}
	snap->source = m->w.facts.source;
	snap->matrix = matrix_build(snap->source, col, WORLD_ENVS, m->w.project.schema_version);
	return snap;
}

void model_world_show(struct model_world *m, int unreadable)
{
	post_snapshot(m, new_snapshot(m, unreadable));
}

void model_world_show_no_source(struct model_world *m)
{
	struct snapshot *snap;

	source_free(m->w.facts.source);
	m->w.facts.source = NULL;
	snap = new_snapshot(m, -1);
	err_set(&snap->source_err, ERR_SYSTEM, "cannot read the migrations");
	err_detail(&snap->source_err, "/srv/shop/sql/up: permission denied");
	err_hint(&snap->source_err, "chmod +rx /srv/shop/sql/up, or run as its owner");
	post_snapshot(m, snap);
}

/* --- Plans and runs --------------------------------------------------------------------------- */

void model_world_plan(struct model_world *m, enum operation op)
{
	struct event *ev = event_new(EV_PLAN, 0);

	model_world_date(m);
	if (world_plan(&m->w, op) != 0)
		fail_msg("%s (%s)", m->w.e.msg, m->w.e.detail);
	ev->u.plan.plan = m->w.plan;
	m->w.plan = NULL;
	tui_event(&m->t, ev);
	tui_show(&m->t, VIEW_PLAN);
}

void model_world_plan_fails(struct model_world *m)
{
	struct event *ev = event_new(EV_PLAN, 0);

	err_set(&ev->err, ERR_NOT_FOUND, "cannot read the history of staging");
	err_detail(&ev->err, "/srv/shop/staging.db: no such file");
	err_hint(&ev->err, "bascule create staging");
	tui_event(&m->t, ev);
	tui_show(&m->t, VIEW_PLAN);
}

static void fill_step(struct run_step *s, const struct step *plan, int at, int current)
{
	static const char *const words[STEP_KINDS] = { [STEP_LOCK] = "epoch 7",
						       [STEP_GATES] = "9 of 9 gates open",
						       [STEP_BACKUP] = "1090000000 bytes, verified",
						       [STEP_UP] = "3 statements",
						       [STEP_DOWN] = "2 statements" };

	s->took_ms = -1;
	if (at >= current)
		return;
	s->state = STEP_DONE;
	s->took_ms = plan->kind == STEP_BACKUP ? 58100 : 120 * at;
	s->started_utc_ms = MODEL_WORLD_NOW - 2 * MINUTE_MS;
	snprintf(s->text, sizeof(s->text), "%s", words[plan->kind] ? words[plan->kind] : "");
}

struct run *model_world_run(struct model_world *m, enum operation op, int number,
			    enum run_state state, int current)
{
	struct run *r = mem_calloc(1, sizeof(*r));

	model_world_date(m);
	if (world_plan(&m->w, op) != 0)
		fail_msg("%s (%s)", m->w.e.msg, m->w.e.detail);
	r->plan = m->w.plan;
	m->w.plan = NULL;
	snprintf(r->id, sizeof(r->id), "%d-9f3c2a", number);
	snprintf(r->number, sizeof(r->number), "%d", number);
	snprintf(r->who, sizeof(r->who), "alice");
	snprintf(r->from, sizeof(r->from), "laptop");
	r->state = state;
	r->current = current;
	r->created_utc_ms = r->started_utc_ms = MODEL_WORLD_NOW - 2 * MINUTE_MS;
	r->runner_alive = state == RUN_RUNNING || state == RUN_PAUSED;
	r->exit_code = -1;
	r->chain.lines = 23;
	if (run_state_ended(state))
		r->ended_utc_ms = MODEL_WORLD_NOW - MINUTE_MS;
	r->step = mem_calloc(r->plan->n_step, sizeof(*r->step));
	for (int i = 0; i < (int)r->plan->n_step; i++)
		fill_step(&r->step[i], &r->plan->step[i], i + 1, current);
	if (state == RUN_RUNNING && current > 0) {
		r->step[current - 1].state = STEP_RUNNING;
		r->step[current - 1].started_utc_ms = MODEL_WORLD_NOW - 31400;
	}
	return r;
}

void model_world_watch(struct model_world *m, struct run *r)
{
	struct event *ev = event_new(EV_RUN, 0);

	ev->u.run = r;
	tui_event(&m->t, ev);
	tui_show(&m->t, VIEW_PLAN);
}

void model_world_runs(struct model_world *m, struct run **run, size_t n)
{
	struct event *ev = event_new(EV_RUNS, 0);

	ev->u.runs.list = mem_calloc(n + 1, sizeof(*run));
	for (size_t i = 0; i < n; i++)
		ev->u.runs.list[i] = run[i];
	ev->u.runs.n = n;
	tui_event(&m->t, ev);
	tui_show(&m->t, VIEW_RUNS);
}

/* --- Scripts and events ----------------------------------------------------------------------- */

void model_world_script(struct model_world *m, int env, const char *id, const char *file,
			const char *stored)
{
	struct event *ev = event_new(EV_SCRIPT, 0);
	struct script_text *s = mem_calloc(1, sizeof(*s));

	snprintf(s->env, sizeof(s->env), "%s", m->w.project.env[env].name);
	snprintf(s->ns, sizeof(s->ns), "main");
	snprintf(s->id, sizeof(s->id), "%s", id);
	s->file_text = file ? mem_strdup(file) : NULL;
	s->stored_text = stored ? mem_strdup(stored) : NULL;
	s->same = !stored;
	ev->u.script = s;
	tui_event(&m->t, ev);
}

static struct history_event event_of(const struct applied *a, int64_t seq)
{
	return (struct history_event){ .seq = seq,
				       .ns = a->ns,
				       .id = a->id,
				       .title = a->title,
				       .sort_key = a->sort_key,
				       .kind = EVENT_APPLIED,
				       .generation = 1,
				       .checksum = a->checksum,
				       .run = a->run,
				       .who = a->who,
				       .host = a->host,
				       .at_utc_ms = a->at_utc_ms,
				       .took_ms = a->took_ms };
}

void model_world_events(struct model_world *m, int env, const struct history_event *more, size_t n)
{
	struct event *ev = event_new(EV_EVENTS, 0);
	const struct history *h = m->w.facts.history[env];
	struct history *copy = mem_calloc(1, sizeof(*copy));
	int64_t seq = 0;

	arena_init(&copy->arena);
	copy->event = mem_calloc(h->n + n + 1, sizeof(*copy->event));
	for (size_t i = 0; i < h->n; i++) {
		const struct migration *file = source_find(m->w.facts.source, "main",
							   h->list[i].id);

		if (!h->list[i].applied)
			continue;
		copy->event[seq] = event_of(&h->list[i], seq + 1);
		if (file)
			copy->event[seq].title = file->title;
		seq++;
	}
	for (size_t i = 0; i < n; i++, seq++) {
		copy->event[seq] = more[i];
		copy->event[seq].seq = seq + 1;
	}
	copy->n_event = (size_t)seq;
	snprintf(ev->u.events.env, sizeof(ev->u.events.env), "%s", m->w.project.env[env].name);
	ev->u.events.history = copy;
	tui_event(&m->t, ev);
}

/* --- Screens ---------------------------------------------------------------------------------- */

void model_world_open_gate(struct model_world *m)
{
	world_rolled_back(&m->w, STAGING, "0008");
	world_applied(&m->w, STAGING, "0008", "9be2d1c3774e");
}

void model_world_arm(struct model_world *m)
{
	struct err e;

	if (model_arm(&m->t.model, PROD, &e) != 0)
		fail_msg("%s", e.msg);
	(void)model_tick(&m->t.model, MODEL_WORLD_NOW + 48000);
}

void model_world_golden(struct model_world *m, const char *name, int cols, int rows, bool ascii)
{
	struct canvas c;
	struct strbuf b;
	char path[96];

	canvas_init(&c, rows, cols, ascii);
	tui_draw(&m->t, &c);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	canvas_dump(&c, &b);
	strbuf_adds(&b, "\nroles:\n");
	canvas_dump_roles(&c, &b);
	snprintf(path, sizeof(path), "screens/%s.txt", name);
	golden_compare(path, strbuf_str(&b));
	strbuf_clear(&b);
	canvas_clear(&c);
}
