/* SPDX-License-Identifier: MIT */
/*
 * Client libraries, loaded when they are first needed instead of at the program's start.
 *
 * libpq and what it pulls in cost 4 ms of every start, also of those that never talk to a server. So
 * they are not linked: a driver has a struct of function pointers, a table that says which symbol goes
 * where in it, and fills one for each connection by library_load().
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stddef.h>

#include "core/base/err.h"

/* One function, and where its pointer goes in the driver's struct. */
struct library_symbol {
	const char *name;
	size_t offset;
};

struct library {
	const char *name;        /* for people: "libpq" */
	const char *hint;        /* what to do when it is missing: names the package */
	const char *const *file; /* tried in this order; NULL at the end */
	const struct library_symbol *symbol;
	size_t n_symbol;
};

/* Loads the library if this process has not done so yet, and fills table. From any thread. The
 * library stays until the process ends. ERR_UNSUPPORTED when it is missing or lacks a symbol. */
int library_load(const struct library *lib, void *table, struct err *e) MUST_CHECK;

#endif
