/* SPDX-License-Identifier: MIT */
/* Which environments get a column when not all fit: the selected one and the last one always do. */
#ifndef TUI_ENV_COLUMNS_H
#define TUI_ENV_COLUMNS_H

#define ENV_COLUMNS_MAX 16

struct env_columns {
	int env[ENV_COLUMNS_MAX]; /* indices in the pipeline, left to right */
	int n;
	int cols; /* width of each */
};

/* For n_env environments, the selected one, and width columns of at least min_cols each. */
struct env_columns env_columns_fit(int n_env, int selected, int width, int min_cols);

#endif
