/* SPDX-License-Identifier: MIT */
/*
 * Opening the database of an environment.
 *
 * With database_via the client library is given the near end of a tunnel, a unix socket in a private folder,
 * in place of what the URL says; everything else of the URL stays. libpq wants the folder, libmariadb the
 * path. The tunnel goes with the connection: further connections that the driver makes for itself (to cancel
 * a statement, say) go through it too. What is shown stays the URL, and the server is named as the URL names
 * it, with the host that leads there.
 *
 * SSH protects the way to the host. Where the URL asks for TLS from there on, libpq gets a port of 127.0.0.1 that
 * leads to the same tunnel, because it speaks no TLS on a unix socket; it goes on to check the certificate against
 * the machine of the URL. libmariadb would check it against 127.0.0.1, so the configuration refuses TLS for it.
 */
#include "core/release/env_open.h"

#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/secret.h"
#include "core/db/db.h"
#include "core/host/loopback.h"
#include "core/host/tunnel.h"
#include "core/release/plan_make.h"

static bool is_postgresql(const struct dsn *d)
{
	return strcmp(d->engine, "postgresql") == 0;
}

void env_via_target(const struct env *env, struct arena *a, struct host_target *out)
{
	const struct dsn *d = &env->dsn;
	const char *usual = is_postgresql(d) ? "5432" : "3306";
	const char *port = d->port != NULL ? d->port : usual;
	int64_t number = 0;

	*out = (struct host_target){ .path = d->socket };
	if (out->path != NULL)
		return;
	if (d->host != NULL && d->host[0] == '/') {
		out->path = is_postgresql(d) ? arena_printf(a, "%s/.s.PGSQL.%s", d->host, port)
					     : d->host;
		return;
	}
	if (!sv_int(sv_of(port), 1, 65535, &number))
		sv_int(sv_of(usual), 1, 65535, &number);
	out->host = d->host;
	out->port = (int)number;
}

/* What a connection through a host stands on. */
struct way {
	struct tunnel *tunnel;
	struct loopback *loopback; /* NULL: the tunnel itself is used */
};

static void way_close(void *arg)
{
	struct way *w = arg;

	if (!w)
		return;
	loopback_close(w->loopback);
	tunnel_close(w->tunnel);
	mem_free(w);
}

/* sslmode=prefer is what libpq does by itself, and asks for nothing. */
static bool asks_for_tls(const struct dsn *d)
{
	for (size_t i = 0; i < d->n_option; i++) {
		const char *name = d->option[i].name, *value = d->option[i].value;

		if (strcmp(name, "sslmode") == 0 ? value[0] == 'r' || value[0] == 'v'
						 : strncmp(name, "ssl", 3) == 0)
			return true;
	}
	return false;
}

static int point_at_port(struct way *w, struct arena *a, struct dsn *d, struct err *e)
{
	struct dsn_option *all = arena_alloc(a, (d->n_option + 1) * sizeof(*all));

	if (loopback_open(tunnel_path(w->tunnel), &w->loopback, e))
		return -1;
	memcpy(all, d->option, d->n_option * sizeof(*all));
	all[d->n_option++] = (struct dsn_option){ "hostaddr", "127.0.0.1" };
	d->option = all;
	d->port = arena_printf(a, "%d", loopback_port(w->loopback));
	return 0;
}

/* The near end in place of where the URL leads. */
static int point_at_tunnel(struct way *w, const struct host_target *target, struct arena *a,
			   struct dsn *d, struct err *e)
{
	const struct tunnel *t = w->tunnel;

	if (is_postgresql(d) && !target->path && asks_for_tls(d))
		return point_at_port(w, a, d, e);
	if (is_postgresql(d)) {
		d->host = arena_strdup(a, tunnel_dir(t));
		d->port = target->path != NULL ? "5432" : arena_printf(a, "%d", target->port);
	} else {
		d->socket = arena_strdup(a, tunnel_path(t));
		d->host = d->port = NULL;
	}
	return 0;
}

/* A client library sees a connection that closes when nobody is behind the tunnel. The host knows why. */
static void explain(struct host *h, const struct host_target *target, int64_t timeout_ms,
		    struct cancel *c, struct err *e)
{
	struct err why;
	int fd;

	if (e->code == ERR_CANCELLED)
		return;
	if (host_dial(h, target, clock_mono_ms() + timeout_ms, c, &fd, &why) == 0)
		close(fd);
	else
		*e = why;
}

static int open_via(const struct context *ctx, const struct env *env, unsigned flags,
		    struct db_options *opt, struct cancel *c, struct db **out, struct err *e)
{
	const struct host_spec *via = env->database_via;
	struct dsn d = env->dsn;
	struct host *h;
	struct way *w;
	struct host_target target;
	struct arena a;
	int rc = -1;

	if (!ctx->hosts) {
		err_set(e, ERR_UNSUPPORTED, "cannot open %s", env->name);
		return err_detail(e, "its database is behind %s, and no hosts are reached here",
				  via->name);
	}
	arena_init(&a);
	w = mem_calloc(1, sizeof(*w));
	env_via_target(env, &a, &target);
	h = hosts_get(ctx->hosts, via);
	if (tunnel_open(h, &target, clock_mono_ms() + via->connect_timeout_ms, c, &w->tunnel, e) ||
	    point_at_tunnel(w, &target, &a, &d, e))
		goto out;
	opt->server = target.path ? arena_printf(&a, "%s on %s", target.path, via->name)
				  : arena_printf(&a, "%s:%d via %s", target.host, target.port,
						 via->name);
	rc = db_open(&d, flags, opt, c, out, e);
	if (rc == 0) {
		db_on_close(*out, way_close, w);
		w = NULL;
	} else {
		explain(h, &target, via->connect_timeout_ms, c, e);
	}
out:
	if (rc)
		err_wrap(e, "cannot open %s through %s", env->name, via->name);
	way_close(w);
	arena_clear(&a);
	return rc;
}

int env_open(const struct context *ctx, const struct env *env, unsigned flags, struct cancel *c,
	     struct db **out, struct err *e)
{
	struct db_options opt = {
		.lock_timeout_ms = env->lock_timeout_ms,
		.statement_timeout_ms = env->statement_timeout_ms,
		.connect_timeout_ms = env->connect_timeout_ms,
	};
	struct strbuf command;

	if (env->trouble) {
		*e = *env->trouble;
		return -1;
	}
	if (!env->has_db) {
		err_set(e, ERR_USAGE, "%s has no database", env->name);
		return err_hint(e, "bascule status %s", env->name);
	}
	if (env->password_from && !env->dsn.password) {
		err_set(e, ERR_CONFIG, "cannot open %s: its password is not known here", env->name);
		err_detail(e, "it comes from %s, and is never kept with a run", env->password_from);
		return err_hint(e, "bascule check");
	}
	if (env->database_via ? open_via(ctx, env, flags, &opt, c, out, e) == 0
			      : db_open(&env->dsn, flags, &opt, c, out, e) == 0)
		return 0;
	/* The driver knows a missing file; what makes it is known here, where it has a name. */
	if (e->code == ERR_NOT_FOUND && dsn_is_file(&env->dsn)) {
		strbuf_init(&command, sizeof(e->hint) - 1);
		command_create(&command, env);
		err_hint(e, "%s", strbuf_str(&command));
		strbuf_clear(&command);
	}
	/* Where it is shown and stored from here on, nobody looks again. */
	secret_redact_err(e);
	return -1;
}
