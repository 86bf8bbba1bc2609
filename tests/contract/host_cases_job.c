/* SPDX-License-Identifier: MIT */
/*
 * Detached jobs, on every transport: what becomes of them when connections, starters and processes die.
 */
#include "tests/contract/host_cases.h"

#include "core/base/digest.h"
#include "core/base/fs.h"
#include "core/host/remote_job.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTERS 4

#define E (&host_world->e)
#define H (host_world->host)

/* A folder for jobs in the world's. */
static char *fresh_base(void)
{
	char name[24] = "jobs-";

	digest_random_hex(6, name + strlen(name));
	return tmp_path(host_world->dir, name);
}

/* A job that runs script. words has room for four. */
static struct remote_job_spec job(const char *base, const char *id, int64_t epoch,
				  const char *script, const char **words)
{
	words[0] = "sh";
	words[1] = "-c";
	words[2] = script;
	words[3] = NULL;
	return (struct remote_job_spec){
		.base = base, .id = id, .environment = "staging", .epoch = epoch, .argv = words
	};
}

static void must_start(const struct remote_job_spec *s)
{
	if (remote_job_start(H, s, host_world_soon(), NULL, E))
		host_world_fail("a job's start");
}

static void start_script(const char *base, const char *id, int64_t epoch, const char *script)
{
	const char *words[4];
	const struct remote_job_spec s = job(base, id, epoch, script, words);

	must_start(&s);
}

static struct remote_job_look look(const char *base, const char *id)
{
	struct remote_job_look l;

	if (remote_job_look(H, base, id, host_world_soon(), NULL, &l, E))
		host_world_fail("a look");
	return l;
}

static struct remote_job_look must_end(const char *base, const char *id)
{
	struct remote_job_look l;

	if (remote_job_wait(H, base, id, host_world_soon(), NULL, &l, E))
		host_world_fail("a wait");
	return l;
}

static void assert_exit(const char *base, const char *id, int code)
{
	struct remote_job_look l = must_end(base, id);

	assert_int_equal(l.state, REMOTE_JOB_ENDED);
	assert_int_equal(l.exit_code, code);
}

/* Its whole output; caller frees. */
static char *output(const char *base, const char *id, int64_t offset, size_t max)
{
	struct strbuf out;

	strbuf_init(&out, max);
	if (remote_job_output(H, base, id, offset, &out, host_world_soon(), NULL, E))
		host_world_fail("an output");
	return strbuf_detach(&out);
}

static void assert_output(const char *base, const char *id, int64_t offset, size_t max,
			  const char *want)
{
	char *text = output(base, id, offset, max);

	assert_string_equal(text, want);
	free(text);
}

static void job__runs__and_tells_how_it_ended(void **state)
{
	char *base = fresh_base(), *path, *text;
	struct remote_job_look l;
	const char *words[4];
	struct remote_job_spec s;
	struct stat st;

	(void)state;
	assert_int_equal(look(base, "1.a").state, REMOTE_JOB_NONE);
	s = job(base, "1.a", 5, "cat; echo; echo two >&2; exit 7", words);
	s.input = SV("the canary");
	must_start(&s);
	l = must_end(base, "1.a");
	assert_int_equal(l.state, REMOTE_JOB_ENDED);
	assert_int_equal(l.exit_code, 7);
	assert_int_equal(l.output_bytes, 15);
	assert_true(l.pid > 1);
	assert_true(l.started_utc_ms > 0 && l.ended_utc_ms >= l.started_utc_ms);
	assert_true(llabs(l.started_utc_ms - clock_utc_ms()) < HOST_CASES_MS);
	assert_output(base, "1.a", 0, 1000, "the canary\ntwo\n");
	assert_output(base, "1.a", 4, 6, "canary");
	assert_output(base, "1.a", 100, 6, "");
	/* Private, and without what came by stdin. */
	path = path_join(base, "1.a");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(base, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	text = tmp_read(path, "command");
	assert_string_equal(text, "sh -c 'cat; echo; echo two >&2; exit 7'\n");
	free(text);
	mem_free(path);
	free(base);
}

static void job__input__is_in_no_file(void **state)
{
	char *base = fresh_base();
	const char *words[4];
	struct remote_job_spec s = job(base, "1.b", 5,
				       "read -r x; [ \"$x\" = the-canary ] && exit 3", words);
	struct tmp_child child;

	(void)state;
	s.input = SV("the-canary\n");
	must_start(&s);
	assert_exit(base, "1.b", 3);
	/* The script names it: everything but the command. */
	tmp_run(&child, base,
		(char *[]){ (char *)"grep", (char *)"-rl", (char *)"canary", (char *)".", NULL });
	assert_string_equal(child.out, "./1.b/command\n");
	tmp_child_clear(&child);
	free(base);
}

struct starter {
	struct host *host;
	const struct remote_job_spec *spec;
	struct err e;
	int ret;
};

static void *start_one(void *arg)
{
	struct starter *s = arg;

	s->ret = remote_job_start(s->host, s->spec, host_world_soon(), NULL, &s->e);
	return NULL;
}

static void job__starts_once__whoever_starts_it(void **state)
{
	char *base = fresh_base(), *count = tmp_path(host_world->dir, "count"), script[300];
	pthread_t thread[STARTERS];
	struct starter starter[STARTERS];
	const char *words[4];
	struct remote_job_spec s;

	(void)state;
	snprintf(script, sizeof(script), "echo ran >>%s; sleep 0.2", count);
	s = job(base, "2.a", 1, script, words);
	for (int i = 0; i < STARTERS; i++) {
		starter[i] = (struct starter){ .host = H, .spec = &s };
		assert_int_equal(pthread_create(&thread[i], NULL, start_one, &starter[i]), 0);
	}
	for (int i = 0; i < STARTERS; i++) {
		pthread_join(thread[i], NULL);
		*E = starter[i].e;
		if (starter[i].ret != 0)
			host_world_fail("one of the starters");
	}
	assert_exit(base, "2.a", 0);
	must_start(&s);
	assert_exit(base, "2.a", 0);
	assert_int_equal(look(base, "2.a").output_bytes, 0);
	words[0] = tmp_read(host_world->dir, "count");
	assert_string_equal(words[0], "ran\n");
	free((char *)(uintptr_t)words[0]);
	unlink(count);
	free(count);
	free(base);
}

static void job__of_an_older_epoch__does_nothing(void **state)
{
	char *base = fresh_base(), *text;

	(void)state;
	start_script(base, "3.a", 7, "exit 1");
	assert_exit(base, "3.a", 1);
	start_script(base, "3.b", 6, "echo acted");
	assert_exit(base, "3.b", REMOTE_JOB_FENCED);
	assert_output(base, "3.b", 0, 1000, "epoch 7 has begun, this is of 6\n");
	start_script(base, "3.c", 7, "exit 2");
	assert_exit(base, "3.c", 2);
	start_script(base, "3.d", 9, "exit 3");
	assert_exit(base, "3.d", 3);
	text = tmp_read(base, "epoch.staging");
	assert_string_equal(text, "9\n");
	free(text);
	/* What cannot be compared is not passed. */
	tmp_write(base, "epoch.staging", "nine\n");
	start_script(base, "3.e", 10, "echo acted");
	assert_exit(base, "3.e", REMOTE_JOB_UNFENCED);
	tmp_write(base, "epoch.staging", "");
	start_script(base, "3.f", 10, "echo acted");
	assert_exit(base, "3.f", REMOTE_JOB_UNFENCED);
	free(base);
}

static void job__that_runs__shows_its_output(void **state)
{
	char *base = fresh_base();
	struct remote_job_look l;
	char *text;

	(void)state;
	start_script(base, "4.a", 1, "echo begin; sleep 1000");
	do
		l = look(base, "4.a");
	while (l.state == REMOTE_JOB_RUNNING && l.output_bytes < 6);
	assert_int_equal(l.state, REMOTE_JOB_RUNNING);
	assert_int_equal(l.ended_utc_ms, 0);
	text = output(base, "4.a", 0, 1000);
	assert_string_equal(text, "begin\n");
	free(text);
	assert_int_equal(remote_job_remove(H, base, "4.a", host_world_soon(), NULL, E), -1);
	assert_int_equal(E->code, ERR_BUSY);
	assert_int_equal(remote_job_wait(H, base, "4.a", clock_mono_ms() + 300, NULL, &l, E), -1);
	assert_int_equal(E->code, ERR_TIMEOUT);
	if (remote_job_kill(H, base, "4.a", HOST_CASES_MS, host_world_soon(), NULL, E))
		host_world_fail("a kill");
	assert_int_equal(look(base, "4.a").state, REMOTE_JOB_DIED);
	assert_false(look(base, "4.a").rebooted);
	assert_int_equal(remote_job_remove(H, base, "4.a", host_world_soon(), NULL, E), 0);
	assert_int_equal(look(base, "4.a").state, REMOTE_JOB_NONE);
	assert_int_equal(remote_job_kill(H, base, "4.a", 0, host_world_soon(), NULL, E), -1);
	assert_int_equal(E->code, ERR_NOT_FOUND);
	assert_int_equal(remote_job_wait(H, base, "4.a", host_world_soon(), NULL, &l, E), -1);
	assert_int_equal(E->code, ERR_NOT_FOUND);
	free(base);
}

static void job__kill__reaches_what_does_not_listen(void **state)
{
	char *base = fresh_base(), script[300];
	const char *word = host_world_word();

	(void)state;
	/* Deaf, and one of them in a process group of its own. */
	snprintf(script, sizeof(script),
		 "trap '' TERM; bash -c 'set -m; sleep 1000 & wait' %s & sleep 1000; sleep 1000",
		 word);
	start_script(base, "5.a", 1, script);
	assert_true(process_word_wait(word, 1));
	if (remote_job_kill(H, base, "5.a", 300, host_world_soon(), NULL, E))
		host_world_fail("a kill");
	assert_true(process_word_wait(word, 0));
	assert_true(process_group_wait((pid_t)look(base, "5.a").pid, 0));
	assert_int_equal(look(base, "5.a").state, REMOTE_JOB_DIED);
	free(base);
}

static void job__whose_processes_are_killed__died(void **state)
{
	char *base = fresh_base();
	int64_t pid = 0;

	(void)state;
	start_script(base, "6.a", 1, "sleep 1000");
	pid = look(base, "6.a").pid;
	assert_int_equal(kill(-(pid_t)pid, SIGKILL), 0);
	assert_int_equal(must_end(base, "6.a").state, REMOTE_JOB_DIED);
	/* Without its first process the others go on, and tell how it ends. */
	start_script(base, "6.b", 1, "while [ ! -e go ]; do sleep 0.05; done; exit 4");
	pid = look(base, "6.b").pid;
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	assert_int_equal(look(base, "6.b").state, REMOTE_JOB_RUNNING);
	if (remote_job_kill(H, base, "6.b", HOST_CASES_MS, host_world_soon(), NULL, E))
		host_world_fail("a kill");
	assert_int_equal(look(base, "6.b").state, REMOTE_JOB_DIED);
	free(base);
}

static void remove_in(const char *dir, const char *name)
{
	char *path = path_join(dir, name);

	assert_int_equal(unlink(path), 0);
	mem_free(path);
}

static void job__number_of_somebody_else__is_not_believed(void **state)
{
	char *base = fresh_base(), boot[40], text[200], *dir;
	int64_t start;

	(void)state;
	start_script(base, "7.a", 1, "exit 0");
	assert_exit(base, "7.a", 0);
	dir = path_join(base, "7.a");
	fs_boot_id(boot);
	assert_true(fs_process(getpid(), &start, NULL));
	/* Ours is alive and is not that job: its start is another one. */
	snprintf(text, sizeof(text), "%d %lld %s 1.0\n", (int)getpid(), (long long)start + 1, boot);
	tmp_write(dir, "pid", text);
	remove_in(dir, "rc");
	assert_int_equal(look(base, "7.a").state, REMOTE_JOB_DIED);
	assert_false(look(base, "7.a").rebooted);
	/* A kill would end this very test. */
	assert_int_equal(remote_job_kill(H, base, "7.a", 0, host_world_soon(), NULL, E), 0);
	snprintf(text, sizeof(text), "%d %lld %s 1.0\n", (int)getpid(), (long long)start,
		 "00000000-0000-0000-0000-000000000000");
	tmp_write(dir, "pid", text);
	assert_int_equal(look(base, "7.a").state, REMOTE_JOB_DIED);
	assert_true(look(base, "7.a").rebooted);
	assert_int_equal(remote_job_kill(H, base, "7.a", 0, host_world_soon(), NULL, E), 0);
	/* The file is renamed into place: a folder without it never ran, and is made again. */
	remove_in(dir, "pid");
	assert_int_equal(look(base, "7.a").state, REMOTE_JOB_NONE);
	start_script(base, "7.a", 1, "exit 5");
	assert_exit(base, "7.a", 5);
	mem_free(dir);
	free(base);
}

/* Words: the base, the script. Starts jobs with much input until it is killed. */
void host_cases_job_helper(char **argv)
{
	static char bytes[600000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 26);
	for (int i = 0;; i++) {
		const char *words[4];
		struct remote_job_spec s;
		char id[16];

		snprintf(id, sizeof(id), "cut.%d", i);
		s = job(argv[1], id, 1, argv[0], words);
		s.input = sv_n(bytes, sizeof(bytes));
		if (remote_job_start(H, &s, host_world_soon(), NULL, E))
			host_world_fail("a start");
	}
}

static void job__whose_starter_is_killed__ran_whole_or_not_at_all(void **state)
{
	const char *script = "[ \"$(wc -c)\" -eq 600000 ] && exit 6";
	char *base = fresh_base(), *run_dir = tmp_make(), id[16];
	pid_t pid = host_world_helper(run_dir, "job", script, base, false);
	struct remote_job_look l;

	(void)state;
	/* In the middle of any of them. */
	while (look(base, "cut.3").state == REMOTE_JOB_NONE)
		;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "cut.%d", i);
		if (remote_job_wait(H, base, id, host_world_soon(), NULL, &l, E)) {
			assert_int_equal(E->code, ERR_NOT_FOUND);
			assert_true(i > 3);
			break;
		}
		assert_int_equal(l.state, REMOTE_JOB_ENDED);
		assert_int_equal(l.exit_code, 6);
	}
	tmp_remove(run_dir);
	free(base);
}

static void job__is_refused__where_nothing_can_be_written(void **state)
{
	const char *words[4];
	struct remote_job_spec s = job("/proc/none", "8.a", 1, "exit 0", words);

	(void)state;
	assert_int_equal(remote_job_start(H, &s, host_world_soon(), NULL, E), -1);
	assert_int_equal(E->code, ERR_SYSTEM);
	assert_string_equal(E->detail, "cannot write to /proc/none");
	assert_true(E->hint[0]);
}

static void job__names__are_checked(void **state)
{
	static const char *const bad[] = {
		"", ".", "..", "a/b", "-x", ".lock", "a b", "a\n", "a'"
	};
	const char *words[4];
	struct remote_job_look l;
	struct remote_job_spec s = job("/tmp", "ok", 1, "exit 0", words);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s.id = bad[i];
		assert_int_equal(remote_job_start(H, &s, host_world_soon(), NULL, E), -1);
		assert_int_equal(E->code, ERR_INPUT);
		assert_int_equal(remote_job_look(H, NULL, bad[i], host_world_soon(), NULL, &l, E),
				 -1);
		assert_int_equal(E->code, ERR_INPUT);
		s.id = "ok";
		s.environment = bad[i];
		assert_int_equal(remote_job_start(H, &s, host_world_soon(), NULL, E), -1);
		assert_int_equal(E->code, ERR_INPUT);
		s.environment = "staging";
	}
	s.base = "relative";
	assert_int_equal(remote_job_start(H, &s, host_world_soon(), NULL, E), -1);
	assert_int_equal(E->code, ERR_INPUT);
}

const struct CMUnitTest host_cases_job[] = {
	cmocka_unit_test(job__runs__and_tells_how_it_ended),
	cmocka_unit_test(job__input__is_in_no_file),
	cmocka_unit_test(job__starts_once__whoever_starts_it),
	cmocka_unit_test(job__of_an_older_epoch__does_nothing),
	cmocka_unit_test(job__that_runs__shows_its_output),
	cmocka_unit_test(job__kill__reaches_what_does_not_listen),
	cmocka_unit_test(job__whose_processes_are_killed__died),
	cmocka_unit_test(job__number_of_somebody_else__is_not_believed),
	cmocka_unit_test(job__whose_starter_is_killed__ran_whole_or_not_at_all),
	cmocka_unit_test(job__is_refused__where_nothing_can_be_written),
	cmocka_unit_test(job__names__are_checked),
};
const size_t host_cases_job_n = sizeof(host_cases_job) / sizeof(host_cases_job[0]);
