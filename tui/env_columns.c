/* SPDX-License-Identifier: MIT */
#include "tui/env_columns.h"

struct env_columns env_columns_fit(int n_env, int selected, int width, int min_cols)
{
	struct env_columns out = { .n = 0 };
	int fit = width / min_cols;
	int first = 0;

	if (fit > ENV_COLUMNS_MAX)
		fit = ENV_COLUMNS_MAX;
	if (fit < 1)
		fit = 1;
	if (n_env <= fit)
		fit = n_env;
	else if (selected == n_env - 1 || fit == 1)
		first = n_env - fit;
	else if (selected > fit - 2)
		/* The window before the last column slides so that the selection is in it. */
		first = selected - (fit - 2);
	for (int i = 0; i < fit; i++)
		out.env[out.n++] = i == fit - 1 ? n_env - 1 : first + i;
	/* One column only: the selected one, wherever production is. */
	if (fit == 1)
		out.env[0] = selected;
	out.cols = out.n ? width / out.n : 0;
	return out;
}
