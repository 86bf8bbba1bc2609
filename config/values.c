/* SPDX-License-Identifier: MIT */
/* Texts of a section to values. What cannot be read is noted and replaced by its default, so that the
 * checks behind it still find what else is wrong. */
#include "config/reader.h"

#include <string.h>

#include "config/schema.h"
#include "core/base/clock.h"

const char *reader_value(const struct section *s, const char *key, const struct option **o,
			 int *line)
{
	*o = s != NULL ? option_find(s->kind, key) : NULL;
	*line = 0;
	if (*o == NULL)
		return NULL;
	*line = s->given[*o - options].line;
	return s->given[*o - options].value;
}

const char *reader_text(const struct section *s, const char *key, const char *dflt)
{
	const struct option *o;
	int line;
	const char *v = reader_value(s, key, &o, &line);

	return v != NULL ? v : dflt;
}

bool reader_bool(struct reader *r, const struct section *s, const char *key, bool dflt)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };
	const struct option *o;
	int line;
	const char *v = reader_value(s, key, &o, &line);
	size_t i;

	if (v == NULL)
		return dflt;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(v, words[i]) == 0)
			return i % 2 == 1;
	reader_mistake(r, line, "write yes or no", "`%s` is neither yes nor no: %s", key, v);
	return dflt;
}

int reader_enum(struct reader *r, const struct section *s, const char *key, int dflt)
{
	const struct option *o;
	int line, i;
	const char *v = reader_value(s, key, &o, &line);
	struct strbuf all;

	if (v == NULL)
		return dflt;
	for (i = 0; o->values[i] != NULL; i++)
		if (strcmp(v, o->values[i]) == 0)
			return i;
	if (option_later(key, v) != NULL) {
		reader_mistake(r, line,
			       arena_printf(&r->errs->arena, "choose another: %s",
					    option_later(key, v)),
			       "`%s = %s` is not acted on by this version", key, v);
		return dflt;
	}
	strbuf_init(&all, 512);
	strbuf_adds(&all, "write ");
	for (i = 0; o->values[i] != NULL; i++)
		strbuf_addf(&all, "%s%s",
			    i == 0                     ? ""
			    : o->values[i + 1] != NULL ? ", "
						       : " or ",
			    o->values[i]);
	reader_mistake(r, line,
		       reader_nearest(r, v, o->values, (size_t)i,
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
	return arena_printf(&r->errs->arena, "%lld%s", (long long)(ms / units[i].ms),
			    units[i].unit);
}

int64_t reader_span(struct reader *r, const struct section *s, const char *key)
{
	const struct option *o;
	int line;
	const char *v = reader_value(s, key, &o, &line);
	int64_t ms = 0, dflt = 0;

	if (o == NULL || !clock_parse_span(o->dflt, &dflt) || v == NULL)
		return dflt;
	if (!clock_parse_span(v, &ms)) {
		reader_mistake(r, line, "write a number with ms, s, m, h or d, such as 30m",
			       "`%s` is not a length of time: %s", key, v);
		return dflt;
	}
	if (ms < o->min || ms > o->max) {
		reader_mistake(r, line,
			       arena_printf(&r->errs->arena, "from %s to %s", span_typed(r, o->min),
					    span_typed(r, o->max)),
			       "`%s` is out of range: %s", key, v);
		return dflt;
	}
	return ms;
}

int reader_count(struct reader *r, const struct section *s, const char *key)
{
	const struct option *o;
	int line;
	const char *v = reader_value(s, key, &o, &line);
	int64_t n = 0, dflt = 0;

	if (o == NULL || !sv_int(sv_of(o->dflt), o->min, o->max, &dflt) || v == NULL)
		return (int)dflt;
	if (sv_int(sv_of(v), o->min, o->max, &n))
		return (int)n;
	reader_mistake(r, line,
		       arena_printf(&r->errs->arena, "write a number from %lld to %lld",
				    (long long)o->min, (long long)o->max),
		       "`%s` cannot be %s", key, v);
	return (int)dflt;
}
