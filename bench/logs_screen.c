/* SPDX-License-Identifier: MIT */
/*
 * Keys into followed logs, by what is seen.
 *
 *   logs_screen KEYS ROUNDS -- DIR PROG ARG… [-- DIR PROG ARG…]
 *       opens the programs in turn, ROUNDS times each, on a terminal of 120x36, goes to the logs, and types KEYS keys
 *       in all into each; one line a program. Microseconds from the write of a key to the read that shows what it
 *       does: median, p99, most; p99 and most of its own, that is, without the time in which the thread that draws
 *       and this program waited for a processor, and without the keys while a byte through another terminal was
 *       slow; how many those were. How many keys never showed what they do. Lines a second as the screen has them while it
 *       follows. And of a core, in percent, while nothing is typed: the drawing thread with logs on the screen, the
 *       same with another view, all threads.
 *
 * A log that is followed is never silent, so the end of an answer cannot be told by silence as pty_meter does. Here a
 * terminal emulator (libvterm) takes what the program writes, and each key has something that is not on the screen
 * before it and is behind it: a word of the chrome, what was typed, or, where the rows stand still, other rows. That
 * rows which stand still do stand still is looked at in each round.
 *
 * The keys are those that somebody reads with: up, down, pages, ends, errors, levels, marks of the time, folds, wrap,
 * what is searched for and filtered, letter by letter. Esc is none of them: alone it waits for what may follow it
 * (input.c), whatever is drawn. Between two keys are 3 to 22 ms, so that they meet frames everywhere.
 * With LOGS_SCREEN_EACH in the environment each key is told on stderr.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>

#define ROWS 36
#define COLS 120
#define FOOTER_ROWS 3 /* place, message, keys */
#define PROGRAMS_MAX 4
#define LIMIT_MS 3000
#define HELD_MS 5000
#define STILL_MS 400

/* Of one key, microseconds. */
struct answer {
	double us;        /* until it was seen */
	double waited_us; /* of these, for a processor: the thread that draws, and this program */
	bool slow;        /* a byte through another terminal was slow meanwhile */
	double on_us;     /* the thread that draws was on one */
};

struct program {
	char **argv; /* DIR PROG ARG… NULL */
	struct answer *answer;
	int n, silent;
	double per_second, drawing, hidden, all;
};

/* A program on a terminal, and the terminal. */
struct screen {
	int fd;
	pid_t pid;
	int64_t read_us; /* of the last bytes */
	VTerm *vt;
	VTermScreen *vts;
	char text[ROWS][COLS + 1];
	char was[ROWS][COLS + 1]; /* before the key */
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void show(const char *what, const char *which, const struct screen *s)
{
	fprintf(stderr, "logs_screen: %s: %s\n", what, which);
	for (int row = 0; s && row < ROWS; row++)
		fprintf(stderr, "  |%s\n", s->text[row]);
}

static void die(const char *what, const struct screen *s)
{
	show("stopped", what, s);
	exit(1);
}

/* --- The terminal -------------------------------------------------------------------------------- */

static void screen_open(struct screen *s, char **argv)
{
	struct winsize size = { .ws_row = ROWS, .ws_col = COLS };

	s->pid = forkpty(&s->fd, NULL, NULL, &size);
	if (s->pid < 0)
		die("forkpty", NULL);
	if (s->pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		unsetenv("LINES");
		unsetenv("COLUMNS");
		if (chdir(argv[0]) != 0)
			_exit(126);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	s->vt = vterm_new(ROWS, COLS);
	vterm_set_utf8(s->vt, 1);
	s->vts = vterm_obtain_screen(s->vt);
	vterm_screen_enable_altscreen(s->vts, 1);
	vterm_screen_reset(s->vts, 1);
}

/* What is drawn, one byte a cell; lines are '-', other characters '?'. */
static void screen_text(struct screen *s)
{
	for (int row = 0; row < ROWS; row++)
		for (int col = 0; col < COLS; col++) {
			VTermScreenCell cell;

			vterm_screen_get_cell(s->vts, (VTermPos){ row, col }, &cell);
			s->text[row][col] = cell.chars[0] == 0            ? ' '
					    : cell.chars[0] < 0x7f        ? (char)cell.chars[0]
					    : cell.chars[0] / 256 == 0x25 ? '-'
									  : '?';
		}
}

/* Takes what comes within wait_ms; false when nothing did. */
static bool screen_read(struct screen *s, int64_t wait_us)
{
	struct timespec wait = { wait_us / 1000000, wait_us % 1000000 * 1000 };
	struct pollfd f = { .fd = s->fd, .events = POLLIN };
	char buf[65536];
	ssize_t n;

	if (wait_us < 0 || ppoll(&f, 1, &wait, NULL) <= 0)
		return false;
	n = read(s->fd, buf, sizeof(buf));
	if (n <= 0)
		die("the program has ended", s);
	s->read_us = now_us();
	vterm_input_write(s->vt, buf, (size_t)n);
	return true;
}

static void screen_pause(struct screen *s, int64_t us)
{
	for (int64_t end = now_us() + us; now_us() < end;)
		screen_read(s, end - now_us());
	screen_text(s);
}

static void screen_close(struct screen *s)
{
	(void)!write(s->fd, "Q", 1);
	for (int64_t end = now_us() + 2000000;
	     now_us() < end && waitpid(s->pid, NULL, WNOHANG) == 0;) {
		char buf[65536];
		struct pollfd f = { .fd = s->fd, .events = POLLIN };

		if (poll(&f, 1, 20) > 0)
			(void)!read(s->fd, buf, sizeof(buf));
	}
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	close(s->fd);
	vterm_free(s->vt);
}

/* --- What is seen -------------------------------------------------------------------------------- */

static bool shows(const struct screen *s, const char *word)
{
	for (int row = 0; row < ROWS; row++)
		if (strstr(s->text[row], word))
			return true;
	return false;
}

/* Behind the line that says whether the rows follow; 0: there is none. */
static int first_row(char text[ROWS][COLS + 1])
{
	for (int row = 0; row < ROWS; row++)
		if (strstr(text[row], "- following -") || strstr(text[row], "- PAUSED "))
			return row + 1;
	return 0;
}

/* Whether the rows are others than before the key, or lie elsewhere. */
static bool rows_differ(struct screen *s)
{
	int from = first_row(s->text);

	if (from == 0 || from != first_row(s->was))
		return from != 0;
	for (int row = from; row < ROWS - FOOTER_ROWS; row++)
		if (strcmp(s->text[row], s->was[row]) != 0)
			return true;
	return false;
}

/* --- Processors ---------------------------------------------------------------------------------- */

/* Of a thread: nanoseconds on a processor, and waiting for one. */
struct used {
	int64_t on_ns, waited_ns;
};

/* All zero when it has gone. */
static struct used used_by(pid_t pid, const char *thread)
{
	char path[64];
	long long on = 0, waited = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)pid, thread);
	f = fopen(path, "r");
	if (f && fscanf(f, "%lld %lld", &on, &waited) != 2)
		on = waited = 0;
	if (f)
		fclose(f);
	return (struct used){ on, waited };
}

/* The thread that draws is the first one of its process. */
static struct used drawing(pid_t pid)
{
	char thread[24];

	snprintf(thread, sizeof(thread), "%d", (int)pid);
	return used_by(pid, thread);
}

static int64_t all_ns(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	int64_t ns = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			ns += used_by(pid, entry->d_name).on_ns;
	if (dir)
		closedir(dir);
	return ns;
}

/*
 * Between a program and its terminal is the kernel: on a machine that others use too, a byte now and then takes longer
 * through a pseudo terminal than a key may take, and that looks like a slow program. So a thread sends bytes through
 * another one all the time, and notes when one was slow.
 */
#define SLOW_US 3000

static struct {
	pthread_t thread;
	int master, slave;
	_Atomic int64_t sent_us; /* the byte on its way; 0: none */
	_Atomic int64_t slow;    /* how many were */
} probe;

static void *send_bytes(void *arg)
{
	(void)arg;
	for (;;) {
		struct timespec pause = { 0, 500000 };
		int64_t sent = now_us();
		char byte = 'x';

		atomic_store(&probe.sent_us, sent);
		if (write(probe.slave, &byte, 1) != 1 || read(probe.master, &byte, 1) != 1)
			die("the other terminal is gone", NULL);
		if (now_us() - sent > SLOW_US)
			atomic_fetch_add(&probe.slow, 1);
		atomic_store(&probe.sent_us, 0);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void probe_start(void)
{
	if (openpty(&probe.master, &probe.slave, NULL, NULL, NULL) != 0 ||
	    pthread_create(&probe.thread, NULL, send_bytes, NULL) != 0)
		die("no other terminal", NULL);
}

/* How many bytes were slow so far, or are. */
static int64_t slow_bytes(void)
{
	int64_t sent = atomic_load(&probe.sent_us);

	return atomic_load(&probe.slow) + (sent != 0 && now_us() - sent > SLOW_US);
}

/* --- Keys ---------------------------------------------------------------------------------------- */

enum seen { OTHER_ROWS, SHOWS, HIDES };

struct key {
	const char *bytes;
	enum seen seen;
	const char *word;
};

static const struct key keys[] = {
	/* Standing still, up and down. */
	{ "=", SHOWS, " PAUSED " },
	{ "\033[5~", OTHER_ROWS, NULL },
	{ "\033[5~", OTHER_ROWS, NULL },
	{ "\033[5~", OTHER_ROWS, NULL },
	{ "k", OTHER_ROWS, NULL },
	{ "k", OTHER_ROWS, NULL },
	{ "k", OTHER_ROWS, NULL },
	{ "j", OTHER_ROWS, NULL },
	{ "j", OTHER_ROWS, NULL },
	{ "k", OTHER_ROWS, NULL },
	{ "\033[6~", OTHER_ROWS, NULL },
	{ "\033[5~", OTHER_ROWS, NULL },
	{ "k", OTHER_ROWS, NULL },
	/* How rows are shown. */
	{ "t", OTHER_ROWS, NULL },
	{ "t", OTHER_ROWS, NULL },
	{ "t", OTHER_ROWS, NULL },
	{ "t", OTHER_ROWS, NULL },
	{ "+", SHOWS, "unfolded" },
	{ "-", HIDES, "unfolded" },
	/* Errors and levels. */
	{ "E", OTHER_ROWS, NULL },
	{ "E", OTHER_ROWS, NULL },
	{ "e", OTHER_ROWS, NULL },
	{ "v", SHOWS, "level >= DEBUG" },
	{ "v", SHOWS, "level >= INFO" },
	{ "v", SHOWS, "level >= WARN" },
	{ "k", OTHER_ROWS, NULL },
	{ "V", SHOWS, "level >= INFO" },
	{ "V", SHOWS, "level >= DEBUG" },
	{ "V", HIDES, "level >= " },
	/* Found, letter by letter; what is found is longer than a row. */
	{ "/", SHOWS, "a pattern, over lines" },
	{ "p", SHOWS, "find /p/" },
	{ "l", SHOWS, "find /pl/" },
	{ "a", SHOWS, "find /pla/" },
	{ "c", SHOWS, "find /plac/" },
	{ "\r", HIDES, "a pattern, over lines" },
	{ "N", OTHER_ROWS, NULL },
	{ "w", OTHER_ROWS, NULL },
	{ "N", OTHER_ROWS, NULL },
	{ "n", OTHER_ROWS, NULL },
	{ "w", OTHER_ROWS, NULL },
	{ "q", HIDES, "find /" },
	/* Filtered. */
	{ "\\", SHOWS, "TEXT only such" },
	{ "!", SHOWS, "\\!" },
	{ "c", SHOWS, "\\!c" },
	{ "a", SHOWS, "\\!ca" },
	{ "r", SHOWS, "\\!car" },
	{ "t", SHOWS, "\\!cart" },
	{ "\r", SHOWS, "1:!cart" },
	{ "k", OTHER_ROWS, NULL },
	{ "\\", SHOWS, "TEXT only such" },
	{ "\r", HIDES, "1:!cart" },
	{ "\t", SHOWS, "Tab closes" },
	{ "\t", HIDES, "Tab closes" },
	/* Ends, back from what runs on, and an error opened: Enter on a gap would fetch it. */
	{ "G", SHOWS, "- following -" },
	{ "E", SHOWS, " PAUSED " },
	{ "\r", SHOWS, "web on local" },
	{ "\r", HIDES, "web on local" },
	{ "G", SHOWS, "- following -" },
	{ "k", SHOWS, " PAUSED " },
	{ "=", SHOWS, "- following -" },
	{ "g", SHOWS, " PAUSED " },
	{ "j", OTHER_ROWS, NULL },
	{ "G", SHOWS, "- following -" },
	{ "h", SHOWS, " PAUSED " },
	{ "G", SHOWS, "- following -" },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static bool is_answered(struct screen *s, const struct key *k)
{
	switch (k->seen) {
	case OTHER_ROWS:
		return rows_differ(s);
	case SHOWS:
		return shows(s, k->word);
	default:
		return !shows(s, k->word);
	}
}

/* False: it was not seen. */
static bool type(struct screen *s, const struct key *k, struct answer *a)
{
	struct used used = drawing(s->pid), own = drawing(getpid()), then;
	int64_t before, slow = slow_bytes();

	memcpy(s->was, s->text, sizeof(s->was));
	if (is_answered(s, k))
		die(k->word ? k->word : "it was there before the key", s);
	before = now_us();
	if (write(s->fd, k->bytes, strlen(k->bytes)) < 0)
		die("write", s);
	while (screen_read(s, before + LIMIT_MS * 1000 - now_us())) {
		screen_text(s);
		if (!is_answered(s, k))
			continue;
		a->us = (double)(s->read_us - before);
		then = drawing(s->pid);
		a->on_us = (double)(then.on_ns - used.on_ns) / 1000;
		a->waited_us = (double)(then.waited_ns - used.waited_ns) / 1000 +
			       (double)(drawing(getpid()).waited_ns - own.waited_ns) / 1000;
		a->slow = slow_bytes() != slow;
		return true;
	}
	return false;
}

static void wait_for(struct screen *s, const char *word)
{
	for (int64_t end = now_us() + 20000000; !shows(s, word);) {
		if (now_us() > end)
			die(word, s);
		screen_read(s, 100000);
		screen_text(s);
	}
}

/* --- What it takes to follow -------------------------------------------------------------------- */

static double percent(int64_t ns, int64_t us)
{
	return (double)ns / 10.0 / (double)us;
}

/* "[a] #web  99k/s" */
static double rate_on(const struct screen *s)
{
	for (int row = 0; row < ROWS; row++) {
		const char *at = strstr(s->text[row], "[a] ");
		char *end;
		double n;

		if (!at || !(at = strchr(at + strlen("[a] "), ' ')))
			continue;
		n = strtod(at, &end);
		return *end == 'k' ? n * 1000 : n;
	}
	return 0;
}

/* Adds what it takes to follow for a while, with the rows on the screen and without. */
static void hold(struct screen *s, struct program *p, int rounds)
{
	int64_t us = -now_us(), on = -drawing(s->pid).on_ns, all = -all_ns(s->pid);

	screen_pause(s, HELD_MS * 1000);
	us += now_us();
	p->drawing += percent(on + drawing(s->pid).on_ns, us) / rounds;
	p->all += percent(all + all_ns(s->pid), us) / rounds;
	p->per_second += rate_on(s) / rounds;
	(void)!write(s->fd, "1", 1);
	wait_for(s, "[1 Env");
	us = -now_us();
	on = -drawing(s->pid).on_ns;
	screen_pause(s, HELD_MS * 1000);
	us += now_us();
	p->hidden += percent(on + drawing(s->pid).on_ns, us) / rounds;
	(void)!write(s->fd, "4", 1);
	wait_for(s, "- following -");
}

/* --- All ----------------------------------------------------------------------------------------- */

/* Pages above the end no row may change while nothing is typed. */
static void look_still(struct screen *s)
{
	memcpy(s->was, s->text, sizeof(s->was));
	screen_pause(s, STILL_MS * 1000);
	if (rows_differ(s))
		die("rows that stand still changed", s);
}

static void round_of(struct program *p, int n, int rounds)
{
	struct screen s = { .fd = -1 };
	unsigned random = 7;

	screen_open(&s, p->argv);
	wait_for(&s, "[1 Env");
	(void)!write(s.fd, "4", 1);
	wait_for(&s, "- following -");
	hold(&s, p, rounds);
	for (int i = 0; i < n; i++) {
		const struct key *k = &keys[(size_t)i % KEYS];
		struct answer *a = &p->answer[p->n];

		random = random * 1103515245 + 12345;
		screen_pause(&s, 3000 + (int64_t)(random >> 8) % 19000);
		if (i == 10)
			look_still(&s);
		if (!type(&s, k, a)) {
			show("a key was not answered", k->bytes, &s);
			p->silent++;
			continue;
		}
		p->n++;
		if (getenv("LOGS_SCREEN_EACH"))
			fprintf(stderr, "%.0f waited %.0f on %.0f %s\n", a->us, a->waited_us,
				a->on_us, k->bytes[0] == 27 ? k->bytes + 1 : k->bytes);
	}
	screen_close(&s);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(struct program *p, int typed)
{
	double *us = calloc((size_t)typed, sizeof(double));
	double *own = calloc((size_t)typed, sizeof(double));
	size_t n = (size_t)p->n, n_own = 0;

	for (size_t i = 0; i < n; i++) {
		us[i] = p->answer[i].us;
		if (!p->answer[i].slow)
			own[n_own++] = us[i] - p->answer[i].waited_us;
	}
	if (n_own == 0)
		die("no key was answered", NULL);
	qsort(us, n, sizeof(double), by_value);
	qsort(own, n_own, sizeof(double), by_value);
	printf("%.0f %.0f %.0f %.0f %.0f %zu %d %.0f %.1f %.1f %.1f\n", us[n / 2], us[n * 99 / 100],
	       us[n - 1], own[n_own * 99 / 100], own[n_own - 1], n - n_own, p->silent,
	       p->per_second, p->drawing, p->hidden, p->all);
	free(us);
	free(own);
}

int main(int argc, char **argv)
{
	struct program p[PROGRAMS_MAX] = { { 0 } };
	int typed = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0, n = 0;

	signal(SIGPIPE, SIG_IGN);
	probe_start();
	for (int i = 3; i < argc; i++)
		if (strcmp(argv[i], "--") == 0 && n < PROGRAMS_MAX) {
			argv[i] = NULL;
			p[n++].argv = argv + i + 1;
		}
	if (n == 0 || typed < 1 || rounds < 1) {
		fprintf(stderr, "usage: logs_screen KEYS ROUNDS -- DIR PROG… [-- DIR PROG…]\n");
		return 2;
	}
	for (int i = 0; i < n; i++)
		p[i].answer = calloc((size_t)typed + 1, sizeof(*p[i].answer));
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < n; i++)
			round_of(&p[i], typed / rounds, rounds);
	for (int i = 0; i < n; i++) {
		print(&p[i], typed);
		free(p[i].answer);
	}
	return 0;
}
