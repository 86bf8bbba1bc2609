/* SPDX-License-Identifier: MIT */
/*
 * Dotenv files and ${NAME}, between the first pass and the second.
 *
 * [project] comes first, because its env_files are read before those of every environment. In a section
 * env_files is expanded and read before the other keys, which may use what is in them. What a file says
 * wins over the environment of the process: the file was named for this stage, the process may have the
 * settings of another one exported.
 *
 * A file that cannot be read is the trouble of its sections and no mistake of the configuration: on a
 * machine that has the settings of one stage only, work on that stage must go on.
 */
#include "config/reader.h"

#include <ctype.h>
#include <string.h>

#include "config/dotenv.h"
#include "core/base/fs.h"
#include "core/base/secret.h"

const char *reader_setting(const struct section *s, const char *name)
{
	for (size_t i = s->n_var; i > 0; i--)
		if (strcmp(s->var[i - 1].name, name) == 0)
			return s->var[i - 1].value[0] != '\0' ? s->var[i - 1].value : NULL;
	return NULL;
}

const char *reader_variable(const struct reader *r, const struct section *s, const char *name)
{
	for (size_t i = s->n_var; i > 0; i--)
		if (strcmp(s->var[i - 1].name, name) == 0)
			return s->var[i - 1].value;
	return r->env(r->arg, name);
}

/* --- ${NAME} -------------------------------------------------------------------------------------- */

/* Replaces one ${NAME} at *at (behind the brace). False when that was a mistake. */
static bool expand_one(struct reader *r, const struct section *s, int line, const char **at,
		       struct strbuf *out)
{
	const char *end = strchr(*at, '}');
	const char *name, *value, *c;

	if (end == NULL) {
		reader_mistake(r, line, "write ${NAME}, or $${ for the two characters themselves",
			       "${ without its closing brace");
		return false;
	}
	name = arena_strndup(&r->errs->arena, *at, (size_t)(end - *at));
	*at = end + 1;
	for (c = name; *c != '\0' && (isalnum((unsigned char)*c) || *c == '_'); c++)
		;
	if (c == name || *c != '\0' || isdigit((unsigned char)name[0])) {
		reader_mistake(r, line, "write ${NAME}, or $${ for the two characters themselves",
			       "${%s} does not name a variable", name);
		return false;
	}
	value = reader_variable(r, s, name);
	if (value == NULL) {
		/* The file that should have it is missing: that is told when it is needed. */
		if (s->trouble != NULL)
			return false;
		reader_mistake(r, line, arena_printf(&r->errs->arena, "export %s=…", name),
			       "${%s} is not set in the environment", name);
		return false;
	}
	for (c = value; *c != '\0' && (unsigned char)*c >= ' ' && *c != 0x7f; c++)
		;
	if (*c != '\0') {
		reader_mistake(r, line, NULL, "the value of ${%s} has a control character", name);
		return false;
	}
	strbuf_adds(out, value);
	return true;
}

/* The value with every ${NAME} replaced; NULL when that was a mistake. */
static const char *expand(struct reader *r, const struct section *s, int line, const char *value)
{
	struct strbuf out;
	bool ok = true;
	const char *text = NULL;

	strbuf_init(&out, CONFIG_LINE_MAX);
	while (*value != '\0') {
		if (strncmp(value, "$${", 3) == 0) {
			strbuf_adds(&out, "${");
			value += 3;
		} else if (strncmp(value, "${", 2) == 0) {
			value += 2;
			ok = expand_one(r, s, line, &value, &out) && ok;
			if (!ok && strchr(value, '}') == NULL)
				break;
		} else {
			strbuf_addc(&out, *value++);
		}
	}
	if (!strbuf_ok(&out)) {
		reader_mistake(r, line, NULL, "a value of more than %d bytes", CONFIG_LINE_MAX);
		ok = false;
	}
	if (ok)
		text = arena_strdup(&r->p->arena, strbuf_str(&out));
	secret_clear_buf(&out);
	return text;
}

static void expand_key(struct reader *r, const struct section *s, struct given *g)
{
	if (g->raw != NULL && g->value == NULL)
		g->value = expand(r, s, g->line, g->raw);
}

/* --- Dotenv files --------------------------------------------------------------------------------- */

static void note_trouble(struct reader *r, struct section *s, const char *path, struct err *e)
{
	struct err *kept = arena_alloc(&r->p->arena, sizeof(*kept));

	err_wrap(e, "cannot read the settings in %s", path);
	e->code = ERR_CONFIG;
	err_hint(e, "put the file there, or name another in env_files");
	*kept = *e;
	if (s->trouble == NULL)
		s->trouble = kept;
}

static void add_vars(struct arena *a, struct section *s, const struct env_var *var, size_t n)
{
	struct env_var *all = arena_alloc(a, (s->n_var + n + 1) * sizeof(*all));

	if (s->n_var > 0)
		memcpy(all, s->var, s->n_var * sizeof(*all));
	if (n > 0)
		memcpy(all + s->n_var, var, n * sizeof(*all));
	s->var = all;
	s->n_var += n;
}

static void read_file(struct reader *r, struct section *s, const char *name)
{
	struct env_var *var;
	struct strbuf text;
	struct err e;
	char *path = path_join(r->p->config_dir, name), *dir = path_dir(path);
	size_t n;

	strbuf_init(&text, DOTENV_FILE_MAX);
	strbuf_room(&text, DOTENV_FILE_MAX);
	if (fs_read(path, DOTENV_FILE_MAX, &text, &e) != 0 ||
	    dotenv_parse(&r->p->arena, strbuf_sv(&text), &var, &n, &e) != 0) {
		note_trouble(r, s, path, &e);
	} else {
		add_vars(&r->p->arena, s, var, n);
		s->var_dir = arena_strdup(&r->p->arena, dir);
	}
	secret_clear_buf(&text);
	mem_free(dir);
	mem_free(path);
}

static void read_files(struct reader *r, struct section *s)
{
	const struct option *o = option_find(s->kind, "env_files");
	struct given *g = o != NULL ? &s->given[o - options] : NULL;
	struct sv rest, one;

	if (g == NULL)
		return;
	expand_key(r, s, g);
	rest = sv_of(g->value);
	while (sv_cut(&rest, ',', &one)) {
		one = sv_trim(one);
		if (one.n == 0)
			reader_mistake(r, g->line, "write PATH, PATH",
				       "`env_files` has an empty path");
		else
			read_file(r, s, arena_sv(&r->p->arena, one).p);
	}
}

static void expand_section(struct reader *r, struct section *s)
{
	read_files(r, s);
	for (size_t i = 0; i < options_n; i++)
		expand_key(r, s, &s->given[i]);
}

/* What stands in the files of from is known in s. */
static void share_vars(struct reader *r, const struct section *from, struct section *s)
{
	if (from == NULL)
		return;
	add_vars(&r->p->arena, s, from->var, from->n_var);
	s->var_dir = from->var_dir;
	s->trouble = from->trouble;
}

void reader_expand(struct reader *r)
{
	const struct section *project = reader_find(r, "project", "", ""), *env;
	static const char *const kinds[] = { "project", "environment", "service" };

	/* Each kind uses what the files of the one before it say. */
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t i = 0; i < r->n; i++) {
			struct section *s = r->list[i];

			if (strcmp(s->kind, kinds[k]) != 0)
				continue;
			env = k == 2 ? reader_find(r, "environment", s->on, "") : NULL;
			if (k > 0)
				share_vars(r, env != NULL ? env : project, s);
			expand_section(r, s);
		}
}
