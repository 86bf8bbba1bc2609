/* SPDX-License-Identifier: MIT */
/*
 * Passwords before the work.
 *
 * A question needs the terminal, which the console takes and a runner does not have: so everything is
 * asked for first, once for each environment that will be used. The terminal is asked by its own name,
 * stdin may be a pipe. What is typed is not shown; keys that would end or stop the program are taken as
 * bytes meanwhile, so that none of them leaves a terminal without echo behind.
 */
#include "cli/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "config/secret.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/release/run.h"

#define ASK_MS (5 * 60000) /* somebody who does not answer is not there */

enum key { KEY_END = 4, KEY_STOP = 3, KEY_BACK = 8, KEY_ERASE_LINE = 21, KEY_RUBOUT = 127 };

/* --- The terminal ---------------------------------------------------------------------------------- */

static void say(int tty, const char *text)
{
	struct err ignored;

	if (fs_write_all(tty, text, strlen(text), "the terminal", &ignored) != 0)
		return;
}

/* One byte into answer. 1: it is complete, 0: go on, -1: stopped. */
static int take_key(struct strbuf *answer, char key, struct err *e)
{
	switch (key) {
	case '\r':
	case '\n':
		return 1;
	case KEY_STOP:
	case KEY_END:
		return err_set(e, ERR_CANCELLED, "nothing was typed");
	case KEY_ERASE_LINE:
		explicit_bzero(answer->data, answer->len);
		strbuf_reset(answer);
		return 0;
	case KEY_BACK:
	case KEY_RUBOUT:
		/* A character may be several bytes. */
		while (answer->len > 0 &&
		       ((unsigned char)answer->data[--answer->len] & 0xc0) == 0x80)
			;
		if (answer->data != NULL)
			answer->data[answer->len] = '\0';
		return 0;
	default:
		strbuf_addc(answer, key);
		return 0;
	}
}

static int read_answer(int tty, int signals, struct strbuf *answer, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + ASK_MS;
	int done = 0;

	while (done == 0) {
		struct pollfd fds[2] = {
			{ .fd = tty, .events = POLLIN },
			{ .fd = signals, .events = POLLIN },
		};
		int ready = wait_fds(fds, 2, deadline_ms, NULL, e);
		char key;

		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(e, ERR_TIMEOUT, "nobody typed it");
		if (fds[1].revents != 0)
			return err_set(e, ERR_CANCELLED, "a signal came");
		if (read(tty, &key, 1) != 1)
			return err_set(e, ERR_CANCELLED, "the terminal is gone");
		done = take_key(answer, key, e);
	}
	if (done > 0 && !strbuf_ok(answer))
		return err_set(e, ERR_LIMIT, "it is longer than %zu bytes", SECRET_MAX);
	return done > 0 ? 0 : -1;
}

/* Without echo, and back. */
static int ask_quietly(int tty, struct strbuf *answer, struct err *e)
{
	struct termios old, quiet;
	sigset_t set, before;
	int signals, rc;

	if (tcgetattr(tty, &old) != 0)
		return err_sys(e, errno, "cannot use the terminal");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	if (signals < 0 || tcsetattr(tty, TCSAFLUSH, &quiet) != 0) {
		rc = err_sys(e, errno, "cannot use the terminal");
	} else {
		rc = read_answer(tty, signals, answer, e);
		tcsetattr(tty, TCSAFLUSH, &old);
	}
	if (signals >= 0)
		close(signals);
	/* A signal that came takes its course now. */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int ask(void *arg, const struct env *env, struct strbuf *answer, struct err *e)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct strbuf question;
	int rc;

	(void)arg;
	if (tty < 0) {
		err_set(e, ERR_CONFIG, "its password is asked for, and there is no terminal");
		return err_hint(e, "run it on a terminal, or write password = env:NAME");
	}
	strbuf_init(&question, STRBUF_NO_LIMIT);
	strbuf_adds(&question, "Password of ");
	add_clean(&question, env->name);
	strbuf_adds(&question, " (");
	add_clean(&question, env->dsn.shown);
	strbuf_adds(&question, "): ");
	say(tty, strbuf_str(&question));
	rc = ask_quietly(tty, answer, e);
	say(tty, "\n");
	strbuf_clear(&question);
	close(tty);
	return rc;
}

/* --- Which ----------------------------------------------------------------------------------------- */

/* Marks name and what it requires. */
static bool want(const struct project *p, const char *name, bool *wanted)
{
	const struct env *env = env_find(p, name);
	bool any = env != NULL;

	for (; env != NULL && !wanted[env_index(p, env)]; env = env_find(p, env->requires))
		wanted[env_index(p, env)] = true;
	return any;
}

static void want_of_run(struct cli *c, bool *wanted)
{
	char id[RUN_ID_SIZE];
	struct run *r = NULL;
	struct err ignored;

	if (run_resolve(&c->ctx, cli_word(c, 0), id, &ignored) == 0 &&
	    run_load(&c->ctx, id, &r, &ignored) == 0)
		want(c->project, r->plan->environment, wanted);
	run_free(r);
}

static void find_wanted(struct cli *c, const struct command *cmd, bool *wanted)
{
	/* They read files of ours only. */
	static const char *const offline[] = { "new", "runs", "watch", "backups" };
	bool named = false;
	size_t i;

	for (i = 0; cmd != NULL && i < sizeof(offline) / sizeof(offline[0]); i++)
		if (strcmp(cmd->name, offline[i]) == 0)
			return;
	if (cmd != NULL && strcmp(cmd->completes, "run") == 0) {
		want_of_run(c, wanted);
		return;
	}
	for (i = 0; cmd != NULL && cli_word(c, i) != NULL; i++)
		named = want(c->project, cli_word(c, i), wanted) || named;
	/* A word that names none is refused by the command itself. */
	for (i = 0; !named && (cmd == NULL || cli_word(c, 0) == NULL) && i < c->project->n_env; i++)
		wanted[i] = true;
}

int cli_secrets(struct cli *c, const struct command *cmd, struct err *e)
{
	struct project *p = c->project;
	bool *wanted = arena_alloc(&c->arena, (p->n_env + 1) * sizeof(*wanted));
	int rc = 0;

	find_wanted(c, cmd, wanted);
	for (size_t i = 0; rc == 0 && i < p->n_env; i++) {
		struct env *env = &p->env[i];

		if (!wanted[i])
			continue;
		config_resolve(p, env, ask, c, NULL);
		if (env->trouble != NULL && env->trouble->code == ERR_CANCELLED) {
			*e = *env->trouble;
			rc = -1;
		}
	}
	c->ctx.secrets = config_secrets(p);
	return rc;
}
