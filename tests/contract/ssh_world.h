/* SPDX-License-Identifier: MIT */
/* A pool of hosts that log in to throw-away sshds by libssh2, and things to reach through them. */
#ifndef CONTRACT_SSH_WORLD_H
#define CONTRACT_SSH_WORLD_H

#include "core/base/clock.h"
#include "core/host/host.h"
#include "tests/support/services.h"

#define SSH_WORLD_LONG_MS 60000

struct ssh_world {
	struct server server;
	struct host_context ctx;
	struct host_spec spec;
	struct hosts *pool;
	struct host *host;
	char *config; /* of this world, when it changed something */
	char *dir;
};

/* options as of `services.sh start ssh`. Skips the test when there is no sshd here. */
void ssh_world_open(struct ssh_world *w, const char *name, const char *options);
void ssh_world_close(struct ssh_world *w);
/* Ends the pool and makes another one: nothing is connected, nothing answered. */
void ssh_world_again(struct ssh_world *w);
/* A configuration of ssh that begins with text (Host NAME and what follows) and has the server's address, known
 * hosts and key where text says no other ones. Makes a new pool. */
void ssh_world_config(struct ssh_world *w, const char *text);

int64_t ssh_world_soon(void);
/* Runs a script there; fails the test when nobody knows how it ended. Returns its status; out (may be NULL)
 * gets what it printed. */
int ssh_world_run(struct ssh_world *w, const char *script, struct strbuf *out);
/* The same where a connection has less time than a busy machine may need: tried until it was in time. */
int ssh_world_run_soon(struct ssh_world *w, const char *script);
/* It is the connection that it was. */
void ssh_world_stayed(struct host *h, const struct host_status *before);
/* The same, to be refused: e says why. */
void ssh_world_refused(struct ssh_world *w, struct err *e, enum err_code code);
const char *ssh_world_said(const struct err *e);

/* An echo server in a thread of this test: what comes is sent back. Ends with echo_stop. */
struct echo;
struct echo *echo_start(const char *path); /* NULL: on a port of 127.0.0.1 */
int echo_port(const struct echo *s);
int echo_count(struct echo *s); /* connections that are open */
void echo_stop(struct echo *s);
/* Sends n bytes through fd and reads them back; fails the test when they are others. */
void echo_through(int fd, size_t n);

#endif
