/* SPDX-License-Identifier: MIT */
#include "cli/interrupt.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_signal(struct interrupt *it, int signal)
{
	int none = 0, status;

	if (signal == SIGCHLD) {
		/* Another child's end is not ours to report. */
		if (waitpid(it->child, &status, WNOHANG) != it->child)
			return;
		atomic_store(&it->child_exit,
			     WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
	atomic_compare_exchange_strong(&it->signal, &none, signal);
	cancel_fire(&it->fired);
}

static void *watch(void *arg)
{
	struct interrupt *it = arg;
	struct pollfd fd = { .fd = it->fd, .events = POLLIN };
	struct signalfd_siginfo info;
	struct err e;

	while (wait_fds(&fd, 1, WAIT_FOREVER, &it->stop, &e) > 0)
		while (read(it->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			on_signal(it, (int)info.ssi_signo);
	return NULL;
}

int interrupt_start(struct interrupt *it, pid_t child, struct err *e)
{
	int error;

	*it = (struct interrupt){ .child = child, .fd = -1 };
	atomic_init(&it->child_exit, -1);
	if (cancel_init(&it->fired, e) != 0)
		return -1;
	if (cancel_init(&it->stop, e) != 0)
		goto fired;
	sigemptyset(&it->set);
	sigaddset(&it->set, SIGINT);
	sigaddset(&it->set, SIGTERM);
	if (child > 0)
		sigaddset(&it->set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &it->set, &it->old);
	it->fd = signalfd(-1, &it->set, SFD_CLOEXEC | SFD_NONBLOCK);
	error = it->fd < 0 ? errno : pthread_create(&it->thread, NULL, watch, it);
	if (error == 0) {
		/* It may have ended before its signal was blocked here. */
		if (child > 0)
			on_signal(it, SIGCHLD);
		return 0;
	}
	err_sys(e, error, "cannot watch for signals");
	if (it->fd >= 0)
		close(it->fd);
	pthread_sigmask(SIG_SETMASK, &it->old, NULL);
	cancel_clear(&it->stop);
fired:
	cancel_clear(&it->fired);
	return -1;
}

void interrupt_stop(struct interrupt *it)
{
	cancel_fire(&it->stop);
	pthread_join(it->thread, NULL);
	close(it->fd);
	pthread_sigmask(SIG_SETMASK, &it->old, NULL);
	cancel_clear(&it->stop);
	cancel_clear(&it->fired);
}
