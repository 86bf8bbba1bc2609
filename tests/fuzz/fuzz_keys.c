/* SPDX-License-Identifier: MIT */
/* keymap_load: any bytes; what is accepted leaves no key with two actions, what is refused changes nothing. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tui/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_all(const struct keymap *k, struct strbuf *out)
{
	for (int act = 0; act < ACTIONS; act++) {
		keymap_keys(k, (enum action)act, out);
		strbuf_addc(out, '\n');
	}
}

static void check_unique(const struct keymap *k)
{
	struct strbuf b;

	strbuf_init(&b, 4096);
	for (int act = 0; act < ACTIONS; act++) {
		struct sv rest, word;

		strbuf_reset(&b);
		keymap_keys(k, (enum action)act, &b);
		rest = strbuf_sv(&b);
		while (sv_cut(&rest, ' ', &word))
			if (word.n > 0 && keymap_action(k, key_of(word)) != (enum action)act)
				abort();
	}
	strbuf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keymap *k = keymap_default();
	struct strbuf before, after;
	struct err e;
	int rc;

	strbuf_init(&before, 1 << 20);
	strbuf_init(&after, 1 << 20);
	add_all(k, &before);
	rc = keymap_load(k, sv_n((const char *)data, size), "keys.ini", &e);
	add_all(k, &after);
	if (rc == 0)
		check_unique(k);
	else if (e.detail[0] == '\0' || !sv_eq(strbuf_sv(&before), strbuf_sv(&after)))
		abort();
	strbuf_clear(&before);
	strbuf_clear(&after);
	keymap_free(k);
	return 0;
}
