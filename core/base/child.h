/* SPDX-License-Identifier: MIT */
/* Children: posix_spawn with an argv, never a shell, never fork in a threaded program. */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "core/base/cancel.h"
#include "core/base/str.h"

/* What a detached child may be given on its stdin: it must fit into a pipe. */
#define CHILD_INPUT_MAX ((size_t)512 << 10)

/* How a detached child is started: a session of its own, stdin a pipe with input in it and nobody at its
 * other end (an empty one: /dev/null), stdout and stderr appended to log_path (0600), the working folder
 * /, signal mask and handlers at their defaults. Does not wait for the child to read. */
int child_spawn_detached(const char *exe, char *const argv[], const char *log_path, struct sv input,
			 pid_t *pid, struct err *e) MUST_CHECK;
/* Runs argv[0] (searched in PATH) to its end; stdout appended to out, at most out->max bytes.
 * status gets the exit status (128 + signal when killed). stdin is /dev/null, stderr dropped. */
int child_capture(char *const argv[], struct strbuf *out, int64_t deadline_ms, struct cancel *c,
		  int *status, struct err *e) MUST_CHECK;
/* Runs argv[0] with the terminal (an editor, a pager) and waits for its end. */
int child_foreground(char *const argv[], int *status, struct err *e) MUST_CHECK;

#endif
