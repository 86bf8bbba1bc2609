/* SPDX-License-Identifier: MIT */
/* A place to follow logs in: hosts, a store, a merge, and what comes out of it, kept to be looked at. Failures fail
 * the test. */
#ifndef SUPPORT_FOLLOW_WORLD_H
#define SUPPORT_FOLLOW_WORLD_H

#include <pthread.h>

#include "core/logs/follow.h"

#define WORLD_LIMIT_MS 60000 /* for what should come soon */

struct world_line {
	enum log_kind kind;
	int source;
	int64_t utc_ns;
	enum log_level level;
	bool continues, late;
	char *text;
};

struct world {
	struct hosts *hosts;
	struct host_context ctx;
	char *run_dir;
	struct log_store *store;
	struct log_merge *merge;
	struct follower *follower[LOG_SOURCES_MAX];
	size_t n_follower;
	pthread_mutex_t lock; /* guards what follows */
	struct world_line *line;
	size_t n, cap;
};

/* ssh_config: of the ssh servers that are used; NULL none. stored: lines go into the store instead of line[]. */
void world_open(struct world *w, const char *ssh_config, bool stored);
void world_close(struct world *w); /* stops what is still followed */
/* Follows s on that host; what of spec is not zero counts (tail 0 is -1). Returns its source. */
int world_follow(struct world *w, const struct host_spec *on, const struct runtime_service *s,
		 struct follow_spec spec);
void world_stop(struct world *w, int source);

/* How many lines (or rows of that kind) have this text in them; "" any. */
size_t world_count(struct world *w, enum log_kind kind, const char *text);
/* Waits until there are n of them. */
void world_wait(struct world *w, enum log_kind kind, const char *text, size_t n);
void world_wait_state(struct world *w, int source, enum log_source_state state);
void world_source(struct world *w, int source, struct log_source *out);
/* Every line of source is "PREFIX N" with N from first to last, each once and in order. */
void world_expect(struct world *w, int source, const char *prefix, long first, long last);
/* The lines of source are those of our small service (cli/demo_log.c) from 1 to last, each run of it once, in
 * order, and hashed; runs times. The last run may have fewer when last is 0. Returns how many lines there are. */
size_t world_expect_numbered(struct world *w, int source, unsigned long last, size_t runs);
int64_t world_stored(struct world *w); /* lines in the store */
/* With a store: fetches at its first gap again and again until none can be fetched, and copies what is in the store to
 * line[] then. Returns how often. */
size_t world_fetch_all(struct world *w, int source);
/* Nothing is missing anywhere. */
void world_expect_no_gap(struct world *w);
/* Lets ms pass, in the one place where it is allowed: between two things that may happen in any order. */
void world_pause(int64_t ms);
void world_print(struct world *w); /* what there is, as TAP comments */

extern const struct host_spec world_local;

#endif
