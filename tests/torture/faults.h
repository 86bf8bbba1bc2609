/* SPDX-License-Identifier: MIT */
/* What the preloaded library and the test that drives it agree on. */
#ifndef TORTURE_FAULTS_H
#define TORTURE_FAULTS_H

#include <stdint.h>

/* Kinds of calls that can be made to fail. */
enum seam {
	SEAM_OPEN,  /* open, openat */
	SEAM_WRITE, /* write, pwrite to a regular file */
	SEAM_FSYNC, /* fsync, fdatasync, syncfs */
	SEAM_RENAME,
	SEAM_SPAWN,   /* posix_spawn */
	SEAM_DB,      /* sqlite3_step, sqlite3_exec, sqlite3_backup_step */
	SEAM_JOURNAL, /* write to a journal.ndjson */
	SEAM_KINDS
};

#define SEAM_NAMES \
	{ \
		"open", "write", "fsync", "rename", "spawn", "db", "journal" \
	}

/* A file shared with every process of one torture point: how often each seam was passed, and how
 * often the fault struck. */
struct faults_page {
	uint64_t count[SEAM_KINDS];
	uint64_t at_spawn[SEAM_KINDS]; /* the counts when the first child was started */
	uint64_t hits;
};

/*
 * Environment of the preloaded library:
 * FAULTS_PAGE   path of the shared file; without it nothing is done
 * FAULTS_ROLE   "runner": only the process that is called `run`; "parent": every other one
 * FAULTS_SEAM   name of the seam that fails; none: only count
 * FAULTS_AT     the how manyth call, from 1
 * FAULTS_DO     an errno number (SEAM_DB: a SQLite result code), "kill" (SIGKILL before the call) or
 *               "kill-after" (SIGKILL behind it)
 * FAULTS_STICKY 1: every call from that one on
 * FAULTS_BOOT   (by itself) the boot id that the process shall read
 */

#endif
