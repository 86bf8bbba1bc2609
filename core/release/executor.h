/* SPDX-License-Identifier: MIT */
/*
 * One execution of a run: what the runner's main thread has open, and how it does steps.
 *
 * runner.c   opens and ends it: folder, socket, database, lock, the first and the last line
 * executor.c the loop over the steps, failure and pause, undo
 * record.c   journal lines, and their copy in the ledger
 * steps_*.c  the three words of each kind of step
 */
#ifndef RELEASE_EXECUTOR_H
#define RELEASE_EXECUTOR_H

#include "core/migrate/history.h"
#include "core/migrate/verify.h"
#include "core/release/control.h"
#include "core/release/runner.h"
#include "core/release/step.h"

/* Journal lines that are not in the ledger yet. */
struct copy_queue {
	struct strbuf text; /* one behind the other */
	struct copy_line {
		int64_t epoch, seq;
		size_t at, n;
	} * line;
	size_t n, cap;
	int64_t since_ms; /* when the first of them came in */
	bool run_known;   /* the ledger has the run itself */
	bool offered;     /* written in a transaction that is not committed yet */
};

struct executor {
	const struct context *ctx;
	struct run *run;       /* as loaded; its steps are kept up to date */
	struct plan *plan;     /* run->plan */
	enum runner_mode mode; /* never RUNNER_TERMINATE */
	bool terminate;        /* … which is a takeover with this */
	int64_t wait_ms;
	char *backups_dir;
	int folder_fd; /* runner.lock, or -1 after a takeover */
	struct journal *journal;
	bool journal_failed; /* a line could not be written: nothing more may be done */
	struct control *control;
	struct cancel work; /* fired by abort and by the loss of the lock */
	struct cancel *stop;
	struct db *db;
	struct lock *lock;
	struct history *history; /* read under the lock; NULL: to be read again */
	struct source *source; /* in a plan with a tool: its files, as they are when it runs them */
	struct copy_queue queue;
	char text[200];               /* what the step did, for its result line */
	struct control_request asked; /* abort or stop that ends the run */
};

/* How a run ended. */
struct outcome {
	enum run_state state; /* RUN_RUNNING: it did not end (fenced, journal lost, locked out) */
	int exit_code;
	struct err err; /* why, when exit_code is not 0 */
};

/* --- record.c --- */

/* Writes a line and queues it for the ledger. fields is taken over (NULL: none). */
int record_line(struct executor *x, const char *kind, int step, json_t *fields, bool sync,
		struct err *e) MUST_CHECK;
/* The same where the failure is not worth another error: it shows at the next line. */
void record_note(struct executor *x, const char *kind, int step, json_t *fields);
/* A step that waits for a lock and is going to try again. An apply_job.again without its first words. */
void record_again(struct executor *x, int step, int attempt, int64_t wait_ms,
		  const struct err *why);
/* {"code":…,"msg":…,"detail":…,"hint":…} */
json_t *record_error(const struct err *e);
/* Queues the lines of earlier runners that the ledger lacks. */
void record_queue_old(struct executor *x);
/* Is the queue worth a place in the next transaction? */
bool record_copy_due(const struct executor *x);
/* Puts the queue into the ledger, inside the caller's transaction. An apply_job.with. */
int record_copy_with(void *x, struct db *db, struct err *e) MUST_CHECK;
/* The transaction that record_copy_with was part of, if it was, is committed. */
void record_copied(struct executor *x);
/* The whole queue in a transaction of its own, under the fence. */
int record_copy(struct executor *x, struct err *e) MUST_CHECK;
/* Stays in the file as evidence that this runner came back; nobody takes it for state. */
void record_fenced(struct executor *x);
/* The last line, and with it everything else, into the ledger. */
void record_ended(struct executor *x, const struct outcome *o);

/* --- executor.c --- */

/* All steps behind the lock, to the outcome. */
void executor_steps(struct executor *x, struct outcome *o);
/* The intent line, on the disk before the act where the act would not record itself. what: "act". */
int executor_intend(struct executor *x, const struct step *s, const char *what,
		    struct err *e) MUST_CHECK;
/* What the step says about itself in its result line. */
void executor_say(struct executor *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends to it. */
void executor_say_more(struct executor *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The history as it is under our lock; borrowed until the next executor_forget_history. */
int executor_history(struct executor *x, const struct history **out, struct err *e) MUST_CHECK;
void executor_forget_history(struct executor *x);
/* Result line, and the same in x->run. */
int executor_result(struct executor *x, const struct step *s, enum step_state state,
		    int64_t took_ms, const char *text, const struct err *why,
		    struct err *e) MUST_CHECK;

#define EXECUTOR_WHO_SIZE sizeof(((struct control_request *)0)->who)
/* From here on a request to cancel interrupts what the step executes … */
void executor_cancel_from(struct executor *x, const struct step *s);
/* … up to here. True when one came: it is in the journal, and who says whose. */
bool executor_cancelled(struct executor *x, const struct step *s, char who[EXECUTOR_WHO_SIZE]);

/* --- steps_framework.c --- */

/* Joins a history of env with the files, where these are a tool's; nothing in other plans. */
int tool_join(struct executor *x, const struct env *env, struct history *h,
	      struct err *e) MUST_CHECK;

/* --- steps_verify.c --- */

/* What was not in force before a script ran that may leave more of it. */
struct verify_watch {
	bool wanted; /* by the script; else nothing is asked */
	bool looked;
	struct findings before;
};
/* No unit may be waiting, here and at the end. */
void verify_begin(struct executor *x, struct sv script, struct verify_watch *w);
/* Behind the apply, whose event is given: says and records what is not in force now. A zeroed watch with
 * wanted set: nobody looked before. */
void verify_end(struct executor *x, const struct history_event *applied, struct sv script,
		struct verify_watch *w);
void verify_clear(struct verify_watch *w);

/* --- undo.c --- */

/* What a step's undo returns besides 0 and -1. */
#define STEP_NOTHING_TO_UNDO 1
/* The intent line of an undo: written by the step's undo once it has seen that there is something. */
int executor_intend_undo(struct executor *x, const struct step *s, struct err *e) MUST_CHECK;
/* Takes back, newest first, what this run did; fills the outcome. failed: why. */
void executor_undo(struct executor *x, const struct err *failed, struct outcome *o);
/* "0010, 0011 applied; 0012 failed" into out. */
void executor_summary(const struct executor *x, struct strbuf *out);

extern const struct step_ops step_lock_ops, step_gates_ops, step_release_ops, step_backup_ops,
	step_up_ops, step_down_ops, step_seed_ops, step_record_ops, step_restore_ops,
	step_state_file_ops, step_tool_up_ops, step_tool_down_ops, step_tool_record_ops;

#endif
