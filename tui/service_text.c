/* SPDX-License-Identifier: MIT */
/*
 * What runs, in words.
 *
 * A cell says the worst first: one broken host of three is what an engineer must see, not two that
 * work. What nobody knows is "unknown" and never "ok". A value that was good but is old is dim; what
 * is broken keeps its role however old it is.
 *
 * Rows of a service that is in order have their words in fixed columns, so that the eye runs across
 * environments; what is broken says why in a sentence instead.
 */
#include "tui/service_text.h"

#include <stdio.h>
#include <string.h>

#define SKEW_SHOWN_MS 1000 /* a clock that is less wrong does not disturb anybody */
#define DIGEST_SHOWN 8

bool service_text_any(const struct project *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		if (p->env[i].n_service > 0)
			return true;
	return false;
}

bool service_text_hosts(const struct project *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		if (p->env[i].n_service > 0 || p->env[i].n_host > 0)
			return true;
	return false;
}

const struct service *service_text_find(const struct env *env, const char *name)
{
	for (size_t i = 0; i < env->n_service; i++)
		if (strcmp(env->service[i].runtime.name, name) == 0)
			return &env->service[i];
	return NULL;
}

const struct services_seen *service_text_seen(const struct model *m, int env)
{
	return m->services && env >= 0 && (size_t)env < m->project->n_env ? m->services[env] : NULL;
}

static const char *host_of(const struct services *s, const struct service_unit *u)
{
	return u->host < s->n_host ? s->host[u->host].name : "";
}

const struct health_result *service_text_health(const struct services_seen *seen,
						const struct service_unit *u)
{
	for (size_t i = 0; i < seen->n_health; i++)
		if (seen->health[i].service == u->service &&
		    strcmp(seen->health[i].host, host_of(seen->services, u)) == 0)
			return &seen->health[i];
	return NULL;
}

char *service_text_age(int64_t since_utc_ms, int64_t now_utc_ms, char out[CLOCK_TEXT_SIZE])
{
	int64_t ms = now_utc_ms - since_utc_ms;
	char ago[CLOCK_TEXT_SIZE];
	char *end;

	out[0] = '\0';
	if (since_utc_ms == 0)
		return out;
	clock_ago(ms < 2000 ? 2000 : ms, ago);
	end = strstr(ago, " ago");
	if (end)
		*end = '\0';
	str_copy(out, CLOCK_TEXT_SIZE, ms < 2000 ? "1s" : ago);
	return out;
}

char *service_text_digest(const char *digest, char out[CLOCK_TEXT_SIZE])
{
	const char *colon = strchr(digest, ':');

	snprintf(out, CLOCK_TEXT_SIZE, "%.*s", DIGEST_SHOWN, colon ? colon + 1 : digest);
	return out;
}

const char *service_text_image(const struct service_unit *u)
{
	const struct runtime_service *r = &u->service->runtime;
	const char *slash = strrchr(u->unit.image, '/');

	if (u->unit.image[0])
		return slash ? slash + 1 : u->unit.image;
	return r->unit ? r->unit : r->command ? r->command : "-";
}

const char *service_text_state(const struct service_unit *u, enum role *role)
{
	static const char *const loud[UNIT_STATES] = {
		[UNIT_UNKNOWN] = "unknown",     [UNIT_ABSENT] = "ABSENT",
		[UNIT_CREATED] = "CREATED",     [UNIT_RUNNING] = "UNHEALTHY",
		[UNIT_RESTARTING] = "RESTARTS", [UNIT_PAUSED] = "PAUSED",
		[UNIT_STOPPED] = "STOPPED",     [UNIT_FAILED] = "FAILED",
	};

	if (u->err.code != ERR_OK || u->unit.state == UNIT_UNKNOWN) {
		*role = ROLE_WARN;
		return loud[UNIT_UNKNOWN];
	}
	if (service_unit_ok(u)) {
		*role = ROLE_OK;
		return runtime_state_name(u->unit.state);
	}
	*role = ROLE_FAIL;
	return u->loops ? "LOOPS" : loud[u->unit.state];
}

enum role service_text_health_words(const struct health_result *h, bool narrow, struct strbuf *out)
{
	long long ms = (long long)((h->last.took_us + 999) / 1000);
	int64_t limit_ms = h->service ? h->service->health.timeout_ms : 0;
	bool slow = limit_ms > 0 && ms > limit_ms / 2;

	switch (h->verdict) {
	case HEALTH_OK:
		strbuf_adds(out, slow ? "WARN" : "ok");
		if (h->last.status && slow && !narrow)
			strbuf_addf(out, "  %d in %lld of %lld ms", h->last.status, ms,
				    (long long)limit_ms);
		else if (h->last.status)
			strbuf_addf(out, narrow ? " %d %lld ms" : "  %d in %lld ms", h->last.status,
				    ms);
		return slow ? ROLE_WARN : ROLE_OK;
	case HEALTH_FAILED:
		strbuf_adds(out, "FAIL");
		if (h->last.status)
			strbuf_addf(out, narrow ? " %d %lld ms" : "  %d in %lld ms", h->last.status,
				    ms);
		else
			/* What it is like; that it is not healthy is said already. */
			strbuf_addf(out, "  %s", h->err.detail[0] ? h->err.detail : h->err.msg);
		return ROLE_FAIL;
	case HEALTH_UNKNOWN:
		strbuf_addf(out, "unknown  %s", h->err.msg);
		return ROLE_WARN;
	default:
		strbuf_adds(out, "checking");
		return ROLE_PENDING;
	}
}

/* --- Cells -------------------------------------------------------------------------------------- */

/* How much a host wants to be seen: of several, the highest is told. */
static int host_rank(const struct service_host *h)
{
	if (h->status.state == HOST_ASKS)
		return 3;
	if (h->status.state == HOST_DOWN || h->status.silent_utc_ms != 0 || h->err.code != ERR_OK)
		return 2;
	return h->status.state == HOST_READY ? 0 : 1;
}

const char *service_text_host(const struct service_host *h, enum role *role)
{
	static const enum role roles[] = { ROLE_OK, ROLE_DIM, ROLE_FAIL, ROLE_WARN };
	int rank = host_rank(h);

	*role = roles[rank];
	return rank == 0   ? "ok"
	       : rank == 2 ? (h->status.silent_utc_ms != 0 ? "SILENT" : "DOWN")
	       : rank == 3 ? "ASKS"
			   : host_state_name(h->status.state);
}

const struct service_host *service_text_host_worst(const struct services *s)
{
	const struct service_host *worst = NULL;

	for (size_t i = 0; i < s->n_host; i++)
		if (host_rank(&s->host[i]) >= 2 &&
		    (!worst || host_rank(&s->host[i]) > host_rank(worst)))
			worst = &s->host[i];
	return worst;
}

const struct err *service_text_host_err(const struct service_host *h)
{
	return h->err.code != ERR_OK ? &h->err : &h->status.err;
}

static enum role host_trouble(const struct service_host *h, bool alone, struct strbuf *out)
{
	const struct err *why = service_text_host_err(h);
	/* "cannot connect to app1" says no more than DOWN; "the key of app1 has changed" does. */
	bool same = strncmp(why->msg, "cannot ", 7) == 0 && why->detail[0];
	const char *text = same ? why->detail : why->msg;
	enum role role;

	strbuf_addf(out, "%s  ", service_text_host(h, &role));
	if (role != ROLE_FAIL)
		strbuf_adds(out, h->name);
	else if (alone || strstr(text, h->name))
		strbuf_adds(out, text);
	else
		strbuf_addf(out, "%s: %s", h->name, text);
	return role;
}

/* "18 / 29 ms", in the order of the hosts; a name for one that has no way to go. */
static void host_times(const struct services *s, struct strbuf *out)
{
	bool any = false;

	for (size_t i = 0; i < s->n_host; i++) {
		int64_t us = s->host[i].status.round_trip_us;

		strbuf_adds(out, i > 0 ? " / " : "  ");
		any = any || us >= 0;
		if (us >= 0)
			strbuf_addf(out, "%lld", (long long)((us + 999) / 1000));
		else
			strbuf_adds(out, s->host[i].name);
	}
	strbuf_adds(out, any ? " ms" : "");
}

/* The clock of a host that is wrong by more than a second: its logs and start times are read wrongly. */
static const struct service_host *host_skewed(const struct services *s)
{
	const struct service_host *worst = NULL;
	int64_t most = SKEW_SHOWN_MS;

	for (size_t i = 0; i < s->n_host; i++) {
		const struct service_host *h = &s->host[i];
		int64_t ms = h->status.skew_ms < 0 ? -h->status.skew_ms : h->status.skew_ms;

		if (h->status.skew_known && ms > most) {
			worst = h;
			most = ms;
		}
	}
	return worst;
}

enum role service_text_host_cell(const struct env *env, const struct services_seen *seen,
				 bool narrow, struct strbuf *out)
{
	const struct services *s = seen ? seen->services : NULL;
	const struct service_host *worst = NULL, *skewed;

	if (env->n_service == 0 && env->n_host == 0) {
		strbuf_adds(out, "-");
		return ROLE_DIM;
	}
	if (!s || s->n_host == 0) {
		strbuf_adds(out, "reading");
		return ROLE_DIM;
	}
	for (size_t i = 0; i < s->n_host; i++)
		if (!worst || host_rank(&s->host[i]) > host_rank(worst))
			worst = &s->host[i];
	if (host_rank(worst) > 0)
		return host_trouble(worst, s->n_host == 1, out);
	skewed = host_skewed(s);
	strbuf_adds(out, "ok");
	if (!skewed || !narrow)
		host_times(s, out);
	if (!skewed)
		return ROLE_OK;
	strbuf_addf(out, "  clock %+.1f s", (double)skewed->status.skew_ms / 1000.0);
	if (s->n_host > 1 && !narrow)
		strbuf_addf(out, " %s", skewed->name);
	return ROLE_WARN;
}

/* How many of an environment's services should run and do, over their hosts, and the worst of them. */
struct tally {
	size_t wanted, up, unknown;
	const struct service_unit *worst;
	bool differs;
};

static bool is_ok(const struct service_unit *u)
{
	return u->err.code == ERR_OK && service_unit_ok(u);
}

static struct tally count(const struct env *env, const struct services *s)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < s->n_unit; i++)
		t.unknown += s->unit[i].err.code != ERR_OK;
	for (size_t i = 0; i < env->n_service; i++) {
		struct service_summary sum;

		service_summarise(s, &env->service[i], &sum);
		t.wanted += sum.wanted;
		t.up += sum.up;
		t.differs = t.differs || sum.differs;
		if (!sum.worst || is_ok(sum.worst))
			continue;
		/* What is known to be broken is worse than what is not known. */
		if (!t.worst || (t.worst->err.code != ERR_OK && sum.worst->err.code == ERR_OK))
			t.worst = sum.worst;
	}
	return t;
}

static void add_age(const struct services *s, int64_t now_utc_ms, struct strbuf *out)
{
	int64_t age = now_utc_ms - s->at_utc_ms;
	char ago[CLOCK_TEXT_SIZE];

	strbuf_addf(out, "  %s",
		    clock_ago(age < ENGINE_REFRESH_MS ? 0 : age - age % ENGINE_REFRESH_MS, ago));
}

static enum role faded(enum role role, const struct services *s, int64_t now_utc_ms)
{
	bool old = now_utc_ms - s->at_utc_ms > SERVICE_OLD_MS;

	return old && (role == ROLE_OK || role == ROLE_TEXT) ? ROLE_DIM : role;
}

enum role service_text_all_cell(const struct env *env, const struct services_seen *seen,
				int64_t now_utc_ms, bool narrow, bool worst, struct strbuf *out)
{
	const struct services *s = seen ? seen->services : NULL;
	enum role role = ROLE_OK;
	struct tally t;

	if (env->n_service == 0) {
		strbuf_adds(out, "none");
		return ROLE_DIM;
	}
	if (!s) {
		strbuf_adds(out, "reading");
		return ROLE_DIM;
	}
	t = count(env, s);
	if (t.up < t.wanted)
		role = t.worst && t.worst->err.code == ERR_OK ? ROLE_FAIL : ROLE_WARN;
	if (t.unknown == 0 || t.unknown < t.wanted)
		strbuf_addf(out, narrow ? "%zu/%zu up" : "%zu of %zu up", t.up, t.wanted);
	if (t.unknown > 0 && t.unknown < t.wanted)
		strbuf_addf(out, narrow ? ", %zu?" : ", %zu unknown", t.unknown);
	else if (t.unknown > 0)
		strbuf_adds(out, "unknown");
	if (worst && t.worst && t.worst->err.code == ERR_OK) {
		strbuf_addf(out, "  %s ", t.worst->service->runtime.name);
		service_words(t.worst, now_utc_ms, out);
	} else if (worst && t.differs) {
		strbuf_adds(out, "  images differ");
		role = role == ROLE_OK ? ROLE_WARN : role;
	}
	if (!worst || !t.worst || t.worst->err.code != ERR_OK)
		add_age(s, now_utc_ms, out);
	return faded(role, s, now_utc_ms);
}

static enum role broken_cell(const struct service_summary *sum, int64_t now_utc_ms, bool narrow,
			     struct strbuf *out)
{
	const struct service_unit *u = sum->worst;

	if (u->err.code != ERR_OK) {
		if (sum->up > 0)
			strbuf_addf(out, "%zu/%zu up, ", sum->up, sum->wanted);
		strbuf_addf(out, "unknown  %s", u->err.msg);
		return ROLE_WARN;
	}
	strbuf_adds(out, narrow ? "FAIL " : "FAIL  ");
	if (sum->wanted > 1)
		strbuf_addf(out, "%zu/%zu up, ", sum->up, sum->wanted);
	service_words(u, now_utc_ms, out);
	return ROLE_FAIL;
}

enum role service_text_cell(const struct service *service, const struct services_seen *seen,
			    int64_t now_utc_ms, bool narrow, struct strbuf *out)
{
	const struct services *s = seen ? seen->services : NULL;
	struct service_summary sum;
	char up[CLOCK_TEXT_SIZE], since[CLOCK_TEXT_SIZE + 4], restarts[24] = "";
	enum role role = ROLE_OK;

	if (!service || !s) {
		strbuf_adds(out, service ? "reading" : "-");
		return ROLE_DIM;
	}
	service_summarise(s, service, &sum);
	if (!sum.worst) {
		strbuf_adds(out, "unknown");
		return ROLE_WARN;
	}
	if (!is_ok(sum.worst))
		return broken_cell(&sum, now_utc_ms, narrow, out);
	/* The youngest: what was started last is what changed last. */
	service_text_age(sum.newest_start_utc_ms, now_utc_ms, up);
	snprintf(since, sizeof(since), "%s%s", up[0] ? "up " : "", up);
	if (sum.restarts >= 0)
		snprintf(restarts, sizeof(restarts), "r%lld", (long long)sum.restarts);
	strbuf_addf(out, narrow ? "ok  %-7s %-3s" : "ok  %-11s %-4s", since, restarts);
	if (sum.wanted > 1)
		strbuf_addf(out, " x%zu", sum.wanted);
	if (sum.differs) {
		strbuf_adds(out, "  differs");
		role = ROLE_WARN;
	}
	return faded(role, s, now_utc_ms);
}

static int verdict_rank(const struct health_result *h)
{
	static const int rank[] = {
		[HEALTH_OK] = 0, [HEALTH_WAITING] = 1, [HEALTH_UNKNOWN] = 2, [HEALTH_FAILED] = 3
	};

	return rank[h->verdict];
}

static bool is_worse(const struct health_result *a, const struct health_result *b)
{
	if (verdict_rank(a) != verdict_rank(b))
		return verdict_rank(a) > verdict_rank(b);
	return a->last.took_us > b->last.took_us;
}

enum role service_text_health_cell(const struct env *env, const struct services_seen *seen,
				   bool narrow, struct strbuf *out)
{
	const struct health_result *worst = NULL;
	size_t asked = 0;
	enum role role;

	for (size_t i = 0; i < env->n_service; i++)
		asked += env->service[i].health.url != NULL;
	if (asked == 0 || !seen) {
		strbuf_adds(out, asked == 0 ? "-" : "reading");
		return ROLE_DIM;
	}
	for (size_t i = 0; i < seen->n_health; i++)
		if (!worst || is_worse(&seen->health[i], worst))
			worst = &seen->health[i];
	if (!worst) {
		strbuf_adds(out, "unknown");
		return ROLE_WARN;
	}
	role = service_text_health_words(worst, narrow, out);
	/* Good: the slowest of all. Else: which one. */
	if (role != ROLE_OK && worst->service) {
		strbuf_addf(out, "  %s", worst->service->runtime.name);
		if (seen->services && seen->services->n_host > 1)
			strbuf_addf(out, " on %s", worst->host);
	}
	return role;
}
