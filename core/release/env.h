/* SPDX-License-Identifier: MIT */
/* A project and its environments, as plain data. Filled by config/, read by everybody. */
#ifndef RELEASE_ENV_H
#define RELEASE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "core/db/dsn.h"

enum env_confirm { CONFIRM_NONE, CONFIRM_YES, CONFIRM_NAME };
enum env_backup { BACKUP_NEVER, BACKUP_BEFORE_MIGRATE, BACKUP_ALWAYS };
enum env_failure { FAILURE_ROLLBACK, FAILURE_PAUSE };
enum env_undo { UNDO_NEVER, UNDO_ALWAYS };

struct env {
	const char *name;
	bool has_db;
	struct dsn dsn;
	const char *requires; /* name of the gate environment, or NULL */
	bool is_protected;
	enum env_confirm confirm;
	enum env_backup backup;
	enum env_failure on_failure;
	enum env_undo undo_migrations;
	int64_t pause_limit_ms;  /* how long a paused run holds its lock */
	int64_t lock_timeout_ms; /* for locks of the engine */
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
	bool state_files;
	struct env *env; /* in pipeline order */
	size_t n_env;
};

/* Who and where: filled once by main from the system; the rest of core asks nobody. */
struct context {
	const char *who;         /* login name */
	const char *host;        /* host name */
	const char *state_dir;   /* $XDG_STATE_HOME/bascule */
	const char *runs_dir;    /* state_dir/runs */
	const char *backups_dir; /* state_dir/backups/<project> */
	const char *exe;         /* this program, absolute: the runner is another process of it */
};

const struct env *env_find(const struct project *p, const char *name);
size_t env_index(const struct project *p, const struct env *env);
/* The stage before env in the pipeline, or NULL. */
const struct env *env_previous(const struct project *p, const struct env *env);
const char *env_confirm_name(enum env_confirm v);
const char *env_backup_name(enum env_backup v);
const char *env_failure_name(enum env_failure v);
const char *env_undo_name(enum env_undo v);

#endif
