/* SPDX-License-Identifier: MIT */
/*
 * MariaDB: SHOW CREATE of each object, without the AUTO_INCREMENT that data moves. PostgreSQL, which
 * needs it for statements outside of a transaction only: definition and validity of an index.
 *
 * An object that is not there cannot be asked for by SHOW CREATE without an error, and an error ends a
 * packet. So existence is asked first, by a question that knows both answers; for tables all
 * names of the schema are read once, because most migrations make tables that are not there.
 */
#include "core/migrate/objects.h"

#include <string.h>
#include <strings.h>

#include "core/base/mem.h"

enum known_state {
	KNOWN_NOT,
	KNOWN_ABSENT,
	KNOWN_EXISTS, /* its definition was not read, or is not true any more */
	KNOWN_DESCRIBED,
};

struct known {
	const char *key; /* "table \n schema \n name" */
	enum sql_object_kind kind;
	const char *schema, *name; /* schema NULL: the connection's own */
	enum known_state state;
	char digest[DIGEST_HEX_SIZE];
	bool transactional;
	bool invalid; /* an index of postgresql that was not built to its end */
};

struct objects {
	struct db *db;
	struct arena arena;
	struct known **slot; /* open addressing */
	size_t n_slot, n;
	bool mariadb;
	bool names_read;     /* every table of our schema has an entry; one without is absent */
	bool fold;           /* the server compares names of tables without case */
	struct known *asked; /* ahead, not answered yet */
	struct digest *hash;
};

struct objects *objects_new(struct db *db)
{
	struct objects *o = mem_calloc(1, sizeof(*o));

	o->db = db;
	o->mariadb = strcmp(db_engine(db), "mariadb") == 0;
	o->hash = digest_new();
	arena_init(&o->arena);
	return o;
}

void objects_free(struct objects *o)
{
	if (o == NULL)
		return;
	digest_free(o->hash);
	mem_free(o->slot);
	arena_clear(&o->arena);
	mem_free(o);
}

/* ---- the table of what is known ---- */

static uint64_t hash_of(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h ^ (h >> 31);
}

/* Views, sequences and tables share their names; an index belongs to its table, which is named too. */
static enum sql_object_kind name_space(enum sql_object_kind kind)
{
	return kind == SQL_OBJECT_VIEW || kind == SQL_OBJECT_SEQUENCE ? SQL_OBJECT_TABLE : kind;
}

static void put(struct objects *o, struct known *k)
{
	size_t at = hash_of(k->key) & (o->n_slot - 1);

	while (o->slot[at] != NULL)
		at = (at + 1) & (o->n_slot - 1);
	o->slot[at] = k;
}

static void grow(struct objects *o)
{
	struct known **old = o->slot;
	size_t n = o->n_slot;

	o->n_slot = n > 0 ? n * 2 : 256;
	o->slot = mem_calloc(o->n_slot, sizeof(struct known *));
	for (size_t i = 0; i < n; i++)
		if (old[i] != NULL)
			put(o, old[i]);
	mem_free(old);
}

static struct known *known_of(struct objects *o, enum sql_object_kind kind, const char *schema,
			      const char *name)
{
	struct known *k;
	struct strbuf key;
	size_t at;

	if (o->n * 2 >= o->n_slot)
		grow(o);
	strbuf_init(&key, STRBUF_NO_LIMIT);
	strbuf_addf(&key, "%d\n%s\n%s", (int)name_space(kind), schema != NULL ? schema : "", name);
	for (size_t i = 0; o->fold && i < key.len; i++)
		if (key.data[i] >= 'A' && key.data[i] <= 'Z')
			key.data[i] = (char)(key.data[i] + ('a' - 'A'));
	for (at = hash_of(key.data) & (o->n_slot - 1); o->slot[at] != NULL;
	     at = (at + 1) & (o->n_slot - 1))
		if (strcmp(o->slot[at]->key, key.data) == 0)
			goto found;
	k = arena_alloc(&o->arena, sizeof(*k));
	k->key = arena_strdup(&o->arena, key.data);
	k->kind = kind;
	k->schema = schema != NULL ? arena_strdup(&o->arena, schema) : NULL;
	k->name = arena_strdup(&o->arena, name);
	if (o->names_read && name_space(kind) == SQL_OBJECT_TABLE && schema == NULL)
		k->state = KNOWN_ABSENT;
	o->slot[at] = k;
	o->n++;
found:
	k = o->slot[at];
	strbuf_clear(&key);
	return k;
}

static struct known *known_of_object(struct objects *o, const struct sql_object *x)
{
	return known_of(o, x->kind, x->schema, x->name);
}

/* An index is described by its table on MariaDB and by itself on PostgreSQL. */
static bool counts(const struct objects *o, const struct sql_object *x)
{
	return o->mariadb ? x->kind != SQL_OBJECT_INDEX : x->kind == SQL_OBJECT_INDEX;
}

/* ---- existence ---- */

static int name_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct objects *o = arg;
	char name[256];

	(void)n;
	(void)e;
	if (col[1].type == DB_INT ||
	    col[1].type == DB_TEXT) { /* the first row: the server's way with case */
		o->fold = !(col[1].type == DB_INT ? col[1].i == 0 : sv_eq(col[1].s, SV("0")));
		return 0;
	}
	str_copy_sv(name, sizeof(name), col[0].s);
	known_of(o, SQL_OBJECT_TABLE, NULL, name)->state = KNOWN_EXISTS;
	return 0;
}

static int names_read(struct objects *o, struct err *e)
{
	if (o->names_read || !o->mariadb)
		return 0;
	if (db_exec(o->db,
		    "SELECT '', @@lower_case_table_names UNION ALL SELECT table_name, NULL "
		    "FROM information_schema.tables WHERE table_schema = DATABASE()",
		    NULL, 0, name_row, o, e) != 0)
		return -1;
	o->names_read = true;
	return 0;
}

/* Questions with one parameter for the schema (null: ours) and one for the name; a row when it is there. */
static const char *existence_sql(enum sql_object_kind kind)
{
	switch (kind) {
	case SQL_OBJECT_TABLE:
	case SQL_OBJECT_VIEW:
	case SQL_OBJECT_SEQUENCE:
		return "SELECT 1 FROM information_schema.tables WHERE table_schema = "
		       "COALESCE(?1, DATABASE()) AND table_name = ?2";
	case SQL_OBJECT_TRIGGER:
		return "SELECT 1 FROM information_schema.triggers WHERE trigger_schema = "
		       "COALESCE(?1, DATABASE()) AND trigger_name = ?2";
	case SQL_OBJECT_PROCEDURE:
		return "SELECT 1 FROM information_schema.routines WHERE routine_schema = "
		       "COALESCE(?1, DATABASE()) AND routine_name = ?2 AND routine_type = "
		       "'PROCEDURE'";
	case SQL_OBJECT_FUNCTION:
		return "SELECT 1 FROM information_schema.routines WHERE routine_schema = "
		       "COALESCE(?1, DATABASE()) AND routine_name = ?2 AND routine_type = "
		       "'FUNCTION'";
	case SQL_OBJECT_PACKAGE:
		return "SELECT 1 FROM information_schema.routines WHERE routine_schema = "
		       "COALESCE(?1, DATABASE()) AND routine_name = ?2 AND routine_type = "
		       "'PACKAGE'";
	case SQL_OBJECT_EVENT:
		return "SELECT 1 FROM information_schema.events WHERE event_schema = "
		       "COALESCE(?1, DATABASE()) AND event_name = ?2";
	case SQL_OBJECT_DATABASE:
		return "SELECT 1 FROM information_schema.schemata WHERE ?1 IS NULL AND schema_name "
		       "= ?2";
	case SQL_OBJECT_INDEX:
		break;
	}
	return NULL;
}

static int exists(struct objects *o, struct known *k, struct err *e)
{
	const struct db_value v[] = { db_v_text(k->schema), db_v_text(k->name) };
	int64_t there;

	if (db_int(o->db, existence_sql(k->kind), v, 2, 0, &there, e) != 0)
		return -1;
	k->state = there ? KNOWN_EXISTS : KNOWN_ABSENT;
	return 0;
}

/* ---- descriptions ---- */

static const char *const show_words[] = {
	[SQL_OBJECT_TABLE] = "TABLE",         [SQL_OBJECT_VIEW] = "TABLE",
	[SQL_OBJECT_SEQUENCE] = "TABLE",      [SQL_OBJECT_TRIGGER] = "TRIGGER",
	[SQL_OBJECT_PROCEDURE] = "PROCEDURE", [SQL_OBJECT_FUNCTION] = "FUNCTION",
	[SQL_OBJECT_EVENT] = "EVENT",         [SQL_OBJECT_DATABASE] = "DATABASE",
	[SQL_OBJECT_PACKAGE] = "PACKAGE",
};

static void add_quoted(struct strbuf *b, const char *name)
{
	strbuf_addc(b, '`');
	for (; *name != '\0'; name++) {
		if (*name == '`')
			strbuf_addc(b, '`');
		strbuf_addc(b, *name);
	}
	strbuf_addc(b, '`');
}

/* SHOW CREATE TABLE answers for views and sequences as well. */
static struct sv show_text(struct arena *a, const struct known *k)
{
	struct strbuf b;
	struct sv text;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_addf(&b, "SHOW CREATE %s ", show_words[k->kind]);
	if (k->schema != NULL) {
		add_quoted(&b, k->schema);
		strbuf_addc(&b, '.');
	}
	add_quoted(&b, k->name);
	text = arena_sv(a, strbuf_sv(&b));
	strbuf_clear(&b);
	return text;
}

/* Adds a definition without " AUTO_INCREMENT=n", which moves with data. */
static void hash_definition(struct digest *d, struct sv text)
{
	static const char word[] = " AUTO_INCREMENT=";
	const char *at = memmem(text.p, text.n, word, sizeof(word) - 1);
	const char *end = text.p + text.n;

	if (at == NULL) {
		digest_add(d, text.p, text.n);
		return;
	}
	digest_add(d, text.p, (size_t)(at - text.p));
	at += sizeof(word) - 1;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	digest_add(d, at, (size_t)(end - at));
}

struct description {
	struct objects *o;
	struct known *k;
	bool seen;
};

/* Every column is hashed: which of them holds the text differs from kind to kind. */
static int described(struct objects *o, struct known *k, const struct db_value *col, size_t n)
{
	/* Behind the columns, whose comments may say anything: a line end inside them is written \\n. */
	static const char *const engines[] = { "\n) ENGINE=InnoDB", "\n) ENGINE=ROCKSDB" };

	k->transactional = false;
	k->invalid = !o->mariadb && n > 1 && sv_eq(col[1].s, SV("false"));
	digest_begin(o->hash);
	for (size_t i = 0; i < n; i++) {
		if (col[i].type != DB_TEXT && col[i].type != DB_BLOB)
			continue;
		hash_definition(o->hash, col[i].s);
		digest_add(o->hash, "\n", 1);
		for (size_t w = 0; w < sizeof(engines) / sizeof(engines[0]); w++)
			if (memmem(col[i].s.p, col[i].s.n, engines[w], strlen(engines[w])) != NULL)
				k->transactional = true;
	}
	digest_end(o->hash, k->digest);
	k->state = KNOWN_DESCRIBED;
	return 0;
}

static int show_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct description *x = arg;

	(void)e;
	x->seen = true;
	return described(x->o, x->k, col, n);
}

static int describe_mariadb(struct objects *o, struct known *k, struct err *e)
{
	struct description x = { .o = o, .k = k };
	struct db_item item = { .fn = show_row, .arg = &x };
	struct arena a;
	size_t failed;
	int rc;

	arena_init(&a);
	item.text = show_text(&a, k);
	rc = db_unit_send(o->db, &item, 1, e);
	if (rc == 0)
		rc = db_unit_result(o->db, &failed, e);
	if (rc != 0) {
		struct err ignored;

		(void)!db_units_clear(o->db, &ignored);
		err_wrap(e, "cannot describe %s", k->name);
	}
	arena_clear(&a);
	return rc;
}

/* An index by its name as the session finds it. */
static int describe_postgres(struct objects *o, struct known *k, struct err *e)
{
	struct description x = { .o = o, .k = k };
	struct strbuf name;
	struct db_value v;
	int rc;

	strbuf_init(&name, STRBUF_NO_LIMIT);
	if (k->schema != NULL)
		strbuf_addf(&name, "%s.", k->schema);
	strbuf_adds(&name, k->name);
	v = db_v_text(strbuf_str(&name));
	rc = db_exec(o->db,
		     "SELECT pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid::text, "
		     "i.indexrelid::text FROM pg_catalog.pg_index i WHERE i.indexrelid = "
		     "pg_catalog.to_regclass(?1)",
		     &v, 1, show_row, &x, e);
	if (rc == 0 && !x.seen)
		k->state = KNOWN_ABSENT;
	strbuf_clear(&name);
	return rc;
}

/* What was believed to exist may have gone with something else: a trigger with its table. */
static int describe_again(struct objects *o, struct known *k, struct err *e)
{
	if (describe_mariadb(o, k, e) == 0)
		return 0;
	if (e->code == ERR_LOST || e->code == ERR_CANCELLED || exists(o, k, e) != 0)
		return -1;
	return k->state == KNOWN_EXISTS ? describe_mariadb(o, k, e) : 0;
}

int objects_learn(struct objects *o, const struct sql_facts *f, struct err *e)
{
	if (names_read(o, e) != 0)
		return -1;
	for (size_t i = 0; i < f->n_object; i++) {
		struct known *k;

		if (!counts(o, &f->object[i]) || f->object[i].name[0] == '\0')
			continue;
		k = known_of_object(o, &f->object[i]);
		if (!o->mariadb) {
			if (describe_postgres(o, k, e) != 0)
				return -1;
			continue;
		}
		if (k->state == KNOWN_NOT && exists(o, k, e) != 0)
			return -1;
		if (k->state == KNOWN_EXISTS && describe_again(o, k, e) != 0)
			return -1;
	}
	return 0;
}

void objects_digest(struct objects *o, const struct sql_facts *f, char hex[DIGEST_HEX_SIZE])
{
	struct digest *d;
	bool any = false;

	hex[0] = '\0';
	if (f->flags & SQL_TRACELESS)
		return;
	d = digest_new();
	digest_begin(d);
	for (size_t i = 0; i < f->n_object; i++) {
		const struct known *k;

		if (!counts(o, &f->object[i]) || f->object[i].name[0] == '\0')
			continue;
		k = known_of_object(o, &f->object[i]);
		digest_add(d, k->key, strlen(k->key));
		digest_add(d, k->state == KNOWN_DESCRIBED ? "=" : "-", 1);
		if (k->state == KNOWN_DESCRIBED)
			digest_add(d, k->digest, strlen(k->digest));
		any = true;
	}
	if (any)
		digest_end(d, hex);
	digest_free(d);
}

enum index_state objects_index(struct objects *o, const struct sql_facts *f)
{
	const struct known *k = known_of_object(o, &f->object[0]);

	if (k->state != KNOWN_DESCRIBED)
		return INDEX_ABSENT;
	return k->invalid ? INDEX_INVALID : INDEX_VALID;
}

bool objects_transactional(struct objects *o, const struct sql_facts *f)
{
	if (!o->mariadb)
		return true;
	for (size_t i = 0; i < f->n_object; i++) {
		const struct known *k = known_of_object(o, &f->object[i]);

		/* Writing to a table that is not there fails, and leaves nothing. */
		if (k->state != KNOWN_ABSENT && (k->state != KNOWN_DESCRIBED || !k->transactional))
			return false;
	}
	return f->n_object > 0 || f->repeatable;
}

/* ---- from statement to statement ---- */

static bool begins_with(struct sv text, const char *word)
{
	size_t n = strlen(word);

	return text.n > n && strncasecmp(text.p, word, n) == 0;
}

/* What the first words do to object number i. */
static enum known_state touched(const struct sql_facts *f, size_t i, struct sv text,
				enum known_state before)
{
	bool of_table = f->object[0].kind == SQL_OBJECT_INDEX ||
			f->object[0].kind == SQL_OBJECT_TRIGGER;

	if (begins_with(text, "rename"))
		return KNOWN_NOT;
	/* ALTER TABLE … RENAME names both, and the old one may be gone. */
	if (begins_with(text, "alter") && f->n_object > 1 && !of_table)
		return KNOWN_NOT;
	/* An index or a trigger that goes leaves its table, which is named behind it. */
	if (begins_with(text, "drop") && (i == 0 || !of_table))
		return f->n_object == 1 || of_table ? KNOWN_ABSENT : KNOWN_NOT;
	return before == KNOWN_NOT ? KNOWN_NOT : KNOWN_EXISTS;
}

static void forget_all(struct objects *o)
{
	for (size_t i = 0; i < o->n_slot; i++)
		if (o->slot[i] != NULL)
			o->slot[i]->state = KNOWN_NOT;
	o->names_read = false;
	o->asked = NULL;
}

/* A table takes its triggers along, and renames what other tables' foreign keys name. */
static void doubt_others(struct objects *o)
{
	for (size_t i = 0; i < o->n_slot; i++) {
		struct known *k = o->slot[i];

		if (k != NULL && k->kind == SQL_OBJECT_TRIGGER)
			k->state = KNOWN_NOT;
		else if (k != NULL && k->state == KNOWN_DESCRIBED)
			k->state = KNOWN_EXISTS;
	}
}

void objects_touch(struct objects *o, const struct sql_facts *f, struct sv text)
{
	/* A procedure may make and drop what it likes; so may what was not read. */
	if (f->class == SQL_CLASS_OTHER)
		forget_all(o);
	if (f->class != SQL_CLASS_DDL)
		return;
	if (begins_with(text, "alter") || begins_with(text, "rename") || begins_with(text, "drop"))
		doubt_others(o);
	for (size_t i = 0; i < f->n_object; i++) {
		struct known *k;

		if (!counts(o, &f->object[i]) || f->object[i].name[0] == '\0')
			continue;
		k = known_of_object(o, &f->object[i]);
		k->state = touched(f, i, text, k->state);
	}
}

void objects_unlearn(struct objects *o, const struct sql_facts *f)
{
	for (size_t i = 0; i < f->n_object; i++)
		if (counts(o, &f->object[i]))
			known_of_object(o, &f->object[i])->state = KNOWN_NOT;
}

static int ahead_row(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct objects *o = arg;

	(void)e;
	if (o->asked != NULL)
		described(o, o->asked, col, n);
	o->asked = NULL;
	return 0;
}

bool objects_ask_ahead(struct objects *o, struct arena *a, const struct sql_facts *f,
		       struct db_item *item)
{
	struct known *want = NULL;

	if (!o->mariadb)
		return false;
	for (size_t i = 0; i < f->n_object; i++) {
		struct known *k;

		if (!counts(o, &f->object[i]))
			continue;
		k = known_of_object(o, &f->object[i]);
		if (k->state == KNOWN_ABSENT || k->state == KNOWN_DESCRIBED)
			continue;
		if (k->state == KNOWN_NOT || want != NULL)
			return false;
		want = k;
	}
	if (want == NULL)
		return false;
	o->asked = want;
	*item = (struct db_item){ .text = show_text(a, want), .fn = ahead_row, .arg = o };
	return true;
}

void objects_forget(struct objects *o)
{
	if (o->asked != NULL)
		o->asked->state = KNOWN_NOT;
	o->asked = NULL;
}
