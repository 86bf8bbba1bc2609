/* SPDX-License-Identifier: MIT */
#include "core/engine/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <poll.h>

#include <cmocka.h>

#include "core/base/mem.h"

#define PRODUCERS 4
#define EACH 2000

static struct event_queue q;

static int setup(void **state)
{
	struct err e;

	(void)state;
	return event_queue_init(&q, &e);
}

static int teardown(void **state)
{
	(void)state;
	event_queue_clear(&q);
	return 0;
}

static bool readable(void)
{
	struct pollfd fd = { .fd = q.fd, .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void take__order_of_posting__is_kept(void **state)
{
	(void)state;
	assert_null(event_take(&q));
	for (uint64_t i = 1; i <= 3; i++)
		event_post(&q, event_new(EV_REQUESTED, i));
	for (uint64_t i = 1; i <= 3; i++) {
		struct event *ev = event_take(&q);

		assert_int_equal(ev->request, i);
		event_free(ev);
	}
	assert_null(event_take(&q));
}

static void fd__is_readable__exactly_while_something_waits(void **state)
{
	(void)state;
	assert_false(readable());
	event_post(&q, event_new(EV_REQUESTED, 1));
	event_post(&q, event_new(EV_REQUESTED, 2));
	assert_true(readable());
	event_free(event_take(&q));
	assert_true(readable());
	event_free(event_take(&q));
	assert_false(readable());
	event_post(&q, event_new(EV_REQUESTED, 3));
	assert_true(readable());
}

/* Freed by clear: the sanitizers see what would be left. */
static void clear__with_waiting_events__frees_what_they_own(void **state)
{
	struct event *ev = event_new(EV_SCRIPT, 1);

	(void)state;
	ev->u.script = mem_calloc(1, sizeof(*ev->u.script));
	ev->u.script->file_text = mem_strdup("select 1");
	event_post(&q, ev);
	ev = event_new(EV_SNAPSHOT, 2);
	ev->u.snapshot = mem_calloc(1, sizeof(*ev->u.snapshot));
	ev->u.snapshot->n_env = 2;
	ev->u.snapshot->env = mem_calloc(2, sizeof(*ev->u.snapshot->env));
	event_post(&q, ev);
	for (int type = 0; type < EV_TYPES; type++)
		event_post(&q, event_new((enum event_type)type, 3)); /* empty ones too */
}

static void *produce(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < EACH; i++)
		event_post(&q, event_new(EV_REQUESTED, i));
	return NULL;
}

static void post__from_many_threads__loses_nothing(void **state)
{
	pthread_t thread[PRODUCERS];
	uint64_t sum = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, produce, NULL), 0);
	while (n < PRODUCERS * EACH) {
		struct pollfd fd = { .fd = q.fd, .events = POLLIN };
		struct event *ev;

		assert_int_equal(poll(&fd, 1, 20000), 1);
		while ((ev = event_take(&q)) != NULL) {
			sum += ev->request;
			n++;
			event_free(ev);
		}
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(sum, (uint64_t)PRODUCERS * EACH * (EACH - 1) / 2);
	assert_false(readable());
}

static void shared_source__last_drop__frees(void **state)
{
	struct shared_source *s = shared_source_new(NULL);

	(void)state;
	assert_ptr_equal(shared_source_keep(s), s);
	shared_source_drop(s);
	assert_int_equal(atomic_load(&s->refs), 1);
	shared_source_drop(s);
	shared_source_drop(NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(take__order_of_posting__is_kept),
		CASE(fd__is_readable__exactly_while_something_waits),
		CASE(clear__with_waiting_events__frees_what_they_own),
		CASE(post__from_many_threads__loses_nothing),
		CASE(shared_source__last_drop__frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
