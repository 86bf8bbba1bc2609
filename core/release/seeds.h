/* SPDX-License-Identifier: MIT */
/*
 * Seeds: scripts that fill a database and may run again at any time. `seeds/NAME.sql` is for every
 * environment, `seeds/ENVIRONMENT/NAME.sql` for one. They have no order but their names', no way back, and
 * run when somebody asks.
 */
#ifndef RELEASE_SEEDS_H
#define RELEASE_SEEDS_H

#include "core/migrate/history.h"
#include "core/migrate/migration.h"

#define SEEDS_MAX 10000

struct seed {
	const char *id;   /* "010_users.sql", "staging/020_orders.sql" */
	const char *path; /* absolute */
	char checksum[CHECKSUM_SIZE];
	bool no_transaction;
};

struct seeds {
	struct arena arena;
	struct seed *list; /* by file name, those for all before those for one */
	size_t n, cap;
};

/* Reads and hashes the seeds of an environment. A folder that is not there (or NULL) has none. */
int seeds_read(const char *dir, const char *environment, struct seeds **out,
	       struct err *e) MUST_CHECK;
void seeds_free(struct seeds *s); /* NULL is fine */
/* By id, by file name, or by that without ".sql"; NULL. */
const struct seed *seeds_find(const struct seeds *s, const char *name);
/* The text as it runs and is hashed, appended. */
int seed_text(const char *path, struct strbuf *out, struct err *e) MUST_CHECK;
/* What the database knows of it, or NULL. */
const struct seeded *seeded_find(const struct history *h, const char *id);

#endif
