/* SPDX-License-Identifier: MIT */
#include "core/host/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/host/host_ops.h"

struct tunnel {
	char *dir, *path;
	struct host_forward *forward;
};

int tunnel_open(struct host *h, const struct host_target *t, int64_t deadline_ms, struct cancel *c,
		struct tunnel **out, struct err *e)
{
	struct tunnel *tunnel = mem_calloc(1, sizeof(*tunnel));
	struct strbuf path;

	strbuf_init(&path, STRBUF_NO_LIMIT);
	strbuf_addf(&path, "%s/tXXXXXX", h->ctx->run_dir);
	tunnel->dir = strbuf_detach(&path);
	if (mkdtemp(tunnel->dir) == NULL) {
		err_sys(e, errno, "cannot make a folder for a tunnel in %s", h->ctx->run_dir);
		mem_free(tunnel->dir);
		mem_free(tunnel);
		return -1;
	}
	strbuf_init(&path, STRBUF_NO_LIMIT);
	strbuf_addf(&path, "%s/.s.PGSQL.%d", tunnel->dir, t->path != NULL ? 5432 : t->port);
	tunnel->path = strbuf_detach(&path);
	if (host_forward_open(h, t, tunnel->path, deadline_ms, c, &tunnel->forward, e) != 0) {
		tunnel_close(tunnel);
		return -1;
	}
	*out = tunnel;
	return 0;
}

void tunnel_close(struct tunnel *t)
{
	if (t == NULL)
		return;
	host_forward_close(t->forward);
	rmdir(t->dir);
	mem_free(t->dir);
	mem_free(t->path);
	mem_free(t);
}

const char *tunnel_path(const struct tunnel *t)
{
	return t->path;
}

const char *tunnel_dir(const struct tunnel *t)
{
	return t->dir;
}
