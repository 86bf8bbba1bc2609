/* SPDX-License-Identifier: MIT */
/*
 * What only hosts have that are logged in to: servers that differ, connections that break.
 *
 * Each case has a server of its own (struct login), so that breaking it breaks nothing else.
 */
#include "tests/contract/host_cases.h"

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/host/dial.h"
#include "core/host/remote_job.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server, and a pool that logs in to it. */
struct login {
	struct server server;
	char *dir, *config;
	struct host_context ctx;
	struct hosts *pool;
	struct host *host;
};

/* Another pool for what login has already; config NULL: the server's. */
static void login_again(struct login *l, const char *config, int64_t connect_ms)
{
	const struct host_spec spec = {
		.name = l->server.name,
		.transport = host_world->transport,
		.connect_timeout_ms = connect_ms,
		.alive_ms = 1000,
	};

	hosts_free(l->pool);
	l->ctx = (struct host_context){ .home = l->dir,
					.login = "root",
					.ssh_config = config ? config : l->server.config,
					.run_dir = l->dir };
	l->pool = hosts_new(&l->ctx);
	l->host = hosts_get(l->pool, &spec);
}

static void login_open(struct login *l, const char *name, const char *options)
{
	memset(l, 0, sizeof(*l));
	if (services_start_as(SERVICE_SSH, name, options, &l->server))
		fail_msg("no server %s", name);
	l->dir = tmp_make();
	login_again(l, NULL, HOST_CASES_MS / 2);
}

/* A bad network in front of login, which then goes through it. */
static void login_proxy(struct login *l, const char *name)
{
	char *said = services_tell("proxy", name, l->server.name, NULL);

	free(said);
	services_clear(&l->server);
	services_env(name, &l->server);
	login_again(l, NULL, HOST_CASES_MS / 2);
}

static void login_close(struct login *l)
{
	hosts_free(l->pool);
	services_stop(&l->server);
	tmp_remove(l->dir);
}

static void tell(const char *verb, const char *name, const char *word)
{
	free(services_tell(verb, name, word, NULL));
}

/* The command fails; the code is one of the two. */
static void must_fail(struct host *h, enum err_code code, enum err_code or_code)
{
	const struct host_command cmd = { .script = ":" };
	struct err *e = &host_world->e;

	assert_int_equal(host_run(h, &cmd, NULL, NULL, NULL, host_world_soon(), NULL, e), -1);
	if (e->code != code && e->code != or_code)
		host_world_fail("another failure");
	assert_true(e->hint[0]);
}

static void must_work(struct host *h)
{
	char *said = host_world_sh(h, "echo works");

	assert_string_equal(said, "works\n");
	free(said);
}

/* --- Logins ------------------------------------------------------------------------------------- */

static void login__may_be_chatty(void **state)
{
	const struct host_command cmd = {
		.script = "printf 'clean\\0\\036'; printf 'too' >&2; exit 3"
	};
	struct strbuf out, err;
	struct host_result r;
	struct login l;

	(void)state;
	strbuf_init(&out, 1000);
	strbuf_init(&err, 1000);
	login_open(&l, "chatty", "--shell chatty");
	host_world_run(l.host, &cmd, &out, &err, &r);
	assert_int_equal(out.len, 7);
	assert_memory_equal(out.data, "clean\0\036", 7);
	assert_string_equal(strbuf_str(&err), "too");
	assert_int_equal(r.status, 3);
	login_close(&l);
	strbuf_clear(&out);
	strbuf_clear(&err);
}

static void login__may_print_what_it_likes(void **state)
{
	/* 300 kB of anything, and what looks like our marks, also cut short just before the true ones. */
	static const char shell[] =
		"#!/bin/sh\n"
		"n=0123456789abcdef0123456789abcdef\n"
		"noise() { head -c 150000 /dev/urandom; printf '\\036%s begin\\n\\036%s end 0 \\n' $n $n\n"
		"head -c 150000 /dev/zero; printf '\\036\\036%s beg' $n; }\n"
		"noise; noise >&2\nexec /bin/sh \"$@\"\n";
	struct login l;
	char *dir = tmp_make(), *path = tmp_path(dir, "shell"), options[300];

	(void)state;
	tmp_write(dir, "shell", shell);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(options, sizeof(options), "--shell %s", path);
	login_open(&l, "loud", options);
	must_work(l.host);
	must_work(l.host);
	login_close(&l);
	free(path);
	tmp_remove(dir);
}

static void login__may_be_any_shell(void **state)
{
	static const char *const shells[] = { "/usr/bin/fish", "/usr/bin/tcsh", "/usr/bin/zsh",
					      "/bin/bash" };
	const char *const words[] = { "a'b\\\\c\\'!d$e`f`\n\"*", NULL };
	const struct host_command cmd = { .script = "printf '<%s>' \"$1\"", .argv = words };
	char options[64], name[16];
	struct strbuf out;
	struct login l;

	(void)state;
	strbuf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (access(shells[i], X_OK) != 0)
			continue;
		snprintf(options, sizeof(options), "--shell %s", shells[i]);
		snprintf(name, sizeof(name), "shell%zu", i);
		login_open(&l, name, options);
		strbuf_reset(&out);
		host_world_run(l.host, &cmd, &out, NULL, NULL);
		assert_string_equal(strbuf_str(&out), "<a'b\\\\c\\'!d$e`f`\n\"*>");
		login_close(&l);
	}
	strbuf_clear(&out);
}

static void login__that_runs_nothing__is_said_so(void **state)
{
	struct login l;

	(void)state;
	login_open(&l, "nologin", "--shell nologin");
	must_fail(l.host, ERR_REFUSED, ERR_REFUSED);
	assert_non_null(strstr(host_world->e.detail, "not available"));
	login_close(&l);
}

static void login__goes_through_another_host(void **state)
{
	struct login jump, l;

	(void)state;
	login_open(&jump, "jump", NULL);
	login_open(&l, "behind", "--jump jump");
	must_work(l.host);
	login_close(&l);
	login_close(&jump);
}

static void login__is_refused__without_a_key(void **state)
{
	struct strbuf text;
	struct login l;
	char *path;

	(void)state;
	login_open(&l, "keyless", NULL);
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "Host *\n PubkeyAuthentication no\nInclude %s\n", l.server.config);
	tmp_write(l.dir, "config", strbuf_str(&text));
	path = tmp_path(l.dir, "config");
	login_again(&l, path, HOST_CASES_MS / 2);
	must_fail(l.host, ERR_REFUSED, ERR_REFUSED);
	login_close(&l);
	free(path);
	strbuf_clear(&text);
}

/* What it prints may look like the reason of a program that could not log in. But it was started: who knows what ran? */
static void login__that_is_cut_at_its_start__is_lost(void **state)
{
	static const char shell[] =
		"#!/bin/sh\necho 'Permission denied' >&2\nsleep 1\nkill -KILL $PPID\n";
	char *dir = tmp_make(), *path = tmp_path(dir, "shell"), options[300];
	struct login l;

	(void)state;
	tmp_write(dir, "shell", shell);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(options, sizeof(options), "--shell %s", path);
	login_open(&l, "cutshort", options);
	must_fail(l.host, ERR_LOST, ERR_LOST);
	login_close(&l);
	free(path);
	tmp_remove(dir);
}

/* What somebody's own sessions forward is not for ours, least of all when it fails. */
static void login__does_not_forward__what_the_configuration_says(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t size = sizeof(addr);
	struct strbuf text;
	struct host_target target = { .path = NULL };
	struct login l;
	char *path, *reached;
	int taken, listening, fd;

	(void)state;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(taken, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(taken, 1), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&addr, &size), 0);
	login_open(&l, "forwards", NULL);
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "Host *\n LocalForward 127.0.0.1:%d 127.0.0.1:%d\nInclude %s\n",
		    ntohs(addr.sin_port), l.server.port, l.server.config);
	tmp_write(l.dir, "config", strbuf_str(&text));
	path = tmp_path(l.dir, "config");
	login_again(&l, path, HOST_CASES_MS / 2);
	must_work(l.host);
	target.path = reached = tmp_path(l.dir, "reached");
	assert_int_equal(dial_listen(reached, &listening, &host_world->e), 0);
	if (host_dial(l.host, &target, host_world_soon(), NULL, &fd, &host_world->e))
		host_world_fail("cannot dial");
	close(fd);
	login_close(&l);
	close(listening);
	close(taken);
	free(reached);
	free(path);
	strbuf_clear(&text);
}

/* --- Host keys ---------------------------------------------------------------------------------- */

static void host_key__that_changed__is_refused(void **state)
{
	struct host_status status;
	struct host_question q;
	struct login l;

	(void)state;
	login_open(&l, "rekeyed", NULL);
	must_work(l.host);
	free(services_tell("rekey", l.server.name, NULL));
	login_again(&l, NULL, HOST_CASES_MS / 2);
	must_fail(l.host, ERR_REFUSED, ERR_REFUSED);
	assert_non_null(strstr(host_world->e.detail, "SHA256:"));
	assert_false(host_question(l.host, &q));
	host_status(l.host, &status);
	assert_int_equal(status.state, HOST_DOWN);
	assert_int_equal(status.err.code, ERR_REFUSED);
	login_close(&l);
}

static void host_key__that_is_unknown__is_asked_about(void **state)
{
	struct host_status status;
	struct host_question q;
	struct login l;

	(void)state;
	login_open(&l, "unknown", NULL);
	assert_int_equal(truncate(l.server.known_hosts, 0), 0);
	must_fail(l.host, ERR_ASKS, ERR_ASKS);
	host_status(l.host, &status);
	assert_int_equal(status.state, HOST_ASKS);
	if (host_world->transport == HOST_OPENSSH) {
		/* ssh has to ask a person itself. */
		assert_string_equal(host_world->e.hint, "ssh unknown");
		assert_false(host_question(l.host, &q));
	} else {
		struct err *e = &host_world->e;

		assert_true(host_question(l.host, &q));
		assert_int_equal(q.kind, HOST_QUESTION_KEY);
		assert_int_equal(host_answer(l.host, q.id, "none", e), -1);
		assert_int_equal(e->code, ERR_GATE);
		assert_int_equal(host_answer(l.host, q.id, q.sha256 + strlen(q.sha256) - 4, e), 0);
		must_work(l.host);
	}
	login_close(&l);
}

/* --- Connections that break --------------------------------------------------------------------- */

static void connection__to_a_server_that_is_down__comes_back(void **state)
{
	struct host_status status;
	struct login l;

	(void)state;
	login_open(&l, "updown", NULL);
	must_work(l.host);
	free(services_tell("crash", l.server.name, NULL));
	must_fail(l.host, ERR_LOST, ERR_NOT_FOUND);
	must_fail(l.host, ERR_NOT_FOUND, ERR_NOT_FOUND);
	host_status(l.host, &status);
	assert_int_equal(status.state, HOST_DOWN);
	free(services_tell("start", "ssh", l.server.name, NULL));
	must_work(l.host);
	host_status(l.host, &status);
	assert_int_equal(status.state, HOST_READY);
	login_close(&l);
}

/* Starts a silent follower on l, waits until it runs. */
static struct host_proc *follow(struct login *l, const char **word)
{
	struct host *world_host = host_world->host;
	struct host_proc *p;

	host_world->host = l->host;
	p = host_world_start("echo here; tail -f /dev/null", false, word);
	host_world->host = world_host;
	return p;
}

static void must_be_lost(struct host_proc *p)
{
	struct host_result r;
	struct err *e = &host_world->e;

	assert_int_equal(host_proc_finish(p, host_world_soon(), NULL, &r, e), -1);
	if (e->code != ERR_LOST)
		host_world_fail("not lost");
	host_proc_close(p);
}

static void connection__that_is_cut__is_unknown_and_ends_what_ran(void **state)
{
	const char *word;
	struct host_proc *p;
	struct login l;

	(void)state;
	login_open(&l, "cut", NULL);
	login_proxy(&l, "cutter");
	p = follow(&l, &word);
	tell("proxy", "cutter", "cut");
	must_be_lost(p);
	assert_true(process_word_wait(word, 0));
	must_work(l.host);
	login_close(&l);
	free(services_tell("stop", "cut", NULL));
}

static void connection__that_is_silent__is_found_dead(void **state)
{
	struct host_status status;
	int64_t until_ms = host_world_soon();
	const char *word;
	struct host_proc *p;
	struct login l;

	(void)state;
	login_open(&l, "silent", NULL);
	login_proxy(&l, "hole");
	p = follow(&l, &word);
	tell("proxy", "hole", "blackhole");
	must_be_lost(p); /* three signs of life were missed */
	/* A command of the ssh program ends before its link is known to have ended. */
	do {
		host_status(l.host, &status);
	} while (status.state == HOST_READY && clock_mono_ms() < until_ms &&
		 wait_fds(NULL, 0, clock_mono_ms() + 10, NULL, &host_world->e) == 0);
	assert_int_equal(status.state, HOST_DOWN);
	/* Nobody is there: the next request says so in its time. */
	login_again(&l, NULL, 1000);
	must_fail(l.host, ERR_TIMEOUT, ERR_TIMEOUT);
	tell("proxy", "hole", "cut");
	assert_true(process_word_wait(word, 0));
	login_close(&l);
	free(services_tell("stop", "silent", NULL));
}

static void connection__whose_server_process_is_killed__is_lost(void **state)
{
	char *parent;
	const char *word;
	struct host_proc *p;
	struct login l;
	int64_t pid = 0;

	(void)state;
	login_open(&l, "killed", NULL);
	/* Above this shell is the one of the marks, above that the sshd of the connection. */
	parent = host_world_sh(l.host, "ps -o ppid= $(ps -o ppid= $$) | tr -d ' '");
	assert_true(sv_int(sv_trim(sv_of(parent)), 2, INT32_MAX, &pid));
	p = follow(&l, &word);
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	must_be_lost(p);
	assert_true(process_word_wait(word, 0));
	must_work(l.host);
	free(parent);
	login_close(&l);
}

/* A job is started, the connection cut, and whoever waits for it does not notice. */
static void job__survives__the_connection(void **state)
{
	const char *const words[] = { "sh", "-c", "echo one; sleep 1; echo two; exit 9", NULL };
	struct remote_job_spec spec = {
		.id = "9.a", .environment = "staging", .epoch = 3, .argv = words
	};
	struct remote_job_look look;
	struct strbuf out;
	struct login l;

	(void)state;
	login_open(&l, "server", NULL);
	login_proxy(&l, "path");
	/* In the home of who logs in. */
	if (remote_job_start(l.host, &spec, host_world_soon(), NULL, &host_world->e))
		host_world_fail("a start");
	tell("proxy", "path", "cut");
	/* It is safe to ask again. */
	while (remote_job_start(l.host, &spec, host_world_soon(), NULL, &host_world->e))
		if (host_world->e.code != ERR_LOST)
			host_world_fail("a second start");
	tell("proxy", "path", "cut");
	if (remote_job_wait(l.host, NULL, "9.a", host_world_soon(), NULL, &look, &host_world->e))
		host_world_fail("a wait");
	assert_int_equal(look.state, REMOTE_JOB_ENDED);
	assert_int_equal(look.exit_code, 9);
	strbuf_init(&out, 100);
	if (remote_job_output(l.host, NULL, "9.a", 0, &out, host_world_soon(), NULL,
			      &host_world->e))
		host_world_fail("an output");
	assert_string_equal(strbuf_str(&out), "one\ntwo\n");
	strbuf_clear(&out);
	login_close(&l);
	free(services_tell("stop", "server", NULL));
}

static void job__on_a_full_disk__is_not_started(void **state)
{
	const char *const words[] = { "true", NULL };
	struct remote_job_spec spec = {
		.id = "9.b", .environment = "staging", .epoch = 3, .argv = words
	};
	struct remote_job_look look;
	struct login l;

	(void)state;
	if (services_try(NULL, "can-mount", NULL) != 0)
		skip();
	login_open(&l, "full", "--disk 16");
	must_work(l.host);
	free(services_tell("fill", "full", "0", NULL));
	assert_int_equal(remote_job_start(l.host, &spec, host_world_soon(), NULL, &host_world->e),
			 -1);
	if (host_world->e.code != ERR_SYSTEM)
		host_world_fail("not a full disk");
	free(services_tell("unfill", "full", NULL));
	if (remote_job_look(l.host, NULL, "9.b", host_world_soon(), NULL, &look, &host_world->e))
		host_world_fail("a look");
	assert_int_equal(look.state, REMOTE_JOB_NONE);
	if (remote_job_start(l.host, &spec, host_world_soon(), NULL, &host_world->e) ||
	    remote_job_wait(l.host, NULL, "9.b", host_world_soon(), NULL, &look, &host_world->e))
		host_world_fail("a job with room");
	assert_int_equal(look.exit_code, 0);
	login_close(&l);
}

/* --- Servers that allow little ------------------------------------------------------------------ */

struct one {
	struct host *host;
	struct err e; /* empty: it went well */
};

static void *run_one(void *arg)
{
	const struct host_command cmd = { .script = "sleep 1" };
	struct one *o = arg;

	if (host_run(o->host, &cmd, NULL, NULL, NULL, host_world_soon(), NULL, &o->e) == 0)
		err_clear(&o->e);
	return NULL;
}

static void sessions__are_spread__over_more_connections(void **state)
{
	pthread_t thread[5];
	struct one one[5];
	struct login l;

	(void)state;
	login_open(&l, "few", "--set MaxSessions=2");
	for (int i = 0; i < 5; i++) {
		one[i] = (struct one){ .host = l.host };
		assert_int_equal(pthread_create(&thread[i], NULL, run_one, &one[i]), 0);
	}
	for (int i = 0; i < 5; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 5; i++) {
		host_world->e = one[i].e;
		if (one[i].e.code != ERR_OK)
			host_world_fail("one of five");
	}
	login_close(&l);
}

static void dial__is_unsupported__where_the_server_forbids_it(void **state)
{
	struct host_target t = { .host = "127.0.0.1", .port = 1 };
	struct err *e = &host_world->e;
	struct login l;
	char *path;
	int fd, listening;

	(void)state;
	login_open(&l, "closed", "--no-forwarding");
	assert_int_equal(host_dial(l.host, &t, host_world_soon(), NULL, &fd, e), -1);
	if (e->code != ERR_UNSUPPORTED)
		host_world_fail("a port");
	path = tmp_path(l.dir, "socket");
	assert_int_equal(dial_listen(path, &listening, e), 0);
	t.path = path;
	assert_int_equal(host_dial(l.host, &t, host_world_soon(), NULL, &fd, e), -1);
	if (e->code != ERR_UNSUPPORTED)
		host_world_fail("a socket");
	close(listening);
	must_work(l.host);
	login_close(&l);
	free(path);
}

const struct CMUnitTest host_cases_ssh[] = {
	cmocka_unit_test(login__may_be_chatty),
	cmocka_unit_test(login__may_print_what_it_likes),
	cmocka_unit_test(login__may_be_any_shell),
	cmocka_unit_test(login__that_runs_nothing__is_said_so),
	cmocka_unit_test(login__goes_through_another_host),
	cmocka_unit_test(login__is_refused__without_a_key),
	cmocka_unit_test(login__that_is_cut_at_its_start__is_lost),
	cmocka_unit_test(login__does_not_forward__what_the_configuration_says),
	cmocka_unit_test(host_key__that_changed__is_refused),
	cmocka_unit_test(host_key__that_is_unknown__is_asked_about),
	cmocka_unit_test(connection__to_a_server_that_is_down__comes_back),
	cmocka_unit_test(connection__that_is_cut__is_unknown_and_ends_what_ran),
	cmocka_unit_test(connection__that_is_silent__is_found_dead),
	cmocka_unit_test(connection__whose_server_process_is_killed__is_lost),
	cmocka_unit_test(job__survives__the_connection),
	cmocka_unit_test(job__on_a_full_disk__is_not_started),
	cmocka_unit_test(sessions__are_spread__over_more_connections),
	cmocka_unit_test(dial__is_unsupported__where_the_server_forbids_it),
};
const size_t host_cases_ssh_n = sizeof(host_cases_ssh) / sizeof(host_cases_ssh[0]);
