/* SPDX-License-Identifier: MIT */
/*
 * What only the PostgreSQL driver does, against a real server.
 * needs: servers
 * time-limit: 300
 */
#include "tests/unit/postgres_world.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

/* --- Connecting -------------------------------------------------------------------------------- */

/* A port that nobody listens on (bound only), or that accepts and stays mute. */
static int port_of(bool listening, char url[64], const char *before)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	if (listening)
		assert_int_equal(listen(fd, 16), 0);
	snprintf(url, 64, "%s127.0.0.1:%d", before, ntohs(at.sin_port));
	return fd;
}

static void open__says__that_nobody_listens(void **state)
{
	char url[64];
	int fd = port_of(false, url, "postgresql://");
	struct db *db = NULL;

	(void)state;
	pw_fails(pw_try_open(arena_printf(&pw.arena, "%s/app", url), NULL, &db), ERR_SYSTEM);
	assert_string_equal(pw.e.sys, "ECONNREFUSED");
	assert_non_null(strstr(pw.e.detail, "127.0.0.1"));
	assert_null(db);
	close(fd);
}

static void open__gives_up__on_a_mute_port(void **state)
{
	const struct db_options quick = { .connect_timeout_ms = 200 };
	char url[64];
	int fd = port_of(true, url, "postgresql://");
	int64_t start = clock_mono_ms();
	struct db *db = NULL;

	(void)state;
	pw_fails(pw_try_open(arena_printf(&pw.arena, "%s/app", url), &quick, &db), ERR_TIMEOUT);
	assert_true(clock_mono_ms() - start >= 190);
	assert_non_null(strstr(pw.e.detail, "127.0.0.1"));
	close(fd);
}

static void open__tries__the_next_host(void **state)
{
	const struct db_options quick = { .connect_timeout_ms = 3000 };
	char mute[64], closed[64];
	int a = port_of(true, mute, ""), b = port_of(false, closed, "");
	const struct db_options hasty = { .connect_timeout_ms = 200 };
	struct db *db = NULL;

	(void)state;
	pw_must(pw_try_open(arena_printf(&pw.arena, "postgresql://app:%s@%s,127.0.0.1:%d/%s",
					 pw.pg.password, closed, pw.pg.port, pw.database),
			    &quick, &db));
	assert_int_equal(pw_number(db, "SELECT 1"), 1);
	db_close(db);
	db = NULL;
	pw_fails(pw_try_open(arena_printf(&pw.arena, "postgresql://app@%s,%s/x", closed, mute),
			     &hasty, &db),
		 ERR_TIMEOUT);
	assert_non_null(strstr(pw.e.detail, "refused"));
	assert_non_null(strstr(pw.e.detail, "no answer"));
	close(a);
	close(b);
}

static void open__tells_apart__refusals(void **state)
{
	struct db *db = NULL;

	(void)state;
	pw_fails(pw_try_open(arena_printf(&pw.arena, "postgresql://app:wr0ng@127.0.0.1:%d/%s",
					  pw.pg.port, pw.database),
			     NULL, &db),
		 ERR_DB);
	assert_string_equal(pw.e.sys, "28P01");
	assert_null(strstr(pw.e.detail, "wr0ng"));
	assert_null(strstr(pw.e.detail, "LOCATION"));
	assert_non_null(strstr(pw.e.hint, "password ="));
	pw_fails(pw_try_open(pw_url_of(pw.pg.name, "tcp"), NULL, &db), ERR_SYSTEM);
	assert_non_null(strstr(pw.e.hint, "password ="));
	pw_fails(pw_try_open(arena_printf(&pw.arena, "postgresql://app:%s@127.0.0.1:%d/nowhere",
					  pw.pg.password, pw.pg.port),
			     NULL, &db),
		 ERR_NOT_FOUND);
	assert_string_equal(pw.e.sys, "3D000");
	pw_fails(pw_try_open(arena_printf(&pw.arena, "%s?sslmood=x", pw_url_of(pw.pg.name, "tcp")),
			     NULL, &db),
		 ERR_SYSTEM);
	assert_non_null(strstr(pw.e.detail, "sslmood"));
}

static void open__reads__the_password_file(void **state)
{
	char *path = tmp_path(getenv("HOME"), "pass");
	char *text = arena_printf(&pw.arena, "127.0.0.1:%d:*:app:%s\n", pw.pg.port, pw.pg.password);
	struct db *db;

	(void)state;
	tmp_write(getenv("HOME"), "pass", text);
	assert_int_equal(chmod(path, 0600), 0);
	db = pw_open_url(
		arena_printf(&pw.arena, "%s?passfile=%s", pw_url_of(pw.pg.name, "tcp"), path));
	assert_int_equal(pw_number(db, "SELECT 1"), 1);
	db_close(db);
	mem_free(path);
}

/* Our own use of OpenSSL comes first, as it does in the program. */
static void open__checks__certificates(void **state)
{
	static const char *const kind[] = { "good", "expired", "stranger" };
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	digest_hex("x", 1, hex);
	for (int i = 0; i < 3; i++) {
		struct server tls = { 0 };
		struct db *db = NULL;
		char *options = arena_printf(&pw.arena, "--tls %s --tls-only", kind[i]);
		const char *url;

		assert_int_equal(services_start_as(SERVICE_PG, kind[i], options, &tls), 0);
		url = arena_printf(&pw.arena, "%s?sslmode=verify-full&sslrootcert=%s",
				   tls.url_password, tls.ca);
		if (i == 0) {
			db = pw_open_url(url);
			assert_int_equal(
				pw_number(db,
					  "SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = "
					  "pg_backend_pid()"),
				1);
			db_close(db);
			pw_fails(
				pw_try_open(arena_printf(&pw.arena,
							 "%s?sslmode=verify-full&sslrootcert=/none",
							 tls.url_password),
					    NULL, &db),
				ERR_SYSTEM);
		} else {
			pw_fails(pw_try_open(url, NULL, &db), ERR_SYSTEM);
			assert_non_null(strstr(pw.e.detail, "certificate"));
		}
		services_stop(&tls);
	}
}

/* --- Losing it --------------------------------------------------------------------------------- */

static void exec__says_lost__when_the_session_is_ended(void **state)
{
	struct db *other = pw_again();
	struct db_session mine;
	bool alive = true;

	(void)state;
	pw_must(db_session(pw.db, &mine, &pw.e));
	pw_must(db_session_alive(other, &mine, &alive, &pw.e));
	assert_true(alive);
	pw_must(db_session_end(other, &mine, &pw.e));
	for (int i = 0; i < 1000 && alive; i++) {
		struct err ignored;

		pw_must(db_session_alive(other, &mine, &alive, &pw.e));
		(void)!wait_fds(NULL, 0, clock_mono_ms() + 10, NULL, &ignored);
	}
	assert_false(alive);
	pw_fails(db_exec(pw.db, "SELECT 1", NULL, 0, NULL, NULL, &pw.e), ERR_LOST);
	pw_fails(db_exec(pw.db, "SELECT 1", NULL, 0, NULL, NULL, &pw.e), ERR_LOST);
	assert_false(db_in_transaction(pw.db));
	db_rollback(pw.db);
	db_close(other);
}

static void exec__gives_up__on_a_mute_server(void **state)
{
	const struct db_options quick = { .answer_timeout_ms = 100, .lock_timeout_ms = 100 };
	struct server s = { 0 };
	struct db *db = NULL;

	(void)state;
	assert_int_equal(services_start_as(SERVICE_PG, "mute", "", &s), 0);
	db = pw_open_answered(s.url, &quick);
	mem_free(services_tell("freeze", s.name, NULL));
	pw_fails(db_exec(db, "SELECT 2", NULL, 0, NULL, NULL, &pw.e), ERR_TIMEOUT);
	pw_fails(db_exec(db, "SELECT 2", NULL, 0, NULL, NULL, &pw.e), ERR_LOST);
	mem_free(services_tell("thaw", s.name, NULL));
	db_close(db);
	db = pw_open_url(s.url);
	mem_free(services_tell("crash", s.name, NULL));
	pw_fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &pw.e), ERR_LOST);
	db_close(db);
	services_stop(&s);
}

/* --- Stopping ---------------------------------------------------------------------------------- */

static void cancel__leaves__the_connection_good(void **state)
{
	struct later l = { NULL, 0 };
	pthread_t thread;
	int64_t took;

	(void)state;
	pw_foreign("CREATE TABLE t (v integer)");
	pw_must(db_begin(pw.db, &pw.e));
	pthread_create(&thread, NULL, pw_stop_later, &l);
	pw_fails(db_foreign(pw.db, SV("SELECT pg_sleep(60)"), NULL, &pw.e), ERR_CANCELLED);
	took = clock_mono_ms() - l.fired_ms;
	pthread_join(thread, NULL);
	print_message("# cancelled in %lld ms\n", (long long)took);
	assert_true(took < PW_BOUND_MS); /* the promise is 100 */
	db_set_cancel(pw.db, NULL);
	db_rollback(pw.db);
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM t"), 0);
}

static void interrupt__fails__the_statement_alone(void **state)
{
	struct later l = { pw.db, 0 };
	pthread_t thread;

	(void)state;
	db_interrupt(pw.db); /* nothing runs */
	pthread_create(&thread, NULL, pw_stop_later, &l);
	pw_fails(db_foreign(pw.db, SV("SELECT pg_sleep(60)"), NULL, &pw.e), ERR_DB);
	pthread_join(thread, NULL);
	assert_string_equal(pw.e.sys, "57014");
	assert_int_equal(pw_number(pw.db, "SELECT 7"), 7);
}

static void statement_timeout__is_kept__by_the_server(void **state)
{
	const struct db_options opt = { .statement_timeout_ms = 50 };
	struct db *db = NULL;

	(void)state;
	pw_must(pw_try_open(pw_url_of(pw.pg.name, "socket"), &opt, &db));
	pw_fails(db_foreign(db, SV("SELECT pg_sleep(60)"), NULL, &pw.e), ERR_TIMEOUT);
	assert_string_equal(pw.e.sys, "57014");
	assert_int_equal(pw_number(db, "SELECT 7"), 7);
	db_close(db);
}

/* --- Statements -------------------------------------------------------------------------------- */

static int keep_text(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	str_copy_sv(arg, 64, col[0].s);
	return 0;
}

static void exec__rewrites__names_outside_of_strings(void **state)
{
	const struct db_value v[] = { db_v_text("b"), db_v_text("a") };
	char text[64];

	(void)state;
	pw_must(db_exec(pw.db,
			"SELECT ?2 || 'bascule_x ?1' || ?1 || (SELECT who FROM bascule_lock)", v, 2,
			keep_text, text, &pw.e));
	assert_string_equal(text, "abascule_x ?1balice");
	assert_int_equal(pw_number(pw.db, "SELECT true"), 1);
	assert_int_equal(pw_number(pw.db, "SELECT sum(x) FROM (VALUES (2::bigint), (3)) AS v(x)"),
			 5);
	pw_must(db_exec(pw.db, "SELECT 2.50::numeric", NULL, 0, keep_text, text, &pw.e));
	assert_string_equal(text, "2.50");
}

static void error__names__line_and_sqlstate(void **state)
{
	(void)state;
	pw_fails(db_foreign(pw.db, SV("SELECT 'é',\n\n  nothing"), NULL, &pw.e), ERR_DB);
	assert_string_equal(pw.e.sys, "42703");
	assert_non_null(strstr(pw.e.detail, "line 3"));
	pw_foreign("CREATE TABLE t (v integer)");
	pw_fails(db_foreign(pw.db, SV("COPY t FROM STDIN"), NULL, &pw.e), ERR_INPUT);
}

static void latin1__is_converted__by_the_server(void **state)
{
	const struct db_value v[] = { db_v_text("\u00e9t\u00e9") };
	struct db *db;
	char text[64];

	(void)state;
	pw_super(
		"CREATE DATABASE latin OWNER app ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE "
		"template0");
	str_copy(pw.database, sizeof(pw.database), "latin");
	db = pw_again();
	pw_must(db_exec(db, "SELECT ?1 || chr(233)", v, 1, keep_text, text, &pw.e));
	assert_string_equal(text, "\u00e9t\u00e9\u00e9");
	pw_must(db_foreign(db, SV("CREATE TABLE t (v text)"), NULL, &pw.e));
	pw_must(db_foreign(db, SV("INSERT INTO t VALUES ('\u00e9')"), NULL, &pw.e));
	pw_fails(db_foreign(db, SV("INSERT INTO t VALUES ('\u4e2d')"), NULL, &pw.e), ERR_DB);
	assert_int_equal(pw_number(db, "SELECT octet_length(v::bytea) FROM t"), 1);
	db_close(db);
}

/* --- What a migration leaves behind ------------------------------------------------------------ */

static void session__is_put_right__around_our_statements(void **state)
{
	const struct db_value v = db_v_text("1");
	char text[64];

	(void)state;
	pw_super("CREATE ROLE nobody_here; GRANT nobody_here TO app");
	pw_must(db_migration_begin(pw.db, NULL, 0, &pw.e));
	pw_foreign("SET ROLE nobody_here");
	pw_foreign("SELECT set_config('search_path', '', false)");
	pw_must(db_exec(pw.db, "INSERT INTO bascule_history VALUES (?1)", &v, 1, NULL, NULL,
			&pw.e));
	pw_must(db_migration_commit(pw.db, &pw.e));
	/* Outside of a transaction what it has set stays for its next statement, not for ours. */
	pw_foreign("SET ROLE nobody_here");
	pw_foreign("SET lock_timeout = 1");
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM bascule_history"), 1);
	pw_must(db_begin(pw.db, &pw.e));
	pw_must(db_exec(pw.db, "DELETE FROM bascule_history", NULL, 0, NULL, NULL, &pw.e));
	pw_must(db_commit(pw.db, &pw.e));
	pw_fails(db_foreign(pw.db, SV("CREATE TABLE public.x (v integer)"), NULL, &pw.e), ERR_DB);
	/* The next migration begins as the first did. */
	pw_must(db_migration_begin(pw.db, NULL, 0, &pw.e));
	pw_must(db_exec(pw.db,
			"SELECT current_user || current_setting('lock_timeout') || "
			"current_setting('search_path')",
			NULL, 0, keep_text, text, &pw.e));
	assert_string_equal(text, "app5s\"$user\", public");
	pw_foreign("CREATE TABLE x (v integer)");
	pw_must(db_migration_commit(pw.db, &pw.e));
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM public.x"), 0);
}

static void foreign__is_refused__where_it_is_ours(void **state)
{
	static const char *const refused[] = {
		"INSERT INTO bascule.history VALUES ('x')",
		"/* x */ DROP TABLE IF EXISTS \"bascule\" . history",
		"DROP SCHEMA IF EXISTS bascule CASCADE",
		"WITH x AS (SELECT 1) DELETE FROM bascule.lock",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		pw_fails(db_foreign(pw.db, sv_of(refused[i]), NULL, &pw.e), ERR_INPUT);
		assert_non_null(strstr(pw.e.detail, "bascule"));
	}
	pw_foreign("SELECT * FROM bascule.lock");
	pw_foreign("CREATE TABLE bascule (bascule text DEFAULT 'bascule.lock')");
}

/* --- About the server -------------------------------------------------------------------------- */

static void info__says__who_and_where(void **state)
{
	struct db_info i;
	int64_t now, here = clock_utc_ms();
	struct db *db;

	(void)state;
	pw_must(db_info(pw.db, &i, &pw.e));
	assert_string_equal(i.role, "app");
	assert_string_not_equal(i.zone, "");
	assert_false(i.read_only);
	assert_non_null(strstr(i.durability, "fsync="));
	assert_non_null(strstr(i.server, pw.pg.socket_dir));
	pw_must(db_now(pw.db, &now, &pw.e));
	assert_true(now - here < 600000 && here - now < 600000);
	pw_super(arena_printf(&pw.arena, "ALTER DATABASE %s SET default_transaction_read_only = on",
			      pw.database));
	db = pw_again();
	pw_must(db_info(db, &i, &pw.e));
	assert_true(i.read_only);
	pw_fails(db_foreign(db, SV("CREATE TABLE t (v integer)"), NULL, &pw.e), ERR_SYSTEM);
	assert_string_equal(pw.e.sys, "EROFS");
	db_close(db);
}

static void pooler__is_refused__when_it_pools_transactions(void **state)
{
	struct db *db;
	char *said = NULL;

	(void)state;
	if (services_try(&said, "need", "pgbouncer", NULL) != 0)
		skip();
	mem_free(said);
	pw_must(db_check_pooler(pw.db, &pw.e));
	mem_free(services_tell("pgbouncer", "pool-s", pw.pg.name, "session", NULL));
	db = pw_open_url(pw_url_of("pool-s", "tcp-password"));
	pw_must(db_check_pooler(db, &pw.e));
	db_close(db);
	mem_free(services_tell("stop", "pool-s", NULL));
	mem_free(services_tell("pgbouncer", "pool-t", pw.pg.name, "transaction", NULL));
	db = pw_open_url(pw_url_of("pool-t", "tcp-password"));
	pw_fails(db_check_pooler(db, &pw.e), ERR_UNSUPPORTED);
	assert_non_null(strstr(pw.e.hint, "pool_mode"));
	db_close(db);
	mem_free(services_tell("stop", "pool-t", NULL));
}

static int add_table(void *arg, const struct db_table *t, struct err *e)
{
	struct strbuf *b = arg;

	(void)e;
	strbuf_addf(b, "%s=%lld ", t->name, (long long)t->rows);
	return 0;
}

static void tables__are_the_users__with_rows(void **state)
{
	struct strbuf b;

	(void)state;
	pw_foreign("CREATE TABLE \"Odd one\" (v integer)");
	pw_foreign("INSERT INTO \"Odd one\" VALUES (1), (2)");
	pw_foreign("CREATE SCHEMA s");
	pw_foreign("CREATE TABLE s.t (v integer)");
	strbuf_init(&b, STRBUF_NO_LIMIT);
	pw_must(db_tables(pw.db, false, add_table, &b, &pw.e));
	assert_string_equal(strbuf_str(&b), "Odd one=2 s.t=0 ");
	strbuf_clear(&b);
}

static void digest__follows__the_schema_alone(void **state)
{
	static const char *const changes[] = {
		"CREATE TABLE t (v integer DEFAULT 1)",
		"ALTER TABLE t ALTER v TYPE bigint",
		"ALTER TABLE t ADD CHECK (v > 0)",
		"CREATE INDEX ON t (v)",
		"CREATE VIEW x AS SELECT v FROM t",
		"CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
		"CREATE TYPE mood AS ENUM ('a')",
		"ALTER TYPE mood ADD VALUE 'b'",
		"CREATE SEQUENCE q",
		"ALTER TABLE t ENABLE ROW LEVEL SECURITY",
		"CREATE POLICY p ON t USING (v > 1)",
		"CREATE AGGREGATE total (integer) (SFUNC = int4pl, STYPE = integer)",
		"CREATE DOMAIN d AS text CHECK (VALUE <> '')",
	};
	char before[65], after[65];

	(void)state;
	pw_must(db_schema_digest(pw.db, before, &pw.e));
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		pw_foreign(changes[i]);
		pw_must(db_schema_digest(pw.db, after, &pw.e));
		assert_string_not_equal(before, after);
		str_copy(before, sizeof(before), after);
	}
	pw_foreign("INSERT INTO t VALUES (5)");
	pw_foreign("SET search_path = pg_catalog, public");
	pw_must(db_script(pw.db, "CREATE TABLE bascule_more (v integer)", &pw.e));
	pw_must(db_schema_digest(pw.db, after, &pw.e));
	assert_string_equal(before, after);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(open__says__that_nobody_listens),
		CASE(open__gives_up__on_a_mute_port),
		CASE(open__tries__the_next_host),
		CASE(open__tells_apart__refusals),
		CASE(open__reads__the_password_file),
		CASE(open__checks__certificates),
		CASE(exec__says_lost__when_the_session_is_ended),
		CASE(exec__gives_up__on_a_mute_server),
		CASE(cancel__leaves__the_connection_good),
		CASE(interrupt__fails__the_statement_alone),
		CASE(statement_timeout__is_kept__by_the_server),
		CASE(exec__rewrites__names_outside_of_strings),
		CASE(error__names__line_and_sqlstate),
		CASE(latin1__is_converted__by_the_server),
		CASE(session__is_put_right__around_our_statements),
		CASE(foreign__is_refused__where_it_is_ours),
		CASE(info__says__who_and_where),
		CASE(pooler__is_refused__when_it_pools_transactions),
		CASE(tables__are_the_users__with_rows),
		CASE(digest__follows__the_schema_alone),
	};

	return cmocka_run_group_tests(cases, pw_group_setup, pw_group_teardown);
}
