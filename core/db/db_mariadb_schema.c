/* SPDX-License-Identifier: MIT */
/* The MariaDB driver: what it reads from the catalogue. Always by the name of the database we were
 * opened on, wherever a migration's USE has led the session. */
#include "core/db/db_mariadb.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"

#define COUNT_MAX \
	1000000 /* rows up to which a table is counted; above it the server's estimate does */

int mariadb_has_table(struct db *db, const char *name, bool *out, struct err *e)
{
	const struct db_value v[] = {
		db_v_text(mariadb_of(db)->target.dsn.database),
		db_v_text(name),
	};
	int64_t n;

	if (db_int(db,
		   "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?1 "
		   "AND table_name = ?2 AND table_type <> 'VIEW'",
		   v, 2, 0, &n, e) != 0)
		return -1;
	*out = n > 0;
	return 0;
}

/* --- Tables ------------------------------------------------------------------------------------ */

struct table {
	char *name;
	int64_t rows, bytes;
	bool exact;
};

struct table_list {
	struct table *item;
	size_t n, cap;
};

static int keep_table(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct table_list *list = arg;

	(void)n;
	(void)e;
	mem_grow(&list->item, &list->cap, list->n + 1, sizeof(list->item[0]));
	list->item[list->n++] = (struct table){
		.name = mem_strndup(col[0].s.p, col[0].s.n),
		.rows = col[1].type == DB_INT ? col[1].i : 0,
		.bytes = col[2].type == DB_INT ? col[2].i : -1,
	};
	return 0;
}

static int keep_count(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	*(int64_t *)arg = col[0].i;
	return 0;
}

static int count_rows(struct db *db, struct table *t, bool quick, struct err *e)
{
	const struct dsn *d = &mariadb_of(db)->target.dsn;
	struct strbuf sql;
	int result;

	if (quick ? t->bytes > DB_QUICK_BYTES : t->rows > COUNT_MAX)
		return 0;
	t->exact = true;
	strbuf_init(&sql, STRBUF_NO_LIMIT);
	strbuf_adds(&sql, "SELECT COUNT(*) FROM ");
	mariadb_quote_name(&sql, sv_of(d->database));
	strbuf_addc(&sql, '.');
	mariadb_quote_name(&sql, sv_of(t->name));
	result = db_exec(db, strbuf_str(&sql), NULL, 0, keep_count, &t->rows, e);
	strbuf_clear(&sql);
	return result;
}

int mariadb_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e)
{
	const struct db_value v = db_v_text(mariadb_of(db)->target.dsn.database);
	struct table_list list = { NULL, 0, 0 };
	int result;

	result = db_exec(
		db,
		"SELECT table_name, table_rows, CAST(data_length + index_length AS SIGNED) FROM information_schema.tables "
		"WHERE table_schema = ?1 AND table_type IN ('BASE TABLE', "
		"'SYSTEM VERSIONED') AND table_name NOT LIKE 'bascule|_%' ESCAPE '|' "
		"ORDER BY CAST(table_name AS BINARY)",
		&v, 1, keep_table, &list, e);
	for (size_t i = 0; i < list.n && result == 0; i++) {
		struct table *t = &list.item[i];

		result = count_rows(db, t, quick, e);
		if (result == 0)
			result = fn(arg,
				    &(struct db_table){ .name = t->name,
							.rows = t->rows,
							.exact = t->exact,
							.bytes = t->bytes },
				    e);
	}
	for (size_t i = 0; i < list.n; i++)
		mem_free(list.item[i].name);
	mem_free(list.item);
	return result;
}

/* --- The digest -------------------------------------------------------------------------------- */

/* Each row of these is one fact about the schema. What changes by itself (AUTO_INCREMENT, row counts,
 * dates) is not among the columns. The first column tells the kinds apart. */
static const char *const facts[] = {
	"SELECT 'table', table_name, table_type, engine, row_format, table_collation, create_options, "
	"table_comment FROM information_schema.tables WHERE table_schema = ?1 "
	"AND table_name NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'column', table_name, column_name, ordinal_position, column_default, is_nullable, "
	"column_type, character_set_name, collation_name, extra, is_generated, "
	"generation_expression, column_comment FROM information_schema.columns "
	"WHERE table_schema = ?1 AND table_name NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'index', table_name, index_name, seq_in_index, column_name, non_unique, collation, "
	"sub_part, index_type, ignored, index_comment FROM information_schema.statistics "
	"WHERE table_schema = ?1 AND table_name NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'key', table_name, constraint_name, column_name, ordinal_position, "
	"referenced_table_schema, referenced_table_name, referenced_column_name "
	"FROM information_schema.key_column_usage WHERE table_schema = ?1 "
	"AND table_name NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'reference', table_name, constraint_name, match_option, update_rule, delete_rule, "
	"referenced_table_name FROM information_schema.referential_constraints "
	"WHERE constraint_schema = ?1 AND table_name NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'check', table_name, constraint_name, check_clause "
	"FROM information_schema.check_constraints WHERE constraint_schema = ?1 "
	"AND table_name NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'view', table_name, view_definition, check_option, security_type "
	"FROM information_schema.views WHERE table_schema = ?1 "
	"AND table_name NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'parameter', specific_name, ordinal_position, parameter_mode, parameter_name, "
	"dtd_identifier, routine_type FROM information_schema.parameters "
	"WHERE specific_schema = ?1",
	"SELECT 'routine', routine_name, routine_type, dtd_identifier, routine_definition, "
	"is_deterministic, sql_data_access, security_type, sql_mode, routine_comment "
	"FROM information_schema.routines WHERE routine_schema = ?1",
	"SELECT 'trigger', trigger_name, event_object_table, event_manipulation, action_timing, "
	"action_order, action_statement, sql_mode FROM information_schema.triggers "
	"WHERE trigger_schema = ?1 AND event_object_table NOT LIKE 'bascule|_%' ESCAPE '|'",
	"SELECT 'event', event_name, event_type, event_definition, execute_at, interval_value, "
	"interval_field, starts, ends, status, on_completion, sql_mode, event_comment "
	"FROM information_schema.events WHERE event_schema = ?1",
};

struct fact_list {
	char (*hex)[DIGEST_HEX_SIZE];
	size_t n, cap;
	struct digest *digest;
};

/* Lengths between the parts, so that no two rows give the same bytes. */
static int keep_fact(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct fact_list *list = arg;
	struct strbuf text;

	(void)e;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < n; i++) {
		if (col[i].type == DB_NULL)
			strbuf_adds(&text, "-;");
		else if (col[i].type == DB_INT)
			strbuf_addf(&text, "i%lld;", (long long)col[i].i);
		else if (col[i].type == DB_REAL)
			strbuf_addf(&text, "r%.17g;", col[i].r);
		else {
			strbuf_addf(&text, "%zu:", col[i].s.n);
			strbuf_addsv(&text, col[i].s);
		}
	}
	mem_grow(&list->hex, &list->cap, list->n + 1, sizeof(list->hex[0]));
	digest_begin(list->digest);
	digest_add(list->digest, text.data, text.len);
	digest_end(list->digest, list->hex[list->n++]);
	strbuf_clear(&text);
	return 0;
}

static int compare_hex(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_HEX_SIZE);
}

int mariadb_schema_digest(struct db *db, char hex[65], struct err *e)
{
	const struct db_value v = db_v_text(mariadb_of(db)->target.dsn.database);
	struct fact_list list = { .digest = digest_new() };
	int result = 0;

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]) && result == 0; i++)
		result = db_exec(db, facts[i], &v, 1, keep_fact, &list, e);
	if (result == 0) {
		if (list.n > 0)
			qsort(list.hex, list.n, sizeof(list.hex[0]), compare_hex);
		digest_begin(list.digest);
		digest_add(list.digest, list.hex, list.n * sizeof(list.hex[0]));
		digest_end(list.digest, hex);
	}
	digest_free(list.digest);
	mem_free(list.hex);
	return result;
}
