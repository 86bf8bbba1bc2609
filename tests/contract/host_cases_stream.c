/* SPDX-License-Identifier: MIT */
/*
 * Bytes in and out of hosts, on every transport: input of commands, duplex commands, dialled streams, forwards.
 */
#include "tests/contract/host_cases.h"

#include "core/base/digest.h"
#include "core/host/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Input -------------------------------------------------------------------------------------- */

static char *fresh_bytes(size_t n)
{
	char *p = malloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + (i >> 8));
	return p;
}

static void host_run__gives_input__whole(void **state)
{
	static const size_t sizes[] = { 1, 65536, 300000, HOST_INPUT_MAX };
	char *bytes = fresh_bytes(HOST_INPUT_MAX + 1), hex[DIGEST_HEX_SIZE];
	struct host_command cmd = { .script = "sha256sum" };
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cmd.input = sv_n(bytes, sizes[i]);
		digest_hex(bytes, sizes[i], hex);
		strbuf_reset(&out);
		host_world_run(host_world->host, &cmd, &out, NULL, NULL);
		assert_memory_equal(strbuf_str(&out), hex, strlen(hex));
	}
	cmd.input = sv_n(bytes, HOST_INPUT_MAX + 1);
	assert_int_equal(host_run(host_world->host, &cmd, &out, NULL, NULL, host_world_soon(), NULL,
				  &host_world->e),
			 -1);
	assert_int_equal(host_world->e.code, ERR_LIMIT);
	strbuf_clear(&out);
	free(bytes);
}

static void host_run__ends__when_a_command_does_not_read(void **state)
{
	char *bytes = fresh_bytes(HOST_INPUT_MAX);
	const struct host_command cmd = { .script = "echo hello; exit 5",
					  .input = { bytes, HOST_INPUT_MAX } };
	const struct host_command nothing = { .script = "cat; exit 6" };
	struct strbuf out;
	struct host_result r;

	(void)state;
	strbuf_init(&out, 1000);
	host_world_run(host_world->host, &cmd, &out, NULL, &r);
	assert_string_equal(strbuf_str(&out), "hello\n");
	assert_int_equal(r.status, 5);
	strbuf_reset(&out);
	/* Without input there is nothing to read, and no terminal. */
	host_world_run(host_world->host, &nothing, &out, NULL, &r);
	assert_int_equal(out.len, 0);
	assert_int_equal(r.status, 6);
	strbuf_clear(&out);
	free(bytes);
}

static void host_proc_close__ends__what_does_not_read_its_input(void **state)
{
	char *bytes = fresh_bytes(HOST_INPUT_MAX);
	const char *const words[] = { host_world_word(), NULL };
	const struct host_command cmd = { .script = "tail -f /dev/null",
					  .argv = words,
					  .input = { bytes, HOST_INPUT_MAX } };
	struct host_proc *p;

	(void)state;
	if (host_start(host_world->host, &cmd, host_world_soon(), NULL, &p, &host_world->e))
		host_world_fail("a start");
	assert_true(process_word_seen(words[0]));
	host_proc_close(p);
	assert_true(process_word_wait(words[0], 0));
	free(bytes);
}

static void must_send(struct host_proc *p, struct sv text)
{
	while (text.n > 0) {
		struct pollfd fd = { .fd = host_proc_in(p), .events = POLLOUT };
		ssize_t n;

		assert_int_equal(wait_fds(&fd, 1, host_world_soon(), NULL, &host_world->e), 1);
		n = send(fd.fd, text.p, text.n, MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		if (n > 0)
			text = sv_n(text.p + n, text.n - (size_t)n);
	}
}

/* Reads stdout until want bytes are there, or to its end. */
static void read_some(struct host_proc *p, struct strbuf *out, size_t want)
{
	char buf[HOST_READ_MIN];
	size_t got;

	while (out->len < want && host_proc_fd(p, HOST_OUT) >= 0) {
		struct pollfd fd = { .fd = host_proc_fd(p, HOST_OUT), .events = POLLIN };

		assert_int_equal(wait_fds(&fd, 1, host_world_soon(), NULL, &host_world->e), 1);
		if (host_proc_read(p, HOST_OUT, buf, sizeof(buf), &got, &host_world->e))
			host_world_fail("a read");
		strbuf_add(out, buf, got);
	}
}

static void duplex__carries_both_ways__and_goes_on_behind_its_input(void **state)
{
	/* Silent for longer than any watcher waits, after the input has ended. */
	const struct host_command cmd = { .script = "cat; sleep 3.5; echo over; exit 7",
					  .duplex = true };
	struct host_proc *p;
	struct host_result r;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	if (host_start(host_world->host, &cmd, host_world_soon(), NULL, &p, &host_world->e))
		host_world_fail("a start");
	must_send(p, SV("ping\n"));
	read_some(p, &out, 5);
	assert_string_equal(strbuf_str(&out), "ping\n");
	must_send(p, SV("pong\n"));
	host_proc_end_input(p);
	assert_int_equal(host_proc_in(p), -1);
	read_some(p, &out, 1000);
	assert_string_equal(strbuf_str(&out), "ping\npong\nover\n");
	if (host_proc_finish(p, host_world_soon(), NULL, &r, &host_world->e))
		host_world_fail("a finish");
	assert_int_equal(r.status, 7);
	host_proc_close(p);
	strbuf_clear(&out);
}

static void duplex__ends__before_its_input_does(void **state)
{
	const struct host_command cmd = { .script = "read -r line; echo \"<$line>\"; exit 8",
					  .duplex = true };
	struct host_proc *p;
	struct host_result r;
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 1000);
	if (host_start(host_world->host, &cmd, host_world_soon(), NULL, &p, &host_world->e))
		host_world_fail("a start");
	must_send(p, SV("x\n"));
	read_some(p, &out, 1000);
	assert_string_equal(strbuf_str(&out), "<x>\n");
	if (host_proc_finish(p, host_world_soon(), NULL, &r, &host_world->e))
		host_world_fail("a finish");
	assert_int_equal(r.status, 8);
	host_proc_close(p);
	strbuf_clear(&out);
}

/* --- Streams ------------------------------------------------------------------------------------ */

static int listen_port(int *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

static int must_accept(int listening)
{
	struct pollfd fd = { .fd = listening, .events = POLLIN };
	int peer;

	assert_int_equal(wait_fds(&fd, 1, host_world_soon(), NULL, &host_world->e), 1);
	peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	return peer;
}

static void send_all(int fd, struct sv text)
{
	while (text.n > 0) {
		struct pollfd at = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		assert_int_equal(wait_fds(&at, 1, host_world_soon(), NULL, &host_world->e), 1);
		n = send(fd, text.p, text.n, MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		if (n > 0)
			text = sv_n(text.p + n, text.n - (size_t)n);
	}
}

static void expect(int fd, const char *text)
{
	char buf[64];
	size_t n = 0;

	while (n < strlen(text)) {
		struct pollfd at = { .fd = fd, .events = POLLIN };
		ssize_t got;

		assert_int_equal(wait_fds(&at, 1, host_world_soon(), NULL, &host_world->e), 1);
		got = recv(fd, buf + n, sizeof(buf) - n, 0);
		assert_true(got > 0 || (got < 0 && errno == EAGAIN));
		if (got > 0)
			n += (size_t)got;
	}
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, n);
}

static void expect_end(int fd)
{
	struct pollfd at = { .fd = fd, .events = POLLIN };
	char byte;
	ssize_t n;

	do {
		assert_int_equal(wait_fds(&at, 1, host_world_soon(), NULL, &host_world->e), 1);
		n = recv(fd, &byte, 1, 0);
		assert_true(n <= 0);
	} while (n < 0 && errno == EAGAIN);
}

/* Bytes go both ways between the two, and an end of one side reaches the other. */
static void check_joined(int fd, int peer)
{
	send_all(fd, SV("to there"));
	expect(peer, "to there");
	send_all(peer, SV("and back"));
	expect(fd, "and back");
	close(fd);
	expect_end(peer);
	close(peer);
}

static void host_dial__reaches_a_port(void **state)
{
	struct host_target t = { .host = "127.0.0.1" };
	int listening, fd, i;

	(void)state;
	listening = listen_port(&t.port);
	for (i = 0; i < 3; i++) {
		if (host_dial(host_world->host, &t, host_world_soon(), NULL, &fd, &host_world->e))
			host_world_fail("a dial");
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		check_joined(fd, must_accept(listening));
	}
	t.host = "localhost";
	if (host_dial(host_world->host, &t, host_world_soon(), NULL, &fd, &host_world->e))
		host_world_fail("a dial by name");
	check_joined(fd, must_accept(listening));
	close(listening);
	assert_int_equal(
		host_dial(host_world->host, &t, host_world_soon(), NULL, &fd, &host_world->e), -1);
	if (host_world->e.code != ERR_NOT_FOUND)
		host_world_fail("not a missing listener");
}

static void host_dial__reaches_a_unix_socket(void **state)
{
	char *path = tmp_path(host_world->dir, "a socket:50%");
	const struct host_target t = { .path = path };
	int listening, fd, i;

	(void)state;
	assert_int_equal(dial_listen(path, &listening, &host_world->e), 0);
	for (i = 0; i < 3; i++) {
		if (host_dial(host_world->host, &t, host_world_soon(), NULL, &fd, &host_world->e))
			host_world_fail("a dial");
		check_joined(fd, must_accept(listening));
	}
	close(listening);
	unlink(path);
	free(path);
}

static void host_dial__says_why__it_cannot(void **state)
{
	char *path = tmp_path(host_world->dir, "nobody");
	struct host_target t = { .path = path };
	int fd, listening;

	(void)state;
	assert_int_equal(
		host_dial(host_world->host, &t, host_world_soon(), NULL, &fd, &host_world->e), -1);
	if (host_world->e.code != ERR_NOT_FOUND)
		host_world_fail("not a missing socket");
	/* There, and nobody listens. */
	assert_int_equal(dial_listen(path, &listening, &host_world->e), 0);
	close(listening);
	assert_int_equal(
		host_dial(host_world->host, &t, host_world_soon(), NULL, &fd, &host_world->e), -1);
	if (host_world->e.code != ERR_NOT_FOUND)
		host_world_fail("not a dead socket");
	t = (struct host_target){ .host = "no-such-name.invalid", .port = 80 };
	assert_int_equal(
		host_dial(host_world->host, &t, host_world_soon(), NULL, &fd, &host_world->e), -1);
	if (host_world->e.code != ERR_NOT_FOUND)
		host_world_fail("not a missing name");
	free(path);
}

static void host_forward__joins_connections__until_it_is_closed(void **state)
{
	struct host_target t = { .host = "127.0.0.1" };
	char *path = tmp_path(host_world->dir, "forward");
	const struct host_target here = { .path = path };
	int listening = listen_port(&t.port), fd, first, peer;
	struct host_forward *f = NULL;
	struct stat st;

	(void)state;
	if (host_is_local(host_world->host)) {
		assert_int_equal(host_forward_open(host_world->host, &t, path, host_world_soon(),
						   NULL, &f, &host_world->e),
				 -1);
		assert_int_equal(host_world->e.code, ERR_UNSUPPORTED);
		close(listening);
		free(path);
		return;
	}
	if (host_forward_open(host_world->host, &t, path, host_world_soon(), NULL, &f,
			      &host_world->e))
		host_world_fail("a forward");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(dial_target(&here, host_world_soon(), NULL, &first, &host_world->e), 0);
	peer = must_accept(listening);
	assert_int_equal(dial_target(&here, host_world_soon(), NULL, &fd, &host_world->e), 0);
	check_joined(fd, must_accept(listening));
	send_all(first, SV("x"));
	expect(peer, "x");
	host_forward_close(f);
	expect_end(first);
	assert_int_equal(stat(path, &st), -1);
	close(first);
	close(peer);
	close(listening);
	free(path);
	host_forward_close(NULL);
}

const struct CMUnitTest host_cases_stream[] = {
	cmocka_unit_test(host_run__gives_input__whole),
	cmocka_unit_test(host_run__ends__when_a_command_does_not_read),
	cmocka_unit_test(host_proc_close__ends__what_does_not_read_its_input),
	cmocka_unit_test(duplex__carries_both_ways__and_goes_on_behind_its_input),
	cmocka_unit_test(duplex__ends__before_its_input_does),
	cmocka_unit_test(host_dial__reaches_a_port),
	cmocka_unit_test(host_dial__reaches_a_unix_socket),
	cmocka_unit_test(host_dial__says_why__it_cannot),
	cmocka_unit_test(host_forward__joins_connections__until_it_is_closed),
};
const size_t host_cases_stream_n = sizeof(host_cases_stream) / sizeof(host_cases_stream[0]);
