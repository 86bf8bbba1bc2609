/* SPDX-License-Identifier: MIT */
/*
 * What is to be said of a PostgreSQL server and of our role there.
 *
 * Privileges are asked for one by one, as the server would decide them (has_…_privilege, membership),
 * so that roles within roles and PUBLIC count. What a role may do beyond any need is not forbidden; it is
 * named, because nobody remembers giving it.
 */
#include "core/db/db_postgres.h"

#include <string.h>

#include "core/base/mem.h"

/* --- Facts ------------------------------------------------------------------------------------- */

static const char *const fact_names[] = { "started",     "encoding",
					  "collation",   "databases",
					  "connections", "default_transaction_isolation" };

int pg_facts(struct db *db, db_fact_fn fn, void *arg, struct err *e)
{
	struct db_fact_row r = { fact_names, sizeof(fact_names) / sizeof(fact_names[0]), fn, arg };

	return db_exec(
		db,
		"SELECT pg_catalog.to_char(pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC', "
		"'YYYY-MM-DD HH24:MI') || ' UTC', pg_catalog.pg_encoding_to_char(d.encoding), "
		"CAST(d.datcollate AS text), "
		"CAST((SELECT count(*) FROM pg_catalog.pg_database WHERE NOT datistemplate) AS text), "
		"(SELECT CAST(count(*) AS text) FROM pg_catalog.pg_stat_activity "
		"WHERE backend_type = 'client backend') || ' of ' || "
		"pg_catalog.current_setting('max_connections'), "
		"pg_catalog.current_setting('default_transaction_isolation') "
		"FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
		NULL, 0, db_fact_row, &r, e);
}

/* --- Privileges -------------------------------------------------------------------------------- */

/* Each row: held (1), needed (1; 0: none of ours needs it), optional, name, words, what mends it. */
/* clang-format off */
static const char *const privileges_sql =
	"WITH me AS (SELECT r.*, pg_catalog.quote_ident(r.rolname) AS q,"
	"  pg_catalog.quote_ident(pg_catalog.current_database()) AS d,"
	"  pg_catalog.to_regnamespace('bascule') AS ledger,"
	"  coalesce(pg_catalog.current_schema(), 'public') AS s"
	"  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user),"
	" users AS (SELECT c.relowner FROM pg_catalog.pg_class c"
	"  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	"  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname <> 'bascule'"
	"  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
	"  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.deptype = 'e'"
	"   AND x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = c.oid)),"
	" alien AS (SELECT count(*) AS n, min(pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(relowner))) AS o"
	"  FROM users WHERE NOT pg_catalog.pg_has_role(relowner, 'USAGE'))"
	" SELECT CASE WHEN me.ledger IS NOT NULL THEN 1 WHEN"
	"  pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN 1 ELSE 0 END,"
	"  1, 0, 'CREATE on database ' || me.d, 'makes the schema of the ledger, once',"
	"  'GRANT CREATE ON DATABASE ' || me.d || ' TO ' || me.q FROM me"
	" UNION ALL SELECT CASE WHEN pg_catalog.to_regnamespace(pg_catalog.quote_ident(me.s)) IS NOT NULL AND"
	"  pg_catalog.has_schema_privilege(me.s, 'CREATE') THEN 1 ELSE 0 END,"
	"  1, 0, 'CREATE on schema ' || me.s, 'migrations make tables there',"
	"  'GRANT CREATE ON SCHEMA ' || pg_catalog.quote_ident(me.s) || ' TO ' || me.q FROM me"
	" UNION ALL SELECT CASE WHEN pg_catalog.has_schema_privilege('bascule', 'USAGE') AND NOT EXISTS ("
	"  SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = me.ledger AND c.relkind = 'r' AND NOT ("
	"   pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT')"
	"   AND pg_catalog.has_table_privilege(c.oid, 'UPDATE'))) THEN 1 ELSE 0 END,"
	"  1, 0, 'SELECT, INSERT, UPDATE on the ledger', 'every run writes it',"
	"  'GRANT USAGE ON SCHEMA bascule TO ' || me.q || '; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN "
	"SCHEMA bascule TO ' || me.q FROM me WHERE me.ledger IS NOT NULL"
	" UNION ALL SELECT CASE WHEN alien.n = 0 THEN 1 ELSE 0 END, 1, 0,"
	"  CASE WHEN alien.n = 0 THEN 'owner of the tables' ELSE"
	"   'owner of ' || alien.n || ' table' || CASE WHEN alien.n = 1 THEN '' ELSE 's' END"
	"   || ' of ' || alien.o END,"
	"  'only an owner alters or drops a table', 'GRANT ' || coalesce(alien.o, '') || ' TO ' || me.q"
	"  FROM me, alien"
	" UNION ALL SELECT CASE WHEN pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') THEN 1 ELSE 0 END,"
	"  1, 1, 'pg_read_all_stats', 'shows what other roles'' sessions run before and during a migration',"
	"  'GRANT pg_read_all_stats TO ' || me.q FROM me"
	" UNION ALL SELECT 1, 0, 0, 'SUPERUSER', 'may do everything, on every database of the server',"
	"  'ALTER ROLE ' || me.q || ' NOSUPERUSER' FROM me WHERE me.rolsuper"
	" UNION ALL SELECT 1, 0, 0, 'CREATEDB', 'may make databases',"
	"  'ALTER ROLE ' || me.q || ' NOCREATEDB' FROM me WHERE me.rolcreatedb AND NOT me.rolsuper"
	" UNION ALL SELECT 1, 0, 0, 'CREATEROLE', 'may make roles, and give itself others''',"
	"  'ALTER ROLE ' || me.q || ' NOCREATEROLE' FROM me WHERE me.rolcreaterole AND NOT me.rolsuper"
	" UNION ALL SELECT 1, 0, 0, 'BYPASSRLS', 'passes every row level policy',"
	"  'ALTER ROLE ' || me.q || ' NOBYPASSRLS' FROM me WHERE me.rolbypassrls AND NOT me.rolsuper"
	" UNION ALL SELECT 1, 0, 0, 'REPLICATION', 'may copy the whole server',"
	"  'ALTER ROLE ' || me.q || ' NOREPLICATION' FROM me WHERE me.rolreplication AND NOT me.rolsuper"
	" UNION ALL SELECT 1, 0, 0, p.name, p.words, 'REVOKE ' || p.name || ' FROM ' || me.q"
	"  FROM me, (VALUES ('pg_execute_server_program', 'may run programs on the server'),"
	"   ('pg_write_server_files', 'may write files of the server'),"
	"   ('pg_read_server_files', 'may read files of the server'),"
	"   ('pg_write_all_data', 'may write every table')) AS p (name, words)"
	"  WHERE NOT me.rolsuper AND pg_catalog.pg_has_role(p.name, 'USAGE')";
/* clang-format on */

struct privilege_reader {
	db_privilege_fn fn;
	void *arg;
};

static int privilege_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct privilege_reader *r = arg;
	struct db_privilege p = { .optional = col[2].i != 0 };
	struct arena a;
	int result;

	(void)n;
	arena_init(&a);
	p.state = col[1].i == 0   ? DB_PRIVILEGE_BEYOND
		  : col[0].i != 0 ? DB_PRIVILEGE_HELD
				  : DB_PRIVILEGE_MISSING;
	p.name = arena_sv(&a, col[3].s).p;
	p.words = arena_sv(&a, col[4].s).p;
	p.mend = arena_sv(&a, col[5].s).p;
	result = r->fn(r->arg, &p, e);
	arena_clear(&a);
	return result;
}

int pg_privileges(struct db *db, db_privilege_fn fn, void *arg, struct err *e)
{
	struct privilege_reader r = { fn, arg };

	return db_exec(db, privileges_sql, NULL, 0, privilege_row, &r, e);
}
