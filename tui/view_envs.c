/* SPDX-License-Identifier: MIT */
/*
 * Environments side by side: one column an environment, one row a fact, so that the eye reads across
 * for differences and down for one environment. Production is the right-most column whatever the
 * width: when columns do not fit, those in the middle leave first.
 *
 * A fact is one row of the table `facts`: its name and the function that says it for one
 * environment. A fact without a source is not a row. Every value of a protected environment has '#' in front of it
 * and a solid bar at its left.
 *
 * Below the facts stands what the next migrate would meet: the gates of the plan that the refresh made
 * from the same facts, so that this screen and the plan cannot disagree.
 */
#include "tui/view.h"

#include "tui/env_columns.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <string.h>

#define LABEL_COLS 13
#define COLUMN_MIN_COLS 20
#define NARROW_COLS 28 /* below, a fact says less */

struct envs_state {
	int env;  /* selected column, index in the pipeline */
	int fact; /* selected row, index in facts[] */
};

/* What one fact says of one environment. */
struct fact_text {
	struct strbuf text;
	enum role role;
};

struct fact_of {
	const struct model *m;
	const struct env *env;
	const struct env_snapshot *snap;
	size_t i;
	bool narrow; /* the column has room for the first of several words only */
};

static const struct matrix_count *count_of(const struct fact_of *f)
{
	return f->m->snap->matrix ? &f->m->snap->matrix->count[f->i] : NULL;
}

static void say(struct fact_text *out, enum role role, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void say(struct fact_text *out, enum role role, const char *fmt, ...)
{
	va_list ap;

	out->role = role;
	va_start(ap, fmt);
	strbuf_addv(&out->text, fmt, ap);
	va_end(ap);
}

static void fact_link(const struct fact_of *f, struct fact_text *out)
{
	char ago[CLOCK_TEXT_SIZE];
	int64_t age = f->m->now_utc_ms - f->snap->at_utc_ms;

	if (!f->snap->reachable) {
		say(out, ROLE_FAIL, "FAIL  %s", f->snap->err.msg);
		return;
	}
	/* A value older than twice its period is dim: nobody should trust it at a glance. */
	say(out, age > 2 * ENGINE_REFRESH_MS ? ROLE_DIM : ROLE_OK, "ok  %lld ms  %s",
	    (long long)((f->snap->open_us + 999) / 1000),
	    clock_ago(age - age % ENGINE_REFRESH_MS, ago));
}

static void fact_database(const struct fact_of *f, struct fact_text *out)
{
	char size[CLOCK_TEXT_SIZE];

	say(out, ROLE_TEXT, "%s%s%s  %s", f->snap->info.engine, f->narrow ? "" : " ",
	    f->narrow ? "" : f->snap->info.version, text_bytes(f->snap->info.size_bytes, size));
}

static void fact_schema(const struct fact_of *f, struct fact_text *out)
{
	const struct matrix_count *c = count_of(f);
	const struct history *h = f->snap->history;

	if (!c || !c->head)
		say(out, ROLE_DIM, "nothing applied");
	else if (c->schema_version && strcmp(c->schema_version, c->head) != 0)
		say(out, ROLE_TEXT, "%s  at %s", c->schema_version, c->head);
	else
		say(out, ROLE_TEXT, "at %s", c->head);
	if (!h || !h->tool)
		return;
	strbuf_adds(&out->text, "  by ");
	text_history(h, &out->text);
	if (h->dirty || h->n_head > 1 || h->busy)
		out->role = ROLE_WARN;
}

static void fact_changed_last(const struct fact_of *f, struct fact_text *out)
{
	const struct applied *last = NULL;
	char when[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < f->snap->history->n; i++) {
		const struct applied *a = &f->snap->history->list[i];
		if (a->applied && (!last || a->seq > last->seq))
			last = a;
	}
	if (!last)
		say(out, ROLE_DIM, "never");
	else
		say(out, ROLE_TEXT, "%s  %s", clock_short(last->at_utc_ms, when), last->who);
}

static void fact_migrations(const struct fact_of *f, struct fact_text *out)
{
	const struct matrix_count *c = count_of(f);
	int64_t pending;

	if (!c)
		return;
	if (!f->m->snap->source) {
		say(out, ROLE_WARN, "%lld%s  files unread", (long long)c->applied,
		    f->narrow ? "" : " applied");
		return;
	}
	pending = c->pending + c->late + c->failed + c->partial;
	say(out, pending ? ROLE_PENDING : ROLE_OK, "%lld%s  %lld pending", (long long)c->applied,
	    f->narrow ? "" : " applied", (long long)pending);
}

/* The first id of a state in this column, for "CHANGED 0136". */
static const char *first_id(const struct fact_of *f, enum cell_state state)
{
	const struct matrix *x = f->m->snap->matrix;

	for (size_t r = 0; r < x->n_row; r++) {
		if (x->row[r].cell[f->i].state == state)
			return x->row[r].id;
	}
	return "";
}

static void fact_checksums(const struct fact_of *f, struct fact_text *out)
{
	static const struct {
		enum cell_state state;
		enum role role;
	} worst_first[] = { { CELL_PARTIAL, ROLE_FAIL },
			    { CELL_FAILED, ROLE_FAIL },
			    { CELL_CHANGED, ROLE_WARN },
			    { CELL_MISSING, ROLE_WARN },
			    { CELL_LATE, ROLE_WARN } };
	const struct matrix_count *c = count_of(f);
	const int64_t n[] = { c ? c->partial : 0, c ? c->failed : 0, c ? c->changed : 0,
			      c ? c->missing : 0, c ? c->late : 0 };
	int64_t all = n[0] + n[1] + n[2] + n[3] + n[4];

	if (!f->m->snap->source) {
		say(out, ROLE_WARN, "not compared");
		return;
	}
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		if (n[i] == 0)
			continue;
		say(out, worst_first[i].role, "%s %s", text_cell(worst_first[i].state),
		    first_id(f, worst_first[i].state));
		if (all > 1)
			strbuf_addf(&out->text, "  +%lld more", (long long)all - 1);
		return;
	}
	if (c && c->warned > 0)
		say(out, ROLE_WARN, "WARNING %s  %s", c->first_warned->id,
		    c->first_warned->warning);
	else
		say(out, ROLE_OK, "ok");
}

static void fact_backup(const struct fact_of *f, struct fact_text *out)
{
	char ago[CLOCK_TEXT_SIZE], size[CLOCK_TEXT_SIZE];

	if (f->snap->has_backup)
		say(out, f->snap->backup_verified ? ROLE_TEXT : ROLE_WARN, "%s  %s%s%s",
		    clock_ago(f->m->now_utc_ms - f->snap->backup_utc_ms, ago),
		    f->narrow ? "" : text_bytes(f->snap->backup_bytes, size), f->narrow ? "" : "  ",
		    f->snap->backup_verified ? "verified" : "NOT verified");
	else if (!env_can_back_up(f->env))
		say(out, f->env->is_protected ? ROLE_WARN : ROLE_DIM, "none: not of servers yet");
	else if (f->env->backup == BACKUP_NEVER)
		say(out, ROLE_DIM, "none wanted");
	else
		say(out, ROLE_DIM, "none yet");
}

static void fact_lock(const struct fact_of *f, struct fact_text *out)
{
	const struct lock_holder *h = &f->snap->holder;
	char since[CLOCK_TEXT_SIZE];

	if (!h->held && !h->stale) {
		say(out, ROLE_TEXT, "free");
		return;
	}
	clock_hms(h->since_utc_ms, since);
	since[5] = '\0'; /* hours and minutes are enough here */
	say(out, h->stale ? ROLE_FAIL : ROLE_WARN, "%s%s", h->stale ? "STALE " : "", h->who);
	if (!f->narrow)
		strbuf_addf(&out->text, " since %s", since);
	if (h->run[0])
		strbuf_addf(&out->text, "%s run %.*s", f->narrow ? "" : ",",
			    (int)strcspn(h->run, "-"), h->run);
}

static void fact_run(const struct fact_of *f, struct fact_text *out)
{
	const struct run *r = model_active_run(f->m, f->env->name);
	const char *held = f->snap && f->snap->reachable ? f->snap->holder.run : "";

	/* The list of runs comes behind the first picture; the lock names one before. */
	if (!r && !f->m->runs_known && held[0])
		say(out, ROLE_WARN, "%.*s", (int)strcspn(held, "-"), held);
	else if (!r)
		say(out, ROLE_TEXT, "none");
	else
		say(out, text_run_role(r->state), "%s %s, step %d of %zu", r->number,
		    run_state_name(r->state), r->current, r->plan->n_step);
}

static void fact_policy(const struct fact_of *f, struct fact_text *out)
{
	if (f->narrow && f->env->requires)
		say(out, ROLE_DIM, "needs %s", f->env->requires);
	else
		say(out, ROLE_DIM, "%s%s%s", f->env->is_protected ? "protected" : "not protected",
		    f->env->requires ? ", needs " : "", f->env->requires ? f->env->requires : "");
}

struct fact {
	const char *name;
	bool needs_db;     /* said only of environments that can be read */
	enum action enter; /* what Enter on it opens */
	void (*tell)(const struct fact_of *f, struct fact_text *out);
};

static const struct fact facts[] = {
	{ "link", false, ACT_NONE, fact_link },
	{ "database", true, ACT_NONE, fact_database },
	{ "schema", true, ACT_VIEW_MIGRATIONS, fact_schema },
	{ "changed", true, ACT_VIEW_AUDIT, fact_changed_last },
	{ "migrations", true, ACT_VIEW_MIGRATIONS, fact_migrations },
	{ "checksums", true, ACT_VIEW_MIGRATIONS, fact_checksums },
	{ "backup", true, ACT_NONE, fact_backup },
	{ "lock", true, ACT_VIEW_RUNS, fact_lock },
	{ "run", false, ACT_VIEW_RUNS, fact_run },
	{ "policy", false, ACT_NONE, fact_policy },
};
#define N_FACTS ((int)(sizeof(facts) / sizeof(facts[0])))

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
static void draw_value(const struct model *m, const struct fact *fact, int env_index,
		       struct canvas *c, int row, int col, int cols)
{
	const struct env *env = &m->project->env[env_index];
	struct fact_of f = { m, env, m->snap ? &m->snap->env[env_index] : NULL, (size_t)env_index,
			     cols < NARROW_COLS };
	struct fact_text value = { .role = ROLE_TEXT };

	strbuf_init(&value.text, 1024);
	if (!env->has_db)
		say(&value, ROLE_DIM, "no database");
	else if (!f.snap)
		say(&value, ROLE_DIM, "reading");
	else if (fact->needs_db && !f.snap->reachable)
		say(&value, ROLE_DIM, "no data");
	else
		fact->tell(&f, &value);
	if (env->is_protected) {
		canvas_puts(c, row, col, 1, ROLE_PROD, " ");
		canvas_paint(c, row, col, 1, ROLE_PROD_BAR, false);
		canvas_puts(c, row, col + 1, 1, ROLE_PROD, TEXT_PROTECTED);
	}
	canvas_put(c, row, col + (env->is_protected ? 2 : 1), cols - (env->is_protected ? 3 : 2),
		   value.role, strbuf_sv(&value.text));
	strbuf_clear(&value.text);
}

static void draw_facts(const struct tui *t, const struct envs_state *s, struct canvas *c,
		       struct rect r, const struct env_columns *k)
{
	for (int i = 0; i < N_FACTS && i < r.rows; i++) {
		int row = r.row + i;

		canvas_puts(c, row, r.col, 1, ROLE_SELECT, i == s->fact ? ">" : " ");
		canvas_puts(c, row, r.col + 1, LABEL_COLS - 2, ROLE_HEAD, facts[i].name);
		if (i == s->fact)
			canvas_paint(c, row, r.col, LABEL_COLS - 1, ROLE_SELECT, true);
		for (int e = 0; e < k->n; e++)
			draw_value(&t->model, &facts[i], k->env[e], c, row,
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
	if (env->has_db && !snap->reachable)
		text_err(c, r, &snap->err);
	else if (!m->snap->source)
		text_err(c, r, &m->snap->source_err);
	else if (env->has_db)
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_WARN,
			    "Next migrate of %s%s: cannot be planned; %s says why", text_mark(env),
			    env->name, keymap_key(t->keys, ACT_PLAN));
	return true;
}

/* "Migrate #PRODUCTION: not ready, 2 of 5 gates closed" and the gates, from the plan of the refresh. */
static void draw_gates(const struct tui *t, const struct envs_state *s, struct canvas *c,
		       struct rect r)
{
	const struct model *m = &t->model;
	const struct env *before = env_previous(m->project, &m->project->env[s->env]);
	const struct lock_holder *holder;
	const struct plan *p;
	struct text_line l;
	size_t closed = 0;
	int line = 1;

	if (!m->snap || r.rows < 2 || draw_unknown(t, s, c, r))
		return;
	p = m->snap->env[s->env].next;
	holder = &m->snap->env[s->env].holder;
	for (size_t i = 0; i < p->n_gate; i++)
		closed += !p->gate[i].open;
	l = text_line_at(c, r, 0);
	text_add(&l, ROLE_TEXT, " Next migrate of ");
	text_addf(&l, p->is_protected ? ROLE_PROD : ROLE_HEAD, "%s%s",
		  text_mark(&m->project->env[s->env]), p->environment);
	if (before && before->has_db)
		text_addf(&l, ROLE_TEXT, " to what %s has", before->name);
	if (p->n_change == 0)
		text_add(&l, ROLE_TEXT, ": nothing to do");
	else if (closed)
		text_addf(&l, ROLE_FAIL, ": not ready, %zu of %zu gates closed", closed, p->n_gate);
	else
		text_addf(&l, ROLE_OK, ": ready, %zu to apply, %zu of %zu gates open", p->n_change,
			  p->n_gate, p->n_gate);
	/* No gate: a run waits for it, or is told who has it. */
	if (holder->held && p->n_change)
		text_addf(&l, ROLE_WARN, "; locked by %s, run %.*s", holder->who,
			  (int)strcspn(holder->run, "-"), holder->run);
	/* Closed gates first: they are why anybody looks here. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < p->n_gate; i++) {
			if (p->gate[i].open == (pass == 1))
				line += text_gate_draw(c, r, line, &p->gate[i]);
		}
	}
}

static void draw_differs(const struct tui *t, const struct envs_state *s, struct canvas *c,
			 struct rect r)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];
	const struct env *before = env_previous(m->project, env);
	struct text_line l;
	size_t a, n = 0;

	if (!before || !m->snap || !m->snap->matrix || r.rows < 1)
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

static void words(const struct tui *t, const struct envs_state *s, struct view_words *w)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];

	strbuf_addf(&w->crumb, "%s%s > %s", text_mark(env), env->name, facts[s->fact].name);
	if (m->snap && env->has_db && !m->snap->env[s->env].reachable)
		strbuf_addf(&w->facts, "%s", m->snap->env[s->env].err.detail);
	else if (env->has_db)
		strbuf_adds(&w->facts, env->dsn.shown);
}

static void envs_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		      struct view_words *w)
{
	struct envs_state *s = state;
	struct env_columns k;
	struct rect part;

	if (t->model.project->n_env == 0)
		return;
	k = env_columns_fit((int)t->model.project->n_env, s->env, r.cols - LABEL_COLS,
			    COLUMN_MIN_COLS);
	part = rect_cut(&r, 1);
	draw_heads(t, s, c, part, &k);
	part = rect_cut(&r, N_FACTS);
	draw_facts(t, s, c, part, &k);
	if (r.rows > 1) {
		canvas_rule(c, r.row, r.col, r.cols);
		rect_cut(&r, 1);
	}
	part = rect_cut(&r, r.rows > 3 ? r.rows - 2 : r.rows);
	draw_gates(t, s, c, part);
	if (r.rows >= 2) {
		canvas_rule(c, r.row, r.col, r.cols);
		rect_cut(&r, 1);
	}
	draw_differs(t, s, c, r);
	words(t, s, w);
}

static int clamp(int v, int n)
{
	return v < 0 ? 0 : v >= n ? n - 1 : v;
}

static bool envs_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct envs_state *s = state;
	int n_env = (int)t->model.project->n_env;

	(void)arg;
	switch (act) {
	case ACT_DOWN:
		s->fact = clamp(s->fact + 1, N_FACTS);
		return true;
	case ACT_UP:
		s->fact = clamp(s->fact - 1, N_FACTS);
		return true;
	case ACT_FIRST:
		s->fact = 0;
		return true;
	case ACT_LAST:
		s->fact = N_FACTS - 1;
		return true;
	case ACT_LEFT:
		s->env = clamp(s->env - 1, n_env);
		return true;
	case ACT_RIGHT:
		s->env = clamp(s->env + 1, n_env);
		return true;
	case ACT_OPEN:
		tui_action(t,
			   facts[s->fact].enter == ACT_NONE ? ACT_VIEW_MIGRATIONS
							    : facts[s->fact].enter,
			   NULL);
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

static const enum action hints[] = { ACT_DOWN, ACT_LEFT,    ACT_OPEN, ACT_PLAN, ACT_BACK_OUT,
				     ACT_ARM,  ACT_REFRESH, ACT_HELP, ACT_QUIT, ACT_NONE };

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
