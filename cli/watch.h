/* SPDX-License-Identifier: MIT */
/* A run followed to its end, told as lines. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <sys/types.h>

#include "cli/cli.h"

/* Follows run id (runner: its process when it is our child, else 0) and prints what happens: lines, or
 * NDJSON with --json. An interrupt only stops watching, or asks for an abort with --no-detach. Returns
 * the exit status, or -1 with e. */
int watch_run(struct cli *c, const char *id, pid_t runner, struct err *e) MUST_CHECK;

#endif
