/* SPDX-License-Identifier: MIT */
/*
 * One look at what runs in an environment.
 *
 * Every host gets threads of its own, up to THREADS_PER_HOST where it has many services, so that a slow host costs
 * the others nothing, and one with two hundred containers is asked for several at once. All of them end at the same
 * deadline; the look takes as long as its slowest host. The first thread of a host knocks, unless the host is
 * connected already: who is away or asks something is not tried once for each service. HTTP clients with their
 * connections are taken from the host and given back, so the next look finds them warm.
 *
 * A digest is asked for once: as long as a service's image is the same, the one of the look before is taken over.
 *
 * Coming up again and again. Engines and systemd count how often they started something anew by themselves; that
 * this grew between two looks is a loop. A restart by hand does not count there. Of a plain process nobody counts:
 * a look that finds another start than the one that was seen last counts one, whether or not looks in between saw it
 * down, and two of those are a loop. Containers are counted so too, since what is outside of the engine (a unit of
 * systemd, `docker run --rm` in a script) may start it again or make it anew, and no restart is counted; there it
 * takes LOOP_RESTARTS of them, because somebody may have restarted it by hand twice. What was seen to loop stays so
 * until it has been up for CALM_MS, because engines wait longer and longer between two tries (a minute at the end) and
 * a look in between would find nothing wrong. The first look of all has nothing to compare with: there it takes
 * LOOP_RESTARTS restarts with a start that is not CALM_MS old.
 */
#include "core/release/service.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/release/service_ask.h"

#define THREADS_PER_HOST 4
#define CALM_MS 120000
#define LOOP_RESTARTS 3
/* Starts that are further from each other are no row. */
#define ROW_MS ((int64_t)10 * 60 * 1000)
/* Starts of one process are computed from a clock that is set; that near they are the same. */
#define SAME_START_MS 2000

/* What the threads of one host share. */
struct host_look {
	const struct env *env;
	struct services *out;
	const struct services *before;
	struct host *host;
	size_t index; /* of it in out->host */
	int64_t deadline_ms;
	struct cancel *cancel;
	pthread_t thread[THREADS_PER_HOST];
	bool started[THREADS_PER_HOST];
	pthread_mutex_t lock; /* guards next */
	size_t next;          /* unit of out to look at */
};

/* --- Digests, loops ----------------------------------------------------------------------------- */

static const struct service_unit *unit_before(const struct services *before,
					      const struct services *now,
					      const struct service_unit *u)
{
	if (before == NULL)
		return NULL;
	for (size_t i = 0; i < before->n_unit; i++) {
		const struct service_unit *b = &before->unit[i];

		if (strcmp(b->service->runtime.name, u->service->runtime.name) == 0 &&
		    strcmp(before->host[b->host].name, now->host[u->host].name) == 0)
			return b;
	}
	return NULL;
}

static void add_digest(struct service_asker *a, const struct services *before,
		       struct service_unit *u)
{
	struct err ignored;

	if (u->unit.digest[0] != '\0' || u->unit.image_id[0] == '\0')
		return;
	for (size_t i = 0; before != NULL && i < before->n_unit; i++) {
		const struct service_unit *b = &before->unit[i];

		if (!b->digest_asked || strcmp(b->unit.image_id, u->unit.image_id) != 0 ||
		    strcmp(b->unit.image, u->unit.image) != 0)
			continue;
		str_copy(u->unit.digest, sizeof(u->unit.digest), b->unit.digest);
		u->digest_asked = true;
		return;
	}
	/* Without one a service is shown all the same; the next look asks again. */
	u->digest_asked = service_digest(a, &u->service->runtime, &u->unit, &ignored) == 0;
}

/* Running, and not what was running when it was seen last. */
static bool started_anew(const struct service_unit *b, const struct service_unit *u)
{
	int64_t d = u->unit.started_utc_ms - b->start_utc_ms;

	if (u->unit.state != UNIT_RUNNING || b->start_utc_ms == 0)
		return false;
	return strcmp(u->unit.id, b->start_id) != 0 || d > SAME_START_MS || d < -SAME_START_MS;
}

/* Counts the starts that were seen, and keeps the last one. */
static void remember_start(const struct service_unit *b, bool fresh, struct service_unit *u)
{
	bool running = u->err.code == ERR_OK && u->unit.state == UNIT_RUNNING;

	if (b != NULL) {
		u->starts = b->starts;
		u->start_utc_ms = b->start_utc_ms;
		str_copy(u->start_id, sizeof(u->start_id), b->start_id);
	}
	if (!running)
		return;
	if (b != NULL && started_anew(b, u))
		u->starts = u->unit.started_utc_ms - b->start_utc_ms < ROW_MS ? u->starts + 1 : 1;
	if (!fresh)
		u->starts = 0;
	u->start_utc_ms = u->unit.started_utc_ms;
	str_copy(u->start_id, sizeof(u->start_id), u->unit.id);
}

static void find_loops(const struct service_host *host, const struct service_unit *b,
		       struct service_unit *u)
{
	bool counted = u->unit.restarts >= 0, known = b != NULL && b->err.code == ERR_OK;
	int64_t now = u->at_utc_ms + (host->status.skew_known ? host->status.skew_ms : 0);
	bool fresh = u->unit.state == UNIT_RESTARTING ||
		     (u->unit.started_utc_ms > 0 && now - u->unit.started_utc_ms < CALM_MS);
	bool same = known && (!counted || strcmp(b->unit.id, u->unit.id) == 0);

	u->restarts_before = same ? b->unit.restarts : -1;
	remember_start(b, fresh, u);
	if (u->err.code != ERR_OK) {
		u->loops = b != NULL && b->loops;
		return;
	}
	u->loops = u->unit.state == UNIT_RESTARTING || (b != NULL && same && b->loops && fresh);
	if (!counted) {
		u->unit.restarts = b != NULL ? u->starts : -1;
		u->loops |= u->starts > 1 && fresh;
		return;
	}
	u->loops |= u->starts >= LOOP_RESTARTS && fresh;
	if (same)
		u->loops |= b->unit.restarts >= 0 && u->unit.restarts > b->unit.restarts;
	else
		u->loops |= u->unit.restarts >= LOOP_RESTARTS && fresh;
}

void services_compare(struct services *now, const struct services *before)
{
	for (size_t i = 0; i < now->n_unit; i++)
		find_loops(&now->host[now->unit[i].host], unit_before(before, now, &now->unit[i]),
			   &now->unit[i]);
}

bool services_host_away(struct services *s, const char *host, const struct host_status *status,
			const struct err *why, int64_t at_utc_ms)
{
	bool known = false;

	for (size_t i = 0; i < s->n_unit; i++) {
		struct service_unit *u = &s->unit[i];
		struct service_host *h = &s->host[u->host];

		if (strcmp(h->name, host) != 0 || u->at_utc_ms > at_utc_ms)
			continue;
		known = known || u->err.code == ERR_OK;
		u->err = *why;
		h->err = *why;
		h->status = *status;
	}
	return known;
}

/* --- Asking ------------------------------------------------------------------------------------- */

static bool speaks_http(enum runtime_kind k)
{
	return k == RUNTIME_DOCKER || k == RUNTIME_PODMAN;
}

static void look_at(struct host_look *l, struct service_asker *a, struct service_unit *u)
{
	const struct runtime_service *s = &u->service->runtime;
	int rc;

	if (speaks_http(s->kind) && a->http == NULL)
		a->http = http_client_take(a->host);
	err_clear(&u->err);
	rc = service_inspect(a, s, &u->unit, &u->err);
	u->at_utc_ms = clock_utc_ms();
	if (rc != 0) {
		memset(&u->unit, 0, sizeof(u->unit));
		u->unit.restarts = -1;
		return;
	}
	err_clear(&u->err);
	if (speaks_http(s->kind))
		add_digest(a, l->before, u);
}

/* The next unit of this host that nobody has taken yet; NULL behind the last. */
static struct service_unit *next_unit(struct host_look *l)
{
	struct service_unit *u = NULL;

	pthread_mutex_lock(&l->lock);
	while (u == NULL && l->next < l->out->n_unit) {
		if (l->out->unit[l->next].host == l->index)
			u = &l->out->unit[l->next];
		l->next++;
	}
	pthread_mutex_unlock(&l->lock);
	return u;
}

static void *worker_main(void *arg)
{
	struct host_look *l = arg;
	struct service_asker a = { .host = l->host,
				   .deadline_ms = l->deadline_ms,
				   .cancel = l->cancel };
	struct service_unit *u;

	while ((u = next_unit(l)) != NULL)
		look_at(l, &a, u);
	http_client_give(a.http);
	return NULL;
}

static bool is_connected(struct host *h)
{
	struct host_status status;

	host_status(h, &status);
	return host_is_local(h) || status.state == HOST_READY;
}

/* A connection is made by who asks first; a command that does nothing asks. */
static int knock(struct host_look *l, struct err *e)
{
	static const char *const nothing[] = { "true", NULL };
	const struct host_command command = { .argv = nothing };

	if (is_connected(l->host))
		return 0;
	return host_run(l->host, &command, NULL, NULL, NULL, l->deadline_ms, l->cancel, e);
}

static void nobody_home(struct host_look *l, const struct err *e)
{
	struct service_unit *u;

	l->out->host[l->index].err = *e;
	while ((u = next_unit(l)) != NULL) {
		u->err = *e;
		u->unit.restarts = -1;
		u->at_utc_ms = clock_utc_ms();
	}
}

/* The first thread of a host starts the others. */
static void *host_main(void *arg)
{
	struct host_look *l = arg;
	struct service_host *h = &l->out->host[l->index];
	int64_t start_us = clock_mono_us();
	size_t n = 0;
	struct err e;

	if (knock(l, &e) != 0) {
		nobody_home(l, &e);
	} else {
		for (size_t i = 0; i < l->out->n_unit; i++)
			n += l->out->unit[i].host == l->index;
		for (size_t i = 1; i < THREADS_PER_HOST && i < n; i++)
			l->started[i] = pthread_create(&l->thread[i], NULL, worker_main, l) == 0;
		worker_main(l);
		for (size_t i = 1; i < THREADS_PER_HOST; i++)
			if (l->started[i])
				pthread_join(l->thread[i], NULL);
	}
	h->took_us = clock_mono_us() - start_us;
	host_status(l->host, &h->status);
	return NULL;
}

/* --- The look ----------------------------------------------------------------------------------- */

/* The host's place in out, which is made when it is new. */
static size_t host_index(struct services *out, const char *name)
{
	size_t i = 0;

	while (i < out->n_host && strcmp(out->host[i].name, name) != 0)
		i++;
	if (i == out->n_host) {
		str_copy(out->host[i].name, sizeof(out->host[i].name), name);
		out->n_host++;
	}
	return i;
}

static struct services *services_new(const struct env *env, struct hosts *hosts,
				     struct host ***host)
{
	struct services *out = mem_calloc(1, sizeof(*out));
	size_t n = 0;

	for (size_t i = 0; i < env->n_service; i++)
		n += env->service[i].n_host;
	str_copy(out->env, sizeof(out->env), env->name);
	out->unit = mem_calloc(n + 1, sizeof(*out->unit));
	out->host = mem_calloc(n + 1, sizeof(*out->host));
	*host = mem_calloc(n + 1, sizeof(**host));
	for (size_t i = 0; i < env->n_service; i++) {
		const struct service *s = &env->service[i];

		for (size_t k = 0; k < s->n_host; k++) {
			struct service_unit *u = &out->unit[out->n_unit++];

			u->service = s;
			u->host = host_index(out, s->host[k]->name);
			u->restarts_before = -1;
			(*host)[u->host] = hosts_get(hosts, s->host[k]);
		}
	}
	return out;
}

void services_free(struct services *s)
{
	if (s == NULL)
		return;
	mem_free(s->unit);
	mem_free(s->host);
	mem_free(s);
}

int services_read(const struct env *env, struct hosts *hosts, const struct services *before,
		  int64_t timeout_ms, struct cancel *c, struct services **out, struct err *e)
{
	struct host **host;
	struct services *s = services_new(env, hosts, &host);
	struct host_look *look = mem_calloc(s->n_host + 1, sizeof(*look));
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;

	for (size_t i = 0; i < s->n_host; i++) {
		look[i] = (struct host_look){ .env = env,
					      .out = s,
					      .before = before,
					      .host = host[i],
					      .index = i,
					      .deadline_ms = deadline_ms,
					      .cancel = c };
		pthread_mutex_init(&look[i].lock, NULL);
		look[i].started[0] = i + 1 < s->n_host && pthread_create(&look[i].thread[0], NULL,
									 host_main, &look[i]) == 0;
		if (!look[i].started[0]) /* the last one, or no thread is to be had: here */
			host_main(&look[i]);
	}
	for (size_t i = 0; i < s->n_host; i++) {
		if (look[i].started[0])
			pthread_join(look[i].thread[0], NULL);
		pthread_mutex_destroy(&look[i].lock);
	}
	services_compare(s, before);
	mem_free(look);
	mem_free(host);
	if (cancel_fired(c)) {
		services_free(s);
		return err_set(e, ERR_CANCELLED, "the look at %s was cancelled", env->name);
	}
	s->at_utc_ms = clock_utc_ms();
	*out = s;
	return 0;
}
