/* SPDX-License-Identifier: MIT */
/*
 * Following one service on one host into a merge: a thread each.
 *
 * It finds the service's present container, asks for its log, and goes on across restarts, replaced containers
 * and lost connections exactly behind the last line that was taken: the last stamp, and how many lines carried
 * it. What can be proven lost is counted and becomes a row of kind LOG_GAP; everything else comes again.
 */
#ifndef LOGS_FOLLOW_H
#define LOGS_FOLLOW_H

#include "core/host/host.h"
#include "core/logs/merge.h"
#include "core/runtime/runtime.h"

#define LOG_TAIL_DEFAULT 2000
#define LOG_SINCE_DEFAULT_MS ((int64_t)15 * 60 * 1000)

struct follow_spec {
	struct host *host; /* borrowed, like all of these */
	const struct runtime_service *service;
	struct log_store *store;
	struct log_merge *merge;
	int source;           /* in store */
	int64_t since_utc_ms; /* 0: no limit */
	int64_t until_utc_ms; /* 0: no limit; not with follow */
	int64_t tail;         /* -1: no limit */
	bool follow;          /* else it ends with the log's present end */
	void (*ended)(
		void *arg); /* from its thread, once, when it has ended by itself; may be NULL */
	void *arg;
};

struct follower;
/* spec is copied. */
int follow_start(const struct follow_spec *spec, struct follower **out, struct err *e) MUST_CHECK;
/* Stops and joins. NULL is fine. */
void follow_stop(struct follower *f);
void follow_stop_soon(struct follower *f); /* tells it to stop; follow_stop waits and frees */
bool follow_has_ended(const struct follower *f);
/* Asks it to fetch what is missing at the gap; the row is replaced when it came. Does not wait. False when the gap
 * is not of this source. */
bool follow_fetch(struct follower *f, struct log_pos gap);

#endif
