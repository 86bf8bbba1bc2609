/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL's parser, by libpg_query, loaded when the first text of that engine is split.
 *
 * Loaded, not linked: the library is 2 MB with relocations, most runs of the program never split SQL
 * of PostgreSQL, and the time to the first frame is counted. So it may also be missing; then, and
 * when the parser refuses a text, the caller has a scanner of its own.
 *
 * The names of the library: what the runtime package of the distribution installs, then what the
 * development package adds. A version of it speaks the grammar of one PostgreSQL (15); text for
 * newer servers that it does not know goes to the scanner.
 */
#include "core/db/sqlsplit_lex.h"

#include <dlfcn.h>
#include <pg_query.h>
#include <pthread.h>
#include <string.h>

struct parser {
	__typeof__(&pg_query_split_with_parser) split;
	__typeof__(&pg_query_free_split_result) free;
};

/* Written once under the once flag, read only after it: the one way to load a library once. */
static struct parser parser;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void parser_load(void)
{
	static const char *const name[] = { "libpg_query.so.1504.0", "libpg_query.so" };
	void *lib = NULL;
	struct parser p;

	for (size_t i = 0; lib == NULL && i < sizeof(name) / sizeof(name[0]); i++)
		lib = dlopen(name[i], RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL)
		return;
	p.split = (__typeof__(p.split))dlsym(lib, "pg_query_split_with_parser");
	p.free = (__typeof__(p.free))dlsym(lib, "pg_query_free_split_result");
	if (p.split != NULL && p.free != NULL)
		parser = p;
	/* Never closed, and no pg_query_exit(): the library frees what it keeps for a thread when the
	 * thread ends, and cannot begin again in a thread that freed it before. */
}

/* Whether the spans lie in order inside n bytes; what comes from a library is checked. */
static bool spans_fit(const struct sql_span *span, size_t n_span, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n_span; i++) {
		if (span[i].from < at || span[i].from > n || span[i].n > n - span[i].from)
			return false;
		if (span[i].n == 0 && i + 1 < n_span)
			return false;
		at = span[i].from + span[i].n;
	}
	return true;
}

bool sql_parser_split(struct sv text, struct sql_span **out, size_t *n)
{
	PgQuerySplitResult r;
	struct sql_span *span = NULL;
	bool ok = false;
	char *copy;

	if (text.n > SQL_PARSER_BYTES_MAX)
		return false;
	pthread_once(&loaded, parser_load);
	if (parser.split == NULL)
		return false;
	copy = mem_strndup(text.p, text.n);
	r = parser.split(copy);
	if (r.error == NULL && r.n_stmts >= 0) {
		span = mem_calloc((size_t)r.n_stmts + 1, sizeof(*span));
		for (int i = 0; i < r.n_stmts; i++) {
			span[i].from = (size_t)r.stmts[i]->stmt_location;
			span[i].n = (size_t)r.stmts[i]->stmt_len;
		}
		ok = spans_fit(span, (size_t)r.n_stmts, text.n);
	}
	if (ok) {
		*out = span;
		*n = (size_t)r.n_stmts;
		span = NULL;
	}
	mem_free(span);
	parser.free(r);
	mem_free(copy);
	return ok;
}
