/* SPDX-License-Identifier: MIT */
/*
 * env_open with database_via over a throw-away sshd: what the client libraries make of the near end of a tunnel,
 * on both servers, by port and by socket, by both transports. The whole program is in database_via.sh.
 *
 * needs: servers
 */
#include "core/release/env_open.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/db.h"
#include "tests/support/services.h"
#include "tests/support/tmp.h"

static struct server server[2];
static const enum server_kind kinds[] = { SERVICE_PG, SERVICE_MY };
static struct server sshd;
static const enum host_transport transports[] = { HOST_LIBSSH2, HOST_OPENSSH };
static struct host_spec spec = { .connect_timeout_ms = 20000, .alive_ms = 5000 };

struct world {
	struct arena arena;
	char *dir;
	struct host_context host;
	struct context ctx;
	struct env env;
};

static void world_init(struct world *w, const char *url, const char *password)
{
	struct err e;

	memset(w, 0, sizeof(*w));
	arena_init(&w->arena);
	w->dir = tmp_make();
	w->host = (struct host_context){
		.home = w->dir, .login = "app", .ssh_config = sshd.config, .run_dir = w->dir
	};
	w->ctx.hosts = hosts_new(&w->host);
	w->env = (struct env){ .name = "dev",
			       .has_db = true,
			       .database_via = &spec,
			       .lock_timeout_ms = 5000,
			       .connect_timeout_ms = 20000 };
	if (dsn_parse(&w->arena, url, "/", &w->env.dsn, &e) != 0)
		fail_msg("%s", e.msg);
	w->env.dsn.password = password;
}

static size_t entries(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *one;
	size_t n = 0;

	while ((one = readdir(d)) != NULL)
		n += one->d_name[0] != '.';
	closedir(d);
	return n;
}

static void world_clear(struct world *w)
{
	hosts_free(w->ctx.hosts);
	assert_int_equal(entries(w->dir), 0);
	tmp_remove(w->dir);
	arena_clear(&w->arena);
}

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		services_start(kinds[i], &server[i]);
	services_start(SERVICE_SSH, &sshd);
	spec.name = sshd.name;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		services_stop(&server[i]);
	services_stop(&sshd);
	return 0;
}

static void reads_through(const char *url, const char *password, const char *via)
{
	struct db_info info;
	struct db *db = NULL;
	struct world w;
	struct err e;
	int64_t n = 0;
	size_t open;

	world_init(&w, url, password);
	if (env_open(&w.ctx, &w.env, DB_READ_ONLY, NULL, &db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_int_equal(db_int(db, "SELECT 41 + 1", NULL, 0, 0, &n, &e), 0);
	assert_int_equal(n, 42);
	assert_int_equal(db_info(db, &info, &e), 0);
	assert_non_null(strstr(info.server, via));
	/* A transport may have a socket of its own there as long as its session lasts. */
	open = entries(w.dir);
	db_close(db);
	assert_true(entries(w.dir) < open);
	world_clear(&w);
}

static void env_open__goes_through_the_host__by_port_and_by_socket(void **state)
{
	char via[64], on[64];

	(void)state;
	services_need(&sshd);
	snprintf(on, sizeof(on), " on %s", sshd.name);
	for (int k = 0; k < 4; k++) {
		const struct server *s = &server[k % 2];

		services_need(s);
		spec.transport = transports[k / 2];
		snprintf(via, sizeof(via), ":%d via %s", s->port, sshd.name);
		reads_through(s->url_tcp, s->password, via);
		reads_through(s->url, NULL, on);
	}
}

/* libpq speaks TLS over TCP only: it gets a port of this machine, and checks the certificate against the URL. */
static void tls__is_spoken_and_checked__through_the_host(void **state)
{
	struct server tls = { 0 };
	struct db *db = NULL;
	struct world w;
	struct err e;
	char url[512];
	int64_t n = 0;

	(void)state;
	services_need(&sshd);
	if (services_start_as(SERVICE_PG, "pgtls", "--tls good --tls-only", &tls) != 0)
		skip();
	spec.transport = HOST_LIBSSH2;
	snprintf(url, sizeof(url),
		 "postgresql://app@localhost:%d/app?sslmode=verify-full&sslrootcert=%s", tls.port,
		 tls.ca);
	world_init(&w, url, tls.password);
	if (env_open(&w.ctx, &w.env, 0, NULL, &db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_int_equal(
		db_int(db, "SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
		       NULL, 0, 0, &n, &e),
		0);
	assert_int_equal(n, 1);
	db_close(db);
	world_clear(&w);
	/* An authority that did not sign it. */
	snprintf(
		url, sizeof(url),
		"postgresql://app@localhost:%d/app?sslmode=verify-full&sslrootcert=%s/stranger.crt",
		tls.port, tls.tls);
	world_init(&w, url, tls.password);
	assert_int_equal(env_open(&w.ctx, &w.env, 0, NULL, &db, &e), -1);
	assert_non_null(strstr(e.detail, "certificate"));
	world_clear(&w);
	/* Without TLS this server lets nobody in: the tunnel itself has none. */
	snprintf(url, sizeof(url), "postgresql://app@localhost:%d/app", tls.port);
	world_init(&w, url, tls.password);
	assert_int_equal(env_open(&w.ctx, &w.env, 0, NULL, &db, &e), -1);
	world_clear(&w);
	services_stop(&tls);
}

struct later {
	struct cancel *cancel;
	const struct server *server;
};

static char *sleepers(const struct server *s)
{
	return services_sql(s, s == &server[0]
				       ? "SELECT count(*) FROM pg_stat_activity WHERE "
					 "wait_event = 'PgSleep'"
				       : "SELECT count(*) FROM information_schema.processlist "
					 "WHERE state = 'User sleep'");
}

/* Until n sessions sleep there. */
static void wait_sleepers(const struct server *s, const char *n)
{
	int64_t deadline = clock_mono_ms() + 60000;
	char *said = sleepers(s);

	while (strcmp(said, n) != 0 && clock_mono_ms() < deadline) {
		struct err e;

		mem_free(said);
		if (wait_fds(NULL, 0, clock_mono_ms() + 20, NULL, &e) < 0)
			break;
		said = sleepers(s);
	}
	assert_string_equal(said, n);
	mem_free(said);
}

static void *cancel_later(void *arg)
{
	struct later *l = arg;

	wait_sleepers(l->server, "1");
	cancel_fire(l->cancel);
	return NULL;
}

static void cancel__reaches_the_server__through_the_host(void **state)
{
	static const char *const sleeps[] = { "SELECT pg_sleep(300)", "SELECT sleep(300)" };

	(void)state;
	services_need(&sshd);
	spec.transport = HOST_LIBSSH2;
	for (int i = 0; i < 2; i++) {
		struct later later = { .server = &server[i] };
		struct cancel cancel;
		struct db *db = NULL;
		struct world w;
		pthread_t thread;
		struct err e;

		services_need(&server[i]);
		world_init(&w, server[i].url_tcp, server[i].password);
		assert_int_equal(cancel_init(&cancel, &e), 0);
		later.cancel = &cancel;
		if (env_open(&w.ctx, &w.env, 0, &cancel, &db, &e) != 0)
			fail_msg("%s: %s", e.msg, e.detail);
		assert_int_equal(pthread_create(&thread, NULL, cancel_later, &later), 0);
		assert_int_equal(db_script(db, sleeps[i], &e), -1);
		assert_int_equal(e.code, ERR_CANCELLED);
		pthread_join(thread, NULL);
		wait_sleepers(&server[i], "0");
		db_close(db);
		cancel_clear(&cancel);
		world_clear(&w);
	}
}

static void env_open__says_so__when_nobody_is_behind_the_host(void **state)
{
	static const char *const urls[] = { "postgresql://app@127.0.0.1:1/app",
					    "mariadb://app@127.0.0.1:1/app",
					    "postgresql:///app?host=/nowhere",
					    "mariadb:///app?socket=/nowhere/s" };
	struct db *db = NULL;
	struct world w;
	struct err e;

	(void)state;
	services_need(&sshd);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		spec.transport = transports[i % 2];
		world_init(&w, urls[i], NULL);
		assert_int_equal(env_open(&w.ctx, &w.env, 0, NULL, &db, &e), -1);
		assert_int_not_equal(e.code, ERR_TIMEOUT);
		assert_true(e.msg[0] != '\0');
		world_clear(&w);
	}
	world_init(&w, urls[0], NULL);
	hosts_free(w.ctx.hosts);
	w.ctx.hosts = NULL;
	assert_int_equal(env_open(&w.ctx, &w.env, 0, NULL, &db, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	world_clear(&w);
}

static void target__is_what_the_url_says__with_the_engines_ports(void **state)
{
	static const struct {
		const char *url, *path, *host;
		int port;
	} cases[] = {
		{ "postgresql://a@db2/s", NULL, "db2", 5432 },
		{ "postgresql://a@db2:6000/s", NULL, "db2", 6000 },
		{ "mariadb://a@db2/s", NULL, "db2", 3306 },
		{ "postgresql://[::1]:7/s", NULL, "::1", 7 },
		{ "postgresql:///s?host=/run/pg", "/run/pg/.s.PGSQL.5432", NULL, 0 },
		{ "postgresql:///s?host=/run/pg&port=6", "/run/pg/.s.PGSQL.6", NULL, 0 },
		{ "mariadb:///s?socket=/run/my.sock", "/run/my.sock", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct env env = { .database_via = &spec };
		struct host_target t;
		struct arena a;
		struct err e;

		arena_init(&a);
		assert_int_equal(dsn_parse(&a, cases[i].url, "/", &env.dsn, &e), 0);
		env_via_target(&env, &a, &t);
		if (cases[i].path != NULL)
			assert_string_equal(t.path, cases[i].path);
		else
			assert_string_equal(t.host, cases[i].host);
		assert_int_equal(t.port, cases[i].port);
		arena_clear(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target__is_what_the_url_says__with_the_engines_ports),
		cmocka_unit_test(env_open__goes_through_the_host__by_port_and_by_socket),
		cmocka_unit_test(tls__is_spoken_and_checked__through_the_host),
		cmocka_unit_test(cancel__reaches_the_server__through_the_host),
		cmocka_unit_test(env_open__says_so__when_nobody_is_behind_the_host),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
