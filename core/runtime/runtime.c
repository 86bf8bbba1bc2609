/* SPDX-License-Identifier: MIT */
/*
 * The table of runtimes, and what they share: times as Go prints them, names as parts of a path, words that can be
 * shown.
 *
 * A runtime is pure on purpose: it says what to ask and what an answer means, and has no way to ask. So every version
 * and every oddity is a row of a table in tests/unit/test_runtime.c, and who asks (core/release/service_ask.c,
 * core/logs/follow.c) does so in one way for all of them. A new runtime is one file and one row here. Log streams
 * are in runtime_log.c.
 */
#include "core/runtime/runtime.h"

#include <string.h>

#include "core/base/utf8.h"
#include "core/runtime/runtime_inside.h"

static const struct runtime_ops *const runtimes[RUNTIMES] = {
	[RUNTIME_DOCKER] = &runtime_docker_ops,
	[RUNTIME_PODMAN] = &runtime_podman_ops,
	[RUNTIME_SYSTEMD] = &runtime_systemd_ops,
	[RUNTIME_PROCESS] = &runtime_process_ops,
};

static const char *const state_names[UNIT_STATES] = {
	[UNIT_UNKNOWN] = "unknown", [UNIT_ABSENT] = "absent",         [UNIT_CREATED] = "created",
	[UNIT_RUNNING] = "running", [UNIT_RESTARTING] = "restarting", [UNIT_PAUSED] = "paused",
	[UNIT_STOPPED] = "stopped", [UNIT_FAILED] = "failed",
};

static const char *const health_names[] = {
	[HEALTH_NONE] = "none",
	[HEALTH_STARTING] = "starting",
	[HEALTH_HEALTHY] = "healthy",
	[HEALTH_UNHEALTHY] = "unhealthy",
};

/* The file that drives services of kind k. */
const struct runtime_ops *runtime_ops_of(enum runtime_kind k)
{
	return runtimes[k];
}

/* As the configuration says it. */
const char *runtime_kind_name(enum runtime_kind k)
{
	return runtimes[k]->name;
}

/* For screens and JSON. */
const char *runtime_state_name(enum runtime_state s)
{
	return state_names[s];
}

/* For screens and JSON. */
const char *runtime_health_name(enum runtime_health h)
{
	return health_names[h];
}

/* --- Time --------------------------------------------------------------------------------------- */

/* Days of the years are counted from March, so that the day of a leap year comes last. */
int64_t runtime_seconds(int year, int month, int day, int hour, int minute, int second)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;

	return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

/* n digits at p; -1. */
static int digits(const char *p, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		value = value * 10 + (p[i] - '0');
	}
	return value;
}

/* "Z", "+01:00": its length, 0 for none. */
static size_t zone(struct sv s, int64_t *offset_s)
{
	int hour, minute;

	if (s.n >= 1 && s.p[0] == 'Z') {
		*offset_s = 0;
		return 1;
	}
	if (s.n < 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':')
		return 0;
	hour = digits(s.p + 1, 2);
	minute = digits(s.p + 4, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return 0;
	*offset_s = (hour * 60 + minute) * (s.p[0] == '-' ? -60 : 60);
	return 6;
}

size_t runtime_stamp(struct sv s, int64_t *ns)
{
	int year, month, day, hour, minute, second;
	int64_t fraction = 0, offset_s, seconds;
	size_t at = 19, z;

	if (s.n < 20 || s.p[4] != '-' || s.p[7] != '-' || s.p[10] != 'T' || s.p[13] != ':' ||
	    s.p[16] != ':')
		return 0;
	year = digits(s.p, 4);
	month = digits(s.p + 5, 2);
	day = digits(s.p + 8, 2);
	hour = digits(s.p + 11, 2);
	minute = digits(s.p + 14, 2);
	second = digits(s.p + 17, 2);
	if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
	    minute < 0 || minute > 59 || second < 0 || second > 60)
		return 0;
	if (s.p[at] == '.') {
		int64_t unit = 100000000;

		for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++, unit /= 10)
			fraction += (s.p[at] - '0') * unit;
		if (at == 20)
			return 0;
	}
	z = zone(sv_n(s.p + at, s.n - at), &offset_s);
	if (z == 0)
		return 0;
	seconds = runtime_seconds(year, month, day, hour, minute, second) - offset_s;
	/* Beyond this range nanoseconds do not fit, and nothing was logged. */
	*ns = year < 1971 || year > 2250 ? 0 : seconds * 1000000000 + fraction;
	return at + z;
}

int64_t runtime_stamp_ms(const char *text)
{
	struct sv s = sv_of(text);
	int64_t ns;

	return s.n > 0 && runtime_stamp(s, &ns) == s.n ? ns / 1000000 : 0;
}

/* --- Text --------------------------------------------------------------------------------------- */

char *runtime_quote(struct arena *a, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	bool dots = strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
	char *out = arena_alloc(a, strlen(s) * 3 + 1), *p = out;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    c == '-' || c == '_' || c == '~' || (c == '.' && !dots)) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	*p = '\0';
	return out;
}

void runtime_words(char *dst, size_t size, struct sv s)
{
	struct strbuf text;

	/* What is cut here is cut again below, with an ellipsis. */
	strbuf_init(&text, size * 4);
	clean_text(&text, sv_trim(sv_n(s.p, s.n > size * 2 ? size * 2 : s.n)), false);
	str_copy(dst, size, strbuf_str(&text));
	strbuf_clear(&text);
}

struct sv runtime_last_line(struct sv s)
{
	size_t start;

	s = sv_trim(s);
	for (start = s.n; start > 0 && s.p[start - 1] != '\n'; start--)
		;
	return sv_n(s.p + start, s.n - start);
}

const char *const *runtime_argv(struct arena *a, const char *const *word, size_t n)
{
	const char **list = arena_alloc(a, (n + 1) * sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = arena_strdup(a, word[i]);
	return list;
}

bool runtime_point_none(const struct runtime_log_point *p)
{
	return p == NULL || (p->utc_ns == 0 && p->cursor[0] == '\0' && p->inode == 0);
}
