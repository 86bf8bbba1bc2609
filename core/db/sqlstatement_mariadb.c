/* SPDX-License-Identifier: MIT */
/* What a statement of MariaDB is, but for DDL. */
#include "core/db/sqlstatement_read.h"

static bool is_one_of(const struct sql_reader *r, size_t i, const char *const *word)
{
	for (; *word != NULL; word++)
		if (sql_read_is(r, i, *word))
			return true;
	return false;
}

/* --- Data -------------------------------------------------------------------------------------- */

/* The tables of a list of references that begins at i and ends at one of the words in end. Tables
 * that are only read are among them; who asks for their engine asks once too often. */
static void read_references(struct sql_reader *r, size_t i, const char *const *end)
{
	bool table = true;

	for (; i < r->n; i++) {
		if (is_one_of(r, i, end))
			return;
		if (table && sql_read_mark(r, i, "("))
			continue; /* (a JOIN b) */
		if (table &&
		    (sql_read_is(r, i, "SELECT") || !sql_read_object(r, &i, SQL_OBJECT_TABLE))) {
			table = false;
			continue;
		}
		if (table)
			i--;
		table = sql_read_mark(r, i, ",") || sql_read_is(r, i, "JOIN") ||
			sql_read_is(r, i, "STRAIGHT_JOIN");
	}
}

static void read_insert(struct sql_reader *r, size_t i)
{
	static const char *const option[] = { "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY",
					      "IGNORE",       "INTO",    NULL };

	while (is_one_of(r, i, option))
		i++;
	sql_read_object(r, &i, SQL_OBJECT_TABLE);
}

static void read_update(struct sql_reader *r, size_t i)
{
	static const char *const end[] = { "SET", NULL };

	while (sql_read_is(r, i, "LOW_PRIORITY") || sql_read_is(r, i, "IGNORE"))
		i++;
	read_references(r, i, end);
}

/* DELETE FROM t …; DELETE a, b FROM refs …; DELETE FROM a, b USING refs … */
static void read_delete(struct sql_reader *r, size_t i)
{
	static const char *const end[] = { "WHERE", "ORDER", "LIMIT", "RETURNING", "FOR", NULL };
	size_t from = sql_read_find(r, i, "FROM");
	size_t using = sql_read_find(r, from, "USING");

	/* JOIN … USING (column) is another one. */
	if (using < r->n && !sql_read_mark(r, using + 1, "("))
		from = using;
	read_references(r, from + 1, end);
}

/* --- The session ------------------------------------------------------------------------------- */

/* The value is the same whenever it is computed in a new session. */
static bool is_constant(const struct sql_reader *r, size_t i)
{
	static const char *const pure[] = { "CONCAT",   "CONCAT_WS", "REPLACE", "IFNULL",
					    "COALESCE", "IF",        "LOWER",   "UPPER",
					    "CONVERT",  "CAST",      "TRIM",    NULL };

	for (; i < r->n; i++) {
		if (sql_read_is(r, i, "SELECT") || sql_read_mark(r, i, ":="))
			return false;
		if (sql_read_mark(r, i, "(") && r->t[i - 1].kind != SQL_TOKEN_OTHER &&
		    !is_one_of(r, i - 1, pure))
			return false;
	}
	return !r->cut;
}

static void read_statement(struct sql_reader *r, size_t i);

static void read_set(struct sql_reader *r, size_t i)
{
	static const char *const other[] = { "PASSWORD", "DEFAULT", "GLOBAL", "PERSIST", NULL };

	if (sql_read_is(r, i, "STATEMENT")) {
		read_statement(r, sql_read_find(r, i, "FOR") + 1);
		return;
	}
	if (is_one_of(r, i, other) || sql_read_find(r, i, "GLOBAL") < r->n)
		return;
	r->out->class = SQL_CLASS_SESSION;
	/* SET @a := 1 is how some write SET @a = 1. */
	r->out->repeatable = is_constant(r, i) ||
			     (sql_read_mark(r, i + 2, ":=") && is_constant(r, i + 3));
}

/* SELECT, VALUES, DO: reads, unless it leaves something in the session or in a file. */
static void read_select(struct sql_reader *r, size_t i)
{
	r->out->class = SQL_CLASS_DML;
	for (; i < r->n; i++) {
		bool into = sql_read_is(r, i, "INTO");

		if (sql_read_mark(r, i, ":=") || (into && sql_read_mark(r, i + 1, "@")))
			r->out->class = SQL_CLASS_SESSION;
		if (into &&
		    (sql_read_is(r, i + 1, "OUTFILE") || sql_read_is(r, i + 1, "DUMPFILE"))) {
			r->out->class = SQL_CLASS_OTHER;
			return;
		}
	}
	if (r->cut)
		r->out->class = SQL_CLASS_OTHER;
}

/* --- The verb ---------------------------------------------------------------------------------- */

/* WITH a AS (…) …: the verb behind the list. */
static size_t behind_with(const struct sql_reader *r, size_t i)
{
	static const char *const verb[] = {
		"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", NULL
	};
	size_t best = r->n;

	for (const char *const *word = verb; *word != NULL; word++) {
		size_t at = sql_read_find(r, i, *word);

		if (at < best)
			best = at;
	}
	return best;
}

static void read_dml(struct sql_reader *r, size_t i)
{
	r->out->class = SQL_CLASS_DML;
	if (sql_read_is(r, i, "UPDATE"))
		read_update(r, i + 1);
	else if (sql_read_is(r, i, "DELETE"))
		read_delete(r, i + 1);
	else
		read_insert(r, i + 1);
	if (r->out->n_object == 0)
		r->out->class = SQL_CLASS_OTHER; /* no table to ask for */
}

static void read_statement(struct sql_reader *r, size_t i)
{
	static const char *const ddl[] = { "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", NULL };
	static const char *const dml[] = { "INSERT", "REPLACE", "UPDATE", "DELETE", NULL };
	static const char *const reads[] = { "SELECT",  "VALUES", "TABLE",    "DO", "SHOW",
					     "EXPLAIN", "DESC",   "DESCRIBE", NULL };

	if (sql_read_is(r, i, "WITH"))
		i = behind_with(r, i);
	if (is_one_of(r, i, ddl))
		sql_read_mariadb_ddl(r, i);
	else if (is_one_of(r, i, dml))
		read_dml(r, i);
	else if (is_one_of(r, i, reads) || sql_read_mark(r, i, "("))
		read_select(r, i);
	else if (sql_read_is(r, i, "SET"))
		read_set(r, i + 1);
	else if (sql_read_is(r, i, "LOAD") &&
		 sql_read_is(r, sql_read_find(r, i, "INFILE") - 1, "LOCAL"))
		r->out->flags |= SQL_CLIENT_FILE;
}

void sql_read_mariadb(struct sql_reader *r)
{
	if (r->kind != SQL_OTHER)
		r->out->class = SQL_CLASS_CONTROL;
	else
		read_statement(r, 0);
}
