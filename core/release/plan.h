/* SPDX-License-Identifier: MIT */
/*
 * A plan: what an operation will do, step by step, and whether its gates are open. Pure data, made by
 * plan_* in plan.c from facts, printed as text or JSON, shown by the console, frozen by run.c.
 * Everything that changes an environment is a plan.
 */
#ifndef RELEASE_PLAN_H
#define RELEASE_PLAN_H

#include <jansson.h>

#include "core/migrate/matrix.h"
#include "core/release/env.h"

struct seeds;

enum operation {
	OP_MIGRATE,
	OP_ROLLBACK,
	OP_BASELINE,
	OP_ACCEPT,
	OP_MARK, /* of a statement of a partial migration: has it run? */
	OP_RESTORE,
	OP_SEED,
	OP_KINDS
};
const char *operation_name(enum operation op);
int operation_of(const char *name); /* -1 when unknown */

enum step_kind {
	STEP_LOCK,   /* take the environment's lock, bump the epoch */
	STEP_GATES,  /* measure the gates again, on live data */
	STEP_BACKUP, /* a verified copy before the change */
	STEP_UP,     /* one migration up */
	STEP_DOWN,   /* one migration down */
	STEP_RECORD, /* a history event without running anything: baseline, accept */
	STEP_RESTORE,
	STEP_SEED,       /* a repeatable script, with its event */
	STEP_STATE_FILE, /* applied/<environment>.json */
	STEP_RELEASE,    /* give the lock back */
	STEP_KINDS
};
/* "lock", "gates", "backup", "migrate", "roll back" … */
const char *step_kind_name(enum step_kind kind);
int step_kind_of(const char *name);

struct git_state;

struct step {
	int n; /* from 1 */
	enum step_kind kind;
	const char *what;  /* "apply 0010 add order status" */
	const char *undo;  /* what undo does, in words; "" nothing to undo; never NULL */
	bool no_return;    /* a rollback cannot take this back (no down, data loss) */
	int64_t expect_ms; /* from the history of another environment; -1 unknown */
	/* STEP_UP, STEP_DOWN, STEP_RECORD */
	const char *ns, *id, *title, *sort_key, *version;
	const char *checksum, *down_checksum; /* of the texts that are stored with the event */
	/* What the gate environment must have run, where its engine has a file of its own: "" when it
	 * has none; NULL: checksum. */
	const char *gate_checksum;
	const char *file;   /* file name, for errors */
	int64_t generation; /* that this step writes */
	bool no_transaction;
	bool has_down; /* one that does something; else none is stored (an empty one undoes nothing) */
	enum event_kind event; /* STEP_RECORD */
	const char *reason;    /* STEP_RECORD accept, mark */
	/* STEP_RECORD mark: the statement, of how many, of which direction, and whether it has run. STEP_UP,
	 * STEP_DOWN of a partial one: the first statement that runs, of how many; 0: all. */
	int64_t statement, statements;
	bool statement_down, statement_done;
	/* In a plan with a tool: what is run for it, and to take it back; words for words_split(). A step has
	 * a command or scripts, never both. NULL: scripts. */
	const char *command, *undo_command;
	const char *backup; /* STEP_RESTORE: id; STEP_BACKUP: trigger */
	/* STEP_SEED: the file; STEP_RESTORE: folder of the backup; STEP_STATE_FILE: the file */
	const char *path;
};

struct gate {
	const char *name; /* "staging-passed", "changed", "missing", "failed", "late", … */
	bool open;
	bool overridden; /* closed, and passed by --override with a reason */
	bool can_override;
	/* "production takes only what staging has applied with the same checksum" */
	const char *rule;
	const char *measured; /* "0011: not applied in staging" */
	/* a command that, run as printed, changes the refusal; "" when open */
	const char *satisfy;
};

struct plan_override {
	const char *gate, *reason;
};

struct plan {
	struct arena arena;
	enum operation op;
	const char *project;
	const char *environment;
	bool is_protected;
	enum env_confirm confirm;
	const char *target; /* "to 0010", "last 2", "to-version 1.8.0", "backup …"; "" */
	const char *from_head, *to_head; /* schema heads before and after; "" none */
	struct gate *gate;
	size_t n_gate;
	struct step *step;
	size_t n_step;
	size_t n_change;   /* steps that change the database: 0 = nothing to do */
	const char **note; /* what else the operator should know, in words */
	size_t n_note;
	struct plan_override *override; /* as given */
	size_t n_override;
	/* frozen with it */
	struct env env;      /* target, deep copy */
	struct env gate_env; /* the environment of requires; name NULL when none */
	const char *config_digest;
	const char *base_dir;
	const char *schema_version;
	const char *source_dir;
	const char *seeds_dir;       /* NULL: frozen by a version that had none */
	const char *migrate_command; /* of a framework; words, or NULL */
	const char *
		tool; /* "alembic", "django": it applies the migrations and keeps the history; NULL: we do */
	bool state_files;
	bool down_from_file; /* --down=file */
	const char *command; /* the command line that makes this plan, for people */
	/* The history this plan was made on, without the migrations it changes itself: gate same-history. */
	size_t base_count; /* migrations in force */
	int64_t base_seq;  /* the newest event that applied one of them */
	/* The run that executes it; NULL in a fresh plan, not frozen. Set by the runner before
	 * gates_measure: what failed in this very run does not close gate failed again on resume. */
	const char *run;
};

/* What a plan is made from: read by plan_facts_read (worker) or put together by a test. */
struct plan_facts {
	struct source *source;    /* owned */
	struct history **history; /* per environment of the project, NULL = not read; owned */
	struct err *history_err;  /* per environment: why it is NULL */
	size_t n_env;
	struct lock_holder *holder; /* of the target; NULL unknown; owned */
	struct git_state *git;      /* of the source's folder; NULL: not asked; owned */
	/* of the target: id of a run that is interrupted or paused; owned */
	const char *unfinished_run;
	const char *unfinished_state;
	size_t unfinished_step;
	bool no_backup; /* of the target: restore is no way back */
};

struct plan_request {
	enum operation op;
	const char *environment;
	const char *to;         /* migrate --to ID (the id, or a version label); baseline --to */
	const char *only;       /* accept ID, mark ID */
	int64_t last;           /* rollback last N; 0 when not */
	const char *to_version; /* rollback to-version V */
	bool down_from_file;
	const char *reason;      /* accept, mark */
	int64_t statement;       /* mark */
	bool statement_done;     /* mark … done, or not-done */
	const char *backup;      /* restore: id */
	const char *backup_path; /* restore: folder, filled by the caller from backup_find */
	const struct plan_override *override;
	size_t n_override;
	/* console: only these ids (NULL: all pending); must be a prefix-closed choice */
	const char *const *marked;
	size_t n_marked;
	const struct seeds *seeds; /* seed: read by the caller; marked names some of them */
	/* console `p`: only what this environment has applied; NULL: everything */
	const char *towards;
};

/* Reads the source and the histories of the target, its gate environment, the gate's own gate and so
 * on (all: of every environment). A target whose history cannot be read is an error; others are in
 * history_err. */
int plan_facts_read(const struct project *p, const struct context *ctx, const char *environment,
		    bool all, struct cancel *c, struct plan_facts *out, struct err *e) MUST_CHECK;
void plan_facts_clear(struct plan_facts *f);

/* Pure. Usage mistakes (unknown id, nothing by that version) are errors; closed gates are not: they
 * are in the plan. The plan owns all its strings. */
int plan_build(const struct project *p, const struct plan_facts *f, const struct plan_request *r,
	       struct plan **out, struct err *e) MUST_CHECK;
void plan_free(struct plan *p);

/* The first closed gate that is not overridden, or NULL. */
const struct gate *plan_closed_gate(const struct plan *p);
/* That gate as an error: ERR_GATE with rule, measured value and satisfying command. */
int plan_refuse(const struct plan *p, struct err *e);

/* The document of CONTRACT `plan … --json`. */
json_t *plan_json(const struct plan *p);
/* The frozen form: everything, and back. */
json_t *plan_freeze(const struct plan *p);
int plan_thaw(const json_t *j, struct plan **out, struct err *e) MUST_CHECK;
/* Linear text: header, gates, steps, notes. */
void plan_text(const struct plan *p, struct strbuf *out);

/* Gates measured on live data by the runner (STEP_GATES): fresh source is not read, the frozen
 * checksums are compared with today's histories. Replaces the gates of p. gate.c. */
int gates_measure(struct plan *p, const struct history *target, const struct history *gate_env,
		  struct err *e) MUST_CHECK;

#endif
