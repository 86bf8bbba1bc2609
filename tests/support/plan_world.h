/* SPDX-License-Identifier: MIT */
/*
 * A small world for tests of plans: a project of three environments, migration files and histories
 * as plain data, without any file or database. development <- staging <- production (protected).
 */
#ifndef SUPPORT_PLAN_WORLD_H
#define SUPPORT_PLAN_WORLD_H

#include "core/ledger/lock.h"
#include "core/release/plan.h"

enum { DEV, STAGING, PROD, WORLD_ENVS };

struct world {
	struct arena arena;
	struct project project;
	struct plan_facts facts;
	struct plan_request request;
	struct plan *plan; /* of the last world_plan */
	struct err e;
	int64_t seq; /* of the last event */
};

/* Three empty histories, no file. `requires` of production is staging, of staging development. */
void world_init(struct world *w);
void world_clear(struct world *w);

/* A file with a down, its text named by a word that becomes the checksum "s1:<text>". */
struct migration *world_file(struct world *w, const char *id, const char *title, const char *text);
void world_remove_file(struct world *w, const char *id);

/* Events, as history_read() would derive them. They return what the environment now knows; good until the
 * next event of that environment. */
struct applied *world_applied(struct world *w, int env, const char *id, const char *text);
struct applied *world_baselined(struct world *w, int env, const char *id, const char *text);
struct applied *world_accepted(struct world *w, int env, const char *id, const char *text);
struct applied *world_failed(struct world *w, int env, const char *id, const char *text);
struct applied *world_rolled_back(struct world *w, int env, const char *id);
/* n files 0001 … with texts t1 …, applied in development, staging and production up to the given numbers. */
void world_fill(struct world *w, int files, int dev, int staging, int prod);

/* plan_build of w->request (of production unless it names an environment) into w->plan; the
 * result of plan_build. */
int world_plan(struct world *w, enum operation op);
/* The gate of that name in the plan, or NULL. */
const struct gate *world_gate(const struct world *w, const char *name);
/* "lock gates backup migrate:0003 release" */
char *world_steps(const struct world *w);
bool world_has_note(const struct world *w, const char *part);

#endif
