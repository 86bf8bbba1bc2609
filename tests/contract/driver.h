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
struct server;

struct driver {
	const char *name;
	/* The URL of a database called name that does not exist yet: in the case's own folder, or of a
	 * name of its own on the server. */
	char *(*url)(const char *dir, const char *name);
	const char *endless; /* a statement that runs for minutes and changes nothing */
	const char *table_t; /* makes the table t, whose id numbers itself */
	/* Of a server: starts it once (NULL: no server), and makes the database of that name. */
	struct server *(*start)(void);
	void (*make)(const char *name);
};

enum driver_group { DRIVER_FILES, DRIVER_SERVERS };

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
/* Runs the cases, whose names get the driver's before them, against every driver of the group. */
int driver_run(const struct CMUnitTest *cases, size_t n, enum driver_group group);
/* The cases of statements, transactions and cancels. */
const struct CMUnitTest *db_cases(size_t *n);
/* Whether the engine of the case that runs has the capability. */
bool driver_has(enum db_cap cap);

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
