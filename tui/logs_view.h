/* SPDX-License-Identifier: MIT */
/*
 * What the files of the view "Logs" share: its state, and a few functions of each. See view_logs.c.
 *
 * The store and the query behind it have locks of their own and change while one looks at them. So a
 * place is a struct log_pos and never a number of a row, and each draw reads just the rows it paints.
 */
#ifndef TUI_LOGS_VIEW_H
#define TUI_LOGS_VIEW_H

#include "core/base/clock.h"
#include "core/logs/query.h"
#include "tui/text.h"
#include "tui/tui.h"

#define LOGS_PAGE_MAX 256 /* rows on one screen */
#define LOGS_MARKS_MAX 64
#define LOGS_CHOICES_MAX LOG_SOURCES_MAX
#define LOGS_TEXT_MAX 128 /* of a pattern */

enum logs_time { LOGS_TIME_DAY, LOGS_TIME_DATE, LOGS_TIME_AGO, LOGS_TIME_NONE, LOGS_TIMES };

/* Which way the selection went: where the rows are put when it is not among them. */
enum logs_scroll { LOGS_KEEP, LOGS_UP, LOGS_DOWN, LOGS_CENTRE };

struct logs_choice {
	int env;
	char service[64]; /* "": every one of it */
};

/* A record that was opened: its fields, then its lines. */
struct logs_record {
	bool open;
	struct log_pos pos;
	struct strbuf text;   /* cleaned; one line each */
	int scroll, lines;    /* in lines as they are wrapped; lines is of the last draw */
	struct log_line line; /* without its text */
};

/* A search that did not find anything yet: the query is still looking. */
struct logs_pending {
	bool waits;
	struct log_pos from;
	int dir;
	enum log_seek what;
	enum { LOGS_ONE_WAY, LOGS_BOTH_WAYS, LOGS_OTHER_WAY } both;
};

struct logs_state {
	const struct model *m;
	int env; /* for p, b and A: the one that is followed, or the first of them */
	/* what is followed */
	struct logs_choice choice[LOGS_CHOICES_MAX];
	size_t n_choice;
	int64_t since_utc_ms, tail;
	/* where one is */
	bool paused;
	struct log_pos at, top;
	enum logs_scroll scroll;
	struct logs_pending pending;
	struct log_row row[LOGS_PAGE_MAX]; /* as of the last draw; their texts are gone */
	size_t n_row;
	int page;
	struct log_pos mark[LOGS_MARKS_MAX];
	size_t n_mark;
	/* what is shown, and how */
	enum log_level level;
	char filter[LOG_FILTERS_MAX][LOGS_TEXT_MAX]; /* "TEXT" or "!TEXT" */
	size_t n_filter;
	char find[LOGS_TEXT_MAX], find_was[LOGS_TEXT_MAX]; /* was: before it is being typed */
	struct log_pattern *pattern;                       /* of find, to paint what it found */
	struct log_pos find_from;                          /* where one was when the search began */
	bool find_paused;
	char mistake[200]; /* in the pattern that is being typed */
	uint64_t hidden;   /* sources */
	bool unfolded, wrap;
	enum logs_time time;
	/* panes */
	struct logs_record record;
	bool sources_open;
	int sources_at;
	/* as of this draw */
	struct log_source source[LOG_SOURCES_MAX];
	size_t n_source;
	struct log_counts counts;
	struct log_totals totals;
};

static inline struct logs_state *logs_of(struct tui *t)
{
	return t->state[VIEW_LOGS];
}

static inline bool logs_same(struct log_pos a, struct log_pos b)
{
	return a.chunk == b.chunk && a.line == b.line;
}

/* --- What is followed: logs_follow.c -------------------------------------------------------------- */

/* The engine's store and query, from the first time on that logs are looked at. */
void logs_begin(struct tui *t);
/* Follows that service of env ("": every one) instead of what was followed, or besides. */
void logs_follow(struct tui *t, struct logs_state *s, int env, const char *service, bool besides);
bool logs_follows(const struct logs_state *s, int env, const char *service);
/* Reads again since a time that somebody typed. */
void logs_since(struct tui *t, struct logs_state *s, const char *text);

/* --- What is shown: logs_filter.c ----------------------------------------------------------------- */

/* Tells the query what is shown, with one more filter that is being typed (NULL: none). False: a mistake in a
 * pattern, in s->mistake. */
bool logs_apply(struct logs_state *s, const char *trial);
void logs_filter(struct tui *t, struct logs_state *s, const char *arg);
void logs_filter_remove(struct logs_state *s, size_t i);
void logs_find(struct tui *t, struct logs_state *s, const char *arg);
void logs_level(struct tui *t, struct logs_state *s, int step, const char *name);

/* --- Where one is: logs_move.c -------------------------------------------------------------------- */

void logs_move(struct logs_state *s, int64_t delta);
void logs_go(struct logs_state *s, struct log_pos pos); /* pauses there */
void logs_first(struct logs_state *s);
void logs_resume(struct logs_state *s);
/* The next (1) or previous (-1) of that kind; when there is none, says so. */
void logs_seek(struct tui *t, struct logs_state *s, int dir, enum log_seek what);
/* The first of them from there on, else the nearest on the other side. Says nothing when there is none. */
void logs_seek_nearest(struct tui *t, struct logs_state *s, struct log_pos from, int dir,
		       enum log_seek what);
void logs_seek_again(struct tui *t, struct logs_state *s); /* more is known now */
void logs_mark(struct logs_state *s);
bool logs_marked(const struct logs_state *s, struct log_pos pos);
void logs_seek_mark(struct tui *t, struct logs_state *s, int dir);
/* Reads the rows for height lines of which each takes what height_of says, with the selection among them. Their
 * texts are good until the query is read again. Returns the index of the first to be painted, of which *skip lines
 * lie above the screen. */
size_t logs_read_rows(struct logs_state *s, int height,
		      int (*height_of)(const struct logs_state *s, const struct log_row *row,
				       int cols),
		      int cols, int *skip);
/* The selected row among those of the last draw; NULL. */
const struct log_row *logs_selected(const struct logs_state *s);

/* --- Painting: logs_rows.c, logs_head.c, logs_histogram.c, logs_sources.c, logs_record.c --------------- */

void logs_draw_rows(struct logs_state *s, struct canvas *c, struct rect r);
/* What a row says, as it may be shown: cleaned, at most max bytes before that. */
void logs_row_text(const struct logs_state *s, const struct log_row *row, size_t max, bool ascii,
		   struct strbuf *out);
enum role logs_level_role(enum log_level level);
/* How many bytes of cleaned text go into cols columns; at least one character. */
size_t logs_piece(struct sv text, int cols);

/* 'a' … of a source that is followed; '?' of one that is not. */
char logs_letter(const struct logs_state *s, size_t source);
/* "#production/web@prod-1"; brief: environment and host only where there are several. */
void logs_source_name(const struct logs_state *s, const struct log_source *src, bool brief,
		      struct strbuf *out);
enum role logs_source_words(const struct log_source *src, struct strbuf *out);
bool logs_is_hidden(const struct logs_state *s, size_t source);
/* Sources, and what is shown of them. Takes its rows from r. */
void logs_draw_head(const struct logs_state *s, struct canvas *c, struct rect *r);
/* The line between head and rows: following, or paused and how much is below. */
void logs_draw_rule(struct logs_state *s, struct canvas *c, struct rect r);
/* "61 k" of lines. */
char *logs_number(int64_t n, char out[CLOCK_TEXT_SIZE]);

/* Columns of time over the whole buffer, for a view with rows left: how many it takes, 0 where that is too low. It is
 * painted behind the rows, because it shows which of it they are. */
int logs_histogram_rows(const struct logs_state *s, struct rect r);
void logs_draw_histogram(struct logs_state *s, struct canvas *c, struct rect r);
/* A column of it back (-1) or on (1) in time. */
void logs_histogram_move(struct logs_state *s, int dir, int cols);

/* The list of sources and filters; takes its rows from r while it is open. */
void logs_draw_sources(struct logs_state *s, struct canvas *c, struct rect *r);
bool logs_sources_action(struct tui *t, struct logs_state *s, enum action act);

void logs_record_open(struct logs_state *s, struct log_pos pos);
void logs_record_close(struct logs_state *s);
/* Takes its rows from the bottom of r while it is open. */
void logs_draw_record(struct logs_state *s, struct canvas *c, struct rect *r);

#endif
