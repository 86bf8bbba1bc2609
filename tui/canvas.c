/* SPDX-License-Identifier: MIT */
/*
 * The grid of cells behind every screen.
 *
 * One property carries the rest: canvas_put changes no cell outside its field, whatever bytes it is
 * given. So text is first made harmless and laid out in columns by the same width table that counts
 * them, and cells are only ever written through cell_set, which knows the borders of the canvas.
 * The single exception is what a terminal does as well: half a wide character cannot stay, so
 * writing over one of its columns blanks the other.
 *
 * Most text is short printable ASCII. It is put without a copy; only other text goes through
 * clean_text and a buffer. How much of a long text can matter for a field is bounded by the field,
 * so a 64 MiB line costs no more than a short one.
 */
#include "tui/canvas.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/utf8.h"

/* A column shows at most one character with four marks, or a piece of an escape; selectors that
 * clean_text drops may stand between. */
#define BYTES_PER_COL 64

#define ELLIPSIS "\xe2\x80\xa6"

/* By enum role: name in themes, letter in golden role maps. */
static const struct {
	const char *name;
	char letter;
} roles[ROLES] = {
	[ROLE_TEXT] = { "text", '.' },
	[ROLE_DIM] = { "dim", 'd' },
	[ROLE_TITLE] = { "title", 't' },
	[ROLE_TAB] = { "tab", 'b' },
	[ROLE_TAB_ON] = { "tab-on", 'B' },
	[ROLE_HEAD] = { "head", 'h' },
	[ROLE_RULE] = { "rule", '-' },
	[ROLE_OK] = { "ok", 'o' },
	[ROLE_PENDING] = { "pending", 'p' },
	[ROLE_WARN] = { "warn", 'w' },
	[ROLE_FAIL] = { "fail", 'F' },
	[ROLE_PROD] = { "protected", '#' },
	[ROLE_PROD_BAR] = { "protected-bar", '=' },
	[ROLE_SELECT] = { "select", 's' },
	[ROLE_MARK] = { "mark", '+' },
	[ROLE_MATCH] = { "match", 'm' },
	[ROLE_ARMED] = { "armed", 'A' },
	[ROLE_KEY] = { "key", 'k' },
	[ROLE_INPUT] = { "input", 'i' },
	[ROLE_ADD] = { "add", 'a' },
	[ROLE_DEL] = { "del", 'x' },
};

const char *role_name(enum role r)
{
	return roles[r].name;
}

int role_of(const char *name)
{
	for (int r = 0; r < ROLES; r++)
		if (strcmp(roles[r].name, name) == 0)
			return r;
	return -1;
}

char role_letter(enum role r)
{
	return roles[r].letter;
}

void canvas_init(struct canvas *c, int rows, int cols, bool ascii)
{
	*c = (struct canvas){ .ascii = ascii };
	canvas_resize(c, rows, cols);
}

void canvas_clear(struct canvas *c)
{
	mem_free(c->cell);
	*c = (struct canvas){ 0 };
}

void canvas_resize(struct canvas *c, int rows, int cols)
{
	if (!c->cell || rows != c->rows || cols != c->cols) {
		mem_free(c->cell);
		c->rows = rows > 0 ? rows : 0;
		c->cols = cols > 0 ? cols : 0;
		c->cell = mem_calloc((size_t)c->rows * (size_t)c->cols + 1, sizeof(*c->cell));
	}
	canvas_erase(c);
}

void canvas_erase(struct canvas *c)
{
	static const struct canvas_cell blank = { .text = " ", .role = ROLE_TEXT };
	size_t n = (size_t)c->rows * (size_t)c->cols;

	for (size_t i = 0; i < n; i++)
		c->cell[i] = blank;
	c->cursor_row = c->cursor_col = -1;
}

static struct canvas_cell *cell_at(const struct canvas *c, int row, int col)
{
	if (row < 0 || row >= c->rows || col < 0 || col >= c->cols)
		return NULL;
	return &c->cell[(size_t)row * (size_t)c->cols + (size_t)col];
}

const struct canvas_cell *canvas_at(const struct canvas *c, int row, int col)
{
	return cell_at(c, row, col);
}

/* A column is about to be written: the other half of a wide character there becomes blank. */
static void cell_break(struct canvas *c, int row, int col)
{
	struct canvas_cell *here = cell_at(c, row, col);
	struct canvas_cell *left = cell_at(c, row, col - 1), *right = cell_at(c, row, col + 1);

	if (here->text[0] == '\0' && left)
		memcpy(left->text, " ", 2);
	if (right && right->text[0] == '\0')
		memcpy(right->text, " ", 2);
}

/* Writes one character of width columns, n < CELL_TEXT bytes. The caller has seen to it that the
 * columns lie inside the canvas. */
static void cell_set(struct canvas *c, int row, int col, const char *text, size_t n, int width,
		     enum role role)
{
	for (int i = 0; i < width; i++) {
		struct canvas_cell *cell = cell_at(c, row, col + i);

		cell_break(c, row, col + i);
		memcpy(cell->text, text, n);
		cell->text[n] = '\0';
		cell->role = (uint8_t)role;
		cell->reverse = false;
		n = 0; /* the second column holds nothing */
	}
}

/* Behind what was put: a mark of the character before it. Marks that do not fit are left out. */
static void cell_add_mark(struct canvas *c, int row, int col, const char *text, size_t n)
{
	struct canvas_cell *cell = cell_at(c, row, col);
	size_t len;

	if (cell && cell->text[0] == '\0')
		cell = cell_at(c, row, col - 1);
	if (!cell)
		return;
	len = strlen(cell->text);
	if (len == 0 || len + n >= CELL_TEXT)
		return;
	memcpy(cell->text + len, text, n);
	cell->text[len + n] = '\0';
}

/* A field clipped to the canvas. */
struct field {
	int row, col, cols;
	int skip; /* columns of the text that lie left of the canvas */
};

static bool field_clip(const struct canvas *c, struct field *f)
{
	f->skip = 0;
	if (f->row < 0 || f->row >= c->rows || f->cols <= 0 || f->col >= c->cols)
		return false;
	if (f->col < 0) {
		f->skip = -f->col;
		f->cols += f->col;
		f->col = 0;
	}
	if (f->cols > c->cols - f->col)
		f->cols = c->cols - f->col;
	return f->cols > 0;
}

/* Bytes of text that are printable ASCII, looking at most at n. */
static size_t plain_run(struct sv text, size_t n)
{
	size_t i = 0;

	if (n > text.n)
		n = text.n;
	while (i < n && text.p[i] >= 0x20 && text.p[i] < 0x7f)
		i++;
	return i;
}

static void put_ellipsis(struct canvas *c, int row, int col, enum role role)
{
	if (c->ascii)
		cell_set(c, row, col, "~", 1, 1, role);
	else
		cell_set(c, row, col, ELLIPSIS, sizeof(ELLIPSIS) - 1, 1, role);
}

/* Puts cleaned text into at most cols columns from (row, col); what does not fit is left out. */
static int put_clean(struct canvas *c, int row, int col, int cols, enum role role, struct sv text)
{
	int used = 0;

	while (text.n > 0) {
		uint32_t cp;
		size_t n = utf8_decode(text, &cp);
		int width;

		if (n == 0)
			break;
		width = utf8_width(cp);
		if (width == 0 && used > 0) {
			cell_add_mark(c, row, col + used - 1, text.p, n);
		} else if (width > 0) {
			if (used + width > cols)
				break;
			cell_set(c, row, col + used, text.p, n, width, role);
			used += width;
		}
		text.p += n;
		text.n -= n;
	}
	return used;
}

static int put_foreign(struct canvas *c, const struct field *f, enum role role, struct sv text)
{
	size_t most = ((size_t)f->cols + 1) * BYTES_PER_COL;
	struct strbuf clean;
	int used;

	if (text.n > most)
		text.n = most;
	strbuf_init(&clean, most * 8);
	clean_text(&clean, text, c->ascii);
	if (utf8_cols(strbuf_sv(&clean)) <= (size_t)f->cols) {
		used = put_clean(c, f->row, f->col, f->cols, role, strbuf_sv(&clean));
	} else {
		used = put_clean(c, f->row, f->col, f->cols - 1, role, strbuf_sv(&clean));
		/* A wide character that did not fit leaves one column. */
		for (; used < f->cols - 1; used++)
			cell_set(c, f->row, f->col + used, " ", 1, 1, role);
		put_ellipsis(c, f->row, f->col + used, role);
		used++;
	}
	strbuf_clear(&clean);
	return used;
}

int canvas_put(struct canvas *c, int row, int col, int cols, enum role role, struct sv text)
{
	struct field f = { .row = row, .col = col, .cols = cols };
	bool cut;
	int n;

	if (!field_clip(c, &f))
		return 0;
	if (f.skip > 0) {
		/* Left of the canvas: views do not do this; only plain text is worth the trouble. */
		size_t skip = plain_run(text, (size_t)f.skip);

		text.p += skip;
		text.n -= skip;
	}
	if (plain_run(text, (size_t)f.cols + 1) <
	    (text.n < (size_t)f.cols + 1 ? text.n : (size_t)f.cols + 1))
		return put_foreign(c, &f, role, text);
	cut = text.n > (size_t)f.cols;
	n = cut ? f.cols - 1 : (int)text.n;
	for (int i = 0; i < n; i++)
		cell_set(c, f.row, f.col + i, text.p + i, 1, 1, role);
	if (cut)
		put_ellipsis(c, f.row, f.col + n, role);
	return cut ? f.cols : n;
}

int canvas_puts(struct canvas *c, int row, int col, int cols, enum role role, const char *text)
{
	return canvas_put(c, row, col, cols, role, sv_of(text));
}

int canvas_putf(struct canvas *c, int row, int col, int cols, enum role role, const char *fmt, ...)
{
	struct strbuf b;
	va_list ap;
	int used;

	strbuf_init(&b, ((size_t)(cols > 0 ? cols : 0) + 1) * BYTES_PER_COL + 4096);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	used = canvas_put(c, row, col, cols, role, strbuf_sv(&b));
	strbuf_clear(&b);
	return used;
}

int canvas_put_right(struct canvas *c, int row, int col, int cols, enum role role, struct sv text)
{
	size_t width = utf8_cols(text);

	if (cols > 0 && width < (size_t)cols) {
		col += cols - (int)width;
		cols = (int)width;
	}
	return canvas_put(c, row, col, cols, role, text);
}

/* cols times the same one-column glyph, already known to be harmless. */
static void put_glyph(struct canvas *c, int row, int col, int cols, enum role role,
		      const char *glyph)
{
	struct field f = { .row = row, .col = col, .cols = cols };

	if (!field_clip(c, &f))
		return;
	for (int i = 0; i < f.cols; i++)
		cell_set(c, f.row, f.col + i, glyph, strlen(glyph), 1, role);
}

void canvas_fill(struct canvas *c, int row, int col, int cols, enum role role, char ch)
{
	char glyph[2] = { ch >= 0x20 && ch < 0x7f ? ch : ' ', '\0' };

	put_glyph(c, row, col, cols, role, glyph);
}

void canvas_rule(struct canvas *c, int row, int col, int cols)
{
	put_glyph(c, row, col, cols, ROLE_RULE, c->ascii ? "-" : "\xe2\x94\x80");
}

void canvas_vrule(struct canvas *c, int row, int col, int rows)
{
	for (int i = 0; i < rows; i++)
		put_glyph(c, row + i, col, 1, ROLE_RULE, c->ascii ? "|" : "\xe2\x94\x82");
}

void canvas_paint(struct canvas *c, int row, int col, int cols, enum role role, bool reverse)
{
	struct field f = { .row = row, .col = col, .cols = cols };

	if (!field_clip(c, &f))
		return;
	for (int i = 0; i < f.cols; i++) {
		struct canvas_cell *cell = cell_at(c, f.row, f.col + i);

		cell->role = (uint8_t)role;
		cell->reverse = reverse;
	}
}

void canvas_box(struct canvas *c, int row, int col, int rows, int cols, enum role role)
{
	static const char *const lines[] = { "\xe2\x94\x8c", "\xe2\x94\x90", "\xe2\x94\x94",
					     "\xe2\x94\x98", "\xe2\x94\x80", "\xe2\x94\x82" };
	static const char *const ascii[] = { "+", "+", "+", "+", "-", "|" };
	const char *const *g = c->ascii ? ascii : lines;

	if (rows < 2 || cols < 2)
		return;
	for (int i = 0; i < rows; i++) {
		bool edge = i == 0 || i == rows - 1;

		put_glyph(c, row + i, col, 1, role, edge ? g[i == 0 ? 0 : 2] : g[5]);
		put_glyph(c, row + i, col + 1, cols - 2, role, edge ? g[4] : " ");
		put_glyph(c, row + i, col + cols - 1, 1, role, edge ? g[i == 0 ? 1 : 3] : g[5]);
	}
}

void canvas_dump(const struct canvas *c, struct strbuf *out)
{
	for (int row = 0; row < c->rows; row++) {
		int end = c->cols;

		while (end > 0 && strcmp(canvas_at(c, row, end - 1)->text, " ") == 0)
			end--;
		for (int col = 0; col < end; col++)
			strbuf_adds(out, canvas_at(c, row, col)->text);
		strbuf_addc(out, '\n');
	}
}

void canvas_dump_roles(const struct canvas *c, struct strbuf *out)
{
	for (int row = 0; row < c->rows; row++) {
		int end = c->cols;

		while (end > 0 && canvas_at(c, row, end - 1)->role == ROLE_TEXT)
			end--;
		for (int col = 0; col < end; col++)
			strbuf_addc(out, role_letter(canvas_at(c, row, col)->role));
		strbuf_addc(out, '\n');
	}
}
