/* SPDX-License-Identifier: MIT */
/*
 * Local processes of a transport, ended and reaped by one thread, so that nobody blocks in waitpid.
 *
 * When a child ends, what it left behind in its process group is killed.
 */
#ifndef HOST_CHILDREN_H
#define HOST_CHILDREN_H

#include "core/base/cancel.h"
#include "core/base/child.h"
#include "core/host/host.h"

#define CHILDREN_GRACE_MS 2000

struct children;
struct children *children_new(void);
/* Ends what still runs (TERM, two seconds later KILL) and joins the thread. NULL is fine. */
void children_free(struct children *p);

struct children_child;
struct children_spec {
	char *const *argv;
	struct child_fds fds; /* borrowed */
	/* -1: none. Closed when the child is to end: the other end of what it gets as CHILD_KEPT_FD. It belongs to
	 * the child from children_start on, also when that fails. */
	int tie_fd;
	/* Called once by the thread, when the child has ended and nobody left it before. It must not call
	 * children_*. NULL is fine. */
	void (*ended)(void *arg);
	void *arg;
};
/* Any thread. */
int children_start(struct children *p, const struct children_spec *s, struct children_child **out,
		   struct err *e) MUST_CHECK;
/* Waits for its end: r gets its exit status or signal. known false: the system did not say. */
int children_wait(struct children_child *ch, int64_t deadline_ms, struct cancel *c,
		  struct host_result *r, bool *known, struct err *e) MUST_CHECK;
/* To be waited for with POLLIN: its end. */
int children_fd(const struct children_child *ch);
/* Ends it when it still runs, and frees ch. Does not wait. */
void children_leave(struct children_child *ch);
/* Frees ch once it has ended by itself. */
void children_let_go(struct children_child *ch);

#endif
