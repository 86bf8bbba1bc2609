/* SPDX-License-Identifier: MIT */
/* Keys from curses. Made and used by screen.c only, after curses was started. */
#ifndef TUI_INPUT_H
#define TUI_INPUT_H

#include <stdint.h>

struct input;

/* Teaches curses the two sequences of a bracketed paste. */
struct input *input_open(void);
void input_close(struct input *in);
/* A code point or an enum key_code; KEYS_NONE when there is none now. */
int32_t input_key(struct input *in);

#endif
