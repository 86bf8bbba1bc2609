/* SPDX-License-Identifier: MIT */
/*
 * Opening channels.
 *
 * libssh2 keeps the state of an opening in the session, so one is opened after another; commands are then
 * started side by side, since that state is the channel's.
 *
 * A server that refuses to open a session says only "connect failed". What it means follows from what we
 * know. When commands of this connection are still running, their number is what it allows on one: the
 * channel goes to another connection, and new ones are given no more than that. When none is running but some
 * have run, the server still counts one of them (it does until the process is gone, which is later than the
 * channel's close): the connection takes nothing more, and the channel goes to another one. When none has
 * ever run, the server does not run commands.
 */
#include "core/host/host_ssh.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/host/ssh_key.h"

#define PACKET_SIZE LIBSSH2_CHANNEL_PACKET_DEFAULT
#define TRIES_SAME 4
#define TRIES_MAX 40 /* to open one channel, on all connections together */

static LIBSSH2_CHANNEL *open_now(struct ssh_link *l, struct ssh_channel *ch)
{
	static const char tcp[] = "direct-tcpip", local[] = "direct-streamlocal@openssh.com";
	const char *type = ch->kind == SSH_TCP ? tcp : local;
	struct strbuf *m = &ch->message;

	if (ch->kind == SSH_EXEC)
		return l->lib->channel_open_ex(l->session, "session", 7,
					       ch->bulk ? SSH_WINDOW_BULK : SSH_WINDOW, PACKET_SIZE,
					       NULL, 0);
	/* Of the same address each time it is called. */
	if (m->len == 0) {
		ssh_wire_add_string(m, sv_of(ch->text));
		if (ch->kind == SSH_TCP)
			ssh_wire_add_u32(m, (uint32_t)ch->port);
		ssh_wire_add_string(m, ch->kind == SSH_TCP ? SV("127.0.0.1") : SV(""));
		ssh_wire_add_u32(m, 0);
	}
	return l->lib->channel_open_ex(l->session, type, (unsigned int)strlen(type),
				       SSH_WINDOW_DIAL, PACKET_SIZE, m->data, (unsigned int)m->len);
}

void ssh_channel_drop(struct ssh_link *l, struct ssh_channel *ch, const struct err *why, bool again)
{
	struct ssh_channel **at = &l->channels;
	struct ssh_state *s = l->state;

	for (size_t i = 0; i < SSH_ENDS; i++)
		ssh_link_disarm(l, &ch->end[i]);
	while (*at != ch)
		at = &(*at)->next;
	*at = ch->next;
	if (l->opening == ch)
		l->opening = NULL;
	if (l->alive == ch)
		l->alive = NULL;
	ch->ssh = NULL;
	pthread_mutex_lock(&s->lock);
	l->n_channel--;
	if (ch->kind == SSH_EXEC)
		l->n_session--;
	ch->link = NULL;
	if (!again) {
		/* Readers see the end at once, also of one that is kept for its result. */
		for (size_t i = 0; i < SSH_ENDS; i++) {
			if (ch->end[i].fd >= 0)
				close(ch->end[i].fd);
			ch->end[i].fd = -1;
		}
		ssh_channel_fail(ch, why);
		ssh_dispatch(s); /* there is room for another one */
	}
	pthread_mutex_unlock(&s->lock);
	if (again)
		ssh_submit(s, ch);
	ssh_channel_unref(ch);
}

static void opened(struct ssh_channel *ch)
{
	struct ssh_state *s = ch->state;

	pthread_mutex_lock(&s->lock);
	ch->phase = SSH_RUNS;
	ssh_channel_opened(ch);
	pthread_mutex_unlock(&s->lock);
}

/* --- What went wrong --------------------------------------------------------------------------- */

static void stream_error(struct ssh_link *l, const struct ssh_channel *ch, const char *words,
			 struct err *e)
{
	bool forbidden = strstr(words, "prohibited") != NULL ||
			 strstr(words, "unknown channel type") != NULL;

	if (ch->kind == SSH_TCP)
		err_set(e, forbidden ? ERR_UNSUPPORTED : ERR_NOT_FOUND,
			"cannot reach %s port %d from %s", ch->text, ch->port, l->host->name);
	else
		err_set(e, forbidden ? ERR_UNSUPPORTED : ERR_NOT_FOUND, "cannot reach %s on %s",
			ch->text, l->host->name);
	err_detail(e, "%s", words);
	if (forbidden)
		err_hint(e, "%s in its sshd_config",
			 ch->kind == SSH_TCP ? "set AllowTcpForwarding yes"
					     : "set AllowStreamLocalForwarding yes");
	else
		err_hint(e, "look whether it runs there, and who may open it");
}

static size_t sessions_open(const struct ssh_link *l)
{
	size_t n = 0;

	for (const struct ssh_channel *ch = l->channels; ch != NULL; ch = ch->next)
		n += ch->kind == SSH_EXEC && ch->ssh != NULL;
	return n;
}

/* Whether another connection may do what this one was refused. */
static bool learn_limit(struct ssh_link *l, const struct ssh_channel *ch)
{
	struct ssh_state *s = l->state;
	size_t n = sessions_open(l);

	if (n == 0 && l->n_opened == 0)
		return false;
	pthread_mutex_lock(&s->lock);
	/* Its count may be as low as ours a round trip later. */
	if (n == 0 && ch->tries % TRIES_SAME == 0)
		l->retires = true;
	else if (n > 0)
		l->session_max = n;
	/* Only where nothing has ended can the server not have counted more than we do. */
	if (n > 0 && n == l->n_opened && n < s->session_max)
		s->session_max = n;
	pthread_mutex_unlock(&s->lock);
	return true;
}

static void open_failed(struct ssh_link *l, struct ssh_channel *ch)
{
	bool refused = l->lib->session_last_errno(l->session) == LIBSSH2_ERROR_CHANNEL_FAILURE;
	const char *words = ssh_link_words(l);
	struct err e;

	if (!refused) {
		err_set(&e, ERR_LOST, "the connection to %s broke", l->host->name);
		err_detail(&e, "%s", words);
		l->sock_ended = true;
		ssh_channel_drop(l, ch, &e, ch->tries < 3);
		return;
	}
	if (ch->kind != SSH_EXEC) {
		stream_error(l, ch, words, &e);
		ssh_channel_drop(l, ch, &e, false);
		return;
	}
	err_set(&e, ERR_REFUSED, "%s does not let us run commands", l->host->name);
	err_detail(&e, "%s", words);
	err_hint(&e, "look at MaxSessions in its sshd_config, and at its log");
	ssh_channel_drop(l, ch, &e, learn_limit(l, ch) && ch->tries < TRIES_MAX);
}

/* --- Steps ------------------------------------------------------------------------------------- */

static struct ssh_channel *next_to_open(struct ssh_link *l)
{
	for (struct ssh_channel *ch = l->channels; ch != NULL; ch = ch->next)
		if (ch->phase == SSH_WAITS)
			return ch;
	return NULL;
}

static void set_phase(struct ssh_channel *ch, enum ssh_phase phase)
{
	pthread_mutex_lock(&ch->state->lock);
	ch->phase = phase;
	pthread_mutex_unlock(&ch->state->lock);
}

/* Nothing to be opened: that it was given to a connection that works is all that is wanted. */
static void there(struct ssh_link *l, struct ssh_channel *ch)
{
	struct err e;

	opened(ch);
	err_set(&e, ERR_CANCELLED, "done");
	ssh_channel_drop(l, ch, &e, false);
}

void ssh_link_open_next(struct ssh_link *l)
{
	for (;;) {
		struct ssh_channel *ch = l->opening;

		if (ch == NULL) {
			ch = l->opening = next_to_open(l);
			if (ch == NULL)
				return;
			ch->tries++;
			ch->asked_us = clock_mono_us();
			set_phase(ch, SSH_OPENS);
		}
		if (ch->kind == SSH_NONE) {
			there(l, ch);
			continue;
		}
		ch->ssh = open_now(l, ch);
		if (ch->ssh == NULL &&
		    l->lib->session_last_errno(l->session) == LIBSSH2_ERROR_EAGAIN)
			return;
		l->opening = NULL;
		if (ch->ssh == NULL) {
			open_failed(l, ch);
			continue;
		}
		l->more = true; /* a round for what can be done now */
		if (ch->kind == SSH_EXEC) {
			/* Of a stream it would hold the way from there on too. */
			host_set_round_trip(l->host, clock_mono_us() - ch->asked_us);
			l->n_opened++;
			set_phase(ch, SSH_STARTS);
		} else {
			opened(ch);
		}
	}
}

bool ssh_channel_start_step(struct ssh_link *l, struct ssh_channel *ch)
{
	int rc = l->lib->channel_process_startup(ch->ssh, "exec", 4, ch->text,
						 (unsigned int)strlen(ch->text));
	struct err e;

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return false;
	if (rc == 0) {
		opened(ch);
		return true;
	}
	if (rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED) {
		err_set(&e, ERR_REFUSED, "%s does not let us run commands", l->host->name);
		err_detail(&e, "%s", ssh_link_words(l));
		err_hint(&e, "look at its log, and at the login shell of the user");
	} else {
		err_set(&e, ERR_LOST, "nobody knows whether %s ran a command", l->host->name);
		err_detail(&e, "%s", ssh_link_words(l));
	}
	pthread_mutex_lock(&l->state->lock);
	ssh_channel_fail(ch, &e);
	pthread_mutex_unlock(&l->state->lock);
	ssh_channel_abort(l, ch);
	return true;
}
