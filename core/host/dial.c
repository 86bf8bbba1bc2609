/* SPDX-License-Identifier: MIT */
/*
 * Connections from this machine.
 *
 * getaddrinfo(3) cannot be interrupted and may take half a minute, so a name is resolved by a thread of its own
 * that shares one small box with its caller. Who comes last frees the box; a caller that gave up leaves the
 * thread to itself. Numbers and localhost need no thread.
 *
 * The addresses of a name are tried one after the other in the order that the resolver gives. Each but the last
 * gets a part of the time that is left, so that one that swallows packets does not use up all of it.
 */
#include "core/host/dial.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ADDRESSES_MAX 16
#define ATTEMPT_MIN_MS 1000

/* --- Names -------------------------------------------------------------------------------------- */

struct resolving {
	pthread_mutex_t lock;
	int users; /* lock */
	char *host;
	char port[16];
	int done_fd;
	int error; /* written before done_fd is */
	struct addrinfo *list;
};

static void resolving_drop(struct resolving *r)
{
	bool last;

	pthread_mutex_lock(&r->lock);
	last = --r->users == 0;
	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	if (r->list)
		freeaddrinfo(r->list);
	if (r->done_fd >= 0)
		close(r->done_fd);
	pthread_mutex_destroy(&r->lock);
	mem_free(r->host);
	mem_free(r);
}

static void *resolve(void *arg)
{
	struct resolving *r = arg;
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	const uint64_t one = 1;

	r->error = getaddrinfo(r->host, r->port, &want, &r->list);
	(void)!write(r->done_fd, &one, sizeof(one));
	resolving_drop(r);
	return NULL;
}

static int no_such_name(const char *host, const char *why, struct err *e)
{
	err_set(e, ERR_NOT_FOUND, "cannot resolve %s", host);
	return err_detail(e, "%s", why);
}

/* Waits for the thread. list gets what is to be freed by resolving_drop. */
static int resolving_wait(struct resolving *r, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct pollfd fd = { .fd = r->done_fd, .events = POLLIN };
	int ready = wait_fds(&fd, 1, deadline_ms, c, e);

	if (ready < 0)
		return -1;
	if (ready == 0) {
		err_set(e, ERR_TIMEOUT, "cannot resolve %s in time", r->host);
		return err_hint(e, "getent hosts %s", r->host);
	}
	return r->error ? no_such_name(r->host, gai_strerror(r->error), e) : 0;
}

static int resolving_start(const char *host, int port, struct resolving **out, struct err *e)
{
	struct resolving *r = mem_calloc(1, sizeof(*r));
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	pthread_mutex_init(&r->lock, NULL);
	r->users = 2;
	r->host = mem_strdup(host);
	snprintf(r->port, sizeof(r->port), "%d", port);
	r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = r->done_fd < 0 ? errno : 0;
	if (!error) {
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		error = pthread_create(&thread, &attr, resolve, r);
		pthread_attr_destroy(&attr);
	}
	if (!error) {
		*out = r;
		return 0;
	}
	resolving_drop(r);
	resolving_drop(r);
	return err_sys(e, error, "cannot start resolving %s", host);
}

/* --- Connecting --------------------------------------------------------------------------------- */

static int connect_to(const struct sockaddr *addr, socklen_t n, const char *name,
		      int64_t deadline_ms, struct cancel *c, int *out, struct err *e)
{
	struct pollfd fd = { .events = POLLOUT };
	int error = 0, ready = 1;
	socklen_t size = sizeof(error);

	fd.fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd.fd < 0)
		return err_sys(e, errno, "cannot connect to %s", name);
	if (connect(fd.fd, addr, n) < 0)
		error = errno;
	if (error == EINPROGRESS) {
		ready = wait_fds(&fd, 1, deadline_ms, c, e);
		error = 0;
		if (ready > 0 && getsockopt(fd.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
			error = errno;
	}
	if (ready > 0 && error == 0) {
		*out = fd.fd;
		return 0;
	}
	close(fd.fd);
	if (ready < 0)
		return -1;
	/* A unix socket whose queue is full. */
	if (ready == 0 || error == EAGAIN)
		return err_set(e, ERR_TIMEOUT, "cannot connect to %s in time", name);
	err_sys(e, error, "cannot connect to %s", name);
	if (error == ECONNREFUSED || error == ENOENT)
		e->code = ERR_NOT_FOUND;
	if (error == EACCES) {
		e->code = ERR_REFUSED;
		err_hint(e, "become a member of the group of %s, and log in anew", name);
	}
	return -1;
}

static int path_address(const char *path, struct sockaddr_un *addr, struct err *e)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr->sun_path)) {
		err_set(e, ERR_LIMIT, "cannot use socket %s", path);
		err_detail(e, "its path has %zu bytes, at most %zu are possible", strlen(path),
			   sizeof(addr->sun_path) - 1);
		return err_hint(e, "use a shorter folder");
	}
	memcpy(addr->sun_path, path, strlen(path));
	return 0;
}

static int dial_path(const char *path, int64_t deadline_ms, struct cancel *c, int *fd,
		     struct err *e)
{
	struct sockaddr_un addr;

	if (path_address(path, &addr, e))
		return -1;
	return connect_to((const struct sockaddr *)&addr, sizeof(addr), path, deadline_ms, c, fd,
			  e);
}

static int dial_list(const struct addrinfo *list, const char *name, int64_t deadline_ms,
		     struct cancel *c, int *fd, struct err *e)
{
	int left = 0;

	for (const struct addrinfo *a = list; a && left < ADDRESSES_MAX; a = a->ai_next)
		left++;
	for (const struct addrinfo *a = list; left > 0; a = a->ai_next, left--) {
		int64_t now = clock_mono_ms(), until_ms = deadline_ms;

		if (left > 1 && deadline_ms != WAIT_FOREVER) {
			int64_t part_ms = (deadline_ms - now) / left;

			until_ms = now + (part_ms > ATTEMPT_MIN_MS ? part_ms : ATTEMPT_MIN_MS);
		}
		if (until_ms > deadline_ms)
			until_ms = deadline_ms;
		if (connect_to(a->ai_addr, a->ai_addrlen, name, until_ms, c, fd, e) == 0)
			return 0;
		if (e->code == ERR_CANCELLED)
			return -1;
	}
	return -1;
}

/* A number, or localhost, whose addresses need nobody to be asked. */
static int list_at_once(const char *host, int port, struct addrinfo **list)
{
	const bool local = !strcmp(host, "localhost");
	struct addrinfo want = { .ai_socktype = SOCK_STREAM };
	char text[16];

	/* Without a host these are the loopback addresses. */
	want.ai_flags = AI_NUMERICSERV | (local ? 0 : AI_NUMERICHOST);
	snprintf(text, sizeof(text), "%d", port);
	return getaddrinfo(local ? NULL : host, text, &want, list);
}

static int dial_port(const char *host, int port, int64_t deadline_ms, struct cancel *c, int *fd,
		     struct err *e)
{
	struct resolving *r = NULL;
	struct addrinfo *list = NULL;
	struct strbuf name;
	int ret = -1;

	strbuf_init(&name, 512);
	strbuf_addf(&name, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
	if (port < 1 || port > 65535) {
		err_set(e, ERR_INPUT, "cannot connect to port %d", port);
	} else if (list_at_once(host, port, &list) == 0) {
		ret = dial_list(list, name.data, deadline_ms, c, fd, e);
		freeaddrinfo(list);
	} else if (resolving_start(host, port, &r, e) == 0) {
		ret = resolving_wait(r, deadline_ms, c, e);
		if (ret == 0)
			ret = dial_list(r->list, name.data, deadline_ms, c, fd, e);
		resolving_drop(r);
	}
	strbuf_clear(&name);
	return ret;
}

int dial_target(const struct host_target *t, int64_t deadline_ms, struct cancel *c, int *fd,
		struct err *e)
{
	if (t->path)
		return dial_path(t->path, deadline_ms, c, fd, e);
	return dial_port(t->host, t->port, deadline_ms, c, fd, e);
}

int dial_listen(const char *path, int *fd, struct err *e)
{
	struct sockaddr_un addr;
	int sock;

	if (path_address(path, &addr, e))
		return -1;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The folder is private; chmod comes before anybody can be accepted. */
	if (sock < 0 || bind(sock, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(path, 0600) < 0 || listen(sock, SOMAXCONN) < 0) {
		err_sys(e, errno, "cannot listen on %s", path);
		if (sock >= 0)
			close(sock);
		return -1;
	}
	*fd = sock;
	return 0;
}
