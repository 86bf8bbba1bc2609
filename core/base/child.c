/* SPDX-License-Identifier: MIT */
/*
 * Children by posix_spawn.
 *
 * Every child gets an empty signal mask and default handlers: the console blocks and catches
 * signals in ways a child must not inherit. Our descriptors are all O_CLOEXEC; a detached child is
 * shut off from all others too, since it outlives the console and must not hold its terminal.
 *
 * A captured child runs in a process group of its own, so that a deadline or a cancel ends what it
 * has started as well. Its end is learned from a pidfd, not from the end of its output: a
 * grandchild that keeps the pipe open (a pager's helper, an ssh master) must not hold us. Where the
 * kernel gives no pidfd, the end of the output has to do.
 */
#include "core/base/child.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "core/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPTURE_STEP ((size_t)32 << 10)

extern char **environ;

/* How one child is started. */
struct spawn {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
};

/* flags: POSIX_SPAWN_SETSID or POSIX_SPAWN_SETPGROUP or 0. */
static void spawn_init(struct spawn *s, short flags)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	/* These only fail for want of memory, or with wrong arguments. */
	if (posix_spawn_file_actions_init(&s->actions) || posix_spawnattr_init(&s->attr))
		mem_oom();
	posix_spawnattr_setsigmask(&s->attr, &none);
	posix_spawnattr_setsigdefault(&s->attr, &all);
	posix_spawnattr_setpgroup(&s->attr, 0);
	posix_spawnattr_setflags(&s->attr,
				 (short)(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
}

static void spawn_clear(struct spawn *s)
{
	posix_spawn_file_actions_destroy(&s->actions);
	posix_spawnattr_destroy(&s->attr);
}

/* An action that could not be added would start the child with wrong descriptors. */
static void must_add(int error)
{
	if (error)
		mem_oom();
}

static void add_null(struct spawn *s, int fd, int flags)
{
	must_add(posix_spawn_file_actions_addopen(&s->actions, fd, "/dev/null", flags, 0));
}

/* A pipe with all of input in it. It is written before anybody can read it, so that neither a child that
 * reads slowly nor one that died can hold us up; the kernel makes it as large as it must be. */
int child_input_pipe(struct sv input, int *read_fd, struct err *e)
{
	int fds[2], ret = -1;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "cannot create a pipe");
	if (fcntl(fds[1], F_GETPIPE_SZ) < (int)input.n &&
	    fcntl(fds[1], F_SETPIPE_SZ, (int)input.n) < 0)
		err_sys(e, errno, "cannot make a pipe of %zu bytes", input.n);
	else
		ret = fs_write_all(fds[1], input.p, input.n, "a pipe", e);
	close(fds[1]);
	/* Above those that the child's stdout and stderr are put at before it is used. */
	if (ret == 0 && (fcntl(fds[0], F_SETFL, 0) < 0 ||
			 (fds[1] = fcntl(fds[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0))
		ret = err_sys(e, errno, "cannot use a pipe");
	if (ret == 0)
		*read_fd = fds[1];
	close(fds[0]);
	return ret;
}

int child_spawn_detached(const char *exe, char *const argv[], const char *log_path, struct sv input,
			 pid_t *pid, struct err *e)
{
	struct spawn s;
	char *program;
	int log_fd = -1, in_fd = -1, error, ret = -1;

	program = path_absolute(exe, e); /* the child is in / when it looks */
	if (!program)
		return -1;
	/* Not by a file action, whose failure could not be told from a failed exec. */
	log_fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (log_fd < 0) {
		err_sys(e, errno, "cannot open log %s", log_path);
		goto out;
	}
	if (input.n > CHILD_INPUT_MAX) {
		err_set(e, ERR_LIMIT, "a child's input is longer than %zu bytes", CHILD_INPUT_MAX);
		goto out;
	}
	if (input.n > 0 && child_input_pipe(input, &in_fd, e))
		goto out;
	spawn_init(&s, POSIX_SPAWN_SETSID);
	must_add(posix_spawn_file_actions_adddup2(&s.actions, log_fd, STDOUT_FILENO));
	must_add(posix_spawn_file_actions_adddup2(&s.actions, STDOUT_FILENO, STDERR_FILENO));
	if (in_fd >= 0)
		must_add(posix_spawn_file_actions_adddup2(&s.actions, in_fd, STDIN_FILENO));
	else
		add_null(&s, STDIN_FILENO, O_RDONLY);
	must_add(posix_spawn_file_actions_addclosefrom_np(&s.actions, STDERR_FILENO + 1));
	must_add(posix_spawn_file_actions_addchdir_np(&s.actions, "/"));
	error = posix_spawn(pid, program, &s.actions, &s.attr, argv, environ);
	spawn_clear(&s);
	ret = error ? err_sys(e, error, "cannot start %s", exe) : 0;
out:
	if (in_fd >= 0)
		close(in_fd);
	if (log_fd >= 0)
		close(log_fd);
	mem_free(program);
	return ret;
}

/* Waits for the end of a child that is known to end. */
static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Takes what is in the pipe now. 1: there may be more later, 0: the end, -1: error. What passes
 * the maximum of out is read and dropped, so that the child is never blocked by us. */
static int drain(int fd, struct strbuf *out, struct err *e)
{
	char block[CAPTURE_STEP];

	for (;;) {
		ssize_t got = read(fd, block, sizeof(block));

		if (got == 0)
			return 0;
		if (got > 0)
			strbuf_add(out, block, (size_t)got);
		else if (errno == EAGAIN)
			return 1;
		else if (errno != EINTR)
			return err_sys(e, errno, "cannot read the output of a child");
	}
}

/* Reads until the child has ended, by its pidfd, or by the end of its output when that is -1. */
static int follow(const char *name, int fd, int pidfd, struct strbuf *out, int64_t deadline_ms,
		  struct cancel *c, struct err *e)
{
	struct pollfd fds[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
	};

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		int ready = wait_fds(fds, 2, deadline_ms, c, e);
		int more = 1;

		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(e, ERR_TIMEOUT, "%s did not end in time", name);
		/* Also after the child's end, for what it wrote last. */
		if (fds[0].fd >= 0)
			more = drain(fd, out, e);
		if (more < 0)
			return -1;
		if (more == 0)
			fds[0].fd = -1;
		if (fds[1].revents)
			return 0;
	}
	return 0;
}

static int spawn_captured(char *const argv[], int out_fd, pid_t *pid, struct err *e)
{
	struct spawn s;
	int error;

	spawn_init(&s, POSIX_SPAWN_SETPGROUP);
	must_add(posix_spawn_file_actions_adddup2(&s.actions, out_fd, STDOUT_FILENO));
	add_null(&s, STDIN_FILENO, O_RDONLY);
	add_null(&s, STDERR_FILENO, O_WRONLY);
	error = posix_spawnp(pid, argv[0], &s.actions, &s.attr, argv, environ);
	spawn_clear(&s);
	return error ? err_sys(e, error, "cannot start %s", argv[0]) : 0;
}

int child_capture(char *const argv[], struct strbuf *out, int64_t deadline_ms, struct cancel *c,
		  int *status, struct err *e)
{
	int pipe_fds[2], pidfd, ended, r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot create a pipe for %s", argv[0]);
	r = spawn_captured(argv, pipe_fds[1], &pid, e);
	close(pipe_fds[1]);
	if (r < 0)
		goto out;
	/* Our end only: the flag must not reach the child's. */
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	pidfd = pidfd_open(pid, 0);
	r = follow(argv[0], pipe_fds[0], pidfd, out, deadline_ms, c, e);
	if (r < 0)
		kill(-pid, SIGKILL);
	ended = reap(pid);
	if (r == 0)
		*status = ended;
	if (pidfd >= 0)
		close(pidfd);
out:
	close(pipe_fds[0]);
	return r;
}

/* --- Followed ------------------------------------------------------------------------------- */

/* "NAME=VALUE" of ours that nobody overrides, then the given ones. */
struct environment {
	char **list;
	struct strbuf own; /* the given ones, one behind the other: wiped as a whole */
};

static bool is_overridden(const struct child_stream *s, const char *var)
{
	for (size_t i = 0; i < s->n_var; i++) {
		size_t n = strlen(s->name[i]);

		if (!strncmp(var, s->name[i], n) && var[n] == '=')
			return true;
	}
	return false;
}

static void environment_init(struct environment *env, const struct child_stream *s)
{
	size_t bytes = 1, n = 0, at = 0;

	for (size_t i = 0; i < s->n_var; i++)
		bytes += strlen(s->name[i]) + strlen(s->value[i]) + 2;
	while (environ[n])
		n++;
	env->list = mem_calloc(n + s->n_var + 1, sizeof(*env->list));
	n = 0;
	for (char **var = environ; *var; var++)
		if (!is_overridden(s, *var))
			env->list[n++] = *var;
	strbuf_init(&env->own, bytes);
	strbuf_room(&env->own, bytes - 1); /* it does not move from here on */
	for (size_t i = 0; i < s->n_var; i++) {
		at = env->own.len;
		strbuf_addf(&env->own, "%s=%s", s->name[i], s->value[i]);
		strbuf_add(&env->own, "", 1);
		env->list[n++] = env->own.data + at;
	}
}

static void environment_clear(struct environment *env)
{
	secret_clear_buf(&env->own);
	mem_free(env->list);
}

static int spawn_followed(const struct child_stream *c, int out_fd, pid_t *pid, struct err *e)
{
	struct environment env;
	struct spawn s;
	int error, keep = -1;

	/* Above the place it shall have in the child, so that nothing lands on it before. */
	if (c->keep_fd >= 0 && (keep = fcntl(c->keep_fd, F_DUPFD_CLOEXEC, CHILD_KEPT_FD + 1)) < 0)
		return err_sys(e, errno, "cannot give a file to %s", c->argv[0]);
	environment_init(&env, c);
	spawn_init(&s, POSIX_SPAWN_SETPGROUP);
	must_add(posix_spawn_file_actions_adddup2(&s.actions, out_fd, STDOUT_FILENO));
	must_add(posix_spawn_file_actions_adddup2(&s.actions, out_fd, STDERR_FILENO));
	add_null(&s, STDIN_FILENO, O_RDONLY);
	if (keep >= 0)
		must_add(posix_spawn_file_actions_adddup2(&s.actions, keep, CHILD_KEPT_FD));
	must_add(posix_spawn_file_actions_addclosefrom_np(&s.actions, CHILD_KEPT_FD + (keep >= 0)));
	must_add(posix_spawn_file_actions_addchdir_np(&s.actions, c->dir));
	error = posix_spawnp(pid, c->argv[0], &s.actions, &s.attr, c->argv, env.list);
	spawn_clear(&s);
	environment_clear(&env);
	if (keep >= 0)
		close(keep);
	if (!error)
		return 0;
	err_sys(e, error, "cannot start %s", c->argv[0]);
	return err_hint(e, "cd %s && %s", c->dir, c->argv[0]);
}

/* As drain(), to the callback. */
static int drain_to(const struct child_stream *c, int fd, struct err *e)
{
	char block[CAPTURE_STEP];

	for (;;) {
		ssize_t got = read(fd, block, sizeof(block));

		if (got == 0)
			return 0;
		if (got > 0)
			c->output(c->arg, sv_n(block, (size_t)got));
		else if (errno == EAGAIN)
			return 1;
		else if (errno != EINTR)
			return err_sys(e, errno, "cannot read the output of %s", c->argv[0]);
	}
}

/* 0 when the child has ended, -1 with ERR_TIMEOUT or ERR_CANCELLED when it has not. */
static int follow_to(const struct child_stream *c, int *fd, int pidfd, int64_t deadline_ms,
		     struct cancel *cancel, struct err *e)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = *fd, .events = POLLIN },
			{ .fd = pidfd, .events = POLLIN },
		};
		int ready = wait_fds(fds, 2, deadline_ms, cancel, e);
		int more = 1;

		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(e, ERR_TIMEOUT, "%s did not end in time", c->argv[0]);
		if (*fd >= 0)
			more = drain_to(c, *fd, e);
		if (more < 0)
			return -1;
		if (more == 0) {
			close(*fd);
			*fd = -1;
		}
		if (fds[1].revents)
			return 0;
	}
}

int child_stream(const struct child_stream *s, int64_t grace_ms, struct cancel *c, int *status,
		 struct err *e)
{
	int pipe_fds[2], pidfd, ended, r;
	struct err late;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot create a pipe for %s", s->argv[0]);
	r = spawn_followed(s, pipe_fds[1], &pid, e);
	close(pipe_fds[1]);
	if (r < 0) {
		close(pipe_fds[0]);
		return -1;
	}
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	if (s->started)
		s->started(s->arg, pid);
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		r = err_sys(e, errno, "cannot watch %s", s->argv[0]);
	else
		r = follow_to(s, &pipe_fds[0], pidfd, WAIT_FOREVER, c, e);
	if (r < 0) {
		kill(-pid, SIGTERM);
		if (pidfd >= 0 &&
		    follow_to(s, &pipe_fds[0], pidfd, clock_mono_ms() + grace_ms, NULL, &late) < 0)
			err_clear(&late); /* it gets the other signal now */
	}
	/* Before it is waited for, while its group cannot be anybody else's. */
	kill(-pid, SIGKILL);
	ended = reap(pid);
	if (r == 0)
		*status = ended;
	if (pidfd >= 0)
		close(pidfd);
	if (pipe_fds[0] >= 0)
		close(pipe_fds[0]);
	return r;
}

/* A copy of fd above all places in the child, so that none is overwritten before it is used. */
static int raised(int fd, int *copy, struct err *e)
{
	*copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, CHILD_KEPT_FD + 1);
	return fd >= 0 && *copy < 0 ? err_sys(e, errno, "cannot give a descriptor to a child") : 0;
}

int child_spawn(char *const argv[], const struct child_fds *fds, pid_t *pid, struct err *e)
{
	const int wanted[] = { fds->in, fds->out, fds->err, fds->keep_fd };
	int copy[] = { -1, -1, -1, -1 }, error = 0, ret = 0;
	struct spawn s;

	for (int i = 0; i <= CHILD_KEPT_FD && ret == 0; i++)
		ret = raised(wanted[i], &copy[i], e);
	if (ret == 0) {
		spawn_init(&s, POSIX_SPAWN_SETPGROUP);
		for (int i = 0; i <= CHILD_KEPT_FD; i++) {
			if (copy[i] >= 0)
				must_add(posix_spawn_file_actions_adddup2(&s.actions, copy[i], i));
			else if (i < CHILD_KEPT_FD)
				add_null(&s, i, i == STDIN_FILENO ? O_RDONLY : O_WRONLY);
		}
		must_add(posix_spawn_file_actions_addclosefrom_np(
			&s.actions, CHILD_KEPT_FD + (fds->keep_fd >= 0)));
		error = posix_spawnp(pid, argv[0], &s.actions, &s.attr, argv, environ);
		spawn_clear(&s);
		ret = error ? err_sys(e, error, "cannot start %s", argv[0]) : 0;
	}
	for (int i = 0; i <= CHILD_KEPT_FD; i++)
		if (copy[i] >= 0)
			close(copy[i]);
	return ret;
}

int child_foreground(char *const argv[], int *status, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, on_int, on_quit;
	struct spawn s;
	pid_t pid;
	int error;

	/* The child has the terminal: Ctrl-C is meant for it. */
	sigaction(SIGINT, &ignore, &on_int);
	sigaction(SIGQUIT, &ignore, &on_quit);
	spawn_init(&s, 0);
	error = posix_spawnp(&pid, argv[0], &s.actions, &s.attr, argv, environ);
	spawn_clear(&s);
	if (!error)
		*status = reap(pid);
	sigaction(SIGINT, &on_int, NULL);
	sigaction(SIGQUIT, &on_quit, NULL);
	return error ? err_sys(e, error, "cannot start %s", argv[0]) : 0;
}
