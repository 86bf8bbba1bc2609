/* SPDX-License-Identifier: MIT */
/*
 * Jobs that read what a view asked for: a plan, the texts of one migration, an environment's events,
 * the list of runs. Each opens what it needs, reads, posts one event, and is gone.
 */
#include "core/engine/job.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/db/db.h"
#include "core/ledger/ledger.h"
#include "core/release/env_open.h"

void job_plan(struct job *job)
{
	const struct plan_job *arg = job->arg;
	const struct engine *g = job->engine;
	struct event *ev = event_new(EV_PLAN, job->request);
	struct plan_facts facts;

	/* `p` plans towards what another environment has: its history is needed as well. */
	if (plan_facts_read(g->project, g->ctx, arg->request.environment,
			    arg->request.towards != NULL, &job->cancel, &facts, &ev->err) == 0) {
		if (plan_build(g->project, &facts, &arg->request, &ev->u.plan.plan, &ev->err) == 0)
			err_clear(&ev->err);
		plan_facts_clear(&facts);
	}
	job_post(job, ev);
}

/* --- Texts of one migration ------------------------------------------------------------------- */

static int read_file_text(struct job *job, const struct script_job *arg, struct script_text *out,
			  struct err *e)
{
	struct shared_source *source = engine_source(job->engine, &job->cancel, e);
	const struct env *env = env_find(job->engine->project, arg->env);
	const struct source *variant;
	const struct migration *m;
	struct strbuf text;
	int rc = -1;

	if (!source)
		return -1;
	strbuf_init(&text, SOURCE_FILE_MAX);
	variant = source_for(source->source, env ? env->dsn.engine : NULL);
	m = variant ? source_find(variant, arg->ns, arg->id) : NULL;
	if (!m || (arg->down && m->down == DOWN_NONE))
		rc = 0;
	else if (source_script(variant, m, arg->down, &text, e) == 0) {
		out->file_text = strbuf_detach(&text);
		rc = 0;
	}
	strbuf_clear(&text);
	shared_source_drop(source);
	return rc;
}

static int read_stored_text(struct job *job, const struct script_job *arg, struct script_text *out,
			    struct err *e)
{
	const struct env *env = env_find(job->engine->project, arg->env);
	const struct applied *applied;
	struct history *history = NULL;
	struct strbuf text;
	struct db *db = NULL;
	bool has_down = false;
	int rc = -1;

	strbuf_init(&text, LEDGER_SCRIPT_MAX);
	if (!env || !env->has_db) {
		rc = 0;
		goto out;
	}
	if (env_open(job->engine->ctx, env, DB_READ_ONLY, &job->cancel, &db, e) != 0 ||
	    history_read_from(db, "bascule", false, &history, e) != 0)
		goto out;
	applied = history_find(history, arg->ns, arg->id);
	if (!applied || applied->script_seq == 0) {
		rc = 0;
		goto out;
	}
	if (ledger_scripts(db, applied->script_seq, arg->down ? NULL : &text,
			   arg->down ? &text : NULL, &has_down, e) != 0)
		goto out;
	if (!arg->down || has_down)
		out->stored_text = strbuf_detach(&text);
	rc = 0;
out:
	strbuf_clear(&text);
	history_free(history);
	db_close(db);
	return rc;
}

void job_script(struct job *job)
{
	const struct script_job *arg = job->arg;
	struct event *ev = event_new(EV_SCRIPT, job->request);
	struct script_text *out = mem_calloc(1, sizeof(*out));
	struct err e;

	str_copy(out->env, sizeof(out->env), arg->env);
	str_copy(out->ns, sizeof(out->ns), arg->ns);
	str_copy(out->id, sizeof(out->id), arg->id);
	out->down = arg->down;
	/* One side is worth showing when the other cannot be read. */
	if (read_file_text(job, arg, out, &e) != 0)
		out->err = e;
	if (read_stored_text(job, arg, out, &e) != 0)
		out->err = e;
	out->same = out->file_text && out->stored_text &&
		    strcmp(out->file_text, out->stored_text) == 0;
	ev->u.script = out;
	job_post(job, ev);
	engine_script_done(job->engine);
}

/* --- Lists ------------------------------------------------------------------------------------ */

void job_events(struct job *job)
{
	const char *name = job->arg;
	const struct env *env = env_find(job->engine->project, name);
	struct event *ev = event_new(EV_EVENTS, job->request);
	struct db *db = NULL;

	str_copy(ev->u.events.env, sizeof(ev->u.events.env), name);
	if (!env || !env->has_db)
		err_set(&ev->err, ERR_USAGE, "%s has no database", name);
	else if (env_open(job->engine->ctx, env, DB_READ_ONLY, &job->cancel, &db, &ev->err) == 0 &&
		 history_read_from(db, env->history, true, &ev->u.events.history, &ev->err) == 0)
		err_clear(&ev->err);
	db_close(db);
	job_post(job, ev);
}

/* Every run is its plan and its journal, and only the journal changes. */
static void stamp_runs(const char *dir, struct stamp *s)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char name[NAME_MAX + 32];

	stamp_init(s);
	while (d && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/journal.ndjson", entry->d_name);
		stamp_add(s, dirfd(d), name);
	}
	if (d)
		closedir(d);
}

/* A run that has not ended changes with its runner, which may die without a word. */
static bool all_ended(struct run **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!run_state_ended(list[i]->state))
			return false;
	return true;
}

void job_runs(struct job *job)
{
	struct engine *g = job->engine;
	struct event *ev = event_new(EV_RUNS, job->request);
	int64_t begun_ns = stamp_now_ns();
	struct stamp now;
	size_t unreadable = 0;

	engine_children_reap(g);
	stamp_runs(g->ctx->runs_dir, &now);
	if (g->runs_settled && stamp_equal(&now, &g->runs_stamp)) {
		ev->u.runs.same = true;
	} else if (run_list(g->ctx, g->project->name, NULL, &ev->u.runs.list, &ev->u.runs.n,
			    &unreadable, &ev->err) == 0) {
		err_clear(&ev->err);
		g->runs_stamp = now;
		g->runs_settled = all_ended(ev->u.runs.list, ev->u.runs.n) &&
				  stamp_is_settled(&now, begun_ns);
	}
	job_post(job, ev);
	engine_runs_done(g);
}
