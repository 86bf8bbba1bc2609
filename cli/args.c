/* SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include <string.h>

#include "core/base/str.h"

const struct cli_option cli_options[OPT_COUNT] = {
	[OPT_CONFIG] = { "--config", "-c", "FILE", false, true,
			 "the configuration, instead of the nearest bascule.ini" },
	[OPT_THEME] = { "--theme", NULL, "NAME", false, true,
			"theme of the console: a name or a path" },
	[OPT_ASCII] = { "--ascii", NULL, NULL, false, true, "draw the console in ASCII" },
	[OPT_READ_ONLY] = { "--read-only", NULL, NULL, false, true,
			    "change nothing: the console cannot arm, changing commands are "
			    "refused" },
	[OPT_HELP] = { "--help", "-h", NULL, false, true, "say how the command is used" },
	[OPT_VERSION] = { "--version", NULL, NULL, false, true, "print the version" },
	[OPT_JSON] = { "--json", NULL, NULL, false, false,
		       "one JSON document; while a run is watched, one JSON object per line" },
	[OPT_PLAIN] = { "--plain", NULL, NULL, false, false,
			"linear text: no colour, no box, no cursor movement" },
	[OPT_CHECK] = { "--check", NULL, NULL, false, false,
			"exit with 7 when environments differ or something is not as it should "
			"be" },
	[OPT_DIFFERS] = { "--differs", NULL, NULL, false, false,
			  "only migrations that are not the same everywhere" },
	[OPT_TO] = { "--to", NULL, "ID", false, false, "up to and with this migration or version" },
	[OPT_DOWN] = { "--down", NULL, "file", false, false,
		       "run today's down files instead of the stored ones" },
	[OPT_DRY_RUN] = { "--dry-run", NULL, NULL, false, false,
			  "print the plan and its gates; change nothing" },
	[OPT_SQL] = { "--sql", NULL, NULL, false, false,
		      "print the statements that would run; change nothing" },
	[OPT_YES] = { "--yes", "-y", NULL, false, false,
		      "do not ask; a protected environment wants --confirm" },
	[OPT_CONFIRM] = { "--confirm", NULL, "NAME", false, false,
			  "the name of the environment, as confirmation" },
	[OPT_OVERRIDE] = { "--override", NULL, "GATE", false, false,
			   "pass this closed gate; needs --reason, is recorded; repeatable" },
	[OPT_REASON] = { "--reason", NULL, "TEXT", false, false, "why, for the record" },
	[OPT_STATEMENT] = { "--statement", NULL, "N", false, false,
			    "the statement of a migration that stopped inside" },
	[OPT_WAIT] = { "--wait", NULL, "TIME", true, false,
		       "wait for another operator's lock, at most TIME (such as 5m)" },
	[OPT_NO_DETACH] = { "--no-detach", NULL, NULL, false, false,
			    "an interrupt aborts the run instead of leaving it to itself" },
	[OPT_TERMINATE] = { "--terminate", NULL, NULL, false, false,
			    "end the session on the server that still holds the lock, and what it "
			    "is doing; needs --confirm" },
	[OPT_FINGERPRINT] = { "--fingerprint", NULL, "SHA256:…", false, false,
			      "the key that is expected, instead of a question" },
	[OPT_FOLLOW] = { "--follow", "-f", NULL, false, false, "go on with lines as they come" },
	[OPT_SINCE] = { "--since", NULL, "TIME", false, false,
			"from then on: 15m or 2h ago, 14:05, or 2026-11-21T14:07:32Z" },
	[OPT_TAIL] = { "--tail", NULL, "N", false, false, "the last N lines of each log" },
	[OPT_GREP] = { "--grep", NULL, "PATTERN", false, false,
		       "only records that match this regular expression (PCRE2; case counts when "
		       "it has a capital letter)" },
	[OPT_LEVEL] = { "--level", NULL, "LEVEL", false, false,
			"at least trace, debug, info, warn, error or fatal; what says none is info" },
	[OPT_ONCE] = { "--once", NULL, NULL, false, false,
		       "one try, without waiting for a service to become healthy" },
	[OPT_DOCS] = { "--print-docs", NULL, "PART", false, false,
		       "man page source of keys, options, commands, config or exit" },
};

bool args_has(const struct args *a, enum cli_option_id id)
{
	return (a->given & OPT_BIT(id)) != 0;
}

static int refuse_unknown(struct sv name, struct err *e)
{
	const char *names[OPT_COUNT], *near;
	char word[80];
	size_t i;

	for (i = 0; i < OPT_COUNT; i++)
		names[i] = cli_options[i].name;
	str_copy_sv(word, sizeof(word), name);
	err_set(e, ERR_USAGE, "cannot understand the option %s", word);
	near = str_nearest(word, names, OPT_COUNT);
	if (near != NULL)
		return err_hint(e, "did you mean %s?", near);
	return err_hint(e, "bascule help");
}

/* The option a word begins with; OPT_COUNT when it is none. */
static enum cli_option_id find_option(struct sv name)
{
	int i;

	for (i = 0; i < OPT_COUNT; i++)
		if (sv_eq_str(name, cli_options[i].name) ||
		    (cli_options[i].letter != NULL && sv_eq_str(name, cli_options[i].letter)))
			return (enum cli_option_id)i;
	return OPT_COUNT;
}

/* Takes one option and, where it has one, its value; *i is moved past what was used. */
static int take_option(int argc, char *const argv[], int *i, struct args *out, struct err *e)
{
	const char *word = argv[*i];
	const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	struct sv name = equals != NULL ? sv_n(word, (size_t)(equals - word)) : sv_of(word);
	enum cli_option_id id = find_option(name);
	const struct cli_option *o = &cli_options[id];
	const char *value = equals != NULL ? equals + 1 : NULL;

	if (id == OPT_COUNT)
		return refuse_unknown(name, e);
	if (value != NULL && o->value == NULL) {
		err_set(e, ERR_USAGE, "the option %s takes no value", o->name);
		return err_hint(e, "write %s alone", o->name);
	}
	if (o->value != NULL && value == NULL && !o->value_optional) {
		if (*i + 1 >= argc) {
			err_set(e, ERR_USAGE, "the option %s wants a value", o->name);
			return err_hint(e, "write %s %s", o->name, o->value);
		}
		value = argv[++*i];
	}
	if (id == OPT_OVERRIDE) {
		if (out->n_override == ARGS_OVERRIDES_MAX)
			return err_set(e, ERR_LIMIT, "more than %d overrides", ARGS_OVERRIDES_MAX);
		out->override[out->n_override++] = value;
	}
	out->given |= OPT_BIT(id);
	out->value[id] = value;
	return 0;
}

int args_parse(int argc, char *const argv[], struct args *out, struct err *e)
{
	bool only_words = false;
	int i;

	*out = (struct args){ 0 };
	for (i = 1; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (take_option(argc, argv, &i, out, e) != 0)
				return -1;
		} else if (out->n_word == ARGS_WORDS_MAX) {
			return err_set(e, ERR_USAGE, "more than %d words", ARGS_WORDS_MAX);
		} else {
			out->word[out->n_word++] = argv[i];
		}
	}
	return 0;
}

int args_allow(const struct args *a, unsigned allowed, const char *command, struct err *e)
{
	int i;

	for (i = 0; i < OPT_COUNT; i++) {
		if (!args_has(a, (enum cli_option_id)i) || cli_options[i].global ||
		    (allowed & OPT_BIT(i)) != 0)
			continue;
		err_set(e, ERR_USAGE, "%s does not take %s", command, cli_options[i].name);
		return err_hint(e, "bascule help %s", command);
	}
	return 0;
}
