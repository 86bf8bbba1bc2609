/* SPDX-License-Identifier: MIT */
/* seed: scripts of the folder of seeds, all of them or those that are named. */
#include "core/release/plan_make.h"

#include <string.h>

#include "core/base/fs.h"
#include "core/release/seeds.h"

static int refuse_name(const struct plan_make *m, const struct seeds *s, const char *name,
		       struct err *e)
{
	const char **id = mem_calloc(2 * s->n + 1, sizeof(*id));
	const char *near;

	/* With and without the ending, as both can be typed. */
	for (size_t i = 0; i < s->n; i++) {
		const char *base = path_base(s->list[i].id);

		id[i] = s->list[i].id;
		id[s->n + i] = arena_strndup(&m->plan->arena, base, strcspn(base, "."));
	}
	near = str_nearest(name, id, 2 * s->n);
	mem_free(id);
	err_set(e, ERR_USAGE, "no seed %s for %s", name, m->env->name);
	if (near != NULL)
		err_detail(e, "did you mean %s?", near);
	return err_hint(e, "bascule seeds %s", m->env->name);
}

static void add_seed(struct plan_make *m, const struct seed *seed)
{
	const struct seeded *known = seeded_find(m->history, seed->id);
	struct plan *p = m->plan;
	struct step *s;

	s = plan_add_step(m, STEP_SEED, arena_printf(&p->arena, "run seed %s", seed->id), "");
	s->ns = HISTORY_SEEDS;
	s->id = plan_str(p, seed->id);
	s->title = "";
	s->sort_key = s->id;
	s->version = "";
	s->checksum = plan_str(p, seed->checksum);
	s->file = plan_str(p, path_base(seed->path));
	s->path = plan_str(p, seed->path);
	s->no_transaction = seed->no_transaction;
	s->generation = known != NULL ? known->runs + 1 : 1;
	s->expect_ms = known != NULL && known->checksum != NULL ? known->took_ms : -1;
}

static bool is_named(const struct plan_make *m, const struct seed *seed)
{
	const struct plan_request *r = m->request;

	for (size_t i = 0; i < r->n_marked; i++)
		if (seeds_find(r->seeds, r->marked[i]) == seed)
			return true;
	return r->n_marked == 0;
}

int plan_make_seed(struct plan_make *m, struct err *e)
{
	const struct plan_request *r = m->request;
	const struct seeds *s = r->seeds;
	struct plan *p = m->plan;
	struct strbuf target;

	if (s == NULL)
		return err_set(e, ERR_USAGE, "the seeds of %s were not read", m->env->name);
	strbuf_init(&target, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < r->n_marked; i++) {
		if (seeds_find(s, r->marked[i]) == NULL) {
			strbuf_clear(&target);
			return refuse_name(m, s, r->marked[i], e);
		}
		strbuf_addf(&target, "%s%s", i > 0 ? " " : "", r->marked[i]);
	}
	p->target = plan_str(p, strbuf_str(&target));
	strbuf_clear(&target);
	if (s->n == 0) {
		plan_note(p, "nothing to do: there is no seed for %s in %s", m->env->name,
			  p->seeds_dir != NULL ? p->seeds_dir : "seeds");
		return 0;
	}
	plan_add_opening(m, "before-seed");
	for (size_t i = 0; i < s->n; i++)
		if (is_named(m, &s->list[i]))
			add_seed(m, &s->list[i]);
	plan_add_closing(m);
	plan_note(p, "a seed is repeatable: one that fails begins anew the next time, and what it "
		     "wrote is not taken back by a rollback");
	return 0;
}
