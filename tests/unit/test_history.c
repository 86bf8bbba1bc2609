/* SPDX-License-Identifier: MIT */
#include "core/migrate/history.h"

#include "core/ledger/ledger.h"
#include "tests/support/sqlite.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static struct db *db;
static struct history *h;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	db = sqlite_make(dir, "a.sqlite", NULL);
	h = NULL;
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	history_free(h);
	db_close(db);
	tmp_remove(dir);
	return 0;
}

/* Adds an event; returns its seq. */
static int64_t add(enum event_kind kind, const char *id, int64_t generation, const char *sum)
{
	struct history_event ev = {
		.ns = "main",
		.id = id,
		.title = "t",
		.kind = kind,
		.generation = generation,
		.checksum = sum,
		.who = "alice",
		.host = "laptop",
		.run = "1",
		.took_ms = 7,
	};
	static int64_t attempt;
	int64_t seq = 0;

	if (kind == EVENT_FAILED || kind == EVENT_ACCEPTED)
		ev.attempt = ++attempt;
	if (kind == EVENT_FAILED)
		ev.error = "no such table: x";
	if (ledger_ensure(db, &e) != 0 || db_begin(db, &e) != 0 ||
	    ledger_add(db, &ev, SV(""), SV(""), &seq, &e) != 0 || db_commit(db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	return seq;
}

static const struct applied *read_one(const char *id)
{
	history_free(h);
	h = NULL;
	if (history_read(db, false, &h, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	return history_find(h, "main", id);
}

static void history__is_empty__without_a_ledger(void **state)
{
	(void)state;
	assert_null(read_one("1"));
	assert_int_equal(h->format, 0);
	assert_int_equal(h->n, 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM sqlite_schema"), 0);
}

static void applied__is_in_force__until_rolled_back(void **state)
{
	const struct applied *a;
	int64_t seq = add(EVENT_APPLIED, "009", 1, "s1:a");

	(void)state;
	a = read_one("009");
	assert_true(a->applied);
	assert_false(a->baselined);
	assert_string_equal(a->checksum, "s1:a");
	assert_string_equal(a->sort_key, "0019");
	assert_string_equal(a->who, "alice");
	assert_int_equal(a->seq, seq);
	assert_int_equal(a->script_seq, seq);
	assert_int_equal(a->took_ms, 7);
	assert_int_equal(h->n_applied, 1);
	assert_null(history_find(h, "main", "9"));
	assert_null(history_find(h, "other", "009"));
	add(EVENT_ROLLED_BACK, "009", 1, NULL);
	a = read_one("009");
	assert_false(a->applied);
	assert_null(a->checksum);
	assert_int_equal(a->generation, 1);
	assert_int_equal(h->n_applied, 0);
	add(EVENT_APPLIED, "009", 2, "s1:b");
	a = read_one("009");
	assert_true(a->applied);
	assert_int_equal(a->generation, 2);
	assert_string_equal(a->checksum, "s1:b");
}

static void baselined__is_in_force__and_says_so(void **state)
{
	(void)state;
	add(EVENT_BASELINED, "1", 1, "s1:a");
	assert_true(read_one("1")->applied);
	assert_true(read_one("1")->baselined);
	assert_null(read_one("1")->ran_checksum); /* nothing ran */
}

static void accepted__sets_the_checksum__not_the_order(void **state)
{
	const struct applied *a;
	int64_t first = add(EVENT_APPLIED, "1", 1, "s1:a");
	int64_t second = add(EVENT_ACCEPTED, "1", 1, "s1:b");

	(void)state;
	a = read_one("1");
	assert_true(a->accepted);
	assert_string_equal(a->checksum, "s1:b");
	assert_string_equal(a->ran_checksum, "s1:a");
	assert_int_equal(a->seq, first);
	assert_int_equal(a->script_seq, second);
	assert_int_equal(a->accepted_attempts, 1);
}

static void accepted__of_a_missing_file__keeps_the_way_back(void **state)
{
	const struct applied *a;
	int64_t first = add(EVENT_APPLIED, "1", 1, "s1:a");

	(void)state;
	add(EVENT_ACCEPTED, "1", 1, "");
	a = read_one("1");
	assert_true(a->applied);
	assert_true(a->accepted);
	assert_null(a->checksum);
	assert_int_equal(a->script_seq, first);
}

static void failed__keeps_what_is_in_force(void **state)
{
	const struct applied *a;

	(void)state;
	add(EVENT_FAILED, "1", 1, "s1:a");
	add(EVENT_FAILED, "1", 1, "s1:a");
	a = read_one("1");
	assert_true(a->failed);
	assert_false(a->applied);
	assert_int_equal(a->failed_attempts, 2);
	assert_string_equal(a->error, "no such table: x");
	assert_string_equal(a->failed_checksum, "s1:a");
	assert_string_equal(a->failed_run, "1");
	assert_string_equal(a->who, "alice");
	assert_null(a->checksum);
	add(EVENT_APPLIED, "1", 1, "s1:b");
	a = read_one("1");
	assert_false(a->failed);
	assert_null(a->error);
	/* Up and down share the numbers of a generation. */
	assert_int_equal(a->failed_attempts, 2);
	add(EVENT_FAILED, "1", 1, "s1:b");
	a = read_one("1");
	assert_true(a->failed);
	assert_true(a->applied);
	assert_string_equal(a->checksum, "s1:b");
	assert_int_equal(a->failed_attempts, 3);
	add(EVENT_ROLLED_BACK, "1", 1, NULL);
	assert_int_equal(read_one("1")->failed_attempts, 0);
}

static void list__is_in_numeric_order__whatever_was_first(void **state)
{
	const struct applied **newest;
	size_t n;

	(void)state;
	add(EVENT_APPLIED, "10", 1, "s1:a");
	add(EVENT_APPLIED, "9", 1, "s1:a");
	add(EVENT_APPLIED, "2", 1, "s1:a");
	add(EVENT_ROLLED_BACK, "2", 1, NULL);
	add(EVENT_APPLIED, "11", 1, "s1:a");
	add(EVENT_ROLLED_BACK, "10", 1, NULL);
	add(EVENT_APPLIED, "10", 2, "s1:a");
	read_one("x");
	assert_int_equal(h->n, 4);
	assert_string_equal(h->list[0].id, "2");
	assert_string_equal(h->list[1].id, "9");
	assert_string_equal(h->list[2].id, "10");
	assert_string_equal(h->list[3].id, "11");
	newest = history_newest_first(h, &n);
	assert_int_equal(n, 3);
	assert_string_equal(newest[0]->id, "10"); /* applied last, the second time */
	assert_string_equal(newest[1]->id, "11");
	assert_string_equal(newest[2]->id, "9");
	mem_free(newest);
}

static void events__are_kept__when_asked_for(void **state)
{
	(void)state;
	add(EVENT_APPLIED, "1", 1, "s1:a");
	add(EVENT_FAILED, "2", 1, "s1:a");
	assert_int_equal(history_read(db, true, &h, &e), 0);
	assert_int_equal(h->n_event, 2);
	assert_int_equal(h->event[1].kind, EVENT_FAILED);
	assert_string_equal(h->event[1].error, "no such table: x");
	assert_null(h->event[0].error);
	assert_string_equal(h->event[0].who, "alice");
	assert_true(h->event[0].at_utc_ms > 0);
}

static void restore_to(int64_t history_seq, const char *backup, int64_t generation)
{
	struct history_event ev = {
		.id = backup,
		.kind = EVENT_RESTORED,
		.generation = generation,
		.statement = history_seq + 1,
	};

	if (db_begin(db, &e) != 0 || ledger_add(db, &ev, SV(""), SV(""), NULL, &e) != 0 ||
	    db_commit(db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static void restored__takes_back__what_came_after_the_backup(void **state)
{
	const struct applied *a;
	int64_t seq;

	(void)state;
	add(EVENT_APPLIED, "1", 1, "s1:a");
	seq = add(EVENT_APPLIED, "2", 1, "s1:a"); /* the backup is of here */
	add(EVENT_ROLLED_BACK, "2", 1, NULL);
	add(EVENT_APPLIED, "2", 2, "s1:b");
	add(EVENT_APPLIED, "3", 1, "s1:a");
	add(EVENT_FAILED, "4", 1, "s1:a");
	restore_to(seq, "b1", 1);
	a = read_one("3");
	assert_false(a->applied);
	assert_int_equal(a->generation, 1); /* spent: the next one is 2 */
	assert_false(read_one("4")->failed);
	a = read_one("2");
	assert_true(a->applied);
	assert_string_equal(a->checksum, "s1:a");
	assert_int_equal(a->generation, 3); /* 1 was rolled back, 2 applied: both are spent */
	assert_true(read_one("1")->applied);
	assert_int_equal(read_one("1")->generation, 1);
	assert_int_equal(h->n_applied, 2);
	/* Life goes on, and the ledger's unique key agrees. */
	add(EVENT_ROLLED_BACK, "2", 3, NULL);
	add(EVENT_APPLIED, "3", 2, "s1:c");
	assert_false(read_one("2")->applied);
	assert_true(read_one("3")->applied);
}

static void restored__twice__goes_back_over_the_first_restore(void **state)
{
	int64_t first, second;

	(void)state;
	first = add(EVENT_APPLIED, "1", 1, "s1:a");  /* backup A */
	second = add(EVENT_APPLIED, "2", 1, "s1:a"); /* backup B */
	restore_to(first, "A", 1);
	assert_false(read_one("2")->applied);
	restore_to(second, "B", 1); /* from before the first restore: 2 is back */
	assert_true(read_one("2")->applied);
	assert_true(read_one("1")->applied);
	restore_to(0, "empty", 1);
	assert_false(read_one("1")->applied);
	assert_int_equal(h->n_applied, 0);
}

static void history__is_read_only__when_the_format_is_newer(void **state)
{
	(void)state;
	add(EVENT_APPLIED, "1", 1, "s1:a");
	assert_int_equal(
		db_script(db, "UPDATE bascule_meta SET value = '99' WHERE key = 'format'", &e), 0);
	assert_true(read_one("1")->applied);
	assert_int_equal(h->format, 99);
	assert_true(h->read_only);
}

static void history__fails__when_the_ledger_is_damaged(void **state)
{
	(void)state;
	add(EVENT_APPLIED, "1", 1, "s1:a");
	assert_int_equal(db_script(db, "DROP TABLE bascule_history", &e), 0);
	assert_int_equal(history_read(db, false, &h, &e), -1);
	assert_null(h);
	assert_true(e.msg[0] != '\0');
}

static void history__reads_many__of_several_namespaces(void **state)
{
	struct history_event ev = { .kind = EVENT_APPLIED, .generation = 1, .checksum = "s1:a" };
	char id[20];

	(void)state;
	assert_int_equal(ledger_ensure(db, &e), 0);
	assert_int_equal(db_begin(db, &e), 0);
	for (int i = 3000; i > 0; i--) {
		snprintf(id, sizeof(id), "%d", i);
		ev.id = id;
		ev.ns = i % 2 ? "main" : "other";
		assert_int_equal(ledger_add(db, &ev, SV(""), SV(""), NULL, &e), 0);
	}
	assert_int_equal(db_commit(db, &e), 0);
	assert_non_null(read_one("2999"));
	assert_null(read_one("3000"));
	assert_non_null(history_find(h, "other", "3000"));
	assert_int_equal(h->n, 3000);
	for (size_t i = 0; i < h->n; i++)
		assert_int_equal(strtol(h->list[i].id, NULL, 10), i + 1);
}

/* ---- statement by statement ---- */

/* An event of statement n of 4 of "1", in generation 1. */
static void part(enum event_kind kind, int64_t n, int64_t attempt, bool down, const char *objects)
{
	char hash[16];
	struct history_event ev = {
		.ns = "main",
		.id = "1",
		.kind = kind,
		.generation = 1,
		.checksum = "s1:up",
		.down_checksum = "s1:down",
		.run = "1",
		.down = down,
		.attempt = attempt,
		.statement = n,
		.statements = 4,
		.objects = objects,
		.session = "7 then",
		.hash = hash,
	};

	snprintf(hash, sizeof(hash), "s1:%lld", (long long)n);
	/* Done or not is said by objects of a mark: "yes" or NULL. */
	if (kind == EVENT_MARKED) {
		ev.done = objects != NULL;
		ev.objects = NULL;
		ev.error = "looked";
	}
	if (ledger_ensure(db, &e) != 0 || db_begin(db, &e) != 0 ||
	    ledger_add(db, &ev, SV(""), SV(""), NULL, &e) != 0 || db_commit(db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static void partial__counts_statements__that_have_run(void **state)
{
	const struct applied *a;

	(void)state;
	part(EVENT_STATEMENT, 1, 0, false, NULL);
	part(EVENT_INTENT, 2, 0, false, "abc");
	part(EVENT_STATEMENT, 2, 0, false, NULL);
	/* One that does not follow says nothing of those between. */
	part(EVENT_STATEMENT, 4, 0, false, NULL);
	a = read_one("1");
	assert_true(a->partial);
	assert_false(a->partial_down);
	assert_false(a->applied);
	assert_false(a->failed);
	assert_int_equal(a->statements_done, 2);
	assert_int_equal(a->statements_total, 4);
	assert_string_equal(a->done_hash[0], "s1:1");
	assert_string_equal(a->done_hash[1], "s1:2");
	assert_null(a->open_hash);
	assert_int_equal(a->partial_attempt, 1);
	assert_string_equal(a->partial_checksum, "s1:up");
	assert_int_equal(h->n_applied, 0);
}

static void intent__stays_open__until_something_is_known(void **state)
{
	const struct applied *a;

	(void)state;
	part(EVENT_INTENT, 1, 0, false, "abc");
	a = read_one("1");
	assert_true(a->partial);
	assert_int_equal(a->statements_done, 0);
	assert_string_equal(a->open_hash, "s1:1");
	assert_string_equal(a->open_objects, "abc");
	assert_string_equal(a->open_session, "7 then");
	/* Begun again by the next try. */
	part(EVENT_INTENT, 1, 1, false, "def");
	a = read_one("1");
	assert_string_equal(a->open_objects, "def");
	assert_int_equal(a->partial_attempt, 2);
	part(EVENT_STATEMENT, 1, 1, false, NULL);
	a = read_one("1");
	assert_null(a->open_hash);
	assert_int_equal(a->statements_done, 1);
}

static void failed__inside__closes_what_leaves_a_trace(void **state)
{
	const struct applied *a;

	(void)state;
	part(EVENT_STATEMENT, 1, 0, false, NULL);
	part(EVENT_INTENT, 2, 0, false, "abc");
	part(EVENT_FAILED, 2, 1, false, NULL);
	a = read_one("1");
	assert_true(a->partial);
	assert_true(a->failed);
	assert_int_equal(a->statements_done, 1);
	assert_null(a->open_hash);
	/* The next try ends the failure, not the part. */
	part(EVENT_INTENT, 2, 2, false, NULL);
	a = read_one("1");
	assert_false(a->failed);
	assert_true(a->partial);
	/* A CALL that failed may have done half of its work. */
	part(EVENT_FAILED, 2, 2, false, NULL);
	a = read_one("1");
	assert_true(a->failed);
	assert_string_equal(a->open_hash, "s1:2");
	assert_null(a->open_objects);
}

static void failed__at_the_first__is_not_partial(void **state)
{
	const struct applied *a;

	(void)state;
	part(EVENT_FAILED, 1, 1, false, NULL);
	a = read_one("1");
	assert_true(a->failed);
	assert_false(a->partial);
}

static void marked__settles_the_open_one__either_way(void **state)
{
	const struct applied *a;

	(void)state;
	part(EVENT_INTENT, 1, 0, false, NULL);
	part(EVENT_MARKED, 1, 1, false, NULL);
	a = read_one("1");
	assert_false(a->partial);
	assert_null(a->open_hash);
	part(EVENT_INTENT, 1, 2, false, NULL);
	part(EVENT_MARKED, 1, 3, false, "yes");
	a = read_one("1");
	assert_true(a->partial);
	assert_int_equal(a->statements_done, 1);
	assert_string_equal(a->done_hash[0], "s1:1");
	assert_int_equal(a->partial_attempt, 4);
	/* Of another than the next one it says nothing. */
	part(EVENT_MARKED, 3, 4, false, "yes");
	assert_int_equal(read_one("1")->statements_done, 1);
}

static void applied__ends_the_part__and_a_down_begins_its_own(void **state)
{
	const struct applied *a;

	(void)state;
	part(EVENT_STATEMENT, 1, 0, false, NULL);
	part(EVENT_INTENT, 2, 0, false, "abc");
	add(EVENT_APPLIED, "1", 1, "s1:up");
	a = read_one("1");
	assert_true(a->applied);
	assert_false(a->partial);
	assert_int_equal(a->statements_done, 0);
	assert_null(a->open_hash);
	assert_int_equal(a->partial_attempt, 0);
	part(EVENT_STATEMENT, 1, 9, true, NULL); /* a file has no number for down */
	a = read_one("1");
	assert_true(a->applied);
	assert_true(a->partial);
	assert_true(a->partial_down);
	assert_int_equal(a->statements_done, 1);
	assert_string_equal(a->partial_checksum, "s1:down");
	assert_int_equal(h->n_applied, 1);
	add(EVENT_ROLLED_BACK, "1", 1, NULL);
	a = read_one("1");
	assert_false(a->applied);
	assert_false(a->partial);
	assert_int_equal(a->statements_done, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(history__is_empty__without_a_ledger),
		T(applied__is_in_force__until_rolled_back),
		T(baselined__is_in_force__and_says_so),
		T(accepted__sets_the_checksum__not_the_order),
		T(accepted__of_a_missing_file__keeps_the_way_back),
		T(failed__keeps_what_is_in_force),
		T(list__is_in_numeric_order__whatever_was_first),
		T(events__are_kept__when_asked_for),
		T(restored__takes_back__what_came_after_the_backup),
		T(restored__twice__goes_back_over_the_first_restore),
		T(history__is_read_only__when_the_format_is_newer),
		T(history__fails__when_the_ledger_is_damaged),
		T(history__reads_many__of_several_namespaces),
		T(partial__counts_statements__that_have_run),
		T(intent__stays_open__until_something_is_known),
		T(failed__inside__closes_what_leaves_a_trace),
		T(failed__at_the_first__is_not_partial),
		T(marked__settles_the_open_one__either_way),
		T(applied__ends_the_part__and_a_down_begins_its_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
