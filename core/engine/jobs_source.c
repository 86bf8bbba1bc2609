/* SPDX-License-Identifier: MIT */
/*
 * Reading the source again only when a file changed.
 *
 * The refresh timer would otherwise hash 10,000 files every five seconds for nothing. So after a
 * scan every file and folder it came from is stamped (stamp.h), and before the next one the stamps
 * are compared. Adding or removing a file changes its folder.
 *
 * No stamp is kept for a source with problems, because files that were left out are not in its list.
 */
#include "core/engine/job.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The folder of path, unless it is that of the file before. */
static void stamp_add_folder(struct stamp *s, int dirfd, const char *path, struct strbuf *last)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (n == 0 || (last->len == n && memcmp(last->data, path, n) == 0))
		return;
	strbuf_reset(last);
	strbuf_add(last, path, n);
	stamp_add(s, dirfd, strbuf_str(last));
}

static void stamp_variant(const struct source *source, struct stamp *s)
{
	int dirfd = open(source->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strbuf up, down;

	strbuf_init(&up, 4096);
	strbuf_init(&down, 4096);
	stamp_add(s, dirfd, ".");
	stamp_add(s, dirfd, "up");
	stamp_add(s, dirfd, "down");
	for (size_t i = 0; i < source->n; i++) {
		const struct migration *m = &source->list[i];

		stamp_add(s, dirfd, m->up_path);
		stamp_add_folder(s, dirfd, m->up_path, &up);
		if (!m->down_path || strcmp(m->down_path, m->up_path) == 0)
			continue;
		stamp_add(s, dirfd, m->down_path);
		stamp_add_folder(s, dirfd, m->down_path, &down);
	}
	for (size_t i = 0; i < source->n_watched; i++)
		stamp_add(s, dirfd, source->watched[i]);
	strbuf_clear(&up);
	strbuf_clear(&down);
	if (dirfd >= 0)
		close(dirfd);
}

static void stamp_source(const struct source *source, struct stamp *s)
{
	stamp_init(s);
	for (; source; source = source->next_engine)
		stamp_variant(source, s);
}

/* Under source_lock. */
static bool source_unchanged(const struct engine *g)
{
	struct stamp now;

	if (!g->source || !g->source_settled)
		return false;
	stamp_source(g->source->source, &now);
	return stamp_equal(&g->source_stamp, &now);
}

static size_t problems_of(const struct source *source)
{
	size_t n = 0;

	for (; source; source = source->next_engine)
		n += source->n_problem_total;
	return n;
}

/* Under source_lock. */
static int source_read(struct engine *g, struct cancel *c, struct err *e)
{
	struct source_spec spec = {
		.dir = g->project->migrations,
		.layout = g->project->layout,
	};
	int64_t begun_ns = stamp_now_ns();
	struct source *source;

	if (source_scan(&spec, c, &source, e) != 0)
		return -1;
	shared_source_drop(g->source);
	g->source = shared_source_new(source);
	stamp_source(source, &g->source_stamp);
	g->source_settled = problems_of(source) == 0 &&
			    stamp_is_settled(&g->source_stamp, begun_ns);
	return 0;
}

struct shared_source *engine_source(struct engine *g, struct cancel *c, struct err *e)
{
	struct shared_source *found = NULL;

	pthread_mutex_lock(&g->source_lock);
	if (source_unchanged(g) || source_read(g, c, e) == 0)
		found = shared_source_keep(g->source);
	pthread_mutex_unlock(&g->source_lock);
	return found;
}
