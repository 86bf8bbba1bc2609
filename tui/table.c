/* SPDX-License-Identifier: MIT */
/*
 * The list: an array of row numbers in the order they are shown, and a position in it.
 *
 * Everything that changes what is shown (new data, filter, sort, folding) makes the array anew from
 * the natural order. That is linear (n log n when sorted) and takes a millisecond or two for 10,000
 * rows, so nothing is kept up to date bit by bit. What must survive is kept by key: the selected
 * row and the marks.
 *
 * Find does not change what is shown: it moves the selection, and drawing marks what it found. It
 * is case-sensitive only when the text has a capital letter. Case folding is ASCII: names of
 * migrations and environments are.
 */
#include "tui/table.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

#define DIFFERS "differs"
#define ROW_TEXT_MAX 65536 /* bytes of a row that find and filter look in */

void table_clear(struct table *t)
{
	for (size_t i = 0; i < t->n_mark; i++)
		mem_free(t->mark[i]);
	mem_free(t->mark);
	mem_free(t->order);
	*t = (struct table){ 0 };
}

static char fold(char ch)
{
	return ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
}

static bool has_capital(const char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			return true;
	return false;
}

/* Offset of word in text from byte from on, smart case; SIZE_MAX when it is not there. */
static size_t text_find(struct sv text, size_t from, const char *word)
{
	size_t n = strlen(word);
	bool exact = has_capital(word);

	for (size_t i = from; n > 0 && i + n <= text.n; i++) {
		size_t k = 0;

		while (k < n && (exact ? text.p[i + k] : fold(text.p[i + k])) == word[k])
			k++;
		if (k == n)
			return i;
	}
	return SIZE_MAX;
}

static bool row_has(const struct table_rows *rows, size_t row, const char *word, struct strbuf *buf)
{
	strbuf_reset(buf);
	rows->text(rows->ctx, row, buf);
	return text_find(strbuf_sv(buf), 0, word) != SIZE_MAX;
}

static bool row_kept(const struct table *t, const struct table_rows *rows, size_t row,
		     struct strbuf *buf)
{
	const char *word = t->filter;

	if (!word[0])
		return !rows->folded || !rows->folded(rows->ctx, row);
	if (rows->differs && strcmp(word, DIFFERS) == 0)
		return rows->differs(rows->ctx, row);
	if (word[0] == '!')
		return !word[1] || !row_has(rows, row, word + 1, buf);
	return row_has(rows, row, word, buf);
}

/* Merge sort: stable, so that rows equal in a column keep their order, also when reversed. */
static void sort_rows(const struct table *t, const struct table_rows *rows, size_t *list,
		      size_t *scratch, size_t n)
{
	size_t half = n / 2, a = 0, b = half, k = 0;

	if (n < 2)
		return;
	sort_rows(t, rows, list, scratch, half);
	sort_rows(t, rows, list + half, scratch, n - half);
	while (a < half && b < n) {
		int c = rows->compare(rows->ctx, t->sort - 1, list[a], list[b]);

		scratch[k++] = (t->reverse ? c >= 0 : c <= 0) ? list[a++] : list[b++];
	}
	while (a < half)
		scratch[k++] = list[a++];
	while (b < n)
		scratch[k++] = list[b++];
	memcpy(list, scratch, n * sizeof(*list));
}

static void order_reverse(struct table *t)
{
	for (size_t i = 0; i < t->n / 2; i++) {
		size_t other = t->order[i];

		t->order[i] = t->order[t->n - 1 - i];
		t->order[t->n - 1 - i] = other;
	}
}

static void order_make(struct table *t, const struct table_rows *rows)
{
	struct strbuf buf;

	strbuf_init(&buf, ROW_TEXT_MAX);
	mem_grow(&t->order, &t->cap, rows->n, sizeof(*t->order));
	t->n = 0;
	t->n_total = rows->n;
	for (size_t row = 0; row < rows->n; row++)
		if (row_kept(t, rows, row, &buf))
			t->order[t->n++] = row;
	strbuf_clear(&buf);
	if (t->sort > 0 && rows->compare) {
		size_t *scratch = mem_calloc(t->n + 1, sizeof(*scratch));

		sort_rows(t, rows, t->order, scratch, t->n);
		mem_free(scratch);
	} else if (t->reverse) {
		order_reverse(t);
	}
}

/* Position of the row with this key; SIZE_MAX when it is not shown. hint is tried first: after most
 * refreshes the row is where it was. */
static size_t position_of(const struct table *t, const struct table_rows *rows, const char *key,
			  size_t hint)
{
	char other[TABLE_KEY_SIZE];

	if (hint < t->n) {
		rows->key(rows->ctx, t->order[hint], other);
		if (strcmp(other, key) == 0)
			return hint;
	}
	for (size_t i = 0; i < t->n; i++) {
		rows->key(rows->ctx, t->order[i], other);
		if (strcmp(other, key) == 0)
			return i;
	}
	return SIZE_MAX;
}

static void select_at(struct table *t, const struct table_rows *rows, size_t position)
{
	t->at = position < t->n ? position : t->n > 0 ? t->n - 1 : 0;
	t->key[0] = '\0';
	if (t->n > 0)
		rows->key(rows->ctx, t->order[t->at], t->key);
}

void table_update(struct table *t, const struct table_rows *rows)
{
	size_t offset = t->at >= t->top ? t->at - t->top : 0;
	size_t was = t->at, position;

	order_make(t, rows);
	position = t->key[0] ? position_of(t, rows, t->key, was) : SIZE_MAX;
	select_at(t, rows, position != SIZE_MAX ? position : was);
	/* The selected row stays at its line of the screen when rows come or go above it. */
	if (t->at != was)
		t->top = t->at > offset ? t->at - offset : 0;
}

/* The view's data may be gone before its event was heard of (another environment was asked for): row
 * numbers of the order must not outlive it. */
static void follow_rows(struct table *t, const struct table_rows *rows)
{
	if (t->n_total != rows->n)
		table_update(t, rows);
}

void table_scroll(struct table *t, int page)
{
	size_t rows = page > 0 ? (size_t)page : 1;

	t->page = (int)rows;
	if (t->at < t->top)
		t->top = t->at;
	else if (t->at >= t->top + rows)
		t->top = t->at - rows + 1;
	/* No blank rows below the last while there are rows above the first. */
	if (t->n <= rows)
		t->top = 0;
	else if (t->top > t->n - rows)
		t->top = t->n - rows;
}

size_t table_row(const struct table *t, size_t position)
{
	return position < t->n ? t->order[position] : TABLE_NO_ROW;
}

size_t table_selected(const struct table *t)
{
	return table_row(t, t->at);
}

bool table_select(struct table *t, const struct table_rows *rows, const char *key)
{
	size_t position;

	follow_rows(t, rows);
	position = position_of(t, rows, key, t->at);
	if (position == SIZE_MAX)
		return false;
	select_at(t, rows, position);
	return true;
}

int table_sort_column(const struct table *t)
{
	return t->sort - 1;
}

/* --- Marks ------------------------------------------------------------------------------------ */

/* First mark not below key. */
static size_t mark_position(const struct table *t, const char *key)
{
	size_t low = 0, high = t->n_mark;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(t->mark[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool table_marked(const struct table *t, const char *key)
{
	size_t i = mark_position(t, key);

	return i < t->n_mark && strcmp(t->mark[i], key) == 0;
}

static void mark_toggle(struct table *t, const char *key)
{
	size_t i = mark_position(t, key);

	if (i < t->n_mark && strcmp(t->mark[i], key) == 0) {
		mem_free(t->mark[i]);
		t->n_mark--;
		memmove(t->mark + i, t->mark + i + 1, (t->n_mark - i) * sizeof(*t->mark));
	} else if (t->n_mark < TABLE_MARKS_MAX) {
		mem_grow(&t->mark, &t->cap_mark, t->n_mark + 1, sizeof(*t->mark));
		memmove(t->mark + i + 1, t->mark + i, (t->n_mark - i) * sizeof(*t->mark));
		t->mark[i] = mem_strdup(key);
		t->n_mark++;
	}
}

static void marks_clear(struct table *t)
{
	for (size_t i = 0; i < t->n_mark; i++)
		mem_free(t->mark[i]);
	t->n_mark = 0;
}

/* --- Actions ---------------------------------------------------------------------------------- */

/* Selects the next row with the find text, step by step (1 or -1) from position, around the end. */
static void find_from(struct table *t, const struct table_rows *rows, size_t position, int step)
{
	struct strbuf buf;

	if (t->n == 0 || !t->find[0])
		return;
	strbuf_init(&buf, ROW_TEXT_MAX);
	position %= t->n;
	for (size_t i = 0; i < t->n; i++) {
		if (row_has(rows, t->order[position], t->find, &buf)) {
			select_at(t, rows, position);
			break;
		}
		position = (position + (step > 0 ? 1 : t->n - 1)) % t->n;
	}
	strbuf_clear(&buf);
}

static bool action_move(struct table *t, const struct table_rows *rows, enum action act)
{
	size_t page = t->page > 1 ? (size_t)t->page - 1 : 1;
	size_t to = t->at;

	switch (act) {
	case ACT_DOWN:
		to++;
		break;
	case ACT_UP:
		to -= to > 0;
		break;
	case ACT_PAGE_DOWN:
		to += page;
		break;
	case ACT_PAGE_UP:
		to -= to > page ? page : to;
		break;
	case ACT_FIRST:
		to = 0;
		break;
	case ACT_LAST:
		to = t->n;
		break;
	default:
		return false;
	}
	select_at(t, rows, to);
	return true;
}

static bool action_find(struct table *t, const struct table_rows *rows, enum action act,
			const char *arg)
{
	switch (act) {
	case ACT_FIND:
		str_copy(t->find, sizeof(t->find), arg ? arg : "");
		find_from(t, rows, t->at, 1);
		return true;
	case ACT_FIND_NEXT:
		find_from(t, rows, t->at + 1, 1);
		return true;
	case ACT_FIND_PREVIOUS:
		find_from(t, rows, t->at + (t->n ? t->n : 1) - 1, -1);
		return true;
	case ACT_FILTER:
		str_copy(t->filter, sizeof(t->filter), arg ? arg : "");
		table_update(t, rows);
		return true;
	default:
		return false;
	}
}

/* The column named arg, else the one after the present, then the natural order again. */
static void sort_by(struct table *t, const struct table_rows *rows, const char *arg)
{
	int n = 0;

	if (!rows->columns || !rows->compare)
		return;
	for (; rows->columns[n]; n++)
		if (arg && strcmp(rows->columns[n], arg) == 0) {
			t->sort = n + 1;
			return;
		}
	if (!arg || !arg[0])
		t->sort = t->sort < n ? t->sort + 1 : 0;
}

static bool action_order(struct table *t, const struct table_rows *rows, enum action act,
			 const char *arg)
{
	if (act == ACT_SORT)
		sort_by(t, rows, arg);
	else if (act == ACT_SORT_REVERSE)
		t->reverse = !t->reverse;
	else
		return false;
	table_update(t, rows);
	return true;
}

static bool action_back(struct table *t, const struct table_rows *rows)
{
	if (t->find[0])
		t->find[0] = '\0';
	else if (t->filter[0])
		t->filter[0] = '\0';
	else
		return false;
	table_update(t, rows);
	return true;
}

bool table_action(struct table *t, const struct table_rows *rows, enum action act, const char *arg)
{
	follow_rows(t, rows);
	switch (act) {
	case ACT_MARK:
		if (t->n > 0) {
			mark_toggle(t, t->key);
			action_move(t, rows, ACT_DOWN);
		}
		return true;
	case ACT_MARK_NONE:
		marks_clear(t);
		return true;
	case ACT_BACK:
		return action_back(t, rows);
	default:
		return action_move(t, rows, act) || action_find(t, rows, act, arg) ||
		       action_order(t, rows, act, arg);
	}
}

/* --- Drawing ---------------------------------------------------------------------------------- */

/* Text of a painted stretch and for each of its bytes the column it came from. */
static void stretch_read(const struct canvas *c, int row, int col, int cols, struct strbuf *text,
			 int *column, size_t n_column)
{
	for (int i = col; i < col + cols; i++) {
		const struct canvas_cell *cell = canvas_at(c, row, i);
		size_t from = text->len;

		if (!cell)
			break;
		strbuf_adds(text, cell->text);
		for (; from < text->len && from < n_column; from++)
			column[from] = i;
	}
}

static void paint_matches(const struct table *t, struct canvas *c, int row, int col, int cols)
{
	size_t n = (size_t)(cols > 0 ? cols : 0) * CELL_TEXT + 1;
	size_t len = strlen(t->find);
	struct strbuf text;
	int *column;

	if (len == 0)
		return;
	strbuf_init(&text, n);
	column = mem_calloc(n, sizeof(*column));
	stretch_read(c, row, col, cols, &text, column, n);
	for (size_t at = 0; (at = text_find(strbuf_sv(&text), at, t->find)) != SIZE_MAX;
	     at += len) {
		int first = column[at], last = column[at + len - 1];

		canvas_paint(c, row, first, last - first + 1, ROLE_MATCH, false);
	}
	mem_free(column);
	strbuf_clear(&text);
}

/* The row under the cursor keeps the roles that say something; the rest takes ROLE_SELECT. */
static void paint_selected(struct canvas *c, int row, int col, int cols)
{
	for (int i = col; i < col + cols; i++) {
		const struct canvas_cell *cell = canvas_at(c, row, i);

		if (cell)
			canvas_paint(c, row, i, 1,
				     cell->role == ROLE_TEXT || cell->role == ROLE_DIM ? ROLE_SELECT
										       : cell->role,
				     true);
	}
}

void table_decorate(const struct table *t, const struct table_rows *rows, size_t position,
		    struct canvas *c, int row, int col, int cols)
{
	bool selected = position == t->at;
	size_t number = table_row(t, position);
	bool marked = false;

	if (number == TABLE_NO_ROW)
		return;
	if (t->n_mark > 0) {
		char key[TABLE_KEY_SIZE];

		rows->key(rows->ctx, number, key);
		marked = table_marked(t, key);
	}
	paint_matches(t, c, row, col, cols);
	if (selected)
		canvas_puts(c, row, col, 1, ROLE_SELECT, ">");
	if (marked) {
		canvas_puts(c, row, col, 1, ROLE_MARK, "+");
		canvas_paint(c, row, col, 1, ROLE_MARK, false);
	}
	if (selected)
		paint_selected(c, row, col, cols);
}

void table_facts(const struct table *t, struct strbuf *out)
{
	if (t->n == 0)
		strbuf_addf(out, "0 of %zu", t->n_total);
	else
		strbuf_addf(out, "%zu of %zu", t->at + 1, t->n);
	if (t->filter[0])
		strbuf_addf(out, "  filter: %s (%zu rows)", t->filter, t->n_total);
	if (t->find[0])
		strbuf_addf(out, "  find: %s", t->find);
	if (t->n_mark > 0)
		strbuf_addf(out, "  %zu marked", t->n_mark);
}
