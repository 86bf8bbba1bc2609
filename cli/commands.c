/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <string.h>

#define READ(extra) (OPT_READING | (extra))
#define CHANGES (COMMAND_CONFIG | COMMAND_CHANGES)
#define ANY_WORDS ARGS_WORDS_MAX

/* In the order of help. */
const struct command commands[] = {
	{ "demo", "[DIR] [--plain]", "make a workspace with three SQLite environments and open it",
	  0, OPT_BIT(OPT_PLAIN), 0, 1, "dir", cmd_demo },
	{ "status", "[ENV…]", "environments side by side", COMMAND_CONFIG, READ(OPT_BIT(OPT_CHECK)),
	  0, ANY_WORDS, "env", cmd_status },
	{ "matrix", "[--differs]", "migrations × environments", COMMAND_CONFIG,
	  READ(OPT_BIT(OPT_CHECK) | OPT_BIT(OPT_DIFFERS)), 0, 0, "", cmd_matrix },
	{ "history", "ENV", "what was applied, when, by whom, how long; rollbacks and failures too",
	  COMMAND_CONFIG, READ(0), 1, 1, "env", cmd_history },
	{ "details", "ENV", "one environment's database: server, role, history, tables",
	  COMMAND_CONFIG, READ(0), 1, 1, "env", cmd_details },
	{ "plan", "migrate|rollback|baseline|accept|mark|restore|seed ENV …",
	  "the plan of a change and its gates; changes nothing", COMMAND_CONFIG,
	  READ(OPT_BIT(OPT_TO) | OPT_BIT(OPT_DOWN) | OPT_BIT(OPT_OVERRIDE) | OPT_BIT(OPT_REASON) |
	       OPT_BIT(OPT_STATEMENT) | OPT_BIT(OPT_SQL)),
	  2, ANY_WORDS, "plan", cmd_plan },
	{ "preflight", "ENV",
	  "what stands in a migration's way now: open transactions, waiting sessions",
	  COMMAND_CONFIG, READ(0), 1, 1, "env", cmd_preflight },
	{ "migrate", "ENV [--to ID]", "apply pending migrations", CHANGES,
	  OPT_CHANGING | OPT_BIT(OPT_TO), 1, 1, "env", cmd_migrate },
	{ "rollback", "ENV last N | ENV to-version V", "migrations down: the last N, or down to V",
	  CHANGES, OPT_CHANGING | OPT_BIT(OPT_DOWN), 3, 3, "rollback", cmd_rollback },
	{ "baseline", "ENV [--to ID]",
	  "record migrations as applied in a database that already has the schema; runs nothing",
	  CHANGES, OPT_CHANGING | OPT_BIT(OPT_TO), 1, 1, "env", cmd_baseline },
	{ "accept", "ENV ID --reason TEXT",
	  "record that a changed migration's file, as it is now, is what was meant", CHANGES,
	  OPT_CHANGING, 2, 2, "env", cmd_accept },
	{ "mark", "ENV ID done|not-done --statement N --reason TEXT",
	  "record of a migration that stopped inside whether a statement has run", CHANGES,
	  OPT_CHANGING | OPT_BIT(OPT_STATEMENT), 3, 3, "env", cmd_mark },
	{ "seed", "ENV [NAME…]", "run seeds, all of them or those named", CHANGES, OPT_CHANGING, 1,
	  ANY_WORDS, "env", cmd_seed },
	{ "seeds", "ENV", "scripts of the folder of seeds: never run, or when and by whom",
	  COMMAND_CONFIG, READ(0), 1, 1, "env", cmd_seeds },
	{ "create", "ENV", "make a missing SQLite database file, once, by name", CHANGES,
	  OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES) | OPT_BIT(OPT_CONFIRM) | OPT_BIT(OPT_JSON), 1, 1,
	  "env", cmd_create },
	{ "new", "NAME", "an up/down pair of files with the next number", CHANGES,
	  OPT_BIT(OPT_JSON), 1, 1, "", cmd_new },
	{ "runs", "[ENV]", "runs, also those whose console died", COMMAND_CONFIG, READ(0), 0, 1,
	  "env", cmd_runs },
	{ "watch", "RUN", "follow a run", COMMAND_CONFIG, OPT_WATCHING, 1, 1, "run", cmd_watch },
	{ "resume", "RUN", "go on with a run that was interrupted or is paused", CHANGES,
	  OPT_WATCHING | OPT_BIT(OPT_WAIT), 1, 1, "run", cmd_resume },
	{ "retry", "RUN", "try the failed step of a paused run again", CHANGES, OPT_WATCHING, 1, 1,
	  "run", cmd_retry },
	{ "skip", "RUN --reason TEXT", "leave the failed step of a paused run out", CHANGES,
	  OPT_WATCHING | OPT_BIT(OPT_REASON), 1, 1, "run", cmd_skip },
	{ "cancel", "RUN",
	  "cancel the statement that a run executes; its step then fails as any other", CHANGES,
	  OPT_WATCHING | OPT_BIT(OPT_REASON), 1, 1, "run", cmd_cancel },
	{ "abort", "RUN", "stop a run now; its open transaction is rolled back", CHANGES,
	  OPT_WATCHING | OPT_BIT(OPT_REASON), 1, 1, "run", cmd_abort },
	{ "takeover", "RUN", "take a run over from a runner that is silent or gone", CHANGES,
	  OPT_WATCHING | OPT_BIT(OPT_YES) | OPT_BIT(OPT_CONFIRM) | OPT_BIT(OPT_TERMINATE), 1, 1,
	  "run", cmd_takeover },
	{ "backups", "[ENV]", "backups, newest first", COMMAND_CONFIG, READ(0), 0, 1, "env",
	  cmd_backups },
	{ "restore", "ENV BACKUP", "replace a database by a backup; the ledger is kept", CHANGES,
	  OPT_CHANGING, 2, 2, "env", cmd_restore },
	{ "check", "", "resolved paths and everything that an operation would trip over",
	  COMMAND_CONFIG, READ(0), 0, 0, "", cmd_check },
	{ "trust", "HOST [--fingerprint SHA256:…]",
	  "show the host key of a machine that is not known yet, and have it recorded", CHANGES,
	  OPT_BIT(OPT_FINGERPRINT), 1, 1, "", cmd_trust },
	{ "logs", "ENV [SERVICE…] [-f] [--since TIME] [--tail N] [--grep PATTERN] [--level LEVEL]",
	  "logs of services, merged by time", COMMAND_CONFIG,
	  READ(OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_SINCE) | OPT_BIT(OPT_TAIL) | OPT_BIT(OPT_GREP) |
	       OPT_BIT(OPT_LEVEL)),
	  1, ANY_WORDS, "env", cmd_logs },
	{ "health", "ENV [SERVICE…] [--once]", "are services healthy: their container, then HTTP",
	  COMMAND_CONFIG, READ(OPT_BIT(OPT_ONCE)), 1, ANY_WORDS, "env", cmd_health },
	{ "keys", "", "keys of the console", 0, READ(0), 0, 0, "", cmd_keys },
	{ "themes", "", "themes of the console", 0, READ(0), 0, 0, "", cmd_themes },
	{ "completion", "bash|zsh|fish", "completion for a shell", 0, 0, 1, 2, "shell",
	  cmd_completion },
	{ "help", "[COMMAND]", "this list, or one command", 0, 0, 0, 1, "command", cmd_help },
	{ "version", "", "the version and what it was built with", 0, READ(0), 0, 0, "",
	  cmd_version },
};
const size_t commands_n = sizeof(commands) / sizeof(commands[0]);

static const char *const later[] = {
	"deploy", "promote",  "diff",    "drift", "review", "rehearse",
	"prove",  "timeline", "approve", "audit", "backup",
};

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < commands_n; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int command_unknown(const char *name, struct err *e)
{
	const char *names[sizeof(commands) / sizeof(commands[0])], *near;
	size_t i, n = 0;

	/* `run` is not in the table: main gives its words to runner_process. */
	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (strcmp(later[i], name) != 0)
			continue;
		err_set(e, ERR_USAGE, "cannot %s", name);
		err_detail(e, "the command `%s` is not in this version", name);
		return err_hint(e, "bascule help");
	}
	for (i = 0; i < commands_n; i++)
		names[n++] = commands[i].name;
	err_set(e, ERR_USAGE, "cannot understand the command %s", name);
	near = str_nearest(name, names, n);
	if (near != NULL)
		err_detail(e, "did you mean `%s`?", near);
	return err_hint(e, "bascule help%s%s", near != NULL ? " " : "", near != NULL ? near : "");
}
