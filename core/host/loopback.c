/* SPDX-License-Identifier: MIT */
/*
 * The relay behind loopback.h: one thread, a handful of connections (a client library makes one, and a second to
 * cancel a statement), a buffer for each direction. It waits for what can go on: a side is read only while its
 * buffer is empty, so a slow reader slows the other side and nothing piles up. A half that ended is shut down on the
 * other side, as TLS and both protocols expect; a broken one ends both.
 *
 * Whose a connection is stands in /proc/net/tcp, where the near end of the other process is a row with its user.
 */
#include "core/host/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/host/dial.h"

#define PAIRS_MAX 16
#define BUFFER_BYTES ((size_t)64 << 10)
#define DIAL_MS 10000
#define BACKLOG 8
#define FULL_PAUSE_MS 100

struct half {
	int from, to;
	char *buf;
	size_t at, n; /* what is still to be written */
	bool ended;   /* from has ended, and to knows */
};

struct pair {
	struct half half
		[2]; /* there and back; fds: half[0].from is the client, half[0].to the socket */
};

struct loopback {
	char *path;
	int fd, port;
	struct cancel stop;
	pthread_t thread;
	struct pair pair[PAIRS_MAX]; /* of the thread alone, as is n */
	size_t n;
};

/* --- Whose is it --------------------------------------------------------------------------------- */

/* One row: "N: 0100007F:9C4A 0100007F:1538 01 00000000:00000000 00:00000000 00000000  1000 …" */
static bool row_is(const char *row, in_port_t from, in_port_t to, unsigned *uid)
{
	unsigned local_addr, local_port, remote_addr, remote_port;

	return sscanf(row, " %*d: %8X:%4X %8X:%4X %*X %*X:%*X %*X:%*X %*X %u", &local_addr,
		      &local_port, &remote_addr, &remote_port, uid) == 5 &&
	       local_addr == htonl(INADDR_LOOPBACK) && remote_addr == htonl(INADDR_LOOPBACK) &&
	       local_port == from && remote_port == to;
}

static bool is_ours(int fd, int port)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	unsigned uid = 0;
	char row[512];
	bool found = false;
	FILE *f;

	if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 || peer.sin_family != AF_INET)
		return false;
	f = fopen("/proc/net/tcp", "re");
	if (f == NULL)
		return false;
	while (!found && fgets(row, sizeof(row), f) != NULL)
		found = row_is(row, ntohs(peer.sin_port), (in_port_t)port, &uid);
	fclose(f);
	return found && uid == geteuid();
}

/* --- Relaying ------------------------------------------------------------------------------------ */

static void pair_end(struct loopback *l, size_t i)
{
	close(l->pair[i].half[0].from);
	close(l->pair[i].half[0].to);
	/* TLS or not, a password went through. */
	for (int k = 0; k < 2; k++) {
		explicit_bzero(l->pair[i].half[k].buf, BUFFER_BYTES);
		mem_free(l->pair[i].half[k].buf);
	}
	l->pair[i] = l->pair[--l->n];
}

static void accept_one(struct loopback *l)
{
	int client = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), to = -1;
	const struct host_target target = { .path = l->path };
	struct pair *p = &l->pair[l->n];
	struct err ignored;

	if (client < 0) {
		/* Without descriptors it would be told at once again, and may be over soon. */
		if ((errno == EMFILE || errno == ENFILE) &&
		    wait_fds(NULL, 0, clock_mono_ms() + FULL_PAUSE_MS, &l->stop, &ignored) < 0)
			err_clear(&ignored);
		return;
	}
	if (l->n == PAIRS_MAX || !is_ours(client, l->port) ||
	    dial_target(&target, clock_mono_ms() + DIAL_MS, &l->stop, &to, &ignored) != 0) {
		close(client);
		return;
	}
	p->half[0] = (struct half){ .from = client, .to = to, .buf = mem_alloc(BUFFER_BYTES) };
	p->half[1] = (struct half){ .from = to, .to = client, .buf = mem_alloc(BUFFER_BYTES) };
	l->n++;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Moves what can be moved. False: the connection is broken. */
static bool half_go(struct half *h)
{
	ssize_t got;

	if (h->n == 0 && !h->ended) {
		got = recv(h->from, h->buf, BUFFER_BYTES, 0);
		if (got < 0)
			return would_block();
		h->at = 0;
		h->n = (size_t)got;
		if (got == 0) {
			h->ended = true;
			return shutdown(h->to, SHUT_WR) == 0 || errno == ENOTCONN;
		}
	}
	if (h->n == 0)
		return true;
	got = send(h->to, h->buf + h->at, h->n, MSG_NOSIGNAL);
	if (got < 0)
		return would_block();
	h->at += (size_t)got;
	h->n -= (size_t)got;
	return true;
}

/* What each of the two descriptors of a pair is waited for. */
static size_t pair_wants(const struct pair *p, struct pollfd *fds)
{
	for (int k = 0; k < 2; k++) {
		const struct half *in = &p->half[k], *out = &p->half[!k];

		fds[k] = (struct pollfd){ .fd = in->from };
		if (in->n == 0 && !in->ended)
			fds[k].events |= POLLIN;
		if (out->n > 0)
			fds[k].events |= POLLOUT;
		/* A hangup is told without being asked for, over and over. */
		if (fds[k].events == 0)
			fds[k].fd = -1;
	}
	return 2;
}

static void *relay(void *arg)
{
	struct loopback *l = arg;
	struct pollfd fds[1 + 2 * PAIRS_MAX];
	struct err e;

	while (!cancel_fired(&l->stop)) {
		size_t n = 1;

		fds[0] = (struct pollfd){ .fd = l->fd, .events = POLLIN };
		for (size_t i = 0; i < l->n; i++)
			n += pair_wants(&l->pair[i], &fds[n]);
		if (wait_fds(fds, n, WAIT_FOREVER, &l->stop, &e) < 0)
			break;
		/* From the last: an ended one is replaced by the last. */
		for (size_t i = l->n; i-- > 0;) {
			struct half *h = l->pair[i].half;

			if (!half_go(&h[0]) || !half_go(&h[1]) ||
			    (h[0].ended && h[1].ended && h[0].n + h[1].n == 0))
				pair_end(l, i);
		}
		if (fds[0].revents != 0)
			accept_one(l);
	}
	while (l->n > 0)
		pair_end(l, l->n - 1);
	return NULL;
}

/* --- Opening ------------------------------------------------------------------------------------- */

static int listen_somewhere(struct loopback *l, struct err *e)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t size = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(l->fd, BACKLOG) != 0 || getsockname(l->fd, (struct sockaddr *)&addr, &size) != 0)
		return err_sys(e, errno, "cannot listen on a port of 127.0.0.1");
	l->port = ntohs(addr.sin_port);
	return 0;
}

int loopback_open(const char *path, struct loopback **out, struct err *e)
{
	struct loopback *l = mem_calloc(1, sizeof(*l));

	l->fd = -1;
	if (cancel_init(&l->stop, e) != 0) {
		mem_free(l);
		return -1;
	}
	l->path = mem_strdup(path);
	if (listen_somewhere(l, e) != 0)
		goto fail;
	if (pthread_create(&l->thread, NULL, relay, l) != 0) {
		err_set(e, ERR_SYSTEM, "cannot start a thread for a port of 127.0.0.1");
		goto fail;
	}
	*out = l;
	return 0;
fail:
	if (l->fd >= 0)
		close(l->fd);
	cancel_clear(&l->stop);
	mem_free(l->path);
	mem_free(l);
	return -1;
}

void loopback_close(struct loopback *l)
{
	if (l == NULL)
		return;
	cancel_fire(&l->stop);
	pthread_join(l->thread, NULL);
	close(l->fd);
	cancel_clear(&l->stop);
	mem_free(l->path);
	mem_free(l);
}

int loopback_port(const struct loopback *l)
{
	return l->port;
}
