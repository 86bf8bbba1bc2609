/* SPDX-License-Identifier: MIT */
/*
 * bascule's tables in an environment's database.
 *
 * Rows of bascule_history are only ever added. What a migration's state is follows from its events
 * and is worked out by the reader; nothing here updates or deletes one. The unique key makes the
 * database itself refuse a second application of the same generation, whatever two runners believe.
 *
 * The scripts are the last columns: SQLite puts what does not fit a page into overflow pages in
 * column order, so reading events without scripts never touches those. seq needs no AUTOINCREMENT:
 * no row is deleted, so the highest number is never given twice, and one page less is written per
 * event.
 *
 * The SQL is kept to what PostgreSQL and MariaDB understand as well where that costs nothing; the
 * CREATE statements are SQLite's.
 */
#include "core/ledger/ledger.h"

#include <assert.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/ledger/pack.h"

/* --- The format -------------------------------------------------------------------------------- */

static const char *const format_sql[LEDGER_FORMAT + 1] = {
	[1] = "CREATE TABLE bascule_meta ("
	      " key TEXT NOT NULL PRIMARY KEY,"
	      " value TEXT NOT NULL"
	      ") WITHOUT ROWID;"
	      "CREATE TABLE bascule_history ("
	      " seq INTEGER PRIMARY KEY,"
	      " namespace TEXT NOT NULL,"
	      " id TEXT NOT NULL,"
	      " title TEXT NOT NULL DEFAULT '',"
	      " sort_key TEXT NOT NULL DEFAULT '',"
	      " event TEXT NOT NULL,"
	      " down INTEGER NOT NULL DEFAULT 0,"
	      " generation INTEGER NOT NULL DEFAULT 0,"
	      " attempt INTEGER NOT NULL DEFAULT 0," /* a migration may fail twice in one generation */
	      " statement INTEGER NOT NULL DEFAULT 0,"
	      " checksum TEXT NOT NULL DEFAULT '',"
	      " down_checksum TEXT NOT NULL DEFAULT '',"
	      " run TEXT NOT NULL DEFAULT '',"
	      " epoch INTEGER NOT NULL DEFAULT 0,"
	      " who TEXT NOT NULL DEFAULT '',"
	      " host TEXT NOT NULL DEFAULT '',"
	      " at TEXT NOT NULL," /* ISO 8601, UTC, milliseconds */
	      " took_ms INTEGER NOT NULL DEFAULT 0,"
	      " error TEXT NOT NULL DEFAULT '',"
	      " up_script BLOB," /* core/ledger/pack.h */
	      " down_script BLOB,"
	      " UNIQUE (namespace, id, generation, event, statement, attempt)"
	      ");"
	      "CREATE TABLE bascule_run ("
	      " run TEXT NOT NULL PRIMARY KEY,"
	      " operation TEXT NOT NULL,"
	      " who TEXT NOT NULL DEFAULT '',"
	      " host TEXT NOT NULL DEFAULT '',"
	      " created_at TEXT NOT NULL,"
	      " state TEXT NOT NULL,"
	      " plan_digest TEXT NOT NULL DEFAULT ''"
	      ") WITHOUT ROWID;"
	      "CREATE TABLE bascule_line ("
	      " run TEXT NOT NULL,"
	      " epoch INTEGER NOT NULL,"
	      " seq INTEGER NOT NULL,"
	      " line TEXT NOT NULL,"
	      " PRIMARY KEY (run, epoch, seq)"
	      ") WITHOUT ROWID;"
	      "CREATE TABLE bascule_lock ("
	      " one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),"
	      " epoch INTEGER NOT NULL DEFAULT 0,"
	      " who TEXT NOT NULL DEFAULT '',"
	      " host TEXT NOT NULL DEFAULT '',"
	      " pid INTEGER NOT NULL DEFAULT 0,"
	      " pid_start INTEGER NOT NULL DEFAULT 0,"
	      " boot TEXT NOT NULL DEFAULT '',"
	      " run TEXT NOT NULL DEFAULT '',"
	      " taken_at TEXT NOT NULL DEFAULT '',"
	      " request TEXT NOT NULL DEFAULT ''"
	      ");"
	      "INSERT INTO bascule_lock (one) VALUES (1);",
};

const char *ledger_format_sql(int format)
{
	if (format < 1 || format > LEDGER_FORMAT)
		return NULL;
	return format_sql[format];
}

int ledger_format(struct db *db, int *format, struct err *e)
{
	bool there;
	int64_t found;

	if (db_has_table(db, "bascule_meta", &there, e) != 0)
		return -1;
	if (!there) {
		*format = 0;
		return 0;
	}
	if (db_int(db, "SELECT CAST(value AS INTEGER) FROM bascule_meta WHERE key = 'format'", NULL,
		   0, -1, &found, e) != 0)
		return -1;
	if (found < 1 || found > INT32_MAX) {
		err_set(e, ERR_CORRUPT, "ledger has no format number");
		return err_detail(
			e, "bascule_meta is there, its row 'format' is not a number above 0");
	}
	*format = (int)found;
	return 0;
}

static int refuse_newer(int format, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "ledger is of a newer format than this program can write");
	err_detail(e, "format %d, this program knows %d", format, LEDGER_FORMAT);
	return err_hint(e, "use the version of bascule that wrote it, or a newer one");
}

static int upgrade(struct db *db, int from, struct err *e)
{
	struct db_value to = DB_V_INT(LEDGER_FORMAT);

	for (int f = from + 1; f <= LEDGER_FORMAT; f++)
		if (db_script(db, format_sql[f], e) != 0)
			return -1;
	return db_exec(db,
		       "INSERT INTO bascule_meta (key, value) VALUES ('format', CAST(?1 AS TEXT)) "
		       "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		       &to, 1, NULL, NULL, e);
}

int ledger_ensure(struct db *db, struct err *e)
{
	int format;

	if (ledger_format(db, &format, e) != 0)
		return -1;
	if (format == LEDGER_FORMAT)
		return 0;
	if (format > LEDGER_FORMAT)
		return refuse_newer(format, e);
	if (db_begin(db, e) != 0)
		return -1;
	/* Again under the write lock: two operators may meet here on their first day. */
	if (ledger_format(db, &format, e) != 0)
		goto fail;
	if (format > LEDGER_FORMAT) {
		refuse_newer(format, e);
		goto fail;
	}
	if (format < LEDGER_FORMAT && upgrade(db, format, e) != 0)
		goto fail;
	if (db_commit(db, e) != 0)
		goto fail;
	return 0;
fail:
	db_rollback(db);
	return -1;
}

/* --- Events ------------------------------------------------------------------------------------ */

/* The order of COLUMNS; what an event is without its scripts. */
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
	C_COUNT,
	C_UP = C_COUNT,
	C_DOWN_SCRIPT,
	C_COUNT_SCRIPTS
};

#define COLUMNS \
	"namespace, id, title, sort_key, event, down, generation, attempt, statement, " \
	"checksum, down_checksum, run, epoch, who, host, at, took_ms, error"

/* Parameters: COLUMNS and the scripts. */
#define INSERT_EVENT \
	"INSERT INTO bascule_history (" COLUMNS ", up_script, down_script) VALUES (?1, ?2, ?3, " \
	"?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"

struct event_reader {
	int (*fn)(void *arg, const struct history_event *ev, struct err *e);
	void *arg;
	struct strbuf text; /* the strings of one row, each with its NUL */
};

/* Strings of a row are views without a promise of a NUL, and die with the next column; an event's
 * strings are C strings. So they are all copied behind each other first. */
static int event_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct event_reader *r = arg;
	const char *s[C_COUNT];
	size_t at[C_COUNT];
	struct history_event ev;
	int kind;

	(void)n;
	strbuf_reset(&r->text);
	for (int i = 0; i < C_COUNT; i++) {
		at[i] = r->text.len;
		if (col[i].type == DB_TEXT)
			strbuf_addsv(&r->text, col[i].s);
		strbuf_addc(&r->text, '\0');
	}
	for (int i = 0; i < C_COUNT; i++)
		s[i] = r->text.data + at[i];
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
	};
	if (!clock_parse_iso(s[C_AT], &ev.at_utc_ms))
		ev.at_utc_ms = 0;
	return r->fn(r->arg, &ev, e);
}

int ledger_events(struct db *db,
		  int (*fn)(void *arg, const struct history_event *ev, struct err *e), void *arg,
		  struct err *e)
{
	struct event_reader r = { .fn = fn, .arg = arg };
	int format, result;

	if (ledger_format(db, &format, e) != 0)
		return -1;
	if (format == 0)
		return 0;
	strbuf_init(&r.text, STRBUF_NO_LIMIT);
	result = db_exec(db, "SELECT seq, " COLUMNS " FROM bascule_history ORDER BY seq", NULL, 0,
			 event_row, &r, e);
	strbuf_clear(&r.text);
	return result;
}

/* NOT NULL columns: absent is the empty text. */
static struct db_value text_or_empty(const char *s)
{
	return db_v_text(s != NULL ? s : "");
}

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

static void event_values(const struct history_event *ev, const char *at, struct db_value *v)
{
	v[C_SEQ] = DB_V_NULL; /* the engine numbers */
	v[C_NS] = text_or_empty(ev->ns);
	v[C_ID] = text_or_empty(ev->id);
	v[C_TITLE] = text_or_empty(ev->title);
	v[C_SORT_KEY] = text_or_empty(ev->sort_key);
	v[C_EVENT] = db_v_text(event_kind_name(ev->kind));
	v[C_DOWN] = DB_V_INT(ev->down);
	v[C_GENERATION] = DB_V_INT(ev->generation);
	v[C_ATTEMPT] = DB_V_INT(ev->attempt);
	v[C_STATEMENT] = DB_V_INT(ev->statement);
	v[C_CHECKSUM] = text_or_empty(ev->checksum);
	v[C_DOWN_CHECKSUM] = text_or_empty(ev->down_checksum);
	v[C_RUN] = text_or_empty(ev->run);
	v[C_EPOCH] = DB_V_INT(ev->epoch);
	v[C_WHO] = text_or_empty(ev->who);
	v[C_HOST] = text_or_empty(ev->host);
	v[C_AT] = db_v_text(at);
	v[C_TOOK] = DB_V_INT(ev->took_ms);
	v[C_ERROR] = text_or_empty(ev->error);
}

int ledger_add(struct db *db, const struct history_event *ev, struct sv up, struct sv down,
	       int64_t *seq, struct err *e)
{
	char at[CLOCK_TEXT_SIZE];
	struct strbuf packed_up, packed_down;
	struct db_value v[C_COUNT_SCRIPTS];
	int result = -1;

	assert(db_in_transaction(db));
	strbuf_init(&packed_up, LEDGER_SCRIPT_MAX + 1);
	strbuf_init(&packed_down, LEDGER_SCRIPT_MAX + 1);
	clock_iso_ms(ev->at_utc_ms != 0 ? ev->at_utc_ms : clock_utc_ms(), at);
	event_values(ev, at, v);
	if (script_value(up, &packed_up, &v[C_UP], e) != 0 ||
	    script_value(down, &packed_down, &v[C_DOWN_SCRIPT], e) != 0)
		goto out;
	/* Every schema change makes the engine compile this again: RETURNING would double that. The
	 * write lock is ours, so the highest number is the one just given. */
	result = db_exec(db, INSERT_EVENT, v + C_NS, C_COUNT_SCRIPTS - C_NS, NULL, NULL, e);
	if (result == 0 && seq != NULL)
		result = db_int(db, "SELECT max(seq) FROM bascule_history", NULL, 0, 0, seq, e);
	if (result != 0 && e->code == ERR_EXISTS)
		err_wrap(e, "%s %s is recorded as %s already", ev->ns != NULL ? ev->ns : "",
			 ev->id != NULL ? ev->id : "", event_kind_name(ev->kind));
out:
	strbuf_clear(&packed_up);
	strbuf_clear(&packed_down);
	return result;
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

/* --- Runs and lines ---------------------------------------------------------------------------- */

int ledger_put_run(struct db *db, const char *run, const char *operation, const char *who,
		   const char *host, int64_t created_utc_ms, const char *state,
		   const char *plan_digest, struct err *e)
{
	char at[CLOCK_TEXT_SIZE];
	const struct db_value v[] = {
		db_v_text(run),
		db_v_text(operation),
		text_or_empty(who),
		text_or_empty(host),
		db_v_text(clock_iso_ms(created_utc_ms, at)),
		db_v_text(state),
		text_or_empty(plan_digest),
	};

	assert(db_in_transaction(db));
	return db_exec(db,
		       "INSERT INTO bascule_run (run, operation, who, host, created_at, state, "
		       "plan_digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
		       "ON CONFLICT (run) DO UPDATE SET state = excluded.state",
		       v, sizeof(v) / sizeof(v[0]), NULL, NULL, e);
}

int ledger_put_line(struct db *db, const char *run, int64_t epoch, int64_t seq, struct sv line,
		    struct err *e)
{
	const struct db_value v[] = {
		db_v_text(run),
		DB_V_INT(epoch),
		DB_V_INT(seq),
		{ .type = DB_TEXT, .s = line },
	};

	assert(db_in_transaction(db));
	return db_exec(db,
		       "INSERT INTO bascule_line (run, epoch, seq, line) VALUES (?1, ?2, ?3, ?4) "
		       "ON CONFLICT DO NOTHING",
		       v, sizeof(v) / sizeof(v[0]), NULL, NULL, e);
}

static int keep_pair(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	int64_t *pair = arg;

	(void)n;
	(void)e;
	pair[0] = col[0].i;
	pair[1] = col[1].i;
	return 0;
}

int ledger_last_line(struct db *db, const char *run, int64_t *epoch, int64_t *seq, struct err *e)
{
	struct db_value v = db_v_text(run);
	int64_t pair[2] = { 0, 0 };
	int format;

	if (ledger_format(db, &format, e) != 0)
		return -1;
	if (format > 0 && db_exec(db,
				  "SELECT epoch, seq FROM bascule_line WHERE run = ?1 "
				  "ORDER BY epoch DESC, seq DESC LIMIT 1",
				  &v, 1, keep_pair, pair, e) != 0)
		return -1;
	*epoch = pair[0];
	*seq = pair[1];
	return 0;
}

struct line_reader {
	int (*fn)(void *arg, int64_t epoch, int64_t seq, struct sv line, struct err *e);
	void *arg;
};

static int line_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct line_reader *r = arg;

	(void)n;
	return r->fn(r->arg, col[0].i, col[1].i, col[2].s, e);
}

int ledger_lines(struct db *db, const char *run,
		 int (*fn)(void *arg, int64_t epoch, int64_t seq, struct sv line, struct err *e),
		 void *arg, struct err *e)
{
	struct line_reader r = { .fn = fn, .arg = arg };
	struct db_value v = db_v_text(run);
	int format;

	if (ledger_format(db, &format, e) != 0)
		return -1;
	if (format == 0)
		return 0;
	return db_exec(
		db, "SELECT epoch, seq, line FROM bascule_line WHERE run = ?1 ORDER BY epoch, seq",
		&v, 1, line_row, &r, e);
}

/* --- Merging ----------------------------------------------------------------------------------- */

/* A row of the old ledger is a row of parameters for the new one, as it is. */
static int merge_event(void *db, const struct db_value *col, size_t n, struct err *e)
{
	return db_exec(db, INSERT_EVENT " ON CONFLICT DO NOTHING", col, n, NULL, NULL, e);
}

static int merge_run(void *db, const struct db_value *col, size_t n, struct err *e)
{
	return db_exec(db,
		       "INSERT INTO bascule_run (run, operation, who, host, created_at, state, "
		       "plan_digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
		       "ON CONFLICT (run) DO UPDATE SET state = excluded.state",
		       col, n, NULL, NULL, e);
}

static int merge_line(void *db, const struct db_value *col, size_t n, struct err *e)
{
	return db_exec(db,
		       "INSERT INTO bascule_line (run, epoch, seq, line) VALUES (?1, ?2, ?3, ?4) "
		       "ON CONFLICT DO NOTHING",
		       col, n, NULL, NULL, e);
}

/* The epoch only ever grows, whichever side is ahead: a holder from before the backup was made
 * must not find its own number again. */
static int merge_lock(void *db, const struct db_value *col, size_t n, struct err *e)
{
	return db_exec(db,
		       "UPDATE bascule_lock SET epoch = max(epoch, ?1), who = ?2, host = ?3, "
		       "pid = ?4, pid_start = ?5, boot = ?6, run = ?7, taken_at = ?8, request = ?9 "
		       "WHERE one = 1",
		       col, n, NULL, NULL, e);
}

static int merge_all(struct db *db, struct db *old, struct err *e)
{
	if (db_exec(old,
		    "SELECT " COLUMNS ", up_script, down_script FROM bascule_history ORDER BY seq",
		    NULL, 0, merge_event, db, e) != 0)
		return -1;
	if (db_exec(old,
		    "SELECT run, operation, who, host, created_at, state, plan_digest "
		    "FROM bascule_run",
		    NULL, 0, merge_run, db, e) != 0)
		return -1;
	if (db_exec(old, "SELECT run, epoch, seq, line FROM bascule_line", NULL, 0, merge_line, db,
		    e) != 0)
		return -1;
	return db_exec(old,
		       "SELECT epoch, who, host, pid, pid_start, boot, run, taken_at, request "
		       "FROM bascule_lock",
		       NULL, 0, merge_lock, db, e);
}

int ledger_merge_from(struct db *db, const char *old_path, struct err *e)
{
	struct dsn dsn = { .engine = db_engine(db), .path = old_path, .shown = old_path };
	struct db *old = NULL;
	int format, result = -1;

	if (db_open(&dsn, DB_READ_ONLY, NULL, NULL, &old, e) != 0)
		return -1;
	if (ledger_format(old, &format, e) != 0)
		goto out;
	if (format == 0) {
		result = 0;
		goto out;
	}
	if (format > LEDGER_FORMAT) {
		refuse_newer(format, e);
		goto out;
	}
	if (ledger_ensure(db, e) != 0 || db_begin(db, e) != 0)
		goto out;
	if (merge_all(db, old, e) == 0 && db_commit(db, e) == 0)
		result = 0;
	else
		db_rollback(db);
out:
	db_close(old);
	return result;
}
