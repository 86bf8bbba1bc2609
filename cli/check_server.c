/* SPDX-License-Identifier: MIT */
/* check, of an environment on a server: poolers, clocks, privileges, and what the server says of itself. */
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "core/base/clock.h"
#include "core/db/db.h"

/* Clocks further apart than this make the times in a ledger and in a journal tell two stories. */
#define SKEW_WARN_MS 5000

struct server_check {
	struct check *k;
	const struct env *env;
	size_t missing, beyond;
	struct strbuf facts;
};

static void add_trouble(struct server_check *s, enum check_state state, const struct err *e)
{
	check_add(s->k, state, s->env->name, e->hint, "%s%s%s", e->msg,
		  e->detail[0] != '\0' ? ": " : "", e->detail);
}

static int take_privilege(void *arg, const struct db_privilege *p, struct err *e)
{
	struct server_check *s = arg;
	bool beyond = p->state == DB_PRIVILEGE_BEYOND;

	(void)e;
	if (p->state == DB_PRIVILEGE_HELD)
		return 0;
	s->beyond += beyond;
	s->missing += !beyond && !p->optional;
	check_add(s->k,
		  beyond        ? CHECK_WARN
		  : p->optional ? CHECK_OK
				: CHECK_FAIL,
		  s->env->name, p->mend, "%s: %s: %s",
		  beyond        ? "beyond need"
		  : p->optional ? "not there"
				: "missing",
		  p->name, p->words);
	return 0;
}

static int take_fact(void *arg, const char *name, const char *value, struct err *e)
{
	struct server_check *s = arg;

	(void)e;
	strbuf_addf(&s->facts, "%s%s %s", s->facts.len > 0 ? ", " : "", name, value);
	return 0;
}

static void check_clock(struct server_check *s, struct db *db)
{
	int64_t before = clock_utc_ms(), there, skew;
	char text[CLOCK_TEXT_SIZE];
	struct err e;

	if (db_now(db, &there, &e) != 0) {
		add_trouble(s, CHECK_WARN, &e);
		return;
	}
	skew = there - (before + clock_utc_ms()) / 2;
	if (llabs(skew) > SKEW_WARN_MS)
		check_add(s->k, CHECK_WARN, s->env->name, "",
			  "the server's clock is %s %s this machine's: the ledger goes by it",
			  clock_span(llabs(skew), text), skew > 0 ? "ahead of" : "behind");
}

void check_server(struct check *k, const struct env *env, struct db *db)
{
	struct server_check s = { .k = k, .env = env };
	struct err e;

	if (db_check_pooler(db, &e) != 0)
		add_trouble(&s, CHECK_FAIL, &e);
	check_clock(&s, db);
	strbuf_init(&s.facts, STRBUF_NO_LIMIT);
	if (db_facts(db, take_fact, &s, &e) != 0)
		add_trouble(&s, CHECK_WARN, &e);
	else if (s.facts.len > 0)
		check_add(k, CHECK_OK, env->name, "", "%s", strbuf_str(&s.facts));
	strbuf_clear(&s.facts);
	if (db_privileges(db, take_privilege, &s, &e) != 0)
		add_trouble(&s, CHECK_WARN, &e);
	else if (s.missing == 0)
		check_add(k, CHECK_OK, env->name, "", "privileges as needed");
}
