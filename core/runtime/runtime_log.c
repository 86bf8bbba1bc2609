/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a log stream to lines: what all kinds share.
 *
 * Bytes come in pieces of any size. A kind's feed function finds where lines begin and end and calls
 * runtime_log_begin and runtime_log_add; a line that is whole in one piece is given as a view into that piece,
 * without a copy, which is nearly every line. What is given depends on the stream alone, never on how it was cut
 * into pieces: a fuzz target holds that.
 *
 * Going on behind a point. Engines are asked for everything since the last stamp, and begin with lines that were
 * seen: as many as carried that stamp are passed over. An engine that only knows seconds, or is asked a little
 * early because it compares with a float, gives older ones as well (slack_ns). Where the clock was set back before
 * the point was taken, lines between the last stamp and the highest come again as well, before those of the last
 * stamp. The first line that can be none of these ends it: from there on everything is given, whatever its stamp,
 * because stamps of a log may go backwards and a line too many is better than one too few. A journal and a log
 * file go on exactly where they are told to, and have nothing to pass over.
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
	if (!runtime_point_none(from) &&
	    (from->id[0] == '\0' || args->id == NULL || strcmp(from->id, args->id) == 0 ||
	     kind == RUNTIME_SYSTEMD || kind == RUNTIME_PROCESS)) {
		l->point = *from;
		l->from = *from;
		l->same_left = from->same;
		l->skipping = from->utc_ns != 0 && from->same > 0 && kind != RUNTIME_SYSTEMD &&
			      kind != RUNTIME_PROCESS;
	}
	if (args->id != NULL)
		str_copy(l->point.id, sizeof(l->point.id), args->id);
	return l;
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
	*out = l->point;
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
	if (utc_ns == l->from.utc_ns) {
		l->skipping = --l->same_left > 0;
		return true;
	}
	if (utc_ns > l->from.utc_ns && utc_ns <= l->from.high_ns)
		return true; /* of before the clock was set back */
	if (utc_ns < l->from.utc_ns && utc_ns >= l->from.utc_ns - l->slack_ns)
		return true;
	l->skipping = false;
	return false;
}

void runtime_log_begin(struct runtime_log *l, struct log_open *o, int64_t utc_ns)
{
	o->open = true;
	o->utc_ns = utc_ns;
	o->skip = l->skipping && utc_ns != 0 && seen(l, utc_ns);
}

static void give(struct runtime_log *l, struct log_open *o, struct sv text, bool more)
{
	struct runtime_line line = { .text = text,
				     .utc_ns = o->utc_ns,
				     .is_err = o->is_err,
				     .more = more,
				     .priority = o->priority };

	if (!o->skip)
		l->line(l->arg, &line);
}

/* The point moves behind a whole line; one that was seen is in it already. */
static void count(struct runtime_log *l, const struct log_open *o)
{
	struct runtime_log_point *p = &l->point;

	if (o->skip || o->utc_ns == 0)
		return;
	if (p->utc_ns == o->utc_ns) {
		p->same++;
		return;
	}
	p->utc_ns = o->utc_ns;
	p->same = 1;
	if (o->utc_ns > p->high_ns)
		p->high_ns = o->utc_ns;
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
