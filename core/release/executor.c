/* SPDX-License-Identifier: MIT */
/*
 * The loop over a run's steps.
 *
 * Before each step the executor asks three things, in this order: is the lock still ours (its lease, by
 * a clock that goes on while the machine sleeps), did somebody ask to stop, and is it already so (the
 * step's probe). Only then comes the intent line, the act, the result line. A step that the journal
 * of an earlier runner calls done is probed all the same where the database can tell: what counts is
 * what is, not what was written last before a crash.
 *
 * Where it ends:
 * - lost the lock: at once, nothing more is written as state; whoever took over speaks for the run
 * - the journal cannot be written: at once, because what is not recorded must not be done
 * - abort: the step's transaction is rolled back; what was done before stays
 * - stop, SIGTERM: behind the step that runs
 * - a step failed: by the environment's policy, undo or pause (undo.c, below)
 */
#include "core/release/executor.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"

static const struct step_ops *const ops_of[STEP_KINDS] = {
	[STEP_LOCK] = &step_lock_ops,       [STEP_GATES] = &step_gates_ops,
	[STEP_BACKUP] = &step_backup_ops,   [STEP_UP] = &step_up_ops,
	[STEP_DOWN] = &step_down_ops,       [STEP_RECORD] = &step_record_ops,
	[STEP_RESTORE] = &step_restore_ops, [STEP_STATE_FILE] = &step_state_file_ops,
	[STEP_RELEASE] = &step_release_ops, [STEP_SEED] = &step_seed_ops,
};

/* The same kinds where the framework's own tool does them. */
static const struct step_ops *const tool_ops_of[STEP_KINDS] = {
	[STEP_UP] = &step_tool_up_ops,
	[STEP_DOWN] = &step_tool_down_ops,
	[STEP_RECORD] = &step_tool_record_ops,
};

const struct step_ops *step_ops_of(const struct step *s)
{
	return s->command && tool_ops_of[s->kind] ? tool_ops_of[s->kind] : ops_of[s->kind];
}

/* What became of one step. */
enum verdict {
	VERDICT_DONE,
	VERDICT_STOP,  /* asked to stop before it */
	VERDICT_ABORT, /* aborted inside it */
	VERDICT_LOST,  /* fenced, or the journal is gone */
	VERDICT_FAILED,
};

void executor_say(struct executor *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->text, sizeof(x->text), fmt, ap);
	va_end(ap);
}

void executor_say_more(struct executor *x, const char *fmt, ...)
{
	size_t len = strlen(x->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->text + len, sizeof(x->text) - len, fmt, ap);
	va_end(ap);
}

int executor_history(struct executor *x, const struct history **out, struct err *e)
{
	struct history *h = NULL;

	if (!x->history) {
		if (history_read_from(x->db, x->plan->env.history, false, &h, e) ||
		    tool_join(x, &x->plan->env, h, e)) {
			history_free(h);
			return -1;
		}
		x->history = h;
	}
	*out = x->history;
	return 0;
}

void executor_forget_history(struct executor *x)
{
	history_free(x->history);
	x->history = NULL;
}

int executor_result(struct executor *x, const struct step *s, enum step_state state,
		    int64_t took_ms, const char *text, const struct err *why, struct err *e)
{
	struct run_step *rs = &x->run->step[s->n - 1];
	json_t *j = json_object();

	json_put_str(j, "state", step_state_name(state));
	json_put_int(j, "ms", took_ms);
	if (text && text[0])
		json_put_str(j, "text", text);
	if (why)
		json_object_set_new(j, "error", record_error(why));
	rs->state = state;
	rs->took_ms = took_ms;
	str_copy(rs->text, sizeof(rs->text), text ? text : "");
	return record_line(x, "result", s->n, j, false, e);
}

/* --- One step ------------------------------------------------------------------------------- */

/* Takes what was asked while the last step ran. True when the run shall end here. */
static bool asked_to_end(struct executor *x)
{
	struct control_request req;
	json_t *j;

	if (!control_take(x->control, &req))
		return false;
	j = json_object();
	json_put_str(j, "verb", control_verb_name(req.verb));
	json_put_str(j, "who", req.who);
	if (req.reason[0])
		json_put_str(j, "reason", req.reason);
	record_note(x, "request", 0, j);
	x->asked = req;
	return req.verb == CONTROL_STOP || req.verb == CONTROL_ABORT;
}

void executor_cancel_from(struct executor *x, const struct step *s)
{
	if (s->kind == STEP_UP || s->kind == STEP_DOWN)
		control_set_db(x->control, x->db);
}

bool executor_cancelled(struct executor *x, const struct step *s, char who[EXECUTOR_WHO_SIZE])
{
	struct control_request req;
	json_t *j;

	control_set_db(x->control, NULL);
	if (!control_take_cancel(x->control, &req))
		return false;
	j = json_object();
	json_put_str(j, "verb", control_verb_name(req.verb));
	json_put_str(j, "who", req.who);
	if (req.reason[0])
		json_put_str(j, "reason", req.reason);
	record_note(x, "request", s->n, j);
	str_copy(who, EXECUTOR_WHO_SIZE, req.who[0] ? req.who : "somebody");
	return true;
}

static enum verdict verdict_of(struct executor *x, const struct err *e)
{
	/* A broken connection: what became of the step is known to the database alone. */
	if (x->journal_failed || e->code == ERR_FENCED || e->code == ERR_LOST ||
	    control_fenced(x->control))
		return VERDICT_LOST;
	if (e->code == ERR_CANCELLED && cancel_fired(&x->work))
		return VERDICT_ABORT;
	return VERDICT_FAILED;
}

int executor_intend(struct executor *x, const struct step *s, const char *what, struct err *e)
{
	bool world = step_ops_of(s)->flags & STEP_CHANGES_WORLD;
	json_t *j = json_object();
	struct err copy;

	json_put_str(j, "do", what);
	if (record_line(x, "intent", s->n, j, world, e))
		return -1;
	if (world && record_copy(x, &copy)) {
		if (copy.code == ERR_FENCED) {
			*e = copy;
			return -1;
		}
		log_err(&copy); /* the ledger cannot be reached: the journal has it */
	}
	return 0;
}

/* The result line, and with it the verdict: a line that cannot be written overrules it. */
static enum verdict step_over(struct executor *x, const struct step *s, enum step_state state,
			      int64_t took_ms, const char *text, const struct err *why,
			      enum verdict verdict, struct err *e)
{
	struct err lost;

	if (!executor_result(x, s, state, took_ms, text, why, &lost))
		return verdict;
	*e = lost;
	return VERDICT_LOST;
}

/* The step could not be done: e says why. */
static enum verdict step_broken(struct executor *x, const struct step *s, int64_t took_ms,
				struct err *e)
{
	enum verdict verdict = verdict_of(x, e);
	char who[EXECUTOR_WHO_SIZE], text[sizeof(x->text)];
	struct err why;

	executor_forget_history(x);
	if (executor_cancelled(x, s, who) && verdict == VERDICT_FAILED) {
		err_wrap(e, "the statement was cancelled by %s", who);
		str_copy(text, sizeof(text), x->text);
		executor_say(x, "cancelled by %s%s%s", who, text[0] ? "; " : "", text);
	}
	why = *e;
	if (verdict == VERDICT_LOST)
		return verdict;
	if (verdict == VERDICT_FAILED)
		return step_over(x, s, STEP_FAILED, took_ms, x->text[0] ? x->text : why.msg, &why,
				 verdict, e);
	(void)asked_to_end(x);
	return step_over(x, s, STEP_FAILED, took_ms,
			 x->text[0] ? x->text : "aborted; its transaction was rolled back", NULL,
			 verdict, e);
}

static enum verdict step_act(struct executor *x, const struct step *s, struct err *e)
{
	int64_t start = clock_mono_ms();
	char who[EXECUTOR_WHO_SIZE];

	if (executor_intend(x, s, "act", e))
		return verdict_of(x, e);
	x->run->step[s->n - 1].state = STEP_RUNNING;
	x->run->step[s->n - 1].started_utc_ms = clock_utc_ms();
	x->text[0] = '\0';
	executor_cancel_from(x, s);
	if (step_ops_of(s)->act(x, s, e))
		return step_broken(x, s, clock_mono_ms() - start, e);
	(void)executor_cancelled(x, s, who);
	return step_over(x, s, STEP_DONE, clock_mono_ms() - start, x->text, NULL, VERDICT_DONE, e);
}

/* Steps from s on, as many as can be sent ahead; *s is moved to the last one that has its result. */
static enum verdict steps_act(struct executor *x, const struct step **s, struct err *e)
{
	const struct step_ops *ops = step_ops_of(*s);
	size_t first = (size_t)((*s)->n - 1), next = first;
	int64_t start = clock_mono_ms();
	char who[EXECUTOR_WHO_SIZE];

	if (ops->act_many == NULL || !(db_caps(x->db) & DB_PIPELINE))
		return step_act(x, *s, e);
	x->text[0] = '\0';
	executor_cancel_from(x, *s);
	if (ops->act_many(x, first, &next, e) == 0) {
		(void)executor_cancelled(x, *s, who);
		*s = &x->plan->step[next > first ? next - 1 : first];
		return VERDICT_DONE;
	}
	/* Stopped behind one that is done: there is no step to blame. */
	if (next >= x->plan->n_step ||
	    (e->code == ERR_CANCELLED && next > first && x->run->current <= (int)next)) {
		(void)executor_cancelled(x, *s, who);
		*s = &x->plan->step[next - 1];
		(void)asked_to_end(x);
		return verdict_of(x, e);
	}
	*s = &x->plan->step[next];
	x->run->current = (*s)->n;
	return step_broken(x, *s, clock_mono_ms() - start, e);
}

/* *at is the step; on return the last one that this call was about. */
static enum verdict step_do(struct executor *x, const struct step **at, struct err *e)
{
	const struct step *s = *at;
	enum probe_result probe;

	x->run->current = s->n;
	if (lock_lease(x->lock, e))
		return VERDICT_LOST;
	if (asked_to_end(x))
		return cancel_fired(&x->work) ? VERDICT_ABORT : VERDICT_STOP;
	executor_say(x, "already done");
	probe = step_ops_of(s)->probe(x, s, e);
	if (probe == PROBE_DONE)
		return step_over(x, s, STEP_DONE, 0, x->text, NULL, VERDICT_DONE, e);
	if (probe == PROBE_TODO)
		return steps_act(x, at, e);
	/* A probe that cannot tell is a failure of the step, with nothing done. */
	x->text[0] = '\0';
	return step_broken(x, s, 0, e);
}

/* --- Ends ----------------------------------------------------------------------------------- */

static void end_with(struct outcome *o, enum run_state state, int exit_code, const struct err *why)
{
	o->state = state;
	o->exit_code = exit_code;
	o->err = *why;
}

static void end_lost(struct executor *x, struct outcome *o, const struct err *why)
{
	struct err over;

	end_with(o, RUN_RUNNING, 1, why);
	/* Work that was ended because the lease was over says "cancelled", which is not why. */
	if (why->code == ERR_CANCELLED && lock_lease(x->lock, &over) != 0) {
		err_set(&o->err, over.code, "%s", over.msg);
		err_detail(&o->err, "%s; %s", over.detail, why->msg);
	}
	if (x->journal_failed)
		err_hint(&o->err, "the run is interrupted: make room, then bascule resume %s",
			 x->run->number);
	else if (why->code == ERR_LOST)
		err_hint(&o->err, "bascule resume %s", x->run->number);
}

static void end_asked(struct executor *x, struct outcome *o)
{
	bool abort = x->asked.verb == CONTROL_ABORT;
	struct strbuf done;
	size_t left = 0;

	for (size_t i = 0; i < x->plan->n_step; i++)
		left += x->run->step[i].state == STEP_WAITING;
	strbuf_init(&done, sizeof(o->err.detail));
	executor_summary(x, &done);
	o->state = RUN_ABORTED;
	o->exit_code = 4;
	err_set(&o->err, ERR_CANCELLED, "run %s was %s%s%s", x->run->number,
		abort ? "aborted" : "stopped", x->asked.who[0] ? " by " : "", x->asked.who);
	err_detail(&o->err, "%s; %zu step%s not done", strbuf_str(&done), left,
		   left == 1 ? "" : "s");
	err_hint(&o->err, "what was done stays: bascule matrix");
	strbuf_clear(&done);
}

/* Did the step where the run stands stop inside its migration? */
static bool stays_partial(struct executor *x)
{
	const struct step *s = x->run->current > 0 ? &x->plan->step[x->run->current - 1] : NULL;
	const struct history *h;
	const struct applied *a;
	struct err e;

	if (!s || (s->kind != STEP_UP && s->kind != STEP_DOWN) || (db_caps(x->db) & DB_LOCAL_FILE))
		return false;
	executor_forget_history(x);
	if (executor_history(x, &h, &e))
		return false;
	a = history_find(h, s->ns, s->id);
	return a && a->partial && a->partial_down == (s->kind == STEP_DOWN);
}

/* A migration that stays in the middle is not over, and so is its run not: it goes on behind a resume, and
 * until then keeps others away from a schema that no file describes. */
static void end_partial(struct executor *x, struct outcome *o, const struct err *why)
{
	json_t *j = json_object();

	end_with(o, RUN_RUNNING, 1, why);
	if (!o->err.hint[0])
		err_hint(&o->err, "bascule resume %s", x->run->number);
	json_put_int(j, "exit", 1);
	json_object_set_new(j, "error", record_error(&o->err));
	record_note(x, "progress", 0, j);
}

/* The error of the step, with what stays behind. */
static void end_failed(struct executor *x, struct outcome *o, const struct err *why)
{
	int exit_code = why->code == ERR_GATE || why->code == ERR_CORRUPT ? 3 : 1;
	struct strbuf done;

	if (stays_partial(x)) {
		end_partial(x, o, why);
		return;
	}
	end_with(o, RUN_FAILED, exit_code, why);
	if (exit_code == 3)
		return;
	strbuf_init(&done, STRBUF_NO_LIMIT);
	executor_summary(x, &done);
	strbuf_addf(&done, "%s%s", why->detail[0] ? ": " : "", why->detail);
	err_detail(&o->err, "%s", strbuf_str(&done));
	strbuf_clear(&done);
}

/* --- Pause ---------------------------------------------------------------------------------- */

static bool step_may_be_skipped(const struct step *s)
{
	return s->kind == STEP_UP || s->kind == STEP_DOWN || s->kind == STEP_RECORD ||
	       s->kind == STEP_BACKUP || s->kind == STEP_STATE_FILE || s->kind == STEP_SEED;
}

static int pause_record(struct executor *x, const struct step *s, int64_t limit_ms,
			const struct err *why, struct err *e)
{
	char until[CLOCK_TEXT_SIZE];
	json_t *j = json_object();

	json_put_str(j, "until", clock_iso_ms(clock_utc_ms() + limit_ms, until));
	json_object_set_new(j, "error", record_error(why));
	return record_line(x, "paused", s->n, j, true, e);
}

/* Waits for somebody's decision: the verb, CONTROL_NONE at the limit, -1 when the lock was lost. */
static int pause_wait(struct executor *x, const struct step *s, int64_t limit_ms, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + limit_ms;
	struct pollfd fd = { .fd = control_fd(x->control), .events = POLLIN };

	for (;;) {
		int ready = wait_fds(&fd, 1, deadline_ms, NULL, e);

		if (ready < 0 || control_fenced(x->control) || lock_lease(x->lock, e))
			return -1;
		if (ready == 0)
			return CONTROL_NONE;
		x->asked.verb = CONTROL_NONE;
		(void)asked_to_end(x);
		if (x->journal_failed)
			return -1;
		if (x->asked.verb == CONTROL_SKIP && !step_may_be_skipped(s)) {
			json_t *j = json_object();

			json_put_str(j, "text", "this step cannot be skipped");
			record_note(x, "progress", s->n, j);
			continue;
		}
		if (x->asked.verb != CONTROL_NONE)
			return (int)x->asked.verb;
	}
}

/* A failed step under `on_failure = pause`. True: go on with *again set for the same step. */
static bool pause_decide(struct executor *x, const struct step *s, const struct err *why,
			 bool *again, struct outcome *o)
{
	int64_t limit_ms = x->plan->env.pause_limit_ms;
	char text[sizeof(x->text)];
	struct err e;
	int verb;

	err_set(&e, ERR_FENCED, "lock is not ours any more");
	if (pause_record(x, s, limit_ms, why, &e)) {
		end_lost(x, o, &e);
		return false;
	}
	control_set_paused(x->control, true);
	verb = pause_wait(x, s, limit_ms, &e);
	control_set_paused(x->control, false);
	*again = verb == CONTROL_RETRY;
	switch (verb) {
	case CONTROL_RETRY:
		executor_forget_history(x);
		return true;
	case CONTROL_SKIP:
		snprintf(text, sizeof(text), "skipped by %s: %.100s", x->asked.who,
			 x->asked.reason);
		if (!executor_result(x, s, STEP_SKIPPED, 0, text, NULL, &e))
			return true;
		end_lost(x, o, &e);
		return false;
	case CONTROL_ABORT:
	case CONTROL_STOP:
		end_asked(x, o);
		return false;
	case CONTROL_ROLL_BACK:
		executor_undo(x, why, o);
		return false;
	case CONTROL_NONE:
		if (x->plan->env.undo_migrations == UNDO_ALWAYS)
			executor_undo(x, why, o);
		else
			end_failed(x, o, why);
		return false;
	default:
		end_lost(x, o, &e);
		return false;
	}
}

/* --- The loop ------------------------------------------------------------------------------- */

/* By policy. True: go on, with the same step when *again. */
static bool failed_decide(struct executor *x, const struct step *s, const struct err *why,
			  bool *again, struct outcome *o)
{
	*again = false;
	/* Nothing has been done before the gates, and a closed one is no accident. */
	if (s->kind == STEP_GATES) {
		end_failed(x, o, why);
		return false;
	}
	if (x->plan->env.on_failure == FAILURE_PAUSE)
		return pause_decide(x, s, why, again, o);
	if (x->plan->env.undo_migrations == UNDO_ALWAYS && !stays_partial(x))
		executor_undo(x, why, o);
	else
		end_failed(x, o, why);
	return false;
}

/* What an earlier runner did and the probe cannot or need not see again. */
static bool step_is_settled(const struct executor *x, const struct step *s)
{
	enum step_state state = x->run->step[s->n - 1].state;

	if (s->kind == STEP_LOCK || s->kind == STEP_GATES)
		return s->kind == STEP_LOCK;
	return state == STEP_SKIPPED;
}

/* Behind a pause, as on resume: what the gates measured may be long ago. True: go on. */
static bool gates_again(struct executor *x, struct outcome *o)
{
	const struct step *gates = x->plan->step;
	struct err e;

	while (gates->kind != STEP_GATES)
		if (++gates == x->plan->step + x->plan->n_step)
			return true;
	executor_forget_history(x);
	switch (step_do(x, &gates, &e)) {
	case VERDICT_DONE:
		return true;
	case VERDICT_STOP:
	case VERDICT_ABORT:
		end_asked(x, o);
		return false;
	case VERDICT_LOST:
		end_lost(x, o, &e);
		return false;
	case VERDICT_FAILED:
		break;
	}
	end_failed(x, o, &e);
	return false;
}

void executor_steps(struct executor *x, struct outcome *o)
{
	bool again = false;
	struct err e;

	err_clear(&e);
	if (x->run->undoing) {
		err_set(&e, ERR_DB, "%s",
			x->run->error_msg[0] ? x->run->error_msg : "a step failed");
		err_detail(&e, "%s", x->run->error_detail);
		executor_undo(x, &e, o);
		return;
	}
	for (size_t i = 0; i < x->plan->n_step; i += again ? 0 : 1) {
		const struct step *s = &x->plan->step[i];

		again = false;
		if (step_is_settled(x, s))
			continue;
		switch (step_do(x, &s, &e)) {
		case VERDICT_DONE:
			i = (size_t)(s->n - 1);
			continue;
		case VERDICT_STOP:
		case VERDICT_ABORT:
			end_asked(x, o);
			return;
		case VERDICT_LOST:
			end_lost(x, o, &e);
			return;
		case VERDICT_FAILED:
			i = (size_t)(s->n - 1);
			if (!failed_decide(x, s, &e, &again, o) || !gates_again(x, o))
				return;
			break;
		}
	}
	o->state = RUN_DONE;
	o->exit_code = 0;
}
