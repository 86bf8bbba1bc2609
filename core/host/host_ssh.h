/* SPDX-License-Identifier: MIT */
/*
 * Inside the libssh2 transport.
 *
 * struct ssh_state belongs to a host. It has connections, struct ssh_link, each with a thread and a libssh2
 * session of its own, and channels, struct ssh_channel, which callers make and a link carries. A channel has two
 * owners, its caller and the one that carries it; the last one frees it.
 *
 * Beside each field stands who may touch it: "lock" is state->lock, "link" the thread of the link that carries the
 * channel (or of the link itself), "caller" whoever made the channel.
 */
#ifndef HOST_HOST_SSH_H
#define HOST_HOST_SSH_H

#include <libssh2.h>

#include "core/host/host_ops.h"
#include "core/host/known_hosts.h"
#include "core/host/ssh_config.h"

/* clang-format off */
#define SSH2_FUNCTIONS(X) \
	X(init) X(version) X(free) \
	X(session_init_ex) X(session_free) X(session_handshake) X(session_disconnect_ex) \
	X(session_set_blocking) X(session_callback_set) X(session_method_pref) X(session_supported_algs) \
	X(session_methods) X(session_last_error) X(session_last_errno) X(session_banner_get) \
	X(session_hostkey) \
	X(userauth_list) X(userauth_authenticated) X(userauth_publickey) \
	X(userauth_publickey_fromfile_ex) X(userauth_password_ex) X(userauth_keyboard_interactive_ex) \
	X(channel_open_ex) X(channel_process_startup) X(channel_setenv_ex) X(channel_read_ex) \
	X(channel_write_ex) X(channel_window_read_ex) X(channel_window_write_ex) X(channel_send_eof) \
	X(channel_wait_closed) X(channel_close) X(channel_free) X(channel_get_exit_status) \
	X(channel_get_exit_signal) \
	X(keepalive_config) X(keepalive_send)
/* clang-format on */

struct ssh2 {
#define X(f) __typeof__(&libssh2_##f) f;
	SSH2_FUNCTIONS(X)
#undef X
};

/* libssh2 1.11 can do RSA keys with SHA-2, and ciphers of key files that 1.10 cannot. */
#define SSH2_VERSION_RSA 0x010b00

int ssh2_load(struct ssh2 *lib, struct err *e) MUST_CHECK;
bool ssh2_has_rsa(const struct ssh2 *lib);

/* --- Channels ----------------------------------------------------------------------------------- */

#define SSH_WINDOW ((unsigned int)2 << 20)       /* of a command */
#define SSH_WINDOW_DIAL ((unsigned int)16 << 20) /* of a stream: may be a log, may be 50 ms away */
#define SSH_WINDOW_BULK ((unsigned int)32 << 20)
#define SSH_BLOCK ((size_t)256 << 10) /* read from libssh2 at once */
#define SSH_STEP ((size_t)32700)      /* given to libssh2 at once: one packet */

/* SSH_NONE: only to know that there is a connection. */
enum ssh_kind { SSH_EXEC, SSH_TCP, SSH_UNIX, SSH_NONE };

enum ssh_phase {
	SSH_WAITS,  /* for a link, or in the inbox of one, or for its turn to be opened */
	SSH_OPENS,  /* the server was asked for a channel */
	SSH_STARTS, /* the server was asked to run the command */
	SSH_RUNS,   /* bytes flow */
	SSH_DRAINS, /* both streams have ended, its close is waited for */
	SSH_ABORTS  /* closed before its end, the server's close is waited for */
};

/* One of our descriptors that a channel is joined to. link */
struct ssh_end {
	struct ssh_channel *channel;
	int fd;         /* -1: closed */
	uint32_t armed; /* events that epoll is asked for */
	bool added;     /* epoll knows it */
	bool gone;      /* nobody is at its other side */
	bool dry, full; /* gave or took nothing the last time: wait until epoll says that it does */
};

enum { SSH_OUT, SSH_ERR, SSH_IN, SSH_ENDS };

struct ssh_channel {
	atomic_int refs;
	struct ssh_state *state;
	struct ssh_channel *next; /* lock: state->waiting or link->inbox; link: link->channels */
	enum ssh_kind kind;
	bool bulk;
	char *text; /* what the login shell gets, or the path, or the host */
	int port;

	/* lock */
	enum ssh_phase phase;  /* written by the link */
	struct ssh_link *link; /* that carries it; NULL: none does */
	bool left;             /* the caller is not interested any more */
	bool opened, failed, finished;
	struct err err;            /* failed: why */
	struct host_result result; /* finished */
	bool known;                /* finished: the server told how it ended */
	int event;                 /* eventfd: opened, failed or finished; drained by the caller */

	/* link */
	LIBSSH2_CHANNEL *ssh;
	struct ssh_end end[SSH_ENDS]; /* a stream: SSH_OUT and SSH_IN are one descriptor */
	bool eof[2];                  /* of the server's two streams */
	uint64_t seen[2];             /* link->arrived when nothing was left in them */
	struct {
		char *data;
		size_t n, at;
	} held[2]; /* read from libssh2, not taken by the reader yet */
	char *in;  /* read from the caller, or given with the command; secret */
	size_t n_in, at_in, cap_in;
	bool in_ended, eof_sent;
	bool keep_in; /* a command's stdin stays open behind its input */
	int tries;
	int64_t asked_us;      /* when it was to be opened */
	struct strbuf message; /* of the opening */
};

struct ssh_channel *ssh_channel_new(struct ssh_state *s, enum ssh_kind kind, const char *text);
void ssh_channel_ref(struct ssh_channel *ch);
void ssh_channel_unref(struct ssh_channel *ch);
/* Under lock: tells the caller. */
void ssh_channel_opened(struct ssh_channel *ch);
void ssh_channel_fail(struct ssh_channel *ch, const struct err *why);
void ssh_channel_finish(struct ssh_channel *ch, const struct host_result *r, bool known);

/* --- Connections -------------------------------------------------------------------------------- */

enum ssh_link_phase { SSH_LINK_CONNECTS, SSH_LINK_READY, SSH_LINK_ENDED };

struct ssh_link {
	struct ssh_link *next; /* lock */
	struct ssh_state *state;
	struct host *host;
	const struct ssh2 *lib;
	pthread_t thread;
	struct cancel stop;
	int wake, epoll;

	/* lock */
	enum ssh_link_phase phase;
	struct ssh_channel *inbox;
	size_t n_session; /* commands given to it that have not ended */
	size_t n_channel; /* everything given to it that has not ended */
	size_t session_max;
	bool full;    /* takes no more commands: the server counts differently from us */
	bool retires; /* takes nothing more */
	bool extra;   /* not the first: ends when it is idle */

	/* link */
	int sock;
	LIBSSH2_SESSION *session;
	int64_t deadline_ms; /* of connecting */
	struct strbuf out;   /* encrypted, not taken by the socket yet */
	size_t out_at;
	bool gate;       /* libssh2 may read from the socket */
	bool dead, mute; /* nothing is read or sent any more */
	int64_t budget;  /* bytes that may be read in this round */
	uint64_t arrived,
		sent; /* rounds in which something was read; bytes given to the socket or l->out */
	bool more;    /* the round ended with its budget, not with the socket */
	int sock_error; /* errno of the socket; 0 */
	bool sock_ended;
	bool sock_added;
	uint32_t sock_armed;
	struct ssh_channel *channels;
	struct ssh_channel
		*opening; /* the one that is being opened: libssh2 can do one at a time */
	LIBSSH2_CHANNEL *
		handle; /* of a command that ended well: something to call libssh2 with when nothing else is there */
	char *block;
	size_t n_aborted, n_opened;
	int64_t idle_since_ms;

	int64_t now_ms, heard_ms, asked_ms;
	int asks;        /* signs of life asked for since the last byte came */
	int64_t owed_ms; /* since when: asks > 0 */
	int64_t sent_ms; /* when the first byte was sent behind the last that came; 0: none was */
	bool silent;     /* and it was said */
	int n_global;    /* signs of life that left an answer inside of libssh2 */
	struct ssh_channel
		*alive;   /* the channel that one was asked through, its answer being awaited */
	int64_t asked_us; /* when; 0: nothing is to be measured */

	struct ssh_auth *auth; /* while it authenticates */
};

struct ssh_state {
	struct host *host;
	struct ssh2 lib;
	pthread_mutex_t
		lock; /* guards what says "lock", here too; host->lock may be taken under it */
	bool closing;
	struct ssh_link *link;
	struct ssh_channel *waiting; /* for a link; in order */
	size_t session_max;
	int64_t no_extra_until_ms; /* the server let no further connection in */
	/* The host on the way that a connection is just being made through. Whoever reads it holds host->lock, so
	 * that the state is not freed. */
	_Atomic(struct host *) via;
	pthread_mutex_t config_lock; /* guards config; held while ssh is asked */
	bool has_config;
	struct ssh_config config;
};

#define SSH_SESSIONS \
	8 /* commands on one connection: the server's MaxSessions is 10 where nobody changed it */
#define SSH_LINKS_MAX 16 /* connections to one host */

/* host_ssh.c */
/* Gives ch to a link, now or as soon as one has room; takes a reference. */
void ssh_submit(struct ssh_state *s, struct ssh_channel *ch);
/* Under lock: gives the waiting ones to links, and makes a link when one is wanted. */
void ssh_dispatch(struct ssh_state *s);
void ssh_wake(struct ssh_link *l);
struct ssh_state *ssh_state_of(struct host *h, struct err *e);
/* The host through which a connection to h (of this transport) is just being made; NULL: none. */
struct host *ssh_state_via(struct host *h);
int ssh_channel_open(struct ssh_channel *ch, int64_t deadline_ms, struct cancel *c, struct err *e);
void ssh_channel_leave(struct ssh_channel *ch);

/* host_ssh_forward.c */
int ssh_forward_open(struct host *h, const struct host_target *t, const char *path,
		     int64_t deadline_ms, struct cancel *c, void **state, struct err *e);
void ssh_forward_close(struct host *h, void *state);

/* host_ssh_link.c: the thread */
void *ssh_link_main(void *arg);
/* Writes what is in l->out. False when the socket is broken. */
bool ssh_link_flush(struct ssh_link *l);
void ssh_link_arm(struct ssh_link *l, struct ssh_end *end, uint32_t events);
void ssh_link_disarm(struct ssh_link *l, struct ssh_end *end);
/* libssh2's words for what went wrong. */
const char *ssh_link_words(struct ssh_link *l);

/* host_ssh_open.c: opens channels, one after another. */
void ssh_link_open_next(struct ssh_link *l);
/* What the server says to the wish to run a command. True when it said something. */
bool ssh_channel_start_step(struct ssh_link *l, struct ssh_channel *ch);
/* Not carried by l any more; the last reference may be gone with it. again: another link is to have it. */
void ssh_channel_drop(struct ssh_link *l, struct ssh_channel *ch, const struct err *why,
		      bool again);

/* host_ssh_channel.c: moves what can be moved. True when something did; ch may be gone then. */
bool ssh_channel_step(struct ssh_link *l, struct ssh_channel *ch);
/* Closes it before its end. */
void ssh_channel_abort(struct ssh_link *l, struct ssh_channel *ch);

/* host_ssh_connect.c: from nothing to an authenticated session; everything until l->deadline_ms */
int ssh_link_connect(struct ssh_link *l, struct err *e) MUST_CHECK;
/* Waits until the socket may have something for libssh2. */
int ssh_link_wait(struct ssh_link *l, struct err *e) MUST_CHECK;

/* host_ssh_auth.c */
int ssh_link_authenticate(struct ssh_link *l, const struct ssh_config *config,
			  struct err *e) MUST_CHECK;

/* --- Authentication ------------------------------------------------------------------------------ */

enum ssh_try {
	SSH_TRY_ERROR, /* e says why: the connection is of no use any more, or a person is asked */
	SSH_TRY_NO,
	SSH_TRY_YES
};

struct ssh_agent;

struct ssh_auth {
	const struct ssh_config *config;
	const char *user;
	/* "USER@HOST:PORT through JUMP": what a password is kept under. Behind another bastion the same name may be
	 * another machine. */
	char subject[448];
	struct strbuf tried;     /* for people: "agent key SHA256:…, ~/.ssh/id_ed25519" */
	struct strbuf remark;    /* what was not tried, and why */
	char remedy[256];        /* for the first of them */
	char methods[256];       /* what the server accepts */
	int failures;            /* the server counts them too */
	bool more;               /* it may accept something else after what it has seen */
	char *list;              /* of libssh2: methods */
	struct ssh_agent *agent; /* NULL: none */
	struct sv signs_with;    /* the key that the agent is to sign with */
	struct err agent_err;    /* why it did not */
	bool wanted;             /* the server asked for a signature */
	bool asks; /* keyboard-interactive: an answer is missing, question says which */
	struct host_question question;
	bool answered; /* with what a person said */
};

/* Notes what is tried now. */
void ssh_auth_note(struct ssh_auth *a, const char *what);
void ssh_auth_remark(struct ssh_auth *a, const char *remark, const char *remedy);
/* What a call of libssh2 said to a try. */
enum ssh_try ssh_auth_judge(struct ssh_link *l, int rc, struct err *e);

/* host_ssh_keys.c: agent and key files */
enum ssh_try ssh_auth_keys(struct ssh_link *l, struct err *e);
/* host_ssh_prompts.c: keyboard-interactive, then password */
enum ssh_try ssh_auth_prompts(struct ssh_link *l, struct err *e);

#endif
