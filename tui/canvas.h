/* SPDX-License-Identifier: MIT */
/*
 * The screen as data: a grid of cells that views paint and tests read. No curses here.
 *
 * Everything that is text goes through canvas_put, which cleans foreign bytes, clips at the field
 * it is given and never writes a cell outside it. A cell has a role, not a colour: themes say what
 * a role looks like.
 */
#ifndef TUI_CANVAS_H
#define TUI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

/* What a cell means. Words first, colour second: nothing is told by a role alone. Names for themes
 * come from role_name(). */
enum role {
	ROLE_TEXT,
	ROLE_DIM,    /* secondary, old */
	ROLE_TITLE,  /* title row */
	ROLE_TAB,    /* name of a view; */
	ROLE_TAB_ON, /* … of the one shown */
	ROLE_HEAD,   /* column heads, section names */
	ROLE_RULE,   /* lines between sections */
	ROLE_OK,
	ROLE_PENDING,
	ROLE_WARN,     /* CHANGED, late */
	ROLE_FAIL,     /* FAILED, closed gates */
	ROLE_PROD,     /* the mark and name of a protected environment */
	ROLE_PROD_BAR, /* its solid bar */
	ROLE_SELECT,   /* the row the cursor is on */
	ROLE_MARK,     /* marked rows */
	ROLE_MATCH,    /* what find found */
	ROLE_ARMED,    /* title while an environment is armed */
	ROLE_KEY,      /* a key in the bottom row and in help */
	ROLE_INPUT,    /* what is being typed */
	ROLE_ADD,      /* new line of a diff */
	ROLE_DEL,      /* old line of a diff */
	ROLES
};
const char *role_name(enum role r);
int role_of(const char *name); /* -1 */

#define CELL_TEXT 20 /* one character of up to 4 bytes with up to 4 combining marks of up to 4 */

struct canvas_cell {
	char text[CELL_TEXT]; /* UTF-8 with a NUL; "" in the second column of a wide one */
	uint8_t role;
	bool reverse; /* on top of the role: selection in mono */
};

struct canvas {
	int rows, cols;
	bool ascii; /* only ASCII is put; glyphs fall back */
	struct canvas_cell *cell;
	int cursor_row, cursor_col; /* -1: hidden */
};

void canvas_init(struct canvas *c, int rows, int cols, bool ascii);
void canvas_clear(struct canvas *c); /* frees */
void canvas_resize(struct canvas *c, int rows, int cols);
void canvas_erase(struct canvas *c); /* all blank, ROLE_TEXT, cursor hidden */
const struct canvas_cell *canvas_at(const struct canvas *c, int row, int col); /* NULL outside */

/* Puts text at (row, col) in at most cols columns; cut with an ellipsis ('~' in ASCII) when longer. Returns
 * the columns used. Outside the canvas: clipped. */
int canvas_put(struct canvas *c, int row, int col, int cols, enum role role, struct sv text);
int canvas_puts(struct canvas *c, int row, int col, int cols, enum role role, const char *text);
int canvas_putf(struct canvas *c, int row, int col, int cols, enum role role, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Right-aligned in the field. */
int canvas_put_right(struct canvas *c, int row, int col, int cols, enum role role, struct sv text);
void canvas_fill(struct canvas *c, int row, int col, int cols, enum role role, char ch);
void canvas_rule(struct canvas *c, int row, int col, int cols);  /* '-' or a line glyph */
void canvas_vrule(struct canvas *c, int row, int col, int rows); /* '|' */
/* Changes role (and reverse) of a stretch without touching text. */
void canvas_paint(struct canvas *c, int row, int col, int cols, enum role role, bool reverse);
/* A box with the inside blanked. */
void canvas_box(struct canvas *c, int row, int col, int rows, int cols, enum role role);

/* For golden tests and --plain pictures: the text of the grid, trailing blanks removed; roles as a second
 * grid of one letter per cell. */
void canvas_dump(const struct canvas *c, struct strbuf *out);
void canvas_dump_roles(const struct canvas *c, struct strbuf *out);
char role_letter(enum role r);

#endif
