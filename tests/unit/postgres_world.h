/* SPDX-License-Identifier: MIT */
/* What the tests of the PostgreSQL driver begin in: one server, and a database for each case. */
#ifndef UNIT_POSTGRES_WORLD_H
#define UNIT_POSTGRES_WORLD_H

#include "core/db/db.h"
#include "tests/support/services.h"

struct postgres_world {
	struct server pg;
	struct arena arena;
	struct cancel cancel;
	struct db *db; /* of app, with schema bascule: the lock's row is epoch 3 of alice */
	char database[32];
	int number;
	struct err e;
};

/* Generous: without what is tested it takes three times that long. */
#define PW_BOUND_MS 20000

extern struct postgres_world pw;

void pw_must(int result);
void pw_fails(int result, enum err_code code);
int pw_try_open(const char *url, const struct db_options *opt, struct db **out);
struct db *pw_open_url(const char *url);
/* With answers that are waited for so shortly that a busy machine misses some: opened again until one came. */
struct db *pw_open_answered(const char *url, const struct db_options *quick);
/* The URL of the case's database by "socket", "tcp" or "tcp-password"; lives as long as the case. */
const char *pw_url_of(const char *name, const char *way);
struct db *pw_again(void);
void pw_foreign(const char *sql);
int64_t pw_number(struct db *db, const char *sql);
void pw_super(const char *sql); /* by the superuser */
int pw_group_setup(void **state);
int pw_group_teardown(void **state);
int pw_setup(void **state);
int pw_teardown(void **state);

/* For a thread: after 100 ms interrupts, or fires the cancel. */
struct later {
	struct db *interrupt; /* or NULL: the cancel */
	int64_t fired_ms;
};
void *pw_stop_later(void *arg);

#define CASE(f) cmocka_unit_test_setup_teardown(f, pw_setup, pw_teardown)

#endif
