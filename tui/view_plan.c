/* SPDX-License-Identifier: MIT */
/*
 * The plan is the progress view: the same list of steps before the run (what each will do, how long it
 * is expected to take, what takes it back) and during it (what it took, its state, its words).
 *
 * A watched run is shown before a plan: a plan that was started becomes its run, and making a new
 * plan stops the watching. The run belongs to a runner process: leaving this screen, or the
 * console, does not stop it, and the bottom line says so.
 *
 * The list follows the step being done until the operator moves the cursor; `last` follows again.
 */
#include "tui/view.h"

#include "tui/preflight_pane.h"
#include "tui/table.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

#define GATES_ROWS_MAX 12

struct plan_state {
	struct table table;
	const struct model *m;
	bool held; /* the cursor was moved: do not follow the current step */
	char run_id[RUN_ID_SIZE];
};

static const struct plan *shown_plan(const struct model *m)
{
	return m->watched ? m->watched->plan : m->plan;
}

static const struct step *step_at(const void *ctx, size_t row)
{
	const struct plan_state *s = ctx;

	return &shown_plan(s->m)->step[row];
}

static void row_key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	snprintf(out, TABLE_KEY_SIZE, "%d", step_at(ctx, row)->n);
}

static void row_text(const void *ctx, size_t row, struct strbuf *out)
{
	const struct plan_state *s = ctx;
	const struct run *r = s->m->watched;

	strbuf_addf(out, "%d %s", step_at(ctx, row)->n, step_at(ctx, row)->what);
	if (r)
		strbuf_addf(out, " %s %s", step_state_name(r->step[row].state), r->step[row].text);
}

static struct table_rows rows_of(const struct plan_state *s)
{
	const struct plan *p = shown_plan(s->m);

	return (struct table_rows){
		.ctx = s, .n = p ? p->n_step : 0, .key = row_key, .text = row_text
	};
}

static void update(struct tui *t, struct plan_state *s)
{
	const struct run *r;
	struct table_rows rows;
	char key[TABLE_KEY_SIZE];

	s->m = &t->model;
	rows = rows_of(s);
	table_update(&s->table, &rows);
	r = t->model.watched;
	if (r && !s->held && r->current > 0) {
		snprintf(key, sizeof(key), "%d", r->current);
		table_select(&s->table, &rows, key);
	}
}

static void plan_event(struct tui *t, void *state, enum event_type type)
{
	struct plan_state *s = state;
	const struct run *r = t->model.watched;

	if (type != EV_PLAN && type != EV_RUN)
		return;
	/* Another plan or run is followed from its beginning. */
	if (type == EV_PLAN || (r && strcmp(s->run_id, r->id) != 0))
		s->held = false;
	str_copy(s->run_id, sizeof(s->run_id), r ? r->id : "");
	update(t, s);
}

static void plan_opened(struct tui *t, void *state)
{
	update(t, state);
}

/* ---- head ---------------------------------------------------------------------------------- */

static enum role env_role(const struct plan *p)
{
	return p->is_protected ? ROLE_PROD_BAR : ROLE_HEAD;
}

static void draw_what(struct text_line *l, const struct plan *p)
{
	text_addf(l, ROLE_TEXT, "%s ", operation_name(p->op));
	text_addf(l, env_role(p), "%s%s", p->is_protected ? TEXT_PROTECTED : "", p->environment);
	if (p->target && p->target[0])
		text_addf(l, ROLE_TEXT, " %s", p->target);
	if (p->from_head && p->to_head && strcmp(p->from_head, p->to_head) != 0)
		text_addf(l, ROLE_TEXT, "  (%s -> %s)", p->from_head[0] ? p->from_head : "empty",
			  p->to_head[0] ? p->to_head : "empty");
}

static void draw_run_head(const struct model *m, const struct run *r, struct canvas *c,
			  struct rect at)
{
	struct text_line l = text_line_at(c, at, 0);
	char span[CLOCK_TEXT_SIZE];
	struct strbuf b;
	int64_t end = r->ended_utc_ms ? r->ended_utc_ms : m->now_utc_ms;

	strbuf_init(&b, 256);
	strbuf_adds(&b, run_state_name(r->state));
	for (size_t i = 0; i < b.len; i++) {
		if (b.data[i] >= 'a' && b.data[i] <= 'z')
			b.data[i] -= 'a' - 'A';
	}
	if (r->started_utc_ms && (r->ended_utc_ms || r->runner_alive))
		strbuf_addf(&b, "  %s", clock_span(end - r->started_utc_ms, span));
	strbuf_addc(&b, ' ');
	/* The state comes first: what does not fit beside it is cut. */
	l.end -= (int)b.len + 1;
	text_addf(&l, ROLE_HEAD, " Run %s  ", r->number);
	draw_what(&l, r->plan);
	text_addf(&l, ROLE_DIM, "  by %s@%s", r->who, r->from);
	canvas_put(c, at.row, l.end + 1, (int)b.len, text_run_role(r->state), strbuf_sv(&b));
	strbuf_clear(&b);
}

static void draw_plan_head(const struct plan *p, struct canvas *c, struct rect at)
{
	struct text_line l = text_line_at(c, at, 0);
	const struct gate *g = plan_closed_gate(p);
	const char *word = p->n_change == 0 ? "NOTHING TO DO "
			   : g              ? "REFUSED "
					    : "READY, ! starts it ";

	text_add(&l, ROLE_HEAD, " Plan  ");
	draw_what(&l, p);
	canvas_put_right(c, at.row, at.col + at.cols - 22, 22,
			 p->n_change == 0 ? ROLE_DIM
			 : g              ? ROLE_FAIL
					  : ROLE_OK,
			 sv_of(word));
}

/* ---- steps --------------------------------------------------------------------------------- */

static int at_most(int n, int most)
{
	return n > most ? most : n;
}

/* Columns for what a step does; a run has a column more to show. */
static int what_cols(struct rect r, bool run)
{
	return r.cols >= TEXT_WIDE_COLS ? 53
	       : run                    ? at_most(r.cols - 40, 36)
					: at_most(r.cols - 30, 42);
}

static void draw_expect(const struct step *s, struct canvas *c, int row, int col)
{
	char span[CLOCK_TEXT_SIZE];

	canvas_puts(c, row, col, 8, ROLE_DIM,
		    s->expect_ms < 0 ? "-" : clock_span(s->expect_ms, span));
}

static void draw_plan_step(const struct step *s, struct canvas *c, struct rect r, int row)
{
	bool wide = r.cols >= TEXT_WIDE_COLS;
	int what = what_cols(r, false);
	struct sv back = sv_of(s->undo);
	const char *colon = strchr(s->undo, ':');

	/* The reason behind the colon needs a wide screen. */
	if (!wide && colon)
		back.n = (size_t)(colon - s->undo);
	canvas_puts(c, row, r.col + 6, what - 1, s->no_return ? ROLE_WARN : ROLE_TEXT, s->what);
	draw_expect(s, c, row, r.col + 6 + what);
	canvas_put(c, row, r.col + 15 + what, r.cols - 15 - what,
		   s->no_return ? ROLE_WARN : ROLE_DIM, back);
}

static void draw_run_step(const struct run *x, size_t i, const struct model *m, struct canvas *c,
			  struct rect r, int row)
{
	const struct step *s = &x->plan->step[i];
	const struct run_step *rs = &x->step[i];
	int what = what_cols(r, true);
	char span[CLOCK_TEXT_SIZE] = "-";

	if (rs->state == STEP_RUNNING && rs->started_utc_ms && x->runner_alive)
		clock_span(m->now_utc_ms - rs->started_utc_ms, span);
	else if (rs->took_ms >= 0 && rs->state != STEP_WAITING)
		clock_span(rs->took_ms, span);
	canvas_puts(c, row, r.col + 6, what - 1, ROLE_TEXT, s->what);
	canvas_puts(c, row, r.col + 6 + what, 7, ROLE_TEXT, span);
	draw_expect(s, c, row, r.col + 14 + what);
	canvas_puts(c, row, r.col + 22 + what, 9, text_step_role(rs->state),
		    step_state_name(rs->state));
	canvas_puts(c, row, r.col + 31 + what, r.cols - 31 - what,
		    rs->state == STEP_FAILED ? ROLE_FAIL : ROLE_DIM, rs->text);
}

static void draw_steps_head(const struct plan_state *s, struct canvas *c, struct rect r)
{
	bool run = s->m->watched != NULL;
	int what = what_cols(r, run);

	canvas_puts(c, r.row, r.col + 1, 4, ROLE_HEAD, "  #");
	canvas_puts(c, r.row, r.col + 6, what, ROLE_HEAD, "step");
	if (run) {
		canvas_puts(c, r.row, r.col + 6 + what, 7, ROLE_HEAD, "took");
		canvas_puts(c, r.row, r.col + 14 + what, 7, ROLE_HEAD, "expect");
		canvas_puts(c, r.row, r.col + 22 + what, 9, ROLE_HEAD, "state");
	} else {
		canvas_puts(c, r.row, r.col + 6 + what, 8, ROLE_HEAD, "expect");
		canvas_puts(c, r.row, r.col + 15 + what, r.cols - 15 - what, ROLE_HEAD, "way back");
	}
}

static void draw_steps(const struct tui *t, struct plan_state *s, struct canvas *c, struct rect r)
{
	const struct plan *p = shown_plan(&t->model);
	const struct run *x = t->model.watched;
	struct table_rows rows = rows_of(s);

	table_scroll(&s->table, r.rows);
	for (int i = 0; i < r.rows && s->table.top + (size_t)i < s->table.n; i++) {
		size_t at = s->table.top + (size_t)i;
		size_t n = table_row(&s->table, at);

		canvas_putf(c, r.row + i, r.col + 1, 4, ROLE_DIM, "%3d", p->step[n].n);
		if (x)
			draw_run_step(x, n, &t->model, c, r, r.row + i);
		else
			draw_plan_step(&p->step[n], c, r, r.row + i);
		table_decorate(&s->table, &rows, at, c, r.row + i, r.col, r.cols);
	}
}

/* ---- what stands below the steps ----------------------------------------------------------- */

static int gates_rows(const struct plan *p)
{
	int n = 1 + (int)p->n_gate;

	/* A closed one says how to open it, which may take two rows. */
	for (size_t i = 0; i < p->n_gate; i++)
		n += p->gate[i].open ? 0 : 2;
	return n > GATES_ROWS_MAX ? GATES_ROWS_MAX : n;
}

static void draw_gates(const struct plan *p, struct canvas *c, struct rect r)
{
	struct text_line l = text_line_at(c, r, 0);
	int line = 1;
	size_t open = 0, passed = 0;

	if (r.rows < 2)
		return;
	for (size_t i = 0; i < p->n_gate; i++) {
		open += p->gate[i].open;
		passed += !p->gate[i].open && p->gate[i].overridden;
	}
	text_addf(&l, open + passed == p->n_gate ? ROLE_OK : ROLE_FAIL, " Gates: %zu of %zu open",
		  open, p->n_gate);
	if (passed)
		text_addf(&l, ROLE_WARN, ", %zu overridden", passed);
	for (size_t i = 0; i < p->n_override; i++)
		text_addf(&l, ROLE_WARN, "  (%s: %s)", p->override[i].gate, p->override[i].reason);
	/* Closed ones first: when rows run out, the open ones are what can be left out. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < p->n_gate; i++) {
			if (p->gate[i].open == (pass == 1))
				line += text_gate_draw(c, r, line, &p->gate[i]);
		}
	}
}

static void draw_notes(const struct plan *p, struct canvas *c, struct rect r)
{
	for (int i = 0; i < r.rows && (size_t)i < p->n_note; i++)
		canvas_putf(c, r.row + i, r.col + 1, r.cols - 1, ROLE_DIM, "- %s", p->note[i]);
}

/* What happens if it stops here, in the words of the plan. */
static void draw_if_it_fails(const struct run *x, struct canvas *c, struct rect r)
{
	const struct step *s = x->current > 0 ? &x->plan->step[x->current - 1] : NULL;

	if (!s) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "Nothing has been changed yet.");
		return;
	}
	canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_HEAD, "If it fails from here");
	if (r.rows < 3)
		return;
	canvas_putf(c, r.row + 1, r.col + 2, r.cols - 2, s->no_transaction ? ROLE_WARN : ROLE_TEXT,
		    s->no_transaction
			    ? "step %d: runs without a transaction, what it did so far stays"
			    : "step %d: its transaction is rolled back by itself",
		    s->n);
	canvas_putf(c, r.row + 2, r.col + 2, r.cols - 2, ROLE_TEXT, "steps before it: %s",
		    x->plan->env.on_failure == FAILURE_PAUSE
			    ? "wait: the run pauses and asks (on_failure = pause)"
		    : x->plan->env.undo_migrations == UNDO_ALWAYS
			    ? "rolled back with their down scripts"
			    : "stay as they are (undo_migrations = never)");
	if (r.rows > 3)
		canvas_puts(c, r.row + 3, r.col + 2, r.cols - 2, ROLE_TEXT,
			    "a restore of the backup is never automatic");
	if (r.rows > 4)
		canvas_puts(c, r.row + 4, r.col + 1, r.cols - 1, ROLE_DIM,
			    ":stop ends the run after this step, :abort now.");
}

/* How many of the steps that change the database have the state. */
static size_t changes_in(const struct run *x, enum step_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < x->plan->n_step; i++) {
		enum step_kind kind = x->plan->step[i].kind;

		n += x->step[i].state == state &&
		     (kind == STEP_UP || kind == STEP_DOWN || kind == STEP_RECORD ||
		      kind == STEP_RESTORE || kind == STEP_SEED);
	}
	return n;
}

static const char *half_done(const struct run *x)
{
	for (size_t i = 0; i < x->plan->n_step; i++) {
		if (x->step[i].state == STEP_FAILED && x->plan->step[i].no_transaction)
			return "the failed one had no transaction: see what it left";
	}
	return "nothing is half done";
}

/* In what state things are, for a run that has ended. */
static void draw_ended(const struct run *x, struct canvas *c, struct rect r)
{
	const struct plan *p = x->plan;
	size_t done = changes_in(x, STEP_DONE);

	if (x->state == RUN_DONE)
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_OK,
			    "%zu of %zu changes made, to %s.", done, p->n_change,
			    p->to_head && p->to_head[0] ? p->to_head : "nothing");
	else
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_WARN,
			    "%zu of %zu changes stand, %zu were undone; %s.", done, p->n_change,
			    changes_in(x, STEP_UNDONE), half_done(x));
	rect_cut(&r, 1);
	if (r.rows < 1)
		return;
	if (x->chain.broken)
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_FAIL,
			    "The journal is damaged at line %lld: %s",
			    (long long)x->chain.broken_line, x->chain.broken_why);
	else
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "Journal: %lld lines, chain sound.", (long long)x->chain.lines);
}

static void draw_paused(const struct run *x, struct canvas *c, struct rect r)
{
	const struct run_step *s = x->current > 0 ? &x->step[x->current - 1] : NULL;
	char until[CLOCK_TEXT_SIZE];

	rect_cut_cols(&r, 1);
	/* The row of the step has little room for its error. */
	if (!x->error_msg[0] && s && s->text[0])
		rect_cut(&r, text_wrap(c, r, ROLE_FAIL, sv_of(s->text)));
	if (x->paused_until_utc_ms > 0) {
		clock_hms(x->paused_until_utc_ms, until);
		canvas_putf(c, r.row, r.col, r.cols, ROLE_WARN,
			    "It waits until %s, then it %s and gives the lock back.", until,
			    x->plan->env.undo_migrations == UNDO_ALWAYS ? "rolls back" : "fails");
		rect_cut(&r, 1);
	}
	text_wrap(c, r, ROLE_WARN,
		  sv_of(":retry tries the step again, :skip REASON leaves it out, :roll-back "
			"undoes, :abort ends."));
}

static void draw_run_foot(const struct run *x, struct canvas *c, struct rect r)
{
	struct err e = { .code = ERR_DB };

	if (x->error_msg[0]) {
		str_copy(e.msg, sizeof(e.msg), x->error_msg);
		str_copy(e.detail, sizeof(e.detail), x->error_detail);
		str_copy(e.hint, sizeof(e.hint), x->error_hint);
		rect_cut(&r, text_err(c, r, &e));
	}
	if (r.rows < 1)
		return;
	if (x->state == RUN_INTERRUPTED)
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_WARN,
			    "Its runner is gone. :resume goes on at step %d, :abort ends it here.",
			    x->current > 0 ? x->current : 1);
	else if (x->state == RUN_PAUSED)
		draw_paused(x, c, r);
	else if (run_state_ended(x->state))
		draw_ended(x, c, r);
	else
		draw_if_it_fails(x, c, r);
}

static void draw_foot(const struct plan_state *s, const struct plan *p, const struct run *x,
		      struct canvas *c, struct rect r)
{
	canvas_rule(c, r.row, r.col, r.cols);
	rect_cut(&r, 1);
	if (x) {
		draw_run_foot(x, c, r);
		return;
	}
	(void)s;
	draw_gates(p, c, rect_cut(&r, gates_rows(p)));
	draw_notes(p, c, r);
}

static void words(const struct plan *p, const struct run *x, struct view_words *w)
{
	strbuf_addf(&w->crumb, "%s%s > ", p->is_protected ? TEXT_PROTECTED : "", p->environment);
	if (!x) {
		strbuf_addf(&w->crumb, "plan");
		strbuf_addf(&w->facts, "%zu steps, %zu change the database", p->n_step,
			    p->n_change);
		return;
	}
	strbuf_addf(&w->crumb, "run %s", x->number);
	if (x->current > 0)
		strbuf_addf(&w->crumb, " > step %d of %zu", x->current, p->n_step);
	if (!run_state_ended(x->state) && x->state != RUN_INTERRUPTED)
		strbuf_adds(&w->facts, "leaving here does not stop the run");
}

static void draw_nothing(const struct model *m, struct canvas *c, struct rect r)
{
	if (m->plan_err.code != ERR_OK)
		text_err(c, r, &m->plan_err);
	else
		canvas_puts(
			c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			"No plan. p plans a migrate of the selected environment, b a way back.");
}

/*
 * The foot: gates and notes of a plan, or what happens if a run stops here. Gates never give way; of the list at
 * least a third stays, and it scrolls. What the database says now stands beside the steps when there is room,
 * else below the foot in lines that neither steps nor gates lose: a note, or the last of the words about
 * failing, gives one up.
 */
static void draw_body(const struct tui *t, struct plan_state *s, struct canvas *c, struct rect r)
{
	const struct model *m = &t->model;
	const struct plan *p = shown_plan(m);
	const struct run *x = m->watched;
	bool known = preflight_pane_known(m, p) && !(x && run_state_ended(x->state));
	int side = known ? preflight_pane_cols(p, r.cols) : 0, lines = 0, spare;
	int foot = 1 + (x ? (x->error_msg[0] ? 8 : 5) : gates_rows(p) + (int)p->n_note);
	bool can_give = x ? !x->error_msg[0] : p->n_note > 0;

	foot = at_most(foot, (r.rows - 1) * 2 / 3);
	if (known && side == 0) {
		spare = r.rows - 1 - foot - (int)p->n_step;
		lines = at_most(preflight_pane_lines(m, p, r.cols), spare > 0 ? spare : 0);
		if (lines == 0 && can_give && foot > 2) {
			foot--;
			lines = 1;
		}
	}
	if (lines > 0)
		preflight_pane_draw_lines(m, p, c, rect_cut(&r, -lines));
	draw_foot(s, p, x, c, rect_cut(&r, -foot));
	if (side > 0) {
		struct rect pane = rect_cut_cols(&r, -side);

		canvas_vrule(c, pane.row, pane.col, pane.rows);
		rect_cut_cols(&pane, 1);
		preflight_pane_draw(m, p, c, pane);
	}
	draw_steps_head(s, c, rect_cut(&r, 1));
	draw_steps(t, s, c, r);
}

static void plan_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		      struct view_words *w)
{
	struct plan_state *s = state;
	const struct model *m = &t->model;
	const struct plan *p;
	const struct run *x;

	s->m = m;
	p = shown_plan(m);
	x = m->watched;
	if (!p || (!x && m->plan_err.code != ERR_OK)) {
		strbuf_adds(&w->crumb, "plan");
		draw_nothing(m, c, r);
		return;
	}
	if (x)
		draw_run_head(m, x, c, rect_cut(&r, 1));
	else
		draw_plan_head(p, c, rect_cut(&r, 1));
	canvas_rule(c, r.row, r.col, r.cols);
	rect_cut(&r, 1);
	draw_body(t, s, c, r);
	words(p, x, w);
}

/* ---- actions ------------------------------------------------------------------------------- */

static bool plan_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct plan_state *s = state;
	struct table_rows rows;

	s->m = &t->model;
	rows = rows_of(s);
	if (!table_action(&s->table, &rows, act, arg))
		return false;
	/* The last row is where a run ends: from there on the list follows again. */
	s->held = act != ACT_LAST;
	return true;
}

static int plan_selected_env(const struct tui *t, const void *state)
{
	const struct plan *p = shown_plan(&t->model);
	const struct env *env = p ? env_find(t->model.project, p->environment) : NULL;

	(void)state;
	/* While nothing is shown, p and b mean what is selected in the view one came from. */
	if (!p)
		return tui_env_before(t, VIEW_PLAN);
	return env ? (int)env_index(t->model.project, env) : -1;
}

static void plan_close(void *state)
{
	table_clear(&((struct plan_state *)state)->table);
}

static const enum action hints[] = { ACT_DOWN,  ACT_START, ACT_ARM,  ACT_STOP,     ACT_CANCEL,
				     ACT_ABORT, ACT_RETRY, ACT_SKIP, ACT_RUN_BACK, ACT_RESUME,
				     ACT_HELP,  ACT_BACK,  ACT_NONE };

const struct view_ops view_plan = {
	.name = "Plan",
	.short_name = "Plan",
	.where = WHERE_PLAN | WHERE_RUN,
	.state_size = sizeof(struct plan_state),
	.open = plan_opened,
	.event = plan_event,
	.draw = plan_draw,
	.action = plan_action,
	.selected_env = plan_selected_env,
	.close = plan_close,
	.hints = hints,
};
