/* SPDX-License-Identifier: MIT */
/*
 * What of a store is shown: a filter, what is searched for, and where one is in it.
 *
 * Two threads of the query evaluate it chunk by chunk, the chunks around the place that is looked at first and
 * then outwards, and go on as lines come; what they found is kept for each chunk. So the first screen is there
 * at once, also over millions of lines, and the counts become complete a little later (log_query_totals).
 * Rows are read and moved through by the UI thread; that waits for at most the chunks that are shown.
 */
#ifndef LOGS_QUERY_H
#define LOGS_QUERY_H

#include "core/base/cancel.h"
#include "core/logs/search.h"
#include "core/logs/store.h"

#define LOG_FILTERS_MAX 16

/* What is shown. Patterns are borrowed by the call and copied (their texts). A filter decides over records: their level,
 * and whether any of their lines matches. A record that goes on in another chunk is another record there, and a fold
 * begins anew. A record in which the search is found folds into none in which it is not. Gaps and notes are shown unless
 * their source is hidden. */
struct log_filter {
	enum log_level level;    /* at least; lines without a level count as INFO */
	uint64_t hidden_sources; /* bit i: source i is not shown */
	size_t n;
	struct {
		const char *text;
		bool out; /* hides what matches; else shows only what matches (all of the in-patterns) */
	} pattern[LOG_FILTERS_MAX];
	bool fold; /* continuation lines under their record, repeats of one template together */
};

struct log_query;
/* grew (may be NULL) is called from a thread of the query, at most some 20 times a second, when there is more
 * than before or a source changed. s must outlive it. */
struct log_query *log_query_new(struct log_store *s, void (*grew)(void *arg), void *arg);
void log_query_free(struct log_query *q); /* joins its threads. NULL is fine */

/* Errors of a pattern leave all as it was. */
int log_query_filter(struct log_query *q, const struct log_filter *f, struct err *e) MUST_CHECK;
/* What is searched for; "" or NULL: nothing. */
int log_query_find(struct log_query *q, const char *pattern, struct err *e) MUST_CHECK;

struct log_row {
	struct log_pos pos;
	struct log_line line;   /* its text is valid until the next log_query_read */
	uint32_t continued;     /* its own continuation lines, folded under it */
	uint32_t similar;       /* repeats folded into it, itself not counted */
	int64_t similar_utc_ns; /* the last of them; 0 none */
	bool matches;           /* what is searched for, in it or in what is folded into it */
	size_t match_from,
		match_to; /* in the text, of the first match; equal: it is in a folded line */
};
/* Up to max visible rows from pos on (pos itself may be invisible now: then from the next visible one). Chunk 0:
 * from the first. Returns how many. UI thread. */
size_t log_query_read(struct log_query *q, struct log_pos pos, struct log_row *out, size_t max);
/* delta visible rows further (negative: back) from pos, stopping at the ends; chunk 0 is before the first for
 * delta > 0, behind the last for delta < 0. *moved (may be NULL) says by how many. Chunk 0: nothing is visible. */
struct log_pos log_query_step(struct log_query *q, struct log_pos pos, int64_t delta,
			      int64_t *moved);
struct log_pos log_query_last(struct log_query *q); /* the last visible row; chunk 0 none */
/* The first visible row at or behind that time. */
struct log_pos log_query_at(struct log_query *q, int64_t utc_ns);
/* How many visible rows lie behind pos (for "PAUSED, 1 204 new below"); -1 while not known. */
int64_t log_query_below(struct log_query *q, struct log_pos pos);

enum log_seek { LOG_SEEK_MATCH, LOG_SEEK_ERROR, LOG_SEEK_WARN, LOG_SEEK_GAP };
/* The next (dir 1) or previous (-1) visible row of that kind, not pos itself. Chunk 0: none; with line
 * LOG_POS_UNKNOWN: none yet, not everything on the way was evaluated: ask again when grew was called. */
#define LOG_POS_UNKNOWN UINT32_MAX
struct log_pos log_query_seek(struct log_query *q, struct log_pos pos, int dir, enum log_seek what);

struct log_totals {
	bool complete;           /* every chunk was evaluated */
	int64_t rows;            /* visible, folded ones not counted */
	int64_t lines;           /* visible with what is folded */
	int64_t hidden;          /* by the filter */
	int64_t matches, errors; /* among the visible lines */
};
void log_query_totals(struct log_query *q, struct log_totals *out);

/* One record whole: its text, then its folded continuation lines, each ended by a newline. */
void log_query_record(struct log_query *q, struct log_pos pos, struct strbuf *out);
/* Every visible line, with what is folded, in order, to give (which may stop by -1). For export; any thread. */
int log_query_each(struct log_query *q, int (*give)(void *arg, const struct log_line *line),
		   void *arg, struct cancel *c, struct err *e) MUST_CHECK;

#endif
