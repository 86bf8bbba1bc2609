/* SPDX-License-Identifier: MIT */
/* What a look at services means, without any host. */
#include "core/release/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"

#define NOW INT64_C(1795863242000)

static struct service web = { .runtime = { .name = "web", .kind = RUNTIME_DOCKER } };
static struct service other = { .runtime = { .name = "worker", .kind = RUNTIME_PROCESS } };

static struct service_unit up(size_t host)
{
	return (struct service_unit){
		.service = &web,
		.host = host,
		.at_utc_ms = NOW,
		.restarts_before = -1,
		.unit = { .state = UNIT_RUNNING,
			  .id = "abc",
			  .image = "shop:1",
			  .image_id = "sha256:01",
			  .digest = "sha256:aa",
			  .created_utc_ms = NOW - 540000,
			  .started_utc_ms = NOW - 60000 },
	};
}

static const char *words_of(const struct service_unit *u)
{
	static struct strbuf text;

	strbuf_clear(&text);
	strbuf_init(&text, 4096);
	service_words(u, NOW, &text);
	return strbuf_str(&text);
}

static void words__say__what_an_operator_asks(void **state)
{
	struct service_unit u = up(0);

	(void)state;
	assert_string_equal(words_of(&u), "running");
	assert_true(service_unit_ok(&u));
	u.unit.health = HEALTH_UNHEALTHY;
	str_copy(u.unit.words, sizeof(u.unit.words), "no\x1b[1m answer");
	assert_string_equal(words_of(&u), "running, unhealthy: no\\x1b[1m answer");
	assert_false(service_unit_ok(&u));
	u = up(0);
	u.unit.restarts = 6;
	assert_string_equal(words_of(&u), "running, 6 restarts in 9m 00s");
	assert_true(service_unit_ok(&u));
	u.loops = true;
	assert_string_equal(words_of(&u), "restarts again and again, 6 restarts in 9m 00s");
	assert_false(service_unit_ok(&u));
	u.unit.state = UNIT_FAILED;
	u.unit.exit_code = 137;
	u.unit.oom = true;
	assert_string_equal(words_of(&u), "exited 137, out of memory, 6 restarts in 9m 00s");
	u = up(0);
	u.unit.state = UNIT_RESTARTING;
	u.unit.exit_code = 4;
	u.unit.restarts = 1;
	u.unit.created_utc_ms = 0;
	assert_string_equal(words_of(&u), "restarting, exited 4, 1 restart");
	u.unit.state = UNIT_FAILED;
	u.unit.exit_code = -1;
	u.unit.restarts = -1;
	str_copy(u.unit.words, sizeof(u.unit.words), "pid 7 of the pid file is gone");
	assert_string_equal(words_of(&u), "failed: pid 7 of the pid file is gone");
	u = up(0);
	u.unit.state = UNIT_STOPPED;
	u.unit.exit_code = 143;
	assert_string_equal(words_of(&u), "stopped, exited 143");
	u.unit.state = UNIT_ABSENT;
	assert_string_equal(words_of(&u), "absent");
	err_set(&u.err, ERR_REFUSED, "cannot reach docker");
	err_detail(&u.err, "deploy may not use it");
	assert_string_equal(words_of(&u), "cannot reach docker: deploy may not use it");
	assert_false(service_unit_ok(&u));
}

static void summaries__show__the_worst_and_what_differs(void **state)
{
	struct service_unit unit[4] = { up(0), up(1), up(2), up(0) };
	struct services s = { .unit = unit, .n_unit = 4 };
	struct service_summary sum;

	(void)state;
	unit[3].service = &other;
	unit[3].unit.state = UNIT_FAILED;
	service_summarise(&s, &web, &sum);
	assert_int_equal(sum.wanted, 3);
	assert_int_equal(sum.up, 3);
	assert_false(sum.differs);
	assert_int_equal(sum.restarts, 0);
	assert_ptr_equal(sum.worst, &unit[0]);

	unit[1].unit.started_utc_ms = NOW - 5000;
	unit[1].unit.restarts = 3;
	unit[1].loops = true;
	unit[2].unit.restarts = -1;
	str_copy(unit[2].unit.digest, sizeof(unit[2].unit.digest), "sha256:bb");
	service_summarise(&s, &web, &sum);
	assert_ptr_equal(sum.worst, &unit[1]);
	assert_int_equal(sum.up, 2); /* between two falls is not up */
	assert_int_equal(sum.restarts, 3);
	assert_true(sum.differs);
	assert_int_equal(sum.oldest_start_utc_ms, NOW - 60000);
	assert_int_equal(sum.newest_start_utc_ms, NOW - 5000);

	/* A digest that one host does not know is no difference as long as the image is the same. */
	unit[2].unit.digest[0] = '\0';
	service_summarise(&s, &web, &sum);
	assert_false(sum.differs);
	str_copy(unit[2].unit.image_id, sizeof(unit[2].unit.image_id), "sha256:02");
	service_summarise(&s, &web, &sum);
	assert_true(sum.differs);

	unit[0].unit.state = UNIT_FAILED;
	err_set(&unit[2].err, ERR_TIMEOUT, "no answer");
	service_summarise(&s, &web, &sum);
	assert_ptr_equal(sum.worst, &unit[0]);
	assert_int_equal(sum.up, 0);
	assert_false(sum.differs);
	s.n_unit = 0;
	service_summarise(&s, &web, &sum);
	assert_null(sum.worst);
	assert_int_equal(sum.restarts, -1);
}

/* A series of looks, ten seconds from each other: what the service was then. The look at which it loops first; -1. */
struct seen {
	enum runtime_state state;
	const char *id;
	int64_t up_ms; /* since its start */
	bool failed;   /* the look itself */
};

static int first_loop(const struct service *service, int64_t restarts, const struct seen *seen,
		      size_t n)
{
	struct service_host host = { .name = "app1" };
	struct service_unit unit[2];
	struct services look[2];

	for (size_t i = 0; i < n; i++) {
		struct service_unit *u = &unit[i % 2];

		*u = (struct service_unit){ .service = service,
					    .at_utc_ms = NOW + (int64_t)i * 10000 };
		u->unit.state = seen[i].state;
		u->unit.restarts = restarts;
		if (seen[i].failed) {
			err_set(&u->err, ERR_TIMEOUT, "no answer");
			u->unit.restarts = -1;
		}
		if (seen[i].state == UNIT_RUNNING) {
			str_copy(u->unit.id, sizeof(u->unit.id), seen[i].id);
			u->unit.started_utc_ms = u->at_utc_ms - seen[i].up_ms;
		}
		look[i % 2] =
			(struct services){ .unit = u, .n_unit = 1, .host = &host, .n_host = 1 };
		services_compare(&look[i % 2], i > 0 ? &look[(i - 1) % 2] : NULL);
		if (u->loops)
			return (int)i;
	}
	return -1;
}

static void loops__are_seen__whatever_starts_it_again(void **state)
{
	/* A process that is down whenever somebody looks a second time. */
	static const struct seen process[] = {
		{ UNIT_RUNNING, "1.1", 3000, false }, { UNIT_FAILED, "", 0, false },
		{ UNIT_RUNNING, "2.2", 3000, false }, { UNIT_FAILED, "", 0, false },
		{ UNIT_RUNNING, "3.3", 3000, false },
	};
	/* `docker run --rm` in a unit of systemd: always another container, never restarted. */
	static const struct seen container[] = {
		{ UNIT_RUNNING, "a", 3000, false }, { UNIT_ABSENT, "", 0, false },
		{ UNIT_RUNNING, "b", 3000, false }, { UNIT_UNKNOWN, "", 0, true },
		{ UNIT_RUNNING, "c", 3000, false }, { UNIT_RUNNING, "d", 3000, false },
	};
	/* Deployed twice, and then it stays. */
	static const struct seen deployed[] = {
		{ UNIT_RUNNING, "a", 900000, false }, { UNIT_RUNNING, "b", 3000, false },
		{ UNIT_RUNNING, "b", 13000, false },  { UNIT_RUNNING, "c", 3000, false },
		{ UNIT_RUNNING, "c", 130000, false }, { UNIT_RUNNING, "d", 3000, false },
	};

	(void)state;
	assert_int_equal(first_loop(&other, -1, process, 5), 4);
	assert_int_equal(first_loop(&web, 0, container, 6), 5);
	assert_int_equal(first_loop(&web, 0, deployed, 6), -1);
}

static void json__has__what_scripts_rely_on(void **state)
{
	struct service_unit unit[2] = { up(0), up(0) };
	struct service_host host = { .name = "app1" };
	struct services s = {
		.unit = unit, .n_unit = 2, .host = &host, .n_host = 1, .at_utc_ms = NOW
	};
	struct strbuf text;
	json_t *j;

	(void)state;
	err_set(&unit[1].err, ERR_TIMEOUT, "no answer in time");
	err_hint(&unit[1].err, "look there");
	memset(&unit[1].unit, 0, sizeof(unit[1].unit));
	strbuf_init(&text, STRBUF_NO_LIMIT);
	j = services_json(&s);
	json_write(&text, j);
	assert_string_equal(
		strbuf_str(&text),
		"[{\"name\":\"web\",\"host\":\"app1\",\"runtime\":\"docker\",\"state\":\"running\",\"ok\":true,"
		"\"words\":\"running\",\"id\":\"abc\",\"image\":\"shop:1\",\"image_id\":\"sha256:01\",\"digest\":\"sha256:aa\","
		"\"restarts\":0,\"loops\":false,\"since\":\"2026-11-28T10:53:02Z\",\"health\":null,"
		"\"exit_code\":null,\"out_of_memory\":false,\"error\":null,\"hint\":null},"
		"{\"name\":\"web\",\"host\":\"app1\",\"runtime\":\"docker\",\"state\":\"unknown\",\"ok\":false,"
		"\"words\":\"no answer in time\",\"id\":null,\"image\":null,\"image_id\":null,\"digest\":null,\"restarts\":null,"
		"\"loops\":false,\"since\":null,\"health\":null,\"exit_code\":null,\"out_of_memory\":false,"
		"\"error\":\"no answer in time\",\"hint\":\"look there\"}]");
	json_decref(j);
	strbuf_clear(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words__say__what_an_operator_asks),
		cmocka_unit_test(summaries__show__the_worst_and_what_differs),
		cmocka_unit_test(loops__are_seen__whatever_starts_it_again),
		cmocka_unit_test(json__has__what_scripts_rely_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
