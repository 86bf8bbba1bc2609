/* SPDX-License-Identifier: MIT */
/* details: one environment's database: server, role, history, what is not in force, tables. */
#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/engine/details.h"
#include "tui/text.h"

static const char *privilege_state(const struct db_privilege *p)
{
	switch (p->state) {
	case DB_PRIVILEGE_HELD:
		return "held";
	case DB_PRIVILEGE_MISSING:
		return p->optional ? "optional" : "missing";
	default:
		return "beyond";
	}
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *history_json(const struct history *h)
{
	json_t *j = json_object(), *heads = json_array();

	json_put_int(j, "format", h->format);
	json_put_str(j, "tool", h->tool);
	json_put_str(j, "table", h->table);
	for (size_t i = 0; i < h->n_head; i++)
		json_array_append_new(heads, json_string(h->head[i]));
	json_object_set_new(j, "heads", heads);
	return j;
}

static json_t *lock_json(const struct lock_holder *h)
{
	char since[CLOCK_TEXT_SIZE];
	json_t *j;

	if (!h->held)
		return json_null();
	j = json_object();
	json_put_str(j, "holder", h->who);
	json_put_str(j, "host", h->host);
	json_put_str(j, "run", h->run[0] != '\0' ? h->run : NULL);
	json_put_str(j, "since", clock_iso(h->since_utc_ms, since));
	return j;
}

static json_t *lists_json(const struct details *d, json_t *j)
{
	json_t *list = json_array(), *x;

	for (size_t i = 0; i < d->defects.n; i++) {
		x = json_object();
		json_put_str(x, "id", d->defects.list[i].migration);
		json_put_str(x, "object", d->defects.list[i].object);
		json_put_str(x, "warning", d->defects.list[i].words);
		json_put_str(x, "mend", d->defects.list[i].mend);
		json_array_append_new(list, x);
	}
	json_object_set_new(j, "warnings", list);
	list = json_array();
	for (size_t i = 0; i < d->n_privilege; i++) {
		x = json_object();
		json_put_str(x, "name", d->privilege[i].name);
		json_put_str(x, "state", privilege_state(&d->privilege[i]));
		json_put_str(x, "words", d->privilege[i].words);
		json_put_str(x, "mend", d->privilege[i].mend);
		json_array_append_new(list, x);
	}
	json_object_set_new(j, "privileges", list);
	list = json_array();
	for (size_t i = 0; i < d->n_table; i++) {
		const struct db_table *t = &d->table[i];

		x = json_object();
		json_put_str(x, "name", t->name);
		json_object_set_new(x, "rows", t->rows < 0 ? json_null() : json_integer(t->rows));
		json_put_bool(x, "exact", t->exact);
		json_object_set_new(x, "bytes",
				    t->bytes < 0 ? json_null() : json_integer(t->bytes));
		json_array_append_new(list, x);
	}
	json_object_set_new(j, "tables", list);
	return j;
}

static json_t *details_json(const struct env *env, const struct details *d)
{
	json_t *j = json_object(), *facts = json_object();

	json_put_str(j, "environment", env->name);
	json_put_str(j, "engine", d->info.engine);
	json_put_str(j, "version", d->info.version);
	json_put_str(j, "server", d->info.server[0] != '\0' ? d->info.server : NULL);
	json_put_str(j, "database", env->dsn.shown);
	json_put_str(j, "role", d->info.role[0] != '\0' ? d->info.role : NULL);
	json_put_str(j, "zone", d->info.zone[0] != '\0' ? d->info.zone : NULL);
	json_put_str(j, "durability", d->info.durability);
	json_put_bool(j, "read_only", d->info.read_only);
	json_put_int(j, "bytes", d->info.size_bytes);
	if (d->trouble.code != ERR_OK)
		json_put_str(j, "trouble", d->trouble.detail);
	else
		json_put_str(j, "trouble", NULL);
	for (size_t i = 0; i < d->n_fact; i++)
		json_put_str(facts, d->fact[i].name, d->fact[i].value);
	json_object_set_new(j, "facts", facts);
	json_object_set_new(j, "history", history_json(d->history));
	json_object_set_new(j, "lock", lock_json(&d->holder));
	return lists_json(d, j);
}

/* --- Lines ----------------------------------------------------------------------------------- */

static void add_line(struct strbuf *out, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void add_line(struct strbuf *out, const char *name, const char *fmt, ...)
{
	struct strbuf b;
	va_list ap;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	va_start(ap, fmt);
	strbuf_addv(&b, fmt, ap);
	va_end(ap);
	add_cell(out, name, 12);
	add_clean(out, strbuf_str(&b));
	strbuf_addc(out, '\n');
	strbuf_clear(&b);
}

static void add_privileges(struct strbuf *out, const struct details *d)
{
	if (d->n_privilege > 0 && details_count(d, DB_PRIVILEGE_MISSING) == 0)
		add_line(out, "privileges", "as needed");
	for (size_t i = 0; i < d->n_privilege; i++) {
		const struct db_privilege *p = &d->privilege[i];

		if (p->state == DB_PRIVILEGE_HELD)
			continue;
		add_line(out, "", "%s: %s: %s",
			 p->state == DB_PRIVILEGE_BEYOND ? "beyond need"
			 : p->optional                   ? "not there"
							 : "MISSING",
			 p->name, p->words);
		if (p->mend[0] != '\0')
			add_line(out, "", "  try: %s", p->mend);
	}
}

static void add_about(struct strbuf *out, const struct env *env, const struct details *d)
{
	const struct lock_holder *h = &d->holder;
	char size[CLOCK_TEXT_SIZE], since[CLOCK_TEXT_SIZE];
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	add_line(out, "environment", "%s", env->name);
	add_line(out, "server", "%s %s  %s", d->info.engine, d->info.version, d->info.server);
	add_line(out, "database", "%s  %s", env->dsn.shown, text_bytes(d->info.size_bytes, size));
	if (d->info.read_only)
		add_line(out, "writes", "NONE: a standby, or read only");
	if (d->trouble.code != ERR_OK)
		add_line(out, "TROUBLE", "%s: %s", d->trouble.msg, d->trouble.detail);
	details_history(d, &b);
	add_line(out, "history", "%s", strbuf_str(&b));
	strbuf_clear(&b);
	if (h->held)
		add_line(out, "lock", "held by %s@%s since %s%s%s", h->who, h->host,
			 clock_iso(h->since_utc_ms, since), h->run[0] != '\0' ? ", run " : "",
			 h->run);
	else
		add_line(out, "lock", "free");
	if (d->info.role[0] != '\0')
		add_line(out, "role", "%s, zone %s", d->info.role, d->info.zone);
	add_privileges(out, d);
	add_line(out, "durability", "%s", d->info.durability);
	for (size_t i = 0; i < d->n_fact; i++)
		add_line(out, i == 0 ? "also" : "", "%s %s", d->fact[i].name, d->fact[i].value);
	for (size_t i = 0; i < d->defects.n; i++) {
		const struct finding *f = &d->defects.list[i];

		add_line(out, i == 0 ? "warnings" : "", "%s%s%s",
			 f->migration != NULL ? f->migration : "", f->migration != NULL ? " " : "",
			 f->words);
	}
}

static void add_tables(struct strbuf *out, const struct details *d)
{
	char rows[CLOCK_TEXT_SIZE], size[CLOCK_TEXT_SIZE];

	if (d->n_table == 0)
		add_line(out, "tables", "none but those of bascule");
	else
		strbuf_adds(out, "\nrows            size       table\n");
	for (size_t i = 0; i < d->n_table; i++) {
		const struct db_table *t = &d->table[i];

		if (t->rows < 0)
			str_copy(rows, sizeof(rows), "not known");
		else
			snprintf(rows, sizeof(rows), "%s%lld", t->exact ? "" : "~",
				 (long long)t->rows);
		add_cell(out, rows, 15);
		add_cell(out, t->bytes < 0 ? "-" : text_bytes(t->bytes, size), 10);
		add_clean(out, t->name);
		strbuf_addc(out, '\n');
	}
}

int cmd_details(struct cli *c, struct err *e)
{
	const struct env *env;
	struct details *d = NULL;
	struct strbuf out;
	int rc;

	if (cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (!env->has_db)
		return err_set(e, ERR_USAGE, "%s has no database", env->name);
	if (details_read(&c->ctx, env, NULL, &d, e) != 0)
		return -1;
	if (args_has(&c->args, OPT_JSON)) {
		rc = print_json(details_json(env, d), e);
	} else {
		strbuf_init(&out, STRBUF_NO_LIMIT);
		add_about(&out, env, d);
		add_tables(&out, d);
		rc = print_out(strbuf_sv(&out), e);
		strbuf_clear(&out);
	}
	details_free(d);
	return rc;
}
