/* SPDX-License-Identifier: MIT */
/* What the files about a run's folder share among themselves: names in it, and the state a journal
 * leads to. Included by run*.c, follow.c, control*.c and runner.c only. */
#ifndef RELEASE_RUN_FOLDER_H
#define RELEASE_RUN_FOLDER_H

#include "core/release/run.h"

#define RUN_PLAN_MAX ((size_t)64 << 20) /* bytes of plan.json */
#define RUN_ID_DIGITS 6                 /* random hex digits behind the number */

/* <runs>/<id>[/<file>]. Malloced. */
char *run_path(const struct context *ctx, const char *id, const char *file);
/* The number in front of an id; 0 when name is no id. */
int64_t run_number_of(const char *name);
/* Checksums of the texts a step needs, up and down; NULL where there is none. */
void step_scripts(const struct step *s, const char *sum[2]);
/* -1 when unknown or NULL. */
int run_state_of(const char *name);
int step_state_of(const char *name);
/* As run_load, without asking whether the runner lives: the runner itself, and whoever keeps others from
 * starting one, know. */
int run_read(const struct context *ctx, const char *id, struct run **out, struct err *e) MUST_CHECK;
/* Reads r's journal and its runner's life anew; the plan is as it was. */
int run_refresh(struct run *r, struct err *e) MUST_CHECK;
/* What one line of the journal does to the run arg, whose plan and step are there. Never fails. */
int run_take_line(void *arg, const struct journal_line *l, struct err *e);
/* Reads r's journal into state, steps, times and chain. r->plan and r->step are there. */
int run_read_journal(struct run *r, struct err *e) MUST_CHECK;
/* Only what was added since. 1: all of it must be read again. */
int run_read_journal_on(struct run *r, struct err *e) MUST_CHECK;

/* The frozen texts, written once (run_scripts.c). A text that is there already is passed over. finish
 * makes them durable; finish and discard free. */
struct scripts_writer;
int scripts_create(const char *dir, struct scripts_writer **out, struct err *e) MUST_CHECK;
int scripts_put(struct scripts_writer *w, const char *checksum, struct sv text,
		struct err *e) MUST_CHECK;
int scripts_finish(struct scripts_writer *w, struct err *e) MUST_CHECK;
void scripts_discard(struct scripts_writer *w);
void scripts_close(struct run_scripts *s); /* of an opened run; NULL is fine */

/* One runner of a run at a time: flock on runner.lock. *fd stays open as long as it is held.
 * ERR_LOCKED when another process has it. */
int run_lock_folder(const char *dir, int *fd, struct err *e) MUST_CHECK;

#endif
