/* SPDX-License-Identifier: MIT */
/* Questions on the terminal. It is asked by its own name: stdin may be a pipe. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>

#include "core/base/str.h"

/* Whether there is somebody to ask: a terminal of this process, that one of its streams is on. */
bool ask_possible(void);
/* Prints question and appends the line that is typed to answer, at most answer->max bytes. Without echo nothing
 * of it is shown, and keys that would end or stop the program are bytes meanwhile, so that none of them leaves a
 * terminal without echo behind. ERR_CONFIG: there is no terminal. ERR_CANCELLED: nothing was typed, or a signal
 * came. ERR_TIMEOUT: nobody is there. */
int ask_line(const char *question, bool echo, struct strbuf *answer, struct err *e) MUST_CHECK;
/* Text of ours for who is asked; nothing without a terminal. */
void ask_say(const char *text);

#endif
