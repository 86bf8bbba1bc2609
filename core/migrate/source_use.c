/* SPDX-License-Identifier: MIT */
/*
 * A source in use: the variant of an engine, a migration by its key, a script read again.
 *
 * A project may keep a folder per engine. The folder itself wins when it holds migrations; only
 * one that holds none is looked at for folders of engines, so that a folder that happens to be
 * called mysql/ hides nothing.
 *
 * The order of a graph is not in the ids, so a migration is found by a table of hashes and not by
 * its sort key: 4 bytes a place, at most half full.
 */
#include "core/migrate/source_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"

/* Names of folders, and the engine of database URLs each is for. */
static const struct engine_folder {
	const char *folder, *engine;
} engine_folders[] = {
	{ "sqlite", "sqlite" },   { "sqlite3", "sqlite" },        { "mysql", "mariadb" },
	{ "mariadb", "mariadb" }, { "postgresql", "postgresql" }, { "postgres", "postgresql" },
};
#define N_ENGINE_FOLDERS (sizeof(engine_folders) / sizeof(engine_folders[0]))

/* "mysql" and "mariadb" are one engine to us, as are the two spellings of PostgreSQL. */
static const char *engine_word(const char *engine)
{
	for (size_t i = 0; i < N_ENGINE_FOLDERS; i++)
		if (strcmp(engine_folders[i].folder, engine) == 0)
			return engine_folders[i].engine;
	return engine;
}

static bool wanted(const struct source_spec *spec, const char *engine)
{
	return spec->engine == NULL || strcmp(engine_word(spec->engine), engine) == 0;
}

static bool has_engine(const struct source *first, const char *engine)
{
	for (const struct source *s = first; s != NULL; s = s->next_engine)
		if (strcmp(s->engine, engine) == 0)
			return true;
	return false;
}

/* Adds the variants to *first. A folder without migrations is passed over. */
static int scan_engines(const struct source_spec *spec, int dirfd, struct cancel *c,
			struct source **first, struct err *e)
{
	struct source **next = first;

	for (size_t i = 0; i < N_ENGINE_FOLDERS; i++) {
		const struct engine_folder *f = &engine_folders[i];
		char *sub;
		int rc;

		if (!wanted(spec, f->engine) || has_engine(*first, f->engine) ||
		    !source_is_folder(dirfd, f->folder))
			continue;
		sub = path_join(spec->dir, f->folder);
		rc = source_scan_folder(spec, sub, c, next, e);
		mem_free(sub);
		if (rc == 0) {
			(*next)->engine = f->engine;
			next = &(*next)->next_engine;
		} else if (e->code != ERR_NOT_FOUND) {
			return -1;
		}
	}
	return 0;
}

int source_scan(const struct source_spec *spec, struct cancel *c, struct source **out,
		struct err *e)
{
	struct source *first = NULL;
	struct err why;
	int dirfd;

	if (source_scan_folder(spec, spec->dir, c, out, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	dirfd = open(spec->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -1;
	if (scan_engines(spec, dirfd, c, &first, &why) != 0) {
		*e = why;
		source_free(first);
		first = NULL;
	}
	close(dirfd);
	if (first == NULL)
		return -1;
	err_clear(e);
	*out = first;
	return 0;
}

void source_free(struct source *s)
{
	while (s != NULL) {
		struct source *next = s->next_engine;

		arena_clear(&s->arena);
		mem_free(s);
		s = next;
	}
}

const struct source *source_for(const struct source *s, const char *engine)
{
	if (s == NULL || s->engine == NULL || engine == NULL)
		return s;
	while (s != NULL && strcmp(s->engine, engine_word(engine)) != 0)
		s = s->next_engine;
	return s;
}

bool source_knows(const struct source *s, const char *ns)
{
	if (s->app == NULL)
		return strcmp(s->ns, ns) == 0;
	for (size_t i = 0; i < s->n_app; i++)
		if (strcmp(s->app[i], ns) == 0)
			return true;
	return false;
}

/* FNV-1a over both, with their ends. */
uint64_t source_key_hash(const char *ns, const char *id)
{
	uint64_t h = 14695981039346656037U;

	for (const char *p = ns; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211U;
	h *= 1099511628211U;
	for (const char *p = id; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211U;
	return h ^ h >> 29;
}

void source_index(struct source *s)
{
	size_t n = 4;

	while (n < 2 * s->n)
		n *= 2;
	s->place = arena_alloc(&s->arena, n * sizeof(*s->place));
	s->n_place = n;
	for (size_t i = 0; i < s->n; i++) {
		size_t at = source_key_hash(s->list[i].ns, s->list[i].id) & (n - 1);

		while (s->place[at] != 0)
			at = (at + 1) & (n - 1);
		s->place[at] = (uint32_t)i + 1;
	}
}

/* In a source put together by hand: its sort keys are those of the ids. */
static const struct migration *find_sorted(const struct source *s, const char *ns, const char *id)
{
	struct arena a;
	const char *key;
	size_t low = 0, high = s->n;
	const struct migration *found = NULL;

	arena_init(&a);
	key = migration_sort_key(&a, sv_of(id));
	while (low < high) { /* the first one not before (key, id) */
		size_t mid = low + (high - low) / 2;
		int d = strcmp(s->list[mid].sort_key, key);

		if (d < 0 || (d == 0 && strcmp(s->list[mid].id, id) < 0))
			low = mid + 1;
		else
			high = mid;
	}
	if (low < s->n && strcmp(s->list[low].id, id) == 0 && strcmp(s->list[low].ns, ns) == 0)
		found = &s->list[low];
	arena_clear(&a);
	return found;
}

const struct migration *source_find(const struct source *s, const char *ns, const char *id)
{
	size_t at;

	if (s->place == NULL)
		return find_sorted(s, ns, id);
	for (at = source_key_hash(ns, id) & (s->n_place - 1); s->place[at] != 0;
	     at = (at + 1) & (s->n_place - 1)) {
		const struct migration *m = &s->list[s->place[at] - 1];

		if (strcmp(m->id, id) == 0 && strcmp(m->ns, ns) == 0)
			return m;
	}
	return NULL;
}

static int not_ours(const struct source *s, const struct migration *m, struct err *e)
{
	err_set(e, ERR_INPUT, "migration %s holds no SQL of ours", m->id);
	err_detail(e, "%s is code, which layout %s leaves to its own tool", m->up_path, s->layout);
	return err_hint(e, "set migrate_command, and bascule runs that tool");
}

int source_script(const struct source *s, const struct migration *m, bool down, struct strbuf *out,
		  struct err *e)
{
	const struct source_layout *layout = source_layout_find(s->layout);
	const char *path = down ? m->down_path : m->up_path;
	const char *want = down ? m->down_checksum : m->checksum;
	struct source_sections part;
	char sum[CHECKSUM_SIZE];
	struct strbuf buf, scratch;
	struct digest *d = NULL;
	struct sv text;
	int rc = -1;

	if (m->framework)
		return not_ours(s, m, e);
	if (path == NULL)
		return err_set(e, ERR_NOT_FOUND, "migration %s has no down", m->id);
	strbuf_init(&buf, SOURCE_FILE_MAX + 1);
	strbuf_init(&scratch, 2 * SOURCE_FILE_MAX);
	if (source_read_text(AT_FDCWD, path, path, &buf, e) != 0)
		goto out;
	text = strbuf_sv(&buf);
	if (layout != NULL && layout->split != NULL) {
		if (layout->split(text, &scratch, &part, e) != 0)
			goto out;
		text = down ? part.down : part.up;
	}
	d = digest_new();
	migration_checksum(d, text, sum);
	if (strcmp(sum, want) != 0) {
		err_set(e, ERR_INPUT, "%s changed while we looked", path);
		err_detail(e, "was %.15s, is %.15s", want[0] != '\0' ? want : "unreadable", sum);
		err_hint(e, "run the command again");
		goto out;
	}
	strbuf_addsv(out, text);
	rc = strbuf_ok(out) ? 0 : err_set(e, ERR_LIMIT, "no room for the script of %s", path);
out:
	digest_free(d);
	strbuf_clear(&buf);
	strbuf_clear(&scratch);
	return rc;
}
