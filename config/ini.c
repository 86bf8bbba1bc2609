/* SPDX-License-Identifier: MIT */
/*
 * The line reader in front of inih.
 *
 * inih reads the grammar (sections, `key = value`, `key: value`); what it is weak at is done here,
 * before it sees a byte. Distributions build it with a line buffer of 200 bytes and cut a longer
 * line without a word to the caller, after which its line numbers drift; it joins an indented line
 * to the value above it; it reports neither empty sections nor the text behind a closing bracket.
 *
 * So every physical line is looked at by itself and then given to inih in a form it cannot
 * misread: a value goes in pieces far below 200 bytes, one per continuation line, each behind a
 * guard byte and with its blanks masked, so that no piece is trimmed or taken for a comment; the
 * pieces are put together again in the handler. The text between the brackets of a section is kept
 * here: inih cuts it at 49 bytes, which a service on an environment may pass. Control characters are
 * refused in the input, which frees two of them for guard and mask.
 */
#include "config/ini.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "core/base/secret.h"
#include "core/base/utf8.h"

#define PIECE_BYTES 100
#define GUARD '\002'
#define MASKED_BLANK '\001'
#define BOM "\xef\xbb\xbf" /* inih would drop one at the start of each line it is given */

struct scan {
	void (*fn)(void *arg, const struct ini_item *item);
	void *arg;
	int line;
	struct strbuf section;
	/* of the line being given to inih */
	struct strbuf feed, key, value;
	int calls;
};

static void report(struct scan *s, enum ini_event event, const char *value, const char *hint)
{
	struct ini_item item = {
		.event = event,
		.line = s->line,
		.section = strbuf_str(&s->section),
		.key = event == INI_PAIR ? strbuf_str(&s->key) : NULL,
		.value = value,
		.hint = hint,
	};

	s->fn(s->arg, &item);
}

static void mistake(struct scan *s, const char *what, const char *hint)
{
	report(s, INI_MISTAKE, what, hint);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Collects what inih understood of one line. */
static int on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct scan *s = user;
	size_t i;

	(void)section;
	strbuf_reset(&s->key);
	strbuf_adds(&s->key, name);
	for (i = value[0] == GUARD ? 1 : 0; value[i] != '\0'; i++)
		strbuf_addc(&s->value, value[i] == MASKED_BLANK ? ' ' : value[i]);
	s->calls++;
	return 1;
}

/* Gives s->feed to inih. False when inih did not understand it. */
static bool give(struct scan *s)
{
	s->calls = 0;
	strbuf_reset(&s->value);
	return ini_parse_string(strbuf_str(&s->feed), on_pair, s) == 0 && s->calls > 0;
}

/* The text without a comment that starts with blank and semicolon, or is one from its start. */
static struct sv without_comment(struct sv t)
{
	size_t i;

	for (i = 0; i < t.n; i++)
		if (t.p[i] == ';' && (i == 0 || is_blank(t.p[i - 1])))
			return sv_trim(sv_n(t.p, i));
	return sv_trim(t);
}

static void scan_section(struct scan *s, struct sv line)
{
	const char *end = memchr(line.p, ']', line.n);
	struct sv name, rest;

	if (end == NULL) {
		mistake(s, "a section without its closing bracket", "write [name]");
		return;
	}
	name = sv_trim(sv_n(line.p + 1, (size_t)(end - line.p) - 1));
	rest = sv_trim(sv_n(end + 1, line.n - (size_t)(end + 1 - line.p)));
	if (rest.n > 0 && rest.p[0] != ';' && rest.p[0] != '#') {
		mistake(s, "text behind the closing bracket", "begin a new line there");
		return;
	}
	if (name.n == 0 || name.n > INI_SECTION_MAX || memchr(name.p, ';', name.n) != NULL) {
		mistake(s,
			"a section name that is empty, holds a semicolon or is longer than 100 bytes",
			"write [name]");
		return;
	}
	strbuf_reset(&s->section);
	strbuf_add(&s->section, name.p, name.n);
	report(s, INI_SECTION, NULL, NULL);
}

/* Appends value in pieces that inih neither cuts nor trims. */
static void feed_value(struct strbuf *feed, struct sv value)
{
	size_t i;

	for (i = 0; i < value.n || i == 0; i++) {
		if (i % PIECE_BYTES == 0)
			strbuf_addf(feed, "%s%c", i == 0 ? "" : "\n ", GUARD);
		if (i < value.n)
			strbuf_addc(feed, is_blank(value.p[i]) ? MASKED_BLANK : value.p[i]);
	}
	strbuf_addc(feed, '\n');
}

static void scan_pair(struct scan *s, struct sv line)
{
	size_t at = 0;
	struct sv key;

	while (at < line.n && line.p[at] != '=' && line.p[at] != ':')
		at++;
	key = sv_trim(sv_n(line.p, at));
	if (at == line.n || key.n == 0 || memchr(key.p, ';', key.n) != NULL) {
		mistake(s, "neither a section, nor key = value, nor a comment",
			"write key = value");
		return;
	}
	if (key.n > INI_NAME_MAX) {
		mistake(s, "a key longer than 48 bytes", "write key = value");
		return;
	}
	strbuf_reset(&s->feed);
	strbuf_addf(&s->feed, "%.*s=", (int)key.n, key.p);
	feed_value(&s->feed, without_comment(sv_n(line.p + at + 1, line.n - at - 1)));
	if (!give(s)) {
		mistake(s, "a line that cannot be read", "write key = value");
		return;
	}
	report(s, INI_PAIR, strbuf_str(&s->value), NULL);
}

/* True when a byte of line is a control character other than TAB. */
static bool has_control(struct sv line)
{
	size_t i;

	for (i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
			return true;
	return false;
}

static void scan_line(struct scan *s, struct sv line, size_t line_max)
{
	char text[80];
	struct sv t;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n > line_max) {
		snprintf(text, sizeof(text), "a line of %zu bytes", line.n);
		mistake(s, text, "break it into several keys, or shorten it");
		return;
	}
	t = sv_trim(line);
	if (has_control(line)) {
		mistake(s, "a control character", "is this a text file?");
		return;
	}
	if (!utf8_valid(line)) {
		mistake(s, "bytes that are not UTF-8", "save the file as UTF-8");
		return;
	}
	if (sv_starts(line, SV(BOM))) {
		mistake(s, "a byte order mark inside the file", "remove these three bytes");
		return;
	}
	if (t.n == 0 || t.p[0] == ';' || t.p[0] == '#')
		return;
	if (is_blank(line.p[0])) {
		mistake(s, "an indented line",
			"begin it in the first column: values are not continued");
		return;
	}
	if (t.p[0] == '[')
		scan_section(s, t);
	else
		scan_pair(s, t);
}

void ini_scan(struct sv text, size_t line_max, void (*fn)(void *arg, const struct ini_item *item),
	      void *arg)
{
	struct scan s = { .fn = fn, .arg = arg };
	struct sv line;

	strbuf_init(&s.section, STRBUF_NO_LIMIT);
	strbuf_init(&s.feed, STRBUF_NO_LIMIT);
	strbuf_init(&s.key, STRBUF_NO_LIMIT);
	strbuf_init(&s.value, STRBUF_NO_LIMIT);
	if (sv_starts(text, SV(BOM)))
		text = sv_n(text.p + 3, text.n - 3);
	while (sv_cut(&text, '\n', &line)) {
		s.line++;
		scan_line(&s, line, line_max);
	}
	strbuf_clear(&s.section);
	strbuf_clear(&s.key);
	secret_clear_buf(&s.feed);
	secret_clear_buf(&s.value);
}

void ini_mistakes_begin(struct ini_mistakes *m)
{
	m->n = 0;
	strbuf_init(&m->text, sizeof(((struct err *)NULL)->detail));
}

void ini_mistake(struct ini_mistakes *m, int line, const char *fmt, ...)
{
	va_list ap;

	if (m->n++ > 0)
		strbuf_addc(&m->text, '\n');
	strbuf_addf(&m->text, "line %d: ", line);
	va_start(ap, fmt);
	strbuf_addv(&m->text, fmt, ap);
	va_end(ap);
}

int ini_mistakes_end(struct ini_mistakes *m, const char *file, struct err *e)
{
	int ret = 0;

	if (m->n > 0) {
		err_set(e, ERR_CONFIG, m->n == 1 ? "%zu mistake in %s" : "%zu mistakes in %s", m->n,
			file);
		ret = err_detail(e, "%s", strbuf_str(&m->text));
	}
	strbuf_clear(&m->text);
	return ret;
}
