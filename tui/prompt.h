/* SPDX-License-Identifier: MIT */
/* One line that is being typed: palette, find, filter, a reason, a typed confirmation, an answer to a host. */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine/event.h"

struct tui;
struct canvas;

enum prompt_kind {
	PROMPT_NONE,
	PROMPT_PALETTE,
	PROMPT_FIND,
	PROMPT_FILTER,
	PROMPT_CONFIRM,
	PROMPT_ASK,
	PROMPT_SEARCH, /* find or filter of a view's own */
	PROMPT_ANSWER, /* to the question of a host */
	PROMPT_YES
};

struct prompt {
	enum prompt_kind kind;
	char text[256];
	size_t len;
	bool pasting;       /* between paste-begin and paste-end */
	bool paste_dropped; /* a paste came into a confirmation and was dropped: said on screen */
	char expect[64];    /* PROMPT_CONFIRM: what must be typed */
	char title[160];
	char history[16][256];
	int n_history, at_history;
	/* What Enter does; NULL for the built-in kinds. */
	void (*done)(struct tui *t, const char *text);
	void (*answered)(struct tui *t, const struct host_question *q, const char *text);
	/* PROMPT_SEARCH: each change of the text, and Esc. */
	void (*typed)(struct tui *t, const char *text);
	void (*left)(struct tui *t);
	const char *help;              /* PROMPT_SEARCH */
	struct host_question question; /* PROMPT_ANSWER */
};

/* Palette, find or filter. */
void prompt_open(struct tui *t, enum prompt_kind kind);
/* The typed confirmation of the shown plan (SCREENS 6.6): Enter does nothing until the name matches, Esc leaves, a
 * bracketed paste is dropped. */
void prompt_confirm(struct tui *t, const char *name, void (*done)(struct tui *t, const char *text));
/* A text to ask for; done is called only with one that is not empty. */
void prompt_ask(struct tui *t, const char *title, void (*done)(struct tui *t, const char *text));
/* Find or filter of a view: typed is called while it is typed, done with what it is (it may be empty), left when Esc
 * leaves it. lead and help stand before and below it; help is constant. */
void prompt_search(struct tui *t, const char *lead, const char *help,
		   void (*typed)(struct tui *t, const char *text),
		   void (*done)(struct tui *t, const char *text), void (*left)(struct tui *t));
/* What a host asks, in a box. What is typed is hidden unless the question says otherwise, and wiped. The characters of a
 * key must be typed: a paste is dropped. Esc leaves it; it can be asked again. */
void prompt_answer(struct tui *t, const struct host_question *q,
		   void (*answered)(struct tui *t, const struct host_question *q,
				    const char *text));
/* A question: y does it (done gets "y"), every other key does not. Enter is no answer. */
void prompt_yes(struct tui *t, const char *question, void (*done)(struct tui *t, const char *text));
/* One key for the open prompt; also paste-begin and paste-end while none is open: keys of a paste never run actions. */
void prompt_key(struct tui *t, int32_t key);
/* Over the bottom rows, or as a box for the typed confirmation. */
void prompt_draw(const struct tui *t, struct canvas *c);

#endif
