/* SPDX-License-Identifier: MIT */
/* Which framework tool of a run is at work: <run>/framework.lock, held by its process alone. */
#ifndef RELEASE_TOOL_LOCK_H
#define RELEASE_TOOL_LOCK_H

#include <stdint.h>

#include "core/base/cancel.h"

/* How long a tool has to end by itself when it is asked to. */
#define TOOL_GRACE_MS 5000

/* Takes the lock of the run's folder for a tool that is to be started: *fd is given to it and closed here
 * behind that. ERR_LOCKED while a tool of the run is still at work; *pid is its process then. */
int tool_lock_take(const char *dir, int *fd, int64_t *pid, struct err *e) MUST_CHECK;
/* Writes down who holds it now. Best effort: it is for people, and for tool_lock_end. */
void tool_lock_note(int fd, int64_t pid);
/* Waits until no tool of the run is at work. */
int tool_lock_wait(const char *dir, int64_t deadline_ms, struct cancel *c,
		   struct err *e) MUST_CHECK;
/* Ends a tool of the run that outlived its runner, and what it started. 0 when none is at work behind it. */
int tool_lock_end(const char *dir, struct err *e) MUST_CHECK;

#endif
