/* SPDX-License-Identifier: MIT */
/*
 * A small service to look at: it answers /health and writes a log, and can be told to misbehave.
 *
 * It is what the demo runs in each environment (`bascule demo-service`, which no help lists), and, of
 * this file alone and linked statically, the program in the images of the tests (shopd). So it knows
 * libc and nothing of bascule.
 *
 *	--port [ADDRESS:]PORT   serves HTTP there (127.0.0.1); without it there is no server
 *	--name WORD --version WORD   what it says it is
 *	--log FILE              instead of stdout; opened again at SIGHUP
 *	--rotate BYTES          a longer log is renamed to FILE.1 and begun anew
 *	--rate N|max            lines a second (2)
 *	--count N [--exit]      after so many lines it is silent, or ends
 *	--backfill N            a log that is empty begins with N lines of the time before
 *	--shape mixed|plain|json|logfmt|worker|numbered   (mixed)
 *	--burst-every MS        a burst of errors with stack traces (mixed: now and then)
 *	--skew MS               its clock is off by that; --jump-back N: after N lines an hour goes back
 *	--long-line BYTES       its tenth line is so long; --binary: lines with what is not text
 *	--fail-health STATUS  --slow-health MS  --redirect-health  --unhealthy-after MS  --healthy-after MS
 *	--exit-after MS [--exit-code N | --crash]   ends by itself; --crash: with a trace and SIGSEGV
 *	--stubborn              takes no notice of SIGTERM
 *	--pid-file FILE         has its number; when that is gone or another's, it ends
 *	--probe PORT            asks http://127.0.0.1:PORT/health and ends with 0 when that is a 200
 *	--verify                reads numbered lines, counts and hashes: see number_line()
 *
 * SIGUSR1 turns its health over, SIGUSR2 makes a burst of errors. One thread, one ppoll(). A reader
 * that does not read its log stops it, as it would any service.
 */
#include "cli/demo_service.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define REQUEST_MAX 4096
#define OUT_SIZE 65536
#define LINES_AT_ONCE 500
#define BURST_LINES 12
#define HASH_START 14695981039346656037ULL

struct client {
	int fd; /* -1: free */
	size_t n;
	int64_t due_us; /* of the answer; 0: the request is not whole yet */
	char request[REQUEST_MAX];
};

struct service {
	/* As told. */
	const char *port, *name, *version, *log, *rate_word, *shape, *pid_file, *probe;
	long rotate, count, burst_every, skew, jump_back, long_line, fail_health, slow_health;
	long unhealthy_after, healthy_after, exit_after, exit_code, backfill;
	bool exit, binary, redirect_health, crash, stubborn, verify;
	/* As it is. */
	double rate; /* 0: as fast as possible */
	int listen_fd, out_fd;
	int64_t start_us, burst_us, pid_us;
	int64_t ago_ms; /* how old the line is that is written now */
	uint64_t line, hash, random;
	int burst;    /* lines of it that are left */
	bool turned;  /* health is the other way round, by a signal */
	bool gone;    /* nobody reads the log any more */
	long written; /* bytes of the log, for rotate */
	size_t n_out;
	char out[OUT_SIZE];
	struct client client[CLIENTS_MAX];
};

static volatile sig_atomic_t got_end, got_hup, got_usr1, got_usr2;

static void on_signal(int number)
{
	if (number == SIGHUP)
		got_hup = 1;
	else if (number == SIGUSR1)
		got_usr1 = 1;
	else if (number == SIGUSR2)
		got_usr2 = 1;
	else
		got_end = 1;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool passed(const struct service *s, long ms)
{
	return ms > 0 && now_us() - s->start_us >= (int64_t)ms * 1000;
}

static unsigned pick(struct service *s, unsigned below)
{
	s->random = s->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(s->random >> 33) % below;
}

/* --- The log --------------------------------------------------------------------------------- */

static int log_open(struct service *s)
{
	struct stat st;
	int fd;

	if (!s->log) {
		s->out_fd = STDOUT_FILENO;
		return 0;
	}
	fd = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", s->name, s->log, strerror(errno));
		return -1;
	}
	if (s->out_fd > STDERR_FILENO)
		close(s->out_fd);
	s->out_fd = fd;
	s->written = fstat(fd, &st) == 0 ? (long)st.st_size : 0;
	return 0;
}

static void put_bytes(struct service *s, const char *text, size_t n)
{
	while (n > 0 && !s->gone) {
		ssize_t wrote = write(s->out_fd, text, n);

		if (wrote < 0 && errno != EINTR) {
			/* A disk that is full takes no lines; a pipe nobody reads is the end. */
			s->gone = errno == EPIPE;
			return;
		}
		if (wrote < 0 && got_end && !s->stubborn)
			return;
		if (wrote > 0) {
			text += wrote;
			n -= (size_t)wrote;
			s->written += (long)wrote;
		}
	}
}

static void flush(struct service *s)
{
	char *old;

	put_bytes(s, s->out, s->n_out);
	s->n_out = 0;
	if (!s->log || s->rotate == 0 || s->written < s->rotate)
		return;
	if (asprintf(&old, "%s.1", s->log) < 0)
		return;
	if (rename(s->log, old) == 0)
		(void)log_open(s);
	free(old);
}

static void put(struct service *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct service *s, const char *format, ...)
{
	va_list args;
	int n;

	if (OUT_SIZE - s->n_out < 2048)
		flush(s);
	va_start(args, format);
	n = vsnprintf(s->out + s->n_out, OUT_SIZE - s->n_out, format, args);
	va_end(args);
	if (n > 0)
		s->n_out += (size_t)n;
}

/* The time of this line as its clock has it: 2026-11-28T10:51:26.123Z. */
static void put_time(struct service *s, const char *before, const char *after)
{
	struct timespec t;
	struct tm tm;
	char text[32];
	int64_t ms;
	time_t sec;

	clock_gettime(CLOCK_REALTIME, &t);
	ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + s->skew - s->ago_ms;
	if (s->jump_back > 0 && s->line > (uint64_t)s->jump_back)
		ms -= 3600 * 1000;
	sec = (time_t)(ms / 1000);
	gmtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	put(s, "%s%s.%03dZ%s", before, text, (int)(ms % 1000), after);
}

static void plain_line(struct service *s)
{
	static const char *const path[] = { "/", "/products/42", "/cart", "/checkout", "/search" };
	unsigned ms = 2 + pick(s, 40);

	if (pick(s, 40) == 0) {
		put_time(s, "", " WARN  ");
		put(s, "slow query, %u ms: SELECT * FROM orders WHERE customer_id = %u\n",
		    500 + pick(s, 900), 1 + pick(s, 6));
		return;
	}
	put_time(s, "", " INFO  ");
	put(s, "GET %s 200 %u ms client=10.0.%u.%u request=%08x\n", path[pick(s, 5)], ms,
	    pick(s, 4), pick(s, 256), pick(s, 1U << 31));
}

static void json_line(struct service *s)
{
	put_time(s, "{\"time\":\"", "\",");
	put(s,
	    "\"level\":\"%s\",\"msg\":\"order placed\",\"order\":%u,\"customer\":%u,"
	    "\"amount_cents\":%u,\"service\":\"%s\"}\n",
	    pick(s, 50) == 0 ? "warn" : "info", 1000 + (unsigned)(s->line % 100000), 1 + pick(s, 6),
	    790 + 10 * pick(s, 900), s->name);
}

static void logfmt_line(struct service *s)
{
	put_time(s, "time=", "");
	put(s, " level=info msg=\"stock counted\" sku=TEA-GRN-%u in_stock=%u took=%ums\n",
	    100 * (1 + pick(s, 5)), pick(s, 200), 1 + pick(s, 30));
}

static void worker_line(struct service *s)
{
	put_time(s, "", pick(s, 30) == 0 ? " WARN  " : " INFO  ");
	put(s, "job %llu: mail to customer %u sent in %u ms, %u are waiting\n",
	    (unsigned long long)s->line, 1 + pick(s, 6), 20 + pick(s, 200), pick(s, 40));
}

/* The first of a burst has its trace; the rest are the same error with other numbers. */
static void burst_line(struct service *s, bool first)
{
	unsigned payment = 8800 + pick(s, 1000);

	put_time(s, "", " ERROR ");
	put(s, "payment %u failed: the gateway did not answer within %u ms\n", payment,
	    3000 + pick(s, 90));
	if (!first)
		return;
	put(s, "shop.payments.GatewayTimeout: no answer from gateway.example:443\n"
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

static void number_line(struct service *s)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "n=%llu GET /products/%u 200 %u ms request=%08x",
			 (unsigned long long)s->line, pick(s, 5000), 2 + pick(s, 40),
			 pick(s, 1U << 31));

	s->hash = hash_of(s->hash, text, (size_t)n);
	put_time(s, "", " INFO  ");
	put(s, "%s hash=%016llx\n", text, (unsigned long long)s->hash);
}

static void long_line(struct service *s)
{
	static const char piece[] =
		"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
	const long size = (long)sizeof(piece) - 1;

	put_time(s, "", " INFO  dump: ");
	for (long left = s->long_line; left > 0; left -= size)
		put(s, "%.*s", left < size ? (int)left : (int)size, piece);
	put(s, "\n");
}

/* What a log must not do to a terminal: a title, a clear, a bell, a way to answer, bytes that are no
 * text, a NUL, an end of line of another system. */
static void binary_line(struct service *s)
{
	put_time(s, "", " INFO  ");
	put(s, "\033]0;owned\a\033[2J\033[31mred\033[0m \b\b\033[6n\a \xff\xfe\x80 \xc3\x28 ");
	s->out[s->n_out++] = '\0';
	put(s, " \xe2\x80\xae end\r\n");
}

static void one_line(struct service *s)
{
	const char *shape = s->shape;

	s->line++;
	if (strcmp(shape, "numbered") == 0) {
		number_line(s);
	} else if (s->burst > 0) {
		burst_line(s, s->burst == BURST_LINES);
		s->burst--;
	} else if (s->long_line > 0 && s->line == 10) {
		long_line(s);
	} else if (s->binary && s->line % 3 == 0) {
		binary_line(s);
	} else if (strcmp(shape, "json") == 0) {
		json_line(s);
	} else if (strcmp(shape, "logfmt") == 0) {
		logfmt_line(s);
	} else if (strcmp(shape, "worker") == 0) {
		worker_line(s);
	} else if (strcmp(shape, "mixed") == 0 && pick(s, 8) == 0) {
		json_line(s);
	} else {
		plain_line(s);
		if (strcmp(shape, "mixed") == 0 && s->burst_every == 0 && pick(s, 300) == 0)
			s->burst = BURST_LINES;
	}
}

/* What it would have written before it was started. */
static void backfill(struct service *s)
{
	double each_ms = s->rate > 0 ? 1000 / s->rate : 1;
	long burst_ms = 0;

	for (long left = s->backfill; left > 0; left--) {
		s->ago_ms = (int64_t)((double)left * each_ms);
		if (s->burst_every > 0 && s->ago_ms / s->burst_every != burst_ms) {
			burst_ms = s->ago_ms / s->burst_every;
			for (s->burst = BURST_LINES; s->burst > 0;)
				one_line(s);
		}
		one_line(s);
	}
	s->ago_ms = 0;
	s->line = 0;
	s->burst = 0;
}

/* How many lines are due; what was missed for more than a second is not made up for. */
static uint64_t lines_due(struct service *s, int64_t now)
{
	uint64_t due = LINES_AT_ONCE;

	if (s->burst > 0)
		return (uint64_t)s->burst;
	if (s->rate > 0) {
		due = (uint64_t)((double)(now - s->start_us) * s->rate / 1e6);
		due = due > s->line ? due - s->line : 0;
		if ((double)due > s->rate + 1)
			due = (uint64_t)s->rate + 1;
	}
	if (s->count > 0 && s->line + due > (uint64_t)s->count)
		due = s->line < (uint64_t)s->count ? (uint64_t)s->count - s->line : 0;
	return due;
}

/* --- HTTP ------------------------------------------------------------------------------------ */

static int listen_on(struct service *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	const char *colon = strrchr(s->port, ':');
	char address[64] = "127.0.0.1";
	int one = 1;

	if (colon)
		snprintf(address, sizeof(address), "%.*s", (int)(colon - s->port), s->port);
	at.sin_port = htons((uint16_t)strtol(colon ? colon + 1 : s->port, NULL, 10));
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1 || s->listen_fd < 0 ||
	    setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(s->listen_fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(s->listen_fd, 16) != 0) {
		fprintf(stderr, "%s: cannot listen on %s: %s\n", s->name, s->port, strerror(errno));
		return -1;
	}
	return 0;
}

static bool healthy(const struct service *s)
{
	bool good = s->fail_health == 0 && !passed(s, s->unhealthy_after) &&
		    (s->healthy_after == 0 || passed(s, s->healthy_after));

	return good != s->turned;
}

static void answer(struct service *s, struct client *c)
{
	const char *status = "200 OK", *more = "";
	bool health = strncmp(c->request, "GET /health", 11) == 0;
	char body[512], head[256];
	int n, n_head;

	n = snprintf(
		body, sizeof(body),
		"{\"service\":\"%s\",\"version\":\"%s\",\"status\":\"%s\",\"uptime_s\":%lld}\n",
		s->name, s->version, healthy(s) ? "ok" : "failing",
		(long long)((now_us() - s->start_us) / 1000000));
	if (!health && strncmp(c->request, "GET / ", 6) != 0)
		status = "404 Not Found";
	else if (health && s->redirect_health)
		status = "302 Found", more = "Location: /\r\n";
	else if (health && !healthy(s))
		status = s->fail_health == 500 ? "500 Internal Server Error"
					       : "503 Service Unavailable";
	n_head = snprintf(head, sizeof(head),
			  "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s"
			  "Content-Length: %d\r\nConnection: close\r\n\r\n",
			  status, more, n);
	/* Small enough for the buffer of a socket that was just opened. */
	if (send(c->fd, head, (size_t)n_head, MSG_NOSIGNAL) == n_head)
		(void)send(c->fd, body, (size_t)n, MSG_NOSIGNAL);
	close(c->fd);
	c->fd = -1;
}

static void client_read(struct service *s, struct client *c)
{
	ssize_t got = read(c->fd, c->request + c->n, REQUEST_MAX - 1 - c->n);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || c->n + (size_t)got == REQUEST_MAX - 1) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->n += (size_t)got;
	c->request[c->n] = '\0';
	if (strstr(c->request, "\r\n\r\n"))
		c->due_us = now_us() + (int64_t)s->slow_health * 1000;
}

static void clients_accept(struct service *s)
{
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct client *c = s->client;

		while (c < s->client + CLIENTS_MAX && c->fd >= 0)
			c++;
		if (c == s->client + CLIENTS_MAX) {
			close(fd);
			continue;
		}
		c->fd = fd;
		c->n = 0;
		c->due_us = 0;
	}
}

/* Waits until wait_us is over or somebody wants something. */
static void serve(struct service *s, int64_t wait_us)
{
	struct pollfd list[CLIENTS_MAX + 1];
	struct client *of[CLIENTS_MAX + 1];
	struct timespec t;
	int64_t now = now_us();
	nfds_t n = 0;

	if (s->listen_fd >= 0)
		list[n++] = (struct pollfd){ .fd = s->listen_fd, .events = POLLIN };
	for (struct client *c = s->client; c < s->client + CLIENTS_MAX; c++) {
		if (c->fd < 0)
			continue;
		if (c->due_us > 0 && c->due_us - now < wait_us)
			wait_us = c->due_us > now ? c->due_us - now : 0;
		of[n] = c;
		list[n++] = (struct pollfd){ .fd = c->fd, .events = c->due_us > 0 ? 0 : POLLIN };
	}
	t = (struct timespec){ .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
	if (ppoll(list, n, &t, NULL) < 0)
		return;
	now = now_us();
	for (nfds_t i = s->listen_fd >= 0; i < n; i++) {
		if (of[i]->due_us == 0 && list[i].revents)
			client_read(s, of[i]);
		if (of[i]->fd >= 0 && of[i]->due_us > 0 && of[i]->due_us <= now_us())
			answer(s, of[i]);
	}
	if (s->listen_fd >= 0 && list[0].revents)
		clients_accept(s);
}

/* --- Life ------------------------------------------------------------------------------------ */

/* Another one may have been started in this one's place. */
static bool pid_file_is_ours(const struct service *s)
{
	FILE *f = fopen(s->pid_file, "r");
	char text[32] = "";

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strtol(text, NULL, 10) == (long)getpid();
}

static int pid_file_write(const struct service *s)
{
	FILE *f = fopen(s->pid_file, "w");

	if (!f || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) != 0) {
		fprintf(stderr, "%s: %s: %s\n", s->name, s->pid_file, strerror(errno));
		return -1;
	}
	return 0;
}

static int end(struct service *s)
{
	if (s->crash) {
		put_time(s, "", " FATAL ");
		put(s, "segmentation fault at 0x0000000000000010\n"
		       "    at shop::cart::total (cart.c:88)\n"
		       "    at shop::web::checkout (checkout.c:201)\n");
		flush(s);
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	put_time(s, "", " INFO  ");
	put(s, "%s %s ends\n", s->name, s->version);
	if (strcmp(s->shape, "numbered") == 0)
		s->n_out = 0; /* its lines are counted */
	flush(s);
	if (s->pid_file && pid_file_is_ours(s))
		unlink(s->pid_file);
	return got_end || passed(s, s->exit_after) ? (int)s->exit_code : 0;
}

/* What signals and the clock ask for; whether it goes on. */
static bool attend(struct service *s, int64_t now)
{
	if (got_hup) {
		got_hup = 0;
		(void)log_open(s);
	}
	if (got_usr1) {
		got_usr1 = 0;
		s->turned = !s->turned;
	}
	if (got_usr2 ||
	    (s->burst_every > 0 && now - s->burst_us > (int64_t)s->burst_every * 1000)) {
		got_usr2 = 0;
		s->burst_us = now;
		s->burst = BURST_LINES;
	}
	if (s->pid_file && now - s->pid_us > 500000) {
		s->pid_us = now;
		if (!pid_file_is_ours(s))
			return false;
	}
	return !(got_end && !s->stubborn) && !s->gone && !passed(s, s->exit_after);
}

/* Until the next line, or the next look at what may have changed. */
static int64_t pause_us(const struct service *s, bool silent)
{
	int64_t next;

	if (silent || s->rate <= 0)
		return silent ? 200000 : 0;
	next = s->start_us + (int64_t)((double)(s->line + 1) * 1e6 / s->rate) - now_us();
	return next < 1000 ? 1000 : next > 200000 ? 200000 : next;
}

static int live(struct service *s)
{
	while (attend(s, now_us())) {
		bool silent = s->count > 0 && s->line >= (uint64_t)s->count;

		for (uint64_t due = lines_due(s, now_us()); due > 0; due--)
			one_line(s);
		flush(s);
		if (silent && s->exit)
			break;
		serve(s, pause_us(s, silent));
	}
	return end(s);
}

static int start(struct service *s)
{
	struct sigaction action = { .sa_handler = on_signal };
	const int caught[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaction(caught[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->rate = strcmp(s->rate_word, "max") == 0 ? 0 : strtod(s->rate_word, NULL);
	if (s->rate == 0 && strcmp(s->rate_word, "max") != 0)
		s->rate = 1e-9;
	s->start_us = s->burst_us = s->pid_us = now_us();
	s->random = (uint64_t)s->start_us;
	s->hash = HASH_START;
	s->listen_fd = s->out_fd = -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		s->client[i].fd = -1;
	if (log_open(s) != 0 || (s->port && listen_on(s) != 0) ||
	    (s->pid_file && pid_file_write(s) != 0))
		return 1;
	if (s->written == 0)
		backfill(s);
	if (strcmp(s->shape, "numbered") != 0) {
		put_time(s, "", " INFO  ");
		put(s, "%s %s starts%s%s\n", s->name, s->version, s->port ? ", port " : "",
		    s->port ? s->port : "");
	}
	return live(s);
}

/* --- Asking and checking --------------------------------------------------------------------- */

static int probe(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)strtol(port, NULL, 10)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char ask[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char said[64] = "no answer";

	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) > 0) {
		ssize_t n = read(fd, said, sizeof(said) - 1);

		said[n > 0 ? n : 0] = '\0';
	}
	if (fd >= 0)
		close(fd);
	printf("%.*s\n", (int)strcspn(said, "\r\n"), said);
	return strncmp(said, "HTTP/1.1 200", 12) == 0 ? 0 : 1;
}

/* Prints lines=N missing=N again=N first=N last=N hash=good|bad: hash is about lines 1 to the last,
 * each once and in order; without them it says nothing ("-"). */
static int verify(void)
{
	unsigned long long n, lines = 0, missing = 0, again = 0, first = 0, last = 0;
	uint64_t hash = HASH_START;
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

/* --- The command line ------------------------------------------------------------------------ */

enum kind { TEXT, NUMBER, FLAG };
#define OPTION(word, kind, field) \
	{ \
		word, kind, offsetof(struct service, field) \
	}
static const struct option {
	const char *word;
	enum kind kind;
	size_t at;
} options[] = {
	OPTION("--port", TEXT, port),
	OPTION("--name", TEXT, name),
	OPTION("--version", TEXT, version),
	OPTION("--log", TEXT, log),
	OPTION("--rotate", NUMBER, rotate),
	OPTION("--rate", TEXT, rate_word),
	OPTION("--count", NUMBER, count),
	OPTION("--exit", FLAG, exit),
	OPTION("--backfill", NUMBER, backfill),
	OPTION("--shape", TEXT, shape),
	OPTION("--burst-every", NUMBER, burst_every),
	OPTION("--skew", NUMBER, skew),
	OPTION("--jump-back", NUMBER, jump_back),
	OPTION("--long-line", NUMBER, long_line),
	OPTION("--binary", FLAG, binary),
	OPTION("--fail-health", NUMBER, fail_health),
	OPTION("--slow-health", NUMBER, slow_health),
	OPTION("--redirect-health", FLAG, redirect_health),
	OPTION("--unhealthy-after", NUMBER, unhealthy_after),
	OPTION("--healthy-after", NUMBER, healthy_after),
	OPTION("--exit-after", NUMBER, exit_after),
	OPTION("--exit-code", NUMBER, exit_code),
	OPTION("--crash", FLAG, crash),
	OPTION("--stubborn", FLAG, stubborn),
	OPTION("--pid-file", TEXT, pid_file),
	OPTION("--probe", TEXT, probe),
	OPTION("--verify", FLAG, verify),
};

/* Takes one option; how many words it was, 0: not understood. */
static int option_take(struct service *s, const char *word, const char *value)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		void *field = (char *)s + options[i].at;
		char *rest;

		if (strcmp(options[i].word, word) != 0)
			continue;
		if (options[i].kind == FLAG) {
			*(bool *)field = true;
			return 1;
		}
		if (!value)
			return 0;
		if (options[i].kind == TEXT) {
			*(const char **)field = value;
			return 2;
		}
		*(long *)field = strtol(value, &rest, 10);
		return *value && !*rest ? 2 : 0;
	}
	return 0;
}

int demo_service(int argc, char *const argv[])
{
	static struct service s = {
		.name = "shop", .version = "1.0.0", .rate_word = "2", .shape = "mixed"
	};

	for (int i = 1, n; i < argc; i += n) {
		n = option_take(&s, argv[i], argv[i + 1]);
		if (n == 0) {
			fprintf(stderr, "%s: not an option, or without its value: %s\n", s.name,
				argv[i]);
			return 2;
		}
	}
	if (s.probe)
		return probe(s.probe);
	return s.verify ? verify() : start(&s);
}

#ifdef DEMO_SERVICE_ALONE
int main(int argc, char **argv)
{
	return demo_service(argc, argv);
}
#endif
