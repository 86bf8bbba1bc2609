/* SPDX-License-Identifier: MIT */
/*
 * How many lines a second a source writes, by the times that its lines have and not by when they were read: what is
 * read in of the past, or all at once behind a lost connection, was not written now.
 *
 * A clock that is off is taken as it is: lines are counted by their distance from the newest one's time, going on as
 * time does. While this distance to our own clock shrinks, the source is still read in, and its rate is not known.
 */
#ifndef LOGS_RATE_H
#define LOGS_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_RATE_OVER_S 4
#define LOG_RATE_SECONDS 8

struct log_rate {
	bool any;
	int64_t second[LOG_RATE_SECONDS],
		lines[LOG_RATE_SECONDS]; /* the newest seconds that had lines */
	int64_t first_s, newest_s;
	int64_t lag_s;     /* of the newest line behind our clock, when it came */
	int64_t steady_ms; /* since when that is so, or it is listened to; monotonic; 0 never */
};

/* It is listened to from now on. */
void log_rate_begin(struct log_rate *r, int64_t mono_ms);
/* Lines that have this time came now. */
void log_rate_came(struct log_rate *r, int64_t second, int64_t lines, int64_t utc_ms,
		   int64_t mono_ms);
/* Lines a second over the last LOG_RATE_OVER_S; -1 while that is not known. */
double log_rate_now(const struct log_rate *r, int64_t utc_ms, int64_t mono_ms);

#endif
