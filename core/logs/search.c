/* SPDX-License-Identifier: MIT */
/*
 * Patterns over lines.
 *
 * A whole chunk of lines is searched as one text with PCRE2_MULTILINE: JIT runs two to four times as fast that
 * way as line by line, since most of a log does not match and is passed over in one go. Behind a hit the search
 * goes on at the next line.
 *
 * The result has to be what line by line would give. So the pattern is rewritten such that nothing in it can match
 * a newline: a line has none, so for lines it means the same. [^x] becomes [^x\n], \s becomes [^\S\n], \z
 * becomes $. What the rewriter does not know to be harmless (\R, \Q, (?s), \x.., verbs, \W within brackets)
 * makes the pattern slow and certain instead: it is then matched line by line.
 *
 * Bounds: backtracking by a match limit for each start of a match; where it is met the rest of that slice goes line by
 * line, and lines that meet it again do not match. Slices are SLICE bytes long, so that nobody waits long for
 * the end of one, and asking whether to stop comes between slices and lines.
 *
 * Where something is known that each match has in it (literal.c), the pattern is run only from the line that has
 * it, over a stretch of STRETCH bytes: a call for each line would cost more than it saves where many have it. Where
 * that is all there is to the pattern it is not run at all.
 *
 * Patterns of ASCII are matched as bytes, so any log can be searched; others as UTF-8 (which tolerates bytes
 * that are none). PCRE2 is loaded when the first pattern is made.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/logs/search.h"

#include <pcre2.h>
#include <string.h>

#include "core/base/library.h"
#include "core/base/mem.h"
#include "core/logs/literal.h"
#include "core/logs/search_inside.h"

#define PATTERN_MAX 4096
#define MATCH_LIMIT 20000
#define SLICE ((size_t)64 << 10)
#define STRETCH ((size_t)2 << 10)

/* clang-format off */
#define FUNCTIONS(X) \
	X(pcre2_compile_8) X(pcre2_code_free_8) X(pcre2_jit_compile_8) X(pcre2_jit_match_8) \
	X(pcre2_match_8) X(pcre2_match_data_create_8) X(pcre2_match_data_free_8) \
	X(pcre2_get_ovector_pointer_8) X(pcre2_match_context_create_8) \
	X(pcre2_match_context_free_8) X(pcre2_set_match_limit_8) X(pcre2_get_error_message_8)

struct pcre {
#define X(f) __typeof__(f) *f;
	FUNCTIONS(X)
#undef X
};

#define X(f) { #f, offsetof(struct pcre, f) },
static const struct library_symbol symbols[] = { FUNCTIONS(X) };
#undef X
/* clang-format on */

static const char *const files[] = { "libpcre2-8.so.0", NULL };

static const struct library library = {
	.name = "libpcre2-8",
	.hint = "install the package libpcre2-8-0",
	.file = files,
	.symbol = symbols,
	.n_symbol = sizeof(symbols) / sizeof(symbols[0]),
};

struct log_pattern {
	struct pcre lib;
	char *text;
	pcre2_code_8 *code;
	pcre2_match_context_8 *limits; /* only read once it is made */
	bool jit;
	bool by_line; /* could match a newline: never given more than a line */
	struct literals literals;
};

/* --- Rewriting ----------------------------------------------------------------------------------- */

struct rewriter {
	struct sv in;
	size_t i;
	struct strbuf out;
	bool upper; /* has an upper case letter that stands for itself */
	bool ascii;
	bool safe; /* out cannot match a newline */
};

static char peek(const struct rewriter *r, size_t ahead)
{
	return r->i + ahead < r->in.n ? r->in.p[r->i + ahead] : '\0';
}

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static void keep(struct rewriter *r, size_t n)
{
	strbuf_add(&r->out, r->in.p + r->i, n);
	r->i += n;
}

static void put(struct rewriter *r, size_t taken, const char *instead)
{
	strbuf_adds(&r->out, instead);
	r->i += taken;
}

/* A backslash outside of brackets. */
static void escape(struct rewriter *r)
{
	char c = peek(r, 1);

	switch (c) {
	case 's':
		put(r, 2, "[^\\S\\n]");
		return;
	case 'D':
		put(r, 2, "[^\\d\\n]");
		return;
	case 'W':
		put(r, 2, "[^\\w\\n]");
		return;
	case 'H':
		put(r, 2, "[^\\h\\n]");
		return;
	case 'A':
		put(r, 2, "^");
		return;
	case 'z':
	case 'Z':
		put(r, 2, "$");
		return;
	default:
		if (c >= '1' && c <= '9')
			r->safe &= peek(r, 2) < '0' || peek(r, 2) > '9';
		else if (c == '\0' || (alnum(c) && strchr("dwhSNbBtfaer", c) == NULL))
			r->safe = false;
		keep(r, c == '\0' ? 1 : 2);
	}
}

/* [:name:] within brackets. */
static void posix_class(struct rewriter *r, bool negated)
{
	static const char *const without[] = { "alpha", "digit",  "alnum", "upper", "lower",
					       "punct", "xdigit", "word",  "graph", "blank" };
	bool known = negated;
	size_t n = 2;

	while (r->i + n < r->in.n && alnum(peek(r, n)))
		n++;
	for (size_t k = 0; k < sizeof(without) / sizeof(without[0]); k++)
		known |= sv_eq_str(sv_n(r->in.p + r->i + 2, n - 2), without[k]);
	if (peek(r, n) != ':' || peek(r, n + 1) != ']' || !known)
		r->safe = false;
	keep(r, n);
}

/* One thing within brackets. */
static void class_item(struct rewriter *r, bool negated)
{
	char c = peek(r, 0);

	if (c == '[' && (peek(r, 1) == ':' || peek(r, 1) == '.' || peek(r, 1) == '=')) {
		posix_class(r, negated);
	} else if (c != '\\') {
		r->upper |= c >= 'A' && c <= 'Z';
		r->safe &= (unsigned char)c >= ' ';
		keep(r, 1);
	} else if (!negated && peek(r, 1) == 's') {
		put(r, 2, " \\t\\f\\r\\x0b");
	} else {
		c = peek(r, 1);
		if (c == 'Q' || c == 'E' || c == '\0' ||
		    (!negated && alnum(c) && strchr("dwhStfer", c) == NULL))
			r->safe = false;
		/* From a control character to something: the newline may lie between. */
		if (alnum(c) && peek(r, 2) == '-' && peek(r, 3) != ']')
			r->safe &= negated;
		keep(r, c == '\0' ? 1 : 2);
	}
}

static void brackets(struct rewriter *r)
{
	bool negated = peek(r, 1) == '^';

	if (negated)
		put(r, 2, "[^\\n");
	else
		keep(r, 1);
	if (peek(r, 0) == ']')
		put(r, 1, "\\]");
	while (r->i < r->in.n && peek(r, 0) != ']')
		class_item(r, negated);
	if (r->i < r->in.n)
		keep(r, 1);
}

/* A parenthesis with something special behind it. */
static void group(struct rewriter *r)
{
	size_t n = 2;
	char c;

	if (peek(r, 1) == '*') {
		r->safe = false;
	} else if (peek(r, 1) == '?') {
		c = peek(r, 2);
		if (c == 'i' || c == '-') {
			while (peek(r, n) == 'i' || peek(r, n) == '-')
				n++;
			r->safe &= peek(r, n) == ')' || peek(r, n) == ':';
		} else if (c == '\0' || strchr(":=!<>|P'", c) == NULL) {
			r->safe = false;
		}
	}
	keep(r, 1);
}

static void rewrite(struct rewriter *r, struct sv text)
{
	*r = (struct rewriter){ .in = text, .safe = true, .ascii = true };
	strbuf_init(&r->out, 16 * PATTERN_MAX);
	while (r->i < text.n) {
		char c = text.p[r->i];

		r->ascii &= (unsigned char)c < 0x80;
		if (c == '\\') {
			escape(r);
		} else if (c == '[') {
			size_t from = r->i;

			brackets(r);
			for (; from < r->i; from++)
				r->ascii &= (unsigned char)text.p[from] < 0x80;
		} else if (c == '(') {
			group(r);
		} else {
			r->upper |= c >= 'A' && c <= 'Z';
			r->safe &= c != '\n';
			keep(r, 1);
		}
	}
	r->safe &= strbuf_ok(&r->out);
}

/* --- Making -------------------------------------------------------------------------------------- */

static int wrong(struct log_pattern *p, const char *text, int code, size_t at, struct err *e)
{
	char words[256] = "";

	p->lib.pcre2_get_error_message_8(code, (PCRE2_UCHAR8 *)words, sizeof(words));
	err_set(e, ERR_INPUT, "cannot search for %s", text);
	err_detail(e, "%s, at character %zu", words, at + 1);
	return err_hint(e, "correct the pattern; a \\ before a character takes it as it is");
}

static int compile(struct log_pattern *p, const char *text, struct err *e)
{
	struct rewriter r;
	uint32_t options;
	size_t at = 0;
	int code = 0;

	rewrite(&r, sv_of(text));
	options = (r.upper ? 0 : PCRE2_CASELESS) |
		  (r.ascii ? 0 : PCRE2_UTF | PCRE2_MATCH_INVALID_UTF);
	/* As it was given first: an error has to name a place in that text. */
	p->code = p->lib.pcre2_compile_8((PCRE2_SPTR8)text, PCRE2_ZERO_TERMINATED, options, &code,
					 &at, NULL);
	if (p->code == NULL && !r.ascii && code < 0) {
		options &= ~(uint32_t)(PCRE2_UTF |
				       PCRE2_MATCH_INVALID_UTF); /* bytes that are no UTF-8 */
		p->code = p->lib.pcre2_compile_8((PCRE2_SPTR8)text, PCRE2_ZERO_TERMINATED, options,
						 &code, &at, NULL);
	}
	p->by_line = true;
	if (p->code != NULL && r.safe) {
		pcre2_code_8 *fast = p->lib.pcre2_compile_8(
			(PCRE2_SPTR8)strbuf_str(&r.out), r.out.len,
			options | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);

		if (fast != NULL) {
			p->lib.pcre2_code_free_8(p->code);
			p->code = fast;
			p->by_line = false;
			if (r.ascii)
				literals_of(r.in, (options & PCRE2_CASELESS) != 0, &p->literals);
		}
	}
	strbuf_clear(&r.out);
	return p->code != NULL ? 0 : wrong(p, text, code, at, e);
}

int log_pattern_new(const char *text, struct log_pattern **out, struct err *e)
{
	struct log_pattern *p;

	if (strlen(text) > PATTERN_MAX)
		return err_set(e, ERR_LIMIT, "the pattern is longer than %d bytes", PATTERN_MAX);
	p = mem_calloc(1, sizeof(*p));
	if (library_load(&library, &p->lib, e) != 0 || compile(p, text, e) != 0) {
		mem_free(p);
		return -1;
	}
	p->text = mem_strdup(text);
	p->limits = p->lib.pcre2_match_context_create_8(NULL);
	if (p->limits == NULL)
		mem_oom();
	p->lib.pcre2_set_match_limit_8(p->limits, MATCH_LIMIT);
	p->jit = p->lib.pcre2_jit_compile_8(p->code, PCRE2_JIT_COMPLETE) == 0;
	*out = p;
	return 0;
}

void log_pattern_free(struct log_pattern *p)
{
	if (p == NULL)
		return;
	p->lib.pcre2_match_context_free_8(p->limits);
	p->lib.pcre2_code_free_8(p->code);
	mem_free(p->text);
	mem_free(p);
}

const char *log_pattern_text(const struct log_pattern *p)
{
	return p->text;
}

/* --- Matching ------------------------------------------------------------------------------------ */

static pcre2_match_data_8 *data_new(const struct log_pattern *p)
{
	pcre2_match_data_8 *d = p->lib.pcre2_match_data_create_8(1, NULL);

	if (d == NULL)
		mem_oom();
	return d;
}

/* 0 or more: found; PCRE2_ERROR_NOMATCH; other negatives: a limit was met. */
static int match(const struct log_pattern *p, struct sv text, size_t from, pcre2_match_data_8 *d)
{
	PCRE2_SPTR8 subject = (PCRE2_SPTR8)(text.p != NULL ? text.p : "");

	if (p->jit)
		return p->lib.pcre2_jit_match_8(p->code, subject, text.n, from, 0, d, p->limits);
	return p->lib.pcre2_match_8(p->code, subject, text.n, from, 0, d, p->limits);
}

bool log_pattern_match(const struct log_pattern *p, struct sv line, size_t *from, size_t *to)
{
	pcre2_match_data_8 *d = data_new(p);
	bool found = match(p, line, 0, d) >= 0;

	if (found) {
		const PCRE2_SIZE *at = p->lib.pcre2_get_ovector_pointer_8(d);
		size_t begin = at[0] < at[1] ? at[0] : at[1], end = at[1];

		/* Matched as bytes, shown as characters. */
		while (begin > 0 && begin < line.n && ((unsigned char)line.p[begin] & 0xC0) == 0x80)
			begin--;
		while (end > begin && end < line.n && ((unsigned char)line.p[end] & 0xC0) == 0x80)
			end++;
		if (from != NULL)
			*from = begin;
		if (to != NULL)
			*to = end;
	}
	p->lib.pcre2_match_data_free_8(d);
	return found;
}

struct hits {
	const struct log_pattern *p;
	pcre2_match_data_8 *data;
	const atomic_bool *stop;
	void (*hit)(void *arg, size_t line_at);
	void *arg;
	struct sv text;
};

static bool stopped(const struct hits *h)
{
	return h->stop != NULL && atomic_load_explicit(h->stop, memory_order_relaxed);
}

/* Where the line that begins at from ends: on its newline, or at the end. */
static size_t line_end(struct sv text, size_t from)
{
	const char *nl = memchr(text.p + from, '\n', text.n - from);

	return nl != NULL ? (size_t)(nl - text.p) : text.n;
}

static bool one_by_one(struct hits *h, size_t from, size_t to)
{
	while (from < to) {
		size_t end = line_end(h->text, from);

		if (stopped(h))
			return false;
		if (match(h->p, sv_n(h->text.p + from, end - from), 0, h->data) >= 0)
			h->hit(h->arg, from);
		from = end + 1;
	}
	return true;
}

/* Where the line with place at begins; from is where a line begins, not behind at. */
static size_t line_begin(struct sv text, size_t from, size_t at)
{
	const char *nl = at > from ? memrchr(text.p + from, '\n', at - from) : NULL;

	return nl != NULL ? (size_t)(nl - text.p) + 1 : from;
}

/* Runs the pattern from i, which begins a line, to the end of the stretch, which ends one or the text. */
static void run_stretch(struct hits *h, struct sv stretch, size_t i)
{
	const PCRE2_SIZE *at = h->p->lib.pcre2_get_ovector_pointer_8(h->data);
	size_t from = (size_t)(stretch.p - h->text.p);

	while (i < stretch.n) {
		int rc = match(h->p, stretch, i, h->data);

		/* Behind the last newline there is no line any more, only a place that ^ and $ match. */
		if (rc == PCRE2_ERROR_NOMATCH ||
		    (rc >= 0 && at[0] >= stretch.n && stretch.p[stretch.n - 1] == '\n'))
			break;
		if (rc < 0) {
			one_by_one(h, from + i, from + stretch.n);
			break;
		}
		i = line_begin(stretch, i, at[0]);
		h->hit(h->arg, from + i);
		i = line_end(stretch, i) + 1;
	}
}

/* From where a literal is. */
static void run_literals(struct hits *h, struct sv slice)
{
	const struct literals *l = &h->p->literals;
	size_t next[LITERALS_MAX] = { 0 }, i = 0, end;

	while ((i = literals_find(l, slice, i, next)) < slice.n) {
		i = line_begin(slice, 0, i);
		end = line_end(slice, l->exact || slice.n - i <= STRETCH ? i : i + STRETCH) + 1;
		if (l->exact)
			h->hit(h->arg, (size_t)(slice.p - h->text.p) + i);
		else
			run_stretch(h, sv_n(slice.p, end < slice.n ? end : slice.n), i);
		if (end >= slice.n)
			break;
		i = end;
	}
}

bool log_pattern_lines_until(const struct log_pattern *p, struct sv text, const atomic_bool *stop,
			     void (*hit)(void *arg, size_t line_at), void *arg)
{
	struct hits h = { p, data_new(p), stop, hit, arg, text };
	bool whole = true;
	size_t at = 0;

	while (at < text.n && whole) {
		size_t end = text.n - at > SLICE ? line_end(text, at + SLICE) + 1 : text.n;

		if (end > text.n)
			end = text.n;
		if (p->by_line)
			whole = one_by_one(&h, at, end);
		else if (!(whole = !stopped(&h)))
			break;
		else if (p->literals.n > 0)
			run_literals(&h, sv_n(text.p + at, end - at));
		else
			run_stretch(&h, sv_n(text.p + at, end - at), 0);
		at = end;
	}
	p->lib.pcre2_match_data_free_8(h.data);
	return whole && !stopped(&h);
}

void log_pattern_lines(const struct log_pattern *p, struct sv text,
		       void (*hit)(void *arg, size_t line_at), void *arg)
{
	log_pattern_lines_until(p, text, NULL, hit, arg);
}

bool log_pattern_may_hit(const struct log_pattern *p, const uint64_t *bit, size_t bits)
{
	return grams_may_have(bit, bits, &p->literals);
}
