/* SPDX-License-Identifier: MIT */
/* config_parse: any bytes give either a project with environments or at least one mistake. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *no_env(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "HOME") == 0 ? "/home/x" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errs;
	struct project *p = NULL;
	struct err e;
	int rc = config_parse(sv_n((const char *)data, size), "/x/bascule.ini", "/x", no_env, NULL,
			      &p, &errs, &e);

	if (rc == 0 && (p->n_env == 0 || errs.total != 0 || !p->env[0].has_db))
		abort();
	if (rc != 0 && (p != NULL || errs.n == 0 || e.msg[0] == '\0'))
		abort();
	project_free(p);
	config_errors_clear(&errs);
	return 0;
}
