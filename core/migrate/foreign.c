/* SPDX-License-Identifier: MIT */
/*
 * Recognises another tool's history table and reads its rows.
 *
 * One query of the catalog names every column of every table that may be such a history; which tool it is
 * follows from the table of tools (foreign_tools.c), without asking again. The second query reads the
 * rows. Two round trips, because an environment may be 50 ms away.
 *
 * Only a table that an unqualified name finds is looked at, as its tool would, and the schemas that
 * Sqitch and graphile-migrate have to themselves. Sqitch's registry for SQLite is another file and
 * is not read.
 *
 * Rows that are not understood are counted, and the first is named in the note; the others are read.
 * Nothing here writes, and nothing takes a lock that a migration would wait for.
 */
#include "core/migrate/foreign.h"

#include <string.h>
#include <strings.h>

#include "core/migrate/foreign_tools.h"

/* In small letters: every table of foreign_tools[], what stands beside them, and their locks. */
#define CATALOG_TABLES \
	"('schema_migrations', 'ar_internal_metadata', 'goose_db_version', 'flyway_schema_history'," \
	" 'schema_version', 'databasechangelog', 'databasechangeloglock', 'alembic_version'," \
	" 'django_migrations', '__diesel_schema_migrations', '_sqlx_migrations'," \
	" '_prisma_migrations', 'knex_migrations', 'knex_migrations_lock', 'changes', 'migrations')"

static const char catalog_sqlite[] =
	"SELECT '', m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
	" WHERE m.type = 'table' AND lower(m.name) IN " CATALOG_TABLES;

static const char catalog_postgresql[] =
	"SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
	" WHERE c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped"
	" AND lower(c.relname) IN " CATALOG_TABLES " AND (pg_catalog.pg_table_is_visible(c.oid)"
	" OR n.nspname IN ('sqitch', 'graphile_migrate'))"
	" ORDER BY n.nspname, c.relname";

static const char catalog_mariadb[] =
	"SELECT table_schema, table_name, column_name FROM information_schema.columns"
	" WHERE table_schema IN (DATABASE(), 'sqitch') AND lower(table_name) IN " CATALOG_TABLES
	" ORDER BY table_schema, table_name";

#define SEEN_MAX 64 /* tables that look like a history; further ones are not looked at */

struct seen {
	char *schema, *table;
	struct strbuf columns; /* in small letters, between blanks */
};

struct catalog {
	struct seen list[SEEN_MAX];
	size_t n;
};

/* --- Recognising ------------------------------------------------------------------------------- */

static bool word_in(const char *list, struct sv word)
{
	struct sv rest = sv_of(list), w;

	while (sv_cut(&rest, ' ', &w))
		if (w.n > 0 && sv_eq(w, word))
			return true;
	return false;
}

static bool all_in(const char *words, const char *list)
{
	struct sv rest = sv_of(words), w;

	while (sv_cut(&rest, ' ', &w))
		if (w.n > 0 && !word_in(list, w))
			return false;
	return true;
}

static bool any_in(const char *words, const char *list)
{
	struct sv rest = sv_of(words), w;

	while (sv_cut(&rest, ' ', &w))
		if (w.n > 0 && word_in(list, w))
			return true;
	return false;
}

static int on_column(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct catalog *c = arg;
	struct seen *t = c->n > 0 ? &c->list[c->n - 1] : NULL;

	(void)e;
	if (n < 3 || col[1].type != DB_TEXT || col[2].type != DB_TEXT)
		return 0;
	if (t == NULL || !sv_eq_str(col[1].s, t->table) || !sv_eq_str(col[0].s, t->schema)) {
		if (c->n == SEEN_MAX)
			return 0;
		t = &c->list[c->n++];
		t->schema = mem_strndup(col[0].s.n > 0 ? col[0].s.p : "", col[0].s.n);
		t->table = mem_strndup(col[1].s.p, col[1].s.n);
		strbuf_init(&t->columns, 1 << 16);
	}
	strbuf_addc(&t->columns, ' ');
	for (size_t i = 0; i < col[2].s.n; i++) {
		char ch = col[2].s.p[i];

		strbuf_addc(&t->columns, (char)(ch >= 'A' && ch <= 'Z' ? ch + ('a' - 'A') : ch));
	}
	return 0;
}

static void catalog_clear(struct catalog *c)
{
	for (size_t i = 0; i < c->n; i++) {
		mem_free(c->list[i].schema);
		mem_free(c->list[i].table);
		strbuf_clear(&c->list[i].columns);
	}
}

static bool own_schema(const char *schema)
{
	return strcmp(schema, "sqitch") == 0 || strcmp(schema, "graphile_migrate") == 0;
}

/* Is the table where the tool has it? schema NULL: anywhere but where Sqitch and graphile-migrate are,
 * unless that is the only place: then the search path leads there. */
static const struct seen *find_table(const struct catalog *c, const char *schema, const char *table,
				     bool exact)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct seen *t = &c->list[i];

		if ((exact ? strcmp(t->table, table) : strcasecmp(t->table, table)) == 0 &&
		    (schema != NULL ? strcmp(t->schema, schema) == 0 : !own_schema(t->schema)))
			return t;
	}
	return NULL;
}

/* by_name: the operator named the tool, what stands beside the table does not matter. */
static const struct seen *recognise(const struct catalog *c, const struct foreign_tool *tool,
				    const char *engine, bool by_name)
{
	/* Only SQLite takes a table's name in any case. */
	bool exact = strcmp(engine, "sqlite") != 0;
	const struct seen *t = find_table(c, tool->schema, tool->table, exact);

	if (t == NULL || !all_in(tool->columns, strbuf_str(&t->columns)) ||
	    (tool->without != NULL && any_in(tool->without, strbuf_str(&t->columns))))
		return NULL;
	if (!by_name && ((tool->beside != NULL && !find_table(c, NULL, tool->beside, exact)) ||
			 (tool->apart != NULL && find_table(c, NULL, tool->apart, exact))))
		return NULL;
	return t;
}

static bool is_auto(const char *want)
{
	return want == NULL || *want == '\0' || strcmp(want, "auto") == 0;
}

/* --- Reading ----------------------------------------------------------------------------------- */

static void add_note(struct history *h, const char *text)
{
	h->note = h->note != NULL ? arena_printf(&h->arena, "%s; %s", h->note, text) : text;
}

/* A row that cannot be used, in words that fit a line. */
static const char *odd_words(struct history *h, size_t row, const struct foreign_row *r)
{
	const char *first = r->n > 0 ? foreign_text(h, &r->col[0], 40) : NULL;

	return arena_printf(&h->arena, "row %zu (%s): %s", row, first != NULL ? first : "null",
			    r->odd);
}

struct reading {
	struct history *h;
	struct foreign *f;
	size_t row;
};

static int on_record(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct reading *rd = arg;
	struct foreign_row r = { .col = col, .n = n, .h = rd->h };
	struct foreign_record rec = { 0 };

	if (++rd->row > FOREIGN_ROWS_MAX) {
		err_set(e, ERR_LIMIT, "cannot read so long a history");
		return err_detail(e, "more than %d rows", FOREIGN_ROWS_MAX);
	}
	switch (rd->f->tool->row(&r, &rec)) {
	case FOREIGN_KEEP:
		mem_grow(&rd->f->rec, &rd->f->cap, rd->f->n + 1, sizeof(rec));
		rd->f->rec[rd->f->n++] = rec;
		break;
	case FOREIGN_ODD:
		if (rd->f->n_odd++ == 0)
			rd->f->odd = odd_words(rd->h, rd->row, &r);
		break;
	case FOREIGN_SKIP:
		break;
	}
	return 0;
}

static int read_rows(struct db *db, struct history *h, struct err *e)
{
	const struct foreign_tool *tool = h->foreign->tool;
	struct reading rd = { .h = h, .f = h->foreign };
	bool pg = strcmp(db_engine(db), "postgresql") == 0;

	if (db_exec(db, pg && tool->hex != NULL ? tool->hex : tool->sql, NULL, 0, on_record, &rd,
		    e) != 0) {
		if (e->code == ERR_CANCELLED || e->code == ERR_LOST)
			return -1;
		err_wrap(e, "cannot read %s of %s", h->table, h->tool);
		/* What the driver says of a missing right knows neither the table nor the way out. */
		if (e->code == ERR_DB || e->hint[0] == '\0')
			err_hint(e, "let this role SELECT from %s, or say history = bascule",
				 h->table);
		return -1;
	}
	if (h->foreign->n_odd > 0)
		add_note(h, arena_printf(&h->arena, "%zu row%s of %s not understood, %s",
					 h->foreign->n_odd, h->foreign->n_odd == 1 ? "" : "s",
					 h->table, h->foreign->odd));
	return 0;
}

static int refuse_tool(const char *want, struct err *e)
{
	const char *names[64];
	size_t n = 0;
	const char *near;

	while (n < 64 && foreign_tool_name(n) != NULL) {
		names[n] = foreign_tool_name(n);
		n++;
	}
	near = str_nearest(want, names, n);
	err_set(e, ERR_CONFIG, "no history of %s is known", want);
	if (near != NULL)
		return err_hint(e, "history = %s", near);
	return err_hint(e, "auto, bascule, or one of the tools that `man bascule` lists");
}

/* The row of the table of tools for a name: the first of it. */
static const struct foreign_tool *tool_named(const char *name)
{
	for (size_t i = 0; i < foreign_n_tools; i++)
		if (strcmp(foreign_tools[i].name, name) == 0)
			return &foreign_tools[i];
	return NULL;
}

/* The tool whose rows are to be read, and where they are; notes those that are there too. */
static const struct foreign_tool *choose(const struct catalog *c, const char *want,
					 const char *engine, struct history *h,
					 const struct seen **at)
{
	const struct foreign_tool *found = NULL;
	const char *others = NULL;

	for (size_t i = 0; i < foreign_n_tools; i++) {
		const struct foreign_tool *tool = &foreign_tools[i];
		bool named = !is_auto(want) && strcmp(want, tool->name) == 0;
		const struct seen *t;

		if (!is_auto(want) && !named)
			continue;
		t = recognise(c, tool, engine, named);
		if (t == NULL || (found != NULL && t == *at))
			continue;
		if (found == NULL) {
			found = tool;
			*at = t;
		} else if (strcmp(tool->name, found->name) != 0) {
			others = others != NULL
					 ? arena_printf(&h->arena, "%s, %s", others, tool->name)
					 : tool->name;
		}
	}
	if (others != NULL)
		add_note(h, arena_printf(&h->arena, "there is a history of %s too", others));
	return found;
}

static const char *catalog_sql(const char *engine)
{
	if (strcmp(engine, "postgresql") == 0)
		return catalog_postgresql;
	return strcmp(engine, "sqlite") == 0 ? catalog_sqlite : catalog_mariadb;
}

static void use_tool(struct history *h, const struct foreign_tool *tool, const struct seen *at,
		     const struct catalog *c)
{
	h->foreign = mem_calloc(1, sizeof(*h->foreign));
	h->foreign->tool = tool;
	h->tool = tool->name;
	h->table = at != NULL ? arena_strdup(&h->arena, at->table) : tool->table;
	if (tool->schema != NULL)
		h->table = arena_printf(&h->arena, "%s.%s", tool->schema, h->table);
	if (strcmp(tool->name, "liquibase") == 0)
		h->foreign->lock_table = find_table(c, NULL, "databasechangeloglock", false);
	else if (strcmp(tool->name, "knex") == 0)
		h->foreign->lock_table = find_table(c, NULL, "knex_migrations_lock", false);
}

static void note_absent(struct history *h, const struct foreign_tool *tool, const struct catalog *c)
{
	const struct seen *other = find_table(c, tool->schema, tool->table, false);

	add_note(h, other != NULL
			    ? arena_printf(&h->arena, "%s is there, but not as %s makes it",
					   other->table, tool->name)
			    : arena_printf(&h->arena, "%s's table is not there yet", tool->name));
}

int foreign_read(struct db *db, const char *want, struct history *h, struct err *e)
{
	const struct foreign_tool *tool = NULL, *found;
	const struct seen *at = NULL;
	struct catalog c = { .n = 0 };
	int rc = -1;

	if (!is_auto(want)) {
		tool = tool_named(want);
		if (tool == NULL)
			return refuse_tool(want, e);
	}
	if (db_exec(db, catalog_sql(db_engine(db)), NULL, 0, on_column, &c, e) != 0)
		goto out;
	found = choose(&c, want, db_engine(db), h, &at);
	if (found != NULL)
		tool = found;
	if (tool == NULL) {
		rc = 0;
		goto out;
	}
	use_tool(h, tool, at, &c);
	if (at == NULL)
		note_absent(h, tool, &c);
	else if (read_rows(db, h, e) != 0)
		goto out;
	rc = 0;
out:
	catalog_clear(&c);
	return rc;
}

void foreign_free(struct foreign *f)
{
	if (f == NULL)
		return;
	mem_free(f->rec);
	mem_free(f);
}
