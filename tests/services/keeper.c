/* SPDX-License-Identifier: MIT */
/*
 * Runs a server of a test and keeps all its processes together: keeper PROGRAM [ARGUMENT...]
 *
 * sshd, dockerd and the like leave their working folder and let go of their children, and what a
 * remote command left in the background belongs to nobody. Here nothing gets away: an orphan of
 * this tree becomes a child of the keeper, so everything the server ever started is found below it
 * (`below` in session.sh). Signals to the keeper go to the server; when the server has ended, what
 * it left is killed, and the keeper ends with the server's status.
 */
#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parent of a process by /proc/PID/stat, whose name field may hold anything; 0: it is gone. */
static long parent_of(const char *pid)
{
	char path[64], line[1024], *end;
	long parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fgets(line, sizeof(line), f) && (end = strrchr(line, ')')) && strlen(end) > 4)
		parent = strtol(end + 4, NULL, 10);
	fclose(f);
	return parent;
}

static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    parent_of(entry->d_name) == getpid())
			kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
	if (proc)
		closedir(proc);
}

/* Reaps who has ended; whether the server is among them, with its status. */
static int reap(pid_t server, int *status)
{
	int said, found = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &said, WNOHANG)) > 0)
		if (pid == server) {
			*status = said;
			found = 1;
		}
	return found;
}

int main(int argc, char **argv)
{
	const int forwarded[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 };
	int number, status = 0;
	posix_spawnattr_t attr;
	sigset_t mine, none;
	pid_t server;

	if (argc < 2) {
		fprintf(stderr, "usage: keeper PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	sigemptyset(&none);
	sigemptyset(&mine);
	sigaddset(&mine, SIGCHLD);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(*forwarded); i++)
		sigaddset(&mine, forwarded[i]);
	sigprocmask(SIG_BLOCK, &mine, NULL);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
	    posix_spawnp(&server, argv[1], NULL, &attr, argv + 1, environ) != 0) {
		fprintf(stderr, "keeper: cannot start %s\n", argv[1]);
		return 127;
	}
	posix_spawnattr_destroy(&attr);
	do {
		if (sigwait(&mine, &number) == 0 && number != SIGCHLD)
			kill(server, number);
	} while (!reap(server, &status));
	/* Each death may bring us grandchildren; when wait() finds nobody, nobody is left. */
	do
		kill_children();
	while (wait(NULL) > 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
