/* SPDX-License-Identifier: MIT */
/* Help: the live keys of the actions that mean something in the view one came from; Enter runs one. */
#include "tui/view.h"

#include "tui/table.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

#define KEYS_COLS 18
#define NAME_COLS 20

struct help_state {
	struct table table;
	unsigned where; /* bit of the view it was opened from */
	enum action row[ACTIONS];
	size_t n_row;
};

static void row_key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	const struct help_state *s = ctx;

	snprintf(out, TABLE_KEY_SIZE, "%s", action_table[s->row[row]].name);
}

static void row_text(const void *ctx, size_t row, struct strbuf *out)
{
	const struct help_state *s = ctx;
	const struct action_info *a = &action_table[s->row[row]];

	strbuf_addf(out, "%s %s %s", a->name, a->keys ? a->keys : "", a->help);
}

static struct table_rows rows_of(const struct help_state *s)
{
	return (struct table_rows){ .ctx = s, .n = s->n_row, .key = row_key, .text = row_text };
}

static void help_open(struct tui *t, void *state)
{
	struct help_state *s = state;
	enum view_id from = t->n_back ? t->back[t->n_back - 1] : VIEW_ENVS;
	struct table_rows rows;

	s->where = t->view[from]->where;
	s->n_row = 0;
	for (int a = 0; a < ACTIONS; a++) {
		if ((action_table[a].where & (s->where | WHERE_HELP)) &&
		    tui_offers(t, (enum action)a))
			s->row[s->n_row++] = (enum action)a;
	}
	rows = rows_of(s);
	table_update(&s->table, &rows);
}

static void draw_row(const struct tui *t, const struct help_state *s, size_t at, struct canvas *c,
		     struct rect r, int line)
{
	enum action act = s->row[table_row(&s->table, at)];
	const struct action_info *a = &action_table[act];
	struct table_rows rows = rows_of(s);
	struct strbuf keys;

	strbuf_init(&keys, 256);
	keymap_keys(t->keys, act, &keys);
	canvas_put(c, r.row + line, r.col + 1, KEYS_COLS - 1, ROLE_KEY, strbuf_sv(&keys));
	canvas_putf(c, r.row + line, r.col + 1 + KEYS_COLS, NAME_COLS - 1, ROLE_HEAD, ":%s%s%s",
		    a->name, a->argument ? " " : "", a->argument ? a->argument : "");
	canvas_puts(c, r.row + line, r.col + 1 + KEYS_COLS + NAME_COLS,
		    r.cols - 1 - KEYS_COLS - NAME_COLS, ROLE_TEXT, a->help);
	table_decorate(&s->table, &rows, at, c, r.row + line, r.col, r.cols);
	strbuf_clear(&keys);
}

static void help_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		      struct view_words *w)
{
	struct help_state *s = state;
	struct rect head = rect_cut(&r, 1);
	struct text_line l = text_line_at(c, head, 0);

	text_add(&l, ROLE_HEAD, " key");
	text_skip_to(&l, r.col + 1 + KEYS_COLS);
	text_add(&l, ROLE_HEAD, ":name");
	text_skip_to(&l, r.col + 1 + KEYS_COLS + NAME_COLS);
	text_add(&l, ROLE_HEAD, "what it does");
	table_scroll(&s->table, r.rows);
	for (int i = 0; i < r.rows && s->table.top + (size_t)i < s->table.n; i++)
		draw_row(t, s, s->table.top + (size_t)i, c, r, i);
	strbuf_adds(&w->crumb, "help");
	table_facts(&s->table, &w->facts);
}

static bool help_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct help_state *s = state;
	struct table_rows rows = rows_of(s);
	enum action chosen;
	size_t row;

	if (act != ACT_OPEN)
		return table_action(&s->table, &rows, act, arg);
	row = table_selected(&s->table);
	if (row == TABLE_NO_ROW)
		return true;
	chosen = s->row[row];
	/* Back first: the action belongs to the view one came from. Find and filter end before that,
	 * or back would only clear them. */
	table_action(&s->table, &rows, ACT_FIND, "");
	table_action(&s->table, &rows, ACT_FILTER, "");
	tui_action(t, ACT_BACK, NULL);
	tui_action(t, chosen, NULL);
	return true;
}

static void help_close(void *state)
{
	struct help_state *s = state;

	table_clear(&s->table);
}

static const enum action hints[] = { ACT_DOWN, ACT_OPEN, ACT_FIND, ACT_FILTER, ACT_BACK, ACT_NONE };

const struct view_ops view_help = {
	.name = "Help",
	.short_name = "Help",
	.where = WHERE_HELP,
	.state_size = sizeof(struct help_state),
	.open = help_open,
	.draw = help_draw,
	.action = help_action,
	.close = help_close,
	.hints = hints,
};
