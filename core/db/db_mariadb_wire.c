/* SPDX-License-Identifier: MIT */
/*
 * The MariaDB driver: the connection, all waiting on it, and errors.
 *
 * Waiting. The library's non-blocking calls come in two halves: NAME_start runs until the socket would
 * block and says what to wait for; wait_fds waits; NAME_cont goes on. So every wait ends at a deadline
 * and by a cancel. Connecting, the TLS handshake, sending, and reading results all go this way. What
 * still blocks inside the library: resolving a host's name (getaddrinfo), reading ~/.my.cnf and
 * certificates, and the farewell packet of mysql_close, which is why a broken connection is shut down
 * before.
 *
 * Cancel. A server does not look at its client's socket while it works. When the cancel fires, a second
 * connection sends KILL QUERY, and then the answer of the first (1317, or the real one if that was
 * faster) is read as usual; only if that does not come in CANCEL_ANSWER_MS, the connection is given up.
 * A KILL QUERY that arrives between two statements is forgotten by the server.
 *
 * What the library finds by itself, because MYSQL_READ_DEFAULT_GROUP asks it to: the files my.cnf of
 * /etc, /etc/mysql and $MARIADB_HOME or $MYSQL_HOME, and ~/.my.cnf; in them the groups [client],
 * [client-server], [client-mariadb] and [bascule]. Host, port, user, password and socket of the
 * environment come before those of a file; for the ssl options the library lets the file win.
 * "localhost" (and no host at all) is the unix socket, 127.0.0.1 is TCP, as everywhere with MariaDB.
 */
#include "core/db/db_mariadb.h"

#include <errno.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/library.h"

#define CANCEL_ANSWER_MS 5000 /* until a killed statement has said so */
#define KILL_AGAIN_MS 300    /* a KILL QUERY that came between two statements of a packet is lost */
#define QUIET_LIMIT_MS 10000 /* for a ROLLBACK and the like */
#define STACK_BYTES \
	(256 << 10) /* of the library's side of a call: OpenSSL and getaddrinfo run there */

/* --- The library ------------------------------------------------------------------------------- */

int mariadb_load(struct db_mariadb *m, struct err *e)
{
	static const char *const files[] = { "libmariadb.so.3", NULL };
#define SYMBOL(name) { #name, offsetof(struct mariadb_api, name) },
	static const struct library_symbol symbols[] = { MARIADB_CALLS(SYMBOL) };
#undef SYMBOL
	static const struct library lib = {
		.name = "libmariadb",
		.hint = "install MariaDB's client library: apt-get install libmariadb3",
		.file = files,
		.symbol = symbols,
		.n_symbol = sizeof(symbols) / sizeof(symbols[0]),
	};

	return library_load(&lib, &m->api, e);
}

/* The first mysql_init of a process sets the library up and takes no lock for it. The lock has to be
 * the process's, so it is the one thing static here. */
static MYSQL *init_locked(const struct mariadb_api *api)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	MYSQL *conn;

	pthread_mutex_lock(&lock);
	conn = api->mysql_server_init(0, NULL, NULL) == 0 ? api->mysql_init(NULL) : NULL;
	pthread_mutex_unlock(&lock);
	if (conn == NULL)
		mem_oom();
	return conn;
}

/* --- Errors ------------------------------------------------------------------------------------ */

/* What the driver makes of an error number. system: errno, for ERR_SYSTEM. */
static const struct {
	unsigned number;
	enum err_code code;
	int errnum;
	const char *hint;
} known_errors[] = {
	{ ER_LOCK_WAIT_TIMEOUT, ERR_BUSY, 0, "try again, or see who holds it: SHOW PROCESSLIST" },
	{ ER_LOCK_DEADLOCK, ERR_BUSY, 0, "try again" },
	{ ER_STATEMENT_TIMEOUT, ERR_TIMEOUT, 0, NULL },
	{ ER_RECORD_FILE_FULL, ERR_SYSTEM, ENOSPC, "make room on the server" },
	{ ER_DISK_FULL, ERR_SYSTEM, ENOSPC, "make room on the server" },
	{ ER_OPTION_PREVENTS_STATEMENT, ERR_SYSTEM, EROFS, NULL },
	{ ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ERR_SYSTEM, EROFS, NULL },
	{ ER_READ_ONLY_MODE, ERR_SYSTEM, EROFS, NULL },
	{ ER_CANT_UPDATE_WITH_READLOCK, ERR_SYSTEM, EROFS, NULL },
	{ ER_DBACCESS_DENIED_ERROR, ERR_DB, 0,
	  "give the role what it lacks: GRANT ALL ON database.* TO user" },
	{ ER_TABLEACCESS_DENIED_ERROR, ERR_DB, 0,
	  "give the role what it lacks: GRANT … ON database.* TO user" },
	{ ER_SPECIFIC_ACCESS_DENIED_ERROR, ERR_DB, 0,
	  "give the role what it lacks: GRANT … ON *.* TO user" },
	{ ER_ACCESS_DENIED_ERROR, ERR_DB, 0,
	  "check the user, and set password = env:NAME of the environment, or use ~/.my.cnf" },
	{ ER_BAD_DB_ERROR, ERR_NOT_FOUND, 0, NULL },
	{ ER_SERVER_SHUTDOWN, ERR_LOST, 0, NULL },
	{ ER_CONNECTION_KILLED, ERR_LOST, 0, NULL },
	{ CR_SERVER_GONE_ERROR, ERR_LOST, 0, NULL },
	{ CR_SERVER_LOST, ERR_LOST, 0, NULL },
	{ CR_SERVER_LOST_EXTENDED, ERR_LOST, 0, NULL },
	{ CR_MALFORMED_PACKET, ERR_LOST, 0, NULL },
	{ CR_COMMANDS_OUT_OF_SYNC, ERR_LOST, 0, NULL },
	{ CR_ERR_NET_READ, ERR_LOST, 0, NULL },
	{ CR_ERR_NET_WRITE, ERR_LOST, 0, NULL },
	{ ER_NET_PACKET_TOO_LARGE, ERR_LIMIT, 0, "raise max_allowed_packet of the server" },
	{ CR_NET_PACKET_TOO_LARGE, ERR_LIMIT, 0, "raise max_allowed_packet of the server" },
	{ CR_SSL_CONNECTION_ERROR, ERR_DB, 0, "check ssl-ca, ssl-cert and ssl-key of the URL" },
};

int mariadb_error_of(struct db_mariadb *m, unsigned number, const char *state, const char *words,
		     struct err *e)
{
	enum err_code code = ERR_DB;
	const char *hint = NULL;
	int errnum = 0;

	for (size_t i = 0; i < sizeof(known_errors) / sizeof(known_errors[0]); i++) {
		if (known_errors[i].number != number)
			continue;
		code = known_errors[i].code;
		errnum = known_errors[i].errnum;
		hint = known_errors[i].hint;
	}
	/* "Got error 28 "No space left on device" from storage engine InnoDB" */
	if (number == ER_GET_ERRNO && strstr(words, "error 28 ") != NULL) {
		code = ERR_SYSTEM;
		errnum = ENOSPC;
	}
	if (number == ER_QUERY_INTERRUPTED && m->killed)
		return err_set(e, ERR_CANCELLED, "stopped: the statement on %s was ended",
			       m->shown);
	if (code == ERR_SYSTEM) {
		err_sys(e, errnum, "cannot write %s", m->shown);
		err_detail(e, "%s: %s (%u, SQLSTATE %s)", err_errno_name(errnum), words, number,
			   state);
	} else {
		err_set(e, code, code == ERR_LOST ? "lost the connection to %s" : "cannot use %s",
			m->shown);
		err_detail(e, "%s (SQLSTATE %s)", words, state);
		snprintf(e->sys, sizeof(e->sys), "%u", number);
	}
	if (code == ERR_LOST)
		m->broken = true;
	if (code == ERR_LIMIT)
		err_detail(e, "%s (max_allowed_packet is %zu)", words, m->max_packet);
	return hint != NULL ? err_hint(e, "%s", hint) : -1;
}

int mariadb_error(struct db_mariadb *m, struct err *e)
{
	return mariadb_error_of(m, m->api.mysql_errno(m->conn), m->api.mysql_sqlstate(m->conn),
				m->api.mysql_error(m->conn), e);
}

/* --- Connecting -------------------------------------------------------------------------------- */

/* The options of the URL (core/db/dsn.c). text: passed on as it is; else a switch. */
static const struct {
	const char *name;
	enum mysql_option option;
	bool text;
} url_options[] = {
	{ "ssl", MYSQL_OPT_SSL_ENFORCE, false },
	{ "ssl-ca", MYSQL_OPT_SSL_CA, true },
	{ "ssl-capath", MYSQL_OPT_SSL_CAPATH, true },
	{ "ssl-cert", MYSQL_OPT_SSL_CERT, true },
	{ "ssl-key", MYSQL_OPT_SSL_KEY, true },
	{ "ssl-crl", MYSQL_OPT_SSL_CRL, true },
	{ "ssl-crlpath", MYSQL_OPT_SSL_CRLPATH, true },
	{ "ssl-cipher", MYSQL_OPT_SSL_CIPHER, true },
	{ "tls-version", MARIADB_OPT_TLS_VERSION, true },
	{ "ssl-verify-server-cert", MYSQL_OPT_SSL_VERIFY_SERVER_CERT, false },
	{ "default-auth", MYSQL_DEFAULT_AUTH, true },
};

static bool is_on(const char *value)
{
	return strcmp(value, "0") != 0 && strcmp(value, "false") != 0 &&
	       strcmp(value, "off") != 0 && strcmp(value, "no") != 0;
}

/* Whoever names the authority means that it is to be asked, so that comes first and a switch in the
 * URL can take it back. */
static void verify_by_default(const struct mariadb_api *api, MYSQL *conn, const struct dsn *d)
{
	const my_bool yes = 1;

	for (size_t i = 0; i < d->n_option; i++) {
		if (strcmp(d->option[i].name, "ssl-ca") != 0 &&
		    strcmp(d->option[i].name, "ssl-capath") != 0)
			continue;
		api->mysql_options(conn, MYSQL_OPT_SSL_ENFORCE, &yes);
		api->mysql_options(conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
	}
}

/* The library goes on in plain text when the server has no TLS, unless it was told to verify. */
static bool wants_tls(const struct dsn *d)
{
	bool wants = false;

	for (size_t i = 0; i < d->n_option; i++) {
		const char *name = d->option[i].name;

		if (strcmp(name, "ssl") == 0 || strcmp(name, "ssl-verify-server-cert") == 0)
			wants = wants || is_on(d->option[i].value);
		else if (strncmp(name, "ssl-", 4) == 0 || strcmp(name, "tls-version") == 0)
			wants = true;
	}
	return wants;
}

static void set_options(const struct mariadb_api *api, MYSQL *conn, const struct dsn *d)
{
	const size_t stack = STACK_BYTES;
	const unsigned off = 0;

	api->mysql_options(conn, MYSQL_OPT_NONBLOCK, &stack);
	api->mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	/* A server must not be able to ask for files of this machine. */
	api->mysql_options(conn, MYSQL_OPT_LOCAL_INFILE, &off);
	api->mysql_options(conn, MYSQL_READ_DEFAULT_GROUP, "bascule");
	verify_by_default(api, conn, d);
	for (size_t i = 0; i < d->n_option; i++)
		for (size_t k = 0; k < sizeof(url_options) / sizeof(url_options[0]); k++) {
			const char *value = d->option[i].value;
			my_bool on = is_on(value);

			if (strcmp(d->option[i].name, url_options[k].name) != 0)
				continue;
			api->mysql_options(conn, url_options[k].option,
					   url_options[k].text ? (const void *)value : &on);
		}
}

static int wait_socket(const struct mariadb_api *api, MYSQL *conn, int *status, int64_t deadline_ms,
		       struct cancel *c, struct err *e)
{
	struct pollfd fd = { .fd = api->mysql_get_socket(conn) };
	int64_t until = deadline_ms;
	int ready;

	if ((*status & MYSQL_WAIT_READ) != 0)
		fd.events |= POLLIN;
	if ((*status & MYSQL_WAIT_WRITE) != 0)
		fd.events |= POLLOUT;
	if ((*status & MYSQL_WAIT_EXCEPT) != 0)
		fd.events |= POLLPRI;
	if ((*status & MYSQL_WAIT_TIMEOUT) != 0) {
		int64_t own = clock_mono_ms() + api->mysql_get_timeout_value_ms(conn);

		until = own < until ? own : until;
	}
	ready = wait_fds(&fd, 1, until, c, e);
	if (ready < 0)
		return -1;
	if (ready == 0 && until == deadline_ms)
		return err_set(e, ERR_TIMEOUT, "no answer");
	*status = ready == 0 ? MYSQL_WAIT_TIMEOUT : 0;
	if ((fd.revents & (POLLIN | POLLERR | POLLHUP)) != 0)
		*status |= MYSQL_WAIT_READ;
	if ((fd.revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
		*status |= MYSQL_WAIT_WRITE;
	if ((fd.revents & POLLPRI) != 0)
		*status |= MYSQL_WAIT_EXCEPT;
	return 0;
}

/* The farewell that mysql_close sends must not wait for anybody. */
static void close_now(const struct mariadb_api *api, MYSQL *conn)
{
	my_socket fd = api->mysql_get_socket(conn);

	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	api->mysql_close(conn);
}

void mariadb_abandon(struct db_mariadb *m)
{
	my_socket fd = m->api.mysql_get_socket(m->conn);

	m->broken = true;
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

static int connect_error(const struct db_mariadb *m, MYSQL *conn, struct err *e)
{
	unsigned number = m->api.mysql_errno(conn);
	/* A copy to speak for: another thread may be connecting to end a statement of m. */
	struct db_mariadb view = { .shown = m->shown, .max_packet = m->max_packet };

	mariadb_error_of(&view, number, m->api.mysql_sqlstate(conn), m->api.mysql_error(conn), e);
	if (number == ER_BAD_DB_ERROR)
		err_hint(e, "make it on the server: CREATE DATABASE `%s`", m->target.dsn.database);
	if (number == CR_CONNECTION_ERROR || number == CR_CONN_HOST_ERROR ||
	    number == CR_UNKNOWN_HOST || number == CR_SOCKET_CREATE_ERROR) {
		e->code = ERR_SYSTEM;
		err_hint(e, "is the server up, and is this where it listens?");
	}
	/* "cannot use" would be said of a connection. */
	snprintf(e->msg, sizeof(e->msg), "cannot connect to %s", m->shown);
	return -1;
}

int mariadb_dial(const struct db_mariadb *m, int64_t deadline_ms, struct cancel *c, MYSQL **out,
		 struct err *e)
{
	const struct dsn *d = &m->target.dsn;
	const char *host = d->host, *socket = d->socket;
	MYSQL *conn = init_locked(&m->api), *ret = NULL;
	int64_t port = 0;
	int status;

	if (host != NULL && host[0] == '/' && socket == NULL) {
		socket = host;
		host = NULL;
	}
	if (socket != NULL)
		host = "localhost";
	if (d->port != NULL && !sv_int(sv_of(d->port), 1, 65535, &port))
		port = 0; /* dsn_parse has looked */
	set_options(&m->api, conn, d);
	status = m->api.mysql_real_connect_start(&ret, conn, host, d->user, m->target.password,
						 d->database, (unsigned)port, socket,
						 CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS);
	while (status != 0) {
		if (wait_socket(&m->api, conn, &status, deadline_ms, c, e) != 0)
			goto stopped;
		status = m->api.mysql_real_connect_cont(&ret, conn, status);
	}
	if (ret == NULL) {
		connect_error(m, conn, e);
		m->api.mysql_close(conn);
		return -1;
	}
	if (wants_tls(d) && m->api.mysql_get_ssl_cipher(conn) == NULL) {
		m->api.mysql_close(conn);
		err_set(e, ERR_DB, "cannot connect to %s", m->shown);
		snprintf(e->sys, sizeof(e->sys), "%d", CR_SSL_CONNECTION_ERROR);
		err_detail(e, "the server has no TLS");
		return err_hint(e, "set it up there (ssl_cert, ssl_key), or leave ssl out");
	}
	*out = conn;
	return 0;
stopped:
	close_now(&m->api, conn);
	if (e->code == ERR_TIMEOUT) {
		err_set(e, ERR_TIMEOUT, "cannot connect to %s", m->shown);
		return err_detail(e, "no answer in %lld ms",
				  (long long)m->target.connect_timeout_ms);
	}
	if (e->code == ERR_CANCELLED)
		return err_set(e, ERR_CANCELLED, "connecting to %s was stopped", m->shown);
	return -1;
}

/* --- Waiting ----------------------------------------------------------------------------------- */

bool mariadb_kill_query(const struct db_mariadb *m, struct err *e)
{
	int64_t deadline = clock_mono_ms() + m->target.connect_timeout_ms;
	char sql[48];
	MYSQL *conn = NULL;
	int ret = 1, status;

	if (mariadb_dial(m, deadline, NULL, &conn, e) != 0)
		return false;
	snprintf(sql, sizeof(sql), "KILL QUERY %lld", (long long)m->id);
	status = m->api.mysql_real_query_start(&ret, conn, sql, strlen(sql));
	while (status != 0) {
		if (wait_socket(&m->api, conn, &status, deadline, NULL, e) != 0) {
			close_now(&m->api, conn);
			return false;
		}
		status = m->api.mysql_real_query_cont(&ret, conn, status);
	}
	if (ret != 0)
		connect_error(m, conn, e);
	m->api.mysql_close(conn);
	return ret == 0;
}

static int give_up(struct db_mariadb *m, struct err *e, bool cancelled)
{
	m->broken = true;
	if (cancelled) {
		err_set(e, ERR_CANCELLED, "stopped: %s does not answer any more", m->shown);
		return err_detail(e, "the statement may go on there");
	}
	err_set(e, ERR_TIMEOUT, "%s does not answer", m->shown);
	return err_detail(e, "no answer in %lld ms", (long long)m->answer_timeout_ms);
}

int mariadb_wait(struct db_mariadb *m, int *status, struct err *e)
{
	for (;;) {
		int64_t until = m->deadline_ms, again = clock_mono_ms() + KILL_AGAIN_MS;

		if (m->killed && again < until)
			until = again;
		if (wait_socket(&m->api, m->conn, status, until, m->killed ? NULL : m->cancel, e) ==
		    0)
			return 0;
		if (e->code != ERR_CANCELLED && e->code != ERR_TIMEOUT) {
			m->broken = true;
			return -1;
		}
		if (e->code == ERR_TIMEOUT && until == m->deadline_ms)
			return give_up(m, e, m->killed);
		if (!m->killed)
			m->deadline_ms = clock_mono_ms() + CANCEL_ANSWER_MS;
		m->killed = true;
		if (!mariadb_kill_query(m, e))
			return give_up(m, e, true);
	}
}

void mariadb_kill_now(struct db_mariadb *m)
{
	struct err ignored;

	m->killed = true;
	m->deadline_ms = clock_mono_ms() + CANCEL_ANSWER_MS;
	(void)!mariadb_kill_query(m, &ignored);
}

int mariadb_begin(struct db_mariadb *m, int64_t limit_ms, struct err *e)
{
	if (m->broken)
		return err_set(e, ERR_LOST, "the connection to %s is lost", m->shown);
	if (cancel_fired(m->cancel))
		return err_set(e, ERR_CANCELLED, "stopped before using %s", m->shown);
	m->killed = false;
	m->deadline_ms = limit_ms == WAIT_FOREVER ? WAIT_FOREVER : clock_mono_ms() + limit_ms;
	atomic_store(&m->busy, true);
	return 0;
}

void mariadb_end(struct db_mariadb *m)
{
	atomic_store(&m->busy, false);
}

/* --- Results ----------------------------------------------------------------------------------- */

int mariadb_query(struct db_mariadb *m, struct sv sql, struct err *e)
{
	int ret = 0;
	int status = m->api.mysql_real_query_start(&ret, m->conn, sql.p, sql.n);

	while (status != 0) {
		if (mariadb_wait(m, &status, e) != 0)
			return -1;
		status = m->api.mysql_real_query_cont(&ret, m->conn, status);
	}
	return ret == 0 ? 0 : mariadb_error(m, e);
}

int mariadb_next(struct db_mariadb *m, struct err *e)
{
	int ret = 0;
	int status = m->api.mysql_next_result_start(&ret, m->conn);

	while (status != 0) {
		if (mariadb_wait(m, &status, e) != 0)
			return -1;
		status = m->api.mysql_next_result_cont(&ret, m->conn, status);
	}
	return ret <= 0 ? 0 : mariadb_error(m, e);
}

/* One row at a time: a result may be larger than our memory. */
int mariadb_drop_rows(struct db_mariadb *m, struct err *e)
{
	MYSQL_RES *res;
	int result = 0;

	if (m->api.mysql_field_count(m->conn) == 0)
		return 0;
	res = m->api.mysql_use_result(m->conn);
	if (res == NULL)
		return mariadb_error(m, e);
	for (;;) {
		MYSQL_ROW row = NULL;
		int status = m->api.mysql_fetch_row_start(&row, res);

		while (status != 0 && result == 0) {
			result = mariadb_wait(m, &status, e);
			if (result == 0)
				status = m->api.mysql_fetch_row_cont(&row, res, status);
		}
		if (result != 0 || row == NULL)
			break;
	}
	if (result == 0 && m->api.mysql_errno(m->conn) != 0)
		result = mariadb_error(m, e);
	/* Freeing a result that was not read to its end would read it, without any deadline. */
	if (m->broken)
		mariadb_abandon(m);
	m->api.mysql_free_result(res);
	return result;
}

int mariadb_keep_rows(struct db_mariadb *m, MYSQL_RES **out, struct err *e)
{
	int status;

	*out = NULL;
	if (m->api.mysql_field_count(m->conn) == 0)
		return 0;
	status = m->api.mysql_store_result_start(out, m->conn);
	while (status != 0) {
		if (mariadb_wait(m, &status, e) != 0) {
			*out = NULL;
			return -1;
		}
		status = m->api.mysql_store_result_cont(out, m->conn, status);
	}
	return *out != NULL ? 0 : mariadb_error(m, e);
}

int mariadb_drop_all(struct db_mariadb *m, int64_t *changed, struct err *e)
{
	int64_t sum = 0;

	for (;;) {
		if (m->api.mysql_field_count(m->conn) == 0)
			sum += (int64_t)m->api.mysql_affected_rows(m->conn);
		else if (mariadb_drop_rows(m, e) != 0)
			return -1;
		if (!m->api.mysql_more_results(m->conn))
			break;
		if (mariadb_next(m, e) != 0)
			return -1;
	}
	if (changed != NULL)
		*changed = sum;
	return 0;
}

#define COLUMNS_MAX 64
#define CHARSET_BINARY 63

static struct db_value int_or_text(struct sv text)
{
	struct db_value v = { .type = DB_TEXT, .s = text };

	if (sv_int(text, INT64_MIN, INT64_MAX, &v.i))
		v.type = DB_INT;
	return v;
}

static struct db_value column(const MYSQL_FIELD *f, const char *p, unsigned long n)
{
	struct sv text = sv_n(p, n);
	struct db_value v = { .type = DB_TEXT, .s = text };

	if (p == NULL)
		return DB_V_NULL;
	switch (f->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
	case MYSQL_TYPE_YEAR:
		return int_or_text(text);
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL:
		/* sum() of integers is one; with decimals it stays the text it is. */
		return f->decimals == 0 ? int_or_text(text) : v;
	case MYSQL_TYPE_FLOAT:
	case MYSQL_TYPE_DOUBLE:
		v.type = DB_REAL;
		v.r = strtod(p, NULL);
		return v;
	case MYSQL_TYPE_STRING:
	case MYSQL_TYPE_VAR_STRING:
	case MYSQL_TYPE_VARCHAR:
	case MYSQL_TYPE_TINY_BLOB:
	case MYSQL_TYPE_MEDIUM_BLOB:
	case MYSQL_TYPE_LONG_BLOB:
	case MYSQL_TYPE_BLOB:
		if (f->charsetnr == CHARSET_BINARY)
			v.type = DB_BLOB;
		return v;
	case MYSQL_TYPE_BIT:
	case MYSQL_TYPE_GEOMETRY:
		v.type = DB_BLOB;
		return v;
	default: /* dates and times, ENUM, SET, JSON */
		return v;
	}
}

int mariadb_give_rows(struct db_mariadb *m, MYSQL_RES *res, db_row_fn fn, void *arg, struct err *e)
{
	struct db_value col[COLUMNS_MAX];
	const MYSQL_FIELD *field = m->api.mysql_fetch_fields(res);
	unsigned n = m->api.mysql_num_fields(res);
	MYSQL_ROW row;

	if (n > COLUMNS_MAX)
		n = COLUMNS_MAX;
	while ((row = m->api.mysql_fetch_row(res)) != NULL) {
		const unsigned long *len = m->api.mysql_fetch_lengths(res);

		for (unsigned i = 0; i < n; i++)
			col[i] = column(&field[i], row[i], len[i]);
		if (fn(arg, col, n, e) != 0)
			return -1;
	}
	return 0;
}

int mariadb_set_multi(struct db_mariadb *m, bool on, struct err *e)
{
	enum enum_mysql_set_option option = on ? MYSQL_OPTION_MULTI_STATEMENTS_ON
					       : MYSQL_OPTION_MULTI_STATEMENTS_OFF;
	int ret = 0, status;

	if (m->multi == on)
		return 0;
	status = m->api.mysql_set_server_option_start(&ret, m->conn, option);
	while (status != 0) {
		if (mariadb_wait(m, &status, e) != 0)
			return -1;
		status = m->api.mysql_set_server_option_cont(&ret, m->conn, status);
	}
	if (ret != 0)
		return mariadb_error(m, e);
	m->multi = on;
	return 0;
}

int mariadb_quietly(struct db_mariadb *m, struct sv sql, struct err *e)
{
	struct cancel *cancel = m->cancel;
	int result;

	m->cancel = NULL;
	result = mariadb_begin(m, QUIET_LIMIT_MS, e);
	if (result == 0) {
		result = mariadb_query(m, sql, e);
		if (result == 0)
			result = mariadb_drop_all(m, NULL, e);
		mariadb_end(m);
	}
	m->cancel = cancel;
	return result;
}

void mariadb_refresh(struct db_mariadb *m)
{
	struct err ignored;

	if (!m->broken)
		(void)!mariadb_quietly(m, SV("DO 0"), &ignored);
}

unsigned mariadb_status(const struct db_mariadb *m)
{
	unsigned status = 0;

	m->api.mariadb_get_infov(m->conn, MARIADB_CONNECTION_SERVER_STATUS, &status);
	return status;
}
