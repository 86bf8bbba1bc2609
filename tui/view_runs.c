/* SPDX-License-Identifier: MIT */
/* Runs: every run of this machine's state folder, newest first, also those whose console died. */
#include "tui/view.h"

#include "tui/table.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

/* Columns at 80 and wider screens: number, operation, environment, state, step, started, took, by. */
enum {
	COL_RUN = 1,
	COL_OP = 8,
	COL_ENV = 18,
	COL_STATE = 34,
	COL_STEP = 47,
	COL_WHEN = 56,
	COL_TOOK = 65,
	COL_BY = 73
};

struct runs_state {
	struct table table;
	const struct model *m; /* for the row functions; set by event and action */
};

static const struct run *run_at(const void *ctx, size_t row)
{
	return ((const struct runs_state *)ctx)->m->runs[row];
}

static void row_key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	snprintf(out, TABLE_KEY_SIZE, "%s", run_at(ctx, row)->id);
}

static void row_text(const void *ctx, size_t row, struct strbuf *out)
{
	const struct run *r = run_at(ctx, row);

	strbuf_addf(out, "%s %s %s %s %s %s", r->number, operation_name(r->plan->op),
		    r->plan->environment, run_state_name(r->state), r->who, r->error_msg);
}

static const char *const columns[] = { "run",     "operation", "environment", "state",
				       "started", "by",        NULL };

static int row_compare(const void *ctx, int column, size_t a, size_t b)
{
	const struct run *x = run_at(ctx, a), *y = run_at(ctx, b);

	switch (column) {
	case 0:
		return (x->created_utc_ms > y->created_utc_ms) -
		       (x->created_utc_ms < y->created_utc_ms);
	case 1:
		return (int)x->plan->op - (int)y->plan->op;
	case 2:
		return strcmp(x->plan->environment, y->plan->environment);
	case 3:
		return (int)x->state - (int)y->state;
	case 4:
		return (x->started_utc_ms > y->started_utc_ms) -
		       (x->started_utc_ms < y->started_utc_ms);
	default:
		return strcmp(x->who, y->who);
	}
}

static struct table_rows rows_of(const struct runs_state *s)
{
	return (struct table_rows){ .ctx = s,
				    .n = s->m->n_runs,
				    .key = row_key,
				    .text = row_text,
				    .compare = row_compare,
				    .columns = columns };
}

static void update(struct tui *t, struct runs_state *s)
{
	struct table_rows rows;

	s->m = &t->model;
	rows = rows_of(s);
	table_update(&s->table, &rows);
}

static void runs_open(struct tui *t, void *state)
{
	update(t, state);
	tui_read_runs(t);
}

static void runs_event(struct tui *t, void *state, enum event_type type)
{
	if (type == EV_RUNS)
		update(t, state);
}

static const char *took_text(const struct run *r, int64_t now_utc_ms, char out[CLOCK_TEXT_SIZE])
{
	int64_t end = r->ended_utc_ms ? r->ended_utc_ms : now_utc_ms;

	if (!r->started_utc_ms)
		return "-";
	/* How long an interrupted run has been lying there is not how long it took. */
	if (!r->ended_utc_ms && r->state == RUN_INTERRUPTED)
		return "-";
	return clock_span(end - r->started_utc_ms, out);
}

static void draw_row(const struct tui *t, struct runs_state *s, size_t at, struct canvas *c,
		     struct rect r, int line)
{
	const struct run *x = run_at(s, table_row(&s->table, at));
	const struct env *env = env_find(t->model.project, x->plan->environment);
	struct table_rows rows = rows_of(s);
	char when[CLOCK_TEXT_SIZE], took[CLOCK_TEXT_SIZE];
	int row = r.row + line;

	canvas_puts(c, row, r.col + COL_RUN, COL_OP - COL_RUN - 1, ROLE_TEXT, x->number);
	canvas_puts(c, row, r.col + COL_OP, COL_ENV - COL_OP - 1, ROLE_TEXT,
		    operation_name(x->plan->op));
	canvas_putf(c, row, r.col + COL_ENV, COL_STATE - COL_ENV - 1,
		    x->plan->is_protected ? ROLE_PROD : ROLE_TEXT, "%s%s",
		    env ? text_mark(env) : "", x->plan->environment);
	canvas_puts(c, row, r.col + COL_STATE, COL_STEP - COL_STATE - 1, text_run_role(x->state),
		    run_state_name(x->state));
	canvas_putf(c, row, r.col + COL_STEP, COL_WHEN - COL_STEP - 1, ROLE_TEXT, "%d of %zu",
		    x->current, x->plan->n_step);
	canvas_puts(c, row, r.col + COL_WHEN, COL_TOOK - COL_WHEN - 1, ROLE_TEXT,
		    text_when(x->created_utc_ms, t->model.now_utc_ms, when));
	canvas_puts(c, row, r.col + COL_TOOK, COL_BY - COL_TOOK - 1, ROLE_TEXT,
		    took_text(x, t->model.now_utc_ms, took));
	canvas_putf(c, row, r.col + COL_BY, r.cols - COL_BY, ROLE_DIM, "%s%s%s", x->who,
		    x->error_msg[0] ? "  " : "", x->error_msg);
	table_decorate(&s->table, &rows, at, c, row, r.col, r.cols);
}

static void draw_head(struct canvas *c, struct rect r)
{
	static const struct {
		int col;
		const char *name;
	} head[] = { { COL_RUN, "run" },     { COL_OP, "does" },   { COL_ENV, "environment" },
		     { COL_STATE, "state" }, { COL_STEP, "step" }, { COL_WHEN, "made" },
		     { COL_TOOK, "took" },   { COL_BY, "by" } };

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		canvas_puts(c, r.row, r.col + head[i].col, r.cols - head[i].col, ROLE_HEAD,
			    head[i].name);
}

static void runs_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		      struct view_words *w)
{
	struct runs_state *s = state;

	strbuf_adds(&w->crumb, "runs");
	s->m = &t->model;
	if (!t->model.runs_known || t->model.n_runs == 0) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    t->model.runs_known ? "No run yet. p makes a plan, ! starts it."
						: "reading …");
		return;
	}
	draw_head(c, rect_cut(&r, 1));
	table_scroll(&s->table, r.rows);
	for (int i = 0; i < r.rows && s->table.top + (size_t)i < s->table.n; i++)
		draw_row(t, s, s->table.top + (size_t)i, c, r, i);
	table_facts(&s->table, &w->facts);
}

static bool runs_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct runs_state *s = state;
	struct table_rows rows;
	size_t row;

	s->m = &t->model;
	rows = rows_of(s);
	if (act != ACT_OPEN)
		return table_action(&s->table, &rows, act, arg);
	row = table_selected(&s->table);
	if (row != TABLE_NO_ROW)
		tui_watch(t, run_at(s, row)->id);
	return true;
}

static int runs_selected(const struct tui *t, const void *state)
{
	const struct runs_state *s = state;
	size_t row = table_selected(&s->table);
	const struct env *env;

	if (row == TABLE_NO_ROW || row >= t->model.n_runs)
		return -1;
	env = env_find(t->model.project, t->model.runs[row]->plan->environment);
	return env ? (int)env_index(t->model.project, env) : -1;
}

static void runs_close(void *state)
{
	table_clear(&((struct runs_state *)state)->table);
}

static const enum action hints[] = { ACT_DOWN,    ACT_OPEN, ACT_FIND, ACT_FILTER, ACT_SORT,
				     ACT_REFRESH, ACT_HELP, ACT_BACK, ACT_NONE };

const struct view_ops view_runs = {
	.name = "Runs",
	.short_name = "Run",
	.where = WHERE_RUNS,
	.state_size = sizeof(struct runs_state),
	.open = runs_open,
	.event = runs_event,
	.draw = runs_draw,
	.action = runs_action,
	.selected_env = runs_selected,
	.close = runs_close,
	.hints = hints,
};
