/* SPDX-License-Identifier: MIT */
/*
 * Environments side by side: one column an environment, one row a fact, so that the eye reads across
 * for differences and down for one environment. Production is the right-most column whatever the
 * width: when columns do not fit, those in the middle leave first.
 *
 * The rows, and what they say, are those of env_facts.h. Every value of a protected environment has
 * '#' in front of it and a solid bar at its left.
 *
 * Below the facts stands what the next migrate would meet: the gates of the plan that the refresh made
 * from the same facts, so that this screen and the plan cannot disagree.
 */
#include "tui/view.h"

#include "core/base/utf8.h"
#include "tui/env_columns.h"
#include "tui/env_facts.h"
#include "tui/service_text.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <string.h>

#define LABEL_COLS 13
#define COLUMN_MIN_COLS 20
#define NARROW_COLS 28 /* below, a fact says less */
#define ROWS_UNKNOWN 30

struct envs_state {
	int env;  /* selected column, index in the pipeline */
	int at;   /* selected row */
	int rows; /* of the view when it was drawn last; 0: not yet */
};

static void rows_of(const struct tui *t, const struct envs_state *s, struct env_rows *rows)
{
	env_rows_fit(t->model.project, s->rows > 0 ? s->rows : ROWS_UNKNOWN, rows);
}

/* The selected row; the list is never empty. */
static const struct env_row *selected(const struct envs_state *s, const struct env_rows *rows)
{
	return &rows->row[s->at < rows->n ? s->at : rows->n - 1];
}

/* --- Drawing ------------------------------------------------------------------------------------ */

static void draw_heads(const struct tui *t, const struct envs_state *s, struct canvas *c,
		       struct rect r, const struct env_columns *k)
{
	const struct project *p = t->model.project;
	struct strbuf name;

	strbuf_init(&name, 256);
	for (int i = 0; i < k->n; i++) {
		const struct env *env = &p->env[k->env[i]];
		int col = r.col + LABEL_COLS + i * k->cols;
		enum role role = env->is_protected ? ROLE_PROD : ROLE_HEAD;
		int used;

		strbuf_reset(&name);
		strbuf_addc(&name, k->env[i] == s->env ? '>' : ' ');
		text_env(env, true, &name);
		if (env->is_protected)
			canvas_fill(c, r.row, col, k->cols - 1, ROLE_PROD, ' ');
		used = canvas_put(c, r.row, col, k->cols - 1, role, strbuf_sv(&name));
		if (env->is_protected)
			canvas_paint(c, r.row, col, k->cols - 1, ROLE_PROD_BAR, false);
		else if (k->env[i] == s->env)
			canvas_paint(c, r.row, col, used, ROLE_SELECT, true);
	}
	strbuf_clear(&name);
}

/* One fact of one environment in its column. */
static void draw_value(const struct model *m, const struct env_rows *rows, int at, int env_index,
		       struct canvas *c, int row, int col, int cols)
{
	const struct env *env = &m->project->env[env_index];
	const struct env_row *what = &rows->row[at];
	struct env_fact_of f = { .m = m,
				 .env = env,
				 .snap = m->snap ? &m->snap->env[env_index] : NULL,
				 .seen = service_text_seen(m, env_index),
				 .service = what->service ? service_text_find(env, what->service)
							  : NULL,
				 .i = (size_t)env_index,
				 .narrow = cols < NARROW_COLS,
				 .alone = !rows->services };
	struct env_fact_text value = { .role = ROLE_TEXT };

	strbuf_init(&value.text, 1024);
	env_fact_tell(what, &f, &value);
	if (env->is_protected) {
		canvas_puts(c, row, col, 1, ROLE_PROD, " ");
		canvas_paint(c, row, col, 1, ROLE_PROD_BAR, false);
		canvas_puts(c, row, col + 1, 1, ROLE_PROD, TEXT_PROTECTED);
	}
	canvas_put(c, row, col + (env->is_protected ? 2 : 1), cols - (env->is_protected ? 3 : 2),
		   value.role, strbuf_sv(&value.text));
	strbuf_clear(&value.text);
}

static void draw_label(const struct env_row *what, bool on, struct canvas *c, int row, int col)
{
	canvas_puts(c, row, col, 1, ROLE_SELECT, on ? ">" : " ");
	if (what->service)
		canvas_puts(c, row, col + 2, LABEL_COLS - 3, ROLE_HEAD, what->service);
	else
		canvas_puts(c, row, col + 1, LABEL_COLS - 2, ROLE_HEAD, what->name);
	if (on)
		canvas_paint(c, row, col, LABEL_COLS - 1, ROLE_SELECT, true);
}

static void draw_facts(const struct tui *t, const struct envs_state *s, const struct env_rows *rows,
		       struct canvas *c, struct rect r, const struct env_columns *k)
{
	const struct env_row *on = selected(s, rows);
	int row = r.row, end = r.row + r.rows;

	for (int i = 0; i < rows->n && row < end; i++, row++) {
		const struct env_row *what = &rows->row[i];

		if (what->rule)
			canvas_rule(c, row++, r.col, r.cols);
		draw_label(what, what == on, c, row, r.col);
		for (int e = 0; e < k->n; e++)
			draw_value(&t->model, rows, i, k->env[e], c, row,
				   r.col + LABEL_COLS + e * k->cols, k->cols);
	}
}

/* Why nothing is known of the next migrate; false when it is known. */
static bool draw_unknown(const struct tui *t, const struct envs_state *s, struct canvas *c,
			 struct rect r)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];
	const struct env_snapshot *snap = &m->snap->env[s->env];

	if (snap->next)
		return false;
	if (!env->has_db)
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM, "%s%s has no database",
			    text_mark(env), env->name);
	else if (!snap->reachable)
		text_err(c, r, &snap->err);
	else if (!m->snap->source)
		text_err(c, r, &m->snap->source_err);
	else
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_WARN,
			    "Next migrate of %s%s: cannot be planned; %s says why", text_mark(env),
			    env->name, keymap_key(t->keys, ACT_PLAN));
	return true;
}

/* ": not ready, 1 of 10 gates closed" */
static enum role verdict_words(const struct plan *p, struct strbuf *out)
{
	size_t closed = 0;

	for (size_t i = 0; i < p->n_gate; i++)
		closed += !p->gate[i].open;
	if (p->n_change == 0) {
		strbuf_adds(out, ": nothing to do");
		return ROLE_TEXT;
	}
	if (closed) {
		strbuf_addf(out, ": not ready, %zu of %zu gates closed", closed, p->n_gate);
		return ROLE_FAIL;
	}
	strbuf_addf(out, ": ready, %zu to apply, %zu of %zu gates open", p->n_change, p->n_gate,
		    p->n_gate);
	return ROLE_OK;
}

/* Whose turn it is, towards what, and who is in the way. Where that is too long, towards what goes first, then which
 * run it is: the plan tells the one and the row of the lock the other. */
static void draw_verdict(const struct model *m, const struct envs_state *s, const struct plan *p,
			 struct canvas *c, struct rect r)
{
	const struct env *env = &m->project->env[s->env];
	const struct env *before = env_previous(m->project, env);
	const struct lock_holder *holder = &m->snap->env[s->env].holder;
	struct text_line l = text_line_at(c, r, 0);
	struct strbuf verdict, towards, locked, run;
	enum role role;
	int room;

	strbuf_init(&verdict, 256);
	strbuf_init(&towards, 256);
	strbuf_init(&locked, 256);
	strbuf_init(&run, 256);
	role = verdict_words(p, &verdict);
	if (before && before->has_db)
		strbuf_addf(&towards, " to what %s has", before->name);
	/* No gate: a run waits for it, or is told who has it. */
	if (holder->held && p->n_change) {
		strbuf_addf(&locked, "; locked by %s", holder->who);
		strbuf_addf(&run, ", run %.*s", (int)strcspn(holder->run, "-"), holder->run);
	}
	text_add(&l, ROLE_TEXT, " Next migrate of ");
	text_addf(&l, p->is_protected ? ROLE_PROD : ROLE_HEAD, "%s%s", text_mark(env),
		  p->environment);
	room = l.end - l.col -
	       (int)(utf8_cols(strbuf_sv(&verdict)) + utf8_cols(strbuf_sv(&locked)));
	if ((int)(utf8_cols(strbuf_sv(&towards)) + utf8_cols(strbuf_sv(&run))) <= room)
		text_add(&l, ROLE_TEXT, strbuf_str(&towards));
	text_add(&l, role, strbuf_str(&verdict));
	text_add(&l, ROLE_WARN, strbuf_str(&locked));
	if ((int)utf8_cols(strbuf_sv(&run)) <= room)
		text_add(&l, ROLE_WARN, strbuf_str(&run));
	strbuf_clear(&run);
	strbuf_clear(&locked);
	strbuf_clear(&towards);
	strbuf_clear(&verdict);
}

/* The verdict and the gates, from the plan of the refresh. */
static void draw_gates(const struct tui *t, const struct envs_state *s, struct canvas *c,
		       struct rect r)
{
	const struct model *m = &t->model;
	const struct plan *p;
	int line = 1;

	if (!m->snap || r.rows < 2 || draw_unknown(t, s, c, r))
		return;
	p = m->snap->env[s->env].next;
	draw_verdict(m, s, p, c, r);
	/* Closed gates first: they are why anybody looks here. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < p->n_gate; i++) {
			if (p->gate[i].open == (pass == 1))
				line += text_gate_draw(c, r, line, &p->gate[i]);
		}
	}
}

/* On the row of hosts: one that cannot be used; else NULL. */
static const struct service_host *host_in_trouble(const struct tui *t, const struct envs_state *s,
						  const struct env_row *on)
{
	const struct services_seen *seen = service_text_seen(&t->model, s->env);

	if (strcmp(on->name, "host") != 0 || !seen || !seen->services)
		return NULL;
	return service_text_host_worst(seen->services);
}

/* Why it cannot be used, whole, and what helps. */
static bool draw_host(const struct tui *t, const struct envs_state *s, const struct env_row *on,
		      struct canvas *c, struct rect r)
{
	const struct env *env = &t->model.project->env[s->env];
	const struct service_host *h = host_in_trouble(t, s, on);
	struct text_line l;
	enum role role;
	const char *word;

	if (!h || r.rows < 2)
		return false;
	l = text_line_at(c, r, 0);
	text_addf(&l, ROLE_TEXT, " Host %s of ", h->name);
	text_addf(&l, env->is_protected ? ROLE_PROD : ROLE_HEAD, "%s%s", text_mark(env), env->name);
	word = service_text_host(h, &role);
	text_addf(&l, role, ": %s", word);
	rect_cut(&r, 1);
	text_err(c, r, service_text_host_err(h));
	return true;
}

static void draw_differs(const struct tui *t, const struct envs_state *s, struct canvas *c,
			 struct rect r)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];
	const struct env *before = env_previous(m->project, env);
	struct text_line l;
	size_t a, n = 0;

	if (!before || !m->snap || !m->snap->matrix || r.rows < 1 || !env->has_db ||
	    !before->has_db)
		return;
	a = env_index(m->project, before);
	if (!m->snap->env[a].reachable || !m->snap->env[s->env].reachable) {
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "Differs %s / %s%s:  unknown, one of them cannot be read", before->name,
			    text_mark(env), env->name);
		return;
	}
	for (size_t i = 0; i < m->snap->matrix->n_row; i++) {
		const struct cell *x = m->snap->matrix->row[i].cell;
		n += x[a].state != x[s->env].state;
	}
	l = text_line_at(c, r, 0);
	text_addf(&l, ROLE_TEXT, " Differs %s / ", before->name);
	text_addf(&l, env->is_protected ? ROLE_PROD : ROLE_TEXT, "%s%s", text_mark(env), env->name);
	text_addf(&l, n ? ROLE_PENDING : ROLE_OK, ":  %zu migration%s", n, n == 1 ? "" : "s");
}

/* The selected service in a sentence: the column had no room for it. */
static void service_facts(const struct tui *t, const struct envs_state *s, const char *name,
			  struct strbuf *out)
{
	const struct service *service = service_text_find(&t->model.project->env[s->env], name);
	const struct services_seen *seen = service_text_seen(&t->model, s->env);
	struct service_summary sum;

	if (!service || !seen || !seen->services)
		return;
	service_summarise(seen->services, service, &sum);
	if (!sum.worst)
		return;
	if (sum.worst->err.code != ERR_OK)
		strbuf_addf(out, "%s: %s", sum.worst->err.msg, sum.worst->err.detail);
	else if (!service_unit_ok(sum.worst))
		service_words(sum.worst, t->model.now_utc_ms, out);
	else
		strbuf_adds(out, sum.worst->unit.image);
}

static void words(const struct tui *t, const struct envs_state *s, const struct env_row *on,
		  struct view_words *w)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];
	const struct service_host *down;

	strbuf_addf(&w->crumb, "%s%s > %s", text_mark(env), env->name, on->name);
	if (on->service)
		service_facts(t, s, on->service, &w->facts);
	else if ((down = host_in_trouble(t, s, on)) != NULL)
		strbuf_adds(&w->facts, service_text_host_err(down)->detail[0]
					       ? service_text_host_err(down)->detail
					       : service_text_host_err(down)->msg);
	else if (m->snap && env->has_db && !m->snap->env[s->env].reachable)
		strbuf_addf(&w->facts, "%s", m->snap->env[s->env].err.detail);
	else if (env->has_db)
		strbuf_adds(&w->facts, env->dsn.shown);
}

static void envs_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		      struct view_words *w)
{
	struct envs_state *s = state;
	struct env_rows rows;
	struct env_columns k;
	struct rect part;

	if (t->model.project->n_env == 0)
		return;
	s->rows = r.rows;
	rows_of(t, s, &rows);
	k = env_columns_fit((int)t->model.project->n_env, s->env, r.cols - LABEL_COLS,
			    COLUMN_MIN_COLS);
	part = rect_cut(&r, 1);
	draw_heads(t, s, c, part, &k);
	part = rect_cut(&r, rows.n + rows.rules);
	draw_facts(t, s, &rows, c, part, &k);
	if (r.rows > 1) {
		canvas_rule(c, r.row, r.col, r.cols);
		rect_cut(&r, 1);
	}
	part = rect_cut(&r, r.rows > 3 ? r.rows - 2 : r.rows);
	if (!draw_host(t, s, selected(s, &rows), c, part))
		draw_gates(t, s, c, part);
	if (r.rows >= 2) {
		canvas_rule(c, r.row, r.col, r.cols);
		rect_cut(&r, 1);
	}
	draw_differs(t, s, c, r);
	words(t, s, selected(s, &rows), w);
}

static int clamp(int v, int n)
{
	return v < 0 ? 0 : v >= n ? n - 1 : v;
}

static void open_row(struct tui *t, const struct envs_state *s, const struct env_row *on)
{
	if (on->enter == ACT_VIEW_SERVICES)
		tui_services(t, s->env, on->service);
	else
		tui_action(t, on->enter == ACT_NONE ? ACT_VIEW_MIGRATIONS : on->enter, NULL);
}

static bool envs_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct envs_state *s = state;
	int n_env = (int)t->model.project->n_env;
	struct env_rows rows;
	const struct env_row *on;

	if (n_env == 0)
		return false;
	rows_of(t, s, &rows);
	on = selected(s, &rows);
	s->at = clamp(s->at, rows.n);
	switch (act) {
	case ACT_DOWN:
		s->at = clamp(s->at + 1, rows.n);
		return true;
	case ACT_UP:
		s->at = clamp(s->at - 1, rows.n);
		return true;
	case ACT_FIRST:
		s->at = 0;
		return true;
	case ACT_LAST:
		s->at = rows.n - 1;
		return true;
	case ACT_LEFT:
		s->env = clamp(s->env - 1, n_env);
		return true;
	case ACT_RIGHT:
		s->env = clamp(s->env + 1, n_env);
		return true;
	case ACT_OPEN:
		open_row(t, s, on);
		return true;
	case ACT_LOGS_OF:
		tui_logs(t, s->env, arg ? arg : on->service);
		return true;
	case ACT_HEALTH:
		tui_health(t, s->env, arg ? arg : on->service);
		return true;
	default:
		return false;
	}
}

static int envs_selected(const struct tui *t, const void *state)
{
	const struct envs_state *s = state;

	return t->model.project->n_env ? s->env : -1;
}

static const enum action hints[] = { ACT_DOWN, ACT_LEFT,     ACT_OPEN, ACT_LOGS_OF,
				     ACT_PLAN, ACT_BACK_OUT, ACT_ARM,  ACT_REFRESH,
				     ACT_HELP, ACT_QUIT,     ACT_NONE };

const struct view_ops view_envs = {
	.name = "Envs",
	.short_name = "Env",
	.where = WHERE_ENVS,
	.state_size = sizeof(struct envs_state),
	.draw = envs_draw,
	.action = envs_action,
	.selected_env = envs_selected,
	.hints = hints,
};
