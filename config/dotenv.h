/* SPDX-License-Identifier: MIT */
/* Dotenv files: NAME=VALUE lines, as an application reads its own settings. */
#ifndef CONFIG_DOTENV_H
#define CONFIG_DOTENV_H

#include "core/release/env.h"

#define DOTENV_FILE_MAX ((size_t)64 << 10)
#define DOTENV_VARS_MAX 500

/* Reads text into *var, in a, in the order of the file; a name that is there twice is there twice. Errors
 * name the line and never what is in it: ERR_INPUT, ERR_LIMIT. */
int dotenv_parse(struct arena *a, struct sv text, struct env_var **var, size_t *n,
		 struct err *e) MUST_CHECK;

#endif
