/* SPDX-License-Identifier: MIT */
/* manifest.json of a backup. Used by backup.c and catalog.c only. */
#ifndef BACKUP_MANIFEST_H
#define BACKUP_MANIFEST_H

#include "core/backup/backup.h"
#include "core/base/json.h"

#define MANIFEST_NAME "manifest.json"
#define BACKUP_DATA_NAME "data.sqlite"
#define MANIFEST_FORMAT 1
#define MANIFEST_MAX ((size_t)8 << 20) /* bytes */

/* Writes b->path/manifest.json durably. tables: name to row count. */
int manifest_write(const struct backup *b, json_t *tables, struct err *e) MUST_CHECK;
/* Reads the manifest of a folder; out is filled but for path's owner: backup_clear() it. tables
 * (may be NULL) gets a new reference. ERR_NOT_FOUND when there is none. */
int manifest_read(const char *folder, struct backup *out, json_t **tables,
		  struct err *e) MUST_CHECK;

#endif
