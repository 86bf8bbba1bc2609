/* SPDX-License-Identifier: MIT */
/*
 * Freezing a plan into a run's folder.
 *
 * The folder is made under a name that no reader takes for a run (".new-…") and renamed when
 * everything in it is on the disk: a crash before that leaves only something to sweep, a crash after
 * it a whole run. The number is taken under a flock on <runs>/.lock, so that two consoles of one
 * user never make the same one; the random digits behind it keep ledgers of several machines apart.
 *
 * The texts are read now and compared with the checksums of the plan, because what was shown and
 * confirmed is what must run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"
#include "core/release/seeds.h"
#include "core/release/run_folder.h"

#define SWEEP_AFTER_S (60 * 60) /* a half-made folder older than this is nobody's any more */

/* One freezing. */
struct freezer {
	const struct context *ctx;
	const struct plan *plan;
	const struct source *source;
	struct db *db;
	struct history *history; /* of db; read when a rollback first needs it */
	char *dir;               /* the temporary folder */
	struct scripts_writer *scripts;
	struct strbuf text;
};

/* --- Folders -------------------------------------------------------------------------------- */

/* Removes a half-made run, which holds files only. Best effort. */
static void sweep_folder(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL)
		unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	rmdir(dir);
}

/* The highest number in use; half-made folders of crashed creates are swept on the way. */
static int highest_number(const char *runs_dir, int64_t *highest, struct err *e)
{
	DIR *d = opendir(runs_dir);
	struct dirent *entry;
	struct stat st;

	if (!d)
		return err_sys(e, errno, "cannot read the runs in %s", runs_dir);
	*highest = 0;
	while ((entry = readdir(d)) != NULL) {
		int64_t number = run_number_of(entry->d_name);

		if (number > *highest)
			*highest = number;
		if (!strncmp(entry->d_name, ".new-", 5) &&
		    !fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    clock_utc_ms() / 1000 - st.st_mtime > SWEEP_AFTER_S) {
			char *path = path_join(runs_dir, entry->d_name);

			sweep_folder(path);
			mem_free(path);
		}
	}
	closedir(d);
	return 0;
}

static int lock_file(const char *dir, const char *name, int how, int *fd, struct err *e)
{
	char *path = path_join(dir, name);
	int ret = 0;

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0) {
		ret = err_sys(e, errno, "cannot open %s", path);
	} else if (flock(*fd, how)) {
		ret = err_sys(e, errno, "cannot lock %s", path);
		close(*fd);
		*fd = -1;
	}
	mem_free(path);
	return ret;
}

int run_lock_folder(const char *dir, int *fd, struct err *e)
{
	if (!lock_file(dir, "runner.lock", LOCK_EX | LOCK_NB, fd, e))
		return 0;
	if (!strcmp(e->sys, "EAGAIN") || !strcmp(e->sys, "EWOULDBLOCK")) {
		err_set(e, ERR_LOCKED, "run %s has a runner already", path_base(dir));
		err_hint(e, "bascule watch %s", path_base(dir));
	}
	return -1;
}

/* Gives the finished folder its number and name. */
static int freezer_publish(struct freezer *f, char id[RUN_ID_SIZE], struct err *e)
{
	char digits[RUN_ID_DIGITS + 1], name[RUN_ID_SIZE];
	int64_t highest = 0; /* gcc -O2 cannot see that highest_number sets it */
	char *path = NULL;
	int fd = -1, ret = -1;

	if (lock_file(f->ctx->runs_dir, ".lock", LOCK_EX, &fd, e) ||
	    highest_number(f->ctx->runs_dir, &highest, e))
		goto out;
	digest_random_hex(RUN_ID_DIGITS / 2, digits);
	snprintf(name, sizeof(name), "%lld-%s", (long long)highest + 1, digits);
	path = run_path(f->ctx, name, NULL);
	if (rename(f->dir, path)) {
		err_sys(e, errno, "cannot rename %s to %s", f->dir, path);
		goto out;
	}
	mem_free(f->dir);
	f->dir = NULL;
	if (fs_sync_dir(f->ctx->runs_dir, e))
		goto out;
	str_copy(id, RUN_ID_SIZE, name);
	ret = 0;
out:
	mem_free(path);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* --- Texts ---------------------------------------------------------------------------------- */

static int file_write(const char *path, struct sv text, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int ret = -1;

	if (fd < 0)
		return err_sys(e, errno, "cannot write %s", path);
	if (fs_write_all(fd, text.p, text.n, path, e))
		goto out;
	if (fsync(fd)) {
		err_sys(e, errno, "cannot write %s to disk", path);
		goto out;
	}
	ret = 0;
out:
	close(fd);
	return ret;
}

/* Freezes f->text as the script of checksum. */
static int freezer_put(struct freezer *f, const struct step *s, const char *checksum, struct err *e)
{
	char found[DIGEST_HEX_SIZE];

	digest_hex(strbuf_str(&f->text), f->text.len, found);
	if (strncmp(checksum, "s1:", 3) || strcmp(found, checksum + 3)) {
		err_set(e, ERR_INPUT, "%s is not what the plan was made from",
			s->file && s->file[0] ? s->file : s->id);
		err_detail(e, "its checksum is s1:%s, planned was %s", found, checksum);
		return err_hint(e, "make the plan again");
	}
	return scripts_put(f->scripts, checksum, strbuf_sv(&f->text), e);
}

/* Up (down false) or down of a migration as its file is today. */
static int text_from_source(struct freezer *f, const struct step *s, bool down, struct err *e)
{
	const struct migration *m = f->source ? source_find(f->source, s->ns, s->id) : NULL;

	if (!m) {
		err_set(e, ERR_NOT_FOUND, "there is no file for migration %s any more", s->id);
		return err_hint(e, "make the plan again");
	}
	return source_script(f->source, m, down, &f->text, e);
}

/* Up or down as stored in the ledger when it was applied. */
static int text_from_ledger(struct freezer *f, const struct step *s, bool down, struct err *e)
{
	const struct applied *a;
	bool has_down;

	if (!f->db)
		return err_set(e, ERR_NOT_FOUND, "no database to read the stored script of %s from",
			       s->id);
	if (!f->history && history_read_from(f->db, "bascule", false, &f->history, e))
		return -1;
	a = history_find(f->history, s->ns, s->id);
	if (!a) {
		err_set(e, ERR_NOT_FOUND, "the history does not know migration %s any more", s->id);
		return err_hint(e, "make the plan again");
	}
	return ledger_scripts(f->db, a->script_seq, down ? NULL : &f->text, down ? &f->text : NULL,
			      &has_down, e);
}

static int freezer_step(struct freezer *f, const struct step *s, struct err *e)
{
	const char *sum[2];

	step_scripts(s, sum); /* none where a tool runs its own files */
	for (int down = 0; down < 2; down++) {
		bool stored = s->kind == STEP_DOWN && !(down && f->plan->down_from_file);

		if (!sum[down])
			continue;
		strbuf_reset(&f->text);
		if (s->kind == STEP_SEED ? seed_text(s->path, &f->text, e)
		    : stored             ? text_from_ledger(f, s, down, e)
					 : text_from_source(f, s, down, e))
			return -1;
		if (freezer_put(f, s, sum[down], e))
			return -1;
	}
	return 0;
}

/* --- The rest of the folder ----------------------------------------------------------------- */

static int freezer_scripts_end(struct freezer *f, struct err *e)
{
	struct scripts_writer *w = f->scripts;

	f->scripts = NULL;
	return scripts_finish(w, e);
}

static int freezer_plan(struct freezer *f, char digest[DIGEST_HEX_SIZE], struct err *e)
{
	char *path = path_join(f->dir, "plan.json");
	json_t *j = plan_freeze(f->plan);
	struct strbuf text;
	int ret = -1;

	strbuf_init(&text, RUN_PLAN_MAX);
	json_write(&text, j);
	if (!strbuf_ok(&text)) {
		err_set(e, ERR_LIMIT, "the plan is larger than %zu MiB", RUN_PLAN_MAX >> 20);
		goto out;
	}
	if (file_write(path, strbuf_sv(&text), e))
		goto out;
	digest_hex(text.data, text.len, digest);
	ret = 0;
out:
	strbuf_clear(&text);
	json_decref(j);
	mem_free(path);
	return ret;
}

static int freezer_journal(struct freezer *f, const char *digest, struct err *e)
{
	char *path = path_join(f->dir, "journal.ndjson");
	json_t *fields = json_object();
	struct journal *journal = NULL;
	int ret = -1;

	json_put_str(fields, "plan", digest);
	json_put_str(fields, "operation", operation_name(f->plan->op));
	json_put_str(fields, "project", f->plan->project);
	json_put_str(fields, "environment", f->plan->environment);
	json_put_str(fields, "who", f->ctx->who);
	json_put_str(fields, "from", f->ctx->host);
	json_put_str(fields, "command", f->plan->command);
	if (journal_open(path, true, 0, &journal, e) ||
	    journal_add(journal, "created", 0, fields, true, NULL, e))
		goto out;
	ret = 0;
out:
	journal_close(journal);
	json_decref(fields);
	mem_free(path);
	return ret;
}

static int freezer_fill(struct freezer *f, struct err *e)
{
	char digest[DIGEST_HEX_SIZE];

	if (fs_mkdirs(f->dir, 0700, e) || scripts_create(f->dir, &f->scripts, e))
		return -1;
	for (size_t i = 0; i < f->plan->n_step; i++)
		if (freezer_step(f, &f->plan->step[i], e))
			return -1;
	if (freezer_scripts_end(f, e) || freezer_plan(f, digest, e) ||
	    freezer_journal(f, digest, e))
		return -1;
	return fs_sync_dir(f->dir, e);
}

int run_create(const struct context *ctx, const struct plan *plan, const struct source *source,
	       struct db *db, char id[RUN_ID_SIZE], struct err *e)
{
	struct freezer f = { .ctx = ctx,
			     .plan = plan,
			     .source = source_for(source, plan->env.dsn.engine),
			     .db = db };
	char name[32] = ".new-";
	int ret = -1;

	strbuf_init(&f.text, SOURCE_FILE_MAX);
	digest_random_hex(8, name + strlen(name));
	f.dir = path_join(ctx->runs_dir, name);
	if (fs_mkdirs(ctx->runs_dir, 0700, e) || freezer_fill(&f, e) || freezer_publish(&f, id, e))
		goto out;
	ret = 0;
out:
	scripts_discard(f.scripts);
	if (f.dir)
		sweep_folder(f.dir);
	mem_free(f.dir);
	history_free(f.history);
	strbuf_clear(&f.text);
	return ret;
}
