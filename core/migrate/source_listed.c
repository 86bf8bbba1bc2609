/* SPDX-License-Identifier: MIT */
/*
 * Layout "listed": migrations written in Ruby or JavaScript (Rails, Knex), named by a time stamp of
 * 14 digits. They are shown, compared with a history and run by their own tool.
 */
#include "core/migrate/source_layout.h"

#include <dirent.h>
#include <string.h>

#define STAMP_DIGITS 14

static const char *const suffixes[] = { ".rb", ".js", ".cjs", ".mjs", ".ts" };

/* Length of the name without its suffix; 0 when it is not one of these. */
static size_t stem_length(const struct source_name *f)
{
	struct sv name = sv_of(f->name);

	if (f->type == DT_DIR || strspn(f->name, "0123456789") != STAMP_DIGITS ||
	    name.p[STAMP_DIGITS] != '_' || sv_ends(name, SV(".d.ts")))
		return 0;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (sv_ends(name, sv_of(suffixes[i])))
			return name.n - strlen(suffixes[i]);
	return 0;
}

static bool claims_listed(const struct source_name *f)
{
	return stem_length(f) > 0;
}

static void pair_listed(struct source_walk *w)
{
	w->s->framework = true;
	for (size_t i = 0; i < w->root.n; i++) {
		const struct source_name *f = &w->root.item[i];
		struct sv stem = sv_n(f->name, stem_length(f));
		struct migration *m;
		struct source_pair *p;

		if (stem.n == 0)
			continue;
		m = arena_alloc(&w->s->arena, sizeof(*m));
		(void)migration_name(&w->s->arena, stem, &m->id, &m->title, &m->sort_key);
		m->framework = true;
		p = source_pair_add(w, stem);
		p->as = m;
		p->up = source_path(w, NULL, f->name);
	}
}

const struct source_layout source_listed = {
	.name = "listed",
	.new_hint = "rails generate migration NAME, or knex migrate:make NAME",
	.claims = claims_listed,
	.pair = pair_listed,
};
