/* SPDX-License-Identifier: MIT */
/* The runner: the only thing that executes steps. `bascule run ID` is a process around this call. */
#ifndef RELEASE_RUNNER_H
#define RELEASE_RUNNER_H

#include "core/release/run.h"

enum runner_mode {
	RUNNER_START,
	RUNNER_RESUME,
	RUNNER_TAKEOVER,
	RUNNER_TERMINATE, /* a takeover that ends the old runner's session on the server */
};

/* Executes run id to its end or until it is stopped; everything it does is in the journal. Returns the exit status
 * of CONTRACT for the state it reached (0 done, 1 failed, 3 refused, 4 aborted, 5 rolled back, 6 locked);
 * e says why when it is not 0. stop: fired by SIGTERM: stop at the next safe point. wait_ms as in run_spawn. */
int runner_main(const struct context *ctx, const char *id, enum runner_mode mode, int64_t wait_ms,
		struct cancel *stop, struct err *e);

#endif
