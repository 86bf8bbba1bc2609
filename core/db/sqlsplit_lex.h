/* SPDX-License-Identifier: MIT */
/*
 * SQL text to tokens, by the rules of one engine. Shared by the splitters and by sqlstatement.c;
 * nobody else includes it.
 *
 * Blanks and comments are no tokens. MariaDB's executable comments are code: their brackets are
 * tokens of kind MARK, what is between them is read like any other text.
 */
#ifndef DB_SQLSPLIT_LEX_H
#define DB_SQLSPLIT_LEX_H

#include "core/db/sqlsplit.h"

enum sql_token_kind {
	SQL_TOKEN_END,
	SQL_TOKEN_WORD,      /* keywords, bare names, numbers */
	SQL_TOKEN_STRING,    /* with its quotes, all kinds of strings */
	SQL_TOKEN_NAME,      /* a quoted name, with its quotes */
	SQL_TOKEN_OTHER,     /* punctuation and operators; also a ; that ends no statement */
	SQL_TOKEN_SEMICOLON, /* the delimiter of statements */
	SQL_TOKEN_MARK,      /* the start or end of an executable comment */
	SQL_TOKEN_BAD,       /* open says what does not end */
};

struct sql_token {
	enum sql_token_kind kind;
	struct sv text;
	int line;
	const char *open;
};

struct sql_dialect {
	const char *strings; /* quotes of strings */
	const char *names;   /* quotes of names; [ stands for [] */
	bool vertical;       /* a vertical tab is a blank */
	bool nested;         /* comments contain comments */
	bool hash;           /* # begins a comment */
	bool dash_blank;     /* -- needs a blank behind it */
	bool cr;             /* a carriage return ends a -- comment too */
	bool backslash;      /* escapes in every string */
	bool code;           /* executable comments */
	bool dollar;         /* dollar quotes and E'' strings */
};

struct sql_lexer {
	const struct sql_dialect *dialect;
	struct sv text;
	size_t at;
	int line;
	struct sv delimiter;
	bool in_code; /* behind the start of an executable comment, which was on code_line */
	int code_line;
	size_t deepest; /* most comments inside of comments so far */
};

/* Dialect of an engine, NULL when it is not known. */
const struct sql_dialect *sql_dialect_of(const char *engine);
/* Over text, behind its byte order mark, with ; as delimiter. */
struct sql_lexer sql_lexer_over(const struct sql_dialect *dialect, struct sv text);
/* Reads the next token; END again and again at the end. */
struct sql_token sql_token_next(struct sql_lexer *l);
/* Goes forward n bytes and counts their lines. */
void sql_lexer_advance(struct sql_lexer *l, size_t n);
/* Whether the token is this bare word, in any case. */
bool sql_word_is(const struct sql_token *t, const char *word);
/* Whether the token is this punctuation, delimiter or not. */
bool sql_mark_is(const struct sql_token *t, const char *mark);
/* Bytes that words are made of. */
bool sql_is_word_byte(char c);

/* --- Statements ------------------------------------------------------------------------------ */

#define SQL_HEAD_WORDS 8

/* A statement being read: where it lies in the text, and its first tokens. */
struct sql_piece {
	const char *from, *to;
	int line;
	struct sql_token head[SQL_HEAD_WORDS]; /* without MARKs */
	size_t n;                              /* of head */
	size_t n_token;                        /* of all, without MARKs */
};

struct sql_sink {
	struct sql_statement *item;
	size_t n, cap;
	bool parsed;
};

void sql_piece_add(struct sql_piece *p, const struct sql_token *t);
/* Appends what was read; nothing when no token but MARKs was. ERR_LIMIT past SQL_STATEMENTS_MAX. */
int sql_sink_add(struct sql_sink *s, const struct sql_piece *p, enum sql_kind kind,
		 struct err *e) MUST_CHECK;
/* "line 3: string does not end". Returns -1. */
int sql_refuse_open(struct err *e, const char *what, int line);

/* One word and the kind of the statements that it begins. */
struct sql_kind_row {
	const char *word, *next; /* next: the word behind it, NULL for any */
	enum sql_kind kind;
};

/* The first row that fits; SQL_OTHER without one. */
enum sql_kind sql_kind_find(const struct sql_piece *p, const struct sql_kind_row *row, size_t n);
/* What COMMIT or ROLLBACK becomes by the words behind it: SQL_CHAIN, SQL_SAVEPOINT or kind. */
enum sql_kind sql_kind_of_end(const struct sql_piece *p, enum sql_kind kind);

int sqlsplit_sqlite(struct sql_lexer *l, struct sql_sink *s, struct err *e) MUST_CHECK;
int sqlsplit_postgres(struct sql_lexer *l, struct sql_sink *s, struct err *e) MUST_CHECK;
int sqlsplit_mariadb(struct sql_lexer *l, struct sql_sink *s, struct err *e) MUST_CHECK;

/* --- PostgreSQL's own parser ------------------------------------------------------------------- */

#define SQL_PARSER_BYTES_MAX ((size_t)4 << 20) /* larger texts are left to the scanner */
#define SQL_PARSER_COMMENTS_MAX 32             /* nested; its time grows with the square of them */

struct sql_span {
	size_t from, n; /* n 0: up to the end of the text */
};

/* The statements of text as PostgreSQL's parser sees them, on the heap. False when there is no
 * parser, when it refuses the text, or when the text is too large. Any thread. */
bool sql_parser_split(struct sv text, struct sql_span **out, size_t *n);

#endif
