/* SPDX-License-Identifier: MIT */
/*
 * Everything that changes an environment: plan, migrate, rollback, baseline, accept, restore.
 *
 * One way for all of them, the one the console goes too: facts are read, a plan is built, its
 * gates are looked at, the operator confirms as the environment demands, the plan is frozen into
 * a run and a runner is started for it. This process only watches. --dry-run and --sql stop after
 * the plan; nothing before run_create writes anything.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/request.h"
#include "cli/watch.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/db/db.h"
#include "core/ledger/lock.h"
#include "core/release/env_open.h"
#include "core/release/run.h"

/* The plan for people; of an accept with what was and what is now. */
static int add_plan(const struct change *ch, struct strbuf *out, struct err *e)
{
	size_t i;

	plan_text(ch->plan, out);
	for (i = 0; i < ch->plan->n_step; i++) {
		const struct step *s = &ch->plan->step[i];

		if (s->kind != STEP_RECORD || s->event != EVENT_ACCEPTED)
			continue;
		strbuf_addc(out, '\n');
		if (change_diff(ch, s->ns, s->id, out, e) != 0)
			return -1;
	}
	return 0;
}

/* Prints the plan. 0, or 3 when a gate is closed. */
static int print_plan(const struct change *ch, struct err *e)
{
	struct strbuf out;
	int rc = -1;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (args_has(&ch->c->args, OPT_JSON))
		rc = print_json(plan_json(ch->plan), e);
	else if (add_plan(ch, &out, e) == 0)
		rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	if (rc == 0 && plan_closed_gate(ch->plan) != NULL)
		return EXIT_REFUSED;
	return rc;
}

/* --- Confirmation ---------------------------------------------------------------------------- */

static bool wants_name(const struct plan *p)
{
	return p->is_protected || p->confirm == CONFIRM_NAME;
}

/* A line from the terminal, without its newline; false at the end of input. */
static bool read_line(char *line, size_t size)
{
	size_t n = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n') {
			line[n] = '\0';
			return true;
		}
		if (n + 1 < size)
			line[n++] = c;
	}
	return false;
}

static int refuse_unconfirmed(const struct change *ch, struct err *e)
{
	const struct plan *p = ch->plan;
	struct strbuf word;

	err_set(e, ERR_GATE, "cannot %s %s", operation_name(p->op), p->environment);
	strbuf_init(&word, 256);
	path_quote(&word, p->environment);
	if (wants_name(p)) {
		err_detail(e, "%s%s is confirmed by its name",
			   p->is_protected ? "the protected environment " : "", p->environment);
		err_hint(e, "%s --confirm %s", p->command, strbuf_str(&word));
	} else {
		err_detail(e, "changes to %s are confirmed", p->environment);
		err_hint(e, "%s --yes", p->command);
	}
	strbuf_clear(&word);
	return -1;
}

static int ask(const struct change *ch, struct err *e)
{
	const struct plan *p = ch->plan;
	struct strbuf out;
	char line[256];
	bool ok;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	rc = add_plan(ch, &out, e);
	if (rc == 0) {
		strbuf_addf(&out,
			    wants_name(p) ? "\ntype %s to start it: " : "\nstart it on %s? [y/N] ",
			    p->environment);
		rc = fs_write_all(STDERR_FILENO, out.data, out.len, "stderr", e);
	}
	strbuf_clear(&out);
	if (rc != 0)
		return -1;
	ok = read_line(line, sizeof(line)) &&
	     (wants_name(p) ? strcmp(line, p->environment) == 0
			    : strcmp(line, "y") == 0 || strcmp(line, "yes") == 0);
	if (ok)
		return 0;
	err_set(e, ERR_CANCELLED, "not confirmed: nothing was changed");
	return -1;
}

static int confirm(const struct change *ch, struct err *e)
{
	const struct plan *p = ch->plan;
	const char *name = ch->c->args.value[OPT_CONFIRM];
	bool interactive = ch->c->terminal_in && isatty(STDERR_FILENO);

	if (name != NULL && strcmp(name, p->environment) != 0) {
		err_set(e, ERR_GATE, "cannot %s %s", operation_name(p->op), p->environment);
		err_detail(e, "the confirmation names another environment: %s", name);
		return err_hint(e, "%s --confirm %s", p->command, p->environment);
	}
	if (name != NULL || (p->confirm == CONFIRM_NONE && !p->is_protected))
		return 0;
	if (!wants_name(p) && args_has(&ch->c->args, OPT_YES))
		return 0;
	if (interactive && !args_has(&ch->c->args, OPT_JSON))
		return ask(ch, e);
	return refuse_unconfirmed(ch, e);
}

/* --- Lock ------------------------------------------------------------------------------------ */

/* A look before the run is made, so that a refusal leaves no run behind. The runner takes the lock
 * for real and may still lose the race. */
static int check_lock(const struct change *ch, int64_t wait_ms, struct err *e)
{
	const struct lock_holder *h = ch->facts.holder;
	char since[CLOCK_TEXT_SIZE], beat[CLOCK_TEXT_SIZE];

	if (h == NULL || !h->held || wait_ms != 0)
		return 0;
	err_set(e, ERR_LOCKED, "cannot lock %s", ch->env->name);
	err_detail(e, "held by %s on %s (pid %lld%s%s) since %s, last sign of life %s", h->who,
		   h->host, (long long)h->pid, h->run[0] != '\0' ? ", run " : "", h->run,
		   clock_iso(h->since_utc_ms, since),
		   clock_ago(clock_utc_ms() - h->beat_utc_ms, beat));
	if (h->stale && h->run[0] != '\0')
		return err_hint(e, "bascule takeover %s --confirm %s", h->run, ch->env->name);
	return err_hint(e, "%s%s%s --wait", ch->plan->command,
			wants_name(ch->plan)               ? " --confirm "
			: ch->plan->confirm == CONFIRM_YES ? " --yes"
							   : "",
			wants_name(ch->plan) ? ch->env->name : "");
}

/* --wait: the plan is made once the other operator is done, from what he left. The rest of the time is
 * the runner's, should somebody else be faster. */
static int wait_for_lock(struct cli *c, int64_t *wait_ms, struct err *e)
{
	int64_t deadline = *wait_ms < 0 ? WAIT_FOREVER : clock_mono_ms() + *wait_ms;
	struct lock_holder h;
	const struct env *env;
	struct db *db = NULL;
	struct interrupt it;
	int rc;

	if (*wait_ms == 0)
		return 0;
	if (cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	/* A file's lock is beside it; that of a server is asked for there. */
	rc = dsn_is_file(&env->dsn) || !env->has_db
		     ? 0
		     : env_open(&c->ctx, env, DB_READ_ONLY, NULL, &db, e);
	if (rc == 0)
		rc = lock_read(&env->dsn, db, env->lock_stale_ms, &h, e);
	if (rc != 0 || !h.held) {
		db_close(db);
		return rc;
	}
	print_note("waiting for the lock of %s, held by %s on %s (run %s)", env->name, h.who,
		   h.host, h.run);
	rc = interrupt_start(&it, 0, e);
	if (rc == 0) {
		rc = lock_wait(&env->dsn, db, deadline, &it.fired, e);
		interrupt_stop(&it);
	}
	db_close(db);
	if (rc == 0 && *wait_ms > 0)
		*wait_ms = deadline > clock_mono_ms() ? deadline - clock_mono_ms() : 1;
	return rc;
}

/* --- Running --------------------------------------------------------------------------------- */

static bool plan_goes_down(const struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n_step; i++)
		if (p->step[i].kind == STEP_DOWN)
			return true;
	return false;
}

/* Freezes the plan; stored down scripts come from the database. */
static int freeze(const struct change *ch, char id[RUN_ID_SIZE], struct err *e)
{
	struct db *db = NULL;
	int rc = -1;

	if (!plan_goes_down(ch->plan) ||
	    env_open(&ch->c->ctx, ch->env, DB_READ_ONLY, NULL, &db, e) == 0)
		rc = run_create(&ch->c->ctx, ch->plan, ch->facts.source, db, id, e);
	db_close(db);
	return rc;
}

static int start(const struct change *ch, int64_t wait_ms, struct err *e)
{
	char id[RUN_ID_SIZE];
	pid_t runner;

	if (freeze(ch, id, e) != 0 || run_spawn(&ch->c->ctx, id, "start", wait_ms, &runner, e) != 0)
		return -1;
	return watch_run(ch->c, id, (struct watch_from){ .runner = runner }, e);
}

static int refuse(const struct change *ch, struct err *e)
{
	const struct gate *g = plan_closed_gate(ch->plan);
	const struct applied *a = strcmp(g->name, "changed") == 0 ? change_first_changed(ch) : NULL;

	plan_refuse(ch->plan, e);
	if (a != NULL)
		print_note("was and now: bascule plan accept %s %s --reason why", ch->env->name,
			   a->id);
	return -1;
}

static int say_nothing_to_do(const struct change *ch, struct err *e)
{
	struct strbuf out;
	json_t *j;
	int rc;

	if (args_has(&ch->c->args, OPT_JSON)) {
		j = json_object();
		json_object_set_new(j, "event", json_string("nothing-to-do"));
		json_object_set_new(j, "environment", json_string(ch->env->name));
		return print_json_line(j, e);
	}
	strbuf_init(&out, 256);
	strbuf_addf(&out, "nothing to do: %s stays as it is\n", ch->env->name);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

static int change_run(struct cli *c, enum operation op, struct err *e)
{
	struct change ch = { 0 };
	int64_t wait_ms;
	int rc = -1;

	if (cli_wait_ms(c, &wait_ms, e) != 0)
		return -1;
	if (!(c->args.given & (OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_SQL))) &&
	    wait_for_lock(c, &wait_ms, e) != 0)
		return -1;
	if (change_prepare(&ch, c, op, 0, e) != 0)
		goto out;
	if (args_has(&c->args, OPT_DRY_RUN))
		rc = print_plan(&ch, e);
	else if (args_has(&c->args, OPT_SQL))
		rc = change_print_sql(&ch, e);
	else if (plan_closed_gate(ch.plan) != NULL)
		rc = refuse(&ch, e);
	else if (ch.plan->n_change == 0)
		rc = say_nothing_to_do(&ch, e);
	else if (confirm(&ch, e) == 0 && check_lock(&ch, wait_ms, e) == 0)
		rc = start(&ch, wait_ms, e);
out:
	change_clear(&ch);
	return rc;
}

int cmd_migrate(struct cli *c, struct err *e)
{
	return change_run(c, OP_MIGRATE, e);
}

int cmd_rollback(struct cli *c, struct err *e)
{
	return change_run(c, OP_ROLLBACK, e);
}

int cmd_baseline(struct cli *c, struct err *e)
{
	return change_run(c, OP_BASELINE, e);
}

int cmd_accept(struct cli *c, struct err *e)
{
	return change_run(c, OP_ACCEPT, e);
}

int cmd_mark(struct cli *c, struct err *e)
{
	return change_run(c, OP_MARK, e);
}

int cmd_restore(struct cli *c, struct err *e)
{
	return change_run(c, OP_RESTORE, e);
}

int cmd_seed(struct cli *c, struct err *e)
{
	return change_run(c, OP_SEED, e);
}

int cmd_plan(struct cli *c, struct err *e)
{
	int op = operation_of(cli_word(c, 0));
	struct change ch = { 0 };
	int rc = -1;

	if (op < 0) {
		err_set(e, ERR_USAGE, "cannot plan %s", cli_word(c, 0));
		err_detail(
			e,
			"plans are made for migrate, rollback, baseline, accept, mark, restore and seed");
		return err_hint(e, "bascule help plan");
	}
	if (change_prepare(&ch, c, (enum operation)op, 1, e) == 0)
		rc = args_has(&c->args, OPT_SQL) ? change_print_sql(&ch, e) : print_plan(&ch, e);
	change_clear(&ch);
	return rc;
}
