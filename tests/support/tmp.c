/* SPDX-License-Identifier: MIT */
/*
 * Folders, files and children for tests.
 *
 * These helpers stand on libc alone, not on core/base: a test of core/base/fs.c must not check it
 * with itself. Children write to unlinked files instead of pipes, so that a child which fills both
 * of its outputs cannot block against a reader that waits for the other one.
 */
#include "tests/support/tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

static void *must_alloc(size_t n)
{
	void *p = malloc(n);

	if (!p)
		fail_msg("out of memory");
	return p;
}

char *tmp_path(const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 2;
	char *path = must_alloc(n);

	snprintf(path, n, "%s/%s", dir, name);
	return path;
}

char *tmp_make(void)
{
	const char *base = getenv("TMPDIR");
	char *dir = tmp_path(base ? base : "/tmp", "bascule-test-XXXXXX");

	if (!mkdtemp(dir))
		fail_msg("mkdtemp %s: %s", dir, strerror(errno));
	return dir;
}

/* A folder that a test made read-only would keep what is in it. */
static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if ((type == FTW_D || type == FTW_DNR) && (st->st_mode & S_IRWXU) != S_IRWXU)
		(void)chmod(path, S_IRWXU);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void tmp_remove(char *dir)
{
	if (!dir)
		return;
	(void)nftw(dir, open_up, 16, FTW_PHYS);
	(void)nftw(dir, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	free(dir);
}

static void make_parents(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			fail_msg("mkdir %s: %s", path, strerror(errno));
		*p = '/';
	}
}

void tmp_write_bytes(const char *dir, const char *name, const void *bytes, size_t n)
{
	char *path = tmp_path(dir, name);
	FILE *f;

	make_parents(path);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		fail_msg("write %s: %s", path, strerror(errno));
	free(path);
}

void tmp_write(const char *dir, const char *name, const char *text)
{
	tmp_write_bytes(dir, name, text, strlen(text));
}

/* From the start of fd, which is closed. */
static char *read_all(int fd, const char *what)
{
	struct stat st;
	size_t n = 0;
	char *text;

	if (fstat(fd, &st) != 0)
		fail_msg("fstat %s: %s", what, strerror(errno));
	text = must_alloc((size_t)st.st_size + 1);
	while (n < (size_t)st.st_size) {
		ssize_t got = pread(fd, text + n, (size_t)st.st_size - n, (off_t)n);

		if (got < 0)
			fail_msg("read %s: %s", what, strerror(errno));
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	close(fd);
	return text;
}

char *tmp_read(const char *dir, const char *name)
{
	char *path = tmp_path(dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;

	if (fd < 0)
		fail_msg("open %s: %s", path, strerror(errno));
	text = read_all(fd, path);
	free(path);
	return text;
}

static int unlinked_file(void)
{
	char *dir = tmp_make();
	char *path = tmp_path(dir, "out");
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_msg("open %s: %s", path, strerror(errno));
	tmp_remove(dir);
	free(path);
	return fd;
}

void tmp_run(struct tmp_child *child, const char *dir, char *const argv[])
{
	int out = unlinked_file(), err = unlinked_file();
	posix_spawn_file_actions_t actions;
	int rc, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	if (dir)
		posix_spawn_file_actions_addchdir_np(&actions, dir);
	rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		fail_msg("cannot run %s: %s", argv[0], strerror(rc));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail_msg("waitpid: %s", strerror(errno));
	child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	child->out = read_all(out, "stdout");
	child->err = read_all(err, "stderr");
}

void tmp_child_clear(struct tmp_child *child)
{
	free(child->out);
	free(child->err);
	child->out = child->err = NULL;
}
