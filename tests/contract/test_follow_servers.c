/* SPDX-License-Identifier: MIT */
/*
 * Following containers of a real Docker Engine, and logs over a real sshd, while everything around them breaks: no line
 * is lost, none comes twice. The lines are numbered and hashed by the service that writes them.
 *
 * needs: servers
 * time-limit: 240
 */
#include "tests/support/follow_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tests/support/services.h"
#include "tests/support/tmp.h"

static struct server engine, door, sshd, jammed;
static struct world w;
static struct runtime_service service;
static int names;

static int setup_group(void **state)
{
	(void)state;
	if (services_start(SERVICE_DOCKER, &engine) == 0) {
		free(services_tell("image", engine.name, "shop/web:1", NULL));
		free(services_tell("image", engine.name, "shop/web:2", NULL));
		free(services_tell("proxy", "door", engine.name, NULL));
		services_env("door", &door);
	}
	if (services_start(SERVICE_SSH, &sshd) == 0) {
		free(services_tell("proxy", "jammed", sshd.name, NULL));
		services_env("jammed", &jammed);
	}
	return 0;
}

static int teardown_group(void **state)
{
	(void)state;
	services_clear(&door);
	services_clear(&jammed);
	services_stop(&engine);
	services_stop(&sshd);
	return 0;
}

/* Each case has a container of its own. */
static int setup(void **state)
{
	static char name[32];

	(void)state;
	snprintf(name, sizeof(name), "web%d", ++names);
	service = (struct runtime_service){
		.name = "web", .kind = RUNTIME_DOCKER, .container = name, .socket = engine.socket
	};
	world_open(&w, jammed.config, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	if (engine.name != NULL) {
		char *said = NULL;

		services_try(&said, "docker", engine.name, "rm", "-f", service.container, NULL);
		free(said);
	}
	return 0;
}

#define RUN(...) \
	free(services_tell("docker", engine.name, "run", "-d", "--name", service.container, \
			   __VA_ARGS__, NULL))
#define DOCKER(...) free(services_tell("docker", engine.name, __VA_ARGS__, NULL))

static void follow__gives_what_there_is_and_what_comes__of_a_container(void **state)
{
	int s;

	(void)state;
	services_need(&engine);
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "2000", "--count", "4000");
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "n=4000 ", 1);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	world_expect_numbered(&w, s, 4000, 1);
	world_expect_no_gap(&w);
	assert_int_equal(world_count(&w, LOG_NOTE, ""), 0);
}

static void follow__gives_the_last_lines_and_a_gap__with_tail(void **state)
{
	int s;

	(void)state;
	services_need(&engine);
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "max", "--count", "1000",
	    "--exit");
	DOCKER("wait", service.container);
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .tail = 10 });
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	log_merge_flush(w.merge);
	assert_int_equal(world_count(&w, LOG_LINE, ""), 10);
	assert_int_equal(world_count(&w, LOG_LINE, "n=991 "), 1);
	assert_int_equal(w.line[0].kind, LOG_GAP);
}

static int setup_stored(void **state)
{
	setup(state);
	world_close(&w);
	world_open(&w, NULL, true);
	return 0;
}

static void follow__fetches_what_is_older__of_a_container(void **state)
{
	int s;

	(void)state;
	services_need(&engine);
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "max", "--count", "5000");
	while (world_stored(&w) == 0) {
		char *last = services_tell("docker", engine.name, "logs", "--tail", "1",
					   service.container, NULL);
		bool all = strstr(last, "n=5000 ") != NULL;

		free(last);
		if (all)
			break;
	}
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .follow = true, .tail = 100 });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	assert_int_equal(world_stored(&w), 100);
	assert_int_equal(world_fetch_all(&w, s), 3);
	world_expect_numbered(&w, s, 5000, 1);
	world_expect_no_gap(&w);
}

static void follow__goes_on_exactly_there__when_the_engine_is_cut_off(void **state)
{
	unsigned seed = 1;
	size_t resumed;
	int s;

	(void)state;
	services_need(&engine);
	service.socket = door.socket;
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "4000", "--count", "20000");
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	for (size_t i = 0; i < 5; i++) {
		resumed = world_count(&w, LOG_NOTE, "resumed after");
		world_wait_state(&w, s, LOG_SOURCE_LIVE);
		world_pause(rand_r(&seed) % 300);
		free(services_tell("proxy", "door", "cut", NULL));
		world_wait(&w, LOG_NOTE, "resumed after", resumed + 1);
	}
	world_wait(&w, LOG_LINE, "n=20000 ", 1);
	world_expect_numbered(&w, s, 20000, 1);
	assert_int_equal(world_count(&w, LOG_NOTE, ", 0 lines lost"),
			 world_count(&w, LOG_NOTE, "resumed after"));
	world_expect_no_gap(&w);
}

static void follow__goes_on__when_the_container_restarts_and_stops(void **state)
{
	int s;

	(void)state;
	services_need(&engine);
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "max", "--count", "500");
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "n=500 ", 1);
	DOCKER("restart", "-t", "2", service.container);
	world_wait(&w, LOG_LINE, "n=500 ", 2);
	DOCKER("kill", service.container);
	world_wait(&w, LOG_NOTE, "web stopped, exit 137", 1);
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	DOCKER("start", service.container);
	world_wait(&w, LOG_NOTE, "web up again", 1);
	world_wait(&w, LOG_LINE, "n=500 ", 3);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	world_expect_numbered(&w, s, 500, 3);
	world_expect_no_gap(&w);
}

static void follow__is_ended_again__when_the_engine_is_back(void **state)
{
	int s;

	(void)state;
	services_need(&engine);
	service.socket = door.socket;
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "max", "--count", "50",
	    "--exit");
	DOCKER("wait", service.container);
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	free(services_tell("proxy", "door", "refuse", NULL));
	free(services_tell("proxy", "door", "cut", NULL));
	world_wait_state(&w, s, LOG_SOURCE_DOWN);
	free(services_tell("proxy", "door", "normal", NULL));
	world_wait_state(&w, s, LOG_SOURCE_ENDED);
	assert_int_equal(world_count(&w, LOG_NOTE, ", 0 lines lost"), 1);
	world_expect_numbered(&w, s, 50, 1);
	world_expect_no_gap(&w);
}

static void follow__goes_on_in_the_new_container__when_it_is_replaced(void **state)
{
	int s;

	(void)state;
	services_need(&engine);
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "max", "--count", "500");
	s = world_follow(&w, &world_local, &service,
			 (struct follow_spec){ .follow = true, .tail = 1000 });
	world_wait(&w, LOG_LINE, "n=500 ", 1);
	DOCKER("rm", "-f", service.container);
	RUN("shop/web:2", "/shopd", "--shape", "numbered", "--rate", "max", "--count", "500");
	world_wait(&w, LOG_NOTE, "web replaced by", 1);
	assert_int_equal(world_count(&w, LOG_NOTE, "image shop/web:2"), 1);
	world_wait(&w, LOG_LINE, "n=500 ", 2);
	world_expect_numbered(&w, s, 500, 2);
	world_expect_no_gap(&w);
}

static void follow__is_down_and_the_others_go_on__when_it_is_removed(void **state)
{
	struct runtime_service other = service;
	struct log_source about;
	int s, o;

	(void)state;
	services_need(&engine);
	other.container = "other";
	RUN("shop/web:1", "/shopd", "--rate", "10");
	DOCKER("run", "-d", "--name", "other", "shop/web:1", "/shopd", "--rate", "50", "--shape",
	       "numbered");
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	o = world_follow(&w, &world_local, &other, (struct follow_spec){ .follow = true });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	world_wait_state(&w, o, LOG_SOURCE_LIVE);
	DOCKER("rm", "-f", service.container);
	world_wait_state(&w, s, LOG_SOURCE_DOWN);
	world_wait(&w, LOG_NOTE, "web removed", 1);
	world_source(&w, s, &about);
	assert_int_equal(about.err.code, ERR_NOT_FOUND);
	world_wait(&w, LOG_LINE, " hash=", world_count(&w, LOG_LINE, " hash=") + 100);
	DOCKER("rm", "-f", "other");
}

static void follow__goes_on__when_the_engine_itself_was_killed(void **state)
{
	int s;

	(void)state;
	services_need(&engine);
	RUN("--restart", "always", "shop/web:1", "/shopd", "--shape", "numbered", "--rate", "max",
	    "--count", "300");
	s = world_follow(&w, &world_local, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "n=300 ", 1);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	free(services_tell("crash", engine.name, NULL));
	world_wait_state(&w, s, LOG_SOURCE_DOWN);
	free(services_tell("start", "docker", engine.name, NULL));
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	world_wait(&w, LOG_LINE, "n=300 ", 2);
	world_expect_numbered(&w, s, 300, 2);
}

/* --- Over ssh ----------------------------------------------------------------------------------- */

static void over_ssh(enum host_transport transport)
{
	struct host_spec on = { .name = "jammed",
				.transport = transport,
				.connect_timeout_ms = 20000,
				.alive_ms = 2000 };
	struct log_source about;
	int s;

	services_need(&engine);
	services_need(&sshd);
	RUN("shop/web:1", "/shopd", "--shape", "numbered", "--rate", "2000", "--count", "12000");
	s = world_follow(&w, &on, &service, (struct follow_spec){ .follow = true });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	for (size_t i = 1; i <= 2; i++) {
		world_pause(200);
		free(services_tell("proxy", "jammed", "cut", NULL));
		world_wait(&w, LOG_NOTE, "resumed after", i);
	}
	world_wait(&w, LOG_LINE, "n=12000 ", 1);
	world_expect_numbered(&w, s, 12000, 1);
	assert_int_equal(world_count(&w, LOG_NOTE, ", 0 lines lost"),
			 world_count(&w, LOG_NOTE, "resumed after"));
	world_source(&w, s, &about);
	assert_true(about.skew_known);
	assert_int_equal(about.lost, 0);
}

static void follow__goes_on_exactly_there__when_ssh_is_cut_off(void **state)
{
	(void)state;
	over_ssh(HOST_LIBSSH2);
}

static void follow__goes_on_exactly_there__when_the_ssh_program_is_cut_off(void **state)
{
	(void)state;
	over_ssh(HOST_OPENSSH);
}

static void follow__goes_on_exactly_there__with_a_file_over_ssh(void **state)
{
	struct host_spec on = { .name = "jammed",
				.transport = HOST_LIBSSH2,
				.connect_timeout_ms = 20000,
				.alive_ms = 2000 };
	char *dir = tmp_make(), *path = tmp_path(dir, "app.log"), name[32];
	struct runtime_service file = {
		.name = "app", .kind = RUNTIME_PROCESS, .pid_file = "/nonexistent", .log_file = path
	};
	long written = 0;
	int s;

	(void)state;
	services_need(&sshd);
	tmp_write(dir, "app.log", "");
	s = world_follow(&w, &on, &file, (struct follow_spec){ .follow = true });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	for (size_t i = 0; i < 3; i++) {
		FILE *f = fopen(path, "a");

		assert_non_null(f);
		for (int k = 0; k < 2000; k++)
			fprintf(f, "line %ld\n", ++written);
		assert_int_equal(fclose(f), 0);
		if (i == 2)
			break;
		free(services_tell("proxy", "jammed", "cut", NULL));
		world_wait(&w, LOG_NOTE, "resumed after", i + 1);
	}
	snprintf(name, sizeof(name), "line %ld", written);
	world_wait(&w, LOG_LINE, name, 1);
	world_expect(&w, s, "line", 1, written);
	world_stop(&w, s);
	free(path);
	tmp_remove(dir);
}

/* Lets the pause of the follower's next tries grow to its end, and returns just when one has begun. */
static void wait_long_pause(struct host *h)
{
	struct host_status st;
	int64_t was = 0, before = 0;

	/* Each try that fails sets the state anew. */
	do {
		world_pause(10);
		host_status(h, &st);
		if (st.state != HOST_DOWN || st.since_utc_ms == was)
			continue;
		before = was;
		was = st.since_utc_ms;
	} while (before == 0 || was - before < 4000);
}

static void follow__goes_on_at_once__when_somebody_finds_the_host_back(void **state)
{
	static const char *const nothing[] = { "true", NULL };
	const struct host_command cmd = { .argv = nothing };
	struct host_spec on = { .name = "jammed",
				.transport = HOST_LIBSSH2,
				.connect_timeout_ms = 20000,
				.alive_ms = 20000 };
	char *dir = tmp_make(), *path = tmp_path(dir, "app.log");
	struct runtime_service file = {
		.name = "app", .kind = RUNTIME_PROCESS, .pid_file = "/nonexistent", .log_file = path
	};
	struct host *h;
	struct err e;
	int64_t back_ms;
	int s;

	(void)state;
	services_need(&sshd);
	tmp_write(dir, "app.log", "line 1\n");
	s = world_follow(&w, &on, &file, (struct follow_spec){ .follow = true });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	h = hosts_get(w.hosts, &on);
	free(services_tell("down", sshd.name, NULL));
	wait_long_pause(h);
	free(services_tell("start", "ssh", sshd.name, NULL));
	back_ms = clock_mono_ms();
	assert_int_equal(host_run(h, &cmd, NULL, NULL, NULL, back_ms + 60000, NULL, &e), 0);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	assert_true(clock_mono_ms() - back_ms < 2000);
	world_stop(&w, s);
	free(path);
	tmp_remove(dir);
}

/* While it owes an answer its log is not called live, and the same stream goes on behind that. */
static void follow__is_down__while_the_host_is_frozen(void **state)
{
	static const char *const nothing[] = { "true", NULL };
	const struct host_command cmd = { .argv = nothing };
	struct host_spec on = { .name = "jammed",
				.transport = HOST_LIBSSH2,
				.connect_timeout_ms = 20000,
				.alive_ms = 60000 };
	char *dir = tmp_make(), *path = tmp_path(dir, "app.log");
	struct runtime_service file = {
		.name = "app", .kind = RUNTIME_PROCESS, .pid_file = "/nonexistent", .log_file = path
	};
	struct log_source about;
	struct err e;
	int s;

	(void)state;
	services_need(&sshd);
	tmp_write(dir, "app.log", "line 1\n");
	s = world_follow(&w, &on, &file, (struct follow_spec){ .follow = true });
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	free(services_tell("freeze", sshd.name, NULL));
	assert_int_equal(host_run(hosts_get(w.hosts, &on), &cmd, NULL, NULL, NULL,
				  clock_mono_ms() + 100, NULL, &e),
			 -1);
	world_wait_state(&w, s, LOG_SOURCE_DOWN);
	world_source(&w, s, &about);
	assert_int_equal(about.err.code, ERR_TIMEOUT);
	free(services_tell("thaw", sshd.name, NULL));
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	world_expect(&w, s, "line", 1, 1);
	assert_int_equal(world_count(&w, LOG_NOTE, ""), 0);
	world_stop(&w, s);
	free(path);
	tmp_remove(dir);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(follow__gives_what_there_is_and_what_comes__of_a_container),
		CASE(follow__gives_the_last_lines_and_a_gap__with_tail),
		cmocka_unit_test_setup_teardown(follow__fetches_what_is_older__of_a_container,
						setup_stored, teardown),
		CASE(follow__goes_on_exactly_there__when_the_engine_is_cut_off),
		CASE(follow__goes_on__when_the_container_restarts_and_stops),
		CASE(follow__is_ended_again__when_the_engine_is_back),
		CASE(follow__goes_on_in_the_new_container__when_it_is_replaced),
		CASE(follow__is_down_and_the_others_go_on__when_it_is_removed),
		CASE(follow__goes_on_exactly_there__when_ssh_is_cut_off),
		CASE(follow__goes_on_exactly_there__when_the_ssh_program_is_cut_off),
		CASE(follow__goes_on_exactly_there__with_a_file_over_ssh),
		CASE(follow__goes_on_at_once__when_somebody_finds_the_host_back),
		CASE(follow__is_down__while_the_host_is_frozen),
		CASE(follow__goes_on__when_the_engine_itself_was_killed),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
