/* SPDX-License-Identifier: MIT */
/*
 * What only SQLite has: PRAGMAs, foreign keys that must be off, files beside the file, files that
 * are no database, and result codes. What every driver must do is in tests/contract/test_db.c.
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

static void foreign(const char *sql)
{
	must(db_foreign(db, sv_of(sql), NULL, &e));
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

/* --- PRAGMAs ----------------------------------------------------------------------------------- */

static void pragma__is_refused_inside__unless_harmless(void **state)
{
	static const char *const refused_inside[] = {
		"PRAGMA journal_mode = WAL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA writable_schema = 1",
		"PRAGMA busy_timeout = 1",
		"PRAGMA synchronous = OFF",
		"pragma main.locking_mode = 1",
		"PRAGMA legacy_alter_table = 1",
		"PRAGMA wal_checkpoint",
		"PRAGMA no_such_thing",
		"PRAGMA query_only = 1",
		"PRAGMA optimize",
	};
	static const char *const allowed_inside[] = {
		"PRAGMA user_version = 7",  "PRAGMA table_info(t)",
		"PRAGMA foreign_key_check", "PRAGMA integrity_check",
		"PRAGMA main.user_version", "SELECT * FROM pragma_table_info('t')",
	};

	(void)state;
	must(db_migration_begin(db, NULL, 0, &e));
	for (size_t i = 0; i < sizeof(refused_inside) / sizeof(refused_inside[0]); i++) {
		fails(db_foreign(db, sv_of(refused_inside[i]), NULL, &e), ERR_INPUT);
		assert_non_null(strstr(e.detail, "PRAGMA"));
	}
	for (size_t i = 0; i < sizeof(allowed_inside) / sizeof(allowed_inside[0]); i++)
		foreign(allowed_inside[i]);
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "PRAGMA user_version"), 7);
}

static void pragma__runs_before_the_transaction__when_hoisted(void **state)
{
	const struct sv hoist[] = {
		SV("PRAGMA legacy_alter_table = ON"),
		SV("PRAGMA foreign_keys = ON"),
		SV("PRAGMA cache_size = 77"),
		SV("PRAGMA cache_size = 78"),
	};
	int64_t cache = count(db, "PRAGMA cache_size");

	(void)state;
	must(db_migration_begin(db, hoist, 4, &e));
	assert_int_equal(count(db, "PRAGMA legacy_alter_table"), 1);
	assert_int_equal(count(db, "PRAGMA cache_size"), 78);
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 0);
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "PRAGMA legacy_alter_table"), 0);
	assert_int_equal(count(db, "PRAGMA cache_size"), cache);
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 0);
	/* The same after a rollback. */
	must(db_migration_begin(db, hoist, 4, &e));
	db_migration_rollback(db);
	assert_int_equal(count(db, "PRAGMA legacy_alter_table"), 0);
	assert_int_equal(count(db, "PRAGMA cache_size"), cache);
}

static void foreign_keys__are_as_before__when_they_were_on(void **state)
{
	(void)state;
	must(db_script(db, "PRAGMA foreign_keys = ON", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 0);
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 1);
	must(db_migration_begin(db, NULL, 0, &e));
	db_migration_rollback(db);
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 1);
}

static void pragma__is_undone_with_the_transaction__when_it_writes(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA user_version = 9") };

	(void)state;
	must(db_migration_begin(db, hoist, 1, &e));
	assert_int_equal(count(db, "PRAGMA user_version"), 9);
	db_migration_rollback(db);
	assert_int_equal(count(db, "PRAGMA user_version"), 0);
}

static void pragma__is_refused_before__when_dangerous(void **state)
{
	static const char *const refused_before[] = {
		"PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA busy_timeout = 0",
		"PRAGMA synchronous = 0",
		"PRAGMA writable_schema = ON",
		"PRAGMA wal_checkpoint",
		"DELETE FROM t",
		"ATTACH 'x' AS y",
		"BEGIN",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused_before) / sizeof(refused_before[0]); i++) {
		struct sv hoist = sv_of(refused_before[i]);

		fails(db_migration_begin(db, &hoist, 1, &e), ERR_INPUT);
		assert_false(db_in_transaction(db));
	}
	must(db_migration_begin(db, NULL, 0, &e));
	db_migration_rollback(db);
}

static void journal_mode__may_be_changed__by_a_hoisted_pragma(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA journal_mode = WAL") };
	struct db_info info;

	(void)state;
	must(db_migration_begin(db, hoist, 1, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
	must(db_info(db, &info, &e));
	assert_string_equal(info.durability, "journal_mode=wal synchronous=full");
}

static void vacuum__works_outside__and_not_inside(void **state)
{
	(void)state;
	must(db_script(db,
		       "CREATE TABLE bascule_x (a INTEGER); INSERT INTO bascule_x VALUES (1);"
		       "CREATE INDEX bascule_i ON bascule_x (a)",
		       &e));
	foreign("VACUUM");
	assert_int_equal(count(db, "SELECT a FROM bascule_x"), 1);
	must(db_migration_begin(db, NULL, 0, &e));
	fails(db_foreign(db, SV("VACUUM"), NULL, &e), ERR_DB);
	db_migration_rollback(db);
	fails(db_foreign(db, SV("ATTACH 'x' AS y"), NULL, &e), ERR_INPUT);
	fails(db_foreign(db, SV("VACUUM INTO 'elsewhere'"), NULL, &e), ERR_INPUT);
}

static void transaction__is_gone__when_a_statement_rolled_it_back(void **state)
{
	(void)state;
	foreign("INSERT INTO t (id) VALUES (1)");
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("INSERT INTO t (id) VALUES (2)");
	fails(db_foreign(db, SV("INSERT OR ROLLBACK INTO t (id) VALUES (1)"), NULL, &e), ERR_DB);
	assert_false(db_in_transaction(db));
	fails(db_migration_commit(db, &e), ERR_DB);
	db_migration_rollback(db);
	assert_int_equal(count(db, "SELECT count(*) FROM t"), 1);
	must(db_migration_begin(db, NULL, 0, &e));
	db_migration_rollback(db);
}

/* --- Triggers and tables of ours --------------------------------------------------------------- */

static void trigger__cannot_reach__tables_of_bascule(void **state)
{
	(void)state;
	must(db_script(db, "CREATE TABLE bascule_x (a INTEGER)", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	fails(db_foreign(db, SV("CREATE TRIGGER g AFTER INSERT ON bascule_x BEGIN SELECT 1; END"),
			 NULL, &e),
	      ERR_INPUT);
	foreign("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM bascule_x; END");
	fails(db_foreign(db, SV("INSERT INTO t (v) VALUES ('a')"), NULL, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "bascule_x"));
	db_migration_rollback(db);
}

/* --- Foreign keys ------------------------------------------------------------------------------ */

static void make_family(void)
{
	must(db_script(db,
		       "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);"
		       "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL "
		       "REFERENCES parent (id) ON DELETE CASCADE);"
		       "INSERT INTO parent VALUES (1, 'a'), (2, 'b');"
		       "INSERT INTO child VALUES (10, 1), (11, 1), (12, 2)",
		       &e));
}

static void rebuild__keeps__the_rows_of_children(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA foreign_keys = ON") };

	(void)state;
	make_family();
	must(db_migration_begin(db, hoist, 1, &e));
	foreign("CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
	foreign("INSERT INTO parent_new SELECT * FROM parent");
	foreign("DROP TABLE parent");
	foreign("ALTER TABLE parent_new RENAME TO parent");
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "SELECT count(*) FROM child"), 3);
	fails(db_exec(db, "INSERT INTO parent VALUES (3, NULL)", NULL, 0, NULL, NULL, &e), ERR_DB);
}

static void violation__is_refused__when_it_is_new(void **state)
{
	(void)state;
	make_family();
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("DELETE FROM parent WHERE id = 2");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "table child row 12 has no parent in parent"));
	assert_true(db_in_transaction(db));
	db_migration_rollback(db);
	assert_int_equal(count(db, "SELECT count(*) FROM parent"), 2);
	/* Said again the second time, and mended in the same migration it is fine. */
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("DELETE FROM parent WHERE id = 2");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	db_migration_rollback(db);
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("DELETE FROM parent WHERE id = 2");
	foreign("DELETE FROM child WHERE parent = 2");
	must(db_migration_commit(db, &e));
}

static void violation__is_tolerated__when_it_was_there_before(void **state)
{
	(void)state;
	make_family();
	must(db_script(db, "INSERT INTO child VALUES (13, 99)", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
	/* A new one beside the old one is still refused, the same one again is not. */
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("INSERT INTO child VALUES (14, 99)");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "row 14"));
	assert_non_null(strstr(e.msg, "1 row "));
	db_migration_rollback(db);
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE child_new (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent "
		"(id))");
	foreign("INSERT INTO child_new SELECT * FROM child");
	foreign("DROP TABLE child");
	foreign("ALTER TABLE child_new RENAME TO child");
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "SELECT count(*) FROM child"), 4);
}

static void violation__is_tolerated__when_somebody_else_made_it_meanwhile(void **state)
{
	struct db *other = open_at("shop.db", 0);

	(void)state;
	make_family();
	must(db_migration_begin(db, NULL, 0, &e));
	must(db_migration_commit(db, &e));
	must(db_script(other, "INSERT INTO child VALUES (13, 99)", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
	db_close(other);
}

static void violation__is_counted__in_tables_without_rowid(void **state)
{
	(void)state;
	make_family();
	must(db_script(db,
		       "CREATE TABLE pet (name TEXT PRIMARY KEY, parent INTEGER REFERENCES parent)"
		       " WITHOUT ROWID; INSERT INTO pet VALUES ('rex', 99), ('tom', 98)",
		       &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("UPDATE pet SET name = 'max' WHERE name = 'rex'");
	must(db_migration_commit(db, &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("INSERT INTO pet VALUES ('leo', 97)");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "without rowid"));
	db_migration_rollback(db);
}

static void declaration__is_refused__when_it_cannot_work(void **state)
{
	(void)state;
	make_family();
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE odd (x TEXT REFERENCES parent (name))");
	foreign("INSERT INTO odd VALUES ('a')");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "mismatch"));
	db_migration_rollback(db);
	/* One from before blocks nothing. */
	must(db_script(db,
		       "CREATE TABLE odd (x TEXT REFERENCES parent (name));"
		       "INSERT INTO odd VALUES ('a')",
		       &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
}

/* The migration outgrows the page cache, so that the file is locked against every other reader:
 * the comparison with before must work all the same. */
static void violation__is_compared__when_the_cache_has_spilled(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA cache_size = 5") };

	(void)state;
	make_family();
	must(db_script(db, "INSERT INTO child VALUES (13, 99)", &e));
	must(db_migration_begin(db, hoist, 1, &e));
	must(fill(5000));
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "SELECT count(*) FROM t"), 5000);
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
		CASE(pragma__is_refused_inside__unless_harmless),
		CASE(pragma__runs_before_the_transaction__when_hoisted),
		CASE(foreign_keys__are_as_before__when_they_were_on),
		CASE(pragma__is_undone_with_the_transaction__when_it_writes),
		CASE(pragma__is_refused_before__when_dangerous),
		CASE(journal_mode__may_be_changed__by_a_hoisted_pragma),
		CASE(vacuum__works_outside__and_not_inside),
		CASE(transaction__is_gone__when_a_statement_rolled_it_back),
		CASE(trigger__cannot_reach__tables_of_bascule),
		CASE(rebuild__keeps__the_rows_of_children),
		CASE(violation__is_refused__when_it_is_new),
		CASE(violation__is_tolerated__when_it_was_there_before),
		CASE(violation__is_tolerated__when_somebody_else_made_it_meanwhile),
		CASE(violation__is_counted__in_tables_without_rowid),
		CASE(declaration__is_refused__when_it_cannot_work),
		CASE(violation__is_compared__when_the_cache_has_spilled),
	};

	if (argc == 4 && strcmp(argv[1], "crash") == 0)
		return crash(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
