/* SPDX-License-Identifier: MIT */
/*
 * bascule.ini to struct project, with every mistake of the file at once.
 *
 * Three passes. The first (on_item) follows the lines: it sorts pairs into sections, refuses what
 * the option table does not have, and keeps each value as text. Then dotenv files are read and
 * ${NAME} is replaced (expand.c). The second (fill.c) turns texts into values and puts defaults where nothing was said; here the order of the pipeline is known,
 * which some defaults hang on. The third (fill.c too) looks at environments against each other; then each of them
 * gets its services (services.c).
 * No pass stops at a mistake; it is noted with its line and the pass goes on with a default, so
 * that one wrong line does not hide the next. A project is handed out only when none was noted.
 */
#include "config/reader.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ini.h"
#include "config/schema.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/base/secret.h"

static bool is_noted(const struct config_errors *errs, int line, const char *text)
{
	for (size_t i = errs->n; i > 0; i--)
		if (errs->list[i - 1].line == line && strcmp(errs->list[i - 1].text, text) == 0)
			return true;
	return false;
}

void reader_mistake(struct reader *r, int line, const char *hint, const char *fmt, ...)
{
	struct config_errors *errs = r->errs;
	struct strbuf text;
	va_list ap;

	if (errs->n == CONFIG_ERRORS_MAX) {
		errs->total++;
		return;
	}
	if (errs->list == NULL)
		errs->list = arena_alloc(&errs->arena, CONFIG_ERRORS_MAX * sizeof(*errs->list));
	strbuf_init(&text, CONFIG_LINE_MAX);
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	/* The defaults of a service are looked at once for each environment. */
	if (is_noted(errs, line, strbuf_str(&text))) {
		strbuf_clear(&text);
		return;
	}
	errs->total++;
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

const char *reader_shown(struct reader *r, const struct section *s)
{
	if (s->on[0] != '\0')
		return arena_printf(&r->errs->arena, "[%s %s on %s]", s->kind, s->name, s->on);
	return arena_printf(&r->errs->arena, s->name[0] != '\0' ? "[%s %s]" : "[%s%s]", s->kind,
			    s->name);
}

const char *reader_nearest(struct reader *r, const char *word, const char *const *names, size_t n,
			   const char *otherwise)
{
	const char *near = str_nearest(word, names, n);

	if (near == NULL)
		return otherwise;
	return arena_printf(&r->errs->arena, "did you mean `%s`?", near);
}

/* --- First pass: lines ----------------------------------------------------------------------- */

bool reader_name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL)
			return false;
	return i > 0 && i <= NAME_MAX_BYTES && isalnum((unsigned char)name[0]);
}

const struct section *reader_find(const struct reader *r, const char *kind, const char *name,
				  const char *on)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->list[i]->kind, kind) == 0 && strcmp(r->list[i]->name, name) == 0 &&
		    strcmp(r->list[i]->on, on) == 0)
			return r->list[i];
	return NULL;
}

static void refuse_section(struct reader *r, int line, const char *kind, const char *whole)
{
	static const char *const kinds[] = { "project", "environment", "service" };
	const char *missing = option_later(kind, NULL);

	if (missing != NULL)
		reader_mistake(r, line,
			       arena_printf(&r->errs->arena, "remove the section: %s", missing),
			       "`[%s]` is not acted on by this version", whole);
	else
		reader_mistake(
			r, line,
			reader_nearest(r, kind, kinds, 3,
				       "write [project], [environment NAME] or [service NAME]"),
			"unknown section [%s]", whole);
}

/* "web on production" to its two names; on is "" where there is only one. */
static void cut_on(struct arena *a, struct sv rest, const char **name, const char **on)
{
	size_t i;

	*on = "";
	for (i = 0; i + 4 <= rest.n; i++) {
		if (memcmp(rest.p + i, " on ", 4) != 0)
			continue;
		*on = arena_sv(a, sv_trim(sv_n(rest.p + i + 4, rest.n - i - 4))).p;
		rest.n = i;
		break;
	}
	*name = arena_sv(a, sv_trim(rest)).p;
}

static bool section_names_ok(struct reader *r, const struct ini_item *item, const struct section *s)
{
	const char *hint =
		"write [project] or [environment NAME]: letters, digits, . _ -, at most 40";
	bool ok;

	if (strcmp(s->kind, "project") == 0) {
		ok = s->name[0] == '\0';
	} else if (strcmp(s->kind, "environment") == 0) {
		ok = reader_name_ok(s->name);
	} else {
		hint = "write [service NAME] or [service NAME on ENVIRONMENT]: letters, digits, . _ "
		       "-, at most 40";
		ok = reader_name_ok(s->name) && (s->on[0] == '\0' || reader_name_ok(s->on));
	}
	if (!ok)
		reader_mistake(r, item->line, hint, "[%s] is not a name", item->section);
	return ok;
}

static size_t count_kind(const struct reader *r, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += strcmp(r->list[i]->kind, kind) == 0;
	return n;
}

static void on_section(struct reader *r, const struct ini_item *item)
{
	struct arena *a = &r->p->arena;
	struct sv rest = sv_of(item->section);
	const struct section *before;
	struct section *s = arena_alloc(a, sizeof(*s));
	struct sv kind;

	r->current = NULL;
	r->outside = false;
	sv_cut(&rest, ' ', &kind);
	*s = (struct section){ .line = item->line, .on = "" };
	s->kind = arena_strndup(a, kind.p, kind.n);
	if (strcmp(s->kind, "service") == 0)
		cut_on(a, rest, &s->name, &s->on);
	else
		s->name = arena_sv(a, sv_trim(rest)).p;
	if (strcmp(s->kind, "project") != 0 && strcmp(s->kind, "environment") != 0 &&
	    strcmp(s->kind, "service") != 0) {
		refuse_section(r, item->line, s->kind, item->section);
		return;
	}
	if (!section_names_ok(r, item, s))
		return;
	before = reader_find(r, s->kind, s->name, s->on);
	if (before != NULL) {
		reader_mistake(r, item->line, "put its keys under one of the two",
			       "[%s] is there twice: lines %d and %d", item->section, before->line,
			       item->line);
		return;
	}
	if (r->n == SECTIONS_MAX || (strcmp(s->kind, "environment") == 0 &&
				     count_kind(r, "environment") == ENVIRONMENTS_MAX)) {
		reader_mistake(r, item->line, NULL, "more than %d %s",
			       r->n == SECTIONS_MAX ? SECTIONS_MAX : ENVIRONMENTS_MAX,
			       r->n == SECTIONS_MAX ? "sections" : "environments");
		return;
	}
	r->list[r->n++] = s;
	r->current = s;
}

static void unknown_key(struct reader *r, const struct ini_item *item, const struct section *s)
{
	const char *names[OPTIONS_MAX];
	const char *missing = option_later(s->kind, item->key);
	size_t i, n = 0;

	if (missing != NULL) {
		reader_mistake(r, item->line,
			       arena_printf(&r->errs->arena, "remove it: %s", missing),
			       "`%s` is not acted on by this version", item->key);
		return;
	}
	for (i = 0; i < options_n; i++)
		if (strcmp(options[i].section, s->kind) == 0)
			names[n++] = options[i].key;
	reader_mistake(r, item->line,
		       reader_nearest(r, item->key, names, n, "bascule.ini(5) lists every key"),
		       "unknown key `%s` in %s", item->key, reader_shown(r, s));
}

static void on_pair(struct reader *r, const struct ini_item *item)
{
	const struct option *o;
	struct given *g;

	if (r->outside)
		reader_mistake(r, item->line, "write [project] above it",
			       "`%s` stands before any section", item->key);
	if (r->current == NULL)
		return;
	o = option_find(r->current->kind, item->key);
	if (o == NULL) {
		unknown_key(r, item, r->current);
		return;
	}
	g = &r->current->given[o - options];
	if (g->line != 0) {
		reader_mistake(r, item->line, "remove one of them",
			       "`%s` is there twice in %s: lines %d and %d", item->key,
			       reader_shown(r, r->current), g->line, item->line);
		return;
	}
	g->line = item->line;
	if (item->value[0] == '\0')
		reader_mistake(r, item->line,
			       arena_printf(&r->errs->arena, "such as %s = %s", o->key, o->example),
			       "`%s` has no value", item->key);
	else
		g->raw = arena_strdup(&r->p->arena, item->value);
}

static void on_item(void *arg, const struct ini_item *item)
{
	struct reader *r = arg;

	if (item->event == INI_SECTION)
		on_section(r, item);
	else if (item->event == INI_PAIR)
		on_pair(r, item);
	else
		reader_mistake(r, item->line, item->hint, "%s", item->value);
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
	r.list = arena_alloc(&p->arena, SECTIONS_MAX * sizeof(struct section *));
	ini_scan(text, CONFIG_LINE_MAX, on_item, &r);
	reader_expand(&r);
	reader_fill(&r);
	if (errs->total == 0) {
		*out = p;
		return 0;
	}
	project_free(p);
	sort_mistakes(errs);
	err_set(e, ERR_CONFIG, "%zu mistake%s in %s", errs->total, errs->total == 1 ? "" : "s",
		path);
	err_detail(e, "line %d: %s", errs->list[0].line, errs->list[0].text);
	return err_hint(e, "%s", errs->list[0].hint);
}

void project_free(struct project *p)
{
	if (p == NULL)
		return;
	arena_wipe(&p->arena);
	mem_free(p);
}

int config_read(const char *path, bool found_above, config_env_fn env, void *arg,
		struct project **out, struct config_errors *errs, struct err *e)
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
		err_detail(e,
			   "it was found in a folder above this one and belongs to another user "
			   "(uid %ld)",
			   (long)st.st_uid);
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
	secret_clear_buf(&text);
	return rc;
}
