/* SPDX-License-Identifier: MIT */
/* Replies to every question of every runtime: the first byte chooses, the second is in the status. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/runtime/runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* Ends within its array and can be shown. */
static void require_text(const char *text, size_t size, bool shown)
{
	struct sv s = { text, strnlen(text, size) };

	require(s.n < size);
	for (size_t i = 0; shown && i < s.n; i++)
		require((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
	require(!shown || utf8_valid(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int status[] = { 200, 404, 500, 501, 301, 0, 1, 127 };
	struct runtime_service s = { .name = "web",
				     .container = "web",
				     .unit = "web.service",
				     .command = "shopd --port 1",
				     .pid_file = "/run/web.pid" };
	struct runtime_unit unit;
	struct runtime_reply r;
	enum runtime_verb verb;
	struct err e;

	if (size < 2)
		return 0;
	s.kind = data[0] % RUNTIMES;
	verb = data[0] / RUNTIMES % 4;
	r.status = status[data[1] % 8];
	r.body = r.err = sv_n((const char *)data + 2, size - 2);
	memset(&unit, 0, sizeof(unit));
	if (runtime_ops_of(s.kind)->parse(verb, &s, &r, &unit, &e) != 0) {
		require(e.code != ERR_OK && e.msg[0] != '\0');
		return 0;
	}
	require((unsigned)unit.state < UNIT_STATES);
	require_text(unit.id, sizeof(unit.id), false);
	require_text(unit.image, sizeof(unit.image), true);
	require_text(unit.image_id, sizeof(unit.image_id), false);
	require_text(unit.digest, sizeof(unit.digest), false);
	require_text(unit.words, sizeof(unit.words), true);
	require_text(unit.log_driver, sizeof(unit.log_driver), true);
	return 0;
}
