/* SPDX-License-Identifier: MIT */
/*
 * Detached jobs on a host: the way in which anything there is changed.
 *
 * A job is a folder on the host, 0700: its command, its output, and its exit code, which is written last and
 * renamed into place. It runs in a session of its own, so neither the end of the connection nor of this program
 * touches it; who comes back reads what became of it. Before the command acts, the job compares its epoch with
 * that of the environment's epoch file under flock(1) and writes a larger one: a job of an operator who has been
 * taken over does nothing (its exit code is REMOTE_JOB_FENCED). Secrets go in by stdin, never into the folder.
 */
#ifndef HOST_REMOTE_JOB_H
#define HOST_REMOTE_JOB_H

#include "core/host/host.h"

#define REMOTE_JOB_FENCED 97
/* Its exit code when the epoch could not be compared or written: the command did not run. Its output says why. */
#define REMOTE_JOB_UNFENCED 98
#define REMOTE_JOB_INPUT_MAX (HOST_INPUT_MAX - ((size_t)16 << 10))
#define REMOTE_JOB_NAME_MAX 100 /* bytes of an id or the name of an environment */

struct remote_job_spec {
	const char *
		base; /* folder on the host for jobs, absolute, made when missing; NULL: ~/.bascule/jobs */
	const char *id;          /* [A-Za-z0-9._-]+, unique: "118-9f3c2a.7" */
	const char *environment; /* whose epoch is compared; [A-Za-z0-9._-]+ */
	int64_t epoch;
	const char *const *argv; /* no secrets: they are written to the folder and are seen by ps */
	struct sv input;         /* its stdin; may be secret; at most REMOTE_JOB_INPUT_MAX */
};

enum remote_job_state {
	REMOTE_JOB_NONE, /* there is no such job */
	REMOTE_JOB_RUNNING,
	REMOTE_JOB_ENDED, /* with an exit code */
	REMOTE_JOB_DIED /* started, not running any more, no exit code: killed, or the host went down */
};

struct remote_job_look {
	enum remote_job_state state;
	int exit_code; /* ENDED; 128 + n: signal n */
	int64_t pid, output_bytes;
	int64_t started_utc_ms, ended_utc_ms; /* by the host's clock */
	bool rebooted;                        /* DIED: the host has another boot id since */
};

/* Starts it, or does nothing when a job of that id is there already: after ERR_LOST the same call is safe. The
 * job runs, or will never have run, when this has returned 0 or an error other than ERR_LOST or ERR_TIMEOUT.
 * ERR_UNSUPPORTED where flock(1) or setsid(1) are missing. */
int remote_job_start(struct host *h, const struct remote_job_spec *s, int64_t deadline_ms,
		     struct cancel *c, struct err *e) MUST_CHECK;
int remote_job_look(struct host *h, const char *base, const char *id, int64_t deadline_ms,
		    struct cancel *c, struct remote_job_look *out, struct err *e) MUST_CHECK;
/* Appends its output from offset, at most out->max. */
int remote_job_output(struct host *h, const char *base, const char *id, int64_t offset,
		      struct strbuf *out, int64_t deadline_ms, struct cancel *c,
		      struct err *e) MUST_CHECK;
/* Waits for its end, polling with growing pauses, across lost connections until deadline_ms. ERR_NOT_FOUND when
 * there is no such job. */
int remote_job_wait(struct host *h, const char *base, const char *id, int64_t deadline_ms,
		    struct cancel *c, struct remote_job_look *out, struct err *e) MUST_CHECK;
/* TERM to its session, KILL after grace_ms. 0 when it is gone. */
int remote_job_kill(struct host *h, const char *base, const char *id, int64_t grace_ms,
		    int64_t deadline_ms, struct cancel *c, struct err *e) MUST_CHECK;
/* Removes the folder of one that does not run; ERR_BUSY while it does. */
int remote_job_remove(struct host *h, const char *base, const char *id, int64_t deadline_ms,
		      struct cancel *c, struct err *e) MUST_CHECK;

#endif
