/* SPDX-License-Identifier: MIT */
#include "cli/context.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXE_MAX 4096

const char *context_home(struct arena *a)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *home = getenv("HOME");

	if (pw != NULL && (home == NULL || home[0] != '/'))
		return arena_strdup(a, pw->pw_dir);
	return home;
}

/* The login name as the user database has it: the variable can be set to anything, so it only
 * serves where the database has no name (a container with a bare uid). */
static const char *find_who(struct arena *a)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *logname = getenv("LOGNAME");

	if (pw != NULL && pw->pw_name[0] != '\0')
		return arena_strdup(a, pw->pw_name);
	if (logname != NULL && logname[0] != '\0')
		return arena_strdup(a, logname);
	return arena_printf(a, "uid %ld", (long)getuid());
}

static const char *find_host(struct arena *a)
{
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		return "localhost";
	return arena_strdup(a, host);
}

static int find_exe(struct arena *a, const char **exe, struct err *e)
{
	char path[EXE_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return err_sys(e, errno, "cannot find this program's own file");
	*exe = arena_strndup(a, path, (size_t)n);
	return 0;
}

void context_set_state(struct context *ctx, struct arena *a, const char *state_dir,
		       const char *project)
{
	ctx->state_dir = arena_strdup(a, state_dir);
	ctx->runs_dir = arena_printf(a, "%s/runs", state_dir);
	ctx->backups_dir = project != NULL ? arena_printf(a, "%s/backups/%s", state_dir, project)
					   : NULL;
}

int context_fill(struct context *ctx, struct arena *a, struct err *e)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = context_home(a);

	ctx->who = find_who(a);
	ctx->host = find_host(a);
	if (find_exe(a, &ctx->exe, e) != 0)
		return -1;
	/* The specification: a relative path there is to be ignored. */
	if (base != NULL && base[0] == '/') {
		context_set_state(ctx, a, arena_printf(a, "%s/bascule", base), NULL);
		return 0;
	}
	if (home == NULL || home[0] != '/') {
		err_set(e, ERR_CONFIG, "cannot tell where the state folder is");
		err_detail(e, "neither XDG_STATE_HOME nor HOME is an absolute path");
		return err_hint(e, "export XDG_STATE_HOME=/path/to/a/folder");
	}
	context_set_state(ctx, a, arena_printf(a, "%s/.local/state/bascule", home), NULL);
	return 0;
}
