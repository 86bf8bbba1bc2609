/* SPDX-License-Identifier: MIT */
/* The command line inside the console: what can be typed after `:`, and what it does. */
#ifndef TUI_PALETTE_H
#define TUI_PALETTE_H

#include "core/base/err.h"
#include "tui/tui.h"

#define PALETTE_SHOWN 8 /* completions worth showing at once */
#define PALETTE_WORD_SIZE 96

/* What the last word of the typed text may become. */
struct palette_list {
	char word[PALETTE_SHOWN][PALETTE_WORD_SIZE];
	const char *help[PALETTE_SHOWN]; /* "" when there is none to give */
	size_t n;
	size_t total;                   /* matches in all */
	char common[PALETTE_WORD_SIZE]; /* what all of them begin with */
};

/* Completions of text: action names (those that mean something in the shown view first), then by the action's argument
 * environments, themes, migrations, columns; also run numbers and migration ids as a first word. */
void palette_complete(const struct tui *t, const char *text, struct palette_list *out);
/* Makes the last word of text (of size bytes) as long as all its completions agree; the only completion gets
 * a blank behind it when an argument may follow. False when nothing could be added. */
bool palette_extend(const struct tui *t, char *text, size_t size);
/* Runs what was typed: an action by its name, its unique beginning (only of actions that have a key), or `quit`
 * as q; a run's number (watches it); a migration's id (finds it). ERR_USAGE with the nearest name. */
int palette_run(struct tui *t, const char *text, struct err *e) MUST_CHECK;

#endif
