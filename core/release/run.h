/* SPDX-License-Identifier: MIT */
/*
 * A run: a frozen plan and its execution. This file: the folder and what can be read from it.
 *
 * <runs>/<id>/plan.json       frozen, 0600, never changed; its digest is in the first journal line
 * <runs>/<id>/scripts         every text it will use, by checksum
 * <runs>/<id>/journal.ndjson
 * <runs>/<id>/control.sock    while a runner lives
 * <runs>/<id>/runner.pid      the process spawned last: alive before its first journal line
 * <runs>/<id>/runner.lock     flock: one runner of a run at a time (but for a takeover)
 * <runs>/<id>/runner.log      what the runner's libraries said
 *
 * id: "118-9f3c2a": a number of this state folder, for people, and random digits that keep ledgers of
 * several machines apart. Commands take the number alone.
 */
#ifndef RELEASE_RUN_H
#define RELEASE_RUN_H

#include "core/release/journal.h"
#include "core/release/plan.h"

#define RUN_ID_SIZE 32

enum run_state {
	RUN_WAITING, /* frozen, not started (or waiting for the lock) */
	RUN_RUNNING,
	RUN_PAUSED,
	RUN_DONE,
	RUN_FAILED,
	RUN_ROLLED_BACK,
	RUN_INTERRUPTED, /* its runner is gone (or silent past its lease) before the end */
	RUN_ABORTED,
	RUN_STATES
};
const char *run_state_name(enum run_state s);
bool run_state_ended(enum run_state s); /* done, failed, rolled-back, aborted */

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_DONE, STEP_FAILED, STEP_SKIPPED, STEP_UNDONE };
const char *step_state_name(enum step_state s);

struct run_step {
	enum step_state state;
	int64_t started_utc_ms, took_ms; /* 0 / -1 while unknown */
	char text[200];                  /* "7 of 7 gates open", an error, "already applied" */
};

/* What plan and journal say of a run now. */
struct run {
	char id[RUN_ID_SIZE];
	char number[16]; /* "118" */
	char *dir;
	struct run_scripts *scripts; /* opened by the first run_script */
	struct plan *plan;
	enum run_state state;
	struct run_step *step; /* plan->n_step of them */
	int current;           /* step being done or where it stopped, from 1; 0 before the first */
	char plan_digest[DIGEST_HEX_SIZE]; /* of plan.json, as the first journal line says */
	char who[64], from[64];            /* who made it and on which host */
	int64_t created_utc_ms, started_utc_ms, ended_utc_ms;
	int64_t runner_pid, runner_start;
	char runner_boot[40];
	bool runner_alive;
	/* What the journal alone says, where looking for the runner changes it. */
	struct {
		enum run_state state;
		int64_t runner_pid, runner_start;
	} told;
	int64_t epoch;
	int64_t paused_until_utc_ms;
	int exit_code;      /* of the ended line; -1 before */
	bool undoing;       /* it failed and had begun to take back what it had done */
	int64_t not_copied; /* journal lines not yet in the ledger, as last reported */
	struct journal_check chain;
	char error_msg[256], error_detail[640], error_hint[512];
};

/* Freezes plan into a new folder: source gives the up and down texts of today, db the stored ones (scripts
 * of a rollback); either may be NULL when no step needs it. The texts' checksums must be those of the plan (ERR_INPUT:
 * a file was edited in between). The first journal line is written and fsynced. */
int run_create(const struct context *ctx, const struct plan *plan, const struct source *source,
	       struct db *db, char id[RUN_ID_SIZE], struct err *e) MUST_CHECK;
/* Starts the runner process of a frozen or interrupted run. mode: "start", "resume", "takeover",
 * "takeover-terminate".
 * wait_ms: how long it may wait for the lock (0: not, -1: without end). */
int run_spawn(const struct context *ctx, const char *id, const char *mode, int64_t wait_ms,
	      pid_t *pid, struct err *e) MUST_CHECK;
/* Finds a folder by id or number; ERR_NOT_FOUND with the newest ids in the hint. */
int run_resolve(const struct context *ctx, const char *name, char id[RUN_ID_SIZE],
		struct err *e) MUST_CHECK;
int run_load(const struct context *ctx, const char *id, struct run **out, struct err *e) MUST_CHECK;
void run_free(struct run *r);
/* The run that the lock names, held or left behind by a runner that died; NULL when it names none, or
 * one whose folder is not here. What an environment is busy with costs one folder to know, however many
 * runs there were. Caller frees. */
struct run *run_of_lock(const struct context *ctx, const struct lock_holder *holder);
/* Every run of the state folder, newest first; unreadable ones are left out and counted. environment
 * may be NULL. */
int run_list(const struct context *ctx, const char *project, const char *environment,
	     struct run ***out, size_t *n, size_t *unreadable, struct err *e) MUST_CHECK;
void run_list_free(struct run **list, size_t n);
/* Verifies plan.json against the digest in the journal and every text against its checksum. */
int run_verify(struct run *r, struct err *e) MUST_CHECK;
/* The frozen text of a checksum; appended to out. */
int run_script(struct run *r, const char *checksum, struct strbuf *out, struct err *e) MUST_CHECK;
/* CONTRACT's `runs --json` element. */
json_t *run_json(const struct run *r);

/* Follows a run: fn gets the freshly loaded run once at the start and whenever its journal grew or its
 * runner went (inotify, pidfd). Returns 0 when fn returns 1, and by itself behind the call with a run
 * that has ended or is interrupted; -1 when fn does, or ERR_CANCELLED. A paused run is followed on
 * unless fn says otherwise. The end is told once the runner is gone, so that the lock is free. */
int run_follow(const struct context *ctx, const char *id, int (*fn)(void *arg, const struct run *r),
	       void *arg, struct cancel *c, struct err *e) MUST_CHECK;
/* The same, and hands over the run as it was read last (NULL: never), however it ended. */
int run_follow_keep(const struct context *ctx, const char *id,
		    int (*fn)(void *arg, const struct run *r), void *arg, struct cancel *c,
		    struct run **last, struct err *e) MUST_CHECK;

/* Requests to a live runner through its socket: "abort", "stop", "retry", "skip", "roll-back"; the
 * runner journals them. ERR_NOT_FOUND when no runner listens. control.c. */
int run_request(const struct context *ctx, const char *id, const char *verb, const char *who,
		const char *reason, struct err *e) MUST_CHECK;
/* Ends a run whose runner is gone: journals it, clears the lock row. */
int run_abort_dead(const struct context *ctx, const char *id, const char *who, const char *reason,
		   struct err *e) MUST_CHECK;

#endif
