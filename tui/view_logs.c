/* SPDX-License-Identifier: MIT */
/*
 * Logs: several services of several hosts in one list, live, over a buffer that is searched and
 * filtered whole.
 *
 * From the top: sources, what is shown of them, lines over time, a line that says whether the rows
 * follow or stand, the rows. Tab opens the list of sources, Enter a record or fetches what is missing
 * at a gap. The parts are files of their own, logs_view.h lists them; this one puts them together.
 *
 * Nothing is copied out of the store but what is on the screen, however fast lines come: drawing asks
 * the query for one page, the sources, and the counts. Frames are limited by the loop.
 */
#include "tui/logs_view.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "tui/clipboard.h"

/* Those of the environment one comes from; what is followed of it already goes on as it is. */
static void logs_open(struct tui *t, void *state)
{
	struct logs_state *s = state;
	int env;

	s->m = &t->model;
	logs_begin(t);
	env = t->returning ? -1 : tui_env_before(t, VIEW_LOGS);
	if (env < 0)
		return;
	for (size_t i = 0; i < s->n_choice; i++)
		if (s->choice[i].env == env)
			return;
	if (t->model.project->env[env].n_service > 0)
		logs_follow(t, s, env, "", false);
	else if (s->n_choice > 0)
		model_news(&t->model, true, "%s has no services: these are the logs of before",
			   t->model.project->env[env].name);
}

static void logs_event(struct tui *t, void *state, enum event_type type)
{
	struct logs_state *s = state;

	s->m = &t->model;
	if (type == EV_LOGS && t->model.log_query)
		logs_seek_again(t, s);
}

/* --- Drawing ------------------------------------------------------------------------------------ */

static void crumb(const struct logs_state *s, struct strbuf *out)
{
	const struct project *p = s->m->project;
	const struct env *env;

	if (s->n_choice == 0) {
		strbuf_adds(out, "logs");
		return;
	}
	env = &p->env[s->choice[0].env];
	strbuf_addf(out, "%s%s > logs", text_mark(env), env->name);
	if (s->choice[0].service[0])
		strbuf_addf(out, " > %s", s->choice[0].service);
	if (s->n_choice > 1)
		strbuf_addf(out, " and %zu more", s->n_choice - 1);
}

/* The most important first: what does not fit is cut at the end. */
static void facts(const struct logs_state *s, struct strbuf *out)
{
	const struct log_counts *k = &s->counts;
	int64_t errors = k->level[LOG_LEVEL_ERROR] + k->level[LOG_LEVEL_FATAL];
	char n[CLOCK_TEXT_SIZE], size[CLOCK_TEXT_SIZE];

	/* Of the buffer, as what stands behind it: who hides errors has not got rid of them. */
	if (s->totals.complete && s->totals.errors < errors)
		strbuf_addf(out, "%s of ", logs_number(s->totals.errors, n));
	strbuf_addf(out, "%s error%s", logs_number(errors, n), errors == 1 ? "" : "s");
	if (k->lost_some)
		strbuf_addf(out, k->lost ? "  %s lost and more" : "  some lost",
			    logs_number(k->lost, n));
	else
		strbuf_addf(out, "  %s lost", logs_number(k->lost, n));
	if (k->gaps)
		strbuf_addf(out, "  %lld gap%s", (long long)k->gaps, k->gaps == 1 ? "" : "s");
	strbuf_addf(out, "  buffer %s lines, ", logs_number(k->lines, n));
	strbuf_adds(out, text_bytes(k->text_bytes, size));
}

static void logs_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		      struct view_words *w)
{
	struct logs_state *s = state;
	struct rect histogram, rule;

	s->m = &t->model;
	crumb(s, &w->crumb);
	if (!s->m->log_store || !s->m->log_query) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "No logs can be followed here.");
		return;
	}
	s->n_source = log_store_sources(s->m->log_store, s->source, LOG_SOURCES_MAX);
	log_store_counts(s->m->log_store, &s->counts);
	log_query_totals(s->m->log_query, &s->totals);
	logs_draw_head(s, c, &r);
	histogram = rect_cut(&r, logs_histogram_rows(s, r));
	rule = rect_cut(&r, 1);
	logs_draw_sources(s, c, &r);
	logs_draw_record(s, c, &r);
	logs_draw_rows(s, c, r);
	logs_draw_histogram(s, c, histogram);
	logs_draw_rule(s, c, rule);
	facts(s, &w->facts);
}

/* --- Actions ------------------------------------------------------------------------------------ */

static struct log_pos selected(const struct logs_state *s)
{
	return s->paused ? s->at : log_query_last(s->m->log_query);
}

static void open_row(struct tui *t, struct logs_state *s)
{
	struct log_pos at = selected(s);
	struct log_row row;

	if (s->record.open) {
		logs_record_close(s);
		return;
	}
	if (log_query_read(s->m->log_query, at, &row, 1) != 1)
		return;
	if (row.line.kind == LOG_GAP) {
		if (t->engine && engine_logs_fetch(t->engine, row.line.source, row.pos))
			model_news(&t->model, false, "fetching what is missing there");
		else
			model_news(&t->model, true,
				   "what is missing there cannot be fetched any more");
		return;
	}
	if (row.line.kind == LOG_NOTE)
		return;
	if (!s->paused)
		logs_go(s, at);
	logs_record_open(s, at);
}

static void copy(struct tui *t, struct logs_state *s, bool whole)
{
	struct log_row row;
	struct strbuf raw, clean;
	char all[CLOCK_TEXT_SIZE], size[CLOCK_TEXT_SIZE];
	size_t n;

	if (log_query_read(s->m->log_query, selected(s), &row, 1) != 1)
		return;
	strbuf_init(&raw, CLIPBOARD_MAX * 2);
	strbuf_init(&clean, STRBUF_NO_LIMIT);
	if (whole)
		log_query_record(s->m->log_query, row.pos, &raw);
	else
		strbuf_add(&raw, row.line.text.p,
			   row.line.text.n < CLIPBOARD_MAX * 2 ? row.line.text.n
							       : CLIPBOARD_MAX * 2);
	/* It will be pasted into a shell one day: no control character is in it. */
	clean_lines(&clean, strbuf_sv(&raw), false);
	n = clipboard_part(strbuf_sv(&clean)).n;
	if (n < clean.len)
		model_news(&t->model, true, "copied the first %s of %s",
			   text_bytes((int64_t)n, size), text_bytes((int64_t)clean.len, all));
	else
		model_news(
			&t->model, false,
			"copied %s if the terminal allows OSC 52 (tmux: set -g set-clipboard on)",
			text_bytes((int64_t)n, size));
	mem_free(t->copy);
	t->copy = strbuf_detach(&clean);
	strbuf_clear(&raw);
	strbuf_clear(&clean);
}

static void export_to(struct tui *t, const char *path)
{
	if (t->engine)
		engine_logs_export(t->engine, path);
	model_news(&t->model, false, "writing %s", path);
}

static void since_typed(struct tui *t, const char *text)
{
	logs_since(t, logs_of(t), text);
}

/* What scrolls the opened record while it is open. */
static bool record_action(struct logs_state *s, enum action act)
{
	struct logs_record *r = &s->record;
	int page = s->page > 1 ? s->page : 2;

	if (!r->open)
		return false;
	switch (act) {
	case ACT_DOWN:
		r->scroll++;
		return true;
	case ACT_UP:
		r->scroll -= r->scroll > 0;
		return true;
	case ACT_PAGE_DOWN:
		r->scroll += page;
		return true;
	case ACT_PAGE_UP:
		r->scroll = r->scroll > page ? r->scroll - page : 0;
		return true;
	case ACT_FIRST:
		r->scroll = 0;
		return true;
	case ACT_LAST:
		r->scroll = r->lines;
		return true;
	case ACT_BACK:
		logs_record_close(s);
		return true;
	default:
		return false;
	}
}

static bool action_move(struct tui *t, struct logs_state *s, enum action act)
{
	int64_t page = s->page > 1 ? s->page - 1 : 1;

	switch (act) {
	case ACT_DOWN:
		logs_move(s, 1);
		break;
	case ACT_UP:
		logs_move(s, -1);
		break;
	case ACT_PAGE_DOWN:
		logs_move(s, page);
		break;
	case ACT_PAGE_UP:
		logs_move(s, -page);
		break;
	case ACT_FIRST:
		logs_first(s);
		break;
	case ACT_LAST:
		logs_resume(s);
		break;
	case ACT_LEFT:
	case ACT_RIGHT:
		logs_histogram_move(s, act == ACT_LEFT ? -1 : 1, t->cols);
		break;
	case ACT_PAUSE:
		if (s->paused)
			logs_resume(s);
		else
			logs_go(s, log_query_last(s->m->log_query));
		break;
	default:
		return false;
	}
	return true;
}

/* Those that go somewhere also take an opened record there. */
static bool action_seek(struct tui *t, struct logs_state *s, enum action act)
{
	bool opened = s->record.open;

	switch (act) {
	case ACT_FIND_NEXT:
		logs_seek(t, s, 1, LOG_SEEK_MATCH);
		break;
	case ACT_FIND_PREVIOUS:
		logs_seek(t, s, -1, LOG_SEEK_MATCH);
		break;
	case ACT_NEXT_ERROR:
		logs_seek(t, s, 1, LOG_SEEK_ERROR);
		break;
	case ACT_PREVIOUS_ERROR:
		logs_seek(t, s, -1, LOG_SEEK_ERROR);
		break;
	case ACT_NEXT_MARK:
		logs_seek_mark(t, s, 1);
		break;
	case ACT_PREVIOUS_MARK:
		logs_seek_mark(t, s, -1);
		break;
	default:
		return false;
	}
	if (opened && s->paused)
		logs_record_open(s, s->at);
	return true;
}

static bool action_show(struct tui *t, struct logs_state *s, enum action act, const char *arg)
{
	switch (act) {
	case ACT_FILTER:
		logs_filter(t, s, arg);
		return true;
	case ACT_FIND:
		logs_find(t, s, arg);
		return true;
	case ACT_LEVEL:
		logs_level(t, s, 1, arg);
		return true;
	case ACT_LEVEL_LOWER:
		logs_level(t, s, -1, NULL);
		return true;
	case ACT_EXPAND:
	case ACT_COLLAPSE:
		s->unfolded = act == ACT_EXPAND;
		(void)logs_apply(s, NULL);
		return true;
	case ACT_WRAP:
		s->wrap = !s->wrap;
		return true;
	case ACT_TIME_FORMAT:
		s->time = (enum logs_time)((s->time + 1) % LOGS_TIMES);
		return true;
	default:
		return false;
	}
}

static bool action_other(struct tui *t, struct logs_state *s, enum action act, const char *arg)
{
	switch (act) {
	case ACT_OPEN:
		open_row(t, s);
		return true;
	case ACT_MARK:
		logs_mark(s);
		return true;
	case ACT_MARK_NONE:
		s->n_mark = 0;
		return true;
	case ACT_COPY:
	case ACT_COPY_RECORD:
		copy(t, s, act == ACT_COPY_RECORD);
		return true;
	case ACT_SINCE:
		if (arg)
			logs_since(t, s, arg);
		else
			prompt_ask(t, "since (15m, 2h, 14:05, 2026-11-21T14:05:00Z):", since_typed);
		return true;
	case ACT_EXPORT:
		if (arg)
			export_to(t, arg);
		else
			prompt_ask(t, "write the lines that are shown to a new file:", export_to);
		return true;
	case ACT_PANE:
		s->sources_open = true;
		return true;
	case ACT_LOGS_OF:
		tui_logs(t, s->env, arg);
		return true;
	case ACT_BACK:
		if (!s->find[0])
			return false;
		logs_find(t, s, "");
		return true;
	default:
		return false;
	}
}

static bool logs_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct logs_state *s = state;

	s->m = &t->model;
	if (!s->m->log_store || !s->m->log_query)
		return false;
	return logs_sources_action(t, s, act) || record_action(s, act) || action_move(t, s, act) ||
	       action_seek(t, s, act) || action_show(t, s, act, arg) ||
	       action_other(t, s, act, arg);
}

static int logs_selected_env(const struct tui *t, const void *state)
{
	const struct logs_state *s = state;

	return t->model.project->n_env ? s->env : -1;
}

static void logs_close(void *state)
{
	struct logs_state *s = state;

	logs_record_close(s);
	log_pattern_free(s->pattern);
}

static const enum action hints[] = { ACT_FIND,  ACT_FILTER, ACT_NEXT_ERROR, ACT_LEVEL,
				     ACT_SINCE, ACT_PAUSE,  ACT_PANE,       ACT_OPEN,
				     ACT_COPY,  ACT_HELP,   ACT_BACK,       ACT_NONE };

const struct view_ops view_logs = {
	.name = "Logs",
	.short_name = "Log",
	.where = WHERE_LOGS,
	.state_size = sizeof(struct logs_state),
	.open = logs_open,
	.event = logs_event,
	.draw = logs_draw,
	.action = logs_action,
	.own_search = true,
	.selected_env = logs_selected_env,
	.close = logs_close,
	.hints = hints,
};
