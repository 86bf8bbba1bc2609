/* SPDX-License-Identifier: MIT */
/*
 * Watching a run.
 *
 * The runner is another process; what is known here is its journal, read again whenever it grew.
 * So this only compares the states of the steps with those told before and tells the difference.
 * Nothing here can harm the run: an interrupt ends the watching and leaves the run alone (with
 * --no-detach, which build servers want, it becomes a request to abort, and watching goes on until
 * the runner has followed it).
 */
#include "cli/watch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/release/run.h"
#include "core/release/run_folder.h"

#define RUNNER_END_MS 5000 /* from the last lock given back to the end of the process */
#define RUNNER_LOG_MAX ((size_t)64 << 10)
/* With less than this a journal cannot go on for long. */
#define FULL_BYTES ((unsigned long)64 << 10)

struct watch {
	struct cli *c;
	struct interrupt *it;
	struct run *last;       /* what following knew at its end, or NULL */
	bool last_look;         /* take the run as it is found now */
	pid_t runner;           /* started by us; 0 when it was there before */
	int64_t started_utc_ms; /* when watching began */
	bool json;
	int64_t after;         /* as in watch_from */
	enum step_state *told; /* per step; NULL before the first look */
	size_t n_told;
	bool told_start;
	bool over; /* the run ended, paused or lost its runner */
	int status;
	enum run_state state;
	char number[16];
	struct err failure; /* why printing failed */
};

static int say(struct watch *w, struct strbuf *line)
{
	int rc = print_out(strbuf_sv(line), &w->failure);

	strbuf_clear(line);
	return rc;
}

/* --- Lines ----------------------------------------------------------------------------------- */

static int line_start(struct watch *w, const struct run *r)
{
	struct strbuf out;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "run %s: %s on %s%s%s\n", r->number, operation_name(r->plan->op),
		    r->plan->environment, r->plan->target[0] != '\0' ? ", " : "", r->plan->target);
	return say(w, &out);
}

static int line_step(struct watch *w, const struct run *r, size_t i)
{
	const struct run_step *s = &r->step[i];
	char took[CLOCK_TEXT_SIZE];
	struct strbuf out;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "%3d/%zu ", r->plan->step[i].n, r->plan->n_step);
	add_cell(&out, step_state_name(s->state), 8);
	add_cell(&out, s->took_ms >= 0 ? clock_span(s->took_ms, took) : "", 7);
	add_clean(&out, r->plan->step[i].what);
	if (s->text[0] != '\0') {
		strbuf_adds(&out, ": ");
		add_clean(&out, s->text);
	}
	strbuf_addc(&out, '\n');
	return say(w, &out);
}

static void print_run_error(const struct run *r)
{
	struct err e;

	if (r->error_msg[0] == '\0')
		return;
	err_set(&e, ERR_INPUT, "%s", r->error_msg);
	err_detail(&e, "%s", r->error_detail);
	err_hint(&e, "%s", r->error_hint);
	print_err(&e);
}

/* What a runner of ours said before it ended without a word in the journal: why it did not get the
 * lock, say. Its stderr is a file of the run; only what is younger than our start is its own. */
static bool print_last_words(const struct watch *w, const struct run *r)
{
	bool printed = false;
	char *path = path_join(r->dir, "runner.log");
	const char *said = NULL, *at;
	struct strbuf log, out;
	struct err ignored;
	struct stat st;

	strbuf_init(&log, RUNNER_LOG_MAX);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (w->runner <= 0 || stat(path, &st) != 0 ||
	    (int64_t)st.st_mtim.tv_sec * 1000 < w->started_utc_ms - 1000 ||
	    fs_read(path, RUNNER_LOG_MAX, &log, &ignored) != 0)
		goto out;
	for (at = strbuf_str(&log); (at = strstr(at, "bascule: ")) != NULL; at++)
		if (at == log.data || at[-1] == '\n')
			said = at;
	if (said == NULL)
		goto out;
	clean_lines(&out, sv_of(said), false);
	printed = fs_write_all(STDERR_FILENO, out.data, out.len, "stderr", &ignored) == 0;
out:
	strbuf_clear(&out);
	strbuf_clear(&log);
	mem_free(path);
	return printed;
}

/* A runner that could not even write why it ended: most often there was no room to. */
static void print_no_words(const struct run *r)
{
	struct statvfs fs;
	struct err e;

	err_set(&e, ERR_SYSTEM, "run %s of %s was interrupted", r->number, r->plan->environment);
	err_detail(&e, "its runner is gone or silent, and left no word");
	if (statvfs(r->dir, &fs) == 0 && fs.f_bavail * fs.f_frsize < FULL_BYTES)
		err_detail(&e,
			   "its runner left no word: the disk is full, %llu bytes are free in %s",
			   (unsigned long long)(fs.f_bavail * fs.f_frsize), r->dir);
	err_hint(&e, "bascule resume %s", r->number);
	print_err(&e);
}

static int line_end(struct watch *w, const struct run *r)
{
	int64_t end = r->ended_utc_ms > 0 ? r->ended_utc_ms : clock_utc_ms();
	char took[CLOCK_TEXT_SIZE];
	struct strbuf out;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "run %s: %s", r->number, run_state_name(r->state));
	if (r->started_utc_ms > 0 && run_state_ended(r->state))
		strbuf_addf(&out, " after %s", clock_span(end - r->started_utc_ms, took));
	strbuf_addc(&out, '\n');
	if (say(w, &out) != 0)
		return -1;
	print_run_error(r);
	/* Stopped inside a migration: the error has said it all, and what goes on from it. */
	if (r->state == RUN_INTERRUPTED && r->error_msg[0] && r->exit_code == 1)
		return 0;
	if (r->state == RUN_PAUSED)
		print_note("it waits for `bascule retry %s`, `bascule skip %s --reason TEXT` or "
			   "`bascule abort %s`",
			   r->number, r->number, r->number);
	if (r->state == RUN_INTERRUPTED) {
		if (!print_last_words(w, r))
			print_no_words(r);
		print_note(
			"its runner is gone or silent; go on with `bascule resume %s` or, while it "
			"still holds the lock, `bascule takeover %s`; end it with `bascule abort "
			"%s`",
			r->number, r->number, r->number);
	}
	return 0;
}

/* --- NDJSON ---------------------------------------------------------------------------------- */

static int json_start(struct watch *w, const struct run *r)
{
	json_t *j = json_object();

	json_put_str(j, "event", "run");
	json_put_str(j, "run", r->id);
	json_put_str(j, "operation", operation_name(r->plan->op));
	json_put_str(j, "environment", r->plan->environment);
	json_put_int(j, "of", (int64_t)r->plan->n_step);
	return print_json_line(j, &w->failure);
}

static int json_step(struct watch *w, const struct run *r, size_t i)
{
	const struct run_step *s = &r->step[i];
	json_t *j = json_object();

	json_put_str(j, "event", "step");
	json_put_str(j, "run", r->id);
	json_put_int(j, "step", r->plan->step[i].n);
	json_put_int(j, "of", (int64_t)r->plan->n_step);
	json_put_str(j, "name", step_kind_name(r->plan->step[i].kind));
	json_put_str(j, "what", r->plan->step[i].what);
	json_put_str(j, "state", step_state_name(s->state));
	json_object_set_new(j, "ms", s->took_ms >= 0 ? json_integer(s->took_ms) : json_null());
	json_put_str(j, "text", s->text);
	return print_json_line(j, &w->failure);
}

static int json_end(struct watch *w, const struct run *r)
{
	json_t *j = json_object();

	json_put_str(j, "event", "end");
	json_put_str(j, "state", run_state_name(r->state));
	json_put_int(j, "exit", w->status);
	json_object_set_new(j, "run", run_json(r));
	return print_json_line(j, &w->failure);
}

/* --- Following ------------------------------------------------------------------------------- */

/* A runner of ours that was refused wrote nothing to the journal: its own status says why. */
static int exit_of_runner(const struct watch *w)
{
	int status = w->runner > 0 ? atomic_load(&w->it->child_exit) : -1;

	return status > EXIT_FAILED && status <= EXIT_WAITING ? status : EXIT_FAILED;
}

static int exit_of_state(const struct watch *w, const struct run *r)
{
	switch (r->state) {
	case RUN_INTERRUPTED:
		return exit_of_runner(w);
	case RUN_DONE:
		return EXIT_DONE;
	case RUN_PAUSED:
		return EXIT_WAITING;
	case RUN_ROLLED_BACK:
		return EXIT_ROLLED_BACK;
	case RUN_ABORTED:
		return EXIT_CANCELLED;
	default:
		return EXIT_FAILED;
	}
}

/* The runner journals the request that it has seen and then acts on it: a pause up to and with that
 * line is the old one. */
static bool is_over(const struct watch *w, const struct run *r)
{
	if (r->state == RUN_PAUSED && w->after > 0 && r->chain.seq <= w->after + 1)
		return false;
	/* A pause that an earlier runner left is not an answer of ours, as long as ours lives. */
	if (r->state == RUN_PAUSED && w->runner > 0 && r->runner_pid != w->runner &&
	    !w->last_look && atomic_load(&w->it->child_exit) < 0)
		return false;
	/* Our runner is ending this moment: its status comes with the signal of its end. */
	if (r->state == RUN_INTERRUPTED && w->runner > 0 && !r->runner_alive && !w->last_look &&
	    atomic_load(&w->it->child_exit) < 0)
		return false;
	return run_state_ended(r->state) || r->state == RUN_PAUSED || r->state == RUN_INTERRUPTED;
}

static int tell_steps(struct watch *w, const struct run *r)
{
	size_t i;

	if (w->told == NULL) {
		w->n_told = r->plan->n_step;
		w->told = mem_calloc(w->n_told + 1, sizeof(*w->told));
	}
	for (i = 0; i < w->n_told; i++) {
		if (r->step[i].state == w->told[i])
			continue;
		w->told[i] = r->step[i].state;
		/* "running" is worth a line only where something may take long or ask. */
		if (!w->json && (w->told[i] == STEP_RUNNING || w->told[i] == STEP_WAITING))
			continue;
		if ((w->json ? json_step : line_step)(w, r, i) != 0)
			return -1;
	}
	return 0;
}

/* Called for every reading. 1 ends the following. */
static int on_run(void *arg, const struct run *r)
{
	struct watch *w = arg;

	w->state = r->state;
	str_copy(w->number, sizeof(w->number), r->number);
	if (!w->told_start && (w->json ? json_start : line_start)(w, r) != 0)
		return 1;
	w->told_start = true;
	if (tell_steps(w, r) != 0)
		return 1;
	if (!is_over(w, r))
		return 0;
	w->over = true;
	w->status = r->exit_code >= 0 && run_state_ended(r->state) ? r->exit_code
								   : exit_of_state(w, r);
	if ((w->json ? json_end : line_end)(w, r) != 0)
		return 1;
	return 1;
}

/* One look without waiting, for when the runner has ended without a word. */
static int look_once(struct watch *w, const char *id, struct err *e)
{
	w->last_look = true;
	/* The plan of a run does not change: only the journal is read again. */
	if ((w->last != NULL ? run_refresh(w->last, e) : run_load(&w->c->ctx, id, &w->last, e)) !=
	    0)
		return -1;
	on_run(w, w->last);
	if (w->over)
		return w->status;
	err_set(e, ERR_SYSTEM, "cannot start run %s", w->number);
	err_detail(e, "its runner ended before it began; it wrote to %s/%s/runner.log",
		   w->c->ctx.runs_dir, id);
	return err_hint(e, "bascule resume %s", w->number);
}

/* Following ended at a runner of ours that is going but not yet gone. */
static int look_behind_end(struct watch *w, const char *id, struct err *e)
{
	struct err ignored;

	if (wait_fds(NULL, 0, clock_mono_ms() + RUNNER_END_MS, &w->it->fired, &ignored) >= 0)
		log_line("run %s: its runner takes its time to end", id);
	return look_once(w, id, e);
}

static int on_interrupt(struct watch *w, const char *id, struct err *e)
{
	int rc;

	if (!args_has(&w->c->args, OPT_NO_DETACH)) {
		print_note("not watching any more; run %s goes on: bascule watch %s", w->number,
			   w->number);
		return EXIT_DONE;
	}
	print_note("asking run %s to abort", w->number);
	if (run_request(&w->c->ctx, id, "abort", w->c->ctx.who, "interrupted", e) != 0 &&
	    e->code != ERR_NOT_FOUND)
		return -1;
	/* Deaf from here on: the runner stops at its next safe point, and that is to be seen. */
	rc = run_follow(&w->c->ctx, id, on_run, w, NULL, e);
	if (rc != 0)
		return -1;
	return w->over ? w->status : look_once(w, id, e);
}

int watch_run(struct cli *c, const char *id, struct watch_from from, struct err *e)
{
	struct watch w = { .c = c,
			   .runner = from.runner,
			   .after = from.after,
			   .started_utc_ms = clock_utc_ms(),
			   .json = args_has(&c->args, OPT_JSON) };
	struct interrupt it;
	int rc;

	w.it = &it;
	str_copy(w.number, sizeof(w.number), id);
	if (interrupt_start(&it, from.runner, e) != 0)
		return -1;
	rc = run_follow_keep(&c->ctx, id, on_run, &w, &it.fired, &w.last, e);
	if (w.failure.code != ERR_OK) {
		*e = w.failure;
		rc = -1;
	} else if (w.over) {
		rc = w.status;
	} else if (rc == 0) {
		rc = look_behind_end(&w, id, e);
	} else if (e->code == ERR_CANCELLED && atomic_load(&it.signal) == SIGCHLD) {
		rc = look_once(&w, id, e);
	} else if (e->code == ERR_CANCELLED) {
		rc = on_interrupt(&w, id, e);
	}
	interrupt_stop(&it);
	run_free(w.last);
	mem_free(w.told);
	return rc;
}
