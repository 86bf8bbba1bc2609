/* SPDX-License-Identifier: MIT */
/*
 * The names of a folder: one readdir, sorted, no stat but for links.
 *
 * Links are followed, as teams do link files, but no folder is ever entered by recursion, so a loop
 * of links cannot hang a scan; it is still reported, because whoever made it expected migrations
 * there. So is a name that is not valid UTF-8 and was meant as a migration: it could neither be
 * shown nor stored. Hidden files belong to editors and version control and are passed over.
 */
#include "core/migrate/source_layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/utf8.h"

#define ANCESTORS_MAX 64

static int name_cmp(const void *a, const void *b)
{
	const struct source_name *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Is the folder st the folder fd or one above it? */
static bool is_above(int fd, const struct stat *st)
{
	struct stat here;
	bool found = false;
	int at = dup(fd);

	for (int i = 0; i < ANCESTORS_MAX && at >= 0 && !found; i++) {
		dev_t dev;
		ino_t ino;
		int up;

		if (fstat(at, &here) != 0)
			break;
		found = here.st_dev == st->st_dev && here.st_ino == st->st_ino;
		dev = here.st_dev;
		ino = here.st_ino;
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = up;
		if (at >= 0 && fstat(at, &here) == 0 && here.st_dev == dev && here.st_ino == ino)
			break; /* the root is its own parent */
	}
	if (at >= 0)
		close(at);
	return found;
}

/* True when the entry is a link that leads back up, or in a circle; then it is reported. */
static bool is_loop(struct source_walk *w, int fd, const char *sub, const struct source_name *f)
{
	struct stat st;
	const char *path;

	if (f->type != DT_LNK)
		return false;
	if (fstatat(fd, f->name, &st, 0) == 0) {
		if (!S_ISDIR(st.st_mode) || !is_above(fd, &st))
			return false;
	} else if (errno != ELOOP) {
		return false;
	}
	path = source_path(w, sub, f->name);
	source_problem_add(w->s, true, path, "remove the link",
			   "a folder loop: %s is a link that leads back to where it is", f->name);
	return true;
}

/* True for names that somebody means as a migration and that cannot be shown or stored. */
static bool is_bad_name(struct source_walk *w, const char *sub, const struct source_name *f)
{
	if (utf8_valid(sv_of(f->name)))
		return false;
	if (source_is_sql(f) || (f->type == DT_DIR && migration_id_length(sv_of(f->name)) > 0))
		source_problem_add(w->s, true, source_path(w, sub, f->name),
				   "rename the file with plain letters",
				   "the name is not valid UTF-8: %s", f->name);
	return true;
}

static int list_full(struct err *e, const char *path)
{
	err_set(e, ERR_LIMIT, "cannot read the migrations of %s", path);
	err_detail(e, "more than %d files", SOURCE_FILES_MAX);
	return err_hint(e, "point `migrations =` at the folder that holds only migrations");
}

int source_list(struct source_walk *w, const char *sub, struct source_listing *out, struct err *e)
{
	const char *path = sub != NULL ? source_path(w, NULL, sub) : w->s->dir;
	int fd = openat(w->dirfd, sub != NULL ? sub : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int rc = -1;

	if (dir == NULL) {
		err_sys(e, errno, "cannot read folder %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (errno = 0, (d = readdir(dir)) != NULL) {
		struct source_name f = { d->d_name, d->d_type };

		/* Hidden files are editors' and version control's. */
		if (d->d_name[0] == '.' || is_bad_name(w, sub, &f) || is_loop(w, fd, sub, &f))
			continue;
		if (out->n == SOURCE_FILES_MAX) {
			list_full(e, path);
			goto out;
		}
		mem_grow(&out->item, &out->cap, out->n + 1, sizeof(*out->item));
		out->item[out->n].name = arena_strdup(&w->arena, d->d_name);
		out->item[out->n++].type = d->d_type;
	}
	if (errno != 0) {
		err_sys(e, errno, "cannot read folder %s", path);
		goto out;
	}
	if (out->n > 1)
		qsort(out->item, out->n, sizeof(*out->item), name_cmp);
	rc = 0;
out:
	closedir(dir);
	return rc;
}

void source_listing_clear(struct source_listing *l)
{
	mem_free(l->item);
	*l = (struct source_listing){ 0 };
}

bool source_listing_has(const struct source_listing *l, const char *name)
{
	struct source_name key = { name, 0 };

	return l->n > 0 && bsearch(&key, l->item, l->n, sizeof(key), name_cmp) != NULL;
}
