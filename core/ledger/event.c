/* SPDX-License-Identifier: MIT */
#include "core/ledger/event.h"

#include <string.h>

/* Stored in databases of users: a name here is never changed, only added to. */
static const char *const names[EVENT_KINDS] = {
	[EVENT_APPLIED] = "applied",     [EVENT_ROLLED_BACK] = "rolled-back",
	[EVENT_BASELINED] = "baselined", [EVENT_ACCEPTED] = "accepted",
	[EVENT_FAILED] = "failed",       [EVENT_RESTORED] = "restored",
	[EVENT_INTENT] = "intent",       [EVENT_STATEMENT] = "statement",
	[EVENT_MARKED] = "marked",       [EVENT_WARNING] = "warning",
	[EVENT_SEEDED] = "seeded",
};

const char *event_kind_name(enum event_kind kind)
{
	if ((unsigned)kind >= EVENT_KINDS)
		return "unknown";
	return names[kind];
}

int event_kind_of(const char *name)
{
	if (name == NULL)
		return -1;
	for (int i = 0; i < EVENT_KINDS; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}
