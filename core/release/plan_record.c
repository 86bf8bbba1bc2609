/* SPDX-License-Identifier: MIT */
/* accept: the file as it is now is what was meant. restore: the database becomes a backup. */
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
