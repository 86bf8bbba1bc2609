/* SPDX-License-Identifier: MIT */
/*
 * The MariaDB driver: do rows keep to their foreign keys?
 *
 * A key that is added while foreign_key_checks is off is not compared with the rows that are there, and
 * the catalogue keeps no mark of it. So the rows are asked: each key is one query for rows without a
 * parent, ended by the server when its time is over. InnoDB has an index on both sides of every key, so
 * millions of rows take seconds.
 */
#include "core/db/db_mariadb.h"

#include <string.h>

#define ER_STATEMENT_TIMEOUT "1969"
#define ER_NO_SUCH_TABLE "1146"

struct key_column {
	char *key, *column, *parent_schema, *parent, *parent_column;
};

struct key_list {
	struct key_column *item;
	size_t n, cap;
};

static char *text_of(const struct db_value *v)
{
	return v->type == DB_TEXT ? mem_strndup(v->s.p, v->s.n) : mem_strdup("");
}

static int keep_column(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct key_list *list = arg;

	(void)n;
	(void)e;
	mem_grow(&list->item, &list->cap, list->n + 1, sizeof(list->item[0]));
	list->item[list->n++] = (struct key_column){
		.key = text_of(&col[0]),
		.column = text_of(&col[1]),
		.parent_schema = text_of(&col[2]),
		.parent = text_of(&col[3]),
		.parent_column = text_of(&col[4]),
	};
	return 0;
}

static void list_clear(struct key_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		mem_free(list->item[i].key);
		mem_free(list->item[i].column);
		mem_free(list->item[i].parent_schema);
		mem_free(list->item[i].parent);
		mem_free(list->item[i].parent_column);
	}
	mem_free(list->item);
}

static int keep_count(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	*(int64_t *)arg = col[0].i;
	return 0;
}

/* Rows of the table whose key columns k[0..n) are all there and name no parent. A null in one of them
 * makes the key hold, as MATCH SIMPLE says. */
static void orphans_sql(const struct db_mariadb *m, const char *table, const struct key_column *k,
			size_t n, int64_t limit_ms, struct strbuf *sql)
{
	strbuf_addf(sql,
		    "SET STATEMENT max_statement_time = %lld.%03lld FOR SELECT COUNT(*) FROM "
		    "(SELECT 1 FROM ",
		    (long long)(limit_ms / 1000), (long long)(limit_ms % 1000));
	mariadb_quote_name(sql, sv_of(m->target.dsn.database));
	strbuf_addc(sql, '.');
	mariadb_quote_name(sql, sv_of(table));
	strbuf_adds(sql, " c WHERE NOT EXISTS (SELECT 1 FROM ");
	mariadb_quote_name(sql, sv_of(k->parent_schema));
	strbuf_addc(sql, '.');
	mariadb_quote_name(sql, sv_of(k->parent));
	strbuf_adds(sql, " p WHERE ");
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(sql, i > 0 ? " AND p." : "p.");
		mariadb_quote_name(sql, sv_of(k[i].parent_column));
		strbuf_adds(sql, " = c.");
		mariadb_quote_name(sql, sv_of(k[i].column));
	}
	strbuf_addc(sql, ')');
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(sql, " AND c.");
		mariadb_quote_name(sql, sv_of(k[i].column));
		strbuf_adds(sql, " IS NOT NULL");
	}
	strbuf_addf(sql, " LIMIT %d) o", DB_ORPHANS_MAX);
}

/* Counts them; what keeps the server from counting is said in r->why, and is no failure. */
static int count_orphans(struct db_mariadb *m, const char *table, const struct key_column *k,
			 size_t n, int64_t limit_ms, struct db_reference *r, struct err *e)
{
	struct strbuf sql;
	int result;

	strbuf_init(&sql, STRBUF_NO_LIMIT);
	orphans_sql(m, table, k, n, limit_ms, &sql);
	r->orphans = -1;
	result = db_exec(&m->base, strbuf_str(&sql), NULL, 0, keep_count, &r->orphans, e);
	strbuf_clear(&sql);
	if (result == 0)
		return 0;
	if (e->code == ERR_CANCELLED || e->code == ERR_LOST)
		return -1;
	r->why = strcmp(e->sys, ER_STATEMENT_TIMEOUT) == 0 ? "that took too long"
		 : strcmp(e->sys, ER_NO_SUCH_TABLE) == 0   ? "the parent table is missing"
							   : "the rows cannot be read";
	return 0;
}

int mariadb_references_check(struct db *db, const char *table, const char *name, int64_t limit_ms,
			     int (*fn)(void *, const struct db_reference *, struct err *),
			     void *arg, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	const struct db_value v[] = {
		db_v_text(m->target.dsn.database),
		db_v_text(table),
		db_v_text(name != NULL ? name : ""),
	};
	struct key_list list = { NULL, 0, 0 };
	int result;

	result = db_exec(db,
			 "SELECT constraint_name, column_name, referenced_table_schema, "
			 "referenced_table_name, referenced_column_name "
			 "FROM information_schema.key_column_usage WHERE table_schema = ?1 "
			 "AND table_name = ?2 AND referenced_table_name IS NOT NULL "
			 "AND (?3 = '' OR constraint_name = ?3) "
			 "ORDER BY constraint_name, ordinal_position",
			 v, 3, keep_column, &list, e);
	for (size_t i = 0, n; i < list.n && result == 0; i += n) {
		const struct key_column *k = &list.item[i];
		struct db_reference r = { .name = k->key, .table = table, .parent = k->parent };

		for (n = 1; i + n < list.n && strcmp(k[n].key, k->key) == 0; n++)
			;
		result = count_orphans(m, table, k, n, limit_ms, &r, e);
		if (result == 0)
			result = fn(arg, &r, e);
	}
	list_clear(&list);
	return result;
}
