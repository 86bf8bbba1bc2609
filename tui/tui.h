/* SPDX-License-Identifier: MIT */
/* The console: ties model, engine, views, keys and screen together. UI thread only. */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include "core/engine/engine.h"
#include "tui/keys.h"
#include "tui/prompt.h"
#include "tui/theme.h"
#include "tui/view.h"

#define TUI_MIN_COLS 80
#define TUI_MIN_ROWS 20

struct tui_options {
	const char *theme;         /* name or path; NULL: dark */
	const char *theme_dirs[3]; /* searched in order, then the built-in ones */
	const char *keys_path;     /* keys.ini, or NULL */
	bool ascii;
	bool no_color; /* NO_COLOR */
	bool read_only;
	bool no_mouse;
};

enum view_id {
	VIEW_ENVS,
	VIEW_MATRIX,
	VIEW_PLAN,
	VIEW_RUNS,
	VIEW_AUDIT,
	VIEW_DETAILS,
	VIEW_LOGS,
	VIEW_SERVICES,
	VIEW_HELP,
	VIEWS
};

struct tui {
	struct model model;
	struct engine *engine; /* NULL in golden tests */
	const struct view_ops *view[VIEWS];
	void *state[VIEWS];
	enum view_id shown;
	enum view_id back[16]; /* views to go back to */
	size_t n_back;
	bool returning; /* open was called by going back: a view keeps its own selection */
	struct keymap *keys;
	struct theme *theme;
	const struct tui_options *opt; /* NULL in golden tests */
	/* palette, find, filter, typed confirmation; prompt.kind says which */
	struct prompt prompt;
	int64_t preflight_at_ms;                      /* when it was asked for last; 0: never */
	bool quit, redraw, suspend, dirty, new_theme; /* what the loop is to do next */
	char *copy; /* for the clipboard of the terminal, to be sent; NULL: nothing */
	char find[128], filter[128]; /* as last entered; each list keeps its own in force */
	int rows, cols;
};

/* The whole console until the user leaves. Returns 0, or -1 with e (no terminal, bad theme, bad keys). The caller has
 * set the locale's LC_CTYPE: the engine's threads run from here on. */
int tui_run(const struct project *p, const struct context *ctx, const struct tui_options *opt,
	    struct err *e) MUST_CHECK;

/* The parts a test uses without a terminal. */
void tui_init(struct tui *t, const struct project *p, const struct context *ctx);
void tui_clear(struct tui *t);
void tui_draw(struct tui *t, struct canvas *c);  /* chrome, shown view, prompt on top */
void tui_event(struct tui *t, struct event *ev); /* model_apply and the views' event calls */
void tui_action(struct tui *t, enum action act, const char *arg);
void tui_show(struct tui *t, enum view_id v); /* remembers the way back */
/* Index of the environment a plan would be for: the view's selection. -1 none. */
int tui_selected_env(const struct tui *t);
/* The selection of the view that own was opened from; -1 none. */
int tui_env_before(const struct tui *t, enum view_id own);
/* The selection travels along: of a view of one environment that is opened, and was not come back to. */
void tui_env_follow(const struct tui *t, enum view_id own, int *env);
/* Left and right of such a view; true when it moved. */
bool tui_env_step(const struct tui *t, enum action act, int *env);

/* What views ask of the engine; each does nothing when there is none (golden tests). */
void tui_plan(struct tui *t,
	      const struct plan_request *r);       /* asks for a plan and shows the plan view */
void tui_watch(struct tui *t, const char *run_id); /* follows a run and shows it in the plan view */
void tui_script(struct tui *t, const char *env, const char *ns, const char *id,
		bool down);                       /* -> model.script */
void tui_events(struct tui *t, const char *env);  /* -> model.events */
void tui_details(struct tui *t, const char *env); /* -> model.details */
/* Asks what stands in the way of a change of the shown plan's environment, when the plan view is shown and
 * it is time. Returns when to come back (CLOCK_MONOTONIC ms), or INT64_MAX: not before something changes. */
int64_t tui_preflight(struct tui *t, int64_t now_mono_ms); /* -> model.preflight */
void tui_read_runs(struct tui *t);                         /* -> model.runs */
/* Shows what runs in an environment (index), with that service (NULL: as it was) selected. */
void tui_services(struct tui *t, int env, const char *service);
/* Checks the health of that service, or of all of them, with all attempts, and shows it. -> model.health */
void tui_health(struct tui *t, int env, const char *service);
/* Follows the logs of that service, or of all of them, and shows them. */
void tui_logs(struct tui *t, int env, const char *service);
/* Asks for the answer to the question of a host, when one is asked. */
void tui_ask(struct tui *t);
/* The user leaves all that hosts ask: none comes up by itself again. */
void tui_ask_later(struct tui *t);
/* Whether an action can do anything in this project: views of services need services. */
bool tui_offers(const struct tui *t, enum action act);

#endif
