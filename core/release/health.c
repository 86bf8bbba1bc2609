/* SPDX-License-Identifier: MIT */
/*
 * Whether one service on one host is healthy.
 *
 * A try looks at the runtime first, and only what runs there is asked by HTTP, through the host. Success is a status
 * from 200 to 299; a redirect is none unless it may be followed, and then its end counts. Successes count in a row:
 * a try that fails, a restart, a new start or another container set them back to none, and the last of them is
 * followed by one more look at the runtime, since a program that answers once and dies is not healthy.
 *
 * The delay counts from the start of what runs: a service that has been up for days is asked at once. What has ended
 * for good (an engine or systemd would not start it again) ends the check at once; a process without a runtime may
 * be started again by somebody, so there it is a failed try. When so few tries are left that the successes cannot
 * be had any more, it has failed.
 *
 * Failed is about the service: it is down, or answers badly. Unknown is about the way to it: the host or the engine
 * cannot be asked.
 */
#include "core/release/health.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/release/service_ask.h"

#define ANSWER_MAX ((size_t)1 << 20) /* of a health URL; what it says does not matter */
#define INSPECT_MS 10000
#define TAIL_LINES 20
#define TAIL_BYTES ((size_t)16 << 10)

struct check {
	const struct service *service;
	struct host *host;
	struct http_client *http;
	struct cancel *cancel;
	struct health_result *out;
	bool seen;  /* out->unit is of a look before */
	bool anew;  /* it is another one than then, or started again */
	bool blind; /* the runtime could not be asked, or there is no way to the service */
	bool over;  /* it has ended for good */
	void (*progress)(void *arg, const struct health_result *r);
	void *arg;
};

void health_result_clear(struct health_result *r)
{
	mem_free(r->log_tail);
	r->log_tail = NULL;
}

static void tell(const struct check *k)
{
	if (k->progress != NULL)
		k->progress(k->arg, k->out);
}

static struct service_asker asker(const struct check *k, int64_t timeout_ms)
{
	return (struct service_asker){ .host = k->host,
				       .http = k->http,
				       .deadline_ms = clock_mono_ms() + timeout_ms,
				       .cancel = k->cancel };
}

/* --- The runtime -------------------------------------------------------------------------------- */

static bool is_another(const struct runtime_unit *a, const struct runtime_unit *b)
{
	/* The start of a plain process is computed, and its id holds the exact one. */
	return strcmp(a->id, b->id) != 0 || a->restarts != b->restarts ||
	       (a->restarts >= 0 && a->started_utc_ms != b->started_utc_ms);
}

static bool ended_for_good(enum runtime_kind kind, enum runtime_state state)
{
	return kind != RUNTIME_PROCESS &&
	       (state == UNIT_ABSENT || state == UNIT_STOPPED || state == UNIT_FAILED);
}

/* Looks at the runtime. -1 with e when what is there cannot be healthy now. */
static int look(struct check *k, struct err *e)
{
	struct service_asker a = asker(k, INSPECT_MS);
	const struct runtime_service *s = &k->service->runtime;
	struct health_result *r = k->out;
	struct service_unit as_unit = { .service = k->service };
	struct runtime_unit unit;
	struct strbuf words;

	k->blind = service_inspect(&a, s, &unit, e) != 0;
	if (k->blind)
		return -1;
	k->anew = k->seen && is_another(&r->unit, &unit);
	if (k->anew)
		r->successes = 0;
	k->seen = true;
	r->unit = unit;
	k->over = ended_for_good(s->kind, unit.state);
	if (unit.state == UNIT_RUNNING && unit.health != HEALTH_UNHEALTHY &&
	    (unit.health != HEALTH_STARTING || k->service->health.url != NULL))
		return 0;
	as_unit.unit = unit;
	strbuf_init(&words, sizeof(e->detail));
	service_words(&as_unit, clock_utc_ms(), &words);
	err_set(e, ERR_GATE, "%s", strbuf_str(&words));
	strbuf_clear(&words);
	return -1;
}

/* --- HTTP --------------------------------------------------------------------------------------- */

static int ask(struct check *k, struct err *e)
{
	const struct health_spec *spec = &k->service->health;
	struct health_try *last = &k->out->last;
	const struct http_request request = {
		.url = spec->url,
		.follow_redirects = spec->redirects,
		.max_bytes = ANSWER_MAX,
		.deadline_ms = clock_mono_ms() + spec->timeout_ms,
	};
	struct http_reply reply = { .status = 0 };
	int rc;

	strbuf_init(&reply.body, ANSWER_MAX);
	rc = http_do(k->http, &request, k->cancel, &reply, e);
	last->status = reply.status;
	last->took_us = reply.took_us;
	strbuf_clear(&reply.body);
	if (rc != 0 || (reply.status >= 200 && reply.status < 300))
		return rc;
	err_set(e, ERR_GATE, "%s answers %d", spec->url, reply.status);
	if (reply.redirect[0] != '\0') {
		err_detail(e, "a redirect to %s", reply.redirect);
		return err_hint(
			e, spec->redirects
				   ? "it leads to another host or port: set `health` to its end"
				   : "set `health` to its end, or health_redirects = yes");
	}
	return err_detail(e, "within %lld ms", (long long)(reply.took_us / 1000));
}

/* --- Tries -------------------------------------------------------------------------------------- */

/* Whether it is the way to the service that failed, and nothing is known of the service itself. */
static bool is_of_the_way(const struct check *k, const struct err *e)
{
	struct host_status status;

	host_status(k->host, &status);
	return e->code == ERR_UNSUPPORTED || /* the server forbids to forward, no libcurl */
	       (!host_is_local(k->host) && status.state != HOST_READY);
}

static bool stops(const struct err *e)
{
	return e->code == ERR_CANCELLED || e->code == ERR_ASKS;
}

/* One try. -1 when the whole check cannot go on. */
static int try_once(struct check *k, int wanted, struct err *e)
{
	struct health_result *r = k->out;
	struct err why = { .code = ERR_OK };
	bool asked = false;
	int rc;

	r->tries++;
	r->last = (struct health_try){ .at_utc_ms = clock_utc_ms() };
	rc = look(k, &why);
	if (rc == 0 && k->service->health.url != NULL) {
		asked = true;
		rc = ask(k, &why);
		k->blind = rc != 0 && is_of_the_way(k, &why);
	}
	if (rc == 0 && r->successes + 1 >= wanted && asked) {
		rc = look(k, &why);
		if (rc == 0 && k->anew)
			rc = err_set(&why, ERR_GATE, "%s has started anew meanwhile",
				     k->service->runtime.name);
	}
	if (rc != 0 && stops(&why)) {
		*e = why;
		return -1;
	}
	r->last.ok = rc == 0;
	r->successes = rc == 0 ? r->successes + 1 : 0;
	if (rc != 0)
		r->last.err = why;
	return 0;
}

static int wait_until(struct check *k, int64_t deadline_ms, struct err *e)
{
	return wait_fds(NULL, 0, deadline_ms, k->cancel, e) < 0 ? -1 : 0;
}

/* What is left of the delay since the start of what runs. */
static int wait_delay(struct check *k, struct err *e)
{
	const struct health_spec *spec = &k->service->health;
	struct host_status status;
	int64_t up_ms, left_ms = spec->delay_ms;
	struct err why;

	if (spec->url == NULL || left_ms <= 0)
		return 0;
	if (look(k, &why) != 0 && stops(&why)) {
		*e = why;
		return -1;
	}
	if (k->over)
		return 0;
	host_status(k->host, &status);
	up_ms = clock_utc_ms() + (status.skew_known ? status.skew_ms : 0) -
		k->out->unit.started_utc_ms;
	if (k->out->unit.state == UNIT_RUNNING && k->out->unit.started_utc_ms > 0 && up_ms > 0)
		left_ms -= up_ms;
	tell(k);
	return left_ms <= 0 ? 0 : wait_until(k, clock_mono_ms() + left_ms, e);
}

static int tries(struct check *k, int attempts, int wanted, struct err *e)
{
	struct health_result *r = k->out;

	while (r->tries < attempts && r->successes < wanted && !k->over) {
		int64_t next_ms = clock_mono_ms() + k->service->health.interval_ms;

		if (r->tries > 0 && wanted - r->successes > attempts - r->tries)
			break;
		if (try_once(k, wanted, e) != 0)
			return -1;
		tell(k);
		if (r->successes < wanted && r->tries < attempts && !k->over &&
		    wait_until(k, next_ms, e) != 0)
			return -1;
	}
	return 0;
}

/* --- The verdict -------------------------------------------------------------------------------- */

static void add_log_tail(struct check *k)
{
	struct service_asker a = asker(k, INSPECT_MS);
	struct strbuf text;
	struct err ignored;

	if (k->out->unit.state == UNIT_ABSENT)
		return;
	strbuf_init(&text, TAIL_BYTES);
	if (service_log_tail(&a, &k->service->runtime, &k->out->unit, TAIL_LINES, &text,
			     &ignored) == 0 &&
	    text.len > 0)
		k->out->log_tail = strbuf_detach(&text);
	strbuf_clear(&text);
}

static void judge(struct check *k, int wanted)
{
	struct health_result *r = k->out;
	const struct err *why = &r->last.err;
	const char *name = k->service->runtime.name;

	if (r->successes >= wanted) {
		r->verdict = HEALTH_OK;
		return;
	}
	r->verdict = k->blind ? HEALTH_UNKNOWN : HEALTH_FAILED;
	if (r->verdict == HEALTH_UNKNOWN) {
		r->err = *why;
		err_wrap(&r->err, "cannot see whether %s is healthy on %s", name, r->host);
		return;
	}
	r->err = *why;
	if (why->code == ERR_OK) /* it was on its way, with too few tries left */
		err_set(&r->err, ERR_GATE, "%d successes in a row of %d", r->successes, wanted);
	err_wrap(&r->err, "%s is not healthy on %s after %d %s", name, r->host, r->tries,
		 r->tries == 1 ? "try" : "tries");
	add_log_tail(k);
}

int health_check(const struct service *s, const struct host_spec *on, struct hosts *hosts,
		 bool once, void (*progress)(void *arg, const struct health_result *r), void *arg,
		 struct cancel *c, struct health_result *out, struct err *e)
{
	struct health_result r = { .service = s, .verdict = HEALTH_WAITING };
	struct check k = { .service = s,
			   .host = hosts_get(hosts, on),
			   .cancel = c,
			   .out = &r,
			   .progress = progress,
			   .arg = arg };
	/* The container's state alone does not get truer by looking again and again. */
	int wanted = once ? 1 : s->health.successes > 0 ? s->health.successes : 1;
	int attempts = once ? 1 : s->health.attempts > wanted ? s->health.attempts : wanted;
	int rc = 0;

	str_copy(r.host, sizeof(r.host), on->name);
	k.http = http_client_take(k.host);
	tell(&k);
	if (!once)
		rc = wait_delay(&k, e);
	if (rc == 0)
		rc = tries(&k, attempts, wanted, e);
	if (rc == 0) {
		judge(&k, wanted);
		rc = cancel_fired(c) ? err_set(e, ERR_CANCELLED, "the check was cancelled") : 0;
	}
	http_client_give(k.http);
	if (rc != 0) {
		health_result_clear(&r);
		return -1;
	}
	tell(&k);
	*out = r;
	return 0;
}

/* --- JSON --------------------------------------------------------------------------------------- */

static const char *verdict_name(enum health_verdict v)
{
	static const char *const names[] = { "waiting", "healthy", "unhealthy", "unknown" };

	return names[v];
}

json_t *health_json(const struct health_result *r)
{
	json_t *j = json_object();
	char text[sizeof(r->err.msg) + sizeof(r->err.detail) + 4];

	snprintf(text, sizeof(text), "%s%s%s", r->err.msg, r->err.detail[0] != '\0' ? ": " : "",
		 r->err.detail);
	json_put_str(j, "service", r->service->runtime.name);
	json_put_str(j, "host", r->host);
	json_put_bool(j, "ok", r->verdict == HEALTH_OK);
	json_put_str(j, "verdict", verdict_name(r->verdict));
	json_put_str(j, "state", runtime_state_name(r->unit.state));
	if (r->last.status != 0) {
		json_put_int(j, "status", r->last.status);
		json_put_int(j, "ms", r->last.took_us / 1000);
	} else {
		json_object_set_new(j, "status", json_null());
		json_object_set_new(j, "ms", json_null());
	}
	json_put_int(j, "tries", r->tries);
	json_put_int(j, "successes", r->successes);
	json_put_str(j, "error", r->err.code != ERR_OK ? text : NULL);
	json_put_str(j, "hint", r->err.hint[0] != '\0' ? r->err.hint : NULL);
	json_put_str(j, "log", r->log_tail);
	return j;
}
