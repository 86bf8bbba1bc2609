/* SPDX-License-Identifier: MIT */
/*
 * The lexer of three dialects of SQL.
 *
 * They differ in what quotes are, which comments there are, and whether a backslash escapes; they
 * agree in everything else, so the differences are data (struct sql_dialect) and the loop is one.
 *
 * The delimiter is looked for before comments and words, byte by byte as MariaDB's client does it:
 * `END$$` is a word and a delimiter when the delimiter is $$, although $ may stand in words, and the
 * output of mysqlbinlog has a comment for a delimiter. Inside strings, names, comments and executable
 * comments there is no delimiter.
 *
 * Not known here: sql_mode (ANSI_QUOTES and NO_BACKSLASH_ESCAPES change what a string is) and
 * standard_conforming_strings = off. Both are off by default, and both are decided by the session.
 */
#include "core/db/sqlsplit_lex.h"

#include <string.h>
#include <strings.h>

static const struct sql_dialect dialect_sqlite = { .strings = "'", .names = "\"`[" };
static const struct sql_dialect dialect_postgres = {
	.strings = "'",
	.names = "\"",
	.nested = true,
	.cr = true,
	.dollar = true,
};
static const struct sql_dialect dialect_mariadb = {
	.strings = "'\"",
	.names = "`",
	.vertical = true,
	.hash = true,
	.dash_blank = true,
	.backslash = true,
	.code = true,
};

const struct sql_dialect *sql_dialect_of(const char *engine)
{
	static const struct {
		const char *engine;
		const struct sql_dialect *dialect;
	} row[] = {
		{ "sqlite", &dialect_sqlite },
		{ "postgresql", &dialect_postgres },
		{ "mariadb", &dialect_mariadb },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (strcmp(engine, row[i].engine) == 0)
			return row[i].dialect;
	return NULL;
}

struct sql_lexer sql_lexer_over(const struct sql_dialect *dialect, struct sv text)
{
	struct sql_lexer l = {
		.dialect = dialect,
		.text = text.p != NULL ? text : SV(""),
		.line = 1,
		.delimiter = SV(";"),
	};

	if (sv_starts(text, SV("\xEF\xBB\xBF")))
		l.at = 3; /* a byte order mark is no word */
	return l;
}

static bool is_blank(const struct sql_dialect *d, char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r' ||
	       (c == '\v' && d->vertical);
}

/* Letters, digits, _, $ and every byte above ASCII, in all three. Numbers come out as words. */
bool sql_is_word_byte(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
	       u == '_' || u == '$' || u >= 0x80;
}

static bool is_alnum(char c)
{
	return sql_is_word_byte(c) && c != '_' && c != '$';
}

static char peek(const struct sql_lexer *l, size_t ahead)
{
	return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

void sql_lexer_advance(struct sql_lexer *l, size_t n)
{
	for (; n > 0 && l->at < l->text.n; n--, l->at++)
		if (l->text.p[l->at] == '\n')
			l->line++;
}

/* Goes behind the next occurrence of needle; false when there is none. */
static bool skip_past(struct sql_lexer *l, const char *needle, size_t n)
{
	const char *from = l->text.p + l->at;
	const char *hit = memmem(from, l->text.n - l->at, needle, n);

	if (hit == NULL)
		return false;
	sql_lexer_advance(l, (size_t)(hit - from) + n);
	return true;
}

static bool at_delimiter(const struct sql_lexer *l)
{
	struct sv d = l->delimiter;

	if (l->in_code || l->text.n - l->at < d.n || memcmp(l->text.p + l->at, d.p, d.n) != 0)
		return false;
	/* One of letters is a whole word, or "go" would cut "gopher". */
	return !is_alnum(d.p[d.n - 1]) || !sql_is_word_byte(peek(l, d.n));
}

static bool at_line_comment(const struct sql_lexer *l)
{
	if (peek(l, 0) == '#')
		return l->dialect->hash;
	if (peek(l, 0) != '-' || peek(l, 1) != '-')
		return false;
	return !l->dialect->dash_blank || (unsigned char)peek(l, 2) <= ' ' || peek(l, 2) == 0x7f;
}

static void skip_line(struct sql_lexer *l)
{
	while (l->at < l->text.n && peek(l, 0) != '\n' && (peek(l, 0) != '\r' || !l->dialect->cr))
		l->at++;
}

/* Where an executable comment begins: its length up to the code, with its version. 0: it is none. */
static size_t code_open(const struct sql_lexer *l)
{
	size_t n = peek(l, 2) == 'M' ? 3 : 2;

	if (!l->dialect->code || peek(l, 0) != '/' || peek(l, 1) != '*' || peek(l, n) != '!')
		return 0;
	n++;
	for (size_t digits = 0; digits < 6 && peek(l, n) >= '0' && peek(l, n) <= '9'; digits++)
		n++;
	return n;
}

/* At a slash and star. False when the comment does not end. */
static bool skip_comment(struct sql_lexer *l)
{
	size_t depth = 1;

	sql_lexer_advance(l, 2);
	if (!l->dialect->nested)
		return skip_past(l, "*/", 2);
	while (l->at < l->text.n) {
		bool open = peek(l, 0) == '/' && peek(l, 1) == '*';

		if (open || (peek(l, 0) == '*' && peek(l, 1) == '/')) {
			depth = open ? depth + 1 : depth - 1;
			if (depth > l->deepest)
				l->deepest = depth;
			l->at += 2;
			if (depth == 0)
				return true;
		} else {
			sql_lexer_advance(l, 1);
		}
	}
	return false;
}

/* Skips blanks and comments, up to a delimiter. False when a block comment does not end. */
static bool skip_blanks(struct sql_lexer *l)
{
	while (l->at < l->text.n && !at_delimiter(l)) {
		if (is_blank(l->dialect, peek(l, 0))) {
			sql_lexer_advance(l, 1);
		} else if (at_line_comment(l)) {
			skip_line(l);
		} else if (peek(l, 0) == '/' && peek(l, 1) == '*' && code_open(l) == 0) {
			struct sql_lexer start = *l;

			if (!skip_comment(l)) {
				*l = start;
				return false;
			}
		} else {
			break;
		}
	}
	return true;
}

/* 'it''s', "a""b", `a``b`, [a]: a doubled quote stands for itself, except in brackets. */
static bool skip_quoted(struct sql_lexer *l, char quote, bool backslash)
{
	char close = quote == '[' ? ']' : quote;

	sql_lexer_advance(l, 1);
	while (l->at < l->text.n) {
		char c = peek(l, 0);

		sql_lexer_advance(l, c == '\\' && backslash ? 2 : 1);
		if (c != close)
			continue;
		if (close == ']' || peek(l, 0) != close)
			return true;
		sql_lexer_advance(l, 1);
	}
	return false;
}

/* E'…' at its quote. Strings with a line end between them are one, and the rest of it has escapes
 * as well although no E stands before it. */
static bool skip_escaped(struct sql_lexer *l)
{
	for (;;) {
		struct sql_lexer end;
		int line;

		if (!skip_quoted(l, '\'', true))
			return false;
		end = *l;
		line = l->line;
		while (is_blank(l->dialect, peek(l, 0)) || at_line_comment(l)) {
			if (is_blank(l->dialect, peek(l, 0)))
				sql_lexer_advance(l, 1);
			else
				skip_line(l);
		}
		if (l->line == line || peek(l, 0) != '\'') {
			*l = end;
			return true;
		}
	}
}

/* Length of the $tag$ here, 0 when it is none. */
static size_t dollar_tag(const struct sql_lexer *l)
{
	size_t n = 1;

	if (!l->dialect->dollar || peek(l, 0) != '$' || (peek(l, 1) >= '0' && peek(l, 1) <= '9'))
		return 0;
	while (peek(l, n) != '$' && sql_is_word_byte(peek(l, n)))
		n++;
	return peek(l, n) == '$' ? n + 1 : 0;
}

static size_t operator_length(const struct sql_lexer *l)
{
	static const char *const two[] = { "||", "<=", ">=", "<>", "!=", "==",
					   "<<", ">>", "->", ":=", "::" };

	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
		if (peek(l, 0) == two[i][0] && peek(l, 1) == two[i][1])
			return two[i][0] == '-' && peek(l, 2) == '>' ? 3 : 2;
	return 1;
}

static struct sql_token bad(const struct sql_lexer *l, const char *open)
{
	return (struct sql_token){ .kind = SQL_TOKEN_BAD, .line = l->line, .open = open };
}

static void skip_word(struct sql_lexer *l)
{
	bool inside = is_alnum(l->delimiter.p[0]); /* such a delimiter is a word of its own */

	while (l->at < l->text.n && sql_is_word_byte(peek(l, 0)) && (inside || !at_delimiter(l)))
		l->at++;
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* A delimiter, the end or the start of code: *n is its length. */
static enum sql_token_kind mark_kind(struct sql_lexer *l, size_t *n)
{
	if (at_delimiter(l)) {
		*n = l->delimiter.n;
		return SQL_TOKEN_SEMICOLON;
	}
	if (l->in_code && peek(l, 0) == '*' && peek(l, 1) == '/') {
		l->in_code = false;
		*n = 2;
		return SQL_TOKEN_MARK;
	}
	*n = code_open(l);
	if (*n == 0)
		return SQL_TOKEN_OTHER;
	l->in_code = true;
	l->code_line = l->line;
	return SQL_TOKEN_MARK;
}

/* Goes behind a token that is not a mark. NULL, or the name of what does not end. */
static const char *skip_token(struct sql_lexer *l, enum sql_token_kind *kind)
{
	char c = peek(l, 0);
	size_t n = dollar_tag(l);

	*kind = SQL_TOKEN_STRING;
	if (n > 0) {
		const char *tag = l->text.p + l->at;

		l->at += n;
		return skip_past(l, tag, n) ? NULL : "dollar quote";
	}
	if (l->dialect->dollar && (c == 'e' || c == 'E') && peek(l, 1) == '\'') {
		l->at++;
		return skip_escaped(l) ? NULL : "string";
	}
	if (is_one_of(c, l->dialect->strings))
		return skip_quoted(l, c, l->dialect->backslash) ? NULL : "string";
	if (is_one_of(c, l->dialect->names)) {
		*kind = SQL_TOKEN_NAME;
		return skip_quoted(l, c, false) ? NULL : "quoted name";
	}
	if (sql_is_word_byte(c)) {
		*kind = SQL_TOKEN_WORD;
		skip_word(l);
		return NULL;
	}
	*kind = SQL_TOKEN_OTHER;
	l->at += operator_length(l);
	return NULL;
}

struct sql_token sql_token_next(struct sql_lexer *l)
{
	struct sql_lexer start;
	struct sql_token t;
	size_t n;

	if (!skip_blanks(l))
		return bad(l, "comment");
	start = *l;
	t = (struct sql_token){ .line = l->line };
	if (l->at == l->text.n) {
		if (!l->in_code)
			return t;
		start.line = l->code_line;
		return bad(&start, "comment");
	}
	t.kind = mark_kind(l, &n);
	if (t.kind != SQL_TOKEN_OTHER) {
		sql_lexer_advance(l, n);
	} else {
		const char *open = skip_token(l, &t.kind);

		if (open != NULL)
			return bad(&start, open);
	}
	t.text = sv_n(l->text.p + start.at, l->at - start.at);
	return t;
}

bool sql_word_is(const struct sql_token *t, const char *word)
{
	return t->kind == SQL_TOKEN_WORD && t->text.n == strlen(word) &&
	       strncasecmp(t->text.p, word, t->text.n) == 0;
}

bool sql_mark_is(const struct sql_token *t, const char *mark)
{
	return (t->kind == SQL_TOKEN_OTHER || t->kind == SQL_TOKEN_SEMICOLON) &&
	       sv_eq_str(t->text, mark);
}
