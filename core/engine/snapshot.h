/* SPDX-License-Identifier: MIT */
/* Reading the pieces of a snapshot: the console's refresh and the command line use the same ones. */
#ifndef ENGINE_SNAPSHOT_H
#define ENGINE_SNAPSHOT_H

#include "core/engine/event.h"

enum snapshot_flag {
	SNAPSHOT_STATE = 1 << 0,  /* lock and newest backup too */
	SNAPSHOT_SCHEMA = 1 << 1, /* digest of the schema too */
	SNAPSHOT_SIZE = 1 << 2, /* size of the database too, where the server has to work for it */
};

/* Reads one environment into out (zeroed before). What cannot be read is said in out->err; never fails.
 * Any thread; one thread an environment. */
void snapshot_read_env(const struct context *ctx, const struct env *env, unsigned flags,
		       struct cancel *c, struct env_snapshot *out);
/* Joins source (may be NULL) and histories to the matrix, when all of them are there. */
void snapshot_join(const struct project *p, struct snapshot *s);

#endif
