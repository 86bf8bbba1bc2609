/* SPDX-License-Identifier: MIT */
/*
 * `password =`, from the text to the bytes.
 *
 * env->password_from keeps the text as the configuration has it, but for a literal: that is where the
 * password comes from, in words, and what is left to do for cmd: and ask. Whatever cannot be had is the
 * trouble of that environment alone; only what is written wrongly is a mistake of the configuration.
 */
#include "config/secret.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/reader.h"
#include "core/base/child.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/utf8.h"
#include "core/base/words.h"

#define FROM_LITERAL "the configuration"
#define FROM_SETTINGS "env_files"

static const char *behind(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return text != NULL && strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

/* Gives env its trouble: e with what could not be done in front. */
static void set_trouble(struct project *p, struct env *env, const struct err *e)
{
	struct err *kept = arena_alloc(&p->arena, sizeof(*kept));

	*kept = *e;
	err_wrap(kept, "cannot open %s", env->name);
	kept->code = e->code == ERR_CANCELLED ? ERR_CANCELLED : ERR_CONFIG;
	env->trouble = kept;
}

/* The first line of text, without its end; -1 when it is empty or no text. */
static int first_line(struct sv text, struct sv *line, struct err *e)
{
	*line = sv_n(text.p, 0);
	if (text.n > 0)
		sv_cut(&text, '\n', line);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	if (line->n == 0)
		return err_set(e, ERR_CONFIG, "its password is empty");
	if (!utf8_valid(*line) || memchr(line->p, '\0', line->n) != NULL)
		return err_set(e, ERR_CONFIG, "its password is not text in UTF-8");
	return 0;
}

static int keep_line(struct project *p, struct env *env, struct sv text, struct err *e)
{
	struct sv line;

	if (first_line(text, &line, e) != 0)
		return -1;
	env->dsn.password = arena_sv(&p->arena, line).p;
	return 0;
}

/* --- At once -------------------------------------------------------------------------------------- */

static void from_variable(struct reader *r, const struct section *s, struct env *env, int line,
			  const char *name)
{
	const char *c, *value;
	struct err e;

	for (c = name; isalnum((unsigned char)*c) || *c == '_'; c++)
		;
	if (c == name || *c != '\0' || isdigit((unsigned char)name[0])) {
		reader_mistake(r, line, "write env:NAME",
			       "`password = env:%s` does not name a variable", name);
		return;
	}
	value = reader_variable(r, s, name);
	if (value == NULL || value[0] == '\0') {
		err_set(&e, ERR_CONFIG, "%s is %s", name, value == NULL ? "not set" : "empty");
		err_hint(&e, "export %s=…", name);
		set_trouble(r->p, env, &e);
	} else if (keep_line(r->p, env, sv_of(value), &e) != 0) {
		set_trouble(r->p, env, &e);
	}
}

static void from_file(struct reader *r, struct env *env, const char *name)
{
	char *path = path_join(r->p->config_dir, name);
	struct strbuf text;
	struct err e;

	strbuf_init(&text, SECRET_MAX);
	strbuf_room(&text, SECRET_MAX);
	if (fs_read(path, SECRET_MAX, &text, &e) != 0 ||
	    keep_line(r->p, env, strbuf_sv(&text), &e) != 0) {
		err_hint(&e, "put the password into the first line of %s", path);
		set_trouble(r->p, env, &e);
	}
	secret_clear_buf(&text);
	mem_free(path);
}

/* "STAGING_DB_PASSWORD", for hints. */
static const char *variable_for(struct reader *r, const struct env *env)
{
	char *name = arena_printf(&r->errs->arena, "%s%s_DB_PASSWORD",
				  isdigit((unsigned char)env->name[0]) ? "_" : "", env->name);

	for (char *c = name; *c != '\0'; c++)
		*c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
	return name;
}

/* A password in the configuration itself, at line: nobody else may be able to read it. */
static void check_private(struct reader *r, const struct env *env, int line, const char *where)
{
	struct stat st;

	if (stat(r->p->config_path, &st) != 0 || st.st_uid != geteuid())
		reader_mistake(r, line,
			       arena_printf(&r->errs->arena, "write password = env:%s",
					    variable_for(r, env)),
			       "a password stands in %s, in a file that is not yours", where);
	else if ((st.st_mode & 077) != 0)
		reader_mistake(r, line,
			       arena_printf(&r->errs->arena,
					    "write password = env:%s, or chmod 600 %s",
					    variable_for(r, env), r->p->config_path),
			       "a password stands in %s, in a file that others may read (%04o)",
			       where, (unsigned)st.st_mode & 07777);
}

/* Whether the text of `database` itself has a password, and not a variable in it. */
static bool url_has_literal(struct reader *r, const struct section *s)
{
	const struct given *g = &s->given[option_find("environment", "database") - options];
	struct dsn raw;
	struct err e;

	return g->raw != NULL && dsn_parse(&r->p->arena, g->raw, r->p->config_dir, &raw, &e) == 0 &&
	       raw.password != NULL && strstr(raw.password, "${") == NULL;
}

static void of_url(struct reader *r, const struct section *s, struct env *env, int key_line)
{
	const struct option *o;
	int line;

	reader_value(s, "database", &o, &line);
	if (line == 0) {
		env->password_from = FROM_SETTINGS;
		return;
	}
	if (key_line > 0)
		reader_mistake(r, key_line, "write it in one place",
			       "the password of %s is in `database` too (line %d)", env->name,
			       line);
	else if (url_has_literal(r, s))
		check_private(r, env, line, "`database`");
	env->password_from = "database";
}

void reader_password(struct reader *r, const struct section *s, struct env *env)
{
	const struct option *o;
	const char *name, *v;
	const char *raw;
	struct err e;
	char **words;
	size_t n;
	int line;

	v = reader_value(s, "password", &o, &line);
	raw = s->given[o - options].raw;
	if (env->dsn.password != NULL)
		of_url(r, s, env, line);
	if (v == NULL)
		return;
	if (dsn_is_file(&env->dsn)) {
		reader_mistake(r, line, "remove it", "SQLite has no passwords");
		return;
	}
	env->dsn.password = NULL;
	env->password_from = v;
	if (behind(raw, "env:") != NULL && (name = behind(v, "env:")) != NULL)
		from_variable(r, s, env, line, name);
	else if (behind(raw, "file:") != NULL && (name = behind(v, "file:")) != NULL)
		from_file(r, env, name);
	else if (behind(raw, "cmd:") != NULL && (name = behind(v, "cmd:")) != NULL) {
		if (words_split(&r->p->arena, name, &words, &n, &e) != 0)
			reader_mistake(r, line, "write cmd:WORDS, such as cmd:pass show staging/db",
				       "`password`: %s", e.msg);
	} else if (strcmp(raw, "ask") != 0) {
		if (strstr(raw, "${") == NULL)
			check_private(r, env, line, "`password`");
		env->password_from = FROM_LITERAL;
		env->dsn.password = v;
	}
}

/* --- When it is needed ---------------------------------------------------------------------------- */

static int from_command(struct project *p, struct env *env, const char *command, struct cancel *c,
			struct err *e)
{
	struct strbuf out;
	char **argv;
	size_t n;
	int status = 0, rc = -1;

	strbuf_init(&out, SECRET_MAX);
	strbuf_room(&out, SECRET_MAX);
	if (words_split(&p->arena, command, &argv, &n, e) != 0 ||
	    child_capture(argv, &out, clock_mono_ms() + SECRET_COMMAND_MS, c, &status, e) != 0)
		goto out;
	if (status != 0)
		err_set(e, ERR_CONFIG, "the command for its password ended with %d", status);
	else
		rc = keep_line(p, env, strbuf_sv(&out), e);
out:
	if (rc != 0 && e->code != ERR_CANCELLED)
		err_hint(e, "try it: %s", command);
	secret_clear_buf(&out);
	return rc;
}

static int from_question(struct project *p, struct env *env, secret_ask_fn ask, void *arg,
			 struct err *e)
{
	struct strbuf answer;
	int rc;

	strbuf_init(&answer, SECRET_MAX);
	strbuf_room(&answer, SECRET_MAX);
	rc = ask(arg, env, &answer, e);
	if (rc == 0)
		rc = keep_line(p, env, strbuf_sv(&answer), e);
	secret_clear_buf(&answer);
	return rc;
}

void config_resolve(struct project *p, struct env *env, secret_ask_fn ask, void *arg,
		    struct cancel *c)
{
	const char *command = behind(env->password_from, "cmd:");
	struct err e;
	int rc = 0;

	if (env->trouble != NULL || env->dsn.password != NULL || env->password_from == NULL)
		return;
	if (command != NULL)
		rc = from_command(p, env, command, c, &e);
	else if (strcmp(env->password_from, "ask") == 0)
		rc = from_question(p, env, ask, arg, &e);
	if (rc != 0)
		set_trouble(p, env, &e);
}

const struct env_secrets *config_secrets(struct project *p)
{
	struct env_secrets *all = arena_alloc(&p->arena, sizeof(*all));

	all->list = arena_alloc(&p->arena, (p->n_env + 1) * sizeof(*all->list));
	for (size_t i = 0; i < p->n_env; i++) {
		const struct env *env = &p->env[i];

		if (env->dsn.shown == NULL || (env->dsn.password == NULL && env->n_var == 0))
			continue;
		all->list[all->n++] = (struct env_secret){
			.environment = env->name,
			.shown = env->dsn.shown,
			.password = env->dsn.password,
			.var = env->var,
			.n_var = env->n_var,
		};
	}
	env_secrets_know(all);
	return all;
}
