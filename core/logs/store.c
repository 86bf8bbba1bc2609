/* SPDX-License-Identifier: MIT */
/*
 * The store: what it holds, and who may touch it when.
 *
 * Three locks, in this order. add_lock is held by whoever puts lines in, for as long as that takes; so the lines
 * of one call stay together, and the tables of the open chunk have one writer. out_lock is held by who takes
 * parts out until they are also counted out. lock guards the list and the numbers and is held for a look: new
 * lines are written beyond the published number without it, then published by setting that number. A reader who
 * holds a chunk reads published lines with no lock at all, since plain tables do not move and packed ones do not
 * change.
 *
 * Full chunks queue for a thread that packs them, which takes more of a processor than all else that is done to a
 * line. So it lets a burst pass, and reading has the processors: it packs when no chunk came for QUIET_MS, or those
 * that wait take more than LAG_PART of the memory, LAG_MAX at most. They are searched as they are meanwhile. When
 * they take WAITING_MAX more, whoever adds packs one himself: an intake that is faster than one core's compression takes
 * a second core, memory stays bounded, and nothing blocks or is dropped. Compression contexts and plain tables are
 * used again.
 *
 * Counts. lines, text_bytes and levels are of lines of kind LOG_LINE; a continuation line counts as a line but in
 * no level, so that a trace of forty lines is one error. It has the level of its record all the same, which is
 * what a threshold and a colour need, also where the record lies in an older chunk. text_bytes has the newlines.
 */
#include "core/logs/store_inside.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#define WAITING_MAX (6 * LOG_CHUNK_BYTES)
#define LAG_PART 16
#define LAG_MAX ((size_t)64 << 20)
#define QUIET_MS 100
#define TEXT_MAX ((size_t)16 << 20) /* of one line; runtimes give 1 MiB at most */

/* --- Parts and chunks ---------------------------------------------------------------------------- */

struct chunk *chunk_hold(struct chunk *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void chunk_drop(struct chunk *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->plain != NULL && plain_drop(c->plain))
		plain_free(c->plain);
	mem_free(c->packed);
	mem_free(c);
}

struct part *part_hold(struct part *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void part_drop(struct part *p)
{
	if (atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	chunk_drop(p->chunk);
	mem_free(p);
}

void chunk_set_bytes(struct log_store *s, struct chunk *c, size_t bytes)
{
	s->chunk_bytes += (int64_t)bytes - (int64_t)c->bytes;
	c->bytes = bytes;
}

static struct plain *spare_plain(struct log_store *s, size_t text_room)
{
	struct plain *p = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0;
	     i < sizeof(s->spare) / sizeof(s->spare[0]) && text_room <= LOG_CHUNK_BYTES; i++)
		if (s->spare[i] != NULL && p == NULL) {
			p = s->spare[i];
			s->spare[i] = NULL;
		}
	pthread_mutex_unlock(&s->lock);
	if (p == NULL)
		return plain_new(text_room > LOG_CHUNK_BYTES ? text_room : LOG_CHUNK_BYTES,
				 text_room > LOG_CHUNK_BYTES ? 1 : CHUNK_LINES_MAX);
	atomic_store(&p->refs, 1);
	return p;
}

void store_plain_back(struct log_store *s, struct plain *p)
{
	if (p == NULL || !plain_drop(p))
		return;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < sizeof(s->spare) / sizeof(s->spare[0]) && p != NULL; i++)
		if (s->spare[i] == NULL && p->text_room == LOG_CHUNK_BYTES) {
			s->spare[i] = p;
			p = NULL;
		}
	pthread_mutex_unlock(&s->lock);
	plain_free(p);
}

struct part *part_begin(struct log_store *s, size_t text_bytes)
{
	struct chunk *c = mem_calloc(1, sizeof(*c));
	struct part *p = mem_calloc(1, sizeof(*p));

	atomic_init(&c->refs, 1);
	atomic_init(&p->refs, 1);
	p->id = c->id = ++s->next_id;
	p->chunk = c;
	p->to = LINES_OPEN;
	c->open = true;
	c->parts = 1;
	c->plain = spare_plain(s, text_bytes + 1);
	return p;
}

const struct plain *chunk_read(struct log_store *s, struct chunk *c, unsigned want, struct zip *z,
			       struct plain *own, struct plain **held)
{
	struct packed *packed;

	pthread_mutex_lock(&s->lock);
	packed = c->packed;
	*held = c->plain != NULL ? plain_hold(c->plain) : NULL;
	pthread_mutex_unlock(&s->lock);
	if (*held != NULL)
		return *held;
	packed_read(packed, want, z, own);
	return own;
}

const struct packed *chunk_packed(struct log_store *s, struct chunk *c)
{
	const struct packed *packed;

	pthread_mutex_lock(&s->lock);
	packed = c->packed;
	pthread_mutex_unlock(&s->lock);
	return packed;
}

/* --- Watching ------------------------------------------------------------------------------------ */

void store_watch_add(struct log_store *s, struct store_watch *w)
{
	pthread_mutex_lock(&s->lock);
	w->next = s->watch;
	s->watch = w;
	pthread_mutex_unlock(&s->lock);
}

void store_watch_remove(struct log_store *s, struct store_watch *w)
{
	pthread_mutex_lock(&s->lock);
	for (struct store_watch **at = &s->watch; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&s->lock);
}

void store_wake(struct log_store *s)
{
	const uint64_t one = 1;

	s->version++;
	for (struct store_watch *w = s->watch; w != NULL; w = w->next)
		if (atomic_exchange(&w->armed, false)) {
			ssize_t n = write(w->fd, &one, sizeof(one));

			(void)n; /* a full eventfd is readable too */
		}
}

bool store_changes(struct log_store *s, struct store_view *v, bool *anew, size_t *dropped,
		   void (*add)(void *arg, struct part *p, uint32_t to), void *arg)
{
	size_t known, left;

	pthread_mutex_lock(&s->lock);
	if (v->version == s->version) {
		pthread_mutex_unlock(&s->lock);
		return false;
	}
	left = (size_t)(s->left_front - v->left_front);
	*anew = v->shuffled != s->shuffled || v->version == 0;
	*dropped = left < v->n ? left : v->n;
	known = *anew ? 0 : v->n - *dropped;
	for (size_t i = s->first + (known > 0 ? known - 1 : 0); i < s->n; i++) {
		struct part *p = s->part[i];

		add(arg, p, p->to == LINES_OPEN ? p->chunk->lines : p->to);
	}
	v->version = s->version;
	v->left_front = s->left_front;
	v->shuffled = s->shuffled;
	v->n = s->n - s->first;
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* --- Counting ------------------------------------------------------------------------------------ */

static void widen(int64_t *first, int64_t *last, int64_t from, int64_t to)
{
	if (from != 0 && (*first == 0 || from < *first))
		*first = from;
	if (to != 0 && (*last == 0 || to > *last))
		*last = to;
}

void stats_line(struct part_stats *st, const struct log_line *l)
{
	widen(&st->first_utc_ns, &st->last_utc_ns, l->utc_ns, l->utc_ns);
	st->gaps += l->kind == LOG_GAP;
	if (l->kind != LOG_LINE)
		return;
	st->lines++;
	st->text_bytes += (int64_t)l->text.n + 1;
	if (!l->continues)
		st->level[l->level]++;
}

void stats_add(struct part_stats *st, const struct part_stats *more, int sign)
{
	st->lines += sign * more->lines;
	st->text_bytes += sign * more->text_bytes;
	st->gaps += sign * more->gaps;
	for (int i = 0; i < LOG_LEVELS; i++)
		st->level[i] += sign * more->level[i];
	if (sign > 0)
		widen(&st->first_utc_ns, &st->last_utc_ns, more->first_utc_ns, more->last_utc_ns);
}

static int64_t second_of(int64_t utc_ns)
{
	return utc_ns >= 0 ? utc_ns / 1000000000 : -((999999999 - utc_ns) / 1000000000);
}

/* Lines of one second to the rates of their sources. */
static void tally_rates(struct log_store *s, struct tally *t)
{
	int64_t utc_ms, mono_ms;

	if (t->came_of == 0)
		return;
	utc_ms = clock_utc_ms();
	mono_ms = clock_mono_ms();
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_source; i++)
		if ((t->came_of >> i & 1) != 0)
			log_rate_came(&s->source[i].rate, t->came_second, t->came[i], utc_ms,
				      mono_ms);
	pthread_mutex_unlock(&s->lock);
	t->came_of = 0;
}

static void tally_rate(struct log_store *s, struct tally *t, uint16_t source, int64_t second)
{
	if (t->came_second != second) {
		tally_rates(s, t);
		t->came_second = second;
	}
	if ((t->came_of >> source & 1) == 0) {
		t->came_of |= (uint64_t)1 << source;
		t->came[source] = 0;
	}
	t->came[source]++;
}

static void give_times(struct log_store *s, struct tally *t)
{
	if (t->second != 0)
		times_add(&s->times, t->second, t->in_second);
	t->second = 0;
	memset(t->in_second, 0, sizeof(t->in_second));
}

void tally_seconds(struct log_store *s, struct tally *t)
{
	give_times(s, t);
	tally_rates(s, t);
}

static void tally_line(struct log_store *s, struct tally *t, const struct log_line *l)
{
	uint16_t i = l->source;
	int64_t second;

	if ((t->touched >> i & 1) == 0) {
		t->touched |= (uint64_t)1 << i;
		t->lines[i] = t->bytes[i] = t->gaps[i] = t->last_utc_ns[i] = 0;
	}
	stats_line(&t->stats, l);
	if (l->kind == LOG_GAP) {
		t->gaps[i]++;
		t->gap_utc_ns[i] = l->utc_ns;
	}
	if (l->utc_ns > t->last_utc_ns[i])
		t->last_utc_ns[i] = l->utc_ns;
	if (l->kind != LOG_LINE)
		return;
	t->lines[i]++;
	t->bytes[i] += (int64_t)l->text.n + 1;
	if (l->utc_ns == 0)
		return;
	second = second_of(l->utc_ns);
	if (t->rated)
		tally_rate(s, t, i, second);
	if (l->continues)
		return;
	if (t->second != second) {
		give_times(s, t);
		t->second = second;
	}
	t->in_second[l->level]++;
}

void tally_give(struct log_store *s, struct tally *t)
{
	for (size_t i = 0; i < s->n_source; i++) {
		struct source *src = &s->source[i];

		if ((t->touched >> i & 1) == 0)
			continue;
		src->about.lines += t->lines[i];
		src->about.bytes += t->bytes[i];
		src->about.gaps += t->gaps[i];
		if (t->gaps[i] > 0)
			src->about.gap_utc_ns = t->gap_utc_ns[i];
		if (t->last_utc_ns[i] > src->about.last_utc_ns)
			src->about.last_utc_ns = t->last_utc_ns[i];
	}
	stats_add(&s->sum, &t->stats, 1);
	t->touched = 0;
	memset(&t->stats, 0, sizeof(t->stats));
}

/* --- Adding -------------------------------------------------------------------------------------- */

bool store_put(struct log_store *s, struct part *p, uint32_t *n, const struct log_line *l,
	       uint8_t level_of_source[LOG_SOURCES_MAX], struct tally *t)
{
	struct log_line line = *l;

	assert(line.source < LOG_SOURCES_MAX);
	if (line.text.n > TEXT_MAX)
		line.text.n = TEXT_MAX;
	if (!plain_has_room(p->chunk->plain, *n, line.text.n))
		return false;
	if (line.kind != LOG_LINE)
		line.continues = false;
	else if (!line.continues)
		level_of_source[line.source] = line.level;
	else if (line.level == LOG_LEVEL_NONE)
		line.level = level_of_source[line.source];
	plain_put(p->chunk->plain, *n, &line);
	tally_line(s, t, &line);
	++*n;
	return true;
}

static void list_append(struct log_store *s, struct part *p)
{
	if (s->first > 64 && s->first > s->n / 2) {
		memmove(s->part, s->part + s->first, (s->n - s->first) * sizeof(*s->part));
		s->n -= s->first;
		s->first = 0;
	}
	mem_grow(&s->part, &s->cap, s->n + 1, sizeof(*s->part));
	s->part[s->n++] = p;
}

void store_queue(struct log_store *s, struct chunk *c)
{
	c->open = false;
	c->queued = true;
	c->next_waiting = NULL;
	*s->waiting_end = chunk_hold(c);
	s->waiting_end = &c->next_waiting;
	s->waiting_bytes += c->plain->text_room;
	s->queued_ms = clock_mono_ms();
	pthread_cond_signal(&s->work);
}

void store_seal(struct log_store *s)
{
	if (s->open == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->open->to = s->open->chunk->lines;
	store_queue(s, s->open->chunk);
	pthread_mutex_unlock(&s->lock);
	s->open = NULL;
}

/* What was put into the open chunk so far can be read by others now. */
static void publish(struct log_store *s, uint32_t n, struct tally *t)
{
	struct chunk *c = s->open->chunk;

	tally_seconds(s, t);
	pthread_mutex_lock(&s->lock);
	if (c->lines == 0)
		list_append(s, s->open);
	c->lines = n;
	chunk_set_bytes(s, c, plain_bytes(c->plain, n));
	stats_add(&s->open->stats, &t->stats, 1);
	tally_give(s, t);
	store_wake(s);
	pthread_mutex_unlock(&s->lock);
}

struct log_pos log_store_add(struct log_store *s, const struct log_line *line, size_t n)
{
	struct log_pos pos = { 0, 0 };
	struct tally t;
	bool sealed = false;
	uint32_t at;

	if (n == 0)
		return pos;
	t.touched = t.came_of = 0;
	t.second = t.came_second = 0;
	t.rated = true;
	memset(&t.stats, 0, sizeof(t.stats));
	memset(t.in_second, 0, sizeof(t.in_second));
	pthread_mutex_lock(&s->add_lock);
	at = s->open != NULL ? s->open->chunk->lines : 0;
	for (size_t i = 0; i < n; i++) {
		if (s->open == NULL ||
		    !store_put(s, s->open, &at, &line[i], s->level_of_source, &t)) {
			if (s->open != NULL && t.touched != 0)
				publish(s, at, &t);
			sealed |= s->open != NULL;
			store_seal(s);
			s->open = part_begin(s,
					     line[i].text.n < TEXT_MAX ? line[i].text.n : TEXT_MAX);
			at = 0;
			store_put(s, s->open, &at, &line[i], s->level_of_source, &t);
		}
		if (i == 0)
			pos = (struct log_pos){ s->open->id, at - 1 };
	}
	publish(s, at, &t);
	pthread_mutex_unlock(&s->add_lock);
	if (sealed)
		store_help(s);
	return pos;
}

/* --- Packing ------------------------------------------------------------------------------------- */

static struct zip *zip_take(struct log_store *s)
{
	struct zip *z = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < sizeof(s->zips) / sizeof(s->zips[0]) && z == NULL; i++) {
		z = s->zips[i];
		s->zips[i] = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return z != NULL ? z : zip_new();
}

static void zip_back(struct log_store *s, struct zip *z)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < sizeof(s->zips) / sizeof(s->zips[0]) && z != NULL; i++)
		if (s->zips[i] == NULL) {
			s->zips[i] = z;
			z = NULL;
		}
	pthread_mutex_unlock(&s->lock);
	zip_free(z);
}

static struct chunk *next_waiting(struct log_store *s)
{
	struct chunk *c = s->waiting;

	if (c == NULL)
		return NULL;
	s->waiting = c->next_waiting;
	if (s->waiting == NULL)
		s->waiting_end = &s->waiting;
	s->waiting_bytes -= c->plain->text_room;
	return c;
}

bool store_pack_one(struct log_store *s)
{
	struct packed *packed = NULL;
	struct plain *plain;
	struct chunk *c;
	struct zip *z;

	pthread_mutex_lock(&s->lock);
	c = next_waiting(s);
	plain = c != NULL && c->parts > 0 ? plain_hold(c->plain) : NULL;
	pthread_mutex_unlock(&s->lock);
	if (c == NULL)
		return false;
	if (plain != NULL) {
		z = zip_take(s);
		packed = packed_new(plain, c->lines, z);
		zip_back(s, z);
		pthread_mutex_lock(&s->lock);
		c->packed = packed;
		c->plain = NULL;
		if (c->parts > 0)
			chunk_set_bytes(s, c, packed->bytes);
		pthread_mutex_unlock(&s->lock);
		store_plain_back(s, plain);
		store_plain_back(s, plain); /* the chunk's */
	}
	chunk_drop(c);
	return true;
}

void store_help(struct log_store *s)
{
	for (;;) {
		bool many;

		pthread_mutex_lock(&s->lock);
		many = s->waiting_bytes > s->lag_bytes + WAITING_MAX;
		pthread_mutex_unlock(&s->lock);
		if (!many || !store_pack_one(s))
			break;
		store_evict(s);
	}
}

/* Until there is something to pack. lock is held, and given back meanwhile. */
static void wait_for_work(struct log_store *s)
{
	while (!s->ending && s->waiting_bytes <= s->lag_bytes) {
		int64_t due_ms = s->queued_ms + QUIET_MS;
		struct timespec at = { .tv_sec = due_ms / 1000,
				       .tv_nsec = due_ms % 1000 * 1000000 };

		if (s->waiting == NULL)
			pthread_cond_wait(&s->work, &s->lock);
		else if (clock_mono_ms() >= due_ms)
			return;
		else
			pthread_cond_timedwait(&s->work, &s->lock, &at);
	}
}

static void *pack_thread(void *arg)
{
	struct log_store *s = arg;

	for (;;) {
		bool ending;

		pthread_mutex_lock(&s->lock);
		wait_for_work(s);
		ending = s->ending;
		pthread_mutex_unlock(&s->lock);
		if (ending)
			return NULL;
		store_pack_one(s);
		store_evict(s);
	}
}

/* --- The store ----------------------------------------------------------------------------------- */

struct log_store *log_store_new(size_t max_bytes)
{
	struct log_store *s = mem_calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	sigset_t all, before;
	int failed;

	s->max_bytes = max_bytes;
	s->lag_bytes = max_bytes / LAG_PART < LAG_MAX ? max_bytes / LAG_PART : LAG_MAX;
	s->waiting_end = &s->waiting;
	s->version = 1;
	pthread_mutex_init(&s->add_lock, NULL);
	pthread_mutex_init(&s->out_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->work, &attr);
	pthread_condattr_destroy(&attr);
	times_init(&s->times);
	/* Signals are for the threads of whoever uses us. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&s->packer, NULL, pack_thread, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed)
		mem_oom();
	return s;
}

void log_store_free(struct log_store *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->packer, NULL);
	for (struct chunk *c; (c = next_waiting(s)) != NULL;)
		chunk_drop(c);
	for (size_t i = s->first; i < s->n; i++)
		part_drop(s->part[i]);
	mem_free(s->part);
	for (size_t i = 0; i < sizeof(s->spare) / sizeof(s->spare[0]); i++)
		plain_free(s->spare[i]);
	for (size_t i = 0; i < sizeof(s->zips) / sizeof(s->zips[0]); i++)
		zip_free(s->zips[i]);
	times_clear(&s->times);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->out_lock);
	pthread_mutex_destroy(&s->add_lock);
	mem_free(s);
}

void log_store_counts(struct log_store *s, struct log_counts *out)
{
	size_t times = times_bytes(&s->times);

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&s->lock);
	out->version = s->version;
	out->lines = s->sum.lines;
	memcpy(out->level, s->sum.level, sizeof(out->level));
	out->text_bytes = s->sum.text_bytes;
	out->held_bytes =
		s->chunk_bytes +
		(int64_t)((s->n - s->first) * (sizeof(struct part) + sizeof(struct chunk)) + times);
	out->evicted = s->evicted;
	if (s->n > s->first) {
		out->first_utc_ns = s->part[s->first]->stats.first_utc_ns;
		out->last_utc_ns = s->sum.last_utc_ns;
	}
	out->lost = s->lost;
	out->lost_some = s->lost_some;
	out->gaps = s->sum.gaps;
	pthread_mutex_unlock(&s->lock);
}

void log_store_histogram(struct log_store *s, int64_t from_utc_ms, int64_t to_utc_ms, size_t n,
			 uint32_t (*column)[LOG_LEVELS])
{
	int64_t from = second_of(from_utc_ms * 1000000),
		to = second_of(to_utc_ms * 1000000 + 999999999);

	times_read(&s->times, from, to, n, column);
	for (size_t i = 0; i < n; i++)
		for (int l = 0; l < LOG_LEVEL_INFO; l++) {
			column[i][LOG_LEVEL_INFO] += column[i][l];
			column[i][l] = 0;
		}
}
