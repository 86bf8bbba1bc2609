/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a log stream to lines: what all kinds share.
 *
 * Bytes come in pieces of any size. A kind's feed function finds where lines begin and end and calls
 * runtime_log_begin and runtime_log_add; a line that is whole in one piece is given as a view into that piece,
 * without a copy, which is nearly every line. What is given depends on the stream alone, never on how it was cut
 * into pieces: a fuzz target holds that.
 *
 * Going on behind a point. An engine is asked for everything since a stamp, and how many lines were given from
 * the first of that stamp on is known: as many are passed over. That is not the stamp of the last line, because
 * stamps are not in order everywhere: stdout and stderr are stamped by two threads which then race for the file,
 * and a long line keeps the stamp of its first part while others pass it. What is younger in the file but older by
 * its stamp would not come again. So the stamp to ask from is that of a line before which nothing was open and
 * nothing was as young, and not the last of those but the one before, at least POINT_GAP_NS older.
 *
 * When the line of that stamp does not come again (the engine has rotated it away), lines up to the highest stamp
 * are passed over instead of counted; and when not even one of those comes, what was rotated away with them may never
 * have been given: some are lost, and nobody knows how many. An engine that only knows seconds, or is asked a little early because it
 * compares with a float, begins with older lines (slack_ns). Where the clock was set back, lines of before come
 * first: those up to the highest stamp are passed over until the line of the point comes. Everything behind it is
 * given, whatever its stamp. (Docker up to 20.10 keeps lines back whose stamp is older than what it was asked for,
 * so there a clock set back between a cut and going on costs the lines until it has caught up.) A journal and a log file go on exactly where they are told to.
 *
 * A line longer than RUNTIME_LINE_MAX is given in parts of that size. The point moves with whole lines only, so
 * after a cut in the middle of such a line its parts come again; a log file, which counts bytes, goes on behind
 * the part.
 *
 * Not done here: levels, folding, merging (core/logs), asking (core/host), deciding what to ask for.
 */
#include "core/runtime/runtime_log.h"

#include <string.h>

#include "core/base/mem.h"

#define PODMAN_SLACK_NS ((int64_t)1000000000)
/* Threads that race are a hundred times closer. */
#define POINT_GAP_NS ((int64_t)20000000)

static bool is_engine(enum runtime_kind kind)
{
	return kind == RUNTIME_DOCKER || kind == RUNTIME_PODMAN;
}

/* A parser for one stream that was asked for with args. */
struct runtime_log *runtime_log_new(enum runtime_kind kind, const struct runtime_args *args)
{
	struct runtime_log *l = mem_calloc(1, sizeof(*l));
	const struct runtime_log_point *from = args->point;

	l->kind = kind;
	for (size_t i = 0; i < LOG_STREAMS; i++) {
		strbuf_init(&l->stream[i].text, RUNTIME_LINE_MAX);
		l->stream[i].is_err = i == 1;
		l->stream[i].priority = -1;
	}
	strbuf_init(&l->part, kind == RUNTIME_SYSTEMD ? LOG_ENTRY_MAX : LOG_FRAME_MAX);
	switch (kind) {
	case RUNTIME_SYSTEMD:
		l->feed = runtime_log_feed_journal;
		break;
	case RUNTIME_PROCESS:
		l->feed = runtime_log_feed_file;
		l->end = runtime_log_end_file;
		break;
	case RUNTIME_PODMAN: /* divides the stream of a terminal into frames as well */
		l->feed = runtime_log_feed_frames;
		l->slack_ns = PODMAN_SLACK_NS;
		break;
	default:
		l->feed = args->tty ? runtime_log_feed_tty : runtime_log_feed_frames;
		l->end = args->tty ? runtime_log_end_tty : NULL;
	}
	if (!runtime_point_none(from) && (!is_engine(kind) || from->id[0] == '\0' ||
					  args->id == NULL || strcmp(from->id, args->id) == 0)) {
		l->from = *from;
		l->same_left = from->same;
		l->skipping = is_engine(kind) && from->same > 0;
		if (!is_engine(kind))
			l->point = *from;
	}
	if (args->id != NULL)
		str_copy(l->point.id, sizeof(l->point.id), args->id);
	return l;
}

void runtime_log_seek(struct runtime_log *l, const struct runtime_log_point *point)
{
	l->from = *point;
	l->same_left = point->same > 0 ? point->same : 1;
	l->skipping = l->seeking = true;
}

bool runtime_log_seeks(const struct runtime_log *l)
{
	return l->seeking && l->skipping;
}

bool runtime_log_missed(const struct runtime_log *l)
{
	return l->missed;
}

/* Nothing that was not given is kept. */
void runtime_log_free(struct runtime_log *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < LOG_STREAMS; i++)
		strbuf_clear(&l->stream[i].text);
	strbuf_clear(&l->part);
	mem_free(l);
}

int runtime_log_feed(struct runtime_log *l, struct sv bytes,
		     void (*line)(void *arg, const struct runtime_line *), void *arg, struct err *e)
{
	l->line = line;
	l->arg = arg;
	return l->feed(l, bytes, e);
}

/* What has no newline is a line all the same. */
void runtime_log_end(struct runtime_log *l, void (*line)(void *arg, const struct runtime_line *),
		     void *arg)
{
	l->line = line;
	l->arg = arg;
	if (l->end != NULL)
		l->end(l);
	for (size_t i = 0; i < LOG_STREAMS; i++)
		runtime_log_finish(l, &l->stream[i]);
}

void runtime_log_point(const struct runtime_log *l, struct runtime_log_point *out)
{
	const struct log_place *place = l->before.n > 0 ? &l->before : &l->now;

	*out = l->point;
	if (!is_engine(l->kind))
		return;
	/* What was not passed over yet is known by the old point only. */
	if (l->skipping || place->n == 0) {
		*out = l->from;
		str_copy(out->id, sizeof(out->id), l->point.id);
		return;
	}
	out->utc_ns = place->utc_ns;
	out->same = place->n;
	if (l->from.high_ns > out->high_ns)
		out->high_ns = l->from.high_ns;
}

int64_t runtime_log_lost(struct runtime_log *l)
{
	int64_t lost = l->lost;

	l->lost = 0;
	return lost;
}

void runtime_log_lose(struct runtime_log *l, int64_t n)
{
	if (n < 0 || l->lost < 0)
		l->lost = -1;
	else
		l->lost += n;
}

/* --- Lines -------------------------------------------------------------------------------------- */

static bool seen(struct runtime_log *l, int64_t utc_ns)
{
	const struct runtime_log_point *from = &l->from;

	if (l->anchored) {
		l->skipping = --l->same_left > 0;
		return true;
	}
	if (l->seeking) {
		l->missed |= utc_ns > from->high_ns && utc_ns > from->utc_ns;
		return true;
	}
	if (utc_ns > from->utc_ns && utc_ns <= from->high_ns) {
		l->near = true;
		return true;
	}
	if (utc_ns < from->utc_ns && utc_ns >= from->utc_ns - l->slack_ns)
		return true;
	if (!l->near && utc_ns > from->high_ns)
		runtime_log_lose(l, -1);
	l->skipping = false;
	return false;
}

/* The first line of the point's stamp, from which those that were given are counted. Among last lines it is known
 * to be the first only when one before it is there too. */
static void find_anchor(struct runtime_log *l, int64_t utc_ns)
{
	if (utc_ns != 0 && utc_ns < l->from.utc_ns)
		l->older = true;
	if (utc_ns != l->from.utc_ns)
		return;
	if (l->seeking && !l->older)
		l->missed = true;
	else
		l->anchored = true;
}

void runtime_log_begin(struct runtime_log *l, struct log_open *o, int64_t utc_ns)
{
	if (l->skipping && !l->anchored && !l->missed)
		find_anchor(l, utc_ns);
	o->open = true;
	o->decided = false;
	o->utc_ns = utc_ns;
}

/* Lines are counted in the order in which they end, so it is decided then whether one was seen. */
static void give(struct runtime_log *l, struct log_open *o, struct sv text, bool more)
{
	struct runtime_line line = { .text = text,
				     .utc_ns = o->utc_ns,
				     .is_err = o->is_err,
				     .more = more,
				     .priority = o->priority };

	if (!o->decided) {
		o->decided = true;
		o->skip = l->skipping && o->utc_ns != 0 && seen(l, o->utc_ns);
		o->early = o->skip && !l->anchored;
	}
	if (!o->skip)
		l->line(l->arg, &line);
}

/* The oldest stamp of the lines that are open, o aside; INT64_MAX. */
static int64_t oldest_open(const struct runtime_log *l, const struct log_open *o)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < LOG_STREAMS; i++) {
		const struct log_open *other = &l->stream[i];

		if (other != o && other->open && other->utc_ns != 0 && other->utc_ns < oldest)
			oldest = other->utc_ns;
	}
	return oldest;
}

/* A whole line with a stamp was given or passed over: it counts for the places behind which it stands, and may be
 * one itself. */
static void count(struct runtime_log *l, const struct log_open *o)
{
	int64_t t = o->utc_ns, open = oldest_open(l, o);

	if (t == 0 || o->early)
		return;
	/* From a younger place it would not come again. */
	if (l->now.n > 0 && t < l->now.utc_ns)
		l->now.n = 0;
	if (l->before.n > 0 && t < l->before.utc_ns)
		l->before.n = 0;
	l->before.n += l->before.n > 0;
	l->now.n += l->now.n > 0;
	if (l->before.n == 0 && l->now.n == 0) {
		/* The first line, or the clock was set back. */
		l->now.utc_ns = t < open ? t : open;
		l->now.n = 1;
	} else if (t > l->point.high_ns && open == INT64_MAX &&
		   (l->now.n == 0 || t - l->now.utc_ns >= POINT_GAP_NS)) {
		if (l->now.n > 0)
			l->before = l->now;
		l->now.utc_ns = t;
		l->now.n = 1;
	}
	if (t > l->point.high_ns)
		l->point.high_ns = t;
}

static struct sv without_cr(struct sv s)
{
	while (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

void runtime_log_add(struct runtime_log *l, struct log_open *o, struct sv text, bool last)
{
	while (o->text.len + text.n > RUNTIME_LINE_MAX) {
		size_t n = RUNTIME_LINE_MAX - o->text.len;

		strbuf_addsv(&o->text, sv_n(text.p, n));
		give(l, o, strbuf_sv(&o->text), true);
		strbuf_reset(&o->text);
		text = sv_n(text.p + n, text.n - n);
	}
	if (last && o->text.len == 0) {
		give(l, o, without_cr(text), false);
	} else {
		strbuf_addsv(&o->text, text);
		if (last)
			give(l, o, without_cr(strbuf_sv(&o->text)), false);
	}
	if (last) {
		strbuf_reset(&o->text);
		o->open = false;
		count(l, o);
	}
}

void runtime_log_finish(struct runtime_log *l, struct log_open *o)
{
	if (o->open)
		runtime_log_add(l, o, sv_n("", 0), true);
}

int runtime_log_head(struct runtime_log *l, struct sv *bytes)
{
	const char *newline = memchr(bytes->p, '\n', bytes->n);
	size_t n = newline != NULL ? (size_t)(newline - bytes->p) : bytes->n;

	if (l->n_head + n >= sizeof(l->head))
		return -1;
	memcpy(l->head + l->n_head, bytes->p, n);
	l->n_head += n;
	if (newline == NULL) {
		*bytes = sv_n(bytes->p + n, 0);
		return 0;
	}
	*bytes = sv_n(bytes->p + n + 1, bytes->n - n - 1);
	l->head[l->n_head] = '\0';
	l->n_head = 0;
	return 1;
}
