/* SPDX-License-Identifier: MIT */
/*
 * Jobs around a run: freezing a plan and starting its runner, following it, asking it something.
 *
 * The console never executes a step. It freezes the plan into a folder, starts the runner process,
 * and from then on only reads the journal; closing the console changes nothing for the run.
 */
#include "core/engine/job.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/mem.h"
#include "core/db/db.h"
#include "core/release/env_open.h"

void engine_child_add(struct engine *g, pid_t pid)
{
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < ENGINE_CHILDREN; i++)
		if (g->child[i] == 0) {
			g->child[i] = pid;
			break;
		}
	pthread_mutex_unlock(&g->lock);
}

void engine_children_reap(struct engine *g)
{
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < ENGINE_CHILDREN; i++)
		if (g->child[i] != 0 && waitpid(g->child[i], NULL, WNOHANG) != 0)
			g->child[i] = 0; /* ended, or no child of ours any more */
	pthread_mutex_unlock(&g->lock);
}

static int spawn(struct engine *g, const char *id, const char *mode, struct err *e)
{
	pid_t pid;

	if (run_spawn(g->ctx, id, mode, 0, &pid, e) != 0)
		return -1;
	engine_child_add(g, pid);
	return 0;
}

/* What run_create needs to freeze: files for what is applied, the ledger for what goes back. */
static void texts_needed(const struct plan *plan, bool *source, bool *db)
{
	*source = *db = false;
	for (size_t i = 0; i < plan->n_step; i++)
		switch (plan->step[i].kind) {
		case STEP_UP:
		case STEP_RECORD:
			*source = true;
			break;
		case STEP_DOWN:
			*source = *source || plan->down_from_file;
			*db = true;
			break;
		default:
			break;
		}
}

static int start_run(struct job *job, const struct plan *plan, char id[RUN_ID_SIZE], struct err *e)
{
	struct engine *g = job->engine;
	struct shared_source *source = NULL;
	struct db *db = NULL;
	bool need_source, need_db;
	int rc = -1;

	texts_needed(plan, &need_source, &need_db);
	if (need_source && !(source = engine_source(g, &job->cancel, e)))
		goto out;
	if (need_db && env_open(g->ctx, &plan->env, DB_READ_ONLY, &job->cancel, &db, e) != 0)
		goto out;
	if (run_create(g->ctx, plan, source ? source->source : NULL, db, id, e) != 0)
		goto out;
	rc = spawn(g, id, "start", e);
out:
	db_close(db);
	shared_source_drop(source);
	return rc;
}

void job_start_run(struct job *job)
{
	const struct plan *plan = job->arg;
	struct event *ev = event_new(EV_RUN_STARTED, job->request);

	if (start_run(job, plan, ev->u.run_id, &ev->err) == 0)
		err_clear(&ev->err);
	job_post(job, ev);
}

/* --- Following -------------------------------------------------------------------------------- */

/* The run that run_follow shows is borrowed; an event owns what it carries, so it is loaded again. */
static int post_run(void *arg, const struct run *seen)
{
	struct job *job = arg;
	struct event *ev;
	struct run *run;
	struct err e;

	if (run_load(job->engine->ctx, seen->id, &run, &e) != 0)
		return 0; /* in between two states; the next line of the journal brings us back */
	if (run_state_ended(run->state))
		engine_children_reap(job->engine);
	ev = event_new(EV_RUN, job->request);
	ev->u.run = run;
	job_post(job, ev);
	return 0;
}

void job_watch(struct job *job)
{
	struct err e;

	if (!engine_watch_begin(job->engine, job))
		return;
	if (run_follow(job->engine->ctx, job->arg, post_run, job, &job->cancel, &e) != 0 &&
	    e.code != ERR_CANCELLED) {
		struct event *ev = event_new(EV_RUN, job->request);

		ev->err = e;
		job_post(job, ev);
	}
	engine_watch_done(job->engine, job);
}

/* --- Requests --------------------------------------------------------------------------------- */

static int request(struct job *job, const struct request_job *arg, struct err *e)
{
	const struct context *ctx = job->engine->ctx;

	if (strcmp(arg->verb, "resume") == 0 || strcmp(arg->verb, "takeover") == 0)
		return spawn(job->engine, arg->run_id, arg->verb, e);
	if (run_request(ctx, arg->run_id, arg->verb, ctx->who, arg->reason, e) == 0)
		return 0;
	/* Nobody listens: the runner is gone. Its run can still be ended. */
	if (e->code == ERR_NOT_FOUND && strcmp(arg->verb, "abort") == 0)
		return run_abort_dead(ctx, arg->run_id, ctx->who, arg->reason, e);
	return -1;
}

void job_request(struct job *job)
{
	struct event *ev = event_new(EV_REQUESTED, job->request);

	engine_children_reap(job->engine);
	if (request(job, job->arg, &ev->err) == 0)
		err_clear(&ev->err);
	job_post(job, ev);
}
