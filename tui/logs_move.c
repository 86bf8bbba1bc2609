/* SPDX-License-Identifier: MIT */
/*
 * Where one is in the logs.
 *
 * While following, the last row is the selected one, whichever that is. Any move up pauses: from then
 * on the rows stand still, however much comes, because a place is kept as the address of a line and
 * not as its distance from the end. Moving beyond the last row follows again.
 *
 * The rows on the screen begin at `top`, which changes only when the selection would not be among
 * them; which way it went says where it is put then.
 */
#include "tui/logs_view.h"

#include <string.h>

static struct log_query *query_of(const struct logs_state *s)
{
	return s->m->log_query;
}

/* --- Moving ------------------------------------------------------------------------------------- */

void logs_resume(struct logs_state *s)
{
	s->paused = false;
	s->pending.waits = false;
	s->scroll = LOGS_KEEP;
}

void logs_go(struct logs_state *s, struct log_pos pos)
{
	if (pos.chunk == 0)
		return;
	s->at = pos;
	s->paused = true;
	s->scroll = LOGS_CENTRE;
}

void logs_move(struct logs_state *s, int64_t delta)
{
	struct log_pos to;
	int64_t moved = 0;

	s->pending.waits = false;
	if (!s->paused && delta > 0)
		return; /* at the end already */
	if (!s->paused)
		s->at = log_query_last(query_of(s));
	to = log_query_step(query_of(s), s->at, delta, &moved);
	if (to.chunk == 0)
		return;
	s->at = to;
	s->paused = true;
	s->scroll = delta > 0 ? LOGS_DOWN : LOGS_UP;
	if (delta > 0 && moved < delta)
		logs_resume(s);
}

void logs_first(struct logs_state *s)
{
	struct log_row first;

	if (log_query_read(query_of(s), (struct log_pos){ 0 }, &first, 1) != 1)
		return;
	logs_go(s, first.pos);
	s->scroll = LOGS_UP;
}

/* --- Searching ---------------------------------------------------------------------------------- */

static const char *word_of(enum log_seek what)
{
	static const char *const words[] = { [LOG_SEEK_MATCH] = "match",
					     [LOG_SEEK_ERROR] = "error",
					     [LOG_SEEK_WARN] = "warning",
					     [LOG_SEEK_GAP] = "gap" };

	return words[what];
}

static struct log_pos here(const struct logs_state *s)
{
	return s->paused ? s->at : log_query_last(query_of(s));
}

enum found { FOUND, NOT_THERE, NOT_KNOWN };

static enum found seek_once(struct logs_state *s, const struct logs_pending *p)
{
	struct log_pos to = log_query_seek(query_of(s), p->from, p->dir, p->what);

	s->pending.waits = false;
	if (to.chunk == 0 && to.line == LOG_POS_UNKNOWN)
		return NOT_KNOWN;
	if (to.chunk == 0)
		return NOT_THERE;
	logs_go(s, to);
	return FOUND;
}

static void seek(struct tui *t, struct logs_state *s, struct logs_pending p)
{
	enum found found = seek_once(s, &p);

	if (found == NOT_THERE && p.both == LOGS_BOTH_WAYS) {
		p.both = LOGS_OTHER_WAY;
		p.dir = -p.dir;
		found = seek_once(s, &p);
	}
	if (found == NOT_KNOWN) { /* it may lie where nobody has looked yet */
		s->pending = p;
		s->pending.waits = true;
	} else if (found == NOT_THERE && p.both == LOGS_ONE_WAY) {
		model_news(&t->model, false, "no %s %s", word_of(p.what),
			   p.dir > 0 ? "below" : "above");
	}
}

void logs_seek_nearest(struct tui *t, struct logs_state *s, struct log_pos from, int dir,
		       enum log_seek what)
{
	seek(t, s,
	     (struct logs_pending){
		     .from = from, .dir = dir, .what = what, .both = LOGS_BOTH_WAYS });
}

void logs_seek(struct tui *t, struct logs_state *s, int dir, enum log_seek what)
{
	seek(t, s, (struct logs_pending){ .from = here(s), .dir = dir, .what = what });
}

void logs_seek_again(struct tui *t, struct logs_state *s)
{
	if (s->pending.waits)
		seek(t, s, s->pending);
}

/* --- Marks -------------------------------------------------------------------------------------- */

bool logs_marked(const struct logs_state *s, struct log_pos pos)
{
	for (size_t i = 0; i < s->n_mark; i++)
		if (logs_same(s->mark[i], pos))
			return true;
	return false;
}

/* Marks the selected row, or removes its mark. The oldest mark makes room for a new one. */
void logs_mark(struct logs_state *s)
{
	struct log_pos pos = here(s);
	size_t kept = 0, was = s->n_mark;

	if (pos.chunk == 0)
		return;
	for (size_t i = 0; i < s->n_mark; i++)
		if (!logs_same(s->mark[i], pos))
			s->mark[kept++] = s->mark[i];
	s->n_mark = kept;
	if (kept < was)
		return;
	if (s->n_mark == LOGS_MARKS_MAX) {
		memmove(s->mark, s->mark + 1, (LOGS_MARKS_MAX - 1) * sizeof(s->mark[0]));
		s->n_mark--;
	}
	s->mark[s->n_mark++] = pos;
}

/* Addresses have no order of their own: how many rows are behind one tells it. */
static void nearer(const struct logs_state *s, struct log_pos pos, int64_t from, int dir,
		   struct log_pos *best, int64_t *best_away)
{
	int64_t below = log_query_below(query_of(s), pos), away;

	if (pos.chunk == 0 || below < 0)
		return;
	away = dir > 0 ? from - below : below - from;
	if (away <= 0 || (best->chunk != 0 && away >= *best_away))
		return;
	*best = pos;
	*best_away = away;
}

void logs_seek_mark(struct tui *t, struct logs_state *s, int dir)
{
	struct log_pos at = here(s), best = { 0 };
	int64_t from = log_query_below(query_of(s), at), away = 0;

	if (from < 0) {
		model_news(&t->model, false, "still reading what is shown: try again");
		return;
	}
	for (size_t i = 0; i < s->n_mark; i++)
		nearer(s, s->mark[i], from, dir, &best, &away);
	nearer(s, log_query_seek(query_of(s), at, dir, LOG_SEEK_GAP), from, dir, &best, &away);
	if (best.chunk != 0)
		logs_go(s, best);
	else
		model_news(&t->model, false, "no mark and no gap %s", dir > 0 ? "below" : "above");
}

/* --- The rows on the screen ---------------------------------------------------------------------- */

static void read_from(struct logs_state *s, struct log_pos top, int height)
{
	size_t max = height < LOGS_PAGE_MAX ? (size_t)height : LOGS_PAGE_MAX;

	s->n_row = log_query_read(query_of(s), top, s->row, max);
	s->top = s->n_row ? s->row[0].pos : (struct log_pos){ 0 };
}

static size_t index_of(const struct logs_state *s, struct log_pos pos)
{
	for (size_t i = 0; i < s->n_row; i++)
		if (logs_same(s->row[i].pos, pos))
			return i;
	return SIZE_MAX;
}

static struct log_pos back(const struct logs_state *s, struct log_pos pos, int64_t rows)
{
	return rows > 0 ? log_query_step(query_of(s), pos, -rows, NULL) : pos;
}

static void read_following(struct logs_state *s, int height)
{
	read_from(s, back(s, log_query_last(query_of(s)), height - 1), height);
	s->at = s->n_row ? s->row[s->n_row - 1].pos : (struct log_pos){ 0 };
}

static void read_paused(struct logs_state *s, int height)
{
	struct log_pos top = s->at;

	read_from(s, s->top.chunk ? s->top : s->at, height);
	if (index_of(s, s->at) == SIZE_MAX) {
		if (s->scroll == LOGS_DOWN)
			top = back(s, s->at, height - 1);
		else if (s->scroll != LOGS_UP)
			top = back(s, s->at, height / 2);
		read_from(s, top, height);
	}
	/* A filter may have hidden the selected one: then what is there now. */
	if (index_of(s, s->at) == SIZE_MAX && s->n_row)
		s->at = s->row[s->scroll == LOGS_DOWN ? s->n_row - 1 : s->n_row / 2].pos;
	if (s->n_row && (int)s->n_row < height) {
		/* No blank lines below the last row while there are rows above the first. */
		top = back(s, s->row[0].pos, height - (int)s->n_row);
		if (!logs_same(top, s->row[0].pos))
			read_from(s, top, height);
	}
	s->scroll = LOGS_KEEP;
}

size_t logs_read_rows(struct logs_state *s, int height,
		      int (*height_of)(const struct logs_state *s, const struct log_row *row,
				       int cols),
		      int cols, int *skip)
{
	size_t first = 0, at;
	int used = 0, one;

	*skip = 0;
	s->page = height > 0 ? height : 1;
	if (!s->paused || s->at.chunk == 0)
		read_following(s, s->page);
	else
		read_paused(s, s->page);
	at = index_of(s, s->at);
	if (at == SIZE_MAX)
		return 0;
	/* Rows that take several lines: those above the selected one leave until it fits, the last of
	 * them with its upper lines only. */
	for (size_t i = 0; i <= at; i++)
		used += height_of(s, &s->row[i], cols);
	for (one = height_of(s, &s->row[first], cols); first < at && used - one >= s->page;
	     one = height_of(s, &s->row[first], cols)) {
		used -= one;
		first++;
	}
	if (used > s->page && (first < at || !s->paused))
		*skip = used - s->page;
	if (first > 0)
		s->top = s->row[first].pos;
	return first;
}

const struct log_row *logs_selected(const struct logs_state *s)
{
	size_t i = index_of(s, s->at);

	return i != SIZE_MAX ? &s->row[i] : NULL;
}
