/* SPDX-License-Identifier: MIT */
#include "core/host/host_ssh_agent.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/host/dial.h"
#include "core/host/ssh_key.h"

#define REPLY_MAX ((size_t)256 << 10)
#define KEYS_MAX 256

enum { AGENT_LIST = 11, AGENT_LIST_ANSWER = 12, AGENT_SIGN = 13, AGENT_SIGN_ANSWER = 14 };

static int wait_agent(struct ssh_agent *a, short events, int64_t deadline_ms, struct cancel *c,
		      struct err *e)
{
	struct pollfd fd = { .fd = a->fd, .events = events };
	int ready = wait_fds(&fd, 1, deadline_ms, c, e);

	if (ready == 0)
		return err_set(e, ERR_TIMEOUT, "the agent did not answer in time");
	return ready < 0 ? -1 : 0;
}

static int send_all(struct ssh_agent *a, struct sv bytes, int64_t deadline_ms, struct cancel *c,
		    struct err *e)
{
	while (bytes.n > 0) {
		ssize_t n = send(a->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n > 0)
			bytes = sv_n(bytes.p + n, bytes.n - (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, errno, "cannot write to the agent");
		else if (wait_agent(a, POLLOUT, deadline_ms, c, e) != 0)
			return -1;
	}
	return 0;
}

static int read_all(struct ssh_agent *a, char *p, size_t n, int64_t deadline_ms, struct cancel *c,
		    struct err *e)
{
	while (n > 0) {
		ssize_t got = recv(a->fd, p, n, 0);

		if (got == 0)
			return err_set(e, ERR_LOST, "the agent closed the connection");
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		} else if (errno != EAGAIN && errno != EINTR) {
			return err_sys(e, errno, "cannot read from the agent");
		} else if (wait_agent(a, POLLIN, deadline_ms, c, e) != 0) {
			return -1;
		}
	}
	return 0;
}

/* Sends message and reads the answer, which must be of that type; out gets it without the type. */
static int ask(struct ssh_agent *a, struct sv message, int type, struct strbuf *out,
	       int64_t deadline_ms, struct cancel *c, struct err *e)
{
	struct strbuf framed;
	struct sv head;
	char bytes[5];
	uint32_t n;
	int ret;

	strbuf_init(&framed, REPLY_MAX);
	ssh_wire_add_string(&framed, message);
	ret = send_all(a, strbuf_sv(&framed), deadline_ms, c, e);
	strbuf_clear(&framed);
	if (ret != 0 || read_all(a, bytes, sizeof(bytes), deadline_ms, c, e) != 0)
		return -1;
	head = sv_n(bytes, 4);
	if (!ssh_wire_u32(&head, &n) || n < 1 || n > REPLY_MAX)
		return err_set(e, ERR_INPUT, "the agent said something that makes no sense");
	if (bytes[4] != type)
		return err_set(e, ERR_REFUSED, "the agent refused");
	if (n > 1) {
		char *room = strbuf_room(out, n - 1);

		if (read_all(a, room, n - 1, deadline_ms, c, e) != 0)
			return -1;
		strbuf_grew(out, n - 1);
	}
	return 0;
}

static int list(struct ssh_agent *a, int64_t deadline_ms, struct cancel *c, struct err *e)
{
	const char request = AGENT_LIST;
	struct strbuf answer;
	struct sv rest, blob, comment, type;
	uint32_t n = 0;
	int ret;

	strbuf_init(&answer, REPLY_MAX);
	ret = ask(a, sv_n(&request, 1), AGENT_LIST_ANSWER, &answer, deadline_ms, c, e);
	rest = arena_sv(&a->arena, strbuf_sv(&answer));
	strbuf_clear(&answer);
	if (ret != 0)
		return -1;
	if (!ssh_wire_u32(&rest, &n) || n > KEYS_MAX)
		return err_set(e, ERR_INPUT, "the agent said something that makes no sense");
	a->key = arena_alloc(&a->arena, (n + 1) * sizeof(*a->key));
	while (a->n < n && ssh_wire_string(&rest, &blob) && ssh_wire_string(&rest, &comment)) {
		struct ssh_agent_key *key = &a->key[a->n++];
		struct sv inner = blob;

		key->blob = blob;
		key->comment = arena_strndup(&a->arena, comment.p, comment.n);
		if (ssh_wire_string(&inner, &type))
			str_copy_sv(key->type, sizeof(key->type), type);
	}
	return 0;
}

int ssh_agent_open(struct ssh_agent *a, const char *path, int64_t deadline_ms, struct cancel *c,
		   struct err *e)
{
	const struct host_target target = { .path = path };

	memset(a, 0, sizeof(*a));
	a->fd = -1;
	arena_init(&a->arena);
	if (dial_target(&target, deadline_ms, c, &a->fd, e) != 0)
		return -1;
	return list(a, deadline_ms, c, e);
}

void ssh_agent_close(struct ssh_agent *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->n = 0;
	arena_clear(&a->arena);
}

int ssh_agent_sign(struct ssh_agent *a, struct sv blob, struct sv data, uint32_t flags,
		   int64_t deadline_ms, struct cancel *c, struct sv *out, struct err *e)
{
	struct strbuf message, answer;
	struct sv rest, signature, name, bytes;
	int ret;

	strbuf_init(&message, REPLY_MAX);
	strbuf_init(&answer, REPLY_MAX);
	strbuf_addc(&message, AGENT_SIGN);
	ssh_wire_add_string(&message, blob);
	ssh_wire_add_string(&message, data);
	ssh_wire_add_u32(&message, flags);
	ret = ask(a, strbuf_sv(&message), AGENT_SIGN_ANSWER, &answer, deadline_ms, c, e);
	rest = strbuf_sv(&answer);
	if (ret == 0 &&
	    (!ssh_wire_string(&rest, &signature) || !ssh_wire_string(&signature, &name) ||
	     !ssh_wire_string(&signature, &bytes)))
		ret = err_set(e, ERR_INPUT, "the agent said something that makes no sense");
	if (ret == 0) {
		char *copy = mem_alloc(bytes.n + 1);

		memcpy(copy, bytes.p, bytes.n);
		*out = sv_n(copy, bytes.n);
	}
	strbuf_clear(&message);
	strbuf_clear(&answer);
	return ret;
}
