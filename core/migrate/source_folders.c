/* SPDX-License-Identifier: MIT */
/* Layout "folders": NNN_name/up.sql with NNN_name/down.sql, or Prisma's NNN_name/migration.sql. */
#include "core/migrate/source_layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A link may lead to a folder; whether it does is seen when its up.sql is opened. A link that looks
 * like a file of another layout is not ours. */
static bool claims_folder(const struct source_name *f)
{
	struct sv name = sv_of(f->name);

	if (f->type != DT_DIR && f->type != DT_LNK && f->type != DT_UNKNOWN)
		return false;
	if (f->type != DT_DIR && sv_ends(name, SV(".sql")))
		return false;
	return migration_id_length(name) > 0;
}

static bool there_is(struct source_walk *w, const char *path)
{
	struct stat st;

	/* Anything but "there is no such name" is a fault of that file, told when it is opened. */
	return fstatat(w->dirfd, path + w->dir_len, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void pair_folders(struct source_walk *w)
{
	for (size_t i = 0; i < w->root.n; i++) {
		const char *name = w->root.item[i].name;
		const char *up, *down;
		struct source_pair *p;

		if (!claims_folder(&w->root.item[i]))
			continue;
		up = source_path(w, name, "up.sql");
		down = source_path(w, name, "down.sql");
		if (!there_is(w, up) && there_is(w, source_path(w, name, "migration.sql"))) {
			up = source_path(w, name, "migration.sql");
		} else if (!there_is(w, up)) {
			bool lonely = there_is(w, down);

			source_problem_add(w->s, true, up,
					   "add up.sql or move the folder elsewhere",
					   lonely ? "a down without an up: %s/down.sql"
						  : "folder %s holds no up.sql",
					   name);
			continue;
		}
		p = source_pair_add(w, sv_of(name));
		p->up = up;
		p->down = down;
		p->down_optional = true;
	}
}

const struct source_layout source_folders = {
	.name = "folders",
	.up_suffix = "/up.sql",
	.down_suffix = "/down.sql",
	.claims = claims_folder,
	.pair = pair_folders,
};
