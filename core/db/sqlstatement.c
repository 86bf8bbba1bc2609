/* SPDX-License-Identifier: MIT */
/*
 * What a statement is: the tokens, what is looked for in every statement, and PostgreSQL.
 *
 * Two readings: the first tokens are kept and read by rules per engine; all of them pass by the
 * search for what is ours (tables, locks), which also looks into bodies in dollar quotes. That search
 * is a guard rail for honest files: SQL that is put together at run time is not seen.
 */
#include "core/db/sqlstatement.h"

#include "core/db/sqlstatement_read.h"

#include <string.h>
#include <strings.h>

/* --- Steps ------------------------------------------------------------------------------------- */

bool sql_read_is(const struct sql_reader *r, size_t i, const char *word)
{
	return i < r->n && sql_word_is(&r->t[i], word);
}

bool sql_read_mark(const struct sql_reader *r, size_t i, const char *mark)
{
	return i < r->n && sql_mark_is(&r->t[i], mark);
}

size_t sql_read_find(const struct sql_reader *r, size_t i, const char *word)
{
	size_t depth = 0;

	for (; i < r->n; i++) {
		if (sql_mark_is(&r->t[i], "("))
			depth++;
		else if (sql_mark_is(&r->t[i], ")") && depth > 0)
			depth--;
		else if (depth == 0 && sql_word_is(&r->t[i], word))
			break;
	}
	return i;
}

bool sql_read_has(const struct sql_reader *r, size_t i, const char *word)
{
	while (i < r->n && !sql_word_is(&r->t[i], word))
		i++;
	return i < r->n;
}

bool sql_read_guard(const struct sql_reader *r, size_t *i)
{
	size_t at = *i;

	if (!sql_read_is(r, at++, "IF"))
		return false;
	if (sql_read_is(r, at, "NOT"))
		at++;
	if (!sql_read_is(r, at++, "EXISTS"))
		return false;
	*i = at;
	return true;
}

char *sql_read_unquote(const struct sql_reader *r, const struct sql_token *t)
{
	char *text = arena_strndup(r->arena, t->text.p, t->text.n), *to = text;
	char quote = text[0];

	if (t->kind == SQL_TOKEN_WORD) {
		for (; r->lower && *to != '\0'; to++)
			if (*to >= 'A' && *to <= 'Z')
				*to = (char)(*to - 'A' + 'a');
		return text;
	}
	for (size_t i = 1; i + 1 < t->text.n; i++) {
		*to++ = t->text.p[i];
		i += t->text.p[i] == quote; /* the second of two */
	}
	*to = '\0';
	return text;
}

/* A bare or quoted name; MariaDB may have quotes of strings around it. */
static bool is_name(const struct sql_reader *r, size_t i)
{
	return i < r->n && (r->t[i].kind == SQL_TOKEN_WORD || r->t[i].kind == SQL_TOKEN_NAME ||
			    (r->t[i].kind == SQL_TOKEN_STRING && r->t[i].text.p[0] == '"'));
}

/* Room for 1, 4, 16, 64: as a rule there is one, and there may be 200,000 statements. */
static void object_add(struct sql_reader *r, struct sql_object o)
{
	struct sql_facts *f = r->out;
	struct sql_object *more;
	size_t n = f->n_object;

	if (n == 0 || n == 1 || n == 4 || n == 16) {
		more = arena_alloc(r->arena, (n == 0 ? 1 : n * 4) * sizeof(*more));
		if (n > 0)
			memcpy(more, f->object, n * sizeof(*more));
		f->object = more;
	}
	f->object[f->n_object++] = o;
}

bool sql_read_object(struct sql_reader *r, size_t *i, enum sql_object_kind kind)
{
	struct sql_facts *f = r->out;
	struct sql_object o = { .kind = kind };

	if (!is_name(r, *i))
		return false;
	o.name = sql_read_unquote(r, &r->t[(*i)++]);
	if (sql_read_mark(r, *i, ".") && is_name(r, *i + 1)) {
		o.schema = o.name;
		o.name = sql_read_unquote(r, &r->t[*i + 1]);
		*i += 2;
	}
	if (f->n_object == SQL_OBJECTS_MAX) {
		r->cut = true;
		return true;
	}
	object_add(r, o);
	return true;
}

/* --- PostgreSQL -------------------------------------------------------------------------------- */

struct verb {
	const char *word;
	enum sql_class class;
};

static enum sql_class class_of(const struct sql_reader *r)
{
	static const struct verb verb[] = {
		{ "INSERT", SQL_CLASS_DML },    { "UPDATE", SQL_CLASS_DML },
		{ "DELETE", SQL_CLASS_DML },    { "MERGE", SQL_CLASS_DML },
		{ "SELECT", SQL_CLASS_DML },    { "WITH", SQL_CLASS_DML },
		{ "VALUES", SQL_CLASS_DML },    { "TABLE", SQL_CLASS_DML },
		{ "CREATE", SQL_CLASS_DDL },    { "ALTER", SQL_CLASS_DDL },
		{ "DROP", SQL_CLASS_DDL },      { "TRUNCATE", SQL_CLASS_DDL },
		{ "COMMENT", SQL_CLASS_DDL },   { "SET", SQL_CLASS_SESSION },
		{ "RESET", SQL_CLASS_SESSION }, { "DISCARD", SQL_CLASS_SESSION },
	};

	if (r->kind != SQL_OTHER && r->kind != SQL_VACUUM)
		return SQL_CLASS_CONTROL;
	for (size_t i = 0; i < sizeof(verb) / sizeof(verb[0]); i++)
		if (sql_read_is(r, 0, verb[i].word))
			return verb[i].class;
	return SQL_CLASS_OTHER;
}

/* CREATE [UNIQUE] INDEX CONCURRENTLY [[IF NOT EXISTS] name] ON [ONLY] table */
static void read_create_index(struct sql_reader *r, size_t i)
{
	r->out->flags |= SQL_ALONE | SQL_CREATE_INDEX_CONCURRENTLY;
	r->out->repeatable = sql_read_guard(r, &i);
	if (sql_read_is(r, i, "ON")) {
		struct sql_token nameless = { .kind = SQL_TOKEN_WORD, .text = SV("") };
		struct sql_token on = r->t[i];
		size_t at = i;

		r->t[i] = nameless;
		sql_read_object(r, &at, SQL_OBJECT_INDEX);
		r->t[i] = on;
	} else if (!sql_read_object(r, &i, SQL_OBJECT_INDEX)) {
		return;
	}
	if (!sql_read_is(r, i++, "ON"))
		return;
	if (sql_read_is(r, i, "ONLY"))
		i++;
	if (sql_read_object(r, &i, SQL_OBJECT_TABLE))
		r->out->object[0].schema = r->out->object[1].schema;
}

static void read_index(struct sql_reader *r)
{
	size_t unique = sql_read_is(r, 1, "UNIQUE") ? 1 : 0, i = 3;

	if (sql_read_is(r, 0, "CREATE") && sql_read_is(r, 1 + unique, "INDEX") &&
	    sql_read_is(r, 2 + unique, "CONCURRENTLY")) {
		read_create_index(r, 3 + unique);
	} else if (sql_read_is(r, 0, "DROP") && sql_read_is(r, 1, "INDEX") &&
		   sql_read_is(r, 2, "CONCURRENTLY")) {
		r->out->flags |= SQL_ALONE | SQL_DROP_INDEX_CONCURRENTLY;
		r->out->repeatable = sql_read_guard(r, &i);
		sql_read_object(r, &i, SQL_OBJECT_INDEX);
	}
}

/* What the server refuses in a transaction, but for CONCURRENTLY of an index. */
static bool stands_alone(const struct sql_reader *r)
{
	static const char *const pair[][2] = {
		{ "CREATE", "DATABASE" }, { "DROP", "DATABASE" },       { "CREATE", "TABLESPACE" },
		{ "DROP", "TABLESPACE" }, { "CREATE", "SUBSCRIPTION" }, { "DROP", "SUBSCRIPTION" },
		{ "ALTER", "SYSTEM" },    { "REINDEX", "DATABASE" },    { "REINDEX", "SCHEMA" },
		{ "REINDEX", "SYSTEM" },  { "DISCARD", "ALL" },
	};
	size_t i;

	for (i = 0; i < sizeof(pair) / sizeof(pair[0]); i++)
		if (sql_read_is(r, 0, pair[i][0]) && sql_read_is(r, 1, pair[i][1]))
			return true;
	if (sql_read_is(r, 0, "REINDEX") && sql_read_mark(r, 1, "(")) {
		for (i = 2; i < r->n && !sql_read_mark(r, i, ")");)
			i++;
		return sql_read_has(r, 1, "CONCURRENTLY") || sql_read_is(r, i + 1, "DATABASE") ||
		       sql_read_is(r, i + 1, "SCHEMA") || sql_read_is(r, i + 1, "SYSTEM");
	}
	if (sql_read_is(r, 0, "REINDEX"))
		return sql_read_is(r, 2, "CONCURRENTLY");
	if (sql_read_is(r, 0, "ALTER") && sql_read_is(r, 1, "TABLE")) {
		i = sql_read_find(r, 2, "DETACH");
		return sql_read_is(r, i + 1, "PARTITION") &&
		       sql_read_is(r, r->n - 1, "CONCURRENTLY");
	}
	if (sql_read_is(r, 0, "ALTER") && sql_read_is(r, 1, "DATABASE"))
		return sql_read_is(r, sql_read_find(r, 2, "SET") + 1, "TABLESPACE");
	if (sql_read_is(r, 0, "CLUSTER"))
		return r->n == 1 || (r->n == 2 && sql_read_is(r, 1, "VERBOSE")) ||
		       (sql_read_mark(r, 1, "(") && sql_read_mark(r, r->n - 1, ")"));
	return r->kind == SQL_VACUUM;
}

/* Role, search_path and all settings at once: what our own statements count on. */
static bool changes_session(const struct sql_reader *r)
{
	static const char *const name[] = { "ROLE", "AUTHORIZATION", "SEARCH_PATH", "SCHEMA" };
	size_t i = 1;

	if (sql_read_is(r, 0, "DISCARD"))
		return sql_read_is(r, 1, "ALL");
	if (!sql_read_is(r, 0, "SET") && !sql_read_is(r, 0, "RESET"))
		return false;
	if (sql_read_is(r, 0, "RESET") && sql_read_is(r, 1, "ALL"))
		return true;
	while (sql_read_is(r, i, "SESSION") || sql_read_is(r, i, "LOCAL"))
		i++;
	for (size_t k = 0; k < sizeof(name) / sizeof(name[0]); k++) {
		if (sql_read_is(r, i, name[k]))
			return true;
		if (i < r->n && r->t[i].kind == SQL_TOKEN_NAME &&
		    strcasecmp(sql_read_unquote(r, &r->t[i]), name[k]) == 0)
			return true;
	}
	return false;
}

void sql_read_postgres(struct sql_reader *r)
{
	struct sql_facts *f = r->out;

	f->class = class_of(r);
	read_index(r);
	if (stands_alone(r))
		f->flags |= SQL_ALONE;
	if (changes_session(r))
		f->flags |= SQL_SESSION;
	if (sql_read_is(r, 0, "DISCARD") && sql_read_is(r, 1, "ALL"))
		f->flags |= SQL_UNLOCKS;
	if (f->class == SQL_CLASS_SESSION)
		f->repeatable = true;
}

/* --- What is ours ------------------------------------------------------------------------------ */

struct search {
	const char *engine;
	unsigned flags;
	bool writes; /* a word that changes something was seen */
	struct sql_token last[3];
};

static bool text_is(const struct sql_token *t, const char *name)
{
	struct sv text = t->text;

	if (t->kind == SQL_TOKEN_NAME || t->kind == SQL_TOKEN_STRING)
		text = text.n < 2 ? SV("") : sv_n(text.p + 1, text.n - 2);
	return text.n == strlen(name) && strncasecmp(text.p, name, text.n) == 0;
}

static bool text_starts(const struct sql_token *t, const char *start)
{
	size_t quote = t->kind == SQL_TOKEN_WORD ? 0 : 1, n = strlen(start);

	return t->text.n >= quote + n && strncasecmp(t->text.p + quote, start, n) == 0;
}

/* last[0] is the token before t. */
static void search_postgres(struct search *s, const struct sql_token *t)
{
	static const char *const writing[] = { "INSERT", "UPDATE", "DELETE", "MERGE" };

	for (size_t i = 0; i < sizeof(writing) / sizeof(writing[0]); i++)
		s->writes |= sql_word_is(t, writing[i]);
	if (sql_mark_is(t, ".") && text_is(&s->last[0], "bascule") &&
	    !sql_mark_is(&s->last[1], "."))
		s->flags |= SQL_OURS;
	if (t->kind != SQL_TOKEN_STRING && text_is(t, "bascule") &&
	    (sql_word_is(&s->last[0], "SCHEMA") ||
	     (sql_word_is(&s->last[0], "EXISTS") &&
	      (sql_word_is(&s->last[2], "SCHEMA") || sql_word_is(&s->last[1], "NOT")))))
		s->flags |= SQL_OURS;
	if (sql_word_is(t, "PG_ADVISORY_UNLOCK_ALL"))
		s->flags |= SQL_UNLOCKS;
	if (t->kind == SQL_TOKEN_STRING && sql_mark_is(&s->last[0], "(") &&
	    sql_word_is(&s->last[1], "SET_CONFIG") &&
	    (text_is(t, "search_path") || text_is(t, "role")))
		s->flags |= SQL_SESSION;
}

static void search_mariadb(struct search *s, const struct sql_token *t)
{
	static const char *const writing[] = { "INSERT", "UPDATE", "DELETE", "REPLACE" };

	for (size_t i = 0; i < sizeof(writing) / sizeof(writing[0]); i++)
		s->writes |= sql_word_is(t, writing[i]);
	if ((t->kind == SQL_TOKEN_WORD || t->kind == SQL_TOKEN_NAME) && text_starts(t, "bascule_"))
		s->flags |= SQL_OURS;
	if (sql_word_is(t, "RELEASE_ALL_LOCKS"))
		s->flags |= SQL_UNLOCKS;
	if (t->kind == SQL_TOKEN_STRING && sql_mark_is(&s->last[0], "(") &&
	    sql_word_is(&s->last[1], "RELEASE_LOCK") && text_starts(t, "bascule"))
		s->flags |= SQL_UNLOCKS;
}

static void search_text(struct search *s, struct sv text, bool inner);

static void search_token(struct search *s, const struct sql_token *t, bool inner)
{
	bool dollar = t->kind == SQL_TOKEN_STRING && t->text.p[0] == '$';

	if (strcmp(s->engine, "postgresql") == 0)
		search_postgres(s, t);
	else
		search_mariadb(s, t);
	s->last[2] = s->last[1];
	s->last[1] = s->last[0];
	s->last[0] = *t;
	if (dollar && !inner) {
		const char *tag = memchr(t->text.p + 1, '$', t->text.n - 1);
		size_t n = (size_t)(tag - t->text.p) + 1;

		search_text(s, sv_n(t->text.p + n, t->text.n - 2 * n), true);
	}
}

/* inner: the body of a dollar quote; those inside of it are not looked into. */
static void search_text(struct search *s, struct sv text, bool inner)
{
	struct sql_lexer l = sql_lexer_over(sql_dialect_of(s->engine), text);
	struct sql_token t;

	for (;;) {
		t = sql_token_next(&l);
		if (t.kind == SQL_TOKEN_END || t.kind == SQL_TOKEN_BAD)
			return;
		if (t.kind != SQL_TOKEN_MARK)
			search_token(s, &t, inner);
	}
}

/* --- Reading ----------------------------------------------------------------------------------- */

static void tokens_keep(struct sql_reader *r, const char *engine, struct sv text)
{
	struct sql_lexer l = sql_lexer_over(sql_dialect_of(engine), text);
	size_t cap = 0;

	for (;;) {
		struct sql_token t = sql_token_next(&l);
		bool end = t.kind == SQL_TOKEN_END || t.kind == SQL_TOKEN_BAD;

		if (t.kind == SQL_TOKEN_MARK)
			continue;
		r->cut = !end && r->n == SQL_TOKENS_KEPT;
		mem_grow(&r->t, &cap, r->n + 1, sizeof(r->t[0]));
		r->t[r->n] = t;
		if (end || r->cut)
			return;
		r->n++;
	}
}

static bool only_reads(const struct sql_reader *r, const struct search *s)
{
	static const char *const word[] = { "SELECT", "TABLE",   "VALUES",   "WITH",
					    "SHOW",   "EXPLAIN", "DESCRIBE", "DESC" };

	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		if (sql_read_is(r, 0, word[i]))
			return !s->writes || sql_read_is(r, 0, "SELECT");
	return sql_read_mark(r, 0, "(");
}

void sql_facts_read(struct arena *a, const char *engine, const struct sql_statement *st,
		    struct sql_facts *out)
{
	struct sql_facts f = { .class = SQL_CLASS_OTHER };
	bool postgres = strcmp(engine, "postgresql") == 0;
	struct sql_reader r = { .arena = a, .lower = postgres, .kind = st->kind, .out = &f };
	struct search s = { .engine = engine };

	if (!postgres && strcmp(engine, "mariadb") != 0) {
		*out = f;
		return;
	}
	tokens_keep(&r, engine, st->text);
	if (r.n > 0 && postgres)
		sql_read_postgres(&r);
	else if (r.n > 0)
		sql_read_mariadb(&r);
	search_text(&s, st->text, false);
	if (only_reads(&r, &s))
		s.flags &= ~(unsigned)SQL_OURS;
	f.flags |= s.flags;
	if (r.cut && f.n_object == SQL_OBJECTS_MAX)
		f.class = SQL_CLASS_OTHER;
	mem_free(r.t);
	*out = f;
}

void sql_statement_checksum(struct sv text, char out[CHECKSUM_SIZE])
{
	memcpy(out, "s1:", 3);
	digest_hex(text.p, text.n, out + 3);
}
