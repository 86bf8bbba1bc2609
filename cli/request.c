/* SPDX-License-Identifier: MIT */
#include "cli/request.h"

#include <string.h>

#include "core/backup/backup.h"
#include "core/release/run.h"

static int take_rollback(struct change *ch, const char *how, const char *what, struct err *e)
{
	struct plan_request *r = &ch->request;

	if (how != NULL && what != NULL && strcmp(how, "last") == 0) {
		if (sv_int(sv_of(what), 1, 1000000, &r->last))
			return 0;
		err_set(e, ERR_USAGE, "cannot roll back the last %s migrations", what);
		return err_hint(e, "write a number from 1, such as last 1");
	}
	if (how != NULL && what != NULL && strcmp(how, "to-version") == 0) {
		r->to_version = what;
		return 0;
	}
	err_set(e, ERR_USAGE, "cannot tell how far to roll back");
	err_detail(e, "usage: bascule rollback ENV last N, or bascule rollback ENV to-version V");
	return err_hint(e, "bascule rollback %s last 1 --dry-run", ch->env->name);
}

static int take_mark(struct change *ch, const char *id, const char *word, struct err *e)
{
	const char *n = ch->c->args.value[OPT_STATEMENT];
	struct plan_request *r = &ch->request;

	if (id == NULL)
		return err_set(e, ERR_USAGE, "mark wants the migration's id");
	r->only = id;
	if (n == NULL || !sv_int(sv_of(n), 1, INT64_MAX, &r->statement)) {
		err_set(e, ERR_USAGE, "cannot tell which statement is meant");
		err_detail(e, "--statement wants its number, from 1");
		return err_hint(e, "bascule mark %s %s --statement 1 done --reason 'why'",
				ch->env->name, id);
	}
	r->statement_done = word != NULL && strcmp(word, "done") == 0;
	if (r->statement_done || (word != NULL && strcmp(word, "not-done") == 0))
		return 0;
	err_set(e, ERR_USAGE, "cannot tell whether the statement has run");
	err_detail(e, "write done or not-done");
	return err_hint(e, "bascule mark %s %s --statement %s done --reason 'why'", ch->env->name,
			id, n);
}

static int take_restore(struct change *ch, const char *id, struct err *e)
{
	struct backup b;

	if (id == NULL)
		return err_set(e, ERR_USAGE, "restore wants the backup's id");
	if (backup_find(ch->c->ctx.backups_dir, ch->env->name, id, &b, e) != 0)
		return -1;
	ch->request.backup = arena_strdup(&ch->c->arena, b.id);
	ch->request.backup_path = arena_strdup(&ch->c->arena, b.path);
	backup_clear(&b);
	return 0;
}

static int take_seeds(struct change *ch, size_t first, struct err *e)
{
	struct plan_request *r = &ch->request;

	for (size_t i = first; r->n_marked < ARGS_WORDS_MAX && cli_word(ch->c, i) != NULL; i++)
		ch->named[r->n_marked++] = cli_word(ch->c, i);
	r->marked = ch->named;
	if (seeds_read(ch->c->project->seeds, ch->env->name, &ch->seeds, e) != 0)
		return -1;
	r->seeds = ch->seeds;
	return 0;
}

/* One reason for all of them: who passes two gates does so for one purpose. */
static int take_overrides(struct change *ch, struct err *e)
{
	const struct args *a = &ch->c->args;
	const char *reason = a->value[OPT_REASON];
	size_t i;

	if (a->n_override > 0 && str_blank(reason)) {
		err_set(e, ERR_USAGE, "cannot override a gate without a reason");
		return err_hint(e, "add --reason 'why'");
	}
	for (i = 0; i < a->n_override; i++)
		ch->override[i] = (struct plan_override){ a->override[i], reason };
	ch->request.override = ch->override;
	ch->request.n_override = a->n_override;
	return 0;
}

static int take_words(struct change *ch, enum operation op, size_t first, struct err *e)
{
	struct plan_request *r = &ch->request;
	const struct args *a = &ch->c->args;
	const char *one = cli_word(ch->c, first + 1), *two = cli_word(ch->c, first + 2);
	bool extra = op == OP_ROLLBACK || op == OP_MARK    ? cli_word(ch->c, first + 3) != NULL
		     : op == OP_ACCEPT || op == OP_RESTORE ? two != NULL
		     : op == OP_SEED                       ? false
							   : one != NULL;

	r->op = op;
	r->environment = ch->env->name;
	r->to = a->value[OPT_TO];
	r->reason = a->value[OPT_REASON];
	r->down_from_file = args_has(a, OPT_DOWN);
	if (r->down_from_file && strcmp(a->value[OPT_DOWN], "file") != 0) {
		err_set(e, ERR_USAGE, "--down cannot be %s", a->value[OPT_DOWN]);
		return err_hint(e, "write --down=file, or leave it out for the stored scripts");
	}
	if (extra) {
		err_set(e, ERR_USAGE, "%s wants fewer words", operation_name(op));
		return err_hint(e, "bascule help %s", operation_name(op));
	}
	if (op == OP_ACCEPT) {
		r->only = one;
		if (one == NULL)
			return err_set(e, ERR_USAGE, "accept wants the migration's id");
	}
	if (op == OP_MARK && take_mark(ch, one, two, e) != 0)
		return -1;
	if (op == OP_ROLLBACK && take_rollback(ch, one, two, e) != 0)
		return -1;
	if (op == OP_RESTORE && take_restore(ch, one, e) != 0)
		return -1;
	if (op == OP_SEED && take_seeds(ch, first + 1, e) != 0)
		return -1;
	return take_overrides(ch, e);
}

int change_prepare(struct change *ch, struct cli *c, enum operation op, size_t first, struct err *e)
{
	*ch = (struct change){ .c = c };
	if (cli_env(c, cli_word(c, first), &ch->env, e) != 0 || take_words(ch, op, first, e) != 0)
		return -1;
	if (plan_facts_read(c->project, &c->ctx, ch->env->name, false, NULL, &ch->facts, e) != 0)
		return -1;
	ch->have_facts = true;
	return plan_build(c->project, &ch->facts, &ch->request, &ch->plan, e);
}

void change_clear(struct change *ch)
{
	plan_free(ch->plan);
	seeds_free(ch->seeds);
	if (ch->have_facts)
		plan_facts_clear(&ch->facts);
}
