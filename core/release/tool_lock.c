/* SPDX-License-Identifier: MIT */
/*
 * A framework's tool may outlive the runner that started it: the runner is killed, the tool goes on.
 * Whoever comes next must not start a second one beside it, nor believe what the history says before
 * it has ended.
 *
 * The lock is a flock whose only holder is the tool: the runner opens the file, locks it, gives the
 * descriptor to the child and closes its own. So the kernel gives it back at the moment the tool is
 * gone, however it went, and never before.
 */
#include "core/release/tool_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"

#define LOCK_FILE "framework.lock"
#define NOTE_MAX 120
#define LOOK_AGAIN_MS 100 /* the holder may be a process that nobody wrote down */

/* The process that the file names, when it is alive and of this boot; 0. */
static int64_t read_note(int fd)
{
	char text[NOTE_MAX + 1], boot[40], *end;
	ssize_t n = pread(fd, text, NOTE_MAX, 0);
	int64_t pid, start, now;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	pid = strtoll(text, &end, 10);
	start = strtoll(end, &end, 10);
	fs_boot_id(boot);
	if (pid <= 1 || *end != ' ' || strncmp(end + 1, boot, strlen(boot)) != 0 ||
	    !fs_process(pid, &now, NULL) || now != start)
		return 0;
	return pid;
}

int tool_lock_take(const char *dir, int *fd, int64_t *pid, struct err *e)
{
	char *path = path_join(dir, LOCK_FILE);
	int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int ret = -1;

	*pid = 0;
	if (opened < 0) {
		err_sys(e, errno, "cannot open %s", path);
	} else if (flock(opened, LOCK_EX | LOCK_NB) == 0) {
		*fd = opened;
		opened = -1;
		ret = 0;
	} else if (errno != EWOULDBLOCK) {
		err_sys(e, errno, "cannot lock %s", path);
	} else {
		*pid = read_note(opened);
		err_set(e, ERR_LOCKED, "a tool that this run started is still at work");
		if (*pid > 0) {
			err_detail(e, "process %lld outlived its runner", (long long)*pid);
			err_hint(e, "wait for its end, or: kill %lld", (long long)*pid);
		}
	}
	if (opened >= 0)
		close(opened);
	mem_free(path);
	return ret;
}

void tool_lock_note(int fd, int64_t pid)
{
	char text[NOTE_MAX], boot[40];
	int64_t start = 0;
	int n;

	fs_boot_id(boot);
	fs_process(pid, &start, NULL);
	n = snprintf(text, sizeof(text), "%lld %lld %s\n", (long long)pid, (long long)start, boot);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return; /* then nobody is told the process: the lock holds all the same */
}

int tool_lock_wait(const char *dir, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	for (;;) {
		int64_t pid, now_ms = clock_mono_ms(), next_ms = now_ms + LOOK_AGAIN_MS;
		struct err why;
		int fd;

		if (tool_lock_take(dir, &fd, &pid, &why) == 0) {
			close(fd);
			return 0;
		}
		if (why.code != ERR_LOCKED || now_ms >= deadline_ms) {
			*e = why;
			return -1;
		}
		if (wait_fds(NULL, 0, next_ms < deadline_ms ? next_ms : deadline_ms, c, e) < 0)
			return -1;
	}
}

int tool_lock_end(const char *dir, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	int64_t pid;
	int fd;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (tool_lock_take(dir, &fd, &pid, e) == 0) {
			close(fd);
			return 0;
		}
		if (e->code != ERR_LOCKED || pid == 0)
			return -1;
		/* It leads a group of its own (child_stream). */
		kill((pid_t)-pid, signals[i]);
		if (tool_lock_wait(dir, clock_mono_ms() + TOOL_GRACE_MS, NULL, e) == 0)
			return 0;
	}
	return -1;
}
