/* SPDX-License-Identifier: MIT */
/*
 * Commands that, run as printed by a POSIX shell in the project's folder, change a refusal.
 *
 * A gate of production that is closed because staging lacks a migration is opened in staging, and
 * staging may be gated by development, have a changed file of its own, or hold an older text of
 * the same migration. One command would then only be refused in its turn, so what is printed is a
 * chain (`a && b`) that starts where the first obstacle is. When no chain can do it (a down is
 * missing on the way), or it would be too long for the hint of an error, the answer is the plan's
 * own command with --override, which always works and is recorded.
 */
#include "core/release/plan_make.h"

#include "core/base/fs.h"

#include <string.h>

/* err.hint is 512 bytes; a cut command would not run. */
#define REMEDY_MAX 480
/* More obstacles of one kind than this in another environment are overridden, not listed. */
#define REMEDY_ACCEPTS 3
/* Nor is it advice to take more than these back in another environment, with the data in them. */
#define REMEDY_ROLLBACKS 10

static void begin_command(struct strbuf *out)
{
	if (out->len)
		strbuf_adds(out, " && ");
}

/* " word", quoted as a shell needs it. */
static void add_word(struct strbuf *out, const char *word)
{
	strbuf_addc(out, ' ');
	path_quote(out, word);
}

void command_confirm(struct strbuf *out, const struct env *env)
{
	if (env->is_protected || env->confirm == CONFIRM_NAME) {
		strbuf_adds(out, " --confirm");
		add_word(out, env->name);
	} else if (env->confirm == CONFIRM_YES) {
		strbuf_adds(out, " --yes");
	}
}

void command_create(struct strbuf *out, const struct env *env)
{
	strbuf_adds(out, "bascule create");
	add_word(out, env->name);
	command_confirm(out, env);
}

static void add_override(struct strbuf *out, const char *gate, const char *reason)
{
	strbuf_adds(out, " --override");
	add_word(out, gate);
	strbuf_adds(out, " --reason");
	/* Always in quotes: it is the place where the operator writes. */
	if (reason)
		add_word(out, reason);
	else
		strbuf_adds(out, " 'why'");
}

static const char *last_changed_id(const struct plan *p)
{
	const char *id = NULL;

	for (size_t i = 0; i < p->n_step; i++) {
		if (p->step[i].id)
			id = p->step[i].id;
	}
	return id;
}

void command_plan(struct strbuf *out, const struct plan_make *m)
{
	const struct plan_request *r = m->request;
	const char *to = r->to ? r->to : last_changed_id(m->plan);

	strbuf_addf(out, "bascule %s", operation_name(r->op));
	add_word(out, m->env->name);
	switch (r->op) {
	case OP_MIGRATE:
	case OP_BASELINE:
		if (to) {
			strbuf_adds(out, " --to");
			add_word(out, to);
		}
		break;
	case OP_ROLLBACK:
		if (r->to_version) {
			strbuf_adds(out, " to-version");
			add_word(out, r->to_version);
		} else {
			strbuf_addf(out, " last %lld", (long long)r->last);
		}
		if (r->down_from_file)
			strbuf_adds(out, " --down=file");
		break;
	case OP_ACCEPT:
		add_word(out, r->only);
		strbuf_adds(out, " --reason");
		add_word(out, r->reason ? r->reason : "why");
		break;
	case OP_MARK:
		add_word(out, r->only);
		strbuf_addf(out, " --statement %lld %s --reason", (long long)r->statement,
			    r->statement_done ? "done" : "not-done");
		add_word(out, r->reason ? r->reason : "why");
		break;
	case OP_RESTORE:
		add_word(out, r->backup);
		break;
	case OP_SEED:
		for (size_t i = 0; i < r->n_marked; i++)
			add_word(out, r->marked[i]);
		break;
	case OP_KINDS:
		break;
	}
	for (size_t i = 0; i < r->n_override; i++)
		add_override(out, r->override[i].gate, r->override[i].reason);
}

void remedy_override(struct strbuf *out, const struct plan *p, const char *gate)
{
	strbuf_adds(out, p->command);
	add_override(out, gate, NULL);
	command_confirm(out, &p->env);
}

/* --- Chains through the environments before ------------------------------------------------------- */

static void add_accept(struct strbuf *out, const struct env *env, const char *id)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, "bascule accept");
	add_word(&b, env->name);
	add_word(&b, id);
	strbuf_adds(&b, " --reason 'why'");
	command_confirm(&b, env);
	/* Two obstacles further on may both ask for it. */
	if (!strstr(strbuf_str(out), strbuf_str(&b))) {
		begin_command(out);
		strbuf_adds(out, strbuf_str(&b));
	}
	strbuf_clear(&b);
}

/* Migrations that an environment must have run. */
struct wanted {
	const struct migration **file;
	size_t n;
};

static bool reach(struct strbuf *out, const struct plan_make *m, const struct env *env,
		  const struct wanted *set, size_t depth);

/* The same accept where env's gate asks for it first. */
static void accept_chain(struct strbuf *out, const struct plan_make *m, const struct env *env,
			 const struct pick *k, size_t depth)
{
	const struct env *gate = env_find(m->project, env->requires);
	const struct history *h = gate ? make_history(m, gate) : NULL;
	const char *checksum = k->file ? k->file->checksum : NULL;

	if (h && depth > 0) {
		const struct applied *a = history_find(h, k->ns, k->id);

		if (!gate_passed(STEP_RECORD, EVENT_ACCEPTED, a, checksum, gate->name, NULL)) {
			if (a && a->applied)
				accept_chain(out, m, gate, k, depth - 1);
			else if (k->file)
				reach(out, m, gate,
				      &(struct wanted){ (const struct migration **)&k->file, 1 },
				      depth - 1);
		}
	}
	add_accept(out, env, k->id);
}

void remedy_accept(struct strbuf *out, const struct plan_make *m, const struct env *env,
		   const struct pick *k)
{
	if (m)
		accept_chain(out, m, env, k, m->project->n_env);
	else
		add_accept(out, env, k->id);
}

/* What stands in the way of migrating an environment: ids to accept first, gates to override. */
struct obstacles {
	struct pick accept[REMEDY_ACCEPTS];
	size_t n_accept;
	bool many, late;
};

static void add_obstacle(struct obstacles *o, const struct migration *f, const struct applied *a)
{
	if (o->n_accept == REMEDY_ACCEPTS) {
		o->many = true;
		return;
	}
	o->accept[o->n_accept++] = (struct pick){ f, a, a->ns, a->id, a->title, a->sort_key };
}

/* Those of env once the newest `gone` ones are rolled back (they are not in its way any more): what
 * stays in force, and what of run has failed or is late. */
static void find_obstacles(const struct plan_make *m, const struct history *h,
			   const struct wanted *run, const struct applied **newest, size_t n_newest,
			   size_t gone, struct obstacles *o)
{
	const char *head = "";

	for (size_t i = gone; i < n_newest; i++) {
		const struct applied *a = newest[i];
		const struct migration *f = source_find(m->source, a->ns, a->id);

		if (strcmp(make_sort_key(m->source, a), head) > 0)
			head = make_sort_key(m->source, a);
		if (applied_changed(a, f) || applied_missing(a, f))
			add_obstacle(o, f, a);
	}
	for (size_t i = 0; i < run->n; i++) {
		const struct migration *f = run->file[i];
		const struct applied *a = history_find(h, f->ns, f->id);

		if (strcmp(f->sort_key, head) < 0)
			o->late = true;
		if (applied_failed(a, f->checksum))
			add_obstacle(o, f, a);
	}
}

/* How many of the newest must be rolled back so that id is not in force; 0 when that cannot be
 * or is too much to ask. What was only recorded is not taken back on advice: its objects are
 * somebody else's, with the data in them, and its down was never meant for them. */
static size_t rollback_count(const struct applied **newest, size_t n, const struct applied *a)
{
	for (size_t i = 0; i < n && i < REMEDY_ROLLBACKS; i++) {
		if (!newest[i]->down_checksum || !*newest[i]->down_checksum || newest[i]->baselined)
			return 0;
		if (newest[i] == a)
			return i + 1;
	}
	return 0;
}

static void add_migrate(struct strbuf *out, const struct env *env, const char *id,
			const struct obstacles *o)
{
	begin_command(out);
	strbuf_adds(out, "bascule migrate");
	add_word(out, env->name);
	strbuf_adds(out, " --to");
	add_word(out, id);
	if (o->late)
		add_override(out, GATE_LATE, NULL);
	command_confirm(out, env);
}

static bool is_among(const struct applied **newest, size_t gone, const struct applied *a)
{
	for (size_t i = 0; i < gone; i++) {
		if (newest[i] == a)
			return true;
	}
	return false;
}

/* A tool of its own keeps no checksum: what it says is applied has run. */
static bool has_run(const struct plan_make *m, const struct migration *f, const struct applied *a)
{
	if (m->plan->tool)
		return a && a->applied;
	return gate_passed(STEP_UP, EVENT_APPLIED, a, f->checksum, "", NULL);
}

/* How many of the newest must go so that nothing of set is in force with another text. False when
 * one of them has no down. */
static bool find_gone(const struct plan_make *m, const struct history *h, const struct wanted *set,
		      const struct applied **newest, size_t n_newest, size_t *gone)
{
	*gone = 0;
	for (size_t i = 0; i < set->n; i++) {
		const struct migration *f = set->file[i];
		const struct applied *a = history_find(h, f->ns, f->id);
		size_t n;

		if (!a || !a->applied || has_run(m, f, a))
			continue;
		n = rollback_count(newest, n_newest, a);
		if (n == 0)
			return false;
		*gone = n > *gone ? n : *gone;
	}
	return true;
}

/* The last of set that has to run, counting those that go for the sake of others; NULL: none. */
static const struct migration *find_last(const struct plan_make *m, const struct history *h,
					 const struct wanted *set, const struct applied **newest,
					 size_t gone)
{
	const struct migration *last = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const struct migration *f = set->file[i];
		const struct applied *a = history_find(h, f->ns, f->id);

		if (has_run(m, f, a) && !is_among(newest, gone, a))
			continue;
		if (!last || strcmp(f->sort_key, last->sort_key) > 0)
			last = f;
	}
	return last;
}

/* What `migrate --to` then runs: the files up to and with to that are not in force. */
static void find_run(const struct plan_make *m, const struct history *h, const struct migration *to,
		     const struct applied **newest, size_t gone, struct wanted *run)
{
	run->file = mem_calloc(m->source->n + 1, sizeof(*run->file));
	run->n = 0;
	for (size_t i = 0; i < m->source->n; i++) {
		const struct migration *f = &m->source->list[i];
		const struct applied *a = history_find(h, f->ns, f->id);

		if (strcmp(f->sort_key, to->sort_key) > 0)
			break;
		if (!a || !a->applied || is_among(newest, gone, a))
			run->file[run->n++] = f;
	}
}

static void add_rollback(struct strbuf *out, const struct env *env, size_t n)
{
	begin_command(out);
	strbuf_adds(out, "bascule rollback");
	add_word(out, env->name);
	strbuf_addf(out, " last %zu", n);
	command_confirm(out, env);
}

/* Appends what makes env run every migration of set. False when no command can. Whatever `migrate` would
 * take along on the way must have passed env's own gate too. */
static bool reach(struct strbuf *out, const struct plan_make *m, const struct env *env,
		  const struct wanted *set, size_t depth)
{
	const struct env *gate = env_find(m->project, env->requires);
	const struct history *h = make_history(m, env);
	const struct applied **newest = NULL;
	const struct migration *to;
	struct wanted run = { 0 };
	struct obstacles o = { 0 };
	size_t n = 0, gone;
	bool ok = false;

	if (!h || depth == 0)
		return false;
	newest = history_newest_first(h, &n);
	if (!find_gone(m, h, set, newest, n, &gone))
		goto out;
	to = find_last(m, h, set, newest, gone);
	ok = true;
	if (!to)
		goto out;
	find_run(m, h, to, newest, gone, &run);
	if (!m->plan->tool)
		find_obstacles(m, h, &run, newest, n, gone, &o);
	ok = !o.many && (!gate || reach(out, m, gate, &run, depth - 1));
	if (!ok)
		goto out;
	if (gone)
		add_rollback(out, env, gone);
	for (size_t i = 0; i < o.n_accept; i++)
		accept_chain(out, m, env, &o.accept[i], depth - 1);
	add_migrate(out, env, to->id, &o);
out:
	mem_free(run.file);
	mem_free(newest);
	return ok;
}

/* The migrations that a plan of records lacks in the gate environment: accepted there where they are
 * in force, else run. */
static bool pass_records(struct strbuf *out, const struct plan_make *m, const struct history *h,
			 struct wanted *set)
{
	const struct plan *p = m->plan;

	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];
		const struct applied *a = s->id ? history_find(h, s->ns, s->id) : NULL;
		const struct migration *f = s->id ? source_find(m->source, s->ns, s->id) : NULL;
		struct pick k = { f, a, s->ns, s->id, s->title, s->sort_key };

		if (!s->id || gate_passed(s->kind, s->event, a, s->checksum, "", NULL))
			continue;
		if (a && a->applied)
			accept_chain(out, m, m->gate_env, &k, m->project->n_env);
		else if (f)
			set->file[set->n++] = f;
	}
	return set->n == 0 || reach(out, m, m->gate_env, set, m->project->n_env);
}

static bool pass_migrations(struct strbuf *out, const struct plan_make *m, struct wanted *set)
{
	const struct plan *p = m->plan;

	for (size_t i = 0; i < p->n_step; i++) {
		const struct step *s = &p->step[i];
		const struct migration *f = s->id ? source_find(m->source, s->ns, s->id) : NULL;

		if (f)
			set->file[set->n++] = f;
	}
	return reach(out, m, m->gate_env, set, m->project->n_env);
}

void remedy_passed(struct strbuf *out, const struct plan_make *m)
{
	const struct history *h = make_history(m, m->gate_env);
	struct wanted set = { 0 };
	struct strbuf chain;
	bool ok;

	if (!h) {
		const struct err *why = &m->facts->history_err[env_index(m->project, m->gate_env)];

		if (why->code == ERR_NOT_FOUND)
			command_create(out, m->gate_env);
		else
			strbuf_adds(out, "bascule check");
		return;
	}
	strbuf_init(&chain, REMEDY_MAX);
	set.file = mem_calloc(m->plan->n_step + 1, sizeof(*set.file));
	if (m->plan->op == OP_MIGRATE || m->plan->tool)
		ok = pass_migrations(&chain, m, &set);
	else
		ok = pass_records(&chain, m, h, &set);
	if (ok && strbuf_ok(&chain))
		strbuf_adds(out, strbuf_str(&chain));
	mem_free(set.file);
	strbuf_clear(&chain);
}
