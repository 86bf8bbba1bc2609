/* SPDX-License-Identifier: MIT */
/* A project for tests: a folder of migrations, SQLite environments, a state folder, all temporary.
 * Whatever goes wrong in here fails the test. */
#ifndef SUPPORT_WORKSPACE_H
#define SUPPORT_WORKSPACE_H

#include "core/release/plan.h"
#include "core/release/run.h"

struct workspace {
	char *dir;
	struct project *project;
	struct context ctx;
	char *exe, *state_dir, *runs_dir, *backups_dir, *migrations;
};

/* n_env environments dev, staging, production (in this order), made, empty, with lock_stale_ms 120 s,
 * undo always, on_failure rollback, no backups, not protected. Change project->env[i] as needed. */
void workspace_init(struct workspace *w, size_t n_env);
void workspace_clear(struct workspace *w);
/* up/ID_TITLE.sql and, when down is not NULL, down/ID_TITLE.sql. */
void workspace_migration(struct workspace *w, const char *id, const char *title, const char *up,
			 const char *down);
/* n migrations 0001 … each making table tN with a row; downs drop it. */
void workspace_tables(struct workspace *w, int n);
/* The plan of a request, gates open or not. */
struct plan *workspace_plan(struct workspace *w, const struct plan_request *r);
struct plan *workspace_migrate_plan(struct workspace *w, const char *env);
/* Freezes the plan (and frees it). */
void workspace_freeze(struct workspace *w, struct plan *plan, char id[RUN_ID_SIZE]);
/* migrate env, frozen. */
void workspace_run(struct workspace *w, const char *env, char id[RUN_ID_SIZE]);
struct run *workspace_load(struct workspace *w, const char *id);
/* One integer out of an environment's database. */
int64_t workspace_int(struct workspace *w, const char *env, const char *sql);
void workspace_exec(struct workspace *w, const char *env, const char *sql);
bool workspace_has_table(struct workspace *w, const char *env, const char *table);
/* Path of a file of a run; caller frees. */
char *workspace_run_path(struct workspace *w, const char *id, const char *file);
/* An assertion that says what went wrong. */
#define assert_ok(call, e) workspace_assert((call) == 0, (e), #call, __FILE__, __LINE__)
void workspace_assert(bool ok, const struct err *e, const char *what, const char *file, int line);

#endif
