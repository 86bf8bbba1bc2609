/* SPDX-License-Identifier: MIT */
/*
 * The PostgreSQL driver's view of the server: who we are, sessions, advisory locks, poolers.
 *
 * Advisory locks are pairs of numbers: PG_LOCK_CLASS and a hash of the name, so that a look into
 * pg_locks tells whose they are. A session may hold one several times; giving it back therefore goes
 * on until nothing is left.
 *
 * pg_stat_activity hides when a session began from roles that may not see it. Such a session is known
 * by its pid alone.
 */
#include "core/db/db_postgres.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

/* When a session began, whatever zone and style this one has. */
#define STARTED "pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"

static void keep(char *dst, size_t size, const struct db_value *v)
{
	dst[0] = '\0';
	if (v->type == DB_TEXT)
		str_copy_sv(dst, size, v->s);
}

/* --- About ------------------------------------------------------------------------------------- */

static int info_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct db_info *i = arg;
	char fsync[8], sync[24], pages[8];
	struct strbuf b;

	(void)n;
	(void)e;
	keep(i->version, sizeof(i->version), &col[0]);
	i->version[strcspn(i->version, " ")] = '\0'; /* "15.20 (Debian …)" */
	keep(fsync, sizeof(fsync), &col[1]);
	keep(sync, sizeof(sync), &col[2]);
	keep(pages, sizeof(pages), &col[3]);
	strbuf_init(&b, sizeof(i->durability) - 1);
	strbuf_addf(&b, "fsync=%s synchronous_commit=%s%s", fsync, sync,
		    strcmp(pages, "off") == 0 ? " full_page_writes=off" : "");
	str_copy(i->durability, sizeof(i->durability), strbuf_str(&b));
	strbuf_clear(&b);
	keep(i->role, sizeof(i->role), &col[4]);
	keep(i->zone, sizeof(i->zone), &col[5]);
	i->read_only = col[6].i != 0;
	return 0;
}

int pg_info(struct db *db, struct db_info *out, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	struct db_info got = { .engine = "postgresql" };
	const struct db_value ours = DB_V_INT(s->read_only);
	const char *host, *port;

	if (db_exec(db,
		    "SELECT pg_catalog.current_setting('server_version'),"
		    " pg_catalog.current_setting('fsync'),"
		    " pg_catalog.current_setting('synchronous_commit'),"
		    " pg_catalog.current_setting('full_page_writes'), current_user,"
		    " pg_catalog.current_setting('TimeZone'),"
		    " pg_catalog.pg_is_in_recovery() OR (?1 = 0 AND"
		    " pg_catalog.current_setting('default_transaction_read_only') = 'on')",
		    &ours, 1, info_row, &got, e) != 0)
		return -1;
	host = s->pq.PQhost(s->conn);
	port = s->pq.PQport(s->conn);
	if (host == NULL || port == NULL)
		host = port = "";
	if (host[0] == '/' && strcmp(port, "5432") == 0)
		str_copy(got.server, sizeof(got.server), host);
	else
		snprintf(got.server, sizeof(got.server), "%s:%s", host, port);
	*out = got;
	return 0;
}

int pg_size(struct db *db, int64_t *bytes, struct err *e)
{
	return db_int(db, "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", NULL,
		      0, 0, bytes, e);
}

int pg_now(struct db *db, int64_t *utc_ms, struct err *e)
{
	return db_int(db,
		      "SELECT CAST(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000 AS "
		      "bigint)",
		      NULL, 0, 0, utc_ms, e);
}

/* --- Sessions ---------------------------------------------------------------------------------- */

static int session_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct db_session *x = arg;

	(void)n;
	(void)e;
	x->id = col[0].i;
	keep(x->started, sizeof(x->started), &col[1]);
	return 0;
}

int pg_session(struct db *db, struct db_session *out, struct err *e)
{
	struct db_session got = { .id = 0 };

	if (db_exec(db,
		    "SELECT a.pid, " STARTED " FROM pg_catalog.pg_stat_activity a "
		    "WHERE a.pid = pg_catalog.pg_backend_pid()",
		    NULL, 0, session_row, &got, e) != 0)
		return -1;
	*out = got;
	return 0;
}

#define THAT_SESSION \
	"FROM pg_catalog.pg_stat_activity a WHERE a.pid = ?1 AND " \
	"(?2 = '' OR a.backend_start IS NULL OR " STARTED " = ?2)"

int pg_session_alive(struct db *db, const struct db_session *x, bool *alive, struct err *e)
{
	const struct db_value v[] = { DB_V_INT(x->id), db_v_text(x->started) };
	int64_t n;

	if (db_int(db, "SELECT count(*) " THAT_SESSION, v, 2, 0, &n, e) != 0)
		return -1;
	*alive = n > 0;
	return 0;
}

int pg_session_end(struct db *db, const struct db_session *x, struct err *e)
{
	const struct db_value v[] = { DB_V_INT(x->id), db_v_text(x->started) };
	int64_t ended;

	return db_int(db, "SELECT pg_catalog.pg_terminate_backend(a.pid) " THAT_SESSION, v, 2, 0,
		      &ended, e);
}

/* Behind units this happens by itself; statements that run one by one have no other end. */
int pg_session_restore(struct db *db, struct err *e)
{
	return pg_session_now(pg_of(db), true, e);
}

/* --- Advisory locks ---------------------------------------------------------------------------- */

int32_t pg_lock_key(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	int32_t key;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	memcpy(&key, &h, sizeof(key));
	return key;
}

int pg_advisory_lock(struct db *db, const char *name, bool *got, struct err *e)
{
	const struct db_value v[] = { DB_V_INT(PG_LOCK_CLASS), DB_V_INT(pg_lock_key(name)) };
	int64_t yes;

	if (db_int(db,
		   "SELECT pg_catalog.pg_try_advisory_lock(CAST(?1 AS integer), CAST(?2 AS "
		   "integer))",
		   v, 2, 0, &yes, e) != 0)
		return -1;
	*got = yes != 0;
	return 0;
}

void pg_advisory_unlock(struct db *db, const char *name)
{
	struct db_postgres *s = pg_of(db);
	const struct db_value v[] = { DB_V_INT(PG_LOCK_CLASS), DB_V_INT(pg_lock_key(name)) };
	struct cancel *cancel = s->cancel;
	struct err ignored;

	s->cancel = NULL; /* giving back is what must work behind a cancel too */
	(void)!db_exec(db,
		       "WITH RECURSIVE r(held) AS ("
		       " SELECT pg_catalog.pg_advisory_unlock(CAST(?1 AS integer), CAST(?2 AS "
		       "integer))"
		       " UNION ALL SELECT pg_catalog.pg_advisory_unlock(CAST(?1 AS integer), "
		       "CAST(?2 AS integer)) FROM r WHERE held) SELECT count(*) FROM r",
		       v, 2, NULL, NULL, &ignored);
	s->cancel = cancel;
}

int pg_advisory_holder(struct db *db, const char *name, bool *held, struct db_session *out,
		       struct err *e)
{
	const struct db_value v[] = { DB_V_INT(PG_LOCK_CLASS),
				      DB_V_INT((uint32_t)pg_lock_key(name)) };
	struct db_session got = { .id = 0 };

	if (db_exec(db,
		    "SELECT l.pid, " STARTED " FROM pg_catalog.pg_locks l "
		    "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
		    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
		    "AND l.classid = CAST(?1 AS oid) AND l.objid = CAST(?2 AS oid) "
		    "AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d "
		    "WHERE d.datname = pg_catalog.current_database())",
		    v, 2, session_row, &got, e) != 0)
		return -1;
	*held = got.id != 0;
	if (*held)
		*out = got;
	return 0;
}

/* --- The fence --------------------------------------------------------------------------------- */

#define FENCED "bascule: fenced"

/* A cast that fails, of a text that is built from the row: an expression like 1/0 would be worked out
 * while planning and fail always. The row's lock waits for whoever is taking over, and then sees what
 * he wrote. */
void pg_fence_sql(struct db *db, const char *name, int64_t epoch, struct strbuf *out)
{
	(void)db;
	strbuf_addf(out,
		    PG_FENCE_START
		    " IS DISTINCT FROM %lld THEN '" FENCED ", ' || coalesce((SELECT 'epoch ' ||"
		    " epoch || ' of ' || who FROM bascule.lock WHERE one = 1), 'no row')"
		    " WHEN NOT pg_catalog.pg_try_advisory_lock(%d, %d)"
		    " THEN '" FENCED ", another session has the lock, ' || (SELECT 'row of ' || who"
		    " FROM bascule.lock WHERE one = 1) ELSE '0' END)::pg_catalog.int4",
		    (long long)epoch, PG_LOCK_CLASS, pg_lock_key(name));
}

bool pg_is_fence_error(const struct db *db, const struct err *e)
{
	(void)db;
	return strcmp(e->sys, "22P02") == 0 && strstr(e->detail, FENCED) != NULL;
}

/* --- Poolers ----------------------------------------------------------------------------------- */

static int backend_pid(struct db *db, int64_t *pid, struct err *e)
{
	return db_int(db, "SELECT pg_catalog.pg_backend_pid()", NULL, 0, 0, pid, e);
}

static int refuse_pooler(struct db_postgres *s, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "cannot work on %s through a pooler of transactions", s->shown);
	err_detail(e, "each transaction may run in another session: no lock would hold");
	return err_hint(e, "connect to the server itself, or set pool_mode = session");
}

/*
 * Without a pooler the pid that the server told while connecting is the session's. With one it is the
 * pooler's invention. Two connections then find out: while the second one is in a transaction, a
 * pooler of transactions has given it the session that we had before, or gives us another one now.
 */
int pg_check_pooler(struct db *db, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	struct db *other = NULL;
	struct err why;
	int64_t ours, theirs, again;
	int result = -1;

	if (backend_pid(db, &ours, e) != 0)
		return -1;
	if (ours == s->pq.PQbackendPID(s->conn))
		return 0;
	if (pg_open_again(s, &other, e) != 0)
		return -1;
	if (db_foreign(other, SV("BEGIN"), NULL, &why) != 0) {
		if (why.code == ERR_CANCELLED)
			*e = why;
		else
			refuse_pooler(s, e); /* of statements */
		goto out;
	}
	if (backend_pid(other, &theirs, e) != 0 || backend_pid(db, &again, e) != 0)
		goto out;
	result = theirs == ours || again != ours ? refuse_pooler(s, e) : 0;
out:
	db_close(other);
	return result;
}
