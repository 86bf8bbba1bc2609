/* SPDX-License-Identifier: MIT */
/* What the files of apply share. Included by apply*.c only. */
#ifndef MIGRATE_APPLY_INSIDE_H
#define MIGRATE_APPLY_INSIDE_H

#include "core/migrate/apply.h"

/* A feed while it is read: one migration may be looked at before it is taken. */
struct feed_reader {
	struct apply_feed *feed;
	struct apply_job *peeked;
	bool dry; /* next has said that there is none */
};

/* The next migration without taking it: *job NULL when there is none. */
int feed_peek(struct feed_reader *r, struct apply_job **job, struct err *e) MUST_CHECK;
void feed_take(struct feed_reader *r);
/* Does it run statement by statement here? ERR_INPUT when its header cannot be read. */
int feed_by_statement(struct apply_job *job, bool *yes, struct err *e) MUST_CHECK;

/* Each takes what is its kind from the reader, until another kind or none is left. */
int apply_units(struct feed_reader *r, struct err *e) MUST_CHECK;
int apply_statements(struct feed_reader *r, struct err *e) MUST_CHECK;

/* Is an error worth another try? Waits for it, and says so. 1: try again, 0: no, -1: stopped. attempt counts
 * the tries made, from 1. */
int apply_again(struct apply_feed *f, const struct apply_job *job, int attempt,
		const struct err *why, struct err *e) MUST_CHECK;

/* Fills r and e for statement i of s. */
int apply_statement_failed(const struct apply_job *job, const struct script *s, size_t i,
			   struct apply_result *r, struct err *e);
/* "cannot run …: it is in the history already" */
int apply_already_there(const struct apply_job *job, struct err *e);
/* Behind the rollback: writes the failed event, unless the migration turns out to be in the history. e is what
 * failed, and says so when the failure could not be recorded. failed (may be NULL) is completed and used as the event. */
void apply_record_failure(struct apply_job *job, const struct apply_result *r,
			  struct history_event *failed, struct err *e);
/* After a cancel or a broken answer: does the history have the job's event? Reads with a connection that works. */
int apply_look(const struct apply_job *job, bool *done, struct err *e) MUST_CHECK;

#endif
