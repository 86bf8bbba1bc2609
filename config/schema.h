/* SPDX-License-Identifier: MIT */
/* The table of every section and key that this version acts on. Parser, bascule.ini(5), examples and
 * tests read it; a key that is not here is refused. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_TEXT,
	OPTION_PATH,
	OPTION_BOOL,
	OPTION_ENUM,
	OPTION_SPAN,
	OPTION_LIST,
	OPTION_URL,
	OPTION_FILES, /* paths, separated by commas */
	OPTION_HOSTS, /* machines, separated by commas */
	OPTION_COUNT, /* a number */
	OPTION_SECRET /* where a secret comes from */
};

struct option {
	const char *section; /* "project", "environment", "service" */
	const char *key;
	enum option_type type;
	const char *const *values; /* OPTION_ENUM, NULL-terminated */
	int64_t min, max;          /* OPTION_SPAN, milliseconds; OPTION_COUNT */
	const char *dflt;          /* as one would type it; shown in the man page */
	const char *example;
	const char *help; /* one or two sentences */
};

extern const struct option options[];
extern const size_t options_n;
const struct option *option_find(const char *section, const char *key);

/* What would be missing if this key (key NULL: section) of a later version were let through: the
 * refusal says so instead of "unknown". NULL when it is none of them. */
const char *option_later(const char *section, const char *key);

#endif
