/* SPDX-License-Identifier: MIT */
#include "core/db/dsn.h"

#include <stddef.h>
#include <string.h>

#include "core/base/fs.h"

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
		err_set(e, ERR_CONFIG, "database %s has options after ?", url);
		return err_hint(e, "write only the path: what SQLite needs is set by bascule");
	}
	if (sv_starts(rest, SV("//"))) {
		rest = sv_n(rest.p + 2, rest.n - 2);
		if (rest.n == 0 || rest.p[0] != '/') {
			err_set(e, ERR_CONFIG, "database %s names a host", url);
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
	while (name[0] == '.' && name[1] == '/' && name[2] != '\0')
		name += 2;
	full = path_join(base_dir, name);
	*out = (struct dsn){ .engine = engine, .path = arena_strdup(a, full) };
	out->shown = arena_printf(a, "%s:%s", engine, full);
	mem_free(full);
	return 0;
}

/* --- Servers ----------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %41 to A. NULL when a % is not followed by two hexadecimal digits, or stands for a NUL. */
static const char *decoded(struct arena *a, struct sv s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '%') {
			out[n++] = s.p[i];
			continue;
		}
		high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
		low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return NULL;
		out[n++] = (char)(high * 16 + low);
		i += 2;
	}
	return out;
}

/* A part of the URL: NULL when it is empty, *bad when it is not well encoded. */
static const char *part(struct arena *a, struct sv s, bool *bad)
{
	const char *text;

	if (s.n == 0)
		return NULL;
	text = decoded(a, s);
	*bad = *bad || text == NULL;
	return text;
}

static struct sv before(struct sv *rest, char sep)
{
	struct sv head = *rest;

	sv_cut(rest, sep, &head);
	return head;
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

/* "h1:1,[::1]:2" to the host list "h1,::1" and the port list "1,2". */
static bool parse_hosts(struct arena *a, struct sv all, struct dsn *out)
{
	struct strbuf hosts, ports;
	bool any_port = false, bad = false, first = true;
	struct sv one;

	strbuf_init(&hosts, STRBUF_NO_LIMIT);
	strbuf_init(&ports, STRBUF_NO_LIMIT);
	while (sv_cut(&all, ',', &one)) {
		struct sv host = one, port = { 0 };
		const char *end;

		if (one.n > 0 && one.p[0] == '[') {
			end = memchr(one.p, ']', one.n);
			bad = bad || end == NULL;
			if (end == NULL)
				break;
			host = sv_n(one.p + 1, (size_t)(end - one.p) - 1);
			port = sv_n(end + 1, one.n - (size_t)(end + 1 - one.p));
			bad = bad || (port.n > 0 && port.p[0] != ':');
			if (port.n > 0)
				port = sv_n(port.p + 1, port.n - 1);
		} else if ((end = memchr(one.p, ':', one.n)) != NULL) {
			host = sv_n(one.p, (size_t)(end - one.p));
			port = sv_n(end + 1, one.n - (size_t)(end + 1 - one.p));
		}
		strbuf_addf(&hosts, "%s", first ? "" : ",");
		strbuf_addf(&ports, "%s", first ? "" : ",");
		strbuf_addsv(&hosts, host);
		strbuf_addsv(&ports, port);
		any_port = any_port || port.n > 0;
		first = false;
	}
	out->host = part(a, strbuf_sv(&hosts), &bad);
	out->port = any_port ? part(a, strbuf_sv(&ports), &bad) : NULL;
	strbuf_clear(&hosts);
	strbuf_clear(&ports);
	return !bad && (out->port == NULL || port_ok(out->port));
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

static bool known_option(const char *engine, const char *name)
{
	if (strcmp(engine, "mariadb") != 0)
		return true;
	for (size_t i = 0; i < sizeof(mariadb_options) / sizeof(mariadb_options[0]); i++)
		if (strcmp(mariadb_options[i], name) == 0)
			return true;
	return false;
}

static int refuse_option(const char *shown, const char *name, struct err *e)
{
	const char *near = str_nearest(name, mariadb_options,
				       sizeof(mariadb_options) / sizeof(mariadb_options[0]));

	err_set(e, ERR_CONFIG, "database %s has the unknown option %s", shown, name);
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

static int parse_options(struct arena *a, struct sv query, struct dsn *out, bool *bad,
			 struct err *e)
{
	struct dsn_option *list = arena_alloc(a, OPTIONS_MAX * sizeof(*list));
	struct sv one;

	out->option = list;
	while (sv_cut(&query, '&', &one)) {
		const char *name, *value;

		if (one.n == 0)
			continue;
		name = part(a, before(&one, '='), bad);
		value = part(a, one, bad);
		if (*bad || name == NULL)
			continue;
		if (value == NULL)
			value = "";
		if (take_field(out, name, value))
			continue;
		if (!known_option(out->engine, name))
			return refuse_option(out->shown, name, e);
		if (out->n_option == OPTIONS_MAX)
			return err_set(e, ERR_CONFIG, "database %s has more than %d options",
				       out->shown, OPTIONS_MAX);
		list[out->n_option++] = (struct dsn_option){ name, value };
	}
	return 0;
}

/* Everything that tells two databases apart, nothing that must not be seen. */
static const char *shown_server(struct arena *a, const struct dsn *d)
{
	const char *host = d->socket != NULL ? d->socket : d->host != NULL ? d->host : "";

	return arena_printf(a, "%s://%s%s%s%s%s/%s", d->engine, d->user != NULL ? d->user : "",
			    d->user != NULL ? "@" : "", host, d->port != NULL ? ":" : "",
			    d->port != NULL ? d->port : "", d->database != NULL ? d->database : "");
}

static int refuse_server_url(const char *engine, const char *why, struct err *e)
{
	err_set(e, ERR_CONFIG, "database %s:… is not a URL: %s", engine, why);
	return err_hint(e, "write %s://USER@HOST:PORT/DATABASE", engine);
}

static int parse_server(struct arena *a, const char *engine, struct sv rest, struct dsn *out,
			struct err *e)
{
	struct dsn d = { .engine = engine, .shown = engine };
	struct sv authority, user, query, at;
	bool bad = false;
	const char *sign;

	if (!sv_starts(rest, SV("//")))
		return refuse_server_url(engine, "// is missing", e);
	rest = sv_n(rest.p + 2, rest.n - 2);
	query = rest;
	rest = before(&query, '?');
	if (rest.n + 1 > (size_t)(query.p - rest.p)) /* no ? at all */
		query.n = 0;
	at = rest;
	authority = before(&at, '/');
	if (authority.n < rest.n)
		d.database = part(a, at, &bad);
	sign = memrchr(authority.p != NULL ? authority.p : "", '@', authority.n);
	if (sign != NULL) {
		user = sv_n(authority.p, (size_t)(sign - authority.p));
		authority = sv_n(sign + 1, authority.n - user.n - 1);
		if (memchr(user.p, ':', user.n) != NULL) {
			struct sv secret = user;

			user = before(&secret, ':');
			d.password = part(a, secret, &bad);
		}
		d.user = part(a, user, &bad);
	}
	if (!parse_hosts(a, authority, &d))
		return refuse_server_url(engine, "the host or its port cannot be read", e);
	d.shown = shown_server(a, &d);
	if (parse_options(a, query, &d, &bad, e) != 0)
		return -1;
	if (bad)
		return refuse_server_url(engine, "a % is not followed by two hexadecimal digits",
					 e);
	if (d.port != NULL && !port_ok(d.port))
		return refuse_server_url(engine, "the port is no number from 1 to 65535", e);
	if (d.database == NULL) {
		err_set(e, ERR_CONFIG, "database %s has no name", d.shown);
		return err_hint(e, "write %s/DATABASE",
				d.shown[strlen(d.shown) - 1] == '/' ? engine : d.shown);
	}
	d.password_in_url = d.password != NULL;
	d.shown = shown_server(a, &d);
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

bool dsn_same(const struct dsn *a, const struct dsn *b)
{
	return same(a->engine, b->engine) && same(a->path, b->path) && same(a->host, b->host) &&
	       same(a->port, b->port) && same(a->database, b->database) &&
	       same(a->socket, b->socket);
}
