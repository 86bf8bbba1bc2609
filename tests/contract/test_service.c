/* SPDX-License-Identifier: MIT */
/*
 * Services as they really run: a Docker Engine, Podman, a process; looked at here and through ssh.
 *
 * needs: servers
 */
#include "core/release/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/host/http.h"
#include "core/release/service_ask.h"
#include "tests/support/services.h"
#include "tests/support/tmp.h"

#define GENEROUS_MS 60000

static struct server docker, podman, ssh, closed;
static struct hosts *hosts;
static struct host_context ctx;
static char *dir;
static struct err e;

static const struct host_spec local_spec = { .name = "local",
					     .transport = HOST_LOCAL,
					     .connect_timeout_ms = GENEROUS_MS };

/* --- A world ------------------------------------------------------------------------------------ */

static int world_open(void **state)
{
	(void)state;
	dir = tmp_make();
	ctx = (struct host_context){ .home = dir, .login = "root", .run_dir = dir };
	(void)services_start(SERVICE_DOCKER, &docker);
	(void)services_start_as(SERVICE_DOCKER, "podman", "--podman", &podman);
	(void)services_start(SERVICE_SSH, &ssh);
	(void)services_start_as(SERVICE_SSH, "closed", "--no-forwarding", &closed);
	if (docker.name != NULL)
		free(services_tell("image", docker.name, "shop:1", NULL));
	if (podman.name != NULL)
		free(services_tell("image", podman.name, "shop:1", NULL));
	return 0;
}

static int world_close(void **state)
{
	(void)state;
	services_stop(&docker);
	services_stop(&podman);
	services_stop(&closed);
	services_stop(&ssh);
	tmp_remove(dir);
	return 0;
}

static int case_open(void **state)
{
	(void)state;
	ctx.ssh_config = NULL;
	hosts = hosts_new(&ctx);
	return 0;
}

static int case_close(void **state)
{
	(void)state;
	hosts_free(hosts);
	return 0;
}

/* Hosts that are reached by s. */
static struct host_spec through(const struct server *s)
{
	hosts_free(hosts);
	ctx.ssh_config = s->config_all;
	hosts = hosts_new(&ctx);
	return (struct host_spec){ .name = s->name,
				   .transport = HOST_LIBSSH2,
				   .connect_timeout_ms = GENEROUS_MS,
				   .alive_ms = GENEROUS_MS };
}

static struct service service_of(const char *container, const struct server *engine,
				 const struct host_spec *const *on)
{
	return (struct service){
		.runtime = { .name = container,
			     .kind = engine == &podman ? RUNTIME_PODMAN : RUNTIME_DOCKER,
			     .container = container,
			     .socket = engine->socket },
		.host = on,
		.n_host = 1,
		.health = { .attempts = 3,
			    .successes = 1,
			    .interval_ms = 100,
			    .timeout_ms = GENEROUS_MS },
	};
}

static struct services *look(struct service *service, size_t n, const struct services *before)
{
	const struct env env = { .name = "staging", .service = service, .n_service = n };
	struct services *s = NULL;

	if (services_read(&env, hosts, before, GENEROUS_MS, NULL, &s, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	return s;
}

static void expect_known(const struct service_unit *u)
{
	if (u->err.code != ERR_OK)
		fail_msg("%s: %s | %s | %s", u->service->runtime.name, u->err.msg, u->err.detail,
			 u->err.hint);
}

/* Looks again and again until the unit of the one service is in state, or loops. */
static struct services *look_until(struct service *service, enum runtime_state wanted, bool loops)
{
	struct services *s = NULL, *before = NULL;
	int64_t deadline_ms = clock_mono_ms() + GENEROUS_MS;

	do {
		services_free(before);
		before = s;
		s = look(service, 1, before);
		if (s->unit[0].unit.state == wanted && (!loops || s->unit[0].loops))
			break;
		if (clock_mono_ms() > deadline_ms)
			fail_msg("%s is %s", service->runtime.name,
				 runtime_state_name(s->unit[0].unit.state));
		assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + 50, NULL, &e), 0);
	} while (true);
	services_free(before);
	return s;
}

static const char *words_of(const struct service_unit *u)
{
	static struct strbuf text;

	strbuf_clear(&text);
	strbuf_init(&text, 4096);
	service_words(u, clock_utc_ms(), &text);
	return strbuf_str(&text);
}

static void contains(const char *text, const char *piece)
{
	if (strstr(text, piece) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", piece, text);
}

/* --- States ------------------------------------------------------------------------------------- */

/* podman cannot end a container that has just ended by itself, and says so. */
static void remove_container(struct server *engine, const char *name)
{
	int64_t deadline_ms = clock_mono_ms() + GENEROUS_MS;
	char *said = NULL;

	while (services_try(&said, "docker", engine->name, "rm", "-f", name, NULL) != 0) {
		if (clock_mono_ms() > deadline_ms)
			fail_msg("%s", said);
		free(said);
	}
	free(said);
}

static void engine_states(struct server *engine)
{
	const struct host_spec *on[] = { &local_spec };
	struct service service;
	struct services *s;

	services_need(engine);
	free(services_tell("docker", engine->name, "run", "-d", "--name", "up", "shop:1", "/shopd",
			   NULL));
	free(services_tell("docker", engine->name, "run", "-d", "--name", "ended", "shop:1",
			   "/shopd", "--exit-after", "1", "--exit-code", "3", NULL));
	free(services_tell("docker", engine->name, "run", "-d", "--name", "loop", "--restart",
			   "always", "shop:1", "/shopd", "--exit-after", "1", "--exit-code", "4",
			   NULL));
	free(services_tell("docker", engine->name, "create", "--name", "made", "shop:1", NULL));

	service = service_of("up", engine, on);
	s = look_until(&service, UNIT_RUNNING, false);
	expect_known(&s->unit[0]);
	assert_true(service_unit_ok(&s->unit[0]));
	assert_string_equal(words_of(&s->unit[0]), "running");
	contains(s->unit[0].unit.image, "shop:1");
	assert_int_equal(strlen(s->unit[0].unit.id), 64);
	assert_true(sv_starts(sv_of(s->unit[0].unit.image_id), SV("sha256:")));
	assert_true(s->unit[0].unit.started_utc_ms > clock_utc_ms() - 10 * GENEROUS_MS);
	assert_true(s->unit[0].unit.pid > 0);
	assert_int_equal(s->unit[0].unit.restarts, 0);
	services_free(s);

	service = service_of("ended", engine, on);
	s = look_until(&service, UNIT_FAILED, false);
	assert_int_equal(s->unit[0].unit.exit_code, 3);
	contains(words_of(&s->unit[0]), "exited 3");
	assert_false(service_unit_ok(&s->unit[0]));
	services_free(s);

	/* Whatever the state at a moment, the restarts tell. */
	service = service_of("loop", engine, on);
	s = look(&service, 1, NULL);
	while (!s->unit[0].loops) {
		struct services *before = s;

		s = look(&service, 1, before);
		services_free(before);
	}
	expect_known(&s->unit[0]);
	assert_false(service_unit_ok(&s->unit[0]));
	services_free(s);
	remove_container(engine, "loop");

	service = service_of("made", engine, on);
	s = look_until(&service, UNIT_CREATED, false);
	services_free(s);
	service = service_of("nobody", engine, on);
	s = look_until(&service, UNIT_ABSENT, false);
	assert_string_equal(words_of(&s->unit[0]), "absent");
	services_free(s);
	/* A name that is none gets nowhere else. */
	service = service_of("../up/json?x=", engine, on);
	s = look(&service, 1, NULL);
	assert_true(s->unit[0].err.code != ERR_OK || s->unit[0].unit.state == UNIT_ABSENT);
	services_free(s);
	free(services_tell("docker", engine->name, "rm", "-f", "up", "ended", "made", NULL));
}

static void containers__of_docker__are_what_they_are(void **state)
{
	(void)state;
	engine_states(&docker);
}

static void containers__of_podman__are_what_they_are(void **state)
{
	(void)state;
	engine_states(&podman);
}

static void engines__that_are_away__say_what_to_do(void **state)
{
	const struct host_spec *on[] = { &local_spec };
	char nowhere[] = "/nowhere/docker.sock";
	struct server none = { .socket = nowhere };
	struct service service;
	struct services *s;
	char *path = tmp_path(dir, "empty");

	(void)state;
	service = service_of("up", &none, on);
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].err.code, ERR_NOT_FOUND);
	contains(s->unit[0].err.detail, "/nowhere/docker.sock");
	assert_true(s->unit[0].err.hint[0] != '\0');
	services_free(s);
	tmp_write(dir, "empty", "no socket");
	none.socket = path;
	service = service_of("up", &none, on);
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].err.code, ERR_CONFIG);
	contains(s->unit[0].err.detail, "is no socket");
	services_free(s);
	free(path);
}

static void a_frozen_engine__costs_the_timeout_and_no_more(void **state)
{
	const struct host_spec *on[] = { &local_spec };
	struct service service;
	struct env env = { .name = "staging", .service = &service, .n_service = 1 };
	struct services *s;

	(void)state;
	services_need(&docker);
	service = service_of("up", &docker, on);
	free(services_tell("freeze", docker.name, NULL));
	assert_int_equal(services_read(&env, hosts, NULL, 300, NULL, &s, &e), 0);
	free(services_tell("thaw", docker.name, NULL));
	assert_int_equal(s->unit[0].err.code, ERR_TIMEOUT);
	contains(s->unit[0].err.msg, "docker does not answer");
	services_free(s);
}

/* --- Through ssh -------------------------------------------------------------------------------- */

static void a_look_through_ssh__sees_the_same(void **state)
{
	struct host_spec spec;
	const struct host_spec *on[] = { &spec };
	struct service service;
	struct services *s, *again;

	(void)state;
	services_need(&docker);
	services_need(&ssh);
	free(services_tell("docker", docker.name, "run", "-d", "--name", "far", "shop:1", NULL));
	spec = through(&ssh);
	service = service_of("far", &docker, on);
	s = look_until(&service, UNIT_RUNNING, false);
	expect_known(&s->unit[0]);
	assert_int_equal(s->host[0].status.state, HOST_READY);
	again = look(&service, 1, s);
	expect_known(&again->unit[0]);
	assert_string_equal(again->unit[0].unit.id, s->unit[0].unit.id);
	assert_true(again->unit[0].digest_asked);
	services_free(s);
	services_free(again);
	/* A service that is not there, behind a host that is. */
	service.runtime.socket = "/nowhere/docker.sock";
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].err.code, ERR_NOT_FOUND);
	contains(s->unit[0].err.detail, "/nowhere/docker.sock");
	assert_int_equal(s->host[0].err.code, ERR_OK);
	services_free(s);
	free(services_tell("docker", docker.name, "rm", "-f", "far", NULL));
}

static void a_server_that_forbids_sockets__is_asked_through_a_command(void **state)
{
	struct host_spec spec;
	const struct host_spec *on[] = { &spec };
	struct service service;
	struct services *s;

	(void)state;
	services_need(&docker);
	services_need(&closed);
	free(services_tell("docker", docker.name, "run", "-d", "--name", "far", "shop:1", NULL));
	spec = through(&closed);
	service = service_of("far", &docker, on);
	s = look_until(&service, UNIT_RUNNING, false);
	expect_known(&s->unit[0]);
	services_free(s);
	s = look(&service, 1, NULL);
	expect_known(&s->unit[0]);
	services_free(s);
	free(services_tell("docker", docker.name, "rm", "-f", "far", NULL));
}

/* --- Processes ---------------------------------------------------------------------------------- */

static void processes__are_found_by_their_pid_file(void **state)
{
	const struct host_spec *on[] = { &local_spec };
	char *pid_file = tmp_path(dir, "p.pid"), *log_file = tmp_path(dir, "p.log");
	char pid[32];
	struct service service = {
		.runtime = { .name = "worker",
			     .kind = RUNTIME_PROCESS,
			     .command = "test_service --serve",
			     .pid_file = pid_file,
			     .log_file = log_file },
		.host = on,
		.n_host = 1,
	};
	struct services *s;

	(void)state;
	s = look(&service, 1, NULL);
	expect_known(&s->unit[0]);
	assert_int_equal(s->unit[0].unit.state, UNIT_ABSENT);
	services_free(s);
	tmp_write(dir, "p.log", "was here\n");
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].unit.state, UNIT_STOPPED);
	services_free(s);
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	tmp_write(dir, "p.pid", pid);
	s = look(&service, 1, NULL);
	expect_known(&s->unit[0]);
	assert_int_equal(s->unit[0].unit.state, UNIT_RUNNING);
	assert_int_equal(s->unit[0].unit.pid, getpid());
	assert_true(llabs(clock_utc_ms() - s->unit[0].unit.started_utc_ms) < 20 * GENEROUS_MS);
	assert_int_equal(s->unit[0].unit.restarts, -1);
	services_free(s);
	tmp_write(dir, "p.pid", "999999999\n");
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].unit.state, UNIT_FAILED);
	contains(words_of(&s->unit[0]), "gone");
	services_free(s);
	tmp_write(dir, "p.pid", "so what\n");
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].unit.state, UNIT_UNKNOWN);
	services_free(s);
	free(pid_file);
	free(log_file);
}

static void a_pid_of_another_program__is_not_the_service(void **state)
{
	const struct host_spec *on[] = { &local_spec };
	char *pid_file = tmp_path(dir, "o.pid");
	char pid[32];
	struct service service = {
		.runtime = { .name = "worker",
			     .kind = RUNTIME_PROCESS,
			     .command = "gunicorn shop.wsgi",
			     .pid_file = pid_file },
		.host = on,
		.n_host = 1,
	};
	struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	struct services *s;

	(void)state;
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	tmp_write(dir, "o.pid", pid);
	/* Written behind the start: a program that has another title. */
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].unit.state, UNIT_RUNNING);
	services_free(s);
	/* Written long before it. */
	assert_int_equal(utimensat(AT_FDCWD, pid_file, old, 0), 0);
	s = look(&service, 1, NULL);
	assert_int_equal(s->unit[0].unit.state, UNIT_FAILED);
	contains(words_of(&s->unit[0]), "is another program now");
	contains(words_of(&s->unit[0]), "test_service");
	services_free(s);
	free(pid_file);
}

/* --- Health ------------------------------------------------------------------------------------- */

static int n_told;
static enum health_verdict last_told;

static void told(void *arg, const struct health_result *r)
{
	(void)arg;
	n_told++;
	last_told = r->verdict;
}

static void check(const struct service *service, const struct host_spec *on, bool once,
		  struct health_result *r)
{
	n_told = 0;
	if (health_check(service, on, hosts, once, told, NULL, NULL, r, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_true(n_told >= 2);
	assert_int_equal(last_told, r->verdict);
}

/* Starts shopd with options as container health, its port published here; the URL. */
static char *health_start(const char *option, const char *value)
{
	char url[200], *port = NULL, *ip;

	(void)services_try(&port, "docker", docker.name, "rm", "-f", "health", NULL);
	free(port);
	free(services_tell("docker", docker.name, "run", "-d", "--name", "health", "shop:1",
			   "/shopd", "--port", "0.0.0.0:8080", option, value, NULL));
	ip = services_tell("docker", docker.name, "inspect", "-f",
			   "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "health",
			   NULL);
	snprintf(url, sizeof(url), "http://%s:8080/health", ip);
	free(ip);
	return mem_strdup(url);
}

static void health__is_http__through_the_host(void **state)
{
	struct host_spec spec;
	const struct host_spec *on[] = { &spec };
	struct service service;
	struct health_result r;
	char *url;

	(void)state;
	services_need(&docker);
	services_need(&ssh);
	url = health_start("--name", "web");
	spec = through(&ssh);
	service = service_of("health", &docker, on);
	service.health.url = url;
	service.health.attempts = 50;
	service.health.successes = 3;
	check(&service, &spec, false, &r);
	if (r.verdict != HEALTH_OK)
		fail_msg("%s: %s", r.err.msg, r.err.detail);
	assert_int_equal(r.successes, 3);
	assert_int_equal(r.last.status, 200);
	assert_true(r.last.took_us > 0);
	health_result_clear(&r);
	check(&service, &spec, true, &r);
	assert_int_equal(r.verdict, HEALTH_OK);
	assert_int_equal(r.tries, 1);
	health_result_clear(&r);
	mem_free(url);
}

static void health__that_fails__has_the_measured_value_and_the_log(void **state)
{
	const struct host_spec *on[] = { &local_spec };
	struct service service;
	struct health_result r;
	char *url;

	(void)state;
	services_need(&docker);
	url = health_start("--fail-health", "503");
	service = service_of("health", &docker, on);
	service.health.url = url;
	/* Its first words may be later than its answers. */
	do {
		check(&service, &local_spec, false, &r);
		assert_int_equal(r.verdict, HEALTH_FAILED);
		if (r.last.status == 503 && r.log_tail != NULL)
			break;
		health_result_clear(&r);
	} while (true);
	assert_int_equal(r.tries, 3);
	contains(r.err.msg, "health is not healthy on local after 3 tries");
	contains(r.err.detail, "answers 503");
	health_result_clear(&r);
	mem_free(url);

	url = health_start("--slow-health", "600000");
	service.health.url = url;
	service.health.timeout_ms = 200;
	service.health.attempts = 1;
	check(&service, &local_spec, false, &r);
	assert_int_equal(r.verdict, HEALTH_FAILED);
	health_result_clear(&r);
	mem_free(url);
}

static void health__without_a_way_to_it__is_unknown(void **state)
{
	struct host_spec spec;
	const struct host_spec *on[] = { &spec };
	struct service service;
	struct health_result r;
	char *url;

	(void)state;
	services_need(&docker);
	services_need(&closed);
	url = health_start("--name", "web");
	spec = through(&closed);
	service = service_of("health", &docker, on);
	service.health.url = url;
	service.health.attempts = 1;
	check(&service, &spec, false, &r);
	assert_int_equal(r.verdict, HEALTH_UNKNOWN);
	assert_int_equal(r.unit.state, UNIT_RUNNING);
	contains(r.err.msg, "cannot see whether health is healthy");
	health_result_clear(&r);
	mem_free(url);
}

static void health__of_what_ended__is_known_at_once(void **state)
{
	const struct host_spec *on[] = { &local_spec };
	struct service service;
	struct services *s;
	struct health_result r;

	(void)state;
	services_need(&docker);
	free(health_start("--exit-after", "1"));
	service = service_of("health", &docker, on);
	s = look_until(&service, UNIT_STOPPED, false);
	services_free(s);
	service.health.url = "http://127.0.0.1:1/health";
	service.health.attempts = 1000;
	service.health.successes = 1;
	service.health.delay_ms = 3600000;
	service.health.interval_ms = 3600000;
	check(&service, &local_spec, false, &r);
	assert_int_equal(r.verdict, HEALTH_FAILED);
	assert_int_equal(r.unit.state, UNIT_STOPPED);
	health_result_clear(&r);
	/* Nothing is known of one whose engine is away. */
	service.runtime.socket = "/nowhere/docker.sock";
	check(&service, &local_spec, true, &r);
	assert_int_equal(r.verdict, HEALTH_UNKNOWN);
	contains(r.err.msg, "cannot see whether health is healthy");
	health_result_clear(&r);
}

static void *fire(void *arg)
{
	cancel_fire(arg);
	return NULL;
}

static void health__is_cancelled__while_it_waits(void **state)
{
	const struct host_spec *on[] = { &local_spec };
	struct service service;
	struct health_result r;
	struct cancel cancel;
	pthread_t thread;
	char *url;

	(void)state;
	services_need(&docker);
	url = health_start("--fail-health", "500");
	service = service_of("health", &docker, on);
	service.health.url = url;
	service.health.interval_ms = 3600000;
	assert_int_equal(cancel_init(&cancel, &e), 0);
	assert_int_equal(pthread_create(&thread, NULL, fire, &cancel), 0);
	assert_int_equal(
		health_check(&service, &local_spec, hosts, false, NULL, NULL, &cancel, &r, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	pthread_join(thread, NULL);
	cancel_clear(&cancel);
	mem_free(url);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, case_open, case_close)
	const struct CMUnitTest tests[] = {
		CASE(containers__of_docker__are_what_they_are),
		CASE(containers__of_podman__are_what_they_are),
		CASE(engines__that_are_away__say_what_to_do),
		CASE(a_frozen_engine__costs_the_timeout_and_no_more),
		CASE(a_look_through_ssh__sees_the_same),
		CASE(a_server_that_forbids_sockets__is_asked_through_a_command),
		CASE(processes__are_found_by_their_pid_file),
		CASE(a_pid_of_another_program__is_not_the_service),
		CASE(health__is_http__through_the_host),
		CASE(health__that_fails__has_the_measured_value_and_the_log),
		CASE(health__without_a_way_to_it__is_unknown),
		CASE(health__of_what_ended__is_known_at_once),
		CASE(health__is_cancelled__while_it_waits),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
