/* SPDX-License-Identifier: MIT */
/*
 * Log streams of container engines.
 *
 * Frames. A container without a terminal has its stream divided into frames: one byte for the stream (1 stdout,
 * 2 stderr, 3 words of the engine itself), three zeroes, four bytes of length, then a stamp, a blank, and one
 * message with its newline. A long line comes as several frames without newline, each with a stamp in front, with
 * frames of the other stream between them. What is joined:
 *
 * - Docker cuts at 16 KiB (some log drivers later) and gives all parts the stamp of the first. Its json-file driver
 *   ends the last part with a newline, its `local` driver does not, and neither does a program that ends without
 *   one. So the parts of a line are those that are cut at 16 KiB or more, or carry the same stamp as such a one.
 * - Podman cuts at 4 or 8 KiB, gives each part its own time, and marks the end by the newline alone. It writes
 *   frames for a container with a terminal too.
 *
 * Docker with a terminal has no frames: stamp, blank, text, CR LF, and for a long line the stamp stands again
 * behind every 16 KiB of it. It is taken out there and nowhere else, because text may well look like a stamp. (The
 * `local` driver ends no long line of a terminal, so the line behind it is joined to it; nobody can tell.)
 *
 * A message without a readable stamp is given without a time, and whole.
 */
#include "core/runtime/runtime_log.h"

#include <string.h>

#define FRAME_HEAD 8
#define PART_MIN ((size_t)16384)

enum { FRAME_STDOUT = 1, FRAME_STDERR = 2, FRAME_ENGINE = 3 };

/* Cuts the stamp and its blank off *text. */
static int64_t take_stamp(struct sv *text)
{
	int64_t ns;
	size_t n = runtime_stamp(*text, &ns);

	if (n == 0 || n == text->n || text->p[n] != ' ')
		return 0;
	*text = sv_n(text->p + n + 1, text->n - n - 1);
	return ns;
}

/* Lines of one message; its last one is open when there is no newline and partial says that more may come. */
static void add_lines(struct runtime_log *l, struct log_open *o, int64_t utc_ns, struct sv text,
		      bool partial)
{
	const char *newline;

	while ((newline = memchr(text.p, '\n', text.n)) != NULL) {
		size_t n = (size_t)(newline - text.p);

		if (!o->open)
			runtime_log_begin(l, o, utc_ns);
		runtime_log_add(l, o, sv_n(text.p, n), true);
		text = sv_n(text.p + n + 1, text.n - n - 1);
	}
	if (text.n == 0)
		return;
	if (!o->open)
		runtime_log_begin(l, o, utc_ns);
	runtime_log_add(l, o, text, !partial);
}

/* The engine ends a stream that it cannot go on reading with words of its own. */
static void engine_words(struct runtime_log *l, struct sv text)
{
	struct log_open *o = &l->stream[1];

	runtime_log_finish(l, o);
	runtime_log_lose(l, -1);
	o->priority = 3;
	add_lines(l, o, 0, text, false);
	o->priority = -1;
}

static void frame(struct runtime_log *l, int type, struct sv text)
{
	struct log_open *o = &l->stream[type == FRAME_STDERR];
	int64_t utc_ns;

	if (type == FRAME_ENGINE) {
		engine_words(l, text);
		return;
	}
	if (text.n == 0)
		return;
	utc_ns = take_stamp(&text);
	if (l->kind == RUNTIME_PODMAN) {
		add_lines(l, o, utc_ns, text, true);
		return;
	}
	if (o->open && utc_ns != o->utc_ns)
		runtime_log_finish(l, o);
	/* Nothing but its stamp: an empty last part, or an empty line whose newline the driver left out. */
	if (text.n == 0) {
		if (!o->open)
			runtime_log_begin(l, o, utc_ns);
		runtime_log_finish(l, o);
		return;
	}
	add_lines(l, o, utc_ns, text, text.n >= PART_MIN);
}

static int read_head(struct runtime_log *l, struct err *e)
{
	const unsigned char *h = (const unsigned char *)l->head;

	l->left = (uint64_t)h[4] << 24 | (uint64_t)h[5] << 16 | (uint64_t)h[6] << 8 | h[7];
	if (h[0] <= FRAME_ENGINE && h[1] == 0 && h[2] == 0 && h[3] == 0 && l->left <= LOG_FRAME_MAX)
		return 0;
	err_set(e, ERR_INPUT, "cannot read a log stream of %s", runtime_kind_name(l->kind));
	err_detail(e, "a frame begins with %02x %02x %02x %02x %02x %02x %02x %02x", h[0], h[1],
		   h[2], h[3], h[4], h[5], h[6], h[7]);
	return err_hint(e,
			"ask again: the container may have been replaced by one with a terminal");
}

int runtime_log_feed_frames(struct runtime_log *l, struct sv b, struct err *e)
{
	while (b.n > 0) {
		size_t n;

		if (l->n_head < FRAME_HEAD) {
			n = FRAME_HEAD - l->n_head < b.n ? FRAME_HEAD - l->n_head : b.n;
			memcpy(l->head + l->n_head, b.p, n);
			l->n_head += n;
			b = sv_n(b.p + n, b.n - n);
			if (l->n_head < FRAME_HEAD)
				return 0;
			if (read_head(l, e) != 0)
				return -1;
		}
		n = l->left < b.n ? (size_t)l->left : b.n;
		if (l->part.len > 0 || n < l->left)
			strbuf_add(&l->part, b.p, n);
		l->left -= n;
		if (l->left == 0) {
			frame(l, l->head[0], l->part.len > 0 ? strbuf_sv(&l->part) : sv_n(b.p, n));
			strbuf_reset(&l->part);
			l->n_head = 0;
		}
		b = sv_n(b.p + n, b.n - n);
	}
	return 0;
}

/* --- A terminal --------------------------------------------------------------------------------- */

enum { TTY_STAMP, TTY_TEXT, TTY_AGAIN };

/* Text of the line, up to its newline or to where the stamp may stand again. */
static void tty_text(struct runtime_log *l, struct sv *b)
{
	struct log_open *o = &l->stream[0];
	size_t n = l->left < b->n ? (size_t)l->left : b->n;
	const char *newline = memchr(b->p, '\n', n);

	if (newline != NULL) {
		n = (size_t)(newline - b->p);
		runtime_log_add(l, o, sv_n(b->p, n), true);
		*b = sv_n(b->p + n + 1, b->n - n - 1);
		l->state = TTY_STAMP;
		strbuf_reset(&l->part);
		l->n_head = 0;
		return;
	}
	runtime_log_add(l, o, sv_n(b->p, n), false);
	*b = sv_n(b->p + n, b->n - n);
	l->left -= n;
	if (l->left == 0) {
		l->state = TTY_AGAIN;
		l->n_head = 0;
	}
}

/* The stamp of a new line: all up to its first blank, when that is one. */
static void tty_stamp(struct runtime_log *l, struct sv *b)
{
	struct sv head, rest = sv_n("", 0);
	int64_t utc_ns;

	while (b->n > 0) {
		char c = *b->p;

		l->head[l->n_head++] = c;
		*b = sv_n(b->p + 1, b->n - 1);
		if (c != ' ' && c != '\n' && l->n_head < 64)
			continue;
		head = rest = sv_n(l->head, l->n_head);
		utc_ns = take_stamp(&rest);
		runtime_log_begin(l, &l->stream[0], utc_ns);
		/* Kept with its blank, to be known again. */
		strbuf_reset(&l->part);
		if (rest.n < head.n)
			strbuf_add(&l->part, head.p, head.n - rest.n);
		l->state = TTY_TEXT;
		l->left = l->part.len > 0 ? PART_MIN : UINT64_MAX;
		/* What is no stamp is text. */
		if (rest.n > 0)
			tty_text(l, &rest);
		return;
	}
}

/* Behind 16 KiB: the same stamp again, or the line simply goes on. */
static void tty_again(struct runtime_log *l, struct sv *b)
{
	struct sv text;

	while (b->n > 0) {
		bool fits = *b->p == l->part.data[l->n_head];

		if (fits) {
			l->n_head++;
			*b = sv_n(b->p + 1, b->n - 1);
			if (l->n_head < l->part.len)
				continue;
		}
		text = sv_n(l->part.data, l->n_head);
		l->state = TTY_TEXT;
		l->left = fits ? PART_MIN : UINT64_MAX;
		/* What fitted so far has no newline in it. */
		if (!fits)
			runtime_log_add(l, &l->stream[0], text, false);
		l->n_head = 0;
		return;
	}
}

int runtime_log_feed_tty(struct runtime_log *l, struct sv b, struct err *e)
{
	(void)e;
	while (b.n > 0) {
		if (l->state == TTY_STAMP)
			tty_stamp(l, &b);
		else if (l->state == TTY_TEXT)
			tty_text(l, &b);
		else
			tty_again(l, &b);
	}
	return 0;
}

void runtime_log_end_tty(struct runtime_log *l)
{
	struct sv head = sv_n(l->head, l->n_head);

	if (l->n_head == 0)
		return;
	if (l->state == TTY_STAMP) {
		runtime_log_begin(l, &l->stream[0], 0);
		runtime_log_add(l, &l->stream[0], head, false);
	} else if (l->state == TTY_AGAIN) {
		runtime_log_add(l, &l->stream[0], sv_n(l->part.data, l->n_head), false);
	}
	l->n_head = 0;
}
