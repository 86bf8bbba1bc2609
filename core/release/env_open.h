/* SPDX-License-Identifier: MIT */
/* The database of an environment, opened as the environment wants it. */
#ifndef RELEASE_ENV_OPEN_H
#define RELEASE_ENV_OPEN_H

#include "core/base/cancel.h"
#include "core/release/env.h"

struct db;

/* db_open with the environment's timeouts, through its host where database_via says so: the tunnel then
 * belongs to the connection. A missing database gets the command that makes it as its hint. The
 * environment's trouble, and a password that is wanted and not known, are ERR_CONFIG before anything is
 * opened; a host that asks something is ERR_ASKS. flags as db_open. */
int env_open(const struct context *ctx, const struct env *env, unsigned flags, struct cancel *c,
	     struct db **out, struct err *e) MUST_CHECK;
/* Where the tunnel to env's database ends, as its host sees it: a socket, or a machine and a port. Strings live
 * in a. */
void env_via_target(const struct env *env, struct arena *a, struct host_target *out);

#endif
