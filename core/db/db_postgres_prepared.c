/* SPDX-License-Identifier: MIT */
/*
 * Statements of ours that unit after unit repeats, prepared.
 *
 * A thousand migrations are a thousand times the same fence, the same event and the same lines of a
 * journal: to parse and plan them was half of what the server did for a small one. What a statement is
 * prepared as travels in front of its first use, in the same pipeline, so that nothing waits for it.
 *
 * The server may lose them without our doing: a migration may say DISCARD or DEALLOCATE, also inside of a
 * function. So they are used only while nothing has run that could have (pg_may_set: the caller sends in
 * the old way then), and forgotten behind it, and behind every failure, since what fails in a pipeline takes
 * along what was prepared behind it. Forgotten ones stay in the server until the session ends; names are
 * never given twice.
 */
#include "core/db/db_postgres.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

struct pg_prepared {
	const char *key; /* address of the literal; NULL: text is the key */
	char *text;
	size_t n_param;
	Oid type[PG_PARAMS_MAX]; /* 0: the server found out, from a first value that was null */
	char name[32];
};

void pg_prepared_forget(struct db_postgres *s)
{
	for (size_t i = 0; i < s->n_prepared; i++) {
		mem_free(s->prepared[i]->text);
		mem_free(s->prepared[i]);
	}
	s->n_prepared = 0;
}

static struct pg_prepared *find(struct db_postgres *s, const char *key, const char *text)
{
	for (size_t i = 0; i < s->n_prepared; i++) {
		struct pg_prepared *p = s->prepared[i];

		if (key != NULL ? p->key == key : p->text != NULL && strcmp(p->text, text) == 0)
			return p;
	}
	return NULL;
}

/* Sends what prepares it. NULL when that could not be sent, or there are too many already. */
static struct pg_prepared *prepare(struct db_postgres *s, const char *key, const char *text,
				   size_t n_given, const Oid *type)
{
	struct pg_prepared *p;

	if (s->n_prepared == PG_PREPARED_MAX)
		return NULL;
	p = mem_calloc(1, sizeof(*p));
	p->key = key;
	p->text = key == NULL ? mem_strdup(text) : NULL;
	if (key != NULL) {
		pg_rewrite(key, &s->sql, &p->n_param);
		text = strbuf_str(&s->sql);
	}
	snprintf(p->name, sizeof(p->name), "bascule_%u", ++s->prepared_names);
	if (n_given <= p->n_param && p->n_param <= PG_PARAMS_MAX) {
		memcpy(p->type, type, n_given * sizeof(*type));
		if (s->pq.PQsendPrepare(s->conn, p->name, text, (int)p->n_param, p->type) == 1) {
			s->prepared[s->n_prepared++] = p;
			return p;
		}
	}
	mem_free(p->text);
	mem_free(p);
	return NULL;
}

int pg_prepared_send(struct db_postgres *s, const char *key, const char *text,
		     const struct db_value *param, size_t n, bool *prepared, struct err *e)
{
	struct pg_prepared *p = find(s, key, text);
	struct db_value all[PG_PARAMS_MAX];
	struct pg_bound b;

	*prepared = false;
	if (pg_bind(s, param, n, &b, e) != 0)
		return -1;
	if (p == NULL) {
		p = prepare(s, key, text, n, b.type);
		if (p == NULL)
			return 0;
		*prepared = true;
	}
	for (size_t i = 0; i < n; i++)
		if (b.type[i] != 0 && p->type[i] != 0 && b.type[i] != p->type[i])
			return 0;
	/* Parameters that were not given are null. */
	for (size_t i = 0; i < p->n_param; i++)
		all[i] = i < n ? param[i] : DB_V_NULL;
	if (pg_bind(s, all, p->n_param, &b, e) != 0)
		return -1;
	if (s->pq.PQsendQueryPrepared(s->conn, p->name, (int)p->n_param, b.value, b.length,
				      b.format, 0) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	return 1;
}
