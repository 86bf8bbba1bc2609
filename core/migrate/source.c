/* SPDX-License-Identifier: MIT */
/*
 * A folder of migrations to a list of them.
 *
 * Order of work: names of the folder (one readdir, no stat), which layout has most of them, pairs
 * of up and down (the layout's part), contents (source_read.c), order, duplicates. A folder of one
 * layout with files of another keeps the larger part and says what it left out.
 *
 * Everything is opened relative to one descriptor of the folder: renaming it while we read cannot
 * mix two folders.
 *
 * Not here: scripts kept in memory. source_script() reads one again when it is needed, and compares
 * its checksum with the scan's.
 */
#include "core/migrate/source_layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/fs.h"
#include "core/base/utf8.h"

static const struct source_layout *const layouts[] = {
	&source_updown,  &source_suffix, &source_folders,
	&source_onefile, &source_goose, /* behind one-file, which claims the same names: the text decides */
	&source_flyway,  &source_listed, &source_sqitch,
	&source_alembic, &source_django,
};
#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))
#define PROBES_MAX 8 /* files read to tell one-file from goose */

bool source_is_sql(const struct source_name *f)
{
	return f->type != DT_DIR && sv_ends(sv_of(f->name), SV(".sql"));
}

bool source_is_numbered_sql(const struct source_name *f)
{
	struct sv stem = sv_of(f->name);

	/* A folder named like a file is ours too: opening it tells what is wrong. */
	if (!sv_ends(stem, SV(".sql")))
		return false;
	stem.n -= strlen(".sql");
	return migration_id_length(stem) > 0;
}

struct source_pair *source_pair_add(struct source_walk *w, struct sv stem)
{
	mem_grow(&w->pair, &w->cap_pair, w->n_pair + 1, sizeof(*w->pair));
	w->pair[w->n_pair] = (struct source_pair){ .stem = stem };
	return &w->pair[w->n_pair++];
}

const char *source_path(struct source_walk *w, const char *dir, const char *name)
{
	struct arena *a = &w->s->arena;
	size_t n_dir = dir != NULL ? strlen(dir) + 1 : 0, n_name = strlen(name);
	char *path = arena_alloc(a, w->dir_len + n_dir + n_name + 1);

	/* By hand: with 10,000 files formatting is a tenth of the scan. */
	memcpy(path, w->s->dir, w->dir_len - 1);
	path[w->dir_len - 1] = '/';
	if (dir != NULL) {
		memcpy(path + w->dir_len, dir, n_dir - 1);
		path[w->dir_len + n_dir - 1] = '/';
	}
	memcpy(path + w->dir_len + n_dir, name, n_name + 1);
	return path;
}

static const char *cleaned(struct arena *a, const char *text)
{
	struct strbuf b;
	const char *out;

	strbuf_init(&b, 8192);
	clean_text(&b, sv_of(text), false);
	out = arena_strdup(a, strbuf_str(&b));
	strbuf_clear(&b);
	return out;
}

/* Where the next problem goes; NULL when the list is full. An error takes the place of the last
 * warning, so that what refuses a migrate is always among those listed. */
static struct source_problem *problem_slot(struct source *s, bool error)
{
	if (s->problem == NULL)
		s->problem = arena_alloc(&s->arena, SOURCE_PROBLEMS_MAX * sizeof(*s->problem));
	if (s->n_problem < SOURCE_PROBLEMS_MAX)
		return &s->problem[s->n_problem++];
	for (size_t i = s->n_problem; error && i-- > 0;)
		if (!s->problem[i].error)
			return &s->problem[i];
	return NULL;
}

void source_problem_add(struct source *s, bool error, const char *path, const char *hint,
			const char *fmt, ...)
{
	struct source_problem *p = problem_slot(s, error);
	struct strbuf b;
	va_list ap;

	s->n_problem_total++;
	if (error)
		s->n_error++;
	if (p == NULL)
		return;
	strbuf_init(&b, 8192);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	p->error = error;
	p->path = cleaned(&s->arena, path);
	p->msg = cleaned(&s->arena, strbuf_str(&b));
	p->hint = cleaned(&s->arena, hint != NULL ? hint : "");
	strbuf_clear(&b);
}

/* ---- which layout ---- */

static size_t count_claimed(const struct source_listing *l, const struct source_layout *layout)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += layout->claims(&l->item[i]);
	return n;
}

/* The two share their names. A text with an annotation of goose decides, or files of Go alone. */
static const struct source_layout *onefile_or_goose(struct source_walk *w)
{
	const struct source_layout *found = NULL;
	struct strbuf text;
	size_t n_sql = 0;

	strbuf_init(&text, SOURCE_FILE_MAX + 1);
	for (size_t i = 0; i < w->root.n && found == NULL && n_sql < PROBES_MAX; i++) {
		const char *name = w->root.item[i].name;
		struct err e;

		if (!source_onefile.claims(&w->root.item[i]))
			continue;
		n_sql++;
		if (source_read_text(w->dirfd, name, name, &text, &e) == 0 &&
		    source_is_goose(strbuf_sv(&text)))
			found = &source_goose;
	}
	strbuf_clear(&text);
	if (found == NULL)
		found = n_sql > 0 ? &source_onefile : &source_goose;
	return found;
}

/* Takes the layout with the most files; the folder up/ alone makes an empty up-down source. */
static void choose_layout(struct source_walk *w)
{
	size_t best = 0;

	for (size_t i = 0; i < N_LAYOUTS; i++) {
		if (layouts[i]->marked == NULL || !layouts[i]->marked(w))
			continue;
		w->layout = layouts[i];
		return;
	}
	for (size_t i = 0; i < N_LAYOUTS; i++) {
		const struct source_listing *l = layouts[i]->up_dir != NULL ? &w->up : &w->root;
		size_t n = count_claimed(l, layouts[i]);

		if (n > best) {
			best = n;
			w->layout = layouts[i];
		}
	}
	if (w->layout == &source_onefile || w->layout == &source_goose)
		w->layout = onefile_or_goose(w);
	if (best == 0 && source_listing_has(&w->root, "up"))
		w->layout = &source_updown;
}

const struct source_layout *source_layout_find(const char *name)
{
	for (size_t i = 0; i < N_LAYOUTS; i++)
		if (strcmp(layouts[i]->name, name) == 0)
			return layouts[i];
	return NULL;
}

static int named_layout(struct source_walk *w, const char *name, struct err *e)
{
	const char *names[N_LAYOUTS];
	const char *near;

	w->layout = source_layout_find(name);
	if (w->layout != NULL)
		return 0;
	for (size_t i = 0; i < N_LAYOUTS; i++)
		names[i] = layouts[i]->name;
	near = str_nearest(name, names, N_LAYOUTS);
	err_set(e, ERR_CONFIG, "unknown layout '%s'", name);
	err_detail(e, "known: up-down-folders, suffix, folders, one-file, goose, flyway, listed, "
		      "sqitch, alembic, django");
	return near != NULL ? err_hint(e, "did you mean '%s'?", near) : -1;
}

static const char *unfit_reason(const struct source_name *f)
{
	for (size_t i = 0; i < N_LAYOUTS; i++)
		if (layouts[i]->up_dir == NULL && layouts[i]->claims(f))
			return layouts[i]->name;
	return NULL;
}

/* Warns of names in one folder that look like migrations and are not read. */
static void report_strays(struct source_walk *w, const struct source_listing *l, const char *sub,
			  bool ours)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct source_name *f = &l->item[i];
		const char *other = sub == NULL ? unfit_reason(f) : NULL;
		size_t len = strlen(f->name);
		bool sql = f->type != DT_DIR && len > 4 &&
			   strcasecmp(f->name + len - 4, ".sql") == 0;

		if (ours && w->layout->claims(f))
			continue;
		/* A numbered folder is a stray only beside migrations of the same folder. */
		if (!sql && (other == NULL || w->layout->up_dir != NULL))
			continue;
		if (other != NULL)
			source_problem_add(w->s, false, source_path(w, sub, f->name),
					   "keep one layout in a folder",
					   "%s is of layout %s and is not read: this folder is %s",
					   f->name, other, w->layout->name);
		else
			source_problem_add(w->s, false, source_path(w, sub, f->name),
					   "rename it like 009_add_users.sql, or move it elsewhere",
					   "%s does not begin with a number and is not read",
					   f->name);
	}
}

static void report_all_strays(struct source_walk *w)
{
	bool in_root = w->layout->up_dir == NULL;
	size_t n;

	if (w->layout->marked != NULL)
		return; /* a plan or a graph says what belongs to it */
	report_strays(w, &w->root, NULL, in_root);
	if (!in_root) {
		report_strays(w, &w->up, "up", true);
		report_strays(w, &w->down, "down", true);
		return;
	}
	n = count_claimed(&w->up, &source_updown);
	if (n > 0)
		source_problem_add(w->s, false, source_path(w, NULL, "up"),
				   "keep one layout in a folder",
				   "%zu files in up/ are not read: this folder is of layout %s", n,
				   w->layout->name);
}

/* ---- from pairs to the list ---- */

static int migration_cmp(const void *a, const void *b)
{
	const struct migration *x = a, *y = b;
	int d = strcmp(x->sort_key, y->sort_key);

	if (d == 0)
		d = strcmp(x->id, y->id);
	return d != 0 ? d : strcmp(x->up_path, y->up_path);
}

static void make_list(struct source_walk *w)
{
	struct source *s = w->s;

	s->list = arena_alloc(&s->arena, (w->n_pair + 1) * sizeof(*s->list));
	s->n = w->n_pair;
	for (size_t i = 0; i < w->n_pair; i++) {
		struct migration *m = &s->list[i];

		if (w->pair[i].as != NULL)
			*m = *w->pair[i].as;
		else /* the layout paired only names with a version */
			(void)migration_name(&s->arena, w->pair[i].stem, &m->id, &m->title,
					     &m->sort_key);
		if (m->ns == NULL)
			m->ns = s->ns;
		m->up_path = w->pair[i].up;
	}
}

/* Sorts, and reports equal numbers. Of two files with the very same id only the first stays, so
 * that (namespace, id) names one migration everywhere else. */
static void sort_list(struct source *s)
{
	size_t keep = 0;

	if (s->n > 1)
		qsort(s->list, s->n, sizeof(*s->list), migration_cmp);
	for (size_t i = 0; i < s->n; i++) {
		const struct migration *m = &s->list[i];
		const struct migration *before = keep > 0 ? &s->list[keep - 1] : NULL;

		if (before != NULL && strcmp(before->sort_key, m->sort_key) == 0) {
			source_problem_add(s, true, m->up_path,
					   "give one of them the next free number",
					   "two migrations have the number %s: %s and %s", m->id,
					   before->up_path + strlen(s->dir) + 1,
					   m->up_path + strlen(s->dir) + 1);
			if (strcmp(before->id, m->id) == 0)
				continue;
		}
		if (keep != i)
			s->list[keep] = *m;
		keep++;
	}
	s->n = keep;
}

static int problem_cmp(const void *a, const void *b)
{
	const struct source_problem *x = a, *y = b;

	return x->error != y->error ? (int)y->error - (int)x->error : strcmp(x->path, y->path);
}

/* ---- the scan ---- */

static int open_folder(const char *path, int *fd, struct err *e)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	err_sys(e, errno, "cannot open the folder of migrations %s", path);
	if (e->code == ERR_NOT_FOUND)
		return err_hint(e, "bascule new NAME");
	return err_hint(e, "check `migrations =` and the rights of the folder");
}

static int no_layout(struct source_walk *w, struct err *e)
{
	err_set(e, ERR_NOT_FOUND, "no migrations in %s", w->s->dir);
	err_detail(e,
		   "%zu names, none like up/009_add_users.sql, 009_add_users.up.sql, "
		   "009_add_users/up.sql, 009_add_users.sql or V9__add_users.sql",
		   w->root.n);
	return err_hint(e, "bascule new NAME");
}

bool source_is_folder(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

bool source_has(const struct source_walk *w, const char *path)
{
	struct stat st;

	return fstatat(w->dirfd, path, &st, 0) == 0;
}

void source_watch(struct source_walk *w, const char *path)
{
	struct source *s = w->s;

	mem_grow(&w->watched, &w->cap_watched, s->n_watched + 1, sizeof(*w->watched));
	w->watched[s->n_watched++] = arena_strdup(&s->arena, path);
}

const char *source_place_key(struct arena *a, size_t i)
{
	return arena_printf(a, "g%08zu", i);
}

/* Lists what the folder holds, its up/ included, and finds the layout. */
static int survey(struct source_walk *w, const struct source_spec *spec, struct err *e)
{
	if (source_list(w, NULL, &w->root, e) != 0)
		return -1;
	if (source_listing_has(&w->root, "up") && source_is_folder(w->dirfd, "up") &&
	    source_list(w, "up", &w->up, e) != 0)
		return -1;
	if (spec->layout != NULL)
		return named_layout(w, spec->layout, e);
	choose_layout(w);
	return 0;
}

static void walk_clear(struct source_walk *w)
{
	source_listing_clear(&w->root);
	source_listing_clear(&w->up);
	source_listing_clear(&w->down);
	mem_free(w->pair);
	mem_free(w->watched);
	arena_clear(&w->arena);
	if (w->dirfd >= 0)
		close(w->dirfd);
}

static void source_init(struct source *s, const struct source_spec *spec, const char *dir)
{
	size_t n = strlen(dir);

	arena_init(&s->arena);
	while (n > 1 && dir[n - 1] == '/')
		n--;
	s->dir = arena_strndup(&s->arena, dir, n);
	s->ns = arena_strdup(&s->arena, spec->ns != NULL ? spec->ns : "main");
}

static int fill(struct source_walk *w, struct cancel *c, struct err *e)
{
	if (w->layout->down_dir != NULL && source_is_folder(w->dirfd, w->layout->down_dir) &&
	    source_list(w, w->layout->down_dir, &w->down, e) != 0)
		return -1;
	w->s->layout = w->layout->name;
	w->layout->pair(w);
	report_all_strays(w);
	make_list(w);
	if (source_read_all(w, c, e) != 0)
		return -1;
	sort_list(w->s);
	source_index(w->s);
	if (w->s->n_watched > 0) {
		w->s->watched = arena_alloc(&w->s->arena, w->s->n_watched * sizeof(*w->s->watched));
		memcpy(w->s->watched, w->watched, w->s->n_watched * sizeof(*w->s->watched));
	}
	if (w->s->n_problem > 1)
		qsort(w->s->problem, w->s->n_problem, sizeof(*w->s->problem), problem_cmp);
	return 0;
}

int source_scan_folder(const struct source_spec *spec, const char *folder, struct cancel *c,
		       struct source **out, struct err *e)
{
	struct source_walk w = { .dirfd = -1 };
	int rc = -1;

	w.s = mem_calloc(1, sizeof(*w.s));
	source_init(w.s, spec, folder);
	arena_init(&w.arena);
	/* "/" needs no second slash, but nobody keeps migrations there. */
	w.dir_len = strlen(w.s->dir) + 1;
	if (open_folder(w.s->dir, &w.dirfd, e) != 0 || survey(&w, spec, e) != 0)
		goto out;
	if (w.layout == NULL) {
		rc = no_layout(&w, e);
		goto out;
	}
	if (fill(&w, c, e) != 0)
		goto out;
	*out = w.s;
	w.s = NULL;
	rc = 0;
out:
	walk_clear(&w);
	source_free(w.s);
	return rc;
}
