/* SPDX-License-Identifier: MIT */
/*
 * The console with its terminal: start, wait, draw, leave.
 *
 * Start: the engine reads files and databases while curses takes the terminal over, and the first
 * frame waits for that first picture, but at most FIRST_FRAME_MS; who starts the console on a fast
 * disk sees one complete frame and never an empty one.
 *
 * The loop waits in one place, for a key, a signal's notice, an event of the engine, or a time: the
 * refresh timer, while a run is active or an environment is armed the next second of the clock, and
 * every two seconds while the plan of a server is shown, whose database is then looked at.
 * An idle console wakes for the refresh timer alone. Frames that events cause come at most 60 times
 * a second; a key is answered at once, unless a frame was drawn just before.
 *
 * What libraries write to stderr would land in the middle of the screen: it goes to a file of the
 * state folder for as long as the terminal is ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tui/chrome.h"
#include "tui/screen.h"
#include "tui/tui.h"

#define FIRST_FRAME_MS 30
#define FRAME_MS 16      /* between frames that events cause */
#define KEY_FRAME_MS 4   /* between frames that keys cause */
#define KEYS_AT_ONCE 256 /* then a frame, however many more are waiting */
#define KEYS_FILE_MAX ((size_t)64 << 10)

struct loop {
	struct tui *tui;
	struct screen *screen;
	struct canvas canvas;
	struct strbuf title; /* as last sent */
	int64_t refresh_at_ms;
	int64_t preflight_at_ms; /* WAIT_FOREVER: nothing to look at */
	int64_t drawn_at_ms;
	bool by_key; /* the frame that is due answers a key */
	bool pasting;
};

/* --- Keys ------------------------------------------------------------------------------------- */

static void on_resize(struct loop *l)
{
	int rows, cols;

	screen_size(l->screen, &rows, &cols);
	canvas_resize(&l->canvas, rows, cols);
	l->tui->dirty = true;
}

/* Nobody starts or confirms what cannot be seen: while the terminal is too small to draw on, keys
 * move about, suspend and leave, and do nothing else. */
static void act_unseen(struct tui *t, enum action act)
{
	switch (act) {
	case ACT_BACK:
	case ACT_LEAVE:
	case ACT_QUIT:
		t->quit = true;
		break;
	case ACT_VIEW_ENVS:
	case ACT_VIEW_MIGRATIONS:
	case ACT_VIEW_PLAN:
	case ACT_VIEW_RUNS:
	case ACT_VIEW_AUDIT:
	case ACT_VIEW_DATABASE:
	case ACT_VIEW_LOGS:
	case ACT_VIEW_SERVICES:
	case ACT_HELP:
	case ACT_DOWN:
	case ACT_UP:
	case ACT_LEFT:
	case ACT_RIGHT:
	case ACT_SUSPEND:
		tui_action(t, act, NULL);
		break;
	default:
		break;
	}
}

static void on_key(struct loop *l, int32_t key)
{
	struct tui *t = l->tui;
	bool small = l->canvas.rows < TUI_MIN_ROWS || l->canvas.cols < TUI_MIN_COLS;

	if (key == KEYS_RESIZE)
		on_resize(l);
	else if (t->prompt.pasting || key == KEYS_PASTE_BEGIN)
		prompt_key(t, key);
	else if (small)
		act_unseen(t, keymap_action(t->keys, key));
	else if (t->prompt.kind != PROMPT_NONE)
		prompt_key(t, key);
	else
		tui_action(t, keymap_action(t->keys, key), NULL);
}

/* What actions asked for that only the loop can do. */
static void obey(struct loop *l)
{
	struct tui *t = l->tui;

	if (t->new_theme)
		screen_theme(l->screen, t->theme);
	if (t->redraw)
		screen_redraw(l->screen);
	if (t->suspend)
		screen_suspend(l->screen);
	if (t->copy)
		screen_copy(l->screen, t->copy);
	mem_free(t->copy);
	t->copy = NULL;
	if (t->new_theme || t->redraw || t->suspend)
		t->dirty = true;
	t->new_theme = t->redraw = t->suspend = false;
}

static void take_keys(struct loop *l)
{
	for (int i = 0; i < KEYS_AT_ONCE && !l->tui->quit; i++) {
		int32_t key = screen_key(l->screen);

		if (key == KEYS_NONE)
			break;
		l->by_key = true;
		on_key(l, key);
		obey(l);
	}
}

/* --- Events and time -------------------------------------------------------------------------- */

static void take_events(struct loop *l)
{
	struct event *ev;

	while ((ev = engine_next(l->tui->engine)) != NULL)
		tui_event(l->tui, ev);
}

static void refresh(struct loop *l)
{
	struct tui *t = l->tui;

	engine_refresh(t->engine);
	engine_runs(t->engine);
	/* A runner that died writes no journal line: look whether it still lives. */
	if (t->model.watched && !run_state_ended(t->model.watched->state))
		t->model.watch_request = engine_watch(t->engine, t->model.watched->id);
	l->refresh_at_ms = clock_mono_ms() + ENGINE_REFRESH_MS;
}

static void tick(struct loop *l)
{
	struct model *m = &l->tui->model;
	int64_t was = m->now_utc_ms, now = clock_utc_ms();

	if (model_tick(m, now) || (model_ticking(m) && now / 1000 != was / 1000))
		l->tui->dirty = true;
	if (clock_mono_ms() >= l->refresh_at_ms)
		refresh(l);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_wake(const struct loop *l)
{
	int64_t at = sooner(l->refresh_at_ms, l->preflight_at_ms);

	if (l->tui->dirty)
		at = sooner(at, l->drawn_at_ms + (l->by_key ? KEY_FRAME_MS : FRAME_MS));
	if (model_ticking(&l->tui->model))
		at = sooner(at, clock_mono_ms() + 1000 - clock_utc_ms() % 1000);
	return at;
}

/* --- Drawing ---------------------------------------------------------------------------------- */

static void draw_title(struct loop *l)
{
	struct strbuf title;

	strbuf_init(&title, 256);
	chrome_terminal_title(l->tui, &title);
	if (!sv_eq(strbuf_sv(&title), strbuf_sv(&l->title))) {
		screen_title(l->screen, strbuf_str(&title));
		strbuf_reset(&l->title);
		strbuf_addsv(&l->title, strbuf_sv(&title));
	}
	strbuf_clear(&title);
}

static void draw(struct loop *l)
{
	tui_draw(l->tui, &l->canvas);
	draw_title(l);
	screen_draw(l->screen, &l->canvas);
	l->tui->dirty = l->by_key = false;
	l->drawn_at_ms = clock_mono_ms();
}

static void draw_when_due(struct loop *l)
{
	int64_t gap = l->by_key ? KEY_FRAME_MS : FRAME_MS;

	if (l->tui->dirty && clock_mono_ms() - l->drawn_at_ms >= gap)
		draw(l);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* A terminal that is readable with nothing to read is gone. */
static bool terminal_gone(const struct pollfd *fd)
{
	int waiting = 0;

	if (fd->revents & (POLLERR | POLLNVAL))
		return true;
	if (!(fd->revents & (POLLIN | POLLHUP)))
		return false;
	return ioctl(fd->fd, FIONREAD, &waiting) != 0 || waiting == 0;
}

static int loop_once(struct loop *l, struct err *e)
{
	struct pollfd fd[3] = {
		{ .fd = screen_fd(l->screen), .events = POLLIN },
		{ .fd = screen_signal_fd(l->screen), .events = POLLIN },
		{ .fd = engine_fd(l->tui->engine), .events = POLLIN },
	};

	if (wait_fds(fd, 3, next_wake(l), NULL, e) < 0)
		return -1;
	if (terminal_gone(&fd[0]))
		return err_set(e, ERR_SYSTEM, "the terminal is gone");
	tick(l);
	if (fd[2].revents)
		take_events(l);
	if (fd[0].revents || fd[1].revents)
		take_keys(l);
	draw_when_due(l);
	/* Behind what came in, which may have shown another plan. */
	l->preflight_at_ms = tui_preflight(l->tui, clock_mono_ms());
	return 0;
}

/* Until the first picture is there, or the time is up. The runs are asked for behind it: to read them
 * takes as long as there are many, and what an environment is busy with is in the picture. */
static int wait_first_picture(struct loop *l, struct err *e)
{
	struct model *m = &l->tui->model;
	struct pollfd fd = { .fd = engine_fd(l->tui->engine), .events = POLLIN };
	int64_t deadline = clock_mono_ms() + FIRST_FRAME_MS;
	int ready = 1;

	while (ready > 0 && !m->snap) {
		ready = wait_fds(&fd, 1, deadline, NULL, e);
		if (ready < 0)
			return -1;
		take_events(l);
	}
	return 0;
}

static int loop_run(struct loop *l, struct err *e)
{
	if (wait_first_picture(l, e) != 0)
		return -1;
	draw(l);
	engine_runs(l->tui->engine);
	while (!l->tui->quit)
		if (loop_once(l, e) != 0)
			return -1;
	return 0;
}

/* --- Start and end ---------------------------------------------------------------------------- */

/* fd 2 to console.log of the state folder, or nowhere; returns a copy of the old one. */
static int stderr_away(const struct context *ctx)
{
	char *path = path_join(ctx->state_dir, "console.log");
	int old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)dup2(fd, STDERR_FILENO);
		close(fd);
	}
	mem_free(path);
	return old;
}

static void stderr_back(int old)
{
	if (old < 0)
		return;
	(void)dup2(old, STDERR_FILENO);
	close(old);
}

static int load_theme(struct tui *t, const struct tui_options *opt, struct err *e)
{
	t->theme = mem_calloc(1, sizeof(*t->theme));
	if (theme_load(opt->theme ? opt->theme : "dark", opt->theme_dirs,
		       sizeof(opt->theme_dirs) / sizeof(opt->theme_dirs[0]), t->theme, e) == 0)
		return 0;
	/* The name came from the command line: what is wrong is how we were called. */
	if (e->code == ERR_NOT_FOUND)
		e->code = ERR_USAGE;
	return -1;
}

static int load_keys(struct tui *t, const struct tui_options *opt, struct err *e)
{
	struct strbuf text;
	int rc = -1;

	if (!opt->keys_path)
		return 0;
	strbuf_init(&text, KEYS_FILE_MAX);
	if (fs_read(opt->keys_path, KEYS_FILE_MAX, &text, e) == 0)
		rc = keymap_load(t->keys, strbuf_sv(&text), opt->keys_path, e);
	strbuf_clear(&text);
	return rc;
}

static int run_on_screen(struct tui *t, const struct tui_options *opt, struct err *e)
{
	struct loop l = { .tui = t };
	int rows, cols, rc;

	if (screen_open(opt->no_color, &l.screen, e) != 0)
		return -1;
	strbuf_init(&l.title, 256);
	screen_theme(l.screen, t->theme);
	screen_size(l.screen, &rows, &cols);
	canvas_init(&l.canvas, rows, cols, opt->ascii || !screen_utf8(l.screen));
	l.refresh_at_ms = clock_mono_ms() + ENGINE_REFRESH_MS;
	l.preflight_at_ms = WAIT_FOREVER;
	rc = loop_run(&l, e);
	screen_close(l.screen);
	canvas_clear(&l.canvas);
	strbuf_clear(&l.title);
	return rc;
}

int tui_run(const struct project *p, const struct context *ctx, const struct tui_options *opt,
	    struct err *e)
{
	struct tui t;
	int old_stderr, rc = -1;

	tui_init(&t, p, ctx);
	t.opt = opt;
	t.model.read_only = opt->read_only;
	t.model.now_utc_ms = clock_utc_ms();
	if (engine_new(p, ctx, &t.engine, e) != 0)
		goto out;
	t.model.loading = true;
	engine_refresh(t.engine);
	if (load_theme(&t, opt, e) != 0 || load_keys(&t, opt, e) != 0)
		goto out;
	old_stderr = stderr_away(ctx);
	rc = run_on_screen(&t, opt, e);
	stderr_back(old_stderr);
out:
	engine_free(t.engine);
	tui_clear(&t);
	return rc;
}
