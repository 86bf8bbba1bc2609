/* SPDX-License-Identifier: MIT */
/* Inside core/host: a command whose stdin and stdout are a connection, as a socket. Included by http.c only. */
#ifndef HOST_HTTP_THROUGH_H
#define HOST_HTTP_THROUGH_H

#include "core/host/host.h"

#define THROUGH_FDS 4

struct http_through;

/* Starts argv there. *fd is one end of a connected nonblocking socket, the caller's to close; what is written to it
 * goes to the command when http_through_move is called, and back. */
int http_through_open(struct host *h, const char *const *argv, int64_t deadline_ms,
		      struct cancel *c, struct http_through **out, int *fd,
		      struct err *e) MUST_CHECK;
/* Fills fd with what http_through_move waits for, at most THROUGH_FDS. */
size_t http_through_fds(const struct http_through *t, struct pollfd *fd);
void http_through_move(struct http_through *t);
/* The last words of its stderr; "". */
const char *http_through_words(const struct http_through *t);
void http_through_close(struct http_through *t); /* NULL is fine */

#endif
