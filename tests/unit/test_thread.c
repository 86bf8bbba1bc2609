/* SPDX-License-Identifier: MIT */
#include "core/base/thread.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static int own_nice(void)
{
	return getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void *in_background(void *arg)
{
	thread_background();
	*(int *)arg = own_nice();
	return NULL;
}

static void background__is_of_that_thread_alone(void **state)
{
	int before = own_nice(), there = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, in_background, &there), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(there > before || before >= 5); /* a test may be run in the background itself */
	assert_int_equal(own_nice(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(background__is_of_that_thread_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
