/* SPDX-License-Identifier: MIT */
/* theme_parse: any bytes give a theme whose colours a terminal has, or mistakes with a text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tui/theme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct theme t = { .name = "untouched" };
	struct err e;

	if (theme_parse(sv_n((const char *)data, size), "x.theme", &t, &e) != 0) {
		if (e.code != ERR_CONFIG || e.detail[0] == '\0' || strcmp(t.name, "untouched") != 0)
			abort();
		return 0;
	}
	for (int i = 0; i < ROLES; i++) {
		const struct theme_role *r = &t.role[i];

		if (r->fg256 < -1 || r->fg256 > 255 || r->bg256 < -1 || r->bg256 > 255 ||
		    r->fg16 < -1 || r->fg16 > 15 || r->bg16 < -1 || r->bg16 > 15 || r->attr > 31 ||
		    r->attr_mono > 31)
			abort();
	}
	return 0;
}
