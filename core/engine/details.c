/* SPDX-License-Identifier: MIT */
#include "core/engine/details.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/release/env_open.h"

static int take_fact(void *arg, const char *name, const char *value, struct err *e)
{
	struct details *d = arg;

	(void)e;
	mem_grow(&d->fact, &d->cap_fact, d->n_fact + 1, sizeof(*d->fact));
	d->fact[d->n_fact++] = (struct details_fact){ arena_strdup(&d->arena, name),
						      arena_strdup(&d->arena, value) };
	return 0;
}

static int take_privilege(void *arg, const struct db_privilege *p, struct err *e)
{
	struct details *d = arg;
	struct db_privilege *to;

	(void)e;
	mem_grow(&d->privilege, &d->cap_privilege, d->n_privilege + 1, sizeof(*d->privilege));
	to = &d->privilege[d->n_privilege++];
	*to = *p;
	to->name = arena_strdup(&d->arena, p->name);
	to->words = arena_strdup(&d->arena, p->words);
	to->mend = arena_strdup(&d->arena, p->mend);
	return 0;
}

static int take_table(void *arg, const struct db_table *t, struct err *e)
{
	struct details *d = arg;

	(void)e;
	mem_grow(&d->table, &d->cap_table, d->n_table + 1, sizeof(*d->table));
	d->table[d->n_table] = *t;
	d->table[d->n_table++].name = arena_strdup(&d->arena, t->name);
	return 0;
}

static int larger_first(const void *va, const void *vb)
{
	const struct db_table *a = va, *b = vb;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->rows != b->rows)
		return a->rows > b->rows ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* What a role may not read is no reason to show nothing: which privilege is missing is among the rest. 0: go
 * on; the first trouble is kept. */
static int go_on(struct details *d, int rc, struct err *e)
{
	if (rc == 0)
		return 0;
	if (e->code == ERR_LOST || e->code == ERR_CANCELLED || e->code == ERR_TIMEOUT)
		return -1;
	if (d->trouble.code == ERR_OK)
		d->trouble = *e;
	return 0;
}

static int read_history(const struct env *env, struct db *db, struct details *d, struct err *e)
{
	if (go_on(d, history_read_from(db, env->history, false, &d->history, e), e) != 0)
		return -1;
	if (d->history == NULL) {
		d->history = mem_calloc(1, sizeof(*d->history));
		arena_init(&d->history->arena);
	}
	return go_on(d, verify_report(db, d->history, VERIFY_CHECK_MS, &d->defects, e), e);
}

static int read_all(const struct env *env, struct db *db, struct details *d, struct err *e)
{
	if (db_info(db, &d->info, e) != 0 || db_size(db, &d->info.size_bytes, e) != 0 ||
	    read_history(env, db, d, e) != 0 ||
	    go_on(d, lock_read(&env->dsn, db, env->lock_stale_ms, &d->holder, e), e) != 0 ||
	    go_on(d, db_tables(db, true, take_table, d, e), e) != 0 ||
	    go_on(d, db_facts(db, take_fact, d, e), e) != 0 ||
	    go_on(d, db_privileges(db, take_privilege, d, e), e) != 0)
		return -1;
	if (d->n_table > 1)
		qsort(d->table, d->n_table, sizeof(*d->table), larger_first);
	return 0;
}

int details_read(const struct context *ctx, const struct env *env, struct cancel *c,
		 struct details **out, struct err *e)
{
	struct details *d = mem_calloc(1, sizeof(*d));
	struct db *db = NULL;
	int rc = -1;

	arena_init(&d->arena);
	str_copy(d->env, sizeof(d->env), env->name);
	d->at_utc_ms = clock_utc_ms();
	if (env_open(ctx, env, DB_READ_ONLY, c, &db, e) != 0 || read_all(env, db, d, e) != 0)
		goto out;
	*out = d;
	d = NULL;
	rc = 0;
out:
	db_close(db);
	details_free(d);
	return rc;
}

void details_free(struct details *d)
{
	if (d == NULL)
		return;
	history_free(d->history);
	findings_clear(&d->defects);
	mem_free(d->fact);
	mem_free(d->privilege);
	mem_free(d->table);
	arena_clear(&d->arena);
	mem_free(d);
}

size_t details_count(const struct details *d, enum db_privilege_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_privilege; i++)
		n += d->privilege[i].state == state &&
		     !(state == DB_PRIVILEGE_MISSING && d->privilege[i].optional);
	return n;
}

void details_history(const struct details *d, struct strbuf *out)
{
	const struct history *h = d->history;

	if (d->trouble.code != ERR_OK && h->tool == NULL && h->format == 0)
		strbuf_addf(out, "not known: %s", d->trouble.detail);
	else if (h->tool != NULL)
		strbuf_addf(out, "%s in %s, read only", h->tool, h->table != NULL ? h->table : "");
	else if (h->format == 0)
		strbuf_adds(out, "nobody yet: the first change makes the ledger");
	else
		strbuf_addf(out, "bascule, ledger format %d", h->format);
	for (size_t i = 0; h->n_head > 1 && i < h->n_head; i++)
		strbuf_addf(out, "%s%s", i == 0 ? "; SEVERAL HEADS: " : ", ", h->head[i]);
}
