/* SPDX-License-Identifier: MIT */
#include "core/release/tool_lock.h"

#include "core/base/child.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 20000

static struct err e;

/* A tool as a runner starts it, in a thread: child_stream waits for its end. */
struct tool {
	const char *script;
	int fd;
	int64_t pid;
	int status;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t begun;
};

static void on_started(void *arg, pid_t pid)
{
	struct tool *t = arg;

	tool_lock_note(t->fd, pid);
	close(t->fd);
	pthread_mutex_lock(&t->lock);
	t->pid = pid;
	pthread_cond_signal(&t->begun);
	pthread_mutex_unlock(&t->lock);
}

static void on_output(void *arg, struct sv bytes)
{
	(void)arg;
	(void)bytes;
}

static void *run_tool(void *arg)
{
	struct tool *t = arg;
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)t->script, NULL };
	struct child_stream s = {
		.argv = argv,
		.dir = "/",
		.keep_fd = t->fd,
		.started = on_started,
		.output = on_output,
		.arg = t,
	};
	struct err why;

	if (child_stream(&s, 100, NULL, &t->status, &why) != 0)
		t->status = -1;
	return NULL;
}

static void tool_start(struct tool *t, const char *dir, const char *script)
{
	int64_t pid;

	*t = (struct tool){ .script = script };
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->begun, NULL);
	assert_int_equal(tool_lock_take(dir, &t->fd, &pid, &e), 0);
	assert_int_equal(pthread_create(&t->thread, NULL, run_tool, t), 0);
	pthread_mutex_lock(&t->lock);
	while (t->pid == 0)
		pthread_cond_wait(&t->begun, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

static void tool_join(struct tool *t)
{
	pthread_join(t->thread, NULL);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->begun);
}

static void take__is_refused__while_a_tool_is_at_work(void **state)
{
	char *dir = tmp_make();
	struct tool t;
	int64_t pid;
	int fd;

	(void)state;
	tool_start(&t, dir, "exec sleep 100");
	assert_int_equal(tool_lock_take(dir, &fd, &pid, &e), -1);
	assert_int_equal(e.code, ERR_LOCKED);
	assert_int_equal(pid, t.pid);
	assert_non_null(strstr(e.hint, "kill "));
	assert_int_equal(tool_lock_wait(dir, clock_mono_ms() + 50, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LOCKED);
	assert_int_equal(kill((pid_t)t.pid, SIGKILL), 0);
	tool_join(&t);
	assert_int_equal(tool_lock_wait(dir, clock_mono_ms() + LONG_MS, NULL, &e), 0);
	assert_int_equal(tool_lock_take(dir, &fd, &pid, &e), 0);
	close(fd);
	tmp_remove(dir);
}

static void wait__ends__with_the_tool_or_when_cancelled(void **state)
{
	char *dir = tmp_make();
	struct cancel c;
	struct tool t;

	(void)state;
	assert_int_equal(cancel_init(&c, &e), 0);
	tool_start(&t, dir, "exec sleep 100");
	cancel_fire(&c);
	assert_int_equal(tool_lock_wait(dir, WAIT_FOREVER, &c, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(kill((pid_t)t.pid, SIGTERM), 0);
	assert_int_equal(tool_lock_wait(dir, clock_mono_ms() + LONG_MS, NULL, &e), 0);
	tool_join(&t);
	assert_int_equal(t.status, 128 + SIGTERM);
	cancel_clear(&c);
	tmp_remove(dir);
}

static void end__ends_it__also_when_it_is_deaf(void **state)
{
	char *dir = tmp_make();
	struct tool t;

	(void)state;
	assert_int_equal(tool_lock_end(dir, &e), 0); /* there is none */
	tool_start(&t, dir, "exec sleep 100");
	assert_int_equal(tool_lock_end(dir, &e), 0);
	tool_join(&t);
	assert_int_equal(t.status, 128 + SIGTERM);
	tmp_remove(dir);
}

static void end__touches_nobody__whom_the_file_names_wrongly(void **state)
{
	char *dir = tmp_make(), *path = path_join(dir, "framework.lock");
	char boot[40], text[120];
	int64_t pid;
	int fd, other;

	(void)state;
	fs_boot_id(boot);
	/* The lock is held by us, and the file says another start time of this very process. */
	assert_int_equal(tool_lock_take(dir, &fd, &pid, &e), 0);
	snprintf(text, sizeof(text), "%d 1 %s\n", (int)getpid(), boot);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	assert_int_equal(tool_lock_take(dir, &other, &pid, &e), -1);
	assert_int_equal(pid, 0);
	assert_int_equal(tool_lock_end(dir, &e), -1);
	assert_int_equal(e.code, ERR_LOCKED);
	close(fd);
	mem_free(path);
	tmp_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take__is_refused__while_a_tool_is_at_work),
		cmocka_unit_test(wait__ends__with_the_tool_or_when_cancelled),
		cmocka_unit_test(end__ends_it__also_when_it_is_deaf),
		cmocka_unit_test(end__touches_nobody__whom_the_file_names_wrongly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
