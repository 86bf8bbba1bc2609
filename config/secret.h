/* SPDX-License-Identifier: MIT */
/*
 * Passwords that are not had by reading: what a command prints, what somebody types.
 *
 * config_parse takes what the environment, a file or the configuration itself has. The rest is left for
 * config_resolve, so that no command runs and nothing is asked for an environment that is not used.
 */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "core/base/cancel.h"
#include "core/base/secret.h"
#include "core/release/env.h"

#define SECRET_COMMAND_MS 30000

/* Asks for the password of env, without showing it. -1 with e when there is nobody to ask. */
typedef int (*secret_ask_fn)(void *arg, const struct env *env, struct strbuf *answer,
			     struct err *e);

/* Fills in the password of env when it comes from cmd: or ask and is not there yet. Failing is no error
 * here: it becomes the trouble of the environment. p owns what is found. */
void config_resolve(struct project *p, struct env *env, secret_ask_fn ask, void *arg,
		    struct cancel *c);

/* Every secret of the project as the context wants it, in the arena of p, and known to secret_redact from
 * now on. */
const struct env_secrets *config_secrets(struct project *p);

#endif
