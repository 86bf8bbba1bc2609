/* SPDX-License-Identifier: MIT */
/*
 * bascule's tables in an environment's database: made, brought up to date, runs and their lines, and
 * one ledger put into another.
 *
 * Nothing here names an engine: what differs between them is in struct ledger_dialect. That a server has
 * no ledger yet is not asked but seen: the first statement fails by a missing table. Inside of a
 * transaction that failure would end it on PostgreSQL, so there it is asked.
 *
 * On an engine with DDL in transactions the ledger is made in one; who loses a race for the first day
 * fails at a table that exists, looks again, and finds everything done. Without, the statements can be
 * repeated, and the number that says "it is there" comes last.
 */
#include "core/ledger/ledger.h"

#include <assert.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/ledger/dialect.h"

/* --- The format -------------------------------------------------------------------------------- */

static const struct ledger_dialect *const dialects[] = { &ledger_sqlite, &ledger_postgres,
							 &ledger_mariadb };

static const struct ledger_dialect *dialect_of(const char *engine)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
		if (strcmp(dialects[i]->engine, engine) == 0)
			return dialects[i];
	return NULL;
}

const struct ledger_dialect *ledger_dialect(const struct db *db)
{
	const struct ledger_dialect *d = dialect_of(db_engine(db));

	assert(d != NULL);
	return d;
}

const char *ledger_format_sql(const char *engine, int format)
{
	const struct ledger_dialect *d = dialect_of(engine);

	if (d == NULL || format < 1 || format > LEDGER_FORMAT)
		return NULL;
	return d->script[format];
}

static bool code_is(const struct err *e, const char *const *codes, size_t n)
{
	for (size_t i = 0; i < n && codes[i] != NULL; i++)
		if (strcmp(e->sys, codes[i]) == 0)
			return true;
	return false;
}

bool ledger_is_missing(const struct ledger_dialect *d, const struct err *e)
{
	return code_is(e, d->none, sizeof(d->none) / sizeof(d->none[0]));
}

int ledger_format_parse(struct sv text, int *format, struct err *e)
{
	int64_t found;

	if (sv_int(text, 1, INT32_MAX, &found)) {
		*format = (int)found;
		return 0;
	}
	err_set(e, ERR_CORRUPT, "ledger has no format number");
	return err_detail(e, "bascule_meta is there, its row 'format' is not a number above 0");
}

struct format_reader {
	int format;
	bool seen;
};

static int format_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct format_reader *r = arg;

	(void)n;
	r->seen = true;
	return ledger_format_parse(col[0].type == DB_TEXT ? col[0].s : sv_of(""), &r->format, e);
}

struct grant_words {
	struct strbuf *out;
	const char *text;
};

/* The dialect's words with the database and the role in their places. */
static int grant_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct grant_words *w = arg;

	(void)n;
	(void)e;
	for (const char *s = w->text; *s != '\0'; s++) {
		if (s[0] == '%' && (s[1] == '1' || s[1] == '2'))
			strbuf_addsv(w->out, col[*++s - '1'].s);
		else
			strbuf_addc(w->out, *s);
	}
	return 0;
}

/* A missing privilege gets the words that give it. No transaction may be open. */
static int explain_denied(struct db *db, struct err *e)
{
	const struct ledger_dialect *d = ledger_dialect(db);
	struct strbuf words;
	struct grant_words w = { &words, d->grants };
	struct err ignored;

	if (d->grants == NULL || db_in_transaction(db) ||
	    !code_is(e, d->denied, sizeof(d->denied) / sizeof(d->denied[0])))
		return -1;
	strbuf_init(&words, sizeof(e->hint) - 1);
	if (db_exec(db, d->whoami, NULL, 0, grant_row, &w, &ignored) == 0)
		err_hint(e, "%s", strbuf_str(&words));
	strbuf_clear(&words);
	return -1;
}

int ledger_format(struct db *db, int *format, struct err *e)
{
	const struct ledger_dialect *d = ledger_dialect(db);
	struct format_reader r = { 0 };
	bool there = true;

	if ((d->none[0] == NULL || db_in_transaction(db)) &&
	    db_has_table(db, "bascule_meta", &there, e) != 0)
		return -1;
	if (there && db_exec(db, d->format, NULL, 0, format_row, &r, e) != 0) {
		if (!ledger_is_missing(d, e))
			return explain_denied(db, e);
		there = false;
	}
	if (there && !r.seen) {
		/* Half made, where DDL is not held together: as good as none. */
		if ((db_caps(db) & DB_TX_DDL) != 0)
			return ledger_format_parse(sv_of(""), format, e);
		there = false;
	}
	*format = there ? r.format : 0;
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
	const struct ledger_dialect *d = ledger_dialect(db);
	char number[16];
	struct db_value to;

	for (int f = from + 1; f <= LEDGER_FORMAT; f++)
		if (d->script[f] != NULL && db_script(db, d->script[f], e) != 0)
			return -1;
	snprintf(number, sizeof(number), "%d", LEDGER_FORMAT);
	to = db_v_text(number);
	return db_exec(db, d->set_format, &to, 1, NULL, NULL, e);
}

/* 1 when it is to be made or upgraded from *format. */
static int needs_upgrade(struct db *db, int *format, struct err *e)
{
	if (ledger_format(db, format, e) != 0)
		return -1;
	if (*format > LEDGER_FORMAT)
		return refuse_newer(*format, e);
	return *format < LEDGER_FORMAT;
}

static int upgrade_in_transaction(struct db *db, struct err *e)
{
	int format, needed;

	if (db_begin(db, e) != 0)
		return -1;
	/* Again under the write lock: two operators may meet here on their first day. */
	needed = needs_upgrade(db, &format, e);
	if (needed < 0 || (needed == 1 && upgrade(db, format, e) != 0) || db_commit(db, e) != 0) {
		db_rollback(db);
		return -1;
	}
	return 0;
}

int ledger_ensure(struct db *db, struct err *e)
{
	struct err again;
	int format, needed = needs_upgrade(db, &format, e), rc;

	if (needed <= 0)
		return needed;
	rc = (db_caps(db) & DB_TX_DDL) != 0 ? upgrade_in_transaction(db, e)
					    : upgrade(db, format, e);
	if (rc == 0 || (db_caps(db) & DB_SERVER) == 0)
		return rc;
	/* db_begin locks no writer out on a server: somebody else may have made it meanwhile. */
	if (e->code != ERR_LOST && e->code != ERR_CANCELLED &&
	    needs_upgrade(db, &format, &again) == 0)
		return 0;
	if (explain_denied(db, e) != 0)
		err_wrap(e, "cannot make the ledger");
	return -1;
}

/* --- Runs and lines ---------------------------------------------------------------------------- */

#define RUN_VALUES 7
#define LINE_VALUES 4

static void run_values(const char *run, const char *operation, const char *who, const char *host,
		       const char *created_at, const char *state, const char *plan_digest,
		       struct db_value v[RUN_VALUES])
{
	v[0] = db_v_text(run);
	v[1] = db_v_text(operation);
	v[2] = db_v_text(who != NULL ? who : "");
	v[3] = db_v_text(host != NULL ? host : "");
	v[4] = db_v_text(created_at);
	v[5] = db_v_text(state);
	v[6] = db_v_text(plan_digest != NULL ? plan_digest : "");
}

static void line_values(const char *run, int64_t epoch, int64_t seq, struct sv line,
			struct db_value v[LINE_VALUES])
{
	v[0] = db_v_text(run);
	v[1] = DB_V_INT(epoch);
	v[2] = DB_V_INT(seq);
	v[3] = (struct db_value){ .type = DB_TEXT, .s = line };
}

int ledger_put_run(struct db *db, const char *run, const char *operation, const char *who,
		   const char *host, int64_t created_utc_ms, const char *state,
		   const char *plan_digest, struct err *e)
{
	char at[CLOCK_TEXT_SIZE];
	struct db_value v[RUN_VALUES];

	assert(db_in_transaction(db));
	run_values(run, operation, who, host, clock_iso_ms(created_utc_ms, at), state, plan_digest,
		   v);
	return db_exec(db, ledger_dialect(db)->put_run, v, RUN_VALUES, NULL, NULL, e);
}

void ledger_run_item(struct arena *a, struct db *db, const char *run, const char *operation,
		     const char *who, const char *host, int64_t created_utc_ms, const char *state,
		     const char *plan_digest, struct db_item *out)
{
	struct db_value *v = arena_alloc(a, RUN_VALUES * sizeof(*v));
	char at[CLOCK_TEXT_SIZE];

	run_values(run, operation, who, host, arena_strdup(a, clock_iso_ms(created_utc_ms, at)),
		   state, plan_digest, v);
	*out = (struct db_item){ .sql = ledger_dialect(db)->put_run,
				 .param = v,
				 .n_param = RUN_VALUES };
}

int ledger_put_line(struct db *db, const char *run, int64_t epoch, int64_t seq, struct sv line,
		    struct err *e)
{
	struct db_value v[LINE_VALUES];

	assert(db_in_transaction(db));
	line_values(run, epoch, seq, line, v);
	return db_exec(db, ledger_dialect(db)->put_line, v, LINE_VALUES, NULL, NULL, e);
}

void ledger_line_item(struct arena *a, struct db *db, const char *run, int64_t epoch, int64_t seq,
		      struct sv line, struct db_item *out)
{
	struct db_value *v = arena_alloc(a, LINE_VALUES * sizeof(*v));

	line_values(run, epoch, seq, line, v);
	*out = (struct db_item){ .sql = ledger_dialect(db)->put_line,
				 .param = v,
				 .n_param = LINE_VALUES };
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

/* --- Merging (databases that are files) -------------------------------------------------------- */

/* A row of the old ledger is a row of parameters for the new one, as it is. */
static int merge_event(void *db, const struct db_value *col, size_t n, struct err *e)
{
	return db_exec(db, LEDGER_INSERT_EVENT("?16") " ON CONFLICT DO NOTHING", col, n, NULL, NULL,
		       e);
}

static int merge_run(void *db, const struct db_value *col, size_t n, struct err *e)
{
	return db_exec(db, ledger_sqlite.put_run, col, n, NULL, NULL, e);
}

static int merge_line(void *db, const struct db_value *col, size_t n, struct err *e)
{
	return db_exec(db, ledger_sqlite.put_line, col, n, NULL, NULL, e);
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

static int merge_all(struct db *db, struct db *old, int format, struct err *e)
{
	/* An old ledger lacks the columns that came later; it is only read. */
	const char *events = format == 1 ? "SELECT " LEDGER_COLUMNS_1
					   ", 0, '', '', '', 0, up_script, "
					   "down_script FROM bascule_history ORDER BY seq"
					 : "SELECT " LEDGER_COLUMNS ", up_script, down_script FROM "
					   "bascule_history ORDER BY seq";

	if (db_exec(old, events, NULL, 0, merge_event, db, e) != 0)
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
	if (merge_all(db, old, format, e) == 0 && db_commit(db, e) == 0)
		result = 0;
	else
		db_rollback(db);
out:
	db_close(old);
	return result;
}
