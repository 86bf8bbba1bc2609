/* SPDX-License-Identifier: MIT */
/* log_record: the first byte is the runtime's priority, the rest one line. What is read stays within its bounds, is the
 * same every time, and a line that goes on has neither time nor place for a level of its own. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/logs/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log_record r, again;
	struct sv line;
	char *copy;

	if (size == 0)
		return 0;
	/* Exactly as long as the line, so that reading past it is seen. */
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	line = sv_n(copy, size - 1);
	log_record_read(line, data[0] % 12 - 2, &r);
	log_record_read(line, data[0] % 12 - 2, &again);
	require(memcmp(&r, &again, sizeof(r)) == 0);
	require(r.level < LOG_LEVELS && r.shape <= LOG_LOGFMT && r.body <= line.n);
	require(!r.continues || (r.shape == LOG_TEXT && r.utc_ns == 0 && r.body == 0));
	require(log_level_of(line) < LOG_LEVELS);
	free(copy);
	return 0;
}
