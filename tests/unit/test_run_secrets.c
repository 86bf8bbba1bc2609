/* SPDX-License-Identifier: MIT */
#include "core/release/run_secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/secret.h"
#include "core/release/plan.h"

static struct arena arena;
static struct strbuf text;
static struct err e;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	strbuf_init(&text, STRBUF_NO_LIMIT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	secret_forget();
	strbuf_clear(&text);
	arena_clear(&arena);
	return 0;
}

static void secrets__arrive__as_they_were_sent(void **state)
{
	struct env_var var[] = { { "A", "" }, { "DB_PASSWORD", "p\"\\\n'\xc3\xbc" } };
	struct plan plan = {
		.env = { .name = "prod",
			 .dsn = { .shown = "mariadb://h/p", .password = "s3 \"\\\t'" } },
		.gate_env = { .name = "stage",
			      .dsn = { .shown = "sqlite:/s" },
			      .var = var,
			      .n_var = 2 },
	};
	const struct env_secrets *all = NULL;
	struct sv answers = SV("x");

	(void)state;
	run_secrets_write(&plan, NULL, &text);
	assert_int_equal(run_secrets_read(&arena, strbuf_sv(&text), &all, &answers, &e), 0);
	assert_null(answers.p);
	assert_int_equal(all->n, 2);
	assert_string_equal(all->list[0].environment, "prod");
	assert_string_equal(all->list[0].shown, "mariadb://h/p");
	assert_string_equal(all->list[0].password, "s3 \"\\\t'");
	assert_int_equal(all->list[0].n_var, 0);
	assert_null(all->list[1].password);
	assert_int_equal(all->list[1].n_var, 2);
	assert_string_equal(all->list[1].var[0].value, "");
	assert_string_equal(all->list[1].var[1].name, "DB_PASSWORD");
	assert_string_equal(all->list[1].var[1].value, var[1].value);
	/* And are not told again. */
	strbuf_reset(&text);
	strbuf_addf(&text, "%s and %s", plan.env.dsn.password, var[1].value);
	assert_true(secret_redact(&text));
	assert_string_equal(strbuf_str(&text), "*** and ***");
}

static void answers__come_with_a_plan__that_wants_a_host(void **state)
{
	static const struct host_spec via = { .name = "app1", .transport = HOST_LIBSSH2 };
	static const struct host_context world = { .home = "/nowhere",
						   .login = "u",
						   .run_dir = "/tmp" };
	struct plan plan = { .env = { .name = "prod", .dsn = { .shown = "mariadb://h/p" } } };
	struct hosts *hosts = hosts_new(&world), *other = hosts_new(&world);
	const struct env_secrets *all = NULL;
	struct sv answers;

	(void)state;
	assert_int_equal(hosts_answers_read(hosts, SV("passphrase\t/k\tCANARY\twith tab\n"), &e),
			 0);
	run_secrets_write(&plan, hosts, &text);
	assert_int_equal(text.len, 0);
	plan.env.database_via = &via;
	run_secrets_write(&plan, hosts, &text);
	assert_int_equal(run_secrets_read(&arena, strbuf_sv(&text), &all, &answers, &e), 0);
	assert_int_equal(all->n, 0);
	assert_int_equal(hosts_answers_read(other, answers, &e), 0);
	strbuf_reset(&text);
	hosts_answers_write(other, &text);
	assert_non_null(strstr(strbuf_str(&text), "CANARY\twith tab"));
	assert_true(secret_redact(&text));
	assert_null(strstr(strbuf_str(&text), "CANARY"));
	/* Without an answer it still says that a host is wanted. */
	hosts_free(hosts);
	hosts_free(other);
	hosts = hosts_new(&world);
	strbuf_reset(&text);
	run_secrets_write(&plan, hosts, &text);
	assert_int_equal(run_secrets_read(&arena, strbuf_sv(&text), &all, &answers, &e), 0);
	assert_non_null(answers.p);
	assert_int_equal(answers.n, 0);
	hosts_free(hosts);
}

static void secrets__are_nothing__when_there_are_none(void **state)
{
	struct plan plan = { .env = { .name = "dev", .dsn = { .shown = "sqlite:/d" } } };

	(void)state;
	run_secrets_write(&plan, NULL, &text);
	assert_int_equal(text.len, 0);
}

static void secrets__are_refused_and_not_shown__when_they_are_damaged(void **state)
{
	static const char *const bad[] = {
		"",
		"CANARY",
		"[\"CANARY\"]",
		"{\"environments\":\"CANARY\"}",
		"{\"environments\":[\"CANARY\"]}",
		"{\"environments\":[{\"environment\":\"CANARY\"}]}",
		"{\"environments\":[{\"environment\":\"a\",\"shown\":\"b\",\"var\":[{\"name\":\"CANARY\"}]}]}",
		"{\"environments\":[{},{},{}]}",
		"{\"environments\":[{\"environment\":\"a\",\"shown\":\"b\",\"password\":\"CANARY",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct env_secrets *all = NULL;
		struct sv answers;

		assert_int_equal(run_secrets_read(&arena, sv_of(bad[i]), &all, &answers, &e), -1);
		assert_null(all);
		assert_null(strstr(e.msg, "CANARY"));
		assert_null(strstr(e.detail, "CANARY"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(secrets__arrive__as_they_were_sent, setup,
						teardown),
		cmocka_unit_test_setup_teardown(answers__come_with_a_plan__that_wants_a_host, setup,
						teardown),
		cmocka_unit_test_setup_teardown(secrets__are_nothing__when_there_are_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			secrets__are_refused_and_not_shown__when_they_are_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
