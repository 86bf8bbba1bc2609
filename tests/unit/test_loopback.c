/* SPDX-License-Identifier: MIT */
#include "core/host/loopback.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/child.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#define BIG ((size_t)3 << 20)

/* Something that answers behind the socket: sends back what it got, in capitals, until the input ends. */
struct shouter {
	char *dir, *path;
	int fd;
	pthread_t thread;
};

static void *shout(void *arg)
{
	struct shouter *s = arg;
	char buf[4096];

	for (;;) {
		int c = accept(s->fd, NULL, NULL);
		ssize_t n;

		if (c < 0)
			return NULL;
		while ((n = read(c, buf, sizeof(buf))) > 0) {
			for (ssize_t i = 0; i < n; i++)
				buf[i] = (char)(buf[i] >= 'a' && buf[i] <= 'z' ? buf[i] - 32
									       : buf[i]);
			for (ssize_t at = 0; at < n;) {
				ssize_t done = send(c, buf + at, (size_t)(n - at), MSG_NOSIGNAL);

				if (done <= 0)
					break;
				at += done;
			}
		}
		close(c);
	}
}

static int setup(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct shouter *s = mem_calloc(1, sizeof(*s));

	s->dir = tmp_make();
	s->path = tmp_path(s->dir, "socket");
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->path);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, shout, s), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct shouter *s = *state;

	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	mem_free(s->path);
	tmp_remove(s->dir);
	mem_free(s);
	return 0;
}

static int join_port(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void *send_big(void *arg)
{
	const int *fd = arg;
	char *bytes = mem_alloc(BIG);

	memset(bytes, 'x', BIG);
	for (size_t at = 0; at < BIG;) {
		ssize_t n = send(*fd, bytes + at, BIG - at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	shutdown(*fd, SHUT_WR);
	mem_free(bytes);
	return NULL;
}

static void loopback__carries_both_ways__to_the_end_of_each(void **state)
{
	struct shouter *s = *state;
	struct loopback *l;
	pthread_t thread;
	char buf[65536];
	struct err e;

	assert_int_equal(loopback_open(s->path, &l, &e), 0);
	for (int round = 0; round < 3; round++) {
		int fd = join_port(loopback_port(l));
		size_t got = 0;
		ssize_t n;

		assert_int_equal(pthread_create(&thread, NULL, send_big, &fd), 0);
		while ((n = read(fd, buf, sizeof(buf))) > 0) {
			assert_int_equal(buf[0], 'X');
			got += (size_t)n;
		}
		assert_int_equal(n, 0);
		assert_int_equal(got, BIG);
		pthread_join(thread, NULL);
		close(fd);
	}
	loopback_close(l);
}

static void loopback__ends_connections__when_it_is_closed_or_nobody_is_behind(void **state)
{
	struct shouter *s = *state;
	struct loopback *l;
	struct err e;
	char c;
	int fd;

	assert_int_equal(loopback_open("/nowhere/socket", &l, &e), 0);
	fd = join_port(loopback_port(l));
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
	loopback_close(l);
	assert_int_equal(loopback_open(s->path, &l, &e), 0);
	fd = join_port(loopback_port(l));
	assert_int_equal(write(fd, "a", 1), 1);
	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, 'A');
	loopback_close(l);
	assert_true(read(fd, &c, 1) <= 0);
	close(fd);
	loopback_close(NULL);
}

/* What a user gets who sends a word and waits for the answer. */
static char *ask_as(const char *uid, int port)
{
	char script[128];
	char *argv[] = { mem_strdup("setpriv"),
			 mem_strdup("--reuid"),
			 mem_strdup(uid),
			 mem_strdup("--clear-groups"),
			 mem_strdup("bash"),
			 mem_strdup("-c"),
			 script,
			 NULL };
	struct strbuf out;
	struct err e;
	int status = 0;

	snprintf(script, sizeof(script),
		 "exec 3<>/dev/tcp/127.0.0.1/%d; printf 'hello\n' >&3; head -n 1 <&3", port);
	strbuf_init(&out, 4096);
	if (child_capture(argv, &out, clock_mono_ms() + 60000, NULL, &status, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	for (int i = 0; argv[i] != script; i++)
		mem_free(argv[i]);
	return strbuf_detach(&out);
}

static void loopback__is_for_its_own_user__and_nobody_else(void **state)
{
	struct shouter *s = *state;
	struct loopback *l;
	struct err e;
	char *said;

	/* Only root can be somebody else. */
	if (geteuid() != 0)
		skip();
	assert_int_equal(loopback_open(s->path, &l, &e), 0);
	said = ask_as("0", loopback_port(l));
	assert_string_equal(said, "HELLO\n");
	mem_free(said);
	said = ask_as("65534", loopback_port(l));
	assert_true(said == NULL || said[0] == '\0');
	mem_free(said);
	loopback_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loopback__carries_both_ways__to_the_end_of_each,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			loopback__ends_connections__when_it_is_closed_or_nobody_is_behind, setup,
			teardown),
		cmocka_unit_test_setup_teardown(loopback__is_for_its_own_user__and_nobody_else,
						setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
