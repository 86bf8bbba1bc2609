/* SPDX-License-Identifier: MIT */
/*
 * Completion for bash, zsh and fish, generated from the tables of commands and options.
 *
 * What depends on the project (environments, runs) is asked from the program when the user presses
 * Tab: `bascule completion words env` prints one name per line and is silent when there is no
 * configuration.
 */
#include <string.h>

#include "cli/cli.h"
#include "core/release/run.h"

/* Fixed words of an argument; NULL for those asked at run time. */
static const char *fixed_words(const char *kind)
{
	static const struct {
		const char *kind, *words;
	} table[] = {
		{ "shell", "bash zsh fish" },
		{ "plan", "migrate rollback baseline accept mark restore seed" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].kind, kind) == 0)
			return table[i].words;
	return NULL;
}

static void add_names(struct strbuf *out, const char *sep)
{
	size_t i;

	for (i = 0; i < commands_n; i++)
		strbuf_addf(out, "%s%s", i == 0 ? "" : sep, commands[i].name);
}

static void add_option_names(struct strbuf *out, unsigned mask)
{
	int i;

	for (i = 0; i < OPT_COUNT; i++)
		if (cli_options[i].global || (mask & OPT_BIT(i)) != 0)
			strbuf_addf(out, " %s", cli_options[i].name);
}

/* The words of a command's first argument, as a shell expression. */
static void add_words(struct strbuf *out, const struct command *cmd)
{
	const char *fixed = fixed_words(cmd->completes);

	if (fixed != NULL)
		strbuf_adds(out, fixed);
	else if (strcmp(cmd->completes, "command") == 0)
		add_names(out, " ");
	else if (strcmp(cmd->completes, "env") == 0 || strcmp(cmd->completes, "rollback") == 0)
		strbuf_adds(out, "$(bascule completion words env 2>/dev/null)");
	else if (strcmp(cmd->completes, "run") == 0)
		strbuf_adds(out, "$(bascule completion words run 2>/dev/null)");
}

static void add_case(struct strbuf *out)
{
	size_t i;

	strbuf_adds(out, "\tcase \"$cmd\" in\n");
	for (i = 0; i < commands_n; i++) {
		strbuf_addf(out, "\t%s)\n\t\twords=\"", commands[i].name);
		add_words(out, &commands[i]);
		strbuf_adds(out, "\"\n\t\toptions=\"");
		add_option_names(out, commands[i].options);
		strbuf_adds(out, "\" ;;\n");
	}
	strbuf_adds(out, "\t*)\n\t\twords=\"");
	add_names(out, " ");
	strbuf_adds(out, "\"\n\t\toptions=\"");
	add_option_names(out, OPT_READING);
	strbuf_adds(out, "\" ;;\n\tesac\n");
	/* What stands behind the first word of some commands. */
	strbuf_adds(out, "\tcase \"$cmd $count\" in\n"
			 "\t'plan 2') words=\"$(bascule completion words env 2>/dev/null)\" ;;\n"
			 "\t'rollback 2') words='last to-version' ;;\n"
			 "\t'logs '[2-9] | 'health '[2-9])\n"
			 "\t\twords=\"$(bascule completion words service 2>/dev/null)\" ;;\n"
			 "\tesac\n");
}

static void shell_bash(struct strbuf *out)
{
	strbuf_adds(out,
		    "# bash completion of bascule, printed by `bascule completion bash`.\n"
		    "_bascule()\n{\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} cmd='' count=0 words options i\n"
		    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		    "\t\tcase ${COMP_WORDS[i]} in\n"
		    "\t\t-c | --config | --theme) ((i++)) ;;\n"
		    "\t\t-*) ;;\n"
		    "\t\t*) if [ -z \"$cmd\" ]; then cmd=${COMP_WORDS[i]}; fi; ((count++)) ;;\n"
		    "\t\tesac\n\tdone\n");
	add_case(out);
	strbuf_adds(out, "\tcase $cur in\n\t-*) words=$options ;;\n\tesac\n"
			 "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
			 "}\ncomplete -o default -F _bascule bascule\n");
}

static void shell_zsh(struct strbuf *out)
{
	strbuf_adds(out, "#compdef bascule\n# zsh completion of bascule, printed by `bascule "
			 "completion zsh`.\n"
			 "_bascule()\n{\n"
			 "\tlocal cur=${words[CURRENT]} cmd='' options list; integer count=0 i\n"
			 "\tlocal -a given; given=(\"${words[@]}\")\n"
			 "\tfor ((i = 2; i < CURRENT; i++)); do\n"
			 "\t\tcase ${given[i]} in\n"
			 "\t\t-c | --config | --theme) ((i++)) ;;\n"
			 "\t\t-*) ;;\n"
			 "\t\t*) if [ -z \"$cmd\" ]; then cmd=${given[i]}; fi; ((count++)) ;;\n"
			 "\t\tesac\n\tdone\n\tlocal words\n");
	add_case(out);
	strbuf_adds(out, "\tcase $cur in\n\t-*) words=$options ;;\n\tesac\n"
			 "\tlist=(${=words})\n\tcompadd -a list\n}\n_bascule \"$@\"\n");
}

static void fish_quoted(struct strbuf *out, const char *text)
{
	strbuf_addc(out, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, *text);
	}
	strbuf_addc(out, '\'');
}

static void fish_option(struct strbuf *out, const char *command, const struct cli_option *o)
{
	strbuf_adds(out, "complete -c bascule");
	if (command != NULL)
		strbuf_addf(out, " -n '__fish_seen_subcommand_from %s'", command);
	strbuf_addf(out, " -l %s", o->name + 2);
	if (o->letter != NULL)
		strbuf_addf(out, " -s %s", o->letter + 1);
	if (o->value != NULL && !o->value_optional)
		strbuf_adds(out, " -r");
	strbuf_adds(out, " -d ");
	fish_quoted(out, o->help);
	strbuf_addc(out, '\n');
}

static void shell_fish(struct strbuf *out)
{
	size_t i;
	int k;

	strbuf_adds(out, "# fish completion of bascule, printed by `bascule completion fish`.\n"
			 "complete -c bascule -f\n");
	for (k = 0; k < OPT_COUNT; k++)
		if (cli_options[k].global)
			fish_option(out, NULL, &cli_options[k]);
	for (i = 0; i < commands_n; i++) {
		strbuf_addf(out, "complete -c bascule -n __fish_use_subcommand -a %s -d ",
			    commands[i].name);
		fish_quoted(out, commands[i].help);
		strbuf_addc(out, '\n');
		if (commands[i].completes[0] != '\0' && strcmp(commands[i].completes, "dir") != 0) {
			strbuf_addf(out,
				    "complete -c bascule -n '__fish_seen_subcommand_from %s' -a \"",
				    commands[i].name);
			/* fish runs (command) where the others run $(command) */
			if (fixed_words(commands[i].completes) != NULL)
				strbuf_adds(out, fixed_words(commands[i].completes));
			else if (strcmp(commands[i].completes, "command") == 0)
				add_names(out, " ");
			else
				strbuf_addf(out, "(bascule completion words %s 2>/dev/null)",
					    strcmp(commands[i].completes, "run") == 0 ? "run"
										      : "env");
			strbuf_adds(out, "\"\n");
		}
		for (k = 0; k < OPT_COUNT; k++)
			if (!cli_options[k].global && (commands[i].options & OPT_BIT(k)) != 0)
				fish_option(out, commands[i].name, &cli_options[k]);
	}
}

/* Those of one environment that no earlier one has. */
static void add_services(struct strbuf *out, const struct project *p, size_t env)
{
	for (size_t i = 0; i < p->env[env].n_service; i++) {
		const char *name = p->env[env].service[i].runtime.name;
		bool had = false;
		struct err e;

		for (size_t k = 0; k < env && !had; k++)
			had = cli_service(&p->env[k], name, &e) != NULL;
		if (!had)
			strbuf_addf(out, "%s\n", name);
	}
}

/* Names for the scripts above. Nothing to complete is no error: the user only pressed Tab. */
static int print_words(struct cli *c, const char *kind, struct strbuf *out)
{
	struct run **list = NULL;
	size_t n = 0, unreadable, i;
	struct err e;

	if (cli_read_config(c, &e) != 0)
		return 0;
	if (strcmp(kind, "env") == 0)
		for (i = 0; i < c->project->n_env; i++)
			strbuf_addf(out, "%s\n", c->project->env[i].name);
	for (i = 0; strcmp(kind, "service") == 0 && i < c->project->n_env; i++)
		add_services(out, c->project, i);
	if (strcmp(kind, "run") == 0 &&
	    run_list(&c->ctx, c->project->name, NULL, &list, &n, &unreadable, &e) == 0)
		for (i = 0; i < n; i++)
			strbuf_addf(out, "%s\n", list[i]->number);
	run_list_free(list, n);
	return 0;
}

int cmd_completion(struct cli *c, struct err *e)
{
	static const struct {
		const char *name;
		void (*fn)(struct strbuf *out);
	} shells[] = { { "bash", shell_bash }, { "zsh", shell_zsh }, { "fish", shell_fish } };
	const char *name = cli_word(c, 0);
	struct strbuf out;
	size_t i;
	int rc = -1;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	if (strcmp(name, "words") == 0 && cli_word(c, 1) != NULL)
		rc = print_words(c, cli_word(c, 1), &out);
	for (i = 0; rc != 0 && cli_word(c, 1) == NULL && i < sizeof(shells) / sizeof(shells[0]);
	     i++) {
		if (strcmp(name, shells[i].name) != 0)
			continue;
		shells[i].fn(&out);
		rc = 0;
	}
	if (rc == 0) {
		rc = print_out(strbuf_sv(&out), e);
	} else {
		err_set(e, ERR_USAGE, "there is no completion for %s", name);
		err_hint(e, "bascule completion bash");
	}
	strbuf_clear(&out);
	return rc;
}
