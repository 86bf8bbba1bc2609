/* SPDX-License-Identifier: MIT */
/*
 * The pool: a queue of jobs and up to ENGINE_THREADS threads.
 *
 * A thread takes jobs until the queue is empty, and ends: making one costs some 30 microseconds,
 * keeping idle ones would cost memory for the whole life of the console. Threads start one another:
 * who adds a job makes a thread only when none is on its way, and a new thread that leaves jobs in
 * the queue makes the next. So the UI thread, which asks for five jobs at its start, pays for one
 * thread, and short jobs are done by few threads while one that blocks holds up nobody.
 *
 * An ended thread stays joinable in its slot and is joined when the slot is used again or the pool
 * closes, so nothing of a thread outlives pool_close().
 *
 * Threads have signals blocked, because the terminal's belong to the thread that owns the screen;
 * except those a fault raises, whose handler must run in the thread that faulted.
 */
#include "core/engine/job.h"

#include <signal.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

/* SQLite and jansson stay far below; the default of 8 MiB is only address space, but touched. */
#define STACK_BYTES ((size_t)512 << 10)

static void job_free(struct job *job)
{
	if (job->clear)
		job->clear(job);
	else
		mem_free(job->arg);
	cancel_clear(&job->cancel);
	mem_free(job);
}

void pool_init(struct pool *p)
{
	memset(p, 0, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	p->last = &p->first;
}

static void *worker_main(void *arg);

static int thread_make(struct worker *w)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGABRT };
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

/* A thread for the queue, when a slot is free; else the running ones will get there. When the system
 * refuses to make one, the next job added tries again. Under the lock. */
static void worker_start(struct pool *p)
{
	struct worker *w = NULL;
	int rc;

	for (size_t i = 0; i < ENGINE_THREADS && !w; i++)
		if (p->worker[i].state != WORKER_RUNS)
			w = &p->worker[i];
	if (!w)
		return;
	if (w->state == WORKER_ENDED)
		pthread_join(w->thread, NULL); /* past its last look at the pool: does not wait */
	w->pool = p;
	w->state = WORKER_RUNS;
	rc = thread_make(w);
	if (rc != 0) {
		w->state = WORKER_NONE;
		log_line("cannot make a thread: %s", err_errno_name(rc));
	} else {
		p->fresh++;
	}
}

/* Takes a job for worker w, or marks it ended. */
static struct job *worker_next(struct worker *w, bool first)
{
	struct pool *p = w->pool;
	struct job *job;

	pthread_mutex_lock(&p->lock);
	if (first)
		p->fresh--;
	job = p->first;
	if (job) {
		p->first = job->next;
		if (!p->first)
			p->last = &p->first;
		else if (first && p->fresh == 0)
			worker_start(p);
	} else {
		w->state = WORKER_ENDED;
	}
	w->job = job;
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct job *job;

	for (bool first = true; (job = worker_next(w, first)) != NULL; first = false) {
		job->run(job);
		pthread_mutex_lock(&w->pool->lock);
		w->job = NULL; /* nobody fires its cancel from now on */
		pthread_mutex_unlock(&w->pool->lock);
		job_free(job);
	}
	return NULL;
}

void pool_add(struct pool *p, struct job *job)
{
	bool closing;

	pthread_mutex_lock(&p->lock);
	closing = p->closing;
	if (!closing) {
		job->next = NULL;
		*p->last = job;
		p->last = &job->next;
		if (p->fresh == 0)
			worker_start(p);
	}
	pthread_mutex_unlock(&p->lock);
	if (closing)
		job_free(job);
}

bool pool_busy(struct pool *p)
{
	bool busy;

	pthread_mutex_lock(&p->lock);
	busy = p->first != NULL;
	for (size_t i = 0; i < ENGINE_THREADS; i++)
		busy = busy || p->worker[i].state == WORKER_RUNS;
	pthread_mutex_unlock(&p->lock);
	return busy;
}

void pool_close(struct pool *p)
{
	bool made[ENGINE_THREADS];
	struct job *queued;

	pthread_mutex_lock(&p->lock);
	p->closing = true;
	queued = p->first;
	p->first = NULL;
	p->last = &p->first;
	for (size_t i = 0; i < ENGINE_THREADS; i++) {
		made[i] = p->worker[i].state != WORKER_NONE;
		if (p->worker[i].job)
			cancel_fire(&p->worker[i].job->cancel);
	}
	pthread_mutex_unlock(&p->lock);
	while (queued) {
		struct job *next = queued->next;

		job_free(queued);
		queued = next;
	}
	for (size_t i = 0; i < ENGINE_THREADS; i++)
		if (made[i])
			pthread_join(p->worker[i].thread, NULL);
	pthread_mutex_destroy(&p->lock);
}

/* --- The engine's side ------------------------------------------------------------------------ */

uint64_t engine_add_cleared(struct engine *g, uint64_t request, void (*run)(struct job *),
			    void (*clear)(struct job *), void *arg)
{
	struct job *job = mem_calloc(1, sizeof(*job));
	struct err e;

	if (request == 0) {
		pthread_mutex_lock(&g->lock);
		request = ++g->last_request;
		pthread_mutex_unlock(&g->lock);
	}
	*job = (struct job){
		.engine = g, .request = request, .run = run, .clear = clear, .arg = arg
	};
	if (cancel_init(&job->cancel, &e) != 0) {
		/* Out of descriptors: the job cannot be stopped, so it must not start. */
		log_err(&e);
		if (clear)
			clear(job);
		else
			mem_free(arg);
		mem_free(job);
		return request;
	}
	pool_add(&g->pool, job);
	return request;
}

uint64_t engine_add(struct engine *g, uint64_t request, void (*run)(struct job *), void *arg)
{
	return engine_add_cleared(g, request, run, NULL, arg);
}

void job_post(struct job *job, struct event *ev)
{
	ev->request = job->request;
	event_post(&job->engine->queue, ev);
}
