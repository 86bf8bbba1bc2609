/* SPDX-License-Identifier: MIT */
/*
 * The palette: names of actions, completed and run.
 *
 * Candidates are offered to a sink one by one, in the order of their use; the sink keeps what fits
 * the typed beginning. There are no more than a few thousand (10,000 migrations at most), so every
 * key looks at all of them again and nothing is indexed.
 *
 * A beginning is enough for an action that has a key; what has none (`abort`, `takeover`) must be
 * written out, because it has none on purpose.
 */
#include "tui/palette.h"

#include <stdio.h>
#include <string.h>

struct sink {
	struct palette_list *out;
	struct sv start; /* what the word must begin with */
};

static void offer(struct sink *s, const char *word, const char *help)
{
	struct palette_list *out = s->out;

	if (!sv_starts(sv_of(word), s->start))
		return;
	if (out->total == 0)
		str_copy(out->common, sizeof(out->common), word);
	while (strncmp(out->common, word, strlen(out->common)) != 0)
		out->common[strlen(out->common) - 1] = '\0';
	if (out->n < PALETTE_SHOWN) {
		str_copy(out->word[out->n], PALETTE_WORD_SIZE, word);
		out->help[out->n++] = help;
	}
	out->total++;
}

static bool action_here(const struct tui *t, int act)
{
	return (action_table[act].where & t->view[t->shown]->where) != 0;
}

static void offer_actions(const struct tui *t, struct sink *s)
{
	for (int pass = 0; pass < 2; pass++)
		for (int act = 0; act < ACTIONS; act++)
			if (action_here(t, act) == (pass == 0) && tui_offers(t, (enum action)act))
				offer(s, action_table[act].name, action_table[act].help);
}

static void offer_environments(const struct tui *t, struct sink *s)
{
	for (size_t i = 0; i < t->model.project->n_env; i++)
		offer(s, t->model.project->env[i].name, "");
}

static void offer_services(const struct tui *t, struct sink *s)
{
	int env = tui_selected_env(t);

	for (size_t i = 0; env >= 0 && i < t->model.project->env[env].n_service; i++)
		offer(s, t->model.project->env[env].service[i].runtime.name, "");
}

static void offer_levels(struct sink *s)
{
	for (int l = LOG_LEVEL_TRACE; l < LOG_LEVELS; l++)
		offer(s, log_level_name((enum log_level)l), "lines of that level and above");
}

static void offer_migrations(const struct tui *t, struct sink *s)
{
	const struct matrix *m = t->model.snap ? t->model.snap->matrix : NULL;

	for (size_t i = m ? m->n_row : 0; i-- > 0;)
		offer(s, m->row[i].id, m->row[i].title);
}

static void offer_runs(const struct tui *t, struct sink *s)
{
	for (size_t i = 0; i < t->model.n_runs; i++)
		offer(s, t->model.runs[i]->number, run_state_name(t->model.runs[i]->state));
}

static void offer_argument(const struct tui *t, enum action act, struct sink *s)
{
	const char *arg = act == ACT_NONE ? NULL : action_table[act].argument;

	if (!arg)
		return;
	if (strcmp(arg, "ENV") == 0) {
		offer_environments(t, s);
	} else if (strcmp(arg, "SERVICE") == 0) {
		offer_services(t, s);
	} else if (strcmp(arg, "LEVEL") == 0) {
		offer_levels(s);
	} else if (strcmp(arg, "NAME") == 0) {
		for (size_t i = 0; theme_name(i); i++)
			offer(s, theme_name(i), "");
	} else if (strcmp(arg, "TEXT") == 0) {
		if (act == ACT_FILTER)
			offer(s, "differs", "rows that are not the same everywhere");
		offer_migrations(t, s);
	}
}

/* The text up to its last word, and that word. */
static void split_last(const char *text, struct sv *before, struct sv *last)
{
	const char *blank = strrchr(text, ' ');

	*last = sv_of(blank ? blank + 1 : text);
	*before = sv_trim(sv_n(text, blank ? (size_t)(blank - text) : 0));
}

static enum action action_of_sv(struct sv name)
{
	char word[64];

	str_copy_sv(word, sizeof(word), name);
	return action_of(word);
}

void palette_complete(const struct tui *t, const char *text, struct palette_list *out)
{
	struct sv before;
	struct sink s = { .out = out };

	out->n = out->total = 0;
	out->common[0] = '\0';
	split_last(text, &before, &s.start);
	if (before.n > 0) {
		offer_argument(t, action_of_sv(before), &s);
		return;
	}
	offer_actions(t, &s);
	if (s.start.n > 0) {
		offer_runs(t, &s);
		offer_migrations(t, &s);
	}
}

bool palette_extend(const struct tui *t, char *text, size_t size)
{
	struct palette_list list;
	struct sv before, last;
	char line[512];
	enum action act;

	palette_complete(t, text, &list);
	split_last(text, &before, &last);
	if (list.total == 0)
		return false;
	act = list.total == 1 && before.n == 0 ? action_of(list.common) : ACT_NONE;
	snprintf(line, sizeof(line), "%.*s%s%s%s", (int)before.n, before.p ? before.p : "",
		 before.n > 0 ? " " : "", list.common,
		 act != ACT_NONE && action_table[act].argument ? " " : "");
	if (strcmp(line, text) == 0)
		return false;
	str_copy(text, size, line);
	return true;
}

/* The action a first word means: its name, a beginning that only one action with a key has. */
static enum action action_meant(struct sv word)
{
	enum action found = action_of_sv(word);
	int n = 0;

	if (found != ACT_NONE)
		return found;
	for (int act = 0; act < ACTIONS; act++)
		if (action_table[act].keys && sv_starts(sv_of(action_table[act].name), word)) {
			found = (enum action)act;
			n++;
		}
	return n == 1 ? found : ACT_NONE;
}

static bool run_of_run(struct tui *t, struct sv word)
{
	for (size_t i = 0; i < t->model.n_runs; i++) {
		const struct run *r = t->model.runs[i];

		if (sv_eq_str(word, r->number) || sv_eq_str(word, r->id)) {
			tui_watch(t, r->id);
			return true;
		}
	}
	return false;
}

static bool find_migration(struct tui *t, struct sv word)
{
	const struct matrix *m = t->model.snap ? t->model.snap->matrix : NULL;

	for (size_t i = 0; m && i < m->n_row; i++)
		if (sv_eq_str(word, m->row[i].id)) {
			tui_show(t, VIEW_MATRIX);
			tui_action(t, ACT_FIND, m->row[i].id);
			return true;
		}
	return false;
}

static int unknown_command(struct sv word, struct err *e)
{
	const char *names[ACTIONS], *near;
	char text[64];

	for (int i = 0; i < ACTIONS; i++)
		names[i] = action_table[i].name;
	str_copy_sv(text, sizeof(text), word);
	near = str_nearest(text, names, ACTIONS);
	err_set(e, ERR_USAGE, "there is no command `%s`", text);
	if (near)
		err_detail(e, "did you mean `%s`?", near);
	return err_hint(e, "Tab shows what there is");
}

int palette_run(struct tui *t, const char *text, struct err *e)
{
	struct sv rest = sv_trim(sv_of(text)), word;
	char arg[256];
	enum action act;

	if (rest.n == 0)
		return 0;
	sv_cut(&rest, ' ', &word);
	rest = sv_trim(rest);
	act = sv_eq_str(word, "q") ? ACT_QUIT : action_meant(word);
	if (act == ACT_NONE) {
		if (rest.n == 0 && (run_of_run(t, word) || find_migration(t, word)))
			return 0;
		return unknown_command(word, e);
	}
	if (rest.n > 0 && !action_table[act].argument) {
		err_set(e, ERR_USAGE, "`%s` takes no argument", action_table[act].name);
		return err_detail(e, "found `%.*s`", (int)rest.n, rest.p);
	}
	str_copy_sv(arg, sizeof(arg), rest);
	tui_action(t, act, rest.n > 0 ? arg : NULL);
	return 0;
}
