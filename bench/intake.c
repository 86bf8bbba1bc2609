/* SPDX-License-Identifier: MIT */
/*
 * Reads one log once, timed.
 *
 *   intake follow CONFIG SSH_CONFIG ENV LINES
 *       follows the one service of ENV into a store that can be searched, as the console does, until LINES lines are in
 *       it; then counts and hashes them there. Seconds, CPU seconds, MB of text, "good" or what is wrong.
 *   intake bare PORT KEY SOCKET PATH WINDOW_MIB
 *       GETs PATH of a socket behind sshd on 127.0.0.1:PORT by libssh2 alone, over a channel with that window, and
 *       drops it. Seconds, CPU seconds, MB.
 *   intake bare PORT KEY - COMMAND WINDOW_MIB
 *       the same with the output of a command there.
 *
 * Both wait until everything stands before the clock starts: a connection is made once, a log is read for hours.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/demo_log.h"
#include "config/config.h"
#include "core/base/clock.h"
#include "core/host/host_ssh.h"
#include "core/logs/follow.h"
#include "core/logs/query.h"

static int fail(const char *what, const struct err *e)
{
	fprintf(stderr, "intake: %s%s%s%s%s\n", what, e ? ": " : "", e ? e->msg : "", e ? ": " : "",
		e ? e->detail : "");
	return 1;
}

static double cpu_seconds(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* --- Following -------------------------------------------------------------------------------- */

static const char *variable(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

struct check {
	uint64_t hash, n;
	bool good;
};

/* See cli/demo_log.c for what a line has in it. */
static int check_line(void *arg, const struct log_line *line)
{
	struct check *c = arg;
	char text[512], *at, *end;

	if (line->kind != LOG_LINE)
		return 0;
	str_copy_sv(text, sizeof(text), line->text);
	at = strstr(text, "n=");
	end = at ? strstr(at, " hash=") : NULL;
	if (!end) {
		c->good = false;
		return 0;
	}
	for (char *p = at; p < end; p++)
		c->hash = (c->hash ^ (unsigned char)*p) * 1099511628211ULL;
	c->n++;
	c->good = c->good && strtoull(at + 2, NULL, 10) == c->n &&
		  strtoull(end + 6, NULL, 16) == c->hash;
	return 0;
}

static void verify(struct log_store *store, int64_t lines, int64_t text_bytes, double seconds,
		   double cpu)
{
	struct check c = { .hash = DEMO_HASH_START, .good = true };
	struct log_query *q = log_query_new(store, NULL, NULL);
	struct err e;

	if (log_query_each(q, check_line, &c, NULL, &e) != 0)
		c.good = false;
	log_query_free(q);
	printf("%.4f %.3f %.1f %s\n", seconds, cpu, (double)text_bytes / 1e6,
	       c.good && (int64_t)c.n == lines ? "good" : "BAD");
}

/* Connects, so that the clock does not count it. */
static int connect_host(struct host *h, struct err *e)
{
	static const char *const words[] = { "true", NULL };
	const struct host_command cmd = { .argv = words };

	return host_run(h, &cmd, NULL, NULL, NULL, clock_mono_ms() + 30000, NULL, e);
}

static int follow(const struct env *env, struct hosts *hosts, int64_t lines)
{
	struct log_store *store = log_store_new((size_t)1 << 30);
	struct log_merge *merge = log_merge_new(store, NULL, NULL);
	struct log_source about = { .environment = "bench", .service = "web", .host = "host" };
	struct follow_spec spec = { .host = hosts_get(hosts, env->service[0].host[0]),
				    .service = &env->service[0].runtime,
				    .store = store,
				    .merge = merge,
				    .tail = -1,
				    .follow = true };
	struct log_counts counts;
	struct follower *f;
	int64_t start, end_ms = clock_mono_ms() + 300000;
	double cpu;
	struct err e;

	if (connect_host(spec.host, &e) != 0)
		return fail("cannot connect", &e);
	spec.source = log_store_source(store, &about);
	cpu = cpu_seconds();
	start = clock_mono_us();
	if (follow_start(&spec, &f, &e) != 0)
		return fail("cannot follow", &e);
	do {
		if (wait_fds(NULL, 0, clock_mono_ms() + 1, NULL, &e) < 0)
			return fail("cannot wait", &e);
		log_store_counts(store, &counts);
	} while (counts.lines < lines && clock_mono_ms() < end_ms);
	start = clock_mono_us() - start;
	cpu = cpu_seconds() - cpu;
	follow_stop(f);
	verify(store, lines, counts.text_bytes, (double)start / 1e6, cpu);
	log_merge_free(merge);
	log_store_free(store);
	return 0;
}

static int follow_main(char **argv)
{
	char run_dir[] = "/tmp/bascule-bench-XXXXXX";
	struct host_context ctx = { .home = getenv("HOME"), .login = "root", .run_dir = run_dir };
	struct config_errors errs = { 0 };
	struct project *p = NULL;
	const struct env *env;
	struct hosts *hosts;
	struct err e;
	int rc;

	if (!mkdtemp(run_dir) || config_read(argv[0], false, variable, NULL, &p, &errs, &e) != 0)
		return fail("cannot read the configuration", &e);
	ctx.ssh_config = argv[1];
	env = env_find(p, argv[2]);
	if (!env || env->n_service != 1)
		return fail("no such environment, or not one service", NULL);
	hosts = hosts_new(&ctx);
	rc = follow(env, hosts, strtoll(argv[3], NULL, 10));
	hosts_free(hosts);
	project_free(p);
	rmdir(run_dir);
	return rc;
}

/* --- libssh2 alone ---------------------------------------------------------------------------- */

static int open_session(const struct ssh2 *lib, int port, const char *key, LIBSSH2_SESSION **out)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	LIBSSH2_SESSION *s;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return fail("cannot connect", NULL);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s = lib->session_init_ex(NULL, NULL, NULL, NULL);
	if (!s || lib->session_handshake(s, fd) != 0 ||
	    lib->userauth_publickey_fromfile_ex(s, "root", 4, NULL, key, NULL) != 0)
		return fail("cannot log in", NULL);
	*out = s;
	return 0;
}

static size_t put32(char *p, size_t n)
{
	p[0] = (char)(n >> 24);
	p[1] = (char)(n >> 16);
	p[2] = (char)(n >> 8);
	p[3] = (char)n;
	return 4;
}

static LIBSSH2_CHANNEL *get(const struct ssh2 *lib, LIBSSH2_SESSION *s, const char *socket,
			    const char *path, unsigned window)
{
	char message[256], request[1024];
	size_t n = strlen(socket);
	LIBSSH2_CHANNEL *ch;

	if (n > 200)
		return NULL;
	put32(message, n);
	memcpy(message + 4, socket, n);
	put32(message + 4 + n, 0);
	put32(message + 8 + n, 0);
	ch = lib->channel_open_ex(s, "direct-streamlocal@openssh.com", 30, window, 32768, message,
				  (unsigned)(12 + n));
	n = (size_t)snprintf(request, sizeof(request),
			     "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	if (ch && lib->channel_write_ex(ch, 0, request, n) != (ssize_t)n)
		return NULL;
	return ch;
}

static LIBSSH2_CHANNEL *run(const struct ssh2 *lib, LIBSSH2_SESSION *s, const char *command,
			    unsigned window)
{
	LIBSSH2_CHANNEL *ch = lib->channel_open_ex(s, "session", 7, window, 32768, NULL, 0);

	if (ch &&
	    lib->channel_process_startup(ch, "exec", 4, command, (unsigned)strlen(command)) != 0)
		return NULL;
	return ch;
}

static int bare_main(char **argv)
{
	static char buf[256 << 10];
	unsigned window = (unsigned)strtoul(argv[4], NULL, 10) << 20;
	size_t bytes = 0;
	LIBSSH2_SESSION *s = NULL;
	LIBSSH2_CHANNEL *ch;
	struct ssh2 lib;
	struct err e;
	int64_t start;
	double cpu;
	ssize_t got;

	if (ssh2_load(&lib, &e) != 0)
		return fail("no libssh2", &e);
	if (open_session(&lib, (int)strtol(argv[0], NULL, 10), argv[1], &s) != 0)
		return 1;
	cpu = cpu_seconds();
	start = clock_mono_us();
	ch = strcmp(argv[2], "-") == 0 ? run(&lib, s, argv[3], window)
				       : get(&lib, s, argv[2], argv[3], window);
	if (!ch)
		return fail("cannot open a channel", NULL);
	while ((got = lib.channel_read_ex(ch, 0, buf, sizeof(buf))) > 0)
		bytes += (size_t)got;
	start = clock_mono_us() - start;
	printf("%.4f %.3f %.1f\n", (double)start / 1e6, cpu_seconds() - cpu, (double)bytes / 1e6);
	return got < 0 || bytes == 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "follow") == 0)
		return follow_main(argv + 2);
	if (argc == 7 && strcmp(argv[1], "bare") == 0)
		return bare_main(argv + 2);
	fprintf(stderr, "usage: intake follow CONFIG SSH_CONFIG ENV LINES\n"
			"       intake bare PORT KEY SOCKET PATH WINDOW_MIB\n");
	return 2;
}
