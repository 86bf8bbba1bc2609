/* SPDX-License-Identifier: MIT */
/*
 * The ledger in a MariaDB database: tables named bascule_*.
 *
 * DDL commits by itself there, so the tables are made by statements that can be repeated, and the row
 * with the format's number is written last: until it is there, the ledger is made again.
 *
 * Texts are compared byte by byte, blanks at the end included (utf8mb4_nopad_bin): ids that differ by
 * case are two migrations. What stands in a key has a length, since a key has at most 3,072 bytes.
 * Names of tables need no quotes; TEXT takes a default since 10.2.
 */
#include "core/ledger/dialect.h"

#define TABLE " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;"
/* The format %f always writes six digits; the clock gives three. */
#define NOW_TEXT "concat(left(date_format(utc_timestamp(3), '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')"
/* Counted from 1970 in UTC, whatever the session's time zone is. */
#define NOW_MS \
	"CAST(timestampdiff(MICROSECOND, '1970-01-01 00:00:00', utc_timestamp(3)) DIV 1000 AS SIGNED)"
#define SINCE_AT \
	"timestampdiff(MICROSECOND, str_to_date(at, '%Y-%m-%dT%H:%i:%s.%fZ'), utc_timestamp(6))" \
	" DIV 1000"

const struct ledger_dialect ledger_mariadb = {
	.engine = "mariadb",
	.first = 2,
	.script = {
		[2] = "CREATE TABLE IF NOT EXISTS bascule_meta ("
		      " name VARCHAR(64) NOT NULL PRIMARY KEY,"
		      " value VARCHAR(255) NOT NULL"
		      ")" TABLE
		      "CREATE TABLE IF NOT EXISTS bascule_history ("
		      " seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
		      " namespace VARCHAR(255) NOT NULL,"
		      " id VARCHAR(255) NOT NULL,"
		      " title TEXT NOT NULL DEFAULT '',"
		      " sort_key TEXT NOT NULL DEFAULT '',"
		      " event VARCHAR(32) NOT NULL,"
		      " down BIGINT NOT NULL DEFAULT 0,"
		      " generation BIGINT NOT NULL DEFAULT 0,"
		      " attempt BIGINT NOT NULL DEFAULT 0,"
		      " statement BIGINT NOT NULL DEFAULT 0,"
		      " checksum VARCHAR(128) NOT NULL DEFAULT '',"
		      " down_checksum VARCHAR(128) NOT NULL DEFAULT '',"
		      " run VARCHAR(64) NOT NULL DEFAULT '',"
		      " epoch BIGINT NOT NULL DEFAULT 0,"
		      " who VARCHAR(255) NOT NULL DEFAULT '',"
		      " host VARCHAR(255) NOT NULL DEFAULT '',"
		      " at VARCHAR(32) NOT NULL,"
		      " took_ms BIGINT NOT NULL DEFAULT 0,"
		      " error TEXT NOT NULL DEFAULT '',"
		      " statements BIGINT NOT NULL DEFAULT 0,"
		      " hash VARCHAR(128) NOT NULL DEFAULT '',"
		      " objects TEXT NOT NULL DEFAULT '',"
		      " session VARCHAR(128) NOT NULL DEFAULT '',"
		      " done BIGINT NOT NULL DEFAULT 0,"
		      " up_script LONGBLOB,"
		      " down_script LONGBLOB,"
		      " UNIQUE (namespace, id, generation, event, down, statement, attempt)"
		      ")" TABLE
		      "CREATE TABLE IF NOT EXISTS bascule_run ("
		      " run VARCHAR(64) NOT NULL PRIMARY KEY,"
		      " operation VARCHAR(32) NOT NULL,"
		      " who VARCHAR(255) NOT NULL DEFAULT '',"
		      " host VARCHAR(255) NOT NULL DEFAULT '',"
		      " created_at VARCHAR(32) NOT NULL,"
		      " state VARCHAR(32) NOT NULL,"
		      " plan_digest VARCHAR(128) NOT NULL DEFAULT ''"
		      ")" TABLE
		      "CREATE TABLE IF NOT EXISTS bascule_line ("
		      " run VARCHAR(64) NOT NULL,"
		      " epoch BIGINT NOT NULL,"
		      " seq BIGINT NOT NULL,"
		      " line LONGTEXT NOT NULL,"
		      " PRIMARY KEY (run, epoch, seq)"
		      ")" TABLE
		      "CREATE TABLE IF NOT EXISTS bascule_lock ("
		      " one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),"
		      " epoch BIGINT NOT NULL DEFAULT 0,"
		      " who VARCHAR(255) NOT NULL DEFAULT '',"
		      " host VARCHAR(255) NOT NULL DEFAULT '',"
		      " pid BIGINT NOT NULL DEFAULT 0,"
		      " pid_start BIGINT NOT NULL DEFAULT 0,"
		      " boot VARCHAR(64) NOT NULL DEFAULT '',"
		      " run VARCHAR(64) NOT NULL DEFAULT '',"
		      " taken_at VARCHAR(32) NOT NULL DEFAULT '',"
		      " session_id BIGINT NOT NULL DEFAULT 0,"
		      " session_started VARCHAR(64) NOT NULL DEFAULT '',"
		      " request VARCHAR(255) NOT NULL DEFAULT ''"
		      ")" TABLE
		      "INSERT INTO bascule_lock (one) VALUES (1) ON DUPLICATE KEY UPDATE one = 1;"
		      "CREATE TABLE IF NOT EXISTS bascule_beat ("
		      " one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),"
		      " epoch BIGINT NOT NULL DEFAULT 0,"
		      " beaten_at BIGINT NOT NULL DEFAULT 0" /* milliseconds since 1970 */
		      ")" TABLE
		      "INSERT INTO bascule_beat (one) VALUES (1) ON DUPLICATE KEY UPDATE one = 1;",
	},
	.set_format = "INSERT INTO bascule_meta (name, value) VALUES ('format', ?1) "
		      "ON DUPLICATE KEY UPDATE value = VALUES(value)",
	.format = "SELECT value FROM bascule_meta WHERE name = 'format'",
	.none = { "1146" },
	.denied = { "1142", "1044", "1143" },
	.events = "SELECT seq, " LEDGER_COLUMNS
		  ", (SELECT value FROM bascule_meta WHERE name = 'format') "
		  "FROM bascule_history ORDER BY seq",
	.insert_event = LEDGER_INSERT_EVENT("coalesce(?16, " NOW_TEXT ")"),
	.put_run = LEDGER_INSERT_RUN "ON DUPLICATE KEY UPDATE state = VALUES(state)",
	/* Not INSERT IGNORE, which would swallow a line that is too long as well. */
	.put_line = LEDGER_INSERT_LINE "ON DUPLICATE KEY UPDATE seq = VALUES(seq)",
	/* Assignments are made from left to right: at is still the time of writing in the first. */
	.took = "UPDATE bascule_history SET took_ms = greatest(0, coalesce(" SINCE_AT
		", 0)), at = " NOW_TEXT
		" WHERE namespace = ?1 AND id = ?2 AND generation = ?3 AND event = ?4 AND "
		"statement = ?5 AND attempt = ?6 AND down = ?7",
	.whoami = "SELECT concat('`', replace(database(), '`', '``'), '`'), "
		  "concat('''', replace(current_user(), '@', '''@'''), '''')",
	.grants = "GRANT CREATE, ALTER, SELECT, INSERT, UPDATE ON %1.* TO %2",
	.lock_look = "SELECT " LEDGER_LOCK_COLUMNS ", " NOW_MS LEDGER_LOCK_TABLES,
	.lock_write = LEDGER_LOCK_WRITE(NOW_TEXT),
	.beat_begin = "UPDATE bascule_beat SET epoch = ?1, beaten_at = " NOW_MS " WHERE one = 1",
	.beat = "UPDATE bascule_beat SET beaten_at = " NOW_MS " WHERE one = 1 AND epoch = ?1",
	.doing = "SELECT lower(command), CASE WHEN command = 'Sleep' THEN 0 ELSE 1 END, "
		 "coalesce(info, ''), CAST(time_ms AS SIGNED) "
		 "FROM information_schema.processlist WHERE id = ?1",
};
