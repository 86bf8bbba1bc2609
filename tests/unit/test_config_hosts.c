/* SPDX-License-Identifier: MIT */
/* Machines and services in bascule.ini: what they become, and every way of writing them wrongly. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/tmp.h"

static const char *table_env(void *arg, const char *name)
{
	const char *const *pair = arg;

	for (; pair != NULL && *pair != NULL; pair += 2)
		if (strcmp(pair[0], name) == 0)
			return pair[1];
	return NULL;
}

static struct project *read_good(const char *text, const char *dir, const char *const *vars)
{
	struct config_errors errs;
	struct project *p = NULL;
	struct err e;

	if (config_parse(sv_of(text), "/x/bascule.ini", dir, table_env, (void *)vars, &p, &errs,
			 &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_int_equal(errs.total, 0);
	config_errors_clear(&errs);
	return p;
}

/* Compares the mistakes, one "line text | hint" each. */
static void expect_mistakes_in(const char *dir, const char *text, const char *const *vars,
			       const char *expected)
{
	struct config_errors errs;
	struct project *p = NULL;
	struct strbuf out;
	struct err e;
	size_t i;

	assert_int_equal(config_parse(sv_of(text), "/x/bascule.ini", dir, table_env, (void *)vars,
				      &p, &errs, &e),
			 -1);
	assert_null(p);
	assert_int_equal(e.code, ERR_CONFIG);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	for (i = 0; i < errs.n; i++)
		strbuf_addf(&out, "%d %s | %s\n", errs.list[i].line, errs.list[i].text,
			    errs.list[i].hint);
	assert_string_equal(strbuf_str(&out), expected);
	strbuf_clear(&out);
	config_errors_clear(&errs);
}

static void expect_mistakes(const char *text, const char *expected)
{
	expect_mistakes_in("/x", text, NULL, expected);
}

#define DEV "[environment dev]\ndatabase = sqlite:dev.db\n"

#define PG "[environment live]\ndatabase = postgresql://app@db1/shop\n"

static void hosts__become_specs__in_their_order(void **state)
{
	struct project *p = read_good(
		PG
		"host = deploy@app1:2222 , local,[2001:db8::1]:22, u@[::1]\ntransport = openssh\n"
		"host_alive = 2s\nconnect_timeout = 3s\n" DEV,
		"/x", NULL);
	const struct env *env = &p->env[0];

	(void)state;
	assert_int_equal(env->n_host, 4);
	assert_string_equal(env->host[0]->name, "deploy@app1:2222");
	assert_int_equal(env->host[0]->transport, HOST_OPENSSH);
	assert_int_equal(env->host[0]->alive_ms, 2000);
	assert_int_equal(env->host[0]->connect_timeout_ms, 3000);
	assert_int_equal(env->host[1]->transport, HOST_LOCAL);
	assert_string_equal(env->host[2]->name, "[2001:db8::1]:22");
	assert_string_equal(env->host[3]->name, "u@[::1]");
	assert_null(env->database_via);
	assert_int_equal(p->env[1].n_host, 0);
	project_free(p);
	p = read_good(PG "host = app1\ndatabase_via = host\n", "/x", NULL);
	assert_ptr_equal(p->env[0].database_via, p->env[0].host[0]);
	assert_int_equal(p->env[0].host[0]->transport, HOST_LIBSSH2);
	assert_int_equal(p->env[0].host[0]->alive_ms, 5000);
	project_free(p);
}

static void hosts__are_refused__when_they_cannot_be_names(void **state)
{
	static const char *const bad[] = {
		"-oProxyCommand=x",
		"a b",
		"a@-b",
		"-u@a",
		"a:0",
		"a:65536",
		"a:x",
		"a/b",
		"a;b",
		"[::1",
		"[a]",
		"[::1]22",
		"u@",
		"@a",
		"\\$(x)",
		"*.x.org",
		"a:22:x",
		"::1",
	};
	const char *hint;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config_errors errs;
		struct project *p = NULL;
		struct err e;

		assert_false(config_host_ok(sv_of(bad[i]), &hint));
		snprintf(text, sizeof(text), PG "host = %s\n", bad[i]);
		assert_int_equal(
			config_parse(sv_of(text), "f", "/x", table_env, NULL, &p, &errs, &e), -1);
		assert_int_equal(errs.list[0].line, 3);
		config_errors_clear(&errs);
	}
	expect_mistakes(
		PG "host = -F/etc/x, app1, ::1, app1,, none\n",
		"3 `host` cannot be -F/etc/x | write an alias of ssh's configuration, [USER@]HOST[:PORT] or local\n"
		"3 `host` cannot be ::1 | write an IPv6 address in brackets: [::1] or [::1]:22\n"
		"3 `host` names app1 twice | name it once\n"
		"3 `host` has an empty name | write an alias of ssh's configuration, [USER@]HOST[:PORT] or local\n"
		"3 `host` names none among others | write none alone, or leave it out\n");
}

static void database_via__is_refused__where_it_leads_nowhere(void **state)
{
	(void)state;
	expect_mistakes(
		PG "database_via = host\n",
		"3 `database_via = host`, and [environment live] has no `host` | add host = USER@HOST, or remove it\n");
	expect_mistakes(
		PG "database_via = host\nhost = local, app1\n",
		"3 `database_via = host` leads to this machine | remove it, or put another machine first in `host`\n");
	expect_mistakes(
		DEV "database_via = host\nhost = app1\n",
		"3 a database of SQLite is a file of this machine | remove it\n"
		"4 a database of SQLite is a file of this machine: its environment is not on app1 | "
		"write hosts = in the [service …] sections instead\n");
	expect_mistakes(PG "database_via = tunnel\nhost = app1\n",
			"3 `database_via` cannot be tunnel | write host\n");
	expect_mistakes(
		"[environment a]\ndatabase = postgresql:///shop\nhost = app1\ndatabase_via = host\n"
		"[environment b]\ndatabase = postgresql://db1,db2/b\nhost = app1\ndatabase_via = host\n"
		"[environment c]\ndatabase = postgresql:///c?host=/run/pg&sslmode=verify-full\nhost = app1\ndatabase_via = host\n"
		"[environment d]\ndatabase = mariadb://db1/d?ssl-ca=/x\nhost = app1\ndatabase_via = host\n"
		"[environment e]\ndatabase = postgresql://db1/e?hostaddr=10.0.0.1\nhost = app1\ndatabase_via = host\n",
		"4 `database` does not say on which machine it is, for `database_via` | write it as app1 sees it, such as localhost\n"
		"8 `database` names several machines: `database_via` leads to one | name one of them\n"
		"12 sslmode cannot be kept with `database_via`: SSH protects the way to app1, and no TLS can be had from there | leave it out of `database`, or remove `database_via`\n"
		"16 ssl-ca cannot be kept with `database_via`: SSH protects the way to app1, and no TLS can be had from there | leave it out of `database`, or remove `database_via`\n"
		"20 hostaddr of `database` leads past `database_via` | leave it out of `database`, or remove `database_via`\n");
}

static void database_via__takes_sockets_and_the_same_name__on_other_machines(void **state)
{
	struct project *p = read_good(
		"[environment a]\ndatabase = postgresql://localhost/shop?sslmode=verify-full\nhost = app1\ndatabase_via = host\n"
		"[environment b]\ndatabase = postgresql://localhost/shop\nhost = app2\ndatabase_via = host\n"
		"[environment c]\ndatabase = mariadb:///shop?socket=/run/mysqld.sock\nhost = app2\ndatabase_via = host\n"
		"[environment d]\ndatabase = postgresql:///shop?host=/run/postgresql\nhost = app2\ndatabase_via = host\n",
		"/x", NULL);

	(void)state;
	assert_int_equal(p->n_env, 4);
	project_free(p);
	expect_mistakes(
		"[environment a]\ndatabase = postgresql://db1/shop\nhost = app1\ndatabase_via = host\n"
		"[environment b]\ndatabase = postgresql://db1/shop\nhost = app2\ndatabase_via = host\n"
		"[environment c]\ndatabase = postgresql://localhost/shop\nhost = app2\ndatabase_via = host\n"
		"[environment d]\ndatabase = postgresql://127.0.0.1/shop\nhost = app2\ndatabase_via = host\n",
		"6 a and b have the same database: postgresql://db1/shop | give each environment a database of its own\n"
		"14 c and d have the same database: postgresql://127.0.0.1/shop | give each environment a database of its own\n");
}

static const struct service *find(const struct env *env, const char *name)
{
	for (size_t i = 0; i < env->n_service; i++)
		if (strcmp(env->service[i].runtime.name, name) == 0)
			return &env->service[i];
	return NULL;
}

static void service__is_everywhere__and_changed_by_sections_on(void **state)
{
	struct project *p = read_good(
		DEV
		"[environment stage]\nhost = app1\n[environment live]\nhost = app2, app3\nprotected = no\n"
		"[service web]\ncontainer = shop\nhealth = http://127.0.0.1:8000/h\nhealth_attempts = 7\n"
		"[service web on stage]\ncontainer = shop-stage\nhosts = app1, app9\nhealth_redirects = yes\n"
		"[service beat on dev]\nruntime = process\npid_file = run/beat.pid\nlog_file = /var/log/beat\n"
		"command = python3 'a b.py'\n"
		"[service web on live]\nruntime = systemd\n"
		"[service cron]\nhosts = local\n[service cron on stage]\nhosts = none\n",
		"/srv", NULL);
	const struct service *web, *beat;

	(void)state;
	assert_int_equal(p->env[0].n_service, 3);
	assert_string_equal(p->env[0].service[0].runtime.name, "web");
	assert_string_equal(p->env[0].service[1].runtime.name, "beat");
	assert_string_equal(p->env[0].service[2].runtime.name, "cron");
	web = find(&p->env[0], "web");
	assert_int_equal(web->runtime.kind, RUNTIME_DOCKER);
	assert_string_equal(web->runtime.container, "shop");
	assert_int_equal(web->n_host, 1);
	assert_string_equal(web->host[0]->name, "local");
	assert_ptr_equal(web->host[0], find(&p->env[0], "cron")->host[0]);
	assert_string_equal(web->health.url, "http://127.0.0.1:8000/h");
	assert_int_equal(web->health.attempts, 7);
	assert_int_equal(web->health.successes, 3);
	assert_int_equal(web->health.delay_ms, 10000);
	assert_int_equal(web->health.interval_ms, 5000);
	assert_int_equal(web->health.timeout_ms, 5000);
	assert_false(web->health.redirects);
	assert_int_equal(web->line, 8);
	beat = find(&p->env[0], "beat");
	assert_int_equal(beat->runtime.kind, RUNTIME_PROCESS);
	assert_string_equal(beat->runtime.pid_file, "/srv/run/beat.pid");
	assert_string_equal(beat->runtime.log_file, "/var/log/beat");
	assert_string_equal(beat->runtime.directory, "/srv");
	assert_null(beat->runtime.container);
	assert_int_equal(p->env[1].n_service, 1);
	web = find(&p->env[1], "web");
	assert_string_equal(web->runtime.container, "shop-stage");
	assert_int_equal(web->n_host, 2);
	assert_ptr_equal(web->host[0], p->env[1].host[0]);
	assert_true(web->health.redirects);
	assert_int_equal(web->health.attempts, 7);
	assert_int_equal(p->env[2].n_service, 2);
	web = find(&p->env[2], "web");
	assert_int_equal(web->runtime.kind, RUNTIME_SYSTEMD);
	assert_string_equal(web->runtime.unit, "web");
	assert_null(web->runtime.container);
	assert_int_equal(web->n_host, 2);
	assert_ptr_equal(web->host[1], p->env[2].host[1]);
	assert_false(p->env[2].has_db);
	assert_int_equal(p->env[2].backup, BACKUP_NEVER);
	project_free(p);
}

static void service__mistakes__are_all_told_once(void **state)
{
	(void)state;
	expect_mistakes(
		DEV PG
		"[service web]\nhealth = ftp://x/\nhealth_attempts = 0\nhealth_timeout = 1ms\n"
		"unit = x\ncontainr = y\nimage = z\n"
		"[service web on prod]\ncontainer = a\n"
		"[service]\n[service a b]\n[service a on b/c]\n[service web on dev]\ncontainer = a/b\nengine_socket = x.sock\n",
		"6 `health` is neither http:// nor https://: ftp://x/ | write http://HOST:PORT/PATH or https://…\n"
		"7 `health_attempts` cannot be 0 | write a number from 1 to 1000\n"
		"8 `health_timeout` is out of range: 1ms | from 100ms to 10m\n"
		"9 `unit` is not a key of runtime = docker | remove it, or write runtime = systemd\n"
		"10 unknown key `containr` in [service web] | did you mean `container`?\n"
		"11 `image` is not acted on by this version | remove it: it starts no containers\n"
		"12 [service web on prod] is on an environment that has no section | add a section [environment prod]\n"
		"14 [service] is not a name | write [service NAME] or [service NAME on ENVIRONMENT]: letters, digits, . _ -, at most 40\n"
		"15 [service a b] is not a name | write [service NAME] or [service NAME on ENVIRONMENT]: letters, digits, . _ -, at most 40\n"
		"16 [service a on b/c] is not a name | write [service NAME] or [service NAME on ENVIRONMENT]: letters, digits, . _ -, at most 40\n"
		"18 `container` cannot be a/b | letters, digits, . _ -, beginning with one of the first\n"
		"19 `engine_socket` cannot be x.sock | write its path from /, such as /run/docker.sock\n");
}

static void service__of_each_runtime__wants_its_own_keys(void **state)
{
	(void)state;
	expect_mistakes(
		DEV
		"host = local\n"
		"[service a]\nruntime = process\nhosts = app1\npid_file = a.pid\n"
		"[service b]\nruntime = process\npid_file = b.pid\nlog_file = ./b.pid\ncommand = 'x\n"
		"[service c]\nruntime = systemd\nunit = ../x\nlog_file = /l\n"
		"[service d]\nruntime = swarm\n"
		"[service e]\nhosts = none\n"
		"[service f]\nruntime = process\nhosts = app1\ndirectory = x\npid_file = /a\nlog_file = b\n",
		"4 [service a] is a process without `log_file` | such as log_file = /var/log/shop/web.log\n"
		"7 `pid_file` is a path from nowhere on another machine: a.pid | write it from /, or add directory = /PATH\n"
		"12 `command`: a quote in a command is not closed | write the words of the command\n"
		"15 `unit` cannot be ../x | write the name of a unit, such as shop-web.service\n"
		"16 `log_file` is not a key of runtime = systemd | remove it, or write runtime = process\n"
		"18 `runtime` cannot be swarm | write docker, podman, systemd or process\n"
		"19 [service e] is in no environment | name its machines in `hosts`, or remove it\n"
		"24 `directory` is a path from nowhere on another machine: x | write it from /\n"
		"26 `log_file` is a path from nowhere on another machine: b | write it from /, or add directory = /PATH\n");
	expect_mistakes(DEV "[service b]\nruntime = process\npid_file = b\nlog_file = b\n",
			"6 `log_file` and `pid_file` are the same: /x/b | name another file\n");
}

static void health__is_refused__when_nobody_could_ask_it(void **state)
{
	static const char *const bad[][2] = {
		{ "http://", "names no machine" },
		{ "http:///h", "names no machine" },
		{ "http://:80/h", "names no machine" },
		{ "http://a:0/", "has a port that is none" },
		{ "http://a:99999/", "has a port that is none" },
		{ "http://[::1/", "names no machine" },
		{ "http://u:p@a/", "has a user name in it" },
		{ "http://a/b c", "has a character that must be written as %XX" },
		{ "a:80/h", "is neither http:// nor https://" },
		{ "file:///etc/passwd", "is neither http:// nor https://" },
	};
	static const char *const good[] = { "http://a", "https://[::1]:8443/h?x=1", "HTTP://A/",
					    "http://a?q@b" };
	char text[200], expected[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config_errors errs;
		struct project *p = NULL;
		struct err e;

		snprintf(text, sizeof(text), DEV "[service w]\nhealth = %s\n", bad[i][0]);
		snprintf(expected, sizeof(expected), "`health` %s: %s", bad[i][1], bad[i][0]);
		assert_int_equal(
			config_parse(sv_of(text), "f", "/x", table_env, NULL, &p, &errs, &e), -1);
		assert_int_equal(errs.total, 1);
		assert_string_equal(errs.list[0].text, expected);
		config_errors_clear(&errs);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), DEV "[service w]\nhealth = %s\n", good[i]);
		project_free(read_good(text, "/x", NULL));
	}
	expect_mistakes(
		DEV "[service w]\nhealth_attempts = 2\nhealth_redirects = yes\n",
		"4 3 successes in a row cannot be had in 2 attempts | write at most as many successes as attempts\n"
		"5 `health_redirects` without `health` | add health = URL, or remove it\n");
}

static void environment__without_a_database__has_nothing_that_wants_one(void **state)
{
	(void)state;
	expect_mistakes(
		"[environment a]\n[environment b]\nhost = app1\npassword = env:X\nhistory = dbmate\nbackup = always\n"
		"[environment c]\ndatabase = postgresql://db/c\nrequires = b\n"
		"[service w on b]\ncontainer = w\n",
		"1 [environment a] has neither a database nor a service | add database = sqlite:PATH, or a [service NAME]\n"
		"4 [environment b] has no database: there is nothing for `password` | add database = URL, or remove it\n"
		"5 [environment b] has no database: there is nothing for `history` | add database = URL, or remove it\n"
		"6 [environment b] has no database: `backup = always` cannot be kept | write backup = never, or add database = URL\n"
		"9 c requires b, which has no database that could pass anything | name a stage that has a database\n");
}

static void variables__of_an_environment__are_known_to_its_services(void **state)
{
	static const char *const vars[] = { "PORT", "9000", NULL };
	char *dir = tmp_make();
	struct project *p;

	(void)state;
	tmp_write(dir, "all", "NAME=all\n");
	tmp_write(dir, "one", "NAME=one\nPORT=8001\n");
	p = read_good("[project]\nenv_files = all\n"
		      "[environment a]\nenv_files = one\n[environment b]\n"
		      "[environment c]\nenv_files = missing\ndatabase = sqlite:c.db\n"
		      "[service w]\ncontainer = ${NAME}\n"
		      "[service w on a]\nhealth = http://h:${PORT}/${NAME}\n"
		      "[service v on b]\nhealth = http://h:${PORT}/${NAME}\n"
		      "[service v on c]\nhosts = ${SECRET_HOST}\n",
		      dir, vars);
	assert_false(p->env[0].has_db);
	assert_string_equal(p->env[0].service[0].runtime.container, "all");
	assert_string_equal(p->env[0].service[0].health.url, "http://h:8001/one");
	assert_string_equal(find(&p->env[1], "v")->health.url, "http://h:9000/all");
	/* Where it runs cannot be told: it is not looked for elsewhere. */
	assert_non_null(p->env[2].trouble);
	assert_int_equal(p->env[2].n_service, 1);
	assert_null(find(&p->env[2], "v"));
	project_free(p);
	tmp_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts__become_specs__in_their_order),
		cmocka_unit_test(hosts__are_refused__when_they_cannot_be_names),
		cmocka_unit_test(database_via__is_refused__where_it_leads_nowhere),
		cmocka_unit_test(database_via__takes_sockets_and_the_same_name__on_other_machines),
		cmocka_unit_test(service__is_everywhere__and_changed_by_sections_on),
		cmocka_unit_test(service__mistakes__are_all_told_once),
		cmocka_unit_test(service__of_each_runtime__wants_its_own_keys),
		cmocka_unit_test(health__is_refused__when_nobody_could_ask_it),
		cmocka_unit_test(environment__without_a_database__has_nothing_that_wants_one),
		cmocka_unit_test(variables__of_an_environment__are_known_to_its_services),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
