/* SPDX-License-Identifier: MIT */
/*
 * Records of named fields: JSON objects and logfmt, read tolerantly.
 *
 * Only the top level is looked at, by one scan that knows strings and depth and nothing more. A JSON library
 * would refuse what is common in logs (bytes that are no UTF-8, a line cut at a limit) and build a tree for a
 * line of which the level is wanted. So a damaged line gives the pairs before the damage. Nesting costs no
 * stack: depth is a number.
 */
#include "core/logs/record_inside.h"

#include <string.h>

#include "core/base/utf8.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(struct sv s, size_t i)
{
	while (i < s.n && blank(s.p[i]))
		i++;
	return i;
}

/* i stands behind an opening quote; where the closing one is, or s.n. */
static size_t string_end(struct sv s, size_t i)
{
	size_t from = i;

	while (i < s.n) {
		const char *q = memchr(s.p + i, '"', s.n - i);
		size_t at, slashes = 0;

		if (q == NULL)
			return s.n;
		at = (size_t)(q - s.p);
		while (at - slashes > from && s.p[at - slashes - 1] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			return at;
		i = at + 1;
	}
	return s.n;
}

/* i stands on { or [; behind its partner, or s.n + 1 when there is none. */
static size_t nested_end(struct sv s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"')
			i = string_end(s, i + 1);
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return i + 1;
	}
	return s.n + 1;
}

static bool json_value(struct sv line, size_t *at, struct record_pair *out)
{
	size_t i = *at, end;

	if (i >= line.n)
		return false;
	out->quoted = line.p[i] == '"';
	out->nested = line.p[i] == '{' || line.p[i] == '[';
	if (out->quoted) {
		end = string_end(line, ++i);
		if (end >= line.n)
			return false;
		*at = end + 1;
	} else if (out->nested) {
		end = nested_end(line, i);
		if (end > line.n)
			return false;
		*at = end;
	} else {
		for (end = i; end < line.n && line.p[end] != ',' && line.p[end] != '}' &&
			      !blank(line.p[end]);
		     end++)
			;
		if (end == i || end >= line.n)
			return false;
		*at = end;
	}
	out->value = sv_n(line.p + i, end - i);
	return true;
}

bool record_json_pair(struct sv line, size_t *at, struct record_pair *out)
{
	size_t i = skip_blanks(line, *at), end;

	if (*at == 0) {
		if (i >= line.n || line.p[i] != '{')
			return false;
		i = skip_blanks(line, i + 1);
	} else {
		if (i >= line.n || line.p[i] != ',')
			return false;
		i = skip_blanks(line, i + 1);
	}
	if (i >= line.n || line.p[i] != '"')
		return false;
	end = string_end(line, ++i);
	if (end >= line.n)
		return false;
	out->name = sv_n(line.p + i, end - i);
	i = skip_blanks(line, end + 1);
	if (i >= line.n || line.p[i] != ':')
		return false;
	i = skip_blanks(line, i + 1);
	if (!json_value(line, &i, out))
		return false;
	*at = i;
	return true;
}

bool record_logfmt_pair(struct sv line, size_t *at, struct record_pair *out)
{
	size_t i = skip_blanks(line, *at), from = i;

	memset(out, 0, sizeof(*out));
	while (i < line.n && line.p[i] != '=' && !blank(line.p[i]) && line.p[i] != '"')
		i++;
	if (i == from && i < line.n)
		i++; /* a lone = or quote is a name by itself: every call moves on */
	if (i == from)
		return false;
	out->name = sv_n(line.p + from, i - from);
	if (i < line.n && line.p[i] == '=' && out->name.p[0] != '=') {
		from = ++i;
		out->quoted = i < line.n && line.p[i] == '"' && string_end(line, i + 1) < line.n;
		if (out->quoted) {
			from = i + 1;
			i = string_end(line, from);
			out->value = sv_n(line.p + from, i - from);
			i++;
		} else {
			while (i < line.n && !blank(line.p[i]))
				i++;
			out->value = sv_n(line.p + from, i - from);
		}
	}
	*at = i;
	return true;
}

enum record_meaning record_meaning(struct sv name)
{
	static const struct {
		struct sv name;
		enum record_meaning is;
	} names[] = {
		{ { "level", 5 }, RECORD_LEVEL },
		{ { "lvl", 3 }, RECORD_LEVEL },
		{ { "severity", 8 }, RECORD_LEVEL },
		{ { "levelname", 9 }, RECORD_LEVEL },
		{ { "log.level", 9 }, RECORD_LEVEL },
		{ { "loglevel", 8 }, RECORD_LEVEL },
		{ { "log_level", 9 }, RECORD_LEVEL },
		{ { "LogLevel", 8 }, RECORD_LEVEL },
		{ { "Level", 5 }, RECORD_LEVEL },
		{ { "@level", 6 }, RECORD_LEVEL },
		{ { "@l", 2 }, RECORD_LEVEL },
		{ { "severity_text", 13 }, RECORD_LEVEL },
		{ { "SeverityText", 12 }, RECORD_LEVEL },
		{ { "priority", 8 }, RECORD_SYSLOG_LEVEL },
		{ { "PRIORITY", 8 }, RECORD_SYSLOG_LEVEL },
		{ { "syslog_level", 12 }, RECORD_SYSLOG_LEVEL },
		{ { "syslog_severity", 15 }, RECORD_SYSLOG_LEVEL },
		{ { "time", 4 }, RECORD_TIME },
		{ { "ts", 2 }, RECORD_TIME },
		{ { "t", 1 }, RECORD_TIME },
		{ { "@t", 2 }, RECORD_TIME },
		{ { "timestamp", 9 }, RECORD_TIME },
		{ { "Timestamp", 9 }, RECORD_TIME },
		{ { "@timestamp", 10 }, RECORD_TIME },
		{ { "datetime", 8 }, RECORD_TIME },
		{ { "date", 4 }, RECORD_TIME },
		{ { "asctime", 7 }, RECORD_TIME },
		{ { "msg", 3 }, RECORD_MESSAGE },
		{ { "message", 7 }, RECORD_MESSAGE },
		{ { "Message", 7 }, RECORD_MESSAGE },
		{ { "@message", 8 }, RECORD_MESSAGE },
		{ { "@m", 2 }, RECORD_MESSAGE },
		{ { "@mt", 3 }, RECORD_MESSAGE },
		{ { "short_message", 13 }, RECORD_MESSAGE },
		{ { "event", 5 }, RECORD_MESSAGE },
	};

	if (name.n > 15)
		return RECORD_OTHER;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].name.n == name.n && names[i].name.p[0] == name.p[0] &&
		    memcmp(names[i].name.p, name.p, name.n) == 0)
			return names[i].is;
	return RECORD_OTHER;
}

/* --- For a record that was opened ---------------------------------------------------------------- */

static bool hex4(struct sv s, size_t i, uint32_t *out)
{
	uint32_t v = 0;

	if (s.n < 4 || i > s.n - 4)
		return false;
	for (size_t k = i; k < i + 4; k++) {
		char c = s.p[k];

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (uint32_t)((c | 32) - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* \uXXXX at s[i] on the u; behind it. A half of a pair alone becomes U+FFFD. */
static size_t unescape_unicode(struct sv s, size_t i, struct strbuf *out)
{
	char bytes[4];
	uint32_t cp, low;

	if (!hex4(s, i + 1, &cp)) {
		strbuf_addc(out, 'u');
		return i + 1;
	}
	i += 5;
	if (cp >= 0xD800 && cp < 0xDC00 && i + 6 <= s.n && s.p[i] == '\\' && s.p[i + 1] == 'u' &&
	    hex4(s, i + 2, &low) && low >= 0xDC00 && low < 0xE000) {
		cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
		i += 6;
	} else if (cp >= 0xD800 && cp < 0xE000) {
		cp = 0xFFFD;
	}
	strbuf_add(out, bytes, utf8_encode(cp, bytes));
	return i;
}

static void unescape(struct sv s, struct strbuf *out)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
	size_t i = 0;

	while (i < s.n) {
		const char *slash = memchr(s.p + i, '\\', s.n - i);
		const char *known;
		size_t at = slash != NULL ? (size_t)(slash - s.p) : s.n;

		strbuf_add(out, s.p + i, at - i);
		if (at + 1 >= s.n)
			break;
		i = at + 1;
		if (s.p[i] == 'u') {
			i = unescape_unicode(s, i, out);
			continue;
		}
		known = s.p[i] != '\0' ? strchr(from, s.p[i]) : NULL;
		strbuf_addc(out, known != NULL ? to[known - from] : s.p[i]);
		i++;
	}
}

/* JSON without the blanks that are not in strings. */
static void compact(struct sv s, struct strbuf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		size_t end;

		if (blank(s.p[i]))
			continue;
		if (s.p[i] != '"') {
			strbuf_addc(out, s.p[i]);
			continue;
		}
		end = string_end(s, i + 1);
		if (end >= s.n)
			end = s.n - 1;
		strbuf_add(out, s.p + i, end - i + 1);
		i = end;
	}
}

static bool next_pair(struct sv line, enum log_shape shape, size_t *at, struct record_pair *out)
{
	if (shape == LOG_JSON)
		return record_json_pair(line, at, out);
	return shape == LOG_LOGFMT && record_logfmt_pair(line, at, out);
}

static void add_value(const struct record_pair *p, struct strbuf *out)
{
	if (p->quoted)
		unescape(p->value, out);
	else if (p->nested)
		compact(p->value, out);
	else
		strbuf_addsv(out, p->value);
}

size_t log_fields_read(struct sv line, enum log_shape shape, struct strbuf *buf,
		       struct log_field *out, size_t max)
{
	size_t from = buf->len, at = 0, n = 0;
	struct record_pair pair;
	const char *p;

	/* The buffer may move while it grows: lengths first, pointers at the end. */
	for (; n < max && next_pair(line, shape, &at, &pair); n++) {
		size_t begin = buf->len;

		if (shape == LOG_JSON)
			unescape(pair.name, buf);
		else
			strbuf_addsv(buf, pair.name);
		out[n].name.n = buf->len - begin;
		begin = buf->len;
		add_value(&pair, buf);
		out[n].value.n = buf->len - begin;
	}
	p = buf->data != NULL ? buf->data + from : "";
	for (size_t i = 0; i < n; i++) {
		out[i].name.p = p;
		p += out[i].name.n;
		out[i].value.p = p;
		p += out[i].value.n;
	}
	return n;
}

void log_message(struct sv line, enum log_shape shape, struct strbuf *out)
{
	struct record_pair pair, found;
	bool any = false;
	size_t at = 0;

	/* "event" is the message only where nothing else is. */
	while (next_pair(line, shape, &at, &pair))
		if (record_meaning(pair.name) == RECORD_MESSAGE &&
		    (!any || sv_eq(found.name, SV("event")))) {
			found = pair;
			any = true;
		}
	if (any)
		add_value(&found, out);
}
