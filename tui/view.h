/* SPDX-License-Identifier: MIT */
/*
 * A view: model to cells of a canvas. No I/O, no curses. One file per view, one struct view_ops each.
 */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "core/engine/model.h"
#include "tui/actions.h"
#include "tui/canvas.h"

struct tui; /* the console: model, engine, views, prompts (tui.h) */

/* Where a view paints. Rows 0..1 are title and tabs, the last three rows breadcrumb, news, keys: chrome. */
struct rect {
	int row, col, rows, cols;
};

/* What the chrome shows for the view. */
struct view_words {
	struct strbuf crumb; /* "production > pending > 0142" */
	struct strbuf facts; /* right side of the same row: "1 of 3 pending" */
};

struct view_ops {
	const char *name; /* "Envs": tab text; short for 80 columns */
	const char *short_name;
	unsigned where;    /* its bit of enum action_where */
	size_t state_size; /* zeroed memory kept as long as the console lives */
	void (*open)(struct tui *t, void *state); /* shown; may be NULL */
	/* An event was applied to the model: move the selection along, ask for more. May be NULL. */
	void (*event)(struct tui *t, void *state, enum event_type type);
	/* Paints into r. Reads the model, changes only its own state (scroll position). */
	void (*draw)(const struct tui *t, void *state, struct canvas *c, struct rect r,
		     struct view_words *w);
	/* Runs an action; false when it is not for this view (then the generic layer takes it). arg may be NULL. */
	bool (*action)(struct tui *t, void *state, enum action act, const char *arg);
	/* Find and filter have prompts of the view's own: the actions come to it without a text. */
	bool own_search;
	/* The selected environment (index) for p, b and A; -1 none. May be NULL. */
	int (*selected_env)(const struct tui *t, const void *state);
	void (*close)(void *state); /* frees what state points to; may be NULL */
	/* The actions worth a place in the bottom row, in order, ACT_NONE at the end. */
	const enum action *hints;
};

extern const struct view_ops view_envs, view_matrix, view_plan, view_runs, view_audit, view_details,
	view_logs, view_services, view_help;

#endif
