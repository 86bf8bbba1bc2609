/* SPDX-License-Identifier: MIT */
/*
 * What a migration's name and its first comment lines say.
 *
 * Names: the id is digits, and further digits joined by '.' or '-' as long as each run of digits
 * is a whole word ("009-2fa" is number 009, title "2fa"). '_' joins digits only where a double
 * underscore ends the version ("1_2__name"), because "009_2024_report" is number 009 with a title.
 *
 * Sort key: every part of the id without leading zeros, each preceded by its length in three
 * digits, so that strcmp() gives the numeric order for numbers of any length: no integer
 * overflows on a file name. "9" and "009" are both "0019"; "1.10" is "0011.00210".
 */
#include "core/migrate/migration.h"

#include <stdio.h>
#include <string.h>

#define VERSION_LABEL_MAX 64

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
	return c == '_' || c == '-' || c == '.' || c == ' ';
}

static size_t digits_at(struct sv s, size_t from)
{
	size_t n = 0;

	while (from + n < s.n && is_digit(s.p[from + n]))
		n++;
	return n;
}

/* True when the text ends at i or a separator stands there. */
static bool word_ends(struct sv s, size_t i)
{
	return i == s.n || is_separator(s.p[i]);
}

/* Length of a version like "1_2" that a double underscore ends, or 0. */
static size_t underscore_version(struct sv s)
{
	size_t i = digits_at(s, 0);

	while (i > 0 && i + 1 < s.n && s.p[i] == '_' && is_digit(s.p[i + 1]))
		i += 1 + digits_at(s, i + 1);
	if (i + 1 < s.n && s.p[i] == '_' && s.p[i + 1] == '_')
		return i;
	return 0;
}

size_t migration_id_length(struct sv stem)
{
	size_t n = digits_at(stem, 0);
	size_t more;

	if (n == 0 || !word_ends(stem, n))
		return 0;
	if (underscore_version(stem) > n)
		return underscore_version(stem);
	while (n + 1 < stem.n && (stem.p[n] == '.' || stem.p[n] == '-')) {
		more = digits_at(stem, n + 1);
		if (more == 0 || !word_ends(stem, n + 1 + more))
			break;
		n += 1 + more;
	}
	return n;
}

bool migration_name(struct arena *a, struct sv stem, const char **id, const char **title,
		    const char **sort_key)
{
	size_t n = migration_id_length(stem);
	struct sv rest;
	char *text;

	if (n == 0)
		return false;
	rest = sv_n(stem.p + n, stem.n - n);
	while (rest.n > 0 && is_separator(rest.p[0]))
		rest = sv_n(rest.p + 1, rest.n - 1);
	text = arena_strndup(a, rest.p, rest.n);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	*id = arena_strndup(a, stem.p, n);
	*title = text;
	*sort_key = migration_sort_key(a, sv_n(stem.p, n));
	return true;
}

/* The digits of the part of s that starts at *at, without leading zeros, written to out (room for
 * s.n bytes). Moves *at past the separator. False when s is used up. */
static bool next_part(struct sv s, size_t *at, char *out, size_t *n)
{
	bool any = false;

	*n = 0;
	while (*at < s.n) {
		char c = s.p[(*at)++];

		if (is_digit(c)) {
			any = true;
			if (*n > 0 || c != '0')
				out[(*n)++] = c;
		} else if (c != '-' && any) {
			return true;
		}
	}
	return any;
}

const char *migration_sort_key(struct arena *a, struct sv id)
{
	/* A part of n digits takes n + 4 bytes and at least n + 1 of the id. */
	char *key = arena_alloc(a, id.n * 4 + 8);
	char *digits = arena_alloc(a, id.n + 1);
	size_t at = 0, n, len = 0;

	while (next_part(id, &at, digits, &n)) {
		if (len > 0)
			key[len++] = '.';
		/* File names end at 255 bytes; an id out of a foreign ledger may be longer. */
		len += (size_t)snprintf(key + len, 4, "%03u", (unsigned)(n > 999 ? 999 : n));
		memcpy(key + len, digits, n);
		len += n;
	}
	key[len] = '\0';
	return key;
}

/* One part of a version as a number: its digits without leading zeros. */
struct part {
	const char *p;
	size_t n;
	bool any;
};

static struct part cut_part(const char **s)
{
	struct part out = { NULL, 0, false };

	while (**s != '\0' && !is_digit(**s))
		(*s)++;
	out.any = **s != '\0';
	while (**s == '0')
		(*s)++;
	out.p = *s;
	while (is_digit(**s)) {
		(*s)++;
		out.n++;
	}
	return out;
}

int version_cmp(const char *a, const char *b)
{
	const char *pa = a, *pb = b;
	bool any = false;

	for (;;) {
		struct part x = cut_part(&pa), y = cut_part(&pb);
		int d;

		/* A part that is not there counts as zero: 1.8 is 1.8.0. */
		if (!x.any && !y.any)
			return any ? 0 : strcmp(a, b);
		any = true;
		if (x.n != y.n)
			return x.n < y.n ? -1 : 1;
		d = x.n > 0 ? memcmp(x.p, y.p, x.n) : 0;
		if (d != 0)
			return d;
	}
}

size_t migration_normalise(char *text, size_t n)
{
	size_t from = n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	size_t to = 0;

	while (from < n) {
		/* Up to and without the next CR that has an LF behind it. */
		const char *cr = memchr(text + from, '\r', n - from);
		size_t end = cr != NULL ? (size_t)(cr - text) : n;

		if (cr != NULL && (end + 1 == n || text[end + 1] != '\n'))
			end++; /* a lone CR stays */
		if (to != from)
			memmove(text + to, text + from, end - from);
		to += end - from;
		from = end;
		if (from < n && text[from] == '\r' && from + 1 < n && text[from + 1] == '\n')
			from++;
	}
	return to;
}

void migration_checksum(struct digest *d, struct sv text, char out[CHECKSUM_SIZE])
{
	digest_begin(d);
	digest_add(d, text.p, text.n);
	memcpy(out, "s1:", 3);
	digest_end(d, out + 3);
}

/* ASCII only: directives are. */
static bool equal_nocase(struct sv s, const char *word)
{
	size_t i;

	for (i = 0; i < s.n && word[i] != '\0'; i++) {
		char c = s.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		if (c != word[i])
			return false;
	}
	return i == s.n && word[i] == '\0';
}

/* "-- version: 1.8.0" to key and value. False for another comment. */
static bool directive_cut(struct sv line, struct sv *key, struct sv *value)
{
	struct sv rest = sv_trim(line);

	while (rest.n > 0 && rest.p[0] == '-')
		rest = sv_n(rest.p + 1, rest.n - 1);
	rest = sv_trim(rest);
	/* dbmate: "migrate:up transaction:false" */
	if (sv_starts(rest, SV("migrate:up")) || sv_starts(rest, SV("migrate:down"))) {
		struct sv word;

		if (!sv_cut(&rest, ' ', &word))
			return false;
		rest = sv_trim(rest);
	}
	if (memchr(rest.p != NULL ? rest.p : "", ':', rest.n) == NULL)
		return false;
	sv_cut(&rest, ':', key);
	*key = sv_trim(*key);
	*value = sv_trim(rest);
	return true;
}

static int directive_bad(struct err *e, int line, struct sv key, struct sv value, const char *hint)
{
	char k[32], v[64];

	str_copy_sv(k, sizeof(k), key);
	str_copy_sv(v, sizeof(v), value);
	err_set(e, ERR_INPUT, "line %d: directive '%s: %s' is not acted on by this version", line,
		k, v);
	return err_hint(e, "%s", hint);
}

static bool label_ok(struct sv v)
{
	bool digit = false;

	for (size_t i = 0; i < v.n; i++) {
		digit = digit || is_digit(v.p[i]);
		if (v.p[i] <= ' ' || v.p[i] > '~')
			return false;
	}
	return digit && v.n <= VERSION_LABEL_MAX;
}

static int directive_take(struct sv key, struct sv value, int line,
			  struct migration_directives *out, struct err *e)
{
	if (equal_nocase(key, "transaction")) {
		if (equal_nocase(value, "no") || equal_nocase(value, "false"))
			out->no_transaction = true;
		else if (!equal_nocase(value, "yes") && !equal_nocase(value, "true"))
			return directive_bad(e, line, key, value,
					     "write '-- transaction: no' or remove the line");
	} else if (equal_nocase(key, "version")) {
		if (!label_ok(value))
			return directive_bad(
				e, line, key, value,
				"write a version of digits and dots: '-- version: 1.8.0'");
		out->version = value;
	} else if (equal_nocase(key, "lock_timeout") || equal_nocase(key, "allow")) {
		return directive_bad(e, line, key, value,
				     "remove the line; a later version knows it");
	}
	return 0; /* any other word with a colon is prose */
}

int migration_directives(struct sv text, struct migration_directives *out, struct err *e)
{
	struct migration_directives found = { 0 };
	struct sv rest = text, line, key, value;
	int n = 0;

	while (sv_cut(&rest, '\n', &line)) {
		line = sv_trim(line);
		n++;
		if (line.n == 0)
			continue;
		if (!sv_starts(line, SV("--")))
			break;
		if (directive_cut(line, &key, &value) &&
		    directive_take(key, value, n, &found, e) != 0)
			return -1;
	}
	*out = found;
	return 0;
}
