/* SPDX-License-Identifier: MIT */
/*
 * The contract of hosts: one set of cases for every transport (host_cases.c, host_cases_stream.c, host_cases_job.c),
 * and what only those have that log in somewhere (host_cases_ssh.c). Inside, the world that they share.
 */
#ifndef CONTRACT_HOST_CASES_H
#define CONTRACT_HOST_CASES_H

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/host/host.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

/* The cases of a transport, and n of its own, for one run of a test program. */
int host_cases_run(enum host_transport transport, const struct CMUnitTest *own, size_t n);
/* When this process is the helper that a case started, does what it was told and never returns. */
void host_cases_helper(int argc, char **argv);

#define HOST_CASES_MS 60000

/* What the running case works with. */
struct host_world {
	enum host_transport transport;
	struct server server; /* not local */
	char *dir;
	struct host_context ctx;
	struct hosts *pool;
	struct host *host;
	struct err e;
};
extern struct host_world *const host_world;

int64_t host_world_soon(void); /* a generous deadline */
/* Fails with the three parts of the world's error. */
void host_world_fail(const char *what);
/* A host of a pool of the same context; the caller frees neither. */
struct host *host_world_host(const char *name);
/* This program again, as a helper with the world of the running case, in words of host_cases_helper; its process. */
pid_t host_world_helper(const char *run_dir, const char *what, const char *script, const char *word,
			bool duplex);
/* The command has to run; out and err may be NULL. */
void host_world_run(struct host *h, const struct host_command *cmd, struct strbuf *out,
		    struct strbuf *err, struct host_result *r);
/* Runs a script that has to end with 0; its output, caller frees. */
char *host_world_sh(struct host *h, const char *script);
/* A word that no other process has as an argument. */
const char *host_world_word(void);
/* Starts a script with a fresh word as its $1 and waits until it has printed a line: it runs. */
struct host_proc *host_world_start(const char *script, bool duplex, const char **word);

extern const struct CMUnitTest host_cases_stream[], host_cases_job[], host_cases_ssh[];
extern const size_t host_cases_stream_n, host_cases_job_n, host_cases_ssh_n;
/* Of the helper: starts the job whose words follow, again and again until it is killed. */
void host_cases_job_helper(char **argv);

#endif
