/* SPDX-License-Identifier: MIT */
/*
 * A run's folder, read.
 *
 * run_load puts together three things: the frozen plan (plan.json), what the journal says happened
 * (run_state.c), and whether the process that should be doing it still exists. The last is asked of
 * the kernel (pid, start time and boot name one process for ever), never of a heartbeat alone: a run
 * whose runner is gone before its `ended` line is interrupted, whatever the journal said last.
 * A runner that is stopped (SIGSTOP) and whose lock has not beaten for its staleness limit counts as
 * gone too, because another one may take over from there.
 */
#include "core/release/run.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/ledger/lock.h"
#include "core/release/control_socket.h"
#include "core/release/run_folder.h"

static const char *const run_state_names[RUN_STATES] = {
	[RUN_WAITING] = "waiting",         [RUN_RUNNING] = "running",
	[RUN_PAUSED] = "paused",           [RUN_DONE] = "done",
	[RUN_FAILED] = "failed",           [RUN_ROLLED_BACK] = "rolled-back",
	[RUN_INTERRUPTED] = "interrupted", [RUN_ABORTED] = "aborted",
};

static const char *const step_state_names[] = {
	[STEP_WAITING] = "waiting", [STEP_RUNNING] = "running", [STEP_DONE] = "done",
	[STEP_FAILED] = "failed",   [STEP_SKIPPED] = "skipped", [STEP_UNDONE] = "undone",
};

const char *run_state_name(enum run_state s)
{
	return run_state_names[s];
}

int run_state_of(const char *name)
{
	for (int i = 0; name && i < RUN_STATES; i++)
		if (!strcmp(name, run_state_names[i]))
			return i;
	return -1;
}

bool run_state_ended(enum run_state s)
{
	return s == RUN_DONE || s == RUN_FAILED || s == RUN_ROLLED_BACK || s == RUN_ABORTED;
}

const char *step_state_name(enum step_state s)
{
	return step_state_names[s];
}

int step_state_of(const char *name)
{
	for (int i = 0; name && i <= STEP_UNDONE; i++)
		if (!strcmp(name, step_state_names[i]))
			return i;
	return -1;
}

char *run_path(const struct context *ctx, const char *id, const char *file)
{
	char *dir = path_join(ctx->runs_dir, id);
	char *path = file ? path_join(dir, file) : mem_strdup(dir);

	mem_free(dir);
	return path;
}

int64_t run_number_of(const char *name)
{
	struct sv rest = sv_of(name), digits;
	int64_t number;

	if (!sv_cut(&rest, '-', &digits) || rest.n != RUN_ID_DIGITS ||
	    !sv_int(digits, 1, INT32_MAX, &number))
		return 0;
	for (size_t i = 0; i < rest.n; i++)
		if (!strchr("0123456789abcdef", rest.p[i]))
			return 0;
	return number;
}

/* Ids of all folders, newest first. A missing folder is an empty list. */
static int run_ids(const struct context *ctx, char (**out)[RUN_ID_SIZE], size_t *n, struct err *e)
{
	char(*id)[RUN_ID_SIZE] = NULL;
	size_t count = 0, cap = 0;
	struct dirent *entry;
	DIR *dir = opendir(ctx->runs_dir);

	if (!dir && errno != ENOENT)
		return err_sys(e, errno, "cannot read the runs in %s", ctx->runs_dir);
	while (dir && (entry = readdir(dir)) != NULL) {
		size_t at = count;

		if (run_number_of(entry->d_name) == 0)
			continue;
		mem_grow(&id, &cap, count + 1, sizeof(*id));
		while (at > 0 && run_number_of(id[at - 1]) < run_number_of(entry->d_name))
			at--;
		memmove(id[at + 1], id[at], (count - at) * sizeof(*id));
		str_copy(id[at], RUN_ID_SIZE, entry->d_name);
		count++;
	}
	if (dir)
		closedir(dir);
	*out = id;
	*n = count;
	return 0;
}

int run_resolve(const struct context *ctx, const char *name, char id[RUN_ID_SIZE], struct err *e)
{
	char(*list)[RUN_ID_SIZE] = NULL;
	struct strbuf newest;
	int64_t number = 0;
	size_t n, i;
	int ret = -1;

	if (run_ids(ctx, &list, &n, e))
		return -1;
	strbuf_init(&newest, 256);
	if (!sv_int(sv_of(name), 1, INT32_MAX, &number))
		number = 0;
	for (i = 0; i < n; i++)
		if (!strcmp(list[i], name) || (number > 0 && run_number_of(list[i]) == number))
			break;
	if (i < n) {
		str_copy(id, RUN_ID_SIZE, list[i]);
		ret = 0;
		goto out;
	}
	err_set(e, ERR_NOT_FOUND, "there is no run %s", name);
	err_detail(e, "looked in %s", ctx->runs_dir);
	for (i = 0; i < n && i < 5; i++)
		strbuf_addf(&newest, "%s%s", i > 0 ? ", " : "", list[i]);
	err_hint(e, n > 0 ? "the newest are %s" : "no run was ever made here%s",
		 strbuf_str(&newest));
out:
	strbuf_clear(&newest);
	mem_free(list);
	return ret;
}

/* --- Is its runner alive? ------------------------------------------------------------------- */

static bool process_lives(int64_t pid, int64_t start, const char *boot, bool *stopped)
{
	char now[40], state = 0;
	int64_t ticks;

	fs_boot_id(now);
	if (pid <= 0 || strcmp(boot, now) || !fs_process(pid, &ticks, &state) || ticks != start)
		return false;
	*stopped = state == 'T' || state == 't';
	return state != 'Z' && state != 'X';
}

/* The process spawned last, which may not have written its first line yet. *pid stays 0 when none was
 * ever spawned. */
static bool run_spawned_lives(const struct run *r, int64_t *pid, bool *stopped)
{
	char *path = path_join(r->dir, "runner.pid");
	struct err ignored;
	json_t *j = json_read_file(path, 4096, &ignored);
	bool lives = false;

	*pid = 0;
	if (j) {
		*pid = json_int_opt(j, "pid", 0);
		lives = process_lives(*pid, json_int_opt(j, "start", 0),
				      json_str_opt(j, "boot", ""), stopped);
		json_decref(j);
	}
	mem_free(path);
	return lives;
}

/* Beats of a server's lock are seen there only; a runner touches its socket with each (control.h). */
static bool run_socket_is_old(const struct run *r)
{
	int64_t stale_ms = r->plan->env.lock_stale_ms > 0 ? r->plan->env.lock_stale_ms
							  : LOCK_STALE_MS;
	char *path = path_join(r->dir, CONTROL_SOCKET);
	struct stat st;
	bool old = stat(path, &st) || clock_utc_ms() - ((int64_t)st.st_mtim.tv_sec * 1000 +
							st.st_mtim.tv_nsec / 1000000) >
					      stale_ms;

	mem_free(path);
	return old;
}

static bool run_lock_is_stale(const struct run *r)
{
	struct lock_holder holder;
	struct err ignored;

	if (!dsn_is_file(&r->plan->env.dsn))
		return run_socket_is_old(r);
	if (lock_read(&r->plan->env.dsn, NULL, r->plan->env.lock_stale_ms, &holder, &ignored))
		return false;
	return !holder.held || strcmp(holder.run, r->id) || holder.stale;
}

static void run_look_for_runner(struct run *r)
{
	bool stopped = false;
	int64_t pid;

	if (run_state_ended(r->state))
		return;
	/* The one started last speaks for the run, also before its first line: a stopped one that it
	 * takes over from may look well meanwhile, because the lock beats again. */
	if (run_spawned_lives(r, &pid, &stopped) && pid != r->runner_pid && !stopped) {
		r->runner_alive = true;
		r->runner_pid = pid;
		r->runner_start = 0;
		if (r->state != RUN_WAITING)
			r->state = RUN_RUNNING;
		return;
	}
	r->runner_alive = process_lives(r->runner_pid, r->runner_start, r->runner_boot, &stopped);
	if (r->runner_alive && stopped && run_lock_is_stale(r))
		r->runner_alive = false;
	if (!r->runner_alive && (r->state != RUN_WAITING || r->runner_pid > 0 || pid > 0))
		r->state = RUN_INTERRUPTED;
}

/* --- Load ----------------------------------------------------------------------------------- */

static int run_read_plan(struct run *r, struct err *e)
{
	char *path = path_join(r->dir, "plan.json");
	json_t *j = json_read_file(path, RUN_PLAN_MAX, e);
	int ret = -1;

	mem_free(path);
	if (!j)
		return -1;
	ret = plan_thaw(j, &r->plan, e);
	json_decref(j);
	return ret;
}

/* What the journal says, from its beginning; whatever r knew of it before is forgotten. */
static int run_reread(struct run *r, struct err *e)
{
	struct run fresh = {
		.dir = r->dir, .scripts = r->scripts, .plan = r->plan, .step = r->step
	};

	memcpy(fresh.id, r->id, sizeof(fresh.id));
	memcpy(fresh.number, r->number, sizeof(fresh.number));
	fresh.exit_code = -1;
	memset(r->step, 0, r->plan->n_step * sizeof(*r->step));
	for (size_t i = 0; i < r->plan->n_step; i++)
		r->step[i].took_ms = -1;
	*r = fresh;
	return run_read_journal(r, e);
}

static void run_note_told(struct run *r)
{
	r->told.state = r->state;
	r->told.runner_pid = r->runner_pid;
	r->told.runner_start = r->runner_start;
}

/* What the journal says now: mostly some lines more than before. */
static int run_read_news(struct run *r, struct err *e)
{
	int ret;

	r->state = r->told.state;
	r->runner_pid = r->told.runner_pid;
	r->runner_start = r->told.runner_start;
	ret = run_read_journal_on(r, e);
	if (ret == 1)
		ret = run_reread(r, e);
	if (ret)
		return -1;
	run_note_told(r);
	return 0;
}

int run_read(const struct context *ctx, const char *id, struct run **out, struct err *e)
{
	struct run *r = mem_calloc(1, sizeof(*r));
	struct sv number, rest = sv_of(id);

	str_copy(r->id, sizeof(r->id), id);
	if (sv_cut(&rest, '-', &number))
		str_copy_sv(r->number, sizeof(r->number), number);
	r->dir = run_path(ctx, id, NULL);
	if (run_read_plan(r, e))
		goto fail;
	env_take_secrets(&r->plan->env, ctx->secrets);
	env_take_secrets(&r->plan->gate_env, ctx->secrets);
	r->step = mem_calloc(r->plan->n_step + 1, sizeof(*r->step));
	if (run_reread(r, e))
		goto fail;
	run_note_told(r);
	*out = r;
	return 0;
fail:
	run_free(r);
	return err_wrap(e, "cannot read run %s", id);
}

int run_refresh(struct run *r, struct err *e)
{
	/* It may end between our two looks. Once its runner is gone, the journal does not change any
	 * more, so the second reading is the truth. */
	for (int looks = 0; looks < 2; looks++) {
		if (run_read_news(r, e))
			return err_wrap(e, "cannot read run %s", r->id);
		run_look_for_runner(r);
		if (r->state != RUN_INTERRUPTED)
			break;
	}
	return 0;
}

int run_load(const struct context *ctx, const char *id, struct run **out, struct err *e)
{
	struct run *r;

	if (run_read(ctx, id, &r, e))
		return -1;
	run_look_for_runner(r);
	if (r->state == RUN_INTERRUPTED && run_refresh(r, e)) {
		run_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

struct run *run_of_lock(const struct context *ctx, const struct lock_holder *holder)
{
	struct run *r = NULL;
	struct err e;

	if (run_number_of(holder->run) == 0 || run_load(ctx, holder->run, &r, &e))
		return NULL;
	return r;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	scripts_close(r->scripts);
	plan_free(r->plan);
	mem_free(r->step);
	mem_free(r->dir);
	mem_free(r);
}

int run_list(const struct context *ctx, const char *project, const char *environment,
	     struct run ***out, size_t *n, size_t *unreadable, struct err *e)
{
	char(*id)[RUN_ID_SIZE] = NULL;
	struct run **list;
	size_t n_id, count = 0, bad = 0;

	if (run_ids(ctx, &id, &n_id, e))
		return -1;
	list = mem_calloc(n_id + 1, sizeof(struct run *));
	for (size_t i = 0; i < n_id; i++) {
		struct err ignored;
		struct run *r;

		if (run_load(ctx, id[i], &r, &ignored)) {
			bad++;
			continue;
		}
		if ((project && strcmp(r->plan->project, project)) ||
		    (environment && strcmp(r->plan->environment, environment)))
			run_free(r);
		else
			list[count++] = r;
	}
	mem_free(id);
	*out = list;
	*n = count;
	if (unreadable)
		*unreadable = bad;
	return 0;
}

void run_list_free(struct run **list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		run_free(list[i]);
	mem_free(list);
}

/* --- What is frozen ------------------------------------------------------------------------- */

static int run_verify_plan(const struct run *r, struct err *e)
{
	char *path = path_join(r->dir, "plan.json");
	char found[DIGEST_HEX_SIZE];
	int ret = digest_file(path, found, e);

	if (!ret && strcmp(found, r->plan_digest)) {
		err_set(e, ERR_CORRUPT, "the frozen plan of run %s was edited: %s", r->id, path);
		err_detail(e, "its SHA-256 is %s, frozen was %s", found,
			   r->plan_digest[0] ? r->plan_digest : "not recorded");
		/* What was approved is not what is there, and never will be again. */
		ret = err_hint(e, "bascule abort %s", r->number);
	}
	mem_free(path);
	return ret;
}

int run_verify(struct run *r, struct err *e)
{
	struct strbuf text;
	int ret = -1;

	if (run_verify_plan(r, e))
		return -1;
	strbuf_init(&text, SOURCE_FILE_MAX);
	for (size_t i = 0; i < r->plan->n_step; i++) {
		const char *sum[2];

		step_scripts(&r->plan->step[i], sum);
		for (int k = 0; k < 2; k++) {
			strbuf_reset(&text);
			if (sum[k] && run_script(r, sum[k], &text, e))
				goto out;
		}
	}
	ret = 0;
out:
	strbuf_clear(&text);
	return ret;
}

void step_scripts(const struct step *s, const char *sum[2])
{
	bool has = !s->command && (s->kind == STEP_UP || s->kind == STEP_DOWN ||
				   s->kind == STEP_RECORD || s->kind == STEP_SEED);

	sum[0] = has && s->checksum && s->checksum[0] ? s->checksum : NULL;
	sum[1] = has && s->down_checksum && s->down_checksum[0] ? s->down_checksum : NULL;
}
