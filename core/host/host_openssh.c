/* SPDX-License-Identifier: MIT */
/*
 * Hosts by the ssh program: everything that OpenSSH can do and libssh2 cannot (RSA keys, hardware keys,
 * certificates, ProxyCommand), at the price of a process for each channel.
 *
 * A connection is one `ssh -M -N` of ours (struct link) with a control socket in the run folder; commands and
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
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/host/children.h"
#include "core/host/dial.h"
#include "core/host/host_ops.h"
#include "core/host/openssh_said.h"
#include "core/host/ssh_config.h"
#include "core/host/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINKS_MAX 8
#define SESSIONS_MAX 8 /* of one link; sshd's MaxSessions is 10 */
#define SAID_MAX ((size_t)64 << 10)
#define NAME_HEX 8
/* ssh listens at a temporary name first: the path, a dot, 16 letters. */
#define TEMPORARY_BYTES 17
#define ALIVE_MISSED 3
#define TEXT_STEP 4096
/* What a mux client says, debugging, when the other side is connected. */
#define DIALLED_WORDS "session id"
#define WORDS_MAX 64

/* One ssh -M -N. */
struct link {
	struct children_child *child; /* NULL: none */
	char *path;                   /* its control socket */
	int err_fd;                   /* what it says; nonblocking on both sides */
	int sessions;                 /* commands that run on it; lock of the host */
	struct dialled *dialled;      /* unix sockets that it forwards */
};

struct dialled {
	struct dialled *next;
	char *target, *path;
	bool proved; /* a connection got through */
};

struct openssh {
	struct children *children;
	/* Taken while a link is made or chosen. It is a descriptor, not a mutex, so that a thread can wait for it
	 * with a deadline: readable when it is free. */
	int turn_fd;
	struct link link[LINKS_MAX]; /* turn, but for their sessions */
	int sessions_max;            /* of one link; lock of the host */
};

/* What the start of a command gives to its end. */
struct session {
	struct children_child *child;
	struct link *link;
	int keep_fd; /* its stdin, which must not end before; -1: it is the caller's */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- The turn ----------------------------------------------------------------------------------- */

static void turn_give(struct openssh *o)
{
	const uint64_t one = 1;

	(void)!write(o->turn_fd, &one, sizeof(one));
}

static int turn_take(struct openssh *o, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct pollfd fd = { .fd = o->turn_fd, .events = POLLIN };
	uint64_t count;

	for (;;) {
		int ready = wait_fds(&fd, 1, deadline_ms, c, e);

		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(e, ERR_TIMEOUT, "another request still connects");
		if (read(o->turn_fd, &count, sizeof(count)) == sizeof(count))
			return 0;
	}
}

/* State of the host, made at the first request. */
static int openssh_of(struct host *h, struct openssh **out, struct err *e)
{
	struct openssh *o;

	pthread_mutex_lock(&h->lock);
	o = h->state;
	if (!o) {
		o = mem_calloc(1, sizeof(*o));
		o->turn_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		o->sessions_max = SESSIONS_MAX;
		o->children = children_new();
		for (int i = 0; i < LINKS_MAX; i++)
			o->link[i].err_fd = -1;
		h->state = o;
	}
	pthread_mutex_unlock(&h->lock);
	*out = o;
	return o->turn_fd < 0 ? err_set(e, ERR_SYSTEM, "cannot create an event descriptor") : 0;
}

/* --- The words of a command line ---------------------------------------------------------------- */

struct words {
	struct arena arena;
	const char *list[WORDS_MAX];
	size_t n;
};

static void words_add(struct words *w, const char *a, const char *b)
{
	if (w->n + 3 > WORDS_MAX)
		return; /* cannot be: all of them are ours */
	w->list[w->n++] = a;
	if (b)
		w->list[w->n++] = b;
	w->list[w->n] = NULL;
}

static void words_option(struct words *w, const char *option)
{
	words_add(w, "-o", option);
}

/* A path as ssh's configuration wants it: % begins something. */
static const char *percent(struct words *w, const char *path)
{
	struct strbuf b;
	const char *copy;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (; *path; path++) {
		if (*path == '%')
			strbuf_addc(&b, '%');
		strbuf_addc(&b, *path);
	}
	copy = arena_strdup(&w->arena, strbuf_str(&b));
	strbuf_clear(&b);
	return copy;
}

/* Whatever the user's configuration says: nothing is asked, forwarded, run or opened but what we say. */
static void words_begin(struct words *w, const struct host *h, const char *control_path)
{
	arena_init(&w->arena);
	w->n = 0;
	words_add(w, "ssh", NULL);
	if (h->ctx->ssh_config)
		words_add(w, "-F", h->ctx->ssh_config);
	words_add(w, "-S", percent(w, control_path));
	words_option(w, "BatchMode=yes");
	words_option(w, "StrictHostKeyChecking=yes");
	words_option(w, "RemoteCommand=none");
	words_option(w, "PermitLocalCommand=no");
	words_option(w, "ForwardAgent=no");
	words_option(w, "ForwardX11=no");
	words_add(w, "-T", NULL);
}

/* Of a program that uses a link: it must not connect by itself where that is gone. */
static void words_client(struct words *w, const char *log_level)
{
	words_option(w, "ControlMaster=no");
	words_option(w, "ProxyCommand=exit 255");
	words_option(w, log_level);
}

static int words_host(struct words *w, const struct host *h, struct err *e)
{
	struct ssh_target t;

	if (ssh_target_parse(sv_of(h->name), &t, e))
		return -1;
	if (t.port > 0)
		words_add(w, "-p", arena_printf(&w->arena, "%d", t.port));
	if (t.user.n > 0)
		words_add(w, "-l", arena_sv(&w->arena, t.user).p);
	words_add(w, "--", arena_sv(&w->arena, t.host).p);
	return 0;
}

/* LOCAL:TARGET of -L, or TARGET of -W where local is NULL. */
static const char *forward_words(struct words *w, const char *local, const struct host_target *t)
{
	const char *part[] = { local, t->path };
	struct strbuf b;
	const char *copy;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < 2; i++) {
		for (const char *p = part[i] ? percent(w, part[i]) : ""; *p; p++) {
			if (*p == ':' || *p == '\\')
				strbuf_addc(&b, '\\');
			strbuf_addc(&b, *p);
		}
		if (i == 0 && local)
			strbuf_addc(&b, ':');
	}
	if (!t->path)
		strbuf_addf(&b, strchr(t->host, ':') ? "[%s]:%d" : "%s:%d", t->host, t->port);
	copy = arena_strdup(&w->arena, strbuf_str(&b));
	strbuf_clear(&b);
	return copy;
}

/* --- What a program says ------------------------------------------------------------------------ */

/* A pipe for stderr that neither side waits at: what is not read in time is lost. */
static int said_pipe(int fds[2], struct err *e)
{
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "cannot create a pipe");
	return 0;
}

static void said_read(int *fd, struct strbuf *said)
{
	char block[TEXT_STEP];
	ssize_t n = 0;

	while (*fd >= 0 && (n = read(*fd, block, sizeof(block))) > 0) {
		/* The newest words tell most. */
		if (said->len + (size_t)n > said->max)
			strbuf_reset(said);
		strbuf_add(said, block, (size_t)n);
	}
	if (*fd >= 0 && n == 0)
		close_fd(fd);
}

/* Runs a short ssh to its end. said gets its stderr. */
static int run_short(struct openssh *o, const struct words *w, struct strbuf *said, int *status,
		     int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct children_spec spec = { .argv = (char *const *)(uintptr_t)w->list, .tie_fd = -1 };
	struct children_child *child = NULL;
	struct host_result r;
	int fds[2], ret;
	bool known;

	if (said_pipe(fds, e))
		return -1;
	spec.fds = (struct child_fds){ .in = -1, .out = -1, .err = fds[1], .keep_fd = -1 };
	ret = children_start(o->children, &spec, &child, e);
	close_fd(&fds[1]);
	if (ret == 0)
		ret = children_wait(child, deadline_ms, c, &r, &known, e);
	said_read(&fds[0], said);
	children_leave(child);
	close_fd(&fds[0]);
	if (ret == 0)
		*status = known ? r.status : -1;
	return ret;
}

/* --- Links -------------------------------------------------------------------------------------- */

static bool link_lives(const struct link *l)
{
	struct pollfd fd = { .events = POLLIN };

	if (!l->child)
		return false;
	fd.fd = children_fd(l->child);
	return poll(&fd, 1, 0) == 0;
}

static void link_clear(struct link *l)
{
	children_leave(l->child);
	l->child = NULL;
	close_fd(&l->err_fd);
	while (l->dialled) {
		struct dialled *d = l->dialled;

		l->dialled = d->next;
		unlink(d->path);
		mem_free(d->path);
		mem_free(d->target);
		mem_free(d);
	}
	if (l->path)
		unlink(l->path);
	mem_free(l->path);
	l->path = NULL;
}

/* A fresh path in the run folder, which leaves room for extra bytes. */
static int fresh_path(const struct host *h, char letter, size_t extra, char **out, struct err *e)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char hex[NAME_HEX + 1], name[NAME_HEX + 2];
	char *path;

	if (!h->ctx->run_dir)
		return err_set(e, ERR_CONFIG, "cannot connect to %s without a run folder", h->name);
	digest_random_hex(NAME_HEX / 2, hex);
	snprintf(name, sizeof(name), "%c%s", letter, hex);
	path = path_join(h->ctx->run_dir, name);
	if (strlen(path) + extra > max) {
		err_set(e, ERR_LIMIT, "cannot connect to %s: the run folder has too long a path",
			h->name);
		err_detail(e, "%s needs %zu bytes, a socket's path has %zu", path,
			   strlen(path) + extra, max);
		mem_free(path);
		return err_hint(e, "set XDG_RUNTIME_DIR to a shorter folder");
	}
	*out = path;
	return 0;
}

/* The thread of the processes calls it when a link has ended that nobody left. */
static void link_ended(void *arg)
{
	struct host *h = arg;
	struct err e;

	err_set(&e, ERR_LOST, "the connection to %s ended", h->name);
	host_set_state(h, HOST_DOWN, &e);
}

static int link_spawn(struct host *h, struct openssh *o, struct link *l, struct err *e)
{
	const int64_t connect_s = (h->spec.connect_timeout_ms + 999) / 1000;
	const int64_t alive_s = (h->spec.alive_ms + 999) / 1000;
	struct children_spec spec = { .ended = link_ended, .arg = h };
	int said[2] = { -1, -1 }, tie[2] = { -1, -1 }, ret = -1;
	const char **tied = NULL;
	struct words w;

	words_begin(&w, h, l->path);
	words_add(&w, "-M", "-N");
	words_option(&w, "ControlPersist=no");
	words_option(&w, "ClearAllForwardings=yes");
	words_option(&w, "LogLevel=INFO");
	words_option(&w, arena_printf(&w.arena, "ConnectTimeout=%lld", (long long)connect_s));
	words_option(&w, arena_printf(&w.arena, "ServerAliveInterval=%lld", (long long)alive_s));
	words_option(&w, arena_printf(&w.arena, "ServerAliveCountMax=%d", ALIVE_MISSED));
	if (words_host(&w, h, e) || said_pipe(said, e))
		goto out;
	if (pipe2(tie, O_CLOEXEC) < 0) {
		err_sys(e, errno, "cannot create a pipe");
		goto out;
	}
	tied = wrap_local(&(const struct host_command){ .argv = w.list });
	spec.argv = (char *const *)(uintptr_t)tied;
	spec.fds = (struct child_fds){ .in = -1, .out = -1, .err = said[1], .keep_fd = tie[0] };
	spec.tie_fd = tie[1];
	tie[1] = -1;
	ret = children_start(o->children, &spec, &l->child, e);
	if (ret == 0) {
		l->err_fd = said[0];
		said[0] = -1;
	}
out:
	close_fd(&said[0]);
	close_fd(&said[1]);
	close_fd(&tie[0]);
	close_fd(&tie[1]);
	mem_free(tied);
	arena_clear(&w.arena);
	return ret;
}

/* Until its control socket is there, which is when it is authenticated. */
static int link_wait(const struct host *h, struct link *l, int watch_fd, int64_t deadline_ms,
		     struct cancel *c, struct err *e)
{
	struct strbuf said;
	char events[TEXT_STEP];
	int ret = 1;

	strbuf_init(&said, SAID_MAX);
	while (ret > 0) {
		struct pollfd fds[3] = { { .fd = watch_fd, .events = POLLIN },
					 { .fd = children_fd(l->child), .events = POLLIN },
					 { .fd = l->err_fd, .events = POLLIN } };
		int ready;

		if (fs_exists(l->path)) {
			ret = 0;
			break;
		}
		ready = wait_fds(fds, 3, deadline_ms, c, e);
		said_read(&l->err_fd, &said);
		if (fds[0].revents)
			(void)!read(watch_fd, events, sizeof(events));
		if (ready < 0)
			ret = -1;
		else if (ready == 0)
			ret = err_set(e, ERR_TIMEOUT, "%s does not answer in time", h->name);
		else if (fds[1].revents)
			ret = openssh_said(h->name, strbuf_sv(&said), e);
		if (ready == 0)
			err_hint(e, "ssh -v %s", h->name);
	}
	strbuf_clear(&said);
	return ret;
}

/* l is empty. */
static int link_open(struct host *h, struct openssh *o, struct link *l, int64_t deadline_ms,
		     struct cancel *c, struct err *e)
{
	/* Its own words about a silent host come first. */
	const int64_t limit_ms = clock_mono_ms() + h->spec.connect_timeout_ms + 1000;
	int watch_fd = -1, ret = -1;

	if (deadline_ms > limit_ms)
		deadline_ms = limit_ms;
	if (fresh_path(h, 'm', TEMPORARY_BYTES, &l->path, e))
		return -1;
	watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch_fd < 0 ||
	    inotify_add_watch(watch_fd, h->ctx->run_dir, IN_CREATE | IN_MOVED_TO) < 0)
		err_sys(e, errno, "cannot watch %s", h->ctx->run_dir);
	else if (link_spawn(h, o, l, e) == 0)
		ret = link_wait(h, l, watch_fd, deadline_ms, c, e);
	close_fd(&watch_fd);
	if (ret < 0)
		link_clear(l);
	return ret;
}

/* Opens l and keeps the host's state. */
static int link_connect(struct host *h, struct openssh *o, struct link *l, int64_t deadline_ms,
			struct cancel *c, struct err *e)
{
	host_set_state(h, HOST_CONNECTING, NULL);
	if (link_open(h, o, l, deadline_ms, c, e)) {
		if (e->code == ERR_CANCELLED)
			host_set_state(h, HOST_IDLE, NULL);
		else
			host_set_state(h, e->code == ERR_ASKS ? HOST_ASKS : HOST_DOWN, e);
		return -1;
	}
	host_set_state(h, HOST_READY, NULL);
	host_set_about(h, "ssh program");
	return 0;
}

static int sessions_of(struct host *h, const struct link *l)
{
	int n;

	pthread_mutex_lock(&h->lock);
	n = l->sessions;
	pthread_mutex_unlock(&h->lock);
	return n;
}

static void sessions_add(struct host *h, struct link *l, int n)
{
	pthread_mutex_lock(&h->lock);
	l->sessions += n;
	pthread_mutex_unlock(&h->lock);
}

/* A link that lives, and has room for one more session when that is wanted: then it is counted. Has the turn. */
static int link_get(struct host *h, struct openssh *o, bool session, int64_t deadline_ms,
		    struct cancel *c, struct link **out, struct err *e)
{
	struct link *empty = NULL;
	int max;

	pthread_mutex_lock(&h->lock);
	max = o->sessions_max;
	pthread_mutex_unlock(&h->lock);
	for (int i = 0; i < LINKS_MAX; i++) {
		struct link *l = &o->link[i];

		if (l->child && !link_lives(l))
			link_clear(l);
		if (l->child && (!session || sessions_of(h, l) < max)) {
			*out = l;
			sessions_add(h, l, session);
			return 0;
		}
		/* Sessions of a link that is gone still point to it. */
		if (!l->child && !empty && sessions_of(h, l) == 0)
			empty = l;
	}
	if (!empty) {
		err_set(e, ERR_LIMIT, "more than %d commands run on %s", LINKS_MAX * max, h->name);
		return err_hint(e, "end some of them");
	}
	if (link_connect(h, o, empty, deadline_ms, c, e))
		return -1;
	*out = empty;
	sessions_add(h, empty, session);
	return 0;
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
	struct words w;
	int ret = -1;

	words_begin(&w, h, link_path);
	words_client(&w, "LogLevel=ERROR");
	if (words_host(&w, h, e) == 0) {
		words_add(&w, text, NULL);
		spec.argv = (char *const *)(uintptr_t)w.list;
		spec.fds = (struct child_fds){
			.in = x->in[1], .out = x->out[1], .err = x->err[1], .keep_fd = -1
		};
		ret = children_start(o->children, &spec, out, e);
	}
	arena_clear(&w.arena);
	return ret;
}

/* What the link said of other things is not about the next dial. */
static void forget_said(struct link *l)
{
	struct strbuf old;

	strbuf_init(&old, SAID_MAX);
	said_read(&l->err_fd, &old);
	strbuf_clear(&old);
}

/* A link, with a session counted on it when that is wanted. Without the turn its path may go: *path is a copy. */
static int take_link(struct host *h, struct openssh *o, bool session, int64_t deadline_ms,
		     struct cancel *c, struct link **out, char **path, struct err *e)
{
	int ret;

	if (turn_take(o, deadline_ms, c, e))
		return -1;
	ret = link_get(h, o, session, deadline_ms, c, out, e);
	if (ret == 0) {
		*path = mem_strdup((*out)->path);
		if (!session)
			forget_said(*out);
	}
	turn_give(o);
	return ret;
}

static void session_free(struct host *h, struct session *s)
{
	close_fd(&s->keep_fd);
	children_leave(s->child);
	sessions_add(h, s->link, -1);
	mem_free(s);
}

static int openssh_start(struct host *h, const char *const *argv, const char *remote_text,
			 const struct host_command *cmd, int64_t deadline_ms, struct cancel *c,
			 struct host_wire *out, struct err *e)
{
	struct openssh *o;
	struct session *s;
	struct link *l;
	struct ends x;
	char *path;
	int ret = -1;

	(void)argv;
	if (openssh_of(h, &o, e) || take_link(h, o, true, deadline_ms, c, &l, &path, e))
		return -1;
	s = mem_calloc(1, sizeof(*s));
	*s = (struct session){ .link = l, .keep_fd = -1 };
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
	mem_free(path);
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
static void openssh_explain(struct host *h, struct sv said, struct err *e)
{
	struct openssh *o = h->state;
	int most = 0;

	openssh_said(h->name, said, e);
	if (e->code != ERR_BUSY)
		return;
	/* The server allows fewer than we thought. How many is not said, and several may be refused at once: half
	 * of what it was asked for, unless another refusal has led to less already. */
	pthread_mutex_lock(&h->lock);
	for (int i = 0; i < LINKS_MAX; i++)
		most = o->link[i].sessions > most ? o->link[i].sessions : most;
	if (most > 1 && most <= o->sessions_max)
		o->sessions_max = most / 2;
	pthread_mutex_unlock(&h->lock);
}

/* --- Streams ------------------------------------------------------------------------------------ */

/* Asks the link to listen at path for t. */
static int add_forward(struct host *h, struct openssh *o, const struct link *l,
		       const struct host_target *t, const char *path, int64_t deadline_ms,
		       struct cancel *c, struct err *e)
{
	struct strbuf said;
	struct words w;
	int status = -1, ret = -1;

	strbuf_init(&said, SAID_MAX);
	words_begin(&w, h, l->path);
	words_client(&w, "LogLevel=ERROR");
	words_add(&w, "-O", "forward");
	words_add(&w, "-L", forward_words(&w, path, t));
	if (words_host(&w, h, e) == 0)
		ret = run_short(o, &w, &said, &status, deadline_ms, c, e);
	if (ret == 0 && status != 0)
		ret = openssh_said(h->name, strbuf_sv(&said), e);
	arena_clear(&w.arena);
	strbuf_clear(&said);
	return ret;
}

/* The other side has answered what was asked of the link before, when this comes back. */
static int round_trip(struct host *h, struct openssh *o, const struct link *l, int64_t deadline_ms,
		      struct cancel *c, struct err *e)
{
	struct strbuf said;
	struct words w;
	int status, ret = -1;

	strbuf_init(&said, SAID_MAX);
	words_begin(&w, h, l->path);
	words_client(&w, "LogLevel=ERROR");
	if (words_host(&w, h, e) == 0) {
		words_add(&w, "exit", NULL);
		ret = run_short(o, &w, &said, &status, deadline_ms, c, e);
	}
	arena_clear(&w.arena);
	strbuf_clear(&said);
	return ret;
}

/* A connection was refused: the reason is in the link's stderr. Has the turn. */
static int said_of_dial(const struct host *h, struct link *l, struct err *e)
{
	struct strbuf said;

	strbuf_init(&said, SAID_MAX);
	said_read(&l->err_fd, &said);
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
static int prove(struct host *h, struct openssh *o, struct link *l, int fd, int64_t deadline_ms,
		 struct cancel *c, struct err *e)
{
	struct pollfd now = { .fd = fd, .events = POLLIN };
	char byte;

	if (round_trip(h, o, l, deadline_ms, c, e))
		return -1;
	if (poll(&now, 1, 0) == 0 || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		return 0;
	return said_of_dial(h, l, e);
}

static struct dialled *dialled_of(struct link *l, const char *target)
{
	struct dialled *d = l->dialled;

	while (d && strcmp(d->target, target) != 0)
		d = d->next;
	return d;
}

/* Has the turn. */
static int dial_path(struct host *h, struct openssh *o, struct link *l, const struct host_target *t,
		     int64_t deadline_ms, struct cancel *c, int *fd, struct err *e)
{
	struct dialled *d = dialled_of(l, t->path);
	char *path;
	int sock;

	forget_said(l);
	if (!d) {
		if (fresh_path(h, 'd', 0, &path, e))
			return -1;
		if (add_forward(h, o, l, t, path, deadline_ms, c, e)) {
			mem_free(path);
			return -1;
		}
		d = mem_calloc(1, sizeof(*d));
		*d = (struct dialled){ l->dialled, mem_strdup(t->path), path, false };
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

	strbuf_init(&said, SAID_MAX);
	while (ret > 0) {
		struct pollfd fds[2] = { { .fd = children_fd(child), .events = POLLIN },
					 { .fd = *said_fd, .events = POLLIN } };
		int ready = wait_fds(fds, 2, deadline_ms, c, e);

		said_read(said_fd, &said);
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
	struct words w;

	words_begin(&w, h, link_path);
	words_client(&w, "LogLevel=DEBUG1");
	words_add(&w, "-W", forward_words(&w, NULL, t));
	if (words_host(&w, h, e) || said_pipe(said, e))
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
	struct link *l;
	char *path;
	int ret;

	if (take_link(h, o, false, deadline_ms, c, &l, &path, e))
		return -1;
	ret = dial_port(h, o, path, t, deadline_ms, c, fd, e);
	if (ret < 0 && e->code == ERR_BUSY && turn_take(o, deadline_ms, c, e) == 0) {
		err_set(e, ERR_LOST, "the connection to %s ended", h->name);
		if (l->path && !strcmp(l->path, path))
			said_of_dial(h, l, e);
		turn_give(o);
	}
	mem_free(path);
	return ret;
}

static int openssh_dial(struct host *h, const struct host_target *t, int64_t deadline_ms,
			struct cancel *c, int *fd, struct err *e)
{
	struct openssh *o;
	struct link *l;
	int ret;

	if (openssh_of(h, &o, e))
		return -1;
	if (!t->path)
		return openssh_dial_port(h, o, t, deadline_ms, c, fd, e);
	if (turn_take(o, deadline_ms, c, e))
		return -1;
	ret = link_get(h, o, false, deadline_ms, c, &l, e);
	if (ret == 0)
		ret = dial_path(h, o, l, t, deadline_ms, c, fd, e);
	turn_give(o);
	return ret;
}

struct forward {
	struct link link;
	char *path;
};

static void forward_free(struct forward *f)
{
	link_clear(&f->link);
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
	if (link_connect(h, o, &f->link, deadline_ms, c, e) ||
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
	for (int i = 0; i < LINKS_MAX; i++)
		link_clear(&o->link[i]);
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
