/* SPDX-License-Identifier: MIT */
/*
 * Inside the engine: jobs, the pool of threads that runs them, and what they share.
 * Included by the files of core/engine only.
 */
#ifndef ENGINE_JOB_H
#define ENGINE_JOB_H

#include <sys/types.h>

#include "core/base/cancel.h"
#include "core/engine/engine.h"
#include "core/engine/stamp.h"

#define ENGINE_CHILDREN 16

struct job {
	struct job *next; /* in the queue */
	struct engine *engine;
	uint64_t request;
	struct cancel cancel;           /* the job's own; fired by engine_free, engine_watch */
	void (*run)(struct job *job);   /* on a worker; posts its events itself */
	void (*clear)(struct job *job); /* frees what arg points to; NULL: mem_free(arg) */
	void *arg;
};

/* Threads are made when jobs wait and end when none does, so an idle console has one thread. */
struct pool {
	pthread_mutex_t lock; /* guards everything below */
	struct job *first, **last;
	struct worker {
		struct pool *pool;
		pthread_t thread;
		enum { WORKER_NONE, WORKER_RUNS, WORKER_ENDED } state; /* ENDED: to be joined */
		struct job *job;
	} worker[ENGINE_THREADS];
	size_t fresh; /* threads made that have not taken their first job */
	bool closing;
};

void pool_init(struct pool *p);
/* Fires every cancel, drops what is queued, joins every thread. */
void pool_close(struct pool *p);
/* Moves job in. While closing it is freed at once. */
void pool_add(struct pool *p, struct job *job);
bool pool_busy(struct pool *p);

struct engine {
	const struct project *project;
	const struct context *ctx;
	struct event_queue queue;
	struct pool pool;
	pthread_mutex_t lock; /* guards everything below */
	uint64_t last_request;
	struct single {
		bool running, again;
		uint64_t next; /* request number of the one that runs again */
	} snapshot, runs;      /* of these at most one is under way */
	struct {
		bool running;
		struct script_job *next; /* asked for meanwhile: only the last one counts */
		uint64_t next_request;
	} script;
	bool preflight;               /* one is under way */
	struct job *watch;            /* the job that follows a run; NULL none */
	uint64_t watch_request;       /* the last one asked for; older ones end at once */
	pid_t child[ENGINE_CHILDREN]; /* runners we started and have not reaped; 0 free */

	pthread_mutex_t source_lock;  /* workers only, held while files are read: guards these */
	struct shared_source *source; /* of the last scan; NULL none */
	struct stamp source_stamp;
	bool source_settled;    /* the stamp can be trusted */
	struct shared_git *git; /* as git said last; NULL none */
	int64_t git_ms;         /* when */

	/* By environment; running and again under lock, last used by the one job that is under way. */
	struct services_look {
		bool running, again;
		bool over;             /* its result is on its way: what happens now is not in it */
		struct services *last; /* what was seen last */
	} * look;
	struct host_watch news; /* of all hosts */
	struct logs *logs; /* logs.c; made by the UI thread when logs are looked at first; NULL */

	struct stamp runs_stamp; /* used by the one job_runs that is under way */
	bool runs_settled;
};

/* Makes a job (arg moved) and adds it under a number of its own, which is returned; request 0 takes the next. */
uint64_t engine_add(struct engine *g, uint64_t request, void (*run)(struct job *), void *arg);
/* Same, with a clear of its own. */
uint64_t engine_add_cleared(struct engine *g, uint64_t request, void (*run)(struct job *),
			    void (*clear)(struct job *), void *arg);
/* Posts ev as the answer of job. */
void job_post(struct job *job, struct event *ev);

/* jobs_source.c. The source as it is on disk now: the last one when no file changed since. NULL with e on error.
 * Caller drops it. Worker only. */
struct shared_source *engine_source(struct engine *g, struct cancel *c, struct err *e);

/* What git says of the folder of source (NULL: it could not be read); NULL when cancelled. Caller drops it.
 * Worker only. */
struct shared_git *engine_git(struct engine *g, const struct source *source, struct cancel *c);

/* jobs_snapshot.c: starts the parts of one refresh. engine_snapshot_done is called behind the last. */
void snapshot_begin(struct engine *g, uint64_t request);
void engine_snapshot_done(struct engine *g);
/* snapshot_next.c: fills env[].next. The snapshot must be complete but for that. */
void snapshot_next(const struct engine *g, struct snapshot *snap);

/* A number for a request of several jobs. */
uint64_t engine_request_number(struct engine *g);

/* jobs_services.c: the watch of the hosts. */
void engine_host_news(void *engine, const struct host *h, enum host_news news,
		      const struct host_status *now);
/* jobs_services.c. Posts what hosts of env ask. Any thread. */
void engine_questions(struct engine *g, const struct env *env);
void job_services(struct job *job); /* arg: char *environment */
/* A host is back: looks at those of its environments that no look is under way for. UI thread. */
void engine_host_back(struct engine *g, const char *name);
void engine_services_done(struct engine *g, const struct env *env);

/* logs.c. An EV_LOGS was taken: the next one may be posted. */
void engine_logs_taken(struct engine *g);
void engine_logs_free(struct engine *g);

/* jobs_read.c, jobs_run.c: bodies; arg as made by engine.c. */
struct plan_job {
	struct arena arena;
	struct plan_request request;
};
struct script_job {
	char env[64], ns[64], id[80];
	bool down;
};
struct request_job {
	char run_id[RUN_ID_SIZE];
	char verb[16];
	char *reason;
};
void job_plan(struct job *job);
void job_script(struct job *job);
void job_events(struct job *job);    /* arg: char *environment */
void job_details(struct job *job);   /* arg: char *environment */
void job_preflight(struct job *job); /* arg: char *environment */
void job_runs(struct job *job);
void job_start_run(struct job *job); /* arg: struct plan * */
void job_watch(struct job *job);     /* arg: char *run_id */
void job_request(struct job *job);   /* arg: struct request_job * */
void engine_preflight_done(struct engine *g);
void engine_runs_done(struct engine *g);
void engine_script_done(struct engine *g);
bool engine_watch_begin(struct engine *g,
			struct job *job); /* false: another one was asked for since */
void engine_watch_done(struct engine *g, struct job *job);
/* A runner of ours: its end is to be collected, or it would stay as a zombie and look alive. Any thread. */
void engine_child_add(struct engine *g, pid_t pid);
void engine_children_reap(struct engine *g);

#endif
