/* SPDX-License-Identifier: MIT */
/*
 * Passwords before the work.
 *
 * A question needs the terminal, which the console takes and a runner does not have: so everything is
 * asked for first, once for each environment that will be used. That goes for the machines which databases
 * are reached through, too: they are connected now, and what they ask is answered. The commands that look at
 * many environments at once do not wait for that: they look, and ask afterwards (look.c).
 */
#include "cli/secrets.h"

#include <string.h>

#include "cli/ask.h"
#include "cli/questions.h"
#include "config/secret.h"
#include "core/release/run.h"

static int ask(void *arg, const struct env *env, struct strbuf *answer, struct err *e)
{
	struct strbuf question;
	int rc;

	(void)arg;
	strbuf_init(&question, STRBUF_NO_LIMIT);
	strbuf_adds(&question, "Password of ");
	add_clean(&question, env->name);
	strbuf_adds(&question, " (");
	add_clean(&question, env->dsn.shown);
	strbuf_adds(&question, "): ");
	rc = ask_line(strbuf_str(&question), false, answer, e);
	if (rc != 0 && e->code == ERR_CONFIG) {
		err_set(e, ERR_CONFIG, "its password is asked for, and there is no terminal");
		err_hint(e, "run it on a terminal, or write password = env:NAME");
	}
	strbuf_clear(&question);
	return rc;
}

/* --- Which ----------------------------------------------------------------------------------------- */

/* Marks name and what it requires. */
static bool want(const struct project *p, const char *name, bool *wanted)
{
	const struct env *env = env_find(p, name);
	bool any = env != NULL;

	for (; env != NULL && !wanted[env_index(p, env)]; env = env_find(p, env->requires))
		wanted[env_index(p, env)] = true;
	return any;
}

static void want_of_run(struct cli *c, bool *wanted)
{
	char id[RUN_ID_SIZE];
	struct run *r = NULL;
	struct err ignored;

	if (run_resolve(&c->ctx, cli_word(c, 0), id, &ignored) == 0 &&
	    run_load(&c->ctx, id, &r, &ignored) == 0)
		want(c->project, r->plan->environment, wanted);
	run_free(r);
}

static void find_wanted(struct cli *c, const struct command *cmd, bool *wanted)
{
	/* They read files of ours only. */
	static const char *const offline[] = { "new", "runs", "watch", "backups" };
	bool named = false;
	size_t i;

	for (i = 0; cmd != NULL && i < sizeof(offline) / sizeof(offline[0]); i++)
		if (strcmp(cmd->name, offline[i]) == 0)
			return;
	if (cmd != NULL && strcmp(cmd->completes, "run") == 0) {
		want_of_run(c, wanted);
		return;
	}
	for (i = 0; cmd != NULL && cli_word(c, i) != NULL; i++)
		named = want(c->project, cli_word(c, i), wanted) || named;
	/* A word that names none is refused by the command itself. */
	for (i = 0; !named && (cmd == NULL || cli_word(c, 0) == NULL) && i < c->project->n_env; i++)
		wanted[i] = true;
}

static bool looks_at_many(const struct command *cmd)
{
	static const char *const names[] = { "status", "matrix", "check", "logs", "health" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(cmd->name, names[i]) == 0)
			return true;
	return false;
}

/* The machines that databases of the wanted environments are reached through. */
static int connect_ways(struct cli *c, const bool *wanted, struct err *e)
{
	const struct project *p = c->project;
	const struct host_spec **via =
		arena_alloc(&c->arena, (p->n_env + 1) * sizeof(const struct host_spec *));
	size_t n = 0;

	for (size_t i = 0; i < p->n_env; i++)
		if (wanted[i] && p->env[i].database_via != NULL && p->env[i].trouble == NULL)
			via[n++] = p->env[i].database_via;
	return cli_hosts_ready(c, via, n, e);
}

int cli_secrets(struct cli *c, const struct command *cmd, struct err *e)
{
	struct project *p = c->project;
	bool *wanted = arena_alloc(&c->arena, (p->n_env + 1) * sizeof(*wanted));
	int rc = 0;

	find_wanted(c, cmd, wanted);
	for (size_t i = 0; rc == 0 && i < p->n_env; i++) {
		struct env *env = &p->env[i];

		if (!wanted[i])
			continue;
		config_resolve(p, env, ask, c, NULL);
		if (env->trouble != NULL && env->trouble->code == ERR_CANCELLED) {
			*e = *env->trouble;
			rc = -1;
		}
	}
	c->ctx.secrets = config_secrets(p);
	if (rc == 0 && cmd != NULL && !looks_at_many(cmd))
		rc = connect_ways(c, wanted, e);
	return rc;
}
