/* SPDX-License-Identifier: MIT */
/* The two kinds of lock behind lock.h, and what they share. For core/ledger/lock*.c alone. */
#ifndef LEDGER_LOCK_OPS_H
#define LEDGER_LOCK_OPS_H

#include <stdatomic.h>

#include "core/ledger/lock.h"

struct lock_ops {
	int (*read)(const struct dsn *, struct db *, int64_t stale_ms, struct lock_holder *,
		    struct err *);
	/* only_run: refused unless the row names this run or nobody; NULL: whoever died there. */
	int (*take)(const struct dsn *, struct db *, const struct lock_request *,
		    const char *only_run, struct lock **, struct lock_holder *, struct err *);
	int (*wait)(const struct dsn *, struct db *, int64_t deadline_ms, struct cancel *,
		    struct err *);
	int (*takeover)(const struct dsn *, struct db *, const struct lock_request *,
			struct lock **, struct lock_holder *, struct err *);
	/* The lease is looked at, and beat_boot_ms set, by lock.c. */
	int (*beat)(struct lock *, struct err *);
	int (*fence)(const struct lock *, struct db *, struct err *);
	int (*fence_file)(const struct lock *, struct err *);
	void (*release)(struct lock *, struct db *);
};

/* Every lock's struct starts with this. */
struct lock {
	const struct lock_ops *ops;
	int64_t epoch;
	int64_t stale_ms;
	_Atomic int64_t beat_boot_ms; /* CLOCK_BOOTTIME of the last beat */
};

extern const struct lock_ops lock_file_ops, lock_server_ops;

void lock_init(struct lock *l, const struct lock_ops *ops, const struct lock_request *req);
/* Ourselves, as we are written down. */
void lock_self(const struct lock_request *req, int64_t epoch, struct lock_holder *h);
/* What follows from the facts in h: is the process there, stopped, of this machine and boot, does it beat? */
void lock_judge(struct lock_holder *h, int64_t stale_ms);
/* ERR_LOCKED: who holds it. */
int lock_refuse_held(const struct dsn *dsn, const struct lock_holder *h, struct err *e);
/* ERR_LOCKED: the row names another run than only_run. */
int lock_refuse_run(const struct dsn *dsn, const char *named, const char *only_run, struct err *e);
/* ERR_FENCED */
int lock_fenced(const struct lock *l, const char *why, struct err *e);
int lock_fenced_by(const struct lock *l, const struct lock_holder *row, struct err *e);

#endif
