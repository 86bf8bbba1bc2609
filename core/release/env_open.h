/* SPDX-License-Identifier: MIT */
/* The database of an environment, opened as the environment wants it. */
#ifndef RELEASE_ENV_OPEN_H
#define RELEASE_ENV_OPEN_H

#include "core/base/cancel.h"
#include "core/release/env.h"

struct db;

/* db_open with the environment's timeouts; a missing database gets the command that makes it as its
 * hint. The environment's trouble, and a password that is wanted and not known, are ERR_CONFIG before
 * anything is opened. flags as db_open. */
int env_open(const struct env *env, unsigned flags, struct cancel *c, struct db **out,
	     struct err *e) MUST_CHECK;

#endif
