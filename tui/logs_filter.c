/* SPDX-License-Identifier: MIT */
/*
 * What is shown of the logs: level, filters, and what is searched for.
 *
 * Both prompts work while one types, over the whole buffer: the query is told each text and begins
 * with the rows that are on the screen. A text that is no pattern yet ("(" before its ")") leaves what
 * was shown and says why under the prompt. Esc puts back what was.
 */
#include "tui/logs_view.h"

#include <string.h>

#define REMOVE '-' /* "-2" in the prompt removes the second filter; "\-" is text */

static const char filter_help[] =
	"TEXT only such, !TEXT hides, -2 drops the 2nd, empty drops all. Enter keeps";
static const char find_help[] =
	"a pattern, over lines as they came (JSON: \"name\":5); small letters: both cases";

static void pattern_of(const char *text, const char **pattern, bool *out)
{
	*out = text[0] == '!';
	text += *out;
	/* What would mean something at the beginning is text behind a backslash. */
	*pattern = text[0] == '\\' && (text[1] == '!' || text[1] == REMOVE) ? text + 1 : text;
}

static void add_pattern(struct log_filter *f, const char *text)
{
	const char *pattern;
	bool out;

	pattern_of(text, &pattern, &out);
	if (!pattern[0] || f->n == LOG_FILTERS_MAX)
		return;
	f->pattern[f->n].text = pattern;
	f->pattern[f->n++].out = out;
}

static void mistake(struct logs_state *s, const struct err *e)
{
	struct strbuf b;

	strbuf_init(&b, sizeof(s->mistake) - 1);
	strbuf_addf(&b, "%s%s%s", e->msg, e->detail[0] ? ": " : "", e->detail);
	str_copy(s->mistake, sizeof(s->mistake), strbuf_str(&b));
	strbuf_clear(&b);
}

bool logs_apply(struct logs_state *s, const char *trial)
{
	struct log_filter f = { .level = s->level,
				.hidden_sources = s->hidden,
				.fold = !s->unfolded };
	struct err e;

	s->mistake[0] = '\0';
	if (!s->m->log_query)
		return true;
	for (size_t i = 0; i < s->n_filter; i++)
		add_pattern(&f, s->filter[i]);
	if (trial)
		add_pattern(&f, trial);
	if (log_query_filter(s->m->log_query, &f, &e) == 0)
		return true;
	mistake(s, &e);
	return false;
}

/* --- Filters ------------------------------------------------------------------------------------ */

void logs_filter_remove(struct logs_state *s, size_t i)
{
	if (i >= s->n_filter)
		return;
	memmove(s->filter[i], s->filter[i + 1], (s->n_filter - i - 1) * sizeof(s->filter[0]));
	s->n_filter--;
	(void)logs_apply(s, NULL);
}

/* "-2": the number; 0 for any other text. */
static size_t removal_of(const char *text)
{
	int64_t n;

	return text[0] == REMOVE && sv_int(sv_of(text + 1), 1, LOG_FILTERS_MAX, &n) ? (size_t)n : 0;
}

static void filter_take(struct tui *t, const char *text)
{
	struct logs_state *s = logs_of(t);
	size_t remove = removal_of(text);

	if (!text[0]) {
		s->n_filter = 0;
	} else if (remove) {
		if (remove > s->n_filter)
			model_news(&t->model, true, "there are %zu filters", s->n_filter);
		logs_filter_remove(s, remove - 1);
		return;
	} else if (!logs_apply(s, text)) {
		model_news(&t->model, true, "%s", s->mistake);
	} else if (s->n_filter == LOG_FILTERS_MAX) {
		model_news(&t->model, true, "%d filters are all there can be: remove one",
			   LOG_FILTERS_MAX);
	} else {
		str_copy(s->filter[s->n_filter++], LOGS_TEXT_MAX, text);
	}
	(void)logs_apply(s, NULL);
}

static void filter_typed(struct tui *t, const char *text)
{
	struct logs_state *s = logs_of(t);

	if (removal_of(text) || text[0] == REMOVE)
		(void)logs_apply(s, NULL);
	else
		(void)logs_apply(s, text);
	t->prompt.help = s->mistake[0] ? s->mistake : filter_help;
}

static void filter_left(struct tui *t)
{
	(void)logs_apply(logs_of(t), NULL);
}

void logs_filter(struct tui *t, struct logs_state *s, const char *arg)
{
	(void)s;
	if (arg)
		filter_take(t, arg);
	else
		prompt_search(t, "\\", filter_help, filter_typed, filter_take, filter_left);
}

/* --- Level -------------------------------------------------------------------------------------- */

void logs_level(struct tui *t, struct logs_state *s, int step, const char *name)
{
	int to = (int)s->level + step;

	if (name) {
		to = log_level_of(sv_of(name));
		if (to < 0) {
			model_news(&t->model, true,
				   "there is no level `%s`: trace, debug, info, warn, "
				   "error, fatal",
				   name);
			return;
		}
	}
	/* All lines, then from DEBUG on: nothing is below TRACE. */
	if (!name && to == LOG_LEVEL_TRACE)
		to += step;
	if (to < LOG_LEVEL_NONE || to >= LOG_LEVELS)
		return;
	s->level = (enum log_level)to;
	(void)logs_apply(s, NULL);
}

/* --- Find --------------------------------------------------------------------------------------- */

/* The nearest match from where the search began, looking up first from the end. */
static void go_nearest(struct tui *t, struct logs_state *s)
{
	struct log_query *q = s->m->log_query;
	struct log_row row;

	if (!s->find_from.chunk)
		return;
	if (log_query_read(q, s->find_from, &row, 1) == 1 && row.matches)
		logs_go(s, row.pos);
	else
		logs_seek_nearest(t, s, s->find_from, s->find_paused ? 1 : -1, LOG_SEEK_MATCH);
}

static bool find_set(struct logs_state *s, const char *text)
{
	struct log_pattern *pattern = NULL;
	struct err e;

	s->mistake[0] = '\0';
	if (!s->m->log_query)
		return true;
	if ((text[0] && log_pattern_new(text, &pattern, &e) != 0) ||
	    log_query_find(s->m->log_query, text, &e) != 0) {
		mistake(s, &e);
		log_pattern_free(pattern);
		return false;
	}
	log_pattern_free(s->pattern);
	s->pattern = pattern;
	return true;
}

static void go_back(struct logs_state *s)
{
	s->pending.waits = false;
	if (s->find_paused)
		logs_go(s, s->find_from);
	else
		logs_resume(s);
}

static void find_typed(struct tui *t, const char *text)
{
	struct logs_state *s = logs_of(t);

	if (find_set(s, text)) {
		str_copy(s->find, sizeof(s->find), text); /* counted while it is typed */
		if (text[0])
			go_nearest(t, s);
		else
			go_back(s);
	}
	t->prompt.help = s->mistake[0] ? s->mistake : find_help;
}

static bool find_keep(struct tui *t, struct logs_state *s, const char *text)
{
	bool good = find_set(s, text);

	if (!good) {
		model_news(&t->model, true, "%s", s->mistake);
		(void)find_set(s, s->find_was);
	}
	str_copy(s->find, sizeof(s->find), good ? text : s->find_was);
	return good;
}

static void find_take(struct tui *t, const char *text)
{
	(void)find_keep(t, logs_of(t), text);
}

static void find_left(struct tui *t)
{
	struct logs_state *s = logs_of(t);

	str_copy(s->find, sizeof(s->find), s->find_was);
	(void)find_set(s, s->find);
	go_back(s);
}

void logs_find(struct tui *t, struct logs_state *s, const char *arg)
{
	str_copy(s->find_was, sizeof(s->find_was), s->find);
	s->find_paused = s->paused;
	s->find_from = s->paused || !s->m->log_query ? s->at : log_query_last(s->m->log_query);
	if (!arg) {
		prompt_search(t, "/", find_help, find_typed, find_take, find_left);
		return;
	}
	if (find_keep(t, s, arg) && arg[0] && s->m->log_query)
		go_nearest(t, s);
}
