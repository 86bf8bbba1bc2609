/* SPDX-License-Identifier: MIT */
/*
 * The join of files and histories.
 *
 * All lists come in the same order (sort key, namespace, id), so one pass with a cursor in each
 * makes the rows: with n migrations and m environments n * m steps, no searching. The pass runs
 * twice, to count rows and then to fill an array of exactly that size.
 *
 * A migration that no environment has in force and that has no file is history only: no row.
 */
#include "core/migrate/matrix.h"

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

struct join {
	const struct source *source;
	const struct matrix_column *col;
	size_t n_env;
	size_t at_file;
	size_t *at;                     /* cursor in each history */
	const struct migration *file;   /* of this row, or NULL */
	const struct applied **applied; /* of this row, per environment, or NULL */
};

struct key {
	const char *sort_key, *ns, *id;
};

static int key_cmp(const struct key *a, const struct key *b)
{
	int d = strcmp(a->sort_key, b->sort_key);

	if (d == 0)
		d = strcmp(a->ns, b->ns);
	return d != 0 ? d : strcmp(a->id, b->id);
}

static struct key key_of_applied(const struct applied *a)
{
	return (struct key){ a->sort_key, a->ns, a->id };
}

static const struct applied *cursor(const struct join *j, size_t env)
{
	const struct history *h = j->col[env].history;

	return h != NULL && j->at[env] < h->n ? &h->list[j->at[env]] : NULL;
}

/* The least key of all cursors. False when everything is used up. */
static bool least_key(const struct join *j, struct key *out)
{
	bool any = false;

	if (j->source != NULL && j->at_file < j->source->n) {
		const struct migration *m = &j->source->list[j->at_file];

		*out = (struct key){ m->sort_key, m->ns, m->id };
		any = true;
	}
	for (size_t i = 0; i < j->n_env; i++) {
		const struct applied *a = cursor(j, i);
		struct key k;

		if (a == NULL)
			continue;
		k = key_of_applied(a);
		if (!any || key_cmp(&k, out) < 0)
			*out = k;
		any = true;
	}
	return any;
}

/* Moves to the next row: fills file, applied and key. False at the end. */
static bool join_next(struct join *j, struct key *key)
{
	bool keep = false;

	while (!keep) {
		if (!least_key(j, key))
			return false;
		j->file = NULL;
		if (j->source != NULL && j->at_file < j->source->n) {
			const struct migration *m = &j->source->list[j->at_file];
			struct key k = { m->sort_key, m->ns, m->id };

			if (key_cmp(&k, key) == 0) {
				j->file = m;
				j->at_file++;
			}
		}
		keep = j->file != NULL;
		for (size_t i = 0; i < j->n_env; i++) {
			const struct applied *a = cursor(j, i);
			struct key k;

			j->applied[i] = NULL;
			if (a == NULL)
				continue;
			k = key_of_applied(a);
			if (key_cmp(&k, key) != 0)
				continue;
			j->applied[i] = a;
			j->at[i]++;
			keep = keep || a->applied;
		}
	}
	return true;
}

static void join_rewind(struct join *j)
{
	j->at_file = 0;
	memset(j->at, 0, j->n_env * sizeof(*j->at));
}

static enum cell_state state_of(const struct matrix_column *col, const struct migration *file,
				const struct applied *a)
{
	if (!col->has_db)
		return CELL_NONE;
	if (col->history == NULL)
		return CELL_UNKNOWN;
	if (a != NULL && a->failed)
		return file != NULL || a->applied ? CELL_FAILED : CELL_NONE;
	if (a == NULL || !a->applied)
		return file != NULL ? CELL_PENDING : CELL_NONE;
	/* `accept` of a missing file says that it is meant to be gone; should it come back, that is
	 * a change. */
	if (file == NULL)
		return a->accepted && a->checksum == NULL ? CELL_APPLIED : CELL_MISSING;
	if (a->accepted && a->checksum == NULL)
		return CELL_CHANGED;
	/* A file that could not be read is a problem of the source, not a change. */
	if (file->checksum[0] != '\0' && a->checksum != NULL &&
	    strcmp(file->checksum, a->checksum) != 0)
		return CELL_CHANGED;
	return CELL_APPLIED;
}

static void fill_row(struct matrix_row *row, const struct join *j, const struct key *key)
{
	row->ns = key->ns;
	row->id = key->id;
	row->sort_key = key->sort_key;
	row->file = j->file;
	row->title = j->file != NULL ? j->file->title : "";
	for (size_t i = 0; i < j->n_env; i++) {
		row->cell[i].applied = j->applied[i];
		row->cell[i].state = state_of(&j->col[i], j->file, j->applied[i]);
		if (row->title[0] == '\0' && j->applied[i] != NULL)
			row->title = j->applied[i]->title;
	}
}

/* From the newest row to the oldest: once something in force was seen, what is pending is late. */
static void mark_late(struct matrix *m, size_t env)
{
	const char *newest = NULL; /* sort key of the newest one in force */

	for (size_t i = m->n_row; i-- > 0;) {
		struct cell *c = &m->row[i].cell[env];

		if (c->applied != NULL && c->applied->applied) {
			if (newest == NULL)
				newest = m->row[i].sort_key;
		} else if (c->state == CELL_PENDING && newest != NULL &&
			   strcmp(m->row[i].sort_key, newest) < 0) {
			c->state = CELL_LATE;
		}
	}
}

static const char *checksum_of(const struct cell *c)
{
	return c->applied != NULL && c->applied->checksum != NULL ? c->applied->checksum : "";
}

static bool row_differs(const struct matrix_row *row, const struct matrix_column *col, size_t n_env)
{
	const struct cell *first = NULL;

	for (size_t i = 0; i < n_env; i++) {
		const struct cell *c = &row->cell[i];

		if (!col[i].has_db || c->state == CELL_UNKNOWN)
			continue;
		if (first == NULL)
			first = c;
		else if (c->state != first->state ||
			 strcmp(checksum_of(c), checksum_of(first)) != 0)
			return true;
	}
	return false;
}

static void count_env(struct matrix *m, size_t env, const char *pattern)
{
	struct matrix_count *n = &m->count[env];
	const struct matrix_row *head = NULL;

	for (size_t i = 0; i < m->n_row; i++) {
		const struct cell *c = &m->row[i].cell[env];
		bool in_force = c->applied != NULL && c->applied->applied;

		n->applied += in_force;
		n->pending += c->state == CELL_PENDING;
		n->late += c->state == CELL_LATE;
		n->failed += c->state == CELL_FAILED;
		n->changed += c->state == CELL_CHANGED;
		n->missing += c->state == CELL_MISSING;
		if (in_force && c->applied->n_warning > 0 && n->warned++ == 0)
			n->first_warned = c->applied;
		if (in_force)
			head = &m->row[i];
	}
	if (head != NULL) {
		n->head = head->id;
		n->schema_version = matrix_label(&m->arena, head->file, head->id, pattern);
	}
}

static void fill_rows(struct matrix *m, struct join *j)
{
	struct cell *cells;
	struct key key;

	while (join_next(j, &key))
		m->n_row++;
	m->row = arena_alloc(&m->arena, (m->n_row + 1) * sizeof(*m->row));
	cells = arena_alloc(&m->arena, (m->n_row * m->n_env + 1) * sizeof(*cells));
	join_rewind(j);
	for (size_t i = 0; i < m->n_row && join_next(j, &key); i++) {
		m->row[i].cell = cells + i * m->n_env;
		fill_row(&m->row[i], j, &key);
	}
}

struct matrix *matrix_build(const struct source *source, const struct matrix_column *col,
			    size_t n_env, const char *schema_version)
{
	struct matrix *m = mem_calloc(1, sizeof(*m));
	struct join j = { .source = source, .col = col, .n_env = n_env };

	arena_init(&m->arena);
	m->n_env = n_env;
	m->count = arena_alloc(&m->arena, (n_env + 1) * sizeof(*m->count));
	j.at = mem_calloc(n_env + 1, sizeof(*j.at));
	j.applied = mem_calloc(n_env + 1, sizeof(*j.applied));
	fill_rows(m, &j);
	for (size_t env = 0; env < n_env; env++)
		mark_late(m, env);
	for (size_t i = 0; i < m->n_row; i++) {
		m->row[i].differs = row_differs(&m->row[i], col, n_env);
		m->n_differs += m->row[i].differs;
	}
	for (size_t env = 0; env < n_env; env++)
		count_env(m, env, schema_version);
	mem_free(j.at);
	mem_free(j.applied);
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
	struct arena a;
	struct key key = { NULL, ns, id };
	const struct matrix_row *found = NULL;
	size_t low = 0, high = m->n_row;

	arena_init(&a);
	key.sort_key = migration_sort_key(&a, sv_of(id));
	while (low < high && found == NULL) {
		size_t mid = low + (high - low) / 2;
		struct key k = { m->row[mid].sort_key, m->row[mid].ns, m->row[mid].id };
		int d = key_cmp(&k, &key);

		if (d == 0)
			found = &m->row[mid];
		else if (d < 0)
			low = mid + 1;
		else
			high = mid;
	}
	arena_clear(&a);
	return found;
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
