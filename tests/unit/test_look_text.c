/* SPDX-License-Identifier: MIT */
/* What status says of services and health: truthful when a host is down, short when all is well. */
#include "cli/look_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"

#define HOSTS 2
#define UNITS 4

/* Two services on two hosts: web with a health URL, worker without. */
static struct service web = { .runtime = { .name = "web" }, .health = { .url = "http://h/" } };
static struct service worker = { .runtime = { .name = "worker" } };
static struct service_host host[HOSTS];
static struct service_unit unit[UNITS];
static struct services services;
static struct health_result health[HOSTS];
static struct look_services look;
static struct strbuf text;

static int setup(void **state)
{
	(void)state;
	memset(host, 0, sizeof(host));
	memset(unit, 0, sizeof(unit));
	memset(health, 0, sizeof(health));
	for (size_t i = 0; i < HOSTS; i++) {
		str_copy(host[i].name, sizeof(host[i].name), i == 0 ? "app1" : "app2");
		str_copy(health[i].host, sizeof(health[i].host), host[i].name);
		health[i].service = &web;
		health[i].verdict = HEALTH_OK;
		health[i].tries = 1;
		health[i].last.status = 200;
		health[i].last.took_us = 1000 * (int64_t)(i + 1);
	}
	for (size_t i = 0; i < UNITS; i++) {
		unit[i].service = i < HOSTS ? &web : &worker;
		unit[i].host = i % HOSTS;
		unit[i].unit.state = UNIT_RUNNING;
		unit[i].restarts_before = -1;
	}
	services = (struct services){
		.env = "live", .unit = unit, .n_unit = UNITS, .host = host, .n_host = HOSTS
	};
	look = (struct look_services){ .services = &services, .health = health, .n_health = HOSTS };
	strbuf_init(&text, STRBUF_NO_LIMIT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_clear(&text);
	return 0;
}

/* app2 does not answer. */
static void app2_is_gone(void)
{
	err_set(&host[1].err, ERR_TIMEOUT, "cannot connect to app2");
	err_detail(&host[1].err, "no answer in 10 s");
	err_hint(&host[1].err, "ssh app2");
	for (size_t i = 1; i < UNITS; i += HOSTS) {
		unit[i].unit.state = UNIT_UNKNOWN;
		unit[i].err = host[1].err;
	}
	look.n_health = 1;
}

static void expect_cells(const char *of_services, const char *of_health)
{
	strbuf_reset(&text);
	look_services_cell(&look, &text);
	assert_string_equal(strbuf_str(&text), of_services);
	strbuf_reset(&text);
	look_health_cell(&look, &text);
	assert_string_equal(strbuf_str(&text), of_health);
}

static void expect_health(const char *json)
{
	json_t *j = look_health_json(&look);
	char *said = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(said, json);
	free(said);
	json_decref(j);
}

static void cells__are_short__when_all_is_well(void **state)
{
	(void)state;
	expect_cells("4 up", "ok  200 in 2 ms  (2 of 2)");
	expect_health(
		"{\"ok\":true,\"status\":200,\"ms\":2,\"service\":\"web\",\"host\":\"app2\",\"error\":null}");
	assert_false(look_services_wrong(&look));
	strbuf_reset(&text);
	look_services_troubles("live", &look, &text);
	assert_int_equal(text.len, 0);
}

static void unknown__is_not_up_and_not_down__when_a_host_is_gone(void **state)
{
	(void)state;
	app2_is_gone();
	expect_cells("2 of 4 up  web unknown", "unknown  200 in 1 ms  (1 of 2)");
	expect_health(
		"{\"ok\":null,\"status\":200,\"ms\":1,\"service\":\"web\",\"host\":\"app1\",\"error\":null}");
	assert_true(look_services_wrong(&look));
	strbuf_reset(&text);
	look_services_troubles("live", &look, &text);
	/* The host once, and not each service on it. */
	assert_string_equal(strbuf_str(&text),
			    "\nlive: cannot connect to app2: no answer in 10 s\n  try: ssh app2\n");
	host[0].err = host[1].err;
	unit[0].err = unit[2].err = host[1].err;
	look.n_health = 0;
	expect_cells("unknown", "unknown");
	expect_health(
		"{\"ok\":null,\"status\":null,\"ms\":null,\"service\":null,\"host\":null,\"error\":null}");
}

static void what_runs_and_is_not_well__is_said_in_its_word(void **state)
{
	(void)state;
	unit[2].unit.health = HEALTH_UNHEALTHY;
	expect_cells("3 of 4 up  worker unhealthy", "ok  200 in 2 ms  (2 of 2)");
	unit[0].loops = true;
	expect_cells("2 of 4 up  web loops", "ok  200 in 2 ms  (2 of 2)");
}

static void failures__come_before_what_is_unknown(void **state)
{
	(void)state;
	app2_is_gone();
	unit[2].unit.state = UNIT_FAILED;
	unit[2].unit.exit_code = 137;
	health[0].verdict = HEALTH_FAILED;
	health[0].last.status = 502;
	err_set(&health[0].err, ERR_SYSTEM, "502 instead of a status from 200 to 299");
	expect_cells("1 of 4 up  worker failed", "FAILED  web on app1 502 in 1 ms  (0 of 2)");
	expect_health("{\"ok\":false,\"status\":502,\"ms\":1,\"service\":\"web\",\"host\":\"app1\","
		      "\"error\":\"502 instead of a status from 200 to 299\"}");
	strbuf_reset(&text);
	look_services_troubles("live", &look, &text);
	assert_non_null(strstr(strbuf_str(&text), "live: worker on app1: "));
	assert_non_null(
		strstr(strbuf_str(&text), "live: health of web on app1: 502 instead of a status"));
	assert_true(look_services_wrong(&look));
}

static void loops__are_wrong__though_it_runs(void **state)
{
	(void)state;
	unit[3].loops = true;
	assert_true(look_services_wrong(&look));
	expect_cells("3 of 4 up  worker loops", "ok  200 in 2 ms  (2 of 2)");
}

static void nothing__is_a_dash_and_null(void **state)
{
	struct look_services none = { 0 };
	json_t *j;

	(void)state;
	look = none;
	expect_cells("-", "-");
	expect_health("null");
	j = look_services_json(&look);
	assert_true(json_is_null(j));
	json_decref(j);
	assert_false(look_services_wrong(&look));
	err_set(&look.err, ERR_SYSTEM, "no threads");
	expect_cells("unknown", "-");
	assert_true(look_services_wrong(&look));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cells__are_short__when_all_is_well, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			unknown__is_not_up_and_not_down__when_a_host_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(what_runs_and_is_not_well__is_said_in_its_word,
						setup, teardown),
		cmocka_unit_test_setup_teardown(failures__come_before_what_is_unknown, setup,
						teardown),
		cmocka_unit_test_setup_teardown(loops__are_wrong__though_it_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing__is_a_dash_and_null, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
