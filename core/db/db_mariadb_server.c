/* SPDX-License-Identifier: MIT */
/*
 * The MariaDB driver: sessions, the advisory lock, the fence, the clock.
 *
 * A session is CONNECTION_ID() and the second in which its server started: ids only grow until the
 * next start. The start is UNIX_TIMESTAMP() less Uptime, two numbers of one statement's clock, so that it
 * is the same in every answer; when the machine's clock was set meanwhile it may differ by what the
 * server has not noticed yet, hence a tolerance.
 *
 * GET_LOCK knows one space of names for the whole server, at most 64 characters, and counts how often
 * one session takes a name. So ours begin with the database, are hashed when long, and are taken only
 * when not held already.
 *
 * No pooler is recognized: neither MaxScale nor ProxySQL was at hand to try. KILL uses what
 * CONNECTION_ID() says, which is the server's own number behind either.
 */
#include "core/db/db_mariadb.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/digest.h"

#define START_TOLERANCE_MS 2000
#define FENCED "bascule: fenced"

#define SERVER_START \
	"(SELECT UNIX_TIMESTAMP() - variable_value FROM information_schema.global_status " \
	"WHERE variable_name = 'UPTIME')"

/* --- About the server -------------------------------------------------------------------------- */

static void copy(char *to, size_t size, const struct db_value *v)
{
	char number[24];

	if (v->type == DB_INT) {
		snprintf(number, sizeof(number), "%lld", (long long)v->i);
		str_copy(to, size, number);
	} else if (v->type != DB_NULL) {
		str_copy_sv(to, size, v->s);
	}
}

static int keep_info(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct db_info *out = arg;
	char flush[8] = "", sync[8] = "";

	(void)n;
	(void)e;
	copy(out->version, sizeof(out->version), &col[0]);
	out->version[strcspn(out->version, "-")] = '\0'; /* "10.11.19-MariaDB-0+deb12u1" */
	copy(out->role, sizeof(out->role), &col[1]);
	copy(out->zone, sizeof(out->zone), &col[2]);
	out->read_only = col[3].type == DB_INT
				 ? col[3].i != 0
				 : col[3].type != DB_NULL && sv_eq_str(col[3].s, "ON");
	copy(flush, sizeof(flush), &col[4]);
	copy(sync, sizeof(sync), &col[5]);
	snprintf(out->durability, sizeof(out->durability),
		 "innodb_flush_log_at_trx_commit=%s sync_binlog=%s", flush, sync);
	return 0;
}

int mariadb_info(struct db *db, struct db_info *out, struct err *e)
{
	const struct dsn *d = &mariadb_of(db)->target.dsn;
	const char *host = d->socket != NULL ? d->socket : d->host != NULL ? d->host : "localhost";
	struct db_info got = { .engine = "mariadb" };
	struct strbuf server;

	if (db_exec(db,
		    "SELECT VERSION(), CURRENT_USER(), IF(@@time_zone = 'SYSTEM', @@system_time_zone, @@time_zone), "
		    "@@read_only, @@innodb_flush_log_at_trx_commit, @@sync_binlog",
		    NULL, 0, keep_info, &got, e) != 0)
		return -1;
	strbuf_init(&server, STRBUF_NO_LIMIT);
	strbuf_addf(&server, "%s%s%s", host, d->port != NULL && d->socket == NULL ? ":" : "",
		    d->port != NULL && d->socket == NULL ? d->port : "");
	str_copy(got.server, sizeof(got.server), strbuf_str(&server));
	strbuf_clear(&server);
	*out = got;
	return 0;
}

int mariadb_size(struct db *db, int64_t *bytes, struct err *e)
{
	const struct db_value name = db_v_text(mariadb_of(db)->target.dsn.database);

	return db_int(db,
		      "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS SIGNED) "
		      "FROM information_schema.tables WHERE table_schema = ?1",
		      &name, 1, 0, bytes, e);
}

int mariadb_now(struct db *db, int64_t *utc_ms, struct err *e)
{
	/* Not UNIX_TIMESTAMP(NOW(3)): that goes by the local time, which an hour of autumn has twice. */
	return db_int(db,
		      "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000",
		      NULL, 0, 0, utc_ms, e);
}

/* --- Sessions ---------------------------------------------------------------------------------- */

struct session_row {
	struct db_session session;
	int64_t there;
	bool held;
};

static int keep_session(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct session_row *r = arg;
	char at[CLOCK_TEXT_SIZE];
	int64_t seconds = 0;

	(void)e;
	if (col[1].type == DB_INT)
		seconds = col[1].i;
	else if (col[1].type == DB_REAL)
		seconds = (int64_t)(col[1].r + 0.5);
	r->held = col[0].type == DB_INT;
	r->session.id = col[0].i;
	r->there = n > 2 && col[2].type == DB_INT ? col[2].i : 0;
	str_copy(r->session.started, sizeof(r->session.started), clock_iso(seconds * 1000, at));
	return 0;
}

int mariadb_session(struct db *db, struct db_session *out, struct err *e)
{
	struct session_row r = { .there = 0 };

	if (db_exec(db, "SELECT CONNECTION_ID(), " SERVER_START, NULL, 0, keep_session, &r, e) != 0)
		return -1;
	*out = r.session;
	return 0;
}

static bool same_start(const char *a, const char *b)
{
	int64_t x, y;

	if (!clock_parse_iso(a, &x) || !clock_parse_iso(b, &y))
		return strcmp(a, b) == 0;
	return (x > y ? x - y : y - x) <= START_TOLERANCE_MS;
}

/* The processlist shows only our own role's sessions to a role without PROCESS. SHOW EXPLAIN tells an
 * unknown id (1094) from one that we may not look at, or that has nothing to explain. */
static int hidden_alive(struct db *db, int64_t id, bool *alive, struct err *e)
{
	const struct db_value v = DB_V_INT(id);
	int result = db_exec(db, "SHOW EXPLAIN FOR ?1", &v, 1, NULL, NULL, e);

	if (result != 0 && (e->code == ERR_CANCELLED || e->code == ERR_LOST ||
			    (e->code == ERR_TIMEOUT && e->sys[0] == '\0')))
		return -1;
	*alive = result == 0 || strcmp(e->sys, "1094") != 0;
	return 0;
}

int mariadb_session_alive(struct db *db, const struct db_session *s, bool *alive, struct err *e)
{
	const struct db_value v = DB_V_INT(s->id);
	struct session_row r = { .there = 0 };

	if (db_exec(db,
		    "SELECT CONNECTION_ID(), " SERVER_START
		    ", (SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?1)",
		    &v, 1, keep_session, &r, e) != 0)
		return -1;
	if (!same_start(r.session.started, s->started)) {
		*alive = false;
		return 0;
	}
	if (r.there > 0) {
		*alive = true;
		return 0;
	}
	return hidden_alive(db, s->id, alive, e);
}

int mariadb_session_end(struct db *db, const struct db_session *s, struct err *e)
{
	const struct db_value v = DB_V_INT(s->id);
	bool alive;

	/* An id may be another session's after the server's next start. */
	if (mariadb_session_alive(db, s, &alive, e) != 0)
		return -1;
	if (!alive || db_exec(db, "KILL ?1", &v, 1, NULL, NULL, e) == 0)
		return 0;
	return strcmp(e->sys, "1094") == 0 ? 0 : -1;
}

/* --- The advisory lock ------------------------------------------------------------------------- */

void mariadb_lock_key(const struct db_mariadb *m, const char *name,
		      char key[MARIADB_LOCK_NAME_SIZE])
{
	char hex[DIGEST_HEX_SIZE];
	struct strbuf full;

	strbuf_init(&full, STRBUF_NO_LIMIT);
	strbuf_addf(&full, "bascule.%s.%s", m->target.dsn.database, name);
	if (full.len < MARIADB_LOCK_NAME_SIZE) {
		snprintf(key, MARIADB_LOCK_NAME_SIZE, "%s", strbuf_str(&full));
	} else {
		digest_hex(full.data, full.len, hex);
		snprintf(key, MARIADB_LOCK_NAME_SIZE, "bascule.%.40s", hex);
	}
	strbuf_clear(&full);
}

int mariadb_advisory_lock(struct db *db, const char *name, bool *got, struct err *e)
{
	char key[MARIADB_LOCK_NAME_SIZE];
	struct db_value v;
	int64_t taken;

	mariadb_lock_key(mariadb_of(db), name, key);
	v = db_v_text(key);
	if (db_int(db, "SELECT IF(IS_USED_LOCK(?1) <=> CONNECTION_ID(), 1, GET_LOCK(?1, 0))", &v, 1,
		   0, &taken, e) != 0)
		return -1;
	*got = taken == 1;
	return 0;
}

void mariadb_advisory_unlock(struct db *db, const char *name)
{
	struct db_mariadb *m = mariadb_of(db);
	char key[MARIADB_LOCK_NAME_SIZE];
	struct strbuf sql;
	struct err ignored;
	struct db_value v;

	mariadb_lock_key(m, name, key);
	v = db_v_text(key);
	strbuf_init(&sql, STRBUF_NO_LIMIT);
	mariadb_translate(m, SV("DO RELEASE_LOCK(?1)"), &v, 1, NULL, &sql);
	(void)!mariadb_quietly(m, strbuf_sv(&sql), &ignored);
	strbuf_clear(&sql);
}

int mariadb_advisory_holder(struct db *db, const char *name, bool *held, struct db_session *out,
			    struct err *e)
{
	char key[MARIADB_LOCK_NAME_SIZE];
	struct session_row r = { .held = false };
	struct db_value v;

	mariadb_lock_key(mariadb_of(db), name, key);
	v = db_v_text(key);
	if (db_exec(db, "SELECT IS_USED_LOCK(?1), " SERVER_START, &v, 1, keep_session, &r, e) != 0)
		return -1;
	*held = r.held;
	if (r.held)
		*out = r.session;
	return 0;
}

/* --- The fence --------------------------------------------------------------------------------- */

/* One compound statement, one result. User variables and not DECLARE, whose place differs between the
 * sql_modes. LOCK IN SHARE MODE holds the row until the transaction ends. A missing row or table fails
 * too, in other words. */
void mariadb_fence_sql(struct db *db, const char *lock_name, int64_t epoch, struct strbuf *out)
{
	struct db_mariadb *m = mariadb_of(db);
	char key[MARIADB_LOCK_NAME_SIZE];
	struct db_value v[2];

	mariadb_lock_key(m, lock_name, key);
	v[0] = DB_V_INT(epoch);
	v[1] = db_v_text(key);
	mariadb_translate(
		m,
		SV("BEGIN NOT ATOMIC IF NOT ((SELECT epoch FROM bascule_lock WHERE one = 1 "
		   "LOCK IN SHARE MODE) <=> ?1 AND IS_USED_LOCK(?2) <=> CONNECTION_ID()) THEN "
		   "SET @bascule_fence = LEFT(CONCAT('" FENCED ": epoch ', ?1, ' is over, ', "
		   "COALESCE((SELECT CONCAT('now ', epoch, ' of ', who) FROM bascule_lock "
		   "WHERE one = 1), 'no lock is there')), 128); "
		   "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @bascule_fence; END IF; END"),
		v, 2, NULL, out);
}

bool mariadb_is_fence_error(const struct db *db, const struct err *e)
{
	(void)db;
	return strcmp(e->sys, "1644") == 0 && strncmp(e->detail, FENCED, strlen(FENCED)) == 0;
}
