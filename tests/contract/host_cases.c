/* SPDX-License-Identifier: MIT */
/*
 * The contract of hosts. Every case runs on every transport, with nothing known of it; where a transport cannot do a
 * thing by its nature, the case says what it answers instead.
 *
 * That a process has ended is seen in /proc by a word that only its command line has: also over SSH, since the
 * throw-away sshd runs on this machine.
 */
#include "tests/contract/host_cases.h"

#include "core/base/child.h"
#include "core/base/digest.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 12
#define CASES_MAX 100
#define BULK_BYTES 30000000
#define HELPER_WORD "host-cases-helper"

static struct host_world world;
struct host_world *const host_world = &world;

int64_t host_world_soon(void)
{
	return clock_mono_ms() + HOST_CASES_MS;
}

void host_world_fail(const char *what)
{
	fail_msg("%s: %s: %s: %s (%s)", what, err_code_name(world.e.code), world.e.msg,
		 world.e.detail, world.e.hint);
}

struct host *host_world_host(const char *name)
{
	const struct host_spec spec = {
		.name = name,
		.transport = world.transport,
		.connect_timeout_ms = HOST_CASES_MS / 2,
		.alive_ms = 1000,
	};

	return hosts_get(world.pool, &spec);
}

void host_world_run(struct host *h, const struct host_command *cmd, struct strbuf *out,
		    struct strbuf *err, struct host_result *r)
{
	if (host_run(h, cmd, out, err, r, host_world_soon(), NULL, &world.e))
		host_world_fail("a command");
}

char *host_world_sh(struct host *h, const char *script)
{
	const struct host_command cmd = { .script = script };
	struct strbuf out;

	strbuf_init(&out, 1 << 20);
	host_world_run(h, &cmd, &out, NULL, NULL);
	return strbuf_detach(&out);
}

const char *host_world_word(void)
{
	static char word[64];

	snprintf(word, sizeof(word), "word-%d-", (int)getpid());
	digest_random_hex(8, word + strlen(word));
	return word;
}

/* Waits until the command has written something to stdout. */
static void wait_output(struct host_proc *p)
{
	char buf[HOST_READ_MIN];
	size_t got = 0;

	while (got == 0) {
		struct pollfd fd = { .fd = host_proc_fd(p, HOST_OUT), .events = POLLIN };

		assert_true(fd.fd >= 0);
		assert_int_equal(wait_fds(&fd, 1, host_world_soon(), NULL, &world.e), 1);
		assert_int_equal(host_proc_read(p, HOST_OUT, buf, sizeof(buf), &got, &world.e), 0);
	}
}

struct host_proc *host_world_start(const char *script, bool duplex, const char **word)
{
	const char *const words[] = { *word = host_world_word(), NULL };
	const struct host_command cmd = { .script = script, .argv = words, .duplex = duplex };
	struct host_proc *p;

	if (host_start(world.host, &cmd, host_world_soon(), NULL, &p, &world.e))
		host_world_fail("a start");
	wait_output(p);
	return p;
}

/* --- Results ------------------------------------------------------------------------------------ */

static void host_run__gives_both_streams_and_the_status(void **state)
{
	const char *const words[] = { "a b", "", "it's", NULL };
	const struct host_command cmd = {
		.script = "for w in \"$@\"; do echo \"<$w>\"; done; echo two >&2; exit 3",
		.argv = words,
	};
	struct host_result r;
	struct strbuf out, err;

	(void)state;
	strbuf_init(&out, 1000);
	strbuf_init(&err, 1000);
	host_world_run(world.host, &cmd, &out, &err, &r);
	assert_string_equal(strbuf_str(&out), "<a b>\n<>\n<it's>\n");
	assert_string_equal(strbuf_str(&err), "two\n");
	assert_int_equal(r.status, 3);
	assert_string_equal(r.signal, "");
	strbuf_clear(&out);
	strbuf_clear(&err);
}

static void host_run__gives_words_to_a_program__as_they_are(void **state)
{
	static const char *const words[] = { "printf",
					     "<%s>",
					     "a  b",
					     "",
					     "*",
					     "$HOME `id` $(id)",
					     "it's \"\\\\\" !! !x",
					     "one\ntwo\n",
					     "-n",
					     "\303\274\001\177",
					     "~;&|<>(){}[]#%%",
					     NULL };
	const struct host_command cmd = { .argv = words };
	struct strbuf out, want;

	(void)state;
	strbuf_init(&out, 1000);
	strbuf_init(&want, 1000);
	for (int i = 2; words[i]; i++)
		strbuf_addf(&want, "<%s>", words[i]);
	host_world_run(world.host, &cmd, &out, NULL, NULL);
	assert_string_equal(strbuf_str(&out), strbuf_str(&want));
	strbuf_clear(&out);
	strbuf_clear(&want);
}

static void host_run__names_the_signal__that_ended_it(void **state)
{
	const struct host_command kill = { .script = "kill -KILL $$" };
	const struct host_command term = { .script = "kill -TERM $$; sleep 10" };
	struct host_result r;

	(void)state;
	host_world_run(world.host, &kill, NULL, NULL, &r);
	assert_int_equal(r.status, -1);
	assert_string_equal(r.signal, "KILL");
	host_world_run(world.host, &term, NULL, NULL, &r);
	assert_string_equal(r.signal, "TERM");
	assert_int_equal(host_run(world.host, &kill, NULL, NULL, NULL, host_world_soon(), NULL,
				  &world.e),
			 -1);
	assert_non_null(strstr(world.e.msg, "KILL"));
}

static void host_run__makes_an_error_of_a_status__when_nobody_asks(void **state)
{
	const char *const missing[] = { "no-such-program-here", NULL };
	const struct host_command fails = { .script = "echo one >&2; echo last words >&2; exit 9" };
	const struct host_command none = { .argv = missing };
	struct host_result r;

	(void)state;
	assert_int_equal(host_run(world.host, &fails, NULL, NULL, NULL, host_world_soon(), NULL,
				  &world.e),
			 -1);
	assert_non_null(strstr(world.e.msg, "status 9"));
	assert_string_equal(world.e.detail, "last words");
	host_world_run(world.host, &none, NULL, NULL, &r);
	assert_int_equal(r.status, 127);
	assert_int_equal(host_run(world.host, &none, NULL, NULL, NULL, host_world_soon(), NULL,
				  &world.e),
			 -1);
	assert_int_equal(world.e.code, ERR_NOT_FOUND);
}

static void host_run__keeps_every_byte__of_much_output(void **state)
{
	/* Numbered lines: what is lost, doubled or out of order changes the sum. */
	const struct host_command cmd = {
		.script = "seq 1 10000000 | head -c 30000000; echo and >&2", .bulk = true
	};
	char hex[DIGEST_HEX_SIZE], *want;
	struct tmp_child child;
	struct strbuf out;

	(void)state;
	tmp_run(&child, NULL,
		(char *[]){ (char *)"sh", (char *)"-c",
			    (char *)"seq 1 10000000 | head -c 30000000 | sha256sum", NULL });
	want = child.out;
	strbuf_init(&out, BULK_BYTES);
	host_world_run(world.host, &cmd, &out, NULL, NULL);
	assert_int_equal(out.len, BULK_BYTES);
	digest_hex(out.data, out.len, hex);
	assert_memory_equal(hex, want, strlen(hex));
	strbuf_clear(&out);
	tmp_child_clear(&child);
}

static void host_run__refuses_output__past_its_limit(void **state)
{
	const char *word;
	struct host_command cmd = { .script = "yes; exit 0" };
	const char *words[] = { NULL, NULL };
	struct strbuf out;

	(void)state;
	words[0] = word = host_world_word();
	cmd.argv = words;
	strbuf_init(&out, 1000);
	assert_int_equal(host_run(world.host, &cmd, &out, NULL, NULL, host_world_soon(), NULL,
				  &world.e),
			 -1);
	assert_int_equal(world.e.code, ERR_LIMIT);
	assert_int_equal(out.len, 1000);
	assert_true(process_word_wait(word, 0));
	strbuf_clear(&out);
}

static void host_run__sees_the_end__behind_a_closed_stdout(void **state)
{
	const struct host_command cmd = {
		.script = "echo first; exec >&-; sleep 0.3; echo late >&2; exit 4"
	};
	struct strbuf out, err;
	struct host_result r;

	(void)state;
	strbuf_init(&out, 100);
	strbuf_init(&err, 100);
	host_world_run(world.host, &cmd, &out, &err, &r);
	assert_int_equal(r.status, 4);
	assert_string_equal(strbuf_str(&out), "first\n");
	assert_string_equal(strbuf_str(&err), "late\n");
	strbuf_clear(&out);
	strbuf_clear(&err);
}

static void host_run__ends_what_is_left_behind__with_its_end(void **state)
{
	const char *const words[] = { host_world_word(), NULL };
	const struct host_command cmd = {
		.script = "sh -c 'trap \"\" TERM HUP; sleep 1000; :' sh \"$1\" & echo done",
		.argv = words
	};
	struct strbuf out;

	(void)state;
	strbuf_init(&out, 100);
	/* It holds the output open: without its end this would wait for ever. */
	host_world_run(world.host, &cmd, &out, NULL, NULL);
	assert_string_equal(strbuf_str(&out), "done\n");
	assert_true(process_word_wait(words[0], 0));
	strbuf_clear(&out);
}

/* --- Ends --------------------------------------------------------------------------------------- */

static void host_run__stops__at_the_deadline_and_when_cancelled(void **state)
{
	const char *const words[] = { host_world_word(), NULL };
	const struct host_command cmd = { .script = "sleep 1000; :", .argv = words };
	struct cancel cancel;
	int ret;

	(void)state;
	/* Connected before, so that it is the command that takes too long. */
	free(host_world_sh(world.host, ":"));
	ret = host_run(world.host, &cmd, NULL, NULL, NULL, clock_mono_ms() + 500, NULL, &world.e);
	assert_int_equal(ret, -1);
	assert_int_equal(world.e.code, ERR_TIMEOUT);
	assert_true(process_word_wait(words[0], 0));
	assert_int_equal(cancel_init(&cancel, &world.e), 0);
	cancel_fire(&cancel);
	ret = host_run(world.host, &cmd, NULL, NULL, NULL, host_world_soon(), &cancel, &world.e);
	assert_int_equal(ret, -1);
	assert_int_equal(world.e.code, ERR_CANCELLED);
	assert_true(process_word_wait(words[0], 0));
	cancel_clear(&cancel);
}

/* What follows something silent, in four ways; each prints a line when it runs. */
static const struct {
	const char *script;
	bool duplex;
} followers[] = {
	{ "echo here; tail -f /dev/null", false },
	{ "echo here; cat; tail -f /dev/null", true },
	/* TERM does not move it. */
	{ "trap '' TERM; echo here; while :; do sleep 1000; done", false },
	{ "echo here; while :; do echo talk; done", false },
};

#define N_FOLLOWERS (sizeof(followers) / sizeof(followers[0]))

static void host_proc_close__ends_the_group__of_every_follower(void **state)
{
	char words[N_FOLLOWERS][64];

	(void)state;
	for (size_t i = 0; i < N_FOLLOWERS; i++) {
		const char *word;
		struct host_proc *p = host_world_start(followers[i].script, followers[i].duplex,
						       &word);

		str_copy(words[i], sizeof(words[i]), word);
		assert_true(process_word_count(word) > 0);
		host_proc_close(p);
	}
	for (size_t i = 0; i < N_FOLLOWERS; i++)
		assert_true(process_word_wait(words[i], 0));
	host_proc_close(NULL);
}

/* prog HELPER_WORD WHAT TRANSPORT CONFIG RUN_DIR NAME SCRIPT WORD DUPLEX: waits to be killed when it is done. */
void host_cases_helper(int argc, char **argv)
{
	struct host_command cmd = { .script = NULL };
	const char *words[] = { NULL, NULL };
	struct host_proc *p;
	int64_t transport = 0;

	if (argc != 10 || strcmp(argv[1], HELPER_WORD) != 0)
		return;
	assert_true(sv_int(sv_of(argv[3]), 0, HOST_OPENSSH, &transport));
	world.transport = (enum host_transport)transport;
	world.ctx = (struct host_context){ .home = "/",
					   .login = "root",
					   .ssh_config = argv[4][0] ? argv[4] : NULL,
					   .run_dir = argv[5] };
	world.pool = hosts_new(&world.ctx);
	world.host = host_world_host(argv[6]);
	(void)!write(STDOUT_FILENO, "ready\n", 6);
	if (!strcmp(argv[2], "job"))
		host_cases_job_helper(argv + 7);
	cmd.script = argv[7];
	words[0] = argv[8];
	cmd.argv = words;
	cmd.duplex = argv[9][0] == '1';
	if (host_start(world.host, &cmd, host_world_soon(), NULL, &p, &world.e))
		host_world_fail("a start");
	wait_output(p);
	(void)!write(STDOUT_FILENO, "runs!\n", 6);
	for (;;)
		if (wait_fds(NULL, 0, WAIT_FOREVER, NULL, &world.e) < 0)
			host_world_fail("a wait");
}

static void must_say(int fd, const char *want)
{
	char line[8] = "";

	assert_int_equal(read(fd, line, 6), 6);
	assert_string_equal(line, want);
}

pid_t host_world_helper(const char *run_dir, const char *what, const char *script, const char *word,
			bool duplex)
{
	char transport[8];
	char *argv[] = { (char *)"/proc/self/exe",
			 (char *)HELPER_WORD,
			 (char *)(uintptr_t)what,
			 transport,
			 world.server.config ? world.server.config : (char *)"",
			 (char *)(uintptr_t)run_dir,
			 (char *)(uintptr_t)host_name(world.host),
			 (char *)(uintptr_t)script,
			 (char *)(uintptr_t)word,
			 (char *)(uintptr_t)(duplex ? "1" : "0"),
			 NULL };
	struct child_fds fds = { .in = -1, .err = STDERR_FILENO, .keep_fd = -1 };
	int said[2];
	pid_t pid;

	snprintf(transport, sizeof(transport), "%d", world.transport);
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	fds.out = said[1];
	assert_int_equal(child_spawn(argv, &fds, &pid, &world.e), 0);
	close(said[1]);
	must_say(said[0], "ready\n");
	if (!strcmp(what, "follow"))
		must_say(said[0], "runs!\n");
	close(said[0]);
	return pid;
}

static void kill_of_ours__leaves_no_follower(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_FOLLOWERS; i++) {
		const char *word = host_world_word();
		char *run_dir = tmp_make();
		pid_t pid = host_world_helper(run_dir, "follow", followers[i].script, word,
					      followers[i].duplex);

		assert_true(process_word_count(word) > 1); /* the helper has it too */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (!process_word_wait(word, 0))
			fail_msg("follower %zu goes on", i);
		tmp_remove(run_dir);
	}
}

static void *run_one(void *arg)
{
	struct host_result r;
	struct strbuf out;
	struct err e;
	const char *const words[] = { arg, NULL };
	const struct host_command cmd = { .script = "sleep 0.5; echo \"$1\"", .argv = words };
	bool ok;

	strbuf_init(&out, 100);
	ok = host_run(world.host, &cmd, &out, NULL, &r, host_world_soon(), NULL, &e) == 0 &&
	     r.status == 0 && !strncmp(strbuf_str(&out), arg, strlen(arg));
	strbuf_clear(&out);
	return ok ? arg : NULL;
}

static void host_run__is_used__by_many_threads_at_once(void **state)
{
	char name[THREADS][8];
	pthread_t thread[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		snprintf(name[i], sizeof(name[i]), "t%d", i);
		assert_int_equal(pthread_create(&thread[i], NULL, run_one, name[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *got = NULL;

		pthread_join(thread[i], &got);
		assert_ptr_equal(got, name[i]);
	}
}

/* --- How it stands ------------------------------------------------------------------------------ */

static void host_status__tells__how_it_stands(void **state)
{
	struct host_status status;

	(void)state;
	free(host_world_sh(world.host, ":"));
	host_status(world.host, &status);
	assert_int_equal(status.state, HOST_READY);
	assert_string_equal(host_state_name(status.state), "ready");
	assert_true(status.since_utc_ms > 0);
	assert_ptr_equal(host_world_host(host_name(world.host)), world.host);
	if (host_is_local(world.host))
		return;
	/* The same clock, read through a login shell. */
	assert_true(status.skew_known);
	assert_in_range(status.skew_ms + 5000, 0, 10000);
	assert_string_not_equal(status.about, "");
}

/* --- The world ---------------------------------------------------------------------------------- */

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(host_run__gives_both_streams_and_the_status),
	cmocka_unit_test(host_run__gives_words_to_a_program__as_they_are),
	cmocka_unit_test(host_run__names_the_signal__that_ended_it),
	cmocka_unit_test(host_run__makes_an_error_of_a_status__when_nobody_asks),
	cmocka_unit_test(host_run__keeps_every_byte__of_much_output),
	cmocka_unit_test(host_run__refuses_output__past_its_limit),
	cmocka_unit_test(host_run__sees_the_end__behind_a_closed_stdout),
	cmocka_unit_test(host_run__ends_what_is_left_behind__with_its_end),
	cmocka_unit_test(host_run__stops__at_the_deadline_and_when_cancelled),
	cmocka_unit_test(host_proc_close__ends_the_group__of_every_follower),
	cmocka_unit_test(kill_of_ours__leaves_no_follower),
	cmocka_unit_test(host_run__is_used__by_many_threads_at_once),
	cmocka_unit_test(host_status__tells__how_it_stands),
};

static int group_setup(void **state)
{
	(void)state;
	world.dir = tmp_make();
	if (world.transport != HOST_LOCAL)
		(void)services_start(SERVICE_SSH, &world.server);
	world.ctx = (struct host_context){ .home = "/",
					   .login = "root",
					   .ssh_config = world.server.config,
					   .run_dir = world.dir };
	world.pool = hosts_new(&world.ctx);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	hosts_free(world.pool);
	if (world.transport != HOST_LOCAL)
		services_stop(&world.server);
	tmp_remove(world.dir);
	return 0;
}

static int case_setup(void **state)
{
	(void)state;
	if (world.transport != HOST_LOCAL)
		services_need(&world.server);
	world.host = host_world_host(world.transport == HOST_LOCAL ? "local" : world.server.name);
	return 0;
}

int host_cases_run(enum host_transport transport, const struct CMUnitTest *own, size_t n_own)
{
	static const char *const names[] = { "local", "libssh2", "openssh" };
	const struct {
		const struct CMUnitTest *list;
		size_t n;
	} parts[] = {
		{ cases, sizeof(cases) / sizeof(cases[0]) },
		{ host_cases_stream, host_cases_stream_n },
		{ host_cases_job, host_cases_job_n },
		{ host_cases_ssh, transport == HOST_LOCAL ? 0 : host_cases_ssh_n },
		{ own, n_own },
	};
	struct CMUnitTest all[CASES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		assert_true(n + parts[i].n <= CASES_MAX);
		if (parts[i].n > 0)
			memcpy(all + n, parts[i].list, parts[i].n * sizeof(*all));
		n += parts[i].n;
	}
	for (size_t i = 0; i < n; i++)
		all[i].setup_func = case_setup;
	world.transport = transport;
	return _cmocka_run_group_tests(names[transport], all, n, group_setup, group_teardown);
}
