/* SPDX-License-Identifier: MIT */
/* Rooms that are still being built, so that the program links. Each goes with the merge of its room. */
#include "core/logs/follow.h"
#include "core/logs/query.h"
#include "core/release/health.h"

#define MISSING(e) err_set((e), ERR_UNSUPPORTED, "not built yet")

/* room http-runtime */
int services_read(const struct env *env, struct hosts *hosts, const struct services *before,
		  int64_t timeout_ms, struct cancel *c, struct services **out, struct err *e)
{
	(void)env;
	(void)hosts;
	(void)before;
	(void)timeout_ms;
	(void)c;
	(void)out;
	return MISSING(e);
}
void services_free(struct services *s)
{
	(void)s;
}
json_t *services_json(const struct services *s)
{
	(void)s;
	return json_array();
}
bool service_unit_ok(const struct service_unit *u)
{
	return u->unit.state == UNIT_RUNNING;
}
void service_words(const struct service_unit *u, int64_t now_utc_ms, struct strbuf *out)
{
	(void)u;
	(void)now_utc_ms;
	(void)out;
}
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
