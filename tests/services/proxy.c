/* SPDX-License-Identifier: MIT */
/*
 * A bad network between a client and a server of a test.
 *
 *	proxy --control PATH [--delay MS] {--to ADDRESS --listen ADDRESS}...
 *	proxy --tell PATH COMMAND...
 *
 * ADDRESS is unix:PATH or tcp:PORT, always on 127.0.0.1. The second form sends one command to a
 * running proxy and prints its answer; when it returns, the command is in force. Commands:
 *
 *	delay MS         each way, from now on
 *	cut              all connections are reset now
 *	cut client       only towards the clients; the server goes on as if they were there
 *	blackhole        accept and read, answer nothing, pass nothing on
 *	refuse           no longer listen; what is open stays
 *	slow MS          a new connection is let through only after this time
 *	swallow [TEXT [ANSWER]]
 *	                 once: when a client has sent TEXT (anything, if not given), it goes through, but
 *	                 what the server answers is withheld; when that has ANSWER in it, or when
 *	                 nothing more came for QUIET_US if no ANSWER is given, the connection is cut
 *	normal           none of these; the delay stays
 *	stats            accepted=N open=N swallowed=N up=BYTES down=BYTES
 *
 * A delay does not limit throughput: every chunk read gets the time at which it is due and waits in
 * a queue, so any number of them are on their way at once. Ends are delayed like data. The opening
 * of a connection is not: the kernel accepts it. One thread, one ppoll(); times are microseconds of
 * the monotonic clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_SIZE 65536
#define QUEUE_MAX (16 << 20) /* bytes on their way in one direction */
#define QUIET_US 200000
#define DOORS_MAX 4
#define COMMAND_SIZE 1024
#define NEVER INT64_MAX

struct address {
	const char *text;
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
	} sa;
	socklen_t len;
};

struct chunk {
	struct chunk *next;
	int64_t due_us;
	size_t len, sent; /* len 0: the end */
	char data[];
};

/* One direction of a connection. */
struct flow {
	struct chunk *head, **tail;
	size_t queued;
	bool read_end, write_end;
};

/* Looks for a text in a stream, also across chunks. */
struct finder {
	char *text;
	char *kept; /* the last bytes seen, shorter than text */
	size_t n_kept;
};

struct conn {
	struct conn *next;
	int client, server; /* -1: closed, or not yet open */
	const struct address *to;
	struct flow up, down;
	struct finder asked, answered;
	bool withhold;       /* what the server says goes nowhere */
	bool lost;           /* the client is gone, the server must not know */
	int64_t open_us;     /* when the server is connected to */
	int64_t answered_us; /* the last of what was withheld, or 0 */
	size_t poll_at;      /* index of its two entries in the poll list */
};

struct proxy {
	struct door {
		struct address at, to;
		int fd; /* -1: refuses */
	} door[DOORS_MAX];
	size_t n_doors;
	int control_fd;
	struct conn *conns;
	int64_t delay_us, slow_us;
	bool blackhole, armed;
	char *text, *answer; /* of swallow; may be NULL */
	unsigned long accepted, swallowed, up_bytes, down_bytes;
	char *buf;
};

static void die(const char *what, const char *which)
{
	fprintf(stderr, "proxy: %s %s: %s\n", what, which, strerror(errno));
	exit(1);
}

static void *must_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		die("allocate", "memory");
	return p;
}

static char *copy(const char *text)
{
	return text ? memcpy(must_alloc(strlen(text) + 1), text, strlen(text) + 1) : NULL;
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- Addresses --------------------------------------------------------------------------------- */

static void address_parse(struct address *a, const char *text)
{
	const char *rest = strchr(text, ':');
	char *end = NULL;
	long port;

	memset(a, 0, sizeof(*a));
	a->text = text;
	if (rest && strncmp(text, "unix:", 5) == 0 && strlen(++rest) < sizeof(a->sa.un.sun_path)) {
		a->sa.un.sun_family = AF_UNIX;
		memcpy(a->sa.un.sun_path, rest, strlen(rest) + 1);
		a->len = sizeof(a->sa.un);
		return;
	}
	port = rest ? strtol(rest + (*rest == ':'), &end, 10) : 0;
	errno = EINVAL;
	if (strncmp(text, "tcp:", 4) != 0 || *end || port < 1 || port > 65535)
		die("use address", text);
	a->sa.in.sin_family = AF_INET;
	a->sa.in.sin_port = htons((uint16_t)port);
	a->sa.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->len = sizeof(a->sa.in);
}

static int address_socket(const struct address *a)
{
	int one = 1, fd;

	fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("open socket for", a->text);
	if (a->sa.any.sa_family == AF_INET) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	return fd;
}

static int address_listen(const struct address *a)
{
	int fd = address_socket(a);

	if (a->sa.any.sa_family == AF_UNIX)
		(void)unlink(a->sa.un.sun_path);
	if (bind(fd, &a->sa.any, a->len) != 0 || listen(fd, 128) != 0)
		die("listen on", a->text);
	return fd;
}

/* A reset, where there is such a thing. */
static void reset(int *fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	if (*fd < 0)
		return;
	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(*fd);
	*fd = -1;
}

/* --- Streams ----------------------------------------------------------------------------------- */

static bool finder_sees(struct finder *f, const char *data, size_t n)
{
	size_t want = f->text ? strlen(f->text) : 0, keep;
	char *all;
	bool seen;

	if (want == 0)
		return true;
	all = must_alloc(f->n_kept + n + 1);
	memcpy(all, f->kept ? f->kept : "", f->n_kept);
	memcpy(all + f->n_kept, data, n);
	n += f->n_kept;
	seen = memmem(all, n, f->text, want) != NULL;
	keep = n < want - 1 ? n : want - 1;
	memmove(all, all + n - keep, keep);
	free(f->kept);
	f->kept = all;
	f->n_kept = keep;
	return seen;
}

static void finder_set(struct finder *f, const char *text)
{
	free(f->text);
	free(f->kept);
	*f = (struct finder){ .text = copy(text) };
}

static void flow_add(struct flow *f, const char *data, size_t n, int64_t due_us)
{
	struct chunk *c = must_alloc(sizeof(*c) + n);

	c->due_us = due_us;
	c->len = n;
	memcpy(c->data, data, n);
	f->queued += n;
	*f->tail = c;
	f->tail = &c->next;
}

static void flow_pop(struct flow *f)
{
	struct chunk *c = f->head;

	f->head = c->next;
	if (!f->head)
		f->tail = &f->head;
	f->queued -= c->len;
	free(c);
}

static void flow_clear(struct flow *f)
{
	while (f->head)
		flow_pop(f);
}

/* Sends what is due. -1: the other side is gone. */
static int flow_send(struct flow *f, int fd, int64_t now)
{
	while (f->head && f->head->due_us <= now) {
		struct chunk *c = f->head;
		ssize_t n;

		if (c->len == 0) {
			shutdown(fd, SHUT_WR);
			f->write_end = true;
			flow_pop(f);
			continue;
		}
		n = send(fd, c->data + c->sent, c->len - c->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		c->sent += (size_t)n;
		if (c->sent == c->len)
			flow_pop(f);
	}
	return 0;
}

/* --- Connections ------------------------------------------------------------------------------- */

static void conn_cut(struct conn *c)
{
	reset(&c->client);
	reset(&c->server);
}

static void conn_free(struct conn *c)
{
	conn_cut(c);
	flow_clear(&c->up);
	flow_clear(&c->down);
	finder_set(&c->asked, NULL);
	finder_set(&c->answered, NULL);
	free(c);
}

static bool conn_dead(const struct conn *c)
{
	if (c->client < 0 && !c->lost)
		return true;
	if (c->lost && c->server < 0)
		return true;
	return c->up.write_end && c->down.write_end;
}

static void conn_arm(struct proxy *p, struct conn *c)
{
	finder_set(&c->asked, p->text);
	finder_set(&c->answered, p->answer);
}

static void conn_accept(struct proxy *p, const struct door *door)
{
	struct conn *c;
	int one = 1, fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c = must_alloc(sizeof(*c));
	c->client = fd;
	c->server = -1;
	c->to = &door->to;
	c->up.tail = &c->up.head;
	c->down.tail = &c->down.head;
	c->open_us = p->blackhole ? NEVER : now_us() + p->slow_us;
	conn_arm(p, c);
	c->next = p->conns;
	p->conns = c;
	p->accepted++;
}

static void conn_open(struct conn *c)
{
	c->open_us = NEVER;
	c->server = address_socket(c->to);
	if (connect(c->server, &c->to->sa.any, c->to->len) != 0 && errno != EINPROGRESS)
		conn_cut(c);
}

/* Bytes of the client, on their way to the server. */
static void conn_asked(struct proxy *p, struct conn *c, size_t n, int64_t now)
{
	p->up_bytes += n;
	if (p->blackhole || c->lost)
		return;
	flow_add(&c->up, p->buf, n, now + p->delay_us);
	if (p->armed && finder_sees(&c->asked, p->buf, n)) {
		p->armed = false;
		c->withhold = true;
	}
}

/* Bytes of the server. */
static void conn_answered(struct proxy *p, struct conn *c, size_t n, int64_t now)
{
	p->down_bytes += n;
	if (p->blackhole || c->lost)
		return;
	if (!c->withhold) {
		flow_add(&c->down, p->buf, n, now + p->delay_us);
		return;
	}
	c->answered_us = now;
	if (c->answered.text && finder_sees(&c->answered, p->buf, n)) {
		p->swallowed++;
		conn_cut(c);
	}
}

/* One read from one side. */
static void conn_read(struct proxy *p, struct conn *c, bool from_client)
{
	int *fd = from_client ? &c->client : &c->server;
	struct flow *f = from_client ? &c->up : &c->down;
	ssize_t n = recv(*fd, p->buf, CHUNK_SIZE, 0);
	int64_t now = now_us();

	if (n > 0) {
		(from_client ? conn_asked : conn_answered)(p, c, (size_t)n, now);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || p->blackhole || c->lost || (c->withhold && !from_client)) {
		p->swallowed += c->answered_us != 0;
		conn_cut(c);
		return;
	}
	f->read_end = true;
	flow_add(f, "", 0, now + p->delay_us);
}

/* What time brings: opening, sending, the end of a withheld answer. */
static void conn_step(struct proxy *p, struct conn *c, int64_t now)
{
	if (c->open_us <= now)
		conn_open(c);
	if (c->server >= 0 && flow_send(&c->up, c->server, now) != 0)
		conn_cut(c);
	if (c->client >= 0 && flow_send(&c->down, c->client, now) != 0)
		conn_cut(c);
	if (c->answered_us && !c->answered.text && now - c->answered_us >= QUIET_US &&
	    c->client >= 0) {
		p->swallowed++;
		conn_cut(c);
	}
}

static void earlier(int64_t *next, int64_t then)
{
	if (then < *next)
		*next = then;
}

/* Moves *next to when c wants to be looked at. Data that is due already waits for its socket. */
static void conn_next(const struct conn *c, int64_t now, int64_t *next)
{
	earlier(next, c->open_us);
	if (c->answered_us && !c->answered.text)
		earlier(next, c->answered_us + QUIET_US);
	if (c->server >= 0 && c->up.head && c->up.head->due_us > now)
		earlier(next, c->up.head->due_us);
	if (c->client >= 0 && c->down.head && c->down.head->due_us > now)
		earlier(next, c->down.head->due_us);
}

/* --- Control ----------------------------------------------------------------------------------- */

static void proxy_listen(struct proxy *p, bool on)
{
	for (struct door *door = p->door; door < p->door + p->n_doors; door++) {
		if (on && door->fd < 0)
			door->fd = address_listen(&door->at);
		if (!on && door->fd >= 0) {
			close(door->fd);
			door->fd = -1;
		}
	}
}

static void proxy_swallow(struct proxy *p, const char *text, const char *answer)
{
	free(p->text);
	free(p->answer);
	p->text = copy(text);
	p->answer = copy(answer);
	p->armed = true;
	for (struct conn *c = p->conns; c; c = c->next)
		conn_arm(p, c);
}

static void proxy_cut(struct proxy *p, bool only_client)
{
	for (struct conn *c = p->conns; c; c = c->next) {
		if (only_client && c->server >= 0) {
			c->lost = true;
			reset(&c->client);
		} else {
			conn_cut(c);
		}
	}
}

static void proxy_normal(struct proxy *p)
{
	/* A connection that lost bytes makes no sense any more. */
	if (p->blackhole)
		proxy_cut(p, false);
	p->blackhole = p->armed = false;
	p->slow_us = 0;
	proxy_listen(p, true);
}

static void proxy_stats(struct proxy *p, char *out, size_t size)
{
	size_t open = 0;

	for (struct conn *c = p->conns; c; c = c->next)
		open += !conn_dead(c);
	snprintf(out, size, "accepted=%lu open=%zu swallowed=%lu up=%lu down=%lu\n", p->accepted,
		 open, p->swallowed, p->up_bytes, p->down_bytes);
}

/* line: words separated by tabs. Writes the answer to out. */
static void proxy_obey(struct proxy *p, char *line, char *out, size_t size)
{
	const char *verb = strsep(&line, "\t"), *one = strsep(&line, "\t"),
		   *two = strsep(&line, "\t");
	int64_t us = one ? strtoll(one, NULL, 10) * 1000 : 0;

	snprintf(out, size, "ok\n");
	if (strcmp(verb, "delay") == 0)
		p->delay_us = us;
	else if (strcmp(verb, "slow") == 0)
		p->slow_us = us;
	else if (strcmp(verb, "cut") == 0)
		proxy_cut(p, one != NULL);
	else if (strcmp(verb, "blackhole") == 0)
		p->blackhole = true;
	else if (strcmp(verb, "refuse") == 0)
		proxy_listen(p, false);
	else if (strcmp(verb, "swallow") == 0)
		proxy_swallow(p, one, two);
	else if (strcmp(verb, "normal") == 0)
		proxy_normal(p);
	else if (strcmp(verb, "stats") == 0)
		proxy_stats(p, out, size);
	else
		snprintf(out, size, "no such command\n");
}

/* One command. The teller is a proxy too, which sends it in one piece and at once. */
static void proxy_control(struct proxy *p)
{
	struct timeval limit = { .tv_sec = 2 };
	char line[COMMAND_SIZE], out[COMMAND_SIZE];
	int fd = accept4(p->control_fd, NULL, NULL, SOCK_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n > 0) {
		line[n] = '\0';
		proxy_obey(p, line, out, sizeof(out));
		(void)send(fd, out, strlen(out), MSG_NOSIGNAL);
	}
	close(fd);
}

static int tell(int argc, char **argv)
{
	char line[COMMAND_SIZE] = "", name[COMMAND_SIZE], out[COMMAND_SIZE];
	struct address to;
	size_t len = 0;
	ssize_t n;
	int fd;

	for (int i = 1; i < argc && len < sizeof(line); i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, i > 1 ? "\t%s" : "%s",
					argv[i]);
	snprintf(name, sizeof(name), "unix:%s", argv[0]);
	address_parse(&to, name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	errno = len < sizeof(line) ? errno : E2BIG;
	if (len >= sizeof(line) || connect(fd, &to.sa.any, to.len) != 0 ||
	    send(fd, line, len, MSG_NOSIGNAL) < 0)
		die("tell", argv[0]);
	n = recv(fd, out, sizeof(out), 0);
	if (n <= 0)
		die("hear from", argv[0]);
	fwrite(out, 1, (size_t)n, stdout);
	return memcmp(out, "no ", 3) == 0 ? 2 : 0;
}

/* --- The loop ---------------------------------------------------------------------------------- */

/* A socket that nothing is wanted of is not polled: one with an end that was read says so for as
 * long as it is asked. */
static struct pollfd wanted(int fd, const struct flow *in, const struct flow *out, int64_t now)
{
	short events = 0;

	if (!in->read_end && in->queued < QUEUE_MAX)
		events |= POLLIN;
	if (out->head && out->head->due_us <= now)
		events |= POLLOUT;
	return (struct pollfd){ events ? fd : -1, events, 0 };
}

/* What to poll; caller frees. */
static struct pollfd *proxy_poll_list(struct proxy *p, int64_t now, size_t *n, int64_t *next)
{
	struct pollfd *fds;
	size_t count = 1 + p->n_doors;

	for (struct conn *c = p->conns; c; c = c->next)
		count += 2;
	fds = must_alloc(count * sizeof(*fds));
	fds[0] = (struct pollfd){ .fd = p->control_fd, .events = POLLIN };
	for (*n = 1; *n <= p->n_doors; (*n)++)
		fds[*n] = (struct pollfd){ .fd = p->door[*n - 1].fd, .events = POLLIN };
	*next = NEVER;
	for (struct conn *c = p->conns; c; c = c->next) {
		c->poll_at = *n;
		fds[(*n)++] = wanted(c->client, &c->up, &c->down, now);
		fds[(*n)++] = wanted(c->server, &c->down, &c->up, now);
		conn_next(c, now, next);
	}
	if (*next < now)
		*next = now;
	return fds;
}

static void proxy_turn(struct proxy *p)
{
	int64_t now = now_us(), next;
	struct pollfd *fds;
	struct timespec ts;
	size_t n;

	fds = proxy_poll_list(p, now, &n, &next);
	next -= now;
	ts = (struct timespec){ .tv_sec = next / 1000000, .tv_nsec = next % 1000000 * 1000 };
	if (ppoll(fds, (nfds_t)n, next > NEVER / 2 ? NULL : &ts, NULL) < 0 && errno != EINTR)
		die("poll", "connections");
	for (struct conn *c = p->conns; c; c = c->next) {
		const struct pollfd *at = &fds[c->poll_at];

		if (c->client >= 0 && !c->up.read_end && at[0].revents & ~POLLOUT)
			conn_read(p, c, true);
		if (c->server >= 0 && !c->down.read_end && at[1].revents & ~POLLOUT)
			conn_read(p, c, false);
	}
	if (fds[0].revents)
		proxy_control(p);
	for (size_t i = 0; i < p->n_doors; i++)
		if (fds[1 + i].revents && p->door[i].fd >= 0)
			conn_accept(p, &p->door[i]);
	free(fds);
	now = now_us();
	for (struct conn **c = &p->conns; *c;) {
		struct conn *this = *c;

		conn_step(p, this, now);
		if (!conn_dead(this)) {
			c = &this->next;
			continue;
		}
		*c = this->next;
		conn_free(this);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: proxy --control PATH [--delay MS] {--to A --listen A}...\n"
			"       proxy --tell PATH COMMAND...\n");
	return 2;
}

static void proxy_option(struct proxy *p, const char *option, const char *value)
{
	struct door *door = &p->door[p->n_doors];
	char name[COMMAND_SIZE];
	struct address control;

	if (strcmp(option, "--to") == 0 && p->n_doors < DOORS_MAX) {
		address_parse(&door->to, value);
	} else if (strcmp(option, "--listen") == 0 && p->n_doors < DOORS_MAX && door->to.text) {
		address_parse(&door->at, value);
		door->fd = -1;
		p->n_doors++;
	} else if (strcmp(option, "--control") == 0) {
		snprintf(name, sizeof(name), "unix:%s", value);
		address_parse(&control, name);
		p->control_fd = address_listen(&control);
	} else if (strcmp(option, "--delay") == 0) {
		p->delay_us = strtoll(value, NULL, 10) * 1000;
	} else {
		exit(usage());
	}
}

int main(int argc, char **argv)
{
	struct proxy p = { .control_fd = -1 };

	if (argc > 3 && strcmp(argv[1], "--tell") == 0)
		return tell(argc - 2, argv + 2);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i + 1 < argc; i += 2)
		proxy_option(&p, argv[i], argv[i + 1]);
	if (argc % 2 == 0 || p.control_fd < 0 || p.n_doors == 0)
		return usage();
	p.buf = must_alloc(CHUNK_SIZE);
	proxy_listen(&p, true);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		proxy_turn(&p);
}
