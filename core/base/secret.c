/* SPDX-License-Identifier: MIT */
/*
 * Secrets taken out of texts.
 *
 * One pass over the text, left to right. At each place a known value is looked for first, then the
 * patterns: a value may stand where no pattern is, and a pattern where the value is not known (the
 * password of a role that a migration makes). What a pattern finds is only what would be the secret:
 *
 *	IDENTIFIED BY 'x' · IDENTIFIED VIA p USING PASSWORD('x')     every quoted text behind it
 *	PASSWORD 'x' · PASSWORD('x') · "password": "x"               the quoted text
 *	password=x · DB_PASSWORD = 'x'                               the word or quoted text
 *	scheme://user:x@host                                         what stands before the @
 *
 * Where a secret comes from (password = env:NAME) is no secret and stays: hints are made of that. A text
 * that str_copy cut may end in the beginning of a value; from SECRET_KNOWN_MIN bytes on that goes, too.
 */
#include "core/base/secret.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#define IDENTIFIED_WORDS_MAX 8 /* between IDENTIFIED and the last quoted text that belongs to it */
#define ELLIPSIS "\xe2\x80\xa6"

/* Beside the log's handle the one static that changes: an error is printed, and a line is logged, in
 * places that know no context, and one that was forgotten would show a password. Guarded by its lock;
 * filled before threads start, read by all. */
static struct {
	pthread_mutex_t lock;
	struct secret *list;
	size_t n, cap;
} known = { PTHREAD_MUTEX_INITIALIZER, NULL, 0, 0 };

/* --- Holding -------------------------------------------------------------------------------------- */

void secret_clear(struct secret *s)
{
	if (s->text != NULL)
		explicit_bzero(s->text, s->n);
	mem_free(s->text);
	*s = (struct secret){ NULL, 0 };
}

void secret_set(struct secret *s, struct sv value)
{
	char *text = mem_alloc(value.n + 1);

	if (value.n > 0)
		memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	secret_clear(s);
	*s = (struct secret){ text, value.n };
}

void secret_clear_buf(struct strbuf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	strbuf_clear(b);
}

void secret_know(const char *value)
{
	struct sv v = sv_of(value);
	size_t i;

	if (v.n < SECRET_KNOWN_MIN)
		return;
	pthread_mutex_lock(&known.lock);
	for (i = 0; i < known.n && strcmp(known.list[i].text, value) != 0; i++)
		;
	if (i == known.n) {
		mem_grow(&known.list, &known.cap, known.n + 1, sizeof(*known.list));
		known.list[known.n] = (struct secret){ NULL, 0 };
		secret_set(&known.list[known.n++], v);
	}
	pthread_mutex_unlock(&known.lock);
}

void secret_forget(void)
{
	pthread_mutex_lock(&known.lock);
	for (size_t i = 0; i < known.n; i++)
		secret_clear(&known.list[i]);
	mem_free(known.list);
	known.list = NULL;
	known.n = known.cap = 0;
	pthread_mutex_unlock(&known.lock);
}

/* --- Known values --------------------------------------------------------------------------------- */

/* Bytes of the longest known value that s begins with; 0 when there is none. */
static size_t known_at(struct sv s)
{
	size_t best = 0;

	for (size_t i = 0; i < known.n; i++) {
		struct sv one = sv_n(known.list[i].text, known.list[i].n);

		if (one.n > best && sv_starts(s, one))
			best = one.n;
	}
	return best;
}

/* Whether all of s, but for the ellipsis it was cut with, is the beginning of a known value. */
static bool known_cut(struct sv s)
{
	if (!sv_ends(s, SV(ELLIPSIS)) || s.n < strlen(ELLIPSIS) + SECRET_KNOWN_MIN)
		return false;
	s.n -= strlen(ELLIPSIS);
	for (size_t i = 0; i < known.n; i++)
		if (sv_starts(sv_n(known.list[i].text, known.list[i].n), s))
			return true;
	return false;
}

/* --- Patterns ------------------------------------------------------------------------------------- */

static bool starts_word(struct sv s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && strncasecmp(s.p, word, n) == 0;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t blanks(struct sv s)
{
	size_t n = 0;

	while (n < s.n && isspace((unsigned char)s.p[n]))
		n++;
	return n;
}

static struct sv rest_of(struct sv s, size_t at)
{
	return sv_n(s.p + at, s.n - at);
}

/* A quoted text at the start of s: 'x', "x", E'x', $tag$x$tag$. *from and *to are what is inside; without
 * its end all of the rest is. Returns the bytes with the quotes, 0 when there is none. */
static size_t quoted(struct sv s, size_t *from, size_t *to)
{
	size_t at = s.n > 1 && isalpha((unsigned char)s.p[0]) && s.p[1] == '\'' ? 1 : 0;
	size_t tag = 1;
	char q;

	if (at == s.n)
		return 0;
	q = s.p[at];
	if (q == '\'' || q == '"') {
		*from = ++at;
		while (at < s.n && !(s.p[at] == q && !(at + 1 < s.n && s.p[at + 1] == q)))
			at += at + 1 < s.n && (s.p[at] == '\\' || s.p[at] == q) ? 2 : 1;
		*to = at < s.n ? at : s.n;
		return at < s.n ? at + 1 : s.n;
	}
	if (q != '$')
		return 0;
	while (tag < s.n && is_word_char(s.p[tag]))
		tag++;
	if (tag == s.n || s.p[tag] != '$')
		return 0;
	tag++;
	*from = tag;
	for (at = tag; at + tag <= s.n && memcmp(s.p + at, s.p, tag) != 0; at++)
		;
	*to = at + tag <= s.n ? at : s.n;
	return at + tag <= s.n ? at + tag : s.n;
}

static void add_hidden(struct strbuf *out, struct sv before, struct sv after)
{
	strbuf_addsv(out, before);
	strbuf_adds(out, SECRET_SHOWN);
	strbuf_addsv(out, after);
}

/* A quoted text at at of s, hidden, with what is before it. Returns where it ends, or 0. */
static size_t hide_quoted(struct sv s, size_t at, struct strbuf *out)
{
	size_t from, to, n = quoted(rest_of(s, at), &from, &to);

	if (n == 0 || from == to)
		return 0;
	add_hidden(out, sv_n(s.p, at + from), sv_n(s.p + at + to, n - to));
	return at + n;
}

/* "IDENTIFIED" and what belongs to it. */
static size_t hide_identified(struct sv s, struct strbuf *out)
{
	size_t at = strlen("identified"), done = 0, n;
	int words = 0;

	while (at < s.n && words < IDENTIFIED_WORDS_MAX) {
		struct sv here = rest_of(s, done);

		if ((n = hide_quoted(here, at - done, out)) > 0) {
			done += n;
			at = done;
		} else if (is_word_char(s.p[at])) {
			while (at < s.n && is_word_char(s.p[at]))
				at++;
			words++;
		} else if (isspace((unsigned char)s.p[at]) || s.p[at] == '(') {
			at++;
		} else {
			break;
		}
	}
	return done;
}

/* Where a secret comes from, or a place for one, is none. */
static bool says_where(struct sv value)
{
	static const char *const words[] = {
		"env:", "file:", "cmd:", "${", ELLIPSIS, SECRET_SHOWN
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sv_starts(value, sv_of(words[i])))
			return true;
	return sv_eq(value, SV("ask"));
}

/* The quote that ends a name ("password": …), not one that begins a value. */
static size_t name_end(struct sv s)
{
	size_t at = 1;

	if (s.n == 0 || strchr("\"'`", s.p[0]) == NULL)
		return 0;
	at += blanks(rest_of(s, at));
	return at < s.n && (s.p[at] == ':' || s.p[at] == '=') ? 1 : 0;
}

/* "password" of word bytes, and the value behind it. */
static size_t hide_password(struct sv s, size_t word, struct strbuf *out)
{
	size_t at = word, end, n;
	bool assigned = false;

	if (at < s.n && is_word_char(s.p[at]))
		return 0;
	at += name_end(rest_of(s, at));
	at += blanks(rest_of(s, at));
	if (at < s.n && (s.p[at] == '=' || s.p[at] == ':' || s.p[at] == '(')) {
		assigned = s.p[at] == '=';
		at++;
		at += at < s.n && s.p[at] == '>';
		at += blanks(rest_of(s, at));
	}
	if ((n = hide_quoted(s, at, out)) > 0)
		return n;
	if (!assigned)
		return 0;
	for (end = at;
	     end < s.n && !isspace((unsigned char)s.p[end]) && strchr(",;)&'\"", s.p[end]) == NULL;
	     end++)
		;
	if (end == at || says_where(sv_n(s.p + at, end - at)))
		return 0;
	add_hidden(out, sv_n(s.p, at), sv_n(NULL, 0));
	return end;
}

/* "://user:secret@": up to the last @ before the host ends. */
static size_t hide_url(struct sv s, struct strbuf *out)
{
	size_t colon = 0, sign = 0, at;

	for (at = 3;
	     at < s.n && !isspace((unsigned char)s.p[at]) && strchr("/?'\"<>", s.p[at]) == NULL;
	     at++) {
		if (s.p[at] == ':' && colon == 0)
			colon = at;
		if (s.p[at] == '@')
			sign = at;
	}
	if (colon == 0 || sign <= colon + 1 ||
	    sv_eq(sv_n(s.p + colon + 1, sign - colon - 1), SV(SECRET_SHOWN)))
		return 0;
	add_hidden(out, sv_n(s.p, colon + 1), sv_n(NULL, 0));
	return sign;
}

/* What a pattern takes at the start of s, its place given to out; 0 when none begins here. */
static size_t hide_pattern(struct sv s, struct strbuf *out)
{
	switch (s.p[0]) {
	case 'i':
	case 'I':
		return starts_word(s, "identified") ? hide_identified(s, out) : 0;
	case 'p':
	case 'P':
		if (starts_word(s, "password"))
			return hide_password(s, strlen("password"), out);
		return starts_word(s, "passwd") ? hide_password(s, strlen("passwd"), out) : 0;
	case ':':
		return sv_starts(s, SV("://")) ? hide_url(s, out) : 0;
	default:
		return 0;
	}
}

/* --- Texts ---------------------------------------------------------------------------------------- */

/* s without secrets, appended to out; false when nothing had to go. */
static bool redact(struct sv s, struct strbuf *out)
{
	bool any = false;
	size_t at = 0;

	while (at < s.n) {
		struct sv rest = rest_of(s, at);
		size_t n = known_at(rest);

		if (n > 0 || (n = known_cut(rest) ? rest.n : 0) > 0)
			strbuf_adds(out, SECRET_SHOWN);
		else
			n = hide_pattern(rest, out);
		any = any || n > 0;
		if (n == 0)
			strbuf_addc(out, s.p[at]);
		at += n > 0 ? n : 1;
	}
	return any;
}

bool secret_redact(struct strbuf *b)
{
	struct strbuf out;
	bool any;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	pthread_mutex_lock(&known.lock);
	any = redact(strbuf_sv(b), &out);
	/* What a pattern kept may hold a value, and what it took may have hidden one. */
	if (any) {
		struct strbuf again;

		strbuf_init(&again, STRBUF_NO_LIMIT);
		redact(strbuf_sv(&out), &again);
		secret_clear_buf(&out);
		out = again;
	}
	pthread_mutex_unlock(&known.lock);
	if (any) {
		bool overflow = b->overflow;

		explicit_bzero(b->data, b->len);
		strbuf_reset(b);
		strbuf_addsv(b, strbuf_sv(&out));
		b->overflow = b->overflow || overflow;
	}
	secret_clear_buf(&out);
	return any;
}

static void redact_part(char *part, size_t size)
{
	struct strbuf text;

	if (part[0] == '\0')
		return;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_adds(&text, part);
	if (secret_redact(&text))
		str_copy(part, size, strbuf_str(&text));
	secret_clear_buf(&text);
}

void secret_redact_err(struct err *e)
{
	redact_part(e->msg, sizeof(e->msg));
	redact_part(e->detail, sizeof(e->detail));
	redact_part(e->hint, sizeof(e->hint));
}
