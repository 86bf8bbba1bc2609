/* SPDX-License-Identifier: MIT */
/* The engine and what runs on this machine: looks, health, and logs that are followed. The service is this
 * test itself, with a log file that the test writes. */
#include "core/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/engine/model.h"
#include "core/host/host_ops.h"
#include "tests/support/tmp.h"
#include "tests/support/workspace.h"

#define WAIT_MS 60000

static const struct host_spec here = { "local", HOST_LOCAL, 10000, 15000 };
static const struct host_spec *const machines[] = { &here };

static struct workspace w;
static struct host_context host_ctx;
static struct service service;
static struct engine *g;
static struct err e;
static char *pid_file, *log_file;

static int setup(void **state)
{
	char pid[24];

	(void)state;
	workspace_init(&w, 2);
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	tmp_write(w.dir, "web.pid", pid);
	tmp_write(w.dir, "web.log", "");
	pid_file = tmp_path(w.dir, "web.pid");
	log_file = tmp_path(w.dir, "web.log");
	host_ctx = (struct host_context){ .home = w.dir, .login = "nobody", .run_dir = w.dir };
	w.ctx.hosts = hosts_new(&host_ctx);
	service = (struct service){
		.runtime = { .name = "web",
			     .kind = RUNTIME_PROCESS,
			     .pid_file = pid_file,
			     .log_file = log_file },
		.host = machines,
		.n_host = 1,
		.health = { .attempts = 2, .successes = 1, .interval_ms = 10, .timeout_ms = 5000 }
	};
	w.project->env[1].service = &service;
	w.project->env[1].n_service = 1;
	return engine_new(w.project, &w.ctx, &g, &e);
}

static int teardown(void **state)
{
	(void)state;
	engine_free(g);
	hosts_free(w.ctx.hosts);
	w.project->env[1].n_service = 0;
	free(pid_file);
	free(log_file);
	workspace_clear(&w);
	return 0;
}

/* The next event of that type; others are dropped. */
static struct event *await(enum event_type type)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct event *ev;

	for (;;) {
		struct pollfd fd = { .fd = engine_fd(g), .events = POLLIN };
		int64_t left = until - clock_mono_ms();

		if (left <= 0 || poll(&fd, 1, (int)left) != 1)
			fail_msg("no event of type %d", (int)type);
		ev = engine_next(g);
		if (ev && ev->type == type)
			return ev;
		event_free(ev);
	}
}

static void append(const char *text)
{
	FILE *f = fopen(log_file, "a");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Waits until the store holds n lines of text. */
static void await_lines(int64_t n)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct log_counts c;

	for (;;) {
		struct pollfd fd = { .fd = engine_fd(g), .events = POLLIN };

		log_store_counts(engine_log_store(g), &c);
		if (c.lines >= n)
			return;
		if (clock_mono_ms() > until)
			fail_msg("%d lines of %d", (int)c.lines, (int)n);
		if (poll(&fd, 1, 1000) == 1)
			event_free(engine_next(g));
	}
}

static void look__running_process__is_seen(void **state)
{
	struct event *ev;
	const struct services *s;

	(void)state;
	engine_services(g);
	ev = await(EV_SERVICES);
	assert_string_equal(ev->u.services->env, w.project->env[1].name);
	s = ev->u.services->services;
	assert_int_equal(s->n_unit, 1);
	assert_ok(s->unit[0].err.code == ERR_OK ? 0 : -1, &s->unit[0].err);
	assert_int_equal(s->unit[0].unit.state, UNIT_RUNNING);
	assert_int_equal(s->unit[0].unit.pid, getpid());
	event_free(ev);
}

static void look__into_the_model__replaces_the_one_before(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, w.project, &w.ctx);
	for (int i = 0; i < 3; i++) {
		engine_services(g);
		model_apply(&m, await(EV_SERVICES));
		assert_null(m.services[0]);
		assert_non_null(m.services[1]);
		assert_true(service_unit_ok(&m.services[1]->services->unit[0]));
	}
	assert_int_equal(unlink(pid_file), 0);
	engine_services(g);
	model_apply(&m, await(EV_SERVICES));
	assert_false(service_unit_ok(&m.services[1]->services->unit[0]));
	assert_true(m.news_bad);
	assert_non_null(strstr(m.news, "web"));
	model_clear(&m);
}

/* The transport's words stand for a connection that broke between two looks. */
static void host__lost__is_unknown_at_once_and_looked_at_when_it_is_back(void **state)
{
	struct host *h = hosts_get(w.ctx.hosts, &here);
	const struct service_unit *u;
	struct event *old;
	struct model m;
	struct err why;

	(void)state;
	model_init(&m, w.project, &w.ctx);
	engine_services(g);
	model_apply(&m, await(EV_SERVICES));
	engine_services(g);
	old = await(EV_SERVICES);
	err_set(&why, ERR_LOST, "the connection to local ended");
	host_set_state(h, HOST_DOWN, &why);
	model_apply(&m, await(EV_HOST));
	u = &m.services[1]->services->unit[0];
	assert_int_equal(u->err.code, ERR_LOST);
	assert_int_equal(m.services[1]->services->host[0].status.state, HOST_DOWN);
	assert_false(service_unit_ok(u));
	assert_true(m.news_bad);
	assert_string_equal(m.news, why.msg);
	/* A look that saw it before, and comes later. */
	model_apply(&m, old);
	u = &m.services[1]->services->unit[0];
	assert_int_equal(u->err.code, ERR_LOST);
	/* Nobody asks for this one. */
	host_set_state(h, HOST_READY, NULL);
	model_apply(&m, await(EV_HOST));
	model_apply(&m, await(EV_SERVICES));
	u = &m.services[1]->services->unit[0];
	assert_ok(u->err.code == ERR_OK ? 0 : -1, &u->err);
	assert_int_equal(m.n_away, 0);
	model_clear(&m);
}

static void health__without_url__is_the_state_alone(void **state)
{
	struct model m;
	uint64_t request;

	(void)state;
	model_init(&m, w.project, &w.ctx);
	request = engine_health(g, w.project->env[1].name, NULL);
	assert_true(request > 0);
	model_health_of(&m, w.project->env[1].name, request);
	while (!m.health.over)
		model_apply(&m, await(EV_HEALTH));
	assert_int_equal(m.health.n, 1);
	assert_int_equal(m.health.list[0]->verdict, HEALTH_OK);
	model_clear(&m);
}

static void health__of_a_service_that_is_none__is_over(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, w.project, &w.ctx);
	model_health_of(&m, w.project->env[1].name,
			engine_health(g, w.project->env[1].name, "nobody"));
	while (!m.health.over)
		model_apply(&m, await(EV_HEALTH));
	assert_int_equal(m.health.n, 0);
	model_clear(&m);
}

static void health__nothing_runs_there__asks_nobody(void **state)
{
	(void)state;
	assert_int_equal(engine_health(g, w.project->env[0].name, NULL), 0);
	assert_int_equal(engine_health(g, "nowhere", NULL), 0);
}

static void logs__followed__come_and_go_on_coming(void **state)
{
	struct log_choice choice = { w.project->env[1].name, "web", NULL };
	struct log_source source[4];
	struct event *ev;
	char *path = tmp_path(w.dir, "lines.txt"), *text;

	(void)state;
	append("2026-11-21T14:05:49Z INFO one\n2026-11-21T14:05:50Z ERROR two\x1b[2J\n");
	engine_logs_follow(g, &choice, 1, 0, -1);
	await_lines(2);
	append("2026-11-21T14:05:51Z WARN three\n");
	await_lines(3);
	assert_int_equal(log_store_sources(engine_log_store(g), source, 4), 1);
	assert_string_equal(source[0].service, "web");
	assert_int_equal(source[0].lost, 0);
	engine_logs_export(g, path);
	ev = await(EV_EXPORTED);
	assert_ok(ev->err.code == ERR_OK ? 0 : -1, &ev->err);
	assert_true(ev->u.exported.lines >= 3);
	event_free(ev);
	text = tmp_read(w.dir, "lines.txt");
	assert_non_null(strstr(text, "INFO one\n"));
	assert_null(strchr(text, '\x1b'));
	engine_logs_export(g, path); /* taken now */
	ev = await(EV_EXPORTED);
	assert_int_equal(ev->err.code, ERR_EXISTS);
	event_free(ev);
	free(text);
	free(path);
}

static void logs__exported_to_a_full_disk__leave_no_part_of_them(void **state)
{
	struct log_choice choice = { w.project->env[1].name, "web", "local" };
	char *path = tmp_path(w.dir, "part.txt");
	struct rlimit usual, little;
	struct event *ev;

	(void)state;
	append("one\ntwo\nthree\n");
	engine_logs_follow(g, &choice, 1, 0, -1);
	await_lines(3);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
	little = usual;
	little.rlim_cur = 16;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	engine_logs_export(g, path);
	ev = await(EV_EXPORTED);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
	assert_int_not_equal(ev->err.code, ERR_OK);
	assert_non_null(strstr(ev->err.msg, path));
	assert_int_equal(access(path, F_OK), -1);
	event_free(ev);
	free(path);
}

static void logs__chosen_again__begin_anew(void **state)
{
	struct log_choice choice = { w.project->env[1].name, "web", "local" };
	struct log_counts c;
	int64_t until = clock_mono_ms() + WAIT_MS;

	(void)state;
	append("a\nb\nc\n");
	engine_logs_follow(g, &choice, 1, 0, -1);
	await_lines(3);
	for (int i = 0; i < 20; i++)
		engine_logs_follow(g, &choice, 1, 0, -1);
	engine_logs_stop(g);
	do {
		struct pollfd fd = { .fd = engine_fd(g), .events = POLLIN };

		if (poll(&fd, 1, 1000) == 1)
			event_free(engine_next(g));
		log_store_counts(engine_log_store(g), &c);
	} while ((c.lines > 0 || engine_busy(g)) && clock_mono_ms() < until);
	assert_int_equal(c.lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(look__running_process__is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(look__into_the_model__replaces_the_one_before,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			host__lost__is_unknown_at_once_and_looked_at_when_it_is_back, setup,
			teardown),
		cmocka_unit_test_setup_teardown(health__without_url__is_the_state_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(health__of_a_service_that_is_none__is_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(health__nothing_runs_there__asks_nobody, setup,
						teardown),
		cmocka_unit_test_setup_teardown(logs__followed__come_and_go_on_coming, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			logs__exported_to_a_full_disk__leave_no_part_of_them, setup, teardown),
		cmocka_unit_test_setup_teardown(logs__chosen_again__begin_anew, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
