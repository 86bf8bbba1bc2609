/* SPDX-License-Identifier: MIT */
/*
 * Which logs are followed, and since when.
 *
 * The engine follows one list of services and replaces it by another; what is hidden, searched and
 * filtered here does not change with it. Choosing another time reads the same logs again.
 */
#include "tui/logs_view.h"

#include <stdio.h>
#include <string.h>

#include "tui/service_text.h"

/* At first, whichever is less; as `bascule logs` has it. */
#define FIRST_SINCE_MS ((int64_t)15 * 60 * 1000)
#define FIRST_TAIL 2000

void logs_begin(struct tui *t)
{
	logs_of(t)->m = &t->model;
	if (!t->engine || t->model.log_store)
		return;
	t->model.log_store = engine_log_store(t->engine);
	t->model.log_query = engine_log_query(t->engine);
	(void)logs_apply(logs_of(t), NULL);
}

bool logs_follows(const struct logs_state *s, int env, const char *service)
{
	for (size_t i = 0; i < s->n_choice; i++)
		if (s->choice[i].env == env &&
		    (s->choice[i].service[0] == '\0' || strcmp(s->choice[i].service, service) == 0))
			return true;
	return false;
}

/* Adds what a choice stands for, as long as there is room for its sources; how many had none. */
static size_t expand(const struct project *p, const struct logs_choice *choice,
		     struct log_choice *list, size_t *n, size_t *sources)
{
	const struct env *env = &p->env[choice->env];
	size_t left_out = 0;

	for (size_t i = 0; i < env->n_service; i++) {
		const struct service *x = &env->service[i];

		if (choice->service[0] && strcmp(choice->service, x->runtime.name) != 0)
			continue;
		if (*sources + x->n_host > LOG_SOURCES_MAX) {
			left_out++;
			continue;
		}
		*sources += x->n_host;
		list[(*n)++] = (struct log_choice){ .env = env->name, .service = x->runtime.name };
	}
	return left_out;
}

/* Asks the engine for what is chosen. */
static void ask(struct tui *t, struct logs_state *s)
{
	struct log_choice list[LOG_SOURCES_MAX];
	size_t n = 0, sources = 0, left_out = 0;

	for (size_t i = 0; i < s->n_choice; i++)
		left_out += expand(t->model.project, &s->choice[i], list, &n, &sources);
	if (left_out)
		model_news(&t->model, true,
			   "following %zu logs, %d are all there can be: %zu "
			   "services are left out",
			   sources, LOG_SOURCES_MAX, left_out);
	/* Places and numbers of sources of before mean nothing any more. */
	s->hidden = 0;
	s->n_mark = 0;
	s->top = s->at = (struct log_pos){ 0 };
	logs_record_close(s);
	logs_resume(s);
	(void)logs_apply(s, NULL);
	if (t->engine)
		engine_logs_follow(t->engine, list, n, s->since_utc_ms, s->tail);
}

void logs_follow(struct tui *t, struct logs_state *s, int env, const char *service, bool besides)
{
	struct logs_choice *new;

	if (besides && (logs_follows(s, env, service) || s->n_choice == LOGS_CHOICES_MAX))
		return;
	if (!besides)
		s->n_choice = 0;
	if (s->n_choice == 0) {
		s->env = env;
		s->since_utc_ms = t->model.now_utc_ms - FIRST_SINCE_MS;
		s->tail = FIRST_TAIL;
	}
	new = &s->choice[s->n_choice++];
	new->env = env;
	str_copy(new->service, sizeof(new->service), service);
	ask(t, s);
}

void tui_logs(struct tui *t, int env, const char *service)
{
	const struct env *e;

	if (env < 0 || (size_t)env >= t->model.project->n_env)
		return;
	e = &t->model.project->env[env];
	if (service && !service_text_find(e, service)) {
		model_news(&t->model, true, "%s has no service `%s`", e->name, service);
		return;
	}
	if (e->n_service == 0) {
		model_news(&t->model, true, "%s has no services, and so no logs", e->name);
		return;
	}
	logs_begin(t);
	logs_follow(t, logs_of(t), env, service ? service : "", false);
	tui_show(t, VIEW_LOGS);
}

/* --- Since -------------------------------------------------------------------------------------- */

void logs_since(struct tui *t, struct logs_state *s, const char *text)
{
	int64_t at;
	char iso[CLOCK_TEXT_SIZE];

	if (!clock_parse_past(text, t->model.now_utc_ms, &at)) {
		model_news(&t->model, true,
			   "`%s` is no time before now: 15m, 2h, 14:05 or "
			   "2026-11-21T14:05:00Z",
			   text);
		return;
	}
	if (s->n_choice == 0) {
		model_news(&t->model, true, "nothing is followed");
		return;
	}
	s->since_utc_ms = at;
	s->tail = -1; /* who names a time wants all of it */
	ask(t, s);
	model_news(&t->model, false, "reading again since %s", clock_iso(at, iso));
}
