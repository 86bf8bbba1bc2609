/* SPDX-License-Identifier: MIT */
/* ssh_key: any file is a key of a type that is a word, or none; a public key that was found is one that says the
 * same type. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
	if (!good)
		abort();
}

static void check(const struct ssh_key *k)
{
	struct sv rest = strbuf_sv(&k->blob), type;

	for (const char *c = k->type; *c != '\0'; c++)
		must(*c > ' ' && *c <= '~');
	if (k->blob.len > 0)
		must(ssh_wire_string(&rest, &type) && sv_eq_str(type, k->type));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size);
	struct ssh_key k, public = { .blob.max = 1 << 16 };

	if (ssh_key_parse(&k, text))
		check(&k);
	ssh_key_clear(&k);
	if (ssh_key_parse_public(&public, text)) {
		check(&public);
		must(public.type[0] != '\0');
	}
	ssh_key_clear(&public);
	return 0;
}
