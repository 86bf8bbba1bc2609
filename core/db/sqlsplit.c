/* SPDX-License-Identifier: MIT */
/*
 * A SQL file to statements.
 *
 * A lexer cuts the text into words, strings, quoted names, punctuation and semicolons; blanks and
 * comments are no tokens. A statement ends at a semicolon, except inside the body of CREATE
 * TRIGGER, whose inner statements have semicolons of their own. The body ends where a statement
 * would begin with the word END: the END of a CASE never follows a semicolon, so cases can be
 * nested to any depth without counting them. (END is not reserved in SQLite; counting BEGIN, CASE
 * and END would be misled by a column of that name, this rule is not.)
 *
 * What is accepted is a little more than SQLite accepts; what it makes of a statement is SQLite's
 * business. Only where a statement ends must be exactly the same, and the driver checks that.
 */
#include "core/db/sqlsplit.h"

#include <string.h>

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_TEXT, TOKEN_OTHER, TOKEN_SEMICOLON, TOKEN_BAD };

struct token {
	enum token_kind kind;
	struct sv text;
	int line;
	const char *open; /* BAD: what does not end */
};

struct lexer {
	struct sv text;
	size_t at;
	int line;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* As SQLite's: letters, digits, _, $ and every byte above ASCII. Numbers come out as words. */
static bool is_word(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
	       u == '_' || u == '$' || u >= 0x80;
}

static char peek(const struct lexer *l, size_t ahead)
{
	return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static void advance(struct lexer *l, size_t n)
{
	for (; n > 0; n--, l->at++)
		if (l->text.p[l->at] == '\n')
			l->line++;
}

/* Goes behind the next occurrence of needle; false when there is none. */
static bool skip_past(struct lexer *l, const char *needle, size_t n)
{
	const char *from = l->text.p + l->at;
	const char *hit = memmem(from, l->text.n - l->at, needle, n);

	if (hit == NULL)
		return false;
	advance(l, (size_t)(hit - from) + n);
	return true;
}

/* Skips blanks and comments. False when a block comment does not end. */
static bool skip_blanks(struct lexer *l)
{
	while (l->at < l->text.n) {
		if (is_blank(peek(l, 0))) {
			advance(l, 1);
		} else if (peek(l, 0) == '-' && peek(l, 1) == '-') {
			if (!skip_past(l, "\n", 1))
				l->at = l->text.n;
		} else if (peek(l, 0) == '/' && peek(l, 1) == '*') {
			size_t start = l->at;
			int line = l->line;

			advance(l, 2);
			if (!skip_past(l, "*/", 2)) {
				l->at = start;
				l->line = line;
				return false;
			}
		} else {
			break;
		}
	}
	return true;
}

/* 'it''s', "a""b", `a``b`, [a]: a doubled quote stands for itself, except in brackets. */
static bool skip_quoted(struct lexer *l, char quote)
{
	char close = quote == '[' ? ']' : quote;

	advance(l, 1);
	while (skip_past(l, &close, 1)) {
		if (close == ']' || peek(l, 0) != close)
			return true;
		advance(l, 1);
	}
	return false;
}

static size_t operator_length(const struct lexer *l)
{
	static const char *const two[] = { "||", "<=", ">=", "<>", "!=", "==", "<<", ">>", "->" };

	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
		if (peek(l, 0) == two[i][0] && peek(l, 1) == two[i][1])
			return two[i][0] == '-' && peek(l, 2) == '>' ? 3 : 2;
	return 1;
}

static struct token bad(const struct lexer *l, const char *open)
{
	return (struct token){ .kind = TOKEN_BAD, .line = l->line, .open = open };
}

static struct token token_next(struct lexer *l)
{
	struct token t = { .kind = TOKEN_OTHER };
	size_t start;
	char c;

	if (!skip_blanks(l))
		return bad(l, "comment");
	start = l->at;
	t.line = l->line;
	if (l->at == l->text.n) {
		t.kind = TOKEN_END;
		return t;
	}
	c = peek(l, 0);
	if (c == '\'' || c == '"' || c == '`' || c == '[') {
		struct lexer at_quote = *l;

		t.kind = TOKEN_TEXT;
		if (!skip_quoted(l, c))
			return bad(&at_quote, c == '\'' ? "string" : "quoted name");
	} else if (is_word(c)) {
		t.kind = TOKEN_WORD;
		while (l->at < l->text.n && is_word(peek(l, 0)))
			l->at++;
	} else {
		t.kind = c == ';' ? TOKEN_SEMICOLON : TOKEN_OTHER;
		l->at += operator_length(l);
	}
	t.text = sv_n(l->text.p + start, l->at - start);
	return t;
}

/* --- Statements -------------------------------------------------------------------------------- */

static bool word_is(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && t->text.n == strlen(word) &&
	       strncasecmp(t->text.p, word, t->text.n) == 0;
}

#define HEAD_WORDS 6 /* EXPLAIN QUERY PLAN CREATE TEMP TRIGGER */

/* The first words of the statement being read, and where its trigger body stands. */
struct head {
	struct token word[HEAD_WORDS];
	size_t n;              /* tokens seen, at most HEAD_WORDS kept */
	bool trigger;          /* CREATE TRIGGER */
	bool body;             /* behind its BEGIN */
	bool at_start;         /* in the body, where an inner statement may begin */
	bool ended;            /* the END of the body was read */
	const char *from, *to; /* of the statement's text */
	int line;
};

static bool is_trigger(const struct head *h)
{
	size_t i = 0;

	if (i < h->n && word_is(&h->word[i], "EXPLAIN")) {
		i++;
		if (i + 1 < h->n && word_is(&h->word[i], "QUERY"))
			i += 2;
	}
	if (i >= h->n || !word_is(&h->word[i], "CREATE"))
		return false;
	i++;
	if (i < h->n && (word_is(&h->word[i], "TEMP") || word_is(&h->word[i], "TEMPORARY")))
		i++;
	return i < h->n && word_is(&h->word[i], "TRIGGER");
}

static enum sql_kind statement_kind(const struct head *h)
{
	static const struct {
		const char *word;
		enum sql_kind kind;
	} first[] = {
		{ "BEGIN", SQL_BEGIN },         { "COMMIT", SQL_COMMIT },
		{ "END", SQL_COMMIT },          { "ROLLBACK", SQL_ROLLBACK },
		{ "SAVEPOINT", SQL_SAVEPOINT }, { "RELEASE", SQL_SAVEPOINT },
		{ "PRAGMA", SQL_PRAGMA },       { "ATTACH", SQL_ATTACH },
		{ "DETACH", SQL_ATTACH },       { "VACUUM", SQL_VACUUM },
	};

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		if (!word_is(&h->word[0], first[i].word))
			continue;
		if (first[i].kind == SQL_ROLLBACK)
			for (size_t w = 1; w < h->n && w < 3; w++)
				if (word_is(&h->word[w], "TO"))
					return SQL_SAVEPOINT;
		return first[i].kind;
	}
	return SQL_OTHER;
}

static void head_add(struct head *h, const struct token *t)
{
	if (h->n == 0 && h->from == NULL) {
		h->from = t->text.p;
		h->line = t->line;
	}
	h->to = t->text.p + t->text.n;
	if (h->n < HEAD_WORDS) {
		h->word[h->n++] = *t;
		h->trigger = is_trigger(h);
	}
	if (!h->trigger)
		return;
	if (h->body) {
		h->ended = h->at_start && word_is(t, "END");
		h->at_start = t->kind == TOKEN_SEMICOLON;
	} else if (word_is(t, "BEGIN")) {
		h->body = true;
	}
}

/* Whether a semicolon ends the statement (else it belongs to a trigger's body). */
static bool ends_here(const struct head *h)
{
	return !h->body || h->ended;
}

static int refuse(struct err *e, const char *what, int line)
{
	return err_set(e, ERR_INPUT, "line %d: %s does not end", line, what);
}

/* Reads one statement into *out. 1, 0 at the end of the text, -1. */
static int statement_next(struct lexer *l, struct sql_statement *out, struct err *e)
{
	struct head h = { .n = 0 };
	struct token t;

	for (;;) {
		t = token_next(l);
		if (t.kind == TOKEN_BAD)
			return refuse(e, t.open, t.line);
		if (t.kind == TOKEN_END)
			break;
		if (t.kind == TOKEN_SEMICOLON && ends_here(&h)) {
			if (h.from == NULL)
				continue; /* an empty statement */
			break;
		}
		head_add(&h, &t);
	}
	if (h.from == NULL)
		return 0;
	if (!ends_here(&h))
		return refuse(e, "trigger", h.line);
	*out = (struct sql_statement){
		.text = sv_n(h.from, (size_t)(h.to - h.from)),
		.kind = statement_kind(&h),
		.line = h.line,
	};
	return 1;
}

static struct lexer lexer_over(struct sv text)
{
	struct lexer l = { .text = text.p != NULL ? text : SV(""), .line = 1 };

	if (sv_starts(text, SV("\xEF\xBB\xBF")))
		l.at = 3; /* a byte order mark is no word */
	return l;
}

/* SQLite takes a NUL byte for the end of the text wherever it stands, so that the rest would be
 * dropped without a word. */
static int refuse_nul(struct sv text, struct err *e)
{
	const char *nul = text.n == 0 ? NULL : memchr(text.p, '\0', text.n);
	int line = 1;

	if (nul == NULL)
		return 0;
	for (const char *p = text.p; p < nul; p++)
		line += *p == '\n';
	return err_set(e, ERR_INPUT, "line %d: NUL byte in SQL text", line);
}

int sqlsplit(struct arena *a, const char *engine, struct sv text, struct sql_list *out,
	     struct err *e)
{
	struct lexer l = lexer_over(text);
	struct sql_statement *item = NULL, one;
	size_t n = 0, cap = 0;
	int got = 0;

	if (strcmp(engine, "sqlite") != 0)
		return err_set(e, ERR_UNSUPPORTED, "cannot split SQL of %s", engine);
	if (refuse_nul(text, e) != 0)
		return -1;
	while (n <= SQL_STATEMENTS_MAX && (got = statement_next(&l, &one, e)) == 1) {
		mem_grow(&item, &cap, n + 1, sizeof(item[0]));
		item[n++] = one;
	}
	if (got == 1) {
		err_set(e, ERR_LIMIT, "line %d: too many statements", one.line);
		err_detail(e, "more than %d", SQL_STATEMENTS_MAX);
		got = -1;
	}
	if (got == 0) {
		out->item = n == 0 ? NULL : arena_alloc(a, n * sizeof(item[0]));
		if (n > 0)
			memcpy(out->item, item, n * sizeof(item[0]));
		out->n = n;
	}
	mem_free(item);
	return got;
}

bool sql_is_empty(struct sv text)
{
	struct lexer l = lexer_over(text);
	struct token t;

	do {
		t = token_next(&l);
	} while (t.kind == TOKEN_SEMICOLON);
	return t.kind == TOKEN_END;
}

bool sql_same_but_comments(struct sv a, struct sv b)
{
	struct lexer la = lexer_over(a), lb = lexer_over(b);
	struct token ta, tb;

	do {
		ta = token_next(&la);
		tb = token_next(&lb);
		if (ta.kind != tb.kind || !sv_eq(ta.text, tb.text))
			return false;
	} while (ta.kind != TOKEN_END && ta.kind != TOKEN_BAD);
	return ta.kind == TOKEN_END || sv_eq(a, b);
}
