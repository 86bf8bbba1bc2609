/* SPDX-License-Identifier: MIT */
/* Time, always in int64_t milliseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

int64_t clock_mono_ms(void); /* CLOCK_MONOTONIC: deadlines; stops while the machine sleeps */
int64_t clock_boot_ms(void); /* CLOCK_BOOTTIME: leases; goes on while the machine sleeps */
int64_t clock_mono_us(void); /* microseconds, for durations */
int64_t clock_utc_ms(void);  /* since 1970 */

/* "2026-11-21T14:07:32.123Z" / without milliseconds "2026-11-21T14:07:32Z". */
char *clock_iso_ms(int64_t utc_ms, char out[CLOCK_TEXT_SIZE]);
char *clock_iso(int64_t utc_ms, char out[CLOCK_TEXT_SIZE]);
/* Either form back to milliseconds; false when it is neither. */
bool clock_parse_iso(const char *text, int64_t *utc_ms);
/* "Fri 21 Nov 14:07" with day, "21 Nov 13:40"; "14:07:32". UTC. English names always. */
char *clock_title(int64_t utc_ms, bool seconds, char out[CLOCK_TEXT_SIZE]);
char *clock_short(int64_t utc_ms, char out[CLOCK_TEXT_SIZE]);
char *clock_hms(int64_t utc_ms, char out[CLOCK_TEXT_SIZE]);
/* A length of time in one or two units: "0.4s", "38.0s", "2m 05s", "3h 10m", "4 d". */
char *clock_span(int64_t ms, char out[CLOCK_TEXT_SIZE]);
/* "just now", "42s ago", "5m ago", "3h ago", "4 d ago". */
char *clock_ago(int64_t ms, char out[CLOCK_TEXT_SIZE]);
/* "30m", "24h", "7d", "5s", "500ms", "90" (seconds) to milliseconds; false for anything else. */
bool clock_parse_span(const char *text, int64_t *ms);
/* "15m" ago, "14:05" or "14:05:30" of the last 24 hours (UTC), "2026-11-21T14:05:00Z", as a time that is not after
 * now; false for anything else. */
bool clock_parse_past(const char *text, int64_t now_utc_ms, int64_t *utc_ms);

#endif
