/* SPDX-License-Identifier: MIT */
/*
 * Layout "one-file": NNN_name.sql with a line `-- migrate:up` and, when it can go back, a line
 * `-- migrate:down`. The same markers as dbmate's, whose folders can be used as they are.
 *
 * A section begins after its marker line. Above the up marker only comments may stand: a statement
 * there would belong to no direction and never run. Options behind a marker
 * (`transaction:false`) are read as directives by migration_directives().
 */
#include "core/migrate/source_layout.h"

#include <string.h>

#include "core/db/sqlsplit.h"

enum marker { MARKER_NONE, MARKER_UP, MARKER_DOWN };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The marker on a line, if any: "--", blanks, the word, then a blank or the end. */
static enum marker marker_of(struct sv line)
{
	enum marker found = MARKER_NONE;
	struct sv rest = sv_trim(line);

	if (!sv_starts(rest, SV("--")))
		return MARKER_NONE;
	rest = sv_trim(sv_n(rest.p + 2, rest.n - 2));
	if (sv_starts(rest, SV("migrate:up"))) {
		found = MARKER_UP;
		rest = sv_n(rest.p + strlen("migrate:up"), rest.n - strlen("migrate:up"));
	} else if (sv_starts(rest, SV("migrate:down"))) {
		found = MARKER_DOWN;
		rest = sv_n(rest.p + strlen("migrate:down"), rest.n - strlen("migrate:down"));
	}
	return rest.n == 0 || is_blank(rest.p[0]) ? found : MARKER_NONE;
}

struct marker_places {
	const char *up_line, *up_end, *down_line,
		*down_end; /* first byte of the line, and behind it */
	int up_n, down_n;
};

static int second_marker(struct err *e, const char *word, int first, int second)
{
	err_set(e, ERR_INPUT, "two lines '-- migrate:%s', %d and %d", word, first, second);
	return err_hint(e, "give every migration a file of its own");
}

static int find_markers(struct sv text, struct marker_places *at, struct err *e)
{
	struct sv rest = text, line;
	int n = 0;

	while (sv_cut(&rest, '\n', &line)) {
		enum marker m = marker_of(line);
		const char *end = line.p + line.n;

		if (end < text.p + text.n)
			end++; /* the newline */
		n++;
		if (m == MARKER_UP) {
			if (at->up_n != 0)
				return second_marker(e, "up", at->up_n, n);
			at->up_n = n;
			at->up_line = line.p;
			at->up_end = end;
		} else if (m == MARKER_DOWN) {
			if (at->down_n != 0)
				return second_marker(e, "down", at->down_n, n);
			at->down_n = n;
			at->down_line = line.p;
			at->down_end = end;
		}
	}
	return 0;
}

int source_split(struct sv text, struct source_sections *out, struct err *e)
{
	struct marker_places at = { 0 };
	const char *end = text.p + text.n;

	*out = (struct source_sections){ 0 };
	if (find_markers(text, &at, e) != 0)
		return -1;
	if (at.up_n == 0) {
		err_set(e, ERR_INPUT,
			at.down_n != 0 ? "a down without an up: no line '-- migrate:up'"
				       : "no line '-- migrate:up'");
		return err_hint(
			e, "put '-- migrate:up' above the statements, and '-- migrate:down' above "
			   "those that undo them");
	}
	if (at.down_n != 0 && at.down_n < at.up_n) {
		err_set(e, ERR_INPUT,
			"'-- migrate:down' in line %d stands before '-- migrate:up' in line %d",
			at.down_n, at.up_n);
		return err_hint(e, "put the up section first");
	}
	out->head = sv_n(text.p, (size_t)(at.up_line - text.p));
	if (!sql_is_empty(out->head)) {
		err_set(e, ERR_INPUT, "statements above '-- migrate:up' in line %d would never run",
			at.up_n);
		return err_hint(e, "move them below the line");
	}
	out->has_down = at.down_n != 0;
	out->up = sv_n(at.up_end, (size_t)((out->has_down ? at.down_line : end) - at.up_end));
	out->down = out->has_down ? sv_n(at.down_end, (size_t)(end - at.down_end)) : sv_n(end, 0);
	return 0;
}

static int split_onefile(struct sv text, struct strbuf *scratch, struct source_sections *out,
			 struct err *e)
{
	(void)scratch;
	return source_split(text, out, e);
}

/* Files of the suffix layout are numbered .sql files too; they are not ours. */
static bool claims_onefile(const struct source_name *f)
{
	return source_is_numbered_sql(f) && !source_suffix.claims(f);
}

static void pair_onefile(struct source_walk *w)
{
	for (size_t i = 0; i < w->root.n; i++) {
		const char *name = w->root.item[i].name;

		if (claims_onefile(&w->root.item[i])) {
			struct source_pair *p =
				source_pair_add(w, sv_n(name, strlen(name) - strlen(".sql")));

			p->up = source_path(w, NULL, name);
		}
	}
}

const struct source_layout source_onefile = {
	.name = "one-file",
	.up_suffix = ".sql",
	.split = split_onefile,
	.up_marker = "-- migrate:up\n",
	.down_marker = "-- migrate:down\n",
	.claims = claims_onefile,
	.pair = pair_onefile,
};
