/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes between a channel of libssh2 and the descriptors of its caller.
 *
 * From the server: a block is read from libssh2 and written to the reader's pipe or socket. What that does
 * not take is held, and as long as something is held nothing more is read, so libssh2 gives the server no
 * more window and the remote program comes to wait. At most one window and one block are in memory for a
 * reader that does not read.
 *
 * To the server: a block is read only when the one before was given to libssh2 whole. A write is tried again
 * with the same bytes at the same address, as libssh2 wants it.
 *
 * Ends are kept apart. The end of a stream of the server closes (or half closes) its local descriptor only. A
 * command has ended when both streams have ended and the server has closed the channel: its exit status or
 * signal came before that. Both are asked for, since libssh2 says status 0 of a command that a signal ended.
 *
 * When a caller is gone (it left, or closed its socket), the channel is closed from here; the other side's
 * watcher then ends the command.
 */
#include "core/host/host_ssh.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCKS_OUT 4 /* of one channel in one round */
#define BLOCKS_IN 8
#define OUT_MUCH ((size_t)512 << 10) /* encrypted and not sent */

static bool is_stream(const struct ssh_channel *ch)
{
	return ch->kind != SSH_EXEC;
}

static struct ssh_end *end_in(struct ssh_channel *ch)
{
	return &ch->end[is_stream(ch) ? SSH_OUT : SSH_IN];
}

static void end_close(struct ssh_link *l, struct ssh_end *end)
{
	ssh_link_disarm(l, end);
	if (end->fd >= 0)
		close(end->fd);
	end->fd = -1;
}

static void set_phase(struct ssh_channel *ch, enum ssh_phase phase)
{
	pthread_mutex_lock(&ch->state->lock);
	ch->phase = phase;
	pthread_mutex_unlock(&ch->state->lock);
}

/* --- From the server --------------------------------------------------------------------------- */

/* Writes what the reader takes; the rest is lost when nobody is there. Returns what is left. */
static struct sv give_reader(struct ssh_link *l, struct ssh_end *end, struct sv bytes)
{
	while (bytes.n > 0 && !end->full) {
		ssize_t n;

		if (end->fd < 0 || end->gone)
			return sv_n(NULL, 0);
		n = write(end->fd, bytes.p, bytes.n);
		if (n >= 0) {
			bytes = sv_n(bytes.p + n, bytes.n - (size_t)n);
		} else if (errno == EAGAIN) {
			end->full = true;
		} else if (errno != EINTR) {
			ssh_link_disarm(l, end);
			end->gone = true;
		}
	}
	return bytes;
}

static void hold(struct ssh_channel *ch, int s, struct sv rest)
{
	ch->held[s].data = mem_alloc(rest.n);
	memcpy(ch->held[s].data, rest.p, rest.n);
	ch->held[s].n = rest.n;
	ch->held[s].at = 0;
}

/* False when something is still held. */
static bool give_held(struct ssh_link *l, struct ssh_channel *ch, int s, bool *moved)
{
	struct sv rest;
	size_t before = ch->held[s].n - ch->held[s].at;

	if (ch->held[s].data == NULL)
		return true;
	rest = give_reader(l, &ch->end[s], sv_n(ch->held[s].data + ch->held[s].at, before));
	*moved = *moved || rest.n != before;
	ch->held[s].at = ch->held[s].n - rest.n;
	if (rest.n > 0)
		return false;
	mem_free(ch->held[s].data);
	ch->held[s].data = NULL;
	return true;
}

static void stream_ended(struct ssh_link *l, struct ssh_channel *ch, int s)
{
	ch->eof[s] = true;
	if (!is_stream(ch))
		end_close(l, &ch->end[s]);
	else if (ch->end[s].fd >= 0)
		shutdown(ch->end[s].fd, SHUT_WR);
}

static bool pump_out(struct ssh_link *l, struct ssh_channel *ch, int s)
{
	bool moved = false;

	if (!give_held(l, ch, s, &moved) || ch->eof[s] || ch->seen[s] == l->arrived)
		return moved;
	for (int i = 0; i < BLOCKS_OUT; i++) {
		ssize_t n = l->lib->channel_read_ex(ch->ssh, s, l->block, SSH_BLOCK);
		struct sv rest;

		if (n == LIBSSH2_ERROR_EAGAIN) {
			ch->seen[s] = l->arrived;
			return moved;
		}
		if (n < 0) {
			l->sock_ended = true; /* the connection is of no use any more */
			return moved;
		}
		moved = true;
		if (n == 0) {
			stream_ended(l, ch, s);
			return true;
		}
		rest = give_reader(l, &ch->end[s], sv_n(l->block, (size_t)n));
		if (rest.n > 0) {
			hold(ch, s, rest);
			return true;
		}
	}
	return true;
}

/* --- To the server ----------------------------------------------------------------------------- */

/* Reads a block from the caller. False when there is none now. */
static bool fill(struct ssh_link *l, struct ssh_channel *ch)
{
	struct ssh_end *end = end_in(ch);
	ssize_t n;

	if (ch->in_ended || end->dry)
		return false;
	if (ch->in == NULL) {
		ch->in = mem_alloc(SSH_STEP);
		ch->cap_in = SSH_STEP;
	}
	do
		n = read(end->fd, ch->in, ch->cap_in);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		end->dry = true;
		return false;
	}
	ch->at_in = 0;
	ch->n_in = n > 0 ? (size_t)n : 0;
	if (n <= 0) {
		ch->in_ended = true;
		if (!is_stream(ch))
			end_close(l, end);
	}
	return n > 0;
}

/* Gives libssh2 what was read. False when it takes no more now. */
static bool give_server(struct ssh_link *l, struct ssh_channel *ch, bool *moved)
{
	while (ch->at_in < ch->n_in) {
		size_t n = ch->n_in - ch->at_in < SSH_STEP ? ch->n_in - ch->at_in : SSH_STEP;
		ssize_t rc;

		if (l->out.len - l->out_at > OUT_MUCH)
			return false;
		rc = l->lib->channel_write_ex(ch->ssh, 0, ch->in + ch->at_in, n);
		if (rc == LIBSSH2_ERROR_EAGAIN || rc == 0)
			return false;
		*moved = true;
		if (rc < 0) {
			/* The channel takes no more: its program has ended. */
			ch->in_ended = true;
			ch->at_in = ch->n_in;
			break;
		}
		ch->at_in += (size_t)rc;
	}
	return true;
}

static bool pump_in(struct ssh_link *l, struct ssh_channel *ch)
{
	bool moved = false;

	for (int i = 0; i < BLOCKS_IN && !ch->eof_sent; i++) {
		if (!give_server(l, ch, &moved))
			return moved;
		if (fill(l, ch))
			continue;
		/* A command that got its input keeps its stdin: the end of that is what tells the other side that
		 * nobody is there. */
		if (ch->in_ended && !ch->keep_in &&
		    l->lib->channel_send_eof(ch->ssh) != LIBSSH2_ERROR_EAGAIN) {
			ch->eof_sent = true;
			moved = true;
		}
		return moved;
	}
	return moved;
}

/* --- The end ----------------------------------------------------------------------------------- */

static void exit_of(struct ssh_link *l, struct ssh_channel *ch, struct host_result *r)
{
	char *name = NULL;
	size_t n = 0;

	r->status = l->lib->channel_get_exit_status(ch->ssh);
	r->signal[0] = '\0';
	l->lib->channel_get_exit_signal(ch->ssh, &name, &n, NULL, NULL, NULL, NULL);
	if (name == NULL)
		return;
	r->status = -1;
	str_copy_sv(r->signal, sizeof(r->signal), sv_n(name, n));
	l->lib->free(l->session, name);
}

/* The channel of a command that ended well is what libssh2 is called with when there is no other one. Not one whose
 * window libssh2 would want to widen, since the server does not know it any more. */
static void keep_handle(struct ssh_link *l, LIBSSH2_CHANNEL *ssh)
{
	unsigned long initial = 0, left = l->lib->channel_window_read_ex(ssh, NULL, &initial);

	if (left < initial / 4 * 3) {
		l->lib->channel_free(ssh);
		return;
	}
	if (l->handle != NULL)
		l->lib->channel_free(l->handle);
	l->handle = ssh;
}

/* True when the server has closed it. */
static bool end_step(struct ssh_link *l, struct ssh_channel *ch)
{
	struct host_result r = { .status = -1 };
	LIBSSH2_CHANNEL *ssh = ch->ssh;
	bool clean = ch->phase == SSH_DRAINS, known = clean && !is_stream(ch);
	struct err e;
	int rc;

	if (known) {
		/* Not closed from here before, so that its exit status is not lost. */
		rc = l->lib->channel_wait_closed(ssh);
		if (rc == LIBSSH2_ERROR_EAGAIN)
			return false;
		exit_of(l, ch, &r);
		known = rc == 0;
	}
	rc = l->lib->channel_close(ssh);
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return false;
	if (clean && rc == 0)
		keep_handle(l, ssh);
	else
		l->lib->channel_free(ssh);
	pthread_mutex_lock(&l->state->lock);
	if (known)
		ssh_channel_finish(ch, &r, true);
	pthread_mutex_unlock(&l->state->lock);
	err_set(&e, ERR_CANCELLED, "given up");
	ssh_channel_drop(l, ch, &e, false);
	return true;
}

void ssh_channel_abort(struct ssh_link *l, struct ssh_channel *ch)
{
	for (size_t i = 0; i < SSH_ENDS; i++)
		end_close(l, &ch->end[i]);
	if (l->alive == ch)
		l->alive = NULL;
	set_phase(ch, SSH_ABORTS);
}

/* --- One step ---------------------------------------------------------------------------------- */

/* What epoll is to watch for this channel. */
static void arm_ends(struct ssh_link *l, struct ssh_channel *ch)
{
	bool wants_in = !ch->in_ended && ch->at_in == ch->n_in;

	for (int i = 0; i < SSH_ENDS; i++) {
		uint32_t events = 0;

		if (i < SSH_IN && ch->held[i].data != NULL)
			events |= EPOLLOUT;
		if (&ch->end[i] == end_in(ch) && wants_in)
			events |= EPOLLIN;
		ssh_link_arm(l, &ch->end[i], events);
	}
}

static bool run_step(struct ssh_link *l, struct ssh_channel *ch)
{
	bool moved = pump_out(l, ch, SSH_OUT);

	if (!is_stream(ch) && pump_out(l, ch, SSH_ERR))
		moved = true;
	if (pump_in(l, ch))
		moved = true;
	if (is_stream(ch)) {
		bool done_in = ch->in_ended && ch->at_in == ch->n_in;

		if (ch->end[SSH_OUT].gone && done_in)
			ssh_channel_abort(l, ch);
		else if (ch->eof[SSH_OUT] && ch->eof_sent)
			set_phase(ch, SSH_DRAINS);
	} else if (ch->eof[SSH_OUT] && ch->eof[SSH_ERR]) {
		set_phase(ch, SSH_DRAINS);
	}
	arm_ends(l, ch);
	return moved;
}

bool ssh_channel_step(struct ssh_link *l, struct ssh_channel *ch)
{
	struct err e;
	bool left;

	pthread_mutex_lock(&l->state->lock);
	left = ch->left;
	pthread_mutex_unlock(&l->state->lock);
	if (left && ch->phase == SSH_WAITS) {
		err_set(&e, ERR_CANCELLED, "given up");
		ssh_channel_drop(l, ch, &e, false);
		return true;
	}
	/* One that is being opened is libssh2's until the server has answered. */
	if (left && ch->phase > SSH_OPENS && ch->phase < SSH_ABORTS)
		ssh_channel_abort(l, ch);
	switch (ch->phase) {
	case SSH_STARTS:
		return ssh_channel_start_step(l, ch);
	case SSH_RUNS:
		return run_step(l, ch);
	case SSH_DRAINS:
		if (!is_stream(ch)) {
			pump_in(l, ch);
			arm_ends(l, ch);
		}
		return end_step(l, ch);
	case SSH_ABORTS:
		return end_step(l, ch);
	default:
		return false;
	}
}
