/* SPDX-License-Identifier: MIT */
/*
 * What only the PostgreSQL driver does, against a real server.
 * needs: servers
 * time-limit: 300
 */
#include "core/db/db.h"

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
#include "tests/support/services.h"
#include "tests/support/tmp.h"

static struct {
	struct service pg;
	struct arena arena;
	struct cancel cancel;
	struct db *db;
	char database[32];
	int number;
	struct err e;
} w;

static void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(w.e.code), w.e.msg, w.e.sys, w.e.detail);
}

static void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (w.e.code != code)
		fail_msg("expected %s, got %s: %s (%s) %s", err_code_name(code),
			 err_code_name(w.e.code), w.e.msg, w.e.sys, w.e.detail);
}

static int try_open(const char *url, const struct db_options *opt, struct db **out)
{
	struct dsn d;

	must(dsn_parse(&w.arena, url, "/", &d, &w.e));
	return db_open(&d, 0, opt, &w.cancel, out, &w.e);
}

static struct db *open_url(const char *url)
{
	struct db *db = NULL;

	must(try_open(url, NULL, &db));
	return db;
}

/* The URL of the case's database by "socket", "tcp" or "tcp-password"; lives as long as the case. */
static const char *url_of(const char *name, const char *way)
{
	char *text = services_tell("url", name, way, w.database, NULL);
	const char *copy = arena_strdup(&w.arena, text);

	mem_free(text);
	return copy;
}

static struct db *again(void)
{
	return open_url(url_of(w.pg.name, "socket"));
}

static void foreign(const char *sql)
{
	must(db_foreign(w.db, sv_of(sql), NULL, &w.e));
}

static int64_t number(struct db *db, const char *sql)
{
	int64_t n;

	must(db_int(db, sql, NULL, 0, -1, &n, &w.e));
	return n;
}

static void super(const char *sql)
{
	char *said = services_tell("sql", w.pg.name, sql, w.database, NULL);

	mem_free(said);
}

static int group_setup(void **state)
{
	(void)state;
	services_start(SERVICE_PG, &w.pg);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	services_stop(&w.pg);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	services_need(&w.pg);
	arena_init(&w.arena);
	err_clear(&w.e);
	assert_int_equal(cancel_init(&w.cancel, &w.e), 0);
	snprintf(w.database, sizeof(w.database), "case%d", ++w.number);
	mem_free(services_tell("newdb", w.pg.name, w.database, NULL));
	w.db = again();
	must(db_script(w.db,
		       "CREATE SCHEMA bascule; CREATE TABLE bascule_lock (one integer PRIMARY KEY, "
		       "epoch bigint, who text); INSERT INTO bascule_lock VALUES (1, 3, 'alice'); "
		       "CREATE TABLE bascule_history (id text PRIMARY KEY)",
		       &w.e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(w.db);
	w.db = NULL;
	cancel_clear(&w.cancel);
	arena_clear(&w.arena);
	return 0;
}

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
	fails(try_open(arena_printf(&w.arena, "%s/app", url), NULL, &db), ERR_SYSTEM);
	assert_string_equal(w.e.sys, "ECONNREFUSED");
	assert_non_null(strstr(w.e.detail, "127.0.0.1"));
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
	fails(try_open(arena_printf(&w.arena, "%s/app", url), &quick, &db), ERR_TIMEOUT);
	assert_true(clock_mono_ms() - start >= 190);
	assert_non_null(strstr(w.e.detail, "127.0.0.1"));
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
	must(try_open(arena_printf(&w.arena, "postgresql://app:%s@%s,127.0.0.1:%d/%s",
				   w.pg.password, closed, w.pg.port, w.database),
		      &quick, &db));
	assert_int_equal(number(db, "SELECT 1"), 1);
	db_close(db);
	db = NULL;
	fails(try_open(arena_printf(&w.arena, "postgresql://app@%s,%s/x", closed, mute), &hasty,
		       &db),
	      ERR_TIMEOUT);
	assert_non_null(strstr(w.e.detail, "refused"));
	assert_non_null(strstr(w.e.detail, "no answer"));
	close(a);
	close(b);
}

static void open__tells_apart__refusals(void **state)
{
	struct db *db = NULL;

	(void)state;
	fails(try_open(arena_printf(&w.arena, "postgresql://app:wr0ng@127.0.0.1:%d/%s", w.pg.port,
				    w.database),
		       NULL, &db),
	      ERR_DB);
	assert_string_equal(w.e.sys, "28P01");
	assert_null(strstr(w.e.detail, "wr0ng"));
	assert_null(strstr(w.e.detail, "LOCATION"));
	assert_non_null(strstr(w.e.hint, "password ="));
	fails(try_open(url_of(w.pg.name, "tcp"), NULL, &db), ERR_SYSTEM);
	assert_non_null(strstr(w.e.hint, "password ="));
	fails(try_open(arena_printf(&w.arena, "postgresql://app:%s@127.0.0.1:%d/nowhere",
				    w.pg.password, w.pg.port),
		       NULL, &db),
	      ERR_NOT_FOUND);
	assert_string_equal(w.e.sys, "3D000");
	fails(try_open(arena_printf(&w.arena, "%s?sslmood=x", url_of(w.pg.name, "tcp")), NULL, &db),
	      ERR_SYSTEM);
	assert_non_null(strstr(w.e.detail, "sslmood"));
}

static void open__reads__the_password_file(void **state)
{
	char *path = tmp_path(getenv("HOME"), "pass");
	char *text = arena_printf(&w.arena, "127.0.0.1:%d:*:app:%s\n", w.pg.port, w.pg.password);
	struct db *db;

	(void)state;
	tmp_write(getenv("HOME"), "pass", text);
	assert_int_equal(chmod(path, 0600), 0);
	db = open_url(arena_printf(&w.arena, "%s?passfile=%s", url_of(w.pg.name, "tcp"), path));
	assert_int_equal(number(db, "SELECT 1"), 1);
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
		struct service tls = { 0 };
		struct db *db = NULL;
		char *options = arena_printf(&w.arena, "--tls %s --tls-only", kind[i]);
		const char *url;

		assert_int_equal(services_start_as(SERVICE_PG, kind[i], options, &tls), 0);
		url = arena_printf(&w.arena, "%s?sslmode=verify-full&sslrootcert=%s",
				   tls.url_password, tls.ca);
		if (i == 0) {
			db = open_url(url);
			assert_int_equal(
				number(db, "SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = "
					   "pg_backend_pid()"),
				1);
			db_close(db);
			fails(try_open(arena_printf(&w.arena,
						    "%s?sslmode=verify-full&sslrootcert=/none",
						    tls.url_password),
				       NULL, &db),
			      ERR_SYSTEM);
		} else {
			fails(try_open(url, NULL, &db), ERR_SYSTEM);
			assert_non_null(strstr(w.e.detail, "certificate"));
		}
		services_stop(&tls);
	}
}

/* --- Losing it --------------------------------------------------------------------------------- */

static void exec__says_lost__when_the_session_is_ended(void **state)
{
	struct db *other = again();
	struct db_session mine;
	bool alive = true;

	(void)state;
	must(db_session(w.db, &mine, &w.e));
	must(db_session_alive(other, &mine, &alive, &w.e));
	assert_true(alive);
	must(db_session_end(other, &mine, &w.e));
	for (int i = 0; i < 1000 && alive; i++) {
		struct err ignored;

		must(db_session_alive(other, &mine, &alive, &w.e));
		(void)!wait_fds(NULL, 0, clock_mono_ms() + 10, NULL, &ignored);
	}
	assert_false(alive);
	fails(db_exec(w.db, "SELECT 1", NULL, 0, NULL, NULL, &w.e), ERR_LOST);
	fails(db_exec(w.db, "SELECT 1", NULL, 0, NULL, NULL, &w.e), ERR_LOST);
	assert_false(db_in_transaction(w.db));
	db_rollback(w.db);
	db_close(other);
}

static void exec__gives_up__on_a_mute_server(void **state)
{
	const struct db_options quick = { .answer_timeout_ms = 100, .lock_timeout_ms = 100 };
	struct service s = { 0 };
	struct db *db = NULL;

	(void)state;
	assert_int_equal(services_start_as(SERVICE_PG, "mute", "", &s), 0);
	must(try_open(s.url, &quick, &db));
	assert_int_equal(number(db, "SELECT 1"), 1);
	mem_free(services_tell("freeze", s.name, NULL));
	fails(db_exec(db, "SELECT 2", NULL, 0, NULL, NULL, &w.e), ERR_TIMEOUT);
	fails(db_exec(db, "SELECT 2", NULL, 0, NULL, NULL, &w.e), ERR_LOST);
	mem_free(services_tell("thaw", s.name, NULL));
	db_close(db);
	db = open_url(s.url);
	mem_free(services_tell("crash", s.name, NULL));
	fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &w.e), ERR_LOST);
	db_close(db);
	services_stop(&s);
}

/* --- Stopping ---------------------------------------------------------------------------------- */

struct later {
	struct db *interrupt; /* or NULL: the cancel */
	int64_t fired_ms;
};

static void *stop_later(void *arg)
{
	struct later *l = arg;
	struct err ignored;

	(void)!wait_fds(NULL, 0, clock_mono_ms() + 100, NULL, &ignored);
	l->fired_ms = clock_mono_ms();
	if (l->interrupt != NULL)
		db_interrupt(l->interrupt);
	else
		cancel_fire(&w.cancel);
	return NULL;
}

static void cancel__leaves__the_connection_good(void **state)
{
	struct later l = { NULL, 0 };
	pthread_t thread;
	int64_t took;

	(void)state;
	foreign("CREATE TABLE t (v integer)");
	must(db_begin(w.db, &w.e));
	pthread_create(&thread, NULL, stop_later, &l);
	fails(db_foreign(w.db, SV("SELECT pg_sleep(60)"), NULL, &w.e), ERR_CANCELLED);
	took = clock_mono_ms() - l.fired_ms;
	pthread_join(thread, NULL);
	print_message("# cancelled in %lld ms\n", (long long)took);
	assert_true(took < 1000); /* the promise is 100 */
	db_set_cancel(w.db, NULL);
	db_rollback(w.db);
	assert_int_equal(number(w.db, "SELECT count(*) FROM t"), 0);
}

static void interrupt__fails__the_statement_alone(void **state)
{
	struct later l = { w.db, 0 };
	pthread_t thread;

	(void)state;
	db_interrupt(w.db); /* nothing runs */
	pthread_create(&thread, NULL, stop_later, &l);
	fails(db_foreign(w.db, SV("SELECT pg_sleep(60)"), NULL, &w.e), ERR_DB);
	pthread_join(thread, NULL);
	assert_string_equal(w.e.sys, "57014");
	assert_int_equal(number(w.db, "SELECT 7"), 7);
}

static void statement_timeout__is_kept__by_the_server(void **state)
{
	const struct db_options opt = { .statement_timeout_ms = 50 };
	struct db *db = NULL;

	(void)state;
	must(try_open(url_of(w.pg.name, "socket"), &opt, &db));
	fails(db_foreign(db, SV("SELECT pg_sleep(60)"), NULL, &w.e), ERR_TIMEOUT);
	assert_string_equal(w.e.sys, "57014");
	assert_int_equal(number(db, "SELECT 7"), 7);
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
	must(db_exec(w.db, "SELECT ?2 || 'bascule_x ?1' || ?1 || (SELECT who FROM bascule_lock)", v,
		     2, keep_text, text, &w.e));
	assert_string_equal(text, "abascule_x ?1balice");
	assert_int_equal(number(w.db, "SELECT true"), 1);
	assert_int_equal(number(w.db, "SELECT sum(x) FROM (VALUES (2::bigint), (3)) AS v(x)"), 5);
	must(db_exec(w.db, "SELECT 2.50::numeric", NULL, 0, keep_text, text, &w.e));
	assert_string_equal(text, "2.50");
}

static void error__names__line_and_sqlstate(void **state)
{
	(void)state;
	fails(db_foreign(w.db, SV("SELECT 'é',\n\n  nothing"), NULL, &w.e), ERR_DB);
	assert_string_equal(w.e.sys, "42703");
	assert_non_null(strstr(w.e.detail, "line 3"));
	foreign("CREATE TABLE t (v integer)");
	fails(db_foreign(w.db, SV("COPY t FROM STDIN"), NULL, &w.e), ERR_INPUT);
}

static void latin1__is_converted__by_the_server(void **state)
{
	const struct db_value v[] = { db_v_text("\u00e9t\u00e9") };
	struct db *db;
	char text[64];

	(void)state;
	super("CREATE DATABASE latin OWNER app ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE "
	      "template0");
	str_copy(w.database, sizeof(w.database), "latin");
	db = again();
	must(db_exec(db, "SELECT ?1 || chr(233)", v, 1, keep_text, text, &w.e));
	assert_string_equal(text, "\u00e9t\u00e9\u00e9");
	must(db_foreign(db, SV("CREATE TABLE t (v text)"), NULL, &w.e));
	must(db_foreign(db, SV("INSERT INTO t VALUES ('\u00e9')"), NULL, &w.e));
	fails(db_foreign(db, SV("INSERT INTO t VALUES ('\u4e2d')"), NULL, &w.e), ERR_DB);
	assert_int_equal(number(db, "SELECT octet_length(v::bytea) FROM t"), 1);
	db_close(db);
}

/* --- What a migration leaves behind ------------------------------------------------------------ */

static void session__is_put_right__around_our_statements(void **state)
{
	const struct db_value v = db_v_text("1");
	char text[64];

	(void)state;
	super("CREATE ROLE nobody_here; GRANT nobody_here TO app");
	must(db_migration_begin(w.db, NULL, 0, &w.e));
	foreign("SET ROLE nobody_here");
	foreign("SELECT set_config('search_path', '', false)");
	must(db_exec(w.db, "INSERT INTO bascule_history VALUES (?1)", &v, 1, NULL, NULL, &w.e));
	must(db_migration_commit(w.db, &w.e));
	/* Outside of a transaction what it has set stays for its next statement, not for ours. */
	foreign("SET ROLE nobody_here");
	foreign("SET lock_timeout = 1");
	assert_int_equal(number(w.db, "SELECT count(*) FROM bascule_history"), 1);
	must(db_begin(w.db, &w.e));
	must(db_exec(w.db, "DELETE FROM bascule_history", NULL, 0, NULL, NULL, &w.e));
	must(db_commit(w.db, &w.e));
	fails(db_foreign(w.db, SV("CREATE TABLE public.x (v integer)"), NULL, &w.e), ERR_DB);
	/* The next migration begins as the first did. */
	must(db_migration_begin(w.db, NULL, 0, &w.e));
	must(db_exec(w.db,
		     "SELECT current_user || current_setting('lock_timeout') || "
		     "current_setting('search_path')",
		     NULL, 0, keep_text, text, &w.e));
	assert_string_equal(text, "app5s\"$user\", public");
	foreign("CREATE TABLE x (v integer)");
	must(db_migration_commit(w.db, &w.e));
	assert_int_equal(number(w.db, "SELECT count(*) FROM public.x"), 0);
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
		fails(db_foreign(w.db, sv_of(refused[i]), NULL, &w.e), ERR_INPUT);
		assert_non_null(strstr(w.e.detail, "bascule"));
	}
	foreign("SELECT * FROM bascule.lock");
	foreign("CREATE TABLE bascule (bascule text DEFAULT 'bascule.lock')");
}

/* --- Units ------------------------------------------------------------------------------------- */

static struct db_item text_item(const char *sql)
{
	return (struct db_item){ .text = sv_of(sql) };
}

static void send3(const char *sql)
{
	const struct db_item item[] = { text_item("BEGIN"), text_item(sql), text_item("COMMIT") };

	must(db_unit_send(w.db, item, 3, &w.e));
}

static void units__are_answered__in_order(void **state)
{
	size_t failed;

	(void)state;
	foreign("CREATE TABLE t (v integer PRIMARY KEY)");
	for (int i = 0; i < 64; i++)
		send3(arena_printf(&w.arena, "INSERT INTO t VALUES (%d)", i));
	assert_int_equal(db_units_waiting(w.db), 64);
	for (int i = 0; i < 64; i++)
		must(db_unit_result(w.db, &failed, &w.e));
	assert_int_equal(db_units_waiting(w.db), 0);
	assert_int_equal(number(w.db, "SELECT count(*) FROM t"), 64);
	must(db_units_clear(w.db, &w.e));
}

static void units__stop__at_the_first_failure(void **state)
{
	size_t failed = 99;

	(void)state;
	foreign("CREATE TABLE t (v integer PRIMARY KEY)");
	send3("INSERT INTO t VALUES (1)");
	send3("INSERT INTO\n t VALUES (nothing)");
	send3("INSERT INTO t VALUES (3)");
	must(db_unit_send(w.db, &(struct db_item){ .text = SV("INSERT INTO t VALUES (4)") }, 1,
			  &w.e));
	must(db_unit_result(w.db, &failed, &w.e));
	fails(db_unit_result(w.db, &failed, &w.e), ERR_DB);
	assert_int_equal(failed, 1);
	assert_string_equal(w.e.sys, "42703");
	assert_non_null(strstr(w.e.detail, "line 2"));
	fails(db_unit_result(w.db, &failed, &w.e), ERR_DB);
	assert_int_equal(db_units_waiting(w.db), 1);
	must(db_units_clear(w.db, &w.e));
	assert_int_equal(db_units_waiting(w.db), 0);
	assert_false(db_in_transaction(w.db));
	assert_int_equal(number(w.db, "SELECT count(*) FROM t"), 1);
	/* And units work again. */
	send3("INSERT INTO t VALUES (5)");
	must(db_unit_result(w.db, &failed, &w.e));
}

/* A unit without BEGIN does not stop the server: nothing may be sent behind its failure. */
static void units__without_begin__hold_back_the_next(void **state)
{
	size_t failed;

	(void)state;
	foreign("CREATE TABLE t (v integer PRIMARY KEY)");
	must(db_unit_send(w.db,
			  &(struct db_item){ .text = SV("CREATE INDEX CONCURRENTLY i ON t (v)") },
			  1, &w.e));
	must(db_unit_send(w.db, &(struct db_item){ .text = SV("INSERT INTO t VALUES (nothing)") },
			  1, &w.e));
	send3("INSERT INTO t VALUES (2)");
	must(db_unit_result(w.db, &failed, &w.e));
	fails(db_unit_result(w.db, &failed, &w.e), ERR_DB);
	assert_int_equal(failed, 0);
	fails(db_unit_result(w.db, &failed, &w.e), ERR_DB);
	must(db_units_clear(w.db, &w.e));
	assert_int_equal(number(w.db, "SELECT count(*) FROM t"), 0);
}

static int count_rows(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	*(int64_t *)arg += col[0].i;
	return 0;
}

static void units__mix__ours_and_theirs(void **state)
{
	const struct db_value v = db_v_text("m1");
	int64_t sum = 0;
	size_t failed;
	const struct db_item item[] = {
		text_item("BEGIN"),
		{ .sql = "INSERT INTO bascule_history VALUES (?1)", .param = &v, .n_param = 1 },
		text_item("SELECT repeat('x', 100) FROM generate_series(1, 100000)"),
		text_item("SET ROLE other_one"),
		{ .sql = "SELECT count(*) FROM bascule_history", .fn = count_rows, .arg = &sum },
		text_item("COMMIT"),
	};

	(void)state;
	super("CREATE ROLE other_one; GRANT other_one TO app");
	must(db_unit_send(w.db, item, 6, &w.e));
	/* The role is given back before this one. */
	send3("CREATE TABLE by_app (v integer)");
	must(db_unit_result(w.db, &failed, &w.e));
	assert_int_equal(sum, 1);
	must(db_unit_result(w.db, &failed, &w.e));
	assert_int_equal(number(w.db, "SELECT count(*) FROM bascule_history"), 1);
}

/* More than any socket holds, in both directions. */
static void units__never_deadlock__on_full_buffers(void **state)
{
	size_t bytes = 16 << 20, failed;
	char *sql = mem_alloc(bytes + 64);

	(void)state;
	memset(sql, 'x', bytes);
	memcpy(sql, "SELECT '", 8);
	snprintf(sql + bytes, 64, "' FROM generate_series(1, 3)");
	for (int i = 0; i < 4; i++)
		send3(sql);
	for (int i = 0; i < 4; i++)
		must(db_unit_result(w.db, &failed, &w.e));
	assert_true(db_unit_max_bytes(w.db) > bytes);
	mem_free(sql);
}

static void units__are_stopped__by_a_cancel(void **state)
{
	struct later l = { NULL, 0 };
	pthread_t thread;
	size_t failed;
	int64_t took;

	(void)state;
	foreign("CREATE TABLE t (v integer)");
	send3("INSERT INTO t VALUES (1)");
	send3("SELECT pg_sleep(60)");
	send3("INSERT INTO t VALUES (2)");
	must(db_unit_result(w.db, &failed, &w.e));
	pthread_create(&thread, NULL, stop_later, &l);
	fails(db_unit_result(w.db, &failed, &w.e), ERR_CANCELLED);
	took = clock_mono_ms() - l.fired_ms;
	pthread_join(thread, NULL);
	assert_true(took < 1000);
	must(db_units_clear(w.db, &w.e));
	db_set_cancel(w.db, NULL);
	assert_int_equal(number(w.db, "SELECT count(*) FROM t"), 1);
}

static void units__end__at_copy_and_at_a_lost_server(void **state)
{
	size_t failed = 99;
	struct db *other = again();
	struct db_session mine;

	(void)state;
	foreign("CREATE TABLE t (v integer)");
	must(db_session(other, &mine, &w.e));
	send3("COPY t FROM STDIN");
	fails(db_unit_result(w.db, &failed, &w.e), ERR_INPUT);
	assert_int_equal(failed, 1);
	assert_int_equal(db_units_clear(w.db, &w.e), -1);
	db_close(w.db);
	w.db = other;
	other = again();
	must(db_session(w.db, &mine, &w.e));
	send3("SELECT pg_sleep(60)");
	must(db_session_end(other, &mine, &w.e));
	fails(db_unit_result(w.db, &failed, &w.e), ERR_LOST);
	assert_int_equal(failed, 3);
	assert_int_equal(db_units_clear(w.db, &w.e), -1);
	db_close(other);
}

/* --- Locks and the fence ----------------------------------------------------------------------- */

static void advisory__is_one_lock__of_one_session(void **state)
{
	struct db *other = again();
	struct db_session mine, holder;
	bool got, held;

	(void)state;
	must(db_session(w.db, &mine, &w.e));
	must(db_advisory_holder(other, "run", &held, &holder, &w.e));
	assert_false(held);
	for (int i = 0; i < 3; i++) {
		must(db_advisory_lock(w.db, "run", &got, &w.e));
		assert_true(got);
	}
	must(db_advisory_lock(other, "run", &got, &w.e));
	assert_false(got);
	must(db_advisory_holder(other, "run", &held, &holder, &w.e));
	assert_true(held);
	assert_int_equal(holder.id, mine.id);
	assert_string_equal(holder.started, mine.started);
	assert_int_equal(strlen(mine.started), 26);
	db_advisory_unlock(w.db, "run");
	must(db_advisory_lock(other, "run", &got, &w.e));
	assert_true(got);
	db_close(other);
}

static int fence(int64_t epoch)
{
	struct strbuf b;
	size_t failed;
	struct db_item item[2] = { text_item("BEGIN") };
	int result;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	db_fence_sql(w.db, "run", epoch, &b);
	item[1].text = strbuf_sv(&b);
	must(db_unit_send(w.db, item, 2, &w.e));
	result = db_unit_result(w.db, &failed, &w.e);
	if (result != 0) {
		struct err why = w.e;

		assert_int_equal(failed, 1);
		must(db_units_clear(w.db, &w.e));
		w.e = why;
	}
	strbuf_clear(&b);
	db_rollback(w.db);
	return result;
}

static void fence__fails__unless_all_is_ours(void **state)
{
	struct db *other = again();
	bool got;

	(void)state;
	must(fence(3)); /* and takes the lock that nobody has */
	fails(fence(2), ERR_DB);
	assert_true(db_is_fence_error(w.db, &w.e));
	assert_non_null(strstr(w.e.detail, "epoch 3 of alice"));
	fails(db_foreign(w.db, SV("SELECT 'x'::integer"), NULL, &w.e), ERR_DB);
	assert_false(db_is_fence_error(w.db, &w.e));
	foreign("SELECT pg_advisory_unlock_all()");
	must(db_advisory_lock(other, "run", &got, &w.e));
	assert_true(got);
	fails(fence(3), ERR_DB);
	assert_true(db_is_fence_error(w.db, &w.e));
	assert_non_null(strstr(w.e.detail, "another session"));
	db_advisory_unlock(other, "run");
	must(fence(3));
	must(db_exec(w.db, "DELETE FROM bascule_lock", NULL, 0, NULL, NULL, &w.e));
	fails(fence(3), ERR_DB);
	assert_true(db_is_fence_error(w.db, &w.e));
	assert_non_null(strstr(w.e.detail, "no row"));
	db_close(other);
}

/* --- About the server -------------------------------------------------------------------------- */

static void info__says__who_and_where(void **state)
{
	struct db_info i;
	int64_t now, here = clock_utc_ms();
	struct db *db;

	(void)state;
	must(db_info(w.db, &i, &w.e));
	assert_string_equal(i.role, "app");
	assert_string_not_equal(i.zone, "");
	assert_false(i.read_only);
	assert_non_null(strstr(i.durability, "fsync="));
	assert_non_null(strstr(i.server, w.pg.socket_dir));
	must(db_now(w.db, &now, &w.e));
	assert_true(now - here < 600000 && here - now < 600000);
	super(arena_printf(&w.arena, "ALTER DATABASE %s SET default_transaction_read_only = on",
			   w.database));
	db = again();
	must(db_info(db, &i, &w.e));
	assert_true(i.read_only);
	fails(db_foreign(db, SV("CREATE TABLE t (v integer)"), NULL, &w.e), ERR_SYSTEM);
	assert_string_equal(w.e.sys, "EROFS");
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
	must(db_check_pooler(w.db, &w.e));
	mem_free(services_tell("pgbouncer", "pool-s", w.pg.name, "session", NULL));
	db = open_url(url_of("pool-s", "tcp-password"));
	must(db_check_pooler(db, &w.e));
	db_close(db);
	mem_free(services_tell("stop", "pool-s", NULL));
	mem_free(services_tell("pgbouncer", "pool-t", w.pg.name, "transaction", NULL));
	db = open_url(url_of("pool-t", "tcp-password"));
	fails(db_check_pooler(db, &w.e), ERR_UNSUPPORTED);
	assert_non_null(strstr(w.e.hint, "pool_mode"));
	db_close(db);
	mem_free(services_tell("stop", "pool-t", NULL));
}

static int add_table(void *arg, const char *table, int64_t rows, struct err *e)
{
	struct strbuf *b = arg;

	(void)e;
	strbuf_addf(b, "%s=%lld ", table, (long long)rows);
	return 0;
}

static void tables__are_the_users__with_rows(void **state)
{
	struct strbuf b;

	(void)state;
	foreign("CREATE TABLE \"Odd one\" (v integer)");
	foreign("INSERT INTO \"Odd one\" VALUES (1), (2)");
	foreign("CREATE SCHEMA s");
	foreign("CREATE TABLE s.t (v integer)");
	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(db_tables(w.db, add_table, &b, &w.e));
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
	must(db_schema_digest(w.db, before, &w.e));
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		foreign(changes[i]);
		must(db_schema_digest(w.db, after, &w.e));
		assert_string_not_equal(before, after);
		str_copy(before, sizeof(before), after);
	}
	foreign("INSERT INTO t VALUES (5)");
	foreign("SET search_path = pg_catalog, public");
	must(db_script(w.db, "CREATE TABLE bascule_more (v integer)", &w.e));
	must(db_schema_digest(w.db, after, &w.e));
	assert_string_equal(before, after);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		CASE(units__are_answered__in_order),
		CASE(units__stop__at_the_first_failure),
		CASE(units__without_begin__hold_back_the_next),
		CASE(units__mix__ours_and_theirs),
		CASE(units__never_deadlock__on_full_buffers),
		CASE(units__are_stopped__by_a_cancel),
		CASE(units__end__at_copy_and_at_a_lost_server),
		CASE(advisory__is_one_lock__of_one_session),
		CASE(fence__fails__unless_all_is_ours),
		CASE(info__says__who_and_where),
		CASE(pooler__is_refused__when_it_pools_transactions),
		CASE(tables__are_the_users__with_rows),
		CASE(digest__follows__the_schema_alone),
	};

	return cmocka_run_group_tests(cases, group_setup, group_teardown);
}
