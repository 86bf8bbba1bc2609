/* SPDX-License-Identifier: MIT */
/* What stands around every view: title, tabs, rule; breadcrumb, news, keys. */
#ifndef TUI_CHROME_H
#define TUI_CHROME_H

#include "tui/tui.h"

/* The part of the canvas that is the view's. */
struct rect chrome_view_rect(const struct canvas *c);
/* Title, tabs and the rule below them. */
void chrome_draw_top(const struct tui *t, struct canvas *c);
/* The bottom three rows; w is what the view said of itself. */
void chrome_draw_bottom(const struct tui *t, struct canvas *c, const struct view_words *w);
/* Too small for anything else: what is needed and what there is. Works down to 1x1. */
void chrome_draw_small(struct canvas *c);
/* "bascule shop", or "ARMED production" while one is, for the terminal's own title. */
void chrome_terminal_title(const struct tui *t, struct strbuf *out);

#endif
