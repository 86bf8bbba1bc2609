/* SPDX-License-Identifier: MIT */
/* A preflight of a database that is a file; those of servers are in tests/contract/preflight.sh. */
#include "core/release/preflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/workspace.h"

static struct workspace w;
static struct preflight p;
static struct err e;

static int setup(void **state)
{
	(void)state;
	workspace_init(&w, 1);
	workspace_tables(&w, 1);
	p = (struct preflight){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	preflight_clear(&p);
	workspace_clear(&w);
	return 0;
}

static const struct preflight_row *row(const char *name)
{
	for (size_t i = 0; i < p.n; i++)
		if (strcmp(p.row[i].name, name) == 0)
			return &p.row[i];
	return NULL;
}

static void ask__missing_file__is_an_error_and_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(unlink(w.project->env[0].dsn.path), 0);
	assert_int_equal(preflight_ask(&w.ctx, &w.project->env[0], NULL, &p, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(p.n, 0);
}

static void ask__stopped__is_cancelled(void **state)
{
	struct cancel c;

	(void)state;
	assert_int_equal(cancel_init(&c, &e), 0);
	cancel_fire(&c);
	assert_int_equal(preflight_ask(&w.ctx, &w.project->env[0], &c, &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	cancel_clear(&c);
}

static void ask__file__has_size_and_room_and_nothing_else(void **state)
{
	(void)state;
	if (preflight_ask(&w.ctx, &w.project->env[0], NULL, &p, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_int_equal(p.n, 2);
	assert_non_null(row("size"));
	assert_int_equal(row("size")->level, PREFLIGHT_OK);
	assert_non_null(row("free disk"));
	assert_true(p.at_utc_ms > 0);
	assert_int_equal(p.n_warn, row("free disk")->level == PREFLIGHT_WARN);
	preflight_clear(&p);
	assert_int_equal(p.n, 0);
}

static void level_names__are_those_of_the_document(void **state)
{
	(void)state;
	assert_string_equal(preflight_level_name(PREFLIGHT_OK), "ok");
	assert_string_equal(preflight_level_name(PREFLIGHT_NOTE), "note");
	assert_string_equal(preflight_level_name(PREFLIGHT_WARN), "warn");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ask__missing_file__is_an_error_and_leaves_nothing),
		CASE(ask__stopped__is_cancelled),
		CASE(ask__file__has_size_and_room_and_nothing_else),
		cmocka_unit_test(level_names__are_those_of_the_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
