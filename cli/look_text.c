/* SPDX-License-Identifier: MIT */
/*
 * A look at services in words and as JSON.
 *
 * What was not seen is not counted as up, and not as down either: a host that does not answer makes its
 * services unknown, with the reason. Health is that of the whole environment: the worst answer of all services
 * that have a health URL, the slowest one when all of them were good.
 */
#include "cli/look_text.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"

static bool host_answered(const struct services *s, size_t host)
{
	return s->host[host].err.code == ERR_OK;
}

/* --- Health -------------------------------------------------------------------------------------- */

static int badness(const struct health_result *r)
{
	return r->verdict == HEALTH_FAILED ? 2 : r->verdict == HEALTH_OK ? 0 : 1;
}

/* NULL: no service has a health URL on a host that answered. */
static const struct health_result *worst_health(const struct look_services *s)
{
	const struct health_result *worst = NULL;

	for (size_t i = 0; i < s->n_health; i++) {
		const struct health_result *r = &s->health[i];

		if (worst == NULL || badness(r) > badness(worst) ||
		    (badness(r) == badness(worst) && r->last.took_us > worst->last.took_us))
			worst = r;
	}
	return worst;
}

/* Units with a health URL that nobody could ask. */
static size_t unasked(const struct look_services *s)
{
	size_t n = 0;

	for (size_t i = 0; s->services != NULL && i < s->services->n_unit; i++) {
		const struct service_unit *u = &s->services->unit[i];

		n += u->service->health.url != NULL &&
		     (u->err.code != ERR_OK || !host_answered(s->services, u->host));
	}
	return n;
}

static void add_error(struct strbuf *out, const struct err *e)
{
	add_clean(out, e->msg);
	strbuf_adds(out, e->detail[0] != '\0' ? ": " : "");
	add_clean(out, e->detail);
}

json_t *look_health_json(const struct look_services *s)
{
	const struct health_result *worst = worst_health(s);
	bool unknown = unasked(s) > 0;
	struct strbuf words;
	json_t *j;

	if (worst == NULL && !unknown)
		return json_null();
	j = json_object();
	if (worst != NULL && worst->verdict == HEALTH_FAILED)
		json_put_bool(j, "ok", false);
	else if (unknown || worst->verdict != HEALTH_OK)
		json_object_set_new(j, "ok", json_null());
	else
		json_put_bool(j, "ok", true);
	if (worst != NULL && worst->last.status > 0)
		json_put_int(j, "status", worst->last.status);
	else
		json_object_set_new(j, "status", json_null());
	if (worst != NULL && worst->last.took_us > 0)
		json_put_int(j, "ms", (worst->last.took_us + 500) / 1000);
	else
		json_object_set_new(j, "ms", json_null());
	json_put_str(j, "service", worst != NULL ? worst->service->runtime.name : NULL);
	json_put_str(j, "host", worst != NULL ? worst->host : NULL);
	strbuf_init(&words, STRBUF_NO_LIMIT);
	if (worst != NULL && worst->verdict != HEALTH_OK)
		add_error(&words, &worst->err);
	json_put_str(j, "error", words.len > 0 ? strbuf_str(&words) : NULL);
	strbuf_clear(&words);
	return j;
}

void look_health_cell(const struct look_services *s, struct strbuf *out)
{
	const struct health_result *worst = worst_health(s);
	size_t good = 0;

	for (size_t i = 0; i < s->n_health; i++)
		good += s->health[i].verdict == HEALTH_OK;
	if (worst == NULL) {
		strbuf_adds(out, unasked(s) > 0 ? "unknown" : "-");
		return;
	}
	if (worst->verdict == HEALTH_FAILED)
		strbuf_adds(out, "FAILED  ");
	else if (worst->verdict != HEALTH_OK || unasked(s) > 0)
		strbuf_adds(out, "unknown  ");
	else
		strbuf_adds(out, "ok  ");
	if (worst->verdict != HEALTH_OK) {
		strbuf_addf(out, "%s on ", worst->service->runtime.name);
		add_clean(out, worst->host);
	}
	if (worst->last.status > 0)
		strbuf_addf(out, "%s%d in %lld ms", worst->verdict != HEALTH_OK ? " " : "",
			    worst->last.status, (long long)(worst->last.took_us + 500) / 1000);
	if (s->n_health + unasked(s) > 1)
		strbuf_addf(out, "  (%zu of %zu)", good, s->n_health + unasked(s));
}

/* --- Services ------------------------------------------------------------------------------------ */

json_t *look_services_json(const struct look_services *s)
{
	return s->services != NULL ? services_json(s->services) : json_null();
}

/* The unit that a cell has room for: one that is wrong, before one that is unknown. */
static const struct service_unit *first_wrong(const struct services *s)
{
	const struct service_unit *unknown = NULL;

	for (size_t i = 0; i < s->n_unit; i++) {
		const struct service_unit *u = &s->unit[i];

		if (u->err.code == ERR_OK && !service_unit_ok(u))
			return u;
		if (u->err.code != ERR_OK && unknown == NULL)
			unknown = u;
	}
	return unknown;
}

/* What is wrong with it, in a word: that it runs is not. */
static const char *wrong_word(const struct service_unit *u)
{
	if (u->err.code != ERR_OK)
		return "unknown";
	if (u->loops)
		return "loops";
	return u->unit.state == UNIT_RUNNING ? "unhealthy" : runtime_state_name(u->unit.state);
}

void look_services_cell(const struct look_services *s, struct strbuf *out)
{
	const struct service_unit *wrong;
	size_t up = 0, known = 0;

	if (s->services == NULL) {
		strbuf_adds(out, s->err.code != ERR_OK ? "unknown" : "-");
		return;
	}
	for (size_t i = 0; i < s->services->n_unit; i++) {
		const struct service_unit *u = &s->services->unit[i];

		known += u->err.code == ERR_OK;
		up += u->err.code == ERR_OK && service_unit_ok(u);
	}
	if (known == 0) {
		strbuf_adds(out, "unknown");
		return;
	}
	wrong = first_wrong(s->services);
	if (wrong == NULL) {
		strbuf_addf(out, "%zu up", up);
		return;
	}
	strbuf_addf(out, "%zu of %zu up  %s ", up, s->services->n_unit,
		    wrong->service->runtime.name);
	strbuf_adds(out, wrong_word(wrong));
}

void look_services_troubles(const char *env, const struct look_services *s, struct strbuf *out)
{
	struct strbuf words;

	if (s->err.code != ERR_OK) {
		strbuf_addf(out, "\n%s: ", env);
		add_error(out, &s->err);
		strbuf_addc(out, '\n');
	}
	strbuf_init(&words, 1024);
	for (size_t i = 0; s->services != NULL && i < s->services->n_host; i++) {
		const struct service_host *h = &s->services->host[i];

		if (host_answered(s->services, i))
			continue;
		strbuf_addf(out, "\n%s: ", env);
		add_error(out, &h->err);
		strbuf_adds(out, h->err.hint[0] != '\0' ? "\n  try: " : "");
		add_clean(out, h->err.hint);
		strbuf_addc(out, '\n');
	}
	for (size_t i = 0; s->services != NULL && i < s->services->n_unit; i++) {
		const struct service_unit *u = &s->services->unit[i];

		if (!host_answered(s->services, u->host) || service_unit_ok(u))
			continue;
		strbuf_addf(out, "\n%s: %s on ", env, u->service->runtime.name);
		add_clean(out, s->services->host[u->host].name);
		strbuf_adds(out, ": ");
		strbuf_reset(&words);
		if (u->err.code != ERR_OK)
			add_error(out, &u->err);
		else
			service_words(u, clock_utc_ms(), &words);
		strbuf_addsv(out, strbuf_sv(&words));
		if (u->err.code != ERR_OK && u->err.hint[0] != '\0') {
			strbuf_adds(out, "\n  try: ");
			add_clean(out, u->err.hint);
		}
		strbuf_addc(out, '\n');
	}
	for (size_t i = 0; i < s->n_health; i++) {
		const struct health_result *r = &s->health[i];

		if (r->verdict == HEALTH_OK)
			continue;
		strbuf_addf(out, "\n%s: health of %s on ", env, r->service->runtime.name);
		add_clean(out, r->host);
		strbuf_adds(out, ": ");
		add_error(out, &r->err);
		strbuf_addc(out, '\n');
	}
	strbuf_clear(&words);
}

bool look_services_wrong(const struct look_services *s)
{
	const struct health_result *worst = worst_health(s);

	if (s->err.code != ERR_OK || unasked(s) > 0 ||
	    (worst != NULL && worst->verdict != HEALTH_OK))
		return true;
	for (size_t i = 0; s->services != NULL && i < s->services->n_unit; i++)
		if (s->services->unit[i].err.code != ERR_OK ||
		    !service_unit_ok(&s->services->unit[i]))
			return true;
	return false;
}
