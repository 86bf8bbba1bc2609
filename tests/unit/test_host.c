/* SPDX-License-Identifier: MIT */
/* The parts of the pool that need no connection: names, questions and answers, states, clocks. */
#include "core/host/host_ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct err e;
static struct hosts *pool;

static struct host *get(const char *name, enum host_transport transport)
{
	const struct host_spec spec = { .name = name, .transport = transport };

	return hosts_get(pool, &spec);
}

static int setup(void **state)
{
	static const struct host_context ctx = { .home = "/", .login = "root" };

	(void)state;
	pool = hosts_new(&ctx);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hosts_free(pool);
	secret_forget();
	return 0;
}

static void ask(struct host *h, enum host_question_kind kind, const char *subject,
		const char *sha256)
{
	struct host_question q = { .kind = kind };

	str_copy(q.text, sizeof(q.text), "the text");
	str_copy(q.subject, sizeof(q.subject), subject);
	str_copy(q.sha256, sizeof(q.sha256), sha256);
	str_copy(q.key_type, sizeof(q.key_type), "ssh-ed25519");
	assert_int_equal(host_ask(h, &q, &e), -1);
	assert_int_equal(e.code, ERR_ASKS);
	assert_string_equal(e.detail, "the text");
	assert_true(e.hint[0]);
}

static void hosts_get__gives_one__for_a_name_and_a_transport(void **state)
{
	struct host *a = get("a", HOST_OPENSSH);

	(void)state;
	assert_ptr_equal(get("a", HOST_OPENSSH), a);
	assert_ptr_not_equal(get("b", HOST_OPENSSH), a);
	assert_ptr_not_equal(get("a", HOST_LIBSSH2), a);
	assert_string_equal(host_name(a), "a");
	assert_false(host_is_local(a));
	assert_true(host_is_local(get("local", HOST_LOCAL)));
	hosts_free(NULL);
}

static void host_answer__takes_the_end_of_a_key__for_that_host_only(void **state)
{
	struct host *h = get("a", HOST_LIBSSH2), *other = get("b", HOST_LIBSSH2);
	struct secret s = { 0 };
	struct host_status status;
	struct host_question q;

	(void)state;
	assert_false(host_question(h, &q));
	ask(h, HOST_QUESTION_KEY, "", "SHA256:abcdefgh");
	host_status(h, &status);
	assert_int_equal(status.state, HOST_ASKS);
	assert_int_equal(status.err.code, ERR_ASKS);
	assert_true(host_question(h, &q));
	assert_string_equal(q.host, "a");
	assert_string_equal(q.subject, "ssh-ed25519 SHA256:abcdefgh");
	assert_int_equal(host_answer(h, q.id + 1, "efgh", &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(host_answer(other, q.id, "efgh", &e), -1);
	assert_int_equal(host_answer(h, q.id, "EFGH", &e), -1);
	assert_int_equal(e.code, ERR_GATE);
	assert_int_equal(host_answer(h, q.id, "", &e), -1);
	assert_int_equal(host_answer(h, q.id, "abcdefgh", &e), -1);
	assert_true(host_question(h, &q));
	assert_int_equal(host_answer(h, q.id, " efgh\r", &e), 0);
	assert_false(host_question(h, &q));
	host_status(h, &status);
	assert_int_equal(status.state, HOST_IDLE);
	assert_true(host_answered(h, HOST_QUESTION_KEY, q.subject, &s));
	assert_false(host_answered(other, HOST_QUESTION_KEY, q.subject, &s));
	assert_false(host_answered(h, HOST_QUESTION_KEY, "ssh-ed25519 SHA256:other", &s));
	secret_clear(&s);
}

static void host_answer__is_kept__until_it_was_wrong(void **state)
{
	struct host *h = get("a", HOST_LIBSSH2), *other = get("b", HOST_LIBSSH2);
	struct secret s = { 0 };
	struct host_question q, again;
	struct strbuf text;

	(void)state;
	ask(h, HOST_QUESTION_PASSPHRASE, "/k/id", "");
	assert_true(host_question(h, &q));
	assert_int_equal(host_answer(h, q.id, "two\nlines", &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(host_answer(h, q.id, "open sesame", &e), 0);
	/* One key file opens more than one host. */
	assert_true(host_answered(other, HOST_QUESTION_PASSPHRASE, "/k/id", &s));
	assert_string_equal(s.text, "open sesame");
	assert_false(host_answered(h, HOST_QUESTION_PASSWORD, "/k/id", &s));
	/* It is a secret from now on. */
	strbuf_init(&text, 100);
	strbuf_adds(&text, "say open sesame now");
	assert_true(secret_redact(&text));
	strbuf_clear(&text);
	host_answer_forget(h, HOST_QUESTION_PASSPHRASE, "/k/id");
	host_answer_forget(h, HOST_QUESTION_PASSPHRASE, "/k/id");
	assert_false(host_answered(other, HOST_QUESTION_PASSPHRASE, "/k/id", &s));
	ask(h, HOST_QUESTION_PASSPHRASE, "/k/id", "");
	assert_true(host_question(h, &again));
	assert_int_not_equal(again.id, q.id);
	host_ask_no_more(h);
	assert_false(host_question(h, &again));
	secret_clear(&s);
}

static void hosts_answers__reach_a_runner__but_for_keys(void **state)
{
	static const char *const subjects[] = { "/k/id", "/k/a\tb%20\nc", "root@a" };
	static const char *const texts[] = { "open sesame", "tab\tand %09", "" };
	const enum host_question_kind kinds[] = { HOST_QUESTION_PASSPHRASE, HOST_QUESTION_PASSWORD,
						  HOST_QUESTION_PROMPT };
	struct host *h = get("a", HOST_LIBSSH2);
	struct hosts *first = pool;
	struct secret s = { 0 };
	struct host_question q;
	struct strbuf out;

	(void)state;
	for (int i = 0; i < 3; i++) {
		ask(h, kinds[i], subjects[i], "");
		assert_true(host_question(h, &q));
		assert_int_equal(host_answer(h, q.id, texts[i], &e), 0);
	}
	ask(h, HOST_QUESTION_KEY, "", "SHA256:abcdefgh");
	assert_true(host_question(h, &q));
	assert_int_equal(host_answer(h, q.id, "efgh", &e), 0);
	strbuf_init(&out, 10000);
	hosts_answers_write(pool, &out);
	assert_null(strstr(out.data, "SHA256"));
	setup(NULL);
	h = get("a", HOST_LIBSSH2);
	assert_int_equal(hosts_answers_read(pool, strbuf_sv(&out), &e), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(host_answered(h, kinds[i], subjects[i], &s));
		assert_string_equal(s.text ? s.text : "", texts[i]);
	}
	assert_false(host_answered(h, HOST_QUESTION_KEY, q.subject, &s));
	hosts_free(first);
	secret_clear(&s);
	strbuf_clear(&out);
}

static void hosts_answers_read__refuses__what_is_none(void **state)
{
	static const char *const bad[] = { "password\n", "password\troot@a\n", "key\tx\tefgh\n",
					   "\t\t\n", "PASSWORD\tx\ty\n" };
	struct strbuf text;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hosts_answers_read(pool, sv_of(bad[i]), &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
	}
	assert_int_equal(hosts_answers_read(pool, sv_of("\n\n"), &e), 0);
	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_adds(&text, "password\tx\t");
	strbuf_pad(&text, 'y', SECRET_MAX + 1);
	assert_int_equal(hosts_answers_read(pool, strbuf_sv(&text), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_reset(&text);
	for (int i = 0; i < 300; i++)
		strbuf_addf(&text, "password\tx%d\ty\n", i);
	assert_int_equal(hosts_answers_read(pool, strbuf_sv(&text), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_clear(&text);
}

static void host_set_state__forgets__what_was_of_the_connection(void **state)
{
	struct host *h = get("a", HOST_LIBSSH2);
	struct host_status s;
	struct err why;

	(void)state;
	host_status(h, &s);
	assert_int_equal(s.state, HOST_IDLE);
	assert_int_equal(s.round_trip_us, -1);
	assert_false(s.skew_known);
	h->clock_asked = true;
	host_set_state(h, HOST_CONNECTING, NULL);
	assert_false(h->clock_asked);
	host_set_state(h, HOST_READY, NULL);
	host_set_about(h, "OpenSSH");
	host_set_round_trip(h, 400);
	host_status(h, &s);
	assert_string_equal(s.about, "OpenSSH");
	assert_int_equal(s.round_trip_us, 400);
	err_set(&why, ERR_LOST, "gone");
	host_set_state(h, HOST_DOWN, &why);
	host_status(h, &s);
	assert_string_equal(s.about, "");
	assert_int_equal(s.round_trip_us, -1);
	assert_string_equal(s.err.msg, "gone");
	assert_string_equal(host_state_name(s.state), "down");
}

static void host_set_clock__takes_the_way_back__from_what_is_known(void **state)
{
	struct host *h = get("a", HOST_LIBSSH2);
	struct host_status s;

	(void)state;
	host_set_state(h, HOST_READY, NULL);
	host_set_round_trip(h, 20000);
	/* 3 s ahead: it read its clock 10 ms before its answer came, behind 100 ms of startup files. */
	host_set_clock(h, 1000000, 1120000, 1110000 + 3000000);
	host_status(h, &s);
	assert_true(s.skew_known);
	assert_int_equal(s.skew_ms, 3000);
	/* A way that cannot be as long as it was does not put its moment before the question. */
	host_set_round_trip(h, 900000);
	host_set_clock(h, 1000000, 1120000, 1000000 - 2000000);
	host_status(h, &s);
	assert_int_equal(s.skew_ms, -2000);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_setup_teardown(hosts_get__gives_one__for_a_name_and_a_transport,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			host_answer__takes_the_end_of_a_key__for_that_host_only, setup, teardown),
		cmocka_unit_test_setup_teardown(host_answer__is_kept__until_it_was_wrong, setup,
						teardown),
		cmocka_unit_test_setup_teardown(hosts_answers__reach_a_runner__but_for_keys, setup,
						teardown),
		cmocka_unit_test_setup_teardown(hosts_answers_read__refuses__what_is_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(host_set_state__forgets__what_was_of_the_connection,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			host_set_clock__takes_the_way_back__from_what_is_known, setup, teardown),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
