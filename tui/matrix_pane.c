/* SPDX-License-Identifier: MIT */
/*
 * The pane under the matrix: left the script (or the difference between what ran and what the file
 * says now), right the facts of this migration in the selected environment. On a narrow screen the facts become one line
 * above the script.
 */
#include "tui/matrix_pane.h"

#include "tui/text.h"
#include "tui/tui.h"

#include <string.h>

#define FACTS_COLS 46
#define DIFF_CONTEXT 3

void matrix_pane_clear(struct matrix_pane *p)
{
	arena_clear(&p->arena);
	p->made_of = NULL;
	p->line = NULL;
	p->n_line = 0;
}

/* One text as lines of kind same, so that script and difference are drawn by the same code. */
static void cut_lines(struct matrix_pane *p, const char *text)
{
	struct sv rest = sv_of(text), line;
	size_t n = 1, i = 0;

	for (size_t k = 0; k < rest.n; k++)
		n += rest.p[k] == '\n';
	p->line = arena_alloc(&p->arena, n * sizeof(*p->line));
	while (sv_cut(&rest, '\n', &line)) {
		p->line[i].kind = DIFF_SAME;
		p->line[i].text = line;
		p->line[i].old_line = p->line[i].new_line = (int)i + 1;
		i++;
	}
	p->n_line = i;
}

/* Cuts the answer of the job into lines once; a text of thousands of lines is not cut again per frame. */
static void prepare(struct matrix_pane *p, const struct script_text *s, bool compare)
{
	if (p->made_of == s && p->made_compare == compare)
		return;
	matrix_pane_clear(p);
	p->made_of = s;
	p->made_compare = compare;
	if (compare && s->stored_text && s->file_text)
		p->line = textdiff(&p->arena, sv_of(s->stored_text), sv_of(s->file_text),
				   DIFF_CONTEXT, &p->n_line);
	else if (s->file_text || s->stored_text)
		cut_lines(p, s->file_text ? s->file_text : s->stored_text);
}

static void draw_line(struct canvas *c, struct rect r, int at, const struct diff_line *l,
		      bool compare)
{
	static const char *const sign[] = { [DIFF_SAME] = " ", [DIFF_OLD] = "-", [DIFF_NEW] = "+" };
	static const enum role role[] = {
		[DIFF_SAME] = ROLE_TEXT, [DIFF_OLD] = ROLE_DEL, [DIFF_NEW] = ROLE_ADD
	};
	int row = r.row + at;

	if (l->kind == DIFF_SKIP) {
		canvas_putf(c, row, r.col + 1, r.cols - 1, ROLE_DIM, "  ... %d equal lines",
			    l->old_line);
		return;
	}
	canvas_putf(c, row, r.col, 5, ROLE_DIM, "%4d", l->new_line ? l->new_line : l->old_line);
	if (compare)
		canvas_puts(c, row, r.col + 5, 1, role[l->kind], sign[l->kind]);
	canvas_put(c, row, r.col + 6, r.cols - 6, role[l->kind], l->text);
}

static void draw_script(struct matrix_pane *p, const struct script_text *s, bool compare,
			struct canvas *c, struct rect r)
{
	int max;

	prepare(p, s, compare);
	p->rows = r.rows;
	p->lines = (int)p->n_line;
	max = p->lines > r.rows ? p->lines - r.rows : 0;
	if (p->top > max)
		p->top = max;
	if (p->n_line == 0) {
		if (s->err.code != ERR_OK)
			text_err(c, r, &s->err);
		else
			canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
				    s->down ? "no down script" : "empty");
		return;
	}
	for (int i = 0; i < r.rows && p->top + i < p->lines; i++)
		draw_line(c, r, i, &p->line[p->top + i], compare);
}

/* ---- facts --------------------------------------------------------------------------------- */

struct fact_line {
	struct canvas *c;
	struct rect r;
	int at;
};

static void fact(struct fact_line *f, enum role role, const char *name, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void fact(struct fact_line *f, enum role role, const char *name, const char *fmt, ...)
{
	struct strbuf b;
	struct rect value;
	va_list ap;
	int used;

	if (f->at >= f->r.rows)
		return;
	strbuf_init(&b, 1024);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	canvas_puts(f->c, f->r.row + f->at, f->r.col + 1, 11, ROLE_HEAD, name);
	value = (struct rect){ f->r.row + f->at, f->r.col + 12, f->r.rows - f->at, f->r.cols - 12 };
	used = text_wrap(f->c, value, role, strbuf_sv(&b));
	strbuf_clear(&b);
	f->at += used > 0 ? used : 1;
}

/* The nearest stage before env that has run this very text: its time is the estimate. */
static void fact_estimate(const struct model *m, struct fact_line *f, const struct matrix_row *row,
			  int env)
{
	char took[CLOCK_TEXT_SIZE];

	for (int i = env - 1; i >= 0 && row->file; i--) {
		const struct applied *a = row->cell[i].applied;

		if (!a || !a->applied || a->baselined || !a->checksum ||
		    strcmp(a->checksum, row->file->checksum) != 0)
			continue;
		fact(f, ROLE_TEXT, "expect", "%s took %s", m->project->env[i].name,
		     clock_span(a->took_ms, took));
		return;
	}
}

static void facts_applied(const struct model *m, struct fact_line *f, const struct applied *a)
{
	char when[CLOCK_TEXT_SIZE], took[CLOCK_TEXT_SIZE];

	(void)m;
	/* Where there are few rows, the first are what stays. */
	if (a->failed)
		fact(f, ROLE_FAIL, "FAILED", "%s%s", a->failed_down ? "down: " : "",
		     a->error ? a->error : "");
	if (a->warning && a->n_warning > 1)
		fact(f, ROLE_WARN, "WARNING", "%s (and %zu more)", a->warning, a->n_warning - 1);
	else if (a->warning)
		fact(f, ROLE_WARN, "WARNING", "%s", a->warning);
	if (a->accepted)
		fact(f, ROLE_WARN, "accepted", "%s", a->error ? a->error : "as the file is now");
	if (a->applied && a->host)
		fact(f, ROLE_TEXT, a->baselined ? "recorded" : "applied", "%s by %s@%s%s%s",
		     clock_short(a->at_utc_ms, when), a->who ? a->who : "-", a->host,
		     a->baselined ? "" : " in ", a->baselined ? "" : clock_span(a->took_ms, took));
	else if (a->applied)
		/* Another tool's words: what it does not keep is not there. */
		fact(f, ROLE_TEXT, "applied", "%s%s%s%s",
		     a->at_utc_ms > 0 ? clock_short(a->at_utc_ms, when) : "no time is kept",
		     a->at_utc_ms > 0 && a->no_zone ? " (no time zone)" : "", a->who ? " by " : "",
		     a->who ? a->who : "");
	if (a->recorded)
		fact(f, ROLE_DIM, "recorded", "%s", a->recorded);
	if (a->run && a->run[0])
		fact(f, ROLE_DIM, "run", "%.*s", (int)strcspn(a->run, "-"), a->run);
	if (a->generation > 1)
		fact(f, ROLE_DIM, "times", "applied %lld times", (long long)a->generation);
}

static const char *way_back(const struct migration *file)
{
	if (!file)
		return "the stored down script, if any";
	if (file->framework)
		return "by its own tool, where the file has one";
	switch (file->down) {
	case DOWN_NONE:
		return "no: there is no down script";
	case DOWN_EMPTY:
		return "no: the down script is empty";
	default:
		return "yes: down script";
	}
}

static void draw_facts(const struct tui *t, const struct matrix_row *row, int env, struct canvas *c,
		       struct rect r)
{
	const struct model *m = &t->model;
	const struct env *e = &m->project->env[env];
	const struct cell *cell = &row->cell[env];
	const struct migration *file = cell->file;
	struct fact_line f = { c, r, 1 };
	char was[CLOCK_TEXT_SIZE], now[CLOCK_TEXT_SIZE];
	struct text_line head = text_line_at(c, r, 0);
	struct strbuf words;

	text_add(&head, ROLE_HEAD, " In ");
	text_addf(&head, e->is_protected ? ROLE_PROD : ROLE_HEAD, "%s%s", text_mark(e), e->name);
	strbuf_init(&words, 256);
	text_cell_words(cell, false, &words);
	text_addf(&head, text_cell_role(cell->state), "  %s", strbuf_str(&words));
	strbuf_clear(&words);
	if (cell->state == CELL_UNKNOWN && m->snap)
		fact(&f, ROLE_FAIL, "because", "%s: %s", m->snap->env[env].err.msg,
		     m->snap->env[env].err.detail);
	if (cell->state == CELL_CHANGED && file)
		fact(&f, ROLE_WARN, "checksum", "was %s, file is %s",
		     text_checksum(cell->applied->checksum, was),
		     text_checksum(file->checksum, now));
	if (cell->applied)
		facts_applied(m, &f, cell->applied);
	if (cell->state == CELL_PENDING || cell->state == CELL_LATE || cell->state == CELL_FAILED ||
	    cell->state == CELL_PARTIAL)
		fact_estimate(m, &f, row, env);
	if (!file && row->file) {
		fact(&f, ROLE_DIM, "file", "none for %s", e->dsn.engine ? e->dsn.engine : "it");
		return;
	}
	fact(&f, file && (file->down == DOWN_SQL || file->framework) ? ROLE_TEXT : ROLE_WARN,
	     "way back", "%s", way_back(file));
	if (file && !file->framework)
		fact(&f, file->no_transaction ? ROLE_WARN : ROLE_TEXT, "runs in", "%s",
		     env_runs_in(e, file->no_transaction));
	if (file)
		fact(&f, ROLE_DIM, "file", "%s",
		     strrchr(file->up_path, '/') ? strrchr(file->up_path, '/') + 1 : file->up_path);
	else
		fact(&f, ROLE_WARN, "file", "missing; the text is as it was applied");
}

static void draw_title(const struct matrix_pane *p, const struct matrix_row *row, bool compare,
		       struct canvas *c, struct rect r)
{
	char sum[CLOCK_TEXT_SIZE];
	struct text_line l = text_line_at(c, r, 0);

	text_addf(&l, ROLE_HEAD, " %s %s", row->id, row->title ? row->title : "");
	text_addf(&l, ROLE_DIM, "   %s%s", p->down ? "down script" : "up script",
		  compare ? ": was - and now +" : "");
	if (row->file)
		text_addf(&l, ROLE_DIM, "   sha256 %s",
			  text_checksum(p->down ? row->file->down_checksum : row->file->checksum,
					sum));
	if (p->focus)
		text_add(&l, ROLE_KEY, "   j/k scroll, Esc back");
}

void matrix_pane_draw(const struct tui *t, struct matrix_pane *p, const struct matrix_row *row,
		      int env, struct canvas *c, struct rect r)
{
	const struct script_text *s = t->model.script;
	bool changed, compare, fits;
	struct rect facts;

	if (!row || r.rows < 2)
		return;
	changed = row->cell[env].state == CELL_CHANGED;
	/* A changed migration shows its difference at once; x then shows the plain file. */
	compare = p->compare != changed;
	draw_title(p, row, compare, c, rect_cut(&r, 1));
	if (r.cols >= TEXT_WIDE_COLS) {
		facts = rect_cut_cols(&r, -FACTS_COLS);
		canvas_vrule(c, facts.row, facts.col, facts.rows);
		rect_cut_cols(&facts, 1);
		draw_facts(t, row, env, c, facts);
	} else if (r.rows > 5) {
		facts = rect_cut(&r, r.rows > 9 ? 4 : 2);
		draw_facts(t, row, env, c, facts);
	}
	fits = s && strcmp(s->env, t->model.project->env[env].name) == 0 &&
	       strcmp(s->id, row->id) == 0 && strcmp(s->ns, row->ns) == 0 && s->down == p->down;
	if (fits)
		draw_script(p, s, compare, c, r);
	else
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM, "reading …");
}
