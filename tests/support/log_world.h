/* SPDX-License-Identifier: MIT */
/*
 * Logs for the shop of service_world.h: a real store with a real query over it, filled by hand with
 * lines of fixed times around MODEL_WORLD_NOW.
 */
#ifndef SUPPORT_LOG_WORLD_H
#define SUPPORT_LOG_WORLD_H

#include "core/logs/query.h"
#include "tests/support/service_world.h"

enum { LOG_WEB_1, LOG_WEB_2, LOG_WORKER, LOG_WORLD_SOURCES };

struct log_world {
	struct log_store *store;
	struct log_query *query;
};

/* Behind service_world_init: production's web on two hosts and its worker, live. */
void log_world_init(struct log_world *l, struct model_world *m);
void log_world_clear(struct log_world *l);
/* One line ms before MODEL_WORLD_NOW, read as a follower would read it. */
void log_world_line(struct log_world *l, int source, int64_t ms_ago, const char *text);
void log_world_text(struct log_world *l, int source, int64_t ms_ago, struct sv text);
/* A row of its own kind. */
void log_world_row(struct log_world *l, int source, int64_t ms_ago, enum log_kind kind,
		   const char *text);
/* The half hour of SCREENS: requests, then a pool that is exhausted, a worker that is killed, a gap. */
void log_world_incident(struct log_world *l);
/* Until the query has looked at every line with the present filter and search. */
void log_world_settle(struct log_world *l);

#endif
