/* SPDX-License-Identifier: MIT */
/* Whether files are as they were: inode, size, modification and change time of many, in one number. */
#ifndef ENGINE_STAMP_H
#define ENGINE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct stamp {
	uint64_t sum;      /* over all files in order */
	int64_t newest_ns; /* the latest of all times; CLOCK_REALTIME */
};

void stamp_init(struct stamp *s);
/* Adds the file path below dirfd; one that is missing counts as well. */
void stamp_add(struct stamp *s, int dirfd, const char *path);
/* Whether every file was old at begun_ns. One that was written in the same clock tick as it was read could
 * change once more without its times changing: such a stamp must not be trusted. */
bool stamp_is_settled(const struct stamp *s, int64_t begun_ns);
bool stamp_equal(const struct stamp *a, const struct stamp *b);
int64_t stamp_now_ns(void);

#endif
