/* SPDX-License-Identifier: MIT */
/*
 * Sections of the man pages, printed out of the tables in mdoc: `make docs` puts them between the
 * markers of the sources in man/, and a test compares. So a page cannot know an option that the
 * program does not, nor the other way round.
 */
#include <string.h>

#include "cli/cli.h"
#include "config/schema.h"
#include "tui/actions.h"
#include "tui/keys.h"

static const struct {
	enum exit_status status;
	const char *text;
} exits[] = {
	{ EXIT_DONE, "done; also when watching was stopped by Ctrl-C and the run goes on" },
	{ EXIT_FAILED, "failed; the text says in what state things are" },
	{ EXIT_USAGE, "wrong usage or configuration" },
	{ EXIT_REFUSED, "refused by a gate or for want of a confirmation" },
	{ EXIT_CANCELLED, "cancelled" },
	{ EXIT_ROLLED_BACK, "failed and rolled back" },
	{ EXIT_LOCKED, "locked by another operator: who, where, since when" },
	{ EXIT_DIFFERS, "differences found (status and matrix with --check)" },
	{ EXIT_WAITING, "the run waits or is paused" },
};

/* Text as mdoc takes it: a backslash is an escape, and a line must not begin with a dot or quote. */
static void add_mdoc(struct strbuf *out, const char *text)
{
	bool start = true;

	for (; *text != '\0'; text++) {
		if (*text == '\\')
			strbuf_adds(out, "\\e");
		else if (start && (*text == '.' || *text == '\''))
			strbuf_addf(out, "\\&%c", *text);
		else if (*text == '-')
			strbuf_adds(out, "\\-");
		else
			strbuf_addc(out, *text);
		start = *text == '\n';
	}
}

/* Lines of text of their own: mdoc wants each sentence to begin one. */
static void add_line(struct strbuf *out, const char *text)
{
	const char *end;

	while ((end = strstr(text, ". ")) != NULL) {
		struct strbuf sentence;

		strbuf_init(&sentence, STRBUF_NO_LIMIT);
		strbuf_add(&sentence, text, (size_t)(end + 1 - text));
		add_mdoc(out, strbuf_str(&sentence));
		strbuf_addc(out, '\n');
		strbuf_clear(&sentence);
		text = end + 2;
	}
	add_mdoc(out, text);
	strbuf_addc(out, '\n');
}

static void add_item(struct strbuf *out, const char *text)
{
	strbuf_adds(out, ".It Sy \"");
	add_mdoc(out, text);
	strbuf_adds(out, "\"\n");
}

static void docs_exit(struct strbuf *out)
{
	size_t i;

	strbuf_adds(out, ".Bl -tag -width Ds\n");
	for (i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		strbuf_addf(out, ".It %d\n", (int)exits[i].status);
		add_line(out, exits[i].text);
	}
	strbuf_adds(out, ".El\n");
}

static void add_cli_option(struct strbuf *out, const struct cli_option *o)
{
	struct strbuf name;

	strbuf_init(&name, 200);
	if (o->letter != NULL)
		strbuf_addf(&name, "%s, ", o->letter);
	strbuf_adds(&name, o->name);
	if (o->value != NULL)
		strbuf_addf(&name, o->value_optional ? "[=%s]" : " %s", o->value);
	add_item(out, strbuf_str(&name));
	add_line(out, o->help);
	strbuf_clear(&name);
}

static void docs_options(struct strbuf *out)
{
	int i;

	strbuf_adds(out, ".Bl -tag -width Ds\n");
	for (i = 0; i < OPT_COUNT; i++)
		add_cli_option(out, &cli_options[i]);
	strbuf_adds(out, ".El\n");
}

static void docs_commands(struct strbuf *out)
{
	struct strbuf head;
	size_t i;
	int k;
	bool first;

	strbuf_init(&head, STRBUF_NO_LIMIT);
	strbuf_adds(out, ".Bl -tag -width Ds\n");
	for (i = 0; i < commands_n; i++) {
		strbuf_reset(&head);
		strbuf_addf(&head, "%s%s%s", commands[i].name,
			    commands[i].synopsis[0] != '\0' ? " " : "", commands[i].synopsis);
		add_item(out, strbuf_str(&head));
		add_line(out, commands[i].help);
		first = true;
		for (k = 0; k < OPT_COUNT; k++) {
			if ((commands[i].options & OPT_BIT(k)) == 0)
				continue;
			strbuf_adds(out, first ? ".br\nOptions: " : ", ");
			add_mdoc(out, cli_options[k].name);
			first = false;
		}
		if (!first)
			strbuf_addc(out, '\n');
	}
	strbuf_adds(out, ".El\n");
	strbuf_clear(&head);
}

static void docs_keys(struct strbuf *out)
{
	struct keymap *map = keymap_default();
	struct strbuf keys;
	int i;

	strbuf_init(&keys, 1024);
	strbuf_adds(out, ".Bl -tag -width Ds\n");
	for (i = 0; i < ACTIONS; i++) {
		const struct action_info *a = &action_table[i];

		strbuf_reset(&keys);
		strbuf_addf(&keys, "%s%s%s", a->name, a->argument != NULL ? " " : "",
			    a->argument != NULL ? a->argument : "");
		add_item(out, strbuf_str(&keys));
		strbuf_reset(&keys);
		keymap_keys(map, (enum action)i, &keys);
		if (keys.len > 0) {
			strbuf_adds(out, "Keys: ");
			add_mdoc(out, strbuf_str(&keys));
			strbuf_adds(out, "\n.br\n");
		}
		add_line(out, a->help);
	}
	strbuf_adds(out, ".El\n");
	strbuf_clear(&keys);
	keymap_free(map);
}

static void add_values(struct strbuf *out, const struct option *o)
{
	static const char *const types[] = {
		[OPTION_TEXT] = "text",
		[OPTION_PATH] = "a path",
		[OPTION_BOOL] = "yes or no",
		[OPTION_SPAN] = "a length of time with ms, s, m, h or d",
		[OPTION_LIST] = "names with -> between",
		[OPTION_URL] = "a URL",
		[OPTION_FILES] = "paths with , between",
		[OPTION_HOSTS] = "machines with , between",
		[OPTION_COUNT] = "a number",
		[OPTION_SECRET] = "env:NAME, file:PATH, cmd:WORDS, ask or a literal",
	};
	size_t i;

	strbuf_adds(out, "Value: ");
	if (o->type != OPTION_ENUM)
		add_mdoc(out, types[o->type]);
	for (i = 0; o->type == OPTION_ENUM && o->values[i] != NULL; i++) {
		strbuf_adds(out, i == 0 ? "" : " | ");
		add_mdoc(out, o->values[i]);
	}
	strbuf_adds(out, "; default: ");
	add_mdoc(out, o->dflt[0] != '\0' ? o->dflt : "none");
	strbuf_adds(out, "; example: ");
	add_mdoc(out, o->example);
	strbuf_adds(out, ".\n.br\n");
}

static void docs_config(struct strbuf *out)
{
	size_t i;

	for (i = 0; i < options_n; i++) {
		const struct option *o = &options[i];

		if (i == 0 || strcmp(options[i - 1].section, o->section) != 0)
			strbuf_addf(out, "%s.Ss [%s%s]\n.Bl -tag -width Ds\n",
				    i == 0 ? "" : ".El\n", o->section,
				    strcmp(o->section, "project") == 0 ? "" : " NAME");
		add_item(out, o->key);
		add_values(out, o);
		add_line(out, o->help);
	}
	strbuf_adds(out, ".El\n");
}

static const struct {
	const char *name;
	void (*fn)(struct strbuf *out);
} parts[] = {
	{ "keys", docs_keys },     { "options", docs_options }, { "commands", docs_commands },
	{ "config", docs_config }, { "exit", docs_exit },
};

int print_docs(const char *part, struct err *e)
{
	struct strbuf out;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(part, parts[i].name) == 0)
			break;
	if (i == sizeof(parts) / sizeof(parts[0])) {
		err_set(e, ERR_USAGE, "there is no part %s of the manual", part);
		return err_hint(e, "write --print-docs keys, options, commands, config or exit");
	}
	strbuf_init(&out, STRBUF_NO_LIMIT);
	parts[i].fn(&out);
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}
