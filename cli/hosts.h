/* SPDX-License-Identifier: MIT */
/* The pool of hosts of an invocation, and its folder for sockets. */
#ifndef CLI_HOSTS_H
#define CLI_HOSTS_H

#include "cli/cli.h"

/* Gives c->ctx its hosts. runner: what it makes must survive the end of the login session. */
int cli_hosts_start(struct cli *c, bool runner, struct err *e) MUST_CHECK;
/* Ends every session and removes the folder. Nothing was started: nothing happens. */
void cli_hosts_stop(struct cli *c);
/* The same for a command, when anything of its project is reached through a host or looked at on one, and it
 * has none yet. */
int cli_hosts_need(struct cli *c, struct err *e) MUST_CHECK;

#endif
