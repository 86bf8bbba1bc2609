/* SPDX-License-Identifier: MIT */
/*
 * The terminal.
 *
 * Drawing: the canvas is compared with the one drawn before, rows that differ are handed to curses,
 * and curses sends what differs in them; one doupdate a frame, wrapped in the terminal's own
 * "synchronized output" so that it shows whole frames. Those wrapping bytes are written with
 * write(2): curses flushes at the end of doupdate, stdio would send them in the wrong order. The
 * window is never cleared (that repaints everything), except when the user asks.
 *
 * Getting the terminal back: curses restores it on SIGINT and SIGTERM only, and its handler does
 * what a handler must not. So one string with everything that must be undone is made beforehand, and
 * a handler for every signal that can end us writes it, sets the terminal's modes back, hands the
 * signal to who had it before and raises it again. write, tcsetattr, sigaction and raise are all
 * async-signal-safe. SIGKILL cannot be helped.
 *
 * A handler has no argument: what it needs is the one mutable static of the console, `term`.
 * Signals that are not fatal only set a flag and write an eventfd that the loop polls, so that no
 * signal can fall between a look and a wait.
 */
#include "tui/screen.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "tui/clipboard.h"
#include "tui/glyphs.h"
#include "tui/input.h"
#include "tui/keys.h"

#define SYNC_BEGIN "\033[?2026h"
#define SYNC_END "\033[?2026l"
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define TITLE_SAVE "\033[22;2t"
#define TITLE_BACK "\033[23;2t"

#define CTRL_Z 26
#define ALT_STACK_BYTES ((size_t)64 << 10)

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGILL,  SIGFPE,  SIGABRT,
				     SIGSYS,  SIGHUP, SIGQUIT, SIGTERM, SIGINT };
#define N_FATAL (sizeof(fatal_signals) / sizeof(fatal_signals[0]))

static struct {
	volatile sig_atomic_t taken; /* the terminal is ours: restore it */
	volatile sig_atomic_t resized, suspended;
	int wake_fd;
	struct termios modes; /* as they were */
	char restore[512];
	size_t n_restore;
	struct sigaction fatal[N_FATAL]; /* who had them before */
	struct sigaction winch, tstp;
	bool at_exit; /* registered */
} term;

struct screen {
	SCREEN *curses;
	struct input *input;
	struct canvas shown; /* as last drawn */
	bool paint_all;
	int colors;  /* 256, 16, 8 or 0 */
	bool modern; /* knows titles and synchronized output, or ignores them as it should */
	void *alt_stack;
	int cursor; /* visibility as last set */
	struct {
		attr_t attr;
		short pair;
	} style[ROLES][2]; /* [1]: the row under the cursor */
};

static void write_fixed(const char *text, size_t n)
{
	/* A terminal that is gone is found out by reading. */
	(void)!write(STDOUT_FILENO, text, n);
}

/* --- Signals ---------------------------------------------------------------------------------- */

/* Async-signal-safe. */
static void restore_terminal(void)
{
	if (!term.taken)
		return;
	term.taken = 0;
	write_fixed(term.restore, term.n_restore);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &term.modes);
}

static void on_fatal(int sig)
{
	restore_terminal();
	for (size_t i = 0; i < N_FATAL; i++)
		if (fatal_signals[i] == sig)
			(void)sigaction(sig, &term.fatal[i], NULL);
	(void)raise(sig);
}

static void on_notice(int sig)
{
	uint64_t one = 1;
	int saved = errno;

	if (sig == SIGWINCH)
		term.resized = 1;
	else
		term.suspended = 1;
	(void)!write(term.wake_fd, &one, sizeof(one));
	errno = saved;
}

static void handle(int sig, void (*fn)(int), int flags, struct sigaction *old)
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = flags };

	sigemptyset(&sa.sa_mask);
	/* In the background, setting the terminal's modes would stop us instead. */
	sigaddset(&sa.sa_mask, SIGTTOU);
	sigaction(sig, &sa, old);
}

static void take_signals(struct screen *s)
{
	stack_t stack = { .ss_size = ALT_STACK_BYTES };

	handle(SIGWINCH, on_notice, SA_RESTART, &term.winch);
	handle(SIGTSTP, on_notice, SA_RESTART, &term.tstp);
	/* A stack overflow must be handled on another stack. */
	stack.ss_sp = s->alt_stack = mem_alloc(ALT_STACK_BYTES);
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < N_FATAL; i++) {
		handle(fatal_signals[i], on_fatal, SA_NODEFER | SA_ONSTACK, &term.fatal[i]);
		/* Somebody wants it ignored (nohup): then it does not end us. */
		if (term.fatal[i].sa_handler == SIG_IGN)
			sigaction(fatal_signals[i], &term.fatal[i], NULL);
	}
	if (!term.at_exit)
		term.at_exit = atexit(restore_terminal) == 0;
}

static void give_signals_back(struct screen *s)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	for (size_t i = 0; i < N_FATAL; i++)
		sigaction(fatal_signals[i], &term.fatal[i], NULL);
	sigaction(SIGWINCH, &term.winch, NULL);
	sigaction(SIGTSTP, &term.tstp, NULL);
	sigaltstack(&none, NULL);
	mem_free(s->alt_stack);
}

/* --- Opening and closing ---------------------------------------------------------------------- */

/* A capability without its padding marks ("$<5>"). */
static void add_capability(struct strbuf *out, const char *name)
{
	const char *text = tigetstr(name);

	/* tigetstr answers -1 for what is not a string. */
	for (; text && text != (const char *)-1 && *text; text++) {
		const char *end = text[0] == '$' && text[1] == '<' ? strchr(text, '>') : NULL;

		if (end)
			text = end;
		else
			strbuf_addc(out, *text);
	}
}

static void make_restore_string(const struct screen *s)
{
	struct strbuf b;

	strbuf_init(&b, sizeof(term.restore));
	strbuf_adds(&b, PASTE_OFF);
	if (s->modern)
		strbuf_adds(&b, SYNC_END);
	add_capability(&b, "rmkx");
	add_capability(&b, "op");
	add_capability(&b, "sgr0");
	add_capability(&b, "cnorm");
	add_capability(&b, "rmcup");
	if (s->modern)
		strbuf_adds(&b, TITLE_BACK);
	memcpy(term.restore, strbuf_str(&b), b.len);
	term.n_restore = b.len;
	strbuf_clear(&b);
}

/* Terminals that are known to swallow a sequence they do not know. */
static bool is_modern(const char *name)
{
	static const char *const known[] = { "xterm",     "tmux", "screen",  "rxvt",
					     "alacritty", "foot", "kitty",   "st-",
					     "konsole",   "vte",  "wezterm", "gnome" };

	for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(name, known[i], strlen(known[i])) == 0)
			return true;
	return false;
}

static void start_colors(struct screen *s, bool no_color)
{
	if (no_color || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	s->colors = COLORS >= 256 ? 256 : COLORS >= 16 ? 16 : 8;
	if (COLOR_PAIRS <= ROLES * 2)
		s->colors = 0;
}

static void modes_on(const struct screen *s)
{
	term.taken = 1;
	write_fixed(PASTE_ON, sizeof(PASTE_ON) - 1);
	if (s->modern)
		write_fixed(TITLE_SAVE, sizeof(TITLE_SAVE) - 1);
}

static int start_curses(struct screen *s, struct err *e)
{
	/* The size comes from the terminal; LINES and COLUMNS of the environment would freeze it. */
	use_env(FALSE);
	use_tioctl(TRUE);
	s->curses = newterm(NULL, stdout, stdin);
	if (!s->curses) {
		err_set(e, ERR_USAGE, "cannot use this terminal");
		err_detail(e, "its type is not known to the terminal library");
		return err_hint(e, "set TERM to what it is, for example TERM=xterm-256color");
	}
	raw();
	noecho();
	nonl();
	intrflush(NULL, FALSE);
	typeahead(-1); /* paint whole frames, also while keys wait */
	leaveok(stdscr, FALSE);
	s->cursor = -1;
	return 0;
}

int screen_open(bool no_color, struct screen **out, struct err *e)
{
	struct screen *s;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		err_set(e, ERR_USAGE, "the console needs a terminal");
		return err_hint(e, "`bascule status` prints the same facts anywhere");
	}
	if (tcgetattr(STDIN_FILENO, &term.modes) != 0)
		return err_sys(e, errno, "cannot read the modes of the terminal");
	term.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (term.wake_fd < 0)
		return err_sys(e, errno, "cannot make an event descriptor");
	s = mem_calloc(1, sizeof(*s));
	take_signals(s); /* before curses, which takes only what nobody has */
	if (start_curses(s, e) != 0) {
		give_signals_back(s);
		close(term.wake_fd);
		mem_free(s);
		return -1;
	}
	s->modern = is_modern(termname());
	start_colors(s, no_color);
	s->input = input_open();
	canvas_init(&s->shown, 0, 0, false);
	s->paint_all = true;
	make_restore_string(s);
	modes_on(s);
	*out = s;
	return 0;
}

void screen_close(struct screen *s)
{
	if (!s)
		return;
	endwin();
	restore_terminal();
	give_signals_back(s);
	input_close(s->input);
	canvas_clear(&s->shown);
	delscreen(s->curses);
	close(term.wake_fd);
	mem_free(s);
}

void screen_suspend(struct screen *s)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, own;

	endwin();
	restore_terminal();
	sigemptyset(&dfl.sa_mask);
	sigaction(SIGTSTP, &dfl, &own);
	(void)raise(SIGTSTP); /* here we stop, and go on after SIGCONT */
	sigaction(SIGTSTP, &own, NULL);
	modes_on(s);
	screen_redraw(s);
	/* The window may have changed meanwhile; the kernel tells only who runs. */
	on_notice(SIGWINCH);
}

/* --- Looks ------------------------------------------------------------------------------------ */

static attr_t attr_of(unsigned attr)
{
	attr_t a = A_NORMAL;

	if (attr & ATTR_BOLD)
		a |= A_BOLD;
	if (attr & ATTR_DIM)
		a |= A_DIM;
	if (attr & ATTR_REVERSE)
		a |= A_REVERSE;
	if (attr & ATTR_UNDERLINE)
		a |= A_UNDERLINE;
	if (attr & ATTR_ITALIC)
		a |= A_ITALIC;
	return a;
}

/* Eight colours have no bright half; bold stands for it. Bold black is black on some terminals, so
 * grey becomes the default colour. */
static short color_of(const struct screen *s, int16_t c256, int16_t c16, attr_t *attr)
{
	if (s->colors == 256)
		return c256;
	if (s->colors == 8 && c16 == 8)
		return -1;
	if (s->colors == 8 && c16 > 8) {
		if (attr)
			*attr |= A_BOLD;
		return (short)(c16 - 8);
	}
	return c16;
}

/* The row under the cursor takes the selection's background, and its text colour when it has one. */
static void style_set(struct screen *s, const struct theme *t, enum role role, bool selected)
{
	const struct theme_role *r = &t->role[role], *sel = &t->role[ROLE_SELECT];
	attr_t attr;
	short fg, bg;

	if (s->colors == 0) {
		attr = attr_of(r->attr_mono | (selected ? sel->attr_mono | ATTR_REVERSE : 0));
		s->style[role][selected].attr = attr;
		s->style[role][selected].pair = 0;
		return;
	}
	attr = attr_of(r->attr | (selected ? sel->attr : 0));
	fg = color_of(s, r->fg256, r->fg16, &attr);
	bg = color_of(s, r->bg256, r->bg16, NULL);
	if (selected) {
		short sel_fg = color_of(s, sel->fg256, sel->fg16, &attr);
		short sel_bg = color_of(s, sel->bg256, sel->bg16, NULL);

		fg = sel_fg >= 0 ? sel_fg : fg;
		if (sel_bg >= 0)
			bg = sel_bg;
		else
			attr |= A_REVERSE;
	}
	s->style[role][selected].pair = (short)(1 + role * 2 + (selected ? 1 : 0));
	s->style[role][selected].attr = attr;
	init_pair(s->style[role][selected].pair, fg, bg);
}

void screen_theme(struct screen *s, const struct theme *t)
{
	for (int role = 0; role < ROLES; role++) {
		style_set(s, t, (enum role)role, false);
		style_set(s, t, (enum role)role, true);
	}
	s->paint_all = true;
}

/* --- Drawing ---------------------------------------------------------------------------------- */

/* The characters of a cell; false when curses or some terminal would take another number of columns
 * for it. Marks of that kind are left out. */
static bool cell_chars(const struct canvas_cell *cell, int width, wchar_t out[CCHARW_MAX + 1])
{
	struct sv text = sv_of(cell->text);
	int n = 0;

	while (text.n > 0 && n < CCHARW_MAX) {
		uint32_t cp;
		size_t len = utf8_decode(text, &cp);

		if (len == 0)
			return false;
		if (wcwidth((wchar_t)cp) == (n == 0 ? width : 0) && glyph_is_agreed(cp))
			out[n++] = (wchar_t)cp;
		else if (n == 0)
			return false;
		text.p += len;
		text.n -= len;
	}
	out[n] = L'\0';
	return n > 0;
}

/* One row as curses wants it: an element per character, also for wide ones. */
static int row_cells(const struct screen *s, const struct canvas *c, int row, cchar_t *out)
{
	int n = 0;

	for (int col = 0; col < c->cols; col++) {
		const struct canvas_cell *cell = canvas_at(c, row, col);
		const struct canvas_cell *next = canvas_at(c, row, col + 1);
		int width = next && next->text[0] == '\0' ? 2 : 1;
		attr_t attr = s->style[cell->role][cell->reverse].attr;
		short pair = s->style[cell->role][cell->reverse].pair;
		wchar_t chars[CCHARW_MAX + 1];

		if (!cell_chars(cell, width, chars)) {
			/* Its columns count for more than the character. */
			chars[0] = cell->text[0] == '\0' ? L' ' : L'?';
			chars[1] = L'\0';
			width = 1;
		}
		setcchar(&out[n++], chars, attr, pair, NULL);
		col += width - 1;
	}
	return n;
}

static bool draw_rows(struct screen *s, const struct canvas *c)
{
	size_t row_bytes = (size_t)c->cols * sizeof(*c->cell);
	cchar_t *cells = mem_calloc((size_t)c->cols + 1, sizeof(*cells));
	bool any = false;

	for (int row = 0; row < c->rows && row < LINES; row++) {
		const struct canvas_cell *now = &c->cell[(size_t)row * (size_t)c->cols];
		struct canvas_cell *was = &s->shown.cell[(size_t)row * (size_t)c->cols];

		if (!s->paint_all && memcmp(now, was, row_bytes) == 0)
			continue;
		memcpy(was, now, row_bytes);
		mvadd_wchnstr(row, 0, cells, row_cells(s, c, row, cells));
		any = true;
	}
	mem_free(cells);
	return any;
}

static bool draw_cursor(struct screen *s, const struct canvas *c)
{
	bool on = c->cursor_row >= 0 && c->cursor_col >= 0;
	bool changed = s->cursor != on || (on && (s->shown.cursor_row != c->cursor_row ||
						  s->shown.cursor_col != c->cursor_col));

	if (s->cursor != on)
		curs_set(on);
	s->cursor = on;
	s->shown.cursor_row = c->cursor_row;
	s->shown.cursor_col = c->cursor_col;
	move(on ? c->cursor_row : 0, on ? c->cursor_col : 0);
	return changed;
}

void screen_draw(struct screen *s, const struct canvas *c)
{
	bool any;

	if (c->rows != s->shown.rows || c->cols != s->shown.cols) {
		canvas_resize(&s->shown, c->rows, c->cols);
		s->paint_all = true;
	}
	any = draw_rows(s, c);
	any = draw_cursor(s, c) || any;
	s->paint_all = false;
	if (!any)
		return;
	if (s->modern)
		write_fixed(SYNC_BEGIN, sizeof(SYNC_BEGIN) - 1);
	wnoutrefresh(stdscr);
	doupdate();
	if (s->modern)
		write_fixed(SYNC_END, sizeof(SYNC_END) - 1);
}

void screen_redraw(struct screen *s)
{
	clearok(curscr, TRUE);
	s->paint_all = true;
	s->cursor = -1;
}

void screen_title(struct screen *s, const char *text)
{
	struct strbuf b;

	if (!s->modern)
		return;
	strbuf_init(&b, 512);
	strbuf_adds(&b, "\033]2;");
	clean_text(&b, sv_n(text, strnlen(text, 200)), true);
	strbuf_addc(&b, '\a');
	write_fixed(strbuf_str(&b), b.len);
	strbuf_clear(&b);
}

void screen_copy(struct screen *s, const char *text)
{
	struct strbuf b;
	size_t done = 0;

	if (!s->modern)
		return;
	strbuf_init(&b, CLIPBOARD_SEQUENCE_MAX);
	clipboard_sequence(sv_of(text), &b);
	while (done < b.len) {
		ssize_t n = write(STDOUT_FILENO, b.data + done, b.len - done);

		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	strbuf_clear(&b);
}

/* --- Size and keys ---------------------------------------------------------------------------- */

void screen_size(const struct screen *s, int *rows, int *cols)
{
	(void)s;
	*rows = LINES;
	*cols = COLS;
}

static void take_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
		resize_term(size.ws_row, size.ws_col);
}

int32_t screen_key(struct screen *s)
{
	uint64_t count;

	if (term.resized || term.suspended)
		(void)!read(term.wake_fd, &count, sizeof(count));
	if (term.resized) {
		term.resized = 0;
		take_size();
		/* Terminals shift, cut and wrap what was on them, each in its own way: paint it all. */
		screen_redraw(s);
		return KEYS_RESIZE;
	}
	if (term.suspended) {
		term.suspended = 0;
		return CTRL_Z;
	}
	return input_key(s->input);
}

int screen_fd(const struct screen *s)
{
	(void)s;
	return STDIN_FILENO;
}

int screen_signal_fd(const struct screen *s)
{
	(void)s;
	return term.wake_fd;
}

bool screen_utf8(const struct screen *s)
{
	(void)s;
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
