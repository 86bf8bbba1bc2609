/* SPDX-License-Identifier: MIT */
/*
 * The fenced lock of an environment whose database is a file of this machine.
 *
 * The kernel's half is an OFD lock on byte 0 of the sidecar: it belongs to the open file, not to
 * the process, so that no close(2) elsewhere in the program drops it, and it is gone with the last
 * descriptor however its holder ends. The database's half is the epoch in bascule_lock.
 *
 * Both change only together, inside BEGIN IMMEDIATE on the database: that serializes everybody who
 * takes or takes over. Inside it a taker looks again whether the sidecar it has locked is still the
 * one that the name leads to, because somebody may have put a new one there while it was stopped
 * between locking and writing.
 *
 * A takeover cannot take a kernel lock away. It makes a new sidecar, locks that before anybody can
 * see it, and renames it over the old one: the old holder is left with a lock on a file without a
 * name. When it runs on, its next transaction finds another epoch in the row (lock_fence), its next
 * beat finds another file under the name (lock_beat), and copying a whole database in, where no
 * statement of ours can run, asks for the file under the write lock (lock_fence_file).
 *
 * lock_fence compares the file too. While a restore has put an older database in place and the old
 * ledger is not merged back yet, the row holds the epoch of an old day; a runner stopped since that
 * day would find its own number in it, but not its file.
 */
#include "core/ledger/lock_ops.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/ledger/ledger.h"

#define HOLDER_TEXT_MAX 4096 /* of the sidecar */
#define LOCK_TRIES 16        /* times the sidecar may be exchanged under our hands */
#define READ_TRIES 4         /* times its text may be half written when we read it */
#define WAIT_BOUND_MS 1000   /* one wait; inotify does not see everything (a kernel lock alone) */

struct file_lock {
	struct lock base;
	char *path; /* of the sidecar */
	int fd;     /* carries the kernel lock */
	dev_t dev;
	ino_t ino;
};

/* --- The sidecar ------------------------------------------------------------------------------- */

/* Links are resolved: two names of one database have one lock. Caller frees. */
static char *sidecar_path(const struct dsn *dsn)
{
	char *real = realpath(dsn->path, NULL);
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_addf(&b, "%s.bascule-lock", real != NULL ? real : dsn->path);
	free(real);
	return strbuf_detach(&b);
}

static bool is_named(const struct file_lock *l)
{
	struct stat st;

	return stat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino;
}

/* Opens (makes) the file and gives it to whoever may write the database: its mode, and for root
 * its owner. */
static int sidecar_open(struct file_lock *l, const struct dsn *dsn, const char *path, int flags,
			struct err *e)
{
	struct stat db, st;

	l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (l->fd < 0)
		return err_sys(e, errno, "cannot open lock file %s", path);
	if (fstat(l->fd, &st) != 0)
		return err_sys(e, errno, "cannot look at lock file %s", path);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	if (stat(dsn->path, &db) != 0)
		return err_sys(e, errno, "cannot look at %s", dsn->shown);
	if (geteuid() == 0 && (st.st_uid != db.st_uid || st.st_gid != db.st_gid) &&
	    fchown(l->fd, db.st_uid, db.st_gid) != 0)
		return err_sys(e, errno, "cannot give lock file %s to the owner of the database",
			       path);
	/* Not ours to change when somebody else made it. */
	if (st.st_uid == geteuid() && (st.st_mode & 0666) != (db.st_mode & 0666) &&
	    fchmod(l->fd, db.st_mode & 0666) != 0)
		return err_sys(e, errno, "cannot set the mode of lock file %s", path);
	return 0;
}

/* 1 when we have the kernel lock now, 0 when somebody else has it. */
static int kernel_lock(const struct file_lock *l, struct err *e)
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	if (fcntl(l->fd, F_OFD_SETLK, &range) == 0)
		return 1;
	if (errno == EAGAIN || errno == EACCES)
		return 0;
	return err_sys(e, errno, "cannot lock %s", l->path);
}

static bool kernel_locked(int fd)
{
	struct flock range = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	return fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

/* Written over the old text and then cut, so that there is always a text to read. */
static int holder_write(const struct file_lock *l, const struct lock_holder *h, struct err *e)
{
	json_t *j = json_object();
	struct strbuf text;
	int result = 0;

	json_put_str(j, "who", h->who);
	json_put_str(j, "host", h->host);
	json_put_str(j, "run", h->run);
	json_put_str(j, "boot", h->boot);
	json_put_int(j, "pid", h->pid);
	json_put_int(j, "pid_start", h->pid_start);
	json_put_int(j, "epoch", h->epoch);
	json_put_int(j, "since", h->since_utc_ms);
	strbuf_init(&text, HOLDER_TEXT_MAX);
	json_write(&text, j);
	strbuf_addc(&text, '\n');
	json_decref(j);
	if (pwrite(l->fd, text.data, text.len, 0) != (ssize_t)text.len ||
	    ftruncate(l->fd, (off_t)text.len) != 0)
		result = err_sys(e, errno != 0 ? errno : EIO, "cannot write lock file %s", l->path);
	strbuf_clear(&text);
	return result;
}

/* False when the text is not whole (being written) or not there. */
static bool holder_parse(int fd, struct lock_holder *h)
{
	char text[HOLDER_TEXT_MAX];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	struct err ignored;
	json_t *j;

	if (n <= 0)
		return false;
	j = json_parse(sv_n(text, (size_t)n), "lock file", &ignored);
	if (j == NULL)
		return false;
	str_copy(h->who, sizeof(h->who), json_str_opt(j, "who", ""));
	str_copy(h->host, sizeof(h->host), json_str_opt(j, "host", ""));
	str_copy(h->run, sizeof(h->run), json_str_opt(j, "run", ""));
	str_copy(h->boot, sizeof(h->boot), json_str_opt(j, "boot", ""));
	h->pid = json_int_opt(j, "pid", 0);
	h->pid_start = json_int_opt(j, "pid_start", 0);
	h->epoch = json_int_opt(j, "epoch", 0);
	h->since_utc_ms = json_int_opt(j, "since", 0);
	json_decref(j);
	return true;
}

/* Reads the sidecar into h. *parsed: its text names a holder. No file: nobody. */
static int sidecar_read(const char *path, struct lock_holder *h, bool *parsed, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	*parsed = false;
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, errno, "cannot read lock file %s", path);
	}
	h->held = kernel_locked(fd);
	for (int i = 0; i < READ_TRIES && !*parsed; i++)
		*parsed = holder_parse(fd, h);
	if (fstat(fd, &st) == 0)
		h->beat_utc_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	close(fd);
	return 0;
}

/* --- The row ----------------------------------------------------------------------------------- */

static int keep_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct lock_holder *h = arg;
	char at[CLOCK_TEXT_SIZE];

	(void)n;
	(void)e;
	h->epoch = col[0].i;
	str_copy_sv(h->who, sizeof(h->who), col[1].s);
	str_copy_sv(h->host, sizeof(h->host), col[2].s);
	h->pid = col[3].i;
	h->pid_start = col[4].i;
	str_copy_sv(h->boot, sizeof(h->boot), col[5].s);
	str_copy_sv(h->run, sizeof(h->run), col[6].s);
	str_copy_sv(at, sizeof(at), col[7].s);
	if (!clock_parse_iso(at, &h->since_utc_ms))
		h->since_utc_ms = 0;
	return 0;
}

static int row_read(struct db *db, struct lock_holder *h, struct err *e)
{
	memset(h, 0, sizeof(*h));
	return db_exec(db,
		       "SELECT epoch, who, host, pid, pid_start, boot, run, taken_at "
		       "FROM bascule_lock WHERE one = 1",
		       NULL, 0, keep_row, h, e);
}

static int row_write(struct db *db, const struct lock_holder *h, struct err *e)
{
	char at[CLOCK_TEXT_SIZE];
	const struct db_value v[] = {
		DB_V_INT(h->epoch),     db_v_text(h->who),
		db_v_text(h->host),     DB_V_INT(h->pid),
		DB_V_INT(h->pid_start), db_v_text(h->boot),
		db_v_text(h->run),      db_v_text(clock_iso_ms(h->since_utc_ms, at)),
	};

	return db_exec(db,
		       "UPDATE bascule_lock SET epoch = ?1, who = ?2, host = ?3, pid = ?4, "
		       "pid_start = ?5, boot = ?6, run = ?7, taken_at = ?8, request = '' "
		       "WHERE one = 1",
		       v, sizeof(v) / sizeof(v[0]), NULL, NULL, e);
}

/* --- Who holds it ------------------------------------------------------------------------------ */

/* The row, when there is a ledger. A holder that is changing many pages locks even readers out: then
 * what it says of itself in the sidecar has to do. */
static int row_look(struct db *db, bool optional, struct lock_holder *row, bool *known,
		    struct err *e)
{
	int format = 0;

	*known = false;
	memset(row, 0, sizeof(*row));
	if (db == NULL)
		return 0;
	if (ledger_format(db, &format, e) == 0 && (format == 0 || row_read(db, row, e) == 0)) {
		*known = format > 0;
		return 0;
	}
	return optional && e->code == ERR_BUSY ? 0 : -1;
}

static int holder_read(const char *path, struct db *db, int64_t stale_ms, struct lock_holder *out,
		       struct err *e)
{
	struct lock_holder h, row;
	bool parsed, known;

	memset(&h, 0, sizeof(h));
	if (sidecar_read(path, &h, &parsed, e) != 0)
		return -1;
	if (row_look(db, h.held && parsed, &row, &known, e) != 0)
		return -1;
	/* The text is what the holder of the kernel lock says of itself. Nobody holding it, the row
	 * is what counts: the text of a dead holder may be older than the last release. */
	if (known && (!h.held || !parsed)) {
		row.held = h.held;
		row.beat_utc_ms = h.beat_utc_ms;
		h = row;
	}
	if (known && row.epoch > h.epoch)
		h.epoch = row.epoch;
	lock_judge(&h, stale_ms);
	*out = h;
	return 0;
}

static int file_read(const struct dsn *dsn, struct db *db, int64_t stale_ms,
		     struct lock_holder *out, struct err *e)
{
	char *path = sidecar_path(dsn);
	int result = holder_read(path, db, stale_ms, out, e);

	mem_free(path);
	return result;
}

/* --- Taking ------------------------------------------------------------------------------------ */

static struct file_lock *lock_new(const struct dsn *dsn, const struct lock_request *req)
{
	struct file_lock *l = mem_calloc(1, sizeof(*l));

	lock_init(&l->base, &lock_file_ops, req);
	l->path = sidecar_path(dsn);
	l->fd = -1;
	return l;
}

static void lock_free(struct file_lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	mem_free(l->path);
	mem_free(l);
}

/* Inside the transaction: the next epoch, in the file and in the row. */
static int claim(struct file_lock *l, struct db *db, const struct lock_request *req,
		 int64_t old_epoch, struct err *e)
{
	struct lock_holder self;

	l->base.epoch = old_epoch + 1;
	lock_self(req, l->base.epoch, &self);
	atomic_store(&l->base.beat_boot_ms, clock_boot_ms());
	if (holder_write(l, &self, e) != 0)
		return -1;
	return row_write(db, &self, e);
}

/* Locks the file that has the name now. 1, 0 when somebody has it, -1. */
static int sidecar_lock(struct file_lock *l, const struct dsn *dsn, struct err *e)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int got;

		if (sidecar_open(l, dsn, l->path, 0, e) != 0)
			return -1;
		got = kernel_lock(l, e);
		if (got != 1 || is_named(l))
			return got;
		close(l->fd);
		l->fd = -1;
	}
	err_set(e, ERR_LOCKED, "cannot lock %s", dsn->shown);
	return err_detail(e, "its lock file was exchanged %d times meanwhile", LOCK_TRIES);
}

static int file_take(const struct dsn *dsn, struct db *db, const struct lock_request *req,
		     const char *only_run, struct lock **out, struct lock_holder *holder,
		     struct err *e)
{
	struct file_lock *l = lock_new(dsn, req);
	struct lock_holder before;
	struct err ignored;
	int got = sidecar_lock(l, dsn, e);

	if (got == 0) {
		if (holder_read(l->path, db, l->base.stale_ms, &before, &ignored) != 0)
			memset(&before, 0, sizeof(before));
		if (holder != NULL)
			*holder = before;
		lock_refuse_held(dsn, &before, e);
	}
	if (got != 1)
		goto fail;
	if (db_begin(db, e) != 0)
		goto fail;
	if (row_read(db, &before, e) != 0)
		goto undo;
	if (!is_named(l)) {
		err_set(e, ERR_LOCKED, "cannot lock %s: it was taken over just now", dsn->shown);
		goto undo;
	}
	if (only_run != NULL && before.run[0] != '\0' && strcmp(before.run, only_run) != 0) {
		lock_refuse_run(dsn, before.run, only_run, e);
		goto undo;
	}
	if (claim(l, db, req, before.epoch, e) != 0 || db_commit(db, e) != 0)
		goto empty;
	if (holder != NULL) {
		lock_judge(&before, l->base.stale_ms);
		*holder = before;
	}
	*out = &l->base;
	return 0;
empty:
	(void)!ftruncate(l->fd, 0);
undo:
	db_rollback(db);
fail:
	lock_free(l);
	return -1;
}

/* --- Taking over ------------------------------------------------------------------------------- */

/* A new sidecar in the old one's place, locked before it has the name. A file left behind by a
 * taker that died half way is nobody's: we hold the database's write lock. */
static int sidecar_exchange(struct file_lock *l, struct db *db, const struct dsn *dsn,
			    const struct lock_request *req, int64_t old_epoch, struct err *e)
{
	struct strbuf fresh;
	int got, result = -1;

	strbuf_init(&fresh, STRBUF_NO_LIMIT);
	strbuf_addf(&fresh, "%s.new", l->path);
	unlink(strbuf_str(&fresh));
	if (sidecar_open(l, dsn, strbuf_str(&fresh), O_EXCL, e) != 0)
		goto out;
	got = kernel_lock(l, e);
	if (got == 0)
		err_set(e, ERR_LOCKED, "cannot lock the new lock file of %s", dsn->shown);
	if (got != 1 || claim(l, db, req, old_epoch, e) != 0)
		goto out;
	if (rename(strbuf_str(&fresh), l->path) != 0) {
		err_sys(e, errno, "cannot exchange lock file %s", l->path);
		goto out;
	}
	result = 0;
out:
	if (result != 0)
		unlink(strbuf_str(&fresh));
	strbuf_clear(&fresh);
	return result;
}

static int takeover_begin(struct db *db, const struct dsn *dsn, const struct lock_holder *h,
			  struct err *e)
{
	if (db_begin(db, e) == 0)
		return 0;
	if (e->code != ERR_BUSY)
		return -1;
	err_wrap(e, "cannot take %s over: a transaction is open in it", dsn->shown);
	e->code = ERR_BUSY;
	if (h->alive)
		return err_hint(e, "kill -KILL %lld", (long long)h->pid);
	return -1;
}

static int file_takeover(const struct dsn *dsn, struct db *db, const struct lock_request *req,
			 struct lock **out, struct lock_holder *old, struct err *e)
{
	struct file_lock *l = lock_new(dsn, req);
	struct lock_holder h;

	if (holder_read(l->path, db, l->base.stale_ms, &h, e) != 0)
		goto fail;
	if (h.held && !h.stale) {
		lock_refuse_held(dsn, &h, e);
		goto fail;
	}
	if (h.held) {
		if (takeover_begin(db, dsn, &h, e) != 0)
			goto fail;
		/* Again under the write lock: another taker may have been faster, or the holder is
		 * back or gone. */
		if (holder_read(l->path, db, l->base.stale_ms, &h, e) != 0)
			goto undo;
		if (h.held && !h.stale) {
			lock_refuse_held(dsn, &h, e);
			goto undo;
		}
	}
	if (!h.held) {
		db_rollback(db);
		lock_free(l);
		return file_take(dsn, db, req, NULL, out, old, e);
	}
	if (sidecar_exchange(l, db, dsn, req, h.epoch, e) != 0)
		goto undo;
	if (db_commit(db, e) != 0) {
		(void)!ftruncate(l->fd, 0);
		goto undo;
	}
	if (old != NULL)
		*old = h;
	*out = &l->base;
	return 0;
undo:
	db_rollback(db);
fail:
	lock_free(l);
	return -1;
}

/* --- Holding ----------------------------------------------------------------------------------- */

static const struct file_lock *file_lock_of(const struct lock *l)
{
	return (const struct file_lock *)l;
}

static int file_fence_file(const struct lock *base, struct err *e)
{
	if (is_named(file_lock_of(base)))
		return 0;
	return lock_fenced(base, "the lock file was exchanged", e);
}

static int file_beat(struct lock *base, struct err *e)
{
	const struct file_lock *l = file_lock_of(base);

	if (file_fence_file(base, e) != 0)
		return -1;
	if (futimens(l->fd, NULL) != 0)
		return err_sys(e, errno, "cannot beat on lock file %s", l->path);
	return 0;
}

static int file_fence(const struct lock *base, struct db *db, struct err *e)
{
	struct lock_holder row;
	int64_t epoch;

	/* The number alone: this is compiled again after every change of the schema. */
	if (db_int(db, "SELECT epoch FROM bascule_lock WHERE one = 1", NULL, 0, -1, &epoch, e) != 0)
		return -1;
	if (epoch == base->epoch)
		return file_fence_file(base, e);
	/* Who has the lock now, for the words of the refusal. */
	return row_read(db, &row, e) != 0 ? -1 : lock_fenced_by(base, &row, e);
}

/* Nothing can be done about a failure here: the kernel lock is freed in any case, and a row that
 * still names us is what lock_read then calls stale. */
static void row_clear(const struct file_lock *l, struct db *db)
{
	struct db_value epoch = DB_V_INT(l->base.epoch);
	struct err ignored;

	if (db_in_transaction(db) || db_begin(db, &ignored) != 0)
		return;
	if (db_exec(db,
		    "UPDATE bascule_lock SET who = '', host = '', pid = 0, pid_start = 0, boot = "
		    "'', "
		    "run = '', taken_at = '', request = '' WHERE one = 1 AND epoch = ?1",
		    &epoch, 1, NULL, NULL, &ignored) != 0 ||
	    db_commit(db, &ignored) != 0)
		db_rollback(db);
}

static void file_release(struct lock *base, struct db *db)
{
	struct file_lock *l = (struct file_lock *)base;

	if (db != NULL)
		row_clear(l, db);
	(void)!ftruncate(l->fd, 0);
	lock_free(l);
}

/* --- Waiting ----------------------------------------------------------------------------------- */

/* Held now? A missing file is free. */
static int looks_held(const char *path, bool *held, struct err *e)
{
	struct lock_holder h;
	bool parsed;

	memset(&h, 0, sizeof(h));
	if (sidecar_read(path, &h, &parsed, e) != 0)
		return -1;
	*held = h.held;
	return 0;
}

static void drain(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		;
}

/* Waits for something to happen to the file, at most WAIT_BOUND_MS. A closing descriptor is
 * announced just before its lock goes, so behind an event the next looks come quickly. */
static int wait_change(int notify, int *quick, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct pollfd pfd = { .fd = notify, .events = POLLIN };
	int64_t until = clock_mono_ms() + (*quick > 0 ? 2 : WAIT_BOUND_MS);
	int ready = wait_fds(&pfd, 1, until < deadline_ms ? until : deadline_ms, c, e);

	if (ready < 0)
		return -1;
	if (ready > 0) {
		drain(notify);
		*quick = 10;
	} else if (*quick > 0) {
		(*quick)--;
	}
	return 0;
}

static int file_wait(const struct dsn *dsn, struct db *db, int64_t deadline_ms, struct cancel *c,
		     struct err *e)
{
	char *path = sidecar_path(dsn);
	int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	bool held = true;
	int quick = 0, result = -1;

	(void)db;
	if (notify < 0) {
		err_sys(e, errno, "cannot watch lock file %s", path);
		goto out;
	}
	for (;;) {
		/* Watched before it is looked at, so that nothing falls in between. An exchanged file
		 * is another watch; a missing one is free. */
		if (inotify_add_watch(notify, path,
				      IN_CLOSE_WRITE | IN_MODIFY | IN_DELETE_SELF | IN_ATTRIB) <
			    0 &&
		    errno != ENOENT) {
			err_sys(e, errno, "cannot watch lock file %s", path);
			goto out;
		}
		if (looks_held(path, &held, e) != 0)
			goto out;
		if (!held)
			break;
		if (clock_mono_ms() >= deadline_ms) {
			struct lock_holder h;

			if (file_read(dsn, NULL, 0, &h, e) == 0)
				lock_refuse_held(dsn, &h, e);
			goto out;
		}
		if (wait_change(notify, &quick, deadline_ms, c, e) != 0)
			goto out;
	}
	result = 0;
out:
	if (notify >= 0)
		close(notify);
	mem_free(path);
	return result;
}

const struct lock_ops lock_file_ops = {
	.read = file_read,
	.take = file_take,
	.wait = file_wait,
	.takeover = file_takeover,
	.beat = file_beat,
	.fence = file_fence,
	.fence_file = file_fence_file,
	.release = file_release,
};
