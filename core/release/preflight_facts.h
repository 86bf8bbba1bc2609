/* SPDX-License-Identifier: MIT */
/*
 * How each engine is asked for a preflight: one statement whose rows are facts, made to words in
 * preflight.c. One file per engine with a server (preflight_postgres.c, preflight_mariadb.c).
 *
 * A statement gives seven columns: the kind of fact, a number, milliseconds, a session's id, who, where,
 * words of a statement; what a kind does not have is null. Its parameters are the id of the runner's
 * session (0: none) and when that began ("": unknown).
 *
 *	longest   ms, session, who, where = database, words   the oldest open transaction, not the runner's
 *	idle      n, ms of the oldest                         idle in transaction
 *	waiting   n, ms of the longest                        sessions that wait for a lock
 *	behind    n, ms of the longest                        … of the runner
 *	maybe     n, ms of the longest                        … perhaps of the runner: nobody tells
 *	runner    ms, session, where = state, words           what it executes
 *	blocked   ms, session, who, where = its state, words  whom the runner waits for
 *	replica   n = bytes behind or null, ms or null, who   one replica, as its primary knows it
 *	replicas  n                                           how many there are, where no more is known
 *	standby   ms                                          this server is a replica, and how far behind
 *	hidden    n                                           sessions that our role may not see (-1: any)
 *	timeout   ms, who = for which locks, or null          a lock timeout in force
 *	disk      n = bytes free, where = the file system
 *	disks                                                 the statement `disk` can be asked
 */
#ifndef RELEASE_PREFLIGHT_FACTS_H
#define RELEASE_PREFLIGHT_FACTS_H

struct preflight_dialect {
	const char *engine;
	const char *ask;
	const char *ask_less;  /* NULL, or the same for a role that `ask` is refused to … */
	const char *denied;    /* … with this code */
	const char *privilege; /* what such a role lacks */
	const char *disk;      /* NULL: the server does not tell */
};

extern const struct preflight_dialect preflight_postgres, preflight_mariadb;

#endif
