/* SPDX-License-Identifier: MIT */
/*
 * needs: servers
 *
 * Connecting to MariaDB and losing it: passwords, ~/.my.cnf, TLS, ports where nobody answers, servers that
 * stop in the middle.
 */
#include "core/db/db.h"

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/mem.h"
#include "tests/support/services.h"
#include "tests/support/tmp.h"

#include <arpa/inet.h>
#include <dirent.h>
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

#define BOUND_MS 20000 /* generous: a loaded machine must not fail a test */

static struct server my;
static struct arena arena;
static struct dsn dsn;
static struct cancel cancel;
static struct err e;
static char *home;

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

static void parse(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* dsn from a URL. */
static void parse(const char *fmt, ...)
{
	struct strbuf url;
	va_list ap;

	strbuf_init(&url, STRBUF_NO_LIMIT);
	va_start(ap, fmt);
	strbuf_addv(&url, fmt, ap);
	va_end(ap);
	must(dsn_parse(&arena, strbuf_str(&url), "/", &dsn, &e));
	strbuf_clear(&url);
}

static int try_open(const struct db_options *opt, struct db **out)
{
	*out = NULL;
	return db_open(&dsn, 0, opt, &cancel, out, &e);
}

static void opens(void)
{
	struct db *db;

	must(try_open(NULL, &db));
	db_close(db);
}

static void open_fails(enum err_code code)
{
	struct db *db;

	fails(try_open(NULL, &db), code);
	assert_null(db);
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
	home = tmp_make();
	assert_int_equal(setenv("HOME", home, 1), 0);
	arena_init(&arena);
	must(cancel_init(&cancel, &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cancel_clear(&cancel);
	arena_clear(&arena);
	tmp_remove(home);
	return 0;
}

/* --- Who we are -------------------------------------------------------------------------------- */

static void open__needs__the_right_password(void **state)
{
	(void)state;
	parse("mariadb://app@127.0.0.1:%d/app", my.port);
	open_fails(ERR_DB);
	assert_string_equal(e.sys, "1045");
	assert_non_null(strstr(e.hint, "password ="));
	dsn.password = "wrong";
	open_fails(ERR_DB);
	assert_null(strstr(e.detail, "wrong"));
	dsn.password = my.password;
	opens();
}

static void open__reads__my_cnf(void **state)
{
	static const char *const groups[] = { "client", "client-mariadb", "bascule" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct strbuf file;

		strbuf_init(&file, STRBUF_NO_LIMIT);
		strbuf_addf(&file, "[%s]\npassword=%s\nuser=app\nport=%d\nhost=127.0.0.1\n",
			    groups[i], my.password, my.port);
		tmp_write(home, ".my.cnf", strbuf_str(&file));
		strbuf_clear(&file);
		parse("mariadb:///app");
		opens();
	}
	/* What the URL says comes first. */
	parse("mariadb://nobody@127.0.0.1:%d/app", my.port);
	open_fails(ERR_DB);
	assert_non_null(strstr(e.detail, "nobody"));
}

static void open__refuses__what_is_not_there(void **state)
{
	struct db *db = NULL;

	(void)state;
	parse("mariadb://root@localhost/nowhere?socket=%s", my.socket);
	open_fails(ERR_NOT_FOUND);
	assert_non_null(strstr(e.hint, "CREATE DATABASE `nowhere`"));
	assert_non_null(strstr(e.msg, dsn.shown));
	fails(db_open(&dsn, DB_CREATE, NULL, NULL, &db, &e), ERR_UNSUPPORTED);
	parse("mariadb://app@localhost/nowhere?socket=%s", my.socket);
	open_fails(ERR_DB); /* the server does not tell whether it is there */
	assert_non_null(strstr(e.hint, "GRANT"));
	parse("mariadb://app@localhost/app?socket=%s/none", home);
	open_fails(ERR_SYSTEM);
	parse("mariadb://app@127.0.0.1:1/app");
	open_fails(ERR_SYSTEM);
	parse("mariadb://app@localhost/app?socket=%s&charset=latin1", my.socket);
	open_fails(ERR_CONFIG);
}

/* --- TLS --------------------------------------------------------------------------------------- */

/* Our own use of OpenSSL comes first, as it does in the program. */
static void use_openssl(void)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex("x", 1, hex);
}

static void open__by_tls__checks_the_certificate(void **state)
{
	struct server s = { .name = NULL };
	struct db *db;

	(void)state;
	use_openssl();
	assert_int_equal(services_start_as(SERVICE_MY, "good", "--tls good --tls-only", &s), 0);
	dsn.password = NULL;
	parse("mariadb://app:%s@127.0.0.1:%d/app?ssl-ca=%s", s.password, s.port, s.ca);
	must(try_open(NULL, &db));
	assert_int_equal(
		number(db,
		       "SELECT LENGTH(variable_value) > 0 FROM information_schema.session_status "
		       "WHERE variable_name = 'Ssl_cipher'"),
		1);
	db_close(db);
	/* No way around it, without and with an authority that did not sign. */
	parse("mariadb://app:%s@127.0.0.1:%d/app", s.password, s.port);
	open_fails(ERR_DB);
	parse("mariadb://app:%s@127.0.0.1:%d/app?ssl-ca=%s/other.crt", s.password, s.port, s.tls);
	open_fails(ERR_DB);
	assert_string_equal(e.sys, "2026");
	parse("mariadb://app:%s@127.0.0.1:%d/app?ssl-ca=%s/none.crt", s.password, s.port, s.tls);
	open_fails(ERR_DB);
	/* Only when somebody says so. */
	parse("mariadb://app:%s@127.0.0.1:%d/app?ssl-ca=%s/other.crt&ssl-verify-server-cert=0",
	      s.password, s.port, s.tls);
	open_fails(ERR_DB); /* an authority that is named is asked all the same */
	parse("mariadb://app:%s@127.0.0.1:%d/app?ssl=1", s.password, s.port);
	opens();
	services_stop(&s);
}

static void open__by_tls__refuses_bad_certificates(void **state)
{
	static const char *const kinds[] = { "expired", "stranger" };

	(void)state;
	use_openssl();
	for (size_t i = 0; i < 2; i++) {
		struct server s = { .name = NULL };
		char options[32];

		snprintf(options, sizeof(options), "--tls %s", kinds[i]);
		assert_int_equal(services_start_as(SERVICE_MY, kinds[i], options, &s), 0);
		parse("mariadb://app:%s@127.0.0.1:%d/app?ssl-ca=%s", s.password, s.port, s.ca);
		open_fails(ERR_DB);
		assert_string_equal(e.sys, "2026");
		services_stop(&s);
	}
}

static void open__by_tls__fails_where_the_server_has_none(void **state)
{
	(void)state;
	use_openssl();
	parse("mariadb://app:%s@127.0.0.1:%d/app?ssl=1", my.password, my.port);
	open_fails(ERR_DB);
	assert_string_equal(e.sys, "2026");
}

/* --- Nobody answers ---------------------------------------------------------------------------- */

/* A port where a connection is taken and nothing is ever said. */
static int silent_port(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void *fire_soon(void *arg)
{
	struct err ignored;

	(void)arg;
	(void)!wait_fds(NULL, 0, clock_mono_ms() + 200, NULL, &ignored);
	cancel_fire(&cancel);
	return NULL;
}

static void open__gives_up__on_a_silent_port(void **state)
{
	const struct db_options quick = { .connect_timeout_ms = 300 };
	int64_t start = clock_mono_ms();
	pthread_t thread;
	struct db *db;
	int port, fd = silent_port(&port);

	(void)state;
	parse("mariadb://app@127.0.0.1:%d/app", port);
	fails(try_open(&quick, &db), ERR_TIMEOUT);
	assert_true(clock_mono_ms() - start >= 290);
	assert_true(clock_mono_ms() - start < BOUND_MS);
	assert_non_null(strstr(e.detail, "300 ms"));
	start = clock_mono_ms();
	assert_int_equal(pthread_create(&thread, NULL, fire_soon, NULL), 0);
	open_fails(ERR_CANCELLED);
	pthread_join(thread, NULL);
	assert_true(clock_mono_ms() - start < 9000); /* the default would be 10 s */
	close(fd);
}

static char task_state(const char *task)
{
	char path[64], text[256] = "";
	const char *end;
	FILE *in;

	snprintf(path, sizeof(path), "%s/stat", task);
	in = fopen(path, "r");
	if (in == NULL)
		return 'T'; /* it has ended */
	(void)!fgets(text, sizeof(text), in);
	fclose(in);
	end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' ? end[2] : '?';
}

/* kill(2) has only sent it: on a busy machine a thread may still answer. */
static void frozen(pid_t pid)
{
	int64_t deadline = clock_mono_ms() + BOUND_MS;
	char tasks[48], *task;
	bool all = false;

	snprintf(tasks, sizeof(tasks), "/proc/%d/task", (int)pid);
	while (!all) {
		DIR *d = opendir(tasks);
		struct dirent *each;

		assert_non_null(d);
		all = true;
		while ((each = readdir(d)) != NULL) {
			if (each->d_name[0] == '.')
				continue;
			task = tmp_path(tasks, each->d_name);
			all = task_state(task) == 'T' && all;
			mem_free(task);
		}
		closedir(d);
		assert_true(clock_mono_ms() < deadline);
		if (!all)
			(void)!wait_fds(NULL, 0, clock_mono_ms() + 5, NULL, &e);
	}
}

/* With times so short that a busy machine misses them now and then: opened again until it did not. */
static struct db *open_in_time(const struct db_options *opt)
{
	int64_t until = clock_mono_ms() + 60000;
	struct db *out = NULL;

	while (try_open(opt, &out) != 0)
		if (e.code != ERR_TIMEOUT || clock_mono_ms() > until)
			fail_msg("%s: %s", e.msg, e.detail);
	return out;
}

static void exec__gives_up__on_a_mute_server(void **state)
{
	const struct db_options quick = { .answer_timeout_ms = 300, .lock_timeout_ms = 1 };
	const struct db_options brief = { .connect_timeout_ms = 300 };
	struct server s = { .name = NULL };
	int64_t start;
	pthread_t thread;
	struct db *db, *other;

	(void)state;
	assert_int_equal(services_start_as(SERVICE_MY, "mute", "", &s), 0);
	parse("%s", s.url);
	db = open_in_time(&quick);
	other = open_in_time(&brief);
	mem_free(services_tell("freeze", s.name, NULL));
	frozen(s.pid);
	start = clock_mono_ms();
	fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &e), ERR_TIMEOUT);
	assert_true(clock_mono_ms() - start < BOUND_MS);
	fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &e), ERR_LOST);
	/* A cancel that the server cannot take ends the call all the same. */
	start = clock_mono_ms();
	assert_int_equal(pthread_create(&thread, NULL, fire_soon, NULL), 0);
	fails(db_foreign(other, SV("SELECT 1"), NULL, &e), ERR_CANCELLED);
	pthread_join(thread, NULL);
	assert_true(clock_mono_ms() - start < BOUND_MS);
	db_set_cancel(other, NULL);
	fails(db_foreign(other, SV("SELECT 1"), NULL, &e), ERR_LOST);
	db_close(db);
	db_close(other);
	mem_free(services_tell("thaw", s.name, NULL));
	services_stop(&s);
}

static void exec__is_lost__when_the_server_dies(void **state)
{
	const struct db_item item[] = { { .text = SV("BEGIN") },
					{ .text = SV("SELECT SLEEP(1)") } };
	struct server s = { .name = NULL };
	size_t failed = 0;
	struct db *db, *other, *third;

	(void)state;
	assert_int_equal(services_start_as(SERVICE_MY, "dies", "", &s), 0);
	parse("%s", s.url);
	must(try_open(NULL, &db));
	must(try_open(NULL, &other));
	must(try_open(NULL, &third));
	must(db_begin(third, &e));
	must(db_unit_send(other, item, 2, &e));
	mem_free(services_tell("crash", s.name, NULL));
	fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &e), ERR_LOST);
	assert_string_not_equal(e.detail, "");
	fails(db_unit_result(other, &failed, &e), ERR_LOST);
	assert_int_equal(failed, 2);
	fails(db_units_clear(other, &e), ERR_LOST);
	db_rollback(third);
	assert_false(db_in_transaction(third));
	db_close(db);
	db_close(other);
	db_close(third);
	services_stop(&s);
}

/* The promise is 100 ms, on a machine that has nothing else to do. */
static void cancel__comes_through__soon(void **state)
{
	int64_t best = INT64_MAX;
	pthread_t thread;
	struct db *db;

	(void)state;
	for (int i = 0; i < 5 && best > 100; i++) {
		int64_t start = clock_mono_ms(), took;

		cancel_clear(&cancel);
		must(cancel_init(&cancel, &e));
		parse("%s", my.url);
		must(try_open(NULL, &db));
		start = clock_mono_ms();
		assert_int_equal(pthread_create(&thread, NULL, fire_soon, NULL), 0);
		fails(db_foreign(db, SV("SELECT SLEEP(60)"), NULL, &e), ERR_CANCELLED);
		took = clock_mono_ms() - start - 200;
		pthread_join(thread, NULL);
		best = took < best ? took : best;
		db_set_cancel(db, NULL);
		assert_int_equal(number(db, "SELECT 1"), 1);
		db_close(db);
	}
	print_message("# cancelled after %lld ms\n", (long long)best);
	assert_true(best < 2000);
}

static void read_only__takes__no_write(void **state)
{
	struct db *db = NULL;

	(void)state;
	parse("%s", my.url);
	must(db_open(&dsn, DB_READ_ONLY, NULL, NULL, &db, &e));
	fails(db_foreign(db, SV("CREATE TABLE x (a INT)"), NULL, &e), ERR_SYSTEM);
	assert_string_equal(e.sys, "EROFS");
	fails(db_begin(db, &e), ERR_SYSTEM);
	db_close(db);
}

static void *open_many(void *arg)
{
	struct err mine;

	for (int i = 0; i < 20; i++) {
		struct db *db = NULL;

		if (db_open(&dsn, 0, NULL, NULL, &db, &mine) != 0)
			return arg;
		db_close(db);
	}
	return NULL;
}

static void open__works__from_many_threads(void **state)
{
	pthread_t thread[8];
	void *bad = NULL;

	(void)state;
	parse("%s", my.url);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, open_many, &dsn), 0);
	for (int i = 0; i < 8; i++) {
		void *one;

		pthread_join(thread[i], &one);
		bad = one != NULL ? one : bad;
	}
	assert_null(bad);
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
		CASE(open__works__from_many_threads),
		CASE(open__needs__the_right_password),
		CASE(open__reads__my_cnf),
		CASE(open__refuses__what_is_not_there),
		CASE(open__by_tls__checks_the_certificate),
		CASE(open__by_tls__refuses_bad_certificates),
		CASE(open__by_tls__fails_where_the_server_has_none),
		CASE(open__gives_up__on_a_silent_port),
		CASE(exec__gives_up__on_a_mute_server),
		CASE(exec__is_lost__when_the_server_dies),
		CASE(cancel__comes_through__soon),
		CASE(read_only__takes__no_write),
	};

	return cmocka_run_group_tests(cases, group_setup, group_teardown);
}
