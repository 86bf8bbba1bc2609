/* SPDX-License-Identifier: MIT */
/*
 * The log of the small service: lines as a shop's programs would write them.
 *
 * Access lines, slow queries, JSON, logfmt, and bursts of one error, whose first has a stack trace and whose
 * rest is the same with other numbers. Numbered lines are for tests that count and hash at the other end;
 * others have what a log must not do to who reads it. Lines are put into a buffer and written by
 * demo_log_flush(). Knows libc only: see demo_service.c.
 */
#include "cli/demo_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static unsigned pick(struct demo_log *l, unsigned below)
{
	l->random = l->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(l->random >> 33) % below;
}

int demo_log_open(struct demo_log *l)
{
	struct stat st;
	int fd;

	if (!l->path) {
		l->fd = STDOUT_FILENO;
		return 0;
	}
	fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", l->name, l->path, strerror(errno));
		return -1;
	}
	if (l->fd > STDERR_FILENO)
		close(l->fd);
	l->fd = fd;
	l->written = fstat(fd, &st) == 0 ? (long)st.st_size : 0;
	return 0;
}

static void put_bytes(struct demo_log *l, const char *text, size_t n)
{
	while (n > 0 && !l->gone) {
		ssize_t wrote = write(l->fd, text, n);

		if (wrote < 0 && errno != EINTR) {
			/* A disk that is full takes no lines; a pipe nobody reads is the end. */
			l->gone = errno == EPIPE;
			return;
		}
		if (wrote < 0 && *l->stop)
			return;
		if (wrote > 0) {
			text += wrote;
			n -= (size_t)wrote;
			l->written += (long)wrote;
		}
	}
}

static void put_out(struct demo_log *l)
{
	put_bytes(l, l->out, l->n_out);
	l->n_out = 0;
}

void demo_log_flush(struct demo_log *l)
{
	char *old;

	put_out(l);
	if (!l->path || l->rotate == 0 || l->written < l->rotate)
		return;
	if (asprintf(&old, "%s.1", l->path) < 0)
		return;
	if (rename(l->path, old) == 0)
		(void)demo_log_open(l);
	free(old);
}

static void put(struct demo_log *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct demo_log *l, const char *format, ...)
{
	va_list args;
	int n;

	if (DEMO_LOG_BUFFER - l->n_out < 2048)
		put_out(l); /* in the middle of a line: not the time to rotate */
	va_start(args, format);
	n = vsnprintf(l->out + l->n_out, DEMO_LOG_BUFFER - l->n_out, format, args);
	va_end(args);
	if (n > 0)
		l->n_out += (size_t)n;
}

/* The time of this line as its clock has it: 2026-11-28T10:51:26.123Z. */
static void put_time(struct demo_log *l, const char *before, const char *after)
{
	struct timespec t;
	struct tm tm;
	char text[32];
	int64_t ms;
	time_t sec;

	clock_gettime(CLOCK_REALTIME, &t);
	ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + l->skew - l->ago_ms;
	if (l->jump_back > 0 && l->line > (uint64_t)l->jump_back)
		ms -= 3600 * 1000;
	sec = (time_t)(ms / 1000);
	gmtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	put(l, "%s%s.%03dZ%s", before, text, (int)(ms % 1000), after);
}

void demo_log_say(struct demo_log *l, const char *level, const char *text)
{
	put_time(l, "", " ");
	put(l, "%-5s %s\n", level, text);
}

static void plain_line(struct demo_log *l)
{
	static const char *const path[] = { "/", "/products/42", "/cart", "/checkout", "/search" };
	unsigned ms = 2 + pick(l, 40);

	if (pick(l, 40) == 0) {
		put_time(l, "", " WARN  ");
		put(l, "slow query, %u ms: SELECT * FROM orders WHERE customer_id = %u\n",
		    500 + pick(l, 900), 1 + pick(l, 6));
		return;
	}
	put_time(l, "", " INFO  ");
	put(l, "GET %s 200 %u ms client=10.0.%u.%u request=%08x\n", path[pick(l, 5)], ms,
	    pick(l, 4), pick(l, 256), pick(l, 1U << 31));
}

static void json_line(struct demo_log *l)
{
	put_time(l, "{\"time\":\"", "\",");
	put(l,
	    "\"level\":\"%s\",\"msg\":\"order placed\",\"order\":%u,\"customer\":%u,"
	    "\"amount_cents\":%u,\"service\":\"%s\"}\n",
	    pick(l, 50) == 0 ? "warn" : "info", 1000 + (unsigned)((l->before + l->line) % 100000),
	    1 + pick(l, 6), 790 + 10 * pick(l, 900), l->name);
}

static void logfmt_line(struct demo_log *l)
{
	put_time(l, "time=", "");
	put(l, " level=info msg=\"stock counted\" sku=TEA-GRN-%u in_stock=%u took=%ums\n",
	    100 * (1 + pick(l, 5)), pick(l, 200), 1 + pick(l, 30));
}

static void worker_line(struct demo_log *l)
{
	put_time(l, "", pick(l, 30) == 0 ? " WARN  " : " INFO  ");
	put(l, "job %llu: mail to customer %u sent in %u ms, %u are waiting\n",
	    (unsigned long long)(l->before + l->line), 1 + pick(l, 6), 20 + pick(l, 200),
	    pick(l, 40));
}

/* The first of a burst has its trace; the rest are the same error with other numbers. */
static void burst_line(struct demo_log *l, bool first)
{
	unsigned payment = 8800 + pick(l, 1000);

	put_time(l, "", " ERROR ");
	put(l, "payment %u failed: the gateway did not answer within %u ms\n", payment,
	    3000 + pick(l, 90));
	if (!first)
		return;
	put(l, "shop.payments.GatewayTimeout: no answer from gateway.example:443\n"
	       "    at shop.payments.Gateway.charge(Gateway.java:118)\n"
	       "    at shop.payments.Payments.pay(Payments.java:64)\n"
	       "    at shop.web.Checkout.post(Checkout.java:201)\n"
	       "Caused by: java.net.SocketTimeoutException: Read timed out\n"
	       "    at java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)\n"
	       "    ... 14 more\n");
}

/*
 * A line that can be counted and hashed at the other end, whatever was put before it on its way:
 *
 *	TIME INFO  n=17 GET /products/42 200 12 ms hash=0123456789abcdef
 *
 * n counts from 1; hash is FNV-1a over everything from "n=" to before " hash=" of all lines so far.
 */
static uint64_t hash_of(uint64_t hash, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211ULL;
	return hash;
}

static void number_line(struct demo_log *l)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "n=%llu GET /products/%u 200 %u ms request=%08x",
			 (unsigned long long)l->line, pick(l, 5000), 2 + pick(l, 40),
			 pick(l, 1U << 31));

	l->hash = hash_of(l->hash, text, (size_t)n);
	put_time(l, "", " INFO  ");
	put(l, "%s hash=%016llx\n", text, (unsigned long long)l->hash);
}

static void long_line(struct demo_log *l)
{
	static const char piece[] =
		"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
	const long size = (long)sizeof(piece) - 1;

	put_time(l, "", " INFO  dump: ");
	for (long left = l->long_line; left > 0; left -= size)
		put(l, "%.*s", left < size ? (int)left : (int)size, piece);
	put(l, "\n");
}

/* What a log must not do to a terminal: a title, a clear, a bell, a way to answer, bytes that are no
 * text, a NUL, an end of line of another system. */
static void binary_line(struct demo_log *l)
{
	put_time(l, "", " INFO  ");
	put(l, "\033]0;owned\a\033[2J\033[31mred\033[0m \b\b\033[6n\a \xff\xfe\x80 \xc3\x28 ");
	l->out[l->n_out++] = '\0';
	put(l, " \xe2\x80\xae end\r\n");
}

void demo_log_line(struct demo_log *l)
{
	const char *shape = l->shape;

	l->line++;
	if (strcmp(shape, "numbered") == 0) {
		number_line(l);
	} else if (l->burst > 0) {
		burst_line(l, l->burst == DEMO_BURST_LINES);
		l->burst--;
	} else if (l->long_line > 0 && l->line == 10) {
		long_line(l);
	} else if (l->binary && l->line % 3 == 0) {
		binary_line(l);
	} else if (strcmp(shape, "json") == 0) {
		json_line(l);
	} else if (strcmp(shape, "logfmt") == 0) {
		logfmt_line(l);
	} else if (strcmp(shape, "worker") == 0) {
		worker_line(l);
	} else if (strcmp(shape, "mixed") == 0 && pick(l, 8) == 0) {
		json_line(l);
	} else {
		plain_line(l);
		if (strcmp(shape, "mixed") == 0 && !l->calm && pick(l, 300) == 0)
			l->burst = DEMO_BURST_LINES;
	}
}

/* Prints lines=N missing=N again=N first=N last=N hash=good|bad: hash is about lines 1 to the last,
 * each once and in order; without them it says nothing ("-"). */
int demo_log_verify(void)
{
	unsigned long long n, lines = 0, missing = 0, again = 0, first = 0, last = 0;
	uint64_t hash = DEMO_HASH_START;
	bool whole = true, good = true;
	char *line = NULL, *at, *end;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		at = strstr(line, "n=");
		end = at ? strstr(at, " hash=") : NULL;
		if (!end)
			continue;
		n = strtoull(at + 2, NULL, 10);
		lines++;
		if (first == 0)
			first = n;
		if (n > last + 1 && last > 0)
			missing += n - last - 1;
		if (n <= last)
			again++;
		whole = whole && n == last + 1;
		last = n > last ? n : last;
		hash = hash_of(hash, at, (size_t)(end - at));
		good = good && strtoull(end + 6, NULL, 16) == hash;
	}
	free(line);
	printf("lines=%llu missing=%llu again=%llu first=%llu last=%llu hash=%s\n", lines, missing,
	       again, first, last,
	       !whole || lines == 0 ? "-"
	       : good               ? "good"
				    : "bad");
	return whole && good && lines > 0 ? 0 : 1;
}
