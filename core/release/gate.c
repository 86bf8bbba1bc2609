/* SPDX-License-Identifier: MIT */
/*
 * Gates: rules that let a plan go on or not.
 *
 * One table names them, says which operations they guard and whether a reason can override them.
 * They are measured over the steps of the plan, not over the request, so that nothing that will run
 * can be left out of the measurement. Twice: when the plan is made, and by the runner under the lock
 * (gates_measure), where only the histories are fresh. A gate that also needs the files keeps what
 * it measured with the frozen texts, since those are what will run; same-history catches whatever
 * else moved in the environment between the two.
 */
#include "core/release/gate_rules.h"

#include <string.h>

struct gate_rule {
	const char *name; /* NULL: "<environment of requires>-passed" */
	unsigned ops;     /* one bit per operation it guards */
	bool can_override;
	bool needs_files; /* not measured again on live data */
	const char *rule; /* %s: the environment; NULL: of requires */
	/* Fills measured; true when open. */
	bool (*open)(const struct measure *x, struct strbuf *measured);
	/* The command, when closed; left empty when none can be made. */
	void (*satisfy)(const struct measure *x, struct strbuf *out);
};

/* --- The table ------------------------------------------------------------------------------------ */

#define ON(op) (1u << (op))
#define ON_ALL \
	(ON(OP_MIGRATE) | ON(OP_ROLLBACK) | ON(OP_BASELINE) | ON(OP_ACCEPT) | ON(OP_MARK) | \
	 ON(OP_RESTORE) | ON(OP_SEED))
#define ON_FILES (ON(OP_MIGRATE) | ON(OP_BASELINE) | ON(OP_ACCEPT))

static const struct gate_rule rules[] = {
	{ GATE_SOURCE, ON_FILES, false, true, "the migration files hold no error", gate_source_open,
	  gate_check_command },
	{ GATE_LEDGER, ON_ALL, false, false, "a ledger of a newer bascule is never written",
	  gate_ledger_open, gate_check_command },
	{ GATE_FOREIGN, ON(OP_MIGRATE) | ON(OP_ROLLBACK) | ON(OP_ACCEPT), false, false,
	  "the history of %s is bascule's own: another tool's is never written", gate_foreign_open,
	  gate_foreign_satisfy },
	{ GATE_COMMAND, ON(OP_MIGRATE) | ON(OP_ROLLBACK) | ON(OP_BASELINE), false, false,
	  "the migrations of %s are run by their own tool", gate_command_open,
	  gate_command_satisfy },
	{ GATE_GIT, ON(OP_MIGRATE) | ON(OP_BASELINE), true, true,
	  "%s takes only migrations that are committed and pushed", gate_git_open,
	  gate_git_satisfy },
	{ NULL, ON_FILES, true, false, NULL, gate_passed_open, gate_passed_satisfy },
	{ GATE_CHANGED, ON(OP_MIGRATE), true, true, "what is applied in %s is what its file says",
	  gate_changed_open, gate_changed_satisfy },
	{ GATE_MISSING, ON(OP_MIGRATE), true, true, "what is applied in %s has a file",
	  gate_missing_open, gate_missing_satisfy },
	{ GATE_FAILED, ON(OP_MIGRATE), true, false,
	  "what failed in %s is mended or accepted before another try", gate_failed_open,
	  gate_failed_satisfy },
	{ GATE_LATE, ON(OP_MIGRATE), true, false, "migrations go into %s in numeric order",
	  gate_late_open, NULL },
	{ GATE_REVERSIBLE, ON(OP_ROLLBACK), false, false,
	  "only a down rolls back (a restore also loses what was written since)",
	  gate_reversible_open, gate_reversible_satisfy },
	{ GATE_SAME_HISTORY, ON_ALL & ~ON(OP_RESTORE), false, false,
	  "the history of %s is the one the plan was made on", gate_same_history_open,
	  gate_plan_again },
	/* A mark is what the run that stopped waits for. */
	{ GATE_UNFINISHED, ON_ALL & ~ON(OP_MARK), false, true,
	  "a run of %s that stopped is resumed or aborted before the next", gate_unfinished_open,
	  gate_unfinished_satisfy },
};

static const char *rule_text(struct plan *p, const struct gate_rule *r)
{
	struct strbuf b;
	const char *text;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	if (!r->name) {
		strbuf_addf(&b, "%s takes only what %s has %s", p->environment, p->gate_env.name,
			    p->tool               ? "applied"
			    : p->op == OP_MIGRATE ? "run with the same checksum"
						  : "in force with the same checksum");
	} else {
		struct sv rest = sv_of(r->rule), head = rest;

		/* The one %s of a rule; not a format, so that the table stays plain text. */
		sv_cut(&rest, '%', &head);
		strbuf_addsv(&b, head);
		if (head.n < strlen(r->rule))
			strbuf_addf(&b, "%s%s", p->environment, r->rule + head.n + 2);
	}
	text = plan_str(p, strbuf_str(&b));
	strbuf_clear(&b);
	return text;
}

static bool rule_guards(const struct gate_rule *r, const struct measure *x)
{
	const struct plan *p = x->plan;

	/* Most environments never had another tool: no line about it. Where the files are the tool's, it
	 * is the one that runs, and what stands before what is its own affair. */
	if (r->open == gate_foreign_open && (p->tool || !x->target->tool))
		return false;
	/* Where it is no gate it is a note of the plan. */
	if (r->open == gate_git_open && (!p->is_protected || (x->make && !x->make->facts->git)))
		return false;
	if ((r->open == gate_command_open && !p->tool) || (r->open == gate_late_open && p->tool))
		return false;
	if (!(r->ops & ON(p->op)))
		/* today's files take part in a rollback only with --down=file */
		return r->needs_files && strcmp(r->name, GATE_SOURCE) == 0 &&
		       p->op == OP_ROLLBACK && p->down_from_file;
	return r->name || p->gate_env.name;
}

static void measure_gate(const struct measure *x, const struct gate_rule *r, struct gate *g)
{
	struct plan *p = x->plan;
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	g->open = r->open(x, &b);
	g->measured = plan_str(p, strbuf_str(&b));
	strbuf_clear(&b);
	g->satisfy = "";
	if (g->open)
		return;
	/* The hint of an error holds 511 bytes; a command that was cut would not run. */
	strbuf_init(&b, sizeof(((struct err *)NULL)->hint) - 1);
	if (r->satisfy)
		r->satisfy(x, &b);
	if (r->can_override && (!b.len || !strbuf_ok(&b))) {
		strbuf_clear(&b);
		strbuf_init(&b, STRBUF_NO_LIMIT);
		remedy_override(&b, p, g->name);
	}
	g->satisfy = plan_str(p, strbuf_str(&b));
	strbuf_clear(&b);
}

static const char *gate_name(struct plan *p, const struct gate_rule *r)
{
	return r->name ? r->name : arena_printf(&p->arena, "%s-passed", p->gate_env.name);
}

static struct gate *find_gate(struct gate *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	}
	return NULL;
}

/* Measures every gate anew; one that needs files keeps what frozen[] says when there are none. */
static void measure_all(const struct measure *x, struct gate *frozen, size_t n_frozen)
{
	struct plan *p = x->plan;

	p->gate = NULL;
	p->n_gate = 0;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct gate_rule *r = &rules[i];
		const struct gate *old;
		struct gate *g;

		if (!rule_guards(r, x))
			continue;
		g = arena_push(&p->arena, &p->gate, &p->n_gate, sizeof(*g));
		g->name = gate_name(p, r);
		g->can_override = r->can_override;
		g->rule = rule_text(p, r);
		old = !x->make && r->needs_files ? find_gate(frozen, n_frozen, g->name) : NULL;
		if (old)
			*g = *old;
		else if (!x->make && r->needs_files)
			p->n_gate--; /* a plan of another version of this program: it had no such gate */
		else
			measure_gate(x, r, g);
	}
}

/* Where the gate environment's engine has files of its own, what it must have run is that file. */
static void set_gate_checksums(struct plan_make *m)
{
	const struct source *theirs;

	if (!m->gate_env || !m->source->engine)
		return;
	theirs = source_for(m->facts->source, m->gate_env->dsn.engine);
	for (size_t i = 0; theirs != m->source && i < m->plan->n_step; i++) {
		struct step *s = &m->plan->step[i];
		const struct migration *ours = s->id ? source_find(m->source, s->ns, s->id) : NULL;
		const struct migration *file;

		if (!ours || !s->checksum || strcmp(ours->checksum, s->checksum) != 0)
			continue;
		file = theirs ? source_find(theirs, s->ns, s->id) : NULL;
		s->gate_checksum = arena_strdup(&m->plan->arena, file ? file->checksum : "");
	}
}

void gates_build(struct plan_make *m)
{
	struct measure x = {
		.plan = m->plan,
		.target = m->history,
		.gate_env = m->gate_env ? make_history(m, m->gate_env) : NULL,
		.make = m,
	};

	set_gate_checksums(m);
	measure_all(&x, NULL, 0);
}

/* --- Overrides ------------------------------------------------------------------------------------ */

/* ERR_USAGE for the override o: says which gates of the plan can be overridden. */
static int refuse_override(const struct plan *p, const struct plan_override *o, bool exists,
			   struct err *e)
{
	struct strbuf names;
	size_t n = 0;

	err_set(e, ERR_USAGE, exists ? "gate %s cannot be overridden" : "no gate %s here", o->gate);
	strbuf_init(&names, sizeof(e->detail) - 64);
	for (size_t i = 0; i < p->n_gate; i++) {
		if (p->gate[i].can_override)
			strbuf_addf(&names, "%s%s", n++ ? ", " : "", p->gate[i].name);
	}
	err_detail(e, "%s of %s can be overridden: %s", operation_name(p->op), p->environment,
		   n ? strbuf_str(&names) : "none");
	strbuf_clear(&names);
	return -1;
}

int gates_override(struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n_override; i++) {
		const struct plan_override *o = &p->override[i];
		struct gate *g = find_gate(p->gate, p->n_gate, o->gate);

		if (!g || !g->can_override)
			return refuse_override(p, o, g != NULL, e);
		if (str_blank(o->reason)) {
			err_set(e, ERR_USAGE, "override of gate %s wants a reason", o->gate);
			err_detail(e, "it is kept with the run");
			return err_hint(e, "add --reason 'why'");
		}
		g->overridden = !g->open;
	}
	return 0;
}

int gates_measure(struct plan *p, const struct history *target, const struct history *gate_env,
		  struct err *e)
{
	struct measure x = { .plan = p, .target = target, .gate_env = gate_env };

	measure_all(&x, p->gate, p->n_gate);
	return gates_override(p, e);
}
