/* SPDX-License-Identifier: MIT */
/*
 * The join of files and histories.
 *
 * Rows are found by (namespace, id) in a table of hashes: neither the order of a graph nor that of
 * another engine's variant is in the ids, so lists cannot be merged by walking along them. With n
 * migrations and m environments that is n * m look-ups and one sort of the rows.
 *
 * A migration that no environment has in force and that has no file is history only: no row.
 */
#include "core/migrate/matrix.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[CELL_STATES] = {
	[CELL_NONE] = "none",       [CELL_UNKNOWN] = "unknown", [CELL_APPLIED] = "applied",
	[CELL_PENDING] = "pending", [CELL_LATE] = "late",       [CELL_CHANGED] = "changed",
	[CELL_MISSING] = "missing", [CELL_FAILED] = "failed",   [CELL_PARTIAL] = "partial",
};

const char *cell_state_name(enum cell_state s)
{
	return (size_t)s < CELL_STATES ? state_names[s] : "unknown";
}

/* Rows while they are found. */
struct join {
	struct matrix *m;
	const struct source *source;
	const struct matrix_column *col;
	const struct source **variant; /* per environment; NULL when there is none for its engine */
	size_t cap;
};

static int row_cmp(const void *a, const void *b)
{
	const struct matrix_row *x = a, *y = b;
	int d = strcmp(x->sort_key, y->sort_key);

	if (d == 0)
		d = strcmp(x->ns, y->ns);
	return d != 0 ? d : strcmp(x->id, y->id);
}

/* Where the row of a key is, or an empty place for it. */
static uint32_t *row_place(const struct matrix *m, const char *ns, const char *id)
{
	size_t at = source_key_hash(ns, id) & (m->n_place - 1);

	for (; m->place[at] != 0; at = (at + 1) & (m->n_place - 1)) {
		const struct matrix_row *row = &m->row[m->place[at] - 1];

		if (strcmp(row->id, id) == 0 && strcmp(row->ns, ns) == 0)
			break;
	}
	return &m->place[at];
}

/* The row of a key, made when it is not there yet. */
static struct matrix_row *row_for(struct matrix *m, const char *ns, const char *id,
				  const char *sort_key)
{
	uint32_t *place = row_place(m, ns, id);

	if (*place == 0) {
		m->row[m->n_row] = (struct matrix_row){
			.ns = ns, .id = id, .sort_key = sort_key, .title = ""
		};
		*place = (uint32_t)++m->n_row;
	}
	return &m->row[*place - 1];
}

/* How many rows there can be at most. */
static size_t most_rows(const struct join *j)
{
	size_t n = 0;

	for (const struct source *s = j->source; s != NULL; s = s->next_engine)
		n += s->n;
	for (size_t i = 0; i < j->m->n_env; i++)
		for (size_t k = 0; j->col[i].history != NULL && k < j->col[i].history->n; k++)
			n += j->col[i].history->list[k].applied;
	return n;
}

static void find_rows(struct join *j)
{
	struct matrix *m = j->m;
	size_t most = most_rows(j);

	m->n_place = 4;
	while (m->n_place < 2 * most)
		m->n_place *= 2;
	m->place = arena_alloc(&m->arena, m->n_place * sizeof(*m->place));
	m->row = arena_alloc(&m->arena, (most + 1) * sizeof(*m->row));
	for (const struct source *s = j->source; s != NULL; s = s->next_engine)
		for (size_t i = 0; i < s->n; i++) {
			const struct migration *f = &s->list[i];
			struct matrix_row *row = row_for(m, f->ns, f->id, f->sort_key);

			if (row->file == NULL) {
				row->file = f;
				row->title = f->title;
			}
		}
	for (size_t i = 0; i < m->n_env; i++) {
		const struct history *h = j->col[i].history;

		for (size_t k = 0; h != NULL && k < h->n; k++)
			if (h->list[k].applied)
				(void)row_for(m, h->list[k].ns, h->list[k].id, h->list[k].sort_key);
	}
}

/* Sorts the rows, which moves them: their places are made anew. */
static void sort_rows(struct matrix *m)
{
	bool sorted = true;

	for (size_t i = 1; i < m->n_row && sorted; i++)
		sorted = row_cmp(&m->row[i - 1], &m->row[i]) <= 0;
	if (sorted)
		return;
	qsort(m->row, m->n_row, sizeof(*m->row), row_cmp);
	memset(m->place, 0, m->n_place * sizeof(*m->place));
	for (size_t i = 0; i < m->n_row; i++)
		*row_place(m, m->row[i].ns, m->row[i].id) = (uint32_t)i + 1;
}

/* a is in force and has no file. `accept` of a missing file says that it is meant to be gone. What
 * belongs to an app whose files are elsewhere (Django's own) is not missing. */
static enum cell_state state_without_file(const struct source *variant, const struct applied *a)
{
	if (a->accepted && a->checksum == NULL)
		return CELL_APPLIED;
	if (variant != NULL && variant->app != NULL && !source_knows(variant, a->ns))
		return CELL_APPLIED;
	return CELL_MISSING;
}

static enum cell_state state_of(const struct matrix_column *col, const struct source *variant,
				const struct migration *file, const struct applied *a)
{
	if (!col->has_db)
		return CELL_NONE;
	if (col->history == NULL)
		return CELL_UNKNOWN;
	if (a != NULL && a->partial)
		return CELL_PARTIAL;
	if (a != NULL && a->failed)
		return file != NULL || a->applied ? CELL_FAILED : CELL_NONE;
	if (a == NULL || !a->applied)
		return file != NULL ? CELL_PENDING : CELL_NONE;
	if (file == NULL)
		return state_without_file(variant, a);
	/* What was accepted as gone and came back is a change. */
	if (a->accepted && a->checksum == NULL)
		return CELL_CHANGED;
	/* A file that could not be read is a problem of the source, not a change. */
	if (file->checksum[0] != '\0' && a->checksum != NULL &&
	    strcmp(file->checksum, a->checksum) != 0)
		return CELL_CHANGED;
	return CELL_APPLIED;
}

static void fill_env(struct join *j, size_t env)
{
	struct matrix *m = j->m;
	const struct history *h = j->col[env].history;
	const struct source *variant = j->variant[env];

	for (size_t i = 0; variant != NULL && i < variant->n; i++) {
		const struct migration *f = &variant->list[i];

		m->row[*row_place(m, f->ns, f->id) - 1].cell[env].file = f;
	}
	for (size_t k = 0; h != NULL && k < h->n; k++) {
		uint32_t place = *row_place(m, h->list[k].ns, h->list[k].id);
		struct matrix_row *row = place != 0 ? &m->row[place - 1] : NULL;

		if (row == NULL)
			continue;
		row->cell[env].applied = &h->list[k];
		if (row->title[0] == '\0')
			row->title = h->list[k].title;
	}
	for (size_t i = 0; i < m->n_row; i++) {
		struct cell *c = &m->row[i].cell[env];

		c->state = state_of(&j->col[env], variant, c->file, c->applied);
	}
}

/* ---- graphs ---- */

/* The row of "NS/ID"; NULL when there is none. */
static struct matrix_row *row_of_ref(const struct matrix *m, const char *ref)
{
	const char *slash = strchr(ref, '/');
	char *ns;
	uint32_t place;

	if (slash == NULL)
		return NULL;
	ns = mem_strndup(ref, (size_t)(slash - ref));
	place = *row_place(m, ns, slash + 1);
	mem_free(ns);
	return place != 0 ? &m->row[place - 1] : NULL;
}

static bool in_force(const struct cell *c)
{
	return c->applied != NULL && c->applied->applied;
}

/* A migration that stands for others: where it is in force they are not pending, and where all of
 * them, or some, are in force it is not, because the tool goes on with them. */
static void settle_replaced(struct matrix *m, const struct matrix_row *row, size_t env)
{
	const struct migration *f = row->cell[env].file;
	struct cell *own = &row->cell[env];
	bool some = false;

	for (size_t k = 0; f != NULL && k < f->n_replaces; k++) {
		const struct matrix_row *old = row_of_ref(m, f->replaces[k]);

		some = some || (old != NULL && in_force(&old->cell[env]));
	}
	if (f == NULL || f->n_replaces == 0)
		return;
	if (!in_force(own) && some) {
		if (own->state == CELL_PENDING)
			own->state = CELL_NONE;
		return;
	}
	for (size_t k = 0; k < f->n_replaces; k++) {
		struct matrix_row *old = row_of_ref(m, f->replaces[k]);

		if (old != NULL && old->cell[env].state == CELL_PENDING)
			old->cell[env].state = CELL_NONE;
	}
}

/* Flyway's repeatables stand behind all by a key no number has. */
static bool is_repeatable(const struct matrix_row *row)
{
	return row->sort_key[0] == '~';
}

/* Newest sort key in force of one namespace. */
struct newest {
	const char *ns, *key;
};

static struct newest *newest_of(struct newest *list, size_t *n, const char *ns)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i].ns, ns) == 0)
			return &list[i];
	list[*n] = (struct newest){ ns, NULL };
	return &list[(*n)++];
}

/* From the newest row to the oldest: once something in force of its namespace was seen, what is
 * pending is late. In a graph of one namespace (Alembic) branches grow side by side: nothing there
 * is late, as its tool never applies a child without its parents. */
static void mark_late(struct join *j, size_t env)
{
	struct matrix *m = j->m;
	const struct source *variant = j->variant[env];
	struct newest *list;
	size_t n = 0;

	if (variant != NULL && variant->framework && variant->n_head > 0)
		return;
	list = mem_calloc((variant != NULL ? variant->n_app : 0) + m->n_row + 1, sizeof(*list));
	for (size_t i = m->n_row; i-- > 0;) {
		const struct matrix_row *row = &m->row[i];
		struct cell *c = &row->cell[env];
		struct newest *newest;

		if (is_repeatable(row) || (c->state != CELL_PENDING && !in_force(c)))
			continue;
		newest = newest_of(list, &n, row->ns);
		if (in_force(c)) {
			if (newest->key == NULL)
				newest->key = row->sort_key;
		} else if (newest->key != NULL && strcmp(row->sort_key, newest->key) < 0) {
			c->state = CELL_LATE;
		}
	}
	mem_free(list);
}

static const char *checksum_of(const struct cell *c)
{
	return c->applied != NULL && c->applied->checksum != NULL ? c->applied->checksum : "";
}

/* Are both of the same file, or of none? */
static bool same_text(const struct cell *a, const struct cell *b)
{
	return a->file == b->file;
}

static bool row_differs(const struct matrix_row *row, const struct matrix_column *col, size_t n_env)
{
	const struct cell *first = NULL;

	for (size_t i = 0; i < n_env; i++) {
		const struct cell *c = &row->cell[i];

		if (!col[i].has_db || c->state == CELL_UNKNOWN)
			continue;
		/* Another engine's variant has another text, and may have none. */
		if (row->file != NULL && c->file == NULL && c->state == CELL_NONE)
			continue;
		if (first == NULL)
			first = c;
		else if (c->state != first->state ||
			 (same_text(c, first) && strcmp(checksum_of(c), checksum_of(first)) != 0))
			return true;
	}
	return false;
}

/* What is in force in a graph and has no child in force: its heads, several where it has branches. */
static void find_heads(struct matrix *m, size_t env, struct matrix_count *n)
{
	const char **list = arena_alloc(&m->arena, ((size_t)n->applied + 1) * sizeof(*list));
	unsigned char *below = mem_calloc(m->n_row + 1, 1);

	for (size_t i = 0; i < m->n_row; i++) {
		const struct migration *f = m->row[i].cell[env].file;

		if (!in_force(&m->row[i].cell[env]))
			continue;
		for (size_t k = 0; f != NULL && k < f->n_depends; k++) {
			const struct matrix_row *parent = row_of_ref(m, f->depends[k]);

			if (parent != NULL && strcmp(parent->ns, m->row[i].ns) == 0)
				below[parent - m->row] = 1;
		}
	}
	for (size_t i = 0; i < m->n_row; i++)
		if (in_force(&m->row[i].cell[env]) && !below[i] && m->row[i].cell[env].file != NULL)
			list[n->n_heads++] = m->row[i].id;
	n->heads = list;
	mem_free(below);
}

static void count_env(struct join *j, size_t env, const char *pattern)
{
	struct matrix *m = j->m;
	struct matrix_count *n = &m->count[env];
	const struct matrix_row *head = NULL, *last = NULL;

	for (size_t i = 0; i < m->n_row; i++) {
		const struct cell *c = &m->row[i].cell[env];

		n->applied += in_force(c);
		n->pending += c->state == CELL_PENDING;
		n->late += c->state == CELL_LATE;
		n->failed += c->state == CELL_FAILED;
		n->changed += c->state == CELL_CHANGED;
		n->missing += c->state == CELL_MISSING;
		n->partial += c->state == CELL_PARTIAL;
		if (!in_force(c))
			continue;
		if (c->applied->n_warning > 0 && n->warned++ == 0)
			n->first_warned = c->applied;
		last = &m->row[i];
		if (!is_repeatable(&m->row[i]))
			head = &m->row[i];
	}
	if (head == NULL)
		head = last;
	if (head == NULL)
		return;
	n->head = head->id;
	n->schema_version = matrix_label(&m->arena, head->cell[env].file, head->id, pattern);
	if (j->variant[env] != NULL && j->variant[env]->framework)
		find_heads(m, env, n);
	if (n->n_heads == 0) {
		n->heads = &n->head;
		n->n_heads = 1;
	}
}

static bool has_replaced(const struct source *s)
{
	for (size_t i = 0; s != NULL && i < s->n; i++)
		if (s->list[i].n_replaces > 0)
			return true;
	return false;
}

static void build_env(struct join *j, size_t env)
{
	fill_env(j, env);
	if (j->col[env].history != NULL && has_replaced(j->variant[env]))
		for (size_t i = 0; i < j->m->n_row; i++)
			settle_replaced(j->m, &j->m->row[i], env);
	mark_late(j, env);
}

struct matrix *matrix_build(const struct source *source, const struct matrix_column *col,
			    size_t n_env, const char *schema_version)
{
	struct matrix *m = mem_calloc(1, sizeof(*m));
	struct join j = { .m = m, .source = source, .col = col };
	struct cell *cells;

	arena_init(&m->arena);
	m->n_env = n_env;
	m->count = arena_alloc(&m->arena, (n_env + 1) * sizeof(*m->count));
	j.variant = mem_calloc(n_env + 1, sizeof(*j.variant));
	for (size_t env = 0; env < n_env; env++)
		j.variant[env] = source_for(source, col[env].engine);
	find_rows(&j);
	sort_rows(m);
	cells = arena_alloc(&m->arena, (m->n_row * n_env + 1) * sizeof(*cells));
	for (size_t i = 0; i < m->n_row; i++)
		m->row[i].cell = cells + i * n_env;
	for (size_t env = 0; env < n_env; env++)
		build_env(&j, env);
	for (size_t i = 0; i < m->n_row; i++) {
		m->row[i].differs = row_differs(&m->row[i], col, n_env);
		m->n_differs += m->row[i].differs;
	}
	for (size_t env = 0; env < n_env; env++)
		count_env(&j, env, schema_version);
	mem_free(j.variant);
	return m;
}

void matrix_free(struct matrix *m)
{
	if (m == NULL)
		return;
	arena_clear(&m->arena);
	mem_free(m);
}

const struct matrix_row *matrix_find(const struct matrix *m, const char *ns, const char *id)
{
	uint32_t place = *row_place(m, ns, id);

	return place != 0 ? &m->row[place - 1] : NULL;
}

/* The last numeric part of an id without leading zeros: "008" is 8, "2.013" is 13. */
static struct sv number_of(const char *id)
{
	struct sv s = sv_of(id);
	size_t from;

	while (s.n > 0 && (s.p[s.n - 1] < '0' || s.p[s.n - 1] > '9'))
		s.n--;
	for (from = s.n; from > 0 && s.p[from - 1] >= '0' && s.p[from - 1] <= '9'; from--)
		;
	s = sv_n(s.p + from, s.n - from);
	while (s.n > 1 && s.p[0] == '0')
		s = sv_n(s.p + 1, s.n - 1);
	return s;
}

/* "{n}" or "{n:03}" at p: its length and width; 0 when it is neither. */
static size_t placeholder(const char *p, int *width)
{
	*width = 0;
	if (strncmp(p, "{n}", 3) == 0)
		return 3;
	if (strncmp(p, "{n:0", 4) == 0 && p[4] >= '1' && p[4] <= '9' && p[5] == '}') {
		*width = p[4] - '0';
		return 6;
	}
	return 0;
}

const char *matrix_label(struct arena *a, const struct migration *m, const char *id,
			 const char *pattern)
{
	struct sv n = number_of(id);
	struct strbuf b;
	const char *out;
	int width;

	if (m != NULL && m->version != NULL)
		return m->version;
	if (pattern == NULL || n.n == 0)
		return id;
	strbuf_init(&b, 256);
	while (*pattern != '\0') {
		size_t skip = placeholder(pattern, &width);

		if (skip == 0) {
			strbuf_addc(&b, *pattern++);
			continue;
		}
		if ((size_t)width > n.n)
			strbuf_pad(&b, '0', (size_t)width - n.n);
		strbuf_addsv(&b, n);
		pattern += skip;
	}
	out = arena_strdup(a, strbuf_str(&b));
	strbuf_clear(&b);
	return out;
}
