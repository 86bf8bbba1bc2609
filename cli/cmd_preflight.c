/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/release/preflight.h"

static int preflight_json(const struct env *env, const struct preflight *p, struct err *e)
{
	json_t *j = json_object(), *rows = json_array();
	char at[CLOCK_TEXT_SIZE];

	json_put_str(j, "environment", env->name);
	json_put_str(j, "at", clock_iso_ms(p->at_utc_ms, at));
	for (size_t i = 0; i < p->n; i++) {
		json_t *row = json_object();

		json_put_str(row, "name", p->row[i].name);
		json_put_str(row, "level", preflight_level_name(p->row[i].level));
		json_put_str(row, "words", p->row[i].words);
		json_array_append_new(rows, row);
	}
	json_object_set_new(j, "rows", rows);
	return print_json(j, e);
}

static int preflight_table(const struct preflight *p, struct err *e)
{
	static const char *const words[] = { "ok", "note", "WARN" };
	struct strbuf out;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < p->n; i++) {
		add_cell(&out, words[p->row[i].level], 4);
		add_cell(&out, p->row[i].name, 19);
		add_clean(&out, p->row[i].words);
		strbuf_addc(&out, '\n');
	}
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

int cmd_preflight(struct cli *c, struct err *e)
{
	struct preflight p = { 0 };
	const struct env *env;
	int rc = -1;

	if (cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (!env->has_db) {
		err_set(e, ERR_GATE, "cannot look at %s: it has no database", env->name);
		return err_hint(e, "set database = in section %s", env->name);
	}
	if (preflight_ask(&c->ctx, env, NULL, &p, e) == 0)
		rc = args_has(&c->args, OPT_JSON) ? preflight_json(env, &p, e)
						  : preflight_table(&p, e);
	preflight_clear(&p);
	return rc;
}
