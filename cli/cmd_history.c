/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/db/db.h"
#include "core/migrate/foreign.h"
#include "core/migrate/source.h"
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
	json_put_str(j, "at", ev->at_utc_ms > 0 ? clock_iso_ms(ev->at_utc_ms, at) : NULL);
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

/* What another tool's table says of one migration, as an event of ours would. */
static struct history_event event_of_foreign(const struct applied *a)
{
	return (struct history_event){
		.kind = a->failed    ? EVENT_FAILED
			: a->applied ? EVENT_APPLIED
				     : EVENT_ROLLED_BACK,
		.ns = a->ns,
		.id = a->id,
		.title = a->title,
		.checksum = a->recorded,
		.who = a->who,
		.at_utc_ms = a->failed && a->failed_at_utc_ms ? a->failed_at_utc_ms : a->at_utc_ms,
		.took_ms = a->took_ms > 0 ? a->took_ms : -1,
		.error = a->error,
	};
}

static int history_json(const struct env *env, const struct history *h, struct err *e)
{
	json_t *j = json_object(), *list = json_array();
	size_t i;

	json_put_str(j, "environment", env->name);
	json_put_int(j, "format", h->format);
	json_put_str(j, "tool", h->tool);
	for (i = 0; i < h->n_event; i++)
		json_array_append_new(list, event_json(&h->event[i]));
	for (i = 0; h->tool != NULL && i < h->n; i++) {
		const struct history_event ev = event_of_foreign(&h->list[i]);

		json_array_append_new(list, event_json(&ev));
	}
	json_object_set_new(j, "events", list);
	return print_json(j, e);
}

static void add_event(struct strbuf *out, const struct history_event *ev)
{
	char at[CLOCK_TEXT_SIZE], took[CLOCK_TEXT_SIZE];

	add_cell(out, ev->at_utc_ms > 0 ? clock_iso(ev->at_utc_ms, at) : "-", 20);
	add_cell(out,
		 ev->kind == EVENT_FAILED && ev->down ? "failed (down)" : event_kind_name(ev->kind),
		 13);
	add_cell(out, ev->id, 8);
	add_cell(out, ev->title, 32);
	add_cell(out, ev->took_ms >= 0 ? clock_span(ev->took_ms, took) : "-", 7);
	add_clean(out, ev->who != NULL ? ev->who : "-");
	if (ev->host != NULL) {
		strbuf_addc(out, '@');
		add_clean(out, ev->host);
	}
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

static void add_foreign(const struct env *env, const struct history *h, struct strbuf *out)
{
	bool no_zone = false;

	strbuf_addf(out, "%s's history is kept by %s in its table %s; bascule only reads it\n",
		    env->name, h->tool, h->table);
	for (size_t i = 0; i < h->n; i++) {
		const struct history_event ev = event_of_foreign(&h->list[i]);

		no_zone = no_zone || h->list[i].no_zone;
		add_event(out, &ev);
	}
	if (no_zone)
		strbuf_adds(out,
			    "times were stored without a time zone and are shown as they are\n");
	if (h->note != NULL) {
		add_clean(out, h->note);
		strbuf_addc(out, '\n');
	}
}

static int history_lines(const struct env *env, const struct history *h, struct err *e)
{
	struct strbuf out;
	size_t i;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (h->tool != NULL)
		add_foreign(env, h, &out);
	else if (h->n_event == 0)
		strbuf_addf(&out, "nothing was ever applied to %s\n", env->name);
	/* Single statements are how a migration came about, not what was applied: --json has them. */
	for (i = 0; i < h->n_event; i++)
		if (h->event[i].kind != EVENT_INTENT && h->event[i].kind != EVENT_STATEMENT)
			add_event(&out, &h->event[i]);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

/* Another tool's rows are matched with the files where there are files to read. */
static int join_files(struct cli *c, const struct env *env, struct history *h,
		      struct source **source, struct err *e)
{
	const struct source_spec spec = { .dir = c->project->migrations,
					  .layout = c->project->layout,
					  .engine = env->dsn.engine };
	struct err unread;

	if (source_scan(&spec, NULL, source, &unread) != 0)
		*source = NULL;
	return history_join(h, *source, NULL, e);
}

int cmd_history(struct cli *c, struct err *e)
{
	const struct env *env;
	struct source *source = NULL;
	struct history *h = NULL;
	struct db *db = NULL;
	int rc = -1;

	if (cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (env_open(&c->ctx, env, DB_READ_ONLY, NULL, &db, e) != 0 ||
	    history_read_from(db, env->history, true, &h, e) != 0)
		goto out;
	if (h->tool != NULL && join_files(c, env, h, &source, e) != 0)
		goto out;
	rc = args_has(&c->args, OPT_JSON) ? history_json(env, h, e) : history_lines(env, h, e);
out:
	history_free(h);
	source_free(source);
	db_close(db);
	return rc;
}
