/* SPDX-License-Identifier: MIT */
/*
 * Audit: the events in one environment's ledger, newest first; h and l change the environment. The
 * ledger is the record: nothing here is derived but the order.
 */
#include "tui/view.h"

#include "tui/table.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

enum { COL_TIME = 1, COL_WHAT = 22, COL_ID = 35, COL_TITLE = 50, COL_WHO = 74 /* wide */ };

struct audit_state {
	struct table table;
	const struct model *m;
	int env;
};

/* Row 0 is the newest event. */
static const struct history_event *event_at(const void *ctx, size_t row)
{
	const struct history *h = ((const struct audit_state *)ctx)->m->events;

	return &h->event[h->n_event - 1 - row];
}

static void row_key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	snprintf(out, TABLE_KEY_SIZE, "%lld", (long long)event_at(ctx, row)->seq);
}

static void row_text(const void *ctx, size_t row, struct strbuf *out)
{
	const struct history_event *ev = event_at(ctx, row);

	strbuf_addf(out, "%s %s %s %s %s %s", event_kind_name(ev->kind), ev->id, ev->title, ev->who,
		    ev->run ? ev->run : "", ev->error ? ev->error : "");
}

static const char *const columns[] = { "time", "what", "id", "who", NULL };

static int row_compare(const void *ctx, int column, size_t a, size_t b)
{
	const struct history_event *x = event_at(ctx, a), *y = event_at(ctx, b);

	switch (column) {
	case 0:
		return (x->seq > y->seq) - (x->seq < y->seq);
	case 1:
		return (int)x->kind - (int)y->kind;
	case 2:
		return strcmp(x->sort_key, y->sort_key);
	default:
		return strcmp(x->who, y->who);
	}
}

static struct table_rows rows_of(const struct audit_state *s)
{
	return (struct table_rows){ .ctx = s,
				    .n = s->m->events ? s->m->events->n_event : 0,
				    .key = row_key,
				    .text = row_text,
				    .compare = row_compare,
				    .columns = columns };
}

static void update(struct tui *t, struct audit_state *s)
{
	struct table_rows rows;

	s->m = &t->model;
	rows = rows_of(s);
	table_update(&s->table, &rows);
}

static void ask(struct tui *t, struct audit_state *s)
{
	if (t->model.project->n_env)
		tui_events(t, t->model.project->env[s->env].name);
}

static void audit_open(struct tui *t, void *state)
{
	struct audit_state *s = state;

	tui_env_follow(t, VIEW_AUDIT, &s->env);
	update(t, s);
	ask(t, s);
}

static void audit_event(struct tui *t, void *state, enum event_type type)
{
	if (type == EV_EVENTS)
		update(t, state);
	else if (type == EV_SNAPSHOT && t->shown == VIEW_AUDIT)
		ask(t, state);
}

static enum role event_role(const struct history_event *ev)
{
	switch (ev->kind) {
	case EVENT_FAILED:
		return ROLE_FAIL;
	case EVENT_ACCEPTED:
	case EVENT_BASELINED:
		return ROLE_WARN;
	default:
		return ROLE_TEXT;
	}
}

static void draw_row(struct audit_state *s, size_t at, struct canvas *c, struct rect r, int line)
{
	const struct history_event *ev = event_at(s, table_row(&s->table, at));
	struct table_rows rows = rows_of(s);
	char time[CLOCK_TEXT_SIZE], took[CLOCK_TEXT_SIZE];
	int row = r.row + line;
	bool wide = r.cols >= TEXT_WIDE_COLS;
	struct text_line l;

	clock_iso(ev->at_utc_ms, time);
	canvas_puts(c, row, r.col + COL_TIME, COL_WHAT - COL_TIME - 1, ROLE_DIM, time);
	canvas_putf(c, row, r.col + COL_WHAT, COL_ID - COL_WHAT - 1, event_role(ev), "%s%s",
		    event_kind_name(ev->kind), ev->down ? " down" : "");
	l = text_line_at(c, r, line);
	if (ev->title && ev->title[0]) {
		canvas_puts(c, row, r.col + COL_ID, COL_TITLE - COL_ID - 1, ROLE_TEXT, ev->id);
		l.col = r.col + COL_TITLE;
		l.col += canvas_puts(c, row, l.col, wide ? COL_WHO - COL_TITLE - 2 : l.end - l.col,
				     ROLE_TEXT, ev->title);
	} else {
		/* A backup's id is long, and has no title. */
		l.col = r.col + COL_ID;
		text_add(&l, ROLE_TEXT, ev->id);
	}
	if (wide)
		text_skip_to(&l, r.col + COL_WHO - 2);
	text_addf(&l, ROLE_DIM, "  %s@%s", ev->who, ev->host);
	if (ev->run && ev->run[0])
		text_addf(&l, ROLE_DIM, "  run %.*s", (int)strcspn(ev->run, "-"), ev->run);
	if (ev->took_ms > 0)
		text_addf(&l, ROLE_DIM, "  %s", clock_span(ev->took_ms, took));
	if (ev->statements > 0)
		text_addf(&l, ROLE_DIM, "  statement %lld of %lld%s", (long long)ev->statement,
			  (long long)ev->statements,
			  ev->kind != EVENT_MARKED ? ""
			  : ev->done               ? ": has run"
						   : ": has not run");
	if (ev->error && ev->error[0])
		text_addf(&l, event_role(ev), "  %s", ev->error);
	table_decorate(&s->table, &rows, at, c, row, r.col, r.cols);
}

static void audit_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		       struct view_words *w)
{
	struct audit_state *s = state;
	const struct model *m = &t->model;
	const struct env *env;

	s->m = m;
	if (m->project->n_env == 0)
		return;
	env = &m->project->env[s->env];
	strbuf_addf(&w->crumb, "%s%s > audit", text_mark(env), env->name);
	text_env_heads(c, rect_cut(&r, 1), t->model.project, s->env, " Ledger of ");
	canvas_rule(c, r.row, r.col, r.cols);
	rect_cut(&r, 1);
	if (!env->has_db) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "This environment has no database.");
		return;
	}
	if (m->events_err.code != ERR_OK) {
		text_err(c, r, &m->events_err);
		return;
	}
	if (!m->events || strcmp(m->events_env, env->name) != 0) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM, "reading …");
		return;
	}
	if (m->events->n_event == 0) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "No event: bascule has not changed this database yet.");
		return;
	}
	table_scroll(&s->table, r.rows);
	for (int i = 0; i < r.rows && s->table.top + (size_t)i < s->table.n; i++)
		draw_row(s, s->table.top + (size_t)i, c, r, i);
	table_facts(&s->table, &w->facts);
}

static bool audit_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct audit_state *s = state;
	struct table_rows rows;

	s->m = &t->model;
	if (tui_env_step(t, act, &s->env)) {
		ask(t, s);
		return true;
	}
	rows = rows_of(s);
	return table_action(&s->table, &rows, act, arg);
}

static int audit_selected(const struct tui *t, const void *state)
{
	return t->model.project->n_env ? ((const struct audit_state *)state)->env : -1;
}

static void audit_close(void *state)
{
	table_clear(&((struct audit_state *)state)->table);
}

static const enum action hints[] = { ACT_DOWN,    ACT_LEFT, ACT_FIND, ACT_FILTER, ACT_SORT,
				     ACT_REFRESH, ACT_HELP, ACT_BACK, ACT_NONE };

const struct view_ops view_audit = {
	.name = "Audit",
	.short_name = "Aud",
	.where = WHERE_AUDIT,
	.state_size = sizeof(struct audit_state),
	.open = audit_open,
	.event = audit_event,
	.draw = audit_draw,
	.action = audit_action,
	.selected_env = audit_selected,
	.close = audit_close,
	.hints = hints,
};
