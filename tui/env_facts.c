/* SPDX-License-Identifier: MIT */
/*
 * What the view of environments says, fact by fact.
 *
 * A fact is one row of the table `facts`: its name and the function that says it for one
 * environment. A fact without a source is not a row: without services nothing is said of hosts and
 * health, without databases nothing of migrations. Each service is a row of its own where the height
 * allows it; where it does not, the row "services" names the worst. When even the facts do not leave
 * room for the gates, those that change least leave (`drops`).
 */
#include "tui/env_facts.h"

#include "tui/service_text.h"
#include "tui/text.h"

#include <stdarg.h>
#include <string.h>

#define SERVICE_ROWS_MAX 32
#define GATE_ROWS 4  /* that facts leave, with the rule above them … */
#define BELOW_ROWS 7 /* … and what rows of services leave: gates, and what differs */

static const struct matrix_count *count_of(const struct env_fact_of *f)
{
	return f->m->snap->matrix ? &f->m->snap->matrix->count[f->i] : NULL;
}

static void say(struct env_fact_text *out, enum role role, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void say(struct env_fact_text *out, enum role role, const char *fmt, ...)
{
	va_list ap;

	out->role = role;
	va_start(ap, fmt);
	strbuf_addv(&out->text, fmt, ap);
	va_end(ap);
}

static void fact_link(const struct env_fact_of *f, struct env_fact_text *out)
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

static void fact_database(const struct env_fact_of *f, struct env_fact_text *out)
{
	char size[CLOCK_TEXT_SIZE];

	say(out, ROLE_TEXT, "%s%s%s  %s", f->snap->info.engine, f->narrow ? "" : " ",
	    f->narrow ? "" : f->snap->info.version, text_bytes(f->snap->info.size_bytes, size));
}

static void fact_schema(const struct env_fact_of *f, struct env_fact_text *out)
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

static void fact_changed_last(const struct env_fact_of *f, struct env_fact_text *out)
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

static void fact_migrations(const struct env_fact_of *f, struct env_fact_text *out)
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
static const char *first_id(const struct env_fact_of *f, enum cell_state state)
{
	const struct matrix *x = f->m->snap->matrix;

	for (size_t r = 0; r < x->n_row; r++) {
		if (x->row[r].cell[f->i].state == state)
			return x->row[r].id;
	}
	return "";
}

static void fact_checksums(const struct env_fact_of *f, struct env_fact_text *out)
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

static void fact_backup(const struct env_fact_of *f, struct env_fact_text *out)
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

static void fact_lock(const struct env_fact_of *f, struct env_fact_text *out)
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

static void fact_run(const struct env_fact_of *f, struct env_fact_text *out)
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

static void fact_policy(const struct env_fact_of *f, struct env_fact_text *out)
{
	if (f->narrow && f->env->requires)
		say(out, ROLE_DIM, "needs %s", f->env->requires);
	else
		say(out, ROLE_DIM, "%s%s%s", f->env->is_protected ? "protected" : "not protected",
		    f->env->requires ? ", needs " : "", f->env->requires ? f->env->requires : "");
}

static void fact_host(const struct env_fact_of *f, struct env_fact_text *out)
{
	out->role = service_text_host_cell(f->env, f->seen, f->narrow, &out->text);
}

static void fact_health(const struct env_fact_of *f, struct env_fact_text *out)
{
	out->role = service_text_health_cell(f->env, f->seen, f->narrow, &out->text);
}

static void fact_services(const struct env_fact_of *f, struct env_fact_text *out)
{
	out->role = service_text_all_cell(f->env, f->seen, f->m->now_utc_ms, f->narrow, f->alone,
					  &out->text);
}

static void fact_service(const struct env_fact_of *f, struct env_fact_text *out)
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

struct env_fact {
	const char *name;
	enum need need;
	enum action enter; /* what Enter on it opens */
	void (*tell)(const struct env_fact_of *f, struct env_fact_text *out);
	int drops; /* where there is no room: 1 leaves first; 0 never */
};

static const struct env_fact facts[] = {
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
_Static_assert(N_FACTS + SERVICE_ROWS_MAX <= ENV_ROWS_MAX, "every row has room");

/* Behind "services": one row each. */
static const struct env_fact service_fact = { "", NEED_SERVICE, ACT_VIEW_SERVICES, fact_service,
					      0 };

/* --- Rows --------------------------------------------------------------------------------------- */

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

static bool is_fed(const struct project *p, const struct env_fact *f)
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

static bool is_named(const struct env_rows *rows, const char *service)
{
	for (int i = 0; i < rows->n; i++)
		if (rows->row[i].service && strcmp(rows->row[i].service, service) == 0)
			return true;
	return false;
}

/* Every service of any environment, in the order of the configuration. False: they are too many. */
static bool add_services(const struct project *p, struct env_rows *rows)
{
	int first = rows->n;

	for (size_t i = 0; i < p->n_env; i++)
		for (size_t k = 0; k < p->env[i].n_service; k++) {
			const char *name = p->env[i].service[k].runtime.name;

			if (is_named(rows, name))
				continue;
			if (rows->n - first == SERVICE_ROWS_MAX)
				return false;
			rows->row[rows->n++] = (struct env_row){ .fact = &service_fact,
								 .name = name,
								 .enter = service_fact.enter,
								 .service = name };
		}
	return true;
}

static void add_facts(const struct project *p, int dropped, bool services, struct env_rows *rows)
{
	*rows = (struct env_rows){ 0 };
	for (size_t i = 0; i < N_FACTS; i++) {
		const struct env_fact *f = &facts[i];

		if (!is_fed(p, f) || (f->drops > 0 && f->drops <= dropped))
			continue;
		rows->row[rows->n++] =
			(struct env_row){ .fact = f, .name = f->name, .enter = f->enter };
		if (f->need != NEED_SERVICE || !services)
			continue;
		rows->services = add_services(p, rows);
	}
}

static void add_rules(struct env_rows *rows, int room)
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

void env_rows_fit(const struct project *p, int height, struct env_rows *rows)
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

/* --- Telling ------------------------------------------------------------------------------------ */

/* What stands there when an environment has nothing of the kind; false: it has. */
static bool tell_absent(const struct env_fact *fact, const struct env_fact_of *f,
			struct env_fact_text *out)
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

void env_fact_tell(const struct env_row *row, const struct env_fact_of *f,
		   struct env_fact_text *out)
{
	out->role = ROLE_TEXT;
	if (!tell_absent(row->fact, f, out))
		row->fact->tell(f, out);
}
