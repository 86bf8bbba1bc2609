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
struct log_store *log_store_new(size_t max_bytes)
{
	(void)max_bytes;
	return NULL;
}
void log_store_free(struct log_store *s)
{
	(void)s;
}
int log_store_source(struct log_store *s, const struct log_source *about)
{
	(void)s;
	(void)about;
	return -1;
}
size_t log_store_sources(struct log_store *s, struct log_source *out, size_t max)
{
	(void)s;
	(void)out;
	(void)max;
	return 0;
}
void log_store_source_state(struct log_store *s, int source, enum log_source_state state,
			    const struct err *why)
{
	(void)s;
	(void)source;
	(void)state;
	(void)why;
}
void log_store_forget(struct log_store *s)
{
	(void)s;
}
struct log_query *log_query_new(struct log_store *s, void (*grew)(void *arg), void *arg)
{
	(void)s;
	(void)grew;
	(void)arg;
	return NULL;
}
void log_query_free(struct log_query *q)
{
	(void)q;
}
int log_query_each(struct log_query *q, int (*give)(void *arg, const struct log_line *line),
		   void *arg, struct cancel *c, struct err *e)
{
	(void)q;
	(void)give;
	(void)arg;
	(void)c;
	return MISSING(e);
}
/* room follow */
int follow_start(const struct follow_spec *spec, struct follower **out, struct err *e)
{
	(void)spec;
	(void)out;
	return MISSING(e);
}
void follow_stop(struct follower *f)
{
	(void)f;
}
void follow_stop_soon(struct follower *f)
{
	(void)f;
}
bool follow_fetch(struct follower *f, struct log_pos gap)
{
	(void)f;
	(void)gap;
	return false;
}
struct log_pos log_store_add(struct log_store *s, const struct log_line *line, size_t n)
{
	(void)s;
	(void)line;
	(void)n;
	return (struct log_pos){ 0, 0 };
}
