/* SPDX-License-Identifier: MIT */
/*
 * Looks at hosts, timed in one process.
 *
 *   hosts_meter looks CONFIG ROUNDS SSH_CONFIG ENV…
 *       looks at the services of each ENV in turn, ROUNDS times, over connections that stay open as the console's
 *       do; one line a round: the milliseconds of each ENV. The first round, which connects, is a line that begins
 *       with "connect".
 *   hosts_meter raw SOCKET PATH ROUNDS
 *       GETs PATH over one connection to a unix socket, ROUNDS times: milliseconds, one a line. What a call of the
 *       Engine's API costs without any of our code around it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/config.h"
#include "core/base/clock.h"
#include "core/release/service.h"

static const char *variable(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static int fail(const char *what)
{
	fprintf(stderr, "hosts_meter: %s\n", what);
	return 1;
}

/* One look at env; what was seen last is in *last. */
static double look_ms(const struct env *env, struct hosts *hosts, struct services **last)
{
	struct services *now = NULL;
	struct err e;
	int64_t start = clock_mono_us();

	if (services_read(env, hosts, *last, 60000, NULL, &now, &e) != 0) {
		fprintf(stderr, "hosts_meter: %s: %s\n", e.msg, e.detail);
		exit(1);
	}
	start = clock_mono_us() - start;
	for (size_t i = 0; i < now->n_unit; i++)
		if (now->unit[i].err.code != ERR_OK) {
			fprintf(stderr, "hosts_meter: %s: %s: %s\n",
				now->host[now->unit[i].host].name, now->unit[i].err.msg,
				now->unit[i].err.detail);
			exit(1);
		}
	services_free(*last);
	*last = now;
	return (double)start / 1000;
}

static int looks(int argc, char **argv)
{
	char run_dir[] = "/tmp/bascule-bench-XXXXXX";
	struct host_context ctx = { .home = getenv("HOME"), .login = "root", .run_dir = run_dir };
	struct services *last[16] = { NULL };
	struct config_errors errs = { 0 };
	struct project *p = NULL;
	struct hosts *hosts;
	struct err e;
	int rounds;

	if (argc < 4 || argc > 3 + 16)
		return fail("looks CONFIG ROUNDS SSH_CONFIG ENV...");
	if (!mkdtemp(run_dir) || config_read(argv[0], false, variable, NULL, &p, &errs, &e) != 0)
		return fail("cannot read the configuration");
	ctx.ssh_config = argv[2];
	hosts = hosts_new(&ctx);
	rounds = (int)strtol(argv[1], NULL, 10);
	for (int r = 0; r <= rounds; r++) {
		printf("%s", r == 0 ? "connect" : "look");
		for (int i = 3; i < argc; i++) {
			const struct env *env = env_find(p, argv[i]);

			if (!env)
				return fail("no such environment");
			printf(" %.3f", look_ms(env, hosts, &last[i - 3]));
		}
		printf("\n");
	}
	for (size_t i = 0; i < 16; i++)
		services_free(last[i]);
	hosts_free(hosts);
	project_free(p);
	rmdir(run_dir);
	return 0;
}

/* Reads one reply with a Content-Length or of chunks, as the Engine gives them. */
static bool reply(int fd)
{
	static char buf[1 << 20];
	size_t n = 0;
	ssize_t got;
	char *body;

	for (;;) {
		got = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
		buf[n] = '\0';
		body = strstr(buf, "\r\n\r\n");
		if (!body)
			continue;
		body += 4;
		if (strstr(buf, "Content-Length: ") && strstr(buf, "Content-Length: ") < body) {
			size_t want = strtoul(strstr(buf, "Content-Length: ") + 16, NULL, 10);

			if (n - (size_t)(body - buf) >= want)
				return true;
		} else if (n >= 5 && memcmp(buf + n - 5, "0\r\n\r\n", 5) == 0) {
			return true;
		}
	}
}

static int raw(int argc, char **argv)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char request[1024];
	long rounds;
	int fd, n;

	if (argc != 3 || strlen(argv[0]) >= sizeof(to.sun_path))
		return fail("raw SOCKET PATH ROUNDS");
	memcpy(to.sun_path, argv[0], strlen(argv[0]) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return fail("cannot connect");
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", argv[1]);
	rounds = strtol(argv[2], NULL, 10);
	for (long i = rounds; i >= 0; i--) {
		int64_t start = clock_mono_us();

		if (write(fd, request, (size_t)n) != n || !reply(fd))
			return fail("no whole reply");
		if (i < rounds) /* the first one opened the channel */
			printf("%.3f\n", (double)(clock_mono_us() - start) / 1000);
	}
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "looks") == 0)
		return looks(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "raw") == 0)
		return raw(argc - 2, argv + 2);
	return fail("looks or raw");
}
