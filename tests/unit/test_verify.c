/* SPDX-License-Identifier: MIT */
/* What needs no server of core/migrate/verify.c; the rest is tests/contract/verify_server.sh. */
#include "core/migrate/verify.h"

#include "core/ledger/ledger.h"
#include "tests/support/sqlite.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static struct db *db;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	db = sqlite_make(dir, "a.sqlite", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	tmp_remove(dir);
	return 0;
}

static void add(enum event_kind kind, const char *ns, const char *id, int64_t generation,
		const char *objects)
{
	struct history_event ev = { .ns = ns,
				    .id = id,
				    .kind = kind,
				    .generation = generation,
				    .attempt = kind == EVENT_WARNING,
				    .checksum = "s1:a",
				    .objects = objects,
				    .error = objects != NULL ? "words" : NULL };

	if (ledger_ensure(db, &e) != 0 || db_begin(db, &e) != 0 ||
	    ledger_add(db, &ev, SV(""), SV(""), NULL, &e) != 0 || db_commit(db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static struct history *read_all(void)
{
	struct history *h = NULL;

	if (history_read(db, false, &h, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	return h;
}

static bool wanted(const char *engine, const char *script)
{
	return verify_wanted(engine, sv_of(script));
}

static void script__needs_no_question__without_the_words(void **state)
{
	(void)state;
	assert_false(wanted("postgresql", ""));
	assert_false(wanted("postgresql", "CREATE TABLE IF NOT EXISTS t (a int)"));
	assert_false(wanted("postgresql", "CREATE INDEX i ON t (concurrently_made, not_valid)"));
	assert_false(wanted("postgresql", "SET foreign_key_checks = 0"));
	assert_false(wanted("mariadb", "ALTER TABLE t ADD INDEX IF NOT EXISTS i (a)"));
	assert_false(wanted("mariadb", "SET old_foreign_key_checks = 0"));
	assert_false(wanted("sqlite", "CREATE INDEX IF NOT EXISTS i ON t (a)"));
}

static void script__needs_the_question__with_them_in_any_dress(void **state)
{
	(void)state;
	assert_true(wanted("postgresql", "CREATE INDEX CONCURRENTLY i ON t (a)"));
	assert_true(wanted("postgresql", "ALTER TABLE t ADD CHECK (a > 0) not\n\t valid;"));
	assert_true(wanted("postgresql", "create unique Index  If Not Exists i on t (a)"));
	assert_true(wanted("postgresql", "CREATE INDEX i ON ONLY t (a)"));
	assert_true(wanted("mariadb", "SET FOREIGN_KEY_CHECKS=0"));
	assert_true(wanted("mariadb", "/*!40014 SET @@session.foreign_key_checks = 0 */;"));
}

static void warning__is_not_in_force__when_the_database_does_not_show_it(void **state)
{
	struct history *h;

	(void)state;
	add(EVENT_APPLIED, "main", "1", 1, NULL);
	add(EVENT_WARNING, "main", "1", 1, "index public.i");
	h = read_all();
	assert_int_equal(h->n_warning, 1);
	assert_string_equal(h->warning[0].object, "index public.i");
	assert_false(h->warning[0].in_force);
	assert_int_equal(h->n, 1);
	assert_true(h->list[0].applied);
	assert_null(h->list[0].warning);
	history_free(h);
}

static void warning__is_forgotten__behind_a_rollback_and_another_apply(void **state)
{
	struct history *h;

	(void)state;
	add(EVENT_APPLIED, "main", "1", 1, NULL);
	add(EVENT_WARNING, "main", "1", 1, "index public.i");
	add(EVENT_APPLIED, "main", "2", 1, NULL);
	add(EVENT_WARNING, "main", "2", 1, "index public.k");
	add(EVENT_ROLLED_BACK, "main", "1", 1, NULL);
	h = read_all();
	assert_int_equal(h->n_warning, 1);
	assert_string_equal(h->warning[0].id, "2");
	history_free(h);
	add(EVENT_APPLIED, "main", "1", 2, NULL);
	h = read_all();
	assert_int_equal(h->n_warning, 1);
	history_free(h);
}

static void seeds__are_no_migrations__and_count_their_runs(void **state)
{
	struct history *h;

	(void)state;
	add(EVENT_SEEDED, HISTORY_SEEDS, "010_users.sql", 1, NULL);
	add(EVENT_SEEDED, HISTORY_SEEDS, "010_users.sql", 2, NULL);
	add(EVENT_FAILED, HISTORY_SEEDS, "010_users.sql", 3, NULL);
	add(EVENT_FAILED, HISTORY_SEEDS, "020_never.sql", 1, NULL);
	h = read_all();
	assert_int_equal(h->n, 0);
	assert_int_equal(h->n_seed, 2);
	assert_string_equal(h->seed[0].id, "010_users.sql");
	assert_int_equal(h->seed[0].runs, 2);
	assert_string_equal(h->seed[0].checksum, "s1:a");
	assert_true(h->seed[0].failed);
	assert_int_equal(h->seed[0].failed_attempts, 1);
	assert_int_equal(h->seed[1].runs, 0);
	assert_null(h->seed[1].checksum);
	history_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(script__needs_no_question__without_the_words),
		cmocka_unit_test(script__needs_the_question__with_them_in_any_dress),
		cmocka_unit_test_setup_teardown(
			warning__is_not_in_force__when_the_database_does_not_show_it, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			warning__is_forgotten__behind_a_rollback_and_another_apply, setup,
			teardown),
		cmocka_unit_test_setup_teardown(seeds__are_no_migrations__and_count_their_runs,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
