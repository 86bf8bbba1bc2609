/* SPDX-License-Identifier: MIT */
/*
 * The fenced lock of an environment: one operator at a time, and an old holder can never write
 * after a takeover.
 *
 * Two parts. A lock that the kernel frees when its holder dies (sqlite: an OFD lock on the sidecar
 * file <db>.bascule-lock, byte 0), and the row bascule_lock with the epoch. Every acquisition adds
 * one to the epoch; every transaction of ours first compares it (lock_fence), so a holder that was
 * stopped, slept, or was taken over fails at its next write, whatever it believes.
 *
 * Sidecar: JSON text of the holder; its mtime is the last beat (the machine's own clock: a SQLite
 * environment is local). A takeover makes a new sidecar file and renames it over the old one while
 * it holds the database's write lock; the old holder keeps a lock on an unlinked file.
 */
#ifndef LEDGER_LOCK_H
#define LEDGER_LOCK_H

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
	int64_t beat_utc_ms;
	bool held;    /* somebody holds the kernel lock now */
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
};

struct lock; /* one held lock; used by the runner's main thread, beaten by its control thread */

/* Who holds the environment of this dsn, from the sidecar and, when db is not NULL, the row. While
 * the holder locks the database even against readers, from the sidecar alone. */
int lock_read(const struct dsn *dsn, struct db *db, int64_t stale_ms, struct lock_holder *out,
	      struct err *e) MUST_CHECK;
/* Takes the lock; needs ledger_ensure before. Held by somebody: ERR_LOCKED with who, from where,
 * since when in detail, and *holder (may be NULL) filled. A dead holder is no obstacle: then, on
 * success, *holder says what the row named before (run "" after a release), so that the caller sees
 * an interrupted run. Waits for nobody but a writer of the database (lock_timeout_ms). */
int lock_take(const struct dsn *dsn, struct db *db, const struct lock_request *req,
	      struct lock **out, struct lock_holder *holder, struct err *e) MUST_CHECK;
/* Waits until the lock looks free (or deadline: ERR_LOCKED); lock_take may lose the race again. */
int lock_wait(const struct dsn *dsn, int64_t deadline_ms, struct cancel *c,
	      struct err *e) MUST_CHECK;
/* Takes the lock away from a stale or dead holder. Refused (ERR_LOCKED) while the holder beats. When the
 * old holder is inside a write transaction: ERR_BUSY, hint with the kill command. *old (may be NULL) gets
 * the holder it was taken from, with its epoch. */
int lock_takeover(const struct dsn *dsn, struct db *db, const struct lock_request *req,
		  struct lock **out, struct lock_holder *old, struct err *e) MUST_CHECK;
int64_t lock_epoch(const struct lock *l);
/* Records a beat. Any thread. -1 with ERR_FENCED when the sidecar is not ours any more. */
int lock_beat(struct lock *l, struct err *e) MUST_CHECK;
/* ERR_FENCED when the lease is over: by CLOCK_BOOTTIME since the last beat. Any thread. */
int lock_lease(const struct lock *l, struct err *e) MUST_CHECK;
/* First statement of every transaction that changes the environment: compares the epoch in the
 * row with ours under the write lock. ERR_FENCED when it differs. */
int lock_fence(const struct lock *l, struct db *db, struct err *e) MUST_CHECK;
/* For db_copy_from, where no statement can run: is the sidecar still ours? Call under the write lock. */
int lock_fence_file(const struct lock *l, struct err *e) MUST_CHECK;
/* No transaction may be open. Clears the row's holder (epoch stays), frees the kernel lock, frees l. db may be NULL: only the
 * kernel lock. NULL is fine. */
void lock_release(struct lock *l, struct db *db);
/* Clears the row of a dead holder without a runner of ours (abort of an interrupted run): takes and
 * releases. Refused while anybody holds it. */
int lock_clear_dead(const struct dsn *dsn, struct db *db, const char *run, const char *who,
		    const char *host, struct err *e) MUST_CHECK;

#endif
