/* SPDX-License-Identifier: MIT */
/*
 * Reads and hashes the files of a source: each once, into one buffer that is used again.
 *
 * Half of the time goes to open() and read(), half to SHA-256, so a second thread nearly halves
 * it; below THREAD_FILES starting it costs more than it gives. A worker shares nothing while it runs but
 * the counter of the next chunk: results go to slots of s->list that were there before, texts and
 * faults to the worker's own arena, and are moved to the source by the main thread at the end.
 *
 * A file that cannot be used becomes a fault and the next one is read: one bad file never hides
 * the others.
 */
#include "core/migrate/source_layout.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/db/sqlsplit.h"

#define THREAD_FILES 250
#define WORKERS 2
#define CHUNK 64 /* migrations taken at once */

struct fault {
	size_t index; /* of the pair */
	bool error;
	const char *path; /* lives in the source */
	const char *msg, *hint;
};

struct shared {
	struct source_walk *w;
	struct cancel *cancel;
	atomic_size_t next;
};

struct worker {
	struct shared *shared;
	struct arena arena;
	struct digest *digest;
	struct strbuf buf, scratch;
	struct fault *fault;
	size_t n_fault, cap_fault;
};

static void fault_add(struct worker *k, size_t index, bool error, const char *path,
		      const struct err *e)
{
	mem_grow(&k->fault, &k->cap_fault, k->n_fault + 1, sizeof(*k->fault));
	k->fault[k->n_fault++] = (struct fault){
		.index = index,
		.error = error,
		.path = path,
		.msg = arena_printf(&k->arena, "%s%s%s", e->msg, e->detail[0] != '\0' ? ": " : "",
				    e->detail),
		.hint = arena_strdup(&k->arena, e->hint),
	};
}

int source_read_text(int dirfd, const char *name, const char *path, struct strbuf *buf,
		     struct err *e)
{
	const char *nul;

	strbuf_reset(buf);
	if (fs_read_at(dirfd, name, path, SOURCE_FILE_MAX, buf, e) != 0) {
		if (e->code == ERR_LIMIT)
			return err_hint(
				e, "a migration is at most 64 MiB; load such data by other means");
		if (e->hint[0] == '\0')
			return err_hint(e, "make it a readable file or move it away");
		return -1;
	}
	nul = buf->len > 0 ? memchr(buf->data, '\0', buf->len) : NULL;
	if (nul != NULL) {
		err_set(e, ERR_INPUT, "cannot use %s", path);
		err_detail(e, "a NUL byte at offset %zu: this is no SQL text",
			   (size_t)(nul - buf->data));
		return err_hint(e, "restore the file from version control, or save it as UTF-8");
	}
	if (buf->len > 0)
		buf->len = migration_normalise(buf->data, buf->len);
	return 0;
}

/* Directives and checksum of an up script. header: the text its directives are in. */
static int take_up(struct worker *k, struct migration *m, struct sv header, struct sv up,
		   struct err *e)
{
	struct migration_directives found;

	if (migration_directives(header, &found, e) != 0)
		return -1;
	m->no_transaction = m->no_transaction || found.no_transaction;
	if (found.version.n > 0)
		m->version = arena_sv(&k->arena, found.version).p;
	m->up_bytes = (int64_t)up.n;
	migration_checksum(k->digest, up, m->checksum);
	return 0;
}

static int take_down(struct worker *k, struct migration *m, const char *path, struct sv down,
		     struct err *e)
{
	struct migration_directives found;

	if (migration_directives(down, &found, e) != 0)
		return -1;
	m->down = sql_is_empty(down) ? DOWN_EMPTY : DOWN_SQL;
	m->down_path = path;
	migration_checksum(k->digest, down, m->down_checksum);
	return 0;
}

static int read_one_file(struct worker *k, struct migration *m, struct err *e)
{
	struct source_sections part;
	struct sv header;

	strbuf_reset(&k->scratch);
	if (k->shared->w->layout->split(strbuf_sv(&k->buf), &k->scratch, &part, e) != 0)
		return -1;
	m->no_transaction = part.no_transaction;
	/* Directives may stand above the marker, on it, or below: all are leading comment lines. */
	header = part.head.p != NULL
			 ? sv_n(part.head.p, (size_t)(part.up.p + part.up.n - part.head.p))
			 : part.up;
	if (take_up(k, m, header, part.up, e) != 0)
		return -1;
	return part.has_down ? take_down(k, m, m->up_path, part.down, e) : 0;
}

static void warn_empty(struct worker *k, size_t i, const struct source_pair *p, struct sv up)
{
	struct err e;

	if (!sql_is_empty(up))
		return;
	err_set(&e, ERR_INPUT, "the up script holds no statement");
	err_hint(&e, "write the migration, or remove the file");
	fault_add(k, i, false, p->up, &e);
}

/* What the layout refuses in a script. */
static int checked(const struct worker *k, const struct source_pair *p, struct sv text,
		   struct err *e)
{
	const struct source_layout *layout = k->shared->w->layout;

	return layout->check != NULL && !p->verbatim ? layout->check(text, e) : 0;
}

/* A file of another tool's code: its digest and no more. */
static void read_framework(struct worker *k, size_t i)
{
	struct source_walk *w = k->shared->w;
	struct migration *m = &w->s->list[i];
	struct err e;

	if (m->checksum[0] != '\0')
		return; /* the layout has read it */
	if (source_read_text(w->dirfd, m->up_path + w->dir_len, m->up_path, &k->buf, &e) != 0) {
		fault_add(k, i, true, m->up_path, &e);
		return;
	}
	m->up_bytes = (int64_t)k->buf.len;
	migration_checksum(k->digest, strbuf_sv(&k->buf), m->checksum);
}

static void read_pair(struct worker *k, size_t i)
{
	struct source_walk *w = k->shared->w;
	const struct source_pair *p = &w->pair[i];
	struct migration *m = &w->s->list[i];
	struct err e;

	if (m->framework) {
		read_framework(k, i);
		return;
	}
	if (source_read_text(w->dirfd, p->up + w->dir_len, p->up, &k->buf, &e) != 0) {
		fault_add(k, i, true, p->up, &e);
	} else if (w->layout->split != NULL) {
		if (read_one_file(k, m, &e) != 0)
			fault_add(k, i, true, p->up, &e);
	} else {
		if (checked(k, p, strbuf_sv(&k->buf), &e) != 0 ||
		    take_up(k, m, strbuf_sv(&k->buf), strbuf_sv(&k->buf), &e) != 0)
			fault_add(k, i, true, p->up, &e);
		warn_empty(k, i, p, strbuf_sv(&k->buf));
	}
	if (p->down == NULL)
		return;
	if (source_read_text(w->dirfd, p->down + w->dir_len, p->down, &k->buf, &e) != 0) {
		if (e.code != ERR_NOT_FOUND || !p->down_optional)
			fault_add(k, i, true, p->down, &e);
	} else if (checked(k, p, strbuf_sv(&k->buf), &e) != 0 ||
		   take_down(k, m, p->down, strbuf_sv(&k->buf), &e) != 0) {
		fault_add(k, i, true, p->down, &e);
	}
}

static void *work(void *arg)
{
	struct worker *k = arg;
	size_t n = k->shared->w->n_pair;

	while (!cancel_fired(k->shared->cancel)) {
		size_t from = atomic_fetch_add(&k->shared->next, CHUNK);

		if (from >= n)
			break;
		for (size_t i = from; i < n && i < from + CHUNK; i++)
			read_pair(k, i);
	}
	return NULL;
}

static int fault_cmp(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;

	return x->index != y->index ? (x->index < y->index ? -1 : 1) : strcmp(x->path, y->path);
}

/* Moves what the workers found to the source, in the order of the files. */
static void merge(struct source_walk *w, struct worker *worker, size_t n)
{
	struct fault *all = NULL;
	size_t n_all = 0, cap = 0;

	for (size_t k = 0; k < n; k++) {
		if (worker[k].n_fault == 0)
			continue;
		mem_grow(&all, &cap, n_all + worker[k].n_fault, sizeof(*all));
		memcpy(all + n_all, worker[k].fault, worker[k].n_fault * sizeof(*all));
		n_all += worker[k].n_fault;
	}
	if (n_all > 1)
		qsort(all, n_all, sizeof(*all), fault_cmp);
	for (size_t i = 0; i < n_all; i++)
		source_problem_add(w->s, all[i].error, all[i].path, all[i].hint, "%s", all[i].msg);
	for (size_t i = 0; i < w->n_pair; i++)
		if (w->s->list[i].version != NULL)
			w->s->list[i].version = arena_strdup(&w->s->arena, w->s->list[i].version);
	mem_free(all);
}

int source_read_all(struct source_walk *w, struct cancel *c, struct err *e)
{
	struct shared shared = { .w = w, .cancel = c, .next = 0 };
	struct worker worker[WORKERS] = { 0 };
	size_t n = w->n_pair > THREAD_FILES ? WORKERS : 1;
	pthread_t thread[WORKERS];
	size_t started = 1; /* the first one is this thread */

	for (size_t k = 0; k < n; k++) {
		worker[k].shared = &shared;
		worker[k].digest = digest_new();
		arena_init(&worker[k].arena);
		strbuf_init(&worker[k].buf, SOURCE_FILE_MAX + 1);
		strbuf_init(&worker[k].scratch, 2 * SOURCE_FILE_MAX);
	}
	/* Without a second thread the first one does all. */
	while (started < n && pthread_create(&thread[started], NULL, work, &worker[started]) == 0)
		started++;
	work(&worker[0]);
	for (size_t k = 1; k < started; k++)
		pthread_join(thread[k], NULL);
	merge(w, worker, n);
	for (size_t k = 0; k < n; k++) {
		digest_free(worker[k].digest);
		arena_clear(&worker[k].arena);
		strbuf_clear(&worker[k].buf);
		strbuf_clear(&worker[k].scratch);
		mem_free(worker[k].fault);
	}
	if (cancel_fired(c))
		return err_set(e, ERR_CANCELLED, "cannot read the migrations of %s: cancelled",
			       w->s->dir);
	return 0;
}
