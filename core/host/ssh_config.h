/* SPDX-License-Identifier: MIT */
/*
 * What ssh's own configuration says of a host, as `ssh -G` prints it.
 *
 * Plain data, in an arena of its own. Paths are absolute where ssh's would be: ~ and the %-words of
 * ssh_config(5) are filled in.
 */
#ifndef HOST_SSH_CONFIG_H
#define HOST_SSH_CONFIG_H

#include "core/base/cancel.h"
#include "core/base/mem.h"
#include "core/host/host.h"

#define SSH_CONFIG_MAX ((size_t)256 << 10) /* bytes that ssh -G may print */
#define SSH_CONFIG_FILES_MAX 64            /* key files, and known_hosts files, of one host */
#define SSH_DEFAULT_PORT 22

/* [USER@]HOST[:PORT] in its parts. [v6]:port and ssh://… are understood. */
struct ssh_target {
	struct sv user; /* empty: not said */
	struct sv host;
	int port; /* 0: not said */
};

/* ERR_CONFIG when it is none. The views borrow from name. */
int ssh_target_parse(struct sv name, struct ssh_target *out, struct err *e) MUST_CHECK;

struct ssh_config {
	struct arena arena;
	const char *host, *user;
	int port;
	const char *alias; /* HostKeyAlias; NULL: none */
	const char **identity;
	size_t n_identity;
	const char **certificate; /* CertificateFile */
	size_t n_certificate;
	bool identities_only;
	const char *agent;  /* socket; NULL: none */
	const char **known; /* the user's known_hosts files, then the global ones */
	size_t n_known;
	const char *known_first; /* where new keys go; NULL: nowhere */
	bool hash_known_hosts;
	const char *jump;                     /* ProxyJump; NULL: none */
	const char *proxy;                    /* ProxyCommand; NULL: none */
	const char *revoked;                  /* RevokedHostKeys; NULL: none */
	bool by_key, by_prompts, by_password; /* what the user lets us try */
	bool program;                         /* ssh was asked; else these are its defaults */
};

/* Fills out from what ssh -G printed; name as given to ssh. Needs ssh_config_clear in any case. */
void ssh_config_parse(struct ssh_config *out, struct sv text, const struct ssh_target *target,
		      const struct host_context *ctx);
/* Asks ssh, with ctx->ssh_config as its -F. Without an ssh program: what ssh has where nothing is configured. */
int ssh_config_read(struct ssh_config *out, const struct ssh_target *target,
		    const struct host_context *ctx, int64_t deadline_ms, struct cancel *c,
		    struct err *e) MUST_CHECK;
void ssh_config_clear(struct ssh_config *c);

/* The name of c's host in known_hosts files: its alias, or its name. An alias stands for all ports. */
const char *ssh_config_known_name(const struct ssh_config *c, int *port);

#endif
