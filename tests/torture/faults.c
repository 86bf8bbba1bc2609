/* SPDX-License-Identifier: MIT */
/*
 * A library that is preloaded into the real program and makes one chosen call fail, or kills the
 * process at it. What is counted and what fails is told by the environment (faults.h); the counts
 * live in a file that is mapped shared, so that they survive a SIGKILL.
 *
 * Each wrapper asks pass() whether this call is the one, and otherwise calls the next definition
 * of the symbol. Everything is thread-safe by atomics: the runner has a control thread.
 */
#include "tests/torture/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum act { ACT_NONE, ACT_FAIL, ACT_KILL, ACT_KILL_AFTER };

static struct {
	struct faults_page *page;
	int seam; /* -1: only count */
	uint64_t at;
	enum act act;
	int code;
	bool sticky;
} faults = { .seam = -1 };

/* The descriptor + 1 whose next write fails: a full disk takes the first half of a line. */
static _Atomic int full_fd;

/* sqlite3_exec calls sqlite3_step: the inner one is not another call of the program. */
static _Thread_local int db_depth;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static bool is_runner(void)
{
	char text[4096];
	int (*open_next)(const char *, int, ...) = (int (*)(const char *, int, ...))next("open");
	int fd = open_next("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *word;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	word = text + strlen(text) + 1;
	return word < text + n && !strcmp(word, "run");
}

static void read_action(const char *what)
{
	if (!strcmp(what, "kill")) {
		faults.act = ACT_KILL;
	} else if (!strcmp(what, "kill-after")) {
		faults.act = ACT_KILL_AFTER;
	} else {
		faults.act = ACT_FAIL;
		faults.code = (int)strtol(what, NULL, 10);
	}
}

__attribute__((constructor)) static void faults_start(void)
{
	static const char *const names[] = SEAM_NAMES;
	int (*open_next)(const char *, int, ...) = (int (*)(const char *, int, ...))next("open");
	const char *path = getenv("FAULTS_PAGE"), *role = getenv("FAULTS_ROLE");
	const char *seam = getenv("FAULTS_SEAM"), *at = getenv("FAULTS_AT"),
		   *what = getenv("FAULTS_DO");
	int fd;
	void *page;

	if (!path || !role || is_runner() != !strcmp(role, "runner"))
		return;
	fd = open_next(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	page = mmap(NULL, sizeof(struct faults_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return;
	for (int i = 0; seam && at && what && i < SEAM_KINDS; i++)
		if (!strcmp(seam, names[i]))
			faults.seam = i;
	if (faults.seam >= 0) {
		faults.at = strtoull(at, NULL, 10);
		faults.sticky = getenv("FAULTS_STICKY") != NULL;
		read_action(what);
	}
	faults.page = page;
}

/* Counts the call. What shall happen to it? */
static enum act pass(enum seam seam)
{
	uint64_t n;

	if (!faults.page)
		return ACT_NONE;
	n = __atomic_add_fetch(&faults.page->count[seam], 1, __ATOMIC_SEQ_CST);
	if ((int)seam != faults.seam || n < faults.at || (n > faults.at && !faults.sticky))
		return ACT_NONE;
	__atomic_add_fetch(&faults.page->hits, 1, __ATOMIC_SEQ_CST);
	if (faults.act == ACT_KILL)
		kill(getpid(), SIGKILL);
	return faults.act;
}

static void pass_end(enum act act)
{
	if (act == ACT_KILL_AFTER)
		kill(getpid(), SIGKILL);
}

/* --- Files ---------------------------------------------------------------------------------- */

/* With FAULTS_BOOT this process lives in another boot of the machine: its boot id is that text. */
static int open_boot(const char *path)
{
	const char *id = getenv("FAULTS_BOOT");
	int fd;

	if (!id || strcmp(path, "/proc/sys/kernel/random/boot_id"))
		return -1;
	fd = memfd_create("boot_id", MFD_CLOEXEC);
	if (fd >= 0 && (dprintf(fd, "%s\n", id) < 0 || lseek(fd, 0, SEEK_SET) != 0))
		fd = -1;
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		int (*real)(const char *, int, \
			    ...) = (int (*)(const char *, int, ...))next(#name); \
		enum act act; \
		mode_t mode; \
		va_list ap; \
		int fd; \
\
		va_start(ap, flags); \
		mode = mode_of(flags, ap); \
		va_end(ap); \
		fd = open_boot(path); \
		if (fd >= 0) \
			return fd; \
		act = pass(SEAM_OPEN); \
		if (act == ACT_FAIL) { \
			errno = faults.code; \
			return -1; \
		} \
		fd = real(path, flags, mode); \
		pass_end(act); \
		return fd; \
	}

OPEN(open)
OPEN(open64)

int openat(int dir, const char *path, int flags, ...)
{
	int (*real)(int, const char *, int,
		    ...) = (int (*)(int, const char *, int, ...))next("openat");
	enum act act;
	mode_t mode;
	va_list ap;
	int fd;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	fd = open_boot(path);
	if (fd >= 0)
		return fd;
	act = pass(SEAM_OPEN);
	if (act == ACT_FAIL) {
		errno = faults.code;
		return -1;
	}
	fd = real(dir, path, flags, mode);
	pass_end(act);
	return fd;
}

/* An event descriptor or a socket cannot be full. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_journal(int fd)
{
	static const char name[] = "/journal.ndjson";
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n >= (ssize_t)sizeof(name) - 1 &&
	       !memcmp(path + n - (sizeof(name) - 1), name, sizeof(name) - 1);
}

static enum act pass_write(int fd)
{
	enum act act = ACT_NONE;

	if (!faults.page || !is_file(fd))
		return ACT_NONE;
	if (is_journal(fd))
		act = pass(SEAM_JOURNAL);
	return act != ACT_NONE ? act : pass(SEAM_WRITE);
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t (*real)(int, const void *,
			size_t) = (ssize_t(*)(int, const void *, size_t))next("write");
	enum act act = pass_write(fd);
	ssize_t ret;

	if (act == ACT_NONE && faults.page && full_fd == fd + 1) {
		full_fd = 0;
		act = ACT_FAIL;
	} else if (act == ACT_FAIL && faults.code == ENOSPC && n > 1 && !faults.sticky) {
		full_fd = fd + 1;
		return real(fd, p, n / 2);
	}
	if (act == ACT_FAIL) {
		errno = faults.code;
		return -1;
	}
	ret = real(fd, p, n);
	pass_end(act);
	return ret;
}

#define PWRITE(name) \
	ssize_t name(int fd, const void *p, size_t n, off_t at) \
	{ \
		ssize_t (*real)(int, const void *, size_t, off_t) = \
			(ssize_t(*)(int, const void *, size_t, off_t))next(#name); \
		enum act act = pass_write(fd); \
		ssize_t ret; \
\
		if (act == ACT_FAIL) { \
			errno = faults.code; \
			return -1; \
		} \
		ret = real(fd, p, n, at); \
		pass_end(act); \
		return ret; \
	}

PWRITE(pwrite)
PWRITE(pwrite64)

#define SYNC(name) \
	int name(int fd) \
	{ \
		int (*real)(int) = (int (*)(int))next(#name); \
		enum act act = pass(SEAM_FSYNC); \
		int ret; \
\
		if (act == ACT_FAIL) { \
			errno = faults.code; \
			return -1; \
		} \
		ret = real(fd); \
		pass_end(act); \
		return ret; \
	}

SYNC(fsync)
SYNC(fdatasync)
SYNC(syncfs)

int rename(const char *from, const char *to)
{
	int (*real)(const char *,
		    const char *) = (int (*)(const char *, const char *))next("rename");
	enum act act = pass(SEAM_RENAME);
	int ret;

	if (act == ACT_FAIL) {
		errno = faults.code;
		return -1;
	}
	ret = real(from, to);
	pass_end(act);
	return ret;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path,
		const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *restrict attr,
		char *const argv[restrict], char *const envp[restrict])
{
	int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *,
		    const posix_spawnattr_t *, char *const[], char *const[]) =
		(int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *,
			 const posix_spawnattr_t *, char *const[],
			 char *const[]))next("posix_spawn");
	enum act act = pass(SEAM_SPAWN);
	int ret;

	if (faults.page && faults.page->count[SEAM_SPAWN] == 1)
		memcpy(faults.page->at_spawn, faults.page->count, sizeof(faults.page->at_spawn));
	if (act == ACT_FAIL)
		return faults.code;
	ret = real(pid, path, actions, attr, argv, envp);
	pass_end(act);
	return ret;
}

/* --- The database --------------------------------------------------------------------------- */

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_backup;
int sqlite3_step(struct sqlite3_stmt *s);
int sqlite3_exec(struct sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
		 void *arg, char **message);
int sqlite3_backup_step(struct sqlite3_backup *b, int pages);

int sqlite3_step(struct sqlite3_stmt *s)
{
	int (*real)(struct sqlite3_stmt *) = (int (*)(struct sqlite3_stmt *))next("sqlite3_step");
	enum act act = db_depth > 0 ? ACT_NONE : pass(SEAM_DB);
	int ret;

	if (act == ACT_FAIL)
		return faults.code;
	ret = real(s);
	pass_end(act);
	return ret;
}

int sqlite3_exec(struct sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
		 void *arg, char **message)
{
	int (*real)(struct sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
		    char **) = (int (*)(struct sqlite3 *, const char *,
					int (*)(void *, int, char **, char **), void *,
					char **))next("sqlite3_exec");
	enum act act = pass(SEAM_DB);
	int ret;

	if (act == ACT_FAIL) {
		if (message)
			*message = NULL;
		return faults.code;
	}
	db_depth++;
	ret = real(db, sql, fn, arg, message);
	db_depth--;
	pass_end(act);
	return ret;
}

int sqlite3_backup_step(struct sqlite3_backup *b, int pages)
{
	int (*real)(struct sqlite3_backup *,
		    int) = (int (*)(struct sqlite3_backup *, int))next("sqlite3_backup_step");
	enum act act = pass(SEAM_DB);
	int ret;

	if (act == ACT_FAIL)
		return faults.code;
	ret = real(b, pages);
	pass_end(act);
	return ret;
}
