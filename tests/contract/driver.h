/* SPDX-License-Identifier: MIT */
/*
 * The contract of database drivers: one table of drivers, and the world that every case of every
 * driver begins in. A new driver is a new row in driver.c. What only one engine does is tested in
 * tests/unit/test_db_<engine>.c.
 */
#ifndef CONTRACT_DRIVER_H
#define CONTRACT_DRIVER_H

#include "core/db/db.h"

struct CMUnitTest;

struct driver {
	const char *name;
	/* The URL of a database called name that does not exist yet, in the case's own folder. */
	char *(*url)(const char *dir, const char *name);
	const char *endless; /* a statement that runs for minutes and changes nothing */
};

/* Of the case that runs: a database with an empty table t (id INTEGER PRIMARY KEY, v TEXT). */
struct driver_world {
	const struct driver *driver;
	char *dir;
	struct arena arena;
	struct dsn dsn;
	struct db *db;
	struct cancel cancel; /* of db */
	struct err e;
};

extern struct driver_world w;

#define DRIVER_TIMEOUT_MS 60
extern const struct db_options driver_quick; /* waits DRIVER_TIMEOUT_MS for a lock */

int driver_setup(void **state);
int driver_teardown(void **state);
/* Runs the cases, whose names get the driver's before them, against every driver. */
int driver_run(const struct CMUnitTest *cases, size_t n);

/* The call worked, or failed with code and a msg; else the case fails with the words of w.e. */
void must(int result);
void fails(int result, enum err_code code);

struct dsn driver_dsn(const char *name);
/* Another connection to the same database. */
struct db *driver_open(unsigned flags);
int64_t driver_count(struct db *on, const char *sql); /* sql: a literal */
void driver_foreign(const char *sql);
void driver_fill(int rows); /* adds rows to t */

#define ROWS(on) driver_count(on, "SELECT count(*) FROM t")

#endif
