/* SPDX-License-Identifier: MIT */
#include "tests/support/workspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/db/db.h"
#include "core/migrate/source.h"
#include "tests/support/tmp.h"

static const char *const env_names[] = { "dev", "staging", "production" };

void workspace_assert(bool ok, const struct err *e, const char *what, const char *file, int line)
{
	if (!ok) {
		print_error("%s:\n  %s\n  %s\n  %s\n", what, e->msg, e->detail, e->hint);
		_fail(file, line);
	}
}

static void make_env(struct workspace *w, size_t i)
{
	struct project *p = w->project;
	struct env *env = &p->env[i];
	struct db *db;
	struct err e;
	char url[64];

	*env = (struct env){
		.name = env_names[i],
		.has_db = true,
		.confirm = CONFIRM_NONE,
		.on_failure = FAILURE_ROLLBACK,
		.undo_migrations = UNDO_ALWAYS,
		.pause_limit_ms = 20000,
		.lock_timeout_ms = 2000,
		.lock_stale_ms = 120000,
	};
	snprintf(url, sizeof(url), "sqlite:%s.db", env->name);
	assert_ok(dsn_parse(&p->arena, url, w->dir, &env->dsn, &e), &e);
	assert_ok(db_open(&env->dsn, DB_CREATE, NULL, NULL, &db, &e), &e);
	db_close(db);
}

void workspace_init(struct workspace *w, size_t n_env)
{
	struct project *p = mem_calloc(1, sizeof(*p));
	struct err e;

	memset(w, 0, sizeof(*w));
	w->dir = tmp_make();
	w->project = p;
	arena_init(&p->arena);
	p->name = "shop";
	p->config_dir = w->dir;
	p->config_path = arena_printf(&p->arena, "%s/bascule.ini", w->dir);
	memset(p->config_digest, 'c', 64);
	w->migrations = tmp_path(w->dir, "sql");
	p->migrations = w->migrations;
	p->schema_version = "1.{n}.0";
	p->env = arena_alloc(&p->arena, n_env * sizeof(*p->env));
	p->n_env = n_env;
	assert_ok(fs_mkdirs(w->migrations, 0700, &e), &e);
	for (size_t i = 0; i < n_env; i++)
		make_env(w, i);
	w->exe = path_absolute("/proc/self/exe", &e);
	w->state_dir = tmp_path(w->dir, "state");
	w->runs_dir = tmp_path(w->state_dir, "runs");
	w->backups_dir = tmp_path(w->state_dir, "backups/shop");
	w->ctx = (struct context){
		.who = "alice",
		.host = "laptop",
		.state_dir = w->state_dir,
		.runs_dir = w->runs_dir,
		.backups_dir = w->backups_dir,
		.exe = w->exe,
	};
}

void workspace_clear(struct workspace *w)
{
	arena_clear(&w->project->arena);
	mem_free(w->project);
	mem_free(w->exe);
	mem_free(w->state_dir);
	mem_free(w->runs_dir);
	mem_free(w->backups_dir);
	mem_free(w->migrations);
	tmp_remove(w->dir);
}

void workspace_migration(struct workspace *w, const char *id, const char *title, const char *up,
			 const char *down)
{
	char name[128];

	snprintf(name, sizeof(name), "sql/up/%s_%s.sql", id, title);
	tmp_write(w->dir, name, up);
	snprintf(name, sizeof(name), "sql/down/%s_%s.sql", id, title);
	if (down)
		tmp_write(w->dir, name, down);
}

void workspace_tables(struct workspace *w, int n)
{
	for (int i = 1; i <= n; i++) {
		char id[16], up[160], down[64];

		snprintf(id, sizeof(id), "%04d", i);
		snprintf(up, sizeof(up),
			 "CREATE TABLE t%d (id INTEGER PRIMARY KEY);\n"
			 "INSERT INTO t%d VALUES (%d);\n",
			 i, i, i);
		snprintf(down, sizeof(down), "DROP TABLE t%d;\n", i);
		workspace_migration(w, id, "table", up, down);
	}
}

struct plan *workspace_plan(struct workspace *w, const struct plan_request *r)
{
	struct plan_facts facts = { 0 };
	struct plan *plan = NULL;
	struct err e;

	assert_ok(plan_facts_read(w->project, &w->ctx, r->environment, false, NULL, &facts, &e),
		  &e);
	assert_ok(plan_build(w->project, &facts, r, &plan, &e), &e);
	plan_facts_clear(&facts);
	return plan;
}

struct plan *workspace_migrate_plan(struct workspace *w, const char *env)
{
	const struct plan_request r = { .op = OP_MIGRATE, .environment = env };

	return workspace_plan(w, &r);
}

void workspace_freeze(struct workspace *w, struct plan *plan, char id[RUN_ID_SIZE])
{
	const struct source_spec spec = { .dir = w->migrations, .engine = "sqlite" };
	const struct env *env = env_find(w->project, plan->environment);
	struct source *source;
	struct db *db;
	struct err e;

	assert_ok(source_scan(&spec, NULL, &source, &e), &e);
	assert_ok(db_open(&env->dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(run_create(&w->ctx, plan, source, db, id, &e), &e);
	db_close(db);
	source_free(source);
	plan_free(plan);
}

void workspace_run(struct workspace *w, const char *env, char id[RUN_ID_SIZE])
{
	workspace_freeze(w, workspace_migrate_plan(w, env), id);
}

struct run *workspace_load(struct workspace *w, const char *id)
{
	struct run *r = NULL;
	struct err e;

	assert_ok(run_load(&w->ctx, id, &r, &e), &e);
	return r;
}

int64_t workspace_int(struct workspace *w, const char *env, const char *sql)
{
	struct db *db;
	struct err e;
	int64_t out;

	assert_ok(db_open(&env_find(w->project, env)->dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(db_int(db, sql, NULL, 0, -1, &out, &e), &e);
	db_close(db);
	return out;
}

void workspace_exec(struct workspace *w, const char *env, const char *sql)
{
	struct db *db;
	struct err e;

	assert_ok(db_open(&env_find(w->project, env)->dsn, 0, NULL, NULL, &db, &e), &e);
	assert_ok(db_script(db, sql, &e), &e);
	db_close(db);
}

static int count_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	*(int64_t *)arg = col[0].i;
	return 0;
}

bool workspace_has_table(struct workspace *w, const char *env, const char *table)
{
	struct db_value name = db_v_text(table);
	int64_t n = 0;
	struct db *db;
	struct err e;

	assert_ok(db_open(&env_find(w->project, env)->dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(db_exec(db,
			  "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1",
			  &name, 1, count_row, &n, &e),
		  &e);
	db_close(db);
	return n == 1;
}

char *workspace_run_path(struct workspace *w, const char *id, const char *file)
{
	char *dir = tmp_path(w->runs_dir, id);
	char *path = tmp_path(dir, file);

	mem_free(dir);
	return path;
}
