/* SPDX-License-Identifier: MIT */
/* Who and where we are, asked from the system once. */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include "core/base/mem.h"
#include "core/release/env.h"

/* Fills ctx with strings in a; backups_dir follows when the project is known. */
/* The home of the user, or NULL. */
const char *context_home(struct arena *a);
int context_fill(struct context *ctx, struct arena *a, struct err *e) MUST_CHECK;
/* Points ctx at the state folder (which ends in /bascule); project NULL:
 * no backups_dir, the runner takes it from its frozen plan. */
void context_set_state(struct context *ctx, struct arena *a, const char *state_dir,
		       const char *project);

#endif
