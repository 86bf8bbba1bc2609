/* SPDX-License-Identifier: MIT */
/*
 * Environments side by side: one column an environment, one row a fact, so that the eye reads across
 * for differences and down for one environment. Production is the right-most column whatever the
 * width: when columns do not fit, those in the middle leave first.
 *
 * A fact is one row of the table `facts`: its name and the function that says it for one
 * environment. A fact without a source is not a row: without services nothing is said of hosts and
 * health, without databases nothing of migrations. Each service is a row of its own where the height
 * allows it; where it does not, the row "services" names the worst. When even the facts do not leave
 * room for the gates, those that change least leave (`drops`). Every value of a protected environment
 * has '#' in front of it and a solid bar at its left.
 *
 * Below the facts stands what the next migrate would meet: the gates of the plan that the refresh made
 * from the same facts, so that this screen and the plan cannot disagree.
 */
#include "tui/view.h"

#include "tui/env_columns.h"
#include "tui/service_text.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <string.h>

#define LABEL_COLS 13
#define COLUMN_MIN_COLS 20
#define NARROW_COLS 28 /* below, a fact says less */
#define SERVICE_ROWS_MAX 32
#define GATE_ROWS 4   /* that facts leave, with the rule above them … */
#define BELOW_ROWS 7  /* … and what rows of services leave: gates, and what differs */
#define ROWS_UNKNOWN 30

struct envs_state {
	int env;  /* selected column, index in the pipeline */
	int at;   /* selected row */
	int rows; /* of the view when it was drawn last; 0: not yet */
};

/* What one fact says of one environment. */
struct fact_text {
	struct strbuf text;
	enum role role;
};

struct fact_of {
	const struct model *m;
	const struct env *env;
	const struct env_snapshot *snap;
	const struct services_seen *seen;
	const struct service *service; /* of a row of one service; NULL: it has none of that name */
	size_t i;
	bool narrow; /* the column has room for the first of several words only */
	bool alone;  /* the services have no rows of their own */
};

static const struct matrix_count *count_of(const struct fact_of *f)
{
	return f->m->snap->matrix ? &f->m->snap->matrix->count[f->i] : NULL;
}

static void say(struct fact_text *out, enum role role, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void say(struct fact_text *out, enum role role, const char *fmt, ...)
{
	va_list ap;

	out->role = role;
	va_start(ap, fmt);
	strbuf_addv(&out->text, fmt, ap);
	va_end(ap);
}

static void fact_link(const struct fact_of *f, struct fact_text *out)
{
	char ago[CLOCK_TEXT_SIZE];
	int64_t age = f->m->now_utc_ms - f->snap->at_utc_ms;

	if (!f->snap->reachable) {
		say(out, ROLE_FAIL, "FAIL  %s", f->snap->err.msg);
		return;
	}
	/* A value older than twice its period is dim: nobody should trust it at a glance. */
	say(out, age > 2 * ENGINE_REFRESH_MS ? ROLE_DIM : ROLE_OK, "ok  %lld ms  %s",
	    (long long)((f->snap->open_us + 999) / 1000),
	    clock_ago(age - age % ENGINE_REFRESH_MS, ago));
}

static void fact_database(const struct fact_of *f, struct fact_text *out)
{
	char size[CLOCK_TEXT_SIZE];

	say(out, ROLE_TEXT, "%s%s%s  %s", f->snap->info.engine, f->narrow ? "" : " ",
	    f->narrow ? "" : f->snap->info.version, text_bytes(f->snap->info.size_bytes, size));
}

static void fact_schema(const struct fact_of *f, struct fact_text *out)
{
	const struct matrix_count *c = count_of(f);
	const struct history *h = f->snap->history;

	if (!c || !c->head)
		say(out, ROLE_DIM, "nothing applied");
	else if (c->schema_version && strcmp(c->schema_version, c->head) != 0)
		say(out, ROLE_TEXT, "%s  at %s", c->schema_version, c->head);
	else
		say(out, ROLE_TEXT, "at %s", c->head);
	if (!h || !h->tool)
		return;
	strbuf_adds(&out->text, "  by ");
	text_history(h, &out->text);
	if (h->dirty || h->n_head > 1 || h->busy)
		out->role = ROLE_WARN;
}

static void fact_changed_last(const struct fact_of *f, struct fact_text *out)
{
	const struct applied *last = NULL;
	char when[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < f->snap->history->n; i++) {
		const struct applied *a = &f->snap->history->list[i];
		if (a->applied && (!last || a->seq > last->seq))
			last = a;
	}
	if (!last)
		say(out, ROLE_DIM, "never");
	else
		say(out, ROLE_TEXT, "%s  %s", clock_short(last->at_utc_ms, when), last->who);
}

static void fact_migrations(const struct fact_of *f, struct fact_text *out)
{
	const struct matrix_count *c = count_of(f);
	int64_t pending;

	if (!c)
		return;
	if (!f->m->snap->source) {
		say(out, ROLE_WARN, "%lld%s  files unread", (long long)c->applied,
		    f->narrow ? "" : " applied");
		return;
	}
	pending = c->pending + c->late + c->failed + c->partial;
	say(out, pending ? ROLE_PENDING : ROLE_OK, "%lld%s  %lld pending", (long long)c->applied,
	    f->narrow ? "" : " applied", (long long)pending);
}

/* The first id of a state in this column, for "CHANGED 0136". */
static const char *first_id(const struct fact_of *f, enum cell_state state)
{
	const struct matrix *x = f->m->snap->matrix;

	for (size_t r = 0; r < x->n_row; r++) {
		if (x->row[r].cell[f->i].state == state)
			return x->row[r].id;
	}
	return "";
}

static void fact_checksums(const struct fact_of *f, struct fact_text *out)
{
	static const struct {
		enum cell_state state;
		enum role role;
	} worst_first[] = { { CELL_PARTIAL, ROLE_FAIL },
			    { CELL_FAILED, ROLE_FAIL },
			    { CELL_CHANGED, ROLE_WARN },
			    { CELL_MISSING, ROLE_WARN },
			    { CELL_LATE, ROLE_WARN } };
	const struct matrix_count *c = count_of(f);
	const int64_t n[] = { c ? c->partial : 0, c ? c->failed : 0, c ? c->changed : 0,
			      c ? c->missing : 0, c ? c->late : 0 };
	int64_t all = n[0] + n[1] + n[2] + n[3] + n[4];

	if (!f->m->snap->source) {
		say(out, ROLE_WARN, "not compared");
		return;
	}
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		if (n[i] == 0)
			continue;
		say(out, worst_first[i].role, "%s %s", text_cell(worst_first[i].state),
		    first_id(f, worst_first[i].state));
		if (all > 1)
			strbuf_addf(&out->text, "  +%lld more", (long long)all - 1);
		return;
	}
	if (c && c->warned > 0)
		say(out, ROLE_WARN, "WARNING %s  %s", c->first_warned->id,
		    c->first_warned->warning);
	else
		say(out, ROLE_OK, "ok");
}

static void fact_backup(const struct fact_of *f, struct fact_text *out)
{
	char ago[CLOCK_TEXT_SIZE], size[CLOCK_TEXT_SIZE];

	if (f->snap->has_backup)
		say(out, f->snap->backup_verified ? ROLE_TEXT : ROLE_WARN, "%s  %s%s%s",
		    clock_ago(f->m->now_utc_ms - f->snap->backup_utc_ms, ago),
		    f->narrow ? "" : text_bytes(f->snap->backup_bytes, size), f->narrow ? "" : "  ",
		    f->snap->backup_verified ? "verified" : "NOT verified");
	else if (!env_can_back_up(f->env))
		say(out, f->env->is_protected ? ROLE_WARN : ROLE_DIM, "none: not of servers yet");
	else if (f->env->backup == BACKUP_NEVER)
		say(out, ROLE_DIM, "none wanted");
	else
		say(out, ROLE_DIM, "none yet");
}

static void fact_lock(const struct fact_of *f, struct fact_text *out)
{
	const struct lock_holder *h = &f->snap->holder;
	char since[CLOCK_TEXT_SIZE];

	if (!h->held && !h->stale) {
		say(out, ROLE_TEXT, "free");
		return;
	}
	clock_hms(h->since_utc_ms, since);
	since[5] = '\0'; /* hours and minutes are enough here */
	say(out, h->stale ? ROLE_FAIL : ROLE_WARN, "%s%s", h->stale ? "STALE " : "", h->who);
	if (!f->narrow)
		strbuf_addf(&out->text, " since %s", since);
	if (h->run[0])
		strbuf_addf(&out->text, "%s run %.*s", f->narrow ? "" : ",",
			    (int)strcspn(h->run, "-"), h->run);
}

static void fact_run(const struct fact_of *f, struct fact_text *out)
{
	const struct run *r = model_active_run(f->m, f->env->name);
	const char *held = f->snap && f->snap->reachable ? f->snap->holder.run : "";

	/* The list of runs comes behind the first picture; the lock names one before. */
	if (!r && !f->m->runs_known && held[0])
		say(out, ROLE_WARN, "%.*s", (int)strcspn(held, "-"), held);
	else if (!r)
		say(out, ROLE_TEXT, "none");
	else
		say(out, text_run_role(r->state), "%s %s, step %d of %zu", r->number,
		    run_state_name(r->state), r->current, r->plan->n_step);
}

static void fact_policy(const struct fact_of *f, struct fact_text *out)
{
	if (f->narrow && f->env->requires)
		say(out, ROLE_DIM, "needs %s", f->env->requires);
	else
		say(out, ROLE_DIM, "%s%s%s", f->env->is_protected ? "protected" : "not protected",
		    f->env->requires ? ", needs " : "", f->env->requires ? f->env->requires : "");
}

static void fact_host(const struct fact_of *f, struct fact_text *out)
{
	out->role = service_text_host_cell(f->env, f->seen, f->narrow, &out->text);
}

static void fact_health(const struct fact_of *f, struct fact_text *out)
{
	out->role = service_text_health_cell(f->env, f->seen, f->narrow, &out->text);
}

static void fact_services(const struct fact_of *f, struct fact_text *out)
{
	out->role = service_text_all_cell(f->env, f->seen, f->m->now_utc_ms, f->narrow, f->alone,
					  &out->text);
}

static void fact_service(const struct fact_of *f, struct fact_text *out)
{
	out->role = service_text_cell(f->service, f->seen, f->m->now_utc_ms, f->narrow, &out->text);
}

/* What must be there for a fact to be a row, and to have a value in an environment. */
enum need {
	NEED_NOTHING,
	NEED_DB,      /* a database … */
	NEED_READ_DB, /* … that can be read */
	NEED_HOST,    /* services, or hosts that are not this machine */
	NEED_HEALTH,  /* a service with a health URL */
	NEED_SERVICE
};

struct fact {
	const char *name;
	enum need need;
	enum action enter; /* what Enter on it opens */
	void (*tell)(const struct fact_of *f, struct fact_text *out);
	int drops; /* where there is no room: 1 leaves first; 0 never */
};

static const struct fact facts[] = {
	{ "link", NEED_DB, ACT_NONE, fact_link, 0 },
	{ "host", NEED_HOST, ACT_VIEW_SERVICES, fact_host, 0 },
	{ "health", NEED_HEALTH, ACT_VIEW_SERVICES, fact_health, 0 },
	{ "services", NEED_SERVICE, ACT_VIEW_SERVICES, fact_services, 0 },
	{ "database", NEED_READ_DB, ACT_NONE, fact_database, 3 },
	{ "schema", NEED_READ_DB, ACT_VIEW_MIGRATIONS, fact_schema, 0 },
	{ "changed", NEED_READ_DB, ACT_VIEW_AUDIT, fact_changed_last, 2 },
	{ "migrations", NEED_READ_DB, ACT_VIEW_MIGRATIONS, fact_migrations, 0 },
	{ "checksums", NEED_READ_DB, ACT_VIEW_MIGRATIONS, fact_checksums, 0 },
	{ "backup", NEED_READ_DB, ACT_NONE, fact_backup, 0 },
	{ "lock", NEED_READ_DB, ACT_VIEW_RUNS, fact_lock, 0 },
	{ "run", NEED_DB, ACT_VIEW_RUNS, fact_run, 0 },
	{ "policy", NEED_NOTHING, ACT_NONE, fact_policy, 1 },
};
#define N_FACTS (sizeof(facts) / sizeof(facts[0]))
#define FACT_DROPS 3

/* Behind "services": one row each. */
static const struct fact service_fact = { "", NEED_SERVICE, ACT_VIEW_SERVICES, fact_service, 0 };

/* --- Rows --------------------------------------------------------------------------------------- */

struct envs_row {
	const struct fact *fact;
	const char *service; /* of a row of one service; else NULL */
	bool rule;           /* a line between sections stands before it */
};

struct envs_rows {
	struct envs_row row[N_FACTS + SERVICE_ROWS_MAX];
	int n, rules;
	bool services; /* they have rows of their own */
};

static bool has_database(const struct project *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		if (p->env[i].has_db)
			return true;
	return false;
}

static bool has_health(const struct project *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		for (size_t k = 0; k < p->env[i].n_service; k++)
			if (p->env[i].service[k].health.url)
				return true;
	return false;
}

static bool is_fed(const struct project *p, const struct fact *f)
{
	switch (f->need) {
	case NEED_HOST:
		return service_text_hosts(p);
	case NEED_HEALTH:
		return has_health(p);
	case NEED_SERVICE:
		return service_text_any(p);
	case NEED_DB:
	case NEED_READ_DB:
		return has_database(p);
	default:
		return true;
	}
}

static bool is_named(const struct envs_rows *rows, const char *service)
{
	for (int i = 0; i < rows->n; i++)
		if (rows->row[i].service && strcmp(rows->row[i].service, service) == 0)
			return true;
	return false;
}

/* Every service of any environment, in the order of the configuration. False: they are too many. */
static bool add_services(const struct project *p, struct envs_rows *rows)
{
	int first = rows->n;

	for (size_t i = 0; i < p->n_env; i++)
		for (size_t k = 0; k < p->env[i].n_service; k++) {
			const char *name = p->env[i].service[k].runtime.name;

			if (is_named(rows, name))
				continue;
			if (rows->n - first == SERVICE_ROWS_MAX)
				return false;
			rows->row[rows->n++] =
				(struct envs_row){ .fact = &service_fact, .service = name };
		}
	return true;
}

static void add_facts(const struct project *p, int dropped, bool services, struct envs_rows *rows)
{
	*rows = (struct envs_rows){ 0 };
	for (size_t i = 0; i < N_FACTS; i++) {
		const struct fact *f = &facts[i];

		if (!is_fed(p, f) || (f->drops > 0 && f->drops <= dropped))
			continue;
		rows->row[rows->n++] = (struct envs_row){ .fact = f };
		if (f->need != NEED_SERVICE || !services)
			continue;
		rows->services = add_services(p, rows);
	}
}

static void add_rules(struct envs_rows *rows, int room)
{
	if (!rows->services || rows->n + 2 > room)
		return;
	for (int i = 1; i < rows->n; i++) {
		bool now = rows->row[i].fact->need == NEED_SERVICE;
		bool was = rows->row[i - 1].fact->need == NEED_SERVICE;

		rows->row[i].rule = now != was;
		rows->rules += now != was;
	}
}

/* The rows that fit height rows of the view. */
static void rows_fit(const struct project *p, int height, struct envs_rows *rows)
{
	int room = height - 1; /* the heads */

	add_facts(p, 0, true, rows);
	if (rows->services && rows->n <= room - BELOW_ROWS) {
		add_rules(rows, room - BELOW_ROWS);
		return;
	}
	for (int dropped = 0; dropped <= FACT_DROPS; dropped++) {
		add_facts(p, dropped, false, rows);
		if (rows->n <= room - GATE_ROWS)
			break;
	}
}

static void rows_of(const struct tui *t, const struct envs_state *s, struct envs_rows *rows)
{
	rows_fit(t->model.project, s->rows > 0 ? s->rows : ROWS_UNKNOWN, rows);
}

/* The selected row; the list is never empty. */
static const struct envs_row *selected(const struct envs_state *s, const struct envs_rows *rows)
{
	return &rows->row[s->at < rows->n ? s->at : rows->n - 1];
}

/* --- Drawing ------------------------------------------------------------------------------------ */

static void draw_heads(const struct tui *t, const struct envs_state *s, struct canvas *c,
		       struct rect r, const struct env_columns *k)
{
	const struct project *p = t->model.project;
	struct strbuf name;

	strbuf_init(&name, 256);
	for (int i = 0; i < k->n; i++) {
		const struct env *env = &p->env[k->env[i]];
		int col = r.col + LABEL_COLS + i * k->cols;
		enum role role = env->is_protected ? ROLE_PROD : ROLE_HEAD;
		int used;

		strbuf_reset(&name);
		strbuf_addc(&name, k->env[i] == s->env ? '>' : ' ');
		text_env(env, true, &name);
		if (env->is_protected)
			canvas_fill(c, r.row, col, k->cols - 1, ROLE_PROD, ' ');
		used = canvas_put(c, r.row, col, k->cols - 1, role, strbuf_sv(&name));
		if (env->is_protected)
			canvas_paint(c, r.row, col, k->cols - 1, ROLE_PROD_BAR, false);
		else if (k->env[i] == s->env)
			canvas_paint(c, r.row, col, used, ROLE_SELECT, true);
	}
	strbuf_clear(&name);
}

/* What stands there when an environment has nothing of the kind; false: it has. */
static bool tell_absent(const struct fact *fact, const struct fact_of *f, struct fact_text *out)
{
	bool db = fact->need == NEED_DB || fact->need == NEED_READ_DB;

	if (db && !f->env->has_db)
		say(out, ROLE_DIM, fact->tell == fact_link ? "no database" : "-");
	else if ((db || fact->need == NEED_NOTHING) && !f->snap)
		say(out, ROLE_DIM, "reading");
	else if (fact->need == NEED_READ_DB && !f->snap->reachable)
		say(out, ROLE_DIM, "no data");
	else
		return false;
	return true;
}

/* One fact of one environment in its column. */
static void draw_value(const struct model *m, const struct envs_rows *rows, int at, int env_index,
		       struct canvas *c, int row, int col, int cols)
{
	const struct env *env = &m->project->env[env_index];
	const struct envs_row *what = &rows->row[at];
	struct fact_of f = { .m = m,
			     .env = env,
			     .snap = m->snap ? &m->snap->env[env_index] : NULL,
			     .seen = service_text_seen(m, env_index),
			     .service = what->service ? service_text_find(env, what->service) : NULL,
			     .i = (size_t)env_index,
			     .narrow = cols < NARROW_COLS,
			     .alone = !rows->services };
	struct fact_text value = { .role = ROLE_TEXT };

	strbuf_init(&value.text, 1024);
	if (!tell_absent(what->fact, &f, &value))
		what->fact->tell(&f, &value);
	if (env->is_protected) {
		canvas_puts(c, row, col, 1, ROLE_PROD, " ");
		canvas_paint(c, row, col, 1, ROLE_PROD_BAR, false);
		canvas_puts(c, row, col + 1, 1, ROLE_PROD, TEXT_PROTECTED);
	}
	canvas_put(c, row, col + (env->is_protected ? 2 : 1), cols - (env->is_protected ? 3 : 2),
		   value.role, strbuf_sv(&value.text));
	strbuf_clear(&value.text);
}

static void draw_label(const struct envs_row *what, bool on, struct canvas *c, int row, int col)
{
	canvas_puts(c, row, col, 1, ROLE_SELECT, on ? ">" : " ");
	if (what->service)
		canvas_puts(c, row, col + 2, LABEL_COLS - 3, ROLE_HEAD, what->service);
	else
		canvas_puts(c, row, col + 1, LABEL_COLS - 2, ROLE_HEAD, what->fact->name);
	if (on)
		canvas_paint(c, row, col, LABEL_COLS - 1, ROLE_SELECT, true);
}

static void draw_facts(const struct tui *t, const struct envs_state *s,
		       const struct envs_rows *rows, struct canvas *c, struct rect r,
		       const struct env_columns *k)
{
	const struct envs_row *on = selected(s, rows);
	int row = r.row, end = r.row + r.rows;

	for (int i = 0; i < rows->n && row < end; i++, row++) {
		const struct envs_row *what = &rows->row[i];

		if (what->rule)
			canvas_rule(c, row++, r.col, r.cols);
		draw_label(what, what == on, c, row, r.col);
		for (int e = 0; e < k->n; e++)
			draw_value(&t->model, rows, i, k->env[e], c, row,
				   r.col + LABEL_COLS + e * k->cols, k->cols);
	}
}

/* Why nothing is known of the next migrate; false when it is known. */
static bool draw_unknown(const struct tui *t, const struct envs_state *s, struct canvas *c,
			 struct rect r)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];
	const struct env_snapshot *snap = &m->snap->env[s->env];

	if (snap->next)
		return false;
	if (!env->has_db)
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM, "%s%s has no database",
			    text_mark(env), env->name);
	else if (!snap->reachable)
		text_err(c, r, &snap->err);
	else if (!m->snap->source)
		text_err(c, r, &m->snap->source_err);
	else
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_WARN,
			    "Next migrate of %s%s: cannot be planned; %s says why", text_mark(env),
			    env->name, keymap_key(t->keys, ACT_PLAN));
	return true;
}

/* "Migrate #PRODUCTION: not ready, 2 of 5 gates closed" and the gates, from the plan of the refresh. */
static void draw_gates(const struct tui *t, const struct envs_state *s, struct canvas *c,
		       struct rect r)
{
	const struct model *m = &t->model;
	const struct env *before = env_previous(m->project, &m->project->env[s->env]);
	const struct lock_holder *holder;
	const struct plan *p;
	struct text_line l;
	size_t closed = 0;
	int line = 1;

	if (!m->snap || r.rows < 2 || draw_unknown(t, s, c, r))
		return;
	p = m->snap->env[s->env].next;
	holder = &m->snap->env[s->env].holder;
	for (size_t i = 0; i < p->n_gate; i++)
		closed += !p->gate[i].open;
	l = text_line_at(c, r, 0);
	text_add(&l, ROLE_TEXT, " Next migrate of ");
	text_addf(&l, p->is_protected ? ROLE_PROD : ROLE_HEAD, "%s%s",
		  text_mark(&m->project->env[s->env]), p->environment);
	if (before && before->has_db)
		text_addf(&l, ROLE_TEXT, " to what %s has", before->name);
	if (p->n_change == 0)
		text_add(&l, ROLE_TEXT, ": nothing to do");
	else if (closed)
		text_addf(&l, ROLE_FAIL, ": not ready, %zu of %zu gates closed", closed, p->n_gate);
	else
		text_addf(&l, ROLE_OK, ": ready, %zu to apply, %zu of %zu gates open", p->n_change,
			  p->n_gate, p->n_gate);
	/* No gate: a run waits for it, or is told who has it. */
	if (holder->held && p->n_change)
		text_addf(&l, ROLE_WARN, "; locked by %s, run %.*s", holder->who,
			  (int)strcspn(holder->run, "-"), holder->run);
	/* Closed gates first: they are why anybody looks here. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < p->n_gate; i++) {
			if (p->gate[i].open == (pass == 1))
				line += text_gate_draw(c, r, line, &p->gate[i]);
		}
	}
}

static void draw_differs(const struct tui *t, const struct envs_state *s, struct canvas *c,
			 struct rect r)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];
	const struct env *before = env_previous(m->project, env);
	struct text_line l;
	size_t a, n = 0;

	if (!before || !m->snap || !m->snap->matrix || r.rows < 1 || !env->has_db || !before->has_db)
		return;
	a = env_index(m->project, before);
	if (!m->snap->env[a].reachable || !m->snap->env[s->env].reachable) {
		canvas_putf(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "Differs %s / %s%s:  unknown, one of them cannot be read", before->name,
			    text_mark(env), env->name);
		return;
	}
	for (size_t i = 0; i < m->snap->matrix->n_row; i++) {
		const struct cell *x = m->snap->matrix->row[i].cell;
		n += x[a].state != x[s->env].state;
	}
	l = text_line_at(c, r, 0);
	text_addf(&l, ROLE_TEXT, " Differs %s / ", before->name);
	text_addf(&l, env->is_protected ? ROLE_PROD : ROLE_TEXT, "%s%s", text_mark(env), env->name);
	text_addf(&l, n ? ROLE_PENDING : ROLE_OK, ":  %zu migration%s", n, n == 1 ? "" : "s");
}

/* The selected service in a sentence: the column had no room for it. */
static void service_facts(const struct tui *t, const struct envs_state *s, const char *name,
			  struct strbuf *out)
{
	const struct service *service =
		service_text_find(&t->model.project->env[s->env], name);
	const struct services_seen *seen = service_text_seen(&t->model, s->env);
	struct service_summary sum;

	if (!service || !seen || !seen->services)
		return;
	service_summarise(seen->services, service, &sum);
	if (!sum.worst)
		return;
	if (sum.worst->err.code != ERR_OK)
		strbuf_addf(out, "%s: %s", sum.worst->err.msg, sum.worst->err.detail);
	else if (!service_unit_ok(sum.worst))
		service_words(sum.worst, t->model.now_utc_ms, out);
	else
		strbuf_adds(out, sum.worst->unit.image);
}

static void words(const struct tui *t, const struct envs_state *s, const struct envs_row *on,
		  struct view_words *w)
{
	const struct model *m = &t->model;
	const struct env *env = &m->project->env[s->env];

	strbuf_addf(&w->crumb, "%s%s > %s", text_mark(env), env->name,
		    on->service ? on->service : on->fact->name);
	if (on->service)
		service_facts(t, s, on->service, &w->facts);
	else if (m->snap && env->has_db && !m->snap->env[s->env].reachable)
		strbuf_addf(&w->facts, "%s", m->snap->env[s->env].err.detail);
	else if (env->has_db)
		strbuf_adds(&w->facts, env->dsn.shown);
}

static void envs_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
		      struct view_words *w)
{
	struct envs_state *s = state;
	struct envs_rows rows;
	struct env_columns k;
	struct rect part;

	if (t->model.project->n_env == 0)
		return;
	s->rows = r.rows;
	rows_of(t, s, &rows);
	k = env_columns_fit((int)t->model.project->n_env, s->env, r.cols - LABEL_COLS,
			    COLUMN_MIN_COLS);
	part = rect_cut(&r, 1);
	draw_heads(t, s, c, part, &k);
	part = rect_cut(&r, rows.n + rows.rules);
	draw_facts(t, s, &rows, c, part, &k);
	if (r.rows > 1) {
		canvas_rule(c, r.row, r.col, r.cols);
		rect_cut(&r, 1);
	}
	part = rect_cut(&r, r.rows > 3 ? r.rows - 2 : r.rows);
	draw_gates(t, s, c, part);
	if (r.rows >= 2) {
		canvas_rule(c, r.row, r.col, r.cols);
		rect_cut(&r, 1);
	}
	draw_differs(t, s, c, r);
	words(t, s, selected(s, &rows), w);
}

static int clamp(int v, int n)
{
	return v < 0 ? 0 : v >= n ? n - 1 : v;
}

static void open_row(struct tui *t, const struct envs_state *s, const struct envs_row *on)
{
	if (on->fact->enter == ACT_VIEW_SERVICES)
		tui_services(t, s->env, on->service);
	else
		tui_action(t, on->fact->enter == ACT_NONE ? ACT_VIEW_MIGRATIONS : on->fact->enter,
			   NULL);
}

static bool envs_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct envs_state *s = state;
	int n_env = (int)t->model.project->n_env;
	struct envs_rows rows;
	const struct envs_row *on;

	if (n_env == 0)
		return false;
	rows_of(t, s, &rows);
	on = selected(s, &rows);
	s->at = clamp(s->at, rows.n);
	switch (act) {
	case ACT_DOWN:
		s->at = clamp(s->at + 1, rows.n);
		return true;
	case ACT_UP:
		s->at = clamp(s->at - 1, rows.n);
		return true;
	case ACT_FIRST:
		s->at = 0;
		return true;
	case ACT_LAST:
		s->at = rows.n - 1;
		return true;
	case ACT_LEFT:
		s->env = clamp(s->env - 1, n_env);
		return true;
	case ACT_RIGHT:
		s->env = clamp(s->env + 1, n_env);
		return true;
	case ACT_OPEN:
		open_row(t, s, on);
		return true;
	case ACT_LOGS_OF:
		tui_logs(t, s->env, arg ? arg : on->service);
		return true;
	case ACT_HEALTH:
		tui_health(t, s->env, arg ? arg : on->service);
		return true;
	default:
		return false;
	}
}

static int envs_selected(const struct tui *t, const void *state)
{
	const struct envs_state *s = state;

	return t->model.project->n_env ? s->env : -1;
}

static const enum action hints[] = { ACT_DOWN, ACT_LEFT,     ACT_OPEN, ACT_LOGS_OF,
				     ACT_PLAN, ACT_BACK_OUT, ACT_ARM,  ACT_REFRESH,
				     ACT_HELP, ACT_QUIT,     ACT_NONE };

const struct view_ops view_envs = {
	.name = "Envs",
	.short_name = "Env",
	.where = WHERE_ENVS,
	.state_size = sizeof(struct envs_state),
	.draw = envs_draw,
	.action = envs_action,
	.selected_env = envs_selected,
	.hints = hints,
};
