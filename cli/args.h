/* SPDX-License-Identifier: MIT */
/* The words of the command line, taken apart by one table of options that also feeds help, completion
 * and the man page. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define ARGS_WORDS_MAX 64
#define ARGS_OVERRIDES_MAX 16

enum cli_option_id {
	OPT_CONFIG,
	OPT_THEME,
	OPT_ASCII,
	OPT_READ_ONLY,
	OPT_HELP,
	OPT_VERSION,
	OPT_JSON,
	OPT_PLAIN,
	OPT_CHECK,
	OPT_DIFFERS,
	OPT_TO,
	OPT_DOWN,
	OPT_DRY_RUN,
	OPT_SQL,
	OPT_YES,
	OPT_CONFIRM,
	OPT_OVERRIDE,
	OPT_REASON,
	OPT_STATEMENT,
	OPT_WAIT,
	OPT_NO_DETACH,
	OPT_TERMINATE,
	OPT_FINGERPRINT,
	OPT_FOLLOW,
	OPT_SINCE,
	OPT_TAIL,
	OPT_GREP,
	OPT_LEVEL,
	OPT_ONCE,
	OPT_DOCS,
	OPT_COUNT
};

#define OPT_BIT(id) (1u << (id))
#define OPT_READING (OPT_BIT(OPT_JSON) | OPT_BIT(OPT_PLAIN))
/* What a command takes that hands a run to a runner and watches it. */
#define OPT_WATCHING (OPT_BIT(OPT_JSON) | OPT_BIT(OPT_PLAIN) | OPT_BIT(OPT_NO_DETACH))
#define OPT_CHANGING \
	(OPT_WATCHING | OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_SQL) | OPT_BIT(OPT_YES) | \
	 OPT_BIT(OPT_CONFIRM) | OPT_BIT(OPT_OVERRIDE) | OPT_BIT(OPT_REASON) | OPT_BIT(OPT_WAIT))

struct cli_option {
	const char *name;    /* "--json" */
	const char *letter;  /* "-c", or NULL */
	const char *value;   /* "FILE"; NULL: takes none */
	bool value_optional; /* only as --name=value */
	bool global;         /* every command takes it */
	const char *help;
};

extern const struct cli_option cli_options[OPT_COUNT];

struct args {
	unsigned given;               /* OPT_BIT of each option */
	const char *value[OPT_COUNT]; /* borrowed from argv; the last one wins */
	const char *override[ARGS_OVERRIDES_MAX];
	size_t n_override;
	const char *word[ARGS_WORDS_MAX]; /* what is no option; word[0] is the command */
	size_t n_word;
};

/* ERR_USAGE for an unknown option (nearest name), a missing value, too many words. Whether the command
 * takes the option is args_allow's to say. */
int args_parse(int argc, char *const argv[], struct args *out, struct err *e) MUST_CHECK;
/* ERR_USAGE when an option was given that is neither global nor in allowed. */
int args_allow(const struct args *a, unsigned allowed, const char *command,
	       struct err *e) MUST_CHECK;
bool args_has(const struct args *a, enum cli_option_id id);

#endif
