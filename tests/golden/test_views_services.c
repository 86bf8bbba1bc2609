/* SPDX-License-Identifier: MIT */
/* Golden screens of what runs: services in the view of environments, the view "Services", and what a host
 * asks. See model_world.h and service_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/service_world.h"

static struct model_world m;

static int setup(void **state)
{
	(void)state;
	model_world_init(&m);
	service_world_init(&m);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_world_clear(&m);
	return 0;
}

static void big(const char *name)
{
	model_world_golden(&m, name, 120, 36, false);
}

static void small(const char *name)
{
	model_world_golden(&m, name, 80, 24, false);
}

static void act(enum action action, int times)
{
	while (times-- > 0)
		tui_action(&m.t, action, NULL);
}

/* Production: the worker is killed again and again, the second web answers slowly, and runs something else. */
static void post_incident(void)
{
	struct services_seen *seen = service_world_seen(&m, PROD);
	struct service_unit *web = service_world_unit(seen, "web", 1);

	service_world_post(&m, service_world_seen(&m, DEV));
	service_world_post(&m, service_world_seen(&m, STAGING));
	service_world_fail(service_world_unit(seen, "worker", 0), 137, 6);
	snprintf(web->unit.image, sizeof(web->unit.image), "registry.example/shop-web:2.13.3");
	snprintf(web->unit.digest, sizeof(web->unit.digest), "sha256:77aa01b2c3d4e5f6");
	snprintf(web->unit.image_id, sizeof(web->unit.image_id), "sha256:0b1c");
	service_world_health(seen, "web", 1)->last.took_us = 612000;
	seen->services->host[1].status.skew_ms = -2600;
	service_world_post(&m, seen);
}

static void show_incident(void)
{
	model_world_show(&m, -1);
	act(ACT_RIGHT, 2);
	post_incident();
}

/* --- Environments ----------------------------------------------------------------------------- */

static void envs__with_services__at_every_size(void **state)
{
	(void)state;
	show_incident();
	act(ACT_DOWN, 5);
	big("envs-services");
	small("envs-services-80x24");
	model_world_golden(&m, "envs-services-80x20", 80, 20, false);
	model_world_golden(&m, "envs-services-200x50", 200, 50, false);
	model_world_golden(&m, "envs-services-ascii", 120, 36, true);
}

static void envs__services_not_read_yet(void **state)
{
	(void)state;
	big("envs-services-reading");
}

static void envs__services_all_up__and_old(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	service_world_post_all(&m);
	big("envs-services-up");
	small("envs-services-up-80x24");
	(void)model_tick(&m.t.model, MODEL_WORLD_NOW + 185000);
	big("envs-services-old");
}

static void envs__hosts_down_and_asking(void **state)
{
	struct services_seen *seen = service_world_seen(&m, STAGING);
	struct service_host *h = &seen->services->host[0];

	(void)state;
	model_world_show(&m, -1);
	h->status.state = HOST_ASKS;
	err_set(&h->err, ERR_ASKS, "the key of stage-1 is not known");
	for (size_t i = 0; i < seen->services->n_unit; i++)
		seen->services->unit[i].err = h->err;
	seen->n_health = 0;
	service_world_post(&m, seen);
	seen = service_world_seen(&m, PROD);
	h = &seen->services->host[1];
	h->status.state = HOST_DOWN;
	err_set(&h->err, ERR_LOST, "cannot reach prod-2");
	err_detail(&h->err, "no answer within 10 s");
	err_hint(&h->err, "ssh prod-2 true");
	for (size_t i = 0; i < seen->services->n_unit; i++)
		if (seen->services->unit[i].host == 1)
			seen->services->unit[i].err = h->err;
	seen->n_health = 1;
	service_world_post(&m, seen);
	big("envs-services-unreached");
	small("envs-services-unreached-80x24");
	act(ACT_RIGHT, 2);
	tui_action(&m.t, ACT_VIEW_SERVICES, NULL);
	big("services-unreached");
	small("services-unreached-80x24");
	tui_action(&m.t, ACT_VIEW_ENVS, NULL);
	act(ACT_DOWN, 1); /* on the row of hosts: why, and what helps */
	big("envs-host-down");
	small("envs-host-down-80x24");
	err_set(&h->err, ERR_REFUSED, "the key of prod-2 has changed");
	err_detail(&h->err, "known: ssh-ed25519 SHA256:uNiV; now: SHA256:pP9E");
	big("envs-host-key-changed");
}

/* Services but no database anywhere, or in one environment only. */
static void envs__without_databases(void **state)
{
	(void)state;
	m.w.project.env[DEV].has_db = false;
	model_world_show(&m, -1);
	service_world_post_all(&m);
	big("envs-services-one-without-db");
	for (int i = 0; i < WORLD_ENVS; i++)
		m.w.project.env[i].has_db = false;
	big("envs-services-no-db");
	small("envs-services-no-db-80x24");
}

/* --- Services ----------------------------------------------------------------------------------- */

static void services__at_every_size(void **state)
{
	(void)state;
	show_incident();
	tui_action(&m.t, ACT_VIEW_SERVICES, NULL);
	act(ACT_DOWN, 2);
	big("services-120x36");
	small("services-80x24");
	model_world_golden(&m, "services-80x20", 80, 20, false);
	model_world_golden(&m, "services-200x50", 200, 50, false);
	model_world_golden(&m, "services-ascii", 120, 36, true);
}

static void services__enter_on_a_row__selects_it(void **state)
{
	(void)state;
	show_incident();
	act(ACT_DOWN, 5);
	big("envs-services");
	act(ACT_OPEN, 1);
	big("services-120x36");
}

static void services__filtered_to_what_differs(void **state)
{
	(void)state;
	show_incident();
	tui_action(&m.t, ACT_VIEW_SERVICES, NULL);
	tui_action(&m.t, ACT_FILTER, "differs");
	big("services-differs");
}

static void services__reading_or_none(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_action(&m.t, ACT_VIEW_SERVICES, NULL);
	big("services-reading");
	m.w.project.env[DEV].n_service = 0;
	big("services-none");
}

static void post_health(int number, int status, enum health_verdict verdict, bool last)
{
	struct event *ev = event_new(EV_HEALTH, 7);
	struct health_result *r = mem_calloc(1, sizeof(*r));

	snprintf(ev->u.health.env, sizeof(ev->u.health.env), "production");
	ev->u.health.result = r;
	ev->u.health.last = last;
	r->service = &m.w.project.env[PROD].service[0];
	snprintf(r->host, sizeof(r->host), "prod-1");
	r->verdict = verdict;
	r->tries = number;
	r->successes = status == 200;
	r->last = (struct health_try){ .at_utc_ms = MODEL_WORLD_NOW - 10000 + 2000 * number,
				       .took_us = 4000 * number,
				       .status = status,
				       .ok = status == 200 };
	if (!status) {
		err_set(&r->last.err, ERR_LOST, "cannot connect");
		err_detail(&r->last.err, "connection refused");
	}
	if (verdict == HEALTH_FAILED) {
		err_set(&r->err, ERR_LOST, "web on prod-1 is not healthy");
		err_detail(&r->err, "503 at the last of 5 tries");
		err_hint(&r->err, "bascule logs production web");
		r->log_tail = mem_strdup("boot 2.13.4 pid 1\nlistening on :8080\n"
					 "ERROR pool exhausted (40/40)\n");
	}
	tui_event(&m.t, ev);
}

static void services__health_checked_live__then_failed(void **state)
{
	(void)state;
	show_incident();
	tui_action(&m.t, ACT_VIEW_SERVICES, NULL);
	model_health_of(&m.t.model, "production", 7);
	post_health(1, 0, HEALTH_WAITING, false);
	post_health(2, 503, HEALTH_WAITING, false);
	post_health(3, 200, HEALTH_WAITING, false);
	big("services-health");
	small("services-health-80x24");
	post_health(4, 503, HEALTH_WAITING, false);
	post_health(5, 503, HEALTH_FAILED, true);
	big("services-health-failed");
	small("services-health-failed-80x24");
}

/* --- What a host asks --------------------------------------------------------------------------- */

static void post_question_of(const char *host, uint64_t id, enum host_question_kind kind)
{
	struct event *ev = event_new(EV_QUESTION, 0);
	struct host_question *q = &ev->u.question;

	*q = (struct host_question){ .kind = kind, .id = id };
	snprintf(q->host, sizeof(q->host), "%s", host);
	snprintf(q->subject, sizeof(q->subject), "~/.ssh/id_ed25519");
	if (kind == HOST_QUESTION_KEY) {
		snprintf(q->key_type, sizeof(q->key_type), "ssh-ed25519");
		snprintf(q->sha256, sizeof(q->sha256),
			 "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDPKdjVGPeCxQ3pP9E");
		snprintf(q->text, sizeof(q->text), "the key of prod-1 is not known");
	} else {
		snprintf(q->text, sizeof(q->text), "passphrase of ~/.ssh/id_ed25519");
	}
	tui_event(&m.t, ev);
}

static void post_question(enum host_question_kind kind)
{
	post_question_of("prod-1", 3, kind);
}

static void type(const char *text)
{
	for (; *text; text++)
		prompt_key(&m.t, *text);
}

static void question__of_an_unknown_key(void **state)
{
	(void)state;
	show_incident();
	post_question(HOST_QUESTION_KEY);
	type("pP");
	big("ask-key");
	small("ask-key-80x24");
	model_world_golden(&m, "ask-key-80x20", 80, 20, false);
	prompt_key(&m.t, KEYS_PASTE_BEGIN);
	type("9E\r");
	prompt_key(&m.t, KEYS_PASTE_END);
	assert_string_equal(m.t.prompt.text, "pP");
	big("ask-key-paste-dropped");
}

static void question__left__comes_again_when_asked_for(void **state)
{
	(void)state;
	show_incident();
	post_question(HOST_QUESTION_KEY);
	prompt_key(&m.t, 27);
	assert_int_equal(m.t.prompt.kind, PROMPT_NONE);
	big("ask-left");
	post_question(HOST_QUESTION_KEY); /* the next refresh asks the same */
	assert_int_equal(m.t.prompt.kind, PROMPT_NONE);
	act(ACT_ANSWER, 1);
	assert_int_equal(m.t.prompt.kind, PROMPT_ANSWER);
}

/* What is being typed for something else must not become the answer. */
static void question__while_something_is_typed__waits(void **state)
{
	(void)state;
	show_incident();
	act(ACT_PALETTE, 1);
	post_question(HOST_QUESTION_PASSPHRASE);
	assert_int_equal(m.t.prompt.kind, PROMPT_PALETTE);
	assert_non_null(strstr(m.t.model.news, "prod-1"));
}

static void question__of_a_passphrase__hidden_and_wiped(void **state)
{
	(void)state;
	show_incident();
	post_question(HOST_QUESTION_PASSPHRASE);
	type("secret");
	prompt_key(&m.t, KEYS_PASTE_BEGIN);
	type("word");
	prompt_key(&m.t, KEYS_PASTE_END);
	big("ask-passphrase");
	small("ask-passphrase-80x24");
	prompt_key(&m.t, 27);
	for (size_t i = 0; i < sizeof(m.t.prompt.text); i++)
		assert_int_equal(m.t.prompt.text[i], 0);
}

static struct host_question answered;

static void take_answer(struct tui *t, const struct host_question *q, const char *text)
{
	assert_string_equal(text, "word");
	answered = *q;
	model_answered(&t->model, q);
}

/* The password of one host must never go to another. */
static void question__of_two_hosts__the_answer_is_of_the_one_shown(void **state)
{
	(void)state;
	show_incident();
	post_question_of("prod-1", 3, HOST_QUESTION_PASSWORD);
	type("wo");
	post_question_of("prod-2", 4, HOST_QUESTION_PASSWORD);
	assert_string_equal(m.t.prompt.question.host, "prod-1");
	type("rd");
	big("ask-two-hosts");
	m.t.prompt.answered = take_answer;
	type("\r");
	assert_string_equal(answered.host, "prod-1");
	assert_int_equal(answered.id, 3);
	act(ACT_ANSWER, 1);
	assert_string_equal(m.t.prompt.question.host, "prod-2");
}

/* The host asks something else by now: what was typed is not the answer to that. */
static void question__replaced__begins_anew(void **state)
{
	(void)state;
	show_incident();
	post_question_of("prod-1", 3, HOST_QUESTION_PASSPHRASE);
	type("wo");
	post_question_of("prod-1", 5, HOST_QUESTION_PASSWORD);
	assert_int_equal(m.t.prompt.question.id, 5);
	assert_string_equal(m.t.prompt.text, "");
}

/* One Esc gives the screen back, however many hosts ask; one passphrase serves all that want it. */
static void question__of_many_hosts__one_esc_and_one_answer(void **state)
{
	struct host_question q;

	(void)state;
	show_incident();
	post_question_of("prod-1", 3, HOST_QUESTION_PASSPHRASE);
	post_question_of("prod-2", 4, HOST_QUESTION_PASSPHRASE);
	post_question_of("prod-3", 5, HOST_QUESTION_KEY);
	prompt_key(&m.t, 27);
	assert_int_equal(m.t.prompt.kind, PROMPT_NONE);
	assert_non_null(strstr(m.t.model.news, "3 hosts wait"));
	post_question_of("prod-2", 4, HOST_QUESTION_PASSPHRASE);
	assert_int_equal(m.t.prompt.kind, PROMPT_NONE);
	q = m.t.model.asked[0].q;
	model_answered(&m.t.model, &q);
	assert_int_equal(m.t.model.n_asked, 1);
	assert_string_equal(m.t.model.asked[0].q.host, "prod-3");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(envs__with_services__at_every_size),
		CASE(envs__services_not_read_yet),
		CASE(envs__services_all_up__and_old),
		CASE(envs__hosts_down_and_asking),
		CASE(envs__without_databases),
		CASE(services__at_every_size),
		CASE(services__enter_on_a_row__selects_it),
		CASE(services__filtered_to_what_differs),
		CASE(services__reading_or_none),
		CASE(services__health_checked_live__then_failed),
		CASE(question__of_an_unknown_key),
		CASE(question__left__comes_again_when_asked_for),
		CASE(question__while_something_is_typed__waits),
		CASE(question__of_a_passphrase__hidden_and_wiped),
		CASE(question__of_two_hosts__the_answer_is_of_the_one_shown),
		CASE(question__replaced__begins_anew),
		CASE(question__of_many_hosts__one_esc_and_one_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
