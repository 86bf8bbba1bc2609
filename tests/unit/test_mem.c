/* SPDX-License-Identifier: MIT */
#include "core/base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static sigjmp_buf after_abort;
static int hook_calls;

static void on_abort(int sig)
{
	(void)sig;
	siglongjmp(after_abort, 1);
}

static void count_hook(void)
{
	hook_calls++;
}

static void greedy_hook(void)
{
	hook_calls++;
	mem_free(mem_realloc(NULL, SIZE_MAX / 2, 4));
}

/* Runs fn, which must end in mem_oom(); answers whether it did. */
static bool aborts(void (*fn)(void))
{
	struct sigaction act = { .sa_handler = on_abort }, old;
	volatile bool aborted = true;

	sigaction(SIGABRT, &act, &old);
	if (sigsetjmp(after_abort, 1) == 0) {
		fn();
		aborted = false;
	}
	sigaction(SIGABRT, &old, NULL);
	return aborted;
}

static void realloc_too_much(void)
{
	mem_free(mem_realloc(NULL, SIZE_MAX / 2, 4));
}

static void arena_too_much(void)
{
	struct arena a;

	arena_init(&a);
	arena_alloc(&a, SIZE_MAX - 4);
}

static void mem_oom__runs_hook_once_and_aborts__when_size_overflows(void **state)
{
	(void)state;
	hook_calls = 0;
	mem_set_oom_hook(count_hook);
	assert_true(aborts(realloc_too_much));
	assert_int_equal(hook_calls, 1);
	assert_true(aborts(arena_too_much));
	assert_int_equal(hook_calls, 1); /* taken out by the first */
}

static void mem_oom__ends__when_the_hook_needs_memory_too(void **state)
{
	(void)state;
	hook_calls = 0;
	mem_set_oom_hook(greedy_hook);
	assert_true(aborts(realloc_too_much));
	assert_int_equal(hook_calls, 1);
	mem_set_oom_hook(NULL);
}

static void mem_alloc__gives_a_pointer__for_zero_bytes(void **state)
{
	void *p = mem_alloc(0), *q = mem_calloc(0, 8), *r = mem_realloc(NULL, 0, 8);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_non_null(r);
	mem_free(p);
	mem_free(q);
	mem_free(r);
	mem_free(NULL);
}

static void mem_calloc__gives_zeroes__always(void **state)
{
	unsigned char *p = mem_calloc(100, 7);

	(void)state;
	for (size_t i = 0; i < 700; i++)
		assert_int_equal(p[i], 0);
	mem_free(p);
}

static void mem_strndup__stops__at_nul_and_at_n(void **state)
{
	char *a = mem_strndup("abcdef", 3), *b = mem_strndup("ab\0cd", 5), *c = mem_strdup("");

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "ab");
	assert_string_equal(c, "");
	mem_free(a);
	mem_free(b);
	mem_free(c);
}

static void mem_grow__keeps_elements_and_doubles__when_full(void **state)
{
	int *list = NULL;
	size_t cap = 0, grown = 0;

	(void)state;
	for (size_t i = 0; i < 10000; i++) {
		size_t before = cap;

		mem_grow(&list, &cap, i + 1, sizeof(*list));
		grown += cap != before;
		list[i] = (int)i;
	}
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(list[i], i);
	assert_in_range(grown, 1, 12);
	mem_free(list);
}

static void mem_grow__leaves_list__when_large_enough(void **state)
{
	char *list = NULL, *before;
	size_t cap = 0;

	(void)state;
	mem_grow(&list, &cap, 100, 1);
	assert_int_equal(cap, 100);
	before = list;
	mem_grow(&list, &cap, 100, 1);
	assert_ptr_equal(list, before);
	mem_free(list);
}

static void arena_alloc__is_zeroed_and_aligned__for_all_sizes(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t n = 0; n < 3000; n += 7) {
		unsigned char *p = arena_alloc(&a, n);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
	arena_clear(&a);
}

static void arena_alloc__keeps_earlier_pieces__over_many_blocks(void **state)
{
	enum { COUNT = 5000 };
	static char *pieces[COUNT];
	struct arena a;
	char text[32];

	(void)state;
	arena_init(&a);
	for (int i = 0; i < COUNT; i++) {
		pieces[i] = arena_printf(&a, "piece %d", i);
		if (i % 100 == 0)
			memset(arena_alloc(&a, 100000), 0xff, 100000); /* a block of its own */
	}
	for (int i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "piece %d", i);
		assert_string_equal(pieces[i], text);
	}
	assert_true(a.used_bytes > 100000 * COUNT / 100);
	arena_clear(&a);
	assert_null(a.first);
	assert_int_equal(a.used_bytes, 0);
}

static void arena_init__takes_no_memory__until_first_use(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_null(a.first);
	arena_clear(&a);
}

static void arena_sv__has_nul_behind__also_when_empty(void **state)
{
	struct arena a;
	struct sv copy;

	(void)state;
	arena_init(&a);
	copy = arena_sv(&a, sv_n("abcdef", 3));
	assert_int_equal(copy.n, 3);
	assert_string_equal(copy.p, "abc");
	copy = arena_sv(&a, sv_n(NULL, 0));
	assert_int_equal(copy.n, 0);
	assert_string_equal(copy.p, "");
	assert_string_equal(arena_strdup(&a, "xyz"), "xyz");
	assert_string_equal(arena_strndup(&a, "xyz", 2), "xy");
	arena_clear(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mem_oom__runs_hook_once_and_aborts__when_size_overflows),
		cmocka_unit_test(mem_oom__ends__when_the_hook_needs_memory_too),
		cmocka_unit_test(mem_alloc__gives_a_pointer__for_zero_bytes),
		cmocka_unit_test(mem_calloc__gives_zeroes__always),
		cmocka_unit_test(mem_strndup__stops__at_nul_and_at_n),
		cmocka_unit_test(mem_grow__keeps_elements_and_doubles__when_full),
		cmocka_unit_test(mem_grow__leaves_list__when_large_enough),
		cmocka_unit_test(arena_alloc__is_zeroed_and_aligned__for_all_sizes),
		cmocka_unit_test(arena_alloc__keeps_earlier_pieces__over_many_blocks),
		cmocka_unit_test(arena_init__takes_no_memory__until_first_use),
		cmocka_unit_test(arena_sv__has_nul_behind__also_when_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
