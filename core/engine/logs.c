/* SPDX-License-Identifier: MIT */
/*
 * Logs of the console: one store, one query over it, and a follower for each service and host that is looked at.
 *
 * All of it is made when logs are looked at first: a console that shows none has none of its threads. Which
 * services are followed is exchanged by a job, one at a time, because stopping followers waits for them; asked
 * again meanwhile, only the last choice counts. Bytes never travel through the event queue: followers put lines
 * into the store, and one EV_LOGS at a time says that there is more.
 */
#include "core/engine/job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/logs/follow.h"
#include "core/logs/merge.h"

struct followed {
	struct follower *follower;
	int source;
};

struct logs {
	struct log_store *store;
	struct log_query *query;
	struct log_merge *merge;
	atomic_bool told; /* an EV_LOGS waits in the queue */

	pthread_mutex_t lock; /* guards what follows */
	struct followed list[LOG_SOURCES_MAX];
	size_t n;
	bool busy;                /* a job exchanges the followers */
	struct logs_choice *next; /* asked for meanwhile; NULL: nothing */
};

/* What was asked for: names of the configuration, copied. */
struct logs_choice {
	struct arena arena;
	struct log_choice *list;
	size_t n;
	int64_t since_utc_ms, tail;
};

static void grew(void *arg)
{
	struct engine *g = arg;

	if (!atomic_exchange(&g->logs->told, true))
		event_post(&g->queue, event_new(EV_LOGS, 0));
}

/* UI thread. */
static struct logs *logs_of(struct engine *g)
{
	struct logs *l = g->logs;

	if (l)
		return l;
	l = g->logs = mem_calloc(1, sizeof(*l));
	atomic_init(&l->told, false);
	pthread_mutex_init(&l->lock, NULL);
	l->store = log_store_new(LOG_STORE_DEFAULT_BYTES);
	l->query = log_query_new(l->store, grew, g);
	l->merge = log_merge_new(l->store, grew, g);
	return l;
}

struct log_store *engine_log_store(struct engine *g)
{
	return logs_of(g)->store;
}

struct log_query *engine_log_query(struct engine *g)
{
	return logs_of(g)->query;
}

void engine_logs_taken(struct engine *g)
{
	if (g->logs)
		atomic_store(&g->logs->told, false);
}

/* --- Exchanging the followers ------------------------------------------------------------------- */

static void choice_free(struct logs_choice *c)
{
	if (!c)
		return;
	arena_clear(&c->arena);
	mem_free(c);
}

static struct logs_choice *choice_new(const struct log_choice *list, size_t n, int64_t since_utc_ms,
				      int64_t tail)
{
	struct logs_choice *c = mem_calloc(1, sizeof(*c));

	arena_init(&c->arena);
	c->since_utc_ms = since_utc_ms;
	c->tail = tail;
	c->n = n;
	c->list = arena_alloc(&c->arena, (n + 1) * sizeof(*c->list));
	for (size_t i = 0; i < n; i++) {
		c->list[i].env = arena_strdup(&c->arena, list[i].env);
		c->list[i].service = arena_strdup(&c->arena, list[i].service);
		c->list[i].host = list[i].host ? arena_strdup(&c->arena, list[i].host) : NULL;
	}
	return c;
}

static void stop_all(struct logs *l)
{
	struct followed list[LOG_SOURCES_MAX];
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = l->n;
	memcpy(list, l->list, sizeof(list));
	l->n = 0;
	pthread_mutex_unlock(&l->lock);
	/* All are told before the first is waited for. */
	for (size_t i = 0; i < n; i++)
		follow_stop_soon(list[i].follower);
	for (size_t i = 0; i < n; i++)
		follow_stop(list[i].follower);
}

/* What one follower is going to be told, and the place it gets in the store. */
struct wanted {
	struct follow_spec spec[LOG_SOURCES_MAX];
	size_t n;
};

static void want_one(struct engine *g, const struct env *env, const struct service *s,
		     const struct host_spec *on, const struct logs_choice *c, struct wanted *out)
{
	struct logs *l = g->logs;
	struct log_source about = { .is_protected = env->is_protected };
	struct follow_spec spec = { .host = hosts_get(g->ctx->hosts, on),
				    .service = &s->runtime,
				    .store = l->store,
				    .merge = l->merge,
				    .since_utc_ms = c->since_utc_ms,
				    .tail = c->tail,
				    .follow = true };

	str_copy(about.environment, sizeof(about.environment), env->name);
	str_copy(about.service, sizeof(about.service), s->runtime.name);
	str_copy(about.host, sizeof(about.host), on->name);
	spec.source = log_store_source(l->store, &about);
	if (spec.source >= 0) /* LOG_SOURCES_MAX: the view says how many there are */
		out->spec[out->n++] = spec;
}

static void want_service(struct engine *g, const struct env *env, const struct log_choice *want,
			 const struct logs_choice *c, struct wanted *out)
{
	for (size_t s = 0; s < env->n_service; s++) {
		const struct service *service = &env->service[s];

		if (strcmp(service->runtime.name, want->service) != 0)
			continue;
		for (size_t k = 0; k < service->n_host; k++)
			if (!want->host || strcmp(want->host, service->host[k]->name) == 0)
				want_one(g, env, service, service->host[k], c, out);
	}
}

/* All are known to the merge before the first delivers, or its past would be let through alone. */
static void start_all(struct engine *g, const struct logs_choice *c)
{
	struct logs *l = g->logs;
	struct wanted *w = mem_calloc(1, sizeof(*w));
	struct follower *f;
	struct err e;

	for (size_t i = 0; i < c->n; i++) {
		const struct env *env = env_find(g->project, c->list[i].env);

		if (env)
			want_service(g, env, &c->list[i], c, w);
	}
	for (size_t i = 0; i < w->n; i++)
		log_merge_catching_up(l->merge, w->spec[i].source);
	for (size_t i = 0; i < w->n; i++) {
		if (follow_start(&w->spec[i], &f, &e) != 0) {
			log_merge_ended(l->merge, w->spec[i].source);
			log_store_source_state(l->store, w->spec[i].source, LOG_SOURCE_DOWN, &e);
			continue;
		}
		pthread_mutex_lock(&l->lock);
		l->list[l->n++] = (struct followed){ f, w->spec[i].source };
		pthread_mutex_unlock(&l->lock);
	}
	mem_free(w);
}

static void job_logs(struct job *job)
{
	struct engine *g = job->engine;
	struct logs *l = g->logs;
	struct logs_choice *c;

	for (;;) {
		pthread_mutex_lock(&l->lock);
		c = l->next;
		l->next = NULL;
		l->busy = c != NULL && !cancel_fired(&job->cancel);
		pthread_mutex_unlock(&l->lock);
		if (!c || cancel_fired(&job->cancel))
			break;
		stop_all(l);
		log_merge_restart(l->merge);
		log_store_forget(l->store);
		start_all(g, c);
		choice_free(c);
		grew(g);
	}
	choice_free(c);
}

static void choose(struct engine *g, struct logs_choice *c)
{
	struct logs *l = logs_of(g);
	struct logs_choice *old;
	bool begin;

	pthread_mutex_lock(&l->lock);
	old = l->next;
	l->next = c;
	begin = !l->busy;
	l->busy = true;
	pthread_mutex_unlock(&l->lock);
	choice_free(old);
	if (begin)
		engine_add(g, 0, job_logs, NULL);
}

void engine_logs_follow(struct engine *g, const struct log_choice *list, size_t n,
			int64_t since_utc_ms, int64_t tail)
{
	if (g->ctx->hosts)
		choose(g, choice_new(list, n, since_utc_ms, tail));
}

void engine_logs_stop(struct engine *g)
{
	if (g->logs)
		choose(g, choice_new(NULL, 0, 0, 0));
}

bool engine_logs_fetch(struct engine *g, int source, struct log_pos gap)
{
	struct logs *l = logs_of(g);
	bool asked = false;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].source == source)
			asked = follow_fetch(l->list[i].follower, gap) || asked;
	pthread_mutex_unlock(&l->lock);
	return asked;
}

void engine_logs_free(struct engine *g)
{
	struct logs *l = g->logs;

	if (!l)
		return;
	stop_all(l);
	log_merge_free(l->merge);
	log_query_free(l->query);
	log_store_free(l->store);
	choice_free(l->next);
	pthread_mutex_destroy(&l->lock);
	mem_free(l);
	g->logs = NULL;
}

/* --- Writing to a file -------------------------------------------------------------------------- */

struct export
{
	struct log_store *store;
	struct log_source source[LOG_SOURCES_MAX];
	size_t n_source;
	const char *path;
	int fd;
	int64_t lines;
	struct strbuf text; /* not yet written */
	struct err err;
};

#define EXPORT_BLOCK ((size_t)256 << 10)

static int export_flush(struct export *x)
{
	int rc = x->text.len ? fs_write_all(x->fd, x->text.data, x->text.len, x->path, &x->err) : 0;

	strbuf_reset(&x->text);
	return rc;
}

/* Cleaned, since a file of log lines is looked at with cat: bytes of others must not reach a terminal raw. */
static int export_line(void *arg, const struct log_line *line)
{
	struct export *x = arg;
	char when[CLOCK_TEXT_SIZE];
	const struct log_source *s = line->source < x->n_source ? &x->source[line->source] : NULL;

	clock_iso_ms(line->utc_ns / 1000000, when);
	strbuf_addf(&x->text, "%s %s/%s@%s ", when, s ? s->environment : "?", s ? s->service : "?",
		    s ? s->host : "?");
	if (line->kind != LOG_LINE)
		strbuf_adds(&x->text, "-- ");
	clean_text(&x->text, line->text, false);
	strbuf_addc(&x->text, '\n');
	x->lines++;
	return x->text.len < EXPORT_BLOCK ? 0 : export_flush(x);
}

static void job_export(struct job *job)
{
	struct engine *g = job->engine;
	struct event *ev = event_new(EV_EXPORTED, job->request);
	struct export *x = mem_calloc(1, sizeof(*x));
	const char *path = job->arg;

	str_copy(ev->u.exported.path, sizeof(ev->u.exported.path), path);
	strbuf_init(&x->text, STRBUF_NO_LIMIT);
	x->path = path;
	x->n_source = log_store_sources(g->logs->store, x->source, LOG_SOURCES_MAX);
	x->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (x->fd < 0) {
		err_sys(&ev->err, errno, "cannot write log lines to %s", path);
		err_hint(&ev->err, "choose a name that is not taken");
	} else if (log_query_each(g->logs->query, export_line, x, &job->cancel, &ev->err) != 0 ||
		   export_flush(x) != 0) {
		if (x->err.code != ERR_OK)
			ev->err = x->err;
	} else {
		err_clear(&ev->err);
	}
	if (x->fd >= 0 && close(x->fd) != 0 && ev->err.code == ERR_OK)
		err_sys(&ev->err, errno, "cannot write log lines to %s", path);
	/* A part of the lines is not left under the name of all of them. */
	if (x->fd >= 0 && ev->err.code != ERR_OK)
		unlink(path);
	ev->u.exported.lines = x->lines;
	strbuf_clear(&x->text);
	mem_free(x);
	job_post(job, ev);
}

uint64_t engine_logs_export(struct engine *g, const char *path)
{
	logs_of(g);
	return engine_add(g, 0, job_export, mem_strdup(path));
}
