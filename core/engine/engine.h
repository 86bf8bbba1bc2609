/* SPDX-License-Identifier: MIT */
/*
 * The engine: jobs on worker threads on one side, one UI thread on the other.
 *
 * The UI thread asks (engine_*), never waits, and gets events through engine_fd(). Jobs only read and
 * watch; what changes the world is a run in its own process, which engine_start_run() freezes and spawns.
 * At most ENGINE_THREADS jobs at once, the rest queue. Each job has its own connections, arena and cancel.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "core/engine/event.h"

#define ENGINE_THREADS 32
#define ENGINE_REFRESH_MS \
	5000 /* period of the refresh timer: the only wake-up of an idle console */

struct engine;

/* p and ctx are borrowed and must outlive the engine; they are read-only from now on. */
int engine_new(const struct project *p, const struct context *ctx, struct engine **out,
	       struct err *e) MUST_CHECK;
/* Fires every cancel, joins every thread, frees what is queued. */
void engine_free(struct engine *g);
int engine_fd(const struct engine *g);       /* poll for POLLIN */
struct event *engine_next(struct engine *g); /* NULL when empty; caller gives it to model_apply */
bool engine_busy(const struct engine *g);    /* a job runs or an event waits (tests: wait idle) */

/* Each returns the request number its event will carry. At most one snapshot job runs at a time; asking
 * again while one runs marks it to run once more. */
uint64_t engine_refresh(struct engine *g);
uint64_t engine_runs(struct engine *g);
uint64_t engine_plan(struct engine *g, const struct plan_request *r); /* r is copied */
/* Only the last one asked for is sure to be answered. */
uint64_t engine_script(struct engine *g, const char *env, const char *ns, const char *id,
		       bool down);
/* Asks what stands in the way of a change of env. 0 while the last one asked for is still under way: who asks
 * again and again does not pile them up. */
uint64_t engine_preflight(struct engine *g, const char *env);
uint64_t engine_events(struct engine *g, const char *env);
uint64_t engine_details(struct engine *g, const char *env);
/* Asks the hosts of every environment what runs there: EV_SERVICES for each, as they come. Of one environment at
 * most one look is under way. engine_refresh does it too. */
void engine_services(struct engine *g);
/* Checks the health of env's services with all their attempts, live: EV_HEALTH. service NULL: all of them. */
uint64_t engine_health(struct engine *g, const char *env, const char *service);
/* The answer to a host's question (EV_QUESTION); what waits for it is asked again. ERR_GATE: the four characters
 * are not those. UI thread, does not wait. */
int engine_answer(struct engine *g, const struct host_question *q, const char *text,
		  struct err *e) MUST_CHECK;

/* --- Logs: one store for the console, followed by threads of their own -------------------------- */

struct log_choice {
	const char *env, *service, *host; /* host NULL: every host of it */
};
/* Follows these from now on, instead of what was followed; lines of before leave the store. EV_LOGS follows. */
void engine_logs_follow(struct engine *g, const struct log_choice *list, size_t n,
			int64_t since_utc_ms, int64_t tail);
void engine_logs_stop(struct engine *g);
/* Both live as long as the engine; never NULL. */
struct log_store *engine_log_store(struct engine *g);
struct log_query *engine_log_query(struct engine *g);
/* Asks the source to fetch what is missing at a LOG_GAP row. False: nothing can be fetched there. */
bool engine_logs_fetch(struct engine *g, int source, struct log_pos gap);
/* Writes every visible line to a new file (0600). EV_EXPORTED. */
uint64_t engine_logs_export(struct engine *g, const char *path);

/* Freezes plan (moves it) and starts its runner. EV_RUN_STARTED. */
uint64_t engine_start_run(struct engine *g, struct plan *plan);
/* Follows a run with EV_RUN events until it ends or another is watched. NULL stops watching. */
uint64_t engine_watch(struct engine *g, const char *run_id);
/* verb as run_request; also "resume" and "takeover", which spawn a runner. */
uint64_t engine_request(struct engine *g, const char *run_id, const char *verb, const char *reason);

#endif
