/* SPDX-License-Identifier: MIT */
/* Patterns: PCRE2 with JIT over lines of bytes. A pattern is read-only once made; any thread. */
#ifndef LOGS_SEARCH_H
#define LOGS_SEARCH_H

#include "core/base/str.h"

struct log_pattern;
/* A regular expression. Case is ignored when it has no upper case letter ("smart case"). ERR_INPUT names the
 * place of the mistake. Backtracking is bounded: a line on which the limit is met does not match. */
int log_pattern_new(const char *text, struct log_pattern **out, struct err *e) MUST_CHECK;
void log_pattern_free(struct log_pattern *p); /* NULL is fine */
/* Whether it is found in line; *from and *to (may be NULL) of the first match. */
bool log_pattern_match(const struct log_pattern *p, struct sv line, size_t *from, size_t *to);
/* Over many lines at once, separated by newlines (none within a line): calls hit with the offset of each line
 * that matches, in order. Much faster than line by line. */
void log_pattern_lines(const struct log_pattern *p, struct sv text,
		       void (*hit)(void *arg, size_t line_at), void *arg);

#endif
