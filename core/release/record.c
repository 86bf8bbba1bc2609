/* SPDX-License-Identifier: MIT */
/*
 * What a runner writes down, and where its copy goes.
 *
 * Every line goes to the journal in the run's folder at once and into a queue in memory. Once there is
 * enough of it, the queue is put into the ledger of the environment with the next migration's own
 * transaction, so that a thousand migrations cost no transaction more and few pages; what is left goes
 * with the `ended` line, before the lock is given back. Only a step that changes the world without
 * being its own record copies the queue before it acts.
 *
 * A line that is in the journal and not in the ledger is no harm, only less proof: a copy that fails is
 * counted (not_copied), never a reason to stop.
 */
#include "core/release/executor.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"

/* A queue of so many lines, or whose first line has waited so long, goes with the next migration. Each
 * copy makes pages of the ledger part of that transaction, which its fsync has to write. */
#define COPY_LINES 64
/* Where migrations are sent ahead, a copy waits until none is under way, and they begin one by one again. */
#define COPY_LINES_AHEAD 512
#define COPY_WAIT_MS 2000

static void queue_add(struct executor *x, int64_t epoch, int64_t seq, size_t at)
{
	struct copy_queue *q = &x->queue;

	if (q->n == 0)
		q->since_ms = clock_mono_ms();
	mem_grow(&q->line, &q->cap, q->n + 1, sizeof(*q->line));
	q->line[q->n++] = (struct copy_line){ epoch, seq, at, q->text.len - at };
}

int record_line(struct executor *x, const char *kind, int step, json_t *fields, bool sync,
		struct err *e)
{
	size_t at = x->queue.text.len;
	int ret = journal_add(x->journal, kind, step, fields, sync, &x->queue.text, e);

	json_decref(fields);
	if (ret) {
		x->journal_failed = true;
		return -1;
	}
	queue_add(x, x->run->epoch, journal_seq(x->journal), at);
	return 0;
}

void record_note(struct executor *x, const char *kind, int step, json_t *fields)
{
	struct err e;

	if (record_line(x, kind, step, fields, false, &e))
		log_err(&e);
}

json_t *record_error(const struct err *e)
{
	json_t *j = json_object();

	json_put_str(j, "code", err_code_name(e->code));
	json_put_str(j, "msg", e->msg);
	json_put_str(j, "detail", e->detail);
	json_put_str(j, "hint", e->hint);
	return j;
}

void record_again(struct executor *x, int step, int attempt, int64_t wait_ms, const struct err *why)
{
	json_t *j = json_object();

	json_put_int(j, "attempt", attempt);
	json_put_int(j, "wait_ms", wait_ms);
	json_put_str(j, "text", "a lock was not to be had in time; trying again");
	json_object_set_new(j, "error", record_error(why));
	record_note(x, "progress", step, j);
}

/* --- The copy ------------------------------------------------------------------------------- */

struct old_lines {
	struct executor *x;
	int64_t epoch, seq; /* the last one that the ledger has */
};

static int queue_old_line(void *arg, const struct journal_line *l, struct err *e)
{
	struct old_lines *o = arg;
	size_t at = o->x->queue.text.len;

	(void)e;
	if (l->epoch < o->epoch || (l->epoch == o->epoch && l->seq <= o->seq))
		return 0;
	strbuf_addsv(&o->x->queue.text, l->text);
	queue_add(o->x, l->epoch, l->seq, at);
	return 0;
}

void record_queue_old(struct executor *x)
{
	struct old_lines o = { .x = x };
	struct err e;
	char *path;

	/* Not knowing what the ledger has, all are offered: it passes over those that it knows. */
	if (ledger_last_line(x->db, x->run->id, &o.epoch, &o.seq, &e))
		log_err(&e);
	/* Lines of this process (waiting for the lock) are in the file, too: begin anew. */
	x->queue.n = 0;
	strbuf_reset(&x->queue.text);
	path = path_join(x->run->dir, "journal.ndjson");
	if (journal_read(path, queue_old_line, &o, NULL, &e))
		log_err(&e);
	mem_free(path);
}

static int put_run(struct executor *x, struct db *db, enum run_state state, struct err *e)
{
	return ledger_put_run(db, x->run->id, operation_name(x->plan->op), x->run->who,
			      x->run->from, x->run->created_utc_ms, run_state_name(state),
			      x->run->plan_digest, e);
}

/* Run and lines in one unit: one answer, however many lines. fenced: in an open transaction behind its
 * fence; else in one of its own. */
static int copy_ahead(struct executor *x, enum run_state state, bool fenced, struct err *e)
{
	const struct copy_queue *q = &x->queue;
	struct arena a;
	struct db_item *item;
	size_t n = 0, failed;
	int ret = -1;

	arena_init(&a);
	item = arena_alloc(&a, (q->n + 4) * sizeof(*item));
	if (!fenced) {
		item[n++].text = SV("START TRANSACTION");
		lock_fence_item(x->lock, x->db, &a, &item[n++]);
	}
	ledger_run_item(&a, x->db, x->run->id, operation_name(x->plan->op), x->run->who,
			x->run->from, x->run->created_utc_ms, run_state_name(state),
			x->run->plan_digest, &item[n++]);
	for (size_t i = 0; i < q->n; i++)
		ledger_line_item(&a, x->db, x->run->id, q->line[i].epoch, q->line[i].seq,
				 sv_n(q->text.data + q->line[i].at, q->line[i].n), &item[n++]);
	item[n++].text = SV("COMMIT");
	if (db_unit_send(x->db, item, n, e) == 0)
		ret = db_unit_result(x->db, &failed, e);
	if (ret) {
		struct err ignored;

		(void)!db_units_clear(x->db, &ignored);
		(void)lock_fence_judge(x->lock, x->db, e);
	}
	arena_clear(&a);
	return ret;
}

static int put_lines(struct executor *x, struct db *db, struct err *e)
{
	const struct copy_queue *q = &x->queue;

	for (size_t i = 0; i < q->n; i++) {
		struct sv text = sv_n(q->text.data + q->line[i].at, q->line[i].n);

		if (ledger_put_line(db, x->run->id, q->line[i].epoch, q->line[i].seq, text, e))
			return -1;
	}
	return 0;
}

bool record_copy_due(const struct executor *x)
{
	const struct copy_queue *q = &x->queue;
	size_t many = db_caps(x->db) & DB_PIPELINE ? COPY_LINES_AHEAD : COPY_LINES;

	return q->n > 0 &&
	       (!q->run_known || q->n >= many || clock_mono_ms() - q->since_ms >= COPY_WAIT_MS);
}

int record_copy_with(void *arg, struct db *db, struct err *e)
{
	struct executor *x = arg;

	if (!x->queue.run_known && put_run(x, db, RUN_RUNNING, e))
		return -1;
	if (put_lines(x, db, e))
		return -1;
	x->queue.offered = true;
	return 0;
}

void record_copied(struct executor *x)
{
	/* A script that runs without a transaction has none to take the lines along. */
	if (!x->queue.offered)
		return;
	x->queue.offered = false;
	x->queue.n = 0;
	strbuf_reset(&x->queue.text);
	x->queue.run_known = true;
}

int record_copy(struct executor *x, struct err *e)
{
	x->queue.offered = false;
	if (db_caps(x->db) & DB_PIPELINE) {
		if (copy_ahead(x, RUN_RUNNING, false, e))
			return -1;
		x->queue.offered = true;
		record_copied(x);
		return 0;
	}
	if (db_begin(x->db, e))
		return -1;
	if (lock_fence(x->lock, x->db, e) || record_copy_with(x, x->db, e) || db_commit(x->db, e)) {
		db_rollback(x->db);
		return -1;
	}
	record_copied(x);
	return 0;
}

/* --- The end -------------------------------------------------------------------------------- */

static json_t *ended_fields(const struct outcome *o, size_t not_copied)
{
	json_t *j = json_object();

	json_put_str(j, "state", run_state_name(o->state));
	json_put_int(j, "exit", o->exit_code);
	json_put_int(j, "not_copied", (int64_t)not_copied);
	if (o->exit_code != 0)
		json_object_set_new(j, "error", record_error(&o->err));
	return j;
}

/* The line says 0 not copied, because it is in the transaction that copies it. */
static int ended_with_copy(struct executor *x, const struct outcome *o, bool *written,
			   struct err *e)
{
	bool ahead = db_caps(x->db) & DB_PIPELINE;

	if (db_begin(x->db, e))
		return -1;
	if (lock_fence(x->lock, x->db, e))
		goto undo;
	*written = true;
	if (record_line(x, "ended", 0, ended_fields(o, 0), true, e))
		goto undo;
	if (ahead && copy_ahead(x, o->state, true, e))
		goto undo;
	if (!ahead &&
	    (put_run(x, x->db, o->state, e) || put_lines(x, x->db, e) || db_commit(x->db, e)))
		goto undo;
	x->queue.offered = true;
	record_copied(x);
	return 0;
undo:
	db_rollback(x->db);
	return -1;
}

void record_fenced(struct executor *x)
{
	json_t *j = json_object();

	json_put_bool(j, "fenced", true);
	record_note(x, "progress", 0, j);
}

/* The ledger could not take it. Being fenced is another thing than being unreachable: then somebody
 * else speaks for the run. */
static void ended_without_copy(struct executor *x, const struct outcome *o, bool written,
			       const struct err *why)
{
	json_t *j;

	if (why && why->code == ERR_FENCED) {
		record_fenced(x);
	} else if (!written) {
		record_note(x, "ended", 0, ended_fields(o, x->queue.n + 1));
	} else {
		j = json_object();
		json_put_int(j, "not_copied", (int64_t)x->queue.n + 1);
		record_note(x, "progress", 0, j);
	}
}

void record_ended(struct executor *x, const struct outcome *o)
{
	bool written = false;
	struct err e;

	if (x->journal_failed)
		return;
	if (!x->db || !x->lock) {
		ended_without_copy(x, o, false, NULL);
		return;
	}
	if (!ended_with_copy(x, o, &written, &e))
		return;
	log_err(&e);
	if (!x->journal_failed)
		ended_without_copy(x, o, written, &e);
}
