/* SPDX-License-Identifier: MIT */
#include "tests/support/service_world.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

enum { WEB, WORKER, SCHEDULER, PROXY, SERVICES };

static const char *const names[SERVICES] = { "web", "worker", "scheduler", "proxy" };

static void init_env(struct model_world *m, int i, const struct host_spec *const *host, size_t n)
{
	struct env *env = &m->w.project.env[i];
	struct service *list = arena_alloc(&m->w.arena, SERVICES * sizeof(*list));

	for (int s = 0; s < SERVICES; s++) {
		list[s] = (struct service){
			.runtime = { .name = names[s],
				     .kind = RUNTIME_DOCKER,
				     .container = arena_printf(&m->w.arena, "shop-%s", names[s]) },
			.host = host,
			.n_host = s == WEB || s == PROXY ? n : 1,
		};
	}
	list[WEB].health = (struct health_spec){ .url = "http://127.0.0.1:8080/health",
						 .interval_ms = 2000,
						 .timeout_ms = 1000,
						 .attempts = 5,
						 .successes = 2 };
	env->host = host;
	env->n_host = n;
	env->service = list;
	env->n_service = SERVICES;
}

void service_world_init(struct model_world *m)
{
	static const struct host_spec here = { .name = "local", .transport = HOST_LOCAL };
	static const struct host_spec stage = { .name = "stage-1", .transport = HOST_LIBSSH2 };
	static const struct host_spec prod_1 = { .name = "prod-1", .transport = HOST_LIBSSH2 };
	static const struct host_spec prod_2 = { .name = "prod-2", .transport = HOST_LIBSSH2 };
	static const struct host_spec *const dev[] = { &here };
	static const struct host_spec *const staging[] = { &stage };
	static const struct host_spec *const prod[] = { &prod_1, &prod_2 };

	init_env(m, DEV, dev, 1);
	init_env(m, STAGING, staging, 1);
	init_env(m, PROD, prod, 2);
}

static void up(struct service_unit *u, int env, int64_t age_ms)
{
	static const char *const tag[WORLD_ENVS] = { "2.15.0-dev", "2.14.0", "2.13.4" };
	struct runtime_unit *x = &u->unit;

	x->state = UNIT_RUNNING;
	snprintf(x->id, sizeof(x->id), "%zu7d1e0c4b9a2f60%d", u->host, env);
	snprintf(x->image, sizeof(x->image), "registry.example/shop-%s:%s",
		 u->service->runtime.name, tag[env]);
	snprintf(x->digest, sizeof(x->digest), "sha256:%x4f1c09aa62a7d1e0c4b9a2f60",
		 (unsigned)(10 + env));
	snprintf(x->image_id, sizeof(x->image_id), "sha256:%x0aa62a7", (unsigned)(10 + env));
	snprintf(x->log_driver, sizeof(x->log_driver), "json-file");
	x->started_utc_ms = MODEL_WORLD_NOW - age_ms;
	x->created_utc_ms = x->started_utc_ms - 1000;
	x->pid = 4711;
	u->at_utc_ms = MODEL_WORLD_NOW - 2000;
	u->restarts_before = 0;
}

static void add_hosts(const struct env *env, struct services *s)
{
	s->n_host = env->n_host;
	s->host = mem_calloc(env->n_host + 1, sizeof(*s->host));
	for (size_t i = 0; i < env->n_host; i++) {
		struct service_host *h = &s->host[i];
		bool local = env->host[i]->transport == HOST_LOCAL;

		snprintf(h->name, sizeof(h->name), "%s", env->host[i]->name);
		h->status.state = HOST_READY;
		h->status.round_trip_us = local ? -1 : 17300 + 11000 * (int64_t)i;
		h->status.skew_known = !local;
		h->status.skew_ms = 40;
		h->took_us = 52000;
	}
}

struct services_seen *service_world_seen(struct model_world *m, int i)
{
	static const int64_t age[WORLD_ENVS] = { 27 * MINUTE_MS, 2 * HOUR_MS, 74 * HOUR_MS };
	const struct env *env = &m->w.project.env[i];
	struct services_seen *seen = mem_calloc(1, sizeof(*seen));
	struct services *s = seen->services = mem_calloc(1, sizeof(*s));

	snprintf(seen->env, sizeof(seen->env), "%s", env->name);
	snprintf(s->env, sizeof(s->env), "%s", env->name);
	s->at_utc_ms = MODEL_WORLD_NOW - 2000;
	add_hosts(env, s);
	s->unit = mem_calloc(SERVICES * 2, sizeof(*s->unit));
	seen->health = mem_calloc(2, sizeof(*seen->health));
	for (size_t k = 0; k < env->n_service; k++)
		for (size_t h = 0; h < env->service[k].n_host; h++) {
			struct service_unit *u = &s->unit[s->n_unit++];

			u->service = &env->service[k];
			u->host = h;
			up(u, i, age[i]);
			if (!env->service[k].health.url)
				continue;
			seen->health[seen->n_health] = (struct health_result){
				.service = u->service,
				.verdict = HEALTH_OK,
				.tries = 1,
				.successes = 1,
				.last = { .at_utc_ms = MODEL_WORLD_NOW - 2000,
					  .took_us = 38000 + 3000 * i,
					  .status = 200,
					  .ok = true },
			};
			snprintf(seen->health[seen->n_health].host, HOST_NAME_SIZE, "%s",
				 s->host[h].name);
			seen->n_health++;
		}
	return seen;
}

struct service_unit *service_world_unit(struct services_seen *seen, const char *service,
					size_t host)
{
	struct services *s = seen->services;

	for (size_t i = 0; i < s->n_unit; i++)
		if (strcmp(s->unit[i].service->runtime.name, service) == 0 &&
		    s->unit[i].host == host)
			return &s->unit[i];
	return NULL;
}

struct health_result *service_world_health(struct services_seen *seen, const char *service,
					   size_t host)
{
	for (size_t i = 0; i < seen->n_health; i++)
		if (strcmp(seen->health[i].service->runtime.name, service) == 0 &&
		    strcmp(seen->health[i].host, seen->services->host[host].name) == 0)
			return &seen->health[i];
	return NULL;
}

void service_world_fail(struct service_unit *u, int exit_code, int64_t restarts)
{
	u->unit.state = restarts ? UNIT_RESTARTING : UNIT_FAILED;
	u->unit.exit_code = exit_code;
	u->unit.oom = exit_code == 137;
	u->unit.restarts = restarts;
	u->unit.created_utc_ms = MODEL_WORLD_NOW - 9 * MINUTE_MS;
	u->unit.started_utc_ms = MODEL_WORLD_NOW - 109000;
	u->unit.ended_utc_ms = MODEL_WORLD_NOW - 101000;
	u->loops = restarts > 1;
}

void service_world_post(struct model_world *m, struct services_seen *seen)
{
	struct event *ev = event_new(EV_SERVICES, 0);

	ev->u.services = seen;
	tui_event(&m->t, ev);
}

void service_world_post_all(struct model_world *m)
{
	for (int i = 0; i < WORLD_ENVS; i++)
		service_world_post(m, service_world_seen(m, i));
}
