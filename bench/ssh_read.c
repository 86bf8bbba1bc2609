/* SPDX-License-Identifier: MIT */
/*
 * How fast bytes of one command come out of an SSH connection.
 *
 *	ssh_read ours|bare CONFIG NAME PORT USER KEY MEGABYTES
 *
 * ours: through the host interface, as a follower reads them. bare: the same libssh2 in the smallest nonblocking loop
 * that can be written, one channel with the same window. Prints the seconds from the start of the command to
 * the end of its output, and the CPU seconds of this process meanwhile.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/host/host_ssh.h"

#define BLOCK ((size_t)256 << 10)

static struct err e;

static int fail(const char *what)
{
	fprintf(stderr, "ssh_read: %s: %s %s\n", what, e.msg, e.detail);
	return 1;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void say(int64_t start_us, double start_cpu)
{
	printf("%.6f %.6f\n", (double)(clock_mono_us() - start_us) / 1e6, cpu() - start_cpu);
}

static int ours(char **arg, const char *script, size_t want)
{
	const struct host_context ctx = { .home = "/", .login = arg[3], .ssh_config = arg[0] };
	const struct host_spec spec = { .name = arg[1],
					.transport = HOST_LIBSSH2,
					.connect_timeout_ms = 20000,
					.alive_ms = 10000 };
	const struct host_command cmd = { .script = script, .bulk = true },
				  nothing = { .script = ":" };
	struct hosts *pool = hosts_new(&ctx);
	struct host *h = hosts_get(pool, &spec);
	int64_t deadline_ms = clock_mono_ms() + 300000, start_us;
	char *block = mem_alloc(BLOCK);
	struct host_proc *p;
	struct host_result r;
	size_t total = 0, got;
	double start_cpu;

	if (host_run(h, &nothing, NULL, NULL, NULL, deadline_ms, NULL, &e) != 0)
		return fail("connect");
	start_us = clock_mono_us();
	start_cpu = cpu();
	if (host_start(h, &cmd, deadline_ms, NULL, &p, &e) != 0)
		return fail("start");
	while (host_proc_fd(p, HOST_OUT) >= 0) {
		struct pollfd fd = { .fd = host_proc_fd(p, HOST_OUT), .events = POLLIN };

		if (wait_fds(&fd, 1, deadline_ms, NULL, &e) <= 0 ||
		    host_proc_read(p, HOST_OUT, block, BLOCK, &got, &e) != 0)
			return fail("read");
		total += got;
	}
	say(start_us, start_cpu);
	if (host_proc_finish(p, deadline_ms, NULL, &r, &e) != 0 || total != want)
		return fail("finish");
	host_proc_close(p);
	hosts_free(pool);
	mem_free(block);
	return 0;
}

/* --- The floor --------------------------------------------------------------------------------- */

static int sock;
static LIBSSH2_SESSION *session;
static struct ssh2 lib;

static void again(void)
{
	struct pollfd fd = { .fd = sock, .events = POLLIN };

	poll(&fd, 1, 1000);
}

static int bare_connect(char **arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons((uint16_t)strtol(arg[2], NULL, 10)) };
	int rc;

	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (ssh2_load(&lib, &e) != 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)) != 0)
		return -1;
	session = lib.session_init_ex(NULL, NULL, NULL, NULL);
	lib.session_set_blocking(session, 0);
	while ((rc = lib.session_handshake(session, sock)) == LIBSSH2_ERROR_EAGAIN)
		again();
	while (rc == 0 && (rc = lib.userauth_publickey_fromfile_ex(
				   session, arg[3], (unsigned int)strlen(arg[3]), NULL, arg[4],
				   NULL)) == LIBSSH2_ERROR_EAGAIN) {
		again();
		rc = 0;
	}
	return rc;
}

static int bare(char **arg, const char *script, size_t want)
{
	char *block = mem_alloc(BLOCK);
	LIBSSH2_CHANNEL *ch;
	size_t total = 0;
	int64_t start_us;
	double start_cpu;
	ssize_t n;

	if (bare_connect(arg) != 0)
		return fail("connect");
	start_us = clock_mono_us();
	start_cpu = cpu();
	while ((ch = lib.channel_open_ex(session, "session", 7, SSH_WINDOW_BULK, 32768, NULL, 0)) ==
	       NULL)
		again();
	while (lib.channel_process_startup(ch, "exec", 4, script, (unsigned int)strlen(script)) ==
	       LIBSSH2_ERROR_EAGAIN)
		again();
	while ((n = lib.channel_read_ex(ch, 0, block, BLOCK)) != 0) {
		if (n == LIBSSH2_ERROR_EAGAIN)
			again();
		else if (n < 0)
			return fail("read");
		else
			total += (size_t)n;
	}
	say(start_us, start_cpu);
	mem_free(block);
	return total == want ? 0 : fail("length");
}

int main(int argc, char **argv)
{
	char script[100];
	size_t want;

	if (argc != 8)
		return 2;
	want = (size_t)strtoul(argv[7], NULL, 10) << 20;
	snprintf(script, sizeof(script), "head -c %zu /dev/zero", want);
	return strcmp(argv[1], "ours") == 0 ? ours(argv + 2, script, want)
					    : bare(argv + 2, script, want);
}
