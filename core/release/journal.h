/* SPDX-License-Identifier: MIT */
/*
 * The journal of one run: append-only NDJSON, each line chained to the one before by SHA-256.
 *
 * {"seq":4,"epoch":2,"at":"…Z","prev":"<sha256 of the line before, without its newline>",
 *  "kind":"intent","step":3,…}
 *
 * Kinds: created (plan digest, who, from) · started (runner pid, boot) · intent · result · progress ·
 * request · gate · paused · adopt (parent epoch, seq, hash) · ended (state). Lines of an epoch older
 * than the last adopt that stand behind it are evidence: kept, never state, and reported. A torn last
 * line (no newline: the power went) is not a line; the next writer ends it with " torn" and goes on
 * from the last good one. The chain proves damage, not malice.
 */
#ifndef RELEASE_JOURNAL_H
#define RELEASE_JOURNAL_H

#include <jansson.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/base/str.h"

#define JOURNAL_LINE_MAX ((size_t)64 << 10)
#define JOURNAL_FILE_MAX ((size_t)256 << 20)

struct journal; /* open for appending; the runner's main thread */

/* Opens (creates with create) path for appending as epoch, after the last good line. */
int journal_open(const char *path, bool create, int64_t epoch, struct journal **out,
		 struct err *e) MUST_CHECK;
/* Sets a damaged journal aside, whole, as PATH.damaged, and leaves the lines before the damage. A
 * sound one stays as it is. */
int journal_cut_damage(const char *path, struct err *e) MUST_CHECK;
void journal_close(struct journal *j);
void journal_set_epoch(struct journal *j, int64_t epoch);
/* Appends a line: fields (borrowed, an object or NULL; secrets are taken out of its texts) plus seq, epoch, at, prev, kind and, when
 * step > 0, step. sync: fsync before returning (intents). The written text (without newline) is
 * appended to line when it is not NULL. */
int journal_add(struct journal *j, const char *kind, int step, json_t *fields, bool sync,
		struct strbuf *line, struct err *e) MUST_CHECK;
int64_t journal_seq(const struct journal *j);      /* of the last line we wrote or found */
const char *journal_head(const struct journal *j); /* its SHA-256; borrowed until the next line */

struct journal_line {
	int64_t seq, epoch, at_utc_ms;
	const char *kind; /* borrowed from json */
	int step;
	bool evidence; /* of an older epoch behind an adopt */
	const json_t *json;
	struct sv text;
};

struct journal_check {
	int64_t lines, evidence;
	size_t bytes;        /* of the file, up to the end of its last whole line */
	bool torn;           /* last line without its newline */
	int64_t torn_lines;  /* such lines in the middle, ended by a later writer */
	bool broken;         /* a hash, number or order does not fit */
	int64_t broken_line; /* line number in the file, from 1 */
	const char *broken_why;
	char head[65]; /* SHA-256 of the last good line of state */
	int64_t seq, epoch;
};

/* Calls fn (may be NULL) for every line of the file; check (may be NULL) gets what the chain says. A broken chain is not
 * an error here: it is in check. */
int journal_read(const char *path,
		 int (*fn)(void *arg, const struct journal_line *line, struct err *e), void *arg,
		 struct journal_check *check, struct err *e) MUST_CHECK;
/* The same for a text in memory. */
/* Goes on from what check says was read of text, and takes check along. 0: as if all of it had been read
 * again; 1: only that can tell, since what is new is not a plain continuation. fn may have been called then. */
int journal_scan_on(struct sv text,
		    int (*fn)(void *arg, const struct journal_line *line, struct err *e), void *arg,
		    struct journal_check *check, struct err *e) MUST_CHECK;
int journal_scan(struct sv text,
		 int (*fn)(void *arg, const struct journal_line *line, struct err *e), void *arg,
		 struct journal_check *check, struct err *e) MUST_CHECK;

#endif
