/* SPDX-License-Identifier: MIT */
/* plan_thaw: any bytes give a plan or an error, and a plan that came out freezes to what thaws to the
 * same again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/release/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Freezes p into out. */
static void freeze(const struct plan *p, struct strbuf *out)
{
	json_t *j = plan_freeze(p);

	json_write(out, j);
	json_decref(j);
}

static struct plan *thaw(struct sv text, struct err *e)
{
	json_t *j = json_parse(text, "a plan", e);
	struct plan *p = NULL;

	if (j && plan_thaw(j, &p, e))
		p = NULL;
	json_decref(j);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf once, twice;
	struct plan *p, *again;
	struct err e;

	strbuf_init(&once, STRBUF_NO_LIMIT);
	strbuf_init(&twice, STRBUF_NO_LIMIT);
	p = thaw(sv_n((const char *)data, size), &e);
	if (p) {
		freeze(p, &once);
		again = thaw(strbuf_sv(&once), &e);
		if (!again)
			abort();
		freeze(again, &twice);
		if (strcmp(strbuf_str(&once), strbuf_str(&twice)) != 0)
			abort();
		plan_free(again);
	}
	plan_free(p);
	strbuf_clear(&once);
	strbuf_clear(&twice);
	return 0;
}
