/* SPDX-License-Identifier: MIT */
/*
 * Events and their queue: a list under a mutex and an eventfd beside it.
 *
 * The descriptor is readable exactly while the list is not empty: the first post into an empty list
 * writes it, the take that empties the list reads it, both under the lock. So a consumer that polls
 * it neither misses an event nor wakes for nothing.
 */
#include "core/engine/event.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/mem.h"

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	matrix_free(s->matrix); /* points into source and histories */
	for (size_t i = 0; i < s->n_env; i++) {
		history_free(s->env[i].history);
		plan_free(s->env[i].next);
	}
	mem_free(s->env);
	shared_git_drop(s->git);
	if (s->shared)
		shared_source_drop(s->shared);
	else
		source_free(s->source);
	mem_free(s);
}

struct shared_source *shared_source_new(struct source *source)
{
	struct shared_source *s = mem_calloc(1, sizeof(*s));

	s->source = source;
	atomic_init(&s->refs, 1);
	return s;
}

struct shared_source *shared_source_keep(struct shared_source *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void shared_source_drop(struct shared_source *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	source_free(s->source);
	mem_free(s);
}

struct shared_git *shared_git_read(const struct source *source, const char *dir, struct cancel *c)
{
	struct shared_git *s = mem_calloc(1, sizeof(*s));
	struct err e;

	atomic_init(&s->refs, 1);
	if (git_state_of_source(source, dir, c, &s->state, &e) == 0)
		return s;
	shared_git_drop(s);
	return NULL;
}

struct shared_git *shared_git_keep(struct shared_git *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void shared_git_drop(struct shared_git *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	git_state_clear(&s->state);
	mem_free(s);
}

void services_seen_free(struct services_seen *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_health; i++)
		health_result_clear(&s->health[i]);
	mem_free(s->health);
	services_free(s->services);
	mem_free(s);
}

void script_text_free(struct script_text *s)
{
	if (!s)
		return;
	mem_free(s->file_text);
	mem_free(s->stored_text);
	mem_free(s);
}

struct event *event_new(enum event_type type, uint64_t request)
{
	struct event *ev = mem_calloc(1, sizeof(*ev));

	ev->type = type;
	ev->request = request;
	return ev;
}

void event_free(struct event *ev)
{
	if (!ev)
		return;
	switch (ev->type) {
	case EV_SNAPSHOT:
		snapshot_free(ev->u.snapshot);
		break;
	case EV_RUNS:
		run_list_free(ev->u.runs.list, ev->u.runs.n);
		break;
	case EV_RUN:
		run_free(ev->u.run);
		break;
	case EV_PLAN:
		plan_free(ev->u.plan.plan);
		break;
	case EV_SCRIPT:
		script_text_free(ev->u.script);
		break;
	case EV_PREFLIGHT:
		if (ev->u.preflight.preflight)
			preflight_clear(ev->u.preflight.preflight);
		mem_free(ev->u.preflight.preflight);
		break;
	case EV_EVENTS:
		history_free(ev->u.events.history);
		break;
	case EV_DETAILS:
		details_free(ev->u.details.details);
		break;
	case EV_SERVICES:
		services_seen_free(ev->u.services);
		break;
	case EV_HEALTH:
		if (ev->u.health.result)
			health_result_clear(ev->u.health.result);
		mem_free(ev->u.health.result);
		break;
	case EV_RUN_STARTED:
	case EV_REQUESTED:
	case EV_LOGS:
	case EV_HOST:
	case EV_QUESTION:
	case EV_EXPORTED:
	case EV_TYPES:
		break;
	}
	mem_free(ev);
}

int event_queue_init(struct event_queue *q, struct err *e)
{
	*q = (struct event_queue){ .fd = -1 };
	q->last = &q->first;
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd < 0)
		return err_sys(e, errno, "cannot make the event queue");
	pthread_mutex_init(&q->lock, NULL);
	return 0;
}

void event_queue_clear(struct event_queue *q)
{
	struct event *ev;

	if (q->fd < 0)
		return;
	while ((ev = event_take(q)) != NULL)
		event_free(ev);
	close(q->fd);
	q->fd = -1;
	pthread_mutex_destroy(&q->lock);
}

void event_post(struct event_queue *q, struct event *ev)
{
	uint64_t one = 1;

	ev->next = NULL;
	pthread_mutex_lock(&q->lock);
	/* Cannot fail: the counter is 0 while the list is empty. */
	if (!q->first && write(q->fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		abort();
	*q->last = ev;
	q->last = &ev->next;
	pthread_mutex_unlock(&q->lock);
}

struct event *event_take(struct event_queue *q)
{
	struct event *ev;
	uint64_t count;

	pthread_mutex_lock(&q->lock);
	ev = q->first;
	if (ev) {
		q->first = ev->next;
		if (!q->first) {
			q->last = &q->first;
			if (read(q->fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
				abort();
		}
	}
	pthread_mutex_unlock(&q->lock);
	return ev;
}
