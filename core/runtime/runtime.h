/* SPDX-License-Identifier: MIT */
/*
 * How a service is driven and read on a host, pure: a request is built (words, a script, or a method and path
 * for an engine's HTTP API), a reply is read. Nothing here connects, runs or waits. A runtime is one file with
 * one struct runtime_ops.
 */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "core/base/mem.h"
#include "core/base/str.h"

enum runtime_kind { RUNTIME_DOCKER, RUNTIME_PODMAN, RUNTIME_SYSTEMD, RUNTIME_PROCESS, RUNTIMES };

/* A service as its runtime must know it; plain data, from the configuration. What a kind does not use is NULL. */
struct runtime_service {
	const char *name;
	enum runtime_kind kind;
	const char *container; /* docker, podman: name */
	const char *socket;    /* docker, podman: of the engine on the host; NULL: the usual one */
	const char *unit;      /* systemd */
	const char *command;   /* process: words, as words_split reads them */
	const char *pid_file, *log_file, *directory; /* process */
};

enum runtime_state {
	UNIT_UNKNOWN,
	UNIT_ABSENT, /* nothing of that name */
	UNIT_CREATED,
	UNIT_RUNNING,
	UNIT_RESTARTING, /* between two tries */
	UNIT_PAUSED,
	UNIT_STOPPED, /* ended with 0, or stopped by somebody */
	UNIT_FAILED,  /* ended otherwise */
	UNIT_STATES
};
enum runtime_health { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

/* What a runtime says of one service on one host. */
struct runtime_unit {
	enum runtime_state state;
	char id[72];                   /* container id, unit, pid: changes when it was replaced */
	char image[200];               /* as it was asked for: "registry/shop:2.13.4"; "" */
	char image_id[80], digest[80]; /* "sha256:…"; "" unknown */
	int64_t created_utc_ms, started_utc_ms, ended_utc_ms; /* 0 unknown */
	int exit_code;                                        /* -1: nobody knows */
	bool oom;
	int64_t restarts; /* -1: this runtime does not count them */
	int64_t pid;
	enum runtime_health health; /* what the runtime itself checks */
	char words[160];            /* of the runtime, cleaned: an error, the last health output */
	char log_driver[32];
	bool tty; /* its log stream is not divided into stdout and stderr */
};

enum runtime_verb {
	RUNTIME_INSPECT, /* -> struct runtime_unit */
	RUNTIME_IMAGE,   /* of image_id -> digest; only where inspect leaves it out */
	/* -> a stream for runtime_log_feed. parse is for one that did not come: status and words to an error. */
	RUNTIME_LOGS,
	/* Behind a request that did not get there (no socket, no permission …): asks the host why. parse fails
	 * always, with the reason and what to do about it. */
	RUNTIME_WHY
};

/* Where a followed log goes on behind what was given; made and read by this layer, copied by others. All zero:
 * at the beginning. */
struct runtime_log_point {
	int64_t utc_ns; /* engines: the stamp to ask from, a little before the last one */
	uint32_t same; /* … and how many whole lines, from the first of that stamp on, were given */
	int64_t high_ns; /* the highest stamp that was given: how far the log is known */
	/* A journal's own; of a log file a checksum of its beginning, which tells it from others. */
	char cursor[200];
	uint64_t inode; /* log file … */
	int64_t offset; /* … and how far it was read */
	char id[72];    /* of the unit whose lines they were */
};

struct runtime_args {
	const char *
		id; /* INSPECT of one container instead of the name; LOGS: the container; IMAGE: image_id */
	int64_t since_utc_ms, until_utc_ms; /* LOGS: 0 no limit */
	int64_t tail;                       /* LOGS: at most that many of the newest; -1 no limit */
	bool follow;
	/* LOGS: go on behind it, whatever since and tail say; of a container with another id than the point's
	 * everything comes. NULL, or one of zeroes: from since and tail. */
	const struct runtime_log_point *point;
	bool tty;
};

enum runtime_how { RUNTIME_HTTP, RUNTIME_SCRIPT, RUNTIME_WORDS };

struct runtime_request {
	enum runtime_how how;
	const char *method, *path; /* HTTP */
	const char *socket;        /* HTTP: on the host */
	const char *const
		*through; /* HTTP: words that stand in for the socket where dialling is forbidden */
	const char *script;      /* SCRIPT: constant, POSIX sh */
	const char *const *argv; /* WORDS: the command; SCRIPT: its $1 $2 … ; up to a NULL */
};

struct runtime_reply {
	int status; /* of HTTP, or of exit */
	struct sv body, err;
};

struct runtime_ops {
	const char *name;
	/* Strings of req live in a. ERR_UNSUPPORTED: this runtime has no such verb. */
	int (*request)(enum runtime_verb verb, const struct runtime_service *s,
		       const struct runtime_args *args, struct arena *a,
		       struct runtime_request *req, struct err *e);
	/* Fills what the reply says; the rest of unit stays. A service that is not there is UNIT_ABSENT, no
	 * error. ERR_INPUT: a reply that makes no sense; other errors are the runtime's, with what to do. */
	int (*parse)(enum runtime_verb verb, const struct runtime_service *s,
		     const struct runtime_reply *r, struct runtime_unit *unit, struct err *e);
};
const struct runtime_ops *runtime_ops_of(enum runtime_kind k);
const char *runtime_kind_name(enum runtime_kind k);     /* "docker" */
const char *runtime_state_name(enum runtime_state s);   /* "running" */
const char *runtime_health_name(enum runtime_health h); /* "healthy"; "none" */

/* --- Log streams -------------------------------------------------------------------------------- */

#define RUNTIME_LINE_MAX \
	((size_t)1 << 20) /* what is longer is given in parts, each but the last with more set */

/* One line as the runtime gave it. */
struct runtime_line {
	struct sv text; /* without its newline; borrowed for the call */
	int64_t utc_ns; /* 0: the runtime gives no time */
	bool is_err;    /* stderr */
	bool more;      /* the line goes on in the next one of this stream */
	int priority;   /* syslog's 0..7; -1 none */
};

/* Bytes of a log stream to lines; pure. One parser for each stream, thrown away with it. */
struct runtime_log;
struct runtime_log *runtime_log_new(enum runtime_kind kind, const struct runtime_args *args);
void runtime_log_free(struct runtime_log *l); /* NULL is fine */
/* The stream was asked for by a number of its last lines and begins somewhere before point: what is not behind it
 * is passed over. Before the first bytes. */
void runtime_log_seek(struct runtime_log *l, const struct runtime_log_point *point);
bool runtime_log_seeks(const struct runtime_log *l); /* it is not yet behind the point */
/* The point is not in the stream, or nobody can tell where: ask by the stamp. No line was given. */
bool runtime_log_missed(const struct runtime_log *l);
/* line is called for each whole line, in order. Lines that point says were seen are passed over. ERR_INPUT: a
 * stream that cannot be what it should be. */
int runtime_log_feed(struct runtime_log *l, struct sv bytes,
		     void (*line)(void *arg, const struct runtime_line *), void *arg,
		     struct err *e) MUST_CHECK;
/* At the orderly end of the stream: what stands there without a newline. Not for one that was cut: its half line
 * comes again behind the point. */
void runtime_log_end(struct runtime_log *l, void (*line)(void *arg, const struct runtime_line *),
		     void *arg);
/* Where to go on behind the last whole line given; the id is that of args. */
void runtime_log_point(const struct runtime_log *l, struct runtime_log_point *out);
/* How many lines the runtime itself says it dropped or can no longer give (journald's rate limit, a file that
 * was rotated away); -1: some, nobody knows how many. Told once: zero again behind it. */
int64_t runtime_log_lost(struct runtime_log *l);

#endif
