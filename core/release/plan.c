/* SPDX-License-Identifier: MIT */
/*
 * plan_build(): facts and a request in, a plan out. Pure: no clock, no file, no database.
 *
 * The order matters. The steps come first (plan_migrate.c, plan_rollback.c, plan_record.c), because
 * the gates are measured over them; the command line of the plan comes before the gates, because
 * the commands that open a gate may be built on it; the overrides come last, because only a gate
 * that is there can be overridden. A plan with nothing to do has no steps but still its gates:
 * `migrate` of an environment with a changed file refuses even when nothing is pending.
 */
#include "core/release/plan_make.h"

#include "core/base/clock.h"
#include "core/migrate/git_state.h"

#include <string.h>

static const char *const operation_names[OP_KINDS] = {
	[OP_MIGRATE] = "migrate", [OP_ROLLBACK] = "rollback", [OP_BASELINE] = "baseline",
	[OP_ACCEPT] = "accept",   [OP_MARK] = "mark",         [OP_RESTORE] = "restore",
	[OP_SEED] = "seed",
};

static const char *const step_kind_names[STEP_KINDS] = {
	[STEP_LOCK] = "lock",       [STEP_GATES] = "gates",           [STEP_BACKUP] = "backup",
	[STEP_UP] = "migrate",      [STEP_DOWN] = "roll back",        [STEP_RECORD] = "record",
	[STEP_RESTORE] = "restore", [STEP_STATE_FILE] = "state file", [STEP_RELEASE] = "release",
	[STEP_SEED] = "seed",
};

static int index_of(const char *const *names, int n, const char *name)
{
	for (int i = 0; name && i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

const char *operation_name(enum operation op)
{
	return (unsigned)op < OP_KINDS ? operation_names[op] : "";
}

int operation_of(const char *name)
{
	return index_of(operation_names, OP_KINDS, name);
}

const char *step_kind_name(enum step_kind kind)
{
	return (unsigned)kind < STEP_KINDS ? step_kind_names[kind] : "";
}

int step_kind_of(const char *name)
{
	return index_of(step_kind_names, STEP_KINDS, name);
}

/* --- Beginning and end of a plan ------------------------------------------------------------------ */

static void copy_env(struct plan *p, struct env *dst, const struct env *src)
{
	*dst = *src;
	dst->name = plan_str(p, src->name);
	dst->requires = plan_str(p, src->requires);
	dst->password_from = plan_str(p, src->password_from);
	dst->history = plan_str(p, src->history);
	dst->trouble = NULL;
	/* A plan outlives the project. It is about the database; what it is reached through goes with it. */
	dst->database_via = env_copy_host(&p->arena, src->database_via);
	dst->host = NULL;
	dst->service = NULL;
	dst->n_host = dst->n_service = 0;
	dsn_copy(&p->arena, &src->dsn, &dst->dsn);
	/* Borrowed, as dst->var is: what is secret is held once. */
	dst->dsn.password = src->dsn.password;
}

static struct plan *plan_new(const struct plan_make *m)
{
	struct plan *p = mem_calloc(1, sizeof(*p));
	const struct project *project = m->project;
	const struct plan_request *r = m->request;

	arena_init(&p->arena);
	p->op = r->op;
	p->project = plan_str(p, project->name ? project->name : "");
	p->environment = plan_str(p, m->env->name);
	p->is_protected = m->env->is_protected;
	p->confirm = m->env->confirm;
	p->target = p->from_head = p->to_head = p->command = "";
	copy_env(p, &p->env, m->env);
	if (m->gate_env)
		copy_env(p, &p->gate_env, m->gate_env);
	p->config_digest = plan_str(p, project->config_digest);
	p->base_dir = plan_str(p, project->config_dir ? project->config_dir : "");
	p->schema_version = plan_str(p, project->schema_version);
	p->source_dir = plan_str(p, project->migrations ? project->migrations : m->source->dir);
	p->seeds_dir = plan_str(p, project->seeds);
	p->migrate_command = plan_str(p, project->migrate_command);
	p->tool = plan_str(p, framework_tool(m->source));
	if (p->tool)
		p->env.history = p->gate_env.history = p->tool;
	p->state_files = project->state_files;
	p->down_from_file = r->op == OP_ROLLBACK && r->down_from_file;
	for (size_t i = 0; i < r->n_override; i++) {
		struct plan_override *o = arena_push(&p->arena, &p->override, &p->n_override,
						     sizeof(*o));

		o->gate = plan_str(p, r->override[i].gate);
		o->reason = plan_str(p, r->override[i].reason);
	}
	return p;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	arena_clear(&p->arena);
	mem_free(p);
}

static bool goes_down(const struct plan *p, const struct applied *a)
{
	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];

		if (s->kind == STEP_DOWN && str_same(s->id, a->id) && str_same(s->ns, a->ns))
			return true;
	}
	return false;
}

/* The newest migration by number, before and after. After a restore only the backup knows. */
static void set_heads(struct plan_make *m)
{
	struct plan *p = m->plan;
	const struct applied *from = NULL, *to = NULL;
	const char *key;

	for (size_t i = m->history->n; i-- > 0 && !to;) {
		const struct applied *a = &m->history->list[i];

		if (!a->applied)
			continue;
		from = from ? from : a;
		if (!goes_down(p, a))
			to = a;
	}
	p->from_head = from ? plan_str(p, from->id) : "";
	p->to_head = to ? plan_str(p, to->id) : "";
	key = to ? to->sort_key : "";
	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];
		bool up = s->kind == STEP_UP ||
			  (s->kind == STEP_RECORD && s->event == EVENT_BASELINED);

		if (up && strcmp(s->sort_key, key) > 0) {
			p->to_head = s->id;
			key = s->sort_key;
		}
	}
	if (p->op == OP_RESTORE)
		p->to_head = "";
}

static bool step_changes(const struct step *s)
{
	return s->kind == STEP_UP || s->kind == STEP_DOWN || s->kind == STEP_RECORD ||
	       s->kind == STEP_RESTORE || s->kind == STEP_SEED;
}

static void note_lock(struct plan_make *m)
{
	const struct lock_holder *h = m->facts->holder;
	char since[CLOCK_TEXT_SIZE];

	if (!h || !h->held)
		return;
	plan_note(m->plan, "the lock of %s is held by %s@%s since %s%s%s%s", m->env->name, h->who,
		  h->host, clock_short(h->since_utc_ms, since), h->run[0] ? ", run " : "", h->run,
		  h->stale ? "; it is silent for too long and can be taken over" : "");
}

/* Where it is a gate, the gate says it. */
static void note_git(struct plan_make *m)
{
	const struct git_state *git = m->facts->git;
	struct strbuf b;

	if (!git || !git->known || (git->n_uncommitted == 0 && git->n_unpushed == 0) ||
	    m->plan->is_protected || (m->plan->op != OP_MIGRATE && m->plan->op != OP_BASELINE))
		return;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	git_state_words(git, &b);
	plan_note(m->plan, "the migrations are at git %s", strbuf_str(&b));
	strbuf_clear(&b);
}

/* --- plan_build ----------------------------------------------------------------------------------- */

static int (*const makers[OP_KINDS])(struct plan_make *m, struct err *e) = {
	[OP_MIGRATE] = plan_make_migrate,   [OP_ROLLBACK] = plan_make_rollback,
	[OP_BASELINE] = plan_make_baseline, [OP_ACCEPT] = plan_make_accept,
	[OP_MARK] = plan_make_mark,         [OP_RESTORE] = plan_make_restore,
	[OP_SEED] = plan_make_seed,
};

/* Finds the environments and the history of the target. */
static int begin(struct plan_make *m, struct err *e)
{
	const struct project *p = m->project;
	size_t i;

	m->env = env_find(p, m->request->environment);
	if (!m->env) {
		const char **name = mem_calloc(p->n_env + 1, sizeof(*name));
		const char *wrong = m->request->environment ? m->request->environment : "";
		const char *near;

		for (i = 0; i < p->n_env; i++)
			name[i] = p->env[i].name;
		near = str_nearest(wrong, name, p->n_env);
		mem_free(name);
		err_set(e, ERR_USAGE, "no environment %s", wrong);
		if (near)
			err_hint(e, "did you mean %s", near);
		return -1;
	}
	if (!m->env->has_db) {
		err_set(e, ERR_USAGE, "%s has no database", m->env->name);
		return err_hint(e, "add `database =` to its section of %s", p->config_path);
	}
	m->gate_env = env_find(p, m->env->requires);
	m->source = source_for(m->facts->source, m->env->dsn.engine);
	if (!m->source) {
		err_set(e, ERR_NOT_FOUND, "no migrations for the engine of %s", m->env->name);
		err_detail(e, "%s has folders for engines, and none for %s", p->migrations,
			   m->env->dsn.engine);
		return err_hint(e, "bascule new NAME makes the first one there");
	}
	m->history = make_history(m, m->env);
	if (m->history)
		return 0;
	i = env_index(p, m->env);
	if (i < m->facts->n_env && m->facts->history_err && m->facts->history_err[i].code != ERR_OK)
		*e = m->facts->history_err[i];
	else
		err_set(e, ERR_INPUT, "the history of %s was not read", m->env->name);
	return -1;
}

static void set_command(struct plan_make *m)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	command_plan(&b, m);
	m->plan->command = plan_str(m->plan, strbuf_str(&b));
	strbuf_clear(&b);
}

int plan_build(const struct project *p, const struct plan_facts *f, const struct plan_request *r,
	       struct plan **out, struct err *e)
{
	struct plan_make m = { .project = p, .facts = f, .request = r };

	if (begin(&m, e) < 0)
		return -1;
	m.plan = plan_new(&m);
	if (makers[r->op](&m, e) < 0)
		goto fail;
	for (size_t i = 0; i < m.plan->n_step; i++)
		m.plan->n_change += step_changes(&m.plan->step[i]);
	set_heads(&m);
	set_command(&m);
	gates_build(&m);
	if (gates_override(m.plan, e) < 0)
		goto fail;
	note_lock(&m);
	note_git(&m);
	*out = m.plan;
	return 0;
fail:
	plan_free(m.plan);
	return -1;
}

/* --- Refusal -------------------------------------------------------------------------------------- */

const struct gate *plan_closed_gate(const struct plan *p)
{
	for (size_t i = 0; i < p->n_gate; i++) {
		if (!p->gate[i].open && !p->gate[i].overridden)
			return &p->gate[i];
	}
	return NULL;
}

int plan_refuse(const struct plan *p, struct err *e)
{
	const struct gate *g = plan_closed_gate(p);
	size_t others = 0;

	if (!g)
		return err_set(e, ERR_GATE, "cannot %s %s", operation_name(p->op), p->environment);
	for (size_t i = 0; i < p->n_gate; i++)
		others += &p->gate[i] != g && !p->gate[i].open && !p->gate[i].overridden;
	err_set(e, ERR_GATE, "cannot %s %s: gate %s is closed", operation_name(p->op),
		p->environment, g->name);
	if (others)
		err_detail(e, "%s (rule: %s); %zu more closed", g->measured, g->rule, others);
	else
		err_detail(e, "%s (rule: %s)", g->measured, g->rule);
	return err_hint(e, "%s", g->satisfy);
}
