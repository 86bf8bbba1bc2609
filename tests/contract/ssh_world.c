/* SPDX-License-Identifier: MIT */
#include "tests/contract/ssh_world.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/tmp.h"

#define CONNECT_MS 20000

int64_t ssh_world_soon(void)
{
	return clock_mono_ms() + SSH_WORLD_LONG_MS;
}

const char *ssh_world_said(const struct err *e)
{
	static char text[2000];

	snprintf(text, sizeof(text), "%s: %s (%s)", e->msg, e->detail, e->hint);
	return text;
}

void ssh_world_again(struct ssh_world *w)
{
	hosts_free(w->pool);
	w->ctx.ssh_config = w->config != NULL ? w->config : w->server.config;
	w->pool = hosts_new(&w->ctx);
	w->host = hosts_get(w->pool, &w->spec);
}

void ssh_world_open(struct ssh_world *w, const char *name, const char *options)
{
	memset(w, 0, sizeof(*w));
	(void)services_start_as(SERVICE_SSH, name, options, &w->server);
	services_need(&w->server);
	w->dir = tmp_make();
	w->ctx = (struct host_context){ .home = w->dir, .login = "nobody", .run_dir = w->dir };
	w->spec = (struct host_spec){ .name = w->server.name,
				      .transport = HOST_LIBSSH2,
				      .connect_timeout_ms = CONNECT_MS,
				      .alive_ms = 20000 };
	ssh_world_again(w);
}

void ssh_world_config(struct ssh_world *w, const char *text)
{
	const struct server *server = &w->server;
	struct strbuf all;

	strbuf_init(&all, 1 << 16);
	strbuf_addf(&all, "%s\nHost %s\nHostName 127.0.0.1\nPort %d\nUser %s\n", text, server->name,
		    server->port, server->user);
	if (strstr(text, "UserKnownHostsFile") == NULL)
		strbuf_addf(&all, "UserKnownHostsFile %s\n", server->known_hosts);
	if (strstr(text, "IdentityFile") == NULL)
		strbuf_addf(&all, "IdentityFile %s\n", server->key);
	strbuf_adds(&all, "GlobalKnownHostsFile /dev/null\n");
	tmp_write(w->dir, "config", strbuf_str(&all));
	strbuf_clear(&all);
	free(w->config);
	w->config = tmp_path(w->dir, "config");
	ssh_world_again(w);
}

void ssh_world_close(struct ssh_world *w)
{
	hosts_free(w->pool);
	free(w->config);
	tmp_remove(w->dir);
	services_stop(&w->server);
}

int ssh_world_run(struct ssh_world *w, const char *script, struct strbuf *out)
{
	const struct host_command cmd = { .script = script };
	struct host_result r;
	struct err e;

	if (host_run(w->host, &cmd, out, NULL, &r, ssh_world_soon(), NULL, &e) != 0)
		fail_msg("%s", ssh_world_said(&e));
	return r.status;
}

int ssh_world_run_soon(struct ssh_world *w, const char *script)
{
	const struct host_command cmd = { .script = script };
	int64_t until_ms = ssh_world_soon();
	struct host_result r;
	struct err e;

	while (host_run(w->host, &cmd, NULL, NULL, &r, ssh_world_soon(), NULL, &e) != 0)
		if (e.code != ERR_TIMEOUT || clock_mono_ms() > until_ms)
			fail_msg("%s", ssh_world_said(&e));
	return r.status;
}

void ssh_world_stayed(struct host *h, const struct host_status *before)
{
	struct host_status after;

	host_status(h, &after);
	assert_int_equal(after.state, HOST_READY);
	assert_int_equal(after.since_utc_ms, before->since_utc_ms);
	assert_true(after.round_trip_us > 0);
}

void ssh_world_refused(struct ssh_world *w, struct err *e, enum err_code code)
{
	const struct host_command cmd = { .script = ":" };

	if (host_run(w->host, &cmd, NULL, NULL, NULL, ssh_world_soon(), NULL, e) == 0)
		fail_msg("let in");
	if (e->code != code)
		fail_msg("%s: %s", err_code_name(e->code), ssh_world_said(e));
}

/* --- Echo -------------------------------------------------------------------------------------- */

struct echo {
	int fd, port;
	char *path;
	pthread_t thread;
	struct cancel stop;
	atomic_int open;
};

struct echo_one {
	struct echo *echo;
	int fd;
	struct cancel *stop;
};

static void *echo_serve(void *arg)
{
	struct echo_one *one = arg;
	struct pollfd fd = { .fd = one->fd, .events = POLLIN };
	char block[65536];
	struct err e;

	while (wait_fds(&fd, 1, WAIT_FOREVER, one->stop, &e) > 0) {
		ssize_t n = recv(one->fd, block, sizeof(block), 0);

		if (n <= 0)
			break;
		for (ssize_t at = 0, sent; at < n; at += sent) {
			sent = send(one->fd, block + at, (size_t)(n - at), MSG_NOSIGNAL);
			if (sent < 0)
				goto out;
		}
	}
out:
	close(one->fd);
	atomic_fetch_sub(&one->echo->open, 1);
	mem_free(one);
	return NULL;
}

static void *echo_accept(void *arg)
{
	struct echo *s = arg;
	struct pollfd fd = { .fd = s->fd, .events = POLLIN };
	struct err e;

	while (wait_fds(&fd, 1, WAIT_FOREVER, &s->stop, &e) > 0) {
		struct echo_one *one = mem_calloc(1, sizeof(*one));
		pthread_t thread;

		one->echo = s;
		one->stop = &s->stop;
		one->fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		atomic_fetch_add(&s->open, 1);
		if (one->fd < 0 || pthread_create(&thread, NULL, echo_serve, one) != 0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

struct echo *echo_start(const char *path)
{
	struct echo *s = mem_calloc(1, sizeof(*s));
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	struct err e;
	int rc;

	s->fd = socket(path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (path != NULL) {
		s->path = mem_strdup(path);
		str_copy(un.sun_path, sizeof(un.sun_path), path);
		rc = bind(s->fd, (struct sockaddr *)&un, sizeof(un));
	} else {
		rc = bind(s->fd, (struct sockaddr *)&in, sizeof(in));
	}
	assert_int_equal(rc, 0);
	assert_int_equal(listen(s->fd, 128), 0);
	if (path == NULL && getsockname(s->fd, (struct sockaddr *)&in, &n) == 0)
		s->port = ntohs(in.sin_port);
	assert_int_equal(cancel_init(&s->stop, &e), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, echo_accept, s), 0);
	return s;
}

int echo_port(const struct echo *s)
{
	return s->port;
}

int echo_count(struct echo *s)
{
	return atomic_load(&s->open);
}

void echo_stop(struct echo *s)
{
	struct pollfd none = { .fd = -1 };
	struct err e;

	cancel_fire(&s->stop);
	pthread_join(s->thread, NULL);
	while (echo_count(s) > 0)
		assert_true(wait_fds(&none, 1, clock_mono_ms() + 5, NULL, &e) >= 0);
	close(s->fd);
	if (s->path != NULL)
		unlink(s->path);
	mem_free(s->path);
	cancel_clear(&s->stop);
	mem_free(s);
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

void echo_through(int fd, size_t n)
{
	struct pollfd wait = { .fd = fd };
	size_t sent = 0, got = 0;
	unsigned char block[16384];
	struct err e;

	while (got < n) {
		ssize_t rc;

		wait.events = (short)(POLLIN | (sent < n ? POLLOUT : 0));
		if (wait_fds(&wait, 1, ssh_world_soon(), NULL, &e) <= 0)
			fail_msg("stuck at %zu of %zu bytes", got, n);
		if (sent < n && (wait.revents & POLLOUT) != 0) {
			size_t part = n - sent < sizeof(block) ? n - sent : sizeof(block);

			for (size_t i = 0; i < part; i++)
				block[i] = pattern(sent + i);
			rc = send(fd, block, part, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (rc < 0 && errno != EAGAIN)
				fail_msg("send: %s", strerror(errno));
			sent += rc > 0 ? (size_t)rc : 0;
		}
		rc = recv(fd, block, sizeof(block), MSG_DONTWAIT);
		if (rc == 0 || (rc < 0 && errno != EAGAIN))
			fail_msg("ended at %zu of %zu bytes", got, n);
		for (ssize_t i = 0; i < rc; i++)
			if (block[i] != pattern(got + (size_t)i))
				fail_msg("byte %zu is another one", got + (size_t)i);
		got += rc > 0 ? (size_t)rc : 0;
	}
}
