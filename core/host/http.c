/* SPDX-License-Identifier: MIT */
/*
 * HTTP through a host, by libcurl.
 *
 * libcurl speaks HTTP and TLS here, and nothing else of what it can do. It neither resolves names nor connects: it is
 * told that every target is a unix socket, and when it wants one it gets a descriptor from host_dial, already
 * connected, as the host sees the target. A TLS certificate is checked for the host in the URL. Proxies, .netrc and
 * cookies are off, whatever the environment says.
 *
 * It never waits: curl_multi_socket_action is told which descriptor is ready, and wait_fds does the waiting, with
 * the request's deadline and cancel. (Resolving a name where the host is this machine, and TLS's reading of its
 * certificates, are the work of host_dial and of OpenSSL.) A connection that is not used up stays in the multi
 * handle for the next request to the same target; libcurl drops it when the other side closed it meanwhile.
 *
 * Redirects are followed here, one request each, so that every hop is dialled through the host and stays at the
 * host and port that was asked for: a health check must not be led elsewhere.
 *
 * libcurl 7.88, which is Debian 12's, connects a socket anyway that it was told is connected. It gets a fresh one
 * there, and an address to connect it to that listens for nothing else; as soon as that is done, and before a byte is
 * sent, the descriptor's number is given to the real connection (dup3). The callback before a request is the place
 * for it; with TLS, which sends earlier, the text callback, and such a connection is not kept.
 *
 * What a server may send is bounded: HEAD_MAX bytes of headers, max_bytes of the body, and the deadline for all of
 * it. No HTTP/2, no compression, no HTTP/0.9.
 */
#include "core/host/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "core/base/clock.h"
#include "core/base/library.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/host/host_ops.h"
#include "core/host/http_through.h"
#include "core/host/http_url.h"

#define HEAD_MAX ((size_t)128 << 10)
#define REDIRECTS_MAX 5
#define SOCKETS_MAX 8
#define KEPT_MAX 4 /* clients of one host that nobody uses */
#define STREAM_BUFFER 524288L
#define REPLY_BUFFER 65536L
#define MESSAGE_BYTES 256

/* clang-format off */
#define CURL_FUNCTIONS(X) \
	X(curl_version_info) X(curl_global_init) X(curl_easy_init) X(curl_easy_cleanup) X(curl_easy_reset) \
	X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_easy_strerror) \
	X(curl_multi_init) X(curl_multi_cleanup) X(curl_multi_setopt) X(curl_multi_add_handle) \
	X(curl_multi_remove_handle) X(curl_multi_socket_action) X(curl_multi_info_read) \
	X(curl_slist_append) X(curl_slist_free_all)

struct curl_table {
#define X(f) __typeof__(&f) f;
	CURL_FUNCTIONS(X)
#undef X
};

#define X(f) { #f, offsetof(struct curl_table, f) },
static const struct library_symbol symbols[] = { CURL_FUNCTIONS(X) };
#undef X
/* clang-format on */

static const char *const files[] = { "libcurl.so.4", "libcurl-gnutls.so.4", NULL };

static const struct library libcurl = {
	.name = "libcurl",
	.hint = "install the package libcurl4",
	.file = files,
	.symbol = symbols,
	.n_symbol = sizeof(symbols) / sizeof(symbols[0]),
};

/* curl_global_init of versions before 7.84 must not run twice at once. */
static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;

/* Versions that connect what is connected. */
#define CONNECTS_ANYWAY_FIRST 0x075800
#define CONNECTS_ANYWAY_LAST 0x075801

enum stop { STOP_NOT, STOP_CALLER, STOP_LIMIT, STOP_HEAD };

struct http_client {
	struct http_client *next; /* kept with the host; under its lock */
	struct host *host;
	struct curl_table curl;
	CURLM *multi; /* NULL before the first request */
	CURL *easy;
	char message[CURL_ERROR_SIZE];
	bool forbidden; /* dialling was, so commands stand in */
	struct http_through *through;
	bool connects_anyway;
	/* Then: the real connection, the descriptor it is going to have, and what that connects to; -1. */
	int real_fd, fresh_fd, listen_fd;

	struct pollfd socket[SOCKETS_MAX]; /* what libcurl waits for */
	size_t n_socket;
	int64_t timer_ms; /* when it wants to be called anyway; WAIT_FOREVER */

	/* Of the request that is being done. */
	const struct http_request *request;
	struct host_target target;
	struct http_reply *reply;
	struct cancel *cancel;
	struct err dialled; /* why there is no connection */
	enum stop stop;
	size_t head_bytes, body_bytes;
	int64_t start_us;
	bool began;
	bool sized; /* the reply says where it ends */
	/* Of a stream, what came in one turn: an Engine sends each line as a chunk, the caller works by the piece. */
	struct strbuf held;
};

struct http_client *http_client_new(struct host *h)
{
	struct http_client *c = mem_calloc(1, sizeof(*c));

	c->host = h;
	c->timer_ms = WAIT_FOREVER;
	c->real_fd = c->fresh_fd = c->listen_fd = -1;
	strbuf_init(&c->held, STREAM_BUFFER);
	return c;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void http_client_free(struct http_client *c)
{
	if (c == NULL)
		return;
	if (c->easy != NULL)
		c->curl.curl_easy_cleanup(c->easy);
	if (c->multi != NULL)
		c->curl.curl_multi_cleanup(c->multi);
	http_through_close(c->through);
	strbuf_clear(&c->held);
	mem_free(c);
}

struct http_client *http_client_take(struct host *h)
{
	struct http_client *c;

	pthread_mutex_lock(&h->lock);
	c = h->idle;
	if (c != NULL)
		h->idle = c->next;
	pthread_mutex_unlock(&h->lock);
	return c != NULL ? c : http_client_new(h);
}

void http_client_give(struct http_client *c)
{
	struct host *h;
	int kept = 0;

	if (c == NULL)
		return;
	h = c->host;
	pthread_mutex_lock(&h->lock);
	for (const struct http_client *k = h->idle; k != NULL; k = k->next)
		kept++;
	if (kept < KEPT_MAX) {
		c->next = h->idle;
		h->idle = c;
		c = NULL;
	}
	pthread_mutex_unlock(&h->lock);
	http_client_free(c);
}

void http_clients_end(struct host *h)
{
	while (h->idle != NULL) {
		struct http_client *c = h->idle;

		h->idle = c->next;
		http_client_free(c);
	}
}

/* --- What libcurl calls ------------------------------------------------------------------------- */

static size_t stopped(struct http_client *c, enum stop why)
{
	c->stop = why;
	return 0;
}

static void took_status(struct http_client *c)
{
	long status = 0;

	c->curl.curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	c->reply->status = (int)status;
}

/* "Transfer-Encoding: chunked", "Content-Length: 5". */
static bool header_is(struct sv line, const char *name)
{
	size_t n = strlen(name);

	return line.n > n && line.p[n] == ':' && strncasecmp(line.p, name, n) == 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_client *c = arg;
	struct sv line = sv_n(p, size * n);

	if (c->reply->first_byte_us == 0)
		c->reply->first_byte_us = clock_mono_us() - c->start_us;
	c->head_bytes += line.n;
	if (c->head_bytes > HEAD_MAX)
		return stopped(c, STOP_HEAD);
	if (sv_starts(line, SV("HTTP/")))
		c->sized = false; /* behind an interim reply comes another one */
	if (header_is(line, "transfer-encoding") || header_is(line, "content-length"))
		c->sized = true;
	if (sv_trim(line).n > 0)
		return line.n;
	took_status(c);
	if (c->reply->status >= 200 && !c->began) {
		c->began = true;
		if (c->request->began != NULL)
			c->request->began(c->request->arg, c->reply->status);
	}
	return line.n;
}

/* To the caller; false when it wants no more. */
static bool give_held(struct http_client *c)
{
	if (c->held.len > 0 && c->request->bytes(c->request->arg, strbuf_sv(&c->held)) != 0)
		c->stop = STOP_CALLER;
	strbuf_reset(&c->held);
	return c->stop == STOP_NOT;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_client *c = arg;
	struct sv bytes = sv_n(p, size * n);
	size_t max = c->request->max_bytes;

	c->body_bytes += bytes.n;
	if (max > 0 && c->body_bytes > max)
		return stopped(c, STOP_LIMIT);
	if (c->request->bytes != NULL && c->reply->status / 100 == 2) {
		if (c->held.len + bytes.n > STREAM_BUFFER && !give_held(c))
			return 0;
		strbuf_addsv(&c->held, bytes);
		return bytes.n;
	}
	strbuf_addsv(&c->reply->body, bytes);
	return strbuf_ok(&c->reply->body) ? bytes.n : stopped(c, STOP_LIMIT);
}

static int through_socket(struct http_client *c, int *fd)
{
	http_through_close(c->through);
	c->through = NULL;
	return http_through_open(c->host, c->request->through, c->request->deadline_ms, c->cancel,
				 &c->through, fd, &c->dialled);
}

static int connection(struct http_client *c, int *fd)
{
	if (c->forbidden && c->request->through != NULL)
		return through_socket(c, fd);
	if (host_dial(c->host, &c->target, c->request->deadline_ms, c->cancel, fd, &c->dialled) ==
	    0)
		return 0;
	if (c->dialled.code != ERR_UNSUPPORTED || c->request->through == NULL)
		return -1;
	c->forbidden = true;
	return through_socket(c, fd);
}

/* A fresh socket, and in address something that it can be connected to at once: a port that the kernel chose, where
 * nobody ever accepts. It is a port because libcurl keeps a connection only whose address has a text, which a socket
 * without a path has not. */
static int fresh_socket(struct http_client *c, struct curl_sockaddr *address, struct err *e)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);

	c->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->fresh_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->listen_fd < 0 || c->fresh_fd < 0 ||
	    bind(c->listen_fd, (struct sockaddr *)&name, sizeof(name)) != 0 ||
	    listen(c->listen_fd, 1) != 0 ||
	    getsockname(c->listen_fd, (struct sockaddr *)&name, &size) != 0 ||
	    size > sizeof(address->addr)) {
		err_sys(e, errno, "cannot make a socket");
		close_fd(&c->listen_fd);
		close_fd(&c->fresh_fd);
		return -1;
	}
	memcpy(&address->addr, &name, size);
	address->addrlen = size;
	address->family = AF_INET;
	return 0;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_client *c = arg;
	int fd;

	(void)purpose;
	if (connection(c, &fd) != 0)
		return CURL_SOCKET_BAD;
	if (c->connects_anyway) {
		if (fresh_socket(c, address, &c->dialled) != 0) {
			close(fd);
			return CURL_SOCKET_BAD;
		}
		c->real_fd = fd;
		fd = c->fresh_fd;
	}
	c->dialled.code = ERR_OK;
	return fd;
}

static int on_socket_made(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	const struct http_client *c = arg;

	(void)fd;
	(void)purpose;
	return c->connects_anyway ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ALREADY_CONNECTED;
}

static void exchange(struct http_client *c)
{
	if (c->real_fd < 0)
		return;
	(void)dup3(c->real_fd, c->fresh_fd, O_CLOEXEC); /* both are open: it cannot fail */
	close_fd(&c->real_fd);
	close_fd(&c->listen_fd);
	c->fresh_fd = -1; /* libcurl's */
}

/* Texts of libcurl; the first one behind its connect comes before TLS sends anything. */
static int on_text(CURL *easy, curl_infotype type, char *text, size_t n, void *arg)
{
	struct http_client *c = arg;
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);

	(void)easy;
	(void)text;
	(void)n;
	if (type == CURLINFO_TEXT && c->real_fd >= 0 &&
	    getpeername(c->fresh_fd, (struct sockaddr *)&peer, &size) == 0)
		exchange(c);
	return 0;
}

/* Without TLS: before the request is sent, and behind libcurl's noting of the address. */
static int on_request(void *arg, char *address, char *local, int port, int local_port)
{
	(void)address;
	(void)local;
	(void)port;
	(void)local_port;
	exchange(arg);
	return CURL_PREREQFUNC_OK;
}

static int on_wait_for(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *c = arg;
	size_t i = 0;

	(void)easy;
	(void)socket_arg;
	while (i < c->n_socket && c->socket[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < c->n_socket)
			c->socket[i] = c->socket[--c->n_socket];
		return 0;
	}
	if (i == c->n_socket) {
		if (c->n_socket == SOCKETS_MAX)
			return -1;
		c->n_socket++;
	}
	c->socket[i] = (struct pollfd){ .fd = fd };
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		c->socket[i].events |= POLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		c->socket[i].events |= POLLOUT;
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *c = arg;

	(void)multi;
	c->timer_ms = timeout_ms < 0 ? WAIT_FOREVER : clock_mono_ms() + timeout_ms;
	return 0;
}

/* --- One request -------------------------------------------------------------------------------- */

static int load(struct http_client *c, struct err *e)
{
	CURLcode rc = CURLE_OK;
	unsigned version;

	if (c->multi != NULL)
		return 0;
	pthread_mutex_lock(&init_lock);
	if (library_load(&libcurl, &c->curl, e) != 0) {
		pthread_mutex_unlock(&init_lock);
		return -1;
	}
	rc = c->curl.curl_global_init(CURL_GLOBAL_DEFAULT);
	pthread_mutex_unlock(&init_lock);
	if (rc != CURLE_OK)
		return err_set(e, ERR_UNSUPPORTED, "cannot start libcurl");
	version = c->curl.curl_version_info(CURLVERSION_NOW)->version_num;
	c->connects_anyway = version >= CONNECTS_ANYWAY_FIRST && version <= CONNECTS_ANYWAY_LAST;
	c->easy = c->curl.curl_easy_init();
	c->multi = c->curl.curl_multi_init();
	if (c->easy == NULL || c->multi == NULL)
		mem_oom();
	c->curl.curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_wait_for);
	c->curl.curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	c->curl.curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	c->curl.curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return 0;
}

/* libcurl takes connections for the same by this name; it looks like a path and opens nothing. */
static void label_of(const struct host_target *t, char *out, size_t size)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	const char *name = t->path != NULL ? t->path : t->host;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	snprintf(out, size, "/bascule-%016llx-%d", (unsigned long long)hash,
		 t->path != NULL ? 0 : t->port);
}

static void options(struct http_client *c, const char *url, struct curl_slist *headers)
{
	const struct http_request *r = c->request;
	const struct curl_table *t = &c->curl;
	char label[64];
	CURL *h = c->easy;

	t->curl_easy_reset(h);
	c->message[0] = '\0';
	label_of(&c->target, label, sizeof(label));
	t->curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->message);
	t->curl_easy_setopt(h, CURLOPT_URL, url);
	t->curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, label);
	t->curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_open);
	t->curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
	t->curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
	t->curl_easy_setopt(h, CURLOPT_SOCKOPTDATA, c);
	if (c->connects_anyway && strncasecmp(url, "https:", 6) == 0) {
		t->curl_easy_setopt(h, CURLOPT_DEBUGFUNCTION, on_text);
		t->curl_easy_setopt(h, CURLOPT_DEBUGDATA, c);
		t->curl_easy_setopt(h, CURLOPT_VERBOSE, 1L);
	} else if (c->connects_anyway) {
		t->curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, on_request);
		t->curl_easy_setopt(h, CURLOPT_PREREQDATA, c);
	}
	t->curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	t->curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
	t->curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	t->curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	t->curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	t->curl_easy_setopt(h, CURLOPT_PROXY, "");
	t->curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	t->curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	t->curl_easy_setopt(h, CURLOPT_USERAGENT, "bascule");
	t->curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	/* The connect timeout of libcurl would end a dial that asks a person; host_dial has its own. */
	t->curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, 86400000L);
	t->curl_easy_setopt(h, CURLOPT_BUFFERSIZE, r->bytes != NULL ? STREAM_BUFFER : REPLY_BUFFER);
	if (r->body.n > 0) {
		t->curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		t->curl_easy_setopt(h, CURLOPT_POSTFIELDS, r->body.p);
	}
	if (r->method != NULL && strcmp(r->method, "HEAD") == 0)
		t->curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
	else if (r->method != NULL && (strcmp(r->method, "GET") != 0 || r->body.n > 0))
		t->curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, r->method);
}

static int timed_out(const struct http_client *c, struct err *e)
{
	err_set(e, ERR_TIMEOUT, "no answer in time");
	if (c->reply->status == 0)
		return err_detail(e, "nothing came within %lld ms",
				  (long long)((clock_mono_us() - c->start_us) / 1000));
	return err_detail(e, "%zu bytes of the reply came within %lld ms", c->body_bytes,
			  (long long)((clock_mono_us() - c->start_us) / 1000));
}

/* Tells libcurl what happened to descriptor fd (or that its time has come). */
static void act(struct http_client *c, curl_socket_t fd, short revents)
{
	int running, what = 0;

	if (revents & (POLLIN | POLLHUP))
		what |= CURL_CSELECT_IN;
	if (revents & POLLOUT)
		what |= CURL_CSELECT_OUT;
	if (revents & (POLLERR | POLLNVAL))
		what |= CURL_CSELECT_ERR;
	/* What it says of running handles is read from its messages. */
	(void)c->curl.curl_multi_socket_action(c->multi, fd, what, &running);
}

/* Waits for one thing and lets libcurl go on. */
static int turn(struct http_client *c, struct err *e)
{
	struct pollfd fd[SOCKETS_MAX + THROUGH_FDS];
	size_t n = c->n_socket, all = n;
	int64_t deadline_ms = c->request->deadline_ms, until = deadline_ms;
	int ready;

	memcpy(fd, c->socket, n * sizeof(fd[0]));
	if (c->through != NULL)
		all += http_through_fds(c->through, fd + n);
	if (c->timer_ms < until)
		until = c->timer_ms;
	ready = wait_fds(fd, all, until, c->cancel, e);
	if (ready < 0)
		return -1;
	if (ready == 0 && clock_mono_ms() >= deadline_ms)
		return timed_out(c, e);
	if (c->through != NULL)
		http_through_move(c->through);
	if (c->timer_ms <= clock_mono_ms()) {
		c->timer_ms = WAIT_FOREVER;
		act(c, CURL_SOCKET_TIMEOUT, 0);
	}
	for (size_t i = 0; i < n; i++)
		if (fd[i].revents != 0)
			act(c, fd[i].fd, fd[i].revents);
	/* What libcurl wrote goes on at once. */
	if (c->through != NULL)
		http_through_move(c->through);
	return 0;
}

static bool is_done(struct http_client *c, CURLcode *rc)
{
	struct CURLMsg *m;
	int left;

	while ((m = c->curl.curl_multi_info_read(c->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		*rc = m->data.result;
		return true;
	}
	return false;
}

static const struct {
	CURLcode rc;
	enum err_code code;
	const char *words, *hint;
} failures[] = {
	{ CURLE_GOT_NOTHING, ERR_LOST, "the connection was closed without an answer",
	  "look into the log of what listens there" },
	{ CURLE_PARTIAL_FILE, ERR_LOST, "the connection was closed before the reply's end", "" },
	{ CURLE_RECV_ERROR, ERR_LOST, "the connection broke", "" },
	{ CURLE_SEND_ERROR, ERR_LOST, "the connection broke", "" },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_INPUT, "what answers there speaks no HTTP",
	  "compare port and path with what the service listens on" },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_INPUT, "what answers there speaks no HTTP",
	  "compare port and path with what the service listens on" },
	{ CURLE_HTTP2, ERR_INPUT, "what answers there speaks HTTP/2 only", "" },
	{ CURLE_BAD_CONTENT_ENCODING, ERR_INPUT, "the reply is encoded wrongly", "" },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_REFUSED, "its certificate is not good",
	  "use the name in it, install its authority here (update-ca-certificates), or renew it" },
	{ CURLE_SSL_CONNECT_ERROR, ERR_REFUSED, "TLS does not come about",
	  "is it http there, not https?" },
	{ CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "there are no certificates to compare with",
	  "install the package ca-certificates" },
	{ CURLE_URL_MALFORMAT, ERR_CONFIG, "that is no URL", "" },
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_CONFIG, "that is no URL", "" },
	{ CURLE_TOO_MANY_REDIRECTS, ERR_INPUT, "it redirects again and again", "" },
};

static int failed(const struct http_client *c, CURLcode rc, struct err *e)
{
	const char *words = c->message[0] != '\0' ? c->message : c->curl.curl_easy_strerror(rc);
	char shown[MESSAGE_BYTES];
	struct strbuf text;

	if (c->stop == STOP_CALLER)
		return err_set(e, ERR_CANCELLED, "the reply is not wanted any more");
	if (c->stop == STOP_HEAD) {
		err_set(e, ERR_LIMIT, "the reply has endless headers");
		return err_detail(e, "more than %zu KiB", HEAD_MAX >> 10);
	}
	if (c->stop == STOP_LIMIT) {
		err_set(e, ERR_LIMIT, "the reply is too large");
		return err_detail(e, "more than %zu bytes",
				  c->request->max_bytes > 0 ? c->request->max_bytes
							    : c->reply->body.max);
	}
	if (c->dialled.code != ERR_OK) {
		*e = c->dialled;
		return -1;
	}
	err_set(e, ERR_SYSTEM, "the request failed");
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (failures[i].rc != rc)
			continue;
		err_set(e, failures[i].code, "%s", failures[i].words);
		err_hint(e, "%s", failures[i].hint);
	}
	if (c->through != NULL && http_through_words(c->through)[0] != '\0')
		words = http_through_words(c->through);
	strbuf_init(&text, sizeof(shown));
	clean_text(&text, sv_trim(sv_of(words)), false);
	str_copy(shown, sizeof(shown), strbuf_str(&text));
	strbuf_clear(&text);
	return err_detail(e, "%s", shown);
}

/* From its start to its end or to the first thing that goes wrong. */
static int run(struct http_client *c, struct err *e)
{
	CURLcode rc = CURLE_OK;
	int result = 0;

	if (c->curl.curl_multi_add_handle(c->multi, c->easy) != CURLM_OK)
		return err_set(e, ERR_SYSTEM, "libcurl does not take the request");
	while (!is_done(c, &rc)) {
		result = turn(c, e);
		if (result == 0 && !give_held(c))
			result = failed(c, CURLE_WRITE_ERROR, e);
		if (result != 0)
			break;
	}
	took_status(c);
	/* Of what is not at its end the connection is closed here. */
	c->curl.curl_multi_remove_handle(c->multi, c->easy);
	c->n_socket = 0;
	c->timer_ms = WAIT_FOREVER;
	close_fd(&c->real_fd);
	close_fd(&c->listen_fd);
	c->fresh_fd = -1; /* libcurl has closed it */
	if (result == 0 && rc != CURLE_OK)
		result = failed(c, rc, e);
	return result;
}

/* --- Redirects ---------------------------------------------------------------------------------- */

static struct curl_slist *headers_of(struct http_client *c)
{
	struct curl_slist *list = c->curl.curl_slist_append(NULL, "Expect:");

	if (list != NULL && c->request->body.n > 0)
		list = c->curl.curl_slist_append(list, "Content-Type: application/json");
	if (list == NULL)
		mem_oom();
	return list;
}

/* Behind a reply: where it redirects to, as a whole URL; "". */
static void redirect_of(struct http_client *c, struct strbuf *url)
{
	char *to = NULL;

	strbuf_reset(url);
	c->curl.curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &to);
	if (c->reply->status / 100 == 3 && to != NULL)
		strbuf_adds(url, to);
}

static void reply_begin(struct http_client *c)
{
	c->reply->status = 0;
	c->reply->redirect[0] = '\0';
	c->reply->took_us = c->reply->first_byte_us = 0;
	c->reply->whole = false;
	strbuf_reset(&c->reply->body);
	err_clear(&c->dialled);
	c->stop = STOP_NOT;
	c->head_bytes = c->body_bytes = 0;
	c->began = c->sized = false;
}

/* Follows redirects as long as they are wanted and stay at the same place. url is changed. */
static int follow(struct http_client *c, struct strbuf *url, struct err *e)
{
	struct strbuf next;
	int rc = 0;

	strbuf_init(&next, url->max);
	for (int hops = 0;; hops++) {
		struct curl_slist *headers = headers_of(c);

		reply_begin(c);
		options(c, strbuf_str(url), headers);
		rc = run(c, e);
		c->curl.curl_slist_free_all(headers);
		if (rc != 0)
			break;
		redirect_of(c, &next);
		if (next.len == 0)
			break;
		if (!c->request->follow_redirects ||
		    !http_url_same(strbuf_str(url), strbuf_str(&next))) {
			struct strbuf shown;

			strbuf_init(&shown, sizeof(c->reply->redirect) * 4);
			clean_text(&shown, strbuf_sv(&next), false);
			str_copy(c->reply->redirect, sizeof(c->reply->redirect),
				 strbuf_str(&shown));
			strbuf_clear(&shown);
			break;
		}
		if (hops == REDIRECTS_MAX) {
			rc = err_set(e, ERR_INPUT, "it redirects again and again");
			err_detail(e, "%d redirects", hops);
			break;
		}
		strbuf_reset(url);
		strbuf_addsv(url, strbuf_sv(&next));
	}
	strbuf_clear(&next);
	return rc;
}

int http_do(struct http_client *c, const struct http_request *r, struct cancel *cancel,
	    struct http_reply *reply, struct err *e)
{
	struct http_url at;
	struct strbuf url;
	int rc;

	if (load(c, e) != 0)
		return -1;
	c->request = r;
	c->reply = reply;
	c->cancel = cancel;
	c->target = r->target;
	c->start_us = clock_mono_us();
	strbuf_init(&url, (size_t)64 << 10);
	/* The name of a socket is not part of a URL; engines take any host. */
	strbuf_addf(&url, "%s%s", r->target.path != NULL ? "http://localhost" : "", r->url);
	reply_begin(c);
	/* No other scheme than HTTP's gets by here, so libcurl never sees one. */
	rc = http_url_read(strbuf_str(&url), &at, e);
	if (rc == 0 && c->target.path == NULL && c->target.host == NULL) {
		c->target.host = at.host;
		c->target.port = at.port;
	}
	if (rc == 0)
		rc = follow(c, &url, e);
	if (rc != 0 && e->code != ERR_CANCELLED && e->code != ERR_ASKS)
		err_wrap(e, "cannot ask %s through %s",
			 r->target.path != NULL ? r->target.path : r->url, host_name(c->host));
	reply->took_us = clock_mono_us() - c->start_us;
	/* Nothing comes behind these whatever the headers say. */
	reply->whole = rc == 0 && (c->sized || reply->status == 204 || reply->status == 304 ||
				   (r->method != NULL && strcmp(r->method, "HEAD") == 0));
	strbuf_clear(&url);
	c->request = NULL;
	c->reply = NULL;
	c->cancel = NULL;
	return rc;
}
