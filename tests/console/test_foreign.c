/* SPDX-License-Identifier: MIT */
/*
 * Bytes from outside cannot control the terminal: what a canvas field is given changes no cell
 * outside the field, seen by a terminal emulator at the other end of a pseudo terminal.
 *
 * A child runs the real canvas and the real screen on the pty; this program is the terminal
 * (libvterm). The child draws a grid of dots with one field of hostile bytes, as told by the parent through a
 * pipe, then the parent compares every cell, the title, the modes and the cursor.
 *
 * time-limit: 300
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vterm.h>

#include "tui/canvas.h"
#include "tui/keys.h"
#include "tui/screen.h"

#define ROWS 8
#define COLS 32
#define BYTES 64
#define ROUNDS 20000
#define WAIT_MS 10000

extern char **environ;

/* One frame that the child is to draw. */
struct frame {
	int32_t row, col, cols, n;
	char bytes[BYTES];
};

/* --- The child -------------------------------------------------------------------------------- */

static void read_all(int fd, void *p, size_t n)
{
	for (char *to = p; n > 0;) {
		ssize_t got = read(fd, to, n);

		if (got <= 0)
			exit(0);
		to += got;
		n -= (size_t)got;
	}
}

static int child_main(int orders, int done)
{
	struct theme theme = { 0 };
	struct screen *s;
	struct canvas c;
	struct frame f;
	struct err e;

	setlocale(LC_CTYPE, "C.UTF-8");
	for (int i = 0; i < ROLES; i++)
		theme.role[i] = (struct theme_role){ -1, -1, -1, -1, 0, 0 };
	if (screen_open(false, &s, &e) != 0)
		return 9;
	screen_theme(s, &theme);
	canvas_init(&c, ROWS, COLS, false);
	for (;;) {
		read_all(orders, &f, sizeof(f));
		canvas_erase(&c);
		for (int row = 0; row < ROWS; row++)
			canvas_fill(&c, row, 0, COLS, ROLE_TEXT, '.');
		canvas_put(&c, f.row, f.col, f.cols, ROLE_TEXT, sv_n(f.bytes, (size_t)f.n));
		screen_draw(s, &c);
		if (write(done, "d", 1) != 1)
			return 8;
	}
}

/* --- The terminal ----------------------------------------------------------------------------- */

static VTerm *vt;
static VTermScreen *vts;
static int master = -1, orders = -1, done = -1;
static pid_t child;
static int titles, bells, alt_screen;

static int on_property(VTermProp prop, VTermValue *value, void *user)
{
	(void)user;
	if (prop == VTERM_PROP_TITLE)
		titles++;
	else if (prop == VTERM_PROP_ALTSCREEN)
		alt_screen = value->boolean;
	return 1;
}

static int on_bell(void *user)
{
	(void)user;
	bells++;
	return 1;
}

static const VTermScreenCallbacks callbacks = { .settermprop = on_property, .bell = on_bell };

/* Feeds what the child wrote until it has said that its frame is out and nothing is left. */
static void pump(bool frame)
{
	bool drawn = !frame;

	for (;;) {
		struct pollfd fd[2] = { { .fd = master, .events = POLLIN },
					{ .fd = done, .events = POLLIN } };
		char bytes[65536];
		ssize_t n;

		if (poll(fd, 2, drawn ? 0 : WAIT_MS) == 0) {
			if (drawn)
				return;
			fail_msg("the child draws nothing");
		}
		if (fd[0].revents & POLLIN) {
			n = read(master, bytes, sizeof(bytes));
			assert_true(n > 0);
			vterm_input_write(vt, bytes, (size_t)n);
			continue;
		}
		if (fd[1].revents & POLLIN) {
			assert_int_equal(read(done, bytes, 1), 1);
			drawn = true;
			continue;
		}
		fail_msg("the child is gone");
	}
}

static void close_others(posix_spawn_file_actions_t *actions, int keep_a, int keep_b)
{
	for (int fd = 3; fd < 64; fd++)
		if (fd != keep_a && fd != keep_b)
			posix_spawn_file_actions_addclose(actions, fd);
}

static int setup(void **state)
{
	struct winsize size = { .ws_row = ROWS, .ws_col = COLS };
	posix_spawn_file_actions_t actions;
	int slave, to_child[2], from_child[2];
	char a[16], b[16];
	char name[] = "test_foreign";
	char *argv[] = { name, a, b, NULL };

	(void)state;
	setenv("TERM", "xterm-256color", 1);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	snprintf(a, sizeof(a), "%d", to_child[0]);
	snprintf(b, sizeof(b), "%d", from_child[1]);
	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_adddup2(&actions, slave, fd);
	close_others(&actions, to_child[0], from_child[1]);
	assert_int_equal(posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(slave);
	close(to_child[0]);
	close(from_child[1]);
	orders = to_child[1];
	done = from_child[0];
	vt = vterm_new(ROWS, COLS);
	vterm_set_utf8(vt, 1);
	vts = vterm_obtain_screen(vt);
	vterm_screen_enable_altscreen(vts, 1);
	vterm_screen_set_callbacks(vts, &callbacks, NULL);
	vterm_screen_reset(vts, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(orders);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(master);
	close(done);
	vterm_free(vt);
	return 0;
}

static void draw(int row, int col, int cols, const void *bytes, size_t n)
{
	struct frame f = { .row = row, .col = col, .cols = cols, .n = (int32_t)n };

	assert_true(n <= BYTES);
	memcpy(f.bytes, bytes, n);
	assert_int_equal(write(orders, &f, sizeof(f)), sizeof(f));
	pump(true);
}

static void assert_only_field_changed(int row, int col, int cols, const char *what)
{
	for (int r = 0; r < ROWS; r++)
		for (int k = 0; k < COLS; k++) {
			VTermPos pos = { .row = r, .col = k };
			VTermScreenCell cell;

			if (r == row && k >= col && k < col + cols)
				continue;
			assert_int_equal(vterm_screen_get_cell(vts, pos, &cell), 1);
			if (cell.chars[0] != '.' || cell.chars[1] != 0 || cell.attrs.bold ||
			    cell.attrs.reverse)
				fail_msg("%s: cell %d,%d outside of %d,%d+%d is U+%04X", what, r, k,
					 row, col, cols, (unsigned)cell.chars[0]);
		}
	assert_int_equal(titles, 0);
	assert_int_equal(bells, 0);
	assert_int_equal(alt_screen, 1);
}

/* Pieces that terminals act on, besides random bytes. */
static const char *const hostile[] = {
	"\033[2J",
	"\033[H",
	"\033[1;1Hx",
	"\033]0;owned\a",
	"\033]2;x\033\\",
	"\033[?1049l",
	"\033c",
	"\033[31m",
	"\033#8",
	"\033(0",
	"\033[20;1H",
	"\r",
	"\n",
	"\b\b\b",
	"\t",
	"\v",
	"\f",
	"\a",
	"\x0e",
	"\xc2\x9b"
	"2J",
	"\x9b"
	"2J",
	"\x9d"
	"0;x\x9c",
	"\xe2\x80\xae",
	"\xe2\x80\x8b",
	"\xe2\x80\xa8",
	"\xef\xbb\xbf",
	"\xe6\x97\xa5\xe6\x9c\xac",
	"e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
	"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
	"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",
	"\xe2\x98\xba\xef\xb8\x8f",
	"\xc2\xad",
	"\xe1\x85\x9f",
	"\xff\xfe",
	"\xc0\x80",
	"\xed\xa0\x80",
	"\xf4\x90\x80\x80",
	"\xe0\xb8\x81\xe0\xb8\xb3",
	"\xd9\x84\xd8\xa7",
	"\xf3\xa0\x81\x81",
	"\033P1$r0m\033\\",
	"\033[6n",
	"\033[>c",
	"\005",
	"\x7f",
};
#define N_HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void field__each_hostile_piece__stays_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_HOSTILE; i++)
		for (int cols = 1; cols <= 9; cols += 4) {
			char what[32];

			snprintf(what, sizeof(what), "piece %zu", i);
			draw(3, 7, cols, hostile[i], strlen(hostile[i]));
			assert_only_field_changed(3, 7, cols, what);
			draw(ROWS - 1, COLS - cols, cols, hostile[i], strlen(hostile[i]));
			assert_only_field_changed(ROWS - 1, COLS - cols, cols, what);
		}
}

static unsigned seed;

static unsigned random_below(unsigned n)
{
	seed = seed * 1103515245U + 12345U;
	return (seed >> 16) % n;
}

/* Random bytes, random code points and hostile pieces, mixed. */
static size_t make_bytes(char *bytes)
{
	size_t n = 0;

	while (n < BYTES - 16) {
		const char *piece = hostile[random_below(N_HOSTILE)];

		switch (random_below(4)) {
		case 0:
			bytes[n++] = (char)random_below(256);
			break;
		case 1:
			bytes[n++] = (char)(' ' + random_below(95));
			break;
		case 2:
			memcpy(bytes + n, piece, strnlen(piece, 15));
			n += strnlen(piece, 15);
			break;
		default: /* three bytes of UTF-8 */
			bytes[n++] = (char)(0xe0 + random_below(16));
			bytes[n++] = (char)(0x80 + random_below(64));
			bytes[n++] = (char)(0x80 + random_below(64));
			break;
		}
	}
	return n;
}

static void field__any_bytes__change_no_cell_outside(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		char bytes[BYTES], what[32];
		int cols, row, col;
		size_t n;

		seed = round;
		n = make_bytes(bytes);
		cols = 1 + (int)random_below(COLS - 1);
		row = (int)random_below(ROWS);
		col = (int)random_below((unsigned)(COLS - cols + 1));
		snprintf(what, sizeof(what), "seed %u", round);
		draw(row, col, cols, bytes, n);
		assert_only_field_changed(row, col, cols, what);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field__each_hostile_piece__stays_inside),
		cmocka_unit_test(field__any_bytes__change_no_cell_outside),
	};

	if (argc == 3)
		return child_main((int)strtol(argv[1], NULL, 10), (int)strtol(argv[2], NULL, 10));
	return cmocka_run_group_tests(tests, setup, teardown);
}
