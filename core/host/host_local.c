/* SPDX-License-Identifier: MIT */
/*
 * This machine as a host.
 *
 * A command is a process in a group of its own, started by posix_spawn and reaped by the thread of
 * core/host/children.c. A follower must not outlive this program even when that is killed with KILL, and
 * posix_spawn cannot set PR_SET_PDEATHSIG. So /bin/sh first leaves a reader of a pipe behind, whose other end only
 * we hold, and then becomes the command (wrap.c). The command itself is still our child: its exit status and
 * signal come from the kernel, and no marks are needed.
 *
 * Input is in a pipe before the command starts (child_input_pipe), so no one has to feed it. A duplex command
 * has a socket as its stdin, so that its caller can send without SIGPIPE.
 */
#include "core/base/child.h"
#include "core/base/mem.h"
#include "core/host/children.h"
#include "core/host/dial.h"
#include "core/host/host_ops.h"
#include "core/host/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Processes of this host, made at the first request. */
static struct children *children_of(struct host *h)
{
	struct children *p;

	pthread_mutex_lock(&h->lock);
	if (!h->state)
		h->state = children_new();
	p = h->state;
	pthread_mutex_unlock(&h->lock);
	return p;
}

/* The ends of a command's descriptors, ours and its. */
struct ends {
	int in[2], out[2], err[2], tie[2]; /* [0] to read from, [1] to write to */
};

static void ends_close(struct ends *x)
{
	for (int i = 0; i < 2; i++) {
		close_fd(&x->in[i]);
		close_fd(&x->out[i]);
		close_fd(&x->err[i]);
		close_fd(&x->tie[i]);
	}
}

/* Nonblocking on our side only: the flag belongs to the open file, which the two ends of a pipe do not share. */
static int ends_open(struct ends *x, const struct host_command *cmd, struct err *e)
{
	*x = (struct ends){ { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (pipe2(x->out, O_CLOEXEC) < 0 || pipe2(x->err, O_CLOEXEC) < 0 ||
	    pipe2(x->tie, O_CLOEXEC) < 0 ||
	    (cmd->duplex && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->in) < 0) ||
	    fcntl(x->out[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(x->err[0], F_SETFL, O_NONBLOCK) < 0 ||
	    (cmd->duplex && fcntl(x->in[1], F_SETFL, O_NONBLOCK) < 0))
		err_sys(e, errno, "cannot make the pipes of a command");
	else if (cmd->input.n == 0 || child_input_pipe(cmd->input, &x->in[0], e) == 0)
		return 0;
	ends_close(x);
	return -1;
}

static int local_start(struct host *h, const char *const *argv, const char *remote_text,
		       const struct host_command *cmd, int64_t deadline_ms, struct cancel *c,
		       struct host_wire *out, struct err *e)
{
	struct children_child *child = NULL;
	struct children_spec spec = { .tie_fd = -1 };
	struct ends x;
	const char **words;
	int ret;

	(void)argv;
	(void)remote_text;
	(void)deadline_ms;
	(void)c;
	if (ends_open(&x, cmd, e))
		return -1;
	words = wrap_local(cmd);
	spec.argv = (char *const *)(uintptr_t)words;
	spec.fds = (struct child_fds){
		.in = x.in[0], .out = x.out[1], .err = x.err[1], .keep_fd = x.tie[0]
	};
	spec.tie_fd = x.tie[1];
	x.tie[1] = -1; /* the child's now */
	ret = children_start(children_of(h), &spec, &child, e);
	mem_free(words);
	if (ret == 0) {
		*out = (struct host_wire){
			.out = x.out[0], .err = x.err[0], .in = x.in[1], .state = child
		};
		x.out[0] = x.err[0] = x.in[1] = -1;
		host_set_state(h, HOST_READY, NULL);
	}
	ends_close(&x);
	return ret;
}

static int local_finish(struct host *h, struct host_wire *w, int64_t deadline_ms, struct cancel *c,
			struct host_result *r, bool *known, struct err *e)
{
	(void)h;
	return children_wait(w->state, deadline_ms, c, r, known, e);
}

static void local_end(struct host *h, struct host_wire *w)
{
	(void)h;
	children_leave(w->state);
	w->state = NULL;
}

static int local_dial(struct host *h, const struct host_target *t, int64_t deadline_ms,
		      struct cancel *c, int *fd, struct err *e)
{
	(void)h;
	return dial_target(t, deadline_ms, c, fd, e);
}

static int local_forward(struct host *h, const struct host_target *t, const char *path,
			 int64_t deadline_ms, struct cancel *c, void **state, struct err *e)
{
	(void)h;
	(void)t;
	(void)deadline_ms;
	(void)c;
	(void)state;
	err_set(e, ERR_UNSUPPORTED, "cannot forward %s on this machine", path);
	err_detail(e, "what this machine reaches needs no tunnel");
	return err_hint(e, "connect to it directly");
}

static void local_forward_end(struct host *h, void *state)
{
	(void)h;
	(void)state;
}

static void local_close(struct host *h)
{
	children_free(h->state);
	h->state = NULL;
}

const struct host_ops host_local_ops = {
	.name = "local",
	.start = local_start,
	.finish = local_finish,
	.end = local_end,
	.dial = local_dial,
	.forward = local_forward,
	.forward_end = local_forward_end,
	.close = local_close,
};
