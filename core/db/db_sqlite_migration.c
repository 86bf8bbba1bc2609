/* SPDX-License-Identifier: MIT */
/*
 * Foreign statements, and a migration's transaction on SQLite.
 *
 * A statement of a migration runs on the connection that also writes the ledger. What keeps it
 * from ending our transaction, from attaching files and from touching bascule's tables is the
 * authorizer, which SQLite asks while it compiles a statement, triggers included. It sees names as
 * SQLite resolved them, so that no spelling gets around it.
 *
 * Foreign keys are off inside a migration: with them on, dropping the old table of the usual
 * rebuild (create new, copy, drop old, rename) deletes or nulls the rows of its children. They
 * cannot be switched inside a transaction, hence before BEGIN. In return every migration ends with
 * foreign_key_check. A database may have violations from before, which are not this migration's
 * fault, so the check's result is compared with the one of the committed state. That one is taken
 * once per connection and then kept: after our commit the result just computed is the new one, and
 * data_version says when somebody else has written. The other way, a second connection that reads
 * the committed state at the end, fails when the migration has outgrown the page cache: then the
 * file is locked against readers.
 */
#include "core/db/db_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/db/sqlsplit.h"

/* More than this cannot be compared: a bound on memory (16 MiB), far above what anybody repairs. */
#define VIOLATIONS_MAX ((size_t)1 << 20)

/* PRAGMAs a migration may use. Any other is refused: some would hang other processes
 * (locking_mode), some would take our waiting or durability away (busy_timeout, synchronous). */
enum pragma_place {
	PRAGMA_BEFORE = 1 << 0,  /* as a leading one, before BEGIN */
	PRAGMA_INSIDE = 1 << 1,  /* inside: harmless, or undone with the transaction */
	PRAGMA_RESTORE = 1 << 2, /* a setting of the session, put back afterwards */
	PRAGMA_FREE = 1 << 3,    /* only in a migration without a transaction, as all others too */
};

struct sqlite_pragma {
	const char *name;
	unsigned place;
};

static const struct sqlite_pragma pragmas[] = {
	{ "application_id", PRAGMA_INSIDE },
	{ "auto_vacuum", PRAGMA_BEFORE },
	{ "automatic_index", PRAGMA_BEFORE | PRAGMA_RESTORE },
	{ "cache_size", PRAGMA_BEFORE | PRAGMA_RESTORE },
	{ "collation_list", PRAGMA_INSIDE },
	{ "compile_options", PRAGMA_INSIDE },
	{ "database_list", PRAGMA_INSIDE },
	{ "defer_foreign_keys", PRAGMA_INSIDE },
	{ "encoding", PRAGMA_BEFORE },
	{ "foreign_key_check", PRAGMA_INSIDE },
	{ "foreign_key_list", PRAGMA_INSIDE },
	{ "foreign_keys", PRAGMA_BEFORE }, /* put back by us in any case */
	{ "function_list", PRAGMA_INSIDE },
	{ "ignore_check_constraints", PRAGMA_BEFORE | PRAGMA_RESTORE },
	{ "incremental_vacuum", PRAGMA_FREE },
	{ "index_info", PRAGMA_INSIDE },
	{ "index_list", PRAGMA_INSIDE },
	{ "index_xinfo", PRAGMA_INSIDE },
	{ "integrity_check", PRAGMA_INSIDE },
	{ "journal_mode", PRAGMA_BEFORE },
	{ "legacy_alter_table", PRAGMA_BEFORE | PRAGMA_RESTORE },
	{ "optimize", PRAGMA_FREE },
	{ "page_size", PRAGMA_BEFORE },
	{ "quick_check", PRAGMA_INSIDE },
	{ "recursive_triggers", PRAGMA_BEFORE | PRAGMA_RESTORE },
	{ "table_info", PRAGMA_INSIDE },
	{ "table_list", PRAGMA_INSIDE },
	{ "table_xinfo", PRAGMA_INSIDE },
	{ "temp_store", PRAGMA_BEFORE | PRAGMA_RESTORE },
	{ "trusted_schema", PRAGMA_BEFORE | PRAGMA_RESTORE },
	{ "user_version", PRAGMA_INSIDE },
	{ "wal_checkpoint", PRAGMA_FREE },
};

/* --- The authorizer ---------------------------------------------------------------------------- */

static const struct sqlite_pragma *pragma_find(const char *name)
{
	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++)
		if (sqlite3_stricmp(pragmas[i].name, name) == 0)
			return &pragmas[i];
	return NULL;
}

static bool is_ours(const char *name)
{
	return name != NULL && sqlite3_strnicmp(name, "bascule_", 8) == 0;
}

static int deny(struct db_sqlite *s, const char *what, const char *name, const char *why)
{
	snprintf(s->denied, sizeof(s->denied), "%s%s%s: %s", what, name[0] != '\0' ? " " : "", name,
		 why);
	return SQLITE_DENY;
}

static int authorize_pragma(struct db_sqlite *s, const char *name)
{
	const struct sqlite_pragma *pragma = pragma_find(name);

	if (pragma == NULL)
		return deny(s, "PRAGMA", name, "not one that a migration may use");
	s->pragma = pragma;
	if (s->guard != GUARD_FREE && pragma->place == PRAGMA_FREE)
		return deny(s, "PRAGMA", name, "only in a migration without a transaction");
	/* A leading one that belongs inside is let through here and run after BEGIN. */
	if (s->guard == GUARD_TRANSACTION && (pragma->place & PRAGMA_INSIDE) == 0)
		return deny(s, "PRAGMA", name, "only before the first other statement");
	/* Many a PRAGMA does its work while it is compiled. IGNORE compiles it to nothing. */
	return s->guard == GUARD_LOOK ? SQLITE_IGNORE : SQLITE_OK;
}

/* The name of the thing an action writes to, when it can be one of ours; else NULL. */
static const char *written(int action, const char *a, const char *b)
{
	switch (action) {
	case SQLITE_INSERT:
	case SQLITE_UPDATE: /* b is a column */
	case SQLITE_DELETE:
	case SQLITE_CREATE_TABLE:
	case SQLITE_CREATE_TEMP_TABLE:
	case SQLITE_CREATE_VIEW:
	case SQLITE_CREATE_TEMP_VIEW:
	case SQLITE_CREATE_VTABLE: /* b is the module */
	case SQLITE_DROP_TABLE:
	case SQLITE_DROP_TEMP_TABLE:
	case SQLITE_DROP_VIEW:
	case SQLITE_DROP_TEMP_VIEW:
	case SQLITE_DROP_VTABLE:
		return is_ours(a) ? a : NULL;
	case SQLITE_CREATE_INDEX: /* a is the index or trigger, b its table */
	case SQLITE_CREATE_TEMP_INDEX:
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_CREATE_TEMP_TRIGGER:
	case SQLITE_DROP_INDEX:
	case SQLITE_DROP_TEMP_INDEX:
	case SQLITE_DROP_TRIGGER:
	case SQLITE_DROP_TEMP_TRIGGER:
		return is_ours(a) ? a : is_ours(b) ? b : NULL;
	case SQLITE_ALTER_TABLE: /* a is the schema */
		return is_ours(b) ? b : NULL;
	default:
		return NULL;
	}
}

int sqlite_authorize(void *arg, int action, const char *a, const char *b, const char *schema,
		     const char *trigger)
{
	struct db_sqlite *s = arg;
	const char *ours;

	(void)trigger;
	if (s->guard == GUARD_OURS)
		return SQLITE_OK;
	if (action == SQLITE_PRAGMA)
		return authorize_pragma(s, a);
	if (s->guard == GUARD_LOOK || s->guard == GUARD_HOIST)
		return deny(s, "statement", "", "only a PRAGMA can come before the transaction");
	if (action == SQLITE_TRANSACTION && s->guard == GUARD_TRANSACTION)
		return deny(s, a, "", "a migration is one transaction already");
	/* VACUUM attaches a nameless file of its own, and fills it with all tables. A name that is
	 * an expression comes as NULL. */
	if (action == SQLITE_ATTACH && (a == NULL || a[0] != '\0' || s->guard != GUARD_FREE))
		return deny(s, "ATTACH", "", "a migration works on its own database only");
	if (action == SQLITE_DETACH)
		return deny(s, "DETACH", "", "a migration works on its own database only");
	if (schema != NULL && strncmp(schema, "vacuum_", 7) == 0 && s->guard == GUARD_FREE)
		return SQLITE_OK;
	ours = written(action, a, b);
	return ours == NULL ? SQLITE_OK : deny(s, "table", ours, "it belongs to bascule");
}

/* --- Foreign statements ------------------------------------------------------------------------ */

static int foreign_error(struct db_sqlite *s, int rc, struct err *e)
{
	if ((rc & 0xff) != SQLITE_AUTH || s->denied[0] == '\0')
		return sqlite_error(s, rc, e, "run a statement on");
	err_set(e, ERR_INPUT, "statement is not allowed in a migration");
	return err_detail(e, "%s", s->denied);
}

/* Compiles one statement under the guard. *out is NULL when the text is empty. */
static int foreign_prepare(struct db_sqlite *s, struct sv sql, sqlite3_stmt **out, struct err *e)
{
	const char *tail = NULL;
	int rc;

	s->denied[0] = '\0';
	s->pragma = NULL;
	rc = sqlite3_prepare_v2(s->conn, sql.p != NULL ? sql.p : "", (int)sql.n, out, &tail);
	if (rc != SQLITE_OK)
		return foreign_error(s, rc, e);
	/* Our splitter and SQLite's parser must agree where a statement ends: running only a part
	 * of it in silence would be the worst answer. */
	if (*out != NULL && !sql_is_empty(sv_n(tail, sql.n - (size_t)(tail - sql.p)))) {
		sqlite3_finalize(*out);
		*out = NULL;
		err_set(e, ERR_INPUT, "statement is more than one statement to SQLite");
		return err_detail(e, "the rest begins with: %.40s", tail);
	}
	return 0;
}

static int foreign_step(struct db_sqlite *s, sqlite3_stmt *stmt, struct err *e)
{
	int rc;

	sqlite_hook(s, true);
	do {
		rc = sqlite3_step(stmt);
	} while (rc == SQLITE_ROW);
	sqlite_hook(s, false);
	return rc == SQLITE_DONE ? 0 : foreign_error(s, rc, e);
}

static int foreign(struct db_sqlite *s, struct sv sql, enum sqlite_guard guard, int64_t *changed,
		   struct err *e)
{
	int64_t before = sqlite3_total_changes64(s->conn);
	sqlite3_stmt *stmt = NULL;
	int result;

	if (sql.n > INT32_MAX)
		return err_set(e, ERR_LIMIT, "statement of %zu bytes is too long", sql.n);
	s->guard = guard;
	result = foreign_prepare(s, sql, &stmt, e);
	if (result == 0 && stmt != NULL)
		result = foreign_step(s, stmt, e);
	sqlite3_finalize(stmt);
	s->guard = GUARD_OURS;
	if (result == 0 && changed != NULL)
		*changed = sqlite3_total_changes64(s->conn) - before;
	return result;
}

int sqlite_foreign(struct db *db, struct sv sql, int64_t *changed, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);

	if (sqlite_alive(s, e) != 0)
		return -1;
	if (s->migrating)
		return foreign(s, sql, GUARD_TRANSACTION, changed, e);
	s->before.known = false;
	return foreign(s, sql, GUARD_FREE, changed, e);
}

/* --- Foreign key violations -------------------------------------------------------------------- */

struct violation_scan {
	struct sqlite_violations found;
	struct sqlite_violations *before; /* NULL: only collect. Its counts are used up */
	size_t n_new;
	char first_new[300];
};

static uint64_t violation_hash(const struct db_value *col)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */
	const struct sv part[2] = { col[0].s, col[2].s };
	uint64_t row = col[1].type == DB_INT ? (uint64_t)col[1].i : UINT64_MAX;

	for (size_t p = 0; p < 2; p++) {
		for (size_t i = 0; i < part[p].n; i++)
			h = (h ^ (unsigned char)part[p].p[i]) * 1099511628211u;
		h = (h ^ 0xff) * 1099511628211u;
	}
	for (int i = 0; i < 8; i++)
		h = (h ^ (row >> (8 * i) & 0xff)) * 1099511628211u;
	return h;
}

static int violation_cmp(const void *a, const void *b)
{
	const struct sqlite_violation *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Sorts, and makes one item with a count of equal ones. */
static void violations_pack(struct sqlite_violations *v)
{
	size_t n = 0;

	if (v->n == 0)
		return;
	qsort(v->item, v->n, sizeof(v->item[0]), violation_cmp);
	for (size_t i = 1; i < v->n; i++) {
		if (v->item[i].hash == v->item[n].hash)
			v->item[n].count += v->item[i].count;
		else
			v->item[++n] = v->item[i];
	}
	v->n = n + 1;
}

static bool was_there(struct sqlite_violations *before, uint64_t hash)
{
	struct sqlite_violation key = { hash, 0 };
	struct sqlite_violation *hit = before->n == 0 ? NULL
						      : bsearch(&key, before->item, before->n,
								sizeof(key), violation_cmp);

	if (hit == NULL || hit->count == 0)
		return false;
	hit->count--;
	return true;
}

/* A row of foreign_key_check: table, rowid or null, parent, number of the key. */
static int violation_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct violation_scan *scan = arg;
	uint64_t hash = violation_hash(col);

	(void)n;
	if (scan->found.n == VIOLATIONS_MAX) {
		err_set(e, ERR_LIMIT, "database breaks its foreign keys too often to be compared");
		return err_detail(e, "more than %zu rows without a parent", VIOLATIONS_MAX);
	}
	mem_grow(&scan->found.item, &scan->found.cap, scan->found.n + 1, sizeof(*scan->found.item));
	scan->found.item[scan->found.n++] = (struct sqlite_violation){ hash, 1 };
	if (scan->before == NULL || was_there(scan->before, hash))
		return 0;
	if (scan->n_new++ == 0) {
		char row[32] = "without rowid";

		if (col[1].type == DB_INT)
			snprintf(row, sizeof(row), "%" PRId64, col[1].i);
		snprintf(scan->first_new, sizeof(scan->first_new),
			 "table %.*s row %s has no parent in %.*s", (int)col[0].s.n, col[0].s.p,
			 row, (int)col[2].s.n, col[2].s.p);
	}
	return 0;
}

/* Runs the check. A foreign key that is declared wrongly (its parent columns are not unique) makes
 * the check itself fail: that is an answer, not an error. */
static int scan_violations(struct db_sqlite *s, struct violation_scan *scan, struct err *e)
{
	if (db_exec(&s->base, "PRAGMA foreign_key_check", NULL, 0, violation_row, scan, e) != 0) {
		if (e->code != ERR_DB)
			return -1;
		scan->found.uncheckable = true;
	}
	violations_pack(&scan->found);
	return 0;
}

static void violations_replace(struct db_sqlite *s, struct sqlite_violations *v, int64_t version)
{
	mem_free(s->before.item);
	s->before = *v;
	s->before.known = true;
	s->before.data_version = version;
}

/* Makes s->before what the database has now; inside the transaction, before its first change. */
static int violations_before(struct db_sqlite *s, struct err *e)
{
	struct violation_scan scan = { .before = NULL };
	int64_t version;

	if (db_int(&s->base, "PRAGMA data_version", NULL, 0, 0, &version, e) != 0)
		return -1;
	if (s->before.known && s->before.data_version == version)
		return 0;
	if (scan_violations(s, &scan, e) != 0) {
		mem_free(scan.found.item);
		return -1;
	}
	violations_replace(s, &scan.found, version);
	return 0;
}

/* Compares with s->before and takes its place. ERR_INPUT when there are new ones. */
static int violations_after(struct db_sqlite *s, struct err *e)
{
	struct violation_scan scan = { .before = &s->before };
	bool compare = !s->before.uncheckable;

	s->before.known = false; /* its counts are being used up */
	if (scan_violations(s, &scan, e) != 0)
		goto fail;
	if (compare && scan.found.uncheckable) {
		e->code = ERR_INPUT; /* the rest of e is the engine's words about the declaration */
		err_wrap(e, "migration declares a foreign key that cannot work");
		goto fail;
	}
	if (compare && scan.n_new > 0) {
		err_set(e, ERR_INPUT,
			"migration leaves %zu row%s without the parent of a foreign key",
			scan.n_new, scan.n_new == 1 ? "" : "s");
		err_detail(e, "%s", scan.first_new);
		err_hint(e, "mend or delete such rows in the migration itself");
		goto fail;
	}
	violations_replace(s, &scan.found, s->before.data_version);
	return 0;
fail:
	mem_free(scan.found.item);
	return -1;
}

/* --- A migration's transaction ----------------------------------------------------------------- */

static int foreign_keys(struct db_sqlite *s, int on)
{
	int now = 0;

	sqlite3_db_config(s->conn, SQLITE_DBCONFIG_ENABLE_FKEY, on, &now);
	return now;
}

static int keep_int(void *arg, int n, char **text, char **name)
{
	(void)name;
	if (n > 0 && text[0] != NULL)
		*(int64_t *)arg = strtoll(text[0], NULL, 10);
	return 0;
}

/* Remembers a setting before its first change in this migration. */
static int save_setting(struct db_sqlite *s, const struct sqlite_pragma *pragma, struct err *e)
{
	char sql[64];
	int64_t value = 0;
	int rc;

	for (size_t i = 0; i < s->n_saved; i++)
		if (s->saved[i].pragma == pragma)
			return 0;
	assert(s->n_saved < SQLITE_RESTORE_MAX); /* not more than rows with PRAGMA_RESTORE */
	snprintf(sql, sizeof(sql), "PRAGMA %s", pragma->name);
	rc = sqlite3_exec(s->conn, sql, keep_int, &value, NULL);
	if (rc != SQLITE_OK)
		return sqlite_error(s, rc, e, "read a setting of");
	s->saved[s->n_saved++] = (struct sqlite_saved){ pragma, value };
	return 0;
}

/* Which PRAGMA a leading statement is; it has no effect yet. */
static int hoist_find(struct db_sqlite *s, struct sv sql, const struct sqlite_pragma **out,
		      struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int result;

	s->guard = GUARD_LOOK;
	result = foreign_prepare(s, sql, &stmt, e);
	s->guard = GUARD_OURS;
	sqlite3_finalize(stmt);
	if (result == 0)
		*out = s->pragma;
	return result;
}

/* Runs the leading PRAGMAs that belong to place: BEFORE the transaction, or INSIDE because they
 * change the database and must be undone with it. */
static int hoist_run(struct db_sqlite *s, const struct sv *hoist, size_t n, unsigned place,
		     struct err *e)
{
	const struct sqlite_pragma *pragma = NULL;

	for (size_t i = 0; i < n; i++) {
		if (hoist_find(s, hoist[i], &pragma, e) != 0)
			return -1;
		if (pragma == NULL || (pragma->place & place) == 0)
			continue;
		if ((pragma->place & PRAGMA_RESTORE) != 0 && save_setting(s, pragma, e) != 0)
			return -1;
		if (foreign(s, hoist[i], place == PRAGMA_BEFORE ? GUARD_HOIST : GUARD_TRANSACTION,
			    NULL, e) != 0)
			return -1;
	}
	return 0;
}

/* Ends the migration: the session as it was at its begin, also after a cancel. */
static void session_restore(struct db_sqlite *s)
{
	struct cancel *cancel = s->cancel;
	char sql[96];

	s->cancel = NULL;
	for (size_t i = 0; i < s->n_saved; i++) {
		snprintf(sql, sizeof(sql), "PRAGMA %s = %" PRId64, s->saved[i].pragma->name,
			 s->saved[i].value);
		sqlite3_exec(s->conn, sql, NULL, NULL, NULL);
	}
	foreign_keys(s, s->fk_before);
	s->n_saved = 0;
	s->migrating = false;
	s->cancel = cancel;
}

int sqlite_migration_begin(struct db *db, const struct sv *hoist, size_t n, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);

	assert(!s->migrating && !db_in_transaction(db));
	if (s->read_only)
		return err_sys(e, EROFS, "cannot migrate %s: opened for reading", s->shown);
	if (sqlite_alive(s, e) != 0)
		return -1;
	s->migrating = true;
	s->fk_before = foreign_keys(s, -1) != 0;
	if (hoist_run(s, hoist, n, PRAGMA_BEFORE, e) != 0)
		goto fail;
	foreign_keys(s, 0); /* whatever a hoisted PRAGMA has said */
	if (db_begin(db, e) != 0 || violations_before(s, e) != 0)
		goto fail;
	if (hoist_run(s, hoist, n, PRAGMA_INSIDE, e) != 0)
		goto fail;
	return 0;
fail:
	sqlite_migration_rollback(db);
	return -1;
}

int sqlite_migration_commit(struct db *db, struct err *e)
{
	struct db_sqlite *s = sqlite_of(db);

	assert(s->migrating);
	if (!db_in_transaction(db))
		return err_set(e, ERR_DB, "migration's transaction on %s is gone", s->shown);
	if (violations_after(s, e) != 0)
		return -1;
	if (db_commit(db, e) != 0) {
		s->before.known = false;
		return -1;
	}
	session_restore(s);
	return 0;
}

void sqlite_migration_rollback(struct db *db)
{
	struct db_sqlite *s = sqlite_of(db);

	db_rollback(db);
	if (s->migrating)
		session_restore(s);
}
