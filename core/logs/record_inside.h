/* SPDX-License-Identifier: MIT */
/* What the files of core/logs/record*.c share. */
#ifndef LOGS_RECORD_INSIDE_H
#define LOGS_RECORD_INSIDE_H

#include "core/logs/record.h"

/* The time at the very beginning of s, in any of the forms that record_time.c lists. How many bytes it takes, 0
 * when none stands there; *utc_ns is 0 when it has no date or no year. */
size_t record_time(struct sv s, int64_t *utc_ns);
/* Seconds, milli-, micro- or nanoseconds since 1970, told apart by their size, as nanoseconds. 0: none of them. */
int64_t record_epoch(struct sv number);

/* One pair of a JSON object's top level or of a logfmt line, as it stands there: a quoted value without its quotes,
 * escapes not taken out. */
struct record_pair {
	struct sv name, value;
	bool quoted; /* the value is a string */
	bool nested; /* the value is an object or an array */
};
/* The next pair from *at on (0 for the first). False at the end, or where it makes no sense any more. */
bool record_json_pair(struct sv line, size_t *at, struct record_pair *out);
bool record_logfmt_pair(struct sv line, size_t *at, struct record_pair *out);

enum record_meaning {
	RECORD_OTHER,
	RECORD_LEVEL,
	RECORD_SYSLOG_LEVEL,
	RECORD_TIME,
	RECORD_MESSAGE
};
/* What a field of that name says. */
enum record_meaning record_meaning(struct sv name);

#endif
