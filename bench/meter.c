/* SPDX-License-Identifier: MIT */
/*
 * One command and all it leaves behind, measured.
 *
 *   meter FILE PROG ARG…
 *       runs it with its output dropped and appends a line to FILE: seconds of wall clock, seconds of CPU
 *
 * A detached process (our runner, which leads a session of its own) is found all the same: we are the
 * subreaper, so whoever loses its parent becomes our child, and the clock stops when the last child has
 * ended. CPU is user and system time of everything that was waited for. Ends with 1 when PROG failed.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t start(char **argv)
{
	posix_spawn_file_actions_t to;
	pid_t child = -1;

	posix_spawn_file_actions_init(&to);
	posix_spawn_file_actions_addopen(&to, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&to, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&to, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&child, argv[0], &to, NULL, argv, environ) != 0)
		child = -1;
	posix_spawn_file_actions_destroy(&to);
	return child;
}

int main(int argc, char **argv)
{
	struct rusage all;
	int status, result = -1;
	pid_t child, ended;
	double begun;
	FILE *out;

	if (argc < 3 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return 2;
	begun = now();
	child = start(argv + 2);
	if (child < 0)
		return 2;
	while ((ended = wait(&status)) > 0)
		if (ended == child)
			result = status;
	begun = now() - begun;
	getrusage(RUSAGE_CHILDREN, &all);
	out = fopen(argv[1], "a");
	if (out == NULL)
		return 2;
	fprintf(out, "%.6f %.6f\n", begun, seconds(all.ru_utime) + seconds(all.ru_stime));
	if (fclose(out) != 0)
		return 2;
	return result == 0 ? 0 : 1;
}
