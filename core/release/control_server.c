/* SPDX-License-Identifier: MIT */
/*
 * The runner's control thread. One poll(2) over the listener, at most CONTROL_CLIENTS_MAX clients,
 * the wake-up descriptor and the stop cancel; its timeout is the next beat. Nothing it does can block
 * for long: descriptors are non-blocking, and a beat touches one small file or takes a server some
 * seconds at most.
 *
 * Shared with the main thread, under lock: the box, the flags, the held lock. lock_beat is called
 * without it, since nobody shall wait for a server that is slow to answer; `beating` keeps the lock from
 * being given back meanwhile, so that control_set_lock(NULL) means what it says, and `interrupting` does
 * the same for the connection whose statement is cancelled. Each beat touches the
 * socket as well: on this machine that tells a runner that is well from one that is stopped.
 *
 * The socket is bound and reached through /proc/self/fd/<folder>/, because the path of a run's folder
 * may be longer than the 108 bytes that a socket address has.
 */
#include "core/release/control.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/release/control_socket.h"

#define BEAT_RETRY_MS 1000 /* behind a beat that could not be written */

struct client {
	int fd; /* -1: free */
	int64_t deadline_ms;
	size_t n;
	char text[CONTROL_MESSAGE_MAX];
};

struct control {
	pthread_t thread;
	int dir_fd, listen_fd;
	ino_t socket_ino;
	int wake_fd;   /* main thread to control thread: something changed */
	int box_fd;    /* control thread to main thread: the box is full */
	int cancel_fd; /* the same: a statement was cancelled */
	struct cancel *work, *stop;
	struct client client[CONTROL_CLIENTS_MAX];

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t quiet; /* beating or interrupting ended */
	struct control_request box;
	struct control_request cancelled; /* CONTROL_NONE: no statement was */
	struct db *db;                    /* executes a step; NULL: none is */
	bool interrupting;                /* the control thread is using db */
	struct lock *held;
	bool beating; /* the control thread is using held */
	int64_t beat_ms, next_beat_ms;
	bool ending, waiting, paused, fenced, stop_seen;
};

static const char *const verb_names[] = {
	[CONTROL_NONE] = "",         [CONTROL_ABORT] = "abort", [CONTROL_STOP] = "stop",
	[CONTROL_RETRY] = "retry",   [CONTROL_SKIP] = "skip",   [CONTROL_ROLL_BACK] = "roll-back",
	[CONTROL_CANCEL] = "cancel",
};

const char *control_verb_name(enum control_verb v)
{
	return verb_names[v];
}

enum control_verb control_verb_of(const char *name)
{
	for (int i = CONTROL_ABORT; name && i <= CONTROL_CANCEL; i++)
		if (!strcmp(name, verb_names[i]))
			return (enum control_verb)i;
	return CONTROL_NONE;
}

/* --- The box -------------------------------------------------------------------------------- */

static void wake(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

/* Puts a request into the box. An abort replaces whatever waits there; anything else waits its turn. */
static int box_put(struct control *c, const struct control_request *req, struct err *e)
{
	bool fire = false;
	int ret = 0;

	pthread_mutex_lock(&c->lock);
	if (req->verb == CONTROL_ABORT) {
		c->box = *req;
		fire = true;
	} else if (c->box.verb != CONTROL_NONE) {
		ret = err_set(e, ERR_BUSY, "the run has not seen the last request yet: %s",
			      verb_names[c->box.verb]);
	} else if (req->verb != CONTROL_STOP && !c->paused) {
		ret = err_set(e, ERR_GATE, "the run is not paused: there is nothing to %s",
			      req->verb == CONTROL_ROLL_BACK ? "decide" : verb_names[req->verb]);
		err_hint(e, "stop or abort it first");
	} else {
		c->box = *req;
		fire = req->verb == CONTROL_STOP && c->waiting;
	}
	pthread_mutex_unlock(&c->lock);
	if (!ret)
		wake(c->box_fd);
	if (fire)
		cancel_fire(c->work);
	return ret;
}

/* Passes a cancel on to the database, which may take as long as a connection does. What becomes of the
 * statement is the main thread's to see. */
static int cancel_statement(struct control *c, const struct control_request *req, struct err *e)
{
	pthread_mutex_lock(&c->lock);
	if (!c->db) {
		bool paused = c->paused;

		pthread_mutex_unlock(&c->lock);
		err_set(e, ERR_GATE, "no statement runs now: there is nothing to cancel");
		return err_hint(e, paused ? "the run is paused: retry, skip, roll-back or abort"
					  : "bascule runs shows at which step it is");
	}
	c->cancelled = *req;
	c->interrupting = true;
	pthread_mutex_unlock(&c->lock);
	/* First, so that a wait between two tries ends even when nothing is interrupted. */
	wake(c->cancel_fd);
	db_interrupt(c->db);
	pthread_mutex_lock(&c->lock);
	c->interrupting = false;
	pthread_cond_broadcast(&c->quiet);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static int request_take(struct control *c, const struct control_request *req, struct err *e)
{
	return req->verb == CONTROL_CANCEL ? cancel_statement(c, req, e) : box_put(c, req, e);
}

/* --- Clients -------------------------------------------------------------------------------- */

static void client_close(struct client *cl)
{
	close(cl->fd);
	cl->fd = -1;
}

int control_parse(struct sv text, struct control_request *out, struct err *e)
{
	json_t *j = json_parse(text, "a request", e);
	const char *verb, *reason;
	int ret = -1;

	if (!j)
		return -1;
	if (json_str(j, "verb", &verb, e))
		goto out;
	reason = json_str_opt(j, "reason", "");
	out->verb = control_verb_of(verb);
	str_copy(out->who, sizeof(out->who), json_str_opt(j, "who", ""));
	str_copy(out->reason, sizeof(out->reason), reason);
	if (out->verb == CONTROL_NONE) {
		err_set(e, ERR_USAGE, "a runner knows no request %s", verb);
		goto out;
	}
	if (out->verb == CONTROL_SKIP && str_blank(reason)) {
		err_set(e, ERR_USAGE, "skip needs a reason");
		err_hint(e, "--reason TEXT");
		goto out;
	}
	ret = 0;
out:
	json_decref(j);
	return ret;
}

static void client_answer(struct control *c, struct client *cl, struct sv text)
{
	struct control_request req;
	struct strbuf out;
	struct err e;
	json_t *j = json_object();
	bool ok = !control_parse(text, &req, &e) && !request_take(c, &req, &e);

	strbuf_init(&out, CONTROL_MESSAGE_MAX);
	json_put_bool(j, "ok", ok);
	if (!ok) {
		json_put_str(j, "code", err_code_name(e.code));
		json_put_str(j, "msg", e.msg);
		json_put_str(j, "detail", e.detail);
		json_put_str(j, "hint", e.hint);
	}
	json_write(&out, j);
	strbuf_addc(&out, '\n');
	/* A client that does not read its one line is not waited for. */
	(void)!send(cl->fd, strbuf_str(&out), out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	strbuf_clear(&out);
	json_decref(j);
	client_close(cl);
}

static void client_read(struct control *c, struct client *cl)
{
	ssize_t n = recv(cl->fd, cl->text + cl->n, sizeof(cl->text) - cl->n, MSG_DONTWAIT);
	const char *nl;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(cl);
		return;
	}
	cl->n += (size_t)n;
	nl = memchr(cl->text, '\n', cl->n);
	if (nl)
		client_answer(c, cl, sv_n(cl->text, (size_t)(nl - cl->text)));
	else if (cl->n == sizeof(cl->text))
		client_close(cl);
}

static void client_accept(struct control *c)
{
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
	    (peer.uid == geteuid() || peer.uid == 0)) {
		for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
			struct client *cl = &c->client[i];

			if (cl->fd >= 0)
				continue;
			cl->fd = fd;
			cl->n = 0;
			cl->deadline_ms = clock_mono_ms() + CONTROL_CLIENT_MS;
			return;
		}
	}
	close(fd);
}

/* --- The thread ----------------------------------------------------------------------------- */

/* Any failure but that of being fenced (a full disk, a server that is away) is left to the lease: it ends by
 * itself. */
static bool beat_once(struct control *c, bool *lost)
{
	struct err e;

	if (lock_beat(c->held, &e) == 0) {
		(void)!utimensat(c->dir_fd, CONTROL_SOCKET, NULL, AT_SYMLINK_NOFOLLOW);
		return true;
	}
	log_err(&e);
	*lost = e.code == ERR_FENCED;
	return false;
}

/* Beats when it is time. Returns when to come back. */
static int64_t beat(struct control *c)
{
	int64_t now = clock_mono_ms(), next = WAIT_FOREVER;
	bool lost = false;

	pthread_mutex_lock(&c->lock);
	if (c->held && !c->fenced && now >= c->next_beat_ms) {
		bool ok;

		c->beating = true;
		pthread_mutex_unlock(&c->lock);
		ok = beat_once(c, &lost);
		pthread_mutex_lock(&c->lock);
		c->beating = false;
		c->fenced = c->fenced || lost;
		c->next_beat_ms = ok || c->beat_ms < BEAT_RETRY_MS
					  ? now + c->beat_ms
					  : clock_mono_ms() + BEAT_RETRY_MS;
		pthread_cond_broadcast(&c->quiet);
	}
	if (c->held && !c->fenced)
		next = c->next_beat_ms;
	pthread_mutex_unlock(&c->lock);
	if (lost) {
		cancel_fire(c->work);
		wake(c->box_fd);
	}
	return next;
}

/* SIGTERM came: the same as a request to stop, once. Either thread. */
static void see_stop(struct control *c)
{
	struct control_request req = { .verb = CONTROL_STOP, .who = "signal" };
	bool fire;

	pthread_mutex_lock(&c->lock);
	if (c->stop_seen) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	c->stop_seen = true;
	if (c->box.verb == CONTROL_NONE)
		c->box = req;
	fire = c->waiting;
	pthread_mutex_unlock(&c->lock);
	wake(c->box_fd);
	if (fire)
		cancel_fire(c->work);
}

static void drain(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

static void handle_events(struct control *c, const struct pollfd *fd)
{
	int64_t now = clock_mono_ms();

	if (fd[0].revents)
		drain(c->wake_fd);
	if (fd[1].revents)
		see_stop(c);
	if (fd[2].revents)
		client_accept(c);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *cl = &c->client[i];

		/* One accepted just now has another descriptor than the one that was waited for. */
		if (cl->fd >= 0 && fd[3 + i].revents && fd[3 + i].fd == cl->fd)
			client_read(c, cl);
		if (cl->fd >= 0 && now > cl->deadline_ms)
			client_close(cl);
	}
}

static void *control_main(void *arg)
{
	struct control *c = arg;
	struct pollfd fd[3 + CONTROL_CLIENTS_MAX];
	struct err e;

	for (;;) {
		int64_t next = beat(c);
		bool ending;

		pthread_mutex_lock(&c->lock);
		ending = c->ending;
		fd[0] = (struct pollfd){ .fd = c->wake_fd, .events = POLLIN };
		fd[1] = (struct pollfd){ .fd = c->stop && !c->stop_seen ? c->stop->fd : -1,
					 .events = POLLIN };
		pthread_mutex_unlock(&c->lock);
		if (ending)
			return NULL;
		fd[2] = (struct pollfd){ .fd = c->listen_fd, .events = POLLIN };
		for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
			fd[3 + i] = (struct pollfd){ .fd = c->client[i].fd, .events = POLLIN };
			if (c->client[i].fd >= 0 && c->client[i].deadline_ms < next)
				next = c->client[i].deadline_ms + 1;
		}
		if (wait_fds(fd, 3 + CONTROL_CLIENTS_MAX, next, NULL, &e) < 0) {
			log_err(&e);
			return NULL;
		}
		handle_events(c, fd);
	}
}

/* --- Life ----------------------------------------------------------------------------------- */

/* A socket of a dead runner, or of one that was taken over, is replaced. */
static int control_listen(struct control *c, const char *dir, struct err *e)
{
	struct sockaddr_un addr;
	struct stat st;

	c->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0)
		return err_sys(e, errno, "cannot open %s", dir);
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	control_address(c->dir_fd, &addr);
	unlinkat(c->dir_fd, CONTROL_SOCKET, 0);
	if (c->listen_fd < 0 || bind(c->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    fchmodat(c->dir_fd, CONTROL_SOCKET, 0600, 0) ||
	    listen(c->listen_fd, CONTROL_CLIENTS_MAX) ||
	    fstatat(c->dir_fd, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, errno, "cannot listen on %s/%s", dir, CONTROL_SOCKET);
	c->socket_ino = st.st_ino;
	return 0;
}

static void control_free(struct control *c)
{
	struct stat st;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->client[i].fd >= 0)
			close(c->client[i].fd);
	if (c->listen_fd >= 0)
		close(c->listen_fd);
	if (c->dir_fd >= 0) {
		/* A runner that took over has put its own there. */
		if (!fstatat(c->dir_fd, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW) &&
		    st.st_ino == c->socket_ino)
			unlinkat(c->dir_fd, CONTROL_SOCKET, 0);
		close(c->dir_fd);
	}
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	if (c->box_fd >= 0)
		close(c->box_fd);
	if (c->cancel_fd >= 0)
		close(c->cancel_fd);
	pthread_cond_destroy(&c->quiet);
	pthread_mutex_destroy(&c->lock);
	mem_free(c);
}

int control_start(const char *dir, struct cancel *work, struct cancel *stop, struct control **out,
		  struct err *e)
{
	struct control *c = mem_calloc(1, sizeof(*c));
	int error;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->quiet, NULL);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		c->client[i].fd = -1;
	c->dir_fd = c->listen_fd = -1;
	c->work = work;
	c->stop = stop;
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->box_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake_fd < 0 || c->box_fd < 0 || c->cancel_fd < 0) {
		err_sys(e, errno, "cannot create an event descriptor");
		goto fail;
	}
	if (control_listen(c, dir, e))
		goto fail;
	error = pthread_create(&c->thread, NULL, control_main, c);
	if (error) {
		err_sys(e, error, "cannot start the control thread");
		goto fail;
	}
	*out = c;
	return 0;
fail:
	control_free(c);
	return -1;
}

void control_stop(struct control *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	pthread_mutex_unlock(&c->lock);
	wake(c->wake_fd);
	pthread_join(c->thread, NULL);
	control_free(c);
}

void control_set_lock(struct control *c, struct lock *lock, int64_t beat_ms)
{
	pthread_mutex_lock(&c->lock);
	while (c->beating)
		pthread_cond_wait(&c->quiet, &c->lock);
	c->held = lock;
	c->beat_ms = beat_ms;
	c->next_beat_ms = clock_mono_ms() + beat_ms;
	pthread_mutex_unlock(&c->lock);
	wake(c->wake_fd);
}

void control_set_db(struct control *c, struct db *db)
{
	pthread_mutex_lock(&c->lock);
	while (c->interrupting)
		pthread_cond_wait(&c->quiet, &c->lock);
	c->db = db;
	pthread_mutex_unlock(&c->lock);
}

bool control_take_cancel(struct control *c, struct control_request *out)
{
	bool found;

	pthread_mutex_lock(&c->lock);
	*out = c->cancelled;
	found = c->cancelled.verb != CONTROL_NONE;
	c->cancelled.verb = CONTROL_NONE;
	pthread_mutex_unlock(&c->lock);
	drain(c->cancel_fd);
	return found;
}

int control_cancel_fd(const struct control *c)
{
	return c->cancel_fd;
}

void control_set_waiting(struct control *c, bool waiting)
{
	bool fire;

	pthread_mutex_lock(&c->lock);
	c->waiting = waiting;
	/* The stop may have come before the wait began. */
	fire = waiting && (c->box.verb == CONTROL_STOP || c->box.verb == CONTROL_ABORT);
	pthread_mutex_unlock(&c->lock);
	if (fire)
		cancel_fire(c->work);
}

void control_set_paused(struct control *c, bool paused)
{
	pthread_mutex_lock(&c->lock);
	c->paused = paused;
	pthread_mutex_unlock(&c->lock);
}

bool control_take(struct control *c, struct control_request *out)
{
	bool found;

	/* The thread may not have woken for it yet, and the next step would begin. */
	if (cancel_fired(c->stop))
		see_stop(c);
	pthread_mutex_lock(&c->lock);
	*out = c->box;
	found = c->box.verb != CONTROL_NONE;
	c->box.verb = CONTROL_NONE;
	pthread_mutex_unlock(&c->lock);
	drain(c->box_fd);
	return found;
}

bool control_fenced(struct control *c)
{
	bool fenced;

	pthread_mutex_lock(&c->lock);
	fenced = c->fenced;
	pthread_mutex_unlock(&c->lock);
	return fenced;
}

int control_fd(const struct control *c)
{
	return c->box_fd;
}
