/* SPDX-License-Identifier: MIT */
/* The files of the demo workspace: a shop's schema in twelve migrations. Constant text. */
#ifndef CLI_DEMO_FILES_H
#define CLI_DEMO_FILES_H

#include <stddef.h>

struct demo_migration {
	const char *name; /* "0001_customers" */
	const char *up;
	const char *down; /* NULL: there is none */
};

extern const struct demo_migration demo_migrations[];
extern const size_t demo_migrations_n;

/* The one that is edited after staging has applied it: its first text. */
extern const char demo_edited_name[];
extern const char demo_edited_before[];

extern const char demo_config[];

#endif
