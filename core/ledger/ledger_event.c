/* SPDX-License-Identifier: MIT */
/*
 * The events of the history: read, added, and made into items of a unit.
 *
 * Rows of bascule_history are only ever added. What a migration's state is follows from its events
 * and is worked out by the reader. The one row that is ever changed is one that nobody else can see yet:
 * on a server the event of a migration goes first in its transaction, so that a second application fails
 * by the unique key before it has done anything, and how long it took is filled in last
 * (ledger_took_item), before the commit.
 *
 * Ten thousand rows are read without an allocation for any of them: the strings of a row are copied
 * behind each other into one buffer that is used again for the next.
 */
#include "core/ledger/dialect.h"

#include <assert.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/utf8.h"
#include "core/ledger/pack.h"

/* What the columns in a server's unique key hold, in bytes; the others are bounded by who writes them. */
#define SERVER_KEY_MAX 255

/* The order of LEDGER_COLUMNS; what an event is without its scripts. */
enum column {
	C_SEQ,
	C_NS,
	C_ID,
	C_TITLE,
	C_SORT_KEY,
	C_EVENT,
	C_DOWN,
	C_GENERATION,
	C_ATTEMPT,
	C_STATEMENT,
	C_CHECKSUM,
	C_DOWN_CHECKSUM,
	C_RUN,
	C_EPOCH,
	C_WHO,
	C_HOST,
	C_AT,
	C_TOOK,
	C_ERROR,
	C_STATEMENTS,
	C_HASH,
	C_OBJECTS,
	C_SESSION,
	C_DONE,
	C_COUNT,
	C_FORMAT = C_COUNT, /* when reading from a server */
	C_UP = C_COUNT,     /* when adding */
	C_DOWN_SCRIPT,
	C_COUNT_SCRIPTS
};

/* --- Reading ----------------------------------------------------------------------------------- */

struct event_reader {
	int (*fn)(void *arg, const struct history_event *ev, struct err *e);
	void *arg;
	struct strbuf text; /* the strings of one row, each with its NUL */
	bool server;
	int format; /* of a server: what the first row says; 0: there was none */
};

/* Strings of a row are views without a promise of a NUL, and die with the next column; an event's
 * strings are C strings. So they are all copied behind each other first. */
static void row_strings(struct strbuf *text, const struct db_value *col, const char **s)
{
	size_t at[C_COUNT];

	strbuf_reset(text);
	for (int i = 0; i < C_COUNT; i++) {
		at[i] = text->len;
		if (col[i].type == DB_TEXT)
			strbuf_addsv(text, col[i].s);
		strbuf_addc(text, '\0');
	}
	for (int i = 0; i < C_COUNT; i++)
		s[i] = text->data + at[i];
}

static int event_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct event_reader *r = arg;
	const char *s[C_COUNT];
	struct history_event ev;
	int kind;

	(void)n;
	if (r->server && r->format == 0 && col[C_FORMAT].type == DB_TEXT &&
	    ledger_format_parse(col[C_FORMAT].s, &r->format, e) != 0)
		return -1;
	row_strings(&r->text, col, s);
	kind = event_kind_of(s[C_EVENT]);
	if (kind < 0)
		return 0; /* of a newer program: what it means is not ours to say */
	ev = (struct history_event){
		.seq = col[C_SEQ].i,
		.ns = s[C_NS],
		.id = s[C_ID],
		.title = s[C_TITLE],
		.sort_key = s[C_SORT_KEY],
		.kind = (enum event_kind)kind,
		.down = col[C_DOWN].i != 0,
		.generation = col[C_GENERATION].i,
		.attempt = col[C_ATTEMPT].i,
		.statement = col[C_STATEMENT].i,
		.checksum = s[C_CHECKSUM],
		.down_checksum = s[C_DOWN_CHECKSUM],
		.run = s[C_RUN],
		.epoch = col[C_EPOCH].i,
		.who = s[C_WHO],
		.host = s[C_HOST],
		.took_ms = col[C_TOOK].i,
		.error = s[C_ERROR],
		.statements = col[C_STATEMENTS].i,
		.hash = s[C_HASH],
		.objects = s[C_OBJECTS],
		.session = s[C_SESSION],
		.done = col[C_DONE].i != 0,
	};
	if (!clock_parse_iso(s[C_AT], &ev.at_utc_ms))
		ev.at_utc_ms = 0;
	return r->fn(r->arg, &ev, e);
}

/* One question for both where there is a missing table to be seen; a ledger without events is asked for
 * its number by itself. In a transaction that question could end it. */
static int server_events(struct db *db, struct event_reader *r, int *format, struct err *e)
{
	const struct ledger_dialect *d = ledger_dialect(db);

	r->server = true;
	if (db_in_transaction(db)) {
		if (ledger_format(db, format, e) != 0)
			return -1;
		if (*format == 0)
			return 0;
	}
	if (db_exec(db, d->events, NULL, 0, event_row, r, e) != 0) {
		if (!ledger_is_missing(d, e))
			return -1;
		*format = 0;
		return 0;
	}
	*format = r->format;
	return r->format == 0 ? ledger_format(db, format, e) : 0;
}

static int file_events(struct db *db, struct event_reader *r, int *format, struct err *e)
{
	const struct ledger_dialect *d = ledger_dialect(db);

	if (ledger_format(db, format, e) != 0)
		return -1;
	if (*format == 0)
		return 0;
	return db_exec(db, *format == 1 && d->events_1 != NULL ? d->events_1 : d->events, NULL, 0,
		       event_row, r, e);
}

int ledger_events_format(struct db *db, int *format,
			 int (*fn)(void *arg, const struct history_event *ev, struct err *e),
			 void *arg, struct err *e)
{
	struct event_reader r = { .fn = fn, .arg = arg };
	int found = 0, result;

	strbuf_init(&r.text, STRBUF_NO_LIMIT);
	result = (db_caps(db) & DB_SERVER) != 0 ? server_events(db, &r, &found, e)
						: file_events(db, &r, &found, e);
	strbuf_clear(&r.text);
	if (result == 0 && format != NULL)
		*format = found;
	return result;
}

int ledger_events(struct db *db,
		  int (*fn)(void *arg, const struct history_event *ev, struct err *e), void *arg,
		  struct err *e)
{
	return ledger_events_format(db, NULL, fn, arg, e);
}

struct script_reader {
	struct strbuf *up, *down;
	bool found, has_down;
};

static int script_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct script_reader *r = arg;

	(void)n;
	r->found = true;
	r->has_down = col[1].type == DB_BLOB;
	if (r->up != NULL && col[0].type == DB_BLOB &&
	    unpack(r->up, col[0].s, LEDGER_SCRIPT_MAX, e) != 0)
		return -1;
	if (r->down != NULL && r->has_down && unpack(r->down, col[1].s, LEDGER_SCRIPT_MAX, e) != 0)
		return -1;
	return 0;
}

int ledger_scripts(struct db *db, int64_t seq, struct strbuf *up, struct strbuf *down,
		   bool *has_down, struct err *e)
{
	struct script_reader r = { .up = up, .down = down };
	struct db_value v = DB_V_INT(seq);

	if (db_exec(db, "SELECT up_script, down_script FROM bascule_history WHERE seq = ?1", &v, 1,
		    script_row, &r, e) != 0)
		return -1;
	if (!r.found)
		return err_set(e, ERR_NOT_FOUND, "ledger has no event %lld", (long long)seq);
	if (has_down != NULL)
		*has_down = r.has_down;
	return 0;
}

/* --- Adding ------------------------------------------------------------------------------------ */

static int script_value(struct sv text, struct strbuf *packed, struct db_value *out, struct err *e)
{
	*out = DB_V_NULL;
	if (text.n == 0)
		return 0;
	if (text.n > LEDGER_SCRIPT_MAX) {
		err_set(e, ERR_LIMIT, "script is too long for the ledger");
		return err_detail(e, "%zu bytes, at most %zu", text.n, LEDGER_SCRIPT_MAX);
	}
	if (pack(packed, text, e) != 0)
		return -1;
	*out = db_v_blob(strbuf_sv(packed));
	return 0;
}

/* NOT NULL columns: absent is the empty text. A server refuses what is not UTF-8; in a title or a name
 * of a host that is no reason to fail. */
static struct db_value text_value(struct arena *a, bool server, const char *s)
{
	struct strbuf clean;
	struct db_value v;

	if (s == NULL)
		s = "";
	if (!server || utf8_valid(sv_of(s)))
		return db_v_text(s);
	strbuf_init(&clean, STRBUF_NO_LIMIT);
	clean_text(&clean, sv_of(s), false);
	v = db_v_text(arena_strdup(a, strbuf_str(&clean)));
	strbuf_clear(&clean);
	return v;
}

static int event_values(struct arena *a, struct db *db, const struct history_event *ev,
			const char *at, struct db_value *v, struct err *e)
{
	bool server = (db_caps(db) & DB_SERVER) != 0;

	v[C_SEQ] = DB_V_NULL; /* the engine numbers */
	v[C_NS] = db_v_text(ev->ns != NULL ? ev->ns : "");
	v[C_ID] = db_v_text(ev->id != NULL ? ev->id : "");
	v[C_TITLE] = text_value(a, server, ev->title);
	v[C_SORT_KEY] = text_value(a, server, ev->sort_key);
	v[C_EVENT] = db_v_text(event_kind_name(ev->kind));
	v[C_DOWN] = DB_V_INT(ev->down);
	v[C_GENERATION] = DB_V_INT(ev->generation);
	v[C_ATTEMPT] = DB_V_INT(ev->attempt);
	v[C_STATEMENT] = DB_V_INT(ev->statement);
	v[C_CHECKSUM] = text_value(a, server, ev->checksum);
	v[C_DOWN_CHECKSUM] = text_value(a, server, ev->down_checksum);
	v[C_RUN] = text_value(a, server, ev->run);
	v[C_EPOCH] = DB_V_INT(ev->epoch);
	v[C_WHO] = text_value(a, server, ev->who);
	v[C_HOST] = text_value(a, server, ev->host);
	v[C_AT] = db_v_text(at);
	v[C_TOOK] = DB_V_INT(ev->took_ms);
	v[C_ERROR] = text_value(a, server, ev->error);
	v[C_STATEMENTS] = DB_V_INT(ev->statements);
	v[C_HASH] = text_value(a, server, ev->hash);
	v[C_OBJECTS] = text_value(a, server, ev->objects);
	v[C_SESSION] = text_value(a, server, ev->session);
	v[C_DONE] = DB_V_INT(ev->done);
	if (server && (v[C_NS].s.n > SERVER_KEY_MAX || v[C_ID].s.n > SERVER_KEY_MAX)) {
		err_set(e, ERR_LIMIT, "name of a migration is too long for the ledger");
		return err_detail(e, "%zu bytes, at most %d",
				  v[C_ID].s.n > SERVER_KEY_MAX ? v[C_ID].s.n : v[C_NS].s.n,
				  SERVER_KEY_MAX);
	}
	return 0;
}

/* When it is: what the event names, else now; NULL where the server's clock says it. */
static const char *event_at(struct db *db, const struct history_event *ev,
			    char text[CLOCK_TEXT_SIZE])
{
	if (ev->at_utc_ms == 0 && (db_caps(db) & DB_SERVER) != 0)
		return NULL;
	return clock_iso_ms(ev->at_utc_ms != 0 ? ev->at_utc_ms : clock_utc_ms(), text);
}

int ledger_add(struct db *db, const struct history_event *ev, struct sv up, struct sv down,
	       int64_t *seq, struct err *e)
{
	char at[CLOCK_TEXT_SIZE];
	struct strbuf packed_up, packed_down;
	struct db_value v[C_COUNT_SCRIPTS];
	struct arena a;
	int result = -1;

	assert(db_in_transaction(db) || (db_caps(db) & DB_TX_DDL) == 0);
	arena_init(&a);
	strbuf_init(&packed_up, LEDGER_SCRIPT_MAX + 1);
	strbuf_init(&packed_down, LEDGER_SCRIPT_MAX + 1);
	if (event_values(&a, db, ev, event_at(db, ev, at), v, e) != 0 ||
	    script_value(up, &packed_up, &v[C_UP], e) != 0 ||
	    script_value(down, &packed_down, &v[C_DOWN_SCRIPT], e) != 0)
		goto out;
	/* Every schema change makes the engine compile this again: RETURNING would double that. The
	 * lock is ours, so the highest number is the one just given. */
	result = db_exec(db, ledger_dialect(db)->insert_event, v + C_NS, C_COUNT_SCRIPTS - C_NS,
			 NULL, NULL, e);
	if (result == 0 && seq != NULL)
		result = db_int(db, "SELECT max(seq) FROM bascule_history", NULL, 0, 0, seq, e);
	if (result != 0 && e->code == ERR_EXISTS)
		err_wrap(e, "%s %s is recorded as %s already", ev->ns != NULL ? ev->ns : "",
			 ev->id != NULL ? ev->id : "", event_kind_name(ev->kind));
out:
	strbuf_clear(&packed_up);
	strbuf_clear(&packed_down);
	arena_clear(&a);
	return result;
}

/* --- Items ------------------------------------------------------------------------------------- */

static int script_item(struct arena *a, struct sv text, struct db_value *out, struct err *e)
{
	struct strbuf packed;
	int result;

	strbuf_init(&packed, LEDGER_SCRIPT_MAX + 1);
	result = script_value(text, &packed, out, e);
	if (result == 0 && out->type == DB_BLOB)
		out->s = arena_sv(a, out->s);
	strbuf_clear(&packed);
	return result;
}

/* What of an event's own strings an item needs must outlive the caller's. */
static void keep_texts(struct arena *a, struct db_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].type == DB_TEXT)
			v[i].s = arena_sv(a, v[i].s);
}

int ledger_event_item(struct arena *a, struct db *db, const struct history_event *ev, struct sv up,
		      struct sv down, struct db_item *out, struct err *e)
{
	struct db_value *v = arena_alloc(a, C_COUNT_SCRIPTS * sizeof(*v));
	char at[CLOCK_TEXT_SIZE];

	if (event_values(a, db, ev, event_at(db, ev, at), v, e) != 0 ||
	    script_item(a, up, &v[C_UP], e) != 0 || script_item(a, down, &v[C_DOWN_SCRIPT], e) != 0)
		return -1;
	keep_texts(a, v, C_COUNT);
	*out = (struct db_item){ .sql = ledger_dialect(db)->insert_event,
				 .param = v + C_NS,
				 .n_param = C_COUNT_SCRIPTS - C_NS };
	return 0;
}

void ledger_took_item(struct arena *a, struct db *db, const struct history_event *ev,
		      struct db_item *out)
{
	const struct db_value key[] = {
		db_v_text(ev->ns != NULL ? ev->ns : ""),
		db_v_text(ev->id != NULL ? ev->id : ""),
		DB_V_INT(ev->generation),
		db_v_text(event_kind_name(ev->kind)),
		DB_V_INT(ev->statement),
		DB_V_INT(ev->attempt),
		DB_V_INT(ev->down),
	};
	struct db_value *v = arena_alloc(a, sizeof(key));

	memcpy(v, key, sizeof(key));
	keep_texts(a, v, sizeof(key) / sizeof(key[0]));
	assert(ledger_dialect(db)->took != NULL);
	*out = (struct db_item){ .sql = ledger_dialect(db)->took,
				 .param = v,
				 .n_param = sizeof(key) / sizeof(key[0]) };
}
