/* SPDX-License-Identifier: MIT */
#include "core/base/words.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copies one word to out, quotes removed; *at goes behind it. False when a quote stays open. */
static bool take_word(const char **at, char *out)
{
	char quote = '\0';
	const char *p;

	for (p = *at; *p != '\0' && (quote != '\0' || !is_blank(*p)); p++) {
		if (quote != '\0' ? *p == quote : *p == '\'' || *p == '"')
			quote = quote != '\0' ? '\0' : *p;
		else
			*out++ = *p;
	}
	*out = '\0';
	*at = p;
	return quote == '\0';
}

int words_split(struct arena *a, const char *text, char ***argv, size_t *n, struct err *e)
{
	char **list = arena_alloc(a, (WORDS_MAX + 1) * sizeof(*list));
	/* Words together are never longer than the text, nor their ends more than its blanks. */
	char *room = arena_alloc(a, 2 * strlen(text) + 1);
	size_t count = 0;

	for (;;) {
		while (is_blank(*text))
			text++;
		if (*text == '\0')
			break;
		if (count == WORDS_MAX)
			return err_set(e, ERR_LIMIT, "a command has more than %d words", WORDS_MAX);
		list[count++] = room;
		if (!take_word(&text, room)) {
			err_set(e, ERR_INPUT, "a quote in a command is not closed");
			return err_hint(e, "write '…' or \"…\" around a word with blanks");
		}
		room += strlen(room) + 1;
	}
	if (count == 0)
		return err_set(e, ERR_INPUT, "a command has no words");
	*argv = list;
	*n = count;
	return 0;
}
