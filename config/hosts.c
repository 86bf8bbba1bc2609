/* SPDX-License-Identifier: MIT */
/*
 * Machines: `host`, `hosts` and `database_via`.
 *
 * A name that is written here ends up as a word of ssh's command line and in the names of files, so only
 * what can be a name is let through: above all nothing that begins with a dash. Whether a machine of that
 * name exists is not asked; ssh's configuration may be another one tomorrow.
 *
 * Within an environment a name gives the same struct host_spec everywhere, so that pointers can be compared.
 */
#include <ctype.h>
#include <string.h>

#include "config/reader.h"
#include "config/schema.h"

#define WRITE_HOST "write an alias of ssh's configuration, [USER@]HOST[:PORT] or local"

static bool is_word(struct sv s, const char *also)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && strchr(also, s.p[i]) == NULL)
			return false;
	return s.n > 0 && s.p[0] != '-';
}

/* "[::1]" or "[::1]:22"; false when the brackets hold no address. */
static bool cut_bracketed(struct sv s, struct sv *port)
{
	const char *end = memchr(s.p, ']', s.n);
	struct sv inner, rest;

	if (end == NULL)
		return false;
	inner = sv_n(s.p + 1, (size_t)(end - s.p) - 1);
	rest = sv_n(end + 1, s.n - (size_t)(end + 1 - s.p));
	*port = (struct sv){ NULL, 0 };
	if (rest.n > 0 && rest.p[0] != ':')
		return false;
	if (rest.n > 0)
		*port = sv_n(rest.p + 1, rest.n - 1);
	return is_word(inner, ":.%") && memchr(inner.p, ':', inner.n) != NULL;
}

bool config_host_ok(struct sv name, const char **hint)
{
	const char *at = name.n > 0 ? memrchr(name.p, '@', name.n) : NULL, *colon;
	struct sv host = name, port = { NULL, 0 };
	int64_t number;
	bool ok = true;

	*hint = WRITE_HOST;
	if (name.n == 0 || name.n >= HOST_NAME_SIZE)
		return false;
	if (at != NULL) {
		ok = is_word(sv_n(name.p, (size_t)(at - name.p)), "._+-");
		host = sv_n(at + 1, name.n - (size_t)(at + 1 - name.p));
	}
	colon = host.n > 0 ? memchr(host.p, ':', host.n) : NULL;
	if (host.n > 0 && host.p[0] == '[') {
		ok = ok && cut_bracketed(host, &port);
	} else if (colon != NULL) {
		port = sv_n(colon + 1, host.n - (size_t)(colon + 1 - host.p));
		ok = ok && is_word(sv_n(host.p, (size_t)(colon - host.p)), "._-");
		if (memchr(port.p, ':', port.n) != NULL) {
			*hint = "write an IPv6 address in brackets: [::1] or [::1]:22";
			return false;
		}
	} else {
		ok = ok && is_word(host, "._-");
	}
	return ok && (port.p == NULL || sv_int(port, 1, 65535, &number));
}

/* The spec of that name in env, of those filled so far; NULL: a new one is wanted. */
static const struct host_spec *known_spec(const struct env *env, size_t n_filled, struct sv name)
{
	size_t i, k;

	for (i = 0; i < env->n_host; i++)
		if (sv_eq(sv_of(env->host[i]->name), name))
			return env->host[i];
	for (k = 0; k < n_filled; k++)
		for (i = 0; i < env->service[k].n_host; i++)
			if (sv_eq(sv_of(env->service[k].host[i]->name), name))
				return env->service[k].host[i];
	return NULL;
}

static const struct host_spec *make_spec(struct reader *r, const struct env *env, struct sv name)
{
	const struct section *s = reader_find(r, "environment", env->name, "");
	struct host_spec *spec = arena_alloc(&r->p->arena, sizeof(*spec));
	bool openssh = reader_enum(r, s, "transport", 0) == 1;

	*spec = (struct host_spec){
		.name = arena_sv(&r->p->arena, name).p,
		.transport = sv_eq(name, SV("local")) ? HOST_LOCAL
			     : openssh                ? HOST_OPENSSH
						      : HOST_LIBSSH2,
		.connect_timeout_ms = env->connect_timeout_ms,
		.alive_ms = reader_span(r, s, "host_alive"),
	};
	return spec;
}

/* Notes what is wrong with one name of a list; false then. */
static bool host_ok(struct reader *r, const char *key, int line, struct sv one,
		    const struct host_spec *const *before, size_t n)
{
	const char *hint, *name = arena_sv(&r->errs->arena, one).p;

	if (!config_host_ok(one, &hint)) {
		reader_mistake(r, line, hint,
			       one.n == 0 ? "`%s` has an empty name%s" : "`%s` cannot be %s", key,
			       name);
		return false;
	}
	if (sv_eq(one, SV("none"))) {
		reader_mistake(r, line, "write none alone, or leave it out",
			       "`%s` names none among others", key);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(before[i]->name, name) == 0) {
			reader_mistake(r, line, "name it once", "`%s` names %s twice", key, name);
			return false;
		}
	if (n == HOSTS_MAX) {
		reader_mistake(r, line, NULL, "`%s` names more than %d machines", key, HOSTS_MAX);
		return false;
	}
	return true;
}

static void read_list(struct reader *r, const struct section *s, const char *key,
		      const struct env *env, size_t n_filled, const struct host_spec *const **out,
		      size_t *n)
{
	const struct option *o;
	int line;
	struct sv rest = sv_of(reader_value(s, key, &o, &line)), one;
	const struct host_spec **list = arena_alloc(&r->p->arena,
						    HOSTS_MAX * sizeof(struct host_spec *));

	*out = list;
	*n = 0;
	while (sv_cut(&rest, ',', &one)) {
		const struct host_spec *spec;

		one = sv_trim(one);
		if (!host_ok(r, key, line, one, list, *n))
			continue;
		spec = known_spec(env, n_filled, one);
		list[(*n)++] = spec != NULL ? spec : make_spec(r, env, one);
	}
}

/* --- database_via ------------------------------------------------------------------------------- */

/* Whether an option asks for TLS where none can be had: libpq speaks it over TCP only, and libmariadb would check the
 * certificate against this machine's name. */
static bool is_tls_in_vain(const struct dsn *d, const struct dsn_option *o)
{
	if (strcmp(d->engine, "postgresql") != 0)
		return strncmp(o->name, "ssl", 3) == 0 || strcmp(o->name, "tls-version") == 0;
	return strcmp(o->name, "sslmode") == 0 && d->host != NULL && d->host[0] == '/' &&
	       (o->value[0] == 'r' || o->value[0] == 'v');
}

/* An option of the URL that would lead past the tunnel, or promises what cannot be had in it. */
static const char *option_against(const struct dsn *d, bool *tls)
{
	for (size_t i = 0; i < d->n_option; i++) {
		const struct dsn_option *o = &d->option[i];

		*tls = is_tls_in_vain(d, o);
		if (*tls || strcmp(o->name, "hostaddr") == 0 || strcmp(o->name, "service") == 0)
			return o->name;
	}
	return NULL;
}

static void check_via_url(struct reader *r, int line, const struct env *env)
{
	const struct dsn *d = &env->dsn;
	bool tls = false;
	const char *option = option_against(d, &tls);

	if (d->host == NULL && d->socket == NULL)
		reader_mistake(
			r, line,
			arena_printf(&r->errs->arena, "write it as %s sees it, such as localhost",
				     env->host[0]->name),
			"`database` does not say on which machine it is, for `database_via`");
	else if ((d->host != NULL && strchr(d->host, ',') != NULL) ||
		 (d->port != NULL && strchr(d->port, ',') != NULL))
		reader_mistake(r, line, "name one of them",
			       "`database` names several machines: `database_via` leads to one");
	if (option != NULL && tls)
		reader_mistake(r, line, "leave it out of `database`, or remove `database_via`",
			       "%s cannot be kept with `database_via`: SSH protects the way to %s, "
			       "and no TLS can be had from there",
			       option, env->host[0]->name);
	else if (option != NULL)
		reader_mistake(r, line, "leave it out of `database`, or remove `database_via`",
			       "%s of `database` leads past `database_via`", option);
}

static void read_via(struct reader *r, const struct section *s, struct env *env)
{
	const struct option *o;
	int line, host_line;
	const char *v = reader_value(s, "database_via", &o, &line);

	reader_value(s, "host", &o, &host_line);
	if (v == NULL || reader_enum(r, s, "database_via", -1) < 0 || !env->has_db)
		return;
	if (dsn_is_file(&env->dsn)) {
		reader_mistake(r, line, "remove it",
			       "a database of SQLite is a file of this machine");
	} else if (env->n_host == 0 && host_line == 0) {
		reader_mistake(r, line, "add host = USER@HOST, or remove it",
			       "`database_via = host`, and %s has no `host`", reader_shown(r, s));
	} else if (env->n_host > 0 && env->host[0]->transport == HOST_LOCAL) {
		reader_mistake(r, line, "remove it, or put another machine first in `host`",
			       "`database_via = host` leads to this machine");
	} else if (env->n_host > 0) {
		env->database_via = env->host[0];
		if (env->dsn.database != NULL || env->trouble == NULL)
			check_via_url(r, line, env);
	}
}

/* --- Entries ------------------------------------------------------------------------------------- */

void reader_env_hosts(struct reader *r, const struct section *s, struct env *env)
{
	const struct option *o;
	int line;
	const char *v = reader_value(s, "host", &o, &line);

	reader_enum(r, s, "transport", 0);
	reader_span(r, s, "host_alive");
	if (v != NULL)
		read_list(r, s, "host", env, 0, &env->host, &env->n_host);
	read_via(r, s, env);
	if (!env->has_db || !dsn_is_file(&env->dsn))
		return;
	for (size_t i = 0; i < env->n_host; i++)
		if (env->host[i]->transport != HOST_LOCAL) {
			reader_mistake(r, line, "write hosts = in the [service …] sections instead",
				       "a database of SQLite is a file of this machine: its "
				       "environment is not on %s",
				       env->host[i]->name);
			return;
		}
}

bool reader_hosts_none(const struct section *s)
{
	const struct option *o;
	int line;
	const char *v = reader_value(s, "hosts", &o, &line);

	return v != NULL && strcmp(v, "none") == 0;
}

bool reader_service_hosts(struct reader *r, const struct section *s, const struct env *env,
			  size_t n_filled, const struct host_spec *const **out, size_t *n)
{
	const struct section *env_section = reader_find(r, "environment", env->name, "");
	const struct host_spec **one;
	const struct option *o;
	int line, env_line;

	reader_value(env_section, "host", &o, &env_line);
	if (reader_value(s, "hosts", &o, &line) != NULL) {
		read_list(r, s, "hosts", env, n_filled, out, n);
		return *n > 0;
	}
	if (line > 0)
		return false;
	*out = env->host;
	*n = env->n_host;
	if (env->n_host > 0 || env_line > 0)
		return env->n_host > 0;
	one = arena_alloc(&r->p->arena, sizeof(struct host_spec *));
	*one = known_spec(env, n_filled, SV("local"));
	if (*one == NULL)
		*one = make_spec(r, env, SV("local"));
	*out = one;
	*n = 1;
	return true;
}
