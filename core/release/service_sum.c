/* SPDX-License-Identifier: MIT */
/* What a look means: one service over its hosts, in words, as JSON. Pure. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/release/service.h"

bool service_unit_ok(const struct service_unit *u)
{
	return u->err.code == ERR_OK && u->unit.state == UNIT_RUNNING && !u->loops &&
	       u->unit.health != HEALTH_UNHEALTHY;
}

/* How much it wants attention; 0: not at all. */
static int badness(const struct service_unit *u)
{
	static const int of_state[UNIT_STATES] = {
		[UNIT_UNKNOWN] = 4,    [UNIT_ABSENT] = 6, [UNIT_CREATED] = 3, [UNIT_RUNNING] = 0,
		[UNIT_RESTARTING] = 9, [UNIT_PAUSED] = 3, [UNIT_STOPPED] = 5, [UNIT_FAILED] = 10,
	};

	if (u->err.code != ERR_OK)
		return 7;
	if (u->loops)
		return of_state[u->unit.state] > 9 ? of_state[u->unit.state] : 9;
	if (u->unit.state == UNIT_RUNNING && u->unit.health == HEALTH_UNHEALTHY)
		return 8;
	if (u->unit.state == UNIT_RUNNING && u->unit.health == HEALTH_STARTING)
		return 1;
	return of_state[u->unit.state];
}

static void sum_unit(struct service_summary *out, const struct service_unit *u)
{
	int64_t start = u->unit.started_utc_ms;

	if (service_unit_ok(u))
		out->up++;
	if (u->unit.restarts >= 0)
		out->restarts = (out->restarts < 0 ? 0 : out->restarts) + u->unit.restarts;
	if (start <= 0)
		return;
	if (out->oldest_start_utc_ms == 0 || start < out->oldest_start_utc_ms)
		out->oldest_start_utc_ms = start;
	if (start > out->newest_start_utc_ms)
		out->newest_start_utc_ms = start;
}

/* Another image, or the same name with another content. Where a digest is not known the image's own id says. */
static bool differ(const struct runtime_unit *a, const struct runtime_unit *b)
{
	if (strcmp(a->image, b->image) != 0)
		return true;
	if (a->digest[0] != '\0' && b->digest[0] != '\0')
		return strcmp(a->digest, b->digest) != 0;
	return strcmp(a->image_id, b->image_id) != 0;
}

void service_summarise(const struct services *s, const struct service *service,
		       struct service_summary *out)
{
	const struct runtime_unit *first = NULL;

	*out = (struct service_summary){ .restarts = -1 };
	for (size_t i = 0; i < s->n_unit; i++) {
		const struct service_unit *u = &s->unit[i];

		if (strcmp(u->service->runtime.name, service->runtime.name) != 0)
			continue;
		out->wanted++;
		if (out->worst == NULL || badness(u) > badness(out->worst))
			out->worst = u;
		if (u->err.code != ERR_OK)
			continue;
		sum_unit(out, u);
		if (u->unit.image_id[0] == '\0')
			continue;
		if (first != NULL && differ(first, &u->unit))
			out->differs = true;
		first = &u->unit;
	}
}

/* --- Words -------------------------------------------------------------------------------------- */

static void add_ending(const struct runtime_unit *u, struct strbuf *out)
{
	if (u->exit_code >= 0)
		strbuf_addf(out, "exited %d", u->exit_code);
	else
		strbuf_adds(out, "failed");
	if (u->oom)
		strbuf_adds(out, ", out of memory");
	if (u->words[0] != '\0') {
		strbuf_adds(out, u->exit_code >= 0 ? ", " : ": ");
		clean_text(out, sv_of(u->words), false);
	}
}

static void add_restarts(const struct runtime_unit *u, int64_t now_utc_ms, struct strbuf *out)
{
	char span[CLOCK_TEXT_SIZE];

	if (u->restarts <= 0)
		return;
	strbuf_addf(out, ", %lld restart%s", (long long)u->restarts, u->restarts == 1 ? "" : "s");
	if (u->created_utc_ms > 0 && now_utc_ms > u->created_utc_ms)
		strbuf_addf(out, " in %s", clock_span(now_utc_ms - u->created_utc_ms, span));
}

static void add_state(const struct service_unit *su, struct strbuf *out)
{
	const struct runtime_unit *u = &su->unit;

	switch (u->state) {
	case UNIT_RUNNING:
		strbuf_adds(out, su->loops ? "restarts again and again" : "running");
		if (u->health == HEALTH_STARTING || u->health == HEALTH_UNHEALTHY)
			strbuf_addf(out, ", %s", runtime_health_name(u->health));
		break;
	case UNIT_RESTARTING:
		strbuf_adds(out, "restarting, ");
		add_ending(u, out);
		return;
	case UNIT_FAILED:
		add_ending(u, out);
		return;
	case UNIT_STOPPED:
		strbuf_adds(out, "stopped");
		if (u->exit_code > 0)
			strbuf_addf(out, ", exited %d", u->exit_code);
		break;
	default:
		strbuf_adds(out, runtime_state_name(u->state));
	}
	if (u->words[0] != '\0') {
		strbuf_adds(out, ": ");
		clean_text(out, sv_of(u->words), false);
	}
}

void service_words(const struct service_unit *u, int64_t now_utc_ms, struct strbuf *out)
{
	if (u->err.code != ERR_OK) {
		clean_text(out, sv_of(u->err.msg), false);
		if (u->err.detail[0] != '\0') {
			strbuf_adds(out, ": ");
			clean_text(out, sv_of(u->err.detail), false);
		}
		return;
	}
	add_state(u, out);
	add_restarts(&u->unit, now_utc_ms, out);
}

/* --- JSON --------------------------------------------------------------------------------------- */

static void put_text(json_t *j, const char *key, const char *text)
{
	json_put_str(j, key, text[0] != '\0' ? text : NULL);
}

static void put_time(json_t *j, const char *key, int64_t utc_ms)
{
	char text[CLOCK_TEXT_SIZE];

	json_put_str(j, key, utc_ms > 0 ? clock_iso(utc_ms, text) : NULL);
}

static void put_number(json_t *j, const char *key, int64_t value, bool known)
{
	if (known)
		json_put_int(j, key, value);
	else
		json_object_set_new(j, key, json_null());
}

static json_t *unit_json(const struct services *s, const struct service_unit *su)
{
	const struct runtime_unit *u = &su->unit;
	bool known = su->err.code == ERR_OK, up = u->state == UNIT_RUNNING;
	json_t *j = json_object();
	struct strbuf text;

	strbuf_init(&text, 4096);
	service_words(su, s->at_utc_ms, &text);
	json_put_str(j, "name", su->service->runtime.name);
	json_put_str(j, "host", s->host[su->host].name);
	json_put_str(j, "runtime", runtime_kind_name(su->service->runtime.kind));
	json_put_str(j, "state", runtime_state_name(u->state));
	json_put_bool(j, "ok", service_unit_ok(su));
	json_put_str(j, "words", strbuf_str(&text));
	put_text(j, "id", u->id);
	put_text(j, "image", u->image);
	put_text(j, "image_id", u->image_id);
	put_text(j, "digest", u->digest);
	put_number(j, "restarts", u->restarts, known && u->restarts >= 0);
	json_put_bool(j, "loops", known && su->loops);
	put_time(j, "since", up || u->ended_utc_ms == 0 ? u->started_utc_ms : u->ended_utc_ms);
	json_put_str(j, "health",
		     known && u->health != HEALTH_NONE ? runtime_health_name(u->health) : NULL);
	put_number(j, "exit_code", u->exit_code,
		   known && u->exit_code >= 0 &&
			   (u->state == UNIT_FAILED || u->state == UNIT_STOPPED ||
			    u->state == UNIT_RESTARTING));
	json_put_bool(j, "out_of_memory", u->oom);
	json_put_str(j, "error", known ? NULL : strbuf_str(&text));
	json_put_str(j, "hint", known || su->err.hint[0] == '\0' ? NULL : su->err.hint);
	strbuf_clear(&text);
	return j;
}

json_t *services_json(const struct services *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_unit; i++)
		json_array_append_new(list, unit_json(s, &s->unit[i]));
	return list;
}
