/* SPDX-License-Identifier: MIT */
/*
 * What is to be said of a MariaDB server and of our role there.
 *
 * Privileges are those of the account and of the roles that are on, for the whole server and for our
 * database, whose name may have been given as a pattern. Those on single tables are not looked at: what
 * migrates a schema needs the database.
 */
#include "core/db/db_mariadb.h"

#include <string.h>

#include "core/base/mem.h"

/* --- Facts ------------------------------------------------------------------------------------- */

static const char *const fact_names[] = { "started",     "character set",      "collation",
					  "connections", "max_allowed_packet", "lock_wait_timeout",
					  "sql_mode" };

int mariadb_facts(struct db *db, db_fact_fn fn, void *arg, struct err *e)
{
	const struct db_value v = db_v_text(mariadb_of(db)->target.dsn.database);
	struct db_fact_row r = { fact_names, sizeof(fact_names) / sizeof(fact_names[0]), fn, arg };

	return db_exec(
		db,
		"SELECT CONCAT(DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL CAST((SELECT variable_value FROM "
		"information_schema.global_status WHERE variable_name = 'UPTIME') AS SIGNED) SECOND, "
		"'%Y-%m-%d %H:%i'), ' UTC'), s.default_character_set_name, "
		"s.default_collation_name, CONCAT((SELECT variable_value FROM "
		"information_schema.global_status WHERE variable_name = 'THREADS_CONNECTED'), ' of ', "
		"@@max_connections), CONCAT(@@global.max_allowed_packet DIV 1048576, ' MB'), "
		"CONCAT('here ', @@session.lock_wait_timeout, ' s, of others ', "
		"@@global.lock_wait_timeout, ' s'), @@global.sql_mode "
		"FROM information_schema.schemata s WHERE s.schema_name = ?1",
		&v, 1, db_fact_row, &r, e);
}

/* --- Privileges -------------------------------------------------------------------------------- */

struct rule {
	const char *name, *words;
	bool global, optional; /* global: on *.* only */
};

static const struct rule needed[] = {
	{ "SELECT", "reads the ledger", false, false },
	{ "INSERT", "writes the ledger", false, false },
	{ "UPDATE", "writes the ledger", false, false },
	{ "DELETE", "migrations change rows", false, false },
	{ "CREATE", "makes the ledger; migrations make tables", false, false },
	{ "ALTER", "migrations change tables", false, false },
	{ "DROP", "migrations and their way back drop tables", false, false },
	{ "INDEX", "migrations make indexes", false, false },
	{ "REFERENCES", "migrations make foreign keys", false, false },
	{ "CREATE VIEW", "migrations make views", false, true },
	{ "TRIGGER", "migrations make triggers", false, true },
	{ "CREATE ROUTINE", "migrations make procedures", false, true },
	{ "PROCESS", "shows what other accounts' sessions run before and during a migration", true,
	  true },
};

static const struct rule beyond[] = {
	{ "SUPER", "may end sessions of others and pass read_only", true, false },
	{ "FILE", "may read and write files of the server", true, false },
	{ "SHUTDOWN", "may stop the server", true, false },
	{ "CREATE USER", "may make accounts", true, false },
	{ "RELOAD", "may flush and lock the whole server", true, false },
	{ "REPLICATION SLAVE", "may copy the whole server", true, false },
};
#define N_NEEDED (sizeof(needed) / sizeof(needed[0]))
#define N_BEYOND (sizeof(beyond) / sizeof(beyond[0]))

struct privileges {
	struct arena arena;
	const char *database, *account;
	bool here[N_NEEDED]; /* on our database, or on all */
	bool above[N_BEYOND];
	bool everywhere; /* one that is enough here is held on every database */
	bool gives;      /* WITH GRANT OPTION */
};

static int take_grant(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct privileges *p = arg;
	bool global = col[1].i != 0;

	(void)n;
	(void)e;
	p->account = arena_sv(&p->arena, col[3].s).p;
	p->gives = p->gives || (col[2].type == DB_TEXT && sv_eq_str(col[2].s, "YES"));
	for (size_t i = 0; i < N_NEEDED; i++)
		if (sv_eq_str(col[0].s, needed[i].name) && (global || !needed[i].global)) {
			p->here[i] = true;
			p->everywhere = p->everywhere || (global && !needed[i].global);
		}
	for (size_t i = 0; i < N_BEYOND && global; i++)
		p->above[i] = p->above[i] || sv_eq_str(col[0].s, beyond[i].name);
	return 0;
}

static const char *grant_words(struct privileges *p, const char *verb, const char *name,
			       bool global)
{
	struct strbuf b;
	const char *out;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_addf(&b, "%s %s ON ", verb, name);
	if (global) {
		strbuf_adds(&b, "*.*");
	} else {
		mariadb_quote_name(&b, sv_of(p->database));
		strbuf_adds(&b, ".*");
	}
	strbuf_addf(&b, " %s %s", strcmp(verb, "GRANT") == 0 ? "TO" : "FROM", p->account);
	out = arena_strdup(&p->arena, strbuf_str(&b));
	strbuf_clear(&b);
	return out;
}

static int tell(struct privileges *p, db_privilege_fn fn, void *arg, struct err *e)
{
	for (size_t i = 0; i < N_NEEDED; i++) {
		const struct rule *r = &needed[i];
		struct db_privilege out = {
			.state = p->here[i] ? DB_PRIVILEGE_HELD : DB_PRIVILEGE_MISSING,
			.optional = r->optional,
			.name = arena_printf(&p->arena, "%s on %s", r->name,
					     r->global ? "*.*" : p->database),
			.words = r->words,
			.mend = grant_words(p, "GRANT", r->name, r->global),
		};

		if (fn(arg, &out, e) != 0)
			return -1;
	}
	for (size_t i = 0; i < N_BEYOND + 2; i++) {
		bool every = i == N_BEYOND, gives = i == N_BEYOND + 1;
		const char *name = every   ? "privileges on *.*"
				   : gives ? "GRANT OPTION"
					   : beyond[i].name;
		struct db_privilege out = {
			.state = DB_PRIVILEGE_BEYOND,
			.name = name,
			.words = every   ? "may change every database of the server"
				 : gives ? "may give its privileges to others"
					 : beyond[i].words,
			.mend = every ? grant_words(p, "GRANT", "ALL PRIVILEGES", false)
				      : grant_words(p, "REVOKE", name, !gives),
		};

		if (!(every ? p->everywhere : gives ? p->gives : p->above[i]))
			continue;
		if (every)
			out.mend = arena_printf(&p->arena,
						"%s, then REVOKE ALL PRIVILEGES ON *.* FROM %s",
						out.mend, p->account);
		if (fn(arg, &out, e) != 0)
			return -1;
	}
	return 0;
}

#define ACCOUNT \
	"CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', " \
	"SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"
#define OURS \
	"(grantee = " ACCOUNT " OR grantee IN (SELECT CONCAT('''', role_name, '''@''''') FROM " \
	"information_schema.enabled_roles WHERE role_name IS NOT NULL))"

int mariadb_privileges(struct db *db, db_privilege_fn fn, void *arg, struct err *e)
{
	struct privileges p = { .database = mariadb_of(db)->target.dsn.database, .account = "?" };
	const struct db_value v = db_v_text(p.database);
	int result;

	arena_init(&p.arena);
	result = db_exec(db,
			 "SELECT privilege_type, 1, is_grantable, " ACCOUNT
			 " FROM information_schema.user_privileges WHERE " OURS
			 " UNION ALL SELECT privilege_type, 0, is_grantable, " ACCOUNT
			 " FROM information_schema.schema_privileges WHERE ?1 LIKE table_schema "
			 "AND " OURS,
			 &v, 1, take_grant, &p, e);
	if (result == 0)
		result = tell(&p, fn, arg, e);
	arena_clear(&p.arena);
	return result;
}
