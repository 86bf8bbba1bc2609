/* SPDX-License-Identifier: MIT */
/*
 * `matrix`: migrations × environments.
 *
 * Ten thousand rows are usual for nobody and bearable for everybody: rows are written into one
 * buffer that is handed on in large pieces, and the JSON document is written directly, because a
 * tree of it would take longer than reading the files. The document lists rows oldest first; the
 * table newest first, as the console does.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/look.h"
#include "core/base/clock.h"
#include "core/base/utf8.h"
#include "tui/text.h"

#define OUT_BYTES ((size_t)256 << 10)
#define NAME_COLS_MAX 44

struct matrix_print {
	const struct project *p;
	const struct snapshot *snap;
	bool only_differing;
	struct strbuf out;
	size_t id_cols, name_cols;
	size_t *env_cols;
};

static int flush(struct matrix_print *m, bool all, struct err *e)
{
	if (!all && m->out.len < OUT_BYTES)
		return 0;
	if (print_out(strbuf_sv(&m->out), e) != 0)
		return -1;
	strbuf_reset(&m->out);
	return 0;
}

static bool is_shown(const struct matrix_print *m, const struct matrix_row *row)
{
	return !m->only_differing || row->differs;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void add_member(struct strbuf *out, const char *name, const char *text)
{
	strbuf_adds(out, name);
	add_json_str(out, text != NULL && text[0] != '\0' ? text : NULL);
}

static void add_cell_json(struct strbuf *out, const struct cell *cell)
{
	const struct applied *a = cell->applied;
	bool ran = a != NULL && (a->applied || a->failed);
	int64_t at = ran ? (a->applied ? a->at_utc_ms : a->failed_at_utc_ms) : 0;
	char text[CLOCK_TEXT_SIZE];

	add_member(out, "{\"state\":", cell_state_name(cell->state));
	if (cell->state == CELL_PARTIAL)
		strbuf_addf(out, ",\"statement\":%lld,\"of\":%lld", (long long)a->statements_done,
			    (long long)a->statements_total);
	add_member(out, ",\"at\":", at > 0 ? clock_iso(at, text) : NULL);
	add_member(out, ",\"by\":", ran ? a->who : NULL);
	strbuf_adds(out, ",\"ms\":");
	if (ran && a->applied && a->took_ms >= 0)
		strbuf_addf(out, "%lld", (long long)a->took_ms);
	else
		strbuf_adds(out, "null");
	add_member(out, ",\"checksum\":", ran && a->applied ? a->checksum : NULL);
	add_member(out, ",\"warning\":", a != NULL ? a->warning : NULL);
	strbuf_addc(out, '}');
}

static void add_row_json(struct matrix_print *m, const struct matrix_row *row, bool first)
{
	struct strbuf *out = &m->out;
	size_t i;

	add_member(out, first ? "\n{\"id\":" : ",\n{\"id\":", row->id);
	add_member(out, ",\"ns\":", row->ns);
	strbuf_adds(out, ",\"title\":");
	add_json_str(out, row->title != NULL ? row->title : "");
	strbuf_adds(out, ",\"reversible\":");
	strbuf_adds(out, row->file == NULL || row->file->framework ? "null"
			 : row->file->down == DOWN_SQL             ? "true"
								   : "false");
	add_member(out, ",\"checksum\":", row->file != NULL ? row->file->checksum : NULL);
	strbuf_adds(out, ",\"cells\":{");
	for (i = 0; i < m->p->n_env; i++) {
		if (i > 0)
			strbuf_addc(out, ',');
		add_json_str(out, m->p->env[i].name);
		strbuf_addc(out, ':');
		add_cell_json(out, &row->cell[i]);
	}
	strbuf_adds(out, "}}");
}

static int matrix_json(struct matrix_print *m, struct err *e)
{
	const struct matrix *x = m->snap->matrix;
	bool first = true;
	size_t i;

	strbuf_adds(&m->out, "{\"environments\":[");
	for (i = 0; i < m->p->n_env; i++) {
		if (i > 0)
			strbuf_addc(&m->out, ',');
		add_json_str(&m->out, m->p->env[i].name);
	}
	strbuf_adds(&m->out, "],\"rows\":[");
	for (i = 0; i < x->n_row; i++) {
		if (!is_shown(m, &x->row[i]))
			continue;
		add_row_json(m, &x->row[i], first);
		first = false;
		if (flush(m, false, e) != 0)
			return -1;
	}
	strbuf_adds(&m->out, "]}\n");
	return flush(m, true, e);
}

/* --- Table ----------------------------------------------------------------------------------- */

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* "ok 21 Nov 13:40", "pending". */
static void cell_text(const struct cell *cell, struct strbuf *out)
{
	char text[CLOCK_TEXT_SIZE];

	text_cell_words(cell, false, out);
	if (cell->state == CELL_APPLIED && cell->applied->warning != NULL)
		strbuf_adds(out, " WARNING");
	else if (cell->state == CELL_APPLIED && cell->applied->baselined)
		strbuf_adds(out, " baseline");
	else if (cell->state == CELL_APPLIED && cell->applied->at_utc_ms > 0)
		strbuf_addf(out, " %s", clock_short(cell->applied->at_utc_ms, text));
}

static void measure_cols(struct matrix_print *m)
{
	const struct matrix *x = m->snap->matrix;
	size_t i;

	m->id_cols = 4;
	m->name_cols = 4;
	for (i = 0; i < x->n_row; i++) {
		m->id_cols = larger(m->id_cols, utf8_cols(sv_of(x->row[i].id)));
		m->name_cols = larger(m->name_cols, utf8_cols(sv_of(x->row[i].title)));
	}
	if (m->name_cols > NAME_COLS_MAX)
		m->name_cols = NAME_COLS_MAX;
	for (i = 0; i < m->p->n_env; i++)
		m->env_cols[i] = larger(16, strlen(m->p->env[i].name) + 1);
}

static void end_line(struct strbuf *out)
{
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
	strbuf_addc(out, '\n');
}

static void add_head(struct matrix_print *m)
{
	size_t i;

	add_cell(&m->out, "id", m->id_cols + 1);
	add_cell(&m->out, "name", m->name_cols + 1);
	for (i = 0; i < m->p->n_env; i++) {
		if (m->p->env[i].is_protected)
			strbuf_addc(&m->out, '#');
		add_cell(&m->out, m->p->env[i].name, m->env_cols[i] + !m->p->env[i].is_protected);
	}
	strbuf_adds(&m->out, "down\n");
}

static void add_row(struct matrix_print *m, const struct matrix_row *row, struct strbuf *cell)
{
	static const char *const downs[] = { "no", "empty", "yes" };
	size_t i;

	add_cell(&m->out, row->id, m->id_cols + 1);
	add_cell(&m->out, row->title, m->name_cols + 1);
	for (i = 0; i < m->p->n_env; i++) {
		strbuf_reset(cell);
		if (m->p->env[i].is_protected)
			strbuf_addc(cell, '#');
		cell_text(&row->cell[i], cell);
		add_cell(&m->out, strbuf_str(cell), m->env_cols[i] + 1);
	}
	if (row->file != NULL && row->file->framework)
		strbuf_adds(&m->out, "tool"); /* what its downgrade does is in the code */
	else
		strbuf_adds(&m->out, row->file != NULL ? downs[row->file->down] : "-");
	end_line(&m->out);
}

static int matrix_table(struct matrix_print *m, struct err *e)
{
	const struct matrix *x = m->snap->matrix;
	struct strbuf cell, brief;
	size_t i;
	int rc = -1;

	strbuf_init(&cell, 256);
	strbuf_init(&brief, STRBUF_NO_LIMIT);
	m->env_cols = mem_calloc(m->p->n_env + 1, sizeof(*m->env_cols));
	measure_cols(m);
	strbuf_addf(&m->out, "%zu migration%s, %zu differ%s", x->n_row, x->n_row == 1 ? "" : "s",
		    x->n_differs, x->n_differs == 1 ? "s" : "");
	if (m->snap->git != NULL)
		git_state_brief(&m->snap->git->state, &brief);
	strbuf_addf(&m->out, "%s%s\n", brief.len > 0 ? ", " : "", strbuf_str(&brief));
	add_head(m);
	for (i = x->n_row; i-- > 0;) {
		if (!is_shown(m, &x->row[i]))
			continue;
		add_row(m, &x->row[i], &cell);
		if (flush(m, false, e) != 0)
			goto out;
	}
	rc = flush(m, true, e);
out:
	mem_free(m->env_cols);
	strbuf_clear(&cell);
	strbuf_clear(&brief);
	return rc;
}

/* What the cells cannot say goes to stderr, so that the result stays a result. */
static void print_troubles(const struct matrix_print *m)
{
	const struct source_problem *problem;
	size_t i;

	for (i = 0; i < m->snap->n_env; i++)
		if (m->snap->env[i].has_db && !m->snap->env[i].reachable)
			print_note("%s is unknown: %s: %s", m->p->env[i].name,
				   m->snap->env[i].err.msg, m->snap->env[i].err.detail);
	for (i = 0; m->snap->source != NULL && i < m->snap->source->n_problem; i++) {
		problem = &m->snap->source->problem[i];
		print_note("%s%s%s", problem->path, problem->path[0] != '\0' ? ": " : "",
			   problem->msg);
	}
}

static bool matrix_differs(const struct matrix_print *m)
{
	size_t i;

	for (i = 0; i < m->snap->n_env; i++) {
		const struct matrix_count *n = &m->snap->matrix->count[i];

		if (m->snap->env[i].has_db && !m->snap->env[i].reachable)
			return true;
		if (n->pending + n->failed + n->changed + n->missing + n->late + n->warned > 0)
			return true;
	}
	return m->snap->matrix->n_differs > 0;
}

int cmd_matrix(struct cli *c, struct err *e)
{
	struct matrix_print m = { .p = c->project,
				  .only_differing = args_has(&c->args, OPT_DIFFERS) };
	struct snapshot *snap;
	int rc = -1;

	strbuf_init(&m.out, STRBUF_NO_LIMIT);
	snap = look_read(c, SNAPSHOT_GIT, NULL, NULL, e);
	if (snap == NULL)
		goto out;
	m.snap = snap;
	if (snap->source == NULL) {
		*e = snap->source_err;
		goto out;
	}
	print_troubles(&m);
	rc = args_has(&c->args, OPT_JSON) ? matrix_json(&m, e) : matrix_table(&m, e);
	if (rc == 0 && args_has(&c->args, OPT_CHECK) && matrix_differs(&m))
		rc = EXIT_DIFFERS;
out:
	strbuf_clear(&m.out);
	snapshot_free(snap);
	return rc;
}
