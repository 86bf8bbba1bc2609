/* SPDX-License-Identifier: MIT */
/*
 * Another process that takes an environment's lock and does what it is told: the test program
 * started again with two arguments, LOCK_OTHER_ROLE and the path or the URL of the database. It reads
 * one command per line:
 *
 *   take STALE_MS RUN   takeover STALE_MS RUN   beat   lease   release
 *   write   (a fenced transaction that adds a row to table t)      begin   (a transaction left open)
 *   fenced   (the same with the fence in it)   commit   sql STATEMENT
 *   unit   (write, as one unit of a server)
 *   later MS COMMAND   (answers first, then waits; COMMAND may be "die")
 *   behind STATEMENT   (answers first, then runs it)
 *
 * and answers each with "ok" or the name of the error.
 */
#ifndef SUPPORT_LOCK_OTHER_H
#define SUPPORT_LOCK_OTHER_H

#include <sys/types.h>

#define LOCK_OTHER_ROLE "lock-other"

struct lock_other {
	pid_t pid;
	int to, from;
};

/* What main returns when it was started as the other process. */
int lock_other_main(const char *path);

void lock_other_start(struct lock_other *o, const char *path);
void lock_other_tell(struct lock_other *o, const char *command);
/* Its next line, or "" when none comes. */
const char *lock_other_answer(struct lock_other *o, char line[64]);
/* Tells, and fails the test when the answer is another. */
void lock_other_says(struct lock_other *o, const char *command, const char *expected);
/* SIGSTOP, and back when it has stopped. */
void lock_other_stop(struct lock_other *o);
/* Ends it by a signal; nothing when it has been ended. */
void lock_other_end(struct lock_other *o, int signal_number);

#endif
