/* SPDX-License-Identifier: MIT */
/*
 * The libssh2 transport while connections break, freeze, come back or are closed, against an sshd.
 * needs: servers
 * time-limit: 240
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/contract/ssh_world.h"
#include "tests/support/tmp.h"

static struct ssh_world w;
static struct err e;

static int setup(void **state)
{
	(void)state;
	ssh_world_open(&w, "plain", "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (w.pool != NULL)
		ssh_world_close(&w);
	return 0;
}

static void must(int rc)
{
	if (rc != 0)
		fail_msg("%s", ssh_world_said(&e));
}

static void follow_start(struct host_proc **p)
{
	const struct host_command cmd = { .script = "echo x; sleep 100" };
	char block[HOST_READ_MIN];
	size_t got = 0;

	must(host_start(w.host, &cmd, ssh_world_soon(), NULL, p, &e));
	while (got == 0) {
		struct pollfd fd = { .fd = host_proc_fd(*p, HOST_OUT), .events = POLLIN };

		assert_int_equal(wait_fds(&fd, 1, ssh_world_soon(), NULL, &e), 1);
		must(host_proc_read(*p, HOST_OUT, block, sizeof(block), &got, &e));
	}
}

static void must_be_lost(struct host_proc *p)
{
	struct host_result r = { .status = 99 };
	char block[HOST_READ_MIN];
	size_t got;

	while (host_proc_fd(p, HOST_OUT) >= 0) {
		struct pollfd fd = { .fd = host_proc_fd(p, HOST_OUT), .events = POLLIN };

		assert_int_equal(wait_fds(&fd, 1, ssh_world_soon(), NULL, &e), 1);
		must(host_proc_read(p, HOST_OUT, block, sizeof(block), &got, &e));
		assert_int_equal(got, 0);
	}
	assert_int_equal(host_proc_finish(p, ssh_world_soon(), NULL, &r, &e), -1);
	assert_int_equal(e.code, ERR_LOST);
	assert_int_equal(r.status, 99);
	host_proc_close(p);
}

static void proxy_open(const char *name)
{
	struct server before = w.server;

	free(services_tell("proxy", name, before.name, NULL));
	services_env(name, &w.server);
	services_clear(&before);
	w.spec.name = w.server.name;
	ssh_world_again(&w);
}

/* How often each kind of news was told. */
static atomic_int told[3];

static void on_news(void *arg, const struct host *h, enum host_news news,
		    const struct host_status *now)
{
	(void)arg;
	assert_string_equal(host_name(h), w.server.name);
	assert_int_equal(now->silent_utc_ms != 0, news == HOST_NEWS_SILENT);
	assert_int_equal(now->state == HOST_DOWN, news == HOST_NEWS_LOST);
	atomic_fetch_add(&told[news], 1);
}

static void watch_begin(struct host_watch *watch)
{
	for (size_t i = 0; i < 3; i++)
		atomic_store(&told[i], 0);
	*watch = (struct host_watch){ .fn = on_news };
	host_watch(w.host, watch);
}

static void must_be_told(enum host_news news)
{
	int64_t until_ms = ssh_world_soon();

	while (atomic_load(&told[news]) == 0) {
		assert_true(clock_mono_ms() < until_ms);
		assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + 20, NULL, &e), 0);
	}
}

static void cut__is_lost__and_the_next_request_works(void **state)
{
	struct host_watch watch;
	struct host_proc *p;
	struct host_status st;

	(void)state;
	proxy_open("cutter");
	watch_begin(&watch);
	follow_start(&p);
	free(services_tell("proxy", "cutter", "cut", NULL));
	must_be_lost(p);
	must_be_told(HOST_NEWS_LOST);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_DOWN);
	assert_int_equal(ssh_world_run(&w, "exit 6", NULL), 6);
	must_be_told(HOST_NEWS_BACK);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_READY);
	host_unwatch(w.host, &watch);
	assert_int_equal(atomic_load(&told[HOST_NEWS_SILENT]), 0);
}

/* It would be dead after a minute; a follower that waits for lines owes nothing before. */
static void frozen_host__is_told__long_before_it_is_dead(void **state)
{
	const struct host_command cmd = { .script = ":" };
	struct host_watch watch;
	struct host_status st;
	struct host_proc *p;
	int64_t asked_ms;

	(void)state;
	watch_begin(&watch);
	follow_start(&p);
	free(services_tell("freeze", w.server.name, NULL));
	asked_ms = clock_mono_ms();
	assert_int_equal(host_run(w.host, &cmd, NULL, NULL, NULL, asked_ms + 200, NULL, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	must_be_told(HOST_NEWS_SILENT);
	assert_true(clock_mono_ms() - asked_ms < w.spec.alive_ms / 2);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_READY);
	assert_true(st.silent_utc_ms > 0 && st.silent_utc_ms <= clock_utc_ms());
	host_silent_err(w.host, &st, &e);
	assert_non_null(strstr(e.msg, "does not answer"));
	free(services_tell("thaw", w.server.name, NULL));
	must_be_told(HOST_NEWS_BACK);
	assert_int_equal(ssh_world_run(&w, "exit 6", NULL), 6);
	host_unwatch(w.host, &watch);
	assert_int_equal(atomic_load(&told[HOST_NEWS_LOST]), 0);
	host_proc_close(p);
}

static void silence__is_noticed(void **state)
{
	struct host_proc *p;
	struct host_status st;
	int64_t start_ms;

	(void)state;
	w.spec.alive_ms = 2000;
	proxy_open("hole");
	follow_start(&p);
	start_ms = clock_mono_ms();
	free(services_tell("proxy", "hole", "blackhole", NULL));
	must_be_lost(p);
	assert_true(clock_mono_ms() - start_ms >= 4000);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_DOWN);
	/* A new connection ends with its own time. */
	w.spec.connect_timeout_ms = 700;
	ssh_world_again(&w);
	ssh_world_refused(&w, &e, ERR_TIMEOUT);
	free(services_tell("proxy", "hole", "normal", NULL));
	assert_int_equal(ssh_world_run_soon(&w, "exit 6"), 6);
}

/* Idle, and with a channel that says nothing; both for longer than four signs of life, of which three may be missed. */
static void quiet_connection__stays__as_long_as_it_answers(void **state)
{
	struct host_proc *p;
	struct pollfd none = { .fd = -1 };
	struct host_status idle, busy;
	struct hosts *pool;
	struct host *other;

	(void)state;
	w.spec.alive_ms = 1000;
	ssh_world_again(&w);
	follow_start(&p);
	host_status(w.host, &busy);
	pool = w.pool;
	other = w.host;
	w.pool = NULL;
	ssh_world_again(&w);
	assert_int_equal(ssh_world_run(&w, "exit 1", NULL), 1);
	host_status(w.host, &idle);
	assert_int_equal(wait_fds(&none, 1, clock_mono_ms() + 5500, NULL, &e), 0);
	ssh_world_stayed(w.host, &idle);
	ssh_world_stayed(other, &busy);
	assert_int_equal(ssh_world_run(&w, "exit 1", NULL), 1);
	host_proc_close(p);
	hosts_free(pool);
}

static void restarted_server__is_connected_to_again(void **state)
{
	struct host_proc *p;

	(void)state;
	follow_start(&p);
	free(services_tell("crash", w.server.name, NULL));
	must_be_lost(p);
	ssh_world_refused(&w, &e, ERR_NOT_FOUND);
	services_clear(&w.server);
	(void)services_start_as(SERVICE_SSH, "plain", "", &w.server);
	assert_int_equal(ssh_world_run(&w, "exit 8", NULL), 8);
}

static void close__does_not_wait__for_a_server_that_is_silent(void **state)
{
	struct host_proc *p;
	int64_t start_ms;

	(void)state;
	proxy_open("deaf");
	follow_start(&p);
	free(services_tell("proxy", "deaf", "blackhole", NULL));
	host_proc_close(p);
	start_ms = clock_mono_ms();
	ssh_world_again(&w);
	assert_true(clock_mono_ms() - start_ms < 15000); /* alive_ms is more */
}

/* Several connect through one host, which is closed before them: they are told, and look at it until they have ended. */
static void close__of_the_way__ends_those_behind_it(void **state)
{
	const struct host_command cmd = { .script = ":" };
	struct host_spec spec;
	struct host_proc *p;
	struct strbuf text;
	char name[16];

	(void)state;
	proxy_open("hole");
	free(services_tell("proxy", "hole", "blackhole", NULL));
	strbuf_init(&text, 8192);
	strbuf_addf(&text, "Host behind*\nHostName 127.0.0.1\nProxyJump hole\nHost *\nInclude %s\n",
		    w.server.config);
	tmp_write(w.dir, "config", strbuf_str(&text));
	strbuf_clear(&text);
	w.config = tmp_path(w.dir, "config");
	ssh_world_again(&w);
	spec = w.spec;
	spec.name = name;
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "behind%d", i);
		assert_int_equal(host_start(hosts_get(w.pool, &spec), &cmd,
					    clock_mono_ms() + (i == 7 ? 500 : 1), NULL, &p, &e),
				 -1);
		assert_int_equal(e.code, ERR_TIMEOUT);
	}
	ssh_world_again(&w);
}

static void cancel__ends_a_start__that_waits(void **state)
{
	const struct host_command cmd = { .script = ":" };
	struct host_proc *p;
	struct cancel c;

	(void)state;
	proxy_open("mute");
	free(services_tell("proxy", "mute", "blackhole", NULL));
	must(cancel_init(&c, &e));
	assert_int_equal(host_start(w.host, &cmd, clock_mono_ms() + 300, &c, &p, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	cancel_fire(&c);
	assert_int_equal(host_start(w.host, &cmd, ssh_world_soon(), &c, &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	cancel_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		CASE(cut__is_lost__and_the_next_request_works),
		CASE(frozen_host__is_told__long_before_it_is_dead),
		CASE(silence__is_noticed),
		CASE(quiet_connection__stays__as_long_as_it_answers),
		CASE(restarted_server__is_connected_to_again),
		CASE(close__does_not_wait__for_a_server_that_is_silent),
		CASE(close__of_the_way__ends_those_behind_it),
		CASE(cancel__ends_a_start__that_waits),
#undef CASE
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
