/* SPDX-License-Identifier: MIT */
/* source_split: any bytes; the sections must be parts of the text, in order, and lose nothing but
 * the marker lines and the comments above them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/db/sqlsplit.h"
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
	const char *end = text.p + text.n;
	struct err e;

	if (source_split(text, &part, &e) != 0) {
		require(e.code == ERR_INPUT && e.msg[0] != '\0' && e.hint[0] != '\0');
		return 0;
	}
	require(part.head.p == text.p && sql_is_empty(part.head));
	require(part.up.p >= part.head.p + part.head.n && part.up.p + part.up.n <= end);
	if (part.has_down) {
		require(part.down.p >= part.up.p + part.up.n);
		require(part.down.p + part.down.n == end);
	} else {
		require(part.up.p + part.up.n == end && part.down.n == 0);
	}
	return 0;
}
