/* SPDX-License-Identifier: MIT */
/*
 * Statements of SQLite.
 *
 * A statement ends at a semicolon, except inside the body of CREATE TRIGGER, whose inner statements
 * have semicolons of their own. The body ends where a statement would begin with the word END: the
 * END of a CASE never follows a semicolon, so cases can be nested to any depth without counting
 * them. (END is not reserved in SQLite; counting BEGIN, CASE and END would be misled by a column of
 * that name, this rule is not.)
 *
 * What is accepted is a little more than SQLite accepts; what it makes of a statement is SQLite's
 * business. Only where a statement ends must be exactly the same, and the driver checks that.
 */
#include "core/db/sqlsplit_lex.h"

/* Where the body of a trigger stands. */
struct trigger {
	bool is;       /* CREATE TRIGGER */
	bool body;     /* behind its BEGIN */
	bool at_start; /* in the body, where an inner statement may begin */
	bool ended;    /* the END of the body was read */
};

static bool is_trigger(const struct sql_piece *p)
{
	size_t i = 0;

	if (i < p->n && sql_word_is(&p->head[i], "EXPLAIN")) {
		i++;
		if (i + 1 < p->n && sql_word_is(&p->head[i], "QUERY"))
			i += 2;
	}
	if (i >= p->n || !sql_word_is(&p->head[i], "CREATE"))
		return false;
	i++;
	if (i < p->n && (sql_word_is(&p->head[i], "TEMP") || sql_word_is(&p->head[i], "TEMPORARY")))
		i++;
	return i < p->n && sql_word_is(&p->head[i], "TRIGGER");
}

static enum sql_kind kind_of(const struct sql_piece *p)
{
	static const struct sql_kind_row row[] = {
		{ "BEGIN", NULL, SQL_BEGIN },         { "COMMIT", NULL, SQL_COMMIT },
		{ "END", NULL, SQL_COMMIT },          { "ROLLBACK", NULL, SQL_ROLLBACK },
		{ "SAVEPOINT", NULL, SQL_SAVEPOINT }, { "RELEASE", NULL, SQL_SAVEPOINT },
		{ "PRAGMA", NULL, SQL_PRAGMA },       { "ATTACH", NULL, SQL_ATTACH },
		{ "DETACH", NULL, SQL_ATTACH },       { "VACUUM", NULL, SQL_VACUUM },
	};
	enum sql_kind kind = sql_kind_find(p, row, sizeof(row) / sizeof(row[0]));

	return kind == SQL_ROLLBACK ? sql_kind_of_end(p, kind) : kind;
}

static void trigger_add(struct trigger *g, const struct sql_piece *p, const struct sql_token *t)
{
	if (p->n_token <= p->n)
		g->is = is_trigger(p);
	if (!g->is)
		return;
	if (g->body) {
		g->ended = g->at_start && sql_word_is(t, "END");
		g->at_start = t->kind == SQL_TOKEN_SEMICOLON;
	} else if (sql_word_is(t, "BEGIN")) {
		g->body = true;
	}
}

int sqlsplit_sqlite(struct sql_lexer *l, struct sql_sink *s, struct err *e)
{
	struct sql_piece p = { .n = 0 };
	struct trigger g = { .is = false };
	struct sql_token t;

	do {
		t = sql_token_next(l);
		if (t.kind == SQL_TOKEN_BAD)
			return sql_refuse_open(e, t.open, t.line);
		if (t.kind == SQL_TOKEN_END && g.body && !g.ended)
			return sql_refuse_open(e, "trigger", p.line);
		/* A semicolon of a trigger's body ends nothing. */
		if (t.kind == SQL_TOKEN_END ||
		    (t.kind == SQL_TOKEN_SEMICOLON && (!g.body || g.ended))) {
			if (sql_sink_add(s, &p, kind_of(&p), e) != 0)
				return -1;
			p = (struct sql_piece){ .n = 0 };
			g = (struct trigger){ .is = false };
		} else {
			sql_piece_add(&p, &t);
			trigger_add(&g, &p, &t);
		}
	} while (t.kind != SQL_TOKEN_END);
	return 0;
}
