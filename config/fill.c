/* SPDX-License-Identifier: MIT */
/*
 * Sections to a project: texts become values, what was not said gets its default, and environments
 * are looked at against each other.
 *
 * A value that cannot be read is noted and replaced by its default, so that the checks behind it
 * still find what else is wrong. Defaults that hang on the pipeline (the last stage is protected,
 * a protected one is confirmed by name and copied first) are the reason that its order comes first.
 */
#include "config/reader.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "config/schema.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/words.h"

/* --- Second pass: values --------------------------------------------------------------------- */

/* An environment whose settings are missing is one all the same; env_open says what is wrong. */
static void fill_database(struct reader *r, const struct section *s, struct env *env)
{
	const struct option *o;
	struct err e;
	int line;
	const char *url = reader_value(s, "database", &o, &line);

	if (url != NULL) {
		env->has_db = dsn_parse(&r->p->arena, url, r->p->config_dir, &env->dsn, &e) == 0;
		if (!env->has_db)
			reader_mistake(r, line, e.hint, "%s%s%s", e.msg,
				       e.detail[0] != '\0' ? ": " : "", e.detail);
	} else if (s->trouble != NULL) {
		env->has_db = true;
		env->dsn = (struct dsn){ .engine = "mariadb", .shown = "unknown" };
	} else if (line == 0 && s->n_var > 0) {
		env->has_db = reader_settings(r, s, !reader_has_service(r, s->name), &env->dsn);
	} else if (line == 0 && !reader_has_service(r, s->name)) {
		reader_mistake(r, s->line, "add database = sqlite:PATH, or a [service NAME]",
			       "%s has neither a database nor a service", reader_shown(r, s));
	}
}

/* What makes sense with a database only. */
static void check_no_database(struct reader *r, const struct section *s)
{
	static const char *const keys[] = { "password", "history", "database_via" };
	const struct option *o;
	int line;

	reader_value(s, "database", &o, &line);
	for (size_t i = 0; line == 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
		int at;

		reader_value(s, keys[i], &o, &at);
		if (at > 0)
			reader_mistake(r, at, "add database = URL, or remove it",
				       "%s has no database: there is nothing for `%s`",
				       reader_shown(r, s), keys[i]);
	}
}

/* Backups are files of this machine's SQLite so far. One that is promised for a server would be a lie; one
 * that is only the default of a protected environment is left out. */
static void fill_backup(struct reader *r, const struct section *s, struct env *env)
{
	const struct option *o;
	bool file = env->has_db && dsn_is_file(&env->dsn);
	int line, database;

	env->backup = (enum env_backup)reader_enum(
		r, s, "backup", env->is_protected && file ? BACKUP_BEFORE_MIGRATE : BACKUP_NEVER);
	reader_value(s, "backup", &o, &line);
	if (file || env->backup == BACKUP_NEVER)
		return;
	if (env->has_db)
		reader_mistake(r, line,
			       "write backup = never, and take a copy by other means first",
			       "bascule does not back up %s yet: `backup = %s` cannot be kept",
			       env->dsn.engine, env_backup_name(env->backup));
	else if (reader_value(s, "database", &o, &database) == NULL && database == 0)
		reader_mistake(r, line, "write backup = never, or add database = URL",
			       "%s has no database: `backup = %s` cannot be kept",
			       reader_shown(r, s), env_backup_name(env->backup));
	env->backup = BACKUP_NEVER;
}

static void fill_env(struct reader *r, const struct section *s, bool last, struct env *env)
{
	const struct option *o;
	int line;

	env->name = s->name;
	env->line = s->line;
	env->var = s->var;
	env->n_var = s->n_var;
	env->trouble = s->trouble;
	fill_database(r, s, env);
	if (env->has_db)
		reader_password(r, s, env);
	else
		check_no_database(r, s);
	env->requires = reader_text(s, "requires", NULL);
	env->is_protected = reader_bool(r, s, "protected", last);
	env->confirm = (enum env_confirm)reader_enum(
		r, s, "confirm", env->is_protected ? CONFIRM_NAME : CONFIRM_NONE);
	if (env->is_protected && env->confirm != CONFIRM_NAME) {
		reader_value(s, "confirm", &o, &line);
		reader_mistake(
			r, line, "write confirm = name, or protected = no",
			"a protected environment is confirmed by its name, not by `confirm = %s`",
			env_confirm_name(env->confirm));
	}
	fill_backup(r, s, env);
	env->on_failure = (enum env_failure)reader_enum(r, s, "on_failure", FAILURE_ROLLBACK);
	env->undo_migrations = (enum env_undo)reader_enum(r, s, "undo_migrations", UNDO_NEVER);
	env->pause_limit_ms = reader_span(r, s, "pause_limit");
	env->lock_timeout_ms = reader_span(r, s, "lock_timeout");
	env->statement_timeout_ms = reader_span(r, s, "statement_timeout");
	env->connect_timeout_ms = reader_span(r, s, "connect_timeout");
	env->history =
		option_find("environment", "history")->values[reader_enum(r, s, "history", 0)];
	env->lock_stale_ms = reader_span(r, s, "lock_stale");
	reader_env_hosts(r, s, env);
}

/* The next name of "a -> b -> c"; false at the end. */
static bool cut_stage(struct sv *rest, struct sv *name)
{
	size_t i;

	if (rest->p == NULL)
		return false;
	for (i = 0; i + 1 < rest->n; i++)
		if (rest->p[i] == '-' && rest->p[i + 1] == '>')
			break;
	if (i + 1 >= rest->n) {
		*name = sv_trim(*rest);
		*rest = (struct sv){ NULL, 0 };
		return true;
	}
	*name = sv_trim(sv_n(rest->p, i));
	*rest = sv_n(rest->p + i + 2, rest->n - i - 2);
	return true;
}

const char *reader_nearest_env(struct reader *r, const char *word)
{
	const char *names[ENVIRONMENTS_MAX];
	size_t i, n = 0;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->list[i]->kind, "environment") == 0)
			names[n++] = r->list[i]->name;
	return reader_nearest(r, word, names, n,
			      arena_printf(&r->errs->arena, "add a section [environment %s]",
					   word));
}

/* Every environment of the file must be in the pipeline once: one that is forgotten there would
 * have no place in the order that gates hang on. */
static size_t order_by_pipeline(struct reader *r, const struct section *project,
				const struct section **stage)
{
	const struct option *o;
	int line;
	const char *v = reader_value(project, "pipeline", &o, &line);
	struct sv rest = sv_of(v), piece;
	const struct section *s;
	const char *name;
	size_t n = 0, i, k;

	while (v != NULL && cut_stage(&rest, &piece)) {
		name = arena_strndup(&r->p->arena, piece.p, piece.n);
		s = reader_find(r, "environment", name, "");
		for (k = 0; k < n && stage[k] != s; k++)
			;
		if (name[0] == '\0')
			reader_mistake(r, line, "write NAME -> NAME",
				       "`pipeline` has an empty stage");
		else if (s == NULL)
			reader_mistake(r, line, reader_nearest_env(r, name),
				       "`pipeline` names %s, which has no section", name);
		else if (k < n)
			reader_mistake(r, line, "name it once", "`pipeline` names %s twice", name);
		else
			stage[n++] = s;
	}
	for (i = 0; i < r->n; i++) {
		s = r->list[i];
		for (k = 0; k < n && stage[k] != s; k++)
			;
		if (strcmp(s->kind, "environment") != 0 || k < n)
			continue;
		if (v != NULL)
			reader_mistake(r, line, "add it where it belongs, such as NAME -> NAME",
				       "`pipeline` does not name %s (line %d)", s->name, s->line);
		stage[n++] = s;
	}
	return n;
}

/* Digits and dots around one {n} or {n:0WIDTH}. */
static bool version_pattern_ok(const char *v)
{
	const char *open = strchr(v, '{'), *p;

	if (open == NULL)
		return false;
	for (p = v; *p != '\0'; p++) {
		if (p == open) {
			if (strncmp(p, "{n}", 3) == 0)
				p += 2;
			else if (strncmp(p, "{n:0", 4) == 0 && p[4] >= '1' && p[4] <= '9' &&
				 p[5] == '}')
				p += 5;
			else
				return false;
		} else if (!isdigit((unsigned char)*p) && *p != '.') {
			return false;
		}
	}
	return true;
}

static void fill_project(struct reader *r, const struct section *s)
{
	const struct option *o;
	struct project *p = r->p;
	int line, layout;
	char *path, **words;
	struct err e;
	size_t n;

	p->name = reader_text(s, "name", NULL);
	if (p->name != NULL && !reader_name_ok(p->name)) {
		reader_value(s, "name", &o, &line);
		reader_mistake(
			r, line,
			"letters, digits, . _ -, at most 40, beginning with one of the first",
			"`name` cannot be %s", p->name);
	}
	if (p->name == NULL) {
		p->name = path_base(p->config_dir);
		if (!reader_name_ok(p->name))
			p->name = "project";
	}
	path = path_join(p->config_dir, reader_text(s, "migrations", "migrations"));
	p->migrations = arena_strdup(&p->arena, path);
	mem_free(path);
	path = path_join(p->config_dir, reader_text(s, "seeds", "seeds"));
	p->seeds = arena_strdup(&p->arena, path);
	mem_free(path);
	p->migrate_command = reader_value(s, "migrate_command", &o, &line);
	if (p->migrate_command != NULL &&
	    words_split(&p->arena, p->migrate_command, &words, &n, &e) != 0)
		reader_mistake(r, line, "write the words of the command", "`migrate_command`: %s",
			       e.msg);
	reader_enum(r, s, "migrate_in", 0);
	layout = reader_enum(r, s, "layout", -1);
	if (layout >= 0)
		p->layout = option_find("project", "layout")->values[layout];
	p->schema_version = reader_value(s, "schema_version", &o, &line);
	if (p->schema_version != NULL && !version_pattern_ok(p->schema_version))
		reader_mistake(r, line, "digits and dots around {n} or {n:03}, such as 1.{n}.0",
			       "`schema_version` cannot be %s", p->schema_version);
	p->state_files = reader_bool(r, s, "state_files", false);
}

/* --- Third pass: environments against each other --------------------------------------------- */

static void check_requires(struct reader *r, size_t at)
{
	const struct env *env = &r->p->env[at];
	const struct section *s = reader_find(r, "environment", env->name, "");
	const struct option *o;
	size_t i;
	int line;

	if (env->requires == NULL)
		return;
	reader_value(s, "requires", &o, &line);
	for (i = 0; i < r->p->n_env && strcmp(r->p->env[i].name, env->requires) != 0; i++)
		;
	if (i == r->p->n_env)
		reader_mistake(r, line, reader_nearest_env(r, env->requires),
			       "`requires` names %s, which has no section", env->requires);
	else if (i >= at)
		reader_mistake(r, line, "name a stage that stands before it in the pipeline",
			       "%s requires %s, which is not an earlier stage", env->name,
			       env->requires);
	else if (env->has_db && !r->p->env[i].has_db)
		reader_mistake(r, line, "name a stage that has a database",
			       "%s requires %s, which has no database that could pass anything",
			       env->name, env->requires);
}

static const char *via_of(const struct env *env)
{
	return env->database_via != NULL ? env->database_via->name : "";
}

/* A name that means another machine on each machine. */
static bool is_relative(const struct dsn *d)
{
	return d->socket != NULL || d->host == NULL || d->host[0] == '/' ||
	       strcasecmp(d->host, "localhost") == 0 || strncmp(d->host, "127.", 4) == 0 ||
	       strcmp(d->host, "::1") == 0;
}

static bool same_server(const struct env *a, const struct env *b)
{
	if (strcmp(via_of(a), via_of(b)) != 0 && is_relative(&a->dsn))
		return false;
	/* Without a name it is one whose settings are missing. */
	return a->dsn.database != NULL && dsn_same(&a->dsn, &b->dsn);
}

static bool same_file(const struct env *a, const struct env *b)
{
	struct stat sa, sb;

	if (strcmp(a->dsn.path, b->dsn.path) == 0)
		return true;
	return stat(a->dsn.path, &sa) == 0 && stat(b->dsn.path, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Paths that differ in links only, also where the file is not made yet. */
static bool same_path(const struct env *a, const struct env *b)
{
	struct err e;
	char *pa = path_real(a->dsn.path, &e);
	char *pb = path_real(b->dsn.path, &e);
	bool same = pa != NULL && pb != NULL && strcmp(pa, pb) == 0;

	mem_free(pa);
	mem_free(pb);
	return same;
}

static void check_databases(struct reader *r, size_t at)
{
	const struct env *env = &r->p->env[at];
	const struct option *o;
	size_t i;
	int line;

	reader_value(reader_find(r, "environment", env->name, ""), "database", &o, &line);
	for (i = 0; i < at; i++) {
		const struct env *other = &r->p->env[i];

		if (!env->has_db || !other->has_db)
			continue;
		if (!dsn_is_file(&env->dsn) || !dsn_is_file(&other->dsn)) {
			if (same_server(env, other))
				reader_mistake(r, line > 0 ? line : env->line,
					       "give each environment a database of its own",
					       "%s and %s have the same database: %s", other->name,
					       env->name, env->dsn.shown);
			continue;
		}
		if (same_file(env, other) || same_path(env, other))
			reader_mistake(r, line > 0 ? line : env->line,
				       "give each environment a file of its own",
				       "%s and %s have the same database file: %s", other->name,
				       env->name, env->dsn.path);
	}
}

void reader_fill(struct reader *r)
{
	const struct section *project = reader_find(r, "project", "", "");
	const struct section *stage[ENVIRONMENTS_MAX];
	struct project *p = r->p;
	size_t i;

	fill_project(r, project);
	p->n_env = order_by_pipeline(r, project, stage);
	if (p->n_env == 0) {
		reader_mistake(r, project != NULL ? project->line : 1,
			       "add [environment development] with database = sqlite:PATH",
			       "there is no environment");
		return;
	}
	p->env = arena_alloc(&p->arena, p->n_env * sizeof(*p->env));
	for (i = 0; i < p->n_env; i++)
		fill_env(r, stage[i], i + 1 == p->n_env, &p->env[i]);
	for (i = 0; i < p->n_env; i++) {
		check_requires(r, i);
		check_databases(r, i);
	}
	reader_services(r);
}
