/* SPDX-License-Identifier: MIT */
/*
 * A command as text for the login shell of another machine, and its output with our marks taken out.
 *
 * Pure: text in, text out. What the text does there is told in wrap.c.
 */
#ifndef HOST_WRAP_H
#define HOST_WRAP_H

#include "core/base/secret.h"
#include "core/host/host.h"

/* A request to run a command has to fit into one packet of libssh2 (35,000 bytes), and one word of a process
 * into 128 KiB on Linux. */
#define WRAP_TEXT_MAX ((size_t)32000)
#define WRAP_NONCE_SIZE 33 /* 32 hex digits and a NUL */

/* The text for the login shell that runs cmd between marks with nonce. want_time: the first mark says the time there.
 * The login shell may be sh, bash, zsh, ksh, fish, csh or tcsh. ERR_LIMIT when it is too long. */
int wrap_text(const struct host_command *cmd, const char *nonce, bool want_time, struct strbuf *out,
	      struct err *e) MUST_CHECK;
/* What is to be written to stdin for cmd->input: its bytes and what tells that they were all. Nothing when
 * there is no input. */
void wrap_input(const struct host_command *cmd, const char *nonce, struct strbuf *out);

/* The words for a local /bin/sh that runs cmd in its own place and ends its process group when descriptor
 * CHILD_KEPT_FD ends. They are borrowed from cmd; caller mem_frees the list. */
const char **wrap_local(const struct host_command *cmd);

/* text in single quotes, so that every shell named above reads it as printf's %b would have it written. */
void wrap_encode(struct strbuf *out, struct sv text);

/* --- Marks in what comes back -------------------------------------------------------------------- */

#define WRAP_MARK_MAX 128 /* bytes of one mark, at most */
#define WRAP_NOISE_SIZE 1000

/* One stream of a wrapped command. */
struct wrap_stream {
	char nonce[WRAP_NONCE_SIZE];
	bool marks_follow; /* stderr: there are more marks than the first */
	bool begun;        /* the first mark was seen */
	bool ended;        /* the last one was */
	int status;        /* of it */
	char signal[16];
	int64_t clock_us; /* what the first mark says; -1 nothing */
	char held[WRAP_MARK_MAX];
	size_t n_held;               /* the start of what may be a mark */
	char noise[WRAP_NOISE_SIZE]; /* the last bytes before the first mark */
	size_t n_noise;
};

void wrap_stream_init(struct wrap_stream *s, const char *nonce, bool marks_follow);
/* Takes the marks out of in and writes what is left, at most in.n + WRAP_MARK_MAX bytes, to out, which may
 * not overlap in. Returns how many. */
size_t wrap_stream_take(struct wrap_stream *s, struct sv in, char *out);
/* Behind the last byte: what was held back after all. At most WRAP_MARK_MAX bytes. */
size_t wrap_stream_end(struct wrap_stream *s, char *out);

#endif
