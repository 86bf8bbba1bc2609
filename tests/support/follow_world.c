/* SPDX-License-Identifier: MIT */
#include "tests/support/follow_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/demo_log.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/logs/query.h"
#include "tests/support/tmp.h"

const struct host_spec world_local = {
	.name = "local", .transport = HOST_LOCAL, .connect_timeout_ms = 10000, .alive_ms = 5000
};

static void take(void *arg, const struct log_line *line, size_t n)
{
	struct world *w = arg;

	pthread_mutex_lock(&w->lock);
	mem_grow(&w->line, &w->cap, w->n + n, sizeof(*w->line));
	for (size_t i = 0; i < n; i++)
		w->line[w->n++] =
			(struct world_line){ .kind = (enum log_kind)line[i].kind,
					     .source = line[i].source,
					     .utc_ns = line[i].utc_ns,
					     .level = (enum log_level)line[i].level,
					     .continues = line[i].continues,
					     .late = line[i].late,
					     .text = mem_strndup(line[i].text.p, line[i].text.n) };
	pthread_mutex_unlock(&w->lock);
}

void world_open(struct world *w, const char *ssh_config, bool stored)
{
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
	w->run_dir = tmp_make();
	w->ctx = (struct host_context){ .home = getenv("HOME"),
					.login = getenv("USER") != NULL ? getenv("USER") : "root",
					.ssh_config = ssh_config,
					.run_dir = w->run_dir };
	w->hosts = hosts_new(&w->ctx);
	w->store = log_store_new(LOG_STORE_DEFAULT_BYTES);
	w->merge = stored ? log_merge_new(w->store, NULL, NULL) : log_merge_new_to(take, w);
}

void world_close(struct world *w)
{
	for (size_t i = 0; i < w->n_follower; i++)
		follow_stop_soon(w->follower[i]);
	for (size_t i = 0; i < w->n_follower; i++)
		follow_stop(w->follower[i]);
	log_merge_free(w->merge);
	log_store_free(w->store);
	hosts_free(w->hosts);
	for (size_t i = 0; i < w->n; i++)
		mem_free(w->line[i].text);
	mem_free(w->line);
	tmp_remove(w->run_dir);
	pthread_mutex_destroy(&w->lock);
}

int world_follow(struct world *w, const struct host_spec *on, const struct runtime_service *s,
		 struct follow_spec spec)
{
	struct log_source about = { 0 };
	struct err e;

	str_copy(about.environment, sizeof(about.environment), "test");
	str_copy(about.service, sizeof(about.service), s->name);
	str_copy(about.host, sizeof(about.host), on->name);
	spec.host = hosts_get(w->hosts, on);
	spec.service = s;
	spec.store = w->store;
	spec.merge = w->merge;
	spec.tail = spec.tail == 0 ? -1 : spec.tail;
	spec.source = log_store_source(w->store, &about);
	assert_int_equal(spec.source, w->n_follower);
	assert_int_equal(follow_start(&spec, &w->follower[w->n_follower], &e), 0);
	w->n_follower++;
	return spec.source;
}

void world_stop(struct world *w, int source)
{
	follow_stop(w->follower[source]);
	w->follower[source] = NULL;
}

size_t world_count(struct world *w, enum log_kind kind, const char *text)
{
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n; i++)
		n += w->line[i].kind == kind && strstr(w->line[i].text, text) != NULL;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void world_pause(int64_t ms)
{
	struct err e;

	assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + ms, NULL, &e), 0);
}

void world_wait(struct world *w, enum log_kind kind, const char *text, size_t n)
{
	int64_t limit_ms = clock_mono_ms() + WORLD_LIMIT_MS;

	while (world_count(w, kind, text) < n && clock_mono_ms() < limit_ms)
		world_pause(10);
	if (world_count(w, kind, text) >= n)
		return;
	world_print(w);
	fail_msg("%zu of %zu rows with \"%s\"", world_count(w, kind, text), n, text);
}

void world_source(struct world *w, int source, struct log_source *out)
{
	struct log_source *all = mem_calloc(LOG_SOURCES_MAX, sizeof(*all));

	log_store_sources(w->store, all, LOG_SOURCES_MAX);
	*out = all[source];
	mem_free(all);
}

void world_wait_state(struct world *w, int source, enum log_source_state state)
{
	int64_t limit_ms = clock_mono_ms() + WORLD_LIMIT_MS;
	struct log_source s;

	do {
		world_source(w, source, &s);
		if (s.state == state)
			return;
		world_pause(10);
	} while (clock_mono_ms() < limit_ms);
	world_print(w);
	fail_msg("source %d is in state %d: %s: %s", source, s.state, s.err.msg, s.err.detail);
}

void world_expect(struct world *w, int source, const char *prefix, long first, long last)
{
	long next = first;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n; i++) {
		char want[128];

		if (w->line[i].kind != LOG_LINE || w->line[i].source != source ||
		    strncmp(w->line[i].text, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(want, sizeof(want), "%s %ld", prefix, next);
		if (strcmp(w->line[i].text, want) != 0) {
			pthread_mutex_unlock(&w->lock);
			world_print(w);
			fail_msg("\"%s\" where \"%s\" should be", w->line[i].text, want);
		}
		next++;
	}
	pthread_mutex_unlock(&w->lock);
	assert_int_equal(next, last + 1);
}

static uint64_t hash_of(uint64_t hash, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return hash;
}

size_t world_expect_numbered(struct world *w, int source, unsigned long last, size_t runs)
{
	uint64_t hash = DEMO_HASH_START;
	unsigned long next = 1;
	size_t lines = 0, begun = 0;
	char why[200] = "";

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n && why[0] == '\0'; i++) {
		const char *at = strstr(w->line[i].text, "n=");
		const char *end = at != NULL ? strstr(at, " hash=") : NULL;
		unsigned long n;

		if (w->line[i].kind != LOG_LINE || w->line[i].source != source || end == NULL)
			continue;
		lines++;
		n = strtoul(at + 2, NULL, 10);
		if (n == 1) {
			if (begun > 0 && last > 0 && next != last + 1)
				snprintf(why, sizeof(why), "a run ended at %lu", next - 1);
			begun++;
			hash = DEMO_HASH_START;
			next = 1;
		}
		hash = hash_of(hash, at, (size_t)(end - at));
		if (n != next || strtoull(end + 6, NULL, 16) != hash)
			snprintf(why, sizeof(why), "n=%lu where n=%lu should be, or another text",
				 n, next);
		next++;
	}
	pthread_mutex_unlock(&w->lock);
	if (why[0] == '\0' && ((last > 0 && next != last + 1) || begun != runs))
		snprintf(why, sizeof(why), "%zu of %zu runs, the last to %lu", begun, runs,
			 next - 1);
	if (why[0] != '\0') {
		world_print(w);
		fail_msg("%s", why);
	}
	return lines;
}

int64_t world_stored(struct world *w)
{
	struct log_counts counts;

	log_store_counts(w->store, &counts);
	return counts.lines;
}

/* The first row that is a gap; chunk 0: none. */
static struct log_pos first_gap(struct log_query *q)
{
	struct log_totals totals;
	int64_t limit_ms = clock_mono_ms() + WORLD_LIMIT_MS;

	do {
		world_pause(5);
		log_query_totals(q, &totals);
	} while (!totals.complete && clock_mono_ms() < limit_ms);
	assert_true(totals.complete);
	return log_query_seek(q, (struct log_pos){ 0, 0 }, 1, LOG_SEEK_GAP);
}

static int copy_line(void *arg, const struct log_line *line)
{
	take(arg, line, 1);
	return 0;
}

size_t world_fetch_all(struct world *w, int source)
{
	int64_t limit_ms = clock_mono_ms() + WORLD_LIMIT_MS;
	struct log_counts before, now;
	struct log_query *q;
	struct log_pos gap;
	struct err e;
	size_t times = 0;

	log_merge_flush(w->merge);
	q = log_query_new(w->store, NULL, NULL);
	while ((gap = first_gap(q)).chunk != 0) {
		log_store_counts(w->store, &before);
		if (!follow_fetch(w->follower[source], gap))
			break;
		times++;
		do {
			world_pause(5);
			log_store_counts(w->store, &now);
		} while (now.version == before.version && clock_mono_ms() < limit_ms);
		assert_true(now.version != before.version);
	}
	assert_int_equal(log_query_each(q, copy_line, w, NULL, &e), 0);
	log_query_free(q);
	return times;
}

void world_expect_no_gap(struct world *w)
{
	if (world_count(w, LOG_GAP, "") == 0)
		return;
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n; i++)
		if (w->line[i].kind != LOG_LINE)
			print_message("# row %zu, kind %d: %s\n", i, (int)w->line[i].kind,
				      w->line[i].text);
	pthread_mutex_unlock(&w->lock);
	fail_msg("a gap");
}

void world_print(struct world *w)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n; i++)
		if (w->line[i].kind != LOG_LINE || i + 40 > w->n)
			print_message("# %zu: source %d kind %d: %.100s\n", i, w->line[i].source,
				      (int)w->line[i].kind, w->line[i].text);
	pthread_mutex_unlock(&w->lock);
}
