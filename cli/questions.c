/* SPDX-License-Identifier: MIT */
/*
 * What only a person can decide or knows, asked in time.
 *
 * A request to a host that needs an answer fails with ERR_ASKS and can be made again. So a command that
 * changes something connects its hosts first, in threads (connecting takes as long as the slowest), and asks
 * one question after the other on the terminal; then its work, and the runner, find what was answered. A
 * command that looks at many environments does its look first and asks behind it: most of the time nothing
 * is asked, and a host that is gone must not be waited for twice.
 *
 * Whoever has no terminal is told the command that answers: `bascule trust`, or what puts a key into the agent.
 */
#include "cli/questions.h"

#include <pthread.h>
#include <string.h>

#include "cli/ask.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/secret.h"

#define ROUNDS_MAX 12    /* a jump host's key, its passphrase, the next one's key … */
#define WRONG_MAX 3      /* of one question */
#define MUTE_MAX 2       /* tries of a host that wants an answer and has no question */
#define KEY_CHARACTERS 4 /* of a fingerprint, typed */

/* --- One question -------------------------------------------------------------------------------- */

int cli_question_err(const struct host_question *q, struct err *e)
{
	err_set(e, ERR_ASKS, "cannot reach %s", q->host);
	if (q->kind == HOST_QUESTION_KEY) {
		err_detail(e, "its host key is not known: %s %s", q->key_type, q->sha256);
		return err_hint(e, "bascule trust %s", q->host);
	}
	err_detail(e, "it asks for the %s, and there is no terminal", q->text);
	return err_hint(e, q->kind == HOST_QUESTION_PASSPHRASE
				   ? "put the key into the agent (ssh-add), or run it on a terminal"
				   : "run it on a terminal, or log in with a key");
}

static void words_of(const struct host_question *q, struct strbuf *out)
{
	if (q->kind == HOST_QUESTION_KEY) {
		strbuf_adds(out, "The host key of ");
		add_clean(out, q->host);
		strbuf_adds(out, " is not known:\n  ");
		add_clean(out, q->key_type);
		strbuf_addc(out, ' ');
		add_clean(out, q->sha256);
		strbuf_addf(out,
			    "\nCompare it with what its operator says. To trust it, type its last "
			    "%d characters: ",
			    KEY_CHARACTERS);
		return;
	}
	add_clean(out, q->host);
	strbuf_adds(out, ": ");
	add_clean(out, q->text);
	strbuf_adds(out, q->kind == HOST_QUESTION_PROMPT ? " " : ": ");
}

/* Asks q and answers it. */
static int ask_one(struct host *h, const struct host_question *q, struct err *e)
{
	bool echo = q->kind == HOST_QUESTION_KEY || q->echo;
	struct strbuf words, answer;
	int rc;

	strbuf_init(&words, STRBUF_NO_LIMIT);
	strbuf_init(&answer, SECRET_MAX);
	strbuf_room(&answer, SECRET_MAX);
	words_of(q, &words);
	rc = ask_line(strbuf_str(&words), echo, &answer, e);
	if (rc == 0 && !echo)
		secret_know(strbuf_str(&answer));
	if (rc == 0)
		rc = host_answer(h, q->id, strbuf_str(&answer), e);
	/* Another one is asked meanwhile: that is next. */
	if (rc != 0 && e->code == ERR_NOT_FOUND)
		rc = 0;
	else if (rc != 0)
		err_wrap(e, "cannot reach %s", q->host);
	secret_clear_buf(&answer);
	strbuf_clear(&words);
	return rc;
}

static int compare_key(struct host *h, const struct host_question *q, const char *fingerprint,
		       struct err *e)
{
	static const char prefix[] = "SHA256:";
	const char *given = fingerprint, *is = q->sha256;
	size_t n;

	given += strncmp(given, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
	is += strncmp(is, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
	n = strlen(is);
	if (strcmp(given, is) == 0 && n >= KEY_CHARACTERS)
		return host_answer(h, q->id, is + n - KEY_CHARACTERS, e);
	err_set(e, ERR_GATE, "cannot trust the key of %s", q->host);
	err_detail(e, "it is %s %s, and not %s%s", q->key_type, q->sha256, prefix, given);
	/* What the network says again is no proof: it says what it said to us. */
	return err_hint(e, "on %s itself: ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub", q->host,
			strstr(q->key_type, "ecdsa") != NULL ? "ecdsa"
			: strstr(q->key_type, "rsa") != NULL ? "rsa"
							     : "ed25519");
}

int cli_ask_key(struct host *h, const struct host_question *q, const char *fingerprint,
		struct err *e)
{
	int rc = -1;

	if (fingerprint != NULL)
		return compare_key(h, q, fingerprint, e);
	if (!ask_possible()) {
		cli_question_err(q, e);
		return err_hint(e, "bascule trust %s --fingerprint %s", q->host, q->sha256);
	}
	for (int i = 0; rc != 0 && i < WRONG_MAX; i++) {
		rc = ask_one(h, q, e);
		if (rc != 0 && e->code != ERR_GATE)
			return -1;
		if (rc != 0 && i + 1 < WRONG_MAX)
			ask_say("These are not its last characters.\n");
	}
	return rc;
}

/* --- Many hosts ---------------------------------------------------------------------------------- */

struct ready {
	struct host *host;
	const struct host_spec *spec;
	struct err err; /* ERR_OK: it is connected */
	struct host_question last;
	int asked; /* how often the question in last was put */
	int mute;  /* how often it wanted an answer and had no question */
	pthread_t thread;
	bool started;
};

static void *connect_one(void *arg)
{
	static const char *const words[] = { "true", NULL };
	const struct host_command cmd = { .argv = words };
	struct ready *r = arg;

	if (host_run(r->host, &cmd, NULL, NULL, NULL, clock_mono_ms() + r->spec->connect_timeout_ms,
		     NULL, &r->err) == 0)
		err_clear(&r->err);
	return NULL;
}

/* Whether it is to be tried again. The ssh program puts its questions itself, which it must not do here: its error
 * says what to do, and trying on would look like an attack there. */
static bool asks_on(const struct ready *r)
{
	return r->err.code == ERR_ASKS && r->mute < MUTE_MAX;
}

static void connect_all(struct ready *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		list[i].started = false;
		if (!asks_on(&list[i]))
			continue;
		list[i].started = pthread_create(&list[i].thread, NULL, connect_one, &list[i]) == 0;
		if (!list[i].started)
			connect_one(&list[i]);
	}
	for (i = 0; i < n; i++)
		if (list[i].started)
			pthread_join(list[i].thread, NULL);
}

/* The second time a transport may add that the last answer was wrong. */
static bool same_question(const struct host_question *a, const struct host_question *before)
{
	return a->kind == before->kind && strcmp(a->host, before->host) == 0 &&
	       strncmp(a->text, before->text, strlen(before->text)) == 0;
}

static int answer_one(struct ready *r, struct err *e)
{
	struct host_question q;

	/* Somebody else's answer may have done. */
	if (!host_question(r->host, &q)) {
		r->mute++;
		return 0;
	}
	if (!ask_possible())
		return cli_question_err(&q, e);
	if (same_question(&q, &r->last)) {
		r->asked++;
	} else {
		r->asked = 1;
		r->last = q;
	}
	if (r->asked > WRONG_MAX) {
		err_set(e, ERR_SYSTEM, "cannot reach %s", r->spec->name);
		err_detail(e, "%d wrong answers: %s", WRONG_MAX, r->last.text);
		return err_hint(e, "ssh %s", r->spec->name);
	}
	if (r->asked > 1 && strcmp(q.text, r->last.text) == 0)
		ask_say("That was not right.\n");
	return q.kind == HOST_QUESTION_KEY ? cli_ask_key(r->host, &q, NULL, e)
					   : ask_one(r->host, &q, e);
}

/* The hosts of spec, each of them once, none of them this machine. */
static size_t distinct(struct cli *c, const struct host_spec *const *spec, size_t n,
		       struct ready *list)
{
	size_t count = 0, k;

	for (size_t i = 0; i < n; i++) {
		struct host *h;

		if (spec[i]->transport == HOST_LOCAL)
			continue;
		h = hosts_get(c->ctx.hosts, spec[i]);
		for (k = 0; k < count && list[k].host != h; k++)
			;
		if (k == count)
			list[count++] = (struct ready){ .host = h,
							.spec = spec[i],
							.err = { .code = ERR_ASKS } };
	}
	return count;
}

int cli_hosts_ready(struct cli *c, const struct host_spec *const *spec, size_t n, struct err *e)
{
	struct ready *list;
	bool asks = true;
	int rc = 0;

	if (n == 0 || c->ctx.hosts == NULL)
		return 0;
	list = mem_calloc(n, sizeof(*list));
	n = distinct(c, spec, n, list);
	for (int round = 0; rc == 0 && asks && round < ROUNDS_MAX; round++) {
		connect_all(list, n);
		asks = false;
		for (size_t i = 0; rc == 0 && i < n; i++)
			if (asks_on(&list[i])) {
				asks = true;
				rc = answer_one(&list[i], e);
			}
	}
	if (rc == 0 && n == 1 && list[0].err.code != ERR_OK) {
		*e = list[0].err;
		rc = -1;
	}
	mem_free(list);
	return rc;
}

void cli_hosts_connect(struct cli *c, const struct host_spec *const *spec, size_t n,
		       struct err *err)
{
	struct ready *list = mem_calloc(n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = (struct ready){ .host = hosts_get(c->ctx.hosts, spec[i]),
					  .spec = spec[i],
					  .err = { .code = ERR_ASKS } };
	connect_all(list, n);
	for (size_t i = 0; i < n; i++)
		err[i] = list[i].err;
	mem_free(list);
}

int cli_hosts_answer(struct cli *c, const struct host_spec *const *spec, size_t n, bool *any,
		     struct err *e)
{
	struct host_question q;

	*any = false;
	if (c->ctx.hosts == NULL || !ask_possible())
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (spec[i]->transport == HOST_LOCAL ||
		    !host_question(hosts_get(c->ctx.hosts, spec[i]), &q))
			continue;
		/* It answered a moment ago, so asking it again is quick. */
		if (cli_hosts_ready(c, &spec[i], 1, e) == 0)
			*any = true;
		else if (e->code == ERR_CANCELLED)
			return -1;
	}
	return 0;
}

size_t cli_hosts_of(const struct env *env, const struct host_spec **list, size_t max)
{
	size_t n = 0;

	if (env->database_via != NULL && n < max)
		list[n++] = env->database_via;
	for (size_t i = 0; i < env->n_service; i++)
		for (size_t k = 0; k < env->service[i].n_host; k++) {
			size_t at;

			for (at = 0; at < n && list[at] != env->service[i].host[k]; at++)
				;
			if (at == n && n < max)
				list[n++] = env->service[i].host[k];
		}
	return n;
}
