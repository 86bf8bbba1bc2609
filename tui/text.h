/* SPDX-License-Identifier: MIT */
/* The drawing words that views share: what a state is called, which role it has, how an environment is
 * marked, and small pieces of layout. Everything that foreign text passes through ends in canvas_put. */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include "core/base/clock.h"
#include "core/migrate/matrix.h"
#include "core/release/run.h"
#include "tui/view.h"

/* In front of every value of a protected environment; survives copy, paste and mono terminals. */
#define TEXT_PROTECTED "#"

/* Columns from here on are wide: full layout; below, the compact one. */
#define TEXT_WIDE_COLS 100

/* "ok" "pending" "late" "CHANGED" "MISSING" "FAILED" "PARTIAL" "unknown" "-". */
const char *text_cell(enum cell_state s);
enum role text_cell_role(enum cell_state s);
/* The same with what a word alone leaves open: "PARTIAL 2 of 4" (narrow: "PARTIAL 2/4"). */
void text_cell_words(const struct cell *cell, bool narrow, struct strbuf *out);
/* Who keeps an environment's history, in words: "bascule", "flyway, read only", "alembic, 2 heads, DIRTY". */
void text_history(const struct history *h, struct strbuf *out);
enum role text_run_role(enum run_state s);
enum role text_step_role(enum step_state s);
/* "[ok]" open, "[no]" closed, "[--]" closed but overridden. */
const char *text_gate(const struct gate *g);
enum role text_gate_role(const struct gate *g);

/* "#" for a protected environment, "" for others. */
const char *text_mark(const struct env *env);
/* "#PRODUCTION", "STAGING" (upper) or "#production". */
void text_env(const struct env *env, bool upper, struct strbuf *out);

/* The first row of a view of one environment: lead, then the names of all, the shown one marked. */
void text_env_heads(struct canvas *c, struct rect r, const struct project *p, int shown,
		    const char *lead);

/* "13:40" on the day of now, "18 Nov" earlier; "" for 0. */
char *text_when(int64_t utc_ms, int64_t now_utc_ms, char out[CLOCK_TEXT_SIZE]);
/* "88 MB", "6.2 GB", "512 B". */
char *text_bytes(int64_t bytes, char out[CLOCK_TEXT_SIZE]);
/* "4f1c..a7" of "s1:4f1c…a7"; "" for none. */
char *text_checksum(const char *checksum, char out[CLOCK_TEXT_SIZE]);
/* "[###.......]" of cols columns for done of total. */
void text_bar(struct strbuf *out, int cols, int64_t done, int64_t total);

/* Takes rows from the top (rows > 0) or the bottom (rows < 0) of r and returns them; r keeps the rest. Never more
 * than there are. */
struct rect rect_cut(struct rect *r, int rows);
/* Takes columns from the left (cols > 0) or the right (cols < 0). */
struct rect rect_cut_cols(struct rect *r, int cols);

/* Pieces of one row put one after another; what does not fit is cut. */
struct text_line {
	struct canvas *c;
	int row, col, end; /* next column, and the first that is not ours */
};
struct text_line text_line_at(struct canvas *c, struct rect r, int line); /* line from 0 inside r */
void text_add(struct text_line *l, enum role role, const char *text);
void text_addf(struct text_line *l, enum role role, const char *fmt, ...) PRINTF_LIKE(3, 4);
void text_skip_to(struct text_line *l, int col); /* column of the canvas */

/* Text broken at blanks into the columns of r, at most its rows. Returns rows used. */
int text_wrap(struct canvas *c, struct rect r, enum role role, struct sv text);
/* A gate at line (from 0) of r: its word, name and measured value; below it, when it is closed, the command that
 * opens it, whole: a command that is cut cannot be run. Returns rows used. */
int text_gate_draw(struct canvas *c, struct rect r, int line, const struct gate *g);
/* The three parts of an error. Returns rows used. */
int text_err(struct canvas *c, struct rect r, const struct err *e);

#endif
