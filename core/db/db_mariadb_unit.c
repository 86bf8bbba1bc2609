/* SPDX-License-Identifier: MIT */
/*
 * Units of the MariaDB driver: several statements in one packet (CLIENT_MULTI_STATEMENTS).
 *
 * db_unit_send only keeps a unit. When somebody asks for an answer and none is under way, as many whole
 * units as fit into max_allowed_packet travel together, and their answers are read one after the other.
 * The server stops at the first statement that fails and runs nothing behind it, which is the promise
 * of the contract. What a failed unit leaves behind, units_clear ends with a ROLLBACK that it always
 * sends: the status in an error's answer is that of the statement before.
 *
 * One item, one result: the server does not say which statement an answer belongs to, so answers are
 * counted. An item that hid a second statement would shift all the answers behind it. Therefore each
 * unit ends in a SELECT of a number that only it has; when that number does not come exactly behind its
 * items, the unit has failed with ERR_INPUT, and rows are given to their callbacks only after it came.
 * An item that may give several results is marked `alone`: its unit has a packet of its own, and all
 * that comes is its.
 *
 * The server goes on with a packet while nobody reads: a caller that lets minutes pass between two
 * answers risks net_write_timeout (600 seconds here) once the socket is full.
 */
#include "core/db/db_mariadb.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"

#define UNITS_IN_PACKET_MAX 1000
#define SEPARATOR "\n;" /* a line comment may stand at the end of an item */
#define MARK_FIRST INT64_C(6277101735386680)

/* --- Sending ----------------------------------------------------------------------------------- */

static void unit_free(struct mariadb_unit *u)
{
	mem_free(u->text);
	mem_free(u->item);
}

void mariadb_units_free(struct db_mariadb *m)
{
	for (size_t i = 0; i < m->n_unit; i++)
		unit_free(&m->unit[i]);
	mem_free(m->unit);
	m->unit = NULL;
	m->n_unit = m->cap_unit = m->flight = 0;
}

static void unit_pop(struct db_mariadb *m)
{
	unit_free(&m->unit[0]);
	m->n_unit--;
	memmove(m->unit, m->unit + 1, m->n_unit * sizeof(m->unit[0]));
}

static void add_item(struct db_mariadb *m, const struct db_item *it, struct strbuf *text)
{
	if (it->text.n > 0)
		strbuf_addsv(text, it->text);
	else
		mariadb_translate(m, sv_of(it->sql), it->param, it->n_param, NULL, text);
}

int mariadb_unit_send(struct db *db, const struct db_item *item, size_t n, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	struct mariadb_unit u = { .n = n, .mark = MARK_FIRST + m->next_mark };
	struct strbuf text;

	if (m->broken)
		return err_set(e, ERR_LOST, "the connection to %s is lost", m->shown);
	strbuf_init(&text, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_adds(&text, SEPARATOR);
		add_item(m, &item[i], &text);
		u.alone = u.alone || item[i].alone;
	}
	if (!u.alone)
		strbuf_addf(&text, "%sSELECT %lld", n > 0 ? SEPARATOR : "", (long long)u.mark);
	if (text.len > m->max_packet) {
		mariadb_too_big(m, text.len, e);
		strbuf_clear(&text);
		return -1;
	}
	m->next_mark++;
	u.len = text.len;
	u.text = strbuf_detach(&text);
	u.item = mem_calloc(n > 0 ? n : 1, sizeof(*u.item));
	for (size_t i = 0; i < n; i++)
		u.item[i] = (struct mariadb_item){ item[i].fn, item[i].arg, item[i].text.n == 0 };
	mem_grow(&m->unit, &m->cap_unit, m->n_unit + 1, sizeof(m->unit[0]));
	m->unit[m->n_unit++] = u;
	return 0;
}

/* The oldest units in one packet. The first result, or its error, has come then. */
static int packet_send(struct db_mariadb *m, struct err *e)
{
	struct strbuf text;
	size_t k = 0;
	int result;

	if (mariadb_set_multi(m, true, e) != 0)
		return -1;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	while (k < m->n_unit && k < UNITS_IN_PACKET_MAX) {
		const struct mariadb_unit *u = &m->unit[k];

		if (k > 0 && (u->alone || m->unit[k - 1].alone ||
			      text.len + sizeof(SEPARATOR) + u->len > m->max_packet))
			break;
		if (k > 0)
			strbuf_adds(&text, SEPARATOR);
		strbuf_add(&text, u->text, u->len);
		k++;
	}
	m->flight = k;
	m->fresh = true;
	result = mariadb_query(m, strbuf_sv(&text), e);
	strbuf_clear(&text);
	return result;
}

/* --- Answers ----------------------------------------------------------------------------------- */

static int not_one_each(struct db_mariadb *m, const struct mariadb_unit *u, struct err *e)
{
	err_set(e, ERR_INPUT, "statements on %s gave another number of results", m->shown);
	return err_detail(e, "sent %zu; one of them is several, or none", u->n);
}

/* Steps to the next result of the packet: the first is there already. */
static int step(struct db_mariadb *m, const struct mariadb_unit *u, struct err *e)
{
	if (m->fresh) {
		m->fresh = false;
		return 0;
	}
	if (!m->api.mysql_more_results(m->conn))
		return not_one_each(m, u, e);
	return mariadb_next(m, e);
}

static int keep_mark(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	int64_t *mark = arg;

	(void)e;
	if (n == 1 && col[0].type == DB_INT)
		*mark = col[0].i;
	return 0;
}

static int read_mark(struct db_mariadb *m, const struct mariadb_unit *u, struct err *e)
{
	MYSQL_RES *res = NULL;
	int64_t mark = 0;
	int result;

	if (step(m, u, e) != 0)
		return -1;
	result = mariadb_keep_rows(m, &res, e);
	if (result == 0 && res != NULL)
		result = mariadb_give_rows(m, res, keep_mark, &mark, e);
	if (res != NULL)
		m->api.mysql_free_result(res);
	if (result == 0 && mark != u->mark)
		return not_one_each(m, u, e);
	return result;
}

/* All results of u; *at is the item whose answer is being read. kept[i]: rows for its callback. */
static int read_unit(struct db_mariadb *m, const struct mariadb_unit *u, MYSQL_RES **kept,
		     size_t *at, struct err *e)
{
	for (*at = 0; *at < u->n; ++*at) {
		const struct mariadb_item *it = &u->item[*at];

		if (step(m, u, e) != 0)
			return -1;
		if ((it->fn != NULL ? mariadb_keep_rows(m, &kept[*at], e)
				    : mariadb_drop_rows(m, e)) != 0)
			return -1;
	}
	if (!u->alone)
		return read_mark(m, u, e);
	*at = u->n > 0 ? u->n - 1
		       : 0; /* what still comes, and what still fails, is the last one's */
	while (m->api.mysql_more_results(m->conn))
		if (mariadb_next(m, e) != 0 || mariadb_drop_rows(m, e) != 0)
			return -1;
	*at = u->n;
	return 0;
}

static int give_kept(struct db_mariadb *m, const struct mariadb_unit *u, MYSQL_RES **kept,
		     size_t *at, struct err *e)
{
	for (size_t i = 0; i < u->n; i++) {
		*at = i;
		if (kept[i] != NULL &&
		    mariadb_give_rows(m, kept[i], u->item[i].fn, u->item[i].arg, e) != 0)
			return -1;
	}
	return 0;
}

static void free_kept(struct db_mariadb *m, size_t n, MYSQL_RES **kept)
{
	for (size_t i = 0; i < n; i++)
		if (kept[i] != NULL)
			m->api.mysql_free_result(kept[i]);
	mem_free(kept);
}

/* Reads what is left of the packet that is being answered. */
static int read_rest(struct db_mariadb *m, struct err *e)
{
	int result = 0;

	if (m->flight == 0)
		return 0;
	if (m->fresh)
		result = mariadb_drop_rows(m, e);
	while (result == 0 && m->api.mysql_more_results(m->conn)) {
		result = mariadb_next(m, e);
		if (result == 0)
			result = mariadb_drop_rows(m, e);
	}
	m->flight = 0;
	return result;
}

int mariadb_unit_result(struct db *db, size_t *failed, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	struct mariadb_unit *u = &m->unit[0];
	MYSQL_RES **kept = NULL;
	struct err ignored;
	size_t at = 0;
	int result;

	if (m->n_unit == 0)
		return err_set(e, ERR_INPUT, "no statements were sent to %s", m->shown);
	if (m->unit_failed) {
		*failed = 0;
		return err_set(e, ERR_INPUT, "not run: something before it failed");
	}
	if (mariadb_begin(m, WAIT_FOREVER, e) != 0) {
		*failed = u->n;
		return -1;
	}
	kept = mem_calloc(u->n + 1, sizeof(MYSQL_RES *));
	result = m->flight == 0 ? packet_send(m, e) : 0;
	if (result == 0)
		result = read_unit(m, u, kept, &at, e);
	if (result != 0) {
		if (at < u->n && u->item[at].ours)
			mariadb_judge_ours(e);
		m->unit_failed = true;
		*failed = e->code == ERR_LOST || m->broken || at > u->n ? u->n : at;
		/* An error of the server ends its packet; one of ours does not. */
		if (!m->broken && e->code == ERR_INPUT)
			(void)!read_rest(m, &ignored);
		m->flight = 0;
	} else {
		m->flight--;
		/* Before the callbacks, so that a last one may use the connection. */
		mariadb_end(m);
		result = give_kept(m, u, kept, failed, e);
	}
	mariadb_end(m);
	free_kept(m, u->n, kept);
	unit_pop(m);
	return result;
}

size_t mariadb_units_waiting(const struct db *db)
{
	return ((const struct db_mariadb *)db)->n_unit;
}

size_t mariadb_unit_max_bytes(const struct db *db)
{
	return ((const struct db_mariadb *)db)->max_packet;
}

int mariadb_units_clear(struct db *db, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	struct cancel *cancel = m->cancel;
	bool stop = cancel_fired(cancel);
	struct err ignored;
	int result = 0;

	if (m->flight > 0 && !m->broken) {
		/* What runs on behind a cancel is ended as the cancel would have; errors are no news. */
		m->cancel = stop ? NULL : cancel;
		result = mariadb_begin(m, WAIT_FOREVER, e);
		if (result == 0 && stop)
			mariadb_kill_now(m);
		if (result == 0)
			(void)!read_rest(m, &ignored);
		mariadb_end(m);
		m->cancel = cancel;
		m->unit_failed = true;
	}
	while (m->n_unit > 0)
		unit_pop(m);
	m->flight = 0;
	if (m->broken) {
		m->unit_failed = false;
		return err_set(e, ERR_LOST, "the connection to %s is lost", m->shown);
	}
	if (m->unit_failed || db_in_transaction(db))
		result = mariadb_quietly(m, SV("ROLLBACK"), e);
	m->unit_failed = false;
	return result;
}
