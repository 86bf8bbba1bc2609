/* SPDX-License-Identifier: MIT */
/*
 * The ledger in a SQLite database: tables named bascule_*.
 *
 * The scripts are the last columns of format 1: SQLite puts what does not fit a page into overflow pages
 * in column order, so reading events without scripts never touches those. The columns of format 2 stand
 * behind them, because ALTER TABLE can only append; on SQLite they are zero or empty, which is stored in
 * the head of a row and read from there. seq needs no AUTOINCREMENT: no row is deleted, so the highest
 * number is never given twice, and one page less is written per event.
 */
#include "core/ledger/dialect.h"

const struct ledger_dialect ledger_sqlite = {
	.engine = "sqlite",
	.first = 1,
	.script = {
		[1] = "CREATE TABLE bascule_meta ("
		      " key TEXT NOT NULL PRIMARY KEY,"
		      " value TEXT NOT NULL"
		      ") WITHOUT ROWID;"
		      "CREATE TABLE bascule_history ("
		      " seq INTEGER PRIMARY KEY,"
		      " namespace TEXT NOT NULL,"
		      " id TEXT NOT NULL,"
		      " title TEXT NOT NULL DEFAULT '',"
		      " sort_key TEXT NOT NULL DEFAULT '',"
		      " event TEXT NOT NULL,"
		      " down INTEGER NOT NULL DEFAULT 0,"
		      " generation INTEGER NOT NULL DEFAULT 0,"
		      " attempt INTEGER NOT NULL DEFAULT 0," /* a migration may fail twice in one generation */
		      " statement INTEGER NOT NULL DEFAULT 0,"
		      " checksum TEXT NOT NULL DEFAULT '',"
		      " down_checksum TEXT NOT NULL DEFAULT '',"
		      " run TEXT NOT NULL DEFAULT '',"
		      " epoch INTEGER NOT NULL DEFAULT 0,"
		      " who TEXT NOT NULL DEFAULT '',"
		      " host TEXT NOT NULL DEFAULT '',"
		      " at TEXT NOT NULL," /* ISO 8601, UTC, milliseconds */
		      " took_ms INTEGER NOT NULL DEFAULT 0,"
		      " error TEXT NOT NULL DEFAULT '',"
		      " up_script BLOB," /* core/ledger/pack.h */
		      " down_script BLOB,"
		      " UNIQUE (namespace, id, generation, event, statement, attempt)"
		      ");"
		      "CREATE TABLE bascule_run ("
		      " run TEXT NOT NULL PRIMARY KEY,"
		      " operation TEXT NOT NULL,"
		      " who TEXT NOT NULL DEFAULT '',"
		      " host TEXT NOT NULL DEFAULT '',"
		      " created_at TEXT NOT NULL,"
		      " state TEXT NOT NULL,"
		      " plan_digest TEXT NOT NULL DEFAULT ''"
		      ") WITHOUT ROWID;"
		      "CREATE TABLE bascule_line ("
		      " run TEXT NOT NULL,"
		      " epoch INTEGER NOT NULL,"
		      " seq INTEGER NOT NULL,"
		      " line TEXT NOT NULL,"
		      " PRIMARY KEY (run, epoch, seq)"
		      ") WITHOUT ROWID;"
		      "CREATE TABLE bascule_lock ("
		      " one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),"
		      " epoch INTEGER NOT NULL DEFAULT 0,"
		      " who TEXT NOT NULL DEFAULT '',"
		      " host TEXT NOT NULL DEFAULT '',"
		      " pid INTEGER NOT NULL DEFAULT 0,"
		      " pid_start INTEGER NOT NULL DEFAULT 0,"
		      " boot TEXT NOT NULL DEFAULT '',"
		      " run TEXT NOT NULL DEFAULT '',"
		      " taken_at TEXT NOT NULL DEFAULT '',"
		      " request TEXT NOT NULL DEFAULT ''"
		      ");"
		      "INSERT INTO bascule_lock (one) VALUES (1);",
		[2] = "ALTER TABLE bascule_history ADD COLUMN statements INTEGER NOT NULL DEFAULT 0;"
		      "ALTER TABLE bascule_history ADD COLUMN hash TEXT NOT NULL DEFAULT '';"
		      "ALTER TABLE bascule_history ADD COLUMN objects TEXT NOT NULL DEFAULT '';"
		      "ALTER TABLE bascule_history ADD COLUMN session TEXT NOT NULL DEFAULT '';"
		      "ALTER TABLE bascule_history ADD COLUMN done INTEGER NOT NULL DEFAULT 0;",
	},
	.set_format = "INSERT INTO bascule_meta (key, value) VALUES ('format', ?1) "
		      "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
	.format = "SELECT value FROM bascule_meta WHERE key = 'format'",
	.events = "SELECT seq, " LEDGER_COLUMNS " FROM bascule_history ORDER BY seq",
	.events_1 = "SELECT seq, " LEDGER_COLUMNS_1
		    ", 0, '', '', '', 0 FROM bascule_history ORDER BY seq",
	.insert_event = LEDGER_INSERT_EVENT("?16"),
	.put_run = LEDGER_INSERT_RUN "ON CONFLICT (run) DO UPDATE SET state = excluded.state",
	.put_line = LEDGER_INSERT_LINE "ON CONFLICT DO NOTHING",
};
