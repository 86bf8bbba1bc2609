/* SPDX-License-Identifier: MIT */
/* sqitch_plan_parse: any bytes; names are parts of the text and lead to no other folder. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/migrate/source_sqitch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size);
	struct sqitch_plan p;
	struct arena a;
	struct err e;

	arena_init(&a);
	if (sqitch_plan_parse(&a, text, &p, &e) != 0) {
		require(e.code == ERR_INPUT && e.msg[0] != '\0' && e.hint[0] != '\0');
	} else {
		for (size_t i = 0; i < p.n; i++) {
			const struct sqitch_change *c = &p.change[i];

			require(c->name.n > 0 && c->name.p[0] != '/' && c->name.p[0] != '.');
			require(c->name.p >= text.p && c->name.p + c->name.n <= text.p + size);
			require(c->reworked_by == 0 ||
				(c->reworked_by > i && c->reworked_by < p.n));
			for (size_t k = 1; k < c->name.n; k++)
				require(c->name.p[k - 1] != '/' || c->name.p[k] != '.');
		}
		for (size_t i = 0; i < p.n_tag; i++)
			require(p.tag_at[i] > 0 && p.tag_at[i] <= p.n);
	}
	arena_clear(&a);
	return 0;
}
