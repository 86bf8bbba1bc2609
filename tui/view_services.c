/* SPDX-License-Identifier: MIT */
/*
 * Services: what runs in one environment, a row for each service on each of its hosts; h and l change
 * the environment, Enter and L open the logs of the selected one, H checks its health.
 *
 * A service in order shows its image, one that is not shows why instead; where hosts run different
 * images, each of their rows says so. Below the list stands the selected one in full, and, once it was
 * asked for, the check of its health: its tries as they come, and the last lines of its log when it
 * failed.
 */
#include "tui/view.h"

#include "tui/service_pane.h"
#include "tui/service_text.h"
#include "tui/table.h"
#include "tui/text.h"
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

#define PANE_ROWS_MIN 5 /* of what stands below the list, with its rule */
#define LIST_ROWS_MIN 3

struct services_state {
	struct table table;
	const struct model *m;
	int env;
	char wanted[64]; /* a service to select when it is there; "" none */
	struct service_tries tries;
};

/* --- Rows --------------------------------------------------------------------------------------- */

static const struct services *services_of(const struct services_state *s)
{
	const struct services_seen *seen = service_text_seen(s->m, s->env);

	return seen ? seen->services : NULL;
}

static const struct service_unit *unit_at(const void *ctx, size_t row)
{
	return &services_of(ctx)->unit[row];
}

static const char *host_at(const struct services_state *s, const struct service_unit *u)
{
	const struct services *all = services_of(s);

	return u->host < all->n_host ? all->host[u->host].name : "";
}

static void row_key(const void *ctx, size_t row, char out[TABLE_KEY_SIZE])
{
	const struct service_unit *u = unit_at(ctx, row);

	snprintf(out, TABLE_KEY_SIZE, "%.64s@%s", u->service->runtime.name, host_at(ctx, u));
}

static void row_text(const void *ctx, size_t row, struct strbuf *out)
{
	const struct services_state *s = ctx;
	const struct service_unit *u = unit_at(ctx, row);
	enum role role;

	strbuf_addf(out, "%s %s %s %s ", u->service->runtime.name, host_at(ctx, u),
		    service_text_state(u, &role), service_text_image(u));
	if (u->err.code == ERR_OK)
		service_words(u, s->m->now_utc_ms, out);
	else
		strbuf_addf(out, "%s %s", u->err.msg, u->err.detail);
}

static const char *const columns[] = { "service", "host", "state", "up", "restarts", NULL };

static int compare_number(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int row_compare(const void *ctx, int column, size_t a, size_t b)
{
	const struct service_unit *x = unit_at(ctx, a), *y = unit_at(ctx, b);
	enum role ignored;

	switch (column) {
	case 0:
		return strcmp(x->service->runtime.name, y->service->runtime.name);
	case 1:
		return strcmp(host_at(ctx, x), host_at(ctx, y));
	case 2: /* what is broken first */
		return compare_number(service_unit_ok(x), service_unit_ok(y)) * 2 +
		       compare_number(strcmp(service_text_state(x, &ignored),
					     service_text_state(y, &ignored)),
				      0);
	case 3: /* the youngest first */
		return compare_number(y->unit.started_utc_ms, x->unit.started_utc_ms);
	default: /* the most first */
		return compare_number(y->unit.restarts, x->unit.restarts);
	}
}

static bool row_differs(const void *ctx, size_t row)
{
	const struct service_unit *u = unit_at(ctx, row);
	struct service_summary sum;

	service_summarise(services_of(ctx), u->service, &sum);
	return sum.differs;
}

static struct table_rows rows_of(const struct services_state *s)
{
	const struct services *all = services_of(s);

	return (struct table_rows){ .ctx = s,
				    .n = all ? all->n_unit : 0,
				    .key = row_key,
				    .text = row_text,
				    .compare = row_compare,
				    .columns = columns,
				    .differs = row_differs };
}

static const struct service_unit *selected(const struct services_state *s)
{
	size_t row = table_selected(&s->table);
	const struct services *all = services_of(s);

	return all && row < all->n_unit ? &all->unit[row] : NULL;
}

static void select_wanted(struct services_state *s, const struct table_rows *rows)
{
	char key[TABLE_KEY_SIZE];

	for (size_t i = 0; s->wanted[0] && i < rows->n; i++) {
		if (strcmp(unit_at(s, i)->service->runtime.name, s->wanted) != 0)
			continue;
		row_key(s, i, key);
		(void)table_select(&s->table, rows, key);
		s->wanted[0] = '\0';
	}
}

static void update(const struct tui *t, struct services_state *s)
{
	struct table_rows rows;

	s->m = &t->model;
	rows = rows_of(s);
	table_update(&s->table, &rows);
	select_wanted(s, &rows);
}

static void services_event(struct tui *t, void *state, enum event_type type)
{
	struct services_state *s = state;

	s->m = &t->model;
	if (type == EV_SERVICES || type == EV_HOST)
		update(t, s);
	else if (type == EV_HEALTH)
		for (size_t i = 0; i < t->model.health.n; i++)
			service_tries_take(&s->tries, t->model.health.list[i]);
}

static void services_open(struct tui *t, void *state)
{
	struct services_state *s = state;

	tui_env_follow(t, VIEW_SERVICES, &s->env);
	update(t, s);
}

void tui_services(struct tui *t, int env, const char *service)
{
	struct services_state *s = t->state[VIEW_SERVICES];

	tui_show(t, VIEW_SERVICES);
	s->env = env;
	str_copy(s->wanted, sizeof(s->wanted), service ? service : "");
	update(t, s);
}

/* --- Drawing: the hosts and the list -------------------------------------------------------------- */

static void draw_hosts(const struct services_state *s, struct canvas *c, struct rect r)
{
	const struct services *all = services_of(s);
	const struct model *m = s->m;
	struct text_line l = text_line_at(c, r, 0);
	char ago[CLOCK_TEXT_SIZE];

	text_add(&l, ROLE_HEAD, all->n_host == 1 ? " host  " : " hosts ");
	for (size_t i = 0; i < all->n_host; i++) {
		const struct service_host *h = &all->host[i];
		const struct err *why = h->err.code != ERR_OK ? &h->err : &h->status.err;
		enum role role;
		const char *word = service_text_host(h, &role);

		text_addf(&l, ROLE_TEXT, " %s ", h->name);
		text_add(&l, role, word);
		if (role == ROLE_OK && h->status.round_trip_us >= 0)
			text_addf(&l, ROLE_TEXT, " %lld ms",
				  (long long)((h->status.round_trip_us + 999) / 1000));
		else if (why->code != ERR_OK)
			text_addf(&l, ROLE_TEXT, " %s%s%s", why->msg, why->detail[0] ? ": " : "",
				  why->detail);
		if (h->status.skew_known && (h->status.skew_ms > 1000 || h->status.skew_ms < -1000))
			text_addf(&l, ROLE_WARN, " clock %+.1f s",
				  (double)h->status.skew_ms / 1000.0);
		text_add(&l, ROLE_TEXT, "  ");
	}
	text_addf(&l, m->now_utc_ms - all->at_utc_ms > SERVICE_OLD_MS ? ROLE_WARN : ROLE_DIM,
		  "asked %s", clock_ago(m->now_utc_ms - all->at_utc_ms, ago));
}

/* Columns by the width there is. */
struct widths {
	int service, host, state, up, restarts, health;
};

static struct widths widths_of(int cols)
{
	if (cols >= TEXT_WIDE_COLS)
		return (struct widths){ 15, 15, 11, 6, 5, 18 };
	return (struct widths){ 11, 11, 10, 5, 4, 16 };
}

static void draw_column_heads(struct canvas *c, struct rect r)
{
	struct widths w = widths_of(r.cols);
	struct text_line l = text_line_at(c, r, 0);
	const struct {
		const char *name;
		int cols;
	} heads[] = { { "service", w.service }, { "host", w.host },  { "state", w.state },
		      { "up", w.up },           { "r", w.restarts }, { "health", w.health } };
	int col = r.col + 2;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		text_skip_to(&l, col);
		text_add(&l, ROLE_HEAD, heads[i].name);
		col += heads[i].cols;
	}
	text_skip_to(&l, col);
	text_add(&l, ROLE_HEAD, r.cols >= TEXT_WIDE_COLS ? "runs (image, digest)" : "runs");
}

/* What it is when it is in order, else why it is not. */
static void draw_image(const struct services_state *s, const struct service_unit *u, size_t row,
		       struct canvas *c, int line, int col, int cols)
{
	struct text_line l = { .c = c, .row = line, .col = col, .end = col + cols };
	char digest[CLOCK_TEXT_SIZE];
	struct strbuf words;

	if (u->err.code != ERR_OK) {
		text_addf(&l, ROLE_WARN, "%s", u->err.msg);
	} else if (!service_unit_ok(u)) {
		strbuf_init(&words, 512);
		service_words(u, s->m->now_utc_ms, &words);
		text_add(&l, ROLE_FAIL, strbuf_str(&words));
		strbuf_clear(&words);
	} else {
		bool differs = row_differs(s, row);

		if (differs)
			text_add(&l, ROLE_WARN, "differs ");
		text_add(&l, differs ? ROLE_WARN : ROLE_TEXT, service_text_image(u));
		if (u->unit.image[0])
			text_addf(&l, ROLE_DIM, " %s",
				  service_text_digest(u->unit.digest[0] ? u->unit.digest
									: u->unit.image_id,
						      digest));
	}
}

static void draw_row(const struct services_state *s, size_t at, struct canvas *c, struct rect r,
		     int line)
{
	size_t number = table_row(&s->table, at);
	const struct service_unit *u = unit_at(s, number);
	const struct services_seen *seen = service_text_seen(s->m, s->env);
	const struct health_result *health = service_text_health(seen, u);
	struct widths w = widths_of(r.cols);
	struct table_rows rows = rows_of(s);
	bool running = u->err.code == ERR_OK && u->unit.state == UNIT_RUNNING;
	int row = r.row + line, col = r.col + 2;
	char up[CLOCK_TEXT_SIZE];
	enum role role;
	struct strbuf b;
	const char *state = service_text_state(u, &role);

	if (s->m->project->env[s->env].is_protected)
		canvas_puts(c, row, r.col + 1, 1, ROLE_PROD, TEXT_PROTECTED);
	canvas_puts(c, row, col, w.service - 1, ROLE_TEXT, u->service->runtime.name);
	canvas_puts(c, row, col += w.service, w.host - 1, ROLE_TEXT, host_at(s, u));
	canvas_puts(c, row, col += w.host, w.state - 1, role, state);
	canvas_puts(c, row, col += w.state, w.up - 1, ROLE_TEXT,
		    running ? service_text_age(u->unit.started_utc_ms, s->m->now_utc_ms, up) : "");
	col += w.up;
	if (u->err.code == ERR_OK && u->unit.restarts >= 0)
		canvas_putf(c, row, col, w.restarts - 1, u->loops ? ROLE_FAIL : ROLE_TEXT, "%lld",
			    (long long)u->unit.restarts);
	col += w.restarts;
	strbuf_init(&b, 512);
	if (health) {
		role = service_text_health_words(health, true, &b);
		canvas_put(c, row, col, w.health - 1, role, strbuf_sv(&b));
	} else if (running && u->unit.health != HEALTH_NONE) {
		canvas_puts(c, row, col, w.health - 1, ROLE_DIM,
			    runtime_health_name(u->unit.health));
	}
	strbuf_clear(&b);
	col += w.health;
	draw_image(s, u, number, c, row, col, r.col + r.cols - col);
	table_decorate(&s->table, &rows, at, c, row, r.col, r.cols);
}

/* --- Drawing: all of it ------------------------------------------------------------------------- */

static int pane_rows(const struct services_state *s, int rows)
{
	bool check = s->m->health.n > 0 &&
		     strcmp(s->m->health.env, s->m->project->env[s->env].name) == 0;
	int list = (int)s->table.n > LIST_ROWS_MIN ? (int)s->table.n : LIST_ROWS_MIN;
	int wanted = check ? rows * 2 / 3 : rows / 3;

	/* A short list leaves the pane more; a long one does not take all of it away. */
	if (rows - list > wanted)
		wanted = rows - list;
	if (wanted < PANE_ROWS_MIN)
		wanted = PANE_ROWS_MIN;
	return rows - wanted < LIST_ROWS_MIN ? rows - LIST_ROWS_MIN : wanted;
}

static void draw_list(struct services_state *s, struct canvas *c, struct rect r)
{
	const struct service_unit *u = selected(s);
	struct rect below;

	draw_hosts(s, c, rect_cut(&r, 1));
	draw_column_heads(c, rect_cut(&r, 1));
	below = rect_cut(&r, -pane_rows(s, r.rows));
	table_scroll(&s->table, r.rows);
	for (int i = 0; i < r.rows && s->table.top + (size_t)i < s->table.n; i++)
		draw_row(s, s->table.top + (size_t)i, c, r, i);
	if (below.rows < 1 || !u)
		return;
	canvas_rule(c, below.row, below.col, below.cols);
	rect_cut(&below, 1);
	service_pane_draw(s->m, s->env, &s->tries, u, c, below);
}

static void services_draw(const struct tui *t, void *state, struct canvas *c, struct rect r,
			  struct view_words *w)
{
	struct services_state *s = state;
	const struct model *m = &t->model;
	const struct env *env;

	s->m = m;
	if (m->project->n_env == 0)
		return;
	env = &m->project->env[s->env];
	strbuf_addf(&w->crumb, "%s%s > services", text_mark(env), env->name);
	text_env_heads(c, rect_cut(&r, 1), m->project, s->env, " Services of ");
	canvas_rule(c, r.row, r.col, r.cols);
	rect_cut(&r, 1);
	if (env->n_service == 0) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM,
			    "This environment has no services.");
	} else if (!services_of(s)) {
		canvas_puts(c, r.row, r.col + 1, r.cols - 1, ROLE_DIM, "reading …");
	} else {
		draw_list(s, c, r);
		if (selected(s))
			strbuf_addf(&w->crumb, " > %s", selected(s)->service->runtime.name);
		table_facts(&s->table, &w->facts);
	}
}

/* --- Actions ------------------------------------------------------------------------------------ */

static bool services_action(struct tui *t, void *state, enum action act, const char *arg)
{
	struct services_state *s = state;
	const struct service_unit *u;
	struct table_rows rows;

	s->m = &t->model;
	u = t->model.project->n_env ? selected(s) : NULL;
	switch (act) {
	case ACT_LEFT:
	case ACT_RIGHT:
		if (tui_env_step(t, act, &s->env))
			update(t, s);
		return true;
	case ACT_OPEN:
	case ACT_LOGS_OF:
		tui_logs(t, s->env, arg ? arg : u ? u->service->runtime.name : NULL);
		return true;
	case ACT_HEALTH:
		tui_health(t, s->env, arg ? arg : u ? u->service->runtime.name : NULL);
		return true;
	default:
		rows = rows_of(s);
		return table_action(&s->table, &rows, act, arg);
	}
}

static int services_selected(const struct tui *t, const void *state)
{
	return t->model.project->n_env ? ((const struct services_state *)state)->env : -1;
}

static void services_close(void *state)
{
	table_clear(&((struct services_state *)state)->table);
}

static const enum action hints[] = { ACT_DOWN,   ACT_LEFT,    ACT_LOGS_OF, ACT_HEALTH, ACT_FILTER,
				     ACT_ANSWER, ACT_REFRESH, ACT_HELP,    ACT_BACK,   ACT_NONE };

const struct view_ops view_services = {
	.name = "Services",
	.short_name = "Svc",
	.where = WHERE_SERVICES,
	.state_size = sizeof(struct services_state),
	.open = services_open,
	.event = services_event,
	.draw = services_draw,
	.action = services_action,
	.selected_env = services_selected,
	.close = services_close,
	.hints = hints,
};
