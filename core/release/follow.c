/* SPDX-License-Identifier: MIT */
/*
 * Following a run from another process, without asking it anything.
 *
 * Three things wake the follower: the journal grew (inotify on the run's folder), the runner's
 * process is gone (a pidfd), the cancel. There is no polling of files. Reading again costs time in
 * proportion to the journal, so while a run writes fast it is done at most every FOLLOW_GAP_MS, and
 * with pauses FOLLOW_REST times as long as the last reading took: watching never takes more than a
 * small part of the processor that the run may need.
 *
 * The last state is told only once the runner's process is gone (for END_LIMIT_MS at most): the lock
 * goes with it, and whoever waits here most likely wants the environment next.
 */
#include <errno.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/release/run_folder.h"

#define FOLLOW_GAP_MS 40
#define FOLLOW_REST 9
#define END_LIMIT_MS 10000

struct follower {
	const struct context *ctx;
	const char *id;
	struct cancel *cancel;
	struct run *run; /* as last read */
	int64_t gap_ms;
	int notify_fd;
	int runner_fd; /* pidfd of runner_pid, or -1 */
	int64_t runner_pid;
	bool gone; /* the runner went between being read as alive and being watched: nothing will tell */
};

/* A descriptor that becomes readable when the process ends. -1: it is gone, or is ourselves. */
static int process_fd(int64_t pid)
{
	if (pid <= 0 || pid == getpid())
		return -1;
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0u);
}

static void follower_watch_runner(struct follower *f, const struct run *r)
{
	int64_t pid = r->runner_alive || run_state_ended(r->state) ? r->runner_pid : 0;
	int64_t start;
	char state;

	if (pid == f->runner_pid)
		return;
	if (f->runner_fd >= 0)
		close(f->runner_fd);
	f->runner_pid = pid;
	errno = 0;
	f->runner_fd = process_fd(pid);
	f->gone = r->runner_alive && f->runner_fd < 0 && errno == ESRCH;
	/* The number may belong to somebody else by now. */
	if (f->runner_fd >= 0 && (!fs_process(pid, &start, &state) ||
				  (r->runner_start > 0 && start != r->runner_start))) {
		close(f->runner_fd);
		f->runner_fd = -1;
	}
}

/* Waits for something to happen, then lets the journal grow a little before it is read again. */
static int follower_wait(struct follower *f, int64_t started_ms, struct err *e)
{
	struct pollfd fd[2] = {
		{ .fd = f->notify_fd, .events = POLLIN },
		{ .fd = f->runner_fd, .events = POLLIN },
	};
	char events[4096];
	int64_t now = clock_mono_ms();
	int64_t rest = now + FOLLOW_REST * (now - started_ms);

	if (rest < started_ms + FOLLOW_GAP_MS)
		rest = started_ms + FOLLOW_GAP_MS;
	if (wait_fds(fd, 2, f->gone ? started_ms + FOLLOW_GAP_MS : WAIT_FOREVER, f->cancel, e) < 0)
		return -1;
	f->gone = false;
	if (!fd[1].revents && wait_fds(&fd[1], 1, rest, f->cancel, e) < 0)
		return -1;
	while (read(f->notify_fd, events, sizeof(events)) > 0)
		;
	if (fd[1].revents) {
		close(f->runner_fd);
		f->runner_fd = -1;
	}
	return 0;
}

static int follower_wait_gone(struct follower *f, struct err *e)
{
	struct pollfd fd = { .fd = f->runner_fd, .events = POLLIN };

	if (f->runner_fd < 0)
		return 0;
	return wait_fds(&fd, 1, clock_mono_ms() + END_LIMIT_MS, f->cancel, e) < 0 ? -1 : 0;
}

static int follower_read(struct follower *f, struct err *e)
{
	int64_t start = clock_mono_ms(), took;
	int ret;

	ret = f->run ? run_refresh(f->run, e) : run_load(f->ctx, f->id, &f->run, e);
	took = clock_mono_ms() - start;
	f->gap_ms = 5 * took > FOLLOW_GAP_MS ? 5 * took : FOLLOW_GAP_MS;
	return ret;
}

/* One reading. Returns 1 when there is nothing more to follow. */
static int follower_look(struct follower *f, int (*fn)(void *, const struct run *), void *arg,
			 struct err *e)
{
	int ret;

	if (follower_read(f, e))
		return -1;
	follower_watch_runner(f, f->run);
	ret = run_state_ended(f->run->state) ? follower_wait_gone(f, e) : 0;
	if (!ret)
		ret = fn(arg, f->run);
	if (!ret && (run_state_ended(f->run->state) || f->run->state == RUN_INTERRUPTED))
		ret = 1;
	return ret;
}

int run_follow_keep(const struct context *ctx, const char *id,
		    int (*fn)(void *arg, const struct run *r), void *arg, struct cancel *c,
		    struct run **last, struct err *e)
{
	struct follower f = { .ctx = ctx, .id = id, .cancel = c, .runner_fd = -1 };
	char *dir = run_path(ctx, id, NULL);
	int ret = -1;

	/* Watched before the first reading, so that nothing falls in between. */
	f.notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f.notify_fd < 0 ||
	    inotify_add_watch(f.notify_fd, dir, IN_MODIFY | IN_MOVED_TO | IN_ONLYDIR) < 0) {
		err_sys(e, errno, "cannot watch run %s", id);
		goto out;
	}
	do {
		int64_t now = clock_mono_ms();

		ret = follower_look(&f, fn, arg, e);
		if (!ret)
			ret = follower_wait(&f, now, e);
	} while (!ret);
	ret = ret < 0 ? -1 : 0;
out:
	*last = f.run;
	if (f.runner_fd >= 0)
		close(f.runner_fd);
	if (f.notify_fd >= 0)
		close(f.notify_fd);
	mem_free(dir);
	return ret;
}

int run_follow(const struct context *ctx, const char *id, int (*fn)(void *arg, const struct run *r),
	       void *arg, struct cancel *c, struct err *e)
{
	struct run *last;
	int ret = run_follow_keep(ctx, id, fn, arg, c, &last, e);

	run_free(last);
	return ret;
}
