/* SPDX-License-Identifier: MIT */
/* control_parse: what comes in on a runner's socket is a known request with a reason where one is
 * needed, or an error. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/release/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request req;
	struct err e;

	err_clear(&e);
	if (control_parse(sv_n((const char *)data, size), &req, &e)) {
		if (e.code == ERR_OK || !e.msg[0])
			abort();
		return 0;
	}
	if (req.verb == CONTROL_NONE || control_verb_of(control_verb_name(req.verb)) != req.verb)
		abort();
	if (req.verb == CONTROL_SKIP && !req.reason[0])
		abort();
	return 0;
}
