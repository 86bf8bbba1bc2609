/* SPDX-License-Identifier: MIT */
/* What core/logs/query*.c share. query.c tells the whole. */
#ifndef LOGS_QUERY_INSIDE_H
#define LOGS_QUERY_INSIDE_H

#include <pthread.h>

#include "core/logs/query.h"
#include "core/logs/search_inside.h"
#include "core/logs/store_inside.h"

/* --- What is asked ------------------------------------------------------------------------------- */

struct shared_pattern {
	atomic_int refs;
	struct log_pattern *p;
};

/* Never changes once made, but for stale. */
struct question {
	atomic_int refs;
	atomic_bool stale; /* another one took its place: work for it may stop */
	uint32_t filter_gen, find_gen;
	enum log_level level;
	uint64_t hidden_sources;
	bool fold;
	size_t n_in, n_out;
	struct shared_pattern *in[LOG_FILTERS_MAX], *out[LOG_FILTERS_MAX];
	struct shared_pattern *find; /* NULL: nothing */
};

/* --- What was found in a part: query_eval.c ------------------------------------------------------- */

enum { SEEKS = 4 }; /* enum log_seek */

/* Few rows of a chunk, kept as they are so that a screen of them needs no chunk to be unpacked. */
struct excerpt_row {
	uint32_t continued, similar;
	int64_t similar_utc_ns; /* the last of these */
	struct log_line line;   /* text.p is an offset into text */
	uint32_t number;
};
struct excerpt {
	size_t n, text_bytes;
	char *text;
	struct excerpt_row row[];
};

struct eval_counts {
	int64_t rows, lines, hidden, matches, errors;
};

/* Bits are by line number, up to .to. */
struct eval {
	uint32_t from, to;
	uint32_t filter_gen, find_gen;
	struct eval_counts n;
	uint32_t seeks[SEEKS];   /* rows of that kind */
	uint64_t *shown;         /* lines that pass */
	uint64_t *row;           /* of these those that are rows */
	uint64_t *match;         /* lines in which the search is found; NULL: none */
	uint64_t *seek[SEEKS];   /* NULL where seeks is 0 */
	struct excerpt *excerpt; /* or NULL */
};
void eval_free(struct eval *v);

/* What each pattern hit, line by line, of the lines below done; kept for a part that grows. */
struct hits_so_far {
	uint32_t filter_gen, find_gen;
	uint32_t filter_done, find_done, room;
	uint64_t *in[LOG_FILTERS_MAX], *out, *find;
};
void hits_free(struct hits_so_far *h);

/* Room of one thread. */
struct room {
	struct zip *zip;
	struct plain *own;
	uint32_t *head, *owner, *count;
	size_t lines;
};
void room_init(struct room *r);
void room_clear(struct room *r);

/* Evaluates lines from..to of a part for a question. before (may be NULL) is what was known of exactly this part, of
 * which is used what still holds; grown: the part is still open, and *hits (NULL at first) is kept for the next
 * time. NULL when the question became stale. */
struct eval *eval_part(struct log_store *s, struct part *p, uint32_t from, uint32_t to,
		       const struct question *q, const struct eval *before,
		       struct hits_so_far **hits, bool open, struct room *r);
/* For each line that is shown the row it belongs to, else LINES_OPEN, into owner[from..to). */
void eval_owners(const struct plain *t, const struct eval *v, bool fold, struct room *r,
		 uint32_t *owner);
/* Lines folded under each row (its own continuation lines), and repeats folded into it. */
void eval_folded(const struct plain *t, const struct eval *v, const uint32_t *owner,
		 uint32_t *continued, uint32_t *similar, uint32_t *last);

static inline bool bit(const uint64_t *b, uint32_t i)
{
	return b != NULL && (b[i / 64] >> (i % 64) & 1) != 0;
}
/* The first set bit in from..to, or to; the last one, or LINES_OPEN. */
uint32_t bits_next(const uint64_t *b, uint32_t from, uint32_t to);
uint32_t bits_last(const uint64_t *b, uint32_t from, uint32_t to);
uint32_t bits_count(const uint64_t *b, uint32_t from, uint32_t to);
/* The k-th (from 0) set bit at or behind from: there is one. From the end: the k-th before to. */
uint32_t bits_select(const uint64_t *b, uint32_t from, uint32_t k);
uint32_t bits_select_back(const uint64_t *b, uint32_t to, uint32_t k);

/* --- The query: query.c --------------------------------------------------------------------------- */

struct entry {
	struct part *part; /* held */
	struct eval *eval; /* NULL: never evaluated */
	struct hits_so_far *hits;
	uint32_t from, to;
	bool open;      /* as far as known: to may grow */
	bool busy;      /* somebody evaluates it, and has hits meanwhile */
	int64_t due_ms; /* not evaluated again before */
	int64_t last_utc_ns;
};

/* An unpacked chunk that was looked at. */
struct view {
	struct part *part; /* held; NULL: free */
	struct plain *own, *held;
	const struct plain *plain; /* one of them */
	uint64_t used;             /* by which call, the last time */
};

enum { WORKERS = 2, VIEWS = 6 };

struct log_query {
	struct log_store *store;
	void (*grew)(void *arg);
	void *arg;

	pthread_mutex_t lock; /* before the store's */
	struct question *question;
	struct store_view seen;
	struct entry *entry; /* [first..n), as the store's parts */
	size_t first, n, cap;
	struct eval_counts sum;
	size_t n_stale;       /* entries not evaluated, or for another question */
	struct log_pos focus; /* what is looked at; chunk 0: the end */
	int wish;             /* direction that a seek waits for; 0 none */
	int64_t grew_ms;      /* when grew was called last */
	bool more;            /* there is something it was not called for */
	bool answered;        /* it was called when all of the question was evaluated */
	bool ending;

	struct store_watch watch;
	int kick; /* eventfd: work for the second thread, or a new question */
	struct cancel cancel;
	pthread_t worker[WORKERS];
	int working; /* how many of them are not waiting for work; under lock */

	/* Of the UI thread, with lock held all the same */
	struct room room;
	struct view view[64];
	uint64_t calls;
	char *text; /* of rows that came from excerpts */
	size_t text_cap;
};

/* All of these with lock held. */
void query_sync(struct log_query *q);
bool entry_current(const struct log_query *q, const struct entry *e);
/* An entry of that chunk, if it is where it is when nothing was filled: numbers of chunks grow by one then. Else
 * q->n, which says nothing. */
size_t query_guess(const struct log_query *q, uint64_t id);
/* The index of p's entry, q->n when it is no more. */
size_t query_index(const struct log_query *q, const struct part *p);
/* Evaluates entry i in this thread; lock is given back meanwhile. False when its result was not wanted any more. */
bool query_evaluate(struct log_query *q, size_t i, struct room *r);
struct question *question_hold(struct question *q);
/* Of its own: it does not become stale. */
struct question *question_copy(const struct question *q);
void question_drop(struct question *q);
void query_views_clear(struct log_query *q);

#endif
