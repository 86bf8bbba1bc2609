/* SPDX-License-Identifier: MIT */
/* What commands that look at many environments read: databases, services, and what hosts ask meanwhile. */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "cli/cli.h"
#include "core/engine/snapshot.h"
#include "core/release/health.h"

/* The services of one environment and a glance at their health. */
struct look_services {
	struct services *services; /* NULL: it has none, nobody wanted to know, or err */
	struct health_result *health;
	size_t n_health;
	struct err err;
};

/* Reads source and every database, in parallel, flags of snapshot.h, and joins the matrix. services: NULL, or
 * one zeroed place for each environment; those that wanted (by index) names are looked at, too. Failures stand
 * in their places. What hosts ask is asked on the terminal, and read again. NULL with e only when somebody
 * stopped at a question. Caller: snapshot_free. */
struct snapshot *look_read(struct cli *c, unsigned flags, const bool *wanted,
			   struct look_services *services, struct err *e) MUST_CHECK;
void look_services_clear(struct look_services *s);

#endif
