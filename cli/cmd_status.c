/* SPDX-License-Identifier: MIT */
/*
 * `status`: environments side by side, as a table or as the document that scripts rely on.
 *
 * The table is linear text without colour or width tricks, so --plain is what it prints anyway. A
 * row is printed only when something measures it. In the JSON document a member that nothing
 * measures (drift; services and health of an environment without any) is null, never a guess.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/look.h"
#include "cli/look_text.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/release/run.h"
#include "tui/text.h"

struct status {
	struct cli *c;
	struct snapshot *snap;
	struct run **run; /* what each environment is busy with, or NULL */
	bool *shown;      /* per environment: named on the command line, or none was */
	struct look_services *services; /* per environment */
};

static int status_read(struct status *s, struct err *e)
{
	const struct project *p = s->c->project;
	const struct env *env;
	size_t i, k;

	s->shown = mem_calloc(p->n_env + 1, sizeof(*s->shown));
	s->run = mem_calloc(p->n_env + 1, sizeof(struct run *));
	for (i = 0; cli_word(s->c, i) != NULL && strcmp(s->c->args.word[0], "status") == 0; i++) {
		if (cli_env(s->c, cli_word(s->c, i), &env, e) != 0)
			return -1;
		s->shown[env_index(p, env)] = true;
	}
	for (k = 0; i == 0 && k < p->n_env; k++)
		s->shown[k] = true;
	/* Only the document has the schema in it, and a server has to look at all of its objects for that. */
	s->services = mem_calloc(p->n_env + 1, sizeof(*s->services));
	s->snap = look_read(
		s->c, SNAPSHOT_STATE | (args_has(&s->c->args, OPT_JSON) ? SNAPSHOT_SCHEMA : 0),
		s->shown, s->services, e);
	if (s->snap == NULL)
		return -1;
	for (i = 0; i < p->n_env; i++) {
		struct run *r = run_of_lock(&s->c->ctx, &s->snap->env[i].holder);

		/* One that ended gives its lock back a moment later. */
		if (r != NULL && run_state_ended(r->state)) {
			run_free(r);
			r = NULL;
		}
		s->run[i] = r;
	}
	return 0;
}

static void status_clear(struct status *s)
{
	for (size_t i = 0; s->run != NULL && i < s->c->project->n_env; i++)
		run_free(s->run[i]);
	for (size_t i = 0; s->services != NULL && i < s->c->project->n_env; i++)
		look_services_clear(&s->services[i]);
	snapshot_free(s->snap);
	mem_free(s->services);
	mem_free(s->run);
	mem_free(s->shown);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void put_time(json_t *j, const char *key, int64_t utc_ms)
{
	char text[CLOCK_TEXT_SIZE];

	json_put_str(j, key, utc_ms > 0 ? clock_iso(utc_ms, text) : NULL);
}

static json_t *database_json(const struct env *env, const struct env_snapshot *s)
{
	struct strbuf text;
	json_t *j;

	if (!env->has_db)
		return json_null();
	j = json_object();
	json_put_str(j, "engine", env->dsn.engine);
	json_put_str(j, "version", s->reachable ? s->info.version : NULL);
	json_put_bool(j, "reachable", s->reachable);
	strbuf_init(&text, 2048);
	if (!s->reachable)
		strbuf_addf(&text, "%s%s%s", s->err.msg, s->err.detail[0] != '\0' ? ": " : "",
			    s->err.detail);
	json_put_str(j, "error", s->reachable ? NULL : strbuf_str(&text));
	strbuf_clear(&text);
	return j;
}

static json_t *warnings_json(const struct history *h)
{
	json_t *list = json_array(), *j;

	for (size_t i = 0; h != NULL && i < h->n_warning; i++) {
		const struct history_warning *w = &h->warning[i];

		if (!w->in_force)
			continue;
		j = json_object();
		json_put_str(j, "id", w->id);
		json_put_str(j, "object", w->object);
		json_put_str(j, "warning", w->words);
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *migrations_json(const struct env_snapshot *s, const struct matrix_count *n)
{
	json_t *j, *heads;

	if (!s->reachable)
		return json_null();
	j = json_object();
	json_put_int(j, "applied", n->applied);
	json_put_int(j, "pending", n->pending);
	json_put_int(j, "failed", n->failed);
	json_put_int(j, "changed", n->changed);
	json_put_int(j, "missing", n->missing);
	json_put_int(j, "late", n->late);
	json_put_int(j, "partial", n->partial);
	heads = json_array();
	for (size_t i = 0; i < n->n_heads; i++)
		json_array_append_new(heads, json_string(n->heads[i]));
	json_object_set_new(j, "heads", heads);
	json_put_str(j, "schema_version", n->schema_version);
	json_object_set_new(j, "warnings", warnings_json(s->history));
	return j;
}

static json_t *schema_json(const struct status *s, size_t i)
{
	json_t *j;

	if (s->snap->env[i].schema_digest[0] == '\0')
		return json_null();
	j = json_object();
	json_put_str(j, "fingerprint", s->snap->env[i].schema_digest);
	json_object_set_new(j, "drift", json_null());
	return j;
}

static json_t *backup_json(const struct env_snapshot *s)
{
	json_t *j;

	if (!s->has_backup)
		return json_null();
	j = json_object();
	json_put_str(j, "id", s->backup_id);
	put_time(j, "at", s->backup_utc_ms);
	json_put_bool(j, "verified", s->backup_verified);
	json_put_bool(j, "proven", false);
	return j;
}

static json_t *lock_json(const struct lock_holder *h)
{
	json_t *j;

	if (!h->held)
		return json_null();
	j = json_object();
	json_put_str(j, "holder", h->who);
	json_put_str(j, "host", h->host);
	json_put_int(j, "pid", h->pid);
	json_put_str(j, "run", h->run[0] != '\0' ? h->run : NULL);
	put_time(j, "since", h->since_utc_ms);
	put_time(j, "beat", h->beat_utc_ms);
	return j;
}

static json_t *run_short_json(const struct run *r)
{
	json_t *j;

	if (r == NULL)
		return json_null();
	j = json_object();
	json_put_str(j, "id", r->id);
	json_put_str(j, "state", run_state_name(r->state));
	json_put_int(j, "step", r->current);
	json_put_int(j, "of", (int64_t)r->plan->n_step);
	return j;
}

static json_t *env_json(const struct status *s, size_t i)
{
	const struct env *env = &s->c->project->env[i];
	const struct env_snapshot *snap = &s->snap->env[i];
	json_t *j = json_object();

	json_put_str(j, "name", env->name);
	json_put_bool(j, "protected", env->is_protected);
	json_object_set_new(j, "database", database_json(env, snap));
	json_object_set_new(j, "migrations", migrations_json(snap, &s->snap->matrix->count[i]));
	json_object_set_new(j, "schema", schema_json(s, i));
	json_object_set_new(j, "services", look_services_json(&s->services[i]));
	json_object_set_new(j, "health", look_health_json(&s->services[i]));
	json_object_set_new(j, "backup", backup_json(snap));
	json_object_set_new(j, "lock", lock_json(&snap->holder));
	json_object_set_new(j, "run", run_short_json(s->run[i]));
	return j;
}

static int status_json(const struct status *s, struct err *e)
{
	json_t *j = json_object(), *list = json_array();
	size_t i;

	json_put_str(j, "project", s->c->project->name);
	for (i = 0; i < s->snap->n_env; i++)
		if (s->shown[i])
			json_array_append_new(list, env_json(s, i));
	json_object_set_new(j, "environments", list);
	return print_json(j, e);
}

/* --- Table ----------------------------------------------------------------------------------- */

typedef void (*cell_fn)(const struct status *s, size_t env, struct strbuf *out);

static void cell_link(const struct status *s, size_t i, struct strbuf *out)
{
	const struct env_snapshot *snap = &s->snap->env[i];

	if (!snap->has_db)
		strbuf_adds(out, "no database");
	else if (snap->reachable)
		strbuf_addf(out, "ok  %s %s", snap->info.engine, snap->info.version);
	else
		strbuf_adds(out, "FAIL");
}

static void cell_version(const struct status *s, size_t i, struct strbuf *out)
{
	const struct matrix_count *n = &s->snap->matrix->count[i];

	const struct history *h = s->snap->env[i].history;
	struct strbuf words;

	if (!s->snap->env[i].reachable) {
		strbuf_adds(out, "unknown");
		return;
	}
	add_clean(out, n->schema_version != NULL ? n->schema_version : "none");
	if (h == NULL || h->tool == NULL)
		return;
	strbuf_init(&words, 1024);
	text_history(h, &words);
	strbuf_adds(out, "  by ");
	add_clean(out, strbuf_str(&words));
	strbuf_clear(&words);
}

static void cell_migrations(const struct status *s, size_t i, struct strbuf *out)
{
	const struct matrix_count *n = &s->snap->matrix->count[i];

	if (!s->snap->env[i].reachable) {
		strbuf_adds(out, "unknown");
		return;
	}
	strbuf_addf(out, "%lld applied  %lld pending", (long long)n->applied,
		    (long long)(n->pending + n->late));
	if (n->late > 0)
		strbuf_addf(out, "  %lld late", (long long)n->late);
	if (n->failed > 0)
		strbuf_addf(out, "  %lld FAILED", (long long)n->failed);
	if (n->partial > 0)
		strbuf_addf(out, "  %lld PARTIAL", (long long)n->partial);
}

/* The first id in a state of environment i. */
static const char *first_id(const struct status *s, size_t i, enum cell_state state)
{
	const struct matrix *m = s->snap->matrix;
	size_t k;

	for (k = 0; k < m->n_row; k++)
		if (m->row[k].cell[i].state == state)
			return m->row[k].id;
	return "";
}

static void cell_checksums(const struct status *s, size_t i, struct strbuf *out)
{
	const struct matrix_count *n = &s->snap->matrix->count[i];

	if (!s->snap->env[i].reachable)
		strbuf_adds(out, "unknown");
	else if (n->changed + n->missing == 0)
		strbuf_adds(out, "ok");
	if (n->changed > 0) {
		strbuf_adds(out, "CHANGED ");
		add_clean(out, first_id(s, i, CELL_CHANGED));
		if (n->changed > 1)
			strbuf_addf(out, " and %lld more", (long long)n->changed - 1);
	}
	if (n->missing > 0) {
		strbuf_adds(out, n->changed > 0 ? "  MISSING " : "MISSING ");
		add_clean(out, first_id(s, i, CELL_MISSING));
	}
}

static void cell_warnings(const struct status *s, size_t i, struct strbuf *out)
{
	const struct matrix_count *n = &s->snap->matrix->count[i];

	if (!s->snap->env[i].reachable) {
		strbuf_adds(out, "unknown");
	} else if (n->warned == 0) {
		strbuf_adds(out, "none");
	} else {
		strbuf_addf(out, "%lld: ", (long long)n->warned);
		add_clean(out, n->first_warned->id);
		strbuf_addc(out, ' ');
		add_clean(out, n->first_warned->warning);
	}
}

/* The row is there when there is something in it. */
static bool any_warning(const struct status *s)
{
	for (size_t i = 0; i < s->snap->n_env; i++)
		if (s->shown[i] && s->snap->matrix->count[i].warned > 0)
			return true;
	return false;
}

static void cell_backup(const struct status *s, size_t i, struct strbuf *out)
{
	const struct env_snapshot *snap = &s->snap->env[i];
	char text[CLOCK_TEXT_SIZE];

	if (!snap->has_backup) {
		strbuf_adds(out, env_can_back_up(&s->c->project->env[i])
					 ? "none"
					 : "none: not of servers yet");
		return;
	}
	strbuf_addf(out, "%s  %s", clock_ago(clock_utc_ms() - snap->backup_utc_ms, text),
		    snap->backup_verified ? "verified" : "NOT VERIFIED");
}

static void cell_lock(const struct status *s, size_t i, struct strbuf *out)
{
	const struct lock_holder *h = &s->snap->env[i].holder;
	char text[CLOCK_TEXT_SIZE];

	if (!h->held) {
		/* Of a database that cannot be asked nobody can say that it is free. */
		strbuf_adds(out, s->snap->env[i].reachable ? "free" : "unknown");
		return;
	}
	strbuf_adds(out, h->stale ? "SILENT " : "held by ");
	add_clean(out, h->who);
	strbuf_addf(out, " since %s", clock_hms(h->since_utc_ms, text));
}

static void cell_run(const struct status *s, size_t i, struct strbuf *out)
{
	const struct run *r = s->run[i];

	if (r == NULL)
		strbuf_adds(out, s->snap->env[i].reachable ? "none" : "unknown");
	else
		strbuf_addf(out, "%s %s  step %d of %zu", r->number, run_state_name(r->state),
			    r->current, r->plan->n_step);
}

static void cell_services(const struct status *s, size_t i, struct strbuf *out)
{
	look_services_cell(&s->services[i], out);
}

static void cell_health(const struct status *s, size_t i, struct strbuf *out)
{
	look_health_cell(&s->services[i], out);
}

static bool any_service(const struct status *s)
{
	for (size_t i = 0; i < s->snap->n_env; i++)
		if (s->shown[i] && s->c->project->env[i].n_service > 0)
			return true;
	return false;
}

static bool any_health(const struct status *s)
{
	for (size_t i = 0; i < s->snap->n_env; i++)
		for (size_t k = 0; s->shown[i] && k < s->c->project->env[i].n_service; k++)
			if (s->c->project->env[i].service[k].health.url != NULL)
				return true;
	return false;
}

/* A row of the database is a dash where there is none; one that is there only when something is in it says
 * so by any. */
static const struct {
	const char *name;
	cell_fn fn;
	bool of_database;
	bool (*any)(const struct status *s);
} rows[] = {
	{ "link", cell_link, false, NULL },
	{ "version", cell_version, true, NULL },
	{ "migrations", cell_migrations, true, NULL },
	{ "checksums", cell_checksums, true, NULL },
	{ "warnings", cell_warnings, true, any_warning },
	{ "services", cell_services, false, any_service },
	{ "health", cell_health, false, any_health },
	{ "backup", cell_backup, true, NULL },
	{ "lock", cell_lock, true, NULL },
	{ "run", cell_run, true, NULL },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* row ROWS: the head. */
static void cell_text(const struct status *s, size_t row, size_t i, struct strbuf *out)
{
	strbuf_reset(out);
	if (s->c->project->env[i].is_protected)
		strbuf_addc(out, '#');
	if (row == ROWS)
		add_clean(out, s->c->project->env[i].name);
	else if (rows[row].of_database && !s->snap->env[i].has_db)
		strbuf_addc(out, '-');
	else
		rows[row].fn(s, i, out);
}

static void add_row(const struct status *s, size_t row, const size_t *cols, struct strbuf *out)
{
	struct strbuf cell;
	size_t i;

	strbuf_init(&cell, 4096);
	add_cell(out, row == ROWS ? s->c->project->name : rows[row].name, 12);
	for (i = 0; i < s->c->project->n_env; i++) {
		if (!s->shown[i])
			continue;
		cell_text(s, row, i, &cell);
		add_cell(out, strbuf_str(&cell), cols[i] + 2);
	}
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
	strbuf_addc(out, '\n');
	strbuf_clear(&cell);
}

/* Without one nobody misses the migrations. */
static bool any_database(const struct status *s)
{
	for (size_t i = 0; i < s->snap->n_env; i++)
		if (s->shown[i] && s->snap->env[i].has_db)
			return true;
	return false;
}

/* What could not be read, in full: the table has only room for a word. */
static void add_troubles(const struct status *s, struct strbuf *out)
{
	size_t i;

	if (s->snap->source == NULL && any_database(s)) {
		strbuf_adds(out, "\nmigrations: ");
		add_clean(out, s->snap->source_err.msg);
		strbuf_adds(out, ": ");
		add_clean(out, s->snap->source_err.detail);
		strbuf_addc(out, '\n');
	}
	for (i = 0; i < s->snap->n_env; i++) {
		const struct env_snapshot *snap = &s->snap->env[i];

		if (s->shown[i])
			look_services_troubles(s->c->project->env[i].name, &s->services[i], out);
		if (!s->shown[i] || snap->reachable || !snap->has_db)
			continue;
		strbuf_addf(out, "\n%s: ", s->c->project->env[i].name);
		add_clean(out, snap->err.msg);
		strbuf_adds(out, snap->err.detail[0] != '\0' ? ": " : "");
		add_clean(out, snap->err.detail);
		if (snap->err.hint[0] != '\0')
			strbuf_adds(out, "\n  try: ");
		add_clean(out, snap->err.hint);
		strbuf_addc(out, '\n');
	}
}

static int status_table(const struct status *s, struct err *e)
{
	size_t n_env = s->c->project->n_env, i, k;
	size_t *cols = mem_calloc(n_env + 1, sizeof(*cols));
	struct strbuf out, cell;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_init(&cell, 4096);
	for (i = 0; i < n_env; i++) {
		for (k = 0; k <= ROWS; k++) {
			size_t n;

			cell_text(s, k, i, &cell);
			n = utf8_cols(strbuf_sv(&cell));
			cols[i] = n > cols[i] ? n : cols[i];
		}
	}
	add_row(s, ROWS, cols, &out);
	for (k = 0; k < ROWS; k++)
		if (rows[k].any == NULL || rows[k].any(s))
			add_row(s, k, cols, &out);
	add_troubles(s, &out);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&cell);
	strbuf_clear(&out);
	mem_free(cols);
	return rc;
}

/* Something a --check must not pass over: unreadable, changed, missing, failed, late, or not where
 * the other shown environments are. */
static bool status_differs(const struct status *s)
{
	const char *head = NULL;
	bool first = true;
	size_t i;

	for (i = 0; i < s->snap->n_env; i++) {
		const struct matrix_count *n = &s->snap->matrix->count[i];

		if (s->shown[i] && look_services_wrong(&s->services[i]))
			return true;
		if (!s->shown[i] || !s->snap->env[i].has_db)
			continue;
		if (!s->snap->env[i].reachable || s->snap->source == NULL ||
		    n->pending + n->failed + n->changed + n->missing + n->late + n->partial +
				    n->warned >
			    0)
			return true;
		if (!first && strcmp(head, n->head != NULL ? n->head : "") != 0)
			return true;
		head = n->head != NULL ? n->head : "";
		first = false;
	}
	return false;
}

int cmd_status(struct cli *c, struct err *e)
{
	struct status s = { .c = c };
	int rc = -1;

	if (status_read(&s, e) != 0)
		goto out;
	rc = args_has(&c->args, OPT_JSON) ? status_json(&s, e) : status_table(&s, e);
	if (rc == 0 && args_has(&c->args, OPT_CHECK) && status_differs(&s))
		rc = EXIT_DIFFERS;
out:
	status_clear(&s);
	return rc;
}
