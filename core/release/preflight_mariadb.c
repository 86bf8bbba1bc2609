/* SPDX-License-Identifier: MIT */
/*
 * A preflight of MariaDB, in one statement.
 *
 * Without PROCESS the tables of InnoDB are refused as a whole and the process list has only our own
 * role's sessions: then less is asked. Who holds a metadata lock is told by nobody (but a plugin that is
 * rarely there), so sessions that wait for one are `maybe` ours, and what the runner waits for has no name;
 * the oldest transaction is as a rule who it is.
 *
 * trx_started is a local time of the server, whatever the session's time zone is.
 */
#include "core/release/preflight_facts.h"

#include <stddef.h>

#define LOCAL_NOW "CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')"
#define MS_SINCE(at) "CAST(TIMESTAMPDIFF(SECOND, " at ", " LOCAL_NOW ") * 1000 AS SIGNED)"
#define WHO "CONCAT(p.user, '@', p.host)"
#define WAITS_FOR_METADATA "p.state LIKE 'Waiting for table%lock%'"
#define PROCESSES " FROM information_schema.processlist p"
#define RUNS "p.id = ?1 AND ?2 = ?2" /* an id is never given out twice by one start of the server */
#define OTHERS " p.id <> CONNECTION_ID() AND p.id <> ?1"

#define TIMEOUTS \
	"SELECT 'timeout', NULL, CAST(@@lock_wait_timeout * 1000 AS SIGNED), NULL," \
	" 'the metadata of tables', NULL, NULL" \
	" UNION ALL SELECT 'timeout', NULL, CAST(@@innodb_lock_wait_timeout * 1000 AS SIGNED), NULL," \
	" 'rows', NULL, NULL"
#define RUNNER \
	" UNION ALL SELECT 'runner', NULL, CAST(p.time_ms AS SIGNED), p.id, NULL," \
	" CASE WHEN p.command = 'Sleep' THEN 'idle' WHEN " WAITS_FOR_METADATA \
	" THEN p.state ELSE 'active' END, LEFT(p.info, 200)" PROCESSES " WHERE " RUNS
#define MAYBE \
	" UNION ALL SELECT 'maybe', COUNT(*), CAST(MAX(p.time_ms) AS SIGNED), NULL, NULL, NULL, NULL" PROCESSES \
	" WHERE " WAITS_FOR_METADATA " AND" OTHERS " AND ?1 <> 0"
#define DISKS \
	" UNION ALL SELECT 'disks', NULL, NULL, NULL, NULL, NULL, NULL FROM information_schema.plugins" \
	" WHERE plugin_name = 'DISKS' AND plugin_status = 'ACTIVE'"

/* clang-format off */
const struct preflight_dialect preflight_mariadb = {
	.engine = "mariadb",
	.privilege = "PROCESS",
	.denied = "1227",
	.ask =
	TIMEOUTS
	" UNION ALL (SELECT 'longest', NULL, " MS_SINCE("t.trx_started") ", t.trx_mysql_thread_id, "
	WHO ", p.db, CONCAT(IF(p.command = 'Sleep', 'idle in transaction', 'active'),"
	" COALESCE(CONCAT(': ', LEFT(t.trx_query, 200)), ''))"
	" FROM information_schema.innodb_trx t LEFT JOIN information_schema.processlist p"
	" ON p.id = t.trx_mysql_thread_id"
	" WHERE t.trx_mysql_thread_id NOT IN (CONNECTION_ID(), ?1)"
	" ORDER BY (p.db <=> DATABASE()) DESC, t.trx_started LIMIT 1)"
	" UNION ALL SELECT 'idle', COUNT(*), CAST(MAX(p.time_ms) AS SIGNED), NULL, NULL, NULL, NULL"
	" FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
	" ON p.id = t.trx_mysql_thread_id WHERE p.command = 'Sleep' AND p.db <=> DATABASE() AND" OTHERS
	" UNION ALL SELECT 'waiting', COUNT(*), CAST(MAX(p.time_ms) AS SIGNED), NULL, NULL, NULL, NULL"
	PROCESSES " LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id"
	" WHERE (t.trx_state = 'LOCK WAIT' OR " WAITS_FOR_METADATA ") AND" OTHERS
	MAYBE
	" UNION ALL SELECT 'behind', COUNT(DISTINCT t.trx_mysql_thread_id), MAX("
	MS_SINCE("t.trx_wait_started") "), NULL, NULL, NULL, NULL"
	" FROM information_schema.innodb_lock_waits w"
	" JOIN information_schema.innodb_trx t ON t.trx_id = w.requesting_trx_id"
	" JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id"
	" WHERE b.trx_mysql_thread_id = ?1 HAVING COUNT(*) > 0"
	RUNNER
	" UNION ALL (SELECT DISTINCT 'blocked', NULL, " MS_SINCE("t.trx_wait_started")
	", b.trx_mysql_thread_id, " WHO ", IF(p.command = 'Sleep', 'idle in transaction', 'active'),"
	" LEFT(b.trx_query, 200) FROM information_schema.innodb_lock_waits w"
	" JOIN information_schema.innodb_trx t ON t.trx_id = w.requesting_trx_id"
	" JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id"
	" LEFT JOIN information_schema.processlist p ON p.id = b.trx_mysql_thread_id"
	" WHERE t.trx_mysql_thread_id = ?1 LIMIT 3)"
	" UNION ALL SELECT 'replicas', COUNT(*), NULL, NULL, NULL, NULL, NULL" PROCESSES
	" WHERE p.command LIKE 'Binlog Dump%' HAVING COUNT(*) > 0"
	DISKS,
	.ask_less =
	TIMEOUTS RUNNER MAYBE
	" UNION ALL SELECT 'hidden', -1, NULL, NULL, NULL, NULL, NULL"
	DISKS,
	.disk =
	"SELECT 'disk', CAST(d.available * 1024 AS SIGNED), NULL, NULL, NULL, d.path, NULL"
	" FROM information_schema.disks d WHERE @@datadir LIKE CONCAT(d.path, '%')"
	" ORDER BY LENGTH(d.path) DESC LIMIT 1",
};
/* clang-format on */
