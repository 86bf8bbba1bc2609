/* SPDX-License-Identifier: MIT */
/*
 * Manifests, and the list of backups.
 *
 * The folder's name and place say which backup of which environment it is; the manifest says the
 * rest. A folder without a manifest is one that was not finished and is left out. One with a
 * manifest that cannot be read is listed as not verified, with nothing else known: hiding it would
 * make a damaged backup look like one that was never taken.
 */
#include "core/backup/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fs.h"

#define BACKUPS_MAX 100000

int manifest_write(const struct backup *b, json_t *tables, struct err *e)
{
	char *path = path_join(b->path, MANIFEST_NAME);
	char at[CLOCK_TEXT_SIZE];
	json_t *j = json_object();
	struct strbuf text;
	int rc;

	json_put_int(j, "format", MANIFEST_FORMAT);
	json_put_str(j, "id", b->id);
	json_put_str(j, "environment", b->environment);
	json_put_str(j, "engine", b->engine);
	json_put_str(j, "data", BACKUP_DATA_NAME);
	json_put_str(j, "trigger", b->trigger);
	json_put_str(j, "run", b->run);
	json_put_str(j, "who", b->who);
	json_put_str(j, "host", b->host);
	json_put_str(j, "at", clock_iso_ms(b->at_utc_ms, at));
	json_put_int(j, "bytes", b->bytes);
	json_put_str(j, "sha256", b->sha256);
	json_put_str(j, "schema_digest", b->schema_digest);
	json_put_str(j, "schema_version", b->schema_version);
	json_put_str(j, "head", b->head);
	json_put_int(j, "history_seq", b->history_seq);
	json_put_bool(j, "verified", b->verified);
	json_object_set(j, "tables", tables);
	strbuf_init(&text, MANIFEST_MAX);
	json_write_pretty(&text, j);
	rc = strbuf_ok(&text) ? fs_replace(path, text.data, text.len, 0600, e)
			      : err_set(e, ERR_LIMIT, "too many tables for %s", path);
	strbuf_clear(&text);
	json_decref(j);
	mem_free(path);
	return rc;
}

static int copy_text(const json_t *j, const char *key, char *out, size_t size, struct err *e)
{
	const char *s;

	if (json_str(j, key, &s, e) != 0)
		return -1;
	if (strlen(s) >= size)
		return err_set(e, ERR_LIMIT, "member %s is longer than %zu bytes", key, size - 1);
	str_copy(out, size, s);
	return 0;
}

static int fill(const json_t *j, struct backup *b, struct err *e)
{
	const char *at;
	int64_t format;

	if (json_int(j, "format", &format, e) != 0)
		return -1;
	if (format > MANIFEST_FORMAT)
		return err_set(e, ERR_UNSUPPORTED,
			       "its format %lld is newer than this program knows",
			       (long long)format);
	if (copy_text(j, "engine", b->engine, sizeof(b->engine), e) != 0 ||
	    copy_text(j, "trigger", b->trigger, sizeof(b->trigger), e) != 0 ||
	    copy_text(j, "run", b->run, sizeof(b->run), e) != 0 ||
	    copy_text(j, "who", b->who, sizeof(b->who), e) != 0 ||
	    copy_text(j, "host", b->host, sizeof(b->host), e) != 0 ||
	    copy_text(j, "sha256", b->sha256, sizeof(b->sha256), e) != 0 ||
	    copy_text(j, "schema_digest", b->schema_digest, sizeof(b->schema_digest), e) != 0 ||
	    copy_text(j, "schema_version", b->schema_version, sizeof(b->schema_version), e) != 0 ||
	    copy_text(j, "head", b->head, sizeof(b->head), e) != 0 ||
	    json_int(j, "bytes", &b->bytes, e) != 0 ||
	    json_int(j, "history_seq", &b->history_seq, e) != 0 ||
	    json_bool(j, "verified", &b->verified, e) != 0 || json_str(j, "at", &at, e) != 0)
		return -1;
	if (!clock_parse_iso(at, &b->at_utc_ms))
		return err_set(e, ERR_INPUT, "member at is no time: %s", at);
	if (!json_is_object(json_object_get(j, "tables")))
		return err_set(e, ERR_INPUT, "member tables is missing");
	return 0;
}

/* What the folder alone says. */
static void from_place(const char *folder, struct backup *b)
{
	char *parent = path_dir(folder);

	*b = (struct backup){ 0 };
	b->path = mem_strdup(folder);
	str_copy(b->id, sizeof(b->id), path_base(folder));
	str_copy(b->environment, sizeof(b->environment), path_base(parent));
	mem_free(parent);
}

int manifest_read(const char *folder, struct backup *out, json_t **tables, struct err *e)
{
	char *path = path_join(folder, MANIFEST_NAME);
	struct backup b;
	json_t *j = NULL;
	int rc = -1;

	from_place(folder, &b);
	j = json_read_file(path, MANIFEST_MAX, e);
	if (j == NULL)
		goto out;
	if (fill(j, &b, e) != 0) {
		err_wrap(e, "cannot use the manifest %s", path);
		goto out;
	}
	if (tables != NULL)
		*tables = json_incref(json_object_get(j, "tables"));
	*out = b;
	b.path = NULL;
	rc = 0;
out:
	json_decref(j);
	backup_clear(&b);
	mem_free(path);
	return rc;
}

/* ---- the list ---- */

struct list {
	struct backup *item;
	size_t n, cap;
};

static int list_add(struct list *l, const char *folder, struct err *e)
{
	struct backup b;

	if (manifest_read(folder, &b, NULL, e) != 0) {
		if (e->code == ERR_NOT_FOUND)
			return 0;
		from_place(folder, &b);
	}
	if (l->n == BACKUPS_MAX) {
		backup_clear(&b);
		return err_set(e, ERR_LIMIT, "more than %d backups", BACKUPS_MAX);
	}
	mem_grow(&l->item, &l->cap, l->n + 1, sizeof(*l->item));
	l->item[l->n++] = b;
	return 0;
}

/* Calls fn for each subfolder of path; a missing path has none. */
static int each_folder(const char *path, int (*fn)(struct list *, const char *, struct err *),
		       struct list *l, struct err *e)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(e, errno, "cannot read %s", path);
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		char *folder;

		if (d->d_name[0] == '.' || d->d_type == DT_REG)
			continue;
		folder = path_join(path, d->d_name);
		rc = fn(l, folder, e);
		mem_free(folder);
	}
	closedir(dir);
	return rc;
}

static int add_environment(struct list *l, const char *folder, struct err *e)
{
	return each_folder(folder, list_add, l, e);
}

static int newest_first(const void *va, const void *vb)
{
	const struct backup *a = va, *b = vb;

	if (a->at_utc_ms != b->at_utc_ms)
		return a->at_utc_ms > b->at_utc_ms ? -1 : 1;
	return -strcmp(a->id, b->id);
}

int backup_list(const char *root, const char *environment, struct backup **out, size_t *n,
		struct err *e)
{
	struct list l = { 0 };
	int rc;

	if (environment != NULL) {
		char *folder = path_join(root, environment);

		rc = add_environment(&l, folder, e);
		mem_free(folder);
	} else {
		rc = each_folder(root, add_environment, &l, e);
	}
	if (rc != 0) {
		backup_list_free(l.item, l.n);
		return -1;
	}
	if (l.n > 1)
		qsort(l.item, l.n, sizeof(*l.item), newest_first);
	*out = l.item;
	*n = l.n;
	return 0;
}

void backup_clear(struct backup *b)
{
	mem_free(b->path);
	b->path = NULL;
}

void backup_list_free(struct backup *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		backup_clear(&list[i]);
	mem_free(list);
}

/* The one that id names, or its index is n. *matches counts prefixes. */
static size_t pick(const struct backup *list, size_t n, const char *id, size_t *matches)
{
	size_t found = n;

	*matches = 0;
	if (strcmp(id, "latest") == 0) {
		*matches = n > 0;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].id, id) == 0) {
			*matches = 1;
			return i;
		}
		if (sv_starts(sv_of(list[i].id), sv_of(id))) {
			found = i;
			(*matches)++;
		}
	}
	return found;
}

int backup_find(const char *root, const char *environment, const char *id, struct backup *out,
		struct err *e)
{
	struct backup *list = NULL;
	size_t n = 0, at, matches;
	int rc = -1;

	if (backup_list(root, environment, &list, &n, e) != 0)
		return -1;
	at = pick(list, n, id, &matches);
	if (matches == 1 && id[0] != '\0') {
		*out = list[at];
		list[at].path = NULL;
		rc = 0;
	} else if (matches > 1) {
		err_set(e, ERR_INPUT, "'%s' names %zu backups", id, matches);
		err_hint(e, "bascule backups%s%s", environment != NULL ? " " : "",
			 environment != NULL ? environment : "");
	} else {
		err_set(e, ERR_NOT_FOUND, "no backup '%s'%s%s", id,
			environment != NULL ? " of " : "", environment != NULL ? environment : "");
		err_hint(e, "bascule backups%s%s", environment != NULL ? " " : "",
			 environment != NULL ? environment : "");
	}
	backup_list_free(list, n);
	return rc;
}
