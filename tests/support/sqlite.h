/* SPDX-License-Identifier: MIT */
/* SQLite databases for tests of what lies above the driver. Everything here fails the test instead
 * of returning an error. */
#ifndef SUPPORT_SQLITE_H
#define SUPPORT_SQLITE_H

#include "core/db/db.h"

/* Makes dir/name and opens it. sql (may be NULL) runs first. Caller ends it with db_close(). */
struct db *sqlite_make(const char *dir, const char *name, const char *sql);
/* Opens dir/name again. */
struct db *sqlite_open(const char *dir, const char *name);
/* The dsn of dir/name; its path is allocated in a. */
struct dsn sqlite_dsn(struct arena *a, const char *dir, const char *name);
/* The first column of the first row as an integer, -1 when the statement does not compile.
 * sql is a literal, as for db_exec(). */
int64_t sqlite_int(struct db *db, const char *sql);

#endif
