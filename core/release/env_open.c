/* SPDX-License-Identifier: MIT */
#include "core/release/env_open.h"

#include "core/db/db.h"
#include "core/release/plan_make.h"

int env_open(const struct env *env, unsigned flags, struct cancel *c, struct db **out,
	     struct err *e)
{
	struct db_options opt = { .lock_timeout_ms = env->lock_timeout_ms };
	struct strbuf command;

	if (db_open(&env->dsn, flags, &opt, c, out, e) == 0)
		return 0;
	/* The driver knows a missing file; what makes it is known here, where it has a name. */
	if (e->code == ERR_NOT_FOUND) {
		strbuf_init(&command, sizeof(e->hint) - 1);
		command_create(&command, env);
		err_hint(e, "%s", strbuf_str(&command));
		strbuf_clear(&command);
	}
	return -1;
}
