/* SPDX-License-Identifier: MIT */
/* A project and its environments, as plain data. Filled by config/, read by everybody. */
#ifndef RELEASE_ENV_H
#define RELEASE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "core/db/dsn.h"
#include "core/host/host.h"
#include "core/runtime/runtime.h"

enum env_confirm { CONFIRM_NONE, CONFIRM_YES, CONFIRM_NAME };
enum env_backup { BACKUP_NEVER, BACKUP_BEFORE_MIGRATE, BACKUP_ALWAYS };
enum env_failure { FAILURE_ROLLBACK, FAILURE_PAUSE };
enum env_undo { UNDO_NEVER, UNDO_ALWAYS };

/* One NAME=VALUE out of an environment's env_files. The value may be a secret. */
struct env_var {
	const char *name, *value;
};

/* How a service is asked whether it is healthy. */
struct health_spec {
	const char *url; /* as its host reaches it; NULL: the container's state alone */
	int64_t delay_ms, interval_ms, timeout_ms;
	int attempts, successes; /* in a row */
	bool redirects;          /* are followed; else a redirect is no success */
};

/* One service of one environment: [service NAME], with what [service NAME on ENVIRONMENT] changes. */
struct service {
	struct runtime_service runtime;
	const struct host_spec *const *host; /* where it runs, at least one */
	size_t n_host;
	struct health_spec health;
	int line; /* of its section in the configuration */
};

/* An environment has a database, or services, or both. */
struct env {
	const char *name;
	bool has_db;
	/* Its password, like the values of var, is borrowed from the project or from the context's secrets,
	 * which outlive every plan. */
	struct dsn dsn;
	/* Where the password comes from, as the configuration says it ("env:NAME"); NULL: nothing is said, and
	 * the client library finds one itself or none is wanted. */
	const char *password_from;
	/* Why it cannot be opened as it is configured (a secret that cannot be had, a missing dotenv file);
	 * env_open says so. NULL: nothing is wrong. */
	const struct err *trouble;
	const struct env_var *var; /* of env_files, for the tool of a framework; never frozen */
	size_t n_var;
	/* "auto", "bascule", or the tool whose table is read ("dbmate"); NULL is auto. */
	const char *history;
	const struct host_spec *const *host; /* of `host`, in its order; none: this machine */
	size_t n_host;
	/* The database is reached through the first of them (database_via = host); NULL: directly. */
	const struct host_spec *database_via;
	struct service *service; /* in the order of the configuration */
	size_t n_service;
	const char *requires; /* name of the gate environment, or NULL */
	bool is_protected;
	enum env_confirm confirm;
	enum env_backup backup;
	enum env_failure on_failure;
	enum env_undo undo_migrations;
	int64_t pause_limit_ms;       /* how long a paused run holds its lock */
	int64_t lock_timeout_ms;      /* for locks of the engine */
	int64_t statement_timeout_ms; /* of a migration's statements; 0: none */
	int64_t connect_timeout_ms;
	int64_t lock_stale_ms; /* a holder silent for longer may be taken over; it beats 8 times as often */
	int line;              /* of its section in the configuration */
};

struct project {
	struct arena arena;
	const char *name;
	const char *config_path; /* absolute */
	const char *config_dir;
	char config_digest[65];     /* SHA-256 of the file as read */
	const char *migrations;     /* absolute folder */
	const char *layout;         /* or NULL: recognise */
	const char *schema_version; /* pattern, or NULL */
	const char *seeds;          /* absolute folder, which need not exist */
	/* The framework's own tool: words for words_split() of core/base/words.h; NULL: none. It is run in
	 * config_dir with the environment's var added. */
	const char *migrate_command;
	bool state_files;
	struct env *env; /* in pipeline order */
	size_t n_env;
};

/* What is known of one environment and never written down. */
struct env_secret {
	const char *environment;
	const char *shown; /* of its dsn: a password is given to no other database */
	const char *password;
	const struct env_var *var;
	size_t n_var;
};

/* Filled before threads start, by whoever read the configuration, or by a runner from the pipe of its
 * start; borrowed by plans and their environments. */
struct env_secrets {
	struct env_secret *list;
	size_t n;
};

/* Who and where: filled once by main from the system; the rest of core asks nobody. */
struct context {
	const char *who;         /* login name */
	const char *host;        /* host name */
	const char *state_dir;   /* $XDG_STATE_HOME/bascule */
	const char *runs_dir;    /* state_dir/runs */
	const char *backups_dir; /* state_dir/backups/<project> */
	const char *exe;         /* this program, absolute: the runner is another process of it */
	const struct env_secrets *secrets; /* NULL: none are known */
	struct hosts *hosts;               /* how machines are reached; NULL: none but this one */
};

const struct env *env_find(const struct project *p, const char *name);
size_t env_index(const struct project *p, const struct env *env);
/* The stage before env in the pipeline, or NULL. */
const struct env *env_previous(const struct project *p, const struct env *env);
/* Points env, which was frozen without them, at the secrets of the same environment and database. */
void env_take_secrets(struct env *env, const struct env_secrets *s);
/* Makes them known to secret_redact: passwords, and variables whose name says that they are secret. */
void env_secrets_know(const struct env_secrets *s);
/* What holds a migration together there: "one transaction", or "no transaction: statement by statement".
 * no_transaction: the file says so itself. */
const char *env_runs_in(const struct env *env, bool no_transaction);
/* Whether this version can take copies of its database. */
bool env_can_back_up(const struct env *env);
const char *env_confirm_name(enum env_confirm v);
const char *env_backup_name(enum env_backup v);
const char *env_failure_name(enum env_failure v);
const char *env_undo_name(enum env_undo v);
const char *env_transport_name(enum host_transport v);
/* A copy of spec in a; NULL of NULL. */
const struct host_spec *env_copy_host(struct arena *a, const struct host_spec *spec);

#endif
