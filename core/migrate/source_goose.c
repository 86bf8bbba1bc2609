/* SPDX-License-Identifier: MIT */
/*
 * Layout "goose": NNN_name.sql with `-- +goose Up` and `-- +goose Down`.
 *
 * Annotations begin in column 1 and their case is free. Each becomes an empty line of the section
 * it stands in. StatementBegin and StatementEnd are needless here, as the splitter knows bodies
 * of functions; that they come in pairs is checked all the same, because a lone one means that
 * text was lost. ENVSUB ON would put the environment's variables into a script and is refused: what runs has
 * to be what was reviewed.
 */
#include "core/migrate/source_layout.h"

#include <dirent.h>
#include <string.h>
#include <strings.h>

#include "core/db/sqlsplit.h"

enum note {
	NOTE_NONE, /* no annotation */
	NOTE_UP,
	NOTE_DOWN,
	NOTE_BEGIN,
	NOTE_END,
	NOTE_NO_TRANSACTION,
	NOTE_ENVSUB_ON,
	NOTE_ENVSUB_OFF,
	NOTE_UNKNOWN,
};

static const struct {
	const char *word;
	enum note note;
} notes[] = {
	{ "up", NOTE_UP },
	{ "down", NOTE_DOWN },
	{ "statementbegin", NOTE_BEGIN },
	{ "statementend", NOTE_END },
	{ "no transaction", NOTE_NO_TRANSACTION },
	{ "envsub on", NOTE_ENVSUB_ON },
	{ "envsub off", NOTE_ENVSUB_OFF },
};

static bool equal_nocase(struct sv s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static enum note note_of(struct sv line)
{
	struct sv rest;

	if (!sv_starts(line, SV("--")))
		return NOTE_NONE;
	rest = sv_trim(sv_n(line.p + 2, line.n - 2));
	if (rest.n < strlen("+goose") || strncasecmp(rest.p, "+goose", strlen("+goose")) != 0)
		return NOTE_NONE;
	rest = sv_trim(sv_n(rest.p + strlen("+goose"), rest.n - strlen("+goose")));
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (equal_nocase(rest, notes[i].word))
			return notes[i].note;
	return NOTE_UNKNOWN;
}

bool source_is_goose(struct sv text)
{
	struct sv rest = text, line;

	while (sv_cut(&rest, '\n', &line))
		if (note_of(line) == NOTE_UP)
			return true;
	return false;
}

struct cut {
	struct strbuf *out;
	int line, up_line, down_line, begin_line;
	size_t up_at, down_at;
	bool no_transaction;
};

static int refuse(const struct cut *c, struct err *e, const char *what, const char *hint)
{
	err_set(e, ERR_INPUT, "line %d: %s", c->line, what);
	return err_hint(e, "%s", hint);
}

static int take_direction(struct cut *c, bool down, struct err *e)
{
	if (c->begin_line != 0)
		return refuse(c, e, "a section begins inside a StatementBegin",
			      "add '-- +goose StatementEnd' above it");
	if (down ? c->down_line != 0 : c->up_line != 0)
		return refuse(c, e, "a second '-- +goose' line of the same direction",
			      "give every migration a file of its own");
	if (down && c->up_line == 0)
		return refuse(c, e, "'-- +goose Down' stands before '-- +goose Up'",
			      "put the up section first");
	*(down ? &c->down_line : &c->up_line) = c->line;
	*(down ? &c->down_at : &c->up_at) = c->out->len;
	return 0;
}

static int take_note(struct cut *c, enum note n, struct err *e)
{
	switch (n) {
	case NOTE_NONE:
	case NOTE_ENVSUB_OFF:
		break;
	case NOTE_UP:
		return take_direction(c, false, e);
	case NOTE_DOWN:
		return take_direction(c, true, e);
	case NOTE_BEGIN:
		if (c->begin_line != 0)
			return refuse(c, e, "a StatementBegin inside a StatementBegin",
				      "add '-- +goose StatementEnd' above it");
		c->begin_line = c->line;
		break;
	case NOTE_END:
		if (c->begin_line == 0)
			return refuse(c, e, "a StatementEnd without its StatementBegin",
				      "add '-- +goose StatementBegin' above the statement");
		c->begin_line = 0;
		break;
	case NOTE_NO_TRANSACTION:
		c->no_transaction = true;
		break;
	case NOTE_ENVSUB_ON:
		return refuse(c, e, "ENVSUB ON is not acted on",
			      "write the value itself: what runs is what was reviewed");
	case NOTE_UNKNOWN:
		return refuse(c, e, "an annotation of goose that this version does not know",
			      "remove the line, or write Up, Down, StatementBegin, StatementEnd or "
			      "NO TRANSACTION");
	}
	return 0;
}

static int cut_lines(struct cut *c, struct sv text, struct err *e)
{
	struct sv rest = text, line;

	while (sv_cut(&rest, '\n', &line)) {
		enum note n = note_of(line);

		c->line++;
		if (take_note(c, n, e) != 0)
			return -1;
		if (n == NOTE_UP || n == NOTE_DOWN)
			continue;
		if (n == NOTE_NONE) {
			if (c->up_line == 0 && !sql_is_empty(line))
				return refuse(c, e,
					      "a statement above '-- +goose Up' would never run",
					      "move it below the line");
			if (c->up_line != 0)
				strbuf_addsv(c->out, line);
		}
		/* The last line of a text may have no end; a section needs none. */
		if (c->up_line != 0 && line.p + line.n < text.p + text.n)
			strbuf_addc(c->out, '\n');
	}
	if (c->begin_line != 0) {
		c->line = c->begin_line;
		return refuse(c, e, "a StatementBegin without its StatementEnd",
			      "add '-- +goose StatementEnd' below the statement");
	}
	return 0;
}

int source_split_goose(struct sv text, struct strbuf *scratch, struct source_sections *out,
		       struct err *e)
{
	struct cut c = { .out = scratch };
	struct sv all;

	*out = (struct source_sections){ 0 };
	if (cut_lines(&c, text, e) != 0)
		return -1;
	if (c.up_line == 0) {
		err_set(e, ERR_INPUT, "no line '-- +goose Up'");
		return err_hint(e, "put '-- +goose Up' above the statements, and '-- +goose Down' "
				   "above those that undo them");
	}
	if (!strbuf_ok(scratch))
		return err_set(e, ERR_LIMIT, "the script is too long");
	all = sv_n(strbuf_str(scratch), scratch->len);
	out->has_down = c.down_line != 0;
	out->up = sv_n(all.p + c.up_at, (out->has_down ? c.down_at : all.n) - c.up_at);
	out->down = out->has_down ? sv_n(all.p + c.down_at, all.n - c.down_at) : sv_n(all.p, 0);
	out->no_transaction = c.no_transaction;
	return 0;
}

static bool is_go(const struct source_name *f)
{
	struct sv stem = sv_of(f->name);

	if (f->type == DT_DIR || !sv_ends(stem, SV(".go")) || sv_ends(stem, SV("_test.go")))
		return false;
	stem.n -= strlen(".go");
	return migration_id_length(stem) > 0;
}

static bool claims_goose(const struct source_name *f)
{
	return source_onefile.claims(f) || is_go(f);
}

static void pair_goose(struct source_walk *w)
{
	for (size_t i = 0; i < w->root.n; i++) {
		const struct source_name *f = &w->root.item[i];
		struct source_pair *p;

		if (is_go(f))
			source_problem_add(w->s, true, source_path(w, NULL, f->name),
					   "write it as SQL, or run goose itself",
					   "%s is written in Go and cannot be run here", f->name);
		if (!source_onefile.claims(f))
			continue;
		p = source_pair_add(w, sv_n(f->name, strlen(f->name) - strlen(".sql")));
		p->up = source_path(w, NULL, f->name);
	}
}

const struct source_layout source_goose = {
	.name = "goose",
	.up_suffix = ".sql",
	.split = source_split_goose,
	.up_marker = "-- +goose Up\n",
	.down_marker = "-- +goose Down\n",
	.claims = claims_goose,
	.pair = pair_goose,
};
