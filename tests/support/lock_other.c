/* SPDX-License-Identifier: MIT */
#include "tests/support/lock_other.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/ledger/lock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

/* --- In the other process ------------------------------------------------------------------- */

static struct err e;

/* What every change of an environment does: fence first. */
static int fenced_write(struct db *db, struct lock *l)
{
	if (db_begin(db, &e) != 0)
		return -1;
	if (lock_fence(l, db, &e) == 0 &&
	    db_exec(db, "INSERT INTO t VALUES (1)", NULL, 0, NULL, NULL, &e) == 0 &&
	    db_commit(db, &e) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

/* The same as one unit. */
static int fenced_unit(struct db *db, struct lock *l)
{
	struct db_item item[4] = { { .text = SV("BEGIN") },
				   { .text = SV("") },
				   { .text = SV("INSERT INTO t VALUES (1)") },
				   { .text = SV("COMMIT") } };
	struct arena a;
	struct err ignored;
	size_t failed;
	int rc;

	arena_init(&a);
	lock_fence_item(l, db, &a, &item[1]);
	rc = db_unit_send(db, item, 4, &e);
	if (rc == 0)
		rc = db_unit_result(db, &failed, &e);
	if (rc != 0) {
		(void)!db_units_clear(db, &ignored);
		lock_fence_judge(l, db, &e);
	}
	arena_clear(&a);
	return rc;
}

/* A fenced transaction left open. */
static int fenced_begin(struct db *db, struct lock *l)
{
	return db_begin(db, &e) != 0 ? -1 : lock_fence(l, db, &e);
}

static int obey(const struct dsn *dsn, struct db *db, struct lock **l, const char *command)
{
	char word[32] = "", run[32] = "";
	int number = 0;
	struct lock_request req = { .who = "bob", .host = "far", .run = run };

	sscanf(command, "%31s %d %31s", word, &number, run);
	req.stale_ms = number;
	if (strcmp(word, "take") == 0)
		return lock_take(dsn, db, &req, l, NULL, &e);
	if (strcmp(word, "takeover") == 0)
		return lock_takeover(dsn, db, &req, l, NULL, &e);
	if (strcmp(word, "beat") == 0)
		return lock_beat(*l, &e);
	if (strcmp(word, "lease") == 0)
		return lock_lease(*l, &e);
	if (strcmp(word, "write") == 0)
		return fenced_write(db, *l);
	if (strcmp(word, "unit") == 0)
		return fenced_unit(db, *l);
	if (strcmp(word, "begin") == 0)
		return db_begin(db, &e);
	if (strcmp(word, "fenced") == 0)
		return fenced_begin(db, *l);
	if (strcmp(word, "commit") == 0)
		return db_commit(db, &e);
	if (strcmp(word, "sql") == 0)
		return db_foreign(db, sv_trim(sv_of(command + 4)), NULL, &e);
	if (strcmp(word, "release") == 0) {
		lock_release(*l, db);
		*l = NULL;
		return 0;
	}
	return err_set(&e, ERR_USAGE, "what is %s", word);
}

int lock_other_main(const char *path)
{
	struct dsn dsn = { .engine = "sqlite", .path = path, .shown = path };
	struct db_options opt = { .lock_timeout_ms = 20000 };
	struct lock *l = NULL;
	struct db *db = NULL;
	char line[256];
	struct arena a;

	arena_init(&a);
	if (strstr(path, "://") != NULL && dsn_parse(&a, path, "/", &dsn, &e) != 0)
		return 1;
	if (db_open(&dsn, 0, &opt, NULL, &db, &e) != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		int delay = 0;

		/* "later 100 release": answers first, so that the other side can begin to wait. */
		if (sscanf(line, "later %d", &delay) == 1) {
			puts("ok");
			fflush(stdout);
			(void)!wait_fds(NULL, 0, clock_mono_ms() + delay, NULL, &e);
			if (strstr(line, "die") != NULL)
				raise(SIGKILL);
			(void)obey(&dsn, db, &l, strrchr(line, ' ') + 1);
			continue;
		}
		/* "behind SQL": the same with a statement, which takes a while. */
		if (strncmp(line, "behind ", 7) == 0) {
			puts("ok");
			fflush(stdout);
			(void)!db_foreign(db, sv_trim(sv_of(line + 7)), NULL, &e);
			continue;
		}
		if (obey(&dsn, db, &l, line) == 0)
			puts("ok");
		else
			printf("%s\n", err_code_name(e.code));
		fflush(stdout);
	}
	arena_clear(&a);
	return 0;
}

/* --- In the test ---------------------------------------------------------------------------- */

void lock_other_start(struct lock_other *o, const char *path)
{
	char exe[] = "/proc/self/exe", role[] = LOCK_OTHER_ROLE;
	char *db = mem_strdup(path);
	char *argv[] = { exe, role, db, NULL };
	posix_spawn_file_actions_t actions;
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	assert_int_equal(posix_spawn(&o->pid, exe, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	o->to = to[1];
	o->from = from[0];
	mem_free(db);
}

void lock_other_tell(struct lock_other *o, const char *command)
{
	assert_int_equal(write(o->to, command, strlen(command)), strlen(command));
	assert_int_equal(write(o->to, "\n", 1), 1);
}

/* One line of its answer, or "" when none comes. */
const char *lock_other_answer(struct lock_other *o, char line[64])
{
	struct err ignored;
	size_t n = 0;

	while (n < 63) {
		struct pollfd pfd = { .fd = o->from, .events = POLLIN };
		char c;

		if (wait_fds(&pfd, 1, clock_mono_ms() + 30000, NULL, &ignored) != 1 ||
		    read(o->from, &c, 1) != 1 || c == '\n')
			break;
		line[n++] = c;
	}
	line[n] = '\0';
	return line;
}

void lock_other_says(struct lock_other *o, const char *command, const char *expected)
{
	char line[64];

	lock_other_tell(o, command);
	lock_other_answer(o, line);
	if (strcmp(line, expected) != 0)
		fail_msg("%s: expected %s, got %s", command, expected, line);
}

void lock_other_end(struct lock_other *o, int signal_number)
{
	if (o->pid <= 0)
		return;
	kill(o->pid, signal_number);
	waitpid(o->pid, NULL, 0);
	close(o->to);
	close(o->from);
	o->pid = 0;
}

/* A process stopped by a signal shows it a moment later. */
void lock_other_stop(struct lock_other *o)
{
	int status = 0;

	assert_int_equal(kill(o->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(o->pid, &status, WUNTRACED), o->pid);
	assert_true(WIFSTOPPED(status));
}
