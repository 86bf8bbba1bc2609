/* SPDX-License-Identifier: MIT */
/*
 * Migrations statement by statement: on MariaDB, where DDL commits by itself, and what stands in a file
 * with `-- transaction: no` elsewhere.
 *
 * No transaction holds such a migration together, so each statement leaves a record, and after any crash
 * the records say how far it came:
 *
 *	DML on tables that roll back     the statement and its event in one transaction
 *	DDL                              an intent first, with a digest of the objects it names; behind a
 *	                                 crash an equal digest says that it did not run, another that it did
 *	SET and other session state      an event behind it; a resumed run does it again
 *	the rest                         an intent that nobody can resolve but an operator (mark)
 *
 * The record of a statement travels with the intent of the next one, and the last record of a
 * migration with the first intent of the next migration: one packet and one round trip a
 * statement, and two commits where the server's own client has two. So there is always one
 * statement that ran and is not recorded (struct pending); a crash there is the crash behind an
 * intent. What the next statement's intent will need to know about its objects is asked for at the
 * end of the packet in front of it (objects.c).
 *
 * The fence stands in the transaction before each statement. Between that and the statement the server
 * could be taken over only by somebody who waits for this session to be gone (core/ledger/lock.h).
 */
#include "core/migrate/apply_inside.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/ledger/ledger.h"
#include "core/migrate/history.h"
#include "core/migrate/objects.h"

#define SESSION_TEXT 80

/* Our records have numbers that count, too: what LAST_INSERT_ID() gives is kept behind each statement
 * and put back in front of the next, in migrations that ask for it. */
#define KEEP_INSERT_ID "SET @bascule_insert_id = LAST_INSERT_ID()"
#define BACK_INSERT_ID "SET last_insert_id = CAST(COALESCE(@bascule_insert_id, 0) AS UNSIGNED)"

/* One migration on its way. */
struct ride {
	struct apply_job *job;
	struct arena arena;
	struct script script;
	struct apply_result result;
	struct err why; /* broken: nothing of it was run */
	bool broken;
	bool asks_insert_id;
	size_t at;       /* the next statement, from 0 */
	int64_t attempt; /* numbers the events of this try */
	int64_t start_us;
};

struct walk {
	struct feed_reader *reader;
	struct db *db;
	struct objects *objects;
	struct ride *ahead; /* made ready, not begun */
	char session[SESSION_TEXT];
	/* Ran, and is not recorded yet. */
	struct pending {
		struct ride *ride; /* NULL: none */
		size_t statement;  /* from 0 */
		bool whole;        /* the migration's own event, not one statement's */
	} pending;
};

/* What is sent for one statement: the item lists of its units. */
struct packet {
	struct arena arena;
	struct db_item before[8], text, after[3], ask;
	size_t n_before, n_after;
	bool has_ask, is_transaction, writes_intent;
};

static bool goes_down(const struct ride *r)
{
	return r->job->event.kind == EVENT_ROLLED_BACK;
}

static int64_t took_ms(const struct ride *r)
{
	return (clock_mono_us() - r->start_us + 500) / 1000;
}

/* ---- making ready ---- */

static bool asks_insert_id(struct sv text)
{
	static const char *const words[] = { "last_insert_id", "@@identity" };

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		size_t n = strlen(words[w]);

		for (size_t i = 0; i + n <= text.n; i++)
			if (strncasecmp(text.p + i, words[w], n) == 0)
				return true;
	}
	return false;
}

static struct ride *ride_new(struct apply_job *job)
{
	struct ride *r = mem_calloc(1, sizeof(*r));

	r->job = job;
	r->result.attempts = 1;
	r->result.statement_by_statement = true;
	arena_init(&r->arena);
	r->broken = script_prepare(&r->arena, db_engine(job->db), job->what, job->script, true,
				   &r->script, &r->why) != 0;
	r->result.n_script = r->script.body.n;
	r->asks_insert_id = strcmp(db_engine(job->db), "mariadb") == 0 &&
			    asks_insert_id(job->script);
	return r;
}

static void ride_free(struct ride *r)
{
	if (r == NULL)
		return;
	arena_clear(&r->arena);
	mem_free(r);
}

/* The next migration of our kind, made ready in advance; NULL when there is none. */
static int look_ahead(struct walk *w, struct err *e)
{
	struct apply_job *job;
	bool ours;

	if (w->ahead != NULL)
		return 0;
	if (feed_peek(w->reader, &job, e) != 0)
		return -1;
	/* A header that cannot be read is told by whoever meets it first. */
	if (job == NULL || feed_by_statement(job, &ours, e) != 0 || !ours)
		return 0;
	feed_take(w->reader);
	w->ahead = ride_new(job);
	return 0;
}

/* ---- events ---- */

static void event_of(const struct walk *w, struct ride *r, enum event_kind kind, size_t i,
		     struct history_event *ev)
{
	char sum[CHECKSUM_SIZE] = "";

	*ev = r->job->event;
	ev->kind = kind;
	ev->down = goes_down(r);
	ev->at_utc_ms = clock_utc_ms();
	ev->attempt = r->attempt;
	ev->statement = (int64_t)i + 1;
	ev->statements = (int64_t)r->script.body.n;
	ev->error = NULL;
	if (i < r->script.body.n)
		sql_statement_checksum(r->script.body.item[i].text, sum);
	ev->hash = arena_strdup(&r->arena, sum);
	ev->session = w->session;
}

/* The migration's own event: with its scripts, and the time that it took. */
static int whole_item(struct arena *a, const struct ride *r, struct db_item *item, struct err *e)
{
	struct history_event ev = r->job->event;

	ev.at_utc_ms = clock_utc_ms();
	ev.took_ms = took_ms(r);
	return ledger_event_item(a, r->job->db, &ev, r->job->up, r->job->down, item, e);
}

static int statement_item(struct walk *w, struct arena *a, struct ride *r, enum event_kind kind,
			  size_t i, const char *objects, struct db_item *item, struct err *e)
{
	struct history_event ev;

	event_of(w, r, kind, i, &ev);
	ev.objects = objects;
	return ledger_event_item(a, w->db, &ev, (struct sv){ 0 }, (struct sv){ 0 }, item, e);
}

static int pending_item(struct walk *w, struct arena *a, struct db_item *item, struct err *e)
{
	const struct pending *p = &w->pending;

	if (p->whole)
		return whole_item(a, p->ride, item, e);
	return statement_item(w, a, p->ride, EVENT_STATEMENT, p->statement, NULL, item, e);
}

static int tell(struct walk *w, struct ride *r, const struct err *why, struct err *e)
{
	struct apply_feed *feed = w->reader->feed;

	r->result.took_ms = took_ms(r);
	return feed->done(feed->arg, r->job, &r->result, why, e);
}

/* What was pending is in the history: its migration is over when it was the whole. */
static int pending_recorded(struct walk *w, struct err *e)
{
	struct pending p = w->pending;
	int rc;

	w->pending = (struct pending){ 0 };
	if (p.ride == NULL || !p.whole)
		return 0;
	rc = tell(w, p.ride, NULL, e);
	ride_free(p.ride);
	return rc;
}

/* ---- answers ---- */

static int send(struct walk *w, const struct db_item *item, size_t n, struct err *e)
{
	return n > 0 ? db_unit_send(w->db, item, n, e) : 0;
}

static int answer(struct walk *w, size_t n, size_t *failed, struct err *e)
{
	*failed = 0;
	return n > 0 ? db_unit_result(w->db, failed, e) : 0;
}

static void clear(struct walk *w)
{
	struct err ignored;

	/* A connection that is not good shows at the next statement. */
	(void)!db_units_clear(w->db, &ignored);
	objects_forget(w->objects);
}

/* A failure in what stands before a statement: the fence, a record. */
static int before_failed(const struct walk *w, const struct ride *r, struct err *e)
{
	if (lock_fence_judge(r->job->lock, w->db, e))
		return -1;
	if (e->code == ERR_EXISTS)
		return apply_already_there(r->job, e);
	return -1;
}

/* Records what is pending in a transaction of its own. */
static int flush(struct walk *w, struct err *e)
{
	struct ride *r = w->pending.ride;
	struct db_item item[4] = {
		{ .text = SV("START TRANSACTION") }, { 0 }, { 0 }, { .text = SV("COMMIT") }
	};
	struct arena a;
	size_t failed;
	int rc = -1;

	if (r == NULL)
		return 0;
	arena_init(&a);
	lock_fence_item(r->job->lock, w->db, &a, &item[1]);
	if (pending_item(w, &a, &item[2], e) == 0 && send(w, item, 4, e) == 0) {
		rc = answer(w, 4, &failed, e);
		if (rc != 0) {
			clear(w);
			(void)before_failed(w, r, e);
		}
	}
	arena_clear(&a);
	return rc != 0 ? -1 : pending_recorded(w, e);
}

/* ---- one statement ---- */

static bool takes_part(struct walk *w, const struct sql_facts *f)
{
	if (db_caps(w->db) & DB_TX_DDL)
		return !(f->flags & SQL_ALONE);
	return f->class == SQL_CLASS_DML && objects_transactional(w->objects, f);
}

/* The facts of the statement behind statement i of r, or NULL. */
static const struct sql_facts *facts_behind(const struct walk *w, const struct ride *r, size_t i)
{
	if (i + 1 < r->script.body.n)
		return &r->script.fact[i + 1];
	if (w->ahead != NULL && !w->ahead->broken && w->ahead->script.body.n > 0)
		return &w->ahead->script.fact[0];
	return NULL;
}

static int packet_make(struct walk *w, struct ride *r, size_t i, bool intent_is_there,
		       struct packet *p, struct err *e)
{
	const struct sql_facts *f = &r->script.fact[i];
	const struct sql_facts *behind = facts_behind(w, r, i);
	char digest[DIGEST_HEX_SIZE];

	p->text = (struct db_item){ .text = r->script.body.item[i].text,
				    .alone = f->class == SQL_CLASS_OTHER };
	if ((f->class == SQL_CLASS_DML || f->class == SQL_CLASS_DDL) &&
	    objects_learn(w->objects, f, e) != 0)
		return -1;
	p->is_transaction = takes_part(w, f);
	p->writes_intent = !p->is_transaction && f->class != SQL_CLASS_SESSION && !intent_is_there;
	p->before[p->n_before++].text = SV("START TRANSACTION");
	lock_fence_item(r->job->lock, w->db, &p->arena, &p->before[p->n_before++]);
	if (w->pending.ride != NULL &&
	    pending_item(w, &p->arena, &p->before[p->n_before++], e) != 0)
		return -1;
	if (r->asks_insert_id)
		p->after[p->n_after++].text = SV(KEEP_INSERT_ID);
	if (p->is_transaction) {
		if (statement_item(w, &p->arena, r, EVENT_STATEMENT, i, NULL,
				   &p->after[p->n_after++], e) != 0)
			return -1;
		p->after[p->n_after++].text = SV("COMMIT");
	} else {
		objects_digest(w->objects, f, digest);
		/* What is no DDL leaves no trace in its objects. */
		if (f->class != SQL_CLASS_DDL && !(f->flags & SQL_ALONE))
			digest[0] = '\0';
		if (p->writes_intent && statement_item(w, &p->arena, r, EVENT_INTENT, i,
						       arena_strdup(&p->arena, digest),
						       &p->before[p->n_before++], e) != 0)
			return -1;
		p->before[p->n_before++].text = SV("COMMIT");
	}
	if (r->asks_insert_id)
		p->before[p->n_before++].text = SV(BACK_INSERT_ID);
	objects_touch(w->objects, f, p->text.text);
	p->has_ask = behind != NULL && objects_ask_ahead(w->objects, &p->arena, behind, &p->ask);
	return 0;
}

/* Which part of the packet failed. */
enum part { PART_NONE, PART_BEFORE, PART_TEXT, PART_AFTER };

/* Sends it and hears the answers. *recorded: what was pending is in the history. */
static enum part packet_run(struct walk *w, const struct packet *p, bool *recorded, struct err *e)
{
	size_t failed;

	if (send(w, p->before, p->n_before, e) != 0 || send(w, &p->text, 1, e) != 0 ||
	    send(w, p->after, p->n_after, e) != 0)
		return PART_TEXT;
	/* Behind a statement with several results nothing is sent before it is answered. */
	if (p->has_ask && !p->text.alone && send(w, &p->ask, 1, e) != 0)
		return PART_TEXT;
	if (answer(w, p->n_before, &failed, e) != 0)
		return PART_BEFORE;
	*recorded = !p->is_transaction;
	if (answer(w, 1, &failed, e) != 0)
		return PART_TEXT;
	if (answer(w, p->n_after, &failed, e) != 0)
		return PART_AFTER;
	*recorded = true;
	if (p->has_ask && !p->text.alone && answer(w, 1, &failed, e) != 0) {
		/* Only a question: it is asked again where it matters. */
		clear(w);
	}
	if (p->has_ask && p->text.alone)
		objects_forget(w->objects);
	return PART_NONE;
}

/* The end of a migration that failed: what was pending is recorded first where that is possible. Always -1. */
static int ride_failed(struct walk *w, struct ride *r, size_t i, bool recordable, struct err *why,
		       struct err *e)
{
	struct history_event ev;
	struct err lost;

	if (why->code == ERR_CANCELLED)
		db_set_cancel(w->db, NULL);
	if (w->pending.ride != NULL && why->code != ERR_FENCED && why->code != ERR_LOST &&
	    flush(w, &lost) != 0 && why->code != ERR_CANCELLED)
		*why = lost;
	if (recordable) {
		event_of(w, r, EVENT_FAILED, i, &ev);
		apply_record_failure(r->job, &r->result, &ev, why);
	}
	*e = *why;
	/* A migration in front whose record is missing has the word first, and it is the last one. */
	if (w->pending.ride != NULL && w->pending.ride != r) {
		struct ride *first = w->pending.ride;

		w->pending = (struct pending){ 0 };
		if (tell(w, first, why, &lost) != 0)
			*e = lost;
		ride_free(first);
		return -1;
	}
	w->pending = (struct pending){ 0 };
	if (tell(w, r, why, &lost) != 0)
		*e = lost;
	return -1;
}

static void set_pending(struct walk *w, struct ride *r, size_t i, bool recorded)
{
	bool last = i + 1 >= r->script.body.n;

	if (recorded && !last)
		return;
	w->pending = (struct pending){ .ride = r, .statement = i, .whole = last };
}

/* One try. 0, 1 to try again, -1. */
static int statement_try(struct walk *w, struct ride *r, size_t i, bool *intent_is_there,
			 struct err *e)
{
	struct packet p = { 0 };
	struct err why, stopped;
	bool recorded = false;
	enum part part;
	int rc = -1, again;

	arena_init(&p.arena);
	if (packet_make(w, r, i, *intent_is_there, &p, &why) != 0) {
		rc = ride_failed(w, r, i, false, &why, e);
		goto out;
	}
	part = packet_run(w, &p, &recorded, &why);
	if (part != PART_NONE) {
		clear(w);
		objects_unlearn(w->objects, &r->script.fact[i]);
	}
	*intent_is_there = *intent_is_there || (recorded && p.writes_intent);
	if (recorded && pending_recorded(w, e) != 0)
		goto out;
	if (part == PART_NONE) {
		r->result.n_statement++;
		set_pending(w, r, i, p.is_transaction);
		rc = 0;
		goto out;
	}
	if (part == PART_BEFORE)
		(void)before_failed(w, r, &why);
	again = apply_again(w->reader->feed, r->job, r->result.attempts, &why, &stopped);
	if (again > 0) {
		r->result.attempts++;
		rc = 1;
		goto out;
	}
	if (again < 0)
		why = stopped;
	else if (part == PART_TEXT)
		(void)apply_statement_failed(r->job, &r->script, i, &r->result, &why);
	rc = ride_failed(w, r, i, part != PART_BEFORE, &why, e);
out:
	arena_clear(&p.arena);
	return rc;
}

static int statement_run(struct walk *w, struct ride *r, size_t i, struct err *e)
{
	bool intent_is_there = false;
	int rc;

	do {
		rc = statement_try(w, r, i, &intent_is_there, e);
	} while (rc > 0);
	return rc;
}

/* ---- where one that stopped inside goes on ---- */

static int refuse_changed(const struct ride *r, size_t i, const char *what, struct err *e)
{
	err_set(e, ERR_INPUT, "cannot go on with %s: statement %zu %s", r->job->what, i + 1, what);
	err_detail(e, "%lld of %lld statements have run; they must stand in the file as they ran",
		   (long long)r->job->before->statements_done,
		   (long long)r->job->before->statements_total);
	return err_hint(e, "put the first %lld statements back as they were, and mend those behind",
			(long long)r->job->before->statements_done);
}

/* Nobody can tell but somebody who looks. */
static int ask(const struct ride *r, size_t i, struct err *e)
{
	char start[120];

	str_copy_sv(start, sizeof(start), r->script.body.item[i].text);
	err_set(e, ERR_INPUT, "cannot tell whether statement %zu of %s has run", i + 1,
		r->job->what);
	err_detail(e, "it was begun, and what it does leaves no trace that can be compared: %s",
		   start);
	return err_hint(
		e,
		"look, then: bascule mark %s %s --statement %zu done --reason 'why' (or not-done)",
		r->job->environment != NULL ? r->job->environment : "ENV", r->job->event.id, i + 1);
}

static int still_running(struct walk *w, const struct ride *r, const char *session, struct err *e)
{
	struct db_session s = { 0 };
	const char *blank = strchr(session, ' ');
	bool alive;

	s.id = strtoll(session, NULL, 10);
	str_copy(s.started, sizeof(s.started), blank != NULL ? blank + 1 : "");
	if (s.id == 0)
		return 0;
	if (db_session_alive(w->db, &s, &alive, e) != 0)
		return -1;
	if (!alive)
		return 0;
	err_set(e, ERR_BUSY, "cannot go on with %s: the session that ran it is still there",
		r->job->what);
	err_detail(e, "session %lld of the server", (long long)s.id);
	return err_hint(e, "wait until it has ended, then resume");
}

/* CONCURRENTLY goes through states of its own, and one that was ended in between leaves an index that is
 * there and of no use. 1: it ran, 0: it did not, -1: somebody must clear up first. */
static int index_ran(struct walk *w, const struct ride *r, size_t i, struct err *e)
{
	const struct sql_facts *f = &r->script.fact[i];
	enum index_state state = objects_index(w->objects, f);
	const char *schema = f->object[0].schema;

	if (f->flags & SQL_DROP_INDEX_CONCURRENTLY)
		return state == INDEX_ABSENT;
	if (state != INDEX_INVALID)
		return state == INDEX_VALID;
	err_set(e, ERR_INPUT, "cannot go on with %s: statement %zu left an invalid index",
		r->job->what, i + 1);
	err_detail(e, "index %s was not built to its end", f->object[0].name);
	return err_hint(e, "DROP INDEX CONCURRENTLY %s%s%s, then resume",
			schema != NULL ? schema : "", schema != NULL ? "." : "", f->object[0].name);
}

/* The statement that was begun: did it run? */
static int resolve_open(struct walk *w, struct ride *r, struct err *e)
{
	const struct applied *b = r->job->before;
	size_t i = r->at;
	char sum[CHECKSUM_SIZE], now[DIGEST_HEX_SIZE];
	const struct sql_facts *f;

	if (b->open_hash == NULL)
		return 0;
	if (i >= r->script.body.n)
		return refuse_changed(r, i, "was begun and is not in the file any more", e);
	sql_statement_checksum(r->script.body.item[i].text, sum);
	if (still_running(w, r, b->open_session != NULL ? b->open_session : "", e) != 0)
		return -1;
	f = &r->script.fact[i];
	if (strcmp(sum, b->open_hash) == 0 && f->repeatable)
		return 0;
	if (b->open_objects == NULL || b->open_objects[0] == '\0')
		return ask(r, i, e);
	if (strcmp(sum, b->open_hash) != 0)
		return refuse_changed(r, i, "was begun and has been changed since", e);
	if (objects_learn(w->objects, f, e) != 0)
		return -1;
	objects_digest(w->objects, f, now);
	if (f->flags & (SQL_CREATE_INDEX_CONCURRENTLY | SQL_DROP_INDEX_CONCURRENTLY)) {
		int ran = index_ran(w, r, i, e);

		if (ran <= 0)
			return ran;
	} else if (strcmp(now, b->open_objects) == 0) {
		return 0;
	}
	set_pending(w, r, i, false);
	r->at = i + 1;
	return 0;
}

static int refuse_lost(const struct ride *r, size_t i, const char *what, struct err *e)
{
	err_set(e, ERR_INPUT, "cannot go on with %s", r->job->what);
	err_detail(e, "statement %zu, line %d, %s", i + 1, r->script.body.item[i].line, what);
	return err_hint(e,
			"do the rest by hand, then: bascule mark %s %s --statement %zu done "
			"--reason 'why'",
			r->job->environment != NULL ? r->job->environment : "ENV", r->job->event.id,
			r->script.body.n);
}

/* The statement where it goes on may ask what one before it inserted, in a session that is gone. */
static int insert_id_lost(const struct ride *r, struct err *e)
{
	for (size_t i = r->at; r->at > 0 && r->asks_insert_id && i < r->script.body.n; i++) {
		struct sv text = r->script.body.item[i].text;

		if (asks_insert_id(text))
			return refuse_lost(r, i,
					   "asks what an earlier one inserted, and the "
					   "session that knew it is gone",
					   e);
		if (text.n > 6 && strncasecmp(text.p, "insert", 6) == 0)
			break;
	}
	return 0;
}

/* Session state of the statements that have run is gone with their session. */
static int redo_session(struct walk *w, struct ride *r, struct err *e)
{
	if (insert_id_lost(r, e) != 0)
		return -1;
	for (size_t i = 0; i < r->at; i++) {
		const struct sql_facts *f = &r->script.fact[i];

		if (f->class != SQL_CLASS_SESSION)
			continue;
		if (!f->repeatable)
			return refuse_lost(
				r, i, "keeps something in the session that is lost with it", e);
		if (db_foreign(w->db, r->script.body.item[i].text, NULL, e) != 0)
			return err_wrap(e, "cannot repeat statement %zu of %s", i + 1,
					r->job->what);
	}
	return 0;
}

static int ride_begin(struct walk *w, struct ride *r, struct err *e)
{
	const struct applied *b = r->job->before;
	char sum[CHECKSUM_SIZE];

	r->start_us = clock_mono_us();
	if (b == NULL || !b->partial || b->partial_down != goes_down(r))
		return 0;
	r->attempt = b->partial_attempt;
	if ((size_t)b->statements_done > r->script.body.n)
		return refuse_changed(r, r->script.body.n, "and others have run and are gone", e);
	for (; r->at < (size_t)b->statements_done; r->at++) {
		sql_statement_checksum(r->script.body.item[r->at].text, sum);
		/* One that was marked has none to compare with. */
		if (b->done_hash[r->at][0] != '\0' && strcmp(sum, b->done_hash[r->at]) != 0)
			return refuse_changed(r, r->at, "has run and has been changed since", e);
	}
	if (resolve_open(w, r, e) != 0)
		return -1;
	return redo_session(w, r, e);
}

/* ---- the walk ---- */

static bool leaves_session(const struct ride *r)
{
	for (size_t i = 0; i < r->script.body.n; i++)
		if (r->script.fact[i].class == SQL_CLASS_SESSION ||
		    (r->script.fact[i].flags & SQL_SESSION))
			return true;
	return false;
}

/* All statements of one migration. The ride belongs to pending afterwards, or was told and is freed. */
static int ride_run(struct walk *w, struct ride *r, struct err *e)
{
	struct err why;
	int rc = 0;

	if (r->broken || r->job->before != NULL) {
		/* What it goes on from is looked at with everything in front of it recorded. */
		if (flush(w, e) != 0) {
			ride_free(r);
			return -1;
		}
	}
	why = r->why;
	if (r->broken || ride_begin(w, r, &why) != 0) {
		rc = ride_failed(w, r, r->at, false, &why, e);
		ride_free(r);
		return rc;
	}
	while (r->at < r->script.body.n && rc == 0) {
		rc = statement_run(w, r, r->at, e);
		r->at++;
	}
	if (rc != 0) {
		ride_free(r);
		return -1;
	}
	if (w->pending.ride != r || !w->pending.whole) {
		if (flush(w, e) != 0) {
			ride_free(r);
			return -1;
		}
		w->pending = (struct pending){ .ride = r, .whole = true };
	}
	if (!leaves_session(r))
		return 0;
	/* The next migration begins in the session as it was at connect. */
	return flush(w, e) != 0 || db_session_restore(w->db, e) != 0 ? -1 : 0;
}

int apply_statements(struct feed_reader *reader, struct err *e)
{
	struct walk w = { .reader = reader, .db = reader->feed->db };
	struct db_session session;
	int rc = -1;

	w.objects = objects_new(w.db);
	if (db_session(w.db, &session, e) != 0)
		goto out;
	snprintf(w.session, sizeof(w.session), "%lld %s", (long long)session.id, session.started);
	for (;;) {
		struct ride *r;

		if (look_ahead(&w, e) != 0)
			goto out;
		r = w.ahead;
		if (r == NULL)
			break;
		w.ahead = NULL;
		if (look_ahead(&w, e) != 0) {
			ride_free(r);
			goto out;
		}
		if (ride_run(&w, r, e) != 0)
			goto out;
	}
	rc = flush(&w, e);
out:
	if (rc != 0 && e->code != ERR_LOST && e->code != ERR_FENCED) {
		/* What comes behind a failure, as taking others back, begins as the next migration does. */
		struct err ignored;

		(void)!db_session_restore(w.db, &ignored);
	}
	if (rc != 0 && w.pending.ride != NULL) {
		/* Whoever wants no more has no answer coming; the record is written all the same. */
		struct err ignored;

		if (e->code != ERR_LOST && e->code != ERR_FENCED)
			(void)!flush(&w, &ignored);
		if (w.pending.ride != NULL)
			ride_free(w.pending.ride);
	}
	ride_free(w.ahead);
	objects_free(w.objects);
	return rc;
}
