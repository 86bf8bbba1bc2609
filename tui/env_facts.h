/* SPDX-License-Identifier: MIT */
/* The rows of the view of environments, and what each of them says of one environment. */
#ifndef TUI_ENV_FACTS_H
#define TUI_ENV_FACTS_H

#include "tui/view.h"

#define ENV_ROWS_MAX 48

struct env_fact; /* one kind of row; see env_facts.c */

/* What one fact says of one environment. */
struct env_fact_text {
	struct strbuf text;
	enum role role;
};

/* Of whom it is said. */
struct env_fact_of {
	const struct model *m;
	const struct env *env;
	const struct env_snapshot *snap;
	const struct services_seen *seen;
	const struct service *service; /* of a row of one service; NULL: it has none of that name */
	size_t i;
	bool narrow; /* the column has room for the first of several words only */
	bool alone;  /* the services have no rows of their own */
};

struct env_row {
	const struct env_fact *fact;
	const char *name;
	enum action enter;   /* what Enter on it opens */
	const char *service; /* of a row of one service; else NULL */
	bool rule;           /* a line between sections stands before it */
};

struct env_rows {
	struct env_row row[ENV_ROWS_MAX];
	int n, rules;
	bool services; /* they have rows of their own */
};

/* The rows that fit a view of height rows, together with its heads and the gates below. */
void env_rows_fit(const struct project *p, int height, struct env_rows *rows);
/* text is an initialised buffer. */
void env_fact_tell(const struct env_row *row, const struct env_fact_of *f,
		   struct env_fact_text *out);

#endif
