/* SPDX-License-Identifier: MIT */
/*
 * The model: everything the UI knows. Changed only by model_apply and the UI thread's own actions; views
 * read it and draw. No I/O. A golden test makes one by hand.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "core/engine/event.h"

struct model {
	const struct project *project;
	const struct context *ctx;
	int64_t now_utc_ms;    /* set by the loop before drawing; views use no other clock */
	struct snapshot *snap; /* NULL before the first */
	bool loading;          /* a refresh is under way */
	struct run **runs;     /* newest first */
	size_t n_runs;
	bool runs_known;
	struct run *watched; /* run shown in the run view, or NULL */
	uint64_t
		watch_request; /* number of the watch asked for last; what older ones say is dropped */
	struct plan *plan;     /* plan shown in the plan view, or NULL */
	struct err plan_err;   /* why there is no plan */
	uint64_t plan_request; /* number of the one asked for last; older answers are dropped */
	struct script_text *script;
	uint64_t script_request;
	char events_env[64];
	struct history *events;      /* with its events, of events_env */
	struct err events_err;       /* why there are none */
	char preflight_env[64];      /* asked about last; what is known of another is dropped */
	struct preflight *preflight; /* the last answer, with its time; NULL none */
	struct err preflight_err;    /* why the last one asked for is not there */
	char details_env[64];
	struct details *details; /* of details_env; NULL: not read yet, or details_err */
	struct err details_err;
	struct services_seen *
		*services; /* n_env of the project; NULL: not asked yet, or it has none */
	struct {
		char env[64];
		uint64_t request; /* number of the one asked for last; older answers are dropped */
		struct health_result **list; /* the newest of each service and host */
		size_t n;
		bool over;
		struct err err; /* why one could not be asked; code ERR_OK: none */
	} health;               /* the check that was asked for last */
	/* Hosts that are silent or lost: what was seen of them until then is not believed. */
	struct host_away {
		char name[HOST_NAME_SIZE];
		struct host_status status;
		struct err err;
		int64_t at_utc_ms; /* of the news */
	} * away;
	size_t n_away;
	/* What hosts ask, one of each host at most, the oldest first. left: the user does not want to be asked
	 * by himself again. */
	struct asked {
		struct host_question q;
		bool left;
	} * asked;
	size_t n_asked;
	/* Borrowed from the engine, or from a golden test; NULL: no logs. They have locks of their own. */
	struct log_store *log_store;
	struct log_query *log_query;
	/* arming: -1 none, else index of the environment */
	int armed_env;
	int64_t armed_until_utc_ms;
	bool read_only; /* --read-only: cannot arm */
	/* the newest thing that happened, for the second last row */
	char news[256];
	int64_t news_utc_ms;
	bool news_bad;
};

/* p and ctx are borrowed. */
void model_init(struct model *m, const struct project *p, const struct context *ctx);
void model_clear(struct model *m);
/* Takes the event's contents over and frees the event. Only swaps pointers; answers to requests that are not the last
 * of their kind are dropped. */
void model_apply(struct model *m, struct event *ev);
/* Sets the clock; arming that ran out ends here. True when something that is shown changed by it. */
bool model_tick(struct model *m, int64_t now_utc_ms);
/* Whether the title shows seconds: a run is active or an environment armed. An idle console does not tick. */
bool model_ticking(const struct model *m);
/* The question was answered, or is not asked any more; q is not one of the model's own. */
void model_answered(struct model *m, const struct host_question *q);
/* The environment that is looked at from now on; forgets what was known of another. */
void model_preflight_of(struct model *m, const char *env);
/* Another check of env's health was asked for: forgets what is known of the one before. */
void model_health_of(struct model *m, const char *env, uint64_t request);
/* Sets the newest thing that happened, as of the model's clock. */
void model_news(struct model *m, bool bad, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Arms one environment for five minutes (ERR_GATE when read_only); disarm with -1. Expires by itself. */
#define MODEL_ARM_MS 300000
int model_arm(struct model *m, int env, struct err *e) MUST_CHECK;
int64_t model_armed_left_ms(const struct model *m, int env); /* 0: not armed */
const struct run *model_active_run(const struct model *m,
				   const char *environment); /* running, paused, interrupted */

#endif
