/* SPDX-License-Identifier: MIT */
/*
 * From a journal to the state of a run: one small function per kind of line.
 *
 * Lines that are evidence (an old runner's, behind a takeover) change nothing but the count in the
 * chain. A kind that this version does not know is passed over: a newer program may have written it.
 */
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/release/run_folder.h"

static struct run_step *line_step(struct run *r, const struct journal_line *l)
{
	if (l->step < 1 || (size_t)l->step > r->plan->n_step)
		return NULL;
	return &r->step[l->step - 1];
}

/* Where the run is. Giving the lock back and taking steps back happen behind the place where a failed
 * run stopped, and are not it. */
static void move_to(struct run *r, int step)
{
	bool failed = r->current > 0 && r->step[r->current - 1].state == STEP_FAILED;

	if (!r->undoing && !(failed && r->plan->step[step - 1].kind == STEP_RELEASE))
		r->current = step;
}

static void take_error(struct run *r, const json_t *error)
{
	if (!json_is_object(error))
		return;
	str_copy(r->error_msg, sizeof(r->error_msg), json_str_opt(error, "msg", ""));
	str_copy(r->error_detail, sizeof(r->error_detail), json_str_opt(error, "detail", ""));
	str_copy(r->error_hint, sizeof(r->error_hint), json_str_opt(error, "hint", ""));
}

static void clear_error(struct run *r)
{
	r->error_msg[0] = r->error_detail[0] = r->error_hint[0] = '\0';
}

static void take_runner(struct run *r, const json_t *j)
{
	r->runner_pid = json_int_opt(j, "pid", 0);
	r->runner_start = json_int_opt(j, "pid_start", 0);
	str_copy(r->runner_boot, sizeof(r->runner_boot), json_str_opt(j, "boot", ""));
}

static void on_created(struct run *r, const struct journal_line *l)
{
	str_copy(r->plan_digest, sizeof(r->plan_digest), json_str_opt(l->json, "plan", ""));
	str_copy(r->who, sizeof(r->who), json_str_opt(l->json, "who", ""));
	str_copy(r->from, sizeof(r->from), json_str_opt(l->json, "from", ""));
	r->created_utc_ms = l->at_utc_ms;
}

static void on_started(struct run *r, const struct journal_line *l)
{
	take_runner(r, l->json);
	if (r->started_utc_ms == 0)
		r->started_utc_ms = l->at_utc_ms;
	r->state = RUN_RUNNING;
	r->exit_code = -1;
	clear_error(r);
}

static void on_intent(struct run *r, const struct journal_line *l)
{
	struct run_step *s = line_step(r, l);

	r->state = RUN_RUNNING;
	if (!s || !strcmp(json_str_opt(l->json, "do", ""), "undo"))
		return;
	move_to(r, l->step);
	s->state = STEP_RUNNING;
	s->started_utc_ms = l->at_utc_ms;
	s->text[0] = '\0';
}

static void on_result(struct run *r, const struct journal_line *l)
{
	struct run_step *s = line_step(r, l);
	int state = step_state_of(json_str_opt(l->json, "state", ""));

	r->state = RUN_RUNNING;
	if (!s || state < 0)
		return;
	move_to(r, l->step);
	s->state = (enum step_state)state;
	if (s->started_utc_ms == 0)
		s->started_utc_ms = l->at_utc_ms;
	s->took_ms = json_int_opt(l->json, "ms", -1);
	str_copy(s->text, sizeof(s->text), json_str_opt(l->json, "text", ""));
	if (s->state == STEP_FAILED)
		take_error(r, json_object_get(l->json, "error"));
	else if (!r->undoing)
		clear_error(r);
}

/* What a step that is at work says of itself. */
static void take_progress(struct run_step *s, const json_t *j)
{
	const char *text = json_str_opt(j, "text", "");

	if (s && s->state == STEP_RUNNING && text[0])
		str_copy(s->text, sizeof(s->text), text);
}

static void on_progress(struct run *r, const struct journal_line *l)
{
	if (json_bool_opt(l->json, "waiting", false) || json_bool_opt(l->json, "opening", false))
		take_runner(r, l->json);
	if (json_bool_opt(l->json, "undoing", false))
		r->undoing = true;
	take_progress(line_step(r, l), l->json);
	take_error(r, json_object_get(l->json, "error"));
	r->exit_code = (int)json_int_opt(l->json, "exit", r->exit_code);
}

static void on_paused(struct run *r, const struct journal_line *l)
{
	if (line_step(r, l))
		move_to(r, l->step);
	r->state = RUN_PAUSED;
	take_error(r, json_object_get(l->json, "error"));
	if (!clock_parse_iso(json_str_opt(l->json, "until", ""), &r->paused_until_utc_ms))
		r->paused_until_utc_ms = 0;
}

static void on_ended(struct run *r, const struct journal_line *l)
{
	int state = run_state_of(json_str_opt(l->json, "state", ""));

	if (state < 0 || !run_state_ended((enum run_state)state))
		return;
	r->state = (enum run_state)state;
	r->ended_utc_ms = l->at_utc_ms;
	r->exit_code = (int)json_int_opt(l->json, "exit", 1);
	take_error(r, json_object_get(l->json, "error"));
}

static const struct {
	const char *kind;
	void (*fn)(struct run *r, const struct journal_line *l);
} kinds[] = {
	{ "created", on_created }, { "started", on_started },   { "intent", on_intent },
	{ "result", on_result },   { "progress", on_progress }, { "paused", on_paused },
	{ "ended", on_ended },
};

int run_take_line(void *arg, const struct journal_line *l, struct err *e)
{
	struct run *r = arg;

	(void)e;
	if (l->evidence)
		return 0;
	r->epoch = l->epoch;
	r->not_copied = json_int_opt(l->json, "not_copied", r->not_copied);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(l->kind, kinds[i].kind))
			kinds[i].fn(r, l);
	return 0;
}

int run_read_journal(struct run *r, struct err *e)
{
	char *path = path_join(r->dir, "journal.ndjson");
	int ret = journal_read(path, run_take_line, r, &r->chain, e);

	mem_free(path);
	return ret;
}

int run_read_journal_on(struct run *r, struct err *e)
{
	char *path = path_join(r->dir, "journal.ndjson");
	struct strbuf text;
	int ret;

	strbuf_init(&text, JOURNAL_FILE_MAX);
	ret = fs_read(path, JOURNAL_FILE_MAX, &text, e);
	if (!ret)
		ret = journal_scan_on(strbuf_sv(&text), run_take_line, r, &r->chain, e);
	strbuf_clear(&text);
	mem_free(path);
	return ret;
}
