/* SPDX-License-Identifier: MIT */
/* Findings of `check`, shared by its files. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <jansson.h>

#include "cli/cli.h"

enum check_state { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct db;

struct check {
	struct cli *c;
	struct strbuf out;
	json_t *list;
	bool failed;
};

/* One finding. hint: "" when there is nothing to do. */
void check_add(struct check *k, enum check_state state, const char *name, const char *hint,
	       const char *fmt, ...) PRINTF_LIKE(5, 6);
/* check_server.c: what else is looked at where the database is a server's. */
void check_server(struct check *k, const struct env *env, struct db *db);
/* e's three parts as one finding. */
void check_err(struct check *k, enum check_state state, const char *name, const struct err *e);
/* check_hosts.c: machines and the services on them; -1 only when somebody stopped at a question. */
int check_hosts(struct check *k, struct err *e) MUST_CHECK;
/* What the machine around us does to terminals and to runs. */
void check_system(struct check *k);

#endif
