/* SPDX-License-Identifier: MIT */
#include "core/base/cancel.h"

#include "core/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAIT_FDS_MAX 64

int cancel_init(struct cancel *c, struct err *e)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return err_sys(e, errno, "cannot create an event descriptor");
	atomic_init(&c->fired, false);
	atomic_init(&c->hooked, false);
	pthread_mutex_init(&c->lock, NULL); /* cannot fail on Linux */
	c->fd = fd;
	c->hook = NULL;
	c->arg = NULL;
	return 0;
}

void cancel_clear(struct cancel *c)
{
	close(c->fd);
	c->fd = -1;
	pthread_mutex_destroy(&c->lock);
}

/* The hook is taken out by running it, so that the two sides that may see it run it once. */
static void hook_run_locked(struct cancel *c)
{
	void (*fn)(void *) = c->hook;

	c->hook = NULL;
	atomic_store(&c->hooked, false);
	if (fn)
		fn(c->arg);
}

void cancel_fire(struct cancel *c)
{
	const uint64_t one = 1;
	int saved = errno; /* a signal handler must leave it alone */

	if (atomic_exchange(&c->fired, true))
		return;
	/* Cannot fail: the counter was 0. */
	(void)!write(c->fd, &one, sizeof(one));
	/* fired is stored before hooked is read here, and the other way round in cancel_hook: one
	 * of the two sees the other's store, so no hook is missed without a lock around both. */
	if (atomic_load(&c->hooked)) {
		pthread_mutex_lock(&c->lock);
		hook_run_locked(c);
		pthread_mutex_unlock(&c->lock);
	}
	errno = saved;
}

bool cancel_fired(const struct cancel *c)
{
	return c && atomic_load(&c->fired);
}

void cancel_hook(struct cancel *c, void (*fn)(void *), void *arg)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	assert(!fn || !c->hook);
	c->hook = fn;
	c->arg = arg;
	atomic_store(&c->hooked, fn != NULL);
	if (fn && atomic_load(&c->fired))
		hook_run_locked(c);
	pthread_mutex_unlock(&c->lock);
}

/* Milliseconds for poll(2). A long wait is cut; the caller's loop begins another one. */
static int poll_timeout(int64_t deadline_ms)
{
	int64_t now = clock_mono_ms();

	if (deadline_ms == WAIT_FOREVER)
		return -1;
	if (deadline_ms <= now)
		return 0;
	return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}

int wait_fds(struct pollfd *fd, size_t n, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct pollfd all[WAIT_FDS_MAX + 1];
	int ready;

	assert(n <= WAIT_FDS_MAX);
	if (n > 0)
		memcpy(all, fd, n * sizeof(*fd));
	/* A negative descriptor is passed over by poll. */
	all[n] = (struct pollfd){ .fd = c ? c->fd : -1, .events = POLLIN };
	for (;;) {
		int timeout = poll_timeout(deadline_ms);

		ready = poll(all, n + 1, timeout);
		if (ready < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot wait for %zu descriptors", n);
		/* Asked by the flag and not by revents: a cancel wins even over a poll that was
		 * interrupted by the signal whose handler fired it. */
		if (cancel_fired(c))
			return err_set(e, ERR_CANCELLED, "cancelled");
		if (ready > 0 || (ready == 0 && timeout == 0))
			break;
	}
	for (size_t i = 0; i < n; i++)
		fd[i].revents = all[i].revents;
	return ready;
}
