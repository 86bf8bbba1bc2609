/* SPDX-License-Identifier: MIT */
/*
 * The frozen texts of a run, all in one file: <run>/scripts.
 *
 * A record is a line "s1:<hex> <bytes>", the bytes, and a newline. One file and not one per text,
 * because a plan of a thousand migrations would otherwise make, sync, open and close two thousand;
 * and text, so that a person can read what will run.
 *
 * Each text is named by its checksum and compared with it whenever it is read. The index (where which
 * text is) is made once per opened run from the record lines alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/release/run_folder.h"

#define SCRIPTS_FILE "scripts"
#define RECORD_LINE_MAX 96 /* "s1:", 64 digits, a blank, a number, a newline */
#define BUFFER_BYTES ((size_t)1 << 20)

/* --- Writing -------------------------------------------------------------------------------- */

struct scripts_writer {
	int fd;
	char *path;
	struct strbuf buffer;
	json_t *seen; /* a set of checksums: jansson's object is the hash table at hand */
};

int scripts_create(const char *dir, struct scripts_writer **out, struct err *e)
{
	struct scripts_writer *w = mem_calloc(1, sizeof(*w));

	w->path = path_join(dir, SCRIPTS_FILE);
	w->seen = json_object();
	strbuf_init(&w->buffer, STRBUF_NO_LIMIT);
	w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		err_sys(e, errno, "cannot write %s", w->path);
		scripts_discard(w);
		return -1;
	}
	*out = w;
	return 0;
}

static int writer_flush(struct scripts_writer *w, struct err *e)
{
	if (fs_write_all(w->fd, w->buffer.data, w->buffer.len, w->path, e))
		return -1;
	strbuf_reset(&w->buffer);
	return 0;
}

int scripts_put(struct scripts_writer *w, const char *checksum, struct sv text, struct err *e)
{
	if (json_object_get(w->seen, checksum))
		return 0;
	json_object_set_new(w->seen, checksum, json_true());
	strbuf_addf(&w->buffer, "%s %zu\n", checksum, text.n);
	strbuf_addsv(&w->buffer, text);
	strbuf_addc(&w->buffer, '\n');
	return w->buffer.len < BUFFER_BYTES ? 0 : writer_flush(w, e);
}

int scripts_finish(struct scripts_writer *w, struct err *e)
{
	int ret = 0;

	if ((w->buffer.len > 0 && writer_flush(w, e)))
		ret = -1;
	else if (fsync(w->fd))
		ret = err_sys(e, errno, "cannot write %s to disk", w->path);
	scripts_discard(w);
	return ret;
}

void scripts_discard(struct scripts_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	strbuf_clear(&w->buffer);
	json_decref(w->seen);
	mem_free(w->path);
	mem_free(w);
}

/* --- Reading -------------------------------------------------------------------------------- */

struct record {
	char checksum[CHECKSUM_SIZE];
	off_t at;
	size_t n;
};

struct run_scripts {
	int fd;
	char *path;
	struct record *record; /* sorted by checksum */
	size_t n, cap;
};

static int damaged(const struct run_scripts *s, off_t at, struct err *e)
{
	err_set(e, ERR_CORRUPT, "the frozen scripts of a run are damaged: %s", s->path);
	err_detail(e, "no record at byte %lld", (long long)at);
	return -1;
}

/* The record line at *at; *at moves to the record behind it. */
static int record_read(struct run_scripts *s, off_t *at, off_t size, struct err *e)
{
	char line[RECORD_LINE_MAX + 1];
	ssize_t n = pread(s->fd, line, RECORD_LINE_MAX, *at);
	const char *nl = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	struct sv rest = nl ? sv_n(line, (size_t)(nl - line)) : sv_n("", 0), checksum;
	struct record *r;
	int64_t bytes;

	if (!sv_cut(&rest, ' ', &checksum) || checksum.n != CHECKSUM_SIZE - 1 ||
	    !sv_int(rest, 0, (int64_t)SOURCE_FILE_MAX, &bytes))
		return damaged(s, *at, e);
	mem_grow(&s->record, &s->cap, s->n + 1, sizeof(*s->record));
	r = &s->record[s->n++];
	str_copy_sv(r->checksum, sizeof(r->checksum), checksum);
	r->at = *at + (nl - line) + 1;
	r->n = (size_t)bytes;
	if (r->at + bytes >= size)
		return damaged(s, *at, e);
	*at = r->at + bytes + 1;
	return 0;
}

static int record_cmp(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->checksum, ((const struct record *)b)->checksum);
}

static int scripts_open(const char *dir, struct run_scripts **out, struct err *e)
{
	struct run_scripts *s = mem_calloc(1, sizeof(*s));
	struct stat st;
	off_t at = 0;

	s->path = path_join(dir, SCRIPTS_FILE);
	s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		err_sys(e, errno, "cannot read %s", s->path);
		if (e->code == ERR_NOT_FOUND)
			e->code = ERR_CORRUPT;
		goto fail;
	}
	while (at < st.st_size)
		if (record_read(s, &at, st.st_size, e))
			goto fail;
	if (s->n > 0)
		qsort(s->record, s->n, sizeof(*s->record), record_cmp);
	*out = s;
	return 0;
fail:
	scripts_close(s);
	return -1;
}

void scripts_close(struct run_scripts *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	mem_free(s->record);
	mem_free(s->path);
	mem_free(s);
}

static int record_text(const struct run_scripts *s, const struct record *r, struct strbuf *out,
		       struct err *e)
{
	char *p = strbuf_room(out, r->n + 1);
	char found[DIGEST_HEX_SIZE];
	size_t n = 0;

	if (!p)
		return err_set(e, ERR_LIMIT, "a frozen script is larger than %zu bytes", out->max);
	while (n < r->n) {
		ssize_t got = pread(s->fd, p + n, r->n - n, r->at + (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, errno, "cannot read %s", s->path);
		if (got == 0)
			return damaged(s, r->at, e);
		n += (size_t)got;
	}
	digest_hex(p, r->n, found);
	if (strcmp(found, r->checksum + strlen("s1:"))) {
		err_set(e, ERR_CORRUPT, "a frozen script was edited: %s", s->path);
		err_detail(e, "its checksum is s1:%s, frozen was %s", found, r->checksum);
		return -1;
	}
	strbuf_grew(out, r->n);
	return 0;
}

static int find_text(struct run *r, const char *checksum, struct strbuf *out, struct err *e)
{
	struct record key, *found = NULL;

	if (!r->scripts && scripts_open(r->dir, &r->scripts, e))
		return -1;
	str_copy(key.checksum, sizeof(key.checksum), checksum);
	if (r->scripts->n > 0)
		found = bsearch(&key, r->scripts->record, r->scripts->n, sizeof(key), record_cmp);
	if (!found)
		return err_set(e, ERR_CORRUPT, "run %s has no frozen script %s", r->id, checksum);
	return record_text(r->scripts, found, out, e);
}

int run_script(struct run *r, const char *checksum, struct strbuf *out, struct err *e)
{
	if (find_text(r, checksum, out, e) == 0)
		return 0;
	/* What was approved is not what is there, and never will be again. */
	return e->code == ERR_CORRUPT ? err_hint(e, "bascule abort %s", r->number) : -1;
}
