/* SPDX-License-Identifier: MIT */
/*
 * The rows of the logs.
 *
 *	>14:05:50.003 #b ERROR upstream timeout after 5000 ms: pool exhausted    +11 lines  +37 similar
 *
 * The level and the time of a line stand in columns of their own, so the text begins behind what the
 * line itself says of them. A record of fields (JSON, logfmt) is shown as its message, then the rest
 * of its fields; when what is searched for is found in neither, the line is shown as it came, because
 * who searches must see what was found.
 *
 * A line may be a megabyte. Only its beginning is read, as much as may be seen; it is cleaned once,
 * and what is painted afterwards is measured in what was cleaned. Lines that do not fit are cut, or
 * wrapped with `w` (to LINES_MAX, the rest is in the opened record).
 */
#include "tui/logs_view.h"

#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"

#define FIELDS_READ \
	((size_t)16 << 10) /* of a longer record of fields the line is shown as it came */
#define FIELDS_MAX 32
#define BYTES_PER_COL 20 /* a character with its marks */
#define LINES_MAX 12     /* of one row when wrapped */
#define NS_PER_MS 1000000
#define NS_PER_S INT64_C(1000000000)
#define CLEAN_MAX ((size_t)1 << 20)

enum role logs_level_role(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_FATAL:
	case LOG_LEVEL_ERROR:
		return ROLE_FAIL;
	case LOG_LEVEL_WARN:
		return ROLE_WARN;
	case LOG_LEVEL_DEBUG:
	case LOG_LEVEL_TRACE:
		return ROLE_DIM;
	default:
		return ROLE_TEXT;
	}
}

/* --- What a row says ----------------------------------------------------------------------------- */

/* What stands in columns of its own already, or is the message itself. */
static bool is_told(struct sv name, struct sv value, struct sv message)
{
	static const char *const told[] = { "level", "lvl",        "severity", "time",
					    "ts",    "@timestamp", "timestamp" };

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (sv_eq_str(name, told[i]))
			return true;
	return message.n > 0 && sv_eq(value, message);
}

/* "message  name=value name=value"; false when it has no fields that can be read. */
static bool fields_text(struct sv line, enum log_shape shape, struct strbuf *out)
{
	struct log_field field[FIELDS_MAX];
	struct strbuf buf, message;
	size_t n;

	if (line.n > FIELDS_READ)
		return false;
	strbuf_init(&buf, 4 * FIELDS_READ);
	strbuf_init(&message, 2 * FIELDS_READ);
	n = log_fields_read(line, shape, &buf, field, FIELDS_MAX);
	log_message(line, shape, &message);
	strbuf_addsv(out, strbuf_sv(&message));
	for (size_t i = 0; i < n; i++) {
		if (is_told(field[i].name, field[i].value, strbuf_sv(&message)))
			continue;
		strbuf_adds(out, out->len ? "  " : "");
		strbuf_addsv(out, field[i].name);
		strbuf_addc(out, '=');
		strbuf_addsv(out, field[i].value);
	}
	strbuf_clear(&buf);
	strbuf_clear(&message);
	return n > 0;
}

static void raw_text(const struct log_row *row, size_t max, struct strbuf *out)
{
	struct sv text = row->line.text;
	struct log_record rec;

	if (text.n > max)
		text.n = max;
	if (row->line.kind == LOG_LINE && row->line.shape == LOG_TEXT) {
		log_record_read(text, -1, &rec);
		/* What was found stands in what would be left out. */
		if (rec.body < text.n && !(row->matches && row->match_from < rec.body)) {
			text.p += rec.body;
			text.n -= rec.body;
		}
	}
	strbuf_addsv(out, text);
}

void logs_row_text(const struct logs_state *s, const struct log_row *row, size_t max, bool ascii,
		   struct strbuf *out)
{
	enum log_shape shape = (enum log_shape)row->line.shape;
	struct strbuf raw;

	strbuf_init(&raw, CLEAN_MAX);
	if (row->line.kind == LOG_LINE && shape != LOG_TEXT &&
	    !fields_text(row->line.text, shape, &raw))
		strbuf_reset(&raw);
	if (row->matches && raw.len > 0 && s->pattern &&
	    !log_pattern_match(s->pattern, strbuf_sv(&raw), NULL, NULL))
		strbuf_reset(&raw);
	if (raw.len == 0)
		raw_text(row, max, &raw);
	clean_text(out, sv_n(strbuf_str(&raw), raw.len < max ? raw.len : max), ascii);
	strbuf_clear(&raw);
}

/* --- Columns ------------------------------------------------------------------------------------ */

static int time_cols(const struct logs_state *s, int cols)
{
	switch (s->time) {
	case LOGS_TIME_DAY:
		return cols >= TEXT_WIDE_COLS ? 13 : 9;
	case LOGS_TIME_DATE:
		return cols >= TEXT_WIDE_COLS ? 20 : 16;
	case LOGS_TIME_AGO:
		return 10;
	default:
		return 0;
	}
}

/* Behind the cursor's column: time, mark and letter of the source, level. */
static int text_col(const struct logs_state *s, int cols)
{
	return 1 + time_cols(s, cols) + 3 + 6;
}

static void draw_time(const struct logs_state *s, const struct log_row *row, struct canvas *c,
		      int line, struct rect r)
{
	int64_t ms = row->line.utc_ns / NS_PER_MS;
	int cols = time_cols(s, r.cols);
	char iso[CLOCK_TEXT_SIZE], text[2 * CLOCK_TEXT_SIZE];

	if (cols == 0 || row->line.utc_ns == 0)
		return;
	clock_iso_ms(ms, iso); /* 2026-11-21T14:05:49.114Z */
	if (s->time == LOGS_TIME_AGO) {
		clock_ago(s->m->now_utc_ms - ms, text);
	} else if (s->time == LOGS_TIME_DATE) {
		/* "21 Nov 14:05:49.114": the day and month of clock_short. */
		char day[CLOCK_TEXT_SIZE];

		clock_short(ms, day);
		snprintf(text, sizeof(text), "%.6s %.*s", day, cols - 8, iso + 11);
	} else {
		snprintf(text, sizeof(text), "%.*s", cols - 1, iso + 11);
	}
	canvas_puts(c, line, r.col + 1, cols - 1, row->line.late ? ROLE_WARN : ROLE_DIM, text);
}

static void draw_source(const struct logs_state *s, const struct log_row *row, struct canvas *c,
			int line, int col)
{
	size_t source = row->line.source;
	bool prod = source < s->n_source && s->source[source].is_protected;
	char letter[2] = { logs_letter(s, source), '\0' };

	if (prod)
		canvas_puts(c, line, col, 1, ROLE_PROD, TEXT_PROTECTED);
	canvas_puts(c, line, col + 1, 1, prod ? ROLE_PROD : ROLE_HEAD, letter);
}

/* What stands at the right end: how much is folded, of which kind it is. */
static void tags(const struct log_row *row, bool wide, struct strbuf *out)
{
	char last[CLOCK_TEXT_SIZE];

	if (row->continued)
		strbuf_addf(out, "  +%u line%s%s", row->continued, row->continued == 1 ? "" : "s",
			    wide ? ", Enter opens" : "");
	if (row->similar) {
		/* How many besides it, or, as it is read alone, how often. */
		if (wide)
			strbuf_addf(out, "  +%u similar", row->similar);
		else
			strbuf_addf(out, "  x %u", row->similar + 1);
		/* The row's own time is that of the first: a live log would look as if it had stopped. */
		if (row->similar_utc_ns / NS_PER_S > row->line.utc_ns / NS_PER_S)
			strbuf_addf(out, ", last %.8s",
				    clock_iso_ms(row->similar_utc_ns / NS_PER_MS, last) + 11);
	}
	if (row->line.shape == LOG_JSON)
		strbuf_adds(out, "  json");
	if (row->line.late)
		strbuf_adds(out, "  late");
}

/* Paints what is searched for in a stretch of cleaned text that begins at column col. */
static void paint_matches(const struct logs_state *s, struct canvas *c, int line, int col, int cols,
			  struct sv text)
{
	size_t at = 0, from, to;

	while (s->pattern && at < text.n &&
	       log_pattern_match(s->pattern, sv_n(text.p + at, text.n - at), &from, &to)) {
		int first = (int)utf8_cols(sv_n(text.p, at + from));
		int n = (int)utf8_cols(sv_n(text.p + at + from, to - from));

		if (first >= cols)
			return;
		canvas_paint(c, line, col + first, n < cols - first ? n : cols - first, ROLE_MATCH,
			     false);
		at += to > from ? to : to + 1;
	}
}

size_t logs_piece(struct sv text, int cols)
{
	size_t n = 0;
	int used = 0;

	while (n < text.n) {
		uint32_t cp;
		size_t len = utf8_decode(sv_n(text.p + n, text.n - n), &cp);
		int width = len ? utf8_width(cp) : 1;

		len = len ? len : 1;
		if (width > 0 && used + width > cols)
			return n ? n : len;
		used += width > 0 ? width : 0;
		n += len;
	}
	return n;
}

static int text_cols(const struct logs_state *s, int cols)
{
	int room = cols - text_col(s, cols);

	return room > 1 ? room : 1;
}

static int height_of(const struct logs_state *s, const struct log_row *row, int cols)
{
	int room = text_cols(s, cols), lines = 0;
	size_t max = (size_t)room * LINES_MAX * BYTES_PER_COL;
	struct strbuf text;
	struct sv rest;

	if (!s->wrap || row->line.kind != LOG_LINE)
		return 1;
	strbuf_init(&text, CLEAN_MAX);
	logs_row_text(s, row, max, false, &text);
	tags(row, false, &text);
	rest = strbuf_sv(&text);
	do {
		size_t n = logs_piece(rest, room);

		rest = sv_n(rest.p + n, rest.n - n);
		lines++;
	} while (rest.n > 0 && lines < LINES_MAX);
	strbuf_clear(&text);
	return lines;
}

static enum role text_role(const struct log_row *row)
{
	enum role role = logs_level_role((enum log_level)row->line.level);

	return role == ROLE_DIM || row->line.continues ? ROLE_DIM : ROLE_TEXT;
}

/* Lines skip..skip + lines of it. */
static void draw_wrapped(const struct logs_state *s, const struct log_row *row, struct canvas *c,
			 int line, int skip, int lines, int col, int cols)
{
	int last = height_of(s, row, c->cols) - 1;
	struct strbuf text;
	struct sv rest;

	strbuf_init(&text, CLEAN_MAX);
	logs_row_text(s, row, (size_t)cols * LINES_MAX * BYTES_PER_COL, c->ascii, &text);
	tags(row, false, &text);
	rest = strbuf_sv(&text);
	for (int i = 0; i < skip + lines && rest.n > 0; i++) {
		size_t n = i < last ? logs_piece(rest, cols) : rest.n;

		if (i >= skip) {
			canvas_put(c, line + i - skip, col, cols, text_role(row), sv_n(rest.p, n));
			paint_matches(s, c, line + i - skip, col, cols, sv_n(rest.p, n));
		}
		rest = sv_n(rest.p + n, rest.n - n);
	}
	strbuf_clear(&text);
}

static void draw_cut(const struct logs_state *s, const struct log_row *row, struct canvas *c,
		     int line, int col, int cols)
{
	struct strbuf text, end;
	int kept, used;

	strbuf_init(&text, CLEAN_MAX);
	strbuf_init(&end, 128);
	tags(row, cols >= TEXT_WIDE_COLS - 25, &end);
	kept = (int)utf8_cols(strbuf_sv(&end));
	if (kept > cols / 2)
		kept = 0;
	if (row->line.continues)
		col += canvas_puts(c, line, col, cols, ROLE_DIM, "| "), cols -= 2;
	logs_row_text(s, row, (size_t)(cols > 0 ? cols + 1 : 1) * BYTES_PER_COL, c->ascii, &text);
	used = canvas_put(c, line, col, cols - kept, text_role(row), strbuf_sv(&text));
	paint_matches(s, c, line, col, used, strbuf_sv(&text));
	if (kept)
		canvas_put(c, line, col + cols - kept, kept, ROLE_DIM, strbuf_sv(&end));
	strbuf_clear(&text);
	strbuf_clear(&end);
}

/* "---- #b older lines not fetched  Enter fetches them ----"; what is lost for good promises nothing. */
static void draw_note(const struct logs_state *s, const struct log_row *row, struct canvas *c,
		      int line, struct rect r)
{
	bool gap = row->line.kind == LOG_GAP;
	bool fetched = gap && sv_starts(row->line.text, SV(LOG_GAP_OLDER));
	enum role role = gap ? ROLE_WARN : ROLE_DIM;
	struct rect whole = { line, r.col + 1 + time_cols(s, r.cols), 1,
			      r.cols - 1 - time_cols(s, r.cols) };
	struct text_line l = text_line_at(c, whole, 0);
	struct sv text = row->line.text;
	int rest;

	draw_source(s, row, c, line, l.col);
	l.col += 3;
	text_add(&l, role, "---- ");
	if (text.n > (size_t)r.cols * BYTES_PER_COL)
		text.n = (size_t)r.cols * BYTES_PER_COL;
	l.col += canvas_put(c, line, l.col, l.end - l.col - (fetched ? 23 : 1), role, text);
	if (fetched)
		text_add(&l, ROLE_KEY, "  Enter fetches them");
	text_add(&l, role, " ");
	rest = l.end - l.col;
	canvas_fill(c, line, l.col, rest < 4 ? rest : 4, role, '-');
}

static void paint_selected(struct canvas *c, int line, int lines, struct rect r)
{
	for (int i = 0; i < lines; i++)
		for (int col = r.col; col < r.col + r.cols; col++) {
			const struct canvas_cell *cell = canvas_at(c, line + i, col);
			bool plain = cell && (cell->role == ROLE_TEXT || cell->role == ROLE_DIM);

			if (cell)
				canvas_paint(c, line + i, col, 1,
					     plain ? ROLE_SELECT : (enum role)cell->role, true);
		}
	canvas_puts(c, line, r.col, 1, ROLE_SELECT, ">");
	canvas_paint(c, line, r.col, 1, ROLE_SELECT, true);
}

/* What stands before the text, on its first line. */
static void draw_head(const struct logs_state *s, const struct log_row *row, struct canvas *c,
		      int line, struct rect r)
{
	enum log_level level = (enum log_level)row->line.level;

	draw_time(s, row, c, line, r);
	if (row->line.kind != LOG_LINE) {
		draw_note(s, row, c, line, r);
		return;
	}
	draw_source(s, row, c, line, r.col + 1 + time_cols(s, r.cols));
	canvas_puts(c, line, r.col + text_col(s, r.cols) - 6, 5, logs_level_role(level),
		    log_level_name(level));
}

/* Into the rows of r, of which there are fewer at the end; skip of its lines lie above. How many it took. */
static int draw_row(const struct logs_state *s, const struct log_row *row, struct canvas *c,
		    struct rect r, int skip)
{
	int all = height_of(s, row, r.cols), lines = all - skip;
	int col = r.col + text_col(s, r.cols), cols = r.cols - text_col(s, r.cols);
	bool on = s->paused && logs_same(row->pos, s->at);

	if (lines > r.rows)
		lines = r.rows;
	if (skip == 0)
		draw_head(s, row, c, r.row, r);
	if (row->line.kind == LOG_LINE && all > 1)
		draw_wrapped(s, row, c, r.row, skip, lines, col, cols);
	else if (row->line.kind == LOG_LINE)
		draw_cut(s, row, c, r.row, col, cols);
	if (on)
		paint_selected(c, r.row, lines, r);
	if (logs_marked(s, row->pos)) {
		canvas_puts(c, r.row, r.col, 1, ROLE_MARK, "+");
		canvas_paint(c, r.row, r.col, 1, ROLE_MARK, on);
	}
	return lines;
}

/* --- Nothing to show ------------------------------------------------------------------------------ */

static void draw_nothing(const struct logs_state *s, struct canvas *c, struct rect r)
{
	size_t connecting = 0;
	char n[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < s->n_source; i++)
		connecting += s->source[i].state == LOG_SOURCE_CONNECTING;
	if (s->n_choice == 0 && s->n_source == 0)
		canvas_puts(
			c, r.row, r.col + 1, r.cols - 2, ROLE_DIM,
			"Nothing is followed: L on a service in Envs or Services, or Tab here.");
	else if (s->counts.lines > 0 && !s->totals.complete)
		canvas_puts(c, r.row, r.col + 1, r.cols - 2, ROLE_DIM, "searching …");
	else if (s->counts.lines > 0)
		canvas_putf(c, r.row, r.col + 1, r.cols - 2, ROLE_WARN,
			    "None of %s lines is shown: level, filters or hidden sources keep them "
			    "back.",
			    logs_number(s->counts.lines, n));
	else
		canvas_puts(c, r.row, r.col + 1, r.cols - 2, ROLE_DIM,
			    connecting ? "connecting …"
				       : "No line since then. New ones appear here; s reads "
					 "further back.");
}

void logs_draw_rows(struct logs_state *s, struct canvas *c, struct rect r)
{
	size_t first;
	int skip;

	if (r.rows < 1)
		return;
	first = logs_read_rows(s, r.rows, height_of, r.cols, &skip);
	if (s->n_row == 0)
		draw_nothing(s, c, r);
	for (size_t i = first; i < s->n_row && r.rows > 0; i++)
		rect_cut(&r, draw_row(s, &s->row[i], c, r, i == first ? skip : 0));
	/* Their texts are not ours any more behind the next read: nobody may look at them. */
	for (size_t i = 0; i < s->n_row; i++)
		s->row[i].line.text = sv_n("", 0);
	if (first > 0 && s->n_row) {
		memmove(s->row, s->row + first, (s->n_row - first) * sizeof(s->row[0]));
		s->n_row -= first;
	}
}
