/* SPDX-License-Identifier: MIT */
/*
 * A small reader of Python's surface: logical lines, tokens, literals.
 *
 * A logical line ends at a newline outside of brackets and strings. Every line is cut into tokens,
 * because only that way a string that looks like an assignment is not taken for one; only lines at
 * the indentation asked for are looked at further. The values are read by descent, at most
 * DEPTH_MAX deep.
 */
#include "core/migrate/pyscan.h"

#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 32

enum token_kind { T_NAME, T_NUMBER, T_STRING, T_PUNCT };

struct token {
	enum token_kind kind;
	struct sv text; /* of a string: what is between its quotes */
	bool raw;       /* a string without escapes */
	bool opaque;    /* an f-string or bytes: no text we know */
};

struct scan {
	struct arena *a;
	struct sv text;
	size_t at;
	int line;
	struct token *token; /* of the logical line */
	size_t n, cap;
	size_t indent;
	int first_line;
	struct err *e;
};

static int refuse(struct scan *s, int line, const char *what)
{
	err_set(s->e, ERR_INPUT, "line %d: %s", line, what);
	return err_hint(s->e, "make it a file that Python can read");
}

static char peek(const struct scan *s, size_t ahead)
{
	return s->at + ahead < s->text.n ? s->text.p[s->at + ahead] : '\0';
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct token *push(struct scan *s, enum token_kind kind, const char *from, size_t n)
{
	mem_grow(&s->token, &s->cap, s->n + 1, sizeof(*s->token));
	s->token[s->n] = (struct token){ .kind = kind, .text = sv_n(from, n) };
	return &s->token[s->n++];
}

/* ---- tokens ---- */

/* A string whose opening quote is at s->at. */
static int take_string(struct scan *s, struct sv prefix)
{
	char q = peek(s, 0);
	size_t quotes = peek(s, 1) == q && peek(s, 2) == q ? 3 : 1;
	int line = s->line;
	size_t from = s->at + quotes;
	struct token *t;

	s->at = from;
	while (s->at < s->text.n) {
		char c = s->text.p[s->at];

		if (c == '\\' && s->at + 1 < s->text.n) {
			s->line += s->text.p[s->at + 1] == '\n';
			s->at += 2;
			continue;
		}
		if (c == '\n' && quotes == 1)
			break;
		if (c == q && (quotes == 1 || (peek(s, 1) == q && peek(s, 2) == q))) {
			t = push(s, T_STRING, s->text.p + from, s->at - from);
			for (size_t i = 0; i < prefix.n; i++) {
				char p = (char)(prefix.p[i] | 0x20);

				t->raw = t->raw || p == 'r';
				t->opaque = t->opaque || p == 'f' || p == 'b';
			}
			s->at += quotes;
			return 0;
		}
		s->line += c == '\n';
		s->at++;
	}
	return refuse(s, line, "a string does not end");
}

static bool is_string_prefix(struct sv word)
{
	if (word.n == 0 || word.n > 2)
		return false;
	for (size_t i = 0; i < word.n; i++)
		if (strchr("rRbBuUfF", word.p[i]) == NULL)
			return false;
	return true;
}

static int take_word(struct scan *s)
{
	size_t from = s->at;
	struct sv word;

	while (is_name_byte(peek(s, 0)))
		s->at++;
	word = sv_n(s->text.p + from, s->at - from);
	if ((peek(s, 0) == '"' || peek(s, 0) == '\'') && is_string_prefix(word))
		return take_string(s, word);
	push(s, is_digit(word.p[0]) ? T_NUMBER : T_NAME, word.p, word.n);
	return 0;
}

static void skip_comment(struct scan *s)
{
	while (s->at < s->text.n && s->text.p[s->at] != '\n')
		s->at++;
}

/* Blank lines and comments, then the blanks before the next logical line. False at the end. */
static bool find_line(struct scan *s)
{
	for (;;) {
		s->indent = 0;
		while (peek(s, 0) == ' ' || peek(s, 0) == '\t' || peek(s, 0) == '\f') {
			s->indent += peek(s, 0) == '\t' ? 8 - s->indent % 8 : 1;
			s->at++;
		}
		if (peek(s, 0) == '#')
			skip_comment(s);
		if (s->at >= s->text.n)
			return false;
		if (s->text.p[s->at] != '\n')
			return true;
		s->at++;
		s->line++;
	}
}

/* One logical line to tokens. */
static int take_line(struct scan *s)
{
	int depth = 0;

	s->n = 0;
	s->first_line = s->line;
	while (s->at < s->text.n) {
		char c = s->text.p[s->at];

		if (c == '\n') {
			s->line++;
			s->at++;
			if (depth <= 0)
				return 0;
		} else if (c == '#') {
			skip_comment(s);
		} else if (c == '\\' && peek(s, 1) == '\n') {
			s->line++;
			s->at += 2;
		} else if (c == '"' || c == '\'') {
			if (take_string(s, sv_n(s->text.p, 0)) != 0)
				return -1;
		} else if (is_name_byte(c)) {
			if (take_word(s) != 0)
				return -1;
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
			s->at++;
		} else {
			depth += c == '(' || c == '[' || c == '{';
			depth -= c == ')' || c == ']' || c == '}';
			push(s, T_PUNCT, s->text.p + s->at++, 1);
		}
	}
	return depth > 0 ? refuse(s, s->first_line, "a bracket does not end") : 0;
}

/* ---- values ---- */

static bool is_punct(const struct scan *s, size_t i, char c)
{
	return i < s->n && s->token[i].kind == T_PUNCT && s->token[i].text.p[0] == c;
}

static void decode(struct strbuf *out, const struct token *t)
{
	static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";

	for (size_t i = 0; i < t->text.n; i++) {
		char c = t->text.p[i];
		const char *known;

		if (c != '\\' || t->raw || i + 1 == t->text.n) {
			strbuf_addc(out, c);
			continue;
		}
		c = t->text.p[++i];
		if (c == '\n')
			continue;
		known = c != '\0' ? strchr(from, c) : NULL;
		if (known == NULL)
			strbuf_addc(out, '\\');
		strbuf_addc(out, known != NULL ? to[known - from] : c);
	}
}

static size_t read_strings(struct scan *s, size_t i, struct py_value *out)
{
	struct strbuf b;
	bool opaque = false;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (; i < s->n && s->token[i].kind == T_STRING; i++) {
		opaque = opaque || s->token[i].opaque;
		decode(&b, &s->token[i]);
	}
	*out = (struct py_value){ .kind = opaque ? PY_OTHER : PY_STRING,
				  .text = arena_sv(s->a, strbuf_sv(&b)) };
	strbuf_clear(&b);
	return i;
}

/* Behind the bracket that closes the one at i, or the end. */
static size_t skip_brackets(const struct scan *s, size_t i)
{
	int depth = 0;

	for (; i < s->n; i++) {
		depth += is_punct(s, i, '(') || is_punct(s, i, '[') || is_punct(s, i, '{');
		depth -= is_punct(s, i, ')') || is_punct(s, i, ']') || is_punct(s, i, '}');
		if (depth <= 0)
			return i + 1;
	}
	return i;
}

/* Up to a comma or a closing bracket of this depth. */
static size_t skip_rest(const struct scan *s, size_t i)
{
	while (i < s->n && !is_punct(s, i, ',') && !is_punct(s, i, ')') && !is_punct(s, i, ']') &&
	       !is_punct(s, i, '}')) {
		if (is_punct(s, i, '(') || is_punct(s, i, '[') || is_punct(s, i, '{'))
			i = skip_brackets(s, i);
		else
			i++;
	}
	return i;
}

static size_t read_value(struct scan *s, size_t i, int depth, struct py_value *out);

/* "name =" in front of an argument. */
static bool is_keyword(const struct scan *s, size_t i)
{
	return i + 1 < s->n && s->token[i].kind == T_NAME && is_punct(s, i + 1, '=') &&
	       !is_punct(s, i + 2, '=');
}

/* Items from behind the bracket at i - 1 to its end. *comma: was there one? Sets kind PY_OTHER on
 * what is no list (a dict, a comprehension shows as PY_OTHER items). */
static size_t read_items(struct scan *s, size_t i, int depth, struct py_value *out, bool *comma)
{
	struct py_value *list = NULL;
	size_t cap = 0;

	while (i < s->n && !is_punct(s, i, ')') && !is_punct(s, i, ']') && !is_punct(s, i, '}')) {
		struct py_value v;

		if (is_keyword(s, i)) {
			i = skip_rest(s, i);
		} else {
			i = read_value(s, i, depth + 1, &v);
			mem_grow(&list, &cap, out->n + 1, sizeof(*list));
			list[out->n++] = v;
		}
		if (is_punct(s, i, ',')) {
			*comma = true;
			i++;
		}
	}
	if (out->n > 0) {
		out->item = arena_alloc(s->a, out->n * sizeof(*list));
		memcpy(out->item, list, out->n * sizeof(*list));
	}
	mem_free(list);
	return i < s->n ? i + 1 : i;
}

static size_t read_bracket(struct scan *s, size_t i, int depth, struct py_value *out)
{
	bool round = is_punct(s, i, '('), comma = false;

	if (depth >= DEPTH_MAX)
		return skip_brackets(s, i);
	out->kind = PY_LIST;
	i = read_items(s, i + 1, depth, out, &comma);
	if (round && out->n == 1 && !comma) {
		struct py_value inner = out->item[0]; /* ("x") is "x" */

		*out = inner;
	}
	return i;
}

/* A dotted name, a constant, or a call. */
static size_t read_name(struct scan *s, size_t i, int depth, struct py_value *out)
{
	const struct token *t = &s->token[i];
	struct strbuf b;
	bool comma;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_addsv(&b, t->text);
	i++;
	while (is_punct(s, i, '.') && i + 1 < s->n && s->token[i + 1].kind == T_NAME) {
		strbuf_addc(&b, '.');
		strbuf_addsv(&b, s->token[i + 1].text);
		i += 2;
	}
	out->text = arena_sv(s->a, strbuf_sv(&b));
	strbuf_clear(&b);
	out->kind = sv_eq(out->text, SV("None"))    ? PY_NONE
		    : sv_eq(out->text, SV("True"))  ? PY_TRUE
		    : sv_eq(out->text, SV("False")) ? PY_FALSE
						    : PY_NAME;
	if (is_punct(s, i, '(')) {
		if (depth >= DEPTH_MAX) {
			out->kind = PY_OTHER;
			return skip_brackets(s, i);
		}
		out->kind = PY_CALL;
		i = read_items(s, i + 1, depth, out, &comma);
	}
	return i;
}

/* One value from token i; returns the token behind it. */
static size_t read_value(struct scan *s, size_t i, int depth, struct py_value *out)
{
	*out = (struct py_value){ .kind = PY_OTHER };
	if (i >= s->n)
		return i;
	if (s->token[i].kind == T_STRING)
		i = read_strings(s, i, out);
	else if (s->token[i].kind == T_NAME)
		i = read_name(s, i, depth, out);
	else if (is_punct(s, i, '(') || is_punct(s, i, '[') || is_punct(s, i, '{'))
		i = read_bracket(s, i, depth, out);
	/* Anything behind it makes another value of it: a sum, an index, a condition. */
	if (i < s->n && !is_punct(s, i, ',') && !is_punct(s, i, ')') && !is_punct(s, i, ']') &&
	    !is_punct(s, i, '}')) {
		out->kind = PY_OTHER;
		i = skip_rest(s, i);
	}
	return i;
}

/* ---- statements ---- */

/* Where the value of `name = …` or `name: type = …` begins; 0 when the line is neither. */
static size_t value_at(const struct scan *s)
{
	size_t i = 1;

	if (s->n < 3 || s->token[0].kind != T_NAME)
		return 0;
	if (is_punct(s, i, ':'))
		for (i++; i < s->n && !is_punct(s, i, '=');)
			i = is_punct(s, i, '[') || is_punct(s, i, '(') ? skip_brackets(s, i)
								       : i + 1;
	return is_punct(s, i, '=') && !is_punct(s, i + 1, '=') ? i + 1 : 0;
}

static void take_assign(struct scan *s, struct py_module *m, size_t *cap, struct py_assign **list)
{
	struct py_assign as = { .line = s->first_line };
	size_t i = value_at(s), end;

	if (i == 0)
		return;
	as.name = s->token[0].text;
	end = read_value(s, i, 0, &as.value);
	if (is_punct(s, end, ',')) { /* a tuple without brackets */
		bool comma;

		as.value = (struct py_value){ .kind = PY_LIST };
		end = read_items(s, i, 0, &as.value, &comma);
	}
	if (end < s->n)
		as.value.kind = PY_OTHER;
	mem_grow(list, cap, m->n + 1, sizeof(**list));
	(*list)[m->n++] = as;
}

static bool opens_class(const struct scan *s, const char *name)
{
	return s->n >= 2 && s->token[0].kind == T_NAME && sv_eq(s->token[0].text, SV("class")) &&
	       (strcmp(name, "*") == 0 || sv_eq_str(s->token[1].text, name));
}

int py_scan(struct arena *a, struct sv text, const char *class_name, struct py_module *out,
	    struct err *e)
{
	struct scan s = { .a = a, .text = text, .line = 1, .e = e };
	struct py_module m = { 0 };
	struct py_assign *list = NULL;
	size_t cap = 0, body = 0;
	bool inside = class_name == NULL, first = true;
	int rc = -1;

	while (find_line(&s)) {
		if (take_line(&s) != 0)
			goto out;
		if (first && s.n == 1 && s.token[0].kind == T_STRING && s.indent == 0)
			m.doc = s.token[0].text;
		first = false;
		if (class_name != NULL && s.indent == 0) {
			inside = opens_class(&s, class_name);
			m.has_class = m.has_class || inside;
			body = 0;
			continue;
		}
		if (class_name != NULL && body == 0)
			body = s.indent; /* that of the first line of the body */
		if (inside && s.indent == body)
			take_assign(&s, &m, &cap, &list);
	}
	m.list = arena_alloc(a, (m.n + 1) * sizeof(*list));
	if (m.n > 0)
		memcpy(m.list, list, m.n * sizeof(*list));
	*out = m;
	rc = 0;
out:
	mem_free(list);
	mem_free(s.token);
	return rc;
}

const struct py_value *py_get(const struct py_module *m, const char *name)
{
	for (size_t i = m->n; i-- > 0;)
		if (sv_eq_str(m->list[i].name, name))
			return &m->list[i].value;
	return NULL;
}
