/* SPDX-License-Identifier: MIT */
/* Names, sort keys, versions, directives and normalising: any bytes; what comes out must hold what
 * migration.h promises. The first line is a name, the second another one, the rest a script. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/migrate/migration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static int sign(int d)
{
	return (d > 0) - (d < 0);
}

static void check_name(struct arena *a, struct sv stem)
{
	const char *id, *title, *key;

	if (!migration_name(a, stem, &id, &title, &key)) {
		require(migration_id_length(stem) == 0);
		return;
	}
	require(strlen(id) == migration_id_length(stem));
	require(id[0] >= '0' && id[0] <= '9' && key[0] != '\0');
	/* An id is a name with the same id: what is stored can be read back. */
	require(migration_id_length(sv_of(id)) == strlen(id) || strchr(id, '_') != NULL);
}

static void check_order(struct arena *a, struct sv x, struct sv y)
{
	const char *tx = arena_strndup(a, x.p, x.n), *ty = arena_strndup(a, y.p, y.n);

	require(sign(version_cmp(tx, ty)) == -sign(version_cmp(ty, tx)));
	require(version_cmp(tx, tx) == 0);
	require(strcmp(migration_sort_key(a, x), migration_sort_key(a, sv_of(tx))) == 0 ||
		memchr(x.p, '\0', x.n) != NULL);
}

static void check_text(struct sv text)
{
	struct migration_directives d;
	struct err e;
	char *copy = malloc(text.n + 1);
	size_t n;

	if (copy == NULL)
		return;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	n = migration_normalise(copy, text.n);
	require(n <= text.n);
	/* Without a CR and a BOM nothing changes. */
	if (text.n > 0 && memchr(text.p, '\r', text.n) == NULL && copy[0] == text.p[0])
		require(text.p[0] == '\xEF' || (n == text.n && memcmp(copy, text.p, n) == 0));
	if (migration_directives(sv_n(copy, n), &d, &e) == 0)
		require(d.version.n == 0 || (d.version.p >= copy && d.version.p < copy + n));
	else
		require(e.code == ERR_INPUT && e.hint[0] != '\0');
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv rest = sv_n((const char *)data, size), x = SV(""), y = SV("");
	struct arena a;

	arena_init(&a);
	sv_cut(&rest, '\n', &x);
	sv_cut(&rest, '\n', &y);
	check_name(&a, x);
	check_name(&a, y);
	check_order(&a, x, y);
	check_text(rest);
	arena_clear(&a);
	return 0;
}
