/* SPDX-License-Identifier: MIT */
/* accept: the file as it is now is what was meant. mark: a statement has run, or has not. restore: the
 * database becomes a backup. */
#include "core/release/plan_make.h"

#include <string.h>

static int want_reason(const struct plan_make *m, const char *id, struct err *e)
{
	struct strbuf hint;

	if (!str_blank(m->request->reason))
		return 0;
	err_set(e, ERR_USAGE, "accept wants a reason");
	err_detail(e, "it is kept in the history of %s", m->env->name);
	strbuf_init(&hint, sizeof(e->hint));
	strbuf_addf(&hint, "bascule accept %s %s --reason 'why'", m->env->name, id);
	command_confirm(&hint, m->env);
	err_hint(e, "%s", strbuf_str(&hint));
	strbuf_clear(&hint);
	return -1;
}

/* Why an accept changes something, or NULL. */
static const char *accept_what(const struct pick *k)
{
	const struct applied *a = k->applied;

	if (a && a->applied && k->file && applied_changed(a, k->file))
		return "accept the changed file of";
	if (applied_missing(a, k->file))
		return "accept that there is no file any more for";
	if (a && a->failed)
		return "allow another try of";
	return NULL;
}

int plan_make_accept(struct plan_make *m, struct err *e)
{
	struct plan *p = m->plan;
	struct pick k;
	const char *what;
	struct step *s;

	if (!m->request->only)
		return err_set(e, ERR_USAGE, "accept wants the id of a migration");
	if (p->tool) {
		err_set(e, ERR_USAGE, "cannot accept %s in %s", m->request->only, m->env->name);
		err_detail(e, "its history is kept by %s, which keeps no checksums", p->tool);
		return err_hint(e, "bascule matrix");
	}
	if (make_resolve(m, m->request->only, &k, e) < 0 || want_reason(m, k.id, e) < 0)
		return -1;
	p->target = plan_str(p, k.id);
	what = accept_what(&k);
	if (!what) {
		plan_note(p, "nothing to do: %s in %s is %s", k.id, m->env->name,
			  k.applied && k.applied->applied ? "applied as its file is now"
							  : "not applied, and no try of it failed");
		return 0;
	}
	plan_add_opening(m, "before-accept");
	s = plan_add_step(m, STEP_RECORD, plan_what(p, what, &k), "");
	step_set_migration(p, s, &k);
	s->event = EVENT_ACCEPTED;
	s->reason = plan_str(p, m->request->reason);
	s->generation = k.applied->generation + (k.applied->applied ? 0 : 1);
	plan_add_closing(m);
	plan_note(p, "no migration is run: only the record changes");
	return 0;
}

/* --- mark --------------------------------------------------------------------------------------- */

static void mark_command(struct strbuf *out, const struct plan_make *m, const char *id,
			 int64_t statement, const char *word)
{
	strbuf_addf(out, "bascule mark %s %s --statement %lld %s --reason 'why'", m->env->name, id,
		    (long long)statement, word);
	command_confirm(out, m->env);
}

static int refuse_mark(const struct plan_make *m, const struct pick *k, struct err *e)
{
	const struct applied *a = k->applied;
	struct strbuf hint;

	err_set(e, ERR_USAGE, "cannot mark statement %lld of %s in %s",
		(long long)m->request->statement, k->id, m->env->name);
	if (a == NULL || !a->partial) {
		err_detail(e, "%s is not partial there: nothing of it stopped in the middle",
			   k->id);
		return err_hint(e, "bascule matrix");
	}
	err_detail(
		e,
		"statements 1 to %lld of %lld are known to have run; the next to tell about is %lld",
		(long long)a->statements_done, (long long)a->statements_total,
		(long long)a->statements_done + 1);
	strbuf_init(&hint, sizeof(e->hint));
	mark_command(&hint, m, k->id, a->statements_done + 1, "done");
	err_hint(e, "%s", strbuf_str(&hint));
	strbuf_clear(&hint);
	return -1;
}

static void add_mark(struct plan_make *m, const struct pick *k, int64_t statement)
{
	const struct applied *a = k->applied;
	struct plan *p = m->plan;
	struct step *s;

	s = plan_add_step(m, STEP_RECORD,
			  arena_printf(&p->arena, "record that statement %lld of %lld of %s %s%s",
				       (long long)statement, (long long)a->statements_total, k->id,
				       m->request->statement_done ? "has run" : "has not run",
				       a->partial_down ? " (of its down)" : ""),
			  "");
	step_set_migration(p, s, k);
	s->event = EVENT_MARKED;
	s->reason = plan_str(p, m->request->reason);
	s->generation = a->generation + (a->applied ? 0 : 1);
	s->statement = statement;
	s->statements = a->statements_total;
	s->statement_down = a->partial_down;
	s->statement_done = m->request->statement_done;
}

int plan_make_mark(struct plan_make *m, struct err *e)
{
	const struct plan_request *r = m->request;
	struct plan *p = m->plan;
	const struct applied *a;
	struct strbuf hint;
	struct pick k;

	if (!r->only)
		return err_set(e, ERR_USAGE, "mark wants the id of a migration");
	if (make_resolve(m, r->only, &k, e) < 0)
		return -1;
	a = k.applied;
	if (a == NULL || !a->partial || r->statement <= a->statements_done ||
	    r->statement > a->statements_total ||
	    (!r->statement_done && r->statement != a->statements_done + 1))
		return refuse_mark(m, &k, e);
	if (str_blank(r->reason)) {
		err_set(e, ERR_USAGE, "mark wants a reason");
		err_detail(e, "it is kept in the history of %s", m->env->name);
		strbuf_init(&hint, sizeof(e->hint));
		mark_command(&hint, m, k.id, r->statement, r->statement_done ? "done" : "not-done");
		err_hint(e, "%s", strbuf_str(&hint));
		strbuf_clear(&hint);
		return -1;
	}
	p->target = arena_printf(&p->arena, "%s statement %lld %s", k.id, (long long)r->statement,
				 r->statement_done ? "done" : "not-done");
	plan_add_opening(m, "before-mark");
	/* That one has run says the same of those before it. */
	for (int64_t i = r->statement_done ? a->statements_done + 1 : r->statement;
	     i <= r->statement; i++)
		add_mark(m, &k, i);
	plan_add_closing(m);
	plan_note(
		p,
		"no statement is run: only the record changes; resume or migrate goes on from it");
	return 0;
}

int plan_make_restore(struct plan_make *m, struct err *e)
{
	struct plan *p = m->plan;
	const struct plan_request *r = m->request;
	const struct step *copy = NULL;
	struct step *s;

	if (!r->backup || !r->backup_path)
		return err_set(e, ERR_USAGE, "restore wants the id of a backup");
	p->target = arena_printf(&p->arena, "backup %s", r->backup);
	plan_add_opening(m, "before-restore");
	if (p->step[p->n_step - 1].kind == STEP_BACKUP)
		copy = &p->step[p->n_step - 1];
	s = plan_add_step(m, STEP_RESTORE,
			  arena_printf(&p->arena, "replace the database of %s by backup %s",
				       p->environment, r->backup),
			  copy ? arena_printf(&p->arena, "restore the copy of step %d", copy->n)
			       : "none: no copy of today's database is taken");
	s->no_return = !copy;
	s->backup = plan_str(p, r->backup);
	s->path = plan_str(p, r->backup_path);
	plan_add_closing(m);
	plan_note(p, "everything written since the backup is lost; the history of bascule is kept");
	return 0;
}
