/* SPDX-License-Identifier: MIT */
/*
 * Inside core/host: what a transport gives. host.c and host_proc.c have what they share: marks around a command,
 * the questions, the pool, the measuring of clocks. Included by core/host only.
 */
#ifndef HOST_HOST_OPS_H
#define HOST_HOST_OPS_H

#include <pthread.h>

#include "core/base/secret.h"
#include "core/host/host.h"

/* A command as the transport sees it: descriptors, and what the transport itself knows of its end. */
struct host_wire {
	int out, err; /* to read, nonblocking, owned by host_proc.c; -1: none */
	int in;       /* duplex: to write, nonblocking, owned by host_proc.c; -1 */
	void *state;  /* of the transport */
};

struct host_ops {
	const char *name;
	/* remote_text is for the login shell and made by wrap.c (NULL when not marked: cmd is used as it is; argv is
	 * cmd->argv).
	 * cmd->input is to be written to stdin byte for byte. A marked command's stdin stays open behind it, until
	 * end() or, when duplex, until wire.in ends: its end tells the other side that nobody is there any more,
	 * and ends the command. */
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
	void (*close)(
		struct host *h); /* ends and joins its threads; frees h->state unless forget does */
	/* Frees h->state when all hosts are closed: until then threads of others may look at it. May be NULL. */
	void (*forget)(struct host *h);
	/* What its own program said on stderr where it ended with lost_status and no mark was seen, as an error.
	 * ERR_BUSY: nothing ran, and the same request may go well now. Any other: nobody knows. NULL: there is no
	 * such program. */
	void (*explain)(struct host *h, const struct host_wire *w, struct sv said, struct err *e);
	int lost_status;
	bool marked; /* commands are wrapped in marks: the transport's own word is not enough */
};

extern const struct host_ops host_local_ops, host_ssh_ops, host_openssh_ops;

struct host {
	struct host *next; /* in the pool */
	char name[HOST_NAME_SIZE];
	struct host_spec spec; /* name points to name */
	struct hosts *pool;
	const struct host_context *ctx;
	const struct host_ops *ops;
	void *state; /* of the transport, made at the first request; the transport guards it by lock */

	pthread_mutex_t lock; /* guards everything below; nothing waits while it is held */
	struct host_status status;
	struct host_question question;
	enum host_news told; /* HOST_NEWS_BACK: nothing else was */
	/* A command of this connection was asked for the time there. host_set_state(HOST_CONNECTING) undoes it. */
	bool clock_asked;
	struct http_client *idle; /* of http.c: with a warm connection, for who asks next */
};

/* --- For transports; any thread ----------------------------------------------------------------- */

/* why NULL: none. HOST_CONNECTING forgets what was known of the connection before. */
void host_set_state(struct host *h, enum host_state s, const struct err *why);
void host_set_about(struct host *h, const char *about);
void host_set_round_trip(struct host *h, int64_t us);
/* Nothing came since then although it was asked; 0: something came. */
void host_set_silent(struct host *h, int64_t since_utc_ms);
/* The other clock said remote_us at a moment between these two of ours, all microseconds since 1970, and
 * nearer to the second. */
void host_set_clock(struct host *h, int64_t sent_us, int64_t got_us, int64_t remote_us);
/* Puts q (its id and host are given here) as what is asked now and fills e with ERR_ASKS. Returns -1.
 * q->subject is what the answer is kept under; of a key, where it is empty, "TYPE SHA256:…". */
int host_ask(struct host *h, const struct host_question *q, struct err *e);
void host_ask_no_more(struct host *h);
/* What was answered for kind and subject (a key's path, "USER@HOST through JUMP", or a key's "TYPE SHA256:…"); false when
 * nothing was. secret_clear it. The answer about a key counts for the host that asked only. */
bool host_answered(struct host *h, enum host_question_kind kind, const char *subject,
		   struct secret *out);
/* It was wrong: asked again next time. */
void host_answer_forget(struct host *h, enum host_question_kind kind, const char *subject);

#endif
