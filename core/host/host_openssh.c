/* SPDX-License-Identifier: MIT */
/* The libssh2 transport by the ssh program is not in this build: each request is refused. */
#include "core/host/host_ops.h"

static int refuse(const struct host *h, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "cannot connect to %s by ssh", h->name);
	err_detail(e, "this build has no such transport");
	return err_hint(e, "set transport = libssh2");
}

static int ssh_start(struct host *h, const char *const *argv, const char *remote_text,
		     const struct host_command *cmd, int64_t deadline_ms, struct cancel *c,
		     struct host_wire *out, struct err *e)
{
	(void)argv;
	(void)remote_text;
	(void)cmd;
	(void)deadline_ms;
	(void)c;
	(void)out;
	return refuse(h, e);
}

static int ssh_finish(struct host *h, struct host_wire *w, int64_t deadline_ms, struct cancel *c,
		      struct host_result *r, bool *known, struct err *e)
{
	(void)w;
	(void)deadline_ms;
	(void)c;
	(void)r;
	(void)known;
	return refuse(h, e);
}

static void ssh_end(struct host *h, struct host_wire *w)
{
	(void)h;
	(void)w;
}

static int ssh_dial(struct host *h, const struct host_target *t, int64_t deadline_ms,
		    struct cancel *c, int *fd, struct err *e)
{
	(void)t;
	(void)deadline_ms;
	(void)c;
	(void)fd;
	return refuse(h, e);
}

static int ssh_forward(struct host *h, const struct host_target *t, const char *path,
		       int64_t deadline_ms, struct cancel *c, void **state, struct err *e)
{
	(void)t;
	(void)path;
	(void)deadline_ms;
	(void)c;
	(void)state;
	return refuse(h, e);
}

static void ssh_forward_end(struct host *h, void *state)
{
	(void)h;
	(void)state;
}

static void ssh_close(struct host *h)
{
	(void)h;
}

const struct host_ops host_openssh_ops = {
	.name = "openssh",
	.start = ssh_start,
	.finish = ssh_finish,
	.end = ssh_end,
	.dial = ssh_dial,
	.forward = ssh_forward,
	.forward_end = ssh_forward_end,
	.close = ssh_close,
	.marked = true,
};
