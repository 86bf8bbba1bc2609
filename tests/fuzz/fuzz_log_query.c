/* SPDX-License-Identifier: MIT */
/* log_query: a pattern, a newline, and lines. A pattern that is accepted finds over all lines at once those that match
 * alone, whatever is in it; one that is not names a mistake. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/logs/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES_MAX 512

struct found {
	size_t at[LINES_MAX], n;
};

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void hit(void *arg, size_t line_at)
{
	struct found *f = arg;

	require(f->n < LINES_MAX && (f->n == 0 || f->at[f->n - 1] < line_at));
	f->at[f->n++] = line_at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv all = sv_n((const char *)data, size < LINES_MAX ? size : LINES_MAX), text = all,
		  line;
	struct found f = { .n = 0 };
	struct log_pattern *p;
	size_t k = 0, at = 0;
	char pattern[65];
	struct err e;

	if (!sv_cut(&text, '\n', &line) || line.n > 64 || memchr(line.p, '\0', line.n) != NULL)
		return 0;
	memcpy(pattern, line.p, line.n);
	pattern[line.n] = '\0';
	if (log_pattern_new(pattern, &p, &e) != 0) {
		require(e.code == ERR_INPUT && e.detail[0] != '\0');
		return 0;
	}
	log_pattern_lines(p, text, hit, &f);
	while (at < text.n) {
		const char *nl = memchr(text.p + at, '\n', text.n - at);
		size_t n = (nl != NULL ? (size_t)(nl - text.p) : text.n) - at, from = 0, to = 0;
		bool matches = log_pattern_match(p, sv_n(text.p + at, n), &from, &to);

		require(from <= n && to <= n && from <= to);
		require(matches == (k < f.n && f.at[k] == at));
		k += matches;
		at += n + 1;
	}
	require(k == f.n);
	log_pattern_free(p);
	return 0;
}
