/* SPDX-License-Identifier: MIT */
/* One picture of all environments, read at once: what status and matrix print. */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "core/engine/event.h"

enum look_flag {
	LOOK_DETAILS = 1 << 0, /* engine, lock, newest backup and schema digest too */
};

struct look {
	struct snapshot *snap;
	char (*schema_digest)[65]; /* per environment; "" when not read */
};

/* Reads the source here and each history in a thread of its own. Environments that cannot be read and
 * a source that cannot be are in the result, not errors. Never fails. */
void look_read(const struct project *p, const struct context *ctx, unsigned flags,
	       struct look *out);
void look_clear(struct look *l);

#endif
