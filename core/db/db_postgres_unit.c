/* SPDX-License-Identifier: MIT */
/*
 * Units of the PostgreSQL driver: libpq's pipeline mode.
 *
 * A unit is its statements and one sync behind them. What was sent and not answered is a queue of
 * units; results come in the order of the queue and are taken whenever something waits, so that a
 * server that cannot get rid of its answers never stops reading what we send. Rows that somebody wants
 * are kept until db_unit_result; all others are dropped row by row, so that a SELECT over a big table
 * costs no memory.
 *
 * Stopping at the first failure is the server's doing as long as units begin with BEGIN: a failed
 * transaction refuses everything until ROLLBACK. A unit without BEGIN is a transaction of its own sync,
 * and the server would go on behind its failure; so nothing is sent behind such a unit until it is
 * answered. Whatever a unit behind a failure answers, it counts as not run.
 *
 * COPY from the client would take what follows in the pipeline for data: the connection is given up
 * when a statement begins one. core/migrate refuses such a statement before it gets here.
 */
#include "core/db/db_postgres.h"

#include <assert.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"

#define UNIT_BYTES_MAX ((size_t)256 << 20) /* half of what libpq's buffer can hold */
#define CLEAR_MS 10000                     /* for everything that is still on its way */
#define ASK_AGAIN_MS 200 /* a cancel request that fell between two statements stopped nothing */

/* One statement whose result is due. index is the caller's; of what we put in front it is 0. */
struct slot {
	size_t index;
	bool ours, extra, commit;
	db_row_fn fn;
	void *arg;
	PGresult *kept; /* rows for fn */
	char *text;     /* of a foreign one, for the line of an error */
};

struct pg_unit {
	struct slot *slot;
	size_t n, n_item, at; /* at: the first slot without an answer */
	bool alone;           /* does not begin with BEGIN, or says so */
	bool sent, answered, failed;
	size_t failed_at;
	struct err why;
};

static void unit_clear(struct db_postgres *s, struct pg_unit *u)
{
	for (size_t i = 0; i < u->n; i++) {
		s->pq.PQclear(u->slot[i].kept);
		mem_free(u->slot[i].text);
	}
	mem_free(u->slot);
}

void pg_units_free(struct db_postgres *s)
{
	for (size_t i = 0; i < s->n_unit; i++)
		unit_clear(s, &s->unit[i]);
	mem_free(s->unit);
	s->unit = NULL;
	s->n_unit = s->cap_unit = 0;
}

/* --- Taking answers ---------------------------------------------------------------------------- */

static struct pg_unit *oldest_open(struct db_postgres *s)
{
	for (size_t i = 0; i < s->n_unit; i++)
		if (s->unit[i].sent && !s->unit[i].answered)
			return &s->unit[i];
	return NULL;
}

static void unit_fail(struct db_postgres *s, struct pg_unit *u, size_t at)
{
	if (!u->failed)
		u->failed_at = at;
	u->failed = true;
	s->unit_failed = true;
	pg_prepared_forget(s);
}

static void slot_failed(struct db_postgres *s, struct pg_unit *u, struct slot *slot,
			const PGresult *res)
{
	if (u->failed)
		return;
	pg_error(s, res, slot->ours ? PG_OURS : PG_FOREIGN, slot->text, &u->why);
	unit_fail(s, u, u->why.code == ERR_LOST ? u->n_item : slot->index);
}

/* One result of the slot; res is taken over. */
static int slot_result(struct db_postgres *s, struct pg_unit *u, struct slot *slot, PGresult *res,
		       struct err *e)
{
	switch (s->pq.PQresultStatus(res)) {
	case PGRES_FATAL_ERROR:
	case PGRES_BAD_RESPONSE:
		slot_failed(s, u, slot, res);
		break;
	case PGRES_PIPELINE_ABORTED:
		unit_fail(s, u,
			  slot->index); /* the error itself came before, or with another unit */
		break;
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		s->pq.PQclear(res);
		s->lost = true;
		err_set(&u->why, ERR_INPUT,
			"COPY to or from the client does not work in a migration");
		err_hint(&u->why, "write INSERT statements, or load the data with psql");
		unit_fail(s, u, slot->index);
		*e = u->why;
		return -1;
	default:
		if (slot->commit && strcmp(s->pq.PQcmdStatus(res), "ROLLBACK") == 0 && !u->failed) {
			err_set(&u->why, ERR_DB, "transaction on %s could not be committed",
				s->shown);
			err_detail(&u->why, "a statement in it had failed: it was rolled back");
			unit_fail(s, u, slot->index);
		}
		if (slot->fn != NULL) {
			s->pq.PQclear(slot->kept);
			slot->kept = res;
			return 0;
		}
	}
	s->pq.PQclear(res);
	return 0;
}

/* Takes one piece of an answer for the oldest unit without one. */
static int take_piece(struct db_postgres *s, const struct pg_wait *w, struct err *e)
{
	struct pg_unit *u = oldest_open(s);
	struct slot *slot = u->at < u->n ? &u->slot[u->at] : NULL;
	PGresult *res = NULL;

	/* Has to be said of each statement, when its turn has come and nothing of it was read. */
	if (slot != NULL && !s->slot_open) {
		s->slot_open = true;
		if (slot->fn == NULL)
			s->pq.PQsetSingleRowMode(s->conn);
	}
	if (pg_next(s, w, &res, e) != 0)
		return -1;
	if (res == NULL && s->pq.PQstatus(s->conn) == CONNECTION_BAD)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	if (slot == NULL) {
		bool sync = res != NULL && s->pq.PQresultStatus(res) == PGRES_PIPELINE_SYNC;

		s->pq.PQclear(res);
		if (!sync)
			return res == NULL ? 0 : pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
		s->syncs_due--;
		u->answered = true;
		return 0;
	}
	if (res != NULL && s->pq.PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
		/* Of the reset in front: its slots are answered by now. */
		s->pq.PQclear(res);
		s->syncs_due--;
		s->slot_open = false;
		return 0;
	}
	if (res == NULL) {
		u->at++;
		s->slot_open = false;
		return 0;
	}
	return slot_result(s, u, slot, res, e);
}

/* Everything that is there already, without waiting. */
static int take_what_is_there(struct db_postgres *s, struct err *e)
{
	const struct pg_wait w = { NULL, 0, 0 };

	if (s->pq.PQflush(s->conn) < 0 || s->pq.PQconsumeInput(s->conn) != 1) {
		if (s->pq.PQisBusy(s->conn) != 0)
			return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	}
	while (oldest_open(s) != NULL && s->slot_open && s->pq.PQisBusy(s->conn) == 0)
		if (take_piece(s, &w, e) != 0)
			return -1;
	return 0;
}

/* --- Sending ----------------------------------------------------------------------------------- */

static struct slot *slot_add(struct pg_unit *u, size_t index)
{
	u->slot[u->n] = (struct slot){ .index = index };
	return &u->slot[u->n++];
}

/* A statement that comes in every unit, by way of one prepared. 1: sent, 0: not one for this. */
static int send_prepared(struct db_postgres *s, struct pg_unit *u, size_t i, const char *text,
			 const struct db_item *item, struct err *e)
{
	struct slot slot = { .index = i, .ours = true };
	bool prepared;
	int sent;

	if (s->dirty || u->alone)
		return 0;
	sent = pg_prepared_send(s, item->sql, text, item->param, item->n_param, &prepared, e);
	if (prepared)
		*slot_add(u, i) = slot;
	if (sent == 1) {
		slot.fn = item->fn;
		slot.arg = item->arg;
		*slot_add(u, i) = slot;
	}
	return sent;
}

static int send_foreign(struct db_postgres *s, struct pg_unit *u, size_t i,
			const struct db_item *item, struct err *e)
{
	struct slot *slot = slot_add(u, i);

	slot->text = mem_strndup(item->text.p, item->text.n);
	slot->commit = item->text.n >= 6 && strncasecmp(item->text.p, "COMMIT", 6) == 0;
	slot->fn = item->fn;
	slot->arg = item->arg;
	if (strlen(slot->text) != item->text.n)
		return err_set(e, ERR_INPUT, "statement has a NUL byte in it");
	return pg_send(s, slot->text, NULL, 0, e);
}

static int send_ours(struct db_postgres *s, struct pg_unit *u, size_t i, bool dirty,
		     const struct db_item *item, struct err *e)
{
	struct db_value all[PG_PARAMS_MAX];
	struct slot *slot;
	size_t n;
	int sent = send_prepared(s, u, i, NULL, item, e);

	if (sent != 0)
		return sent > 0 ? 0 : -1;
	if (dirty) {
		slot_add(u, i)->extra = true;
		if (pg_send_own_role(s, NULL, e) != 0)
			return -1;
	}
	slot = slot_add(u, i);
	slot->ours = true;
	slot->fn = item->fn;
	slot->arg = item->arg;
	pg_rewrite(item->sql, &s->sql, &n);
	if (n > sizeof(all) / sizeof(all[0]) || item->n_param > sizeof(all) / sizeof(all[0]))
		return err_set(e, ERR_LIMIT, "statement has too many parameters");
	for (size_t p = 0; p < n; p++)
		all[p] = p < item->n_param ? item->param[p] : DB_V_NULL;
	return pg_send(s, strbuf_str(&s->sql), all, n, e);
}

static int send_sync(struct db_postgres *s, struct err *e)
{
	if (s->pq.PQpipelineSync(s->conn) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	s->syncs_due++;
	return 0;
}

/* The session as it should be, in a sync of its own in front of the unit. */
static int send_front(struct db_postgres *s, struct pg_unit *u, struct err *e)
{
	bool in_transaction = s->pq.PQtransactionStatus(s->conn) == PQTRANS_INTRANS;

	if (!s->dirty || u->alone || in_transaction)
		return 0;
	for (int i = 0; i < PG_RESETS; i++)
		slot_add(u, 0)->extra = true;
	return pg_send_reset(s, e) != 0 ? -1 : send_sync(s, e);
}

/* A SELECT, but ours: it sets nothing. No migration can begin like it, since it names our tables. */
static bool is_fence(struct sv text)
{
	const struct sv start = SV(PG_FENCE_START);

	return text.n > start.n && memcmp(text.p, start.p, start.n) == 0;
}

static int send_fence(struct db_postgres *s, struct pg_unit *u, size_t i,
		      const struct db_item *item, struct err *e)
{
	char *text = mem_strndup(item->text.p, item->text.n);
	int sent = send_prepared(s, u, i, text, item, e);

	mem_free(text);
	return sent != 0 ? sent : send_foreign(s, u, i, item, e);
}

static int unit_transmit(struct db_postgres *s, struct pg_unit *u, const struct db_item *item,
			 struct err *e)
{
	if (s->pq.PQpipelineStatus(s->conn) == PQ_PIPELINE_OFF &&
	    s->pq.PQenterPipelineMode(s->conn) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	u->slot = mem_calloc(2 * u->n_item + PG_RESETS, sizeof(*u->slot));
	if (send_front(s, u, e) != 0)
		return -1;
	for (size_t i = 0; i < u->n_item; i++) {
		int sent = 1;

		if (item[i].text.n == 0)
			sent = send_ours(s, u, i, s->dirty, &item[i], e) != 0 ? -1 : 1;
		else if (is_fence(item[i].text))
			sent = send_fence(s, u, i, &item[i], e);
		else if (send_foreign(s, u, i, &item[i], e) != 0)
			sent = -1;
		else
			s->dirty = s->dirty || pg_may_set(item[i].text);
		if (sent < 0)
			return -1;
	}
	u->sent = true;
	return send_sync(s, e);
}

static int check_size(const struct db_item *item, size_t n, struct err *e)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += item[i].text.n;
		for (size_t p = 0; p < item[i].n_param; p++)
			if (item[i].param[p].type >= DB_TEXT)
				bytes += item[i].param[p].s.n;
	}
	if (bytes <= UNIT_BYTES_MAX)
		return 0;
	err_set(e, ERR_LIMIT, "statements are too long to be sent at once");
	return err_detail(e, "%zu bytes, at most %zu", bytes, UNIT_BYTES_MAX);
}

static bool begins(const struct db_item *item)
{
	return sv_eq(item->text, SV("START TRANSACTION")) ||
	       (item->text.n >= 5 && strncasecmp(item->text.p, "BEGIN", 5) == 0);
}

/* Behind a unit that the server would not stop at: until it is answered. */
static int wait_for_alone(struct db_postgres *s, struct err *e)
{
	const struct pg_wait w = { s->cancel, 0, 0 };
	struct pg_unit *last = s->n_unit > 0 ? &s->unit[s->n_unit - 1] : NULL;

	while (last != NULL && last->alone && last->sent && !last->answered)
		if (take_piece(s, &w, e) != 0)
			return -1;
	return 0;
}

int pg_unit_send(struct db *db, const struct db_item *item, size_t n, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	struct pg_unit u = { .n_item = n };
	struct err ignored;

	if (check_size(item, n, e) != 0 || pg_ready(s, s->cancel, e) != 0 ||
	    (s->user == NULL && pg_session_now(s, false, e) != 0) || wait_for_alone(s, e) != 0)
		return -1;
	u.alone = n == 0 || !begins(&item[0]);
	for (size_t i = 0; i < n; i++)
		u.alone = u.alone || item[i].alone;
	/* Behind a failure it only takes its place in the queue. */
	if (!s->unit_failed && unit_transmit(s, &u, item, e) != 0) {
		/* Half of it may be on its way: nobody can say any more which answer is whose. */
		s->lost = true;
		unit_clear(s, &u);
		return -1;
	}
	mem_grow(&s->unit, &s->cap_unit, s->n_unit + 1, sizeof(*s->unit));
	s->unit[s->n_unit++] = u;
	/* What goes wrong here is the answer of a unit: db_unit_result has it. */
	if (u.sent)
		(void)!take_what_is_there(s, &ignored);
	return 0;
}

/* --- Results ----------------------------------------------------------------------------------- */

static void unit_pop(struct db_postgres *s)
{
	unit_clear(s, &s->unit[0]);
	s->n_unit--;
	memmove(s->unit, s->unit + 1, s->n_unit * sizeof(*s->unit));
}

static int give_rows(struct db_postgres *s, struct pg_unit *u, size_t *failed, struct err *e)
{
	for (size_t i = 0; i < u->n; i++) {
		struct slot *slot = &u->slot[i];

		if (slot->kept == NULL || slot->fn == NULL)
			continue;
		if (pg_rows(s, slot->kept, slot->fn, slot->arg, e) != 0) {
			*failed = slot->index;
			return -1;
		}
	}
	return 0;
}

/* Until the oldest unit is answered. */
static int await_oldest(struct db_postgres *s, const struct pg_wait *w, struct err *e)
{
	while (s->n_unit > 0 && s->unit[0].sent && !s->unit[0].answered)
		if (take_piece(s, w, e) != 0)
			return -1;
	return 0;
}

/* Behind a fired cancel: the server stops, and mostly says so at once. What a unit answered counts. */
static int await_stop(struct db_postgres *s, struct err *e)
{
	const struct pg_wait w = { NULL, 0, clock_mono_ms() + 60 };
	struct err why;

	s->stop_asked = true;
	pg_request_cancel(s, 60);
	if (await_oldest(s, &w, &why) == 0)
		return 0;
	return why.code == ERR_LOST ? (*e = why, -1) : -1;
}

int pg_unit_result(struct db *db, size_t *failed, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	const struct pg_wait w = { s->cancel, 0, 0 };
	struct pg_unit *u;
	int result = 0;

	assert(s->n_unit > 0);
	u = &s->unit[0];
	*failed = u->n_item;
	if (!u->sent) {
		err_set(e, ERR_DB, "not run on %s: what was sent before it failed", s->shown);
		*failed = 0;
		unit_pop(s);
		return -1;
	}
	if (s->lost && !u->answered)
		return u->failed ? (*e = u->why, *failed = u->failed_at, -1)
				 : pg_lost(s, "it broke before", e);
	if (await_oldest(s, &w, e) != 0) {
		if (u->failed && u->why.code == ERR_INPUT && s->lost) /* COPY */
			*failed = u->failed_at;
		if (e->code != ERR_CANCELLED || await_stop(s, e) != 0)
			return -1;
	}
	if (u->failed) {
		if (u->why.code == ERR_OK)
			err_set(&u->why, ERR_DB, "not run on %s: what was sent before it failed",
				s->shown);
		*failed = u->failed_at;
		*e = u->why;
		result = -1;
	} else if (give_rows(s, u, failed, e) != 0) {
		s->unit_failed = true;
		result = -1;
	}
	unit_pop(s);
	return result;
}

size_t pg_units_waiting(const struct db *db)
{
	return ((const struct db_postgres *)db)->n_unit;
}

/* Takes all answers; asks the server again and again to stop when it has no reason of its own to. */
static int clear_answers(struct db_postgres *s, struct err *e)
{
	int64_t end = clock_mono_ms() + CLEAR_MS;

	while (s->syncs_due > 0) {
		if (!s->unit_failed || cancel_fired(s->cancel)) {
			s->stop_asked = true;
			pg_request_cancel(s, ASK_AGAIN_MS);
		}
		if (pg_drain(s, ASK_AGAIN_MS, e) == 0)
			break;
		if (s->lost)
			return -1;
		if (clock_mono_ms() >= end)
			return pg_lost(s, "what was stopped does not end", e);
	}
	return 0;
}

int pg_units_clear(struct db *db, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	int result;

	result = s->lost ? pg_lost(s, "it broke before", e) : clear_answers(s, e);
	for (size_t i = 0; i < s->n_unit; i++)
		unit_clear(s, &s->unit[i]);
	s->n_unit = 0;
	s->slot_open = s->unit_failed = s->stop_asked = false;
	pg_prepared_forget(s);
	if (result != 0 || pg_ready(s, NULL, e) != 0)
		return -1;
	return db_in_transaction(db) ? pg_plain(s, "ROLLBACK", e) : 0;
}

size_t pg_unit_max_bytes(const struct db *db)
{
	(void)db;
	return UNIT_BYTES_MAX;
}
