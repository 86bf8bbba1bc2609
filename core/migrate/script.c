/* SPDX-License-Identifier: MIT */
/*
 * A migration's text to what can run inside one transaction of ours.
 *
 * The file is one transaction, so a BEGIN at its start and COMMIT at its end say nothing new and are
 * removed as a pair. Any other transaction control would end our transaction in the middle and leave
 * half a migration behind; it is refused before anything runs. SAVEPOINT stays: it can only end
 * what it began.
 *
 * PRAGMAs above the first other statement are hoisted before BEGIN, where SQLite acts on them
 * (inside a transaction `PRAGMA foreign_keys` is silently nothing); later ones are refused.
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

int script_prepare(struct arena *a, const char *engine, const char *what, struct sv text,
		   bool no_transaction, struct script *out, struct err *e)
{
	const struct db_ops *driver = db_driver(engine);
	struct prepare p = { .what = what };
	struct script made = { 0 };
	size_t first = 0, last;

	p.transactional = driver == NULL || (driver->caps & DB_TX_DDL) != 0;
	if (sqlsplit(a, engine, text, &p.all, e) != 0)
		return err_wrap(e, "cannot read %s", what);
	if (no_transaction) {
		if (check_outside(&p, e) != 0)
			return -1;
		made.body = p.all;
		*out = made;
		return 0;
	}
	last = p.all.n;
	made.hoist = arena_alloc(a, (p.all.n + 1) * sizeof(*made.hoist));
	while (first < last && p.all.item[first].kind == SQL_PRAGMA)
		made.hoist[made.n_hoist++] = p.all.item[first++].text;
	if (last >= first + 2 && p.all.item[first].kind == SQL_BEGIN &&
	    p.all.item[last - 1].kind == SQL_COMMIT) {
		first++;
		last--;
	}
	for (size_t i = first; i < last; i++)
		if (check_inside(&p, &p.all.item[i], e) != 0)
			return -1;
	made.body.item = p.all.n > 0 ? p.all.item + first : NULL;
	made.body.n = last - first;
	*out = made;
	return 0;
}
