/* SPDX-License-Identifier: MIT */
/*
 * The frame around the views.
 *
 * Wide (from TEXT_WIDE_COLS on): a row of title, a row of tabs, a rule. Compact: title and tabs
 * share a row. The bottom is the same for both: where I am and facts about the selection; the
 * newest event; the keys that are valid now, at most ten, as the live key map has them.
 *
 * The title shows minutes. Seconds, and the time an environment stays armed, are drawn only while
 * the model ticks, so that an idle console does not have to wake for its clock.
 */
#include "tui/chrome.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/utf8.h"
#include "tui/text.h"

#define BOTTOM_ROWS 3
#define HINTS_MAX 10

/* Tabs in the order of their digits. Help has none: it lies over the others. */
static const struct {
	enum view_id view;
	enum action action;
	bool needs_db; /* of any environment */
} tabs[] = {
	{ VIEW_ENVS, ACT_VIEW_ENVS, false },       { VIEW_MATRIX, ACT_VIEW_MIGRATIONS, true },
	{ VIEW_LOGS, ACT_VIEW_LOGS, false },       { VIEW_PLAN, ACT_VIEW_PLAN, true },
	{ VIEW_DETAILS, ACT_VIEW_DATABASE, true }, { VIEW_AUDIT, ACT_VIEW_AUDIT, true },
	{ VIEW_RUNS, ACT_VIEW_RUNS, true },        { VIEW_SERVICES, ACT_VIEW_SERVICES, false },
};
#define N_TABS (sizeof(tabs) / sizeof(tabs[0]))

/* The bottom row's words: shorter than names, and two actions that belong together share one. */
static const struct {
	enum action action, with;
	const char *word;
} hint_words[] = {
	{ ACT_DOWN, ACT_UP, "row" },
	{ ACT_LEFT, ACT_RIGHT, "env" },
	{ ACT_PAGE_DOWN, ACT_PAGE_UP, "page" },
	{ ACT_FIRST, ACT_LAST, "ends" },
	{ ACT_EXPAND, ACT_COLLAPSE, "fold" },
	{ ACT_FIND_NEXT, ACT_FIND_PREVIOUS, "match" },
	{ ACT_DOWN_SQL, ACT_NONE, "down" },
	{ ACT_COMPARE, ACT_NONE, "was/now" },
	{ ACT_PLAN, ACT_NONE, "plan" },
	{ ACT_BACK_OUT, ACT_NONE, "back-out" },
	{ ACT_PALETTE, ACT_NONE, "command" },
	{ ACT_VIEW_MIGRATIONS, ACT_NONE, "migrations" },
	{ ACT_VIEW_PLAN, ACT_NONE, "plan" },
	{ ACT_SORT_REVERSE, ACT_NONE, "reverse" },
	{ ACT_ARM, ACT_NONE, "arm" },
	{ ACT_LOGS_OF, ACT_NONE, "logs" },
	{ ACT_NEXT_ERROR, ACT_PREVIOUS_ERROR, "error" },
	{ ACT_NEXT_MARK, ACT_PREVIOUS_MARK, "mark" },
	{ ACT_LEVEL, ACT_LEVEL_LOWER, "level" },
	{ ACT_PANE, ACT_NONE, "sources" },
	{ ACT_COPY, ACT_NONE, "copy" },
};
#define N_HINT_WORDS (sizeof(hint_words) / sizeof(hint_words[0]))

static bool is_wide(const struct canvas *c)
{
	return c->cols >= TEXT_WIDE_COLS;
}

struct rect chrome_view_rect(const struct canvas *c)
{
	int top = is_wide(c) ? 3 : 2;

	return (struct rect){ .row = top, .rows = c->rows - top - BOTTOM_ROWS, .cols = c->cols };
}

/* --- Top -------------------------------------------------------------------------------------- */

#define COMPACT_NAME_COLS 16 /* of the title on a narrow screen, so that tabs and ARMED have room */

static bool is_armed(const struct tui *t)
{
	return model_armed_left_ms(&t->model, t->model.armed_env) > 0;
}

static void armed_left(const struct tui *t, char out[16])
{
	int64_t s = (model_armed_left_ms(&t->model, t->model.armed_env) + 999) / 1000;

	snprintf(out, 16, "%02d:%02d", (int)(s / 60), (int)(s % 60));
}

/* Puts text so that it ends at column end; returns the column it begins at. */
static int put_before(struct canvas *c, int row, int end, enum role role, const char *text)
{
	int cols = (int)utf8_cols(sv_of(text));

	canvas_puts(c, row, end - cols, cols, role, text);
	return end - cols;
}

/* Which environment is armed is said as long as cols columns have room for it. */
static void armed_words(const struct tui *t, struct strbuf *out, int cols)
{
	const char *name = t->model.project->env[t->model.armed_env].name;
	char left[16];

	armed_left(t, left);
	strbuf_addf(out, " ARMED %s %s left ", name, left);
	if ((int)utf8_cols(strbuf_sv(out)) <= cols)
		return;
	strbuf_reset(out);
	strbuf_addf(out, " ARMED %s %s ", name, left);
	if ((int)utf8_cols(strbuf_sv(out)) <= cols)
		return;
	strbuf_reset(out);
	strbuf_addf(out, " ARMED %s ", left);
}

static void draw_title(const struct tui *t, struct canvas *c)
{
	bool ticking = model_ticking(&t->model);
	char clock[CLOCK_TEXT_SIZE];
	struct strbuf b;
	int col = c->cols - 1;

	canvas_fill(c, 0, 0, c->cols, ROLE_TITLE, ' ');
	canvas_putf(c, 0, 1, c->cols / 2, ROLE_TITLE, "bascule  %s", t->model.project->name);
	strbuf_init(&b, 256);
	strbuf_addf(&b, "%s UTC", clock_title(t->model.now_utc_ms, ticking, clock));
	col = put_before(c, 0, col, ROLE_TITLE, strbuf_str(&b)) - 3;
	strbuf_reset(&b);
	strbuf_addf(&b, "%s@%s", t->model.ctx->who, t->model.ctx->host);
	col = put_before(c, 0, col, ROLE_TITLE, strbuf_str(&b)) - 3;
	strbuf_reset(&b);
	if (is_armed(t))
		armed_words(t, &b, col - c->cols / 3);
	else
		strbuf_adds(&b, t->model.read_only ? "RO --read-only" : "RO read-only");
	put_before(c, 0, col, is_armed(t) ? ROLE_ARMED : ROLE_TITLE, strbuf_str(&b));
	strbuf_clear(&b);
}

static void draw_tab(const struct tui *t, struct text_line *l, size_t i)
{
	const struct view_ops *view = t->view[tabs[i].view];
	const char *key = keymap_key(t->keys, tabs[i].action);
	bool on = t->shown == tabs[i].view;

	if (key[0]) {
		text_add(l, on ? ROLE_TAB_ON : ROLE_KEY, key);
		text_add(l, on ? ROLE_TAB_ON : ROLE_TAB, " ");
	}
	text_add(l, on ? ROLE_TAB_ON : ROLE_TAB, is_wide(l->c) ? view->name : view->short_name);
}

static bool has_database(const struct tui *t)
{
	for (size_t i = 0; i < t->model.project->n_env; i++)
		if (t->model.project->env[i].has_db)
			return true;
	return false;
}

/* "[1 Envs] 2 Migrations  5 Plan ": a column on both sides of each tab is for the brackets. Returns the
 * column behind the last. */
static int draw_tabs(const struct tui *t, struct canvas *c, int row, int col)
{
	struct rect r = { .row = row, .col = col, .rows = 1, .cols = c->cols - col };
	struct text_line l = text_line_at(c, r, 0);

	for (size_t i = 0; i < N_TABS; i++) {
		bool on = t->shown == tabs[i].view;

		if ((tabs[i].needs_db && !has_database(t)) || !tui_offers(t, tabs[i].action))
			continue;
		text_add(&l, on ? ROLE_TAB_ON : ROLE_TAB, on ? "[" : " ");
		draw_tab(t, &l, i);
		text_add(&l, on ? ROLE_TAB_ON : ROLE_TAB, on ? "]" : " ");
	}
	return l.col;
}

static void draw_compact(const struct tui *t, struct canvas *c)
{
	bool ticking = model_ticking(&t->model);
	char clock[CLOCK_TEXT_SIZE];
	struct strbuf b;
	int col = 1;

	canvas_fill(c, 0, 0, c->cols, ROLE_TITLE, ' ');
	col += canvas_putf(c, 0, col, COMPACT_NAME_COLS, ROLE_TITLE, "bascule %s",
			   t->model.project->name) +
	       1;
	col = draw_tabs(t, c, 0, col);
	strbuf_init(&b, 128);
	if (is_armed(t)) {
		armed_words(t, &b, c->cols - col);
	} else {
		clock_hms(t->model.now_utc_ms, clock);
		if (!ticking)
			clock[5] = '\0'; /* minutes only */
		strbuf_addf(&b, "RO %sZ", clock);
	}
	put_before(c, 0, c->cols, is_armed(t) ? ROLE_ARMED : ROLE_TITLE, strbuf_str(&b));
	strbuf_clear(&b);
}

static void draw_tab_row(const struct tui *t, struct canvas *c)
{
	struct strbuf b;
	int col = draw_tabs(t, c, 1, 0);

	strbuf_init(&b, 128);
	strbuf_addf(&b, "%s command   %s find     %s", keymap_key(t->keys, ACT_PALETTE),
		    keymap_key(t->keys, ACT_FIND), keymap_key(t->keys, ACT_HELP));
	if (col + (int)utf8_cols(strbuf_sv(&b)) < c->cols)
		put_before(c, 1, c->cols - 1, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
}

void chrome_draw_top(const struct tui *t, struct canvas *c)
{
	if (is_wide(c)) {
		draw_title(t, c);
		draw_tab_row(t, c);
		canvas_rule(c, 2, 0, c->cols);
	} else {
		draw_compact(t, c);
		canvas_rule(c, 1, 0, c->cols);
	}
}

/* --- Bottom ----------------------------------------------------------------------------------- */

/* Columns of "#production" where the crumb begins with it, else 0. */
static int protected_cols(const struct tui *t, struct sv crumb)
{
	const struct project *p = t->model.project;
	int env = tui_selected_env(t), cols = 0;
	struct strbuf name;

	if (env < 0 || (size_t)env >= p->n_env || !p->env[env].is_protected)
		return 0;
	strbuf_init(&name, 256);
	strbuf_addf(&name, "%s%s", text_mark(&p->env[env]), p->env[env].name);
	if (sv_starts(crumb, strbuf_sv(&name)))
		cols = (int)utf8_cols(strbuf_sv(&name));
	strbuf_clear(&name);
	return cols;
}

static void draw_crumb(const struct tui *t, struct canvas *c, int row, const struct view_words *w)
{
	struct sv crumb = strbuf_sv(&w->crumb);
	int facts = (int)utf8_cols(strbuf_sv(&w->facts)), most;
	int col = canvas_puts(c, row, 0, 1, ROLE_DIM, ">"), put, prod;

	/* What the crumb leaves; where both are long, half. */
	most = c->cols - (int)utf8_cols(crumb) - 4;
	if (most < c->cols / 2)
		most = c->cols / 2;
	if (facts > most)
		facts = most;
	put = canvas_put(c, row, col, c->cols - facts - 3, ROLE_TEXT, crumb);
	prod = protected_cols(t, crumb);
	canvas_paint(c, row, col, prod < put ? prod : put, ROLE_PROD, false);
	canvas_put_right(c, row, c->cols - facts - 1, facts, ROLE_DIM, strbuf_sv(&w->facts));
}

static void draw_news(const struct tui *t, struct canvas *c, int row)
{
	char clock[CLOCK_TEXT_SIZE];
	int col = 1;

	if (!t->model.news[0]) {
		canvas_puts(c, row, 1, c->cols - 2, ROLE_DIM,
			    t->model.read_only ? "read-only: planning is allowed, applying is not"
			    : is_armed(t)      ? ""
					  : "read-only: planning is allowed, applying is not until "
					    "A arms an environment");
		return;
	}
	col += canvas_puts(c, row, col, 8, ROLE_DIM, clock_hms(t->model.news_utc_ms, clock)) + 2;
	canvas_puts(c, row, col, c->cols - col - 1, t->model.news_bad ? ROLE_WARN : ROLE_TEXT,
		    t->model.news);
}

static const char *hint_word(enum action act, enum action *with)
{
	*with = ACT_NONE;
	for (size_t i = 0; i < N_HINT_WORDS; i++) {
		if (hint_words[i].action == act) {
			*with = hint_words[i].with;
			return hint_words[i].word;
		}
		if (hint_words[i].with == act && act != ACT_NONE)
			return NULL; /* shown with its partner */
	}
	return action_table[act].name;
}

/* Whether an action can do anything with the run or plan that is shown. */
static bool useful_now(const struct tui *t, enum action act)
{
	const struct run *r = t->model.watched;

	switch (act) {
	case ACT_LOGS_OF:
	case ACT_HEALTH:
		return tui_offers(t, act);
	case ACT_ANSWER:
		return t->model.n_asked > 0;
	case ACT_START:
		return !r && t->model.plan;
	case ACT_STOP:
	case ACT_ABORT:
		return r && !run_state_ended(r->state);
	case ACT_CANCEL:
		return r && r->state == RUN_RUNNING && r->runner_alive;
	case ACT_RETRY:
	case ACT_SKIP:
	case ACT_RUN_BACK:
		return r && r->state == RUN_PAUSED;
	case ACT_RESUME:
		return r && r->state == RUN_INTERRUPTED;
	default:
		return true;
	}
}

/* "j/k row", or ":abort" for what is only typed; false when it does not fit before the end. */
static bool draw_hint(const struct tui *t, struct text_line *l, enum action act)
{
	enum action with;
	const char *word = hint_word(act, &with);
	const char *key = keymap_key(t->keys, act);
	const char *other = with != ACT_NONE ? keymap_key(t->keys, with) : "";
	int cols;

	if (!word || !useful_now(t, act))
		return false;
	if (!key[0]) {
		if (l->col + (int)utf8_cols(sv_of(word)) + 1 > l->end)
			return false;
		text_addf(l, ROLE_KEY, ":%s", word);
		l->col += is_wide(l->c) ? 2 : 1;
		return true;
	}
	cols = (int)(utf8_cols(sv_of(key)) + (other[0] ? 1 + utf8_cols(sv_of(other)) : 0) + 1 +
		     utf8_cols(sv_of(word)));
	if (l->col + cols > l->end)
		return false;
	text_add(l, ROLE_KEY, key);
	if (other[0]) {
		text_add(l, ROLE_DIM, "/");
		text_add(l, ROLE_KEY, other);
	}
	text_add(l, ROLE_DIM, " ");
	text_add(l, ROLE_DIM, word);
	l->col += is_wide(l->c) ? 2 : 1;
	return true;
}

static void draw_keys(const struct tui *t, struct canvas *c, int row)
{
	static const enum action always[] = { ACT_HELP, ACT_BACK };
	const enum action *hints = t->view[t->shown]->hints;
	struct rect r = { .row = row, .col = 1, .rows = 1, .cols = c->cols - 1 };
	struct text_line l = text_line_at(c, r, 0);
	int n = 0;
	/* Room is kept for the two that must never be missing. */
	int kept = is_wide(c) ? 16 : 14;

	l.end -= kept;
	for (; hints && *hints != ACT_NONE && n < HINTS_MAX - 2; hints++)
		if (*hints != ACT_HELP && *hints != ACT_BACK)
			n += draw_hint(t, &l, *hints);
	l.end += kept;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		draw_hint(t, &l, always[i]);
}

void chrome_draw_bottom(const struct tui *t, struct canvas *c, const struct view_words *w)
{
	draw_crumb(t, c, c->rows - 3, w);
	draw_news(t, c, c->rows - 2);
	draw_keys(t, c, c->rows - 1);
}

void chrome_draw_small(struct canvas *c)
{
	struct rect r = { .rows = c->rows, .cols = c->cols };
	char text[96];

	snprintf(text, sizeof(text), "bascule needs %dx%d, has %dx%d", TUI_MIN_COLS, TUI_MIN_ROWS,
		 c->cols, c->rows);
	text_wrap(c, r, ROLE_TEXT, sv_of(text));
}

void chrome_terminal_title(const struct tui *t, struct strbuf *out)
{
	if (is_armed(t))
		strbuf_addf(out, "ARMED %s", t->model.project->env[t->model.armed_env].name);
	else
		strbuf_addf(out, "bascule %s", t->model.project->name);
}
