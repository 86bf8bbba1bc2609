/* SPDX-License-Identifier: MIT */
/*
 * Jobs about services: one look at all hosts of an environment, one check of health with all its attempts, and
 * the questions that hosts have.
 *
 * A look is slow where a host is slow, so each environment has a job of its own beside the snapshot of its
 * database, and never more than one. What it saw is kept for the next one, which tells from both whether
 * something starts again and again.
 */
#include "core/engine/job.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

/* All hosts of one look are asked at the same time; who does not answer within this is shown as such. */
#define LOOK_MS 10000

/* Plain data behind two pointers: the engine keeps one copy, the model gets the other. */
static struct services *services_copied(const struct services *s)
{
	struct services *copy = mem_calloc(1, sizeof(*copy));

	*copy = *s;
	copy->unit = mem_calloc(s->n_unit + 1, sizeof(*s->unit));
	copy->host = mem_calloc(s->n_host + 1, sizeof(*s->host));
	if (s->n_unit)
		memcpy(copy->unit, s->unit, s->n_unit * sizeof(*s->unit));
	if (s->n_host)
		memcpy(copy->host, s->host, s->n_host * sizeof(*s->host));
	return copy;
}

/* --- News of hosts ---------------------------------------------------------------------------- */

void engine_host_news(void *engine, const struct host *h, enum host_news news,
		      const struct host_status *now)
{
	struct engine *g = engine;
	struct event *ev = event_new(EV_HOST, 0);

	str_copy(ev->u.host.name, sizeof(ev->u.host.name), host_name(h));
	ev->u.host.news = news;
	ev->u.host.status = *now;
	ev->u.host.at_utc_ms = clock_utc_ms();
	if (news == HOST_NEWS_SILENT)
		host_silent_err(h, now, &ev->err);
	else if (news == HOST_NEWS_LOST)
		ev->err = now->err;
	event_post(&g->queue, ev);
}

/* --- Questions -------------------------------------------------------------------------------- */

static void ask_about(struct engine *g, const struct host_spec *spec)
{
	struct host *h = hosts_get(g->ctx->hosts, spec);
	struct host_question q;
	struct event *ev;

	if (!host_question(h, &q))
		return;
	ev = event_new(EV_QUESTION, 0);
	ev->u.question = q;
	event_post(&g->queue, ev);
}

void engine_questions(struct engine *g, const struct env *env)
{
	if (!g->ctx->hosts)
		return;
	for (size_t i = 0; i < env->n_host; i++)
		ask_about(g, env->host[i]);
	for (size_t i = 0; i < env->n_service; i++)
		for (size_t k = 0; k < env->service[i].n_host; k++)
			ask_about(g, env->service[i].host[k]);
}

/* The name in a question is that of a host, whichever environment it belongs to. */
static struct host *host_of(const struct engine *g, const char *name)
{
	const struct project *p = g->project;

	for (size_t i = 0; i < p->n_env; i++) {
		const struct env *env = &p->env[i];

		for (size_t k = 0; k < env->n_host; k++)
			if (strcmp(env->host[k]->name, name) == 0)
				return hosts_get(g->ctx->hosts, env->host[k]);
		for (size_t s = 0; s < env->n_service; s++)
			for (size_t k = 0; k < env->service[s].n_host; k++)
				if (strcmp(env->service[s].host[k]->name, name) == 0)
					return hosts_get(g->ctx->hosts, env->service[s].host[k]);
	}
	return NULL;
}

int engine_answer(struct engine *g, const struct host_question *q, const char *text, struct err *e)
{
	struct host *h = host_of(g, q->host);

	if (!h)
		return err_set(e, ERR_NOT_FOUND, "no environment has a host %s", q->host);
	if (host_answer(h, q->id, text, e) != 0)
		return -1;
	engine_refresh(g);
	return 0;
}

/* --- Looking ---------------------------------------------------------------------------------- */

static void look(struct job *job, const struct env *env, struct services_look *state)
{
	struct engine *g = job->engine;
	struct services **last = &state->last;
	struct event *ev = event_new(EV_SERVICES, job->request);
	struct services_seen *seen = mem_calloc(1, sizeof(*seen));
	struct services *now = NULL;

	ev->u.services = seen;
	str_copy(seen->env, sizeof(seen->env), env->name);
	if (services_read(env, g->ctx->hosts, *last, LOOK_MS, &job->cancel, &now, &ev->err) != 0 ||
	    health_glance(env, now, g->ctx->hosts, &job->cancel, &seen->health, &seen->n_health,
			  &ev->err) != 0) {
		services_free(now);
		event_free(ev);
		return;
	}
	err_clear(&ev->err);
	services_free(*last);
	*last = services_copied(now);
	seen->services = now;
	pthread_mutex_lock(&g->lock);
	state->over = true;
	pthread_mutex_unlock(&g->lock);
	job_post(job, ev);
}

void job_services(struct job *job)
{
	struct engine *g = job->engine;
	const struct env *env = env_find(g->project, job->arg);

	look(job, env, &g->look[env_index(g->project, env)]);
	engine_questions(g, env);
	engine_services_done(g, env);
}

/* --- Health ----------------------------------------------------------------------------------- */

/* One check of an environment: its services and hosts one job each; who is last says so. */
struct check {
	char env[64];
	atomic_size_t left;
};

struct check_part {
	struct check *check;
	struct job *job;
	const struct service *service;
	const struct host_spec *on;
};

static void post_health(struct check_part *p, const struct health_result *r, const struct err *why,
			bool last)
{
	struct event *ev = event_new(EV_HEALTH, p->job->request);

	str_copy(ev->u.health.env, sizeof(ev->u.health.env), p->check->env);
	ev->u.health.last = last;
	if (why)
		ev->err = *why;
	if (r) {
		ev->u.health.result = mem_calloc(1, sizeof(*r));
		*ev->u.health.result = *r;
		ev->u.health.result->log_tail = r->log_tail ? mem_strdup(r->log_tail) : NULL;
	}
	job_post(p->job, ev);
}

static void health_progress(void *arg, const struct health_result *r)
{
	post_health(arg, r, NULL, false);
}

static void job_health(struct job *job)
{
	struct check_part *p = job->arg;
	struct health_result r = { 0 };
	struct err e;
	bool ok;

	p->job = job;
	ok = health_check(p->service, p->on, job->engine->ctx->hosts, false, health_progress, p,
			  &job->cancel, &r, &e) == 0;
	if (ok)
		post_health(p, &r, NULL, false);
	else if (e.code != ERR_CANCELLED)
		post_health(p, NULL, &e, false);
	health_result_clear(&r);
}

static void check_part_clear(struct job *job)
{
	struct check_part *p = job->arg;

	p->job = job;
	if (atomic_fetch_sub(&p->check->left, 1) == 1) {
		post_health(p, NULL, NULL, true);
		mem_free(p->check);
	}
	mem_free(p);
}

uint64_t engine_health(struct engine *g, const char *env_name, const char *service)
{
	const struct env *env = env_find(g->project, env_name);
	struct check *check;
	struct event *ev;
	uint64_t request;

	if (!env || env->n_service == 0 || !g->ctx->hosts)
		return 0;
	check = mem_calloc(1, sizeof(*check));
	str_copy(check->env, sizeof(check->env), env_name);
	atomic_init(&check->left, 1);
	request = engine_request_number(g);
	for (size_t i = 0; i < env->n_service; i++) {
		const struct service *s = &env->service[i];

		if (service && strcmp(s->runtime.name, service) != 0)
			continue;
		for (size_t k = 0; k < s->n_host; k++) {
			struct check_part *p = mem_calloc(1, sizeof(*p));

			*p = (struct check_part){ .check = check, .service = s, .on = s->host[k] };
			atomic_fetch_add(&check->left, 1);
			engine_add_cleared(g, request, job_health, check_part_clear, p);
		}
	}
	/* Our own share: parts that ended meanwhile, all of them perhaps, were not the last. */
	if (atomic_fetch_sub(&check->left, 1) == 1) {
		ev = event_new(EV_HEALTH, request);
		str_copy(ev->u.health.env, sizeof(ev->u.health.env), check->env);
		ev->u.health.last = true;
		event_post(&g->queue, ev);
		mem_free(check);
	}
	return request;
}
