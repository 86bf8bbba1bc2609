/* SPDX-License-Identifier: MIT */
/*
 * A migration's text to what can run inside one transaction of ours.
 *
 * The file is one transaction, so a BEGIN at its start and COMMIT at its end say nothing new and are
 * removed as a pair. Any other transaction control would end our transaction in the middle and leave
 * half a migration behind; it is refused before anything runs. SAVEPOINT stays: it can only end
 * what it began.
 *
 * SQLite: PRAGMAs above the first other statement are hoisted before BEGIN, where SQLite acts on them
 * (inside a transaction `PRAGMA foreign_keys` is silently nothing); later ones are refused.
 *
 * PostgreSQL and MariaDB: rules are rows (struct rule) over the kind and the facts of a statement. In
 * MariaDB each statement is recorded on its own, so there SAVEPOINT goes nowhere and is refused too.
 * They guard against mistakes in honest files; what a routine does inside is not seen.
 */
#include "core/migrate/apply.h"

#include <string.h>
#include <strings.h>

struct prepare {
	const char *what;
	struct sql_list all;
	bool transactional; /* the engine rolls DDL back */
};

static int refuse(const struct prepare *p, const struct sql_statement *s, const char *why,
		  const char *hint, struct err *e)
{
	char start[64];

	str_copy_sv(start, sizeof(start), s->text);
	err_set(e, ERR_INPUT, "cannot run %s: line %d %s", p->what, s->line, why);
	err_detail(e, "%s", start);
	return err_hint(e, "%s", hint);
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

static bool starts_with_word(struct sv text, const char *word)
{
	size_t n = strlen(word);

	return text.n >= n && strncasecmp(text.p, word, n) == 0 &&
	       (text.n == n || !is_word_byte(text.p[n]));
}

static bool holds_word(struct sv text, const char *word)
{
	for (size_t i = 0; i < text.n; i++)
		if ((i == 0 || !is_word_byte(text.p[i - 1])) &&
		    starts_with_word(sv_n(text.p + i, text.n - i), word))
			return true;
	return false;
}

/* A statement that cannot, or need not, be inside a transaction and can be repeated after a crash. */
static bool stands_alone(const struct sql_statement *s)
{
	if (s->kind == SQL_VACUUM)
		return !holds_word(s->text, "into"); /* VACUUM INTO writes another file */
	return s->kind == SQL_PRAGMA || starts_with_word(s->text, "reindex") ||
	       starts_with_word(s->text, "analyze");
}

static int check_outside(const struct prepare *p, struct err *e)
{
	for (size_t i = 0; i < p->all.n; i++) {
		if (p->transactional && !stands_alone(&p->all.item[i]))
			return refuse(
				p, &p->all.item[i],
				"must run in a transaction, but the file says '-- transaction: no'",
				"remove the directive, or move VACUUM, PRAGMA, REINDEX and ANALYZE "
				"to "
				"a migration of their own",
				e);
	}
	return 0;
}

static const char *const control_hint =
	"remove it: the whole file runs in one transaction of its own";

static int check_inside(const struct prepare *p, const struct sql_statement *s, struct err *e)
{
	switch (s->kind) {
	case SQL_BEGIN:
	case SQL_COMMIT:
	case SQL_ROLLBACK:
		return refuse(p, s, "controls the transaction", control_hint, e);
	case SQL_ATTACH:
		return refuse(p, s, "attaches or detaches a database",
			      "a migration changes the environment's database alone", e);
	case SQL_VACUUM:
		if (stands_alone(s))
			return refuse(p, s, "cannot run inside a transaction",
				      "move it to a migration of its own that begins with "
				      "'-- transaction: no'",
				      e);
		return refuse(p, s, "writes another file",
			      "a migration changes the environment's database alone", e);
	case SQL_PRAGMA:
		return refuse(
			p, s, "is a PRAGMA after the first statement",
			"move it above the first statement; foreign keys are switched off and "
			"checked without it",
			e);
	case SQL_OTHER:
	case SQL_SAVEPOINT:
	case SQL_CHAIN:
	case SQL_TWO_PHASE:
	case SQL_AUTOCOMMIT:
	case SQL_LOCK:
	case SQL_USE:
		break;
	}
	return 0;
}

static int prepare_sqlite(struct arena *a, struct prepare *p, bool no_transaction,
			  struct script *made, struct err *e)
{
	size_t first = 0, last = p->all.n;

	if (no_transaction) {
		made->body = p->all;
		return check_outside(p, e);
	}
	made->hoist = arena_alloc(a, (p->all.n + 1) * sizeof(*made->hoist));
	while (first < last && p->all.item[first].kind == SQL_PRAGMA)
		made->hoist[made->n_hoist++] = p->all.item[first++].text;
	if (last >= first + 2 && p->all.item[first].kind == SQL_BEGIN &&
	    p->all.item[last - 1].kind == SQL_COMMIT) {
		first++;
		last--;
	}
	for (size_t i = first; i < last; i++)
		if (check_inside(p, &p->all.item[i], e) != 0)
			return -1;
	made->body.item = p->all.n > 0 ? p->all.item + first : NULL;
	made->body.n = last - first;
	return 0;
}

/* --- Servers ----------------------------------------------------------------------------------- */

#define KIND(kind) (1u << (kind))
#define KIND_CONTROL (KIND(SQL_BEGIN) | KIND(SQL_COMMIT) | KIND(SQL_ROLLBACK) | KIND(SQL_CHAIN))

/* A statement of one of these kinds, or with one of these flags, is refused. */
struct rule {
	unsigned kinds, flags;
	const char *why, *hint;
};

static const char ours_why[] = "changes bascule's own tables";
static const char ours_hint[] = "leave them to bascule: accept, mark and baseline write them";
static const char unlocks_why[] = "frees locks that it did not take";

static const struct rule postgres_inside[] = {
	{ KIND(SQL_TWO_PHASE), 0, "leaves a prepared transaction behind, or ends one",
	  "remove it: two-phase commit is for the program that has both phases" },
	{ KIND_CONTROL, 0, "controls the transaction",
	  "remove it: the whole file runs in one transaction of its own" },
	{ 0, SQL_OURS, ours_why, ours_hint },
	{ 0, SQL_UNLOCKS, unlocks_why, "free what it took by pg_advisory_unlock(key)" },
	{ 0, SQL_ALONE, "cannot run inside a transaction",
	  "move it to a migration of its own that begins with '-- transaction: no'" },
	{ 0, 0, NULL, NULL },
};

static const struct rule postgres_outside[] = {
	{ KIND(SQL_TWO_PHASE), 0, "leaves a prepared transaction behind, or ends one",
	  "remove it: two-phase commit is for the program that has both phases" },
	{ KIND_CONTROL | KIND(SQL_SAVEPOINT), 0,
	  "controls a transaction, but the file says '-- transaction: no'",
	  "remove it, or remove the directive: each statement of such a file runs alone" },
	{ 0, SQL_OURS, ours_why, ours_hint },
	{ 0, SQL_UNLOCKS, unlocks_why, "free what it took by pg_advisory_unlock(key)" },
	{ 0, 0, NULL, NULL },
};

static const struct rule mariadb_rules[] = {
	{ KIND(SQL_TWO_PHASE), 0, "leaves a prepared transaction behind, or ends one",
	  "remove it: XA is for the program that has both phases" },
	{ KIND_CONTROL | KIND(SQL_SAVEPOINT) | KIND(SQL_AUTOCOMMIT), 0, "controls the transaction",
	  "remove it: each statement runs in a transaction of its own, with its record" },
	{ KIND(SQL_LOCK), 0, "locks tables, which would block the records of the run",
	  "remove it: ALTER TABLE takes the locks it needs" },
	{ KIND(SQL_USE), 0, "changes the database in use",
	  "remove it, or name the database in each statement: shop.orders" },
	{ 0, SQL_OURS, ours_why, ours_hint },
	{ 0, SQL_UNLOCKS, unlocks_why, "free what it took by RELEASE_LOCK(name)" },
	{ 0, SQL_CLIENT_FILE, "reads a file of the client",
	  "write its rows as INSERT: a run has no other files than its migrations" },
	{ 0, 0, NULL, NULL },
};

static int check_rules(const struct prepare *p, const struct rule *rule,
		       const struct sql_statement *s, const struct sql_facts *f, struct err *e)
{
	for (; rule->why != NULL; rule++)
		if ((rule->kinds & KIND(s->kind)) || (rule->flags & f->flags))
			return refuse(p, s, rule->why, rule->hint, e);
	return 0;
}

/* BEGIN that only begins, in the way that we begin too. */
static bool begins_plainly(const struct sql_statement *s)
{
	return s->kind == SQL_BEGIN && !holds_word(s->text, "isolation") &&
	       !holds_word(s->text, "only");
}

/* The pair around the file: BEGIN may stand behind SET, as dumps have it. *first and *last are of BEGIN
 * and COMMIT. */
static bool find_pair(const struct prepare *p, const struct sql_facts *fact, size_t *first,
		      size_t *last)
{
	size_t i = 0, n = p->all.n;

	while (i < n && p->all.item[i].kind == SQL_OTHER && fact[i].class == SQL_CLASS_SESSION)
		i++;
	*first = i;
	*last = n - 1;
	return i + 1 < n && begins_plainly(&p->all.item[i]) &&
	       p->all.item[n - 1].kind == SQL_COMMIT;
}

static int prepare_server(struct arena *a, struct prepare *p, const char *engine,
			  const struct rule *rule, bool pair, struct script *made, struct err *e)
{
	size_t first = 0, last = 0, n = 0;
	struct sql_facts *fact = arena_alloc(a, (p->all.n + 1) * sizeof(*fact));

	for (size_t i = 0; i < p->all.n; i++)
		sql_facts_read(a, engine, &p->all.item[i], &fact[i]);
	pair = pair && find_pair(p, fact, &first, &last);
	for (size_t i = 0; i < p->all.n; i++) {
		if (pair && (i == first || i == last))
			continue;
		if (check_rules(p, rule, &p->all.item[i], &fact[i], e) != 0)
			return -1;
		p->all.item[n] = p->all.item[i];
		fact[n++] = fact[i];
	}
	made->body = p->all;
	made->body.n = n;
	made->fact = fact;
	return 0;
}

int script_prepare(struct arena *a, const char *engine, const char *what, struct sv text,
		   bool no_transaction, struct script *out, struct err *e)
{
	const struct db_ops *driver = db_driver(engine);
	struct prepare p = { .what = what };
	struct script made = { 0 };
	int rc;

	p.transactional = driver == NULL || (driver->caps & DB_TX_DDL) != 0;
	if (sqlsplit(a, engine, text, &p.all, e) != 0)
		return err_wrap(e, "cannot read %s", what);
	if (strcmp(engine, "postgresql") == 0)
		rc = prepare_server(a, &p, engine,
				    no_transaction ? postgres_outside : postgres_inside,
				    !no_transaction, &made, e);
	else if (strcmp(engine, "mariadb") == 0)
		rc = prepare_server(a, &p, engine, mariadb_rules, true, &made, e);
	else
		rc = prepare_sqlite(a, &p, no_transaction, &made, e);
	if (rc == 0)
		*out = made;
	return rc;
}
