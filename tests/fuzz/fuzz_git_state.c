/* SPDX-License-Identifier: MIT */
/* git_state_parse and git_state_words: any bytes; what is shown holds no control byte. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/migrate/git_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct git_state g = { 0 };
	struct strbuf words;

	arena_init(&g.arena);
	strbuf_init(&words, STRBUF_NO_LIMIT);
	(void)git_state_parse(sv_n((const char *)data, size), &g);
	require(g.n_listed <= g.n_uncommitted && g.n_listed <= GIT_STATE_LISTED_MAX);
	git_state_words(&g, &words);
	for (size_t i = 0; i < words.len; i++)
		require((unsigned char)words.data[i] >= ' ');
	strbuf_clear(&words);
	git_state_clear(&g);
	return 0;
}
