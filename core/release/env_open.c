/* SPDX-License-Identifier: MIT */
#include "core/release/env_open.h"

#include "core/base/secret.h"
#include "core/db/db.h"
#include "core/release/plan_make.h"

int env_open(const struct env *env, unsigned flags, struct cancel *c, struct db **out,
	     struct err *e)
{
	struct db_options opt = {
		.lock_timeout_ms = env->lock_timeout_ms,
		.statement_timeout_ms = env->statement_timeout_ms,
		.connect_timeout_ms = env->connect_timeout_ms,
	};
	struct strbuf command;

	if (env->trouble) {
		*e = *env->trouble;
		return -1;
	}
	if (env->password_from && !env->dsn.password) {
		err_set(e, ERR_CONFIG, "cannot open %s: its password is not known here", env->name);
		err_detail(e, "it comes from %s, and is never kept with a run", env->password_from);
		return err_hint(e, "bascule check");
	}
	if (db_open(&env->dsn, flags, &opt, c, out, e) == 0)
		return 0;
	/* The driver knows a missing file; what makes it is known here, where it has a name. */
	if (e->code == ERR_NOT_FOUND && dsn_is_file(&env->dsn)) {
		strbuf_init(&command, sizeof(e->hint) - 1);
		command_create(&command, env);
		err_hint(e, "%s", strbuf_str(&command));
		strbuf_clear(&command);
	}
	/* Where it is shown and stored from here on, nobody looks again. */
	secret_redact_err(e);
	return -1;
}
