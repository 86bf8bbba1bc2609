/* SPDX-License-Identifier: MIT */
#include "cli/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fs.h"

#define ASK_MS (5 * 60000) /* somebody who does not answer is not there */

enum key { KEY_END = 4, KEY_STOP = 3, KEY_BACK = 8, KEY_ERASE_LINE = 21, KEY_RUBOUT = 127 };

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
		return err_set(e, ERR_LIMIT, "it is longer than %zu bytes", answer->max);
	return done > 0 ? 0 : -1;
}

/* A terminal as a question wants it: keys as they come, shown or not. */
static struct termios made_quiet(struct termios t, bool echo)
{
	if (echo)
		return t;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	return t;
}

static int ask_on(int tty, bool echo, struct strbuf *answer, struct err *e)
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
	quiet = made_quiet(old, echo);
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

static int open_terminal(void)
{
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool ask_possible(void)
{
	int tty = open_terminal();

	if (tty < 0)
		return false;
	close(tty);
	return isatty(STDIN_FILENO) || isatty(STDERR_FILENO) || isatty(STDOUT_FILENO);
}

void ask_say(const char *text)
{
	int tty = open_terminal();

	if (tty < 0)
		return;
	say(tty, text);
	close(tty);
}

int ask_line(const char *question, bool echo, struct strbuf *answer, struct err *e)
{
	int tty = open_terminal();
	int rc;

	if (tty < 0)
		return err_set(e, ERR_CONFIG, "there is no terminal to ask on");
	say(tty, question);
	rc = ask_on(tty, echo, answer, e);
	if (!echo || rc != 0)
		say(tty, "\n");
	close(tty);
	return rc;
}
