/* SPDX-License-Identifier: MIT */
/* A run followed to its end, told as lines. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <sys/types.h>

#include "cli/cli.h"

/* What is known of a run before it is watched. */
struct watch_from {
	pid_t runner;  /* its process when it is our child, else 0 */
	int64_t after; /* a request was sent when this was the journal's last line; 0: none was */
};

/* Follows run id and prints what happens: lines, or NDJSON with --json. A pause from before the request
 * is not its answer. An interrupt only stops watching, or asks for an abort with --no-detach. Returns
 * the exit status, or -1 with e. */
int watch_run(struct cli *c, const char *id, struct watch_from from, struct err *e) MUST_CHECK;

#endif
