/* SPDX-License-Identifier: MIT */
/*
 * The store of followed logs, measured. `logs generate FILE BYTES` writes a log of mixed services; `logs measure FILE
 * RUNS` takes it in, and prints what it holds, how fast that went, how long searches over all of it take beside
 * `grep -cE` on the cached file, and how long the calls of a screen take while 100,000 lines a second come.
 *
 * Searches and greps take turns, and medians are compared, since the machine may be busy. Every count of matches has
 * to be grep's. grep runs in the C locale, which is its fast one.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "core/base/child.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/logs/query.h"

#define RUNS_MAX 31
#define FLOOD_PER_S 100000
#define FLOOD_S 5
#define CALLS_MAX 20000

static void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* --- A log --------------------------------------------------------------------------------------- */

static uint64_t dice_state = 7;

static uint32_t dice(uint32_t n)
{
	dice_state = dice_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(dice_state >> 33) % n;
}

static int make_line(char *out, size_t size, uint64_t i)
{
	static const char *const what[] = { "cart",  "user",    "order", "payment",
					    "stock", "invoice", "mail",  "search" };
	static const char *const agent[] = {
		"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
		"curl/7.88.1",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15"
	};
	uint64_t ms = 1763733600000 + i / 7 + dice(3);
	char t[CLOCK_TEXT_SIZE];
	uint32_t kind = dice(100);

	clock_iso_ms((int64_t)ms, t);
	if (kind < 45)
		return snprintf(
			out, size,
			"10.%u.%u.%u - - [21/Nov/2025:14:%02u:%02u +0000] \"%s /api/v1/%s/%u HTTP/1.1\" "
			"%s %u \"-\" \"%s\" %u.%03u",
			dice(4), dice(256), dice(256), (unsigned)(ms / 60000 % 60),
			(unsigned)(ms / 1000 % 60), dice(3) == 0 ? "POST" : "GET", what[dice(8)],
			dice(1000000),
			dice(60) == 0   ? "500"
			: dice(20) == 0 ? "404"
					: "200",
			dice(90000), agent[dice(3)], dice(2), dice(1000));
	if (kind < 75)
		return snprintf(
			out, size,
			"{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\"%s updated\",\"request_id\":\"%08x%08x\","
			"\"user\":%u,\"latency_ms\":%u.%u}",
			t, dice(50) == 0 ? "error" : "info", what[dice(8)], dice(UINT32_MAX),
			dice(UINT32_MAX), dice(100000), dice(1000), dice(100));
	if (kind < 99)
		return snprintf(out, size,
				"%s %s [worker-%u] com.shop.%s.Handler - request id=%u took %u ms",
				t,
				dice(25) == 0   ? "ERROR"
				: dice(12) == 0 ? "WARN"
						: "INFO",
				dice(16), what[dice(8)], dice(1000000), dice(3000));
	return snprintf(out, size, "    at com.shop.%s.Handler.handle(Handler.java:%u)",
			what[dice(8)], dice(900));
}

static int generate(const char *path, uint64_t bytes)
{
	FILE *f = fopen(path, "w");
	uint64_t n = 0;

	if (f == NULL)
		die("cannot write the log");
	for (uint64_t i = 0; n < bytes; i++) {
		char line[400];
		int len = make_line(line, sizeof(line) - 1, i);

		line[len++] = '\n';
		fwrite(line, 1, (size_t)len, f);
		n += (uint64_t)len;
	}
	return fclose(f) == 0 ? 0 : 1;
}

/* --- Taking it in -------------------------------------------------------------------------------- */

static double cpu_s(clockid_t of)
{
	struct timespec t;

	clock_gettime(of, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void take_line(struct log_line *l, struct sv text, int64_t utc_ns)
{
	struct log_record r;

	log_record_read(text, -1, &r);
	*l = (struct log_line){ .utc_ns = utc_ns,
				.source = (uint16_t)(r.shape == LOG_JSON),
				.level = (uint8_t)r.level,
				.shape = (uint8_t)r.shape,
				.continues = r.continues,
				.template = r.template,
				.text = text };
}

/* As a follower does: read each line, add some at once. The runtime's times are nanoseconds. */
static void take_in(struct log_store *s, struct sv text)
{
	struct log_line line[64];
	int64_t utc_ns = 1763733600000000000;
	size_t n = 0;
	struct sv one;

	while (text.n > 0 && sv_cut(&text, '\n', &one)) {
		utc_ns += 100000 + dice(80000);
		take_line(&line[n++], one, utc_ns);
		if (n == 64 || text.n == 0) {
			log_store_add(s, line, n);
			n = 0;
		}
	}
}

/* The store packs behind a burst: until nothing becomes smaller any more. */
static void wait_packed(struct log_store *s)
{
	struct timespec pause = { 0, 300000000 };
	struct log_counts before, c;

	log_store_counts(s, &c);
	do {
		before = c;
		nanosleep(&pause, NULL);
		log_store_counts(s, &c);
	} while (c.held_bytes != before.held_bytes);
}

/* --- Searching ----------------------------------------------------------------------------------- */

static atomic_int grown;
static pthread_mutex_t grew_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t grew_cond = PTHREAD_COND_INITIALIZER;

static void grew(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&grew_lock);
	atomic_fetch_add(&grown, 1);
	pthread_cond_signal(&grew_cond);
	pthread_mutex_unlock(&grew_lock);
}

static void wait_grew(int seen)
{
	pthread_mutex_lock(&grew_lock);
	while (atomic_load(&grown) == seen)
		pthread_cond_wait(&grew_cond, &grew_lock);
	pthread_mutex_unlock(&grew_lock);
}

static void wait_complete(struct log_query *q, struct log_totals *t)
{
	for (;;) {
		int seen = atomic_load(&grown);

		log_query_totals(q, t);
		if (t->complete)
			return;
		wait_grew(seen);
	}
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts them. */
static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_number);
	return v[n / 2];
}

static double children_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static double grep(const char *path, const char *pattern, int64_t *hits)
{
	const char *words[] = { "grep", "-cE", "-e", pattern, path, NULL };
	char *argv[6];
	struct strbuf out;
	struct err e;
	int64_t t0 = clock_mono_us();
	int status;

	memcpy(argv, words, sizeof(argv)); /* which takes its words as they are */
	strbuf_init(&out, 64);
	if (child_capture(argv, &out, WAIT_FOREVER, NULL, &status, &e) != 0 || status > 1)
		die("grep failed");
	*hits = strtoll(strbuf_str(&out), NULL, 10);
	strbuf_clear(&out);
	return (double)(clock_mono_us() - t0) / 1e6;
}

/* Seconds for all of it. */
static double find(struct log_query *q, const char *pattern, int64_t *hits)
{
	int64_t t0 = clock_mono_us();
	struct log_totals t;
	struct err e;
	double s;

	if (log_query_find(q, pattern, &e) != 0)
		die(e.detail);
	wait_complete(q, &t);
	s = (double)(clock_mono_us() - t0) / 1e6;
	*hits = t.matches;
	return s;
}

/* Milliseconds from a new filter to a full screen of the newest rows that pass. */
static double first_screen(struct log_query *q, const char *pattern)
{
	struct log_filter f = { .n = pattern != NULL,
				.fold = true,
				.pattern = { { pattern, false } } };
	int64_t t0 = clock_mono_us();
	struct log_totals t;
	struct log_row row[50];
	struct err e;
	double ms;

	if (log_query_filter(q, &f, &e) != 0)
		die(e.detail);
	for (;;) {
		int seen = atomic_load(&grown);
		struct log_pos pos = log_query_step(q, (struct log_pos){ 0, 0 }, -50, NULL);
		size_t n = log_query_read(q, pos, row, 50);

		log_query_totals(q, &t);
		if (n == 50 || t.complete)
			break;
		wait_grew(seen);
	}
	ms = (double)(clock_mono_us() - t0) / 1e3;
	wait_complete(q, &t);
	return ms;
}

static void searches(struct log_query *q, const char *path, int runs, size_t bytes)
{
	static const char *const patterns[] = { "payment updated",
						"no such text in it",
						"latency_ms\":[89][0-9][0-9]\\.",
						"cart|stock updated|Firefox/99",
						"(GET|POST) /api/v1/[a-z]+/[0-9]+7 HTTP",
						"took [0-9]{4} ms$",
						"^[^ ]+ ERROR .*id=99[0-9]*" };
	const double mb = (double)bytes / 1e6;

	printf("search over %.0f MB with two threads, beside grep -cE on the cached file, s, %d runs in turn\n",
	       mb, runs);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		double ours[RUNS_MAX], theirs[RUNS_MAX], ratio[RUNS_MAX], cpu = 0, grep_cpu = 0;
		double middle;
		int64_t hits = 0, want = 0;

		for (int r = 0; r < runs; r++) {
			grep_cpu -= children_s();
			theirs[r] = grep(path, patterns[i], &want);
			grep_cpu += children_s();
			cpu -= cpu_s(CLOCK_PROCESS_CPUTIME_ID);
			ours[r] = find(q, patterns[i], &hits);
			cpu += cpu_s(CLOCK_PROCESS_CPUTIME_ID);
			ratio[r] = ours[r] / theirs[r];
			if (hits != want) {
				fprintf(stderr, "bench: %s: %lld matches, grep has %lld\n",
					patterns[i], (long long)hits, (long long)want);
				exit(1);
			}
		}
		middle = median(ratio, (size_t)runs);
		printf("  %-39s %7lld hits  %.3f  grep %.3f  ratio %.2f (%.2f to %.2f, target 1.00)"
		       "  processor %.3f, %.3f\n",
		       patterns[i], (long long)hits, median(ours, (size_t)runs),
		       median(theirs, (size_t)runs), middle, ratio[0], ratio[runs - 1], cpu / runs,
		       grep_cpu / runs);
	}
	printf("first 50 rows after a new filter, ms (target 100)\n");
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		double ms[RUNS_MAX];
		struct err e;

		if (log_query_find(q, NULL, &e) != 0)
			die(e.detail);
		for (int r = 0; r < runs; r++)
			ms[r] = first_screen(q, patterns[i]);
		printf("  %-42s %.1f\n", patterns[i], median(ms, (size_t)runs));
		first_screen(q, NULL);
	}
}

/* --- A screen while lines come ------------------------------------------------------------------- */

struct flood {
	struct log_store *s;
	struct sv text;
	double cpu_s;
	int64_t lines;
};

static void *flood(void *arg)
{
	struct flood *f = arg;
	int64_t t0 = clock_mono_us();
	double cpu = cpu_s(CLOCK_THREAD_CPUTIME_ID);
	struct sv one;

	while (clock_mono_us() - t0 < FLOOD_S * 1000000LL) {
		struct log_line line[100];
		struct timespec next;
		size_t n = 0;

		while (n < 100 && sv_cut(&f->text, '\n', &one))
			take_line(&line[n++], one, clock_utc_ms() * 1000000);
		log_store_add(f->s, line, n);
		f->lines += (int64_t)n;
		clock_gettime(CLOCK_MONOTONIC, &next);
		int64_t due = t0 + f->lines * 1000000 / FLOOD_PER_S - clock_mono_us();
		if (due > 0) {
			next.tv_nsec += due % 1000000 * 1000;
			next.tv_sec += due / 1000000 + next.tv_nsec / 1000000000;
			next.tv_nsec %= 1000000000;
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		}
	}
	f->cpu_s = cpu_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
	return NULL;
}

static struct {
	const char *name;
	double us[CALLS_MAX], cpu_us[CALLS_MAX];
	size_t n;
} calls[] = { { .name = "last" },   { .name = "step" },     { .name = "read" },
	      { .name = "seek" },   { .name = "below" },    { .name = "totals" },
	      { .name = "counts" }, { .name = "histogram" } };

struct moment {
	int64_t us;
	double cpu_s;
};

static struct moment now(void)
{
	return (struct moment){ clock_mono_us(), cpu_s(CLOCK_THREAD_CPUTIME_ID) };
}

static struct moment timed(size_t call, struct moment from)
{
	struct moment to = now();

	if (calls[call].n < CALLS_MAX) {
		calls[call].us[calls[call].n] = (double)(to.us - from.us);
		calls[call].cpu_us[calls[call].n++] = (to.cpu_s - from.cpu_s) * 1e6;
	}
	return now();
}

static void one_frame(struct log_store *s, struct log_query *q, int i)
{
	uint32_t column[100][LOG_LEVELS];
	struct log_counts c;
	struct log_totals totals;
	struct log_row row[60];
	struct moment t = now();
	struct log_pos pos = log_query_last(q);

	t = timed(0, t);
	pos = log_query_step(q, pos, -(i % 5 == 0 ? 100000 : 50), NULL);
	t = timed(1, t);
	log_query_read(q, pos, row, 60);
	t = timed(2, t);
	log_query_seek(q, pos, i % 2 == 0 ? -1 : 1, i % 3 == 0 ? LOG_SEEK_ERROR : LOG_SEEK_MATCH);
	t = timed(3, t);
	log_query_below(q, pos);
	t = timed(4, t);
	log_query_totals(q, &totals);
	t = timed(5, t);
	log_store_counts(s, &c);
	t = timed(6, t);
	log_store_histogram(s, clock_utc_ms() - 900000, clock_utc_ms(), 100, column);
	timed(7, t);
}

static void frames(struct log_store *s, struct log_query *q, struct sv text)
{
	struct log_filter f = { .fold = true, .level = LOG_LEVEL_NONE };
	struct flood flooding = { .s = s, .text = text };
	double cpu, ui;
	struct log_totals t;
	pthread_t thread;
	struct err e;
	int64_t t0;

	if (log_query_filter(q, &f, &e) != 0 || log_query_find(q, "took [0-9]{4} ms$", &e) != 0)
		die(e.detail);
	wait_complete(q, &t);
	cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
	ui = cpu_s(CLOCK_THREAD_CPUTIME_ID);
	t0 = clock_mono_us();
	if (pthread_create(&thread, NULL, flood, &flooding) != 0)
		die("no thread");
	for (int i = 0; clock_mono_us() - t0 < FLOOD_S * 1000000LL; i++) {
		static const char *const typed[] = { "took [0-9]{4} ms$", "payment", "ERROR .*9$" };
		struct timespec pause = { 0, 16000000 };

		/* A new search twice a second: all of the log is evaluated meanwhile. */
		if (i % 30 == 29 && log_query_find(q, typed[i / 30 % 3], &e) != 0)
			die(e.detail);
		one_frame(s, q, i);
		nanosleep(&pause, NULL);
	}
	pthread_join(thread, NULL);
	cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	ui = cpu_s(CLOCK_THREAD_CPUTIME_ID) - ui;
	printf("calls while %.0f lines a second come, folded, with two new searches a second, us (target 2000)\n",
	       (double)flooding.lines / FLOOD_S);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		double *us = calls[i].us, *cpu_us = calls[i].cpu_us;
		size_t n = calls[i].n;

		qsort(us, n, sizeof(*us), by_number);
		qsort(cpu_us, n, sizeof(*cpu_us), by_number);
		printf("  %-10s p50 %.0f  p99 %.0f  max %.0f  of its own processor time p99 %.0f  max %.0f\n",
		       calls[i].name, us[n / 2], us[n * 99 / 100], us[n - 1], cpu_us[n * 99 / 100],
		       cpu_us[n - 1]);
	}
	printf("of a core: reading and adding %.1f %%, screen %.1f %%, packing and searching %.1f %%\n",
	       flooding.cpu_s * 100 / FLOOD_S, ui * 100 / FLOOD_S,
	       (cpu - flooding.cpu_s - ui) * 100 / FLOOD_S);
}

/* --- All ----------------------------------------------------------------------------------------- */

static int measure(const char *path, int runs)
{
	struct log_source about = { .service = "shop" };
	struct log_store *s = log_store_new((size_t)4 << 30);
	int fd = open(path, O_RDONLY);
	struct log_counts c;
	struct log_query *q;
	struct log_totals t;
	struct stat st;
	double all;
	int64_t t0;
	void *map;

	if (fd < 0 || fstat(fd, &st) != 0)
		die("cannot read the log");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		die("cannot map the log");
	log_store_source(s, &about);
	log_store_source(s, &about);
	all = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
	t0 = clock_mono_us();
	take_in(s, sv_n(map, (size_t)st.st_size));
	t0 = clock_mono_us() - t0;
	wait_packed(s);
	all = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - all;
	log_store_counts(s, &c);
	printf("intake, one adder: %.0f MB/s of wall time, %.0f MB/s of processor time with compression, "
	       "%lld lines\n",
	       (double)st.st_size / (double)t0, (double)st.st_size / 1e6 / all, (long long)c.lines);
	q = log_query_new(s, grew, NULL);
	wait_complete(q, &t);
	log_store_counts(s, &c);
	printf("held: %.1f MB for %.1f MB of text, ratio %.3f (target 0.25)\n",
	       (double)c.held_bytes / 1e6, (double)c.text_bytes / 1e6,
	       (double)c.held_bytes / (double)c.text_bytes);
	searches(q, path, runs, (size_t)st.st_size);
	frames(s, q, sv_n(map, (size_t)st.st_size));
	log_query_free(q);
	log_store_free(s);
	munmap(map, (size_t)st.st_size);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	setenv("LC_ALL", "C", 1);
	if (argc == 4 && strcmp(argv[1], "generate") == 0)
		return generate(argv[2], strtoull(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "measure") == 0 && strtol(argv[3], NULL, 10) <= RUNS_MAX)
		return measure(argv[2], (int)strtol(argv[3], NULL, 10));
	fprintf(stderr, "usage: logs generate FILE BYTES | logs measure FILE RUNS\n");
	return 2;
}
