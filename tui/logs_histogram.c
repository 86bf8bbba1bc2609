/* SPDX-License-Identifier: MIT */
/*
 * Lines over time, the whole buffer in columns of equal width, drawn with letters: i info, w warn,
 * E error. It is for finding one's way: h and l go a column back and on in time.
 *
 *	 240|                                       EE EEEE
 *	 120|           w                         wEEEEEEEE   30 min, 20 s a column
 *	   0|iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii   E error  w warn  i info
 *	    13:38          13:43          13:48        [^==]  on screen
 *
 * A column is as high as its share of the fullest one. One error among ten thousand lines would
 * vanish in that, so whatever is there gets at least one letter, errors first. Where the lines of a source begin
 * that has older ones, columns grow though nothing happened: a ? stands there.
 */
#include "tui/logs_view.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

#define AXIS_COLS 6
#define LEGEND_COLS 27
#define COLUMNS_MAX 512
#define NS_PER_MS 1000000
#define LABEL_EVERY 15 /* columns */
#define BARS 4         /* rows of bars … */
#define BARS_LOW 2 /* … on a low screen, where the rule above them shows what is on the screen */

struct columns {
	int n;
	int64_t from_ms, step_ms;
	uint32_t (*count)[LOG_LEVELS];
	uint32_t max;
};

static bool is_wide(int cols)
{
	return cols >= TEXT_WIDE_COLS;
}

static int columns_for(int cols)
{
	int n = cols - AXIS_COLS - (is_wide(cols) ? LEGEND_COLS : 1);

	return n > COLUMNS_MAX ? COLUMNS_MAX : n;
}

/* The narrowest round width with which n columns hold span. */
static int64_t step_for(int64_t span_ms, int n)
{
	static const int steps[] = { 1,   2,   5,    10,   15,   20,   30,    60,    120,  300,
				     600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200 };
	size_t last = sizeof(steps) / sizeof(steps[0]) - 1, i = 0;
	int64_t step;

	while (i < last && (int64_t)steps[i] * 1000 * (n - 1) < span_ms)
		i++;
	step = (int64_t)steps[i] * 1000;
	while (step * (n - 1) < span_ms)
		step *= 2;
	return step;
}

/* False: there is nothing to draw. */
static bool columns_place(const struct logs_state *s, int cols, struct columns *k)
{
	int64_t first = s->counts.first_utc_ns / NS_PER_MS,
		last = s->counts.last_utc_ns / NS_PER_MS;

	*k = (struct columns){ .n = columns_for(cols) };
	if (first <= 0 || last < first || k->n < 10)
		return false;
	k->step_ms = step_for(last - first, k->n);
	/* Edges lie on round times, so that columns do not move with every line. */
	k->from_ms = (last / k->step_ms + 1 - k->n) * k->step_ms;
	return true;
}

static int column_at(const struct columns *k, int64_t utc_ns)
{
	int64_t at = (utc_ns / NS_PER_MS - k->from_ms) / k->step_ms;

	return utc_ns / NS_PER_MS < k->from_ms ? -1 : at >= k->n ? k->n - 1 : (int)at;
}

static void sums_of(const uint32_t count[LOG_LEVELS], uint32_t *info, uint32_t *warn,
		    uint32_t *error)
{
	*info = *warn = *error = 0;
	for (int l = 0; l < LOG_LEVELS; l++) {
		if (l >= LOG_LEVEL_ERROR)
			*error += count[l];
		else if (l == LOG_LEVEL_WARN)
			*warn += count[l];
		else
			*info += count[l];
	}
}

static void columns_read(struct logs_state *s, struct columns *k)
{
	k->count = mem_calloc((size_t)k->n, sizeof(*k->count));
	log_store_histogram(s->m->log_store, k->from_ms, k->from_ms + k->n * k->step_ms,
			    (size_t)k->n, k->count);
	for (int i = 0; i < k->n; i++) {
		uint32_t info, warn, error;

		sums_of(k->count[i], &info, &warn, &error);
		if (info + warn + error > k->max)
			k->max = info + warn + error;
	}
}

/* Cells of a part of a column, at least one when there is anything. */
static int cells_of(uint32_t part, uint32_t max, int rows)
{
	int n = max ? (int)(((uint64_t)part * (uint64_t)rows + max / 2) / max) : 0;

	return part > 0 && n == 0 ? 1 : n;
}

static void draw_column(const struct columns *k, int i, struct canvas *c, int col, struct rect r)
{
	static const char glyph[] = "Ewi";
	static const enum role role[] = { ROLE_FAIL, ROLE_WARN, ROLE_DIM };
	uint32_t info, warn, error;
	int cells[3], line = r.row + r.rows - 1;

	sums_of(k->count[i], &info, &warn, &error);
	cells[0] = cells_of(error, k->max, r.rows);
	cells[1] = cells_of(warn, k->max, r.rows);
	cells[2] = cells_of(info, k->max, r.rows);
	/* What is good makes room for what is not. */
	while (cells[0] + cells[1] + cells[2] > r.rows)
		cells[cells[2] > 0 ? 2 : cells[1] > 0 ? 1 : 0]--;
	for (int part = 2; part >= 0; part--)
		for (int n = 0; n < cells[part] && line >= r.row; n++, line--)
			canvas_fill(c, line, col, 1, role[part], glyph[part]);
}

static void draw_axis(const struct columns *k, struct canvas *c, struct rect r)
{
	char n[CLOCK_TEXT_SIZE];

	for (int i = 0; i < r.rows; i++) {
		uint64_t value = (uint64_t)k->max * (uint64_t)(r.rows - 1 - i) /
				 (uint64_t)(r.rows > 1 ? r.rows - 1 : 1);

		logs_number((int64_t)(i == 0 ? k->max : value), n);
		canvas_put_right(c, r.row + i, r.col, AXIS_COLS - 1, ROLE_DIM, sv_of(n));
		canvas_puts(c, r.row + i, r.col + AXIS_COLS - 1, 1, ROLE_RULE, "|");
	}
}

static void span_words(int64_t ms, char out[CLOCK_TEXT_SIZE])
{
	if (ms < 60000)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld s", (long long)(ms / 1000));
	else if (ms < 2 * (int64_t)3600000)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld min", (long long)(ms / 60000));
	else if (ms < 2 * (int64_t)86400000)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld h", (long long)(ms / 3600000));
	else
		snprintf(out, CLOCK_TEXT_SIZE, "%lld d", (long long)(ms / 86400000));
}

static void draw_legend(const struct logs_state *s, const struct columns *k, struct canvas *c,
			struct rect r)
{
	struct rect at = r;
	struct text_line l;
	char whole[CLOCK_TEXT_SIZE], one[CLOCK_TEXT_SIZE], n[CLOCK_TEXT_SIZE];

	at = rect_cut_cols(&at, -(LEGEND_COLS - 2));
	span_words(k->n * k->step_ms, whole);
	span_words(k->step_ms, one);
	l = text_line_at(c, at, 0);
	text_addf(&l, ROLE_DIM, "%s, %s a column", whole, one);
	l = text_line_at(c, at, 1);
	text_addf(&l, ROLE_FAIL, "E error  ");
	text_add(&l, ROLE_DIM,
		 logs_number(s->counts.level[LOG_LEVEL_ERROR] + s->counts.level[LOG_LEVEL_FATAL],
			     n));
	l = text_line_at(c, at, 2);
	text_add(&l, ROLE_WARN, "w warn   ");
	text_add(&l, ROLE_DIM, logs_number(s->counts.level[LOG_LEVEL_WARN], n));
	l = text_line_at(c, at, 3);
	text_add(&l, ROLE_DIM, "i other");
	if (s->counts.gaps)
		text_add(&l, ROLE_WARN, "  ? lines missing");
}

static void draw_times(const struct columns *k, struct canvas *c, struct rect r)
{
	int col = r.col + AXIS_COLS;
	char hms[CLOCK_TEXT_SIZE];

	for (int i = 0; i < k->n; i += LABEL_EVERY) {
		int64_t at = k->from_ms + i * k->step_ms;

		if (k->step_ms >= 3600000)
			clock_short(at, hms);
		else
			clock_hms(at, hms);
		/* Where columns are of minutes, no seconds. */
		if (k->step_ms >= 60000 && k->step_ms < 3600000)
			hms[5] = '\0';
		if (i + (int)strlen(hms) <= k->n)
			canvas_puts(c, r.row, col + i, k->n - i, ROLE_DIM, hms);
	}
}

/* Where lines of a source are missing, what is on the screen, and where the selection is: below the bars, or on the rule
 * above them. */
static void draw_span(const struct logs_state *s, const struct columns *k, struct canvas *c,
		      struct rect r, bool above)
{
	int col = r.col + AXIS_COLS;

	if (s->n_row) {
		const struct log_row *end = &s->row[s->n_row - 1];
		int first = column_at(k, s->row[0].line.utc_ns);
		int last = column_at(k, end->similar_utc_ns > end->line.utc_ns ? end->similar_utc_ns
									       : end->line.utc_ns);

		if (first >= 0 && last >= first) {
			canvas_fill(c, r.row, col + first, last - first + 1, ROLE_HEAD, '=');
			if (first < last) {
				canvas_fill(c, r.row, col + first, 1, ROLE_HEAD, '[');
				canvas_fill(c, r.row, col + last, 1, ROLE_HEAD, ']');
			}
		}
	}
	for (size_t i = 0; i < s->n_source; i++) {
		const struct log_source *src = &s->source[i];
		int at = src->gaps > 0 ? column_at(k, src->gap_utc_ns) : -1;

		if (at >= 0 && src->state != LOG_SOURCE_OFF)
			canvas_fill(c, r.row, col + at, 1, ROLE_WARN, '?');
	}
	if (s->paused && logs_selected(s)) {
		int at = column_at(k, logs_selected(s)->line.utc_ns);

		if (at >= 0)
			canvas_fill(c, r.row, col + at, 1, ROLE_SELECT, above ? 'v' : '^');
	}
}

static int bars_for(int rows)
{
	return rows >= 24 ? BARS : rows >= 15 ? BARS_LOW : 0;
}

int logs_histogram_rows(const struct logs_state *s, struct rect r)
{
	struct columns k;
	int bars = bars_for(r.rows);

	if (bars == 0 || !s->m->log_store || !columns_place(s, r.cols, &k))
		return 0;
	return 1 + bars + (bars > BARS_LOW ? 2 : 1);
}

void logs_draw_histogram(struct logs_state *s, struct canvas *c, struct rect r)
{
	struct rect bars, rule;
	struct columns k;

	if (r.rows < 3 || !columns_place(s, r.cols, &k))
		return;
	columns_read(s, &k);
	rule = rect_cut(&r, 1);
	canvas_rule(c, rule.row, rule.col, rule.cols);
	bars = rect_cut(&r, r.rows > BARS ? BARS : BARS_LOW);
	draw_axis(&k, c, bars);
	for (int i = 0; i < k.n; i++)
		draw_column(&k, i, c, bars.col + AXIS_COLS + i, bars);
	if (is_wide(bars.cols))
		draw_legend(s, &k, c, bars);
	draw_times(&k, c, rect_cut(&r, 1));
	/* A row of its own, or marks would cover times. */
	if (r.rows > 0)
		draw_span(s, &k, c, r, false);
	else
		draw_span(s, &k, c, rule, true);
	mem_free(k.count);
}

void logs_histogram_move(struct logs_state *s, int dir, int cols)
{
	struct log_query *q = s->m->log_query;
	const struct log_row *row = logs_selected(s);
	struct log_row before;
	struct columns k;
	struct log_pos to;
	int at;

	log_store_counts(s->m->log_store, &s->counts);
	if (!row || !columns_place(s, cols, &k))
		return;
	at = column_at(&k, row->line.utc_ns);
	if (dir > 0) {
		/* The row at the next edge; beyond the last one there is nothing but what comes. */
		to = log_query_at(q, (k.from_ms + (at + 1) * k.step_ms) * NS_PER_MS);
		if (to.chunk == 0 || at + 1 >= k.n)
			logs_resume(s);
		else
			logs_go(s, to);
		return;
	}
	/* The beginning of this column, or of the one of the row before it. */
	to = log_query_at(q, (k.from_ms + at * k.step_ms) * NS_PER_MS);
	if (to.chunk == 0 || logs_same(to, row->pos)) {
		to = log_query_step(q, row->pos, -1, NULL);
		if (log_query_read(q, to, &before, 1) == 1) {
			at = column_at(&k, before.line.utc_ns);
			to = log_query_at(q, (k.from_ms + at * k.step_ms) * NS_PER_MS);
		}
	}
	logs_go(s, to);
}
