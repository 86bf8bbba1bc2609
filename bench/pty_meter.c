/* SPDX-License-Identifier: MIT */
/*
 * Measures full-screen programs on a pseudo terminal of 120x36, as their user would see them.
 *
 *   pty_meter start RUNS -- DIR PROG ARG… [-- DIR PROG ARG…]…
 *       interleaved starts, A B C A B C …: milliseconds from exec to the last byte before 250 ms of
 *       silence, that is, of the first complete frame; one line a program: median min max peak-kB
 *   pty_meter keys N EVERY -- DIR PROG ARG…
 *       opens the program, waits for its first frame, sends the keys "2", "+" and then N times j or k, and
 *       after every EVERY-th of them R (refresh), each when the answer to the one before has ended; prints
 *       microseconds from write to the last byte of the answer: median p99 max, and how many had none
 *   pty_meter hold SECONDS -- DIR PROG ARG…
 *       opens the program and holds it, reading and dropping what it writes; prints bytes written meanwhile
 *
 * An answer has ended after QUIET_MS without a byte. The reader is as fast as it can be: a real terminal
 * is slower, so these figures are the program's, not the terminal's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROWS 36
#define COLS 120
#define SETTLE_MS 250
#define QUIET_MS 12
#define PROGRAMS_MAX 8

struct program {
	char **argv; /* DIR PROG ARG… NULL */
	double *ms;
	long peak_kb;
};

struct pty {
	int fd;
	pid_t pid;
	int64_t started_us, last_us;
	size_t bytes;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "pty_meter: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct pty pty_start(char **argv)
{
	struct winsize size = { .ws_row = ROWS, .ws_col = COLS };
	struct pty p = { .fd = -1 };

	p.started_us = now_us();
	p.pid = forkpty(&p.fd, NULL, NULL, &size);
	if (p.pid < 0)
		die("forkpty");
	if (p.pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		unsetenv("LINES");
		unsetenv("COLUMNS");
		if (chdir(argv[0]) != 0)
			_exit(126);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	return p;
}

/* Reads until quiet_ms pass without a byte, at most limit_ms. Returns the bytes read. */
static size_t pty_read(struct pty *p, int quiet_ms, int limit_ms)
{
	int64_t end = now_us() + (int64_t)limit_ms * 1000;
	char buf[65536];
	size_t total = 0;

	for (;;) {
		struct pollfd f = { .fd = p->fd, .events = POLLIN };
		int64_t left = (end - now_us()) / 1000;
		ssize_t n;

		if (left <= 0 || poll(&f, 1, left < quiet_ms ? (int)left : quiet_ms) <= 0)
			return total;
		n = read(p->fd, buf, sizeof(buf));
		if (n <= 0)
			return total;
		p->last_us = now_us();
		p->bytes += (size_t)n;
		total += (size_t)n;
	}
}

static void pty_stop(struct pty *p, const char *keys, long *peak_kb)
{
	struct rusage use;
	int status;

	(void)!write(p->fd, keys, strlen(keys));
	pty_read(p, 50, 300);
	kill(p->pid, SIGTERM);
	pty_read(p, 20, 200);
	kill(p->pid, SIGKILL);
	wait4(p->pid, &status, 0, &use);
	if (peak_kb && use.ru_maxrss > *peak_kb)
		*peak_kb = use.ru_maxrss;
	close(p->fd);
}

/* VmHWM, as the kernel counts it now: ru_maxrss of a child starts at its parent's. */
static long peak_of(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmHWM: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure_start(struct program *prog, int n_prog, int runs)
{
	for (int i = 0; i < n_prog; i++)
		prog[i].ms = calloc((size_t)runs, sizeof(double));
	/* One start of each that does not count: it fills the page cache. */
	for (int run = -1; run < runs; run++) {
		for (int i = 0; i < n_prog; i++) {
			struct pty p = pty_start(prog[i].argv);

			if (pty_read(&p, SETTLE_MS, 8000) == 0) {
				fprintf(stderr, "pty_meter: %s wrote nothing\n", prog[i].argv[1]);
				return 1;
			}
			if (run >= 0) {
				long kb = peak_of(p.pid);

				prog[i].ms[run] = (double)(p.last_us - p.started_us) / 1000;
				if (kb > prog[i].peak_kb)
					prog[i].peak_kb = kb;
			}
			pty_stop(&p, "qQ", NULL);
		}
	}
	for (int i = 0; i < n_prog; i++) {
		qsort(prog[i].ms, (size_t)runs, sizeof(double), by_value);
		printf("%.2f %.2f %.2f %ld\n", prog[i].ms[runs / 2], prog[i].ms[0],
		       prog[i].ms[runs - 1], prog[i].peak_kb);
		free(prog[i].ms);
	}
	return 0;
}

static int measure_keys(struct program *prog, int n, int every)
{
	struct pty p = pty_start(prog->argv);
	double *us = calloc((size_t)n, sizeof(double));
	int answered = 0, silent = 0;

	pty_read(&p, SETTLE_MS, 20000);
	(void)!write(p.fd, "2", 1);
	pty_read(&p, SETTLE_MS, 8000);
	(void)!write(p.fd, "+", 1);
	pty_read(&p, SETTLE_MS, 8000);
	for (int i = 0; i < n; i++) {
		/* Down forty rows, up twenty: the list scrolls all the time. */
		const char *key = i % 60 < 40 ? "j" : "k";
		int64_t before;

		if (i % every == 0)
			(void)!write(p.fd, "R", 1);
		before = now_us();
		if (write(p.fd, key, 1) != 1)
			die("write");
		if (pty_read(&p, QUIET_MS, 2000) == 0)
			silent++;
		else
			us[answered++] = (double)(p.last_us - before);
	}
	pty_stop(&p, "qQ", NULL);
	if (answered == 0) {
		fprintf(stderr, "pty_meter: no key was answered\n");
		return 1;
	}
	qsort(us, (size_t)answered, sizeof(double), by_value);
	printf("%.0f %.0f %.0f %d\n", us[answered / 2], us[(size_t)answered * 99 / 100],
	       us[answered - 1], silent);
	free(us);
	return 0;
}

static int hold(struct program *prog, int seconds)
{
	struct pty p = pty_start(prog->argv);
	size_t before;

	pty_read(&p, SETTLE_MS, 8000);
	before = p.bytes;
	for (int64_t end = now_us() + (int64_t)seconds * 1000000; now_us() < end;)
		pty_read(&p, 1000, 1000);
	printf("%zu\n", p.bytes - before);
	pty_stop(&p, "qQ", NULL);
	return 0;
}

/* Takes the argument list apart at "--". */
static int programs(int argc, char **argv, int from, struct program *out)
{
	int n = 0;

	for (int i = from; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		if (n < PROGRAMS_MAX)
			out[n++].argv = argv + i + 1;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct program prog[PROGRAMS_MAX] = { { 0 } };
	bool keys = argc > 3 && strcmp(argv[1], "keys") == 0;
	int n = argc > 3 ? programs(argc, argv, keys ? 4 : 3, prog) : 0;

	signal(SIGPIPE, SIG_IGN);
	if (n > 0 && strcmp(argv[1], "start") == 0)
		return measure_start(prog, n, (int)strtol(argv[2], NULL, 10));
	if (n == 1 && keys)
		return measure_keys(prog, (int)strtol(argv[2], NULL, 10),
				    (int)strtol(argv[3], NULL, 10));
	if (n == 1 && strcmp(argv[1], "hold") == 0)
		return hold(prog, (int)strtol(argv[2], NULL, 10));
	fprintf(stderr, "usage: pty_meter start RUNS -- DIR PROG… | keys N EVERY -- DIR PROG… | "
			"hold SECONDS -- DIR PROG…\n");
	return 2;
}
