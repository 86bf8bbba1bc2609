/* SPDX-License-Identifier: MIT */
/*
 * Connecting to PostgreSQL.
 *
 * A list of hosts is walked here and not by libpq, since each host gets the connect timeout anew, which
 * libpq does only when it blocks. Looking up a host's name happens inside of libpq and cannot be
 * interrupted, nor can its reading of files.
 *
 * What libpq finds by itself where the URL says nothing: PGHOST, PGPORT, PGUSER, PGPASSWORD, PGSSLMODE
 * and the other PG variables, ~/.pgpass (or passfile=), ~/.pg_service.conf (service=), the client
 * certificate in ~/.postgresql. With PGHOST a list, the connect timeout covers all of it.
 */
#include "core/db/db_postgres.h"

#include <stddef.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/library.h"

#define LOCK_TIMEOUT_DEFAULT_MS 5000
#define CONNECT_TIMEOUT_DEFAULT_MS 10000
#define ANSWER_TIMEOUT_DEFAULT_MS 30000
#define HOSTS_MAX 32
#define WORDS_EXTRA 16 /* connection parameters beside those of the URL's ? */

/* clang-format off */
#define X(f) { #f, offsetof(struct pq, f) },
static const struct library_symbol symbols[] = { PG_FUNCTIONS(X) };
#undef X
/* clang-format on */

static const char *const files[] = { "libpq.so.5", NULL };

static const struct library libpq = {
	.name = "libpq",
	.hint = "install the package libpq5 (14 or newer)",
	.file = files,
	.symbol = symbols,
	.n_symbol = sizeof(symbols) / sizeof(symbols[0]),
};

/* --- Connecting -------------------------------------------------------------------------------- */

/* Parameters of a connection as libpq takes them: a later word counts. */
struct words {
	const char **key, **value;
	size_t n;
};

static void words_add(struct words *w, const char *key, const char *value)
{
	if (value == NULL)
		return;
	w->key[w->n] = key;
	w->value[w->n++] = value;
}

static void ignore_notice(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

static int connect_wait(struct db_postgres *s, PGconn *conn, struct err *e)
{
	int64_t deadline = clock_mono_ms() + s->connect_timeout_ms;
	PostgresPollingStatusType what = PGRES_POLLING_WRITING;

	while (what != PGRES_POLLING_OK) {
		struct pollfd fd = { .fd = s->pq.PQsocket(conn) };
		int ready;

		if (what == PGRES_POLLING_FAILED || s->pq.PQstatus(conn) == CONNECTION_BAD)
			return pg_connect_error(s, conn, e);
		fd.events = what == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		ready = wait_fds(&fd, 1, deadline, s->cancel, e);
		if (ready < 0)
			return err_wrap(e, "cannot connect to %s", s->shown);
		if (ready == 0) {
			const char *host = s->pq.PQhost(conn);

			err_set(e, ERR_TIMEOUT, "cannot connect to %s", s->shown);
			return err_detail(e, "no answer from %s after %lld ms",
					  host != NULL ? host : "the server",
					  (long long)s->connect_timeout_ms);
		}
		what = s->pq.PQconnectPoll(conn);
	}
	return 0;
}

static int connect_words(struct db_postgres *s, const struct words *w, struct err *e)
{
	PGconn *conn = s->pq.PQconnectStartParams(w->key, w->value, 0);

	if (conn == NULL)
		mem_oom();
	/* The only way to the SQLSTATE of a refusal; see pg_connect_error. */
	s->pq.PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	s->pq.PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (connect_wait(s, conn, e) != 0) {
		s->pq.PQfinish(conn);
		return -1;
	}
	s->pq.PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	if (s->pq.PQsetnonblocking(conn, 1) != 0) {
		pg_connect_error(s, conn, e);
		s->pq.PQfinish(conn);
		return -1;
	}
	s->conn = conn;
	pg_key_make(s);
	return 0;
}

static int connect_to(struct db_postgres *s, const struct dsn *dsn, const char *host,
		      const char *port, const char *attrs, struct err *e)
{
	struct words w = {
		.key = mem_calloc(dsn->n_option + WORDS_EXTRA, sizeof(*w.key)),
		.value = mem_calloc(dsn->n_option + WORDS_EXTRA, sizeof(*w.value)),
	};
	int result;

	words_add(&w, "fallback_application_name", "bascule");
	/* A server that vanished without a word is noticed in two minutes instead of two hours. */
	words_add(&w, "keepalives_idle", "60");
	words_add(&w, "keepalives_interval", "10");
	words_add(&w, "keepalives_count", "6");
	for (size_t i = 0; i < dsn->n_option; i++)
		words_add(&w, dsn->option[i].name, dsn->option[i].value);
	words_add(&w, "host", host);
	words_add(&w, "port", port);
	words_add(&w, "user", dsn->user);
	words_add(&w, "dbname", dsn->database);
	words_add(&w, "password", dsn->password);
	words_add(&w, "target_session_attrs", attrs);
	words_add(&w, "client_encoding", "UTF8");
	result = connect_words(s, &w, e);
	mem_free(w.key);
	mem_free(w.value);
	return result;
}

static const char *option(const struct dsn *dsn, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < dsn->n_option; i++)
		if (strcmp(dsn->option[i].name, name) == 0)
			value = dsn->option[i].value;
	return value;
}

/* As libpq has it: whoever was reached and refused us ends the search. */
static bool next_host_helps(const struct err *e)
{
	return e->code == ERR_SYSTEM || e->code == ERR_TIMEOUT || e->code == ERR_BUSY;
}

static size_t pieces(const char *list)
{
	size_t n = 1;

	for (; list != NULL && *list != '\0'; list++)
		n += *list == ',';
	return list != NULL ? n : 0;
}

static int connect_hosts(struct db_postgres *s, const struct dsn *dsn, const char *attrs,
			 struct err *e)
{
	struct sv hosts = sv_of(dsn->host), ports = sv_of(dsn->port), host, port = { 0 };
	struct strbuf words;
	int result = -1;

	strbuf_init(&words, sizeof(e->detail));
	while (result != 0 && sv_cut(&hosts, ',', &host)) {
		char *one = mem_strndup(host.p, host.n), *number = NULL;

		if (ports.n > 0)
			sv_cut(&ports, ',', &port);
		if (port.n > 0)
			number = mem_strndup(port.p, port.n);
		result = connect_to(s, dsn, one, number, attrs, e);
		mem_free(one);
		mem_free(number);
		if (result != 0 && !next_host_helps(e))
			break;
		if (result != 0)
			strbuf_addf(&words, "%s%s", words.len > 0 ? "; " : "", e->detail);
	}
	if (result != 0 && next_host_helps(e))
		err_detail(e, "%s", strbuf_str(&words));
	strbuf_clear(&words);
	return result;
}

static int connect_any(struct db_postgres *s, const struct dsn *dsn, struct err *e)
{
	const char *attrs = option(dsn, "target_session_attrs");
	size_t hosts = pieces(dsn->host), ports = pieces(dsn->port);

	/* Lists that do not fit each other are left to libpq, which says so. */
	if (hosts < 2 || (ports > 1 && ports != hosts) || option(dsn, "hostaddr") != NULL)
		return connect_to(s, dsn, dsn->host, dsn->port, NULL, e);
	if (hosts > HOSTS_MAX)
		return err_set(e, ERR_LIMIT, "database %s has more than %d hosts", s->shown,
			       HOSTS_MAX);
	if (attrs == NULL || strcmp(attrs, "prefer-standby") != 0)
		return connect_hosts(s, dsn, NULL, e);
	if (connect_hosts(s, dsn, "standby", e) == 0)
		return 0;
	return next_host_helps(e) ? connect_hosts(s, dsn, "any", e) : -1;
}

static int64_t or_default(int64_t ms, int64_t dflt)
{
	return ms > 0 ? ms : dflt;
}

static struct db_postgres *new_postgres(const char *shown, struct cancel *cancel)
{
	struct db_postgres *s = mem_calloc(1, sizeof(*s));

	s->base.ops = &db_postgres_ops;
	s->shown = mem_strdup(shown);
	s->cancel = cancel;
	strbuf_init(&s->sql, STRBUF_NO_LIMIT);
	return s;
}

void pg_close(struct db *db)
{
	struct db_postgres *s = pg_of(db);

	/* The server does not notice that we are gone as long as it computes. */
	if (s->conn != NULL && !s->lost && s->pq.PQtransactionStatus(s->conn) == PQTRANS_ACTIVE)
		pg_request_cancel(s, PG_STOP_NOW_MS);
	pg_units_free(s);
	pg_prepared_forget(s);
	if (s->conn != NULL)
		s->pq.PQfinish(s->conn);
	pg_key_drop(s->key);
	strbuf_clear(&s->sql);
	mem_free(s->user);
	mem_free(s->role);
	mem_free(s->search_path);
	mem_free(s->shown);
	mem_free(s);
}

int pg_open(const struct dsn *dsn, unsigned flags, const struct db_options *opt,
	    struct cancel *cancel, struct db **out, struct err *e)
{
	static const struct db_options none = { 0 };
	const char *seconds = option(dsn, "connect_timeout");
	struct db_postgres *s;
	int64_t n;

	if ((flags & DB_CREATE) != 0) {
		err_set(e, ERR_UNSUPPORTED, "cannot create %s", dsn->shown);
		return err_hint(e, "createdb %s", dsn->database != NULL ? dsn->database : "");
	}
	opt = opt != NULL ? opt : &none;
	s = new_postgres(dsn->shown, cancel);
	s->read_only = (flags & DB_READ_ONLY) != 0;
	s->lock_timeout_ms = or_default(opt->lock_timeout_ms, LOCK_TIMEOUT_DEFAULT_MS);
	s->statement_timeout_ms = opt->statement_timeout_ms;
	s->connect_timeout_ms = or_default(opt->connect_timeout_ms, CONNECT_TIMEOUT_DEFAULT_MS);
	if (opt->connect_timeout_ms == 0 && sv_int(sv_of(seconds), 1, 86400, &n))
		s->connect_timeout_ms = n * 1000;
	/* Whoever waits for a lock gets no answer meanwhile. */
	s->answer_timeout_ms = or_default(opt->answer_timeout_ms, ANSWER_TIMEOUT_DEFAULT_MS) +
			       s->lock_timeout_ms;
	if (library_load(&libpq, &s->pq, e) != 0 || connect_any(s, dsn, e) != 0) {
		pg_close(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}

int pg_open_again(struct db_postgres *s, struct db **out, struct err *e)
{
	struct db_postgres *other = new_postgres(s->shown, s->cancel);
	PQconninfoOption *all = s->pq.PQconninfo(s->conn);
	struct words w = { 0 };
	size_t n = 0;
	int result;

	while (all != NULL && all[n].keyword != NULL)
		n++;
	w.key = mem_calloc(n + 1, sizeof(*w.key));
	w.value = mem_calloc(n + 1, sizeof(*w.value));
	for (size_t i = 0; i < n; i++)
		words_add(&w, all[i].keyword, all[i].val);
	other->pq = s->pq;
	other->read_only = true;
	other->lock_timeout_ms = s->lock_timeout_ms;
	other->connect_timeout_ms = s->connect_timeout_ms;
	other->answer_timeout_ms = s->answer_timeout_ms;
	result = connect_words(other, &w, e);
	mem_free(w.key);
	mem_free(w.value);
	s->pq.PQconninfoFree(all);
	if (result == 0)
		*out = &other->base;
	else
		pg_close(&other->base);
	return result;
}
