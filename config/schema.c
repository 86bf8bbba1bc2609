/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <string.h>

static const char *const layouts[] = { "up-down-folders", "suffix", "folders", "one-file", NULL };
static const char *const confirms[] = { "none", "yes", "name", NULL };
static const char *const backups[] = { "never", "before-migrate", "always", NULL };
static const char *const failures[] = { "rollback", "pause", NULL };
static const char *const undos[] = { "never", "always", NULL };

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

const struct option options[] = {
	{ "project", "name", OPTION_TEXT, NULL, 0, 0, "the folder's name", "shop",
	  "Name of the project: letters, digits, dots, dashes and underscores. Backups and runs are "
	  "kept under it." },
	{ "project", "migrations", OPTION_PATH, NULL, 0, 0, "migrations", "sql/migrations",
	  "Folder of the migrations, from the folder of this file." },
	{ "project", "layout", OPTION_ENUM, layouts, 0, 0, "recognised", "up-down-folders",
	  "How the folder is laid out. Only needed where the content does not tell." },
	{ "project", "pipeline", OPTION_LIST, NULL, 0, 0, "the order of the sections",
	  "development -> staging -> production",
	  "The environments from first to last stage, each of them once." },
	{ "project", "schema_version", OPTION_TEXT, NULL, 0, 0, "the migration's id", "1.{n}.0",
	  "How a version label is made from a migration's number: digits and dots around {n}, or "
	  "{n:03} for a number of at least three digits. A \"-- version:\" header wins." },
	{ "project", "state_files", OPTION_BOOL, NULL, 0, 0, "no", "yes",
	  "Write applied/<environment>.json beside the migrations after each change." },
	{ "environment", "database", OPTION_URL, NULL, 0, 0, "", "sqlite:data/shop.sqlite",
	  "Where the database is: sqlite:PATH, from the folder of this file. Two environments "
	  "cannot have the same file." },
	{ "environment", "requires", OPTION_TEXT, NULL, 0, 0, "", "staging",
	  "An earlier stage. Only what that stage has applied, with the same checksum, is applied "
	  "here." },
	{ "environment", "protected", OPTION_BOOL, NULL, 0, 0,
	  "yes for the last stage, no elsewhere", "yes",
	  "A protected environment is marked everywhere, is confirmed by typing its name and is "
	  "copied before a change." },
	{ "environment", "confirm", OPTION_ENUM, confirms, 0, 0, "name when protected, else none",
	  "name", "What a change asks for: nothing, a yes, or the environment's name." },
	{ "environment", "backup", OPTION_ENUM, backups, 0, 0,
	  "before-migrate when protected, else never", "before-migrate",
	  "When a verified copy of the database is taken first: never; before migrations run, up or "
	  "down, and before a restore; or also before a baseline and an accept." },
	{ "environment", "on_failure", OPTION_ENUM, failures, 0, 0, "rollback", "pause",
	  "When a step fails: undo what the run did as far as undo_migrations allows, or pause and "
	  "ask." },
	{ "environment", "undo_migrations", OPTION_ENUM, undos, 0, 0, "never", "always",
	  "Whether a failed run also takes back the migrations it had applied before the failing "
	  "one." },
	{ "environment", "pause_limit", OPTION_SPAN, NULL, SECOND, 24 * HOUR, "30m", "30m",
	  "How long a paused run keeps its lock before it fails by itself." },
	{ "environment", "lock_timeout", OPTION_SPAN, NULL, 1, HOUR, "5s", "5s",
	  "How long a statement waits for a lock that another program has on the database." },
	{ "environment", "lock_stale", OPTION_SPAN, NULL, SECOND, HOUR, "120s", "120s",
	  "After this silence the holder of the environment's lock may be taken over. It gives a "
	  "sign of life eight times as often." },
};
const size_t options_n = sizeof(options) / sizeof(options[0]);

/* What is promised for later, with what would be missing. A NULL key is the whole section; a key in
 * place of the section is one of whose values is for later. */
static const struct {
	const char *section, *key, *missing;
} later[] = {
	{ "project", "migrate_command", "it applies native migrations only" },
	{ "project", "migrate_in", "it applies native migrations only" },
	{ "project", "env_files", "it reads no dotenv files: use ${NAME}" },
	{ "environment", "password", "it knows SQLite only, which has no passwords" },
	{ "environment", "host", "it works on this machine only" },
	{ "environment", "database_via", "it works on this machine only" },
	{ "environment", "history", "it reads no other tool's history" },
	{ "environment", "approvals", "nobody would be asked to sign" },
	{ "environment", "allowed_signers", "nobody would be asked to sign" },
	{ "environment", "backup_max_age", "the age of backups would not be looked at" },
	{ "environment", "freeze", "no freeze would be kept" },
	{ "environment", "folders", "upload folders would not be in backups" },
	{ "environment", "backup_to", "backups stay on this machine" },
	{ "environment", "keep", "no backup is ever deleted" },
	{ "environment", "scratch", "nothing is rehearsed or proven" },
	{ "environment", "transport", "it works on this machine only" },
	{ "environment", "statement_timeout", "statements would not be timed out" },
	{ "service", NULL, "it drives no services" },
	{ "task", NULL, "it runs no tasks" },
	{ "undo_migrations", "if-rehearsed", "nothing is rehearsed" },
	{ "notify", NULL, "nobody would be notified" },
};

const struct option *option_find(const char *section, const char *key)
{
	size_t i;

	for (i = 0; i < options_n; i++)
		if (strcmp(options[i].section, section) == 0 && strcmp(options[i].key, key) == 0)
			return &options[i];
	return NULL;
}

const char *option_later(const char *section, const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (strcmp(later[i].section, section) != 0)
			continue;
		if (later[i].key == NULL || (key != NULL && strcmp(later[i].key, key) == 0))
			return later[i].missing;
	}
	return NULL;
}
