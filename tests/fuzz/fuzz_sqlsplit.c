/* SPDX-License-Identifier: MIT */
/* sqlsplit: any bytes; pieces must lie in order inside the text and be statements themselves. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/db/sqlsplit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* A piece, split again, is itself: where a statement ends does not depend on what is around it. */
static void check_alone(struct sv piece)
{
	struct arena a;
	struct sql_list again;
	struct err e;

	arena_init(&a);
	require(sqlsplit(&a, "sqlite", piece, &again, &e) == 0);
	require(again.n == 1 && sv_eq(again.item[0].text, piece) && again.item[0].line == 1);
	arena_clear(&a);
}

static void check_list(struct sv text, const struct sql_list *list)
{
	const char *at = text.p;
	int line = 1;

	for (size_t i = 0; i < list->n; i++) {
		const struct sql_statement *s = &list->item[i];

		require(s->text.n > 0 && s->text.p >= at && s->line >= line);
		require(s->text.p + s->text.n <= text.p + text.n);
		require(memchr(s->text.p, '\0', s->text.n) == NULL);
		at = s->text.p + s->text.n;
		line = s->line;
		/* At the start of a text these bytes are a byte order mark, elsewhere a name. */
		if (i < 50 && !sv_starts(s->text, SV("\xEF\xBB\xBF")))
			check_alone(s->text);
	}
	require(sql_is_empty(text) == (list->n == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size);
	struct sv half = sv_n(text.p, size / 2);
	struct arena a;
	struct sql_list list;
	struct err e;

	arena_init(&a);
	err_clear(&e);
	if (sqlsplit(&a, "sqlite", text, &list, &e) == 0)
		check_list(text, &list);
	else
		require(e.code == ERR_INPUT && strncmp(e.msg, "line ", 5) == 0);
	arena_clear(&a);
	require(sql_same_but_comments(text, text));
	sql_same_but_comments(half, text);
	return 0;
}
