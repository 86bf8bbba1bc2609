/* SPDX-License-Identifier: MIT */
/*
 * The program's own log file: one line per entry, foreign bytes cleaned, secrets taken out, never to a terminal.
 * The handle is the one static the conventions allow. Any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "core/base/err.h"

int log_open(const char *path, struct err *e) MUST_CHECK; /* appends, 0600 */
void log_close(void);
void log_line(const char *fmt, ...) PRINTF_LIKE(1, 2); /* nothing while closed */
void log_err(const struct err *e);

#endif
