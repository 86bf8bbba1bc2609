/* SPDX-License-Identifier: MIT */
/*
 * The terminal is given back however the console ends, and keys, sizes and stops arrive.
 *
 * A child runs the real screen on a pty and does what single letters tell it through a pipe; it reports
 * keys through another. This program holds the other end of the pty and looks at its modes and at
 * the bytes that came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "tui/canvas.h"
#include "tui/keys.h"
#include "tui/screen.h"

#define WAIT_MS 20000
#define READY (-2)
#define OUTPUT_MAX 262144

extern char **environ;

/* --- The child -------------------------------------------------------------------------------- */

static void report(int fd, int32_t value)
{
	if (write(fd, &value, sizeof(value)) != sizeof(value))
		_exit(7);
}

/* Calls itself more often than any stack has room for. */
static int overflow(volatile char *p, long depth)
{
	volatile char block[4096];

	block[0] = p ? p[0] : 0;
	return depth == 0 ? 0 : overflow(block, depth - 1) + block[0];
}

static void child_draw(struct screen *s)
{
	struct canvas c;
	int rows, cols;

	screen_size(s, &rows, &cols);
	canvas_init(&c, rows, cols, false);
	canvas_puts(&c, 0, 0, cols, ROLE_TEXT, "hello");
	screen_draw(s, &c);
	canvas_clear(&c);
}

/* Returns false when the child is to end. */
static bool child_order(struct screen *s, int fd, int reports)
{
	volatile int *nowhere = NULL;
	char order;

	if (read(fd, &order, 1) != 1)
		return false;
	switch (order) {
	case 'd':
		child_draw(s);
		break;
	case 'f': /* a fault of our own */
		*nowhere = 1;
		break;
	case 'o':
		(void)overflow(NULL, 1L << 40);
		break;
	case 'a':
		abort();
	case 'e':
		exit(0); /* without closing the screen */
	case 's':
		screen_suspend(s);
		child_draw(s);
		break;
	case 't':
		screen_title(s, "evil\a\033]2;x");
		break;
	default:
		return false;
	}
	report(reports, READY);
	return true;
}

static int child_main(int orders, int reports)
{
	struct theme theme = { 0 };
	struct screen *s;
	struct err e;
	bool more = true;

	setlocale(LC_CTYPE, "C.UTF-8");
	if (screen_open(false, &s, &e) != 0)
		return 9;
	screen_theme(s, &theme);
	report(reports, READY);
	while (more) {
		struct pollfd fd[3] = { { .fd = screen_fd(s), .events = POLLIN },
					{ .fd = screen_signal_fd(s), .events = POLLIN },
					{ .fd = orders, .events = POLLIN } };
		int32_t key;

		if (poll(fd, 3, -1) < 0)
			continue;
		if (fd[0].revents || fd[1].revents)
			while ((key = screen_key(s)) != KEYS_NONE)
				report(reports, key);
		if (fd[2].revents)
			more = child_order(s, orders, reports);
	}
	screen_close(s);
	return 0;
}

/* --- The other end ---------------------------------------------------------------------------- */

static int master, slave, orders, reports;
static pid_t child;
static struct termios before;
static char output[OUTPUT_MAX];
static size_t n_output;

/* What the terminal got so far; at most a wait of ms for the first piece. */
static void drain(int ms)
{
	struct pollfd fd = { .fd = master, .events = POLLIN };

	while (poll(&fd, 1, ms) == 1 && n_output < OUTPUT_MAX - 1) {
		ssize_t n = read(master, output + n_output, OUTPUT_MAX - 1 - n_output);

		if (n <= 0)
			break;
		n_output += (size_t)n;
		ms = 0;
	}
	output[n_output] = '\0';
}

static int32_t next_report(void)
{
	for (int waited = 0; waited < WAIT_MS; waited += 10) {
		struct pollfd fd = { .fd = reports, .events = POLLIN };
		int32_t value;

		drain(0); /* a child that cannot write would never answer */
		if (poll(&fd, 1, 10) != 1)
			continue;
		if (read(reports, &value, sizeof(value)) != sizeof(value))
			fail_msg("the child is gone");
		return value;
	}
	fail_msg("the child says nothing");
	return 0;
}

static void start_sized(unsigned short rows, unsigned short cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all;
	int to_child[2], from_child[2];
	char a[16], b[16], name[] = "test_terminal";
	char *argv[] = { name, a, b, NULL };

	setenv("TERM", "xterm-256color", 1);
	setenv("LINES", "7", 1); /* must not be believed */
	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_int_equal(pipe2(to_child, 0), 0);
	assert_int_equal(pipe2(from_child, 0), 0);
	snprintf(a, sizeof(a), "%d", to_child[0]);
	snprintf(b, sizeof(b), "%d", from_child[1]);
	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_adddup2(&actions, slave, fd);
	posix_spawn_file_actions_addclose(&actions, to_child[1]);
	posix_spawn_file_actions_addclose(&actions, from_child[0]);
	posix_spawn_file_actions_addclose(&actions, master);
	posix_spawn_file_actions_addclose(&actions, slave);
	posix_spawnattr_init(&attr);
	sigfillset(&all); /* who runs the tests may ignore some */
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	assert_int_equal(posix_spawn(&child, "/proc/self/exe", &actions, &attr, argv, environ), 0);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(to_child[0]);
	close(from_child[1]);
	orders = to_child[1];
	reports = from_child[0];
	n_output = 0;
	assert_int_equal(next_report(), READY);
}

static void order(char letter)
{
	assert_int_equal(write(orders, &letter, 1), 1);
}

static int end(void)
{
	int status = 0;

	for (int waited = 0; waitpid(child, &status, WNOHANG) == 0; waited += 10) {
		if (waited > WAIT_MS)
			fail_msg("the child does not end");
		drain(10);
	}
	drain(0);
	return status;
}

static void finish(void)
{
	close(orders);
	close(reports);
	close(master);
	close(slave);
}

static bool modes_are_back(void)
{
	struct termios now;

	assert_int_equal(tcgetattr(slave, &now), 0);
	return now.c_lflag == before.c_lflag && now.c_iflag == before.c_iflag &&
	       now.c_oflag == before.c_oflag;
}

static const char *last_of(const char *text)
{
	const char *found = NULL;

	for (const char *p = output; (p = strstr(p, text)) != NULL; p++)
		found = p;
	return found;
}

static void assert_given_back(const char *what)
{
	if (!modes_are_back())
		fail_msg("%s: the modes are not back", what);
	if (!last_of("\033[?1049l") || last_of("\033[?1049h") > last_of("\033[?1049l"))
		fail_msg("%s: still in the alternate screen", what);
	if (!last_of("\033[?2004l") || last_of("\033[?2004h") > last_of("\033[?2004l"))
		fail_msg("%s: still in bracketed paste", what);
	if (!last_of("\033[?2026l"))
		fail_msg("%s: synchronized output not ended", what);
}

static void start(void)
{
	start_sized(24, 80);
	order('d');
	assert_int_equal(next_report(), READY);
	assert_false(modes_are_back());
}

static void signal__any_that_ends_us__gives_the_terminal_back(void **state)
{
	static const int signals[] = { SIGHUP, SIGINT,  SIGQUIT, SIGTERM, SIGSEGV,
				       SIGBUS, SIGABRT, SIGFPE,  SIGILL,  SIGSYS };

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int status;

		start();
		kill(child, signals[i]);
		status = end();
		if (!WIFSIGNALED(status)) /* handed on, not swallowed */
			fail_msg("%s: status %d", strsignal(signals[i]), status);
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_given_back(strsignal(signals[i]));
		finish();
	}
}

static void fault__of_our_own__gives_the_terminal_back(void **state)
{
	static const char faults[] = "foa"; /* bad address, stack overflow, abort */
	struct rlimit no_core = { 0, 0 };

	(void)state;
	setrlimit(RLIMIT_CORE, &no_core);
	for (const char *f = faults; *f; f++) {
		char what[2] = { *f, '\0' };

		start();
		order(*f);
		assert_false(WIFEXITED(end()));
		assert_given_back(what);
		finish();
	}
}

static void exit__without_closing__gives_the_terminal_back(void **state)
{
	(void)state;
	start();
	order('e');
	assert_int_equal(WEXITSTATUS(end()), 0);
	assert_given_back("exit");
	finish();
	start();
	order('q');
	assert_int_equal(WEXITSTATUS(end()), 0);
	assert_given_back("close");
	finish();
}

static void terminal__goes_away__ends_the_program(void **state)
{
	(void)state;
	start();
	close(slave);
	close(master); /* no controlling terminal here: what is left is end of file on reading */
	order('q');
	for (int waited = 0; waitpid(child, NULL, WNOHANG) == 0; waited += 1000) {
		assert_true(waited < WAIT_MS * 1000);
		usleep(1000);
	}
	close(orders);
	close(reports);
}

static void wait_stopped(void)
{
	int status = 0;

	for (int waited = 0; waitpid(child, &status, WNOHANG | WUNTRACED) == 0; waited += 10) {
		if (waited > WAIT_MS)
			fail_msg("the child does not stop");
		drain(10);
	}
	assert_true(WIFSTOPPED(status));
	drain(0);
}

static void stop__and_go_on__gives_and_takes_the_terminal(void **state)
{
	(void)state;
	start();
	/* A group of its own whose parent is elsewhere would be orphaned, and SIGTSTP ignored. */
	order('s');
	wait_stopped();
	assert_given_back("stopped");
	kill(child, SIGCONT);
	assert_int_equal(next_report(), READY);
	drain(0);
	assert_true(last_of("\033[?1049h") > last_of("\033[?1049l"));
	assert_true(last_of("\033[?2004h") > last_of("\033[?2004l"));
	assert_true(last_of("hello") > last_of("\033[?1049l")); /* painted again, whole */
	assert_int_equal(next_report(), KEYS_RESIZE);           /* it looks at its size */
	kill(child, SIGTSTP);
	assert_int_equal(next_report(), 26); /* left to the loop, which suspends */
	order('q');
	end();
	finish();
}

static void resize__window_changes__new_size_is_known(void **state)
{
	struct winsize size = { .ws_row = 40, .ws_col = 132 };

	(void)state;
	start();
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
	kill(child, SIGWINCH); /* not its controlling terminal: told by hand */
	assert_int_equal(next_report(), KEYS_RESIZE);
	order('d');
	assert_int_equal(next_report(), READY);
	order('q');
	end();
	finish();
}

static void open__terminal_of_one_cell__works(void **state)
{
	(void)state;
	start_sized(1, 1);
	order('d');
	assert_int_equal(next_report(), READY);
	order('q');
	assert_int_equal(WEXITSTATUS(end()), 0);
	assert_given_back("1x1");
	finish();
}

static void keys__as_terminals_send_them__are_known(void **state)
{
	static const struct {
		const char *bytes;
		int32_t key;
	} keys[] = {
		{ "j", 'j' },
		{ "\xc3\xa9", 0xe9 },
		{ "\r", '\r' },
		{ "\t", '\t' },
		{ "\x7f", KEYS_BACKSPACE },
		{ "\x03", 3 },
		{ "\x1a", 26 },
		{ "\033", 27 },
		{ "\033OA", KEYS_UP },
		{ "\033OB", KEYS_DOWN },
		{ "\033OH", KEYS_HOME },
		{ "\033[5~", KEYS_PAGE_UP },
		{ "\033[6~", KEYS_PAGE_DOWN },
		{ "\033OP", KEYS_F1 },
		{ "\033[15~", KEYS_F1 + 4 },
		{ "\033[200~", KEYS_PASTE_BEGIN },
		{ "\033[201~", KEYS_PASTE_END },
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		ssize_t n = (ssize_t)strlen(keys[i].bytes);
		int32_t key;

		assert_int_equal(write(master, keys[i].bytes, (size_t)n), n);
		key = next_report();
		if (key != keys[i].key)
			fail_msg("key %zu is %x, not %x", i, (unsigned)key, (unsigned)keys[i].key);
	}
	order('q');
	end();
	finish();
}

static void title__hostile_text__cannot_end_its_sequence(void **state)
{
	const char *set;

	(void)state;
	start();
	order('t');
	assert_int_equal(next_report(), READY);
	drain(0);
	set = last_of("\033]2;evil");
	assert_non_null(set);
	assert_int_equal(strncmp(set, "\033]2;evil\\x07\\x1b]2;x\a", 21), 0);
	order('q');
	end();
	finish();
}

static void draw__nothing_changed__sends_nothing(void **state)
{
	size_t had;

	(void)state;
	start();
	order('d');
	assert_int_equal(next_report(), READY);
	drain(0);
	had = n_output;
	order('d');
	assert_int_equal(next_report(), READY);
	drain(0);
	assert_int_equal(n_output, had);
	order('q');
	end();
	finish();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signal__any_that_ends_us__gives_the_terminal_back),
		cmocka_unit_test(fault__of_our_own__gives_the_terminal_back),
		cmocka_unit_test(exit__without_closing__gives_the_terminal_back),
		cmocka_unit_test(terminal__goes_away__ends_the_program),
		cmocka_unit_test(stop__and_go_on__gives_and_takes_the_terminal),
		cmocka_unit_test(resize__window_changes__new_size_is_known),
		cmocka_unit_test(open__terminal_of_one_cell__works),
		cmocka_unit_test(keys__as_terminals_send_them__are_known),
		cmocka_unit_test(title__hostile_text__cannot_end_its_sequence),
		cmocka_unit_test(draw__nothing_changed__sends_nothing),
	};

	if (argc == 3)
		return child_main((int)strtol(argv[1], NULL, 10), (int)strtol(argv[2], NULL, 10));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
