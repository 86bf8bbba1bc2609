/* SPDX-License-Identifier: MIT */
/* Checksums of other tools by known answers, and what the matrix makes of them; lock keys. */
#include "core/migrate/foreign.h"

#include "core/base/fs.h"
#include "core/migrate/matrix.h"
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
static struct source *source;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	db = NULL;
	h = NULL;
	source = NULL;
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	history_free(h);
	source_free(source);
	db_close(db);
	tmp_remove(dir);
	return 0;
}

static void put(const char *name, struct sv text)
{
	char *path = path_join(dir, name), *folder = path_dir(path);

	if (fs_mkdirs(folder, 0700, &e) != 0 || fs_replace(path, text.p, text.n, 0600, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	mem_free(folder);
	mem_free(path);
}

/* Reads history and files, and joins them. */
static void join(const char *sql)
{
	struct source_spec spec = { .dir = dir };

	db = sqlite_make(dir, "a.sqlite", sql);
	if (history_read(db, false, &h, &e) != 0 || source_scan(&spec, NULL, &source, &e) != 0 ||
	    history_join(h, source, NULL, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static enum cell_state state_of(size_t row)
{
	struct matrix_column col = { h, true, NULL };
	struct matrix *m = matrix_build(source, &col, 1, NULL);
	enum cell_state s = row < m->n_row ? m->row[row].cell[0].state : CELL_STATES;

	matrix_free(m);
	return s;
}

static void crc32__is_the_common_one__by_its_check_value(void **state)
{
	(void)state;
	assert_int_equal(foreign_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(foreign_crc32(0, "", 0), 0);
	assert_int_equal(foreign_crc32(foreign_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void flyway__sums_lines__whatever_ends_them(void **state)
{
	int32_t sum = foreign_flyway_crc(SV("123\n456789\n"));

	(void)state;
	assert_int_equal(sum, (int32_t)0xcbf43926);
	assert_int_equal(foreign_flyway_crc(SV("\xEF\xBB\xBF"
					       "123\r\n456\r789")),
			 sum);
	assert_int_equal(foreign_flyway_crc(SV("")), 0);
	assert_int_not_equal(foreign_flyway_crc(SV("123 \n456789")), sum);
}

static void digests__have_their_published_values__of_abc(void **state)
{
	char hex[DIGEST_ANY_HEX_SIZE];

	(void)state;
	digest_hex_by(DIGEST_SHA1, "abc", 3, hex);
	assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_hex_by(DIGEST_SHA256, "abc", 3, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_hex_by(DIGEST_SHA384, "abc", 3, hex);
	assert_string_equal(hex, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
				 "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
}

static void graphile__chains_the_body__behind_the_hash_before(void **state)
{
	static const char head[] = "--! Previous: -\n--! Hash: sha1:x\n--! Message: m\n\n";
	char a[48], b[48], want[DIGEST_ANY_HEX_SIZE];
	char text[200];

	(void)state;
	digest_hex_by(DIGEST_SHA1, "select 1;\n", 10, want);
	foreign_graphile_hash(SV("  select 1;\n\n"), NULL, a);
	assert_string_equal(a + 5, want);
	snprintf(text, sizeof(text), "%sselect 1;\n", head);
	foreign_graphile_hash(sv_of(text), NULL, b);
	assert_string_equal(a, b);
	digest_hex_by(DIGEST_SHA1, "sha1:ff\nselect 1;\n", 18, want);
	foreign_graphile_hash(sv_of(text), "sha1:ff", b);
	assert_string_equal(b + 5, want);
	/* An empty body and nothing before it: one line end. */
	digest_hex_by(DIGEST_SHA1, "\n", 1, want);
	foreign_graphile_hash(SV(""), "", b);
	assert_string_equal(b + 5, want);
}

static void flyway__shows_changed_files__and_equal_ones_as_applied(void **state)
{
	char sql[2048];

	(void)state;
	put("1_a.up.sql", SV("create table a (x int);\r\n"));
	put("2_b.up.sql", SV("create table b (x int);\n"));
	put("3_c.up.sql", SV("create table c (x int);\n"));
	snprintf(
		sql, sizeof(sql),
		"CREATE TABLE flyway_schema_history (installed_rank INT, version, description, type,"
		" script, checksum INT, installed_by, installed_on, execution_time INT, success);"
		"INSERT INTO flyway_schema_history VALUES"
		" (1,'1','a','SQL','x',%d,'f','2024-01-01',1,1),"
		" (2,'2','b','SQL','x',%d,'f','2024-01-01',1,1),"
		" (3,'3','c','SQL','x',NULL,'f','2024-01-01',1,1);",
		foreign_flyway_crc(SV("create table a (x int);")),
		foreign_flyway_crc(SV("create table b (x text);")));
	join(sql);
	assert_string_equal(h->tool, "flyway");
	assert_int_equal(state_of(0), CELL_APPLIED);
	assert_string_equal(h->list[0].checksum, source->list[0].checksum);
	assert_int_equal(state_of(1), CELL_CHANGED);
	assert_string_equal(h->list[1].checksum, h->list[1].recorded);
	assert_int_equal(state_of(2), CELL_APPLIED);
	assert_null(h->list[2].checksum);
}

static void sqlx__sums_the_bytes__line_ends_included(void **state)
{
	static const char lf[] = "create table a (x int);\n",
			  crlf[] = "create table a (x int);\r\n";
	char hex[DIGEST_ANY_HEX_SIZE], sql[2048];

	(void)state;
	put("1_a.up.sql", SV(crlf));
	put("2_b.up.sql", SV(crlf));
	digest_hex_by(DIGEST_SHA384, crlf, sizeof(crlf) - 1, hex);
	snprintf(
		sql, sizeof(sql),
		"CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT, installed_on"
		" TIMESTAMP, success BOOLEAN, checksum BLOB, execution_time BIGINT);"
		"INSERT INTO _sqlx_migrations VALUES (1,'a','2024-01-01 10:00:00',1,x'%s',1);",
		hex);
	digest_hex_by(DIGEST_SHA384, lf, sizeof(lf) - 1, hex);
	snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
		 "INSERT INTO _sqlx_migrations VALUES (2,'b','2024-01-01 10:00:00',1,x'%s',1);",
		 hex);
	join(sql);
	assert_string_equal(h->tool, "sqlx");
	assert_int_equal(state_of(0), CELL_APPLIED);
	assert_int_equal(state_of(1), CELL_CHANGED);
}

static void dbmate__keeps_none__so_nothing_is_changed(void **state)
{
	(void)state;
	put("1_a.up.sql", SV("create table a (x int);\n"));
	join("CREATE TABLE schema_migrations (version varchar(128) primary key);"
	     "INSERT INTO schema_migrations VALUES ('1');");
	assert_int_equal(state_of(0), CELL_APPLIED);
	assert_null(h->list[0].checksum);
	assert_null(h->list[0].recorded);
}

static void lock_keys__name_their_tool__and_nobody_else(void **state)
{
	uint32_t crc = foreign_crc32(0, "shop", 4);

	(void)state;
	assert_string_equal(foreign_lock_name("shop", "public", NULL, 72707369), "prisma");
	assert_string_equal(foreign_lock_name("shop", "public", NULL, 75474063), "sqitch");
	assert_string_equal(foreign_lock_name("shop", "public", NULL, 4097083626), "goose");
	assert_string_equal(foreign_lock_name("shop", "public", NULL,
					      (int64_t)(2053462845u * (uint64_t)crc)),
			    "rails");
	assert_string_equal(foreign_lock_name("shop", "public", NULL,
					      (int64_t)(0x3d32ad9eu * (uint64_t)crc)),
			    "sqlx");
	assert_string_equal(foreign_lock_name("shop", "public", NULL, 0x466c79776179 - 1234567),
			    "flyway");
	crc = foreign_crc32(0, "public\0schema_migrations\0shop", 29) * 1486364155u;
	assert_string_equal(foreign_lock_name("shop", "public", NULL, crc), "golang-migrate");
	assert_null(foreign_lock_name("other", "public", NULL, crc));
	assert_null(foreign_lock_name("shop", "public", NULL, 0));
	assert_null(foreign_lock_name("shop", "public", NULL, INT64_MIN));
}

int main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(crc32__is_the_common_one__by_its_check_value),
		T(flyway__sums_lines__whatever_ends_them),
		T(digests__have_their_published_values__of_abc),
		T(graphile__chains_the_body__behind_the_hash_before),
		T(flyway__shows_changed_files__and_equal_ones_as_applied),
		T(sqlx__sums_the_bytes__line_ends_included),
		T(dbmate__keeps_none__so_nothing_is_changed),
		T(lock_keys__name_their_tool__and_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
