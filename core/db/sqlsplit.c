/* SPDX-License-Identifier: MIT */
/* What the splitters of all engines share: the table of them, limits, and the list they fill. */
#include "core/db/sqlsplit.h"

#include "core/db/sqlsplit_lex.h"

#include <string.h>

void sql_piece_add(struct sql_piece *p, const struct sql_token *t)
{
	if (p->from == NULL) {
		p->from = t->text.p;
		p->line = t->line;
	}
	p->to = t->text.p + t->text.n;
	if (t->kind == SQL_TOKEN_MARK)
		return;
	p->n_token++;
	if (p->n < SQL_HEAD_WORDS)
		p->head[p->n++] = *t;
}

int sql_sink_add(struct sql_sink *s, const struct sql_piece *p, enum sql_kind kind, struct err *e)
{
	if (p->n_token == 0)
		return 0; /* an empty statement */
	if (s->n == SQL_STATEMENTS_MAX) {
		err_set(e, ERR_LIMIT, "line %d: too many statements", p->line);
		return err_detail(e, "more than %d", SQL_STATEMENTS_MAX);
	}
	mem_grow(&s->item, &s->cap, s->n + 1, sizeof(s->item[0]));
	s->item[s->n++] = (struct sql_statement){
		.text = sv_n(p->from, (size_t)(p->to - p->from)),
		.kind = kind,
		.line = p->line,
	};
	return 0;
}

int sql_refuse_open(struct err *e, const char *what, int line)
{
	return err_set(e, ERR_INPUT, "line %d: %s does not end", line, what);
}

enum sql_kind sql_kind_find(const struct sql_piece *p, const struct sql_kind_row *row, size_t n)
{
	for (size_t i = 0; p->n > 0 && i < n; i++)
		if (sql_word_is(&p->head[0], row[i].word) &&
		    (row[i].next == NULL || (p->n > 1 && sql_word_is(&p->head[1], row[i].next))))
			return row[i].kind;
	return SQL_OTHER;
}

enum sql_kind sql_kind_of_end(const struct sql_piece *p, enum sql_kind kind)
{
	for (size_t i = 1; i < p->n; i++) {
		bool no = sql_word_is(&p->head[i - 1], "NO");

		if (i < 3 && sql_word_is(&p->head[i], "TO"))
			return SQL_SAVEPOINT;
		if (!no &&
		    (sql_word_is(&p->head[i], "CHAIN") || sql_word_is(&p->head[i], "RELEASE")))
			return SQL_CHAIN;
	}
	return kind;
}

static const struct {
	const char *engine;
	int (*split)(struct sql_lexer *l, struct sql_sink *s, struct err *e);
} splitter[] = {
	{ "sqlite", sqlsplit_sqlite },
	{ "postgresql", sqlsplit_postgres },
	{ "mariadb", sqlsplit_mariadb },
};

/* SQLite takes a NUL byte for the end of the text wherever it stands, so that the rest would be
 * dropped without a word; so would the protocol and the parser of PostgreSQL. */
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
	struct sql_sink s = { .n = 0 };
	struct sql_lexer l;
	size_t i = 0, n_splitter = sizeof(splitter) / sizeof(splitter[0]);
	int rc;

	while (i < n_splitter && strcmp(engine, splitter[i].engine) != 0)
		i++;
	if (i == n_splitter)
		return err_set(e, ERR_UNSUPPORTED, "cannot split SQL of %s", engine);
	if (refuse_nul(text, e) != 0)
		return -1;
	l = sql_lexer_over(sql_dialect_of(engine), text);
	rc = splitter[i].split(&l, &s, e);
	if (rc == 0) {
		out->item = s.n == 0 ? NULL : arena_alloc(a, s.n * sizeof(s.item[0]));
		if (s.n > 0)
			memcpy(out->item, s.item, s.n * sizeof(s.item[0]));
		out->n = s.n;
		out->parsed = s.parsed;
	}
	mem_free(s.item);
	return rc;
}

bool sql_is_empty_for(const char *engine, struct sv text)
{
	const struct sql_dialect *dialect = sql_dialect_of(engine);
	struct sql_lexer l = sql_lexer_over(dialect ? dialect : sql_dialect_of("sqlite"), text);
	struct sql_token t;

	do {
		t = sql_token_next(&l);
	} while (t.kind == SQL_TOKEN_SEMICOLON || t.kind == SQL_TOKEN_MARK);
	return t.kind == SQL_TOKEN_END;
}

bool sql_is_empty(struct sv text)
{
	return sql_is_empty_for("sqlite", text);
}

bool sql_same_but_comments(struct sv a, struct sv b)
{
	const struct sql_dialect *dialect = sql_dialect_of("sqlite");
	struct sql_lexer la = sql_lexer_over(dialect, a), lb = sql_lexer_over(dialect, b);
	struct sql_token ta, tb;

	do {
		ta = sql_token_next(&la);
		tb = sql_token_next(&lb);
		if (ta.kind != tb.kind || !sv_eq(ta.text, tb.text))
			return false;
	} while (ta.kind != SQL_TOKEN_END && ta.kind != SQL_TOKEN_BAD);
	return ta.kind == SQL_TOKEN_END || sv_eq(a, b);
}
