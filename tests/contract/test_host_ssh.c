/* SPDX-License-Identifier: MIT */
/*
 * The libssh2 transport against an sshd: commands, streams and forwards, many at once, slow readers, and
 * connections that break. What is the same for all transports is in host_cases.c.
 * needs: servers
 * time-limit: 240
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/base/digest.h"
#include "core/base/mem.h"
#include "tests/contract/ssh_world.h"
#include "tests/support/tmp.h"

static struct ssh_world w;
static struct err e;

static int setup(void **state)
{
	(void)state;
	ssh_world_open(&w, "plain", "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (w.pool != NULL)
		ssh_world_close(&w);
	return 0;
}

static void must(int rc)
{
	if (rc != 0)
		fail_msg("%s", ssh_world_said(&e));
}

/* --- Commands ---------------------------------------------------------------------------------- */

static void run__tells__status_and_signal(void **state)
{
	const struct host_command cmd = { .script = "echo out; echo err >&2; kill -KILL $$" };
	struct host_result r;
	struct host_status st;
	struct strbuf out, err;

	(void)state;
	strbuf_init(&out, 1000);
	strbuf_init(&err, 1000);
	must(host_run(w.host, &cmd, &out, &err, &r, ssh_world_soon(), NULL, &e));
	assert_int_equal(r.status, -1);
	assert_string_equal(r.signal, "KILL");
	assert_string_equal(strbuf_str(&out), "out\n");
	assert_memory_equal(strbuf_str(&err), "err\n", 4);
	assert_int_equal(ssh_world_run(&w, "exit 7", NULL), 7);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_READY);
	assert_non_null(strstr(st.about, "ssh-ed25519"));
	assert_true(st.round_trip_us > 0);
	assert_true(st.skew_known);
	strbuf_clear(&out);
	strbuf_clear(&err);
}

/* Reads all of stdout, as many bytes at a time, and says how many came and their sum. */
static size_t read_all(struct host_proc *p, size_t at_once, char hex[DIGEST_HEX_SIZE])
{
	struct digest *d = digest_new();
	char *block = mem_alloc(at_once);
	size_t total = 0, got;

	while (host_proc_fd(p, HOST_OUT) >= 0) {
		struct pollfd fd = { .fd = host_proc_fd(p, HOST_OUT), .events = POLLIN };

		if (wait_fds(&fd, 1, ssh_world_soon(), NULL, &e) <= 0)
			fail_msg("stuck at %zu bytes", total);
		must(host_proc_read(p, HOST_OUT, block, at_once, &got, &e));
		digest_add(d, block, got);
		total += got;
	}
	digest_end(d, hex);
	digest_free(d);
	mem_free(block);
	return total;
}

#define BIG (30 << 20)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
/* 30 MB that are not all the same. */
#define BIG_SCRIPT "yes 'a line of a log that says something' | head -c 31457280"

static void big_output(bool bulk)
{
	const struct host_command cmd = { .script = BIG_SCRIPT, .bulk = bulk };
	char hex[DIGEST_HEX_SIZE];
	struct host_proc *p;
	struct host_result r;
	struct strbuf sum;

	must(host_start(w.host, &cmd, ssh_world_soon(), NULL, &p, &e));
	assert_int_equal(read_all(p, 1 << 16, hex), BIG);
	must(host_proc_finish(p, ssh_world_soon(), NULL, &r, &e));
	assert_int_equal(r.status, 0);
	host_proc_close(p);
	strbuf_init(&sum, 1000);
	assert_int_equal(ssh_world_run(&w, BIG_SCRIPT " | sha256sum", &sum), 0);
	assert_memory_equal(strbuf_str(&sum), hex, DIGEST_HEX_SIZE - 1);
	strbuf_clear(&sum);
}

static void big_output__comes_whole(void **state)
{
	(void)state;
	big_output(false);
	big_output(true);
}

static void input__of_a_megabyte__comes_whole(void **state)
{
	struct host_command cmd = { .script = "sha256sum" };
	char *text = mem_alloc(HOST_INPUT_MAX), hex[DIGEST_HEX_SIZE];
	struct strbuf out;

	(void)state;
	for (size_t i = 0; i < HOST_INPUT_MAX; i++)
		text[i] = (char)(i * 7 + i / 251);
	cmd.input = sv_n(text, HOST_INPUT_MAX);
	digest_hex(text, HOST_INPUT_MAX, hex);
	strbuf_init(&out, 1000);
	must(host_run(w.host, &cmd, &out, NULL, NULL, ssh_world_soon(), NULL, &e));
	assert_memory_equal(strbuf_str(&out), hex, DIGEST_HEX_SIZE - 1);
	strbuf_clear(&out);
	mem_free(text);
}

/* --- Many at once ------------------------------------------------------------------------------ */

#define MANY 12

static void start_many(struct host_proc *p[MANY], const char *script)
{
	const struct host_command cmd = { .script = script };

	for (size_t i = 0; i < MANY; i++)
		must(host_start(w.host, &cmd, ssh_world_soon(), NULL, &p[i], &e));
}

/* One line of each, while all of them run. */
static void read_line_of_each(struct host_proc *p[MANY])
{
	for (size_t i = 0; i < MANY; i++) {
		char block[HOST_READ_MIN];
		size_t got = 0;

		while (got == 0) {
			struct pollfd fd = { .fd = host_proc_fd(p[i], HOST_OUT), .events = POLLIN };

			if (wait_fds(&fd, 1, ssh_world_soon(), NULL, &e) <= 0)
				fail_msg("nothing from command %zu", i);
			must(host_proc_read(p[i], HOST_OUT, block, sizeof(block), &got, &e));
			if (got == 0 && host_proc_fd(p[i], HOST_OUT) < 0)
				fail_msg("command %zu has ended", i);
		}
		assert_int_equal(block[0], 'x');
	}
}

static void many_commands(const char *options, const char *name)
{
	struct host_proc *p[MANY];

	ssh_world_close(&w);
	ssh_world_open(&w, name, options);
	start_many(p, "echo x; sleep 100");
	read_line_of_each(p);
	/* And one more beside them. */
	assert_int_equal(ssh_world_run(&w, "exit 4", NULL), 4);
	for (size_t i = 0; i < MANY; i++)
		host_proc_close(p[i]);
	assert_int_equal(ssh_world_run(&w, "exit 5", NULL), 5);
}

static void many_commands__run_at_once__on_further_connections(void **state)
{
	(void)state;
	many_commands("", "ten");
}

static void many_commands__run_at_once__where_two_are_allowed(void **state)
{
	(void)state;
	many_commands("--set MaxSessions=2", "two");
}

static void one_command_at_a_time__is_allowed(void **state)
{
	(void)state;
	ssh_world_close(&w);
	ssh_world_open(&w, "single", "--set MaxSessions=1");
	for (int i = 0; i < 8; i++)
		assert_int_equal(ssh_world_run(&w, "exit 3", NULL), 3);
}

/* Its connection breaks shortly after each tenth command. */
static const char ten_sessions[] =
	"#!/bin/sh\n"
	"count=$(cat \"$HOME/count\" 2>/dev/null)\n"
	"count=$((count + 1))\n"
	"echo $count >\"$HOME/count\"\n"
	"/bin/sh \"$@\"\n"
	"status=$?\n"
	"[ $((count % 10)) -ne 0 ] || setsid sh -c \"sleep 0.05; kill -KILL $PPID\" >/dev/null 2>&1 &\n"
	"exit $status\n";

static void server__that_closes_after_ten_commands__is_connected_to_again(void **state)
{
	char *dir = tmp_make(), *path = tmp_path(dir, "shell");
	struct strbuf options;

	(void)state;
	tmp_write(dir, "shell", ten_sessions);
	assert_int_equal(chmod(path, 0755), 0);
	strbuf_init(&options, 1000);
	strbuf_addf(&options, "--shell %s", path);
	ssh_world_close(&w);
	ssh_world_open(&w, "tired", strbuf_str(&options));
	for (int i = 1; i <= 25; i++) {
		struct pollfd none = { .fd = -1 };
		struct host_status st = { .state = HOST_READY };

		assert_int_equal(ssh_world_run(&w, "exit 3", NULL), 3);
		/* A command that runs meanwhile would be lost, and said to be. */
		for (; i % 10 == 0 && st.state == HOST_READY; host_status(w.host, &st))
			assert_int_equal(wait_fds(&none, 1, clock_mono_ms() + 5, NULL, &e), 0);
	}
	strbuf_clear(&options);
	free(path);
	tmp_remove(dir);
}

struct runner {
	pthread_t thread;
	int status;
};

static void *run_one(void *arg)
{
	const struct host_command cmd = { .script = "echo hello; exit 9" };
	struct runner *r = arg;
	struct host_result result;
	struct strbuf out;
	struct err mine;

	strbuf_init(&out, 100);
	if (host_run(w.host, &cmd, &out, NULL, &result, ssh_world_soon(), NULL, &mine) == 0 &&
	    strcmp(strbuf_str(&out), "hello\n") == 0)
		r->status = result.status;
	strbuf_clear(&out);
	return NULL;
}

static void threads__share_a_host(void **state)
{
	struct runner r[24];

	(void)state;
	memset(r, 0, sizeof(r));
	for (size_t i = 0; i < 24; i++)
		assert_int_equal(pthread_create(&r[i].thread, NULL, run_one, &r[i]), 0);
	for (size_t i = 0; i < 24; i++) {
		pthread_join(r[i].thread, NULL);
		assert_int_equal(r[i].status, 9);
	}
}

static void slow_reader__slows_only_itself(void **state)
{
	const struct host_command cmd = { .script = "yes | head -c 20000000" };
	char hex[DIGEST_HEX_SIZE];
	struct host_proc *slow;
	struct host_result r;

	(void)state;
	must(host_start(w.host, &cmd, ssh_world_soon(), NULL, &slow, &e));
	/* Nobody reads it, and its window and pipe are full while others go on. */
	for (int i = 0; i < 3; i++)
		big_output(false);
	assert_int_equal(read_all(slow, 1 << 16, hex), 20000000);
	must(host_proc_finish(slow, ssh_world_soon(), NULL, &r, &e));
	assert_int_equal(r.status, 0);
	host_proc_close(slow);
}

/* --- Streams ----------------------------------------------------------------------------------- */

static void dial__reaches__ports_and_sockets(void **state)
{
	char *path = tmp_path(w.dir, "echo");
	struct echo *tcp = echo_start(NULL), *local = echo_start(path);
	const struct host_target targets[] = { { .host = "127.0.0.1", .port = echo_port(tcp) },
					       { .path = path } };
	int fd[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		must(host_dial(w.host, &targets[i], ssh_world_soon(), NULL, &fd[i], &e));
		echo_through(fd[i], 3 << 20);
	}
	for (size_t i = 0; i < 2; i++) {
		char byte;
		struct pollfd wait = { .fd = fd[i], .events = POLLIN };

		/* Half closed: the other side sees the end and closes its half. */
		shutdown(fd[i], SHUT_WR);
		assert_int_equal(wait_fds(&wait, 1, ssh_world_soon(), NULL, &e), 1);
		assert_int_equal(recv(fd[i], &byte, 1, 0), 0);
		close(fd[i]);
	}
	echo_stop(tcp);
	echo_stop(local);
	free(path);
}

struct upload {
	pthread_t thread;
	int fd;
};

static void *upload_run(void *arg)
{
	struct upload *u = arg;

	echo_through(u->fd, 8 << 20);
	return NULL;
}

static void streams__carry_much_both_ways__at_once(void **state)
{
	struct echo *tcp = echo_start(NULL);
	const struct host_target t = { .host = "127.0.0.1", .port = echo_port(tcp) };
	struct upload u[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		must(host_dial(w.host, &t, ssh_world_soon(), NULL, &u[i].fd, &e));
		assert_int_equal(pthread_create(&u[i].thread, NULL, upload_run, &u[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(u[i].thread, NULL);
		close(u[i].fd);
	}
	echo_stop(tcp);
}

static void dial__says__why_not(void **state)
{
	struct host_target t = { .path = "/nonexistent/socket" };
	char *dir = tmp_make(), *path = tmp_path(dir, "echo");
	struct echo *local = echo_start(path);
	int fd = -1;

	(void)state;
	assert_int_equal(host_dial(w.host, &t, ssh_world_soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	t = (struct host_target){ .host = "127.0.0.1", .port = 1 };
	assert_int_equal(host_dial(w.host, &t, ssh_world_soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	ssh_world_close(&w);
	ssh_world_open(&w, "closed", "--no-forwarding");
	assert_int_equal(host_dial(w.host, &t, ssh_world_soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	/* A socket that is there is forbidden; of one that is not, that is said. */
	t = (struct host_target){ .path = path };
	assert_int_equal(host_dial(w.host, &t, ssh_world_soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	echo_stop(local);
	assert_int_equal(host_dial(w.host, &t, ssh_world_soon(), NULL, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(fd, -1);
	/* The connection is as good as before. */
	assert_int_equal(ssh_world_run(&w, "exit 2", NULL), 2);
	free(path);
	tmp_remove(dir);
}

static int connect_path(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(un.sun_path, sizeof(un.sun_path), path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		fail_msg("connect %s: %s", path, strerror(errno));
	return fd;
}

static void must_end(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(wait_fds(&wait, 1, ssh_world_soon(), NULL, &e), 1);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}

static void forward__joins__each_connection(void **state)
{
	struct echo *tcp = echo_start(NULL);
	const struct host_target t = { .host = "127.0.0.1", .port = echo_port(tcp) };
	char *path = tmp_path(w.dir, "fwd");
	struct host_forward *f;
	struct stat st;
	int fd[MANY];

	(void)state;
	must(host_forward_open(w.host, &t, path, ssh_world_soon(), NULL, &f, &e));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	for (size_t i = 0; i < MANY; i++)
		fd[i] = connect_path(path);
	for (size_t i = 0; i < MANY; i++)
		echo_through(fd[i], 100000);
	assert_int_equal(echo_count(tcp), MANY);
	close(fd[0]);
	echo_through(fd[1], 100);
	host_forward_close(f);
	assert_int_equal(stat(path, &st), -1);
	for (size_t i = 1; i < MANY; i++)
		must_end(fd[i]);
	echo_stop(tcp); /* waits until all of them are closed there */
	free(path);
}

static void forward__closes__what_cannot_be_reached(void **state)
{
	const struct host_target t = { .path = "/nonexistent" };
	char *path = tmp_path(w.dir, "fwd");
	struct host_forward *f;

	(void)state;
	must(host_forward_open(w.host, &t, path, ssh_world_soon(), NULL, &f, &e));
	must_end(connect_path(path));
	must_end(connect_path(path));
	host_forward_close(f);
	free(path);
}

/* Somebody else of this process may use up the descriptors for a while. */
static void forward__goes_on__when_there_are_descriptors_again(void **state)
{
	struct echo *tcp = echo_start(NULL);
	const struct host_target t = { .host = "127.0.0.1", .port = echo_port(tcp) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char *path = tmp_path(w.dir, "fwd");
	struct rlimit usual, few;
	struct host_forward *f;
	int fd, next;

	(void)state;
	must(host_forward_open(w.host, &t, path, ssh_world_soon(), NULL, &f, &e));
	str_copy(un.sun_path, sizeof(un.sun_path), path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	next = dup(fd);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	few = usual;
	few.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	/* It fails in this time; where it does not, nothing is tested. */
	assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + 300, NULL, &e), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	echo_through(fd, 1000);
	close(fd);
	host_forward_close(f);
	echo_stop(tcp);
	free(path);
}

/* --- Connections that break -------------------------------------------------------------------- */

static void follow_start(struct host_proc **p)
{
	const struct host_command cmd = { .script = "echo x; sleep 100" };
	char block[HOST_READ_MIN];
	size_t got = 0;

	must(host_start(w.host, &cmd, ssh_world_soon(), NULL, p, &e));
	while (got == 0) {
		struct pollfd fd = { .fd = host_proc_fd(*p, HOST_OUT), .events = POLLIN };

		assert_int_equal(wait_fds(&fd, 1, ssh_world_soon(), NULL, &e), 1);
		must(host_proc_read(*p, HOST_OUT, block, sizeof(block), &got, &e));
	}
}

static void must_be_lost(struct host_proc *p)
{
	char hex[DIGEST_HEX_SIZE];
	struct host_result r = { .status = 99 };

	assert_int_equal(read_all(p, HOST_READ_MIN, hex), 0);
	assert_int_equal(host_proc_finish(p, ssh_world_soon(), NULL, &r, &e), -1);
	assert_int_equal(e.code, ERR_LOST);
	assert_int_equal(r.status, 99);
	host_proc_close(p);
}

static void proxy_open(const char *name)
{
	struct server before = w.server;

	free(services_tell("proxy", name, before.name, NULL));
	services_env(name, &w.server);
	services_clear(&before);
	w.spec.name = w.server.name;
	ssh_world_again(&w);
}

/* How often each kind of news was told. */
static atomic_int told[3];

static void on_news(void *arg, const struct host *h, enum host_news news,
		    const struct host_status *now)
{
	(void)arg;
	assert_string_equal(host_name(h), w.server.name);
	assert_int_equal(now->silent_utc_ms != 0, news == HOST_NEWS_SILENT);
	assert_int_equal(now->state == HOST_DOWN, news == HOST_NEWS_LOST);
	atomic_fetch_add(&told[news], 1);
}

static void watch_begin(struct host_watch *watch)
{
	for (size_t i = 0; i < 3; i++)
		atomic_store(&told[i], 0);
	*watch = (struct host_watch){ .fn = on_news };
	host_watch(w.host, watch);
}

static void must_be_told(enum host_news news)
{
	int64_t until_ms = ssh_world_soon();

	while (atomic_load(&told[news]) == 0) {
		assert_true(clock_mono_ms() < until_ms);
		assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + 20, NULL, &e), 0);
	}
}

static void cut__is_lost__and_the_next_request_works(void **state)
{
	struct host_watch watch;
	struct host_proc *p;
	struct host_status st;

	(void)state;
	proxy_open("cutter");
	watch_begin(&watch);
	follow_start(&p);
	free(services_tell("proxy", "cutter", "cut", NULL));
	must_be_lost(p);
	must_be_told(HOST_NEWS_LOST);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_DOWN);
	assert_int_equal(ssh_world_run(&w, "exit 6", NULL), 6);
	must_be_told(HOST_NEWS_BACK);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_READY);
	host_unwatch(w.host, &watch);
	assert_int_equal(atomic_load(&told[HOST_NEWS_SILENT]), 0);
}

/* It would be dead after a minute; a follower that waits for lines owes nothing before. */
static void frozen_host__is_told__long_before_it_is_dead(void **state)
{
	const struct host_command cmd = { .script = ":" };
	struct host_watch watch;
	struct host_status st;
	struct host_proc *p;
	int64_t asked_ms;

	(void)state;
	watch_begin(&watch);
	follow_start(&p);
	free(services_tell("freeze", w.server.name, NULL));
	asked_ms = clock_mono_ms();
	assert_int_equal(host_run(w.host, &cmd, NULL, NULL, NULL, asked_ms + 200, NULL, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	must_be_told(HOST_NEWS_SILENT);
	assert_true(clock_mono_ms() - asked_ms < w.spec.alive_ms / 2);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_READY);
	assert_true(st.silent_utc_ms > 0 && st.silent_utc_ms <= clock_utc_ms());
	host_silent_err(w.host, &st, &e);
	assert_non_null(strstr(e.msg, "does not answer"));
	free(services_tell("thaw", w.server.name, NULL));
	must_be_told(HOST_NEWS_BACK);
	assert_int_equal(ssh_world_run(&w, "exit 6", NULL), 6);
	host_unwatch(w.host, &watch);
	assert_int_equal(atomic_load(&told[HOST_NEWS_LOST]), 0);
	host_proc_close(p);
}

static void silence__is_noticed(void **state)
{
	struct host_proc *p;
	struct host_status st;
	int64_t start_ms;

	(void)state;
	w.spec.alive_ms = 2000;
	proxy_open("hole");
	follow_start(&p);
	start_ms = clock_mono_ms();
	free(services_tell("proxy", "hole", "blackhole", NULL));
	must_be_lost(p);
	assert_true(clock_mono_ms() - start_ms >= 4000);
	host_status(w.host, &st);
	assert_int_equal(st.state, HOST_DOWN);
	/* A new connection ends with its own time. */
	w.spec.connect_timeout_ms = 700;
	ssh_world_again(&w);
	ssh_world_refused(&w, &e, ERR_TIMEOUT);
	free(services_tell("proxy", "hole", "normal", NULL));
	assert_int_equal(ssh_world_run_soon(&w, "exit 6"), 6);
}

/* Idle, and with a channel that says nothing; both for longer than four signs of life, of which three may be missed. */
static void quiet_connection__stays__as_long_as_it_answers(void **state)
{
	struct host_proc *p;
	struct pollfd none = { .fd = -1 };
	struct host_status idle, busy;
	struct hosts *pool;
	struct host *other;

	(void)state;
	w.spec.alive_ms = 1000;
	ssh_world_again(&w);
	follow_start(&p);
	host_status(w.host, &busy);
	pool = w.pool;
	other = w.host;
	w.pool = NULL;
	ssh_world_again(&w);
	assert_int_equal(ssh_world_run(&w, "exit 1", NULL), 1);
	host_status(w.host, &idle);
	assert_int_equal(wait_fds(&none, 1, clock_mono_ms() + 5500, NULL, &e), 0);
	ssh_world_stayed(w.host, &idle);
	ssh_world_stayed(other, &busy);
	assert_int_equal(ssh_world_run(&w, "exit 1", NULL), 1);
	host_proc_close(p);
	hosts_free(pool);
}

static void restarted_server__is_connected_to_again(void **state)
{
	struct host_proc *p;

	(void)state;
	follow_start(&p);
	free(services_tell("crash", w.server.name, NULL));
	must_be_lost(p);
	ssh_world_refused(&w, &e, ERR_NOT_FOUND);
	services_clear(&w.server);
	(void)services_start_as(SERVICE_SSH, "plain", "", &w.server);
	assert_int_equal(ssh_world_run(&w, "exit 8", NULL), 8);
}

static void close__does_not_wait__for_a_server_that_is_silent(void **state)
{
	struct host_proc *p;
	int64_t start_ms;

	(void)state;
	proxy_open("deaf");
	follow_start(&p);
	free(services_tell("proxy", "deaf", "blackhole", NULL));
	host_proc_close(p);
	start_ms = clock_mono_ms();
	ssh_world_again(&w);
	assert_true(clock_mono_ms() - start_ms < 15000); /* alive_ms is more */
}

/* Several connect through one host, which is closed before them: they are told, and look at it until they have ended. */
static void close__of_the_way__ends_those_behind_it(void **state)
{
	const struct host_command cmd = { .script = ":" };
	struct host_spec spec;
	struct host_proc *p;
	struct strbuf text;
	char name[16];

	(void)state;
	proxy_open("hole");
	free(services_tell("proxy", "hole", "blackhole", NULL));
	strbuf_init(&text, 8192);
	strbuf_addf(&text, "Host behind*\nHostName 127.0.0.1\nProxyJump hole\nHost *\nInclude %s\n",
		    w.server.config);
	tmp_write(w.dir, "config", strbuf_str(&text));
	strbuf_clear(&text);
	w.config = tmp_path(w.dir, "config");
	ssh_world_again(&w);
	spec = w.spec;
	spec.name = name;
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "behind%d", i);
		assert_int_equal(host_start(hosts_get(w.pool, &spec), &cmd,
					    clock_mono_ms() + (i == 7 ? 500 : 1), NULL, &p, &e),
				 -1);
		assert_int_equal(e.code, ERR_TIMEOUT);
	}
	ssh_world_again(&w);
}

static void cancel__ends_a_start__that_waits(void **state)
{
	const struct host_command cmd = { .script = ":" };
	struct host_proc *p;
	struct cancel c;

	(void)state;
	proxy_open("mute");
	free(services_tell("proxy", "mute", "blackhole", NULL));
	must(cancel_init(&c, &e));
	assert_int_equal(host_start(w.host, &cmd, clock_mono_ms() + 300, &c, &p, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	cancel_fire(&c);
	assert_int_equal(host_start(w.host, &cmd, ssh_world_soon(), &c, &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	cancel_clear(&c);
}

static void keys__are_exchanged_again__under_load(void **state)
{
	struct host_proc *p[MANY];

	(void)state;
	ssh_world_close(&w);
	ssh_world_open(&w, "rekey", "--set RekeyLimit=2M");
	start_many(p, "echo x; sleep 100");
	big_output(true);
	big_output(false);
	read_line_of_each(p);
	for (size_t i = 0; i < MANY; i++)
		host_proc_close(p[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		CASE(run__tells__status_and_signal),
		CASE(big_output__comes_whole),
		CASE(input__of_a_megabyte__comes_whole),
		CASE(many_commands__run_at_once__on_further_connections),
		CASE(many_commands__run_at_once__where_two_are_allowed),
		CASE(one_command_at_a_time__is_allowed),
		CASE(server__that_closes_after_ten_commands__is_connected_to_again),
		CASE(threads__share_a_host),
		CASE(slow_reader__slows_only_itself),
		CASE(dial__reaches__ports_and_sockets),
		CASE(streams__carry_much_both_ways__at_once),
		CASE(dial__says__why_not),
		CASE(forward__joins__each_connection),
		CASE(forward__closes__what_cannot_be_reached),
		CASE(forward__goes_on__when_there_are_descriptors_again),
		CASE(cut__is_lost__and_the_next_request_works),
		CASE(frozen_host__is_told__long_before_it_is_dead),
		CASE(silence__is_noticed),
		CASE(quiet_connection__stays__as_long_as_it_answers),
		CASE(restarted_server__is_connected_to_again),
		CASE(close__does_not_wait__for_a_server_that_is_silent),
		CASE(close__of_the_way__ends_those_behind_it),
		CASE(cancel__ends_a_start__that_waits),
		CASE(keys__are_exchanged_again__under_load),
#undef CASE
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
