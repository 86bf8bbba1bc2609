/* SPDX-License-Identifier: MIT */
/*
 * Following the journal of a unit of a real systemd, over an sshd on its machine: cut off, and vacuumed meanwhile. The
 * unit copies the lines of a file to the journal.
 *
 * needs: servers
 * time-limit: 120
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

#define LONG_MS 60000

static const struct host_spec through = {
	.name = "jammed", .transport = HOST_LIBSSH2, .connect_timeout_ms = 20000, .alive_ms = 20000
};
static const struct runtime_service service = { .name = "app",
						.kind = RUNTIME_SYSTEMD,
						.unit = "app.service" };
static struct server sys, jammed;
static struct world w;

static int setup_group(void **state)
{
	(void)state;
	if (services_have("systemd") &&
	    services_start_as(SERVICE_SSH, "sys", "--systemd", &sys) == 0) {
		free(services_tell("proxy", "jammed", sys.name, NULL));
		services_env("jammed", &jammed);
	}
	return 0;
}

static int teardown_group(void **state)
{
	(void)state;
	services_clear(&jammed);
	services_stop(&sys);
	return 0;
}

/* Runs script on the machine, by a way that nothing stands in. Its exit status. */
static int on_machine(const char *script, ...) PRINTF_LIKE(1, 2);
static int on_machine(const char *script, ...)
{
	const struct host_spec spec = { .name = sys.name,
					.transport = HOST_LIBSSH2,
					.connect_timeout_ms = 20000,
					.alive_ms = 20000 };
	const char *argv[] = { "sh", "-c", NULL, NULL };
	const struct host_command cmd = { .argv = argv };
	struct host_result r = { 0 };
	struct strbuf text;
	struct err e;
	va_list ap;

	strbuf_init(&text, 4096);
	va_start(ap, script);
	strbuf_addv(&text, script, ap);
	va_end(ap);
	argv[2] = strbuf_str(&text);
	if (host_run(hosts_get(w.hosts, &spec), &cmd, NULL, NULL, &r, clock_mono_ms() + LONG_MS,
		     NULL, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	strbuf_clear(&text);
	return r.status;
}

static int setup(void **state)
{
	(void)state;
	services_need(&sys);
	world_open(&w, jammed.config_all, false);
	assert_int_equal(on_machine(
				 "systemctl stop app 2>/dev/null; : >/run/app\n"
				 "printf '%%s\\n' '[Unit]' DefaultDependencies=no '[Service]' \\\n"
				 "'ExecStart=tail -n +1 -F /run/app' LogRateLimitIntervalSec=0 \\\n"
				 ">/run/systemd/system/app.service\n"
				 "journalctl -q --rotate --vacuum-size=1 2>/dev/null\n"
				 "systemctl daemon-reload && systemctl start app"),
			 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static void add(int from, int to)
{
	assert_int_equal(on_machine("seq -f 'line %%g' %d %d >>/run/app", from, to), 0);
}

/* Waits until the journal has that line. */
static void wait_journal(int line)
{
	int64_t until_ms = clock_mono_ms() + LONG_MS;

	while (on_machine("journalctl -q -u app -o cat | grep -qx 'line %d'", line) != 0)
		assert_true(clock_mono_ms() < until_ms);
}

static void follow__goes_on_exactly_there__with_a_journal(void **state)
{
	int s;

	(void)state;
	add(1, 1000);
	s = world_follow(&w, &through, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "line 1000", 1);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	for (int i = 1; i <= 3; i++) {
		free(services_tell("proxy", "jammed", "cut", NULL));
		add(1000 * i + 1, 1000 * i + 1000);
		world_wait(&w, LOG_NOTE, ", 0 lines lost", (size_t)i);
	}
	assert_int_equal(on_machine("systemctl restart app"), 0);
	world_wait(&w, LOG_LINE, "line 4000", 2); /* tail begins anew */
	world_expect_no_gap(&w);
	assert_int_equal(world_count(&w, LOG_LINE, "line "), 8000);
}

static void follow__says_that_lines_are_lost__when_the_journal_was_vacuumed(void **state)
{
	struct log_source about;
	int s;

	(void)state;
	add(1, 100);
	s = world_follow(&w, &through, &service, (struct follow_spec){ .follow = true });
	world_wait(&w, LOG_LINE, "line 100", 1);
	world_wait_state(&w, s, LOG_SOURCE_LIVE);
	free(services_tell("proxy", "jammed", "refuse", NULL));
	free(services_tell("proxy", "jammed", "cut", NULL));
	world_wait_state(&w, s, LOG_SOURCE_DOWN);
	add(101, 200);
	wait_journal(200);
	assert_int_equal(on_machine("journalctl -q --rotate --vacuum-size=1 2>/dev/null"), 0);
	assert_int_not_equal(on_machine("journalctl -q -u app -o cat | grep -x 'line 100'"), 0);
	add(201, 300);
	wait_journal(300);
	free(services_tell("proxy", "jammed", "normal", NULL));
	world_wait(&w, LOG_LINE, "line 300", 1);
	assert_int_equal(world_count(&w, LOG_LINE, "line "), 200);
	world_wait(&w, LOG_NOTE, "some lines lost", 1);
	assert_int_equal(world_count(&w, LOG_GAP, "lines are lost here"), 1);
	world_source(&w, s, &about);
	assert_true(about.lost_some);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(follow__goes_on_exactly_there__with_a_journal),
		CASE(follow__says_that_lines_are_lost__when_the_journal_was_vacuumed),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
