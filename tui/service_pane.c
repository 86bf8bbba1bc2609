/* SPDX-License-Identifier: MIT */
/*
 * One service on one host in full: what its runtime says of it, what exactly it runs, and the check of
 * its health once it was asked for: the tries as they come, and the last lines of its log when it failed.
 */
#include "tui/service_pane.h"

#include "tui/service_text.h"
#include "tui/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct seen_by {
	const struct model *m;
	int env;
	const char *host;
	const struct service_tries *tries;
};

/* --- The tries of a check ------------------------------------------------------------------------ */

static bool is_of(const struct service_try *t, const struct service *service, const char *host)
{
	return t->service == service && strcmp(t->host, host) == 0;
}

static void tries_drop(struct service_tries *s, const struct service *service, const char *host)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!is_of(&s->list[i], service, host))
			s->list[kept++] = s->list[i];
	s->n = kept;
}

void service_tries_take(struct service_tries *s, const struct health_result *r)
{
	struct service_try *new;
	int last = 0;

	for (size_t i = 0; i < s->n; i++)
		if (is_of(&s->list[i], r->service, r->host))
			last = s->list[i].number;
	if (r->tries < last) /* it began anew */
		tries_drop(s, r->service, r->host);
	if (r->tries == last || r->tries == 0)
		return;
	if (s->n == SERVICE_TRIES_MAX) {
		memmove(s->list, s->list + 1, (SERVICE_TRIES_MAX - 1) * sizeof(s->list[0]));
		s->n--;
	}
	new = &s->list[s->n++];
	*new = (struct service_try){ .service = r->service, .number = r->tries, .what = r->last };
	str_copy(new->host, sizeof(new->host), r->host);
}

/* --- Drawing: the selected one ------------------------------------------------------------------- */

struct pane {
	struct canvas *c;
	struct rect r; /* what is left */
};

static void line(struct pane *p, enum role role, const char *name, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void line(struct pane *p, enum role role, const char *name, const char *fmt, ...)
{
	struct rect r = rect_cut(&p->r, 1);
	struct strbuf b;
	va_list ap;

	if (r.rows < 1)
		return;
	strbuf_init(&b, 4096);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	canvas_puts(p->c, r.row, r.col + 1, 11, ROLE_HEAD, name);
	canvas_put(p->c, r.row, r.col + 12, r.cols - 13, role, strbuf_sv(&b));
	strbuf_clear(&b);
}

/* A process is named by its number: its id is that and when it started, for telling one from the next. */
static void pane_runtime(const struct service_unit *u, struct pane *p)
{
	const struct runtime_service *r = &u->service->runtime;
	const struct runtime_unit *x = &u->unit;
	char pid[32];

	snprintf(pid, sizeof(pid), "pid %lld", (long long)x->pid);
	if (r->kind == RUNTIME_PROCESS && r->command)
		line(p, ROLE_TEXT, "command", "%s", r->command);
	line(p, ROLE_DIM, "runtime", "%s  %.24s%s%s", runtime_kind_name(r->kind),
	     r->kind != RUNTIME_PROCESS ? x->id
	     : x->pid > 0               ? pid
					: "no process",
	     x->log_driver[0] ? "  logs: " : "", x->log_driver);
}

static void pane_unit(const struct seen_by *s, const struct service_unit *u, struct pane *p)
{
	const struct runtime_unit *x = &u->unit;
	const char *host = s->host;
	char since[CLOCK_TEXT_SIZE], ended[CLOCK_TEXT_SIZE];
	struct strbuf words;
	enum role role;

	(void)service_text_state(u, &role);
	if (u->err.code != ERR_OK) {
		rect_cut(&p->r, text_err(p->c, p->r, &u->err));
		return;
	}
	strbuf_init(&words, 1024);
	service_words(u, s->m->now_utc_ms, &words);
	line(p, role, u->service->runtime.name, "%s on %s%s%s%s%s", strbuf_str(&words), host,
	     x->started_utc_ms ? ", started " : "",
	     x->started_utc_ms ? clock_short(x->started_utc_ms, since) : "",
	     x->ended_utc_ms && x->state != UNIT_RUNNING ? ", ended " : "",
	     x->ended_utc_ms && x->state != UNIT_RUNNING ? clock_short(x->ended_utc_ms, ended)
							 : "");
	strbuf_clear(&words);
	if (x->words[0])
		line(p, ROLE_TEXT, "it says", "%s", x->words);
	if (x->image[0])
		line(p, ROLE_TEXT, "image", "%s  %s", x->image,
		     x->digest[0] ? x->digest : x->image_id);
	pane_runtime(u, p);
}

/* The check that was asked for, of this unit; NULL. */
static const struct health_result *checked(const struct seen_by *s, const struct service_unit *u)
{
	const struct model *m = s->m;

	if (strcmp(m->health.env, m->project->env[s->env].name) != 0)
		return NULL;
	for (size_t i = 0; i < m->health.n; i++)
		if (m->health.list[i]->service == u->service &&
		    strcmp(m->health.list[i]->host, s->host) == 0)
			return m->health.list[i];
	return NULL;
}

static void pane_verdict(const struct health_result *h, struct pane *p)
{
	const struct health_spec *spec = &h->service->health;

	switch (h->verdict) {
	case HEALTH_OK:
		line(p, ROLE_OK, "health", "ok: %d of %d in a row, after %d tries", h->successes,
		     spec->successes, h->tries);
		break;
	case HEALTH_WAITING:
		line(p, ROLE_PENDING, "health", "checking: try %d of %d, %d of %d in a row",
		     h->tries, spec->attempts, h->successes, spec->successes);
		break;
	default:
		line(p, h->verdict == HEALTH_FAILED ? ROLE_FAIL : ROLE_WARN, "health", "%s: %s%s%s",
		     h->verdict == HEALTH_FAILED ? "FAILED" : "unknown", h->err.msg,
		     h->err.detail[0] ? ": " : "", h->err.detail);
		if (h->err.hint[0])
			line(p, ROLE_KEY, "", "%s", h->err.hint);
	}
}

static void pane_try(const struct service_try *t, struct pane *p)
{
	char at[CLOCK_TEXT_SIZE];
	long long ms = (long long)((t->what.took_us + 999) / 1000);

	clock_hms(t->what.at_utc_ms, at);
	if (t->what.status)
		line(p, t->what.ok ? ROLE_OK : ROLE_FAIL, "", "%s  try %d  %d in %lld ms  %s", at,
		     t->number, t->what.status, ms, t->what.ok ? "ok" : "FAIL");
	else
		line(p, t->what.ok ? ROLE_OK : ROLE_FAIL, "", "%s  try %d  %s%s%s", at, t->number,
		     t->what.ok ? "ok" : t->what.err.msg, t->what.err.detail[0] ? ": " : "",
		     t->what.err.detail);
}

/* The last of text's lines that fit. */
static void pane_tail(const char *text, struct pane *p)
{
	struct sv all = sv_of(text), rest, one;
	int n = 0, first;

	while (all.n > 0 && all.p[all.n - 1] == '\n')
		all.n--;
	rest = all;
	while (sv_cut(&rest, '\n', &one))
		n++;
	rest = all;
	first = n > p->r.rows ? n - p->r.rows : 0;
	for (int i = 0; sv_cut(&rest, '\n', &one); i++) {
		struct rect r;

		if (i < first)
			continue;
		r = rect_cut(&p->r, 1);
		canvas_puts(p->c, r.row, r.col + 1, 11, ROLE_HEAD, i == first ? "its log" : "");
		canvas_put(p->c, r.row, r.col + 12, r.cols - 13, ROLE_TEXT, one);
	}
}

/* No check was asked for: what the last glance found. */
static void pane_glance(const struct seen_by *s, const struct service_unit *u, struct pane *p)
{
	const struct health_result *h = service_text_health(service_text_seen(s->m, s->env), u);
	const char *url = u->service->health.url;

	if (!url) {
		line(p, ROLE_DIM, "health", "judged by its state alone");
		return;
	}
	line(p, ROLE_DIM, "health", "%s  H checks it with all attempts", url);
	if (h && h->verdict != HEALTH_OK && h->err.code != ERR_OK)
		line(p, h->verdict == HEALTH_FAILED ? ROLE_FAIL : ROLE_WARN, "", "%s%s%s",
		     h->err.msg, h->err.detail[0] ? ": " : "", h->err.detail);
}

static void pane_check_err(const struct seen_by *s, struct pane *p)
{
	const struct err *e = &s->m->health.err;

	if (e->code != ERR_OK && strcmp(s->m->health.env, s->m->project->env[s->env].name) == 0)
		line(p, ROLE_WARN, "", "%s%s%s", e->msg, e->detail[0] ? ": " : "", e->detail);
}

static void pane_health(const struct seen_by *s, const struct service_unit *u, struct pane *p)
{
	const struct health_result *h = checked(s, u);
	const char *host = s->host;
	int n = 0, room;

	if (!h) {
		pane_glance(s, u, p);
		pane_check_err(s, p);
		return;
	}
	pane_verdict(h, p);
	pane_check_err(s, p);
	for (size_t i = 0; i < s->tries->n; i++)
		n += is_of(&s->tries->list[i], u->service, host);
	/* The newest tries, and half of the room for the log when there is one. */
	room = h->log_tail ? p->r.rows / 2 : p->r.rows;
	for (size_t i = 0; i < s->tries->n; i++)
		if (is_of(&s->tries->list[i], u->service, host) && n-- <= room)
			pane_try(&s->tries->list[i], p);
	if (h->log_tail)
		pane_tail(h->log_tail, p);
}

void service_pane_draw(const struct model *m, int env, const struct service_tries *tries,
		       const struct service_unit *u, struct canvas *c, struct rect r)
{
	const struct services *all = service_text_seen(m, env)->services;
	struct seen_by s = { .m = m,
			     .env = env,
			     .host = u->host < all->n_host ? all->host[u->host].name : "",
			     .tries = tries };
	struct pane pane = { c, r };

	pane_unit(&s, u, &pane);
	pane_health(&s, u, &pane);
}
