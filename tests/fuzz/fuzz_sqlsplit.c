/* SPDX-License-Identifier: MIT */
/*
 * sqlsplit: any bytes, by the rules of all engines; pieces must lie in order inside the text and be
 * statements themselves. What they are and name must be read without looking outside of them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/db/sqlsplit.h"
#include "core/db/sqlstatement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* A DELIMITER line is not in the pieces, so they may mean something else without it. */
static bool depends_on_lines(const char *engine, struct sv text)
{
	if (strcmp(engine, "mariadb") != 0)
		return false;
	for (size_t i = 0; i + 9 <= text.n; i++)
		if (strncasecmp(text.p + i, "delimiter", 9) == 0)
			return true;
	return false;
}

/* A piece, split again, is itself: where a statement ends does not depend on what is around it. */
static void check_alone(const char *engine, struct sv piece)
{
	struct arena a;
	struct sql_list again;
	struct err e;

	arena_init(&a);
	require(sqlsplit(&a, engine, piece, &again, &e) == 0);
	require(again.n == 1 && sv_eq(again.item[0].text, piece) && again.item[0].line == 1);
	arena_clear(&a);
}

/* A copy of its own size, so that a read past the end is one past the allocation. */
static void check_facts(const char *engine, const struct sql_statement *s)
{
	struct sql_statement copy = *s;
	struct sql_facts f;
	struct arena a;
	char *text = malloc(s->text.n);

	require(text != NULL);
	memcpy(text, s->text.p, s->text.n);
	copy.text.p = text;
	arena_init(&a);
	sql_facts_read(&a, engine, &copy, &f);
	require(f.n_object <= SQL_OBJECTS_MAX);
	for (size_t i = 0; i < f.n_object; i++)
		require(strlen(f.object[i].name) <= s->text.n);
	arena_clear(&a);
	free(text);
}

static void check_list(const char *engine, struct sv text, const struct sql_list *list)
{
	bool alone = !depends_on_lines(engine, text);
	const char *at = text.p;
	int line = 1;

	for (size_t i = 0; i < list->n; i++) {
		const struct sql_statement *s = &list->item[i];

		require(s->text.n > 0 && s->text.p >= at && s->line >= line);
		require(s->text.p + s->text.n <= text.p + text.n);
		require(memchr(s->text.p, '\0', s->text.n) == NULL);
		at = s->text.p + s->text.n;
		line = s->line;
		/* At the start of a text these bytes are a byte order mark, elsewhere a name; two
		 * minus signs at its end are a comment, before a third they are not. */
		if (alone && i < 50 && !sv_starts(s->text, SV("\xEF\xBB\xBF")) &&
		    !sv_ends(s->text, SV("--")))
			check_alone(engine, s->text);
		if (i < 50)
			check_facts(engine, s);
	}
	require(!alone || sql_is_empty_for(engine, text) == (list->n == 0));
}

static void check_engine(const char *engine, struct sv text)
{
	struct arena a;
	struct sql_list list;
	struct err e;

	arena_init(&a);
	err_clear(&e);
	if (sqlsplit(&a, engine, text, &list, &e) == 0)
		check_list(engine, text, &list);
	else
		require((e.code == ERR_INPUT || e.code == ERR_LIMIT) &&
			strncmp(e.msg, "line ", 5) == 0);
	arena_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size);
	struct sv half = sv_n(text.p, size / 2);

	check_engine("sqlite", text);
	check_engine("postgresql", text);
	check_engine("mariadb", text);
	require(sql_same_but_comments(text, text));
	sql_same_but_comments(half, text);
	return 0;
}
