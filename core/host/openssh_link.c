/* SPDX-License-Identifier: MIT */
/*
 * Connections of the ssh program: how one is made, is known to be there, and is shared.
 *
 * ssh -M -N says nothing when it is authenticated, but then its control socket appears in the run folder, which
 * inotify tells. When it gives up, it ends, and its last words say why. It is tied to us by a pipe (wrap_local), so
 * that it ends with this program in any case; and its end is told by the thread of core/host/children.c, also
 * between requests.
 *
 * One thread at a time chooses or makes a link; the others wait for their turn with deadlines of their own.
 */
#include "core/host/openssh.h"

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/host/openssh_said.h"
#include "core/host/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_HEX 8
/* ssh listens at a temporary name first: the path, a dot, 16 letters. */
#define TEMPORARY_BYTES 17
#define ALIVE_MISSED 3
#define TEXT_STEP 4096

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- The turn ----------------------------------------------------------------------------------- */

void openssh_turn_give(struct openssh *o)
{
	const uint64_t one = 1;

	(void)!write(o->turn_fd, &one, sizeof(one));
}

int openssh_turn_take(struct openssh *o, int64_t deadline_ms, struct cancel *c, struct err *e)
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
int openssh_of(struct host *h, struct openssh **out, struct err *e)
{
	struct openssh *o;

	pthread_mutex_lock(&h->lock);
	o = h->state;
	if (!o) {
		o = mem_calloc(1, sizeof(*o));
		o->turn_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		o->sessions_max = OPENSSH_SESSIONS_MAX;
		o->children = children_new();
		for (int i = 0; i < OPENSSH_LINKS_MAX; i++)
			o->link[i].err_fd = -1;
		h->state = o;
	}
	pthread_mutex_unlock(&h->lock);
	*out = o;
	return o->turn_fd < 0 ? err_set(e, ERR_SYSTEM, "cannot create an event descriptor") : 0;
}

/* --- What a program says ------------------------------------------------------------------------ */

/* A pipe for stderr that neither side waits at: what is not read in time is lost. */
int openssh_said_pipe(int fds[2], struct err *e)
{
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "cannot create a pipe");
	return 0;
}

void openssh_said_read(int *fd, struct strbuf *said)
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
int openssh_run(struct openssh *o, const struct openssh_words *w, struct strbuf *said, int *status,
		int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct children_spec spec = { .argv = (char *const *)(uintptr_t)w->list, .tie_fd = -1 };
	struct children_child *child = NULL;
	struct host_result r;
	int fds[2], ret;
	bool known;

	if (openssh_said_pipe(fds, e))
		return -1;
	spec.fds = (struct child_fds){ .in = -1, .out = -1, .err = fds[1], .keep_fd = -1 };
	ret = children_start(o->children, &spec, &child, e);
	close_fd(&fds[1]);
	if (ret == 0)
		ret = children_wait(child, deadline_ms, c, &r, &known, e);
	openssh_said_read(&fds[0], said);
	children_leave(child);
	close_fd(&fds[0]);
	if (ret == 0)
		*status = known ? r.status : -1;
	return ret;
}

/* --- Links -------------------------------------------------------------------------------------- */

/* A link that ends takes its socket away, or another ssh does that finds nobody listening there; only then is its
 * process known to have ended. */
static bool link_lives(const struct openssh_link *l)
{
	struct pollfd fd = { .events = POLLIN };

	if (!l->child || !fs_exists(l->path))
		return false;
	fd.fd = children_fd(l->child);
	return poll(&fd, 1, 0) == 0;
}

void openssh_link_clear(struct openssh_link *l)
{
	children_leave(l->child);
	l->child = NULL;
	close_fd(&l->err_fd);
	while (l->dialled) {
		struct openssh_dialled *d = l->dialled;

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
int openssh_fresh_path(const struct host *h, char letter, size_t extra, char **out, struct err *e)
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

static int link_spawn(struct host *h, struct openssh *o, struct openssh_link *l, struct err *e)
{
	const int64_t connect_s = (h->spec.connect_timeout_ms + 999) / 1000;
	const int64_t alive_s = (h->spec.alive_ms + 999) / 1000;
	struct children_spec spec = { .ended = link_ended, .arg = h };
	int said[2] = { -1, -1 }, tie[2] = { -1, -1 }, ret = -1;
	const char **tied = NULL;
	struct openssh_words w;

	openssh_words_begin(&w, l->path);
	if (h->ctx->ssh_config)
		openssh_words_add(&w, "-F", h->ctx->ssh_config);
	openssh_words_add(&w, "-M", "-N");
	openssh_words_option(&w, "ControlPersist=no");
	openssh_words_option(&w, "ClearAllForwardings=yes");
	openssh_words_option(&w, "LogLevel=INFO");
	openssh_words_option(&w,
			     arena_printf(&w.arena, "ConnectTimeout=%lld", (long long)connect_s));
	openssh_words_option(&w, arena_printf(&w.arena, "ServerAliveInterval=%lld",
					      (long long)alive_s));
	openssh_words_option(&w, arena_printf(&w.arena, "ServerAliveCountMax=%d", ALIVE_MISSED));
	if (openssh_words_host(&w, h, e) || openssh_said_pipe(said, e))
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
static int link_wait(const struct host *h, struct openssh_link *l, int watch_fd,
		     int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct strbuf said;
	char events[TEXT_STEP];
	int ret = 1;

	strbuf_init(&said, OPENSSH_SAID_MAX);
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
		openssh_said_read(&l->err_fd, &said);
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
static int link_open(struct host *h, struct openssh *o, struct openssh_link *l, int64_t deadline_ms,
		     struct cancel *c, struct err *e)
{
	/* Its own words about a silent host come first. */
	const int64_t limit_ms = clock_mono_ms() + h->spec.connect_timeout_ms + 1000;
	int watch_fd = -1, ret = -1;

	if (deadline_ms > limit_ms)
		deadline_ms = limit_ms;
	if (openssh_fresh_path(h, 'm', TEMPORARY_BYTES, &l->path, e))
		return -1;
	watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch_fd < 0 ||
	    inotify_add_watch(watch_fd, h->ctx->run_dir, IN_CREATE | IN_MOVED_TO) < 0)
		err_sys(e, errno, "cannot watch %s", h->ctx->run_dir);
	else if (link_spawn(h, o, l, e) == 0)
		ret = link_wait(h, l, watch_fd, deadline_ms, c, e);
	close_fd(&watch_fd);
	if (ret < 0)
		openssh_link_clear(l);
	return ret;
}

/* Opens l and keeps the host's state. */
int openssh_link_connect(struct host *h, struct openssh *o, struct openssh_link *l,
			 int64_t deadline_ms, struct cancel *c, struct err *e)
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

static int sessions_of(struct host *h, const struct openssh_link *l)
{
	int n;

	pthread_mutex_lock(&h->lock);
	n = l->sessions;
	pthread_mutex_unlock(&h->lock);
	return n;
}

void openssh_sessions_add(struct host *h, struct openssh_link *l, int n)
{
	pthread_mutex_lock(&h->lock);
	l->sessions += n;
	pthread_mutex_unlock(&h->lock);
}

/* A link that lives, and has room for one more session when that is wanted: then it is counted. Has the turn. */
int openssh_link_get(struct host *h, struct openssh *o, bool session, int64_t deadline_ms,
		     struct cancel *c, struct openssh_link **out, struct err *e)
{
	struct openssh_link *empty = NULL;
	int max;

	pthread_mutex_lock(&h->lock);
	max = o->sessions_max;
	pthread_mutex_unlock(&h->lock);
	for (int i = 0; i < OPENSSH_LINKS_MAX; i++) {
		struct openssh_link *l = &o->link[i];

		if (l->child && !link_lives(l))
			openssh_link_clear(l);
		if (l->child && (!session || sessions_of(h, l) < max)) {
			*out = l;
			openssh_sessions_add(h, l, session);
			return 0;
		}
		/* Sessions of a link that is gone still point to it. */
		if (!l->child && !empty && sessions_of(h, l) == 0)
			empty = l;
	}
	if (!empty) {
		err_set(e, ERR_LIMIT, "more than %d commands run on %s", OPENSSH_LINKS_MAX * max,
			h->name);
		return err_hint(e, "end some of them");
	}
	if (openssh_link_connect(h, o, empty, deadline_ms, c, e))
		return -1;
	*out = empty;
	openssh_sessions_add(h, empty, session);
	return 0;
}

/* What the link said of other things is not about the next dial. */
void openssh_link_hush(struct openssh_link *l)
{
	struct strbuf old;

	strbuf_init(&old, OPENSSH_SAID_MAX);
	openssh_said_read(&l->err_fd, &old);
	strbuf_clear(&old);
}

/* A link, with a session counted on it when that is wanted. Without the turn its path may go: *path is a copy. */
int openssh_link_take(struct host *h, struct openssh *o, bool session, int64_t deadline_ms,
		      struct cancel *c, struct openssh_link **out, char **path, struct err *e)
{
	int ret;

	if (openssh_turn_take(o, deadline_ms, c, e))
		return -1;
	ret = openssh_link_get(h, o, session, deadline_ms, c, out, e);
	if (ret == 0) {
		*path = mem_strdup((*out)->path);
		if (!session)
			openssh_link_hush(*out);
	}
	openssh_turn_give(o);
	return ret;
}
