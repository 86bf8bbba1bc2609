/* SPDX-License-Identifier: MIT */
/*
 * Whole reads, durable writes, folders.
 *
 * Reading: files are opened with O_NONBLOCK and looked at with fstat before a byte is read, so that
 * a FIFO put where a migration should be cannot hold the program, and the limit is asked of the
 * bytes that came, not of the size that was reported: a file may grow, and files in /proc say 0.
 *
 * Writing: what replaces a file is written beside it, fsynced, renamed over it, and the folder is
 * fsynced. A crash at any point leaves the old file or the new one, whole. A failure after the
 * rename (the fsync of the folder) is reported although the new file is already to be seen: the
 * caller must not count on it.
 *
 * path.c has what only works on the text of paths, fs_system.c what asks the system about a file
 * system, a boot or a process.
 */
#include "core/base/fs.h"

#include "core/base/digest.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP ((size_t)64 << 10)
#define COPY_STEP ((size_t)256 << 10)

/* read(2) across signals. */
static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

static int open_regular(int dirfd, const char *name, const char *path, struct stat *st,
			struct err *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	if (fstat(fd, st) < 0) {
		err_sys(e, errno, "cannot read %s", path);
		goto fail;
	}
	if (!S_ISREG(st->st_mode)) {
		err_set(e, ERR_INPUT, "cannot read %s", path);
		err_detail(e, S_ISDIR(st->st_mode) ? "it is a folder" : "it is not a regular file");
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

static int refuse_size(const char *path, size_t max, struct err *e)
{
	err_set(e, ERR_LIMIT, "cannot read %s", path);
	return err_detail(e, "it is larger than %zu bytes", max);
}

/* Appends what fd gives, at most max bytes. size is what fstat said. */
static int read_all(int fd, const char *path, size_t size, size_t max, struct strbuf *out,
		    struct err *e)
{
	size_t start = out->len;
	size_t room = out->overflow || out->len > out->max ? 0 : out->max - out->len;

	if (max > room)
		max = room;
	/* One byte more than expected, so that the end of the file is met in the same read. */
	for (size_t step = size + 1;; step = READ_STEP) {
		size_t left = max - (out->len - start);
		char beyond;
		ssize_t got;

		if (step > left)
			step = left;
		/* At the limit one more byte is asked for, only to learn whether there is one. */
		if (step > 0)
			got = read_some(fd, strbuf_room(out, step), step);
		else
			got = read_some(fd, &beyond, 1);
		if (got < 0)
			return err_sys(e, errno, "cannot read %s", path);
		if (got == 0)
			return 0;
		if (step == 0)
			return refuse_size(path, max, e);
		strbuf_grew(out, (size_t)got);
		/* As long as it said it was, and no byte more came: the end. Spares a system call
		 * for each of thousands of small files. */
		if (size > 0 && out->len - start == size && (size_t)got < step)
			return 0;
	}
}

int fs_open(const char *path, struct err *e)
{
	struct stat st;

	return open_regular(AT_FDCWD, path, path, &st, e);
}

int fs_read(const char *path, size_t max, struct strbuf *out, struct err *e)
{
	return fs_read_at(AT_FDCWD, path, path, max, out, e);
}

int fs_read_at(int dirfd, const char *name, const char *path, size_t max, struct strbuf *out,
	       struct err *e)
{
	size_t start = out->len;
	struct stat st;
	int fd, r = -1;

	fd = open_regular(dirfd, name, path, &st, e);
	if (fd < 0)
		return -1;
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		refuse_size(path, max, e);
	else
		r = read_all(fd, path, (size_t)st.st_size, max, out, e);
	close(fd);
	if (r < 0 && out->data) {
		out->len = start;
		out->data[start] = '\0';
	}
	return r;
}

int fs_write_all(int fd, const void *p, size_t n, const char *what, struct err *e)
{
	const char *at = p;

	while (n > 0) {
		ssize_t put = write(fd, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(e, errno, "cannot write %s", what);
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

/* Writes a new file and makes its bytes durable. On failure it does not exist. */
static int write_new(const char *path, const char *what, const void *p, size_t n, mode_t mode,
		     struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = -1;

	if (fd < 0)
		return err_sys(e, errno, "cannot write %s", what);
	if (fs_write_all(fd, p, n, what, e) < 0)
		goto out;
	/* The mode is what was asked for, whatever the umask. */
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0) {
		err_sys(e, errno, "cannot write %s", what);
		goto out;
	}
	r = 0;
out:
	/* A network file system may report a lost write only here. */
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot write %s", what);
	if (r < 0)
		unlink(path);
	return r;
}

int fs_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	char *dir = path_dir(path), *temp = NULL;
	char unique[17], name[32];
	int r = -1;

	digest_random_hex(8, unique);
	snprintf(name, sizeof(name), ".tmp-%s", unique);
	temp = path_join(dir, name);
	if (write_new(temp, path, p, n, mode, e) < 0)
		goto out;
	if (rename(temp, path) < 0) {
		err_sys(e, errno, "cannot replace %s", path);
		unlink(temp);
		goto out;
	}
	r = fs_sync_dir(dir, e);
out:
	mem_free(temp);
	mem_free(dir);
	return r;
}

int fs_sync_dir(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return err_sys(e, errno, "cannot open folder %s", path);
	/* EINVAL: a file system that has no fsync for folders has nothing to lose there either. */
	if (fsync(fd) < 0 && errno != EINVAL)
		r = err_sys(e, errno, "cannot sync folder %s", path);
	close(fd);
	return r;
}

int fs_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char *copy = mem_strdup(path);
	int r = 0;

	for (char *at = copy;; at++) {
		char c = *at;

		if (c != '/' && c != '\0')
			continue;
		*at = '\0';
		/* Any failure on the way (EEXIST, EROFS of a mount point) is judged by what is
		 * there afterwards. */
		if (at > copy && mkdir(copy, mode) < 0 && !fs_is_dir(copy)) {
			r = err_sys(e, errno == EEXIST ? ENOTDIR : errno, "cannot create folder %s",
				    copy);
			break;
		}
		if (c == '\0')
			break;
		*at = c;
	}
	mem_free(copy);
	return r;
}

bool fs_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool fs_is_dir(const char *path)
{
	struct stat st;
	int saved = errno;
	bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	errno = saved;
	return is_dir;
}

static int copy_bytes(int in, int out, const char *src, const char *dst, struct err *e)
{
	char *block = mem_alloc(COPY_STEP);
	int r = -1;

	for (;;) {
		ssize_t got = read_some(in, block, COPY_STEP);

		if (got < 0) {
			err_sys(e, errno, "cannot read %s", src);
			break;
		}
		if (got == 0) {
			r = 0;
			break;
		}
		if (fs_write_all(out, block, (size_t)got, dst, e) < 0)
			break;
	}
	mem_free(block);
	return r;
}

int fs_copy(const char *src, const char *dst, mode_t mode, struct err *e)
{
	struct stat st;
	int in, out, r = -1;

	in = open_regular(AT_FDCWD, src, src, &st, e);
	if (in < 0)
		return -1;
	out = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0) {
		err_sys(e, errno, "cannot create %s", dst);
		goto out;
	}
	r = copy_bytes(in, out, src, dst, e);
	if (r == 0 && (fchmod(out, mode) < 0 || fsync(out) < 0))
		r = err_sys(e, errno, "cannot write %s", dst);
	if (close(out) < 0 && r == 0)
		r = err_sys(e, errno, "cannot write %s", dst);
	if (r < 0)
		unlink(dst);
out:
	close(in);
	return r;
}
