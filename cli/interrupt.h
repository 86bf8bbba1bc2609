/* SPDX-License-Identifier: MIT */
/* Signals as a cancel: a thread that waits for them, so that no handler and no global is needed. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <pthread.h>
#include <signal.h>

#include "core/base/cancel.h"

struct interrupt {
	struct cancel fired;   /* by SIGINT, SIGTERM, or by SIGCHLD of child */
	atomic_int signal;     /* the first one seen; 0 none */
	atomic_int child_exit; /* how child ended, as a shell says it; -1 while it runs */
	/* private */
	pid_t child;
	int fd;
	struct cancel stop;
	sigset_t set, old;
	pthread_t thread;
};

/* Blocks SIGINT and SIGTERM in this thread and those made later, and fires it->fired when one comes. child
 * > 0: also when that process ends (it is reaped). */
int interrupt_start(struct interrupt *it, pid_t child, struct err *e) MUST_CHECK;
/* Ends the thread and puts the signal mask back. */
void interrupt_stop(struct interrupt *it);

#endif
