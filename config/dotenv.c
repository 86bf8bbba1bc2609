/* SPDX-License-Identifier: MIT */
/*
 * Dotenv files.
 *
 * There is no standard; this takes what the common readers agree on:
 *
 *	# a comment, also behind a value and a blank
 *	export NAME=value            export is passed over
 *	NAME='as it is'              up to the next ', also over several lines
 *	NAME="a\nb \"c\" \$d \\"     with \n \r \t \" \$ \\ ; any other backslash stays
 *	NAME                         without = : a name that the environment has; passed over
 *
 * No variable is expanded and no command is run: $NAME stays what it is. A value is text in UTF-8.
 */
#include "config/dotenv.h"

#include <ctype.h>
#include <string.h>

#include "core/base/secret.h"
#include "core/base/utf8.h"

struct dotenv {
	struct arena *arena;
	struct sv rest;
	int line;
	struct env_var *list;
	size_t n;
	struct strbuf value;
};

static int refuse(const struct dotenv *d, const char *why, struct err *e)
{
	err_set(e, ERR_INPUT, "line %d: %s", d->line, why);
	return err_hint(e, "write NAME=VALUE, with \"…\" around a value with blanks");
}

static char next(const struct dotenv *d)
{
	return d->rest.n > 0 ? d->rest.p[0] : '\n';
}

static void step(struct dotenv *d)
{
	if (d->rest.n == 0)
		return;
	d->line += d->rest.p[0] == '\n';
	d->rest = sv_n(d->rest.p + 1, d->rest.n - 1);
}

static void skip_blanks(struct dotenv *d)
{
	while (next(d) == ' ' || next(d) == '\t' || next(d) == '\r')
		step(d);
}

static void skip_line(struct dotenv *d)
{
	while (next(d) != '\n')
		step(d);
	step(d);
}

static struct sv take_name(struct dotenv *d)
{
	struct sv name = sv_n(d->rest.p, 0);

	if (!isalpha((unsigned char)next(d)) && next(d) != '_')
		return name;
	while (isalnum((unsigned char)next(d)) || next(d) == '_' || next(d) == '.') {
		name.n++;
		step(d);
	}
	return name;
}

static int take_quoted(struct dotenv *d, struct err *e)
{
	static const char from[] = "nrt\"$\\", to[] = "\n\r\t\"$\\";
	char quote = next(d);
	int line = d->line;

	for (step(d); d->rest.n > 0 && d->rest.p[0] != quote; step(d)) {
		const char *at = NULL;

		if (quote == '"' && d->rest.p[0] == '\\' && d->rest.n > 1 && d->rest.p[1] != '\0')
			at = strchr(from, d->rest.p[1]);
		if (at != NULL)
			step(d);
		strbuf_addc(&d->value, at != NULL ? to[at - from] : d->rest.p[0]);
	}
	if (d->rest.n == 0) {
		d->line = line;
		return refuse(d, "a quote that is not closed", e);
	}
	step(d);
	skip_blanks(d);
	if (next(d) != '\n' && next(d) != '#')
		return refuse(d, "text behind the closing quote", e);
	return 0;
}

static void take_plain(struct dotenv *d)
{
	struct sv text = sv_n(d->rest.p, 0);
	size_t i;

	for (; next(d) != '\n'; step(d))
		text.n++;
	for (i = 0; i < text.n; i++)
		if (text.p[i] == '#' && (i == 0 || text.p[i - 1] == ' ' || text.p[i - 1] == '\t'))
			break;
	strbuf_addsv(&d->value, sv_trim(sv_n(text.p, i)));
}

static int add_var(struct dotenv *d, struct sv name, struct err *e)
{
	if (memchr(strbuf_str(&d->value), '\0', d->value.len) != NULL ||
	    !utf8_valid(strbuf_sv(&d->value)))
		return refuse(d, "a value that is not text in UTF-8", e);
	if (d->n == DOTENV_VARS_MAX)
		return err_set(e, ERR_LIMIT, "line %d: more than %d variables", d->line,
			       DOTENV_VARS_MAX);
	d->list[d->n++] = (struct env_var){
		.name = arena_sv(d->arena, name).p,
		.value = arena_strdup(d->arena, strbuf_str(&d->value)),
	};
	return 0;
}

static int take_line(struct dotenv *d, struct err *e)
{
	struct sv name;

	skip_blanks(d);
	if (next(d) == '\n' || next(d) == '#') {
		skip_line(d);
		return 0;
	}
	name = take_name(d);
	if (sv_eq(name, SV("export")) && (next(d) == ' ' || next(d) == '\t')) {
		skip_blanks(d);
		name = take_name(d);
	}
	if (name.n == 0)
		return refuse(d, "neither NAME=VALUE nor a comment", e);
	skip_blanks(d);
	if (next(d) == '\n' || next(d) == '#') {
		skip_line(d);
		return 0;
	}
	if (next(d) != '=')
		return refuse(d, "neither NAME=VALUE nor a comment", e);
	step(d);
	skip_blanks(d);
	strbuf_reset(&d->value);
	if (next(d) != '\'' && next(d) != '"')
		take_plain(d);
	else if (take_quoted(d, e) != 0)
		return -1;
	if (add_var(d, name, e) != 0)
		return -1;
	skip_line(d);
	return 0;
}

int dotenv_parse(struct arena *a, struct sv text, struct env_var **var, size_t *n, struct err *e)
{
	struct dotenv d = { .arena = a, .rest = text, .line = 1 };
	int rc = 0;

	if (text.n > DOTENV_FILE_MAX)
		return err_set(e, ERR_LIMIT, "more than %zu bytes", DOTENV_FILE_MAX);
	if (sv_starts(text, SV("\xef\xbb\xbf")))
		d.rest = sv_n(text.p + 3, text.n - 3);
	d.list = arena_alloc(a, DOTENV_VARS_MAX * sizeof(*d.list));
	strbuf_init(&d.value, DOTENV_FILE_MAX);
	strbuf_room(&d.value, DOTENV_FILE_MAX);
	while (rc == 0 && d.rest.n > 0)
		rc = take_line(&d, e);
	secret_clear_buf(&d.value);
	if (rc == 0) {
		*var = d.list;
		*n = d.n;
	}
	return rc;
}
