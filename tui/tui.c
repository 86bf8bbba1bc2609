/* SPDX-License-Identifier: MIT */
/*
 * The console without its terminal: what an action does, what an event does, how a screen is put
 * together. loop.c adds terminal and time.
 *
 * An action goes three ways, in this order. What belongs to the console itself (switching views,
 * prompts, leaving) is done here and no view can change its meaning. Then the shown view may take
 * it. What it leaves is done here for all views alike: plans, arming, requests to a run.
 *
 * Two things guard a change: the environment must be armed, and the plan's own confirmation must
 * be given. Stopping and aborting a run need no arming: they end a change, they do not begin one.
 */
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "tui/chrome.h"
#include "tui/service_text.h"

#define PREFLIGHT_MS 2000
#define PREFLIGHT_FILE_MS 30000 /* a file has a size and room, and both change slowly */

void tui_init(struct tui *t, const struct project *p, const struct context *ctx)
{
	static const struct view_ops *const views[VIEWS] = {
		[VIEW_ENVS] = &view_envs,   [VIEW_MATRIX] = &view_matrix,
		[VIEW_PLAN] = &view_plan,   [VIEW_RUNS] = &view_runs,
		[VIEW_AUDIT] = &view_audit, [VIEW_DETAILS] = &view_details,
		[VIEW_LOGS] = &view_logs,   [VIEW_SERVICES] = &view_services,
		[VIEW_HELP] = &view_help,
	};

	*t = (struct tui){ .dirty = true, .rows = TUI_MIN_ROWS, .cols = TUI_MIN_COLS };
	model_init(&t->model, p, ctx);
	t->keys = keymap_default();
	for (int v = 0; v < VIEWS; v++) {
		t->view[v] = views[v];
		t->state[v] = mem_calloc(1, views[v]->state_size + 1);
	}
	if (t->view[VIEW_ENVS]->open)
		t->view[VIEW_ENVS]->open(t, t->state[VIEW_ENVS]);
}

void tui_clear(struct tui *t)
{
	for (int v = 0; v < VIEWS; v++) {
		if (t->view[v] && t->view[v]->close)
			t->view[v]->close(t->state[v]);
		mem_free(t->state[v]);
	}
	keymap_free(t->keys);
	mem_free(t->theme);
	mem_free(t->copy);
	explicit_bzero(&t->prompt, sizeof(t->prompt));
	model_clear(&t->model);
	*t = (struct tui){ 0 };
}

void tui_draw(struct tui *t, struct canvas *c)
{
	const struct view_ops *view = t->view[t->shown];
	struct view_words w;

	canvas_erase(c);
	t->rows = c->rows;
	t->cols = c->cols;
	if (c->rows < TUI_MIN_ROWS || c->cols < TUI_MIN_COLS) {
		chrome_draw_small(c);
		return;
	}
	strbuf_init(&w.crumb, 4096);
	strbuf_init(&w.facts, 4096);
	view->draw(t, t->state[t->shown], c, chrome_view_rect(c), &w);
	chrome_draw_top(t, c);
	chrome_draw_bottom(t, c, &w);
	prompt_draw(t, c);
	strbuf_clear(&w.crumb);
	strbuf_clear(&w.facts);
}

/* --- Views ------------------------------------------------------------------------------------ */

void tui_show(struct tui *t, enum view_id v)
{
	size_t max = sizeof(t->back) / sizeof(t->back[0]);

	t->dirty = true;
	if (v == t->shown)
		return;
	if (t->n_back == max) {
		memmove(t->back, t->back + 1, (max - 1) * sizeof(t->back[0]));
		t->n_back--;
	}
	t->back[t->n_back++] = t->shown;
	t->shown = v;
	if (t->view[v]->open)
		t->view[v]->open(t, t->state[v]);
}

int tui_selected_env(const struct tui *t)
{
	const struct view_ops *view = t->view[t->shown];

	return view->selected_env ? view->selected_env(t, t->state[t->shown]) : -1;
}

int tui_env_before(const struct tui *t, enum view_id own)
{
	enum view_id from = t->n_back ? t->back[t->n_back - 1] : VIEW_ENVS;

	return from != own && t->view[from]->selected_env
		       ? t->view[from]->selected_env(t, t->state[from])
		       : -1;
}

void tui_env_follow(const struct tui *t, enum view_id own, int *env)
{
	int before = t->returning ? -1 : tui_env_before(t, own);

	if (before >= 0)
		*env = before;
}

bool tui_env_step(const struct tui *t, enum action act, int *env)
{
	int n = (int)t->model.project->n_env;

	if (act == ACT_LEFT && *env > 0)
		--*env;
	else if (act == ACT_RIGHT && *env + 1 < n)
		++*env;
	else
		return false;
	return true;
}

static void leave(struct tui *t, const char *text)
{
	(void)text;
	t->quit = true;
}

static void ask_to_leave(struct tui *t)
{
	bool active = model_ticking(&t->model) && t->model.armed_env < 0;

	prompt_yes(t, active ? "leave bascule? the run goes on without it" : "leave bascule?",
		   leave);
}

static void go_back(struct tui *t)
{
	if (t->n_back == 0) {
		ask_to_leave(t);
		return;
	}
	t->shown = t->back[--t->n_back];
	t->returning = true;
	if (t->view[t->shown]->open)
		t->view[t->shown]->open(t, t->state[t->shown]);
	t->returning = false;
}

static void say(struct tui *t, const struct err *e)
{
	model_news(&t->model, true, "%s%s%s%s%s", e->msg, e->detail[0] ? ": " : "", e->detail,
		   e->hint[0] ? "; " : "", e->hint);
}

/* --- What views ask of the engine ------------------------------------------------------------- */

/* Something of the model changed: lists must not keep numbers of rows that are gone. */
static void tell_views(struct tui *t, enum event_type type)
{
	for (int v = 0; v < VIEWS; v++)
		if (t->view[v]->event)
			t->view[v]->event(t, t->state[v], type);
}

static void drop_plan(struct tui *t)
{
	plan_free(t->model.plan);
	t->model.plan = NULL;
	tell_views(t, EV_PLAN);
}

static void watch(struct tui *t, const char *run_id)
{
	if (!run_id || !t->model.watched || strcmp(t->model.watched->id, run_id) != 0) {
		run_free(t->model.watched);
		t->model.watched = NULL;
		tell_views(t, EV_RUN);
	}
	if (t->engine)
		t->model.watch_request = engine_watch(t->engine, run_id);
}

void tui_plan(struct tui *t, const struct plan_request *r)
{
	watch(t, NULL);
	drop_plan(t);
	err_clear(&t->model.plan_err);
	t->model.news[0] = '\0'; /* why the last one was refused is not news of this one */
	if (t->engine)
		t->model.plan_request = engine_plan(t->engine, r);
	tui_show(t, VIEW_PLAN);
}

void tui_watch(struct tui *t, const char *run_id)
{
	/* Until the run is there, the plan view must not show a plan that is not the run's. */
	drop_plan(t);
	watch(t, run_id);
	tui_show(t, VIEW_PLAN);
}

void tui_script(struct tui *t, const char *env, const char *ns, const char *id, bool down)
{
	if (t->engine)
		t->model.script_request = engine_script(t->engine, env, ns, id, down);
}

void tui_events(struct tui *t, const char *env)
{
	if (strcmp(t->model.events_env, env) != 0) {
		history_free(t->model.events);
		t->model.events = NULL;
		err_clear(&t->model.events_err);
		str_copy(t->model.events_env, sizeof(t->model.events_env), env);
		tell_views(t, EV_EVENTS);
	}
	if (t->engine)
		engine_events(t->engine, env);
}

void tui_details(struct tui *t, const char *env)
{
	if (strcmp(t->model.details_env, env) != 0) {
		details_free(t->model.details);
		t->model.details = NULL;
		err_clear(&t->model.details_err);
		str_copy(t->model.details_env, sizeof(t->model.details_env), env);
		tell_views(t, EV_DETAILS);
	}
	if (t->engine)
		engine_details(t->engine, env);
}

int64_t tui_preflight(struct tui *t, int64_t now_mono_ms)
{
	const struct run *r = t->model.watched;
	const struct plan *p = r ? r->plan : t->model.plan;
	int64_t period_ms;

	if (t->shown != VIEW_PLAN || !t->engine || !p || !p->env.has_db ||
	    (r && run_state_ended(r->state)))
		return INT64_MAX;
	period_ms = dsn_is_file(&p->env.dsn) ? PREFLIGHT_FILE_MS : PREFLIGHT_MS;
	if (strcmp(t->model.preflight_env, p->environment) == 0 &&
	    now_mono_ms < t->preflight_at_ms + period_ms)
		return t->preflight_at_ms + period_ms;
	/* While an answer is still being waited for, perhaps about another, the next time will do. */
	t->preflight_at_ms = now_mono_ms;
	if (engine_preflight(t->engine, p->environment))
		model_preflight_of(&t->model, p->environment);
	return t->preflight_at_ms + PREFLIGHT_MS;
}

void tui_read_runs(struct tui *t)
{
	if (t->engine)
		engine_runs(t->engine);
}

void tui_health(struct tui *t, int env, const char *service)
{
	const struct env *e;

	if (env < 0 || (size_t)env >= t->model.project->n_env)
		return;
	e = &t->model.project->env[env];
	if (service && !service_text_find(e, service)) {
		model_news(&t->model, true, "%s has no service `%s`", e->name, service);
		return;
	}
	tui_services(t, env, service);
	if (e->n_service == 0)
		model_news(&t->model, true, "%s has no services", e->name);
	else if (t->engine)
		model_health_of(&t->model, e->name, engine_health(t->engine, e->name, service));
}

/* --- Questions of hosts ----------------------------------------------------------------------- */

static void ask_next(struct tui *t);

/* Gives the answer; what was wrong with it is said, and the same question stands again. */
static void answer(struct tui *t, const struct host_question *q, const char *text)
{
	struct err e;

	if (!t->engine)
		return;
	if (engine_answer(t->engine, q, text, &e) == 0) {
		model_news(&t->model, false, "answered %s; trying again", q->host);
	} else {
		say(t, &e);
		if (e.code == ERR_GATE) {
			prompt_answer(t, q, answer);
			return;
		}
	}
	model_answered(&t->model, q);
	ask_next(t);
}

/* The oldest question that the user did not leave. */
static void ask_next(struct tui *t)
{
	for (size_t i = 0; i < t->model.n_asked; i++)
		if (!t->model.asked[i].left) {
			prompt_answer(t, &t->model.asked[i].q, answer);
			return;
		}
}

void tui_ask(struct tui *t)
{
	for (size_t i = 0; i < t->model.n_asked; i++)
		t->model.asked[i].left = false;
	if (t->model.n_asked == 0)
		model_news(&t->model, false, "no host asks anything");
	ask_next(t);
}

void tui_ask_later(struct tui *t)
{
	struct model *m = &t->model;
	const char *key = keymap_key(t->keys, ACT_ANSWER);

	for (size_t i = 0; i < m->n_asked; i++)
		m->asked[i].left = true;
	if (m->n_asked == 1)
		model_news(m, true, "host %s waits for an answer: %s asks again",
			   m->asked[0].q.host, key);
	else
		model_news(m, true, "%zu hosts wait for an answer: %s asks again", m->n_asked, key);
}

/* The box shows what the same host asks now; what was typed is the answer to something else. */
static void ask_instead(struct tui *t, const struct host_question *q)
{
	const struct host_question *shown = &t->prompt.question;

	if (strcmp(shown->host, q->host) == 0 && shown->id != q->id)
		prompt_answer(t, q, answer);
}

/* A question that has just come is asked, but never over something that is being typed: its keys would
 * become the answer. */
static void ask_new(struct tui *t, const struct host_question *q)
{
	bool left = true;

	for (size_t i = 0; i < t->model.n_asked; i++)
		if (strcmp(t->model.asked[i].q.host, q->host) == 0)
			left = t->model.asked[i].left;
	if (t->prompt.kind == PROMPT_ANSWER)
		ask_instead(t, q);
	else if (left)
		return;
	else if (t->prompt.kind == PROMPT_NONE)
		ask_next(t);
	else
		model_news(&t->model, true, "host %s asks something: %s answers", q->host,
			   keymap_key(t->keys, ACT_ANSWER));
}

/* --- Plans and runs --------------------------------------------------------------------------- */

/* The environment an action means: by name, else the view's selection. -1 with a word why. */
static int env_meant(struct tui *t, const char *name)
{
	const struct env *env;

	if (name && name[0]) {
		env = env_find(t->model.project, name);
		if (!env)
			model_news(&t->model, true, "there is no environment `%s`", name);
		return env ? (int)env_index(t->model.project, env) : -1;
	}
	if (tui_selected_env(t) < 0)
		model_news(&t->model, true,
			   "no environment is selected here: go to one, or name it");
	return tui_selected_env(t);
}

/* Whether changes to env are allowed; the refusal teaches the key. */
static bool check_armed(struct tui *t, const char *name)
{
	const struct env *env = env_find(t->model.project, name);
	const char *key = keymap_key(t->keys, ACT_ARM);

	if (env && model_armed_left_ms(&t->model, (int)env_index(t->model.project, env)) > 0)
		return true;
	if (t->model.read_only)
		model_news(&t->model, true,
			   "this console was started with --read-only: it changes nothing");
	else
		model_news(&t->model, true, "%s is read-only: press %s to arm it for five minutes",
			   name, key[0] ? key : ":arm");
	return false;
}

static void start_plan(struct tui *t, const char *text)
{
	struct err e;
	struct plan *copy;
	json_t *frozen;

	(void)text;
	/* The name may have been typed slowly: arming runs out behind an open box as well. */
	if (!t->model.plan || !t->engine || !check_armed(t, t->model.plan->environment))
		return;
	/* The engine takes a plan away; the shown one stays until its run is there to be shown. */
	frozen = plan_freeze(t->model.plan);
	if (plan_thaw(frozen, &copy, &e) != 0) {
		say(t, &e);
	} else {
		model_news(&t->model, false, "starting on %s", t->model.plan->environment);
		engine_start_run(t->engine, copy);
	}
	json_decref(frozen);
}

static void action_start(struct tui *t)
{
	const struct plan *plan = t->model.plan;
	char question[160];
	struct err e;

	if (t->model.watched) {
		model_news(&t->model, true, "run %s came from this plan already: make a new one",
			   t->model.watched->number);
	} else if (!plan) {
		model_news(&t->model, true, "no plan is shown: %s makes one",
			   keymap_key(t->keys, ACT_PLAN));
	} else if (plan_closed_gate(plan)) {
		plan_refuse(plan, &e);
		say(t, &e);
	} else if (plan->n_change == 0) {
		model_news(&t->model, false, "nothing to do on %s", plan->environment);
	} else if (check_armed(t, plan->environment)) {
		snprintf(question, sizeof(question), "%s on %s, %zu changes?",
			 operation_name(plan->op), plan->environment, plan->n_change);
		if (plan->confirm == CONFIRM_NAME)
			prompt_confirm(t, plan->environment, start_plan);
		else if (plan->confirm == CONFIRM_YES)
			prompt_yes(t, question, start_plan);
		else
			start_plan(t, NULL);
	}
}

static void action_plan(struct tui *t, enum action act, const char *arg)
{
	const struct project *p = t->model.project;
	int env = env_meant(t, arg);
	struct plan_request r = { .op = act == ACT_PLAN ? OP_MIGRATE : OP_ROLLBACK };
	const struct env *before;

	if (env < 0)
		return;
	r.environment = p->env[env].name;
	before = env_previous(p, &p->env[env]);
	if (act == ACT_BACK_OUT)
		r.last = 1;
	else if (before && before->has_db)
		r.towards = before->name;
	tui_plan(t, &r);
}

static void action_arm(struct tui *t, const char *arg)
{
	int env = env_meant(t, arg);
	struct err e;

	if (env < 0)
		return;
	if (model_armed_left_ms(&t->model, env) > 0)
		env = -1;
	if (model_arm(&t->model, env, &e) != 0)
		say(t, &e);
	else if (env < 0)
		model_news(&t->model, false, "read-only again");
	else
		model_news(&t->model, false, "changes to %s are allowed for five minutes",
			   t->model.project->env[env].name);
}

static void skip_with_reason(struct tui *t, const char *text)
{
	tui_action(t, ACT_SKIP, text);
}

static void action_run(struct tui *t, enum action act, const char *arg)
{
	const struct run *r = t->model.watched;

	if (!r) {
		model_news(&t->model, true, "no run is shown: %s lists them",
			   keymap_key(t->keys, ACT_VIEW_RUNS));
		return;
	}
	if (run_state_ended(r->state)) {
		model_news(&t->model, true, "run %s has ended: %s", r->number,
			   run_state_name(r->state));
		return;
	}
	if (act != ACT_STOP && act != ACT_ABORT && !check_armed(t, r->plan->environment))
		return;
	if (act == ACT_SKIP && (!arg || !arg[0])) {
		prompt_ask(t, "reason for skipping the step:", skip_with_reason);
		return;
	}
	if (t->engine)
		engine_request(t->engine, r->id, action_table[act].name, arg);
	model_news(&t->model, false, "asked run %s: %s", r->number, action_table[act].name);
}

static void cancel_statement(struct tui *t, const char *text)
{
	const struct run *r = t->model.watched;

	(void)text;
	if (!r || run_state_ended(r->state))
		return;
	if (t->engine)
		engine_request(t->engine, r->id, action_table[ACT_CANCEL].name, NULL);
	model_news(&t->model, false, "asked run %s: %s", r->number, action_table[ACT_CANCEL].name);
}

/* It ends a statement and begins nothing: a y will do, everywhere. */
static void action_cancel(struct tui *t)
{
	const struct run *r = t->model.watched;
	char question[200];

	if (!r || r->state != RUN_RUNNING || !r->runner_alive) {
		model_news(&t->model, true, "no statement runs here: there is nothing to cancel");
		return;
	}
	snprintf(question, sizeof(question), "cancel the statement that runs on %s?",
		 r->plan->environment);
	prompt_yes(t, question, cancel_statement);
}

static void action_theme(struct tui *t, const char *arg)
{
	struct theme theme;
	struct err e;

	if (!arg || !t->opt || !t->theme) {
		model_news(&t->model, true, "theme NAME: Tab lists them");
		return;
	}
	if (theme_load(arg, t->opt->theme_dirs,
		       sizeof(t->opt->theme_dirs) / sizeof(t->opt->theme_dirs[0]), &theme,
		       &e) != 0) {
		say(t, &e);
		return;
	}
	*t->theme = theme;
	t->new_theme = true;
}

static void action_refresh(struct tui *t)
{
	if (!t->engine)
		return;
	t->model.loading = true;
	engine_refresh(t->engine);
	engine_runs(t->engine);
}

/* --- Actions ---------------------------------------------------------------------------------- */

/* What belongs to the console whatever is shown. False: ask the view. */
static bool action_console(struct tui *t, enum action act)
{
	switch (act) {
	case ACT_VIEW_ENVS:
		tui_show(t, VIEW_ENVS);
		return true;
	case ACT_VIEW_MIGRATIONS:
		tui_show(t, VIEW_MATRIX);
		return true;
	case ACT_VIEW_PLAN:
		tui_show(t, VIEW_PLAN);
		return true;
	case ACT_VIEW_RUNS:
		tui_show(t, VIEW_RUNS);
		return true;
	case ACT_VIEW_AUDIT:
		tui_show(t, VIEW_AUDIT);
		return true;
	case ACT_VIEW_DATABASE:
		tui_show(t, VIEW_DETAILS);
		return true;
	case ACT_VIEW_LOGS:
		tui_show(t, VIEW_LOGS);
		return true;
	case ACT_VIEW_SERVICES:
		tui_show(t, VIEW_SERVICES);
		return true;
	case ACT_ANSWER:
		tui_ask(t);
		return true;
	case ACT_HELP:
		tui_show(t, VIEW_HELP);
		return true;
	case ACT_PALETTE:
		prompt_open(t, PROMPT_PALETTE);
		return true;
	case ACT_REDRAW:
		t->redraw = true;
		return true;
	case ACT_SUSPEND:
		t->suspend = true;
		return true;
	case ACT_LEAVE:
		ask_to_leave(t);
		return true;
	case ACT_QUIT:
		t->quit = true;
		return true;
	default:
		return false;
	}
}

/* What the view did not take. */
static void action_common(struct tui *t, enum action act, const char *arg)
{
	switch (act) {
	case ACT_BACK:
		go_back(t);
		break;
	case ACT_PLAN:
	case ACT_BACK_OUT:
		action_plan(t, act, arg);
		break;
	case ACT_START:
		action_start(t);
		break;
	case ACT_ARM:
		action_arm(t, arg);
		break;
	case ACT_CANCEL:
		action_cancel(t);
		break;
	case ACT_STOP:
	case ACT_ABORT:
	case ACT_RETRY:
	case ACT_SKIP:
	case ACT_RUN_BACK:
	case ACT_RESUME:
	case ACT_TAKEOVER:
		action_run(t, act, arg);
		break;
	case ACT_REFRESH:
		action_refresh(t);
		break;
	case ACT_THEME:
		action_theme(t, arg);
		break;
	default:
		break; /* means nothing here, and does no harm */
	}
}

bool tui_offers(const struct tui *t, enum action act)
{
	const unsigned of_services = WHERE_LOGS | WHERE_SERVICES;

	switch (act) {
	case ACT_VIEW_LOGS:
	case ACT_VIEW_SERVICES:
	case ACT_LOGS_OF:
	case ACT_HEALTH:
		return service_text_any(t->model.project);
	case ACT_ANSWER:
		return service_text_hosts(t->model.project);
	default:
		return (action_table[act].where & ~of_services) != 0 ||
		       service_text_any(t->model.project);
	}
}

void tui_action(struct tui *t, enum action act, const char *arg)
{
	const struct view_ops *view = t->view[t->shown];

	t->dirty = true;
	if (act != ACT_NONE && !tui_offers(t, act)) {
		model_news(&t->model, true, "no environment has services: add [service NAME]");
		return;
	}
	if (act == ACT_NONE || action_console(t, act))
		return;
	if (!(action_table[act].where & view->where) && action_table[act].where != WHERE_RUN) {
		model_news(&t->model, true, "%s means nothing in this view",
			   action_table[act].name);
		return;
	}
	if ((act == ACT_FIND || act == ACT_FILTER) && !arg && !view->own_search) {
		prompt_open(t, act == ACT_FIND ? PROMPT_FIND : PROMPT_FILTER);
		return;
	}
	if (view->action && view->action(t, t->state[t->shown], act, arg))
		return;
	action_common(t, act, arg);
}

/* --- Events ----------------------------------------------------------------------------------- */

/* What an event asks to be done besides being remembered. */
static void follow_up(struct tui *t, const struct event *ev)
{
	if (ev->err.code != ERR_OK)
		return;
	if (ev->type == EV_RUN_STARTED) {
		tui_watch(t, ev->u.run_id);
		tui_read_runs(t);
	} else if (ev->type == EV_REQUESTED && t->model.watched) {
		/* The runner may have been gone or paused, and following it ended. */
		watch(t, t->model.watched->id);
	}
}

/* A run that ended changed its environment. */
static bool run_ended(const struct tui *t, const struct event *ev)
{
	const struct run *was = t->model.watched;

	return ev->type == EV_RUN && ev->u.run && ev->request == t->model.watch_request &&
	       run_state_ended(ev->u.run->state) && (!was || !run_state_ended(was->state));
}

void tui_event(struct tui *t, struct event *ev)
{
	enum event_type type = ev->type;
	bool ended = run_ended(t, ev);
	struct host_question question = { .kind = HOST_QUESTION_NONE }; /* the model frees ev */

	if (type == EV_QUESTION)
		question = ev->u.question;
	/* Lines that come while another view is shown change nothing on the screen. */
	if (type != EV_LOGS || t->shown == VIEW_LOGS)
		t->dirty = true;
	follow_up(t, ev);
	model_apply(&t->model, ev);
	tell_views(t, type);
	if (type == EV_QUESTION)
		ask_new(t, &question);
	if (ended)
		action_refresh(t);
}
