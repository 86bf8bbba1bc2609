/* SPDX-License-Identifier: MIT */
/* What `migrate` of each environment would do now: the plan that p would make, from the facts of one
 * refresh, so that the environments screen and the plan cannot disagree. */
#include "core/engine/job.h"

#include "core/base/mem.h"

#include <string.h>

static struct plan *next_of(const struct engine *g, struct snapshot *snap, size_t i,
			    struct plan_facts *f)
{
	const struct project *p = g->project;
	const struct env *before = env_previous(p, &p->env[i]);
	struct plan_request r = { .op = OP_MIGRATE, .environment = p->env[i].name };
	struct run *stopped = run_of_lock(g->ctx, &snap->env[i].holder);
	struct plan *plan = NULL;
	struct err e;

	if (before && before->has_db)
		r.towards = before->name;
	f->holder = &snap->env[i].holder;
	f->unfinished_run = f->unfinished_state = NULL;
	f->unfinished_step = 0;
	if (stopped && (stopped->state == RUN_INTERRUPTED || stopped->state == RUN_PAUSED)) {
		f->unfinished_run = stopped->id;
		f->unfinished_state = run_state_name(stopped->state);
		f->unfinished_step = stopped->current > 0 ? (size_t)stopped->current : 0;
	}
	if (plan_build(p, f, &r, &plan, &e) != 0)
		plan = NULL; /* shown as unknown; asking for the plan tells why */
	run_free(stopped);
	return plan;
}

void snapshot_next(const struct engine *g, struct snapshot *snap)
{
	struct plan_facts f = { .source = snap->source,
				.n_env = snap->n_env,
				.git = snap->git ? &snap->git->state : NULL };

	if (!snap->source)
		return;
	/* Borrowed: plan_build only reads its facts, and the plan owns what it keeps. */
	f.history = mem_calloc(snap->n_env + 1, sizeof(struct history *));
	f.history_err = mem_calloc(snap->n_env + 1, sizeof(*f.history_err));
	for (size_t i = 0; i < snap->n_env; i++) {
		f.history[i] = snap->env[i].history;
		f.history_err[i] = snap->env[i].err;
	}
	for (size_t i = 0; i < snap->n_env; i++) {
		if (snap->env[i].history)
			snap->env[i].next = next_of(g, snap, i, &f);
	}
	mem_free(f.history);
	mem_free(f.history_err);
}
