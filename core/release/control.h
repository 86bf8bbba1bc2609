/* SPDX-License-Identifier: MIT */
/*
 * The runner's second thread: it beats the lock, listens on the run's socket, and watches for the
 * request to stop. It changes nothing itself: requests go into a box that the main thread empties
 * between steps; an abort and the loss of the lock reach into a step, by firing the work's cancel, and a
 * request to cancel its statement, which is passed on to the database from here.
 *
 * On the socket: one JSON object and a newline in, {"verb":"skip","who":"…","reason":"…"}; one back,
 * {"ok":true} or {"ok":false,"code":"gate","msg":"…","hint":"…"}. Only the run's own user (or root) is
 * heard.
 */
#ifndef RELEASE_CONTROL_H
#define RELEASE_CONTROL_H

#include "core/base/cancel.h"
#include "core/ledger/lock.h"

#define CONTROL_MESSAGE_MAX 4096
#define CONTROL_CLIENTS_MAX 8
#define CONTROL_CLIENT_MS 2000 /* a client that says nothing for longer is dropped */
#define CONTROL_REASON_SIZE 512

enum control_verb {
	CONTROL_NONE,
	CONTROL_ABORT,
	CONTROL_STOP,
	CONTROL_RETRY,
	CONTROL_SKIP,
	CONTROL_ROLL_BACK,
	CONTROL_CANCEL
};
const char *control_verb_name(enum control_verb v);
enum control_verb control_verb_of(const char *name); /* CONTROL_NONE when unknown */

struct control_request {
	enum control_verb verb;
	char who[64];
	char reason[CONTROL_REASON_SIZE];
};

/* One line of the socket to a request. ERR_INPUT, ERR_USAGE. */
int control_parse(struct sv text, struct control_request *out, struct err *e) MUST_CHECK;

struct control;

/* Starts the thread. work is fired on abort, on stop while waiting (control_set_waiting) and when the
 * lock is lost; stop is watched, not fired. dir is the run's folder. */
int control_start(const char *dir, struct cancel *work, struct cancel *stop, struct control **out,
		  struct err *e) MUST_CHECK;
/* Ends and joins the thread, removes the socket when it is still ours. NULL is fine. */
void control_stop(struct control *c);

/* Main thread. From now on this lock is beaten every beat_ms; NULL: no more, and when this returns the
 * thread does not touch the old one. */
void control_set_lock(struct control *c, struct lock *lock, int64_t beat_ms);
/* Main thread. From now on a request to cancel interrupts what db executes; NULL: there is nothing to
 * cancel, and when this returns the thread does not touch the old one. */
void control_set_db(struct control *c, struct db *db);
/* The last request to cancel that was passed on since this was called last; false: there was none. */
bool control_take_cancel(struct control *c, struct control_request *out);
/* Readable from a cancel on until it is taken: ends a wait between two tries of a statement. */
int control_cancel_fd(const struct control *c);
/* While waiting (for the lock) a stop ends the wait at once. */
void control_set_waiting(struct control *c, bool waiting);
/* While paused, retry, skip and roll-back are accepted. */
void control_set_paused(struct control *c, bool paused);
/* Takes the request out of the box; false when there is none. A stop by signal is one, too. */
bool control_take(struct control *c, struct control_request *out);
/* True once the lock was found lost. */
bool control_fenced(struct control *c);
/* Readable when there is something to take. */
int control_fd(const struct control *c);

#endif
