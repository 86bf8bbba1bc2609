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

#include "core/base/json.h"
#include "core/base/log.h"
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

static void say_failure(struct executor *x, const struct step *s, const struct apply_result *r,
			const struct err *why)
{
	const char *file = s->file ? s->file : s->id;
	const char *word = why->code == ERR_CANCELLED ? "aborted" : "failed";

	if (r->failed_line > 0 && r->statement_by_statement)
		executor_say(x, "%s at statement %zu of %zu, line %d of %s: %s", word,
			     r->failed_statement, r->n_script, r->failed_line, file, r->failed_sql);
	else if (r->failed_line > 0)
		executor_say(x, "%s at line %d of %s, its transaction was rolled back", word,
			     r->failed_line, file);
}

/* One direction of a step, ready to run, and the texts it points to. */
struct migrate_job {
	struct apply_job job;
	struct strbuf up, down;
};

static void job_clear(struct migrate_job *m)
{
	strbuf_clear(&m->up);
	strbuf_clear(&m->down);
}

static int job_init(struct migrate_job *m, struct executor *x, const struct step *s,
		    enum event_kind kind, int64_t generation, struct err *e)
{
	strbuf_init(&m->up, SOURCE_FILE_MAX);
	strbuf_init(&m->down, SOURCE_FILE_MAX);
	if (frozen(x, s->checksum, &m->up, e) || frozen(x, s->down_checksum, &m->down, e) ||
	    find_applied(x, s, &m->job.before, e)) {
		job_clear(m);
		return -1;
	}
	m->job = (struct apply_job){
		.db = x->db,
		.lock = x->lock,
		.up = strbuf_sv(&m->up),
		.down = strbuf_sv(&m->down),
		.script = kind == EVENT_APPLIED ? strbuf_sv(&m->up) : strbuf_sv(&m->down),
		.what = s->file && s->file[0] ? s->file : s->id,
		.environment = x->plan->environment,
		.no_transaction = s->no_transaction,
		.before = m->job.before,
		.with = record_copy_due(x) ? record_copy_with : NULL,
		.arg = x,
	};
	event_of_step(x, s, kind, generation, &m->job.event);
	return 0;
}

static void say_success(struct executor *x, const struct apply_result *r)
{
	char tries[40] = "";

	if (r->attempts > 1)
		snprintf(tries, sizeof(tries), ", at try %d", r->attempts);
	if (r->n_statement == 0 && r->n_script > 0)
		executor_say(x, "all of its statements had run%s", tries);
	else if (r->n_statement < r->n_script)
		executor_say(x, "statements %zu to %zu of %zu%s", r->n_script - r->n_statement + 1,
			     r->n_script, r->n_script, tries);
	else
		executor_say(x, "%zu statement%s%s", r->n_statement, r->n_statement == 1 ? "" : "s",
			     tries);
}

/* Runs one direction with its event. */
static int run_script_of(struct executor *x, const struct step *s, enum event_kind kind,
			 int64_t generation, struct err *e)
{
	struct apply_result result = { 0 };
	struct verify_watch watch = { .wanted = false };
	struct migrate_job m;
	int ret;

	if (job_init(&m, x, s, kind, generation, e))
		return -1;
	if (kind == EVENT_APPLIED)
		verify_begin(x, m.job.script, &watch);
	x->queue.offered = false;
	ret = apply_run(&m.job, &result, e);
	if (ret) {
		say_failure(x, s, &result, e);
	} else {
		record_copied(x);
		say_success(x, &result);
		verify_end(x, &m.job.event, m.job.script, &watch);
	}
	verify_clear(&watch);
	job_clear(&m);
	return ret;
}

/* --- Several, sent ahead -------------------------------------------------------------------- */

#define AHEAD_MAX 64 /* made ready and not answered; apply keeps far fewer under way */

struct ahead {
	struct executor *x;
	enum step_kind kind;
	size_t first, given, told;         /* indexes of steps; given: the next to give */
	struct migrate_job job[AHEAD_MAX]; /* of step i: i % AHEAD_MAX */
	bool intended;                     /* the step told next has its intent line */
	/* A script that may leave something that is not in force goes by itself: the database is asked before
	 * and behind it. */
	struct verify_watch watch;
	bool held; /* it is applied, and its result line waits for what is found */
	int64_t held_ms;
};

/* The intent of the step that is the oldest now. Those behind it may run already: what proves them is the
 * event in their own transaction, or their own intents in the ledger. */
static int ahead_intend(struct ahead *a, struct err *e)
{
	const struct step *s;

	if (a->intended || a->told >= a->given)
		return 0;
	a->intended = true;
	s = &a->x->plan->step[a->told];
	a->x->run->current = s->n;
	a->x->run->step[a->told].state = STEP_RUNNING;
	return executor_intend(a->x, s, "act", e);
}

/* Did somebody ask for something? Taken by the loop, between two feeds. */
static bool is_asked(const struct executor *x)
{
	struct pollfd fd = { .fd = control_fd(x->control), .events = POLLIN };
	struct err ignored;

	return wait_fds(&fd, 1, 0, NULL, &ignored) != 0;
}

static int ahead_next(void *arg, struct apply_job **job, struct err *e)
{
	struct ahead *a = arg;
	struct executor *x = a->x;
	const struct step *s;
	struct migrate_job *m;

	if (a->given >= x->plan->n_step || a->given - a->told >= AHEAD_MAX || a->watch.wanted)
		return 0;
	s = &x->plan->step[a->given];
	if (s->kind != a->kind || x->run->step[a->given].state == STEP_SKIPPED)
		return 0;
	if (lock_lease(x->lock, e))
		return -1;
	if (a->given > a->first) {
		if (record_copy_due(x) || is_asked(x) || control_fenced(x->control))
			return 0;
		/* The loop tells what is done already, and what cannot be told. */
		if (step_ops_of(s)->probe(x, s, e) != PROBE_TODO)
			return 0;
	}
	m = &a->job[a->given % AHEAD_MAX];
	if (job_init(m, x, s, s->kind == STEP_UP ? EVENT_APPLIED : EVENT_ROLLED_BACK, s->generation,
		     e))
		return -1;
	if (s->kind == STEP_UP && a->given > a->first &&
	    verify_wanted(db_engine(x->db), m->job.script)) {
		job_clear(m);
		return 0;
	}
	if (s->kind == STEP_UP && a->given == a->first)
		verify_begin(x, m->job.script, &a->watch);
	a->given++;
	if (ahead_intend(a, e))
		return -1;
	*job = &m->job;
	return 1;
}

static int ahead_told(struct ahead *a, int64_t took_ms, struct err *e)
{
	struct executor *x = a->x;

	if (executor_result(x, &x->plan->step[a->told], STEP_DONE, took_ms, x->text, NULL, e))
		return -1;
	job_clear(&a->job[a->told % AHEAD_MAX]);
	a->told++;
	a->intended = false;
	return ahead_intend(a, e);
}

static int ahead_done(void *arg, struct apply_job *job, const struct apply_result *r,
		      const struct err *why, struct err *e)
{
	struct ahead *a = arg;
	struct executor *x = a->x;
	const struct step *s = &x->plan->step[a->told];

	(void)job;
	x->text[0] = '\0';
	if (why) {
		say_failure(x, s, r, why);
		return 0;
	}
	say_success(x, r);
	if (a->watch.wanted) {
		a->held = true;
		a->held_ms = r->took_ms;
		return 0;
	}
	return ahead_told(a, r->took_ms, e);
}

/* The one that went by itself is applied. */
static int ahead_verify(struct ahead *a, struct err *e)
{
	const struct apply_job *job = &a->job[a->told % AHEAD_MAX].job;

	verify_end(a->x, &job->event, job->script, &a->watch);
	return ahead_told(a, a->held_ms, e);
}

static void ahead_again(void *arg, const struct apply_job *job, int attempt, int64_t wait_ms,
			const struct err *why)
{
	struct ahead *a = arg;

	(void)job;
	record_again(a->x, a->x->plan->step[a->told].n, attempt, wait_ms, why);
}

static int migrate_many(struct executor *x, size_t first, size_t *next, struct err *e)
{
	struct ahead a = {
		.x = x,
		.kind = x->plan->step[first].kind,
		.first = first,
		.given = first,
		.told = first,
	};
	struct apply_feed f = {
		.db = x->db,
		.lock = x->lock,
		.cancel = &x->work,
		.give_up_fd = control_cancel_fd(x->control),
		.next = ahead_next,
		.done = ahead_done,
		.again = ahead_again,
		.arg = &a,
	};
	int ret = apply_feed(&f, e);
	struct err copy;

	if (a.held && ahead_verify(&a, &copy)) {
		*e = copy;
		ret = -1;
	}
	verify_clear(&a.watch);
	for (size_t i = a.told; i < a.given; i++)
		job_clear(&a.job[i % AHEAD_MAX]);
	*next = a.told;
	if (ret == 0 && record_copy_due(x) && record_copy(x, &copy)) {
		if (copy.code == ERR_FENCED || copy.code == ERR_LOST) {
			*e = copy;
			return -1;
		}
		log_err(&copy); /* the journal has the lines */
	}
	return ret;
}

/* A runner that died behind the commit did not come to verify. */
static void verify_late(struct executor *x, const struct step *s, const struct applied *a)
{
	struct verify_watch watch = { .wanted = true };
	struct history_event ev;
	struct strbuf up;
	struct err e;

	if (a->n_warning > 0 || db_units_waiting(x->db) > 0 || !(db_caps(x->db) & DB_SERVER))
		return;
	strbuf_init(&up, SOURCE_FILE_MAX);
	event_of_step(x, s, EVENT_APPLIED, a->generation, &ev);
	if (!frozen(x, s->checksum, &up, &e) && verify_wanted(db_engine(x->db), strbuf_sv(&up)))
		verify_end(x, &ev, strbuf_sv(&up), &watch);
	strbuf_clear(&up);
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
	if (is_ours(x, a)) {
		executor_say(x, "applied");
		verify_late(x, s, a);
	} else {
		executor_say(x, "already applied by %s", a->who ? a->who : "somebody");
	}
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
	if (a && !a->applied && a->partial && is_ours(x, a)) {
		err_set(e, ERR_INPUT, "%s stays partial: %lld of %lld statements have run", s->id,
			(long long)a->statements_done, (long long)a->statements_total);
		return -1;
	}
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
	.act_many = migrate_many,
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
	.act_many = migrate_many,
	.undo = down_undo,
};

/* --- Record only: baseline, accept ---------------------------------------------------------- */

static enum probe_result record_probe(struct executor *x, const struct step *s, struct err *e)
{
	const struct applied *a;

	if (find_applied(x, s, &a, e))
		return PROBE_ERROR;
	if (s->event == EVENT_MARKED)
		return a && a->partial && a->statements_done < s->statement &&
				       (s->statement_done || a->open_hash)
			       ? PROBE_TODO
			       : PROBE_DONE;
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
	if (s->event == EVENT_MARKED) {
		job.event.attempt = a ? a->partial_attempt : 0;
		job.event.statement = s->statement;
		job.event.statements = s->statements;
		job.event.down = s->statement_down;
		job.event.done = s->statement_done;
		job.event.hash = a ? a->open_hash : NULL;
	}
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
