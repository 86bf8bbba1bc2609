/* SPDX-License-Identifier: MIT */
/*
 * A command as a connection.
 *
 * Where a server forbids to forward sockets, `docker system dial-stdio` still joins its stdin and stdout with the
 * engine's socket. libcurl wants one socket, so there is a pair: libcurl has one end, and whoever waits for libcurl
 * moves bytes between the other end and the command. Each direction has one buffer; a full one is not read into, so
 * a slow reader slows the command only.
 */
#include "core/host/http_through.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/mem.h"

#define BUFFER_BYTES ((size_t)256 << 10)
#define WORDS_BYTES 512

struct lane {
	char *data;
	size_t start, end;
};

struct http_through {
	struct host_proc *proc;
	int fd; /* our end; -1: the other one was closed */
	struct lane in, out;
	bool in_ended, out_ended;
	char words[WORDS_BYTES];
	size_t n_words;
};

int http_through_open(struct host *h, const char *const *argv, int64_t deadline_ms,
		      struct cancel *c, struct http_through **out, int *fd, struct err *e)
{
	const struct host_command command = { .argv = argv, .duplex = true, .bulk = true };
	struct http_through *t;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, errno, "cannot make a pair of sockets");
	t = mem_calloc(1, sizeof(*t));
	t->fd = pair[1];
	t->in.data = mem_alloc(BUFFER_BYTES);
	t->out.data = mem_alloc(BUFFER_BYTES);
	if (host_start(h, &command, deadline_ms, c, &t->proc, e) != 0) {
		close(pair[0]);
		http_through_close(t);
		return -1;
	}
	*out = t;
	*fd = pair[0];
	return 0;
}

static size_t room(const struct lane *l)
{
	return BUFFER_BYTES - l->end;
}

static bool full(const struct lane *l)
{
	return l->end > l->start;
}

/* Written up to n; an empty lane begins anew. */
static void took(struct lane *l, size_t n)
{
	l->start += n;
	if (l->start == l->end)
		l->start = l->end = 0;
}

size_t http_through_fds(const struct http_through *t, struct pollfd *fd)
{
	int out = host_proc_fd(t->proc, HOST_OUT), err = host_proc_fd(t->proc, HOST_ERR);
	int in = host_proc_in(t->proc);
	short events = 0;
	size_t n = 0;

	if (out >= 0 && room(&t->out) >= HOST_READ_MIN)
		fd[n++] = (struct pollfd){ .fd = out, .events = POLLIN };
	if (err >= 0)
		fd[n++] = (struct pollfd){ .fd = err, .events = POLLIN };
	if (in >= 0 && full(&t->in))
		fd[n++] = (struct pollfd){ .fd = in, .events = POLLOUT };
	if (!t->in_ended && room(&t->in) > 0)
		events |= POLLIN;
	if (full(&t->out))
		events |= POLLOUT;
	if (t->fd >= 0 && events != 0)
		fd[n++] = (struct pollfd){ .fd = t->fd, .events = events };
	return n;
}

static void read_proc(struct http_through *t)
{
	struct err ignored;
	size_t got;

	while (host_proc_fd(t->proc, HOST_OUT) >= 0 && room(&t->out) >= HOST_READ_MIN) {
		got = 0;
		if (host_proc_read(t->proc, HOST_OUT, t->out.data + t->out.end, room(&t->out), &got,
				   &ignored) != 0) {
			t->out_ended = true;
			break;
		}
		t->out.end += got;
		if (got == 0)
			break;
	}
	if (host_proc_fd(t->proc, HOST_OUT) < 0)
		t->out_ended = true;
}

/* What it says of why it ended; the beginning of it, where that is long. */
static void read_words(struct http_through *t)
{
	struct err ignored;
	char text[HOST_READ_MIN];
	size_t got = 1;

	while (got > 0 && host_proc_fd(t->proc, HOST_ERR) >= 0) {
		size_t n;

		got = 0;
		if (host_proc_read(t->proc, HOST_ERR, text, sizeof(text), &got, &ignored) != 0)
			return;
		n = sizeof(t->words) - 1 - t->n_words;
		n = got < n ? got : n;
		memcpy(t->words + t->n_words, text, n);
		t->n_words += n;
		t->words[t->n_words] = '\0';
	}
}

static void write_to(struct lane *l, int fd)
{
	ssize_t n;

	while (full(l)) {
		n = send(fd, l->data + l->start, l->end - l->start, MSG_NOSIGNAL);
		if (n < 0 && errno == ENOTSOCK)
			n = write(fd, l->data + l->start, l->end - l->start);
		if (n <= 0) {
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return;
			n = (ssize_t)(l->end - l->start); /* nobody reads it any more */
		}
		took(l, (size_t)n);
	}
}

static void read_fd(struct http_through *t)
{
	ssize_t n;

	if (t->in_ended || room(&t->in) == 0)
		return;
	n = recv(t->fd, t->in.data + t->in.end, room(&t->in), 0);
	if (n > 0)
		t->in.end += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		t->in_ended = true;
}

void http_through_move(struct http_through *t)
{
	int in = host_proc_in(t->proc);

	read_proc(t);
	read_words(t);
	if (t->fd < 0)
		return;
	read_fd(t);
	if (in >= 0)
		write_to(&t->in, in);
	write_to(&t->out, t->fd);
	if (t->in_ended && !full(&t->in) && in >= 0)
		host_proc_end_input(t->proc);
	/* The reader sees the end only when all of it has been written. */
	if (t->out_ended && !full(&t->out)) {
		close(t->fd);
		t->fd = -1;
	}
}

const char *http_through_words(const struct http_through *t)
{
	return t->words;
}

void http_through_close(struct http_through *t)
{
	if (t == NULL)
		return;
	host_proc_close(t->proc);
	if (t->fd >= 0)
		close(t->fd);
	mem_free(t->in.data);
	mem_free(t->out.data);
	mem_free(t);
}
