/* SPDX-License-Identifier: MIT */
/*
 * Reading everything at once.
 *
 * Opening and hashing ten thousand files and reading three histories take about the same time, and
 * share nothing, so each environment has a thread while the calling one scans the folder. Each
 * thread writes only its own env_snapshot; the join is the only meeting.
 */
#include "cli/look.h"

#include <pthread.h>
#include <string.h>

#include "cli/cli.h"
#include "core/backup/backup.h"
#include "core/base/clock.h"
#include "core/migrate/source.h"

struct look_env {
	const struct project *project;
	const struct context *ctx;
	const struct env *env;
	unsigned flags;
	struct env_snapshot *out;
	char *schema_digest;
	pthread_t thread;
	bool started;
};

static void read_details(struct look_env *j, struct db *db)
{
	struct env_snapshot *s = j->out;
	struct backup *list = NULL;
	struct err e;
	size_t n = 0;

	if (db_schema_digest(db, j->schema_digest, &e) != 0)
		j->schema_digest[0] = '\0';
	if (lock_read(&j->env->dsn, db, j->env->lock_stale_ms, &s->holder, &e) != 0)
		s->holder = (struct lock_holder){ 0 };
	if (backup_list(j->ctx->backups_dir, j->env->name, &list, &n, &e) == 0 && n > 0) {
		s->has_backup = true;
		str_copy(s->backup_id, sizeof(s->backup_id), list[0].id);
		s->backup_utc_ms = list[0].at_utc_ms;
		s->backup_bytes = list[0].bytes;
		s->backup_verified = list[0].verified;
	}
	backup_list_free(list, n);
}

static void *read_env(void *arg)
{
	struct look_env *j = arg;
	struct env_snapshot *s = j->out;
	struct db_options opt = { .lock_timeout_ms = j->env->lock_timeout_ms };
	int64_t start = clock_mono_us();
	struct db *db = NULL;

	if (db_open(&j->env->dsn, DB_READ_ONLY, &opt, NULL, &db, &s->err) != 0 ||
	    db_info(db, &s->info, &s->err) != 0 ||
	    history_read(db, false, &s->history, &s->err) != 0)
		goto out;
	s->reachable = true;
	s->open_us = clock_mono_us() - start;
	s->at_utc_ms = clock_utc_ms();
	if (j->flags & LOOK_DETAILS)
		read_details(j, db);
out:
	cli_hint_missing(j->env, &s->err);
	db_close(db);
	return NULL;
}

static void build(const struct project *p, struct snapshot *s)
{
	static const struct source none;
	struct matrix_column *col = mem_calloc(s->n_env + 1, sizeof(*col));
	size_t i;

	for (i = 0; i < s->n_env; i++)
		col[i] = (struct matrix_column){ s->env[i].history, s->env[i].has_db };
	s->matrix = matrix_build(s->source != NULL ? s->source : &none, col, s->n_env,
				 p->schema_version);
	mem_free(col);
}

void look_read(const struct project *p, const struct context *ctx, unsigned flags, struct look *out)
{
	struct source_spec spec = { .dir = p->migrations, .layout = p->layout };
	struct snapshot *s = mem_calloc(1, sizeof(*s));
	struct look_env *job = mem_calloc(p->n_env + 1, sizeof(*job));
	size_t i;

	s->n_env = p->n_env;
	s->env = mem_calloc(p->n_env + 1, sizeof(*s->env));
	s->at_utc_ms = clock_utc_ms();
	out->schema_digest = mem_calloc(p->n_env + 1, sizeof(*out->schema_digest));
	for (i = 0; i < p->n_env; i++) {
		s->env[i].has_db = p->env[i].has_db;
		job[i] = (struct look_env){ .project = p,
					    .ctx = ctx,
					    .env = &p->env[i],
					    .flags = flags,
					    .out = &s->env[i],
					    .schema_digest = out->schema_digest[i] };
		if (!p->env[i].has_db)
			continue;
		job[i].started = pthread_create(&job[i].thread, NULL, read_env, &job[i]) == 0;
		if (!job[i].started)
			read_env(&job[i]); /* no thread to be had: one after the other */
		spec.engine = p->env[i].dsn.engine;
	}
	if (source_scan(&spec, NULL, &s->source, &s->source_err) != 0)
		s->source = NULL;
	for (i = 0; i < p->n_env; i++)
		if (job[i].started)
			pthread_join(job[i].thread, NULL);
	build(p, s);
	mem_free(job);
	out->snap = s;
}

void look_clear(struct look *l)
{
	snapshot_free(l->snap);
	mem_free(l->schema_digest);
	*l = (struct look){ 0 };
}
