/* SPDX-License-Identifier: MIT */
/*
 * A migration that its framework's own tool runs: up, down, and recorded without running.
 *
 * The tool is a program that we know nothing of: it opens its own connection, keeps its own
 * transactions and its own history. So what it says about itself, its exit status, decides nothing.
 * Behind its end the tool's table is read again, and the step is done when the migration stands there (or,
 * downwards, does not), and not otherwise.
 *
 * No statement of ours is fenced here, because none is sent. What takes its place: the fence and the lease
 * are asked right before the tool is started, the loss of the lock ends it (executor.work), and a
 * tool that outlived its runner is waited for before anything is looked at (tool_lock.c).
 *
 * Its files are not frozen with the plan: the tool reads them where they are. A file that is not the one
 * that was planned is refused before the start.
 */
#include "core/release/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/child.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/secret.h"
#include "core/base/utf8.h"
#include "core/base/words.h"
#include "core/migrate/foreign.h"
#include "core/release/tool_lock.h"

#define OUTPUT_FILE_MAX ((size_t)4 << 20) /* of one output-N.log; what comes after is counted */
#define OUTPUT_LINE_MAX ((size_t)4096)    /* a longer line is cut into several */
#define PROGRESS_MAX 50                   /* lines of output in the journal, of one step */
#define PROGRESS_EVERY_MS 500

/* --- Its files and its history -------------------------------------------------------------- */

/* again: as they are now, not as they were when the run began. */
static int tool_source(struct executor *x, bool again, struct err *e)
{
	const struct source_spec spec = { .dir = x->plan->source_dir, .layout = x->plan->tool };
	struct source *s;

	if (x->source && !again)
		return 0;
	if (source_scan(&spec, &x->work, &s, e))
		return -1;
	source_free(x->source);
	x->source = s;
	return 0;
}

int tool_join(struct executor *x, const struct env *env, struct history *h, struct err *e)
{
	if (!x->plan->tool)
		return 0;
	if (tool_source(x, false, e))
		return -1;
	return history_join(h, source_for(x->source, env->dsn.engine), &x->work, e);
}

/* Is the step's migration in force, by the tool's own table as it is now? */
static int in_force(struct executor *x, const struct step *s, bool *out, struct err *e)
{
	const struct applied *a;
	const struct history *h;

	executor_forget_history(x);
	if (executor_history(x, &h, e))
		return -1;
	a = history_find(h, s->ns, s->id);
	*out = a && a->applied;
	return 0;
}

static int file_is_planned(struct executor *x, const struct step *s, struct err *e)
{
	const struct source *source;
	const struct migration *m;

	if (tool_source(x, true, e))
		return -1;
	source = source_for(x->source, x->plan->env.dsn.engine);
	m = source ? source_find(source, s->ns, s->id) : NULL;
	if (m && s->checksum && !strcmp(m->checksum, s->checksum))
		return 0;
	err_set(e, ERR_INPUT, "%s is not what the plan was made from", s->file ? s->file : s->id);
	err_detail(e, m ? "its file was edited since" : "its file is gone");
	return err_hint(e, "%s", x->plan->command);
}

/* --- What it prints ------------------------------------------------------------------------- */

struct output {
	struct executor *x;
	const struct step *s;
	int fd, lock_fd;
	size_t written, dropped;
	struct strbuf line, clean;
	struct strbuf last, complaint; /* the newest line, and the newest that names an error */
	int64_t told_ms;
	int told;
};

/* "django.db.utils.ProgrammingError: relation …", "FAILED: Can't locate revision", "CommandError: …" */
static bool is_complaint(struct sv line)
{
	size_t n = 0;

	if (sv_starts(line, SV("ERROR")))
		return true;
	while (n < line.n &&
	       (line.p[n] == '.' || line.p[n] == '_' || (line.p[n] >= 'A' && line.p[n] <= 'Z') ||
		(line.p[n] >= 'a' && line.p[n] <= 'z')))
		n++;
	if (n == 0 || n == line.n || line.p[n] != ':')
		return false;
	line.n = n;
	return sv_ends(line, SV("Error")) || sv_ends(line, SV("Exception")) ||
	       sv_eq(line, SV("FAILED"));
}

static void tell_progress(struct output *o)
{
	int64_t now_ms = clock_mono_ms();
	json_t *j;

	if (o->told >= PROGRESS_MAX || (o->told > 0 && now_ms - o->told_ms < PROGRESS_EVERY_MS))
		return;
	o->told++;
	o->told_ms = now_ms;
	j = json_object();
	json_put_str(j, "text", strbuf_str(&o->last));
	record_note(o->x, "progress", o->s->n, j);
}

static void write_line(struct output *o)
{
	struct err e;

	if (o->written + o->clean.len > OUTPUT_FILE_MAX) {
		o->dropped += o->clean.len;
		return;
	}
	o->written += o->clean.len;
	if (o->fd >= 0 && fs_write_all(o->fd, o->clean.data, o->clean.len, "the output", &e)) {
		log_err(&e); /* the disk is full: the tool goes on all the same */
		close(o->fd);
		o->fd = -1;
	}
}

static void take_line(struct output *o)
{
	strbuf_reset(&o->clean);
	secret_redact(&o->line);
	clean_text(&o->clean, sv_trim(strbuf_sv(&o->line)), false);
	if (o->clean.len > 0) {
		strbuf_reset(&o->last);
		strbuf_addsv(&o->last, strbuf_sv(&o->clean));
		if (is_complaint(strbuf_sv(&o->clean))) {
			strbuf_reset(&o->complaint);
			strbuf_addsv(&o->complaint, strbuf_sv(&o->clean));
		}
		tell_progress(o);
	}
	strbuf_reset(&o->clean);
	clean_text(&o->clean, strbuf_sv(&o->line), false); /* as it stood, with its blanks */
	strbuf_addc(&o->clean, '\n');
	write_line(o);
	strbuf_reset(&o->line);
}

static void on_output(void *arg, struct sv bytes)
{
	struct output *o = arg;

	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];

		bool ends = c == '\n' || c == '\r';

		if (o->line.len == OUTPUT_LINE_MAX || c == '\n' || (ends && o->line.len > 0))
			take_line(o);
		if (!ends)
			strbuf_addc(&o->line, c);
	}
}

static void on_started(void *arg, pid_t pid)
{
	struct output *o = arg;

	tool_lock_note(o->lock_fd, pid);
	close(o->lock_fd); /* from here on the tool alone holds it */
	o->lock_fd = -1;
}

/* The file is a help, not a condition: without it the run has the lines that the journal took. */
static void output_init(struct output *o, struct executor *x, const struct step *s,
			const char *command)
{
	char name[40], *path;
	struct err e;

	*o = (struct output){ .x = x, .s = s, .lock_fd = -1 };
	strbuf_init(&o->line, OUTPUT_LINE_MAX + 1);
	strbuf_init(&o->clean, STRBUF_NO_LIMIT);
	strbuf_init(&o->last, STRBUF_NO_LIMIT);
	strbuf_init(&o->complaint, STRBUF_NO_LIMIT);
	snprintf(name, sizeof(name), "output-%d.log", s->n);
	path = path_join(x->run->dir, name);
	o->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (o->fd < 0) {
		err_sys(&e, errno, "cannot write %s", path);
		log_err(&e);
	}
	mem_free(path);
	strbuf_addf(&o->line, "$ %s", command);
	secret_redact(&o->line);
	clean_text(&o->clean, strbuf_sv(&o->line), false);
	strbuf_addc(&o->clean, '\n');
	write_line(o);
	strbuf_reset(&o->line);
}

static void output_clear(struct output *o)
{
	if (o->fd >= 0)
		close(o->fd);
	if (o->lock_fd >= 0)
		close(o->lock_fd);
	strbuf_clear(&o->line);
	strbuf_clear(&o->clean);
	strbuf_clear(&o->last);
	strbuf_clear(&o->complaint);
}

static void output_end(struct output *o)
{
	if (o->line.len > 0)
		take_line(o);
	if (o->dropped == 0)
		return;
	strbuf_reset(&o->clean);
	strbuf_addf(&o->clean, "… and %zu bytes more\n", o->dropped);
	o->written = 0;
	write_line(o);
}

/* --- One start of it ------------------------------------------------------------------------ */

/* A tool that an earlier runner started may still be at work. */
static int wait_for_other(struct executor *x, const struct step *s, struct err *e)
{
	struct err late;
	int64_t pid;
	json_t *j;
	int fd;

	if (tool_lock_take(x->run->dir, &fd, &pid, e) == 0) {
		close(fd);
		return 0;
	}
	if (e->code != ERR_LOCKED)
		return -1;
	j = json_object();
	json_put_str(j, "text", e->detail[0] ? e->detail : e->msg);
	record_note(x, "progress", s->n, j);
	if (tool_lock_wait(x->run->dir, WAIT_FOREVER, &x->work, e) == 0)
		return 0;
	if (e->code == ERR_CANCELLED && tool_lock_end(x->run->dir, &late))
		log_err(&late);
	return -1;
}

/* The lock is ours, right now, by the database's own word. */
static int fence(struct executor *x, struct err *e)
{
	int ret;

	if (lock_lease(x->lock, e) || db_begin(x->db, e))
		return -1;
	ret = lock_fence(x->lock, x->db, e);
	db_rollback(x->db);
	return ret;
}

static int start(struct executor *x, struct output *o, const char *command, int *status,
		 struct err *e)
{
	const struct env *env = &x->plan->env;
	struct child_stream child = {
		.dir = x->plan->base_dir[0] ? x->plan->base_dir : ".",
		.started = on_started,
		.output = on_output,
		.arg = o,
	};
	const char **var;
	struct arena a;
	char **argv;
	size_t n;
	int ret = -1;
	int64_t pid;

	arena_init(&a);
	if (words_split(&a, command, &argv, &n, e) ||
	    tool_lock_take(x->run->dir, &o->lock_fd, &pid, e))
		goto out;
	var = arena_alloc(&a, 2 * (env->n_var + 1) * sizeof(*var));
	/* Else Python keeps its lines until it ends. First, so that env_files have the last word. */
	var[0] = "PYTHONUNBUFFERED";
	var[env->n_var + 1] = "1";
	for (size_t i = 0; i < env->n_var; i++) {
		var[i + 1] = env->var[i].name;
		var[env->n_var + 2 + i] = env->var[i].value;
	}
	child.argv = argv;
	child.name = var;
	child.value = var + env->n_var + 1;
	child.n_var = env->n_var + 1;
	child.keep_fd = o->lock_fd;
	ret = child_stream(&child, TOOL_GRACE_MS, &x->work, status, e);
out:
	arena_clear(&a);
	return ret;
}

/* What went wrong, in the tool's own words. */
static int refuse(struct executor *x, const struct step *s, const struct output *o, bool up,
		  int status, struct err *e)
{
	const char *tool = x->plan->tool;
	const char *words = strbuf_str(o->complaint.len > 0 ? &o->complaint : &o->last);

	if (status == 0)
		err_set(e, ERR_DB, "%s ended well, but %s is %s its history", tool, s->id,
			up ? "not in" : "still in");
	else
		err_set(e, ERR_DB, "%s could not %s %s", tool,
			s->kind == STEP_RECORD ? "record"
			: up                   ? "apply"
					       : "roll back",
			s->id);
	err_detail(e, "%s; exit status %d, output-%d.log", words[0] ? words : "it said nothing",
		   status, s->n);
	if (s->kind == STEP_UP && strstr(words, "already exists")) {
		struct strbuf hint;

		/* The way of a database that was there before its migrations. */
		strbuf_init(&hint, sizeof(e->hint) - 1);
		strbuf_addf(&hint, "bascule baseline %s --to ", x->plan->environment);
		path_quote(&hint, s->id);
		if (x->plan->is_protected)
			strbuf_addf(&hint, " --confirm %s", x->plan->environment);
		err_hint(e, "%s", strbuf_str(&hint));
		strbuf_clear(&hint);
	} else {
		err_hint(e, "less %s/output-%d.log", x->run->dir, s->n);
	}
	executor_say(x, "%s: %.150s", tool, words);
	return -1;
}

/* Runs command; behind it the migration must be in force (up), or not. */
static int run_tool(struct executor *x, const struct step *s, const char *command, bool up,
		    struct err *e)
{
	struct output o;
	int status = 0, ret = -1;
	bool there;

	if (!command || !command[0])
		return err_set(e, ERR_INPUT, "no command can do that to %s", s->id);
	output_init(&o, x, s, command);
	if (fence(x, e) || (up && file_is_planned(x, s, e)))
		goto out;
	ret = start(x, &o, command, &status, e);
	output_end(&o);
	if (ret) {
		if (e->code == ERR_CANCELLED)
			executor_say(x, "%s was ended; its history says what it did",
				     x->plan->tool);
		goto out;
	}
	ret = -1;
	if (in_force(x, s, &there, e))
		goto out;
	if (there != up) {
		refuse(x, s, &o, up, status, e);
		goto out;
	}
	if (status == 0)
		executor_say(x, "%s%s%.150s", x->plan->tool, o.last.len > 0 ? ": " : "",
			     strbuf_str(&o.last));
	else
		executor_say(x, "done, but %s ended with status %d: %.120s", x->plan->tool, status,
			     strbuf_str(o.complaint.len > 0 ? &o.complaint : &o.last));
	ret = 0;
out:
	output_clear(&o);
	return ret;
}

/* --- The three kinds ------------------------------------------------------------------------ */

static enum probe_result probe(struct executor *x, const struct step *s, bool up, struct err *e)
{
	bool there;

	if (wait_for_other(x, s, e) || in_force(x, s, &there, e))
		return PROBE_ERROR;
	if (there != up)
		return PROBE_TODO;
	if (x->run->step[s->n - 1].started_utc_ms > 0)
		executor_say(x, up ? "applied" : "rolled back");
	else
		executor_say(x, up ? "already applied" : "already rolled back");
	return PROBE_DONE;
}

static enum probe_result up_probe(struct executor *x, const struct step *s, struct err *e)
{
	return probe(x, s, true, e);
}

static enum probe_result down_probe(struct executor *x, const struct step *s, struct err *e)
{
	return probe(x, s, false, e);
}

static int up_act(struct executor *x, const struct step *s, struct err *e)
{
	return run_tool(x, s, s->command, true, e);
}

static int down_act(struct executor *x, const struct step *s, struct err *e)
{
	return run_tool(x, s, s->command, false, e);
}

/* Whose doing it is, its history does not say: this run's where it had begun with the step, which
 * the gates found undone. */
static int undo(struct executor *x, const struct step *s, bool up, struct err *e)
{
	const struct run_step *rs = &x->run->step[s->n - 1];
	bool there;

	if (rs->started_utc_ms == 0 || rs->state == STEP_UNDONE || rs->state == STEP_SKIPPED)
		return STEP_NOTHING_TO_UNDO;
	if (wait_for_other(x, s, e) || in_force(x, s, &there, e))
		return -1;
	if (there == up)
		return STEP_NOTHING_TO_UNDO;
	if (executor_intend_undo(x, s, e))
		return -1;
	return run_tool(x, s, s->undo_command, up, e);
}

static int up_undo(struct executor *x, const struct step *s, struct err *e)
{
	return undo(x, s, false, e);
}

static int down_undo(struct executor *x, const struct step *s, struct err *e)
{
	return undo(x, s, true, e);
}

const struct step_ops step_tool_up_ops = {
	.name = "migrate",
	.flags = STEP_CHANGES_WORLD | STEP_UNDOABLE,
	.probe = up_probe,
	.act = up_act,
	.undo = up_undo,
};

const struct step_ops step_tool_down_ops = {
	.name = "roll back",
	.flags = STEP_CHANGES_WORLD | STEP_UNDOABLE,
	.probe = down_probe,
	.act = down_act,
	.undo = down_undo,
};

const struct step_ops step_tool_record_ops = {
	.name = "record",
	.flags = STEP_CHANGES_WORLD,
	.probe = up_probe,
	.act = up_act,
};
