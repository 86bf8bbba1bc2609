/* SPDX-License-Identifier: MIT */
/* Rooms that are still being built, so that the program links. Each goes with the merge of its room. */
#include "core/logs/follow.h"
#include "core/logs/query.h"
#include "core/release/health.h"

#define MISSING(e) err_set((e), ERR_UNSUPPORTED, "not built yet")

/* room http-runtime */
void health_result_clear(struct health_result *r)
{
	(void)r;
}
int health_check(const struct service *s, const struct host_spec *on, struct hosts *hosts,
		 bool once, void (*progress)(void *arg, const struct health_result *r), void *arg,
		 struct cancel *c, struct health_result *out, struct err *e)
{
	(void)s;
	(void)on;
	(void)hosts;
	(void)once;
	(void)progress;
	(void)arg;
	(void)c;
	(void)out;
	return MISSING(e);
}
/* room log-store */
/* room follow */
