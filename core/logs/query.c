/* SPDX-License-Identifier: MIT */
/*
 * A query: what of a store is shown, kept up to date by two threads.
 *
 * It has an entry for each part of the store, in the same order, and for each entry an evaluation: bits that say
 * which lines are shown, are rows, match (query_eval.c). Everything the UI asks (query_rows.c) is answered from these
 * bits and from sums over entries; only texts of rows that are drawn need a chunk unpacked.
 *
 * A question (filter, search) never changes. A new one takes the place of the old, all evaluations are stale then, and
 * the threads work from the place that is looked at outwards. What one changed keeps the other: a new search does
 * not run the filter's patterns again, nor the other way round. A stale evaluation is not shown: rows that do
 * not belong are worse than rows that come some milliseconds later.
 *
 * The first thread listens to the store. It evaluates the part that is added to at most every TICK_MS, so that a
 * flood of lines costs what searching them costs and little more. The second one helps when there is more to do
 * than one entry. Both are in the background: where processors are short, a key is answered before they have all.
 * The UI evaluates an entry itself when it needs it at once, for BUDGET_US a call and one entry more at most, and
 * never waits for a thread that is at the same: that may have lost its processor. So little logs are answered at
 * the first call, and large ones never block.
 *
 * One lock, held for looks at bits and numbers only; work is done outside, by who set busy in the entry. Sums over
 * entries are taken by walking over them: ten thousand entries, five gigabytes of log, are some twenty
 * microseconds, which no tree would be worth.
 */
#include "core/logs/query_inside.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/thread.h"

#define TICK_MS 40
#define GREW_MS 50

/* --- Questions ----------------------------------------------------------------------------------- */

static struct shared_pattern *pattern_hold(struct shared_pattern *p)
{
	if (p != NULL)
		atomic_fetch_add(&p->refs, 1);
	return p;
}

static void pattern_drop(struct shared_pattern *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	log_pattern_free(p->p);
	mem_free(p);
}

static struct shared_pattern *pattern_new(const char *text, struct err *e)
{
	struct shared_pattern *p = mem_calloc(1, sizeof(*p));

	atomic_init(&p->refs, 1);
	if (log_pattern_new(text, &p->p, e) != 0) {
		mem_free(p);
		return NULL;
	}
	return p;
}

struct question *question_hold(struct question *q)
{
	atomic_fetch_add(&q->refs, 1);
	return q;
}

void question_drop(struct question *q)
{
	if (q == NULL || atomic_fetch_sub(&q->refs, 1) != 1)
		return;
	for (size_t i = 0; i < q->n_in; i++)
		pattern_drop(q->in[i]);
	for (size_t i = 0; i < q->n_out; i++)
		pattern_drop(q->out[i]);
	pattern_drop(q->find);
	mem_free(q);
}

static struct question *question_new(void)
{
	struct question *q = mem_calloc(1, sizeof(*q));

	atomic_init(&q->refs, 1);
	return q;
}

struct question *question_copy(const struct question *q)
{
	struct question *copy = question_new();

	copy->filter_gen = q->filter_gen;
	copy->find_gen = q->find_gen;
	copy->level = q->level;
	copy->hidden_sources = q->hidden_sources;
	copy->fold = q->fold;
	copy->n_in = q->n_in;
	copy->n_out = q->n_out;
	for (size_t i = 0; i < q->n_in; i++)
		copy->in[i] = pattern_hold(q->in[i]);
	for (size_t i = 0; i < q->n_out; i++)
		copy->out[i] = pattern_hold(q->out[i]);
	copy->find = pattern_hold(q->find);
	return copy;
}

/* --- Entries ------------------------------------------------------------------------------------- */

/* All of these are called with lock held. */

bool entry_current(const struct log_query *q, const struct entry *e)
{
	return e->eval != NULL && e->eval->filter_gen == q->question->filter_gen &&
	       e->eval->find_gen == q->question->find_gen;
}

/* Nothing of it is left to do, but for lines that are added just now. */
static bool entry_whole(const struct log_query *q, const struct entry *e)
{
	return entry_current(q, e) && (e->open || e->eval->to == e->to);
}

/* Counts e in or out; around every change of it. */
static void sum_add(struct log_query *q, const struct entry *e, int sign)
{
	const struct eval_counts *n;

	if (!entry_whole(q, e))
		q->n_stale += (size_t)sign;
	if (!entry_current(q, e))
		return;
	n = &e->eval->n;
	q->sum.rows += sign * n->rows;
	q->sum.lines += sign * n->lines;
	q->sum.hidden += sign * n->hidden;
	q->sum.matches += sign * n->matches;
	q->sum.errors += sign * n->errors;
}

static void entry_clear(struct entry *e)
{
	eval_free(e->eval);
	hits_free(e->hits);
	part_drop(e->part);
}

/* Hits are kept for a part that grows; this one does not, and all of it is known. */
static void hits_done(struct entry *e)
{
	if (e->open || e->eval == NULL || e->eval->to < e->to)
		return;
	hits_free(e->hits);
	e->hits = NULL;
}

size_t query_guess(const struct log_query *q, uint64_t id)
{
	uint64_t first = q->n > q->first ? q->entry[q->first].part->id : 0;

	if (q->n == q->first || id < first || id - first >= q->n - q->first ||
	    q->entry[q->first + (id - first)].part->id != id)
		return q->n;
	return q->first + (size_t)(id - first);
}

size_t query_index(const struct log_query *q, const struct part *p)
{
	size_t guess = query_guess(q, p->id);

	if (guess < q->n && q->entry[guess].part == p)
		return guess;
	for (size_t i = q->first; i < q->n; i++)
		if (q->entry[i].part == p)
			return i;
	return q->n;
}

struct incoming {
	struct entry *entry;
	size_t n, cap;
};

static void collect(void *arg, struct part *p, uint32_t to)
{
	struct incoming *in = arg;

	mem_grow(&in->entry, &in->cap, in->n + 1, sizeof(*in->entry));
	in->entry[in->n++] = (struct entry){
		.part = part_hold(p),
		.from = p->from,
		.to = to,
		.open = p->to == LINES_OPEN,
		.last_utc_ns = p->stats.last_utc_ns,
	};
}

/* The last entry as it is now, or one more. */
static void take_one(struct log_query *q, struct entry *new)
{
	struct entry *e = q->n > q->first ? &q->entry[q->n - 1] : NULL;

	if (e != NULL && e->part == new->part) {
		sum_add(q, e, -1);
		e->to = new->to;
		e->open = new->open;
		e->last_utc_ns = new->last_utc_ns;
		hits_done(e);
		sum_add(q, e, 1);
		part_drop(new->part);
		return;
	}
	if (q->first > 64 && q->first > q->n / 2) {
		memmove(q->entry, q->entry + q->first, (q->n - q->first) * sizeof(*q->entry));
		q->n -= q->first;
		q->first = 0;
	}
	mem_grow(&q->entry, &q->cap, q->n + 1, sizeof(*q->entry));
	q->entry[q->n++] = *new;
	sum_add(q, new, 1);
}

static int by_part(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct entry *)a)->part;
	uintptr_t y = (uintptr_t)((const struct entry *)b)->part;

	return x < y ? -1 : x > y;
}

/* The list was told anew: entries of parts that stayed keep what they have. */
static void take_anew(struct log_query *q, struct incoming *in)
{
	struct entry *old = q->n > q->first ? q->entry + q->first : NULL;
	size_t n_old = q->n - q->first;

	memset(&q->sum, 0, sizeof(q->sum));
	q->n_stale = 0;
	if (n_old > 0)
		qsort(old, n_old, sizeof(*old), by_part);
	for (size_t i = 0; i < in->n; i++) {
		struct entry *e = &in->entry[i];
		struct entry *same = n_old > 0 ? bsearch(e, old, n_old, sizeof(*old), by_part)
					       : NULL;

		if (same != NULL) {
			e->eval = same->eval;
			e->hits = same->hits;
			e->busy = same->busy;
			e->due_ms = same->due_ms;
			same->eval = NULL;
			same->hits = NULL;
			hits_done(e);
		}
		sum_add(q, e, 1);
	}
	for (size_t i = 0; i < n_old; i++)
		entry_clear(&old[i]);
	mem_free(q->entry);
	q->entry = in->entry;
	q->first = 0;
	q->n = in->n;
	q->cap = in->cap;
}

void query_sync(struct log_query *q)
{
	struct incoming in = { 0 };
	bool anew;
	size_t dropped;

	if (!store_changes(q->store, &q->seen, &anew, &dropped, collect, &in))
		return;
	/* Also when only a source changed, and whoever looks first: a connection that is lost brings no line. */
	q->more = true;
	if (anew) {
		take_anew(q, &in);
		return;
	}
	for (; dropped > 0; dropped--) {
		sum_add(q, &q->entry[q->first], -1);
		entry_clear(&q->entry[q->first++]);
	}
	for (size_t i = 0; i < in.n; i++)
		take_one(q, &in.entry[i]);
	mem_free(in.entry);
}

/* --- Evaluating ---------------------------------------------------------------------------------- */

static bool wants_work(const struct log_query *q, const struct entry *e, int64_t now_ms)
{
	if (e->busy)
		return false;
	if (!entry_current(q, e))
		return true;
	return e->eval->to < e->to && (!e->open || e->due_ms <= now_ms);
}

/* What an evaluation starts from: a copy, since the entry may get another one meanwhile. */
static struct eval *known_of(const struct entry *e)
{
	struct eval *copy;
	size_t words;

	if (e->eval == NULL || e->eval->to != e->to)
		return NULL;
	words = ((size_t)e->to + 63) / 64;
	copy = mem_alloc(sizeof(*copy) + 2 * words * sizeof(uint64_t));
	*copy = *e->eval;
	copy->excerpt = NULL;
	copy->shown = memcpy(copy + 1, e->eval->shown, words * sizeof(uint64_t));
	if (e->eval->match != NULL)
		copy->match = memcpy((uint64_t *)(copy + 1) + words, e->eval->match,
				     words * sizeof(uint64_t));
	return copy;
}

/* Takes what was found, unless somebody else was faster and knows more lines. */
static void put_eval(struct log_query *q, struct entry *e, struct eval *v, struct hits_so_far *hits,
		     bool mine)
{
	bool older = entry_current(q, e) && e->eval->to > v->to;

	sum_add(q, e, -1);
	if (mine) {
		hits_free(e->hits);
		e->hits = hits;
	} else {
		hits_free(hits);
	}
	if (older) {
		eval_free(v);
	} else {
		eval_free(e->eval);
		e->eval = v;
	}
	hits_done(e);
	sum_add(q, e, 1);
	e->due_ms = clock_mono_ms() + TICK_MS;
	q->more = true;
}

bool query_evaluate(struct log_query *q, size_t i, struct room *r)
{
	struct entry *e = &q->entry[i];
	struct question *question = question_hold(q->question);
	struct part *p = part_hold(e->part);
	struct eval *before = known_of(e), *v;
	struct hits_so_far *hits = e->hits;
	uint32_t from = e->from, to = e->to;
	/* Who is not in a position to wait for the one at work does the same from the start. */
	bool mine = !e->busy, open = e->open && mine, wanted = false;

	e->hits = NULL;
	e->busy = true;
	pthread_mutex_unlock(&q->lock);
	v = eval_part(q->store, p, from, to, question, before, &hits, open, r);
	eval_free(before);
	pthread_mutex_lock(&q->lock);
	i = query_index(q, p);
	if (i < q->n) {
		e = &q->entry[i];
		e->busy = e->busy && !mine;
		wanted = v != NULL && question == q->question;
		if (wanted) {
			put_eval(q, e, v, hits, mine);
			hits = NULL;
			v = NULL;
		}
	}
	eval_free(v);
	hits_free(hits);
	question_drop(question);
	part_drop(p);
	return wanted;
}

/* The index of the place that is looked at; the last one when that is unknown. */
static size_t focus_index(const struct log_query *q)
{
	size_t guess;

	if (q->n == q->first)
		return q->n;
	if (q->focus.chunk == 0)
		return q->n - 1;
	guess = query_guess(q, q->focus.chunk);
	if (guess < q->n)
		return guess;
	for (size_t i = q->first; i < q->n; i++)
		if (q->entry[i].part->id == q->focus.chunk && q->entry[i].to > q->focus.line)
			return i;
	return q->focus.chunk < q->entry[q->first].part->id ? q->first : q->n - 1;
}

/* The nearest entry to what is looked at that wants work; what a seek waits for comes before the other side. */
static size_t next_work(struct log_query *q, int64_t now_ms)
{
	size_t at = focus_index(q), n = q->n - q->first;
	size_t up = at, down = at; /* [up..down] was seen */

	if (n == 0)
		return q->n;
	if (wants_work(q, &q->entry[at], now_ms))
		return at;
	if (q->n_stale == 0)
		return wants_work(q, &q->entry[q->n - 1], now_ms) ? q->n - 1 : q->n;
	if (q->wish > 0)
		while (++down < q->n)
			if (wants_work(q, &q->entry[down], now_ms))
				return down;
	if (q->wish < 0)
		while (up-- > q->first)
			if (wants_work(q, &q->entry[up], now_ms))
				return up;
	for (up = down = at; up > q->first || down + 1 < q->n;) {
		if (down + 1 < q->n && wants_work(q, &q->entry[++down], now_ms))
			return down;
		if (up > q->first && wants_work(q, &q->entry[--up], now_ms))
			return up;
	}
	return q->n;
}

/* --- The threads --------------------------------------------------------------------------------- */

static void kick(struct log_query *q)
{
	const uint64_t one = 1;
	ssize_t n = write(q->kick, &one, sizeof(one));

	(void)n; /* full is readable too */
}

/* Calls grew when it is due; when else it will be. lock is held, and given back for the call. */
static int64_t tell(struct log_query *q, int64_t now_ms)
{
	if (!q->more || q->grew == NULL)
		return WAIT_FOREVER;
	/* Whoever asked waits for the whole answer, and gets it at once; what comes later has time. */
	if (now_ms < q->grew_ms + GREW_MS && (q->answered || q->n_stale > 0))
		return q->grew_ms + GREW_MS;
	q->answered |= q->n_stale == 0;
	q->grew_ms = now_ms;
	q->more = false;
	pthread_mutex_unlock(&q->lock);
	q->grew(q->arg);
	pthread_mutex_lock(&q->lock);
	return WAIT_FOREVER;
}

/* When a part that is added to may be evaluated again. */
static int64_t next_due(const struct log_query *q)
{
	const struct entry *e = q->n > q->first ? &q->entry[q->n - 1] : NULL;

	if (e == NULL || e->busy || e->eval == NULL || e->eval->to >= e->to)
		return WAIT_FOREVER;
	return e->due_ms;
}

/* Works until there is nothing to do; until when. */
static int64_t work(struct log_query *q, struct room *r, bool first)
{
	int64_t told = WAIT_FOREVER, due;

	pthread_mutex_lock(&q->lock);
	q->working++;
	while (!q->ending) {
		size_t i;

		if (first)
			query_sync(q);
		i = next_work(q, clock_mono_ms());
		if (i == q->n)
			break;
		/* One wake-up is taken by one of them, whichever is quicker. */
		if (q->working == 1 && q->n_stale > 1)
			kick(q);
		query_evaluate(q, i, r);
		tell(q, clock_mono_ms());
	}
	if (!q->ending)
		told = tell(q, clock_mono_ms());
	due = first ? next_due(q) : WAIT_FOREVER;
	q->working--;
	pthread_mutex_unlock(&q->lock);
	return told < due ? told : due;
}

static void drain(int fd)
{
	uint64_t n;
	ssize_t got = read(fd, &n, sizeof(n));

	(void)got;
}

static void *run_worker(struct log_query *q, bool first)
{
	struct room r;
	struct err e;
	int64_t until = 0;

	thread_background();
	room_init(&r);
	while (!cancel_fired(&q->cancel)) {
		struct pollfd fd[2] = { { .fd = q->kick, .events = POLLIN },
					{ .fd = q->watch.fd, .events = POLLIN } };
		int n = wait_fds(fd, first ? 2 : 1, until, &q->cancel, &e);

		if (n < 0)
			break;
		if (first && fd[1].revents != 0)
			drain(fd[1].fd);
		if (fd[0].revents != 0)
			drain(fd[0].fd);
		/* Armed before looking: what comes during the look wakes again. */
		if (first)
			atomic_store(&q->watch.armed, true);
		until = work(q, &r, first);
	}
	room_clear(&r);
	return NULL;
}

static void *first_worker(void *arg)
{
	return run_worker(arg, true);
}

static void *second_worker(void *arg)
{
	return run_worker(arg, false);
}

/* --- Making and asking --------------------------------------------------------------------------- */

struct log_query *log_query_new(struct log_store *s, void (*grew)(void *arg), void *arg)
{
	struct log_query *q = mem_calloc(1, sizeof(*q));
	struct err e;

	q->store = s;
	q->grew = grew;
	q->arg = arg;
	q->question = question_new();
	pthread_mutex_init(&q->lock, NULL);
	room_init(&q->room);
	q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->watch.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->kick < 0 || q->watch.fd < 0 || cancel_init(&q->cancel, &e) != 0)
		mem_oom(); /* no descriptors left: as bad, and as rare */
	atomic_store(&q->watch.armed, true);
	store_watch_add(s, &q->watch);
	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&q->worker[i], NULL, i == 0 ? first_worker : second_worker, q) !=
		    0)
			mem_oom();
	return q;
}

void log_query_free(struct log_query *q)
{
	if (q == NULL)
		return;
	pthread_mutex_lock(&q->lock);
	q->ending = true;
	atomic_store(&q->question->stale, true);
	pthread_mutex_unlock(&q->lock);
	cancel_fire(&q->cancel);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(q->worker[i], NULL);
	store_watch_remove(q->store, &q->watch);
	query_views_clear(q);
	for (size_t i = q->first; i < q->n; i++)
		entry_clear(&q->entry[i]);
	mem_free(q->entry);
	question_drop(q->question);
	room_clear(&q->room);
	mem_free(q->text);
	close(q->kick);
	close(q->watch.fd);
	cancel_clear(&q->cancel);
	pthread_mutex_destroy(&q->lock);
	mem_free(q);
}

/* next takes the place of the question there is. */
static void ask(struct log_query *q, struct question *next)
{
	struct question *old;

	pthread_mutex_lock(&q->lock);
	old = q->question;
	atomic_store(&old->stale, true);
	q->question = next;
	memset(&q->sum, 0, sizeof(q->sum));
	q->n_stale = q->n - q->first;
	q->wish = 0;
	q->answered = false;
	q->grew_ms = 0; /* the first answers are told at once */
	pthread_mutex_unlock(&q->lock);
	question_drop(old);
	kick(q);
}

int log_query_filter(struct log_query *q, const struct log_filter *f, struct err *e)
{
	struct question *next = question_new();

	for (size_t i = 0; i < f->n && i < LOG_FILTERS_MAX; i++) {
		struct shared_pattern *p = pattern_new(f->pattern[i].text, e);

		if (p == NULL) {
			question_drop(next);
			return -1;
		}
		if (f->pattern[i].out)
			next->out[next->n_out++] = p;
		else
			next->in[next->n_in++] = p;
	}
	next->level = f->level;
	next->hidden_sources = f->hidden_sources;
	next->fold = f->fold;
	/* Only this thread changes the question. */
	next->filter_gen = q->question->filter_gen + 1;
	next->find_gen = q->question->find_gen;
	next->find = pattern_hold(q->question->find);
	ask(q, next);
	return 0;
}

int log_query_find(struct log_query *q, const char *pattern, struct err *e)
{
	struct shared_pattern *find = NULL;
	struct question *next;

	if (pattern != NULL && pattern[0] != '\0' && (find = pattern_new(pattern, e)) == NULL)
		return -1;
	next = question_copy(q->question);
	pattern_drop(next->find);
	next->find = find;
	next->find_gen++;
	ask(q, next);
	return 0;
}

void log_query_totals(struct log_query *q, struct log_totals *out)
{
	pthread_mutex_lock(&q->lock);
	query_sync(q);
	*out = (struct log_totals){
		.complete = q->n_stale == 0,
		.rows = q->sum.rows,
		.lines = q->sum.lines,
		.hidden = q->sum.hidden,
		.matches = q->sum.matches,
		.errors = q->sum.errors,
	};
	pthread_mutex_unlock(&q->lock);
}
