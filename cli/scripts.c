/* SPDX-License-Identifier: MIT */
/* The texts behind a plan: the statements it would run, and was and now of a changed migration. */
#include <string.h>

#include "cli/request.h"
#include "core/base/textdiff.h"
#include "core/base/utf8.h"
#include "core/db/db.h"
#include "core/ledger/ledger.h"
#include "core/migrate/source.h"
#include "core/release/env_open.h"

#define DIFF_CONTEXT 3

static const struct history *target_history(const struct change *ch)
{
	return ch->facts.history[env_index(ch->c->project, ch->env)];
}

/* The texts stored with the event in force; either buffer may be NULL. */
static int stored_scripts(const struct change *ch, const struct applied *a, struct strbuf *up,
			  struct strbuf *down, struct err *e)
{
	struct db *db = NULL;
	bool has_down;
	int rc = -1;

	if (env_open(&ch->c->ctx, ch->env, DB_READ_ONLY, NULL, &db, e) == 0)
		rc = ledger_scripts(db, a->script_seq, up, down, &has_down, e);
	db_close(db);
	return rc;
}

static int step_script(const struct change *ch, const struct step *s, struct strbuf *out,
		       struct err *e)
{
	const struct source *source = source_for(ch->facts.source, ch->env->dsn.engine);
	const struct migration *m = source != NULL ? source_find(source, s->ns, s->id) : NULL;
	const struct history *h = target_history(ch);
	const struct applied *a = h != NULL ? history_find(h, s->ns, s->id) : NULL;

	if (s->kind == STEP_SEED)
		return seed_text(s->path, out, e);
	if (s->kind == STEP_UP && m != NULL)
		return source_script(source, m, false, out, e);
	if (s->kind == STEP_DOWN && ch->plan->down_from_file && m != NULL)
		return source_script(source, m, true, out, e);
	if (s->kind == STEP_DOWN && a != NULL)
		return stored_scripts(ch, a, NULL, out, e);
	return err_set(e, ERR_NOT_FOUND, "cannot find the script of %s", s->id);
}

/* On a terminal the texts are cleaned; anything else gets them byte by byte, since the output is
 * meant to be run by another program and cleaning would change strings in it. */
static void add_script(const struct change *ch, struct strbuf *out, const struct strbuf *text)
{
	if (ch->c->terminal_out)
		clean_lines(out, strbuf_sv(text), false);
	else
		strbuf_addsv(out, strbuf_sv(text));
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		strbuf_addc(out, '\n');
}

int change_print_sql(const struct change *ch, struct err *e)
{
	struct strbuf out, text;
	size_t i;
	int rc = -1;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_init(&text, SOURCE_FILE_MAX);
	for (i = 0; i < ch->plan->n_step; i++) {
		const struct step *s = &ch->plan->step[i];

		if (s->kind != STEP_UP && s->kind != STEP_DOWN && s->kind != STEP_SEED)
			continue;
		if (s->command != NULL) {
			strbuf_addf(&out, "-- %s, by %s:\n-- ", s->what, ch->plan->tool);
			add_clean(&out, s->command);
			strbuf_adds(&out, "\n\n");
			continue;
		}
		strbuf_reset(&text);
		if (step_script(ch, s, &text, e) != 0)
			goto out;
		strbuf_adds(&out, "-- ");
		add_clean(&out, s->what);
		strbuf_adds(&out, s->no_transaction
					  ? ", outside a transaction\n"
					  : ", in one transaction with its history event\n");
		add_script(ch, &out, &text);
		strbuf_addc(&out, '\n');
	}
	rc = print_out(strbuf_sv(&out), e);
out:
	strbuf_clear(&text);
	strbuf_clear(&out);
	return rc;
}

static void add_diff(struct strbuf *out, struct sv was, struct sv now)
{
	static const char marks[] = { [DIFF_SAME] = ' ', [DIFF_OLD] = '-', [DIFF_NEW] = '+' };
	struct arena a;
	size_t n, i;
	struct diff_line *line;

	arena_init(&a);
	line = textdiff(&a, was, now, DIFF_CONTEXT, &n);
	for (i = 0; i < n; i++) {
		if (line[i].kind == DIFF_SKIP) {
			strbuf_addf(out, " … %d equal lines\n", line[i].old_line);
			continue;
		}
		strbuf_addc(out, marks[line[i].kind]);
		clean_text(out, line[i].text, false);
		strbuf_addc(out, '\n');
	}
	arena_clear(&a);
}

int change_diff(const struct change *ch, const char *ns, const char *id, struct strbuf *out,
		struct err *e)
{
	const struct history *h = target_history(ch);
	const struct applied *a = h != NULL ? history_find(h, ns, id) : NULL;
	const struct source *source = source_for(ch->facts.source, ch->env->dsn.engine);
	const struct migration *m = source != NULL ? source_find(source, ns, id) : NULL;
	struct strbuf was, now;
	int rc = -1;

	strbuf_init(&was, SOURCE_FILE_MAX);
	strbuf_init(&now, SOURCE_FILE_MAX);
	if (a != NULL && a->applied && stored_scripts(ch, a, &was, NULL, e) != 0)
		goto out;
	if (m != NULL && source_script(source, m, false, &now, e) != 0)
		goto out;
	strbuf_addf(out, "--- was: %s as applied to %s\n", id, ch->env->name);
	strbuf_addf(out, "+++ now: %s\n", m != NULL ? m->up_path : "no file");
	add_diff(out, strbuf_sv(&was), strbuf_sv(&now));
	rc = 0;
out:
	strbuf_clear(&was);
	strbuf_clear(&now);
	return rc;
}

const struct applied *change_first_changed(const struct change *ch)
{
	const struct source *source = source_for(ch->facts.source, ch->env->dsn.engine);
	const struct history *h = target_history(ch);
	size_t i;

	for (i = 0; h != NULL && source != NULL && i < h->n; i++) {
		const struct applied *a = &h->list[i];
		const struct migration *m = source_find(source, a->ns, a->id);

		if (a->applied && m != NULL && a->checksum != NULL &&
		    strcmp(a->checksum, m->checksum) != 0)
			return a;
	}
	return NULL;
}
