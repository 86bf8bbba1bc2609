/* SPDX-License-Identifier: MIT */
/* Processes as /proc shows them. Zombies do not count: nobody may be there to reap them. */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How many have word as one of their arguments. */
size_t process_word_count(const char *word);
/* Polls until there are that many with word, or a generous limit is over: then false. */
bool process_word_wait(const char *word, size_t count);
/* Polls until there is one at least, likewise. */
bool process_word_seen(const char *word);
/* Until that many are in the group. */
bool process_group_wait(pid_t group, size_t count);

#endif
