/* SPDX-License-Identifier: MIT */
#include "core/engine/stamp.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The kernel stamps files with a clock that ticks every few milliseconds. */
#define RACY_NS ((int64_t)20 * 1000 * 1000)
#define SECOND_NS ((int64_t)1000 * 1000 * 1000)

void stamp_init(struct stamp *s)
{
	s->sum = 14695981039346656037U; /* FNV-1a, 64 bits */
	s->newest_ns = 0;
}

static void sum_add(struct stamp *s, const void *p, size_t n)
{
	const unsigned char *byte = p;

	for (size_t i = 0; i < n; i++)
		s->sum = (s->sum ^ byte[i]) * 1099511628211U;
}

static int64_t time_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

void stamp_add(struct stamp *s, int dirfd, const char *path)
{
	struct stat st;
	int64_t seen[4] = { 0 };

	if (fstatat(dirfd, path, &st, 0) == 0) {
		seen[0] = (int64_t)st.st_ino;
		seen[1] = st.st_size;
		seen[2] = time_ns(st.st_mtim);
		seen[3] = time_ns(st.st_ctim);
	}
	sum_add(s, seen, sizeof(seen));
	for (int i = 2; i < 4; i++)
		if (seen[i] > s->newest_ns)
			s->newest_ns = seen[i];
}

bool stamp_is_settled(const struct stamp *s, int64_t begun_ns)
{
	return s->newest_ns < begun_ns - RACY_NS;
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->sum == b->sum && a->newest_ns == b->newest_ns;
}

int64_t stamp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return time_ns(now);
}
