/* SPDX-License-Identifier: MIT */
/*
 * Reading what a plan is made from: the files, the histories of the environments that matter, who
 * holds the target's lock, and whether a run of it stopped half way. Read only, on a worker.
 *
 * Besides the target and its gate environment the gates of that are read too, because the command
 * that opens a gate may have to begin there. Only the target must be readable: that staging cannot be
 * reached closes the gate of production with its reason, it does not keep anybody from rolling
 * production back.
 */
#include "core/release/plan.h"

#include "core/backup/backup.h"
#include "core/base/cancel.h"
#include "core/ledger/lock.h"
#include "core/migrate/foreign.h"
#include "core/migrate/git_state.h"
#include "core/release/env_open.h"
#include "core/release/plan_make.h"
#include "core/release/run.h"

#include <stdint.h>
#include <string.h>

/* Opens one environment read-only and reads its history, and its lock when holder is not NULL. */
static int read_env(const struct context *ctx, const struct env *env, const struct source *source,
		    struct cancel *c, struct history **out, struct lock_holder *holder,
		    struct err *e)
{
	const struct source *variant = source_for(source, env->dsn.engine);
	struct history *h = NULL;
	struct db *db = NULL;
	int rc = -1;

	if (env_open(ctx, env, DB_READ_ONLY, c, &db, e) < 0)
		goto out;
	if (history_read_from(db, framework_history(variant, env->history), false, &h, e) < 0 ||
	    history_join(h, variant, c, e) < 0)
		goto out;
	if (holder && lock_read(&env->dsn, db, env->lock_stale_ms, holder, e) < 0)
		goto out;
	*out = h;
	h = NULL;
	rc = 0;
out:
	history_free(h);
	db_close(db);
	if (rc < 0 && e->code != ERR_CANCELLED)
		err_wrap(e, "cannot read the history of %s", env->name);
	return rc;
}

/* Which environments are needed: the target, its gate environment, the gate of that … */
static void mark_needed(const struct project *p, const struct env *target, bool all, bool *need)
{
	const struct env *env = target;

	for (size_t i = 0; i < p->n_env; i++)
		need[i] = all;
	/* n_env rounds at most, should the configuration hold a circle */
	for (size_t i = 0; env && i < p->n_env; i++) {
		need[env_index(p, env)] = true;
		env = env_find(p, env->requires);
	}
}

static int read_histories(const struct project *p, const struct context *ctx,
			  const struct env *target, bool all, struct cancel *c,
			  struct plan_facts *f, struct err *e)
{
	bool *need = mem_calloc(p->n_env + 1, sizeof(*need));
	int rc = -1;

	mark_needed(p, target, all, need);
	for (size_t i = 0; i < p->n_env; i++) {
		const struct env *env = &p->env[i];
		struct err *why = &f->history_err[i];

		if (!need[i] || !env->has_db)
			continue;
		if (env == target)
			f->holder = mem_calloc(1, sizeof(*f->holder));
		if (read_env(ctx, env, f->source, c, &f->history[i],
			     env == target ? f->holder : NULL, why) == 0)
			continue;
		if (env == target || why->code == ERR_CANCELLED) {
			*e = *why;
			goto out;
		}
	}
	rc = 0;
out:
	mem_free(need);
	return rc;
}

static void find_unfinished(const struct context *ctx, struct plan_facts *f)
{
	struct run *r = f->holder ? run_of_lock(ctx, f->holder) : NULL;

	if (r && (r->state == RUN_INTERRUPTED || r->state == RUN_PAUSED)) {
		f->unfinished_run = mem_strdup(r->id);
		f->unfinished_state = mem_strdup(run_state_name(r->state));
		f->unfinished_step = r->current > 0 ? (size_t)r->current : 0;
	}
	run_free(r);
}

static bool has_no_backup(const struct context *ctx, const struct env *target)
{
	struct backup newest;
	struct err e;

	if (backup_find(ctx->backups_dir, target->name, "latest", &newest, &e) != 0)
		return e.code == ERR_NOT_FOUND;
	backup_clear(&newest);
	return false;
}

int plan_facts_read(const struct project *p, const struct context *ctx, const char *environment,
		    bool all, struct cancel *c, struct plan_facts *out, struct err *e)
{
	const struct env *target = env_find(p, environment);
	struct plan_facts f = { 0 };
	struct source_spec spec = { .dir = p->migrations, .layout = p->layout };

	if (!target)
		return err_set(e, ERR_USAGE, "no environment %s", environment ? environment : "");
	if (!target->has_db)
		return err_set(e, ERR_USAGE, "%s has no database", target->name);
	f.n_env = p->n_env;
	f.history = mem_calloc(p->n_env, sizeof(struct history *));
	f.history_err = mem_calloc(p->n_env, sizeof(*f.history_err));
	if (source_scan(&spec, c, &f.source, e) < 0 ||
	    read_histories(p, ctx, target, all, c, &f, e) < 0) {
		plan_facts_clear(&f);
		return -1;
	}
	f.git = mem_calloc(1, sizeof(*f.git));
	if (git_state_of_source(f.source, p->migrations, c, f.git, e) < 0) {
		plan_facts_clear(&f);
		return -1;
	}
	find_unfinished(ctx, &f);
	f.no_backup = has_no_backup(ctx, target);
	*out = f;
	return 0;
}

void plan_facts_clear(struct plan_facts *f)
{
	for (size_t i = 0; f->history && i < f->n_env; i++)
		history_free(f->history[i]);
	source_free(f->source);
	if (f->git)
		git_state_clear(f->git);
	mem_free(f->git);
	mem_free(f->history);
	mem_free(f->history_err);
	mem_free(f->holder);
	/* owned here, const for those who read them */
	mem_free((void *)(uintptr_t)f->unfinished_run);
	mem_free((void *)(uintptr_t)f->unfinished_state);
	memset(f, 0, sizeof(*f));
}
