/* SPDX-License-Identifier: MIT */
/* journal_scan and run_take_line: any bytes are read as a journal and become the state of a run without
 * a step outside its plan, and reading them twice says the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/release/run_folder.h"

#define STEPS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan(struct sv text, struct run *r)
{
	struct err e;

	if (journal_scan(text, run_take_line, r, &r->chain, &e))
		abort(); /* damage is not an error here */
	if (r->current < 0 || r->current > STEPS || (unsigned)r->state >= RUN_STATES)
		abort();
	for (int i = 0; i < STEPS; i++)
		if ((unsigned)r->step[i].state > STEP_UNDONE)
			abort();
	if (r->chain.evidence > r->chain.lines || (r->chain.broken && !r->chain.broken_why))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step[STEPS] = {
		{ .n = 1, .kind = STEP_LOCK },
		{ .n = 2, .kind = STEP_GATES },
		{ .n = 3, .kind = STEP_UP },
		{ .n = 4, .kind = STEP_RELEASE },
	};
	struct plan plan = { .step = step, .n_step = STEPS };
	struct run_step first_steps[STEPS] = { 0 }, again_steps[STEPS] = { 0 };
	struct run first = { .plan = &plan, .step = first_steps };
	struct run again = { .plan = &plan, .step = again_steps };
	struct sv text = sv_n((const char *)data, size);

	scan(text, &first);
	scan(text, &again);
	if (first.state != again.state || strcmp(first.chain.head, again.chain.head))
		abort();
	return 0;
}
