/* SPDX-License-Identifier: MIT */
/* The layouts of other tools, and variants for several engines. */
#include "core/migrate/matrix.h"
#include "core/migrate/source.h"

#include "core/base/fs.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *dir;
static struct source *s;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	s = NULL;
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	source_free(s);
	s = NULL;
	tmp_remove(dir);
	return 0;
}

static void scan_as(const char *layout)
{
	struct source_spec spec = { .dir = dir, .layout = layout };

	source_free(s);
	s = NULL;
	if (source_scan(&spec, NULL, &s, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
}

static void scan(const char *layout)
{
	scan_as(NULL);
	assert_string_equal(s->layout, layout);
	for (size_t i = 0; i < s->n; i++)
		assert_ptr_equal(source_find(s, s->list[i].ns, s->list[i].id), &s->list[i]);
	for (size_t i = 1; i < s->n; i++)
		assert_true(strcmp(s->list[i - 1].sort_key, s->list[i].sort_key) < 0);
}

/* "1 2 10" */
static void ids_are(const char *want)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < s->n; i++)
		strbuf_addf(&b, "%s%s", i > 0 ? " " : "", s->list[i].id);
	assert_string_equal(strbuf_str(&b), want);
	strbuf_clear(&b);
}

static void problem_is(bool error, const char *word)
{
	for (size_t i = 0; i < s->n_problem; i++)
		if (s->problem[i].error == error && strstr(s->problem[i].msg, word) != NULL) {
			assert_true(s->problem[i].hint[0] != '\0');
			return;
		}
	for (size_t i = 0; i < s->n_problem; i++)
		print_message("# %s\n", s->problem[i].msg);
	fail_msg("no %s about '%s' in %zu", error ? "error" : "warning", word, s->n_problem);
}

static void no_problems(void)
{
	for (size_t i = 0; i < s->n_problem; i++)
		print_message("# %s: %s\n", s->problem[i].path, s->problem[i].msg);
	assert_int_equal(s->n_problem_total, 0);
}

static void script_is(size_t i, bool down, const char *want)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	if (source_script(s, &s->list[i], down, &b, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_string_equal(strbuf_str(&b), want);
	strbuf_clear(&b);
}

/* ---- flyway ---- */

static void flyway__is_read__by_version(void **state)
{
	(void)state;
	tmp_write(dir, "V10__last.sql", "SELECT 10;");
	tmp_write(dir, "V1_2__add_users.sql", "SELECT 2;");
	tmp_write(dir, "U1.2__add_users.sql", "SELECT -2;");
	tmp_write(dir, "V1.10__x.sql", "SELECT 3;");
	tmp_write(dir, "V1.10__x.sql.conf", "# c\nexecuteInTransaction=false\n");
	tmp_write(dir, "R__view.sql", "SELECT 4;");
	tmp_write(dir, "B5__base.sql", "SELECT 5;");
	scan("flyway");
	ids_are("1.2 1.10 10 R__view");
	assert_string_equal(s->list[0].title, "add users");
	assert_int_equal(s->list[0].down, DOWN_SQL);
	assert_int_equal(s->list[2].down, DOWN_NONE);
	assert_true(s->list[1].no_transaction);
	assert_false(s->list[0].no_transaction);
	script_is(0, true, "SELECT -2;");
	assert_int_equal(s->n_error, 0);
	problem_is(false, "B5__base.sql is a baseline");
	problem_is(false, "not run again");
}

static void flyway__refuses__placeholders_and_lone_undos(void **state)
{
	(void)state;
	tmp_write(dir, "V1__a.sql", "SELECT 1;\nINSERT INTO t VALUES ('${name}');");
	tmp_write(dir, "V2__b.sql", "SELECT '${kept}';");
	tmp_write(dir, "V2__b.sql.conf", "placeholderReplacement=false");
	tmp_write(dir, "U3__c.sql", "SELECT 3;");
	tmp_write(dir, "V02__twin.sql", "SELECT 2;");
	scan_as(NULL);
	problem_is(true, "line 2 holds a placeholder");
	problem_is(true, "a down without an up: U3__c.sql");
	problem_is(true, "two migrations have the number");
	assert_int_equal(s->n_error, 3);
}

/* ---- goose ---- */

static void goose__is_split__at_its_annotations(void **state)
{
	(void)state;
	tmp_write(dir, "00001_a.sql",
		  "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n"
		  "-- +goose Down\nSELECT 2;\n");
	tmp_write(dir, "00002_b.sql", "-- +GOOSE NO TRANSACTION\n-- +goose up\nVACUUM;\n");
	scan("goose");
	ids_are("00001 00002");
	script_is(0, false, "\nSELECT 1;\n\n");
	script_is(0, true, "SELECT 2;\n");
	script_is(1, false, "VACUUM;\n");
	assert_false(s->list[0].no_transaction);
	assert_true(s->list[1].no_transaction);
	assert_int_equal(s->list[1].down, DOWN_NONE);
	no_problems();
}

static void goose__refuses__what_would_run_otherwise(void **state)
{
	static const struct {
		const char *text, *word;
	} bad[] = {
		{ "SELECT 1;\n-- +goose Up\nSELECT 1;", "line 1: a statement above" },
		{ "-- +goose Up\n-- +goose ENVSUB ON\nSELECT 1;", "line 2: ENVSUB ON" },
		{ "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;", "without its StatementEnd" },
		{ "-- +goose Up\n-- +goose StatementEnd\n", "without its StatementBegin" },
		{ "-- +goose Up\n-- +goose Sideways\n", "does not know" },
		{ "-- +goose Up\n-- +goose Up\n", "a second" },
		{ "-- +goose Down\n-- +goose Up\n", "stands before" },
		{ "-- nothing", "no line '-- +goose Up'" },
	};

	(void)state;
	tmp_write(dir, "1_ok.sql", "-- +goose Up\nSELECT 1;");
	tmp_write(dir, "3_code.go", "package x");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tmp_write(dir, "2_bad.sql", bad[i].text);
		scan_as(NULL);
		assert_string_equal(s->layout, "goose");
		problem_is(true, bad[i].word);
		problem_is(true, "written in Go");
		assert_int_equal(s->n_error, 2);
	}
}

/* ---- sqitch ---- */

static void sqitch__follows__the_plan(void **state)
{
	(void)state;
	tmp_write(dir, "sqitch.plan",
		  "%syntax-version=1.0.0\n%project=p\n\n"
		  "users 2020-01-01T00:00:00Z A <a@b> # the users\n"
		  "accounts [users !other pg:x] 2020-01-02T00:00:00Z A <a@b>\n"
		  "@v1.0 2020-01-03T00:00:00Z A <a@b> # first\n"
		  "users [users@v1.0] 2020-01-04T00:00:00Z A <a@b> # again\n");
	tmp_write(dir, "deploy/users.sql", "SELECT 3;");
	tmp_write(dir, "deploy/users@v1.0.sql", "SELECT 1;");
	tmp_write(dir, "deploy/accounts.sql", "SELECT 2;");
	tmp_write(dir, "revert/accounts.sql", "SELECT -2;");
	scan("sqitch");
	ids_are("users@v1.0 accounts users");
	no_problems();
	assert_string_equal(s->list[0].title, "the users");
	assert_string_equal(s->list[1].version, "v1.0");
	assert_int_equal(s->list[1].n_depends, 1);
	assert_string_equal(s->list[1].depends[0], "main/users@v1.0");
	assert_string_equal(s->list[2].depends[0], "main/users@v1.0");
	script_is(0, false, "SELECT 1;");
	script_is(1, true, "SELECT -2;");
	assert_int_equal(s->list[2].down, DOWN_NONE);
}

static void sqitch__refuses__a_bad_plan(void **state)
{
	static const struct {
		const char *plan, *word;
	} bad[] = {
		{ "a 2020 A <a>\na 2020 A <a>\n", "line 2: the change is there already" },
		{ "@v1 2020 A <a>\n", "a tag before the first change" },
		{ "a [b 2020 A <a>\n", "'[' without ']'" },
		{ "../a 2020 A <a>\n", "no name of a change" },
		{ "a [b] 2020 A <a>\nb 2020 A <a>\n", "requires b, which is not above" },
	};

	(void)state;
	tmp_write(dir, "deploy/a.sql", "SELECT 1;");
	tmp_write(dir, "deploy/b.sql", "SELECT 1;");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tmp_write(dir, "sqitch.plan", bad[i].plan);
		scan_as(NULL);
		problem_is(true, bad[i].word);
	}
	tmp_write(dir, "sqitch.plan", "gone 2020 A <a>\n");
	scan_as(NULL);
	problem_is(true, "deploy/gone.sql");
}

/* ---- alembic ---- */

static void revision(const char *file, const char *text)
{
	char name[100];

	snprintf(name, sizeof(name), "versions/%s.py", file);
	tmp_write(dir, name, text);
}

static void alembic__is_ordered__by_its_chain(void **state)
{
	(void)state;
	tmp_write(dir, "env.py", "raise SystemExit('never run')");
	revision("__init__", "");
	revision("zz_first", "\"\"\"create users\n\nRevision ID: zz\n\"\"\"\nrevision = 'zz'\n"
			     "down_revision = None\n");
	revision("mm_second", "revision: str = \"mm\"\n"
			      "down_revision: Union[str, Sequence[str], None] = 'zz'\n"
			      "branch_labels = None\n");
	revision("aa_merge_it", "'''x = 1\nrevision = \"no\"\n'''\nrevision = ('aa')\n"
				"down_revision = (\n\t'mm',  # one\n\t\"nn\",\n)\n"
				"def f():\n    revision = 'inner'\n");
	revision("nn", "revision = 'nn'\ndown_revision = 'zz'\ndepends_on = ('lab',)\n");
	revision("ll", "revision = 'll'\ndown_revision = None\nbranch_labels = ('lab',)\n");
	scan("alembic");
	ids_are("zz ll nn mm aa");
	assert_string_equal(s->list[0].title, "create users");
	assert_string_equal(s->list[3].title, "second");
	assert_int_equal(s->list[4].n_depends, 2);
	assert_string_equal(s->list[4].depends[0], "main/mm");
	assert_true(s->list[0].framework && s->framework);
	assert_int_equal(strlen(s->list[0].checksum), 67);
	assert_null(s->list[0].down_path);
	assert_int_equal(s->n_head, 2); /* ll is of a branch of its own */
	assert_string_equal(s->head[0], "aa");
	problem_is(false, "2 heads");
	assert_int_equal(s->n_error, 0);
	assert_int_equal(source_script(s, &s->list[0], false, NULL, &e), -1);
	assert_true(e.hint[0] != '\0');
}

static void alembic__tells__what_alembic_would_refuse(void **state)
{
	(void)state;
	tmp_write(dir, "env.py", "");
	revision("a", "revision = 'a'\ndown_revision = 'gone'\n");
	revision("b", "revision = 'b'\ndown_revision = 'c'\n");
	revision("c", "revision = 'c'\ndown_revision = 'b'\n");
	revision("d", "revision = make()\ndown_revision = None\n");
	revision("e", "revision = 'e'\ndown_revision = PREVIOUS\n");
	revision("f", "revision = 'a'\ndown_revision = None\n");
	revision("g", "revision = 'g\n");
	revision("h", "revision = ('h'\n");
	scan_as(NULL);
	problem_is(true, "a builds on gone");
	problem_is(true, "a circle");
	problem_is(true, "d.py has no revision");
	problem_is(true, "down_revision is not written out");
	problem_is(true, "two files have the revision a");
	problem_is(true, "line 1: a string does not end");
	problem_is(true, "line 1: a bracket does not end");
}

static void alembic__is_found__by_its_ini(void **state)
{
	(void)state;
	tmp_write(dir, "alembic.ini",
		  "[alembic]\nscript_location = %(here)s/db/mig\n[x]\n"
		  "script_location = wrong\n");
	tmp_write(dir, "db/mig/versions/a.py", "revision = 'a'\ndown_revision = None\n");
	tmp_write(dir, "db/mig/versions/sub/b.py", "revision = 'b'\ndown_revision = 'a'\n");
	scan("alembic");
	ids_are("a"); /* sub-folders only when recursive_version_locations says so */
	tmp_write(dir, "alembic.ini",
		  "[alembic]\nscript_location = db/mig\n"
		  "recursive_version_locations = true\n");
	scan("alembic");
	ids_are("a b");
	no_problems();
	tmp_write(dir, "alembic.ini", "[alembic]\nscript_location = /elsewhere\n");
	scan_as(NULL);
	problem_is(true, "script_location");
}

/* ---- django ---- */

static void app(const char *path, const char *body)
{
	char name[120], text[1000];
	char *slash;

	snprintf(name, sizeof(name), "%s", path);
	slash = strrchr(name, '/');
	snprintf(slash, sizeof(name) - (size_t)(slash - name), "/__init__.py");
	tmp_write(dir, name, "");
	snprintf(name, sizeof(name), "%s.py", path);
	snprintf(text, sizeof(text),
		 "from django.db import migrations\n\nclass Migration(migrations.Migration):\n%s\n",
		 body);
	tmp_write(dir, name, text);
}

static void django__is_ordered__over_its_apps(void **state)
{
	(void)state;
	tmp_write(dir, "manage.py", "raise SystemExit");
	app("a/migrations/0001_initial",
	    "    initial = True\n    dependencies = [\n"
	    "        migrations.swappable_dependency(settings.AUTH_USER_MODEL),\n"
	    "        ('auth', '0012_x'), ('zed', '__latest__'),\n    ]\n");
	app("a/migrations/0002_more",
	    "    atomic = False\n    dependencies = [('a', '0001_initial')]\n"
	    "    operations = [X(dependencies=[('q', 'r')])]\n");
	app("deep/z/migrations/0001_initial", "    dependencies = []\n");
	app("deep/z/migrations/0002_b", "    dependencies = [('zed', '0001_initial')]\n");
	tmp_write(dir, "deep/z/apps.py",
		  "class ZConfig(AppConfig):\n    name = 'deep.z'\n"
		  "    label = 'zed'\n");
	tmp_write(dir, "venv/lib/x/migrations/__init__.py", "");
	tmp_write(dir, "venv/lib/x/migrations/0001_x.py", "class Migration:\n    pass\n");
	tmp_write(dir, "plain/migrations/versions.py", "");
	scan("django");
	no_problems();
	ids_are("0001_initial 0002_b 0001_initial 0002_more");
	assert_string_equal(s->list[0].ns, "zed");
	assert_string_equal(s->list[2].ns, "a");
	assert_int_equal(s->list[2].n_depends, 1);
	assert_string_equal(s->list[2].depends[0], "zed/0002_b");
	assert_true(s->list[3].no_transaction);
	assert_string_equal(s->list[3].title, "more");
	assert_true(source_knows(s, "zed"));
	assert_false(source_knows(s, "auth"));
}

static void django__tells__what_django_would_refuse(void **state)
{
	(void)state;
	tmp_write(dir, "manage.py", "");
	app("a/migrations/0001_initial", "    dependencies = []\n");
	app("a/migrations/0002_x", "    dependencies = [('a', '0001_initial')]\n");
	app("a/migrations/0002_y", "    dependencies = [('a', '0001_initial')]\n");
	app("b/migrations/0001_initial", "    dependencies = [('a', '0009_gone')]\n");
	app("c/migrations/0001_initial", "    dependencies = BASE + [('a', '0001_initial')]\n");
	app("d/migrations/0001_initial", "    dependencies = [('d', '0002_x')]\n");
	app("d/migrations/0002_x", "    dependencies = [('d', '0001_initial')]\n");
	tmp_write(dir, "a/migrations/helpers.py", "x = 1\n");
	scan_as(NULL);
	problem_is(true, "two leaves, which Django refuses: 0002_x and 0002_y");
	problem_is(true, "b.0001_initial depends on a.0009_gone");
	problem_is(true, "dependencies is not written out");
	problem_is(true, "a circle");
	problem_is(true, "has no class Migration");
}

static void django__knows__squashed_ones(void **state)
{
	struct history h = { .format = 1 };
	struct applied done[2] = {
		{ .ns = "a", .id = "0001_initial", .title = "", .sort_key = "x", .applied = true },
		{ .ns = "auth",
		  .id = "0001_initial",
		  .title = "",
		  .sort_key = "y",
		  .applied = true },
	};
	struct matrix_column col[2] = { { &h, true, NULL }, { NULL, true, NULL } };
	struct history empty = { .format = 1 };
	struct matrix *m;

	(void)state;
	tmp_write(dir, "manage.py", "");
	app("a/migrations/0001_initial", "    dependencies = []\n");
	app("a/migrations/0002_x", "    dependencies = [('a', '0001_initial')]\n");
	app("a/migrations/0001_squashed_0002",
	    "    replaces = [('a', '0001_initial'), ('a', '0002_x')]\n"
	    "    dependencies = []\n");
	app("a/migrations/0003_y", "    dependencies = [('a', '0001_squashed_0002')]\n");
	scan("django");
	no_problems();
	ids_are("0001_initial 0002_x 0001_squashed_0002 0003_y");
	assert_int_equal(s->list[2].n_replaces, 2);
	h.list = done;
	h.n = 2;
	col[1].history = &empty;
	m = matrix_build(s, col, 2, NULL);
	assert_int_equal(matrix_find(m, "a", "0001_initial")->cell[0].state, CELL_APPLIED);
	assert_int_equal(matrix_find(m, "a", "0002_x")->cell[0].state, CELL_PENDING);
	assert_int_equal(matrix_find(m, "a", "0001_squashed_0002")->cell[0].state, CELL_NONE);
	assert_int_equal(matrix_find(m, "auth", "0001_initial")->cell[0].state, CELL_APPLIED);
	assert_int_equal(matrix_find(m, "a", "0001_initial")->cell[1].state, CELL_NONE);
	assert_int_equal(matrix_find(m, "a", "0001_squashed_0002")->cell[1].state, CELL_PENDING);
	assert_int_equal(m->count[0].missing, 0);
	matrix_free(m);
}

/* ---- others ---- */

static void prisma_and_rails__are_listed(void **state)
{
	(void)state;
	tmp_write(dir, "20200101000000_init/migration.sql", "SELECT 1;");
	scan("folders");
	ids_are("20200101000000");
	script_is(0, false, "SELECT 1;");
	no_problems();
	tmp_remove(dir);
	dir = tmp_make();
	tmp_write(dir, "20200101000000_add_users.rb", "class AddUsers; end");
	tmp_write(dir, "20200102000000_more.rb", "class More; end");
	scan("listed");
	ids_are("20200101000000 20200102000000");
	assert_true(s->list[0].framework);
	assert_string_equal(s->list[0].title, "add users");
	no_problems();
}

/* ---- engines ---- */

static void engines__have__their_own_files(void **state)
{
	struct source_spec one = { .dir = dir, .engine = "mariadb" };
	const struct source *lite, *my;

	(void)state;
	tmp_write(dir, "sqlite/up/1_a.sql", "SELECT 1;");
	tmp_write(dir, "sqlite/up/2_b.sql", "SELECT 2;");
	tmp_write(dir, "mysql/1_a.up.sql", "SELECT 'one';");
	tmp_write(dir, "mysql/3_c.up.sql", "SELECT 3;");
	tmp_write(dir, "postgres/notes.txt", "none yet");
	scan_as(NULL);
	lite = source_for(s, "sqlite");
	my = source_for(s, "mariadb");
	assert_non_null(lite);
	assert_non_null(my);
	assert_string_equal(lite->layout, "up-down-folders");
	assert_string_equal(my->layout, "suffix");
	assert_null(source_for(s, "postgresql"));
	assert_ptr_equal(source_for(s, NULL), s);
	assert_string_not_equal(source_find(lite, "main", "1")->checksum,
				source_find(my, "main", "1")->checksum);
	source_free(s);
	assert_int_equal(source_scan(&one, NULL, &s, &e), 0);
	assert_null(s->next_engine);
	assert_string_equal(s->layout, "suffix");
}

static void engines__are_joined__by_key(void **state)
{
	struct history h[2] = { { .format = 1 }, { .format = 1 } };
	struct matrix_column col[3] = { { &h[0], true, "sqlite" },
					{ &h[1], true, "mariadb" },
					{ NULL, true, "postgresql" } };
	struct applied lite = { .ns = "main", .id = "1", .title = "", .applied = true };
	struct applied my = lite;
	struct matrix *m;
	struct arena a;

	(void)state;
	arena_init(&a);
	tmp_write(dir, "sqlite/1_a.up.sql", "SELECT 1;");
	tmp_write(dir, "sqlite/2_b.up.sql", "SELECT 2;");
	tmp_write(dir, "mariadb/1_a.up.sql", "SELECT 'one';");
	tmp_write(dir, "mariadb/3_c.up.sql", "SELECT 3;");
	scan_as(NULL);
	lite.sort_key = my.sort_key = migration_sort_key(&a, SV("1"));
	lite.checksum = source_find(source_for(s, "sqlite"), "main", "1")->checksum;
	my.checksum = source_find(source_for(s, "mariadb"), "main", "1")->checksum;
	h[0].list = &lite;
	h[1].list = &my;
	h[0].n = h[1].n = 1;
	m = matrix_build(s, col, 3, NULL);
	assert_int_equal(m->n_row, 3);
	assert_string_equal(m->row[2].id, "3");
	assert_int_equal(m->row[0].cell[0].state, CELL_APPLIED);
	assert_int_equal(m->row[0].cell[1].state, CELL_APPLIED);
	assert_int_equal(m->row[0].cell[2].state, CELL_UNKNOWN);
	assert_false(m->row[0].differs);
	assert_ptr_not_equal(m->row[0].cell[0].file, m->row[0].cell[1].file);
	assert_int_equal(m->row[1].cell[0].state, CELL_PENDING);
	assert_int_equal(m->row[1].cell[1].state, CELL_NONE);
	assert_false(m->row[1].differs);
	assert_int_equal(m->row[2].cell[0].state, CELL_NONE);
	assert_int_equal(m->row[2].cell[1].state, CELL_PENDING);
	my.checksum = lite.checksum; /* the other engine's text is not what belongs here */
	matrix_free(m);
	m = matrix_build(s, col, 3, NULL);
	assert_int_equal(m->row[0].cell[1].state, CELL_CHANGED);
	assert_true(m->row[0].differs);
	matrix_free(m);
	arena_clear(&a);
}

static void repeatable__is_never_late(void **state)
{
	struct history h = { .format = 1 };
	struct matrix_column col = { &h, true, NULL };
	struct applied done[2] = {
		{ .ns = "main", .id = "2", .title = "", .sort_key = "0012", .applied = true },
		{ .ns = "main", .id = "R__b", .title = "", .sort_key = "", .applied = true },
	};
	struct matrix *m;

	(void)state;
	tmp_write(dir, "V1__a.sql", "SELECT 1;");
	tmp_write(dir, "V2__b.sql", "SELECT 2;");
	tmp_write(dir, "V3__c.sql", "SELECT 3;");
	tmp_write(dir, "R__a.sql", "SELECT 4;");
	tmp_write(dir, "R__b.sql", "SELECT 5;");
	scan("flyway");
	h.list = done;
	h.n = 2;
	m = matrix_build(s, &col, 1, NULL);
	assert_int_equal(matrix_find(m, "main", "1")->cell[0].state, CELL_LATE);
	assert_int_equal(matrix_find(m, "main", "3")->cell[0].state, CELL_PENDING);
	assert_int_equal(matrix_find(m, "main", "R__a")->cell[0].state, CELL_PENDING);
	assert_string_equal(m->count[0].head, "2");
	assert_int_equal(m->count[0].n_heads, 1);
	matrix_free(m);
}

static void branches__have__several_heads(void **state)
{
	struct history h = { .format = 1 };
	struct matrix_column col = { &h, true, NULL };
	struct applied done[3] = {
		{ .ns = "main", .id = "a", .title = "", .sort_key = "", .applied = true },
		{ .ns = "main", .id = "b", .title = "", .sort_key = "", .applied = true },
		{ .ns = "main", .id = "c", .title = "", .sort_key = "", .applied = true },
	};
	struct matrix *m;

	(void)state;
	tmp_write(dir, "env.py", "");
	revision("a", "revision = 'a'\ndown_revision = None\n");
	revision("b", "revision = 'b'\ndown_revision = 'a'\n");
	revision("c", "revision = 'c'\ndown_revision = 'a'\n");
	revision("d", "revision = 'd'\ndown_revision = 'b'\n");
	scan("alembic");
	h.list = done;
	h.n = 3;
	m = matrix_build(s, &col, 1, NULL);
	assert_int_equal(m->count[0].n_heads, 2);
	assert_string_equal(m->count[0].heads[0], "c");
	assert_string_equal(m->count[0].heads[1], "b");
	assert_int_equal(matrix_find(m, "main", "d")->cell[0].state, CELL_PENDING);
	done[1].partial = true;
	done[1].applied = false;
	matrix_free(m);
	m = matrix_build(s, &col, 1, NULL);
	assert_int_equal(matrix_find(m, "main", "b")->cell[0].state, CELL_PARTIAL);
	assert_int_equal(m->count[0].partial, 1);
	matrix_free(m);
}

static void new__continues__other_layouts(void **state)
{
	struct source_spec spec = { .dir = dir };
	char *up = NULL, *down = NULL;

	(void)state;
	tmp_write(dir, "V007__a.sql", "SELECT 1;");
	tmp_write(dir, "R__z.sql", "SELECT 1;");
	assert_int_equal(source_new(&spec, "add more", &up, &down, &e), 0);
	assert_string_equal(up + strlen(dir), "/V008__add_more.sql");
	assert_string_equal(down + strlen(dir), "/U008__add_more.sql");
	mem_free(up);
	mem_free(down);
	scan("flyway");
	ids_are("007 008 R__z");
	tmp_remove(dir);
	dir = tmp_make();
	spec.dir = dir;
	tmp_write(dir, "00001_a.sql", "-- +goose Up\nSELECT 1;");
	assert_int_equal(source_new(&spec, "b", &up, &down, &e), 0);
	assert_string_equal(up + strlen(dir), "/00002_b.sql");
	mem_free(up);
	mem_free(down);
	scan("goose");
	assert_int_equal(s->n_error, 0);
	tmp_write(dir, "sqitch.plan", "");
	assert_int_equal(source_new(&spec, "b", &up, &down, &e), -1);
	assert_non_null(strstr(e.hint, "sqitch add"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(flyway__refuses__placeholders_and_lone_undos),
		T(flyway__is_read__by_version),
		T(goose__refuses__what_would_run_otherwise),
		T(goose__is_split__at_its_annotations),
		T(sqitch__refuses__a_bad_plan),
		T(sqitch__follows__the_plan),
		T(alembic__tells__what_alembic_would_refuse),
		T(alembic__is_ordered__by_its_chain),
		T(alembic__is_found__by_its_ini),
		T(django__tells__what_django_would_refuse),
		T(django__is_ordered__over_its_apps),
		T(django__knows__squashed_ones),
		T(prisma_and_rails__are_listed),
		T(engines__have__their_own_files),
		T(engines__are_joined__by_key),
		T(repeatable__is_never_late),
		T(branches__have__several_heads),
		T(new__continues__other_layouts),
	};

	return cmocka_run_group_tests_name("source_layouts", tests, NULL, NULL);
}
