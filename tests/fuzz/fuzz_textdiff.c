/* SPDX-License-Identifier: MIT */
/* textdiff: two texts, parted by a line "===". Same and old lines must rebuild the first text, same
 * and new lines the second. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/textdiff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static int count_lines(struct sv text)
{
	int n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n + (text.n > 0 && text.p[text.n - 1] != '\n');
}

/* The line with number n (from 1) of text, without its newline. */
static struct sv line_of(struct sv text, int n)
{
	struct sv line = SV("");

	while (n-- > 0)
		require(sv_cut(&text, '\n', &line));
	return line;
}

static void check(struct sv was, struct sv now, int context)
{
	int old_line = 0, new_line = 0;
	struct diff_line *d;
	struct arena a;
	size_t n;

	arena_init(&a);
	d = textdiff(&a, was, now, context, &n);
	for (size_t i = 0; i < n; i++) {
		if (d[i].kind == DIFF_SKIP) {
			require(d[i].old_line > 0);
			for (int k = 0; k < d[i].old_line; k++)
				require(sv_eq(line_of(was, ++old_line), line_of(now, ++new_line)));
			continue;
		}
		if (d[i].kind != DIFF_NEW)
			require(d[i].old_line == ++old_line &&
				sv_eq(d[i].text, line_of(was, old_line)));
		if (d[i].kind != DIFF_OLD)
			require(d[i].new_line == ++new_line &&
				sv_eq(d[i].text, line_of(now, new_line)));
	}
	require(old_line == count_lines(was) && new_line == count_lines(now));
	arena_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size < 4096 ? size : 4096);
	const char *cut = text.n > 0 ? memmem(text.p, text.n, "===\n", 4) : NULL;
	struct sv was = text, now = SV("");

	if (cut != NULL) {
		was.n = (size_t)(cut - text.p);
		now = sv_n(cut + 4, text.n - was.n - 4);
	}
	for (int context = 0; context < 4; context++)
		check(was, now, context);
	return 0;
}
