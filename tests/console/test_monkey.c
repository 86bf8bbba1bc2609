/* SPDX-License-Identifier: MIT */
/*
 * Keys without sense into the real console on the demo, with plans, runs, pastes and changes of size among
 * them. It must live, answer, and leave when asked. What it finds is a crash whose seed is in the
 * message; the keys follow from the seed.
 *
 * time-limit: 240
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "tests/support/tmp.h"

#define SEEDS 3
#define KEYS 600
#define END_MS 60000
#define LEFT_MAX 20

extern char **environ;

static char *dir;
static int master;
static pid_t child;
static unsigned seed;

/* Not among them: what leaves at once (Q, Ctrl-C) and what stops (Ctrl-Z). What leaves after a second key is: y behind an
 * Esc that finds nothing to go back to, and Enter in the help, back in which an Esc leads. How many keys are waiting when
 * the console reads, and so whether an Esc stands alone, is not ours to say. */
static const char *const keys[] = {
	"1",
	"2",
	"5",
	"8",
	"9",
	"4",
	"4",
	"0",
	"L",
	"H",
	"a",
	"e",
	"E",
	"v",
	"V",
	"=",
	"w",
	"t",
	"y",
	"Y",
	"{",
	"}",
	"s",
	"15m\r",
	"!GET\r",
	"-1\r",
	"a(",
	"j",
	"j",
	"k",
	"h",
	"l",
	"g",
	"G",
	"n",
	"N",
	"o",
	"O",
	"U",
	"+",
	"-",
	"D",
	"x",
	" ",
	"p",
	"p",
	"b",
	"!",
	"!",
	"A",
	"R",
	"/",
	"\\",
	":",
	"\r",
	"\r",
	"\t",
	"\033",
	"\033[5~",
	"\033[6~",
	"\033[A",
	"\033[B",
	"\177",
	"\025",
	"development\r",
	"production",
	"differs",
	"0003",
	"theme light\r",
	"abort\r",
	"stop\r",
	"resume\r",
	"retry\r",
	"takeover\r",
	"\033[200~paste\r!\033[201~",
	"\033[200~",
	"\033[201~",
	"\014",
	"\xc3\xa9",
	"\xe6\x97\xa5",
	"\xff",
	"\033[",
	"\033OP9", /* help, and out of it */
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct winsize sizes[] = {
	{ .ws_row = 36, .ws_col = 120 }, { .ws_row = 24, .ws_col = 80 },
	{ .ws_row = 20, .ws_col = 80 },  { .ws_row = 50, .ws_col = 200 },
	{ .ws_row = 30, .ws_col = 99 },
};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static unsigned random_below(unsigned n)
{
	seed = seed * 1103515245U + 12345U;
	return (seed >> 16) % n;
}

static int setup(void **state)
{
	char *argv[] = { getenv("BASCULE"), NULL, NULL, NULL };
	char demo[] = "demo";
	struct tmp_child made;

	(void)state;
	dir = tmp_make();
	argv[1] = demo;
	argv[2] = tmp_path(dir, "demo");
	tmp_run(&made, dir, argv);
	if (made.status != 0)
		fail_msg("bascule demo: %s", made.err);
	tmp_child_clear(&made);
	free(dir);
	dir = argv[2];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmp_remove(dir);
	return 0;
}

static void start(void)
{
	char *argv[] = { getenv("BASCULE"), NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	struct winsize size = sizes[0];
	char name[64];
	int slave;

	assert_int_equal(openpty(&master, &slave, name, NULL, &size), 0);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, dir);
	/* Opened in a new session it becomes the controlling terminal: sizes arrive by themselves. */
	posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	posix_spawn_file_actions_adddup2(&actions, 0, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	assert_int_equal(posix_spawn(&child, argv[0], &actions, &attr, argv, environ), 0);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(slave);
}

/* Takes what the console writes, for at most ms when it writes nothing. */
static void drain(int ms)
{
	struct pollfd fd = { .fd = master, .events = POLLIN };
	char bytes[65536];

	while (poll(&fd, 1, ms) == 1 && read(master, bytes, sizeof(bytes)) > 0)
		ms = 1;
}

static void send_text(const char *text)
{
	if (write(master, text, strlen(text)) < 0 && errno != EIO)
		fail_msg("write: %s", strerror(errno));
}

static bool has_ended(int *status)
{
	return waitpid(child, status, WNOHANG) == child;
}

/* Whether it left, as keys made it. */
static bool has_left(unsigned first, int key, const char *text)
{
	int status;

	if (!has_ended(&status))
		return false;
	if (status != 0)
		fail_msg("seed %u ended with status %d at key %d (%s)", first, status, key, text);
	return true;
}

/* A paste that was begun must be ended, prompts closed, before a key means what it says. The first Q may answer a
 * question, two may be typed into a prompt; Esc closes that one, but where nothing is open it asks. */
static int leave(void)
{
	static const char *const steps[] = { "\033[201~", "Q", "Q", "\033" };
	const size_t n = sizeof(steps) / sizeof(steps[0]);
	int64_t until = clock_mono_ms() + END_MS;
	int status = -1;

	for (size_t i = 0; !has_ended(&status); i++) {
		if (clock_mono_ms() > until) {
			kill(child, SIGKILL);
			fail_msg("it does not leave");
		}
		send_text(steps[i % n]);
		drain(60);     /* longer than a lone Esc is waited for */
		usleep(10000); /* at its end the terminal is readable and empty */
	}
	close(master);
	return status;
}

static void restart(void)
{
	close(master);
	start();
	drain(2000);
}

static void keys__without_sense__are_survived(void **state)
{
	(void)state;
	for (unsigned first = 1; first <= SEEDS; first++) {
		int left = 0;

		seed = first;
		start();
		drain(2000);
		for (int i = 0; i < KEYS; i++) {
			const char *text = keys[random_below(N_KEYS)];

			send_text(text);
			if (random_below(40) == 0)
				ioctl(master, TIOCSWINSZ, &sizes[random_below(N_SIZES)]);
			drain(1);
			if (has_left(first, i, text)) {
				assert_true(++left <= LEFT_MAX);
				restart();
			}
		}
		ioctl(master, TIOCSWINSZ, &sizes[0]);
		assert_int_equal(leave(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys__without_sense__are_survived),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
