/* SPDX-License-Identifier: MIT */
/*
 * The composition root: the only file that ends the program.
 *
 * It fills the context (who, host, state folder, this program's path) from the system, takes the
 * command line apart, reads the configuration for the commands that want one, and calls the
 * command out of the table in commands.c. Without a command a terminal gets the console and
 * anything else `status`. A command returns its exit status, or -1 with an error, which is
 * printed here in its three parts and mapped to the status of bascule(1).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/demo_service.h"
#include "cli/hosts.h"
#include "cli/secrets.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/secret.h"

const char *cli_getenv(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

int cli_read_config(struct cli *c, struct err *e)
{
	const char *named = c->args.value[OPT_CONFIG];
	struct config_errors errs = { 0 };
	char *path = NULL;
	bool above = false;
	int rc;

	if (config_find(named, cli_getenv, NULL, &path, &above, e) != 0)
		return -1;
	rc = config_read(path, above, cli_getenv, NULL, &c->project, &errs, e);
	if (rc != 0) {
		print_config_errors(e, &errs);
		/* Printed already, with every mistake; only the status is left to tell. */
		err_set(e, ERR_CONFIG, "%s", "");
	} else {
		context_set_state(&c->ctx, &c->arena, c->ctx.state_dir, c->project->name);
	}
	config_errors_clear(&errs);
	mem_free(path);
	return rc;
}

/* Commands in hints are to be run as printed; who named the configuration has to name it there
 * too. Left as it is when it would not fit. */
static void name_config_in_hint(const struct cli *c, struct err *e)
{
	const char *named = c->args.value[OPT_CONFIG], *rest = e->hint, *at;
	struct strbuf out;

	if (named == NULL || strcmp(c->args.n_word > 0 ? c->args.word[0] : "", "demo") == 0)
		return;
	strbuf_init(&out, sizeof(e->hint) - 1);
	while ((at = strstr(rest, "bascule ")) != NULL && (at == e->hint || at[-1] == ' ')) {
		strbuf_add(&out, rest, (size_t)(at - rest));
		strbuf_adds(&out, "bascule -c ");
		path_quote(&out, named);
		strbuf_addc(&out, ' ');
		rest = at + strlen("bascule ");
	}
	strbuf_adds(&out, rest);
	if (strbuf_ok(&out) && out.len > 0)
		err_hint(e, "%s", strbuf_str(&out));
	strbuf_clear(&out);
}

static int check_words(const struct cli *c, const struct command *cmd, struct err *e)
{
	int n = (int)c->args.n_word - 1;

	if (n >= cmd->min_words && n <= cmd->max_words)
		return 0;
	err_set(e, ERR_USAGE, n < cmd->min_words ? "%s wants more words" : "%s wants fewer words",
		cmd->name);
	err_detail(e, "usage: bascule %s %s", cmd->name, cmd->synopsis);
	return err_hint(e, "bascule help %s", cmd->name);
}

static int run_command(struct cli *c, struct err *e)
{
	const char *name = c->args.word[0];
	const struct command *cmd = command_find(name);

	if (cmd == NULL)
		return command_unknown(name, e);
	if (args_has(&c->args, OPT_HELP))
		return help_command(cmd, e);
	if (args_allow(&c->args, cmd->options, name, e) != 0 || check_words(c, cmd, e) != 0)
		return -1;
	if ((cmd->flags & COMMAND_CHANGES) && args_has(&c->args, OPT_READ_ONLY)) {
		err_set(e, ERR_GATE, "cannot %s", name);
		err_detail(e, "--read-only refuses every change");
		return err_hint(e, "leave --read-only out");
	}
	if ((cmd->flags & COMMAND_CONFIG) &&
	    (cli_read_config(c, e) != 0 || cli_hosts_need(c, e) != 0 ||
	     cli_secrets(c, cmd, e) != 0))
		return -1;
	return cmd->run(c, e);
}

bool cli_can_draw(const struct cli *c)
{
	const char *term = cli_getenv(NULL, "TERM");

	return c->terminal_in && c->terminal_out && term != NULL && term[0] != '\0' &&
	       strcmp(term, "dumb") != 0;
}

/* No command: the console for who looks at a terminal, status for a pipe. */
static int run_default(struct cli *c, struct err *e)
{
	if (args_has(&c->args, OPT_HELP))
		return cmd_help(c, e);
	if (args_has(&c->args, OPT_VERSION))
		return cmd_version(c, e);
	if (args_has(&c->args, OPT_DOCS))
		return print_docs(c->args.value[OPT_DOCS], e);
	if (args_allow(&c->args, OPT_READING, "bascule", e) != 0 || cli_read_config(c, e) != 0 ||
	    cli_hosts_need(c, e) != 0 || cli_secrets(c, NULL, e) != 0)
		return -1;
	if (cli_can_draw(c) && !(c->args.given & OPT_READING))
		return cli_console(c, e);
	return cmd_status(c, e);
}

const char *cli_word(const struct cli *c, size_t i)
{
	return i + 1 < c->args.n_word ? c->args.word[i + 1] : NULL;
}

int cli_env(const struct cli *c, const char *name, const struct env **out, struct err *e)
{
	const struct env *env = env_find(c->project, name);
	const char *names[64], *near;
	struct strbuf all;
	size_t i;

	if (env != NULL) {
		*out = env;
		return 0;
	}
	strbuf_init(&all, 400);
	for (i = 0; i < c->project->n_env && i < 64; i++) {
		names[i] = c->project->env[i].name;
		strbuf_addf(&all, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
	near = str_nearest(name, names, i);
	err_set(e, ERR_USAGE, "there is no environment %s", name);
	err_detail(e, "the configuration has %s", strbuf_str(&all));
	strbuf_clear(&all);
	if (near != NULL)
		return err_hint(e, "did you mean %s?", near);
	return err_hint(e, "bascule status");
}

const struct service *cli_service(const struct env *env, const char *name, struct err *e)
{
	const char *names[64], *near;
	struct strbuf all;
	size_t i;

	for (i = 0; i < env->n_service; i++)
		if (strcmp(env->service[i].runtime.name, name) == 0)
			return &env->service[i];
	strbuf_init(&all, 400);
	for (i = 0; i < env->n_service && i < 64; i++) {
		names[i] = env->service[i].runtime.name;
		strbuf_addf(&all, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
	near = str_nearest(name, names, i);
	err_set(e, ERR_USAGE, "there is no service %s in %s", name, env->name);
	err_detail(e, "the configuration has %s", strbuf_str(&all));
	strbuf_clear(&all);
	if (near != NULL)
		err_hint(e, "did you mean %s?", near);
	else
		err_hint(e, "bascule status %s", env->name);
	return NULL;
}

int cli_wait_ms(const struct cli *c, int64_t *ms, struct err *e)
{
	const char *v = c->args.value[OPT_WAIT];

	*ms = args_has(&c->args, OPT_WAIT) ? -1 : 0;
	if (v == NULL || clock_parse_span(v, ms))
		return 0;
	err_set(e, ERR_USAGE, "--wait is not a length of time: %s", v);
	return err_hint(e, "write a number with ms, s, m or h, such as --wait=5m");
}

void cli_set_state(struct cli *c, const char *state_dir)
{
	context_set_state(&c->ctx, &c->arena, state_dir,
			  c->project != NULL ? c->project->name : NULL);
}

int main(int argc, char **argv)
{
	struct cli c = { 0 };
	struct err e;
	int status = -1;

	err_clear(&e);
	arena_init(&c.arena);
	/* A file that may not grow is an error with words, not a death inside a transaction. */
	signal(SIGXFSZ, SIG_IGN);
	c.terminal_in = isatty(STDIN_FILENO) != 0;
	c.terminal_out = isatty(STDOUT_FILENO) != 0;
	if (context_fill(&c.ctx, &c.arena, &e) != 0)
		status = -1;
	else if (argc > 1 && strcmp(argv[1], "run") == 0)
		status = runner_process(&c, argc, argv, &e);
	else if (argc > 1 && strcmp(argv[1], "demo-service") == 0)
		status = demo_service(argc - 1, argv + 1);
	else if (args_parse(argc, argv, &c.args, &e) == 0)
		status = c.args.n_word > 0 ? run_command(&c, &e) : run_default(&c, &e);
	if (status < 0) {
		if (e.msg[0] != '\0') {
			name_config_in_hint(&c, &e);
			print_err(&e);
		}
		status = exit_of(e.code);
	}
	cli_hosts_stop(&c);
	project_free(c.project);
	arena_wipe(&c.secrets);
	arena_clear(&c.arena);
	secret_forget();
	return status;
}
