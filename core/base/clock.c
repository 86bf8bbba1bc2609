/* SPDX-License-Identifier: MIT */
/*
 * Clocks, and time as text.
 *
 * All text is UTC with English names: what one operator reads out to another must be the same words
 * on both screens, and setlocale() must not change a file name or a golden test. So no strftime.
 *
 * Three clocks, because each lies in one way: CLOCK_REALTIME jumps, CLOCK_MONOTONIC stands still
 * while a laptop sleeps (a deadline should), CLOCK_BOOTTIME does not (a lease must run out).
 */
#include "core/base/clock.h"

#include "core/base/str.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

/* The years 1 to 9999: what four digits can say. Times outside come from damaged files only. */
#define UTC_MIN_MS INT64_C(-62135596800000)
#define UTC_MAX_MS INT64_C(253402300799999)

static const char *const day_names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const month_names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static int64_t clock_us(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts); /* cannot fail for the clocks used here */
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_boot_ms(void)
{
	return clock_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_utc_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

/* Calendar fields, in types that show the compiler how many digits each can have. */
struct utc {
	short year;
	unsigned char month; /* 1..12 */
	unsigned char day, weekday, hour, minute, second;
	short ms;
};

static struct utc utc_of(int64_t utc_ms)
{
	struct tm tm = { 0 };
	int64_t ms;
	time_t s;

	if (utc_ms < UTC_MIN_MS)
		utc_ms = UTC_MIN_MS;
	if (utc_ms > UTC_MAX_MS)
		utc_ms = UTC_MAX_MS;
	ms = utc_ms % 1000;
	if (ms < 0)
		ms += 1000;
	s = (time_t)((utc_ms - ms) / 1000);
	gmtime_r(&s, &tm);
	return (struct utc){
		.year = (short)(tm.tm_year + 1900),
		.month = (unsigned char)(tm.tm_mon + 1),
		.day = (unsigned char)tm.tm_mday,
		.weekday = (unsigned char)tm.tm_wday,
		.hour = (unsigned char)tm.tm_hour,
		.minute = (unsigned char)tm.tm_min,
		.second = (unsigned char)tm.tm_sec,
		.ms = (short)ms,
	};
}

char *clock_iso(int64_t utc_ms, char out[CLOCK_TEXT_SIZE])
{
	struct utc t = utc_of(utc_ms);

	snprintf(out, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", t.year, t.month, t.day,
		 t.hour, t.minute, t.second);
	return out;
}

char *clock_iso_ms(int64_t utc_ms, char out[CLOCK_TEXT_SIZE])
{
	size_t end = sizeof("2026-11-21T14:07:32") - 1;

	clock_iso(utc_ms, out);
	snprintf(out + end, CLOCK_TEXT_SIZE - end, ".%03dZ", utc_of(utc_ms).ms);
	return out;
}

/* The form of an ISO time: '0' stands for a digit. */
static bool matches_form(const char *text, const char *form)
{
	for (; *form; form++, text++) {
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	}
	return *text == '\0';
}

static int digits_at(const char *text, size_t at, size_t n)
{
	int value = 0;

	for (size_t i = at; i < at + n; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

bool clock_parse_iso(const char *text, int64_t *utc_ms)
{
	bool with_ms = matches_form(text, "0000-00-00T00:00:00.000Z");
	struct tm tm = { 0 }, again;
	time_t s;

	if (!with_ms && !matches_form(text, "0000-00-00T00:00:00Z"))
		return false;
	tm.tm_year = digits_at(text, 0, 4) - 1900;
	tm.tm_mon = digits_at(text, 5, 2) - 1;
	tm.tm_mday = digits_at(text, 8, 2);
	tm.tm_hour = digits_at(text, 11, 2);
	tm.tm_min = digits_at(text, 14, 2);
	tm.tm_sec = digits_at(text, 17, 2);
	if (tm.tm_year < 1 - 1900)
		return false;
	again = tm;
	s = timegm(&again);
	/* timegm moves 31 February to March: what it changed was no date. */
	if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
	    again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
		return false;
	*utc_ms = (int64_t)s * 1000 + (with_ms ? digits_at(text, 20, 3) : 0);
	return true;
}

char *clock_title(int64_t utc_ms, bool seconds, char out[CLOCK_TEXT_SIZE])
{
	struct utc t = utc_of(utc_ms);
	int n = snprintf(out, CLOCK_TEXT_SIZE, "%s %d %s %02d:%02d", day_names[t.weekday], t.day,
			 month_names[t.month - 1], t.hour, t.minute);

	if (seconds)
		snprintf(out + n, CLOCK_TEXT_SIZE - (size_t)n, ":%02d", t.second);
	return out;
}

char *clock_short(int64_t utc_ms, char out[CLOCK_TEXT_SIZE])
{
	struct utc t = utc_of(utc_ms);

	snprintf(out, CLOCK_TEXT_SIZE, "%d %s %02d:%02d", t.day, month_names[t.month - 1], t.hour,
		 t.minute);
	return out;
}

char *clock_hms(int64_t utc_ms, char out[CLOCK_TEXT_SIZE])
{
	struct utc t = utc_of(utc_ms);

	snprintf(out, CLOCK_TEXT_SIZE, "%02d:%02d:%02d", t.hour, t.minute, t.second);
	return out;
}

char *clock_span(int64_t ms, char out[CLOCK_TEXT_SIZE])
{
	if (ms < 0)
		ms = 0; /* a clock that was set back: no time passed that we know of */
	/* Cut, not rounded: 59.96 s must not read "60.0s". */
	if (ms < MINUTE_MS)
		snprintf(out, CLOCK_TEXT_SIZE, "%d.%ds", (int)(ms / 1000), (int)(ms % 1000 / 100));
	else if (ms < HOUR_MS)
		snprintf(out, CLOCK_TEXT_SIZE, "%dm %02ds", (int)(ms / MINUTE_MS),
			 (int)(ms % MINUTE_MS / 1000));
	else if (ms < 2 * DAY_MS)
		snprintf(out, CLOCK_TEXT_SIZE, "%dh %02dm", (int)(ms / HOUR_MS),
			 (int)(ms % HOUR_MS / MINUTE_MS));
	else
		snprintf(out, CLOCK_TEXT_SIZE, "%lld d", (long long)(ms / DAY_MS));
	return out;
}

char *clock_ago(int64_t ms, char out[CLOCK_TEXT_SIZE])
{
	if (ms < 2000)
		str_copy(out, CLOCK_TEXT_SIZE, "just now");
	else if (ms < MINUTE_MS)
		snprintf(out, CLOCK_TEXT_SIZE, "%ds ago", (int)(ms / 1000));
	else if (ms < HOUR_MS)
		snprintf(out, CLOCK_TEXT_SIZE, "%dm ago", (int)(ms / MINUTE_MS));
	else if (ms < 2 * DAY_MS)
		snprintf(out, CLOCK_TEXT_SIZE, "%dh ago", (int)(ms / HOUR_MS));
	else
		snprintf(out, CLOCK_TEXT_SIZE, "%lld d ago", (long long)(ms / DAY_MS));
	return out;
}

bool clock_parse_span(const char *text, int64_t *ms)
{
	static const struct {
		const char *suffix;
		int64_t ms;
	} units[] = {
		{ "ms", 1 },      { "s", 1000 },   { "m", MINUTE_MS },
		{ "h", HOUR_MS }, { "d", DAY_MS }, { "", 1000 },
	};
	size_t digits = strspn(text, "0123456789");
	int64_t value;

	if (!sv_int(sv_n(text, digits), 0, INT64_MAX, &value))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].suffix) == 0)
			return !__builtin_mul_overflow(value, units[i].ms, ms);
	}
	return false;
}

static bool parse_time_of_day(const char *text, int64_t now_utc_ms, int64_t *utc_ms)
{
	struct sv rest = sv_of(text), piece;
	int64_t part[3] = { 0 };
	static const int64_t max[3] = { 23, 59, 59 };
	size_t n = 0;

	while (n < 3 && sv_cut(&rest, ':', &piece))
		if (!sv_int(piece, 0, max[n], &part[n]))
			return false;
		else
			n++;
	if (n < 2 || rest.n > 0)
		return false;
	*utc_ms = now_utc_ms - now_utc_ms % DAY_MS + part[0] * HOUR_MS + part[1] * MINUTE_MS +
		  part[2] * 1000;
	if (*utc_ms > now_utc_ms)
		*utc_ms -= DAY_MS;
	return true;
}

bool clock_parse_past(const char *text, int64_t now_utc_ms, int64_t *utc_ms)
{
	int64_t span, at;

	if (clock_parse_span(text, &span))
		at = now_utc_ms - span;
	else if (!parse_time_of_day(text, now_utc_ms, &at) && !clock_parse_iso(text, &at))
		return false;
	if (at <= 0 || at > now_utc_ms)
		return false;
	*utc_ms = at;
	return true;
}
