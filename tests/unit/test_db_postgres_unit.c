/* SPDX-License-Identifier: MIT */
/*
 * Units, locks and the fence of the PostgreSQL driver, against a real server.
 * needs: servers
 * time-limit: 300
 */
#include "tests/unit/postgres_world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

/* --- Units ------------------------------------------------------------------------------------- */

static struct db_item text_item(const char *sql)
{
	return (struct db_item){ .text = sv_of(sql) };
}

static void send3(const char *sql)
{
	const struct db_item item[] = { text_item("BEGIN"), text_item(sql), text_item("COMMIT") };

	pw_must(db_unit_send(pw.db, item, 3, &pw.e));
}

static void units__are_answered__in_order(void **state)
{
	size_t failed;

	(void)state;
	pw_foreign("CREATE TABLE t (v integer PRIMARY KEY)");
	for (int i = 0; i < 64; i++)
		send3(arena_printf(&pw.arena, "INSERT INTO t VALUES (%d)", i));
	assert_int_equal(db_units_waiting(pw.db), 64);
	for (int i = 0; i < 64; i++)
		pw_must(db_unit_result(pw.db, &failed, &pw.e));
	assert_int_equal(db_units_waiting(pw.db), 0);
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM t"), 64);
	pw_must(db_units_clear(pw.db, &pw.e));
}

static void units__stop__at_the_first_failure(void **state)
{
	size_t failed = 99;

	(void)state;
	pw_foreign("CREATE TABLE t (v integer PRIMARY KEY)");
	send3("INSERT INTO t VALUES (1)");
	send3("INSERT INTO\n t VALUES (nothing)");
	send3("INSERT INTO t VALUES (3)");
	pw_must(db_unit_send(pw.db, &(struct db_item){ .text = SV("INSERT INTO t VALUES (4)") }, 1,
			     &pw.e));
	pw_must(db_unit_result(pw.db, &failed, &pw.e));
	pw_fails(db_unit_result(pw.db, &failed, &pw.e), ERR_DB);
	assert_int_equal(failed, 1);
	assert_string_equal(pw.e.sys, "42703");
	assert_non_null(strstr(pw.e.detail, "line 2"));
	pw_fails(db_unit_result(pw.db, &failed, &pw.e), ERR_DB);
	assert_int_equal(db_units_waiting(pw.db), 1);
	pw_must(db_units_clear(pw.db, &pw.e));
	assert_int_equal(db_units_waiting(pw.db), 0);
	assert_false(db_in_transaction(pw.db));
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM t"), 1);
	/* And units work again. */
	send3("INSERT INTO t VALUES (5)");
	pw_must(db_unit_result(pw.db, &failed, &pw.e));
}

/* A unit without BEGIN does not stop the server: nothing may be sent behind its failure. */
static void units__without_begin__hold_back_the_next(void **state)
{
	size_t failed;

	(void)state;
	pw_foreign("CREATE TABLE t (v integer PRIMARY KEY)");
	pw_must(db_unit_send(
		pw.db, &(struct db_item){ .text = SV("CREATE INDEX CONCURRENTLY i ON t (v)") }, 1,
		&pw.e));
	pw_must(db_unit_send(pw.db,
			     &(struct db_item){ .text = SV("INSERT INTO t VALUES (nothing)") }, 1,
			     &pw.e));
	send3("INSERT INTO t VALUES (2)");
	pw_must(db_unit_result(pw.db, &failed, &pw.e));
	pw_fails(db_unit_result(pw.db, &failed, &pw.e), ERR_DB);
	assert_int_equal(failed, 0);
	pw_fails(db_unit_result(pw.db, &failed, &pw.e), ERR_DB);
	pw_must(db_units_clear(pw.db, &pw.e));
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM t"), 0);
}

static int count_rows(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	*(int64_t *)arg += col[0].i;
	return 0;
}

static void units__mix__ours_and_theirs(void **state)
{
	const struct db_value v = db_v_text("m1");
	int64_t sum = 0;
	size_t failed;
	const struct db_item item[] = {
		text_item("BEGIN"),
		{ .sql = "INSERT INTO bascule_history VALUES (?1)", .param = &v, .n_param = 1 },
		text_item("SELECT repeat('x', 100) FROM generate_series(1, 100000)"),
		text_item("SET ROLE other_one"),
		{ .sql = "SELECT count(*) FROM bascule_history", .fn = count_rows, .arg = &sum },
		text_item("COMMIT"),
	};

	(void)state;
	pw_super("CREATE ROLE other_one; GRANT other_one TO app");
	pw_must(db_unit_send(pw.db, item, 6, &pw.e));
	/* The role is given back before this one. */
	send3("CREATE TABLE by_app (v integer)");
	pw_must(db_unit_result(pw.db, &failed, &pw.e));
	assert_int_equal(sum, 1);
	pw_must(db_unit_result(pw.db, &failed, &pw.e));
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM bascule_history"), 1);
}

static int record(const char *id, const char *sql)
{
	const struct db_value v = id != NULL ? db_v_text(id) : DB_V_NULL;
	const struct db_item item[] = {
		text_item("BEGIN"),
		{ .sql = "INSERT INTO bascule_history SELECT coalesce(?1, 'none')",
		  .param = &v,
		  .n_param = 1 },
		text_item(sql),
		text_item("COMMIT"),
	};
	size_t failed;
	int result;

	pw_must(db_unit_send(pw.db, item, 4, &pw.e));
	result = db_unit_result(pw.db, &failed, &pw.e);
	if (result != 0) {
		struct err why = pw.e;

		pw_must(db_units_clear(pw.db, &pw.e));
		pw.e = why;
	}
	return result;
}

/* What units repeat is prepared, and a migration may take that away. */
static void units__go_on__without_what_was_prepared(void **state)
{
	(void)state;
	pw_foreign("CREATE TABLE t (v integer)");
	pw_foreign("CREATE FUNCTION drop_all() RETURNS trigger LANGUAGE plpgsql AS "
		   "'BEGIN DEALLOCATE ALL; RETURN NEW; END'");
	pw_foreign("CREATE TRIGGER all_gone AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION "
		   "drop_all()");
	pw_must(record("a", "SELECT 1")); /* might have set anything: prepared anew behind it */
	pw_must(record(NULL, "DELETE FROM t"));
	pw_must(record("b", "DELETE FROM t"));
	assert_int_equal(pw_number(pw.db,
				   "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE "
				   "'bascule%'"),
			 2);
	pw_must(record("c", "DEALLOCATE ALL"));
	pw_must(record("d", "DELETE FROM t"));
	/* A failure takes along what was prepared, and the next one is as good as ever. */
	pw_fails(record("e", "INSERT INTO nothing VALUES (1)"), ERR_DB);
	pw_must(record("e", "DELETE FROM t"));
	/* Nobody can see this one coming: it is worth another try. */
	pw_must(record("f", "INSERT INTO t VALUES (1)"));
	pw_fails(record("g", "DELETE FROM t"), ERR_BUSY);
	pw_must(record("g", "DELETE FROM t"));
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM bascule_history"), 8);
}

/* More than any socket holds, in both directions. */
static void units__never_deadlock__on_full_buffers(void **state)
{
	size_t bytes = 16 << 20, failed;
	char *sql = mem_alloc(bytes + 64);

	(void)state;
	memset(sql, 'x', bytes);
	memcpy(sql, "SELECT '", 8);
	snprintf(sql + bytes, 64, "' FROM generate_series(1, 3)");
	for (int i = 0; i < 4; i++)
		send3(sql);
	for (int i = 0; i < 4; i++)
		pw_must(db_unit_result(pw.db, &failed, &pw.e));
	assert_true(db_unit_max_bytes(pw.db) > bytes);
	mem_free(sql);
}

static void units__are_stopped__by_a_cancel(void **state)
{
	struct later l = { NULL, 0 };
	pthread_t thread;
	size_t failed;
	int64_t took;

	(void)state;
	pw_foreign("CREATE TABLE t (v integer)");
	send3("INSERT INTO t VALUES (1)");
	send3("SELECT pg_sleep(60)");
	send3("INSERT INTO t VALUES (2)");
	pw_must(db_unit_result(pw.db, &failed, &pw.e));
	pthread_create(&thread, NULL, pw_stop_later, &l);
	pw_fails(db_unit_result(pw.db, &failed, &pw.e), ERR_CANCELLED);
	took = clock_mono_ms() - l.fired_ms;
	pthread_join(thread, NULL);
	assert_true(took < PW_BOUND_MS);
	pw_must(db_units_clear(pw.db, &pw.e));
	db_set_cancel(pw.db, NULL);
	assert_int_equal(pw_number(pw.db, "SELECT count(*) FROM t"), 1);
}

static void units__end__at_copy_and_at_a_lost_server(void **state)
{
	size_t failed = 99;
	struct db *other = pw_again();
	struct db_session mine;

	(void)state;
	pw_foreign("CREATE TABLE t (v integer)");
	pw_must(db_session(other, &mine, &pw.e));
	send3("COPY t FROM STDIN");
	pw_fails(db_unit_result(pw.db, &failed, &pw.e), ERR_INPUT);
	assert_int_equal(failed, 1);
	assert_int_equal(db_units_clear(pw.db, &pw.e), -1);
	db_close(pw.db);
	pw.db = other;
	other = pw_again();
	pw_must(db_session(pw.db, &mine, &pw.e));
	send3("SELECT pg_sleep(60)");
	pw_must(db_session_end(other, &mine, &pw.e));
	pw_fails(db_unit_result(pw.db, &failed, &pw.e), ERR_LOST);
	assert_int_equal(failed, 3);
	assert_int_equal(db_units_clear(pw.db, &pw.e), -1);
	db_close(other);
}

/* --- Locks and the fence ----------------------------------------------------------------------- */

static void advisory__is_one_lock__of_one_session(void **state)
{
	struct db *other = pw_again();
	struct db_session mine, holder;
	bool got, held;

	(void)state;
	pw_must(db_session(pw.db, &mine, &pw.e));
	pw_must(db_advisory_holder(other, "run", &held, &holder, &pw.e));
	assert_false(held);
	for (int i = 0; i < 3; i++) {
		pw_must(db_advisory_lock(pw.db, "run", &got, &pw.e));
		assert_true(got);
	}
	pw_must(db_advisory_lock(other, "run", &got, &pw.e));
	assert_false(got);
	pw_must(db_advisory_holder(other, "run", &held, &holder, &pw.e));
	assert_true(held);
	assert_int_equal(holder.id, mine.id);
	assert_string_equal(holder.started, mine.started);
	assert_int_equal(strlen(mine.started), 26);
	db_advisory_unlock(pw.db, "run");
	pw_must(db_advisory_lock(other, "run", &got, &pw.e));
	assert_true(got);
	db_close(other);
}

static int fence(int64_t epoch)
{
	struct strbuf b;
	size_t failed;
	struct db_item item[2] = { text_item("BEGIN") };
	int result;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	db_fence_sql(pw.db, "run", epoch, &b);
	item[1].text = strbuf_sv(&b);
	pw_must(db_unit_send(pw.db, item, 2, &pw.e));
	result = db_unit_result(pw.db, &failed, &pw.e);
	if (result != 0) {
		struct err why = pw.e;

		assert_int_equal(failed, 1);
		pw_must(db_units_clear(pw.db, &pw.e));
		pw.e = why;
	}
	strbuf_clear(&b);
	db_rollback(pw.db);
	return result;
}

static void fence__fails__unless_all_is_ours(void **state)
{
	struct db *other = pw_again();
	bool got;

	(void)state;
	pw_must(fence(3)); /* and takes the lock that nobody has */
	pw_fails(fence(2), ERR_DB);
	assert_true(db_is_fence_error(pw.db, &pw.e));
	assert_non_null(strstr(pw.e.detail, "epoch 3 of alice"));
	pw_fails(db_foreign(pw.db, SV("SELECT 'x'::integer"), NULL, &pw.e), ERR_DB);
	assert_false(db_is_fence_error(pw.db, &pw.e));
	pw_foreign("SELECT pg_advisory_unlock_all()");
	pw_must(db_advisory_lock(other, "run", &got, &pw.e));
	assert_true(got);
	pw_fails(fence(3), ERR_DB);
	assert_true(db_is_fence_error(pw.db, &pw.e));
	assert_non_null(strstr(pw.e.detail, "another session"));
	db_advisory_unlock(other, "run");
	pw_must(fence(3));
	pw_must(db_exec(pw.db, "DELETE FROM bascule_lock", NULL, 0, NULL, NULL, &pw.e));
	pw_fails(fence(3), ERR_DB);
	assert_true(db_is_fence_error(pw.db, &pw.e));
	assert_non_null(strstr(pw.e.detail, "no row"));
	db_close(other);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(units__are_answered__in_order),
		CASE(units__stop__at_the_first_failure),
		CASE(units__without_begin__hold_back_the_next),
		CASE(units__mix__ours_and_theirs),
		CASE(units__go_on__without_what_was_prepared),
		CASE(units__never_deadlock__on_full_buffers),
		CASE(units__are_stopped__by_a_cancel),
		CASE(units__end__at_copy_and_at_a_lost_server),
		CASE(advisory__is_one_lock__of_one_session),
		CASE(fence__fails__unless_all_is_ours),
	};

	return cmocka_run_group_tests(cases, pw_group_setup, pw_group_teardown);
}
