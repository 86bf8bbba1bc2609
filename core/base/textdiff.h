/* SPDX-License-Identifier: MIT */
/* Two texts to the lines that changed: what a migration was and what its file is now. Pure. */
#ifndef BASE_TEXTDIFF_H
#define BASE_TEXTDIFF_H

#include "core/base/mem.h"
#include "core/base/str.h"

#define TEXTDIFF_LINES_MAX \
	20000 /* of one side; longer texts are compared by blocks of equal ends */

enum diff_kind { DIFF_SAME, DIFF_OLD, DIFF_NEW, DIFF_SKIP };

struct diff_line {
	enum diff_kind kind;
	struct sv text; /* borrowed from the input; empty for DIFF_SKIP */
	int old_line,
		new_line; /* from 1; 0 where it has none. DIFF_SKIP: old_line = how many are skipped */
};

/* Shortest edit script (Myers, An O(ND) difference algorithm, 1986) with context lines around each
 * change. The array lives in a. */
struct diff_line *textdiff(struct arena *a, struct sv was, struct sv now, int context, size_t *n);

#endif
