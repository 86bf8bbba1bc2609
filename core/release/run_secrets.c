/* SPDX-License-Identifier: MIT */
#include "core/release/run_secrets.h"

#include "core/base/json.h"
#include "core/release/plan.h"

#define ENVIRONMENTS_MAX 2 /* a plan's own and its gate's */

static void put_env(json_t *list, const struct env *env)
{
	json_t *j, *vars;

	if (!env->name || !env->dsn.shown || (!env->dsn.password && env->n_var == 0))
		return;
	j = json_object();
	vars = json_array();
	json_put_str(j, "environment", env->name);
	json_put_str(j, "shown", env->dsn.shown);
	json_put_str(j, "password", env->dsn.password);
	for (size_t i = 0; i < env->n_var; i++) {
		json_t *var = json_object();

		json_put_str(var, "name", env->var[i].name);
		json_object_set_new(var, "value", json_string(env->var[i].value));
		json_array_append_new(vars, var);
	}
	json_object_set_new(j, "var", vars);
	json_array_append_new(list, j);
}

void run_secrets_write(const struct plan *plan, struct strbuf *out)
{
	json_t *list = json_array();

	put_env(list, &plan->env);
	put_env(list, &plan->gate_env);
	if (json_array_size(list) > 0)
		json_write(out, list);
	json_decref(list);
}

static int take_var(struct arena *a, const json_t *j, struct env_var *var, struct err *e)
{
	if (json_str(j, "name", &var->name, e) || json_str(j, "value", &var->value, e))
		return -1;
	var->name = arena_strdup(a, var->name);
	var->value = arena_strdup(a, var->value);
	return 0;
}

static int take_env(struct arena *a, const json_t *j, struct env_secret *s, struct err *e)
{
	const json_t *vars = json_object_get(j, "var");
	const char *password = json_str_opt(j, "password", NULL);
	size_t n = json_array_size(vars);
	struct env_var *list = arena_alloc(a, (n + 1) * sizeof(*list));

	if (json_str(j, "environment", &s->environment, e) || json_str(j, "shown", &s->shown, e))
		return -1;
	s->environment = arena_strdup(a, s->environment);
	s->shown = arena_strdup(a, s->shown);
	s->password = password ? arena_strdup(a, password) : NULL;
	for (size_t i = 0; i < n; i++)
		if (take_var(a, json_array_get(vars, i), &list[i], e))
			return -1;
	s->var = list;
	s->n_var = n;
	return 0;
}

static int take_list(struct arena *a, const json_t *j, struct env_secrets *all, struct err *e)
{
	if (!json_is_array(j) || json_array_size(j) > ENVIRONMENTS_MAX)
		return err_set(e, ERR_INPUT, "they are no list of environments");
	all->list = arena_alloc(a, ENVIRONMENTS_MAX * sizeof(*all->list));
	for (; all->n < json_array_size(j); all->n++)
		if (take_env(a, json_array_get(j, all->n), &all->list[all->n], e))
			return -1;
	return 0;
}

int run_secrets_read(struct arena *a, struct sv text, const struct env_secrets **out, struct err *e)
{
	struct env_secrets *all = arena_alloc(a, sizeof(*all));
	json_t *j = json_parse(text, "the secrets on stdin", e);
	int ret = j ? take_list(a, j, all, e) : -1;

	json_decref(j);
	if (ret) {
		/* The library quotes what it stumbled over. */
		err_set(e, ERR_INPUT, "cannot read the secrets on stdin");
		return err_hint(e, "bascule runs");
	}
	env_secrets_know(all);
	*out = all;
	return 0;
}
