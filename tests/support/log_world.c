/* SPDX-License-Identifier: MIT */
#include "tests/support/log_world.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"

#define STORE_BYTES ((size_t)64 << 20)
#define SETTLE_MS 60000
#define NS_PER_MS 1000000

void log_world_init(struct log_world *l, struct model_world *m)
{
	static const struct {
		const char *service, *host;
	} sources[LOG_WORLD_SOURCES] = { { "web", "prod-1" },
					 { "web", "prod-2" },
					 { "worker", "prod-1" } };

	l->store = log_store_new(STORE_BYTES);
	l->query = log_query_new(l->store, NULL, NULL);
	for (int i = 0; i < LOG_WORLD_SOURCES; i++) {
		struct log_source about = { .is_protected = true };

		snprintf(about.environment, sizeof(about.environment), "production");
		snprintf(about.service, sizeof(about.service), "%s", sources[i].service);
		snprintf(about.host, sizeof(about.host), "%s", sources[i].host);
		assert_int_equal(log_store_source(l->store, &about), i);
		log_store_source_state(l->store, i, LOG_SOURCE_LIVE, NULL);
		log_store_source_skew(l->store, i, i == LOG_WEB_2 ? -2600 : 40);
	}
	m->t.model.log_store = l->store;
	m->t.model.log_query = l->query;
}

void log_world_clear(struct log_world *l)
{
	log_query_free(l->query);
	log_store_free(l->store);
}

void log_world_text(struct log_world *l, int source, int64_t ms_ago, struct sv text)
{
	struct log_record r;
	struct log_line line = { .utc_ns = (MODEL_WORLD_NOW - ms_ago) * NS_PER_MS,
				 .source = (uint16_t)source,
				 .text = text };

	log_record_read(text, -1, &r);
	line.level = (uint8_t)r.level;
	line.shape = (uint8_t)r.shape;
	line.continues = r.continues;
	line.template = r.template;
	(void)log_store_add(l->store, &line, 1);
}

void log_world_line(struct log_world *l, int source, int64_t ms_ago, const char *text)
{
	log_world_text(l, source, ms_ago, sv_of(text));
}

void log_world_row(struct log_world *l, int source, int64_t ms_ago, enum log_kind kind,
		   const char *text)
{
	struct log_line line = { .utc_ns = (MODEL_WORLD_NOW - ms_ago) * NS_PER_MS,
				 .source = (uint16_t)source,
				 .kind = (uint8_t)kind,
				 .text = sv_of(text) };

	(void)log_store_add(l->store, &line, 1);
}

/* Requests every two seconds from a half hour ago on; one in sixty warns. */
static void quiet(struct log_world *l)
{
	char text[128];

	for (int i = 0; i < 850; i++) {
		snprintf(text, sizeof(text),
			 i % 60 == 7 ? "WARN slow query %d ms" : "INFO GET /api/orders/%d 200",
			 900 + i);
		log_world_line(l, i % 2, 1800000 - 2000 * i, text);
	}
}

void log_world_incident(struct log_world *l)
{
	static const char timeout[] =
		"ERROR upstream timeout after 5000 ms: orders-db pool exhausted (40/40)";
	char text[160];

	quiet(l);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "%s trace=%04x", timeout, 0x51aa + i);
		log_world_line(l, LOG_WEB_1, 98000 - 200 * i, text);
	}
	log_world_line(l, LOG_WEB_1, 89114, "2026-11-21T14:06:02.886Z INFO GET /healthz 200 1ms");
	log_world_line(l, LOG_WORKER, 88872, "WARN queue depth 18211 over 5000");
	snprintf(text, sizeof(text), "%s trace=51aa", timeout);
	log_world_line(l, LOG_WEB_2, 88003, text);
	for (int i = 0; i < 11; i++) {
		snprintf(text, sizeof(text), "    at Pool.acquire (pool.js:%d)", 88 + i);
		log_world_line(l, LOG_WEB_2, 88003, text);
	}
	log_world_line(l, LOG_WORKER, 87020, "FATAL out of memory, killed (exit 137)");
	log_world_row(l, LOG_WORKER, 87000, LOG_NOTE, "ended, status 137; up again, 0 lines lost");
	log_world_row(l, LOG_WEB_2, 86000, LOG_GAP, LOG_GAP_OLDER);
	log_world_line(l, LOG_WORKER, 80310, "INFO worker boot 2.13.4 pid 1");
	log_world_line(
		l, LOG_WORKER, 75555,
		"{\"level\":\"error\",\"msg\":\"job failed\",\"job\":\"invoice\",\"err\":\"pool "
		"exhausted\",\"attempt\":3}");
	log_world_line(l, LOG_WEB_1, 74101,
		       "level=warn msg=\"slow query\" ms=4811 sql=\"SELECT 1 FROM orders\"");
	log_world_line(l, LOG_WEB_2, 70000, "plain words of a program that knows no levels");
	log_world_line(l, LOG_WEB_2, 60000, "DEBUG cache miss key=orders:1");
}

void log_world_settle(struct log_world *l)
{
	int64_t end = clock_mono_ms() + SETTLE_MS;
	struct log_totals totals;

	/* poll with no descriptor: the query has none to wait for here, and says when it is done. */
	for (;;) {
		log_query_totals(l->query, &totals);
		if (totals.complete)
			return;
		if (clock_mono_ms() > end)
			fail_msg("the query is not complete after %d s", SETTLE_MS / 1000);
		(void)poll(NULL, 0, 2);
	}
}
