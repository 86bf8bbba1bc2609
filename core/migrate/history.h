/* SPDX-License-Identifier: MIT */
/*
 * An environment's history: what its database says was applied, derived from the ledger's events.
 * Plain data after history_read(); no scripts in it.
 */
#ifndef MIGRATE_HISTORY_H
#define MIGRATE_HISTORY_H

#include "core/base/mem.h"
#include "core/ledger/event.h"

struct db;

/* One migration as the database knows it. Strings live in the history's arena. */
struct applied {
	const char *ns, *id, *title, *sort_key;
	bool applied;         /* now in force (applied or baselined, not rolled back) */
	bool baselined;       /* recorded only */
	bool failed;          /* the last thing that happened was a failure */
	bool failed_down;     /* … of its down script */
	bool accepted;        /* the checksum in force comes from `accept` */
	const char *checksum; /* in force: of the last applied, baselined or accepted event */
	const char *down_checksum;
	/* Of the last EVENT_APPLIED: what really ran here; NULL if it never ran. */
	const char *ran_checksum;
	/* Of the failure that is the last thing that happened: was the file mended since? Or NULL. */
	const char *failed_checksum, *failed_run;
	const char *who, *host, *run, *error;
	int64_t generation; /* of the last applied or baselined event; 0 when it never was */
	int64_t failed_attempts, accepted_attempts;
	int64_t seq; /* of the event that applied it: order of application, key of its scripts */
	int64_t script_seq; /* event whose stored scripts are in force */
	int64_t at_utc_ms, took_ms;
	int64_t failed_at_utc_ms;
	/* Stopped inside its script, where no transaction holds it together: statements 1 to
	 * statements_done of statements_total have run (of the up; of the down when partial_down). */
	bool partial, partial_down;
	int64_t statements_done, statements_total;
	/* The statement behind those was begun and nobody knows what became of it; NULL: known. */
	const char *open_objects, *open_session, *open_hash;
	const char *const
		*done_hash; /* s1:… of each statement that has run: statements_done of them */
	int64_t partial_attempt;      /* numbers the events of the next try, from 0 */
	const char *partial_checksum; /* of the text whose statements these are */
	/* Applied, but not all of it is in force, as the database shows now: "index orders_i is invalid";
	 * the first of n_warning. NULL: nothing is known against it. */
	const char *warning;
	size_t n_warning;
	/* Of another tool's history: */
	bool no_zone; /* at_utc_ms was stored without a time zone */
	const char
		*recorded; /* the tool's own checksum, "crc32:-1762725568"; NULL: it keeps none */
};

/* What the runner found behind an apply and wrote down. It counts while the database still shows it. */
struct history_warning {
	const char *ns, *id;
	int64_t generation;
	const char *object, *words;
	bool in_force;
};

/* The namespace of seeds, which no source has. */
#define HISTORY_SEEDS "seeds"

/* A seed as the database knows it. */
struct seeded {
	const char *id;       /* its file below the folder of seeds */
	const char *checksum; /* of the text that ran last; NULL: it never ran to its end */
	const char *who, *host, *run, *error; /* error: of the last try, where that failed */
	int64_t runs;                         /* how often it ran; the next is runs + 1 */
	int64_t failed_attempts;              /* of the next */
	int64_t next_attempt; /* numbers the records of its statements, where they have some */
	int64_t at_utc_ms, took_ms;
	bool failed;
};

struct history {
	struct arena arena;
	int format;           /* of the ledger; 0 = none yet */
	bool read_only;       /* a newer format: shown, never written */
	struct applied *list; /* in sort-key order */
	size_t n;
	size_t n_applied;
	struct history_event *event; /* every event, oldest first; only when asked for */
	size_t n_event;
	struct history_warning
		*warning; /* recorded of what is applied now; with in_force false too */
	size_t n_warning;
	struct seeded *seed; /* by id */
	size_t n_seed;
	/* Another tool's table: read, never written. tool NULL: our ledger, or nothing at all. list is
	 * empty until history_resolve joined what the table says with the files. */
	const char *tool;  /* "flyway", "alembic" … */
	const char *table; /* as it is named there */
	struct foreign *foreign;
	const char *const *head; /* several where the tool's history has branches; n_head */
	size_t n_head;
	bool dirty;            /* the tool says that a migration stopped inside */
	const char *note;      /* what else is to be said of it, in words; NULL */
	const char *read_note; /* of it, what was known before the files were */
	const char *
		busy; /* "flyway is migrating (session 4711)", by foreign_busy; NULL: nobody known */
};

/* with_events also keeps the events (history and audit views). */
int history_read(struct db *db, bool with_events, struct history **out, struct err *e) MUST_CHECK;
/* The same where the history may be another tool's. want: "auto" or NULL (our ledger once it has
 * events, else the table of another tool), "bascule" (never look for another), or a tool's name. The rows of
 * another tool are to be joined with the files by history_resolve (core/migrate/foreign.h). */
int history_read_from(struct db *db, const char *want, bool with_events, struct history **out,
		      struct err *e) MUST_CHECK;
void history_free(struct history *h);
const struct applied *history_find(const struct history *h, const char *ns, const char *id);
/* The migrations in force in the reverse of the order they were applied: list[0] is what `rollback
 * last 1` takes. *n entries, malloced; caller frees the array. */
const struct applied **history_newest_first(const struct history *h, size_t *n);

#endif
