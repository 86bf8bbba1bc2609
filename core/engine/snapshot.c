/* SPDX-License-Identifier: MIT */
#include "core/engine/snapshot.h"

#include "core/backup/backup.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/db.h"
#include "core/migrate/foreign.h"
#include "core/release/env_open.h"

static void read_backup(const struct context *ctx, const struct env *env, struct env_snapshot *out)
{
	struct backup *list = NULL;
	struct err e;
	size_t n = 0;

	if (backup_list(ctx->backups_dir, env->name, &list, &n, &e) == 0 && n > 0) {
		out->has_backup = true;
		str_copy(out->backup_id, sizeof(out->backup_id), list[0].id);
		out->backup_utc_ms = list[0].at_utc_ms;
		out->backup_bytes = list[0].bytes;
		out->backup_verified = list[0].verified;
	}
	backup_list_free(list, n);
}

static int read_database(const struct env *env, unsigned flags, struct db *db,
			 struct env_snapshot *out)
{
	if (db_info(db, &out->info, &out->err) != 0 ||
	    history_read_from(db, env->history, false, &out->history, &out->err) != 0)
		return -1;
	if ((flags & SNAPSHOT_STATE) &&
	    (lock_read(&env->dsn, db, env->lock_stale_ms, &out->holder, &out->err) != 0 ||
	     (out->history->tool && foreign_busy(db, out->history, &out->err) != 0)))
		return -1;
	if ((flags & SNAPSHOT_SIZE) && db_size(db, &out->info.size_bytes, &out->err) != 0)
		return -1;
	if (flags & SNAPSHOT_SCHEMA)
		return db_schema_digest(db, out->schema_digest, &out->err);
	return 0;
}

void snapshot_read_env(const struct context *ctx, const struct env *env, unsigned flags,
		       struct cancel *c, struct env_snapshot *out)
{
	int64_t begun_us = clock_mono_us();
	struct db *db = NULL;

	out->has_db = env->has_db;
	out->at_utc_ms = clock_utc_ms();
	if (env->has_db && env_open(ctx, env, DB_READ_ONLY, c, &db, &out->err) == 0)
		out->reachable = read_database(env, flags, db, out) == 0;
	db_close(db);
	if (!out->reachable) {
		history_free(out->history);
		out->history = NULL;
	}
	out->open_us = clock_mono_us() - begun_us;
	if (flags & SNAPSHOT_STATE)
		read_backup(ctx, env, out);
}

void snapshot_join(const struct project *p, struct snapshot *s)
{
	static const struct source none;
	struct matrix_column *col = mem_calloc(s->n_env + 1, sizeof(*col));

	for (size_t i = 0; i < s->n_env; i++) {
		const char *engine = p->env[i].dsn.engine;
		struct err e; /* only a cancel could fail it, and there is none */

		if (s->env[i].history &&
		    history_join(s->env[i].history, source_for(s->source, engine), NULL, &e) != 0)
			continue;
		col[i] = (struct matrix_column){ s->env[i].history, s->env[i].has_db, engine };
	}
	s->matrix = matrix_build(s->source ? s->source : &none, col, s->n_env, p->schema_version);
	mem_free(col);
}
