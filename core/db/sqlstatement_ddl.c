/* SPDX-License-Identifier: MIT */
/*
 * DDL of MariaDB: which objects it names, and whether it can be done twice.
 *
 * After a crash a digest of SHOW CREATE says whether it was run. So every object is named whose SHOW
 * CREATE tells: a new name of a renaming, the table of an index or a trigger. Statements that leave
 * no trace there (TRUNCATE) are marked. "Can be done twice" is said only of what then changes
 * nothing: CREATE OR REPLACE TABLE would take the rows that came since.
 */
#include "core/db/sqlstatement_read.h"

struct ddl {
	size_t verb; /* index of the word */
	enum sql_object_kind kind;
	bool or_replace, temporary, guard;
};

/* Goes behind the word that says what kind of object it is; false: one that is not read. */
static bool read_kind(const struct sql_reader *r, size_t *i, struct ddl *d)
{
	static const struct {
		const char *word;
		enum sql_object_kind kind;
	} row[] = {
		{ "TABLE", SQL_OBJECT_TABLE },       { "TABLES", SQL_OBJECT_TABLE },
		{ "VIEW", SQL_OBJECT_VIEW },         { "INDEX", SQL_OBJECT_INDEX },
		{ "TRIGGER", SQL_OBJECT_TRIGGER },   { "PROCEDURE", SQL_OBJECT_PROCEDURE },
		{ "FUNCTION", SQL_OBJECT_FUNCTION }, { "EVENT", SQL_OBJECT_EVENT },
		{ "SEQUENCE", SQL_OBJECT_SEQUENCE }, { "DATABASE", SQL_OBJECT_DATABASE },
		{ "SCHEMA", SQL_OBJECT_DATABASE },   { "PACKAGE", SQL_OBJECT_PACKAGE },
	};
	static const char *const other[] = { "USER",    "ROLE",    "SERVER", "TABLESPACE",
					     "LOGFILE", "PREPARE", "AS" };

	for (; *i < r->n; (*i)++) {
		if (sql_read_mark(r, *i - 1, "=") || sql_read_mark(r, *i - 1, "@"))
			continue; /* in DEFINER = event@trigger */
		for (size_t k = 0; k < sizeof(other) / sizeof(other[0]); k++)
			if (sql_read_is(r, *i, other[k]))
				return false;
		d->temporary |= sql_read_is(r, *i, "TEMPORARY");
		d->or_replace |= sql_read_is(r, *i, "REPLACE");
		for (size_t k = 0; k < sizeof(row) / sizeof(row[0]); k++) {
			if (sql_read_is(r, *i, row[k].word)) {
				d->kind = row[k].kind;
				(*i)++;
				return true;
			}
		}
	}
	return false;
}

/* --- ALTER TABLE ------------------------------------------------------------------------------- */

/* The comma behind the clause at i, or n. */
static size_t clause_end(const struct sql_reader *r, size_t i)
{
	size_t depth = 0;

	for (; i < r->n && (depth > 0 || !sql_read_mark(r, i, ",")); i++) {
		if (sql_read_mark(r, i, "("))
			depth++;
		else if (sql_read_mark(r, i, ")") && depth > 0)
			depth--;
	}
	return i;
}

static bool is_any(const struct sql_reader *r, size_t i, const char *const *word)
{
	for (; *word != NULL; word++)
		if (sql_read_is(r, i, *word))
			return true;
	return false;
}

/* Whether the clause from i to end changes nothing when done again. */
static bool clause_repeats(const struct sql_reader *r, size_t i, size_t end)
{
	static const char *const sets[] = {
		"MODIFY",         "ALTER",      "COMMENT", "ENGINE",  "CONVERT",
		"DEFAULT",        "CHARACTER",  "CHARSET", "COLLATE", "FORCE",
		"AUTO_INCREMENT", "ROW_FORMAT", "ENABLE",  "DISABLE", "ALGORITHM",
		"LOCK",           "WAIT",       "NOWAIT",  NULL
	};
	static const char *const guarded[] = { "ADD", "DROP", "CHANGE", "RENAME", NULL };

	if (is_any(r, i, sets))
		return true;
	if (!is_any(r, i, guarded))
		return false;
	for (size_t k = i + 1; k < end && k < i + 8; k++) {
		size_t at = k;

		if (sql_read_guard(r, &at))
			return true;
	}
	return false;
}

static void read_clause(struct sql_reader *r, size_t i, size_t end)
{
	static const char *const part[] = { "COLUMN", "INDEX", "KEY", NULL };
	size_t at = i + 1;

	if (sql_read_is(r, i, "RENAME") && !is_any(r, at, part)) {
		if (sql_read_is(r, at, "TO") || sql_read_is(r, at, "AS") ||
		    sql_read_mark(r, at, "="))
			at++;
		sql_read_object(r, &at, SQL_OBJECT_TABLE);
	} else if (sql_read_is(r, i, "EXCHANGE") || sql_read_is(r, i, "CONVERT")) {
		at = sql_read_find(r, i, "TABLE") + 1; /* EXCHANGE PARTITION p WITH TABLE t */
		if (at < end)
			sql_read_object(r, &at, SQL_OBJECT_TABLE);
	} else if (sql_read_is(r, i, "TRUNCATE")) {
		r->out->flags |= SQL_TRACELESS;
	}
}

/* The clauses behind the table's name. */
static void read_clauses(struct sql_reader *r, size_t i)
{
	bool repeats = !r->cut;

	while (sql_read_is(r, i, "WAIT") || sql_read_is(r, i, "NOWAIT"))
		i += sql_read_is(r, i, "WAIT") ? 2 : 1;
	while (i < r->n) {
		size_t end = clause_end(r, i);

		repeats = repeats && clause_repeats(r, i, end);
		read_clause(r, i, end);
		i = end + 1;
	}
	r->out->repeatable = repeats;
}

/* --- The statements ---------------------------------------------------------------------------- */

static void read_list(struct sql_reader *r, size_t i, enum sql_object_kind kind)
{
	while (sql_read_object(r, &i, kind) && sql_read_mark(r, i, ","))
		i++;
}

/* Behind the name of an index or of a trigger: ON table. */
static void read_on(struct sql_reader *r, size_t i)
{
	i = sql_read_find(r, i, "ON") + 1;
	sql_read_object(r, &i, SQL_OBJECT_TABLE);
}

static void read_create(struct sql_reader *r, size_t i, const struct ddl *d)
{
	bool fills = d->kind == SQL_OBJECT_TABLE && sql_read_has(r, i, "SELECT");

	sql_read_object(r, &i, d->kind);
	if (d->kind == SQL_OBJECT_INDEX || d->kind == SQL_OBJECT_TRIGGER)
		read_on(r, i);
	if (d->kind == SQL_OBJECT_FUNCTION && sql_read_has(r, i, "SONAME"))
		r->out->class = SQL_CLASS_OTHER; /* a library's, which SHOW CREATE does not know */
	if (d->or_replace)
		r->out->repeatable = d->kind != SQL_OBJECT_TABLE &&
				     d->kind != SQL_OBJECT_SEQUENCE &&
				     d->kind != SQL_OBJECT_DATABASE;
	else
		r->out->repeatable = d->guard && !fills;
}

static void read_drop(struct sql_reader *r, size_t i, const struct ddl *d)
{
	r->out->repeatable = d->guard;
	read_list(r, i, d->kind);
	if (d->kind == SQL_OBJECT_INDEX)
		read_on(r, i);
}

static void read_alter(struct sql_reader *r, size_t i, const struct ddl *d)
{
	static const char *const nameless[] = { "CHARACTER", "DEFAULT", "COLLATE",
						"CHARSET",   "COMMENT", NULL };
	size_t rename;

	if (d->kind == SQL_OBJECT_DATABASE && is_any(r, i, nameless)) {
		r->out->repeatable = true; /* the one in use */
		return;
	}
	sql_read_object(r, &i, d->kind);
	if (d->kind == SQL_OBJECT_TABLE) {
		read_clauses(r, i);
		return;
	}
	rename = sql_read_find(r, i, "RENAME");
	if (d->kind == SQL_OBJECT_EVENT && sql_read_is(r, rename + 1, "TO")) {
		rename += 2;
		sql_read_object(r, &rename, d->kind);
		return;
	}
	r->out->repeatable = d->kind != SQL_OBJECT_SEQUENCE || !sql_read_has(r, i, "RESTART");
}

/* RENAME TABLE [IF EXISTS] a [WAIT n] TO b, c TO d */
static void read_rename(struct sql_reader *r, size_t i, bool guard)
{
	size_t pairs = 0;

	do {
		sql_read_object(r, &i, SQL_OBJECT_TABLE);
		i = sql_read_find(r, i, "TO") + 1;
		sql_read_object(r, &i, SQL_OBJECT_TABLE);
		pairs++;
	} while (sql_read_mark(r, i++, ","));
	r->out->repeatable = guard && pairs == 1;
}

static void read_truncate(struct sql_reader *r, size_t i)
{
	if (sql_read_is(r, i, "TABLE"))
		i++;
	sql_read_object(r, &i, SQL_OBJECT_TABLE);
	r->out->class = SQL_CLASS_DDL;
	r->out->flags |= SQL_TRACELESS;
}

void sql_read_mariadb_ddl(struct sql_reader *r, size_t verb)
{
	struct ddl d = { .verb = verb };
	size_t i = verb + 1;

	if (sql_read_is(r, verb, "TRUNCATE")) {
		read_truncate(r, i);
		return;
	}
	if (!read_kind(r, &i, &d))
		return;
	r->out->class = SQL_CLASS_DDL;
	if (d.kind == SQL_OBJECT_PACKAGE && sql_read_is(r, i, "BODY"))
		i++;
	d.guard = sql_read_guard(r, &i);
	if (sql_read_is(r, verb, "CREATE"))
		read_create(r, i, &d);
	else if (sql_read_is(r, verb, "DROP"))
		read_drop(r, i, &d);
	else if (sql_read_is(r, verb, "ALTER"))
		read_alter(r, i, &d);
	else
		read_rename(r, i, d.guard);
	if (d.temporary) {
		/* What was in it is gone with the session. */
		r->out->class = SQL_CLASS_SESSION;
		r->out->flags |= SQL_TEMPORARY;
		r->out->repeatable = d.guard && sql_read_is(r, verb, "DROP");
	}
	if (r->out->n_object == 0 && d.kind != SQL_OBJECT_DATABASE)
		r->out->class = SQL_CLASS_OTHER;
}
