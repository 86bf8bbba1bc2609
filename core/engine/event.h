/* SPDX-License-Identifier: MIT */
/*
 * Events: owned messages from a job to the UI thread, and the queue that carries them.
 *
 * A job allocates an event and everything it points to, and gives it away with event_post; from then on it
 * belongs to the queue, then to model_apply, which moves what it keeps out of it and frees the rest.
 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/engine/details.h"
#include "core/ledger/lock.h"
#include "core/logs/query.h"
#include "core/migrate/git_state.h"
#include "core/migrate/matrix.h"
#include "core/release/health.h"
#include "core/release/preflight.h"
#include "core/release/run.h"

enum event_type {
	EV_SNAPSHOT,    /* source, histories, matrix, locks, backups: one consistent picture */
	EV_RUNS,        /* list of runs */
	EV_RUN,         /* one watched run, freshly loaded */
	EV_PLAN,        /* a plan that was asked for, or why there is none */
	EV_SCRIPT,      /* texts of one migration: today's file, stored, diff */
	EV_RUN_STARTED, /* a run was created and its runner spawned, or why not */
	EV_REQUESTED,   /* answer to a request to a runner */
	EV_DETAILS,     /* one environment's database in detail */
	EV_PREFLIGHT, /* what stands in the way of a change of one environment, or why nobody knows */
	EV_EVENTS,    /* history events of one environment, for the audit view */
	EV_SERVICES, /* one environment's services on all of its hosts, with a glance at their health */
	EV_HEALTH,   /* one service on one host, while its health is checked with all attempts */
	EV_LOGS,     /* the log store or what the query knows of it grew, or a source changed */
	EV_HOST,     /* a host is silent, lost or back */
	EV_QUESTION, /* a host asks something */
	EV_EXPORTED, /* lines were written to a file, or why not */
	EV_TYPES
};

/* What one environment looked like at at_utc_ms. */
struct env_snapshot {
	bool has_db, reachable;
	struct err err; /* why it is not reachable */
	struct db_info info;
	int64_t open_us; /* time to open and read, microseconds */
	int64_t at_utc_ms;
	struct history *history;   /* owned by the snapshot; NULL when unreachable */
	struct lock_holder holder; /* holder.held false: free */
	struct plan *next; /* what `migrate` would do now, with gates; owned; NULL unknown */
	bool has_backup;
	char backup_id[48];
	int64_t backup_utc_ms, backup_bytes;
	bool backup_verified;
	char schema_digest[65]; /* "" when it was not read */
};

/* A scanned source that several snapshots and jobs read at the same time: while no file changes, a refresh
 * need not read 10,000 files again. Read-only once made; freed by the last drop. Any thread. */
struct shared_source {
	struct source *source;
	atomic_int refs;
};
struct shared_source *shared_source_new(struct source *source); /* moves source; one reference */
struct shared_source *shared_source_keep(struct shared_source *s);
void shared_source_drop(struct shared_source *s); /* NULL is fine */

/* What git said of its folder, likewise. */
struct shared_git {
	struct git_state state;
	atomic_int refs;
};
struct shared_git *shared_git_read(const struct source *source, const char *dir,
				   struct cancel *c); /* NULL when cancelled */
struct shared_git *shared_git_keep(struct shared_git *s);
void shared_git_drop(struct shared_git *s); /* NULL is fine */

struct snapshot {
	int64_t at_utc_ms;
	struct shared_git *git;       /* NULL: not asked */
	struct source *source;        /* NULL: could not be read, source_err says why */
	struct shared_source *shared; /* holds source; NULL: source is the snapshot's own */
	struct err source_err;
	struct env_snapshot *env; /* n_env, in pipeline order */
	size_t n_env;
	struct matrix *matrix; /* over source (or an empty one) and the histories */
};
void snapshot_free(struct snapshot *s);

/* What runs in one environment, and how it answered. */
struct services_seen {
	char env[64];
	struct services *services; /* owned */
	/* One each for the units whose service has a health URL, in the order of services->unit. */
	struct health_result *health;
	size_t n_health;
};
void services_seen_free(struct services_seen *s); /* NULL is fine */

struct script_text {
	char env[64], ns[64], id[80];
	bool down;
	char *file_text;   /* NULL: no file */
	char *stored_text; /* as stored in env's ledger; NULL: none */
	bool same;
	struct err err;
};
void script_text_free(struct script_text *s);

struct event {
	enum event_type type;
	struct event *next;
	uint64_t request; /* number of the request it answers */
	struct err err;   /* code ERR_OK when it went well */
	union {
		struct snapshot *snapshot;
		struct {
			struct run **list;
			size_t n;
			bool same;
		} runs; /* same: as last time, no list */
		struct run *run;
		struct {
			struct plan *plan;
		} plan;
		struct script_text *script;
		char run_id[RUN_ID_SIZE];
		struct {
			char env[64];
			struct preflight *preflight; /* NULL: it could not be asked */
		} preflight;
		struct {
			char env[64];
			struct history *history;
		} events; /* history with its events */
		struct {
			char env[64];
			struct details *details;
		} details;
		struct services_seen *services;
		struct {
			char env[64];
			struct health_result *result; /* NULL: err says why */
			bool last;                    /* the check of this environment is over */
		} health;
		struct {
			char name[HOST_NAME_SIZE];
			enum host_news news;
			struct host_status status;
			int64_t at_utc_ms;
		} host; /* err: why nothing is known of it */
		struct host_question question;
		struct {
			char path[256];
			int64_t lines;
		} exported;
	} u;
};

struct event *event_new(enum event_type type, uint64_t request);
void event_free(struct event *ev);

/* Many producers, one consumer; fd is readable while there is something. */
struct event_queue {
	pthread_mutex_t lock;
	struct event *first, **last;
	int fd;
};

int event_queue_init(struct event_queue *q, struct err *e) MUST_CHECK;
void event_queue_clear(struct event_queue *q);
void event_post(struct event_queue *q, struct event *ev); /* moves ev. Any thread. */
struct event *event_take(struct event_queue *q);          /* UI thread; NULL when empty */

#endif
