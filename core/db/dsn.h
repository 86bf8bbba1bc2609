/* SPDX-License-Identifier: MIT */
/* Where a database is: the `database =` URL, taken apart. */
#ifndef DB_DSN_H
#define DB_DSN_H

#include "core/base/mem.h"
#include "core/base/str.h"

struct dsn {
	const char *engine; /* "sqlite": the scheme, and the word shown to people */
	const char *path;   /* sqlite: absolute path of the file */
	const char *shown;  /* without secrets, for screens and errors */
};

/* Takes url apart. A relative sqlite path is resolved against base_dir (the folder of the
 * configuration). `sqlite:PATH` and `sqlite:///ABSOLUTE` are accepted; a `?query`, `:memory:`, an
 * empty path and an unknown scheme are refused, the last with the nearest known one. Strings live
 * in a. */
int dsn_parse(struct arena *a, const char *url, const char *base_dir, struct dsn *out,
	      struct err *e) MUST_CHECK;

#endif
