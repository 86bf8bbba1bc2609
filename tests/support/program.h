/* SPDX-License-Identifier: MIT */
/* A folder with a project, and the real program run in it ($BASCULE). Environment dev only. */
#ifndef SUPPORT_PROGRAM_H
#define SUPPORT_PROGRAM_H

#include "core/release/run.h"

struct program {
	char *dir;
	struct arena arena;
	/* state_dir and runs_dir: what the program writes there can be loaded */
	struct context ctx;
	struct dsn dsn; /* of dev */
};

/* policy: lines for [environment dev]. Makes dev.db and points XDG_STATE_HOME into the folder. */
void program_init(struct program *p, const char *policy);
void program_clear(struct program *p);
void program_migration(struct program *p, const char *id, const char *up, const char *down);
/* `bascule WORDS` to its end; the words are split at blanks. *said (may be NULL) gets stdout and
 * stderr, malloced. Returns the exit status. */
int program_run(struct program *p, const char *words, char **said);
/* The same, without waiting. */
pid_t program_start(struct program *p, const char *words);
/* Waits for a child of ours: exit status, 128 + signal. */
int program_reap(pid_t pid);
/* Follows run number until seen says so or it is over. Fails the test after 60 seconds. */
enum run_state program_follow(struct program *p, const char *number,
			      bool (*seen)(const struct run *, int), int step);
/* Waits until there is a run of that number, at most 60 seconds. */
struct run *program_load(struct program *p, const char *number);
int64_t program_int(struct program *p, const char *sql);
void program_exec(struct program *p, const char *sql);

#endif
