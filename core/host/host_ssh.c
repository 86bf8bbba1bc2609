/* SPDX-License-Identifier: MIT */
/*
 * The libssh2 transport: what callers see of it.
 *
 * A caller makes a channel with its local ends (two pipes for a command's output, a socket pair for a stream
 * or a duplex command), gives it to ssh_submit and waits until it is opened or has failed. From then on it
 * only reads and writes its own descriptors. The thread of the connection that carries the channel has the
 * other ends.
 *
 * ssh_dispatch gives waiting channels to connections. There is one connection as long as that is enough: a
 * server lets MaxSessions commands run on one (10 where nobody changed it), streams are not counted. The
 * ninth command gets a second connection, which ends when it was idle for a while. What a server really
 * allows is learned where it refuses to open a channel (host_ssh_channel.c). Where it lets in no further
 * connection, commands wait for others to end, as long as their callers do.
 *
 * Nothing connects before the first request, and nothing connects again by itself: a connection that broke
 * fails what it carried, and the next request makes a new one. Only a channel for which the server had not
 * been asked to run anything is moved silently, because then nothing can have happened.
 *
 * Locks: state->lock is held for moments only; while it is held only host->lock may be taken, and never the
 * other way round.
 */
#include "core/host/host_ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"

#define BULK_PIPE (1 << 20)
#define BULK_SOCKET (1 << 20)
#define STACK_BYTES ((size_t)1 << 20)
/* A question that nobody has answered is not asked of the server again and again. */
#define ASKED_ENOUGH_MS 20000

/* h->state of a host that was closed before it had one. */
static const char closed_state;

/* --- Channels ---------------------------------------------------------------------------------- */

struct ssh_channel *ssh_channel_new(struct ssh_state *s, enum ssh_kind kind, const char *text)
{
	struct ssh_channel *ch = mem_calloc(1, sizeof(*ch));

	atomic_init(&ch->refs, 1);
	ch->state = s;
	ch->kind = kind;
	ch->text = mem_strdup(text);
	ch->event = -1;
	strbuf_init(&ch->message, SSH_STEP);
	for (size_t i = 0; i < SSH_ENDS; i++)
		ch->end[i] = (struct ssh_end){ .channel = ch, .fd = -1 };
	return ch;
}

void ssh_channel_ref(struct ssh_channel *ch)
{
	atomic_fetch_add(&ch->refs, 1);
}

void ssh_channel_unref(struct ssh_channel *ch)
{
	if (ch == NULL || atomic_fetch_sub(&ch->refs, 1) != 1)
		return;
	for (size_t i = 0; i < SSH_ENDS; i++)
		if (ch->end[i].fd >= 0)
			close(ch->end[i].fd);
	for (size_t i = 0; i < 2; i++)
		mem_free(ch->held[i].data);
	if (ch->in != NULL)
		explicit_bzero(ch->in, ch->cap_in);
	mem_free(ch->in);
	strbuf_clear(&ch->message);
	if (ch->event >= 0)
		close(ch->event);
	mem_free(ch->text);
	mem_free(ch);
}

static void tell(struct ssh_channel *ch)
{
	const uint64_t one = 1;

	/* Fails only when it has been told 2^64 times. */
	if (ch->event >= 0)
		(void)!write(ch->event, &one, sizeof(one));
}

void ssh_channel_fail(struct ssh_channel *ch, const struct err *why)
{
	if (!ch->opened && !ch->failed) {
		ch->failed = true;
		ch->err = *why;
	}
	ssh_channel_finish(ch, NULL, false);
}

void ssh_channel_finish(struct ssh_channel *ch, const struct host_result *r, bool known)
{
	if (!ch->finished) {
		ch->finished = true;
		ch->known = known;
		if (r != NULL)
			ch->result = *r;
	}
	tell(ch);
}

void ssh_channel_opened(struct ssh_channel *ch)
{
	ch->opened = true;
	tell(ch);
}

/* --- Giving channels to connections ------------------------------------------------------------ */

void ssh_wake(struct ssh_link *l)
{
	const uint64_t one = 1;

	(void)!write(l->wake, &one, sizeof(one));
}

static void append(struct ssh_channel **list, struct ssh_channel *ch)
{
	while (*list != NULL)
		list = &(*list)->next;
	ch->next = NULL;
	*list = ch;
}

static void link_free(struct ssh_link *l)
{
	if (l->wake >= 0)
		close(l->wake);
	if (l->epoll >= 0)
		close(l->epoll);
	cancel_clear(&l->stop);
	mem_free(l);
}

static int link_thread(struct ssh_link *l, struct err *e)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int failed;

	/* All signals blocked: they are for the main thread, and writing to a pipe that nobody reads any more must
	 * not kill us. */
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&l->thread, &attr, ssh_link_main, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return failed != 0 ? err_sys(e, failed, "cannot start a thread for %s", l->host->name) : 0;
}

static struct ssh_link *link_new(struct ssh_state *s, struct err *e)
{
	struct ssh_link *l = mem_calloc(1, sizeof(*l));

	l->state = s;
	l->host = s->host;
	l->lib = &s->lib;
	l->sock = -1;
	l->session_max = s->session_max;
	for (const struct ssh_link *other = s->link; other != NULL; other = other->next)
		l->extra = l->extra || other->phase == SSH_LINK_READY;
	l->wake = l->epoll = -1;
	if (cancel_init(&l->stop, e) != 0) {
		mem_free(l);
		return NULL;
	}
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->wake < 0 || l->epoll < 0) {
		err_sys(e, errno, "cannot create descriptors for %s", s->host->name);
		link_free(l);
		return NULL;
	}
	return l;
}

/* Under lock: those whose threads have ended, or are about to. */
static void reap(struct ssh_state *s)
{
	struct ssh_link **at = &s->link;

	while (*at != NULL) {
		struct ssh_link *l = *at;

		if (l->phase != SSH_LINK_ENDED) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		pthread_join(l->thread, NULL); /* past its last look at the lock: does not wait */
		link_free(l);
	}
}

static bool has_room(const struct ssh_link *l, const struct ssh_channel *ch)
{
	if (l->phase == SSH_LINK_ENDED || l->retires)
		return false;
	return ch->kind != SSH_EXEC || (!l->full && l->n_session < l->session_max);
}

/* Whether another connection is to be made for what waits. */
static bool wants_link(const struct ssh_state *s)
{
	size_t n = 0;

	for (const struct ssh_link *l = s->link; l != NULL; l = l->next) {
		if (l->phase == SSH_LINK_CONNECTS)
			return false; /* first see what becomes of that one */
		n += l->phase == SSH_LINK_READY;
	}
	return n < SSH_LINKS_MAX && (n == 0 || clock_mono_ms() >= s->no_extra_until_ms);
}

static void give(struct ssh_link *l, struct ssh_channel *ch)
{
	ch->link = l;
	append(&l->inbox, ch);
	l->n_channel++;
	if (ch->kind == SSH_EXEC)
		l->n_session++;
	ssh_wake(l);
}

/* Under lock: one waiting channel, which is not in the list any more. False: it has to wait. */
static bool place(struct ssh_state *s, struct ssh_channel *ch)
{
	struct ssh_link *l;
	struct err e;

	for (l = s->link; l != NULL; l = l->next)
		if (has_room(l, ch)) {
			give(l, ch);
			return true;
		}
	if (!wants_link(s))
		return false;
	l = link_new(s, &e);
	if (l == NULL || link_thread(l, &e) != 0) {
		if (l != NULL)
			link_free(l);
		ssh_channel_fail(ch, &e);
		ssh_channel_unref(ch);
		return true;
	}
	l->next = s->link;
	s->link = l;
	give(l, ch);
	return true;
}

void ssh_dispatch(struct ssh_state *s)
{
	struct ssh_channel *list = s->waiting, *next;

	s->waiting = NULL;
	for (; list != NULL; list = next) {
		next = list->next;
		if (list->left || s->closing) {
			struct err e;

			err_set(&e, ERR_CANCELLED, "the connection to %s is closed", s->host->name);
			ssh_channel_fail(list, &e);
			ssh_channel_unref(list);
		} else if (!place(s, list)) {
			append(&s->waiting, list);
		}
	}
}

void ssh_submit(struct ssh_state *s, struct ssh_channel *ch)
{
	ssh_channel_ref(ch);
	pthread_mutex_lock(&s->lock);
	ch->phase = SSH_WAITS;
	ch->link = NULL;
	append(&s->waiting, ch);
	ssh_dispatch(s);
	pthread_mutex_unlock(&s->lock);
}

/* --- Waiting for one --------------------------------------------------------------------------- */

enum awaited { AWAIT_OPEN, AWAIT_END };

static bool is_there(struct ssh_channel *ch, enum awaited what)
{
	bool there;

	pthread_mutex_lock(&ch->state->lock);
	there = ch->failed || (what == AWAIT_OPEN ? ch->opened : ch->finished);
	pthread_mutex_unlock(&ch->state->lock);
	return there;
}

static int await(struct ssh_channel *ch, enum awaited what, int64_t deadline_ms, struct cancel *c,
		 struct err *e)
{
	struct pollfd fd = { .fd = ch->event, .events = POLLIN };
	uint64_t count;

	while (!is_there(ch, what)) {
		int ready = wait_fds(&fd, 1, deadline_ms, c, e);

		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(e, ERR_TIMEOUT, "%s did not answer in time",
				       ch->state->host->name);
		(void)!read(ch->event, &count, sizeof(count));
	}
	return 0;
}

/* Why it took too long. */
static int explain_timeout(struct ssh_channel *ch, struct err *e)
{
	struct ssh_state *s = ch->state;

	pthread_mutex_lock(&s->lock);
	if (ch->link == NULL) {
		err_detail(e, "all sessions that it allows are in use");
		err_hint(e, "raise MaxSessions in its sshd_config, or follow fewer logs");
	} else if (ch->phase == SSH_STARTS) {
		err_detail(e, "it was asked to run a command and did not say whether it does");
	} else if (ch->link->phase == SSH_LINK_CONNECTS) {
		err_detail(e, "the connection was still being made");
	}
	pthread_mutex_unlock(&s->lock);
	return -1;
}

int ssh_channel_open(struct ssh_channel *ch, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	int ret = 0;

	ch->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ch->event < 0)
		return err_sys(e, errno, "cannot create an event descriptor");
	ssh_submit(ch->state, ch);
	if (await(ch, AWAIT_OPEN, deadline_ms, c, e) != 0)
		return e->code == ERR_TIMEOUT ? explain_timeout(ch, e) : -1;
	pthread_mutex_lock(&ch->state->lock);
	if (ch->failed) {
		*e = ch->err;
		ret = -1;
	}
	pthread_mutex_unlock(&ch->state->lock);
	return ret;
}

/* The caller's reference is given back; what still runs is ended by its link. */
void ssh_channel_leave(struct ssh_channel *ch)
{
	struct ssh_state *s = ch->state;

	pthread_mutex_lock(&s->lock);
	ch->left = true;
	if (ch->link != NULL)
		ssh_wake(ch->link);
	else
		ssh_dispatch(s); /* takes it out where it waits */
	pthread_mutex_unlock(&s->lock);
	ssh_channel_unref(ch);
}

/* --- The state of a host ----------------------------------------------------------------------- */

/* Whether h waits for a person, and no connection of it works. */
static bool waits_for_answer(struct host *h, struct ssh_state *s, struct err *e)
{
	bool waits;

	pthread_mutex_lock(&s->lock);
	for (const struct ssh_link *l = s->link; l != NULL; l = l->next)
		if (l->phase == SSH_LINK_READY) {
			pthread_mutex_unlock(&s->lock);
			return false;
		}
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_lock(&h->lock);
	waits = h->question.kind != HOST_QUESTION_NONE && h->status.state == HOST_ASKS &&
		clock_utc_ms() - h->status.since_utc_ms < ASKED_ENOUGH_MS;
	if (waits)
		*e = h->status.err;
	pthread_mutex_unlock(&h->lock);
	return waits;
}

static struct ssh_state *state_new(struct host *h, struct err *e)
{
	struct ssh_state *s = mem_calloc(1, sizeof(*s));

	s->host = h;
	if (ssh2_load(&s->lib, e) != 0) {
		mem_free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->config_lock, NULL);
	s->session_max = SSH_SESSIONS;
	return s;
}

struct ssh_state *ssh_state_of(struct host *h, struct err *e)
{
	struct ssh_state *s;
	bool closed;

	pthread_mutex_lock(&h->lock);
	closed = h->state == (void *)&closed_state;
	if (h->state == NULL)
		h->state = state_new(h, e);
	s = closed ? NULL : h->state;
	pthread_mutex_unlock(&h->lock);
	if (s != NULL) {
		pthread_mutex_lock(&s->lock);
		closed = s->closing;
		if (!closed)
			reap(s);
		pthread_mutex_unlock(&s->lock);
	}
	if (closed)
		err_set(e, ERR_CANCELLED, "the connection to %s is closed", h->name);
	return closed || s == NULL || waits_for_answer(h, s, e) ? NULL : s;
}

struct host *ssh_state_via(struct host *h)
{
	struct host *via = NULL;

	pthread_mutex_lock(&h->lock);
	if (h->state != NULL && h->state != (void *)&closed_state)
		via = atomic_load(&((struct ssh_state *)h->state)->via);
	pthread_mutex_unlock(&h->lock);
	return via;
}

static struct ssh_state *state_or_null(struct host *h)
{
	return h->state == (void *)&closed_state ? NULL : h->state;
}

/* Threads of other hosts that were connecting through h still look at its state: it is kept. */
static void ssh_close(struct host *h)
{
	struct ssh_link *list, *next;
	struct ssh_state *s;

	pthread_mutex_lock(&h->lock);
	if (h->state == NULL)
		h->state = (void *)(uintptr_t)&closed_state;
	s = state_or_null(h);
	pthread_mutex_unlock(&h->lock);
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	list = s->link;
	for (struct ssh_link *l = list; l != NULL; l = l->next)
		cancel_fire(&l->stop);
	ssh_dispatch(s);
	pthread_mutex_unlock(&s->lock);
	/* They look at each other until the last one has ended. */
	for (struct ssh_link *l = list; l != NULL; l = l->next)
		pthread_join(l->thread, NULL);
	pthread_mutex_lock(&s->lock);
	s->link = NULL;
	pthread_mutex_unlock(&s->lock);
	for (; list != NULL; list = next) {
		next = list->next;
		link_free(list);
	}
}

static void ssh_forget(struct host *h)
{
	struct ssh_state *s = state_or_null(h);

	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->config_lock);
	if (s->has_config)
		ssh_config_clear(&s->config);
	mem_free(s);
}

/* --- Local ends -------------------------------------------------------------------------------- */

static int pipe_make(struct ssh_end *ours, int *theirs, bool bulk, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "cannot create a pipe");
	/* A user may have only so many large pipes; a small one is slower and as good. */
	if (bulk)
		(void)fcntl(fds[1], F_SETPIPE_SZ, BULK_PIPE);
	*theirs = fds[0];
	ours->fd = fds[1];
	return 0;
}

static int pair_make(struct ssh_end *ours, int *theirs, struct err *e)
{
	const int size = BULK_SOCKET;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_sys(e, errno, "cannot create a socket pair");
	/* Cut to what the system allows. */
	for (size_t i = 0; i < 2; i++)
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*theirs = fds[0];
	ours->fd = fds[1];
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void wire_close(struct host_wire *w)
{
	close_fd(&w->out);
	close_fd(&w->err);
	close_fd(&w->in);
}

static int command_ends(struct ssh_channel *ch, const struct host_command *cmd, struct host_wire *w,
			struct err *e)
{
	if (pipe_make(&ch->end[SSH_OUT], &w->out, cmd->bulk, e) != 0 ||
	    pipe_make(&ch->end[SSH_ERR], &w->err, false, e) != 0 ||
	    (cmd->duplex && pair_make(&ch->end[SSH_IN], &w->in, e) != 0))
		return -1;
	if (cmd->duplex)
		return 0;
	ch->in_ended = true;
	ch->keep_in = true;
	if (cmd->input.n > 0) {
		ch->in = mem_alloc(cmd->input.n);
		ch->cap_in = ch->n_in = cmd->input.n;
		memcpy(ch->in, cmd->input.p, cmd->input.n);
	}
	return 0;
}

/* --- What the transport gives ------------------------------------------------------------------ */

static int ssh_start(struct host *h, const char *const *argv, const char *remote_text,
		     const struct host_command *cmd, int64_t deadline_ms, struct cancel *c,
		     struct host_wire *out, struct err *e)
{
	struct host_wire w = { .out = -1, .err = -1, .in = -1 };
	struct ssh_state *s = ssh_state_of(h, e);
	struct ssh_channel *ch;

	(void)argv;
	if (s == NULL)
		return -1;
	ch = ssh_channel_new(s, SSH_EXEC, remote_text);
	ch->bulk = cmd->bulk;
	if (command_ends(ch, cmd, &w, e) != 0 || ssh_channel_open(ch, deadline_ms, c, e) != 0) {
		wire_close(&w);
		ssh_channel_leave(ch);
		return -1;
	}
	w.state = ch;
	*out = w;
	return 0;
}

static int ssh_finish(struct host *h, struct host_wire *w, int64_t deadline_ms, struct cancel *c,
		      struct host_result *r, bool *known, struct err *e)
{
	struct ssh_channel *ch = w->state;

	(void)h;
	if (await(ch, AWAIT_END, deadline_ms, c, e) != 0)
		return -1;
	pthread_mutex_lock(&ch->state->lock);
	*known = ch->known;
	*r = ch->result;
	pthread_mutex_unlock(&ch->state->lock);
	return 0;
}

static void ssh_end(struct host *h, struct host_wire *w)
{
	(void)h;
	ssh_channel_leave(w->state);
	w->state = NULL;
}

static int ssh_dial(struct host *h, const struct host_target *t, int64_t deadline_ms,
		    struct cancel *c, int *fd, struct err *e)
{
	struct ssh_state *s = ssh_state_of(h, e);
	struct ssh_channel *ch;
	int theirs = -1, ret;

	if (s == NULL)
		return -1;
	ch = ssh_channel_new(s, t->path != NULL ? SSH_UNIX : SSH_TCP,
			     t->path != NULL ? t->path : t->host);
	ch->port = t->port;
	ret = pair_make(&ch->end[SSH_OUT], &theirs, e);
	if (ret == 0)
		ret = ssh_channel_open(ch, deadline_ms, c, e);
	if (ret == 0) {
		/* It lives as long as its descriptors. */
		ssh_channel_unref(ch);
		*fd = theirs;
		return 0;
	}
	close_fd(&theirs);
	ssh_channel_leave(ch);
	return -1;
}

const struct host_ops host_ssh_ops = {
	.name = "libssh2",
	.start = ssh_start,
	.finish = ssh_finish,
	.end = ssh_end,
	.dial = ssh_dial,
	.forward = ssh_forward_open,
	.forward_end = ssh_forward_close,
	.close = ssh_close,
	.forget = ssh_forget,
	.marked = true,
};
