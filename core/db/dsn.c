/* SPDX-License-Identifier: MIT */
#include "core/db/dsn.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"

/* Every scheme of this version; the driver table in db.c has the same names. */
static const char *const schemes[] = { "sqlite" };

static int refuse_scheme(struct sv scheme, struct err *e)
{
	char word[32];
	const char *near;

	str_copy_sv(word, sizeof(word), scheme);
	err_set(e, ERR_CONFIG, "database engine %s is not known", word);
	near = str_nearest(word, schemes, sizeof(schemes) / sizeof(schemes[0]));
	if (near != NULL)
		return err_hint(e, "did you mean %s: ?", near);
	return err_hint(e, "this version works with sqlite:PATH");
}

/* The path behind "sqlite:". "//" introduces a host in a URL; a file has none, so only the empty
 * host of sqlite:///ABSOLUTE is understood and anything else there is a mistake, not a path. */
static int sqlite_path(struct sv rest, const char *url, struct sv *path, struct err *e)
{
	if (memchr(rest.p, '?', rest.n) != NULL) {
		err_set(e, ERR_CONFIG, "database %s has options after ?", url);
		return err_hint(e, "write only the path: what SQLite needs is set by bascule");
	}
	if (sv_starts(rest, SV("//"))) {
		rest = sv_n(rest.p + 2, rest.n - 2);
		if (rest.n == 0 || rest.p[0] != '/') {
			err_set(e, ERR_CONFIG, "database %s names a host", url);
			return err_hint(e, "write sqlite:PATH or sqlite:///ABSOLUTE/PATH");
		}
	}
	if (sv_trim(rest).n == 0) {
		err_set(e, ERR_CONFIG, "database %s has no path", url);
		return err_hint(e, "write sqlite:PATH");
	}
	if (sv_eq(rest, SV(":memory:"))) {
		err_set(e, ERR_CONFIG, "database %s lives in memory only", url);
		return err_hint(e, "an environment needs a file: write sqlite:PATH");
	}
	if (rest.p[rest.n - 1] == '/') {
		err_set(e, ERR_CONFIG, "database %s names a folder", url);
		return err_hint(e, "write the path of the database file");
	}
	*path = rest;
	return 0;
}

int dsn_parse(struct arena *a, const char *url, const char *base_dir, struct dsn *out,
	      struct err *e)
{
	struct sv rest = sv_of(url);
	struct sv scheme, path;
	const char *name;
	char *full;

	if (memchr(rest.p != NULL ? rest.p : "", ':', rest.n) == NULL) {
		err_set(e, ERR_CONFIG, "database %s has no engine", url != NULL ? url : "");
		return err_hint(e, "write sqlite:PATH");
	}
	sv_cut(&rest, ':', &scheme);
	if (!sv_eq(scheme, SV("sqlite")))
		return refuse_scheme(scheme, e);
	if (sqlite_path(rest, url, &path, e) != 0)
		return -1;
	name = arena_sv(a, path).p;
	while (name[0] == '.' && name[1] == '/' && name[2] != '\0')
		name += 2;
	full = path_join(base_dir, name);
	out->engine = schemes[0];
	out->path = arena_strdup(a, full);
	out->shown = arena_printf(a, "%s:%s", schemes[0], full);
	mem_free(full);
	return 0;
}
