/* SPDX-License-Identifier: MIT */
/*
 * The objects that statements name, as they are in the database: what tells after a crash whether a
 * statement ran that no transaction held. Worker only, one connection.
 *
 * What is known is remembered from statement to statement, because the environment's lock is ours: a
 * table that was just made need not be asked for, and what the next statement will want to know
 * is asked for behind the one that runs, in the same packet. What a statement may have changed without
 * naming it is not believed any more: everything behind a CALL, triggers behind a DROP TABLE.
 */
#ifndef MIGRATE_OBJECTS_H
#define MIGRATE_OBJECTS_H

#include "core/db/db.h"
#include "core/db/sqlstatement.h"

struct objects;

/* db is borrowed and must outlive it. */
struct objects *objects_new(struct db *db);
void objects_free(struct objects *o);

/* Makes sure that every object the statement names is known, asking for those that are not. No unit may be
 * waiting. ERR_INPUT names one that cannot be described. */
int objects_learn(struct objects *o, const struct sql_facts *f, struct err *e) MUST_CHECK;
/* One digest over all of them as they are now; learned before. "" when the statement names none or leaves no
 * trace in them: nobody could tell from it whether it ran. */
void objects_digest(struct objects *o, const struct sql_facts *f, char hex[DIGEST_HEX_SIZE]);
/* An index built or dropped CONCURRENTLY, as it is now; learned before. */
enum index_state { INDEX_ABSENT, INDEX_VALID, INDEX_INVALID };
enum index_state objects_index(struct objects *o, const struct sql_facts *f);
/* Are all tables that a DML statement writes known to take part in transactions? Learned before. */
bool objects_transactional(struct objects *o, const struct sql_facts *f);
/* The statement is about to run: what it changes is not known from here on. */
void objects_touch(struct objects *o, const struct sql_facts *f, struct sv text);
/* It did not run, or nobody knows: asks anew next time. */
void objects_unlearn(struct objects *o, const struct sql_facts *f);
/* A statement that asks for what the statement f will want to know, to be sent behind another. False: nothing,
 * or not in one question. The answer goes into o when the unit is answered. */
bool objects_ask_ahead(struct objects *o, struct arena *a, const struct sql_facts *f,
		       struct db_item *item);
/* An answer asked for ahead failed: forgets what it was about. */
void objects_forget(struct objects *o);

#endif
