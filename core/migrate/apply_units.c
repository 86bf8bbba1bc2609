/* SPDX-License-Identifier: MIT */
/*
 * Migrations that are one transaction each, sent ahead.
 *
 * The server may commit after its client died, so the event goes in first: its unique key stops a
 * second application whatever a resumed runner believes. A unit is
 *
 *	START TRANSACTION; the fence; the event; the statements; the time it took; COMMIT
 *
 * and nobody sees the event before the COMMIT. The server stops at the first statement that fails, and
 * then runs no unit behind it either: that is why whole migrations can be sent before the answer
 * to the one in front is there, which is what makes a distant server fast. How many are under
 * way is a window that begins with one and doubles as long as answers come quickly: behind a migration
 * that takes long nothing should wait in the server, because what was sent cannot be taken back
 * when somebody asks to stop.
 *
 * What the runner hears last decides nothing. After a cancel the server may have committed all the
 * same, so the history is asked before the migration is called undone.
 *
 * What a migration changes in its session (SET ROLE, search_path) is put back by the driver in front of
 * the next unit, and does not reach our own statements in the same one.
 */
#include "core/migrate/apply_inside.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/db/sqlstatement.h"
#include "core/ledger/ledger.h"

#define WINDOW_MAX 16                  /* migrations under way */
#define WINDOW_BYTES ((size_t)4 << 20) /* of scripts under way; one may be longer */
#define QUICK_MS 100                   /* an answer within doubles the window */
#define ITEMS_BEFORE 3                 /* START TRANSACTION, fence, event */

/* One migration under way. */
struct flight {
	struct apply_job *job;
	struct arena arena;
	struct script script;
	struct apply_result result;
	bool broken; /* it could not be made ready: nothing was sent, why says why */
	struct err why;
};

struct window {
	struct feed_reader *reader;
	struct db *db;
	struct flight *flight[WINDOW_MAX]; /* oldest first */
	size_t n, size;
	size_t bytes;
	bool closed;      /* nothing more goes in: another kind, a broken one, or the end */
	int64_t since_us; /* when the oldest became the oldest */
};

/* ---- one migration ---- */

static void flight_free(struct flight *f)
{
	if (f == NULL)
		return;
	arena_clear(&f->arena);
	mem_free(f);
}

/* Splits and checks the script. */
static struct flight *flight_new(struct apply_job *job)
{
	struct flight *f = mem_calloc(1, sizeof(*f));
	const char *engine = db_engine(job->db);

	f->job = job;
	f->result.attempts = 1;
	arena_init(&f->arena);
	if (script_prepare(&f->arena, engine, job->what, job->script, false, &f->script, &f->why) !=
	    0) {
		f->broken = true;
		return f;
	}
	f->result.n_script = f->script.body.n;
	return f;
}

static int flight_send(struct flight *f, struct err *e)
{
	size_t n = f->script.body.n, k = ITEMS_BEFORE;
	struct db_item *item = arena_alloc(&f->arena, (n + ITEMS_BEFORE + 4) * sizeof(*item));
	struct apply_job *job = f->job;
	struct history_event ev = job->event;

	ev.at_utc_ms = clock_utc_ms();
	item[0].text = SV("START TRANSACTION");
	lock_fence_item(job->lock, job->db, &f->arena, &item[1]);
	if (ledger_event_item(&f->arena, job->db, &ev, job->up, job->down, &item[2], e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		item[k++].text = f->script.body.item[i].text;
	ledger_took_item(&f->arena, job->db, &ev, &item[k++]);
	item[k++].text = SV("COMMIT");
	return db_unit_send(job->db, item, k, e);
}

/* Says in e and in the result what item number failed means. */
static int flight_failed(struct flight *f, size_t failed, struct err *e)
{
	size_t n = f->script.body.n;

	if (lock_fence_judge(f->job->lock, f->job->db, e))
		return -1;
	if (failed == ITEMS_BEFORE - 1 && e->code == ERR_EXISTS)
		return apply_already_there(f->job, e);
	if (failed >= ITEMS_BEFORE && failed < ITEMS_BEFORE + n)
		return apply_statement_failed(f->job, &f->script, failed - ITEMS_BEFORE, &f->result,
					      e);
	if (failed > ITEMS_BEFORE + n && e->code != ERR_CANCELLED && e->code != ERR_LOST)
		return err_wrap(e, "cannot commit %s", f->job->what);
	return -1;
}

/* ---- the window ---- */

static void window_push(struct window *w, struct flight *f)
{
	if (w->n == 0)
		w->since_us = clock_mono_us();
	w->flight[w->n++] = f;
	w->bytes += f->job->script.n;
}

static void window_pop(struct window *w)
{
	w->bytes -= w->flight[0]->job->script.n;
	flight_free(w->flight[0]);
	memmove(w->flight, w->flight + 1, --w->n * sizeof(w->flight[0]));
	w->since_us = clock_mono_us();
}

/* Takes migrations until the window is full. */
static int window_fill(struct window *w, struct err *e)
{
	while (!w->closed && w->n < w->size && (w->n == 0 || w->bytes < WINDOW_BYTES)) {
		struct apply_job *job;
		struct flight *f;
		bool by_statement = false;

		if (feed_peek(w->reader, &job, e) != 0)
			return -1;
		/* A header that cannot be read is told by whoever meets it first. */
		if (job == NULL || feed_by_statement(job, &by_statement, e) != 0 || by_statement) {
			w->closed = true;
			return 0;
		}
		feed_take(w->reader);
		f = flight_new(job);
		window_push(w, f);
		if (!f->broken && flight_send(f, &f->why) != 0)
			f->broken = true;
		w->closed = f->broken;
	}
	return 0;
}

/* Sends everything under way again, behind a clear. */
static int window_resend(struct window *w, struct err *e)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->flight[i]->broken && flight_send(w->flight[i], e) != 0)
			return -1;
	return 0;
}

static int tell(struct window *w, const struct err *why, struct err *e)
{
	struct apply_feed *feed = w->reader->feed;
	struct flight *f = w->flight[0];

	return feed->done(feed->arg, f->job, &f->result, why, e);
}

static int window_done(struct window *w, struct err *e)
{
	struct flight *f = w->flight[0];
	int64_t took_ms = (clock_mono_us() - w->since_us + 500) / 1000;

	f->result.took_ms = took_ms;
	f->result.n_statement = f->script.body.n;
	if (tell(w, NULL, e) != 0)
		return -1;
	w->size = took_ms > QUICK_MS ? 1 : w->size * 2 < WINDOW_MAX ? w->size * 2 : WINDOW_MAX;
	window_pop(w);
	return 0;
}

/* The oldest one failed for good: records it, tells it. Always -1. */
static int window_failed(struct window *w, struct err *why, struct err *e)
{
	struct flight *f = w->flight[0];
	bool done = false;
	struct err lost;

	f->result.took_ms = (clock_mono_us() - w->since_us + 500) / 1000;
	if (why->code == ERR_CANCELLED) {
		/* Its COMMIT may have been on its way already. */
		db_set_cancel(w->db, NULL);
		if (apply_look(f->job, &done, &lost) == 0 && done) {
			*e = *why;
			if (tell(w, NULL, &lost) != 0)
				*e = lost;
			return -1;
		}
	}
	if (!f->broken)
		apply_record_failure(f->job, &f->result, NULL, why);
	*e = *why;
	if (tell(w, why, &lost) != 0)
		*e = lost;
	return -1;
}

/* The answer to the oldest one was a failure: e. 0: sent again. */
static int window_failure(struct window *w, size_t failed, struct err *e)
{
	struct flight *f = w->flight[0];
	struct err why = *e, stopped;
	int again;

	/* A connection that is not good after this is what is to be said. */
	if (db_units_clear(w->db, &stopped) != 0 && why.code != ERR_CANCELLED &&
	    why.code != ERR_LOST)
		why = stopped;
	else
		(void)flight_failed(f, failed, &why);
	again = apply_again(w->reader->feed, f->job, f->result.attempts, &why, &stopped);
	if (again > 0) {
		f->result.attempts++;
		f->result.failed_statement = 0;
		f->result.failed_line = 0;
		w->since_us = clock_mono_us();
		return window_resend(w, e);
	}
	if (again < 0)
		why = stopped;
	return window_failed(w, &why, e);
}

int apply_units(struct feed_reader *r, struct err *e)
{
	struct window w = { .reader = r, .db = r->feed->db, .size = 1 };
	int rc = -1;

	for (;;) {
		size_t failed = 0;

		if (window_fill(&w, e) != 0)
			goto out;
		if (w.n == 0)
			break;
		if (w.flight[0]->broken) {
			struct err why = w.flight[0]->why;

			(void)window_failed(&w, &why, e);
			goto out;
		}
		if (db_unit_result(w.db, &failed, e) == 0) {
			if (window_done(&w, e) != 0)
				goto out;
		} else if (window_failure(&w, failed, e) != 0) {
			goto out;
		}
	}
	rc = 0;
out:
	if (w.n > 0 && db_units_waiting(w.db) > 0) {
		struct err ignored;

		/* Answers that nobody waits for any more: a stop in next or done. */
		(void)!db_units_clear(w.db, &ignored);
	}
	while (w.n > 0)
		window_pop(&w);
	return rc;
}
