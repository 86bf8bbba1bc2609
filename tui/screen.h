/* SPDX-License-Identifier: MIT */
/* The terminal: curses, restored on every way out. The only place besides input.c and theme colours that includes it. */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

#include "core/base/err.h"
#include "tui/canvas.h"
#include "tui/theme.h"

struct screen;

/* Takes the terminal over: alternate screen, raw keys, bracketed paste, handlers that restore it on fatal signals, HUP, TERM
 * and exit. ERR_USAGE when stdin or stdout is no terminal. colors: 256, 16 or 0 after what the terminal can. */
int screen_open(bool no_color, struct screen **out, struct err *e) MUST_CHECK;
void screen_close(struct screen *s);
void screen_theme(struct screen *s, const struct theme *t);
void screen_size(const struct screen *s, int *rows, int *cols);
/* Draws c, whose size is screen_size(). */
void screen_draw(struct screen *s, const struct canvas *c); /* only what changed is sent */
void screen_redraw(struct screen *s);                       /* next draw paints everything */
void screen_suspend(struct screen *s);                      /* until continued */
void screen_title(struct screen *s, const char *text);      /* terminal title, cleaned */
/* Text to the clipboard of the terminal (OSC 52), at most CLIPBOARD_MAX bytes of it. Terminals may refuse; none answers. */
void screen_copy(struct screen *s, const char *text);
bool screen_utf8(const struct screen *s);
/* Next key (input.c), KEYS_NONE when there is none now. Never blocks. */
int32_t screen_key(struct screen *s);
/* Poll both for POLLIN: the terminal, and what signals (window size, stop) left to be taken by screen_key. */
int screen_fd(const struct screen *s);
int screen_signal_fd(const struct screen *s);

#endif
