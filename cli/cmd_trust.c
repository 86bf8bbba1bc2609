/* SPDX-License-Identifier: MIT */
/* `trust HOST`: shows the unknown key of a host and, when it is confirmed, has it written to known_hosts. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/hosts.h"
#include "cli/questions.h"
#include "core/base/clock.h"

#define KEYS_MAX 8 /* its own, and of those on the way to it */

/* As the configuration reaches it; one that is not in there as a new environment would reach it. */
static const struct host_spec *find_spec(const struct cli *c, const char *name,
					 struct host_spec *other)
{
	const struct project *p = c->project;
	const struct host_spec *list[256];

	for (size_t i = 0; i < p->n_env; i++) {
		const struct env *env = &p->env[i];
		size_t n = cli_hosts_of(env, list, sizeof(list) / sizeof(list[0]));

		for (size_t k = 0; k < env->n_host; k++)
			if (strcmp(env->host[k]->name, name) == 0)
				return env->host[k];
		for (size_t k = 0; k < n; k++)
			if (strcmp(list[k]->name, name) == 0)
				return list[k];
	}
	*other = (struct host_spec){ .name = name,
				     .transport = HOST_LIBSSH2,
				     .connect_timeout_ms = 10000,
				     .alive_ms = 5000 };
	return other;
}

static int check_name(const char *name, struct err *e)
{
	const char *hint;

	if (!config_host_ok(sv_of(name), &hint)) {
		err_set(e, ERR_USAGE, "cannot reach %s: that is no name of a machine", name);
		return err_hint(e, "%s", hint);
	}
	if (strcmp(name, "local") != 0)
		return 0;
	err_set(e, ERR_USAGE, "this machine has no host key to trust");
	return err_hint(e, "bascule trust HOST");
}

static int say_trusted(const struct host_question *q, struct err *e)
{
	struct strbuf out;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	add_clean(&out, q->host);
	strbuf_adds(&out, " is trusted: ");
	add_clean(&out, q->key_type);
	strbuf_addc(&out, ' ');
	add_clean(&out, q->sha256);
	strbuf_addc(&out, '\n');
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

static int say_known(const char *name, bool asked_to_compare, struct err *e)
{
	struct strbuf out;
	int rc;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "%s: its key is known already%s\n", name,
		    asked_to_compare ? ", the fingerprint was not compared" : "");
	rc = print_out(strbuf_sv(&out), e);
	strbuf_clear(&out);
	return rc;
}

/* Connects; 1 with q when a key is asked about, 0 when all keys are known. */
static int next_key(struct host *h, int64_t timeout_ms, struct host_question *q, struct err *e)
{
	static const char *const words[] = { "true", NULL };
	const struct host_command cmd = { .argv = words };

	if (host_run(h, &cmd, NULL, NULL, NULL, clock_mono_ms() + timeout_ms, NULL, e) == 0)
		return 0;
	/* The ssh program asks a person itself, so there is no question here: e says how. */
	if (e->code != ERR_ASKS || !host_question(h, q))
		return -1;
	return q->kind == HOST_QUESTION_KEY ? 1 : 0;
}

int cmd_trust(struct cli *c, struct err *e)
{
	const char *name = cli_word(c, 0), *fingerprint = c->args.value[OPT_FINGERPRINT];
	const struct host_spec *spec;
	struct host_spec other;
	struct host_question q;
	struct host *h;
	int more = 0, n;

	if (check_name(name, e) != 0 || (c->ctx.hosts == NULL && cli_hosts_start(c, false, e) != 0))
		return -1;
	spec = find_spec(c, name, &other);
	h = hosts_get(c->ctx.hosts, spec);
	for (n = 0; n < KEYS_MAX; n++) {
		more = next_key(h, spec->connect_timeout_ms, &q, e);
		if (more <= 0)
			break;
		/* The fingerprint is of one key: of a second one nothing was said. */
		if (cli_ask_key(h, &q, fingerprint, e) != 0 || say_trusted(&q, e) != 0)
			return -1;
	}
	/* Behind its keys it may still refuse us: that is another matter than trust. */
	if (more < 0 && n == 0)
		return -1;
	return n == 0 ? say_known(name, fingerprint != NULL, e) : 0;
}
