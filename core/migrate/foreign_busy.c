/* SPDX-License-Identifier: MIT */
/*
 * Which tool is migrating right now.
 *
 * Most tools take an advisory lock whose key says who they are: a constant, a checksum of the database's name
 * times a constant, or a word and the hash of a table's name. PostgreSQL lists the keys that are held,
 * MariaDB tells whether a name is. Liquibase and Knex set a row instead, which stays behind when
 * they are killed: its age and holder are shown. dbmate, Alembic, Django and Diesel lock nothing
 * that could be seen.
 *
 * This is a courtesy, not a lock: what cannot be looked up counts as nobody.
 */
#include "core/migrate/foreign.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/migrate/foreign_tools.h"

#define RAILS_SALT 2053462845
#define SQLX_SALT 0x3d32ad9e
#define GOLANG_SALT 1486364155u
#define FLYWAY_MAGIC 0x466c79776179 /* "Flyway"; the hash of its table's name is added */
#define PRISMA_KEY 72707369
#define SQITCH_KEY 75474063
#define GOOSE_KEY 4097083626

static uint32_t crc_of(const char *text)
{
	return foreign_crc32(0, text, strlen(text));
}

static int64_t golang_key(const char *database, const char *schema, const char *table)
{
	/* The three with a NUL byte in between. */
	uint32_t crc = foreign_crc32(0, schema, strlen(schema) + 1);

	crc = foreign_crc32(crc, table, strlen(table) + 1);
	crc = foreign_crc32(crc, database, strlen(database));
	return (int64_t)(uint32_t)(crc * GOLANG_SALT);
}

const char *foreign_lock_name(const char *database, const char *schema, const char *table,
			      int64_t key)
{
	uint32_t crc = crc_of(database);

	if (key == PRISMA_KEY)
		return "prisma";
	if (key == SQITCH_KEY)
		return "sqitch";
	if (key == GOOSE_KEY)
		return "goose";
	if (key == (int64_t)((uint64_t)RAILS_SALT * crc))
		return "rails";
	if (key == (int64_t)((uint64_t)SQLX_SALT * crc))
		return "sqlx";
	if (key == golang_key(database, schema, table != NULL ? table : "schema_migrations"))
		return "golang-migrate";
	if (key >= FLYWAY_MAGIC + INT32_MIN && key <= FLYWAY_MAGIC + INT32_MAX)
		return "flyway";
	return NULL;
}

/* --- Asking ------------------------------------------------------------------------------------ */

static void say_busy(struct history *h, const char *tool, int64_t session)
{
	if (h->busy == NULL)
		h->busy = arena_printf(&h->arena, "%s is migrating (session %lld)", tool,
				       (long long)session);
}

/* key, pid, database, schema */
static int on_pg_lock(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct history *h = arg;
	const char *database, *schema, *tool;
	int64_t key, pid;

	(void)e;
	if (n < 4 || !foreign_int(&col[0], &key) || !foreign_int(&col[1], &pid))
		return 0;
	database = foreign_text(h, &col[2], 256);
	schema = foreign_text(h, &col[3], 256);
	tool = foreign_lock_name(database != NULL ? database : "", schema != NULL ? schema : "",
				 "schema_migrations", key);
	if (tool != NULL)
		say_busy(h, tool, pid);
	return 0;
}

static int busy_postgresql(struct db *db, struct history *h, struct err *e)
{
	/* objsubid 1: the key is one number of 64 bits, in two halves. */
	return db_exec(db,
		       "SELECT (l.classid::bigint << 32) | l.objid::bigint, l.pid,"
		       " current_database(), current_schema() FROM pg_catalog.pg_locks l"
		       " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
		       " AND l.pid <> pg_backend_pid() AND l.database ="
		       " (SELECT oid FROM pg_catalog.pg_database"
		       " WHERE datname = current_database()) LIMIT 1000",
		       NULL, 0, on_pg_lock, h, e);
}

struct my_locks {
	struct history *h;
	const char *database;
};

static int on_my_locks(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	static const char *const tools[] = { "rails", "sqlx", "sqitch", "golang-migrate",
					     "prisma" };
	struct my_locks *m = arg;
	int64_t session;

	(void)e;
	for (size_t i = 0; i < 5 && i < n; i++)
		if (foreign_int(&col[i], &session))
			say_busy(m->h, tools[i], session);
	m->database = n > 5 ? foreign_text(m->h, &col[5], 256) : NULL;
	return 0;
}

static int on_flyway_lock(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	int64_t session;

	(void)e;
	if (n > 0 && foreign_int(&col[0], &session))
		say_busy(arg, "flyway", session);
	return 0;
}

/* Java's hash of a text of plain letters. */
static int32_t java_hash(const char *s)
{
	uint32_t h = 0;

	for (; *s != '\0'; s++)
		h = h * 31 + (unsigned char)*s;
	return (int32_t)h;
}

static int busy_mariadb(struct db *db, struct history *h, struct err *e)
{
	struct my_locks m = { .h = h };
	struct db_value name;

	if (db_exec(db,
		    "SELECT IS_USED_LOCK(CAST(2053462845 * CRC32(DATABASE()) AS CHAR)),"
		    " IS_USED_LOCK(LOWER(HEX(1026731422 * CRC32(DATABASE())))),"
		    " IS_USED_LOCK(LEFT(CONCAT('sqitch working on ', DATABASE()), 64)),"
		    " IS_USED_LOCK(CAST((CRC32(CONCAT(DATABASE(), ':schema_migrations'))"
		    " * 1486364155) % 4294967296 AS CHAR)),"
		    " IS_USED_LOCK('prisma_migrate'), DATABASE()",
		    NULL, 0, on_my_locks, &m, e) != 0)
		return -1;
	if (h->tool == NULL || strcmp(h->tool, "flyway") != 0 || m.database == NULL)
		return 0;
	name = db_v_text(arena_printf(
		&h->arena, "Flyway-%d",
		java_hash(arena_printf(&h->arena, "`%s`.`%s`", m.database, h->table))));
	return db_exec(db, "SELECT IS_USED_LOCK(?1)", &name, 1, on_flyway_lock, h, e);
}

/* locked, since, by */
static int on_lock_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct history *h = arg;
	const char *by;
	char age[CLOCK_TEXT_SIZE];
	int64_t at, locked;
	bool no_zone;

	(void)e;
	if (n < 3 || h->busy != NULL)
		return 0;
	by = foreign_text(h, &col[2], 200);
	/* MariaDB's BIT(1) is a byte, PostgreSQL's boolean a letter. */
	if (!foreign_int(&col[0], &locked))
		locked = (col[0].type == DB_TEXT || col[0].type == DB_BLOB) && col[0].s.n > 0 &&
			 (col[0].s.p[0] == 't' || col[0].s.p[0] == '\1');
	if (!locked)
		return 0;
	if (!foreign_time(&col[1], &at, &no_zone)) {
		h->busy = arena_printf(&h->arena, "%s holds its lock%s%s", h->tool,
				       by != NULL ? ": " : "", by != NULL ? by : "");
		return 0;
	}
	h->busy = arena_printf(&h->arena, "%s holds its lock since %s%s%s%s", h->tool,
			       clock_iso(at, age), no_zone ? " (no zone)" : "",
			       by != NULL ? ": " : "", by != NULL ? by : "");
	return 0;
}

static int busy_row(struct db *db, struct history *h, struct err *e)
{
	if (h->foreign == NULL || !h->foreign->lock_table)
		return 0;
	if (strcmp(h->tool, "knex") == 0)
		return db_exec(db, "SELECT is_locked, NULL, NULL FROM knex_migrations_lock", NULL,
			       0, on_lock_row, h, e);
	if (strcmp(h->table, "databasechangelog") == 0)
		return db_exec(db,
			       "SELECT LOCKED, LOCKGRANTED, LOCKEDBY FROM databasechangeloglock",
			       NULL, 0, on_lock_row, h, e);
	return db_exec(db,
		       strcmp(db_engine(db), "postgresql") == 0
			       ? "SELECT \"LOCKED\", \"LOCKGRANTED\", \"LOCKEDBY\""
				 " FROM \"DATABASECHANGELOGLOCK\""
			       : "SELECT LOCKED, LOCKGRANTED, LOCKEDBY FROM DATABASECHANGELOGLOCK",
		       NULL, 0, on_lock_row, h, e);
}

/* Nobody, unless the connection itself is in doubt. */
static int forgive(int rc, struct err *e)
{
	if (rc == 0 || e->code == ERR_CANCELLED || e->code == ERR_LOST || e->code == ERR_TIMEOUT)
		return rc;
	err_clear(e);
	return 0;
}

int foreign_busy(struct db *db, struct history *h, struct err *e)
{
	const char *engine = db_engine(db);

	h->busy = NULL;
	if (forgive(busy_row(db, h, e), e) != 0)
		return -1;
	if (strcmp(engine, "postgresql") == 0)
		return forgive(busy_postgresql(db, h, e), e);
	return strcmp(engine, "sqlite") != 0 ? forgive(busy_mariadb(db, h, e), e) : 0;
}
