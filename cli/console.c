/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "paths.h"
#include "tui/tui.h"

/* $XDG_CONFIG_HOME/bascule, with the default the specification gives; NULL when there is no home. */
static const char *config_home(struct arena *a)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (base != NULL && base[0] == '/')
		return arena_printf(a, "%s/bascule", base);
	if (home != NULL && home[0] == '/')
		return arena_printf(a, "%s/.config/bascule", home);
	return NULL;
}

/* The console's own log: what its libraries say must not reach the screen. Without a place for it
 * the console works all the same. */
static void open_log(struct cli *c)
{
	struct err ignored;
	char *path = path_join(c->ctx.state_dir, "console.log");

	if (fs_mkdirs(c->ctx.state_dir, 0700, &ignored) == 0 && log_open(path, &ignored) != 0)
		log_close();
	mem_free(path);
}

int cli_console(struct cli *c, struct err *e)
{
	const char *no_color = getenv("NO_COLOR"), *home = config_home(&c->arena);
	struct tui_options opt = {
		.theme = c->args.value[OPT_THEME],
		.ascii = args_has(&c->args, OPT_ASCII),
		.no_color = no_color != NULL && no_color[0] != '\0',
		.read_only = args_has(&c->args, OPT_READ_ONLY),
	};
	char *keys = NULL;
	int rc;

	setlocale(LC_CTYPE, "");
	if (home != NULL) {
		opt.theme_dirs[0] = arena_printf(&c->arena, "%s/themes", home);
		keys = path_join(home, "keys.ini");
		opt.keys_path = fs_exists(keys) ? keys : NULL;
	}
	opt.theme_dirs[home != NULL] = BASCULE_DATADIR "/themes";
	open_log(c);
	rc = tui_run(c->project, &c->ctx, &opt, e);
	log_close();
	mem_free(keys);
	return rc;
}
