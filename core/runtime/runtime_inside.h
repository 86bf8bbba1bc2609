/* SPDX-License-Identifier: MIT */
/* Inside core/runtime: what its files share. Included by core/runtime only. */
#ifndef RUNTIME_RUNTIME_INSIDE_H
#define RUNTIME_RUNTIME_INSIDE_H

#include "core/runtime/runtime.h"

extern const struct runtime_ops runtime_docker_ops, runtime_podman_ops, runtime_systemd_ops,
	runtime_process_ops;

/* Reads an RFC 3339 time at the start of s, with any number of digits behind the second. Returns its length; 0
 * when there is none. The year 1 of Go's zero time gives *ns 0. */
size_t runtime_stamp(struct sv s, int64_t *ns);
/* The same as milliseconds; 0 for what is none. */
int64_t runtime_stamp_ms(const char *text);
/* Seconds since 1970 of a date and time of day in UTC; year 1970 to 9999. */
int64_t runtime_seconds(int year, int month, int day, int hour, int minute, int second);
/* s as one part of a URL's path: everything but letters, digits and -._~ as %XX; "." and ".." too. */
char *runtime_quote(struct arena *a, const char *s);
/* One line of s that can be shown, cut to size. */
void runtime_words(char *dst, size_t size, struct sv s);
/* The last line of s that is not blank. */
struct sv runtime_last_line(struct sv s);
/* A list of words up to a NULL, in a. */
const char *const *runtime_argv(struct arena *a, const char *const *word, size_t n);
/* Zeroes, or nothing. */
bool runtime_point_none(const struct runtime_log_point *p);

#endif
