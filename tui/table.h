/* SPDX-License-Identifier: MIT */
/*
 * The list every view shares: which rows are shown in which order, the selection, scrolling, find,
 * filter, sort and marks. It knows rows only by number and asks the view for the rest.
 *
 * Selection and marks hang on a row's key, not on its number, so they survive a refresh. A view calls
 * table_update() when its data changed (event), passes actions through table_action(), and in draw
 * calls table_scroll() and then paints the rows table_row() names.
 */
#ifndef TUI_TABLE_H
#define TUI_TABLE_H

#include "tui/actions.h"
#include "tui/canvas.h"
#include "tui/view.h"

#define TABLE_KEY_SIZE 200
#define TABLE_MARKS_MAX 10000
#define TABLE_NO_ROW SIZE_MAX

/* How the list asks about rows 0..n-1 of the view's data, in their natural order. ctx is the view's. */
struct table_rows {
	const void *ctx;
	size_t n;
	/* What stays the same of a row across refreshes: "main/0142". */
	void (*key)(const void *ctx, size_t row, char out[TABLE_KEY_SIZE]);
	/* Appends all that find and filter look in. */
	void (*text)(const void *ctx, size_t row, struct strbuf *out);
	/* <0, 0, >0 by a column; NULL: cannot be sorted. Equal rows keep the natural order. */
	int (*compare)(const void *ctx, int column, size_t a, size_t b);
	/* Names of the columns for `sort COLUMN`, NULL-terminated; o goes through them, then back to the natural
	 * order (column -1). NULL with compare NULL. */
	const char *const *columns;
	/* For the filter word `differs`; NULL: the word is ordinary text. */
	bool (*differs)(const void *ctx, size_t row);
	/* Rows the view itself folds away (true: not shown, unless a filter is set). May be NULL. */
	bool (*folded)(const void *ctx, size_t row);
};

/* Zeroed memory is a list without rows. */
struct table {
	size_t *order; /* row numbers as shown */
	size_t n, cap; /* rows shown */
	size_t n_total;
	size_t at;                /* selected position in order */
	size_t top;               /* first position on screen */
	int page;                 /* rows on screen, as of the last table_scroll() */
	char key[TABLE_KEY_SIZE]; /* of the selected row */
	int sort;                 /* column plus one; 0 is the natural order */
	bool reverse;
	char find[128], filter[128];
	char **mark; /* keys, sorted */
	size_t n_mark, cap_mark;
};

void table_clear(struct table *t);
/* Makes the order anew from rows, filter, sort and folds; keeps the selected row by its key, else the position. */
void table_update(struct table *t, const struct table_rows *rows);
/* Moving, page, first, last, find (arg), find-next/-previous, filter (arg), sort (arg may be NULL), sort-reverse,
 * mark, unmark; ACT_BACK when a filter or find is set clears it. False: not for a list (or nothing to clear). */
bool table_action(struct table *t, const struct table_rows *rows, enum action act, const char *arg);
/* Fits top so that the selection is among page rows. */
void table_scroll(struct table *t, int page);
/* Row number at a position; TABLE_NO_ROW outside. table_selected: of the selection. */
size_t table_row(const struct table *t, size_t position);
size_t table_selected(const struct table *t);
/* Selects the row with this key; false when it is not shown. */
bool table_select(struct table *t, const struct table_rows *rows, const char *key);
bool table_marked(const struct table *t, const char *key);
int table_sort_column(const struct table *t); /* -1 natural */

/* On a row already painted at line row, columns col..col+cols: the cursor ('>' and ROLE_SELECT reversed) when
 * position is selected, '+' (ASCII) or a dot and ROLE_MARK when marked, ROLE_MATCH over what find found. The first column
 * must have been left blank for it. */
void table_decorate(const struct table *t, const struct table_rows *rows, size_t position,
		    struct canvas *c, int row, int col, int cols);
/* "3 of 142", with "filter: differs", "find: status", "2 marked" when so: for view_words.facts. */
void table_facts(const struct table *t, struct strbuf *out);

#endif
