/* SPDX-License-Identifier: MIT */
/* Commands about the program itself, printed out of its tables: help, version, keys, themes. */
#include <string.h>

#include "cli/cli.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/ledger/ledger.h"
#include "tui/actions.h"
#include "tui/keys.h"
#include "tui/theme.h"
#include "version.h"

static int print_and_clear(struct strbuf *out, struct err *e)
{
	int rc = print_out(strbuf_sv(out), e);

	strbuf_clear(out);
	return rc;
}

static void add_option(struct strbuf *out, const struct cli_option *o)
{
	struct strbuf name;

	strbuf_init(&name, 200);
	if (o->letter != NULL)
		strbuf_addf(&name, "%s, ", o->letter);
	strbuf_adds(&name, o->name);
	if (o->value != NULL)
		strbuf_addf(&name, o->value_optional ? "[=%s]" : " %s", o->value);
	strbuf_adds(out, "  ");
	add_cell(out, strbuf_str(&name), 20);
	strbuf_addf(out, "%s\n", o->help);
	strbuf_clear(&name);
}

static void add_options(struct strbuf *out, unsigned mask, bool global)
{
	int i;

	for (i = 0; i < OPT_COUNT; i++)
		if (global ? cli_options[i].global : (mask & OPT_BIT(i)) != 0)
			add_option(out, &cli_options[i]);
}

int help_command(const struct command *cmd, struct err *e)
{
	struct strbuf out;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "usage: bascule %s%s%s\n\n%s\n", cmd->name,
		    cmd->synopsis[0] != '\0' ? " " : "", cmd->synopsis, cmd->help);
	if (cmd->options != 0)
		strbuf_adds(&out, "\noptions:\n");
	add_options(&out, cmd->options, false);
	strbuf_adds(&out, "\noptions of every command:\n");
	add_options(&out, 0, true);
	return print_and_clear(&out, e);
}

int cmd_help(struct cli *c, struct err *e)
{
	/* The word behind `help`; `bascule --help` has none. */
	const char *name = c->args.n_word > 1 ? cli_word(c, 0) : NULL;
	const struct command *cmd = name != NULL ? command_find(name) : NULL;
	struct strbuf out;
	size_t i;

	if (name != NULL)
		return cmd != NULL ? help_command(cmd, e) : command_unknown(name, e);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_adds(
		&out,
		"usage: bascule [-c FILE] [--theme NAME] [--ascii] [--read-only] [COMMAND]\n\n"
		"Without a command: the console on a terminal, `status` elsewhere.\n\ncommands:\n");
	for (i = 0; i < commands_n; i++) {
		strbuf_adds(&out, "  ");
		add_cell(&out, commands[i].name, 11);
		strbuf_addf(&out, "%s\n", commands[i].help);
	}
	strbuf_adds(&out, "\noptions of every command:\n");
	add_options(&out, 0, true);
	strbuf_adds(&out, "\n`bascule help COMMAND` says more; bascule(1) says all.\n");
	return print_and_clear(&out, e);
}

int cmd_version(struct cli *c, struct err *e)
{
	struct strbuf out;
	json_t *j;

	if (args_has(&c->args, OPT_JSON)) {
		j = json_object();
		json_put_str(j, "version", BASCULE_VERSION);
		json_put_int(j, "ledger_format", LEDGER_FORMAT);
		return print_json(j, e);
	}
	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "bascule %s\nledger format %d\n", BASCULE_VERSION, LEDGER_FORMAT);
	return print_and_clear(&out, e);
}

int cmd_keys(struct cli *c, struct err *e)
{
	struct keymap *map = keymap_default();
	struct strbuf out, keys;
	json_t *j = json_object(), *list = json_array(), *one;
	int i, rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_init(&keys, 1024);
	for (i = 0; i < ACTIONS; i++) {
		strbuf_reset(&keys);
		keymap_keys(map, (enum action)i, &keys);
		add_cell(&out, strbuf_str(&keys), 16);
		add_cell(&out, action_table[i].name, 15);
		strbuf_addf(&out, "%s\n", action_table[i].help);
		one = json_object();
		json_put_str(one, "action", action_table[i].name);
		json_put_str(one, "keys", strbuf_str(&keys));
		json_put_str(one, "argument", action_table[i].argument);
		json_put_str(one, "help", action_table[i].help);
		json_array_append_new(list, one);
	}
	json_object_set_new(j, "keys", list);
	if (args_has(&c->args, OPT_JSON)) {
		rc = print_json(json_incref(j), e);
		strbuf_clear(&out);
	} else {
		rc = print_and_clear(&out, e);
	}
	json_decref(j);
	strbuf_clear(&keys);
	keymap_free(map);
	return rc;
}

int cmd_themes(struct cli *c, struct err *e)
{
	struct strbuf out;
	json_t *j, *list;
	size_t i;

	if (args_has(&c->args, OPT_JSON)) {
		j = json_object();
		list = json_array();
		for (i = 0; theme_name(i) != NULL; i++)
			json_array_append_new(list, json_string(theme_name(i)));
		json_object_set_new(j, "themes", list);
		return print_json(j, e);
	}
	strbuf_init(&out, STRBUF_NO_LIMIT);
	for (i = 0; theme_name(i) != NULL; i++)
		strbuf_addf(&out, "%s\n", theme_name(i));
	return print_and_clear(&out, e);
}
