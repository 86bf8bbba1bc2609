/* SPDX-License-Identifier: MIT */
/* Recognising and reading the tables of other tools, as each of them creates them, on SQLite. */
#include "core/migrate/foreign.h"

#include "core/migrate/matrix.h"
#include "tests/support/sqlite.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static struct db *db;
static struct history *h;
static struct err e;
static int n_made;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	db = NULL;
	h = NULL;
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	history_free(h);
	db_close(db);
	tmp_remove(dir);
	return 0;
}

static void make(const char *sql)
{
	char name[32];

	history_free(h);
	h = NULL;
	db_close(db);
	snprintf(name, sizeof(name), "%d.sqlite", ++n_made);
	db = sqlite_make(dir, name, sql);
}

static void read_as(const char *want)
{
	history_free(h);
	h = NULL;
	if (history_read_from(db, want, false, &h, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static void make_and_read(const char *sql)
{
	make(sql);
	read_as("auto");
}

/* Files: ids with the parents behind a '<', as "003<002". Paths end in the id and ".sql". */
static struct source *files(const char *ns, const char *const *id, size_t n)
{
	struct source *s = mem_calloc(1, sizeof(*s));

	arena_init(&s->arena);
	s->ns = ns;
	s->dir = dir;
	s->n = n;
	s->list = arena_alloc(&s->arena, n * sizeof(*s->list));
	for (size_t i = 0; i < n; i++) {
		struct migration *m = &s->list[i];
		struct sv rest = sv_of(id[i]), own;

		sv_cut(&rest, '<', &own);
		m->ns = ns;
		m->id = arena_sv(&s->arena, own).p;
		m->title = "";
		/* As written here: the order of a graph does not follow from the ids. */
		m->sort_key = arena_printf(&s->arena, "%08zu", i);
		m->up_path = arena_printf(&s->arena, "%s/%s.sql", dir, m->id);
		snprintf(m->checksum, sizeof(m->checksum), "s1:%zu", i);
		if (rest.n > 0) {
			const char **to = arena_alloc(&s->arena, sizeof(*to) * 8);
			struct sv one;

			while (m->n_depends < 8 && sv_cut(&rest, '<', &one))
				to[m->n_depends++] = arena_printf(&s->arena, "%s/%.*s", ns,
								  (int)one.n, one.p);
			m->depends = to;
		}
	}
	return s;
}

static void files_free(struct source *s)
{
	arena_clear(&s->arena);
	mem_free(s);
}

/* The states of the matrix of s and h, a letter each, with the id where there is no file. */
static const char *states(const struct source *s)
{
	static char out[1024];
	static const char letters[CELL_STATES] = {
		[CELL_NONE] = 'n',    [CELL_UNKNOWN] = 'u', [CELL_APPLIED] = 'a',
		[CELL_PENDING] = 'p', [CELL_LATE] = 'l',    [CELL_CHANGED] = 'c',
		[CELL_MISSING] = 'm', [CELL_FAILED] = 'f',  [CELL_PARTIAL] = '/',
	};
	struct matrix_column col = { h, true, NULL };
	struct matrix *m = matrix_build(s, &col, 1, NULL);
	size_t n = 0;

	for (size_t i = 0; i < m->n_row && n < sizeof(out) - 200; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%c%s%s",
				      letters[m->row[i].cell[0].state],
				      m->row[i].file ? "" : m->row[i].id,
				      m->row[i].file ? "" : " ");
	out[n] = '\0';
	matrix_free(m);
	return out;
}

#define FILES(ns, ...) \
	files(ns, (const char *const[]){ __VA_ARGS__ }, \
	      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

#define assert_states(s, want) \
	do { \
		struct source *s_ = (s); \
		history_resolve(h, s_); \
		assert_string_equal(states(s_), want); \
		files_free(s_); \
	} while (0)

#define assert_tool(want) \
	do { \
		assert_non_null(h->tool); \
		assert_string_equal(h->tool, want); \
	} while (0)

static void nothing__is_found__in_an_empty_database(void **state)
{
	(void)state;
	make_and_read(NULL);
	assert_null(h->tool);
	assert_null(h->foreign);
	history_resolve(h, NULL);
	assert_int_equal(h->n, 0);
}

static void look_alikes__are_told_apart__by_columns_and_neighbours(void **state)
{
	(void)state;
	make_and_read("CREATE TABLE \"schema_migrations\" (version varchar(128) primary key);");
	assert_tool("dbmate");
	make_and_read(
		"CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);"
		"CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value "
		"varchar, created_at datetime(6) NOT NULL, updated_at datetime(6) NOT NULL);");
	assert_tool("rails");
	make_and_read("CREATE TABLE schema_migrations (version uint64,dirty bool);"
		      "CREATE UNIQUE INDEX version_unique ON schema_migrations (version);");
	assert_tool("golang-migrate");
	make_and_read("CREATE TABLE schema_migrations (version bigint primary key, inserted_at "
		      "timestamp);");
	assert_null(h->tool); /* Ecto */
	make_and_read("CREATE TABLE django_migrations (id integer, title text);"
		      "CREATE TABLE changes (change_id, script_hash, \"change\", project, note,"
		      " committed_at, committer_name);"
		      "CREATE TABLE migrations (hash, previous_hash, filename, date);");
	assert_null(h->tool);
}

static void bascule__never_looks__and_a_name_is_believed(void **state)
{
	(void)state;
	make("CREATE TABLE schema_migrations (version varchar(128) primary key);"
	     "INSERT INTO schema_migrations VALUES ('1');");
	read_as("bascule");
	assert_null(h->tool);
	read_as("rails");
	assert_tool("rails");
	assert_int_equal(h->foreign->n, 1);
	read_as("flyway");
	assert_tool("flyway");
	assert_int_equal(h->foreign->n, 0);
	assert_non_null(strstr(h->note, "not there yet"));
	read_as("golang-migrate");
	assert_non_null(strstr(h->note, "not as golang-migrate makes it"));
	history_free(h);
	h = NULL;
	assert_int_equal(history_read_from(db, "flywya", false, &h, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_string_equal(e.hint, "history = flyway");
}

static void several_tools__are_noted__and_the_order_is_fixed(void **state)
{
	(void)state;
	make_and_read("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT "
		      "alembic_version_pkc PRIMARY KEY (version_num));"
		      "CREATE TABLE schema_migrations (version varchar(128) primary key);");
	assert_tool("alembic");
	assert_non_null(strstr(h->note, "dbmate"));
}

static void dbmate__shows_late_and_missing__by_the_text_of_the_version(void **state)
{
	(void)state;
	make_and_read("CREATE TABLE schema_migrations (version varchar(128) primary key);"
		      "INSERT INTO schema_migrations VALUES ('001'), ('003'), ('099'), ('');");
	assert_states(FILES("main", "001", "002", "003", "004"), "alalm099 ");
	assert_int_equal(h->n_applied, 3);
	assert_int_equal(h->foreign->n_odd, 1);
	assert_non_null(strstr(h->note, "1 applied without a file, 099 first"));
}

static void golang__applies_all_up_to_its_version__and_dirty_fails_there(void **state)
{
	(void)state;
#define GOLANG "CREATE TABLE schema_migrations (version uint64,dirty bool);"
	make_and_read(GOLANG "INSERT INTO schema_migrations VALUES (3, 0);");
	assert_states(FILES("main", "000001", "000002", "000003", "000004"), "aaap");
	assert_false(h->dirty);
	make_and_read(GOLANG "INSERT INTO schema_migrations VALUES (3, 1);");
	assert_states(FILES("main", "000001", "000002", "000003", "000004"), "aafp");
	assert_true(h->dirty);
	make_and_read(GOLANG "INSERT INTO schema_migrations VALUES (-1, 0);");
	assert_states(FILES("main", "000001"), "p");
	make_and_read(GOLANG);
	assert_states(FILES("main", "000001"), "p");
	make_and_read(GOLANG
		      "INSERT INTO schema_migrations VALUES ('x', 0), (NULL, NULL), (2, 'q');");
	assert_states(FILES("main", "000001"), "p");
	assert_int_equal(h->foreign->n_odd, 3);
	/* The largest there is, without a file. */
	make_and_read(GOLANG "INSERT INTO schema_migrations VALUES ('9223372036854775807', 0);");
	history_resolve(h, NULL);
	assert_int_equal(h->n_applied, 1);
}

static void goose__believes_the_latest_row__of_a_version(void **state)
{
	(void)state;
	make_and_read("CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT,"
		      " version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,"
		      " tstamp TIMESTAMP DEFAULT (datetime('now')));"
		      "INSERT INTO goose_db_version (version_id, is_applied, tstamp) VALUES"
		      " (0,1,'2024-01-01 00:00:00'), (1,1,'2024-01-01 10:00:00'),"
		      " (2,1,'2024-01-02 10:00:00'), (2,0,'2024-01-03 10:00:00'), (3,1,NULL);");
	assert_tool("goose");
	assert_states(FILES("main", "00001", "00002", "00003"), "ala");
	assert_int_equal(h->list[0].at_utc_ms, 1704103200000);
	assert_true(h->list[0].no_zone);
}

#define FLYWAY \
	"CREATE TABLE flyway_schema_history (installed_rank INT NOT NULL PRIMARY KEY," \
	" version VARCHAR(50), description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL," \
	" script VARCHAR(1000) NOT NULL, checksum INT, installed_by VARCHAR(100) NOT NULL," \
	" installed_on TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now'))," \
	" execution_time INT NOT NULL, success BOOLEAN NOT NULL);" \
	"CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success);" \
	"INSERT INTO flyway_schema_history VALUES "

static void flyway__undoes_fails_and_covers__as_its_rows_say(void **state)
{
	(void)state;
	make_and_read(
		FLYWAY
		"(0,NULL,'<< Flyway Schema Creation >>','SCHEMA','x',NULL,'f','2024-01-01 00:00:00.000',0,1),"
		"(1,'1','<< Flyway Baseline >>','BASELINE','x',NULL,'f','2024-01-01 00:00:00.000',0,1),"
		"(2,'1.2','a','SQL','V1_2__a.sql',-17,'bob','2024-01-01 10:00:00.250',12,1),"
		"(3,'2.0','b','SQL','V2.0__b.sql',18,'bob','2024-01-01 10:00:00.250',12,1),"
		"(4,'2.0','b','UNDO_SQL','U2.0__b.sql',18,'bob','2024-01-01 10:00:00.250',12,1),"
		"(5,'3','c','SQL','V3__c.sql',18,'bob','2024-01-01 10:00:00.250',12,0),"
		"(6,'4','d','TELEPATHY','V4__d.sql',18,'bob','2024-01-01 10:00:00.250',12,1),"
		"(7,NULL,'all views','SQL','R__all_views.sql',5,'bob','2024-01-01 10:00:00.250',12,1);");
	assert_tool("flyway");
	assert_states(FILES("main", "0_9", "1", "1_2", "2", "3", "4", "R__all_views"), "aaalfla");
	assert_int_equal(h->foreign->n_odd, 1);
	assert_non_null(strstr(h->note, "row 7 (4): its type"));
	assert_true(h->dirty);
	assert_true(h->list[0].baselined);
	assert_string_equal(h->list[2].recorded, "crc32:-17");
	assert_string_equal(h->list[2].who, "bob");
	assert_int_equal(h->list[2].took_ms, 12);
	assert_int_equal(h->list[2].at_utc_ms, 1704103200250);
}

static void flyway__is_found__by_its_old_name(void **state)
{
	(void)state;
	make("CREATE TABLE schema_version (installed_rank INT, version VARCHAR(50), description, type,"
	     " script, checksum INT, installed_by, installed_on, execution_time INT, success BOOLEAN);"
	     "INSERT INTO schema_version VALUES (1,'1','a','SQL','x',1,'f','2024-01-01',0,1);");
	read_as("flyway");
	assert_tool("flyway");
	assert_string_equal(h->table, "schema_version");
	assert_states(FILES("main", "1", "2"), "ap");
}

static void liquibase__joins_changesets__by_their_file(void **state)
{
	(void)state;
	make_and_read(
		"CREATE TABLE DATABASECHANGELOG (ID VARCHAR(255) NOT NULL, AUTHOR VARCHAR(255) NOT NULL,"
		" FILENAME VARCHAR(255) NOT NULL, DATEEXECUTED datetime NOT NULL, ORDEREXECUTED INT NOT NULL,"
		" EXECTYPE VARCHAR(10) NOT NULL, MD5SUM VARCHAR(35), DESCRIPTION VARCHAR(255),"
		" COMMENTS VARCHAR(255), TAG VARCHAR(255), LIQUIBASE VARCHAR(20), CONTEXTS VARCHAR(255),"
		" LABELS VARCHAR(255), DEPLOYMENT_ID VARCHAR(10));"
		"CREATE TABLE DATABASECHANGELOGLOCK (ID INT NOT NULL, LOCKED BOOLEAN NOT NULL,"
		" LOCKGRANTED datetime, LOCKEDBY VARCHAR(255));"
		"INSERT INTO DATABASECHANGELOGLOCK VALUES (1, 1, 1704103200000, 'pod-7 (10.0.0.7)');"
		"INSERT INTO DATABASECHANGELOG VALUES"
		" ('1','ann','db/001.sql',1704103200000,1,'EXECUTED','9:abc','sql','',NULL,'4.2',NULL,NULL,'1'),"
		" ('2','ann','db/009.sql','2024-01-01 10:00:00',2,'EXECUTED','9:abc','sql','',NULL,'4.2',NULL,NULL,'1'),"
		" ('3','ann','db/002.sql','2024-01-01 10:00:00',3,'FAILED','9:abc','sql','',NULL,'4.2',NULL,NULL,'1'),"
		" ('4','ann','db/003.sql','2024-01-01 10:00:00',4,'SKIPPED','9:abc','sql','',NULL,'4.2',NULL,NULL,'1');");
	assert_tool("liquibase");
	assert_states(FILES("main", "001", "002", "003"), "aflm2::ann::db/009.sql ");
	assert_int_equal(foreign_busy(db, h, &e), 0);
	assert_non_null(h->busy);
	assert_non_null(
		strstr(h->busy, "liquibase holds its lock since 2024-01-01T10:00:00Z: pod-7"));
}

static void alembic__takes_every_ancestor__of_every_head(void **state)
{
	(void)state;
#define ALEMBIC "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);"
	make_and_read(ALEMBIC "INSERT INTO alembic_version VALUES ('c3'), ('d4');");
	assert_tool("alembic");
	assert_states(FILES("main", "a1", "b2<a1", "c3<b2", "d4<a1", "e5<c3<d4"), "aaaap");
	assert_int_equal(h->n_head, 2);
	assert_string_equal(h->head[1], "d4");
	assert_non_null(strstr(h->note, "2 heads"));
	make_and_read(ALEMBIC "INSERT INTO alembic_version VALUES ('e5');");
	assert_states(FILES("main", "a1", "b2<a1", "c3<b2", "d4<a1", "e5<c3<d4"), "aaaaa");
	/* A circle ends, and a revision that no file has is named. */
	make_and_read(ALEMBIC "INSERT INTO alembic_version VALUES ('b2'), ('gone');");
	assert_states(FILES("main", "a1<b2", "b2<a1<nowhere"), "mgone aa");
	assert_non_null(strstr(h->note, "gone"));
	assert_int_equal(h->n_applied, 3);
}

static void django__knows_apps_and_squashed__and_leaves_libraries_out(void **state)
{
	static const char *const replaced[] = { "shop/0001", "shop/0002" };
	struct source *s;

	(void)state;
	make_and_read(
		"CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,"
		" app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL);"
		"INSERT INTO django_migrations (app, name, applied) VALUES"
		" ('auth','0001_initial','2024-01-01 10:00:00.123456'),"
		" ('shop','0001','2024-01-01 10:00:00.123456'),"
		" ('shop','0002','2024-01-01 10:00:00.123456');");
	assert_tool("django");
	assert_states(FILES("shop", "0001", "0002", "0003"), "aap");
	assert_non_null(strstr(h->note, "1 of libraries"));
	assert_int_equal(h->list[0].at_utc_ms, 1704103200123);
	/* The files of what was squashed are gone. */
	s = FILES("shop", "0001_squashed", "0003");
	s->list[0].replaces = replaced;
	s->list[0].n_replaces = 2;
	assert_states(s, "ap");
}

static void diesel__drops_the_dashes__of_its_folders(void **state)
{
	(void)state;
	make_and_read(
		"CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,"
		" run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);"
		"INSERT INTO __diesel_schema_migrations (version) VALUES ('20170923182408');");
	assert_tool("diesel");
	assert_states(FILES("main", "2017-09-23-182408", "2018-01-01-000000"), "ap");
	assert_true(h->list[0].at_utc_ms > 0);
}

static void prisma__shows_the_error__of_what_did_not_finish(void **state)
{
	(void)state;
	make_and_read(
		"CREATE TABLE \"_prisma_migrations\" (\"id\" TEXT PRIMARY KEY NOT NULL, \"checksum\" TEXT NOT NULL,"
		" \"finished_at\" DATETIME, \"migration_name\" TEXT NOT NULL, \"logs\" TEXT,"
		" \"rolled_back_at\" DATETIME, \"started_at\" DATETIME NOT NULL DEFAULT current_timestamp,"
		" \"applied_steps_count\" INTEGER UNSIGNED NOT NULL DEFAULT 0);"
		"INSERT INTO _prisma_migrations VALUES"
		" ('a','00',1704103201000,'20240101_init',NULL,NULL,1704103200000,1),"
		" ('b','00',NULL,'20240102_x','syntax error',1704103300000,1704103200001,0),"
		" ('c','00',NULL,'20240103_y','no such table',NULL,1704103200002,0);");
	assert_tool("prisma");
	assert_states(FILES("main", "20240101_init", "20240102_x", "20240103_y"), "apf");
	assert_int_equal(h->list[0].took_ms, 1000);
	assert_false(h->list[0].no_zone);
	assert_string_equal(h->list[2].error, "no such table");
}

static void knex__joins_by_file_name__with_its_extension(void **state)
{
	(void)state;
	make_and_read(
		"CREATE TABLE `knex_migrations` (`id` integer not null primary key autoincrement,"
		" `name` varchar(255), `batch` integer, `migration_time` datetime);"
		"CREATE TABLE `knex_migrations_lock` (`index` integer not null primary key autoincrement,"
		" `is_locked` integer);"
		"INSERT INTO knex_migrations_lock (is_locked) VALUES (1);"
		"INSERT INTO knex_migrations (name, batch, migration_time) VALUES"
		" ('20240101000000_a.js', 1, 1704103200000), ('20240102000000_b.ts', 2, 1704103200000);");
	assert_tool("knex");
	assert_states(FILES("main", "20240101000000_a", "20240102000000_b", "20240103000000_c"),
		      "aap");
	assert_int_equal(foreign_busy(db, h, &e), 0);
	assert_string_equal(h->busy, "knex holds its lock");
}

static void sqlx__keeps_its_checksum__and_its_failures(void **state)
{
	(void)state;
	make_and_read(
		"CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,"
		" installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,"
		" checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);"
		"INSERT INTO _sqlx_migrations VALUES (1,'a','2024-01-01 10:00:00',1,x'ABCD',2500000),"
		" (2,'b','2024-01-01 10:00:00',0,x'00',-1);");
	assert_tool("sqlx");
	assert_states(FILES("main", "0001", "0002"), "af");
	assert_string_equal(h->list[0].recorded, "sha384:abcd");
	assert_int_equal(h->list[0].took_ms, 2);
	assert_int_equal(h->list[1].took_ms, 0);
}

/* Whatever stands in the columns: the rest is read, nothing is written. */
static void garbage__is_counted__and_the_rest_is_read(void **state)
{
	int64_t before;

	(void)state;
	make(FLYWAY
	     "(1,'1','a','SQL','x',1,'f','never',0,1), (2,x'00ff',x'','SQL','x','y','f',7.5,'z',1),"
	     " (3,hex(zeroblob(600000)),'a','SQL','x',1,'f','2024-13-99 99:99',0,1),"
	     " (4,'4',hex(zeroblob(600000)),'SQL','x',1e300,'f',-5,0,'maybe'),"
	     " (5,'5',hex(zeroblob(600000)),'SQL','x',1,'f','2024-01-01 10:00+05:30',0,'t');");
	before = sqlite_int(db, "SELECT total_changes() + sum(length(description)) FROM "
				"flyway_schema_history");
	read_as("auto");
	assert_states(FILES("main", "1", "2", "5"), "ala");
	assert_true(h->foreign->n_odd >= 2);
	assert_int_equal(h->list[0].at_utc_ms, 0);
	assert_int_equal(history_find(h, "main", "5")->at_utc_ms, 1704083400000);
	assert_false(history_find(h, "main", "5")->no_zone);
	assert_int_equal(before, sqlite_int(db, "SELECT total_changes() + sum(length(description)) "
						"FROM flyway_schema_history"));
}

static void many_rows__are_read__and_counted(void **state)
{
	(void)state;
	make("CREATE TABLE schema_migrations (version varchar(128) primary key);"
	     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
	     " INSERT INTO schema_migrations SELECT printf('%014d', i) FROM n;");
	read_as(NULL);
	history_resolve(h, NULL);
	assert_int_equal(h->n_applied, 100000);
	assert_string_equal(h->list[99999].id, "00000000100000");
}

int main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing__is_found__in_an_empty_database),
		T(look_alikes__are_told_apart__by_columns_and_neighbours),
		T(bascule__never_looks__and_a_name_is_believed),
		T(several_tools__are_noted__and_the_order_is_fixed),
		T(dbmate__shows_late_and_missing__by_the_text_of_the_version),
		T(golang__applies_all_up_to_its_version__and_dirty_fails_there),
		T(goose__believes_the_latest_row__of_a_version),
		T(flyway__undoes_fails_and_covers__as_its_rows_say),
		T(flyway__is_found__by_its_old_name),
		T(liquibase__joins_changesets__by_their_file),
		T(alembic__takes_every_ancestor__of_every_head),
		T(django__knows_apps_and_squashed__and_leaves_libraries_out),
		T(diesel__drops_the_dashes__of_its_folders),
		T(prisma__shows_the_error__of_what_did_not_finish),
		T(knex__joins_by_file_name__with_its_extension),
		T(sqlx__keeps_its_checksum__and_its_failures),
		T(garbage__is_counted__and_the_rest_is_read),
		T(many_rows__are_read__and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
