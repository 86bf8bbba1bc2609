/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <string.h>

static const char *const layouts[] = { "up-down-folders", "suffix", "folders", "one-file", "flyway",
				       "goose",           "sqitch", "alembic", "django",   NULL };
static const char *const places[] = { "local", NULL };
static const char *const histories[] = {
	"auto",      "bascule",          "dbmate", "rails",  "golang-migrate", "goose",  "flyway",
	"liquibase", "alembic",          "django", "diesel", "sqlx",           "prisma", "knex",
	"sqitch",    "graphile-migrate", NULL
};
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
	{ "project", "migrate_command", OPTION_TEXT, NULL, 0, 0, "none", "python -m alembic",
	  "The framework's own tool, where the layout is alembic or django. Split into words at "
	  "blanks, with '…' or \"…\" around a word that has some; never given to a shell." },
	{ "project", "migrate_in", OPTION_ENUM, places, 0, 0, "local", "local",
	  "Where migrate_command runs: on this machine, in the folder of this file." },
	{ "project", "seeds", OPTION_PATH, NULL, 0, 0, "seeds", "sql/seeds",
	  "Folder of the seeds, from the folder of this file. It may be missing." },
	{ "project", "env_files", OPTION_FILES, NULL, 0, 0, "none", ".env",
	  "Dotenv files of every environment, read before those of the environment itself." },
	{ "project", "pipeline", OPTION_LIST, NULL, 0, 0, "the order of the sections",
	  "development -> staging -> production",
	  "The environments from first to last stage, each of them once." },
	{ "project", "schema_version", OPTION_TEXT, NULL, 0, 0, "the migration's id", "1.{n}.0",
	  "How a version label is made from a migration's number: digits and dots around {n}, or "
	  "{n:03} for a number of at least three digits. A \"-- version:\" header wins." },
	{ "project", "state_files", OPTION_BOOL, NULL, 0, 0, "no", "yes",
	  "Write applied/<environment>.json beside the migrations after each change." },
	{ "environment", "database", OPTION_URL, NULL, 0, 0, "from env_files",
	  "postgresql://app@db2/shop?sslmode=verify-full",
	  "Where the database is: sqlite:PATH, from the folder of this file; "
	  "postgresql://USER@HOST:PORT/DATABASE?OPTION=VALUE, with the options of libpq; "
	  "mariadb://USER@HOST:PORT/DATABASE, also written mysql://. Two environments cannot have "
	  "the same database." },
	{ "environment", "password", OPTION_SECRET, NULL, 0, 0, "what the client library finds",
	  "env:STAGING_DB_PASSWORD",
	  "Where the password of the database is: env:NAME, a variable; file:PATH, the first line "
	  "of a file; cmd:WORDS, the first line a command prints; ask, on the terminal. A literal, "
	  "and a password in the URL, only in a file that nobody else can read." },
	{ "environment", "env_files", OPTION_FILES, NULL, 0, 0, "none", ".env.staging",
	  "Dotenv files with the application's own settings, separated by commas; a later one wins. "
	  "${NAME} in this section finds their values, and without database they say where it is." },
	{ "environment", "history", OPTION_ENUM, histories, 0, 0, "auto", "dbmate",
	  "Whose record of applied migrations is read beside bascule's own: the one that is found, "
	  "none, or the table of a tool, which is never written to." },
	{ "environment", "requires", OPTION_TEXT, NULL, 0, 0, "", "staging",
	  "An earlier stage. Only what that stage has applied, with the same checksum, is applied "
	  "here." },
	{ "environment", "protected", OPTION_BOOL, NULL, 0, 0,
	  "yes for the last stage, no elsewhere", "yes",
	  "A protected environment is marked everywhere, is confirmed by typing its name and, where "
	  "backup can, is copied before a change." },
	{ "environment", "confirm", OPTION_ENUM, confirms, 0, 0, "name when protected, else none",
	  "name", "What a change asks for: nothing, a yes, or the environment's name." },
	{ "environment", "backup", OPTION_ENUM, backups, 0, 0,
	  "before-migrate when protected, else never; never on a server", "before-migrate",
	  "When a verified copy of the database is taken first: never; before migrations run, up or "
	  "down, and before a restore; or also before a baseline and an accept. This version takes "
	  "none of postgresql and mariadb." },
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
	{ "environment", "statement_timeout", OPTION_SPAN, NULL, 0, 24 * HOUR, "0", "15m",
	  "How long one statement of a migration may take on a server; 0: as long as it likes." },
	{ "environment", "connect_timeout", OPTION_SPAN, NULL, SECOND, 10 * MINUTE, "10s", "10s",
	  "How long reaching a server may take, each host of a list anew." },
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
	{ "migrate_in", "host", "it works on this machine only" },
	{ "migrate_in", "release", "it starts no containers" },
	{ "environment", "host", "it works on this machine only" },
	{ "environment", "database_via", "it works on this machine only" },
	{ "environment", "approvals", "nobody would be asked to sign" },
	{ "environment", "allowed_signers", "nobody would be asked to sign" },
	{ "environment", "backup_max_age", "the age of backups would not be looked at" },
	{ "environment", "freeze", "no freeze would be kept" },
	{ "environment", "folders", "upload folders would not be in backups" },
	{ "environment", "backup_to", "backups stay on this machine" },
	{ "environment", "keep", "no backup is ever deleted" },
	{ "environment", "scratch", "nothing is rehearsed or proven" },
	{ "environment", "transport", "it works on this machine only" },
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
