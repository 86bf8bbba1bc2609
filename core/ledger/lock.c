/* SPDX-License-Identifier: MIT */
/*
 * What both kinds of lock have in common: the lease, who we are, what is to be thought of a holder, and
 * the words of a refusal. Which kind it is follows from where the database is.
 */
#include "core/ledger/lock.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/ledger/lock_ops.h"

static const struct lock_ops *ops_of(const struct dsn *dsn)
{
	return dsn_is_file(dsn) ? &lock_file_ops : &lock_server_ops;
}

/* --- Shared ------------------------------------------------------------------------------------ */

void lock_init(struct lock *l, const struct lock_ops *ops, const struct lock_request *req)
{
	l->ops = ops;
	l->stale_ms = req->stale_ms > 0 ? req->stale_ms : LOCK_STALE_MS;
}

void lock_self(const struct lock_request *req, int64_t epoch, struct lock_holder *h)
{
	char state;

	memset(h, 0, sizeof(*h));
	str_copy(h->who, sizeof(h->who), req->who != NULL ? req->who : "");
	str_copy(h->host, sizeof(h->host), req->host != NULL ? req->host : "");
	str_copy(h->run, sizeof(h->run), req->run != NULL ? req->run : "");
	fs_boot_id(h->boot);
	h->pid = getpid();
	if (!fs_process(h->pid, &h->pid_start, &state))
		h->pid_start = 0;
	h->epoch = epoch;
	h->since_utc_ms = clock_utc_ms();
}

void lock_judge(struct lock_holder *h, int64_t stale_ms)
{
	char boot[40], state = '\0';
	int64_t start = 0;

	fs_boot_id(boot);
	h->rebooted = !h->remote && h->boot[0] != '\0' && strcmp(h->boot, boot) != 0;
	h->alive = !h->remote && !h->rebooted && h->pid > 0 && fs_process(h->pid, &start, &state) &&
		   start == h->pid_start;
	h->stopped = h->alive && (state == 'T' || state == 't');
	if (h->held)
		h->stale = clock_utc_ms() - h->beat_utc_ms >
			   (stale_ms > 0 ? stale_ms : LOCK_STALE_MS);
	else
		h->stale = h->run[0] != '\0';
}

int lock_refuse_held(const struct dsn *dsn, const struct lock_holder *h, struct err *e)
{
	char since[CLOCK_TEXT_SIZE], beat[CLOCK_TEXT_SIZE];

	err_set(e, ERR_LOCKED, "cannot lock %s: %s holds it", dsn->shown,
		h->who[0] != '\0' ? h->who : "somebody");
	err_detail(e, "%s from %s since %s%s%s, pid %lld%s, last beat %s",
		   h->who[0] != '\0' ? h->who : "unknown", h->host[0] != '\0' ? h->host : "unknown",
		   clock_iso(h->since_utc_ms, since), h->run[0] != '\0' ? ", run " : "", h->run,
		   (long long)h->pid, h->stopped ? " (stopped)" : "",
		   clock_ago(clock_utc_ms() - h->beat_utc_ms, beat));
	if (!h->stale && lock_may_take_over(h))
		return err_hint(
			e,
			"its process is gone, its session is still at work; wait, or end it: "
			"bascule takeover %s --terminate",
			h->run);
	if (h->stale)
		return err_hint(e, "it does not beat any more: bascule takeover");
	return err_hint(e, "add --wait to wait until it is free");
}

int lock_refuse_run(const struct dsn *dsn, const char *named, const char *only_run, struct err *e)
{
	err_set(e, ERR_LOCKED, "lock of %s belongs to another run", dsn->shown);
	return err_detail(e, "it names run %s, not %s", named, only_run);
}

int lock_fenced(const struct lock *l, const char *why, struct err *e)
{
	err_set(e, ERR_FENCED, "lock is not ours any more");
	return err_detail(e, "epoch %lld: %s", (long long)l->epoch, why);
}

int lock_fenced_by(const struct lock *l, const struct lock_holder *row, struct err *e)
{
	err_set(e, ERR_FENCED, "lock is not ours any more");
	return err_detail(e, "ours is epoch %lld; %s from %s has taken epoch %lld",
			  (long long)l->epoch, row->who[0] != '\0' ? row->who : "somebody",
			  row->host[0] != '\0' ? row->host : "unknown", (long long)row->epoch);
}

/* --- Either kind ------------------------------------------------------------------------------- */

int lock_read(const struct dsn *dsn, struct db *db, int64_t stale_ms, struct lock_holder *out,
	      struct err *e)
{
	return ops_of(dsn)->read(dsn, db, stale_ms, out, e);
}

int lock_take(const struct dsn *dsn, struct db *db, const struct lock_request *req,
	      struct lock **out, struct lock_holder *holder, struct err *e)
{
	return ops_of(dsn)->take(dsn, db, req, NULL, out, holder, e);
}

int lock_wait(const struct dsn *dsn, struct db *db, int64_t deadline_ms, struct cancel *c,
	      struct err *e)
{
	return ops_of(dsn)->wait(dsn, db, deadline_ms, c, e);
}

int lock_takeover(const struct dsn *dsn, struct db *db, const struct lock_request *req,
		  struct lock **out, struct lock_holder *old, struct err *e)
{
	return ops_of(dsn)->takeover(dsn, db, req, out, old, e);
}

int lock_clear_dead(const struct dsn *dsn, struct db *db, const char *run, const char *who,
		    const char *host, struct err *e)
{
	const struct lock_request req = { .who = who, .host = host, .run = run };
	struct lock *l = NULL;

	if (ops_of(dsn)->take(dsn, db, &req, run, &l, NULL, e) != 0)
		return -1;
	lock_release(l, db);
	return 0;
}

bool lock_may_take_over(const struct lock_holder *h)
{
	return !h->held || h->stale || (h->session.id != 0 && !h->remote && !h->alive);
}

int64_t lock_epoch(const struct lock *l)
{
	return l->epoch;
}

int lock_lease(const struct lock *l, struct err *e)
{
	if (clock_boot_ms() - atomic_load(&l->beat_boot_ms) <= l->stale_ms)
		return 0;
	return lock_fenced(
		l,
		"no beat for longer than the lease: the database was silent, or this machine slept",
		e);
}

int lock_beat(struct lock *l, struct err *e)
{
	/* Before the beat, so that our lease ends before others see it end. */
	int64_t now = clock_boot_ms();

	/* A lease that is over stays over: a runner that has slept must notice. */
	if (lock_lease(l, e) != 0 || l->ops->beat(l, e) != 0)
		return -1;
	atomic_store(&l->beat_boot_ms, now);
	return 0;
}

int lock_fence(const struct lock *l, struct db *db, struct err *e)
{
	assert(db_in_transaction(db));
	return l->ops->fence(l, db, e);
}

int lock_fence_file(const struct lock *l, struct err *e)
{
	return l->ops->fence_file(l, e);
}

void lock_release(struct lock *l, struct db *db)
{
	if (l != NULL)
		l->ops->release(l, db);
}
