/* SPDX-License-Identifier: MIT */
/*
 * Hosts by the ssh program: everything that OpenSSH can do and libssh2 cannot (RSA keys, hardware keys,
 * certificates, ProxyCommand), at the price of a process for each channel.
 *
 * A connection is one `ssh -M -N` of ours (struct openssh_link) with a control socket in the run folder; commands and
 * dials to ports are `ssh -S SOCKET`, which hand their descriptors over to it. Its socket appears when it is
 * authenticated, which inotify tells. A server allows so many sessions on a connection (MaxSessions, 10); before
 * that a second one is made. The link is tied to us by a pipe (wrap_local), so it ends with this program, however
 * that ends, and sshd then ends what ran there.
 *
 * -W goes to ports only, and no reply tells that the other side is connected, but its debugging text does. A unix
 * socket is reached by a forward, which any number of connections share; whether the first of them got through is
 * known one round trip later. A forward of the caller's has a link of its own, since ssh cannot take back the
 * connections of one that is cancelled.
 *
 * Host keys are for ssh to check, strictly; what it would ask a person it must not ask (BatchMode), so
 * a passphrase comes from ssh-agent only. What ssh says when it gives up is turned into errors by one table.
 */
#include "core/base/fs.h"
#include "core/host/dial.h"
#include "core/host/openssh.h"
#include "core/host/openssh_said.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a mux client says, debugging, when the other side is connected. */
#define DIALLED_WORDS "session id"

/* What the start of a command gives to its end. */
struct session {
	struct children_child *child;
	struct openssh_link *link;
	char *path;  /* of its control socket; the link may forget it before */
	int keep_fd; /* its stdin, which must not end before; -1: it is the caller's */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- Commands ----------------------------------------------------------------------------------- */

/* The ends of a command's descriptors. */
struct ends {
	int in[2], out[2], err[2]; /* in is a pair of sockets; [0] of the others is ours */
};

static void ends_close(struct ends *x)
{
	for (int i = 0; i < 2; i++) {
		close_fd(&x->in[i]);
		close_fd(&x->out[i]);
		close_fd(&x->err[i]);
	}
}

static int ends_open(struct ends *x, struct err *e)
{
	*x = (struct ends){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->in) == 0 &&
	    pipe2(x->out, O_CLOEXEC) == 0 && pipe2(x->err, O_CLOEXEC) == 0 &&
	    fcntl(x->in[0], F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(x->out[0], F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(x->err[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	err_sys(e, errno, "cannot make the pipes of a command");
	ends_close(x);
	return -1;
}

/* All of it: the other side takes it whatever the command does (wrap.c). A program that is gone already is seen
 * at the command's end. */
static int send_input(const struct host *h, int fd, struct sv input, int64_t deadline_ms,
		      struct cancel *c, struct err *e)
{
	while (input.n > 0) {
		struct pollfd fds = { .fd = fd, .events = POLLOUT };
		ssize_t n = send(fd, input.p, input.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int ready;

		if (n > 0) {
			input = sv_n(input.p + n, input.n - (size_t)n);
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, errno, "cannot send to %s", h->name);
		ready = wait_fds(&fds, 1, deadline_ms, c, e);
		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(e, ERR_TIMEOUT,
				       "%s did not take the input of a command in time", h->name);
	}
	return 0;
}

static int session_spawn(struct host *h, struct openssh *o, const char *link_path, const char *text,
			 const struct ends *x, struct children_child **out, struct err *e)
{
	struct children_spec spec = { .tie_fd = -1 };
	struct openssh_words w;
	int ret = -1;

	openssh_words_begin(&w, link_path);
	openssh_words_client(&w, "LogLevel=ERROR");
	if (openssh_words_host(&w, h, e) == 0) {
		openssh_words_add(&w, text, NULL);
		spec.argv = (char *const *)(uintptr_t)w.list;
		spec.fds = (struct child_fds){
			.in = x->in[1], .out = x->out[1], .err = x->err[1], .keep_fd = -1
		};
		ret = children_start(o->children, &spec, out, e);
	}
	arena_clear(&w.arena);
	return ret;
}

static void session_free(struct host *h, struct session *s)
{
	close_fd(&s->keep_fd);
	children_leave(s->child);
	openssh_sessions_add(h, s->link, -1);
	mem_free(s->path);
	mem_free(s);
}

static int openssh_start(struct host *h, const char *const *argv, const char *remote_text,
			 const struct host_command *cmd, int64_t deadline_ms, struct cancel *c,
			 struct host_wire *out, struct err *e)
{
	struct openssh *o;
	struct session *s;
	struct openssh_link *l;
	struct ends x;
	char *path;
	int ret = -1;

	(void)argv;
	if (openssh_of(h, &o, e) || openssh_link_take(h, o, true, deadline_ms, c, &l, &path, e))
		return -1;
	s = mem_calloc(1, sizeof(*s));
	*s = (struct session){ .link = l, .path = path, .keep_fd = -1 };
	if (ends_open(&x, e) == 0) {
		ret = session_spawn(h, o, path, remote_text, &x, &s->child, e);
		close_fd(&x.in[1]);
		if (ret == 0)
			ret = send_input(h, x.in[0], cmd->input, deadline_ms, c, e);
		if (ret == 0) {
			*out = (struct host_wire){ .out = x.out[0], .err = x.err[0], .in = -1 };
			*(cmd->duplex ? &out->in : &s->keep_fd) = x.in[0];
			out->state = s;
			x.in[0] = x.out[0] = x.err[0] = -1;
		}
		ends_close(&x);
	}
	if (ret < 0)
		session_free(h, s);
	return ret;
}

static int openssh_finish(struct host *h, struct host_wire *w, int64_t deadline_ms,
			  struct cancel *c, struct host_result *r, bool *known, struct err *e)
{
	const struct session *s = w->state;

	(void)h;
	return children_wait(s->child, deadline_ms, c, r, known, e);
}

static void openssh_end(struct host *h, struct host_wire *w)
{
	session_free(h, w->state);
	w->state = NULL;
}

/* No mark was seen: these are the words of ssh itself. */
static void openssh_explain(struct host *h, const struct host_wire *w, struct sv said,
			    struct err *e)
{
	const struct session *s = w->state;
	struct openssh *o = h->state;
	int most = 0;

	openssh_said(h->name, said, e);
	if (openssh_said_gone(e))
		unlink(s->path); /* nobody listens there, which the next request sees */
	if (e->code != ERR_BUSY || openssh_said_gone(e))
		return;
	/* The server allows fewer than we thought. How many is not said, and several may be refused at once: half
	 * of what it was asked for, unless another refusal has led to less already. */
	pthread_mutex_lock(&h->lock);
	for (int i = 0; i < OPENSSH_LINKS_MAX; i++)
		most = o->link[i].sessions > most ? o->link[i].sessions : most;
	if (most > 1 && most <= o->sessions_max)
		o->sessions_max = most / 2;
	pthread_mutex_unlock(&h->lock);
}

/* --- Streams ------------------------------------------------------------------------------------ */

/* Asks the link to listen at path for t. */
static int add_forward(struct host *h, struct openssh *o, const struct openssh_link *l,
		       const struct host_target *t, const char *path, int64_t deadline_ms,
		       struct cancel *c, struct err *e)
{
	struct strbuf said;
	struct openssh_words w;
	int status = -1, ret = -1;

	strbuf_init(&said, OPENSSH_SAID_MAX);
	openssh_words_begin(&w, l->path);
	openssh_words_client(&w, "LogLevel=ERROR");
	openssh_words_add(&w, "-O", "forward");
	openssh_words_add(&w, "-L", openssh_words_forward(&w, path, t));
	if (openssh_words_host(&w, h, e) == 0)
		ret = openssh_run(o, &w, &said, &status, deadline_ms, c, e);
	if (ret == 0 && status != 0)
		ret = openssh_said(h->name, strbuf_sv(&said), e);
	arena_clear(&w.arena);
	strbuf_clear(&said);
	return ret;
}

/* The other side has answered what was asked of the link before, when this comes back. */
static int round_trip(struct host *h, struct openssh *o, const struct openssh_link *l,
		      int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct strbuf said;
	struct openssh_words w;
	int status, ret = -1;

	strbuf_init(&said, OPENSSH_SAID_MAX);
	openssh_words_begin(&w, l->path);
	openssh_words_client(&w, "LogLevel=ERROR");
	if (openssh_words_host(&w, h, e) == 0) {
		openssh_words_add(&w, "exit", NULL);
		ret = openssh_run(o, &w, &said, &status, deadline_ms, c, e);
	}
	arena_clear(&w.arena);
	strbuf_clear(&said);
	return ret;
}

/* A connection was refused: the reason is in the link's stderr. Has the turn. */
static int said_of_dial(const struct host *h, struct openssh_link *l, struct err *e)
{
	struct strbuf said;

	strbuf_init(&said, OPENSSH_SAID_MAX);
	openssh_said_read(&l->err_fd, &said);
	if (said.len > 0) {
		openssh_said(h->name, strbuf_sv(&said), e);
	} else {
		err_set(e, ERR_NOT_FOUND, "nobody can be reached there, says %s", h->name);
		err_detail(e, "ssh gave no reason");
	}
	strbuf_clear(&said);
	return -1;
}

/* Whether the connection to a forward got through; 0 or -1. */
static int prove(struct host *h, struct openssh *o, struct openssh_link *l, int fd,
		 int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct pollfd now = { .fd = fd, .events = POLLIN };
	char byte;

	if (round_trip(h, o, l, deadline_ms, c, e))
		return -1;
	if (poll(&now, 1, 0) == 0 || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		return 0;
	return said_of_dial(h, l, e);
}

static struct openssh_dialled *dialled_of(struct openssh_link *l, const char *target)
{
	struct openssh_dialled *d = l->dialled;

	while (d && strcmp(d->target, target) != 0)
		d = d->next;
	return d;
}

/* Has the turn. */
static int dial_path(struct host *h, struct openssh *o, struct openssh_link *l,
		     const struct host_target *t, int64_t deadline_ms, struct cancel *c, int *fd,
		     struct err *e)
{
	struct openssh_dialled *d = dialled_of(l, t->path);
	char *path;
	int sock;

	openssh_link_hush(l);
	if (!d) {
		if (openssh_fresh_path(h, 'd', 0, &path, e))
			return -1;
		if (add_forward(h, o, l, t, path, deadline_ms, c, e)) {
			mem_free(path);
			return -1;
		}
		d = mem_calloc(1, sizeof(*d));
		*d = (struct openssh_dialled){ l->dialled, mem_strdup(t->path), path, false };
		l->dialled = d;
	}
	if (dial_target(&(const struct host_target){ .path = d->path }, deadline_ms, c, &sock, e))
		return -1;
	if (!d->proved && prove(h, o, l, sock, deadline_ms, c, e)) {
		close(sock);
		return -1;
	}
	d->proved = true;
	*fd = sock;
	return 0;
}

/* Waits until a -W has connected or given up. */
static int wait_dialled(const struct host *h, struct children_child *child, int *said_fd,
			int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct strbuf said;
	int ret = 1;

	strbuf_init(&said, OPENSSH_SAID_MAX);
	while (ret > 0) {
		struct pollfd fds[2] = { { .fd = children_fd(child), .events = POLLIN },
					 { .fd = *said_fd, .events = POLLIN } };
		int ready = wait_fds(fds, 2, deadline_ms, c, e);

		openssh_said_read(said_fd, &said);
		if (ready < 0)
			ret = -1;
		else if (ready == 0)
			ret = err_set(e, ERR_TIMEOUT, "nobody answers there in time, says %s",
				      h->name);
		else if (strstr(strbuf_str(&said), DIALLED_WORDS))
			ret = 0;
		else if (fds[0].revents)
			ret = openssh_said(h->name, strbuf_sv(&said), e);
	}
	strbuf_clear(&said);
	return ret;
}

static int dial_port(struct host *h, struct openssh *o, const char *link_path,
		     const struct host_target *t, int64_t deadline_ms, struct cancel *c, int *fd,
		     struct err *e)
{
	struct children_spec spec = { .tie_fd = -1 };
	struct children_child *child = NULL;
	int sock[2] = { -1, -1 }, said[2] = { -1, -1 }, ret = -1;
	struct openssh_words w;

	openssh_words_begin(&w, link_path);
	openssh_words_client(&w, "LogLevel=DEBUG1");
	openssh_words_add(&w, "-W", openssh_words_forward(&w, NULL, t));
	if (openssh_words_host(&w, h, e) || openssh_said_pipe(said, e))
		goto out;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0 ||
	    fcntl(sock[0], F_SETFL, O_NONBLOCK) < 0) {
		err_sys(e, errno, "cannot make a pair of sockets");
		goto out;
	}
	spec.argv = (char *const *)(uintptr_t)w.list;
	spec.fds =
		(struct child_fds){ .in = sock[1], .out = sock[1], .err = said[1], .keep_fd = -1 };
	if (children_start(o->children, &spec, &child, e))
		goto out;
	close_fd(&sock[1]);
	close_fd(&said[1]);
	ret = wait_dialled(h, child, &said[0], deadline_ms, c, e);
	if (ret < 0) {
		children_leave(child);
		goto out;
	}
	children_let_go(child);
	*fd = sock[0];
	sock[0] = -1;
out:
	close_fd(&sock[0]);
	close_fd(&sock[1]);
	close_fd(&said[0]);
	close_fd(&said[1]);
	arena_clear(&w.arena);
	return ret;
}

/* A port may let us wait, and the others need not: the turn is only taken around it. */
static int openssh_dial_port(struct host *h, struct openssh *o, const struct host_target *t,
			     int64_t deadline_ms, struct cancel *c, int *fd, struct err *e)
{
	struct openssh_link *l;
	char *path;
	int ret;

	if (openssh_link_take(h, o, false, deadline_ms, c, &l, &path, e))
		return -1;
	ret = dial_port(h, o, path, t, deadline_ms, c, fd, e);
	if (ret < 0 && openssh_said_gone(e)) {
		unlink(path); /* nobody listens there, so that another is made */
		mem_free(path);
		if (openssh_link_take(h, o, false, deadline_ms, c, &l, &path, e))
			return -1;
		ret = dial_port(h, o, path, t, deadline_ms, c, fd, e);
	}
	if (ret < 0 && e->code == ERR_BUSY && openssh_turn_take(o, deadline_ms, c, e) == 0) {
		err_set(e, ERR_LOST, "the connection to %s ended", h->name);
		if (l->path && !strcmp(l->path, path))
			said_of_dial(h, l, e);
		openssh_turn_give(o);
	}
	mem_free(path);
	return ret;
}

static int openssh_dial(struct host *h, const struct host_target *t, int64_t deadline_ms,
			struct cancel *c, int *fd, struct err *e)
{
	struct openssh *o;
	struct openssh_link *l;
	int ret;

	if (openssh_of(h, &o, e))
		return -1;
	if (!t->path)
		return openssh_dial_port(h, o, t, deadline_ms, c, fd, e);
	if (openssh_turn_take(o, deadline_ms, c, e))
		return -1;
	ret = openssh_link_get(h, o, false, deadline_ms, c, &l, e);
	if (ret == 0)
		ret = dial_path(h, o, l, t, deadline_ms, c, fd, e);
	openssh_turn_give(o);
	return ret;
}

struct forward {
	struct openssh_link link;
	char *path;
};

static void forward_free(struct forward *f)
{
	openssh_link_clear(&f->link);
	unlink(f->path);
	mem_free(f->path);
	mem_free(f);
}

static int openssh_forward(struct host *h, const struct host_target *t, const char *path,
			   int64_t deadline_ms, struct cancel *c, void **state, struct err *e)
{
	struct forward *f;
	struct openssh *o;

	if (openssh_of(h, &o, e))
		return -1;
	f = mem_calloc(1, sizeof(*f));
	f->link.err_fd = -1;
	f->path = mem_strdup(path);
	if (openssh_link_connect(h, o, &f->link, deadline_ms, c, e) ||
	    add_forward(h, o, &f->link, t, path, deadline_ms, c, e)) {
		forward_free(f);
		return -1;
	}
	*state = f;
	return 0;
}

static void openssh_forward_end(struct host *h, void *state)
{
	(void)h;
	forward_free(state);
}

static void openssh_close(struct host *h)
{
	struct openssh *o = h->state;

	if (!o)
		return;
	for (int i = 0; i < OPENSSH_LINKS_MAX; i++)
		openssh_link_clear(&o->link[i]);
	children_free(o->children);
	close_fd(&o->turn_fd);
	mem_free(o);
	h->state = NULL;
}

const struct host_ops host_openssh_ops = {
	.name = "openssh",
	.start = openssh_start,
	.finish = openssh_finish,
	.end = openssh_end,
	.dial = openssh_dial,
	.forward = openssh_forward,
	.forward_end = openssh_forward_end,
	.close = openssh_close,
	.explain = openssh_explain,
	.lost_status = 255,
	.marked = true,
};
