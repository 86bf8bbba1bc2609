/* SPDX-License-Identifier: MIT */
/*
 * The preflight of the shown plan's environment.
 *
 * A row is its name and its words: on one line when they fit, else the words below, indented. What warns says
 * WARN; the rest has no colour. The age stands in the title: the picture is asked for every two seconds,
 * and one that is older than that by much is dim.
 */
#include "tui/preflight_pane.h"

#include <string.h>

#include "core/base/utf8.h"
#include "tui/text.h"

#define NAME_COLS 20
#define OLD_MS 6000       /* of a server */
#define OLD_FILE_MS 90000 /* of a file, which is asked less often */
#define LINES_MAX 3
#define ERROR_ROWS 4

bool preflight_pane_known(const struct model *m, const struct plan *p)
{
	return strcmp(m->preflight_env, p->environment) == 0 &&
	       (m->preflight || m->preflight_err.code != ERR_OK);
}

int preflight_pane_cols(const struct plan *p, int cols)
{
	/* Of a file there are two short rows to show: not worth a third of the screen. */
	if (cols < TEXT_WIDE_COLS || dsn_is_file(&p->env.dsn))
		return 0;
	return 40 + (cols - TEXT_WIDE_COLS) / 5;
}

static bool is_old(const struct model *m, const struct plan *p)
{
	return m->preflight && m->now_utc_ms - m->preflight->at_utc_ms >
				       (dsn_is_file(&p->env.dsn) ? OLD_FILE_MS : OLD_MS);
}

static enum role title_role(const struct plan *p)
{
	return p->is_protected ? ROLE_PROD_BAR : ROLE_HEAD;
}

static void draw_title(const struct model *m, const struct plan *p, struct canvas *c, struct rect r)
{
	char ago[CLOCK_TEXT_SIZE];
	struct text_line l = text_line_at(c, r, 0);

	text_add(&l, ROLE_HEAD, " ");
	text_addf(&l, title_role(p), "%s%s now", p->is_protected ? TEXT_PROTECTED : "",
		  p->environment);
	if (m->preflight)
		canvas_put_right(c, r.row, r.col + r.cols - 12, 11, ROLE_DIM,
				 sv_of(clock_ago(m->now_utc_ms - m->preflight->at_utc_ms, ago)));
}

/* ---- beside -------------------------------------------------------------------------------- */

static bool fits_beside(const struct preflight_row *row, int cols)
{
	return (int)utf8_cols(sv_of(row->words)) <= cols - NAME_COLS - 7;
}

static int row_rows(const struct preflight_row *row, int cols)
{
	if (fits_beside(row, cols))
		return 1;
	/* Broken at blanks: as a rule it takes no more than a line above what it would without. */
	return 2 + (int)utf8_cols(sv_of(row->words)) / (cols - 7);
}

/* Returns rows used. */
static int draw_row(const struct preflight_row *row, bool old, struct canvas *c, struct rect r)
{
	static const char *const words[] = { "", "note", "WARN" };
	static const enum role roles[] = { ROLE_TEXT, ROLE_DIM, ROLE_WARN };
	enum role role = old ? ROLE_DIM : roles[row->level];
	struct rect below = { r.row + 1, r.col + 6, r.rows - 1, r.cols - 7 };

	canvas_puts(c, r.row, r.col + 1, 4, role, words[row->level]);
	canvas_puts(c, r.row, r.col + 6, r.cols - 7, row->level == PREFLIGHT_OK ? ROLE_DIM : role,
		    row->name);
	if (fits_beside(row, r.cols)) {
		canvas_puts(c, r.row, r.col + 6 + NAME_COLS, r.cols - 7 - NAME_COLS, role,
			    row->words);
		return 1;
	}
	return 1 + text_wrap(c, below, role, sv_of(row->words));
}

void preflight_pane_draw(const struct model *m, const struct plan *p, struct canvas *c,
			 struct rect r)
{
	const struct preflight *f = m->preflight;
	bool old = is_old(m, p) || m->preflight_err.code != ERR_OK;
	bool all;
	int needed = 0;
	struct rect top;

	draw_title(m, p, c, rect_cut(&r, 1));
	if (m->preflight_err.code != ERR_OK) {
		top = r;
		top.rows = r.rows < ERROR_ROWS ? r.rows : ERROR_ROWS;
		rect_cut(&r, text_err(c, top, &m->preflight_err));
	}
	for (size_t i = 0; f && i < f->n; i++)
		needed += row_rows(&f->row[i], r.cols);
	all = needed <= r.rows;
	/* Short of rows: what warns, then the others. */
	for (int pass = 0; f && pass < (all ? 1 : 2); pass++) {
		for (size_t i = 0; i < f->n && r.rows > 0; i++) {
			bool warns = f->row[i].level == PREFLIGHT_WARN;

			if (all || warns == (pass == 0))
				rect_cut(&r, draw_row(&f->row[i], old, c, r));
		}
	}
}

/* ---- below --------------------------------------------------------------------------------- */

static void lines_text(const struct model *m, const struct plan *p, struct strbuf *out)
{
	const struct preflight *f = m->preflight;
	char ago[CLOCK_TEXT_SIZE];
	const char *between = "";

	strbuf_addf(out, "%s%s now", p->is_protected ? TEXT_PROTECTED : "", p->environment);
	if (f)
		strbuf_addf(out, " (%s)", clock_ago(m->now_utc_ms - f->at_utc_ms, ago));
	strbuf_adds(out, ": ");
	if (m->preflight_err.code != ERR_OK) {
		strbuf_addf(out, "FAIL %s", m->preflight_err.msg);
		between = " . ";
	}
	for (int pass = 0; f && pass < 2; pass++) {
		for (size_t i = 0; i < f->n; i++) {
			bool warns = f->row[i].level == PREFLIGHT_WARN;

			if (warns != (pass == 0))
				continue;
			strbuf_addf(out, "%s%s%s %s", between, warns ? "WARN " : "", f->row[i].name,
				    f->row[i].words);
			between = " . ";
		}
	}
}

int preflight_pane_lines(const struct model *m, const struct plan *p, int cols)
{
	struct strbuf text;
	int lines;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	lines_text(m, p, &text);
	lines = 1 + (int)utf8_cols(strbuf_sv(&text)) / (cols - 8);
	strbuf_clear(&text);
	return lines > LINES_MAX ? LINES_MAX : lines;
}

void preflight_pane_draw_lines(const struct model *m, const struct plan *p, struct canvas *c,
			       struct rect r)
{
	bool warns = m->preflight && m->preflight->n_warn > 0 && !is_old(m, p);
	struct strbuf text;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	lines_text(m, p, &text);
	rect_cut_cols(&r, 1);
	text_wrap(c, r,
		  m->preflight_err.code != ERR_OK ? ROLE_FAIL
		  : warns                         ? ROLE_WARN
						  : ROLE_DIM,
		  strbuf_sv(&text));
	strbuf_clear(&text);
}
