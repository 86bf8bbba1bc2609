/* SPDX-License-Identifier: MIT */
/*
 * needs: servers
 *
 * What only MariaDB has: values as text under every sql_mode, GET_LOCK, KILL QUERY, the catalogue. What
 * every driver must do is in tests/contract; units are in test_db_mariadb_unit.c, connecting and broken
 * connections in test_db_mariadb_connect.c.
 */
#include "core/db/db.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tests/support/services.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)
#define BOUND_MS 20000 /* generous: a loaded machine must not fail a test */

static struct server my;
static struct arena arena;
static struct dsn dsn;
static struct db *db;
static struct cancel cancel;
static struct err e;

static const struct db_options quick = { .lock_timeout_ms = 1000 };

static void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(e.code), e.msg, e.sys, e.detail);
}

static void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (e.code != code)
		fail_msg("expected %s, got %s: %s: (%s) %s", err_code_name(code),
			 err_code_name(e.code), e.msg, e.sys, e.detail);
	assert_string_not_equal(e.msg, "");
}

static struct db *open_another(void)
{
	struct db *other = NULL;

	must(db_open(&dsn, 0, &quick, NULL, &other, &e));
	return other;
}

static void foreign(const char *sql)
{
	must(db_foreign(db, sv_of(sql), NULL, &e));
}

static int64_t number(struct db *on, const char *sql)
{
	int64_t n;

	must(db_int(on, sql, NULL, 0, -1, &n, &e));
	return n;
}

static int setup(void **state)
{
	(void)state;
	services_need(&my);
	mem_free(services_sql(&my, "DROP DATABASE IF EXISTS app; CREATE DATABASE app"));
	arena_init(&arena);
	must(cancel_init(&cancel, &e));
	must(dsn_parse(&arena, my.url, "/", &dsn, &e));
	must(db_open(&dsn, 0, &quick, &cancel, &db, &e));
	must(db_script(
		db,
		"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT, b LONGBLOB); "
		"CREATE TABLE bascule_lock (one INT PRIMARY KEY, epoch BIGINT, who TEXT); "
		"INSERT INTO bascule_lock VALUES (1, 7, 'mila')",
		&e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	db = NULL;
	cancel_clear(&cancel);
	arena_clear(&arena);
	return 0;
}

/* --- Values ------------------------------------------------------------------------------------ */

struct row {
	struct db_value v[8];
	char text[8][64];
	size_t rows;
};

static int keep(void *arg, const struct db_value *col, size_t n, struct err *err)
{
	struct row *r = arg;

	(void)err;
	r->rows++;
	for (size_t i = 0; i < n && i < 8; i++) {
		r->v[i] = col[i];
		if (col[i].type == DB_TEXT || col[i].type == DB_BLOB) {
			assert_true(col[i].s.n < sizeof(r->text[i]));
			memcpy(r->text[i], col[i].s.p, col[i].s.n);
			r->v[i].s.p = r->text[i];
		}
	}
	return 0;
}

static const char *const modes[] = {
	"''",
	"'ANSI_QUOTES'",
	"'NO_BACKSLASH_ESCAPES'",
	"'PIPES_AS_CONCAT'",
	"'EMPTY_STRING_IS_NULL'",
	"'STRICT_ALL_TABLES,NO_ZERO_DATE'",
	"'ANSI,NO_BACKSLASH_ESCAPES,EMPTY_STRING_IS_NULL'",
	"'ORACLE'",
};

static void exec__gives_back__every_value_in_every_sql_mode(void **state)
{
	const struct db_value in[] = {
		DB_V_INT(INT64_MIN),
		db_v_text("it's \\ \"quoted\" é\n"),
		db_v_text(""),
		db_v_blob(sv_n("\0'\\\xff", 4)),
		{ .type = DB_REAL, .r = -0.1 },
		DB_V_INT(-3),
		DB_V_NULL,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct row r = { .rows = 0 };
		char set[96];

		snprintf(set, sizeof(set), "SET SESSION sql_mode = %s", modes[i]);
		foreign(set);
		must(db_exec(db, "SELECT ?1, ?2, ?3, ?4, ?5, 1-?6, ?7", in, 7, keep, &r, &e));
		assert_true(r.v[0].type == DB_INT && r.v[0].i == INT64_MIN);
		assert_true(r.v[1].type == DB_TEXT && sv_eq(r.v[1].s, in[1].s));
		assert_true(r.v[2].type == DB_TEXT && r.v[2].s.n == 0);
		assert_true(r.v[3].type == DB_BLOB && sv_eq(r.v[3].s, in[3].s));
		assert_true(r.v[4].type == DB_REAL && r.v[4].r < -0.0999 && r.v[4].r > -0.1001);
		assert_int_equal(r.v[5].i, 4);
		assert_int_equal(r.v[6].type, DB_NULL);
	}
}

/* What is no parameter and no table of ours stays as it is. */
static void exec__leaves_alone__what_is_quoted(void **state)
{
	struct row r = { .rows = 0 };
	struct db_value v = DB_V_INT(5);

	(void)state;
	must(db_exec(db, "SELECT 'what ?1 bascule_lock', ?1, `epoch` FROM bascule_lock", &v, 1,
		     keep, &r, &e));
	assert_true(sv_eq(r.v[0].s, SV("what ?1 bascule_lock")));
	assert_int_equal(r.v[1].i, 5);
	assert_int_equal(r.v[2].i, 7);
}

static void exec__finds_our_tables__behind_a_use(void **state)
{
	(void)state;
	foreign("USE information_schema");
	assert_int_equal(number(db, "SELECT epoch FROM bascule_lock"), 7);
}

static void exec__takes__values_near_the_packet_limit(void **state)
{
	char *big = mem_alloc(20 * MIB);
	struct db_value v[2];

	(void)state;
	memset(big, 'x', 20 * MIB);
	big[1] = '\'';
	v[0] = (struct db_value){ .type = DB_TEXT, .s = sv_n(big, 15 * MIB) };
	v[1] = db_v_blob(sv_n("\0", 1));
	must(db_exec(db, "INSERT INTO t (v, b) VALUES (?1, ?2)", v, 2, NULL, NULL, &e));
	assert_int_equal(number(db, "SELECT LENGTH(v) FROM t"), 15 * MIB);
	assert_int_equal(number(db, "SELECT LENGTH(b) FROM t"), 1);
	assert_int_equal(number(db, "SELECT @bascule_1 IS NULL"), 1);
	v[1] = db_v_blob(sv_n(big, 15 * MIB));
	must(db_exec(db, "UPDATE t SET b = ?2", v, 2, NULL, NULL, &e));
	assert_int_equal(number(db, "SELECT LENGTH(b) FROM t"), 15 * MIB);
	v[0].s.n = 20 * MIB;
	fails(db_exec(db, "INSERT INTO t (v) VALUES (?1)", v, 1, NULL, NULL, &e), ERR_LIMIT);
	assert_non_null(strstr(e.detail, "20971520"));
	assert_non_null(strstr(e.hint, "max_allowed_packet"));
	fails(db_foreign(db, sv_n(big, 20 * MIB), NULL, &e), ERR_LIMIT);
	/* Nothing was sent, the connection is as good as before. */
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 1);
	mem_free(big);
}

/* --- Errors and the session -------------------------------------------------------------------- */

static void error__says__number_state_and_what_to_do(void **state)
{
	(void)state;
	fails(db_foreign(db, SV("SELECT * FROM mysql.user"), NULL, &e), ERR_DB);
	assert_string_equal(e.sys, "1142");
	assert_non_null(strstr(e.detail, "42000"));
	assert_non_null(strstr(e.hint, "GRANT"));
	fails(db_foreign(db, SV("SET GLOBAL max_connections = 5"), NULL, &e), ERR_DB);
	assert_non_null(strstr(e.hint, "GRANT"));
}

static void foreign__ends_in_a_timeout__of_the_server(void **state)
{
	const struct db_options short_ones = { .statement_timeout_ms = 200 };
	struct db *other = NULL;

	(void)state;
	must(db_open(&dsn, 0, &short_ones, NULL, &other, &e));
	fails(db_foreign(other, SV("SELECT SLEEP(50) FROM seq_1_to_50"), NULL, &e), ERR_TIMEOUT);
	assert_string_equal(e.sys, "1969");
	/* The connection is as good as before. */
	assert_int_equal(number(other, "SELECT 1"), 1);
	db_close(other);
}

static void foreign__is_busy__when_a_row_or_a_table_stays_locked(void **state)
{
	struct db *other = open_another();

	(void)state;
	foreign("INSERT INTO t (v) VALUES ('a')");
	must(db_begin(other, &e));
	must(db_foreign(other, SV("UPDATE t SET v = 'b'"), NULL, &e));
	fails(db_foreign(db, SV("UPDATE t SET v = 'c'"), NULL, &e), ERR_BUSY);
	fails(db_foreign(db, SV("ALTER TABLE t ADD w INT"), NULL, &e), ERR_BUSY);
	db_rollback(other);
	foreign("ALTER TABLE t ADD w INT");
	db_close(other);
}

static void foreign__refuses__to_leave_autocommit_off(void **state)
{
	struct db *other = open_another();

	(void)state;
	fails(db_foreign(db, SV("SET autocommit = 0"), NULL, &e), ERR_INPUT);
	foreign("INSERT INTO t (v) VALUES ('kept')");
	assert_int_equal(number(other, "SELECT COUNT(*) FROM t"), 1);
	db_close(other);
}

/* The status in an error's answer is that of the statement before. */
static void rollback__ends__what_a_failed_statement_had_begun(void **state)
{
	struct db *other = open_another();

	(void)state;
	fails(db_foreign(db,
			 SV("BEGIN NOT ATOMIC START TRANSACTION; INSERT INTO t (v) VALUES ('a'); "
			    "SELECT nowhere; END"),
			 NULL, &e),
	      ERR_DB);
	assert_true(db_in_transaction(db));
	db_rollback(db);
	assert_false(db_in_transaction(db));
	assert_int_equal(number(other, "SELECT COUNT(*) FROM t"), 0);
	db_close(other);
}

static void foreign__drops__all_results_of_a_call(void **state)
{
	int64_t changed = -1;

	(void)state;
	foreign("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT seq FROM seq_1_to_100000; "
		"INSERT INTO t (v) VALUES ('x'), ('y'); END");
	must(db_foreign(db, SV("CALL p()"), &changed, &e));
	assert_int_equal(changed, 2);
	assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 2);
}

/* --- The lock and sessions ---------------------------------------------------------------------- */

static void advisory__is_one_lock__however_long_its_name(void **state)
{
	char name[200];
	struct db *other = open_another();
	struct db_session holder, mine;
	bool got, held;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	must(db_session(db, &mine, &e));
	must(db_advisory_lock(db, name, &got, &e));
	assert_true(got);
	must(db_advisory_lock(db, name, &got, &e));
	assert_true(got);
	must(db_advisory_lock(other, name, &got, &e));
	assert_false(got);
	must(db_advisory_holder(other, name, &held, &holder, &e));
	assert_true(held);
	assert_int_equal(holder.id, mine.id);
	assert_string_equal(holder.started, mine.started);
	db_advisory_unlock(db, name);
	must(db_advisory_holder(other, name, &held, &holder, &e));
	assert_false(held);
	must(db_advisory_lock(other, name, &got, &e));
	assert_true(got);
	db_close(other);
}

static void session__is_seen__until_it_was_ended(void **state)
{
	struct db *other = open_another();
	struct db_session mine;
	int64_t deadline = clock_mono_ms() + BOUND_MS;
	bool alive = true;

	(void)state;
	must(db_session(db, &mine, &e));
	must(db_session_alive(other, &mine, &alive, &e));
	assert_true(alive);
	/* Another life of the server. */
	mine.started[3]++;
	must(db_session_alive(other, &mine, &alive, &e));
	assert_false(alive);
	must(db_session_end(other, &mine, &e));
	mine.started[3]--;
	assert_int_equal(number(db, "SELECT 1"), 1);
	must(db_session_end(other, &mine, &e));
	for (alive = true; alive && clock_mono_ms() < deadline;)
		must(db_session_alive(other, &mine, &alive, &e));
	assert_false(alive);
	fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &e), ERR_LOST);
	fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &e), ERR_LOST);
	db_close(other);
}

/* A session of another role, which the processlist hides from us. */
static void session__is_seen__when_another_role_has_it(void **state)
{
	struct dsn root = dsn;
	struct db *other = NULL;
	struct db_session its;
	bool alive = false;

	(void)state;
	root.user = my.superuser;
	must(db_open(&root, 0, &quick, NULL, &other, &e));
	must(db_session(other, &its, &e));
	must(db_session_alive(db, &its, &alive, &e));
	assert_true(alive);
	its.id += 1000000;
	must(db_session_alive(db, &its, &alive, &e));
	assert_false(alive);
	db_close(other);
}

static void now_and_info__say__what_the_server_says(void **state)
{
	struct db_info info;
	int64_t now;

	(void)state;
	must(db_now(db, &now, &e));
	assert_true(now > clock_utc_ms() - BOUND_MS && now < clock_utc_ms() + BOUND_MS);
	foreign("SET time_zone = '+07:00'");
	must(db_now(db, &now, &e));
	assert_true(now > clock_utc_ms() - BOUND_MS && now < clock_utc_ms() + BOUND_MS);
	must(db_info(db, &info, &e));
	assert_string_equal(info.engine, "mariadb");
	assert_string_equal(info.role, "app@localhost");
	assert_string_equal(info.zone, "+07:00");
	assert_string_equal(info.server, my.socket);
	assert_false(info.read_only);
	assert_int_equal(strspn(info.version, "0123456789."), strlen(info.version));
	assert_string_equal(info.durability, "innodb_flush_log_at_trx_commit=2 sync_binlog=0");
}

/* --- Cancel ------------------------------------------------------------------------------------ */

static void *interrupt_soon(void *arg)
{
	struct err ignored;

	(void)arg;
	(void)!wait_fds(NULL, 0, clock_mono_ms() + 200, NULL, &ignored);
	db_interrupt(db);
	return NULL;
}

#define ENDLESS "SELECT COUNT(*) FROM seq_1_to_1000000000 a, seq_1_to_1000000000 b"

static void interrupt__fails_the_statement__not_the_connection(void **state)
{
	pthread_t thread;

	(void)state;
	db_interrupt(db); /* nothing runs */
	assert_int_equal(number(db, "SELECT 1"), 1);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
	fails(db_foreign(db, SV(ENDLESS), NULL, &e), ERR_DB);
	pthread_join(thread, NULL);
	assert_string_equal(e.sys, "1317");
	assert_int_equal(number(db, "SELECT 1"), 1);
}

/* --- The schema -------------------------------------------------------------------------------- */

static void digest__changes__with_the_schema_only(void **state)
{
	static const char *const changes[] = {
		"ALTER TABLE t ADD w INT",
		"ALTER TABLE t MODIFY w BIGINT",
		"ALTER TABLE t ADD INDEX i (w)",
		"ALTER TABLE t COMMENT 'about'",
		"CREATE TABLE u (id INT PRIMARY KEY, x INT, CHECK (x > 0))",
		"ALTER TABLE u ADD FOREIGN KEY (x) REFERENCES t (id)",
		"CREATE VIEW s AS SELECT id FROM t",
		"CREATE PROCEDURE p(a INT) SELECT a",
		"CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.w = 1",
		"CREATE SEQUENCE q",
	};
	char before[65], after[65];

	(void)state;
	must(db_schema_digest(db, before, &e));
	foreign("INSERT INTO t (v) VALUES ('a')");
	foreign("ALTER TABLE t AUTO_INCREMENT = 500");
	must(db_script(db, "CREATE TABLE bascule_x (a INT)", &e));
	must(db_schema_digest(db, after, &e));
	assert_string_equal(before, after);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		foreign(changes[i]);
		must(db_schema_digest(db, after, &e));
		if (strcmp(before, after) == 0)
			fail_msg("no difference: %s", changes[i]);
		memcpy(before, after, sizeof(before));
	}
}

static int list_table(void *arg, const struct db_table *t, struct err *err)
{
	(void)err;
	strbuf_addf(arg, "%s=%lld ", t->name, (long long)t->rows);
	return 0;
}

static void tables__are_sorted__and_counted(void **state)
{
	struct strbuf list;

	(void)state;
	foreign("CREATE TABLE `a``b` (x INT)");
	foreign("INSERT INTO `a``b` VALUES (1), (2)");
	foreign("CREATE VIEW v AS SELECT 1");
	strbuf_init(&list, STRBUF_NO_LIMIT);
	must(db_tables(db, false, list_table, &list, &e));
	assert_string_equal(strbuf_str(&list), "a`b=2 t=0 ");
	strbuf_clear(&list);
}

/* ----------------------------------------------------------------------------------------------- */

static int group_setup(void **state)
{
	(void)state;
	(void)services_start(SERVICE_MY, &my);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	if (my.name != NULL)
		services_stop(&my);
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(exec__gives_back__every_value_in_every_sql_mode),
		CASE(exec__leaves_alone__what_is_quoted),
		CASE(exec__finds_our_tables__behind_a_use),
		CASE(exec__takes__values_near_the_packet_limit),
		CASE(error__says__number_state_and_what_to_do),
		CASE(foreign__ends_in_a_timeout__of_the_server),
		CASE(foreign__is_busy__when_a_row_or_a_table_stays_locked),
		CASE(foreign__refuses__to_leave_autocommit_off),
		CASE(rollback__ends__what_a_failed_statement_had_begun),
		CASE(foreign__drops__all_results_of_a_call),
		CASE(advisory__is_one_lock__however_long_its_name),
		CASE(session__is_seen__until_it_was_ended),
		CASE(session__is_seen__when_another_role_has_it),
		CASE(now_and_info__say__what_the_server_says),
		CASE(interrupt__fails_the_statement__not_the_connection),
		CASE(digest__changes__with_the_schema_only),
		CASE(tables__are_sorted__and_counted),
	};

	return cmocka_run_group_tests(cases, group_setup, group_teardown);
}
