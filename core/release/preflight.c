/* SPDX-License-Identifier: MIT */
/*
 * A preflight: facts of an engine made to rows of words.
 *
 * Each engine with a server answers one statement (preflight_facts.h); the table `kinds` says what each kind
 * of fact is called and which function puts it into words. A file has no sessions: there it is
 * the size and the room on its file system.
 *
 * What warns is what a migration would wait for longer than it waits for a lock, or what already waits for
 * it. Texts of statements come from other people's sessions: they are cleaned, cut, and known
 * secrets are taken out.
 */
#include "core/release/preflight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/base/clock.h"
#include "core/base/secret.h"
#include "core/base/utf8.h"
#include "core/migrate/foreign.h"
#include "core/release/env_open.h"
#include "core/release/preflight_facts.h"

#define QUERY_BYTES 60 /* of a statement; the rest is cut with an ellipsis */
#define LOCK_DEFAULT_MS 5000
#define LAG_WARN_MS 10000
#define LAG_WARN_BYTES ((int64_t)16 << 20)

static const struct preflight_dialect *const dialects[] = { &preflight_postgres,
							    &preflight_mariadb };

/* One row of an engine's answer. Texts are borrowed until the callback returns. */
struct fact {
	int64_t n, ms, session;
	bool has_n, has_ms;
	struct sv who, where, query;
};

struct reading {
	const struct env *env;
	const struct lock_holder *holder;
	const struct preflight_dialect *dialect;
	struct preflight *out;
	bool disks;
};

void preflight_clear(struct preflight *p)
{
	arena_clear(&p->arena);
	*p = (struct preflight){ 0 };
}

const char *preflight_level_name(enum preflight_level level)
{
	static const char *const names[] = { "ok", "note", "warn" };

	return names[level];
}

/* --- Words ---------------------------------------------------------------------------------- */

static void row_add(struct preflight *p, const char *name, enum preflight_level level,
		    const struct strbuf *words)
{
	struct strbuf clean;
	struct preflight_row *row;

	if (p->n == p->cap) {
		struct preflight_row *more = arena_alloc(&p->arena, (p->cap + 8) * sizeof(*more));

		if (p->n > 0)
			memcpy(more, p->row, p->n * sizeof(*more));
		p->row = more;
		p->cap += 8;
	}
	strbuf_init(&clean, STRBUF_NO_LIMIT);
	clean_text(&clean, strbuf_sv(words), false);
	row = &p->row[p->n++];
	row->name = name;
	row->level = level;
	row->words = arena_strdup(&p->arena, strbuf_str(&clean));
	p->n_warn += level == PREFLIGHT_WARN;
	strbuf_clear(&clean);
}

static void add_bytes(struct strbuf *b, int64_t bytes)
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double value = (double)bytes;
	size_t u = 0;

	while (value >= 1000 && u + 1 < sizeof(unit) / sizeof(unit[0])) {
		value /= 1000;
		u++;
	}
	strbuf_addf(b, u > 0 && value < 10 ? "%.1f %s" : "%.0f %s", value, unit[u]);
}

/* The start of a statement on one line. What stands in quotes is somebody's data, or his password. */
static void add_query(struct strbuf *b, const char *before, struct sv query)
{
	struct strbuf line;
	bool quoted = false;
	size_t n;

	if (query.n == 0)
		return;
	strbuf_init(&line, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < query.n; i++) {
		bool blank = strchr(" \t\r\n", query.p[i]) != NULL && query.p[i] != '\0';

		if (query.p[i] == '\'') {
			strbuf_adds(&line, quoted ? "'" : "'…");
			quoted = !quoted;
		} else if (!quoted && !blank) {
			strbuf_addc(&line, query.p[i]);
		} else if (!quoted && line.len > 0 && line.data[line.len - 1] != ' ') {
			strbuf_addc(&line, ' ');
		}
	}
	while (line.len > 0 && line.data[line.len - 1] == ' ')
		line.data[--line.len] = '\0';
	secret_redact(&line);
	n = line.len > QUERY_BYTES ? QUERY_BYTES : line.len;
	/* Not inside a character. */
	while (n > 0 && n < line.len && ((unsigned char)line.data[n] & 0xc0) == 0x80)
		n--;
	strbuf_addf(b, "%s%.*s%s", before, (int)n, strbuf_str(&line), n < line.len ? "…" : "");
	strbuf_clear(&line);
}

static void add_span(struct strbuf *b, int64_t ms)
{
	char span[CLOCK_TEXT_SIZE];

	strbuf_adds(b, clock_span(ms > 0 ? ms : 0, span));
}

/* "session 4711 of app" */
static void add_session(struct strbuf *b, const struct fact *f)
{
	strbuf_addf(b, "session %lld", (long long)f->session);
	if (f->who.n > 0)
		strbuf_addf(b, " of %.*s", (int)f->who.n, f->who.p);
}

static void add_count(struct strbuf *b, const struct fact *f, const char *word)
{
	strbuf_addf(b, "%lld session%s%s", (long long)f->n, f->n == 1 ? "" : "s", word);
	if (f->n > 0 && f->has_ms) {
		strbuf_adds(b, f->n == 1 ? ", for " : ", the longest for ");
		add_span(b, f->ms);
	}
}

static int64_t patience_ms(const struct reading *r)
{
	return r->env->lock_timeout_ms > 0 ? r->env->lock_timeout_ms : LOCK_DEFAULT_MS;
}

/* --- Facts ---------------------------------------------------------------------------------- */

/* Each appends its words and returns the level, or -1: not worth a row. */

static int say_longest(struct reading *r, const struct fact *f, struct strbuf *b)
{
	bool elsewhere = f->where.n > 0 && r->env->dsn.database != NULL &&
			 !sv_eq_str(f->where, r->env->dsn.database);

	add_span(b, f->ms);
	strbuf_adds(b, ", ");
	add_session(b, f);
	if (f->where.n > 0)
		strbuf_addf(b, " in %.*s", (int)f->where.n, f->where.p);
	add_query(b, ", ", f->query);
	return f->ms >= patience_ms(r) && !elsewhere ? PREFLIGHT_WARN : PREFLIGHT_OK;
}

static int say_idle(struct reading *r, const struct fact *f, struct strbuf *b)
{
	add_count(b, f, "");
	return f->n > 0 && f->ms >= patience_ms(r) ? PREFLIGHT_WARN : PREFLIGHT_OK;
}

static int say_waiting(struct reading *r, const struct fact *f, struct strbuf *b)
{
	if (r->holder)
		return -1;
	add_count(b, f, "");
	return f->n > 0 ? PREFLIGHT_WARN : PREFLIGHT_OK;
}

static int say_behind(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	add_count(b, f, "");
	return f->n > 0 ? PREFLIGHT_WARN : PREFLIGHT_OK;
}

static int say_maybe(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	if (f->n == 0)
		return -1;
	add_count(b, f, "");
	strbuf_adds(b, ", for the metadata of a table; whose lock it is the server does not say");
	return PREFLIGHT_WARN;
}

static int say_runner(struct reading *r, const struct fact *f, struct strbuf *b)
{
	bool idle = sv_starts(f->where, SV("idle"));
	bool waits = sv_starts(f->where, SV("Waiting"));

	if (!r->holder)
		return -1;
	if (f->where.n == 0) {
		strbuf_addf(b, "session %lld, our role may not see what it does",
			    (long long)f->session);
		return PREFLIGHT_NOTE;
	}
	add_span(b, f->ms);
	if (idle)
		strbuf_addf(b, ", session %lld, between two statements", (long long)f->session);
	else
		add_query(b, ", ", f->query);
	if (waits)
		strbuf_adds(b, "; waits for the metadata of a table, whose lock the server does "
			       "not say");
	return waits ? PREFLIGHT_WARN : PREFLIGHT_OK;
}

static int say_blocked(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	add_span(b, f->ms);
	strbuf_adds(b, " for ");
	add_session(b, f);
	if (f->where.n > 0)
		strbuf_addf(b, ", %.*s", (int)f->where.n, f->where.p);
	add_query(b, ": ", f->query);
	return PREFLIGHT_WARN;
}

static int say_replica(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	strbuf_addf(b, "%.*s ", (int)f->who.n, f->who.p);
	if (!f->has_n && !f->has_ms) {
		strbuf_addf(b, "is there; how far behind is for members of %s",
			    r->dialect->privilege);
		return PREFLIGHT_NOTE;
	}
	if (f->has_n)
		add_bytes(b, f->n);
	if (f->has_ms) {
		strbuf_adds(b, f->has_n ? ", " : "");
		add_span(b, f->ms);
	}
	strbuf_adds(b, " behind");
	return f->n >= LAG_WARN_BYTES || f->ms >= LAG_WARN_MS ? PREFLIGHT_WARN : PREFLIGHT_OK;
}

static int say_replicas(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	strbuf_addf(b, "%lld read%s the binary log; how far behind only they know", (long long)f->n,
		    f->n == 1 ? "s" : "");
	return PREFLIGHT_OK;
}

static int say_standby(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	strbuf_adds(b, "this server is a replica");
	if (f->has_ms) {
		strbuf_adds(b, "; last change replayed is ");
		add_span(b, f->ms);
		strbuf_adds(b, " old");
	}
	return PREFLIGHT_WARN;
}

static int say_hidden(struct reading *r, const struct fact *f, struct strbuf *b)
{
	if (f->n == 0)
		return -1;
	if (f->n < 0)
		strbuf_addf(b,
			    "sessions of other roles, their transactions and locks: our role "
			    "has no %s",
			    r->dialect->privilege);
	else
		strbuf_addf(b,
			    "what %lld session%s of other roles do%s: our role is no member "
			    "of %s",
			    (long long)f->n, f->n == 1 ? "" : "s", f->n == 1 ? "es" : "",
			    r->dialect->privilege);
	return PREFLIGHT_NOTE;
}

static int say_timeout(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	if (f->ms > 0)
		add_span(b, f->ms);
	else
		strbuf_adds(b, "none: it waits for ever");
	if (f->who.n > 0)
		strbuf_addf(b, " for %.*s", (int)f->who.n, f->who.p);
	return f->ms > 0 ? PREFLIGHT_OK : PREFLIGHT_WARN;
}

static int say_disk(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)r;
	add_bytes(b, f->n);
	strbuf_addf(b, " free at %.*s", (int)f->where.n, f->where.p);
	return PREFLIGHT_OK;
}

static int say_disks(struct reading *r, const struct fact *f, struct strbuf *b)
{
	(void)f;
	(void)b;
	r->disks = true;
	return -1;
}

static const struct {
	const char *kind, *name;
	int (*say)(struct reading *r, const struct fact *f, struct strbuf *b);
} kinds[] = {
	{ "runner", "our statement", say_runner },
	{ "blocked", "waiting for", say_blocked },
	{ "behind", "waiting behind us", say_behind },
	{ "maybe", "perhaps behind us", say_maybe },
	{ "waiting", "waiting for locks", say_waiting },
	{ "longest", "longest transaction", say_longest },
	{ "idle", "idle in transaction", say_idle },
	{ "replica", "replica", say_replica },
	{ "replicas", "replicas", say_replicas },
	{ "standby", "replication", say_standby },
	{ "disk", "free disk", say_disk },
	{ "disks", "", say_disks },
	{ "timeout", "lock timeout", say_timeout },
	{ "hidden", "not seen", say_hidden },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t kind_of(const char *name)
{
	size_t i = 0;

	while (i < KINDS && strcmp(kinds[i].name, name) != 0)
		i++;
	return i;
}

static struct sv text_of(const struct db_value *v)
{
	return v->type == DB_TEXT || v->type == DB_BLOB ? v->s : sv_n("", 0);
}

static int on_fact(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct reading *r = arg;
	struct fact f;
	struct strbuf words;

	(void)e;
	if (n < 7)
		return 0;
	f = (struct fact){
		.n = col[1].type == DB_INT ? col[1].i : 0,
		.has_n = col[1].type == DB_INT,
		.ms = col[2].type == DB_INT ? col[2].i : 0,
		.has_ms = col[2].type == DB_INT,
		.session = col[3].type == DB_INT ? col[3].i : 0,
		.who = text_of(&col[4]),
		.where = text_of(&col[5]),
		.query = text_of(&col[6]),
	};
	strbuf_init(&words, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < KINDS; i++) {
		int level;

		if (!sv_eq_str(text_of(&col[0]), kinds[i].kind))
			continue;
		level = kinds[i].say(r, &f, &words);
		secret_redact(&words);
		if (level >= 0)
			row_add(r->out, kinds[i].name, (enum preflight_level)level, &words);
	}
	strbuf_clear(&words);
	return 0;
}

/* --- Reading -------------------------------------------------------------------------------- */

/* In the order of `kinds`, whatever order they came in. */
static void sort_rows(struct preflight *p)
{
	for (size_t i = 1; i < p->n; i++) {
		struct preflight_row row = p->row[i];
		size_t k = i;

		for (; k > 0 && kind_of(p->row[k - 1].name) > kind_of(row.name); k--)
			p->row[k] = p->row[k - 1];
		p->row[k] = row;
	}
}

/* A role without FILE is refused by some versions of the plugin, and told nothing by others. */
static int read_disk(struct reading *r, struct db *db, struct err *e)
{
	size_t before = r->out->n;
	struct strbuf words;

	if (!r->disks)
		return 0;
	if (db_exec(db, r->dialect->disk, NULL, 0, on_fact, r, e) != 0 && e->code != ERR_DB)
		return -1;
	if (r->out->n > before)
		return 0;
	strbuf_init(&words, STRBUF_NO_LIMIT);
	strbuf_adds(&words, "the server's disks: it tells of none, as to a role without FILE");
	row_add(r->out, "not seen", PREFLIGHT_NOTE, &words);
	strbuf_clear(&words);
	return 0;
}

/* Another tool that holds its lock. */
static int read_foreign(struct reading *r, struct db *db, struct err *e)
{
	struct history h = { .format = 0 };
	struct strbuf words;
	int rc;

	arena_init(&h.arena);
	strbuf_init(&words, STRBUF_NO_LIMIT);
	rc = foreign_busy(db, &h, e);
	if (rc == 0 && h.busy != NULL) {
		strbuf_adds(&words, h.busy);
		row_add(r->out, "another tool", PREFLIGHT_WARN, &words);
	}
	strbuf_clear(&words);
	arena_clear(&h.arena);
	return rc;
}

static int read_server(struct reading *r, struct db *db, struct err *e)
{
	const struct db_session none = { .id = 0 };
	const struct db_session *s = r->holder ? &r->holder->session : &none;
	const struct db_value v[] = { DB_V_INT(s->id), db_v_text(s->started) };
	const struct preflight_dialect *d = NULL;

	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
		if (strcmp(db_engine(db), dialects[i]->engine) == 0)
			d = dialects[i];
	if (d == NULL)
		return 0;
	r->dialect = d;
	if (db_exec(db, d->ask, v, 2, on_fact, r, e) != 0) {
		if (d->ask_less == NULL || strcmp(e->sys, d->denied) != 0 ||
		    db_exec(db, d->ask_less, v, 2, on_fact, r, e) != 0)
			return -1;
	}
	if (read_disk(r, db, e) != 0)
		return -1;
	sort_rows(r->out);
	return read_foreign(r, db, e);
}

static int read_file(struct reading *r, struct db *db, struct err *e)
{
	struct db_info info;
	struct statvfs fs;
	struct strbuf words;
	int64_t room;

	if (db_info(db, &info, e) != 0)
		return -1;
	strbuf_init(&words, STRBUF_NO_LIMIT);
	add_bytes(&words, info.size_bytes);
	row_add(r->out, "size", PREFLIGHT_OK, &words);
	if (statvfs(r->env->dsn.path, &fs) == 0) {
		room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
		strbuf_reset(&words);
		add_bytes(&words, room);
		/* A table that is rebuilt, and the copy that is made before, take as much again. */
		if (room < info.size_bytes)
			strbuf_adds(&words, ", less than the database has");
		row_add(r->out, "free disk", room < info.size_bytes ? PREFLIGHT_WARN : PREFLIGHT_OK,
			&words);
	}
	strbuf_clear(&words);
	return 0;
}

int preflight_read(const struct env *env, struct db *db, const struct lock_holder *holder,
		   struct preflight *out, struct err *e)
{
	struct reading r = { .env = env, .out = out };

	*out = (struct preflight){ .at_utc_ms = clock_utc_ms() };
	arena_init(&out->arena);
	if (holder && holder->held && holder->session.id != 0)
		r.holder = holder;
	return db_caps(db) & DB_SERVER ? read_server(&r, db, e) : read_file(&r, db, e);
}

int preflight_ask(const struct context *ctx, const struct env *env, struct cancel *cancel,
		  struct preflight *out, struct err *e)
{
	struct err no_lock = { .code = ERR_OK };
	struct lock_holder holder;
	struct strbuf words;
	struct db *db = NULL;
	int ret = -1;

	*out = (struct preflight){ 0 };
	memset(&holder, 0, sizeof(holder));
	if (env_open(ctx, env, DB_READ_ONLY, cancel, &db, e) != 0)
		return -1;
	if ((db_caps(db) & DB_SERVER) &&
	    lock_read(&env->dsn, db, env->lock_stale_ms, &holder, e) != 0) {
		if (e->code != ERR_DB)
			goto out;
		no_lock = *e; /* a role that may look at less: the rest can be asked all the same */
		memset(&holder, 0, sizeof(holder));
	}
	ret = preflight_read(env, db, &holder, out, e);
	if (ret == 0 && no_lock.code != ERR_OK) {
		strbuf_init(&words, STRBUF_NO_LIMIT);
		strbuf_addf(&words, "whether a run is at work: %s", no_lock.detail);
		row_add(out, "not seen", PREFLIGHT_NOTE, &words);
		strbuf_clear(&words);
	}
out:
	db_close(db);
	return ret;
}
