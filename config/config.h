/* SPDX-License-Identifier: MIT */
/*
 * bascule.ini to struct project.
 *
 * ini.c reads lines (its own reader in front of inih: Debian's cuts lines near 200 bytes),
 * schema.c holds the option table (every section and key this version acts on, with type, default, unit,
 * limits and help), config.c checks and fills. All mistakes of a file are collected, each with line, what
 * was found and what would be accepted.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "core/release/env.h"

#define CONFIG_FILE_MAX ((size_t)1 << 20)
#define CONFIG_LINE_MAX 8192
#define CONFIG_ERRORS_MAX 200

/* One mistake. text: "unknown key `databse` in [environment staging]"; hint: "did you mean `database`?" */
struct config_error {
	int line;
	const char *text;
	const char *hint;
};

struct config_errors {
	struct arena arena;
	struct config_error *list;
	size_t n, total; /* list holds at most CONFIG_ERRORS_MAX */
};

void config_errors_clear(struct config_errors *errs);

/* What ${NAME} in a value gives; NULL when unset. The command line passes getenv; tests a table. */
typedef const char *(*config_env_fn)(void *arg, const char *name);

/* Reads path. On mistakes -1 with e = "N mistakes in FILE" (first one in detail) and all of them in errs.
 * *out is to be freed with project_free. Ownership rule: a file found above the current folder must
 * belong to uid (found_above). */
int config_read(const char *path, bool found_above, config_env_fn env, void *arg,
		struct project **out, struct config_errors *errs, struct err *e) MUST_CHECK;
/* Same from text; dir is the folder relative paths start from. */
int config_parse(struct sv text, const char *path, const char *dir, config_env_fn env, void *arg,
		 struct project **out, struct config_errors *errs, struct err *e) MUST_CHECK;
void project_free(struct project *p);

/* Whether name can stand for a machine: "local", an alias, [USER@]HOST[:PORT], [USER@][IPV6][:PORT]. Else
 * *hint is what would be accepted. Such a name is never an option of ssh. */
bool config_host_ok(struct sv name, const char **hint);

/* Where the configuration is: explicit (-c), $BASCULE_CONFIG, ./bascule.ini or the nearest above cwd, else
 * $XDG_CONFIG_HOME/bascule/bascule.ini. Malloced path; *found_above as config_read wants it. */
int config_find(const char *explicit_path, config_env_fn env, void *arg, char **path,
		bool *found_above, struct err *e) MUST_CHECK;

#endif
