/* SPDX-License-Identifier: MIT */
/* The log of the small service of demo_service.h. */
#ifndef CLI_DEMO_LOG_H
#define CLI_DEMO_LOG_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_LOG_BUFFER 65536
#define DEMO_BURST_LINES 12
#define DEMO_HASH_START 14695981039346656037ULL

struct demo_log {
	/* As told; see demo_service.c. */
	const char *name, *path, *shape; /* path NULL: stdout */
	long rotate, skew, jump_back, long_line;
	bool binary, calm;                 /* calm: no burst but those that are asked for */
	const volatile sig_atomic_t *stop; /* when set, a write that cannot go on is given up */
	/* As it is. */
	int fd;
	uint64_t line, hash, random;
	uint64_t before; /* lines of the time before it was started */
	int burst;       /* lines of it that are left */
	int64_t ago_ms;  /* how old the line is that is written now */
	bool gone;       /* nobody reads it any more */
	long written;    /* bytes, for rotate */
	size_t n_out;
	char out[DEMO_LOG_BUFFER];
};

/* Opens the file, or again: it may have been renamed. fd is -1 before the first time. Says on stderr why not. */
int demo_log_open(struct demo_log *l);
/* The next line, or the next of a burst. */
void demo_log_line(struct demo_log *l);
/* A line of its own: what happens to the service. May have more lines in it. */
void demo_log_say(struct demo_log *l, const char *level, const char *text);
/* Writes what is in the buffer, and rotates. */
void demo_log_flush(struct demo_log *l);
/* Reads numbered lines from stdin; 0: all are there, once, in order and as they were written. */
int demo_log_verify(void);

#endif
