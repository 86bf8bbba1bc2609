/* SPDX-License-Identifier: MIT */
/*
 * The only way to stop work, and the only place to wait.
 *
 * A cancel is fired once, from any thread (cancel_fire is also async-signal-safe as long as no
 * hook is set), and stays fired. Work that waits does so in wait_fds(), which ends at once; work
 * that computes asks cancel_fired() in its loop; work inside a library registers a hook
 * (sqlite3_interrupt) for as long as it is there.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

struct cancel {
	atomic_bool fired;
	int fd;               /* eventfd, readable once fired */
	atomic_bool hooked;   /* a hook is registered: cancel_fire must take the lock */
	pthread_mutex_t lock; /* guards hook and arg */
	void (*hook)(void *arg);
	void *arg;
};

int cancel_init(struct cancel *c, struct err *e) MUST_CHECK;
void cancel_clear(struct cancel *c);
void cancel_fire(struct cancel *c);
bool cancel_fired(const struct cancel *c); /* NULL: false */
/* Sets (fn NULL: removes) the hook. Called at once when already fired, and once at most. One hook
 * at a time. It runs under the lock: it must not call cancel_* on c. When this returns after a
 * removal, the hook is not running any more. c NULL: nothing. */
void cancel_hook(struct cancel *c, void (*fn)(void *), void *arg);

#define WAIT_FOREVER INT64_MAX

/* poll(2) on fd[0..n) until one is ready, deadline_ms (CLOCK_MONOTONIC) passes or c (may be NULL)
 * is fired. Returns the number of ready descriptors, 0 at the deadline, -1 on error
 * (ERR_CANCELLED when fired). EINTR is handled. n may be 0. n is at most 64. */
int wait_fds(struct pollfd *fd, size_t n, int64_t deadline_ms, struct cancel *c,
	     struct err *e) MUST_CHECK;

#endif
