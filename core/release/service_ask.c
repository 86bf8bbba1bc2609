/* SPDX-License-Identifier: MIT */
/*
 * A runtime's request, done: HTTP to its engine's socket, a script or a command on the host; the reply goes back to
 * the runtime that asked.
 *
 * When an engine cannot be reached, the connection knows too little of why: sshd says of a missing socket and of a
 * forbidden one the same. So the host is asked once more with RUNTIME_WHY, a script that looks. Whatever that finds
 * is the error; what the connection said stays as it was where the script has nothing to add or cannot run.
 */
#include "core/release/service_ask.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/utf8.h"

#define REPLY_MAX ((size_t)16 << 20)
#define WORDS_MAX ((size_t)64 << 10)
#define TAIL_MAX ((size_t)4 << 20) /* bytes of a log stream that is read for its last lines */
#define TAIL_LINE 400              /* bytes of a line that are shown */

static int ask_http(struct service_asker *a, const struct runtime_request *req,
		    struct http_reply *reply, struct err *e)
{
	const struct http_request r = {
		.method = req->method,
		.target = { .path = req->socket },
		.url = req->path,
		.deadline_ms = a->deadline_ms,
		.through = req->through,
	};

	return http_do(a->http, &r, a->cancel, reply, e);
}

static int ask_command(struct service_asker *a, const struct runtime_request *req,
		       struct strbuf *out, struct strbuf *words, int *status, struct err *e)
{
	const struct host_command command = { .argv = req->argv, .script = req->script };
	struct host_result result = { .status = -1 };

	if (host_run(a->host, &command, out, words, &result, a->deadline_ms, a->cancel, e) != 0)
		return -1;
	*status = result.status;
	return 0;
}

/* Why an engine is out of reach. e has the words of the connection and gets better ones. */
static int why(struct service_asker *a, const struct runtime_service *s, struct err *e)
{
	const struct runtime_ops *ops = runtime_ops_of(s->kind);
	const struct runtime_args args = { .tail = -1 };
	struct runtime_request req;
	struct runtime_reply reply = { .status = -1 };
	struct strbuf out, words;
	struct arena arena;
	struct err other;

	arena_init(&arena);
	strbuf_init(&out, WORDS_MAX);
	strbuf_init(&words, WORDS_MAX);
	if (ops->request(RUNTIME_WHY, s, &args, &arena, &req, &other) == 0 &&
	    ask_command(a, &req, &out, &words, &reply.status, &other) == 0 && reply.status == 0) {
		reply.body = strbuf_sv(&out);
		reply.err = strbuf_sv(&words);
		(void)!ops->parse(RUNTIME_WHY, s, &reply, NULL, e);
	}
	strbuf_clear(&out);
	strbuf_clear(&words);
	arena_clear(&arena);
	return -1;
}

/* Only of the engine itself: not of a host that is away, and not of an answer that came. */
static bool asks_why(const struct service_asker *a, const struct err *e)
{
	struct host_status status;

	if (e->code != ERR_NOT_FOUND && e->code != ERR_REFUSED && e->code != ERR_LOST &&
	    e->code != ERR_SYSTEM && e->code != ERR_UNSUPPORTED)
		return false;
	host_status(a->host, &status);
	return status.state != HOST_DOWN && status.state != HOST_ASKS;
}

static int slow_engine(const struct runtime_service *s, struct err *e)
{
	err_wrap(e, "%s does not answer", runtime_kind_name(s->kind));
	return err_hint(e, "look whether it runs there: systemctl status %s",
			runtime_kind_name(s->kind));
}

static int ask(struct service_asker *a, enum runtime_verb verb, const struct runtime_service *s,
	       const struct runtime_args *args, struct runtime_unit *unit, struct err *e)
{
	const struct runtime_ops *ops = runtime_ops_of(s->kind);
	struct runtime_reply got = { .status = -1 };
	struct http_reply reply = { .status = 0 };
	struct runtime_request req;
	struct strbuf words;
	struct arena arena;
	int rc;

	arena_init(&arena);
	strbuf_init(&reply.body, REPLY_MAX);
	strbuf_init(&words, WORDS_MAX);
	rc = ops->request(verb, s, args, &arena, &req, e);
	if (rc == 0 && req.how == RUNTIME_HTTP) {
		rc = ask_http(a, &req, &reply, e);
		got.status = reply.status;
		if (rc != 0 && asks_why(a, e))
			rc = why(a, s, e);
		else if (rc != 0 && e->code == ERR_TIMEOUT)
			rc = slow_engine(s, e);
	} else if (rc == 0) {
		rc = ask_command(a, &req, &reply.body, &words, &got.status, e);
	}
	if (rc == 0) {
		got.body = strbuf_sv(&reply.body);
		got.err = strbuf_sv(&words);
		rc = ops->parse(verb, s, &got, unit, e);
	}
	strbuf_clear(&reply.body);
	strbuf_clear(&words);
	arena_clear(&arena);
	return rc;
}

int service_inspect(struct service_asker *a, const struct runtime_service *s,
		    struct runtime_unit *unit, struct err *e)
{
	const struct runtime_args args = { .tail = -1 };

	memset(unit, 0, sizeof(*unit));
	return ask(a, RUNTIME_INSPECT, s, &args, unit, e);
}

int service_digest(struct service_asker *a, const struct runtime_service *s,
		   struct runtime_unit *unit, struct err *e)
{
	const struct runtime_args args = { .id = unit->image_id, .tail = -1 };

	return ask(a, RUNTIME_IMAGE, s, &args, unit, e);
}

/* --- The end of a log --------------------------------------------------------------------------- */

struct tail {
	struct runtime_log *log;
	struct strbuf text; /* cleaned lines */
	size_t bytes;
	struct err err; /* of the parser */
};

static void tail_line(void *arg, const struct runtime_line *line)
{
	struct tail *t = arg;
	struct sv text = line->text;

	if (text.n > TAIL_LINE)
		text.n = TAIL_LINE;
	clean_text(&t->text, text, false);
	strbuf_addc(&t->text, '\n');
}

static int tail_bytes(void *arg, struct sv bytes)
{
	struct tail *t = arg;

	t->bytes += bytes.n;
	if (t->bytes > TAIL_MAX)
		return err_set(&t->err, ERR_LIMIT, "its last lines are very long");
	return runtime_log_feed(t->log, bytes, tail_line, t, &t->err);
}

static int tail_http(struct service_asker *a, const struct runtime_service *s,
		     const struct runtime_request *req, struct tail *t, struct err *e)
{
	const struct http_request r = {
		.method = req->method,
		.target = { .path = req->socket },
		.url = req->path,
		.deadline_ms = a->deadline_ms,
		.through = req->through,
		.bytes = tail_bytes,
		.arg = t,
	};
	struct http_reply reply = { .status = 0 };
	struct runtime_reply got;
	int rc;

	strbuf_init(&reply.body, WORDS_MAX);
	rc = http_do(a->http, &r, a->cancel, &reply, e);
	if (rc != 0 && t->err.code != ERR_OK)
		*e = t->err;
	if (rc == 0) {
		got = (struct runtime_reply){ .status = reply.status,
					      .body = strbuf_sv(&reply.body) };
		rc = runtime_ops_of(s->kind)->parse(RUNTIME_LOGS, s, &got, NULL, e);
	}
	strbuf_clear(&reply.body);
	return rc;
}

static int tail_command(struct service_asker *a, const struct runtime_service *s,
			const struct runtime_request *req, struct tail *t, struct err *e)
{
	struct runtime_reply got = { .status = -1 };
	struct strbuf out, words;
	int rc;

	strbuf_init(&out, TAIL_MAX);
	strbuf_init(&words, WORDS_MAX);
	rc = ask_command(a, req, &out, &words, &got.status, e);
	if (rc == 0) {
		got.err = strbuf_sv(&words);
		rc = runtime_ops_of(s->kind)->parse(RUNTIME_LOGS, s, &got, NULL, e);
	}
	if (rc == 0 && tail_bytes(t, strbuf_sv(&out)) != 0) {
		*e = t->err;
		rc = -1;
	}
	strbuf_clear(&out);
	strbuf_clear(&words);
	return rc;
}

/* The last n lines of text. */
static struct sv last_lines(struct sv text, int n)
{
	for (size_t i = text.n; i > 1; i--)
		if (text.p[i - 2] == '\n' && --n == 0)
			return sv_n(text.p + i - 1, text.n - (i - 1));
	return text;
}

int service_log_tail(struct service_asker *a, const struct runtime_service *s,
		     const struct runtime_unit *unit, int n, struct strbuf *out, struct err *e)
{
	const struct runtime_args args = { .id = unit->id[0] != '\0' ? unit->id : NULL,
					   .tail = n,
					   .tty = unit->tty };
	struct tail t = { .log = runtime_log_new(s->kind, &args) };
	struct runtime_request req;
	struct arena arena;
	int rc;

	arena_init(&arena);
	strbuf_init(&t.text, STRBUF_NO_LIMIT);
	rc = runtime_ops_of(s->kind)->request(RUNTIME_LOGS, s, &args, &arena, &req, e);
	if (rc == 0)
		rc = req.how == RUNTIME_HTTP ? tail_http(a, s, &req, &t, e)
					     : tail_command(a, s, &req, &t, e);
	if (rc == 0) {
		runtime_log_end(t.log, tail_line, &t);
		/* A line in parts, or a message of several lines, gives more than was asked for. */
		strbuf_addsv(out, last_lines(strbuf_sv(&t.text), n));
	}
	strbuf_clear(&t.text);
	runtime_log_free(t.log);
	arena_clear(&arena);
	return rc;
}
