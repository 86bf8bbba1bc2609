/* SPDX-License-Identifier: MIT */
/*
 * Layout "django": APP/migrations/NNNN_name.py below the folder of manage.py.
 *
 * The namespace is the app's label: the name of its folder, unless its apps.py says another. A
 * dependency on an app that has no folder here (Django's own, an installed one) cannot be checked
 * and is no edge; swappable_dependency is one of them unless the user model's app is here, which only
 * settings know. `__first__` and `__latest__` mean the roots and leaves of an app.
 *
 * Two leaves in one app are an error: `manage.py migrate` refuses them.
 */
#include "core/migrate/pyscan.h"
#include "core/migrate/source_graph.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 6
#define FOLDERS_MAX 20000

struct django {
	struct source_walk *w;
	struct graph g;
	struct arena arena;
	struct digest *digest;
	struct strbuf text;
	size_t folders;
	const char **app; /* labels, one for each folder of migrations */
	size_t n_app, cap_app;
};

struct django_file {
	struct py_value dependencies, run_before, replaces;
};

/* ---- one file ---- */

/* A list of (app, name) pairs that is written out, as far as it is. */
static bool as_pairs(struct django *x, const char *path, const struct py_module *m,
		     const char *name, struct py_value *out)
{
	const struct py_value *v = py_get(m, name);

	*out = (struct py_value){ .kind = PY_LIST };
	if (v == NULL)
		return true;
	if (v->kind == PY_LIST) {
		*out = *v;
		return true;
	}
	source_problem_add(x->w->s, true, path, "write the list out as makemigrations does",
			   "%s is not written out as a list", name);
	return false;
}

static const char *title_of(struct arena *a, struct sv stem)
{
	const char *id, *title, *key;
	char *text;

	if (migration_name(a, stem, &id, &title, &key) && title[0] != '\0')
		return title;
	text = arena_strndup(a, stem.p, stem.n);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return text;
}

static void read_file(struct django *x, const char *folder, const char *app, const char *file)
{
	struct source_walk *w = x->w;
	struct arena *a = &w->s->arena;
	const char *path = source_path(w, folder, file);
	struct migration *m = arena_alloc(a, sizeof(*m));
	struct django_file *f = arena_alloc(&x->arena, sizeof(*f));
	struct sv stem = sv_n(file, strlen(file) - strlen(".py"));
	const struct py_value *atomic;
	struct py_module module;
	struct err e;

	if (!graph_read(w, path, m, x->digest, &x->text))
		return;
	if (py_scan(&x->arena, strbuf_sv(&x->text), "Migration", &module, &e) != 0) {
		source_problem_add(w->s, true, path, e.hint, "%s: %s", file, e.msg);
		return;
	}
	if (!module.has_class) {
		source_problem_add(w->s, true, path, "move the file out of migrations/",
				   "%s/%s has no class Migration, which Django refuses", app, file);
		return;
	}
	if (!as_pairs(x, path, &module, "dependencies", &f->dependencies) ||
	    !as_pairs(x, path, &module, "run_before", &f->run_before) ||
	    !as_pairs(x, path, &module, "replaces", &f->replaces))
		return;
	atomic = py_get(&module, "atomic");
	m->no_transaction = atomic != NULL && atomic->kind == PY_FALSE;
	m->ns = app;
	m->id = arena_sv(a, stem).p;
	m->title = title_of(a, stem);
	graph_add(&x->g, m, path)->own = f;
}

/* The label that apps.py gives, else the folder's name. */
static const char *label_of(struct django *x, const char *folder)
{
	struct source_walk *w = x->w;
	const char *apps = arena_printf(&w->arena, "%s/apps.py", folder);
	const char *slash = strrchr(folder, '/');
	const char *label = slash != NULL ? slash + 1 : folder;
	const struct py_value *v;
	struct py_module module;
	struct err e;

	source_watch(w, source_path(w, NULL, apps));
	if (source_has(w, apps) && source_read_text(w->dirfd, apps, apps, &x->text, &e) == 0 &&
	    py_scan(&x->arena, strbuf_sv(&x->text), "*", &module, &e) == 0) {
		v = py_get(&module, "label");
		if (v != NULL && v->kind == PY_STRING && v->text.n > 0)
			label = v->text.p;
	}
	return arena_strdup(&w->s->arena, label);
}

static void read_app(struct django *x, const char *app_folder)
{
	struct source_walk *w = x->w;
	const char *folder = arena_printf(&w->arena, "%s/migrations", app_folder), *app;
	struct source_listing l = { 0 };
	struct err e;

	source_watch(w, source_path(w, NULL, folder));
	if (source_list(w, folder, &l, &e) != 0)
		source_problem_add(w->s, true, source_path(w, NULL, folder), e.hint, "%s: %s",
				   e.msg, e.detail);
	if (source_listing_has(&l, "__init__.py")) {
		app = label_of(x, app_folder);
		mem_grow(&x->app, &x->cap_app, x->n_app + 1, sizeof(*x->app));
		x->app[x->n_app++] = app;
		for (size_t i = 0; i < l.n; i++)
			if (l.item[i].type != DT_DIR && l.item[i].name[0] != '_' &&
			    l.item[i].name[0] != '~' && sv_ends(sv_of(l.item[i].name), SV(".py")))
				read_file(x, folder, app, l.item[i].name);
	}
	source_listing_clear(&l);
}

/* Folders that hold installed code or none. */
static bool is_foreign_folder(const struct source_name *f)
{
	static const char *const names[] = { "node_modules", "site-packages", "venv",
					     "env",          "virtualenv",    "__pycache__",
					     "migrations",   "static",        "media",
					     "build",        "dist" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(f->name, names[i]) == 0)
			return true;
	return f->type != DT_DIR;
}

/* Looks for apps in a folder and those below it. */
static void walk_folder(struct django *x, const char *folder, int depth)
{
	struct source_walk *w = x->w;
	struct source_listing l = { 0 };
	struct err e;

	if (depth > DEPTH_MAX || ++x->folders > FOLDERS_MAX)
		return;
	/* A folder that cannot be read holds no app that Django could import. */
	if (source_list(w, folder, &l, &e) == 0) {
		source_watch(w, source_path(w, NULL, folder != NULL ? folder : "."));
		if (folder != NULL && source_listing_has(&l, "migrations"))
			read_app(x, folder);
		for (size_t i = 0; i < l.n; i++)
			if (!is_foreign_folder(&l.item[i]))
				walk_folder(x,
					    folder != NULL ? arena_printf(&w->arena, "%s/%s",
									  folder, l.item[i].name)
							   : l.item[i].name,
					    depth + 1);
	}
	source_listing_clear(&l);
}

/* ---- the graph ---- */

static bool has_app(const struct django *x, const char *label)
{
	for (size_t i = 0; i < x->n_app; i++)
		if (strcmp(x->app[i], label) == 0)
			return true;
	return false;
}

/* The pair of an item: ("app", "name"). False when it is a call or a name of settings. */
static bool pair_of(const struct py_value *v, const char **app, const char **name)
{
	if (v->kind != PY_LIST || v->n != 2 || v->item[0].kind != PY_STRING ||
	    v->item[1].kind != PY_STRING)
		return false;
	*app = v->item[0].text.p;
	*name = v->item[1].text.p;
	return true;
}

/* Index of the migration a pair names; n when the app is not here or it was told to be missing. */
static size_t find_pair(struct django *x, size_t from, const struct py_value *v)
{
	const char *app, *name;
	size_t at;

	if (v->kind == PY_CALL)
		return x->g.n; /* swappable_dependency: settings choose its app */
	if (!pair_of(v, &app, &name)) {
		source_problem_add(x->w->s, false, x->g.node[from].path,
				   "write it out as ('app', '0001_name')",
				   "a dependency of %s is not written out and is not followed",
				   x->g.node[from].m->id);
		return x->g.n;
	}
	if (!has_app(x, app) || strcmp(name, "__first__") == 0 || strcmp(name, "__latest__") == 0)
		return x->g.n;
	at = graph_find(&x->g, app, name);
	if (at == x->g.n)
		source_problem_add(x->w->s, true, x->g.node[from].path,
				   "restore its file, or change what the migration depends on",
				   "%s.%s depends on %s.%s, which has no file",
				   x->g.node[from].m->ns, x->g.node[from].m->id, app, name);
	return at;
}

/* "__first__" is the first root of an app, "__latest__" its first leaf, both by name. */
static void link_ends(struct django *x, size_t from, const struct py_value *v)
{
	const char *app, *name;
	bool first;

	if (!pair_of(v, &app, &name) || !has_app(x, app))
		return;
	first = strcmp(name, "__first__") == 0;
	if (!first && strcmp(name, "__latest__") != 0)
		return;
	for (size_t i = 0; i < x->g.n; i++) {
		const struct graph_node *n = &x->g.node[i];
		bool root = true;

		if (i == from || strcmp(n->m->ns, app) != 0)
			continue;
		for (size_t k = 0; k < n->n_parent; k++)
			root = root && strcmp(x->g.node[n->parent[k]].m->ns, app) != 0;
		if (first ? root : !n->has_child) {
			graph_edge(&x->g, from, i);
			return;
		}
	}
}

static void add_replaces(struct django *x, size_t i)
{
	const struct django_file *f = x->g.node[i].own;
	struct migration *m = x->g.node[i].m;
	const char **list = arena_alloc(&x->w->s->arena, (f->replaces.n + 1) * sizeof(*list));
	const char *app, *name;

	for (size_t k = 0; k < f->replaces.n; k++) {
		size_t at;

		if (!pair_of(&f->replaces.item[k], &app, &name))
			continue;
		list[m->n_replaces++] = arena_printf(&x->w->s->arena, "%s/%s", app, name);
		at = graph_find(&x->g, app, name);
		if (at < x->g.n)
			x->g.node[at].replaced = true;
	}
	m->replaces = list;
}

/* Two leaves of an app among those no other stands for. */
static void report_conflicts(struct django *x)
{
	size_t before = x->g.n;

	for (size_t i = 0; i < x->g.n; i++) {
		const struct graph_node *n = &x->g.node[i];

		if (n->has_child || n->replaced)
			continue;
		if (before < x->g.n && strcmp(x->g.node[before].m->ns, n->m->ns) == 0)
			source_problem_add(x->w->s, true, n->path,
					   "manage.py makemigrations --merge",
					   "app %s has two leaves, which Django refuses: %s and %s",
					   n->m->ns, x->g.node[before].m->id, n->m->id);
		before = i;
	}
}

/* A squashed one stands where its replaced ones stood: what they had as child is its child too. */
static void link_replaced(struct django *x, size_t squash)
{
	const struct django_file *f = x->g.node[squash].own;
	const char *app, *name;

	for (size_t k = 0; k < f->replaces.n; k++) {
		size_t old;

		if (!pair_of(&f->replaces.item[k], &app, &name))
			continue;
		old = graph_find(&x->g, app, name);
		if (old == x->g.n)
			continue;
		for (size_t i = 0; i < x->g.n; i++)
			for (size_t p = 0;
			     i != squash && !x->g.node[i].replaced && p < x->g.node[i].n_parent;
			     p++)
				if (x->g.node[i].parent[p] == old)
					graph_edge(&x->g, i, squash);
		graph_edge(&x->g, squash, old); /* listed behind what it stands for */
	}
}

static void link_all(struct django *x)
{
	for (size_t i = 0; i < x->g.n; i++) {
		const struct django_file *f = x->g.node[i].own;

		for (size_t k = 0; k < f->dependencies.n; k++) {
			size_t at = find_pair(x, i, &f->dependencies.item[k]);

			if (at < x->g.n)
				graph_edge(&x->g, i, at);
		}
		for (size_t k = 0; k < f->run_before.n; k++) {
			size_t at = find_pair(x, i, &f->run_before.item[k]);

			if (at < x->g.n)
				graph_edge(&x->g, at, i);
		}
	}
	for (size_t i = 0; i < x->g.n; i++) {
		const struct django_file *f = x->g.node[i].own;

		for (size_t k = 0; k < f->dependencies.n; k++)
			link_ends(x, i, &f->dependencies.item[k]);
		add_replaces(x, i);
	}
	for (size_t i = 0; i < x->g.n; i++)
		if (x->g.node[i].m->n_replaces > 0)
			link_replaced(x, i);
	report_conflicts(x);
	graph_finish(x->w, &x->g);
}

static int app_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void keep_apps(struct django *x)
{
	struct source *s = x->w->s;

	if (x->n_app > 1)
		qsort(x->app, x->n_app, sizeof(*x->app), app_cmp);
	s->app = arena_alloc(&s->arena, (x->n_app + 1) * sizeof(*s->app));
	if (x->n_app > 0)
		memcpy(s->app, x->app, x->n_app * sizeof(*s->app));
	s->n_app = x->n_app;
	for (size_t i = 1; i < x->n_app; i++)
		if (strcmp(x->app[i - 1], x->app[i]) == 0)
			source_problem_add(s, true, "", "give one of them a label in its apps.py",
					   "two apps have the label %s", x->app[i]);
}

static void pair_django(struct source_walk *w)
{
	struct django x = { .w = w, .digest = digest_new() };

	w->s->framework = true;
	arena_init(&x.arena);
	strbuf_init(&x.text, SOURCE_FILE_MAX + 1);
	walk_folder(&x, NULL, 0);
	keep_apps(&x);
	graph_sort(&x.g);
	link_all(&x);
	graph_clear(&x.g);
	mem_free(x.app);
	strbuf_clear(&x.text);
	arena_clear(&x.arena);
	digest_free(x.digest);
}

static bool marked_django(struct source_walk *w)
{
	return source_listing_has(&w->root, "manage.py");
}

static bool claims_none(const struct source_name *f)
{
	(void)f;
	return false;
}

const struct source_layout source_django = {
	.name = "django",
	.new_hint = "manage.py makemigrations -n NAME",
	.claims = claims_none,
	.pair = pair_django,
	.marked = marked_django,
};
