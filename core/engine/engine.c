/* SPDX-License-Identifier: MIT */
/*
 * The engine's front: what the UI thread may ask. Every call packs its arguments into a job and
 * returns at once; nothing here reads a file or waits for a lock that is held while files are read.
 *
 * Refreshes and lists of runs do not pile up: while one is under way, asking again only marks that
 * another is wanted behind it, so that a slow disk makes the picture old, not the queue long. Both
 * askers get the number of the one that is still to come, because only that one is sure to begin
 * after they asked.
 */
#include "core/engine/engine.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/engine/job.h"

int engine_new(const struct project *p, const struct context *ctx, struct engine **out,
	       struct err *e)
{
	struct engine *g = mem_calloc(1, sizeof(*g));

	if (event_queue_init(&g->queue, e) != 0) {
		mem_free(g);
		return -1;
	}
	g->project = p;
	g->ctx = ctx;
	pthread_mutex_init(&g->lock, NULL);
	pthread_mutex_init(&g->source_lock, NULL);
	pool_init(&g->pool);
	g->look = mem_calloc(p->n_env + 1, sizeof(*g->look));
	g->news = (struct host_watch){ .fn = engine_host_news, .arg = g };
	if (ctx->hosts)
		hosts_watch(ctx->hosts, &g->news);
	*out = g;
	return 0;
}

void engine_free(struct engine *g)
{
	if (!g)
		return;
	pool_close(&g->pool);
	engine_logs_free(g);
	if (g->ctx->hosts)
		hosts_unwatch(g->ctx->hosts, &g->news);
	for (size_t i = 0; i < g->project->n_env; i++)
		services_free(g->look[i].last);
	mem_free(g->look);
	mem_free(g->script.next);
	event_queue_clear(&g->queue);
	shared_source_drop(g->source);
	shared_git_drop(g->git);
	pthread_mutex_destroy(&g->source_lock);
	pthread_mutex_destroy(&g->lock);
	mem_free(g);
}

int engine_fd(const struct engine *g)
{
	return g->queue.fd;
}

struct event *engine_next(struct engine *g)
{
	struct event *ev = event_take(&g->queue);

	if (ev && ev->type == EV_LOGS)
		engine_logs_taken(g);
	if (ev && ev->type == EV_HOST && ev->u.host.news == HOST_NEWS_BACK)
		engine_host_back(g, ev->u.host.name);
	return ev;
}

bool engine_busy(const struct engine *g)
{
	struct engine *own =
		(struct engine *)(uintptr_t)g; /* its locks are no part of what is asked */
	bool waiting;

	pthread_mutex_lock(&own->queue.lock);
	waiting = own->queue.first != NULL;
	pthread_mutex_unlock(&own->queue.lock);
	return waiting || pool_busy(&own->pool);
}

/* --- One at a time ---------------------------------------------------------------------------- */

/* Whether to begin now (*request is its number), or it will run once more behind the present one. */
static bool begin_or_mark(struct engine *g, struct single *what, uint64_t *request)
{
	bool begin;

	pthread_mutex_lock(&g->lock);
	begin = !what->running;
	if (begin)
		*request = ++g->last_request;
	else if (what->again)
		*request = what->next;
	else
		*request = what->next = ++g->last_request;
	what->again = !begin;
	what->running = true;
	pthread_mutex_unlock(&g->lock);
	return begin;
}

/* The present one is done: whether another was asked for, and its number. */
static bool end_or_again(struct engine *g, struct single *what, uint64_t *request)
{
	bool more;

	pthread_mutex_lock(&g->lock);
	more = what->again;
	*request = what->next;
	what->again = false;
	what->running = more;
	pthread_mutex_unlock(&g->lock);
	return more;
}

uint64_t engine_refresh(struct engine *g)
{
	uint64_t request;

	if (begin_or_mark(g, &g->snapshot, &request))
		snapshot_begin(g, request);
	engine_services(g);
	return request;
}

void engine_snapshot_done(struct engine *g)
{
	uint64_t request;

	if (end_or_again(g, &g->snapshot, &request))
		snapshot_begin(g, request);
}

uint64_t engine_runs(struct engine *g)
{
	uint64_t request;

	if (begin_or_mark(g, &g->runs, &request))
		engine_add(g, request, job_runs, NULL);
	return request;
}

void engine_runs_done(struct engine *g)
{
	uint64_t request;

	if (end_or_again(g, &g->runs, &request))
		engine_add(g, request, job_runs, NULL);
}

/* --- Services --------------------------------------------------------------------------------- */

uint64_t engine_request_number(struct engine *g)
{
	uint64_t request;

	pthread_mutex_lock(&g->lock);
	request = ++g->last_request;
	pthread_mutex_unlock(&g->lock);
	return request;
}

/* again: where one is under way, another is wanted behind it; else only where its result is on its way. */
static void look_at(struct engine *g, size_t i, bool again)
{
	bool begin;

	pthread_mutex_lock(&g->lock);
	begin = !g->look[i].running;
	again = (again || g->look[i].over) && !begin;
	g->look[i].again = g->look[i].again || again;
	g->look[i].running = true;
	pthread_mutex_unlock(&g->lock);
	if (begin)
		engine_add(g, 0, job_services, mem_strdup(g->project->env[i].name));
}

void engine_services(struct engine *g)
{
	for (size_t i = 0; i < g->project->n_env; i++) {
		const struct env *env = &g->project->env[i];

		if (g->ctx->hosts && (env->n_service > 0 || env->n_host > 0))
			look_at(g, i, true);
	}
}

static bool has_service_on(const struct env *env, const char *host)
{
	for (size_t i = 0; i < env->n_service; i++)
		for (size_t k = 0; k < env->service[i].n_host; k++)
			if (strcmp(env->service[i].host[k]->name, host) == 0)
				return true;
	return false;
}

/* A look that is under way has found it back most often, and sees what is there now. */
void engine_host_back(struct engine *g, const char *name)
{
	for (size_t i = 0; i < g->project->n_env; i++)
		if (has_service_on(&g->project->env[i], name))
			look_at(g, i, false);
}

void engine_services_done(struct engine *g, const struct env *env)
{
	struct services_look *look = &g->look[env_index(g->project, env)];
	bool more;

	pthread_mutex_lock(&g->lock);
	more = look->again;
	look->again = look->over = false;
	look->running = more;
	pthread_mutex_unlock(&g->lock);
	if (more)
		engine_add(g, 0, job_services, mem_strdup(env->name));
}

/* --- Plans ------------------------------------------------------------------------------------ */

static const char *copy_text(struct arena *a, const char *s)
{
	return s ? arena_strdup(a, s) : NULL;
}

static void copy_lists(struct arena *a, const struct plan_request *r, struct plan_request *out)
{
	struct plan_override *override = arena_alloc(a, (r->n_override + 1) * sizeof(*override));
	const char **marked = arena_alloc(a, (r->n_marked + 1) * sizeof(*marked));

	for (size_t i = 0; i < r->n_override; i++) {
		override[i].gate = copy_text(a, r->override[i].gate);
		override[i].reason = copy_text(a, r->override[i].reason);
	}
	for (size_t i = 0; i < r->n_marked; i++)
		marked[i] = copy_text(a, r->marked[i]);
	out->override = r->override ? override : NULL;
	out->marked = r->marked ? marked : NULL;
}

static void plan_job_clear(struct job *job)
{
	struct plan_job *arg = job->arg;

	arena_clear(&arg->arena);
	mem_free(arg);
}

uint64_t engine_plan(struct engine *g, const struct plan_request *r)
{
	struct plan_job *job = mem_calloc(1, sizeof(*job));
	struct arena *a = &job->arena;

	arena_init(a);
	job->request = *r;
	job->request.environment = copy_text(a, r->environment);
	job->request.to = copy_text(a, r->to);
	job->request.only = copy_text(a, r->only);
	job->request.to_version = copy_text(a, r->to_version);
	job->request.reason = copy_text(a, r->reason);
	job->request.backup = copy_text(a, r->backup);
	job->request.backup_path = copy_text(a, r->backup_path);
	job->request.towards = copy_text(a, r->towards);
	copy_lists(a, r, &job->request);
	return engine_add_cleared(g, 0, job_plan, plan_job_clear, job);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Who runs down a list asks for a text at every row and looks at the last one only. */
uint64_t engine_script(struct engine *g, const char *env, const char *ns, const char *id, bool down)
{
	struct script_job *job = mem_calloc(1, sizeof(*job));
	uint64_t request;
	bool begin;

	str_copy(job->env, sizeof(job->env), env);
	str_copy(job->ns, sizeof(job->ns), ns);
	str_copy(job->id, sizeof(job->id), id);
	job->down = down;
	pthread_mutex_lock(&g->lock);
	request = ++g->last_request;
	begin = !g->script.running;
	g->script.running = true;
	if (!begin) {
		mem_free(g->script.next);
		g->script.next = job;
		g->script.next_request = request;
	}
	pthread_mutex_unlock(&g->lock);
	if (begin)
		engine_add(g, request, job_script, job);
	return request;
}

void engine_script_done(struct engine *g)
{
	struct script_job *next;
	uint64_t request;

	pthread_mutex_lock(&g->lock);
	next = g->script.next;
	request = g->script.next_request;
	g->script.next = NULL;
	g->script.running = next != NULL;
	pthread_mutex_unlock(&g->lock);
	if (next)
		engine_add(g, request, job_script, next);
}

uint64_t engine_preflight(struct engine *g, const char *env)
{
	uint64_t request = 0;

	pthread_mutex_lock(&g->lock);
	if (!g->preflight)
		request = ++g->last_request;
	g->preflight = true;
	pthread_mutex_unlock(&g->lock);
	return request ? engine_add(g, request, job_preflight, mem_strdup(env)) : 0;
}

void engine_preflight_done(struct engine *g)
{
	pthread_mutex_lock(&g->lock);
	g->preflight = false;
	pthread_mutex_unlock(&g->lock);
}

uint64_t engine_events(struct engine *g, const char *env)
{
	return engine_add(g, 0, job_events, mem_strdup(env));
}

uint64_t engine_details(struct engine *g, const char *env)
{
	return engine_add(g, 0, job_details, mem_strdup(env));
}

/* --- Runs ------------------------------------------------------------------------------------- */

static void start_job_clear(struct job *job)
{
	plan_free(job->arg);
}

uint64_t engine_start_run(struct engine *g, struct plan *plan)
{
	return engine_add_cleared(g, 0, job_start_run, start_job_clear, plan);
}

bool engine_watch_begin(struct engine *g, struct job *job)
{
	bool wanted;

	pthread_mutex_lock(&g->lock);
	wanted = job->request == g->watch_request;
	if (wanted)
		g->watch = job;
	pthread_mutex_unlock(&g->lock);
	return wanted;
}

void engine_watch_done(struct engine *g, struct job *job)
{
	pthread_mutex_lock(&g->lock);
	if (g->watch == job)
		g->watch = NULL;
	pthread_mutex_unlock(&g->lock);
}

uint64_t engine_watch(struct engine *g, const char *run_id)
{
	uint64_t request;

	pthread_mutex_lock(&g->lock);
	request = g->watch_request = ++g->last_request;
	if (g->watch)
		cancel_fire(
			&g->watch->cancel); /* alive: it takes itself out of here under the lock */
	g->watch = NULL;
	pthread_mutex_unlock(&g->lock);
	if (run_id)
		engine_add(g, request, job_watch, mem_strdup(run_id));
	return request;
}

static void request_job_clear(struct job *job)
{
	struct request_job *arg = job->arg;

	mem_free(arg->reason);
	mem_free(arg);
}

uint64_t engine_request(struct engine *g, const char *run_id, const char *verb, const char *reason)
{
	struct request_job *job = mem_calloc(1, sizeof(*job));

	str_copy(job->run_id, sizeof(job->run_id), run_id);
	str_copy(job->verb, sizeof(job->verb), verb);
	job->reason = reason ? mem_strdup(reason) : NULL;
	return engine_add_cleared(g, 0, job_request, request_job_clear, job);
}
