/* SPDX-License-Identifier: MIT */
/*
 * Runs: the list, watching one, and what can be asked of one.
 *
 * A live runner is asked through its socket and answers by its journal, so every request here ends
 * in watching. Without a live runner the request is either carried out on the folder (abort) or
 * answered by starting a runner (resume, takeover), which measures the gates again: there is no
 * way past them here.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/watch.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/release/run.h"

static void add_run(struct strbuf *out, const struct run *r)
{
	char at[CLOCK_TEXT_SIZE], steps[32];

	snprintf(steps, sizeof(steps), "%d/%zu", r->current, r->plan->n_step);
	add_cell(out, r->number, 5);
	add_cell(out, operation_name(r->plan->op), 9);
	add_cell(out, r->plan->environment, 14);
	add_cell(out, run_state_name(r->state), 12);
	add_cell(out, steps, 6);
	add_cell(out, clock_iso(r->created_utc_ms, at), 20);
	add_clean(out, r->who);
	strbuf_addc(out, '@');
	add_clean(out, r->from);
	strbuf_addc(out, '\n');
}

static int runs_table(struct run **list, size_t n, struct err *e)
{
	struct strbuf out;
	size_t i;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (n == 0)
		strbuf_adds(&out, "no runs\n");
	for (i = 0; i < n; i++)
		add_run(&out, list[i]);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

static int runs_json(struct run **list, size_t n, struct err *e)
{
	json_t *j = json_object(), *array = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(array, run_json(list[i]));
	json_object_set_new(j, "runs", array);
	return print_json(j, e);
}

int cmd_runs(struct cli *c, struct err *e)
{
	const struct env *env = NULL;
	struct run **list = NULL;
	size_t n = 0, unreadable = 0;
	int rc;

	if (cli_word(c, 0) != NULL && cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (run_list(&c->ctx, c->project->name, env != NULL ? env->name : NULL, &list, &n,
		     &unreadable, e) != 0)
		return -1;
	rc = args_has(&c->args, OPT_JSON) ? runs_json(list, n, e) : runs_table(list, n, e);
	if (unreadable > 0)
		print_note("%zu folder%s in %s cannot be read as runs", unreadable,
			   unreadable == 1 ? "" : "s", c->ctx.runs_dir);
	run_list_free(list, n);
	return rc;
}

/* The run named by the command's first word. */
static int load_named(struct cli *c, char id[RUN_ID_SIZE], struct run **r, struct err *e)
{
	if (run_resolve(&c->ctx, cli_word(c, 0), id, e) != 0)
		return -1;
	return run_load(&c->ctx, id, r, e);
}

int cmd_watch(struct cli *c, struct err *e)
{
	char id[RUN_ID_SIZE];

	if (run_resolve(&c->ctx, cli_word(c, 0), id, e) != 0)
		return -1;
	return watch_run(c, id, (struct watch_from){ 0 }, e);
}

static int refuse_ended(const struct run *r, const char *verb, struct err *e)
{
	err_set(e, ERR_GATE, "cannot %s run %s", verb, r->number);
	err_detail(e, "it has ended: %s", run_state_name(r->state));
	return err_hint(e, "bascule runs %s", r->plan->environment);
}

/* Starts a runner for a frozen run and watches it. */
static int spawn(struct cli *c, const char *id, const char *mode, struct err *e)
{
	int64_t wait_ms;
	pid_t runner;

	if (cli_wait_ms(c, &wait_ms, e) != 0 ||
	    run_spawn(&c->ctx, id, mode, wait_ms, &runner, e) != 0)
		return -1;
	return watch_run(c, id, (struct watch_from){ .runner = runner }, e);
}

/* Asks a live runner. A run that is not paused has no use for retry and skip. */
static int request(struct cli *c, const char *verb, struct err *e)
{
	bool needs_pause = strcmp(verb, "abort") != 0 && strcmp(verb, "cancel") != 0;
	const char *reason = c->args.value[OPT_REASON];
	char id[RUN_ID_SIZE];
	struct watch_from from = { 0 };
	struct run *r = NULL;
	int rc = -1;

	if (load_named(c, id, &r, e) != 0)
		goto out;
	from.after = r->chain.seq;
	if (run_state_ended(r->state)) {
		refuse_ended(r, verb, e);
	} else if (needs_pause && r->state != RUN_PAUSED) {
		err_set(e, ERR_GATE, "cannot %s run %s", verb, r->number);
		err_detail(e, "it is not paused: %s", run_state_name(r->state));
		err_hint(e, r->runner_alive ? "bascule watch %s" : "bascule resume %s", r->number);
	} else if (run_request(&c->ctx, id, verb, c->ctx.who, reason, e) == 0) {
		rc = 0;
	}
out:
	run_free(r);
	return rc == 0 ? watch_run(c, id, from, e) : -1;
}

int cmd_retry(struct cli *c, struct err *e)
{
	return request(c, "retry", e);
}

int cmd_skip(struct cli *c, struct err *e)
{
	const char *reason = c->args.value[OPT_REASON];

	if (str_blank(reason)) {
		err_set(e, ERR_USAGE, "cannot skip a step without a reason");
		return err_hint(e, "bascule skip %s --reason 'why'", cli_word(c, 0));
	}
	return request(c, "skip", e);
}

int cmd_cancel(struct cli *c, struct err *e)
{
	return request(c, "cancel", e);
}

int cmd_abort(struct cli *c, struct err *e)
{
	const char *reason = c->args.value[OPT_REASON];
	char id[RUN_ID_SIZE];
	struct run *r = NULL;
	bool alive;

	if (load_named(c, id, &r, e) != 0)
		return -1;
	alive = r->runner_alive;
	if (run_state_ended(r->state)) {
		refuse_ended(r, "abort", e);
		run_free(r);
		return -1;
	}
	run_free(r);
	if (alive)
		return request(c, "abort", e);
	if (run_abort_dead(&c->ctx, id, c->ctx.who, reason != NULL ? reason : "", e) != 0)
		return -1;
	return watch_run(c, id, (struct watch_from){ 0 }, e);
}

int cmd_resume(struct cli *c, struct err *e)
{
	char id[RUN_ID_SIZE];
	struct run *r = NULL;
	int rc;

	if (load_named(c, id, &r, e) != 0)
		return -1;
	if (run_state_ended(r->state)) {
		rc = refuse_ended(r, "resume", e);
	} else if (r->runner_alive && r->state == RUN_PAUSED) {
		rc = request(c, "retry", e);
	} else if (r->runner_alive) {
		err_set(e, ERR_GATE, "cannot resume run %s", r->number);
		err_detail(e, "its runner is alive (pid %lld): %s", (long long)r->runner_pid,
			   run_state_name(r->state));
		rc = err_hint(e, "bascule watch %s", r->number);
	} else {
		rc = spawn(c, id, "resume", e);
	}
	run_free(r);
	return rc;
}

/* Taking a run from somebody is confirmed like a change of its environment. */
static int confirm_takeover(struct cli *c, const struct run *r, struct err *e)
{
	const char *name = c->args.value[OPT_CONFIRM];
	bool terminate = args_has(&c->args, OPT_TERMINATE);

	if (name != NULL && strcmp(name, r->plan->environment) == 0)
		return 0;
	if (name == NULL && !terminate && !r->plan->is_protected &&
	    (r->plan->confirm == CONFIRM_NONE ||
	     (r->plan->confirm == CONFIRM_YES && args_has(&c->args, OPT_YES))))
		return 0;
	err_set(e, ERR_GATE, "cannot take over run %s", r->number);
	err_detail(e, "it changes %s, which is to be confirmed", r->plan->environment);
	return err_hint(e, "bascule takeover %s%s --confirm %s", r->number,
			terminate ? " --terminate" : "", r->plan->environment);
}

int cmd_takeover(struct cli *c, struct err *e)
{
	char id[RUN_ID_SIZE];
	struct run *r = NULL;
	int rc = -1;

	if (load_named(c, id, &r, e) != 0)
		return -1;
	if (run_state_ended(r->state))
		refuse_ended(r, "take over", e);
	else if (confirm_takeover(c, r, e) == 0)
		rc = spawn(c, id,
			   args_has(&c->args, OPT_TERMINATE) ? "takeover-terminate" : "takeover",
			   e);
	run_free(r);
	return rc;
}
