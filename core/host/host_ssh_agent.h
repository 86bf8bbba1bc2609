/* SPDX-License-Identifier: MIT */
/*
 * A client of ssh's agent (draft-miller-ssh-agent). Ours and not libssh2's, because that one waits for an agent as
 * long as it likes, and an agent may ask a person before it signs.
 */
#ifndef HOST_HOST_SSH_AGENT_H
#define HOST_HOST_SSH_AGENT_H

#include "core/base/cancel.h"
#include "core/base/mem.h"

struct ssh_agent_key {
	struct sv blob;
	char type[64];
	const char *comment;
	bool used; /* the caller's */
};

struct ssh_agent {
	int fd;
	struct arena arena;
	struct ssh_agent_key *key;
	size_t n;
};

/* Connects and lists its keys. */
int ssh_agent_open(struct ssh_agent *a, const char *path, int64_t deadline_ms, struct cancel *c,
		   struct err *e) MUST_CHECK;
void ssh_agent_close(struct ssh_agent *a); /* also of one that is all zeroes but fd -1 */
/* The signature of data by the key blob, without the name of its algorithm, malloced. rsa: the flags that say which
 * SHA is wanted of an RSA key. */
int ssh_agent_sign(struct ssh_agent *a, struct sv blob, struct sv data, uint32_t flags,
		   int64_t deadline_ms, struct cancel *c, struct sv *out, struct err *e) MUST_CHECK;

#endif
