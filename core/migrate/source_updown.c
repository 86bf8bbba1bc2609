/* SPDX-License-Identifier: MIT */
/* Layout "up-down-folders": up/NNN_name.sql with down/ holding the same file name. */
#include "core/migrate/source_layout.h"

#include <string.h>

/* The up of another name with the number of the lonely down, for the hint; or NULL. */
static const char *same_number(const struct source_listing *up, const char *name)
{
	struct sv id = sv_of(name);

	id.n = migration_id_length(id);
	for (size_t i = 0; id.n > 0 && i < up->n; i++) {
		struct sv other = sv_of(up->item[i].name);

		other.n = migration_id_length(other);
		if (source_is_numbered_sql(&up->item[i]) && sv_eq(id, other))
			return up->item[i].name;
	}
	return NULL;
}

static void report_lonely(struct source_walk *w, const char *name)
{
	const char *near = same_number(&w->up, name);
	char hint[2 * SOURCE_NAME_MAX + 40];

	if (near != NULL)
		snprintf(hint, sizeof(hint), "rename it to down/%s", near);
	else
		snprintf(hint, sizeof(hint), "add up/%s or remove the down", name);
	source_problem_add(w->s, true, source_path(w, "down", name), hint,
			   "a down without an up: down/%s", name);
}

/* Both listings are sorted by name, so one pass joins them. */
static void pair_updown(struct source_walk *w)
{
	size_t d = 0;

	for (size_t u = 0; u < w->up.n; u++) {
		const struct source_name *f = &w->up.item[u];
		struct source_pair *p;

		if (!source_is_numbered_sql(f))
			continue;
		for (; d < w->down.n && strcmp(w->down.item[d].name, f->name) < 0; d++)
			if (source_is_numbered_sql(&w->down.item[d]))
				report_lonely(w, w->down.item[d].name);
		p = source_pair_add(w, sv_n(f->name, strlen(f->name) - strlen(".sql")));
		p->up = source_path(w, "up", f->name);
		if (d < w->down.n && strcmp(w->down.item[d].name, f->name) == 0)
			p->down = source_path(w, "down", w->down.item[d++].name);
	}
	for (; d < w->down.n; d++)
		if (source_is_numbered_sql(&w->down.item[d]))
			report_lonely(w, w->down.item[d].name);
}

const struct source_layout source_updown = {
	.name = "up-down-folders",
	.up_dir = "up",
	.down_dir = "down",
	.up_suffix = ".sql",
	.down_suffix = ".sql",
	.claims = source_is_numbered_sql,
	.pair = pair_updown,
};
