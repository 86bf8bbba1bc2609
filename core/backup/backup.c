/* SPDX-License-Identifier: MIT */
/*
 * Taking, verifying and restoring a backup.
 *
 * The order of writes makes the claim true at every instant: the folder, the copy (fsynced by the
 * driver), the manifest that says "not verified", then the copy is read back, then the manifest that
 * says "verified" replaces the first one. A process killed anywhere leaves a folder that claims
 * nothing or no more than was done.
 *
 * Row counts and the schema digest are taken from the copy, not from the live database, which may
 * have moved on since; they are what verifying compares with, so a copy that opens but lost a table
 * is noticed as well as one whose bytes changed.
 *
 * Restoring never touches the live database before the replacement is complete and checked in a
 * scratch file beside it (same file system, same free space), and then only through the engine, in
 * one transaction: other connections see the old content or the new one.
 *
 * Manifests are read and listed in catalog.c.
 */
#include "core/backup/backup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/backup/manifest.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/ledger/ledger.h"

#define SAME_SECOND_MAX 100 /* backups of one run in one second */
#define SCRATCH_SUFFIX ".bascule-restore"

/* What an engine leaves beside a database file. */
static const char *const companions[] = { "", "-journal", "-wal", "-shm" };

static void remove_database(const char *path)
{
	for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
		struct strbuf b;

		strbuf_init(&b, STRBUF_NO_LIMIT);
		strbuf_adds(&b, path);
		strbuf_adds(&b, companions[i]);
		unlink(strbuf_str(&b));
		strbuf_clear(&b);
	}
}

static void remove_backup(const char *folder)
{
	char *manifest = path_join(folder, MANIFEST_NAME);
	char *data = path_join(folder, BACKUP_DATA_NAME);

	unlink(manifest); /* first: without it the rest is no backup */
	remove_database(data);
	rmdir(folder);
	mem_free(manifest);
	mem_free(data);
}

/* ---- reading a copy ---- */

static int open_copy(const char *engine, const char *path, unsigned flags, struct cancel *c,
		     struct db **db, struct err *e)
{
	struct dsn dsn = { .engine = engine, .path = path, .shown = path };

	return db_open(&dsn, flags, NULL, c, db, e);
}

static int count_table(void *arg, const struct db_table *t, struct err *e)
{
	json_t *tables = arg;

	(void)e;
	json_put_int(tables, t->name, t->rows);
	return 0;
}

static int max_seq(void *arg, const struct history_event *ev, struct err *e)
{
	int64_t *most = arg;

	(void)e;
	if (ev->seq > *most)
		*most = ev->seq;
	return 0;
}

/* Fills what the manifest says about the copy at data. */
static int describe_copy(const char *data, struct cancel *c, struct backup *b, json_t *tables,
			 struct err *e)
{
	struct db *copy = NULL;
	struct stat st;
	int rc = -1;

	if (stat(data, &st) != 0) {
		err_sys(e, errno, "cannot look at %s", data);
		goto out;
	}
	b->bytes = st.st_size;
	if (open_copy(b->engine, data, DB_READ_ONLY, c, &copy, e) != 0 ||
	    db_schema_digest(copy, b->schema_digest, e) != 0 ||
	    db_tables(copy, false, count_table, tables, e) != 0 ||
	    ledger_events(copy, max_seq, &b->history_seq, e) != 0)
		goto out;
	rc = digest_file(data, b->sha256, e);
out:
	db_close(copy);
	return rc;
}

/* ---- taking ---- */

static void make_id(const struct backup_spec *spec, int64_t now, int try, char *out, size_t size)
{
	char iso[CLOCK_TEXT_SIZE];
	char stamp[CLOCK_TEXT_SIZE];
	const char *run = spec->run != NULL && spec->run[0] != '\0' ? spec->run : "manual";
	size_t n = 0;

	clock_iso(now, iso);
	for (const char *p = iso; *p != '\0'; p++)
		if (*p != '-' && *p != ':')
			stamp[n++] = *p;
	stamp[n] = '\0';
	if (try == 0)
		snprintf(out, size, "%s-%s", stamp, run);
	else
		snprintf(out, size, "%s-%s.%d", stamp, run, try + 1);
}

/* Makes a new folder and sets id and path. */
static int make_folder(const struct backup_spec *spec, struct backup *b, struct err *e)
{
	char *parent = path_join(spec->root, spec->environment);
	int rc = -1;

	if (strchr(spec->environment, '/') != NULL || spec->environment[0] == '.') {
		err_set(e, ERR_INPUT, "cannot keep backups of an environment named %s",
			spec->environment);
		goto out;
	}
	if (fs_mkdirs(parent, 0700, e) != 0)
		goto out;
	for (int try = 0; try < SAME_SECOND_MAX; try++) {
		make_id(spec, b->at_utc_ms, try, b->id, sizeof(b->id));
		b->path = path_join(parent, b->id);
		if (mkdir(b->path, 0700) == 0) {
			rc = fs_sync_dir(parent, e);
			goto out;
		}
		err_sys(e, errno, "cannot make the backup folder %s", b->path);
		mem_free(b->path);
		b->path = NULL;
		if (e->code != ERR_EXISTS)
			goto out;
	}
out:
	mem_free(parent);
	return rc;
}

static int take_into(struct db *db, struct cancel *c, struct backup *b, struct err *e)
{
	char *data = path_join(b->path, BACKUP_DATA_NAME);
	json_t *tables = json_object();
	int rc = -1;

	if (db_copy_to(db, data, e) != 0 || describe_copy(data, c, b, tables, e) != 0 ||
	    manifest_write(b, tables, e) != 0 || backup_verify(b, c, e) != 0)
		goto out;
	b->verified = true;
	if (manifest_write(b, tables, e) != 0)
		goto out;
	rc = 0;
out:
	json_decref(tables);
	mem_free(data);
	return rc;
}

int backup_take(struct db *db, const struct backup_spec *spec, struct cancel *c, struct backup *out,
		struct err *e)
{
	struct backup b = { 0 };

	if ((db_caps(db) & DB_ONLINE_COPY) == 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "cannot back up %s: no online copy of %s databases",
			       spec->environment, db_engine(db));
	b.at_utc_ms = clock_utc_ms();
	str_copy(b.environment, sizeof(b.environment), spec->environment);
	str_copy(b.engine, sizeof(b.engine), db_engine(db));
	str_copy(b.trigger, sizeof(b.trigger), spec->trigger != NULL ? spec->trigger : "manual");
	str_copy(b.run, sizeof(b.run), spec->run != NULL ? spec->run : "");
	str_copy(b.who, sizeof(b.who), spec->who != NULL ? spec->who : "");
	str_copy(b.host, sizeof(b.host), spec->host != NULL ? spec->host : "");
	str_copy(b.schema_version, sizeof(b.schema_version),
		 spec->schema_version != NULL ? spec->schema_version : "");
	str_copy(b.head, sizeof(b.head), spec->head != NULL ? spec->head : "");
	if (make_folder(spec, &b, e) != 0)
		return err_wrap(e, "cannot back up %s", spec->environment);
	if (take_into(db, c, &b, e) != 0) {
		remove_backup(b.path);
		backup_clear(&b);
		return err_wrap(e, "cannot back up %s", spec->environment);
	}
	*out = b;
	return 0;
}

/* ---- verifying ---- */

static int damaged(const struct backup *b, struct err *e)
{
	err_set(e, ERR_CORRUPT, "backup %s of %s is damaged", b->id, b->environment);
	return err_hint(e, "bascule backups %s", b->environment);
}

static int check_digest(const struct backup *b, const char *data, struct err *e)
{
	char now[DIGEST_HEX_SIZE];
	struct stat st;

	if (stat(data, &st) != 0) {
		err_sys(e, errno, "cannot read backup %s of %s", b->id, b->environment);
		return -1;
	}
	if (st.st_size != b->bytes) {
		damaged(b, e);
		return err_detail(e, "%s has %lld bytes, its manifest says %lld", BACKUP_DATA_NAME,
				  (long long)st.st_size, (long long)b->bytes);
	}
	if (digest_file(data, now, e) != 0)
		return -1;
	if (strcmp(now, b->sha256) != 0) {
		damaged(b, e);
		return err_detail(e, "SHA-256 of %s is %.16s, its manifest says %.16s",
				  BACKUP_DATA_NAME, now, b->sha256);
	}
	return 0;
}

static int check_rows(const struct backup *b, const json_t *want, struct db *copy, struct err *e)
{
	json_t *now = json_object();
	const char *table;
	json_t *rows;
	int rc = -1;

	if (db_tables(copy, false, count_table, now, e) != 0)
		goto out;
	json_object_foreach((json_t *)want, table, rows)
	{
		int64_t n = json_int_opt(now, table, -1);

		if (n != json_integer_value(rows)) {
			damaged(b, e);
			err_detail(e, "table %s holds %lld rows, its manifest says %lld", table,
				   (long long)n, (long long)json_integer_value(rows));
			goto out;
		}
	}
	if (json_object_size(now) != json_object_size(want)) {
		damaged(b, e);
		err_detail(e, "it holds %zu tables, its manifest says %zu", json_object_size(now),
			   json_object_size(want));
		goto out;
	}
	rc = 0;
out:
	json_decref(now);
	return rc;
}

int backup_verify(const struct backup *b, struct cancel *c, struct err *e)
{
	char *data = path_join(b->path, BACKUP_DATA_NAME);
	struct backup manifest = { 0 };
	json_t *tables = NULL;
	struct db *copy = NULL;
	int rc = -1;

	if (manifest_read(b->path, &manifest, &tables, e) != 0)
		goto out;
	if (strcmp(manifest.sha256, b->sha256) != 0 || manifest.bytes != b->bytes) {
		damaged(b, e);
		err_detail(e, "its manifest is not the one that was listed");
		goto out;
	}
	if (check_digest(b, data, e) != 0)
		goto out;
	if (cancel_fired(c)) {
		err_set(e, ERR_CANCELLED, "cannot verify backup %s: cancelled", b->id);
		goto out;
	}
	if (open_copy(manifest.engine, data, DB_READ_ONLY, c, &copy, e) != 0 ||
	    db_verify(copy, e) != 0) {
		if (e->code != ERR_CANCELLED)
			err_wrap(e, "backup %s of %s cannot be used", b->id, b->environment);
		goto out;
	}
	rc = check_rows(b, tables, copy, e);
out:
	db_close(copy);
	json_decref(tables);
	backup_clear(&manifest);
	mem_free(data);
	return rc;
}

/* ---- restoring ---- */

static int count_restores(void *arg, const struct history_event *ev, struct err *e)
{
	struct history_event *want = arg;

	(void)e;
	if (ev->kind == EVENT_RESTORED && strcmp(ev->id, want->id) == 0 &&
	    ev->generation >= want->generation)
		want->generation = ev->generation + 1;
	return 0;
}

/* Writes the restored event into the scratch database. One backup may be restored many times, each
 * with a generation of its own. */
static int record_restore(struct db *scratch, const struct backup *b,
			  const struct history_event *recorded, struct err *e)
{
	struct history_event ev = *recorded;

	ev.kind = EVENT_RESTORED;
	ev.id = b->id;
	ev.generation = 1;
	ev.statement = b->history_seq + 1;
	if (ledger_ensure(scratch, e) != 0 || ledger_events(scratch, count_restores, &ev, e) != 0 ||
	    db_begin(scratch, e) != 0)
		return -1;
	if (ledger_add(scratch, &ev, SV(""), SV(""), NULL, e) != 0 || db_commit(scratch, e) != 0) {
		db_rollback(scratch);
		return -1;
	}
	return 0;
}

/* The backup's data with today's ledger, in a file beside the live database. */
static int make_scratch(const char *scratch, const struct dsn *dsn, const struct backup *b,
			const struct history_event *recorded, struct cancel *c, struct err *e)
{
	char *data = path_join(b->path, BACKUP_DATA_NAME);
	struct db *db = NULL;
	int rc = -1;

	if (fs_copy(data, scratch, 0600, e) != 0 ||
	    open_copy(b->engine, scratch, 0, c, &db, e) != 0 ||
	    ledger_merge_from(db, dsn->path, e) != 0)
		goto out;
	if (recorded != NULL && record_restore(db, b, recorded, e) != 0)
		goto out;
	rc = db_verify(db, e);
out:
	db_close(db);
	mem_free(data);
	return rc;
}

int backup_restore_recorded(struct db *db, const struct dsn *dsn, const struct backup *b,
			    const struct history_event *recorded,
			    int (*fence)(void *arg, struct err *e), void *arg, struct cancel *c,
			    struct err *e)
{
	struct strbuf scratch;
	int rc = -1;

	if ((db_caps(db) & DB_ONLINE_COPY) == 0 || strcmp(db_engine(db), b->engine) != 0) {
		err_set(e, ERR_UNSUPPORTED, "cannot restore backup %s", b->id);
		return err_detail(e, "it is of a %s database, this one is %s", b->engine,
				  db_engine(db));
	}
	if (backup_verify(b, c, e) != 0)
		return -1;
	strbuf_init(&scratch, STRBUF_NO_LIMIT);
	strbuf_adds(&scratch, dsn->path);
	strbuf_adds(&scratch, SCRATCH_SUFFIX);
	/* What a killed restore left; the environment's lock keeps a living one away. */
	remove_database(strbuf_str(&scratch));
	if (make_scratch(strbuf_str(&scratch), dsn, b, recorded, c, e) != 0 ||
	    db_copy_from(db, strbuf_str(&scratch), fence, arg, e) != 0) {
		if (e->code != ERR_FENCED && e->code != ERR_CANCELLED)
			err_wrap(e, "cannot restore backup %s: the database is as it was", b->id);
		goto out;
	}
	rc = 0;
out:
	remove_database(strbuf_str(&scratch));
	strbuf_clear(&scratch);
	return rc;
}

int backup_restore(struct db *db, const struct dsn *dsn, const struct backup *b,
		   int (*fence)(void *arg, struct err *e), void *arg, struct cancel *c,
		   struct err *e)
{
	return backup_restore_recorded(db, dsn, b, NULL, fence, arg, c, e);
}
