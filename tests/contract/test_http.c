/* SPDX-License-Identifier: MIT */
/* HTTP through a host against servers that behave, and servers that do not. The host is this machine. */
#include "core/host/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#define GENEROUS_MS 60000

/* --- A server that says what it is told to ------------------------------------------------------ */

enum then { THEN_NEXT, THEN_CLOSE, THEN_STALL, THEN_REPEAT };

/* What follows a request for path. */
struct answer {
	const char *path;
	const char *text;
	enum then then; /* REPEAT: the text again and again, up to repeats times, then closes */
	int repeats;
};

static const struct answer answers[] = {
	{ "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", THEN_NEXT, 0 },
	{ "/chunked",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
	  THEN_NEXT, 0 },
	{ "/until-close", "HTTP/1.0 200 OK\r\n\r\nall of it", THEN_CLOSE, 0 },
	{ "/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", THEN_NEXT, 0 },
	{ "/interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", THEN_NEXT,
	  0 },
	{ "/moved", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", THEN_NEXT,
	  0 },
	{ "/away",
	  "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/ok\x1b[1m\r\nContent-Length: 0\r\n\r\n",
	  THEN_NEXT, 0 },
	{ "/round", "HTTP/1.1 301 Moved\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n",
	  THEN_NEXT, 0 },
	{ "/file",
	  "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
	  THEN_NEXT, 0 },
	{ "/nothing", "", THEN_CLOSE, 0 },
	{ "/half", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", THEN_CLOSE, 0 },
	{ "/half-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
	  THEN_CLOSE, 0 },
	{ "/garbage", "220 mail.example.com ESMTP\r\n", THEN_CLOSE, 0 },
	{ "/binary", "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03", THEN_CLOSE, 0 },
	{ "/stall", "", THEN_STALL, 0 },
	{ "/stall-body", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", THEN_STALL, 0 },
	{ "/headers", "X-More: and more and more and more and more and more\r\n", THEN_REPEAT,
	  10000 },
	{ "/large", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", THEN_REPEAT,
	  50000 },
};

struct server {
	int fd, stop[2];
	char path[200];
	int port;
	pthread_t thread, worker[64];
	int connections; /* read behind the join, and by the test between requests */
	char host[200];  /* of the last request */
	pthread_mutex_t lock;
};

static bool send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* The whole head of a request; false at the end of the connection or when the server is to stop. */
static bool read_request(struct server *s, int fd, char *buf, size_t size)
{
	size_t n = 0;

	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
				       { .fd = s->stop[0], .events = POLLIN } };
		ssize_t got;

		if (poll(p, 2, -1) < 0 || p[1].revents != 0)
			return false;
		got = recv(fd, buf + n, size - 1 - n, 0);
		if (got <= 0)
			return false;
		n += (size_t)got;
		buf[n] = '\0';
		if (strstr(buf, "\r\n\r\n") != NULL || n == size - 1)
			return true;
	}
}

static bool give_answer(struct server *s, int fd, const struct answer *a)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
			       { .fd = s->stop[0], .events = POLLIN } };

	if (a->then == THEN_REPEAT) {
		if (strcmp(a->path, "/large") == 0 &&
		    !send_all(fd, "HTTP/1.1 200 OK\r\n\r\n", strlen("HTTP/1.1 200 OK\r\n\r\n")))
			return false;
		if (strcmp(a->path, "/headers") == 0 && !send_all(fd, "HTTP/1.1 200 OK\r\n", 17))
			return false;
		for (int i = 0; i < a->repeats; i++)
			if (!send_all(fd, a->text, strlen(a->text)))
				return false;
		return false;
	}
	if (!send_all(fd, a->text, strlen(a->text)))
		return false;
	if (a->then == THEN_STALL) /* until the client has enough */
		while (poll(p, 2, -1) < 0 && errno == EINTR)
			;
	return a->then == THEN_NEXT;
}

static void serve(struct server *s, int fd)
{
	char buf[4096];
	bool on = true;

	while (on && read_request(s, fd, buf, sizeof(buf))) {
		char *path = strchr(buf, ' '), *end, *host = strstr(buf, "Host: ");

		assert_non_null(path);
		end = strchr(++path, ' ');
		assert_non_null(end);
		*end = '\0';
		if (host != NULL) {
			pthread_mutex_lock(&s->lock);
			str_copy_sv(s->host, sizeof(s->host),
				    sv_n(host + 6, strcspn(host + 6, "\r")));
			pthread_mutex_unlock(&s->lock);
		}
		on = false;
		for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
			if (strcmp(path, answers[i].path) == 0)
				on = give_answer(s, fd, &answers[i]);
	}
	close(fd);
}

struct connection {
	struct server *server;
	int fd;
};

static void *connection_main(void *arg)
{
	struct connection *x = arg;

	serve(x->server, x->fd);
	mem_free(x);
	return NULL;
}

static void *server_main(void *arg)
{
	struct server *s = arg;

	for (;;) {
		struct connection *x;
		struct pollfd p[2] = { { .fd = s->fd, .events = POLLIN },
				       { .fd = s->stop[0], .events = POLLIN } };
		int fd;

		if (poll(p, 2, -1) < 0 || p[1].revents != 0)
			return NULL;
		fd = accept(s->fd, NULL, NULL);
		if (fd < 0)
			continue;
		x = mem_alloc(sizeof(*x));
		*x = (struct connection){ s, fd };
		pthread_mutex_lock(&s->lock);
		assert_true(s->connections < 64);
		assert_int_equal(
			pthread_create(&s->worker[s->connections], NULL, connection_main, x), 0);
		s->connections++;
		pthread_mutex_unlock(&s->lock);
	}
}

static void server_start(struct server *s, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t size = sizeof(in);

	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	assert_int_equal(pipe(s->stop), 0);
	s->fd = socket(path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	if (path != NULL) {
		str_copy(s->path, sizeof(s->path), path);
		str_copy(un.sun_path, sizeof(un.sun_path), path);
		assert_int_equal(bind(s->fd, (struct sockaddr *)&un, sizeof(un)), 0);
	} else {
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert_int_equal(bind(s->fd, (struct sockaddr *)&in, sizeof(in)), 0);
		assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &size), 0);
		s->port = ntohs(in.sin_port);
	}
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void server_stop(struct server *s)
{
	assert_int_equal(write(s->stop[1], "x", 1), 1);
	pthread_join(s->thread, NULL);
	for (int i = 0; i < s->connections; i++)
		pthread_join(s->worker[i], NULL);
	close(s->fd);
	close(s->stop[0]);
	close(s->stop[1]);
	pthread_mutex_destroy(&s->lock);
}

static int connections(struct server *s)
{
	int n;

	pthread_mutex_lock(&s->lock);
	n = s->connections;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* --- A world ------------------------------------------------------------------------------------ */

static struct hosts *hosts;
static struct host *local;
static char *dir;
static struct server unix_server, tcp_server;
static struct http_client *client;
static struct http_reply reply;
static struct err e;

static int world_open(void **state)
{
	static struct host_context ctx;
	const struct host_spec spec = { .name = "local", .transport = HOST_LOCAL };
	char path[300];

	(void)state;
	dir = tmp_make();
	ctx = (struct host_context){ .home = dir, .login = "nobody", .run_dir = dir };
	hosts = hosts_new(&ctx);
	local = hosts_get(hosts, &spec);
	snprintf(path, sizeof(path), "%s/socket", dir);
	server_start(&unix_server, path);
	server_start(&tcp_server, NULL);
	return 0;
}

static int world_close(void **state)
{
	(void)state;
	server_stop(&unix_server);
	server_stop(&tcp_server);
	hosts_free(hosts);
	tmp_remove(dir);
	return 0;
}

static int client_open(void **state)
{
	(void)state;
	client = http_client_new(local);
	strbuf_init(&reply.body, 1 << 20);
	return 0;
}

static int client_close(void **state)
{
	(void)state;
	http_client_free(client);
	strbuf_clear(&reply.body);
	return 0;
}

static struct http_request request_of(const char *path)
{
	return (struct http_request){ .target = { .path = unix_server.path },
				      .url = path,
				      .deadline_ms = clock_mono_ms() + GENEROUS_MS };
}

static int get(const char *path)
{
	const struct http_request r = request_of(path);

	return http_do(client, &r, NULL, &reply, &e);
}

static void replies__are_whole__as_http_says(void **state)
{
	static const struct {
		const char *path;
		int status;
		const char *body;
		bool whole;
	} row[] = {
		{ "/ok", 200, "hello", true },
		{ "/chunked", 200, "abcde", true },
		{ "/missing", 404, "gone", true },
		{ "/interim", 204, "", true },
		{ "/until-close", 200, "all of it", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(get(row[i].path), 0);
		assert_int_equal(reply.status, row[i].status);
		assert_string_equal(strbuf_str(&reply.body), row[i].body);
		assert_int_equal(reply.whole, row[i].whole);
		assert_true(reply.took_us >= reply.first_byte_us && reply.first_byte_us > 0);
	}
}

static void a_connection__is_kept__for_the_next_request(void **state)
{
	int before = connections(&unix_server);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(get("/ok"), 0);
	assert_int_equal(connections(&unix_server), before + 1);
	/* One that the server closed meanwhile is replaced, and nobody notices. */
	assert_int_equal(get("/until-close"), 0);
	assert_int_equal(get("/ok"), 0);
	assert_int_equal(connections(&unix_server), before + 2);
}

static void ports__are_reached__by_the_url_alone(void **state)
{
	char url[200], host[64];
	struct http_request r = { .url = url, .deadline_ms = clock_mono_ms() + GENEROUS_MS };

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", tcp_server.port);
	snprintf(host, sizeof(host), "127.0.0.1:%d", tcp_server.port);
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_string_equal(strbuf_str(&reply.body), "hello");
	assert_string_equal(tcp_server.host, host);
	/* The target says where, the URL only what the server hears. */
	r.target = (struct host_target){ .host = "127.0.0.1", .port = tcp_server.port };
	r.url = "http://shop.example.com/ok";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_string_equal(tcp_server.host, "shop.example.com");
}

static void redirects__are_followed__where_wanted_and_at_the_same_place(void **state)
{
	struct http_request r = request_of("/moved");

	(void)state;
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_int_equal(reply.status, 302);
	assert_string_equal(reply.redirect, "http://localhost/ok");
	r.follow_redirects = true;
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(strbuf_str(&reply.body), "hello");
	assert_string_equal(reply.redirect, "");
	r.url = "/away";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_int_equal(reply.status, 302);
	assert_non_null(strstr(reply.redirect, "http://192.0.2.1/ok"));
	assert_null(strchr(reply.redirect, '\x1b'));
	r.url = "/file";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_int_equal(reply.status, 302);
	r.url = "/round";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
}

static void bad_servers__are_errors__in_our_words(void **state)
{
	static const struct {
		const char *path;
		enum err_code code;
		const char *words;
	} row[] = {
		{ "/nothing", ERR_LOST, "closed without an answer" },
		{ "/half", ERR_LOST, "closed before the reply's end" },
		{ "/half-chunk", ERR_LOST, "closed before the reply's end" },
		{ "/garbage", ERR_INPUT, "speaks no HTTP" },
		{ "/binary", ERR_INPUT, "speaks no HTTP" },
		{ "/headers", ERR_LIMIT, "endless headers" },
		{ "/large", ERR_LIMIT, "too large" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(get(row[i].path), -1);
		if (e.code != row[i].code || strstr(e.detail, row[i].words) == NULL)
			fail_msg("%s: %s | %s | %s | %s", row[i].path, err_code_name(e.code), e.msg,
				 e.detail, e.hint);
		/* The client is fit for the next one. */
		assert_int_equal(get("/ok"), 0);
	}
}

static void a_mute_server__is_left__at_the_deadline(void **state)
{
	struct http_request r = request_of("/stall");
	int64_t start = clock_mono_ms();

	(void)state;
	r.deadline_ms = start + 100;
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_true(clock_mono_ms() - start >= 100);
	r.url = "/stall-body";
	r.deadline_ms = clock_mono_ms() + 100;
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(reply.status, 200);
	assert_string_equal(strbuf_str(&reply.body), "half");
}

static void nobody_there__is_not_found(void **state)
{
	struct http_request r = request_of("/ok");

	(void)state;
	r.target.path = "/nowhere/socket";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	r.target.path = NULL;
	r.url = "ftp://127.0.0.1/ok";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	r.url = "http://";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
}

/* --- Streams ------------------------------------------------------------------------------------ */

struct seen {
	size_t bytes;
	int status;
	size_t enough;
	struct cancel *cancel;
};

static int on_bytes(void *arg, struct sv bytes)
{
	struct seen *s = arg;

	assert_int_equal(s->status, 200);
	s->bytes += bytes.n;
	if (s->cancel != NULL)
		cancel_fire(s->cancel);
	return s->enough != 0 && s->bytes >= s->enough ? -1 : 0;
}

static void on_began(void *arg, int status)
{
	struct seen *s = arg;

	assert_int_equal(s->bytes, 0);
	s->status = status;
}

static void streams__come_as_they_are__and_end_when_told_to(void **state)
{
	struct seen seen = { 0 };
	struct http_request r = request_of("/large");
	struct cancel cancel;

	(void)state;
	r.bytes = on_bytes;
	r.began = on_began;
	r.arg = &seen;
	r.deadline_ms = WAIT_FOREVER;
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_int_equal(seen.bytes, 64 * 50000);
	assert_false(reply.whole);
	assert_int_equal(reply.body.len, 0);
	seen = (struct seen){ .enough = 1000000 };
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	/* Cancelled while the server says nothing. */
	assert_int_equal(cancel_init(&cancel, &e), 0);
	seen = (struct seen){ .cancel = &cancel };
	r.url = "/stall-body";
	assert_int_equal(http_do(client, &r, &cancel, &reply, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(seen.bytes, 4);
	cancel_clear(&cancel);
	/* Of an error the body is for reading. */
	seen = (struct seen){ 0 };
	r.url = "/missing";
	assert_int_equal(http_do(client, &r, NULL, &reply, &e), 0);
	assert_int_equal(seen.status, 404);
	assert_int_equal(seen.bytes, 0);
	assert_string_equal(strbuf_str(&reply.body), "gone");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, client_open, client_close)
	const struct CMUnitTest tests[] = {
		CASE(replies__are_whole__as_http_says),
		CASE(a_connection__is_kept__for_the_next_request),
		CASE(ports__are_reached__by_the_url_alone),
		CASE(redirects__are_followed__where_wanted_and_at_the_same_place),
		CASE(bad_servers__are_errors__in_our_words),
		CASE(a_mute_server__is_left__at_the_deadline),
		CASE(nobody_there__is_not_found),
		CASE(streams__come_as_they_are__and_end_when_told_to),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
