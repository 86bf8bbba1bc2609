/* SPDX-License-Identifier: MIT */
#include "core/db/dsn.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/base/fs.h"
#include "core/base/utf8.h"

/* Every scheme of this version and the engine it names; the driver table in db.c has the engines. */
static const struct {
	const char *scheme, *engine;
} schemes[] = {
	{ "sqlite", "sqlite" },   { "postgresql", "postgresql" }, { "postgres", "postgresql" },
	{ "mariadb", "mariadb" }, { "mysql", "mariadb" },
};
#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

#define OPTIONS_MAX 64 /* of one URL */

static const char *const write_one_of =
	"write sqlite:PATH, postgresql://USER@HOST/DATABASE or mariadb://USER@HOST/DATABASE";

static int refuse_scheme(struct sv scheme, struct err *e)
{
	const char *names[N_SCHEMES];
	char word[32];
	const char *near;

	str_copy_sv(word, sizeof(word), scheme);
	err_set(e, ERR_CONFIG, "database engine %s is not known", word);
	for (size_t i = 0; i < N_SCHEMES; i++)
		names[i] = schemes[i].scheme;
	near = str_nearest(word, names, N_SCHEMES);
	if (near != NULL)
		return err_hint(e, "did you mean %s: ?", near);
	return err_hint(e, "%s", write_one_of);
}

/* The path behind "sqlite:". "//" introduces a host in a URL; a file has none, so only the empty
 * host of sqlite:///ABSOLUTE is understood and anything else there is a mistake, not a path. */
static int sqlite_path(struct sv rest, const char *url, struct sv *path, struct err *e)
{
	if (memchr(rest.p, '?', rest.n) != NULL) {
		err_set(e, ERR_CONFIG, "database sqlite:… has options after ?");
		return err_hint(e, "write only the path: what SQLite needs is set by bascule");
	}
	if (sv_starts(rest, SV("//"))) {
		rest = sv_n(rest.p + 2, rest.n - 2);
		if (rest.n == 0 || rest.p[0] != '/') {
			/* Without it: what stands before a host may be a password. */
			err_set(e, ERR_CONFIG, "database sqlite://… names a host");
			return err_hint(e, "write sqlite:PATH or sqlite:///ABSOLUTE/PATH");
		}
	}
	if (sv_trim(rest).n == 0) {
		err_set(e, ERR_CONFIG, "database %s has no path", url);
		return err_hint(e, "write sqlite:PATH");
	}
	if (sv_eq(rest, SV(":memory:"))) {
		err_set(e, ERR_CONFIG, "database %s lives in memory only", url);
		return err_hint(e, "an environment needs a file: write sqlite:PATH");
	}
	if (rest.p[rest.n - 1] == '/') {
		err_set(e, ERR_CONFIG, "database %s names a folder", url);
		return err_hint(e, "write the path of the database file");
	}
	*path = rest;
	return 0;
}

static int parse_file(struct arena *a, const char *engine, struct sv rest, const char *url,
		      const char *base_dir, struct dsn *out, struct err *e)
{
	struct sv path;
	const char *name;
	char *full;

	if (sqlite_path(rest, url, &path, e) != 0)
		return -1;
	name = arena_sv(a, path).p;
	/* Slashes at the start are one, so that what is shown is read as the same path again; those behind
	 * a dot begin no absolute path. */
	while (name[0] == '/' && name[1] == '/')
		name++;
	while (name[0] == '.' && name[1] == '/' && name[2 + strspn(name + 2, "/")] != '\0')
		name += 2 + strspn(name + 2, "/");
	full = path_join(base_dir, name);
	*out = (struct dsn){ .engine = engine, .path = arena_strdup(a, full) };
	out->shown = arena_printf(a, "%s:%s", engine, full);
	mem_free(full);
	return 0;
}

/* --- Servers ----------------------------------------------------------------------------------- */

/* A URL of a server is cut at its marks before anything is decoded, so that a decoded byte is never
 * taken for one. What cannot be read is told without the text itself: half a URL may be a password. */
struct parser {
	struct arena *arena;
	const char *engine;
	const char *bad; /* what is wrong, in words; NULL so far. Of several the first counts */
};

static void note_bad(struct parser *p, const char *why)
{
	if (p->bad == NULL)
		p->bad = why;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %41 to A; NULL when s is empty. What is frozen, shown and sent on must be text. */
static const char *part(struct parser *p, struct sv s)
{
	char *out = s.n > 0 ? arena_alloc(p->arena, s.n + 1) : NULL;
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '%') {
			out[n++] = s.p[i];
			continue;
		}
		high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
		low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
		if (high < 0 || low < 0) {
			note_bad(p, "a % is not followed by two hexadecimal digits");
			return NULL;
		}
		out[n++] = (char)(high * 16 + low);
		i += 2;
	}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
			note_bad(p, "it has a control character");
	if (n > 0 && !utf8_valid(sv_n(out, n)))
		note_bad(p, "it has bytes that are not UTF-8");
	return out;
}

/* The text before the first sep, which is left with *tail; without one *tail is empty, its p NULL. */
static struct sv head(struct sv s, char sep, struct sv *tail)
{
	const char *at = s.n > 0 ? memchr(s.p, sep, s.n) : NULL;

	*tail = (struct sv){ NULL, 0 };
	if (at == NULL)
		return s;
	*tail = sv_n(at + 1, s.n - (size_t)(at - s.p) - 1);
	return sv_n(s.p, (size_t)(at - s.p));
}

/* One host, "db1", "db1:5432" or "[::1]:5432". */
static void take_host(struct parser *p, struct sv one, struct sv *host, struct sv *port)
{
	struct sv rest;

	if (one.n == 0 || one.p[0] != '[') {
		*host = head(one, ':', port);
		return;
	}
	*host = head(sv_n(one.p + 1, one.n - 1), ']', &rest);
	if (rest.p == NULL)
		note_bad(p, "a [ has no ]");
	*port = (struct sv){ NULL, 0 };
	if (rest.n > 0 && rest.p[0] == ':')
		*port = sv_n(rest.p + 1, rest.n - 1);
	else if (rest.n > 0)
		note_bad(p, "text stands behind the ] of a host");
}

/* "h1:1,[::1]:2" to the host list "h1,::1" and the port list "1,2". */
static void take_hosts(struct parser *p, struct sv all, struct dsn *out)
{
	struct strbuf hosts, ports;
	bool any_port = false, more = true;

	strbuf_init(&hosts, STRBUF_NO_LIMIT);
	strbuf_init(&ports, STRBUF_NO_LIMIT);
	while (more) {
		struct sv host, port, tail;
		struct sv one = head(all, ',', &tail);

		take_host(p, one, &host, &port);
		strbuf_addsv(&hosts, host);
		strbuf_addsv(&ports, port);
		any_port = any_port || port.n > 0;
		more = tail.p != NULL;
		strbuf_adds(&hosts, more ? "," : "");
		strbuf_adds(&ports, more ? "," : "");
		all = tail;
	}
	out->host = part(p, strbuf_sv(&hosts));
	out->port = any_port ? part(p, strbuf_sv(&ports)) : NULL;
	strbuf_clear(&hosts);
	strbuf_clear(&ports);
}

/* Where a server's URL may say a thing in the query too, its word there counts. */
static const struct {
	const char *engine, *name;
	size_t at;
} query_fields[] = {
	{ NULL, "host", offsetof(struct dsn, host) },
	{ NULL, "port", offsetof(struct dsn, port) },
	{ NULL, "user", offsetof(struct dsn, user) },
	{ NULL, "password", offsetof(struct dsn, password) },
	{ "postgresql", "dbname", offsetof(struct dsn, database) },
	{ "mariadb", "socket", offsetof(struct dsn, socket) },
};

/* What mariadb's client library can be told (mysql_optionsv); libpq judges its own. */
static const char *const mariadb_options[] = {
	"ssl",     "ssl-ca",       "ssl-capath", "ssl-cert",    "ssl-key",
	"ssl-crl", "ssl-crlpath",  "ssl-cipher", "tls-version", "ssl-verify-server-cert",
	"charset", "default-auth",
};
#define N_MARIADB_OPTIONS (sizeof(mariadb_options) / sizeof(mariadb_options[0]))

/* Options of libpq that are secrets: options are frozen with a plan, in the clear. */
static const char *const secret_options[] = {
	"sslpassword",
	"oauth_client_secret",
	"scram_client_key",
	"scram_server_key",
};

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static int check_option(const struct parser *p, const struct dsn *d, const char *name,
			struct err *e)
{
	const char *near;

	if (is_one_of(name, secret_options, sizeof(secret_options) / sizeof(secret_options[0]))) {
		err_set(e, ERR_CONFIG, "database %s has the option %s, which is a secret", d->shown,
			name);
		return err_hint(e, "name it in a service file of libpq, and write service=NAME");
	}
	if (strcmp(p->engine, "mariadb") != 0 ||
	    is_one_of(name, mariadb_options, N_MARIADB_OPTIONS))
		return 0;
	near = str_nearest(name, mariadb_options, N_MARIADB_OPTIONS);
	err_set(e, ERR_CONFIG, "database %s has the unknown option %s", d->shown, name);
	if (near != NULL)
		return err_hint(e, "did you mean %s ?", near);
	return err_hint(e, "options of mariadb are socket, charset, tls-version and ssl-…");
}

static bool take_field(struct dsn *out, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(query_fields) / sizeof(query_fields[0]); i++) {
		if (strcmp(query_fields[i].name, name) != 0 ||
		    (query_fields[i].engine != NULL &&
		     strcmp(query_fields[i].engine, out->engine) != 0))
			continue;
		*(const char **)((char *)out + query_fields[i].at) = value;
		return true;
	}
	return false;
}

/* Behind an unencoded ? of a password stands the rest of it: it must not be named as an option. */
static bool name_ok(const char *name)
{
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && strchr("_-.", *name) == NULL)
			return false;
	return true;
}

static int take_options(struct parser *p, struct sv query, struct dsn *out, struct err *e)
{
	struct dsn_option *list = arena_alloc(p->arena, OPTIONS_MAX * sizeof(*list));
	struct sv one, text;

	out->option = list;
	while (sv_cut(&query, '&', &one)) {
		const char *name = part(p, head(one, '=', &text));
		const char *value = part(p, text);

		if (one.n > 0 && (name == NULL || !name_ok(name)))
			note_bad(p, "the name of an option behind ? cannot be read");
		if (p->bad != NULL || name == NULL || take_field(out, name, value))
			continue;
		if (check_option(p, out, name, e) != 0)
			return -1;
		if (out->n_option == OPTIONS_MAX)
			return err_set(e, ERR_CONFIG, "database %s has more than %d options",
				       out->shown, OPTIONS_MAX);
		list[out->n_option++] = (struct dsn_option){ name, value != NULL ? value : "" };
	}
	return 0;
}

static bool port_ok(const char *port)
{
	struct sv rest = sv_of(port), one;
	int64_t n;

	while (sv_cut(&rest, ',', &one))
		if (one.n > 0 && !sv_int(one, 1, 65535, &n))
			return false;
	return true;
}

/* Everything that tells two databases apart, nothing that must not be seen. */
static const char *shown_server(struct arena *a, const struct dsn *d)
{
	struct sv hosts = sv_of(d->socket != NULL ? d->socket : d->host);
	struct sv ports = sv_of(d->socket != NULL ? NULL : d->port);
	struct strbuf out;
	const char *text;
	bool more = true;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	strbuf_addf(&out, "%s://%s%s", d->engine, d->user != NULL ? d->user : "",
		    d->user != NULL ? "@" : "");
	while (more) {
		struct sv more_hosts, more_ports;
		struct sv host = head(hosts, ',', &more_hosts);
		struct sv port = head(ports, ',', &more_ports);
		bool six = host.n > 0 && host.p[0] != '/' && memchr(host.p, ':', host.n) != NULL;

		strbuf_addf(&out, six ? "[%.*s]" : "%.*s", (int)host.n, host.n > 0 ? host.p : "");
		strbuf_addf(&out, port.n > 0 ? ":%.*s" : "%.*s", (int)port.n,
			    port.n > 0 ? port.p : "");
		more = more_hosts.p != NULL || more_ports.p != NULL;
		strbuf_adds(&out, more ? "," : "");
		hosts = more_hosts;
		ports = more_ports;
	}
	strbuf_addf(&out, "/%s", d->database != NULL ? d->database : "");
	text = arena_strdup(a, strbuf_str(&out));
	strbuf_clear(&out);
	return text;
}

static int refuse_server_url(const char *engine, const char *why, struct err *e)
{
	err_set(e, ERR_CONFIG, "database %s:… is not a URL: %s", engine, why);
	return err_hint(e,
			"write %s://USER@HOST:PORT/DATABASE; in a name, @ / ? %% are "
			"%%40 %%2F %%3F %%25",
			engine);
}

static int check_server(const struct parser *p, const struct dsn *d, struct err *e)
{
	if (p->bad != NULL)
		return refuse_server_url(p->engine, p->bad, e);
	if (d->port != NULL && !port_ok(d->port))
		return refuse_server_url(p->engine, "the port is no number from 1 to 65535", e);
	if (strcmp(p->engine, "mariadb") == 0 && d->host != NULL && strchr(d->host, ',') != NULL) {
		err_set(e, ERR_CONFIG, "database %s names several hosts", d->shown);
		return err_hint(e, "name one: only postgresql tries one after the other");
	}
	if (d->database == NULL) {
		err_set(e, ERR_CONFIG, "database %s has no name", d->shown);
		return err_hint(e, "write %sDATABASE", d->shown);
	}
	return 0;
}

static int parse_server(struct arena *a, const char *engine, struct sv rest, struct dsn *out,
			struct err *e)
{
	struct parser p = { .arena = a, .engine = engine };
	struct dsn d = { .engine = engine, .shown = engine };
	struct sv authority, user, secret, query, name;
	const char *sign;

	if (!sv_starts(rest, SV("//")))
		return refuse_server_url(engine, "// is missing", e);
	rest = head(sv_n(rest.p + 2, rest.n - 2), '?', &query);
	authority = head(rest, '/', &name);
	/* The last one: an @ in a password is common, in a host there is none. */
	sign = authority.n > 0 ? memrchr(authority.p, '@', authority.n) : NULL;
	if (sign != NULL) {
		user = head(sv_n(authority.p, (size_t)(sign - authority.p)), ':', &secret);
		authority = sv_n(sign + 1, authority.n - (size_t)(sign + 1 - authority.p));
		d.user = part(&p, user);
		d.password = part(&p, secret);
	} else if (name.n > 0 && memchr(name.p, '@', name.n) != NULL) {
		/* An unencoded / in a password: what follows it is not a database's name. */
		note_bad(&p, "an @ stands behind the /");
	}
	d.database = part(&p, name);
	take_hosts(&p, authority, &d);
	if (d.port != NULL && !port_ok(d.port))
		note_bad(&p, "the port is no number from 1 to 65535");
	d.shown = p.bad == NULL ? shown_server(a, &d) : engine;
	if (take_options(&p, query, &d, e) != 0)
		return -1;
	d.shown = p.bad == NULL ? shown_server(a, &d) : engine;
	if (check_server(&p, &d, e) != 0)
		return -1;
	d.password_in_url = d.password != NULL;
	*out = d;
	return 0;
}

/* --- All --------------------------------------------------------------------------------------- */

int dsn_parse(struct arena *a, const char *url, const char *base_dir, struct dsn *out,
	      struct err *e)
{
	struct sv rest = sv_of(url);
	struct sv scheme;
	size_t i;

	if (memchr(rest.p != NULL ? rest.p : "", ':', rest.n) == NULL) {
		/* Not the text itself: half a URL may hold a password. */
		err_set(e, ERR_CONFIG, "database has no engine");
		return err_hint(e, "%s", write_one_of);
	}
	sv_cut(&rest, ':', &scheme);
	for (i = 0; i < N_SCHEMES && !sv_eq_str(scheme, schemes[i].scheme); i++)
		;
	if (i == N_SCHEMES)
		return refuse_scheme(scheme, e);
	if (strcmp(schemes[i].engine, "sqlite") == 0)
		return parse_file(a, "sqlite", rest, url, base_dir, out, e);
	return parse_server(a, schemes[i].engine, rest, out, e);
}

static const char *copied(struct arena *a, const char *s)
{
	return s != NULL ? arena_strdup(a, s) : NULL;
}

void dsn_copy(struct arena *a, const struct dsn *from, struct dsn *to)
{
	struct dsn_option *list = arena_alloc(a, (from->n_option + 1) * sizeof(*list));

	for (size_t i = 0; i < from->n_option; i++)
		list[i] = (struct dsn_option){ copied(a, from->option[i].name),
					       copied(a, from->option[i].value) };
	*to = (struct dsn){
		.engine = copied(a, from->engine),
		.path = copied(a, from->path),
		.host = copied(a, from->host),
		.port = copied(a, from->port),
		.user = copied(a, from->user),
		.database = copied(a, from->database),
		.socket = copied(a, from->socket),
		.option = list,
		.n_option = from->n_option,
		.shown = copied(a, from->shown),
	};
}

static bool same(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* The names of this machine are one; where nothing is said, mariadb's client goes there too. */
static const char *host_of(const struct dsn *d)
{
	static const char *const here[] = { "localhost", "127.0.0.1", "::1" };
	const char *host = d->host;

	if (host == NULL && strcmp(d->engine, "mariadb") == 0)
		host = "localhost";
	for (size_t i = 0; host != NULL && i < sizeof(here) / sizeof(here[0]); i++)
		if (strcasecmp(host, here[i]) == 0)
			return here[0];
	return host != NULL ? host : "";
}

static const char *port_of(const struct dsn *d)
{
	if (d->port != NULL)
		return d->port;
	return strcmp(d->engine, "mariadb") == 0 ? "3306" : "5432";
}

bool dsn_same(const struct dsn *a, const struct dsn *b)
{
	if (!same(a->engine, b->engine) || !same(a->path, b->path))
		return false;
	if (dsn_is_file(a))
		return true;
	if (!same(a->database, b->database) || !same(a->socket, b->socket))
		return false;
	return a->socket != NULL ||
	       (strcasecmp(host_of(a), host_of(b)) == 0 && strcmp(port_of(a), port_of(b)) == 0);
}
