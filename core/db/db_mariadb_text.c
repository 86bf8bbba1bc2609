/* SPDX-License-Identifier: MIT */
/*
 * The MariaDB driver: our statements as the server is to read them.
 *
 * The values are written into the text: preparing would cost a second round trip, and finding the ?N of
 * a few hundred bytes costs less than looking a text up. What is written does not depend on sql_mode or
 * on the character set that a migration may have set: a text is quoted only when it is printable ASCII
 * without quote and backslash, else it is _utf8mb4 X'hex'.
 *
 * Our tables are written as `database`.bascule_name: a migration's USE does not lead us away. So no name
 * of ours but a table's may begin with bascule_.
 *
 * sql_mode stays the server's, or what a migration made of it. Under EMPTY_STRING_IS_NULL an empty
 * parameter is still an empty text; only '' inside one of our own texts would be null there, and in
 * the mode ORACLE a bare BEGIN begins a block: START TRANSACTION is understood in all.
 *
 * A migration's SET NAMES other than utf8mb4 holds for the rest of its session; what we write is not
 * touched by it, texts that we read would be.
 */
#include "core/db/db_mariadb.h"

#include <math.h>
#include <string.h>

void mariadb_quote_name(struct strbuf *out, struct sv name)
{
	strbuf_addc(out, '`');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '`')
			strbuf_addc(out, '`');
		strbuf_addc(out, name.p[i]);
	}
	strbuf_addc(out, '`');
}

/* Means the same in every sql_mode and character set. An empty '' may mean null. */
static bool plain_text(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '\'' || s.p[i] == '\\')
			return false;
	return s.n > 0;
}

static void add_hex(struct strbuf *out, struct sv s)
{
	static const char digits[] = "0123456789abcdef";
	char *p;

	strbuf_adds(out, "X'");
	p = s.n > 0 ? strbuf_room(out, 2 * s.n) : NULL;
	if (p != NULL) {
		for (size_t i = 0; i < s.n; i++) {
			p[2 * i] = digits[(unsigned char)s.p[i] >> 4];
			p[2 * i + 1] = digits[(unsigned char)s.p[i] & 15];
		}
		strbuf_grew(out, 2 * s.n);
	}
	strbuf_addc(out, '\'');
}

static void add_value(struct strbuf *out, const struct db_value *v)
{
	switch (v->type) {
	case DB_NULL:
		strbuf_adds(out, "NULL");
		break;
	case DB_INT:
		/* Bare where it can be, for LIMIT; "-" before another "-" would begin a comment. */
		strbuf_addf(out, v->i < 0 ? "(%lld)" : "%lld", (long long)v->i);
		break;
	case DB_REAL:
		/* With an exponent it is a DOUBLE, without one a DECIMAL. */
		if (isfinite(v->r))
			strbuf_addf(out, "(%.17e)", v->r);
		else
			strbuf_adds(out, "NULL");
		break;
	case DB_TEXT:
		if (plain_text(v->s)) {
			strbuf_addc(out, '\'');
			strbuf_addsv(out, v->s);
			strbuf_addc(out, '\'');
			break;
		}
		strbuf_adds(out, "_utf8mb4 ");
		add_hex(out, v->s);
		break;
	case DB_BLOB:
		add_hex(out, v->s);
		break;
	}
}

static bool name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '$';
}

/* Copies a quoted piece that begins at *at. Our own texts escape nothing. */
static void copy_quoted(struct sv sql, size_t *at, struct strbuf *out)
{
	const char *end = memchr(sql.p + *at + 1, sql.p[*at], sql.n - *at - 1);
	size_t n = end != NULL ? (size_t)(end - sql.p) + 1 - *at : sql.n - *at;

	strbuf_add(out, sql.p + *at, n);
	*at += n;
}

static void copy_word(const struct db_mariadb *m, struct sv sql, size_t *at, struct strbuf *out)
{
	const struct dsn *d = &m->target.dsn;
	size_t from = *at;
	struct sv word;

	while (*at < sql.n && name_byte(sql.p[*at]))
		++*at;
	word = sv_n(sql.p + from, *at - from);
	if (sv_starts(word, SV("bascule_")) &&
	    (from == 0 || strchr(".@", sql.p[from - 1]) == NULL)) {
		mariadb_quote_name(out, sv_of(d->database));
		strbuf_addc(out, '.');
	}
	strbuf_addsv(out, word);
}

static void add_param(const struct db_value *param, size_t n_param, size_t k, const bool *bound,
		      struct strbuf *out)
{
	const struct db_value none = DB_V_NULL;
	const struct db_value *v = k >= 1 && k <= n_param ? &param[k - 1] : &none;

	if (bound == NULL || k < 1 || k > n_param || !bound[k - 1])
		add_value(out, v);
	else if (v->type == DB_TEXT)
		strbuf_addf(out, "CONVERT(@bascule_%zu USING utf8mb4)", k);
	else
		strbuf_addf(out, "@bascule_%zu", k);
}

void mariadb_translate(const struct db_mariadb *m, struct sv sql, const struct db_value *param,
		       size_t n_param, const bool *bound, struct strbuf *out)
{
	size_t at = 0;

	while (at < sql.n) {
		char c = sql.p[at];

		if (c == '\'' || c == '"' || c == '`') {
			copy_quoted(sql, &at, out);
		} else if (c == '?' && at + 1 < sql.n && sql.p[at + 1] >= '1' &&
			   sql.p[at + 1] <= '9') {
			size_t k = 0;

			for (at++; at < sql.n && sql.p[at] >= '0' && sql.p[at] <= '9'; at++)
				k = k * 10 + (size_t)(sql.p[at] - '0');
			add_param(param, n_param, k, bound, out);
		} else if (name_byte(c)) {
			copy_word(m, sql, &at, out);
		} else {
			strbuf_addc(out, c);
			at++;
		}
	}
}
