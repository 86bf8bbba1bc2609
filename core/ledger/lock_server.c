/* SPDX-License-Identifier: MIT */
/*
 * The fenced lock of an environment whose database is one of a server.
 *
 * What is freed by itself when the holder dies is an advisory lock of the working session: the very
 * connection that changes the database, so that there is no state in which the lock is gone and its
 * holder can still write. The server frees it when that session has ended, which is not when the holder
 * has: an ALTER goes on after its client is dead, and the lock with it. That is right, for until then
 * the environment is being changed.
 *
 * So a takeover cannot take: it waits until the old session is gone, or ends it when it was told to
 * (lock_request.terminate). The same is looked at when the advisory lock is free and the row still names
 * a session that is at work: pg_advisory_unlock_all() in somebody's script gives the lock away.
 *
 * The row bascule_lock says who it is, in a transaction that first locks the row: this is what orders
 * takers among each other and behind a transaction of the old holder, which keeps the row locked from its
 * fence to its end.
 *
 * Beats go to bascule_beat, a row of its own, over a connection of its own: the working one may be busy for
 * an hour inside a transaction that holds the lock's row. The age of a beat is computed on the server.
 * That connection belongs to whoever calls lock_beat (the control thread), and is opened anew after a
 * failure; a beat that cannot be written for longer than the lease ends it.
 *
 * Nothing here waits for the advisory lock itself: a session that waits inside pg_advisory_lock() has an
 * open snapshot, and CREATE INDEX CONCURRENTLY of the holder would wait for that.
 */
#include "core/ledger/lock_ops.h"

#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/ledger/dialect.h"

#define LOCK_NAME "bascule" /* the driver puts the database in front where names are the server's */
#define BEAT_CONNECT_MS 2000 /* a mute server keeps the control thread for a few seconds, */
#define BEAT_ANSWER_MS 2000  /* not for the length of a lease */
#define POLL_MS 500          /* between two looks while waiting for the lock */
#define GONE_POLL_MS 100     /* … for a session to go */
#define GONE_MS 10000        /* default of lock_request.wait_ms */
#define DOING_MAX 160        /* bytes shown of a statement that is still running */

struct server_lock {
	struct lock base;
	const struct dsn *dsn;
	struct db *db; /* the working connection: its session has the advisory lock */
	struct db_session session;
	struct db *beat; /* lock_beat's alone; NULL: to be opened */
};

/* --- Looking ----------------------------------------------------------------------------------- */

struct look {
	struct lock_holder h;
	bool found; /* there is a ledger */
};

static bool is_this_host(const char *host)
{
	char name[256] = "";

	return gethostname(name, sizeof(name) - 1) == 0 && strcmp(host, name) == 0;
}

/* LEDGER_LOCK_COLUMNS, the server's clock. */
static int look_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct look *k = arg;
	struct lock_holder *h = &k->h;
	char at[CLOCK_TEXT_SIZE];
	int64_t age;

	(void)n;
	(void)e;
	k->found = true;
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
	h->session.id = col[8].i;
	str_copy_sv(h->session.started, sizeof(h->session.started), col[9].s);
	/* A beat of another epoch is none of this holder's. */
	age = col[10].i == h->epoch && col[11].type == DB_INT ? col[12].i - col[11].i : col[12].i;
	h->beat_utc_ms = clock_utc_ms() - (age > 0 ? age : 0);
	h->remote = h->host[0] != '\0' && !is_this_host(h->host);
	return 0;
}

/* The row, the beat and the clock with one question. No ledger: nothing is found. */
static int look(struct db *db, struct look *k, struct err *e)
{
	const struct ledger_dialect *d = ledger_dialect(db);
	bool there = true;

	memset(k, 0, sizeof(*k));
	/* Seeing a missing table would end an open transaction. */
	if (db_in_transaction(db) && db_has_table(db, "bascule_lock", &there, e) != 0)
		return -1;
	if (!there || db_exec(db, d->lock_look, NULL, 0, look_row, k, e) == 0)
		return 0;
	return ledger_is_missing(d, e) ? 0 : -1;
}

/* Whether somebody has the advisory lock is asked only when the row names somebody: a free environment,
 * which is the rule, costs one question. */
static int look_whole(struct db *db, int64_t stale_ms, struct look *k, struct db_session *by,
		      struct err *e)
{
	bool held = false;

	memset(by, 0, sizeof(*by));
	if (look(db, k, e) != 0)
		return -1;
	if (k->found && k->h.session.id != 0 &&
	    db_advisory_holder(db, LOCK_NAME, &held, by, e) != 0)
		return -1;
	k->h.held = held;
	lock_judge(&k->h, stale_ms);
	return 0;
}

static int server_read(const struct dsn *dsn, struct db *db, int64_t stale_ms,
		       struct lock_holder *out, struct err *e)
{
	struct db_session by;
	struct look k;

	(void)dsn;
	if (db == NULL) {
		memset(out, 0, sizeof(*out));
		return 0;
	}
	if (look_whole(db, stale_ms, &k, &by, e) != 0)
		return -1;
	*out = k.h;
	return 0;
}

/* --- What a session is doing ------------------------------------------------------------------- */

struct doing {
	bool busy;
	char text[DOING_MAX * 2];
};

static int doing_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct doing *d = arg;
	char since[CLOCK_TEXT_SIZE];
	struct sv sql = col[2].s;
	struct strbuf text;

	(void)n;
	(void)e;
	d->busy = col[1].i != 0;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	clean_text(&text, col[0].s, false);
	strbuf_addf(&text, " for %s", clock_span(col[3].i, since));
	if (sql.n > 0) {
		strbuf_adds(&text, ": ");
		clean_text(&text, sv_n(sql.p, sql.n < DOING_MAX ? sql.n : DOING_MAX), false);
	}
	str_copy(d->text, sizeof(d->text), strbuf_str(&text));
	strbuf_clear(&text);
	return 0;
}

/* Best effort: it may be gone, and another role's session may be none of our business. */
static void doing_of(struct db *db, const struct db_session *s, struct doing *out)
{
	struct db_value id = DB_V_INT(s->id);
	struct err ignored;

	*out = (struct doing){ .busy = true };
	(void)!db_exec(db, ledger_dialect(db)->doing, &id, 1, doing_row, out, &ignored);
}

static int refuse_session(const struct dsn *dsn, const struct lock_holder *h,
			  const struct db_session *s, const struct doing *d, struct err *e)
{
	err_set(e, ERR_BUSY, "cannot lock %s: a session of %s is still there", dsn->shown,
		h->who[0] != '\0' ? h->who : "the last holder");
	err_detail(e, "session %lld%s%s%s%s%s", (long long)s->id,
		   h->run[0] != '\0' ? " of run " : "", h->run, d->text[0] != '\0' ? ", " : "",
		   d->text, d->busy ? "" : "; it does nothing");
	return err_hint(e, "wait until it is gone, or end it: bascule takeover%s%s --terminate",
			h->run[0] != '\0' ? " " : "", h->run);
}

/* The session that the row names, when it is not ours, still there and at work. */
static int row_session(struct db *db, const struct server_lock *l, const struct lock_holder *h,
		       struct doing *d, bool *at_work, struct err *e)
{
	bool alive = false;

	*at_work = false;
	if (h->session.id == 0 ||
	    (h->session.id == l->session.id && strcmp(h->session.started, l->session.started) == 0))
		return 0;
	if (db_session_alive(db, &h->session, &alive, e) != 0)
		return -1;
	if (!alive)
		return 0;
	doing_of(db, &h->session, d);
	*at_work = d->busy;
	return 0;
}

/* --- Taking ------------------------------------------------------------------------------------ */

static int beat_open(struct server_lock *l, struct err *e)
{
	const struct db_options opt = {
		.lock_timeout_ms = BEAT_ANSWER_MS,
		.connect_timeout_ms = BEAT_CONNECT_MS,
		.answer_timeout_ms = BEAT_ANSWER_MS,
	};

	return db_open(l->dsn, 0, &opt, NULL, &l->beat, e);
}

static void server_lock_free(struct server_lock *l)
{
	db_close(l->beat);
	mem_free(l);
}

/* Everything that is asked before the lock is touched. */
static int server_lock_new(const struct dsn *dsn, struct db *db, const struct lock_request *req,
			   struct server_lock **out, struct err *e)
{
	struct server_lock *l;

	if (db_check_pooler(db, e) != 0)
		return -1;
	l = mem_calloc(1, sizeof(*l));
	lock_init(&l->base, &lock_server_ops, req);
	l->dsn = dsn;
	l->db = db;
	if (db_session(db, &l->session, e) != 0 || beat_open(l, e) != 0) {
		server_lock_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

static int row_write(struct server_lock *l, struct db *db, const struct lock_request *req,
		     struct err *e)
{
	const struct ledger_dialect *d = ledger_dialect(db);
	const struct db_value epoch = DB_V_INT(l->base.epoch);
	struct lock_holder self;

	lock_self(req, l->base.epoch, &self);
	{
		const struct db_value v[] = {
			epoch,
			db_v_text(self.who),
			db_v_text(self.host),
			DB_V_INT(self.pid),
			DB_V_INT(self.pid_start),
			db_v_text(self.boot),
			db_v_text(self.run),
			DB_V_INT(l->session.id),
			db_v_text(l->session.started),
		};

		if (db_exec(db, d->lock_write, v, sizeof(v) / sizeof(v[0]), NULL, NULL, e) != 0)
			return -1;
	}
	return db_exec(db, d->beat_begin, &epoch, 1, NULL, NULL, e);
}

/* The transaction of a taker who has the advisory lock. *before gets what the row named. */
static int claim(struct server_lock *l, struct db *db, const struct lock_request *req,
		 const char *only_run, struct lock_holder *before, struct err *e)
{
	struct doing d = { 0 };
	bool at_work;
	struct look k;
	int64_t epoch;

	if (db_begin(db, e) != 0)
		return -1;
	if (db_int(db, "SELECT epoch FROM bascule_lock WHERE one = 1 FOR UPDATE", NULL, 0, 0,
		   &epoch, e) != 0) {
		if (e->code == ERR_BUSY)
			err_wrap(e, "cannot lock %s: a transaction is open in it", l->dsn->shown);
		goto undo;
	}
	if (look(db, &k, e) != 0)
		goto undo;
	if (only_run != NULL && k.h.run[0] != '\0' && strcmp(k.h.run, only_run) != 0) {
		lock_refuse_run(l->dsn, k.h.run, only_run, e);
		goto undo;
	}
	if (row_session(db, l, &k.h, &d, &at_work, e) != 0)
		goto undo;
	*before = k.h;
	lock_judge(before, l->base.stale_ms);
	if (at_work) {
		refuse_session(l->dsn, &k.h, &k.h.session, &d, e);
		goto undo;
	}
	l->base.epoch = epoch + 1;
	atomic_store(&l->base.beat_boot_ms, clock_boot_ms());
	if (row_write(l, db, req, e) != 0 || db_commit(db, e) != 0)
		goto undo;
	return 0;
undo:
	db_rollback(db);
	return -1;
}

static int server_take(const struct dsn *dsn, struct db *db, const struct lock_request *req,
		       const char *only_run, struct lock **out, struct lock_holder *holder,
		       struct err *e)
{
	struct server_lock *l = NULL;
	struct lock_holder before;
	struct db_session by;
	struct look k;
	bool got = false;

	if (server_lock_new(dsn, db, req, &l, e) != 0)
		return -1;
	if (db_advisory_lock(db, LOCK_NAME, &got, e) != 0)
		goto fail;
	if (!got) {
		if (look_whole(db, l->base.stale_ms, &k, &by, e) != 0)
			goto fail;
		if (holder != NULL)
			*holder = k.h;
		lock_refuse_held(dsn, &k.h, e);
		goto fail;
	}
	memset(&before, 0, sizeof(before));
	if (claim(l, db, req, only_run, &before, e) != 0) {
		if (holder != NULL)
			*holder = before;
		goto fail;
	}
	if (holder != NULL)
		*holder = before;
	*out = &l->base;
	return 0;
fail:
	if (got)
		db_advisory_unlock(db, LOCK_NAME);
	server_lock_free(l);
	return -1;
}

/* --- Taking over ------------------------------------------------------------------------------- */

static void say_waiting(const struct lock_request *req, const struct lock_holder *h,
			const struct db_session *s, const struct doing *d)
{
	struct strbuf text;

	if (req->say == NULL)
		return;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_addf(&text, "%s session %lld of %s", req->terminate ? "ending" : "waiting for",
		    (long long)s->id, h->who[0] != '\0' ? h->who : "the last holder");
	if (d->text[0] != '\0')
		strbuf_addf(&text, ": %s", d->text);
	req->say(req->arg, strbuf_str(&text));
	strbuf_clear(&text);
}

struct old_session {
	struct db_session s;
	struct doing d;
	bool in_the_way;
};

/* Tries the lock once. *old: the session that is in the way. */
static int try_over(struct server_lock *l, struct db *db, const struct look *k,
		    const struct db_session *by, bool *got, struct old_session *old, struct err *e)
{
	old->in_the_way = false;
	if (!*got && db_advisory_lock(db, LOCK_NAME, got, e) != 0)
		return -1;
	if (!*got) {
		old->in_the_way = true;
		old->s = by->id != 0 ? *by : k->h.session;
		doing_of(db, &old->s, &old->d);
		return 0;
	}
	old->s = k->h.session;
	return row_session(db, l, &k->h, &old->d, &old->in_the_way, e);
}

/* Until the lock is ours and nobody of the old holder is at work. */
static int wait_over(struct server_lock *l, struct db *db, const struct lock_request *req,
		     struct look *k, bool *got, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + (req->wait_ms > 0 ? req->wait_ms : GONE_MS);
	struct db_session by = { 0 };
	struct old_session old;
	bool told = false;

	for (;;) {
		if (look_whole(db, l->base.stale_ms, k, &by, e) != 0)
			return -1;
		if (!*got && !lock_may_take_over(&k->h))
			return lock_refuse_held(l->dsn, &k->h, e);
		if (try_over(l, db, k, &by, got, &old, e) != 0)
			return -1;
		if (!old.in_the_way)
			return 0;
		if (!told) {
			say_waiting(req, &k->h, &old.s, &old.d);
			if (req->terminate && old.s.id != 0 && db_session_end(db, &old.s, e) != 0)
				return -1;
		}
		told = true;
		if (clock_mono_ms() >= deadline_ms)
			return refuse_session(l->dsn, &k->h, &old.s, &old.d, e);
		if (wait_fds(NULL, 0, clock_mono_ms() + GONE_POLL_MS, req->cancel, e) < 0)
			return -1;
	}
}

static int server_takeover(const struct dsn *dsn, struct db *db, const struct lock_request *req,
			   struct lock **out, struct lock_holder *old, struct err *e)
{
	struct server_lock *l = NULL;
	struct lock_holder before;
	struct db_session by;
	struct look k;
	bool got = false;

	if (look_whole(db, req->stale_ms, &k, &by, e) != 0)
		return -1;
	if (!lock_may_take_over(&k.h))
		return lock_refuse_held(dsn, &k.h, e);
	if (server_lock_new(dsn, db, req, &l, e) != 0)
		return -1;
	if (wait_over(l, db, req, &k, &got, e) != 0 || claim(l, db, req, NULL, &before, e) != 0)
		goto fail;
	if (old != NULL)
		*old = before;
	*out = &l->base;
	return 0;
fail:
	if (got)
		db_advisory_unlock(db, LOCK_NAME);
	server_lock_free(l);
	return -1;
}

/* --- Holding ----------------------------------------------------------------------------------- */

static int server_beat(struct lock *base, struct err *e)
{
	struct server_lock *l = (struct server_lock *)base;
	struct db_value epoch = DB_V_INT(base->epoch);
	int64_t now;

	if (l->beat == NULL && beat_open(l, e) != 0)
		return -1;
	if (db_exec(l->beat, ledger_dialect(l->beat)->beat, &epoch, 1, NULL, NULL, e) != 0 ||
	    db_int(l->beat, "SELECT epoch FROM bascule_lock WHERE one = 1", NULL, 0, -1, &now, e) !=
		    0) {
		/* Whatever it was, the next beat begins with a connection that is known to be good. */
		db_close(l->beat);
		l->beat = NULL;
		return err_wrap(e, "cannot beat on the lock of %s", l->dsn->shown);
	}
	return now == base->epoch ? 0 : lock_fenced(base, "another epoch is in the ledger", e);
}

static void fence_text(const struct server_lock *l, struct db *db, struct strbuf *out)
{
	strbuf_init(out, STRBUF_NO_LIMIT);
	db_fence_sql(db, LOCK_NAME, l->base.epoch, out);
}

bool lock_fence_judge(const struct lock *l, struct db *db, struct err *e)
{
	struct err ignored;
	struct look k;

	if (l == NULL || (db_caps(db) & DB_SERVER) == 0 || !db_is_fence_error(db, e))
		return false;
	if (look(db, &k, &ignored) == 0 && k.found && k.h.epoch != l->epoch)
		lock_fenced_by(l, &k.h, e);
	else
		lock_fenced(l, "our session does not hold it any more", e);
	return true;
}

void lock_fence_item(const struct lock *base, struct db *db, struct arena *a, struct db_item *out)
{
	struct strbuf text;

	fence_text((const struct server_lock *)base, db, &text);
	*out = (struct db_item){ .text = arena_sv(a, strbuf_sv(&text)) };
	strbuf_clear(&text);
}

static int server_fence(const struct lock *base, struct db *db, struct err *e)
{
	struct strbuf text;
	int rc;

	fence_text((const struct server_lock *)base, db, &text);
	rc = db_foreign(db, strbuf_sv(&text), NULL, e);
	strbuf_clear(&text);
	if (rc != 0 && db_is_fence_error(db, e)) {
		/* The transaction is over on the server; who has the lock is asked outside of it. */
		db_rollback(db);
		lock_fence_judge(base, db, e);
	}
	return rc;
}

static int server_fence_file(const struct lock *base, struct err *e)
{
	(void)base;
	(void)e;
	return 0;
}

/* Nothing can be done about a failure here: the advisory lock goes in any case, and a row that still names
 * us is what lock_read then calls stale. */
static void row_clear(const struct server_lock *l, struct db *db)
{
	struct db_value epoch = DB_V_INT(l->base.epoch);
	struct err ignored;

	if (db_in_transaction(db) || db_begin(db, &ignored) != 0)
		return;
	if (db_exec(db,
		    "UPDATE bascule_lock SET who = '', host = '', pid = 0, pid_start = 0, boot = "
		    "'', run = '', taken_at = '', request = '', session_id = 0, session_started = '' "
		    "WHERE one = 1 AND epoch = ?1",
		    &epoch, 1, NULL, NULL, &ignored) != 0 ||
	    db_commit(db, &ignored) != 0)
		db_rollback(db);
}

static void server_release(struct lock *base, struct db *db)
{
	struct server_lock *l = (struct server_lock *)base;

	if (db != NULL)
		row_clear(l, db);
	db_advisory_unlock(l->db, LOCK_NAME);
	server_lock_free(l);
}

/* --- Waiting ----------------------------------------------------------------------------------- */

static int server_wait(const struct dsn *dsn, struct db *db, int64_t deadline_ms, struct cancel *c,
		       struct err *e)
{
	for (;;) {
		int64_t now = clock_mono_ms(), until = now + POLL_MS;
		struct db_session by;
		struct look k;
		bool held = false;

		/* The lock itself, not the row: between the two a taker needs a moment. */
		if (look(db, &k, e) != 0 ||
		    (k.found && db_advisory_holder(db, LOCK_NAME, &held, &by, e) != 0))
			return -1;
		if (!held)
			return 0;
		if (now >= deadline_ms)
			return lock_refuse_held(dsn, &k.h, e);
		if (wait_fds(NULL, 0, until < deadline_ms ? until : deadline_ms, c, e) < 0)
			return -1;
	}
}

const struct lock_ops lock_server_ops = {
	.read = server_read,
	.take = server_take,
	.wait = server_wait,
	.takeover = server_takeover,
	.beat = server_beat,
	.fence = server_fence,
	.fence_file = server_fence_file,
	.release = server_release,
};
