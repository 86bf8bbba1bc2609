/* SPDX-License-Identifier: MIT */
/* One event of an environment's migration history, as plain data. See PROTOCOL in ARCHITECTURE. */
#ifndef LEDGER_EVENT_H
#define LEDGER_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

enum event_kind {
	EVENT_APPLIED,
	EVENT_ROLLED_BACK,
	EVENT_BASELINED, /* recorded as applied, nothing ran */
	EVENT_ACCEPTED,  /* the file as it is now is what was meant: sets a new checksum */
	EVENT_FAILED,    /* written in a transaction of its own after the failing one was undone */
	EVENT_RESTORED,  /* the database was replaced by a backup; id is the backup's */
	/* Statement by statement, where no transaction holds a migration together: */
	EVENT_INTENT, /* the statement is about to run; what a crash behind it left is to be found out */
	EVENT_STATEMENT, /* the statement has run */
	EVENT_MARKED,    /* an operator says of a statement that it has run (done) or has not */
	/* It was applied, but left something that is not in force: objects names it, error says it, attempt
	 * counts from 1. The database alone says whether that is still so. */
	EVENT_WARNING,
	EVENT_SEEDED, /* a seed has run; generation counts how often */
	EVENT_KINDS
};

/* "applied", "rolled-back", … as stored and shown; NULL-safe reverse gives -1 when unknown. */
const char *event_kind_name(enum event_kind kind);
int event_kind_of(const char *name);

/* Strings are borrowed by writers, arena-owned by readers; "" and NULL mean absent. */
struct history_event {
	int64_t seq;    /* event id: order of writing; 0 before it is written */
	const char *ns; /* namespace: the source's name */
	const char *id; /* as the layout writes it, without the title: "009" */
	const char *title;
	const char *sort_key;
	enum event_kind kind;
	bool down;          /* of a failed event: the down script failed */
	int64_t generation; /* how often this migration was applied, from 1 */
	int64_t attempt;    /* failed, accepted: counts from 1 within the generation; else 0 */
	/* Number of the statement it is about, 0 = the whole migration. restored: the seq of the first
	 * event that is no longer in force, which is the backup's history_seq + 1. */
	int64_t statement;
	const char *checksum;      /* s1:… of the up script */
	const char *down_checksum; /* s1:… of the down script, or absent */
	const char *run;           /* run id, or absent */
	int64_t epoch;
	const char *who;
	const char *host;
	int64_t at_utc_ms;
	int64_t took_ms;
	const char *error; /* failed: the engine's words; accepted, marked: the reason */
	/* Of intent, statement, marked, and of failed inside a script: */
	int64_t statements; /* how many the script has */
	const char *hash;   /* s1:… of the statement's text */
	/* intent: digest of the objects it names, as they were before it; warning: the object */
	const char *objects;
	const char *session; /* intent: "id started" of the session that runs it */
	bool done;           /* marked: it has run */
};

#endif
