/* SPDX-License-Identifier: MIT */
/* Where a database is: the `database =` URL, taken apart. */
#ifndef DB_DSN_H
#define DB_DSN_H

#include "core/base/mem.h"
#include "core/base/str.h"

/* One `name=value` behind the ? of a server's URL, percent-decoded, passed on to the client library. */
struct dsn_option {
	const char *name, *value;
};

struct dsn {
	const char *engine; /* "sqlite", "postgresql", "mariadb": the word shown to people */
	const char *path;   /* sqlite: absolute path of the file; NULL for a server */
	/* Of a server; NULL: the client library's default (PGHOST, ~/.my.cnf …). host may be a list for
	 * postgresql ("db1,db2"), a folder of a socket too; socket: the path of mariadb's. */
	const char *host, *port, *user, *database, *socket;
	const struct dsn_option *option;
	size_t n_option;
	/* Not part of the URL once it is parsed: borrowed from whoever holds the secret, who clears it.
	 * NULL: none, or what the library finds itself (~/.pgpass, PGPASSWORD, ~/.my.cnf). Never frozen. */
	const char *password;
	bool password_in_url; /* the file that names it must be its owner's alone */
	const char *shown;    /* without secrets, for screens and errors */
};

/* Takes url apart. A relative sqlite path is resolved against base_dir (the folder of the
 * configuration). `sqlite:PATH` and `sqlite:///ABSOLUTE` are accepted; a `?query`, `:memory:` and an
 * empty path are refused. `postgresql://` and `postgres://[USER[:PASSWORD]@][HOST[:PORT][,…]][/DATABASE]
 * [?option=value&…]` as libpq has them; `mariadb://` and `mysql://` the same with one host and the
 * options that dsn.c lists. An unknown scheme is refused with the nearest known one. Strings live in
 * a, a password of the URL too; shown never has it. */
int dsn_parse(struct arena *a, const char *url, const char *base_dir, struct dsn *out,
	      struct err *e) MUST_CHECK;
/* A copy in a, without the password. */
void dsn_copy(struct arena *a, const struct dsn *from, struct dsn *to);
/* Two URLs of one database, as far as the texts tell: whoever connects, a default port left out, the names
 * of this machine. Two spellings of another host are not found out. */
bool dsn_same(const struct dsn *a, const struct dsn *b);
static inline bool dsn_is_file(const struct dsn *d)
{
	return d->path != NULL;
}

#endif
