/* SPDX-License-Identifier: MIT */
/*
 * Fetching what is missing at a gap: the lines that are older than the first ones that were asked for.
 *
 * A thread of its own, made when a gap is wanted and gone when none is left, with a connection of its own: the
 * follower is busy following.
 *
 * No runtime gives "the 2,000 lines before this one". An engine and a journal can leave out what is younger than a
 * stamp, but count the last lines from the present end; a log file knows no times at all. So as many lines are
 * asked for as came behind the gap, and a page more, and of these the ones before the place are kept: by the stamp
 * of the first line behind the gap (and how many lines carried it), or, without stamps, by its text, at the
 * occurrence that is nearest to where it should be. Not more than a page is kept in memory, and a page in front of
 * the place is what goes in. Where there is still more, a new gap stands on top of it.
 */
#include "core/logs/follow_own.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

/* More than was counted may have come meanwhile; without stamps the place is looked for in so many lines. */
#define SLACK_LINES 5000
#define KEEP_BYTES ((size_t)64 << 20)

static uint64_t hash_of(struct sv text)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < text.n; i++)
		h = (h ^ (unsigned char)text.p[i]) * 1099511628211u;
	return h;
}

/* --- The gaps that can be fetched --------------------------------------------------------------- */

void follow_gap_add(struct follower *f, const struct follow_gap *g)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_gap == FOLLOW_GAPS_MAX)
		memmove(f->gap, f->gap + 1, --f->n_gap * sizeof(f->gap[0]));
	f->gap[f->n_gap++] = *g;
	pthread_mutex_unlock(&f->lock);
}

static struct follow_gap *find_gap(struct follower *f, int64_t row_ns)
{
	for (size_t i = 0; i < f->n_gap; i++)
		if (f->gap[i].row_ns == row_ns)
			return &f->gap[i];
	return NULL;
}

void follow_gap_line(struct follower *f, int64_t raw_ns, struct sv text)
{
	struct follow_gap *g;

	if (!f->gap_open)
		return;
	pthread_mutex_lock(&f->lock);
	g = find_gap(f, f->gap_row_ns);
	if (g == NULL) {
		f->gap_open = false;
	} else if (!g->has_first) {
		g->has_first = true;
		g->first_ns = raw_ns;
		g->first_hash = hash_of(text);
		g->first_same = 1;
	} else if (raw_ns == g->first_ns) {
		g->first_same++;
	} else {
		f->gap_open = false;
	}
	pthread_mutex_unlock(&f->lock);
}

static void forget_gap(struct follower *f, int64_t row_ns)
{
	struct follow_gap *g;

	pthread_mutex_lock(&f->lock);
	g = find_gap(f, row_ns);
	if (g != NULL) {
		memmove(g, g + 1, (size_t)(f->gap + f->n_gap - (g + 1)) * sizeof(*g));
		f->n_gap--;
	}
	pthread_mutex_unlock(&f->lock);
}

/* --- One page of older lines -------------------------------------------------------------------- */

struct page {
	struct follower *f;
	const struct follow_gap *gap;
	bool stamped;
	struct follow_batch kept;
	size_t from;     /* in kept: what is before it is not wanted */
	size_t same;     /* kept lines with the stamp of the first line behind the gap */
	int64_t given;   /* lines that the runtime gave */
	int64_t dropped; /* of the front */
	int64_t match; /* without stamps: how many were given before the first line behind the gap; -1 none */
	int64_t asked;
};

/* Only the newest are wanted: what is older makes room. */
static void drop_front(struct page *p)
{
	struct follow_batch *b = &p->kept;
	size_t n = b->n - FOLLOW_FETCH_LINES, bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += b->line[i].text.n;
	memmove(b->line, b->line + n, (b->n - n) * sizeof(*b->line));
	memmove(b->raw_ns, b->raw_ns + n, (b->n - n) * sizeof(*b->raw_ns));
	memmove(b->text.data, b->text.data + bytes, b->text.len - bytes);
	b->text.len -= bytes;
	b->n -= n;
	p->dropped += (int64_t)n;
}

static void page_line(void *arg, const struct log_line *line, int64_t raw_ns)
{
	struct page *p = arg;
	int64_t at = p->given++;

	if (p->stamped) {
		if (p->gap->has_first ? raw_ns > p->gap->first_ns : raw_ns >= p->gap->first_ns)
			return;
		if (p->gap->has_first && raw_ns == p->gap->first_ns)
			p->same++;
		follow_batch_add(&p->kept, line, raw_ns);
		if (p->kept.n >= 2 * FOLLOW_FETCH_LINES + p->same)
			drop_front(p);
		return;
	}
	if (at >= FOLLOW_FETCH_LINES + 2 * SLACK_LINES || p->kept.text.len > KEEP_BYTES)
		return;
	follow_batch_add(&p->kept, line, raw_ns);
}

static void page_piece(void *arg, const struct runtime_log_point *point)
{
	(void)arg;
	(void)point;
}

static void page_lost(void *arg, int64_t lines)
{
	(void)arg;
	(void)lines;
}

/* Where the first line behind the gap stands among what came, without stamps. */
static bool find_place(struct page *p)
{
	int64_t behind = atomic_load(&p->f->taken) - p->gap->behind;
	int64_t want = p->given - behind, best = -1;

	if (!p->gap->has_first) {
		p->match = want < 0 ? 0 : want < (int64_t)p->kept.n ? want : (int64_t)p->kept.n;
		return true;
	}
	for (int64_t i = 0; i < (int64_t)p->kept.n; i++) {
		if (hash_of(p->kept.line[i].text) != p->gap->first_hash)
			continue;
		if (best < 0 || llabs(i - want) < llabs(best - want))
			best = i;
	}
	p->match = best;
	return best >= 0;
}

/* Cuts kept down to what belongs into the gap. False when the place is not there any more. */
static bool cut_page(struct page *p)
{
	struct follow_batch *b = &p->kept;

	follow_batch_seal(b);
	if (p->stamped) {
		size_t behind = p->gap->first_same < p->same ? p->gap->first_same : p->same;

		b->n -= p->gap->has_first ? behind : 0;
	} else {
		if (!find_place(p))
			return false;
		b->n = (size_t)p->match;
	}
	p->from = b->n > FOLLOW_FETCH_LINES ? b->n - FOLLOW_FETCH_LINES : 0;
	return true;
}

/* --- Into the store ----------------------------------------------------------------------------- */

static void put_row(struct page *p, struct log_pos pos, int64_t utc_ns, const char *text)
{
	struct log_line row = { .utc_ns = utc_ns,
				.source = (uint16_t)p->f->spec.source,
				.kind = LOG_GAP,
				.text = sv_of(text) };

	(void)log_store_fill(p->f->spec.store, pos, &row, 1);
}

/* The lines, and on top of them a gap of their own when there are still older ones. */
static void put_page(struct page *p, struct log_pos pos)
{
	struct follow_batch *b = &p->kept;
	size_t n = b->n - p->from;
	struct log_line *line = mem_calloc(n + 1, sizeof(*line));
	bool more = p->from > 0 || p->dropped > 0 || p->given >= p->asked;

	memcpy(line + 1, b->line + p->from, n * sizeof(*line));
	if (more && n > 0) {
		struct follow_gap g = *p->gap;

		line[0] = (struct log_line){ .utc_ns = line[1].utc_ns,
					     .source = line[1].source,
					     .kind = LOG_GAP,
					     .text = SV(LOG_GAP_OLDER) };
		g.row_ns = line[1].utc_ns;
		g.first_ns = b->raw_ns[p->from];
		g.first_same = 1;
		while (p->from + g.first_same < b->n &&
		       b->raw_ns[p->from + g.first_same] == g.first_ns)
			g.first_same++;
		g.first_hash = hash_of(line[1].text);
		g.has_first = true;
		g.behind -= (int64_t)n;
		follow_gap_add(p->f, &g);
	}
	(void)log_store_fill(p->f->spec.store, pos, more && n > 0 ? line : line + 1,
			     n + (more && n > 0));
	mem_free(line);
}

static void fetch(struct follower *f, struct http_client *http, const struct follow_gap *gap,
		  struct log_pos pos)
{
	int64_t behind = atomic_load(&f->taken) - gap->behind;
	struct page p = { .f = f, .gap = gap, .stamped = f->spec.service->kind != RUNTIME_PROCESS };
	struct follow_request r = {
		.args = { .id = gap->id[0] != '\0' ? gap->id : NULL, .tty = gap->tty },
		.sink = { .line = page_line, .piece = page_piece, .lost = page_lost, .arg = &p },
		.http = http,
		.past = true,
		.ends = true,
	};
	struct strbuf text;
	struct err e;

	p.asked = behind + FOLLOW_FETCH_LINES + SLACK_LINES;
	r.args.tail = p.asked;
	if (p.stamped)
		r.args.until_utc_ms = gap->first_ns / FOLLOW_NS_PER_MS + 1;
	if (follow_stream(f, &r, &e) != FOLLOW_WHOLE) {
		strbuf_init(&text, sizeof(e));
		strbuf_addf(&text, LOG_GAP_OLDER ": %s%s%s", e.msg, e.detail[0] != '\0' ? ": " : "",
			    e.detail);
		if (!cancel_fired(&f->stop))
			put_row(&p, pos, gap->row_ns, strbuf_str(&text));
		strbuf_clear(&text);
	} else if (!cut_page(&p)) {
		forget_gap(f, gap->row_ns);
		put_row(&p, pos, gap->row_ns,
			"older lines are gone: the log was rotated meanwhile");
	} else {
		forget_gap(f, gap->row_ns);
		put_page(&p, pos);
	}
	follow_batch_clear(&p.kept);
}

static void *fetch_main(void *arg)
{
	struct follower *f = arg;
	struct http_client *http = http_client_new(f->spec.host);
	struct follow_gap gap, *found;
	struct log_line row;
	struct log_pos pos;

	pthread_mutex_lock(&f->lock);
	while (f->n_wanted > 0 && !cancel_fired(&f->stop)) {
		pos = f->wanted[0];
		memmove(f->wanted, f->wanted + 1, --f->n_wanted * sizeof(f->wanted[0]));
		found = log_store_row(f->spec.store, pos, &row) ? find_gap(f, row.utc_ns) : NULL;
		if (found == NULL)
			continue;
		gap = *found;
		pthread_mutex_unlock(&f->lock);
		fetch(f, http, &gap, pos);
		pthread_mutex_lock(&f->lock);
	}
	f->n_wanted = 0;
	f->fetch_runs = false;
	pthread_mutex_unlock(&f->lock);
	http_client_free(http);
	return NULL;
}

static bool is_wanted(const struct follower *f, struct log_pos pos)
{
	for (size_t i = 0; i < f->n_wanted; i++)
		if (f->wanted[i].chunk == pos.chunk && f->wanted[i].line == pos.line)
			return true;
	return false;
}

/* Asks for what is missing at the row. */
bool follow_fetch(struct follower *f, struct log_pos pos)
{
	struct log_line row;
	bool ours;

	if (!log_store_row(f->spec.store, pos, &row) || row.kind != LOG_GAP ||
	    row.source != f->spec.source)
		return false;
	pthread_mutex_lock(&f->lock);
	ours = find_gap(f, row.utc_ns) != NULL && f->n_wanted < FOLLOW_GAPS_MAX;
	if (ours && !is_wanted(f, pos)) {
		f->wanted[f->n_wanted++] = pos;
		if (!f->fetch_runs) {
			if (f->fetch_thread_made)
				pthread_join(f->fetch_thread, NULL);
			f->fetch_runs = follow_thread(&f->fetch_thread, fetch_main, f) == 0;
			f->fetch_thread_made = f->fetch_runs;
			ours = f->fetch_runs;
			if (!ours)
				f->n_wanted = 0;
		}
	}
	pthread_mutex_unlock(&f->lock);
	return ours;
}

void follow_fetch_stop(struct follower *f)
{
	bool made;

	pthread_mutex_lock(&f->lock);
	made = f->fetch_thread_made;
	pthread_mutex_unlock(&f->lock);
	if (made)
		pthread_join(f->fetch_thread, NULL);
}
