/* SPDX-License-Identifier: MIT */
#include "core/logs/rate.h"

/* A time that is so much earlier than the newest is of another clock. */
#define JUMP_S 60

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

void log_rate_begin(struct log_rate *r, int64_t mono_ms)
{
	if (!r->any)
		r->steady_ms = mono_ms;
}

static void begin_at(struct log_rate *r, int64_t second, int64_t lag_s, int64_t mono_ms)
{
	*r = (struct log_rate){ .any = true,
				.first_s = second,
				.newest_s = second,
				.lag_s = lag_s,
				.steady_ms = mono_ms };
}

void log_rate_came(struct log_rate *r, int64_t second, int64_t lines, int64_t utc_ms,
		   int64_t mono_ms)
{
	int64_t lag_s = utc_ms / 1000 - second;
	uint64_t slot = (uint64_t)second % LOG_RATE_SECONDS;

	if (!r->any || second < r->newest_s - JUMP_S)
		begin_at(r, second, lag_s, mono_ms);
	if (second > r->newest_s) {
		r->newest_s = second;
		/* By one it may differ for where in a second they lie. */
		if (distance(lag_s, r->lag_s) > 1) {
			r->lag_s = lag_s;
			r->steady_ms = mono_ms;
		}
	}
	if (second <= r->newest_s - LOG_RATE_SECONDS)
		return;
	if (r->second[slot] != second)
		r->lines[slot] = 0;
	r->second[slot] = second;
	r->lines[slot] += lines;
}

double log_rate_now(const struct log_rate *r, int64_t utc_ms, int64_t mono_ms)
{
	bool steady = r->steady_ms != 0 && mono_ms - r->steady_ms >= LOG_RATE_OVER_S * 1000;
	int64_t lines = 0, from, span_ms;

	if (!r->any)
		return steady ? 0 : -1;
	if (distance(r->lag_s, 0) >= LOG_RATE_OVER_S && !steady)
		return -1;
	if (distance(r->lag_s, 0) > 1)
		utc_ms -= r->lag_s * 1000;
	from = utc_ms / 1000 - LOG_RATE_OVER_S;
	if (from < r->first_s)
		from = r->first_s;
	span_ms = utc_ms - from * 1000;
	if (span_ms < 1000)
		return -1;
	for (int i = 0; i < LOG_RATE_SECONDS; i++)
		if (r->second[i] >= from && r->second[i] <= utc_ms / 1000)
			lines += r->lines[i];
	return (double)lines * 1000 / (double)span_ms;
}
