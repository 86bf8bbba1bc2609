/* SPDX-License-Identifier: MIT */
/* dotenv_parse: any bytes give variables with names and text, or an error that names a line. */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/dotenv.h"
#include "core/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct env_var *var = NULL;
	struct arena a;
	struct err e;
	size_t n = 0;
	int rc;

	arena_init(&a);
	err_clear(&e);
	rc = dotenv_parse(&a, sv_n((const char *)data, size), &var, &n, &e);
	if (rc != 0 && (var != NULL || n != 0 || e.msg[0] == '\0'))
		abort();
	for (size_t i = 0; i < n; i++)
		if (var[i].name[0] == '\0' || isdigit((unsigned char)var[i].name[0]) ||
		    !utf8_valid(sv_of(var[i].value)) || n > DOTENV_VARS_MAX)
			abort();
	arena_clear(&a);
	return 0;
}
