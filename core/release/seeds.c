/* SPDX-License-Identifier: MIT */
#include "core/release/seeds.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/utf8.h"
#include "core/migrate/source.h"

#define SUFFIX ".sql"

int seed_text(const char *path, struct strbuf *out, struct err *e)
{
	size_t from = out->len;

	if (fs_read(path, SOURCE_FILE_MAX, out, e) != 0)
		return err_wrap(e, "cannot read the seed %s", path_base(path));
	out->len = from + migration_normalise(out->data + from, out->len - from);
	if (out->data != NULL)
		out->data[out->len] = '\0';
	if (utf8_valid(sv_n(out->data + from, out->len - from)))
		return 0;
	err_set(e, ERR_INPUT, "cannot read the seed %s", path_base(path));
	return err_detail(e, "it is not UTF-8");
}

static int read_one(struct seed *s, struct err *e)
{
	struct migration_directives found;
	char hex[DIGEST_HEX_SIZE];
	struct strbuf text;
	int rc = -1;

	strbuf_init(&text, SOURCE_FILE_MAX);
	strbuf_adds(&text, "");
	if (seed_text(s->path, &text, e) != 0)
		goto out;
	if (migration_directives(strbuf_sv(&text), &found, e) != 0) {
		err_wrap(e, "cannot read the seed %s", s->id);
		goto out;
	}
	s->no_transaction = found.no_transaction;
	digest_hex(strbuf_str(&text), text.len, hex);
	snprintf(s->checksum, sizeof(s->checksum), "s1:%s", hex);
	rc = 0;
out:
	strbuf_clear(&text);
	return rc;
}

/* The files of one folder; prefix: "" or "ENVIRONMENT/". */
static int read_folder(struct seeds *s, const char *dir, const char *prefix, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int rc = -1;

	if (d == NULL && errno == ENOENT)
		return 0;
	if (d == NULL)
		return err_sys(e, errno, "cannot read the seeds in %s", dir);
	while ((entry = readdir(d)) != NULL) {
		struct seed *add;
		char *path;

		if (entry->d_name[0] == '.' || !sv_ends(sv_of(entry->d_name), SV(SUFFIX)))
			continue;
		path = path_join(dir, entry->d_name);
		if (fs_is_dir(path)) {
			mem_free(path);
			continue;
		}
		if (s->n >= SEEDS_MAX) {
			err_set(e, ERR_LIMIT, "more than %d seeds in %s", SEEDS_MAX, dir);
			mem_free(path);
			goto out;
		}
		mem_grow(&s->list, &s->cap, s->n + 1, sizeof(*s->list));
		add = &s->list[s->n++];
		*add = (struct seed){
			.id = arena_printf(&s->arena, "%s%s", prefix, entry->d_name),
			.path = arena_strdup(&s->arena, path),
		};
		mem_free(path);
		if (read_one(add, e) != 0)
			goto out;
	}
	rc = 0;
out:
	closedir(d);
	return rc;
}

static int by_name(const void *va, const void *vb)
{
	const struct seed *a = va, *b = vb;
	int d = strcmp(path_base(a->id), path_base(b->id));

	if (d != 0)
		return d;
	return (strchr(a->id, '/') != NULL) - (strchr(b->id, '/') != NULL);
}

int seeds_read(const char *dir, const char *environment, struct seeds **out, struct err *e)
{
	struct seeds *s = mem_calloc(1, sizeof(*s));
	char *own = NULL;
	int rc = -1;

	arena_init(&s->arena);
	if (dir != NULL) {
		own = path_join(dir, environment);
		if (read_folder(s, dir, "", e) != 0 ||
		    read_folder(s, own, arena_printf(&s->arena, "%s/", environment), e) != 0)
			goto out;
	}
	if (s->n > 1)
		qsort(s->list, s->n, sizeof(*s->list), by_name);
	*out = s;
	s = NULL;
	rc = 0;
out:
	mem_free(own);
	seeds_free(s);
	return rc;
}

void seeds_free(struct seeds *s)
{
	if (s == NULL)
		return;
	mem_free(s->list);
	arena_clear(&s->arena);
	mem_free(s);
}

const struct seed *seeds_find(const struct seeds *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->list[i].id, name) == 0)
			return &s->list[i];
	for (size_t i = 0; i < s->n; i++) {
		const char *base = path_base(s->list[i].id);
		size_t n = strlen(base) - strlen(SUFFIX);

		if (strcmp(base, name) == 0 || (strlen(name) == n && strncmp(base, name, n) == 0))
			return &s->list[i];
	}
	return NULL;
}

const struct seeded *seeded_find(const struct history *h, const char *id)
{
	for (size_t i = 0; i < h->n_seed; i++)
		if (strcmp(h->seed[i].id, id) == 0)
			return &h->seed[i];
	return NULL;
}
