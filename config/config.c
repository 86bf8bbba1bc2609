/* SPDX-License-Identifier: MIT */
/*
 * bascule.ini to struct project, with every mistake of the file at once.
 *
 * Three passes. The first (on_item) follows the lines: it sorts pairs into sections, refuses what
 * the option table does not have, and keeps each value as text. The second (fill_*) turns texts
 * into values and puts defaults where nothing was said; here the order of the pipeline is known,
 * which some defaults hang on. The third (check_*) looks at environments against each other.
 * No pass stops at a mistake; it is noted with its line and the pass goes on with a default, so
 * that one wrong line does not hide the next. A project is handed out only when none was noted.
 */
#include "config/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ini.h"
#include "config/schema.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/fs.h"

#define OPTIONS_MAX 64
#define ENVIRONMENTS_MAX 64
#define NAME_MAX_BYTES 40

struct given {
	int line;          /* 0: not in the file */
	const char *value; /* ${NAME} replaced; NULL when that was a mistake */
};

struct section {
	const char *kind; /* "project", "environment" */
	const char *name; /* of an environment; "" */
	int line;
	struct given given[OPTIONS_MAX]; /* by index into options[] */
};

struct reader {
	struct project *p;
	struct config_errors *errs;
	config_env_fn env;
	void *arg;
	struct section **list; /* in the arena, in the order of the file */
	size_t n, cap;
	struct section *current; /* NULL: before the first, or in a refused one */
	bool outside;            /* before the first section */
};

static void add_mistake(struct reader *r, int line, const char *hint, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void add_mistake(struct reader *r, int line, const char *hint, const char *fmt, ...)
{
	struct config_errors *errs = r->errs;
	struct strbuf text;
	va_list ap;

	errs->total++;
	if (errs->n == CONFIG_ERRORS_MAX)
		return;
	if (errs->list == NULL)
		errs->list = arena_alloc(&errs->arena, CONFIG_ERRORS_MAX * sizeof(*errs->list));
	strbuf_init(&text, CONFIG_LINE_MAX);
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	errs->list[errs->n++] = (struct config_error){
		.line = line,
		.text = arena_strdup(&errs->arena, strbuf_str(&text)),
		.hint = arena_strdup(&errs->arena, hint != NULL ? hint : ""),
	};
	strbuf_clear(&text);
}

void config_errors_clear(struct config_errors *errs)
{
	arena_clear(&errs->arena);
	*errs = (struct config_errors){ 0 };
}

/* "[environment staging]" or "[project]", for texts. */
static const char *section_shown(struct reader *r, const struct section *s)
{
	return arena_printf(&r->errs->arena, s->name[0] != '\0' ? "[%s %s]" : "[%s%s]", s->kind,
			    s->name);
}

static const char *did_you_mean(struct reader *r, const char *word, const char *const *names, size_t n,
				const char *otherwise)
{
	const char *near = str_nearest(word, names, n);

	if (near == NULL)
		return otherwise;
	return arena_printf(&r->errs->arena, "did you mean `%s`?", near);
}

/* --- First pass: lines ----------------------------------------------------------------------- */

static bool name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL)
			return false;
	return i > 0 && i <= NAME_MAX_BYTES && isalnum((unsigned char)name[0]);
}

static const struct section *section_find(const struct reader *r, const char *kind, const char *name)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->list[i]->kind, kind) == 0 && strcmp(r->list[i]->name, name) == 0)
			return r->list[i];
	return NULL;
}

static void refuse_section(struct reader *r, int line, const char *kind, const char *whole)
{
	static const char *const kinds[] = { "project", "environment" };
	const char *missing = option_later(kind, NULL);

	if (missing != NULL)
		add_mistake(r, line,
			    arena_printf(&r->errs->arena, "remove the section: %s", missing),
			    "`[%s]` is not acted on by this version", whole);
	else
		add_mistake(r, line,
			    did_you_mean(r, kind, kinds, 2, "write [project] or [environment NAME]"),
			    "unknown section [%s]", whole);
}

static void on_section(struct reader *r, const struct ini_item *item)
{
	struct arena *a = &r->p->arena;
	struct sv rest = sv_of(item->section);
	const struct section *before;
	struct section *s;
	struct sv kind;
	const char *k, *name;

	r->current = NULL;
	r->outside = false;
	sv_cut(&rest, ' ', &kind);
	k = arena_strndup(a, kind.p, kind.n);
	name = arena_sv(a, sv_trim(rest)).p;
	if (strcmp(k, "project") != 0 && strcmp(k, "environment") != 0) {
		refuse_section(r, item->line, k, item->section);
		return;
	}
	if (strcmp(k, "project") == 0 ? name[0] != '\0' : !name_ok(name)) {
		add_mistake(r, item->line,
			    "write [project] or [environment NAME]: letters, digits, . _ -, at most 40",
			    "[%s] is not a name", item->section);
		return;
	}
	before = section_find(r, k, name);
	if (before != NULL) {
		add_mistake(r, item->line, "put its keys under one of the two",
			    "[%s] is there twice: lines %d and %d", item->section, before->line,
			    item->line);
		return;
	}
	if (r->n == ENVIRONMENTS_MAX) {
		add_mistake(r, item->line, NULL, "more than %d sections", ENVIRONMENTS_MAX);
		return;
	}
	s = arena_alloc(a, sizeof(*s));
	*s = (struct section){ .kind = k, .name = name, .line = item->line };
	r->list[r->n++] = s;
	r->current = s;
}

static void unknown_key(struct reader *r, const struct ini_item *item, const struct section *s)
{
	const char *names[OPTIONS_MAX];
	const char *missing = option_later(s->kind, item->key);
	size_t i, n = 0;

	if (missing != NULL) {
		add_mistake(r, item->line, arena_printf(&r->errs->arena, "remove it: %s", missing),
			    "`%s` is not acted on by this version", item->key);
		return;
	}
	for (i = 0; i < options_n; i++)
		if (strcmp(options[i].section, s->kind) == 0)
			names[n++] = options[i].key;
	add_mistake(r, item->line,
		    did_you_mean(r, item->key, names, n, "bascule.ini(5) lists every key"),
		    "unknown key `%s` in %s", item->key, section_shown(r, s));
}

/* Replaces one ${NAME} at *at (behind the brace). False when that was a mistake. */
static bool expand_one(struct reader *r, int line, const char **at, struct strbuf *out)
{
	const char *end = strchr(*at, '}');
	const char *name, *value, *c;

	if (end == NULL) {
		add_mistake(r, line, "write ${NAME}, or $${ for the two characters themselves",
			    "${ without its closing brace");
		return false;
	}
	name = arena_strndup(&r->errs->arena, *at, (size_t)(end - *at));
	*at = end + 1;
	for (c = name; *c != '\0' && (isalnum((unsigned char)*c) || *c == '_'); c++)
		;
	if (c == name || *c != '\0' || isdigit((unsigned char)name[0])) {
		add_mistake(r, line, "write ${NAME}, or $${ for the two characters themselves",
			    "${%s} does not name a variable", name);
		return false;
	}
	value = r->env(r->arg, name);
	if (value == NULL) {
		add_mistake(r, line, arena_printf(&r->errs->arena, "export %s=…", name),
			    "${%s} is not set in the environment", name);
		return false;
	}
	for (c = value; *c != '\0' && (unsigned char)*c >= ' ' && *c != 0x7f; c++)
		;
	if (*c != '\0') {
		add_mistake(r, line, NULL, "the value of ${%s} has a control character", name);
		return false;
	}
	strbuf_adds(out, value);
	return true;
}

/* The value with every ${NAME} replaced; NULL when that was a mistake. */
static const char *expand(struct reader *r, int line, const char *value)
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
			ok = expand_one(r, line, &value, &out) && ok;
			if (!ok && strchr(value, '}') == NULL)
				break;
		} else {
			strbuf_addc(&out, *value++);
		}
	}
	if (!strbuf_ok(&out)) {
		add_mistake(r, line, NULL, "a value of more than %d bytes", CONFIG_LINE_MAX);
		ok = false;
	}
	if (ok)
		text = arena_strdup(&r->p->arena, strbuf_str(&out));
	strbuf_clear(&out);
	return text;
}

static void on_pair(struct reader *r, const struct ini_item *item)
{
	const struct option *o;
	struct given *g;

	if (r->outside)
		add_mistake(r, item->line, "write [project] above it", "`%s` stands before any section",
			    item->key);
	if (r->current == NULL)
		return;
	o = option_find(r->current->kind, item->key);
	if (o == NULL) {
		unknown_key(r, item, r->current);
		return;
	}
	g = &r->current->given[o - options];
	if (g->line != 0) {
		add_mistake(r, item->line, "remove one of them",
			    "`%s` is there twice in %s: lines %d and %d", item->key,
			    section_shown(r, r->current), g->line, item->line);
		return;
	}
	g->line = item->line;
	if (item->value[0] == '\0')
		add_mistake(r, item->line, arena_printf(&r->errs->arena, "such as %s = %s", o->key,
							o->example),
			    "`%s` has no value", item->key);
	else
		g->value = expand(r, item->line, item->value);
}

static void on_item(void *arg, const struct ini_item *item)
{
	struct reader *r = arg;

	if (item->event == INI_SECTION)
		on_section(r, item);
	else if (item->event == INI_PAIR)
		on_pair(r, item);
	else
		add_mistake(r, item->line, item->hint, "%s", item->value);
}

/* --- Second pass: values --------------------------------------------------------------------- */

/* What the file says for key, or NULL; *o and *line as well. */
static const char *value_of(const struct section *s, const char *key, const struct option **o, int *line)
{
	*o = s != NULL ? option_find(s->kind, key) : NULL;
	*line = 0;
	if (*o == NULL)
		return NULL;
	*line = s->given[*o - options].line;
	return s->given[*o - options].value;
}

static const char *text_of(const struct section *s, const char *key, const char *dflt)
{
	const struct option *o;
	int line;
	const char *v = value_of(s, key, &o, &line);

	return v != NULL ? v : dflt;
}

static bool bool_of(struct reader *r, const struct section *s, const char *key, bool dflt)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };
	const struct option *o;
	int line;
	const char *v = value_of(s, key, &o, &line);
	size_t i;

	if (v == NULL)
		return dflt;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(v, words[i]) == 0)
			return i % 2 == 1;
	add_mistake(r, line, "write yes or no", "`%s` is neither yes nor no: %s", key, v);
	return dflt;
}

/* Index into the option's values. */
static int enum_of(struct reader *r, const struct section *s, const char *key, int dflt)
{
	const struct option *o;
	int line, i;
	const char *v = value_of(s, key, &o, &line);
	struct strbuf all;

	if (v == NULL)
		return dflt;
	for (i = 0; o->values[i] != NULL; i++)
		if (strcmp(v, o->values[i]) == 0)
			return i;
	if (option_later(key, v) != NULL) {
		add_mistake(r, line, arena_printf(&r->errs->arena, "choose another: %s",
						  option_later(key, v)),
			    "`%s = %s` is not acted on by this version", key, v);
		return dflt;
	}
	strbuf_init(&all, 512);
	strbuf_adds(&all, "write ");
	for (i = 0; o->values[i] != NULL; i++)
		strbuf_addf(&all, "%s%s", i == 0 ? "" : o->values[i + 1] != NULL ? ", " : " or ",
			    o->values[i]);
	add_mistake(r, line,
		    did_you_mean(r, v, o->values, (size_t)i,
				 arena_strdup(&r->errs->arena, strbuf_str(&all))),
		    "`%s` cannot be %s", key, v);
	strbuf_clear(&all);
	return dflt;
}

/* A length of time as one would type it. */
static const char *span_typed(struct reader *r, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = { { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
	size_t i = 0;

	while (ms % units[i].ms != 0)
		i++;
	return arena_printf(&r->errs->arena, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

static int64_t span_of(struct reader *r, const struct section *s, const char *key)
{
	const struct option *o;
	int line;
	const char *v = value_of(s, key, &o, &line);
	int64_t ms = 0, dflt = 0;

	if (o == NULL || !clock_parse_span(o->dflt, &dflt) || v == NULL)
		return dflt;
	if (!clock_parse_span(v, &ms)) {
		add_mistake(r, line, "write a number with ms, s, m, h or d, such as 30m",
			    "`%s` is not a length of time: %s", key, v);
		return dflt;
	}
	if (ms < o->min || ms > o->max) {
		add_mistake(r, line,
			    arena_printf(&r->errs->arena, "from %s to %s", span_typed(r, o->min),
					 span_typed(r, o->max)),
			    "`%s` is out of range: %s", key, v);
		return dflt;
	}
	return ms;
}

static void fill_env(struct reader *r, const struct section *s, bool last, struct env *env)
{
	const struct option *o;
	struct err e;
	int line;
	const char *url = value_of(s, "database", &o, &line);

	env->name = s->name;
	env->line = s->line;
	if (line == 0)
		add_mistake(r, s->line, "add database = sqlite:PATH", "%s has no database",
			    section_shown(r, s));
	if (url != NULL) {
		env->has_db = dsn_parse(&r->p->arena, url, r->p->config_dir, &env->dsn, &e) == 0;
		if (!env->has_db)
			add_mistake(r, line, e.hint, "%s%s%s", e.msg,
				    e.detail[0] != '\0' ? ": " : "", e.detail);
	}
	env->requires = text_of(s, "requires", NULL);
	env->is_protected = bool_of(r, s, "protected", last);
	env->confirm = (enum env_confirm)enum_of(r, s, "confirm",
						 env->is_protected ? CONFIRM_NAME : CONFIRM_NONE);
	if (env->is_protected && env->confirm != CONFIRM_NAME) {
		value_of(s, "confirm", &o, &line);
		add_mistake(r, line, "write confirm = name, or protected = no",
			    "a protected environment is confirmed by its name, not by `confirm = %s`",
			    env_confirm_name(env->confirm));
	}
	env->backup = (enum env_backup)enum_of(r, s, "backup", env->is_protected ?
					       BACKUP_BEFORE_MIGRATE : BACKUP_NEVER);
	env->on_failure = (enum env_failure)enum_of(r, s, "on_failure", FAILURE_ROLLBACK);
	env->undo_migrations = (enum env_undo)enum_of(r, s, "undo_migrations", UNDO_NEVER);
	env->pause_limit_ms = span_of(r, s, "pause_limit");
	env->lock_timeout_ms = span_of(r, s, "lock_timeout");
	env->lock_stale_ms = span_of(r, s, "lock_stale");
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

static const char *nearest_env(struct reader *r, const char *word)
{
	const char *names[ENVIRONMENTS_MAX];
	size_t i, n = 0;

	for (i = 0; i < r->n; i++)
		if (r->list[i]->name[0] != '\0')
			names[n++] = r->list[i]->name;
	return did_you_mean(r, word, names, n,
			    arena_printf(&r->errs->arena, "add a section [environment %s]", word));
}

/* Every environment of the file must be in the pipeline once: one that is forgotten there would
 * have no place in the order that gates hang on. */
static size_t order_by_pipeline(struct reader *r, const struct section *project,
				const struct section **stage)
{
	const struct option *o;
	int line;
	const char *v = value_of(project, "pipeline", &o, &line);
	struct sv rest = sv_of(v), piece;
	const struct section *s;
	const char *name;
	size_t n = 0, i, k;

	while (v != NULL && cut_stage(&rest, &piece)) {
		name = arena_strndup(&r->p->arena, piece.p, piece.n);
		s = section_find(r, "environment", name);
		for (k = 0; k < n && stage[k] != s; k++)
			;
		if (name[0] == '\0')
			add_mistake(r, line, "write NAME -> NAME", "`pipeline` has an empty stage");
		else if (s == NULL)
			add_mistake(r, line, nearest_env(r, name),
				    "`pipeline` names %s, which has no section", name);
		else if (k < n)
			add_mistake(r, line, "name it once", "`pipeline` names %s twice", name);
		else
			stage[n++] = s;
	}
	for (i = 0; i < r->n; i++) {
		s = r->list[i];
		for (k = 0; k < n && stage[k] != s; k++)
			;
		if (s == project || k < n)
			continue;
		if (v != NULL)
			add_mistake(r, line, "add it where it belongs, such as NAME -> NAME",
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
	char *path;

	p->name = text_of(s, "name", NULL);
	if (p->name != NULL && !name_ok(p->name)) {
		value_of(s, "name", &o, &line);
		add_mistake(r, line, "letters, digits, . _ -, at most 40, beginning with one of the first",
			    "`name` cannot be %s", p->name);
	}
	if (p->name == NULL) {
		p->name = path_base(p->config_dir);
		if (!name_ok(p->name))
			p->name = "project";
	}
	path = path_join(p->config_dir, text_of(s, "migrations", "migrations"));
	p->migrations = arena_strdup(&p->arena, path);
	mem_free(path);
	layout = enum_of(r, s, "layout", -1);
	if (layout >= 0)
		p->layout = option_find("project", "layout")->values[layout];
	p->schema_version = value_of(s, "schema_version", &o, &line);
	if (p->schema_version != NULL && !version_pattern_ok(p->schema_version))
		add_mistake(r, line, "digits and dots around {n} or {n:03}, such as 1.{n}.0",
			    "`schema_version` cannot be %s", p->schema_version);
	p->state_files = bool_of(r, s, "state_files", false);
}

/* --- Third pass: environments against each other --------------------------------------------- */

static void check_requires(struct reader *r, size_t at)
{
	const struct env *env = &r->p->env[at];
	const struct section *s = section_find(r, "environment", env->name);
	const struct option *o;
	size_t i;
	int line;

	if (env->requires == NULL)
		return;
	value_of(s, "requires", &o, &line);
	for (i = 0; i < r->p->n_env && strcmp(r->p->env[i].name, env->requires) != 0; i++)
		;
	if (i == r->p->n_env)
		add_mistake(r, line, nearest_env(r, env->requires),
			    "`requires` names %s, which has no section", env->requires);
	else if (i >= at)
		add_mistake(r, line, "name a stage that stands before it in the pipeline",
			    "%s requires %s, which is not an earlier stage", env->name,
			    env->requires);
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

	value_of(section_find(r, "environment", env->name), "database", &o, &line);
	for (i = 0; i < at; i++) {
		const struct env *other = &r->p->env[i];

		if (!env->has_db || !other->has_db)
			continue;
		if (same_file(env, other) || same_path(env, other))
			add_mistake(r, line, "give each environment a file of its own",
				    "%s and %s have the same database file: %s", other->name,
				    env->name, env->dsn.path);
	}
}

static void fill_and_check(struct reader *r)
{
	const struct section *project = section_find(r, "project", "");
	const struct section *stage[ENVIRONMENTS_MAX];
	struct project *p = r->p;
	size_t i;

	fill_project(r, project);
	p->n_env = order_by_pipeline(r, project, stage);
	if (p->n_env == 0) {
		add_mistake(r, project != NULL ? project->line : 1,
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
}

/* By line; mistakes of one line stay in the order they were found. */
static void sort_mistakes(struct config_errors *errs)
{
	size_t i, k;

	for (i = 1; i < errs->n; i++) {
		struct config_error one = errs->list[i];

		for (k = i; k > 0 && errs->list[k - 1].line > one.line; k--)
			errs->list[k] = errs->list[k - 1];
		errs->list[k] = one;
	}
}

int config_parse(struct sv text, const char *path, const char *dir, config_env_fn env, void *arg,
		 struct project **out, struct config_errors *errs, struct err *e)
{
	struct project *p = mem_calloc(1, sizeof(*p));
	struct reader r = { .p = p, .errs = errs, .env = env, .arg = arg, .outside = true };

	*errs = (struct config_errors){ 0 };
	arena_init(&p->arena);
	p->config_path = arena_strdup(&p->arena, path);
	p->config_dir = arena_strdup(&p->arena, dir);
	digest_hex(text.p, text.n, p->config_digest);
	r.list = arena_alloc(&p->arena, ENVIRONMENTS_MAX * sizeof(struct section *));
	ini_scan(text, CONFIG_LINE_MAX, on_item, &r);
	fill_and_check(&r);
	if (errs->total == 0) {
		*out = p;
		return 0;
	}
	project_free(p);
	sort_mistakes(errs);
	err_set(e, ERR_CONFIG, "%zu mistake%s in %s", errs->total, errs->total == 1 ? "" : "s", path);
	err_detail(e, "line %d: %s", errs->list[0].line, errs->list[0].text);
	return err_hint(e, "%s", errs->list[0].hint);
}

void project_free(struct project *p)
{
	if (p == NULL)
		return;
	arena_clear(&p->arena);
	mem_free(p);
}

int config_read(const char *path, bool found_above, config_env_fn env, void *arg, struct project **out,
		struct config_errors *errs, struct err *e)
{
	struct strbuf text;
	struct stat st;
	char *full, *dir = NULL;
	int rc = -1;

	*errs = (struct config_errors){ 0 };
	strbuf_init(&text, CONFIG_FILE_MAX);
	full = path_absolute(path, e);
	if (full == NULL)
		goto out;
	if (found_above && stat(full, &st) == 0 && st.st_uid != geteuid()) {
		err_set(e, ERR_CONFIG, "cannot use the configuration %s", full);
		err_detail(e, "it was found in a folder above this one and belongs to another user "
			   "(uid %ld)", (long)st.st_uid);
		err_hint(e, "name it when you trust it: bascule -c %s", full);
		goto out;
	}
	if (fs_read(full, CONFIG_FILE_MAX, &text, e) != 0) {
		err_wrap(e, "cannot read the configuration %s", full);
		err_hint(e, "name a file that can be read: bascule -c FILE");
		goto out;
	}
	dir = path_dir(full);
	rc = config_parse(strbuf_sv(&text), full, dir, env, arg, out, errs, e);
out:
	mem_free(dir);
	mem_free(full);
	strbuf_clear(&text);
	return rc;
}
