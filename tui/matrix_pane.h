/* SPDX-License-Identifier: MIT */
/* The lower part of the matrix: the script of the selected migration and what is known about it. */
#ifndef TUI_MATRIX_PANE_H
#define TUI_MATRIX_PANE_H

#include "core/base/textdiff.h"
#include "tui/view.h"

struct matrix_pane {
	bool open;    /* takes most of the screen */
	bool focus;   /* moving keys scroll it */
	bool down;    /* shows the down script */
	bool compare; /* shows was and now; on by itself for a changed migration */
	int top;      /* first line shown */
	int rows;     /* as drawn last, for paging */
	int lines;    /* of the text, for the last page */
	/* The lines of `made_of`, cut once. */
	const struct script_text *made_of;
	bool made_compare;
	struct arena arena;
	struct diff_line *line;
	size_t n_line;
};

void matrix_pane_clear(struct matrix_pane *p);
/* row NULL: nothing is selected. env: index of the selected environment. */
void matrix_pane_draw(const struct tui *t, struct matrix_pane *p, const struct matrix_row *row,
		      int env, struct canvas *c, struct rect r);

#endif
