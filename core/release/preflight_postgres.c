/* SPDX-License-Identifier: MIT */
/*
 * A preflight of PostgreSQL, in one statement.
 *
 * pg_stat_activity shows sessions of other roles without their state to whoever is no member of
 * pg_read_all_stats; pg_locks and pg_blocking_pids show everything to everybody, so who waits is always
 * known. How long is in pg_locks since version 14; taken out of the row as JSON it is simply null
 * before. pg_blocking_pids takes a lock that all sessions share: it is asked for at most WAITERS of them.
 */
#include "core/release/preflight_facts.h"

#include <stddef.h>

#define WAITERS "100"
#define MS_SINCE(at) \
	"CAST(extract(epoch FROM pg_catalog.clock_timestamp() - " at ") * 1000 AS bigint)"
#define STARTED "pg_catalog.to_char(s.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
#define QUERY "pg_catalog.left(a.query, 200)"

/* clang-format off */
const struct preflight_dialect preflight_postgres = {
	.engine = "postgresql",
	.privilege = "pg_read_all_stats",
	.ask =
	"WITH a AS (SELECT s.pid, s.usename, s.datname, s.state, s.query, s.xact_start, s.query_start,"
	" s.state_change, s.backend_type, s.datname = pg_catalog.current_database() AS here,"
	" s.pid = CAST(?1 AS bigint) AND (CAST(?2 AS text) = '' OR s.backend_start IS NULL OR "
	STARTED " = CAST(?2 AS text)) AS ours FROM pg_catalog.pg_stat_activity s"
	" WHERE s.pid <> pg_catalog.pg_backend_pid()),"
	" w AS (SELECT l.pid, pg_catalog.pg_blocking_pids(l.pid) AS by_pid, coalesce("
	MS_SINCE("CAST(pg_catalog.to_jsonb(l) ->> 'waitstart' AS timestamptz)") ", 0) AS ms"
	" FROM pg_catalog.pg_locks l WHERE NOT l.granted AND l.pid <> pg_catalog.pg_backend_pid()"
	" LIMIT " WAITERS ") "
	/* the oldest, those of our database first */
	"(SELECT 'longest', CAST(NULL AS bigint), " MS_SINCE("a.xact_start")
	", CAST(a.pid AS bigint), CAST(a.usename AS text), CAST(a.datname AS text),"
	" a.state || ': ' || " QUERY " FROM a"
	" WHERE a.xact_start IS NOT NULL AND NOT a.ours AND a.backend_type = 'client backend'"
	" ORDER BY a.here DESC, a.xact_start LIMIT 1)"
	" UNION ALL SELECT 'idle', count(*), max(" MS_SINCE("a.state_change")
	"), NULL, NULL, NULL, NULL FROM a"
	" WHERE a.here AND NOT a.ours AND a.state LIKE 'idle in transaction%'"
	" UNION ALL SELECT 'waiting', count(DISTINCT w.pid), max(w.ms), NULL, NULL, NULL, NULL FROM w"
	" WHERE w.pid NOT IN (SELECT a.pid FROM a WHERE a.ours)"
	" UNION ALL SELECT 'behind', count(DISTINCT w.pid), max(w.ms), NULL, NULL, NULL, NULL"
	" FROM w, a WHERE a.ours AND a.pid = ANY (w.by_pid) HAVING count(*) > 0"
	" UNION ALL SELECT 'runner', NULL, " MS_SINCE("a.query_start")
	", a.pid, NULL, a.state, " QUERY " FROM a WHERE a.ours"
	" UNION ALL (SELECT 'blocked', NULL, w.ms, a.pid, a.usename, a.state, " QUERY
	" FROM w JOIN a o ON o.ours AND o.pid = w.pid JOIN a ON a.pid = ANY (w.by_pid)"
	" ORDER BY a.xact_start LIMIT 3)"
	" UNION ALL (SELECT 'replica', CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN"
	" CAST(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn) AS bigint) END,"
	" CAST(extract(epoch FROM r.replay_lag) * 1000 AS bigint), NULL,"
	" coalesce(nullif(r.application_name, ''), CAST(r.pid AS text)), NULL, NULL"
	" FROM pg_catalog.pg_stat_replication r ORDER BY r.application_name LIMIT 3)"
	" UNION ALL SELECT 'standby', NULL, "
	MS_SINCE("pg_catalog.pg_last_xact_replay_timestamp()")
	", NULL, NULL, NULL, NULL WHERE pg_catalog.pg_is_in_recovery()"
	" UNION ALL SELECT 'hidden', count(*), NULL, NULL, NULL, NULL, NULL FROM a"
	" WHERE a.here AND NOT a.ours AND a.state IS NULL AND a.query = '<insufficient privilege>'"
	" UNION ALL SELECT 'timeout', NULL, CAST(c.setting AS bigint), NULL, NULL, NULL, NULL"
	" FROM pg_catalog.pg_settings c WHERE c.name = 'lock_timeout'",
};
/* clang-format on */
