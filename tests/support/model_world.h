/* SPDX-License-Identifier: MIT */
/*
 * A console without terminal, engine, file or database: the shop of three environments as the model
 * sees it, at a fixed time. For golden screens.
 *
 * Order of use: init, change the world (histories, files), model_world_plan() for what the plan view
 * is to show, model_world_show() once, which hands the facts to the console, then actions and draw.
 */
#ifndef SUPPORT_MODEL_WORLD_H
#define SUPPORT_MODEL_WORLD_H

#include "tests/support/plan_world.h"
#include "tui/tui.h"

#define MODEL_WORLD_NOW 1795270052000 /* Sat 21 Nov 2026 14:07:32 UTC */

struct model_world {
	struct world w;
	struct context ctx;
	struct tui t;
	bool shown;
};

/* Twelve migrations of a shop: development has 10, staging 8, production 6; staging ran another
 * text of 0008; 0009 has no down. */
void model_world_init(struct model_world *m);
void model_world_clear(struct model_world *m);

/* Dates, names and times of everything in force that has none yet. */
void model_world_date(struct model_world *m);
/* The snapshot of the world, with the next plan of each environment. Environments named by unreadable
 * (an index, -1 none) have err instead of a history. */
void model_world_show(struct model_world *m, int unreadable);
/* The source cannot be read. */
void model_world_show_no_source(struct model_world *m);

/* plan_build of w.request; shown in the plan view as if it had been asked for. */
void model_world_plan(struct model_world *m, enum operation op);
void model_world_plan_fails(struct model_world *m);
/* A run of w.request's plan that is at step current (from 1), in this state; not shown yet. Steps
 * before are done, those after wait. Started two minutes ago. */
struct run *model_world_run(struct model_world *m, enum operation op, int number,
			    enum run_state state, int current);
/* Shows it in the plan view; moves it. */
void model_world_watch(struct model_world *m, struct run *r);
void model_world_runs(struct model_world *m, struct run **run, size_t n);

/* The script of a migration, as asked for by the matrix; stored NULL: the same as the file. */
void model_world_script(struct model_world *m, int env, const char *id, const char *file,
			const char *stored);
/* The ledger's events of an environment: one for each migration in force, then what is given. */
void model_world_events(struct model_world *m, int env, const struct history_event *more, size_t n);

/* Staging ran what production is to get: gate staging-passed is open. */
void model_world_open_gate(struct model_world *m);
/* Production armed since 48 seconds. */
void model_world_arm(struct model_world *m);

/* Draws at a size and compares with tests/golden/screens/NAME.txt: the text of the screen, and below
 * it the role of each cell by letter. */
void model_world_golden(struct model_world *m, const char *name, int cols, int rows, bool ascii);

#endif
