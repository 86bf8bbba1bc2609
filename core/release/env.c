/* SPDX-License-Identifier: MIT */
#include "core/release/env.h"

#include "core/db/db.h"

#include <string.h>

#include "core/base/secret.h"

const struct env *env_find(const struct project *p, const char *name)
{
	if (!name)
		return NULL;
	for (size_t i = 0; i < p->n_env; i++) {
		if (strcmp(p->env[i].name, name) == 0)
			return &p->env[i];
	}
	return NULL;
}

size_t env_index(const struct project *p, const struct env *env)
{
	return (size_t)(env - p->env);
}

const struct env *env_previous(const struct project *p, const struct env *env)
{
	size_t i = env_index(p, env);

	return i > 0 && i < p->n_env ? &p->env[i - 1] : NULL;
}

void env_take_secrets(struct env *env, const struct env_secrets *s)
{
	for (size_t i = 0; s && env->name && env->dsn.shown && i < s->n; i++) {
		const struct env_secret *one = &s->list[i];

		if (strcmp(one->environment, env->name) != 0 ||
		    strcmp(one->shown, env->dsn.shown) != 0)
			continue;
		env->dsn.password = one->password;
		env->var = one->var;
		env->n_var = one->n_var;
		return;
	}
}

static bool is_secret_name(const char *name)
{
	static const char *const parts[] = { "PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcasestr(name, parts[i]) != NULL)
			return true;
	return false;
}

void env_secrets_know(const struct env_secrets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct env_secret *one = &s->list[i];

		secret_know(one->password);
		for (size_t k = 0; k < one->n_var; k++)
			if (is_secret_name(one->var[k].name))
				secret_know(one->var[k].value);
	}
}

static const char *name_at(const char *const *names, size_t n, int i)
{
	return i >= 0 && (size_t)i < n ? names[i] : "";
}

static unsigned caps_of(const struct env *env)
{
	const struct db_ops *driver = env->has_db ? db_driver(env->dsn.engine) : NULL;

	return driver != NULL ? driver->caps : 0;
}

const char *env_runs_in(const struct env *env, bool no_transaction)
{
	return no_transaction || !(caps_of(env) & DB_TX_DDL)
		       ? "no transaction: statement by statement"
		       : "one transaction";
}

bool env_can_back_up(const struct env *env)
{
	return caps_of(env) & DB_ONLINE_COPY;
}

const char *env_confirm_name(enum env_confirm v)
{
	static const char *const names[] = { "none", "yes", "name" };

	return name_at(names, 3, (int)v);
}

const char *env_backup_name(enum env_backup v)
{
	static const char *const names[] = { "never", "before-migrate", "always" };

	return name_at(names, 3, (int)v);
}

const char *env_failure_name(enum env_failure v)
{
	static const char *const names[] = { "rollback", "pause" };

	return name_at(names, 2, (int)v);
}

const char *env_undo_name(enum env_undo v)
{
	static const char *const names[] = { "never", "always" };

	return name_at(names, 2, (int)v);
}

const char *env_transport_name(enum host_transport v)
{
	static const char *const names[] = { "local", "libssh2", "openssh" };

	return name_at(names, 3, (int)v);
}

const struct host_spec *env_copy_host(struct arena *a, const struct host_spec *spec)
{
	struct host_spec *copy;

	if (!spec)
		return NULL;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = *spec;
	copy->name = arena_strdup(a, spec->name);
	return copy;
}
