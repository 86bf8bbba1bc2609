/* SPDX-License-Identifier: MIT */
/*
 * What a PostgreSQL database holds: tables with their rows, and a digest of the schema.
 *
 * Rows of tables are counted up to ROWS_COUNTED, as the planner estimates them; above that its estimate
 * is the answer, since counting would read for minutes.
 *
 * The digest is over lines that the server writes about each object of the user: definitions as the
 * server prints them (pg_get_…def), so blanks and comments of what was typed do not count, nor does the
 * order of making. It is read with an empty search path, so that every name is written in full.
 */
#include "core/db/db_postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/mem.h"

#define ROWS_COUNTED INT64_C(1000000)

int pg_has_table(struct db *db, const char *name, bool *out, struct err *e)
{
	static const char prefix[] = "bascule_";
	bool ours = strncmp(name, prefix, sizeof(prefix) - 1) == 0;
	const struct db_value v[] = {
		db_v_text(ours ? name + sizeof(prefix) - 1 : name),
		DB_V_INT(ours),
	};
	int64_t n;

	if (db_int(db,
		   "SELECT count(*) FROM pg_catalog.pg_class c "
		   "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		   "WHERE c.relname = ?1 AND c.relkind IN ('r', 'p') AND "
		   "CASE WHEN ?2 = 1 THEN n.nspname = 'bascule' "
		   "ELSE pg_catalog.pg_table_is_visible(c.oid) END",
		   v, 2, 0, &n, e) != 0)
		return -1;
	*out = n > 0;
	return 0;
}

/* --- Tables ------------------------------------------------------------------------------------ */

/* Schemas that are the user's. */
#define USERS "n.nspname <> 'bascule' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"

struct table {
	char *shown, *quoted;
	int64_t rows, bytes;
};

struct table_list {
	struct table *item;
	size_t n, cap;
};

static int table_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct table_list *list = arg;

	(void)n;
	(void)e;
	mem_grow(&list->item, &list->cap, list->n + 1, sizeof(*list->item));
	list->item[list->n++] = (struct table){
		.shown = mem_strndup(col[0].s.p, col[0].s.n),
		.quoted = mem_strndup(col[1].s.p, col[1].s.n),
		.rows = col[2].i,
		.bytes = col[3].type == DB_INT ? col[3].i : -1,
	};
	return 0;
}

/* reltuples is -1 of a table that was never analyzed; what a quick look can count is counted. */
static bool is_counted(const struct table *t, bool quick)
{
	return quick ? t->bytes >= 0 && t->bytes <= DB_QUICK_BYTES : t->rows < ROWS_COUNTED;
}

int pg_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e)
{
	struct table_list list = { NULL, 0, 0 };
	struct strbuf sql;
	int result;

	strbuf_init(&sql, STRBUF_NO_LIMIT);
	result = db_exec(
		db,
		"SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname "
		"ELSE n.nspname || '.' || c.relname END COLLATE \"C\" AS shown, "
		"pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), "
		"CAST(CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) "
		"FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class l ON l.oid = p.relid "
		"WHERE p.isleaf) ELSE c.reltuples END AS bigint), "
		"CAST(CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum("
		"pg_catalog.pg_total_relation_size(p.relid)), 0) FROM pg_catalog.pg_partition_tree(c.oid) p "
		"WHERE p.isleaf) ELSE pg_catalog.pg_total_relation_size(c.oid) END AS bigint) "
		"FROM pg_catalog.pg_class c "
		"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		"WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> "
		"'t' "
		"AND " USERS " ORDER BY shown",
		NULL, 0, table_row, &list, e);
	for (size_t i = 0; i < list.n && result == 0; i++) {
		struct table *t = &list.item[i];

		struct db_table row = { .name = t->shown, .bytes = t->bytes };

		row.exact = is_counted(t, quick);
		if (row.exact) {
			strbuf_reset(&sql);
			strbuf_addf(&sql, "SELECT count(*) FROM %s", t->quoted);
			/* Not a literal, and no name of ours: it goes as it is. */
			result = pg_count(pg_of(db), strbuf_str(&sql), &t->rows, e);
		}
		if (result == 0)
			row.rows = t->rows;
		if (result == 0)
			result = fn(arg, &row, e);
	}
	for (size_t i = 0; i < list.n; i++) {
		mem_free(list.item[i].shown);
		mem_free(list.item[i].quoted);
	}
	mem_free(list.item);
	strbuf_clear(&sql);
	return result;
}

/* --- Defects ----------------------------------------------------------------------------------- */

/* clang-format off */
/* Of a build in another role's session the server shows that it is there, not which index it is about. */
static const char *const defects_sql =
	"SELECT 'index ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),"
	" CAST(c.relname AS text),"
	" 'index ' || CAST(c.relname AS text) || CASE WHEN c.relkind = 'I'"
	"  THEN ' is invalid: not every partition has its part'"
	"  WHEN NOT i.indisready THEN ' is invalid: it is not even kept up to date'"
	"  ELSE ' is invalid: no query uses it' END,"
	" CASE WHEN c.relkind = 'I' THEN 'ALTER INDEX ' || pg_catalog.quote_ident(n.nspname) || '.' ||"
	"  pg_catalog.quote_ident(c.relname) || ' ATTACH PARTITION … for each partition without'"
	"  ELSE 'REINDEX INDEX CONCURRENTLY ' || pg_catalog.quote_ident(n.nspname) || '.' ||"
	"  pg_catalog.quote_ident(c.relname) END"
	" FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE NOT (i.indisvalid AND i.indisready) AND " USERS
	" AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p"
	"  WHERE p.datname = pg_catalog.current_database()"
	"  AND (p.index_relid = i.indexrelid OR p.relid IS NULL))"
	" UNION ALL SELECT 'constraint ' || pg_catalog.quote_ident(n.nspname) || '.' ||"
	" pg_catalog.quote_ident(c.relname) || '.' || pg_catalog.quote_ident(co.conname),"
	" CAST(co.conname AS text),"
	" 'constraint ' || CAST(co.conname AS text) || ' of ' || CAST(c.relname AS text) ||"
	"  ' is not validated: old rows were never checked',"
	" 'ALTER TABLE ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)"
	"  || ' VALIDATE CONSTRAINT ' || pg_catalog.quote_ident(co.conname)"
	" FROM pg_catalog.pg_constraint co JOIN pg_catalog.pg_class c ON c.oid = co.conrelid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE NOT co.convalidated AND co.conparentid = 0 AND " USERS
	" UNION ALL SELECT 'constraint ' || pg_catalog.quote_ident(n.nspname) || '.' ||"
	" pg_catalog.quote_ident(t.typname) || '.' || pg_catalog.quote_ident(co.conname),"
	" CAST(co.conname AS text),"
	" 'constraint ' || CAST(co.conname AS text) || ' of domain ' || CAST(t.typname AS text) ||"
	"  ' is not validated: old rows were never checked',"
	" 'ALTER DOMAIN ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname)"
	"  || ' VALIDATE CONSTRAINT ' || pg_catalog.quote_ident(co.conname)"
	" FROM pg_catalog.pg_constraint co JOIN pg_catalog.pg_type t ON t.oid = co.contypid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
	" WHERE NOT co.convalidated AND " USERS
	" ORDER BY 1";
/* clang-format on */

struct defect_reader {
	db_defect_fn fn;
	void *arg;
};

static int defect_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct defect_reader *r = arg;
	struct arena a;
	struct db_defect d;
	int result;

	(void)n;
	arena_init(&a);
	d = (struct db_defect){
		.object = arena_sv(&a, col[0].s).p,
		.name = arena_sv(&a, col[1].s).p,
		.words = arena_sv(&a, col[2].s).p,
		.mend = arena_sv(&a, col[3].s).p,
	};
	result = r->fn(r->arg, &d, e);
	arena_clear(&a);
	return result;
}

int pg_defects(struct db *db, db_defect_fn fn, void *arg, struct err *e)
{
	struct defect_reader r = { fn, arg };

	/* The literal is one text: statements are cached by its address. */
	return db_exec(db, defects_sql, NULL, 0, defect_row, &r, e);
}

/* --- The schema -------------------------------------------------------------------------------- */

#define OBJECT "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)"
/* What belongs to an extension changes with its version, not with migrations. */
#define NOT_OF_EXTENSION(class, oid) \
	"NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND " \
	"d.classid = 'pg_catalog." class "'::pg_catalog.regclass AND d.objid = " oid ")"

static const char *const schema_sql =
	"SELECT line FROM ("
	"SELECT 'schema ' || pg_catalog.quote_ident(n.nspname) AS line "
	"FROM pg_catalog.pg_namespace n WHERE " USERS
	/* relkind: tables, partitioned and foreign ones, views, sequences, composite types */
	" UNION ALL SELECT 'relation ' || c.relkind::text || ' ' || c.relpersistence::text || ' ' "
	"|| " OBJECT " || ' rls ' || c.relrowsecurity::text || c.relforcerowsecurity::text || ' ' "
	"|| coalesce(pg_catalog.pg_get_partkeydef(c.oid), '') || ' ' || "
	"coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), '') "
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"WHERE c.relkind IN ('r', 'p', 'f', 'S', 'c') AND " USERS " AND " NOT_OF_EXTENSION(
		"pg_class",
		"c.oid") " UNION ALL SELECT 'column ' || " OBJECT " || ' ' || "
			 "pg_catalog.quote_ident(a.attname) || ' ' || "
			 "pg_catalog.format_type(a.atttypid, a.atttypmod) || "
			 "CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || ' ' "
			 "|| a.attidentity::text || a.attgenerated::text || ' ' || "
			 "coalesce(pg_catalog.pg_get_expr(def.adbin, def.adrelid), '') "
			 "|| ' ' || coalesce((SELECT co.collname FROM "
			 "pg_catalog.pg_collation co WHERE co.oid = a.attcollation AND "
			 "co.collname <> 'default'), '') "
			 "FROM pg_catalog.pg_attribute a "
			 "JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
			 "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
			 "LEFT JOIN pg_catalog.pg_attrdef def ON def.adrelid = c.oid "
			 "AND def.adnum = a.attnum "
			 "WHERE a.attnum > 0 AND NOT a.attisdropped "
			 "AND c.relkind IN ('r', 'p', 'f', 'c') AND " USERS
			 " AND " NOT_OF_EXTENSION(
				 "pg_class",
				 "c.oid") " UNION ALL SELECT 'constraint ' || co.conrelid::pg_catalog.regclass::text || ' ' || "
					  "pg_catalog.quote_ident(co.conname) || ' ' || pg_catalog.pg_get_constraintdef(co.oid) "
					  "FROM pg_catalog.pg_constraint co "
					  "JOIN pg_catalog.pg_namespace n ON n.oid = co.connamespace WHERE co.contype <> 't' AND " USERS
					  " UNION ALL SELECT 'index ' || pg_catalog.pg_get_indexdef(i.indexrelid) || "
					  "CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END "
					  "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid "
					  "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE " USERS
					  " AND " NOT_OF_EXTENSION(
						  "pg_class",
						  "c.oid") " UNION ALL SELECT 'view ' || c.relkind::text || ' ' || " OBJECT
							   " || ' ' || "
							   "pg_catalog.pg_get_viewdef(c.oid) "
							   "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
							   "WHERE c.relkind IN ('v', 'm') AND " USERS
							   " AND " NOT_OF_EXTENSION(
								   "pg_class",
								   "c.oid") " UNION ALL SELECT 'function ' || pg_catalog.pg_get_functiondef(p.oid) "
									    "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
									    "WHERE p.prokind IN ('f', 'p', 'w') AND " USERS
									    " AND " NOT_OF_EXTENSION(
										    "pg_proc",
										    "p.oid") " UNION ALL SELECT 'aggregate ' || p.oid::pg_catalog.regprocedure::text "
											     "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
											     "WHERE p.prokind = 'a' AND " USERS
											     " AND " NOT_OF_EXTENSION(
												     "pg_proc",
												     "p.oid") " UNION ALL SELECT 'trigger ' || pg_catalog.pg_get_triggerdef(t.oid) || ' ' || "
													      "t.tgenabled::text FROM pg_catalog.pg_trigger t "
													      "JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid "
													      "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND " USERS
													      " UNION ALL SELECT 'sequence ' || " OBJECT
													      " || ' ' || "
													      "pg_catalog.format_type(s.seqtypid, NULL) || ' ' || s.seqstart || ' ' || s.seqincrement || "
													      "' ' || s.seqmin || ' ' || s.seqmax || ' ' || s.seqcycle::text "
													      "FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid "
													      "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE " USERS
													      " UNION ALL SELECT 'type ' || t.typtype::text || ' ' || t.oid::pg_catalog.regtype::text || "
													      "' ' || coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_literal(v.enumlabel), ',' "
													      "ORDER BY v.enumsortorder) FROM pg_catalog.pg_enum v WHERE v.enumtypid = t.oid), '') || "
													      "CASE WHEN t.typtype = 'd' THEN ' ' || pg_catalog.format_type(t.typbasetype, t.typtypmod) "
													      "|| ' ' || t.typnotnull::text || ' ' || coalesce(t.typdefault, '') ELSE '' END "
													      "FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
													      "WHERE t.typtype IN ('e', 'd', 'r') AND " USERS
													      " AND " NOT_OF_EXTENSION(
														      "pg_type",
														      "t.oid") " UNION ALL SELECT 'policy ' || " OBJECT
															       " || ' ' || pg_catalog.quote_ident(p.polname) || "
															       "' ' || p.polcmd::text || p.polpermissive::text || ' ' || "
															       "coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.rolname), ',' ORDER BY "
															       "r.rolname) FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles)), '') || ' ' || "
															       "coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), '') || ' ' || "
															       "coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), '') "
															       "FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid "
															       "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE " USERS
															       " UNION ALL SELECT 'extension ' || pg_catalog.quote_ident(x.extname) "
															       "FROM pg_catalog.pg_extension x"
															       ") AS lines ORDER BY line COLLATE \"C\"";

static int digest_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	digest_add(arg, col[0].s.p, col[0].s.n);
	digest_add(arg, "", 1);
	return 0;
}

int pg_schema_digest(struct db *db, char hex[65], struct err *e)
{
	struct digest *d = digest_new();
	int result;

	/* Never empty: a set path with nothing in it still has pg_catalog in front. */
	result = pg_exec(pg_of(db), schema_sql, "pg_catalog", NULL, 0, digest_row, d, e);
	if (result == 0)
		digest_end(d, hex);
	digest_free(d);
	return result;
}
