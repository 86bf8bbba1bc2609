/* SPDX-License-Identifier: MIT */
/*
 * Authentication by what a person types: keyboard-interactive, which is whatever the server asks, and
 * password.
 *
 * libssh2 wants the answers to the server's prompts from a callback, at once. Where one is missing, the
 * connection is silenced from there on, so that no empty answer reaches the server (it would count, and PAM
 * would wait two seconds), and given up with the question. What was answered is kept under user, host and
 * prompt. An answer that was wrong is forgotten and asked again: a code that changes every minute comes to
 * that too.
 */
#include "core/host/host_ssh.h"

#include <string.h>

#include "core/base/utf8.h"

static void clean(struct strbuf *out, struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		strbuf_addc(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
	}
}

/* "USER@HOST PROMPT" */
static void subject_of(const struct ssh_auth *a, struct sv prompt, char *out, size_t size)
{
	struct strbuf text;

	strbuf_init(&text, size - 1);
	strbuf_addf(&text, "%s ", a->subject);
	clean(&text, sv_trim(prompt));
	str_copy_sv(out, size, strbuf_sv(&text));
	strbuf_clear(&text);
}

static void prompt_missing(struct ssh_auth *a, struct sv prompt, bool echo)
{
	struct host_question *q = &a->question;
	struct strbuf text;

	if (a->asks)
		return; /* one after the other */
	a->asks = true;
	memset(q, 0, sizeof(*q));
	q->kind = HOST_QUESTION_PROMPT;
	q->echo = echo;
	subject_of(a, prompt, q->subject, sizeof(q->subject));
	strbuf_init(&text, sizeof(q->text) - 1);
	strbuf_addf(&text, "%s asks: ", a->subject);
	clean(&text, sv_trim(prompt));
	str_copy_sv(q->text, sizeof(q->text), strbuf_sv(&text));
	strbuf_clear(&text);
}

static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(respond)
{
	struct ssh_link *l = *abstract;
	struct ssh_auth *a = l->auth;

	(void)name;
	(void)name_len;
	(void)instruction;
	(void)instruction_len;
	for (int i = 0; i < num_prompts; i++) {
		struct sv prompt = sv_n((const char *)prompts[i].text, prompts[i].length);
		struct secret answer = { 0 };
		char subject[sizeof(a->question.subject)];

		responses[i].text = NULL;
		responses[i].length = 0;
		subject_of(a, prompt, subject, sizeof(subject));
		if (!host_answered(l->host, HOST_QUESTION_PROMPT, subject, &answer)) {
			prompt_missing(a, prompt, prompts[i].echo != 0);
			continue;
		}
		/* Should this one be refused, it is the one to be asked again. */
		str_copy(a->question.subject, sizeof(a->question.subject), subject);
		a->answered = true;
		responses[i].text = mem_strndup(answer.text, answer.n);
		responses[i].length = (unsigned int)answer.n;
		secret_clear(&answer);
	}
	if (a->asks)
		l->mute = true;
}

/* A wrong answer is asked for again. */
static enum ssh_try ask_again(struct ssh_link *l, struct host_question *q, struct err *e)
{
	struct strbuf text;

	host_answer_forget(l->host, q->kind, q->subject);
	strbuf_init(&text, sizeof(q->text) + 64);
	strbuf_addf(&text, "%s (the last answer was refused)", q->text);
	str_copy(q->text, sizeof(q->text), strbuf_str(&text));
	strbuf_clear(&text);
	host_ask(l->host, q, e);
	return SSH_TRY_ERROR;
}

static enum ssh_try try_interactive(struct ssh_link *l, struct err *e)
{
	struct ssh_auth *a = l->auth;
	enum ssh_try t;
	int rc;

	ssh_auth_note(a, "keyboard-interactive");
	a->asks = a->answered = false;
	memset(&a->question, 0, sizeof(a->question));
	while ((rc = l->lib->userauth_keyboard_interactive_ex(l->session, a->user,
							      (unsigned int)strlen(a->user),
							      respond)) == LIBSSH2_ERROR_EAGAIN &&
	       !a->asks)
		if (ssh_link_wait(l, e) != 0)
			return SSH_TRY_ERROR;
	if (a->asks) {
		host_ask(l->host, &a->question, e);
		return SSH_TRY_ERROR;
	}
	t = ssh_auth_judge(l, rc, e);
	if (t == SSH_TRY_YES || !a->answered)
		return t;
	a->question.kind = HOST_QUESTION_PROMPT;
	str_copy(a->question.text, sizeof(a->question.text), a->question.subject);
	return ask_again(l, &a->question, e);
}

static enum ssh_try try_password(struct ssh_link *l, struct err *e)
{
	struct host_question q = { .kind = HOST_QUESTION_PASSWORD };
	struct ssh_auth *a = l->auth;
	struct secret password = { 0 };
	struct strbuf text;
	enum ssh_try t;
	int rc;

	strbuf_init(&text, sizeof(q.text) - 1);
	strbuf_addf(&text, "password of %s", a->subject);
	str_copy(q.text, sizeof(q.text), strbuf_str(&text));
	strbuf_clear(&text);
	str_copy(q.subject, sizeof(q.subject), a->subject);
	if (!host_answered(l->host, HOST_QUESTION_PASSWORD, a->subject, &password)) {
		host_ask(l->host, &q, e);
		return SSH_TRY_ERROR;
	}
	ssh_auth_note(a, "password");
	while ((rc = l->lib->userauth_password_ex(
			l->session, a->user, (unsigned int)strlen(a->user), password.text,
			(unsigned int)password.n, NULL)) == LIBSSH2_ERROR_EAGAIN)
		if (ssh_link_wait(l, e) != 0)
			break;
	secret_clear(&password);
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return SSH_TRY_ERROR;
	if (rc == LIBSSH2_ERROR_PASSWORD_EXPIRED)
		ssh_auth_remark(a, "the password has to be changed first",
				"log in with ssh and change it");
	t = ssh_auth_judge(l, rc, e);
	return t == SSH_TRY_NO ? ask_again(l, &q, e) : t;
}

enum ssh_try ssh_auth_prompts(struct ssh_link *l, struct err *e)
{
	struct ssh_auth *a = l->auth;
	enum ssh_try t = SSH_TRY_NO;

	if (a->config->by_prompts && strstr(a->methods, "keyboard-interactive") != NULL)
		t = try_interactive(l, e);
	if (t == SSH_TRY_NO && a->config->by_password && strstr(a->methods, "password") != NULL)
		t = try_password(l, e);
	return t;
}
