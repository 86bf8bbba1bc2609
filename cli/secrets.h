/* SPDX-License-Identifier: MIT */
/* The secrets an invocation needs, had before its work starts. */
#ifndef CLI_SECRETS_H
#define CLI_SECRETS_H

#include "cli/cli.h"

/* Runs the commands and asks the questions of `password =` for the environments that cmd's words name and
 * those they require, for all of them where none is named (cmd NULL: the console), and gives the context
 * its secrets. What fails is told when the environment is opened. -1 only when somebody stopped it. */
int cli_secrets(struct cli *c, const struct command *cmd, struct err *e) MUST_CHECK;

#endif
