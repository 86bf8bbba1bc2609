/* SPDX-License-Identifier: MIT */
/* A configuration while it is read: what the passes of config.c and fill.c share. Nobody else includes
 * this. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/config.h"
#include "config/schema.h"

#define OPTIONS_MAX 64
#define ENVIRONMENTS_MAX 64
#define SECTIONS_MAX 512
#define HOSTS_MAX 64 /* of one list */
#define NAME_MAX_BYTES 40

struct given {
	int line;          /* 0: not in the file */
	const char *raw;   /* as it stands there; NULL when that was a mistake */
	const char *value; /* ${NAME} replaced; NULL when that was a mistake */
};

struct section {
	const char *kind; /* "project", "environment", "service" */
	const char *name; /* of an environment or a service; "" */
	const char *on;   /* [service NAME on ENVIRONMENT]; "" */
	int line;
	const struct env_var *var; /* of its env_files and, before them, those of [project] */
	size_t n_var;
	const char *var_dir; /* folder of the last one of them */
	const struct err
		*trouble; /* one that cannot be read; nothing that needs it is a mistake then */
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
const struct section *reader_find(const struct reader *r, const char *kind, const char *name,
				  const char *on);
/* "[environment staging]" or "[project]", for texts. Lives with the errors. */
const char *reader_shown(struct reader *r, const struct section *s);
/* Names of projects and environments: they become parts of paths and of commands. */
bool reader_name_ok(const char *name);

/* What the file says for key, or NULL; *o and *line (0: nothing) as well. */
const char *reader_value(const struct section *s, const char *key, const struct option **o,
			 int *line);

/* Values, values.c. What cannot be read is noted, and is then the default. */
const char *reader_text(const struct section *s, const char *key, const char *dflt);
bool reader_bool(struct reader *r, const struct section *s, const char *key, bool dflt);
/* Index into the option's values. */
int reader_enum(struct reader *r, const struct section *s, const char *key, int dflt);
int64_t reader_span(struct reader *r, const struct section *s, const char *key); /* ms */
int reader_count(struct reader *r, const struct section *s, const char *key);

/* Between the passes: reads the env_files of all sections and replaces every ${NAME}. expand.c. */
void reader_expand(struct reader *r);
/* The value of a variable for s: of its env_files, else of the environment; NULL when there is none. */
const char *reader_variable(const struct reader *r, const struct section *s, const char *name);
/* Of its env_files alone; NULL also for an empty one. */
const char *reader_setting(const struct section *s, const char *name);

/* The database that the settings of env_files name. False when they name none, which is noted when one is
 * wanted, or, noted, when it cannot be understood. settings.c. */
bool reader_settings(struct reader *r, const struct section *s, bool wanted, struct dsn *out);

/* The password of env, whose dsn is filled: what can be had now is, the rest is left to config_resolve.
 * secret.c. */
void reader_password(struct reader *r, const struct section *s, struct env *env);

/* `host` and `database_via` of env, whose database and transport are read. hosts.c. */
void reader_env_hosts(struct reader *r, const struct section *s, struct env *env);
/* The machines that `hosts` of a service names; false when they cannot be told. */
bool reader_service_hosts(struct reader *r, const struct section *s, const struct env *env,
			  size_t n_filled, const struct host_spec *const **out, size_t *n);
/* Whether a list of machines says that there is none. */
bool reader_hosts_none(const struct section *s);
/* "did you mean [environment staging]?", or to add it. */
const char *reader_nearest_env(struct reader *r, const char *word);

/* Whether any service is in the environment of that name. services.c. */
bool reader_has_service(const struct reader *r, const char *env);
/* The services of all environments, whose hosts are known. */
void reader_services(struct reader *r);

/* The second and third pass: sections to r->p. fill.c. */
void reader_fill(struct reader *r);

#endif
