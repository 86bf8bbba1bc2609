/* SPDX-License-Identifier: MIT */
/* seeds: the scripts that fill an environment, and when each has run. */
#include <string.h>

#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/db/db.h"
#include "core/release/env_open.h"
#include "core/release/seeds.h"

struct row {
	const char *id;
	const struct seed *file;    /* NULL: gone */
	const struct seeded *known; /* NULL: nothing is known of it */
};

static const char *state_of(const struct row *r)
{
	const struct seeded *k = r->known;

	if (k != NULL && k->failed)
		return "failed";
	if (r->file == NULL)
		return "gone";
	if (k == NULL || k->checksum == NULL)
		return "never";
	return strcmp(k->checksum, r->file->checksum) == 0 ? "run" : "changed";
}

static json_t *row_json(const struct row *r)
{
	const struct seeded *k = r->known;
	bool ran = k != NULL && k->checksum != NULL;
	char at[CLOCK_TEXT_SIZE];
	json_t *j = json_object();

	json_put_str(j, "name", r->id);
	json_put_str(j, "state", state_of(r));
	json_put_int(j, "runs", k != NULL ? k->runs : 0);
	json_put_str(j, "at", ran ? clock_iso(k->at_utc_ms, at) : NULL);
	json_put_str(j, "by", ran ? k->who : NULL);
	json_put_str(j, "run", ran ? k->run : NULL);
	json_object_set_new(j, "ms", ran ? json_integer(k->took_ms) : json_null());
	json_put_str(j, "error", k != NULL && k->failed ? k->error : NULL);
	return j;
}

static void add_line(struct strbuf *out, const struct row *r)
{
	const struct seeded *k = r->known;
	const char *state = state_of(r);
	char at[CLOCK_TEXT_SIZE], took[CLOCK_TEXT_SIZE];

	add_cell(out, r->id, 32);
	if (k != NULL && k->checksum != NULL) {
		strbuf_addf(out, "run %s by ", clock_iso(k->at_utc_ms, at));
		add_clean(out, k->who);
		strbuf_addf(out, " in %s, %lld time%s", clock_span(k->took_ms, took),
			    (long long)k->runs, k->runs == 1 ? "" : "s");
	} else {
		strbuf_adds(out, "never run");
	}
	if (strcmp(state, "changed") == 0)
		strbuf_adds(out, ", CHANGED since");
	if (r->file == NULL)
		strbuf_adds(out, ", its file is gone");
	if (k != NULL && k->failed) {
		strbuf_adds(out, ", the last try FAILED: ");
		add_clean(out, k->error);
	}
	strbuf_addc(out, '\n');
}

static int print_rows(struct cli *c, const struct env *env, const struct row *row, size_t n,
		      struct err *e)
{
	json_t *j, *list;
	struct strbuf out;
	int rc;

	if (args_has(&c->args, OPT_JSON)) {
		j = json_object();
		list = json_array();
		json_put_str(j, "environment", env->name);
		json_put_str(j, "folder", c->project->seeds);
		for (size_t i = 0; i < n; i++)
			json_array_append_new(list, row_json(&row[i]));
		json_object_set_new(j, "seeds", list);
		return print_json(j, e);
	}
	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (n == 0)
		strbuf_addf(&out, "no seed for %s in %s\n", env->name,
			    c->project->seeds != NULL ? c->project->seeds : "seeds");
	for (size_t i = 0; i < n; i++)
		add_line(&out, &row[i]);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

int cmd_seeds(struct cli *c, struct err *e)
{
	const struct env *env;
	struct seeds *files = NULL;
	struct history *h = NULL;
	struct row *row = NULL;
	struct db *db = NULL;
	size_t n = 0;
	int rc = -1;

	if (cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (!env->has_db)
		return err_set(e, ERR_USAGE, "%s has no database", env->name);
	if (seeds_read(c->project->seeds, env->name, &files, e) != 0 ||
	    env_open(&c->ctx, env, DB_READ_ONLY, NULL, &db, e) != 0 ||
	    history_read_from(db, "bascule", false, &h, e) != 0)
		goto out;
	row = mem_calloc(files->n + h->n_seed + 1, sizeof(*row));
	for (size_t i = 0; i < files->n; i++)
		row[n++] = (struct row){ files->list[i].id, &files->list[i],
					 seeded_find(h, files->list[i].id) };
	for (size_t i = 0; i < h->n_seed; i++)
		if (seeds_find(files, h->seed[i].id) == NULL)
			row[n++] = (struct row){ h->seed[i].id, NULL, &h->seed[i] };
	rc = print_rows(c, env, row, n, e);
out:
	mem_free(row);
	history_free(h);
	db_close(db);
	seeds_free(files);
	return rc;
}
