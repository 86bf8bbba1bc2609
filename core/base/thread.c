/* SPDX-License-Identifier: MIT */
#include "core/base/thread.h"

#include <sys/resource.h>
#include <unistd.h>

/* A third of the time of another thread of this program where they compete, and behind it when both wake. */
#define BACKGROUND_NICE 5

void thread_background(void)
{
	/* On Linux it is a matter of the thread. Where it cannot be had, all is as before. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE);
}
