/* SPDX-License-Identifier: MIT */
/*
 * Raw rows × files = a history that the matrix can join.
 *
 * Every tool names a migration in its own way, and so does every layout of files. Both are brought to
 * a common key: the row's in one way (enum foreign_key), a file's in several, because one file may
 * be meant by its id, by its name, or by the folder it is in. A hash table finds the file of a row.
 * What is found gets namespace, id and sort key of the file, so that the matrix puts both in one
 * row; what is not found keeps its own name and becomes "missing".
 *
 * Then the tools that store less than a row per migration: golang-migrate knows one number, Flyway's
 * baseline covers what lies before it, Alembic stores the ends of its graph, and Django's squashed migrations
 * stand for others.
 */
#include "core/migrate/foreign.h"

#include <stdlib.h>
#include <string.h>

#include "core/migrate/foreign_tools.h"

/* --- Key to index ------------------------------------------------------------------------------ */

struct key_map {
	struct {
		const char *key;
		size_t index;
	} * slot;
	size_t n_slot, n; /* power of two; used */
};

static uint64_t key_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h ^ (h >> 29);
}

static size_t map_slot(const struct key_map *m, const char *key)
{
	size_t at = key_hash(key) & (m->n_slot - 1);

	while (m->slot[at].key != NULL && strcmp(m->slot[at].key, key) != 0)
		at = (at + 1) & (m->n_slot - 1);
	return at;
}

static void map_grow(struct key_map *m)
{
	struct key_map old = *m;

	m->n_slot = old.n_slot > 0 ? old.n_slot * 2 : 1024;
	m->slot = mem_calloc(m->n_slot, sizeof(*m->slot));
	for (size_t i = 0; i < old.n_slot; i++)
		if (old.slot[i].key != NULL)
			m->slot[map_slot(m, old.slot[i].key)] = old.slot[i];
	mem_free(old.slot);
}

/* The first of a key stays: an id goes before a file's name. */
static void map_add(struct key_map *m, const char *key, size_t index)
{
	size_t at;

	if (key == NULL || *key == '\0')
		return;
	if ((m->n + 1) * 2 > m->n_slot)
		map_grow(m);
	at = map_slot(m, key);
	if (m->slot[at].key != NULL)
		return;
	m->slot[at].key = key;
	m->slot[at].index = index;
	m->n++;
}

static bool map_find(const struct key_map *m, const char *key, size_t *index)
{
	size_t at;

	if (key == NULL || m->n_slot == 0)
		return false;
	at = map_slot(m, key);
	if (m->slot[at].key == NULL)
		return false;
	*index = m->slot[at].index;
	return true;
}

/* --- Keys -------------------------------------------------------------------------------------- */

struct resolve {
	struct history *h;
	const struct source *s;
	const struct foreign *f;
	struct arena arena;   /* keys */
	struct key_map map;   /* key to list */
	struct key_map name;  /* "NS/ID" and "ID" of files, for graphs */
	struct key_map group; /* namespaces that have files */
	struct applied *list; /* the files' in the order of the source, then those without a file */
	bool *seen;           /* does the database know it? */
	size_t n, cap;
	size_t n_unknown; /* rows without a file */
	const char *unknown;
	size_t n_library; /* rows of groups that have no files */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Numbers without leading zeros between dots, without zeros at the end: V1_02.0 is 1.2. */
static const char *version_key(struct arena *a, const char *text)
{
	char *out = arena_alloc(a, strlen(text) + 2), *to = out;
	size_t end = 0;

	while (*text != '\0') {
		const char *from;

		while (*text != '\0' && !is_digit(*text))
			text++;
		while (*text == '0' && is_digit(text[1]))
			text++;
		for (from = text; is_digit(*text); text++)
			;
		if (text == from)
			break;
		if (to != out)
			*to++ = '.';
		memcpy(to, from, (size_t)(text - from));
		to += text - from;
		if (from[0] != '0')
			end = (size_t)(to - out);
	}
	if (to == out)
		return NULL;
	out[end > 0 ? end : 1] = '\0'; /* all zeros: "0" */
	return out;
}

static const char *number_key(struct arena *a, const char *text)
{
	const char *end;

	while (*text == '0' && is_digit(text[1]))
		text++;
	for (end = text; is_digit(*end); end++)
		;
	return end == text ? NULL : arena_strndup(a, text, (size_t)(end - text));
}

static const char *nodash_key(struct arena *a, const char *text)
{
	char *out = arena_alloc(a, strlen(text) + 1), *to = out;

	for (; *text != '\0'; text++)
		if (*text != '-')
			*to++ = *text;
	return out;
}

static bool cut_suffix(struct sv *s, const char *suffix)
{
	if (s->n <= strlen(suffix) || !sv_ends(*s, sv_of(suffix)))
		return false;
	s->n -= strlen(suffix);
	return true;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* "V1__a" of "sql/V1__a.sql", "2024_x" of "2024_x/up.sql". */
static const char *stem_key(struct arena *a, const char *path)
{
	static const char *const suffixes[] = { ".sql", ".js", ".ts", ".mjs",
						".cjs", ".py", ".rb", ".go" };
	struct sv s = sv_of(path);
	const char *base = base_of(path);

	if (base > path && (strcmp(base, "up.sql") == 0 || strcmp(base, "migration.sql") == 0)) {
		s.n = (size_t)(base - path) - 1;
		while (s.n > 0 && memchr(s.p, '/', s.n) != NULL)
			s = sv_n(s.p + 1, s.n - 1);
		return arena_strndup(a, s.p, s.n);
	}
	s = sv_of(base);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (cut_suffix(&s, suffixes[i]))
			break;
	cut_suffix(&s, ".up");
	return arena_strndup(a, s.p, s.n);
}

/* Flyway's description as it makes it of the file name R__some_view.sql. */
static const char *repeatable_key(struct arena *a, const char *description)
{
	char *out = arena_printf(a, "R:%s", description);

	for (char *p = out; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return out;
}

static const char *row_key(struct resolve *r, const struct foreign_record *rec)
{
	struct arena *a = &r->arena;

	if (rec->repeatable)
		return repeatable_key(a, rec->key);
	switch (r->f->tool->key) {
	case FOREIGN_KEY_TEXT:
		return rec->key;
	case FOREIGN_KEY_NUMBER:
		return number_key(a, rec->key);
	case FOREIGN_KEY_VERSION:
		return version_key(a, rec->key);
	case FOREIGN_KEY_NODASH:
		return nodash_key(a, rec->key);
	case FOREIGN_KEY_STEM:
		return stem_key(a, rec->key);
	case FOREIGN_KEY_APP:
		return arena_printf(a, "%s/%s", rec->group, rec->key);
	case FOREIGN_KEY_FILE:
		return arena_printf(a, "%s::%s::%s", rec->key, rec->group ? rec->group : "",
				    rec->file ? rec->file : "");
	}
	return rec->key;
}

/* Every way in which a row may mean this file. */
static void add_file_keys(struct resolve *r, const struct migration *m, size_t i)
{
	struct arena *a = &r->arena;
	const char *stem = m->up_path != NULL ? stem_key(a, m->up_path) : m->id;

	switch (r->f->tool->key) {
	case FOREIGN_KEY_TEXT:
		map_add(&r->map, m->id, i);
		map_add(&r->map, stem, i);
		break;
	case FOREIGN_KEY_NUMBER:
		map_add(&r->map, number_key(a, m->id), i);
		break;
	case FOREIGN_KEY_VERSION:
		if (strncmp(stem, "R__", 3) == 0)
			map_add(&r->map, repeatable_key(a, stem + 3), i);
		else
			map_add(&r->map, version_key(a, m->id), i);
		break;
	case FOREIGN_KEY_NODASH:
		map_add(&r->map, nodash_key(a, m->id), i);
		break;
	case FOREIGN_KEY_STEM:
		map_add(&r->map, stem, i);
		map_add(&r->map, m->id, i);
		break;
	case FOREIGN_KEY_APP:
		map_add(&r->map, arena_printf(a, "%s/%s", m->ns, m->id), i);
		map_add(&r->map, arena_printf(a, "%s/%s", m->ns, stem), i);
		break;
	case FOREIGN_KEY_FILE:
		map_add(&r->map, m->id, i);
		map_add(&r->map, stem, i);
		break;
	}
	if (r->f->tool->key == FOREIGN_KEY_APP || r->f->tool->key == FOREIGN_KEY_TEXT) {
		map_add(&r->name, arena_printf(a, "%s/%s", m->ns, m->id), i);
		map_add(&r->name, m->id, i);
		map_add(&r->group, m->ns, 0);
	}
}

/* --- Entries ----------------------------------------------------------------------------------- */

static struct applied *entry_add(struct resolve *r)
{
	size_t old = r->cap;

	mem_grow(&r->list, &r->cap, r->n + 1, sizeof(*r->list));
	if (r->cap != old)
		r->seen = mem_realloc(r->seen, r->cap, sizeof(*r->seen));
	r->seen[r->n] = false;
	r->list[r->n] = (struct applied){ .title = "" };
	return &r->list[r->n++];
}

static void add_files(struct resolve *r)
{
	for (size_t i = 0; r->s != NULL && i < r->s->n; i++) {
		const struct migration *m = &r->s->list[i];
		struct applied *a = entry_add(r);

		/* The history may live longer than the source. */
		a->ns = i > 0 && strcmp(m->ns, r->list[i - 1].ns) == 0
				? r->list[i - 1].ns
				: arena_strdup(&r->h->arena, m->ns);
		a->id = arena_strdup(&r->h->arena, m->id);
		a->sort_key = arena_strdup(&r->h->arena, m->sort_key);
		a->title = arena_strdup(&r->h->arena, m->title != NULL ? m->title : "");
		add_file_keys(r, m, i);
	}
}

static bool find_entry(struct resolve *r, const struct foreign_record *rec, const char *key,
		       size_t *i)
{
	if (map_find(&r->map, key, i))
		return true;
	/* One file of Liquibase's holds many changesets. */
	if (r->f->tool->key == FOREIGN_KEY_FILE)
		return (rec->file != NULL &&
			map_find(&r->map, stem_key(&r->arena, rec->file), i)) ||
		       map_find(&r->map, rec->key, i);
	return false;
}

/* The place of the row: its file's, or a new one of its own. */
static size_t entry_of(struct resolve *r, const struct foreign_record *rec)
{
	const char *key = row_key(r, rec);
	const char *id = rec->key;
	struct applied *a;
	size_t i;

	if (find_entry(r, rec, key, &i))
		return i;
	if (r->f->tool->key == FOREIGN_KEY_FILE && key != NULL)
		id = key;
	a = entry_add(r);
	a->ns = r->f->tool->key == FOREIGN_KEY_APP ? rec->group
		: r->s != NULL && r->s->ns != NULL ? arena_strdup(&r->h->arena, r->s->ns)
						   : "main";
	a->id = arena_strdup(&r->h->arena, id);
	a->sort_key = migration_sort_key(&r->h->arena, sv_of(id));
	if (rec->title != NULL)
		a->title = rec->title;
	map_add(&r->map, key != NULL ? key : id, r->n - 1);
	return r->n - 1;
}

static void take_record(struct resolve *r, size_t i, const struct foreign_record *rec, int64_t seq)
{
	struct applied *a = &r->list[i];

	r->seen[i] = true;
	a->failed = rec->state == FOREIGN_FAILED;
	a->applied = !a->failed && rec->state != FOREIGN_UNDONE;
	a->baselined = rec->state == FOREIGN_BASELINE;
	a->seq = a->applied ? seq : 0;
	a->who = rec->who;
	a->at_utc_ms = rec->at_utc_ms;
	a->took_ms = rec->took_ms;
	a->no_zone = rec->no_zone;
	a->recorded = a->applied ? rec->checksum : NULL;
	a->error = a->failed ? rec->error : NULL;
	a->failed_at_utc_ms = a->failed ? rec->at_utc_ms : 0;
	a->failed_attempts = a->failed;
	if (a->title[0] == '\0' && rec->title != NULL)
		a->title = rec->title;
}

static bool is_repeatable(const struct migration *m)
{
	return m->sort_key[0] == '\0' ||
	       (m->up_path != NULL && strncmp(base_of(m->up_path), "R__", 3) == 0);
}

/* Everything before the version of the row is in force with it. */
static void cover_before(struct resolve *r, const struct foreign_record *rec, bool baselined)
{
	size_t n = r->s != NULL ? r->s->n : 0;

	for (size_t i = 0; i < n; i++) {
		struct applied *a = &r->list[i];

		if (r->seen[i] || is_repeatable(&r->s->list[i]) ||
		    version_cmp(a->id, rec->key) >= 0)
			continue;
		r->seen[i] = a->applied = true;
		a->baselined = baselined;
	}
}

/* --- Graphs ------------------------------------------------------------------------------------ */

/* Marks what the file i depends on, and what that depends on. Every file is pushed once. */
static void cover_ancestors(struct resolve *r, size_t from)
{
	size_t *stack = mem_calloc(r->s->n + 1, sizeof(*stack));
	size_t n = 0;

	stack[n++] = from;
	while (n > 0) {
		const struct migration *m = &r->s->list[stack[--n]];

		for (size_t i = 0; i < m->n_depends; i++) {
			size_t at;

			if (!map_find(&r->name, m->depends[i], &at) || r->seen[at])
				continue;
			r->seen[at] = r->list[at].applied = true;
			stack[n++] = at;
		}
	}
	mem_free(stack);
}

static void add_note(struct history *h, const char *text)
{
	h->note = h->note != NULL ? arena_printf(&h->arena, "%s; %s", h->note, text) : text;
}

static void take_heads(struct resolve *r)
{
	const char **head = arena_alloc(&r->h->arena, (r->f->n + 1) * sizeof(*head));

	for (size_t i = 0; i < r->f->n; i++)
		head[i] = r->f->rec[i].key;
	r->h->head = head;
	r->h->n_head = r->f->n;
}

/* Django: a squashed migration is applied when all those it replaces are; and rows of replaced
 * ones whose files were removed are nothing that is missing. */
static void take_replaces(struct resolve *r)
{
	for (size_t i = 0; r->s != NULL && i < r->s->n; i++) {
		const struct migration *m = &r->s->list[i];
		bool all = m->n_replaces > 0;

		for (size_t k = 0; k < m->n_replaces; k++) {
			size_t at;
			bool there = (map_find(&r->map, m->replaces[k], &at) ||
				      map_find(&r->name, m->replaces[k], &at)) &&
				     r->seen[at] && r->list[at].applied;

			all = all && there;
		}
		if (all && !r->seen[i]) {
			r->seen[i] = r->list[i].applied = true;
			r->list[i].baselined = true;
		}
		for (size_t k = 0; k < m->n_replaces && r->list[i].applied; k++) {
			size_t at;

			if (map_find(&r->map, m->replaces[k], &at) && at >= r->s->n)
				r->seen[at] = false;
		}
	}
}

/* --- All together ------------------------------------------------------------------------------ */

static void take_rows(struct resolve *r)
{
	size_t n_file = r->s != NULL ? r->s->n : 0;

	for (size_t i = 0; i < r->f->n; i++) {
		const struct foreign_record *rec = &r->f->rec[i];
		size_t at, none;

		if (r->f->tool->only_known && !map_find(&r->group, rec->group, &none)) {
			r->n_library++;
			continue;
		}
		/* Flyway's baseline seldom has a file: what it covers is said below. */
		if (rec->state == FOREIGN_BASELINE && !find_entry(r, rec, row_key(r, rec), &at))
			continue;
		at = entry_of(r, rec);
		take_record(r, at, rec, (int64_t)i + 1);
		r->h->dirty = r->h->dirty || rec->state == FOREIGN_FAILED;
		if (rec->state == FOREIGN_HEAD && at < n_file)
			cover_ancestors(r, at);
	}
	/* Behind the rows, so that what has a row of its own keeps what it says. */
	for (size_t i = 0; i < r->f->n; i++) {
		const struct foreign_record *rec = &r->f->rec[i];

		if (rec->state == FOREIGN_BASELINE && !rec->repeatable)
			cover_before(r, rec, true);
		if (strcmp(r->f->tool->name, "golang-migrate") == 0)
			cover_before(r, rec, false);
	}
	take_replaces(r);
}

static int applied_cmp(const void *va, const void *vb)
{
	const struct applied *a = va, *b = vb;
	int d = strcmp(a->sort_key, b->sort_key);

	if (d == 0)
		d = strcmp(a->ns, b->ns);
	return d != 0 ? d : strcmp(a->id, b->id);
}

/* What the database knows of, sorted as the matrix wants it. */
static void put_list(struct resolve *r)
{
	struct history *h = r->h;
	size_t n_file = r->s != NULL ? r->s->n : 0;

	h->list = arena_alloc(&h->arena, (r->n + 1) * sizeof(*h->list));
	h->n = h->n_applied = 0;
	for (size_t i = 0; i < r->n; i++) {
		if (!r->seen[i])
			continue;
		h->list[h->n++] = r->list[i];
		h->n_applied += r->list[i].applied;
		if (i >= n_file && r->list[i].applied && r->n_unknown++ == 0)
			r->unknown = r->list[i].id;
	}
	if (h->n > 1)
		qsort(h->list, h->n, sizeof(*h->list), applied_cmp);
}

static void put_notes(struct resolve *r)
{
	struct history *h = r->h;

	if (h->n_head > 1)
		add_note(h, arena_printf(&h->arena, "%zu heads", h->n_head));
	if (h->dirty)
		add_note(h, arena_printf(&h->arena, "%s stopped inside a migration", h->tool));
	if (r->s == NULL || r->s->n == 0)
		return;
	if (r->n_unknown > 0)
		add_note(h, arena_printf(&h->arena, "%zu applied without a file, %s first",
					 r->n_unknown, r->unknown));
	if (r->n_library > 0)
		add_note(h, arena_printf(&h->arena, "%zu of libraries not listed", r->n_library));
}

void history_resolve(struct history *h, const struct source *s)
{
	struct resolve r = { .h = h, .s = s, .f = h->foreign };

	if (h->foreign == NULL)
		return;
	/* A second time: what the first said of the files is not said again. */
	if (h->read_note == NULL)
		h->read_note = h->note != NULL ? h->note : "";
	h->note = h->read_note[0] != '\0' ? h->read_note : NULL;
	h->dirty = false;
	arena_init(&r.arena);
	add_files(&r);
	if (strcmp(h->tool, "alembic") == 0)
		take_heads(&r);
	take_rows(&r);
	put_list(&r);
	put_notes(&r);
	mem_free(r.list);
	mem_free(r.seen);
	mem_free(r.map.slot);
	mem_free(r.name.slot);
	mem_free(r.group.slot);
	arena_clear(&r.arena);
}
