/* SPDX-License-Identifier: MIT */
/* source_split_goose: any bytes; the sections are parts of scratch, which never grows past the text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/migrate/source_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size);
	struct source_sections part;
	struct strbuf scratch;
	struct err e;

	strbuf_init(&scratch, STRBUF_NO_LIMIT);
	if (source_split_goose(text, &scratch, &part, &e) != 0) {
		require(e.code == ERR_INPUT && e.msg[0] != '\0' && e.hint[0] != '\0');
	} else {
		require(source_is_goose(text) && scratch.len <= size);
		require(part.up.n + part.down.n == scratch.len);
		require(part.has_down || part.down.n == 0);
	}
	strbuf_clear(&scratch);
	return 0;
}
