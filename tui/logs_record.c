/* SPDX-License-Identifier: MIT */
/*
 * One record in full, below the rows: when, from where, its fields, then all of its lines, wrapped;
 * j and k scroll in it. What is shown is a copy that stays while the log goes on.
 */
#include "tui/logs_view.h"

#include <string.h>

#include "core/base/utf8.h"

#define RECORD_MAX ((size_t)256 << 10) /* of its text; the rest is only in an export */
#define FIELDS_MAX 256
#define LIST_ROWS_MIN 3
#define NS_PER_MS 1000000

static void add_head(const struct logs_state *s, const struct log_row *row, struct strbuf *out)
{
	const struct log_line *line = &row->line;
	char at[CLOCK_TEXT_SIZE];

	strbuf_adds(out, line->utc_ns ? clock_iso_ms(line->utc_ns / NS_PER_MS, at) : "no time");
	if (line->source < s->n_source) {
		const struct log_source *src = &s->source[line->source];

		strbuf_addf(out, "  %s%s/%s on %s", src->is_protected ? TEXT_PROTECTED : "",
			    src->environment, src->service, src->host);
	}
	if (line->level)
		strbuf_addf(out, "  %s", log_level_name((enum log_level)line->level));
	if (line->is_err)
		strbuf_adds(out, "  stderr");
	if (line->late)
		strbuf_adds(out, "  came late: later ones had been shown");
	if (row->similar)
		strbuf_addf(out, "  %u similar ones are folded into it", row->similar);
	if (row->similar_utc_ns)
		strbuf_addf(out, ", the last at %.12s",
			    clock_iso_ms(row->similar_utc_ns / NS_PER_MS, at) + 11);
	strbuf_addc(out, '\n');
}

static void add_fields(struct sv line, enum log_shape shape, struct strbuf *out)
{
	struct log_field field[FIELDS_MAX];
	struct strbuf buf;
	size_t n;

	if (shape == LOG_TEXT)
		return;
	strbuf_init(&buf, 4 * RECORD_MAX);
	n = log_fields_read(line, shape, &buf, field, FIELDS_MAX);
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(out, "  ");
		strbuf_addsv(out, field[i].name);
		strbuf_adds(out, ": ");
		strbuf_addsv(out, field[i].value);
		strbuf_addc(out, '\n');
	}
	strbuf_clear(&buf);
}

void logs_record_close(struct logs_state *s)
{
	strbuf_clear(&s->record.text);
	s->record = (struct logs_record){ 0 };
}

void logs_record_open(struct logs_state *s, struct log_pos pos)
{
	struct log_query *q = s->m->log_query;
	struct strbuf raw, lines;
	struct log_row row;

	logs_record_close(s);
	if (log_query_read(q, pos, &row, 1) != 1)
		return;
	strbuf_init(&raw, RECORD_MAX * 5);
	strbuf_init(&lines, RECORD_MAX);
	add_head(s, &row, &raw);
	if (row.line.text.n > RECORD_MAX)
		row.line.text.n = RECORD_MAX;
	add_fields(row.line.text, (enum log_shape)row.line.shape, &raw);
	log_query_record(q, pos, &lines);
	strbuf_addsv(&raw, strbuf_sv(&lines));
	if (!strbuf_ok(&lines))
		strbuf_adds(&raw, "\n… it is longer than can be shown here: > writes it whole\n");
	strbuf_init(&s->record.text, STRBUF_NO_LIMIT);
	clean_lines(&s->record.text, strbuf_sv(&raw), false);
	strbuf_clear(&raw);
	strbuf_clear(&lines);
	s->record.line = row.line;
	s->record.line.text = sv_n("", 0);
	s->record.pos = row.pos;
	s->record.open = true;
}

/* Paints the wrapped lines from skip on that fit; returns how many there are. */
static int paint(const struct logs_state *s, struct canvas *c, struct rect r, int skip)
{
	struct sv rest = strbuf_sv(&s->record.text), line;
	int n = 0;

	while (sv_cut(&rest, '\n', &line)) {
		enum role role = n == 0 ? ROLE_HEAD : ROLE_TEXT;

		do {
			size_t take = line.n ? logs_piece(line, r.cols - 2) : 0;

			if (n >= skip && n - skip < r.rows)
				canvas_put(c, r.row + n - skip, r.col + 1, r.cols - 2, role,
					   sv_n(line.p, take));
			line = sv_n(line.p + take, line.n - take);
			n++;
		} while (line.n > 0);
	}
	return n;
}

void logs_draw_record(struct logs_state *s, struct canvas *c, struct rect *r)
{
	struct rect pane;
	int all, last;

	if (!s->record.open || r->rows < LIST_ROWS_MIN + 3)
		return;
	pane = rect_cut(r, -(r->rows * 3 / 5));
	canvas_rule(c, pane.row, pane.col, pane.cols);
	rect_cut(&pane, 1);
	all = paint(s, c, (struct rect){ pane.row, pane.col, 0, pane.cols }, 0);
	last = all > pane.rows ? all - pane.rows : 0;
	s->record.scroll = s->record.scroll > last ? last : s->record.scroll;
	s->record.lines = all;
	paint(s, c, pane, s->record.scroll);
	if (last > 0)
		canvas_putf(c, pane.row - 1, pane.col + 2, pane.cols - 4, ROLE_DIM,
			    " lines %d to %d of %d ", s->record.scroll + 1,
			    s->record.scroll + pane.rows, all);
}
