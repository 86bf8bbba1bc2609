/* SPDX-License-Identifier: MIT */
/*
 * A plan as linear text: what `--dry-run`, `plan` and a screen reader get. Four parts in the order
 * in which a tired person asks: what is this about, may it run, what will it do, what else should
 * I know. No colour, no box; a closed gate is told by its word and by the command under it.
 *
 * Protected environments carry a `#` in front of their name wherever it stands alone, as on the
 * screens. Names and titles come from files and databases, so everything goes through clean_text().
 */
#include "core/release/plan.h"

#include "core/base/clock.h"
#include "core/base/utf8.h"

#include <string.h>

#define WHAT_COLS_MAX 68 /* a longer text moves its own line to the right, not all lines */

static void put(struct strbuf *out, const char *text)
{
	clean_text(out, sv_of(text), false);
}

/* text, and blanks up to cols columns of it. */
static void put_padded(struct strbuf *out, const char *text, size_t cols)
{
	size_t have = utf8_cols(sv_of(text));

	put(out, text);
	if (have < cols)
		strbuf_pad(out, ' ', cols - have);
}

static void put_label(struct strbuf *out, const char *label)
{
	strbuf_adds(out, "  ");
	put_padded(out, label, 11);
}

static void put_line(struct strbuf *out, const char *label, const char *text)
{
	put_label(out, label);
	put(out, text);
	strbuf_addc(out, '\n');
}

/* --- Header --------------------------------------------------------------------------------------- */

static void put_header(const struct plan *p, struct strbuf *out)
{
	put(out, operation_name(p->op));
	strbuf_adds(out, p->is_protected ? " #" : " ");
	put(out, p->environment);
	if (p->target[0]) {
		strbuf_addc(out, ' ');
		put(out, p->target);
	}
	strbuf_adds(out, "\n\n");
	put_line(out, "project", p->project);
	if (p->env.dsn.shown)
		put_line(out, "database", p->env.dsn.shown);
	if (p->op != OP_RESTORE) {
		put_label(out, "schema");
		put(out, p->from_head[0] ? p->from_head : "none");
		if (strcmp(p->from_head, p->to_head) != 0) {
			strbuf_adds(out, " -> ");
			put(out, p->to_head[0] ? p->to_head : "none");
		}
		strbuf_addc(out, '\n');
	}
	put_label(out, "changes");
	if (p->n_change == 0)
		strbuf_adds(out, "none: nothing to do\n");
	else
		strbuf_addf(out, "%zu of %zu steps\n", p->n_change, p->n_step);
}

/* --- Gates ---------------------------------------------------------------------------------------- */

static const char *gate_word(const struct gate *g)
{
	if (g->open)
		return "open";
	return g->overridden ? "OVERRIDDEN" : "CLOSED";
}

static void put_reason(const struct plan *p, const struct gate *g, struct strbuf *out,
		       size_t indent)
{
	for (size_t i = 0; i < p->n_override; i++) {
		if (strcmp(p->override[i].gate, g->name) != 0)
			continue;
		strbuf_pad(out, ' ', indent);
		strbuf_adds(out, "reason:  ");
		put(out, p->override[i].reason);
		strbuf_addc(out, '\n');
	}
}

static void put_gate(const struct plan *p, const struct gate *g, size_t name_cols,
		     struct strbuf *out)
{
	size_t indent = 2 + 12 + name_cols + 2;

	strbuf_adds(out, "  ");
	put_padded(out, gate_word(g), 12);
	put_padded(out, g->name, name_cols + 2);
	put(out, g->measured);
	strbuf_addc(out, '\n');
	if (g->open)
		return;
	strbuf_pad(out, ' ', indent);
	strbuf_adds(out, "rule:    ");
	put(out, g->rule);
	strbuf_addc(out, '\n');
	if (g->overridden) {
		put_reason(p, g, out, indent);
		return;
	}
	strbuf_pad(out, ' ', indent);
	strbuf_adds(out, "open it: ");
	put(out, g->satisfy);
	strbuf_addc(out, '\n');
}

static void put_gates(const struct plan *p, struct strbuf *out)
{
	size_t open = 0, cols = 0;

	for (size_t i = 0; i < p->n_gate; i++) {
		size_t w = utf8_cols(sv_of(p->gate[i].name));

		open += p->gate[i].open;
		cols = w > cols ? w : cols;
	}
	strbuf_addf(out, "\ngates: %zu of %zu open\n", open, p->n_gate);
	for (size_t i = 0; i < p->n_gate; i++)
		put_gate(p, &p->gate[i], cols, out);
}

/* --- Steps ---------------------------------------------------------------------------------------- */

static void put_step(const struct step *s, size_t what_cols, struct strbuf *out)
{
	char span[CLOCK_TEXT_SIZE] = "-";

	if (s->expect_ms >= 0)
		clock_span(s->expect_ms, span);
	strbuf_addf(out, "  %3d  ", s->n);
	put_padded(out, s->what, what_cols);
	strbuf_addf(out, "  %6s", span);
	if (s->no_return)
		strbuf_adds(out, s->kind == STEP_DOWN ? "  DATA LOSS: " : "  NO RETURN: ");
	else if (s->undo[0])
		strbuf_adds(out, "  ");
	put(out, s->undo);
	strbuf_addc(out, '\n');
}

static void put_steps(const struct plan *p, struct strbuf *out)
{
	size_t cols = 4;

	if (p->n_step == 0)
		return;
	for (size_t i = 0; i < p->n_step; i++) {
		size_t w = utf8_cols(sv_of(p->step[i].what));

		if (w > cols && w <= WHAT_COLS_MAX)
			cols = w;
	}
	strbuf_adds(out, "\nsteps:\n    #  ");
	put_padded(out, "step", cols);
	strbuf_adds(out, "  expect  undo\n");
	for (size_t i = 0; i < p->n_step; i++)
		put_step(&p->step[i], cols, out);
}

void plan_text(const struct plan *p, struct strbuf *out)
{
	put_header(p, out);
	put_gates(p, out);
	put_steps(p, out);
	if (p->n_note)
		strbuf_adds(out, "\nnotes:\n");
	for (size_t i = 0; i < p->n_note; i++) {
		strbuf_adds(out, "  - ");
		put(out, p->note[i]);
		strbuf_addc(out, '\n');
	}
	strbuf_adds(out, "\ncommand: ");
	put(out, p->command);
	strbuf_addc(out, '\n');
}
