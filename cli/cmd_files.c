/* SPDX-License-Identifier: MIT */
/* The two commands that make files: a migration pair, and a database, once and by name. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/base/json.h"
#include "core/db/db.h"
#include "core/migrate/source.h"
#include "core/release/env_open.h"

int cmd_new(struct cli *c, struct err *e)
{
	struct source_spec spec = { .dir = c->project->migrations, .layout = c->project->layout };
	char *up = NULL, *down = NULL;
	struct strbuf out;
	json_t *j;
	int rc;

	if (c->project->n_env > 0)
		spec.engine = c->project->env[0].dsn.engine;
	if (source_new(&spec, cli_word(c, 0), &up, &down, e) != 0)
		return -1;
	if (args_has(&c->args, OPT_JSON)) {
		j = json_object();
		json_put_str(j, "up", up);
		json_put_str(j, "down", down);
		rc = print_json(j, e);
	} else {
		strbuf_init(&out, STRBUF_NO_LIMIT);
		add_clean(&out, up);
		strbuf_addc(&out, '\n');
		/* In one-file layouts both directions are in one file. */
		if (down != NULL && strcmp(up, down) != 0) {
			add_clean(&out, down);
			strbuf_addc(&out, '\n');
		}
		rc = print_out(strbuf_sv(&out), e);
		strbuf_clear(&out);
	}
	mem_free(up);
	mem_free(down);
	return rc;
}

/* An empty production database by a slip of the finger would be answered by an empty application,
 * so a protected environment's name is typed here too. */
static int confirm_create(struct cli *c, const struct env *env, struct err *e)
{
	const char *name = c->args.value[OPT_CONFIRM];

	if (name != NULL && strcmp(name, env->name) != 0) {
		err_set(e, ERR_GATE, "cannot create the database of %s", env->name);
		err_detail(e, "the confirmation names another environment: %s", name);
		return err_hint(e, "bascule create %s --confirm %s", env->name, env->name);
	}
	if (!env->is_protected || name != NULL)
		return 0;
	err_set(e, ERR_GATE, "cannot create the database of %s", env->name);
	err_detail(e, "the protected environment %s is confirmed by its name", env->name);
	return err_hint(e, "bascule create %s --confirm %s", env->name, env->name);
}

static int say_created(struct cli *c, const struct env *env, bool made, struct err *e)
{
	struct strbuf out;
	json_t *j;
	int rc;

	if (args_has(&c->args, OPT_JSON)) {
		j = json_object();
		json_put_str(j, "environment", env->name);
		json_put_str(j, "path", env->dsn.path);
		json_put_bool(j, "created", made);
		return print_json(j, e);
	}
	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_adds(&out, made ? "created " : "would create ");
	add_clean(&out, env->dsn.path);
	strbuf_addc(&out, '\n');
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

int cmd_create(struct cli *c, struct err *e)
{
	const struct env *env;
	struct db *db = NULL;

	if (cli_env(c, cli_word(c, 0), &env, e) != 0)
		return -1;
	if (!env->has_db) {
		err_set(e, ERR_USAGE, "%s has no database", env->name);
		return err_hint(e, "bascule status %s", env->name);
	}
	if (!dsn_is_file(&env->dsn)) {
		err_set(e, ERR_UNSUPPORTED, "cannot create the database of %s", env->name);
		err_detail(e, "it is on a server: %s", env->dsn.shown);
		return err_hint(e, "let the server's owner run CREATE DATABASE there");
	}
	if (access(env->dsn.path, F_OK) == 0) {
		err_set(e, ERR_EXISTS, "cannot create the database of %s", env->name);
		err_detail(e, "%s exists", env->dsn.path);
		return err_hint(e, "bascule migrate %s --dry-run", env->name);
	}
	if (args_has(&c->args, OPT_DRY_RUN))
		return say_created(c, env, false, e);
	if (confirm_create(c, env, e) != 0)
		return -1;
	if (env_open(&c->ctx, env, DB_CREATE, NULL, &db, e) != 0)
		return -1;
	db_close(db);
	return say_created(c, env, true, e);
}
