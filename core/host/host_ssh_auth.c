/* SPDX-License-Identifier: MIT */
/*
 * Authentication, in ssh's order: nothing, keys, keyboard-interactive, password; what the server accepts of
 * it and ssh's configuration allows.
 *
 * A server counts failures and hangs up after MaxAuthTries, 6 where nobody changed it. So keys are offered
 * sparingly (host_ssh_keys.c), and nothing is tried a sixth time. In the end it is said what was tried, what
 * was not and why, and what the server accepts: "permission denied" helps nobody.
 *
 * A server may want two of them. libssh2 does not tell that a key was only half of it, so before giving up
 * the server is asked once more what it accepts.
 */
#include "core/host/host_ssh.h"

#include <string.h>

#include "core/host/host_ssh_agent.h"

#define TEXT_MAX 2048
#define TRIES_MAX 5

void ssh_auth_note(struct ssh_auth *a, const char *what)
{
	strbuf_addf(&a->tried, "%s%s", a->tried.len > 0 ? ", " : "", what);
}

void ssh_auth_remark(struct ssh_auth *a, const char *remark, const char *remedy)
{
	strbuf_addf(&a->remark, "; %s", remark);
	if (a->remedy[0] == '\0')
		str_copy(a->remedy, sizeof(a->remedy), remedy);
}

static int refuse(struct ssh_link *l, struct err *e)
{
	struct ssh_auth *a = l->auth;

	err_set(e, ERR_REFUSED, "%s does not let us in as %s", l->host->name, a->user);
	err_detail(e, "tried: %s; it accepts %s%s",
		   a->tried.len > 0 ? strbuf_str(&a->tried) : "nothing", a->methods,
		   strbuf_str(&a->remark));
	return err_hint(e, "%s",
			a->remedy[0] != '\0' ? a->remedy
					     : "ssh-copy-id, or ask who administers it");
}

enum ssh_try ssh_auth_judge(struct ssh_link *l, int rc, struct err *e)
{
	struct ssh_auth *a = l->auth;

	if (rc == 0)
		return SSH_TRY_YES;
	if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED) {
		a->failures++;
		/* It would hang up, and nobody would know why. */
		if (a->failures < TRIES_MAX)
			return SSH_TRY_NO;
		ssh_auth_remark(
			a, "more tries would make it hang up",
			"name the right key in ssh's configuration: IdentityFile, IdentitiesOnly yes");
		refuse(l, e);
		return SSH_TRY_ERROR;
	}
	refuse(l, e);
	if (l->sock_ended || l->sock_error != 0)
		strbuf_addf(&a->remark, "; then it hung up");
	else
		strbuf_addf(&a->remark, "; %s", ssh_link_words(l));
	refuse(l, e);
	return SSH_TRY_ERROR;
}

/* Asks what the server accepts. YES: it wants nothing more. */
static enum ssh_try list_methods(struct ssh_link *l, struct err *e)
{
	struct ssh_auth *a = l->auth;
	char *list;

	/* The session holds it, but forgets it when it is asked again. */
	if (a->list != NULL)
		l->lib->free(l->session, a->list);
	a->list = NULL;
	for (;;) {
		list = l->lib->userauth_list(l->session, a->user, (unsigned int)strlen(a->user));
		if (list != NULL)
			break;
		if (l->lib->userauth_authenticated(l->session))
			return SSH_TRY_YES;
		if (l->lib->session_last_errno(l->session) != LIBSSH2_ERROR_EAGAIN) {
			err_set(e, ERR_LOST, "cannot connect to %s", l->host->name);
			err_detail(e, "%s", ssh_link_words(l));
			return SSH_TRY_ERROR;
		}
		if (ssh_link_wait(l, e) != 0)
			return SSH_TRY_ERROR;
	}
	str_copy(a->methods, sizeof(a->methods), list);
	a->list = list;
	return SSH_TRY_NO;
}

static enum ssh_try try_all(struct ssh_link *l, struct err *e)
{
	struct ssh_auth *a = l->auth;
	enum ssh_try t = SSH_TRY_NO;

	if (a->config->by_key && strstr(a->methods, "publickey") != NULL)
		t = ssh_auth_keys(l, e);
	if (t == SSH_TRY_NO)
		t = ssh_auth_prompts(l, e);
	return t;
}

static int authenticate(struct ssh_link *l, struct err *e)
{
	struct ssh_auth *a = l->auth;
	char before[sizeof(a->methods)];
	enum ssh_try t = list_methods(l, e);

	if (t == SSH_TRY_NO)
		t = try_all(l, e);
	if (t == SSH_TRY_NO && a->wanted) {
		str_copy(before, sizeof(before), a->methods);
		t = list_methods(l, e);
		if (t == SSH_TRY_NO && strcmp(before, a->methods) != 0)
			t = ssh_auth_prompts(l, e);
	}
	if (t == SSH_TRY_YES)
		return 0;
	return t == SSH_TRY_NO ? refuse(l, e) : -1;
}

int ssh_link_authenticate(struct ssh_link *l, const struct ssh_config *config, struct err *e)
{
	struct ssh_auth a = { .config = config, .user = config->user };
	struct strbuf subject;
	bool fits;
	int ret;

	strbuf_init(&subject, sizeof(a.subject) - 1);
	strbuf_addf(&subject, "%s@%s", config->user, config->host);
	if (config->port != SSH_DEFAULT_PORT)
		strbuf_addf(&subject, ":%d", config->port);
	if (config->jump != NULL)
		strbuf_addf(&subject, " through %s", config->jump);
	fits = strbuf_ok(&subject);
	str_copy(a.subject, sizeof(a.subject), strbuf_str(&subject));
	strbuf_clear(&subject);
	if (!fits) /* cut off, two hosts could share an answer */
		return err_set(e, ERR_LIMIT, "user, name and way of %s are longer than %zu bytes",
			       l->host->name, sizeof(a.subject) - 1);
	strbuf_init(&a.tried, TEXT_MAX);
	strbuf_init(&a.remark, TEXT_MAX);
	l->auth = &a;
	ret = authenticate(l, e);
	l->auth = NULL;
	if (a.agent != NULL) {
		ssh_agent_close(a.agent);
		mem_free(a.agent);
	}
	strbuf_clear(&a.tried);
	strbuf_clear(&a.remark);
	return ret;
}
