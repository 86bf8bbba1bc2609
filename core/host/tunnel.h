/* SPDX-License-Identifier: MIT */
/*
 * Tunnels: a service that only a host can reach, offered as a private unix socket here. libpq takes its
 * folder, libmariadb its path, libcurl either. The folder (0700, in the run folder of the hosts' context)
 * belongs to the tunnel and goes with it.
 */
#ifndef HOST_TUNNEL_H
#define HOST_TUNNEL_H

#include "core/host/host.h"

struct tunnel;

/* port: also names the socket ".s.PGSQL.PORT", which is how libpq looks for it; 5432 when the target is a
 * unix socket. */
int tunnel_open(struct host *h, const struct host_target *t, int64_t deadline_ms, struct cancel *c,
		struct tunnel **out, struct err *e) MUST_CHECK;
void tunnel_close(struct tunnel *t);             /* NULL is fine */
const char *tunnel_path(const struct tunnel *t); /* of the socket */
const char *tunnel_dir(const struct tunnel *t);

#endif
