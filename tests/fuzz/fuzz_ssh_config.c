/* SPDX-License-Identifier: MIT */
/* ssh_config: any output of ssh -G gives a whole configuration, and any text is the name of a host that ssh can
 * be given, or is refused. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/ssh_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
	if (!good)
		abort();
}

static void check_config(const struct ssh_config *c)
{
	int port;

	must(c->host != NULL && c->user != NULL && c->port > 0 && c->port < 65536);
	must(c->n_known <= SSH_CONFIG_FILES_MAX && c->n_identity <= SSH_CONFIG_FILES_MAX);
	for (size_t i = 0; i < c->n_known; i++)
		must(c->known[i] != NULL && c->known[i][0] != '\0');
	for (size_t i = 0; i < c->n_identity; i++)
		must(c->identity[i] != NULL);
	must(c->known_first == NULL || c->known_first == c->known[0]);
	must(ssh_config_known_name(c, &port) != NULL && port > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct host_context ctx = { .home = "/home/u", .login = "u" };
	struct ssh_target t = { .host = SV("app1") };
	struct ssh_config c;
	struct err e;

	ssh_config_parse(&c, sv_n((const char *)data, size), &t, &ctx);
	check_config(&c);
	ssh_config_clear(&c);
	err_clear(&e);
	if (ssh_target_parse(sv_n((const char *)data, size), &t, &e) == 0)
		must(t.host.n > 0 && t.host.p[0] != '-' && (t.user.n == 0 || t.user.p[0] != '-') &&
		     t.port >= 0 && t.port < 65536);
	else
		must(e.code == ERR_CONFIG && e.msg[0] != '\0');
	return 0;
}
