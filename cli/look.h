/* SPDX-License-Identifier: MIT */
/* One picture of all environments, read at once: what status and matrix print. */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "core/engine/snapshot.h"

/* Reads the source here and each environment in a thread of its own; flags as snapshot_read_env.
 * Environments that cannot be read and a source that cannot be are in the result, not errors. Never
 * fails. Free with snapshot_free. */
struct snapshot *look_read(const struct project *p, const struct context *ctx, unsigned flags);

#endif
