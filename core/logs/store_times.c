/* SPDX-License-Identifier: MIT */
/*
 * Counts of lines by second and level.
 *
 * Hash tables by second, since a log may have one line a day or a hundred thousand a second, and its times may
 * be nonsense: only seconds that have lines cost memory, and that counts as the store's. Wide columns add up
 * sums of 64 and of 4,096 seconds, so that a week in 120 columns is some thousand lookups. A second whose
 * lines have all left is taken out again, by moving up what stood behind it (no tombstones).
 */
#include "core/logs/store_times.h"

#include <string.h>

#include "core/base/mem.h"

#define STEP_BITS 6

void times_init(struct times *t)
{
	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->lock, NULL);
}

static void slots_free(struct times *t)
{
	for (int s = 0; s < TIMES_STEPS; s++) {
		mem_free(t->step[s].slot);
		memset(&t->step[s], 0, sizeof(t->step[s]));
	}
}

void times_clear(struct times *t)
{
	slots_free(t);
	pthread_mutex_destroy(&t->lock);
}

void times_empty(struct times *t)
{
	pthread_mutex_lock(&t->lock);
	slots_free(t);
	pthread_mutex_unlock(&t->lock);
}

static size_t home(int64_t key, size_t cap)
{
	return (size_t)(((uint64_t)key * 0x9E3779B97F4A7C15ULL) >> 20) & (cap - 1);
}

/* The slot of key, or the free one where it would go. */
static struct times_slot *find(struct times *t, int s, int64_t key)
{
	size_t cap = t->step[s].cap, i = home(key, cap);

	while (t->step[s].slot[i].used && t->step[s].slot[i].key != key)
		i = (i + 1) & (cap - 1);
	return &t->step[s].slot[i];
}

static void grow(struct times *t, int s)
{
	struct times_slot *old = t->step[s].slot;
	size_t cap = t->step[s].cap;

	if (4 * (t->step[s].n + 1) <= 3 * cap)
		return;
	t->step[s].cap = cap > 0 ? 2 * cap : 64;
	t->step[s].slot = mem_calloc(t->step[s].cap, sizeof(*old));
	for (size_t i = 0; i < cap; i++)
		if (old[i].used)
			*find(t, s, old[i].key) = old[i];
	mem_free(old);
}

static void take_out(struct times *t, int s, struct times_slot *slot)
{
	struct times_slot *all = t->step[s].slot;
	size_t cap = t->step[s].cap, hole = (size_t)(slot - all), i = hole;

	for (;;) {
		i = (i + 1) & (cap - 1);
		if (!all[i].used)
			break;
		/* It may move into the hole when its home does not lie between the hole and itself. */
		if (((i - home(all[i].key, cap)) & (cap - 1)) >= ((i - hole) & (cap - 1))) {
			all[hole] = all[i];
			hole = i;
		}
	}
	memset(&all[hole], 0, sizeof(all[hole]));
	t->step[s].n--;
}

void times_add(struct times *t, int64_t second, const int32_t n[LOG_LEVELS])
{
	pthread_mutex_lock(&t->lock);
	for (int s = 0; s < TIMES_STEPS; s++) {
		struct times_slot *slot;
		uint32_t left = 0;

		grow(t, s);
		slot = find(t, s, second >> (STEP_BITS * s));
		if (!slot->used) {
			slot->used = true;
			slot->key = second >> (STEP_BITS * s);
			t->step[s].n++;
		}
		for (int l = 0; l < LOG_LEVELS; l++)
			left |= slot->level[l] += (uint32_t)n[l];
		if (left == 0)
			take_out(t, s, slot);
	}
	pthread_mutex_unlock(&t->lock);
}

size_t times_bytes(struct times *t)
{
	size_t n = 0;

	pthread_mutex_lock(&t->lock);
	for (int s = 0; s < TIMES_STEPS; s++)
		n += t->step[s].cap * sizeof(struct times_slot);
	pthread_mutex_unlock(&t->lock);
	return n;
}

static void sum(struct times *t, int s, int64_t key, uint32_t *out)
{
	const struct times_slot *slot = find(t, s, key);

	for (int l = 0; slot->used && l < LOG_LEVELS; l++)
		out[l] += slot->level[l];
}

/* Seconds from..to (without to) into out, by the largest steps that fit. */
static void sum_range(struct times *t, int64_t from, int64_t to, uint32_t *out)
{
	while (from < to) {
		int s = TIMES_STEPS - 1;

		while (s > 0 && ((from & (((int64_t)1 << (STEP_BITS * s)) - 1)) != 0 ||
				 to - from < (int64_t)1 << (STEP_BITS * s)))
			s--;
		sum(t, s, from >> (STEP_BITS * s), out);
		from += (int64_t)1 << (STEP_BITS * s);
	}
}

void times_read(struct times *t, int64_t from_s, int64_t to_s, size_t n,
		uint32_t (*column)[LOG_LEVELS])
{
	int64_t width = n > 0 && to_s > from_s ? (to_s - from_s + (int64_t)n - 1) / (int64_t)n : 1;

	if (n == 0)
		return;
	memset(column, 0, n * sizeof(*column));
	pthread_mutex_lock(&t->lock);
	if (t->step[0].n > 0 && (uint64_t)(to_s - from_s) < 4096 * t->step[2].n * n) {
		for (size_t i = 0; i < n; i++)
			sum_range(t, from_s + (int64_t)i * width, from_s + (int64_t)(i + 1) * width,
				  column[i]);
	} else if (t->step[0].n > 0) {
		/* A span so long that there are fewer seconds than steps in it. */
		for (size_t k = 0; k < t->step[0].cap; k++) {
			const struct times_slot *slot = &t->step[0].slot[k];
			int64_t i = slot->used && slot->key >= from_s ? (slot->key - from_s) / width
								      : -1;

			for (int l = 0; i >= 0 && i < (int64_t)n && l < LOG_LEVELS; l++)
				column[i][l] += slot->level[l];
		}
	}
	pthread_mutex_unlock(&t->lock);
}
