/* SPDX-License-Identifier: MIT */
/*
 * What version control says of the migrations: uncommitted and unpushed files.
 *
 * Asked of the git command, never through a shell, and only with local data: no fetch, no hook, no
 * prompt. A folder outside of any work tree is no error, but unknown.
 */
#ifndef MIGRATE_GIT_STATE_H
#define MIGRATE_GIT_STATE_H

#include <stdbool.h>

#include "core/base/cancel.h"
#include "core/base/mem.h"

#define GIT_STATE_LISTED_MAX 100 /* names of uncommitted files kept; all are counted */

struct git_state {
	struct arena arena;
	bool known;                     /* inside a work tree, and git answered */
	const char *why;                /* not known: the reason, in words; else "" */
	const char *branch;             /* "" with a detached head */
	const char *commit;             /* the first 12 digits; "" before the first commit */
	const char *const *uncommitted; /* below the top of the work tree: n_listed of them */
	size_t n_listed;
	size_t n_uncommitted;
	bool has_upstream;
	size_t n_unpushed; /* commits that touch the folder and are not upstream */
};

/* Asks about the folder. Fails only when cancelled; all else is a state that is not known. Always
 * to be cleared. */
int git_state_read(const char *dir, struct cancel *c, struct git_state *out,
		   struct err *e) MUST_CHECK;
void git_state_clear(struct git_state *s);
/* "main at 3f2a1b9c0d1e, 2 files not committed, 1 commit not pushed". Pure. */
void git_state_words(const struct git_state *s, struct strbuf *out);
/* Reads `git status --porcelain=v2 --branch -z` into out, whose arena is set up. False when it is
 * none. Pure; also fuzzed. */
bool git_state_parse(struct sv text, struct git_state *out);

#endif
