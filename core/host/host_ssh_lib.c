/* SPDX-License-Identifier: MIT */
#include "core/host/host_ssh.h"

#include <stddef.h>

#include "core/base/library.h"

/* clang-format off */
#define X(f) { "libssh2_" #f, offsetof(struct ssh2, f) },
static const struct library_symbol symbols[] = { SSH2_FUNCTIONS(X) };
#undef X
/* clang-format on */

static const char *const files[] = { "libssh2.so.1", NULL };

static const struct library libssh2 = {
	.name = "libssh2",
	.hint = "install the package libssh2-1, or set transport = openssh",
	.file = files,
	.symbol = symbols,
	.n_symbol = sizeof(symbols) / sizeof(symbols[0]),
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Counts its callers without a lock, and sets up tables that all sessions share. */
static void init_library(void)
{
	struct ssh2 lib;
	struct err e;

	if (library_load(&libssh2, &lib, &e) == 0)
		lib.init(0);
}

int ssh2_load(struct ssh2 *lib, struct err *e)
{
	if (library_load(&libssh2, lib, e) != 0)
		return -1;
	pthread_once(&once, init_library);
	return 0;
}

bool ssh2_has_rsa(const struct ssh2 *lib)
{
	return lib->version(SSH2_VERSION_RSA) != NULL;
}
