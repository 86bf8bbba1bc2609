/* SPDX-License-Identifier: MIT */
/* A run's folder: made, found, listed, and what its journal makes of it. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"
#include "tests/support/workspace.h"

static int setup(void **state)
{
	struct workspace *w = mem_alloc(sizeof(*w));

	workspace_init(w, 2);
	workspace_tables(w, 2);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	workspace_clear(*state);
	mem_free(*state);
	return 0;
}

/* Appends a line to a run's journal as a runner of that epoch would. */
static void line(struct workspace *w, const char *id, int64_t epoch, const char *kind, int step,
		 json_t *fields)
{
	char *path = workspace_run_path(w, id, "journal.ndjson");
	struct journal *j;
	struct err e;

	assert_ok(journal_open(path, false, epoch, &j, &e), &e);
	assert_ok(journal_add(j, kind, step, fields, false, NULL, &e), &e);
	journal_close(j);
	json_decref(fields);
	mem_free(path);
}

/* A started line of the process pid (0: one that does not exist). */
static void started(struct workspace *w, const char *id, int64_t pid)
{
	char boot[40], state;
	int64_t start = 0;

	fs_boot_id(boot);
	if (pid > 0)
		assert_true(fs_process(pid, &start, &state));
	line(w, id, 1, "started", 0,
	     json_pack("{s:I,s:I,s:s}", "pid", (json_int_t)pid, "pid_start", (json_int_t)start,
		       "boot", boot));
}

static enum run_state state_of(struct workspace *w, const char *id)
{
	struct run *r = workspace_load(w, id);
	enum run_state s = r->state;

	run_free(r);
	return s;
}

/* --- The folder ----------------------------------------------------------------------------- */

static void run_create__freezes_everything__when_all_is_well(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	struct strbuf text;
	struct stat st;
	struct err e;
	char *path;

	workspace_run(w, "dev", id);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_WAITING);
	assert_string_equal(r->who, "alice");
	assert_string_equal(r->from, "laptop");
	assert_string_equal(r->number, "1");
	assert_int_equal(r->chain.lines, 1);
	assert_int_equal(r->exit_code, -1);
	assert_ok(run_verify(r, &e), &e);
	/* The texts are there even when the source is gone. */
	tmp_write(w->dir, "sql/up/0001_table.sql", "");
	strbuf_init(&text, 1 << 20);
	for (size_t i = 0; i < r->plan->n_step; i++)
		if (r->plan->step[i].kind == STEP_UP) {
			strbuf_reset(&text);
			assert_ok(run_script(r, r->plan->step[i].checksum, &text, &e), &e);
			assert_non_null(strstr(strbuf_str(&text), "CREATE TABLE"));
			assert_ok(run_script(r, r->plan->step[i].down_checksum, &text, &e), &e);
		}
	strbuf_clear(&text);
	path = workspace_run_path(w, id, "plan.json");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(r->dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	mem_free(path);
	run_free(r);
}

static void run_create__counts_on__when_there_are_runs(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE], found[RUN_ID_SIZE];
	struct err e;

	tmp_write(w->dir, "state/runs/117-abcdef/plan.json", "{}");
	tmp_write(w->dir, "state/runs/not-a-run/plan.json", "{}");
	workspace_run(w, "dev", id);
	assert_memory_equal(id, "118-", 4);
	assert_ok(run_resolve(&w->ctx, "118", found, &e), &e);
	assert_string_equal(found, id);
	assert_ok(run_resolve(&w->ctx, id, found, &e), &e);
	assert_string_equal(found, id);
}

static void run_create__leaves_no_folder__when_it_fails(void **state)
{
	struct workspace *w = *state;
	struct plan *plan = workspace_migrate_plan(w, "dev");
	char id[RUN_ID_SIZE];
	struct dirent *entry;
	struct err e;
	DIR *d;

	/* No source: there is no text to freeze. */
	assert_int_equal(run_create(&w->ctx, plan, NULL, NULL, id, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	d = opendir(w->runs_dir);
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		assert_true(!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."));
	closedir(d);
	plan_free(plan);
}

static void run_create__sweeps_what_a_crash_left__when_it_is_old(void **state)
{
	struct workspace *w = *state;
	const struct timespec long_ago[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	char id[RUN_ID_SIZE];
	char *old, *fresh;

	tmp_write(w->dir, "state/runs/.new-0011/scripts", "x");
	tmp_write(w->dir, "state/runs/.new-0022/scripts", "x");
	old = tmp_path(w->runs_dir, ".new-0011");
	fresh = tmp_path(w->runs_dir, ".new-0022");
	assert_int_equal(utimensat(AT_FDCWD, old, long_ago, 0), 0);
	workspace_run(w, "dev", id);
	assert_false(fs_exists(old));
	assert_true(fs_exists(fresh));
	mem_free(old);
	mem_free(fresh);
}

static void run_resolve__names_the_newest__when_there_is_no_such_run(void **state)
{
	static const char *const names[] = { "99",   "0",  "-1",       "",
					     "../1", "1-", "1-zzzzzz", "99999999999999999999" };
	struct workspace *w = *state;
	char id[RUN_ID_SIZE], found[RUN_ID_SIZE];
	struct err e;

	workspace_run(w, "dev", id);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(run_resolve(&w->ctx, names[i], found, &e), -1);
		assert_int_equal(e.code, ERR_NOT_FOUND);
		assert_non_null(strstr(e.hint, id));
	}
}

static void run_list__is_newest_first__when_there_are_many(void **state)
{
	struct workspace *w = *state;
	char id[3][RUN_ID_SIZE];
	struct run **list;
	size_t n, unreadable;
	struct err e;

	workspace_run(w, "dev", id[0]);
	workspace_run(w, "staging", id[1]);
	workspace_run(w, "dev", id[2]);
	tmp_write(w->dir, "state/runs/7-abcdef/plan.json", "{ this is no plan");
	assert_ok(run_list(&w->ctx, "shop", NULL, &list, &n, &unreadable, &e), &e);
	assert_int_equal(n, 3);
	assert_int_equal(unreadable, 1);
	for (int i = 0; i < 3; i++)
		assert_string_equal(list[i]->id, id[2 - i]);
	run_list_free(list, n);
	assert_ok(run_list(&w->ctx, "shop", "staging", &list, &n, &unreadable, &e), &e);
	assert_int_equal(n, 1);
	run_list_free(list, n);
	assert_ok(run_list(&w->ctx, "other", NULL, &list, &n, &unreadable, &e), &e);
	assert_int_equal(n, 0);
	run_list_free(list, n);
}

static void run_list__is_empty__when_there_is_no_folder(void **state)
{
	struct workspace *w = *state;
	struct run **list;
	size_t n, unreadable;
	struct err e;

	assert_ok(run_list(&w->ctx, NULL, NULL, &list, &n, &unreadable, &e), &e);
	assert_int_equal(n, 0);
	run_list_free(list, n);
}

static void run_script__refuses__when_the_name_is_no_checksum(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct strbuf text;
	struct run *r;
	struct err e;

	workspace_run(w, "dev", id);
	r = workspace_load(w, id);
	strbuf_init(&text, 1 << 20);
	assert_int_equal(run_script(r, "s1:../../plan", &text, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_int_equal(
		run_script(r, "s1:0000000000000000000000000000000000000000000000000000000000000000",
			   &text, &e),
		-1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_int_equal(text.len, 0);
	strbuf_clear(&text);
	run_free(r);
}

/* --- States --------------------------------------------------------------------------------- */

static void run__is_running__while_its_runner_lives(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;

	workspace_run(w, "dev", id);
	started(w, id, getpid());
	line(w, id, 1, "intent", 3, json_pack("{s:s}", "do", "act"));
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_RUNNING);
	assert_true(r->runner_alive);
	assert_int_equal(r->current, 3);
	assert_int_equal(r->step[2].state, STEP_RUNNING);
	run_free(r);
}

static void run__is_interrupted__when_its_runner_is_gone(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];

	workspace_run(w, "dev", id);
	started(w, id, 0);
	assert_int_equal(state_of(w, id), RUN_INTERRUPTED);
}

/* The pid lives, but it is another process: it started at another time, or in another boot. */
static void run__is_interrupted__when_the_pid_belongs_to_somebody_else(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE], boot[40], letter;
	int64_t start;

	fs_boot_id(boot);
	assert_true(fs_process(getpid(), &start, &letter));
	workspace_run(w, "dev", id);
	line(w, id, 1, "started", 0,
	     json_pack("{s:I,s:I,s:s}", "pid", (json_int_t)getpid(), "pid_start",
		       (json_int_t)start + 1, "boot", boot));
	assert_int_equal(state_of(w, id), RUN_INTERRUPTED);
	line(w, id, 1, "started", 0,
	     json_pack("{s:I,s:I,s:s}", "pid", (json_int_t)getpid(), "pid_start", (json_int_t)start,
		       "boot", "another-boot"));
	assert_int_equal(state_of(w, id), RUN_INTERRUPTED);
}

/* It was spawned and died before its first line. */
static void run__is_interrupted__when_its_runner_never_spoke(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE], boot[40], text[128];
	char *dir;

	fs_boot_id(boot);
	workspace_run(w, "dev", id);
	dir = workspace_run_path(w, id, "");
	snprintf(text, sizeof(text), "{\"pid\":4194300,\"start\":1,\"boot\":\"%s\"}", boot);
	tmp_write(dir, "runner.pid", text);
	assert_int_equal(state_of(w, id), RUN_INTERRUPTED);
	mem_free(dir);
}

static void run__is_over__when_the_journal_says_so(void **state)
{
	static const struct {
		const char *name;
		enum run_state state;
	} ends[] = {
		{ "done", RUN_DONE },
		{ "failed", RUN_FAILED },
		{ "rolled-back", RUN_ROLLED_BACK },
		{ "aborted", RUN_ABORTED },
	};
	struct workspace *w = *state;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char id[RUN_ID_SIZE];
		struct run *r;

		workspace_run(w, "dev", id);
		started(w, id, 0);
		line(w, id, 1, "ended", 0,
		     json_pack("{s:s,s:i,s:{s:s}}", "state", ends[i].name, "exit", 5, "error",
			       "msg", "why"));
		r = workspace_load(w, id);
		assert_int_equal(r->state, ends[i].state);
		assert_int_equal(r->exit_code, 5);
		assert_string_equal(r->error_msg, "why");
		assert_true(run_state_ended(r->state));
		run_free(r);
	}
}

static void run__is_unmoved__when_lines_are_strange(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];

	workspace_run(w, "dev", id);
	started(w, id, getpid());
	line(w, id, 1, "ended", 0, json_pack("{s:s}", "state", "running"));
	line(w, id, 1, "ended", 0, json_pack("{s:i}", "state", 7));
	line(w, id, 1, "result", 999, json_pack("{s:s}", "state", "done"));
	line(w, id, 1, "result", 1, json_pack("{s:s}", "state", "danced"));
	line(w, id, 1, "paused", 999, NULL);
	line(w, id, 1, "a-kind-of-tomorrow", 1, NULL);
	line(w, id, 1, "intent", 2, NULL);
	assert_int_equal(state_of(w, id), RUN_RUNNING);
}

static void run__takes_no_state_from_evidence__when_it_was_taken_over(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct journal *old;
	struct run *r;
	struct err e;
	char *path;
	json_t *f;

	workspace_run(w, "dev", id);
	started(w, id, getpid());
	path = workspace_run_path(w, id, "journal.ndjson");
	assert_ok(journal_open(path, false, 1, &old, &e), &e);
	line(w, id, 2, "adopt", 0,
	     json_pack("{s:i,s:i,s:s}", "parent_epoch", 1, "parent_seq", 2, "parent_hash",
		       journal_head(old)));
	f = json_pack("{s:s,s:i}", "state", "done", "exit", 0);
	assert_ok(journal_add(old, "ended", 0, f, false, NULL, &e), &e);
	json_decref(f);
	journal_close(old);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_RUNNING);
	assert_int_equal(r->chain.evidence, 1);
	assert_false(r->chain.broken);
	assert_int_equal(r->epoch, 2);
	run_free(r);
	mem_free(path);
}

static void run__stops_where_it_failed__when_the_lock_is_given_back(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;

	workspace_run(w, "dev", id);
	started(w, id, 0);
	line(w, id, 1, "result", 3,
	     json_pack("{s:s,s:s}", "state", "failed", "text", "no such table"));
	line(w, id, 1, "result", 5, json_pack("{s:s}", "state", "done"));
	line(w, id, 1, "ended", 0, json_pack("{s:s,s:i}", "state", "failed", "exit", 1));
	r = workspace_load(w, id);
	assert_int_equal(r->plan->step[4].kind, STEP_RELEASE);
	assert_int_equal(r->current, 3);
	assert_string_equal(r->step[2].text, "no such table");
	run_free(r);
}

static void run_json__has_the_promised_members__when_asked(void **state)
{
	static const char *const members[] = { "id", "operation", "environment", "state",  "step",
					       "of", "by",        "from",        "started" };
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	json_t *j;

	workspace_run(w, "dev", id);
	r = workspace_load(w, id);
	j = run_json(r);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		assert_non_null(json_object_get(j, members[i]));
	assert_string_equal(json_str_opt(j, "state", ""), "waiting");
	assert_string_equal(json_str_opt(j, "operation", ""), "migrate");
	json_decref(j);
	run_free(r);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(run_create__freezes_everything__when_all_is_well),
		CASE(run_create__counts_on__when_there_are_runs),
		CASE(run_create__leaves_no_folder__when_it_fails),
		CASE(run_create__sweeps_what_a_crash_left__when_it_is_old),
		CASE(run_resolve__names_the_newest__when_there_is_no_such_run),
		CASE(run_list__is_newest_first__when_there_are_many),
		CASE(run_list__is_empty__when_there_is_no_folder),
		CASE(run_script__refuses__when_the_name_is_no_checksum),
		CASE(run__is_running__while_its_runner_lives),
		CASE(run__is_interrupted__when_its_runner_is_gone),
		CASE(run__is_interrupted__when_the_pid_belongs_to_somebody_else),
		CASE(run__is_interrupted__when_its_runner_never_spoke),
		CASE(run__is_over__when_the_journal_says_so),
		CASE(run__is_unmoved__when_lines_are_strange),
		CASE(run__takes_no_state_from_evidence__when_it_was_taken_over),
		CASE(run__stops_where_it_failed__when_the_lock_is_given_back),
		CASE(run_json__has_the_promised_members__when_asked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
