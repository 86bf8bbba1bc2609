/* SPDX-License-Identifier: MIT */
#include "core/base/cancel.h"

#include "core/base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SOON_MS 20
#define LONG_MS 10000

static struct cancel c;

static int setup(void **state)
{
	struct err e;

	(void)state;
	return cancel_init(&c, &e);
}

static int teardown(void **state)
{
	(void)state;
	cancel_clear(&c);
	return 0;
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void cancel_fired__is_false__before_and_for_null(void **state)
{
	(void)state;
	assert_false(cancel_fired(&c));
	assert_false(cancel_fired(NULL));
	cancel_fire(&c);
	assert_true(cancel_fired(&c));
	cancel_fire(&c);
	assert_true(cancel_fired(&c));
}

static void cancel_hook__runs_once__when_fired_twice(void **state)
{
	int calls = 0;

	(void)state;
	cancel_hook(&c, count, &calls);
	assert_int_equal(calls, 0);
	cancel_fire(&c);
	cancel_fire(&c);
	assert_int_equal(calls, 1);
	cancel_hook(&c, NULL, NULL);
	assert_int_equal(calls, 1);
}

static void cancel_hook__runs_at_once__when_already_fired(void **state)
{
	int calls = 0;

	(void)state;
	cancel_fire(&c);
	cancel_hook(&c, count, &calls);
	assert_int_equal(calls, 1);
	cancel_hook(&c, NULL, NULL);
	cancel_hook(&c, count, &calls);
	assert_int_equal(calls, 2);
	cancel_hook(NULL, count, &calls);
	assert_int_equal(calls, 2);
}

static void cancel_hook__does_not_run__after_removal(void **state)
{
	int calls = 0;

	(void)state;
	cancel_hook(&c, count, &calls);
	cancel_hook(&c, NULL, NULL);
	cancel_fire(&c);
	assert_int_equal(calls, 0);
}

static void *fire_in_thread(void *arg)
{
	cancel_fire(arg);
	return NULL;
}

/* Each round is a race between a thread that fires and one that sets and removes a hook: the hook
 * must have run once when it was still set at the end of both, and never after its removal. */
static void cancel_hook__is_never_missed__in_a_race(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++) {
		struct cancel race;
		struct err e;
		pthread_t thread;
		int calls = 0, after;

		assert_int_equal(cancel_init(&race, &e), 0);
		assert_int_equal(pthread_create(&thread, NULL, fire_in_thread, &race), 0);
		cancel_hook(&race, count, &calls);
		if (i % 2) {
			cancel_hook(&race, NULL, NULL);
			after = calls;
			pthread_join(thread, NULL);
			assert_int_equal(calls, after);
		} else {
			pthread_join(thread, NULL);
			assert_int_equal(calls, 1);
		}
		cancel_clear(&race);
	}
}

static void on_signal(int sig)
{
	(void)sig;
	cancel_fire(&c);
}

static void wait_fds__ends__when_a_signal_handler_fires(void **state)
{
	struct sigaction act = { .sa_handler = on_signal }, old;
	struct err e;

	(void)state;
	sigaction(SIGUSR1, &act, &old);
	errno = EDOM;
	raise(SIGUSR1);
	assert_int_equal(errno, EDOM);
	sigaction(SIGUSR1, &old, NULL);
	assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + LONG_MS, &c, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
}

static void wait_fds__ends_at_once__when_fired_from_another_thread(void **state)
{
	int64_t start = clock_mono_ms();
	pthread_t thread;
	struct err e;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, fire_in_thread, &c), 0);
	assert_int_equal(wait_fds(NULL, 0, WAIT_FOREVER, &c, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_true(clock_mono_ms() - start < LONG_MS);
	pthread_join(thread, NULL);
}

static void wait_fds__returns_zero__at_the_deadline(void **state)
{
	int64_t start = clock_mono_ms();
	struct err e;

	(void)state;
	assert_int_equal(wait_fds(NULL, 0, start + SOON_MS, &c, &e), 0);
	assert_true(clock_mono_ms() >= start + SOON_MS);
	assert_int_equal(wait_fds(NULL, 0, 0, &c, &e), 0);
	assert_int_equal(wait_fds(NULL, 0, INT64_MIN, NULL, &e), 0);
}

static void wait_fds__tells_which__is_ready(void **state)
{
	int a[2], b[2];
	struct pollfd fds[3];
	struct err e;

	(void)state;
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	fds[0] = (struct pollfd){ .fd = a[0], .events = POLLIN, .revents = 77 };
	fds[1] = (struct pollfd){ .fd = b[0], .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = -1, .events = POLLIN };
	assert_int_equal(write(b[1], "x", 1), 1);
	assert_int_equal(wait_fds(fds, 3, clock_mono_ms() + LONG_MS, &c, &e), 1);
	assert_int_equal(fds[0].revents, 0);
	assert_true(fds[1].revents & POLLIN);
	/* A deadline that has passed still looks. */
	assert_int_equal(wait_fds(fds, 3, 0, NULL, &e), 1);
	/* A cancel wins over what is ready. */
	cancel_fire(&c);
	assert_int_equal(wait_fds(fds, 3, 0, &c, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

static void do_nothing(int sig)
{
	(void)sig;
}

struct signaller {
	pthread_t target;
	atomic_bool stop;
};

static void *send_signals(void *arg)
{
	struct signaller *s = arg;

	while (!atomic_load(&s->stop)) {
		pthread_kill(s->target, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static void wait_fds__waits_on__over_signals(void **state)
{
	struct sigaction act = { .sa_handler = do_nothing }, old;
	struct signaller s = { .target = pthread_self() };
	int64_t end = clock_mono_ms() + SOON_MS;
	pthread_t thread;
	struct err e;

	(void)state;
	sigaction(SIGUSR1, &act, &old);
	assert_int_equal(pthread_create(&thread, NULL, send_signals, &s), 0);
	assert_int_equal(wait_fds(NULL, 0, end, &c, &e), 0);
	assert_true(clock_mono_ms() >= end);
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	sigaction(SIGUSR1, &old, NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(cancel_fired__is_false__before_and_for_null),
		CASE(cancel_hook__runs_once__when_fired_twice),
		CASE(cancel_hook__runs_at_once__when_already_fired),
		CASE(cancel_hook__does_not_run__after_removal),
		CASE(cancel_hook__is_never_missed__in_a_race),
		CASE(wait_fds__ends__when_a_signal_handler_fires),
		CASE(wait_fds__ends_at_once__when_fired_from_another_thread),
		CASE(wait_fds__returns_zero__at_the_deadline),
		CASE(wait_fds__tells_which__is_ready),
		CASE(wait_fds__waits_on__over_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
