/* SPDX-License-Identifier: MIT */
/* config_parse: any bytes give either a project whose environments make sense or at least one mistake. */
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

/* Nothing that ssh would take for an option, and no service without a place. */
static void check_env(const struct env *env)
{
	if (!env->has_db && env->n_service == 0 && env->trouble == NULL)
		abort();
	for (size_t i = 0; i < env->n_host; i++)
		if (env->host[i]->name[0] == '-' || strlen(env->host[i]->name) >= HOST_NAME_SIZE)
			abort();
	for (size_t i = 0; i < env->n_service; i++) {
		const struct service *s = &env->service[i];

		if (s->n_host == 0)
			abort();
		for (size_t k = 0; k < s->n_host; k++)
			if (s->host[k]->name[0] == '-')
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errs;
	struct project *p = NULL;
	struct err e;
	int rc = config_parse(sv_n((const char *)data, size), "/x/bascule.ini", "/x", no_env, NULL,
			      &p, &errs, &e);

	if (rc == 0 && (p->n_env == 0 || errs.total != 0))
		abort();
	for (size_t i = 0; rc == 0 && i < p->n_env; i++)
		check_env(&p->env[i]);
	if (rc != 0 && (p != NULL || errs.n == 0 || e.msg[0] == '\0'))
		abort();
	project_free(p);
	config_errors_clear(&errs);
	return 0;
}
