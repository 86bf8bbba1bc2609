/* SPDX-License-Identifier: MIT */
#include "tests/support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/db.h"
#include "tests/support/tmp.h"
#include "tests/support/workspace.h"

#define LIMIT_MS 120000
#define WORDS_MAX 15

void program_init(struct program *p, const char *policy)
{
	struct strbuf ini;
	struct db *db;
	struct err e;

	memset(p, 0, sizeof(*p));
	p->dir = tmp_make();
	arena_init(&p->arena);
	strbuf_init(&ini, STRBUF_NO_LIMIT);
	strbuf_addf(&ini,
		    "[project]\nname = shop\nmigrations = sql\npipeline = dev\n"
		    "state_files = yes\n\n[environment dev]\ndatabase = sqlite:dev.db\n"
		    "protected = no\n%s",
		    policy);
	tmp_write(p->dir, "bascule.ini", strbuf_str(&ini));
	strbuf_clear(&ini);
	assert_ok(dsn_parse(&p->arena, "sqlite:dev.db", p->dir, &p->dsn, &e), &e);
	assert_ok(db_open(&p->dsn, DB_CREATE, NULL, NULL, &db, &e), &e);
	db_close(db);
	p->ctx.state_dir = arena_printf(&p->arena, "%s/state/bascule", p->dir);
	p->ctx.runs_dir = arena_printf(&p->arena, "%s/runs", p->ctx.state_dir);
	setenv("XDG_STATE_HOME", arena_printf(&p->arena, "%s/state", p->dir), 1);
}

void program_clear(struct program *p)
{
	arena_clear(&p->arena);
	tmp_remove(p->dir);
}

void program_migration(struct program *p, const char *id, const char *up, const char *down)
{
	char name[64];

	snprintf(name, sizeof(name), "sql/up/%s_t.sql", id);
	tmp_write(p->dir, name, up);
	snprintf(name, sizeof(name), "sql/down/%s_t.sql", id);
	tmp_write(p->dir, name, down);
}

/* Cuts words in place. */
static void split(char *words, char *argv[WORDS_MAX + 1])
{
	int n = 1;

	argv[0] = getenv("BASCULE");
	assert_non_null(argv[0]);
	while (n < WORDS_MAX && (argv[n] = strsep(&words, " ")) != NULL)
		n++;
	argv[n] = NULL;
}

int program_run(struct program *p, const char *words, char **said)
{
	char *argv[WORDS_MAX + 1], *text = mem_strdup(words);
	struct tmp_child child;
	struct strbuf out;

	split(text, argv);
	tmp_run(&child, p->dir, argv);
	if (said) {
		strbuf_init(&out, STRBUF_NO_LIMIT);
		strbuf_addf(&out, "%s%s", child.out, child.err);
		*said = strbuf_detach(&out);
	}
	tmp_child_clear(&child);
	mem_free(text);
	return child.status;
}

pid_t program_start(struct program *p, const char *words)
{
	char *argv[WORDS_MAX + 1], *text = mem_strdup(words);
	posix_spawn_file_actions_t actions;
	pid_t pid;

	split(text, argv);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addchdir_np(&actions, p->dir);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	mem_free(text);
	return pid;
}

static void give_up(int sig)
{
	static const char text[] = "Bail out! a run did not get where it should\n";

	(void)sig;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

static void limit_begin(void)
{
	signal(SIGALRM, give_up);
	alarm(LIMIT_MS / 1000);
}

int program_reap(pid_t pid)
{
	int status;

	limit_begin();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct wait {
	bool (*seen)(const struct run *r, int step);
	int step;
	enum run_state state;
};

static int look(void *arg, const struct run *r)
{
	struct wait *w = arg;

	w->state = r->state;
	return w->seen && w->seen(r, w->step) ? 1 : 0;
}

/* The id of a run that may only just be made. */
static void wait_for(struct program *p, const char *number, char id[RUN_ID_SIZE])
{
	int64_t until = clock_mono_ms() + LIMIT_MS;
	struct err e;

	while (run_resolve(&p->ctx, number, id, &e)) {
		if (clock_mono_ms() > until)
			fail_msg("%s", e.msg);
		poll(NULL, 0, 5);
	}
}

enum run_state program_follow(struct program *p, const char *number,
			      bool (*seen)(const struct run *, int), int step)
{
	struct wait wait = { .seen = seen, .step = step };
	char id[RUN_ID_SIZE];
	struct err e;

	wait_for(p, number, id);
	limit_begin();
	assert_ok(run_follow(&p->ctx, id, look, &wait, NULL, &e), &e);
	alarm(0);
	return wait.state;
}

struct run *program_load(struct program *p, const char *number)
{
	char id[RUN_ID_SIZE];
	struct run *r = NULL;
	struct err e;

	wait_for(p, number, id);
	assert_ok(run_load(&p->ctx, id, &r, &e), &e);
	return r;
}

int64_t program_int(struct program *p, const char *sql)
{
	struct db *db;
	struct err e;
	int64_t out;

	assert_ok(db_open(&p->dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(db_int(db, sql, NULL, 0, -1, &out, &e), &e);
	db_close(db);
	return out;
}

void program_exec(struct program *p, const char *sql)
{
	struct db *db;
	struct err e;

	assert_ok(db_open(&p->dsn, 0, NULL, NULL, &db, &e), &e);
	assert_ok(db_script(db, sql, &e), &e);
	db_close(db);
}
