/* SPDX-License-Identifier: MIT */
/*
 * Where commands run: this machine, or another one over SSH. argv in, bytes out.
 *
 * A struct host stands for one machine and may be used by any thread. Nothing is connected before the first
 * request; then one thread of the host owns the session and carries the bytes of all channels (commands,
 * followed logs, dialled streams, forwarded sockets) between the network and ordinary descriptors, which the
 * callers read and wait for with wait_fds. A slow reader slows its own channel only, down to the remote
 * program. Behind a session that broke, the next request connects anew.
 *
 * Results are truthful: a command has ended when its own end marker, the end of its output, its exit status
 * and no signal were all seen. What is not known is ERR_LOST, never success.
 *
 * What only a person can decide or knows (an unknown host key, a passphrase) is a question: the request fails
 * with ERR_ASKS, host_question() tells what is asked, host_answer() answers, and the same request is tried
 * again.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "core/base/cancel.h"
#include "core/base/str.h"

#define HOST_NAME_SIZE 128

enum host_transport {
	HOST_LOCAL,   /* this machine: posix_spawn, own process group */
	HOST_LIBSSH2, /* one libssh2 session in a thread of the host */
	HOST_OPENSSH  /* the ssh program with a ControlMaster */
};

/* Plain data, from the configuration. */
struct host_spec {
	const char *name; /* "local", an alias of ssh's configuration, or [USER@]HOST[:PORT] */
	enum host_transport transport;
	int64_t connect_timeout_ms; /* to the authenticated session */
	int64_t alive_ms; /* a sign of life is asked for each; dead after three without an answer */
};

/* What hosts must know of the world outside; given once, borrowed, read-only. */
struct host_context {
	const char *home;         /* for ~ in ssh's configuration */
	const char *login;        /* user name where nothing says another */
	const char *ssh_config;   /* given to ssh -F; NULL: its own files */
	const char *agent_socket; /* $SSH_AUTH_SOCK; NULL: none */
	const char *
		run_dir; /* private folder of this process for sockets; short: their paths have 107 bytes */
};

struct host;

/* --- The pool: one struct host for each name and transport ------------------------------------- */

struct hosts;
struct hosts *hosts_new(const struct host_context *ctx);
/* Ends every session, closes every channel, joins every thread. NULL is fine. */
void hosts_free(struct hosts *p);
/* The host of spec, which lives as long as p. Does not connect. Any thread. */
struct host *hosts_get(struct hosts *p, const struct host_spec *spec);

const char *host_name(const struct host *h);
bool host_is_local(const struct host *h);

/* --- How it stands ------------------------------------------------------------------------------ */

enum host_state { HOST_IDLE, HOST_CONNECTING, HOST_READY, HOST_ASKS, HOST_DOWN };

struct host_status {
	enum host_state state;
	struct err err;        /* HOST_DOWN, HOST_ASKS: why */
	int64_t since_utc_ms;  /* of the state */
	int64_t round_trip_us; /* of the last sign of life; -1 unknown */
	/* HOST_READY: it owes an answer, and this is when the last byte came; 0: it answers. Only libssh2 sees it. */
	int64_t silent_utc_ms;
	bool skew_known;
	int64_t skew_ms; /* its clock minus ours, measured at the connection */
	char about[160]; /* "OpenSSH_9.2, ssh-ed25519, curve25519-sha256"; "" when not connected */
};
void host_status(struct host *h, struct host_status *out); /* any thread, does not wait */
const char *host_state_name(enum host_state s);

enum host_news {
	HOST_NEWS_SILENT, /* it owes an answer: what was seen of it may be wrong by now */
	HOST_NEWS_LOST,   /* HOST_DOWN */
	HOST_NEWS_BACK    /* behind one of these: it answers */
};

/* Told of news at once, by whichever thread has them and under a lock: fn calls nothing of this header and does not
 * wait. */
struct host_watch {
	void (*fn)(void *arg, const struct host *h, enum host_news news,
		   const struct host_status *now);
	void *arg;
	const struct host *only; /* of the pool */
	struct host_watch *next;
};
/* w is the caller's and stays where it is until unwatched; behind that fn is not called any more. */
void hosts_watch(struct hosts *p, struct host_watch *w); /* all of its hosts */
void hosts_unwatch(struct hosts *p, struct host_watch *w);
void host_watch(struct host *h, struct host_watch *w);
void host_unwatch(struct host *h, struct host_watch *w);
/* Its silence as an error. May be called by a watch. */
void host_silent_err(const struct host *h, const struct host_status *now, struct err *e);

enum host_question_kind {
	HOST_QUESTION_NONE,
	HOST_QUESTION_KEY, /* an unknown host key: answered by the last four characters of sha256 */
	HOST_QUESTION_PASSPHRASE, /* of a key file */
	HOST_QUESTION_PASSWORD,
	HOST_QUESTION_PROMPT /* keyboard-interactive: text is the server's, cleaned */
};

struct host_question {
	enum host_question_kind kind;
	uint64_t id; /* of this question; an answer to another one is ERR_NOT_FOUND */
	char host[HOST_NAME_SIZE];
	char text[320]; /* what to ask, one line: "passphrase of ~/.ssh/id_ed25519" */
	char subject
		[512]; /* what the answer is kept under: a key's path, "USER@HOST through JUMP", … */
	char key_type[48], sha256[64]; /* HOST_QUESTION_KEY: "ssh-ed25519", "SHA256:…" */
	bool echo;                     /* what is typed may be shown */
};
/* False when nothing is asked. Any thread. */
bool host_question(struct host *h, struct host_question *out);
/* Answers question id; text is copied and wiped. ERR_GATE when the four characters of a key are not those: the
 * question stays. A key that is accepted is added to the user's first known_hosts file. A passphrase or
 * password is kept for this process, and tried at the next request. Any thread. */
int host_answer(struct host *h, uint64_t id, const char *text, struct err *e) MUST_CHECK;
/* What was answered (not keys), for a runner that has nobody to ask: appends lines KIND TAB SUBJECT TAB TEXT,
 * and takes such lines before anything connects. The text is secret. */
void hosts_answers_write(struct hosts *p, struct strbuf *out);
int hosts_answers_read(struct hosts *p, struct sv text, struct err *e) MUST_CHECK;

/* --- Commands ----------------------------------------------------------------------------------- */

#define HOST_INPUT_MAX ((size_t)1 << 20)
#define HOST_READ_MIN ((size_t)4096) /* the smallest buffer to read into */

struct host_command {
	/* Words up to a NULL. No shell reads them. */
	const char *const *argv;
	/* Not NULL: a constant text of ours for /bin/sh (POSIX), with argv as its $1 $2 … */
	const char *script;
	/* stdin, at most HOST_INPUT_MAX; may be secret. Empty: /dev/null. Over SSH the command gets all of it or,
	 * when the connection is cut before, nothing. */
	struct sv input;
	/* stdin is the caller's to write (host_proc_in); no input then. Behind its end the command may go on as
	 * long as somebody reads it. */
	bool duplex;
	bool bulk; /* much is going to come: a large window */
};

struct host_proc; /* a running command; used by one thread at a time */

/* Connects if need be and starts the command. deadline_ms (CLOCK_MONOTONIC) is of the start only. */
int host_start(struct host *h, const struct host_command *cmd, int64_t deadline_ms,
	       struct cancel *c, struct host_proc **out, struct err *e) MUST_CHECK;

enum host_stream { HOST_OUT, HOST_ERR };
/* To wait for with POLLIN; -1 when the stream has ended. It may be readable with nothing for the caller in it. */
int host_proc_fd(const struct host_proc *p, enum host_stream s);
/* Of a duplex command: a nonblocking socket to send to (with MSG_NOSIGNAL); host_proc_end_input closes it.
 * -1: none. */
int host_proc_in(const struct host_proc *p);
void host_proc_end_input(struct host_proc *p);
/* Reads what is there; size is at least HOST_READ_MIN. 0 with *got == 0: nothing now, or, when host_proc_fd is
 * -1 since, the end. Markers and what a chatty login shell printed before them are not in it. */
int host_proc_read(struct host_proc *p, enum host_stream s, void *buf, size_t size, size_t *got,
		   struct err *e) MUST_CHECK;

/* Over SSH a shell stands between, which cannot tell exit status 128 + n from signal n: both are the signal. */
struct host_result {
	int status;      /* of exit; -1 when a signal ended it */
	char signal[16]; /* "KILL"; "" */
};
/* Behind the end of both streams: how it ended. ERR_LOST: nobody knows. */
int host_proc_finish(struct host_proc *p, int64_t deadline_ms, struct cancel *c,
		     struct host_result *r, struct err *e) MUST_CHECK;
/* Frees p. What still runs there is ended with its process group: TERM, two seconds later KILL; so it is when
 * the connection is cut or this program killed. Does not wait for it. What a command leaves behind in its group
 * when it ends is killed with its end. NULL is fine. */
void host_proc_close(struct host_proc *p);

/* All of it: starts, reads to the end, finishes. out and err (may be NULL) get at most their max; more is
 * ERR_LIMIT. r may be NULL: then a status other than 0 is an error too, with the last line of stderr as its
 * detail. */
int host_run(struct host *h, const struct host_command *cmd, struct strbuf *out, struct strbuf *err,
	     struct host_result *r, int64_t deadline_ms, struct cancel *c,
	     struct err *e) MUST_CHECK;

/* --- Streams ------------------------------------------------------------------------------------ */

struct host_target {
	const char *path; /* a unix socket there; or, when NULL, */
	const char *host; /* as that machine resolves it */
	int port;
};

/* A connected nonblocking socket to target as seen from the host; the caller's to close. ERR_UNSUPPORTED where
 * the server forbids it. */
int host_dial(struct host *h, const struct host_target *t, int64_t deadline_ms, struct cancel *c,
	      int *fd, struct err *e) MUST_CHECK;

/* Listens on the unix socket path here (0600, in a folder of 0700 that the caller made) and joins each
 * connection to one to target from the host. */
struct host_forward;
int host_forward_open(struct host *h, const struct host_target *t, const char *path,
		      int64_t deadline_ms, struct cancel *c, struct host_forward **out,
		      struct err *e) MUST_CHECK;
void host_forward_close(
	struct host_forward *f); /* its connections too; the path is removed. NULL is fine */

#endif
