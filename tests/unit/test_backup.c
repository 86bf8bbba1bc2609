/* SPDX-License-Identifier: MIT */
#include "core/backup/backup.h"

#include "core/base/fs.h"
#include "core/ledger/ledger.h"
#include "core/migrate/history.h"
#include "tests/support/sqlite.h"
#include "tests/support/tmp.h"

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

static char *dir, *root;
static struct arena a;
static struct dsn dsn;
static struct db *db;
static struct backup b;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	root = tmp_path(dir, "backups");
	arena_init(&a);
	dsn = sqlite_dsn(&a, dir, "a.sqlite");
	db = sqlite_make(dir, "a.sqlite",
			 "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3);"
			 "CREATE INDEX t_x ON t (x); CREATE TABLE empty (y)");
	b = (struct backup){ 0 };
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	backup_clear(&b);
	db_close(db);
	arena_clear(&a);
	free(root);
	tmp_remove(dir);
	return 0;
}

static void take(const char *run)
{
	struct backup_spec spec = {
		.root = root,
		.environment = "staging",
		.trigger = "before-migrate",
		.run = run,
		.who = "alice",
		.host = "laptop",
		.schema_version = "1.8.0",
		.head = "008",
	};

	backup_clear(&b);
	if (backup_take(db, &spec, NULL, &b, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static int64_t add_event(const char *id)
{
	struct history_event ev = {
		.ns = "main",
		.id = id,
		.kind = EVENT_APPLIED,
		.generation = 1,
		.checksum = "s1:a",
	};
	int64_t seq = 0;

	if (ledger_ensure(db, &e) != 0 || db_begin(db, &e) != 0 ||
	    ledger_add(db, &ev, SV("up"), SV("down"), &seq, &e) != 0 || db_commit(db, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	return seq;
}

static mode_t mode_of(const char *folder, const char *name)
{
	char *path = path_join(folder, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	mem_free(path);
	return st.st_mode & 07777;
}

static void take__writes_a_verified_copy__with_its_manifest(void **state)
{
	struct backup *list = NULL;
	size_t n = 0;

	(void)state;
	take("118");
	assert_true(b.verified);
	assert_true(b.bytes > 0);
	assert_int_equal(strlen(b.sha256), 64);
	assert_int_equal(strlen(b.schema_digest), 64);
	assert_non_null(strstr(b.id, "Z-118"));
	assert_int_equal(strlen(b.id), strlen("20261121T140732Z-118"));
	assert_int_equal(mode_of(b.path, "."), 0700);
	assert_int_equal(mode_of(b.path, "data.sqlite"), 0600);
	assert_int_equal(mode_of(b.path, "manifest.json"), 0600);
	assert_int_equal(backup_verify(&b, NULL, &e), 0);
	assert_int_equal(backup_list(root, "staging", &list, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].id, b.id);
	assert_string_equal(list[0].path, b.path);
	assert_string_equal(list[0].environment, "staging");
	assert_string_equal(list[0].engine, "sqlite");
	assert_string_equal(list[0].trigger, "before-migrate");
	assert_string_equal(list[0].who, "alice");
	assert_string_equal(list[0].schema_version, "1.8.0");
	assert_string_equal(list[0].head, "008");
	assert_string_equal(list[0].sha256, b.sha256);
	assert_int_equal(list[0].at_utc_ms, b.at_utc_ms);
	assert_true(list[0].verified);
	backup_list_free(list, n);
	/* Nothing but the two files is left in the folder. */
	assert_int_equal(rmdir(b.path), -1);
}

static void take__makes_another_folder__in_the_same_second(void **state)
{
	char first[48];

	(void)state;
	take("1");
	memcpy(first, b.id, sizeof(first));
	take("1");
	take("1");
	assert_string_not_equal(b.id, first);
}

static void take__leaves_nothing__when_it_fails(void **state)
{
	struct backup_spec spec = { .root = root, .environment = "staging", .run = "1" };
	struct backup *list = NULL;
	size_t n = 9;

	(void)state;
	tmp_write(dir, "backups/staging", "in the way");
	assert_int_equal(backup_take(db, &spec, NULL, &b, &e), -1);
	assert_true(e.msg[0] != '\0');
	assert_int_equal(backup_list(root, NULL, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	backup_list_free(list, n);
	spec.environment = "../outside";
	assert_int_equal(backup_take(db, &spec, NULL, &b, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
}

/* A full disk, as one process can have it: no file may grow past 4 KiB. */
static void take__leaves_nothing__on_a_full_disk(void **state)
{
	struct backup_spec spec = { .root = root, .environment = "staging", .run = "1" };
	struct rlimit old, small;
	char *env = tmp_path(dir, "backups/staging");
	int rc;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ .rlim_cur = 4096, .rlim_max = old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rc = backup_take(db, &spec, NULL, &b, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(e.msg, "cannot back up staging"));
	assert_int_equal(rmdir(env), 0); /* it is empty */
	free(env);
}

static void list__is_empty__without_a_root(void **state)
{
	struct backup *list = NULL;
	size_t n = 9;

	(void)state;
	assert_int_equal(backup_list(root, NULL, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	backup_list_free(list, n);
}

static void list__leaves_out_what_was_not_finished__and_shows_what_is_damaged(void **state)
{
	struct backup *list = NULL;
	size_t n = 0;

	(void)state;
	take("1");
	tmp_write(dir, "backups/staging/20200101T000000Z-9/data.sqlite", "half");
	tmp_write(dir, "backups/staging/20200101T000000Z-8/manifest.json", "{ not json");
	tmp_write(dir, "backups/production/20200101T000000Z-7/manifest.json", "{}");
	assert_int_equal(backup_list(root, NULL, &list, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].id, b.id);
	assert_false(list[1].verified);
	assert_string_equal(list[1].id, "20200101T000000Z-8");
	assert_string_equal(list[2].environment, "production");
	assert_int_equal(backup_verify(&list[1], NULL, &e), -1);
	backup_list_free(list, n);
}

static void find__knows_ids_prefixes_and_latest(void **state)
{
	struct backup found;

	(void)state;
	take("1");
	take("22");
	assert_int_equal(backup_find(root, "staging", b.id, &found, &e), 0);
	assert_string_equal(found.id, b.id);
	backup_clear(&found);
	assert_int_equal(backup_find(root, "staging", "latest", &found, &e), 0);
	assert_string_equal(found.id, b.id);
	backup_clear(&found);
	assert_int_equal(backup_find(root, "staging", "2", &found, &e), -1);
	assert_int_equal(e.code, ERR_INPUT); /* both begin so */
	assert_int_equal(backup_find(root, "staging", "", &found, &e), -1);
	assert_int_equal(backup_find(root, "staging", "x", &found, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.hint, "bascule backups staging");
	assert_int_equal(backup_find(root, "production", "latest", &found, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void overwrite(const char *name, off_t at, const char *bytes, size_t n)
{
	char *path = path_join(b.path, name);
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
	close(fd);
	mem_free(path);
}

static void verify__notices__one_changed_byte_and_a_short_file(void **state)
{
	char *path;

	(void)state;
	take("1");
	overwrite("data.sqlite", b.bytes - 1, "\x42", 1);
	assert_int_equal(backup_verify(&b, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_non_null(strstr(e.detail, "SHA-256"));
	path = path_join(b.path, "data.sqlite");
	assert_int_equal(truncate(path, b.bytes - 100), 0);
	assert_int_equal(backup_verify(&b, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(backup_verify(&b, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	mem_free(path);
}

/* Replaces what stands between quotes behind "key": in the manifest. */
static void edit_manifest(const char *from, const char *to)
{
	char *text = tmp_read(b.path, "manifest.json");
	char *at = strstr(text, from);
	struct strbuf out;

	assert_non_null(at);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_add(&out, text, (size_t)(at - text));
	strbuf_adds(&out, to);
	strbuf_adds(&out, at + strlen(from));
	tmp_write(b.path, "manifest.json", strbuf_str(&out));
	strbuf_clear(&out);
	free(text);
}

static void verify__notices__row_counts_that_differ(void **state)
{
	(void)state;
	take("1");
	edit_manifest("\"t\": 3", "\"t\": 4");
	assert_int_equal(backup_verify(&b, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_non_null(strstr(e.detail, "table t holds 3 rows"));
	edit_manifest("\"t\": 4", "\"t\": 3, \"gone\": 0");
	assert_int_equal(backup_verify(&b, NULL, &e), -1);
	assert_non_null(strstr(e.detail, "table gone"));
}

static void manifest__of_a_newer_format__is_refused(void **state)
{
	(void)state;
	take("1");
	edit_manifest("\"format\": 1", "\"format\": 2");
	assert_int_equal(backup_verify(&b, NULL, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
}

static int allow(void *arg, struct err *err)
{
	(void)err;
	++*(int *)arg;
	return 0;
}

static int forbid(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, ERR_FENCED, "somebody took the lock");
}

static bool scratch_exists(void)
{
	return fs_exists(arena_printf(&a, "%s.bascule-restore", dsn.path));
}

static int restore(const struct history_event *recorded, int (*fence)(void *, struct err *))
{
	int fenced = 0;

	return backup_restore_recorded(db, &dsn, &b, recorded, fence, &fenced, NULL, &e);
}

static void restore__brings_back_the_data__and_keeps_todays_ledger(void **state)
{
	struct history_event restored = { .ns = "", .who = "alice", .host = "laptop", .run = "3" };
	struct history *h = NULL;
	int64_t seq;

	(void)state;
	seq = add_event("1");
	take("1");
	assert_int_equal(b.history_seq, seq);
	add_event("2");
	assert_int_equal(
		db_script(db, "DELETE FROM t; DROP TABLE empty; CREATE TABLE later (z)", &e), 0);
	if (restore(&restored, allow) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_false(scratch_exists());
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM t"), 3);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM empty"), 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM later"), -1);
	/* All events are there; the restored one says which is in force. */
	assert_int_equal(history_read(db, true, &h, &e), 0);
	assert_true(history_find(h, "main", "1")->applied);
	assert_false(history_find(h, "main", "2")->applied);
	assert_int_equal(h->n_event, 3);
	assert_int_equal(h->event[2].kind, EVENT_RESTORED);
	assert_string_equal(h->event[2].id, b.id);
	assert_string_equal(h->event[2].who, "alice");
	history_free(h);
}

static void restore__works__again_and_again(void **state)
{
	struct history_event restored = { .ns = "" };
	struct history *h = NULL;

	(void)state;
	add_event("1");
	take("1");
	for (int i = 0; i < 3; i++)
		if (restore(&restored, allow) != 0)
			fail_msg("%s: %s", e.msg, e.detail);
	assert_int_equal(history_read(db, true, &h, &e), 0);
	assert_int_equal(h->n_event, 4);
	assert_int_equal(h->n_applied, 1);
	history_free(h);
}

/* The backup is of a time before the first migration: there was no ledger yet. */
static void restore__makes_a_ledger__when_the_backup_has_none(void **state)
{
	struct history_event restored = { .ns = "" };
	struct history *h = NULL;

	(void)state;
	take("1");
	assert_int_equal(b.history_seq, 0);
	assert_int_equal(restore(&restored, allow), 0);
	add_event("1");
	assert_int_equal(restore(&restored, allow), 0);
	assert_int_equal(history_read(db, false, &h, &e), 0);
	assert_int_equal(h->n_applied, 0);
	history_free(h);
}

static void restore__changes_nothing__when_fenced_or_damaged(void **state)
{
	struct history_event restored = { .ns = "" };

	(void)state;
	take("1");
	assert_int_equal(db_script(db, "DELETE FROM t", &e), 0);
	assert_int_equal(restore(&restored, forbid), -1);
	assert_int_equal(e.code, ERR_FENCED);
	assert_false(scratch_exists());
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM bascule_history"), -1);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM t"), 0);
	overwrite("data.sqlite", 100, "\x42", 1);
	assert_int_equal(backup_restore(db, &dsn, &b, forbid, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_false(scratch_exists());
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM t"), 0);
}

static void restore__replaces_a_scratch_file__of_a_killed_one(void **state)
{
	int fenced = 0;

	(void)state;
	take("1");
	tmp_write(dir, "a.sqlite.bascule-restore", "half");
	tmp_write(dir, "a.sqlite.bascule-restore-journal", "half");
	assert_int_equal(backup_restore(db, &dsn, &b, allow, &fenced, NULL, &e), 0);
	assert_false(scratch_exists());
	assert_false(fs_exists(arena_printf(&a, "%s.bascule-restore-journal", dsn.path)));
}

static void take__copies_the_whole__of_a_wal_database(void **state)
{
	int fenced = 0;

	(void)state;
	assert_int_equal(sqlite_int(db, "PRAGMA journal_mode = wal"), 0);
	assert_int_equal(db_script(db, "INSERT INTO t VALUES (4)", &e), 0);
	take("1");
	assert_int_equal(db_script(db, "DELETE FROM t", &e), 0);
	assert_int_equal(backup_restore(db, &dsn, &b, allow, &fenced, NULL, &e), 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM t"), 4);
	assert_false(fs_exists(arena_printf(&a, "%s/data.sqlite-wal", b.path)));
	assert_false(fs_exists(arena_printf(&a, "%s/data.sqlite-shm", b.path)));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(take__writes_a_verified_copy__with_its_manifest),
		T(take__makes_another_folder__in_the_same_second),
		T(take__leaves_nothing__when_it_fails),
		T(take__leaves_nothing__on_a_full_disk),
		T(list__is_empty__without_a_root),
		T(list__leaves_out_what_was_not_finished__and_shows_what_is_damaged),
		T(find__knows_ids_prefixes_and_latest),
		T(verify__notices__one_changed_byte_and_a_short_file),
		T(verify__notices__row_counts_that_differ),
		T(manifest__of_a_newer_format__is_refused),
		T(restore__brings_back_the_data__and_keeps_todays_ledger),
		T(restore__works__again_and_again),
		T(restore__makes_a_ledger__when_the_backup_has_none),
		T(restore__changes_nothing__when_fenced_or_damaged),
		T(restore__replaces_a_scratch_file__of_a_killed_one),
		T(take__copies_the_whole__of_a_wal_database),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
