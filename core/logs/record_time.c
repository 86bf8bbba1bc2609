/* SPDX-License-Identifier: MIT */
/*
 * Times as programs write them at the beginning of a line:
 *
 *	2026-11-21T14:05:50.123Z   2026-11-21 14:05:50,123   2026/11/21 14:05:50   2026-11-21T14:05:50+01:00
 *	21/Nov/2026:14:05:50 +0000   28 Nov 2026 10:51:26.123
 *	Nov 21 14:05:50   Sat Nov 21 14:05:50 2026   14:05:50.123   (no year or no date: known as a time, not which)
 *	1763733950.123   1763733950123
 *
 * Zones are Z, UTC, GMT and offsets; other names are taken for UTC, as no name at all is, since a table of zones
 * would be wrong for half of the names. Read with one pass over at most 40 bytes, without copying.
 */
#include "core/logs/record_inside.h"

#include <string.h>

#define NS_PER_S 1000000000LL

struct reader {
	const char *p, *end;
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly n digits. */
static bool take(struct reader *r, int n, int *out)
{
	int v = 0;

	if (r->end - r->p < n)
		return false;
	for (int i = 0; i < n; i++) {
		if (!digit(r->p[i]))
			return false;
		v = v * 10 + (r->p[i] - '0');
	}
	r->p += n;
	*out = v;
	return true;
}

static bool take_char(struct reader *r, char c)
{
	if (r->p >= r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool take_month(struct reader *r, int *month)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	if (r->end - r->p < 3 || r->p[0] < 'A' || r->p[0] > 'S')
		return false;
	for (int i = 0; i < 12; i++)
		if (memcmp(r->p, names + 3 * i, 3) == 0) {
			r->p += 3;
			*month = i + 1;
			return true;
		}
	return false;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400, yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

/* HH:MM:SS and a fraction; ns since midnight. */
static bool take_clock(struct reader *r, int64_t *ns)
{
	int h, m, s;

	if (!take(r, 2, &h) || !take_char(r, ':') || !take(r, 2, &m) || !take_char(r, ':') ||
	    !take(r, 2, &s) || h > 24 || m > 59 || s > 60)
		return false;
	*ns = ((int64_t)h * 3600 + m * 60 + s) * NS_PER_S;
	if (r->end - r->p >= 2 && (*r->p == '.' || *r->p == ',') && digit(r->p[1])) {
		int64_t unit = NS_PER_S / 10;

		for (r->p++; r->p < r->end && digit(*r->p); r->p++) {
			*ns += (*r->p - '0') * unit;
			unit /= 10;
		}
	}
	return true;
}

/* An offset or name behind a clock; what it adds to get to UTC. */
static int64_t take_zone(struct reader *r)
{
	struct reader was = *r;
	int h, m = 0, sign;

	if (take_char(r, 'Z'))
		return 0;
	take_char(r, ' ');
	if (r->end - r->p >= 3 && (memcmp(r->p, "UTC", 3) == 0 || memcmp(r->p, "GMT", 3) == 0)) {
		r->p += 3;
		return 0;
	}
	sign = take_char(r, '+') ? -1 : take_char(r, '-') ? 1 : 0;
	if (sign != 0 && take(r, 2, &h) && h <= 15) {
		struct reader colon = *r;

		if (!(take_char(&colon, ':'), take(&colon, 2, &m)))
			m = 0;
		else
			*r = colon;
		if (r->p == r->end || !digit(*r->p))
			return sign * ((int64_t)h * 3600 + m * 60) * NS_PER_S;
	}
	*r = was;
	return 0;
}

static bool plausible(int year, int month, int day)
{
	return year >= 1970 && year < 2200 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool iso(struct reader *r, int64_t *utc_ns)
{
	int year, month, day;
	int64_t ns;
	char sep;

	if (!take(r, 4, &year) || r->p == r->end)
		return false;
	sep = *r->p;
	if ((sep != '-' && sep != '/') || (r->p++, !take(r, 2, &month)) || !take_char(r, sep) ||
	    !take(r, 2, &day) || !plausible(year, month, day))
		return false;
	if (!take_char(r, 'T') && !take_char(r, ' ') && !take_char(r, '_'))
		return false;
	if (!take_clock(r, &ns))
		return false;
	*utc_ns = days_of(year, month, day) * 86400 * NS_PER_S + ns + take_zone(r);
	return true;
}

/* 21/Nov/2026:14:05:50 +0000 and 21 Nov 2026 14:05:50 */
static bool day_first(struct reader *r, int64_t *utc_ns)
{
	int year, month, day;
	int64_t ns;
	char sep;

	if (!take(r, 2, &day) || r->p == r->end)
		return false;
	sep = *r->p;
	if ((sep != '/' && sep != ' ' && sep != '-') || (r->p++, !take_month(r, &month)) ||
	    !take_char(r, sep) || !take(r, 4, &year) || !plausible(year, month, day))
		return false;
	if (!take_char(r, ':') && !take_char(r, ' '))
		return false;
	if (!take_clock(r, &ns))
		return false;
	*utc_ns = days_of(year, month, day) * 86400 * NS_PER_S + ns + take_zone(r);
	return true;
}

/* [Sat ]Nov 21 14:05:50[.123456][ 2026] */
static bool month_first(struct reader *r, int64_t *utc_ns)
{
	static const char days[] = "MonTueWedThuFriSatSun";
	int month, day, year;
	int64_t ns;

	for (int i = 0; i < 7; i++)
		if (r->end - r->p > 4 && memcmp(r->p, days + 3 * i, 3) == 0 && r->p[3] == ' ') {
			r->p += 4;
			break;
		}
	if (!take_month(r, &month) || !take_char(r, ' '))
		return false;
	if (take_char(r, ' ') ? !take(r, 1, &day) : !take(r, 2, &day))
		return false;
	if (!take_char(r, ' ') || !take_clock(r, &ns))
		return false;
	if (r->end - r->p >= 5 && *r->p == ' ') {
		struct reader at = { r->p + 1, r->end };

		if (take(&at, 4, &year) && plausible(year, month, day) &&
		    (at.p == at.end || !digit(*at.p))) {
			r->p = at.p;
			*utc_ns = days_of(year, month, day) * 86400 * NS_PER_S + ns;
		}
	}
	return true;
}

int64_t record_epoch(struct sv s)
{
	uint64_t whole = 0, part = 0, unit = (uint64_t)NS_PER_S;
	size_t i = 0;

	for (; i < s.n && digit(s.p[i]); i++)
		whole = i < 19 ? whole * 10 + (uint64_t)(s.p[i] - '0') : whole;
	if (i < 10 || i > 19)
		return 0;
	if (i == 10) {
		if (i < s.n && s.p[i] == '.')
			for (i++; i < s.n && digit(s.p[i]) && unit > 1; i++) {
				unit /= 10;
				part += (uint64_t)(s.p[i] - '0') * unit;
			}
		return (int64_t)(whole * (uint64_t)NS_PER_S + part);
	}
	if (i == 13)
		return (int64_t)(whole * 1000000);
	if (i == 16)
		return (int64_t)(whole * 1000);
	return i == 19 && whole <= (uint64_t)INT64_MAX ? (int64_t)whole : 0;
}

/* A line that begins with seconds or milliseconds since 1970, of this quarter of a century or the next. */
static bool epoch_first(struct reader *r, int64_t *utc_ns)
{
	size_t n = 0, room = (size_t)(r->end - r->p);
	int64_t ns;

	while (n < room && n < 32 && (digit(r->p[n]) || r->p[n] == '.'))
		n++;
	if ((n < room && r->p[n] != ' ' && r->p[n] != '\t' && r->p[n] != ']') || r->p[0] != '1')
		return false;
	ns = record_epoch(sv_n(r->p, n));
	if (ns < 1000000000 * NS_PER_S || ns >= 2000000000 * NS_PER_S)
		return false;
	r->p += n;
	*utc_ns = ns;
	return true;
}

size_t record_time(struct sv s, int64_t *utc_ns)
{
	struct reader r;
	int64_t ns = 0, of_day;
	bool found = false;

	*utc_ns = 0;
	if (s.n < 8)
		return 0;
	r = (struct reader){ s.p, s.p + s.n };
	if (digit(s.p[0])) {
		if (s.p[2] == ':')
			found = take_clock(&r, &of_day);
		else if (s.p[4] == '-' || s.p[4] == '/')
			found = iso(&r, &ns);
		else if (digit(s.p[2]))
			found = s.n >= 10 && epoch_first(&r, &ns);
		else
			found = day_first(&r, &ns);
	} else if (s.p[0] >= 'A' && s.p[0] <= 'W' && s.n >= 15 && s.p[3] == ' ') {
		found = month_first(&r, &ns);
	}
	if (!found || (r.p < r.end && (digit(*r.p) || (*r.p >= 'a' && *r.p <= 'z'))))
		return 0;
	*utc_ns = ns;
	return (size_t)(r.p - s.p);
}
