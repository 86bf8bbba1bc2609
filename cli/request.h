/* SPDX-License-Identifier: MIT */
/* A change from the words of the command line to its plan. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "cli/cli.h"
#include "core/release/plan.h"
#include "core/release/seeds.h"

/* Everything that is known of a change before it is made. */
struct change {
	struct cli *c;
	const struct env *env;
	struct plan_request request;
	struct plan_override override[ARGS_OVERRIDES_MAX];
	struct seeds *seeds; /* seed only */
	const char *named[ARGS_WORDS_MAX];
	struct plan_facts facts;
	bool have_facts;
	struct plan *plan;
};

/* Reads the words from `first` on (ENV and what follows) for op, then facts, then builds the plan. */
int change_prepare(struct change *ch, struct cli *c, enum operation op, size_t first,
		   struct err *e) MUST_CHECK;
void change_clear(struct change *ch);

/* --sql: the statements of the plan's steps, in order, to stdout. */
int change_print_sql(const struct change *ch, struct err *e) MUST_CHECK;
/* Was and now of one migration whose file was changed, appended to out. The stored text is read from the
 * environment. */
int change_diff(const struct change *ch, const char *ns, const char *id, struct strbuf *out,
		struct err *e) MUST_CHECK;
/* id of the first migration that is applied with another text than its file has, or NULL. */
const struct applied *change_first_changed(const struct change *ch);

#endif
