/* SPDX-License-Identifier: MIT */
/*
 * One migration into one database, and what all the ways of doing it share: the failed event, the tries
 * after a lock that was not to be had, the feed of migrations one behind the other.
 *
 * On an engine that is a file:
 *
 * BEGIN, the fence, the statements, the history event, COMMIT. PROTOCOL inserts the event first on
 * engines whose server can commit after its client died. Here the event is in the same transaction
 * as the statements and commits with them or not at all, so its place makes no difference to a
 * crash; it goes last, because events are never updated and took_ms is known only then. Its unique
 * key still stops a second application: that transaction fails at the event and undoes everything.
 *
 * A second application usually fails earlier, at a table that exists. Then the error would mislead,
 * so the failure path looks into the history before it calls the statement wrong.
 *
 * A `failed` event is written after the rollback, in a transaction of its own, under the fence. It is a
 * record, not a state of ours: when it cannot be written, the first error is returned all the same
 * and says so.
 *
 * `-- transaction: no` (on SQLite only VACUUM, PRAGMA, REINDEX, ANALYZE): the fence is checked in a
 * transaction just before, then the statements run bare, then the event is written. A crash in between
 * runs them again on resume, which these statements bear.
 */
#include "core/migrate/apply_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/secret.h"
#include "core/base/utf8.h"
#include "core/ledger/ledger.h"
#include "core/migrate/migration.h"

#define ERROR_TEXT_MAX 4000 /* bytes of an error kept in the history */

static int fence(const struct apply_job *job, struct err *e)
{
	return job->lock != NULL ? lock_fence(job->lock, job->db, e) : 0;
}

/* ---- a failure, and its record ---- */

/* What the history says about the generation that failed. */
struct earlier {
	const struct history_event *want;
	int64_t failures;
	bool done; /* the very event is already there */
};

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static int look_at(void *arg, const struct history_event *ev, struct err *e)
{
	struct earlier *x = arg;

	(void)e;
	if (ev->generation != x->want->generation || !same_text(ev->id, x->want->id) ||
	    !same_text(ev->ns, x->want->ns))
		return 0;
	if (ev->kind == EVENT_FAILED && ev->attempt >= x->failures)
		x->failures = ev->attempt > 0 ? ev->attempt : x->failures + 1;
	/* Baselined counts as applied: both open a generation. */
	if (ev->kind == x->want->kind ||
	    (x->want->kind == EVENT_APPLIED && ev->kind == EVENT_BASELINED))
		x->done = true;
	return 0;
}

int apply_already_there(const struct apply_job *job, struct err *e)
{
	err_set(e, ERR_EXISTS, "cannot run %s: it is in the history already", job->what);
	err_detail(e, "migration %s, %s, generation %lld", job->event.id,
		   event_kind_name(job->event.kind), (long long)job->event.generation);
	return err_hint(e, "bascule matrix");
}

/* It goes into a table that many may read. */
static void error_text(struct strbuf *out, const struct err *whole)
{
	struct err without = *whole, *e = &without;

	secret_redact_err(e);
	clean_text(out, sv_of(e->msg), false);
	if (e->detail[0] != '\0') {
		strbuf_adds(out, ": ");
		clean_text(out, sv_of(e->detail), false);
	}
}

static int write_failed(struct apply_job *job, const struct apply_result *r, int64_t attempt,
			const char *text, struct history_event *failed, struct err *e)
{
	struct history_event ev = failed != NULL ? *failed : job->event;

	ev.kind = EVENT_FAILED;
	ev.down = job->event.kind == EVENT_ROLLED_BACK;
	ev.attempt = attempt;
	ev.statement = (int64_t)r->failed_statement;
	ev.at_utc_ms = 0;
	ev.took_ms = r->took_ms;
	ev.error = text;
	if (db_begin(job->db, e) != 0)
		return -1;
	if (fence(job, e) != 0 || ledger_add(job->db, &ev, job->up, job->down, NULL, e) != 0 ||
	    db_commit(job->db, e) != 0) {
		db_rollback(job->db);
		return -1;
	}
	return 0;
}

/* After the rollback: writes the failed event, unless the migration turns out to be done already. */
void apply_record_failure(struct apply_job *job, const struct apply_result *r,
			  struct history_event *failed, struct err *e)
{
	struct earlier seen = { .want = &job->event };
	struct err e2;
	struct strbuf text;

	if (e->code == ERR_FENCED || e->code == ERR_CANCELLED || e->code == ERR_EXISTS ||
	    e->code == ERR_LOST)
		return;
	/* Undone whole, and no fault of the file: a lock that others held, a full disk. Nothing has to be
	 * mended or accepted before another try; the run has the words. */
	if ((db_caps(job->db) & DB_SERVER) && !r->statement_by_statement &&
	    (e->code == ERR_BUSY || e->code == ERR_SYSTEM))
		return;
	strbuf_init(&text, ERROR_TEXT_MAX);
	error_text(&text, e);
	if (ledger_events(job->db, look_at, &seen, &e2) != 0)
		goto lost;
	if (seen.done) {
		apply_already_there(job, e);
		goto out;
	}
	if (write_failed(job, r, seen.failures + 1, strbuf_str(&text), failed, &e2) == 0)
		goto out;
lost:
	if (e2.code == ERR_FENCED) {
		*e = e2; /* the other holder's word counts now, and callers branch on it */
	} else {
		str_copy(e->detail, sizeof(e->detail), strbuf_str(&text));
		err_hint(e, "the failure is not in the history: %s", e2.msg);
	}
out:
	strbuf_clear(&text);
}

int apply_look(const struct apply_job *job, bool *done, struct err *e)
{
	struct earlier seen = { .want = &job->event };

	if (ledger_events(job->db, look_at, &seen, e) != 0)
		return -1;
	*done = seen.done;
	return 0;
}

/* ---- statements ---- */

int apply_statement_failed(const struct apply_job *job, const struct script *s, size_t i,
			   struct apply_result *r, struct err *e)
{
	const struct sql_statement *st = &s->body.item[i];
	struct strbuf text;
	struct err was;

	r->failed_statement = i + 1;
	r->failed_line = st->line;
	strbuf_init(&text, sizeof(r->failed_sql) * 4);
	clean_text(&text,
		   sv_n(st->text.p,
			st->text.n < sizeof(r->failed_sql) ? st->text.n : sizeof(r->failed_sql)),
		   false);
	str_copy(r->failed_sql, sizeof(r->failed_sql), strbuf_str(&text));
	strbuf_clear(&text);
	if (e->code == ERR_CANCELLED || e->code == ERR_LOST)
		return -1;
	if (!(db_caps(job->db) & DB_SERVER))
		return err_wrap(e, "cannot run %s: statement %zu of %zu, line %d", job->what, i + 1,
				s->body.n, st->line);
	/* Where it was is said already; what the server says, and by which code it is looked up, is
	 * what matters. */
	was = *e;
	err_set(e, was.code, "cannot run %s: statement %zu of %zu, line %d", job->what, i + 1,
		s->body.n, st->line);
	str_copy(e->sys, sizeof(e->sys), was.sys);
	str_copy(e->hint, sizeof(e->hint), was.hint);
	return err_detail(e, "%s%s%s%s", was.detail[0] != '\0' ? was.detail : was.msg,
			  was.sys[0] != '\0' ? " [" : "", was.sys, was.sys[0] != '\0' ? "]" : "");
}

static int run_statements(const struct apply_job *job, const struct script *s,
			  struct apply_result *r, struct err *e)
{
	for (size_t i = 0; i < s->body.n; i++) {
		if (db_foreign(job->db, s->body.item[i].text, NULL, e) != 0)
			return apply_statement_failed(job, s, i, r, e);
		r->n_statement++;
	}
	return 0;
}

static int add_event(struct apply_job *job, int64_t took_ms, struct err *e)
{
	struct history_event ev = job->event;

	ev.took_ms = took_ms;
	if (ledger_add(job->db, &ev, job->up, job->down, NULL, e) != 0)
		return e->code == ERR_EXISTS ? apply_already_there(job, e) : -1;
	return job->with != NULL ? job->with(job->arg, job->db, e) : 0;
}

static int run_inside(struct apply_job *job, const struct script *s, struct apply_result *r,
		      struct err *e)
{
	int64_t start = clock_mono_us();
	int rc = -1;

	if (db_migration_begin(job->db, s->hoist, s->n_hoist, e) != 0)
		goto out;
	if (fence(job, e) != 0 || run_statements(job, s, r, e) != 0)
		goto out;
	r->took_ms = (clock_mono_us() - start + 500) / 1000;
	if (add_event(job, r->took_ms, e) != 0 || db_migration_commit(job->db, e) != 0)
		goto out;
	rc = 0;
out:
	r->took_ms = (clock_mono_us() - start + 500) / 1000;
	if (rc != 0)
		db_migration_rollback(job->db);
	return rc;
}

/* A transaction of ours that only asks whether the lock is still ours. */
static int fence_alone(struct apply_job *job, struct err *e)
{
	int rc;

	if (db_begin(job->db, e) != 0)
		return -1;
	rc = fence(job, e);
	db_rollback(job->db);
	return rc;
}

static int run_outside(struct apply_job *job, const struct script *s, struct apply_result *r,
		       struct err *e)
{
	int64_t start = clock_mono_us();
	int rc = -1;

	if (fence_alone(job, e) != 0 || run_statements(job, s, r, e) != 0)
		goto out;
	r->took_ms = (clock_mono_us() - start + 500) / 1000;
	if (db_begin(job->db, e) != 0)
		goto out;
	if (fence(job, e) != 0 || add_event(job, r->took_ms, e) != 0 ||
	    db_commit(job->db, e) != 0) {
		db_rollback(job->db);
		goto out;
	}
	rc = 0;
out:
	r->took_ms = (clock_mono_us() - start + 500) / 1000;
	return rc;
}

/* The directive belongs to the text that runs: a down beside an up that vacuums is as a rule an
 * ordinary script, and says so by having no header of its own. */
static int runs_outside(const struct apply_job *job, bool *outside, struct err *e)
{
	struct migration_directives found;

	*outside = job->no_transaction;
	if (job->event.kind != EVENT_ROLLED_BACK)
		return 0;
	if (migration_directives(job->script, &found, e) != 0)
		return err_wrap(e, "cannot run %s", job->what);
	*outside = found.no_transaction;
	return 0;
}

static int run_here(struct apply_job *job, struct apply_result *out, struct err *e)
{
	struct apply_result r = { .attempts = 1 };
	struct script s;
	struct arena a;
	bool outside;
	int rc = -1;

	arena_init(&a);
	if (runs_outside(job, &outside, e) != 0)
		goto out;
	if (script_prepare(&a, db_engine(job->db), job->what, job->script, outside, &s, e) != 0)
		goto out; /* nothing ran, so there is nothing to record */
	r.n_script = s.body.n;
	rc = outside ? run_outside(job, &s, &r, e) : run_inside(job, &s, &r, e);
	if (rc != 0)
		apply_record_failure(job, &r, NULL, e);
out:
	*out = r;
	arena_clear(&a);
	return rc;
}

/* ---- one behind the other ---- */

int feed_by_statement(struct apply_job *job, bool *yes, struct err *e)
{
	*yes = !(db_caps(job->db) & DB_TX_DDL);
	return *yes ? 0 : runs_outside(job, yes, e);
}

int feed_peek(struct feed_reader *r, struct apply_job **job, struct err *e)
{
	*job = r->peeked;
	if (r->peeked != NULL || r->dry)
		return 0;
	switch (r->feed->next(r->feed->arg, &r->peeked, e)) {
	case 1:
		*job = r->peeked;
		return 0;
	case 0:
		r->dry = true;
		return 0;
	default:
		return -1;
	}
}

void feed_take(struct feed_reader *r)
{
	r->peeked = NULL;
}

int apply_again(struct apply_feed *f, const struct apply_job *job, int attempt,
		const struct err *why, struct err *e)
{
	struct pollfd give_up = { .fd = f->give_up_fd > 0 ? f->give_up_fd : -1, .events = POLLIN };
	char chance[5];
	int64_t wait_ms;
	int ready;

	if (why->code != ERR_BUSY || attempt >= APPLY_ATTEMPTS)
		return 0;
	/* Two who wait for each other must not meet again: half of it is left to chance. */
	wait_ms = (int64_t)APPLY_FIRST_WAIT_MS << (attempt - 1);
	digest_random_hex(2, chance);
	wait_ms = wait_ms / 2 + (int64_t)strtoul(chance, NULL, 16) % wait_ms;
	if (f->again != NULL)
		f->again(f->arg, job, attempt, wait_ms, why);
	ready = wait_fds(&give_up, 1, clock_mono_ms() + wait_ms, f->cancel, e);
	return ready < 0 ? -1 : ready == 0;
}

/* A file: nothing is sent ahead. */
static int feed_here(struct feed_reader *r, struct err *e)
{
	struct apply_feed *f = r->feed;
	struct apply_result result;
	struct apply_job *job;
	struct err why;
	int rc;

	for (;;) {
		if (feed_peek(r, &job, e) != 0)
			return -1;
		if (job == NULL)
			return 0;
		feed_take(r);
		rc = run_here(job, &result, &why);
		if (f->done(f->arg, job, &result, rc != 0 ? &why : NULL, e) != 0)
			return -1;
		if (rc != 0) {
			*e = why;
			return -1;
		}
	}
}

int apply_feed(struct apply_feed *f, struct err *e)
{
	struct feed_reader r = { .feed = f };
	struct apply_job *job;

	if (!(db_caps(f->db) & DB_PIPELINE))
		return feed_here(&r, e);
	for (;;) {
		bool by_statement;

		if (feed_peek(&r, &job, e) != 0)
			return -1;
		if (job == NULL)
			return 0;
		if (feed_by_statement(job, &by_statement, e) != 0) {
			struct apply_result none = { .attempts = 1 };
			struct err why = *e, lost;

			feed_take(&r);
			if (f->done(f->arg, job, &none, &why, &lost) != 0)
				*e = lost;
			return -1;
		}
		if ((by_statement ? apply_statements(&r, e) : apply_units(&r, e)) != 0)
			return -1;
	}
}

/* A feed of one. */
struct single {
	struct apply_job *job;
	struct apply_result result;
	bool given;
};

static int single_next(void *arg, struct apply_job **job, struct err *e)
{
	struct single *s = arg;

	(void)e;
	if (s->given)
		return 0;
	s->given = true;
	*job = s->job;
	return 1;
}

static int single_done(void *arg, struct apply_job *job, const struct apply_result *r,
		       const struct err *why, struct err *e)
{
	struct single *s = arg;

	(void)job;
	(void)why;
	(void)e;
	s->result = *r;
	return 0;
}

int apply_run(struct apply_job *job, struct apply_result *out, struct err *e)
{
	struct single s = { .job = job };
	struct apply_feed f = {
		.db = job->db,
		.lock = job->lock,
		.next = single_next,
		.done = single_done,
		.arg = &s,
	};
	int rc = apply_feed(&f, e);

	*out = s.result;
	return rc;
}

int apply_record(struct apply_job *job, struct err *e)
{
	if (db_begin(job->db, e) != 0)
		return -1;
	if (fence(job, e) != 0 || add_event(job, job->event.took_ms, e) != 0 ||
	    db_commit(job->db, e) != 0) {
		db_rollback(job->db);
		return -1;
	}
	return 0;
}
