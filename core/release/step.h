/* SPDX-License-Identifier: MIT */
/*
 * How each kind of step is executed: three words. probe looks whether it is already so (on resume and
 * before every act: never guess), act does it, undo takes it back.
 */
#ifndef RELEASE_STEP_H
#define RELEASE_STEP_H

#include "core/db/db.h"
#include "core/ledger/lock.h"
#include "core/release/run.h"

struct executor; /* runner.c: the run, its connection, lock, journal, cancel */

enum step_flag {
	STEP_CHANGES_WORLD =
		1 << 0,           /* intent line fsynced and copied to the ledger before acting */
	STEP_OWN_RECORD = 1 << 1, /* its history event is in its transaction: no extra fsync */
	STEP_UNDOABLE = 1 << 2,
};

enum probe_result { PROBE_TODO, PROBE_DONE, PROBE_ERROR = -1 };

struct step_ops {
	const char *name;
	unsigned flags;
	enum probe_result (*probe)(struct executor *x, const struct step *s, struct err *e);
	int (*act)(struct executor *x, const struct step *s, struct err *e);
	/* Several steps of this kind from x->plan->step[first] on, sent ahead of their answers; NULL, or not on
	 * this engine: one by one. The probe of the first has said that it is to be done. Writes intents and results
	 * of those that are done to *next, which is behind the last of them; -1: step *next failed. */
	int (*act_many)(struct executor *x, size_t first, size_t *next, struct err *e);
	/* NULL: nothing to undo. Looks first; STEP_NOTHING_TO_UNDO (executor.h) when this run did nothing. */
	int (*undo)(struct executor *x, const struct step *s, struct err *e);
};

/* By its kind, and by who does it. */
const struct step_ops *step_ops_of(const struct step *s);

#endif
