/* SPDX-License-Identifier: MIT */
/*
 * Words, roles and small pieces of layout that every view uses, so that a pending migration is
 * called and coloured the same wherever it is seen. Words that ask for attention are in capitals:
 * on a monochrome terminal, and for who cannot tell red from green, they are all there is.
 */
#include "tui/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static const struct {
	const char *word;
	enum role role;
} cells[CELL_STATES] = {
	[CELL_NONE] = { "-", ROLE_DIM },           [CELL_UNKNOWN] = { "unknown", ROLE_WARN },
	[CELL_APPLIED] = { "ok", ROLE_OK },        [CELL_PENDING] = { "pending", ROLE_PENDING },
	[CELL_LATE] = { "late", ROLE_WARN },       [CELL_CHANGED] = { "CHANGED", ROLE_WARN },
	[CELL_MISSING] = { "MISSING", ROLE_WARN }, [CELL_FAILED] = { "FAILED", ROLE_FAIL },
	[CELL_PARTIAL] = { "PARTIAL", ROLE_FAIL },
};

const char *text_cell(enum cell_state s)
{
	return cells[s].word;
}

void text_cell_words(const struct cell *cell, bool narrow, struct strbuf *out)
{
	const struct applied *a = cell->applied;

	strbuf_adds(out, text_cell(cell->state));
	if (cell->state == CELL_PARTIAL && a && a->statements_total > 0)
		strbuf_addf(out, narrow ? " %lld/%lld" : " %lld of %lld",
			    (long long)a->statements_done, (long long)a->statements_total);
}

void text_history(const struct history *h, struct strbuf *out)
{
	if (!h || !h->tool) {
		strbuf_adds(out, "bascule");
		return;
	}
	strbuf_addf(out, "%s, read only", h->tool);
	if (h->n_head > 1)
		strbuf_addf(out, ", %zu heads", h->n_head);
	if (h->dirty)
		strbuf_adds(out, ", DIRTY");
	if (h->busy)
		strbuf_addf(out, ", %s", h->busy);
}

enum role text_cell_role(enum cell_state s)
{
	return cells[s].role;
}

enum role text_run_role(enum run_state s)
{
	switch (s) {
	case RUN_DONE:
		return ROLE_OK;
	case RUN_FAILED:
		return ROLE_FAIL;
	case RUN_PAUSED:
	case RUN_INTERRUPTED:
	case RUN_ROLLED_BACK:
	case RUN_ABORTED:
		return ROLE_WARN;
	default:
		return ROLE_PENDING;
	}
}

enum role text_step_role(enum step_state s)
{
	switch (s) {
	case STEP_DONE:
		return ROLE_OK;
	case STEP_FAILED:
		return ROLE_FAIL;
	case STEP_RUNNING:
		return ROLE_PENDING;
	case STEP_SKIPPED:
	case STEP_UNDONE:
		return ROLE_WARN;
	default:
		return ROLE_DIM;
	}
}

const char *text_gate(const struct gate *g)
{
	if (g->open)
		return "[ok]";
	return g->overridden ? "[--]" : "[no]";
}

enum role text_gate_role(const struct gate *g)
{
	if (g->open)
		return ROLE_OK;
	return g->overridden ? ROLE_WARN : ROLE_FAIL;
}

const char *text_mark(const struct env *env)
{
	return env->is_protected ? TEXT_PROTECTED : "";
}

void text_env(const struct env *env, bool upper, struct strbuf *out)
{
	strbuf_adds(out, text_mark(env));
	for (const char *p = env->name; *p; p++)
		strbuf_addc(out, upper && *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
}

char *text_when(int64_t utc_ms, int64_t now_utc_ms, char out[CLOCK_TEXT_SIZE])
{
	char both[CLOCK_TEXT_SIZE]; /* "21 Nov 13:40" */
	char *time;

	out[0] = '\0';
	if (utc_ms == 0)
		return out;
	clock_short(utc_ms, both);
	time = strrchr(both, ' ');
	if (!time) {
		str_copy(out, CLOCK_TEXT_SIZE, both);
	} else if (utc_ms / DAY_MS == now_utc_ms / DAY_MS) {
		str_copy(out, CLOCK_TEXT_SIZE, time + 1);
	} else {
		*time = '\0';
		str_copy(out, CLOCK_TEXT_SIZE, both);
	}
	return out;
}

char *text_bytes(int64_t bytes, char out[CLOCK_TEXT_SIZE])
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double value = (double)bytes;
	size_t u = 0;

	while (value >= 1000 && u + 1 < sizeof(unit) / sizeof(unit[0])) {
		value /= 1000;
		u++;
	}
	snprintf(out, CLOCK_TEXT_SIZE, u > 0 && value < 10 ? "%.1f %s" : "%.0f %s", value, unit[u]);
	return out;
}

char *text_checksum(const char *checksum, char out[CLOCK_TEXT_SIZE])
{
	const char *hex = checksum ? strchr(checksum, ':') : NULL;
	size_t n;

	out[0] = '\0';
	if (!hex)
		return out;
	hex++;
	n = strlen(hex);
	if (n < 8)
		str_copy(out, CLOCK_TEXT_SIZE, hex);
	else
		snprintf(out, CLOCK_TEXT_SIZE, "%.4s..%s", hex, hex + n - 2);
	return out;
}

void text_bar(struct strbuf *out, int cols, int64_t done, int64_t total)
{
	int inside = cols - 2;
	int filled;

	if (inside < 1)
		return;
	if (total <= 0)
		done = 0;
	else if (done > total)
		done = total;
	filled = total > 0 ? (int)(done * inside / total) : 0;
	strbuf_addc(out, '[');
	strbuf_pad(out, '#', (size_t)filled);
	strbuf_pad(out, '.', (size_t)(inside - filled));
	strbuf_addc(out, ']');
}

struct rect rect_cut(struct rect *r, int rows)
{
	struct rect cut = *r;
	int n = rows < 0 ? -rows : rows;

	if (n > r->rows)
		n = r->rows;
	cut.rows = n;
	if (rows < 0)
		cut.row = r->row + r->rows - n;
	else
		r->row += n;
	r->rows -= n;
	return cut;
}

struct rect rect_cut_cols(struct rect *r, int cols)
{
	struct rect cut = *r;
	int n = cols < 0 ? -cols : cols;

	if (n > r->cols)
		n = r->cols;
	cut.cols = n;
	if (cols < 0)
		cut.col = r->col + r->cols - n;
	else
		r->col += n;
	r->cols -= n;
	return cut;
}

struct text_line text_line_at(struct canvas *c, struct rect r, int line)
{
	struct text_line l = { .c = c, .row = r.row + line, .col = r.col, .end = r.col + r.cols };

	if (line < 0 || line >= r.rows)
		l.end = l.col; /* nothing fits */
	return l;
}

void text_add(struct text_line *l, enum role role, const char *text)
{
	l->col += canvas_puts(l->c, l->row, l->col, l->end - l->col, role, text);
}

void text_addf(struct text_line *l, enum role role, const char *fmt, ...)
{
	struct strbuf b;
	va_list ap;

	strbuf_init(&b, 4096);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	text_add(l, role, strbuf_str(&b));
	strbuf_clear(&b);
}

void text_skip_to(struct text_line *l, int col)
{
	if (col > l->col)
		l->col = col < l->end ? col : l->end;
}

/* How many bytes of text go on a line of cols columns: up to a blank where there is one. */
static size_t line_length(struct sv text, int cols)
{
	size_t last_blank = 0, n = 0;
	int used = 0;

	while (n < text.n) {
		uint32_t cp;
		size_t len = utf8_decode(sv_n(text.p + n, text.n - n), &cp);
		int width = len ? utf8_width(cp) : 1;

		if (len == 0)
			len = 1;
		if (width > 0 && used + width > cols)
			return last_blank > 0 ? last_blank : (n > 0 ? n : len);
		if (cp == ' ')
			last_blank = n;
		used += width > 0 ? width : 0;
		n += len;
	}
	return n;
}

int text_wrap(struct canvas *c, struct rect r, enum role role, struct sv text)
{
	struct strbuf clean;
	struct sv line, all;
	int used = 0;

	if (r.cols <= 0 || r.rows <= 0)
		return 0;
	/* Cleaned before it is measured: an escape is longer than the byte it stands for. */
	strbuf_init(&clean, (size_t)r.cols * (size_t)r.rows * CELL_TEXT + 64);
	clean_lines(&clean, text, c->ascii);
	all = strbuf_sv(&clean);
	while (used < r.rows && sv_cut(&all, '\n', &line)) {
		do {
			size_t n = line_length(line, r.cols);

			canvas_put(c, r.row + used++, r.col, r.cols, role, sv_n(line.p, n));
			while (n < line.n && line.p[n] == ' ')
				n++;
			line = sv_n(line.p + n, line.n - n);
		} while (line.n > 0 && used < r.rows);
	}
	strbuf_clear(&clean);
	return used;
}

int text_err(struct canvas *c, struct rect r, const struct err *e)
{
	struct rect rest = r;

	rect_cut_cols(&rest, 1); /* where every other line begins */
	rect_cut(&rest, text_wrap(c, rest, ROLE_FAIL, sv_of(e->msg)));
	rect_cut(&rest, text_wrap(c, rest, ROLE_TEXT, sv_of(e->detail)));
	rect_cut(&rest, text_wrap(c, rest, ROLE_DIM, sv_of(e->hint)));
	return r.rows - rest.rows;
}

int text_gate_draw(struct canvas *c, struct rect r, int line, const struct gate *g)
{
	struct text_line l;
	struct strbuf b;
	struct rect below = { r.row + line + 1, r.col + 7, r.rows - line - 1, r.cols - 7 };
	int used = 1;

	if (line >= r.rows)
		return 0;
	l = text_line_at(c, r, line);
	text_addf(&l, text_gate_role(g), "  %s ", text_gate(g));
	text_addf(&l, ROLE_TEXT, "%s: %s", g->name, g->measured);
	if (g->open || g->overridden || below.rows < 1)
		return used;
	strbuf_init(&b, 2048);
	strbuf_addf(&b, "try: %s", g->satisfy);
	used += text_wrap(c, below, ROLE_KEY, strbuf_sv(&b));
	strbuf_clear(&b);
	return used;
}

void text_env_heads(struct canvas *c, struct rect r, const struct project *p, int shown,
		    const char *lead)
{
	struct text_line l = text_line_at(c, r, 0);

	text_add(&l, ROLE_HEAD, lead);
	for (size_t i = 0; i < p->n_env; i++) {
		const struct env *env = &p->env[i];
		int col = l.col;

		text_addf(&l, env->is_protected ? ROLE_PROD : ROLE_TEXT, " %s%s ", text_mark(env),
			  env->name);
		if ((int)i == shown)
			canvas_paint(c, r.row, col, l.col - col,
				     env->is_protected ? ROLE_PROD_BAR : ROLE_SELECT,
				     !env->is_protected);
		text_add(&l, ROLE_TEXT, " ");
	}
}
