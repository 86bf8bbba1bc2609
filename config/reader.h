/* SPDX-License-Identifier: MIT */
/* A configuration while it is read: what the passes of config.c and fill.c share. Nobody else includes
 * this. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/config.h"

#define OPTIONS_MAX 64
#define ENVIRONMENTS_MAX 64
#define NAME_MAX_BYTES 40

struct given {
	int line;          /* 0: not in the file */
	const char *value; /* ${NAME} replaced; NULL when that was a mistake */
};

struct section {
	const char *kind; /* "project", "environment" */
	const char *name; /* of an environment; "" */
	int line;
	struct given given[OPTIONS_MAX]; /* by index into options[] */
};

struct reader {
	struct project *p;
	struct config_errors *errs;
	config_env_fn env;
	void *arg;
	struct section **list; /* in the arena, in the order of the file */
	size_t n;
	struct section *current; /* NULL: before the first, or in a refused one */
	bool outside;            /* before the first section */
};

/* Notes a mistake; reading goes on. hint may be NULL. */
void reader_mistake(struct reader *r, int line, const char *hint, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* "did you mean `x`?" for the nearest name, or otherwise. Lives with the errors. */
const char *reader_nearest(struct reader *r, const char *word, const char *const *names, size_t n,
			   const char *otherwise);
const struct section *reader_find(const struct reader *r, const char *kind, const char *name);
/* "[environment staging]" or "[project]", for texts. Lives with the errors. */
const char *reader_shown(struct reader *r, const struct section *s);
/* Names of projects and environments: they become parts of paths and of commands. */
bool reader_name_ok(const char *name);

/* The second and third pass: sections to r->p. fill.c. */
void reader_fill(struct reader *r);

#endif
