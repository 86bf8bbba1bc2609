/* SPDX-License-Identifier: MIT */
/*
 * `check`: resolved paths, and everything that an operation would trip over, found before it does.
 *
 * One line per finding: ok, warn or FAIL, what was looked at, what was found, and where there is
 * one an action. It changes nothing: databases are opened for reading, folders are asked whether
 * they could be written. The exit status is 1 when a line says FAIL.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/check.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/secret.h"
#include "core/db/db.h"
#include "core/ledger/ledger.h"
#include "core/ledger/lock.h"
#include "core/migrate/apply.h"
#include "core/migrate/git_state.h"
#include "core/migrate/source.h"
#include "core/migrate/verify.h"
#include "core/release/env_open.h"
#include "core/release/run.h"

#define FREE_WARN_BYTES ((int64_t)200 << 20)
#define FREE_FAIL_BYTES ((int64_t)4 << 20)

static const char *const state_names[] = { "ok", "warn", "FAIL" };

void check_add(struct check *k, enum check_state state, const char *name, const char *hint,
	       const char *fmt, ...)
{
	struct strbuf text;
	va_list ap;
	json_t *j;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	secret_redact(&text);
	if (state == CHECK_FAIL)
		k->failed = true;
	j = json_object();
	json_put_str(j, "state", state_names[state]);
	json_put_str(j, "what", name);
	json_put_str(j, "found", strbuf_str(&text));
	json_put_str(j, "hint", hint);
	json_array_append_new(k->list, j);
	add_cell(&k->out, state_names[state], 4);
	add_cell(&k->out, name, 14);
	add_clean(&k->out, strbuf_str(&text));
	strbuf_addc(&k->out, '\n');
	if (hint != NULL && hint[0] != '\0') {
		strbuf_adds(&k->out, "                    try: ");
		add_clean(&k->out, hint);
		strbuf_addc(&k->out, '\n');
	}
	strbuf_clear(&text);
}

void check_err(struct check *k, enum check_state state, const char *name, const struct err *e)
{
	check_add(k, state, name, e->hint, "%s%s%s", e->msg, e->detail[0] != '\0' ? ": " : "",
		  e->detail);
}

/* The nearest folder above path that exists. */
static char *existing_folder(const char *path)
{
	char *dir = mem_strdup(path), *up;

	while (!fs_is_dir(dir) && strcmp(dir, "/") != 0 && strcmp(dir, ".") != 0) {
		up = path_dir(dir);
		mem_free(dir);
		dir = up;
	}
	return dir;
}

static void check_folder(struct check *k, const char *name, const char *path)
{
	char *dir = existing_folder(path);
	struct statvfs fs;
	int64_t free_bytes;

	if (access(dir, W_OK | X_OK) != 0) {
		check_add(k, CHECK_FAIL, name, "", "%s: nothing can be written in %s: %s", path,
			  dir, err_errno_name(errno));
	} else if (statvfs(dir, &fs) != 0) {
		check_add(k, CHECK_WARN, name, "", "%s: its file system does not answer: %s", path,
			  err_errno_name(errno));
	} else {
		free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
		check_add(k,
			  free_bytes < FREE_FAIL_BYTES   ? CHECK_FAIL
			  : free_bytes < FREE_WARN_BYTES ? CHECK_WARN
							 : CHECK_OK,
			  name, "", "%s, %lld MB free", path, (long long)(free_bytes >> 20));
	}
	mem_free(dir);
}

/* --- Migrations ------------------------------------------------------------------------------ */

/* Both scripts of one migration through the same preparation that a run gives them. */
static void check_script(struct check *k, const struct source *source, const struct migration *m,
			 bool down, const char *engine)
{
	struct script script;
	struct strbuf text;
	struct arena a;
	struct err e;

	arena_init(&a);
	strbuf_init(&text, SOURCE_FILE_MAX);
	if (source_script(source, m, down, &text, &e) != 0 ||
	    script_prepare(&a, engine, path_base(down ? m->down_path : m->up_path),
			   strbuf_sv(&text), m->no_transaction && !down, &script, &e) != 0)
		check_err(k, CHECK_FAIL, m->id, &e);
	strbuf_clear(&text);
	arena_clear(&a);
}

/* Scripts are prepared for the engine of the first environment that has a database. */
static const char *first_engine(const struct project *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		if (p->env[i].has_db)
			return p->env[i].dsn.engine;
	return "sqlite";
}

static void check_source(struct check *k, const struct source *s)
{
	const char *engine = s->engine != NULL ? s->engine : first_engine(k->c->project);
	size_t i, down = 0;

	for (i = 0; i < s->n; i++)
		down += s->list[i].down == DOWN_SQL;
	check_add(k, CHECK_OK, "migrations", "", "%s: %zu migration%s, %zu reversible, layout %s",
		  s->dir, s->n, s->n == 1 ? "" : "s", down, s->layout);
	for (i = 0; i < s->n_problem; i++)
		check_add(k, s->problem[i].error ? CHECK_FAIL : CHECK_WARN, "migrations",
			  s->problem[i].hint, "%s%s%s", s->problem[i].path,
			  s->problem[i].path[0] != '\0' ? ": " : "", s->problem[i].msg);
	if (s->n_problem_total > s->n_problem)
		check_add(k, CHECK_WARN, "migrations", "", "and %zu more",
			  s->n_problem_total - s->n_problem);
	for (i = 0; i < s->n && !s->framework; i++) {
		check_script(k, s, &s->list[i], false, engine);
		if (s->list[i].down == DOWN_SQL)
			check_script(k, s, &s->list[i], true, engine);
	}
}

static void check_git(struct check *k, const struct source *s)
{
	struct git_state git;
	struct strbuf words;
	struct err e;

	strbuf_init(&words, STRBUF_NO_LIMIT);
	if (git_state_of_source(s, k->c->project->migrations, NULL, &git, &e) == 0) {
		git_state_words(&git, &words);
		check_add(k, git.n_uncommitted + git.n_unpushed > 0 ? CHECK_WARN : CHECK_OK, "git",
			  "", "%s", strbuf_str(&words));
	}
	git_state_clear(&git);
	strbuf_clear(&words);
}

static void check_migrations(struct check *k)
{
	const struct project *p = k->c->project;
	struct source_spec spec = { .dir = p->migrations, .layout = p->layout };
	struct source *s = NULL;
	struct err e;

	if (source_scan(&spec, NULL, &s, &e) != 0) {
		check_err(k, CHECK_FAIL, "migrations", &e);
		return;
	}
	for (const struct source *v = s; v != NULL; v = v->next_engine)
		check_source(k, v);
	check_git(k, s);
	source_free(s);
}

/* --- Environments ---------------------------------------------------------------------------- */

static void check_lock(struct check *k, const struct env *env, struct db *db)
{
	struct lock_holder h;
	char since[CLOCK_TEXT_SIZE];
	struct err e;

	if (lock_read(&env->dsn, db, env->lock_stale_ms, &h, &e) != 0)
		check_err(k, CHECK_WARN, env->name, &e);
	else if (!h.held)
		check_add(k, CHECK_OK, env->name, "", "lock is free");
	else
		check_add(k, CHECK_WARN, env->name, "",
			  "lock is held by %s on %s (pid %lld, run %s) since %s%s", h.who, h.host,
			  (long long)h.pid, h.run, clock_iso(h.since_utc_ms, since),
			  h.stale ? ", silent" : "");
}

static void check_ledger(struct check *k, const struct env *env, struct db *db)
{
	struct err e;
	int format;

	if (ledger_format(db, &format, &e) != 0)
		check_err(k, CHECK_FAIL, env->name, &e);
	else if (format == 0)
		check_add(k, CHECK_OK, env->name, "", "no ledger yet: the first change makes it");
	else if (format > LEDGER_FORMAT)
		check_add(k, CHECK_FAIL, env->name, "",
			  "ledger format %d is newer than %d: read only", format, LEDGER_FORMAT);
	else
		check_add(k, CHECK_OK, env->name, "", "ledger format %d", format);
}

/* What migrations left that is not in force, and what is not in force without one of ours knowing. */
static void check_in_force(struct check *k, const struct env *env, struct db *db)
{
	struct findings all = { .list = NULL };
	struct history *h = NULL;
	struct err e;

	if (history_read_from(db, env->history, false, &h, &e) != 0 ||
	    verify_report(db, h, VERIFY_CHECK_MS, &all, &e) != 0)
		check_err(k, CHECK_WARN, env->name, &e);
	for (size_t i = 0; i < all.n; i++) {
		const struct finding *f = &all.list[i];

		if (f->migration != NULL)
			check_add(k, CHECK_WARN, env->name, f->mend, "migration %s: %s",
				  f->migration, f->words);
		else
			check_add(k, CHECK_WARN, env->name, f->mend,
				  "%s (no migration of bascule left it)", f->words);
	}
	findings_clear(&all);
	history_free(h);
}

/* The database keeps its journal beside the file: both must be writable. */
static void check_writable(struct check *k, const struct env *env)
{
	char *dir = path_dir(env->dsn.path);

	if (access(env->dsn.path, W_OK) != 0)
		check_add(k, CHECK_FAIL, env->name, "", "%s cannot be written: %s", env->dsn.path,
			  err_errno_name(errno));
	if (access(dir, W_OK | X_OK) != 0)
		check_add(k, CHECK_FAIL, env->name, "", "no journal can be made in %s: %s", dir,
			  err_errno_name(errno));
	mem_free(dir);
}

/* Where the password comes from and whether it is there, never what it is. */
static void check_password(struct check *k, const struct env *env)
{
	const char *from = env->password_from, *name;
	struct stat st;
	char *path;

	if (dsn_is_file(&env->dsn))
		return;
	if (from == NULL) {
		check_add(k, CHECK_OK, env->name, "", "password: what the client library finds");
		return;
	}
	check_add(k, env->dsn.password != NULL ? CHECK_OK : CHECK_FAIL, env->name, "",
		  "password: %s, %s", from, env->dsn.password != NULL ? "set" : "not set");
	if (strncmp(from, "file:", 5) != 0)
		return;
	name = from + 5;
	path = path_join(k->c->project->config_dir, name);
	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		check_add(k, CHECK_WARN, env->name, "", "others may read %s (%04o)", path,
			  (unsigned)st.st_mode & 07777);
	mem_free(path);
}

static void check_env(struct check *k, const struct env *env)
{
	struct db *db = NULL;
	struct db_info info;
	struct err e;
	char kind[16];

	check_password(k, env);
	if (dsn_is_file(&env->dsn) && fs_is_network(env->dsn.path, kind))
		check_add(k, CHECK_FAIL, env->name, "", "%s is on a network file system (%s)",
			  env->dsn.path, kind);
	if (env_open(&k->c->ctx, env, DB_READ_ONLY, NULL, &db, &e) != 0 ||
	    db_info(db, &info, &e) != 0) {
		check_err(k, CHECK_FAIL, env->name, &e);
		db_close(db);
		return;
	}
	if (dsn_is_file(&env->dsn)) {
		check_add(k, CHECK_OK, env->name, "", "%s, inode %lld, %lld bytes, %s %s, %s",
			  env->dsn.path, (long long)info.inode, (long long)info.size_bytes,
			  info.engine, info.version, info.durability);
		check_writable(k, env);
	} else {
		check_add(k, info.read_only ? CHECK_WARN : CHECK_OK, env->name, "",
			  "%s%s%s, %s %s as %s, zone %s, %s%s", env->dsn.shown,
			  env->database_via != NULL ? " through " : "",
			  env->database_via != NULL ? env->database_via->name : "", info.engine,
			  info.version, info.role, info.zone, info.durability,
			  info.read_only ? ", takes no writes" : "");
	}
	if (!dsn_is_file(&env->dsn))
		check_server(k, env, db);
	check_ledger(k, env, db);
	check_in_force(k, env, db);
	check_lock(k, env, db);
	db_close(db);
}

static void check_runs(struct check *k)
{
	struct run **list = NULL;
	size_t n = 0, unreadable = 0, i, open = 0;
	struct err e;

	if (run_list(&k->c->ctx, k->c->project->name, NULL, &list, &n, &unreadable, &e) != 0) {
		check_err(k, CHECK_FAIL, "runs", &e);
		return;
	}
	for (i = 0; i < n; i++) {
		const struct run *r = list[i];
		char hint[64];

		if (run_state_ended(r->state))
			continue;
		open++;
		snprintf(hint, sizeof(hint), "bascule %s %s", r->runner_alive ? "watch" : "resume",
			 r->number);
		check_add(k, CHECK_WARN, "runs", hint, "run %s on %s is %s at step %d of %zu",
			  r->number, r->plan->environment, run_state_name(r->state), r->current,
			  r->plan->n_step);
		if (r->chain.broken)
			check_add(k, CHECK_FAIL, "runs", "",
				  "the journal of run %s is damaged in line %lld: %s", r->number,
				  (long long)r->chain.broken_line, r->chain.broken_why);
	}
	if (unreadable > 0)
		check_add(k, CHECK_WARN, "runs", "", "%zu folders in %s cannot be read as runs",
			  unreadable, k->c->ctx.runs_dir);
	if (open == 0)
		check_add(k, CHECK_OK, "runs", "", "%zu, all ended", n);
	run_list_free(list, n);
}

/* A project of services alone has no migrations to look for. */
static bool any_database(const struct project *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		if (p->env[i].has_db)
			return true;
	return false;
}

int cmd_check(struct cli *c, struct err *e)
{
	struct check k = { .c = c, .list = json_array() };
	const struct project *p = c->project;
	json_t *j;
	size_t i;
	int rc;

	strbuf_init(&k.out, STRBUF_NO_LIMIT);
	check_add(&k, CHECK_OK, "configuration", "", "%s, project %s, %zu environments",
		  p->config_path, p->name, p->n_env);
	check_add(&k, CHECK_OK, "operator", "", "%s on %s", c->ctx.who, c->ctx.host);
	check_folder(&k, "state", c->ctx.state_dir);
	check_folder(&k, "backups", c->ctx.backups_dir);
	if (any_database(p))
		check_migrations(&k);
	rc = check_hosts(&k, e);
	if (rc != 0)
		goto out;
	for (i = 0; i < p->n_env; i++)
		if (p->env[i].has_db)
			check_env(&k, &p->env[i]);
	check_runs(&k);
	check_system(&k);
	if (args_has(&c->args, OPT_JSON)) {
		j = json_object();
		json_object_set(j, "checks", k.list);
		rc = print_json(j, e);
	} else {
		rc = print_out(strbuf_sv(&k.out), e);
	}
out:
	json_decref(k.list);
	strbuf_clear(&k.out);
	return rc == 0 && k.failed ? EXIT_FAILED : rc;
}
