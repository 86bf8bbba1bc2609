/* SPDX-License-Identifier: MIT */
/*
 * Taking back what a run did, newest first.
 *
 * What is to be taken back is asked of the steps, which look into the history (is it in force, and by
 * this run?), not remembered: a runner that resumes an undo after a crash finds the same list less what
 * was undone already. The journal says that the undo began, so that a resumed run does not go
 * forward again.
 *
 * It ends at the first step that cannot be taken back: undoing older ones below one that stays would
 * leave an order that never was.
 */
#include "core/release/executor.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#define NAMED_MAX 6 /* ids listed one by one; more are given as a range */

/* --- In words ------------------------------------------------------------------------------- */

static bool step_is_change(const struct step *s)
{
	return s->kind == STEP_UP || s->kind == STEP_DOWN || s->kind == STEP_RECORD ||
	       s->kind == STEP_SEED;
}

static bool counts(const struct executor *x, size_t i, enum step_kind kind, enum step_state state)
{
	return x->plan->step[i].kind == kind && x->run->step[i].state == state;
}

/* "0010, 0011 applied" */
static void summary_part(const struct executor *x, struct strbuf *out, enum step_kind kind,
			 enum step_state state, const char *word)
{
	const char *first = NULL, *last = NULL;
	size_t n = 0, seen = 0;

	for (size_t i = 0; i < x->plan->n_step; i++)
		n += counts(x, i, kind, state);
	if (n == 0)
		return;
	strbuf_adds(out, out->len > 0 ? "; " : "");
	for (size_t i = 0; i < x->plan->n_step; i++) {
		if (!counts(x, i, kind, state))
			continue;
		last = x->plan->step[i].id;
		first = first ? first : last;
		if (n <= NAMED_MAX)
			strbuf_addf(out, "%s%s", seen++ > 0 ? ", " : "", last);
	}
	if (n > NAMED_MAX)
		strbuf_addf(out, "%s to %s (%zu migrations)", first, last, n);
	strbuf_addf(out, " %s", word);
}

void executor_summary(const struct executor *x, struct strbuf *out)
{
	summary_part(x, out, STEP_UP, STEP_DONE, "applied");
	summary_part(x, out, STEP_DOWN, STEP_DONE, "rolled back");
	summary_part(x, out, STEP_RECORD, STEP_DONE, "recorded");
	summary_part(x, out, STEP_SEED, STEP_DONE, "run");
	summary_part(x, out, STEP_UP, STEP_UNDONE, "taken back");
	summary_part(x, out, STEP_DOWN, STEP_UNDONE, "applied again");
	summary_part(x, out, STEP_UP, STEP_SKIPPED, "skipped");
	summary_part(x, out, STEP_DOWN, STEP_SKIPPED, "skipped");
	for (size_t i = 0; i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];

		if (s->kind == STEP_RESTORE && x->run->step[i].state == STEP_DONE)
			strbuf_addf(out, "%sbackup %s restored", out->len > 0 ? "; " : "",
				    s->backup);
		else if (step_is_change(s) && x->run->step[i].state == STEP_FAILED)
			strbuf_addf(out, "%s%s failed%s", out->len > 0 ? "; " : "", s->id,
				    (db_caps(x->db) & DB_TX_DDL) && !s->no_transaction &&
						    !s->command
					    ? ", its transaction was rolled back"
					    : "");
	}
	if (out->len == 0)
		strbuf_adds(out, "nothing was changed");
}

/* --- The undo ------------------------------------------------------------------------------- */

static int undo_begin(struct executor *x, const struct err *failed, struct err *e)
{
	json_t *j;

	if (x->run->undoing)
		return 0;
	x->run->undoing = true;
	j = json_object();
	json_put_bool(j, "undoing", true);
	json_object_set_new(j, "error", record_error(failed));
	return record_line(x, "progress", 0, j, true, e);
}

int executor_intend_undo(struct executor *x, const struct step *s, struct err *e)
{
	json_t *j = json_object();

	json_put_str(j, "do", "undo");
	return record_line(x, "intent", s->n, j, false, e);
}

/* 1: taken back; 0: there was nothing to take back; -1. */
static int undo_step(struct executor *x, const struct step *s, struct err *e)
{
	const struct step_ops *ops = step_ops_of(s);
	int64_t start = clock_mono_ms();
	char who[EXECUTOR_WHO_SIZE];
	bool cancelled;
	int ret;

	if (!ops->undo || !(ops->flags & STEP_UNDOABLE))
		return 0;
	if (lock_lease(x->lock, e))
		return -1;
	x->text[0] = '\0';
	executor_cancel_from(x, s);
	ret = ops->undo(x, s, e);
	cancelled = executor_cancelled(x, s, who);
	if (cancelled && ret == -1)
		err_wrap(e, "the statement was cancelled by %s", who);
	if (ret == STEP_NOTHING_TO_UNDO)
		return 0;
	if (ret)
		return -1;
	if (executor_result(x, s, STEP_UNDONE, clock_mono_ms() - start, x->text, NULL, e))
		return -1;
	return 1;
}

static void undo_outcome(struct executor *x, const struct err *failed, const struct err *undo_err,
			 size_t undone, struct outcome *o)
{
	bool whole = !undo_err && undone > 0;
	struct strbuf text;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	executor_summary(x, &text);
	if (undo_err)
		strbuf_addf(&text, "; cannot take back more: %s%s%s", undo_err->msg,
			    undo_err->detail[0] ? ": " : "", undo_err->detail);
	strbuf_addf(&text, "%s%s", failed->detail[0] ? ": " : "", failed->detail);
	o->state = whole ? RUN_ROLLED_BACK : RUN_FAILED;
	o->exit_code = whole ? 5 : 1;
	o->err = *failed;
	if (whole)
		o->err.code = ERR_ROLLED_BACK;
	err_detail(&o->err, "%s", strbuf_str(&text));
	strbuf_clear(&text);
}

void executor_undo(struct executor *x, const struct err *failed, struct outcome *o)
{
	struct err why = *failed, e;
	size_t undone = 0;
	int ret = 0;

	executor_forget_history(x);
	err_clear(&e);
	if (undo_begin(x, &why, &e))
		goto lost;
	for (size_t i = 0; i < x->plan->n_step; i++)
		undone += x->run->step[i].state == STEP_UNDONE;
	for (size_t i = x->plan->n_step; i-- > 0 && ret >= 0;) {
		ret = undo_step(x, &x->plan->step[i], &e);
		undone += ret > 0;
	}
	if (ret < 0 && (x->journal_failed || e.code == ERR_FENCED || control_fenced(x->control)))
		goto lost;
	undo_outcome(x, &why, ret < 0 ? &e : NULL, undone, o);
	return;
lost:
	o->state = RUN_RUNNING;
	o->exit_code = 1;
	o->err = e;
}
