/* SPDX-License-Identifier: MIT */
/*
 * Local processes of a transport, ended and reaped by one thread.
 *
 * The thread waits for pidfds in one epoll descriptor, so any number of children fits into a wait_fds. A child
 * is reaped behind the KILL of its group: until then its number, which is also that of the group, cannot be
 * anybody else's. A child that its user left gets TERM at once, and KILL when CHILDREN_GRACE_MS are over.
 *
 * The thread is started with the first child. It holds no lock while it waits.
 */
#include "core/host/children.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS 32

struct children_child {
	struct children *owner;
	struct children_child *next; /* lock of the owner for all below */
	pid_t pid;
	int pidfd, tie_fd;
	int done_fd; /* eventfd, readable once ended */
	bool ended, known, left;
	int64_t kill_at_ms; /* left; WAIT_FOREVER: it ends by itself */
	void (*ended_fn)(void *arg);
	void *arg;
	struct host_result result;
};

struct children {
	pthread_mutex_t lock; /* guards everything below */
	struct children_child *first;
	bool started, closing;
	pthread_t thread;
	int epoll_fd;
	int wake_fd; /* eventfd: a child was left, or closing */
};

struct children *children_new(void)
{
	struct children *p = mem_calloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	p->epoll_fd = p->wake_fd = -1;
	return p;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void poke(int fd)
{
	const uint64_t one = 1;

	/* Only fails when it is readable anyway. */
	(void)!write(fd, &one, sizeof(one));
}

static void child_free(struct children_child *ch)
{
	close_fd(&ch->pidfd);
	close_fd(&ch->tie_fd);
	close_fd(&ch->done_fd);
	mem_free(ch);
}

static void unlink_locked(struct children_child *ch)
{
	struct children_child **at = &ch->owner->first;

	while (*at != ch)
		at = &(*at)->next;
	*at = ch->next;
}

static const char *signal_name(int number)
{
	const char *name = sigabbrev_np(number);

	return name ? name : "unknown";
}

/* Its pidfd is readable: it has ended and is not reaped yet. */
static void reap_locked(struct children_child *ch)
{
	int status = 0;
	pid_t got;

	kill(-ch->pid, SIGKILL);
	got = waitpid(ch->pid, &status, WNOHANG);
	if (got == 0)
		return; /* not yet: the descriptor stays readable */
	ch->known = got == ch->pid;
	ch->result.status = ch->known && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (ch->known && WIFSIGNALED(status))
		str_copy(ch->result.signal, sizeof(ch->result.signal),
			 signal_name(WTERMSIG(status)));
	ch->ended = true;
	epoll_ctl(ch->owner->epoll_fd, EPOLL_CTL_DEL, ch->pidfd, NULL);
	close_fd(&ch->pidfd);
	close_fd(&ch->tie_fd);
	poke(ch->done_fd);
	if (!ch->left && ch->ended_fn)
		ch->ended_fn(ch->arg);
	if (ch->left) {
		unlink_locked(ch);
		child_free(ch);
	}
}

/* Kills those whose time is over; when the next one is, or WAIT_FOREVER. */
static int64_t kill_late_locked(struct children *p)
{
	int64_t now = clock_mono_ms(), next = WAIT_FOREVER;

	for (struct children_child *ch = p->first; ch; ch = ch->next) {
		if (!ch->left || ch->ended)
			continue;
		if (ch->kill_at_ms <= now)
			kill(-ch->pid, SIGKILL);
		else if (ch->kill_at_ms < next)
			next = ch->kill_at_ms;
	}
	return next;
}

static void take_events(struct children *p)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(p->epoll_fd, events, EVENTS, 0);

	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < n; i++)
		reap_locked(events[i].data.ptr);
	pthread_mutex_unlock(&p->lock);
}

static void *run(void *arg)
{
	struct children *p = arg;
	struct err ignored;

	for (;;) {
		struct pollfd fds[2] = { { .fd = p->epoll_fd, .events = POLLIN },
					 { .fd = p->wake_fd, .events = POLLIN } };
		uint64_t count;
		int64_t next;
		bool over;

		pthread_mutex_lock(&p->lock);
		next = kill_late_locked(p);
		over = p->closing && !p->first;
		pthread_mutex_unlock(&p->lock);
		if (over)
			return NULL;
		if (wait_fds(fds, 2, next, NULL, &ignored) < 0)
			err_clear(&ignored);
		if (fds[1].revents)
			(void)!read(p->wake_fd, &count, sizeof(count));
		take_events(p);
	}
}

static int start_thread_locked(struct children *p, struct err *e)
{
	sigset_t all, before;
	int error;

	if (p->started)
		return 0;
	if (p->epoll_fd < 0)
		p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->wake_fd < 0)
		p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll_fd < 0 || p->wake_fd < 0)
		return err_sys(e, errno, "cannot watch processes");
	/* Signals are for the threads of whoever uses us. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return err_sys(e, error, "cannot start a thread");
	p->started = true;
	return 0;
}

/* The process runs; without a way to learn of its end it must not. */
static int watch_locked(struct children_child *ch, struct err *e)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = ch };
	int error;

	ch->pidfd = pidfd_open(ch->pid, 0);
	if (ch->pidfd >= 0 && epoll_ctl(ch->owner->epoll_fd, EPOLL_CTL_ADD, ch->pidfd, &event) == 0)
		return 0;
	error = errno;
	kill(-ch->pid, SIGKILL);
	while (waitpid(ch->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err_sys(e, error, "cannot watch a process");
}

int children_start(struct children *p, const struct children_spec *s, struct children_child **out,
		   struct err *e)
{
	struct children_child *ch = mem_calloc(1, sizeof(*ch));
	int ret = -1;

	*ch = (struct children_child){
		.owner = p, .pidfd = -1, .tie_fd = s->tie_fd, .ended_fn = s->ended, .arg = s->arg
	};
	ch->result.status = -1;
	ch->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_lock(&p->lock);
	assert(!p->closing);
	if (ch->done_fd < 0)
		err_sys(e, errno, "cannot watch a process");
	else if (start_thread_locked(p, e) == 0 && child_spawn(s->argv, &s->fds, &ch->pid, e) == 0)
		ret = watch_locked(ch, e);
	if (ret == 0) {
		ch->next = p->first;
		p->first = ch;
		*out = ch;
	} else {
		child_free(ch);
	}
	pthread_mutex_unlock(&p->lock);
	return ret;
}

int children_fd(const struct children_child *ch)
{
	return ch->done_fd;
}

int children_wait(struct children_child *ch, int64_t deadline_ms, struct cancel *c,
		  struct host_result *r, bool *known, struct err *e)
{
	struct pollfd fd = { .fd = ch->done_fd, .events = POLLIN };
	int ready = wait_fds(&fd, 1, deadline_ms, c, e);

	if (ready < 0)
		return -1;
	if (ready == 0)
		return err_set(e, ERR_TIMEOUT, "a process did not end in time");
	pthread_mutex_lock(&ch->owner->lock);
	*r = ch->result;
	*known = ch->known;
	pthread_mutex_unlock(&ch->owner->lock);
	return 0;
}

static void leave_locked(struct children_child *ch)
{
	ch->left = true;
	ch->kill_at_ms = clock_mono_ms() + CHILDREN_GRACE_MS;
	close_fd(&ch->tie_fd);
	kill(-ch->pid, SIGTERM);
}

void children_leave(struct children_child *ch)
{
	struct children *p;

	if (!ch)
		return;
	p = ch->owner;
	pthread_mutex_lock(&p->lock);
	if (ch->ended) {
		unlink_locked(ch);
		child_free(ch);
	} else {
		leave_locked(ch);
		poke(p->wake_fd);
	}
	pthread_mutex_unlock(&p->lock);
}

void children_let_go(struct children_child *ch)
{
	struct children *p = ch->owner;

	pthread_mutex_lock(&p->lock);
	ch->left = true;
	ch->kill_at_ms = WAIT_FOREVER;
	if (ch->ended) {
		unlink_locked(ch);
		child_free(ch);
	}
	pthread_mutex_unlock(&p->lock);
}

void children_free(struct children *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	for (struct children_child *ch = p->first, *next; ch; ch = next) {
		next = ch->next;
		if (ch->ended) {
			unlink_locked(ch);
			child_free(ch);
		} else if (!ch->left || ch->kill_at_ms == WAIT_FOREVER) {
			leave_locked(ch);
		}
	}
	pthread_mutex_unlock(&p->lock);
	if (p->started) {
		poke(p->wake_fd);
		pthread_join(p->thread, NULL);
	}
	close_fd(&p->epoll_fd);
	close_fd(&p->wake_fd);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}
