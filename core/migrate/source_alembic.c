/* SPDX-License-Identifier: MIT */
/*
 * Layout "alembic": versions/REV_slug.py, a graph of revisions.
 *
 * The folder given may be the one with alembic.ini (whose script_location leads on), the script
 * folder with env.py and versions/, or versions/ itself when `layout = alembic` says so. The files
 * are read as text; what is not written out (a revision that is computed) is an error, not a guess.
 *
 * Several heads are shown and are a warning: `alembic upgrade head` refuses them, `upgrade heads`
 * does not.
 */
#include "core/migrate/pyscan.h"
#include "core/migrate/source_graph.h"

#include <dirent.h>
#include <string.h>

#define INI "alembic.ini"

struct alembic {
	struct source_walk *w;
	struct graph g;
	struct arena arena; /* what the texts say, while the graph is built */
	struct digest *digest;
	struct strbuf text;
	bool recursive; /* sub-folders hold revisions as well */
};

/* What a file says besides its revision. */
struct revision {
	struct py_value down, depends, labels;
};

/* ---- where they are ---- */

/* The value of a key in alembic.ini's [alembic] section, or empty. */
static struct sv ini_value(struct sv text, const char *want)
{
	struct sv rest = text, line, key, found = { 0 };
	bool ours = false;

	while (sv_cut(&rest, '\n', &line)) {
		struct sv value = sv_trim(line);

		if (value.n > 0 && value.p[0] == '[')
			ours = sv_eq(value, SV("[alembic]"));
		if (!ours || value.n == 0 || value.p[0] == '#' || value.p[0] == ';' ||
		    !sv_cut(&value, '=', &key) || !sv_eq_str(sv_trim(key), want))
			continue;
		found = sv_trim(value);
	}
	return found;
}

/* script_location below the folder, or NULL when it leads elsewhere. */
static const char *script_folder(struct source_walk *w, struct sv at)
{
	if (sv_starts(at, SV("%(here)s/")))
		at = sv_n(at.p + strlen("%(here)s/"), at.n - strlen("%(here)s/"));
	while (sv_starts(at, SV("./")))
		at = sv_n(at.p + 2, at.n - 2);
	while (at.n > 0 && at.p[at.n - 1] == '/')
		at.n--;
	if (at.n == 0 || at.p[0] == '/' || at.p[0] == '%' || sv_starts(at, SV("..")))
		return NULL;
	return arena_strndup(&w->arena, at.p, at.n);
}

static const char *versions_of_ini(struct alembic *x)
{
	struct source_walk *w = x->w;
	const char *path = source_path(w, NULL, INI), *folder;
	struct err e;

	source_watch(w, path);
	x->recursive = false;
	if (source_read_text(w->dirfd, INI, path, &x->text, &e) != 0) {
		source_problem_add(w->s, true, path, e.hint, "%s: %s", e.msg, e.detail);
		return NULL;
	}
	x->recursive = sv_eq(ini_value(strbuf_sv(&x->text), "recursive_version_locations"),
			     SV("true"));
	if (ini_value(strbuf_sv(&x->text), "version_locations").n > 0)
		source_problem_add(w->s, false, path, "point `migrations =` at one of them",
				   "version_locations is not followed: versions/ alone is read");
	folder = script_folder(w, ini_value(strbuf_sv(&x->text), "script_location"));
	if (folder == NULL) {
		source_problem_add(w->s, true, path,
				   "point `migrations =` at the folder with env.py",
				   "script_location does not name a folder below this one");
		return NULL;
	}
	return arena_printf(&w->arena, "%s/versions", folder);
}

/* The folder of the revisions below the source's; "." for itself; NULL: a problem was told. */
static const char *versions_folder(struct alembic *x)
{
	static const char *const usual[] = { "versions", "alembic/versions",
					     "migrations/versions" };
	struct source_walk *w = x->w;

	x->recursive = true;
	if (source_listing_has(&w->root, INI))
		return versions_of_ini(x);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (source_is_folder(w->dirfd, usual[i]))
			return usual[i];
	return ".";
}

static bool marked_alembic(struct source_walk *w)
{
	return source_listing_has(&w->root, INI) ||
	       (source_listing_has(&w->root, "env.py") && source_is_folder(w->dirfd, "versions"));
}

/* ---- one file ---- */

static void unreadable(struct alembic *x, const char *path, const char *name)
{
	source_problem_add(x->w->s, true, path, "write the value out as alembic does",
			   "%s is not written out as text", name);
}

/* None, a string, or a list of strings, as a list. False, and told, when it is none of these. */
static bool as_strings(struct alembic *x, const char *path, const struct py_module *m,
		       const char *name, struct py_value *out)
{
	const struct py_value *v = py_get(m, name);

	*out = (struct py_value){ .kind = PY_LIST };
	if (v == NULL || v->kind == PY_NONE)
		return true;
	if (v->kind == PY_STRING) {
		out->item = arena_alloc(&x->arena, sizeof(*out->item));
		out->item[0] = *v;
		out->n = 1;
		return true;
	}
	for (size_t i = 0; v->kind == PY_LIST && i < v->n; i++)
		if (v->item[i].kind != PY_STRING) {
			unreadable(x, path, name);
			return false;
		}
	if (v->kind != PY_LIST) {
		unreadable(x, path, name);
		return false;
	}
	*out = *v;
	return true;
}

/* The first line of the docstring, else the file's name behind its revision. */
static const char *title_of(struct alembic *x, const struct py_module *m, const char *file,
			    const char *id)
{
	struct sv doc = sv_trim(m->doc), line = { 0 };
	struct sv stem = sv_n(file, strlen(file) - strlen(".py"));
	char *title;

	if (doc.n > 0 && sv_cut(&doc, '\n', &line) && sv_trim(line).n > 0)
		return arena_sv(&x->w->s->arena, sv_trim(line)).p;
	if (sv_starts(stem, sv_of(id)))
		stem = sv_n(stem.p + strlen(id), stem.n - strlen(id));
	while (stem.n > 0 && stem.p[0] == '_')
		stem = sv_n(stem.p + 1, stem.n - 1);
	title = arena_strndup(&x->w->s->arena, stem.p, stem.n);
	for (char *p = title; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return title;
}

static void read_file(struct alembic *x, const char *folder, const char *file)
{
	struct source_walk *w = x->w;
	const char *path = source_path(w, folder, file);
	struct migration *m = arena_alloc(&w->s->arena, sizeof(*m));
	struct revision *r = arena_alloc(&x->arena, sizeof(*r));
	const struct py_value *id;
	struct py_module module;
	struct err e;

	if (!graph_read(w, path, m, x->digest, &x->text))
		return;
	if (py_scan(&x->arena, strbuf_sv(&x->text), NULL, &module, &e) != 0) {
		source_problem_add(w->s, true, path, e.hint, "%s: %s", file, e.msg);
		return;
	}
	id = py_get(&module, "revision");
	if (id == NULL || id->kind != PY_STRING || id->text.n == 0) {
		source_problem_add(w->s, true, path, "write revision = '…', or move the file away",
				   "%s has no revision that is written out as text", file);
		return;
	}
	if (!as_strings(x, path, &module, "down_revision", &r->down) ||
	    !as_strings(x, path, &module, "depends_on", &r->depends) ||
	    !as_strings(x, path, &module, "branch_labels", &r->labels))
		return;
	m->ns = w->s->ns;
	m->id = arena_sv(&w->s->arena, id->text).p;
	m->title = title_of(x, &module, file, m->id);
	graph_add(&x->g, m, path)->own = r;
}

static void read_folder(struct alembic *x, const char *folder, int depth)
{
	struct source_walk *w = x->w;
	struct source_listing l = { 0 };
	struct err e;

	source_watch(w, source_path(w, NULL, folder));
	if (source_list(w, folder, &l, &e) != 0)
		source_problem_add(w->s, true, source_path(w, NULL, folder), e.hint, "%s: %s",
				   e.msg, e.detail);
	for (size_t i = 0; i < l.n; i++) {
		const struct source_name *f = &l.item[i];
		const char *below = arena_printf(&w->arena, "%s/%s", folder, f->name);

		if (f->type == DT_DIR) {
			if (x->recursive && depth < 4 && strcmp(f->name, "__pycache__") != 0)
				read_folder(x, below, depth + 1);
		} else if (sv_ends(sv_of(f->name), SV(".py")) && f->name[0] != '_' &&
			   strcmp(f->name, "env.py") != 0) {
			read_file(x, folder, f->name);
		}
	}
	source_listing_clear(&l);
}

/* ---- the graph ---- */

/* Of two files with one revision the first by path stays. */
static void drop_twins(struct alembic *x)
{
	size_t keep = 0;

	for (size_t i = 0; i < x->g.n; i++) {
		if (keep > 0 && strcmp(x->g.node[keep - 1].m->id, x->g.node[i].m->id) == 0) {
			source_problem_add(x->w->s, true, x->g.node[i].path,
					   "give one of them another revision",
					   "two files have the revision %s", x->g.node[i].m->id);
			continue;
		}
		x->g.node[keep++] = x->g.node[i];
	}
	x->g.n = keep;
}

/* A revision by its id or, for depends_on, by a label; or n. */
static size_t find_revision(const struct alembic *x, struct sv word, bool labels)
{
	const char *text = word.p; /* arena_sv put a NUL behind it */
	size_t at = graph_find(&x->g, x->w->s->ns, text);

	for (size_t i = 0; labels && at == x->g.n && i < x->g.n; i++) {
		const struct revision *r = x->g.node[i].own;

		for (size_t k = 0; k < r->labels.n; k++)
			if (sv_eq(r->labels.item[k].text, word))
				at = i;
	}
	return at;
}

static void link_to(struct alembic *x, size_t child, const struct py_value *list, bool labels)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t parent = find_revision(x, list->item[i].text, labels);

		if (parent < x->g.n)
			graph_edge(&x->g, child, parent);
		else
			source_problem_add(x->w->s, true, x->g.node[child].path,
					   "restore its file, or change the revision it names",
					   "revision %s builds on %s, which no file has",
					   x->g.node[child].m->id, list->item[i].text.p);
	}
}

/* Heads are what no other one has as its down_revision; depends_on makes none less of a head. */
static void find_heads(struct alembic *x)
{
	struct source *s = x->w->s;
	const char **head = arena_alloc(&s->arena, (x->g.n + 1) * sizeof(*head));
	struct strbuf names;

	for (size_t i = 0; i < x->g.n; i++)
		if (!x->g.node[i].has_child)
			head[s->n_head++] = x->g.node[i].m->id;
	s->head = head;
	if (s->n_head < 2)
		return;
	strbuf_init(&names, 1024);
	for (size_t i = 0; i < s->n_head; i++)
		strbuf_addf(&names, "%s%s", i > 0 ? ", " : "", head[i]);
	source_problem_add(s, false, "",
			   "alembic merge heads, or set migrate_command to alembic upgrade heads",
			   "%zu heads, which `alembic upgrade head` refuses: %s", s->n_head,
			   strbuf_str(&names));
	strbuf_clear(&names);
}

static void build_graph(struct alembic *x)
{
	graph_sort(&x->g);
	drop_twins(x);
	for (size_t i = 0; i < x->g.n; i++)
		link_to(x, i, &((struct revision *)x->g.node[i].own)->down, false);
	find_heads(x);
	for (size_t i = 0; i < x->g.n; i++)
		link_to(x, i, &((struct revision *)x->g.node[i].own)->depends, true);
	graph_finish(x->w, &x->g);
}

static void pair_alembic(struct source_walk *w)
{
	struct alembic x = { .w = w, .digest = digest_new() };
	const char *folder;

	w->s->framework = true;
	arena_init(&x.arena);
	strbuf_init(&x.text, SOURCE_FILE_MAX + 1);
	folder = versions_folder(&x);
	if (folder != NULL) {
		read_folder(&x, folder, 0);
		build_graph(&x);
	}
	graph_clear(&x.g);
	strbuf_clear(&x.text);
	arena_clear(&x.arena);
	digest_free(x.digest);
}

static bool claims_none(const struct source_name *f)
{
	(void)f;
	return false;
}

const struct source_layout source_alembic = {
	.name = "alembic",
	.new_hint = "alembic revision -m NAME",
	.claims = claims_none,
	.pair = pair_alembic,
	.marked = marked_alembic,
};
