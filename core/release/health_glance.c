/* SPDX-License-Identifier: MIT */
/* A glance at the health of all services of an environment, several at the same time: what one slow answer costs is
 * bounded by its own timeout, and it delays the others as little as may be. */
#include "core/release/health.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/base/mem.h"

#define GLANCES 16 /* at the same time */

struct glance {
	const struct services *services;
	struct hosts *hosts;
	struct cancel *cancel;
	struct health_result
		*list; /* one each for the units that are asked; each written by one thread */
	const struct host_spec **on; /* of each */
	size_t n;
	atomic_size_t next;
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

static void *glance_main(void *arg)
{
	struct glance *g = arg;
	size_t i;

	while ((i = atomic_fetch_add(&g->next, 1)) < g->n) {
		struct health_result *r = &g->list[i];
		const struct service *service = r->service;
		struct err e;

		if (g->on[i] &&
		    health_check(service, g->on[i], g->hosts, true, NULL, NULL, g->cancel, r, &e) !=
			    0 &&
		    !cancel_fired(g->cancel))
			r->err = e;
	}
	return NULL;
}

/* Who was not asked keeps its verdict of before: unknown, and why. */
static void prepare(struct glance *g)
{
	for (size_t i = 0; i < g->services->n_unit; i++) {
		const struct service_unit *u = &g->services->unit[i];
		const char *host = g->services->host[u->host].name;
		struct health_result *r = &g->list[g->n];

		if (!wanted(g->services, i))
			continue;
		*r = (struct health_result){ .service = u->service,
					     .verdict = HEALTH_UNKNOWN,
					     .unit = u->unit };
		str_copy(r->host, sizeof(r->host), host);
		err_set(&r->err, ERR_CANCELLED, "health of %s was not asked",
			u->service->runtime.name);
		g->on[g->n++] = spec_of(u->service, host);
	}
}

static void ask_all(struct glance *g)
{
	pthread_t thread[GLANCES];
	size_t n = 0;

	while (n + 1 < g->n && n < GLANCES - 1 &&
	       pthread_create(&thread[n], NULL, glance_main, g) == 0)
		n++;
	glance_main(g); /* this thread is one of them */
	while (n > 0)
		pthread_join(thread[--n], NULL);
}

int health_glance(const struct env *env, const struct services *s, struct hosts *hosts,
		  struct cancel *c, struct health_result **list, size_t *n, struct err *e)
{
	struct glance g = { .services = s, .hosts = hosts, .cancel = c };

	g.list = mem_calloc(s->n_unit + 1, sizeof(*g.list));
	g.on = mem_calloc(s->n_unit + 1, sizeof(*g.on));
	atomic_init(&g.next, 0);
	prepare(&g);
	ask_all(&g);
	mem_free(g.on);
	if (cancel_fired(c)) {
		for (size_t i = 0; i < g.n; i++)
			health_result_clear(&g.list[i]);
		mem_free(g.list);
		return err_set(e, ERR_CANCELLED, "looking at the health of %s was stopped",
			       env->name);
	}
	*list = g.list;
	*n = g.n;
	return 0;
}
