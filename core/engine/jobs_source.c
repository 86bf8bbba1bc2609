/* SPDX-License-Identifier: MIT */
/*
 * Reading the source again only when a file changed.
 *
 * The refresh timer would otherwise hash 10,000 files every five seconds for nothing. So after a
 * scan every file and folder it came from is stat'ed, and before the next one they are compared:
 * inode, size, modification and change time. Adding or removing a file changes its folder.
 *
 * A file written in the same clock tick as it was read could change once more without its times
 * changing. What is younger than the beginning of the scan (with a margin for the kernel's coarse
 * clock) is therefore not trusted: no stamp is kept and the next refresh reads again. Nor is one
 * kept for a source with problems, because files that were left out are not in its list.
 */
#include "core/engine/job.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"

#define RACY_NS ((int64_t)20 * 1000 * 1000)
#define SECOND_NS ((int64_t)1000 * 1000 * 1000)

struct file_stamp {
	ino_t ino;
	off_t size;
	int64_t mtime_ns, ctime_ns;
};

struct source_stamp {
	struct file_stamp *list; /* in the order of stamp_take() */
	size_t n, cap;
	int64_t newest_ns;       /* of all times */
};

void source_stamp_free(struct source_stamp *s)
{
	if (!s)
		return;
	mem_free(s->list);
	mem_free(s);
}

static int64_t time_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* A file that is not there is a stamp as well: all zero. */
static void stamp_add(struct source_stamp *s, int dirfd, const char *path)
{
	struct file_stamp f = { 0 };
	struct stat st;

	if (fstatat(dirfd, path, &st, 0) == 0) {
		f.ino = st.st_ino;
		f.size = st.st_size;
		f.mtime_ns = time_ns(st.st_mtim);
		f.ctime_ns = time_ns(st.st_ctim);
		if (f.mtime_ns > s->newest_ns)
			s->newest_ns = f.mtime_ns;
		if (f.ctime_ns > s->newest_ns)
			s->newest_ns = f.ctime_ns;
	}
	mem_grow(&s->list, &s->cap, s->n + 1, sizeof(*s->list));
	s->list[s->n++] = f;
}

/* The folder of path, unless it is that of the file before. */
static void stamp_add_folder(struct source_stamp *s, int dirfd, const char *path, struct strbuf *last)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (n == 0 || (last->len == n && memcmp(last->data, path, n) == 0))
		return;
	strbuf_reset(last);
	strbuf_add(last, path, n);
	stamp_add(s, dirfd, strbuf_str(last));
}

static struct source_stamp *stamp_take(const struct source *source)
{
	struct source_stamp *s = mem_calloc(1, sizeof(*s));
	struct strbuf up, down;
	int dirfd = open(source->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

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
	strbuf_clear(&up);
	strbuf_clear(&down);
	if (dirfd >= 0)
		close(dirfd);
	return s;
}

static bool stamp_equal(const struct source_stamp *a, const struct source_stamp *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct file_stamp *x = &a->list[i], *y = &b->list[i];

		if (x->ino != y->ino || x->size != y->size || x->mtime_ns != y->mtime_ns ||
		    x->ctime_ns != y->ctime_ns)
			return false;
	}
	return true;
}

/* Under source_lock. */
static bool source_unchanged(const struct engine *g)
{
	struct source_stamp *now;
	bool same;

	if (!g->source || !g->stamp)
		return false;
	now = stamp_take(g->source->source);
	same = stamp_equal(g->stamp, now);
	source_stamp_free(now);
	return same;
}

/* Under source_lock. */
static int source_read(struct engine *g, struct cancel *c, struct err *e)
{
	struct source_spec spec = {
		.dir = g->project->migrations,
		.layout = g->project->layout,
	};
	struct source *source;
	struct source_stamp *stamp;
	struct timespec begun;

	for (size_t i = 0; i < g->project->n_env && !spec.engine; i++)
		if (g->project->env[i].has_db)
			spec.engine = g->project->env[i].dsn.engine;
	clock_gettime(CLOCK_REALTIME, &begun);
	if (source_scan(&spec, c, &source, e) != 0)
		return -1;
	shared_source_drop(g->source);
	source_stamp_free(g->stamp);
	g->source = shared_source_new(source);
	stamp = stamp_take(source);
	if (source->n_problem_total > 0 || stamp->newest_ns >= time_ns(begun) - RACY_NS) {
		source_stamp_free(stamp);
		stamp = NULL;
	}
	g->stamp = stamp;
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
