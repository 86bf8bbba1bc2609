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
/* Freezes plan (moves it) and starts its runner. EV_RUN_STARTED. */
uint64_t engine_start_run(struct engine *g, struct plan *plan);
/* Follows a run with EV_RUN events until it ends or another is watched. NULL stops watching. */
uint64_t engine_watch(struct engine *g, const char *run_id);
/* verb as run_request; also "resume" and "takeover", which spawn a runner. */
uint64_t engine_request(struct engine *g, const char *run_id, const char *verb, const char *reason);

#endif
