/* SPDX-License-Identifier: MIT */
/*
 * What only SQLite has: files beside the file, files that are no database, and result codes. What
 * a migration meets there is in test_db_sqlite_migration.c, what every driver must do in
 * tests/contract/test_db.c.
 *
 * A transaction that a crash cut off needs a process that dies: this program starts itself with
 * the argument "crash".
 */
#include "core/db/db.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *dir;
static struct arena arena;
static struct dsn dsn;
static struct db *db;
static struct err e;

static void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(e.code), e.msg, e.sys, e.detail);
}

static void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (e.code != code)
		fail_msg("expected %s, got %s: %s: %s", err_code_name(code), err_code_name(e.code),
			 e.msg, e.detail);
}

static struct dsn dsn_of(const char *name)
{
	struct dsn d;

	must(dsn_parse(&arena, arena_printf(&arena, "sqlite:%s", name), dir, &d, &e));
	return d;
}

static struct db *open_at(const char *name, unsigned flags)
{
	struct dsn d = dsn_of(name);
	struct db_options opt = { .lock_timeout_ms = 60 };
	struct db *other = NULL;

	must(db_open(&d, flags, &opt, NULL, &other, &e));
	return other;
}

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	arena_init(&arena);
	err_clear(&e);
	dsn = dsn_of("shop.db");
	db = open_at("shop.db", DB_CREATE);
	must(db_script(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	db = NULL;
	arena_clear(&arena);
	tmp_remove(dir);
	return 0;
}

static int64_t count(struct db *on, const char *sql)
{
	int64_t n;

	must(db_int(on, sql, NULL, 0, -1, &n, &e));
	return n;
}

static bool in_dir(const char *name)
{
	char *path = tmp_path(dir, name);
	bool there = fs_exists(path);

	mem_free(path);
	return there;
}

/* --- Files that are no database ---------------------------------------------------------------- */

static void refused(const char *name, unsigned flags, enum err_code code, const char *word)
{
	struct dsn d = dsn_of(name);
	struct db *other = NULL;

	fails(db_open(&d, flags, NULL, NULL, &other, &e), code);
	assert_null(other);
	if (strstr(e.msg, word) == NULL && strstr(e.detail, word) == NULL)
		fail_msg("no \"%s\" in: %s / %s", word, e.msg, e.detail);
}

static void open__refuses__what_is_not_a_regular_file(void **state)
{
	char *fifo = tmp_path(dir, "fifo.db");

	(void)state;
	tmp_write(dir, "folder.db/x", "");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (unsigned flags = 0; flags <= DB_READ_ONLY; flags++) {
		refused("folder.db", flags, ERR_INPUT, "folder");
		refused("fifo.db", flags, ERR_INPUT, "regular");
	}
	mem_free(fifo);
}

static void open__refuses__a_file_of_another_kind(void **state)
{
	static const char header[4096] = "SQLite format 4";

	(void)state;
	tmp_write(dir, "text.db", "CREATE TABLE t (id);\n");
	tmp_write_bytes(dir, "other.db", header, sizeof(header));
	for (unsigned flags = 0; flags <= DB_READ_ONLY; flags++) {
		refused("text.db", flags, ERR_CORRUPT, "not a database");
		assert_non_null(strstr(e.hint, "text.db"));
		refused("other.db", flags, ERR_CORRUPT, "not a database");
	}
	assert_false(in_dir("text.db-journal"));
}

static void open__takes__an_empty_file(void **state)
{
	struct db *other;

	(void)state;
	tmp_write(dir, "empty.db", "");
	other = open_at("empty.db", DB_READ_ONLY);
	must(db_verify(other, &e));
	db_close(other);
	other = open_at("empty.db", 0);
	must(db_script(other, "CREATE TABLE t (x)", &e));
	db_close(other);
}

static void open__follows__links_and_odd_names(void **state)
{
	char *link_path = tmp_path(dir, "a link.db");
	char *target = tmp_path(dir, "shop.db");
	struct db *other;

	(void)state;
	assert_int_equal(symlink(target, link_path), 0);
	other = open_at("a link.db", 0);
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 0);
	db_close(other);
	other = open_at("100%25 #1 \xC3\xBC.db", DB_CREATE);
	must(db_script(other, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)", &e));
	db_close(other);
	assert_true(in_dir("100%25 #1 \xC3\xBC.db"));
	mem_free(link_path);
	mem_free(target);
}

static void verify__names__the_first_damage(void **state)
{
	char *path = tmp_path(dir, "shop.db");
	struct db *other;
	char zeros[2000] = { 0 };
	int fd;

	(void)state;
	must(db_begin(db, &e));
	for (int i = 0; i < 2000; i++)
		must(db_exec(db, "INSERT INTO t (v) VALUES ('0123456789012345678901234567890')",
			     NULL, 0, NULL, NULL, &e));
	must(db_commit(db, &e));
	must(db_verify(db, &e));
	db_close(db);
	db = NULL;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 4096 * 5), sizeof(zeros));
	close(fd);
	other = open_at("shop.db", DB_READ_ONLY);
	fails(db_verify(other, &e), ERR_CORRUPT);
	assert_string_not_equal(e.detail, "");
	assert_string_not_equal(e.detail, "ok");
	fails(db_int(other, "SELECT count(v) FROM t", NULL, 0, 0, &(int64_t){ 0 }, &e),
	      ERR_CORRUPT);
	db_close(other);
	mem_free(path);
}

/* --- Reading leaves nothing behind ------------------------------------------------------------- */

static void read_only__leaves_no_files__beside_a_wal_database(void **state)
{
	struct db *other;

	(void)state;
	must(db_script(db, "PRAGMA journal_mode = WAL; INSERT INTO t (v) VALUES ('a')", &e));
	/* While somebody writes, the log is there and is read. */
	other = open_at("shop.db", DB_READ_ONLY);
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 1);
	db_close(other);
	assert_true(in_dir("shop.db-wal"));
	db_close(db);
	db = NULL;
	assert_false(in_dir("shop.db-wal"));
	other = open_at("shop.db", DB_READ_ONLY);
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 1);
	fails(db_begin(other, &e), ERR_SYSTEM);
	fails(db_foreign(other, SV("DELETE FROM t"), NULL, &e), ERR_SYSTEM);
	assert_string_equal(e.sys, "EROFS");
	db_close(other);
	assert_false(in_dir("shop.db-wal"));
	assert_false(in_dir("shop.db-shm"));
}

static void read_only__sees__what_is_written_meanwhile(void **state)
{
	struct db *other;

	(void)state;
	must(db_script(db, "PRAGMA journal_mode = WAL", &e));
	db_close(db);
	other = open_at("shop.db", DB_READ_ONLY);
	db = open_at("shop.db", 0);
	must(db_script(db, "INSERT INTO t (v) VALUES ('a'), ('b')", &e));
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 2);
	db_close(other);
}

/* A folder and a file that this process may only read. Root may write everywhere, so it steps down;
 * that needs a folder outside the private one, which others cannot enter. */
static char *stranger_dir;

static void stranger_begin(const char *script)
{
	char path[64] = "/tmp/bascule-test-XXXXXX";
	struct strbuf b;
	struct dsn d;
	struct db *other = NULL;

	assert_non_null(mkdtemp(path));
	stranger_dir = mem_strdup(path);
	strbuf_init(&b, 200);
	strbuf_addf(&b, "%s/ro.db", path);
	d = (struct dsn){ .engine = "sqlite", .path = strbuf_str(&b), .shown = "ro.db" };
	must(db_open(&d, DB_CREATE, NULL, NULL, &other, &e));
	must(db_script(other, script, &e));
	db_close(other);
	assert_int_equal(chmod(strbuf_str(&b), 0444), 0);
	assert_int_equal(chmod(path, 0555), 0);
	strbuf_clear(&b);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
}

static int stranger_end(void **state)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	if (stranger_dir != NULL)
		tmp_remove(stranger_dir);
	stranger_dir = NULL;
	return teardown(state);
}

static struct dsn stranger_dsn(void)
{
	const char *path = arena_printf(&arena, "%s/ro.db", stranger_dir);

	return (struct dsn){ .engine = "sqlite", .path = path, .shown = path };
}

static void open__refuses_writing__a_file_it_may_only_read(void **state)
{
	struct db *other = NULL;
	struct dsn d;

	(void)state;
	stranger_begin("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
	d = stranger_dsn();
	fails(db_open(&d, 0, NULL, NULL, &other, &e), ERR_SYSTEM);
	assert_string_equal(e.sys, "EACCES");
	must(db_open(&d, DB_READ_ONLY, NULL, NULL, &other, &e));
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 1);
	db_close(other);
}

static void read_only__works__where_a_wal_cannot_be_made(void **state)
{
	struct db *other = NULL;
	struct dsn d;

	(void)state;
	stranger_begin("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)");
	d = stranger_dsn();
	must(db_open(&d, DB_READ_ONLY, NULL, NULL, &other, &e));
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 1);
	db_close(other);
}

/* --- Crashes ----------------------------------------------------------------------------------- */

/* In a process of its own: dies inside a transaction whose pages are on disk already. */
static int crash(const char *path, const char *mode)
{
	struct dsn d = { .engine = "sqlite", .path = path, .shown = path };
	struct db *mine = NULL;

	if (db_open(&d, 0, NULL, NULL, &mine, &e) != 0 || db_script(mine, mode, &e) != 0 ||
	    db_script(mine, "PRAGMA cache_size = 1", &e) != 0 || db_begin(mine, &e) != 0)
		return 1;
	for (int i = 0; i < 5000; i++)
		if (db_exec(mine, "INSERT INTO t (v) VALUES ('0123456789012345678901234567890')",
			    NULL, 0, NULL, NULL, &e) != 0)
			return 1;
	raise(SIGKILL);
	return 1;
}

static void crash_child(const char *mode)
{
	char exe[] = "/proc/self/exe";
	char role[] = "crash";
	char *path = tmp_path(dir, "shop.db");
	char *how = mem_strdup(mode);
	char *argv[] = { exe, role, path, how, NULL };
	struct tmp_child child;

	tmp_run(&child, NULL, argv);
	assert_int_equal(child.status, 128 + SIGKILL);
	tmp_child_clear(&child);
	mem_free(how);
	mem_free(path);
}

static void read_only__plays_back__a_journal_left_by_a_crash(void **state)
{
	struct db *other;

	(void)state;
	must(db_script(db, "INSERT INTO t (v) VALUES ('before')", &e));
	db_close(db);
	db = NULL;
	crash_child("PRAGMA journal_mode = DELETE");
	assert_true(in_dir("shop.db-journal"));
	other = open_at("shop.db", DB_READ_ONLY);
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 1);
	must(db_verify(other, &e));
	fails(db_begin(other, &e), ERR_SYSTEM);
	db_close(other);
	assert_false(in_dir("shop.db-journal"));
}

static void open__recovers__after_a_crash_in_either_mode(void **state)
{
	static const char *const mode[] = { "PRAGMA journal_mode = WAL",
					    "PRAGMA journal_mode = DELETE" };

	(void)state;
	must(db_script(db, "INSERT INTO t (v) VALUES ('before')", &e));
	for (int i = 0; i < 2; i++) {
		db_close(db);
		db = NULL;
		crash_child(mode[i]);
		db = open_at("shop.db", 0);
		assert_int_equal(count(db, "SELECT count(*) FROM t"), 1);
		must(db_verify(db, &e));
	}
}

static void read_only__reads__a_wal_left_by_a_crash(void **state)
{
	struct db *other;

	(void)state;
	db_close(db);
	db = NULL;
	crash_child("PRAGMA journal_mode = WAL");
	other = open_at("shop.db", DB_READ_ONLY);
	assert_int_equal(count(other, "SELECT count(*) FROM t"), 0);
	db_close(other);
}

/* --- No room ----------------------------------------------------------------------------------- */

static int fill(int rows)
{
	for (int i = 0; i < rows; i++)
		if (db_exec(db, "INSERT INTO t (v) VALUES ('0123456789012345678901234567890')",
			    NULL, 0, NULL, NULL, &e) != 0)
			return -1;
	return 0;
}

static void full__is_enospc__and_nothing_is_half_done(void **state)
{
	(void)state;
	must(db_script(db, "PRAGMA max_page_count = 20", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	fails(fill(10000), ERR_SYSTEM);
	assert_string_equal(e.sys, "ENOSPC");
	assert_non_null(strstr(e.hint, "room"));
	db_migration_rollback(db);
	assert_int_equal(count(db, "SELECT count(*) FROM t"), 0);
	must(db_verify(db, &e));
}

static void file_limit__is_a_system_error__and_nothing_is_half_done(void **state)
{
	struct rlimit before, small;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	int result;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 64 << 10;
	must(db_script(db, "PRAGMA cache_size = 5", &e));
	must(db_begin(db, &e));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	result = fill(10000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	fails(result, ERR_SYSTEM);
	assert_string_not_equal(e.sys, "");
	db_rollback(db);
	assert_int_equal(count(db, "SELECT count(*) FROM t"), 0);
	must(db_verify(db, &e));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(open__refuses__what_is_not_a_regular_file),
		CASE(open__refuses__a_file_of_another_kind),
		CASE(open__takes__an_empty_file),
		CASE(open__follows__links_and_odd_names),
		CASE(verify__names__the_first_damage),
		CASE(read_only__leaves_no_files__beside_a_wal_database),
		CASE(read_only__sees__what_is_written_meanwhile),
		cmocka_unit_test_setup_teardown(open__refuses_writing__a_file_it_may_only_read,
						setup, stranger_end),
		cmocka_unit_test_setup_teardown(read_only__works__where_a_wal_cannot_be_made, setup,
						stranger_end),
		CASE(read_only__plays_back__a_journal_left_by_a_crash),
		CASE(open__recovers__after_a_crash_in_either_mode),
		CASE(read_only__reads__a_wal_left_by_a_crash),
		CASE(full__is_enospc__and_nothing_is_half_done),
		CASE(file_limit__is_a_system_error__and_nothing_is_half_done),
	};

	if (argc == 4 && strcmp(argv[1], "crash") == 0)
		return crash(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
