/* SPDX-License-Identifier: MIT */
/*
 * Database: one environment's server, role, history, and its tables, largest first; h and l change the
 * environment. Counting tables is work for the server, so this view is read when it is opened, asked for
 * (R), or older than DETAILS_OLD_MS, and not with every refresh.
 */
#include "tui/view.h"

#include "tui/table.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/engine/details.h"

#define DETAILS_OLD_MS 60000
#define LABEL_COLS 13
#define ROWS_COLS 16
#define SIZE_COLS 10
#define LIST_ROWS_MIN 5 /* facts leave so many rows to the tables */

struct details_state {
	struct table table;
	const struct model *m;
	int env;
};

static const struct db_table *table_at(const void *ctx, size_t row)
{
	return &((const struct details_state *)ctx)->m->details->table[row];
}

static void row_key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	str_copy(out, TABLE_KEY_SIZE, table_at(ctx, row)->name);
}

static void row_text(const void *ctx, size_t row, struct strbuf *out)
{
	strbuf_adds(out, table_at(ctx, row)->name);
}

static const char *const columns[] = { "table", "rows", "size", NULL };

static int compare_number(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int row_compare(const void *ctx, int column, size_t a, size_t b)
{
	const struct db_table *x = table_at(ctx, a), *y = table_at(ctx, b);

	switch (column) {
	case 0:
		return strcmp(x->name, y->name);
	case 1:
		return compare_number(x->rows, y->rows);
	default:
		return compare_number(x->bytes, y->bytes);
	}
}

static struct table_rows rows_of(const struct details_state *s)
{
	return (struct table_rows){ .ctx = s,
				    .n = s->m->details ? s->m->details->n_table : 0,
				    .key = row_key,
				    .text = row_text,
				    .compare = row_compare,
				    .columns = columns };
}

static void update(struct tui *t, struct details_state *s)
{
	struct table_rows rows;

	s->m = &t->model;
	rows = rows_of(s);
	table_update(&s->table, &rows);
}

static void ask(struct tui *t, const struct details_state *s)
{
	const struct project *p = t->model.project;

	if (p->n_env && p->env[s->env].has_db)
		tui_details(t, p->env[s->env].name);
}

static void details_open(struct tui *t, void *state)
{
	struct details_state *s = state;

	tui_env_follow(t, VIEW_DETAILS, &s->env);
	update(t, s);
	ask(t, s);
}

static void details_event(struct tui *t, void *state, enum event_type type)
{
	const struct details *d = t->model.details;

	if (type == EV_DETAILS)
		update(t, state);
	else if (type == EV_SNAPSHOT && t->shown == VIEW_DETAILS &&
		 (!d || t->model.now_utc_ms - d->at_utc_ms > DETAILS_OLD_MS))
		ask(t, state);
}

/* --- Facts -------------------------------------------------------------------------------------- */

struct fact_lines {
	struct canvas *c;
	struct rect r;
	int at;
};

static void fact(struct fact_lines *f, enum role role, const char *name, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void fact(struct fact_lines *f, enum role role, const char *name, const char *fmt, ...)
{
	struct strbuf b;
	va_list ap;

	if (f->at >= f->r.rows)
		return;
	strbuf_init(&b, 4096);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	canvas_puts(f->c, f->r.row + f->at, f->r.col + 1, LABEL_COLS - 1, ROLE_HEAD, name);
	canvas_put(f->c, f->r.row + f->at, f->r.col + LABEL_COLS, f->r.cols - LABEL_COLS - 1, role,
		   strbuf_sv(&b));
	strbuf_clear(&b);
	f->at++;
}

static void fact_warnings(struct fact_lines *f, const struct details *d)
{
	const struct finding *first = d->defects.n ? &d->defects.list[0] : NULL;

	if (!first)
		fact(f, ROLE_OK, "warnings", "none");
	else
		fact(f, ROLE_WARN, "warnings", "%zu: %s%s%s", d->defects.n,
		     first->migration ? first->migration : "", first->migration ? " " : "",
		     first->words);
}

/* The names in one state, until the row is full. */
static void privilege_names(const struct details *d, enum db_privilege_state state,
			    struct strbuf *out)
{
	bool first = true;

	for (size_t i = 0; i < d->n_privilege; i++) {
		const struct db_privilege *p = &d->privilege[i];

		if (p->state != state || (p->optional && state == DB_PRIVILEGE_MISSING))
			continue;
		strbuf_addf(out, "%s%s", first ? "" : ", ", p->name);
		first = false;
	}
}

static void fact_privileges(struct fact_lines *f, const struct details *d)
{
	size_t missing = details_count(d, DB_PRIVILEGE_MISSING);
	size_t beyond = details_count(d, DB_PRIVILEGE_BEYOND);
	struct strbuf names;

	if (d->n_privilege == 0)
		return;
	strbuf_init(&names, 4096);
	if (missing) {
		privilege_names(d, DB_PRIVILEGE_MISSING, &names);
		fact(f, ROLE_FAIL, "privileges", "%zu MISSING: %s", missing, strbuf_str(&names));
	} else if (beyond) {
		privilege_names(d, DB_PRIVILEGE_BEYOND, &names);
		fact(f, ROLE_WARN, "privileges", "as needed, and beyond need: %s",
		     strbuf_str(&names));
	} else {
		fact(f, ROLE_OK, "privileges", "as needed");
	}
	strbuf_clear(&names);
}

static void fact_lock(struct fact_lines *f, const struct details *d)
{
	const struct lock_holder *h = &d->holder;
	char since[CLOCK_TEXT_SIZE];

	if (!h->held && !h->stale)
		fact(f, ROLE_TEXT, "lock", "free");
	else
		fact(f, h->stale ? ROLE_FAIL : ROLE_WARN, "lock", "%s%s@%s since %s%s%.*s",
		     h->stale ? "STALE " : "", h->who, h->host, clock_iso(h->since_utc_ms, since),
		     h->run[0] ? ", run " : "", (int)strcspn(h->run, "-"), h->run);
}

static void draw_facts(const struct details *d, const struct env *env, struct canvas *c,
		       struct rect *r)
{
	struct fact_lines f = { .c = c, .r = *r };
	char size[CLOCK_TEXT_SIZE];
	struct strbuf b;

	f.r.rows = r->rows - LIST_ROWS_MIN;
	strbuf_init(&b, 4096);
	fact(&f, ROLE_TEXT, "server", "%s %s%s%s", d->info.engine, d->info.version,
	     d->info.server[0] ? "  " : "", d->info.server);
	fact(&f, ROLE_TEXT, "database", "%s  %s", text_bytes(d->info.size_bytes, size),
	     env->dsn.shown);
	if (d->info.read_only)
		fact(&f, ROLE_WARN, "writes", "NONE: a standby, or read only");
	if (d->trouble.code != ERR_OK)
		fact(&f, ROLE_FAIL, "TROUBLE", "%s: %s", d->trouble.msg, d->trouble.detail);
	details_history(d, &b);
	fact(&f, d->history->n_head > 1 ? ROLE_WARN : ROLE_TEXT, "history", "%s", strbuf_str(&b));
	fact_lock(&f, d);
	fact_warnings(&f, d);
	fact_privileges(&f, d);
	if (d->info.role[0])
		fact(&f, ROLE_TEXT, "role", "%s  zone %s", d->info.role, d->info.zone);
	fact(&f, ROLE_DIM, "durability", "%s", d->info.durability);
	strbuf_reset(&b);
	for (size_t i = 0; i < d->n_fact; i++)
		strbuf_addf(&b, "%s%s %s", i ? ", " : "", d->fact[i].name, d->fact[i].value);
	if (d->n_fact)
		fact(&f, ROLE_DIM, "also", "%s", strbuf_str(&b));
	strbuf_clear(&b);
	rect_cut(r, f.at);
}

/* --- Tables ------------------------------------------------------------------------------------- */

static void draw_row(const struct details_state *s, size_t at, struct canvas *c, struct rect r,
		     int line)
{
	const struct db_table *t = table_at(s, table_row(&s->table, at));
	struct table_rows rows = rows_of(s);
	int row = r.row + line, name_cols = r.cols - 3 - ROWS_COLS - SIZE_COLS;
	char size[CLOCK_TEXT_SIZE], count[CLOCK_TEXT_SIZE];

	canvas_puts(c, row, r.col + 2, name_cols, ROLE_TEXT, t->name);
	if (t->rows < 0)
		str_copy(count, sizeof(count), "not known");
	else
		snprintf(count, sizeof(count), "%s%lld", t->exact ? "" : "~", (long long)t->rows);
	canvas_put_right(c, row, r.col + 2 + name_cols, ROWS_COLS, ROLE_TEXT, sv_of(count));
	canvas_put_right(c, row, r.col + 2 + name_cols + ROWS_COLS, SIZE_COLS, ROLE_DIM,
			 sv_of(t->bytes < 0 ? "-" : text_bytes(t->bytes, size)));
	table_decorate(&s->table, &rows, at, c, row, r.col, r.cols);
}

static void draw_tables(struct details_state *s, struct canvas *c, struct rect r)
{
	int name_cols = r.cols - 3 - ROWS_COLS - SIZE_COLS;

	canvas_rule(c, r.row, r.col, r.cols);
	rect_cut(&r, 1);
	canvas_puts(c, r.row, r.col + 2, name_cols, ROLE_HEAD, "table");
	canvas_put_right(c, r.row, r.col + 2 + name_cols, ROWS_COLS, ROLE_HEAD, SV("rows"));
	canvas_put_right(c, r.row, r.col + 2 + name_cols + ROWS_COLS, SIZE_COLS, ROLE_HEAD,
			 SV("size"));
	rect_cut(&r, 1);
	if (s->m->details->n_table == 0) {
		canvas_puts(c, r.row, r.col + 2, r.cols - 2, ROLE_DIM,
			    "No table but those of bascule.");
		return;
	}
	table_scroll(&s->table, r.rows);
	for (int i = 0; i < r.rows && s->table.top + (size_t)i < s->table.n; i++)
		draw_row(s, s->table.top + (size_t)i, c, r, i);
}

static void details_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
			 struct view_words *w)
{
	struct details_state *s = state;
	const struct model *m = &t->model;
	const struct env *env;

	s->m = m;
	if (m->project->n_env == 0)
		return;
	env = &m->project->env[s->env];
	strbuf_addf(&w->crumb, "%s%s > database", text_mark(env), env->name);
	text_env_heads(c, rect_cut(&r, 1), t->model.project, s->env, " Database of ");
	canvas_rule(c, r.row, r.col, r.cols);
	rect_cut(&r, 1);
	if (!env->has_db) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "This environment has no database.");
	} else if (strcmp(m->details_env, env->name) == 0 && m->details_err.code != ERR_OK) {
		text_err(c, r, &m->details_err);
	} else if (!m->details || strcmp(m->details_env, env->name) != 0) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM, "reading …");
	} else {
		draw_facts(m->details, env, c, &r);
		draw_tables(s, c, r);
		table_facts(&s->table, &w->facts);
	}
}

static bool details_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct details_state *s = state;
	struct table_rows rows;

	s->m = &t->model;
	if (tui_env_step(t, act, &s->env)) {
		ask(t, s);
		return true;
	}
	if (act == ACT_REFRESH) {
		ask(t, s);
		return false; /* and everything else */
	}
	rows = rows_of(s);
	return table_action(&s->table, &rows, act, arg);
}

static int details_selected(const struct tui *t, const void *state)
{
	return t->model.project->n_env ? ((const struct details_state *)state)->env : -1;
}

static void details_close(void *state)
{
	table_clear(&((struct details_state *)state)->table);
}

static const enum action hints[] = { ACT_DOWN,    ACT_LEFT, ACT_FIND, ACT_FILTER, ACT_SORT,
				     ACT_REFRESH, ACT_HELP, ACT_BACK, ACT_NONE };

const struct view_ops view_details = {
	.name = "Database",
	.short_name = "DB",
	.where = WHERE_DATABASE,
	.state_size = sizeof(struct details_state),
	.open = details_open,
	.event = details_event,
	.draw = details_draw,
	.action = details_action,
	.selected_env = details_selected,
	.close = details_close,
	.hints = hints,
};
