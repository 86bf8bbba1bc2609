/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"

#define FILE_NAME "bascule.ini"

/* bascule.ini here or in the nearest folder above; NULL when there is none. */
static char *find_upwards(bool *above, struct err *e)
{
	char *found = path_absolute(FILE_NAME, e);
	char *dir = found != NULL ? path_dir(found) : NULL;
	char *up;

	*above = false;
	mem_free(found);
	found = NULL;
	while (dir != NULL) {
		found = path_join(dir, FILE_NAME);
		if (fs_exists(found) || strcmp(dir, "/") == 0)
			break;
		mem_free(found);
		found = NULL;
		up = path_dir(dir);
		mem_free(dir);
		dir = up;
		*above = true;
	}
	mem_free(dir);
	if (found != NULL && !fs_exists(found)) {
		mem_free(found);
		found = NULL;
	}
	return found;
}

/* $XDG_CONFIG_HOME/bascule/bascule.ini, with the default the specification gives. */
static char *find_at_home(config_env_fn env, void *arg)
{
	const char *base = env(arg, "XDG_CONFIG_HOME"), *home = env(arg, "HOME");
	char *dir, *found;

	if (base != NULL && base[0] == '/')
		dir = path_join(base, "bascule");
	else if (home != NULL && home[0] == '/')
		dir = path_join(home, ".config/bascule");
	else
		return NULL;
	found = path_join(dir, FILE_NAME);
	mem_free(dir);
	if (fs_exists(found))
		return found;
	mem_free(found);
	return NULL;
}

int config_find(const char *explicit_path, config_env_fn env, void *arg, char **path,
		bool *found_above, struct err *e)
{
	const char *named = explicit_path != NULL ? explicit_path : env(arg, "BASCULE_CONFIG");
	char *found;

	if (named != NULL && named[0] != '\0') {
		found = path_absolute(named, e);
		if (found == NULL)
			return -1;
		*found_above = false;
		*path = found;
		return 0;
	}
	found = find_upwards(found_above, e);
	if (found == NULL) {
		*found_above = false;
		found = find_at_home(env, arg);
	}
	if (found == NULL) {
		err_set(e, ERR_CONFIG, "cannot find a configuration");
		err_detail(e, "there is no " FILE_NAME " in this folder nor above it, nor in "
			      "$XDG_CONFIG_HOME/bascule");
		return err_hint(e, "bascule demo");
	}
	*path = found;
	return 0;
}
