/* SPDX-License-Identifier: MIT */
/* What hosts ask, asked on the terminal before work starts. */
#ifndef CLI_QUESTIONS_H
#define CLI_QUESTIONS_H

#include "cli/cli.h"

/* Connects the hosts of spec (local ones and repetitions are fine), all at the same time, and asks on the
 * terminal what they ask, until none does. Without a terminal, or with a wrong answer too often, -1 with what
 * to do. One that cannot be reached is for the command to tell: -1 only when it is the only one. */
int cli_hosts_ready(struct cli *c, const struct host_spec *const *spec, size_t n,
		    struct err *e) MUST_CHECK;
/* For a command that has looked already and met ERR_ASKS: asks what these hosts ask now. *any says whether
 * something was answered, so that looking again makes sense. Nothing is asked without a terminal, and nothing
 * is connected here. */
int cli_hosts_answer(struct cli *c, const struct host_spec *const *spec, size_t n, bool *any,
		     struct err *e) MUST_CHECK;
/* Connects them, all at the same time; err has a place for each: ERR_OK, or why not. Nothing is asked. */
void cli_hosts_connect(struct cli *c, const struct host_spec *const *spec, size_t n,
		       struct err *err);
/* What to do about q where there is nobody to answer: as an ERR_ASKS. Returns -1. */
int cli_question_err(const struct host_question *q, struct err *e);
/* The hosts that env's services are on, and that its database is reached through: into list, which has room for
 * max; how many. */
size_t cli_hosts_of(const struct env *env, const struct host_spec **list, size_t max);
/* Asks about one unknown key: its last four characters, or compares it with fingerprint (NULL: none was given).
 * Any terminal is asked; ERR_GATE when it is not that one. */
int cli_ask_key(struct host *h, const struct host_question *q, const char *fingerprint,
		struct err *e) MUST_CHECK;

#endif
