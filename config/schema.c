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
static const char *const vias[] = { "host", NULL };
static const char *const transports[] = { "libssh2", "openssh", NULL };
static const char *const runtimes[] = { "docker", "podman", "systemd", "process", NULL };

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
	{ "environment", "host", OPTION_HOSTS, NULL, 0, 0, "none", "deploy@app1, deploy@app2",
	  "The machines of the environment, separated by commas: each an alias of ssh's "
	  "configuration, [USER@]HOST[:PORT], or local. Nothing is installed there. A database of "
	  "SQLite is a file of this machine: its environment takes host = local only." },
	{ "environment", "database_via", OPTION_ENUM, vias, 0, 0, "none: directly", "host",
	  "host: the database is reached through the SSH connection to the first machine of host, "
	  "and its URL says where it is as that machine sees it, a socket there included. SSH "
	  "protects the way to that machine; sslmode of PostgreSQL counts from there on." },
	{ "environment", "transport", OPTION_ENUM, transports, 0, 0, "libssh2", "openssh",
	  "How the machines are reached: libssh2 within this program, or the program ssh, where a "
	  "key or a server wants what libssh2 cannot do." },
	{ "environment", "host_alive", OPTION_SPAN, NULL, SECOND, 10 * MINUTE, "5s", "5s",
	  "How often a machine is asked for a sign of life; it counts as gone after three without "
	  "an answer. Over libssh2 one that owes an answer for some seconds is shown as silent." },
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
	  "How long reaching a server or a machine may take, each of a list anew." },
	{ "environment", "lock_stale", OPTION_SPAN, NULL, SECOND, HOUR, "120s", "120s",
	  "After this silence the holder of the environment's lock may be taken over. It gives a "
	  "sign of life eight times as often." },
	{ "service", "hosts", OPTION_HOSTS, NULL, 0, 0, "the environment's host, else local",
	  "app1, app2",
	  "The machines it runs on, written as in host. none: it does not run in this "
	  "environment." },
	{ "service", "runtime", OPTION_ENUM, runtimes, 0, 0, "docker", "docker",
	  "What runs it: an engine of containers, systemd, or nothing but its process." },
	{ "service", "container", OPTION_TEXT, NULL, 0, 0, "the service's name", "shop-backend",
	  "docker, podman: name of its container." },
	{ "service", "engine_socket", OPTION_PATH, NULL, 0, 0, "the engine's usual one",
	  "/run/user/1000/docker.sock", "docker, podman: socket of the engine on the machine." },
	{ "service", "unit", OPTION_TEXT, NULL, 0, 0, "the service's name", "shop-web.service",
	  "systemd: its unit, as systemctl takes it." },
	{ "service", "pid_file", OPTION_PATH, NULL, 0, 0, "none: process wants one",
	  "/run/shop/web.pid",
	  "process: the file on the machine that has the number of its process." },
	{ "service", "log_file", OPTION_PATH, NULL, 0, 0, "none: process wants one",
	  "/var/log/shop/web.log", "process: the file on the machine that it writes its log to." },
	{ "service", "directory", OPTION_PATH, NULL, 0, 0, "none", "/srv/shop",
	  "process: the folder on the machine that the two files start from. On this machine alone "
	  "it may start from the folder of this file, and is that folder by default." },
	{ "service", "command", OPTION_TEXT, NULL, 0, 0, "not looked at", "./shop --port 8000",
	  "process: the command it was started with. A process of another program under the same "
	  "number is not taken for it. Split into words as migrate_command is." },
	{ "service", "health", OPTION_URL, NULL, 0, 0, "its state alone",
	  "http://127.0.0.1:8000/health/",
	  "URL that answers with a status from 200 to 299 when it is healthy, as the machine it runs "
	  "on reaches it." },
	{ "service", "health_delay", OPTION_SPAN, NULL, 0, HOUR, "10s", "10s",
	  "How long a check waits before its first try." },
	{ "service", "health_attempts", OPTION_COUNT, NULL, 1, 1000, "20", "20",
	  "How many tries a check has." },
	{ "service", "health_interval", OPTION_SPAN, NULL, 100, 10 * MINUTE, "5s", "5s",
	  "From one try to the next." },
	{ "service", "health_timeout", OPTION_SPAN, NULL, 100, 10 * MINUTE, "5s", "5s",
	  "How long one try may take." },
	{ "service", "health_successes", OPTION_COUNT, NULL, 1, 100, "3", "3",
	  "How many tries in a row must succeed, at most as many as health_attempts." },
	{ "service", "health_redirects", OPTION_BOOL, NULL, 0, 0, "no", "no",
	  "Whether a redirect is followed; it is no success otherwise." },
};
const size_t options_n = sizeof(options) / sizeof(options[0]);

/* What is promised for later, with what would be missing. A NULL key is the whole section; a key in
 * place of the section is one of whose values is for later. */
static const struct {
	const char *section, *key, *missing;
} later[] = {
	{ "migrate_in", "host", "the framework's own tool runs on this machine only" },
	{ "migrate_in", "release", "it starts no containers" },
	{ "environment", "approvals", "nobody would be asked to sign" },
	{ "environment", "allowed_signers", "nobody would be asked to sign" },
	{ "environment", "backup_max_age", "the age of backups would not be looked at" },
	{ "environment", "freeze", "no freeze would be kept" },
	{ "environment", "folders", "upload folders would not be in backups" },
	{ "environment", "backup_to", "backups stay on this machine" },
	{ "environment", "keep", "no backup is ever deleted" },
	{ "environment", "scratch", "nothing is rehearsed or proven" },
	{ "service", "image", "it starts no containers" },
	{ "service", "publish", "it starts no containers" },
	{ "service", "env_file", "it starts no containers" },
	{ "service", "volume", "it starts no containers" },
	{ "service", "watch", "it deploys nothing that could be watched" },
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
