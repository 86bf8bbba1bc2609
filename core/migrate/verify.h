/* SPDX-License-Identifier: MIT */
/*
 * Is what was applied in force? An index that is not valid, a constraint that was never validated, a
 * foreign key that was made while nobody looked: the engine calls such a migration done.
 *
 * What is found is written down as EVENT_WARNING, and is a warning for as long as the database shows
 * it: mending it needs no word to bascule.
 */
#ifndef MIGRATE_VERIFY_H
#define MIGRATE_VERIFY_H

#include "core/db/db.h"
#include "core/migrate/history.h"

struct finding {
	/* Names it in an event, for ever: "index public.orders_i", "foreign key orders.orders_fk". */
	const char *object;
	const char *name;      /* "orders_i" */
	const char *words;     /* "index orders_i is invalid: no query uses it" */
	const char *mend;      /* a statement or an action */
	const char *migration; /* verify_report: its id, or NULL when none of ours explains it */
};

/* All zero: empty. */
struct findings {
	struct arena arena;
	struct finding *list;
	size_t n, cap;
};

/* Time for each foreign key: behind an apply and for `check`, and while a screen is drawn. */
#define VERIFY_CHECK_MS 5000
#define VERIFY_LOOK_MS 500

void findings_clear(struct findings *f);

/* Could the script leave something that is not in force? Pure; where it says no, nothing is asked. */
bool verify_wanted(const char *engine, struct sv script);

/* Everything in the database that is not in force, whoever made it. */
int verify_database(struct db *db, struct findings *out, struct err *e) MUST_CHECK;

/* What the script left: what is not in force now and was before (NULL: nobody looked) or is named by the script,
 * which is how an IF NOT EXISTS is caught that passed over an invalid index. Foreign keys that it made
 * unchecked are checked against the rows. */
int verify_script(struct db *db, struct sv script, const struct findings *before,
		  struct findings *out, struct err *e) MUST_CHECK;

/* Says of each recorded warning whether it is still in force, and of each migration what is to be said of it.
 * Asks the database only when there is one; a question that fails leaves it in force. limit_ms: for each
 * foreign key. */
void verify_history(struct db *db, struct history *h, int64_t limit_ms);

/* Both: everything that is not in force, each with the migration whose warning it is. Updates h. */
int verify_report(struct db *db, struct history *h, int64_t limit_ms, struct findings *out,
		  struct err *e) MUST_CHECK;

#endif
