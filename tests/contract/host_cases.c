/* SPDX-License-Identifier: MIT */
#include "tests/contract/host_cases.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/host/host.h"
#include "tests/support/tmp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 60000

static struct err e;
static struct hosts *pool;
static struct host *host;
static char *dir;

static int64_t soon(void)
{
	return clock_mono_ms() + LONG_MS;
}

static const char *said(void)
{
	static char text[2000];

	snprintf(text, sizeof(text), "%s: %s (%s)", e.msg, e.detail, e.hint);
	return text;
}

/* The command has to run; its output is in out and err. */
static void must_run(const struct host_command *cmd, struct strbuf *out, struct strbuf *err,
		     struct host_result *r)
{
	if (host_run(host, cmd, out, err, r, soon(), NULL, &e))
		fail_msg("%s", said());
}

static void host_run__gives_both_streams_and_the_status(void **state)
{
	const char *const words[] = { "a b", "", "it's", NULL };
	const struct host_command cmd = {
		.script = "for w in \"$@\"; do echo \"<$w>\"; done; echo two >&2; exit 3",
		.argv = words,
	};
	struct host_result r;
	struct strbuf out, err;

	(void)state;
	strbuf_init(&out, 1000);
	strbuf_init(&err, 1000);
	must_run(&cmd, &out, &err, &r);
	assert_string_equal(strbuf_str(&out), "<a b>\n<>\n<it's>\n");
	assert_string_equal(strbuf_str(&err), "two\n");
	assert_int_equal(r.status, 3);
	assert_string_equal(r.signal, "");
	strbuf_clear(&out);
	strbuf_clear(&err);
}

static int setup(void **state)
{
	static const struct host_context ctx = { .home = "/", .login = "root" };
	const struct host_spec spec = { .name = "local", .transport = HOST_LOCAL };

	(void)state;
	dir = tmp_make();
	pool = hosts_new(&ctx);
	host = hosts_get(pool, &spec);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hosts_free(pool);
	tmp_remove(dir);
	return 0;
}

int host_cases_run(enum host_cases_set set)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(host_run__gives_both_streams_and_the_status),
	};

	(void)set;
	return cmocka_run_group_tests(cases, setup, teardown);
}
