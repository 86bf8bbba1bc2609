/* SPDX-License-Identifier: MIT */
#include "core/host/dial.h"

#include "core/base/clock.h"
#include "tests/support/tmp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 60000

static struct err e;

static int64_t soon(void)
{
	return clock_mono_ms() + LONG_MS;
}

static void dial_target__connects__to_what_listens(void **state)
{
	char *dir = tmp_make(), *path = tmp_path(dir, "s");
	const struct host_target t = { .path = path };
	int listening, fd, peer;
	struct stat st;
	char byte;

	(void)state;
	assert_int_equal(dial_target(&t, soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(dial_listen(path, &listening, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(dial_target(&t, soon(), NULL, &fd, &e), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	peer = accept(listening, NULL, NULL);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(peer, &byte, 1, 0), 1);
	close(peer);
	close(fd);
	close(listening);
	/* It is still there, and nobody listens. */
	assert_int_equal(dial_target(&t, soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(dial_listen(path, &listening, &e), -1);
	free(path);
	tmp_remove(dir);
}

static int listen_port(int backlog, int *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

/* Nobody accepts, so that its queue is full after some: the kernel does not answer any more. */
static void dial_target__waits__no_longer_than_it_may(void **state)
{
	struct host_target t = { .host = "127.0.0.1" };
	int fd[8], n = 0, listening = listen_port(0, &t.port);
	struct cancel c;

	(void)state;
	while (n < 8 && dial_target(&t, clock_mono_ms() + 200, NULL, &fd[n], &e) == 0)
		n++;
	assert_true(n < 8);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(cancel_init(&c, &e), 0);
	cancel_fire(&c);
	assert_int_equal(dial_target(&t, soon(), &c, &fd[n], &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	cancel_clear(&c);
	while (n > 0)
		close(fd[--n]);
	close(listening);
}

static void dial_target__resolves__names(void **state)
{
	static const char *const names[] = { "127.0.0.1", "localhost" };
	struct host_target t = { .host = NULL };
	int listening = listen_port(8, &t.port), fd;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		t.host = names[i];
		if (dial_target(&t, soon(), NULL, &fd, &e))
			fail_msg("%s: %s", e.msg, e.detail);
		close(fd);
	}
	close(listening);
	assert_int_equal(dial_target(&t, soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	t.host = "no-such-name.invalid";
	assert_int_equal(dial_target(&t, soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	/* Who does not wait is not held by the resolver. */
	assert_int_equal(dial_target(&t, clock_mono_ms() - 1, NULL, &fd, &e), -1);
	for (size_t i = 0; i < 3; i++) {
		t = (struct host_target){ .host = "127.0.0.1",
					  .port = (const int[]){ -1, 0, 65536 }[i] };
		assert_int_equal(dial_target(&t, soon(), NULL, &fd, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
	}
}

static void dial_listen__refuses__a_path_that_is_too_long(void **state)
{
	char path[200];
	int fd;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(dial_listen(path, &fd, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_non_null(strstr(e.detail, "107"));
	assert_true(e.hint[0]);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(dial_target__connects__to_what_listens),
		cmocka_unit_test(dial_target__waits__no_longer_than_it_may),
		cmocka_unit_test(dial_target__resolves__names),
		cmocka_unit_test(dial_listen__refuses__a_path_that_is_too_long),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
