/* SPDX-License-Identifier: MIT */
/* Layout "suffix": NNN_name.up.sql with NNN_name.down.sql beside it. */
#include "core/migrate/source_layout.h"

#include <stdlib.h>
#include <string.h>

struct half {
	struct sv stem;
	bool down;
	const char *name;
};

static bool claims_suffix(const struct source_name *f)
{
	struct sv name = sv_of(f->name);

	return source_is_numbered_sql(f) &&
	       (sv_ends(name, SV(".up.sql")) || sv_ends(name, SV(".down.sql")));
}

/* By stem, the up first: "009_x.down.sql" sorts before "009_x.up.sql" as a name, and a stem with a
 * dot in it ("009_x.extra") would come between the two. */
static int half_cmp(const void *a, const void *b)
{
	const struct half *x = a, *y = b;
	int d = sv_cmp(x->stem, y->stem);

	return d != 0 ? d : (int)x->down - (int)y->down;
}

static size_t collect(struct source_walk *w, struct half *half)
{
	size_t n = 0;

	for (size_t i = 0; i < w->root.n; i++) {
		const struct source_name *f = &w->root.item[i];
		struct sv name = sv_of(f->name);
		bool down = sv_ends(name, SV(".down.sql"));

		if (!claims_suffix(f))
			continue;
		name.n -= down ? strlen(".down.sql") : strlen(".up.sql");
		half[n++] = (struct half){ name, down, f->name };
	}
	qsort(half, n, sizeof(*half), half_cmp);
	return n;
}

static void pair_suffix(struct source_walk *w)
{
	struct half *half = arena_alloc(&w->arena, (w->root.n + 1) * sizeof(*half));
	size_t n = collect(w, half);

	for (size_t i = 0; i < n; i++) {
		struct source_pair *p;

		if (half[i].down) {
			source_problem_add(
				w->s, true, source_path(w, NULL, half[i].name),
				"add the .up.sql file of the same name or remove the down",
				"a down without an up: %s", half[i].name);
			continue;
		}
		p = source_pair_add(w, half[i].stem);
		p->up = source_path(w, NULL, half[i].name);
		if (i + 1 < n && half[i + 1].down && sv_eq(half[i].stem, half[i + 1].stem))
			p->down = source_path(w, NULL, half[++i].name);
	}
}

const struct source_layout source_suffix = {
	.name = "suffix",
	.up_suffix = ".up.sql",
	.down_suffix = ".down.sql",
	.claims = claims_suffix,
	.pair = pair_suffix,
};
