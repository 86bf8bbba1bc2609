/* SPDX-License-Identifier: MIT */
/*
 * migrate and baseline: the pending migrations of an environment, run or recorded, in numeric order.
 *
 * A choice is always a beginning of the pending list. What the console marks or what the previous
 * stage has could have gaps; a gap would make the migration in it late at once, so marks with one
 * are refused and "towards" stops before it. That also makes every plan the one `--to ID` makes:
 * console and command line cannot disagree.
 */
#include "core/release/plan_make.h"

#include "core/base/clock.h"
#include "core/db/db.h"

#include <string.h>

/* What undo does to a migration that this plan applies, by policy and by what its down is. */
static const char *undo_of_up(const struct plan_make *m, const struct migration *f, bool *no_return)
{
	*no_return = f->down != DOWN_SQL;
	if (f->down == DOWN_NONE)
		return "stays applied: it has no down";
	if (f->down == DOWN_EMPTY)
		return "stays applied: its down is empty";
	if (m->env->undo_migrations == UNDO_NEVER)
		return "stays applied: undo_migrations = never";
	return "roll back with its down script";
}

static int add_tool_up(struct plan_make *m, const struct pick *k, struct err *e)
{
	struct step *s = plan_add_step(m, STEP_UP, plan_what(m->plan, "apply", k), "");

	s->expect_ms = make_expect_ms(m, k->file);
	return framework_step(m, s, k, e);
}

static void add_up(struct plan_make *m, const struct pick *k)
{
	struct plan *p = m->plan;
	bool no_return;
	const char *undo = undo_of_up(m, k->file, &no_return);
	struct step *s = plan_add_step(m, STEP_UP, plan_what(p, "apply", k), undo);

	step_set_migration(p, s, k);
	s->no_return = no_return;
	s->expect_ms = make_expect_ms(m, k->file);
	s->generation = (k->applied ? k->applied->generation : 0) + 1;
	if (k->applied && k->applied->partial && !k->applied->partial_down) {
		s->statement = k->applied->statements_done + 1;
		s->statements = k->applied->statements_total;
		s->what = arena_printf(&p->arena, "%s, from statement %lld of %lld", s->what,
				       (long long)s->statement, (long long)s->statements);
	}
}

static void note_no_return(struct plan_make *m)
{
	struct plan *p = m->plan;
	struct strbuf ids;
	size_t n = 0;

	strbuf_init(&ids, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < p->n_step; i++) {
		if (p->step[i].kind == STEP_UP && p->step[i].no_return)
			strbuf_addf(&ids, "%s%s", n++ ? ", " : "", p->step[i].id);
	}
	if (n)
		plan_note(p, "%zu migration%s no way back: %s", n, n == 1 ? " has" : "s have",
			  strbuf_str(&ids));
	strbuf_clear(&ids);
}

/* What happens when a step fails, before anybody has to ask at night. */
static void note_failure(struct plan_make *m)
{
	const struct db_ops *driver = db_driver(m->env->dsn.engine);
	char span[CLOCK_TEXT_SIZE];

	if (driver != NULL && !(driver->caps & DB_TX_DDL)) {
		plan_note(
			m->plan,
			"no transaction holds a migration together on %s: if a statement fails, those"
			" before it stay, and bascule resume goes on from it",
			driver->scheme);
		if (m->env->on_failure == FAILURE_PAUSE)
			plan_note(m->plan,
				  "if a step fails: the run pauses and keeps the lock for %s",
				  clock_span(m->env->pause_limit_ms, span));
		return;
	}

	if (m->env->on_failure == FAILURE_PAUSE)
		plan_note(
			m->plan,
			"if a step fails: what it did is undone, the run pauses and keeps the lock"
			" for %s",
			clock_span(m->env->pause_limit_ms, span));
	else if (m->env->undo_migrations == UNDO_NEVER)
		plan_note(m->plan,
			  "if a step fails: what it did is undone; migrations before it stay"
			  " applied");
	else
		plan_note(m->plan,
			  "if a step fails: what it did is undone, then the migrations of this run"
			  " are rolled back");
}

/* Cuts list at the first migration that the environment `towards` has not applied. */
static int cut_towards(struct plan_make *m, struct pick *list, size_t *n, struct err *e)
{
	const struct env *env = env_find(m->project, m->request->towards);
	const struct history *h = env ? make_history(m, env) : NULL;
	size_t keep = 0, left = 0;

	if (!h)
		return err_set(e, ERR_USAGE, "cannot plan towards %s: its history is not known",
			       m->request->towards);
	for (size_t i = 0; i < *n; i++) {
		const struct applied *a = history_find(h, list[i].ns, list[i].id);

		if (a && a->applied) {
			if (keep == i)
				keep++;
			else
				left++;
		}
	}
	if (left)
		plan_note(m->plan,
			  "%zu more that %s has %s left out: %s before %s is not applied there",
			  left, env->name, left == 1 ? "is" : "are", list[keep].id,
			  left == 1 ? "it" : "them");
	if (keep == 0)
		plan_note(m->plan, "nothing to do: %s has everything that %s has", m->env->name,
			  env->name);
	*n = keep;
	return 0;
}

static bool is_marked(const struct plan_request *r, const char *id)
{
	for (size_t i = 0; i < r->n_marked; i++) {
		if (strcmp(r->marked[i], id) == 0)
			return true;
	}
	return false;
}

/* Keeps the marked ones, which must be the first of the list. */
static int cut_marked(struct plan_make *m, struct pick *list, size_t *n, struct err *e)
{
	const char *gap = NULL;
	size_t keep = 0;

	for (size_t i = 0; i < *n; i++) {
		if (!is_marked(m->request, list[i].id)) {
			gap = gap ? gap : list[i].id;
			continue;
		}
		if (gap) {
			err_set(e, ERR_USAGE, "cannot apply %s to %s without %s", list[i].id,
				m->env->name, gap);
			err_detail(e, "%s is older and pending, and is not marked", gap);
			return err_hint(e, "mark %s too", gap);
		}
		keep++;
	}
	if (keep == 0)
		plan_note(m->plan, "nothing to do: no marked migration is pending in %s",
			  m->env->name);
	*n = keep;
	return 0;
}

static void note_nothing(struct plan_make *m, const char *to)
{
	if (to)
		plan_note(m->plan, "nothing to do: %s has every migration up to %s", m->env->name,
			  to);
	else
		plan_note(m->plan, "nothing to do: no migration is pending in %s", m->env->name);
}

/* The pending migrations the request is about. */
static int choose(struct plan_make *m, struct pick **list, size_t *n, struct err *e)
{
	const struct plan_request *r = m->request;
	struct pick to = { 0 };

	if (r->to) {
		if (make_resolve(m, r->to, &to, e) < 0)
			return -1;
		m->plan->target = arena_printf(&m->plan->arena, "to %s", to.id);
	}
	*list = make_pending(m, to.sort_key, n);
	if (*n == 0)
		note_nothing(m, to.id);
	else if (r->marked && cut_marked(m, *list, n, e) < 0)
		return -1;
	else if (*n && r->towards && cut_towards(m, *list, n, e) < 0)
		return -1;
	if (*n && !r->to)
		m->plan->target = arena_printf(&m->plan->arena, "to %s", (*list)[*n - 1].id);
	return 0;
}

/* One that stopped inside its down is in force no more than it is gone: nothing goes on top of it. */
static int refuse_half_down(const struct plan_make *m, struct err *e)
{
	for (size_t i = 0; i < m->history->n; i++) {
		const struct applied *a = &m->history->list[i];

		if (!a->applied || !a->partial || !a->partial_down)
			continue;
		err_set(e, ERR_GATE, "cannot migrate %s: %s stopped inside its rollback",
			m->env->name, a->id);
		err_detail(e, "%lld of %lld statements of its down have run",
			   (long long)a->statements_done, (long long)a->statements_total);
		return err_hint(e, "bascule rollback %s last 1", m->env->name);
	}
	return 0;
}

int plan_make_migrate(struct plan_make *m, struct err *e)
{
	struct pick *list;
	size_t n;

	if (refuse_half_down(m, e) < 0)
		return -1;
	if (choose(m, &list, &n, e) < 0)
		return -1;
	if (n == 0)
		return 0;
	plan_add_opening(m, "before-migrate");
	for (size_t i = 0; i < n; i++) {
		if (!m->plan->tool)
			add_up(m, &list[i]);
		else if (add_tool_up(m, &list[i], e) < 0)
			return -1;
	}
	plan_add_closing(m);
	if (m->plan->tool) {
		framework_notes(m);
		return 0;
	}
	note_no_return(m);
	note_failure(m);
	return 0;
}

int plan_make_baseline(struct plan_make *m, struct err *e)
{
	struct plan *p = m->plan;
	struct pick *list;
	size_t n;

	if (choose(m, &list, &n, e) < 0)
		return -1;
	if (n == 0)
		return 0;
	plan_add_opening(m, "before-baseline");
	for (size_t i = 0; i < n; i++) {
		const struct pick *k = &list[i];
		struct step *s = plan_add_step(m, STEP_RECORD, plan_what(p, "record as applied", k),
					       "");

		s->event = EVENT_BASELINED;
		if (p->tool) {
			if (framework_step(m, s, k, e) < 0)
				return -1;
			continue;
		}
		step_set_migration(p, s, k);
		s->generation = (k->applied ? k->applied->generation : 0) + 1;
	}
	plan_add_closing(m);
	if (p->tool)
		framework_notes(m);
	plan_note(p, "no migration is run: the schema must have these changes already");
	return 0;
}
