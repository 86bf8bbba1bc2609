/* SPDX-License-Identifier: MIT */
/*
 * How the PostgreSQL driver waits, and how it stops.
 *
 * All waiting is wait_fds on the connection's socket: a cancel ends it at once. Then the server is asked
 * to stop, the answer is awaited for some milliseconds, and whoever uses the connection next waits for
 * the rest of it.
 *
 * PQcancel makes a connection of its own, and blocks: it runs in a thread of its own, which may still
 * hang on a silent server when the connection is long closed. So what it needs is counted.
 */
#include "core/db/db_postgres.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#define STOP_LATER_MS 5000 /* for the answer behind a cancel, when the connection is used again */

/* --- Cancel requests --------------------------------------------------------------------------- */

/* Outlives the connection when a request to a silent server still hangs in its thread. */
struct pg_key {
	atomic_int users;
	PGcancel *cancel;
	int (*send)(PGcancel *, char *, int);
	void (*free)(PGcancel *);
};

struct request {
	atomic_int users; /* the thread and who waits for it */
	struct pg_key *key;
	int done; /* eventfd */
};

void pg_key_drop(struct pg_key *key)
{
	if (key == NULL || atomic_fetch_sub(&key->users, 1) > 1)
		return;
	key->free(key->cancel);
	mem_free(key);
}

static void request_drop(struct request *r)
{
	if (atomic_fetch_sub(&r->users, 1) > 1)
		return;
	pg_key_drop(r->key);
	close(r->done);
	mem_free(r);
}

static void *request_run(void *arg)
{
	const uint64_t one = 1;
	struct request *r = arg;
	char words[256];

	r->key->send(r->key->cancel, words, sizeof(words));
	(void)!write(r->done, &one, sizeof(one));
	request_drop(r);
	return NULL;
}

static struct request *request_start(struct pg_key *key)
{
	struct request *r = mem_calloc(1, sizeof(*r));
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int failed;

	atomic_init(&r->users, 2);
	atomic_fetch_add(&key->users, 1);
	r->key = key;
	r->done = eventfd(0, EFD_CLOEXEC);
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&thread, &attr, request_run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (failed != 0)
		request_drop(r);
	return r;
}

void pg_request_cancel(struct db_postgres *s, int64_t wait_ms)
{
	struct request *r;
	struct pollfd fd;
	struct err ignored;

	if (s->key == NULL)
		return;
	r = request_start(s->key);
	fd = (struct pollfd){ .fd = r->done, .events = POLLIN };
	(void)!wait_fds(&fd, 1, clock_mono_ms() + wait_ms, NULL, &ignored);
	request_drop(r);
}

void pg_interrupt(struct db *db)
{
	pg_request_cancel(pg_of(db), pg_of(db)->connect_timeout_ms);
}

void pg_key_make(struct db_postgres *s)
{
	PGcancel *cancel = s->pq.PQgetCancel(s->conn);

	if (cancel == NULL)
		return;
	s->key = mem_calloc(1, sizeof(*s->key));
	atomic_init(&s->key->users, 1);
	s->key->cancel = cancel;
	s->key->send = s->pq.PQcancel;
	s->key->free = s->pq.PQfreeCancel;
}

/* --- Waiting ----------------------------------------------------------------------------------- */

int pg_lost(struct db_postgres *s, const char *words, struct err *e)
{
	char line[sizeof(e->detail)];

	str_copy(line, sizeof(line), words != NULL ? words : "");
	line[strcspn(line, "\n")] = '\0';
	s->lost = true;
	err_set(e, ERR_LOST, "connection to %s broke", s->shown);
	return line[0] != '\0' ? err_detail(e, "%s", line) : -1;
}

static int64_t deadline_of(const struct pg_wait *w)
{
	int64_t progress = w->answer_ms > 0 ? clock_mono_ms() + w->answer_ms : WAIT_FOREVER;

	return w->until_ms > 0 && w->until_ms < progress ? w->until_ms : progress;
}

int pg_next(struct db_postgres *s, const struct pg_wait *w, PGresult **out, struct err *e)
{
	for (;;) {
		/* A failed flush is no reason to end: what the server said last may still be read. */
		int unsent = s->pq.PQflush(s->conn);
		struct pollfd fd = { .fd = s->pq.PQsocket(s->conn), .events = POLLIN };
		int ready;

		if (s->pq.PQisBusy(s->conn) == 0) {
			*out = s->pq.PQgetResult(s->conn);
			return 0;
		}
		if (fd.fd < 0)
			return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
		if (unsent == 1)
			fd.events |= POLLOUT;
		ready = wait_fds(&fd, 1, deadline_of(w), w->cancel, e);
		if (ready < 0)
			return err_wrap(e, "stopped while using %s", s->shown);
		if (ready == 0) {
			err_set(e, ERR_TIMEOUT, "%s does not answer", s->shown);
			return err_detail(e, "nothing for %lld ms", (long long)w->answer_ms);
		}
		if ((fd.revents & ~POLLOUT) != 0 && s->pq.PQconsumeInput(s->conn) != 1 &&
		    s->pq.PQisBusy(s->conn) != 0)
			return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	}
}

/* Nothing more to come: in a pipeline every sync is answered, else the last result was NULL. */
int pg_drain(struct db_postgres *s, int64_t wait_ms, struct err *e)
{
	const struct pg_wait w = { .answer_ms = wait_ms, .until_ms = clock_mono_ms() + wait_ms };
	bool piped = s->pq.PQpipelineStatus(s->conn) != PQ_PIPELINE_OFF;
	PGresult *res = NULL;

	while (!s->lost && (!piped || s->syncs_due > 0)) {
		if (pg_next(s, &w, &res, e) != 0)
			return -1;
		if (res == NULL && !piped)
			break;
		if (res == NULL && s->pq.PQstatus(s->conn) == CONNECTION_BAD)
			return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
		switch (s->pq.PQresultStatus(res)) {
		case PGRES_PIPELINE_SYNC:
			s->syncs_due--;
			break;
		case PGRES_COPY_IN:
			s->pq.PQputCopyEnd(s->conn, "stopped");
			break;
		case PGRES_COPY_OUT:
		case PGRES_COPY_BOTH:
			s->pq.PQclear(res);
			return pg_lost(s, "COPY was stopped", e);
		default:
			break;
		}
		s->pq.PQclear(res);
	}
	return s->lost ? -1 : 0;
}

/* Behind a failed pg_next: a cancel stops the server too, a server that is mute is given up. */
int pg_give_up(struct db_postgres *s, struct err *e)
{
	struct err ignored;

	if (e->code == ERR_CANCELLED) {
		s->stopping = true;
		pg_request_cancel(s, PG_STOP_NOW_MS);
		if (pg_drain(s, PG_STOP_NOW_MS, &ignored) == 0)
			s->stopping = false;
	} else {
		s->lost = true;
	}
	return -1;
}

int pg_ready(struct db_postgres *s, struct cancel *cancel, struct err *e)
{
	if (s->lost) {
		err_set(e, ERR_LOST, "connection to %s broke", s->shown);
		return err_detail(e, "it broke before");
	}
	if (cancel_fired(cancel))
		return err_set(e, ERR_CANCELLED, "stopped before using %s", s->shown);
	if (s->stopping) {
		if (pg_drain(s, STOP_LATER_MS, e) != 0)
			return pg_lost(s, "what was stopped does not end", e);
		s->stopping = false;
	}
	if (s->n_unit == 0 && s->pq.PQpipelineStatus(s->conn) != PQ_PIPELINE_OFF &&
	    s->pq.PQexitPipelineMode(s->conn) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	return 0;
}
