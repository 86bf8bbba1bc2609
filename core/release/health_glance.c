/* SPDX-License-Identifier: MIT */
/* A glance at the health of all services of an environment: the hosts at the same time, the services of one
 * host one after the other. What a slow answer costs is bounded by the check's own timeout. */
#include "core/release/health.h"

#include <pthread.h>
#include <string.h>

#include "core/base/mem.h"

struct glance {
	const struct env *env;
	const struct services *services;
	struct hosts *hosts;
	struct cancel *cancel;
	struct health_result
		*list; /* one each for the units that are asked; each written by one thread */
	size_t *place; /* by unit: its index in list; SIZE_MAX: not asked */
};

struct glance_host {
	struct glance *all;
	size_t host;
	struct err err; /* ERR_CANCELLED, ERR_ASKS: it ended early */
};

static bool wanted(const struct services *s, size_t i)
{
	return s->unit[i].service->health.url != NULL && s->unit[i].err.code == ERR_OK &&
	       s->host[s->unit[i].host].err.code == ERR_OK;
}

static const struct host_spec *spec_of(const struct service *s, const char *name)
{
	for (size_t i = 0; i < s->n_host; i++)
		if (strcmp(s->host[i]->name, name) == 0)
			return s->host[i];
	return NULL;
}

static void *glance_host_main(void *arg)
{
	struct glance_host *h = arg;
	const struct services *s = h->all->services;

	for (size_t i = 0; i < s->n_unit && h->err.code == ERR_OK; i++) {
		const struct service *service = s->unit[i].service;
		const struct host_spec *on;

		if (s->unit[i].host != h->host || h->all->place[i] == SIZE_MAX)
			continue;
		on = spec_of(service, s->host[h->host].name);
		if (on && health_check(service, on, h->all->hosts, true, NULL, NULL, h->all->cancel,
				       &h->all->list[h->all->place[i]], &h->err) == 0)
			err_clear(&h->err);
	}
	return NULL;
}

/* Who was not reached keeps its verdict of before the look: unknown, and why. */
static void prepare(struct glance *g)
{
	size_t k = 0;

	for (size_t i = 0; i < g->services->n_unit; i++) {
		const struct service_unit *u = &g->services->unit[i];

		g->place[i] = wanted(g->services, i) ? k++ : SIZE_MAX;
		if (g->place[i] == SIZE_MAX)
			continue;
		g->list[k - 1] = (struct health_result){ .service = u->service,
							 .verdict = HEALTH_UNKNOWN,
							 .unit = u->unit };
		str_copy(g->list[k - 1].host, sizeof(g->list[k - 1].host),
			 g->services->host[u->host].name);
		err_set(&g->list[k - 1].err, ERR_CANCELLED, "health of %s was not asked",
			u->service->runtime.name);
	}
}

static void run_all(struct glance *g)
{
	size_t n = g->services->n_host;
	struct glance_host *host = mem_calloc(n + 1, sizeof(*host));
	pthread_t *thread = mem_calloc(n + 1, sizeof(*thread));
	bool *started = mem_calloc(n + 1, sizeof(*started));

	for (size_t i = 0; i < n; i++) {
		host[i] = (struct glance_host){ .all = g, .host = i };
		started[i] = i + 1 < n &&
			     pthread_create(&thread[i], NULL, glance_host_main, &host[i]) == 0;
		if (!started[i]) /* the last one, or none to be had: here */
			glance_host_main(&host[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (started[i])
			pthread_join(thread[i], NULL);
	mem_free(started);
	mem_free(thread);
	mem_free(host);
}

int health_glance(const struct env *env, const struct services *s, struct hosts *hosts,
		  struct cancel *c, struct health_result **list, size_t *n, struct err *e)
{
	struct glance g = { .env = env, .services = s, .hosts = hosts, .cancel = c };
	size_t count = 0;

	for (size_t i = 0; i < s->n_unit; i++)
		count += wanted(s, i);
	*list = NULL;
	*n = 0;
	if (count == 0)
		return 0;
	g.list = mem_calloc(count, sizeof(*g.list));
	g.place = mem_calloc(s->n_unit, sizeof(*g.place));
	prepare(&g);
	run_all(&g);
	mem_free(g.place);
	if (cancel_fired(c)) {
		for (size_t i = 0; i < count; i++)
			health_result_clear(&g.list[i]);
		mem_free(g.list);
		return err_set(e, ERR_CANCELLED, "looking at the health of %s was stopped",
			       env->name);
	}
	*list = g.list;
	*n = count;
	return 0;
}
