/* SPDX-License-Identifier: MIT */
/*
 * matrix_fixture DIR N: a project of N migrations in DIR, applied in three SQLite environments.
 *
 * The files are of the size real ones have (some hundred bytes, every tenth some thousand). The
 * histories are written by the ledger's own code, scripts included, so that what is read in the
 * benchmark is what a migrate writes; only one transaction per environment instead of one per
 * migration, because 30,000 of those would take a minute and measure nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/fs.h"
#include "core/ledger/ledger.h"
#include "core/migrate/source.h"

static const char *const environments[] = { "development", "staging", "production" };

static void die(const struct err *e)
{
	fprintf(stderr, "matrix_fixture: %s: %s\n", e->msg, e->detail);
	exit(1);
}

static void write_file(const char *dir, const char *name, struct strbuf *text)
{
	struct err e;
	char *path = path_join(dir, name);
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(text->data, 1, text->len, f) != text->len || fclose(f) != 0) {
		err_sys(&e, errno, "cannot write %s", path);
		die(&e);
	}
	mem_free(path);
	strbuf_reset(text);
}

static void write_files(const char *dir, long n)
{
	struct strbuf text;
	char name[96];

	strbuf_init(&text, STRBUF_NO_LIMIT);
	for (long i = 1; i <= n; i++) {
		int columns = i % 10 == 0 ? 60 : 6;

		snprintf(name, sizeof(name), "migrations/up/%05ld_add_table_%ld.sql", i, i);
		strbuf_addf(&text,
			    "-- table %ld of the benchmark\nCREATE TABLE t%ld (\n\tid INTEGER "
			    "PRIMARY KEY,\n",
			    i, i);
		for (int c = 0; c < columns; c++)
			strbuf_addf(&text, "\tcolumn_%d_of_%ld TEXT NOT NULL DEFAULT '',\n", c, i);
		strbuf_addf(&text,
			    "\tcreated_at TEXT NOT NULL\n);\nCREATE INDEX t%ld_at ON t%ld "
			    "(created_at);\n",
			    i, i);
		write_file(dir, name, &text);
		snprintf(name, sizeof(name), "migrations/down/%05ld_add_table_%ld.sql", i, i);
		strbuf_addf(&text, "DROP INDEX t%ld_at;\nDROP TABLE t%ld;\n", i, i);
		write_file(dir, name, &text);
	}
	strbuf_clear(&text);
}

static void add_event(struct db *db, const struct source *s, const struct migration *m)
{
	struct history_event ev = {
		.ns = m->ns,
		.id = m->id,
		.title = m->title,
		.sort_key = m->sort_key,
		.kind = EVENT_APPLIED,
		.generation = 1,
		.checksum = m->checksum,
		.down_checksum = m->down_checksum,
		.run = "20261121-1",
		.epoch = 1,
		.who = "alice",
		.host = "laptop",
		.took_ms = 3,
	};
	struct strbuf up, down;
	struct err e;

	strbuf_init(&up, SOURCE_FILE_MAX);
	strbuf_init(&down, SOURCE_FILE_MAX);
	if (source_script(s, m, false, &up, &e) != 0 || source_script(s, m, true, &down, &e) != 0 ||
	    ledger_add(db, &ev, strbuf_sv(&up), strbuf_sv(&down), NULL, &e) != 0)
		die(&e);
	strbuf_clear(&up);
	strbuf_clear(&down);
}

static void write_database(const char *dir, const char *environment, const struct source *s)
{
	struct arena a;
	const char *path;
	struct dsn dsn;
	struct db *db = NULL;
	struct err e;

	arena_init(&a);
	path = arena_printf(&a, "%s/%s.sqlite", dir, environment);
	dsn = (struct dsn){ .engine = "sqlite", .path = path, .shown = path };
	if (db_open(&dsn, DB_CREATE, NULL, NULL, &db, &e) != 0 || ledger_ensure(db, &e) != 0 ||
	    db_begin(db, &e) != 0)
		die(&e);
	for (size_t i = 0; i < s->n; i++)
		add_event(db, s, &s->list[i]);
	if (db_commit(db, &e) != 0)
		die(&e);
	db_close(db);
	arena_clear(&a);
}

static void write_config(const char *dir)
{
	struct strbuf text;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_adds(&text, "[project]\nname = bench\nmigrations = migrations\n"
			   "pipeline = development -> staging -> production\n");
	for (size_t i = 0; i < 3; i++)
		strbuf_addf(&text, "[environment %s]\ndatabase = sqlite:%s.sqlite\n",
			    environments[i], environments[i]);
	write_file(dir, "bascule.ini", &text);
	strbuf_clear(&text);
}

int main(int argc, char **argv)
{
	struct source_spec spec = { 0 };
	struct source *s = NULL;
	struct err e;
	char *up, *down, *folder;

	if (argc != 3 || strtol(argv[2], NULL, 10) <= 0) {
		fprintf(stderr, "usage: matrix_fixture DIR N\n");
		return 2;
	}
	folder = path_join(argv[1], "migrations");
	up = path_join(folder, "up");
	down = path_join(folder, "down");
	if (fs_mkdirs(up, 0755, &e) != 0 || fs_mkdirs(down, 0755, &e) != 0)
		die(&e);
	write_files(argv[1], strtol(argv[2], NULL, 10));
	spec.dir = folder;
	if (source_scan(&spec, NULL, &s, &e) != 0)
		die(&e);
	for (size_t i = 0; i < 3; i++)
		write_database(argv[1], environments[i], s);
	write_config(argv[1]);
	source_free(s);
	mem_free(up);
	mem_free(down);
	mem_free(folder);
	return 0;
}
