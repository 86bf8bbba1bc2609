/* SPDX-License-Identifier: MIT */
/*
 * Merging: a queue for each source, one mouth.
 *
 * The next line to go out is the earliest head of the queues (by time, then by number of the source). Whether
 * it may go now depends only on the sources whose queue is empty, because what they deliver next is not known:
 *
 *	catching up	it waits for them, unless they are silent for longer than the patience
 *	live		it waits until it is LOG_MERGE_WINDOW_MS old, by the clock or since it came
 *	ended		it does not wait
 *
 * and for none of them when they have already delivered something later than it. So history flows as fast as
 * it is read, and only live lines are held for the length of the window.
 *
 * Lines are copied into blocks of a source, several hundred to a block, so that there is no allocation for a
 * line; blocks are used again. Lines go out in batches by whoever holds the mouth (`busy`): without the lock,
 * because the store may compress a chunk meanwhile, and adding must go on. A thread of the merge does it while
 * there are several sources. A single source does it itself, without a copy and without a change of threads,
 * as long as nothing waits.
 *
 * The bound: past LOG_MERGE_MAX_BYTES the heads go out although something is waited for. When the mouth cannot
 * keep up, who adds waits for it: the follower then stops reading, and the remote side is slowed down. Nothing
 * is dropped here.
 *
 * What it does not do: it knows nothing of hosts and their clocks (times are corrected before), and it does
 * not sort within a source: a source whose stamps go back is in its own order, which is the truth.
 */
#include "core/logs/merge.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#define BLOCK_LINES 256
#define BLOCK_TEXT ((size_t)40 << 10)
#define SPARE_BLOCKS 32
#define BATCH_LINES 1024
#define NS_PER_MS 1000000
#define WINDOW_NS ((int64_t)LOG_MERGE_WINDOW_MS * NS_PER_MS)
/* Behind an overflow so much may stay: one round of going out makes room for a while. */
#define LOW_WATER (LOG_MERGE_MAX_BYTES / 4 * 3)
/* A line from further in the future has a wrong time: not every line behind it is late. */
#define FUTURE_NS ((int64_t)60000 * NS_PER_MS)

struct entry {
	struct log_line line; /* text lies in the block */
	int64_t arrived_ms;
};

struct block {
	struct block *next;
	size_t n, taken;
	size_t used, size; /* of text */
	struct entry entry[BLOCK_LINES];
	char text[];
};

enum stream_state { STREAM_OFF, STREAM_CATCHING_UP, STREAM_LIVE };

struct stream {
	enum stream_state state;
	int64_t active_ms;    /* when it last gave a sign while it catches up */
	int64_t delivered_ns; /* time of its last line; INT64_MIN none */
	struct block *head, *tail;
};

struct log_merge {
	void (*out)(void *arg, const struct log_line *line, size_t n);
	void *out_arg;
	struct log_store *store; /* log_merge_new */
	void (*grew)(void *arg);
	void *grew_arg;

	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t look;  /* for the thread: woken or stopping */
	pthread_cond_t idle;  /* busy became false, or there is room again */
	bool woken, stopping;
	bool busy; /* somebody gives lines out, without the lock */
	int64_t patience_ms;
	int n_stream; /* those behind it were never used */
	size_t waiting_bytes;
	size_t waiting;
	struct stream stream[LOG_SOURCES_MAX];
	struct block *spare;
	size_t n_spare;
	/* The latest time that went out, whose it was, and the latest of all other sources. */
	int64_t latest_ns, latest_other_ns;
	int latest_source;
	/* Of the one who is busy. */
	struct block *spent;
	struct log_line batch[BATCH_LINES];
};

/* --- Blocks ----------------------------------------------------------------------------------- */

static struct block *block_take(struct log_merge *m, size_t text)
{
	struct block *b = m->spare;

	if (b != NULL && text <= b->size) {
		m->spare = b->next;
		m->n_spare--;
	} else {
		size_t size = text > BLOCK_TEXT ? text : BLOCK_TEXT;

		b = mem_alloc(sizeof(*b) + size);
		b->size = size;
	}
	b->next = NULL;
	b->n = b->taken = b->used = 0;
	return b;
}

static void blocks_recycle(struct log_merge *m)
{
	while (m->spent != NULL) {
		struct block *b = m->spent;

		m->spent = b->next;
		if (m->n_spare == SPARE_BLOCKS || b->size != BLOCK_TEXT) {
			mem_free(b);
			continue;
		}
		b->next = m->spare;
		m->spare = b;
		m->n_spare++;
	}
}

static void blocks_free(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		mem_free(b);
		b = next;
	}
}

/* --- Queues ----------------------------------------------------------------------------------- */

static size_t entry_bytes(const struct log_line *l)
{
	return sizeof(struct entry) + l->text.n;
}

static void stream_push(struct log_merge *m, struct stream *s, const struct log_line *line,
			int64_t now_ms)
{
	struct block *b = s->tail;
	struct entry *to;

	if (b == NULL || b->n == BLOCK_LINES || b->size - b->used < line->text.n) {
		b = block_take(m, line->text.n);
		if (s->tail != NULL)
			s->tail->next = b;
		else
			s->head = b;
		s->tail = b;
	}
	to = &b->entry[b->n++];
	to->line = *line;
	to->arrived_ms = now_ms;
	if (line->text.n > 0)
		memcpy(b->text + b->used, line->text.p, line->text.n);
	to->line.text.p = b->text + b->used;
	b->used += line->text.n;
	s->delivered_ns = line->utc_ns;
	m->waiting++;
	m->waiting_bytes += entry_bytes(line);
}

/* The first entry that waits, or NULL. Blocks that are used up go to the spent ones. */
static struct entry *stream_head(struct log_merge *m, struct stream *s)
{
	while (s->head != NULL && s->head->taken == s->head->n && s->head->next != NULL) {
		struct block *b = s->head;

		s->head = b->next;
		b->next = m->spent;
		m->spent = b;
	}
	return s->head != NULL && s->head->taken < s->head->n ? &s->head->entry[s->head->taken]
							      : NULL;
}

/* --- Going out -------------------------------------------------------------------------------- */

/* What stands in the way of lines of one source, as others are at this moment. */
struct bounds {
	int64_t others_ns; /* the next head of the others: lines behind it are not the next */
	bool others_first; /* at the same time the other one is first */
	int64_t waited_ns; /* later ones wait for a source that catches up … */
	int64_t waited_ms; /* … until then, when it stays silent; INT64_MAX: for ever */
	int64_t live_ns;   /* later ones wait for the window */
};

struct now {
	int64_t ms; /* CLOCK_MONOTONIC */
	int64_t utc_ns;
};

static struct now now_get(void)
{
	return (struct now){ .ms = clock_mono_ms(), .utc_ns = clock_utc_ms() * NS_PER_MS };
}

static int next_source(struct log_merge *m)
{
	int64_t first_ns = 0;
	int first = -1;

	for (int i = 0; i < m->n_stream; i++) {
		const struct entry *head = stream_head(m, &m->stream[i]);

		if (head == NULL || (first >= 0 && head->line.utc_ns >= first_ns))
			continue;
		first = i;
		first_ns = head->line.utc_ns;
	}
	return first;
}

static int64_t later(int64_t ms, int64_t by_ms)
{
	return by_ms > INT64_MAX - ms ? INT64_MAX : ms + by_ms;
}

static void bounds_of(struct log_merge *m, int source, const struct now *now, struct bounds *b)
{
	*b = (struct bounds){ .others_ns = INT64_MAX,
			      .waited_ns = INT64_MAX,
			      .waited_ms = INT64_MAX,
			      .live_ns = INT64_MAX };
	for (int i = 0; i < m->n_stream; i++) {
		struct stream *s = &m->stream[i];
		const struct entry *head;

		if (i == source)
			continue;
		head = stream_head(m, s);
		if (head != NULL) {
			if (head->line.utc_ns < b->others_ns) {
				b->others_ns = head->line.utc_ns;
				b->others_first = i < source;
			}
		} else if (s->state == STREAM_LIVE) {
			if (s->delivered_ns < b->live_ns)
				b->live_ns = s->delivered_ns;
		} else if (s->state == STREAM_CATCHING_UP) {
			int64_t until = later(s->active_ms, m->patience_ms);

			if (until <= now->ms)
				continue;
			if (s->delivered_ns < b->waited_ns)
				b->waited_ns = s->delivered_ns;
			if (until < b->waited_ms)
				b->waited_ms = until;
		}
	}
}

/* Whether the entry may go now; when not, *again_ms becomes the time to look again, if that is earlier. */
static bool may_go(const struct bounds *b, const struct entry *en, const struct now *now,
		   int64_t *again_ms)
{
	int64_t t = en->line.utc_ns, by_age, by_clock;

	if (t > b->waited_ns) {
		if (b->waited_ms < *again_ms)
			*again_ms = b->waited_ms;
		return false;
	}
	if (t <= b->live_ns || t <= now->utc_ns - WINDOW_NS)
		return true;
	by_age = en->arrived_ms + LOG_MERGE_WINDOW_MS;
	if (by_age <= now->ms)
		return true;
	by_clock = now->ms + (t - (now->utc_ns - WINDOW_NS)) / NS_PER_MS + 1;
	if (by_clock < by_age)
		by_age = by_clock;
	if (by_age < *again_ms)
		*again_ms = by_age;
	return false;
}

static bool is_late(const struct log_merge *m, const struct log_line *l)
{
	return l->utc_ns < (l->source == m->latest_source ? m->latest_other_ns : m->latest_ns);
}

static void note_latest(struct log_merge *m, const struct log_line *l, const struct now *now)
{
	if (l->utc_ns > now->utc_ns + FUTURE_NS)
		return;
	if (l->source == m->latest_source) {
		if (l->utc_ns > m->latest_ns)
			m->latest_ns = l->utc_ns;
	} else if (l->utc_ns > m->latest_ns) {
		m->latest_other_ns = m->latest_ns;
		m->latest_ns = l->utc_ns;
		m->latest_source = l->source;
	} else if (l->utc_ns > m->latest_other_ns) {
		m->latest_other_ns = l->utc_ns;
	}
}

static void take_head(struct log_merge *m, struct stream *s, const struct now *now,
		      struct log_line *out)
{
	*out = s->head->entry[s->head->taken++].line;
	out->late = is_late(m, out);
	note_latest(m, out, now);
	m->waiting--;
	m->waiting_bytes -= entry_bytes(out);
}

/* Fills the batch with what may go now; all: with what is there. Returns how many lines. */
static size_t gather(struct log_merge *m, bool all, int64_t *again_ms)
{
	bool over = m->waiting_bytes > LOG_MERGE_MAX_BYTES && m->patience_ms != WAIT_FOREVER;
	struct now now = now_get();
	size_t n = 0;
	int source;

	*again_ms = INT64_MAX;
	while (n < BATCH_LINES && m->waiting > 0 && (source = next_source(m)) >= 0) {
		struct stream *s = &m->stream[source];
		struct entry *en = stream_head(m, s);
		size_t before = n;
		struct bounds b;

		bounds_of(m, source, &now, &b);
		/* A run of one source, without asking the others again. */
		while (n < BATCH_LINES && en != NULL &&
		       (n == before || en->line.utc_ns < b.others_ns ||
			(en->line.utc_ns == b.others_ns && !b.others_first))) {
			over = over && m->waiting_bytes > LOW_WATER;
			if (!all && !over && !may_go(&b, en, &now, again_ms))
				return n;
			take_head(m, s, &now, &m->batch[n++]);
			en = stream_head(m, s);
		}
	}
	return n;
}

static void give_out(struct log_merge *m, const struct log_line *line, size_t n)
{
	if (m->out != NULL) {
		m->out(m->out_arg, line, n);
		return;
	}
	log_store_add(m->store, line, n);
	if (m->grew != NULL)
		m->grew(m->grew_arg);
}

/* With the lock held, and given away meanwhile. Returns when to look again. */
static int64_t drain(struct log_merge *m, bool all)
{
	int64_t again_ms;
	size_t n;

	while (m->busy)
		pthread_cond_wait(&m->idle, &m->lock);
	m->busy = true;
	while ((n = gather(m, all, &again_ms)) > 0) {
		pthread_mutex_unlock(&m->lock);
		give_out(m, m->batch, n);
		pthread_mutex_lock(&m->lock);
		blocks_recycle(m);
		pthread_cond_broadcast(&m->idle);
	}
	m->busy = false;
	pthread_cond_broadcast(&m->idle);
	return again_ms;
}

/* Something changed: the thread looks again. Where there is none, it is done at once; lines that wait for the
 * window then go out with the next ones. */
static void wake(struct log_merge *m)
{
	if (!m->has_thread) {
		if (!m->busy)
			drain(m, false);
	} else if (!m->woken) {
		m->woken = true;
		pthread_cond_signal(&m->look);
	}
}

static void wait_until(struct log_merge *m, int64_t until_ms)
{
	struct timespec at = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * NS_PER_MS };

	while (!m->woken && !m->stopping)
		if (until_ms == INT64_MAX)
			pthread_cond_wait(&m->look, &m->lock);
		else if (pthread_cond_timedwait(&m->look, &m->lock, &at) == ETIMEDOUT)
			return;
}

static void *merge_thread(void *arg)
{
	struct log_merge *m = arg;
	int64_t again_ms = INT64_MAX;

	pthread_mutex_lock(&m->lock);
	while (!m->stopping) {
		wait_until(m, again_ms);
		m->woken = false;
		again_ms = drain(m, false);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* --- For the sources -------------------------------------------------------------------------- */

static void set_state(struct log_merge *m, int source, enum stream_state state)
{
	struct stream *s = &m->stream[source];

	pthread_mutex_lock(&m->lock);
	s->state = state;
	s->active_ms = clock_mono_ms();
	if (source >= m->n_stream)
		m->n_stream = source + 1;
	/* It may have been waited for. */
	if (m->waiting > 0)
		wake(m);
	pthread_mutex_unlock(&m->lock);
}

void log_merge_catching_up(struct log_merge *m, int source)
{
	set_state(m, source, STREAM_CATCHING_UP);
}

void log_merge_live(struct log_merge *m, int source)
{
	set_state(m, source, STREAM_LIVE);
}

void log_merge_ended(struct log_merge *m, int source)
{
	set_state(m, source, STREAM_OFF);
}

void log_merge_patience(struct log_merge *m, int64_t ms)
{
	pthread_mutex_lock(&m->lock);
	m->patience_ms = ms;
	wake(m);
	pthread_cond_broadcast(&m->idle);
	pthread_mutex_unlock(&m->lock);
}

/* Whether the lines need no queue: nobody else is there, nothing waits, and none has to be marked. */
static bool may_pass(const struct log_merge *m, int source, const struct log_line *line, size_t n)
{
	if (m->waiting > 0 || m->busy)
		return false;
	for (int i = 0; i < m->n_stream; i++)
		if (i != source && m->stream[i].state != STREAM_OFF)
			return false;
	for (size_t i = 0; i < n; i++)
		if (is_late(m, &line[i]))
			return false;
	return true;
}

static void pass(struct log_merge *m, int source, const struct log_line *line, size_t n)
{
	struct now now = now_get();

	for (size_t i = 0; i < n; i++)
		note_latest(m, &line[i], &now);
	m->stream[source].delivered_ns = line[n - 1].utc_ns;
	m->stream[source].active_ms = now.ms;
	m->busy = true;
	pthread_mutex_unlock(&m->lock);
	give_out(m, line, n);
	pthread_mutex_lock(&m->lock);
	m->busy = false;
	/* Another source may have come meanwhile, and found us busy. */
	if (m->waiting > 0)
		wake(m);
	pthread_cond_broadcast(&m->idle);
}

/* Until there is room: for the one who gives out, or, with all patience, for those who are waited for. */
static void wait_for_room(struct log_merge *m, int source)
{
	while (m->waiting_bytes > LOG_MERGE_MAX_BYTES &&
	       (m->busy ||
		(m->patience_ms == WAIT_FOREVER && stream_head(m, &m->stream[source]) != NULL)))
		pthread_cond_wait(&m->idle, &m->lock);
}

void log_merge_add(struct log_merge *m, int source, const struct log_line *line, size_t n)
{
	struct stream *s = &m->stream[source];
	int64_t now_ms;

	if (n == 0)
		return;
	pthread_mutex_lock(&m->lock);
	if (source >= m->n_stream)
		m->n_stream = source + 1;
	if (may_pass(m, source, line, n)) {
		pass(m, source, line, n);
		pthread_mutex_unlock(&m->lock);
		return;
	}
	wait_for_room(m, source);
	now_ms = clock_mono_ms();
	for (size_t i = 0; i < n; i++)
		stream_push(m, s, &line[i], now_ms);
	s->active_ms = now_ms;
	wake(m);
	pthread_mutex_unlock(&m->lock);
}

void log_merge_flush(struct log_merge *m)
{
	pthread_mutex_lock(&m->lock);
	drain(m, true);
	pthread_mutex_unlock(&m->lock);
}

/* Nothing has been given out yet. */
static void forget_times(struct log_merge *m)
{
	m->latest_ns = m->latest_other_ns = INT64_MIN;
	m->latest_source = -1;
	for (int i = 0; i < LOG_SOURCES_MAX; i++)
		m->stream[i].delivered_ns = INT64_MIN;
}

void log_merge_restart(struct log_merge *m)
{
	pthread_mutex_lock(&m->lock);
	drain(m, true);
	forget_times(m);
	pthread_mutex_unlock(&m->lock);
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct log_merge *merge_new(void)
{
	struct log_merge *m = mem_calloc(1, sizeof(*m));
	pthread_condattr_t attr;

	m->patience_ms = LOG_MERGE_CATCH_UP_MS;
	forget_times(m);
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->look, &attr);
	pthread_cond_init(&m->idle, &attr);
	pthread_condattr_destroy(&attr);
	return m;
}

/* Signals are for the threads of whoever started us. */
static void start_thread(struct log_merge *m)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	m->has_thread = pthread_create(&m->thread, NULL, merge_thread, m) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct log_merge *log_merge_new(struct log_store *s, void (*grew)(void *arg), void *arg)
{
	struct log_merge *m = merge_new();

	m->store = s;
	m->grew = grew;
	m->grew_arg = arg;
	start_thread(m);
	return m;
}

struct log_merge *log_merge_new_to(void (*out)(void *arg, const struct log_line *line, size_t n),
				   void *arg)
{
	struct log_merge *m = merge_new();

	m->out = out;
	m->out_arg = arg;
	start_thread(m);
	return m;
}

void log_merge_free(struct log_merge *m)
{
	if (m == NULL)
		return;
	log_merge_flush(m);
	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	pthread_cond_signal(&m->look);
	pthread_mutex_unlock(&m->lock);
	if (m->has_thread)
		pthread_join(m->thread, NULL);
	for (int i = 0; i < LOG_SOURCES_MAX; i++)
		blocks_free(m->stream[i].head);
	blocks_recycle(m);
	blocks_free(m->spare);
	pthread_cond_destroy(&m->look);
	pthread_cond_destroy(&m->idle);
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}
