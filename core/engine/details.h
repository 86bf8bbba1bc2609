/* SPDX-License-Identifier: MIT */
/* One environment's database in detail: what `details` prints and the view "Database" shows. */
#ifndef ENGINE_DETAILS_H
#define ENGINE_DETAILS_H

#include "core/base/cancel.h"
#include "core/db/db.h"
#include "core/ledger/lock.h"
#include "core/migrate/history.h"
#include "core/migrate/verify.h"
#include "core/release/env.h"

struct details_fact {
	const char *name, *value;
};

struct details {
	struct arena arena; /* strings of the lists */
	char env[64];
	int64_t at_utc_ms;
	struct db_info info;
	struct lock_holder holder;
	struct history *history; /* owned; never NULL once read, but empty with trouble */
	struct err trouble;      /* what of all this the role may not read; code ERR_OK: nothing */
	struct findings defects; /* with the migration that left each, where one did */
	struct details_fact *fact;
	size_t n_fact, cap_fact;
	struct db_privilege *privilege;
	size_t n_privilege, cap_privilege;
	struct db_table *table; /* largest first */
	size_t n_table, cap_table;
};

/* Opens env read-only and reads all of it. Worker only. Free with details_free. */
int details_read(const struct context *ctx, const struct env *env, struct cancel *c,
		 struct details **out, struct err *e) MUST_CHECK;
void details_free(struct details *d); /* NULL is fine */

/* How many privileges are in that state, without the optional ones that are missing. */
size_t details_count(const struct details *d, enum db_privilege_state state);
/* "bascule, ledger format 2", "flyway in flyway_schema_history, read only": who keeps the history. Appended. */
void details_history(const struct details *d, struct strbuf *out);

#endif
