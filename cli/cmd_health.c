/* SPDX-License-Identifier: MIT */
/*
 * `health`: are the services of an environment as they should be.
 *
 * Each service on each host is checked in a thread of its own, because a check may wait for minutes until a service
 * has come up. What is tried is told on stderr while it happens; the verdicts come to stdout at the end, in the
 * order of the configuration, and with a failed one the last lines of its log.
 */
#include "cli/cli.h"

#include <pthread.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/questions.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/release/health.h"

#define CHECKS_MAX 64

struct check {
	struct checks *all;
	const struct service *service;
	const struct host_spec *on;
	char label[200];
	struct health_result result;
	struct err err;
	bool checked; /* result is one */
	int told;     /* how many tries */
	pthread_t thread;
	bool started;
};

struct checks {
	struct cli *c;
	const struct env *env;
	struct cancel *cancel;
	bool json, once;
	struct check list[CHECKS_MAX];
	size_t n, cols;
	pthread_mutex_t lock; /* of stderr, so that lines stay whole and in order */
};

/* --- While it happens --------------------------------------------------------------------------- */

static void add_try(struct strbuf *out, const struct health_try *t)
{
	if (t->status > 0)
		strbuf_addf(out, "%d in %lld ms", t->status, (long long)(t->took_us / 1000));
	else if (t->err.code != ERR_OK)
		strbuf_addf(out, "%s%s%s", t->err.msg, t->err.detail[0] != '\0' ? ": " : "",
			    t->err.detail);
	else
		strbuf_adds(out, t->ok ? "ok" : "not ready");
}

static void on_progress(void *arg, const struct health_result *r)
{
	struct check *k = arg;
	const struct health_spec *spec = &k->service->health;
	struct strbuf text;

	if (r->tries == k->told || r->tries == 0)
		return;
	k->told = r->tries;
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "%s: try %d of %d: ", k->label, r->tries,
		    k->all->once ? 1 : spec->attempts);
	add_try(&text, &r->last);
	if (r->last.ok && spec->successes > 1 && !k->all->once)
		strbuf_addf(&text, ", %d of %d in a row", r->successes, spec->successes);
	pthread_mutex_lock(&k->all->lock);
	print_note("%s", strbuf_str(&text));
	pthread_mutex_unlock(&k->all->lock);
	strbuf_clear(&text);
}

static void *check_main(void *arg)
{
	struct check *k = arg;
	struct checks *all = k->all;

	k->checked = health_check(k->service, k->on, all->c->ctx.hosts, all->once,
				  all->json ? NULL : on_progress, k, all->cancel, &k->result,
				  &k->err) == 0;
	return NULL;
}

static void check_all(struct checks *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct check *k = &all->list[i];

		k->started = pthread_create(&k->thread, NULL, check_main, k) == 0;
		if (!k->started)
			check_main(k); /* no thread to be had: one after the other */
	}
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].started)
			pthread_join(all->list[i].thread, NULL);
}

/* --- The verdicts ------------------------------------------------------------------------------- */

static bool is_ok(const struct check *k)
{
	return k->checked && k->result.verdict == HEALTH_OK;
}

static void add_verdict(struct strbuf *out, const struct checks *all, const struct check *k)
{
	static const char *const words[] = { [HEALTH_WAITING] = "WAIT",
					     [HEALTH_OK] = "ok",
					     [HEALTH_FAILED] = "FAIL",
					     [HEALTH_UNKNOWN] = "?" };
	const struct health_result *r = &k->result;
	struct strbuf state;
	struct sv rest, line;

	add_cell(out, k->checked ? words[r->verdict] : "?", 4);
	add_cell(out, k->label, all->cols);
	if (!is_ok(k)) {
		const struct err *e = k->checked ? &r->err : &k->err;

		add_clean(out, e->msg);
		strbuf_adds(out, e->detail[0] != '\0' ? ": " : "");
		add_clean(out, e->detail);
		strbuf_adds(out, e->hint[0] != '\0' ? "\n  try: " : "");
		add_clean(out, e->hint);
	} else {
		strbuf_init(&state, 1024);
		service_words(&(const struct service_unit){ .service = k->service,
							    .unit = r->unit },
			      clock_utc_ms(), &state);
		strbuf_addsv(out, strbuf_sv(&state));
		strbuf_clear(&state);
		if (r->last.status > 0) {
			strbuf_adds(out, ", ");
			add_try(out, &r->last);
		}
	}
	strbuf_addc(out, '\n');
	rest = sv_of(k->checked && r->log_tail != NULL ? r->log_tail : "");
	while (rest.n > 0 && sv_cut(&rest, '\n', &line)) {
		strbuf_adds(out, "  | ");
		clean_text(out, line, false);
		strbuf_addc(out, '\n');
	}
}

static int tell_text(const struct checks *all, struct err *e)
{
	struct strbuf out;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < all->n; i++)
		add_verdict(&out, all, &all->list[i]);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

/* Of one that could not be checked: the same members. */
static json_t *unknown_json(const struct check *k)
{
	struct health_result r = { .service = k->service,
				   .verdict = HEALTH_UNKNOWN,
				   .err = k->err };

	str_copy(r.host, sizeof(r.host), k->on->name);
	return health_json(&r);
}

static int tell_json(const struct checks *all, bool ok, struct err *e)
{
	json_t *j = json_object(), *list = json_array();

	json_put_str(j, "environment", all->env->name);
	json_put_bool(j, "ok", ok);
	for (size_t i = 0; i < all->n; i++)
		json_array_append_new(list, all->list[i].checked ? health_json(&all->list[i].result)
								 : unknown_json(&all->list[i]));
	json_object_set_new(j, "services", list);
	return print_json(j, e);
}

/* --- All of it ---------------------------------------------------------------------------------- */

static bool is_chosen(const struct checks *all, const struct service *s)
{
	if (cli_word(all->c, 1) == NULL)
		return true;
	for (size_t w = 1; cli_word(all->c, w) != NULL; w++)
		if (strcmp(cli_word(all->c, w), s->runtime.name) == 0)
			return true;
	return false;
}

static int choose(struct checks *all, struct err *e)
{
	const struct env *env = all->env;

	if (env->n_service == 0) {
		err_set(e, ERR_GATE, "cannot check the health of %s: it has no services",
			env->name);
		return err_hint(e, "add a section [service NAME] to the configuration");
	}
	for (size_t w = 1; cli_word(all->c, w) != NULL; w++)
		if (cli_service(env, cli_word(all->c, w), e) == NULL)
			return -1;
	for (size_t i = 0; i < env->n_service; i++) {
		const struct service *s = &env->service[i];

		for (size_t h = 0; h < s->n_host && is_chosen(all, s); h++) {
			struct check *k = &all->list[all->n];
			size_t cols;

			if (all->n == CHECKS_MAX) {
				err_set(e, ERR_LIMIT, "%s has more than %d services and hosts",
					env->name, CHECKS_MAX);
				return err_hint(e, "bascule health %s %s", env->name,
						s->runtime.name);
			}
			all->n++;
			*k = (struct check){ .all = all, .service = s, .on = s->host[h] };
			snprintf(k->label, sizeof(k->label), s->n_host > 1 ? "%s@%s" : "%s",
				 s->runtime.name, k->on->name);
			cols = utf8_cols(sv_of(k->label));
			all->cols = cols > all->cols ? cols : all->cols;
		}
	}
	return 0;
}

/* None of them can be reached, for the same reason. A document has it at each of them. */
static int tell_unreachable(struct checks *all, const struct err *why, struct err *e)
{
	for (size_t i = 0; i < all->n; i++)
		all->list[i].err = *why;
	return tell_json(all, false, e) == 0 ? EXIT_FAILED : -1;
}

static int run(struct checks *all, struct err *e)
{
	const struct host_spec *hosts[CHECKS_MAX];
	struct interrupt it;
	struct err why;
	bool ok = true;
	int rc = -1;

	for (size_t i = 0; i < all->n; i++)
		hosts[i] = all->list[i].on;
	/* One that asks, with nobody there to answer, is like one that is gone: the others are checked. */
	if (cli_hosts_ready(all->c, hosts, all->n, &why) != 0 &&
	    (why.code != ERR_ASKS || all->n == 1)) {
		if (all->json && why.code != ERR_CANCELLED)
			return tell_unreachable(all, &why, e);
		*e = why;
		return -1;
	}
	if (interrupt_start(&it, 0, e) != 0)
		return -1;
	all->cancel = &it.fired;
	check_all(all);
	if (cancel_fired(&it.fired)) {
		err_set(e, ERR_CANCELLED, "health of %s was not found out", all->env->name);
		err_detail(e, "interrupted");
	} else {
		for (size_t i = 0; i < all->n; i++)
			ok = ok && is_ok(&all->list[i]);
		rc = all->json ? tell_json(all, ok, e) : tell_text(all, e);
	}
	interrupt_stop(&it);
	if (rc == 0 && !ok)
		rc = EXIT_FAILED;
	return rc;
}

int cmd_health(struct cli *c, struct err *e)
{
	struct checks *all = mem_calloc(1, sizeof(*all));
	int rc = -1;

	all->c = c;
	all->json = args_has(&c->args, OPT_JSON);
	all->once = args_has(&c->args, OPT_ONCE);
	pthread_mutex_init(&all->lock, NULL);
	if (cli_env(c, cli_word(c, 0), &all->env, e) == 0 && choose(all, e) == 0)
		rc = run(all, e);
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].checked)
			health_result_clear(&all->list[i].result);
	pthread_mutex_destroy(&all->lock);
	mem_free(all);
	return rc;
}
