/* SPDX-License-Identifier: MIT */
/*
 * rollback: migrations down, in the reverse of the order they were applied, whatever their numbers.
 *
 * The down that runs is the one stored when the migration was applied: it belongs to the up that
 * ran. `--down=file` takes today's file instead, for a down that was wrong. Where the two differ,
 * the plan says so and which one it takes. A migration whose file changed or is gone can be rolled
 * back all the same, so that is a note here and not a gate.
 */
#include "core/release/plan_make.h"

#include "core/base/fs.h"

#include <string.h>

/* A down that does something. A stored text equal to an empty file is as empty as the file. */
static bool has_down(const struct plan_make *m, const struct pick *k)
{
	const char *stored = k->applied->down_checksum;

	if (m->request->down_from_file)
		return k->file && k->file->down == DOWN_SQL;
	if (!stored || !*stored)
		return false;
	return !(k->file && k->file->down == DOWN_EMPTY &&
		 str_same(stored, k->file->down_checksum));
}

static void add_down(struct plan_make *m, const struct pick *k)
{
	struct plan *p = m->plan;
	bool from_file = m->request->down_from_file && k->file;
	const char *undo = m->env->undo_migrations == UNDO_NEVER
				   ? "stays rolled back: undo_migrations = never"
				   : "apply it again (data the down removed stays lost)";
	struct step *s = plan_add_step(m, STEP_DOWN, plan_what(p, "roll back", k), undo);

	step_set_migration(p, s, k);
	s->no_return = true;
	s->generation = k->applied->generation;
	s->checksum = plan_str(p, k->applied->checksum);
	s->has_down = has_down(m, k);
	s->down_checksum = NULL;
	if (s->has_down)
		s->down_checksum = plan_str(p, from_file ? k->file->down_checksum
							 : k->applied->down_checksum);
	if (k->file && k->file->down_path)
		s->file = plan_str(p, path_base(k->file->down_path));
	else
		s->file = arena_printf(&p->arena, "stored down of %s", k->id);
}

static int add_tool_down(struct plan_make *m, const struct pick *k, struct err *e)
{
	struct step *s = plan_add_step(m, STEP_DOWN, plan_what(m->plan, "roll back", k), "");

	if (!k->file)
		plan_note(m->plan, "%s has no file any more", k->id);
	return framework_step(m, s, k, e);
}

static void note_down(struct plan_make *m, const struct pick *k)
{
	struct plan *p = m->plan;
	const struct applied *a = k->applied;
	const char *now = k->file && k->file->down != DOWN_NONE ? k->file->down_checksum : NULL;

	if (!k->file)
		plan_note(p, "%s has no file any more", k->id);
	else if (applied_changed(a, k->file))
		plan_note(p, "the file of %s has changed since it was applied", k->id);
	if (now && !str_same(a->down_checksum, now)) {
		if (m->request->down_from_file)
			plan_note(p,
				  "%s: today's down file runs; it is not the one stored when it "
				  "was applied",
				  k->id);
		else if (a->down_checksum && *a->down_checksum)
			plan_note(p,
				  "%s: the stored down runs; today's file is different "
				  "(--down=file takes"
				  " the file)",
				  k->id);
	}
	if (a->failed && a->failed_down)
		plan_note(p, "the last try to roll back %s failed: %s", k->id,
			  a->error ? a->error : "");
}

static int choose_last(struct plan_make *m, size_t n, size_t *take, struct err *e)
{
	int64_t last = m->request->last;

	if (last < 1)
		return err_set(e, ERR_USAGE,
			       "rollback wants `last N` with N from 1, or `to-version V`");
	if (n > 0 && (uint64_t)last > n) {
		err_set(e, ERR_USAGE, "cannot roll back the last %lld in %s", (long long)last,
			m->env->name);
		err_detail(e, "%zu %s applied there", n, n == 1 ? "is" : "are");
		return err_hint(e, "bascule rollback %s last %zu", m->env->name, n);
	}
	*take = n == 0 ? 0 : (size_t)last;
	m->plan->target = arena_printf(&m->plan->arena, "last %lld", (long long)last);
	if (*take == 0)
		plan_note(m->plan, "nothing to do: nothing is applied in %s", m->env->name);
	return 0;
}

/* Keeps of list, in order, what is newer than the version. */
static int choose_version(struct plan_make *m, const struct applied **list, size_t n, size_t *take,
			  struct err *e)
{
	struct pick to = { 0 };

	if (make_resolve(m, m->request->to_version, &to, e) < 0)
		return -1;
	m->plan->target = arena_printf(&m->plan->arena, "to-version %s", m->request->to_version);
	*take = 0;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(make_sort_key(m->source, list[i]), to.sort_key) > 0)
			list[(*take)++] = list[i];
	}
	if (*take == 0)
		plan_note(m->plan, "nothing to do: nothing after %s is applied in %s", to.id,
			  m->env->name);
	return 0;
}

int plan_make_rollback(struct plan_make *m, struct err *e)
{
	size_t n = 0, take = 0;
	const struct applied **list = m->plan->tool ? framework_newest_first(m, &n)
						    : history_newest_first(m->history, &n);
	int rc = -1;

	if (m->request->to_version) {
		if (choose_version(m, list, n, &take, e) < 0)
			goto out;
	} else if (choose_last(m, n, &take, e) < 0) {
		goto out;
	}
	if (take == 0) {
		rc = 0;
		goto out;
	}
	plan_add_opening(m, "before-rollback");
	for (size_t i = 0; i < take; i++) {
		const struct applied *a = list[i];
		struct pick k = { source_find(m->source, a->ns, a->id), a, a->ns, a->id, a->title,
				  make_sort_key(m->source, a) };

		if (!m->plan->tool) {
			add_down(m, &k);
			note_down(m, &k);
		} else if (add_tool_down(m, &k, e) < 0) {
			goto out;
		}
	}
	plan_add_closing(m);
	rc = 0;
	if (m->plan->tool)
		framework_notes(m);
	plan_note(m->plan, "a down script may remove data; only a backup brings that back");
out:
	mem_free(list);
	return rc;
}
