/* SPDX-License-Identifier: MIT */
/*
 * The runner: opens what a run needs, executes it, ends it.
 *
 * It reads the run's folder and the databases that the frozen plan names, nothing else. Order matters:
 * - the folder's flock first: one runner of a run. A takeover goes without it, because the one it takes
 *   over from is stopped and still has it; what holds then is the lock of the environment.
 * - the frozen files are verified before anything is opened on their word
 * - the environment's lock before the first line that counts as state: its epoch numbers the lines
 * - `ended` before the lock is given back, so that nobody sees the environment free and the run open
 *
 * Before the lock is held, a runner in mode start may end the run (nobody else can know of it); one
 * that resumes may not: it leaves a progress line and the run as it was.
 */
#include "core/release/runner.h"

#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"
#include "core/migrate/source.h"
#include "core/release/env_open.h"
#include "core/release/executor.h"
#include "core/release/run_folder.h"
#include "core/release/tool_lock.h"

#define BEATS_PER_LEASE 8
#define MANY_CHANGES 3 /* a plan of more is worth preparing the connection for */

static int exit_of(const struct err *e)
{
	switch (e->code) {
	case ERR_GATE:
	case ERR_CORRUPT:
		return 3;
	case ERR_CANCELLED:
		return 4;
	case ERR_LOCKED:
		return 6;
	default:
		return 1;
	}
}

/* --- Opening -------------------------------------------------------------------------------- */

static int open_folder(struct executor *x, const char *id, struct err *e)
{
	char *dir;
	int ret;

	if (x->mode == RUNNER_TAKEOVER)
		return 0;
	dir = run_path(x->ctx, id, NULL);
	ret = run_lock_folder(dir, &x->folder_fd, e);
	mem_free(dir);
	return ret;
}

static int open_run(struct executor *x, const char *id, struct err *e)
{
	if (run_read(x->ctx, id, &x->run, e))
		return -1;
	x->plan = x->run->plan;
	if (run_state_ended(x->run->state)) {
		err_set(e, ERR_GATE, "run %s has ended: %s", x->run->number,
			run_state_name(x->run->state));
		err_detail(e, "a run is executed once");
		return err_hint(e, "%s", x->plan->command);
	}
	return 0;
}

/* What the libraries say, and errors that stop nothing, beside what the process itself printed. */
static void open_log(const struct executor *x)
{
	char *path = path_join(x->run->dir, "runner.log");
	struct err ignored;

	if (log_open(path, &ignored))
		log_close();
	mem_free(path);
}

static int open_journal(struct executor *x, struct err *e)
{
	char *path = path_join(x->run->dir, "journal.ndjson");
	int ret = journal_open(path, false, x->run->epoch, &x->journal, e);

	mem_free(path);
	if (ret && e->code == ERR_CORRUPT)
		err_hint(e, "bascule abort %s", x->run->number);
	return ret;
}

/* The same formula as everywhere: <state>/backups/<project>. */
static char *backups_dir_of(const struct context *ctx, const struct plan *p)
{
	char *all, *dir;

	if (ctx->backups_dir)
		return mem_strdup(ctx->backups_dir);
	all = path_join(ctx->state_dir, "backups");
	dir = path_join(all, p->project);
	mem_free(all);
	return dir;
}

static int open_control(struct executor *x, struct err *e)
{
	return control_start(x->run->dir, &x->work, x->stop, &x->control, e);
}

/* --- The lock ------------------------------------------------------------------------------- */

static void put_self(json_t *j)
{
	char boot[40], state;
	int64_t start = 0;

	fs_boot_id(boot);
	fs_process(getpid(), &start, &state);
	json_put_int(j, "pid", getpid());
	json_put_int(j, "pid_start", start);
	json_put_str(j, "boot", boot);
}

static void waiting_note(struct executor *x, const struct err *why)
{
	json_t *j = json_object();

	json_put_bool(j, "waiting", true);
	put_self(j);
	json_put_str(j, "text", why->msg);
	json_put_str(j, "holder", why->detail);
	record_note(x, "progress", 0, j);
}

static struct lock_request lock_request_of(const struct executor *x)
{
	return (struct lock_request){
		.who = x->ctx->who,
		.host = x->ctx->host,
		.run = x->run->id,
		.stale_ms = x->plan->env.lock_stale_ms,
	};
}

/* A session of an old holder is in the way: how it is ended, as a command that works as printed. */
static void hint_terminate(const struct executor *x, const char *run, struct err *e)
{
	if (e->code == ERR_BUSY && run[0] && !dsn_is_file(&x->plan->env.dsn))
		err_hint(e, "bascule takeover %s --terminate --confirm %s", run,
			 x->plan->environment);
}

static int lock_take_waiting(struct executor *x, struct err *e)
{
	const struct lock_request req = lock_request_of(x);
	int64_t deadline_ms = x->wait_ms < 0 ? WAIT_FOREVER : clock_mono_ms() + x->wait_ms;
	struct lock_holder holder;
	bool said = false;
	int ret = -1;

	memset(&holder, 0, sizeof(holder));
	control_set_waiting(x->control, true);
	while (lock_take(&x->plan->env.dsn, x->db, &req, &x->lock, &holder, e)) {
		if (e->code != ERR_LOCKED || x->wait_ms == 0 || clock_mono_ms() >= deadline_ms) {
			hint_terminate(x, holder.run, e);
			goto out;
		}
		if (!said)
			waiting_note(x, e);
		said = true;
		if (lock_wait(&x->plan->env.dsn, x->db, deadline_ms, &x->work, e))
			goto out;
	}
	ret = 0;
out:
	control_set_waiting(x->control, false);
	return ret;
}

static void say_to_log(void *arg, const char *text)
{
	(void)arg;
	log_line("%s", text);
}

/* Only from a dead or silent runner of this very run. */
static int lock_take_over(struct executor *x, struct err *e)
{
	struct lock_request req = lock_request_of(x);
	struct lock_holder holder, old;

	if (lock_read(&x->plan->env.dsn, x->db, req.stale_ms, &holder, e))
		return -1;
	if (holder.held && strcmp(holder.run, x->run->id)) {
		err_set(e, ERR_LOCKED, "%s is locked by another run: %s", x->plan->environment,
			holder.run);
		err_detail(e, "%s from %s, pid %lld", holder.who, holder.host,
			   (long long)holder.pid);
		return err_hint(e, "bascule watch %s", holder.run);
	}
	req.terminate = x->terminate;
	req.say = say_to_log;
	req.cancel = &x->work;
	if (lock_takeover(&x->plan->env.dsn, x->db, &req, &x->lock, &old, e)) {
		hint_terminate(x, x->run->number, e);
		return -1;
	}
	return 0;
}

/* The first lines of our epoch: what it goes on from, and who we are. */
static int begin_epoch(struct executor *x, struct err *e)
{
	static const char *const mode_names[] = { "start", "resume", "takeover" };
	bool adopts = x->run->epoch > 0;
	json_t *j = json_object();

	json_put_int(j, "parent_epoch", x->run->epoch);
	json_put_int(j, "parent_seq", journal_seq(x->journal));
	json_put_str(j, "parent_hash", journal_head(x->journal));
	x->run->epoch = lock_epoch(x->lock);
	journal_set_epoch(x->journal, x->run->epoch);
	if (!adopts)
		json_decref(j);
	else if (record_line(x, "adopt", 0, j, true, e))
		return -1;
	j = json_object();
	put_self(j);
	json_put_str(j, "mode", mode_names[x->mode]);
	json_put_str(j, "who", x->ctx->who);
	json_put_str(j, "from", x->ctx->host);
	return record_line(x, "started", 0, j, false, e);
}

static int take_environment(struct executor *x, struct err *e)
{
	int64_t stale_ms = x->plan->env.lock_stale_ms > 0 ? x->plan->env.lock_stale_ms
							  : LOCK_STALE_MS;
	const struct step *first = x->plan->n_step > 0 ? &x->plan->step[0] : NULL;

	if (x->mode == RUNNER_TAKEOVER) {
		/* The socket may be that of a runner who is well: not ours before the lock is. */
		if (lock_take_over(x, e) || open_control(x, e))
			return -1;
	} else if (lock_take_waiting(x, e)) {
		return -1;
	}
	control_set_lock(x->control, x->lock, stale_ms / BEATS_PER_LEASE);
	if (x->plan->n_change > MANY_CHANGES)
		db_expect_many(x->db, true);
	record_queue_old(x);
	if (begin_epoch(x, e))
		return -1;
	if (!first || first->kind != STEP_LOCK)
		return 0;
	executor_say(x, "epoch %lld", (long long)x->run->epoch);
	return executor_result(x, first, STEP_DONE, 0, x->text, NULL, e);
}

/* --- Ending --------------------------------------------------------------------------------- */

/* Work was cancelled, and with it the connection: the end needs one that answers. */
static void revive_database(struct executor *x)
{
	if (x->db && cancel_fired(&x->work))
		db_set_cancel(x->db, NULL);
}

static bool something_stays(const struct executor *x)
{
	for (size_t i = 0; i < x->plan->n_step; i++) {
		enum step_kind kind = x->plan->step[i].kind;

		if (x->run->step[i].state == STEP_DONE &&
		    (kind == STEP_UP || kind == STEP_DOWN || kind == STEP_RECORD ||
		     kind == STEP_RESTORE || kind == STEP_SEED))
			return true;
	}
	return false;
}

/* A run that ended early has changed the environment all the same, and the file is read by others. */
static void settle_state_file(struct executor *x)
{
	struct err e, lost;

	for (size_t i = 0; x->lock && x->db && i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];
		bool ok;

		if (s->kind != STEP_STATE_FILE || x->run->step[i].state != STEP_WAITING ||
		    !something_stays(x) || lock_lease(x->lock, &e))
			continue;
		ok = !step_ops_of(s)->act(x, s, &e);
		if (executor_result(x, s, ok ? STEP_DONE : STEP_FAILED, 0, ok ? x->text : e.msg,
				    ok ? NULL : &e, &lost))
			log_err(&lost);
	}
}

/* The lock comes back however the run ends; its step says so, too. */
static void settle_release(struct executor *x)
{
	struct err e;

	for (size_t i = 0; x->lock && i < x->plan->n_step; i++) {
		const struct step *s = &x->plan->step[i];

		if (s->kind == STEP_RELEASE && x->run->step[i].state == STEP_WAITING &&
		    executor_result(x, s, STEP_DONE, 0, "with the end of the run", NULL, &e))
			log_err(&e);
	}
}

static void finish(struct executor *x, const struct outcome *o)
{
	struct lock *lock = x->lock;
	bool fenced = o->err.code == ERR_FENCED || (x->control && control_fenced(x->control));

	if (fenced) {
		record_fenced(x);
	} else if (run_state_ended(o->state)) {
		revive_database(x);
		settle_state_file(x);
		settle_release(x);
		record_ended(x, o);
	}
	if (x->control)
		control_set_lock(x->control, NULL, 0);
	x->lock = NULL;
	if (x->db)
		db_expect_many(x->db, false); /* while the lock is ours */
	/* A run that did not end keeps its name in the row: the next plan asks what became of it. */
	lock_release(lock, run_state_ended(o->state) && !fenced ? x->db : NULL);
}

/* An abort of a run that was only just being resumed: what a dead runner left in the row goes, too. */
static void abort_before_lock(struct executor *x, struct outcome *o)
{
	struct err e;

	o->state = RUN_ABORTED;
	revive_database(x);
	/* So does a tool that the dead runner started. */
	if (tool_lock_end(x->run->dir, &e))
		log_err(&e);
	if (x->db &&
	    lock_clear_dead(&x->plan->env.dsn, x->db, x->run->id, x->ctx->who, x->ctx->host, &e))
		log_err(&e);
}

/* Something failed before the lock was ours. */
static void end_before_lock(struct executor *x, const struct err *why, struct outcome *o)
{
	struct control_request req = { .verb = CONTROL_NONE };
	json_t *j;

	o->exit_code = exit_of(why);
	o->err = *why;
	if (!x->journal || x->journal_failed || x->mode == RUNNER_TAKEOVER)
		return;
	if (x->run->epoch == 0) {
		/* It never began: there is nothing to resume. */
		o->state = why->code == ERR_CANCELLED ? RUN_ABORTED : RUN_FAILED;
		return;
	}
	if (why->code == ERR_CANCELLED && x->control && control_take(x->control, &req) &&
	    req.verb == CONTROL_ABORT) {
		abort_before_lock(x, o);
		return;
	}
	j = json_object();
	json_put_int(j, "exit", o->exit_code);
	json_object_set_new(j, "error", record_error(why));
	record_note(x, "progress", 0, j);
}

static void executor_close(struct executor *x)
{
	control_stop(x->control);
	executor_forget_history(x);
	source_free(x->source);
	db_close(x->db);
	journal_close(x->journal);
	strbuf_clear(&x->queue.text);
	mem_free(x->queue.line);
	mem_free(x->backups_dir);
	run_free(x->run);
	if (x->folder_fd >= 0)
		close(x->folder_fd);
	cancel_clear(&x->work);
}

/* Everything up to the lock. */
static int executor_open(struct executor *x, struct err *e)
{
	if (open_journal(x, e) || run_verify(x->run, e))
		return -1;
	x->backups_dir = backups_dir_of(x->ctx, x->plan);
	if ((x->mode != RUNNER_TAKEOVER && open_control(x, e)) ||
	    env_open(x->ctx, &x->plan->env, 0, &x->work, &x->db, e) || ledger_ensure(x->db, e))
		return -1;
	return take_environment(x, e);
}

int runner_main(const struct context *ctx, const char *id, enum runner_mode mode, int64_t wait_ms,
		struct cancel *stop, struct err *e)
{
	struct executor x = {
		.ctx = ctx,
		.mode = mode == RUNNER_TERMINATE ? RUNNER_TAKEOVER : mode,
		.terminate = mode == RUNNER_TERMINATE,
		.wait_ms = wait_ms,
		.stop = stop,
		.folder_fd = -1,
	};
	struct outcome o = { .state = RUN_RUNNING, .exit_code = 1 };
	struct err why;

	if (cancel_init(&x.work, e))
		return 1;
	strbuf_init(&x.queue.text, STRBUF_NO_LIMIT);
	err_clear(&o.err);
	/* The folder first: what another runner wrote until it was ours counts. */
	if (open_folder(&x, id, &why) || open_run(&x, id, &why)) {
		o.exit_code = exit_of(&why);
		o.err = why;
		goto out;
	}
	open_log(&x);
	if (!executor_open(&x, &why))
		executor_steps(&x, &o);
	else if (!x.lock)
		end_before_lock(&x, &why, &o);
	else
		o.err = why; /* the journal could not be written: interrupted */
	finish(&x, &o);
out:
	if (o.exit_code != 0)
		*e = o.err;
	executor_close(&x);
	log_close();
	return o.exit_code;
}
