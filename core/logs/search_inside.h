/* SPDX-License-Identifier: MIT */
/* Patterns for queries, which may have to stop and need not look everywhere. */
#ifndef LOGS_SEARCH_INSIDE_H
#define LOGS_SEARCH_INSIDE_H

#include <stdatomic.h>

#include "core/logs/search.h"

/* The same, and false as soon as *stop (may be NULL) was seen set. */
bool log_pattern_lines_until(const struct log_pattern *p, struct sv text, const atomic_bool *stop,
			     void (*hit)(void *arg, size_t line_at), void *arg);
/* False: no line of the text has a match of which bit is the filter (literal.h). */
bool log_pattern_may_hit(const struct log_pattern *p, const uint64_t *bit, size_t bits);
/* The pattern as it was given. */
const char *log_pattern_text(const struct log_pattern *p);

#endif
