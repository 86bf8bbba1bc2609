/* SPDX-License-Identifier: MIT */
#include "core/migrate/matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena a;
static struct source source;
static struct history history[3];
static struct matrix_column col[3];
static struct matrix *m;

static int setup(void **state)
{
	(void)state;
	arena_init(&a);
	source = (struct source){ .ns = "main", .dir = "x", .layout = "suffix" };
	source.list = arena_alloc(&a, 20 * sizeof(*source.list));
	for (int i = 0; i < 3; i++) {
		history[i] = (struct history){ .format = 1 };
		history[i].list = arena_alloc(&a, 20 * sizeof(*history[i].list));
		col[i] = (struct matrix_column){ &history[i], true, NULL };
	}
	m = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	matrix_free(m);
	arena_clear(&a);
	return 0;
}

static struct migration *file(const char *id, const char *sum)
{
	struct migration *f = &source.list[source.n++];

	f->ns = "main";
	f->id = id;
	f->title = "from file";
	f->sort_key = migration_sort_key(&a, sv_of(id));
	snprintf(f->checksum, sizeof(f->checksum), "%s", sum);
	return f;
}

static struct applied *done(int env, const char *id, const char *sum)
{
	struct applied *x = &history[env].list[history[env].n++];

	x->ns = "main";
	x->id = id;
	x->title = "from history";
	x->sort_key = migration_sort_key(&a, sv_of(id));
	x->applied = true;
	x->checksum = sum;
	return x;
}

static void build(size_t n_env, const char *pattern)
{
	matrix_free(m);
	m = matrix_build(&source, col, n_env, pattern);
}

static const char *state(const char *id, int env)
{
	const struct matrix_row *row = matrix_find(m, "main", id);

	return row != NULL ? cell_state_name(row->cell[env].state) : "no row";
}

static void rows__are_the_union__in_numeric_order(void **unused)
{
	(void)unused;
	file("2", "s");
	file("10", "s");
	done(0, "1", "s");
	done(0, "2", "s");
	done(1, "2", "s");
	done(1, "11", "s");
	build(2, NULL);
	assert_int_equal(m->n_row, 4);
	assert_string_equal(m->row[0].id, "1");
	assert_string_equal(m->row[1].id, "2");
	assert_string_equal(m->row[2].id, "10");
	assert_string_equal(m->row[3].id, "11");
	assert_string_equal(m->row[0].title, "from history");
	assert_string_equal(m->row[1].title, "from file");
	assert_null(m->row[0].file);
	assert_non_null(m->row[1].file);
	assert_non_null(m->row[1].cell[1].applied);
	assert_null(matrix_find(m, "main", "3"));
	assert_null(matrix_find(m, "other", "2"));
}

static void cells__tell_every_state(void **unused)
{
	struct applied *x;

	(void)unused;
	file("1", "s");
	file("2", "s");
	file("3", "new");
	file("4", "s");
	file("6", "s");
	file("7", "s");
	done(0, "1", "s");
	done(0, "3", "old");
	x = done(0, "4", NULL);
	x->applied = false;
	x->failed = true;
	done(0, "5", "s");
	x = done(0, "6", NULL);
	x->applied = false; /* rolled back */
	col[1].history = NULL;
	col[2].has_db = false;
	build(3, NULL);
	assert_string_equal(state("1", 0), "applied");
	assert_string_equal(state("2", 0), "late");
	assert_string_equal(state("3", 0), "changed");
	assert_string_equal(state("4", 0), "failed");
	assert_string_equal(state("5", 0), "missing");
	assert_string_equal(state("6", 0), "pending");
	assert_string_equal(state("7", 0), "pending");
	assert_string_equal(state("1", 1), "unknown");
	assert_string_equal(state("5", 1), "unknown");
	assert_string_equal(state("1", 2), "none");
	assert_int_equal(m->count[0].applied, 3);
	assert_int_equal(m->count[0].pending, 2);
	assert_int_equal(m->count[0].late, 1);
	assert_int_equal(m->count[0].failed, 1);
	assert_int_equal(m->count[0].changed, 1);
	assert_int_equal(m->count[0].missing, 1);
	assert_string_equal(m->count[0].head, "5");
	assert_null(m->count[1].head);
	assert_int_equal(m->count[1].pending, 0);
}

static void late__is_only_before_what_is_in_force(void **unused)
{
	struct applied *x;

	(void)unused;
	file("1", "s");
	file("2", "s");
	file("3", "s");
	x = done(0, "3", NULL);
	x->applied = false;
	done(1, "3", "s");
	build(2, NULL);
	assert_string_equal(state("1", 0), "pending");
	assert_string_equal(state("1", 1), "late");
	assert_string_equal(state("2", 1), "late");
}

static void unreadable_file__changes_nothing(void **unused)
{
	(void)unused;
	file("1", "");
	done(0, "1", "s");
	build(1, NULL);
	assert_string_equal(state("1", 0), "applied");
}

static void failed_down__is_shown__and_stays_in_force(void **unused)
{
	struct applied *x;

	(void)unused;
	file("1", "s");
	x = done(0, "1", "s");
	x->failed = x->failed_down = true;
	build(1, NULL);
	assert_string_equal(state("1", 0), "failed");
	assert_int_equal(m->count[0].applied, 1);
	assert_int_equal(m->count[0].pending, 0);
	assert_int_equal(m->count[0].failed, 1);
}

static void differs__compares_state_and_checksum__where_they_are_known(void **unused)
{
	(void)unused;
	file("1", "s");
	file("2", "s");
	file("3", "s");
	file("4", "s");
	done(0, "1", "s");
	done(0, "2", "s");
	done(0, "4", "old");
	done(1, "1", "s");
	done(1, "4", "older");
	col[2].history = NULL;
	build(3, NULL);
	assert_false(matrix_find(m, "main", "1")->differs);
	assert_true(matrix_find(m, "main", "2")->differs);
	assert_true(matrix_find(m, "main", "4")->differs); /* both changed, not alike */
	col[2] = (struct matrix_column){ NULL, false, NULL };
	build(3, NULL);
	assert_false(matrix_find(m, "main", "1")->differs);
	assert_true(m->n_differs >= 2);
}

static void history_only__makes_no_row(void **unused)
{
	struct applied *x;

	(void)unused;
	x = done(0, "1", NULL);
	x->applied = false;
	x = done(1, "2", NULL);
	x->applied = false;
	x->failed = true;
	done(0, "3", "s");
	build(2, NULL);
	assert_int_equal(m->n_row, 1);
	assert_string_equal(state("3", 0), "missing");
	assert_string_equal(state("3", 1), "none");
	assert_true(m->row[0].differs);
}

static void matrix__is_empty__without_anything(void **unused)
{
	(void)unused;
	build(0, NULL);
	assert_int_equal(m->n_row, 0);
	matrix_free(m);
	m = matrix_build(NULL, col, 3, NULL);
	assert_int_equal(m->n_row, 0);
	assert_null(matrix_find(m, "main", "1"));
}

static void label__comes_from_header_pattern_or_id(void **unused)
{
	struct migration f = { .version = "1.8.0" };

	(void)unused;
	assert_string_equal(matrix_label(&a, &f, "008", "1.{n}.0"), "1.8.0");
	assert_string_equal(matrix_label(&a, NULL, "008", "1.{n}.0"), "1.8.0");
	assert_string_equal(matrix_label(&a, NULL, "008", "1.{n:03}.0"), "1.008.0");
	assert_string_equal(matrix_label(&a, NULL, "1000", "{n:03}"), "1000");
	assert_string_equal(matrix_label(&a, NULL, "2.013", "v{n}"), "v13");
	assert_string_equal(matrix_label(&a, NULL, "000", "1.{n}"), "1.0");
	assert_string_equal(matrix_label(&a, NULL, "008", NULL), "008");
	assert_string_equal(matrix_label(&a, NULL, "008", "1.{x}.{"), "1.{x}.{");
}

static void count__labels_the_head(void **unused)
{
	(void)unused;
	file("7", "s");
	file("8", "s")->version = "2.0.0";
	done(0, "7", "s");
	done(0, "8", "s");
	done(1, "7", "s");
	build(2, "1.{n}.0");
	assert_string_equal(m->count[0].schema_version, "2.0.0");
	assert_string_equal(m->count[1].schema_version, "1.7.0");
}

static void names__are_those_of_the_contract(void **unused)
{
	static const char *const want[] = { "none",    "unknown", "applied", "pending", "late",
					    "changed", "missing", "failed",  "partial" };

	(void)unused;
	for (int i = 0; i < CELL_STATES; i++)
		assert_string_equal(cell_state_name((enum cell_state)i), want[i]);
	assert_string_equal(cell_state_name((enum cell_state)99), "unknown");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(rows__are_the_union__in_numeric_order),
		T(cells__tell_every_state),
		T(late__is_only_before_what_is_in_force),
		T(unreadable_file__changes_nothing),
		T(failed_down__is_shown__and_stays_in_force),
		T(differs__compares_state_and_checksum__where_they_are_known),
		T(history_only__makes_no_row),
		T(matrix__is_empty__without_anything),
		T(label__comes_from_header_pattern_or_id),
		T(count__labels_the_head),
		T(names__are_those_of_the_contract),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
