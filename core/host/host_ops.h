/* SPDX-License-Identifier: MIT */
/*
 * Inside core/host: what a transport gives. host.c has what they share: markers around a command, the
 * questions, the pool. Included by core/host only.
 */
#ifndef HOST_HOST_OPS_H
#define HOST_HOST_OPS_H

#include <pthread.h>

#include "core/base/secret.h"
#include "core/host/host.h"

/* A command as the transport sees it: descriptors, and what the transport itself knows of its end. */
struct host_wire {
	int out, err; /* to read, nonblocking, owned by host.c; -1: none */
	int in;       /* duplex: to write; -1 */
	void *state;  /* of the transport */
};

struct host_ops {
	const char *name;
	/* The text for the login shell is made by host.c (local: argv is used as it is). */
	int (*start)(struct host *h, const char *const *argv, const char *remote_text,
		     const struct host_command *cmd, int64_t deadline_ms, struct cancel *c,
		     struct host_wire *out, struct err *e);
	/* Behind the end of both streams. known false: the transport saw no orderly end. */
	int (*finish)(struct host *h, struct host_wire *w, int64_t deadline_ms, struct cancel *c,
		      struct host_result *r, bool *known, struct err *e);
	void (*end)(struct host *h, struct host_wire *w); /* frees state; ends what still runs */
	int (*dial)(struct host *h, const struct host_target *t, int64_t deadline_ms,
		    struct cancel *c, int *fd, struct err *e);
	int (*forward)(struct host *h, const struct host_target *t, const char *path,
		       int64_t deadline_ms, struct cancel *c, void **state, struct err *e);
	void (*forward_end)(struct host *h, void *state);
	void (*close)(struct host *h); /* frees h->state; joins its thread */
	bool marked; /* commands are wrapped in markers: the transport's own word is not enough */
};

extern const struct host_ops host_local_ops, host_ssh_ops, host_openssh_ops;

struct host {
	struct host *next; /* in the pool */
	char name[HOST_NAME_SIZE];
	struct host_spec spec; /* name points to name */
	struct hosts *pool;
	const struct host_context *ctx;
	const struct host_ops *ops;
	void *state; /* of the transport, made at the first request */

	pthread_mutex_t lock; /* guards everything below */
	struct host_status status;
	struct host_question question;
};

/* --- For transports; any thread ----------------------------------------------------------------- */

void host_set_state(struct host *h, enum host_state s, const struct err *why); /* why NULL: none */
/* Puts q (its id is given here) as what is asked now and fills e with ERR_ASKS. Returns -1. */
int host_ask(struct host *h, const struct host_question *q, struct err *e);
void host_ask_no_more(struct host *h);
/* What was answered for kind and subject (a key's path, "USER@HOST", or a key's "TYPE SHA256:…"); false when
 * nothing was. secret_clear it. */
bool host_answered(struct host *h, enum host_question_kind kind, const char *subject,
		   struct secret *out);
/* It was wrong: asked again next time. */
void host_answer_forget(struct host *h, enum host_question_kind kind, const char *subject);

#endif
