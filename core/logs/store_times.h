/* SPDX-License-Identifier: MIT */
/* How many lines of each level each second has: the store's histogram. Any thread, own lock. */
#ifndef LOGS_STORE_TIMES_H
#define LOGS_STORE_TIMES_H

#include <pthread.h>

#include "core/logs/record.h"

#define TIMES_STEPS 3 /* seconds, and sums over 64 and over 4,096 of them */

struct times_slot {
	int64_t key; /* second >> 6 * step */
	uint32_t level[LOG_LEVELS];
	bool used;
};
struct times {
	pthread_mutex_t lock;
	struct {
		struct times_slot *slot;
		size_t n, cap; /* cap is a power of two, or 0 */
	} step[TIMES_STEPS];
};

void times_init(struct times *t);
void times_clear(struct times *t); /* frees */
void times_empty(struct times *t);
/* n lines of a level more (or fewer) in a second. */
void times_add(struct times *t, int64_t second, const int32_t n[LOG_LEVELS]);
size_t times_bytes(struct times *t);
/* See log_store_histogram. */
void times_read(struct times *t, int64_t from_s, int64_t to_s, size_t n,
		uint32_t (*column)[LOG_LEVELS]);

#endif
