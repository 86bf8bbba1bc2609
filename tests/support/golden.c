/* SPDX-License-Identifier: MIT */
#include "tests/support/golden.h"

#include "core/base/fs.h"
#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN_MAX ((size_t)1 << 20)

static void update(const char *path, const char *text)
{
	char *dir = path_dir(path);
	struct err e;

	if (fs_mkdirs(dir, 0755, &e) < 0 || fs_replace(path, text, strlen(text), 0644, &e) < 0)
		fail_msg("%s (%s)", e.msg, e.detail);
	mem_free(dir);
}

/* Fails with the first line that is not the same. */
static void show_difference(const char *path, const char *wanted, const char *found)
{
	struct sv a = sv_of(wanted), b = sv_of(found), x, y;
	int line = 0;

	for (;;) {
		bool more_a = sv_cut(&a, '\n', &x), more_b = sv_cut(&b, '\n', &y);

		line++;
		if (more_a && more_b && sv_eq(x, y))
			continue;
		fail_msg("%s:%d differs\n  wanted: %.*s\n  found:  %.*s\n(make golden rewrites it)",
			 path, line, more_a ? (int)x.n : 0, x.p, more_b ? (int)y.n : 0, y.p);
	}
}

void golden_compare(const char *name, const char *text)
{
	const char *source = getenv("BASCULE_SOURCE"), *wish = getenv("GOLDEN_UPDATE");
	struct strbuf path, wanted;
	struct err e;

	strbuf_init(&path, STRBUF_NO_LIMIT);
	strbuf_init(&wanted, GOLDEN_MAX);
	strbuf_addf(&path, "%s/tests/golden/%s", source ? source : ".", name);
	if (wish && strcmp(wish, "1") == 0)
		update(strbuf_str(&path), text);
	else if (fs_read(strbuf_str(&path), GOLDEN_MAX, &wanted, &e) < 0)
		fail_msg("%s (%s)", e.msg, e.detail);
	else if (strcmp(strbuf_str(&wanted), text) != 0)
		show_difference(strbuf_str(&path), strbuf_str(&wanted), text);
	strbuf_clear(&wanted);
	strbuf_clear(&path);
}
