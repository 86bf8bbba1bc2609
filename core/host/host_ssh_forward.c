/* SPDX-License-Identifier: MIT */
/*
 * Forwards: a listening unix socket here, each connection of which becomes a stream through the host.
 *
 * A forward has a thread of its own that only accepts. It outlives connections to the host: what is accepted
 * is given to ssh_submit like everything else, which makes a connection when there is none. The accepted
 * socket itself is the local end of the channel, so the bytes are not copied once more. When the stream
 * cannot be opened, the socket is closed, which is all that its protocol lets us say.
 */
#include "core/host/host_ssh.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/host/dial.h"

#define CONNECTIONS_MAX 256 /* at once, of one forward */
#define FULL_PAUSE_MS 100   /* without descriptors for another one */

struct forward {
	struct ssh_state *state;
	char *path;
	enum ssh_kind kind;
	char *target;
	int port, listening;
	pthread_t thread;
	struct cancel stop;
	/* the thread; behind its end, who closes */
	struct ssh_channel *channel[CONNECTIONS_MAX];
	size_t n;
};

/* Gives back those that have ended. */
static void prune(struct forward *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct ssh_channel *ch = f->channel[i];
		bool finished;

		pthread_mutex_lock(&f->state->lock);
		finished = ch->finished;
		pthread_mutex_unlock(&f->state->lock);
		if (finished)
			ssh_channel_unref(ch);
		else
			f->channel[kept++] = ch;
	}
	f->n = kept;
}

static void take(struct forward *f, int fd)
{
	struct ssh_channel *ch;

	prune(f);
	if (f->n >= CONNECTIONS_MAX) {
		log_line("more than %d connections through %s", CONNECTIONS_MAX, f->path);
		close(fd);
		return;
	}
	ch = ssh_channel_new(f->state, f->kind, f->target);
	ch->port = f->port;
	ch->end[SSH_OUT].fd = fd;
	f->channel[f->n++] = ch;
	ssh_submit(f->state, ch);
}

static void *accept_all(void *arg)
{
	struct forward *f = arg;
	struct pollfd fd = { .fd = f->listening, .events = POLLIN };
	bool said = false;
	struct err e;

	while (wait_fds(&fd, 1, WAIT_FOREVER, &f->stop, &e) >= 0) {
		int one = accept4(f->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (one >= 0) {
			take(f, one);
			continue;
		}
		if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
			continue;
		if (!said)
			log_line("the forward %s cannot accept: %s", f->path, strerror(errno));
		said = true;
		/* It would be told at once again, and may be over soon. */
		if (wait_fds(NULL, 0, clock_mono_ms() + FULL_PAUSE_MS, &f->stop, &e) < 0)
			break;
	}
	return NULL;
}

/* Waits until there is a connection to the host, so that what is wrong with that is said now. */
static int be_connected(struct ssh_state *s, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct ssh_channel *ch = ssh_channel_new(s, SSH_NONE, "");
	int ret = ssh_channel_open(ch, deadline_ms, c, e);

	ssh_channel_leave(ch);
	return ret;
}

static void forward_free(struct forward *f)
{
	if (f->listening >= 0) {
		close(f->listening);
		unlink(f->path);
	}
	cancel_clear(&f->stop);
	mem_free(f->path);
	mem_free(f->target);
	mem_free(f);
}

static int start(struct forward *f, struct err *e)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&f->thread, NULL, accept_all, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed != 0 ? err_sys(e, failed, "cannot start a thread for %s", f->path) : 0;
}

int ssh_forward_open(struct host *h, const struct host_target *t, const char *path,
		     int64_t deadline_ms, struct cancel *c, void **state, struct err *e)
{
	struct ssh_state *s = ssh_state_of(h, e);
	struct forward *f;

	if (s == NULL || be_connected(s, deadline_ms, c, e) != 0)
		return -1;
	f = mem_calloc(1, sizeof(*f));
	f->state = s;
	f->path = mem_strdup(path);
	f->kind = t->path != NULL ? SSH_UNIX : SSH_TCP;
	f->target = mem_strdup(t->path != NULL ? t->path : t->host);
	f->port = t->port;
	f->listening = -1;
	if (cancel_init(&f->stop, e) != 0) {
		mem_free(f->path);
		mem_free(f->target);
		mem_free(f);
		return -1;
	}
	if (dial_listen(path, &f->listening, e) != 0 || start(f, e) != 0) {
		forward_free(f);
		return -1;
	}
	*state = f;
	return 0;
}

void ssh_forward_close(struct host *h, void *state)
{
	struct forward *f = state;

	(void)h;
	cancel_fire(&f->stop);
	pthread_join(f->thread, NULL);
	for (size_t i = 0; i < f->n; i++)
		ssh_channel_leave(f->channel[i]);
	forward_free(f);
}
