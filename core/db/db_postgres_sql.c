/* SPDX-License-Identifier: MIT */
/*
 * The PostgreSQL driver's texts: our statements and values to the server's, results and errors back.
 *
 * Parameters travel in binary: a text needs no NUL behind it and a number no rounding. Null has no
 * type, so that the server takes the column's; every other type is told, since "?1 IS NULL" has no
 * column to take it from. Results travel as text, because the types of a result are the server's
 * choice. bool, int2, int4, int8 and oid are DB_INT, also a numeric that is a whole number and fits
 * (sum() of a bigint is one); float4 and float8 are DB_REAL; bytea is DB_BLOB; all others, among them
 * numbers that would be rounded, are DB_TEXT as the server writes them.
 */
#include "core/db/db_postgres.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"

#define COLUMNS_MAX 64 /* of our own selects */

/* Of pg_type.h, which only the server's sources have. They never change. */
enum type_oid {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_OID = 26,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_NUMERIC = 1700,
};

/* --- Statements -------------------------------------------------------------------------------- */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Where the string or quoted name that begins at p ends. */
static const char *behind_quoted(const char *p)
{
	char quote = *p;

	for (p++; *p != '\0' && *p != quote; p++)
		;
	return *p != '\0' ? p + 1 : p;
}

void pg_rewrite(const char *sql, struct strbuf *out, size_t *n)
{
	static const char prefix[] = "bascule_";
	const char *p = sql;

	*n = 0;
	strbuf_reset(out);
	while (*p != '\0') {
		const char *from = p;

		if (*p == '\'' || *p == '"') {
			p = behind_quoted(p);
		} else if (*p == '?' && isdigit((unsigned char)p[1])) {
			char *end;
			size_t number = strtoul(p + 1, &end, 10);

			*n = number > *n ? number : *n;
			strbuf_addc(out, '$');
			from = p + 1;
			p = end;
		} else if (is_word(*p)) {
			while (is_word(*p))
				p++;
			if ((size_t)(p - from) >= sizeof(prefix) &&
			    memcmp(from, prefix, sizeof(prefix) - 1) == 0) {
				strbuf_adds(out, "bascule.");
				from += sizeof(prefix) - 1;
			}
		} else {
			p++;
		}
		strbuf_add(out, from, (size_t)(p - from));
	}
}

static void bind(struct pg_bound *b, size_t i, const struct db_value *v)
{
	b->format[i] = 1;
	switch (v->type) {
	case DB_NULL:
		return;
	case DB_INT:
	case DB_REAL:
		memcpy(&b->number[i], v->type == DB_INT ? (const void *)&v->i : &v->r, 8);
		b->number[i] = htobe64(b->number[i]);
		b->type[i] = v->type == DB_INT ? OID_INT8 : OID_FLOAT8;
		b->value[i] = (const char *)&b->number[i];
		b->length[i] = 8;
		return;
	case DB_TEXT:
	case DB_BLOB:
		b->type[i] = v->type == DB_TEXT ? OID_TEXT : OID_BYTEA;
		b->value[i] = v->s.p != NULL ? v->s.p : "";
		b->length[i] = (int)v->s.n;
		return;
	}
}

int pg_bind(const struct db_postgres *s, const struct db_value *param, size_t n,
	    struct pg_bound *out, struct err *e)
{
	if (n > PG_PARAMS_MAX)
		return err_set(e, ERR_LIMIT, "statement has more than %d parameters",
			       PG_PARAMS_MAX);
	memset(out->type, 0, n * sizeof(out->type[0]));
	memset(out->value, 0, n * sizeof(out->value[0]));
	for (size_t i = 0; i < n; i++) {
		if (param[i].type >= DB_TEXT && param[i].s.n > INT32_MAX / 2)
			return err_set(e, ERR_LIMIT, "value of %zu bytes is too long for %s",
				       param[i].s.n, s->shown);
		bind(out, i, &param[i]);
	}
	return 0;
}

int pg_send(struct db_postgres *s, const char *sql, const struct db_value *param, size_t n_param,
	    struct err *e)
{
	struct pg_bound b;

	if (pg_bind(s, param, n_param, &b, e) != 0)
		return -1;
	if (s->pq.PQsendQueryParams(s->conn, sql, (int)n_param, b.type, b.value, b.length, b.format,
				    0) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	return 0;
}

/* --- Results ----------------------------------------------------------------------------------- */

static struct db_value column(struct db_postgres *s, const PGresult *res, int row, int at,
			      unsigned char **blob)
{
	struct db_value v = DB_V_NULL;
	size_t n;

	if (s->pq.PQgetisnull(res, row, at))
		return v;
	v.s = sv_n(s->pq.PQgetvalue(res, row, at), (size_t)s->pq.PQgetlength(res, row, at));
	v.type = DB_TEXT;
	switch (s->pq.PQftype(res, at)) {
	case OID_BOOL:
		v.type = DB_INT;
		v.i = v.s.n > 0 && v.s.p[0] == 't';
		break;
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_OID:
	case OID_NUMERIC:
		if (sv_int(v.s, INT64_MIN, INT64_MAX, &v.i))
			v.type = DB_INT;
		break;
	case OID_FLOAT4:
	case OID_FLOAT8:
		v.type = DB_REAL;
		v.r = strtod(v.s.p, NULL);
		break;
	case OID_BYTEA:
		*blob = s->pq.PQunescapeBytea((const unsigned char *)v.s.p, &n);
		if (*blob == NULL)
			mem_oom();
		v.type = DB_BLOB;
		v.s = sv_n((const char *)*blob, n);
		break;
	default:
		break;
	}
	return v;
}

int pg_rows(struct db_postgres *s, const PGresult *res, db_row_fn fn, void *arg, struct err *e)
{
	int rows = s->pq.PQntuples(res), n = s->pq.PQnfields(res), result = 0;

	if (fn == NULL)
		return 0;
	if (n > COLUMNS_MAX)
		n = COLUMNS_MAX;
	for (int row = 0; row < rows && result == 0; row++) {
		struct db_value col[COLUMNS_MAX];
		unsigned char *blob[COLUMNS_MAX] = { NULL };

		for (int i = 0; i < n; i++)
			col[i] = column(s, res, row, i, &blob[i]);
		result = fn(arg, col, (size_t)n, e);
		for (int i = 0; i < n; i++)
			s->pq.PQfreemem(blob[i]);
	}
	return result;
}

int64_t pg_changed(struct db_postgres *s, PGresult *res)
{
	static const char *const writes[] = { "INSERT ", "UPDATE ", "DELETE ", "MERGE " };
	struct sv tag = sv_of(s->pq.PQcmdStatus(res));
	int64_t n = 0;

	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		if (sv_starts(tag, sv_of(writes[i])) &&
		    sv_int(sv_of(s->pq.PQcmdTuples(res)), 0, INT64_MAX, &n))
			return n;
	return 0;
}

/* --- Errors ------------------------------------------------------------------------------------ */

struct meaning {
	const char *sqlstate; /* its beginning */
	enum err_code code;
	int errnum;       /* of ERR_SYSTEM */
	const char *hint; /* NULL: none */
};

/* The first that fits. */
/* clang-format off */
static const struct meaning meanings[] = {
	{ "08", ERR_LOST, 0, NULL },
	{ "25006", ERR_SYSTEM, EROFS, NULL },
	{ "28", ERR_DB, 0, "check the user, `password = env:NAME` and the server's pg_hba.conf" },
	{ "3D000", ERR_NOT_FOUND, 0, "make it: createdb" },
	{ "40001", ERR_BUSY, 0, NULL },
	{ "40P01", ERR_BUSY, 0, NULL },
	{ "42501", ERR_DB, 0, "let the owner GRANT what the message names to this role" },
	{ "53100", ERR_SYSTEM, ENOSPC, "make room on the server's disk" },
	{ "53300", ERR_BUSY, 0, "close other connections, or raise max_connections" },
	{ "55P03", ERR_BUSY, 0,
	  "see who holds it: SELECT pid, query FROM pg_stat_activity WHERE state <> 'idle'" },
	{ "57P01", ERR_LOST, 0, NULL },
	{ "57P02", ERR_LOST, 0, NULL },
	{ "57P03", ERR_BUSY, 0, "wait until the server has started" },
	{ "57P04", ERR_LOST, 0, NULL },
	{ "57P05", ERR_LOST, 0, NULL },
	{ "XX001", ERR_CORRUPT, 0, NULL },
	{ "XX002", ERR_CORRUPT, 0, NULL },
	{ "", ERR_DB, 0, NULL },
};
/* clang-format on */

static const struct meaning *meaning_of(const char *sqlstate)
{
	size_t i = 0;

	while (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) != 0)
		i++;
	return &meanings[i];
}

/* One line: what people get to read is wrapped by who shows it. */
static void add_words(struct strbuf *b, const char *words)
{
	for (; *words != '\0'; words++) {
		unsigned char c = (unsigned char)*words;

		if (c >= ' ' && c != 0x7f)
			strbuf_addc(b, (char)c);
		else if (b->len > 0 && b->data[b->len - 1] != ' ')
			strbuf_addc(b, ' ');
	}
	while (b->len > 0 && b->data[b->len - 1] == ' ')
		b->data[--b->len] = '\0';
}

/* The line of a position that counts characters of UTF-8 from 1; 0: not known. */
static int line_of(const char *text, const char *position)
{
	int64_t left;
	int line = 1;

	if (text == NULL || position == NULL || !sv_int(sv_of(position), 1, INT32_MAX, &left))
		return 0;
	for (; *text != '\0' && left > 1; text++) {
		if (((unsigned char)*text & 0xc0) != 0x80)
			left--;
		line += *text == '\n';
	}
	return line;
}

static void error_detail(struct db_postgres *s, const PGresult *res, const char *text,
			 struct err *e)
{
	const char *primary = s->pq.PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = s->pq.PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = s->pq.PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
	const char *state = s->pq.PQresultErrorField(res, PG_DIAG_SQLSTATE);
	int line = line_of(text, s->pq.PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION));
	struct strbuf b;

	strbuf_init(&b, sizeof(e->detail));
	add_words(&b, primary != NULL ? primary : s->pq.PQresultErrorMessage(res));
	if (line > 1)
		strbuf_addf(&b, " (line %d of the statement)", line);
	if (state != NULL)
		strbuf_addf(&b, " (SQLSTATE %s)", state);
	if (detail != NULL) {
		strbuf_adds(&b, "; ");
		add_words(&b, detail);
	}
	if (hint != NULL) {
		strbuf_adds(&b, "; ");
		add_words(&b, hint);
	}
	err_detail(e, "%s", strbuf_str(&b));
	strbuf_clear(&b);
}

/* Several statements in one, as only the server can tell: a syntax error of the parser's caller. */
static bool is_several(struct db_postgres *s, const PGresult *res, const char *state)
{
	const char *where = s->pq.PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);

	return strcmp(state, "42601") == 0 && where != NULL &&
	       strcmp(where, "exec_parse_message") == 0;
}

static enum err_code code_of(struct db_postgres *s, const PGresult *res, enum pg_kind kind,
			     const char *state)
{
	const char *words = s->pq.PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (strcmp(state, "57014") == 0) {
		if (cancel_fired(s->cancel) || s->stopping || s->stop_asked)
			return ERR_CANCELLED;
		return words != NULL && strstr(words, "statement timeout") ? ERR_TIMEOUT : ERR_DB;
	}
	if (kind == PG_OURS && strcmp(state, "23505") == 0)
		return ERR_EXISTS;
	/* Something took away what we had prepared: the next try prepares it again. */
	if (kind == PG_OURS && strcmp(state, "26000") == 0)
		return ERR_BUSY;
	if (is_several(s, res, state))
		return ERR_INPUT;
	return meaning_of(state)->code;
}

int pg_error(struct db_postgres *s, const PGresult *res, enum pg_kind kind, const char *text,
	     struct err *e)
{
	const char *state = s->pq.PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const struct meaning *m = meaning_of(state != NULL ? state : "");
	enum err_code code = code_of(s, res, kind, state != NULL ? state : "");

	if (state == NULL || code == ERR_LOST)
		s->lost = s->lost || code == ERR_LOST || s->pq.PQstatus(s->conn) == CONNECTION_BAD;
	if (s->lost)
		code = ERR_LOST;
	if (code == ERR_SYSTEM)
		err_sys(e, m->errnum, "cannot use %s", s->shown);
	else if (code == ERR_CANCELLED)
		err_set(e, code, "stopped: cannot use %s", s->shown);
	else if (code == ERR_INPUT)
		err_set(e, code, "statement is more than one statement to PostgreSQL");
	else
		err_set(e, code, "cannot %s %s", kind == PG_OURS ? "use" : "run a statement on",
			s->shown);
	error_detail(s, res, text, e);
	if (code != ERR_SYSTEM && state != NULL)
		str_copy(e->sys, sizeof(e->sys), state);
	if (m->hint != NULL)
		err_hint(e, "%s", m->hint);
	return -1;
}

/* --- Errors of connecting ---------------------------------------------------------------------- */

/* The SQLSTATE in a message of verbosity "verbose", the only place where it can be had of an attempt
 * that failed: "FATAL:  28P01: password …". */
static const char *state_in(const char *words)
{
	for (const char *p = strstr(words, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
		size_t n = strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		if (n == 5 && strncmp(p + 8, ": ", 2) == 0)
			return p + 3;
	}
	return NULL;
}

static const int network_errors[] = { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOENT,
				      EACCES,       ECONNRESET,   ETIMEDOUT };

/* The name of the system's error that the words end in; libpq gives no number. */
static void name_errno(const char *words, struct err *e)
{
	for (size_t i = 0; i < sizeof(network_errors) / sizeof(network_errors[0]); i++) {
		struct err named;

		err_sys(&named, network_errors[i], "x");
		if (strstr(words, named.detail) != NULL) {
			str_copy(e->sys, sizeof(e->sys), err_errno_name(network_errors[i]));
			return;
		}
	}
}

int pg_connect_error(struct db_postgres *s, PGconn *conn, struct err *e)
{
	const char *words = s->pq.PQerrorMessage(conn);
	const char *state = state_in(words);
	struct strbuf b;
	char *clean, *location;

	if (state != NULL) {
		char five[6];
		const struct meaning *m;

		str_copy_sv(five, sizeof(five), sv_n(state, 5));
		m = meaning_of(five);
		err_set(e, m->code == ERR_LOST ? ERR_BUSY : m->code, "cannot connect to %s",
			s->shown);
		str_copy(e->sys, sizeof(e->sys), five);
		if (m->hint != NULL)
			err_hint(e, "%s", m->hint);
		words = state + 7;
	} else {
		err_set(e, ERR_SYSTEM, "cannot connect to %s", s->shown);
		name_errno(words, e);
		if (s->pq.PQconnectionNeedsPassword(conn))
			err_hint(e, "set `password = env:NAME` of the environment, or ~/.pgpass");
		else if (strstr(words, "certificate verify failed") != NULL)
			err_hint(e, "look at the dates and the authority of its certificate");
	}
	clean = mem_strdup(words);
	location = strstr(clean, "\nLOCATION:");
	if (location != NULL)
		*location = '\0';
	strbuf_init(&b, sizeof(e->detail));
	add_words(&b, clean);
	if (state != NULL)
		strbuf_addf(&b, " (SQLSTATE %s)", e->sys);
	err_detail(e, "%s", strbuf_str(&b));
	strbuf_clear(&b);
	mem_free(clean);
	return -1;
}

/* --- Foreign texts ----------------------------------------------------------------------------- */

/* Skips blanks and comments. */
static struct sv code_only(struct sv t)
{
	for (;;) {
		size_t at = 0;

		t = sv_trim(t);
		if (sv_starts(t, SV("--"))) {
			const char *end = memchr(t.p, '\n', t.n);

			at = end != NULL ? (size_t)(end - t.p) : t.n;
		} else if (sv_starts(t, SV("/*"))) {
			int depth = 0; /* comments nest here */

			do {
				bool opens = at + 1 < t.n && memcmp(t.p + at, "/*", 2) == 0;
				bool closes = at + 1 < t.n && memcmp(t.p + at, "*/", 2) == 0;

				depth += opens ? 1 : closes ? -1 : 0;
				at += opens || closes ? 2 : 1;
			} while (depth > 0 && at < t.n);
		}
		if (at == 0)
			return t;
		t = sv_n(t.p + at, t.n - at);
	}
}

/* Takes the first word off *rest; empty when something else comes first. */
static struct sv take_word(struct sv *rest)
{
	struct sv t = code_only(*rest);
	size_t n = 0;

	while (n < t.n && is_word(t.p[n]))
		n++;
	*rest = sv_n(t.p + n, t.n - n);
	return sv_n(t.p, n);
}

static bool is(struct sv word, const char *s)
{
	return word.n == strlen(s) && strncasecmp(word.p, s, word.n) == 0;
}

static bool has(struct sv text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.n; i++)
		if ((text.p[i] | 0x20) == word[0] && strncasecmp(text.p + i, word, n) == 0)
			return true;
	return false;
}

bool pg_may_set(struct sv text)
{
	struct sv rest = text, word = take_word(&rest);

	return is(word, "SELECT") || is(word, "DO") || is(word, "CALL") || is(word, "WITH") ||
	       is(word, "EXECUTE") || has(text, "set") || has(text, "discard") ||
	       has(text, "deallocate");
}

static bool ends_transaction(struct sv text)
{
	struct sv rest = text, word = take_word(&rest), next;

	if (is(word, "COMMIT") || is(word, "END") || is(word, "BEGIN") || is(word, "ABORT"))
		return true;
	next = take_word(&rest);
	if (is(word, "START") || is(word, "PREPARE"))
		return is(next, "TRANSACTION");
	if (!is(word, "ROLLBACK"))
		return false;
	if (is(next, "TRANSACTION") || is(next, "WORK"))
		next = take_word(&rest);
	return !is(next, "TO");
}

/* Whether a name of schema bascule, or the schema itself, stands in text outside of strings. */
static bool names_ours(struct sv text)
{
	static const char ours[] = "bascule";
	size_t n = sizeof(ours) - 1;
	bool after_schema = false;

	for (struct sv rest = text; rest.n > 0;) {
		struct sv word = take_word(&rest);

		if (word.n == 0 && rest.n > 0) {
			bool quoted = rest.p[0] == '"' && rest.n > n + 1 &&
				      memcmp(rest.p + 1, ours, n) == 0 && rest.p[n + 1] == '"';
			const char *end = rest.p[0] == '\'' ? memchr(rest.p + 1, '\'', rest.n - 1)
							    : NULL;
			size_t step = quoted ? n + 2 : end != NULL ? (size_t)(end - rest.p) + 1 : 1;

			rest = sv_n(rest.p + step, rest.n - step);
			if (!quoted)
				continue;
			word = sv_n(ours, n);
		}
		if (is(word, ours) && (after_schema || sv_starts(code_only(rest), SV("."))))
			return true;
		if (!is(word, "IF") && !is(word, "NOT") && !is(word, "EXISTS"))
			after_schema = is(word, "SCHEMA");
	}
	return false;
}

static const char *const readers[] = { "SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN" };

int pg_guard(struct sv text, bool migrating, struct err *e)
{
	struct sv rest = text, word = take_word(&rest);
	bool reads = false;

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		reads = reads || is(word, readers[i]);
	if (migrating && ends_transaction(text)) {
		err_set(e, ERR_INPUT, "statement is not allowed in a migration");
		return err_detail(e, "%.*s: the transaction is bascule's", (int)word.n, word.p);
	}
	if (!reads && names_ours(text)) {
		err_set(e, ERR_INPUT, "statement is not allowed in a migration");
		return err_detail(e, "schema bascule: it belongs to bascule");
	}
	return 0;
}
