/* SPDX-License-Identifier: MIT */
/*
 * Lines that changed between two texts.
 *
 * Lines are numbered by content first (equal lines, equal number), so that comparing two is one
 * integer comparison. Equal ends are cut off, and the rest is Myers' linear-space variant: find
 * the middle of a shortest edit path from both corners, then solve the halves. Memory is a few
 * integers per line whatever the texts are.
 *
 * Time is the number of lines times the number of differences, so two unrelated files would take
 * quadratic time. A box whose edit path is longer than COST_MAX, or a side with more than
 * TEXTDIFF_LINES_MAX lines, is shown as removed and added whole: right, only not the shortest.
 *
 * A line keeps its newline while it is compared, so a text that only lost its last newline still
 * shows a changed line.
 */
#include "core/base/textdiff.h"

#include <string.h>

#define COST_MAX 2048

/* One side. */
struct side {
	struct sv *line; /* with its newline */
	int *number;     /* equal lines have equal numbers */
	bool *changed;
	int n;
};

struct differ {
	struct side was, now;
	int *forward, *backward; /* furthest x per diagonal, index 0 is diagonal -(n + m + 1) */
	int middle;              /* index of diagonal 0 */
};

static void cut_lines(struct arena *a, struct sv text, struct side *out)
{
	size_t n = 0;
	const char *p = text.p, *end = text.p + text.n;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		n++;
	out->line = arena_alloc(a, (n + 1) * sizeof(*out->line));
	out->number = arena_alloc(a, (n + 1) * sizeof(*out->number));
	out->changed = arena_alloc(a, (n + 1) * sizeof(*out->changed));
	out->n = (int)n;
	for (size_t i = 0; i < n; i++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *next = nl != NULL ? nl + 1 : end;

		out->line[i] = sv_n(p, (size_t)(next - p));
		p = next;
	}
}

static uint64_t hash_line(struct sv s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return h ^ (h >> 31);
}

/* Gives equal lines of both sides equal numbers: an open-addressing table of first occurrences. */
static void number_lines(struct arena *a, struct side *was, struct side *now)
{
	struct side *side[2] = { was, now };
	size_t total = (size_t)was->n + (size_t)now->n, size = 16;
	struct sv *seen;
	int *number, next = 1;

	while (size < total * 2)
		size *= 2;
	seen = arena_alloc(a, size * sizeof(*seen));
	number = arena_alloc(a, size * sizeof(*number));
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < side[k]->n; i++) {
			struct sv line = side[k]->line[i];
			size_t at = hash_line(line) & (size - 1);

			while (number[at] != 0 && !sv_eq(seen[at], line))
				at = (at + 1) & (size - 1);
			if (number[at] == 0) {
				number[at] = next++;
				seen[at] = line;
			}
			side[k]->number[i] = number[at];
		}
	}
}

/* A part of both texts: was[x0..x1) and now[y0..y1). */
struct box {
	int x0, y0, x1, y1;
};

static bool same(const struct differ *d, int x, int y)
{
	return d->was.number[x] == d->now.number[y];
}

/* One step of the search from the upper left corner. True when it met the other one: *x, *y. */
static bool step_forward(struct differ *d, const struct box *b, int cost, int *px, int *py)
{
	int *v = d->forward + d->middle, *other = d->backward + d->middle;
	int n = b->x1 - b->x0, m = b->y1 - b->y0, delta = n - m;

	for (int k = -cost; k <= cost; k += 2) {
		int x, y;

		if (k < -m || k > n)
			continue;
		x = k == -cost || (k != cost && v[k - 1] < v[k + 1]) ? v[k + 1] : v[k - 1] + 1;
		y = x - k;
		while (x < n && y < m && x >= 0 && y >= 0 && same(d, b->x0 + x, b->y0 + y)) {
			x++;
			y++;
		}
		v[k] = x;
		if (delta % 2 != 0 && k >= delta - (cost - 1) && k <= delta + (cost - 1) &&
		    x >= other[k] && x <= n && y >= 0 && y <= m) {
			*px = b->x0 + x;
			*py = b->y0 + y;
			return true;
		}
	}
	return false;
}

/* The same from the lower right corner; other[k] is the forward search's x on that diagonal. */
static bool step_backward(struct differ *d, const struct box *b, int cost, int *px, int *py)
{
	int *v = d->backward + d->middle, *other = d->forward + d->middle;
	int n = b->x1 - b->x0, m = b->y1 - b->y0, delta = n - m;

	for (int k = -cost; k <= cost; k += 2) {
		int at = k + delta, x, y; /* diagonal seen from the upper left */

		if (at < -m || at > n)
			continue;
		x = k == cost || (k != -cost && v[at - 1] < v[at + 1]) ? v[at - 1] : v[at + 1] - 1;
		y = x - at;
		while (x > 0 && y > 0 && x <= n && y <= m &&
		       same(d, b->x0 + x - 1, b->y0 + y - 1)) {
			x--;
			y--;
		}
		v[at] = x;
		if (delta % 2 == 0 && at >= -cost && at <= cost && x <= other[at] && x >= 0 &&
		    y >= 0 && y <= m) {
			*px = b->x0 + x;
			*py = b->y0 + y;
			return true;
		}
	}
	return false;
}

/* A point in the middle of a shortest edit path. False when the path is longer than COST_MAX. */
static bool find_middle(struct differ *d, const struct box *b, int *x, int *y)
{
	int n = b->x1 - b->x0, m = b->y1 - b->y0;
	int most = (n + m + 1) / 2 + 1;

	/* Diagonals that were not reached: behind everything, for either direction. */
	for (int k = -m - 1; k <= n + 1; k++) {
		d->forward[d->middle + k] = -1;
		d->backward[d->middle + k] = n + 1;
	}
	d->forward[d->middle + 1] = 0;
	d->backward[d->middle + n - m - 1] = n;
	for (int cost = 0; cost <= most && cost <= COST_MAX; cost++)
		if (step_forward(d, b, cost, x, y) || step_backward(d, b, cost, x, y))
			return true;
	return false;
}

static void mark_all(struct differ *d, const struct box *b)
{
	for (int x = b->x0; x < b->x1; x++)
		d->was.changed[x] = true;
	for (int y = b->y0; y < b->y1; y++)
		d->now.changed[y] = true;
}

/* Depth is the logarithm of the number of differences: each half has half of them. */
static void compare(struct differ *d, struct box b)
{
	struct box left, right;
	int x, y;

	while (b.x0 < b.x1 && b.y0 < b.y1 && same(d, b.x0, b.y0)) {
		b.x0++;
		b.y0++;
	}
	while (b.x0 < b.x1 && b.y0 < b.y1 && same(d, b.x1 - 1, b.y1 - 1)) {
		b.x1--;
		b.y1--;
	}
	if (b.x0 == b.x1 || b.y0 == b.y1 || !find_middle(d, &b, &x, &y)) {
		mark_all(d, &b);
		return;
	}
	left = (struct box){ b.x0, b.y0, x, y };
	right = (struct box){ x, y, b.x1, b.y1 };
	/* A middle in a corner would be the same box again. */
	if ((x == b.x0 && y == b.y0) || (x == b.x1 && y == b.y1)) {
		mark_all(d, &b);
		return;
	}
	compare(d, left);
	compare(d, right);
}

static struct sv without_newline(struct sv line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	return line;
}

/* Every line of the result, nothing skipped yet. */
static size_t list_all(const struct differ *d, struct diff_line *out)
{
	int x = 0, y = 0;
	size_t n = 0;

	while (x < d->was.n || y < d->now.n) {
		if (x < d->was.n && d->was.changed[x]) {
			out[n++] = (struct diff_line){ DIFF_OLD, without_newline(d->was.line[x]),
						       x + 1, 0 };
			x++;
		} else if (y < d->now.n && d->now.changed[y]) {
			out[n++] = (struct diff_line){ DIFF_NEW, without_newline(d->now.line[y]), 0,
						       y + 1 };
			y++;
		} else {
			out[n++] = (struct diff_line){ DIFF_SAME, without_newline(d->was.line[x]),
						       x + 1, y + 1 };
			x++;
			y++;
		}
	}
	return n;
}

/* Replaces runs of equal lines away from any change by one DIFF_SKIP each, in place. */
static size_t skip_far(struct diff_line *line, size_t n, int context)
{
	size_t to = 0, i = 0;

	while (i < n) {
		size_t end = i, from, till;

		if (line[i].kind != DIFF_SAME) {
			line[to++] = line[i++];
			continue;
		}
		while (end < n && line[end].kind == DIFF_SAME)
			end++;
		/* Context behind the change before, and before the change after. */
		from = i == 0 ? i : i + (size_t)context;
		till = end == n ? end : (end - i > (size_t)context ? end - (size_t)context : i);
		if (till <= from + 1) { /* a skip of one line saves nothing */
			while (i < end)
				line[to++] = line[i++];
			continue;
		}
		while (i < from)
			line[to++] = line[i++];
		line[to++] = (struct diff_line){ DIFF_SKIP, SV(""), (int)(till - from), 0 };
		for (i = till; i < end; i++)
			line[to++] = line[i];
	}
	return to;
}

struct diff_line *textdiff(struct arena *a, struct sv was, struct sv now, int context, size_t *n)
{
	struct differ d = { 0 };
	struct diff_line *out;
	size_t width;

	cut_lines(a, was, &d.was);
	cut_lines(a, now, &d.now);
	number_lines(a, &d.was, &d.now);
	width = (size_t)d.was.n + (size_t)d.now.n + 4;
	if (d.was.n > TEXTDIFF_LINES_MAX || d.now.n > TEXTDIFF_LINES_MAX) {
		struct box b = { 0, 0, d.was.n, d.now.n };

		for (; b.x0 < b.x1 && b.y0 < b.y1 && same(&d, b.x0, b.y0); b.x0++)
			b.y0++;
		for (; b.x0 < b.x1 && b.y0 < b.y1 && same(&d, b.x1 - 1, b.y1 - 1); b.x1--)
			b.y1--;
		mark_all(&d, &b);
	} else {
		d.forward = arena_alloc(a, width * sizeof(*d.forward));
		d.backward = arena_alloc(a, width * sizeof(*d.backward));
		d.middle = d.now.n + 2;
		compare(&d, (struct box){ 0, 0, d.was.n, d.now.n });
	}
	out = arena_alloc(a, width * sizeof(*out));
	*n = list_all(&d, out);
	*n = skip_far(out, *n, context < 0 ? 0 : context);
	return out;
}
