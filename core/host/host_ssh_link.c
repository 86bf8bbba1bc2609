/* SPDX-License-Identifier: MIT */
/*
 * The thread of one connection: its loop, its socket, its signs of life.
 *
 * libssh2 reads and writes through two functions of ours, and that decides how the loop looks.
 *
 * Sending never blocks. What the socket does not take goes to l->out. A nonblocking libssh2 that gets EAGAIN
 * in the middle of a packet insists that the very same call is made again before any other, also before those
 * that it makes itself for windows and key exchanges; here it never gets one. Channels are not served while
 * l->out is long, so it stays short.
 *
 * Receiving is behind a gate with a budget. Left alone, a call that wants one byte reads all that the socket
 * has, up to a whole window for each channel, and only then gives the first of it. With the gate each round
 * of the loop takes at most BUDGET bytes from the socket (through one call that asks a channel for nothing),
 * shuts the gate, and then goes over all channels, for which libssh2 has whole packets now or nothing. So
 * what was read is still in the processor's cache when it is passed on, no channel waits for another one's
 * flood, and no call that waits for one channel's answer can meet an answer to another channel, which libssh2
 * 1.10 takes for an error.
 *
 * To take packets in, libssh2 must be called with some channel. A connection that is idle uses the last
 * command that ended well (l->handle), which is why that one is freed only when the next has ended. A
 * connection that has none is closed when it is idle.
 *
 * Signs of life: each alive_ms something is asked that needs an answer. Through an open channel it is a
 * request that every server refuses: libssh2 takes its answer out. Without one it is a keep-alive of the
 * session, whose answers libssh2 keeps for ever in the list that it searches for everything; so an idle
 * connection is given up after many of them. Any byte counts as an answer. After three without one the
 * connection is dead, and what it carried is lost: its local ends are closed, and how a command ended is not
 * known. libssh2 itself would never notice.
 *
 * Long before that the host is called silent, so that nobody takes for true what it said last: where something
 * was sent and no byte comes for ASK_SOON_MS a sign of life is asked at once, and its answer has SILENT_MS.
 *
 * The thread waits in one place, wait_fds on an epoll descriptor and the cancel of the connection.
 */
#include "core/host/host_ssh.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"

#define BUDGET ((int64_t)512 << 10)
#define OUT_MAX ((size_t)16 << 20) /* encrypted and not sent: a server that only sends */
#define OUT_SENT_MUCH ((size_t)256 << 10)
#define EVENTS 64
#define EXTRA_IDLE_MS 15000
#define GLOBAL_MAX 2000 /* answers that libssh2 may keep: some hours of silence */
#define MISSED_MAX 3
#define ASK_SOON_MS 1000
#define SILENT_MS 2000
#define FREE_TRIES 100
#define TRIES_LOST 3 /* connections that may break under a channel before it was opened */

/* --- The socket -------------------------------------------------------------------------------- */

static LIBSSH2_RECV_FUNC(link_recv)
{
	struct ssh_link *l = *abstract;
	ssize_t n;

	(void)socket;
	(void)flags;
	if (l->dead)
		return -ECONNRESET;
	if (!l->gate)
		return -EAGAIN;
	if (l->budget <= 0) {
		l->more = true;
		return -EAGAIN;
	}
	do
		n = recv(l->sock, buffer, length, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		l->budget -= n;
		return n;
	}
	if (n < 0 && errno == EAGAIN) {
		l->gate = false; /* for the rest of the round */
		return -EAGAIN;
	}
	l->sock_ended = true;
	l->sock_error = n < 0 ? errno : 0;
	return -ECONNRESET;
}

static ssize_t send_now(struct ssh_link *l, const void *p, size_t n)
{
	ssize_t sent;

	do
		sent = send(l->sock, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	if (errno == EAGAIN)
		return 0;
	l->sock_error = errno;
	return -1;
}

static LIBSSH2_SEND_FUNC(link_send)
{
	struct ssh_link *l = *abstract;
	ssize_t sent = 0;

	(void)socket;
	(void)flags;
	if (l->dead || l->mute)
		return (ssize_t)length;
	l->sent += length;
	if (l->sent_ms == 0)
		l->sent_ms = l->now_ms;
	if (l->out.len == l->out_at) {
		sent = send_now(l, buffer, length);
		if (sent < 0)
			return -l->sock_error;
		strbuf_reset(&l->out);
		l->out_at = 0;
	}
	strbuf_add(&l->out, (const char *)buffer + sent, length - (size_t)sent);
	if (!strbuf_ok(&l->out)) {
		l->sock_error = ENOBUFS;
		return -ENOBUFS;
	}
	return (ssize_t)length;
}

bool ssh_link_flush(struct ssh_link *l)
{
	while (l->out.len > l->out_at && !l->dead && !l->mute) {
		ssize_t sent = send_now(l, l->out.data + l->out_at, l->out.len - l->out_at);

		if (sent < 0)
			return false;
		if (sent == 0)
			break;
		l->out_at += (size_t)sent;
	}
	if (l->out_at == l->out.len) {
		strbuf_reset(&l->out);
		l->out_at = 0;
	} else if (l->out_at > OUT_SENT_MUCH) {
		/* It may be long until it is ever empty. */
		l->out.len -= l->out_at;
		memmove(l->out.data, l->out.data + l->out_at, l->out.len);
		l->out_at = 0;
	}
	return true;
}

const char *ssh_link_words(struct ssh_link *l)
{
	char *words = NULL;
	int n = 0;

	if (l->sock_error != 0)
		return strerror(l->sock_error);
	if (l->sock_ended)
		return "the other side closed the connection";
	if (l->session != NULL && l->lib->session_last_error(l->session, &words, &n, 0) != 0 &&
	    n > 0)
		return words;
	return "libssh2 does not say why";
}

/* --- What is waited for ------------------------------------------------------------------------ */

static void arm(struct ssh_link *l, int fd, void *data, uint32_t events, bool *added)
{
	struct epoll_event ev = { .events = events, .data.ptr = data };

	/* Fails only for want of memory. */
	if (epoll_ctl(l->epoll, *added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0)
		mem_oom();
	*added = true;
}

void ssh_link_arm(struct ssh_link *l, struct ssh_end *end, uint32_t events)
{
	if (end->fd < 0 || end->gone || (end->added && end->armed == events))
		return;
	arm(l, end->fd, end, events, &end->added);
	end->armed = events;
}

void ssh_link_disarm(struct ssh_link *l, struct ssh_end *end)
{
	if (end->added)
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, end->fd, NULL);
	end->added = false;
	end->armed = 0;
}

static void arm_socket(struct ssh_link *l)
{
	/* What nobody can take in would be told for ever. */
	bool takes = l->handle != NULL || l->channels != NULL;
	uint32_t events = (takes ? EPOLLIN : 0) | (l->out.len > l->out_at ? EPOLLOUT : 0);

	if (l->sock_added && l->sock_armed == events)
		return;
	arm(l, l->sock, &l->sock, events, &l->sock_added);
	l->sock_armed = events;
}

static void end_ready(struct ssh_link *l, struct ssh_end *end, uint32_t events)
{
	end->dry = end->full = false;
	if ((events & (EPOLLHUP | EPOLLERR)) == 0)
		return;
	/* Would be told for ever. What the other side has written before is still read. */
	ssh_link_disarm(l, end);
	end->gone = true;
}

/* Waits until something may have happened, and notes what. */
static int wait_some(struct ssh_link *l, int64_t until_ms, struct err *e)
{
	struct pollfd fd = { .fd = l->epoll, .events = POLLIN };
	struct epoll_event event[EVENTS];
	uint64_t count;
	int n;

	arm_socket(l);
	n = wait_fds(&fd, 1, until_ms, &l->stop, e);
	if (n <= 0)
		return n;
	n = epoll_wait(l->epoll, event, EVENTS, 0);
	for (int i = 0; i < n; i++) {
		if (event[i].data.ptr == &l->wake)
			(void)!read(l->wake, &count, sizeof(count));
		else if (event[i].data.ptr == &l->sock)
			l->sock_ended = l->sock_ended ||
					((event[i].events & (EPOLLHUP | EPOLLERR)) != 0 &&
					 l->handle == NULL && l->channels == NULL);
		else
			end_ready(l, event[i].data.ptr, event[i].events);
	}
	return 0;
}

/* --- Signs of life ----------------------------------------------------------------------------- */

static struct ssh_channel *alive_channel(struct ssh_link *l)
{
	for (struct ssh_channel *ch = l->channels; ch != NULL; ch = ch->next)
		if (ch->phase == SSH_RUNS)
			return ch;
	return NULL;
}

/* The answer to what was asked through l->alive. */
static void alive_step(struct ssh_link *l)
{
	int rc;

	if (l->alive == NULL)
		return;
	/* No server sets a variable of a command that runs already. */
	rc = l->lib->channel_setenv_ex(l->alive->ssh, "BASCULE_ALIVE", 13, "1", 1);
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return;
	l->alive = NULL;
	if (l->asked_us != 0)
		host_set_round_trip(l->host, clock_mono_us() - l->asked_us);
	l->asked_us = 0;
}

static void alive_ask(struct ssh_link *l)
{
	struct ssh_channel *ch = alive_channel(l);
	uint64_t sent = l->sent;

	l->asked_ms = l->now_ms;
	if (l->asks == 0)
		l->owed_ms = l->now_ms;
	if (l->alive != NULL) {
		l->asks++; /* still no answer */
		return;
	}
	l->asked_us = clock_mono_us();
	if (ch != NULL) {
		l->alive = ch;
		alive_step(l);
	} else {
		int next;

		/* Sends nothing when it did so less than two seconds ago. */
		l->lib->keepalive_config(l->session, 1, 1);
		l->lib->keepalive_send(l->session, &next);
	}
	if (l->sent != sent) {
		l->asks++;
		l->n_global += ch == NULL;
	} else if (ch == NULL) {
		l->asked_us = 0;
	}
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the next sign of life is to be asked for. */
static int64_t next_ask_ms(const struct ssh_link *l)
{
	int64_t each_ms = l->host->spec.alive_ms, at_ms = l->asked_ms + each_ms, soon_ms;

	if (l->asks > 0 || l->sent_ms == 0)
		return at_ms;
	soon_ms = l->sent_ms > l->asked_ms ? l->sent_ms : l->asked_ms;
	return sooner(at_ms, soon_ms + sooner(ASK_SOON_MS, each_ms));
}

static int64_t silent_at_ms(const struct ssh_link *l)
{
	return l->owed_ms + sooner(SILENT_MS, l->host->spec.alive_ms);
}

/* Further connections are left out: what one says the other would deny. */
static void silence_check(struct ssh_link *l)
{
	if (l->silent || l->extra || l->asks == 0 || l->now_ms < silent_at_ms(l))
		return;
	l->silent = true;
	host_set_silent(l->host, clock_utc_ms() - (l->now_ms - l->heard_ms));
}

/* Whether the other side is there. */
static int alive_check(struct ssh_link *l, struct err *e)
{
	if (l->host->spec.alive_ms <= 0)
		return 0;
	silence_check(l);
	if (l->now_ms < next_ask_ms(l))
		return 0;
	/* Nobody could take the answer in; it ends soon. */
	if (l->handle == NULL && l->channels == NULL) {
		l->asked_ms = l->now_ms;
		return 0;
	}
	if (l->asks >= MISSED_MAX) {
		err_set(e, ERR_LOST, "%s does not answer any more", l->host->name);
		return err_detail(e, "nothing came for %lld ms",
				  (long long)(l->now_ms - l->heard_ms));
	}
	alive_ask(l);
	return 0;
}

static void heard(struct ssh_link *l)
{
	l->arrived++;
	l->heard_ms = l->now_ms;
	l->asks = 0;
	l->sent_ms = 0;
	if (l->silent)
		host_set_silent(l->host, 0);
	l->silent = false;
	if (l->alive == NULL && l->asked_us != 0) {
		host_set_round_trip(l->host, clock_mono_us() - l->asked_us);
		l->asked_us = 0;
	}
}

/* --- The loop ---------------------------------------------------------------------------------- */

static int broke(struct ssh_link *l, struct err *e)
{
	err_set(e, ERR_LOST, "the connection to %s broke", l->host->name);
	return err_detail(e, "%s", ssh_link_words(l));
}

/* Takes in what the socket has, up to the budget. */
static int take_in(struct ssh_link *l, struct err *e)
{
	LIBSSH2_CHANNEL *any = l->handle;
	int64_t rc = 0;

	for (struct ssh_channel *ch = l->channels; ch != NULL && any == NULL; ch = ch->next)
		any = ch->ssh;
	l->budget = BUDGET;
	l->gate = true;
	l->more = false;
	if (any != NULL)
		rc = l->lib->channel_read_ex(any, 0, l->block, 0);
	ssh_link_open_next(l);
	l->gate = false;
	if (l->budget < BUDGET)
		heard(l);
	if (!l->sock_ended && l->sock_error == 0 && (rc >= 0 || rc == LIBSSH2_ERROR_EAGAIN))
		return 0;
	return broke(l, e);
}

static void take_inbox(struct ssh_link *l)
{
	struct ssh_channel **at = &l->channels;

	while (*at != NULL)
		at = &(*at)->next;
	pthread_mutex_lock(&l->state->lock);
	*at = l->inbox;
	l->inbox = NULL;
	pthread_mutex_unlock(&l->state->lock);
}

static bool go_over_channels(struct ssh_link *l)
{
	bool moved = false;

	for (struct ssh_channel *ch = l->channels, *next; ch != NULL; ch = next) {
		next = ch->next;
		if (ssh_channel_step(l, ch))
			moved = true;
	}
	return moved;
}

/* Whether the thread may end: nothing is carried, and nothing is given to it from now on. */
static bool may_end(struct ssh_link *l)
{
	bool stale, end = false;

	if (l->channels != NULL) {
		l->idle_since_ms = 0;
		return false;
	}
	if (l->idle_since_ms == 0)
		l->idle_since_ms = l->now_ms;
	stale = l->n_global >= GLOBAL_MAX || ((l->extra || l->retires || l->handle == NULL) &&
					      l->now_ms - l->idle_since_ms >= EXTRA_IDLE_MS);
	if (!stale)
		return false;
	pthread_mutex_lock(&l->state->lock);
	end = l->inbox == NULL;
	if (end)
		l->retires = true; /* no channel is given to it any more */
	pthread_mutex_unlock(&l->state->lock);
	return end;
}

static int64_t next_look_ms(const struct ssh_link *l)
{
	int64_t next = WAIT_FOREVER;

	if (l->host->spec.alive_ms > 0)
		next = next_ask_ms(l);
	if (l->host->spec.alive_ms > 0 && l->asks > 0 && !l->silent && !l->extra)
		next = sooner(next, silent_at_ms(l));
	if (l->channels == NULL && l->idle_since_ms + EXTRA_IDLE_MS < next &&
	    (l->extra || l->retires || l->handle == NULL))
		next = l->idle_since_ms + EXTRA_IDLE_MS;
	return next;
}

/* Returns 0 when the connection is given up in peace. */
static int loop(struct ssh_link *l, struct err *e)
{
	bool moved = true;

	for (;;) {
		if (wait_some(l, moved || l->more ? 0 : next_look_ms(l), e) < 0)
			return -1;
		l->now_ms = clock_mono_ms();
		take_inbox(l);
		/* First what waits to be sent: it keeps channels from being served. */
		if (!ssh_link_flush(l))
			return broke(l, e);
		if (take_in(l, e) != 0)
			return -1;
		alive_step(l);
		moved = go_over_channels(l);
		if (alive_check(l, e) != 0)
			return -1;
		if (may_end(l))
			return 0;
	}
}

/* --- Its life ---------------------------------------------------------------------------------- */

static int session_make(struct ssh_link *l, struct err *e)
{
	l->session = l->lib->session_init_ex(NULL, NULL, NULL, l);
	if (l->session == NULL)
		return err_set(e, ERR_SYSTEM, "cannot make a session of libssh2");
	l->lib->session_set_blocking(l->session, 0);
	/* The library takes all its callbacks as void *, which POSIX allows and C does not. */
	__extension__ l->lib->session_callback_set(l->session, LIBSSH2_CALLBACK_RECV,
						   (void *)link_recv);
	__extension__ l->lib->session_callback_set(l->session, LIBSSH2_CALLBACK_SEND,
						   (void *)link_send);
	return 0;
}

static void session_end(struct ssh_link *l, bool in_peace)
{
	if (l->session == NULL)
		return;
	if (in_peace) {
		l->lib->session_disconnect_ex(l->session, SSH_DISCONNECT_BY_APPLICATION, "", "");
		(void)ssh_link_flush(l);
	}
	/* Freeing tries to close channels in good order. From now on every read fails and every send
	 * succeeds, so that it does not wait. */
	l->dead = true;
	for (size_t i = 0; i < FREE_TRIES; i++)
		if (l->lib->session_free(l->session) != LIBSSH2_ERROR_EAGAIN)
			break;
	l->session = NULL;
}

/* Another connection of the host that works. Under lock. */
static bool other_ready(const struct ssh_link *l)
{
	for (const struct ssh_link *o = l->state->link; o != NULL; o = o->next)
		if (o != l && o->phase == SSH_LINK_READY)
			return true;
	return false;
}

static void say_state(struct ssh_link *l, enum host_state state, const struct err *why)
{
	bool other;

	pthread_mutex_lock(&l->state->lock);
	other = other_ready(l);
	pthread_mutex_unlock(&l->state->lock);
	if (!other)
		host_set_state(l->host, state, why);
}

static void fail_list(struct ssh_channel **list, const struct err *why)
{
	struct ssh_channel *ch = *list, *next;

	*list = NULL;
	for (; ch != NULL; ch = next) {
		next = ch->next;
		ch->link = NULL;
		ssh_channel_fail(ch, why);
		ssh_channel_unref(ch);
	}
}

/* Under lock: what was given to l and not looked at waits again, in front of the others. */
static void give_back(struct ssh_link *l)
{
	struct ssh_channel **at = &l->inbox;

	for (; *at != NULL; at = &(*at)->next)
		(*at)->link = NULL;
	*at = l->state->waiting;
	l->state->waiting = l->inbox;
	l->inbox = NULL;
}

static void connect_failed(struct ssh_link *l, const struct err *why)
{
	struct ssh_state *s = l->state;

	/* host_ask has said that it asks. */
	if (why->code != ERR_ASKS && why->code != ERR_CANCELLED)
		say_state(l, HOST_DOWN, why);
	pthread_mutex_lock(&s->lock);
	if (other_ready(l) && !s->closing) {
		/* They wait for a command on another connection to end. */
		s->no_extra_until_ms = clock_mono_ms() + EXTRA_IDLE_MS;
		give_back(l);
	} else {
		/* Whoever waited for this one has no other one to hope for. */
		fail_list(&l->inbox, why);
		fail_list(&s->waiting, why);
	}
	l->phase = SSH_LINK_ENDED;
	ssh_dispatch(s);
	pthread_mutex_unlock(&s->lock);
}

static void ready(struct ssh_link *l)
{
	pthread_mutex_lock(&l->state->lock);
	l->phase = SSH_LINK_READY;
	host_set_state(l->host, HOST_READY, NULL);
	ssh_dispatch(l->state);
	pthread_mutex_unlock(&l->state->lock);
}

/* Everything that is carried ends. Those for which nothing was run yet go to another connection. */
static void end_channels(struct ssh_link *l, const struct err *why)
{
	struct ssh_state *s = l->state;
	bool stopped = why->code == ERR_CANCELLED;

	take_inbox(l);
	/* What had arrived before is the callers'. */
	if (l->session != NULL)
		go_over_channels(l);
	for (struct ssh_channel *ch = l->channels, *next; ch != NULL; ch = next) {
		bool nothing_ran = ch->phase == SSH_WAITS || ch->phase == SSH_OPENS;

		next = ch->next;
		ssh_channel_drop(l, ch, why, nothing_ran && !stopped && ch->tries < TRIES_LOST);
	}
	pthread_mutex_lock(&s->lock);
	give_back(l);
	l->phase = SSH_LINK_ENDED;
	ssh_dispatch(s);
	pthread_mutex_unlock(&s->lock);
}

static void run(struct ssh_link *l)
{
	struct err e;
	bool added = false;
	int rc;

	err_clear(&e);
	say_state(l, HOST_CONNECTING, NULL);
	if (session_make(l, &e) != 0 || ssh_link_connect(l, &e) != 0) {
		connect_failed(l, &e);
		return;
	}
	l->block = mem_alloc(SSH_BLOCK);
	l->arrived = 1;
	l->now_ms = l->heard_ms = l->asked_ms = clock_mono_ms();
	l->sent_ms = 0;
	arm(l, l->wake, &l->wake, EPOLLIN, &added);
	ready(l);
	rc = loop(l, &e);
	if (rc != 0 && e.code != ERR_CANCELLED)
		log_err(&e);
	if (rc == 0 || e.code == ERR_CANCELLED)
		say_state(l, HOST_IDLE, NULL);
	else
		say_state(l, HOST_DOWN, &e);
	if (rc == 0)
		err_set(&e, ERR_CANCELLED, "the connection to %s is closed", l->host->name);
	end_channels(l, &e);
}

void *ssh_link_main(void *arg)
{
	struct ssh_link *l = arg;

	strbuf_init(&l->out, OUT_MAX);
	run(l);
	session_end(l, !l->sock_ended && l->sock_error == 0 && l->phase == SSH_LINK_ENDED);
	if (l->sock >= 0)
		close(l->sock);
	secret_clear_buf(&l->out);
	mem_free(l->block);
	return NULL;
}
