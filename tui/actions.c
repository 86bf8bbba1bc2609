/* SPDX-License-Identifier: MIT */
#include "tui/actions.h"

#include <string.h>

const struct action_info action_table[ACTIONS] = {
#define X(id, name, keys, where, arg, help) [ACT_##id] = { name, keys, where, arg, help },
	ACTION_LIST(X)
#undef X
};

enum action action_of(const char *name)
{
	for (int i = 0; i < ACTIONS; i++)
		if (strcmp(action_table[i].name, name) == 0)
			return (enum action)i;
	return ACT_NONE;
}
