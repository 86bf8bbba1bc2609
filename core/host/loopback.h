/* SPDX-License-Identifier: MIT */
/*
 * A port of 127.0.0.1 that leads to a unix socket of ours, for a client library that speaks TLS over TCP only.
 *
 * A port can be tried by everybody on this machine, so each connection is looked up in the kernel's table: one that
 * is not of this user is closed at once.
 */
#ifndef HOST_LOOPBACK_H
#define HOST_LOOPBACK_H

#include "core/base/err.h"

struct loopback;
/* path is copied; it may begin to exist later. */
int loopback_open(const char *path, struct loopback **out, struct err *e) MUST_CHECK;
void loopback_close(struct loopback *l); /* its connections too. NULL is fine */
int loopback_port(const struct loopback *l);

#endif
