/* SPDX-License-Identifier: MIT */
/*
 * Statements of PostgreSQL.
 *
 * Its own parser knows best where a statement ends (sqlsplit_pgquery.c). It gives nothing at all when
 * one word of the text is wrong or newer than it is; then the scanner here cuts, and the server, not
 * we, says what is wrong. The scanner follows psql: a semicolon ends a statement outside parentheses
 * (CREATE RULE … DO (a; b)) and outside a body of CREATE FUNCTION … BEGIN ATOMIC … END, in which
 * every CASE has an END too. Bodies in dollar quotes are strings and need no rule.
 *
 * psql's own commands are not SQL, and the rows behind COPY … FROM STDIN are nobody's: a migration
 * with them would do half of what it says, so both are refused, before the text that follows is
 * taken for SQL.
 */
#include "core/db/sqlsplit_lex.h"

struct body {
	size_t paren;  /* open parentheses */
	size_t atomic; /* open BEGIN ATOMIC and CASE */
	struct sql_token last;
	bool copy; /* COPY between a table and the client */
};

static enum sql_kind kind_of(const struct sql_piece *p)
{
	static const struct sql_kind_row row[] = {
		{ "BEGIN", NULL, SQL_BEGIN },
		{ "START", "TRANSACTION", SQL_BEGIN },
		{ "COMMIT", "PREPARED", SQL_TWO_PHASE },
		{ "ROLLBACK", "PREPARED", SQL_TWO_PHASE },
		{ "PREPARE", "TRANSACTION", SQL_TWO_PHASE },
		{ "COMMIT", NULL, SQL_COMMIT },
		{ "END", NULL, SQL_COMMIT },
		{ "ROLLBACK", NULL, SQL_ROLLBACK },
		{ "ABORT", NULL, SQL_ROLLBACK },
		{ "SAVEPOINT", NULL, SQL_SAVEPOINT },
		{ "RELEASE", NULL, SQL_SAVEPOINT },
		{ "VACUUM", NULL, SQL_VACUUM },
	};
	enum sql_kind kind = sql_kind_find(p, row, sizeof(row) / sizeof(row[0]));

	return kind == SQL_ROLLBACK || kind == SQL_COMMIT ? sql_kind_of_end(p, kind) : kind;
}

/* CREATE [OR REPLACE] FUNCTION or PROCEDURE. */
static bool is_routine(const struct sql_piece *p)
{
	size_t i = 1;

	if (p->n < 2 || !sql_word_is(&p->head[0], "CREATE"))
		return false;
	if (p->n > 3 && sql_word_is(&p->head[1], "OR"))
		i = 3;
	return sql_word_is(&p->head[i], "FUNCTION") || sql_word_is(&p->head[i], "PROCEDURE");
}

static void body_add(struct body *b, const struct sql_piece *p, const struct sql_token *t)
{
	if (sql_mark_is(t, "("))
		b->paren++;
	else if (sql_mark_is(t, ")") && b->paren > 0)
		b->paren--;
	else if (sql_word_is(t, "ATOMIC") && sql_word_is(&b->last, "BEGIN") && b->atomic == 0 &&
		 is_routine(p))
		b->atomic = 1;
	else if (b->atomic > 0 && sql_word_is(t, "CASE"))
		b->atomic++;
	else if (b->atomic > 0 && sql_word_is(t, "END"))
		b->atomic--;
	if (b->paren == 0 && sql_word_is(&p->head[0], "COPY") &&
	    ((sql_word_is(t, "STDIN") && sql_word_is(&b->last, "FROM")) ||
	     (sql_word_is(t, "STDOUT") && sql_word_is(&b->last, "TO"))))
		b->copy = true;
	b->last = *t;
}

static int refuse_psql(const struct sql_lexer *l, const struct sql_token *t, struct err *e)
{
	const char *end = l->text.p + l->text.n, *p = t->text.p + 1;
	char word[32];

	while (p < end && (unsigned char)*p > ' ')
		p++;
	str_copy_sv(word, sizeof(word), sv_n(t->text.p, (size_t)(p - t->text.p)));
	err_set(e, ERR_INPUT, "line %d: command of psql in SQL text", t->line);
	err_detail(e, "%s", word);
	return err_hint(e, "write as SQL what it does, or leave it out: psql is not asked here");
}

static int refuse_copy(const struct sql_piece *p, struct err *e)
{
	err_set(e, ERR_INPUT, "line %d: COPY between a table and the client", p->line);
	err_detail(e, "a migration has no data beside its statements");
	return err_hint(e, "write INSERT (pg_dump --inserts does), or COPY with a file of the "
			   "server");
}

static int piece_end(struct sql_sink *s, struct sql_piece *p, struct body *b, struct err *e)
{
	if (b->copy)
		return refuse_copy(p, e);
	if (sql_sink_add(s, p, kind_of(p), e) != 0)
		return -1;
	*p = (struct sql_piece){ .n = 0 };
	*b = (struct body){ .paren = 0 };
	return 0;
}

static int scan(struct sql_lexer *l, struct sql_sink *s, struct err *e)
{
	struct sql_piece p = { .n = 0 };
	struct body b = { .paren = 0 };
	struct sql_token t;

	do {
		t = sql_token_next(l);
		if (t.kind == SQL_TOKEN_BAD)
			return sql_refuse_open(e, t.open, t.line);
		if (sql_mark_is(&t, "\\"))
			return refuse_psql(l, &t, e);
		if (t.kind == SQL_TOKEN_END ||
		    (t.kind == SQL_TOKEN_SEMICOLON && b.paren == 0 && b.atomic == 0)) {
			if (piece_end(s, &p, &b, e) != 0)
				return -1;
		} else {
			sql_piece_add(&p, &t);
			body_add(&b, &p, &t);
		}
	} while (t.kind != SQL_TOKEN_END);
	return 0;
}

/* The pieces of the parser, without the blanks and comments around them. */
static int take(struct sql_lexer l, const struct sql_span *span, size_t n, struct sql_sink *s,
		struct err *e)
{
	size_t base = l.at;

	for (size_t i = 0; i < n; i++) {
		size_t end = span[i].n == 0 ? l.text.n : base + span[i].from + span[i].n;
		struct sql_piece p = { .n = 0 };
		struct body b = { .paren = 0 };
		struct sql_token t;

		sql_lexer_advance(&l, base + span[i].from - l.at);
		for (;;) {
			struct sql_lexer before = l;

			t = sql_token_next(&l);
			if (t.kind == SQL_TOKEN_BAD)
				return sql_refuse_open(e, t.open, t.line);
			if (t.kind == SQL_TOKEN_END || l.at > end) {
				l = before;
				break;
			}
			sql_piece_add(&p, &t);
			body_add(&b, &p, &t);
		}
		while (p.n_token > 0 && p.to[-1] == ';')
			p.to--; /* of the last one, when its length is "the rest" */
		if (piece_end(s, &p, &b, e) != 0)
			return -1;
	}
	s->parsed = true;
	return 0;
}

/* Whether the parser should see the text at all: not what it would refuse anyway, and not what keeps
 * it busy for minutes. */
static bool suits_parser(struct sql_lexer l)
{
	struct sql_token t;

	if (l.text.n > SQL_PARSER_BYTES_MAX)
		return false;
	do {
		t = sql_token_next(&l);
		if (t.kind == SQL_TOKEN_BAD || sql_mark_is(&t, "\\"))
			return false;
	} while (t.kind != SQL_TOKEN_END);
	return l.deepest <= SQL_PARSER_COMMENTS_MAX;
}

int sqlsplit_postgres(struct sql_lexer *l, struct sql_sink *s, struct err *e)
{
	struct sql_span *span = NULL;
	size_t n;
	int rc;

	if (suits_parser(*l) &&
	    sql_parser_split(sv_n(l->text.p + l->at, l->text.n - l->at), &span, &n))
		rc = take(*l, span, n, s, e);
	else
		rc = scan(l, s, e);
	mem_free(span);
	return rc;
}
