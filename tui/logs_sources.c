/* SPDX-License-Identifier: MIT */
/*
 * The list behind Tab: every source that is followed and how it does, the services that could be
 * followed too, and the filters. Space turns a row on or off, Enter leaves only that source.
 */
#include "tui/logs_view.h"

#include <stdio.h>
#include <string.h>

#define ENTRIES_MAX 512
#define NS_PER_MS 1000000

enum kind { SOURCE, SERVICE, FILTER };

struct entry {
	enum kind kind;
	int env; /* SERVICE */
	size_t i;
};

struct entries {
	struct entry list[ENTRIES_MAX];
	int n;
};

static void add(struct entries *e, enum kind kind, int env, size_t i)
{
	if (e->n < ENTRIES_MAX)
		e->list[e->n++] = (struct entry){ kind, env, i };
}

static void add_services(const struct logs_state *s, int env, struct entries *e)
{
	const struct env *at = &s->m->project->env[env];

	for (size_t i = 0; i < at->n_service; i++)
		if (!logs_follows(s, env, at->service[i].runtime.name))
			add(e, SERVICE, env, i);
}

static void entries_of(const struct logs_state *s, struct entries *e)
{
	e->n = 0;
	for (size_t i = 0; i < s->n_source; i++)
		if (s->source[i].state != LOG_SOURCE_OFF)
			add(e, SOURCE, 0, i);
	for (size_t i = 0; i < s->n_filter; i++)
		add(e, FILTER, 0, i);
	/* Those of the environment one looks at are wanted first. */
	for (size_t i = 0; i < s->m->project->n_env; i++)
		if ((int)i == s->env)
			add_services(s, (int)i, e);
	for (size_t i = 0; i < s->m->project->n_env; i++)
		if ((int)i != s->env)
			add_services(s, (int)i, e);
}

/* --- Drawing ------------------------------------------------------------------------------------ */

static void add_lost(const struct log_source *src, struct text_line *l)
{
	char n[CLOCK_TEXT_SIZE];

	if (src->lost)
		text_addf(l, ROLE_WARN, "  %s lost", logs_number(src->lost, n));
	if (src->lost_some)
		text_add(l, ROLE_WARN, "  some lost, nobody counted them");
	if (!src->lost && !src->lost_some)
		text_add(l, ROLE_DIM, "  0 lost");
	if (src->gaps)
		text_addf(l, ROLE_WARN, "  %lld gap%s", (long long)src->gaps,
			  src->gaps == 1 ? "" : "s");
	if (src->skew_known)
		text_addf(l, src->skew_ms > 1000 || src->skew_ms < -1000 ? ROLE_WARN : ROLE_DIM,
			  "  clock %+.2f s", (double)src->skew_ms / 1000.0);
}

static void draw_source(const struct logs_state *s, size_t i, struct text_line *l)
{
	const struct log_source *src = &s->source[i];
	bool hidden = logs_is_hidden(s, i), down = src->state == LOG_SOURCE_DOWN;
	enum role role, name = hidden ? ROLE_DIM : src->is_protected ? ROLE_PROD : ROLE_TEXT;
	struct strbuf b;
	char n[CLOCK_TEXT_SIZE], size[CLOCK_TEXT_SIZE];

	strbuf_init(&b, 1024);
	logs_source_name(s, src, false, &b);
	text_addf(l, name, "%c%c%c %s", hidden ? '(' : '[', logs_letter(s, i), hidden ? ')' : ']',
		  strbuf_str(&b));
	text_skip_to(l, l->c->cols >= TEXT_WIDE_COLS ? 36 : 24);
	strbuf_reset(&b);
	role = logs_source_words(src, &b);
	/* Why it is down may be long: last, so that the numbers are there. */
	text_addf(l, role, " %s", down ? "DOWN" : strbuf_str(&b));
	text_addf(l, ROLE_DIM, "  %s lines", logs_number(src->lines, n));
	if (l->c->cols >= TEXT_WIDE_COLS)
		text_addf(l, ROLE_DIM, ", %s", text_bytes(src->bytes, size));
	if (src->lines > 0 && src->last_utc_ns)
		text_addf(l, down ? ROLE_WARN : ROLE_DIM, ", last %.8s",
			  clock_iso_ms(src->last_utc_ns / NS_PER_MS, size) + 11);
	add_lost(src, l);
	if (hidden)
		text_add(l, ROLE_DIM, "  hidden");
	if (down)
		text_addf(l, role, " %s", strbuf_str(&b) + strlen("DOWN"));
	strbuf_clear(&b);
}

static void draw_entry(const struct logs_state *s, const struct entry *e, struct canvas *c,
		       struct rect r, bool on)
{
	struct text_line l = text_line_at(c, r, 0);

	text_add(&l, ROLE_TEXT, "  ");
	if (e->kind == SOURCE) {
		draw_source(s, e->i, &l);
	} else if (e->kind == FILTER) {
		text_addf(&l, ROLE_KEY, " %zu: ", e->i + 1);
		text_addf(&l, ROLE_PENDING, "%s", s->filter[e->i]);
		text_add(&l, ROLE_DIM, "   Space removes it");
	} else {
		const struct env *env = &s->m->project->env[e->env];

		text_addf(&l, ROLE_DIM, "( ) %s%s/%s   Space follows it too", text_mark(env),
			  env->name, env->service[e->i].runtime.name);
	}
	if (!on)
		return;
	for (int col = r.col; col < r.col + r.cols; col++) {
		const struct canvas_cell *cell = canvas_at(c, r.row, col);

		if (cell)
			canvas_paint(c, r.row, col, 1,
				     cell->role == ROLE_TEXT || cell->role == ROLE_DIM
					     ? ROLE_SELECT
					     : (enum role)cell->role,
				     true);
	}
	canvas_puts(c, r.row, r.col, 1, ROLE_SELECT, ">");
	canvas_paint(c, r.row, r.col, 1, ROLE_SELECT, true);
}

static void draw_buffer(const struct logs_state *s, struct canvas *c, struct rect r)
{
	struct text_line l = text_line_at(c, r, 0);
	char n[CLOCK_TEXT_SIZE], text[CLOCK_TEXT_SIZE], held[CLOCK_TEXT_SIZE];

	text_addf(&l, ROLE_DIM, "  buffer %s lines", logs_number(s->counts.lines, n));
	if (r.cols >= TEXT_WIDE_COLS)
		text_addf(&l, ROLE_DIM, ", %s of text in %s of memory",
			  text_bytes(s->counts.text_bytes, text),
			  text_bytes(s->counts.held_bytes, held));
	if (s->counts.evicted)
		text_addf(&l, ROLE_WARN, ", the oldest %s left for room",
			  logs_number(s->counts.evicted, n));
	text_addf(&l, ROLE_DIM, ". Space on or off, Enter only this, Tab closes");
}

void logs_draw_sources(struct logs_state *s, struct canvas *c, struct rect *r)
{
	struct entries e;
	int rows, top;

	if (!s->sources_open || r->rows < 4)
		return;
	entries_of(s, &e);
	if (s->sources_at >= e.n)
		s->sources_at = e.n ? e.n - 1 : 0;
	rows = e.n < r->rows / 2 ? e.n : r->rows / 2;
	top = s->sources_at >= rows ? s->sources_at - rows + 1 : 0;
	for (int i = 0; i < rows; i++)
		draw_entry(s, &e.list[top + i], c, rect_cut(r, 1), top + i == s->sources_at);
	draw_buffer(s, c, rect_cut(r, 1));
	canvas_rule(c, r->row, r->col, r->cols);
	rect_cut(r, 1);
}

/* --- Actions ------------------------------------------------------------------------------------ */

static void only_source(struct logs_state *s, size_t source)
{
	uint64_t others = 0;

	for (size_t i = 0; i < s->n_source && i < LOG_SOURCES_MAX; i++)
		if (i != source)
			others |= (uint64_t)1 << i;
	s->hidden = s->hidden == others ? 0 : others; /* again: all of them */
	(void)logs_apply(s, NULL);
}

static void toggle(struct tui *t, struct logs_state *s, const struct entry *e)
{
	const struct project *p = s->m->project;

	if (e->kind == SOURCE) {
		s->hidden ^= (uint64_t)1 << e->i;
		(void)logs_apply(s, NULL);
	} else if (e->kind == FILTER) {
		logs_filter_remove(s, e->i);
	} else {
		logs_follow(t, s, e->env, p->env[e->env].service[e->i].runtime.name, true);
	}
}

static void only(struct tui *t, struct logs_state *s, const struct entry *e)
{
	const struct project *p = s->m->project;

	if (e->kind == SOURCE)
		only_source(s, e->i);
	else if (e->kind == SERVICE)
		logs_follow(t, s, e->env, p->env[e->env].service[e->i].runtime.name, false);
	else
		return;
	s->sources_open = false;
}

bool logs_sources_action(struct tui *t, struct logs_state *s, enum action act)
{
	struct entries e;
	const struct entry *on;

	if (!s->sources_open)
		return false;
	entries_of(s, &e);
	on = s->sources_at < e.n ? &e.list[s->sources_at] : NULL;
	switch (act) {
	case ACT_DOWN:
		s->sources_at += s->sources_at + 1 < e.n;
		return true;
	case ACT_UP:
		s->sources_at -= s->sources_at > 0;
		return true;
	case ACT_FIRST:
		s->sources_at = 0;
		return true;
	case ACT_LAST:
		s->sources_at = e.n ? e.n - 1 : 0;
		return true;
	case ACT_MARK:
		if (on)
			toggle(t, s, on);
		return true;
	case ACT_OPEN:
		if (on)
			only(t, s, on);
		return true;
	case ACT_BACK:
	case ACT_PANE:
		s->sources_open = false;
		return true;
	default:
		return false;
	}
}
