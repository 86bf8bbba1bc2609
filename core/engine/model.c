/* SPDX-License-Identifier: MIT */
/*
 * Events into the model. Nothing is computed here: jobs bring finished pictures, and applying one is
 * a swap of pointers and the freeing of the old ones (arenas, a few blocks each), so that a refresh
 * over 10,000 migrations cannot be felt at the keyboard.
 *
 * Jobs finish in any order. Plans, scripts and watched runs carry the number of the request they
 * answer, and only the answer to the last request is taken; without that, a slow plan for staging
 * would replace the one for development that was asked for after it.
 *
 * While old and new are both at hand, what changed between them becomes the news line.
 */
#include "core/engine/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

void model_init(struct model *m, const struct project *p, const struct context *ctx)
{
	*m = (struct model){ .project = p, .ctx = ctx, .armed_env = -1 };
	m->services = mem_calloc(p->n_env + 1, sizeof(*m->services));
}

static void health_drop(struct model *m)
{
	for (size_t i = 0; i < m->health.n; i++) {
		health_result_clear(m->health.list[i]);
		mem_free(m->health.list[i]);
	}
	mem_free(m->health.list);
	m->health.list = NULL;
	m->health.n = 0;
	m->health.over = false;
	err_clear(&m->health.err);
}

void model_health_of(struct model *m, const char *env, uint64_t request)
{
	health_drop(m);
	m->health.request = request;
	str_copy(m->health.env, sizeof(m->health.env), env);
}

static void preflight_drop(struct model *m)
{
	if (m->preflight)
		preflight_clear(m->preflight);
	mem_free(m->preflight);
	m->preflight = NULL;
}

void model_preflight_of(struct model *m, const char *env)
{
	if (strcmp(m->preflight_env, env) == 0)
		return;
	preflight_drop(m);
	err_clear(&m->preflight_err);
	str_copy(m->preflight_env, sizeof(m->preflight_env), env);
}

void model_clear(struct model *m)
{
	snapshot_free(m->snap);
	run_list_free(m->runs, m->n_runs);
	run_free(m->watched);
	plan_free(m->plan);
	script_text_free(m->script);
	history_free(m->events);
	details_free(m->details);
	preflight_drop(m);
	health_drop(m);
	for (size_t i = 0; m->services && i < m->project->n_env; i++)
		services_seen_free(m->services[i]);
	mem_free(m->services);
	mem_free(m->away);
	mem_free(m->asked);
	*m = (struct model){ .armed_env = -1 };
}

void model_news(struct model *m, bool bad, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->news, sizeof(m->news), fmt, ap);
	va_end(ap);
	m->news_bad = bad;
	m->news_utc_ms = m->now_utc_ms;
}

static void news_err(struct model *m, const struct err *e)
{
	model_news(m, true, "%s%s%s", e->msg, e->detail[0] ? ": " : "", e->detail);
}

/* --- What changed ----------------------------------------------------------------------------- */

static void news_of_env(struct model *m, const char *name, const struct env_snapshot *was,
			const struct env_snapshot *now)
{
	if (now->has_db && was->reachable && !now->reachable)
		model_news(m, true, "%s cannot be read: %s", name, now->err.msg);
	else if (now->has_db && !was->reachable && now->reachable)
		model_news(m, false, "%s can be read again", name);
	else if (now->holder.held && !was->holder.held)
		model_news(m, false, "%s locked by %s from %s", name, now->holder.who,
			   now->holder.host);
	else if (was->holder.held && !now->holder.held)
		model_news(m, false, "%s is free again", name);
}

static void news_of_snapshot(struct model *m, const struct snapshot *now)
{
	const struct snapshot *was = m->snap;

	if (!was) {
		if (!now->source)
			model_news(m, true, "%s", now->source_err.msg);
		return;
	}
	for (size_t i = 0; i < now->n_env && i < was->n_env && i < m->project->n_env; i++)
		news_of_env(m, m->project->env[i].name, &was->env[i], &now->env[i]);
	if (was->source && !now->source)
		model_news(m, true, "%s", now->source_err.msg);
	else if (was->source && now->source && was->source->n != now->source->n)
		model_news(m, false, "%zu migration files, were %zu", now->source->n,
			   was->source->n);
}

static void news_of_run(struct model *m, const struct run *was, const struct run *now)
{
	bool bad = now->state == RUN_FAILED || now->state == RUN_INTERRUPTED ||
		   now->state == RUN_PAUSED;

	if (was && was->state == now->state && was->current == now->current)
		return;
	if (was && was->state == now->state && now->current > 0 &&
	    (size_t)now->current <= now->plan->n_step)
		model_news(m, false, "run %s: step %d of %zu, %s", now->number, now->current,
			   now->plan->n_step, now->plan->step[now->current - 1].what);
	else if (!was || was->state != now->state)
		model_news(m, bad, "run %s on %s: %s%s%s", now->number, now->plan->environment,
			   run_state_name(now->state), now->error_msg[0] ? ", " : "",
			   now->error_msg);
}

/* A service that went from well to ill, or back. */
static void news_of_services(struct model *m, const struct env *env, const struct services *was,
			     const struct services *now)
{
	struct strbuf words;

	for (size_t i = 0; i < now->n_unit; i++) {
		const struct service_unit *u = &now->unit[i];
		const struct service_unit *before =
			was && i < was->n_unit && was->unit[i].service == u->service ? &was->unit[i]
										     : NULL;
		bool ok = service_unit_ok(u);

		if (!before || service_unit_ok(before) == ok)
			continue;
		strbuf_init(&words, 400);
		service_words(u, m->now_utc_ms, &words);
		model_news(m, !ok, "%s %s on %s: %s", env->name, u->service->runtime.name,
			   now->host[u->host].name, strbuf_str(&words));
		strbuf_clear(&words);
	}
}

/* --- Applying --------------------------------------------------------------------------------- */

static void apply_snapshot(struct model *m, struct event *ev)
{
	struct snapshot *old = m->snap;

	m->loading = false;
	if (!ev->u.snapshot)
		return;
	news_of_snapshot(m, ev->u.snapshot);
	m->snap = ev->u.snapshot;
	ev->u.snapshot = old;
}

static void apply_runs(struct model *m, struct event *ev)
{
	struct run **old = m->runs;
	size_t n = m->n_runs;

	if (ev->err.code != ERR_OK) {
		news_err(m, &ev->err);
		return;
	}
	if (ev->u.runs.same)
		return;
	m->runs = ev->u.runs.list;
	m->n_runs = ev->u.runs.n;
	m->runs_known = true;
	ev->u.runs.list = old;
	ev->u.runs.n = n;
}

static void apply_run(struct model *m, struct event *ev)
{
	struct run *old = m->watched;

	if (ev->request != m->watch_request)
		return;
	if (ev->err.code != ERR_OK || !ev->u.run) {
		news_err(m, &ev->err);
		return;
	}
	news_of_run(m, old && strcmp(old->id, ev->u.run->id) == 0 ? old : NULL, ev->u.run);
	m->watched = ev->u.run;
	ev->u.run = old;
}

static void apply_plan(struct model *m, struct event *ev)
{
	struct plan *old = m->plan;

	if (ev->request != m->plan_request)
		return;
	m->plan = ev->u.plan.plan;
	ev->u.plan.plan = old;
	m->plan_err = ev->err;
	if (ev->err.code != ERR_OK)
		news_err(m, &ev->err);
}

static void apply_script(struct model *m, struct event *ev)
{
	struct script_text *old = m->script;

	if (ev->request != m->script_request)
		return;
	m->script = ev->u.script;
	ev->u.script = old;
}

static void apply_events(struct model *m, struct event *ev)
{
	struct history *old = m->events;

	if (strcmp(ev->u.events.env, m->events_env) != 0)
		return;
	m->events_err = ev->err;
	m->events = ev->u.events.history;
	ev->u.events.history = old;
}

static void apply_details(struct model *m, struct event *ev)
{
	struct details *old = m->details;

	if (strcmp(ev->u.details.env, m->details_env) != 0)
		return;
	m->details_err = ev->err;
	m->details = ev->u.details.details;
	ev->u.details.details = old;
}

/* A failure leaves the last picture standing, whose age then shows. */
static void apply_preflight(struct model *m, struct event *ev)
{
	struct preflight *old = m->preflight;

	if (strcmp(ev->u.preflight.env, m->preflight_env) != 0)
		return;
	m->preflight_err = ev->err;
	if (!ev->u.preflight.preflight)
		return;
	m->preflight = ev->u.preflight.preflight;
	ev->u.preflight.preflight = old;
}

/* Nothing is known of what was seen before. True when something was. */
static bool forget_host(struct services_seen *seen, const struct host_away *a)
{
	bool forgot;

	if (!seen || !seen->services)
		return false;
	forgot = services_host_away(seen->services, a->name, &a->status, &a->err, a->at_utc_ms);
	for (size_t i = 0; forgot && i < seen->n_health; i++) {
		struct health_result *r = &seen->health[i];

		if (strcmp(r->host, a->name) != 0 || r->last.at_utc_ms > a->at_utc_ms)
			continue;
		r->verdict = HEALTH_UNKNOWN;
		r->err = a->err;
	}
	return forgot;
}

static struct host_away *away_of(struct model *m, const char *name)
{
	for (size_t i = 0; i < m->n_away; i++)
		if (strcmp(m->away[i].name, name) == 0)
			return &m->away[i];
	return NULL;
}

static void apply_host(struct model *m, const struct event *ev)
{
	struct host_away *a = away_of(m, ev->u.host.name);
	bool forgot = false;

	if (ev->u.host.news == HOST_NEWS_BACK) {
		/* What is there now the next look says. */
		if (a)
			*a = m->away[--m->n_away];
		return;
	}
	if (!a) {
		m->away = mem_realloc(m->away, m->n_away + 1, sizeof(*m->away));
		a = &m->away[m->n_away++];
	}
	*a = (struct host_away){ .status = ev->u.host.status,
				 .err = ev->err,
				 .at_utc_ms = ev->u.host.at_utc_ms };
	str_copy(a->name, sizeof(a->name), ev->u.host.name);
	for (size_t i = 0; i < m->project->n_env; i++)
		forgot = forget_host(m->services[i], a) || forgot;
	if (forgot)
		news_err(m, &ev->err);
}

static void apply_services(struct model *m, struct event *ev)
{
	const struct env *env = env_find(m->project, ev->u.services->env);
	struct services_seen **place, *old;

	if (!env)
		return;
	place = &m->services[env_index(m->project, env)];
	old = *place;
	for (size_t i = 0; i < m->n_away; i++)
		(void)forget_host(ev->u.services, &m->away[i]);
	if (ev->u.services->services)
		news_of_services(m, env, old ? old->services : NULL, ev->u.services->services);
	*place = ev->u.services;
	ev->u.services = old;
}

/* The newest of each service and host stays. */
static void apply_health(struct model *m, struct event *ev)
{
	struct health_result *now = ev->u.health.result;

	if (ev->request != m->health.request)
		return;
	m->health.over = ev->u.health.last;
	if (ev->err.code != ERR_OK)
		m->health.err = ev->err;
	if (!now)
		return;
	ev->u.health.result = NULL;
	for (size_t i = 0; i < m->health.n; i++) {
		struct health_result *was = m->health.list[i];

		if (was->service != now->service || strcmp(was->host, now->host) != 0)
			continue;
		m->health.list[i] = now;
		ev->u.health.result = was;
		return;
	}
	m->health.list = mem_realloc(m->health.list, m->health.n + 1,
				     sizeof(struct health_result *));
	m->health.list[m->health.n++] = now;
}

static void apply_exported(struct model *m, const struct event *ev)
{
	if (ev->err.code != ERR_OK)
		news_err(m, &ev->err);
	else
		model_news(m, false, "%lld lines written to %s", (long long)ev->u.exported.lines,
			   ev->u.exported.path);
}

/* --- What hosts ask ----------------------------------------------------------------------------- */

/* The newest question of a host is the one that counts. */
static void apply_question(struct model *m, const struct host_question *q)
{
	struct asked *a = NULL;

	for (size_t i = 0; i < m->n_asked && !a; i++)
		if (strcmp(m->asked[i].q.host, q->host) == 0)
			a = &m->asked[i];
	if (!a) {
		m->asked = mem_realloc(m->asked, m->n_asked + 1, sizeof(*m->asked));
		a = &m->asked[m->n_asked++];
		*a = (struct asked){ 0 };
	}
	a->left = a->left && a->q.id == q->id;
	a->q = *q;
}

/* One passphrase opens its key for every host that asks for it. */
static bool same_answer(const struct host_question *a, const struct host_question *b)
{
	if (strcmp(a->host, b->host) == 0 && a->id == b->id)
		return true;
	return a->kind == HOST_QUESTION_PASSPHRASE && b->kind == a->kind &&
	       strcmp(a->subject, b->subject) == 0;
}

void model_answered(struct model *m, const struct host_question *q)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_asked; i++)
		if (!same_answer(&m->asked[i].q, q))
			m->asked[n++] = m->asked[i];
	m->n_asked = n;
}

void model_apply(struct model *m, struct event *ev)
{
	switch (ev->type) {
	case EV_SNAPSHOT:
		apply_snapshot(m, ev);
		break;
	case EV_RUNS:
		apply_runs(m, ev);
		break;
	case EV_RUN:
		apply_run(m, ev);
		break;
	case EV_PLAN:
		apply_plan(m, ev);
		break;
	case EV_SCRIPT:
		apply_script(m, ev);
		break;
	case EV_RUN_STARTED:
	case EV_REQUESTED:
		if (ev->err.code != ERR_OK)
			news_err(m, &ev->err);
		break;
	case EV_PREFLIGHT:
		apply_preflight(m, ev);
		break;
	case EV_EVENTS:
		apply_events(m, ev);
		break;
	case EV_DETAILS:
		apply_details(m, ev);
		break;
	case EV_SERVICES:
		apply_services(m, ev);
		break;
	case EV_HEALTH:
		apply_health(m, ev);
		break;
	case EV_HOST:
		apply_host(m, ev);
		break;
	case EV_QUESTION:
		apply_question(m, &ev->u.question);
		break;
	case EV_EXPORTED:
		apply_exported(m, ev);
		break;
	case EV_LOGS: /* the store has a lock of its own; views look into it */
	case EV_TYPES:
		break;
	}
	event_free(ev); /* with what was replaced, or dropped, inside */
}

/* --- Arming and the clock --------------------------------------------------------------------- */

int model_arm(struct model *m, int env, struct err *e)
{
	if (env < 0) {
		m->armed_env = -1;
		m->armed_until_utc_ms = 0;
		return 0;
	}
	if (m->read_only) {
		err_set(e, ERR_GATE, "this console is read-only");
		err_detail(e, "it was started with --read-only, which cannot be armed");
		return err_hint(e, "start it without --read-only");
	}
	m->armed_env = env;
	m->armed_until_utc_ms = m->now_utc_ms + MODEL_ARM_MS;
	return 0;
}

int64_t model_armed_left_ms(const struct model *m, int env)
{
	int64_t left = m->armed_until_utc_ms - m->now_utc_ms;

	/* More than the whole time left: the clock was set back. That must not arm for longer. */
	if (env < 0 || m->armed_env != env || left <= 0 || left > MODEL_ARM_MS)
		return 0;
	return left;
}

bool model_tick(struct model *m, int64_t now_utc_ms)
{
	m->now_utc_ms = now_utc_ms;
	if (m->armed_env < 0 || model_armed_left_ms(m, m->armed_env) > 0)
		return false;
	m->armed_env = -1;
	m->armed_until_utc_ms = 0;
	model_news(m, false, "read-only again: the five minutes are over");
	return true;
}

bool model_ticking(const struct model *m)
{
	if (m->armed_env >= 0)
		return true;
	if (m->watched && m->watched->state == RUN_RUNNING)
		return true;
	for (size_t i = 0; i < m->n_runs; i++)
		if (m->runs[i]->state == RUN_RUNNING)
			return true;
	return false;
}

const struct run *model_active_run(const struct model *m, const char *environment)
{
	for (size_t i = 0; i < m->n_runs; i++) {
		const struct run *r = m->runs[i];

		if ((r->state == RUN_RUNNING || r->state == RUN_PAUSED ||
		     r->state == RUN_INTERRUPTED) &&
		    strcmp(r->plan->environment, environment) == 0)
			return r;
	}
	return NULL;
}
