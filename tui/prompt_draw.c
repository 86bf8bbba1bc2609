/* SPDX-License-Identifier: MIT */
/*
 * How a prompt looks: one line over the news and key rows, or a box: of the typed confirmation, and
 * of what a host asks.
 *
 * The box says what the plan will do, what a way back there is, and that nothing has been changed
 * yet. It takes the rows it needs and no more, so it fits 80x20.
 */
#include <string.h>

#include "core/base/utf8.h"
#include "tui/palette.h"
#include "tui/text.h"
#include "tui/tui.h"

#define BOX_COLS 80
#define IDS_SHOWN 6
#define NAME_COL 14 /* where the values of the box begin */

/* --- One line --------------------------------------------------------------------------------- */

static void draw_completions(const struct tui *t, struct canvas *c, int row)
{
	struct palette_list list;
	struct rect r = { .row = row, .col = 1, .rows = 1, .cols = c->cols - 1 };
	struct text_line l = text_line_at(c, r, 0);

	palette_complete(t, t->prompt.text, &list);
	if (list.total == 1) {
		text_add(&l, ROLE_KEY, list.word[0]);
		text_addf(&l, ROLE_DIM, "  %s", list.help[0]);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		text_add(&l, ROLE_KEY, list.word[i]);
		text_add(&l, ROLE_TEXT, "  ");
	}
	if (list.total > list.n)
		text_addf(&l, ROLE_DIM, "and %zu more", list.total - list.n);
}

static const char *line_title(const struct prompt *p)
{
	switch (p->kind) {
	case PROMPT_PALETTE:
		return ":";
	case PROMPT_FIND:
		return "/";
	case PROMPT_FILTER:
		return "\\";
	default:
		return p->title;
	}
}

static const char *line_help(const struct prompt *p)
{
	switch (p->kind) {
	case PROMPT_FIND:
		return "Enter keeps it, n and N go on, Esc leaves";
	case PROMPT_FILTER:
		return "TEXT, !TEXT without it, differs; empty shows all. Enter keeps it, Esc "
		       "leaves";
	case PROMPT_SEARCH:
		return p->help;
	case PROMPT_YES:
		return p->paste_dropped ? "a paste was dropped: press y"
					: "y does it, any other key does not";
	default:
		return "Enter goes on, Esc leaves";
	}
}

/* The end of a text that is too long is what is being typed: the start is left out. */
static struct sv tail_of(struct sv text, int cols)
{
	while (text.n > 0 && utf8_cols(text) > (size_t)(cols > 0 ? cols : 0)) {
		text.p++;
		text.n--;
		while (text.n > 0 && ((unsigned char)text.p[0] & 0xc0) == 0x80) {
			text.p++;
			text.n--;
		}
	}
	return text;
}

static void draw_input(const struct prompt *p, struct text_line *l)
{
	struct sv text = tail_of(sv_n(p->text, p->len), l->end - l->col - 1);

	if (p->kind == PROMPT_ANSWER && !p->question.echo &&
	    p->question.kind != HOST_QUESTION_KEY) {
		/* One mark a character, as far as there is room. */
		int n = (int)utf8_cols(text);

		canvas_fill(l->c, l->row, l->col, n, ROLE_INPUT, '*');
		l->col += n;
		text = sv_n("", 0);
	}
	l->col += canvas_put(l->c, l->row, l->col, l->end - l->col - 1, ROLE_INPUT, text);
	l->c->cursor_row = l->row;
	l->c->cursor_col = l->col;
}

static void draw_line(const struct tui *t, struct canvas *c)
{
	const struct prompt *p = &t->prompt;
	struct rect r = { .row = c->rows - 2, .col = 1, .rows = 1, .cols = c->cols - 1 };
	struct text_line l = text_line_at(c, r, 0);

	canvas_fill(c, r.row, 0, c->cols, ROLE_TEXT, ' ');
	canvas_fill(c, r.row + 1, 0, c->cols, ROLE_TEXT, ' ');
	text_add(&l, ROLE_KEY, line_title(p));
	if (p->kind == PROMPT_YES || p->kind == PROMPT_ASK)
		text_add(&l, ROLE_TEXT, " ");
	draw_input(p, &l);
	if (p->kind == PROMPT_PALETTE)
		draw_completions(t, c, r.row + 1);
	else
		canvas_puts(c, r.row + 1, 1, c->cols - 1, p->paste_dropped ? ROLE_WARN : ROLE_DIM,
			    line_help(p));
}

/* --- The box ---------------------------------------------------------------------------------- */

struct box {
	struct canvas *c;
	struct rect in; /* rows left inside */
};

static struct text_line box_line(struct box *b)
{
	struct rect row = rect_cut(&b->in, 1);

	return text_line_at(b->c, row, 0);
}

static struct text_line box_named(struct box *b, const char *name)
{
	struct text_line l = box_line(b);

	text_add(&l, ROLE_DIM, name);
	text_skip_to(&l, b->in.col + NAME_COL);
	return l;
}

static bool is_change(const struct step *s)
{
	return s->kind == STEP_UP || s->kind == STEP_DOWN || s->kind == STEP_RECORD ||
	       s->kind == STEP_SEED;
}

/* "0140, 0141, 0142" of the changes for which yes says so; how many. */
static size_t list_ids(const struct plan *plan, bool (*yes)(const struct step *),
		       struct strbuf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_step; i++) {
		const struct step *s = &plan->step[i];

		if (!is_change(s) || !yes(s))
			continue;
		if (n < IDS_SHOWN)
			strbuf_addf(out, "%s%s", n > 0 ? ", " : "", s->id);
		n++;
	}
	if (n > IDS_SHOWN)
		strbuf_addf(out, " and %zu more", n - IDS_SHOWN);
	return n;
}

static bool any(const struct step *s)
{
	(void)s;
	return true;
}

static bool goes_back(const struct step *s)
{
	return !s->no_return;
}

static bool has_no_return(const struct step *s)
{
	return s->no_return;
}

static void box_migrations(struct box *b, const struct plan *plan)
{
	struct strbuf ids;
	struct text_line l;

	strbuf_init(&ids, 1024);
	if (list_ids(plan, any, &ids) > 0) {
		l = box_named(b, "migrations");
		text_add(&l, ROLE_TEXT, strbuf_str(&ids));
	}
	strbuf_clear(&ids);
	if (plan->from_head[0] || plan->to_head[0]) {
		l = box_named(b, "schema");
		text_addf(&l, ROLE_TEXT, "%s -> %s", plan->from_head[0] ? plan->from_head : "empty",
			  plan->to_head[0] ? plan->to_head : "empty");
	}
}

static void box_backup(struct box *b, const struct plan *plan)
{
	bool copied = false;
	struct text_line l = box_named(b, "backup");

	for (size_t i = 0; i < plan->n_step; i++)
		copied = copied || plan->step[i].kind == STEP_BACKUP;
	text_add(&l, copied ? ROLE_TEXT : ROLE_WARN,
		 copied ? "a verified copy is written before the change" : "none is written");
}

static void box_way_back(struct box *b, const struct plan *plan)
{
	struct strbuf ids;
	struct text_line l = box_named(b, "way back");
	size_t n;

	strbuf_init(&ids, 1024);
	n = list_ids(plan, goes_back, &ids);
	if (n > 0)
		text_addf(&l, ROLE_TEXT, "%s: yes", strbuf_str(&ids));
	strbuf_reset(&ids);
	if (list_ids(plan, has_no_return, &ids) > 0)
		text_addf(&l, ROLE_WARN, "%s%s: NONE", n > 0 ? "   " : "", strbuf_str(&ids));
	strbuf_clear(&ids);
}

static void box_gates(struct box *b, const struct plan *plan)
{
	struct text_line l = box_named(b, "gates");
	size_t open = 0, overridden = 0;

	for (size_t i = 0; i < plan->n_gate; i++) {
		open += plan->gate[i].open;
		overridden += !plan->gate[i].open && plan->gate[i].overridden;
	}
	text_addf(&l, ROLE_TEXT, "%zu of %zu open", open, plan->n_gate);
	if (overridden > 0)
		text_addf(&l, ROLE_WARN, "   %zu overridden", overridden);
}

static void box_plan(struct box *b, const struct plan *plan)
{
	struct text_line l = box_line(b);
	struct strbuf name;

	strbuf_init(&name, 256);
	text_env(&plan->env, true, &name);
	text_add(&l, ROLE_HEAD, plan->op == OP_ROLLBACK ? "ROLL BACK ON " : "START ON ");
	text_add(&l, plan->is_protected ? ROLE_PROD : ROLE_HEAD, strbuf_str(&name));
	strbuf_clear(&name);
	rect_cut(&b->in, 1);
	box_migrations(b, plan);
	box_backup(b, plan);
	box_way_back(b, plan);
	box_gates(b, plan);
	rect_cut(&b->in, 1);
}

static void box_input(const struct tui *t, struct box *b)
{
	struct text_line l = box_line(b);

	text_add(&l, ROLE_TEXT, "Type the environment name to run, Esc to leave:  ");
	draw_input(&t->prompt, &l);
	rect_cut(&b->in, 1);
	l = box_line(b);
	if (t->prompt.paste_dropped)
		text_add(&l, ROLE_WARN,
			 "A paste was dropped: the name must be typed. Nothing is changed "
			 "yet.");
	else
		text_add(
			&l, ROLE_DIM,
			"Enter does nothing until the name matches. Nothing has been changed yet.");
}

static void draw_box(const struct tui *t, struct canvas *c)
{
	const struct plan *plan = t->model.plan;
	int cols = c->cols < BOX_COLS + 4 ? c->cols - 2 : BOX_COLS;
	int rows = 5 + (plan ? 8 : 0);
	int row = (c->rows - rows) / 2, col = (c->cols - cols) / 2;
	struct box b = {
		.c = c, .in = { .row = row + 1, .col = col + 3, .rows = rows - 2, .cols = cols - 5 }
	};

	/* A box almost as wide as the screen: a column of what is behind it beside it only confuses. */
	for (int i = 0; cols < BOX_COLS && i < rows; i++)
		canvas_fill(c, row + i, 0, c->cols, ROLE_TEXT, ' ');
	canvas_box(c, row, col, rows, cols, ROLE_RULE);
	if (plan)
		box_plan(&b, plan);
	box_input(t, &b);
}

/* --- What a host asks --------------------------------------------------------------------------- */

static bool env_uses(const struct env *env, const char *host)
{
	for (size_t i = 0; i < env->n_host; i++)
		if (strcmp(env->host[i]->name, host) == 0)
			return true;
	for (size_t i = 0; i < env->n_service; i++)
		for (size_t k = 0; k < env->service[i].n_host; k++)
			if (strcmp(env->service[i].host[k]->name, host) == 0)
				return true;
	return env->database_via && strcmp(env->database_via->name, host) == 0;
}

/* For which environments it is used: an answer for production is another matter. */
static void ask_users(const struct tui *t, struct box *b, const char *host)
{
	const struct project *p = t->model.project;
	struct text_line l = box_named(b, "used by");
	bool any_env = false;

	for (size_t i = 0; i < p->n_env; i++) {
		if (!env_uses(&p->env[i], host))
			continue;
		text_addf(&l, p->env[i].is_protected ? ROLE_PROD : ROLE_TEXT, "%s%s%s",
			  any_env ? ", " : "", text_mark(&p->env[i]), p->env[i].name);
		any_env = true;
	}
	if (!any_env)
		text_add(&l, ROLE_DIM, "another host, on the way to it");
}

static void ask_key(struct box *b, const struct host_question *q)
{
	struct text_line l = box_named(b, "its key");

	text_addf(&l, ROLE_TEXT, "%s", q->key_type);
	l = box_named(b, "fingerprint");
	text_addf(&l, ROLE_HEAD, "%s", q->sha256);
	rect_cut(&b->in, 1);
	l = box_line(b);
	text_add(&l, ROLE_DIM, "Compare it with what the host itself, or who runs it, says.");
}

static void ask_input(const struct prompt *p, struct box *b, bool key)
{
	struct text_line l = box_line(b);

	text_add(&l, ROLE_TEXT,
		 key ? "Type the last four characters of the fingerprint, Esc leaves:  "
		     : "Answer, Esc leaves:  ");
	draw_input(p, &l);
	rect_cut(&b->in, 1);
	l = box_line(b);
	if (p->paste_dropped)
		text_add(&l, ROLE_WARN,
			 "A paste was dropped: they must be typed. It is not trusted yet.");
	else
		text_add(&l, ROLE_DIM,
			 key ? "It is not trusted yet; then its key is kept in known_hosts."
			     : "It is kept in memory while this console runs, and nowhere else.");
}

static void draw_ask(const struct tui *t, struct canvas *c)
{
	const struct host_question *q = &t->prompt.question;
	bool key = q->kind == HOST_QUESTION_KEY;
	int cols = c->cols < BOX_COLS + 4 ? c->cols - 2 : BOX_COLS;
	int rows = key ? 13 : 11;
	int row = (c->rows - rows) / 2, col = (c->cols - cols) / 2;
	struct box b = {
		.c = c, .in = { .row = row + 1, .col = col + 3, .rows = rows - 2, .cols = cols - 5 }
	};
	struct text_line l;

	for (int i = 0; cols < BOX_COLS && i < rows; i++)
		canvas_fill(c, row + i, 0, c->cols, ROLE_TEXT, ' ');
	canvas_box(c, row, col, rows, cols, ROLE_RULE);
	l = box_line(&b);
	text_addf(&l, ROLE_WARN, key ? "HOST %s IS NOT KNOWN" : "HOST %s ASKS", q->host);
	if (t->model.n_asked > 1)
		text_addf(&l, ROLE_DIM, "   %zu hosts ask", t->model.n_asked);
	rect_cut(&b.in, 1);
	ask_users(t, &b, q->host);
	if (key)
		ask_key(&b, q);
	else
		text_wrap(c, rect_cut(&b.in, 3), ROLE_TEXT, sv_of(q->text));
	rect_cut(&b.in, key ? 1 : 0);
	ask_input(&t->prompt, &b, key);
}

void prompt_draw(const struct tui *t, struct canvas *c)
{
	if (t->prompt.kind == PROMPT_CONFIRM)
		draw_box(t, c);
	else if (t->prompt.kind == PROMPT_ANSWER)
		draw_ask(t, c);
	else if (t->prompt.kind != PROMPT_NONE)
		draw_line(t, c);
}
