/* SPDX-License-Identifier: MIT */
/*
 * One migration up, one migration down.
 *
 * Both are their own record: the history event is in the migration's transaction, so the history
 * tells after any crash whether it ran. The journal's intent needs no fsync, and queued lines of the
 * journal ride along in the same transaction.
 *
 * Undo looks into the history for what this run did: an up is taken back by its frozen down, a down
 * by its frozen up, which opens a new generation.
 */
#include "core/release/executor.h"

#include "core/base/mem.h"
#include "core/migrate/apply.h"
#include "core/migrate/source.h"

static bool same(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static bool is_ours(const struct executor *x, const struct applied *a)
{
	return same(a->run, x->run->id);
}

static int find_applied(struct executor *x, const struct step *s, const struct applied **out,
			struct err *e)
{
	const struct history *h;

	if (executor_history(x, &h, e))
		return -1;
	*out = history_find(h, s->ns, s->id);
	return 0;
}

/* The frozen text of a checksum; nothing when the step has none. */
static int frozen(struct executor *x, const char *checksum, struct strbuf *out, struct err *e)
{
	if (!checksum || !checksum[0])
		return 0;
	return run_script(x->run, checksum, out, e);
}

static void event_of_step(struct executor *x, const struct step *s, enum event_kind kind,
			  int64_t generation, struct history_event *ev)
{
	*ev = (struct history_event){
		.ns = s->ns,
		.id = s->id,
		.title = s->title,
		.sort_key = s->sort_key,
		.kind = kind,
		.generation = generation,
		.checksum = s->checksum,
		.down_checksum = s->down_checksum,
		.run = x->run->id,
		.epoch = lock_epoch(x->lock),
		.who = x->ctx->who,
		.host = x->ctx->host,
	};
}

static void say_failure(struct executor *x, const struct step *s, const struct apply_result *r)
{
	if (r->failed_line > 0)
		executor_say(x, "failed at line %d of %s, its transaction was rolled back",
			     r->failed_line, s->file ? s->file : s->id);
}

/* Runs one direction with its event. */
static int run_script_of(struct executor *x, const struct step *s, enum event_kind kind,
			 int64_t generation, struct err *e)
{
	struct apply_result result = { 0 };
	struct apply_job job;
	struct strbuf up, down;
	int ret = -1;

	strbuf_init(&up, SOURCE_FILE_MAX);
	strbuf_init(&down, SOURCE_FILE_MAX);
	if (frozen(x, s->checksum, &up, e) || frozen(x, s->down_checksum, &down, e))
		goto out;
	job = (struct apply_job){
		.db = x->db,
		.lock = x->lock,
		.up = strbuf_sv(&up),
		.down = strbuf_sv(&down),
		.script = kind == EVENT_APPLIED ? strbuf_sv(&up) : strbuf_sv(&down),
		.what = s->file && s->file[0] ? s->file : s->id,
		.no_transaction = s->no_transaction,
		.with = record_copy_due(x) ? record_copy_with : NULL,
		.arg = x,
	};
	event_of_step(x, s, kind, generation, &job.event);
	x->queue.offered = false;
	ret = apply_run(&job, &result, e);
	if (ret) {
		say_failure(x, s, &result);
		goto out;
	}
	record_copied(x);
	executor_say(x, "%zu statement%s", result.n_statement, result.n_statement == 1 ? "" : "s");
out:
	strbuf_clear(&up);
	strbuf_clear(&down);
	return ret;
}

/* --- Up ------------------------------------------------------------------------------------- */

static enum probe_result up_probe(struct executor *x, const struct step *s, struct err *e)
{
	const struct applied *a;

	if (find_applied(x, s, &a, e))
		return PROBE_ERROR;
	if (!a || !a->applied)
		return PROBE_TODO;
	if (!same(a->checksum, s->checksum)) {
		err_set(e, ERR_GATE, "%s is applied in %s with another checksum", s->id,
			x->plan->environment);
		err_detail(e, "planned %s, in force %s, by %s in run %s", s->checksum, a->checksum,
			   a->who ? a->who : "somebody", a->run ? a->run : "unknown");
		err_hint(e, "bascule matrix");
		return PROBE_ERROR;
	}
	if (is_ours(x, a))
		executor_say(x, "applied");
	else
		executor_say(x, "already applied by %s", a->who ? a->who : "somebody");
	return PROBE_DONE;
}

static int up_act(struct executor *x, const struct step *s, struct err *e)
{
	return run_script_of(x, s, EVENT_APPLIED, s->generation, e);
}

static int up_undo(struct executor *x, const struct step *s, struct err *e)
{
	const struct applied *a;

	if (find_applied(x, s, &a, e))
		return -1;
	if (!a || !a->applied || a->baselined || !is_ours(x, a) || a->generation != s->generation)
		return STEP_NOTHING_TO_UNDO;
	if (!s->has_down) {
		err_set(e, ERR_INPUT, "%s stays applied: it has no down", s->id);
		return -1;
	}
	if (executor_intend_undo(x, s, e))
		return -1;
	return run_script_of(x, s, EVENT_ROLLED_BACK, s->generation, e);
}

const struct step_ops step_up_ops = {
	.name = "migrate",
	.flags = STEP_OWN_RECORD | STEP_UNDOABLE,
	.probe = up_probe,
	.act = up_act,
	.undo = up_undo,
};

/* --- Down ----------------------------------------------------------------------------------- */

static enum probe_result down_probe(struct executor *x, const struct step *s, struct err *e)
{
	const struct applied *a;

	if (find_applied(x, s, &a, e))
		return PROBE_ERROR;
	if (a && a->applied && a->generation == s->generation)
		return PROBE_TODO;
	if (a && a->applied && a->generation != s->generation) {
		err_set(e, ERR_GATE, "%s was applied again in %s since the plan was made", s->id,
			x->plan->environment);
		err_hint(e, "bascule history %s", x->plan->environment);
		return PROBE_ERROR;
	}
	executor_say(x, a && is_ours(x, a) ? "rolled back" : "already rolled back");
	return PROBE_DONE;
}

static int down_act(struct executor *x, const struct step *s, struct err *e)
{
	if (!s->has_down)
		return err_set(e, ERR_INPUT, "%s has no down", s->id);
	return run_script_of(x, s, EVENT_ROLLED_BACK, s->generation, e);
}

static int down_undo(struct executor *x, const struct step *s, struct err *e)
{
	const struct applied *a;

	if (find_applied(x, s, &a, e))
		return -1;
	if (!a || a->applied || !is_ours(x, a) || a->generation != s->generation)
		return STEP_NOTHING_TO_UNDO;
	if (!s->checksum || !s->checksum[0]) {
		err_set(e, ERR_INPUT, "%s stays rolled back: its up is not stored", s->id);
		return -1;
	}
	if (executor_intend_undo(x, s, e))
		return -1;
	return run_script_of(x, s, EVENT_APPLIED, s->generation + 1, e);
}

const struct step_ops step_down_ops = {
	.name = "roll back",
	.flags = STEP_OWN_RECORD | STEP_UNDOABLE,
	.probe = down_probe,
	.act = down_act,
	.undo = down_undo,
};

/* --- Record only: baseline, accept ---------------------------------------------------------- */

static enum probe_result record_probe(struct executor *x, const struct step *s, struct err *e)
{
	const struct applied *a;

	if (find_applied(x, s, &a, e))
		return PROBE_ERROR;
	if (s->event == EVENT_BASELINED)
		return a && a->applied && same(a->checksum, s->checksum) ? PROBE_DONE : PROBE_TODO;
	/* Accepting a failure for another try leaves nothing in force: done when no failure is left. */
	if (a && !a->applied)
		return a->failed ? PROBE_TODO : PROBE_DONE;
	return a && a->accepted && same(a->checksum, s->checksum) ? PROBE_DONE : PROBE_TODO;
}

static int record_act(struct executor *x, const struct step *s, struct err *e)
{
	struct apply_job job = { .db = x->db, .lock = x->lock, .what = s->id };
	const struct applied *a;
	struct strbuf up, down;
	int ret = -1;

	strbuf_init(&up, SOURCE_FILE_MAX);
	strbuf_init(&down, SOURCE_FILE_MAX);
	if (find_applied(x, s, &a, e) || frozen(x, s->checksum, &up, e) ||
	    frozen(x, s->down_checksum, &down, e))
		goto out;
	event_of_step(x, s, s->event, s->generation, &job.event);
	job.event.error = s->reason;
	if (s->event == EVENT_ACCEPTED)
		job.event.attempt = (a ? a->accepted_attempts : 0) + 1;
	job.up = strbuf_sv(&up);
	job.down = strbuf_sv(&down);
	ret = apply_record(&job, e);
	executor_forget_history(x);
	executor_say(x, "recorded, nothing was run");
out:
	strbuf_clear(&up);
	strbuf_clear(&down);
	return ret;
}

const struct step_ops step_record_ops = {
	.name = "record",
	.flags = STEP_OWN_RECORD,
	.probe = record_probe,
	.act = record_act,
};
