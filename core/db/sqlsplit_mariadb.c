/* SPDX-License-Identifier: MIT */
/*
 * Statements of MariaDB.
 *
 * Files are written for its client, so DELIMITER lines are obeyed as the client does: they are not
 * sent, and with another delimiter a statement is what lies between two of them. Files for other
 * tools have no DELIMITER and semicolons inside of CREATE PROCEDURE; while the delimiter is the
 * semicolon, the blocks of such a body are followed (struct body).
 *
 * Words that open a block (IF, CASE, LOOP, REPEAT, WHILE, FOR, BEGIN) are also functions, parts of
 * other statements and, some, names of columns. They open one only where a statement may begin:
 * behind ; BEGIN THEN ELSE DO LOOP REPEAT, a label, the head of a routine and HANDLER FOR. END closes
 * one only there, too, since END of a CASE expression never follows a semicolon. What is counted are
 * the CASE expressions of one statement, whose THEN and ELSE begin no statement.
 *
 * The semicolon in an executable comment ends nothing; MariaDB would see half a comment.
 */
#include "core/db/sqlsplit_lex.h"

#include <string.h>
#include <strings.h>

#define BLOCK_DEPTH_MAX 100
#define DELIMITER_BYTES_MAX 16

enum block {
	BLOCK_BEGIN,
	BLOCK_IF,
	BLOCK_CASE,
	BLOCK_LOOP,
	BLOCK_REPEAT,
	BLOCK_WHILE,
	BLOCK_PACKAGE
};
enum routine {
	ROUTINE_NONE,
	ROUTINE_PROCEDURE,
	ROUTINE_FUNCTION,
	ROUTINE_TRIGGER,
	ROUTINE_EVENT,
	ROUTINE_PACKAGE,
	ROUTINE_OTHER
};

struct body {
	enum routine routine;
	bool create; /* the statement began with CREATE or ALTER, and what it makes is not known yet */
	bool inside;    /* the head is over */
	bool at_start;  /* a statement may begin here */
	bool was_start; /* the last token stood at one */
	bool params;    /* the parameters of the routine were read */
	bool returns;   /* RETURNS: not the dialect of Oracle */
	bool declares;  /* AS or IS of that dialect: declarations until BEGIN */
	bool handler;   /* behind DECLARE … HANDLER FOR */
	bool until;     /* behind UNTIL */
	bool member;    /* a routine of a package begins */
	bool too_deep;
	size_t words; /* tokens since the kind of routine was known */
	size_t paren, cases, depth;
	enum block block[BLOCK_DEPTH_MAX];
	struct sql_token last;
};

static bool is_one_of(const struct sql_token *t, const char *const *word)
{
	for (; *word != NULL; word++)
		if (sql_word_is(t, *word))
			return true;
	return false;
}

static void block_open(struct body *b, enum block block)
{
	if (b->depth == BLOCK_DEPTH_MAX)
		b->too_deep = true;
	else
		b->block[b->depth++] = block;
}

static bool block_is(const struct body *b, enum block block)
{
	return b->depth > 0 && b->block[b->depth - 1] == block;
}

/* --- The head of a routine --------------------------------------------------------------------- */

static void body_begins(struct body *b)
{
	b->inside = true;
	b->at_start = true;
}

/* CREATE … PROCEDURE: which word says what is made. */
static void find_routine(struct body *b, const struct sql_token *t)
{
	static const char *const other[] = { "TABLE",  "VIEW",       "INDEX",  "USER",
					     "ROLE",   "DATABASE",   "SCHEMA", "SEQUENCE",
					     "SERVER", "TABLESPACE", "AS",     NULL };
	static const struct {
		const char *word;
		enum routine routine;
	} row[] = {
		{ "PROCEDURE", ROUTINE_PROCEDURE }, { "FUNCTION", ROUTINE_FUNCTION },
		{ "TRIGGER", ROUTINE_TRIGGER },     { "EVENT", ROUTINE_EVENT },
		{ "PACKAGE", ROUTINE_PACKAGE },
	};

	if (sql_mark_is(&b->last, "=") || sql_mark_is(&b->last, "@"))
		return; /* in DEFINER = event@trigger */
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (sql_word_is(t, row[i].word))
			b->routine = row[i].routine;
	if (b->routine != ROUTINE_NONE || is_one_of(t, other))
		b->create = false;
}

/* Blocks outside of routines: BEGIN NOT ATOMIC, and IF, LOOP and their like on their own. */
static void find_block(struct body *b, const struct sql_piece *p, const struct sql_token *t)
{
	static const char *const open[] = { "IF", "CASE", "LOOP", "REPEAT", "WHILE", "FOR", NULL };

	if (p->n_token == 1 && (sql_word_is(t, "CREATE") || sql_word_is(t, "ALTER"))) {
		b->create = true;
	} else if (p->n_token == 1 && is_one_of(t, open)) {
		b->routine = ROUTINE_OTHER;
		body_begins(b);
	} else if (p->n_token == 2 && sql_mark_is(t, ":")) {
		b->routine = ROUTINE_OTHER;
		body_begins(b);
		b->was_start = true;
	} else if (p->n_token == 3 && sql_word_is(t, "ATOMIC") &&
		   sql_word_is(&p->head[0], "BEGIN") && sql_word_is(&p->head[1], "NOT")) {
		b->routine = ROUTINE_OTHER;
		body_begins(b);
		block_open(b, BLOCK_BEGIN);
	}
}

/* The word may begin the body of a procedure: it is none of its characteristics. */
static bool is_characteristic(const struct sql_token *t)
{
	static const char *const word[] = { "COMMENT", "LANGUAGE", "SQL",           "NOT",
					    "NO",      "CONTAINS", "DETERMINISTIC", "READS",
					    "DATA",    "MODIFIES", "SECURITY",      "DEFINER",
					    "INVOKER", NULL };

	return is_one_of(t, word);
}

/* AS or IS behind a head, as Oracle writes it: declarations follow, then BEGIN. */
static bool oracle_begins(struct body *b, const struct sql_token *t)
{
	if (b->paren > 0 || (!sql_word_is(t, "AS") && !sql_word_is(t, "IS")))
		return false;
	body_begins(b);
	if (b->routine == ROUTINE_PACKAGE)
		block_open(b, BLOCK_PACKAGE);
	else
		b->declares = true;
	return true;
}

/* A word of the head. True when it belongs to the body already. */
static bool head_word(struct body *b, const struct sql_token *t)
{
	static const char *const function[] = { "BEGIN",  "RETURN", "IF",  "CASE", "LOOP",
						"REPEAT", "WHILE",  "FOR", NULL };

	switch (b->routine) {
	case ROUTINE_TRIGGER:
		if (sql_word_is(t, "ROW") && sql_word_is(&b->last, "EACH"))
			body_begins(b);
		return false;
	case ROUTINE_EVENT:
		if (sql_word_is(t, "DO"))
			body_begins(b);
		return false;
	case ROUTINE_PACKAGE:
		oracle_begins(b, t);
		return false;
	case ROUTINE_PROCEDURE:
		if (oracle_begins(b, t) || !b->params || is_characteristic(t))
			return false;
		break;
	case ROUTINE_FUNCTION:
		b->returns |= sql_word_is(t, "RETURNS");
		if ((!b->returns && oracle_begins(b, t)) || !b->params || !b->returns ||
		    !is_one_of(t, function))
			return false;
		break;
	case ROUTINE_NONE:
	case ROUTINE_OTHER:
		return false;
	}
	body_begins(b);
	return true;
}

/* --- The body ---------------------------------------------------------------------------------- */

/* A word where a statement may begin. */
static void start_word(struct body *b, const struct sql_token *t)
{
	static const struct {
		const char *word;
		enum block block;
		bool starts; /* a statement may follow at once */
	} open[] = {
		{ "BEGIN", BLOCK_BEGIN, true },   { "IF", BLOCK_IF, false },
		{ "CASE", BLOCK_CASE, false },    { "LOOP", BLOCK_LOOP, true },
		{ "REPEAT", BLOCK_REPEAT, true }, { "WHILE", BLOCK_WHILE, false },
		{ "FOR", BLOCK_WHILE, false },
	};

	b->handler = false;
	if (sql_word_is(t, "BEGIN") && block_is(b, BLOCK_PACKAGE) && !b->declares) {
		b->at_start = true; /* what a package does first; END is the package's */
		return;
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		if (sql_word_is(t, open[i].word)) {
			block_open(b, open[i].block);
			b->at_start = open[i].starts;
			if (open[i].block == BLOCK_BEGIN)
				b->declares = false;
		}
	}
	if (sql_word_is(t, "END") && b->depth > 0)
		b->depth--;
	else if (sql_word_is(t, "ELSE"))
		b->at_start = true;
	else if (sql_word_is(t, "UNTIL"))
		b->until = true;
	else if (sql_word_is(t, "PROCEDURE") || sql_word_is(t, "FUNCTION"))
		b->member = block_is(b, BLOCK_PACKAGE);
	else if ((sql_word_is(t, "FOLLOWS") || sql_word_is(t, "PRECEDES")) && b->depth == 0)
		b->inside = false; /* of a trigger: its name is still to come */
}

/* A word in the middle of a statement. */
static void middle_word(struct body *b, const struct sql_token *t)
{
	bool ends = sql_word_is(&b->last, "END");

	if (sql_word_is(t, "CASE") && !ends)
		b->cases++;
	else if (sql_word_is(t, "END") && b->cases > 0)
		b->cases--;
	else if (sql_word_is(t, "THEN") || sql_word_is(t, "ELSE"))
		b->at_start = b->cases == 0;
	else if ((sql_word_is(t, "DO") || (sql_word_is(t, "LOOP") && !ends)) &&
		 block_is(b, BLOCK_WHILE))
		b->at_start = true;
	else if (sql_word_is(t, "FOR") && sql_word_is(&b->last, "HANDLER"))
		b->handler = true;
	else if (sql_word_is(t, "REPEAT") && ends && b->until && block_is(b, BLOCK_REPEAT))
		b->depth--;
	else if (b->member && b->paren == 0 && (sql_word_is(t, "AS") || sql_word_is(t, "IS"))) {
		b->member = false;
		b->declares = true;
		b->at_start = true;
	}
}

static void inside_add(struct body *b, const struct sql_token *t)
{
	static const char *const handled[] = { "BEGIN",  "IF",    "CASE", "LOOP",
					       "REPEAT", "WHILE", NULL };
	bool start = b->at_start, label = b->was_start;

	b->was_start = start;
	b->at_start = false;
	if (sql_mark_is(t, ";")) {
		b->cases = 0;
		b->handler = b->until = b->member = false;
		b->at_start = true;
	} else if ((sql_mark_is(t, ":") && label) || (sql_mark_is(t, ">>") && b->depth > 0)) {
		b->at_start = true;
	} else if (t->kind == SQL_TOKEN_WORD && !sql_mark_is(&b->last, ".") &&
		   !sql_mark_is(&b->last, "@")) {
		if (start || (b->handler && is_one_of(t, handled)))
			start_word(b, t);
		else
			middle_word(b, t);
	}
}

static void body_add(struct body *b, const struct sql_piece *p, const struct sql_token *t)
{
	if (t->kind == SQL_TOKEN_MARK)
		return;
	if (sql_mark_is(t, "("))
		b->paren++;
	else if (sql_mark_is(t, ")") && b->paren > 0)
		b->paren--;
	if (b->inside) {
		inside_add(b, t);
	} else if (b->create && t->kind == SQL_TOKEN_WORD) {
		find_routine(b, t);
	} else if (b->routine == ROUTINE_NONE) {
		find_block(b, p, t);
		if (b->inside && p->n_token == 1)
			inside_add(b, t);
	} else if (b->routine == ROUTINE_TRIGGER &&
		   (sql_word_is(&b->last, "FOLLOWS") || sql_word_is(&b->last, "PRECEDES"))) {
		body_begins(b);
	} else if (sql_mark_is(t, ")") && b->paren == 0) {
		b->params = true;
	} else if (t->kind != SQL_TOKEN_STRING && b->paren == 0 && head_word(b, t)) {
		inside_add(b, t);
	}
	b->last = *t;
}

static bool body_open(const struct body *b)
{
	return b->depth > 0 || b->declares;
}

/* --- DELIMITER --------------------------------------------------------------------------------- */

/* The rest of the line at l. */
static struct sv rest_of_line(const struct sql_lexer *l)
{
	const char *from = l->text.p + l->at;
	const char *end = memchr(from, '\n', l->text.n - l->at);

	return sv_trim(sv_n(from, end ? (size_t)(end - from) : l->text.n - l->at));
}

/* The first word of a DELIMITER line's argument, which may be quoted; *rest is what follows it. */
static struct sv delimiter_word(struct sv line, struct sv *rest)
{
	struct sv word = { line.p, 0 };
	char quote = line.n > 0 ? line.p[0] : '\0';
	const char *end = NULL;

	if ((quote == '\'' || quote == '"' || quote == '`') && line.n > 1)
		end = memchr(line.p + 1, quote, line.n - 1);
	if (end != NULL) {
		word = sv_n(line.p + 1, (size_t)(end - line.p) - 1);
		*rest = sv_n(end + 1, line.n - word.n - 2);
		return word;
	}
	while (word.n < line.n && (unsigned char)line.p[word.n] > ' ')
		word.n++;
	*rest = sv_n(line.p + word.n, line.n - word.n);
	return word;
}

static bool is_comment(struct sv s)
{
	return s.n == 0 || sv_starts(s, SV("#")) || sv_starts(s, SV("-- ")) || sv_eq_str(s, "--");
}

/* Behind the word DELIMITER, which began a statement. */
static int delimiter_set(struct sql_lexer *l, int line, struct err *e)
{
	struct sv rest, word = delimiter_word(rest_of_line(l), &rest);
	const char *why = NULL;

	if (word.n == 0)
		why = "DELIMITER without a delimiter";
	else if (word.n > DELIMITER_BYTES_MAX)
		why = "DELIMITER is too long";
	else if (memchr(word.p, '\\', word.n) != NULL)
		why = "DELIMITER with a backslash";
	else if (!is_comment(sv_trim(rest)))
		why = "text behind DELIMITER, which its line cannot hold";
	if (why != NULL) {
		err_set(e, ERR_INPUT, "line %d: %s", line, why);
		return err_hint(e, "write it on a line of its own, as DELIMITER //");
	}
	l->delimiter = word;
	while (l->at < l->text.n && l->text.p[l->at] != '\n')
		l->at++;
	return 0;
}

/* A line of DELIMITER and a mark, although the statement before it has no end: the client would take
 * it for a command all the same. A column of that name has a word behind it. */
static bool is_late_delimiter(const struct sql_lexer *l, const struct sql_token *t,
			      const struct body *b)
{
	const char *p = t->text.p;
	struct sv rest;

	if (!sql_word_is(t, "DELIMITER") || b->paren > 0)
		return false;
	rest = rest_of_line(l);
	if (rest.n == 0 || rest.n > DELIMITER_BYTES_MAX)
		return false;
	while (p > l->text.p && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	if (p > l->text.p && p[-1] != '\n')
		return false;
	for (size_t i = 0; i < rest.n; i++)
		if (strchr(";/$|&%!#~^", rest.p[i]) == NULL)
			return false;
	return true;
}

/* --- Statements -------------------------------------------------------------------------------- */

static enum sql_kind kind_of(const struct sql_piece *p)
{
	static const struct sql_kind_row row[] = {
		{ "BEGIN", "NOT", SQL_OTHER },
		{ "BEGIN", NULL, SQL_BEGIN },
		{ "START", "TRANSACTION", SQL_BEGIN },
		{ "COMMIT", NULL, SQL_COMMIT },
		{ "ROLLBACK", NULL, SQL_ROLLBACK },
		{ "SAVEPOINT", NULL, SQL_SAVEPOINT },
		{ "RELEASE", NULL, SQL_SAVEPOINT },
		{ "XA", NULL, SQL_TWO_PHASE },
		{ "LOCK", NULL, SQL_LOCK },
		{ "UNLOCK", NULL, SQL_LOCK },
		{ "USE", NULL, SQL_USE },
	};
	enum sql_kind kind = sql_kind_find(p, row, sizeof(row) / sizeof(row[0]));

	return kind == SQL_ROLLBACK || kind == SQL_COMMIT ? sql_kind_of_end(p, kind) : kind;
}

/* What only the middle of the statement says. */
static enum sql_kind kind_add(enum sql_kind kind, const struct sql_piece *p, const struct body *b,
			      const struct sql_token *t)
{
	if (sql_word_is(&p->head[0], "SET") && sql_word_is(t, "AUTOCOMMIT"))
		return SQL_AUTOCOMMIT;
	if (sql_word_is(&p->head[0], "FLUSH") && sql_word_is(t, "READ") &&
	    sql_word_is(&b->last, "WITH"))
		return SQL_LOCK;
	return kind;
}

static int refuse_body(const struct body *b, const struct sql_piece *p, struct err *e)
{
	if (b->too_deep) {
		err_set(e, ERR_LIMIT, "line %d: blocks are nested too deep", p->line);
		return err_detail(e, "more than %d", BLOCK_DEPTH_MAX);
	}
	sql_refuse_open(e, "body", p->line);
	return err_hint(e,
			"end the body with END, or put the statement between lines of DELIMITER");
}

struct reader {
	struct sql_piece p;
	struct body b;
	enum sql_kind kind;
	const char *solid; /* end of the last token that is no semicolon */
};

static int statement_end(struct reader *r, struct sql_sink *s, bool own_delimiter, struct err *e)
{
	if (!own_delimiter && (r->b.too_deep || body_open(&r->b)))
		return refuse_body(&r->b, &r->p, e);
	r->p.to = r->solid; /* END; // leaves a semicolon that the client cuts off too */
	if (r->solid != NULL &&
	    sql_sink_add(s, &r->p, r->kind != SQL_OTHER ? r->kind : kind_of(&r->p), e) != 0)
		return -1;
	*r = (struct reader){ .kind = SQL_OTHER };
	return 0;
}

static void statement_add(struct reader *r, const struct sql_token *t)
{
	if (sql_mark_is(t, ";") && r->p.from == NULL)
		return;
	sql_piece_add(&r->p, t);
	if (!sql_mark_is(t, ";"))
		r->solid = t->text.p + t->text.n;
	r->kind = kind_add(r->kind, &r->p, &r->b, t);
	body_add(&r->b, &r->p, t);
}

int sqlsplit_mariadb(struct sql_lexer *l, struct sql_sink *s, struct err *e)
{
	struct reader r = { .kind = SQL_OTHER };
	struct sql_token t;

	do {
		bool own = !sv_eq_str(l->delimiter, ";");

		t = sql_token_next(l);
		if (t.kind == SQL_TOKEN_BAD)
			return sql_refuse_open(e, t.open, t.line);
		if (r.p.from == NULL && sql_word_is(&t, "DELIMITER")) {
			if (delimiter_set(l, t.line, e) != 0)
				return -1;
		} else if (is_late_delimiter(l, &t, &r.b)) {
			err_set(e, ERR_INPUT, "line %d: DELIMITER inside of a statement", t.line);
			return err_hint(e, "end the statement of line %d with %.*s", r.p.line,
					(int)l->delimiter.n, l->delimiter.p);
		} else if (t.kind == SQL_TOKEN_END ||
			   (t.kind == SQL_TOKEN_SEMICOLON && (own || !body_open(&r.b)))) {
			if (statement_end(&r, s, own, e) != 0)
				return -1;
		} else {
			statement_add(&r, &t);
		}
	} while (t.kind != SQL_TOKEN_END);
	return 0;
}
