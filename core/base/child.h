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
/* A child whose output is followed while it runs. */
struct child_stream {
	char *const *argv;
	const char *dir; /* its working folder */
	/* Variables besides ours, or instead of ours of the same name; wiped from memory behind the call. */
	const char *const *name, *const *value;
	size_t n_var;
	int keep_fd; /* the only one of our descriptors that it gets, as CHILD_KEPT_FD; -1: none */
	/* Called once, as soon as there is a process. */
	void (*started)(void *arg, pid_t pid);
	/* Gets stdout and stderr, as they come. */
	void (*output)(void *arg, struct sv bytes);
	void *arg;
};

#define CHILD_KEPT_FD 3

/* Runs it to its end in a process group of its own; stdin is /dev/null. When c is fired, the group gets
 * SIGTERM, and SIGKILL where that did not end it within grace_ms: -1 with ERR_CANCELLED once it is gone. What the child leaves
 * behind in its group is killed with its end. status as of child_capture. */
int child_stream(const struct child_stream *s, int64_t grace_ms, struct cancel *c, int *status,
		 struct err *e) MUST_CHECK;
/* The descriptors of a child that is left running; -1: /dev/null, of keep_fd: none. Borrowed. */
struct child_fds {
	int in, out, err;
	int keep_fd; /* the only other one of ours that it gets, as CHILD_KEPT_FD */
};
/* Starts argv[0] (searched in PATH) in a process group of its own. The caller waits for it. */
int child_spawn(char *const argv[], const struct child_fds *fds, pid_t *pid,
		struct err *e) MUST_CHECK;
/* The read end (blocking, O_CLOEXEC) of a pipe that holds input and that nobody writes to any more. */
int child_input_pipe(struct sv input, int *read_fd, struct err *e) MUST_CHECK;
/* Runs argv[0] with the terminal (an editor, a pager) and waits for its end. */
int child_foreground(char *const argv[], int *status, struct err *e) MUST_CHECK;

#endif
