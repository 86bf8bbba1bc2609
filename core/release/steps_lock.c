/* SPDX-License-Identifier: MIT */
/*
 * The steps that change nothing: the lock, the gates, the end of the lock.
 *
 * The lock is taken by the runner before the loop (runner.c), because the first lines of a new epoch
 * need it, and given back behind the `ended` line, so that nobody can get in between; their steps
 * only say so. The gates are measured on what the databases say now, under the lock.
 */
#include "core/release/executor.h"

#include "core/base/json.h"
#include "core/base/log.h"
#include "core/release/env_open.h"

static enum probe_result probe_todo(struct executor *x, const struct step *s, struct err *e)
{
	(void)x;
	(void)s;
	(void)e;
	return PROBE_TODO;
}

static int lock_act(struct executor *x, const struct step *s, struct err *e)
{
	(void)s;
	(void)e;
	executor_say(x, "epoch %lld", (long long)lock_epoch(x->lock));
	return 0;
}

const struct step_ops step_lock_ops = {
	.name = "lock",
	.probe = probe_todo,
	.act = lock_act,
};

static int release_act(struct executor *x, const struct step *s, struct err *e)
{
	(void)s;
	(void)e;
	executor_say(x, "with the end of the run");
	return 0;
}

const struct step_ops step_release_ops = {
	.name = "release",
	.probe = probe_todo,
	.act = release_act,
};

/* --- Gates ---------------------------------------------------------------------------------- */

/* The history of the gate environment. One that cannot be read closes the gate: *out stays NULL. */
static void read_gate_env(struct executor *x, struct history **out)
{
	const struct env *env = &x->plan->gate_env;
	struct db *db = NULL;
	struct err e;

	if (!env->name || !env->has_db)
		return;
	if (env_open(x->ctx, env, DB_READ_ONLY, &x->work, &db, &e) ||
	    history_read_from(db, env->history, false, out, &e)) {
		log_err(&e);
	} else if (tool_join(x, env, *out, &e)) {
		log_err(&e);
		history_free(*out);
		*out = NULL;
	}
	db_close(db);
}

static const char *override_reason(const struct plan *p, const struct gate *g)
{
	for (size_t i = 0; g->overridden && i < p->n_override; i++)
		if (!strcmp(p->override[i].gate, g->name))
			return p->override[i].reason;
	return NULL;
}

static void gate_note(struct executor *x, const struct step *s, const struct gate *g)
{
	const char *reason = override_reason(x->plan, g);
	json_t *j = json_object();

	json_put_str(j, "name", g->name);
	json_put_bool(j, "open", g->open);
	json_put_bool(j, "overridden", g->overridden);
	json_put_str(j, "measured", g->measured);
	if (reason)
		json_put_str(j, "reason", reason);
	record_note(x, "gate", s->n, j);
}

static int gates_act(struct executor *x, const struct step *s, struct err *e)
{
	const struct history *target;
	struct history *gate_env = NULL;
	struct strbuf passed; /* who looks at the run later must see what was passed, and why */
	size_t open = 0;
	int ret = -1;

	if (executor_history(x, &target, e))
		return -1;
	read_gate_env(x, &gate_env);
	x->plan->run = x->run->id;
	strbuf_init(&passed, STRBUF_NO_LIMIT);
	if (gates_measure(x->plan, target, gate_env, e))
		goto out;
	for (size_t i = 0; i < x->plan->n_gate; i++) {
		const struct gate *g = &x->plan->gate[i];

		gate_note(x, s, g);
		open += g->open;
		if (!g->open && g->overridden)
			strbuf_addf(&passed, "; %s is overridden: %s", g->name,
				    override_reason(x->plan, g));
	}
	executor_say(x, "%zu of %zu gates open%s", open, x->plan->n_gate, strbuf_str(&passed));
	ret = plan_closed_gate(x->plan) ? plan_refuse(x->plan, e) : 0;
out:
	strbuf_clear(&passed);
	history_free(gate_env);
	return ret;
}

const struct step_ops step_gates_ops = {
	.name = "gates",
	.probe = probe_todo,
	.act = gates_act,
};
