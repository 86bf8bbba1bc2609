/* SPDX-License-Identifier: MIT */
/*
 * What stands above the rows: which sources there are and how they do, what is shown of them, and on
 * the line below whether the rows follow or stand still.
 *
 * A source that cannot be read says why, before those that can: a quiet log and a broken one must not
 * look the same. Sources of a protected environment have '#' in front of their letter and name.
 */
#include "tui/logs_view.h"

#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+*";

char logs_letter(const struct logs_state *s, size_t source)
{
	size_t n = 0;

	if (source >= s->n_source)
		return '?';
	for (size_t i = 0; i < source; i++)
		n += s->source[i].state != LOG_SOURCE_OFF;
	return s->source[source].state == LOG_SOURCE_OFF || n >= sizeof(letters) - 1 ? '?'
										     : letters[n];
}

bool logs_is_hidden(const struct logs_state *s, size_t source)
{
	return source < LOG_SOURCES_MAX && s->hidden >> source & 1;
}

char *logs_number(int64_t n, char out[CLOCK_TEXT_SIZE])
{
	if (n < 10000)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld", (long long)n);
	else if (n < 10000000)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld k", (long long)(n / 1000));
	else
		snprintf(out, CLOCK_TEXT_SIZE, "%lld M", (long long)(n / 1000000));
	return out;
}

/* Whether the same service is followed on several hosts. */
static bool is_many(const struct logs_state *s, const struct log_source *src)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_source; i++)
		n += s->source[i].state != LOG_SOURCE_OFF &&
		     strcmp(s->source[i].environment, src->environment) == 0 &&
		     strcmp(s->source[i].service, src->service) == 0;
	return n > 1;
}

static bool many_environments(const struct logs_state *s)
{
	const char *first = NULL;

	for (size_t i = 0; i < s->n_source; i++) {
		if (s->source[i].state == LOG_SOURCE_OFF)
			continue;
		if (first && strcmp(first, s->source[i].environment) != 0)
			return true;
		first = s->source[i].environment;
	}
	return false;
}

void logs_source_name(const struct logs_state *s, const struct log_source *src, bool brief,
		      struct strbuf *out)
{
	strbuf_adds(out, src->is_protected ? TEXT_PROTECTED : "");
	if (!brief || many_environments(s))
		strbuf_addf(out, "%s/", src->environment);
	strbuf_adds(out, src->service);
	if (!brief || is_many(s, src))
		strbuf_addf(out, "@%s", src->host);
}

enum role logs_source_words(const struct log_source *src, struct strbuf *out)
{
	switch (src->state) {
	case LOG_SOURCE_CONNECTING:
		strbuf_adds(out, "connecting");
		return ROLE_PENDING;
	case LOG_SOURCE_LIVE:
		/* Of one width: names behind it must not move with every frame. */
		if (src->per_second < 0)
			strbuf_adds(out, "   -/s");
		else if (src->per_second < 9999.5)
			strbuf_addf(out, "%4.0f/s", src->per_second);
		else
			strbuf_addf(out, "%3.0fk/s", src->per_second / 1000);
		return ROLE_OK;
	case LOG_SOURCE_ENDED:
		strbuf_adds(out, "ended");
		return ROLE_WARN;
	case LOG_SOURCE_DOWN:
		strbuf_addf(out, "DOWN %s%s%s", src->err.msg, src->err.detail[0] ? ": " : "",
			    src->err.detail);
		return ROLE_FAIL;
	default:
		strbuf_adds(out, "off");
		return ROLE_DIM;
	}
}

/* --- Sources ------------------------------------------------------------------------------------ */

static int source_rank(const struct log_source *src)
{
	return src->state == LOG_SOURCE_DOWN ? 0 : 1;
}

/* "[a] #web@prod-1 84/s": false when it does not fit in the columns that are left. */
static bool add_source(const struct logs_state *s, size_t i, int share, int kept,
		       struct text_line *l)
{
	const struct log_source *src = &s->source[i];
	enum role role, name = src->is_protected ? ROLE_PROD : ROLE_TEXT;
	struct strbuf who, how;
	int cols;
	bool fits;

	strbuf_init(&who, 512);
	strbuf_init(&how, 1024);
	logs_source_name(s, src, true, &who);
	role = logs_source_words(src, &how);
	cols = 4 + (int)utf8_cols(strbuf_sv(&who)) + 1 + (int)utf8_cols(strbuf_sv(&how)) + 2;
	if (src->state == LOG_SOURCE_DOWN && cols > share)
		cols = share;
	fits = l->col + cols <= l->end - kept;
	if (fits) {
		int end = l->end;

		l->end = l->col + cols - 1;
		text_addf(l, logs_is_hidden(s, i) ? ROLE_DIM : name, "%c%c%c ",
			  logs_is_hidden(s, i) ? '(' : '[', logs_letter(s, i),
			  logs_is_hidden(s, i) ? ')' : ']');
		text_add(l, logs_is_hidden(s, i) ? ROLE_DIM : name, strbuf_str(&who));
		text_addf(l, role, " %s", strbuf_str(&how));
		l->end = end;
		l->col += 2;
	}
	strbuf_clear(&who);
	strbuf_clear(&how);
	return fits;
}

static void draw_sources(const struct logs_state *s, struct canvas *c, struct rect r)
{
	struct text_line l = text_line_at(c, r, 0);
	size_t all = 0, shown = 0, down = 0, shown_down = 0;
	const int kept = 22; /* for what did not fit */

	for (size_t i = 0; i < s->n_source; i++) {
		all += s->source[i].state != LOG_SOURCE_OFF;
		down += s->source[i].state == LOG_SOURCE_DOWN;
	}
	text_add(&l, ROLE_HEAD, r.cols >= TEXT_WIDE_COLS ? " sources  " : " ");
	for (int rank = 0; rank < 2; rank++)
		for (size_t i = 0; i < s->n_source; i++) {
			if (s->source[i].state == LOG_SOURCE_OFF ||
			    source_rank(&s->source[i]) != rank)
				continue;
			if (!add_source(s, i, r.cols / 3, shown + 1 < all ? kept : 0, &l))
				continue;
			shown++;
			shown_down += rank == 0;
		}
	if (shown < all)
		text_addf(&l, down > shown_down ? ROLE_FAIL : ROLE_DIM, "+%zu more%s, Tab",
			  all - shown, down > shown_down ? ", some DOWN" : "");
}

/* --- What is shown ------------------------------------------------------------------------------- */

static bool is_narrowed(const struct logs_state *s)
{
	return s->level != LOG_LEVEL_NONE || s->n_filter || s->find[0] || s->hidden || s->unfolded;
}

static void add_find(const struct logs_state *s, struct text_line *l)
{
	char n[CLOCK_TEXT_SIZE];

	text_add(l, ROLE_HEAD, "find ");
	text_addf(l, ROLE_MATCH, "/%s/", s->find);
	text_addf(l, ROLE_TEXT, " %s%s  ", logs_number(s->totals.matches, n),
		  s->totals.complete ? "" : " so far");
}

static void draw_shown(const struct logs_state *s, struct canvas *c, struct rect r)
{
	struct text_line l = text_line_at(c, r, 0);
	char n[CLOCK_TEXT_SIZE];

	text_add(&l, ROLE_HEAD, r.cols >= TEXT_WIDE_COLS ? " show     " : " ");
	if (s->level != LOG_LEVEL_NONE)
		text_addf(&l, ROLE_PENDING, "level >= %s  ", log_level_name(s->level));
	if (s->find[0])
		add_find(s, &l);
	for (size_t i = 0; i < s->n_filter; i++) {
		text_addf(&l, ROLE_KEY, "%zu:", i + 1);
		text_addf(&l, ROLE_PENDING, "%s  ", s->filter[i]);
	}
	if (s->unfolded)
		text_add(&l, ROLE_TEXT, "unfolded  ");
	if (!is_narrowed(s) && s->totals.hidden == 0)
		text_add(&l, ROLE_DIM, "every line  ");
	if (s->totals.hidden > 0 || !s->totals.complete)
		text_addf(&l, ROLE_DIM, "%s hidden%s", logs_number(s->totals.hidden, n),
			  s->totals.complete ? "" : " so far");
}

void logs_draw_head(const struct logs_state *s, struct canvas *c, struct rect *r)
{
	draw_sources(s, c, rect_cut(r, 1));
	/* On a low screen what is not narrowed is not worth a row. */
	if (r->rows > 16 || is_narrowed(s))
		draw_shown(s, c, rect_cut(r, 1));
}

void logs_draw_rule(struct logs_state *s, struct canvas *c, struct rect r)
{
	struct rect in = { r.row, r.col + 2, 1, r.cols - 2 };
	struct text_line l = text_line_at(c, in, 0);
	int64_t below;
	char n[CLOCK_TEXT_SIZE];

	if (r.rows < 1)
		return;
	canvas_rule(c, r.row, r.col, r.cols);
	if (!s->paused) {
		if (s->n_row)
			text_add(&l, ROLE_OK, " following ");
		return;
	}
	below = s->n_row ? log_query_below(s->m->log_query, s->row[s->n_row - 1].pos) : 0;
	if (below > 0)
		text_addf(&l, ROLE_WARN, " PAUSED  %s below, G follows ", logs_number(below, n));
	else
		text_add(&l, ROLE_WARN,
			 below < 0 ? " PAUSED  more below, G follows " : " PAUSED  G follows ");
}
