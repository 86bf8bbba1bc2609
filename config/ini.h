/* SPDX-License-Identifier: MIT */
/* INI text to (section, key, value, line) calls: inih behind a line reader of ours. */
#ifndef CONFIG_INI_H
#define CONFIG_INI_H

#include "core/base/err.h"
#include "core/base/str.h"

#define INI_NAME_MAX 48 /* bytes of a key: inih cuts what is longer than 49 */
#define INI_SECTION_MAX 100

enum ini_event { INI_SECTION, INI_PAIR, INI_MISTAKE };

struct ini_item {
	enum ini_event event;
	int line;
	const char *section; /* whole text between the brackets; "" before the first */
	const char *key;     /* INI_PAIR */
	const char *value;   /* INI_PAIR: inline comment removed; INI_MISTAKE: what is wrong */
	const char *hint;    /* INI_MISTAKE: what would be accepted */
};

/* Calls fn for everything in text, in order. Over-long lines, wrong indentation, a control character,
 * invalid UTF-8 and what is neither a section, a pair nor a comment are INI_MISTAKE items; reading
 * goes on. Lines are at most line_max bytes. Strings are valid during the call only. Used for
 * bascule.ini, keys.ini and themes. (Not named ini_parse: that is inih's.) */
void ini_scan(struct sv text, size_t line_max, void (*fn)(void *arg, const struct ini_item *item),
	      void *arg);

/* What is wrong in a file of which nothing is taken then: a line each. Of keys.ini and themes; bascule.ini has config.c. */
struct ini_mistakes {
	struct strbuf text;
	size_t n;
};

void ini_mistakes_begin(struct ini_mistakes *m);
void ini_mistake(struct ini_mistakes *m, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* 0, or -1 with e = "N mistakes in FILE" and all that fit in its detail. file: "theme dark.ini". */
int ini_mistakes_end(struct ini_mistakes *m, const char *file, struct err *e) MUST_CHECK;

#endif
