/* SPDX-License-Identifier: MIT */
/* py_scan: any bytes, in each of its three ways; values are whole and no deeper than allowed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/migrate/pyscan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_value(const struct py_value *v, int depth)
{
	require(depth < 64);
	if (v->kind == PY_STRING)
		require(v->text.p != NULL && v->text.p[v->text.n] == '\0');
	for (size_t i = 0; i < v->n; i++)
		check_value(&v->item[i], depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const class_names[] = { NULL, "Migration", "*" };
	struct sv text = sv_n((const char *)data, size);

	for (size_t k = 0; k < 3; k++) {
		struct py_module m;
		struct arena a;
		struct err e;

		arena_init(&a);
		if (py_scan(&a, text, class_names[k], &m, &e) != 0)
			require(e.code == ERR_INPUT && e.msg[0] != '\0' && e.hint[0] != '\0');
		else
			for (size_t i = 0; i < m.n; i++) {
				require(m.list[i].name.n > 0);
				check_value(&m.list[i].value, 0);
			}
		arena_clear(&a);
	}
	return 0;
}
