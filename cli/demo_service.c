/* SPDX-License-Identifier: MIT */
/*
 * A small service to look at: it answers /health and writes a log, and can be told to misbehave.
 *
 * It is what the demo runs in each environment (`bascule demo-service`, which no help lists), and, of this
 * file and demo_log.c alone and linked statically, the program in the images of the tests (shopd). So
 * both know libc and nothing of bascule.
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
 *	--verify                reads numbered lines, counts and hashes: see demo_log.c
 *
 * SIGUSR1 turns its health over, SIGUSR2 makes a burst of errors. One thread, one ppoll(). A reader
 * that does not read its log stops it, as it would any service.
 */
#include "cli/demo_service.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/demo_log.h"

#define CLIENTS_MAX 64
#define REQUEST_MAX 4096
#define LINES_AT_ONCE 500

struct client {
	int fd; /* -1: free */
	size_t n;
	int64_t due_us; /* of the answer; 0: the request is not whole yet */
	char request[REQUEST_MAX];
};

struct service {
	/* As told. */
	const char *port, *version, *rate_word, *pid_file, *probe;
	long count, backfill, burst_every, fail_health, slow_health;
	long unhealthy_after, healthy_after, exit_after, exit_code;
	bool exit, redirect_health, crash, stubborn, verify;
	/* As it is. */
	double rate; /* 0: as fast as possible */
	int listen_fd;
	int64_t start_us, burst_us, pid_us;
	bool turned; /* health is the other way round, by a signal */
	struct demo_log log;
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

/* --- Life ------------------------------------------------------------------------------------ */

/* What it would have written before it was started. */
static void backfill(struct service *s)
{
	double each_ms = s->rate > 0 ? 1000 / s->rate : 1;
	long burst_ms = 0;

	for (long left = s->backfill; left > 0; left--) {
		s->log.ago_ms = (int64_t)((double)left * each_ms);
		if (s->burst_every > 0 && s->log.ago_ms / s->burst_every != burst_ms) {
			burst_ms = s->log.ago_ms / s->burst_every;
			s->log.burst = DEMO_BURST_LINES;
		}
		demo_log_line(&s->log);
	}
	s->log.ago_ms = 0;
	s->log.before = s->log.line;
	s->log.line = 0;
	s->log.burst = 0;
}

/* How many lines are due; what was missed for more than a second is not made up for. */
static uint64_t lines_due(struct service *s, int64_t now)
{
	uint64_t due = LINES_AT_ONCE;

	/* Silent, but for what a signal asks for. */
	if (s->count > 0 && s->log.line >= (uint64_t)s->count)
		return (uint64_t)s->log.burst;
	if (s->rate > 0) {
		due = (uint64_t)((double)(now - s->start_us) * s->rate / 1e6);
		due = due > s->log.line ? due - s->log.line : 0;
		if ((double)due > s->rate + 1)
			due = (uint64_t)s->rate + 1;
	}
	if (s->count > 0 && s->log.line + due > (uint64_t)s->count)
		due = (uint64_t)s->count - s->log.line;
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
		fprintf(stderr, "%s: cannot listen on %s: %s\n", s->log.name, s->port,
			strerror(errno));
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
		s->log.name, s->version, healthy(s) ? "ok" : "failing",
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
		fprintf(stderr, "%s: %s: %s\n", s->log.name, s->pid_file, strerror(errno));
		return -1;
	}
	return 0;
}

static int end(struct service *s)
{
	char text[128];

	if (s->crash) {
		demo_log_say(&s->log, "FATAL",
			     "segmentation fault at 0x0000000000000010\n"
			     "    at shop::cart::total (cart.c:88)\n"
			     "    at shop::web::checkout (checkout.c:201)");
		demo_log_flush(&s->log);
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	snprintf(text, sizeof(text), "%s %s ends", s->log.name, s->version);
	if (strcmp(s->log.shape, "numbered") != 0) /* whose lines are counted */
		demo_log_say(&s->log, "INFO", text);
	demo_log_flush(&s->log);
	if (s->pid_file && pid_file_is_ours(s))
		unlink(s->pid_file);
	return got_end || passed(s, s->exit_after) ? (int)s->exit_code : 0;
}

/* What signals and the clock ask for; whether it goes on. */
static bool attend(struct service *s, int64_t now)
{
	if (got_hup) {
		got_hup = 0;
		(void)demo_log_open(&s->log);
	}
	if (got_usr1) {
		got_usr1 = 0;
		s->turned = !s->turned;
	}
	if (got_usr2 ||
	    (s->burst_every > 0 && now - s->burst_us > (int64_t)s->burst_every * 1000)) {
		got_usr2 = 0;
		s->burst_us = now;
		s->log.burst = DEMO_BURST_LINES;
	}
	if (s->pid_file && now - s->pid_us > 500000) {
		s->pid_us = now;
		if (!pid_file_is_ours(s))
			return false;
	}
	return !(got_end && !s->stubborn) && !s->log.gone && !passed(s, s->exit_after);
}

/* Until the next line, or the next look at what may have changed. */
static int64_t pause_us(const struct service *s, bool silent)
{
	int64_t next;

	if (silent || s->rate <= 0)
		return silent ? 200000 : 0;
	next = s->start_us + (int64_t)((double)(s->log.line + 1) * 1e6 / s->rate) - now_us();
	return next < 1000 ? 1000 : next > 200000 ? 200000 : next;
}

static int live(struct service *s)
{
	while (attend(s, now_us())) {
		bool silent = s->count > 0 && s->log.line >= (uint64_t)s->count;

		for (uint64_t due = lines_due(s, now_us()); due > 0; due--)
			demo_log_line(&s->log);
		demo_log_flush(&s->log);
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
	static const volatile sig_atomic_t never;
	char text[160];

	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaction(caught[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->rate = strcmp(s->rate_word, "max") == 0 ? 0 : strtod(s->rate_word, NULL);
	if (s->rate == 0 && strcmp(s->rate_word, "max") != 0)
		s->rate = 1e-9;
	s->start_us = s->burst_us = s->pid_us = now_us();
	s->log.random = (uint64_t)s->start_us;
	s->log.hash = DEMO_HASH_START;
	s->log.calm = s->burst_every > 0;
	s->log.stop = s->stubborn ? &never : &got_end;
	s->listen_fd = s->log.fd = -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		s->client[i].fd = -1;
	if (demo_log_open(&s->log) != 0 || (s->port && listen_on(s) != 0) ||
	    (s->pid_file && pid_file_write(s) != 0))
		return 1;
	if (s->log.written == 0)
		backfill(s);
	snprintf(text, sizeof(text), "%s %s starts%s%s", s->log.name, s->version,
		 s->port ? ", port " : "", s->port ? s->port : "");
	if (strcmp(s->log.shape, "numbered") != 0)
		demo_log_say(&s->log, "INFO", text);
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
	OPTION("--name", TEXT, log.name),
	OPTION("--version", TEXT, version),
	OPTION("--log", TEXT, log.path),
	OPTION("--rotate", NUMBER, log.rotate),
	OPTION("--rate", TEXT, rate_word),
	OPTION("--count", NUMBER, count),
	OPTION("--exit", FLAG, exit),
	OPTION("--backfill", NUMBER, backfill),
	OPTION("--shape", TEXT, log.shape),
	OPTION("--burst-every", NUMBER, burst_every),
	OPTION("--skew", NUMBER, log.skew),
	OPTION("--jump-back", NUMBER, log.jump_back),
	OPTION("--long-line", NUMBER, log.long_line),
	OPTION("--binary", FLAG, log.binary),
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
	static struct service s = { .version = "1.0.0",
				    .rate_word = "2",
				    .log = { .name = "shop", .shape = "mixed" } };

	for (int i = 1, n; i < argc; i += n) {
		n = option_take(&s, argv[i], argv[i + 1]);
		if (n == 0) {
			fprintf(stderr, "%s: not an option, or without its value: %s\n", s.log.name,
				argv[i]);
			return 2;
		}
	}
	if (s.probe)
		return probe(s.probe);
	return s.verify ? demo_log_verify() : start(&s);
}

#ifdef DEMO_SERVICE_ALONE
int main(int argc, char **argv)
{
	return demo_service(argc, argv);
}
#endif
