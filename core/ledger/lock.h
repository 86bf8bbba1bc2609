/* SPDX-License-Identifier: MIT */
/*
 * The fenced lock of an environment: one operator at a time, and an old holder can never write
 * after a takeover.
 *
 * Two parts. A lock that is freed without us when its holder dies, and the row bascule_lock with the
 * epoch. Every acquisition adds one to the epoch; every transaction of ours first compares it
 * (lock_fence), so a holder that was stopped, slept, or was taken over fails at its next write, whatever
 * it believes.
 *
 * A database that is a file (lock_file.c): the kernel's OFD lock on the sidecar <db>.bascule-lock, byte
 * 0. Its text is JSON of the holder, its mtime the last beat (the machine's own clock: a SQLite
 * environment is local). A takeover makes a new sidecar file and renames it over the old one while
 * it holds the database's write lock; the old holder keeps a lock on an unlinked file.
 *
 * A database of a server (lock_server.c): an advisory lock of the working session. Beats are a row of
 * their own, written over a connection of their own, by the server's clock. Nobody can take a session's
 * lock away: a takeover waits until that session is gone, or ends it.
 */
#ifndef LEDGER_LOCK_H
#define LEDGER_LOCK_H

#include "core/base/mem.h"
#include "core/db/db.h"

#define LOCK_BEAT_MS 15000
#define LOCK_STALE_MS 120000

struct lock_holder {
	char who[64];
	char host[64];
	char run[48]; /* run id; "" for a command without one */
	char boot[40];
	int64_t pid;
	int64_t pid_start; /* with pid: names one process for ever */
	int64_t epoch;
	int64_t since_utc_ms;
	int64_t beat_utc_ms;       /* by this machine's clock: its age is what was measured */
	struct db_session session; /* of a server: the working connection; id 0: none */
	bool held;                 /* somebody holds the lock now */
	bool remote;  /* of another machine: whether its process is alive or stopped is not known */
	bool alive;   /* its process exists (same pid, start time and boot) */
	bool stopped; /* its process is stopped (SIGSTOP, debugger) */
	bool stale; /* held, but no beat for LOCK_STALE_MS; or not held though the row names a run */
	bool rebooted; /* taken in an earlier boot of this machine */
};

struct lock_request {
	const char *who, *host, *run;
	/* Staleness limit and beat in milliseconds; 0 = the defaults above. Tests shorten them; a run
	 * freezes them in its plan so that holder and watcher agree. */
	int64_t stale_ms;
	/* Of a takeover on a server: ends the old holder's session, and whatever it is doing, instead of
	 * waiting for it. Only after a typed confirmation. */
	bool terminate;
	int64_t wait_ms; /* how long a takeover waits for that session to go; 0: 10 s */
	/* What it waits for meanwhile; may be NULL. */
	void (*say)(void *arg, const char *text);
	void *arg;
	struct cancel *cancel; /* of such a wait; may be NULL */
};

struct lock; /* one held lock; used by the runner's main thread, beaten by its control thread */

/* Who holds the environment of this dsn, from the sidecar and, when db is not NULL, the row. While
 * the holder locks the database even against readers, from the sidecar alone. On a server without db
 * nothing is known: not held, nobody named, 0. */
int lock_read(const struct dsn *dsn, struct db *db, int64_t stale_ms, struct lock_holder *out,
	      struct err *e) MUST_CHECK;
/* Takes the lock; needs ledger_ensure before. Held by somebody: ERR_LOCKED with who, from where,
 * since when in detail, and *holder (may be NULL) filled. A dead holder is no obstacle: then, on
 * success, *holder says what the row named before (run "" after a release), so that the caller sees
 * an interrupted run. Waits for nobody but a writer of the database (lock_timeout_ms). On a server dsn
 * and db must outlive the lock, a pooler that gives transactions to any session is ERR_UNSUPPORTED, and
 * a session of the dead holder that still executes something is ERR_BUSY, with *holder filled. */
int lock_take(const struct dsn *dsn, struct db *db, const struct lock_request *req,
	      struct lock **out, struct lock_holder *holder, struct err *e) MUST_CHECK;
/* Waits until the lock looks free (or deadline: ERR_LOCKED); lock_take may lose the race again. db is
 * needed on a server, which is asked again and again; NULL for a file. */
int lock_wait(const struct dsn *dsn, struct db *db, int64_t deadline_ms, struct cancel *c,
	      struct err *e) MUST_CHECK;
/* Takes the lock away from a stale or dead holder. Refused (ERR_LOCKED) while the holder beats. When the
 * old holder is inside a write transaction, or its session on the server does not go: ERR_BUSY with what
 * it is doing, hint with the command that ends it. *old (may be NULL) gets the holder it was taken
 * from, with its epoch. */
int lock_takeover(const struct dsn *dsn, struct db *db, const struct lock_request *req,
		  struct lock **out, struct lock_holder *old, struct err *e) MUST_CHECK;
/* Would a takeover take it: nobody holds it, its holder is silent, or (of a server, whose sessions may
 * outlive their clients) its process is known to be gone? */
bool lock_may_take_over(const struct lock_holder *h);
int64_t lock_epoch(const struct lock *l);
/* Records a beat. Any thread, one at a time. -1 with ERR_FENCED when the lock is not ours any more or the
 * lease is over; with any other code the beat is to be tried again soon. Ends within seconds. */
int lock_beat(struct lock *l, struct err *e) MUST_CHECK;
/* ERR_FENCED when the lease is over: by CLOCK_BOOTTIME since the last beat. Any thread. */
int lock_lease(const struct lock *l, struct err *e) MUST_CHECK;
/* First statement of every transaction that changes the environment: compares the epoch in the
 * row with ours under the write lock. ERR_FENCED when it differs. */
int lock_fence(const struct lock *l, struct db *db, struct err *e) MUST_CHECK;
/* The same as the first item of a unit's transaction, behind BEGIN; its text lives in a. Servers only. */
void lock_fence_item(const struct lock *l, struct db *db, struct arena *a, struct db_item *out);
/* Is e, of a unit, what that item says? Then e becomes ERR_FENCED with who has the lock now, asked over
 * db, whose units must be cleared (db_units_clear). */
bool lock_fence_judge(const struct lock *l, struct db *db, struct err *e);
/* For db_copy_from, where no statement can run: is the sidecar still ours? Call under the write lock.
 * On a server: 0. */
int lock_fence_file(const struct lock *l, struct err *e) MUST_CHECK;
/* No transaction may be open. Clears the row's holder (epoch stays), gives the lock back, frees l. db may
 * be NULL: the row keeps its name. l NULL is fine. */
void lock_release(struct lock *l, struct db *db);
/* Clears the row of a dead holder without a runner of ours (abort of an interrupted run): takes and
 * releases. Refused while anybody holds it. */
int lock_clear_dead(const struct dsn *dsn, struct db *db, const char *run, const char *who,
		    const char *host, struct err *e) MUST_CHECK;

#endif
