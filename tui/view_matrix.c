/* SPDX-License-Identifier: MIT */
/*
 * The migration matrix: rows are migrations, newest first, columns are environments, each cell a
 * state with when and how long. Below, the selected migration: its SQL, or what it was against what
 * it is, and what is known about it in the selected environment.
 *
 * Rows that are equal everywhere and older than everything that differs are folded to one line; '+'
 * unfolds. The script shown is asked of a job whenever the selection moves to another one; an answer
 * for a selection that has moved on is not drawn.
 */
#include "tui/view.h"

#include "tui/env_columns.h"
#include "tui/matrix_pane.h"
#include "tui/table.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

#define DOWN_COLS 6
#define ID_COLS_MAX 18
#define CELL_WIDE_COLS 19 /* "#ok 18 Nov 10m 05s" and a blank */
#define CELL_COLS 10
#define CELL_COLS_MAX 15
#define FOLD_FROM_ROWS 30 /* shorter lists are never folded */
#define FOLD_CONTEXT 4    /* equal rows kept below the oldest that differs */

struct matrix_state {
	struct table table;
	const struct model *m;
	int env;
	bool expanded;
	size_t fold_from; /* natural row number from which rows may be folded */
	size_t n_folded;
	int id_cols;
	struct matrix_pane pane;
	char asked[2 * TABLE_KEY_SIZE + CHECKSUM_SIZE];
};

/* Row 0 is the newest migration. */
static const struct matrix_row *row_at(const void *ctx, size_t row)
{
	const struct matrix *x = ((const struct matrix_state *)ctx)->m->snap->matrix;

	return &x->row[x->n_row - 1 - row];
}

static void row_key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	const struct matrix_row *r = row_at(ctx, row);

	snprintf(out, TABLE_KEY_SIZE, "%s/%s", r->ns, r->id);
}

static void row_text(const void *ctx, size_t row, struct strbuf *out)
{
	const struct matrix_state *s = ctx;
	const struct matrix_row *r = row_at(ctx, row);

	strbuf_addf(out, "%s %s", r->id, r->title ? r->title : "");
	for (size_t i = 0; i < s->m->snap->matrix->n_env; i++) {
		strbuf_addc(out, ' ');
		strbuf_adds(out, cell_state_name(r->cell[i].state));
	}
}

static const char *const columns[] = { "id", "name", "state", "took", NULL };

static int row_compare(const void *ctx, int column, size_t a, size_t b)
{
	const struct matrix_state *s = ctx;
	const struct matrix_row *x = row_at(ctx, a), *y = row_at(ctx, b);
	const struct cell *cx = &x->cell[s->env], *cy = &y->cell[s->env];
	int64_t tx, ty;

	switch (column) {
	case 0:
		return strcmp(x->sort_key, y->sort_key);
	case 1:
		return strcmp(x->title ? x->title : "", y->title ? y->title : "");
	case 2:
		return (int)cx->state - (int)cy->state;
	default:
		/* Slowest first: that is what one sorts by time for. */
		tx = cx->applied ? cx->applied->took_ms : -1;
		ty = cy->applied ? cy->applied->took_ms : -1;
		return (tx < ty) - (tx > ty);
	}
}

static bool row_differs(const void *ctx, size_t row)
{
	return row_at(ctx, row)->differs;
}

static bool row_folded(const void *ctx, size_t row)
{
	const struct matrix_state *s = ctx;

	return !s->expanded && row >= s->fold_from;
}

static struct table_rows rows_of(const struct matrix_state *s)
{
	bool some = s->m->snap && s->m->snap->matrix;

	return (struct table_rows){ .ctx = s,
				    .n = some ? s->m->snap->matrix->n_row : 0,
				    .key = row_key,
				    .text = row_text,
				    .compare = row_compare,
				    .columns = columns,
				    .differs = row_differs,
				    .folded = row_folded };
}

/* Everything that depends on all rows is computed here, once per snapshot, not in draw. */
static void update(struct tui *t, struct matrix_state *s)
{
	struct table_rows rows;
	size_t last_differs = 0, longest = 4;

	s->m = &t->model;
	rows = rows_of(s);
	for (size_t i = 0; i < rows.n; i++) {
		size_t n = strlen(row_at(s, i)->id);

		if (row_at(s, i)->differs)
			last_differs = i + 1;
		if (n > longest)
			longest = n;
	}
	s->id_cols = longest > ID_COLS_MAX ? ID_COLS_MAX : (int)longest;
	s->fold_from = last_differs + FOLD_CONTEXT;
	if (rows.n < FOLD_FROM_ROWS || s->fold_from > rows.n)
		s->fold_from = rows.n;
	s->n_folded = rows.n - s->fold_from;
	table_update(&s->table, &rows);
}

static const struct matrix_row *selected(const struct matrix_state *s)
{
	size_t row = table_selected(&s->table);

	return row == TABLE_NO_ROW || !s->m->snap || !s->m->snap->matrix ? NULL : row_at(s, row);
}

/* Asks for the script of the selection unless it was asked for already, in this very version. */
static void follow_selection(struct tui *t, struct matrix_state *s)
{
	const struct matrix_row *r = selected(s);
	const struct env *env = t->model.project->n_env ? &t->model.project->env[s->env] : NULL;
	char want[sizeof(s->asked)];

	if (!r || !env)
		return;
	snprintf(want, sizeof(want), "%s/%s/%s/%d/%s", env->name, r->ns, r->id, s->pane.down,
		 r->file ? (s->pane.down ? r->file->down_checksum : r->file->checksum) : "");
	if (strcmp(want, s->asked) == 0)
		return;
	str_copy(s->asked, sizeof(s->asked), want);
	s->pane.top = 0;
	tui_script(t, env->name, r->ns, r->id, s->pane.down);
}

static void matrix_open(struct tui *t, void *state)
{
	struct matrix_state *s = state;

	tui_env_follow(t, VIEW_MATRIX, &s->env);
	update(t, s);
	follow_selection(t, s);
}

static void matrix_event(struct tui *t, void *state, enum event_type type)
{
	if (type != EV_SNAPSHOT)
		return;
	update(t, state);
	if (t->shown == VIEW_MATRIX)
		follow_selection(t, state);
}

/* ---- drawing ------------------------------------------------------------------------------- */

struct layout {
	struct env_columns envs;
	int id_col, name_col, name_cols, cell_col, down_col;
	bool wide;
};

static struct layout layout_of(const struct matrix_state *s, struct rect r)
{
	struct layout l = { .wide = r.cols >= TEXT_WIDE_COLS };
	int cell = l.wide ? CELL_WIDE_COLS : CELL_COLS;
	int n_env = (int)s->m->project->n_env;
	int name_min = 16;
	int room = r.cols - 2 - s->id_cols - name_min - DOWN_COLS;

	/* Wide enough for the names, where that leaves room for all. */
	for (int i = 0; i < n_env && !l.wide; i++) {
		int need = (int)strlen(s->m->project->env[i].name) + 2;
		if (need > cell && need <= CELL_COLS_MAX && need * n_env <= room)
			cell = need;
	}
	l.envs = env_columns_fit(n_env, s->env, room < cell ? cell : room, cell);
	l.envs.cols = cell;
	l.id_col = r.col + 1;
	l.name_col = l.id_col + s->id_cols + 2;
	l.down_col = r.col + r.cols - DOWN_COLS;
	l.cell_col = l.down_col - l.envs.n * cell;
	l.name_cols = l.cell_col - l.name_col - 1;
	return l;
}

/* Where the files are, and what git says of them. */
static void draw_place(const struct snapshot *snap, struct canvas *c, struct rect r, int from)
{
	struct strbuf text;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	if (snap->git)
		git_state_brief(&snap->git->state, &text);
	strbuf_addf(&text, "%s%s", text.len > 0 ? " . " : "", snap->source->dir);
	canvas_put_right(c, r.row, from, r.col + r.cols - from - 1, ROLE_DIM, strbuf_sv(&text));
	strbuf_clear(&text);
}

static void draw_summary(const struct tui *t, const struct matrix_state *s, struct canvas *c,
			 struct rect r)
{
	const struct snapshot *snap = t->model.snap;
	struct text_line l = text_line_at(c, r, 0);
	int sort = table_sort_column(&s->table);

	text_addf(&l, ROLE_TEXT, " %zu migrations . ", snap->matrix->n_row);
	text_addf(&l, snap->matrix->n_differs ? ROLE_PENDING : ROLE_OK, "%zu differ",
		  snap->matrix->n_differs);
	text_addf(&l, ROLE_TEXT, " . order: %s%s", sort < 0 ? "newest first" : columns[sort],
		  s->table.reverse ? ", reversed" : "");
	if (snap->source && snap->source->n_problem_total)
		text_addf(&l, snap->source->n_error ? ROLE_FAIL : ROLE_WARN,
			  " . %zu problem%s in the files, see bascule check",
			  snap->source->n_problem_total,
			  snap->source->n_problem_total == 1 ? "" : "s");
	else if (snap->source && r.cols >= TEXT_WIDE_COLS)
		draw_place(snap, c, r, l.col + 1);
}

static void draw_heads(const struct tui *t, const struct matrix_state *s, struct canvas *c,
		       struct rect r, const struct layout *y)
{
	struct strbuf name;

	strbuf_init(&name, 256);
	canvas_puts(c, r.row, y->id_col, s->id_cols, ROLE_HEAD, "id");
	canvas_puts(c, r.row, y->name_col, y->name_cols, ROLE_HEAD, "name");
	for (int i = 0; i < y->envs.n; i++) {
		const struct env *env = &t->model.project->env[y->envs.env[i]];
		int col = y->cell_col + i * y->envs.cols;

		strbuf_reset(&name);
		text_env(env, true, &name);
		canvas_put(c, r.row, col, y->envs.cols - 1,
			   env->is_protected ? ROLE_PROD : ROLE_HEAD, strbuf_sv(&name));
		if (env->is_protected)
			canvas_paint(c, r.row, col, y->envs.cols - 1, ROLE_PROD_BAR, false);
		else if (y->envs.env[i] == s->env)
			canvas_paint(c, r.row, col, y->envs.cols - 1, ROLE_SELECT, true);
	}
	canvas_puts(c, r.row, y->down_col, DOWN_COLS, ROLE_HEAD, "down");
	strbuf_clear(&name);
}

static void draw_cell(const struct tui *t, const struct env *env, const struct cell *cell,
		      struct canvas *c, int row, int col, const struct layout *y)
{
	char when[CLOCK_TEXT_SIZE], took[CLOCK_TEXT_SIZE];
	const struct applied *a = cell->applied;
	enum role role = text_cell_role(cell->state);
	struct strbuf words;

	if (cell->state == CELL_APPLIED && a && a->warning) {
		canvas_putf(c, row, col, y->envs.cols - 1, ROLE_WARN, "%s%s WARN%s", text_mark(env),
			    text_cell(cell->state), y->wide ? "ING" : "");
		return;
	}
	if (cell->state == CELL_APPLIED && y->wide && a && a->at_utc_ms > 0) {
		canvas_putf(c, row, col, y->envs.cols - 1, role, "%s%s %s %s", text_mark(env),
			    a->baselined ? "baselined" : text_cell(cell->state),
			    text_when(a->at_utc_ms, t->model.now_utc_ms, when),
			    a->baselined ? "" : clock_span(a->took_ms, took));
		return;
	}
	strbuf_init(&words, 256);
	text_cell_words(cell, !y->wide, &words);
	canvas_putf(c, row, col, y->envs.cols - 1, role, "%s%s", text_mark(env),
		    strbuf_str(&words));
	strbuf_clear(&words);
}

static const char *down_word(const struct matrix_row *r)
{
	static const char *const word[] = {
		[DOWN_NONE] = "no", [DOWN_EMPTY] = "empty", [DOWN_SQL] = "yes"
	};

	/* Without a file the stored down is what a rollback would use. */
	if (!r->file)
		return "-";
	if (r->file->framework)
		return "tool"; /* what its downgrade does is in the code */
	return word[r->file->down];
}

static void draw_row(const struct tui *t, const struct matrix_state *s, size_t at, struct canvas *c,
		     struct rect r, int line, const struct layout *y)
{
	const struct matrix_row *x = row_at(s, table_row(&s->table, at));
	struct table_rows rows = rows_of(s);
	int row = r.row + line;

	canvas_puts(c, row, y->id_col, s->id_cols, ROLE_TEXT, x->id);
	canvas_puts(c, row, y->name_col, y->name_cols, ROLE_TEXT, x->title ? x->title : "");
	for (int i = 0; i < y->envs.n; i++) {
		int e = y->envs.env[i];

		draw_cell(t, &t->model.project->env[e], &x->cell[e], c, row,
			  y->cell_col + i * y->envs.cols, y);
	}
	canvas_puts(c, row, y->down_col, DOWN_COLS,
		    x->file && x->file->down != DOWN_SQL && !x->file->framework ? ROLE_WARN
										: ROLE_TEXT,
		    down_word(x));
	table_decorate(&s->table, &rows, at, c, row, r.col, r.cols);
}

static void draw_list(const struct tui *t, struct matrix_state *s, struct canvas *c, struct rect r,
		      const struct layout *y)
{
	bool fold_line = !s->expanded && s->n_folded && !s->table.filter[0];
	int i;

	table_scroll(&s->table, r.rows - fold_line);
	for (i = 0; i < r.rows - fold_line && s->table.top + (size_t)i < s->table.n; i++)
		draw_row(t, s, s->table.top + (size_t)i, c, r, i, y);
	if (s->table.n == 0)
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    s->table.filter[0]
				    ? "Nothing matches the filter. Esc clears it."
				    : "No migrations yet. `bascule new NAME` makes the first.");
	else if (fold_line && s->table.top + (size_t)i >= s->table.n)
		canvas_putf(c, r.row + i, r.col + 1, r.cols - 1, ROLE_DIM,
			    "...   %zu older, equal in every environment; + shows them",
			    s->n_folded);
}

static void words(const struct tui *t, const struct matrix_state *s, struct view_words *w)
{
	const struct matrix_row *r = selected(s);
	const struct env *env = &t->model.project->env[s->env];

	strbuf_addf(&w->crumb, "%s%s > migrations", text_mark(env), env->name);
	if (r)
		strbuf_addf(&w->crumb, " > %s > %s", cell_state_name(r->cell[s->env].state), r->id);
	table_facts(&s->table, &w->facts);
}

static void matrix_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
			struct view_words *w)
{
	struct matrix_state *s = state;
	struct layout y;
	struct rect pane;
	int want, shown;

	s->m = &t->model;
	if (!t->model.snap || t->model.project->n_env == 0) {
		strbuf_adds(&w->crumb, "migrations");
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM, "reading …");
		return;
	}
	if (!t->model.snap->source) {
		strbuf_adds(&w->crumb, "migrations");
		text_err(c, r, &t->model.snap->source_err);
		return;
	}
	y = layout_of(s, r);
	draw_summary(t, s, c, rect_cut(&r, 1));
	canvas_rule(c, r.row, r.col, r.cols);
	rect_cut(&r, 1);
	draw_heads(t, s, c, rect_cut(&r, 1), &y);
	/* The list keeps what it needs up to half; opened, the script gets three quarters. */
	want = s->pane.open ? r.rows * 3 / 4 : r.rows / 2;
	shown = s->table.n ? (int)s->table.n : 1; /* a row says why there is none */
	if (!s->pane.open && shown < r.rows - want)
		want = r.rows - shown - (s->n_folded && !s->expanded ? 1 : 0);
	pane = rect_cut(&r, -want);
	draw_list(t, s, c, r, &y);
	canvas_rule(c, pane.row, pane.col, pane.cols);
	rect_cut(&pane, 1);
	matrix_pane_draw(t, &s->pane, selected(s), s->env, c, pane);
	words(t, s, w);
}

/* ---- actions ------------------------------------------------------------------------------- */

static bool pane_action(struct matrix_state *s, enum action act)
{
	int page = s->pane.rows > 1 ? s->pane.rows - 1 : 1;

	switch (act) {
	case ACT_DOWN:
		s->pane.top++;
		return true;
	case ACT_UP:
		s->pane.top--;
		break;
	case ACT_PAGE_DOWN:
		s->pane.top += page;
		return true;
	case ACT_PAGE_UP:
		s->pane.top -= page;
		break;
	case ACT_FIRST:
		s->pane.top = 0;
		return true;
	case ACT_LAST:
		s->pane.top = s->pane.lines;
		return true;
	default:
		return false;
	}
	if (s->pane.top < 0)
		s->pane.top = 0;
	return true;
}

static void fold(struct tui *t, struct matrix_state *s, bool expanded)
{
	s->expanded = expanded;
	update(t, s);
}

/* p with marks plans just those; without, the generic plan towards the stage before is meant. */
static bool plan_marked(struct tui *t, struct matrix_state *s)
{
	const char **id;
	struct plan_request r = { .op = OP_MIGRATE };

	if (s->table.n_mark == 0)
		return false;
	id = mem_calloc(s->table.n_mark, sizeof(*id));
	/* A mark is the row's key: namespace, slash, id. */
	for (size_t i = 0; i < s->table.n_mark; i++) {
		const char *slash = strchr(s->table.mark[i], '/');
		id[i] = slash ? slash + 1 : s->table.mark[i];
	}
	r.environment = t->model.project->env[s->env].name;
	r.marked = id;
	r.n_marked = s->table.n_mark;
	tui_plan(t, &r);
	mem_free(id);
	return true;
}

/* b on an applied row plans the way back down to and with it; elsewhere the newest alone is meant. */
static bool plan_back_to(struct tui *t, const struct matrix_state *s)
{
	const struct matrix_row *row = selected(s);
	const struct history *h = t->model.snap ? t->model.snap->env[s->env].history : NULL;
	struct plan_request r = { .op = OP_ROLLBACK };
	const struct applied **list;
	size_t n;

	if (!row || !h || !row->cell[s->env].applied || !row->cell[s->env].applied->applied)
		return false;
	list = history_newest_first(h, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i]->id, row->id) == 0 && strcmp(list[i]->ns, row->ns) == 0)
			r.last = (int64_t)i + 1;
	}
	mem_free(list);
	r.environment = t->model.project->env[s->env].name;
	tui_plan(t, &r);
	return true;
}

static bool own_action(struct tui *t, struct matrix_state *s, enum action act)
{
	int n_env = (int)t->model.project->n_env;

	switch (act) {
	case ACT_LEFT:
		s->env = s->env > 0 ? s->env - 1 : 0;
		return true;
	case ACT_RIGHT:
		s->env = s->env + 1 < n_env ? s->env + 1 : s->env;
		return true;
	case ACT_OPEN:
		s->pane.open = !s->pane.open;
		s->pane.focus = s->pane.open;
		return true;
	case ACT_PANE:
		s->pane.focus = !s->pane.focus;
		return true;
	case ACT_DOWN_SQL:
		s->pane.down = !s->pane.down;
		return true;
	case ACT_COMPARE:
		s->pane.compare = !s->pane.compare;
		s->pane.top = 0;
		return true;
	case ACT_EXPAND:
		fold(t, s, true);
		return true;
	case ACT_COLLAPSE:
		fold(t, s, false);
		return true;
	case ACT_BACK:
		if (!s->pane.open && !s->pane.focus)
			return false;
		s->pane.open = s->pane.focus = false;
		return true;
	default:
		return false;
	}
}

static bool matrix_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct matrix_state *s = state;
	struct table_rows rows;
	bool done;

	s->m = &t->model;
	rows = rows_of(s);
	if (!arg && act == ACT_PLAN && plan_marked(t, s))
		return true;
	if (!arg && act == ACT_BACK_OUT && plan_back_to(t, s))
		return true;
	done = (s->pane.focus && pane_action(s, act)) || own_action(t, s, act) ||
	       table_action(&s->table, &rows, act, arg);
	if (done)
		follow_selection(t, s);
	return done;
}

static int matrix_selected_env(const struct tui *t, const void *state)
{
	return t->model.project->n_env ? ((const struct matrix_state *)state)->env : -1;
}

static void matrix_close(void *state)
{
	struct matrix_state *s = state;

	table_clear(&s->table);
	matrix_pane_clear(&s->pane);
}

static const enum action hints[] = { ACT_DOWN,    ACT_LEFT, ACT_OPEN, ACT_DOWN_SQL,
				     ACT_COMPARE, ACT_MARK, ACT_PLAN, ACT_BACK_OUT,
				     ACT_HELP,    ACT_BACK, ACT_NONE };

const struct view_ops view_matrix = {
	.name = "Migrations",
	.short_name = "Mig",
	.where = WHERE_MIGRATIONS,
	.state_size = sizeof(struct matrix_state),
	.open = matrix_open,
	.event = matrix_event,
	.draw = matrix_draw,
	.action = matrix_action,
	.selected_env = matrix_selected_env,
	.close = matrix_close,
	.hints = hints,
};
