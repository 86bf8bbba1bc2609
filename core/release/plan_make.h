/* SPDX-License-Identifier: MIT */
/*
 * Inside of plan_build(): what the makers of the operations (plan_migrate.c, plan_rollback.c,
 * plan_record.c), the gates (gate.c) and the commands that open them (remedy.c) share. Nobody
 * else includes this.
 */
#ifndef RELEASE_PLAN_MAKE_H
#define RELEASE_PLAN_MAKE_H

#include "core/ledger/lock.h"
#include "core/release/plan.h"

/* A plan in the making. Everything but plan is borrowed. */
struct plan_make {
	const struct project *project;
	const struct plan_facts *facts;
	const struct plan_request *request;
	const struct env *env;      /* target */
	const struct env *gate_env; /* of requires, or NULL */
	const struct source *source;
	const struct history *history; /* of the target */
	struct plan *plan;
};

/* A migration as a plan sees it: its file, what the target knows of it, or both. */
struct pick {
	const struct migration *file;
	const struct applied *applied;
	const char *ns, *id, *title, *sort_key;
};

/* --- plan_make.c: steps, notes, names ----------------------------------------------------------- */

/* Appends a zeroed element of size bytes to an array in a: n elements so far. Doubles by copying,
 * so pointers into the array are good until the next call only. */
void *arena_push(struct arena *a, void *list_ptr, size_t *n, size_t size);
/* a copy in the plan's arena; NULL stays NULL. */
const char *plan_str(struct plan *p, const char *s);
struct step *plan_add_step(struct plan_make *m, enum step_kind kind, const char *what,
			   const char *undo);
void plan_note(struct plan *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "apply 0010 add order status": a verb and a migration, in the plan's arena. */
const char *plan_what(struct plan *p, const char *verb, const struct pick *k);
/* Fills what a step says about a migration: names, checksums, file. */
void step_set_migration(struct plan *p, struct step *s, const struct pick *k);
/* The opening steps (lock, gates, backup where the policy wants one; trigger names it) and the closing
 * ones (state file, release). */
void plan_add_opening(struct plan_make *m, const char *trigger);
void plan_add_closing(struct plan_make *m);

/* The history of an environment as read, or NULL. */
const struct history *make_history(const struct plan_make *m, const struct env *env);
/* How long a text took in the latest stage before the target that ran it; -1 unknown. */
int64_t make_expect_ms(const struct plan_make *m, const struct migration *file);
bool str_same(const char *a, const char *b); /* NULL equals "" */

/* Finds what the operator typed among the files and the target's history: an id, the same number
 * written otherwise, or a version label (the last migration that has it). ERR_USAGE with the
 * nearest name. */
int make_resolve(const struct plan_make *m, const char *typed, struct pick *out,
		 struct err *e) MUST_CHECK;
/* The files that are not in force in the target, in numeric order, up to and with the sort key to
 * (NULL: all). Array in the plan's arena. */
struct pick *make_pending(const struct plan_make *m, const char *to, size_t *n);
/* Where a migration of the history stands in the order: its file's key, else the one of its id. */
const char *make_sort_key(const struct source *source, const struct applied *a);
/* "0010, 0011, 0012 and 4 more": up to limit ids. */
void picks_text(struct strbuf *out, const struct pick *list, size_t n, size_t limit);

/* --- the operations: add steps, notes and target to the plan ------------------------------------ */

int plan_make_migrate(struct plan_make *m, struct err *e) MUST_CHECK;
int plan_make_rollback(struct plan_make *m, struct err *e) MUST_CHECK;
int plan_make_baseline(struct plan_make *m, struct err *e) MUST_CHECK;
int plan_make_accept(struct plan_make *m, struct err *e) MUST_CHECK;
int plan_make_mark(struct plan_make *m, struct err *e) MUST_CHECK;
int plan_make_restore(struct plan_make *m, struct err *e) MUST_CHECK;
int plan_make_seed(struct plan_make *m, struct err *e) MUST_CHECK;

/* --- plan_framework.c: migrations that their framework's own tool applies -------------------------- */

/* "alembic" or "django" when that tool applies the source's files; NULL: we do, or nobody can. */
const char *framework_tool(const struct source *s);
/* What history_read_from() is to look for: the tool's table where the files are the tool's. */
const char *framework_history(const struct source *s, const char *want);
/* Gives the step of a plan with a tool its commands, and says what its undo does. */
int framework_step(struct plan_make *m, struct step *s, const struct pick *k,
		   struct err *e) MUST_CHECK;
/* What the operator should know of a plan with a tool. */
void framework_notes(struct plan_make *m);
/* What is applied, the last of the source's order first: as history_newest_first(), whose order a tool
 * does not keep. */
const struct applied **framework_newest_first(const struct plan_make *m, size_t *n);

/* --- gate.c -------------------------------------------------------------------------------------- */

/* Measures the gates of the operation, over the plan's steps. */
void gates_build(struct plan_make *m);
/* Marks what the operator overrides. ERR_USAGE for a gate that is not there or cannot be. */
int gates_override(struct plan *p, struct err *e) MUST_CHECK;
/* Is this what the target has of the migration, in the way the gate environment must have had it?
 * why (may be NULL) gets the measured difference. */
bool gate_passed(enum step_kind kind, enum event_kind event, const struct applied *a,
		 const char *checksum, const char *gate_name, struct strbuf *why);
/* Names of the gates, for the overrides and the tests. */
#define GATE_SOURCE "source"
#define GATE_LEDGER "ledger"
#define GATE_FOREIGN "foreign-history"
#define GATE_COMMAND "migrate-command"
#define GATE_GIT "git"
#define GATE_CHANGED "changed"
#define GATE_MISSING "missing"
#define GATE_FAILED "failed"
#define GATE_LATE "late"
#define GATE_UNFINISHED "unfinished-run"
#define GATE_REVERSIBLE "reversible"
#define GATE_SAME_HISTORY "same-history"

/* States of one migration against today's file that refuse a migrate. */
bool applied_changed(const struct applied *a, const struct migration *file);
bool applied_missing(const struct applied *a, const struct migration *file);
/* The last up script failed, with this very text. */
bool applied_failed(const struct applied *a, const char *checksum);

/* --- remedy.c: commands that, run as printed, change a refusal ---------------------------------- */

/* --confirm NAME or --yes, as the environment asks for. */
void command_confirm(struct strbuf *out, const struct env *env);
/* Makes the missing database of env. */
void command_create(struct strbuf *out, const struct env *env);
/* The command line of the plan itself, without confirmation. */
void command_plan(struct strbuf *out, const struct plan_make *m);
/* accept in env, after the same in the environments it is gated by where they need it. */
void remedy_accept(struct strbuf *out, const struct plan_make *m, const struct env *env,
		   const struct pick *k);
/* Gets the migrations of the plan's steps through the gate environment. */
void remedy_passed(struct strbuf *out, const struct plan_make *m);
/* The plan's own command with an override. */
void remedy_override(struct strbuf *out, const struct plan *p, const char *gate);

#endif
