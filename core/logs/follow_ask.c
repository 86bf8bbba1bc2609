/* SPDX-License-Identifier: MIT */
/* One question to the runtime of a service, and its answer. */
#include "core/logs/follow_own.h"

#include <string.h>

#include "core/base/clock.h"

#define ANSWER_MAX ((size_t)4 << 20)

static int ask_http(struct follower *f, struct http_client *http, const struct runtime_request *q,
		    struct strbuf *body, int *status, struct err *e)
{
	struct http_request r = { .method = q->method,
				  .target = { .path = q->socket },
				  .url = q->path,
				  .max_bytes = ANSWER_MAX,
				  .deadline_ms = clock_mono_ms() + FOLLOW_ASK_MS,
				  .through = q->through };
	struct http_reply reply = { 0 };
	int rc;

	strbuf_init(&reply.body, ANSWER_MAX);
	rc = http_do(http, &r, &f->stop, &reply, e);
	if (rc == 0) {
		*status = reply.status;
		strbuf_addsv(body, strbuf_sv(&reply.body));
	}
	strbuf_clear(&reply.body);
	return rc;
}

static int ask_command(struct follower *f, const struct runtime_request *q, struct strbuf *out,
		       struct strbuf *words, int *status, struct err *e)
{
	struct host_command cmd = { .argv = q->argv,
				    .script = q->how == RUNTIME_SCRIPT ? q->script : NULL };
	struct host_result r = { 0 };

	if (host_run(f->spec.host, &cmd, out, words, &r, clock_mono_ms() + FOLLOW_ASK_MS, &f->stop,
		     e) != 0)
		return -1;
	*status = r.status;
	return 0;
}

static int ask(struct follower *f, struct http_client *http, enum runtime_verb verb,
	       const struct runtime_args *args, struct runtime_unit *unit, struct err *e)
{
	const struct runtime_service *s = f->spec.service;
	struct runtime_reply reply = { 0 };
	struct runtime_request q;
	struct strbuf out, words;
	struct arena a;
	int rc = -1;

	arena_init(&a);
	strbuf_init(&out, ANSWER_MAX);
	strbuf_init(&words, FOLLOW_ERROR_MAX);
	if (f->ops->request(verb, s, args, &a, &q, e) != 0)
		goto out;
	rc = q.how == RUNTIME_HTTP ? ask_http(f, http, &q, &out, &reply.status, e)
				   : ask_command(f, &q, &out, &words, &reply.status, e);
	if (rc != 0)
		goto out;
	reply.body = strbuf_sv(&out);
	reply.err = strbuf_sv(&words);
	rc = f->ops->parse(verb, s, &reply, unit, e);
out:
	strbuf_clear(&out);
	strbuf_clear(&words);
	arena_clear(&a);
	return rc;
}

bool follow_is_lost(const struct err *e)
{
	return e->code == ERR_LOST || e->code == ERR_TIMEOUT;
}

void follow_why(struct follower *f, struct http_client *http, struct err *e)
{
	struct runtime_args args = { .tail = -1 };
	struct runtime_unit unit = { 0 };
	struct err why;

	if (!f->is_container || e->code == ERR_ASKS || e->code == ERR_CANCELLED ||
	    follow_is_lost(e))
		return;
	if (ask(f, http, RUNTIME_WHY, &args, &unit, &why) != 0 && why.code != ERR_UNSUPPORTED &&
	    why.code != ERR_CANCELLED && !follow_is_lost(&why))
		*e = why;
}

int follow_inspect(struct follower *f, struct http_client *http, const char *id,
		   struct runtime_unit *out, struct err *e)
{
	struct runtime_args args = { .id = id, .tail = -1 };
	struct runtime_unit unit = { 0 };

	if (ask(f, http, RUNTIME_INSPECT, &args, &unit, e) != 0) {
		follow_why(f, http, e);
		return -1;
	}
	*out = unit;
	return 0;
}
