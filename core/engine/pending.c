/* SPDX-License-Identifier: MIT */
/* Rooms that are still being built, so that the program links. Each goes with the merge of its room. */
#include "core/logs/follow.h"
#include "core/logs/query.h"
#include "core/release/health.h"

#define MISSING(e) err_set((e), ERR_UNSUPPORTED, "not built yet")

/* room http-runtime */
/* room log-store */
/* room follow */
