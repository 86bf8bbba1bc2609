/* SPDX-License-Identifier: MIT */
#include "core/release/run_secrets.h"

#include <string.h>

#include "core/base/child.h"
#include "core/base/json.h"
#include "core/base/secret.h"
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

/* The lines of hosts_answers_write, which may be none: that they are there says that a host is wanted. */
static void put_answers(json_t *j, const struct plan *plan, struct hosts *hosts)
{
	struct strbuf text;

	if (!hosts || (!plan->env.database_via && !plan->gate_env.database_via))
		return;
	strbuf_init(&text, CHILD_INPUT_MAX);
	strbuf_room(&text, CHILD_INPUT_MAX); /* it does not move, so that nothing is left behind */
	hosts_answers_write(hosts, &text);
	json_object_set_new(j, "answers", json_stringn(strbuf_str(&text), text.len));
	secret_clear_buf(&text);
}

void run_secrets_write(const struct plan *plan, struct hosts *hosts, struct strbuf *out)
{
	json_t *j = json_object(), *list = json_array();

	put_env(list, &plan->env);
	put_env(list, &plan->gate_env);
	put_answers(j, plan, hosts);
	if (json_array_size(list) > 0 || json_object_size(j) > 0) {
		json_object_set(j, "environments", list);
		json_write(out, j);
	}
	json_decref(list);
	json_decref(j);
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

/* KIND TAB SUBJECT TAB TEXT, of which the text is what was typed. */
static void know_answers(struct arena *a, struct sv lines)
{
	struct sv line, word;

	while (sv_cut(&lines, '\n', &line)) {
		sv_cut(&line, '\t', &word);
		sv_cut(&line, '\t', &word);
		if (line.n > 0)
			secret_know(arena_sv(a, line).p);
	}
}

int run_secrets_read(struct arena *a, struct sv text, const struct env_secrets **out,
		     struct sv *answers, struct err *e)
{
	struct env_secrets *all = arena_alloc(a, sizeof(*all));
	json_t *j = json_parse(text, "the secrets on stdin", e);
	int ret = j ? take_list(a, json_object_get(j, "environments"), all, e) : -1;
	const char *lines = ret ? NULL : json_str_opt(j, "answers", NULL);

	if (lines)
		lines = arena_strdup(a, lines);

	json_decref(j);
	if (ret) {
		/* The library quotes what it stumbled over. */
		err_set(e, ERR_INPUT, "cannot read the secrets on stdin");
		return err_hint(e, "bascule runs");
	}
	env_secrets_know(all);
	*answers = lines ? sv_of(lines) : (struct sv){ NULL, 0 };
	know_answers(a, *answers);
	*out = all;
	return 0;
}
