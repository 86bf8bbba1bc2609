/* SPDX-License-Identifier: MIT */
/* A sqitch.plan as data. Pure; also fuzzed. */
#ifndef MIGRATE_SOURCE_SQITCH_H
#define MIGRATE_SOURCE_SQITCH_H

#include "core/base/mem.h"

struct sqitch_change {
	struct sv name, note; /* borrowed from the text */
	struct sv requires;   /* what stands between the brackets; empty when there are none */
	struct sv tag;        /* the last tag right behind it, without '@' */
	int line;
	size_t reworked_by; /* index of the change that reworks it; 0: none (the first reworks none) */
};

struct sqitch_plan {
	struct sqitch_change *change;
	size_t n;
	struct sv *tag; /* all tags, and the number of changes above each */
	size_t *tag_at;
	size_t n_tag;
};

/* Arrays live in a. ERR_INPUT with the line. */
int sqitch_plan_parse(struct arena *a, struct sv text, struct sqitch_plan *out,
		      struct err *e) MUST_CHECK;

#endif
