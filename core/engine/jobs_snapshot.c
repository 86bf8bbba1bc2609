/* SPDX-License-Identifier: MIT */
/*
 * One refresh: the files, and every environment's database, read at the same time.
 *
 * The work is cut into parts, one job each: the source, and each environment. Nobody waits for them:
 * each part counts down when it is done, and the last one joins the matrix and posts the snapshot.
 * So a refresh needs no thread that only waits, and cannot deadlock when the pool is full.
 *
 * A part that fails is not a failure of the refresh: an environment that cannot be read is shown
 * with its error beside the others. Parts whose engine is closing are freed without having run;
 * they count down as well (part_clear), and then nothing is posted.
 */
#include "core/engine/job.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/engine/snapshot.h"

/* One refresh. Each part writes only its own piece of snap until the countdown is over. */
struct refresh {
	struct engine *engine;
	uint64_t request;
	struct snapshot *snap;
	atomic_size_t left;  /* parts not done */
	atomic_bool dropped; /* a part did not run */
};

struct part {
	struct refresh *refresh;
	size_t env; /* SIZE_MAX: the source */
	bool ran;
};

static void read_source(struct job *job, struct snapshot *snap)
{
	snap->shared = engine_source(job->engine, &job->cancel, &snap->source_err);
	snap->source = snap->shared ? snap->shared->source : NULL;
	snap->git = engine_git(job->engine, snap->source, &job->cancel);
}

/* Behind the last part. */
static void refresh_finish(struct refresh *r)
{
	struct engine *g = r->engine;

	if (atomic_load(&r->dropped)) {
		snapshot_free(r->snap);
	} else {
		struct event *ev = event_new(EV_SNAPSHOT, r->request);

		snapshot_join(g->project, r->snap);
		snapshot_next(g, r->snap);
		ev->u.snapshot = r->snap;
		event_post(&g->queue, ev);
	}
	mem_free(r);
	engine_snapshot_done(g);
}

static void part_run(struct job *job)
{
	struct part *part = job->arg;
	struct snapshot *snap = part->refresh->snap;

	engine_children_reap(job->engine);
	if (part->env == SIZE_MAX)
		read_source(job, snap);
	else
		snapshot_read_env(job->engine->ctx, &job->engine->project->env[part->env],
				  SNAPSHOT_STATE | SNAPSHOT_SIZE, &job->cancel,
				  &snap->env[part->env]);
	if (part->env != SIZE_MAX && snap->env[part->env].err.code == ERR_ASKS)
		engine_questions(job->engine, &job->engine->project->env[part->env]);
	/* Stopped half way: what was read is not the truth. */
	part->ran = !cancel_fired(&job->cancel);
}

static void part_clear(struct job *job)
{
	struct part *part = job->arg;
	struct refresh *r = part->refresh;

	if (!part->ran)
		atomic_store(&r->dropped, true);
	mem_free(part);
	if (atomic_fetch_sub(&r->left, 1) == 1)
		refresh_finish(r);
}

static void part_add(struct refresh *r, size_t env)
{
	struct part *part = mem_calloc(1, sizeof(*part));

	part->refresh = r;
	part->env = env;
	engine_add_cleared(r->engine, r->request, part_run, part_clear, part);
}

void snapshot_begin(struct engine *g, uint64_t request)
{
	struct refresh *r = mem_calloc(1, sizeof(*r));
	size_t n = g->project->n_env;

	r->engine = g;
	r->request = request;
	r->snap = mem_calloc(1, sizeof(*r->snap));
	r->snap->at_utc_ms = clock_utc_ms();
	r->snap->n_env = n;
	r->snap->env = mem_calloc(n + 1, sizeof(*r->snap->env));
	atomic_init(&r->left, n + 1);
	atomic_init(&r->dropped, false);
	part_add(r, SIZE_MAX);
	/* r is gone when the last of these has run: it is not looked at again. */
	for (size_t i = 0; i < n; i++)
		part_add(r, i);
}
