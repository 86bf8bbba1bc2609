/* SPDX-License-Identifier: MIT */
/*
 * The tables of other tools as they create them on real servers.
 *
 * needs: servers
 *
 * Everything is read by a role that may only SELECT, so the server itself refuses any write; the
 * rows are compared before and after all the same.
 */
#include "core/migrate/foreign.h"

#include "core/db/db.h"
#include "tests/support/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One tool's table with its rows, and what must be read out of it. */
struct fixture {
	const char *tool, *table;
	const char *pg, *my; /* DDL; NULL: the tool does not know the engine */
	const char *rows;    /* for both; NULL: within the DDL */
	const char *
		states; /* of the records in order: a applied, f failed, u undone, b, t up to, h head */
	const char *key;   /* of the first */
	int64_t at_utc_ms; /* of the first; 0: none */
	bool pg_no_zone, my_no_zone;
	const char *checksum; /* of the first */
};

#define AT 1704103200000 /* 2024-01-01 10:00:00 UTC */

#define FLYWAY(time, flag) \
	"CREATE TABLE flyway_schema_history (installed_rank INT NOT NULL, version VARCHAR(50)," \
	" description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT " \
	"NULL, checksum INT, installed_by VARCHAR(100) NOT NULL, installed_on " time \
	" NOT NULL DEFAULT CURRENT_TIMESTAMP, execution_time INT NOT NULL, success " flag \
	" NOT NULL, CONSTRAINT flyway_schema_history_pk PRIMARY KEY (installed_rank))"
#define LIQUIBASE(table, time) \
	"CREATE TABLE " table "LOCK (ID INT NOT NULL, LOCKED BOOLEAN NOT NULL, LOCKGRANTED " time \
	", LOCKEDBY VARCHAR(255)); INSERT INTO " table \
	"LOCK VALUES (1, TRUE, '2024-01-01 10:00:00', 'pod-7');" \
	"CREATE TABLE " table \
	" (ID VARCHAR(255) NOT NULL, AUTHOR VARCHAR(255) NOT NULL, FILENAME VARCHAR(255) NOT NULL," \
	" DATEEXECUTED " time \
	" NOT NULL, ORDEREXECUTED INT NOT NULL, EXECTYPE VARCHAR(10) NOT NULL," \
	" MD5SUM VARCHAR(35), DESCRIPTION VARCHAR(255), COMMENTS VARCHAR(255), TAG VARCHAR(255)," \
	" LIQUIBASE VARCHAR(20), CONTEXTS VARCHAR(255), LABELS VARCHAR(255), DEPLOYMENT_ID VARCHAR(10));" \
	"INSERT INTO " table " VALUES ('1', 'ann', 'a.sql', '2024-01-01 10:00:00', 1, 'EXECUTED'," \
	" '9:abc', 'sql', '', NULL, '4.2', NULL, NULL, '1'), ('2', 'ann', 'b.sql'," \
	" '2024-01-01 10:00:00', 2, 'FAILED', '9:abc', 'sql', '', NULL, '4.2', NULL, NULL, '1')"
#define SQITCH(time) \
	"CREATE TABLE sqitch.changes (change_id VARCHAR(40) PRIMARY KEY, script_hash VARCHAR(40)," \
	" `change` VARCHAR(255) NOT NULL, project VARCHAR(255) NOT NULL, note VARCHAR(255) NOT NULL," \
	" committed_at " time " NOT NULL, committer_name VARCHAR(255) NOT NULL, committer_email" \
	" VARCHAR(255) NOT NULL, planned_at " time \
	" NOT NULL, planner_name VARCHAR(255) NOT NULL," \
	" planner_email VARCHAR(255) NOT NULL);" \
	"CREATE TABLE sqitch.tags (tag_id VARCHAR(40) PRIMARY KEY, tag VARCHAR(255) NOT NULL," \
	" project VARCHAR(255), change_id VARCHAR(40) NOT NULL);" \
	"CREATE TABLE sqitch.events (event VARCHAR(6) NOT NULL, change_id VARCHAR(40) NOT NULL," \
	" `change` VARCHAR(255) NOT NULL, project VARCHAR(255) NOT NULL, note VARCHAR(255) NOT NULL," \
	" committed_at " time " NOT NULL, committer_name VARCHAR(255) NOT NULL)"
#define SQITCH_PG \
	"CREATE SCHEMA sqitch;" \
	"CREATE TABLE sqitch.changes (change_id TEXT PRIMARY KEY, script_hash TEXT, change TEXT NOT NULL," \
	" project TEXT NOT NULL, note TEXT NOT NULL DEFAULT '', committed_at TIMESTAMPTZ NOT NULL," \
	" committer_name TEXT NOT NULL, committer_email TEXT NOT NULL, planned_at TIMESTAMPTZ NOT NULL," \
	" planner_name TEXT NOT NULL, planner_email TEXT NOT NULL);" \
	"CREATE TABLE sqitch.tags (tag_id TEXT PRIMARY KEY, tag TEXT NOT NULL, project TEXT," \
	" change_id TEXT NOT NULL);" \
	"CREATE TABLE sqitch.events (event TEXT NOT NULL CHECK (event IN ('deploy', 'revert', 'fail'," \
	" 'merge')), change_id TEXT NOT NULL, change TEXT NOT NULL, project TEXT NOT NULL," \
	" note TEXT NOT NULL DEFAULT '', committed_at TIMESTAMPTZ NOT NULL, committer_name TEXT NOT NULL)"

static const struct fixture fixtures[] = {
	{ .tool = "dbmate",
	  .table = "schema_migrations",
	  .pg = "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
	  .my = "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)",
	  .rows = "INSERT INTO schema_migrations VALUES ('001'), ('002')",
	  .states = "aa",
	  .key = "001" },
	{ .tool = "rails",
	  .table = "schema_migrations",
	  .pg = "CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar, created_at"
		" timestamp NOT NULL, updated_at timestamp NOT NULL);"
		"CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)",
	  .my = "CREATE TABLE ar_internal_metadata (`key` varchar(255) PRIMARY KEY, value varchar(255),"
		" created_at datetime(6) NOT NULL, updated_at datetime(6) NOT NULL);"
		"CREATE TABLE schema_migrations (version varchar(255) NOT NULL PRIMARY KEY)",
	  .rows = "INSERT INTO schema_migrations VALUES ('20240101000000')",
	  .states = "a",
	  .key = "20240101000000" },
	{ .tool = "golang-migrate",
	  .table = "schema_migrations",
	  .pg = "CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not"
		" null)",
	  .my = "CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not"
		" null)",
	  .rows = "INSERT INTO schema_migrations VALUES (3, TRUE)",
	  .states = "f",
	  .key = "3" },
	{ .tool = "goose",
	  .table = "goose_db_version",
	  .pg = "CREATE TABLE goose_db_version (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,"
		" version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL"
		" DEFAULT now())",
	  .my = "CREATE TABLE goose_db_version (id serial NOT NULL, version_id bigint NOT NULL,"
		" is_applied boolean NOT NULL, tstamp timestamp NULL DEFAULT now(), PRIMARY KEY (id))",
	  .rows = "INSERT INTO goose_db_version (version_id, is_applied, tstamp) VALUES"
		  " (0, TRUE, '2024-01-01 10:00:00'), (1, TRUE, '2024-01-01 10:00:00'),"
		  " (2, FALSE, '2024-01-01 10:00:00')",
	  .states = "au",
	  .key = "1",
	  .at_utc_ms = AT,
	  .pg_no_zone = true,
	  .my_no_zone = true },
	{ .tool = "flyway",
	  .table = "flyway_schema_history",
	  .pg = FLYWAY("TIMESTAMP", "BOOLEAN"),
	  .my = FLYWAY("TIMESTAMP", "BOOL"),
	  .rows = "INSERT INTO flyway_schema_history VALUES"
		  " (1, '1', 'a', 'SQL', 'V1__a.sql', -1762725568, 'app', '2024-01-01 10:00:00', 5, TRUE),"
		  " (2, '2', 'b', 'SQL', 'V2__b.sql', 17, 'app', '2024-01-01 10:00:00', 5, FALSE),"
		  " (3, NULL, 'r', 'SQL', 'R__r.sql', 17, 'app', '2024-01-01 10:00:00', 5, TRUE)",
	  .states = "afa",
	  .key = "1",
	  .at_utc_ms = AT,
	  .pg_no_zone = true,
	  .my_no_zone = true,
	  .checksum = "crc32:-1762725568" },
	{ .tool = "liquibase",
	  .table = "databasechangelog",
	  .pg = LIQUIBASE("databasechangelog", "TIMESTAMP"),
	  .states = "af",
	  .key = "1",
	  .at_utc_ms = AT,
	  .pg_no_zone = true,
	  .checksum = "md5:9:abc" },
	{ .tool = "liquibase",
	  .table = "DATABASECHANGELOG",
	  .my = LIQUIBASE("DATABASECHANGELOG", "datetime"),
	  .states = "af",
	  .key = "1",
	  .at_utc_ms = AT,
	  .my_no_zone = true,
	  .checksum = "md5:9:abc" },
	{ .tool = "alembic",
	  .table = "alembic_version",
	  .pg = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT"
		" alembic_version_pkc PRIMARY KEY (version_num))",
	  .my = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT"
		" alembic_version_pkc PRIMARY KEY (version_num))",
	  .rows = "INSERT INTO alembic_version VALUES ('ae1027a6acf'), ('b2')",
	  .states = "hh",
	  .key = "ae1027a6acf" },
	{ .tool = "django",
	  .table = "django_migrations",
	  .pg = "CREATE TABLE django_migrations (id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,"
		" app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL)",
	  .my = "CREATE TABLE django_migrations (id bigint AUTO_INCREMENT NOT NULL PRIMARY KEY,"
		" app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime(6) NOT NULL)",
	  .rows = "INSERT INTO django_migrations (app, name, applied) VALUES"
		  " ('auth', '0001_initial', '2024-01-01 10:00:00')",
	  .states = "a",
	  .key = "0001_initial",
	  .at_utc_ms = AT,
	  .my_no_zone = true },
	{ .tool = "diesel",
	  .table = "__diesel_schema_migrations",
	  .pg = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,"
		" run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
	  .my = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,"
		" run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
	  .rows = "INSERT INTO __diesel_schema_migrations VALUES ('20170923182408',"
		  " '2024-01-01 10:00:00')",
	  .states = "a",
	  .key = "20170923182408",
	  .at_utc_ms = AT,
	  .pg_no_zone = true,
	  .my_no_zone = true },
	{ .tool = "sqlx",
	  .table = "_sqlx_migrations",
	  .pg = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,"
		" installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL,"
		" checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL);"
		"INSERT INTO _sqlx_migrations VALUES (1, 'a', '2024-01-01 10:00:00+00', TRUE,"
		" decode('ABCD00', 'hex'), 1000000), (2, 'b', now(), FALSE, '', -1)",
	  .my = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,"
		" installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,"
		" checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);"
		"INSERT INTO _sqlx_migrations VALUES (1, 'a', '2024-01-01 10:00:00', TRUE,"
		" x'ABCD00', 1000000), (2, 'b', now(), FALSE, '', -1)",
	  .states = "af",
	  .key = "1",
	  .at_utc_ms = AT,
	  .my_no_zone = true,
	  .checksum = "sha384:abcd00" },
	{ .tool = "prisma",
	  .table = "_prisma_migrations",
	  .pg = "CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum"
		" VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL,"
		" logs TEXT, rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(),"
		" applied_steps_count INTEGER NOT NULL DEFAULT 0)",
	  .my = "CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum"
		" VARCHAR(64) NOT NULL, finished_at DATETIME(3), migration_name VARCHAR(255) NOT NULL,"
		" logs TEXT, rolled_back_at DATETIME(3), started_at DATETIME(3) NOT NULL DEFAULT"
		" CURRENT_TIMESTAMP(3), applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0)",
	  .rows = "INSERT INTO _prisma_migrations VALUES"
		  " ('a', '0a', '2024-01-01 10:00:01', '1_a', NULL, NULL, '2024-01-01 10:00:00', 1),"
		  " ('b', '0b', NULL, '2_b', 'no', '2024-01-01 11:00:00', '2024-01-01 10:00:01', 0),"
		  " ('c', '0c', NULL, '3_c', 'no', NULL, '2024-01-01 10:00:02', 0)",
	  .states = "auf",
	  .key = "1_a",
	  .at_utc_ms = AT,
	  .my_no_zone = true,
	  .checksum = "sha256:0a" },
	{ .tool = "knex",
	  .table = "knex_migrations",
	  .pg = "CREATE TABLE knex_migrations (id serial PRIMARY KEY, name varchar(255), batch integer,"
		" migration_time timestamptz)",
	  .my = "CREATE TABLE knex_migrations (id int unsigned not null auto_increment primary key,"
		" name varchar(255), batch int, migration_time timestamp)",
	  .rows = "INSERT INTO knex_migrations (name, batch, migration_time) VALUES"
		  " ('1_a.js', 1, '2024-01-01 10:00:00'), (NULL, 1, NULL)",
	  .states = "a",
	  .key = "1_a.js",
	  .at_utc_ms = AT,
	  .my_no_zone = true },
	{ .tool = "sqitch",
	  .table = "sqitch.changes",
	  .pg = SQITCH_PG,
	  .my = "CREATE DATABASE sqitch;" SQITCH("DATETIME(6)"),
	  .rows = "INSERT INTO sqitch.changes VALUES ('c1', 'aa', 'users', 'shop', 'n',"
		  " '2024-01-01 10:00:00', 'Ann', 'a@x', '2024-01-01 10:00:00', 'Ann', 'a@x');"
		  "INSERT INTO sqitch.tags VALUES ('t1', '@v1', 'shop', 'c1');"
		  "INSERT INTO sqitch.events VALUES"
		  " ('fail', 'c1', 'users', 'shop', 'n', '2024-01-01 09:00:00', 'Ann'),"
		  " ('deploy', 'c1', 'users', 'shop', 'n', '2024-01-01 10:00:00', 'Ann'),"
		  " ('fail', 'c2', 'items', 'shop', 'n', '2024-01-01 11:00:00', 'Bob')",
	  .states = "af",
	  .key = "users",
	  .at_utc_ms = AT,
	  .my_no_zone = true,
	  .checksum = "sha1:aa" },
	{ .tool = "graphile-migrate",
	  .table = "graphile_migrate.migrations",
	  .pg = "CREATE SCHEMA graphile_migrate; CREATE TABLE graphile_migrate.migrations (hash text"
		" primary key, previous_hash text references graphile_migrate.migrations deferrable"
		" initially deferred, filename text not null, date timestamptz not null default now());"
		"CREATE TABLE graphile_migrate.current (filename text primary key default 'current.sql',"
		" content text not null, date timestamptz not null default now());"
		"INSERT INTO graphile_migrate.migrations VALUES"
		" ('sha1:aa', NULL, '000001.sql', '2024-01-01 12:00:00+02')",
	  .states = "a",
	  .key = "000001.sql",
	  .at_utc_ms = AT,
	  .checksum = "sha1:aa" },
};

static struct server server[2];
static enum server_kind kind;
static struct arena arena;
static struct db *db;
static struct history *h;
static struct err e;

static char *sql(const char *text)
{
	return services_sql(&server[kind], text);
}

static void run(const char *text)
{
	if (text != NULL)
		mem_free(sql(text));
}

/* A database without tables, and the role that may only read. */
static void empty_world(void)
{
	services_need(&server[kind]);
	if (kind == SERVICE_PG)
		run("DROP SCHEMA IF EXISTS public, sqitch, graphile_migrate CASCADE;"
		    " CREATE SCHEMA public;"
		    " DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'reader';"
		    " EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
		    " GRANT USAGE ON SCHEMA public TO reader; ALTER ROLE reader SET timezone = 'UTC'");
	else
		run("DROP DATABASE IF EXISTS sqitch; DROP DATABASE IF EXISTS app;"
		    " CREATE DATABASE app; CREATE USER IF NOT EXISTS reader@localhost;"
		    " GRANT SELECT ON *.* TO reader@localhost");
}

static void grant(void)
{
	if (kind == SERVICE_PG)
		run("DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname"
		    " IN ('public', 'sqitch', 'graphile_migrate') LOOP"
		    " EXECUTE format('GRANT USAGE ON SCHEMA %I TO reader', s);"
		    " EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO reader', s);"
		    " END LOOP; END $$");
}

static void connect_reader(void)
{
	struct dsn dsn;

	if (dsn_parse(&arena, server[kind].url, "/", &dsn, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	dsn.user = "reader";
	if (db_open(&dsn, DB_READ_ONLY, NULL, NULL, &db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static void drop_reader(void)
{
	history_free(h);
	h = NULL;
	db_close(db);
	db = NULL;
}

static int setup(void **state)
{
	(void)state;
	db = NULL;
	h = NULL;
	arena_init(&arena);
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drop_reader();
	arena_clear(&arena);
	return 0;
}

static char *contents(const struct fixture *f)
{
	char text[256];

	snprintf(text, sizeof(text),
		 kind == SERVICE_PG ? "SELECT md5(string_agg(t::text, ',')) FROM %s t"
				    : "CHECKSUM TABLE %s",
		 f->table);
	return sql(text);
}

static void read_history(const char *want)
{
	history_free(h);
	h = NULL;
	if (history_read_from(db, want, false, &h, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static void check(const struct fixture *f)
{
	static const char letters[] = {
		[FOREIGN_APPLIED] = 'a',  [FOREIGN_FAILED] = 'f', [FOREIGN_UNDONE] = 'u',
		[FOREIGN_BASELINE] = 'b', [FOREIGN_UP_TO] = 't',  [FOREIGN_HEAD] = 'h'
	};
	const struct foreign_record *first;
	char states[64];

	if (h->tool == NULL)
		fail_msg("%s is not recognised", f->tool);
	assert_string_equal(h->tool, f->tool);
	assert_string_equal(h->table, f->table);
	for (size_t i = 0; i < h->foreign->n && i + 1 < sizeof(states); i++) {
		states[i] = letters[h->foreign->rec[i].state];
		states[i + 1] = '\0';
	}
	assert_true(h->foreign->n > 0);
	assert_string_equal(states, f->states);
	first = &h->foreign->rec[0];
	assert_string_equal(first->key, f->key);
	assert_int_equal(first->at_utc_ms, f->at_utc_ms);
	assert_int_equal(first->no_zone, kind == SERVICE_PG ? f->pg_no_zone : f->my_no_zone);
	if (f->checksum != NULL)
		assert_string_equal(first->checksum, f->checksum);
	else
		assert_null(first->checksum);
}

static void check_all(void)
{
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		const struct fixture *f = &fixtures[i];
		const char *ddl = kind == SERVICE_PG ? f->pg : f->my;
		char *before, *after;

		if (ddl == NULL)
			continue;
		empty_world();
		run(ddl);
		run(f->rows);
		grant();
		connect_reader();
		before = contents(f);
		read_history("auto");
		print_message("%s\n", f->tool);
		check(f);
		read_history(f->tool);
		check(f);
		history_resolve(h, NULL);
		if (foreign_busy(db, h, &e) != 0)
			fail_msg("%s: %s", e.msg, e.detail);
		assert_int_equal(h->busy != NULL, strcmp(f->tool, "liquibase") == 0);
		after = contents(f);
		assert_string_equal(before, after);
		mem_free(before);
		mem_free(after);
		drop_reader();
	}
}

static void every_tool__is_read__from_postgresql(void **state)
{
	(void)state;
	kind = SERVICE_PG;
	check_all();
}

static void every_tool__is_read__from_mariadb(void **state)
{
	(void)state;
	kind = SERVICE_MY;
	check_all();
}

static void refuse_without_right(void)
{
	empty_world();
	if (kind == SERVICE_PG)
		run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)");
	connect_reader();
	assert_int_equal(history_read_from(db, "auto", false, &h, &e), -1);
	assert_string_equal(e.msg, "cannot read alembic_version of alembic");
	assert_non_null(strstr(e.hint, "SELECT"));
	/* The operator may leave it alone. */
	read_history("bascule");
	assert_null(h->tool);
}

static void no_right__is_an_error_with_a_way_out__on_postgresql(void **state)
{
	(void)state;
	kind = SERVICE_PG;
	refuse_without_right();
}

/* Who is migrating, by the lock that the tool takes. A second connection takes it as the tool would. */
static void lock_holder__is_named__on_postgresql(void **state)
{
	struct dsn dsn;
	struct db *other = NULL;

	(void)state;
	kind = SERVICE_PG;
	empty_world();
	connect_reader();
	read_history("auto");
	assert_int_equal(dsn_parse(&arena, server[kind].url, "/", &dsn, &e), 0);
	assert_int_equal(db_open(&dsn, 0, NULL, NULL, &other, &e), 0);
	assert_int_equal(
		db_exec(other, "SELECT pg_advisory_lock(75474063)", NULL, 0, NULL, NULL, &e), 0);
	assert_int_equal(foreign_busy(db, h, &e), 0);
	db_close(other);
	assert_non_null(h->busy);
	assert_non_null(strstr(h->busy, "sqitch is migrating (session "));
}

static void lock_holder__is_named__on_mariadb(void **state)
{
	struct dsn dsn;
	struct db *other = NULL;

	(void)state;
	kind = SERVICE_MY;
	empty_world();
	connect_reader();
	read_history("auto");
	assert_int_equal(foreign_busy(db, h, &e), 0);
	assert_null(h->busy);
	assert_int_equal(dsn_parse(&arena, server[kind].url, "/", &dsn, &e), 0);
	assert_int_equal(db_open(&dsn, 0, NULL, NULL, &other, &e), 0);
	assert_int_equal(db_exec(other, "SELECT GET_LOCK('sqitch working on app', 5)", NULL, 0,
				 NULL, NULL, &e),
			 0);
	assert_int_equal(foreign_busy(db, h, &e), 0);
	db_close(other);
	assert_non_null(h->busy);
	assert_non_null(strstr(h->busy, "sqitch is migrating (session "));
}

static int start(void **state)
{
	(void)state;
	(void)services_start(SERVICE_PG, &server[SERVICE_PG]);
	(void)services_start(SERVICE_MY, &server[SERVICE_MY]);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	services_stop(&server[SERVICE_PG]);
	services_stop(&server[SERVICE_MY]);
	return 0;
}

int main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_tool__is_read__from_mariadb),
		T(lock_holder__is_named__on_mariadb),
		T(every_tool__is_read__from_postgresql),
		T(no_right__is_an_error_with_a_way_out__on_postgresql),
		T(lock_holder__is_named__on_postgresql),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
