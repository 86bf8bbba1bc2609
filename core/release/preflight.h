/* SPDX-License-Identifier: MIT */
/*
 * What stands in a migration's way right now, asked of the database: transactions that are open, sessions
 * that wait, what the runner's session does, replicas, room. A list of rows in words, for the plan view
 * and for `bascule preflight`.
 *
 * It is measured, never guessed: a row without a source is absent, and what our role may not see is a
 * row that names the privilege.
 */
#ifndef RELEASE_PREFLIGHT_H
#define RELEASE_PREFLIGHT_H

#include "core/db/db.h"
#include "core/ledger/lock.h"
#include "core/release/env.h"

/* note: something that could not be looked at; warn: it will be waited for, or waits for us. */
enum preflight_level { PREFLIGHT_OK, PREFLIGHT_NOTE, PREFLIGHT_WARN };

struct preflight_row {
	const char *name; /* "longest transaction"; a constant */
	enum preflight_level level;
	const char *words; /* one clean line */
};

/* Strings live in the arena. */
struct preflight {
	struct arena arena;
	int64_t at_utc_ms;
	struct preflight_row *row;
	size_t n, cap;
	size_t n_warn;
};

void preflight_clear(struct preflight *p); /* leaves an empty one */
const char *preflight_level_name(enum preflight_level level);

/* Reads over db, a connection of the environment env. holder: who holds its lock (lock_read), whose
 * session is then asked about; NULL: nobody. out is zeroed before and to be cleared, whatever is
 * returned. */
int preflight_read(const struct env *env, struct db *db, const struct lock_holder *holder,
		   struct preflight *out, struct err *e) MUST_CHECK;
/* The same over a connection of its own: opens, reads the lock, asks, closes. */
int preflight_ask(const struct context *ctx, const struct env *env, struct cancel *cancel,
		  struct preflight *out, struct err *e) MUST_CHECK;

#endif
