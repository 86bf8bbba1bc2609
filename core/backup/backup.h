/* SPDX-License-Identifier: MIT */
/*
 * Backups of an environment: a folder per backup with the copy and its manifest. The manifest is
 * written last, so a folder without one is not a backup. The folder format is the one the full
 * backup system will go on using.
 *
 * <backups>/<environment>/<id>/{data.sqlite, manifest.json}; folders 0700, files 0600.
 * id: UTC time and run: "20261121T140732Z-118". A backup is called verified only after the copy
 * was read back whole: its SHA-256 computed from the written file, the engine's own check passed,
 * its row counts equal to those counted in it at copy time.
 */
#ifndef BACKUP_BACKUP_H
#define BACKUP_BACKUP_H

#include "core/db/db.h"
#include "core/ledger/event.h"

struct backup {
	char id[48];
	char environment[64];
	char engine[16];
	char trigger[32]; /* "before-migrate", "before-rollback", "before-restore" */
	char run[48];
	char who[64], host[64];
	int64_t at_utc_ms;
	int64_t bytes;
	char sha256[65];
	char schema_digest[65];
	char schema_version[32]; /* label, "" when none */
	char head[64];           /* id of the newest applied migration, "" when none */
	int64_t history_seq; /* newest event in the copy's history: what a restore goes back to */
	bool verified;       /* as the manifest says; backup_verify looks again */
	char *path;          /* folder; owned */
};

struct backup_spec {
	const char *root; /* <backups> folder */
	const char *environment, *trigger, *run, *who, *host, *schema_version, *head;
};

/* Copies db and writes the manifest with verified false, then verifies (backup_verify) and rewrites
 * the manifest. On failure no folder with a manifest that claims more than is true remains. */
int backup_take(struct db *db, const struct backup_spec *spec, struct cancel *c, struct backup *out,
		struct err *e) MUST_CHECK;
/* Reads the copy whole: digest against the manifest, engine check, row counts. ERR_CORRUPT naming
 * what differs. */
int backup_verify(const struct backup *b, struct cancel *c, struct err *e) MUST_CHECK;
/* Backups of one environment (NULL: of all), newest first; folders without a manifest are left
 * out. List malloced; free with backup_list_free. A missing root is an empty list. */
int backup_list(const char *root, const char *environment, struct backup **out, size_t *n,
		struct err *e) MUST_CHECK;
void backup_list_free(struct backup *list, size_t n);
void backup_clear(struct backup *b);
/* By id or its unique prefix, or "latest". */
int backup_find(const char *root, const char *environment, const char *id, struct backup *out,
		struct err *e) MUST_CHECK;
/* Replaces the database of db by the backup, keeping today's ledger: a scratch file beside the
 * database gets the copy, then the ledger is merged into it, then it goes in in one transaction of
 * the engine under fence. The backup is verified first.
 *
 * recorded (may be NULL): the `restored` event with ns, run, epoch, who and host; kind, id,
 * generation and statement are filled here. It is written into the scratch file, so that data and
 * event go in together: there is no instant at which the data is the backup's and the history is not. */
int backup_restore_recorded(struct db *db, const struct dsn *dsn, const struct backup *b,
			    const struct history_event *recorded,
			    int (*fence)(void *arg, struct err *e), void *arg, struct cancel *c,
			    struct err *e) MUST_CHECK;
/* The same without an event: the caller must write it before anybody reads the history. */
int backup_restore(struct db *db, const struct dsn *dsn, const struct backup *b,
		   int (*fence)(void *arg, struct err *e), void *arg, struct cancel *c,
		   struct err *e) MUST_CHECK;

#endif
