/* SPDX-License-Identifier: MIT */
/*
 * Inside the transport of the ssh program: its command lines, and its connections.
 */
#ifndef HOST_OPENSSH_H
#define HOST_OPENSSH_H

#include "core/base/mem.h"
#include "core/host/children.h"
#include "core/host/host_ops.h"

#define OPENSSH_LINKS_MAX 8
#define OPENSSH_SESSIONS_MAX 8 /* of one link; sshd's MaxSessions is 10 */
#define OPENSSH_SAID_MAX ((size_t)64 << 10)
#define OPENSSH_WORDS_MAX 64

/* One ssh -M -N. */
struct openssh_link {
	struct children_child *child;    /* NULL: none */
	char *path;                      /* its control socket */
	int err_fd;                      /* what it says; nonblocking on both sides */
	int sessions;                    /* commands that run on it; lock of the host */
	struct openssh_dialled *dialled; /* unix sockets that it forwards */
};

struct openssh_dialled {
	struct openssh_dialled *next;
	char *target, *path;
	bool proved; /* a connection got through */
};

struct openssh {
	struct children *children;
	/* Taken while a link is made or chosen. It is a descriptor, not a mutex, so that a thread can wait for it
	 * with a deadline: readable when it is free. */
	int turn_fd;
	struct openssh_link link[OPENSSH_LINKS_MAX]; /* turn, but for their sessions */
	int sessions_max;                            /* of one link; lock of the host */
};

/* --- openssh_words.c ---------------------------------------------------------------------------- */

struct openssh_words {
	struct arena arena;
	const char *list[OPENSSH_WORDS_MAX]; /* up to a NULL */
	size_t n;
};

/* The words of every ssh of ours; arena_clear ends them. */
void openssh_words_begin(struct openssh_words *w, const char *control_path);
/* b may be NULL. */
void openssh_words_add(struct openssh_words *w, const char *a, const char *b);
void openssh_words_option(struct openssh_words *w, const char *option);
/* Of a program that uses a link: it must not connect by itself where that is gone, and reads no configuration. */
void openssh_words_client(struct openssh_words *w, const char *log_level);
/* Whom to connect to; before a command. */
int openssh_words_host(struct openssh_words *w, const struct host *h, struct err *e) MUST_CHECK;
/* LOCAL:TARGET of -L, or TARGET of -W where local is NULL. */
const char *openssh_words_forward(struct openssh_words *w, const char *local,
				  const struct host_target *t);

/* --- openssh_link.c ----------------------------------------------------------------------------- */

/* State of the host, made at the first request. */
int openssh_of(struct host *h, struct openssh **out, struct err *e) MUST_CHECK;
int openssh_turn_take(struct openssh *o, int64_t deadline_ms, struct cancel *c,
		      struct err *e) MUST_CHECK;
void openssh_turn_give(struct openssh *o);
/* A pipe for stderr that neither side waits at: what is not read in time is lost. */
int openssh_said_pipe(int fds[2], struct err *e) MUST_CHECK;
/* Takes what is there; at its end *fd is closed. */
void openssh_said_read(int *fd, struct strbuf *said);
/* Runs a short ssh to its end. said gets its stderr. */
int openssh_run(struct openssh *o, const struct openssh_words *w, struct strbuf *said, int *status,
		int64_t deadline_ms, struct cancel *c, struct err *e) MUST_CHECK;
/* A fresh path in the run folder, which leaves room for extra bytes. Caller mem_frees. */
int openssh_fresh_path(const struct host *h, char letter, size_t extra, char **out,
		       struct err *e) MUST_CHECK;
/* Connects l, which is empty, and keeps the host's state. */
int openssh_link_connect(struct host *h, struct openssh *o, struct openssh_link *l,
			 int64_t deadline_ms, struct cancel *c, struct err *e) MUST_CHECK;
void openssh_link_clear(struct openssh_link *l);
/* A link that lives, connected if need be, with a session counted on it when that is wanted. Has the turn. */
int openssh_link_get(struct host *h, struct openssh *o, bool session, int64_t deadline_ms,
		     struct cancel *c, struct openssh_link **out, struct err *e) MUST_CHECK;
/* The same, taking the turn for it. Without that the link's path may go: *path is a copy. What the link said of
 * other things before is dropped. */
int openssh_link_take(struct host *h, struct openssh *o, bool session, int64_t deadline_ms,
		      struct cancel *c, struct openssh_link **out, char **path,
		      struct err *e) MUST_CHECK;
/* What the link said of other things is not about the next dial. Has the turn. */
void openssh_link_hush(struct openssh_link *l);
void openssh_sessions_add(struct host *h, struct openssh_link *l, int n);

#endif
