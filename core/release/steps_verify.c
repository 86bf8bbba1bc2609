/* SPDX-License-Identifier: MIT */
/*
 * Behind a migration: is what it made in force?
 *
 * What is found goes into the step's words and, as an event of its own, into the history, where every
 * look compares it with the database. A finding is never a failure of the step: the migration is in
 * the history, and nobody would want it to run again.
 */
#include "core/release/executor.h"

#include "core/base/log.h"
#include "core/migrate/apply.h"

void verify_begin(struct executor *x, struct sv script, struct verify_watch *w)
{
	struct err e;

	*w = (struct verify_watch){ .wanted = verify_wanted(db_engine(x->db), script) };
	if (!w->wanted)
		return;
	w->looked = verify_database(x->db, &w->before, &e) == 0;
	if (!w->looked)
		log_err(&e);
}

void verify_clear(struct verify_watch *w)
{
	findings_clear(&w->before);
}

/* One event each; an event that is there already is as good. */
static int record_findings(struct executor *x, const struct history_event *applied,
			   const struct findings *f, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		struct apply_job job = { .db = x->db, .lock = x->lock, .what = applied->id };

		job.event = *applied;
		job.event.kind = EVENT_WARNING;
		job.event.attempt = (int64_t)i + 1;
		job.event.took_ms = 0;
		job.event.at_utc_ms = 0;
		job.event.objects = f->list[i].object;
		job.event.error = f->list[i].words;
		if (apply_record(&job, e) && e->code != ERR_EXISTS)
			return -1;
	}
	return 0;
}

void verify_end(struct executor *x, const struct history_event *applied, struct sv script,
		struct verify_watch *w)
{
	struct findings found = { .list = NULL };
	struct err e;

	if (!w->wanted)
		return;
	if (verify_script(x->db, script, w->looked ? &w->before : NULL, &found, &e)) {
		log_err(&e);
		executor_say_more(x, "; not verified: %s", e.msg);
	} else if (found.n > 0) {
		executor_say_more(x, "; WARNING: %s", found.list[0].words);
		if (found.n > 1)
			executor_say_more(x, " (and %zu more)", found.n - 1);
		if (record_findings(x, applied, &found, &e)) {
			log_err(&e);
			executor_say_more(x, "; that could not be written down: %s", e.msg);
		}
	}
	if (found.n > 0)
		executor_forget_history(x);
	findings_clear(&found);
}
