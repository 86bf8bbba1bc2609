/* SPDX-License-Identifier: MIT */
#include "core/db/db.h"

#include <string.h>

#include "core/base/mem.h"

/* A new engine is one file with one struct db_ops and one row here. Every slot is mandatory. */
static const struct db_ops *const db_drivers[] = {
	&db_sqlite_ops,
	&db_postgres_ops,
	&db_mariadb_ops,
};

const struct db_ops *db_driver(const char *scheme)
{
	for (size_t i = 0; i < sizeof(db_drivers) / sizeof(db_drivers[0]); i++)
		if (strcmp(db_drivers[i]->scheme, scheme) == 0)
			return db_drivers[i];
	return NULL;
}

struct db_value db_v_text(const char *s)
{
	if (s == NULL)
		return DB_V_NULL;
	return (struct db_value){ .type = DB_TEXT, .s = sv_of(s) };
}

struct db_value db_v_blob(struct sv s)
{
	return (struct db_value){ .type = DB_BLOB, .s = s };
}

int db_open(const struct dsn *dsn, unsigned flags, const struct db_options *opt,
	    struct cancel *cancel, struct db **out, struct err *e)
{
	const struct db_ops *ops = db_driver(dsn->engine);

	if (ops == NULL)
		return err_set(e, ERR_UNSUPPORTED, "cannot open %s: no driver for it", dsn->shown);
	if (cancel_fired(cancel))
		return err_set(e, ERR_CANCELLED, "opening %s was stopped", dsn->shown);
	if (ops->open(dsn, flags, opt, cancel, out, e) != 0)
		return -1;
	if (opt != NULL && opt->server != NULL)
		(*out)->server = mem_strdup(opt->server);
	return 0;
}

void db_close(struct db *db)
{
	void (*closed)(void *arg);
	void *arg;

	if (db == NULL)
		return;
	closed = db->closed;
	arg = db->closed_arg;
	mem_free(db->server);
	db->ops->close(db);
	if (closed != NULL)
		closed(arg);
}

void db_on_close(struct db *db, void (*fn)(void *arg), void *arg)
{
	db->closed = fn;
	db->closed_arg = arg;
}

void db_set_cancel(struct db *db, struct cancel *cancel)
{
	db->ops->set_cancel(db, cancel);
}

void db_expect_many(struct db *db, bool on)
{
	if (db->ops->expect_many)
		db->ops->expect_many(db, on);
}

unsigned db_caps(const struct db *db)
{
	return db->ops->caps;
}

const char *db_engine(const struct db *db)
{
	return db->ops->scheme;
}

int db_info(struct db *db, struct db_info *out, struct err *e)
{
	if (db->ops->info(db, out, e) != 0)
		return -1;
	if (db->server != NULL)
		str_copy(out->server, sizeof(out->server), db->server);
	return 0;
}

int db_size(struct db *db, int64_t *bytes, struct err *e)
{
	struct db_info info;

	if (db->ops->size != NULL)
		return db->ops->size(db, bytes, e);
	if (db->ops->info(db, &info, e) != 0)
		return -1;
	*bytes = info.size_bytes;
	return 0;
}

int db_exec(struct db *db, const char *sql, const struct db_value *param, size_t n_param,
	    db_row_fn fn, void *arg, struct err *e)
{
	return db->ops->exec(db, sql, param, n_param, fn, arg, e);
}

struct first_int {
	bool seen;
	int64_t value;
};

static int keep_first(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct first_int *first = arg;

	(void)e;
	if (first->seen || n == 0)
		return 0;
	first->seen = true;
	if (col[0].type == DB_INT)
		first->value = col[0].i;
	return 0;
}

int db_int(struct db *db, const char *sql, const struct db_value *param, size_t n_param,
	   int64_t dflt, int64_t *out, struct err *e)
{
	struct first_int first = { .seen = false, .value = dflt };

	if (db_exec(db, sql, param, n_param, keep_first, &first, e) != 0)
		return -1;
	*out = first.value;
	return 0;
}

int db_has_table(struct db *db, const char *name, bool *out, struct err *e)
{
	return db->ops->has_table(db, name, out, e);
}

int db_script(struct db *db, const char *sql, struct err *e)
{
	return db->ops->script(db, sql, e);
}

int db_foreign(struct db *db, struct sv sql, int64_t *changed, struct err *e)
{
	return db->ops->foreign(db, sql, changed, e);
}

int db_begin(struct db *db, struct err *e)
{
	return db->ops->begin(db, e);
}

int db_commit(struct db *db, struct err *e)
{
	return db->ops->commit(db, e);
}

void db_rollback(struct db *db)
{
	db->ops->rollback(db);
}

bool db_in_transaction(const struct db *db)
{
	return db->ops->in_transaction(db);
}

int db_migration_begin(struct db *db, const struct sv *hoist, size_t n, struct err *e)
{
	return db->ops->migration_begin(db, hoist, n, e);
}

int db_migration_commit(struct db *db, struct err *e)
{
	return db->ops->migration_commit(db, e);
}

void db_migration_rollback(struct db *db)
{
	db->ops->migration_rollback(db);
}

int db_copy_to(struct db *db, const char *path, struct err *e)
{
	return db->ops->copy_to(db, path, e);
}

int db_copy_from(struct db *db, const char *path, int (*fence)(void *arg, struct err *e), void *arg,
		 struct err *e)
{
	return db->ops->copy_from(db, path, fence, arg, e);
}

int db_verify(struct db *db, struct err *e)
{
	return db->ops->verify(db, e);
}

int db_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e)
{
	return db->ops->tables(db, quick, fn, arg, e);
}

int db_facts(struct db *db, db_fact_fn fn, void *arg, struct err *e)
{
	return db->ops->facts != NULL ? db->ops->facts(db, fn, arg, e) : 0;
}

int db_fact_row(void *fact_row, const struct db_value *col, size_t n, struct err *e)
{
	const struct db_fact_row *r = fact_row;
	struct arena a;
	int result = 0;

	arena_init(&a);
	for (size_t i = 0; i < n && i < r->n && result == 0; i++)
		if (col[i].type == DB_TEXT)
			result = r->fn(r->arg, r->names[i], arena_sv(&a, col[i].s).p, e);
	arena_clear(&a);
	return result;
}

int db_privileges(struct db *db, db_privilege_fn fn, void *arg, struct err *e)
{
	return db->ops->privileges != NULL ? db->ops->privileges(db, fn, arg, e) : 0;
}

int db_schema_digest(struct db *db, char hex[65], struct err *e)
{
	return db->ops->schema_digest(db, hex, e);
}

int db_defects(struct db *db, db_defect_fn fn, void *arg, struct err *e)
{
	return db->ops->defects != NULL ? db->ops->defects(db, fn, arg, e) : 0;
}

int db_references_check(struct db *db, const char *table, const char *name, int64_t limit_ms,
			int (*fn)(void *arg, const struct db_reference *r, struct err *e),
			void *arg, struct err *e)
{
	if (db->ops->references_check == NULL)
		return 0;
	return db->ops->references_check(db, table, name, limit_ms, fn, arg, e);
}

void db_interrupt(struct db *db)
{
	db->ops->interrupt(db);
}

/* --- Servers ----------------------------------------------------------------------------------- */

int db_session(struct db *db, struct db_session *out, struct err *e)
{
	return db->ops->session(db, out, e);
}

int db_session_alive(struct db *db, const struct db_session *s, bool *alive, struct err *e)
{
	return db->ops->session_alive(db, s, alive, e);
}

int db_session_end(struct db *db, const struct db_session *s, struct err *e)
{
	return db->ops->session_end(db, s, e);
}

int db_session_restore(struct db *db, struct err *e)
{
	return db->ops->session_restore != NULL ? db->ops->session_restore(db, e) : 0;
}

int db_advisory_lock(struct db *db, const char *name, bool *got, struct err *e)
{
	return db->ops->advisory_lock(db, name, got, e);
}

void db_advisory_unlock(struct db *db, const char *name)
{
	db->ops->advisory_unlock(db, name);
}

int db_advisory_holder(struct db *db, const char *name, bool *held, struct db_session *out,
		       struct err *e)
{
	return db->ops->advisory_holder(db, name, held, out, e);
}

void db_fence_sql(struct db *db, const char *lock_name, int64_t epoch, struct strbuf *out)
{
	db->ops->fence_sql(db, lock_name, epoch, out);
}

bool db_is_fence_error(const struct db *db, const struct err *e)
{
	return db->ops->is_fence_error != NULL && db->ops->is_fence_error(db, e);
}

int db_now(struct db *db, int64_t *utc_ms, struct err *e)
{
	return db->ops->now(db, utc_ms, e);
}

int db_check_pooler(struct db *db, struct err *e)
{
	return db->ops->check_pooler != NULL ? db->ops->check_pooler(db, e) : 0;
}

int db_unit_send(struct db *db, const struct db_item *item, size_t n, struct err *e)
{
	return db->ops->unit_send(db, item, n, e);
}

int db_unit_result(struct db *db, size_t *failed, struct err *e)
{
	return db->ops->unit_result(db, failed, e);
}

size_t db_units_waiting(const struct db *db)
{
	return db->ops->units_waiting != NULL ? db->ops->units_waiting(db) : 0;
}

int db_units_clear(struct db *db, struct err *e)
{
	return db->ops->units_clear != NULL ? db->ops->units_clear(db, e) : 0;
}

size_t db_unit_max_bytes(const struct db *db)
{
	return db->ops->unit_max_bytes != NULL ? db->ops->unit_max_bytes(db) : SIZE_MAX;
}
