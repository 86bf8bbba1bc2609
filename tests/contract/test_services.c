/* SPDX-License-Identifier: MIT */
/* needs: servers */
/* Servers for tests in C: tests/support/services.h. What servers do is tested by services.sh. */
#include "tests/support/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct server pg, my, ssh;

static int setup(void **state)
{
	(void)state;
	(void)services_start(SERVICE_PG, &pg);
	(void)services_start_as(SERVICE_MY, "second", "--set max_allowed_packet=2097152", &my);
	(void)services_start_as(SERVICE_SSH, "host", "--encrypted-key", &ssh);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	services_stop(&pg);
	services_stop(&my);
	services_stop(&ssh);
	assert_null(my.name);
	return 0;
}

static void assert_sql(const struct server *s, const char *sql, const char *want)
{
	char *got = services_sql(s, sql);

	assert_string_equal(got, want);
	free(got);
}

static void sql__says_why__when_it_is_wrong(void **state)
{
	char *said;

	(void)state;
	services_need(&pg);
	services_need(&my);
	assert_int_not_equal(services_try(&said, "sql", pg.name, "select nope", NULL), 0);
	assert_non_null(strstr(said, "\"nope\" does not exist"));
	free(said);
	assert_int_not_equal(services_try(&said, "sql", my.name, "select nope", NULL), 0);
	assert_non_null(strstr(said, "Unknown column 'nope'"));
	free(said);
}

static void sql__gives_rows__on_both(void **state)
{
	(void)state;
	services_need(&pg);
	services_need(&my);
	assert_sql(&pg, "select 1; select 2, 'x'", "1\n2|x");
	assert_sql(&my, "select 1; select 2, 'x'", "1\n2\tx");
}

static void start__passes_options__to_the_server(void **state)
{
	(void)state;
	services_need(&my);
	assert_sql(&my, "select @@max_allowed_packet", "2097152");
}

static void start__names_the_running_one__when_called_again(void **state)
{
	struct server again;

	(void)state;
	services_need(&pg);
	assert_int_equal(services_start(SERVICE_PG, &again), 0);
	assert_int_equal(again.pid, pg.pid);
	assert_string_equal(again.url, pg.url);
	assert_int_equal(strncmp(pg.url, "postgresql://app@/app?host=/", 28), 0);
	services_clear(&again);
}

static void tell__brings_a_server_back__after_a_crash(void **state)
{
	(void)state;
	services_need(&pg);
	free(services_sql(&pg, "create table kept (a int); insert into kept values (7)"));
	free(services_tell("crash", pg.name, NULL));
	assert_int_not_equal(services_try(NULL, "running", pg.name, NULL), 0);
	free(services_tell("start", "pg", pg.name, NULL));
	assert_sql(&pg, "select a from kept", "7");
}

static void env__knows_an_sshd__and_a_proxy_before_it(void **state)
{
	struct server proxy;

	(void)state;
	services_need(&ssh);
	assert_string_equal(ssh.passphrase, "open sesame");
	assert_string_equal(ssh.host_key, ssh.host_key_ed25519);
	assert_int_equal(strncmp(ssh.host_key_ecdsa, "SHA256:", 7), 0);
	assert_true(ssh.pid > 0);
	assert_null(ssh.db);
	free(services_tell("proxy", "far", "host", NULL));
	services_env("far", &proxy);
	assert_string_equal(proxy.host_key, ssh.host_key);
	assert_true(proxy.port > 0 && proxy.port != ssh.port);
	services_stop(&proxy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sql__says_why__when_it_is_wrong),
		cmocka_unit_test(sql__gives_rows__on_both),
		cmocka_unit_test(start__passes_options__to_the_server),
		cmocka_unit_test(start__names_the_running_one__when_called_again),
		cmocka_unit_test(tell__brings_a_server_back__after_a_crash),
		cmocka_unit_test(env__knows_an_sshd__and_a_proxy_before_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
