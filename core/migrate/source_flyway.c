/* SPDX-License-Identifier: MIT */
/*
 * Layout "flyway": V1_2__name.sql, undone by U1_2__name.sql; R__name.sql repeatable.
 *
 * A version is read as Flyway shows it, with dots: V1_2 and V1.2 are both "1.2". A repeatable has
 * no version: it is listed behind all others as "R__name" and runs once like any migration; that
 * Flyway would run it again after each change is not done here, and said. Baselines (B…) replace
 * versions on an empty database; as we run the versions themselves, they are passed over.
 *
 * Placeholders are refused: sent as they stand they would become part of the data.
 */
#include "core/migrate/source_layout.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct flyway_name {
	char kind;         /* 'V', 'U', 'R', 'B' */
	struct sv version; /* empty for a repeatable */
	struct sv title;
	const char *name;
};

static bool is_version_byte(char c)
{
	return (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* False for a name that is not Flyway's. */
static bool read_name(const char *name, struct flyway_name *out)
{
	struct sv stem = sv_of(name), rest;
	size_t n = 0;

	if (!sv_ends(stem, SV(".sql")) || strchr("VURB", name[0]) == NULL)
		return false;
	stem.n -= strlen(".sql");
	rest = sv_n(stem.p + 1, stem.n - 1);
	while (n < rest.n && is_version_byte(rest.p[n]) &&
	       !sv_starts(sv_n(rest.p + n, rest.n - n), SV("__")))
		n++;
	if (!sv_starts(sv_n(rest.p + n, rest.n - n), SV("__")))
		return false;
	if ((name[0] == 'R') != (n == 0))
		return false;
	if (n > 0 && (rest.p[0] < '0' || rest.p[0] > '9' || rest.p[n - 1] == '.'))
		return false;
	*out = (struct flyway_name){ name[0], sv_n(rest.p, n), sv_n(rest.p + n + 2, rest.n - n - 2),
				     name };
	return true;
}

static bool claims_flyway(const struct source_name *f)
{
	struct flyway_name name;

	return read_name(f->name, &name);
}

/* "name.sql.conf" beside a script. */
static void read_conf(struct source_walk *w, const char *name, struct migration *m,
		      struct source_pair *p)
{
	char *conf = arena_printf(&w->arena, "%s.conf", name);
	struct strbuf text;
	struct sv rest, line, key;
	struct err e;

	if (!source_listing_has(&w->root, conf))
		return;
	strbuf_init(&text, SOURCE_FILE_MAX + 1);
	source_watch(w, source_path(w, NULL, conf));
	if (source_read_text(w->dirfd, conf, conf, &text, &e) != 0)
		source_problem_add(w->s, true, source_path(w, NULL, conf), e.hint, "%s: %s", e.msg,
				   e.detail);
	rest = strbuf_sv(&text);
	while (sv_cut(&rest, '\n', &line)) {
		struct sv value = sv_trim(line);

		if (value.n == 0 || value.p[0] == '#' || !sv_cut(&value, '=', &key))
			continue;
		key = sv_trim(key);
		value = sv_trim(value);
		if (sv_eq(key, SV("executeInTransaction")))
			m->no_transaction = sv_eq(value, SV("false"));
		else if (sv_eq(key, SV("placeholderReplacement")))
			p->verbatim = sv_eq(value, SV("false"));
		else
			source_problem_add(w->s, true, source_path(w, NULL, conf),
					   "remove the line", "option %.*s is not acted on",
					   (int)(key.n < 60 ? key.n : 60), key.p);
	}
	strbuf_clear(&text);
}

static const char *version_text(struct arena *a, struct sv v)
{
	char *text = arena_strndup(a, v.p, v.n);

	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = '.';
	return text;
}

static struct source_pair *add_script(struct source_walk *w, const struct flyway_name *f)
{
	struct arena *a = &w->s->arena;
	struct migration *m = arena_alloc(a, sizeof(*m));
	char *title = arena_strndup(a, f->title.p, f->title.n);
	struct source_pair *p;

	for (char *c = title; *c != '\0'; c++)
		if (*c == '_')
			*c = ' ';
	m->title = title;
	if (f->kind == 'R') {
		m->id = arena_strndup(a, f->name, strlen(f->name) - strlen(".sql"));
		m->sort_key = arena_printf(a, "~%s", m->id);
	} else {
		m->id = version_text(a, f->version);
		m->sort_key = migration_sort_key(a, sv_of(m->id));
	}
	p = source_pair_add(w, sv_of(m->id));
	p->as = m;
	p->up = source_path(w, NULL, f->name);
	read_conf(w, f->name, m, p);
	return p;
}

struct undo {
	const char *key;
	const char *name;
	bool used;
};

static int undo_cmp(const void *a, const void *b)
{
	const struct undo *x = a, *y = b;
	int d = strcmp(x->key, y->key);

	return d != 0 ? d : strcmp(x->name, y->name);
}

static struct undo *collect_undos(struct source_walk *w, size_t *n)
{
	struct undo *list = arena_alloc(&w->arena, (w->root.n + 1) * sizeof(*list));
	struct flyway_name f;

	*n = 0;
	for (size_t i = 0; i < w->root.n; i++)
		if (read_name(w->root.item[i].name, &f) && f.kind == 'U')
			list[(*n)++] = (struct undo){
				migration_sort_key(&w->arena,
						   sv_of(version_text(&w->arena, f.version))),
				f.name, false
			};
	qsort(list, *n, sizeof(*list), undo_cmp);
	return list;
}

/* The undo of a sort key, or NULL. A second one of the same version stays unused and is told. */
static const char *take_undo(struct undo *list, size_t n, const char *key)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(list[mid].key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == n || strcmp(list[low].key, key) != 0)
		return NULL;
	list[low].used = true;
	return list[low].name;
}

static void note_repeatable(struct source_walk *w, const char *name)
{
	source_problem_add(w->s, false, source_path(w, NULL, name),
			   "make it a versioned migration when it has to run again",
			   "%s runs once here; a repeatable is not run again when it changes",
			   name);
}

static void pair_flyway(struct source_walk *w)
{
	size_t n_undo;
	struct undo *undo = collect_undos(w, &n_undo);
	struct flyway_name f;

	for (size_t i = 0; i < w->root.n; i++) {
		struct source_pair *p;
		const char *down;

		if (!read_name(w->root.item[i].name, &f) || f.kind == 'U')
			continue;
		if (f.kind == 'B') {
			source_problem_add(w->s, false, source_path(w, NULL, f.name),
					   "bascule baseline ENV records what a database has",
					   "%s is a baseline and is not read: the versions are run",
					   f.name);
			continue;
		}
		p = add_script(w, &f);
		if (f.kind == 'R') {
			note_repeatable(w, f.name);
			continue;
		}
		down = take_undo(undo, n_undo, p->as->sort_key);
		if (down != NULL)
			p->down = source_path(w, NULL, down);
	}
	for (size_t i = 0; i < n_undo; i++)
		if (!undo[i].used)
			source_problem_add(w->s, true, source_path(w, NULL, undo[i].name),
					   "add the V file of the same version or remove the undo",
					   "a down without an up: %s", undo[i].name);
}

/* "${name}" anywhere: Flyway replaces them in comments and strings too. */
static int check_flyway(struct sv text, struct err *e)
{
	int line = 1;

	for (size_t i = 0; i + 2 < text.n; i++) {
		const char *end;

		line += text.p[i] == '\n';
		if (text.p[i] != '$' || text.p[i + 1] != '{')
			continue;
		end = memchr(text.p + i, '}', text.n - i);
		if (end == NULL || memchr(text.p + i, '\n', (size_t)(end - text.p) - i) != NULL)
			continue;
		err_set(e, ERR_INPUT, "line %d holds a placeholder of Flyway", line);
		err_detail(e, "%.*s is not replaced here",
			   (int)(end + 1 - (text.p + i)) > 60 ? 60 : (int)(end + 1 - (text.p + i)),
			   text.p + i);
		return err_hint(e, "write the value, or placeholderReplacement=false in its .conf");
	}
	return 0;
}

const struct source_layout source_flyway = {
	.name = "flyway",
	.up_suffix = ".sql",
	.down_suffix = ".sql",
	.up_prefix = "V",
	.down_prefix = "U",
	.joint = "__",
	.claims = claims_flyway,
	.pair = pair_flyway,
	.check = check_flyway,
};
