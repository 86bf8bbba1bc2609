/* SPDX-License-Identifier: MIT */
/* "PRODUCTION now": what stands in the way of a change, drawn beside or below the steps of the plan view. */
#ifndef TUI_PREFLIGHT_PANE_H
#define TUI_PREFLIGHT_PANE_H

#include "tui/view.h"

/* Is anything known, or known not to be, of the environment of p? */
bool preflight_pane_known(const struct model *m, const struct plan *p);
/* Columns of a pane beside a list, out of cols; 0: no room for one, or too little to say. */
int preflight_pane_cols(const struct plan *p, int cols);
/* Beside: all of it, what warns first when rows are short. */
void preflight_pane_draw(const struct model *m, const struct plan *p, struct canvas *c,
			 struct rect r);
/* Below: rows that a few lines of running text would take, at most 3; what warns comes first. */
int preflight_pane_lines(const struct model *m, const struct plan *p, int cols);
void preflight_pane_draw_lines(const struct model *m, const struct plan *p, struct canvas *c,
			       struct rect r);

#endif
