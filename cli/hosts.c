/* SPDX-License-Identifier: MIT */
/*
 * What hosts must know of the world, from the system; and the folder for their sockets.
 *
 * The path of a socket has 107 bytes, of which names in the folder want up to 45, so the folder's own is kept
 * short. It is looked for in this order: $XDG_RUNTIME_DIR, which goes away with the login session and is
 * therefore nothing for a runner; the state folder; /tmp. The name is one that nobody can guess, the mode
 * 0700.
 *
 * A process that is killed leaves its folder behind. Each one has a flock(2) on its folder as long as it lives
 * (systemd's cleaner of /tmp respects that, too), so the next process takes away what is ours and has no lock.
 * Between making a folder and locking it somebody may sweep it: then another one is made.
 */
#include "cli/hosts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/context.h"
#include "core/base/fs.h"

#define PREFIX "bascule-s."
#define DIR_MAX 60 /* bytes of the folder's path */
#define MAKE_TRIES 10
#define REMOVE_DEPTH 4 /* folders in folders: a tunnel's, and what a transport makes in its own */

/* --- Removing ------------------------------------------------------------------------------------ */

/* Everything in the folder fd, which is closed. Only what this program makes is there: sockets, files, folders of
 * them. */
static void remove_inside(int fd, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *one;

	if (d == NULL) {
		close(fd);
		return;
	}
	while ((one = readdir(d)) != NULL) {
		int sub;

		if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), one->d_name, 0) == 0 || errno != EISDIR || depth == 0)
			continue;
		sub = openat(dirfd(d), one->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			remove_inside(sub, depth - 1);
		unlinkat(dirfd(d), one->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

static void remove_folder(int base, const char *name)
{
	int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		remove_inside(fd, REMOVE_DEPTH);
	unlinkat(base, name, AT_REMOVEDIR);
}

/* One that is ours and that nobody holds. */
static void sweep_one(int base, const char *name)
{
	int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
		remove_folder(base, name);
	close(fd);
}

static void sweep(const char *base)
{
	DIR *d = opendir(base);
	struct dirent *one;

	if (d == NULL)
		return;
	while ((one = readdir(d)) != NULL)
		if (strncmp(one->d_name, PREFIX, strlen(PREFIX)) == 0)
			sweep_one(dirfd(d), one->d_name);
	closedir(d);
}

/* --- Making -------------------------------------------------------------------------------------- */

/* Locks the new folder path; -1 when it was swept meanwhile. */
static int lock_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
		return fd;
	close(fd);
	return -1;
}

static bool make_in(struct cli *c, const char *base)
{
	char path[DIR_MAX + 1];

	if (base == NULL || base[0] != '/' ||
	    snprintf(path, sizeof(path), "%s/" PREFIX "XXXXXX", base) >= (int)sizeof(path))
		return false;
	sweep(base);
	for (int i = 0; i < MAKE_TRIES; i++) {
		snprintf(path, sizeof(path), "%s/" PREFIX "XXXXXX", base);
		if (mkdtemp(path) == NULL)
			return false;
		c->run_lock = lock_folder(path);
		if (c->run_lock < 0)
			continue;
		c->host_ctx.run_dir = arena_strdup(&c->arena, path);
		return true;
	}
	return false;
}

static int make_folder(struct cli *c, bool runner, struct err *e)
{
	if ((!runner && make_in(c, getenv("XDG_RUNTIME_DIR"))) || make_in(c, c->ctx.state_dir) ||
	    make_in(c, "/tmp"))
		return 0;
	err_set(e, ERR_SYSTEM, "cannot make a folder for sockets");
	err_detail(e,
		   "neither in $XDG_RUNTIME_DIR nor in %s nor in /tmp, with a path of at most "
		   "%d bytes",
		   c->ctx.state_dir, DIR_MAX);
	return err_hint(e, "export XDG_RUNTIME_DIR=/run/user/$(id -u)");
}

/* --- The pool ------------------------------------------------------------------------------------ */

static bool is_wanted(const struct project *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		if (p->env[i].n_service > 0 || p->env[i].n_host > 0)
			return true;
	return false;
}

int cli_hosts_start(struct cli *c, bool runner, struct err *e)
{
	const char *agent = getenv("SSH_AUTH_SOCK"), *config = getenv("BASCULE_SSH_CONFIG");

	if (make_folder(c, runner, e) != 0)
		return -1;
	c->host_ctx.home = context_home(&c->arena);
	c->host_ctx.login = c->ctx.who;
	c->host_ctx.agent_socket = agent != NULL && agent[0] != '\0' ? agent : NULL;
	c->host_ctx.ssh_config = config != NULL && config[0] != '\0' ? config : NULL;
	c->ctx.hosts = hosts_new(&c->host_ctx);
	return 0;
}

int cli_hosts_need(struct cli *c, struct err *e)
{
	return c->ctx.hosts == NULL && is_wanted(c->project) ? cli_hosts_start(c, false, e) : 0;
}

void cli_hosts_stop(struct cli *c)
{
	char *base;
	int fd;

	if (c->ctx.hosts == NULL)
		return;
	hosts_free(c->ctx.hosts);
	c->ctx.hosts = NULL;
	base = path_dir(c->host_ctx.run_dir);
	fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		remove_folder(fd, path_base(c->host_ctx.run_dir));
		close(fd);
	}
	close(c->run_lock);
	mem_free(base);
}
