/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/db/db.h"
#include "core/migrate/history.h"
#include "core/release/env_open.h"

static json_t *event_json(const struct history_event *ev)
{
	char at[CLOCK_TEXT_SIZE];
	json_t *j = json_object();

	json_put_int(j, "seq", ev->seq);
	json_put_str(j, "event", event_kind_name(ev->kind));
	json_put_str(j, "id", ev->id);
	json_put_str(j, "title", ev->title);
	json_put_int(j, "generation", ev->generation);
	json_put_bool(j, "down", ev->down);
	json_put_str(j, "at", clock_iso_ms(ev->at_utc_ms, at));
	json_object_set_new(j, "ms", ev->took_ms < 0 ? json_null() : json_integer(ev->took_ms));
	json_put_str(j, "by", ev->who);
	json_put_str(j, "host", ev->host);
	json_put_str(j, "run", ev->run);
	json_put_int(j, "epoch", ev->epoch);
	json_put_str(j, "checksum", ev->checksum);
	json_put_str(j, "down_checksum", ev->down_checksum);
	json_put_str(j, ev->kind == EVENT_ACCEPTED ? "reason" : "error", ev->error);
	return j;
}

static int history_json(const struct env *env, const struct history *h, struct err *e)
{
	json_t *j = json_object(), *list = json_array();
	size_t i;

	json_put_str(j, "environment", env->name);
	json_put_int(j, "format", h->format);
	for (i = 0; i < h->n_event; i++)
		json_array_append_new(list, event_json(&h->event[i]));
	json_object_set_new(j, "events", list);
	return print_json(j, e);
}

static void add_event(struct strbuf *out, const struct history_event *ev)
{
	char at[CLOCK_TEXT_SIZE], took[CLOCK_TEXT_SIZE];

	add_cell(out, clock_iso(ev->at_utc_ms, at), 20);
	add_cell(out,
		 ev->kind == EVENT_FAILED && ev->down ? "failed (down)" : event_kind_name(ev->kind),
		 13);
	add_cell(out, ev->id, 8);
	add_cell(out, ev->title, 32);
	add_cell(out, ev->took_ms >= 0 ? clock_span(ev->took_ms, took) : "-", 7);
	add_clean(out, ev->who);
	strbuf_addc(out, '@');
	add_clean(out, ev->host);
	if (ev->run != NULL && ev->run[0] != '\0') {
		strbuf_adds(out, "  run ");
		add_clean(out, ev->run);
	}
	strbuf_addc(out, '\n');
	if (ev->error != NULL && ev->error[0] != '\0') {
		strbuf_adds(out, "                     ");
		add_clean(out, ev->error);
		strbuf_addc(out, '\n');
	}
}

static int history_lines(const struct env *env, const struct history *h, struct err *e)
{
	struct strbuf out;
	size_t i;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (h->n_event == 0)
		strbuf_addf(&out, "nothing was ever applied to %s\n", env->name);
	for (i = 0; i < h->n_event; i++)
		add_event(&out, &h->event[i]);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

int cmd_history(struct cli *c, struct err *e)
{
	const struct env *env;
	struct history *h = NULL;
	struct db *db = NULL;
	int rc = -1;

	if (cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (env_open(env, DB_READ_ONLY, NULL, &db, e) != 0 || history_read(db, true, &h, e) != 0)
		goto out;
	rc = args_has(&c->args, OPT_JSON) ? history_json(env, h, e) : history_lines(env, h, e);
out:
	history_free(h);
	db_close(db);
	return rc;
}
