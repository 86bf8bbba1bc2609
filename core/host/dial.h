/* SPDX-License-Identifier: MIT */
/* Connections from this machine: nonblocking sockets, within a deadline. */
#ifndef HOST_DIAL_H
#define HOST_DIAL_H

#include "core/host/host.h"

/* A connected nonblocking socket; the caller's to close. A name is resolved without blocking the caller. ERR_NOT_FOUND:
 * nobody listens, or no such name; ERR_TIMEOUT. */
int dial_target(const struct host_target *t, int64_t deadline_ms, struct cancel *c, int *fd,
		struct err *e) MUST_CHECK;
/* A listening nonblocking unix socket at path, 0600. ERR_LIMIT when the path is longer than the kernel takes. */
int dial_listen(const char *path, int *fd, struct err *e) MUST_CHECK;

#endif
